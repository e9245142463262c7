//! The loop of one connection, whatever carries it: a WebSocket ([`super::socket`]) or plain HTTP
//! ([`super::feed`]).
//!
//! Four named inputs:
//!
//! - *the peer*: messages, taken as many as have arrived, understood, and handed to the documents in one piece.
//!   While the peer does not read what it asked for, or has just said very much, nothing more is heard of it but that it
//!   goes;
//! - *the queue*: a document ends its session, wants the peer probed, or has a slow session to catch up;
//! - *the conversation* itself: a document that was being opened is open, or is not to be had;
//! - *the clock*: pings, keepalives, and the end of patience.
//!
//! Every way out of the loop ends in one place, with a close reason in the queue and a `leave` at the documents.

use std::{
    future::{pending, poll_fn},
    task::Poll,
    time::Instant,
};

use futures_util::{FutureExt, Stream, StreamExt};
use tracing::debug;

use super::{
    ahead::Ahead,
    heartbeat::{self, Heartbeat},
    session::Inbound,
    talk::{Heard, Talk},
};
use crate::{
    document::{
        queue::{Control, SendQueue, Signal},
        rate::Bucket,
    },
    ids::{ConnectionId, Moment},
    protocol::close::CloseReason,
    telemetry::Metrics,
};

/// Messages taken from the peer before the documents get them: enough to make a burst one batch, few enough
/// that a flood does not fill memory.
const BURST: usize = 256;

/// What a peer says.
pub(super) trait Messages: Stream<Item = Result<Inbound, Heard>> + Unpin {}

impl<S: Stream<Item = Result<Inbound, Heard>> + Unpin> Messages for S {}

/// What carries a conversation.
pub(super) struct Line<S> {
    /// For the logs.
    pub connection: ConnectionId,
    /// What the peer is sent.
    pub queue: SendQueue,
    /// Figures.
    pub metrics: Metrics,
    /// What the peer says, or what follows from a stream that is broken.
    pub messages: S,
    /// When the peer hears from us.
    pub heartbeat: heartbeat::Config,
}

/// Whose word was the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Farewell {
    /// The peer said that it goes, or is gone, or cannot be understood any more: nothing is to be expected of it.
    Theirs,
    /// We send it away; it may answer that.
    Ours,
}

/// The reading task, from the first message to the last. At the end `wind_up` is given what the peer may still say, to
/// end what carries the line; the documents, which may be busy, are left beside that.
pub(super) fn run<S: Messages>(
    line: Line<S>,
    mut talk: impl Talk,
    wind_up: impl AsyncFnOnce(S, Farewell),
) -> impl Future<Output = ()> {
    let Line { connection, queue, metrics, messages, heartbeat } = line;
    let mut messages = Ahead::new(messages);
    let mut farewell = Farewell::Ours;
    // What it works with is made out here: what an async function is given, it holds twice, as long as it lives.
    async move {
        metrics.connections.inc();
        let end = match talk.begin().await {
            Ok(()) => {
                let heartbeat = Heartbeat::new(heartbeat, Instant::now());
                let mut reader = Reader {
                    talk: &mut talk,
                    queue: queue.clone(),
                    metrics: metrics.clone(),
                    heartbeat,
                    pieces: 0,
                    pace: None,
                    reads_from: None,
                    farewell: &mut farewell,
                };
                reader.read(&mut messages).await
            }
            Err(reason) => End::because(reason),
        };
        debug!(%connection, ?end, "connection ended");
        let reason = end.reason.unwrap_or(CloseReason::Normal);
        talk.over(reason, Instant::now());
        queue.close(reason);
        let leaving = async {
            talk.leave(end.clean).await;
            metrics.connections.dec();
        };
        // In a box of its own, or every connection would have room for its end all its life.
        let ending = wind_up(messages.into_rest(), farewell);
        Box::pin(async { tokio::join!(leaving, ending) }).await;
    }
}

/// How a connection came to its end.
#[derive(Debug)]
struct End {
    /// What the peer is told; nothing if it went by itself.
    reason: Option<CloseReason>,
    /// Whether its presence may be removed at once.
    clean: bool,
}

impl End {
    fn because(reason: CloseReason) -> Self {
        Self { reason: Some(reason), clean: false }
    }
}

impl From<CloseReason> for End {
    fn from(reason: CloseReason) -> Self {
        Self::because(reason)
    }
}

struct Reader<'a, T> {
    talk: &'a mut T,
    queue: SendQueue,
    metrics: Metrics,
    heartbeat: Heartbeat,
    /// Of long answers, how many messages the peer had taken when the clock struck last.
    pieces: u64,
    /// What is left of how often the peer is heard.
    pace: Option<Bucket>,
    /// Nothing is read before this moment.
    reads_from: Option<Instant>,
    farewell: &'a mut Farewell,
}

impl<T: Talk> Reader<'_, T> {
    async fn read(&mut self, messages: &mut Ahead<impl Messages>) -> End {
        let clock = tokio::time::sleep_until(self.heartbeat.next(Instant::now()).into());
        tokio::pin!(clock);
        loop {
            let is_heard = self.queue.has_room() && self.reads_from.is_none();
            let reads_from = self.reads_from;
            let outcome = tokio::select! {
                message = messages.next_if(is_heard) => match message {
                    Some(message) => self.take_in(message, messages).await,
                    None => Err(self.gone()),
                },
                signal = poll_fn(|context| match self.queue.signal(context.waker()) {
                    Some(signal) => Poll::Ready(signal),
                    None => Poll::Pending,
                }) => {
                    let since = Instant::now();
                    let outcome = self.heed(signal, messages).await;
                    self.heartbeat.held_up(since.elapsed());
                    outcome
                }
                news = self.talk.news() => {
                    let now = Moment::now();
                    let outcome = self.talk.take_news(news, now).await;
                    self.heartbeat.held_up(now.instant.elapsed());
                    outcome.map(|()| Again::Same).map_err(End::from)
                }
                () = until(reads_from) => {
                    self.reads_from = None;
                    Ok(Again::Same)
                }
                () = &mut clock => {
                    let outcome = self.beat();
                    clock.as_mut().reset(self.heartbeat.next(Instant::now()).into());
                    outcome
                }
            };
            match outcome {
                Ok(Again::Same) => {}
                Ok(Again::Sooner) => clock.as_mut().reset(self.heartbeat.next(Instant::now()).into()),
                Err(end) => return end,
            }
        }
    }

    /// Takes in a message and all that have arrived with it, and acts on them together.
    async fn take_in(
        &mut self,
        first: Result<Inbound, Heard>,
        messages: &mut Ahead<impl Messages>,
    ) -> Result<Again, End> {
        let now = Moment::now();
        self.heartbeat.heard(now.instant);
        let mut taken = 0;
        let mut next = Some(first);
        let mut end = None;
        let mut asked = false;
        while let Some(message) = next {
            let heard = match message {
                Ok(inbound) => {
                    if let Inbound::Binary(bytes) | Inbound::Text(bytes) = &inbound {
                        self.metrics.bytes_received.inc_by(bytes.len() as u64);
                    }
                    if inbound.is_last() {
                        *self.farewell = Farewell::Theirs;
                    }
                    self.talk.hear(inbound, now)
                }
                Err(heard) => {
                    *self.farewell = Farewell::Theirs;
                    heard
                }
            };
            match heard {
                Heard::More => {}
                Heard::Asked => asked = true,
                Heard::Pong(payload) => self.queue.control(Control::Pong(payload)),
                Heard::Ended { clean } => end = Some(End { reason: None, clean }),
                Heard::Refuse(reason, label) => {
                    self.metrics.refused(label);
                    end = Some(End::because(reason));
                }
            }
            taken += 1;
            self.pause(now.instant);
            // An answer may be as large as the document: one is in the queue before the next is asked for, so
            // that the queue can hold the asker back.
            if end.is_some() || asked || taken == BURST || self.reads_from.is_some() {
                break;
            }
            next = match messages.next().now_or_never() {
                Some(Some(message)) => Some(message),
                Some(None) => {
                    end = Some(self.gone());
                    None
                }
                None => None,
            };
        }
        // What came before a bad frame was said and stands.
        if let Err(reason) = self.talk.act().await {
            // Whoever has said that it goes has gone in order all the same.
            return Err(end.unwrap_or(End::because(reason)));
        }
        self.heartbeat.held_up(now.instant.elapsed());
        end.map_or(Ok(Again::Same), Err)
    }

    /// Puts off what comes next, if the peer has spoken too often.
    fn pause(&mut self, now: Instant) {
        let Some(pace) = self.talk.pace() else { return };
        let wait = self.pace.get_or_insert_with(|| Bucket::new(pace, now)).wait_after(now);
        self.reads_from = (!wait.is_zero()).then(|| now + wait);
    }

    /// The line broke, and nobody said why.
    fn gone(&mut self) -> End {
        *self.farewell = Farewell::Theirs;
        End { reason: None, clean: false }
    }

    async fn heed(&mut self, signal: Signal, messages: &mut Ahead<impl Messages>) -> Result<Again, End> {
        match signal {
            // Nothing can be written any more. What the peer said before that has arrived and counts: a last change,
            // or that it goes.
            Signal::Closed => {
                while let Some(Some(message)) = messages.next().now_or_never() {
                    // Boxed, as above: this happens once.
                    Box::pin(self.take_in(message, messages)).await?;
                }
                Err(self.gone())
            }
            Signal::Ended(lane, reason) => match self.talk.ended(lane, reason).await {
                Ok(()) => Ok(Again::Same),
                // Whom a document sends away is gone from it.
                Err(reason) => Err(End { reason: Some(reason), clean: true }),
            },
            Signal::Room => Ok(Again::Same),
            Signal::Probe => {
                let now = Instant::now();
                // Who is probed often has no regular beat.
                self.talk.tick(now)?;
                self.heartbeat.probe(now);
                self.queue.control(Control::Ping);
                Ok(Again::Sooner)
            }
            Signal::CatchUp(lane) => {
                self.talk.catch_up(lane).await?;
                Ok(Again::Same)
            }
        }
    }

    fn beat(&mut self) -> Result<Again, End> {
        let now = Instant::now();
        let pieces = self.queue.pieces();
        if std::mem::replace(&mut self.pieces, pieces) != pieces {
            self.heartbeat.heard(now);
        }
        let beat = self.heartbeat.tick(self.queue.take_activity(), now);
        if beat.dead {
            return Err(End::because(CloseReason::Idle));
        }
        self.talk.tick(now)?;
        if beat.ping {
            self.queue.control(Control::Ping);
        }
        if beat.keepalive
            && let Some((address, payload)) = self.talk.keepalive()
        {
            self.queue.send(address, payload);
        }
        Ok(Again::Same)
    }
}

/// Waits for this moment; without one, for ever.
async fn until(moment: Option<Instant>) {
    match moment {
        // In a box: hardly a connection ever waits here, and all would have room for it.
        Some(moment) => Box::pin(tokio::time::sleep_until(moment.into())).await,
        None => pending().await,
    }
}

/// Whether the clock must be set anew.
enum Again {
    Same,
    Sooner,
}
