//! A text as people see it: blocks in blocks, and words with what they are marked with.

use serde_json::{Map, Value, json};

use super::model::{Align, ListKind, MarkKind, Marks, words};

/// A whole text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Text {
    /// At least one.
    pub blocks: Vec<Block>,
}

/// What a text is made of.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// A paragraph.
    Paragraph {
        /// To which side it is set.
        align: Option<Align>,
        /// Its words.
        content: Vec<Inline>,
    },
    /// A heading.
    Heading {
        /// From 1 to 6.
        level: u8,
        /// To which side it is set.
        align: Option<Align>,
        /// Its words.
        content: Vec<Inline>,
    },
    /// Code, with its line ends.
    Code {
        /// What it is written in.
        language: Option<String>,
        /// The code.
        text: String,
    },
    /// A line across.
    Rule,
    /// What somebody said.
    Quote(Vec<Block>),
    /// A list.
    List(List),
    /// A table.
    Table(Table),
}

/// A list.
#[derive(Clone, Debug, PartialEq)]
pub struct List {
    /// What stands before its items.
    pub kind: ListKind,
    /// The first number.
    pub start: u32,
    /// How it is numbered, as HTML's `type`.
    pub numbering: Option<String>,
    /// At least one.
    pub items: Vec<Item>,
}

/// An item of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Of a task: whether it is done.
    pub checked: bool,
    /// What stands in it.
    pub content: Vec<Block>,
}

/// A table.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Row by row; a cell that another one covers is not there.
    pub rows: Vec<Vec<Cell>>,
    /// Of its columns, in px, where somebody said so.
    pub widths: Vec<Option<f64>>,
}

/// A cell of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// It heads a row or a column.
    pub header: bool,
    /// How many columns it covers.
    pub columns: usize,
    /// How many rows.
    pub rows: usize,
    /// To which side its words are set.
    pub align: Option<String>,
    /// What stands in it.
    pub content: Vec<Block>,
}

/// A piece of a line.
#[derive(Clone, Debug, PartialEq)]
pub struct Inline {
    /// What it is.
    pub piece: Piece,
    /// How it is marked.
    pub marks: Marks,
}

/// What stands in a line.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// Words.
    Text(String),
    /// A line end within a block.
    Break,
    /// A picture: its fields as they are.
    Image(Vec<(&'static str, Value)>),
    /// Somebody's name: its fields as they are.
    Mention(Vec<(&'static str, Value)>),
}

/// A field of an object as words.
pub(super) fn said(fields: &[(&'static str, Value)], field: &str) -> String {
    fields.iter().find(|(known, _)| *known == field).map(|(_, value)| words(value)).unwrap_or_default()
}

/// What is read aloud for a mention.
pub(super) fn spoken(fields: &[(&'static str, Value)]) -> String {
    let (label, id) = (said(fields, "label"), said(fields, "id"));
    format!("@{}", if label.is_empty() { id } else { label })
}

impl Text {
    /// A form that is easy to read: nothing is said that is what it would be anyway. The same as
    /// `frontend/src/text/binding/json.ts`.
    pub fn to_json(&self) -> Value {
        self.blocks.iter().map(Block::to_json).collect()
    }

    /// Whether there is nothing in it but an empty line.
    pub fn is_empty(&self) -> bool {
        match self.blocks.as_slice() {
            [] => true,
            [Block::Paragraph { align: None, content }] => content.is_empty(),
            _ => false,
        }
    }

    /// A line for each block that has words, those in tables among them.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for block in &self.blocks {
            block.push_lines(&mut lines);
        }
        lines
    }
}

impl Block {
    fn to_json(&self) -> Value {
        let blocks = |blocks: &[Self]| blocks.iter().map(Self::to_json).collect::<Value>();
        match self {
            Self::Paragraph { align, content } => leaf("paragraph", &[], *align, content),
            Self::Heading { level, align, content } => {
                leaf("heading", &[("level", json!(level))], *align, content)
            }
            Self::Code { language, text } => {
                let mut fields = object([("type", json!("code"))]);
                fields.extend(language.iter().map(|language| ("language".to_owned(), json!(language))));
                if !text.is_empty() {
                    fields.insert("content".to_owned(), json!([{ "text": text }]));
                }
                Value::Object(fields)
            }
            Self::Rule => json!({ "type": "rule" }),
            Self::Quote(content) => json!({ "type": "quote", "content": blocks(content) }),
            Self::List(List { kind, start, numbering, items }) => {
                let mut fields = object([("type", json!("list")), ("kind", json!(kind.name()))]);
                if *start != 1 {
                    fields.insert("start".to_owned(), json!(start));
                }
                fields.extend(numbering.iter().map(|numbering| ("numbering".to_owned(), json!(numbering))));
                let item = |item: &Item| {
                    let mut fields = Map::new();
                    if item.checked {
                        fields.insert("checked".to_owned(), json!(true));
                    }
                    fields.insert("content".to_owned(), blocks(&item.content));
                    Value::Object(fields)
                };
                fields.insert("items".to_owned(), items.iter().map(item).collect());
                Value::Object(fields)
            }
            Self::Table(Table { rows, .. }) => {
                let row = |cells: &Vec<Cell>| json!({ "cells": cells.iter().map(Cell::to_json).collect::<Value>() });
                json!({ "type": "table", "rows": rows.iter().map(row).collect::<Value>() })
            }
        }
    }

    fn push_lines(&self, lines: &mut Vec<String>) {
        let all = |blocks: &[Self], lines: &mut Vec<String>| {
            blocks.iter().for_each(|block| block.push_lines(lines));
        };
        match self {
            Self::Paragraph { content, .. } | Self::Heading { content, .. } => {
                let line: String = content.iter().map(Inline::words).collect();
                lines.extend((!line.is_empty()).then_some(line));
            }
            Self::Code { text, .. } => lines.extend((!text.is_empty()).then(|| text.clone())),
            Self::Rule => {}
            Self::Quote(content) => all(content, lines),
            Self::List(List { items, .. }) => items.iter().for_each(|item| all(&item.content, lines)),
            Self::Table(Table { rows, .. }) => {
                rows.iter().flatten().for_each(|cell| all(&cell.content, lines));
            }
        }
    }
}

impl Inline {
    fn to_json(&self) -> Value {
        let objects = |kind: &str, fields: &[(&'static str, Value)]| {
            let mut object = object([("type", json!(kind))]);
            object.extend(fields.iter().map(|(field, value)| ((*field).to_owned(), value.clone())));
            object
        };
        let mut fields = match &self.piece {
            Piece::Text(text) => object([("text", json!(text))]),
            Piece::Break => objects("break", &[]),
            Piece::Image(fields) => objects("image", fields),
            Piece::Mention(fields) => objects("mention", fields),
        };
        let Marks(marks) = &self.marks;
        if !marks.is_empty() {
            let mark = |(kind, value): &(MarkKind, Value)| (kind.name().to_owned(), value.clone());
            fields.insert("marks".to_owned(), Value::Object(marks.iter().map(mark).collect()));
        }
        Value::Object(fields)
    }

    fn words(&self) -> String {
        match &self.piece {
            Piece::Text(text) => text.clone(),
            Piece::Break => "\n".to_owned(),
            Piece::Image(_) => String::new(),
            Piece::Mention(fields) => spoken(fields),
        }
    }
}

impl Cell {
    fn to_json(&self) -> Value {
        let mut fields = Map::new();
        if self.header {
            fields.insert("header".to_owned(), json!(true));
        }
        if self.columns > 1 {
            fields.insert("columns".to_owned(), json!(self.columns));
        }
        if self.rows > 1 {
            fields.insert("rows".to_owned(), json!(self.rows));
        }
        fields.extend(self.align.iter().map(|align| ("align".to_owned(), json!(align))));
        fields.insert("content".to_owned(), self.content.iter().map(Block::to_json).collect());
        Value::Object(fields)
    }
}

fn leaf(kind: &str, said: &[(&str, Value)], align: Option<Align>, content: &[Inline]) -> Value {
    let mut fields = object([("type", json!(kind))]);
    fields.extend(said.iter().map(|(field, value)| ((*field).to_owned(), value.clone())));
    fields.extend(align.map(|align| ("align".to_owned(), json!(align.name()))));
    if !content.is_empty() {
        fields.insert("content".to_owned(), content.iter().map(Inline::to_json).collect());
    }
    Value::Object(fields)
}

fn object<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    fields.map(|(field, value)| (field.to_owned(), value)).into_iter().collect()
}
