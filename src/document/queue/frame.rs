//! What waits for a socket: messages, answers that are written in pieces, and frames of the transport.

use std::{collections::HashMap, fmt, sync::Arc};

use bytes::Bytes;
use smallvec::SmallVec;

use crate::protocol::message::ClientId;

/// Where each client's clock stood before a broadcast: what a session lacks that did not get it. Empty where changes are
/// made up for by telling everything anew.
pub type Before = Arc<SmallVec<[(ClientId, u32); 2]>>;

/// What a session lacks: for each client named, everything from this clock on.
pub type Lag = HashMap<ClientId, u32>;

/// A message and what may happen to it when the queue is full: its drop class.
#[derive(Clone, Debug)]
pub enum Frame {
    /// An answer to this session alone. Never dropped.
    Reply(Bytes),
    /// A change. Dropped only together with all other changes that wait.
    Update(Bytes, Before),
    /// Presence. The first to go.
    Awareness(Bytes),
    /// Something that cannot be made up for. A session that has no room for it is closed.
    Notice(Bytes),
    /// A frame of the transport itself. Never dropped.
    Control(Control),
}

impl Frame {
    /// The bytes inside the frame.
    pub fn payload(&self) -> &Bytes {
        match self {
            Self::Reply(payload)
            | Self::Update(payload, _)
            | Self::Awareness(payload)
            | Self::Notice(payload) => payload,
            Self::Control(control) => control.payload(),
        }
    }

    /// Whether it waits until it is written, whatever else becomes of its session.
    pub(super) fn is_kept(&self) -> bool {
        matches!(self, Self::Reply(_) | Self::Control(_))
    }
}

/// Frames of the transport.
#[derive(Clone, Debug)]
pub enum Control {
    /// Are you there?
    Ping,
    /// I am; with the bytes that were asked to come back.
    Pong(Bytes),
}

impl Control {
    /// The bytes inside the frame.
    pub fn payload(&self) -> &Bytes {
        static NOTHING: Bytes = Bytes::new();
        match self {
            Self::Ping => &NOTHING,
            Self::Pong(payload) => payload,
        }
    }
}

/// Which session of a connection. Never used twice on one connection, so that a document that has not yet
/// heard of a session's end cannot speak to the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId(pub(super) u32);

/// A message that is taken out, and whose it is.
#[derive(Clone, Debug)]
pub struct Queued {
    /// Goes before the payload; empty where a connection has one session.
    pub address: Bytes,
    /// What is to be written.
    pub frame: Frame,
    pub(super) lane: LaneId,
}

/// An answer of whatever size.
#[derive(Debug)]
pub enum Answer {
    /// One message.
    Whole(Bytes),
    /// Several, which bring one after the other what is asked for.
    InPieces(InPieces),
}

/// Messages each of which is made when the one before it has been written: what waits is not the answer but the means to
/// make it, which all who ask may share.
pub struct InPieces(Box<dyn Iterator<Item = Bytes> + Send>);

impl InPieces {
    /// These messages.
    pub fn new(pieces: impl Iterator<Item = Bytes> + Send + 'static) -> Self {
        Self(Box::new(pieces))
    }

    pub(super) fn next(&mut self) -> Option<Bytes> {
        self.0.next()
    }
}

impl fmt::Debug for InPieces {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("pieces")
    }
}

/// What makes up for what was dropped.
#[derive(Debug, Default)]
pub struct MadeUp {
    /// For changes, if some were.
    pub changes: Option<Answer>,
    /// For presence, if it was.
    pub presence: Option<Bytes>,
}

/// Something that waits.
#[derive(Debug)]
pub(super) enum Waiting {
    Frame(Queued),
    Answer(Answering),
}

/// An answer that waits, or what is left of it.
#[derive(Debug)]
pub(super) struct Answering {
    pub(super) address: Bytes,
    pub(super) lane: LaneId,
    pub(super) answer: Answer,
}

impl Waiting {
    /// What it holds of the queue's room, in bytes.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Frame(queued) => queued.address.len() + queued.frame.payload().len(),
            Self::Answer(Answering { address, answer, .. }) => {
                address.len()
                    + match answer {
                        Answer::Whole(message) => message.len(),
                        // Nothing of it is there before it is written.
                        Answer::InPieces(_) => 0,
                    }
            }
        }
    }

    pub(super) fn lane(&self) -> LaneId {
        match self {
            Self::Frame(queued) => queued.lane,
            Self::Answer(answering) => answering.lane,
        }
    }

    /// Whether it waits until it is written, whatever else becomes of its session.
    pub(super) fn is_kept(&self) -> bool {
        match self {
            Self::Frame(queued) => queued.frame.is_kept(),
            Self::Answer(_) => true,
        }
    }

    /// Whether it is an answer of this session.
    pub(super) fn answers(&self, session: LaneId) -> bool {
        matches!(self, Self::Answer(answering) if answering.lane == session)
    }

    /// Whether all of it is written within a moment.
    pub(super) fn is_short(&self) -> bool {
        !matches!(self, Self::Answer(Answering { answer: Answer::InPieces(_), .. }))
    }

    pub(super) fn is_presence(&self) -> bool {
        matches!(self, Self::Frame(Queued { frame: Frame::Awareness(_), .. }))
    }

    /// The change that it is, as what a session lacks without it.
    pub(super) fn change(&self) -> Option<&Before> {
        match self {
            Self::Frame(Queued { frame: Frame::Update(_, before), .. }) => Some(before),
            _ => None,
        }
    }
}
