//! One WebSocket: from the upgrade to the close frame.
//!
//! [`socket`] is the loop of the binary dialects and [`text_socket`] that of those which speak JSON; nothing
//! else reads or writes a socket. [`session`] decides what a
//! frame means for the document it belongs to; [`heartbeat`] decides whether the peer still lives;
//! [`frame_guard`] refuses frames that announce more than they may hold; [`error`] turns every refusal into
//! a close code.

pub mod chat;
pub mod error;
pub mod figures;
pub mod frame_guard;
pub mod heartbeat;
pub mod rate;
pub mod session;
pub mod socket;
pub mod text_socket;

use std::sync::Arc;

use crate::{document, protocol::guard};

/// Everything about connections that can be set.
#[derive(Clone, Debug)]
pub struct Config {
    /// Largest WebSocket message, in bytes, and so the largest step 2 a client can send. Each connection may
    /// hold one such message while it arrives.
    pub max_message_bytes: usize,
    /// When the peer is asked whether it lives, and when it hears from us.
    pub heartbeat: heartbeat::Config,
    /// How often one may speak in a chat.
    pub chat: chat::Config,
    /// What waits for a slow reader.
    pub outbox: document::outbox::Limits,
    /// What the guard lets in.
    pub guard: Arc<guard::Limits>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_message_bytes: 16 * 1024 * 1024,
            heartbeat: heartbeat::Config::default(),
            chat: chat::Config::default(),
            outbox: document::outbox::Limits::default(),
            guard: Arc::default(),
        }
    }
}
