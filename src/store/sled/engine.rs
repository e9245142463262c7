//! The store without threads: one step after the other, driven by whoever owns it.
//!
//! # Epochs
//! An epoch only grows, so the space bound is kept by starting over. The data directory
//! holds one *young* epoch, and at times an *old* one. When the young epoch holds too many dead bytes, it
//! becomes the old one and a fresh epoch takes its place; live rows are copied over in steps of about
//! [`STEP_BYTES`] between commits; then the old epoch is removed as a whole. Rows are never deleted in
//! place.
//!
//! A document lives in exactly one epoch: the young one if its head is there, else the old one. Its rows
//! are copied first and its head last, in one batch with the last rows, so a crash at any step leaves it
//! whole in one of the two. While it is being copied, appends still go to the old epoch and are copied
//! with the rest. A new full state is written to the young epoch at once and takes the document with it.
//!
//! # Groups
//! Requests are staged into a [`Group`]. Its appends become one frame of the write-ahead log, its head rows
//! and states one batch and one flush of the epoch they belong to. Nothing becomes visible and nobody is
//! answered before both are durable. A request that has to read what the group still holds in memory is
//! given back, to begin the next group.
//!
//! An append or a state longer than a step is written in steps between the groups (`large.rs`).
//!
//! # Settling
//! What was appended stays in memory (*pending*) until it is settled: every [`SETTLE_AFTER`] or
//! [`SETTLE_BYTES`] the log goes on in a new segment, and the pending updates of each document become one
//! row of its epoch, together with its end marker; then the old segment is removed. An update that a full
//! state overtakes is never written a second time. A restart takes what the log holds as if it had just
//! been appended; what had been settled is recognised by its sequence.

mod beside;
mod entry;
mod large;
mod opening;
mod quarantine;
mod recovery;
mod rotation;
mod settling;

pub(super) use entry::Unreadable;

use std::{
    collections::{HashMap, HashSet, hash_map},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use parking_lot::RwLock;
use tokio::sync::oneshot;
use uuid::Uuid;

use self::{
    beside::{Changes, Held},
    entry::{Entry, Slot},
    large::{Large, StateJob},
    opening::{Opened, open_files, read_heads, read_held},
    quarantine::QuarantineSize,
    recovery::{Broken, Stopped},
    rotation::Drain,
    settling::Settling,
};
use super::{
    FreeSpace,
    directory::{Directory, unopenable},
    epoch::{Epoch, Failure, Row, Unread, tally_row},
    wal::{self, Wal},
};
use crate::{
    ids::{DocumentName, Timestamp},
    store::{
        Append, Appended, Collection, Config, Durability, Head, Kept, Life, LoggedUpdate, Observer,
        Quarantined, Quota, Record, Sequence, Standing, StoreError, StoreResult, Stored, Summary, Usage,
        index::{self, Index},
        layout::{self, Damage, Kind, Tally},
    },
};

/// What is copied or written between two commits by work that can wait. Some milliseconds' worth.
const STEP_BYTES: usize = 1 << 20;
/// A full state larger than this is written in steps.
const LARGE_STATE: usize = STEP_BYTES / 4;
/// How often sizes are measured while something is written.
const MEASURE_EVERY: Duration = Duration::from_secs(1);
/// Sizes are measured after this many written bytes at the latest.
const MEASURE_BYTES: u64 = 1 << 20;
/// Pending updates are settled this long after the first of them. Longer makes fewer and larger rows;
/// shorter makes a restart quicker.
const SETTLE_AFTER: Duration = Duration::from_secs(2);
/// Pending updates are settled once the log holds this many bytes.
const SETTLE_BYTES: u64 = 4 << 20;
/// So long a disk may take for one thing. Longer, and it does not answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Who waits for an answer.
pub(super) type Reply<T> = oneshot::Sender<StoreResult<T>>;

/// What the storage thread is asked to do.
pub(super) enum Request {
    Append {
        batch: Vec<Append>,
        reply: Reply<Vec<Appended>>,
    },
    Checkpoint {
        document: DocumentName,
        life: Life,
        upto: Sequence,
        state: Bytes,
        summary: Summary,
        reply: Reply<()>,
    },
    Create {
        document: DocumentName,
        at: Timestamp,
        reply: Reply<(Head, bool)>,
    },
    SetStanding {
        document: DocumentName,
        standing: Standing,
        reply: Reply<Head>,
    },
    Quarantine {
        document: DocumentName,
        life: Life,
        what: String,
        bytes: Bytes,
        at: Timestamp,
        reply: Reply<()>,
    },
    Quarantined {
        document: DocumentName,
        reply: Reply<Vec<Quarantined>>,
    },
    Load {
        document: DocumentName,
        reply: Reply<Option<Stored>>,
    },
    Keep {
        document: DocumentName,
        life: Life,
        at: Timestamp,
        records: Vec<Record>,
        quota: Quota,
        reply: Reply<Kept>,
    },
    Forget {
        document: DocumentName,
        life: Life,
        records: Vec<(Collection, Uuid)>,
        reply: Reply<bool>,
    },
    Close {
        reply: Reply<()>,
    },
}

/// What all threads see. Written by the engine alone.
pub(super) struct Shared {
    pub(super) index: RwLock<Index<Slot>>,
    /// What there is beside documents.
    beside: RwLock<HashMap<DocumentName, Held>>,
    /// The first rows of records that are being written: they may be seen already, and may not be shown before
    /// they are durable.
    arriving: RwLock<HashSet<Vec<u8>>>,
    /// The epochs in use, the young one first.
    epochs: RwLock<Vec<Arc<Epoch>>>,
    /// Why nothing is written now, and since when.
    stopped: RwLock<Option<Stopped>>,
    /// Since when the storage thread does what it does now; nothing while it waits to be asked.
    turn: RwLock<Option<Instant>>,
    pub(super) usage: RwLock<Usage>,
    min_free_bytes: u64,
}

impl Shared {
    /// Whether writing has not stopped.
    fn writes_work(&self) -> StoreResult<()> {
        match &*self.stopped.read() {
            None => Ok(()),
            Some(stopped) => Err(StoreError::Unwritable(stopped.to_string())),
        }
    }

    /// Whether an append would be accepted now, and stored in the time that people have.
    pub(super) fn writes_answer(&self) -> StoreResult<()> {
        self.writable()?;
        match self.turn.read().map(|since| since.elapsed()) {
            Some(stuck) if stuck > PATIENCE => {
                let seconds = stuck.as_secs();
                Err(StoreError::Unwritable(format!("the disk has not answered for {seconds} seconds")))
            }
            _ => Ok(()),
        }
    }

    /// Says that the storage thread begins with something, or has nothing to do.
    pub(super) fn set_turn(&self, begins: bool) {
        *self.turn.write() = begins.then(Instant::now);
    }

    /// Whether an append would be accepted now.
    pub(super) fn writable(&self) -> StoreResult<()> {
        self.writes_work()?;
        let floor = self.min_free_bytes;
        match self.usage.read().free_bytes {
            Some(free) if free < floor => Err(StoreError::DiskFull { free, floor }),
            _ => Ok(()),
        }
    }
}

/// What will be committed together.
#[derive(Default)]
pub(super) struct Group {
    young: Vec<Row>,
    old: Vec<Row>,
    /// A frame of the write-ahead log.
    wal: Vec<u8>,
    staged: HashMap<DocumentName, Staged>,
    records: Changes,
    /// Heads that the young epoch did not have.
    arrived: u64,
    /// What changes in the tallies of the two epochs: bucket and what is added to its sum.
    young_heads: Vec<(usize, u64)>,
    old_heads: Vec<(usize, u64)>,
    updates: usize,
    row_bytes: usize,
    /// Whether it is synced at any level of durability.
    synced: bool,
    replies: Vec<Box<dyn FnOnce(StoreResult<()>) + Send>>,
}

struct Staged {
    entry: Entry,
    /// Whether its head rows have to be written.
    heads: bool,
    /// Updates that become pending.
    gained: Vec<LoggedUpdate>,
}

impl Group {
    /// Bytes to be written so far.
    pub(super) fn bytes(&self) -> usize {
        self.row_bytes + self.wal.len()
    }

    fn entry(&mut self, entry: Entry) -> &mut Staged {
        let document = entry.head.document.clone();
        match self.staged.entry(document) {
            hash_map::Entry::Occupied(mut staged) => {
                staged.get_mut().entry = entry;
                staged.into_mut()
            }
            hash_map::Entry::Vacant(staged) => {
                staged.insert(Staged { entry, heads: false, gained: Vec::new() })
            }
        }
    }

    /// Answers when the group is durable; with the error of the group if it is not.
    fn answer<T: Send + 'static>(&mut self, reply: Reply<T>, answer: StoreResult<T>) {
        // Who no longer waits is not told: a dropped future may have taken effect.
        self.replies.push(Box::new(move |committed| {
            let _ = reply.send(committed.and(answer));
        }));
    }
}

/// An epoch that is written to.
struct Writer {
    epoch: Arc<Epoch>,
    tally: Tally,
}

/// The store without threads. See the file's first lines.
pub(super) struct Engine {
    directory: Directory,
    config: Config,
    observer: Arc<dyn Observer>,
    free_space: FreeSpace,
    shared: Arc<Shared>,
    wal: Wal,
    /// Documents with something to settle.
    unsettled: HashSet<DocumentName>,
    settling: Option<Settling>,
    young: Writer,
    old: Option<Writer>,
    /// Emptied epochs that a reader still holds.
    retired: Vec<Arc<Epoch>>,
    drain: Option<Drain>,
    large: Large,
    next_generation: u64,
    live_bytes: u64,
    /// Bytes of records beside documents.
    record_bytes: u64,
    quarantine: QuarantineSize,
    measured: Instant,
    written: u64,
    /// Whether something was thrown away since sizes were measured.
    thrown_away: bool,
    /// What is being done about a failure.
    broken: Option<Broken>,
}

impl Engine {
    /// Opens what the directory holds, or makes an empty store in it.
    pub(super) fn open(
        directory: Directory,
        config: Config,
        observer: Arc<dyn Observer>,
        free_space: FreeSpace,
    ) -> StoreResult<Self> {
        let Opened { young, old, wal, frames } = open_files(&directory, &config, &[])?;
        let shared = Arc::new(Shared {
            index: RwLock::new(Index::new()),
            beside: RwLock::default(),
            arriving: RwLock::default(),
            epochs: RwLock::default(),
            stopped: RwLock::new(None),
            turn: RwLock::new(None),
            usage: RwLock::new(Usage::default()),
            min_free_bytes: config.min_free_bytes,
        });
        let mut engine = Self {
            directory,
            config,
            observer,
            free_space,
            shared,
            wal,
            unsettled: HashSet::new(),
            settling: None,
            young,
            old,
            retired: Vec::new(),
            drain: None,
            large: Large::default(),
            next_generation: 1,
            live_bytes: 0,
            record_bytes: 0,
            quarantine: QuarantineSize::default(),
            measured: Instant::now(),
            written: 0,
            thrown_away: true, // perhaps, just before the last stop
            broken: None,
        };
        engine.take_in(frames)?;
        Ok(engine)
    }

    /// Learns everything from the files that are open: documents by their heads, and what the log held.
    fn take_in(&mut self, frames: Vec<wal::Frame>) -> StoreResult<()> {
        let begun = Instant::now();
        let mut index = Index::new();
        let mut held = HashMap::new();
        // The young epoch last: where both know a document, it is the one that counts.
        for writer in self.old.iter().chain([&self.young]) {
            let (heads, besides) = read_heads(writer, self.directory.path())?;
            held.extend(
                besides.into_iter().map(|(document, value)| (document, (writer.epoch.number(), value))),
            );
            for (document, entry) in heads {
                if let Some(what) = &entry.damaged {
                    tracing::error!(%document, what, "document is damaged, its bytes are kept");
                    self.observer.damaged(&document);
                }
                index.put(document, Slot { entry, pending: Vec::new() });
            }
        }
        let held = read_held(held, &mut index, &*self.observer);
        self.record_bytes = held.values().map(|held| held.beside.row_bytes).sum();
        self.next_generation = index.iter().map(|(_, slot)| slot.entry.generation).max().unwrap_or(0) + 1;
        let replayed = frames.len();
        self.replay(&mut index, frames)?;
        self.live_bytes = index.iter().map(|(_, slot)| slot.entry.live_bytes()).sum();
        *self.shared.index.write() = index;
        *self.shared.beside.write() = held;
        self.shared.arriving.write().clear();
        self.share_epochs();
        self.settle_all();
        if let Some(Broken { reason, .. }) = &self.broken {
            return Err(unopenable(self.directory.path(), reason));
        }
        self.count_quarantine()?;
        self.measure();
        if self.old.is_some() {
            self.begin_drain(true);
        }
        let usage = *self.shared.usage.read();
        tracing::info!(
            documents = usage.documents,
            replayed, live = usage.live_bytes, disk = usage.disk_bytes,
            took = ?begun.elapsed(), "store opened"
        );
        Ok(())
    }

    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    // ---- requests ----

    /// Adds a request to the group. Gives it back if it must wait for the group to be committed.
    pub(super) fn stage(&mut self, group: &mut Group, request: Request) -> Option<Request> {
        let request = self.large.hold_back(request)?;
        match request {
            Request::Append { ref batch, .. }
                if Self::is_long(batch) && group.staged.contains_key(&batch[0].document) =>
            {
                return Some(request);
            }
            Request::Append { mut batch, reply } if Self::is_long(&batch) => {
                self.begin_append(batch.remove(0), reply);
            }
            Request::Append { batch, reply } => {
                let appended = self.append(group, batch);
                group.answer(reply, appended);
            }
            Request::Checkpoint { ref document, .. } if group.staged.contains_key(document) => {
                return Some(request);
            }
            Request::Checkpoint { document, life, upto, state, summary, reply } => {
                let entry = self.wants_checkpoint(&document, life, upto);
                self.checkpoint(group, entry, upto, state, summary, reply);
            }
            Request::Create { document, at, reply } => {
                let created = self.create(group, document, at);
                group.answer(reply, created);
            }
            Request::SetStanding { document, standing, reply } => {
                let moved = self.set_standing(group, document, standing);
                group.answer(reply, moved);
            }
            Request::Quarantine { document, life, what, bytes, at, reply } => {
                let kept = self.quarantine(group, (&document, life), &what, &bytes, at);
                group.answer(reply, kept);
            }
            // These two read what is durable, as if they had come before the group.
            Request::Quarantined { document, reply } => {
                let _ = reply.send(self.quarantined(&document));
            }
            Request::Load { document, reply } => {
                let _ = reply.send(self.load(&document));
            }
            Request::Keep { ref document, .. } if group.records.is_losing(document) => return Some(request),
            Request::Keep { document, life, at, records, quota, reply } => {
                let kept = self.keep(group, (document, life), at, records, quota);
                group.answer(reply, kept);
            }
            Request::Forget { ref document, .. } if group.records.concern(document) => return Some(request),
            Request::Forget { document, life, records, reply } => {
                let forgotten = self.forget(group, (document, life), &records);
                group.answer(reply, forgotten);
            }
            // What was asked before comes before.
            Request::Close { .. } if self.large.has_appends() => return Some(request),
            Request::Close { reply } => {
                self.large.close();
                group.answer(reply, Ok(()));
            }
        }
        None
    }

    fn append(&mut self, group: &mut Group, batch: Vec<Append>) -> StoreResult<Vec<Appended>> {
        self.shared.writable()?;
        // All or nothing: look at every document before the first row is staged.
        for append in &batch {
            if let Some(entry) = self.entry(group, &append.document) {
                takes_appends(&entry)?;
            }
        }
        let mut appended = Vec::with_capacity(batch.len());
        for Append { document, updates, summary } in batch {
            let at = updates.first().map_or(Timestamp(0), |update| update.at);
            let known = self.entry(group, &document);
            let mut entry = known.unwrap_or_else(|| self.begin(document.clone(), at));
            let whole = layout::encode_log(&updates);
            let before = group.wal.len();
            let first = Sequence(entry.head.last.0 + 1);
            layout::put_logged(&mut group.wal, &document, entry.life(), first.0, &whole, summary.as_ref());
            entry.stale |= summary.as_ref().is_some_and(|summary| *summary != entry.head.summary);
            index::append(&mut entry.head, &updates, summary)?;
            entry.pending_bytes += (group.wal.len() - before) as u64;
            entry.weigh();
            group.updates += updates.len();
            appended.push(Appended { life: entry.head.life, first, count: updates.len() as u64 });
            group.entry(entry).gained.extend(updates);
        }
        Ok(appended)
    }

    fn create(
        &mut self,
        group: &mut Group,
        document: DocumentName,
        at: Timestamp,
    ) -> StoreResult<(Head, bool)> {
        let known = self.entry(group, &document);
        let entry = match known {
            Some(entry) => {
                entry.refuse_damage()?;
                if !matches!(entry.head.standing, Standing::Deleted(_)) {
                    return Ok((entry.head, false));
                }
                self.shared.writable()?;
                Entry {
                    stored: entry.stored,
                    ..Entry::begin(document, at, entry.head.life.next(), entry.epoch)
                }
            }
            None => {
                self.shared.writable()?;
                self.begin(document, at)
            }
        };
        let head = entry.head.clone();
        self.stage_heads(group, entry);
        Ok((head, true))
    }

    /// Allowed on a full disk: throwing away is how people make room.
    fn set_standing(
        &mut self,
        group: &mut Group,
        document: DocumentName,
        standing: Standing,
    ) -> StoreResult<Head> {
        let mut entry = self.entry(group, &document).ok_or(StoreError::Missing(document))?;
        entry.refuse_damage()?;
        self.shared.writes_work()?;
        if index::set_standing(&mut entry.head, standing)? {
            if let Standing::Deleted(_) = standing {
                (entry.generation, entry.state_len, entry.state_crc) = (0, 0, 0);
                (entry.log_bytes, entry.settled, entry.pending_bytes) = (0, 0, 0);
                self.forget_all(group, &entry.head.document, entry.life());
                self.thrown_away = true;
            }
            entry.weigh();
            self.stage_heads(group, entry.clone());
        }
        Ok(entry.head)
    }

    fn checkpoint(
        &mut self,
        group: &mut Group,
        wanted: StoreResult<Option<Entry>>,
        upto: Sequence,
        state: Bytes,
        summary: Summary,
        reply: Reply<()>,
    ) {
        let entry = match wanted {
            Ok(Some(entry)) => entry,
            Ok(None) => return group.answer(reply, Ok(())),
            Err(error) => return group.answer(reply, Err(error)),
        };
        let job = StateJob {
            document: entry.head.document,
            life: entry.head.life,
            upto,
            state,
            summary,
            reply,
            generation: self.next_generation,
        };
        self.next_generation += 1;
        if job.state.len() > LARGE_STATE {
            self.large.add_state(job);
            return;
        }
        for part in 0..layout::parts(job.state.len()) {
            let row = job.row(part);
            group.row_bytes += row.0.len() + row.1.len();
            group.young.push(row);
        }
        self.finish_state(group, job);
    }

    fn wants_checkpoint(
        &self,
        document: &DocumentName,
        life: Life,
        upto: Sequence,
    ) -> StoreResult<Option<Entry>> {
        let entry = self.durable(document).ok_or_else(|| StoreError::Missing(document.clone()))?;
        entry.refuse_damage()?;
        if !index::wants_checkpoint(&entry.head, life, upto)? {
            return Ok(None);
        }
        self.shared.writable()?;
        Ok(Some(entry))
    }

    /// The rows of the state are written or in the group; now the head can speak of them. The document
    /// must not be staged.
    fn finish_state(&mut self, group: &mut Group, job: StateJob) {
        let finish = || -> StoreResult<Option<(Entry, Vec<Row>)>> {
            let wanted = self.wants_checkpoint(&job.document, job.life, job.upto)?;
            let Some(mut entry) = wanted else { return Ok(None) };
            entry.head.checkpoint = job.upto;
            let tail = self.tail_rows(&entry).map_err(|unreadable| self.unreadable(&entry, unreadable))?;
            Ok(Some((entry, tail)))
        };
        let (mut entry, tail) = match finish() {
            Ok(Some(found)) => found,
            Ok(None) => return group.answer(job.reply, Ok(())),
            Err(error) => return group.answer(job.reply, Err(error)),
        };
        entry.log_bytes = row_bytes(&tail);
        if entry.epoch.number() != self.young.epoch.number() {
            entry.epoch = Arc::clone(&self.young.epoch);
            group.arrived += u64::from(entry.stored);
            for row in tail {
                self.push(group, &entry, row);
            }
        }
        // What the state overtakes is settled by it.
        let pending = entry.head.last.0 - entry.settled;
        entry.settled = entry.settled.max(job.upto.0);
        let left = entry.pending_bytes * (entry.head.last.0 - entry.settled);
        entry.pending_bytes = left.checked_div(pending).unwrap_or(0);
        entry.generation = job.generation;
        entry.state_len = job.state.len() as u64;
        entry.state_crc = crc32c::crc32c(&job.state);
        entry.head.summary = index::clip(job.summary);
        entry.weigh();
        self.stage_heads(group, entry);
        group.answer(job.reply, Ok(()));
    }

    /// The log rows that hold something after the checkpoint.
    fn tail_rows(&self, entry: &Entry) -> Result<Vec<Row>, Unreadable> {
        let mut rows = Vec::new();
        if entry.settled > entry.head.checkpoint.0 {
            let to = layout::log_key(&entry.head.document, entry.life(), entry.settled, u32::MAX);
            entry.scan::<()>(&entry.tail_start()?, &to, |key, value| {
                rows.push((key.to_vec(), value.to_vec()));
                Ok(None)
            })?;
        }
        Ok(rows)
    }

    /// Reads a document, and remembers if it is damaged.
    fn load(&self, document: &DocumentName) -> StoreResult<Option<Stored>> {
        let Some(slot) = self.shared.index.read().get(document).cloned() else { return Ok(None) };
        slot.entry.refuse_damage()?;
        slot.read().map(Some).map_err(|unreadable| match self.shared.writes_work() {
            Ok(()) => self.unreadable(&slot.entry, unreadable),
            // Nobody knows before the files have been opened again.
            Err(stopped) => stopped,
        })
    }

    /// Only damage is remembered: what the disk did not read now is asked for again.
    fn unreadable(&self, entry: &Entry, unreadable: Unreadable) -> StoreError {
        match unreadable {
            Unreadable::Damage(damage) => self.damaged(entry, damage),
            Unreadable::Disk(what) => StoreError::Unreadable(what),
        }
    }

    fn damaged(&self, entry: &Entry, Damage(what): Damage) -> StoreError {
        let document = entry.head.document.clone();
        tracing::error!(%document, what, "document is damaged, its bytes are kept");
        self.observer.damaged(&document);
        self.shared.index.write().change(document.clone(), |slot| {
            let pending = slot.map(|slot| slot.pending).unwrap_or_default();
            Slot { entry: Entry { damaged: Some(what.clone()), ..entry.clone() }, pending }
        });
        StoreError::Damaged { document, what }
    }

    fn begin(&self, document: DocumentName, at: Timestamp) -> Entry {
        Entry::begin(document, at, Life::FIRST, Arc::clone(&self.young.epoch))
    }

    /// What is known about a document, counting what the group holds.
    fn entry(&self, group: &Group, document: &DocumentName) -> Option<Entry> {
        match group.staged.get(document) {
            Some(staged) => Some(staged.entry.clone()),
            None => self.durable(document),
        }
    }

    /// What is known about a document and durable.
    fn durable(&self, document: &DocumentName) -> Option<Entry> {
        self.shared.index.read().get(document).map(|slot| slot.entry.clone())
    }

    /// Has the head rows of a document written, its first ones if need be.
    fn stage_heads(&self, group: &mut Group, mut entry: Entry) {
        if !entry.stored {
            entry.stored = true;
            entry.epoch = Arc::clone(&self.young.epoch);
            group.arrived += 1;
        }
        entry.stale = false;
        group.entry(entry).heads = true;
    }

    /// Adds a row to the epoch its document lives in.
    fn push(&self, group: &mut Group, entry: &Entry, row: Row) {
        group.row_bytes += row.0.len() + row.1.len();
        if entry.epoch.number() == self.young.epoch.number() {
            group.young.push(row);
        } else {
            group.old.push(row);
        }
    }

    /// The updates of a document that are not settled.
    fn pending(&self, document: &DocumentName) -> Vec<LoggedUpdate> {
        self.shared.index.read().get(document).map(|slot| slot.pending.clone()).unwrap_or_default()
    }

    // ---- committing ----

    /// Makes the group durable, then visible, then answers.
    pub(super) fn commit(&mut self, mut group: Group) {
        let begun = Instant::now();
        let mut staged = std::mem::take(&mut group.staged);
        for (document, Staged { entry, .. }) in staged.iter_mut().filter(|(_, staged)| staged.heads) {
            let (meta_key, end_key) = (layout::meta_key(document), layout::end_key(document));
            let meta = layout::seal(Kind::Meta, &meta_key, &entry.meta().encode());
            let end = layout::seal(Kind::End, &end_key, &entry.end().encode());
            entry.fingerprint = layout::fingerprint(Some(&meta), Some(&end));
            self.tally(&mut group, entry);
            self.push(&mut group, entry, (meta_key, meta));
            self.push(&mut group, entry, (end_key, end));
        }
        let (held, coming) = self.stage_beside(&mut group);
        let outcome = match &self.broken {
            Some(Broken { reason, .. }) => Err(StoreError::Unwritable(reason.clone())),
            None => self.write(&mut group).map_err(|Failure(reason)| {
                self.fail(&reason);
                StoreError::Unwritable(reason)
            }),
        };
        if outcome.is_ok() {
            let documents = staged.len();
            let shared = Arc::clone(&self.shared);
            let mut index = shared.index.write();
            for (document, Staged { entry, gained, .. }) in staged {
                if entry.stale || entry.settled < entry.head.last.0 {
                    self.unsettled.insert(document.clone());
                }
                self.live_bytes += entry.live_bytes();
                index.change(document, |before| {
                    let mut pending = Vec::new();
                    if let Some(before) = before {
                        self.live_bytes = self.live_bytes.saturating_sub(before.entry.live_bytes());
                        pending = before.pending;
                    }
                    pending.extend(gained);
                    let keep = (entry.head.last.0 - entry.settled) as usize;
                    pending.drain(..pending.len().saturating_sub(keep));
                    Slot { entry, pending }
                });
            }
            drop(index);
            self.publish_beside(held, &coming);
            if !group.replies.is_empty() {
                self.observer.committed(documents, group.updates, group.bytes(), begun.elapsed());
            }
        }
        for reply in group.replies {
            reply(outcome.clone());
        }
    }

    /// Counts the head rows of a document into its epoch, and those they replace there out of it.
    fn tally(&self, group: &mut Group, entry: &Entry) {
        let index = self.shared.index.read();
        let before = index.get(&entry.head.document).map(|slot| &slot.entry);
        let before = before.filter(|before| before.stored && before.epoch.number() == entry.epoch.number());
        let replaced = before.map_or(0, |before| before.fingerprint);
        let change = (Tally::bucket(&entry.head.document), entry.fingerprint.wrapping_sub(replaced));
        if entry.epoch.number() == self.young.epoch.number() {
            group.young_heads.push(change);
        } else {
            group.old_heads.push(change);
        }
    }

    fn write(&mut self, group: &mut Group) -> Result<(), Failure> {
        let level = if group.synced { Durability::Disk } else { self.config.durability };
        let old = (std::mem::take(&mut group.old), std::mem::take(&mut group.old_heads), 0);
        let young = (std::mem::take(&mut group.young), std::mem::take(&mut group.young_heads), group.arrived);
        for (writer, (mut rows, heads, arrived)) in [(self.old.as_mut(), old), (Some(&mut self.young), young)]
        {
            let Some(writer) = writer.filter(|_| !rows.is_empty()) else { continue };
            writer.tally.commit += 1;
            writer.tally.documents += arrived;
            for (bucket, change) in heads {
                let sum = &mut writer.tally.heads[bucket];
                *sum = sum.wrapping_add(change);
            }
            rows.push(tally_row(&writer.tally));
            writer.epoch.apply(rows, level)?;
            writer.epoch.set_mark(writer.tally.commit, level)?;
        }
        if !group.wal.is_empty() {
            self.wal.append(&group.wal).map_err(|error| Failure(wal::reason(&error)))?;
        }
        self.written += group.bytes() as u64;
        Ok(())
    }

    // ---- work that can wait ----

    /// Whether [`step`](Self::step) has something to do.
    pub(super) fn is_busy(&self) -> bool {
        self.broken.is_none() && (!self.large.is_empty() || self.settling.is_some() || self.drains())
    }

    /// Does about [`STEP_BYTES`] of the work that can wait, and measures from time to time.
    pub(super) fn step(&mut self) {
        if self.broken.is_some() {
            return self.try_again();
        }
        let waited = self.wal.since().is_some_and(|since| since.elapsed() >= SETTLE_AFTER);
        if self.settling.is_none() && (waited || self.wal.length() >= SETTLE_BYTES) {
            self.begin_settling();
        }
        if !self.large.is_empty() {
            self.large_step();
        } else if self.settling.is_some() {
            self.settle_step();
        } else if self.drains() {
            self.drain_step();
        }
        self.release_retired();
        let due = self.measured.elapsed() >= MEASURE_EVERY;
        if self.written > 0 && (self.written >= MEASURE_BYTES || due) {
            self.measure();
            self.consider_rotation(false);
        } else if due {
            // Others fill the disk, and empty it, while we are idle.
            self.measure_free();
            self.consider_rotation(true);
        }
    }
}

/// What rows take.
fn row_bytes(rows: &[Row]) -> u64 {
    rows.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum()
}

/// Whether a document takes appends as it is.
fn takes_appends(entry: &Entry) -> StoreResult<()> {
    entry.refuse_damage()?;
    match entry.head.standing {
        Standing::Deleted(_) => Err(StoreError::Missing(entry.head.document.clone())),
        _ => Ok(()),
    }
}

/// A key after all keys that begin with `prefix`: what follows a prefix is never this long or this high.
fn after(prefix: &[u8]) -> Vec<u8> {
    [prefix, &[0xff; 20]].concat()
}
