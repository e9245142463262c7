//! The bounded queue from documents to one connection.
//!
//! A document never waits for a reader. It puts frames into a session's [`Outbox`], which is the session's lane
//! in the [`SendQueue`] of its connection; the socket takes out all that is there and writes it at once. A
//! broadcast is encoded once, and the queues share the bytes: where several documents share a socket, each
//! lane has an address that goes before its frames.
//!
//! What happens when the queue is full: awareness that waits is dropped, because newer awareness replaces
//! it. If that is not enough, all updates that wait in the lane are dropped *together* and nothing more is
//! queued there; the lane remembers what its session now lacks ([`Lag`]). As soon as the socket has written
//! what was left, the document sends one difference that brings all of it. A session that does not get there
//! before the deadline is closed with 1013. Answers to the sessions' own questions are never dropped; while
//! they fill the queue, the connection stops reading further questions ([`SendQueue::has_room`]).

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    task::Waker,
    time::Instant,
};

use bytes::Bytes;
use parking_lot::Mutex;
use smallvec::SmallVec;

use super::backlog::{Backlog, Weigh};
pub use super::backlog::{Control, Drained, Limits};
use crate::protocol::{close::CloseReason, message::ClientId};

/// Where each client's clock stood before a broadcast: what a session lacks that did not get it.
pub type Before = Arc<SmallVec<[(ClientId, u32); 2]>>;

/// What a session lacks: for each client named, everything from this clock on.
pub type Lag = HashMap<ClientId, u32>;

/// A frame's payload and what may happen to it when the queue is full.
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
    pub fn payload(&self) -> &[u8] {
        match self {
            Self::Reply(payload)
            | Self::Update(payload, _)
            | Self::Awareness(payload)
            | Self::Notice(payload) => payload,
            Self::Control(control) => control.payload(),
        }
    }
}

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

/// A frame that waits, and whose it is.
#[derive(Clone, Debug)]
pub struct Queued {
    /// Goes before the payload; empty where a connection has one session.
    pub address: Bytes,
    /// What is to be written.
    pub frame: Frame,
    lane: LaneId,
}

/// Which session of a connection. Never used twice on one connection, so that a document that has not yet
/// heard of a session's end cannot speak to the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId(u32);

/// Frames that belong to the connection itself.
const NO_LANE: LaneId = LaneId(0);

/// The connection's end of its queue. Clones share it.
#[derive(Clone, Debug)]
pub struct SendQueue(Arc<Shared>);

/// The document's end: one session's lane in the queue of its connection. Clones share it.
#[derive(Clone, Debug)]
pub struct Outbox {
    shared: Arc<Shared>,
    lane: LaneId,
}

#[derive(Debug)]
struct Shared {
    limits: Limits,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Backlog<Queued>,
    /// In the order of their ids.
    lanes: SmallVec<[Lane; 1]>,
    last_lane: u32,
    /// Something is set on a lane that the reading side must see.
    news: bool,
    probe: bool,
}

#[derive(Debug)]
struct Lane {
    id: LaneId,
    address: Bytes,
    lag: Option<Box<(Instant, Lag)>>,
    /// Presence was dropped and nobody has repeated it yet.
    presence_dropped: bool,
    /// Set when the socket has drained the queue and asked the document for what was dropped.
    asked: bool,
    close: Option<CloseReason>,
    /// The reading side has been told of the close.
    told: bool,
}

/// What the reading side is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The queue has been written dry: ask this session's document for what was dropped.
    CatchUp(LaneId),
    /// The document ends this session.
    Ended(LaneId, CloseReason),
    /// Ping the peer now and close unless it answers soon.
    Probe,
    /// There is room again for answers: go on reading.
    Room,
    /// The connection is closing: stop reading.
    Closed,
}

impl SendQueue {
    /// An empty queue without sessions.
    pub fn new(limits: Limits) -> Self {
        Self(Arc::new(Shared { limits, queue: Mutex::default() }))
    }

    /// A lane for a session, whose frames all begin with `address`.
    pub fn open(&self, address: Bytes) -> Outbox {
        let mut queue = self.0.queue.lock();
        queue.last_lane += 1;
        let lane = LaneId(queue.last_lane);
        queue.lanes.push(Lane {
            id: lane,
            address,
            lag: None,
            presence_dropped: false,
            asked: false,
            close: None,
            told: false,
        });
        Outbox { shared: self.0.clone(), lane }
    }

    /// Takes a session's lane away. Answers that wait are still written; changes and presence that nobody
    /// will miss are not.
    pub fn remove(&self, lane: LaneId) {
        let mut queue = self.0.queue.lock();
        queue.lanes.retain(|known| known.id != lane);
        queue.waiting.keep(|queued| {
            queued.lane != lane || matches!(queued.frame, Frame::Reply(_) | Frame::Control(_))
        });
    }

    /// Queues an answer of the connection itself, of whatever size.
    pub fn send(&self, address: Bytes, payload: Bytes) {
        let waiting = &mut self.0.queue.lock().waiting;
        if waiting.closing().is_none() {
            waiting.push(Queued { address, frame: Frame::Reply(payload), lane: NO_LANE });
        }
    }

    /// Queues a frame of the transport.
    pub fn control(&self, control: Control) {
        let waiting = &mut self.0.queue.lock().waiting;
        if waiting.closing().is_none() {
            let frame = Frame::Control(control);
            waiting.push_quietly(Queued { address: Bytes::new(), frame, lane: NO_LANE });
        }
    }

    /// Whether the peer may ask more. When not, [`Notice::Room`] will say when it may again.
    pub fn has_room(&self) -> bool {
        self.0.queue.lock().waiting.has_room(&self.0.limits)
    }

    /// Ends the connection: what waits is still written, then the close frame. The first reason wins.
    pub fn close(&self, reason: CloseReason) {
        self.0.queue.lock().waiting.close(reason);
    }

    /// Wakes the socket, although there is nothing new.
    pub fn nudge(&self) {
        self.0.queue.lock().waiting.wake_writer();
    }

    /// Whether anything was queued since the last call: the heartbeat's question.
    pub fn take_activity(&self) -> bool {
        self.0.queue.lock().waiting.take_activity()
    }

    /// The socket takes all that waits: swapped with `taken`, which must be empty and is used again, so that
    /// a queue in steady use allocates nothing. Registers `waker` if there is nothing.
    pub fn drain(&self, taken: &mut VecDeque<Queued>, waker: &Waker) -> Drained {
        let mut queue = self.0.queue.lock();
        let news = queue.news;
        queue.waiting.drain(taken, waker, news)
    }

    /// What the reading side should do now, if anything. Registers `waker` if there is nothing.
    pub fn notice(&self, waker: &Waker) -> Option<Notice> {
        let mut queue = self.0.queue.lock();
        if queue.waiting.closing().is_some() {
            return Some(Notice::Closed);
        }
        if std::mem::take(&mut queue.probe) {
            return Some(Notice::Probe);
        }
        if queue.waiting.room_came() {
            return Some(Notice::Room);
        }
        if queue.news
            && let Some(notice) = queue.news_of_a_lane()
        {
            return Some(notice);
        }
        queue.waiting.register_reader(waker);
        None
    }
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
        let limits = &self.shared.limits;
        let size = lane.address.len() + frame.payload().len();
        let queued = Queued { address: lane.address.clone(), frame, lane: self.lane };
        if queue.waiting.fits(size, limits) || matches!(queued.frame, Frame::Reply(_) | Frame::Control(_)) {
            queue.waiting.push(queued);
            return Pushed::Queued;
        }
        queue.drop_presence();
        if queue.waiting.fits(size, limits) {
            queue.waiting.push(queued);
            return Pushed::Queued;
        }
        match queued.frame {
            Frame::Awareness(_) => {
                queue.lanes[index].presence_dropped = true;
                queue.news = true;
                return Pushed::Queued;
            }
            Frame::Notice(_) => {
                queue.close_lane(index, CloseReason::TryAgainLater);
                return Pushed::Closed;
            }
            _ => {}
        }
        queue.begin_to_lag(index, &queued, now);
        Pushed::BeganToLag
    }

    /// Ends the lag and queues what makes up for it, whatever its size. `make_up` is given what the session
    /// lacks of the document, if anything, and whether it missed presence.
    pub fn catch_up(&self, make_up: impl FnOnce(Option<&Lag>, bool) -> SmallVec<[Bytes; 2]>) {
        let (lag, presence) = {
            let mut queue = self.shared.queue.lock();
            let Some(index) = queue.open_lane(self.lane) else { return };
            let lane = &mut queue.lanes[index];
            lane.asked = false;
            (lane.lag.take(), std::mem::take(&mut lane.presence_dropped))
        };
        // The document is single-threaded, so nothing can be missed between taking the lag and queueing.
        let frames = make_up(lag.as_ref().map(|lag| &lag.1), presence);
        let mut queue = self.shared.queue.lock();
        let Some(index) = queue.open_lane(self.lane) else { return };
        let address = queue.lanes[index].address.clone();
        for payload in frames {
            let frame = Frame::Reply(payload);
            queue.waiting.push(Queued { address: address.clone(), frame, lane: self.lane });
        }
    }

    /// Whether the session has been behind since before `now - deadline`.
    pub fn is_overdue(&self, now: Instant) -> bool {
        let queue = self.shared.queue.lock();
        let lag = queue.lane(self.lane).and_then(|index| queue.lanes[index].lag.as_ref());
        lag.is_some_and(|lag| now.saturating_duration_since(lag.0) >= self.shared.limits.deadline)
    }

    /// What the session lacks of the document, if it is behind.
    pub fn lag(&self) -> Option<Lag> {
        let queue = self.shared.queue.lock();
        queue.lane(self.lane).and_then(|index| queue.lanes[index].lag.as_ref().map(|lag| lag.1.clone()))
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

impl Queue {
    fn lane(&self, id: LaneId) -> Option<usize> {
        match self.lanes.as_slice() {
            [only] => (only.id == id).then_some(0),
            lanes => lanes.binary_search_by_key(&id, |lane| lane.id).ok(),
        }
    }

    /// Where a lane is that may still be written to.
    fn open_lane(&self, id: LaneId) -> Option<usize> {
        if self.waiting.closing().is_some() {
            return None;
        }
        self.lane(id).filter(|&index| self.lanes[index].close.is_none())
    }

    fn close_lane(&mut self, index: usize, reason: CloseReason) {
        self.lanes[index].close = Some(reason);
        self.news = true;
        self.waiting.wake_reader();
    }

    fn begin_to_lag(&mut self, index: usize, refused: &Queued, now: Instant) {
        let id = self.lanes[index].id;
        let dropped: SmallVec<[Before; 8]> = self
            .waiting
            .iter()
            .filter(|queued| queued.lane == id)
            .chain(std::iter::once(refused))
            .filter_map(|queued| match &queued.frame {
                Frame::Update(_, before) => Some(before.clone()),
                _ => None,
            })
            .collect();
        let lane = &mut self.lanes[index];
        lane.lag = Some(Box::new((now, Lag::new())));
        lane.asked = false;
        for before in dropped {
            lane.note(&before);
        }
        self.news = true;
        self.waiting
            .shed(|queued| queued.lane != id || matches!(queued.frame, Frame::Reply(_) | Frame::Control(_)));
    }

    /// The next thing on a lane that the reading side has not been told.
    fn news_of_a_lane(&mut self) -> Option<Notice> {
        let is_dry = self.waiting.is_dry();
        let mut waits = false;
        for lane in &mut self.lanes {
            if let Some(reason) = lane.close {
                if !std::mem::replace(&mut lane.told, true) {
                    return Some(Notice::Ended(lane.id, reason));
                }
            } else if lane.owes() {
                if is_dry {
                    lane.asked = true;
                    return Some(Notice::CatchUp(lane.id));
                }
                waits = true;
            }
        }
        self.news = waits;
        None
    }

    fn drop_presence(&mut self) {
        let mut dropped: SmallVec<[LaneId; 4]> = SmallVec::new();
        self.waiting.keep(|queued| {
            let is_presence = matches!(queued.frame, Frame::Awareness(_));
            if is_presence && !dropped.contains(&queued.lane) {
                dropped.push(queued.lane);
            }
            !is_presence
        });
        for lane in dropped {
            if let Some(index) = self.lane(lane) {
                self.lanes[index].presence_dropped = true;
                self.news = true;
            }
        }
    }
}

impl Weigh for Queued {
    fn size(&self) -> usize {
        self.address.len() + self.frame.payload().len()
    }
}

impl Lane {
    /// Whether something was dropped that the document has not been asked for.
    fn owes(&self) -> bool {
        (self.lag.is_some() || self.presence_dropped) && !self.asked
    }

    fn note(&mut self, before: &Before) {
        let Some(lag) = &mut self.lag else { return };
        for &(client, clock) in before.iter() {
            lag.1.entry(client).and_modify(|known| *known = clock.min(*known)).or_insert(clock);
        }
    }
}

#[cfg(test)]
mod tests;
