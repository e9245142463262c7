//! A WebSocket as a line. Nothing else reads or writes a socket.
//!
//! Two tasks share a connection. The reading one is the loop of [`super::line`]. The writing one is the response body
//! ([`Frames`]), polled by the HTTP server whenever the socket takes bytes: it takes out of the queue as much as is worth
//! one write.

use std::{
    cell::Cell,
    collections::VecDeque,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, ready},
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
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use tracing::debug;

use super::{
    Config,
    chat::Visitor,
    collab::Editor,
    figures::Watcher,
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
    document::queue::{Control, Drained, Frame, Queued, SendQueue},
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
    /// Largest message in bytes. A larger one closes the connection with 1009.
    pub max_message_bytes: usize,
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
    /// A text, as JSON.
    Text(Editor),
    /// A chat, as JSON.
    Chat(Visitor),
    /// The server's figures, as JSON.
    Figures(Watcher),
}

/// Answers the upgrade and runs the connection on this thread until it ends.
pub async fn open(
    request: &HttpRequest,
    payload: web::Payload,
    opening: Opening,
) -> Result<HttpResponse, actix_web::Error> {
    let Opening { connection, with, metrics, max_message_bytes, config, heartbeat } = opening;
    let is_one: Option<Recognise> = match &with {
        With::One(_) => Some(ysync::is_step_2),
        With::Many(_) => Some(hocuspocus::is_step_2),
        With::Text(_) | With::Chat(_) | With::Figures(_) => None,
    };
    let large = is_one.map(|is_one| {
        let (limit, places) = (config.guard.document_bytes, config.large_places.clone());
        Large { limit, places, is_one }
    });
    let (accepted, messages) = accept(request, payload, max_message_bytes, large).await?;
    let hangup = accepted.hangup.clone();
    let queue = match is_one {
        Some(_) => SendQueue::new(config.outbox),
        None => SendQueue::of_text(config.outbox),
    };
    let line = Line { connection, queue: queue.clone(), metrics: metrics.clone(), messages, heartbeat };
    let outbox = || queue.open(Bytes::new());
    match with {
        With::One(single) => converse(line, single.converse(outbox(), config.guard.clone()), hangup),
        With::Many(many) => converse(line, many.converse(queue.clone(), &config, Instant::now()), hangup),
        With::Text(editor) => converse(line, editor.converse(outbox()), hangup),
        With::Chat(visitor) => converse(line, visitor.converse(outbox()), hangup),
        With::Figures(watcher) => converse(line, watcher.converse(outbox()), hangup),
    }
    Ok(accepted.writing(queue, metrics))
}

/// Holds a conversation on this thread until it ends.
fn converse(line: Line<Incoming>, talk: impl Talk + 'static, hangup: Option<Hangup>) {
    let wind_up = async move |messages, farewell| wind_up(messages, hangup, farewell).await;
    actix_web::rt::spawn(line::run(line, talk, wind_up));
}

/// How long a peer has to answer our close frame.
const ANSWER: Duration = Duration::from_secs(1);

/// How long it has, after its own close frame or its answer to ours, to take what was written for it and to hang up.
const LAST_BYTES: Duration = Duration::from_millis(600);

/// Ends the stream of a conversation that is over, and of which the close frame is in the queue. Until then it is read,
/// so that the close frame is not lost to a reset; but no longer than a peer that keeps to the protocol needs.
async fn wind_up(mut messages: Incoming, hangup: Option<Hangup>, farewell: Farewell) {
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
struct Incoming {
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
struct Accepted {
    response: HttpResponse,
    /// How its stream is ended; nothing where there is none, as in tests without a network.
    hangup: Option<Hangup>,
}

/// Answers the upgrade. The peer is read under `limit`, in bytes a message; some messages may be `large`.
async fn accept(
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
    fn writing(self, queue: SendQueue, metrics: Metrics) -> HttpResponse {
        let hangup = self.hangup;
        self.response.map_body(|_, inner| {
            let (taken, chunks) = Default::default();
            BoxBody::new(Frames { queue, metrics, taken, chunks, closed: false, hangup, _inner: inner })
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

/// The response body: everything that leaves the connection, framed.
struct Frames {
    queue: SendQueue,
    metrics: Metrics,
    taken: VecDeque<Queued>,
    /// What is to be written before more is taken.
    chunks: VecDeque<Bytes>,
    closed: bool,
    hangup: Option<Hangup>,
    /// actix-ws's own body; never polled, and dropped last, which ends the message stream.
    _inner: BoxBody,
}

/// A payload from this size on is written from where it lies, which all share who are sent it; smaller ones are copied
/// behind one another, because each write costs as much as some thousand bytes.
const SHARED: usize = 16 << 10;

impl Frames {
    /// What was taken, in frames: all that is small in one chunk, each large payload in one of its own.
    fn frame(&mut self) {
        let text = if self.queue.is_text() { OpCode::Text } else { OpCode::Binary };
        let copied = |queued: &Queued| match queued.frame.payload().len() {
            SHARED.. => 0,
            length => length,
        };
        let head = |queued: &Queued| LARGEST_HEADER + queued.address.len();
        let size = self.taken.iter().map(|queued| head(queued) + copied(queued)).sum();
        let mut buffer = BytesMut::with_capacity(size);
        for Queued { address, frame, .. } in self.taken.drain(..) {
            let opcode = match &frame {
                Frame::Control(Control::Ping) => OpCode::Ping,
                Frame::Control(Control::Pong(_)) => OpCode::Pong,
                _ => text,
            };
            let payload = frame.payload();
            put_header(&mut buffer, opcode, address.len() + payload.len());
            buffer.extend_from_slice(&address);
            if payload.len() < SHARED {
                buffer.extend_from_slice(payload);
            } else {
                self.chunks.extend([buffer.split().freeze(), payload.clone()]);
            }
        }
        if !buffer.is_empty() {
            self.chunks.push_back(buffer.freeze());
        }
        // A burst is over; its queue need not be remembered by a connection that may now be idle for hours.
        if self.taken.capacity() > 64 {
            self.taken = VecDeque::new();
        }
    }

    fn next_chunk(&mut self) -> Option<Bytes> {
        let chunk = self.chunks.pop_front()?;
        self.metrics.bytes_sent.inc_by(chunk.len() as u64);
        Some(chunk)
    }
}

/// The beginning of a frame that is whole and not masked (RFC 6455, 5.2).
fn put_header(buffer: &mut BytesMut, opcode: OpCode, length: usize) {
    const WHOLE: u8 = 0x80;
    buffer.put_u8(WHOLE | u8::from(opcode));
    match length {
        0..126 => buffer.put_u8(length as u8),
        126..=0xffff => {
            buffer.put_u8(126);
            buffer.put_u16(length as u16);
        }
        _ => {
            buffer.put_u8(127);
            buffer.put_u64(length as u64);
        }
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
            // The close frame is out. To end the body is to end the stream, for which it is time once the peer has
            // answered.
            return match &self.hangup {
                Some(hangup) => hangup.poll_concluded(context).map(|()| None),
                None => Poll::Ready(None),
            };
        }
        let this = &mut *self;
        if let Some(chunk) = this.next_chunk() {
            return Poll::Ready(Some(Ok(chunk)));
        }
        match this.queue.drain(&mut this.taken, context.waker()) {
            Drained::Frames => {
                this.frame();
                Poll::Ready(this.next_chunk().map(Ok))
            }
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
