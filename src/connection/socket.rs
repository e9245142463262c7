//! A WebSocket as a line. Nothing else reads or writes a socket.
//!
//! Two tasks share a connection. The reading one is the loop of [`super::line`], or that of the dialects that speak
//! JSON in [`super::text_socket`]. The writing one is the response body ([`Frames`]), polled by the HTTP server
//! whenever the socket takes bytes: it takes everything out of the queue and writes it at once.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
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
use actix_ws::{AggregatedMessage, AggregatedMessageStream, CloseCode, ProtocolError};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};

use super::{
    Config,
    frame_guard::FrameGuard,
    heartbeat,
    line::{self, Line},
    many::Many,
    session::Inbound,
    single::Single,
    talk::{Heard, Talk},
};
use crate::{
    document::{
        outbox::{Control, Drained, Frame, Queued, SendQueue},
        text_queue::{Text, TextQueue},
    },
    ids::ConnectionId,
    protocol::close::CloseReason,
    telemetry::Metrics,
};

/// Bytes that a frame of ours has before its payload, at the most.
const LARGEST_HEADER: usize = 10;

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
    let Opening { connection, with, metrics, config, heartbeat, permit } = opening;
    let (accepted, messages) = accept(request, payload, config.max_message_bytes).await?;
    let queue = SendQueue::new(config.outbox);
    let line = Line { connection, queue: queue.clone(), metrics: metrics.clone(), messages, heartbeat };
    match with {
        With::One(single) => {
            let talk = single.converse(queue.open(Bytes::new()), config.guard.clone());
            actix_web::rt::spawn(converse(line, talk, permit));
        }
        With::Many(many) => {
            let talk = many.converse(queue.clone(), &config, Instant::now());
            actix_web::rt::spawn(converse(line, talk, permit));
        }
    }
    Ok(accepted.writing(queue, metrics))
}

async fn converse<P>(line: Line<Incoming>, talk: impl Talk, permit: P) {
    read_out(line::run(line, talk, permit).await).await;
}

/// What a peer says after the end: read, so that our close frame is not lost to a reset.
pub(super) async fn read_out(mut messages: Incoming) {
    while let Some(Ok(_)) = messages.next().await {}
}

/// What comes out of a socket.
pub(super) type Incoming = stream::Map<
    AggregatedMessageStream,
    fn(Result<AggregatedMessage, ProtocolError>) -> Result<Inbound, Heard>,
>;

/// An upgrade that was answered; nothing is written yet.
pub(super) struct Accepted {
    response: HttpResponse,
}

/// Answers the upgrade. The peer is read under `limit`, in bytes a message.
pub(super) async fn accept(
    request: &HttpRequest,
    payload: web::Payload,
    limit: usize,
) -> Result<(Accepted, Incoming), actix_web::Error> {
    let guarded = Guarded { payload: payload.into_inner(), guard: FrameGuard::new(limit) };
    let mut guarded: Payload = Payload::Stream { payload: Box::pin(guarded) };
    let payload = <web::Payload as actix_web::FromRequest>::from_request(request, &mut guarded).await?;
    // The session handle of actix-ws is not used: it queues messages one by one, and encodes each for each
    // connection. Its body is kept only because dropping it ends the message stream.
    let (response, _, messages) = actix_ws::handle(request, payload)?;
    let messages = messages.max_frame_size(limit).aggregate_continuations().max_continuation_size(limit);
    Ok((Accepted { response }, messages.map(inbound)))
}

impl Accepted {
    /// The response, which writes what is put into `queue` until that is closed.
    pub(super) fn writing(self, queue: impl Source, metrics: Metrics) -> HttpResponse {
        self.response.map_body(|_, inner| {
            let taken = VecDeque::new();
            BoxBody::new(Frames { queue, metrics, taken, closed: false, _inner: inner })
        })
    }
}

fn inbound(message: Result<AggregatedMessage, ProtocolError>) -> Result<Inbound, Heard> {
    match message {
        Ok(AggregatedMessage::Binary(bytes)) => Ok(Inbound::Binary(bytes)),
        Ok(AggregatedMessage::Text(text)) => Ok(Inbound::Text(text.into_bytes())),
        Ok(AggregatedMessage::Ping(payload)) => Ok(Inbound::Ping(payload)),
        Ok(AggregatedMessage::Pong(_)) => Ok(Inbound::Pong),
        Ok(AggregatedMessage::Close(reason)) => {
            Ok(Inbound::Close(reason.map(|reason| u16::from(reason.code))))
        }
        Err(error) => Err(refuse(&error)),
    }
}

/// A broken WebSocket stream, as the close reason that names what is wrong with it.
fn refuse(error: &ProtocolError) -> Heard {
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
struct Guarded {
    payload: Payload,
    guard: FrameGuard,
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

/// A queue that a socket writes.
pub(super) trait Source: Unpin + 'static {
    /// What waits in it.
    type Item: Unpin + 'static;

    /// Takes all that waits into `taken`, which is empty; registers `waker` if there is nothing.
    fn drain(&self, taken: &mut VecDeque<Self::Item>, waker: &Waker) -> Drained;

    /// Nobody will take out anything any more.
    fn close(&self, reason: CloseReason);

    /// What is written for it: the kind of the frame, and its payload in two parts.
    fn frame(item: &Self::Item) -> (OpCode, &[u8], &[u8]);
}

impl Source for SendQueue {
    type Item = Queued;

    fn drain(&self, taken: &mut VecDeque<Queued>, waker: &Waker) -> Drained {
        self.drain(taken, waker)
    }

    fn close(&self, reason: CloseReason) {
        self.close(reason);
    }

    fn frame(queued: &Queued) -> (OpCode, &[u8], &[u8]) {
        let opcode = match &queued.frame {
            Frame::Control(control) => opcode(control),
            _ => OpCode::Binary,
        };
        (opcode, &queued.address, queued.frame.payload())
    }
}

impl Source for TextQueue {
    type Item = Text;

    fn drain(&self, taken: &mut VecDeque<Text>, waker: &Waker) -> Drained {
        self.drain(taken, waker)
    }

    fn close(&self, reason: CloseReason) {
        self.close(reason);
    }

    fn frame(text: &Text) -> (OpCode, &[u8], &[u8]) {
        let opcode = match text {
            Text::Control(control) => opcode(control),
            Text::Text(_) | Text::Change(_) => OpCode::Text,
        };
        (opcode, &[], text.payload())
    }
}

fn opcode(control: &Control) -> OpCode {
    match control {
        Control::Ping => OpCode::Ping,
        Control::Pong(_) => OpCode::Pong,
    }
}

/// The response body: everything that leaves the connection, framed.
struct Frames<Q: Source> {
    queue: Q,
    metrics: Metrics,
    taken: VecDeque<Q::Item>,
    closed: bool,
    /// actix-ws's own body; never polled, and dropped last, which ends the message stream.
    _inner: BoxBody,
}

impl<Q: Source> Frames<Q> {
    fn encode(&mut self) -> Bytes {
        let size = |item| {
            let (_, address, payload) = Q::frame(item);
            address.len() + payload.len() + LARGEST_HEADER
        };
        let mut buffer = BytesMut::with_capacity(self.taken.iter().map(size).sum());
        let mut addressed = Vec::new();
        for item in self.taken.drain(..) {
            let (opcode, address, payload) = Q::frame(&item);
            if address.is_empty() {
                Parser::write_message(&mut buffer, payload, opcode, true, false);
            } else {
                addressed.clear();
                addressed.extend_from_slice(address);
                addressed.extend_from_slice(payload);
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

impl<Q: Source> MessageBody for Frames<Q> {
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

impl<Q: Source> Drop for Frames<Q> {
    fn drop(&mut self) {
        // The server gave the connection up, for whatever reason: the reading task must not wait for more.
        self.queue.close(CloseReason::GoingAway);
    }
}
