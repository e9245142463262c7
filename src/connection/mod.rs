//! One line to a client: from the upgrade to the close frame.
//!
//! [`mod@line`] is the loop. What carries it is a WebSocket in [`socket`], the only file that reads or writes one, or
//! plain HTTP in [`feed`]. [`transport`] is the TCP stream below, and ends it. Who is spoken with through it is a
//! [`talk::Talk`]: [`single`] for one document of the y-websocket dialect, [`many`] for all documents of a
//! Hocuspocus socket. What a frame means is decided in pure files: [`session`] for the first,
//! [`multiplex`] for the second. Of those who speak JSON, [`collab`] is the conversation of who edits by operations,
//! [`chat`] of who talks, [`figures`] of who watches. [`heartbeat`] decides whether the peer still lives; [`frame_guard`] refuses
//! what is not a WebSocket stream, and frames that announce more than they may hold; [`penalty`] slows down who comes back with what
//! was refused; [`error`] turns every refusal into a
//! close code or words.

mod ahead;
pub mod chat;
pub mod collab;
pub mod error;
pub mod feed;
pub mod figures;
pub mod frame_guard;
pub mod heartbeat;
mod incoming;
mod line;
pub mod many;
pub mod multiplex;
pub mod penalty;
pub mod session;
pub mod single;
pub mod socket;
pub mod talk;
pub mod transport;

use std::{fmt, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;

use crate::{
    document::{self, handle::DocumentHandle},
    ids::SessionId,
    protocol::guard,
};

/// What an application does with the stateless messages of Hocuspocus clients: messages that are no part of a
/// document. To answer all who have the document open, it uses [`DocumentHandle::tell`].
pub trait Stateless: fmt::Debug + Send + Sync {
    /// A session said something. The session's next message waits until this is done.
    fn said(&self, document: &DocumentHandle, session: SessionId, payload: String) -> BoxFuture<'_, ()>;
}

/// Nobody listens.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unheard;

impl Stateless for Unheard {
    fn said(&self, _: &DocumentHandle, _: SessionId, _: String) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Everything about connections that can be set.
#[derive(Clone, Debug)]
pub struct Config {
    /// Largest WebSocket message, in bytes. Each connection may hold one such message while it arrives. A step 2 may be
    /// as large as a document ([`guard::Limits::document_bytes`]).
    pub max_message_bytes: usize,
    /// How many messages that are larger may be coming in at a time; past it, who sends one is told to come again.
    pub large_places: Arc<Semaphore>,
    /// When the peer is asked whether it lives, and when it hears from us.
    pub heartbeat: heartbeat::Config,
    /// How often one may speak in a chat.
    pub chat: chat::Config,
    /// How long a line over plain HTTP lives that nobody listens to: longer than a browser takes to come back by
    /// itself.
    pub feed_patience: Duration,
    /// What waits for a slow reader.
    pub outbox: document::queue::QueueLimits,
    /// What the guard lets in.
    pub guard: Arc<guard::Limits>,
    /// What a connection with many documents may ask for.
    pub multiplex: multiplex::Bounds,
    /// Who hears stateless messages.
    pub stateless: Arc<dyn Stateless>,
}

/// Replicas that come back whole at a time: each takes what a document may have, and several times that while it is
/// applied.
const LARGE_AT_A_TIME: usize = 4;

impl Default for Config {
    fn default() -> Self {
        Self {
            max_message_bytes: 16 * 1024 * 1024,
            large_places: Arc::new(Semaphore::new(LARGE_AT_A_TIME)),
            heartbeat: heartbeat::Config::default(),
            chat: chat::Config::default(),
            feed_patience: Duration::from_secs(30),
            outbox: document::queue::QueueLimits::default(),
            guard: Arc::default(),
            multiplex: multiplex::Bounds::default(),
            stateless: Arc::new(Unheard),
        }
    }
}
