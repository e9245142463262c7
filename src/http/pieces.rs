//! Answers leave in pieces.
//!
//! The HTTP server copies each chunk of a body whole into the buffer of its connection, however slowly the
//! peer reads. A chunk of 16 MB, shared by everybody who asks for it, was held once more for each of them.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use bytes::Bytes;

/// As much as the HTTP server buffers before it writes.
const PIECE: usize = 32 << 10;

/// The same body, whose chunks are no larger than a piece.
pub(super) fn in_pieces(body: BoxBody) -> BoxBody {
    match body.size() {
        BodySize::None => body,
        BodySize::Sized(size) if size <= PIECE as u64 => body,
        _ => BoxBody::new(Pieces { body, rest: Bytes::new() }),
    }
}

#[derive(Debug)]
struct Pieces<B> {
    body: B,
    /// What is left of its latest chunk.
    rest: Bytes,
}

impl<B: MessageBody + Unpin> MessageBody for Pieces<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        if self.rest.is_empty() {
            match Pin::new(&mut self.body).poll_next(context) {
                Poll::Ready(Some(Ok(chunk))) if chunk.len() > PIECE => self.rest = chunk,
                other => return other,
            }
        }
        let count = self.rest.len().min(PIECE);
        Poll::Ready(Some(Ok(self.rest.split_to(count))))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test]
    async fn a_chunk_is_shared_and_not_copied() {
        let whole = Bytes::from(vec![7; 5 * PIECE / 2]);
        let mut pieces = in_pieces(BoxBody::new(whole.clone()));
        assert_eq!(pieces.size(), BodySize::Sized(whole.len() as u64));
        let mut at = 0;
        let mut sizes = Vec::new();
        while let Some(piece) = poll_fn(|context| Pin::new(&mut pieces).poll_next(context)).await {
            let piece = piece.unwrap();
            assert_eq!(piece.as_ptr(), whole[at..].as_ptr());
            at += piece.len();
            sizes.push(piece.len());
        }
        assert_eq!(sizes, [PIECE, PIECE, PIECE / 2]);
    }
}
