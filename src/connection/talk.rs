//! What the loop of [`super::socket`] needs of whoever it is spoken with: one session, or many.

use std::time::Instant;

use bytes::Bytes;

use super::session::Inbound;
use crate::{document::outbox::LaneId, protocol::close::CloseReason};

/// What follows from one message of the peer.
#[derive(Debug)]
pub(super) enum Heard {
    /// Read on.
    More,
    /// Something was asked that may have a large answer: let it be queued before more is read.
    Asked,
    /// Answer a ping.
    Pong(Bytes),
    /// The peer is gone; `clean` if it meant to go.
    Ended {
        /// Whether its presence may be removed at once.
        clean: bool,
    },
    /// Close the connection, counting the refusal under this label.
    Refuse(CloseReason, &'static str),
}

/// One side of a conversation over a socket.
pub(super) trait Talk {
    /// Something of its own that it waits for.
    type News;

    /// Before the first message is read.
    async fn begin(&mut self) -> Result<(), CloseReason>;

    /// Understands one message. What is to be done is kept until [`Self::act`].
    fn hear(&mut self, inbound: Inbound, now: Instant) -> Heard;

    /// Does what follows from all that was heard.
    async fn act(&mut self) -> Result<(), CloseReason>;

    /// Resolves when something of its own has happened. May be dropped and called again.
    async fn news(&mut self) -> Self::News;

    /// Does what follows from that.
    async fn take_news(&mut self, news: Self::News, now: Instant) -> Result<(), CloseReason>;

    /// The queue has been written dry: a session is to be sent what was dropped from it.
    async fn catch_up(&mut self, lane: LaneId) -> Result<(), CloseReason>;

    /// A document ends a session.
    async fn ended(&mut self, lane: LaneId, reason: CloseReason) -> Result<(), CloseReason>;

    /// The heartbeat looks around.
    fn tick(&mut self, now: Instant) -> Result<(), CloseReason>;

    /// A message that says nothing, as address and payload; none if there is nobody to say it to.
    fn keepalive(&self) -> Option<(Bytes, Bytes)>;

    /// The connection is over for this reason, which the peer is about to hear.
    fn over(&self, _: CloseReason, _: Instant) {}

    /// The connection is over.
    async fn leave(&mut self, clean: bool);
}
