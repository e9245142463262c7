//! A connection without a WebSocket, for networks that let none through: what the server says goes down as
//! server-sent events or as the answers to long polls, what the client says comes up in requests of its own.
//!
//! The loop behind it is that of every connection ([`super::line`]), and so is the queue. A [`Feed`] numbers what it
//! has taken out of the queue and keeps the latest, so that a client whose request broke off goes on where it
//! was. A feed that nobody listens to is ended after a while ([`Config::feed_patience`]); one that has ended is kept
//! until its last words were heard, but no longer than that. One task does both for as long as the feed is there, and
//! the feed's place within the limits is given back with its memory.

use std::{
    any::Any,
    collections::{HashMap, VecDeque},
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::stream;
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use super::{
    Config, heartbeat,
    line::{self, Line},
    session::Inbound,
    single::Single,
};
use crate::{
    document::queue::{Drained, Frame, QueueLimits, SendQueue},
    ids::DocumentName,
    protocol::close::CloseReason,
};

/// For ever, as far as a heartbeat can count.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// What clients have said and the document has not taken yet. Past it, their requests wait.
const WAITING: usize = 16;

/// The feeds of a server. Clones share them.
#[derive(Clone, Default)]
pub struct Feeds(Arc<Mutex<HashMap<Uuid, Arc<Feed>>>>);

/// One connection.
pub struct Feed {
    /// How the client names it. Not to be guessed: who knows it speaks for the session.
    pub id: Uuid,
    document: DocumentName,
    queue: SendQueue,
    said: mpsc::Sender<Inbound>,
    taken: Mutex<Taken>,
    /// Counts the listeners there have been: the latest is the one that is served.
    listeners: AtomicU64,
    attention: watch::Sender<Attention>,
    limits: QueueLimits,
    /// Given back when nothing of the feed is left.
    _place: Box<dyn Any + Send + Sync>,
}

/// Whether somebody listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attention {
    Nobody,
    Somebody,
    /// Nobody will any more: the last words were heard, or are not wanted.
    Over,
}

/// What has been taken out of the queue, numbered from 1.
#[derive(Debug, Default)]
struct Taken {
    latest: VecDeque<(u64, Bytes)>,
    bytes: usize,
    last: u64,
}

/// What a listener is told next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// These messages, with their numbers.
    Messages(Vec<(u64, Bytes)>),
    /// The connection is over.
    Closed(CloseReason),
    /// Another listener has taken over.
    Replaced,
}

/// The one who listens to a feed, for as long as it does.
pub struct Listener {
    feed: Arc<Feed>,
    number: u64,
}

impl Feeds {
    /// Begins a connection, which opens its document by itself; `place` is its place within the limits. Must be called
    /// on a thread of an actix system.
    pub fn open(&self, single: Single, config: &Config, place: impl Any + Send + Sync) -> Uuid {
        let queue = SendQueue::new(config.outbox);
        let (said, hears) = mpsc::channel(WAITING);
        let feed = Arc::new(Feed {
            id: Uuid::new_v4(),
            document: single.document.clone(),
            queue: queue.clone(),
            said,
            taken: Mutex::default(),
            listeners: AtomicU64::new(0),
            attention: watch::Sender::new(Attention::Nobody),
            limits: config.outbox,
            _place: Box::new(place),
        });
        let id = feed.id;
        self.0.lock().insert(id, feed.clone());
        let line = Line {
            connection: single.connection,
            queue: queue.clone(),
            metrics: single.metrics.clone(),
            messages: Box::pin(stream::unfold(hears, async |mut hears| {
                hears.recv().await.map(|inbound| (Ok(inbound), hears))
            })),
            // Whether anybody listens is known without asking.
            heartbeat: heartbeat::Config { ping_after: NEVER, probe_within: NEVER, ..config.heartbeat },
        };
        let talk = single.converse(queue.open(Bytes::new()), config.guard.clone());
        let (feeds, patience) = (self.clone(), config.feed_patience);
        tokio::task::spawn_local(async move {
            let mut line = pin!(line::run(line, talk, async |_, _| ()));
            tokio::select! {
                () = &mut line => {}
                () = feed.is_abandoned(patience) => {
                    // Whoever comes now begins anew, and hears nothing of an end.
                    feeds.0.lock().remove(&id);
                    feed.queue.close(CloseReason::Idle);
                    return line.await;
                }
            }
            let mut attention = feed.attention.subscribe();
            // The last words are still to be heard.
            let over = attention.wait_for(|attention| *attention == Attention::Over);
            let _ = tokio::time::timeout(patience, over).await;
            feeds.0.lock().remove(&id);
        });
        id
    }

    /// The feed that a client names, if it is one of this document.
    pub fn find(&self, id: Uuid, document: &DocumentName) -> Option<Arc<Feed>> {
        self.0.lock().get(&id).filter(|feed| feed.document == *document).cloned()
    }
}

impl Feed {
    /// Listens from now on, in place of whoever did.
    pub fn listen(self: &Arc<Self>) -> Listener {
        let number = {
            // Between two looks of the one before: the queue wakes one listener, and must not be left with the
            // waker of one that has been replaced.
            let _taken = self.taken.lock();
            self.attends(Attention::Somebody);
            self.listeners.fetch_add(1, Ordering::AcqRel) + 1
        };
        // Wakes the one before, so that it notices.
        self.queue.nudge();
        Listener { feed: self.clone(), number }
    }

    /// The client goes, and says so.
    pub async fn goodbye(&self) {
        // It may have ended already.
        let _ = self.said.send(Inbound::Close(Some(CloseReason::Normal.code()))).await;
        self.attends(Attention::Over);
    }

    fn attends(&self, now: Attention) {
        self.attention.send_if_modified(|attention| {
            let changes = *attention != now && *attention != Attention::Over;
            if changes {
                *attention = now;
            }
            changes
        });
    }

    /// Comes to its end once nobody has listened for so long.
    async fn is_abandoned(&self, patience: Duration) {
        let mut attention = self.attention.subscribe();
        loop {
            // The sender is here.
            let _ = attention.wait_for(|attention| *attention == Attention::Nobody).await;
            let back = attention.wait_for(|attention| *attention != Attention::Nobody);
            if tokio::time::timeout(patience, back).await.is_err() {
                return;
            }
        }
    }

    /// Hands over what the client says. Waits while the document is busy; false if the connection is over.
    pub async fn say(&self, frame: Bytes) -> bool {
        self.said.send(Inbound::Binary(frame)).await.is_ok()
    }

    /// Whether everything after `number` can still be told.
    pub fn remembers(&self, number: u64) -> bool {
        let taken = self.taken.lock();
        let first = taken.latest.front().map_or(taken.last + 1, |(first, _)| *first);
        (first - 1..=taken.last).contains(&number)
    }

    fn poll(&self, listener: u64, after: u64, context: &Context<'_>) -> Poll<Told> {
        let mut taken = self.taken.lock();
        if self.listeners.load(Ordering::Acquire) != listener {
            return Poll::Ready(Told::Replaced);
        }
        if taken.last <= after {
            let mut frames = VecDeque::new();
            match self.queue.drain(&mut frames, context.waker()) {
                Drained::Frames => {}
                Drained::Close(reason) => {
                    self.attends(Attention::Over);
                    return Poll::Ready(Told::Closed(reason));
                }
                Drained::Empty => return Poll::Pending,
            }
            for queued in frames {
                match queued.frame {
                    Frame::Control(_) => {}
                    Frame::Reply(payload)
                    | Frame::Update(payload, _)
                    | Frame::Awareness(payload)
                    | Frame::Notice(payload) => taken.put(payload),
                }
            }
        }
        let news: Vec<_> = taken.latest.iter().filter(|(number, _)| *number > after).cloned().collect();
        taken.forget(&self.limits);
        if news.is_empty() {
            // Nothing but frames that only sockets have; look again for more.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Told::Messages(news))
    }
}

impl Taken {
    fn put(&mut self, payload: Bytes) {
        self.last += 1;
        self.bytes += payload.len();
        self.latest.push_back((self.last, payload));
    }

    /// Keeps as much as may wait for a slow reader; the newest message in any case.
    fn forget(&mut self, limits: &QueueLimits) {
        while self.latest.len() > 1 && (self.bytes > limits.bytes || self.latest.len() > limits.frames) {
            if let Some((_, payload)) = self.latest.pop_front() {
                self.bytes -= payload.len();
            }
        }
    }
}

impl Listener {
    /// How the client names the feed.
    pub fn id(&self) -> Uuid {
        self.feed.id
    }

    /// Everything after message `after`, as soon as there is something.
    pub async fn next(&self, after: u64) -> Told {
        poll_fn(|context| self.feed.poll(self.number, after, context)).await
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _taken = self.feed.taken.lock();
        if self.feed.listeners.load(Ordering::Acquire) == self.number {
            self.feed.attends(Attention::Nobody);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(3600);

    fn feed() -> Arc<Feed> {
        let limits = QueueLimits::default();
        Arc::new(Feed {
            id: Uuid::nil(),
            document: DocumentName::parse("plan").unwrap(),
            queue: SendQueue::new(limits),
            said: mpsc::channel(1).0,
            taken: Mutex::default(),
            listeners: AtomicU64::new(0),
            attention: watch::Sender::new(Attention::Nobody),
            limits,
            _place: Box::new(()),
        })
    }

    #[tokio::test]
    async fn who_listens_now_and_then_is_waited_for_and_leaves_no_task() {
        let feed = feed();
        let mut abandoned = pin!(feed.is_abandoned(PATIENCE));
        for _ in 0..1000 {
            let listener = feed.listen();
            // A poll that is asked again with the first on the way: only the latest counts.
            let latest = feed.listen();
            drop(listener);
            assert_eq!(*feed.attention.borrow(), Attention::Somebody);
            drop(latest);
            assert_eq!(*feed.attention.borrow(), Attention::Nobody);
            assert!(abandoned.as_mut().now_or_never().is_none());
        }
        assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
        feed.is_abandoned(Duration::from_millis(1)).await;
    }

    #[tokio::test]
    async fn the_last_words_are_told_once_and_nobody_is_waited_for_any_more() {
        let feed = feed();
        let listener = feed.listen();
        feed.queue.close(CloseReason::Gone);
        assert_eq!(listener.next(0).await, Told::Closed(CloseReason::Gone));
        assert_eq!(*feed.attention.borrow(), Attention::Over);
        drop(listener);
        assert_eq!(*feed.attention.borrow(), Attention::Over);
    }
}
