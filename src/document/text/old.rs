//! Texts as earlier versions of the app kept them, and as other programs with Tiptap or ProseMirror do: a tree of XML
//! elements, the root `default`. Read as the same blocks, so that export knows both and one becomes the other.

use std::collections::HashMap;

use serde_json::Value;
use yrs::{
    Any, GetString, Out, ReadTxn, Text as _, TextRef, Xml, XmlElementRef, XmlFragment, XmlFragmentRef,
    XmlOut,
    types::{Attrs, text::YChange},
};

use super::{
    blocks::{Block, Cell, Inline, Item, List, Piece, Table, Text},
    model::{Align, ListKind, MAX_PARENTS, Marks, ObjectKind, json},
    reading::push_lines,
    room::{Room, TooLarge},
};

/// The root of such a tree.
pub const FRAGMENT: &str = "default";

/// Deeper than this, words are read and no containers: whoever nests so much has written it by a program, and reading
/// takes stack.
const DEEPEST: usize = MAX_PARENTS;

/// Columns that a cell may cover. HTML has the same bound.
const WIDEST: usize = 1000;

/// Reads a tree. What it does not know is read as the blocks or words in it: nothing that is written is left out.
pub(super) fn read(root: &XmlFragmentRef, txn: &impl ReadTxn, room: &Room) -> Result<Text, TooLarge> {
    let blocks = blocks_in(root, txn, Within { depth: 0, cell: false, room })?;
    Ok(if blocks.is_empty() { Text { blocks: vec![empty()] } } else { Text { blocks } })
}

fn empty() -> Block {
    Block::Paragraph { align: None, content: Vec::new() }
}

#[derive(Clone, Copy)]
struct Within<'a> {
    depth: usize,
    cell: bool,
    room: &'a Room,
}

impl Within<'_> {
    fn deeper(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }
}

/// The blocks among the children. Words that stand among blocks are a paragraph.
fn blocks_in<T: ReadTxn>(
    parent: &impl XmlFragment,
    txn: &T,
    within: Within<'_>,
) -> Result<Vec<Block>, TooLarge> {
    let mut blocks = Vec::new();
    let mut words = Vec::new();
    let flush = |words: &mut Vec<Inline>, blocks: &mut Vec<Block>| {
        if !words.is_empty() {
            blocks.push(Block::Paragraph { align: None, content: std::mem::take(words) });
        }
    };
    for child in parent.children(txn) {
        match child {
            XmlOut::Element(element) if !is_inline(&element) => {
                flush(&mut words, &mut blocks);
                push_block(&element, txn, within, &mut blocks)?;
            }
            child => push_inline(&child, txn, within.room, &mut words)?,
        }
    }
    flush(&mut words, &mut blocks);
    Ok(blocks)
}

fn is_inline(element: &XmlElementRef) -> bool {
    matches!(&**element.tag(), "hardBreak" | "image" | "mention")
}

fn push_block<T: ReadTxn>(
    element: &XmlElementRef,
    txn: &T,
    within: Within<'_>,
    blocks: &mut Vec<Block>,
) -> Result<(), TooLarge> {
    if within.depth >= DEEPEST {
        let words = all_words(element, txn);
        let content = vec![Inline { piece: Piece::Text(words.clone()), marks: Marks::default() }];
        blocks.extend((!words.is_empty()).then_some(Block::Paragraph { align: None, content }));
        return Ok(());
    }
    let attribute = |name: &str| value_of(element, txn, name);
    let align = || ["textAlign", "align"].iter().find_map(|name| Align::read(attribute(name)?.as_str()?));
    match &**element.tag() {
        "paragraph" => {
            let content = inlines(element, txn, within.room)?;
            blocks.push(Block::Paragraph { align: align(), content });
        }
        "heading" => {
            let level =
                attribute("level").as_ref().and_then(whole).map_or(1, |level| level.clamp(1, 6) as u8);
            blocks.push(Block::Heading {
                level,
                align: align(),
                content: inlines(element, txn, within.room)?,
            });
        }
        "codeBlock" => {
            let language = attribute("language").as_ref().and_then(Value::as_str).map(str::to_owned);
            let language = language.filter(|language| !language.is_empty());
            blocks.push(Block::Code { language, text: all_words(element, txn) });
        }
        "horizontalRule" => blocks.push(Block::Rule),
        "blockquote" => {
            let content = blocks_in(element, txn, within.deeper())?;
            blocks.push(Block::Quote(if content.is_empty() { vec![empty()] } else { content }));
        }
        "bulletList" => push_list(ListKind::Bullet, element, txn, within, blocks)?,
        "orderedList" => push_list(ListKind::Ordered, element, txn, within, blocks)?,
        "taskList" => push_list(ListKind::Task, element, txn, within, blocks)?,
        "table" => match table(element, txn, within.deeper())? {
            // In a cell stands no table.
            Some(table) if within.cell => {
                blocks.extend(table.rows.into_iter().flatten().flat_map(|cell| cell.content));
            }
            Some(table) => blocks.push(Block::Table(table)),
            None => {}
        },
        _ => blocks.extend(blocks_in(element, txn, within.deeper())?),
    }
    Ok(())
}

fn push_list<T: ReadTxn>(
    kind: ListKind,
    element: &XmlElementRef,
    txn: &T,
    within: Within<'_>,
    blocks: &mut Vec<Block>,
) -> Result<(), TooLarge> {
    let mut items = Vec::new();
    let mut push = |checked: bool, mut content: Vec<Block>| {
        if !matches!(content.first(), Some(Block::Paragraph { .. })) {
            content.insert(0, empty());
        }
        items.push(Item { checked: checked && kind == ListKind::Task, content });
    };
    for child in element.children(txn) {
        match child {
            XmlOut::Element(item) if matches!(&**item.tag(), "listItem" | "taskItem") => {
                let checked = value_of(&item, txn, "checked") == Some(Value::Bool(true));
                push(checked, blocks_in(&item, txn, within.deeper())?);
            }
            XmlOut::Element(other) => {
                let mut content = Vec::new();
                push_block(&other, txn, within.deeper(), &mut content)?;
                push(false, content);
            }
            words => {
                let mut content = Vec::new();
                push_inline(&words, txn, within.room, &mut content)?;
                push(false, vec![Block::Paragraph { align: None, content }]);
            }
        }
    }
    if items.is_empty() {
        return Ok(());
    }
    let is_ordered = kind == ListKind::Ordered;
    let start = value_of(element, txn, "start").as_ref().and_then(whole);
    let start = start.filter(|start| is_ordered && (0..1_000_000_000).contains(start));
    let numbering = value_of(element, txn, "type").filter(|_| is_ordered);
    let numbering = numbering.as_ref().and_then(Value::as_str).filter(|kind| !kind.is_empty());
    blocks.push(Block::List(List {
        kind,
        start: start.map_or(1, |start| start as u32),
        numbering: numbering.map(str::to_owned),
        items,
    }));
    Ok(())
}

fn table<T: ReadTxn>(
    element: &XmlElementRef,
    txn: &T,
    within: Within<'_>,
) -> Result<Option<Table>, TooLarge> {
    let within = Within { cell: true, ..within.deeper() };
    let mut rows = Vec::new();
    let mut widths: Vec<Option<f64>> = Vec::new();
    for row in element.children(txn) {
        let XmlOut::Element(row) = row else { continue };
        let mut cells = Vec::new();
        let mut drawn = Vec::new();
        for cell in row.children(txn) {
            let XmlOut::Element(cell) = cell else { continue };
            let span = |name| {
                let span = value_of(&cell, txn, name).as_ref().and_then(whole);
                span.map_or(1, |span| span.clamp(1, WIDEST as i64) as usize)
            };
            let content = blocks_in(&cell, txn, within)?;
            let columns = span("colspan");
            let said = value_of(&cell, txn, "colwidth");
            let said = said.as_ref().and_then(Value::as_array);
            within.room.take(16 * columns)?;
            drawn.extend(
                (0..columns)
                    .map(|at| said.and_then(|widths| widths.get(at)?.as_f64()).filter(|width| *width > 0.0)),
            );
            cells.push(Cell {
                header: &**cell.tag() == "tableHeader",
                columns,
                rows: span("rowspan"),
                align: value_of(&cell, txn, "align").as_ref().and_then(Value::as_str).map(str::to_owned),
                content: if content.is_empty() { vec![empty()] } else { content },
            });
        }
        if drawn.len() > widths.len() {
            widths = drawn;
        }
        rows.push(cells);
    }
    Ok(rows.iter().any(|row| !row.is_empty()).then_some(Table { rows, widths }))
}

fn inlines<T: ReadTxn>(parent: &XmlElementRef, txn: &T, room: &Room) -> Result<Vec<Inline>, TooLarge> {
    let mut content = Vec::new();
    for child in parent.children(txn) {
        push_inline(&child, txn, room, &mut content)?;
    }
    Ok(content)
}

fn push_inline<T: ReadTxn>(
    node: &XmlOut,
    txn: &T,
    room: &Room,
    content: &mut Vec<Inline>,
) -> Result<(), TooLarge> {
    match node {
        XmlOut::Text(text) => {
            let text: &TextRef = text.as_ref();
            for piece in text.diff(txn, YChange::identity) {
                if let Out::Any(Any::String(words)) = piece.insert {
                    let marks =
                        piece.attributes.as_deref().map(|attributes| marks(attributes, room)).transpose()?;
                    let marks = marks.unwrap_or_default();
                    push_lines(content, &words, &marks, room)?;
                }
            }
        }
        XmlOut::Element(element) => {
            let fields = |kind: ObjectKind| {
                let said = |field: &&'static str| Some((*field, value_of(element, txn, field)?));
                kind.fields().iter().filter_map(said).filter(|(_, value)| !value.is_null()).collect()
            };
            let piece = match &**element.tag() {
                "hardBreak" => Piece::Break,
                "image" => Piece::Image(fields(ObjectKind::Image)),
                "mention" => Piece::Mention(fields(ObjectKind::Mention)),
                _ => {
                    let words = all_words(element, txn);
                    return push_lines(content, &words, &Marks::default(), room);
                }
            };
            content.push(Inline { piece, marks: Marks::default() });
        }
        XmlOut::Fragment(_) => {}
    }
    Ok(())
}

/// The words of an element, line ends among them, however deep it is.
fn all_words<T: ReadTxn>(element: &XmlElementRef, txn: &T) -> String {
    let mut words = String::new();
    for node in element.successors(txn) {
        match node {
            XmlOut::Text(text) => {
                let text: &TextRef = text.as_ref();
                words.push_str(&text.get_string(txn));
            }
            XmlOut::Element(element) if &**element.tag() == "hardBreak" => words.push('\n'),
            _ => {}
        }
    }
    words
}

/// What the marks of the tree are called in the text.
fn marks(attributes: &Attrs, room: &Room) -> Result<Marks, TooLarge> {
    let mut named: HashMap<&str, &Any> = HashMap::new();
    let mut color = None;
    for (name, value) in attributes {
        // Several marks of one kind on a character are told apart by what follows.
        let name = name.split_once("--").map_or(&**name, |(name, _)| name);
        match (name, value) {
            ("subscript", value) => drop(named.insert("sub", value)),
            ("superscript", value) => drop(named.insert("sup", value)),
            ("textStyle", Any::Map(fields)) => {
                color = fields.get("color").filter(|color| !matches!(color, Any::Null | Any::Undefined));
            }
            (name, value) => drop(named.insert(name, value)),
        }
    }
    if let Some(color) = color {
        named.insert("color", color);
    }
    Marks::read_into(room, |name| named.get(name).copied())
}

fn value_of<T: ReadTxn>(element: &XmlElementRef, txn: &T, name: &str) -> Option<Value> {
    match element.get_attribute(txn, name)? {
        Out::Any(Any::Null | Any::Undefined) => None,
        Out::Any(value) => Some(json(&value)),
        _ => None,
    }
}

/// A whole number, which some programs write as a string.
fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}
