//! A WebSocket as a line. Nothing else reads or writes a socket.
//!
//! Two tasks share a connection. The reading one is the loop of [`super::line`]. The writing one is the response body
//! ([`Frames`]), polled by the HTTP server whenever the socket takes bytes: it takes out of the queue as much as is worth
//! one write.

use std::{
    cell::RefCell,
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use actix_http::ws::{OpCode, Parser};
use actix_web::{
    HttpRequest, HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    dev::Payload,
    http::header::{self, HeaderValue},
    web,
};
use actix_ws::CloseCode;
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::StreamExt;

use super::{
    Config,
    chat::Visitor,
    collab::Editor,
    figures::Watcher,
    frame_guard::{FrameGuard, Large, Recognise},
    heartbeat,
    incoming::Incoming,
    line::{self, Farewell, Line},
    many::Many,
    session::Inbound,
    single::Single,
    talk::{RefusedTalk, Talk},
    transport::Hangup,
};
use crate::{
    document::queue::{Control, Drained, Frame, Queued, SendQueue},
    ids::{ConnectionId, Moment},
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
    /// Nobody: whoever asks is told why they are not let in.
    Nobody(CloseReason),
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
        With::Text(_) | With::Chat(_) | With::Figures(_) | With::Nobody(_) => None,
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
        With::Many(many) => converse(line, many.converse(queue.clone(), &config, Moment::now()), hangup),
        With::Text(editor) => converse(line, editor.converse(outbox()), hangup),
        With::Chat(visitor) => converse(line, visitor.converse(outbox()), hangup),
        With::Figures(watcher) => converse(line, watcher.converse(outbox()), hangup),
        With::Nobody(reason) => converse(line, RefusedTalk(reason), hangup),
    }
    let mut response = accepted.writing(queue, metrics);
    // A browser whose offer is not taken up hangs up.
    let offered =
        request.headers().get(header::SEC_WEBSOCKET_PROTOCOL).and_then(|offered| offered.to_str().ok());
    if let Some(first) = offered.and_then(|offered| offered.split(',').next())
        && let Ok(first) = HeaderValue::from_str(first.trim())
    {
        response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, first);
    }
    Ok(response)
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
    let guard = FrameGuard::new(limit).with_large(large);
    let incoming = Incoming::new(payload.into_inner(), guard);
    // Only the answer is of use. The session handle of actix-ws queues messages one by one, and encodes each for each
    // connection; for what comes in, see `incoming`.
    let nothing = <web::Payload as actix_web::FromRequest>::from_request(request, &mut Payload::None).await?;
    let (response, _, _) = actix_ws::handle(request, nothing)?;
    let hangup = request.conn_data::<Hangup>().cloned();
    if let Some(hangup) = &hangup {
        hangup.converse();
    }
    Ok((Accepted { response, hangup }, incoming))
}

impl Accepted {
    /// The response, which writes what is put into `queue` until that is closed.
    fn writing(self, queue: SendQueue, metrics: Metrics) -> HttpResponse {
        let hangup = self.hangup;
        self.response.map_body(|_, _| {
            BoxBody::new(Frames { queue, metrics, chunks: VecDeque::new(), closed: false, hangup })
        })
    }
}

/// The response body: everything that leaves the connection, framed.
struct Frames {
    queue: SendQueue,
    metrics: Metrics,
    /// What is to be written before more is taken.
    chunks: VecDeque<Bytes>,
    closed: bool,
    hangup: Option<Hangup>,
}

thread_local! {
    /// What is taken out of a queue until it is framed: one for all connections, so that none holds any while it is silent.
    static TAKEN: RefCell<VecDeque<Queued>> = const { RefCell::new(VecDeque::new()) };
}

/// A payload from this size on is written from where it lies, which all share who are sent it; smaller ones are copied
/// behind one another, because each write costs as much as some thousand bytes.
const SHARED: usize = 16 << 10;

impl Frames {
    /// What was taken, in frames: all that is small in one chunk, each large payload in one of its own. Returns the first.
    fn frame(&mut self, taken: &mut VecDeque<Queued>) -> Option<Bytes> {
        let text = if self.queue.is_text() { OpCode::Text } else { OpCode::Binary };
        let copied = |queued: &Queued| match queued.frame.payload().len() {
            SHARED.. => 0,
            length => length,
        };
        let head = |queued: &Queued| LARGEST_HEADER + queued.address.len();
        let size = taken.iter().map(|queued| head(queued) + copied(queued)).sum();
        let mut buffer = BytesMut::with_capacity(size);
        for Queued { address, frame, .. } in taken.drain(..) {
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
        let last = (!buffer.is_empty()).then(|| buffer.freeze());
        // Hardly ever are there several: the list of them has no room otherwise.
        match self.chunks.pop_front() {
            Some(first) => {
                self.chunks.extend(last);
                Some(first)
            }
            None => last,
        }
    }

    fn next_chunk(&mut self) -> Option<Bytes> {
        let chunk = self.chunks.pop_front()?;
        if self.chunks.is_empty() {
            self.chunks = VecDeque::new();
        }
        Some(chunk)
    }

    fn sent(&self, chunk: Bytes) -> Bytes {
        self.metrics.bytes_sent.inc_by(chunk.len() as u64);
        chunk
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
            return Poll::Ready(Some(Ok(this.sent(chunk))));
        }
        let (drained, chunk) = TAKEN.with_borrow_mut(|taken| {
            let drained = this.queue.drain(taken, context.waker());
            (drained, this.frame(taken))
        });
        match drained {
            Drained::Frames => Poll::Ready(chunk.map(|chunk| Ok(this.sent(chunk)))),
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
