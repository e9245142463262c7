//! What a text is in the shared data: the names, types and fields that every program agrees on. The page has the same in
//! `frontend/src/text/binding/model.ts`, and other programs in `docs/text.md`.

use std::collections::HashMap;

use serde_json::Value;
use yrs::{Any, Map, MapRef, Number, Out, ReadTxn, types::Attrs};

use super::room::{Room, TooLarge};

/// The root that holds a text.
pub const BODY: &str = "body";

const CELL: &str = "cell/";

/// Containers beyond this many are left out. Nobody writes so; without a limit, whoever reads would run out of stack. As JSON
/// such a text is nested no deeper than every reader takes: serde_json's 128 levels, of which a list has four.
pub(super) const MAX_PARENTS: usize = 24;

/// The root that holds the words of one cell.
pub(super) fn cell_name(table: &str, row: &str, column: &str) -> String {
    format!("{CELL}{table}/{row}/{column}")
}

/// Of which table, row and column a root holds words, if it is named so.
pub(super) fn cell_place(name: &str) -> Option<[&str; 3]> {
    let mut parts = name.strip_prefix(CELL)?.split('/');
    let place = [parts.next()?, parts.next()?, parts.next()?];
    (parts.next().is_none() && place.iter().all(|part| !part.is_empty())).then_some(place)
}

/// Whether a root of this name is part of a text.
pub fn is_part(root: &str) -> bool {
    root == BODY || cell_place(root).is_some()
}

/// A block of one of these begins an item of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListKind {
    /// With dots.
    Bullet,
    /// With numbers.
    Ordered,
    /// With boxes that can be checked.
    Task,
}

/// Blocks that are what they are, wherever they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeafKind {
    Paragraph,
    Heading,
    Code,
    Rule,
    Table,
}

/// What a boundary says its block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BlockType {
    Leaf(LeafKind),
    List(ListKind),
    Quote,
}

impl ListKind {
    /// As it is written.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bullet => "bullet",
            Self::Ordered => "ordered",
            Self::Task => "task",
        }
    }
}

impl BlockType {
    pub(super) fn read(name: &str) -> Option<Self> {
        Some(match name {
            "paragraph" => Self::Leaf(LeafKind::Paragraph),
            "heading" => Self::Leaf(LeafKind::Heading),
            "code" => Self::Leaf(LeafKind::Code),
            "rule" => Self::Leaf(LeafKind::Rule),
            "table" => Self::Leaf(LeafKind::Table),
            "bullet" => Self::List(ListKind::Bullet),
            "ordered" => Self::List(ListKind::Ordered),
            "task" => Self::List(ListKind::Task),
            "quote" => Self::Quote,
            _ => return None,
        })
    }
}

/// Objects among the characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ObjectKind {
    Break,
    Image,
    Mention,
}

impl ObjectKind {
    fn read(name: &str) -> Option<Self> {
        Some(match name {
            "break" => Self::Break,
            "image" => Self::Image,
            "mention" => Self::Mention,
            _ => return None,
        })
    }

    /// The fields it has; others are kept and not read.
    pub(super) fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Break => &[],
            Self::Image => &["src", "alt", "title", "width", "height"],
            Self::Mention => &["id", "label"],
        }
    }
}

/// What an embed is. Maps of unknown types begin blocks, from a newer program; other unknown values are nothing one can
/// show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EmbedKind {
    Boundary,
    Object(ObjectKind),
    Unknown,
}

impl EmbedKind {
    pub(super) fn of(kind: Option<&str>, is_map: bool) -> Self {
        if let Some(object) = kind.and_then(ObjectKind::read) {
            Self::Object(object)
        } else if is_map || kind.and_then(BlockType::read).is_some() {
            Self::Boundary
        } else {
            Self::Unknown
        }
    }
}

/// How a character is formatted, in the order in which marks are told. `code` stands alone, and what is above the line is
/// not below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MarkKind {
    /// Bold.
    Bold,
    /// Italic.
    Italic,
    /// Underlined.
    Underline,
    /// Struck out.
    Strike,
    /// Code among words.
    Code,
    /// A link: its address, or that and a title.
    Link,
    /// With a colour behind it.
    Highlight,
    /// In a colour.
    Color,
    /// Below the line.
    Sub,
    /// Above the line.
    Sup,
}

impl MarkKind {
    pub(super) const ALL: [Self; 10] = [
        Self::Bold,
        Self::Italic,
        Self::Underline,
        Self::Strike,
        Self::Code,
        Self::Link,
        Self::Highlight,
        Self::Color,
        Self::Sub,
        Self::Sup,
    ];

    /// The formatting attribute that says it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bold => "bold",
            Self::Italic => "italic",
            Self::Underline => "underline",
            Self::Strike => "strike",
            Self::Code => "code",
            Self::Link => "link",
            Self::Highlight => "highlight",
            Self::Color => "color",
            Self::Sub => "sub",
            Self::Sup => "sup",
        }
    }

    /// What can be said of it, the main thing first.
    pub(super) fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Link => &["href", "title"],
            Self::Highlight | Self::Color => &["color"],
            _ => &[],
        }
    }

    /// The value in its shortest form: the main field where that is all there is to say, an object of fields where there
    /// is more, `true` where there is nothing. `None` if the character is not marked so.
    fn read(self, value: &Any) -> Option<Value> {
        let fields = self.fields();
        let said: Vec<(&str, Value)> = match value {
            Any::Null | Any::Undefined | Any::Bool(false) => return None,
            Any::Bool(true) => Vec::new(),
            Any::Map(map) => fields
                .iter()
                .filter_map(|field| Some((*field, map.get(*field)?)))
                .filter(|(_, value)| !matches!(value, Any::Null | Any::Undefined))
                .map(|(field, value)| (field, json(value)))
                .collect(),
            Any::Array(_) | Any::Buffer(_) => Vec::new(),
            value => fields.first().map(|field| (*field, json(value))).into_iter().collect(),
        };
        Some(match said.as_slice() {
            [] => Value::Bool(true),
            [(field, value)] if fields.first() == Some(field) => value.clone(),
            _ => Value::Object(said.into_iter().map(|(field, value)| (field.to_owned(), value)).collect()),
        })
    }
}

/// The marks of a character, each with its value in the shortest form.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Marks(pub(super) Vec<(MarkKind, Value)>);

impl Marks {
    /// The marks that a piece with these attributes is seen with. They are said once in the document and stand here at every
    /// piece that they hold for.
    pub(super) fn read_into<'a>(
        room: &Room,
        attribute: impl Fn(&str) -> Option<&'a Any>,
    ) -> Result<Self, TooLarge> {
        let bytes = MarkKind::ALL.iter().filter_map(|kind| attribute(kind.name())).map(bytes_of).sum();
        room.take(bytes)?;
        Ok(Self::read(attribute))
    }

    /// Those of a piece of a sequence.
    pub(super) fn of(attributes: Option<&Attrs>, room: &Room) -> Result<Self, TooLarge> {
        match attributes {
            Some(attributes) => Self::read_into(room, |name| attributes.get(name)),
            None => Ok(Self::default()),
        }
    }

    /// The marks that a character with these attributes is seen with.
    pub(super) fn read<'a>(attribute: impl Fn(&str) -> Option<&'a Any>) -> Self {
        let read = |kind: MarkKind| Some((kind, kind.read(attribute(kind.name())?)?));
        if let Some(code) = read(MarkKind::Code) {
            return Self(vec![code]);
        }
        let mut marks: Vec<_> = MarkKind::ALL.into_iter().filter_map(read).collect();
        if marks.iter().any(|(kind, _)| *kind == MarkKind::Sup) {
            marks.retain(|(kind, _)| *kind != MarkKind::Sub);
        }
        Self(marks)
    }

    /// About how many bytes they take.
    pub(super) fn bytes(&self) -> usize {
        self.0.iter().map(|(_, value)| value_bytes(value)).sum()
    }

    pub(super) fn has(&self, kind: MarkKind) -> bool {
        self.0.iter().any(|(known, _)| *known == kind)
    }

    /// A field of a mark: `(address, title)` of a link, `(colour, "")` of a highlight.
    pub(super) fn said(value: &Value, field: &str, main: &str) -> String {
        match value {
            Value::Object(fields) => fields.get(field).map(words).unwrap_or_default(),
            value if field == main => words(value),
            _ => String::new(),
        }
    }
}

/// About how many bytes a value takes.
fn bytes_of(value: &Any) -> usize {
    64 + match value {
        Any::String(text) => escaped_len(text),
        Any::Buffer(bytes) => 32 * bytes.len(),
        Any::Array(values) => values.iter().map(bytes_of).sum(),
        Any::Map(fields) => fields.iter().map(|(field, value)| field.len() + bytes_of(value)).sum(),
        _ => 0,
    }
}

fn value_bytes(value: &Value) -> usize {
    64 + match value {
        Value::String(text) => escaped_len(text),
        Value::Array(values) => values.iter().map(value_bytes).sum(),
        Value::Object(fields) => fields.iter().map(|(field, value)| field.len() + value_bytes(value)).sum(),
        _ => 0,
    }
}

/// In HTML, where it is longest.
fn escaped_len(text: &str) -> usize {
    text.len() + 5 * text.bytes().filter(|sign| b"&<>\"'".contains(sign)).count()
}

/// A string as it is; of other values nothing.
pub(super) fn words(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// How deep maps lie in the map of a boundary: the rows of a table, and each of them.
const MAPS: usize = 2;

fn plain(map: &MapRef, txn: &impl ReadTxn, maps: usize) -> HashMap<String, Any> {
    let field = |(field, value): (&str, Out)| {
        let value = match value {
            Out::Any(value) => value,
            Out::YMap(inner) if maps > 0 => Any::Map(plain(&inner, txn, maps - 1).into()),
            _ => return None,
        };
        Some((field.to_owned(), value))
    };
    map.iter(txn).filter_map(field).collect()
}

/// The fields of a boundary or an object, as plain values.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Fields(pub HashMap<String, Any>);

impl Fields {
    pub(super) fn of(value: &Any) -> Self {
        match value {
            Any::Map(map) => Self(map.as_ref().clone()),
            _ => Self::default(),
        }
    }

    /// Those of a map in the sequence. A field is a plain value, or a map of such, as the rows of a table are; other shared
    /// types are nothing there. They are not even looked at: there are such of which reading never ends.
    pub(super) fn of_map(map: &MapRef, txn: &impl ReadTxn) -> Self {
        Self(plain(map, txn, MAPS))
    }

    pub(super) fn get(&self, field: &str) -> Option<&Any> {
        self.0.get(field)
    }

    pub(super) fn text(&self, field: &str) -> Option<&str> {
        match self.get(field) {
            Some(Any::String(text)) => Some(text),
            _ => None,
        }
    }

    /// A text with something in it.
    pub(super) fn some_text(&self, field: &str) -> Option<String> {
        self.text(field).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    pub(super) fn is_true(&self, field: &str) -> bool {
        matches!(self.get(field), Some(Any::Bool(true)))
    }

    /// The entries of a field that is a map.
    pub(super) fn entries(&self, field: &str) -> HashMap<String, Self> {
        let Some(Any::Map(map)) = self.get(field) else { return HashMap::new() };
        map.iter().map(|(id, entry)| (id.clone(), Self::of(entry))).collect()
    }

    pub(super) fn block_type(&self) -> BlockType {
        self.text("type").and_then(BlockType::read).unwrap_or(BlockType::Leaf(LeafKind::Paragraph))
    }

    pub(super) fn align(&self) -> Option<Align> {
        self.text("align").and_then(Align::read)
    }

    /// Levels of headings are 1 to 6, and 1 where none is said.
    pub(super) fn level(&self) -> u8 {
        self.get("level").and_then(whole).map_or(1, |level| level.clamp(1.0, 6.0) as u8)
    }

    /// The first number of an ordered list.
    pub(super) fn start(&self) -> u32 {
        let start = self.get("start").and_then(whole).filter(|start| (0.0..1e9).contains(start));
        start.map_or(1, |start| start as u32)
    }

    pub(super) fn says_start(&self) -> bool {
        matches!(self.get("start"), Some(Any::Number(_)))
    }
}

/// To which side the lines of a block are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Left.
    Left,
    /// To the middle.
    Center,
    /// Right.
    Right,
    /// To both sides.
    Justify,
}

impl Align {
    pub(super) fn read(name: &str) -> Option<Self> {
        Some(match name {
            "left" => Self::Left,
            "center" => Self::Center,
            "right" => Self::Right,
            "justify" => Self::Justify,
            _ => return None,
        })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Center => "center",
            Self::Right => "right",
            Self::Justify => "justify",
        }
    }
}

/// A whole number, however it is written.
fn whole(value: &Any) -> Option<f64> {
    match number(value) {
        Some(value) if value.is_finite() && value.fract() == 0.0 => Some(value),
        _ => None,
    }
}

pub(super) fn number(value: &Any) -> Option<f64> {
    match value {
        Any::Number(Number::Int(value)) => Some(*value as f64),
        Any::Number(Number::Float(value)) => Some(*value),
        _ => None,
    }
}

/// A value of the shared data as JSON, as `JSON.stringify` has it.
pub fn json(any: &Any) -> Value {
    match any {
        Any::Null | Any::Undefined => Value::Null,
        Any::Bool(value) => Value::Bool(*value),
        Any::Number(Number::Int(value)) => Value::from(*value),
        // A whole number stays one; JavaScript knows no other difference, up to 2^53.
        Any::Number(Number::Float(value))
            if value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0 =>
        {
            Value::from(*value as i64)
        }
        Any::Number(Number::Float(value)) => {
            serde_json::Number::from_f64(*value).map_or(Value::Null, Value::Number)
        }
        Any::String(value) => Value::String(value.to_string()),
        Any::Buffer(bytes) => Value::from(bytes.to_vec()),
        Any::Array(values) => values.iter().map(json).collect(),
        Any::Map(entries) => {
            Value::Object(entries.iter().map(|(key, value)| (key.clone(), json(value))).collect())
        }
    }
}
