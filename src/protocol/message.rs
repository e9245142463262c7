//! The one vocabulary into which all dialects decode, and from which all encode.

use std::sync::Arc;

use bytes::Bytes;

use super::guard;

/// The id under which a replica writes, up to 53 bits. It names a replica, not a person.
pub use yrs::block::ClientID as ClientId;

/// What a client says about one document, checked.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// "This is what I have; send me what I lack."
    SyncStep1(yrs::StateVector),
    /// The answer to our step 1: what we lacked.
    SyncStep2(guard::Update),
    /// A change, just made.
    Update(guard::Update),
    /// Presence of one or several clients.
    Awareness(AwarenessUpdate),
    /// "Who is here?"
    QueryAwareness,
    /// Opaque bytes to be sent back as they came (y-sweet's message 102).
    Echo(Bytes),
}

/// What we say to a client about one document. Update bytes are ours, so they need no guard.
#[derive(Clone, Debug, PartialEq)]
pub enum Outgoing {
    /// Our state vector, encoded: "send us what we lack".
    SyncStep1(Bytes),
    /// What the client lacked.
    SyncStep2(Bytes),
    /// A change.
    Update(Bytes),
    /// Presence, in the encoding of [`AwarenessUpdate::encode`]. With no clients it is a keepalive.
    Awareness(Bytes),
    /// Access refused, with the reason for a person to read.
    Denied(String),
    /// The answer to [`Message::Echo`].
    Echo(Bytes),
}

/// The presence of one client: what it shows to the others right now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwarenessEntry {
    /// Whose presence.
    pub client: ClientId,
    /// Grows with every change; the greater one wins.
    pub clock: u32,
    /// A JSON value as text, or `None` for "gone".
    pub state: Option<Arc<str>>,
}

/// Presence of one or several clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AwarenessUpdate {
    /// In the order of the wire.
    pub entries: Vec<AwarenessEntry>,
}
