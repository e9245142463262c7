//! What comes out of a WebSocket: the messages of the peer, and then why there are no more.
//!
//! The frames are read by the codec of actix-http, as actix-ws reads them. The stream that actix-ws has for them would be
//! at hand, but it keeps a channel, a queue and the last chunk that arrived for as long as a connection is open: 3.5 KiB,
//! of which nothing is ever used here.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use actix_codec::Decoder;
use actix_http::ws::{Codec, Frame, Item};
use actix_web::dev::Payload;
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use tracing::debug;

use super::{
    frame_guard::{Broken, Fault, FrameGuard},
    session::Inbound,
    talk::Heard,
};
use crate::protocol::close::CloseReason;

/// The messages of a peer, up to the first frame that is at fault.
pub(super) struct Incoming {
    payload: Payload,
    guard: FrameGuard,
    codec: Codec,
    /// What is good and not read yet.
    good: BytesMut,
    /// The beginning of a frame that the guard does not let through yet.
    held: BytesMut,
    /// A message that comes in pieces, as far as it has come.
    message: Option<(Kind, BytesMut)>,
    fault: Option<Fault>,
    /// Nothing more is read.
    is_over: bool,
}

/// What a message in pieces will be.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Binary,
}

impl Incoming {
    /// Reads what arrives as far as `guard` lets it through.
    pub(super) fn new(payload: Payload, guard: FrameGuard) -> Self {
        Self {
            payload,
            guard,
            // Bounded by the guard alone, which has read whom a message is about before it ends the stream.
            codec: Codec::new().max_size(usize::MAX),
            good: BytesMut::new(),
            held: BytesMut::new(),
            message: None,
            fault: None,
            is_over: false,
        }
    }

    /// Takes in what has arrived.
    fn arrive(&mut self, mut chunk: Bytes) {
        let sure = self.guard.follow(&chunk).unwrap_or_else(|Broken { good, fault }| {
            self.fault = Some(fault);
            self.is_over = true;
            // What came before a bad frame was said and stands.
            good
        });
        let unsure = chunk.split_off(sure);
        if sure > 0 && !self.held.is_empty() {
            self.held.extend_from_slice(&chunk);
            chunk = self.held.split().freeze();
        }
        self.held.extend_from_slice(&unsure);
        if self.good.is_empty() {
            self.good = chunk.into();
        } else {
            self.good.extend_from_slice(&chunk);
        }
    }

    /// The next message of what is good.
    fn next_good(&mut self) -> Option<Inbound> {
        loop {
            return Some(match self.codec.decode(&mut self.good) {
                Ok(Some(Frame::Text(bytes))) => Inbound::Text(bytes),
                Ok(Some(Frame::Binary(bytes))) => Inbound::Binary(bytes),
                Ok(Some(Frame::Ping(payload))) => Inbound::Ping(payload),
                Ok(Some(Frame::Pong(_))) => Inbound::Pong,
                Ok(Some(Frame::Close(reason))) => Inbound::Close(reason.map(|reason| u16::from(reason.code))),
                Ok(Some(Frame::Continuation(piece))) => match self.join(piece) {
                    Some(message) => message,
                    None => continue,
                },
                Ok(None) => return None,
                // Not to be expected of bytes that passed the guard.
                Err(_) => {
                    self.good = BytesMut::new();
                    self.fault = Some(Fault::Protocol("not understood"));
                    self.is_over = true;
                    return None;
                }
            });
        }
    }

    /// The message that is whole with this piece, if it is.
    fn join(&mut self, piece: Item) -> Option<Inbound> {
        match piece {
            Item::FirstText(bytes) => self.message = Some((Kind::Text, bytes.into())),
            Item::FirstBinary(bytes) => self.message = Some((Kind::Binary, bytes.into())),
            Item::Continue(bytes) => self.message.as_mut()?.1.extend_from_slice(&bytes),
            Item::Last(bytes) => {
                let (kind, mut message) = self.message.take()?;
                message.extend_from_slice(&bytes);
                return Some(match kind {
                    Kind::Text => Inbound::Text(message.freeze()),
                    Kind::Binary => Inbound::Binary(message.freeze()),
                });
            }
        }
        None
    }
}

impl Stream for Incoming {
    type Item = Result<Inbound, Heard>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(message) = self.next_good() {
                return Poll::Ready(Some(Ok(message)));
            }
            if self.good.is_empty() {
                // Or a connection that is silent would keep the last that it said.
                self.good = BytesMut::new();
            }
            if self.is_over {
                return Poll::Ready(self.fault.take().map(last_of));
            }
            match ready!(Pin::new(&mut self.payload).poll_next(context)) {
                Some(Ok(chunk)) => self.arrive(chunk),
                Some(Err(_)) | None => self.is_over = true,
            }
        }
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
