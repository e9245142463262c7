//! The heart: one open document, from the bytes that reach it to the bytes that leave it.
//!
//! [`state`] decides what becomes of the content, `serving` what is written of it, when, and whether anything keeps the
//! document in memory, and both are pure: they answer with [`effect`]s and the like; [`replica`] holds the CRDT;
//! [`presence`], [`journal`], [`acknowledgements`] and [`queue`] hold who is here, what is not yet durable, who waits to
//! hear that it is, and what is not yet sent.
//! [`collab`] makes operations of what happens to a text, for
//! those who have no replica, with [`text_history`] and [`plain_text`]. [`text`] reads what the app's texts say. Who is here is told at the [`pace`] that a
//! document can bear, and nobody may say so more often than a [`rate`] allows. What changes cost is reckoned in [`costs`],
//! and what takes long is done by the threads of [`work`]. [`size`] says when a document is full, [`deleted`] what
//! becomes of what is deleted.
//! Who asks without a connection waits in [`requests`], and what is refused is logged by way of [`complaints`]. What is kept [`beside`] the document has rooms of its own,
//! and [`exports`] reads it for those who do not speak Yjs.
//!
//! [`actor`] owns all of them and carries events in and effects out, each in its turn ([`turns`]); [`messages`] are what it may be asked, [`handle`] is its typed door, [`error`] why it may refuse, [`registry`] knows
//! which documents are open, and [`memory`] how much they take and who leaves first.

pub mod acknowledgements;
pub mod actor;
pub mod beside;
pub mod collab;
mod complaints;
pub mod compress;
pub mod costs;
pub mod deleted;
mod digest;
pub mod effect;
pub mod error;
pub mod export;
pub mod exports;
pub mod handle;
mod hearers;
pub mod journal;
mod lease;
pub mod memory;
pub mod messages;
pub mod pace;
pub mod plain_text;
pub mod presence;
pub mod queue;
pub mod rate;
pub mod registry;
pub mod replica;
mod requests;
mod serving;
pub mod size;
pub mod state;
pub mod text;
pub mod text_history;
pub mod turns;
pub mod work;

#[cfg(test)]
mod testing;

use std::time::Duration;

/// What the answers of documents and of their registry are made of.
pub use crate::store::{Cursor, Head, Life, Page, Shelf, Standing, StoreError, Usage};

/// Everything about documents that can be set.
#[derive(Clone, Debug)]
pub struct Config {
    /// Bytes that a document may have, encoded; past it changes are refused, deletions excepted.
    pub max_bytes: usize,
    /// Which documents keep what is deleted in them.
    pub keep_deleted: deleted::KeepDeleted,
    /// How long presence outlives its session.
    pub presence: presence::Config,
    /// What may wait for the store.
    pub journal: journal::Config,
    /// How much people may attach.
    pub attachments: beside::attachments::AttachmentLimits,
    /// How much may be said in a chat.
    pub chat: beside::chat::ChatLimits,
    /// What may wait for a reader.
    pub outbox: queue::QueueLimits,
    /// How long a document that nobody has open stays in memory. Short saves memory, long saves loading.
    pub idle: Duration,
    /// Bytes of memory that open documents may take, about; past it those that nobody has open leave at once, the one left
    /// first before others. Little means that documents are loaded again and again, much that the process grows.
    pub open_bytes: usize,
    /// A checkpoint is written when the log since the last one has grown past this many bytes (and past the
    /// size of the state, so that a large document is not rewritten for every few edits).
    pub checkpoint_bytes: usize,
    /// Updates applied in one transaction at most: a flood must not delay its own broadcast for ever, and yrs
    /// searches longer the more blocks a transaction has added.
    pub batch_updates: usize,
    /// Bytes applied in one transaction at most.
    pub batch_bytes: usize,
    /// How long a request without a connection waits for the store once its change is applied, give or take a second;
    /// then it is told that it is not stored yet. Long holds programs and proxies, short says so of a disk that is busy.
    pub answer_within: Duration,
    /// How long anybody waits for what the store reads of what may be megabytes, behind whatever others have it read:
    /// so slow is no disk that answers.
    pub read_within: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_bytes: 64 << 20,
            keep_deleted: deleted::KeepDeleted::default(),
            presence: presence::Config::default(),
            journal: journal::Config::default(),
            attachments: beside::attachments::AttachmentLimits::default(),
            chat: beside::chat::ChatLimits::default(),
            outbox: queue::QueueLimits::default(),
            idle: Duration::from_secs(30),
            open_bytes: 1 << 30,
            checkpoint_bytes: 64 * 1024,
            batch_updates: 256,
            batch_bytes: 128 * 1024,
            answer_within: Duration::from_secs(3),
            read_within: Duration::from_secs(15),
        }
    }
}
