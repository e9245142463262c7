//! The messages of a chat. Pure.
//!
//! A client says `message`, `typing` and `ping`; the server says `history` once, then `message`, `join`,
//! `leave`, `typing`, `pong` and `error`, and `ping` when it has said nothing else for a while.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::envelope::{self, Fault, seal};
use crate::ids::{SessionId, Timestamp};

/// What is said to a client that has heard nothing for a while; it need not answer.
pub const KEEPALIVE: &str = r#"{"type":"ping","payload":{}}"#;

/// The name under which a client knows a message before the server has given it an id: the same for every
/// attempt to send it, and no other message's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientMessageId(String);

impl ClientMessageId {
    /// 8 to 64 letters, digits, `-` and `_`; a UUID is best.
    pub fn parse(id: &str) -> Result<Self, Fault> {
        let fits = (8..=64).contains(&id.len());
        if fits && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
            return Ok(Self(id.to_owned()));
        }
        Err(Fault::new("invalid_id", "id must be 8 to 64 letters, digits, - and _; a UUID is best"))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a client says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// Something to everybody.
    Message {
        /// What the client calls it.
        id: ClientMessageId,
        /// What is said.
        text: String,
    },
    /// It begins or stops writing.
    Typing(bool),
    /// It wants an answer.
    Ping,
}

/// What is wrong with what a client said, and with which message of its.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misunderstood {
    /// What is wrong.
    pub fault: Fault,
    /// The message, if it could be seen which.
    pub id: Option<ClientMessageId>,
}

impl From<Fault> for Misunderstood {
    fn from(fault: Fault) -> Self {
        Self { fault, id: None }
    }
}

/// Reads a frame. A text has at most `longest` bytes.
pub fn decode(text: &[u8], longest: usize) -> Result<Incoming, Misunderstood> {
    #[derive(Deserialize)]
    struct NewMessage {
        id: String,
        text: String,
    }
    #[derive(Deserialize)]
    struct Typing {
        typing: bool,
    }
    let envelope = envelope::open(text)?;
    match envelope.kind.as_str() {
        "message" => {
            let said: NewMessage = envelope.payload()?;
            let id = ClientMessageId::parse(&said.id)?;
            let refuse = |code, message: String| {
                Err(Misunderstood { fault: Fault::new(code, message), id: Some(id.clone()) })
            };
            if said.text.trim().is_empty() {
                return refuse("empty_text", "a message says something".to_owned());
            }
            if said.text.len() > longest {
                let length = said.text.len();
                return refuse(
                    "too_long",
                    format!("a message has at most {longest} bytes of UTF-8, this one has {length}"),
                );
            }
            Ok(Incoming::Message { id, text: said.text })
        }
        "typing" => Ok(Incoming::Typing(envelope.payload::<Typing>()?.typing)),
        "ping" => Ok(Incoming::Ping),
        other => Err(Fault::unknown_type(other, &["message", "typing", "ping"]).into()),
    }
}

/// Somebody in a chat.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub struct Person {
    /// One visit of one person.
    #[schema(value_type = Uuid)]
    pub session: SessionId,
    /// What they call themselves.
    pub name: String,
}

impl Person {
    /// Longest name, in characters.
    pub const LONGEST_NAME: usize = 64;

    /// A name as it is shown: without control characters and surrounding white space. `None` if nothing is
    /// left, or too much.
    pub fn clean_name(name: &str) -> Option<String> {
        let name: String = name.chars().filter(|c| !c.is_control()).collect();
        let name = name.trim();
        (!name.is_empty() && name.chars().count() <= Self::LONGEST_NAME).then(|| name.to_owned())
    }
}

/// A message as everybody sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ChatMessage)]
pub struct Message {
    /// Its id, ordered by time.
    pub id: Uuid,
    /// What its author's client calls it.
    #[schema(value_type = String)]
    pub client_id: ClientMessageId,
    /// Who said it.
    pub author: Person,
    /// What was said.
    pub text: String,
    /// When, in milliseconds since 1970.
    pub at: Timestamp,
}

/// Who is inside, and what was said last: the first thing a client hears.
pub fn history(you: &Person, people: &[Person], inside: usize, messages: &[Message], more: bool) -> Bytes {
    #[derive(Serialize)]
    struct History<'a> {
        you: &'a Person,
        people: &'a [Person],
        inside: usize,
        messages: &'a [Message],
        more: bool,
    }
    seal("history", &History { you, people, inside, messages, more })
}

/// Something was said, and is durable.
pub fn message(message: &Message) -> Bytes {
    seal("message", message)
}

/// Somebody came.
pub fn join(person: &Person) -> Bytes {
    seal("join", person)
}

/// Somebody went.
pub fn leave(person: &Person) -> Bytes {
    seal("leave", person)
}

/// Somebody is writing, or no more.
pub fn typing(person: &Person, typing: bool) -> Bytes {
    #[derive(Serialize)]
    struct Typing<'a> {
        #[serde(flatten)]
        person: &'a Person,
        typing: bool,
    }
    seal("typing", &Typing { person, typing })
}

/// Something was refused: what, and which message.
pub fn error(fault: &Fault, id: Option<&ClientMessageId>) -> Bytes {
    #[derive(Serialize)]
    struct Error<'a> {
        code: &'a str,
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        client_id: Option<&'a ClientMessageId>,
    }
    seal("error", &Error { code: fault.code, message: &fault.message, client_id: id })
}

/// The answer to a ping.
pub fn pong() -> Bytes {
    Bytes::from_static(br#"{"type":"pong","payload":{}}"#)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn decoded(value: &Value) -> Result<Incoming, Misunderstood> {
        decode(value.to_string().as_bytes(), 10)
    }

    #[test]
    fn what_clients_say_is_understood_or_named() {
        let id = ClientMessageId::parse("12345678").unwrap();
        let said = json!({"type": "message", "payload": {"id": "12345678", "text": "0123456789"}});
        let expected = Incoming::Message { id: id.clone(), text: "0123456789".to_owned() };
        assert_eq!(decoded(&said), Ok(expected));
        assert_eq!(
            decoded(&json!({"type": "typing", "payload": {"typing": true}})),
            Ok(Incoming::Typing(true))
        );
        assert_eq!(decoded(&json!({"type": "ping", "payload": {}})), Ok(Incoming::Ping));
        for (payload, code, known) in [
            (json!({"id": "12345678", "text": "0123456789é"}), "too_long", true),
            (json!({"id": "12345678", "text": " \n "}), "empty_text", true),
            (json!({"id": "1234567", "text": "x"}), "invalid_id", false),
            (json!({"id": "x".repeat(65), "text": "x"}), "invalid_id", false),
            (json!({"id": "1234567é", "text": "x"}), "invalid_id", false),
            (json!({"text": "x"}), "invalid_payload", false),
            (json!("x"), "invalid_payload", false),
        ] {
            let misunderstood = decoded(&json!({"type": "message", "payload": payload})).unwrap_err();
            assert_eq!((misunderstood.fault.code, misunderstood.id), (code, known.then(|| id.clone())));
        }
        assert_eq!(decoded(&json!({"type": "shout", "payload": {}})).unwrap_err().fault.code, "unknown_type");
    }

    #[test]
    fn names_are_shown_without_what_cannot_be_seen() {
        assert_eq!(Person::clean_name(" Ann\u{0}\n ").as_deref(), Some("Ann"));
        assert_eq!(Person::clean_name("\u{1}"), None);
        assert_eq!(Person::clean_name(&"é".repeat(64)).unwrap().len(), 128);
        assert_eq!(Person::clean_name(&"é".repeat(65)), None);
    }

    /// Clients rely on these words.
    #[test]
    fn what_the_server_says_has_this_shape() {
        let session = SessionId(Uuid::nil());
        let person = Person { session, name: "Ann".to_owned() };
        let said = Message {
            id: Uuid::max(),
            client_id: ClientMessageId::parse("12345678").unwrap(),
            author: person.clone(),
            text: "hi".to_owned(),
            at: Timestamp(7),
        };
        let value = |bytes: Bytes| serde_json::from_slice::<Value>(&bytes).unwrap();
        let ann = json!({"session": "00000000-0000-0000-0000-000000000000", "name": "Ann"});
        let hi = json!({
            "id": "ffffffff-ffff-ffff-ffff-ffffffffffff", "client_id": "12345678", "author": ann,
            "text": "hi", "at": 7
        });
        assert_eq!(
            value(history(&person, std::slice::from_ref(&person), 1, std::slice::from_ref(&said), true)),
            json!({"type": "history", "payload":
                {"you": ann, "people": [ann], "inside": 1, "messages": [hi], "more": true}})
        );
        assert_eq!(value(message(&said)), json!({"type": "message", "payload": hi}));
        assert_eq!(value(join(&person)), json!({"type": "join", "payload": ann}));
        assert_eq!(value(leave(&person)), json!({"type": "leave", "payload": ann}));
        assert_eq!(
            value(typing(&person, true)),
            json!({"type": "typing", "payload":
                {"session": "00000000-0000-0000-0000-000000000000", "name": "Ann", "typing": true}})
        );
        let fault = Fault::new("too_long", "words");
        assert_eq!(
            value(error(&fault, Some(&said.client_id))),
            json!({"type": "error", "payload": {"code": "too_long", "message": "words", "client_id": "12345678"}})
        );
        assert_eq!(
            value(error(&fault, None)),
            json!({"type": "error", "payload": {"code": "too_long", "message": "words"}})
        );
        assert_eq!(value(pong()), json!({"type": "pong", "payload": {}}));
        assert_eq!(serde_json::from_str::<Value>(KEEPALIVE).unwrap(), json!({"type": "ping", "payload": {}}));
    }
}
