//! A document for people and programs that do not speak Yjs: as text, and as JSON.
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
    Any, ArrayRef, Doc, GetString, MapRef, Number, TextRef, Transact, Transaction, XmlFragment,
    XmlFragmentRef, XmlOut, types::ToJson,
};

use super::{replica::processor_time, work};
use crate::protocol::guard::{Limits, Shape, Update};

/// Stack of the reading thread. Only what is touched is paid for; it is deep enough for every nesting that
/// the guard and the size limits let in.
const STACK: usize = 256 * 1024 * 1024;

/// A document could not be read.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the document could not be read: {0}")]
pub struct Unreadable(String);

/// What was read, and the processor's time it took.
pub type Reading<T> = (Result<T, Unreadable>, Duration);

/// The text of all root types, in the order of their names: Y.Text as it is, XML as its text with a line per
/// block. Maps and arrays have no text.
pub async fn to_text(state: Bytes) -> Reading<String> {
    read(state, |roots, txn| {
        let mut text = String::new();
        for (_, root) in roots {
            match root {
                Root::Text(root) => push_block(&mut text, &plain(&root, txn)),
                Root::Xml(root) => xml_text(&root, txn, &mut text),
                Root::Map(_) | Root::Array(_) => {}
            }
        }
        text
    })
    .await
}

/// The text of one root, as [`to_text`] gives it; empty if it has none.
pub async fn root_to_text(state: Bytes, name: String) -> Result<String, Unreadable> {
    read(state, move |roots, txn| {
        let mut text = String::new();
        match roots.into_iter().find(|(root, _)| *root == name) {
            Some((_, Root::Text(root))) => text = plain(&root, txn),
            Some((_, Root::Xml(root))) => xml_text(&root, txn, &mut text),
            Some((_, Root::Map(_) | Root::Array(_))) | None => {}
        }
        text
    })
    .await
    .0
}

/// The root types by name, as `Y.Doc.toJSON` gives them, as JSON text: text as strings, XML as its markup. A
/// root in which nothing is left is not there.
///
/// As text, because a value may be nested deeper than the stack of whoever would walk over it or drop it.
pub async fn to_json(state: Bytes) -> Reading<String> {
    read(state, |roots, txn| {
        let json = roots.into_iter().map(|(name, root)| {
            let value = match root {
                Root::Text(root) => Value::String(plain(&root, txn)),
                Root::Xml(root) => Value::String(root.get_string(txn)),
                Root::Map(root) => json(root.to_json(txn)),
                Root::Array(root) => json(root.to_json(txn)),
            };
            (name, value)
        });
        Value::Object(json.collect::<JsonMap<_, _>>()).to_string()
    })
    .await
}

async fn read<T: Send + 'static>(
    state: Bytes,
    reader: impl FnOnce(Vec<(String, Root)>, &Transaction<'_>) -> T + Send + 'static,
) -> Reading<T> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let thread =
        std::thread::Builder::new().name("weft-export".to_owned()).stack_size(STACK).spawn(move || {
            work::stand_back();
            let result = catch_unwind(AssertUnwindSafe(|| {
                let (doc, roots) = open(state)?;
                let txn = doc.transact();
                Ok(reader(roots, &txn))
            }));
            let result = result.unwrap_or_else(|_| Err("it holds values that contradict each other".into()));
            let _ = sender.send((result.map_err(Unreadable), processor_time()));
        });
    let failed = |what: String| (Err(Unreadable(what)), Duration::ZERO);
    match thread {
        Ok(_) => receiver.await.unwrap_or_else(|_| failed("the reading thread ended".to_owned())),
        Err(error) => failed(error.to_string()),
    }
}

/// A copy of the document, and its roots as they are to be read.
fn open(state: Bytes) -> Result<(Doc, Vec<(String, Root)>), String> {
    let limits = whole_document();
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
    let root = |(name, shape): (String, Shape)| {
        let root = match shape {
            Shape::Text => Root::Text(doc.get_or_insert_text(name.as_str())),
            Shape::Xml => Root::Xml(doc.get_or_insert_xml_fragment(name.as_str())),
            Shape::Map => Root::Map(doc.get_or_insert_map(name.as_str())),
            Shape::Array => Root::Array(doc.get_or_insert_array(name.as_str())),
        };
        (name, root)
    };
    let roots = outline.roots.into_iter().map(root).collect();
    Ok((doc, roots))
}

/// A document may be larger than any message that made it; and deeper, if an update of the greatest depth was hung below
/// what was deep already.
fn whole_document() -> Limits {
    let all = usize::MAX;
    let (clients, structs, delete_ranges, values) = (all, all, all, all);
    let type_depth = 2 * Limits::default().type_depth;
    Limits { update_bytes: all, clients, structs, delete_ranges, values, type_depth, ..Limits::default() }
}

/// A root type. Its kind is not part of the document: clients agree on it by the way they use it, so it is
/// told from the content.
enum Root {
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

fn json(any: Any) -> Value {
    match any {
        Any::Null | Any::Undefined => Value::Null,
        Any::Bool(value) => Value::Bool(value),
        Any::Number(Number::Int(value)) => Value::from(value),
        // A whole number stays one; JavaScript knows no other difference, up to 2^53.
        Any::Number(Number::Float(value))
            if value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0 =>
        {
            Value::from(value as i64)
        }
        Any::Number(Number::Float(value)) => {
            serde_json::Number::from_f64(value).map_or(Value::Null, Value::Number)
        }
        Any::String(value) => Value::String(value.to_string()),
        Any::Buffer(bytes) => Value::from(bytes.to_vec()),
        Any::Array(values) => values.iter().cloned().map(json).collect(),
        Any::Map(entries) => {
            Value::Object(entries.iter().map(|(key, value)| (key.clone(), json(value.clone()))).collect())
        }
    }
}

#[cfg(test)]
mod tests;
