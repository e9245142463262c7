//! The loop of one connection that speaks texts: what [`super::socket`] is for the binary dialects.
//!
//! A dialect is a conversation: an async function that is given the [`Peer`] to listen to and the
//! [`TextQueue`] to speak into, and runs until the connection ends. Pings, pongs, keepalives, frames that are too
//! large, a peer that does not read and one that has died are dealt with here, so that a dialect is nothing
//! but what it says:
//!
//! ```ignore
//! text_socket::open(&request, payload, opening, async move |peer, queue| {
//!     while let Some(said) = peer.hears().await {
//!         queue.answer(reply_to(said));
//!     }
//! }).await
//! ```
//!
//! [`Peer::hears`] may be dropped and called again, so it can stand in a `select!` beside whatever else the
//! dialect waits for. It gives `None` once the connection is ending, for whatever reason: then the dialect
//! cleans up and returns. To end the connection, close the queue.

use std::{
    future::poll_fn,
    task::Poll,
    time::{Duration, Instant},
};

use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use tracing::debug;

use super::{
    ahead::Ahead,
    heartbeat::{self, Heartbeat},
    line::Farewell,
    session::{Inbound, is_goodbye},
    socket::{self, Incoming},
    talk::Heard,
    transport::Hangup,
};
use crate::{
    document::{
        outbox::{Control, Limits},
        rate::{Bucket, Rate},
        text_queue::{Notice, TextQueue},
    },
    ids::{ConnectionId, Moment},
    protocol::close::CloseReason,
    telemetry::Metrics,
};

/// How often a peer is heard. What it says beyond this is read later, so that its own line fills up and nothing is
/// lost; a person says a tenth of it at most, and a program that writes faster does so in longer messages.
const PACE: Rate = Rate { burst: 1000.0, per_second: 500.0 };

/// A connection that was let in.
pub struct Opening {
    /// For the logs.
    pub connection: ConnectionId,
    /// Largest message in bytes. A larger one closes the connection with 1009.
    pub max_message_bytes: usize,
    /// When the peer is asked whether it lives, and when it hears from us.
    pub heartbeat: heartbeat::Config,
    /// What may wait for a slow reader.
    pub limits: Limits,
    /// What is said when nothing else was for a while, because pages cannot see pings. Nothing if empty.
    pub keepalive: &'static str,
    /// Figures.
    pub metrics: Metrics,
}

/// What the peer said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The message.
    pub what: What,
    /// When it came.
    pub at: Moment,
}

/// A message of the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A text; the bytes are UTF-8.
    Text(Bytes),
    /// Something else. The dialect says that it wants text.
    Binary,
    /// Nothing, but it has read everything that was left after changes were dropped: they are to be made up
    /// for now ([`TextQueue::catch_up`]). Only a dialect that speaks of changes hears this.
    Behind,
}

/// Answers the upgrade and holds the conversation on this thread until it ends.
pub async fn open(
    request: &HttpRequest,
    payload: web::Payload,
    opening: Opening,
    talk: impl AsyncFnOnce(&mut Peer, &TextQueue) + 'static,
) -> Result<HttpResponse, actix_web::Error> {
    let (accepted, messages) = socket::accept(request, payload, opening.max_message_bytes, None).await?;
    let queue = TextQueue::new(opening.limits);
    let metrics = opening.metrics.clone();
    actix_web::rt::spawn(run(opening, queue.clone(), messages, accepted.hangup.clone(), talk));
    Ok(accepted.writing(queue, metrics))
}

/// From the first message to the last.
async fn run(
    opening: Opening,
    queue: TextQueue,
    messages: Incoming,
    hangup: Option<Hangup>,
    talk: impl AsyncFnOnce(&mut Peer, &TextQueue),
) {
    let Opening { connection, heartbeat, keepalive, metrics, .. } = opening;
    metrics.connections.inc();
    debug!(%connection, "text connection opened");
    let now = Instant::now();
    let mut peer = Peer {
        messages: Some(Ahead::new(messages)),
        hangup,
        queue: queue.clone(),
        heartbeat: Heartbeat::new(heartbeat, now),
        look_at: now + heartbeat.interval,
        pace: Bucket::new(PACE, now),
        reads_from: now,
        keepalive,
        metrics: metrics.clone(),
        left_cleanly: false,
        farewell: Farewell::Ours,
    };
    // Boxed, because most of a connection's life is spent in one small corner of it.
    Box::pin(talk(&mut peer, &queue)).await;
    queue.close(CloseReason::Normal);
    debug!(%connection, reason = ?queue.closing(), "text connection ended");
    metrics.connections.dec();
    peer.wind_up();
}

/// The other side.
pub struct Peer {
    /// Until the connection is ending.
    messages: Option<Ahead<Incoming>>,
    hangup: Option<Hangup>,
    queue: TextQueue,
    heartbeat: Heartbeat,
    look_at: Instant,
    pace: Bucket,
    /// Nothing is read before this moment.
    reads_from: Instant,
    keepalive: &'static str,
    metrics: Metrics,
    left_cleanly: bool,
    farewell: Farewell,
}

impl Peer {
    /// The next message, or `None` once the connection is ending. Nothing is lost if the future is dropped.
    ///
    /// While the peer does not read what it was answered, or has just said very much, nothing more is heard of it but that
    /// it goes.
    pub async fn hears(&mut self) -> Option<Said> {
        let said = self.listen().await;
        if said.is_none() {
            self.wind_up();
        }
        said
    }

    async fn listen(&mut self) -> Option<Said> {
        loop {
            if self.queue.closing().is_some() {
                return None;
            }
            let messages = self.messages.as_mut()?;
            let is_early = Instant::now() < self.reads_from;
            let has_room = self.queue.has_room();
            let queue = &self.queue;
            tokio::select! {
                message = messages.next_if(has_room && !is_early) => {
                    let at = Moment::now();
                    let now = at.instant;
                    self.reads_from = now + self.pace.wait_after(now);
                    self.heartbeat.heard(now);
                    if let Some(what) = self.take_in(message)? {
                        return Some(Said { what, at });
                    }
                }
                notice = poll_fn(|context| match queue.notice(context.waker()) {
                    Some(notice) => Poll::Ready(notice),
                    None => Poll::Pending,
                }) => match notice {
                    Notice::Room => {}
                    Notice::Behind => return Some(Said { what: What::Behind, at: Moment::now() }),
                    Notice::Closed => return None,
                },
                () = tokio::time::sleep_until(self.reads_from.into()), if is_early => {}
                () = tokio::time::sleep_until(self.look_at.into()) => self.beat(),
            }
        }
    }

    /// Ends the stream, beside whatever the dialect still has to do: the peer does not wait for a document.
    fn wind_up(&mut self) {
        self.queue.close(CloseReason::Normal);
        let Some(mut messages) = self.messages.take() else { return };
        // The line may have broken behind a goodbye that nobody has read yet.
        while let Some(Some(Ok(message))) = messages.next().now_or_never() {
            if let Inbound::Close(code) = message {
                (self.left_cleanly, self.farewell) = (is_goodbye(code), Farewell::Theirs);
            }
        }
        actix_web::rt::spawn(socket::wind_up(messages.into_rest(), self.hangup.take(), self.farewell));
    }

    /// Whether the peer said that it goes: a page that was closed, not a line that broke.
    pub fn left_cleanly(&self) -> bool {
        self.left_cleanly
    }

    /// `None` if this was the end; `Some(None)` if it was nothing for the dialect.
    fn take_in(&mut self, message: Option<Result<Inbound, Heard>>) -> Option<Option<What>> {
        match message {
            Some(Ok(Inbound::Text(text))) => {
                self.metrics.bytes_received.inc_by(text.len() as u64);
                Some(Some(What::Text(text)))
            }
            Some(Ok(Inbound::Binary(bytes))) => {
                self.metrics.bytes_received.inc_by(bytes.len() as u64);
                Some(Some(What::Binary))
            }
            Some(Ok(Inbound::Ping(payload))) => {
                self.queue.control(Control::Pong(payload));
                Some(None)
            }
            Some(Ok(Inbound::Pong)) => Some(None),
            Some(Ok(Inbound::TooLarge(_))) => self.end(CloseReason::TooBig),
            Some(Ok(Inbound::Close(code))) => {
                (self.left_cleanly, self.farewell) = (is_goodbye(code), Farewell::Theirs);
                self.end(CloseReason::Normal)
            }
            Some(Err(Heard::Refuse(reason, label))) => {
                self.farewell = Farewell::Theirs;
                self.metrics.refused(label);
                self.end(reason)
            }
            Some(Err(_)) | None => {
                self.farewell = Farewell::Theirs;
                self.end(CloseReason::Normal)
            }
        }
    }

    fn end<T>(&self, reason: CloseReason) -> Option<T> {
        self.queue.close(reason);
        None
    }

    fn beat(&mut self) {
        let now = Instant::now();
        let beat = self.heartbeat.tick(self.queue.take_activity(), now);
        if beat.dead {
            self.queue.close(CloseReason::Idle);
        }
        if beat.ping {
            self.queue.control(Control::Ping);
        }
        if beat.keepalive && !self.keepalive.is_empty() {
            self.queue.mention(self.keepalive);
        }
        self.look_at = self.heartbeat.next(now);
    }
}

/// A clock that strikes, for conversations in which something is said without being asked for.
#[derive(Debug)]
pub struct Ticker(tokio::time::Interval);

impl Ticker {
    /// Strikes at once, and from then on this often.
    pub fn new(every: Duration) -> Self {
        let mut interval = tokio::time::interval(every);
        // After a pause it goes on from there: what was missed is not made up for.
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        Self(interval)
    }

    /// Waits for the next strike. Nothing is lost if the future is dropped.
    pub async fn tick(&mut self) -> Moment {
        self.0.tick().await;
        Moment::now()
    }
}
