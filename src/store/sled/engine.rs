//! The store without threads: one step after the other, driven by whoever owns it.
//!
//! # Epochs
//! sled hardly ever gives space back, so the space bound is kept by starting over. The data directory
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
//! # Settling
//! What was appended stays in memory (*pending*) until it is settled: every [`SETTLE_AFTER`] or
//! [`SETTLE_BYTES`] the log goes on in a new segment, and the pending updates of each document become one
//! row of its epoch, together with its end marker; then the old segment is removed. An update that a full
//! state overtakes is never written a second time. A restart takes what the log holds as if it had just
//! been appended; what had been settled is recognised by its sequence.

mod beside;

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque, hash_map},
    ops::ControlFlow,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use parking_lot::RwLock;
use tokio::sync::oneshot;
use uuid::Uuid;

use self::beside::{Changes, Held};
use super::{
    FreeSpace,
    directory::{Directory, disk_bytes, unopenable},
    epoch::{Epoch, Failure, HeadRows, Row, tally_row},
    wal::{self, Wal},
};
use crate::{
    ids::{DocumentName, Timestamp},
    store::{
        Append, Appended, Collection, Config, Durability, Head, Kept, LoggedUpdate, Observer, Presence,
        QUARANTINE_BYTES, QUARANTINE_ENTRIES, Quarantined, Record, Room, Sequence, StoreError, StoreResult,
        Stored, Summary, Usage,
        index::{self, Index, Indexed},
        layout::{self, Beside, Damage, End, Key, Kind, Meta, Parts, Tally},
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
/// What a document costs beside its state and its log: two head rows.
const HEAD_BYTES: u64 = 200;

/// Who waits for an answer.
pub(super) type Reply<T> = oneshot::Sender<StoreResult<T>>;

/// What the storage thread is asked to do.
pub(super) enum Request {
    Append { batch: Vec<Append>, reply: Reply<Vec<Appended>> },
    Checkpoint { document: DocumentName, upto: Sequence, state: Bytes, summary: Summary, reply: Reply<()> },
    Create { document: DocumentName, at: Timestamp, reply: Reply<(Head, bool)> },
    SetPresence { document: DocumentName, presence: Presence, reply: Reply<Head> },
    Quarantine { document: DocumentName, what: String, bytes: Bytes, at: Timestamp, reply: Reply<()> },
    Quarantined { document: DocumentName, reply: Reply<Vec<Quarantined>> },
    Load { document: DocumentName, reply: Reply<Option<Stored>> },
    Keep { document: DocumentName, at: Timestamp, records: Vec<Record>, room: Room, reply: Reply<Kept> },
    Forget { document: DocumentName, records: Vec<(Collection, Uuid)>, reply: Reply<bool> },
    Close { reply: Reply<()> },
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
    /// Why writing stopped, once it has. It does not begin again.
    pub(super) failed: RwLock<Option<String>>,
    pub(super) usage: RwLock<Usage>,
    min_free_bytes: u64,
}

impl Shared {
    /// Whether nothing has failed so far.
    fn writes_work(&self) -> StoreResult<()> {
        self.failed.read().clone().map_or(Ok(()), |reason| Err(StoreError::Unwritable(reason)))
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

/// What is known about a document, and its updates that are not settled yet.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) entry: Entry,
    /// Everything after `entry.settled`.
    pending: Vec<LoggedUpdate>,
}

impl Indexed for Slot {
    fn head(&self) -> Option<&Head> {
        self.entry.damaged.is_none().then_some(&self.entry.head)
    }
}

impl Slot {
    /// Reads the document as this slot knows it. Safe on any thread, but only the storage thread knows
    /// that what is missing was not just replaced.
    pub(super) fn read(&self) -> Result<Stored, Damage> {
        let entry = &self.entry;
        let checkpoint = if entry.generation == 0 { None } else { Some(entry.read_state()?) };
        let mut tail = entry.read_tail()?;
        tail.extend(self.pending.iter().cloned());
        Ok(Stored { head: entry.head.clone(), checkpoint, tail })
    }
}

/// What is known about a document, and where its rows are.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) head: Head,
    pub(super) life: u32,
    pub(super) generation: u64,
    state_len: u64,
    state_crc: u32,
    log_bytes: u64,
    /// Up to which sequence the log is in rows, or in the checkpoint. What follows is pending.
    settled: u64,
    /// What the pending updates will take, about.
    pending_bytes: u64,
    /// Whether it has head rows.
    stored: bool,
    /// Whether its head says more than its head rows.
    stale: bool,
    /// Of its head rows, see [`Tally`].
    fingerprint: u64,
    epoch: Arc<Epoch>,
    /// What was found wrong with its rows. They are kept as they are, whatever they say.
    pub(super) damaged: Option<String>,
}

/// The life of a document whose head rows cannot be read.
const NO_LIFE: u32 = 0;

impl Entry {
    fn begin(document: DocumentName, at: Timestamp, life: u32, epoch: Arc<Epoch>) -> Self {
        let head = index::begin(document, at);
        Self {
            head,
            life,
            generation: 0,
            state_len: 0,
            state_crc: 0,
            log_bytes: 0,
            settled: 0,
            pending_bytes: 0,
            stored: false,
            stale: false,
            fingerprint: 0,
            epoch,
            damaged: None,
        }
    }

    /// From the two head rows as they were found. Without both of them the document is damaged.
    fn restore(
        document: &DocumentName,
        meta: Option<Result<Meta, Damage>>,
        end: Option<Result<End, Damage>>,
        epoch: Arc<Epoch>,
    ) -> Self {
        let mut entry = Self::begin(document.clone(), Timestamp(0), NO_LIFE, epoch);
        entry.stored = true;
        let what = match (meta, end) {
            (Some(Ok(meta)), Some(Ok(end))) if meta.life == end.life && meta.checkpoint <= end.last => {
                entry.head.created = meta.created;
                entry.head.modified = end.modified;
                entry.head.last = Sequence(end.last);
                entry.head.checkpoint = Sequence(meta.checkpoint);
                entry.head.presence = meta.presence;
                entry.head.summary = meta.summary;
                entry.life = meta.life;
                entry.generation = meta.generation;
                entry.state_len = meta.state_len;
                entry.state_crc = meta.state_crc;
                entry.log_bytes = end.log_bytes;
                entry.settled = end.last;
                entry.weigh();
                return entry;
            }
            (Some(Ok(_)), Some(Ok(_))) => "its head and its end marker disagree".into(),
            (Some(Err(damage)), _) => format!("its head: {damage}"),
            (_, Some(Err(damage))) => format!("its end marker: {damage}"),
            (None, _) => "its head is missing".into(),
            (_, None) => "its end marker is missing".into(),
        };
        entry.damaged = Some(what);
        entry
    }

    fn meta(&self) -> Meta {
        Meta {
            life: self.life,
            created: self.head.created,
            presence: self.head.presence,
            checkpoint: self.head.checkpoint.0,
            generation: self.generation,
            state_len: self.state_len,
            state_crc: self.state_crc,
            summary: self.head.summary.clone(),
        }
    }

    fn end(&self) -> End {
        End { life: self.life, last: self.settled, modified: self.head.modified, log_bytes: self.log_bytes }
    }

    fn weigh(&mut self) {
        self.head.stored_bytes = self.state_len + self.log_bytes + self.pending_bytes;
    }

    /// Bytes of its rows that are still needed.
    fn live_bytes(&self) -> u64 {
        self.head.stored_bytes + HEAD_BYTES + 2 * self.head.document.as_str().len() as u64
    }

    pub(super) fn refuse_damage(&self) -> StoreResult<()> {
        match &self.damaged {
            None => Ok(()),
            Some(what) => {
                Err(StoreError::Damaged { document: self.head.document.clone(), what: what.clone() })
            }
        }
    }

    /// Whether rows found for one of the two are the rows of the other.
    pub(super) fn same_rows(&self, other: &Self) -> bool {
        self.life == other.life
            && self.generation == other.generation
            && self.epoch.number() == other.epoch.number()
            && self.damaged == other.damaged
    }

    fn read_state(&self) -> Result<Bytes, Damage> {
        let name = &self.head.document;
        let (from, to) = self.state_range();
        let mut parts = Parts::default();
        let mut next = 0;
        let whole = self.scan(&from, &to, |key, value| {
            let Key::State { part, .. } = layout::parse_key(key)? else {
                return Err(Damage("a row of another kind in the full state".into()));
            };
            next = part + 1;
            parts.add(part, layout::unseal(Kind::State, key, value)?)
        })?;
        let whole = whole.ok_or_else(|| Damage(format!("part {next} of its full state is missing")))?;
        if whole.len() as u64 != self.state_len || crc32c::crc32c(&whole) != self.state_crc {
            return Err(Damage(format!("the full state of {name} is not the one its head speaks of")));
        }
        Ok(whole)
    }

    /// The settled updates after the checkpoint.
    fn read_tail(&self) -> Result<Vec<LoggedUpdate>, Damage> {
        let (checkpoint, last) = (self.head.checkpoint.0, self.settled);
        if checkpoint == last {
            return Ok(Vec::new());
        }
        let mut tail = Vec::new();
        let mut parts = Parts::default();
        let mut entry_first = 0;
        let mut expected = None;
        let from = self.tail_start()?;
        let to = layout::log_key(&self.head.document, self.life, last, u32::MAX);
        self.scan::<()>(&from, &to, |key, value| {
            let Key::Log { first, part, .. } = layout::parse_key(key)? else {
                return Err(Damage("a row of another kind in the log".into()));
            };
            if part == 0 && !parts.is_empty() {
                return Err(Damage(format!("the updates from {entry_first} on are cut short")));
            }
            if part == 0 && expected.unwrap_or(first.min(checkpoint + 1)) != first {
                let missing = expected.unwrap_or(0).max(checkpoint + 1);
                return Err(Damage(format!("updates {missing} to {} are missing", first - 1)));
            }
            entry_first = first;
            if let Some(entry) = parts.add(part, layout::unseal(Kind::Log, key, value)?)? {
                let updates = layout::decode_log(&entry)?;
                expected = Some(first + updates.len() as u64);
                let known = (checkpoint + 1).saturating_sub(first) as usize;
                tail.extend(updates.into_iter().skip(known));
            }
            Ok(None)
        })?;
        let stored = checkpoint + tail.len() as u64;
        if stored != last || !parts.is_empty() {
            return Err(Damage(format!("updates {} to {last} are missing", stored.min(last) + 1)));
        }
        Ok(tail)
    }

    /// Key of the log entry that holds the first update after the checkpoint, or of where it would be.
    fn tail_start(&self) -> Result<Vec<u8>, Damage> {
        let name = &self.head.document;
        let wanted = self.head.checkpoint.0 + 1;
        if self.settled < wanted {
            return Ok(layout::log_key(name, self.life, wanted, 0));
        }
        let (from, to) =
            (layout::log_key(name, self.life, 0, 0), layout::log_key(name, self.life, wanted, u32::MAX));
        let found = self.epoch.last_key(&from, &to).map_err(|Failure(what)| Damage(what))?;
        match found.as_deref().map(layout::parse_key).transpose()? {
            Some(Key::Log { first, .. }) => Ok(layout::log_key(name, self.life, first, 0)),
            _ => Ok(layout::log_key(name, self.life, wanted, 0)),
        }
    }

    fn state_range(&self) -> (Vec<u8>, Vec<u8>) {
        let (name, parts) = (&self.head.document, layout::parts(self.state_len as usize));
        let key = |part| layout::state_key(name, self.life, self.generation, part);
        (key(0), key(parts - 1))
    }

    fn scan<T>(
        &self,
        from: &[u8],
        to: &[u8],
        mut each: impl FnMut(&[u8], &[u8]) -> Result<Option<T>, Damage>,
    ) -> Result<Option<T>, Damage> {
        let found = self.epoch.scan(from, to, |key, value| match each(key, value) {
            Ok(None) => ControlFlow::Continue(()),
            Ok(Some(found)) => ControlFlow::Break(Ok(found)),
            Err(damage) => ControlFlow::Break(Err(damage)),
        });
        found.map_err(|Failure(what)| Damage(what))?.transpose()
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

/// A full state that is being written in steps.
struct StateJob {
    document: DocumentName,
    life: u32,
    upto: Sequence,
    state: Bytes,
    summary: Summary,
    reply: Reply<()>,
    generation: u64,
    epoch: Arc<Epoch>,
    part: u32,
}

/// The emptying of the old epoch.
struct Drain {
    documents: Vec<DocumentName>,
    copying: Option<Copying>,
    /// Where the next quarantined row is looked for; `None` once all are copied.
    quarantine: Option<Vec<u8>>,
    /// The same for records beside documents.
    records: Option<Vec<u8>>,
    /// Whether an earlier process may have left parts of copies behind.
    resumed: bool,
    disk_before: u64,
}

/// The settling of what a segment of the log holds.
struct Settling {
    documents: Vec<DocumentName>,
}

/// A document on its way from the old epoch to the young one.
struct Copying {
    entry: Entry,
    /// Keys still to be copied, both ends included.
    ranges: VecDeque<KeyRange>,
}

/// The first and the last key.
type KeyRange = (Vec<u8>, Vec<u8>);

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
    states: VecDeque<StateJob>,
    next_generation: u64,
    live_bytes: u64,
    /// Bytes of records beside documents.
    record_bytes: u64,
    quarantine: QuarantineSize,
    measured: Instant,
    written: u64,
    /// Bytes written to the young epoch since it has been the only one.
    since_rotation: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct QuarantineSize {
    entries: u64,
    bytes: u64,
    next: u64,
}

impl Engine {
    /// Opens what the directory holds, or makes an empty store in it.
    pub(super) fn open(
        directory: Directory,
        config: Config,
        observer: Arc<dyn Observer>,
        free_space: FreeSpace,
    ) -> StoreResult<Self> {
        let begun = Instant::now();
        let Opened { young, old, wal, frames } = open_files(&directory, &config)?;
        let resumed = old.is_some();
        let mut index = Index::new();
        let mut held = HashMap::new();
        // The young epoch last: where both know a document, it is the one that counts.
        for writer in old.iter().chain([&young]) {
            let (heads, besides) = read_heads(writer, directory.path())?;
            held.extend(
                besides.into_iter().map(|(document, value)| (document, (writer.epoch.number(), value))),
            );
            for (document, entry) in heads {
                if let Some(what) = &entry.damaged {
                    tracing::error!(%document, what, "document is damaged, its bytes are kept");
                    observer.damaged(&document);
                }
                index.put(document, Slot { entry, pending: Vec::new() });
            }
        }
        let held = read_held(held, &mut index, &*observer);
        let record_bytes = held.values().map(|held| held.beside.row_bytes).sum();
        let epochs = [&young].into_iter().chain(&old).map(|writer| Arc::clone(&writer.epoch)).collect();
        let next_generation = index.iter().map(|(_, slot)| slot.entry.generation).max().unwrap_or(0) + 1;
        let shared = Arc::new(Shared {
            index: RwLock::new(index),
            beside: RwLock::new(held),
            arriving: RwLock::default(),
            epochs: RwLock::new(epochs),
            failed: RwLock::new(None),
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
            states: VecDeque::new(),
            next_generation,
            live_bytes: 0,
            record_bytes,
            quarantine: QuarantineSize::default(),
            measured: Instant::now(),
            written: 0,
            since_rotation: 0,
        };
        let replayed = frames.len();
        engine.replay(frames)?;
        engine.live_bytes = engine.shared.index.read().iter().map(|(_, slot)| slot.entry.live_bytes()).sum();
        engine.settle_all();
        let settled = engine.shared.writes_work();
        settled.map_err(|error| unopenable(engine.directory.path(), &error.to_string()))?;
        engine.count_quarantine()?;
        engine.measure();
        if resumed {
            engine.begin_drain(true);
        }
        let usage = *engine.shared.usage.read();
        tracing::info!(
            documents = usage.documents,
            replayed, live = usage.live_bytes, disk = usage.disk_bytes,
            took = ?begun.elapsed(), "store opened"
        );
        Ok(engine)
    }

    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    // ---- requests ----

    /// Adds a request to the group. Gives it back if it must wait for the group to be committed.
    pub(super) fn stage(&mut self, group: &mut Group, request: Request) -> Option<Request> {
        match request {
            Request::Append { batch, reply } => {
                let appended = self.append(group, batch);
                group.answer(reply, appended);
            }
            Request::Checkpoint { ref document, .. } if group.staged.contains_key(document) => {
                return Some(request);
            }
            Request::Checkpoint { document, upto, state, summary, reply } => {
                self.checkpoint(group, document, upto, state, summary, reply);
            }
            Request::Create { document, at, reply } => {
                let created = self.create(group, document, at);
                group.answer(reply, created);
            }
            Request::SetPresence { document, presence, reply } => {
                let moved = self.set_presence(group, document, presence);
                group.answer(reply, moved);
            }
            Request::Quarantine { document, what, bytes, at, reply } => {
                let kept = self.quarantine(group, &document, &what, &bytes, at);
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
            Request::Keep { document, at, records, room, reply } => {
                let kept = self.keep(group, document, at, records, room);
                group.answer(reply, kept);
            }
            Request::Forget { ref document, .. } if group.records.concern(document) => return Some(request),
            Request::Forget { document, records, reply } => {
                let forgotten = self.forget(group, document, &records);
                group.answer(reply, forgotten);
            }
            Request::Close { reply } => {
                while let Some(job) = self.states.pop_front() {
                    let _ = job.reply.send(Err(StoreError::Closed));
                }
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
                entry.refuse_damage()?;
                if let Presence::Deleted(_) = entry.head.presence {
                    return Err(StoreError::Missing(append.document.clone()));
                }
            }
        }
        let mut appended = Vec::with_capacity(batch.len());
        for Append { document, updates, summary } in batch {
            let at = updates.first().map_or(Timestamp(0), |update| update.at);
            let known = self.entry(group, &document);
            let mut entry = known.unwrap_or_else(|| self.begin(document.clone(), at, 1));
            let whole = layout::encode_log(&updates);
            let before = group.wal.len();
            let first = Sequence(entry.head.last.0 + 1);
            layout::put_logged(&mut group.wal, &document, entry.life, first.0, &whole, summary.as_ref());
            entry.stale |= summary.as_ref().is_some_and(|summary| *summary != entry.head.summary);
            index::append(&mut entry.head, &updates, summary)?;
            entry.pending_bytes += (group.wal.len() - before) as u64;
            entry.weigh();
            group.updates += updates.len();
            appended.push(Appended { first, count: updates.len() as u64 });
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
                if !matches!(entry.head.presence, Presence::Deleted(_)) {
                    return Ok((entry.head, false));
                }
                self.shared.writable()?;
                Entry { stored: entry.stored, ..Entry::begin(document, at, entry.life + 1, entry.epoch) }
            }
            None => {
                self.shared.writable()?;
                self.begin(document, at, 1)
            }
        };
        let head = entry.head.clone();
        self.stage_heads(group, entry);
        Ok((head, true))
    }

    /// Allowed on a full disk: throwing away is how people make room.
    fn set_presence(
        &mut self,
        group: &mut Group,
        document: DocumentName,
        presence: Presence,
    ) -> StoreResult<Head> {
        let mut entry = self.entry(group, &document).ok_or(StoreError::Missing(document))?;
        entry.refuse_damage()?;
        self.shared.writes_work()?;
        if index::set_presence(&mut entry.head, presence)? {
            if let Presence::Deleted(_) = presence {
                (entry.generation, entry.state_len, entry.state_crc) = (0, 0, 0);
                (entry.log_bytes, entry.settled, entry.pending_bytes) = (0, 0, 0);
                self.forget_all(group, &entry.head.document, entry.life);
            }
            entry.weigh();
            self.stage_heads(group, entry.clone());
        }
        Ok(entry.head)
    }

    fn checkpoint(
        &mut self,
        group: &mut Group,
        document: DocumentName,
        upto: Sequence,
        state: Bytes,
        summary: Summary,
        reply: Reply<()>,
    ) {
        let entry = match self.wants_checkpoint(&document, upto) {
            Ok(Some(entry)) => entry,
            Ok(None) => return group.answer(reply, Ok(())),
            Err(error) => return group.answer(reply, Err(error)),
        };
        let job = StateJob {
            document,
            life: entry.life,
            upto,
            state,
            summary,
            reply,
            generation: self.next_generation,
            epoch: Arc::clone(&self.young.epoch),
            part: 0,
        };
        self.next_generation += 1;
        if job.state.len() > LARGE_STATE {
            self.states.push_back(job);
            return;
        }
        for part in 0..layout::parts(job.state.len()) {
            let row = state_row(&job, part);
            group.row_bytes += row.0.len() + row.1.len();
            group.young.push(row);
        }
        self.finish_state(group, job);
    }

    fn wants_checkpoint(&self, document: &DocumentName, upto: Sequence) -> StoreResult<Option<Entry>> {
        let entry = self.durable(document).ok_or_else(|| StoreError::Missing(document.clone()))?;
        entry.refuse_damage()?;
        if !index::wants_checkpoint(&entry.head, upto)? {
            return Ok(None);
        }
        self.shared.writable()?;
        Ok(Some(entry))
    }

    /// The rows of the state are written or in the group; now the head can speak of them. The document
    /// must not be staged.
    fn finish_state(&mut self, group: &mut Group, job: StateJob) {
        let finish = || -> StoreResult<Option<(Entry, Vec<Row>)>> {
            let Some(entry) = self.wants_checkpoint(&job.document, job.upto)? else { return Ok(None) };
            if entry.life != job.life {
                return Err(StoreError::Missing(job.document.clone()));
            }
            let mut entry = entry;
            entry.head.checkpoint = job.upto;
            let tail = self.tail_rows(&entry).map_err(|damage| self.damaged(&entry, damage))?;
            Ok(Some((entry, tail)))
        };
        let (mut entry, tail) = match finish() {
            Ok(Some(found)) => found,
            Ok(None) => return group.answer(job.reply, Ok(())),
            Err(error) => return group.answer(job.reply, Err(error)),
        };
        entry.log_bytes = tail.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum();
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
    fn tail_rows(&self, entry: &Entry) -> Result<Vec<Row>, Damage> {
        let mut rows = Vec::new();
        if entry.settled > entry.head.checkpoint.0 {
            let to = layout::log_key(&entry.head.document, entry.life, entry.settled, u32::MAX);
            entry.scan::<()>(&entry.tail_start()?, &to, |key, value| {
                rows.push((key.to_vec(), value.to_vec()));
                Ok(None)
            })?;
        }
        Ok(rows)
    }

    fn quarantine(
        &mut self,
        group: &mut Group,
        document: &DocumentName,
        what: &str,
        bytes: &[u8],
        at: Timestamp,
    ) -> StoreResult<()> {
        self.shared.writable()?;
        let held = &mut self.quarantine;
        if held.entries >= QUARANTINE_ENTRIES || held.bytes + bytes.len() as u64 > QUARANTINE_BYTES {
            tracing::warn!(%document, what, bytes = bytes.len(), "quarantine is full, bytes let go");
            return Ok(());
        }
        let whole = layout::encode_quarantine(at, what, bytes);
        for number in 0..layout::parts(whole.len()) {
            let key = layout::quarantine_key(document, held.next, number);
            let value = layout::seal(Kind::Quarantine, &key, &layout::part(&whole, number));
            group.row_bytes += key.len() + value.len();
            held.bytes += value.len() as u64;
            group.young.push((key, value));
        }
        held.entries += 1;
        held.next += 1;
        Ok(())
    }

    fn quarantined(&self, document: &DocumentName) -> StoreResult<Vec<Quarantined>> {
        let from = layout::prefix(Kind::Quarantine, document);
        let to = after(&from);
        // By key, because a row that is being copied is in both epochs.
        let mut rows = BTreeMap::new();
        for writer in self.old.iter().chain([&self.young]) {
            let scanned = writer.epoch.scan::<()>(&from, &to, |key, value| {
                rows.insert(key.to_vec(), value.to_vec());
                ControlFlow::Continue(())
            });
            scanned.map_err(|Failure(what)| StoreError::Damaged { document: document.clone(), what })?;
        }
        let mut parts = Parts::default();
        let mut found = Vec::new();
        for (key, value) in rows {
            let read = || -> Result<Option<Quarantined>, Damage> {
                let Key::Quarantine { part, .. } = layout::parse_key(&key)? else { return Ok(None) };
                let payload = layout::unseal(Kind::Quarantine, &key, &value)?;
                let Some(whole) = parts.add(part, payload)? else { return Ok(None) };
                let (at, what, bytes) = layout::decode_quarantine(&whole)?;
                Ok(Some(Quarantined { document: document.clone(), what, bytes, at }))
            };
            let damaged = |damage: Damage| StoreError::Damaged { document: document.clone(), what: damage.0 };
            let mut read = read;
            found.extend(read().map_err(damaged)?);
        }
        Ok(found)
    }

    fn count_quarantine(&mut self) -> StoreResult<()> {
        let (from, to) = ([Kind::Quarantine as u8], after(&[Kind::Quarantine as u8]));
        let mut size = QuarantineSize::default();
        for writer in self.old.iter().chain([&self.young]) {
            let scanned = writer.epoch.scan::<()>(&from, &to, |key, value| {
                if let Ok(Key::Quarantine { number, part, .. }) = layout::parse_key(key) {
                    size.entries += u64::from(part == 0);
                    size.bytes += value.len() as u64;
                    size.next = size.next.max(number + 1);
                }
                ControlFlow::Continue(())
            });
            scanned.map_err(|Failure(what)| unopenable(self.directory.path(), &what))?;
        }
        self.quarantine = size;
        Ok(())
    }

    /// Reads a document, and remembers if it is damaged.
    fn load(&self, document: &DocumentName) -> StoreResult<Option<Stored>> {
        let Some(slot) = self.shared.index.read().get(document).cloned() else { return Ok(None) };
        slot.entry.refuse_damage()?;
        slot.read().map(Some).map_err(|damage| self.damaged(&slot.entry, damage))
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

    fn begin(&self, document: DocumentName, at: Timestamp, life: u32) -> Entry {
        Entry::begin(document, at, life, Arc::clone(&self.young.epoch))
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
        let outcome = self.write(&mut group).map_err(|Failure(reason)| {
            self.fail(&reason);
            StoreError::Unwritable(reason)
        });
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
        let level = self.config.durability;
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
            writer.epoch.apply(rows)?;
            writer.epoch.flush(level)?;
            writer.epoch.set_mark(writer.tally.commit, level)?;
        }
        if !group.wal.is_empty() {
            self.wal.append(&group.wal).map_err(|error| Failure(wal::reason(&error)))?;
        }
        self.written += group.bytes() as u64;
        self.since_rotation += group.row_bytes as u64;
        Ok(())
    }

    /// The store writes no more. What cannot be known is not promised.
    pub(super) fn fail(&self, reason: &str) {
        let mut failed = self.shared.failed.write();
        if failed.is_none() {
            tracing::error!(reason, "the store cannot write any more; restart weft once the cause is gone");
            self.observer.failed(reason);
            *failed = Some(reason.to_owned());
        }
    }

    // ---- work that can wait ----

    /// Whether [`step`](Self::step) has something to do.
    pub(super) fn is_busy(&self) -> bool {
        self.shared.failed.read().is_none()
            && (!self.states.is_empty() || self.settling.is_some() || self.drain.is_some())
    }

    /// Does about [`STEP_BYTES`] of the work that can wait, and measures from time to time.
    pub(super) fn step(&mut self) {
        if self.shared.failed.read().is_some() {
            while let Some(job) = self.states.pop_front() {
                let _ = job.reply.send(self.shared.writable());
            }
            return self.release_retired();
        }
        let waited = self.wal.since().is_some_and(|since| since.elapsed() >= SETTLE_AFTER);
        if self.settling.is_none() && (waited || self.wal.length() >= SETTLE_BYTES) {
            self.begin_settling();
        }
        if !self.states.is_empty() {
            self.state_step();
        } else if self.settling.is_some() {
            self.settle_step();
        } else {
            self.drain_step();
        }
        self.release_retired();
        if self.written > 0 && (self.written >= MEASURE_BYTES || self.measured.elapsed() >= MEASURE_EVERY) {
            self.measure();
            self.consider_rotation();
        } else if self.measured.elapsed() >= MEASURE_EVERY {
            // Others fill the disk, and empty it, while we are idle.
            self.measure_free();
        }
    }

    fn state_step(&mut self) {
        let Some(mut job) = self.states.pop_front() else { return };
        if !Arc::ptr_eq(&job.epoch, &self.young.epoch) {
            // A rotation overtook it: what was written so far goes away with the old epoch.
            (job.epoch, job.part) = (Arc::clone(&self.young.epoch), 0);
        }
        let all = layout::parts(job.state.len());
        let upto = all.min(job.part + (STEP_BYTES / layout::ROW_BYTES) as u32);
        let rows: Vec<Row> = (job.part..upto).map(|part| state_row(&job, part)).collect();
        let row_bytes: usize = rows.iter().map(|(key, value)| key.len() + value.len()).sum();
        job.part = upto;
        if upto < all {
            self.written += row_bytes as u64;
            self.since_rotation += row_bytes as u64;
            match job.epoch.apply(rows) {
                Ok(()) => self.states.push_front(job),
                Err(Failure(reason)) => {
                    self.fail(&reason);
                    let _ = job.reply.send(Err(StoreError::Unwritable(reason)));
                }
            }
        } else {
            let mut group = Group { young: rows, row_bytes, ..Group::default() };
            self.finish_state(&mut group, job);
            self.commit(group);
        }
    }

    /// Goes on in a new segment of the log, and settles what the present one holds.
    pub(super) fn begin_settling(&mut self) {
        match self.wal.rotate() {
            Ok(()) => self.settling = Some(Settling { documents: self.unsettled.drain().collect() }),
            Err(error) => self.fail(&wal::reason(&error)),
        }
    }

    fn settle_step(&mut self) {
        let Some(mut settling) = self.settling.take() else { return };
        let mut group = Group::default();
        while group.row_bytes < STEP_BYTES
            && let Some(document) = settling.documents.pop()
        {
            self.settle(&mut group, &document);
        }
        self.commit(group);
        if !settling.documents.is_empty() {
            self.settling = Some(settling);
        } else if self.shared.failed.read().is_none() {
            // Whatever the level: the only other copy is about to go.
            let durable = self.epochs().try_for_each(|epoch| epoch.flush(Durability::Disk));
            let forgotten = durable
                .and_then(|()| self.wal.forget_settled().map_err(|error| Failure(wal::reason(&error))));
            if let Err(Failure(reason)) = forgotten {
                self.fail(&reason);
            }
        }
    }

    /// Writes the pending updates of a document as one row.
    fn settle(&mut self, group: &mut Group, document: &DocumentName) {
        let slot = self.shared.index.read().get(document).cloned();
        let Some(Slot { mut entry, pending }) = slot else { return };
        if pending.is_empty() && !entry.stale {
            return;
        }
        if !entry.stored {
            entry.epoch = Arc::clone(&self.young.epoch);
        }
        if !pending.is_empty() {
            let rows = log_rows(document, entry.life, entry.settled + 1, &layout::encode_log(&pending));
            entry.log_bytes += rows.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum::<u64>();
            for row in rows {
                self.push(group, &entry, row);
            }
        }
        entry.settled = entry.head.last.0;
        entry.pending_bytes = 0;
        entry.weigh();
        self.stage_heads(group, entry);
    }

    /// Settles everything there is, at once.
    pub(super) fn settle_all(&mut self) {
        while self.settling.is_some() && self.shared.failed.read().is_none() {
            self.settle_step();
        }
        self.begin_settling();
        while self.settling.is_some() && self.shared.failed.read().is_none() {
            self.settle_step();
        }
    }

    /// Takes what the log held as if it had just been appended.
    fn replay(&mut self, frames: Vec<Bytes>) -> StoreResult<()> {
        let path = self.directory.path();
        let unreadable = |damage: Damage| unopenable(path, &format!("its write-ahead log: {damage}"));
        let mut unplaced = Vec::new();
        let shared = Arc::clone(&self.shared);
        let mut index = shared.index.write();
        for frame in frames {
            for logged in layout::decode_frame(&frame).map_err(unreadable)? {
                let updates = layout::decode_log(&logged.entry).map_err(unreadable)?;
                let name = logged.name.clone();
                index.change(name.clone(), |slot| {
                    let slot = slot.unwrap_or_else(|| {
                        let at = updates.first().map_or(Timestamp(0), |update| update.at);
                        let entry = Entry::begin(name.clone(), at, 1, Arc::clone(&self.young.epoch));
                        Slot { entry, pending: Vec::new() }
                    });
                    replay_one(slot, logged, updates, &mut unplaced)
                });
                self.unsettled.insert(name);
            }
        }
        drop(index);
        if !unplaced.is_empty() {
            let kept = self.young.epoch.apply(unplaced);
            kept.map_err(|Failure(what)| unopenable(path, &what))?;
        }
        Ok(())
    }

    /// Sizes as they are now.
    pub(super) fn measure(&mut self) {
        let epochs = self.old.iter().chain([&self.young]).map(|writer| &writer.epoch).chain(&self.retired);
        let disk_bytes =
            epochs.map(|epoch| disk_bytes(epoch.path())).sum::<u64>() + self.directory.log_bytes();
        let documents = self.shared.index.read().shelved() as u64;
        {
            let mut usage = self.shared.usage.write();
            usage.disk_bytes = disk_bytes;
            usage.live_bytes = self.live_bytes + self.record_bytes + self.quarantine.bytes;
            usage.documents = documents;
        }
        self.written = 0;
        self.measure_free();
    }

    fn measure_free(&mut self) {
        let free = (self.free_space)(self.directory.path());
        if let Err(error) = &free {
            tracing::warn!(%error, "free space of the disk cannot be measured");
        }
        self.shared.usage.write().free_bytes = free.ok();
        self.measured = Instant::now();
    }

    fn consider_rotation(&mut self) {
        let Usage { live_bytes, disk_bytes, free_bytes, .. } = *self.shared.usage.read();
        let slack = self.config.slack_bytes;
        // What has been written since the last rotation bounds what is dead, whatever sled makes of it;
        // without it, a store that sled blows up from the start would rotate for ever.
        let dead = disk_bytes > 2 * live_bytes + slack && self.since_rotation > slack.max(live_bytes) / 2;
        // The copy needs room, and may not be what fills the disk.
        let room = free_bytes.is_none_or(|free| free > self.config.min_free_bytes / 2 + 2 * live_bytes);
        if self.old.is_none() && self.retired.is_empty() && dead && room {
            self.rotate();
        }
    }

    /// Begins a fresh epoch; the present one becomes the old one.
    pub(super) fn rotate(&mut self) {
        let number = self.young.epoch.number() + 1;
        let fresh = Epoch::create(&self.directory.epoch(number), number, self.config.cache_bytes);
        let switched = fresh.and_then(|epoch| {
            let current = self.directory.set_current(number, Some(number - 1), true);
            current.map_err(|error| Failure(format!("CURRENT cannot be written: {error}")))?;
            Ok(Arc::new(epoch))
        });
        match switched {
            Ok(epoch) => {
                let young = Writer { epoch, tally: Tally::EMPTY };
                self.old = Some(std::mem::replace(&mut self.young, young));
                self.share_epochs();
                self.begin_drain(false);
            }
            Err(Failure(reason)) => self.fail(&reason),
        }
    }

    /// Says where records are to be looked for.
    fn share_epochs(&self) {
        let epochs = [&self.young].into_iter().chain(&self.old);
        *self.shared.epochs.write() = epochs.map(|writer| Arc::clone(&writer.epoch)).collect();
    }

    fn begin_drain(&mut self, resumed: bool) {
        let young = self.young.epoch.number();
        let index = self.shared.index.read();
        let stays = |slot: &Slot| slot.entry.epoch.number() != young;
        let documents = index.iter().filter(|(_, slot)| stays(slot)).map(|(name, _)| name.clone()).collect();
        let disk_before = self.shared.usage.read().disk_bytes;
        let quarantine = Some(vec![Kind::Quarantine as u8]);
        let records = Some(vec![Kind::Record as u8]);
        self.drain = Some(Drain { documents, copying: None, quarantine, records, resumed, disk_before });
    }

    /// Copies about [`STEP_BYTES`] from the old epoch to the young one.
    fn drain_step(&mut self) {
        let (Some(mut drain), Some(old)) = (self.drain.take(), &self.old) else { return };
        let old = Arc::clone(&old.epoch);
        let mut group = Group::default();
        let done = match self.copy(&mut drain, &old, &mut group) {
            Ok(done) => done,
            Err(Failure(reason)) => return self.fail(&reason),
        };
        drop(old);
        self.commit(group);
        if self.shared.failed.read().is_some() {
            return;
        }
        if done {
            self.finish_drain(drain.disk_before);
        } else {
            self.drain = Some(drain);
        }
    }

    /// Whether all is copied, once the group is committed.
    fn copy(&self, drain: &mut Drain, old: &Arc<Epoch>, group: &mut Group) -> Result<bool, Failure> {
        while group.row_bytes < STEP_BYTES {
            let Some(mut copying) = self.next_copy(drain, old)? else { break };
            while let Some((from, to)) = copying.ranges.pop_front() {
                if let Some(rest) = copy_range(old, from, &to, group)? {
                    copying.ranges.push_front((rest, to));
                    drain.copying = Some(copying);
                    return Ok(false);
                }
            }
            let document = copying.entry.head.document.clone();
            // Appends may have come since the copy began.
            let Some(mut entry) = self.durable(&document) else { continue };
            entry.epoch = Arc::clone(&self.young.epoch);
            if entry.damaged.is_none() {
                group.arrived += u64::from(entry.stored);
                self.stage_heads(group, entry);
            } else {
                // Its head rows were copied as they are. What is wrong with most of them will be found
                // again; that one may be too old would not, so the tally goes on missing it.
                let (meta, end) =
                    (old.get(&layout::meta_key(&document))?, old.get(&layout::end_key(&document))?);
                entry.fingerprint = HeadRows { meta, end }.fingerprint();
                if entry.damaged.as_deref() != Some(SUSPECT) {
                    self.tally(group, &entry);
                }
                group.arrived += 1;
                group.entry(entry);
            }
        }
        if drain.copying.is_some() || !drain.documents.is_empty() {
            return Ok(false);
        }
        if let Some(from) = drain.quarantine.take() {
            drain.quarantine = copy_range(old, from, &after(&[Kind::Quarantine as u8]), group)?;
        }
        if drain.quarantine.is_some() {
            return Ok(false);
        }
        if let Some(from) = drain.records.take() {
            drain.records = self.copy_records(old, from, group)?;
        }
        if drain.records.is_some() {
            return Ok(false);
        }
        self.copy_beside(old, group)
    }

    /// The document under way if it still is as it was, else the next one.
    fn next_copy(&self, drain: &mut Drain, old: &Arc<Epoch>) -> Result<Option<Copying>, Failure> {
        let mut again = None;
        if let Some(copying) = drain.copying.take() {
            let now = self.durable(&copying.entry.head.document);
            if now.is_some_and(|now| now.same_rows(&copying.entry)) {
                return Ok(Some(copying));
            }
            again = Some(copying.entry.head.document);
        }
        while let Some(document) = again.take().or_else(|| drain.documents.pop()) {
            let entry = self.durable(&document);
            let Some(entry) = entry.filter(|entry| entry.epoch.number() == old.number()) else { continue };
            if drain.resumed {
                for kind in [Kind::Log, Kind::State] {
                    let prefix = layout::prefix(kind, &document);
                    self.young.epoch.clear(&prefix, &after(&prefix))?;
                }
            }
            match live_ranges(&entry) {
                Ok(ranges) => return Ok(Some(Copying { entry, ranges })),
                Err(damage) => {
                    self.damaged(&entry, damage);
                    again = Some(document); // and now as a damaged one
                }
            }
        }
        Ok(None)
    }

    fn finish_drain(&mut self, disk_before: u64) {
        let young = &self.young.epoch;
        // Whatever the level: the only other copy is about to go.
        let durable = young.flush(Durability::Disk).and_then(|()| {
            let current = self.directory.set_current(young.number(), None, true);
            current.map_err(|error| Failure(format!("CURRENT cannot be written: {error}")))
        });
        if let Err(Failure(reason)) = durable {
            return self.fail(&reason);
        }
        self.retired.extend(self.old.take().map(|old| old.epoch));
        self.share_epochs();
        self.release_retired();
        self.measure();
        self.since_rotation = 0;
        let after = self.shared.usage.read().disk_bytes;
        tracing::info!(epoch = self.young.epoch.number(), before = disk_before, after, "store rotated");
        self.observer.rotated(disk_before, after);
    }

    /// Removes emptied epochs that no reader holds any more.
    fn release_retired(&mut self) {
        for epoch in std::mem::take(&mut self.retired) {
            let number = epoch.number();
            match Arc::try_unwrap(epoch) {
                Ok(epoch) => {
                    drop(epoch);
                    self.directory.remove(number);
                }
                Err(epoch) => self.retired.push(epoch),
            }
        }
    }

    /// The epochs in use, the old one first.
    pub(super) fn epochs(&self) -> impl Iterator<Item = &Arc<Epoch>> {
        self.old.iter().chain([&self.young]).map(|writer| &writer.epoch)
    }
}

/// What a slot becomes by an append that the log held. What has no place is kept as rows of its own.
fn replay_one(
    mut slot: Slot,
    logged: layout::Logged,
    updates: Vec<LoggedUpdate>,
    unplaced: &mut Vec<Row>,
) -> Slot {
    let layout::Logged { name, life, first, entry: whole, summary } = logged;
    let entry = &mut slot.entry;
    let deleted = matches!(entry.head.presence, Presence::Deleted(_));
    if entry.damaged.is_none() && (deleted || life < entry.life) {
        return slot; // its life ended after the append
    }
    let last = entry.head.last.0;
    if entry.damaged.is_none() && (first > last + 1 || life > entry.life) {
        let what = format!("updates {} to {} are missing", last + 1, first.saturating_sub(1));
        tracing::error!(document = %name, what, "document is damaged, its bytes are kept");
        entry.damaged = Some(what);
        entry.stale = true;
    }
    if entry.damaged.is_some() {
        if entry.stale {
            // So that the gap is found again at the next start, when the log is gone.
            let end = first.saturating_sub(1) + updates.len() as u64;
            entry.head.last = entry.head.last.max(Sequence(end));
            entry.settled = entry.head.last.0;
        }
        unplaced.extend(log_rows(&name, life, first, &whole));
        return slot;
    }
    let known = (last + 1 - first) as usize;
    if known < updates.len() {
        let fresh: Vec<_> = updates.into_iter().skip(known).collect();
        entry.stale |= summary.as_ref().is_some_and(|summary| *summary != entry.head.summary);
        // Cannot fail: it is not deleted.
        let _ = index::append(&mut entry.head, &fresh, summary);
        entry.pending_bytes += whole.len() as u64;
        entry.weigh();
        slot.pending.extend(fresh);
    }
    slot
}

fn log_rows(document: &DocumentName, life: u32, first: u64, whole: &[u8]) -> Vec<Row> {
    let row = |part| {
        let key = layout::log_key(document, life, first, part);
        let value = layout::seal(Kind::Log, &key, &layout::part(whole, part));
        (key, value)
    };
    (0..layout::parts(whole.len())).map(row).collect()
}

fn state_row(job: &StateJob, part: u32) -> Row {
    let key = layout::state_key(&job.document, job.life, job.generation, part);
    let value = layout::seal(Kind::State, &key, &layout::part(&job.state, part));
    (key, value)
}

/// What has to be copied of a document. Of a damaged one, everything there is.
fn live_ranges(entry: &Entry) -> Result<VecDeque<KeyRange>, Damage> {
    let name = &entry.head.document;
    if entry.damaged.is_some() {
        let all = |kind| {
            let prefix = layout::prefix(kind, name);
            let to = after(&prefix);
            (prefix, to)
        };
        return Ok([Kind::Log, Kind::State, Kind::Meta, Kind::End].map(all).into());
    }
    let mut ranges = VecDeque::new();
    if entry.generation > 0 {
        ranges.push_back(entry.state_range());
    }
    if !matches!(entry.head.presence, Presence::Deleted(_)) {
        // Open at its end, for appends that come while it is being copied.
        ranges.push_back((entry.tail_start()?, layout::log_key(name, entry.life, u64::MAX, u32::MAX)));
    }
    Ok(ranges)
}

/// Copies rows until the group is full; gives where to go on, if there may be more.
fn copy_range(old: &Epoch, from: Vec<u8>, to: &[u8], group: &mut Group) -> Result<Option<Vec<u8>>, Failure> {
    old.scan(&from, to, |key, value| {
        if group.row_bytes >= STEP_BYTES {
            return ControlFlow::Break(key.to_vec());
        }
        group.row_bytes += key.len() + value.len();
        group.young.push((key.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    })
}

/// A key after all keys that begin with `prefix`: what follows a prefix is never this long or this high.
fn after(prefix: &[u8]) -> Vec<u8> {
    [prefix, &[0xff; 20]].concat()
}

/// Everything that is open when a store is.
struct Opened {
    young: Writer,
    old: Option<Writer>,
    wal: Wal,
    /// What the log held.
    frames: Vec<Bytes>,
}

fn open_files(directory: &Directory, config: &Config) -> StoreResult<Opened> {
    let path = directory.path();
    let failed = |what: String| unopenable(path, &what);
    let Some(current) = directory.current()?.filter(|current| current.ready) else {
        // Nothing was ever stored here.
        let begin = || -> Result<Opened, Failure> {
            let io = |error: std::io::Error| Failure(error.to_string());
            directory.set_current(1, None, false).map_err(io)?;
            for left in directory.epochs().map_err(io)? {
                directory.remove(left);
            }
            let epoch = Arc::new(Epoch::create(&directory.epoch(1), 1, config.cache_bytes)?);
            let wal = Wal::create(path, config.durability).map_err(io)?;
            directory.set_current(1, None, true).map_err(io)?;
            let young = Writer { epoch, tally: Tally::EMPTY };
            Ok(Opened { young, old: None, wal, frames: Vec::new() })
        };
        return begin().map_err(|Failure(what)| failed(what));
    };
    for left in directory.epochs().map_err(|error| failed(error.to_string()))? {
        if left != current.young && Some(left) != current.old {
            directory.remove(left);
        }
    }
    let open = |number: u64| {
        let (epoch, found) = Epoch::open(&directory.epoch(number), number, config.cache_bytes)?;
        report_loss("the database", found.lost);
        Ok(Writer { epoch: Arc::new(epoch), tally: found.tally })
    };
    let old = current.old.map(open).transpose()?;
    let young = open(current.young)?;
    let replay = Wal::replay(path)?;
    replay.refuse_loss(path)?;
    report_loss("the write-ahead log", replay.lost);
    let wal = Wal::resume(path, config.durability, &replay).map_err(|error| wal::unopened(path, &error))?;
    Ok(Opened { young, old, wal, frames: replay.frames })
}

fn report_loss(place: &str, commits: u64) {
    if commits > 0 {
        tracing::error!(
            place,
            commits,
            "the machine was restarted and the last commits are gone, as durability `kill` allows"
        );
    }
}

type Heads = HashMap<DocumentName, Entry>;
/// Rows that count what is beside documents, as they were found.
type Besides = HashMap<DocumentName, Vec<u8>>;

/// The documents of an epoch, by their head rows, and what it counts beside documents.
fn read_heads(writer: &Writer, path: &std::path::Path) -> StoreResult<(Heads, Besides)> {
    let failed = |Failure(what): Failure| unopenable(path, &what);
    let (heads, mut nameless) = writer.epoch.heads().map_err(failed)?;
    let (besides, nameless_too) = writer.epoch.besides().map_err(failed)?;
    nameless += nameless_too;
    let (found, counted) = (heads.len() as u64, writer.tally.documents);
    if nameless > 0 || found < counted {
        let what = format!(
            "it holds {counted} documents by its own count, but only {found} were found. Restore the directory \
             from a backup, or make do with what is there: `weft check --accept-loss`"
        );
        return Err(unopenable(path, &what));
    }
    let mut sums = [0u64; layout::BUCKETS];
    for (name, rows) in &heads {
        let sum = &mut sums[Tally::bucket(name)];
        *sum = sum.wrapping_add(rows.fingerprint());
    }
    for (name, value) in &besides {
        let sum = &mut sums[Tally::bucket(name)];
        *sum = sum.wrapping_add(layout::beside_fingerprint(value));
    }
    let restore = |(name, rows): (DocumentName, HeadRows)| {
        let meta = rows
            .meta
            .as_deref()
            .map(|value| layout::unseal(Kind::Meta, &layout::meta_key(&name), value).and_then(Meta::decode));
        let end = rows
            .end
            .as_deref()
            .map(|value| layout::unseal(Kind::End, &layout::end_key(&name), value).and_then(End::decode));
        let mut entry = Entry::restore(&name, meta, end, Arc::clone(&writer.epoch));
        entry.fingerprint = rows.fingerprint();
        let bucket = Tally::bucket(&name);
        if entry.damaged.is_none() && sums[bucket] != writer.tally.heads[bucket] {
            entry.damaged = Some(SUSPECT.into());
        }
        (name, entry)
    };
    Ok((heads.into_iter().map(restore).collect(), besides))
}

/// What is counted beside documents. What cannot be read makes its document a damaged one.
fn read_held(
    rows: HashMap<DocumentName, (u64, Vec<u8>)>,
    index: &mut Index<Slot>,
    observer: &dyn Observer,
) -> HashMap<DocumentName, Held> {
    let mut held = HashMap::with_capacity(rows.len());
    for (document, (epoch, value)) in rows {
        let fingerprint = layout::beside_fingerprint(&value);
        let payload = layout::unseal(Kind::Beside, &layout::beside_key(&document), &value);
        let beside = payload.and_then(Beside::decode).unwrap_or_else(|damage| {
            let what = format!("what is kept beside it: {damage}");
            if let Some(slot) = index.get(&document).cloned().filter(|slot| slot.entry.damaged.is_none()) {
                tracing::error!(%document, what, "document is damaged, its bytes are kept");
                observer.damaged(&document);
                let entry = Entry { damaged: Some(what), ..slot.entry };
                index.put(document.clone(), Slot { entry, ..slot });
            }
            Beside::nothing(NO_LIFE)
        });
        held.insert(document, Held { beside, epoch, fingerprint });
    }
    held
}

/// What is said of a document whose head rows may be older than those written last.
const SUSPECT: &str = "the database lost something of this document or of one counted with it, so it may be \
                       an older version; `weft check --accept-loss` makes do with what is there";
