//! The loop of one connection that speaks texts: what [`super::socket`] is for the binary dialects.
//!
//! A dialect is a conversation: an async function that is given the [`Peer`] to listen to and the
//! [`Line`] to speak into, and runs until the connection ends. Pings, pongs, keepalives, frames that are too
//! large, a peer that does not read and one that has died are dealt with here, so that a dialect is nothing
//! but what it says:
//!
//! ```ignore
//! text_socket::open(&request, payload, opening, async move |peer, line| {
//!     while let Some(said) = peer.hears().await {
//!         line.answer(reply_to(said));
//!     }
//! }).await
//! ```
//!
//! [`Peer::hears`] may be dropped and called again, so it can stand in a `select!` beside whatever else the
//! dialect waits for. It gives `None` once the connection is ending, for whatever reason: then the dialect
//! cleans up and returns. To end the connection, close the line.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use actix_http::ws::{OpCode, Parser};
use actix_web::{
    HttpRequest, HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    dev::Payload,
    web,
};
use actix_ws::{AggregatedMessage, AggregatedMessageStream, CloseCode, ProtocolError};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use tracing::debug;

use super::{
    frame_guard::FrameGuard,
    heartbeat::{self, Heartbeat},
    socket::{Guarded, refuse},
    talk::Heard,
};
use crate::{
    document::{
        line::{Drained, Line, Notice, Text},
        outbox::{Control, Limits},
    },
    ids::{ConnectionId, Timestamp},
    protocol::close::CloseReason,
    telemetry::Metrics,
};

/// A connection that was let in.
pub struct Opening<P> {
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
    /// Held for as long as the connection lives: its place within the limits.
    pub permit: P,
}

/// What the peer said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The message.
    pub what: What,
    /// When it came.
    pub at: Instant,
}

/// A message of the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A text; the bytes are UTF-8.
    Text(Bytes),
    /// Something else. The dialect says that it wants text.
    Binary,
    /// Nothing, but it has read everything that was left after changes were dropped: they are to be made up
    /// for now ([`Line::catch_up`]). Only a dialect that speaks of changes hears this.
    Behind,
}

/// Answers the upgrade and holds the conversation on this thread until it ends.
pub async fn open<P: 'static>(
    request: &HttpRequest,
    payload: web::Payload,
    opening: Opening<P>,
    talk: impl AsyncFnOnce(&mut Peer, &Line) + 'static,
) -> Result<HttpResponse, actix_web::Error> {
    let limit = opening.max_message_bytes;
    let guarded = Guarded { payload: payload.into_inner(), guard: FrameGuard::new(limit) };
    let mut guarded: Payload = Payload::Stream { payload: Box::pin(guarded) };
    let payload = <web::Payload as actix_web::FromRequest>::from_request(request, &mut guarded).await?;
    // Only the handshake and the reading half of actix-ws are used: see `socket.rs`.
    let (response, _, messages) = actix_ws::handle(request, payload)?;
    let messages = messages.max_frame_size(limit).aggregate_continuations().max_continuation_size(limit);
    let line = Line::new(opening.limits);
    let metrics = opening.metrics.clone();
    actix_web::rt::spawn(run(opening, line.clone(), messages, talk));
    Ok(response.map_body(|_, inner| BoxBody::new(Frames::new(line, metrics, inner))))
}

/// From the first message to the last.
async fn run<P>(
    opening: Opening<P>,
    line: Line,
    messages: AggregatedMessageStream,
    talk: impl AsyncFnOnce(&mut Peer, &Line),
) {
    let Opening { connection, heartbeat, keepalive, metrics, permit, .. } = opening;
    metrics.connections.inc();
    debug!(%connection, "text connection opened");
    let now = Instant::now();
    let mut peer = Peer {
        messages,
        line: line.clone(),
        heartbeat: Heartbeat::new(heartbeat, now),
        look_at: now + heartbeat.interval,
        keepalive,
        metrics: metrics.clone(),
        left_cleanly: false,
    };
    // Boxed, because most of a connection's life is spent in one small corner of it.
    Box::pin(talk(&mut peer, &line)).await;
    line.close(CloseReason::Normal);
    debug!(%connection, reason = ?line.closing(), "text connection ended");
    metrics.connections.dec();
    drop(permit);
    // A peer that keeps talking is read to its end, so that our close frame is not lost to a reset.
    while let Some(Ok(_)) = peer.messages.next().await {}
}

/// The other side.
pub struct Peer {
    messages: AggregatedMessageStream,
    line: Line,
    heartbeat: Heartbeat,
    look_at: Instant,
    keepalive: &'static str,
    metrics: Metrics,
    left_cleanly: bool,
}

impl Peer {
    /// The next message, or `None` once the connection is ending. Nothing is lost if the future is dropped.
    ///
    /// While the peer does not read what it was answered, nothing more is read from it.
    pub async fn hears(&mut self) -> Option<Said> {
        loop {
            if self.line.closing().is_some() {
                return None;
            }
            let has_room = self.line.has_room();
            let line = &self.line;
            tokio::select! {
                message = self.messages.next(), if has_room => {
                    let now = Instant::now();
                    self.heartbeat.heard(now);
                    if let Some(what) = self.take_in(message)? {
                        return Some(Said { what, at: now });
                    }
                }
                notice = poll_fn(|context| match line.notice(context.waker()) {
                    Some(notice) => Poll::Ready(notice),
                    None => Poll::Pending,
                }) => match notice {
                    Notice::Room => {}
                    Notice::Behind => return Some(Said { what: What::Behind, at: Instant::now() }),
                    Notice::Closed => return None,
                },
                () = tokio::time::sleep_until(self.look_at.into()) => self.beat(),
            }
        }
    }

    /// Whether the peer said that it goes: a page that was closed, not a line that broke.
    pub fn left_cleanly(&self) -> bool {
        self.left_cleanly
    }

    /// `None` if this was the end; `Some(None)` if it was nothing for the dialect.
    fn take_in(&mut self, message: Option<Result<AggregatedMessage, ProtocolError>>) -> Option<Option<What>> {
        match message {
            Some(Ok(AggregatedMessage::Text(text))) => {
                self.metrics.bytes_received.inc_by(text.len() as u64);
                Some(Some(What::Text(text.into_bytes())))
            }
            Some(Ok(AggregatedMessage::Binary(bytes))) => {
                self.metrics.bytes_received.inc_by(bytes.len() as u64);
                Some(Some(What::Binary))
            }
            Some(Ok(AggregatedMessage::Ping(payload))) => {
                self.line.control(Control::Pong(payload));
                Some(None)
            }
            Some(Ok(AggregatedMessage::Pong(_))) => Some(None),
            Some(Ok(AggregatedMessage::Close(reason))) => {
                let code = reason.map(|reason| u16::from(reason.code));
                self.left_cleanly = matches!(code, Some(1000 | 1001));
                self.end(CloseReason::Normal)
            }
            Some(Err(error)) => match refuse(&error) {
                Heard::Refuse(reason, label) => {
                    self.metrics.refused(label);
                    self.end(reason)
                }
                _ => self.end(CloseReason::Normal),
            },
            None => self.end(CloseReason::Normal),
        }
    }

    fn end<T>(&self, reason: CloseReason) -> Option<T> {
        self.line.close(reason);
        None
    }

    fn beat(&mut self) {
        let now = Instant::now();
        let beat = self.heartbeat.tick(self.line.take_activity(), now);
        if beat.dead {
            self.line.close(CloseReason::Idle);
        }
        if beat.ping {
            self.line.control(Control::Ping);
        }
        if beat.keepalive && !self.keepalive.is_empty() {
            self.line.mention(self.keepalive);
        }
        self.look_at = self.heartbeat.next(now);
    }
}

/// A moment, both ways: for intervals and for people.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Never jumps.
    pub instant: Instant,
    /// The wall clock.
    pub wall: Timestamp,
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
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Moment { instant: Instant::now(), wall: Timestamp(wall.as_millis() as u64) }
    }
}

/// The response body: everything that leaves the connection, framed.
struct Frames {
    line: Line,
    metrics: Metrics,
    taken: VecDeque<Text>,
    closed: bool,
    /// actix-ws's own body; never polled, and dropped last, which ends the message stream.
    _inner: BoxBody,
}

impl Frames {
    fn new(line: Line, metrics: Metrics, inner: BoxBody) -> Self {
        Self { line, metrics, taken: VecDeque::new(), closed: false, _inner: inner }
    }

    fn encode(&mut self) -> Bytes {
        let size: usize = self.taken.iter().map(|frame| frame.payload().len() + 10).sum();
        let mut buffer = BytesMut::with_capacity(size);
        for frame in self.taken.drain(..) {
            let opcode = match &frame {
                Text::Text(_) | Text::Change(_) => OpCode::Text,
                Text::Control(Control::Ping) => OpCode::Ping,
                Text::Control(Control::Pong(_)) => OpCode::Pong,
            };
            Parser::write_message(&mut buffer, frame.payload(), opcode, true, false);
        }
        self.metrics.bytes_sent.inc_by(buffer.len() as u64);
        buffer.freeze()
    }
}

impl MessageBody for Frames {
    type Error = actix_web::Error;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        if self.closed {
            return Poll::Ready(None);
        }
        let this = &mut *self;
        match this.line.drain(&mut this.taken, context.waker()) {
            Drained::Frames => Poll::Ready(Some(Ok(this.encode()))),
            Drained::Close(reason) => {
                this.closed = true;
                let mut buffer = BytesMut::new();
                let code = CloseCode::from(reason.code());
                Parser::write_close(&mut buffer, Some((code, reason.text()).into()), false);
                Poll::Ready(Some(Ok(buffer.freeze())))
            }
            Drained::Empty => Poll::Pending,
        }
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        // The server gave the connection up, for whatever reason: the conversation must not wait for more.
        self.line.close(CloseReason::GoingAway);
    }
}
