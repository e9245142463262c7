//! The Hocuspocus dialect: many documents on one socket, each frame naming its own.
//!
//! A frame is `string address`, `uint type` and a body. The address is the document's name, or, for a provider
//! with session awareness, the name, a NUL and the provider's session id; answers carry the same address. A
//! frame of one byte belongs to the connection: 9 ping, 10 pong. Of the types 0 sync, 1 awareness and 3 query
//! awareness everything behind the address is as in the y-websocket dialect ([`super::ysync`]), which is why
//! one encoded broadcast serves both. The rest is this dialect's own: 2 authentication, 5 stateless, 7 close,
//! 8 sync status.
//!
//! Verified with `@hocuspocus/provider` 2.15, 3.4 and 4.8.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use super::{
    ProtocolError,
    guard::Limits,
    message::Message,
    wire::{self, Reader},
    ysync,
};
use crate::ids::{DocumentName, InvalidName};

/// Longest address: a document's name, a NUL, and room for a session id. Providers make theirs of about
/// eleven characters.
const MAX_ADDRESS: usize = DocumentName::MAX_BYTES + 1 + 128;

/// Longest token. Signed tokens with a few claims take one or two kilobytes.
const MAX_TOKEN: usize = 16 * 1024;

/// Longest stateless message, in bytes.
pub const MAX_STATELESS: usize = 64 * 1024;

const AUTH: u64 = 2;
const STATELESS: u64 = 5;
const BROADCAST_STATELESS: u64 = 6;
const CLOSE: u64 = 7;
const SYNC_STATUS: u64 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

const SYNC: u64 = 0;
const AWARENESS: u64 = 1;
const QUERY_AWARENESS: u64 = 3;
/// Between servers: "answer, but do not ask back". Tolerated from a client.
const SYNC_REPLY: u64 = 4;

const TOKEN: u64 = 0;
const DENIED: u64 = 1;
const AUTHENTICATED: u64 = 2;

/// Asks a provider of version 4 or later for a sign of life.
pub const PING_FRAME: Bytes = Bytes::from_static(&[PING]);
/// The answer to a ping.
pub const PONG_FRAME: Bytes = Bytes::from_static(&[PONG]);

/// What a frame is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// Are you there?
    Ping,
    /// I am.
    Pong,
    /// Something about one document.
    Document {
        /// As it came, to be repeated in every answer.
        address: Bytes,
        /// What is said, not yet decoded: that depends on how far the document is.
        body: Body,
    },
}

/// Everything behind the address of a frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Body {
    kind: u64,
    /// From the type on.
    bytes: Bytes,
}

/// What a client says about one document.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientMessage {
    /// Something for the document.
    Message(Message),
    /// A sync message that asks for an acknowledgement, and whose update cannot be taken: the reason.
    Unreadable(ProtocolError),
    /// Let me in.
    Auth {
        /// Empty if it has none.
        token: String,
        /// Absent before version 4.
        version: Option<String>,
    },
    /// A message for the application around the document.
    Stateless(String),
    /// The client is done with the document.
    Close,
    /// Only servers say this to each other.
    Forbidden,
    /// Nothing that we know.
    Unknown,
}

/// Reads the head of a frame.
pub fn frame(bytes: Bytes) -> Result<Frame, ProtocolError> {
    match bytes.as_ref() {
        [PING] => return Ok(Frame::Ping),
        [PONG] => return Ok(Frame::Pong),
        _ => {}
    }
    let mut reader = Reader::new(&bytes);
    let address = bytes.slice_ref(reader.string(MAX_ADDRESS)?.as_bytes());
    let start = reader.position();
    let kind = reader.uint()?;
    Ok(Frame::Document { address, body: Body { kind, bytes: bytes.slice(start..) } })
}

/// Whether a frame that begins so is a step 2; nothing while too little of it is known.
pub fn is_step_2(head: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(head);
    match reader.buffer(MAX_ADDRESS) {
        Ok(_) => ysync::is_step_2(&head[reader.position()..]),
        Err(wire::Error::Incomplete) => None,
        Err(_) => Some(false),
    }
}

/// Which document a frame that begins so is about.
pub fn document_of(head: &[u8]) -> Option<DocumentName> {
    document(Reader::new(head).buffer(MAX_ADDRESS).ok()?).ok()
}

/// The document's name in an address: what stands before the first NUL.
pub fn document(address: &[u8]) -> Result<DocumentName, InvalidName> {
    let name = address.split(|byte| *byte == 0).next().unwrap_or_default();
    DocumentName::parse_bytes(name)
}

/// What goes before every frame with this address.
pub fn prefix(address: &[u8]) -> Bytes {
    let mut prefix = BytesMut::with_capacity(wire::buffer_len(address.len()));
    wire::put_buffer(&mut prefix, address);
    prefix.freeze()
}

impl Body {
    /// How much memory it holds.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it holds nothing; a body never does.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether it asks to be let in.
    pub fn is_auth(&self) -> bool {
        self.kind == AUTH
    }

    /// Whether it ends the client's interest in the document.
    pub fn is_close(&self) -> bool {
        self.kind == CLOSE
    }

    /// Whether it is a step 1: what a provider of version 2 without a token begins with.
    pub fn is_step_1(&self) -> bool {
        self.kind == SYNC && self.bytes.get(1) == Some(&0)
    }

    /// Reads the rest.
    pub fn decode(&self, limits: &Limits) -> Result<ClientMessage, ProtocolError> {
        let mut reader = Reader::new(&self.bytes);
        let kind = reader.uint()?;
        Ok(match kind {
            SYNC | SYNC_REPLY => self.sync(limits)?,
            AWARENESS => ClientMessage::Message(ysync::decode_first(&self.bytes, limits)?),
            QUERY_AWARENESS => ClientMessage::Message(Message::QueryAwareness),
            AUTH => match reader.uint()? {
                TOKEN => {
                    let token = reader.string(MAX_TOKEN)?.to_owned();
                    let version = reader.string(64).ok().map(str::to_owned);
                    ClientMessage::Auth { token, version }
                }
                _ => ClientMessage::Forbidden,
            },
            STATELESS => ClientMessage::Stateless(reader.string(MAX_STATELESS)?.to_owned()),
            BROADCAST_STATELESS | SYNC_STATUS => ClientMessage::Forbidden,
            CLOSE => ClientMessage::Close,
            _ => ClientMessage::Unknown,
        })
    }

    /// A step 2 or an update is acknowledged whatever it holds, so a refused one is not an error here.
    fn sync(&self, limits: &Limits) -> Result<ClientMessage, ProtocolError> {
        let body = if self.kind == SYNC {
            self.bytes.clone()
        } else {
            let mut as_sync = BytesMut::from(self.bytes.as_ref());
            as_sync[0] = SYNC as u8;
            as_sync.freeze()
        };
        match ysync::decode_first(&body, limits) {
            Ok(message) => Ok(ClientMessage::Message(message)),
            Err(error) if matches!(body.get(1), Some(1 | 2)) => Ok(ClientMessage::Unreadable(error)),
            Err(error) => Err(error),
        }
    }
}

/// What we say to a client about one document, and to no client of another dialect.
#[derive(Clone, Debug, PartialEq)]
pub enum Outgoing {
    /// Let in.
    Authenticated {
        /// Or only read.
        may_write: bool,
    },
    /// Access refused, with the reason for a person to read.
    Denied(String),
    /// Send another token: this one ends soon. Providers before version 3 do not listen.
    TokenRequest,
    /// What became of one step 2 or update.
    SyncStatus {
        /// It is in the document and durable; otherwise it was refused.
        applied: bool,
    },
    /// A message for the application around the document.
    Stateless(Arc<str>),
    /// The document is closed as the client wanted.
    Close(&'static str),
}

/// Everything behind the address of a frame that we send. What is the same in every dialect is encoded by
/// [`ysync::encode`].
pub fn encode(message: &Outgoing) -> Bytes {
    match message {
        Outgoing::Authenticated { may_write } => {
            text(&[AUTH, AUTHENTICATED], if *may_write { "read-write" } else { "readonly" })
        }
        Outgoing::Denied(reason) => text(&[AUTH, DENIED], reason),
        Outgoing::TokenRequest => Bytes::from_static(&[AUTH as u8, TOKEN as u8]),
        Outgoing::SyncStatus { applied } => {
            Bytes::from_static(if *applied { &[SYNC_STATUS as u8, 1] } else { &[SYNC_STATUS as u8, 0] })
        }
        Outgoing::Stateless(payload) => text(&[STATELESS], payload),
        Outgoing::Close(reason) => text(&[CLOSE], reason),
    }
}

fn text(head: &[u64], text: &str) -> Bytes {
    let mut body = BytesMut::with_capacity(head.len() + wire::buffer_len(text.len()));
    for &number in head {
        body.put_u8(number as u8);
    }
    wire::put_string(&mut body, text);
    body.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(bytes: &'static [u8]) -> Body {
        match frame(Bytes::from_static(bytes)).unwrap() {
            Frame::Document { body, .. } => body,
            other => panic!("{other:?}"),
        }
    }

    fn said(bytes: &'static [u8]) -> ClientMessage {
        body(bytes).decode(&Limits::default()).unwrap()
    }

    #[test]
    fn frames_of_one_byte_belong_to_the_connection() {
        assert_eq!(frame(Bytes::from_static(&[9])).unwrap(), Frame::Ping);
        assert_eq!(frame(Bytes::from_static(&[10])).unwrap(), Frame::Pong);
        for bytes in [&[][..], &[1], &[5, b'a'], &[2, 0xff, 0xff, 0], &[1, b'a']] {
            assert!(frame(Bytes::copy_from_slice(bytes)).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn an_address_is_a_name_and_perhaps_a_session() {
        assert_eq!(document(b"plan").unwrap().to_string(), "plan");
        assert_eq!(document(b"plan\0k3j\0x").unwrap().to_string(), "plan");
        assert_eq!(document(b"\0k3j").unwrap_err(), InvalidName::Blank);
        assert!(document(b"").is_err());
        assert_eq!(prefix(b"a\0b").as_ref(), b"\x03a\0b");
    }

    #[test]
    fn authentication_comes_with_and_without_a_version_and_whatever_follows() {
        let auth = |token: &str, version: Option<&str>| ClientMessage::Auth {
            token: token.into(),
            version: version.map(Into::into),
        };
        assert_eq!(said(b"\x01a\x02\x00\x03tok"), auth("tok", None));
        assert_eq!(said(b"\x01a\x02\x00\x00"), auth("", None));
        assert_eq!(said(b"\x01a\x02\x00\x00\x054.8.0"), auth("", Some("4.8.0")));
        assert_eq!(said(b"\x01a\x02\x00\x00\x054.8.0\x01\x02\x03"), auth("", Some("4.8.0")));
        assert_eq!(said(b"\x01a\x02\x02\x08readonly"), ClientMessage::Forbidden);
        assert!(body(b"\x01a\x02\x00\x09tok").decode(&Limits::default()).is_err());
    }

    #[test]
    fn a_sync_message_that_wants_an_answer_is_refused_by_answering() {
        assert!(matches!(said(b"\x01a\x00\x00\x01\x00"), ClientMessage::Message(Message::SyncStep1(_))));
        assert!(matches!(said(b"\x01a\x00\x01\x02\x00\x00"), ClientMessage::Message(Message::SyncStep2(_))));
        assert!(matches!(said(b"\x01a\x04\x01\x02\x00\x00"), ClientMessage::Message(Message::SyncStep2(_))));
        assert!(matches!(said(b"\x01a\x00\x02\x03\xff\xff\xff"), ClientMessage::Unreadable(_)));
        assert!(matches!(said(b"\x01a\x00\x01\x09\x00"), ClientMessage::Unreadable(_)));
        assert!(
            body(b"\x01a\x00\x00\x02\x05\x00").decode(&Limits::default()).is_err(),
            "step 1 is not acked"
        );
        assert!(body(b"\x01a\x00\x07\x00").decode(&Limits::default()).is_err());
    }

    #[test]
    fn what_only_servers_say_is_told_apart_from_what_nobody_says() {
        assert_eq!(said(b"\x01a\x06\x02hi"), ClientMessage::Forbidden);
        assert_eq!(said(b"\x01a\x08\x01"), ClientMessage::Forbidden);
        assert_eq!(said(b"\x01a\x05\x02hi"), ClientMessage::Stateless("hi".into()));
        assert_eq!(said(b"\x01a\x07"), ClientMessage::Close);
        assert_eq!(said(b"\x01a\x63"), ClientMessage::Unknown);
    }

    #[test]
    fn answers_are_what_providers_read() {
        let encoded = |message: Outgoing| encode(&message).to_vec();
        assert_eq!(encoded(Outgoing::Authenticated { may_write: true }), b"\x02\x02\x0aread-write");
        assert_eq!(encoded(Outgoing::Authenticated { may_write: false }), b"\x02\x02\x08readonly");
        assert_eq!(encoded(Outgoing::Denied("no".into())), b"\x02\x01\x02no");
        assert_eq!(encoded(Outgoing::SyncStatus { applied: true }), [8, 1]);
        assert_eq!(encoded(Outgoing::SyncStatus { applied: false }), [8, 0]);
        assert_eq!(encoded(Outgoing::Stateless("hi".into())), b"\x05\x02hi");
        assert_eq!(encoded(Outgoing::Close("bye")), b"\x07\x03bye");
    }
}
