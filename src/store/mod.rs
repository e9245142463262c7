//! What is kept: opaque bytes per document, durable.
//!
//! The [`Store`] trait is a contract between the documents and a place that keeps their bytes. It knows
//! neither the CRDT nor the clock: updates are opaque, times are given. Every backend shows the same
//! behaviour, held by `contract.rs`.
//!
//! The callers are the document actors: at most one actor per document and process, so appends to one
//! document never race each other; appends to different documents do, and a backend groups them.
//!
//! [`layout`] says how it looks on disk, [`memory`] and [`sled`] keep it, [`index`] holds what lists and
//! standing need without touching either.

pub(crate) mod index;
pub mod layout;
pub mod memory;
pub mod sled;

#[cfg(test)]
mod contract;
#[cfg(any(test, feature = "test-hooks"))]
pub mod faulty;

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::{DocumentName, SessionId, Timestamp};

/// The place of an update in its document's log. The first is 1; 0 means "nothing yet". Sequence numbers
/// of one document are contiguous: a gap is damage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sequence(pub u64);

/// Which of the documents that had this name one after the other. The first has life 1; making it again after it was
/// deleted for ever begins the next. What was meant for one life says nothing about another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Life(pub u32);

impl Life {
    /// That of a document whose name nobody had before.
    pub const FIRST: Self = Self(1);

    /// The one after this.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// One update as it was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedUpdate {
    /// Update bytes, v1 encoding.
    pub bytes: Bytes,
    /// The session that wrote it, if it was one session alone.
    pub origin: Option<SessionId>,
    /// When it was applied.
    pub at: Timestamp,
}

/// What a list of documents shows without opening them. Written with every append and checkpoint, because
/// the store cannot look into the bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The title found in the document, if it has one. Stores keep its first [`layout::TITLE_BYTES`].
    pub title: Option<String>,
    /// What the document says it is: a text, a board, and so on. `None` if it does not say, and for documents
    /// that have not changed since a Weft that did not look.
    #[serde(default)]
    pub kind: Option<String>,
    /// Bytes of the encoded state, as of the last time it was encoded.
    pub bytes: u64,
}

/// What one document gained since its last append. Its updates are stored together, as one value.
#[derive(Clone, Debug)]
pub struct Append {
    /// Whose updates these are.
    pub document: DocumentName,
    /// In the order in which they were applied; never empty.
    pub updates: Vec<LoggedUpdate>,
    /// `None` leaves the stored summary as it is.
    pub summary: Option<Summary>,
}

/// Where an [`Append`] went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Which life of the document has it now.
    pub life: Life,
    /// Sequence of its first update.
    pub first: Sequence,
    /// How many updates it held; the last one has `first + count - 1`.
    pub count: u64,
}

/// Whether a document may be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "since")]
pub enum Standing {
    /// It may.
    Live,
    /// It is in the trash; its bytes are kept and it can be restored.
    Trashed(Timestamp),
    /// It was deleted for ever; only this mark is kept, so that an old replica cannot resurrect it.
    Deleted(Timestamp),
}

/// What the store knows about a document without reading its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its name.
    pub document: DocumentName,
    /// Which life of it this is, or was.
    pub life: Life,
    /// When it was first created or written.
    pub created: Timestamp,
    /// When it last changed.
    pub modified: Timestamp,
    /// The last sequence number given out.
    pub last: Sequence,
    /// The sequence number up to which the checkpoint holds everything.
    pub checkpoint: Sequence,
    /// Live, in the trash, or deleted.
    pub standing: Standing,
    /// What lists show.
    pub summary: Summary,
    /// Bytes held for it now: checkpoint and log.
    pub stored_bytes: u64,
}

/// A document as it was kept.
#[derive(Clone, Debug)]
pub struct Stored {
    /// What is known about it.
    pub head: Head,
    /// The full state up to and including `head.checkpoint`, if one was written.
    pub checkpoint: Option<Bytes>,
    /// What came after the checkpoint, in order, without a gap.
    pub tail: Vec<LoggedUpdate>,
}

/// Which documents a list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shelf {
    /// Those that may be opened.
    Live,
    /// Those in the trash.
    Trash,
}

/// A position in a list: after the document with this time and name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// `modified` of the last document of the page before.
    pub modified: Timestamp,
    /// Its name, to break ties.
    pub document: DocumentName,
}

/// One page of a list, newest change first (ties by name).
#[derive(Clone, Debug)]
pub struct Page {
    /// The documents of this page.
    pub heads: Vec<Head>,
    /// Where the next page begins, or `None` at the end.
    pub next: Option<Cursor>,
}

/// What survives after an append has been acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// Nothing: everything is lost with the process. For tests and throw-away servers.
    Memory,
    /// `kill -9` and a crash of Weft; not a power cut or a crash of the operating system.
    Kill,
    /// A power cut, as far as the disk keeps its promises.
    Disk,
}

/// Bytes that must not be applied, kept for a person to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// Which document they were meant for.
    pub document: DocumentName,
    /// Why they are here.
    pub what: String,
    /// The bytes as they came.
    pub bytes: Bytes,
    /// When they came.
    pub at: Timestamp,
}

/// The kinds of records that are kept beside a document. To the store they are names; the numbers are part
/// of what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Collection {
    /// What is known about each attachment.
    Attachments = 1,
    /// The bytes of each attachment.
    AttachmentBytes = 2,
    /// Chat messages, by the order in which they were said.
    Messages = 3,
    /// Which message was made of what a client called by a name of its own.
    MessageOrigins = 4,
}

impl Collection {
    /// All of them, by their numbers.
    pub const ALL: [Self; 4] =
        [Self::Attachments, Self::AttachmentBytes, Self::Messages, Self::MessageOrigins];
}

/// A value beside a document: written once, read by its key, and forgotten as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What kind of record.
    pub collection: Collection,
    /// Its key; unique within document and collection. Keys are ordered by their bytes.
    pub key: Uuid,
    /// Opaque bytes, up to some megabytes.
    pub value: Bytes,
}

/// How much one collection of a document may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Which collection.
    pub collection: Collection,
    /// Most records in it.
    pub records: u64,
    /// Most bytes of values in it.
    pub bytes: u64,
}

/// What became of records that were to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// They are there now.
    New,
    /// The first of them had been there before; nothing was changed.
    Known,
    /// There was no room for them; nothing was changed.
    NoRoom,
}

/// Sizes, for the metrics and for the space bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of keys and values that are still needed.
    pub live_bytes: u64,
    /// Bytes that the files take on disk.
    pub disk_bytes: u64,
    /// Bytes still free on that disk, if it has one.
    pub free_bytes: Option<u64>,
    /// Documents on both shelves.
    pub documents: u64,
}

/// Why the store could not do it, sorted by what the caller does about it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// Nobody can write now, and the reason is here; reading may still work. Retry later, tell no author
    /// that anything was saved.
    #[error("the store cannot write: {0}")]
    Unwritable(String),
    /// The disk is almost full: writes are refused before it is.
    #[error("the disk is almost full: {free} bytes free, {floor} must stay free")]
    DiskFull {
        /// Bytes free.
        free: u64,
        /// The configured floor.
        floor: u64,
    },
    /// What is stored for this document is damaged. It must be neither shown nor overwritten.
    #[error("the stored bytes of {document} are damaged: {what}")]
    Damaged {
        /// Which document.
        document: DocumentName,
        /// What was found, for a person to read.
        what: String,
    },
    /// The disk has not answered for so long. What was asked for may still happen; asking once more does no harm.
    #[error(
        "the disk has not answered for {0:?}; what was asked for may still be done, and asking once more does no harm"
    )]
    Unanswered(Duration),
    /// The document does not exist (never written, or deleted for ever).
    #[error("no document named {0}")]
    Missing(DocumentName),
    /// The whole store cannot be opened: locked, damaged, or written by a newer Weft.
    #[error("{0}")]
    Unopenable(String),
    /// The store has been closed.
    #[error("the store is closed")]
    Closed,
    /// The disk did not read what is stored, asked several times. That is not damage: later it may.
    #[error("the disk does not read what is stored: {0}")]
    Unreadable(String),
}

impl StoreError {
    /// Whether it says something about the disk at this moment, and nothing about what is stored.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Unanswered(_) | Self::Unreadable(_))
    }
}

/// The result of everything a store does.
pub type StoreResult<T> = Result<T, StoreError>;

/// A place that keeps documents.
///
/// # What callers may assume
/// - [`append`](Self::append), [`checkpoint`](Self::checkpoint), [`create`](Self::create),
///   [`set_standing`](Self::set_standing), [`keep`](Self::keep) and [`forget`](Self::forget) resolve only
///   when what they wrote is durable at the level of [`durability`](Self::durability). Before that, nothing may be acknowledged.
/// - Appends of one document get contiguous sequence numbers, in the order in which they were handed over.
///   When the queue to the backend is full, handing over waits until the future is polled: a caller who
///   cares for the order has one append per document on the way. A future that was dropped may still take
///   effect. After an error the caller does not know whether the append is
///   stored; appending the same updates again is harmless, because updates are idempotent.
/// - [`load`](Self::load) returns everything whose append has resolved.
/// - Damage is an error, never an empty or a shorter document, and it touches only the document it is in.
///
/// # What callers must not assume
/// - That futures resolve on the calling thread's runtime in order across documents.
/// - That an append to a trashed document fails: access is the document's business, not the store's. Only
///   to a document that was deleted for ever it does ([`StoreError::Missing`]), or the mark would be worth
///   nothing.
/// - That the other documents of a batch are stored when one of them is refused: a batch is stored as a
///   whole or not at all.
pub trait Store: Send + Sync + 'static {
    /// Appends updates to the logs of one or several documents. The documents need not exist. Resolves to
    /// one [`Appended`] per [`Append`], in the same order.
    ///
    /// A store may wait a moment, so that more of them share one write to the disk: the longer for it while nobody waits
    /// for them, which is until [`hurry`](Self::hurry).
    fn append(&self, batch: Vec<Append>) -> BoxFuture<'static, StoreResult<Vec<Appended>>>;

    /// Somebody waits for what was handed over to be durable.
    fn hurry(&self) {}

    /// Everything kept for a document, or `None` if it was never created or written. A document that was
    /// deleted for ever is returned with its mark and no content.
    fn load(&self, document: DocumentName) -> BoxFuture<'static, StoreResult<Option<Stored>>>;

    /// Heads of the named documents, in the same order, without reading content.
    fn heads(&self, documents: Vec<DocumentName>) -> BoxFuture<'static, StoreResult<Vec<Option<Head>>>>;

    /// Replaces the log up to and including `upto` by one full state. Monotonic and safe to race: a
    /// checkpoint at or below the stored one changes nothing. `upto` above the last sequence is refused
    /// as damage. The caller has decoded `state` again before handing it over, which takes a while: if the document
    /// was deleted for ever meanwhile, the answer is [`StoreError::Missing`], also when another one has the name now.
    fn checkpoint(
        &self,
        document: DocumentName,
        life: Life,
        upto: Sequence,
        state: Bytes,
        summary: Summary,
    ) -> BoxFuture<'static, StoreResult<()>>;

    /// Makes sure that a document exists and is live, and returns its head and whether it was made now.
    /// A trashed document stays trashed; one that was deleted for ever begins anew, empty.
    fn create(&self, document: DocumentName, at: Timestamp) -> BoxFuture<'static, StoreResult<(Head, bool)>>;

    /// Moves a document to the trash, back, or deletes it for ever (which removes its content and keeps the
    /// mark). [`StoreError::Missing`] if it does not exist or was deleted for ever.
    fn set_standing(
        &self,
        document: DocumentName,
        standing: Standing,
    ) -> BoxFuture<'static, StoreResult<Head>>;

    /// One page of a shelf, newest change first. `limit` is at least 1. Damaged documents are left out.
    fn list(
        &self,
        shelf: Shelf,
        after: Option<Cursor>,
        limit: usize,
    ) -> BoxFuture<'static, StoreResult<Page>>;

    /// Keeps bytes that must not be applied, for a person to look at. `what` says why. At most
    /// [`QUARANTINE_ENTRIES`] and [`QUARANTINE_BYTES`] are kept, the first ones, so that nobody can fill the
    /// disk this way; what is beyond is logged and let go. The document need not exist. If what has the name
    /// now is in another life than `life`, or was deleted for ever, the answer is [`StoreError::Missing`].
    fn quarantine(
        &self,
        document: DocumentName,
        life: Life,
        what: String,
        bytes: Bytes,
        at: Timestamp,
    ) -> BoxFuture<'static, StoreResult<()>>;

    /// What is kept of a document's refused bytes, oldest first.
    fn quarantined(&self, document: DocumentName) -> BoxFuture<'static, StoreResult<Vec<Quarantined>>>;

    /// Keeps records beside a document, all of them or none. If the first one's key is there already, nothing
    /// is changed, and the answer is [`Kept::Known`]: that is how doing it twice is doing it once. Otherwise,
    /// if `room.collection` would then hold more than `room` allows, nothing is changed either.
    ///
    /// The document need not exist: it then begins, at `at`. One in the trash takes records like one that is
    /// live; to one that was deleted for ever the answer is [`StoreError::Missing`], also when another one has the
    /// name now: `life` says for which of them the records are. Deleting a document for ever takes its records along.
    fn keep(
        &self,
        document: DocumentName,
        life: Life,
        at: Timestamp,
        records: Vec<Record>,
        quota: Quota,
    ) -> BoxFuture<'static, StoreResult<Kept>>;

    /// Forgets records, together. Whether the first one had been there. [`StoreError::Missing`] if the
    /// document does not exist, or not any more in this life.
    fn forget(
        &self,
        document: DocumentName,
        life: Life,
        records: Vec<(Collection, Uuid)>,
    ) -> BoxFuture<'static, StoreResult<bool>>;

    /// The value of one record, if it and its document are there and it is durable.
    fn record(
        &self,
        document: DocumentName,
        collection: Collection,
        key: Uuid,
    ) -> BoxFuture<'static, StoreResult<Option<Bytes>>>;

    /// At most `limit` records, those with the greatest keys below `before`, greatest first. Nothing that is
    /// not durable is among them.
    fn records(
        &self,
        document: DocumentName,
        collection: Collection,
        before: Option<Uuid>,
        limit: usize,
    ) -> BoxFuture<'static, StoreResult<Vec<Record>>>;

    /// `Ok` if an append would be accepted now. Cheap; asked by `/readyz` and before a write is announced.
    fn health(&self) -> StoreResult<()>;

    /// Sizes, as of the last time they were measured. Cheap.
    fn usage(&self) -> Usage;

    /// What an acknowledgement survives.
    fn durability(&self) -> Durability;

    /// Makes everything durable and stops. Later calls answer [`StoreError::Closed`].
    fn close(&self) -> BoxFuture<'static, StoreResult<()>>;
}

/// How many quarantined values a store keeps.
pub const QUARANTINE_ENTRIES: u64 = 1_000;
/// How many bytes of quarantined values a store keeps.
pub const QUARANTINE_BYTES: u64 = 64 << 20;

/// Where and how documents are kept. [`Default`] is what `weft serve` does when told nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The directory that holds everything. Made if it is missing. Local disk only: file locks and fsync
    /// over a network are promises nobody keeps.
    pub data: PathBuf,
    /// What an acknowledgement survives.
    pub durability: Durability,
    /// Milliseconds between two commits, at least. Appends that arrive meanwhile share one. 0 commits as
    /// soon as the commit before is done: a little faster for one author, several times the CPU for many.
    /// Above 50 people begin to see the wait.
    pub group_ms: u64,
    /// The same while nobody waits for what is to be committed: most clients never hear when it is durable, and each
    /// commit costs as much as some ten changes.
    pub unawaited_group_ms: u64,
    /// A commit takes no more appends once it holds this many bytes. Large values delay everybody in it.
    pub group_bytes: usize,
    /// Bytes of writes that may wait for the storage thread, in all. When it is full, appending waits:
    /// documents keep the updates in their journals meanwhile.
    pub queue_bytes: usize,
    /// Writes are refused while fewer bytes than this are free on the disk, because the disk must never be
    /// full: what comes then is beyond us. 0 turns it off.
    pub min_free_bytes: u64,
    /// Bytes of stored pages to keep in memory. Open documents have their content in memory anyway; this
    /// is for opening the same ones again.
    pub cache_bytes: u64,
    /// The log may hold this many dead bytes before live rows are copied into a fresh epoch and the old one
    /// is removed. Smaller wastes less disk on a small store and copies more often.
    pub slack_bytes: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::from("data"),
            durability: Durability::Disk,
            group_ms: 5,
            unawaited_group_ms: 50,
            group_bytes: 1 << 20,
            queue_bytes: 32 << 20,
            min_free_bytes: 512 << 20,
            cache_bytes: 32 << 20,
            slack_bytes: 64 << 20,
        }
    }
}

/// Told what a store does, for the metrics. Called on the storage thread: be quick.
pub trait Observer: Send + Sync + 'static {
    /// One commit is durable: so many documents, updates and bytes, and how long writing it took, without
    /// the time it waited.
    fn committed(&self, documents: usize, updates: usize, bytes: usize, took: Duration) {
        let _ = (documents, updates, bytes, took);
    }

    /// The store stopped writing, for this reason. It tries again by itself until it has
    /// [`recovered`](Self::recovered).
    fn failed(&self, reason: &str) {
        let _ = reason;
    }

    /// The store writes again.
    fn recovered(&self) {}

    /// Live rows were copied into a fresh epoch: bytes on disk before and after.
    fn rotated(&self, before: u64, after: u64) {
        let _ = (before, after);
    }

    /// What is stored of this document was found damaged.
    fn damaged(&self, document: &DocumentName) {
        let _ = document;
    }
}

/// An observer that looks away.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {}

/// Opens the store that `config` asks for. Blocks while it reads the index of documents.
pub fn open(config: Config, observer: Arc<dyn Observer>) -> StoreResult<Arc<dyn Store>> {
    Ok(match config.durability {
        Durability::Memory => Arc::new(memory::MemoryStore::new()),
        Durability::Kill | Durability::Disk => Arc::new(sled::SledStore::open(config, observer)?),
    })
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory",
            Self::Kill => "kill",
            Self::Disk => "disk",
        })
    }
}
