//! What the loop of [`mod@super::line`] needs of whoever it is spoken with: one session of any dialect, or many.

use std::{future::pending, time::Instant};

use bytes::Bytes;

use super::session::{Inbound, is_goodbye};
use crate::{
    document::{queue::LaneId, rate::Rate},
    ids::Moment,
    protocol::close::CloseReason,
};

/// How often a peer is heard that speaks JSON. What it says beyond this is read later, so that its own line fills up and
/// nothing is lost; a person says a tenth of it at most, and a program that writes faster does so in longer messages.
pub(super) const PACE: Rate = Rate { burst: 1000.0, per_second: 500.0 };

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

/// A message of a peer that speaks JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum JsonFrame {
    /// A text; the bytes are UTF-8.
    Text(Bytes),
    /// Something else. The dialect says that it wants text.
    Binary,
}

/// What a peer says that speaks JSON, or what follows from what is no message.
pub(super) fn read_text(inbound: Inbound) -> Result<JsonFrame, Heard> {
    match inbound {
        Inbound::Text(text) => Ok(JsonFrame::Text(text)),
        Inbound::Binary(_) => Ok(JsonFrame::Binary),
        Inbound::Ping(payload) => Err(Heard::Pong(payload)),
        Inbound::Pong => Err(Heard::More),
        Inbound::TooLarge(_) => Err(Heard::Refuse(CloseReason::TooBig, "frame_too_large")),
        Inbound::Close(code) => Err(Heard::Ended { clean: is_goodbye(code) }),
    }
}

/// That the time of whoever is spoken with is not over.
pub(super) fn until(ends: Option<Instant>, now: Instant) -> Result<(), CloseReason> {
    if ends.is_some_and(|ends| ends <= now) { Err(CloseReason::Unauthorized) } else { Ok(()) }
}

/// The conversation with somebody who was not let in: they hear why, as browsers show nobody what an upgrade is answered.
pub(super) struct RefusedTalk(pub CloseReason);

impl Talk for RefusedTalk {
    type News = std::convert::Infallible;

    async fn begin(&mut self) -> Result<(), CloseReason> {
        Err(self.0)
    }

    fn hear(&mut self, _: Inbound, _: Moment) -> Heard {
        Heard::More
    }
}

/// One side of a conversation over a socket.
pub(super) trait Talk {
    /// Something of its own that it waits for: `Infallible`, if there is nothing.
    type News;

    /// Before the first message is read.
    async fn begin(&mut self) -> Result<(), CloseReason> {
        Ok(())
    }

    /// How often the peer is heard; without it, as often as it speaks.
    fn pace(&self) -> Option<Rate> {
        None
    }

    /// Understands one message. What is to be done is kept until [`Self::act`].
    fn hear(&mut self, inbound: Inbound, now: Moment) -> Heard;

    /// Does what follows from all that was heard.
    async fn act(&mut self) -> Result<(), CloseReason> {
        Ok(())
    }

    /// Resolves when something of its own has happened. May be dropped and called again.
    async fn news(&mut self) -> Self::News {
        pending().await
    }

    /// Does what follows from that.
    async fn take_news(&mut self, _: Self::News, _: Moment) -> Result<(), CloseReason> {
        Ok(())
    }

    /// The queue has been written dry: a session is to be sent what was dropped from it. Nothing, where nothing may be.
    async fn catch_up(&mut self, _: LaneId) -> Result<(), CloseReason> {
        Ok(())
    }

    /// A document ends a session: the connection, where that is the only one.
    async fn ended(&mut self, _: LaneId, reason: CloseReason) -> Result<(), CloseReason> {
        Err(reason)
    }

    /// The heartbeat looks around.
    fn tick(&mut self, _: Instant) -> Result<(), CloseReason> {
        Ok(())
    }

    /// A message that says nothing, as address and payload; none if there is nobody to say it to.
    fn keepalive(&self) -> Option<(Bytes, Bytes)> {
        None
    }

    /// The connection is over for this reason, which the peer is about to hear.
    fn over(&self, _: CloseReason, _: Instant) {}

    /// The connection is over.
    async fn leave(&mut self, _clean: bool) {}
}
