//! One session's lane in the queue of its connection, and what becomes of a message that finds no room.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;

use super::{
    Shared,
    frame::{Answer, Before, Frame, Lag, LaneId, MadeUp, Queued, Waiting},
};
use crate::protocol::close::CloseReason;

/// What the queue did with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It waits for the socket.
    Queued,
    /// The queue was full; the session now lags, and this is the first frame it lost.
    BeganToLag,
    /// The session lags; the frame is covered by the difference that will be sent.
    Lagging,
    /// The session is closing.
    Closed,
}

/// The document's end: one session's lane in the queue of its connection. Clones share it.
#[derive(Clone, Debug)]
pub struct Outbox {
    pub(super) shared: Arc<Shared>,
    pub(super) lane: LaneId,
}

/// What the queue knows of a session.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) id: LaneId,
    pub(super) address: Bytes,
    pub(super) lag: Option<Box<Lagging>>,
    /// The next message of an answer to it is being made, and what is left of the answer is wanted.
    pub(super) is_answered: bool,
    /// Presence was dropped and nobody has repeated it yet.
    pub(super) presence_dropped: bool,
    /// Set when the socket has drained the queue and asked the document for what was dropped.
    pub(super) asked: bool,
    pub(super) close: Option<CloseReason>,
    /// The reading side has been told of the close.
    pub(super) told: bool,
}

/// A session that is behind.
#[derive(Debug)]
pub(super) struct Lagging {
    /// Since when, or since when it has taken nothing of an answer.
    since: Instant,
    /// How many messages of answers it had taken by then.
    pieces: u64,
    pub(super) lacks: Lag,
}

impl Outbox {
    /// Which session of the connection this is.
    pub fn lane(&self) -> LaneId {
        self.lane
    }

    /// Queues a frame, or notes what the session will lack. Never waits.
    pub fn push(&self, frame: Frame, now: Instant) -> Pushed {
        let mut guard = self.shared.queue.lock();
        let queue = &mut *guard;
        let Some(index) = queue.open_lane(self.lane) else { return Pushed::Closed };
        let lane = &mut queue.lanes[index];
        match frame {
            Frame::Update(_, before) if lane.lag.is_some() => {
                lane.note(&before);
                return Pushed::Lagging;
            }
            Frame::Awareness(_) if lane.lag.is_some() => {
                lane.presence_dropped = true;
                return Pushed::Lagging;
            }
            _ => {}
        }
        let is_presence = matches!(frame, Frame::Awareness(_));
        let is_notice = matches!(frame, Frame::Notice(_));
        let waiting = Waiting::Frame(Queued { address: lane.address.clone(), frame, lane: self.lane });
        if waiting.is_kept() || queue.makes_room(waiting.size(), &self.shared.limits) {
            queue.waiting.push(waiting);
            return Pushed::Queued;
        }
        if is_presence {
            queue.lanes[index].presence_dropped = true;
            queue.news = true;
            return Pushed::Queued;
        }
        if is_notice {
            queue.give_up(index);
            return Pushed::Closed;
        }
        queue.begin_to_lag(index, &waiting, now);
        Pushed::BeganToLag
    }

    /// Queues an answer, whatever its size. It takes the place of one that was asked for before and is not written yet,
    /// or of what is left of it: what the session knows by now it says when it asks.
    pub fn answer(&self, answer: Answer) {
        let mut queue = self.shared.queue.lock();
        if let Some(index) = queue.open_lane(self.lane) {
            queue.answer_anew(index, answer);
        }
    }

    /// Answers this session's own question, in a message that is not dropped.
    pub fn reply(&self, payload: impl Into<Bytes>) {
        let mut queue = self.shared.queue.lock();
        if let Some(index) = queue.open_lane(self.lane) {
            queue.push(index, Frame::Reply(payload.into()));
        }
    }

    /// Says what cannot be made up for. A session that has no room for it is closed.
    pub fn tell(&self, payload: impl Into<Bytes>) {
        let payload = payload.into();
        let mut queue = self.shared.queue.lock();
        let Some(index) = queue.open_lane(self.lane) else { return };
        let size = queue.lanes[index].address.len() + payload.len();
        if queue.makes_room(size, &self.shared.limits) {
            queue.push(index, Frame::Notice(payload));
        } else {
            queue.give_up(index);
        }
    }

    /// Says what the next of its kind replaces: not at all, if something else still waits.
    pub fn mention(&self, payload: impl Into<Bytes>) {
        let mut queue = self.shared.queue.lock();
        if let Some(index) = queue.open_lane(self.lane).filter(|_| queue.waiting.is_empty()) {
            queue.push(index, Frame::Reply(payload.into()));
        }
    }

    /// Ends the lag and queues what makes up for it, whatever its size. `make_up` is given what the session
    /// lacks of the document, if anything, and whether it missed presence.
    pub fn catch_up(&self, make_up: impl FnOnce(Option<&Lag>, bool) -> MadeUp) {
        let (lag, presence) = {
            let mut queue = self.shared.queue.lock();
            let Some(index) = queue.open_lane(self.lane) else { return };
            let lane = &mut queue.lanes[index];
            lane.asked = false;
            (lane.lag.take(), std::mem::take(&mut lane.presence_dropped))
        };
        // The document is single-threaded, so nothing can be missed between taking the lag and queueing.
        let MadeUp { changes, presence } = make_up(lag.as_ref().map(|lag| &lag.lacks), presence);
        let mut queue = self.shared.queue.lock();
        let Some(index) = queue.open_lane(self.lane) else { return };
        if let Some(changes) = changes {
            queue.answer(index, changes);
        }
        if let Some(presence) = presence {
            queue.push(index, Frame::Reply(presence));
        }
    }

    /// Whether the session has been behind since before `now - deadline`, and has taken nothing of an answer since then.
    pub fn is_overdue(&self, now: Instant) -> bool {
        let mut queue = self.shared.queue.lock();
        let pieces = queue.pieces;
        let Some(index) = queue.lane(self.lane) else { return false };
        let Some(lag) = &mut queue.lanes[index].lag else { return false };
        if std::mem::replace(&mut lag.pieces, pieces) != pieces {
            lag.since = now;
        }
        now.saturating_duration_since(lag.since) >= self.shared.limits.deadline
    }

    /// What the session lacks of the document, if it is behind.
    pub fn lag(&self) -> Option<Lag> {
        let queue = self.shared.queue.lock();
        queue.lane(self.lane).and_then(|index| queue.lanes[index].lag.as_ref().map(|lag| lag.lacks.clone()))
    }

    /// Whether the session is behind.
    pub fn is_lagging(&self) -> bool {
        let queue = self.shared.queue.lock();
        queue.lane(self.lane).is_some_and(|index| queue.lanes[index].lag.is_some())
    }

    /// Ends the session; what waits is still written. The first reason wins. What it means for the
    /// connection is decided there.
    pub fn close(&self, reason: CloseReason) {
        let mut queue = self.shared.queue.lock();
        if let Some(index) = queue.open_lane(self.lane) {
            queue.close_lane(index, reason);
        }
    }

    /// Why the session is closing, if it is.
    pub fn closing(&self) -> Option<CloseReason> {
        let queue = self.shared.queue.lock();
        queue.waiting.closing().or_else(|| queue.lanes[queue.lane(self.lane)?].close)
    }

    /// Asks the connection to make sure that its peer is alive.
    pub fn probe(&self) {
        let mut queue = self.shared.queue.lock();
        queue.probe = true;
        queue.waiting.wake_reader();
    }
}

impl Lane {
    pub(super) fn new(id: LaneId, address: Bytes) -> Self {
        Self {
            id,
            address,
            lag: None,
            is_answered: false,
            presence_dropped: false,
            asked: false,
            close: None,
            told: false,
        }
    }

    /// Whether something was dropped that the document has not been asked for.
    pub(super) fn owes(&self) -> bool {
        (self.lag.is_some() || self.presence_dropped) && !self.asked
    }

    /// From here on it lacks these changes, and all that come.
    pub(super) fn begin_to_lag(&mut self, changes: &[Before], now: Instant, pieces: u64) {
        self.lag = Some(Box::new(Lagging { since: now, pieces, lacks: Lag::new() }));
        self.asked = false;
        changes.iter().for_each(|before| self.note(before));
    }

    fn note(&mut self, before: &Before) {
        let Some(lag) = &mut self.lag else { return };
        for &(client, clock) in before.iter() {
            lag.lacks.entry(client).and_modify(|known| *known = clock.min(*known)).or_insert(clock);
        }
    }
}
