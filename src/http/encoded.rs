//! Bytes that travel as text, encoded while they leave.
//!
//! A frame may have megabytes, and everybody who is sent it shares it. Its text in base64 is a third larger,
//! and each reader would hold one of its own for as long as it takes to read it.

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use actix_web::body::{BodySize, MessageBody};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use futures_util::Stream;

/// How much is encoded at once: whole groups of three bytes, so that the pieces fit together.
const AT_ONCE: usize = 24 << 10;

/// A text in parts, some of which are still bytes.
#[derive(Debug, Default)]
pub(super) struct Encoded(VecDeque<Part>);

#[derive(Debug)]
enum Part {
    Text(String),
    Bytes(Bytes),
}

impl Encoded {
    /// Goes on with this text.
    pub(super) fn text(mut self, text: impl Into<String>) -> Self {
        self.0.push_back(Part::Text(text.into()));
        self
    }

    /// Goes on with these bytes in base64.
    pub(super) fn base64(mut self, bytes: Bytes) -> Self {
        self.0.push_back(Part::Bytes(bytes));
        self
    }

    fn next_piece(&mut self) -> Option<Bytes> {
        Some(match self.0.pop_front()? {
            Part::Text(text) => text.into(),
            Part::Bytes(mut bytes) => {
                let piece = bytes.split_to(bytes.len().min(AT_ONCE));
                if !bytes.is_empty() {
                    self.0.push_front(Part::Bytes(bytes));
                }
                BASE64_STANDARD.encode(piece).into()
            }
        })
    }
}

impl Stream for Encoded {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Bytes>> {
        Poll::Ready(self.next_piece())
    }
}

impl MessageBody for Encoded {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        let sizes = self.0.iter().map(|part| match part {
            Part::Text(text) => text.len(),
            Part::Bytes(bytes) => bytes.len().div_ceil(3) * 4,
        });
        BodySize::Sized(sizes.sum::<usize>() as u64)
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(self.next_piece().map(Ok))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_the_encoding_of_the_whole() {
        for length in [0, 1, 2, 3, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, 3 * AT_ONCE + 2] {
            let bytes: Vec<u8> = (0..length).map(|n| n as u8).collect();
            let mut encoded = Encoded::default().text("<").base64(bytes.clone().into()).text(">");
            let expected = format!("<{}>", BASE64_STANDARD.encode(bytes));
            assert_eq!(encoded.size(), BodySize::Sized(expected.len() as u64));
            let pieces: Vec<Bytes> = std::iter::from_fn(|| encoded.next_piece()).collect();
            assert!(pieces.iter().all(|piece| piece.len() <= 32 << 10));
            assert!(pieces.concat() == expected.as_bytes(), "{length}");
        }
    }
}
