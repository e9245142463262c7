//! What a peer has said and nobody has heard yet, because the peer has not read what it asked for before.
//!
//! It must be read all the same, or a peer that goes in the middle of a long answer would not be heard to go. So a
//! little is read ahead; past that the peer waits, as the network makes it.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_util::{Stream, StreamExt};

use super::{session::Inbound, talk::Heard};

/// Bytes that are read ahead. A client says little more than a question or two before it waits for the answer.
const ENOUGH: usize = 64 << 10;

/// What a message takes beside its bytes.
const OVERHEAD: usize = 64;

/// The messages of a peer, of which some were read ahead.
pub(super) struct Ahead<S> {
    messages: S,
    waiting: VecDeque<Result<Inbound, Heard>>,
    bytes: usize,
    /// The last message waits, or there is none.
    is_over: bool,
}

impl<S: Stream<Item = Result<Inbound, Heard>> + Unpin> Ahead<S> {
    pub(super) fn new(messages: S) -> Self {
        Self { messages, waiting: VecDeque::new(), bytes: 0, is_over: false }
    }

    /// The next message if `wanted`; otherwise none until it is known that the peer goes. Nothing is lost if the future
    /// is dropped.
    pub(super) async fn next_if(&mut self, wanted: bool) -> Option<Result<Inbound, Heard>> {
        if !wanted {
            poll_fn(|context| self.read_ahead(context)).await;
        }
        self.next().await
    }

    /// What is left to be heard.
    pub(super) fn into_rest(self) -> S {
        self.messages
    }

    fn read_ahead(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while !self.is_over {
            if self.bytes > ENOUGH {
                // Whoever makes room asks again.
                return Poll::Pending;
            }
            let message = ready!(self.messages.poll_next_unpin(context));
            self.is_over = !matches!(&message, Some(Ok(inbound)) if !inbound.is_last());
            if let Some(message) = message {
                self.bytes += size(&message);
                self.waiting.push_back(message);
            }
        }
        Poll::Ready(())
    }
}

impl<S: Stream<Item = Result<Inbound, Heard>> + Unpin> Stream for Ahead<S> {
    type Item = Result<Inbound, Heard>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.waiting.pop_front() {
            Some(message) => {
                self.bytes -= size(&message);
                Poll::Ready(Some(message))
            }
            None => self.messages.poll_next_unpin(context),
        }
    }
}

fn size(message: &Result<Inbound, Heard>) -> usize {
    OVERHEAD
        + match message {
            Ok(Inbound::Binary(bytes) | Inbound::Text(bytes) | Inbound::Ping(bytes)) => bytes.len(),
            _ => 0,
        }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::{FutureExt, stream};

    use super::*;

    fn said(size: usize) -> Result<Inbound, Heard> {
        Ok(Inbound::Binary(Bytes::from(vec![0; size])))
    }

    #[test]
    fn a_goodbye_is_heard_through_what_waits() {
        let goodbye = || Ok(Inbound::Close(Some(1000)));
        let mut ahead = Ahead::new(stream::iter([said(1), said(2), goodbye()]).chain(stream::pending()));
        assert!(
            matches!(ahead.next_if(false).now_or_never(), Some(Some(Ok(Inbound::Binary(one)))) if one.len() == 1)
        );
        assert!(
            matches!(ahead.next_if(false).now_or_never(), Some(Some(Ok(Inbound::Binary(two)))) if two.len() == 2)
        );
        assert!(matches!(ahead.next_if(false).now_or_never(), Some(Some(Ok(Inbound::Close(_))))));
    }

    #[test]
    fn as_long_as_the_peer_stays_it_waits_and_nothing_is_lost() {
        let mut ahead = Ahead::new(stream::iter([said(1), said(2)]).chain(stream::pending()));
        assert!(ahead.next_if(false).now_or_never().is_none());
        for expected in [1, 2] {
            let next = ahead.next_if(true).now_or_never();
            assert!(matches!(next, Some(Some(Ok(Inbound::Binary(bytes)))) if bytes.len() == expected));
        }
        assert_eq!(ahead.bytes, 0);
    }

    #[test]
    fn only_so_much_is_read_ahead() {
        let mut taken = 0;
        let endless = stream::repeat_with(|| {
            taken += 1;
            said(1000)
        });
        assert!(Ahead::new(endless).next_if(false).now_or_never().is_none());
        assert!((60..70).contains(&taken), "{taken} messages");
    }
}
