//! The bounded queue of texts to one connection that speaks JSON: chat, live figures, the JSON dialect.
//!
//! Whoever has something to say puts it into the [`TextQueue`] and never waits; the connection's socket takes out
//! all that is there and writes it at once. There are four ways to say something, and they differ in what
//! happens when the queue is full:
//!
//! - [`TextQueue::tell`]: what must not be missed. A reader too slow for it is closed with 1013 and finds what it
//!   missed when it comes back: skipping would leave it with a hole that it cannot see.
//! - [`TextQueue::answer`]: the answer to this connection's own question. It is queued whatever waits, and while
//!   the queue is over its bounds nothing more is read from the asker ([`TextQueue::has_room`]).
//! - [`TextQueue::change`]: what can be made up for. All changes that wait are dropped *together*, and no more are
//!   queued; as soon as the peer has read what was left, its connection is told ([`Notice::Behind`]) and
//!   whoever speaks says everything anew ([`TextQueue::catch_up`]). Who does not get there in time is closed with
//!   1013.
//! - [`TextQueue::mention`]: what the next one replaces (who is typing, figures). It is left out while anything
//!   else waits.

use std::{collections::VecDeque, sync::Arc, task::Waker, time::Instant};

use bytes::Bytes;
use parking_lot::Mutex;

use super::{
    backlog::{Backlog, Control, Drained, Limits, Weigh},
    outbox::Pushed,
};
use crate::protocol::close::CloseReason;

/// One end for who speaks, one for the socket; clones share the queue.
#[derive(Clone, Debug)]
pub struct TextQueue(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: Limits,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Backlog<Text>,
    /// Since when changes are dropped.
    behind: Option<Instant>,
    /// The connection has been told that it is behind.
    told: bool,
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
            Self::Text(payload) | Self::Change(payload) => payload,
            Self::Control(control) => control.payload(),
        }
    }
}

impl Weigh for Text {
    fn size(&self) -> usize {
        self.payload().len()
    }
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

impl TextQueue {
    /// An empty queue. Of the limits, the deadline is for [`Self::change`]; who is too slow for what it is told
    /// is closed at once.
    pub fn new(limits: Limits) -> Self {
        Self(Arc::new(Shared { limits, queue: Mutex::default() }))
    }

    /// Says what must not be missed. Whether it was queued; if not, the connection is closing.
    pub fn tell(&self, text: impl Into<Bytes>) -> bool {
        let text = text.into();
        let waiting = &mut self.0.queue.lock().waiting;
        if waiting.closing().is_some() {
            return false;
        }
        if !waiting.fits(text.len(), &self.0.limits) {
            // What waits is let go: the peer does not read, and the close frame must find its way.
            waiting.keep(|_| false);
            waiting.close(CloseReason::TryAgainLater);
            return false;
        }
        waiting.push(Text::Text(text));
        true
    }

    /// Answers this connection's own question.
    pub fn answer(&self, text: impl Into<Bytes>) {
        let waiting = &mut self.0.queue.lock().waiting;
        if waiting.closing().is_none() {
            waiting.push(Text::Text(text.into()));
        }
    }

    /// Says what can be made up for.
    pub fn change(&self, text: impl Into<Bytes>, now: Instant) -> Pushed {
        let text = text.into();
        let mut queue = self.0.queue.lock();
        if queue.waiting.closing().is_some() {
            return Pushed::Closed;
        }
        if queue.behind.is_some() {
            return Pushed::Lagging;
        }
        if queue.waiting.fits(text.len(), &self.0.limits) {
            queue.waiting.push(Text::Change(text));
            return Pushed::Queued;
        }
        queue.behind = Some(now);
        queue.told = false;
        queue.waiting.shed(|frame| !matches!(frame, Text::Change(_)));
        Pushed::BeganToLag
    }

    /// Says everything anew, which makes up for what was dropped.
    pub fn catch_up(&self, text: Option<Bytes>) {
        let mut queue = self.0.queue.lock();
        queue.behind = None;
        if let Some(text) = text
            && queue.waiting.closing().is_none()
        {
            queue.waiting.push(Text::Text(text));
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
        let waiting = &mut self.0.queue.lock().waiting;
        let free = waiting.closing().is_none() && waiting.is_empty();
        if free {
            waiting.push(Text::Text(text.into()));
        }
        free
    }

    /// Queues a frame of the transport.
    pub fn control(&self, control: Control) {
        let waiting = &mut self.0.queue.lock().waiting;
        if waiting.closing().is_none() {
            waiting.push_quietly(Text::Control(control));
        }
    }

    /// Ends the connection: what waits is still written, then the close frame. The first reason wins.
    pub fn close(&self, reason: CloseReason) {
        self.0.queue.lock().waiting.close(reason);
    }

    /// Why the connection is closing, if it is.
    pub fn closing(&self) -> Option<CloseReason> {
        self.0.queue.lock().waiting.closing()
    }

    /// Whether both are the same queue.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether the peer may ask more. When not, [`Notice::Room`] will say when it may again.
    pub fn has_room(&self) -> bool {
        self.0.queue.lock().waiting.has_room(&self.0.limits)
    }

    /// Whether anything was said since the last call: the heartbeat's question.
    pub fn take_activity(&self) -> bool {
        self.0.queue.lock().waiting.take_activity()
    }

    /// The socket takes all that waits: swapped with `taken`, which must be empty and is used again.
    /// Registers `waker` if there is nothing.
    pub fn drain(&self, taken: &mut VecDeque<Text>, waker: &Waker) -> Drained {
        let mut queue = self.0.queue.lock();
        let news = queue.behind.is_some() && !queue.told;
        queue.waiting.drain(taken, waker, news)
    }

    /// What the reading side should know now, if anything. Registers `waker` if there is nothing.
    pub fn notice(&self, waker: &Waker) -> Option<Notice> {
        let mut queue = self.0.queue.lock();
        if queue.waiting.closing().is_some() {
            return Some(Notice::Closed);
        }
        if queue.waiting.room_came() {
            return Some(Notice::Room);
        }
        if queue.waiting.is_dry() && queue.behind.is_some() && !queue.told {
            queue.told = true;
            return Some(Notice::Behind);
        }
        queue.waiting.register_reader(waker);
        None
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn line(bytes: usize, frames: usize) -> TextQueue {
        TextQueue::new(Limits { bytes, frames, deadline: Duration::ZERO })
    }

    /// What the socket finds: texts, and how it ends.
    fn drained(line: &TextQueue) -> (Vec<String>, Drained) {
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
