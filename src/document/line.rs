//! The bounded queue of texts to one connection that speaks JSON: chat, live figures, the JSON dialect.
//!
//! Whoever has something to say puts it into the [`Line`] and never waits; the connection's socket takes out
//! all that is there and writes it at once. There are four ways to say something, and they differ in what
//! happens when the queue is full:
//!
//! - [`Line::tell`]: what must not be missed. A reader too slow for it is closed with 1013 and finds what it
//!   missed when it comes back: skipping would leave it with a hole that it cannot see.
//! - [`Line::answer`]: the answer to this connection's own question. It is queued whatever waits, and while
//!   the queue is over its bounds nothing more is read from the asker ([`Line::has_room`]).
//! - [`Line::change`]: what can be made up for. All changes that wait are dropped *together*, and no more are
//!   queued; as soon as the peer has read what was left, its connection is told ([`Notice::Behind`]) and
//!   whoever speaks says everything anew ([`Line::catch_up`]). Who does not get there in time is closed with
//!   1013.
//! - [`Line::mention`]: what the next one replaces (who is typing, figures). It is left out while anything
//!   else waits.

use std::{collections::VecDeque, sync::Arc, task::Waker, time::Instant};

use bytes::Bytes;
use parking_lot::Mutex;

use super::outbox::{Control, Limits, Pushed};
use crate::protocol::close::CloseReason;

/// One end for who speaks, one for the socket; clones share the queue.
#[derive(Clone, Debug)]
pub struct Line(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: Limits,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Text>,
    bytes: usize,
    close: Option<CloseReason>,
    /// Since when changes are dropped.
    behind: Option<Instant>,
    /// The socket has written all that there was. An empty queue says less: it may have been emptied by
    /// dropping.
    dry: bool,
    /// The connection has been told that it is behind.
    told: bool,
    /// The reader waits for room.
    blocked: bool,
    /// Anything told since the heartbeat last looked?
    active: bool,
    /// Wakes the task that writes to the socket.
    writer: Option<Waker>,
    /// Wakes the task that reads from the socket.
    reader: Option<Waker>,
}

/// What is written as one frame.
#[derive(Clone, Debug)]
pub enum Text {
    /// A text frame; the bytes are UTF-8.
    Text(Bytes),
    /// The same, and may be dropped together with all others of this kind.
    Change(Bytes),
    /// A frame of the transport itself.
    Control(Control),
}

impl Text {
    /// The bytes inside the frame.
    pub fn payload(&self) -> &[u8] {
        match self {
            Self::Text(payload) | Self::Change(payload) | Self::Control(Control::Pong(payload)) => payload,
            Self::Control(Control::Ping) => &[],
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

/// What the reading side is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// There is room again for answers: go on reading.
    Room,
    /// Changes were dropped, and the peer has read everything else: have everything said anew.
    Behind,
    /// The connection is closing: stop reading.
    Closed,
}

impl Line {
    /// An empty queue. Of the limits, the deadline is for [`Self::change`]; who is too slow for what it is told
    /// is closed at once.
    pub fn new(limits: Limits) -> Self {
        Self(Arc::new(Shared { limits, queue: Mutex::default() }))
    }

    /// Says what must not be missed. Whether it was queued; if not, the connection is closing.
    pub fn tell(&self, text: impl Into<Bytes>) -> bool {
        let text = text.into();
        let mut queue = self.0.queue.lock();
        if queue.close.is_some() {
            return false;
        }
        if !queue.fits(text.len(), &self.0.limits) {
            // What waits is let go: the peer does not read, and the close frame must find its way.
            queue.frames.clear();
            queue.bytes = 0;
            queue.end(CloseReason::TryAgainLater);
            return false;
        }
        queue.put(text);
        true
    }

    /// Answers this connection's own question.
    pub fn answer(&self, text: impl Into<Bytes>) {
        let mut queue = self.0.queue.lock();
        if queue.close.is_none() {
            queue.put(text.into());
        }
    }

    /// Says what can be made up for.
    pub fn change(&self, text: impl Into<Bytes>, now: Instant) -> Pushed {
        let text = text.into();
        let mut queue = self.0.queue.lock();
        if queue.close.is_some() {
            return Pushed::Closed;
        }
        if queue.behind.is_some() {
            return Pushed::Lagging;
        }
        if queue.fits(text.len(), &self.0.limits) {
            queue.active = true;
            queue.push(Text::Change(text));
            return Pushed::Queued;
        }
        queue.frames.retain(|frame| !matches!(frame, Text::Change(_)));
        queue.bytes = queue.frames.iter().map(|frame| frame.payload().len()).sum();
        queue.behind = Some(now);
        (queue.dry, queue.told) = (false, false);
        wake(&mut queue.writer);
        wake(&mut queue.reader);
        Pushed::BeganToLag
    }

    /// Says everything anew, which makes up for what was dropped.
    pub fn catch_up(&self, text: Option<Bytes>) {
        let mut queue = self.0.queue.lock();
        queue.behind = None;
        if let Some(text) = text
            && queue.close.is_none()
        {
            queue.put(text);
        }
    }

    /// Whether changes are being dropped.
    pub fn is_behind(&self) -> bool {
        self.0.queue.lock().behind.is_some()
    }

    /// Whether they have been for longer than the deadline.
    pub fn is_overdue(&self, now: Instant) -> bool {
        let behind = self.0.queue.lock().behind;
        behind.is_some_and(|since| now.saturating_duration_since(since) >= self.0.limits.deadline)
    }

    /// Says what the next of its kind replaces. Whether it was queued; if not, something else still waits.
    pub fn mention(&self, text: impl Into<Bytes>) -> bool {
        let mut queue = self.0.queue.lock();
        let free = queue.close.is_none() && queue.frames.is_empty();
        if free {
            queue.put(text.into());
        }
        free
    }

    /// Queues a frame of the transport.
    pub fn control(&self, control: Control) {
        let mut queue = self.0.queue.lock();
        if queue.close.is_none() {
            queue.push(Text::Control(control));
        }
    }

    /// Ends the connection: what waits is still written, then the close frame. The first reason wins.
    pub fn close(&self, reason: CloseReason) {
        let mut queue = self.0.queue.lock();
        if queue.close.is_none() {
            queue.end(reason);
        }
    }

    /// Why the connection is closing, if it is.
    pub fn closing(&self) -> Option<CloseReason> {
        self.0.queue.lock().close
    }

    /// Whether both are the same queue.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether the peer may ask more. When not, [`Notice::Room`] will say when it may again.
    pub fn has_room(&self) -> bool {
        let mut queue = self.0.queue.lock();
        let limits = &self.0.limits;
        queue.blocked = queue.bytes > limits.bytes || queue.frames.len() > limits.frames;
        !queue.blocked
    }

    /// Whether anything was said since the last call: the heartbeat's question.
    pub fn take_activity(&self) -> bool {
        std::mem::take(&mut self.0.queue.lock().active)
    }

    /// The socket takes all that waits: swapped with `taken`, which must be empty and is used again.
    /// Registers `waker` if there is nothing.
    pub fn drain(&self, taken: &mut VecDeque<Text>, waker: &Waker) -> Drained {
        debug_assert!(taken.is_empty());
        let mut queue = self.0.queue.lock();
        if !queue.frames.is_empty() {
            queue.bytes = 0;
            queue.dry = false;
            std::mem::swap(&mut queue.frames, taken);
            if queue.blocked {
                wake(&mut queue.reader);
            }
            return Drained::Frames;
        }
        if let Some(reason) = queue.close {
            return Drained::Close(reason);
        }
        queue.dry = true;
        if queue.behind.is_some() && !queue.told {
            wake(&mut queue.reader);
        }
        register(&mut queue.writer, waker);
        Drained::Empty
    }

    /// What the reading side should know now, if anything. Registers `waker` if there is nothing.
    pub fn notice(&self, waker: &Waker) -> Option<Notice> {
        let mut queue = self.0.queue.lock();
        if queue.close.is_some() {
            return Some(Notice::Closed);
        }
        if queue.blocked && queue.frames.is_empty() {
            queue.blocked = false;
            return Some(Notice::Room);
        }
        if queue.dry && queue.frames.is_empty() && queue.behind.is_some() && !queue.told {
            queue.told = true;
            return Some(Notice::Behind);
        }
        register(&mut queue.reader, waker);
        None
    }
}

impl Queue {
    fn fits(&self, size: usize, limits: &Limits) -> bool {
        // An empty queue takes a text of any size: it could never be sent otherwise.
        self.frames.is_empty() || (self.bytes + size <= limits.bytes && self.frames.len() < limits.frames)
    }

    fn put(&mut self, text: Bytes) {
        self.active = true;
        self.push(Text::Text(text));
    }

    fn push(&mut self, frame: Text) {
        self.bytes += frame.payload().len();
        self.frames.push_back(frame);
        wake(&mut self.writer);
    }

    fn end(&mut self, reason: CloseReason) {
        self.close = Some(reason);
        wake(&mut self.writer);
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn line(bytes: usize, frames: usize) -> Line {
        Line::new(Limits { bytes, frames, deadline: Duration::ZERO })
    }

    /// What the socket finds: texts, and how it ends.
    fn drained(line: &Line) -> (Vec<String>, Drained) {
        let mut taken = VecDeque::new();
        let mut texts = Vec::new();
        loop {
            let found = line.drain(&mut taken, Waker::noop());
            texts.extend(taken.drain(..).map(|frame| String::from_utf8_lossy(frame.payload()).into_owned()));
            if found != Drained::Frames {
                return (texts, found);
            }
        }
    }

    #[test]
    fn what_was_said_is_written_in_order_and_then_the_close_frame() {
        let line = line(100, 10);
        assert!(line.tell("one"));
        line.answer("two");
        line.close(CloseReason::Gone);
        line.close(CloseReason::Normal);
        assert!(!line.tell("late"));
        line.answer("late");
        let expected = vec!["one".to_owned(), "two".to_owned()];
        assert_eq!(drained(&line), (expected, Drained::Close(CloseReason::Gone)));
    }

    #[test]
    fn who_is_too_slow_for_what_must_not_be_missed_is_closed() {
        for line in [line(10, 100), line(100, 2)] {
            assert!(line.tell("123456"));
            assert!(line.tell("1234"));
            assert!(!line.tell("1"), "one too many");
            assert_eq!(drained(&line), (Vec::new(), Drained::Close(CloseReason::TryAgainLater)));
        }
        let line = line(3, 1);
        assert!(line.tell("longer than ever allowed"), "an empty queue takes anything");
    }

    #[test]
    fn answers_are_queued_and_hold_the_asker_back() {
        let line = line(4, 10);
        line.answer("12345");
        line.answer("6");
        assert!(!line.has_room());
        assert_eq!(line.notice(Waker::noop()), None);
        assert_eq!(drained(&line).0, ["12345", "6"]);
        assert_eq!(line.notice(Waker::noop()), Some(Notice::Room));
        assert!(line.has_room());
    }

    #[test]
    fn what_is_only_mentioned_waits_for_nobody() {
        let line = line(100, 10);
        assert!(line.mention("1"));
        assert!(!line.mention("2"), "the first one still waits");
        assert_eq!(drained(&line).0, ["1"]);
        assert!(line.mention("3"));
        assert!(line.tell("told"));
        assert_eq!(drained(&line).0, ["3", "told"]);
    }

    #[test]
    fn changes_are_dropped_together_and_made_up_for_once_the_peer_has_read_the_rest() {
        let line = line(10, 100);
        let now = Instant::now();
        assert_eq!(line.change("123", now), Pushed::Queued);
        line.answer("4567");
        assert_eq!(line.change("89", now), Pushed::Queued);
        assert_eq!(line.change("xx", now), Pushed::BeganToLag);
        assert_eq!(line.change("y", now), Pushed::Lagging);
        assert_eq!(line.notice(Waker::noop()), None, "the peer has not read the answer");
        assert_eq!(drained(&line).0, ["4567"]);
        assert_eq!(line.notice(Waker::noop()), Some(Notice::Behind));
        assert_eq!(line.notice(Waker::noop()), None, "once is enough");
        assert!(line.is_behind() && line.is_overdue(now));
        assert_eq!(line.change("z", now), Pushed::Lagging, "the catch-up will hold it");
        line.catch_up(Some("everything, however long".into()));
        assert!(!line.is_behind());
        assert_eq!(drained(&line).0, ["everything, however long"]);
        assert_eq!(line.change("123", now), Pushed::Queued);
        assert_eq!(drained(&line).0, ["123"]);
    }

    #[test]
    fn the_transport_is_no_activity() {
        let line = line(100, 10);
        line.control(Control::Ping);
        assert!(!line.take_activity());
        line.answer("x");
        assert!(line.take_activity() && !line.take_activity());
        line.close(CloseReason::Idle);
        assert_eq!(line.notice(Waker::noop()), Some(Notice::Closed));
    }
}
