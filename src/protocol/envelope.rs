//! The shape of every JSON message: `{"type": …, "payload": …}`. Pure.
//!
//! What is wrong with a message is told in a code for programs and a sentence for people; a message that is
//! not understood costs its sender an answer and not the connection.

use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

/// A message that has been opened: what kind it is, and what it holds.
#[derive(Debug)]
pub struct Envelope<'a> {
    /// What kind of message.
    pub kind: String,
    /// What it holds, unread.
    pub payload: Option<&'a RawValue>,
}

/// What is wrong with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// For programs; one of a fixed set.
    pub code: &'static str,
    /// For people.
    pub message: String,
}

impl Fault {
    /// A fault of this code.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// A kind of message that the dialect does not have; `known` are those it has.
    pub fn unknown_type(kind: &str, known: &[&str]) -> Self {
        // At most a few words of what somebody else wrote.
        let kind: String = kind.chars().take(32).collect();
        Self::new("unknown_type", format!("there is no type {kind:?}; there are {}", known.join(", ")))
    }
}

/// Opens a message.
pub fn open(text: &[u8]) -> Result<Envelope<'_>, Fault> {
    #[derive(Deserialize)]
    #[serde(expecting = "an object")]
    struct Outer<'a> {
        #[serde(rename = "type")]
        kind: Option<String>,
        #[serde(borrow)]
        payload: Option<&'a RawValue>,
    }
    const SHAPE: &str = "a message is an object with type and payload";
    // In two steps, so that broken JSON and JSON of another shape are told apart.
    let value: &RawValue = serde_json::from_slice(text)
        .map_err(|error| Fault::new("invalid_json", format!("this is not JSON: {error}")))?;
    let Outer { kind, payload } = serde_json::from_str(value.get())
        .map_err(|error| Fault::new("invalid_message", format!("{SHAPE}: {error}")))?;
    if !is_object(value) {
        return Err(Fault::new("invalid_message", SHAPE));
    }
    let kind = kind.ok_or_else(|| Fault::new("missing_type", "the message has no type"))?;
    Ok(Envelope { kind, payload: payload.filter(|payload| payload.get() != "null") })
}

impl Envelope<'_> {
    /// What the message holds.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        let kind = &self.kind;
        let payload = self
            .payload
            .ok_or_else(|| Fault::new("missing_payload", format!("{kind} messages have a payload")))?;
        if !is_object(payload) {
            return Err(Fault::new("invalid_payload", format!("the payload of {kind} is an object")));
        }
        serde_json::from_str(payload.get())
            .map_err(|error| Fault::new("invalid_payload", format!("the payload of {kind}: {error}")))
    }
}

/// serde takes an array of the fields for an object.
fn is_object(json: &RawValue) -> bool {
    json.get().starts_with('{')
}

/// A message, ready to be sent.
pub fn seal(kind: &'static str, payload: &impl Serialize) -> Bytes {
    #[derive(Serialize)]
    struct Outer<'a, T> {
        #[serde(rename = "type")]
        kind: &'static str,
        payload: &'a T,
    }
    // Cannot fail for what we send: structs of strings and numbers.
    serde_json::to_vec(&Outer { kind, payload }).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_named() {
        for (text, code) in [
            ("", "invalid_json"),
            ("{", "invalid_json"),
            ("{\"type\":\"a\",\"payload\":{}} x", "invalid_json"),
            ("\u{0}", "invalid_json"),
            ("[]", "invalid_message"),
            ("1", "invalid_message"),
            ("{\"type\":7,\"payload\":{}}", "invalid_message"),
            ("{\"payload\":{}}", "missing_type"),
            ("[\"a\",{}]", "invalid_message"),
        ] {
            assert_eq!(open(text.as_bytes()).unwrap_err().code, code, "{text}");
        }
        for (text, code) in [
            ("{\"type\":\"a\"}", "missing_payload"),
            ("{\"type\":\"a\",\"payload\":null}", "missing_payload"),
            ("{\"type\":\"a\",\"payload\":[1]}", "invalid_payload"),
        ] {
            let envelope = open(text.as_bytes()).unwrap();
            assert_eq!(envelope.payload::<serde_json::Value>().unwrap_err().code, code, "{text}");
        }
        assert_eq!(open(b"\xff").unwrap_err().code, "invalid_json");
        assert_eq!(open("[".repeat(100_000).as_bytes()).unwrap_err().code, "invalid_json");
        let envelope = open(br#"{"type":"a","payload":{"x":1},"more":true}"#).unwrap();
        assert_eq!(envelope.kind, "a");
        assert_eq!(envelope.payload::<serde_json::Value>().unwrap()["x"], 1);
        assert_eq!(envelope.payload::<u32>().unwrap_err().code, "invalid_payload");
        assert!(Fault::unknown_type(&"x".repeat(1000), &["a", "b"]).message.len() < 80);
    }

    #[test]
    fn what_is_sealed_can_be_opened() {
        let sealed = seal("greeting", &serde_json::json!({"to": "hello"}));
        assert_eq!(&*sealed, br#"{"type":"greeting","payload":{"to":"hello"}}"#);
        assert_eq!(open(&sealed).unwrap().payload::<serde_json::Value>().unwrap()["to"], "hello");
    }
}
