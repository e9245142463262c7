//! What waits for a socket to write it: the part that every queue to a peer has, whatever is queued.
//!
//! Two tasks look at it. The writer takes all that waits ([`Backlog::drain`]); the reader asks whether the peer
//! may ask more ([`Backlog::has_room`]) and is woken when there is something it must see. What may be dropped
//! when the bounds are reached is the business of the queues: [`super::outbox`] and [`super::text_queue`].

use std::{collections::VecDeque, task::Waker, time::Duration};

use bytes::Bytes;

use crate::protocol::close::CloseReason;

/// The bounds of one connection's queue.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of frames that may wait.
    pub bytes: usize,
    /// Frames that may wait.
    pub frames: usize,
    /// How long a session may stay behind before it is closed.
    pub deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 1024 * 1024, frames: 1024, deadline: Duration::from_secs(30) }
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
    pub fn payload(&self) -> &[u8] {
        match self {
            Self::Ping => &[],
            Self::Pong(payload) => payload,
        }
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

/// Something that takes up room while it waits.
pub(super) trait Weigh {
    /// Bytes inside the frame.
    fn size(&self) -> usize;
}

/// What waits, in order.
#[derive(Debug)]
pub(super) struct Backlog<T> {
    frames: VecDeque<T>,
    bytes: usize,
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

impl<T> Default for Backlog<T> {
    fn default() -> Self {
        Self {
            frames: VecDeque::new(),
            bytes: 0,
            dry: false,
            close: None,
            blocked: false,
            active: false,
            writer: None,
            reader: None,
        }
    }
}

impl<T: Weigh> Backlog<T> {
    /// Whether a frame of this size may still wait.
    pub(super) fn fits(&self, size: usize, limits: &Limits) -> bool {
        // An empty queue takes a frame of any size: it could never be sent otherwise.
        self.frames.is_empty() || (self.bytes + size <= limits.bytes && self.frames.len() < limits.frames)
    }

    /// Queues what is said to the peer.
    pub(super) fn push(&mut self, frame: T) {
        self.active = true;
        self.push_quietly(frame);
    }

    /// Queues a frame that the application on the other side does not see.
    pub(super) fn push_quietly(&mut self, frame: T) {
        self.bytes += frame.size();
        self.frames.push_back(frame);
        self.wake_writer();
    }

    /// Drops what is not to be kept.
    pub(super) fn keep(&mut self, keep: impl FnMut(&T) -> bool) {
        self.frames.retain(keep);
        self.bytes = self.frames.iter().map(Weigh::size).sum();
    }

    /// Drops what is not to be kept because more came than may wait. The socket is made to say again that it has
    /// written the rest, and the reader to look.
    pub(super) fn shed(&mut self, keep: impl FnMut(&T) -> bool) {
        self.keep(keep);
        self.dry = false;
        self.wake_writer();
        self.wake_reader();
    }

    /// What waits.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.frames.iter()
    }

    /// Frames and bytes that wait; the books are checked.
    #[cfg(test)]
    pub(super) fn weight(&self) -> (usize, usize) {
        assert_eq!(self.bytes, self.iter().map(Weigh::size).sum::<usize>());
        (self.frames.len(), self.bytes)
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Whether the socket has written everything, and not only had it taken away.
    pub(super) fn is_dry(&self) -> bool {
        self.dry && self.frames.is_empty()
    }

    /// Whether the peer may ask more. When not, [`Self::room_came`] is true once it may again.
    pub(super) fn has_room(&mut self, limits: &Limits) -> bool {
        self.blocked = self.bytes > limits.bytes || self.frames.len() > limits.frames;
        !self.blocked
    }

    /// Whether the reader waited for room and has it now. True once.
    pub(super) fn room_came(&mut self) -> bool {
        let came = self.blocked && self.frames.is_empty();
        self.blocked &= !came;
        came
    }

    /// Whether anything was said since the last call: the heartbeat's question.
    pub(super) fn take_activity(&mut self) -> bool {
        std::mem::take(&mut self.active)
    }

    /// Ends the connection: what waits is still written, then the close frame. The first reason wins.
    pub(super) fn close(&mut self, reason: CloseReason) {
        if self.close.is_none() {
            self.close = Some(reason);
            self.wake_writer();
            self.wake_reader();
        }
    }

    /// Why the connection is closing, if it is.
    pub(super) fn closing(&self) -> Option<CloseReason> {
        self.close
    }

    /// The socket takes all that waits: swapped with `taken`, which must be empty and is used again, so that
    /// a queue in steady use allocates nothing. Registers `waker` if there is nothing; then the reader looks if
    /// there is `news` for it, which it may get only once the queue is dry.
    pub(super) fn drain(&mut self, taken: &mut VecDeque<T>, waker: &Waker, news: bool) -> Drained {
        debug_assert!(taken.is_empty());
        if !self.frames.is_empty() {
            self.bytes = 0;
            self.dry = false;
            std::mem::swap(&mut self.frames, taken);
            if self.blocked {
                self.wake_reader();
            }
            return Drained::Frames;
        }
        if let Some(reason) = self.close {
            return Drained::Close(reason);
        }
        self.dry = true;
        if news {
            self.wake_reader();
        }
        register(&mut self.writer, waker);
        Drained::Empty
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
