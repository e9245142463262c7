//! What the parts of a document that decide want done, for the actor to carry out.

use std::sync::Arc;

use bytes::Bytes;

use super::{queue::Before, replica::told::Told};
use crate::{
    ids::SessionId,
    protocol::{close::CloseReason, guard::Update, json::FieldName, message::SyncMessage},
    store::LoggedUpdate,
};

/// What should happen, in this order.
#[derive(Debug)]
pub enum Effect {
    /// Tell one session.
    Send {
        /// Whom.
        to: SessionId,
        /// What.
        message: SyncMessage,
    },
    /// Answer a session's step 1. From here on it hears changes.
    Answer {
        /// Whom.
        to: SessionId,
        /// What it lacks.
        told: Told,
    },
    /// Tell the application around a session of the Hocuspocus dialect.
    SendStateless {
        /// Whom.
        to: SessionId,
        /// What.
        payload: Arc<str>,
    },
    /// Tell every session that a change happened.
    BroadcastUpdate {
        /// The only author, who has it already.
        except: Option<SessionId>,
        /// The change.
        update: Bytes,
        /// What a session lacks that does not get it.
        before: Before,
    },
    /// Tell every session who is here.
    BroadcastAwareness {
        /// The session that said so, if one did.
        except: Option<SessionId>,
        /// Encoded presence.
        awareness: Bytes,
    },
    /// Tell some sessions who is here.
    ShowPresence {
        /// Whom.
        to: Vec<SessionId>,
        /// Encoded presence.
        awareness: Bytes,
    },
    /// Tell sessions of the JSON dialect.
    Tell {
        /// Whom.
        to: Vec<SessionId>,
        /// What.
        said: TextFrame,
    },
    /// Read this rich text, on a thread of its own, and say what it says ([`super::state::DocumentState::rich_text`]).
    ReadRich(FieldName),
    /// Keep this: it has been applied.
    Store(LoggedUpdate),
    /// Tell the author of an update what became of it, once everything stored so far is durable.
    Acknowledge {
        /// The author.
        to: SessionId,
        /// Its update, as it came; for an operation of the JSON dialect, the message that acknowledges it.
        update: Bytes,
        /// What became of it.
        outcome: Outcome,
    },
    /// Make sure that a session is still alive: somebody else claims its client id.
    Probe(SessionId),
    /// An input was refused; counted by reason.
    Refused(&'static str),
    /// End a session.
    Close {
        /// Which.
        session: SessionId,
        /// Why.
        reason: CloseReason,
    },
    /// The replica is unusable. The document must be loaded again, and then every suspect tried alone.
    Poisoned {
        /// The panic's message.
        what: String,
        /// The updates that were being applied.
        suspects: Vec<Suspect>,
    },
}

/// What a method wants done.
pub type Effects = Vec<Effect>;

/// A message of the JSON dialect, encoded, and what may happen to it when a reader is slow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextFrame {
    /// Never dropped.
    Answer(Bytes),
    /// Dropped only together with all others that wait; `init` makes up for them.
    Change(Bytes),
}

/// What became of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the document (wholly; or it was already).
    Applied,
    /// It is not wholly in it, because it builds upon something that is missing here.
    Incomplete,
    /// It is not in it, because its author may not write.
    Refused,
    /// It is not in it, or not wholly, and never will be: the word for why. The author's session ends, because its
    /// replica goes on from there.
    Rejected(&'static str),
}

/// An update that waits to be applied, or that was being applied when the replica panicked.
#[derive(Clone, Debug)]
pub struct Suspect {
    /// Who sent it.
    pub session: SessionId,
    /// The update.
    pub update: Update,
    /// Whether it was the answer to a step 1, which may repeat what is known.
    pub is_answer: bool,
}
