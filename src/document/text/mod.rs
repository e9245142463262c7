//! Texts: what the app and other programs write together (docs/text.md). One `Y.Text`, the root `body`, holds
//! characters, objects among them, and boundaries where blocks begin; the words of a table's cell are a root of their own.
//!
//! `model` has the names that every program agrees on, `room` bounds what is read, `sequence` is a root as lines, `fold` where
//! each block stands, `table` what rows and columns make of the cells, and `reading` puts them together to [`Text`], whatever
//! the sequences hold. From there it goes on as JSON and lines (`blocks`), as HTML and as Markdown. `old` reads the tree that earlier
//! versions wrote, `conversion` is the change that makes one of today's texts of it (`writing`), `carrying` takes over what is
//! written into the tree afterwards, and `doubles` makes one of two that were made of it.

mod blocks;
mod carrying;
mod conversion;
mod doubles;
mod fold;
mod html;
mod markdown;
mod model;
mod old;
mod reading;
mod room;
mod sequence;
mod table;
mod writing;

use yrs::{
    Any, GetString as _, Map, MapRef, Out, ReadTxn, Text as _, TextRef, XmlFragmentRef, types::text::YChange,
};

use model::{EmbedKind, ObjectKind};

pub use blocks::{Block, Cell, Inline, Item, List, Piece, Table, Text};
pub use conversion::{CONVERTED, Carrying, Conversion, Copied, copies};
pub use doubles::{TakenOut, take_out};
pub use model::{Align, BODY, ListKind, MarkKind, Marks, is_part, json};
pub use old::FRAGMENT;
pub use room::{Room, TooLarge};

/// Reads the text of a document that has these roots.
pub fn read<'a>(
    txn: &impl ReadTxn,
    roots: impl Iterator<Item = &'a str>,
    room: &Room,
) -> Result<Text, TooLarge> {
    reading::Sequences::of(txn, roots, room)?.read(room)
}

/// Whether a document says in its root map `meta` that it is a text of this app: of that kind, or with a title and of no other.
/// `None` if it says nothing.
pub fn says_it_is_one(meta: &MapRef, txn: &impl ReadTxn) -> Option<bool> {
    let said = |key| match meta.get(txn, key) {
        Some(Out::Any(Any::String(said))) => Some(said),
        _ => None,
    };
    match said("kind") {
        Some(kind) => Some(*kind == *"text"),
        None => (said("title").is_some() || said("titleTaken").is_some()).then_some(true),
    }
}

/// Whether the root `body` holds what only a text of ours holds: a boundary of a type we know.
pub fn has_boundaries(txn: &impl ReadTxn) -> bool {
    let Some(text) = txn.get_text(BODY) else { return false };
    let pieces = text.diff(txn, YChange::identity);
    pieces.iter().any(|piece| {
        let kind = kind_of(&piece.insert, txn);
        kind.as_deref().and_then(model::BlockType::read).is_some()
    })
}

/// The `type` of an embed, if it says one.
fn kind_of(embed: &Out, txn: &impl ReadTxn) -> Option<std::sync::Arc<str>> {
    string_of(embed, txn, "type")
}

/// A field of an embed that is a string. Nothing else of it is looked at: whatever it is, that ends.
fn string_of(embed: &Out, txn: &impl ReadTxn, field: &str) -> Option<std::sync::Arc<str>> {
    let value = match embed {
        Out::YMap(map) => map.get(txn, field),
        Out::Any(Any::Map(fields)) => fields.get(field).cloned().map(Out::Any),
        _ => None,
    };
    if let Some(Out::Any(Any::String(value))) = value { Some(value) } else { None }
}

/// The cells in which something stands although nothing in the text, seen or not, names their table.
pub fn dead_cells(txn: &impl ReadTxn) -> Vec<TextRef> {
    let roots = txn
        .root_refs()
        .filter_map(|(root, _)| Some((model::cell_place(root)?[0].to_owned(), root.to_owned())));
    let roots: Vec<(String, String)> = roots.collect();
    if roots.is_empty() {
        return Vec::new();
    }
    let Some(body) = txn.get_text(BODY) else { return Vec::new() };
    let pieces = body.diff(txn, YChange::identity);
    let named: std::collections::HashSet<_> =
        pieces.iter().filter_map(|piece| string_of(&piece.insert, txn, "id")).collect();
    let dead = roots.into_iter().filter(|(table, _)| !named.contains(table.as_str()));
    let cells = dead.filter_map(|(_, root)| txn.get_text(root.as_str()));
    cells.filter(|cell| cell.len(txn) > 0 && is_text(cell, txn)).collect()
}

/// Whether all there is of a root is characters and objects. What else there may be, values of a list, has a length too and
/// cannot be taken away as text.
fn is_text(root: &TextRef, txn: &impl ReadTxn) -> bool {
    let objects = root.diff(txn, YChange::identity).into_iter();
    let objects = objects.filter(|piece| !matches!(piece.insert, Out::Any(Any::String(_)))).count();
    let characters = super::plain_text::units(&root.get_string(txn)) as usize;
    characters + objects == root.len(txn) as usize
}

/// The character that stands for an object among the characters of a text, for those who edit it by characters: a line end
/// for what ends a line, U+FFFC for what stands in one. `None` for what must not go with the words around it, a table, and
/// for what nobody knows.
pub fn stand_in(object: &Out, txn: &impl ReadTxn) -> Option<char> {
    if !matches!(object, Out::YMap(_) | Out::Any(Any::Map(_))) {
        return None;
    }
    let kind = kind_of(object, txn);
    match EmbedKind::of(kind.as_deref(), matches!(object, Out::YMap(_))) {
        EmbedKind::Boundary if kind.as_deref() == Some("table") => None,
        EmbedKind::Boundary | EmbedKind::Object(ObjectKind::Break) => Some('\n'),
        EmbedKind::Object(_) => Some('\u{fffc}'),
        EmbedKind::Unknown => None,
    }
}

/// The first line with anything but blanks in it, in one line and no longer than a title in a list; what is said of a
/// mention among it. Words in tables do not count.
pub fn first_line(body: &TextRef, txn: &impl ReadTxn) -> Option<String> {
    const LONGEST: usize = 80;
    /// Blocks without a word that are looked through.
    const EMPTY: usize = 10_000;
    let mut empty = 0;
    let mut line = String::new();
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let first = |line: &str| line.split('\n').map(words).find(|words| !words.is_empty());
    for piece in body.diff(txn, YChange::identity) {
        if let Out::Any(Any::String(words)) = &piece.insert {
            line.push_str(words);
            continue;
        }
        let kind = kind_of(&piece.insert, txn);
        match EmbedKind::of(kind.as_deref(), matches!(piece.insert, Out::YMap(_))) {
            EmbedKind::Boundary if first(&line).is_some() || empty == EMPTY => break,
            EmbedKind::Boundary => {
                line.clear();
                empty += 1;
            }
            EmbedKind::Object(ObjectKind::Break) => line.push('\n'),
            EmbedKind::Object(ObjectKind::Mention) => {
                let said = |field| string_of(&piece.insert, txn, field).filter(|said| !said.is_empty());
                line.push('@');
                line.push_str(&said("label").or_else(|| said("id")).unwrap_or_default());
            }
            EmbedKind::Object(ObjectKind::Image) | EmbedKind::Unknown => {}
        }
    }
    let line = first(&line)?;
    Some(match line.char_indices().nth(LONGEST) {
        None => line,
        Some((end, _)) => {
            let head = &line[..end];
            // Between words, if that does not leave too little.
            let space = head.rfind(' ').filter(|space| *space > end / 2);
            format!("{}…", &head[..space.unwrap_or(end)])
        }
    })
}

/// Reads a text of earlier versions of the app, or of other programs with Tiptap.
pub fn read_old(root: &XmlFragmentRef, txn: &impl ReadTxn, room: &Room) -> Result<Text, TooLarge> {
    old::read(root, txn, room)
}

impl Text {
    /// The change that writes it into a document that has no text yet.
    pub fn conversion(&self) -> Conversion {
        conversion::conversion(self)
    }
}

#[cfg(test)]
mod tests;
