//! From blocks to the sequences that hold them, as the page would write them into an empty document.

use serde_json::{Value, json};
use yrs::Any;

use super::{
    blocks::{Block, Inline, Item, List, Piece, Table, Text},
    model::{Align, BODY, ListKind, MarkKind, Marks, cell_name, json as as_json},
};

/// Something in a sequence.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Op {
    Text(String, Marks),
    /// A boundary or a picture: a map whose fields can be changed.
    Map(Vec<(String, Put)>, Marks),
    /// An object that stays what it is.
    Object(Vec<(String, Any)>, Marks),
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Put {
    Value(Any),
    Map(Vec<(String, Any)>),
}

/// The roots of a text, the body first, and what they hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Written(pub Vec<(String, Vec<Op>)>);

impl Written {
    /// All of it in one line, the same for the same text. Tables are called by `names`.
    pub(super) fn key(&self) -> String {
        let put = |(field, put): &(String, Put)| match put {
            Put::Value(value) => json!([field, as_json(value)]),
            Put::Map(entries) => {
                json!([
                    field,
                    entries.iter().map(|(id, value)| json!([id, as_json(value)])).collect::<Value>()
                ])
            }
        };
        let marks = |marks: &Marks| {
            marks.0.iter().map(|(kind, value)| json!([kind.name(), value])).collect::<Value>()
        };
        let op = |op: &Op| match op {
            Op::Text(text, marked) => json!([text, marks(marked)]),
            Op::Map(fields, marked) => {
                json!({ "map": fields.iter().map(put).collect::<Value>(), "marks": marks(marked) })
            }
            Op::Object(fields, marked) => {
                let fields = fields.iter().map(|(field, value)| json!([field, as_json(value)]));
                json!({ "object": fields.collect::<Value>(), "marks": marks(marked) })
            }
        };
        let roots = self.0.iter().map(|(root, ops)| json!([root, ops.iter().map(op).collect::<Value>()]));
        roots.collect::<Value>().to_string()
    }
}

impl Text {
    /// The sequences that hold it. Tables are called `{names}0`, `{names}1` and so on.
    pub(super) fn written(&self, names: &str) -> Written {
        let mut writer = Writer { names, tables: 0, cells: Vec::new() };
        let mut body = Vec::new();
        // With a boundary before the first line: what others write at the beginning of that comes behind it.
        if !self.is_empty() {
            writer.blocks(&self.blocks, &mut Vec::new(), &mut body);
        }
        let mut roots = vec![(BODY.to_owned(), body)];
        roots.extend(writer.cells);
        Written(roots)
    }
}

struct Writer<'a> {
    names: &'a str,
    tables: usize,
    cells: Vec<(String, Vec<Op>)>,
}

/// The fields of a boundary that is being written.
type Fields = Vec<(String, Put)>;

fn said(field: &str, value: impl Into<Any>) -> (String, Put) {
    (field.to_owned(), Put::Value(value.into()))
}

impl Writer<'_> {
    fn cell(&mut self, blocks: &[Block]) -> Vec<Op> {
        let mut ops = Vec::new();
        self.blocks(blocks, &mut Vec::new(), &mut ops);
        // Before the first boundary stands a paragraph, if there is anything in it.
        let is_plain =
            matches!(ops.first(), Some(Op::Map(fields, _)) if *fields == [said("type", "paragraph")]);
        if is_plain && !ops.get(1).is_some_and(Op::is_boundary) {
            ops.remove(0);
        }
        ops
    }

    fn blocks(&mut self, blocks: &[Block], parents: &mut Vec<&'static str>, ops: &mut Vec<Op>) {
        let mut before: Option<&Block> = None;
        for block in blocks {
            self.block(block, before, parents, ops);
            before = Some(block);
        }
    }

    fn block(
        &mut self,
        block: &Block,
        before: Option<&Block>,
        parents: &mut Vec<&'static str>,
        ops: &mut Vec<Op>,
    ) {
        match block {
            Block::Paragraph { align, content } => {
                begin("paragraph", parents, aligned(*align), ops);
                inlines(content, ops);
            }
            Block::Heading { level, align, content } => {
                let level = [said("level", i64::from(*level))];
                begin("heading", parents, level.into_iter().chain(aligned(*align)), ops);
                inlines(content, ops);
            }
            Block::Code { language, text } => {
                begin(
                    "code",
                    parents,
                    language.iter().map(|language| said("language", language.as_str())),
                    ops,
                );
                if !text.is_empty() {
                    ops.push(Op::Text(text.clone(), Marks::default()));
                }
            }
            Block::Rule => begin("rule", parents, [], ops),
            Block::Quote(content) => {
                let rest = match content.split_first() {
                    Some((Block::Paragraph { align, content }, rest)) => {
                        begin("quote", parents, aligned(*align), ops);
                        inlines(content, ops);
                        rest
                    }
                    _ => content,
                };
                parents.push("quote");
                self.blocks(rest, parents, ops);
                parents.pop();
            }
            Block::List(list) => {
                let is_list =
                    |block: &Block| matches!(block, Block::List(before) if before.kind == list.kind);
                self.list(list, before.is_some_and(is_list), parents, ops);
            }
            Block::Table(table) => match layout(table) {
                Some(layout) => self.table(table, layout, parents, ops),
                // All that stands in it stays.
                None => {
                    let cells = table.rows.iter().flatten();
                    cells.for_each(|cell| self.blocks(&cell.content, parents, ops));
                }
            },
        }
    }

    fn list(&mut self, list: &List, is_behind_one: bool, parents: &mut Vec<&'static str>, ops: &mut Vec<Op>) {
        for (at, Item { checked, content }) in list.items.iter().enumerate() {
            let mut fields: Fields = Vec::new();
            let is_ordered = list.kind == ListKind::Ordered;
            // A list of numbers right behind another stays its own by saying where it begins.
            if at == 0 && is_ordered && (list.start != 1 || is_behind_one) {
                fields.push(said("start", i64::from(list.start)));
            }
            if at == 0 && is_ordered {
                fields.extend(list.numbering.iter().map(|numbering| said("numbering", numbering.as_str())));
            }
            if *checked {
                fields.push(said("checked", true));
            }
            let (first, rest) = match content.split_first() {
                Some((Block::Paragraph { align, content }, rest)) => {
                    fields.extend(aligned(*align));
                    (content.as_slice(), rest)
                }
                _ => (&[][..], content.as_slice()),
            };
            begin(list.kind.name(), parents, fields, ops);
            inlines(first, ops);
            parents.push("item");
            self.blocks(rest, parents, ops);
            parents.pop();
        }
    }

    fn table(&mut self, table: &Table, layout: Layout, parents: &[&'static str], ops: &mut Vec<Op>) {
        let id = format!("{}{}", self.names, self.tables);
        self.tables += 1;
        let Layout { anchors, width, height } = layout;
        let entry = |fields: Vec<(&str, Any)>| Any::from_iter_map(fields);
        let cell = |anchor: &Anchor| &table.rows[anchor.row][anchor.at];
        // Those that head a row are all in it that there are.
        let mut row_heads: Vec<Option<bool>> = vec![None; height];
        for anchor in &anchors {
            let is_head = &mut row_heads[anchor.row];
            *is_head = Some(is_head.unwrap_or(true) && cell(anchor).header);
        }
        let is_row_head = |row: usize| row_heads[row] == Some(true);
        let (mut column_heads, mut aligns) = (vec![None; width], vec![None; width]);
        for anchor in &anchors {
            if !is_row_head(anchor.row) {
                let is_head: &mut Option<bool> = &mut column_heads[anchor.column];
                *is_head = Some(is_head.unwrap_or(true) && cell(anchor).header);
            }
            if aligns[anchor.column].is_none() {
                aligns[anchor.column].clone_from(&cell(anchor).align);
            }
        }
        let rows = (0..height).map(|row| {
            let header = is_row_head(row).then(|| ("header", Any::from(true)));
            let fields = [("order", Any::from(order(row, height)))].into_iter().chain(header).collect();
            (format!("r{row}"), entry(fields))
        });
        let columns = (0..width).map(|column| {
            let drawn = table.widths.get(column).copied().flatten();
            let fields = [("order", Any::from(order(column, width)))]
                .into_iter()
                .chain((column_heads[column] == Some(true)).then(|| ("header", Any::from(true))))
                .chain(aligns[column].take().map(|align| ("align", Any::from(align))))
                .chain(drawn.map(|drawn| ("width", Any::from(drawn))))
                .collect();
            (format!("c{column}"), entry(fields))
        });
        let spans: Vec<_> = anchors
            .iter()
            .filter(|anchor| anchor.rows > 1 || anchor.columns > 1)
            .map(|anchor| {
                let last_row = format!("r{}", anchor.row + anchor.rows - 1);
                let last_column = format!("c{}", anchor.column + anchor.columns - 1);
                let last = vec![("row", Any::from(last_row)), ("column", Any::from(last_column))];
                (format!("r{}/c{}", anchor.row, anchor.column), entry(last))
            })
            .collect();
        let fields = [
            said("id", id.as_str()),
            ("rows".to_owned(), Put::Map(rows.collect())),
            ("columns".to_owned(), Put::Map(columns.collect())),
            ("spans".to_owned(), Put::Map(spans)),
        ];
        begin("table", parents, fields, ops);
        for anchor in &anchors {
            let content = self.cell(&table.rows[anchor.row][anchor.at].content);
            if !content.is_empty() {
                let name = cell_name(&id, &format!("r{}", anchor.row), &format!("c{}", anchor.column));
                self.cells.push((name, content));
            }
        }
    }
}

fn begin(
    kind: &str,
    parents: &[&'static str],
    fields: impl IntoIterator<Item = (String, Put)>,
    ops: &mut Vec<Op>,
) {
    let mut all = vec![said("type", kind)];
    if !parents.is_empty() {
        let parents: Vec<Any> = parents.iter().map(|parent| Any::from(*parent)).collect();
        all.push(said("parents", parents));
    }
    all.extend(fields);
    ops.push(Op::Map(all, Marks::default()));
}

fn aligned(align: Option<Align>) -> Option<(String, Put)> {
    align.map(|align| said("align", align.name()))
}

fn inlines(content: &[Inline], ops: &mut Vec<Op>) {
    for Inline { piece, marks } in content {
        ops.push(match piece {
            Piece::Text(text) => Op::Text(text.clone(), marks.clone()),
            Piece::Break => Op::Object(vec![("type".to_owned(), Any::from("break"))], marks.clone()),
            Piece::Image(fields) => {
                let fields = fields.iter().map(|(field, value)| said(field, any(value)));
                Op::Map([said("type", "image")].into_iter().chain(fields).collect(), marks.clone())
            }
            Piece::Mention(fields) => {
                let fields = fields.iter().map(|(field, value)| ((*field).to_owned(), any(value)));
                let kind = ("type".to_owned(), Any::from("mention"));
                Op::Object([kind].into_iter().chain(fields).collect(), marks.clone())
            }
        });
    }
}

/// A value as the shared data has it.
pub(super) fn any(value: &Value) -> Any {
    match value {
        Value::Null => Any::Null,
        Value::Bool(value) => Any::from(*value),
        Value::Number(number) => match number.as_i64() {
            // Numbers of JavaScript.
            Some(whole) if whole.unsigned_abs() <= 1 << 53 => Any::from(whole),
            _ => Any::from(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => Any::from(text.as_str()),
        Value::Array(values) => Any::from(values.iter().map(any).collect::<Vec<_>>()),
        Value::Object(fields) => {
            Any::from_iter_map(fields.iter().map(|(field, value)| (field.as_str(), any(value))).collect())
        }
    }
}

/// A map of values.
trait FromIterMap {
    fn from_iter_map(fields: Vec<(&str, Any)>) -> Any;
}

impl FromIterMap for Any {
    fn from_iter_map(fields: Vec<(&str, Any)>) -> Any {
        let fields = fields.into_iter().map(|(field, value)| (field.to_owned(), value));
        Any::Map(std::sync::Arc::new(fields.collect()))
    }
}

/// Where a cell stands, and which of its row it is.
struct Anchor {
    row: usize,
    at: usize,
    column: usize,
    rows: usize,
    columns: usize,
}

struct Layout {
    anchors: Vec<Anchor>,
    width: usize,
    height: usize,
}

/// Places that a table may have, about. Nobody makes a larger one, but a cell may say that it covers a thousand columns and
/// all the rows there are.
const PLACES: usize = 100_000;

/// Where each cell stands, as browsers lay tables out: in the first place of its row that no cell above covers. `None` for a
/// table that is larger than any table.
fn layout(table: &Table) -> Option<Layout> {
    let height = table.rows.len();
    let mut anchors = Vec::new();
    let mut taken: Vec<Vec<bool>> = vec![Vec::new(); height];
    let mut filled = 0;
    for (row, cells) in table.rows.iter().enumerate() {
        let mut column = 0;
        for (at, cell) in cells.iter().enumerate() {
            while taken[row].get(column).copied().unwrap_or(false) {
                column += 1;
            }
            let rows = cell.rows.clamp(1, height - row);
            // It ends where another one begins that reaches down from above.
            let is_free = |column: &usize| !taken[row].get(*column).copied().unwrap_or(false);
            let columns = (column..column + cell.columns.max(1)).take_while(is_free).count().max(1);
            let grown = |taken: &Vec<bool>| (column + columns).saturating_sub(taken.len());
            filled += rows * columns + taken[row..row + rows].iter().map(grown).sum::<usize>();
            if filled > 4 * PLACES {
                return None;
            }
            for taken in &mut taken[row..row + rows] {
                taken.resize(taken.len().max(column + columns), false);
                taken[column..column + columns].fill(true);
            }
            anchors.push(Anchor { row, at, column, rows, columns });
            column += columns;
        }
    }
    let width = taken.iter().map(Vec::len).max().unwrap_or(0).max(1);
    (width * height <= PLACES).then_some(Layout { anchors, width, height })
}

/// The place of the one at `at` among `count`, so that there is room for others between any two.
fn order(at: usize, count: usize) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut digits = Vec::new();
    let (mut rest, mut most) = (at, count.saturating_sub(1));
    loop {
        digits.push(DIGITS[rest % 62]);
        (rest, most) = (rest / 62, most / 62);
        if most == 0 {
            break;
        }
    }
    digits.reverse();
    // The last digit is never the first of all: there would be no room before it.
    digits.push(b'V');
    String::from_utf8_lossy(&digits).into_owned()
}

impl Op {
    /// In the units of Yjs.
    pub(super) fn length(&self) -> u32 {
        match self {
            Self::Text(words, _) => crate::document::plain_text::units(words),
            Self::Map(..) | Self::Object(..) => 1,
        }
    }

    /// Whether it begins a block.
    pub(super) fn is_boundary(&self) -> bool {
        matches!(self, Self::Map(fields, _) if fields.first() != Some(&said("type", "image")))
    }

    /// A field that is a string.
    pub(super) fn text_field(&self, name: &str) -> String {
        let value = match self {
            Self::Text(..) => None,
            Self::Map(fields, _) => fields.iter().find_map(|(field, put)| match put {
                Put::Value(value) if field == name => Some(value),
                _ => None,
            }),
            Self::Object(fields, _) => {
                fields.iter().find_map(|(field, value)| (field == name).then_some(value))
            }
        };
        match value {
            Some(Any::String(text)) => text.to_string(),
            _ => String::new(),
        }
    }

    pub(super) fn marks(&self) -> &Marks {
        let (Self::Text(_, marks) | Self::Map(_, marks) | Self::Object(_, marks)) = self;
        marks
    }
}

/// The value of a formatting attribute.
pub(super) fn attribute(marks: &Marks, kind: MarkKind) -> Option<Any> {
    marks.0.iter().find(|(known, _)| *known == kind).map(|(_, value)| any(value))
}
