//! A WebSocket as a line. Nothing else reads or writes a socket.
//!
//! Two tasks share a connection. The reading one is the loop of [`super::line`], or that of the dialects that speak
//! JSON in [`super::text_socket`]. The writing one is the response body ([`Frames`]), polled by the HTTP server
//! whenever the socket takes bytes: it takes everything out of the queue and writes it at once.

use std::{
    cell::Cell,
    collections::VecDeque,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::{Duration, Instant},
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
use futures_util::{Stream, StreamExt};
use tracing::debug;

use super::{
    Config,
    frame_guard::{Broken, Fault, FrameGuard, Large, Recognise},
    heartbeat,
    line::{self, Farewell, Line},
    many::Many,
    session::Inbound,
    single::Single,
    talk::{Heard, Talk},
    transport::Hangup,
};
use crate::{
    document::{
        outbox::{Control, Drained, Frame, Queued, SendQueue},
        text_queue::{Text, TextQueue},
    },
    ids::ConnectionId,
    protocol::{close::CloseReason, hocuspocus, ysync},
    telemetry::Metrics,
};

/// Bytes that a frame of ours has before its payload, at the most.
const LARGEST_HEADER: usize = 10;

/// A connection that was let in.
pub struct Opening {
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
}

/// The dialects.
pub enum With {
    /// One document.
    One(Single),
    /// Many.
    Many(Many),
}

/// Answers the upgrade and runs the connection on this thread until it ends.
pub async fn open(
    request: &HttpRequest,
    payload: web::Payload,
    opening: Opening,
) -> Result<HttpResponse, actix_web::Error> {
    let Opening { connection, with, metrics, config, heartbeat } = opening;
    let is_one: Recognise = match &with {
        With::One(_) => ysync::is_step_2,
        With::Many(_) => hocuspocus::is_step_2,
    };
    let (limit, places) = (config.guard.document_bytes, config.large_places.clone());
    let large = Large { limit, places, is_one };
    let (accepted, messages) = accept(request, payload, config.max_message_bytes, Some(large)).await?;
    let hangup = accepted.hangup.clone();
    let queue = SendQueue::new(config.outbox);
    let line = Line { connection, queue: queue.clone(), metrics: metrics.clone(), messages, heartbeat };
    match with {
        With::One(single) => {
            let talk = single.converse(queue.open(Bytes::new()), config.guard.clone());
            actix_web::rt::spawn(converse(line, talk, hangup));
        }
        With::Many(many) => {
            let talk = many.converse(queue.clone(), &config, Instant::now());
            actix_web::rt::spawn(converse(line, talk, hangup));
        }
    }
    Ok(accepted.writing(queue, metrics))
}

fn converse(line: Line<Incoming>, talk: impl Talk, hangup: Option<Hangup>) -> impl Future<Output = ()> {
    line::run(line, talk, async move |messages, farewell| wind_up(messages, hangup, farewell).await)
}

/// How long a peer has to answer our close frame.
const ANSWER: Duration = Duration::from_secs(1);

/// How long it has, after its own close frame or its answer to ours, to take what was written for it and to hang up.
const LAST_BYTES: Duration = Duration::from_millis(600);

/// Ends the stream of a conversation that is over, and of which the close frame is in the queue. Until then it is read,
/// so that the close frame is not lost to a reset; but no longer than a peer that keeps to the protocol needs.
pub(super) async fn wind_up(mut messages: Incoming, hangup: Option<Hangup>, farewell: Farewell) {
    if farewell == Farewell::Ours {
        let answer = async {
            while let Some(Ok(message)) = messages.next().await
                && !is_close(&message)
            {}
        };
        // No answer is as good as one by now.
        let _ = tokio::time::timeout(ANSWER, answer).await;
    }
    drop(messages);
    let Some(hangup) = hangup else { return };
    hangup.conclude();
    if tokio::time::timeout(LAST_BYTES, hangup.ended()).await.is_err() {
        hangup.cut();
    }
}

fn is_close(message: &Inbound) -> bool {
    matches!(message, Inbound::Close(_))
}

/// What comes out of a socket: everything that was good, and then why it ended.
pub(super) struct Incoming {
    stream: AggregatedMessageStream,
    fault: Rc<Cell<Option<Fault>>>,
    /// Why the bytes ended. Told last, because actix-ws says it first.
    end: Option<Result<Inbound, Heard>>,
}

impl Stream for Incoming {
    type Item = Result<Inbound, Heard>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match ready!(Pin::new(&mut self.stream).poll_next(context)) {
                Some(Ok(message)) => return Poll::Ready(Some(Ok(inbound(message)))),
                Some(Err(error)) if self.end.is_none() && ends_the_bytes(&error) => {
                    self.end = Some(self.fault.take().map_or(Err(Heard::Ended { clean: false }), last_of));
                }
                Some(Err(_)) if self.end.is_some() => return Poll::Ready(self.end.take()),
                // Not to be expected of bytes that passed the guard.
                Some(Err(_)) => {
                    return Poll::Ready(Some(last_of(Fault::Protocol("not understood"))));
                }
                None => return Poll::Ready(self.end.take()),
            }
        }
    }
}

/// An upgrade that was answered; nothing is written yet.
pub(super) struct Accepted {
    response: HttpResponse,
    /// How its stream is ended; nothing where there is none, as in tests without a network.
    pub(super) hangup: Option<Hangup>,
}

/// Answers the upgrade. The peer is read under `limit`, in bytes a message; some messages may be `large`.
pub(super) async fn accept(
    request: &HttpRequest,
    payload: web::Payload,
    limit: usize,
    large: Option<Large>,
) -> Result<(Accepted, Incoming), actix_web::Error> {
    let fault = Rc::new(Cell::new(None));
    let guarded = Guarded {
        payload: payload.into_inner(),
        guard: FrameGuard::new(limit).with_large(large),
        held: BytesMut::new(),
        fault: fault.clone(),
        is_over: false,
    };
    let mut guarded: Payload = Payload::Stream { payload: Box::pin(guarded) };
    let payload = <web::Payload as actix_web::FromRequest>::from_request(request, &mut guarded).await?;
    // The session handle of actix-ws is not used: it queues messages one by one, and encodes each for each
    // connection. Its body is kept only because dropping it ends the message stream.
    let (response, _, messages) = actix_ws::handle(request, payload)?;
    // Bounded by the guard alone: with a bound of its own the parser would be the first to end the stream, at the header,
    // before anybody has read whom the message is about.
    let stream =
        messages.max_frame_size(usize::MAX).aggregate_continuations().max_continuation_size(usize::MAX);
    let hangup = request.conn_data::<Hangup>().cloned();
    if let Some(hangup) = &hangup {
        hangup.converse();
    }
    Ok((Accepted { response, hangup }, Incoming { stream, fault, end: None }))
}

impl Accepted {
    /// The response, which writes what is put into `queue` until that is closed.
    pub(super) fn writing(self, queue: impl Source, metrics: Metrics) -> HttpResponse {
        let hangup = self.hangup;
        self.response.map_body(|_, inner| {
            let taken = VecDeque::new();
            BoxBody::new(Frames { queue, metrics, taken, closed: false, hangup, _inner: inner })
        })
    }
}

fn inbound(message: AggregatedMessage) -> Inbound {
    match message {
        AggregatedMessage::Binary(bytes) => Inbound::Binary(bytes),
        AggregatedMessage::Text(text) => Inbound::Text(text.into_bytes()),
        AggregatedMessage::Ping(payload) => Inbound::Ping(payload),
        AggregatedMessage::Pong(_) => Inbound::Pong,
        AggregatedMessage::Close(reason) => Inbound::Close(reason.map(|reason| u16::from(reason.code))),
    }
}

/// What is heard last of a broken stream: mostly the close reason that names what is wrong with it.
fn last_of(fault: Fault) -> Result<Inbound, Heard> {
    Err(match fault {
        Fault::TooLarge { .. } => Heard::Refuse(CloseReason::TooBig, "frame_too_large"),
        Fault::Beyond(head) => return Ok(Inbound::TooLarge(head)),
        Fault::Busy => Heard::Refuse(CloseReason::TryAgainLater, "too_many_large"),
        Fault::NotUtf8 => Heard::Refuse(CloseReason::InvalidText, "not_utf8"),
        Fault::Protocol(wrong) => {
            debug!(wrong, "not the WebSocket protocol");
            Heard::Refuse(CloseReason::ProtocolError, "websocket")
        }
    })
}

/// Whether the bytes came to an end, by a fault in them or because the line broke. What came before is then still
/// to be had from the stream.
fn ends_the_bytes(error: &ProtocolError) -> bool {
    match error {
        ProtocolError::Io(error) => {
            error.get_ref().and_then(|inner| inner.downcast_ref::<PayloadError>()).is_some()
        }
        _ => false,
    }
}

/// The raw bytes of the connection, up to the first frame that is at fault.
struct Guarded {
    payload: Payload,
    guard: FrameGuard,
    /// The beginning of a frame that the guard does not let through yet.
    held: BytesMut,
    fault: Rc<Cell<Option<Fault>>>,
    is_over: bool,
}

impl Stream for Guarded {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if self.is_over {
                return Poll::Ready(Some(Err(PayloadError::EncodingCorrupted)));
            }
            let Some(chunk) = ready!(Pin::new(&mut self.payload).poll_next(context)?) else {
                return Poll::Ready(None);
            };
            let sure = self.guard.follow(&chunk).unwrap_or_else(|Broken { good, fault }| {
                self.fault.set(Some(fault));
                self.is_over = true;
                // What came before a bad frame was said and stands; then comes the error.
                good
            });
            let passed = self.pass(chunk, sure);
            if !passed.is_empty() {
                return Poll::Ready(Some(Ok(passed)));
            }
        }
    }
}

impl Guarded {
    /// What may be read of the chunk and of what was held before it; the rest is held.
    fn pass(&mut self, mut chunk: Bytes, sure: usize) -> Bytes {
        let unsure = chunk.split_off(sure);
        if sure > 0 && !self.held.is_empty() {
            self.held.extend_from_slice(&chunk);
            chunk = self.held.split().freeze();
        }
        self.held.extend_from_slice(&unsure);
        chunk
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
    hangup: Option<Hangup>,
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
            // The close frame is out. To end the body is to end the stream, for which it is time once the peer has
            // answered.
            return match &self.hangup {
                Some(hangup) => hangup.poll_concluded(context).map(|()| None),
                None => Poll::Ready(None),
            };
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
