//! A whole state in messages that are not too large, each made when it is wanted.
//!
//! Whoever is sent a document over a thin line hears nothing for minutes if it comes as one message, takes the line for dead
//! and begins anew, for ever. In pieces it has what has come, and asks for the rest when it comes back. Every piece is an
//! update that integrates by what came before it; structs are passed on as they are, but for long texts, which are
//! cut ([`super::texts`]).

use std::sync::Arc;

use bytes::Bytes;
use self_cell::self_cell;

use super::{Update, readiness::Pieces};
use crate::protocol::ClientId;

self_cell!(
    struct Cutting {
        owner: Arc<Update>,
        #[not_covariant]
        dependent: Pieces,
    }
);

/// What somebody lacks of a state, piece by piece. All who ask share the state.
pub struct Cut {
    cutting: Cutting,
    most: usize,
}

impl Cut {
    /// What who knows so much of each client lacks of a whole state, and all its deletions, in pieces of about `most` bytes.
    /// Only a single struct that is no text may make one larger.
    pub fn new(state: Arc<Update>, known: impl Fn(ClientId) -> u32, most: usize) -> Self {
        Self { cutting: Cutting::new(state, |state| state.pieces(known)), most }
    }
}

impl Iterator for Cut {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let most = self.most;
        self.cutting.with_dependent_mut(|_, pieces| pieces.next_of_bytes(most))
    }
}
