//! The loop of one connection. Nothing else reads or writes a socket.
//!
//! Two tasks share a connection. The reading one is [`run`], a loop over three named inputs:
//!
//! - *the peer*: WebSocket messages, taken as many as have arrived, decoded, and handed to the document in
//!   one piece. While the peer does not read what it asked for, nothing more is read from it;
//! - *the outbox*: the document wants the connection closed, the peer probed, or a slow session caught up;
//! - *the clock*: pings, keepalives, and the end of patience.
//!
//! The writing one is the response body ([`Frames`]), polled by the HTTP server whenever the socket takes
//! bytes: it takes everything out of the outbox and writes it at once. Every way out of the loop ends in one
//! place, with a close reason in the outbox and a `leave` at the document.

use std::{
    collections::VecDeque,
    future::poll_fn,
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
use actix_ws::{AggregatedMessage, AggregatedMessageStream, CloseCode, ProtocolError};
use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, Stream, StreamExt};
use tracing::{debug, trace};

use super::{
    Config,
    error::close_reason,
    frame_guard::FrameGuard,
    heartbeat::Heartbeat,
    session::{Inbound, Session, Step, asks},
};
use crate::{
    auth::Access,
    document::{
        handle::{DocumentHandle, JoinError, Joining},
        outbox::{Control, Drained, Frame, Notice, Outbox},
        registry::Registry,
    },
    ids::{ConnectionId, DocumentName, SessionId},
    protocol::{close::CloseReason, message::Message, ysync},
    telemetry::Metrics,
};

/// Messages taken from the peer before the document gets them: enough to make a burst one batch, few enough
/// that a flood does not fill memory.
const BURST: usize = 256;

/// A connection that was let in.
pub struct Opening<P> {
    /// For the logs.
    pub connection: ConnectionId,
    /// Which document it wants.
    pub document: DocumentName,
    /// What it may do there.
    pub access: Access,
    /// Whether it wants its own updates back once they are durable.
    pub acknowledged: bool,
    /// Most sessions the document may have.
    pub max_sessions: usize,
    /// Open documents.
    pub registry: Registry,
    /// Figures.
    pub metrics: Metrics,
    /// Settings.
    pub config: Arc<Config>,
    /// Held for as long as the connection lives: its place within the limits.
    pub permit: P,
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
    let outbox = Outbox::new(opening.config.outbox);
    let metrics = opening.metrics.clone();
    actix_web::rt::spawn(run(opening, outbox.clone(), messages));
    Ok(response.map_body(|_, inner| BoxBody::new(Frames::new(outbox, metrics, inner))))
}

/// The reading task, from the first byte to the last.
async fn run<P>(opening: Opening<P>, outbox: Outbox, mut messages: AggregatedMessageStream) {
    let session = SessionId::new();
    let metrics = opening.metrics.clone();
    let config = opening.config.clone();
    let connection = opening.connection;
    metrics.connections.inc();
    // Boxed, because joining needs much more room than reading, and most of a connection's life is reading.
    let (joined, permit) = Box::pin(join(opening, session, outbox.clone())).await;
    match joined {
        Ok(handle) => {
            let mut reader = Reader {
                session: Session::new(config.guard.clone()),
                id: session,
                handle,
                outbox: outbox.clone(),
                metrics: metrics.clone(),
                heartbeat: Heartbeat::new(config.heartbeat, Instant::now()),
            };
            let end = reader.read(&mut messages).await;
            debug!(%connection, %session, ?end, "connection ended");
            outbox.close(end.reason.unwrap_or(CloseReason::Normal));
            reader.handle.leave(session, end.clean).await;
        }
        Err(error) => {
            debug!(%connection, %error, "connection refused");
            metrics.refused("join");
            outbox.close(close_reason(&error));
        }
    }
    metrics.connections.dec();
    drop(permit);
    // A peer that keeps talking is read to its end, so that our close frame is not lost to a reset.
    while let Some(Ok(_)) = messages.next().await {}
}

/// Opens the document for the session.
async fn join<P>(
    opening: Opening<P>,
    session: SessionId,
    outbox: Outbox,
) -> (Result<DocumentHandle, JoinError>, P) {
    let Opening { connection, document, registry, .. } = &opening;
    debug!(%connection, %session, %document, "connection opened");
    let joined = registry.ask(document, async |handle: DocumentHandle| {
        let joining = Joining {
            session,
            access: opening.access,
            acknowledged: opening.acknowledged,
            outbox: outbox.clone(),
            max_sessions: opening.max_sessions,
        };
        handle.join(joining).await.map(|()| handle)
    });
    (joined.await, opening.permit)
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

struct Reader {
    session: Session,
    id: SessionId,
    handle: DocumentHandle,
    outbox: Outbox,
    metrics: Metrics,
    heartbeat: Heartbeat,
}

impl Reader {
    async fn read(&mut self, messages: &mut AggregatedMessageStream) -> End {
        let clock = tokio::time::sleep_until(self.heartbeat.next(Instant::now()).into());
        tokio::pin!(clock);
        loop {
            let has_room = self.outbox.has_room();
            let outcome = tokio::select! {
                message = messages.next(), if has_room => match message {
                    Some(message) => self.take_in(message, messages).await,
                    None => Err(End { reason: None, clean: false }),
                },
                notice = poll_fn(|context| match self.outbox.notice(context.waker()) {
                    Some(notice) => Poll::Ready(notice),
                    None => Poll::Pending,
                }) => self.heed(notice).await,
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

    /// Takes in a message and all that have arrived with it, and hands them to the document together.
    async fn take_in(
        &mut self,
        first: Result<AggregatedMessage, ProtocolError>,
        messages: &mut AggregatedMessageStream,
    ) -> Result<Again, End> {
        self.heartbeat.heard(Instant::now());
        let mut batch: Vec<Message> = Vec::new();
        let mut taken = 0;
        let mut next = Some(first);
        let mut end = None;
        let mut asked = false;
        while let Some(message) = next {
            match self.step(message) {
                Step::Deliver(decoded) => {
                    asked = decoded.iter().any(asks);
                    batch.extend(decoded);
                }
                Step::Pong(payload) => self.outbox.control(Control::Pong(payload)),
                Step::Idle => {}
                Step::Ended { clean } => end = Some(End { reason: None, clean }),
                Step::Refuse(reason, label) => {
                    self.metrics.refused(label);
                    end = Some(End::because(reason));
                }
            }
            taken += 1;
            // An answer may be as large as the document: one is in the queue before the next is asked for, so
            // that the queue can hold the asker back.
            if end.is_some() || asked || taken == BURST {
                break;
            }
            next = match messages.next().now_or_never() {
                Some(Some(message)) => Some(message),
                Some(None) => {
                    end = Some(End { reason: None, clean: false });
                    None
                }
                None => None,
            };
        }
        // What came before a bad frame was said and stands.
        if !batch.is_empty() {
            let updates = batch.iter().filter(|message| is_update(message)).count();
            self.metrics.updates_received.inc_by(updates as u64);
            trace!(session = %self.id, messages = batch.len(), "messages taken in");
            if self.handle.deliver(self.id, batch).await.is_err() {
                return Err(End::because(CloseReason::Reset));
            }
        }
        end.map_or(Ok(Again::Same), Err)
    }

    fn step(&mut self, message: Result<AggregatedMessage, ProtocolError>) -> Step {
        let inbound = match message {
            Ok(AggregatedMessage::Binary(bytes)) => {
                self.metrics.bytes_received.inc_by(bytes.len() as u64);
                Inbound::Binary(bytes)
            }
            Ok(AggregatedMessage::Text(_)) => Inbound::Text,
            Ok(AggregatedMessage::Ping(payload)) => Inbound::Ping(payload),
            Ok(AggregatedMessage::Pong(_)) => Inbound::Pong,
            Ok(AggregatedMessage::Close(reason)) => {
                Inbound::Close(reason.map(|reason| u16::from(reason.code)))
            }
            Err(error) => return refuse(&error),
        };
        self.session.step(inbound)
    }

    async fn heed(&mut self, notice: Notice) -> Result<Again, End> {
        match notice {
            Notice::Closed => Err(End { reason: None, clean: true }),
            Notice::Room => Ok(Again::Same),
            Notice::Probe => {
                self.heartbeat.probe(Instant::now());
                self.outbox.control(Control::Ping);
                Ok(Again::Sooner)
            }
            Notice::CatchUp => match self.handle.catch_up(self.id).await {
                Ok(()) => Ok(Again::Same),
                Err(_) => Err(End::because(CloseReason::Reset)),
            },
        }
    }

    fn beat(&mut self) -> Result<Again, End> {
        let beat = self.heartbeat.tick(self.outbox.take_activity(), Instant::now());
        if beat.dead {
            return Err(End::because(CloseReason::Idle));
        }
        if beat.ping {
            self.outbox.control(Control::Ping);
        }
        if beat.keepalive {
            self.outbox.push(Frame::Awareness(ysync::KEEPALIVE), Instant::now());
        }
        Ok(Again::Same)
    }
}

/// Whether the clock must be set anew.
enum Again {
    Same,
    Sooner,
}

fn is_update(message: &Message) -> bool {
    matches!(message, Message::SyncStep2(_) | Message::Update(_))
}

/// A broken WebSocket stream, as the close reason that names what is wrong with it.
pub(super) fn refuse(error: &ProtocolError) -> Step {
    match error {
        ProtocolError::Overflow => Step::Refuse(CloseReason::TooBig, "frame_too_large"),
        ProtocolError::Io(io) if is_overflow(io) => Step::Refuse(CloseReason::TooBig, "frame_too_large"),
        // A text in several pieces that is not UTF-8.
        ProtocolError::Io(io) if io.kind() == io::ErrorKind::InvalidData => {
            Step::Refuse(CloseReason::ProtocolError, "websocket")
        }
        // The line broke; nobody is there to be told.
        ProtocolError::Io(_) => Step::Ended { clean: false },
        _ => Step::Refuse(CloseReason::ProtocolError, "websocket"),
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
    outbox: Outbox,
    metrics: Metrics,
    taken: VecDeque<Frame>,
    closed: bool,
    /// actix-ws's own body; never polled, and dropped last, which ends the message stream.
    _inner: BoxBody,
}

impl Frames {
    fn new(outbox: Outbox, metrics: Metrics, inner: BoxBody) -> Self {
        Self { outbox, metrics, taken: VecDeque::new(), closed: false, _inner: inner }
    }

    fn encode(&mut self) -> Bytes {
        let size: usize = self.taken.iter().map(|frame| frame.payload().len() + 10).sum();
        let mut buffer = BytesMut::with_capacity(size);
        for frame in self.taken.drain(..) {
            let opcode = match &frame {
                Frame::Control(Control::Ping) => OpCode::Ping,
                Frame::Control(Control::Pong(_)) => OpCode::Pong,
                _ => OpCode::Binary,
            };
            Parser::write_message(&mut buffer, frame.payload(), opcode, true, false);
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
        match this.outbox.drain(&mut this.taken, context.waker()) {
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
        self.outbox.close(CloseReason::GoingAway);
    }
}
