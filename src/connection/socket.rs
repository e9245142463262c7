//! A WebSocket as a line. Nothing else reads or writes a socket.
//!
//! Two tasks share a connection. The reading one is the loop of [`super::line`]. The writing one is the response
//! body ([`Frames`]), polled by the HTTP server whenever the socket takes bytes: it takes everything out of the
//! queue and writes it at once.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use actix_http::ws::{OpCode, Parser};
use actix_web::{
    HttpRequest, HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    dev::Payload,
    error::PayloadError,
    web,
};
use actix_ws::{AggregatedMessage, CloseCode, ProtocolError};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};

use super::{
    Config,
    frame_guard::FrameGuard,
    heartbeat,
    line::{self, Line, Messages},
    many::Many,
    session::Inbound,
    single::Single,
    talk::{Heard, Talk},
};
use crate::{
    document::outbox::{Control, Drained, Frame, Queued, SendQueue},
    ids::ConnectionId,
    protocol::close::CloseReason,
    telemetry::Metrics,
};

/// A connection that was let in.
pub struct Opening<P> {
    /// For the logs.
    pub connection: ConnectionId,
    /// Whom it speaks with.
    pub with: With,
    /// Figures.
    pub metrics: Metrics,
    /// Settings.
    pub config: Arc<Config>,
    /// When the peer hears from us: its own wish, or that of the settings.
    pub heartbeat: heartbeat::Config,
    /// Held for as long as the connection lives: its place within the limits.
    pub permit: P,
}

/// The dialects.
pub enum With {
    /// One document.
    One(Single),
    /// Many.
    Many(Many),
}

/// Answers the upgrade and runs the connection on this thread until it ends.
pub async fn open<P: 'static>(
    request: &HttpRequest,
    payload: web::Payload,
    opening: Opening<P>,
) -> Result<HttpResponse, actix_web::Error> {
    let limit = opening.config.max_message_bytes;
    let guarded = Guarded { payload: payload.into_inner(), guard: FrameGuard::new(limit) };
    let mut guarded: Payload = Payload::Stream { payload: Box::pin(guarded) };
    let payload = <web::Payload as actix_web::FromRequest>::from_request(request, &mut guarded).await?;
    // The session handle of actix-ws is not used: it queues messages one by one, and encodes each for each
    // connection. Its body is kept only because dropping it ends the message stream.
    let (response, _, messages) = actix_ws::handle(request, payload)?;
    let messages = messages.max_frame_size(limit).aggregate_continuations().max_continuation_size(limit);
    let queue = SendQueue::new(opening.config.outbox);
    let metrics = opening.metrics.clone();
    let Opening { connection, config, heartbeat, permit, .. } = opening;
    let messages = messages.map(inbound);
    let line = Line { connection, queue: queue.clone(), metrics: metrics.clone(), messages, heartbeat };
    match opening.with {
        With::One(single) => {
            let talk = single.converse(queue.open(Bytes::new()), config.guard.clone());
            actix_web::rt::spawn(converse(line, talk, permit));
        }
        With::Many(many) => {
            let talk = many.converse(queue.clone(), &config, Instant::now());
            actix_web::rt::spawn(converse(line, talk, permit));
        }
    }
    Ok(response.map_body(|_, inner| BoxBody::new(Frames::new(queue, metrics, inner))))
}

async fn converse<P>(line: Line<impl Messages>, talk: impl Talk, permit: P) {
    let mut messages = line::run(line, talk, permit).await;
    // A peer that keeps talking is read to its end, so that our close frame is not lost to a reset.
    while let Some(Ok(_)) = messages.next().await {}
}

fn inbound(message: Result<AggregatedMessage, ProtocolError>) -> Result<Inbound, Heard> {
    match message {
        Ok(AggregatedMessage::Binary(bytes)) => Ok(Inbound::Binary(bytes)),
        Ok(AggregatedMessage::Text(_)) => Ok(Inbound::Text),
        Ok(AggregatedMessage::Ping(payload)) => Ok(Inbound::Ping(payload)),
        Ok(AggregatedMessage::Pong(_)) => Ok(Inbound::Pong),
        Ok(AggregatedMessage::Close(reason)) => {
            Ok(Inbound::Close(reason.map(|reason| u16::from(reason.code))))
        }
        Err(error) => Err(refuse(&error)),
    }
}

/// A broken WebSocket stream, as the close reason that names what is wrong with it.
pub(super) fn refuse(error: &ProtocolError) -> Heard {
    match error {
        ProtocolError::Overflow => Heard::Refuse(CloseReason::TooBig, "frame_too_large"),
        ProtocolError::Io(io) if is_overflow(io) => Heard::Refuse(CloseReason::TooBig, "frame_too_large"),
        // A text in several pieces that is not UTF-8.
        ProtocolError::Io(io) if io.kind() == io::ErrorKind::InvalidData => {
            Heard::Refuse(CloseReason::ProtocolError, "websocket")
        }
        // The line broke; nobody is there to be told.
        ProtocolError::Io(_) => Heard::Ended { clean: false },
        _ => Heard::Refuse(CloseReason::ProtocolError, "websocket"),
    }
}

/// Whether too much was announced in one frame, or came in several. Both are told apart from a broken line
/// by their texts alone: the first is ours, the second that of actix-ws.
fn is_overflow(error: &io::Error) -> bool {
    let text = error.to_string();
    text.contains(&PayloadError::Overflow.to_string()) || text.contains("maximum continuation size")
}

/// The raw bytes of the connection, ended as soon as a frame announces too much.
pub(super) struct Guarded {
    pub(super) payload: Payload,
    pub(super) guard: FrameGuard,
}

impl Stream for Guarded {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = Pin::new(&mut self.payload).poll_next(context);
        if let Poll::Ready(Some(Ok(chunk))) = &polled
            && self.guard.follow(chunk).is_err()
        {
            return Poll::Ready(Some(Err(PayloadError::Overflow)));
        }
        polled
    }
}

/// The response body: everything that leaves the connection, framed.
struct Frames {
    queue: SendQueue,
    metrics: Metrics,
    taken: VecDeque<Queued>,
    closed: bool,
    /// actix-ws's own body; never polled, and dropped last, which ends the message stream.
    _inner: BoxBody,
}

impl Frames {
    fn new(queue: SendQueue, metrics: Metrics, inner: BoxBody) -> Self {
        Self { queue, metrics, taken: VecDeque::new(), closed: false, _inner: inner }
    }

    fn encode(&mut self) -> Bytes {
        let size: usize = self.taken.iter().map(|queued| queued.size() + 10).sum();
        let mut buffer = BytesMut::with_capacity(size);
        let mut addressed = Vec::new();
        for queued in self.taken.drain(..) {
            let opcode = match &queued.frame {
                Frame::Control(Control::Ping) => OpCode::Ping,
                Frame::Control(Control::Pong(_)) => OpCode::Pong,
                _ => OpCode::Binary,
            };
            if queued.address.is_empty() {
                Parser::write_message(&mut buffer, queued.frame.payload(), opcode, true, false);
            } else {
                addressed.clear();
                addressed.extend_from_slice(&queued.address);
                addressed.extend_from_slice(queued.frame.payload());
                Parser::write_message(&mut buffer, &addressed, opcode, true, false);
            }
        }
        // A burst is over; its queue need not be remembered by a connection that may now be idle for hours.
        if self.taken.capacity() > 64 {
            self.taken = VecDeque::new();
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
        match this.queue.drain(&mut this.taken, context.waker()) {
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
        // The server gave the connection up, for whatever reason: the reading task must not wait for more.
        self.queue.close(CloseReason::GoingAway);
    }
}
