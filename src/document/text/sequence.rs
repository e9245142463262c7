//! The sequence of one root as lines: a boundary with what stands behind it.

use yrs::{Any, Out, ReadTxn, Text, TextRef, types::text::YChange};

use super::{
    model::{EmbedKind, Fields, Marks, ObjectKind},
    room::{Room, TooLarge},
};

/// What stands between two boundaries, in pieces.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Run {
    Text(String, Marks),
    Object(ObjectKind, Fields, Marks),
    /// Takes a place in the sequence and shows nothing.
    Hidden,
}

impl Run {
    /// Whether there is anything to be seen.
    pub(super) fn is_seen(&self) -> bool {
        !matches!(self, Self::Hidden)
    }
}

/// A boundary with what stands behind it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Line {
    /// The boundary's fields; `None` for what stands before the first boundary.
    pub boundary: Option<Fields>,
    pub runs: Vec<Run>,
}

impl Line {
    /// Whether there is anything one would miss in it: an empty line is not.
    pub(super) fn has_words(&self) -> bool {
        self.runs.iter().any(Run::is_seen)
    }
}

pub(super) fn lines_of(text: &TextRef, txn: &impl ReadTxn, room: &Room) -> Result<Vec<Line>, TooLarge> {
    let mut lines = Lines::default();
    for piece in text.diff(txn, YChange::identity) {
        lines.add(piece.insert, Marks::of(piece.attributes.as_deref(), room)?, txn);
    }
    Ok(lines.done)
}

#[derive(Default)]
struct Lines {
    done: Vec<Line>,
}

impl Lines {
    fn add(&mut self, insert: Out, marks: Marks, txn: &impl ReadTxn) {
        let (fields, is_map) = match insert {
            Out::Any(Any::String(text)) => {
                if !text.is_empty() {
                    self.run(Run::Text(text.to_string(), marks));
                }
                return;
            }
            Out::YMap(map) => (Fields::of_map(&map, txn), true),
            Out::Any(value) => (Fields::of(&value), false),
            _ => (Fields::default(), false),
        };
        match EmbedKind::of(fields.text("type"), is_map) {
            EmbedKind::Boundary => self.done.push(Line { boundary: Some(fields), runs: Vec::new() }),
            EmbedKind::Object(kind) => self.run(Run::Object(kind, fields, marks)),
            EmbedKind::Unknown => self.run(Run::Hidden),
        }
    }

    fn run(&mut self, run: Run) {
        if self.done.is_empty() {
            self.done.push(Line::default());
        }
        if let Some(line) = self.done.last_mut() {
            line.runs.push(run);
        }
    }
}
