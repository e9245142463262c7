//! From the sequences of a text to the blocks that people see. Whatever they hold has exactly one reading, the same as the
//! page's (`frontend/src/text/binding/read.ts`): tests/fixtures/text-model/reading.json has the rules as cases, which both
//! are tested against.

use std::collections::{BTreeMap, HashMap};

use yrs::ReadTxn;

use super::{
    blocks::{Block, Cell, Inline, Item, List, Piece, Table, Text},
    fold::{self, BoundaryFields, Frame},
    model::{BODY, Fields, LeafKind, ListKind, Marks, ObjectKind, cell_name, cell_place, json},
    room::{Room, TooLarge},
    sequence::{Line, Run, lines_of},
    table::{self, Covering, Grid, Worded},
};

/// What a piece takes in what is read, and in the JSON that is made of it, in bytes.
const INLINE: usize = 128;

/// All the sequences of a text.
#[derive(Debug, Default)]
pub(super) struct Sequences {
    pub body: Vec<Line>,
    /// The words of cells by the names of their roots.
    pub cells: BTreeMap<String, Vec<Line>>,
}

impl Sequences {
    /// Those of a document that has these roots.
    pub(super) fn of<'a>(
        txn: &impl ReadTxn,
        roots: impl Iterator<Item = &'a str>,
        room: &Room,
    ) -> Result<Self, TooLarge> {
        let mut sequences = Self::default();
        for root in roots {
            let Some(text) = txn.get_text(root) else { continue };
            if root == BODY {
                sequences.body = lines_of(&text, txn, room)?;
            } else if cell_place(root).is_some() {
                sequences.cells.insert(root.to_owned(), lines_of(&text, txn, room)?);
            }
        }
        Ok(sequences)
    }

    pub(super) fn read(&self, room: &Room) -> Result<Text, TooLarge> {
        let grids = self.grids(room)?;
        let is_unseen = |line: usize| !grids.contains_key(&line);
        let table = |line: usize| grids.get(&line).map(|grid| self.table(grid, room)).transpose();
        Ok(Text { blocks: blocks(&stretches(&self.body, is_unseen), &table, room)? })
    }

    /// By their lines. The same table twice, as two who move it leave it, is the first of them that is not deleted.
    fn grids(&self, room: &Room) -> Result<HashMap<usize, Grid>, TooLarge> {
        let mut worded: HashMap<&str, Worded> = HashMap::new();
        for (name, lines) in &self.cells {
            if let Some([table, row, column]) = cell_place(name)
                && lines.iter().any(Line::has_words)
            {
                worded.entry(table).or_default().insert([row.to_owned(), column.to_owned()]);
            }
        }
        let none = Worded::new();
        let mut found: HashMap<&str, (usize, Grid, bool)> = HashMap::new();
        for (at, line) in self.body.iter().enumerate() {
            let Some(fields) = line.boundary.as_ref().filter(|fields| is_table(fields)) else { continue };
            let id = fields.text("id").unwrap_or_default();
            let deleted = fields.is_true("deleted");
            let counts = found.get(id).is_none_or(|(_, _, was_deleted)| *was_deleted && !deleted);
            if counts && let Some(grid) = table::grid_of(fields, worded.get(id).unwrap_or(&none), room)? {
                found.insert(id, (at, grid, deleted));
            }
        }
        Ok(found.into_values().map(|(at, grid, _)| (at, grid)).collect())
    }

    fn table(&self, grid: &Grid, room: &Room) -> Result<Block, TooLarge> {
        let mut rows: Vec<Vec<Cell>> = grid.rows.iter().map(|_| Vec::new()).collect();
        for covering in &grid.cells {
            let (row, column) = (&grid.rows[covering.row], &grid.columns[covering.column]);
            rows[covering.row].push(Cell {
                header: row.header || column.header,
                columns: covering.columns,
                rows: covering.rows,
                align: column.align.clone().filter(|align| !align.is_empty()),
                content: self.words_of(grid, covering, room)?,
            });
        }
        let widths = grid.columns.iter().map(|column| column.width).collect();
        Ok(Block::Table(Table { rows, widths }))
    }

    /// The words of all the cells that one covers, in reading order: whoever merges cells moves none.
    fn words_of(&self, grid: &Grid, covering: &Covering, room: &Room) -> Result<Vec<Block>, TooLarge> {
        let mut all = Vec::new();
        for row in &grid.rows[covering.row..covering.row + covering.rows] {
            for column in &grid.columns[covering.column..covering.column + covering.columns] {
                let Some(lines) = self.cells.get(&cell_name(&grid.id, &row.id, &column.id)) else { continue };
                let stretches = stretches(lines, |_| true);
                if !stretches.is_empty() {
                    all.extend(blocks(&stretches, &|_| Ok(None), room)?);
                }
            }
        }
        if all.is_empty() { blocks(&[], &|_| Ok(None), room) } else { Ok(all) }
    }
}

fn is_table(fields: &Fields) -> bool {
    fields.text("type") == Some("table")
}

/// Nothing stands in a rule or a table itself.
fn is_atom(fields: &Fields) -> bool {
    matches!(fields.text("type"), Some("rule" | "table"))
}

/// A block as it is seen: a line of the sequence with what is put behind it.
struct Stretch<'a> {
    /// `None` for words at the beginning, and behind a rule or a table.
    boundary: Option<&'a Fields>,
    line: usize,
    runs: Vec<&'a Run>,
}

/// Lines of the sequence, without those that are there only to be brought back. The boundary of a deleted table stays in
/// its place, unseen; what stands behind it belongs to the block before.
fn stretches(lines: &[Line], is_unseen: impl Fn(usize) -> bool) -> Vec<Stretch<'_>> {
    let mut seen: Vec<Stretch<'_>> = Vec::new();
    // What is put behind the block before: boundaries nobody sees, and the words behind them.
    let mut more: Vec<&Run> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(fields) = &line.boundary else {
            if line.has_words() {
                seen.push(Stretch { boundary: None, line: at, runs: line.runs.iter().collect() });
            } else {
                more.extend(&line.runs);
            }
            continue;
        };
        if is_table(fields) && is_unseen(at) {
            more.push(&Run::Hidden);
            more.extend(&line.runs);
            continue;
        }
        flush(&mut seen, &mut more);
        if is_atom(fields) {
            seen.push(Stretch { boundary: Some(fields), line: at, runs: Vec::new() });
            more.extend(&line.runs);
        } else {
            seen.push(Stretch { boundary: Some(fields), line: at, runs: line.runs.iter().collect() });
        }
    }
    flush(&mut seen, &mut more);
    seen
}

fn flush<'a>(seen: &mut Vec<Stretch<'a>>, more: &mut Vec<&'a Run>) {
    let runs = std::mem::take(more);
    match seen.last_mut() {
        Some(before) if !before.boundary.is_some_and(is_atom) => before.runs.extend(runs),
        _ if runs.iter().any(|run| run.is_seen()) => {
            seen.push(Stretch { boundary: None, line: usize::MAX, runs });
        }
        _ => {}
    }
}

/// A container that is being filled. A list is filled together with its last item.
struct Open<'a> {
    frame: Frame,
    children: Vec<Block>,
    /// Of an item: those before it in its list.
    items: Vec<Item>,
    fields: &'a Fields,
    list_fields: &'a Fields,
}

/// The blocks of one root. `table` has those tables that are seen, by their lines.
fn blocks(
    stretches: &[Stretch<'_>],
    table: &impl Fn(usize) -> Result<Option<Block>, TooLarge>,
    room: &Room,
) -> Result<Vec<Block>, TooLarge> {
    if stretches.is_empty() {
        return Ok(vec![Block::Paragraph { align: None, content: Vec::new() }]);
    }
    let none = Fields::default();
    let mut top: Vec<Block> = Vec::new();
    let mut open: Vec<Open<'_>> = Vec::new();
    for stretch in stretches {
        let frames: Vec<Frame> = open.iter().map(|open| open.frame).collect();
        let fields = stretch.boundary.unwrap_or(&none);
        let said = stretch.boundary.map_or_else(|| BoundaryFields::plain_in(&frames), BoundaryFields::of);
        let placed = fold::place(&frames, &said);
        while open.len() > placed.kept + usize::from(placed.next) {
            close(&mut top, &mut open);
        }
        for (at, frame) in placed.opened.into_iter().enumerate() {
            match open.last_mut() {
                Some(last) if at == 0 && placed.next => {
                    let content = std::mem::take(&mut last.children);
                    last.items.push(Item { checked: last.fields.is_true("checked"), content });
                    last.fields = fields;
                }
                _ => open.push(Open {
                    frame,
                    children: Vec::new(),
                    items: Vec::new(),
                    fields,
                    list_fields: fields,
                }),
            }
        }
        let block = match placed.leaf {
            LeafKind::Table => table(stretch.line)?,
            leaf => Some(leaf_of(leaf, fields, &stretch.runs, room)?),
        };
        open.last_mut().map_or(&mut top, |open| &mut open.children).extend(block);
    }
    while !open.is_empty() {
        close(&mut top, &mut open);
    }
    Ok(top)
}

fn close(top: &mut Vec<Block>, open: &mut Vec<Open<'_>>) {
    let Some(Open { frame, children, mut items, fields, list_fields }) = open.pop() else { return };
    let block = match frame {
        Frame::Quote => Block::Quote(children),
        Frame::Item(kind) => {
            items.push(Item { checked: fields.is_true("checked"), content: children });
            let is_ordered = kind == ListKind::Ordered;
            Block::List(List {
                kind,
                start: if is_ordered { list_fields.start() } else { 1 },
                numbering: list_fields.some_text("numbering").filter(|_| is_ordered),
                items: items.into_iter().map(|item| only_if_task(kind, item)).collect(),
            })
        }
    };
    open.last_mut().map_or(top, |open| &mut open.children).push(block);
}

fn only_if_task(kind: ListKind, item: Item) -> Item {
    Item { checked: item.checked && kind == ListKind::Task, ..item }
}

fn leaf_of(leaf: LeafKind, fields: &Fields, runs: &[&Run], room: &Room) -> Result<Block, TooLarge> {
    Ok(match leaf {
        LeafKind::Rule | LeafKind::Table => Block::Rule,
        LeafKind::Code => Block::Code { language: fields.some_text("language"), text: code_of(runs) },
        LeafKind::Heading => {
            Block::Heading { level: fields.level(), align: fields.align(), content: inlines(runs, room)? }
        }
        LeafKind::Paragraph => Block::Paragraph { align: fields.align(), content: inlines(runs, room)? },
    })
}

/// Line ends in code are characters, and formatting in it is not seen.
fn code_of(runs: &[&Run]) -> String {
    let piece = |run: &&Run| match run {
        Run::Text(text, _) => text.clone(),
        Run::Object(ObjectKind::Break, ..) => "\n".to_owned(),
        Run::Object(..) | Run::Hidden => String::new(),
    };
    runs.iter().map(piece).collect()
}

fn inlines(runs: &[&Run], room: &Room) -> Result<Vec<Inline>, TooLarge> {
    let mut content: Vec<Inline> = Vec::new();
    for run in runs {
        match run {
            Run::Text(text, marks) => push_lines(&mut content, text, marks, room)?,
            Run::Object(kind, fields, marks) => {
                content.push(Inline { piece: piece_of(*kind, fields), marks: marks.clone() });
            }
            Run::Hidden => {}
        }
    }
    Ok(content)
}

/// Words with line ends in them: a break for each of them, marked like the words.
pub(super) fn push_lines(
    content: &mut Vec<Inline>,
    words: &str,
    marks: &Marks,
    room: &Room,
) -> Result<(), TooLarge> {
    for (at, line) in words.split('\n').enumerate() {
        if at > 0 {
            // What is one byte in the document is an object with all its marks here, twice.
            room.take(2 * (INLINE + marks.bytes()))?;
            content.push(Inline { piece: Piece::Break, marks: marks.clone() });
        }
        push_text(content, line, marks);
    }
    Ok(())
}

/// Text beside text of the same marks is one.
fn push_text(content: &mut Vec<Inline>, text: &str, marks: &Marks) {
    if text.is_empty() {
        return;
    }
    if let Some(Inline { piece: Piece::Text(before), marks: known }) = content.last_mut()
        && known == marks
    {
        before.push_str(text);
        return;
    }
    content.push(Inline { piece: Piece::Text(text.to_owned()), marks: marks.clone() });
}

fn piece_of(kind: ObjectKind, fields: &Fields) -> Piece {
    let said = kind.fields().iter().filter_map(|field| Some((*field, json(fields.get(field)?))));
    let said = said.filter(|(_, value)| !value.is_null()).collect();
    match kind {
        ObjectKind::Break => Piece::Break,
        ObjectKind::Image => Piece::Image(said),
        ObjectKind::Mention => Piece::Mention(said),
    }
}
