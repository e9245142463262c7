//! What items hold, by the numbers that stand for it in the bytes, and which of it yrs is not given as it is
//! (`stand_ins.rs`).

use std::collections::HashMap;

use yrs::Any;

use crate::protocol::wire::Reader;

pub(super) const ARRAY: u8 = 0;
pub(super) const MAP: u8 = 1;
pub(super) const TEXT: u8 = 2;
pub(super) const XML_ELEMENT: u8 = 3;
pub(super) const XML_FRAGMENT: u8 = 4;
pub(super) const XML_HOOK: u8 = 5;
pub(super) const XML_TEXT: u8 = 6;

/// Contents that are looked at more closely than others.
pub(super) const JSON: u8 = 2;
pub(super) const BINARY: u8 = 3;
pub(super) const FORMAT: u8 = 6;
pub(super) const TYPE: u8 = 7;
pub(super) const ANY: u8 = 8;
pub(super) const DOCUMENT: u8 = 9;

/// How stand-ins begin. Nothing else is likely to, and if it does it only costs a little.
pub(super) const MARK: &str = "\u{0}weft's stand-in\u{0}";

/// Whether content of this number, which has passed, is not given to yrs as it is, or did not come from it as it is.
pub(super) fn needs_stand_in(number: u8, content: &[u8]) -> bool {
    match (number, content) {
        (DOCUMENT | JSON, _) | (TYPE, [XML_HOOK, ..]) => true,
        (BINARY, buffer) | (TYPE, [XML_ELEMENT, buffer @ ..]) => {
            Reader::new(buffer).buffer(usize::MAX).is_ok_and(|bytes| bytes.starts_with(MARK.as_bytes()))
        }
        _ => false,
    }
}

/// A value of JSON contents as Yjs reads it; nothing if it does not parse.
pub(super) fn value(json: &str) -> Option<Any> {
    // So Yjs writes what JSON has no word for.
    if json == "undefined" { Some(Any::Undefined) } else { serde_json::from_str(json).ok().map(in_any) }
}

fn in_any(json: serde_json::Value) -> Any {
    match json {
        serde_json::Value::Null => Any::Null,
        serde_json::Value::Bool(value) => Any::from(value),
        // As JavaScript has them, so that whoever reads gets a number and not a bigint.
        serde_json::Value::Number(number) => Any::from(number.as_f64().unwrap_or(f64::NAN)),
        serde_json::Value::String(text) => Any::from(text),
        serde_json::Value::Array(values) => values.into_iter().map(in_any).collect::<Vec<_>>().into(),
        serde_json::Value::Object(entries) => {
            entries.into_iter().map(|(key, value)| (key, in_any(value))).collect::<HashMap<_, _>>().into()
        }
    }
}
