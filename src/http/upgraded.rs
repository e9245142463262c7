//! Carries a connection from its upgrade on.
//!
//! The HTTP server would keep a buffer for reading and one for writing, 8 KiB each, for as long as a conversation lasts,
//! and copy through them whatever is said. Here the socket is read into one buffer for all, and what a conversation
//! writes goes to the socket as it is. The request itself goes the way of all others, through the routes.

use std::{fmt, future::poll_fn, io, pin::Pin, time::Duration};

use actix_codec::{Encoder, Framed};
use actix_http::{
    BoxedPayloadStream, ConnectionType, Payload, Request, Response, StatusCode,
    body::{BoxBody, MessageBody},
    error::PayloadError,
    h1::{Codec, Message},
};
use actix_service::Service;
use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tracing::debug;

use crate::connection::transport::Transport;

/// How long an ordinary connection lingers for a peer that has more to say; conversations end by their
/// [`Hangup`](crate::connection::transport::Hangup). Longer than the HTTP server's clock is late, which moves in steps
/// of half a second: a deadline that has passed when it is set is never noticed.
pub(super) const LINGER: Duration = Duration::from_secs(1);

/// In bytes, a chunk after which others have their turn: the next one may be a piece of a large document, whose making is
/// some milliseconds of work.
const LONG: usize = 64 << 10;

/// Lets `routes` answer a request for an upgrade. What follows is carried by a task of its own until it ends.
pub(super) async fn carry<P, S, B>(
    routes: &S,
    request: Request,
    framed: Framed<Transport<P>, Codec>,
) -> io::Result<()>
where
    P: Unpin + 'static,
    S: Service<Request, Error: Into<Response<BoxBody>>, Response: Into<Response<B>>>,
    B: MessageBody + 'static,
{
    let parts = framed.into_parts();
    let (mut transport, mut codec, mut bytes) = (parts.io, parts.codec, parts.write_buf);
    // What came in one breath with the request; copied, so that its buffer can go.
    let behind = Bytes::copy_from_slice(&parts.read_buf);
    drop(parts.read_buf);
    let body = {
        let arrives = transport.reading(behind).map_err(PayloadError::Io);
        let payload = Payload::Stream { payload: Box::pin(arrives) as BoxedPayloadStream };
        let (request, _) = request.replace_payload(payload);
        // This and what comes once at the end in boxes, or every conversation would have room for it all its life.
        let response = match Box::pin(routes.call(request)).await {
            Ok(response) => response.into().map_into_boxed_body(),
            Err(error) => error.into(),
        };
        let (mut response, body) = response.into_parts();
        let is_upgraded = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        if !is_upgraded {
            response.head_mut().set_connection_type(ConnectionType::Close);
        }
        codec.encode(Message::Item((response, body.size())), &mut bytes)?;
        if !is_upgraded {
            return Box::pin(refuse(transport, codec, bytes, body)).await;
        }
        body
    };
    // By itself from here on: this future is part of one in which there is room for every request before it, 2.6 KiB.
    actix_web::rt::spawn(async move {
        let ended = match converse(&mut transport, bytes.freeze(), body).await {
            Ok(()) => Box::pin(linger(transport)).await,
            Err(error) => Err(error),
        };
        if let Err(error) = ended {
            note_end(&error);
        }
    });
    Ok(())
}

/// A connection ended otherwise than by being closed. It is the peer's doing, a request that is none most of all, and nothing
/// to look after.
pub(super) fn note_end(error: &impl fmt::Display) {
    debug!(%error, "connection ended");
}

/// Writes a chunk of a conversation, and then the next, until it says that there are no more.
async fn converse(
    transport: &mut (impl AsyncWrite + Unpin),
    head: Bytes,
    mut body: BoxBody,
) -> io::Result<()> {
    let mut chunk = head;
    loop {
        transport.write_all(&chunk).await?;
        transport.flush().await?;
        let is_long = chunk.len() >= LONG;
        // Not kept until the next one comes.
        drop(chunk);
        // A peer that takes all it is given would have the thread for itself until the last piece is made.
        if is_long {
            tokio::task::yield_now().await;
        }
        chunk = match next(&mut body).await? {
            Some(chunk) => chunk,
            None => return Ok(()),
        };
    }
}

/// Writes an answer to whoever asked for an upgrade in vain; nothing can be asked behind it.
async fn refuse<P: Unpin>(
    mut transport: Transport<P>,
    mut codec: Codec,
    mut bytes: BytesMut,
    mut body: BoxBody,
) -> io::Result<()> {
    while let Some(chunk) = next(&mut body).await? {
        codec.encode(Message::Chunk(Some(chunk)), &mut bytes)?;
        transport.write_all(&bytes).await?;
        bytes.clear();
    }
    codec.encode(Message::Chunk(None), &mut bytes)?;
    transport.write_all(&bytes).await?;
    // Whoever is still talking by then is told by a reset.
    tokio::time::timeout(LINGER, linger(transport)).await.unwrap_or(Ok(()))
}

async fn next(body: &mut BoxBody) -> io::Result<Option<Bytes>> {
    let chunk = poll_fn(|context| Pin::new(&mut *body).poll_next(context)).await;
    chunk.transpose().map_err(|error| io::Error::other(error.to_string()))
}

/// Ends the stream for the peer, and hears it out: closed on what is unread, the end of what was written would be lost.
async fn linger<P: Unpin>(mut transport: Transport<P>) -> io::Result<()> {
    transport.shutdown().await?;
    let mut unheard = [0; 1024];
    while transport.read(&mut unheard).await? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        cell::Cell,
        convert::Infallible,
        rc::Rc,
        task::{Context, Poll},
    };

    use actix_http::body::BodySize;

    use super::*;

    /// An answer that is always ready to go on.
    struct Endless {
        made: Rc<Cell<usize>>,
        pieces: usize,
    }

    impl MessageBody for Endless {
        type Error = Infallible;

        fn size(&self) -> BodySize {
            BodySize::Stream
        }

        fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
            if self.made.get() == self.pieces {
                return Poll::Ready(None);
            }
            self.made.set(self.made.get() + 1);
            Poll::Ready(Some(Ok(vec![0; LONG].into())))
        }
    }

    #[actix_web::test]
    async fn others_have_their_turn_between_the_pieces_of_a_long_answer() {
        const PIECES: usize = 20;
        let made = Rc::new(Cell::new(0));
        let body = BoxBody::new(Endless { made: made.clone(), pieces: PIECES });
        let peer = actix_web::rt::spawn(async move {
            converse(&mut tokio::io::sink(), Bytes::new(), body).await.expect("a sink takes everything");
        });
        let mut seen = vec![0];
        while *seen.last().expect("the first") < PIECES {
            tokio::task::yield_now().await;
            seen.push(made.get());
        }
        assert!(seen.is_sorted_by(|before, after| after - before <= 1), "{seen:?}");
        peer.await.expect("the answer was written");
    }
}
