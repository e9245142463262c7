//! What a frame means: the messages it holds, or the end of the connection.
//!
//! Pure. A y-websocket connection is one session of one document, open from the first frame; dialects that
//! authenticate and multiplex put their phases here.

use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::protocol::{close::CloseReason, guard::Limits, message::Message, ysync};

/// Questions that one frame may hold. A question takes a few bytes and its answer may take as many as the
/// document; between frames the outbox holds the asker back, within one nothing could. Clients send one
/// message per frame, or a handful when they open.
const QUESTIONS: usize = 16;

/// A WebSocket message as it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inbound {
    /// The only kind that carries the binary dialects.
    Binary(Bytes),
    /// Never used by it; the dialects that speak JSON use nothing else. The bytes are UTF-8.
    Text(Bytes),
    /// Wants the same bytes back.
    Ping(Bytes),
    /// Proof of life.
    Pong,
    /// The beginning of a message that is larger than a document may be. Nothing comes after it.
    TooLarge(Bytes),
    /// The peer goes, with its close code if it gave one.
    Close(Option<u16>),
}

impl Inbound {
    /// Whether nothing that is to be heard comes after it.
    pub(super) fn is_last(&self) -> bool {
        matches!(self, Self::Close(_) | Self::TooLarge(_))
    }
}

/// What follows from it.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// Hand these to the document.
    Deliver(SmallVec<[Message; 1]>),
    /// Answer a ping.
    Pong(Bytes),
    /// Nothing.
    Idle,
    /// The peer is gone; `clean` if it meant to go.
    Ended {
        /// Whether its presence may be removed at once.
        clean: bool,
    },
    /// Close the connection, counting the refusal under this label.
    Refuse(CloseReason, &'static str),
}

/// The session of one connection.
#[derive(Clone, Debug)]
pub struct Session {
    limits: Arc<Limits>,
}

impl Session {
    /// A session whose input is bounded by `limits`.
    pub fn new(limits: impl Into<Arc<Limits>>) -> Self {
        Self { limits: limits.into() }
    }

    /// What follows from a message.
    pub fn step(&mut self, inbound: Inbound) -> Step {
        match inbound {
            Inbound::Binary(frame) => match ysync::decode(frame, &self.limits) {
                Ok(messages) if messages.iter().filter(|message| asks(message)).count() > QUESTIONS => {
                    Step::Refuse(CloseReason::PolicyViolation, "too_many_questions")
                }
                Ok(messages) => Step::Deliver(messages),
                Err(error) => Step::Refuse(error.close_reason(), error.reason()),
            },
            Inbound::Text(_) => Step::Refuse(CloseReason::ProtocolError, "text_frame"),
            // Clients of y-websocket stop at this one.
            Inbound::TooLarge(_) => Step::Refuse(CloseReason::Refused("too-large"), "document_too_large"),
            Inbound::Ping(payload) => Step::Pong(payload),
            Inbound::Pong => Step::Idle,
            Inbound::Close(code) => Step::Ended { clean: is_goodbye(code) },
        }
    }
}

/// Whether somebody who closes with this code meant to go. A page that closes says 1001, a program 1000. Without
/// a code it may be a client that lost patience with a dead line and will be back under the same id.
pub(super) fn is_goodbye(code: Option<u16>) -> bool {
    matches!(code, Some(1000 | 1001))
}

/// Whether a message is answered to its sender alone.
pub(super) fn asks(message: &Message) -> bool {
    matches!(message, Message::SyncStep1(_) | Message::QueryAwareness | Message::Echo(_))
}

#[cfg(test)]
mod tests;
