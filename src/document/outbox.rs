//! The bounded queue from a document to one session.
//!
//! A document never waits for a reader. It puts frames into the session's [`Outbox`]; the session's socket
//! takes out all that is there and writes it at once. A broadcast is encoded once per dialect, and the
//! queues share the bytes.
//!
//! What happens when the queue is full: awareness that waits is dropped, because newer awareness replaces
//! it. If that is not enough, all updates that wait are dropped *together* and nothing more is queued; the
//! outbox remembers what the session now lacks ([`Lag`]). As soon as the socket has written what was left,
//! the document sends one difference that brings all of it. A session that does not get there before the
//! deadline is closed with 1013. Answers to the session's own questions are never dropped; while they fill
//! the queue, the connection stops reading further questions ([`Outbox::has_room`]).

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    task::Waker,
    time::{Duration, Instant},
};

use bytes::Bytes;
use parking_lot::Mutex;
use smallvec::SmallVec;

use crate::protocol::{close::CloseReason, message::ClientId};

/// The bounds of one session's queue.
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
    /// A frame of the transport itself. Never dropped.
    Control(Control),
}

/// Frames of the transport.
#[derive(Clone, Debug)]
pub enum Control {
    /// Are you there?
    Ping,
    /// I am; with the bytes that were asked to come back.
    Pong(Bytes),
}

impl Frame {
    /// The bytes inside the frame.
    pub fn payload(&self) -> &[u8] {
        match self {
            Self::Reply(payload)
            | Self::Update(payload, _)
            | Self::Awareness(payload)
            | Self::Control(Control::Pong(payload)) => payload,
            Self::Control(Control::Ping) => &[],
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

/// One end for the document, one for the socket; clones share the queue.
#[derive(Clone, Debug)]
pub struct Outbox(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: Limits,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Frame>,
    bytes: usize,
    lag: Option<(Instant, Lag)>,
    /// Presence was dropped and nobody has repeated it yet.
    presence_dropped: bool,
    /// Set while the socket waits for more: it has written all that there was. An empty queue says less,
    /// because it may have been emptied by dropping.
    dry: bool,
    /// Set when the socket has drained the queue and asked the document for what was dropped.
    asked: bool,
    close: Option<CloseReason>,
    probe: bool,
    /// The reader waits for room.
    blocked: bool,
    /// Anything sent since the heartbeat last looked?
    active: bool,
    /// Wakes the task that writes to the socket.
    writer: Option<Waker>,
    /// Wakes the task that reads from the socket.
    reader: Option<Waker>,
}

/// What the writing side finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Frames were moved into the caller's queue, to be written in order.
    Frames,
    /// Write this close reason and end.
    Close(CloseReason),
    /// Nothing; the waker is registered.
    Empty,
}

/// What the reading side is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The queue has been written dry: ask the document for what was dropped from it.
    CatchUp,
    /// Ping the peer now and close unless it answers soon.
    Probe,
    /// There is room again for answers: go on reading.
    Room,
    /// The session is closing: stop reading.
    Closed,
}

impl Outbox {
    /// An empty queue.
    pub fn new(limits: Limits) -> Self {
        Self(Arc::new(Shared { limits, queue: Mutex::default() }))
    }

    /// Queues a frame, or notes what the session will lack. Never waits.
    pub fn push(&self, frame: Frame, now: Instant) -> Pushed {
        let mut queue = self.0.queue.lock();
        if queue.close.is_some() {
            return Pushed::Closed;
        }
        match frame {
            Frame::Update(_, before) if queue.lag.is_some() => {
                queue.note(&before);
                return Pushed::Lagging;
            }
            Frame::Awareness(_) if queue.lag.is_some() => {
                queue.presence_dropped = true;
                return Pushed::Lagging;
            }
            _ => {}
        }
        let size = frame.payload().len();
        if queue.has_room(size, &self.0.limits) || matches!(frame, Frame::Reply(_) | Frame::Control(_)) {
            queue.put(frame);
            queue.wake_writer();
            return Pushed::Queued;
        }
        queue.drop_presence();
        if queue.has_room(size, &self.0.limits) {
            queue.put(frame);
            queue.wake_writer();
            return Pushed::Queued;
        }
        if matches!(frame, Frame::Awareness(_)) {
            queue.presence_dropped = true;
            return Pushed::Queued;
        }
        queue.lag = Some((now, Lag::new()));
        (queue.dry, queue.asked) = (false, false);
        let dropped: SmallVec<[Before; 8]> = queue
            .frames
            .iter()
            .chain(std::iter::once(&frame))
            .filter_map(|frame| match frame {
                Frame::Update(_, before) => Some(before.clone()),
                _ => None,
            })
            .collect();
        for before in dropped {
            queue.note(&before);
        }
        queue.keep(|frame| matches!(frame, Frame::Reply(_) | Frame::Control(_)));
        queue.wake_writer();
        queue.wake_reader();
        Pushed::BeganToLag
    }

    /// Queues a frame of the transport.
    pub fn control(&self, control: Control) {
        let mut queue = self.0.queue.lock();
        if queue.close.is_none() {
            queue.put_quietly(Frame::Control(control));
            queue.wake_writer();
        }
    }

    /// Whether the session may ask more. When not, [`Notice::Room`] will say when it may again.
    pub fn has_room(&self) -> bool {
        let mut queue = self.0.queue.lock();
        let limits = &self.0.limits;
        queue.blocked = queue.bytes > limits.bytes || queue.frames.len() > limits.frames;
        !queue.blocked
    }

    /// Ends the lag and queues what makes up for it, whatever its size. `make_up` is given what the session
    /// lacks of the document, if anything, and whether it missed presence.
    pub fn catch_up(&self, make_up: impl FnOnce(Option<&Lag>, bool) -> SmallVec<[Bytes; 2]>) {
        let (lag, presence) = {
            let mut queue = self.0.queue.lock();
            queue.asked = false;
            (queue.lag.take(), std::mem::take(&mut queue.presence_dropped))
        };
        // The document is single-threaded, so nothing can be missed between taking the lag and queueing.
        let frames = make_up(lag.as_ref().map(|(_, lag)| lag), presence);
        let mut queue = self.0.queue.lock();
        for payload in frames {
            queue.put(Frame::Reply(payload));
        }
        queue.wake_writer();
    }

    /// Whether the session has been behind since before `now - deadline`.
    pub fn is_overdue(&self, now: Instant) -> bool {
        let queue = self.0.queue.lock();
        queue
            .lag
            .as_ref()
            .is_some_and(|(since, _)| now.saturating_duration_since(*since) >= self.0.limits.deadline)
    }

    /// Whether the session is behind.
    pub fn is_lagging(&self) -> bool {
        self.0.queue.lock().lag.is_some()
    }

    /// Ends the session: what waits is still written, then the close frame. The first reason wins.
    pub fn close(&self, reason: CloseReason) {
        let mut queue = self.0.queue.lock();
        if queue.close.is_none() {
            queue.close = Some(reason);
            queue.wake_writer();
            queue.wake_reader();
        }
    }

    /// Why the session is closing, if it is.
    pub fn closing(&self) -> Option<CloseReason> {
        self.0.queue.lock().close
    }

    /// Asks the connection to make sure that its peer is alive.
    pub fn probe(&self) {
        let mut queue = self.0.queue.lock();
        queue.probe = true;
        queue.wake_reader();
    }

    /// Whether anything was queued since the last call: the heartbeat's question.
    pub fn take_activity(&self) -> bool {
        std::mem::take(&mut self.0.queue.lock().active)
    }

    /// The socket takes all that waits: swapped with `taken`, which must be empty and is used again, so that
    /// a queue in steady use allocates nothing. Registers `waker` if there is nothing.
    pub fn drain(&self, taken: &mut VecDeque<Frame>, waker: &Waker) -> Drained {
        debug_assert!(taken.is_empty());
        let mut queue = self.0.queue.lock();
        if !queue.frames.is_empty() {
            queue.bytes = 0;
            queue.dry = false;
            std::mem::swap(&mut queue.frames, taken);
            if queue.blocked {
                queue.wake_reader();
            }
            return Drained::Frames;
        }
        if let Some(reason) = queue.close {
            return Drained::Close(reason);
        }
        queue.dry = true;
        if queue.owes() {
            queue.wake_reader();
        }
        if !queue.writer.as_ref().is_some_and(|known| known.will_wake(waker)) {
            queue.writer = Some(waker.clone());
        }
        Drained::Empty
    }

    /// What the reading side should do now, if anything. Registers `waker` if there is nothing.
    pub fn notice(&self, waker: &Waker) -> Option<Notice> {
        let mut queue = self.0.queue.lock();
        if queue.close.is_some() {
            return Some(Notice::Closed);
        }
        if std::mem::take(&mut queue.probe) {
            return Some(Notice::Probe);
        }
        if queue.blocked && queue.frames.is_empty() {
            queue.blocked = false;
            return Some(Notice::Room);
        }
        if queue.dry && queue.frames.is_empty() && queue.owes() {
            queue.asked = true;
            return Some(Notice::CatchUp);
        }
        if !queue.reader.as_ref().is_some_and(|known| known.will_wake(waker)) {
            queue.reader = Some(waker.clone());
        }
        None
    }
}

impl Queue {
    fn has_room(&self, size: usize, limits: &Limits) -> bool {
        // An empty queue takes a frame of any size: it could never be sent otherwise.
        self.frames.is_empty() || (self.bytes + size <= limits.bytes && self.frames.len() < limits.frames)
    }

    fn put(&mut self, frame: Frame) {
        self.active = true;
        self.put_quietly(frame);
    }

    /// Queues a frame that the application on the other side does not see.
    fn put_quietly(&mut self, frame: Frame) {
        self.bytes += frame.payload().len();
        self.frames.push_back(frame);
    }

    /// Whether something was dropped that the document has not been asked for.
    fn owes(&self) -> bool {
        (self.lag.is_some() || self.presence_dropped) && !self.asked
    }

    fn drop_presence(&mut self) {
        let before = self.frames.len();
        self.keep(|frame| !matches!(frame, Frame::Awareness(_)));
        self.presence_dropped |= self.frames.len() < before;
    }

    fn keep(&mut self, keep: impl Fn(&Frame) -> bool) {
        self.frames.retain(|frame| keep(frame));
        self.bytes = self.frames.iter().map(|frame| frame.payload().len()).sum();
    }

    fn note(&mut self, before: &Before) {
        let Some((_, lag)) = &mut self.lag else { return };
        for &(client, clock) in before.iter() {
            lag.entry(client).and_modify(|known| *known = clock.min(*known)).or_insert(clock);
        }
    }

    fn wake_writer(&mut self) {
        if let Some(waker) = self.writer.take() {
            waker.wake();
        }
    }

    fn wake_reader(&mut self) {
        if let Some(waker) = self.reader.take() {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests;
