//! The bounded queue from documents to one connection, of whatever dialect.
//!
//! A document never waits for a reader. It puts messages into a session's [`Outbox`], which is the session's lane
//! in the [`SendQueue`] of its connection; the socket takes out what is there and writes it at once. A
//! broadcast is encoded once, and the queues share the bytes: where several documents share a socket, each
//! lane has an address that goes before its messages.
//!
//! What happens when the queue is full depends on the class of a message ([`Frame`]). Presence that waits is dropped,
//! because newer presence replaces it. If that is not enough, all changes that wait in the lane are dropped *together* and
//! nothing more is queued there; the lane remembers what its session now lacks ([`Lag`]). As soon as the socket has
//! written what was left, the document sends one difference that brings all of it, or tells everything anew. A session that
//! does not get there before the deadline is closed with 1013, and so is one that has no room for what cannot be
//! made up for. Answers to the sessions' own questions are never dropped; while they fill the queue, the
//! connection stops reading further questions ([`SendQueue::has_room`]). A large answer does not wait as a whole: it is
//! an [`Answer`], whose messages are made one by one as they are written, and one that is asked for anew takes its place.

mod backlog;
mod frame;
mod outbox;

use std::{collections::VecDeque, sync::Arc, task::Waker, time::Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use smallvec::SmallVec;

use self::{
    backlog::{Backlog, Found},
    frame::{Answering, Waiting},
    outbox::Lane,
};
pub use self::{
    backlog::{Drained, QueueLimits},
    frame::{Answer, Before, Control, Frame, InPieces, Lag, LaneId, MadeUp, Queued},
    outbox::{Outbox, Pushed},
};
use crate::protocol::close::CloseReason;

/// Frames that belong to the connection itself.
const NO_LANE: LaneId = LaneId(0);

/// The connection's end of its queue. Clones share it.
#[derive(Clone, Debug)]
pub struct SendQueue(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: QueueLimits,
    is_text: bool,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Backlog,
    /// In the order of their ids.
    lanes: SmallVec<[Lane; 1]>,
    last_lane: u32,
    /// Counts the messages of answers that were taken: whoever takes those is slow, but not gone.
    pieces: u64,
    /// Something is set on a lane that the reading side must see.
    news: bool,
    probe: bool,
}

/// What the reading side is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
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
    /// An empty queue without sessions, of messages in bytes.
    pub fn new(limits: QueueLimits) -> Self {
        Self(Arc::new(Shared { limits, is_text: false, queue: Mutex::default() }))
    }

    /// The same of messages in UTF-8.
    pub fn of_text(limits: QueueLimits) -> Self {
        Self(Arc::new(Shared { limits, is_text: true, queue: Mutex::default() }))
    }

    /// Whether its messages are text.
    pub fn is_text(&self) -> bool {
        self.0.is_text
    }

    /// A lane for a session, whose frames all begin with `address`.
    pub fn open(&self, address: Bytes) -> Outbox {
        let mut queue = self.0.queue.lock();
        queue.last_lane += 1;
        let lane = LaneId(queue.last_lane);
        queue.lanes.push(Lane::new(lane, address));
        Outbox { shared: self.0.clone(), lane }
    }

    /// Takes a session's lane away. What it was told for good is still written; what nobody will miss is not: changes,
    /// presence, and the answer to its question.
    pub fn remove(&self, lane: LaneId) {
        let mut queue = self.0.queue.lock();
        queue.lanes.retain(|known| known.id != lane);
        queue.waiting.keep(|waiting| waiting.lane() != lane || waiting.is_kept() && !waiting.answers(lane));
    }

    /// Queues an answer of the connection itself, of whatever size.
    pub fn send(&self, address: Bytes, payload: Bytes) {
        let waiting = &mut self.0.queue.lock().waiting;
        if waiting.closing().is_none() {
            waiting.push(Waiting::Frame(Queued { address, frame: Frame::Reply(payload), lane: NO_LANE }));
        }
    }

    /// Queues a frame of the transport, which goes before a long answer.
    pub fn control(&self, control: Control) {
        let waiting = &mut self.0.queue.lock().waiting;
        if waiting.closing().is_none() {
            let frame = Frame::Control(control);
            waiting.push_control(Waiting::Frame(Queued { address: Bytes::new(), frame, lane: NO_LANE }));
        }
    }

    /// Whether the peer may ask more. When not, [`Signal::Room`] will say when it may again.
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

    /// The socket has written what it took before, and takes more: into `taken`, which must be empty and is used again, as
    /// much as is worth one write. Registers `waker` if there is nothing.
    pub fn drain(&self, taken: &mut VecDeque<Queued>, waker: &Waker) -> Drained {
        loop {
            let (address, lane, mut pieces) = {
                let mut queue = self.0.queue.lock();
                let news = queue.news;
                match queue.waiting.drain(taken, waker, news) {
                    Found::Drained(drained) => return drained,
                    Found::InPieces { address, lane, pieces } => {
                        queue.takes_from(lane, true);
                        (address, lane, pieces)
                    }
                }
            };
            // Not while the queue is held: whoever speaks to the same peer would wait for it.
            let piece = pieces.next();
            let mut queue = self.0.queue.lock();
            queue.pieces += 1;
            let is_wanted = queue.takes_from(lane, false);
            let Some(piece) = piece else { continue };
            queue.waiting.takes(address.len() + piece.len());
            taken.push_back(Queued { address: address.clone(), frame: Frame::Reply(piece), lane });
            if is_wanted {
                let answer = Answer::InPieces(pieces);
                queue.waiting.push_front(Answering { address, lane, answer });
            }
            return Drained::Frames;
        }
    }

    /// Counts the messages of long answers that the peer has taken, but for the last: whoever takes those lives, although
    /// nothing is heard of it.
    pub fn pieces(&self) -> u64 {
        self.0.queue.lock().pieces
    }

    /// What the reading side should do now, if anything. Registers `waker` if there is nothing.
    pub fn signal(&self, waker: &Waker) -> Option<Signal> {
        let mut queue = self.0.queue.lock();
        if queue.waiting.closing().is_some() {
            return Some(Signal::Closed);
        }
        if std::mem::take(&mut queue.probe) {
            return Some(Signal::Probe);
        }
        if queue.waiting.room_came(&self.0.limits) {
            return Some(Signal::Room);
        }
        if queue.news
            && let Some(signal) = queue.news_of_a_lane()
        {
            return Some(signal);
        }
        queue.waiting.register_reader(waker);
        None
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

    /// The writer begins or ceases to make a message of an answer of a lane. Whether what is left of the answer is still to
    /// be written: its session is there and has not asked anew.
    fn takes_from(&mut self, lane: LaneId, begins: bool) -> bool {
        let Some(index) = self.open_lane(lane) else { return false };
        std::mem::replace(&mut self.lanes[index].is_answered, begins)
    }

    /// Queues the answer to a question of a lane: in the place of the one before, if that is not written yet. What waits
    /// behind that builds upon it.
    fn answer_anew(&mut self, index: usize, answer: Answer) {
        let Lane { id, address, .. } = &self.lanes[index];
        let answering = Answering { address: address.clone(), lane: *id, answer };
        let place = self.waiting.only_answer(*id);
        if std::mem::take(&mut self.lanes[index].is_answered) {
            self.waiting.push_front(answering);
        } else if let Some(at) = place {
            self.waiting.replace(at, answering);
        } else {
            self.waiting.push(Waiting::Answer(answering));
        }
    }

    /// Queues what makes up for changes in a lane.
    fn answer(&mut self, index: usize, answer: Answer) {
        let Lane { id, address, .. } = &self.lanes[index];
        let answering = Answering { address: address.clone(), lane: *id, answer };
        self.waiting.push(Waiting::Answer(answering));
    }

    /// Queues a message of a lane.
    fn push(&mut self, index: usize, frame: Frame) {
        let Lane { id, address, .. } = &self.lanes[index];
        let queued = Queued { address: address.clone(), frame, lane: *id };
        self.waiting.push(Waiting::Frame(queued));
    }

    /// Whether there is room for so many bytes, if need be in place of presence.
    fn makes_room(&mut self, size: usize, limits: &QueueLimits) -> bool {
        if !self.waiting.fits(size, limits) {
            self.drop_presence();
        }
        self.waiting.fits(size, limits)
    }

    /// Ends a session that is too slow for what cannot be made up for. What waits for it is let go: the close frame must
    /// find its way.
    fn give_up(&mut self, index: usize) {
        self.let_go(self.lanes[index].id);
        self.close_lane(index, CloseReason::TryAgainLater);
    }

    fn begin_to_lag(&mut self, index: usize, refused: &Waiting, now: Instant) {
        let id = self.lanes[index].id;
        let waiting = self.waiting.iter().filter(|waiting| waiting.lane() == id);
        let dropped: SmallVec<[Before; 8]> =
            waiting.chain(std::iter::once(refused)).filter_map(Waiting::change).cloned().collect();
        let pieces = self.pieces;
        self.lanes[index].begin_to_lag(&dropped, now, pieces);
        self.news = true;
        self.let_go(id);
    }

    /// Drops what waits in a lane and may be dropped.
    fn let_go(&mut self, id: LaneId) {
        self.waiting.shed(|waiting| waiting.lane() != id || waiting.is_kept());
    }

    /// The next thing on a lane that the reading side has not been told.
    fn news_of_a_lane(&mut self) -> Option<Signal> {
        let is_dry = self.waiting.is_dry();
        let mut waits = false;
        for lane in &mut self.lanes {
            if let Some(reason) = lane.close {
                if !std::mem::replace(&mut lane.told, true) {
                    return Some(Signal::Ended(lane.id, reason));
                }
            } else if lane.owes() {
                if is_dry {
                    lane.asked = true;
                    return Some(Signal::CatchUp(lane.id));
                }
                waits = true;
            }
        }
        self.news = waits;
        None
    }

    fn drop_presence(&mut self) {
        let mut dropped: SmallVec<[LaneId; 4]> = SmallVec::new();
        self.waiting.keep(|waiting| {
            let (is_presence, lane) = (waiting.is_presence(), waiting.lane());
            if is_presence && !dropped.contains(&lane) {
                dropped.push(lane);
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

#[cfg(test)]
mod tests;
