//! A document for people and programs that do not speak Yjs: as text, and as JSON.
//!
//! Works on a copy, on a thread of its own: reading a document that a stranger wrote may recurse deeply or
//! panic, and neither may touch the replica that people are editing.

use std::{
    fmt::Write,
    panic::{AssertUnwindSafe, catch_unwind},
};

use bytes::Bytes;
use serde_json::{Map as JsonMap, Value};
use yrs::{
    Any, Array, ArrayRef, Doc, GetString, In, MapRef, Number, Out, ReadTxn, Text, TextRef, Transact,
    Transaction, Update, XmlFragment, XmlFragmentRef, XmlOut,
    types::{AsPrelim, ToJson, text::YChange},
    updates::decoder::Decode,
};

/// Stack of the reading thread. Only what is touched is paid for; it is deep enough for every nesting that
/// the guard and the size limits let in.
const STACK: usize = 256 * 1024 * 1024;

/// A document could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the document could not be read: {0}")]
pub struct Unreadable(String);

/// The text of all root types, in the order of their names: Y.Text as it is, XML as its text with a line per
/// block. Maps and arrays have no text.
pub async fn to_text(state: Bytes) -> Result<String, Unreadable> {
    read(state, |txn| {
        let mut text = String::new();
        for (_, root) in roots(txn) {
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

/// The root types by name, as `Y.Doc.toJSON` gives them, as JSON text: text as strings, XML as its markup.
///
/// As text, because a value may be nested deeper than the stack of whoever would walk over it or drop it.
pub async fn to_json(state: Bytes) -> Result<String, Unreadable> {
    read(state, |txn| {
        let json = roots(txn).into_iter().map(|(name, root)| {
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
    reader: impl FnOnce(&Transaction<'_>) -> T + Send + 'static,
) -> Result<T, Unreadable> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::Builder::new()
        .name("weft-export".to_owned())
        .stack_size(STACK)
        .spawn(move || {
            let result = catch_unwind(AssertUnwindSafe(|| {
                let doc = Doc::new();
                let update = Update::decode_v1(&state).map_err(|error| error.to_string())?;
                doc.transact_mut().apply_update(update).map_err(|error| error.to_string())?;
                let txn = doc.transact();
                Ok(reader(&txn))
            }));
            let result = result.unwrap_or_else(|_| Err("it holds values that contradict each other".into()));
            let _ = sender.send(result.map_err(Unreadable));
        })
        .map_err(|error| Unreadable(error.to_string()))?;
    receiver.await.map_err(|_| Unreadable("the reading thread ended".to_owned()))?
}

/// A root type. Its kind is not part of the document: clients agree on it by the way they use it, so it is
/// inferred from the content.
enum Root {
    Text(TextRef),
    Xml(XmlFragmentRef),
    Map(MapRef),
    Array(ArrayRef),
}

fn roots(txn: &Transaction<'_>) -> Vec<(String, Root)> {
    let mut roots: Vec<_> = txn
        .root_refs()
        .map(|(name, out)| {
            let root = match out {
                Out::YText(text) => Root::Text(text),
                Out::YMap(map) => Root::Map(map),
                Out::YArray(array) => Root::Array(array),
                Out::YXmlFragment(xml) => Root::Xml(xml),
                Out::UndefinedRef(branch) => match Out::UndefinedRef(branch).as_prelim(txn) {
                    In::Text(_) | In::XmlText(_) => Root::Text(TextRef::from(branch)),
                    In::Array(_) if holds_xml(&ArrayRef::from(branch), txn) => {
                        Root::Xml(XmlFragmentRef::from(branch))
                    }
                    In::Array(_) => Root::Array(ArrayRef::from(branch)),
                    In::XmlElement(_) => Root::Xml(XmlFragmentRef::from(branch)),
                    _ => Root::Map(MapRef::from(branch)),
                },
                _ => return None,
            };
            Some((name.to_owned(), root))
        })
        .collect::<Option<Vec<_>>>()
        .unwrap_or_default();
    roots.sort_by(|(left, _), (right, _)| left.cmp(right));
    roots
}

fn holds_xml(array: &ArrayRef, txn: &Transaction<'_>) -> bool {
    matches!(array.iter(txn).next(), Some(Out::YXmlElement(_) | Out::YXmlText(_)))
}

/// The characters of a text, without formatting and embeds.
fn plain(text: &TextRef, txn: &Transaction<'_>) -> String {
    let chunks = text.diff(txn, YChange::identity);
    chunks.into_iter().filter_map(|chunk| chunk.insert.cast::<String>().ok()).collect()
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
        // A whole number stays one; JavaScript knows no other difference.
        Any::Number(Number::Float(value)) if value.fract() == 0.0 && value.abs() < 9e15 => {
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
