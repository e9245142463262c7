//! A document for people and programs that do not speak Yjs: as text, Markdown and HTML, and as JSON. What it is, a text
//! of ours or of another program or something else, is told from what it says of itself and from what is in it.
//!
//! Works on a copy, on a thread of its own: reading a document that a stranger wrote may recurse deeply or
//! panic, and neither may touch the replica that people are editing.

use std::{
    fmt::Write,
    mem::ManuallyDrop,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use bytes::Bytes;
use serde_json::{Map as JsonMap, Value};
use yrs::{
    Any, ArrayRef, Doc, GetString, Map, MapRef, Out, ReadTxn, TextRef, Transact, Transaction, XmlFragment,
    XmlFragmentRef, XmlOut, types::ToJson,
};

use super::{
    replica::processor_time,
    text::{self, Block, Room, Text, TooLarge},
    work,
};
use crate::protocol::guard::{Limits, Outline, Shape, Update};

/// Stack of the reading thread. Only what is touched is paid for; it is deep enough for every nesting that
/// the guard and the size limits let in.
const STACK: usize = 256 * 1024 * 1024;

/// A document could not be read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unreadable {
    /// Nobody can.
    #[error("the document could not be read: {0}")]
    Document(String),
    /// This server cannot at the moment.
    #[error("the server could not read the document: {0}")]
    Server(String),
}

/// What was read, and the processor's time it took.
pub type Reading<T> = (Result<T, Unreadable>, Duration);

/// The text of all root types, in the order of their names: Y.Text as it is, a text of ours and XML with a line per
/// block. Maps and arrays have no text.
pub async fn to_text(state: Bytes) -> Reading<String> {
    read(state, |roots, txn| Ok(all_text(&roots.all, txn))).await
}

fn all_text(roots: &[(String, Root)], txn: &Transaction<'_>) -> String {
    let mut text = String::new();
    for (_, root) in roots {
        match root {
            Root::Rich(rich) => rich.lines().iter().for_each(|line| push_block(&mut text, line)),
            Root::Text(root) => push_block(&mut text, &plain(root, txn)),
            Root::Xml(root) => xml_text(root, txn, &mut text),
            Root::Map(_) | Root::Array(_) => {}
        }
    }
    text
}

/// As Markdown: a text of ours or of Tiptap with all that Markdown can say, anything else as its text.
pub async fn to_markdown(state: Bytes) -> Reading<String> {
    read(state, |roots, txn| match rich(&roots, txn)? {
        Some(text) => text.to_markdown(&roots.room),
        None => Ok(all_text(&roots.all, txn)),
    })
    .await
}

/// As a page of HTML, in which nothing runs.
pub async fn to_html(state: Bytes) -> Reading<String> {
    read(state, |roots, txn| {
        let title = roots.all.iter().find_map(|(name, root)| match root {
            Root::Map(map) if name == "meta" => string(map, txn, "title"),
            _ => None,
        });
        let text = rich(&roots, txn)?.unwrap_or_else(|| {
            let text = all_text(&roots.all, txn);
            Text { blocks: vec![Block::Code { language: None, text }] }
        });
        Ok(text.to_html(title.unwrap_or_default().trim()))
    })
    .await
}

/// The text of a document that is one, whoever wrote it.
fn rich(roots: &Roots, txn: &Transaction<'_>) -> Result<Option<Text>, TooLarge> {
    let found = roots.all.iter().find_map(|(_, root)| match root {
        Root::Rich(text) => Some(text.clone()),
        _ => None,
    });
    if found.is_some() || !roots.reads_pieces {
        return Ok(found);
    }
    let tree = roots.all.iter().find_map(|(name, root)| match root {
        Root::Xml(fragment) if name == text::FRAGMENT => Some(fragment),
        _ => None,
    });
    tree.map(|tree| text::read_old(tree, txn, &roots.room)).transpose()
}

/// The text of one root, as [`to_text`] gives it; empty if it has none.
pub async fn root_to_text(state: Bytes, name: String) -> Result<String, Unreadable> {
    read(state, move |roots, txn| {
        let mut text = String::new();
        match roots.all.into_iter().find(|(root, _)| *root == name) {
            Some((_, Root::Text(root))) => text = plain(&root, txn),
            Some((_, Root::Xml(root))) => xml_text(&root, txn, &mut text),
            Some((_, Root::Rich(rich))) => text = rich.lines().join("\n"),
            Some((_, Root::Map(_) | Root::Array(_))) | None => {}
        }
        Ok(text)
    })
    .await
    .0
}

/// The root types by name, as `Y.Doc.toJSON` gives them, as JSON text: text as strings, XML as its markup, and a text of
/// ours as its blocks ([`Text::to_json`]). A root in which nothing is left is not there.
///
/// As text, because a value may be nested deeper than the stack of whoever would walk over it or drop it.
pub async fn to_json(state: Bytes) -> Reading<String> {
    read(state, |roots, txn| {
        let json = roots.all.into_iter().map(|(name, root)| {
            let value = match root {
                Root::Rich(text) => text.to_json(),
                Root::Text(root) => Value::String(plain(&root, txn)),
                Root::Xml(root) => Value::String(root.get_string(txn)),
                Root::Map(root) => text::json(&root.to_json(txn)),
                Root::Array(root) => text::json(&root.to_json(txn)),
            };
            (name, value)
        });
        Ok(Value::Object(json.collect::<JsonMap<_, _>>()).to_string())
    })
    .await
}

/// A state as bytes, of which it does not matter what they mean.
pub async fn of_bytes(
    state: Bytes,
    reader: impl FnOnce(&[u8]) -> std::io::Result<Vec<u8>> + Send + 'static,
) -> Reading<Vec<u8>> {
    apart(move || reader(&state).map_err(|error| error.to_string())).await
}

async fn read<T: Send + 'static>(
    state: Bytes,
    reader: impl FnOnce(Roots, &Transaction<'_>) -> Result<T, TooLarge> + Send + 'static,
) -> Reading<T> {
    apart(move || {
        let (doc, roots) = open(state)?;
        let txn = doc.transact();
        reader(roots, &txn).map_err(|error| error.to_string())
    })
    .await
}

async fn apart<T: Send + 'static>(
    reading: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Reading<T> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let thread =
        std::thread::Builder::new().name("weft-export".to_owned()).stack_size(STACK).spawn(move || {
            work::stand_back();
            let result = catch_unwind(AssertUnwindSafe(reading));
            let result = result.unwrap_or_else(|_| Err("it holds values that contradict each other".into()));
            let _ = sender.send((result.map_err(Unreadable::Document), processor_time()));
        });
    let failed = |what: String| (Err(Unreadable::Server(what)), Duration::ZERO);
    match thread {
        Ok(_) => receiver.await.unwrap_or_else(|_| failed("the reading thread ended".to_owned())),
        Err(error) => failed(error.to_string()),
    }
}

/// A copy of the document, and its roots as they are to be read.
fn open(state: Bytes) -> Result<(Doc, Roots), String> {
    let limits = whole_document();
    let room = Room::of(state.len());
    let update = Update::check(state, &limits).map_err(|refusal| refusal.to_string())?;
    // Asked first, because there are documents that yrs would read for ever.
    let outline = update.outline(&limits).map_err(|refusal| refusal.to_string())?;
    if !outline.is_readable && outline.roots.values().any(|shape| *shape != Shape::Text) {
        return Err("it holds text where only values can be read".to_owned());
    }
    let doc = Doc::new();
    // Never dropped after a panic: that would commit what is broken, and panic again.
    let mut txn = ManuallyDrop::new(doc.transact_mut());
    let decoded = update.decode_to_read().map_err(|refusal| refusal.to_string())?;
    txn.apply_update(decoded).map_err(|error| error.to_string())?;
    drop(ManuallyDrop::into_inner(txn));
    let is_map = |name: &str| outline.is_readable && outline.roots.get(name) == Some(&Shape::Map);
    let is_converted = is_map(text::CONVERTED) && is_converted(&doc);
    let reads_pieces = update.formats().are_few();
    let rich = if reads_pieces { rich_text(&doc, &outline, is_converted, &room)? } else { None };
    // The parts of a text are one, and the tree it was made from says nothing any more.
    let is_told = |(name, _): &(String, Shape)| {
        rich.is_none()
            || !(text::is_part(name)
                || (is_converted && [text::FRAGMENT, text::CONVERTED].contains(&name.as_str())))
    };
    let root = |(name, shape): (String, Shape)| {
        let root = match shape {
            Shape::Text => Root::Text(doc.get_or_insert_text(name.as_str())),
            Shape::Xml => Root::Xml(doc.get_or_insert_xml_fragment(name.as_str())),
            Shape::Map => Root::Map(doc.get_or_insert_map(name.as_str())),
            Shape::Array => Root::Array(doc.get_or_insert_array(name.as_str())),
        };
        (name, root)
    };
    let mut roots: Vec<_> = outline.roots.into_iter().filter(is_told).map(root).collect();
    if let Some(rich) = rich.filter(|rich| !rich.is_empty()) {
        let at = roots.partition_point(|(name, _)| name.as_str() < text::BODY);
        roots.insert(at, (text::BODY.to_owned(), Root::Rich(rich)));
    }
    Ok((doc, Roots { all: roots, reads_pieces, room }))
}

/// The text of a document that says it is one, or that has one in it. Another program may call any text `body`.
fn rich_text(doc: &Doc, outline: &Outline, is_converted: bool, room: &Room) -> Result<Option<Text>, String> {
    let has_body = matches!(outline.roots.get(text::BODY), Some(Shape::Text | Shape::Array));
    if !outline.is_readable || !(has_body || is_converted) {
        return Ok(None);
    }
    let is_told = outline.roots.get("meta") == Some(&Shape::Map);
    let meta = is_told.then(|| doc.get_or_insert_map("meta"));
    let parts: Vec<&str> =
        outline.roots.keys().map(String::as_str).filter(|name| text::is_part(name)).collect();
    for part in &parts {
        doc.get_or_insert_text(*part);
    }
    let txn = doc.transact();
    let says = meta.and_then(|meta| text::says_it_is_one(&meta, &txn));
    let is_text = is_converted || says.unwrap_or_else(|| text::has_boundaries(&txn));
    if !is_text {
        return Ok(None);
    }
    text::read(&txn, parts.into_iter(), room).map(Some).map_err(|error| error.to_string())
}

fn is_converted(doc: &Doc) -> bool {
    let converted = doc.get_or_insert_map(text::CONVERTED);
    converted.len(&doc.transact()) > 0
}

fn string(map: &MapRef, txn: &impl ReadTxn, key: &str) -> Option<String> {
    match map.get(txn, key) {
        Some(Out::Any(Any::String(value))) => Some(value.to_string()),
        _ => None,
    }
}

/// A document may be larger than any message that made it; and deeper, if an update of the greatest depth was hung below
/// what was deep already.
fn whole_document() -> Limits {
    let all = usize::MAX;
    let (clients, structs, delete_ranges, values) = (all, all, all, all);
    let type_depth = 2 * Limits::default().type_depth;
    Limits { update_bytes: all, clients, structs, delete_ranges, values, type_depth, ..Limits::default() }
}

/// The roots of a document by name.
struct Roots {
    all: Vec<(String, Root)>,
    /// Whether texts may be read piece by piece ([`crate::protocol::guard::Formats`]).
    reads_pieces: bool,
    /// What may be read of a text.
    room: Room,
}

/// A root type. Its kind is not part of the document: clients agree on it by the way they use it, so it is
/// told from the content.
enum Root {
    /// A text of ours, with all its parts.
    Rich(Text),
    Text(TextRef),
    Xml(XmlFragmentRef),
    Map(MapRef),
    Array(ArrayRef),
}

/// The characters of a text, without formatting and embeds.
fn plain(text: &TextRef, txn: &Transaction<'_>) -> String {
    text.get_string(txn)
}

fn xml_text(parent: &impl XmlFragment, txn: &Transaction<'_>, text: &mut String) {
    let mut line = String::new();
    for child in parent.children(txn) {
        match child {
            XmlOut::Text(child) => line.push_str(&plain(child.as_ref(), txn)),
            XmlOut::Element(child) => {
                push_block(text, &std::mem::take(&mut line));
                xml_text(&child, txn, text);
            }
            XmlOut::Fragment(child) => {
                push_block(text, &std::mem::take(&mut line));
                xml_text(&child, txn, text);
            }
        }
    }
    push_block(text, &line);
}

fn push_block(text: &mut String, block: &str) {
    if !block.is_empty() {
        let separator = if text.is_empty() { "" } else { "\n" };
        // Writing to a String cannot fail.
        let _ = write!(text, "{separator}{block}");
    }
}

#[cfg(test)]
mod tests;
