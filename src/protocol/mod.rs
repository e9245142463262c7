//! Bytes to messages and back. Pure: no clock, no socket, no document.
//!
//! Everything that comes from outside is decoded here, completely and under limits, before any other part
//! sees it: [`wire`] reads the primitives, [`guard`] checks the structure of update bytes, each dialect
//! ([`ysync`], [`hocuspocus`]) turns frames into [`message::Message`]s and [`message::SyncMessage`]s into frames, and what only it can say. What
//! speaks JSON ([`json`], [`chat`]) shares the shape of its messages ([`envelope`]).

pub mod chat;
pub mod close;
pub mod envelope;
pub mod guard;
pub mod hocuspocus;
pub mod json;
pub mod message;
pub mod text_operation;
pub mod wire;
pub mod ysync;

#[cfg(test)]
pub(crate) mod tests;

/// The id under which a replica writes, up to 53 bits. It names a replica, not a person.
pub use yrs::block::ClientID as ClientId;

/// How a session speaks, as far as a document must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// The y-websocket dialect.
    YWebSocket {
        /// Send the session each of its own updates back once it is durable.
        echo: bool,
    },
    /// The y-websocket dialect, and whether its client wants the echo shows in the client id under which it
    /// introduces itself or writes: those of Yjs 14, which computes from the echo what is saved, have 53 bits.
    YWebSocketById,
    /// The Hocuspocus dialect, in which every step 2 and every update is answered.
    Hocuspocus,
    /// The JSON dialect, in which every operation is answered. What is said in it is encoded elsewhere.
    Json,
}

impl Dialect {
    /// Whether the session hears what became of each of its updates.
    pub fn is_acknowledged(self) -> bool {
        !matches!(self, Self::YWebSocket { echo: false } | Self::YWebSocketById)
    }
}

/// Why a frame is not a message. Sorted by nothing: every one of them costs the sender its connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// The frame ends too early, or a primitive in it is out of bounds.
    #[error("malformed frame: {0}")]
    Frame(#[from] wire::Error),
    /// A message type that the dialect does not have.
    #[error("unknown message type {0}")]
    UnknownType(u64),
    /// A sync message that is neither step 1, step 2 nor update.
    #[error("unknown sync message {0}")]
    UnknownSync(u64),
    /// A message that only servers send.
    #[error("{0} messages are sent by servers only")]
    NotForServers(&'static str),
    /// Update bytes or a state vector that did not pass the guard.
    #[error("refused update: {0}")]
    Update(#[from] guard::Refusal),
    /// Presence that is malformed or beyond its limits.
    #[error("refused presence: {0}")]
    Awareness(#[from] message::InvalidAwareness),
}

impl ProtocolError {
    /// A label for a metric: short, and the same for every occurrence.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Frame(error) => error.reason(),
            Self::UnknownType(_) | Self::UnknownSync(_) => "unknown-message",
            Self::NotForServers(_) => "not-for-servers",
            Self::Update(refusal) => refusal.reason(),
            Self::Awareness(error) => error.reason(),
        }
    }

    /// With what to close the connection that sent it: bytes that are no message at all are a protocol
    /// error, a change that is one and goes too far is refused.
    pub fn close_reason(&self) -> close::CloseReason {
        match self {
            Self::Frame(wire::Error::TooLong { .. }) => close::CloseReason::TooBig,
            // A client says these again on each connection.
            Self::Update(refusal) => close::CloseReason::Refused(refusal.reason()),
            Self::Awareness(_) => close::CloseReason::Refused("presence"),
            Self::Frame(_) | Self::UnknownType(_) | Self::UnknownSync(_) => close::CloseReason::ProtocolError,
            Self::NotForServers(_) => close::CloseReason::PolicyViolation,
        }
    }
}
