//! The JSON dialect: one text of one document per socket, for editors, scripts and devices that have no CRDT.
//!
//! Every message, in both directions, is a text frame `{"type": …, "payload": {…}}`. A client edits by
//! [operations](TextOperation), each made to the text of a certain *revision*; the server transforms it against
//! what came between, and numbers it. `init` brings the text and its revision, and everything after it comes
//! as `operation`, in order, each one revision further. A client's own operations are not sent back to it:
//! they are the numbers that are missing in between, and `ack` names them once they are durable.
//!
//! Pure. [`decode`] reads a frame under [`EditLimits`], completely, and says in words what is wrong with it;
//! [`encode`] writes one.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    envelope::{self, Fault},
    message::ClientId,
    text_operation::TextOperation,
};
use crate::ids::SessionId;

/// What one frame may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EditLimits {
    /// Bytes of one frame. A paste is smaller; a whole document that a script brings may need several
    /// operations. 1 MiB.
    pub message_bytes: usize,
    /// Bytes of an operation's id, which the history keeps. 64.
    pub id_bytes: usize,
    /// Bytes of the name that an editor shows. 128.
    pub name_bytes: usize,
    /// Bytes that a ping may have sent back. 1 KiB.
    pub ping_bytes: usize,
}

impl Default for EditLimits {
    fn default() -> Self {
        Self { message_bytes: 1 << 20, id_bytes: 64, name_bytes: 128, ping_bytes: 1024 }
    }
}

macro_rules! label {
    ($(#[$doc:meta])* $name:ident, $limit:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The longest, in bytes of UTF-8.
            pub const MAX_BYTES: usize = $limit;

            /// Takes `text` if it is neither blank nor too long and has no control characters.
            pub fn parse(text: &str) -> Result<Self, InvalidLabel> {
                let ok = !text.trim().is_empty() && text.len() <= $limit && !text.chars().any(char::is_control);
                if ok { Ok(Self(text.into())) } else { Err(InvalidLabel($limit)) }
            }

            /// As text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

label!(
    /// Under which name a client edits, from the address. It stays the same when the client comes back, so
    /// that an operation sent again is recognised.
    EditorName,
    128
);
label!(
    /// The name of a shared type at the root of a document.
    FieldName,
    128
);

/// Why an editor's or a field's name was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {0} bytes of UTF-8 that are not blank, without control characters")]
pub struct InvalidLabel(usize);

/// What a client says, checked.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// "I changed the text."
    Operation(Proposal),
    /// "This is who I am, and where."
    Presence(Caret),
    /// "Send me everything again."
    Init,
    /// "Are you there?" What came with it is sent back.
    Ping(Option<Box<RawPing>>),
}

/// The payload of a ping, as it came.
#[derive(Clone, Debug)]
pub struct RawPing(Box<RawValue>);

impl PartialEq for RawPing {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

/// An operation that a client made.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct Proposal {
    /// The revision of the text it was made to.
    pub revision: u64,
    /// The change.
    pub operation: TextOperation,
    /// The client's own name for it, unique among what this editor sends: with it, the operation can be sent
    /// again and is applied once.
    #[serde(default)]
    pub id: Option<Box<str>>,
    /// Of which life of the text `revision` speaks; without it, of the one that the last `init` named.
    #[serde(default)]
    pub epoch: Option<SessionId>,
}

/// What an editor shows of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct Caret {
    /// A name for people.
    #[serde(default)]
    pub name: Option<Box<str>>,
    /// Where its caret stands: before the character of this number.
    #[serde(default)]
    pub cursor: Option<usize>,
    /// Where its selection began, if it selects.
    #[serde(default)]
    pub anchor: Option<usize>,
}

/// Somebody who is here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Editor {
    /// Which socket: one editor may be here twice.
    pub session: Whose,
    /// Under which name it edits, if it speaks this dialect.
    pub editor: Option<EditorName>,
    /// What it shows.
    #[serde(flatten)]
    pub caret: Caret,
}

/// Whose presence it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Whose {
    /// A session of this dialect.
    Session(SessionId),
    /// A Yjs client.
    Client(ClientId),
}

impl Serialize for Whose {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Session(session) => serializer.collect_str(session),
            Self::Client(client) => serializer.collect_str(&client.get()),
        }
    }
}

/// The awareness state by which Yjs clients see an editor of this dialect.
pub fn awareness_state(editor: &Editor) -> Arc<str> {
    let id = editor.editor.as_ref().map_or("", EditorName::as_str);
    let name = editor.caret.name.as_deref().unwrap_or(id);
    serde_json::json!({"user": {"id": format!("{OURS}{id}"), "name": name}}).to_string().into()
}

/// Whether an awareness state is one of [`awareness_state`].
pub fn is_ours(state: &str) -> bool {
    state.strip_prefix(r#"{"user":{"id":""#).is_some_and(|rest| rest.starts_with(OURS))
}

/// How the ids begin under which Yjs clients see editors of this dialect.
const OURS: &str = "collab/";

/// What we say to a client.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", content = "payload", rename_all = "lowercase")]
pub enum ServerMessage<'a> {
    /// Everything, on joining and whenever the client must begin anew.
    Init(Init<'a>),
    /// A change by somebody else.
    Operation {
        /// Of which life of the text `revision` speaks.
        epoch: SessionId,
        /// The revision that the text has after it.
        revision: u64,
        /// The change.
        operation: &'a TextOperation,
        /// Who made it; nobody in particular, if it came from Yjs clients.
        editor: Option<&'a EditorName>,
    },
    /// The client's operation is durable.
    Ack {
        /// As in the operation.
        id: Option<&'a str>,
        /// Of which life of the text `revision` speaks.
        epoch: SessionId,
        /// The revision that the text had after it.
        revision: u64,
    },
    /// Somebody came, moved, or went.
    Presence {
        /// Who.
        #[serde(flatten)]
        editor: &'a Editor,
        /// Whether it is still here.
        present: bool,
    },
    /// Several of them at once, and in a crowd how many are here.
    Crowd(Crowd<'a>),
    /// The answer to a ping.
    Pong(&'a RawValue),
    /// What the client sent was not done.
    Error {
        /// For programs.
        code: &'a str,
        /// For people.
        message: &'a str,
        /// The id of the operation that it is about.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
    },
}

/// Everything about a text.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Init<'a> {
    /// Which of the document's texts.
    pub field: &'a FieldName,
    /// The client's own session, as others see it.
    pub session: SessionId,
    /// The client's own name.
    pub editor: &'a EditorName,
    /// Which life of the text: revisions of another say nothing about this one.
    pub epoch: SessionId,
    /// The revision of `content`.
    pub revision: u64,
    /// The text.
    pub content: &'a str,
    /// Whether operations will be refused: the client may not write, or this is not plain text.
    pub read_only: bool,
    /// Who else is here, or some of them.
    pub editors: &'a Listed,
    /// How many are here, the client included.
    pub inside: usize,
}

/// Some of those who are here, encoded: what one newcomer is told of them may be told to the next.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    encoded: Option<Box<RawValue>>,
    last: Option<Whose>,
}

impl Listed {
    /// Encodes them; they are in order.
    pub fn new(editors: &[&Editor]) -> Self {
        let encoded = serde_json::value::to_raw_value(editors).ok();
        Self { encoded, last: editors.last().map(|editor| editor.session) }
    }

    /// Whether this session is one of them, or would be if it were here.
    pub fn reaches(&self, session: SessionId) -> bool {
        self.last.is_some_and(|last| Whose::Session(session) <= last)
    }
}

impl Serialize for Listed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.encoded {
            Some(encoded) => encoded.serialize(serializer),
            None => serializer.collect_seq::<[(); 0]>([]),
        }
    }
}

/// What was gathered about those who are here: one text for all who have the text open.
#[derive(Clone, Debug, Serialize)]
pub struct Crowd<'a> {
    /// Who came or moved.
    pub here: Vec<&'a Editor>,
    /// Who went.
    pub gone: Vec<Whose>,
    /// How many are here, those included of whom nothing was said.
    pub inside: usize,
}

/// What is wrong with something that a client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditError {
    /// For programs: see the table in docs/protocols.md#errors.
    pub code: &'static str,
    /// For people.
    pub message: String,
    /// The id of the operation that it is about.
    pub id: Option<Box<str>>,
}

impl From<Fault> for EditError {
    fn from(Fault { code, message }: Fault) -> Self {
        Self { code, message, id: None }
    }
}

impl EditError {
    /// A refusal of nothing in particular.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), id: None }
    }

    /// The same about the operation with this id.
    pub fn about(self, id: Option<Box<str>>) -> Self {
        Self { id, ..self }
    }
}

/// Reads the text of one frame.
pub fn decode(text: &str, limits: &EditLimits) -> Result<Request, EditError> {
    if text.len() > limits.message_bytes {
        let limit = limits.message_bytes;
        return Err(EditError::new("too_long", format!("a message has at most {limit} bytes")));
    }
    let envelope = envelope::open(text.as_bytes())?;
    match envelope.kind.as_str() {
        "operation" => {
            let proposal: Proposal = envelope.payload()?;
            if proposal.id.as_ref().is_some_and(|id| id.is_empty() || id.len() > limits.id_bytes) {
                let message = format!("an operation's id has 1 to {} bytes", limits.id_bytes);
                return Err(EditError::new("invalid_payload", message));
            }
            Ok(Request::Operation(proposal))
        }
        "presence" => {
            let caret: Caret = envelope.payload()?;
            if caret.name.as_ref().is_some_and(|name| name.len() > limits.name_bytes) {
                let message = format!("a name has at most {} bytes", limits.name_bytes);
                return Err(EditError::new("invalid_payload", message));
            }
            Ok(Request::Presence(caret))
        }
        "ping" => match envelope.payload {
            Some(payload) if payload.get().len() > limits.ping_bytes => {
                let message = format!("a ping carries at most {} bytes", limits.ping_bytes);
                Err(EditError::new("invalid_payload", message))
            }
            payload => Ok(Request::Ping(payload.map(|raw| Box::new(RawPing(raw.to_owned()))))),
        },
        "init" => Ok(Request::Init),
        kind @ ("ack" | "crowd" | "pong" | "error") => {
            Err(EditError::new("unknown_type", format!("{kind} messages are sent by the server only")))
        }
        other => {
            // Whatever it is, at most a line of it comes back.
            let other: String = other.chars().take(32).collect();
            let message = format!("there are no messages of type {other:?}: operation, presence, init, ping");
            Err(EditError::new("unknown_type", message))
        }
    }
}

/// The text of one frame.
pub fn encode(answer: &ServerMessage<'_>) -> Bytes {
    // None of these types can fail to be written; an empty frame would be the mildest way to be wrong.
    serde_json::to_vec(answer).unwrap_or_default().into()
}

/// The answer to a ping: what came with it, or nothing.
pub fn encode_pong(ping: Option<&RawPing>) -> Bytes {
    match ping {
        Some(ping) => encode(&ServerMessage::Pong(&ping.0)),
        None => Bytes::from_static(br#"{"type":"pong","payload":{}}"#),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Request, EditError> {
        decode(text, &EditLimits::default())
    }

    fn code(text: &str) -> &'static str {
        match read(text) {
            Ok(request) => panic!("{text} was taken as {request:?}"),
            Err(refusal) => refusal.code,
        }
    }

    #[test]
    fn requests_are_read_completely() {
        let operation =
            read(r#"{"type":"operation","payload":{"revision":4,"operation":[1,"x"],"id":"a1"}}"#);
        let Ok(Request::Operation(proposal)) = operation else { panic!("{operation:?}") };
        assert_eq!((proposal.revision, proposal.id.as_deref(), proposal.epoch), (4, Some("a1"), None));
        assert_eq!(proposal.operation.apply("y").unwrap(), "yx");
        let presence = read(r#"{"payload":{"name":"Ann","cursor":3},"type":"presence","more":[1,{}]}"#);
        let caret = Caret { name: Some("Ann".into()), cursor: Some(3), anchor: None };
        assert_eq!(presence, Ok(Request::Presence(caret)));
        assert_eq!(read(r#"{"type":"init"}"#), Ok(Request::Init));
        let Ok(Request::Ping(ping)) = read(r#"{"type":"ping","payload":{"at":1.50}}"#) else { panic!() };
        assert_eq!(encode_pong(ping.as_deref()), r#"{"type":"pong","payload":{"at":1.50}}"#);
        let Ok(Request::Ping(ping)) = read(r#"{"type":"p\u0069ng"}"#) else { panic!() };
        assert_eq!(encode_pong(ping.as_deref()), r#"{"type":"pong","payload":{}}"#);
    }

    #[test]
    fn every_kind_of_nonsense_has_its_code() {
        for (text, expected) in [
            ("", "invalid_json"),
            ("{\"type\":\"ping\"", "invalid_json"),
            ("hello", "invalid_json"),
            ("[]", "invalid_message"),
            (r#"["ping",{}]"#, "invalid_message"),
            ("3", "invalid_message"),
            (r#"{"type":3}"#, "invalid_message"),
            (r#"{"type":"init","type":"init"}"#, "invalid_message"),
            ("{}", "missing_type"),
            (r#"{"payload":{}}"#, "missing_type"),
            (r#"{"type":"paint","payload":{}}"#, "unknown_type"),
            (r#"{"type":"ack","payload":{}}"#, "unknown_type"),
            (r#"{"type":"operation"}"#, "missing_payload"),
            (r#"{"type":"operation","payload":null}"#, "missing_payload"),
            (r#"{"type":"presence"}"#, "missing_payload"),
            (r#"{"type":"operation","payload":[0,["x"]]}"#, "invalid_payload"),
            (r#"{"type":"operation","payload":{"revision":-1,"operation":[]}}"#, "invalid_payload"),
            (r#"{"type":"operation","payload":{"revision":1.5,"operation":[]}}"#, "invalid_payload"),
            (r#"{"type":"operation","payload":{"revision":1}}"#, "invalid_payload"),
            (r#"{"type":"operation","payload":{"revision":1,"operation":[null]}}"#, "invalid_payload"),
            (r#"{"type":"operation","payload":{"revision":1,"operation":[],"id":""}}"#, "invalid_payload"),
            (r#"{"type":"operation","payload":{"revision":1,"operation":[],"epoch":7}}"#, "invalid_payload"),
            (r#"{"type":"operation","payload":{"revision":1,"operation":["\udc00"]}}"#, "invalid_payload"),
            (r#"{"type":"presence","payload":{"cursor":-1}}"#, "invalid_payload"),
            (r#"{"type":"presence","payload":{"colour":"red"}}"#, "invalid_payload"),
        ] {
            assert_eq!(code(text), expected, "{text}");
        }
        assert_eq!(code(&format!("\"{}\"", "x".repeat(1 << 20))), "too_long");
        let nested = format!(r#"{{"type":"presence","payload":{}{}}}"#, "[".repeat(9999), "]".repeat(9999));
        assert_eq!(code(&nested), "invalid_payload");
        let long = format!(r#"{{"type":"ping","payload":"{}"}}"#, "x".repeat(2000));
        assert_eq!(code(&long), "invalid_payload");
    }

    #[test]
    fn yjs_clients_see_who_edits_by_operations() {
        let caret = Caret { name: Some("A\"b".into()), ..Caret::default() };
        let session = Whose::Client(ClientId::new(1));
        let editor = Editor { session, editor: EditorName::parse("ann").ok(), caret };
        assert_eq!(&*awareness_state(&editor), r#"{"user":{"id":"collab/ann","name":"A\"b"}}"#);
        assert!(is_ours(&awareness_state(&editor)) && !is_ours(r#"{"user":{"id":"x"}}"#));
    }

    #[test]
    fn labels_are_checked_once() {
        assert!(EditorName::parse("Ann 👩‍🚀").is_ok());
        for bad in ["", "  ", "a\nb", &"x".repeat(129)] {
            assert!(EditorName::parse(bad).is_err(), "{bad:?}");
        }
    }
}
