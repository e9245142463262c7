//! A connection without a WebSocket, for networks that let none through: what the server says goes down as
//! server-sent events or as the answers to long polls, what the client says comes up in requests of its own.
//!
//! The loop behind it is that of every connection ([`super::line`]), and so is the queue. A [`Feed`] numbers what it
//! has taken out of the queue and keeps the latest, so that a client whose request broke off goes on where it
//! was. A feed that nobody listens to is ended after a while ([`Config::feed_patience`]).

use std::{
    collections::{HashMap, VecDeque},
    future::poll_fn,
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
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{
    Config, heartbeat,
    line::{self, Line},
    session::Inbound,
    single::Single,
};
use crate::{
    document::outbox::{Drained, Frame, Limits, SendQueue},
    ids::DocumentName,
    protocol::close::CloseReason,
};

/// For ever, as far as a heartbeat can count.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// What clients have said and the document has not taken yet. Past it, their requests wait.
const WAITING: usize = 16;

/// The feeds of a server. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Feeds(Arc<Mutex<HashMap<Uuid, Arc<Feed>>>>);

/// One connection.
#[derive(Debug)]
pub struct Feed {
    /// How the client names it. Not to be guessed: who knows it speaks for the session.
    pub id: Uuid,
    document: DocumentName,
    queue: SendQueue,
    said: mpsc::Sender<Inbound>,
    taken: Mutex<Taken>,
    /// Counts the listeners there have been: the latest is the one that is served.
    listeners: AtomicU64,
    limits: Limits,
    patience: Duration,
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
#[derive(Debug)]
pub struct Listener {
    feed: Arc<Feed>,
    feeds: Feeds,
    number: u64,
}

impl Feeds {
    /// Begins a connection; it opens its document by itself. Must be called on a thread of an actix system.
    pub fn open<P: 'static>(&self, single: Single, config: &Config, permit: P) -> Listener {
        let queue = SendQueue::new(config.outbox);
        let (said, hears) = mpsc::channel(WAITING);
        let feed = Arc::new(Feed {
            id: Uuid::new_v4(),
            document: single.document.clone(),
            queue: queue.clone(),
            said,
            taken: Mutex::default(),
            listeners: AtomicU64::new(0),
            limits: config.outbox,
            patience: config.feed_patience,
        });
        self.0.lock().insert(feed.id, feed.clone());
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
        let (feeds, id, patience) = (self.clone(), feed.id, feed.patience);
        tokio::task::spawn_local(async move {
            line::run(line, talk, async |_, _| ()).await;
            drop(permit);
            // The last words are still to be heard.
            tokio::time::sleep(patience).await;
            feeds.0.lock().remove(&id);
        });
        self.listen(&feed)
    }

    /// The feed that a client names, if it is one of this document.
    pub fn find(&self, id: Uuid, document: &DocumentName) -> Option<Arc<Feed>> {
        self.0.lock().get(&id).filter(|feed| feed.document == *document).cloned()
    }

    /// Listens from now on, in place of whoever did.
    pub fn listen(&self, feed: &Arc<Feed>) -> Listener {
        let number = {
            // Between two looks of the one before: the queue wakes one listener, and must not be left with the
            // waker of one that has been replaced.
            let _taken = feed.taken.lock();
            feed.listeners.fetch_add(1, Ordering::AcqRel) + 1
        };
        // Wakes the one before, so that it notices.
        feed.queue.nudge();
        Listener { feed: feed.clone(), feeds: self.clone(), number }
    }
}

impl Feed {
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
                Drained::Close(reason) => return Poll::Ready(Told::Closed(reason)),
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
    fn forget(&mut self, limits: &Limits) {
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
        let (feed, feeds, number) = (self.feed.clone(), self.feeds.clone(), self.number);
        // Without a runtime the server is gone, and with it everything here.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            tokio::time::sleep(feed.patience).await;
            if feed.listeners.load(Ordering::Acquire) == number {
                feed.queue.close(CloseReason::Idle);
                feeds.0.lock().remove(&feed.id);
            }
        });
    }
}
