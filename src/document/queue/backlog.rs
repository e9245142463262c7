//! What waits, in order, and the room it takes.
//!
//! Two tasks look at it. The writer takes what waits, a part at a time ([`Backlog::drain`]), and what it took counts until it
//! comes for more, which says that it was written; the reader asks whether the peer may ask more ([`Backlog::has_room`])
//! and is woken when there is something it must see. What may be dropped when the bounds are reached is the business of
//! the lanes: [`super::outbox`].

use std::{collections::VecDeque, task::Waker, time::Duration};

use bytes::Bytes;

use super::frame::{Answer, Answering, Frame, InPieces, LaneId, Queued, Waiting};
use crate::protocol::close::CloseReason;

/// The bounds of one connection's queue.
#[derive(Clone, Copy, Debug)]
pub struct QueueLimits {
    /// Bytes of messages that may wait.
    pub bytes: usize,
    /// Messages that may wait.
    pub frames: usize,
    /// How long a session may stay behind before it is closed, counted from the last piece of an answer that it took.
    pub deadline: Duration,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self { bytes: 1024 * 1024, frames: 1024, deadline: Duration::from_secs(30) }
    }
}

/// What the writing side finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Frames were moved into the caller's queue, to be written in order.
    Frames,
    /// Write this close reason and end.
    Close(CloseReason),
    /// Nothing; the waker is registered.
    Empty,
}

/// The same, where an answer has to make its next message first.
pub(super) enum Found {
    Drained(Drained),
    InPieces { address: Bytes, lane: LaneId, pieces: InPieces },
}

/// What the writer takes at once, in bytes: many small messages are one write, and a large one is the last of those taken.
const AT_ONCE: usize = 64 << 10;

/// What waits, in order.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    waiting: VecDeque<Waiting>,
    /// Of what waits and of what is being written.
    bytes: usize,
    /// Of what was taken, until more is asked for.
    taken: usize,
    /// Set while the socket waits for more: it has written all that there was. An empty queue says less,
    /// because it may have been emptied by dropping.
    dry: bool,
    close: Option<CloseReason>,
    /// The reader waits for room.
    blocked: bool,
    /// Anything said since the heartbeat last looked?
    active: bool,
    /// Wakes the task that writes to the socket.
    writer: Option<Waker>,
    /// Wakes the task that reads from the socket.
    reader: Option<Waker>,
}

impl Backlog {
    /// Whether a frame of this size may still wait.
    pub(super) fn fits(&self, size: usize, limits: &QueueLimits) -> bool {
        // An empty queue takes a frame of any size: it could never be sent otherwise.
        self.waiting.is_empty() || (self.bytes + size <= limits.bytes && self.waiting.len() < limits.frames)
    }

    /// Queues what is said to the peer.
    pub(super) fn push(&mut self, waiting: Waiting) {
        self.active = true;
        self.bytes += waiting.size();
        self.waiting.push_back(waiting);
        self.wake_writer();
    }

    /// Queues a frame of the transport, which the application on the other side does not see: before a long answer, behind
    /// which it would come too late.
    pub(super) fn push_control(&mut self, waiting: Waiting) {
        let at = self.waiting.iter().position(|waiting| !waiting.is_short()).unwrap_or(self.waiting.len());
        self.bytes += waiting.size();
        self.waiting.insert(at, waiting);
        self.wake_writer();
    }

    /// Queues what is left of an answer, before all that came since.
    pub(super) fn push_front(&mut self, answering: Answering) {
        let waiting = Waiting::Answer(answering);
        self.bytes += waiting.size();
        self.waiting.push_front(waiting);
        self.wake_writer();
    }

    /// Where the first answer of a lane stands, if one waits. All but that are dropped.
    pub(super) fn only_answer(&mut self, lane: LaneId) -> Option<usize> {
        let first = self.waiting.iter().position(|waiting| waiting.answers(lane))?;
        let mut at = 0;
        self.keep(|waiting| {
            at += 1;
            at - 1 == first || !waiting.answers(lane)
        });
        Some(first)
    }

    /// Puts something in the place of what stands there.
    pub(super) fn replace(&mut self, at: usize, answering: Answering) {
        if let Some(place) = self.waiting.get_mut(at) {
            *place = Waiting::Answer(answering);
        }
        self.keep(|_| true);
    }

    /// A message of so many bytes is being written.
    pub(super) fn takes(&mut self, size: usize) {
        self.bytes += size;
        self.taken += size;
        self.active = true;
    }

    /// Drops what is not to be kept.
    pub(super) fn keep(&mut self, keep: impl FnMut(&Waiting) -> bool) {
        self.waiting.retain(keep);
        self.bytes = self.taken + self.waiting.iter().map(Waiting::size).sum::<usize>();
    }

    /// Drops what is not to be kept because more came than may wait. The socket is made to say again that it has
    /// written the rest, and the reader to look.
    pub(super) fn shed(&mut self, keep: impl FnMut(&Waiting) -> bool) {
        self.keep(keep);
        self.dry = false;
        self.wake_writer();
        self.wake_reader();
    }

    /// What waits.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Waiting> {
        self.waiting.iter()
    }

    /// Messages that wait, and bytes of those and of what is being written; the books are checked.
    #[cfg(test)]
    pub(super) fn weight(&self) -> (usize, usize) {
        assert_eq!(self.bytes, self.taken + self.iter().map(Waiting::size).sum::<usize>());
        (self.waiting.len(), self.bytes)
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether the socket has written everything, and not only had it taken away.
    pub(super) fn is_dry(&self) -> bool {
        self.dry && self.waiting.is_empty()
    }

    /// Whether the peer may ask more. When not, [`Self::room_came`] is true once it may again.
    pub(super) fn has_room(&mut self, limits: &QueueLimits) -> bool {
        self.blocked = self.bytes > limits.bytes || self.waiting.len() > limits.frames;
        !self.blocked
    }

    /// Whether the reader waited for room and has it now. True once.
    pub(super) fn room_came(&mut self, limits: &QueueLimits) -> bool {
        let came = self.blocked && self.bytes <= limits.bytes && self.waiting.len() <= limits.frames;
        self.blocked &= !came;
        came
    }

    /// Whether anything was said since the last call: the heartbeat's question.
    pub(super) fn take_activity(&mut self) -> bool {
        std::mem::take(&mut self.active)
    }

    /// Ends the connection: what waits is still written, but for long answers, and then the close frame. The first
    /// reason wins.
    pub(super) fn close(&mut self, reason: CloseReason) {
        if self.close.is_none() {
            self.close = Some(reason);
            self.keep(Waiting::is_short);
            self.wake_writer();
            self.wake_reader();
        }
    }

    /// Why the connection is closing, if it is.
    pub(super) fn closing(&self) -> Option<CloseReason> {
        self.close
    }

    /// The socket has written what it took before, and takes more of what waits: into `taken`, which must be
    /// empty. Registers `waker` if there is nothing; then the reader looks if there is `news` for it, which it may get only
    /// once the queue is dry.
    pub(super) fn drain(&mut self, taken: &mut VecDeque<Queued>, waker: &Waker, news: bool) -> Found {
        debug_assert!(taken.is_empty());
        self.bytes -= std::mem::take(&mut self.taken);
        if self.blocked {
            self.wake_reader();
        }
        while self.taken < AT_ONCE
            && let Some(next) = self.waiting.front()
            && (next.is_short() || taken.is_empty())
        {
            let size = next.size();
            self.dry = false;
            match self.waiting.pop_front() {
                Some(Waiting::Frame(queued)) => taken.push_back(queued),
                Some(Waiting::Answer(Answering { address, lane, answer: Answer::Whole(message) })) => {
                    taken.push_back(Queued { address, frame: Frame::Reply(message), lane });
                }
                Some(Waiting::Answer(Answering { address, lane, answer: Answer::InPieces(pieces) })) => {
                    self.bytes -= size;
                    return Found::InPieces { address, lane, pieces };
                }
                None => {}
            }
            self.taken += size;
        }
        if !taken.is_empty() {
            return Found::Drained(Drained::Frames);
        }
        if let Some(reason) = self.close {
            return Found::Drained(Drained::Close(reason));
        }
        self.dry = true;
        // Its room is not kept by a connection that may now be idle for hours.
        self.waiting = VecDeque::new();
        if news {
            self.wake_reader();
        }
        register(&mut self.writer, waker);
        Found::Drained(Drained::Empty)
    }

    /// The reader wants to be woken.
    pub(super) fn register_reader(&mut self, waker: &Waker) {
        register(&mut self.reader, waker);
    }

    /// The writer looks again.
    pub(super) fn wake_writer(&mut self) {
        wake(&mut self.writer);
    }

    /// The reader looks again.
    pub(super) fn wake_reader(&mut self) {
        wake(&mut self.reader);
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

fn register(known: &mut Option<Waker>, waker: &Waker) {
    if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
        *known = Some(waker.clone());
    }
}
