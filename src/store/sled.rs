//! The embedded store: group commit and bounded space on top of sled.
//!
//! One storage thread writes, two reader threads read, and lists and heads are answered from memory by
//! whoever asks. Nothing touches the disk on a caller's thread.
//!
//! ```text
//! append ──► room (bytes, bounded: full = the future waits) ──► storage thread
//!             gather up to group_ms or group_bytes → one frame of the log → index → answers
//!             every few seconds: what the log holds → rows of sled, many updates of a document in each
//!             longer than a megabyte: rows at once, a megabyte between two groups (engine/large.rs)
//! load ────► room (1,024 loads) ──► reader threads ──► (what looks damaged is asked again of the storage thread,
//!                                   which knows whether it was only just replaced)
//! ```
//!
//! `sled/engine.rs` decides, `sled/wal.rs` is the write-ahead log, `sled/epoch.rs` rows (`sled/rows.rs`) and
//! the sled database that knows where they are (`sled/places.rs`), `sled/directory.rs` the files around them,
//! `sled/offline.rs` what one does with a store that nobody serves, `sled/repair.rs` what one does when it is
//! damaged.
//!
//! After any error of the disk nothing is written until the files have been opened again and read from their
//! beginning, as a restart would, which is tried with growing pauses (`sled/engine/recovery.rs`). What was
//! acknowledged is safe meanwhile, what was not is unknown, and nobody is told otherwise. Reading goes on.

mod directory;
mod disk;
mod engine;
mod epoch;
mod frame;
mod inline;
mod mark;
mod offline;
mod places;
mod repair;
mod rows;
#[cfg(test)]
mod tests;
mod wal;

use std::{
    fmt,
    future::ready,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle, Thread},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use uuid::Uuid;

use self::engine::{Engine, Group, Reply, Request, Shared, Unreadable};
pub use self::{
    offline::{Report, Vacuumed, Verify, check, vacuum},
    repair::{Mend, Repaired, repair},
};
use super::{
    Append, Appended, Collection, Config, Cursor, Durability, Head, Kept, Life, Observer, Page, Quarantined,
    Quota, Record, Sequence, Shelf, Standing, Store, StoreError, StoreResult, Stored, Summary, Usage,
    index::Indexed,
};
use crate::ids::{DocumentName, Timestamp};

/// How free space is measured: given a path, bytes free on its disk.
pub type FreeSpace = Box<dyn Fn(&Path) -> io::Result<u64> + Send>;

/// Loads that may wait at a time; more wait for room.
const WAITING_LOADS: usize = 1024;
/// Two, so that one huge document does not keep everybody else waiting.
const READERS: usize = 2;
/// What a request weighs in the queue beside its bytes.
const REQUEST_BYTES: usize = 256;

/// A [`Store`] in one directory of this machine. See [`Config`] for its settings.
pub struct SledStore {
    shared: Arc<Shared>,
    durability: Durability,
    closed: AtomicBool,
    room: Arc<Semaphore>,
    room_bytes: usize,
    group_bytes: usize,
    requests: mpsc::Sender<Queued>,
    hurry: Hurry,
    load_room: Arc<Semaphore>,
    // None once the store is closed: readers end when nobody can ask them any more. Shared with the futures
    // of loads, which must not keep the readers alive.
    loads: Arc<Mutex<Option<mpsc::Sender<Load>>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// A request and the room it takes until it is done.
struct Queued {
    request: Request,
    _room: Option<OwnedSemaphorePermit>,
}

/// What a reader thread is asked.
struct Load {
    what: Wanted,
    _room: OwnedSemaphorePermit,
}

enum Wanted {
    Document {
        document: DocumentName,
        reply: Reply<Option<Stored>>,
    },
    Record {
        document: DocumentName,
        collection: Collection,
        key: Uuid,
        reply: Reply<Option<Bytes>>,
    },
    Records {
        document: DocumentName,
        collection: Collection,
        before: Option<Uuid>,
        limit: usize,
        reply: Reply<Vec<Record>>,
    },
}

impl SledStore {
    /// Opens the store in `config.data`, or makes one. Blocks while it recovers sled's log and reads the
    /// heads of all documents. [`StoreError::Unopenable`] says what a person can do about it.
    pub fn open(config: Config, observer: Arc<dyn Observer>) -> StoreResult<Self> {
        Self::open_with(config, observer, Box::new(directory::free_bytes))
    }

    /// Like [`open`](Self::open), with another way to measure free space.
    pub fn open_with(
        config: Config,
        observer: Arc<dyn Observer>,
        free_space: FreeSpace,
    ) -> StoreResult<Self> {
        let directory = directory::Directory::take(&config.data)?;
        let engine = Engine::open(directory, config.clone(), observer, free_space)?;
        let shared = engine.shared();
        let (requests, queue) = mpsc::channel();
        let (loads, load_queue) = mpsc::channel();
        let load_queue = Arc::new(Mutex::new(load_queue));
        let mut threads = Vec::new();
        let group = GroupLimits {
            every: Duration::from_millis(config.group_ms),
            unawaited: Duration::from_millis(config.unawaited_group_ms.max(config.group_ms)),
            bytes: config.group_bytes,
        };
        let awaited = Arc::new(AtomicBool::new(false));
        let is_awaited = awaited.clone();
        let writer = spawn("weft-store", move || write_until_closed(engine, &queue, group, &is_awaited))?;
        let hurry = Hurry { awaited, writer: writer.thread().clone() };
        threads.push(writer);
        for _ in 0..READERS {
            let (shared, queue, requests) = (Arc::clone(&shared), Arc::clone(&load_queue), requests.clone());
            threads.push(spawn("weft-read", move || read_until_closed(&shared, &queue, &requests))?);
        }
        let room_bytes = config.queue_bytes.clamp(REQUEST_BYTES, u32::MAX as usize);
        Ok(Self {
            shared,
            durability: config.durability,
            closed: AtomicBool::new(false),
            room: Arc::new(Semaphore::new(room_bytes)),
            room_bytes,
            group_bytes: config.group_bytes,
            requests,
            hurry,
            load_room: Arc::new(Semaphore::new(WAITING_LOADS)),
            loads: Arc::new(Mutex::new(Some(loads))),
            threads: Mutex::new(threads),
        })
    }

    /// Hands a request to the storage thread: at once if there is room, else when the future is polled
    /// and room has come.
    fn ask<T: Send + 'static>(
        &self,
        bytes: usize,
        request: impl FnOnce(Reply<T>) -> Request,
    ) -> BoxFuture<'static, StoreResult<T>> {
        if self.closed.load(Ordering::Acquire) {
            return Box::pin(ready(Err(StoreError::Closed)));
        }
        let (reply, answer) = oneshot::channel();
        let request = request(reply);
        let weight = (bytes + REQUEST_BYTES).min(self.room_bytes) as u32;
        let requests = self.requests.clone();
        let send = move |room, request| {
            // A storage thread that is gone drops the reply, which `answered` turns into an error.
            let _ = requests.send(Queued { request, _room: room });
        };
        let is_unawaited = matches!(request, Request::Append { .. });
        match Arc::clone(&self.room).try_acquire_many_owned(weight) {
            Ok(room) => {
                send(Some(room), request);
                // Of what nobody waits for, a whole group waits by now.
                let is_group = self.room.available_permits() + self.group_bytes < self.room_bytes;
                if !is_unawaited || is_group {
                    self.hurry.set();
                }
                Box::pin(answered(answer))
            }
            Err(_) => {
                // What fills the queue is to make room; and then it is this one's turn.
                self.hurry.set();
                let hurry = self.hurry.clone();
                let room = Arc::clone(&self.room);
                Box::pin(async move {
                    let room = room.acquire_many_owned(weight).await.map_err(|_| StoreError::Closed)?;
                    send(Some(room), request);
                    hurry.set();
                    answered(answer).await
                })
            }
        }
    }

    /// Hands a question to the reader threads once there is room.
    fn read<T: Send + 'static>(
        &self,
        wanted: impl FnOnce(Reply<T>) -> Wanted + Send + 'static,
    ) -> BoxFuture<'static, StoreResult<T>> {
        let (room, loads) = (Arc::clone(&self.load_room), Arc::clone(&self.loads));
        Box::pin(async move {
            let room = room.acquire_owned().await.map_err(|_| StoreError::Closed)?;
            let (reply, answer) = oneshot::channel();
            let load = Load { what: wanted(reply), _room: room };
            // What cannot be sent any more is dropped before it is waited for, and so answered as closed.
            match loads.lock().as_ref() {
                Some(loads) => drop(loads.send(load)),
                None => drop(load),
            }
            answered(answer).await
        })
    }

    fn shut(&self) -> BoxFuture<'static, StoreResult<()>> {
        if self.closed.swap(true, Ordering::AcqRel) {
            return Box::pin(ready(Err(StoreError::Closed)));
        }
        self.room.close();
        self.load_room.close();
        self.loads.lock().take();
        let (reply, answer) = oneshot::channel();
        let _ = self.requests.send(Queued { request: Request::Close { reply }, _room: None });
        self.hurry.set();
        Box::pin(answered(answer))
    }
}

async fn answered<T>(answer: oneshot::Receiver<StoreResult<T>>) -> StoreResult<T> {
    answer.await.unwrap_or(Err(StoreError::Closed))
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> StoreResult<JoinHandle<()>> {
    let thread = thread::Builder::new().name(name.into()).spawn(work);
    thread.map_err(|error| StoreError::Unopenable(format!("no thread for the store: {error}")))
}

#[derive(Clone, Copy)]
struct GroupLimits {
    every: Duration,
    /// The same while nobody waits.
    unawaited: Duration,
    bytes: usize,
}

/// Tells the storage thread that somebody waits.
#[derive(Clone, Debug)]
struct Hurry {
    awaited: Arc<AtomicBool>,
    writer: Thread,
}

impl Hurry {
    /// Whoever is waited for has been handed over before.
    fn set(&self) {
        if !self.awaited.swap(true, Ordering::AcqRel) {
            self.writer.unpark();
        }
    }
}

/// The storage thread.
fn write_until_closed(
    mut engine: Engine,
    queue: &mpsc::Receiver<Queued>,
    limits: GroupLimits,
    awaited: &AtomicBool,
) {
    let mut pending = None;
    let mut last = None;
    let shared = engine.shared();
    loop {
        shared.set_turn(false);
        let turn = catch_unwind(AssertUnwindSafe(|| {
            let first = match pending.take() {
                Some(queued) => Some(queued),
                None if engine.is_busy() => queue.try_recv().ok(),
                None => queue.recv_timeout(engine.patience()).ok(),
            };
            shared.set_turn(true);
            if let Some(first) = first
                && commit_group(&mut engine, first, queue, (limits, awaited), &mut last, &mut pending)
            {
                return true;
            }
            shared.set_turn(true);
            engine.step();
            false
        }));
        match turn {
            Ok(false) => {}
            // Requests still queued are dropped with the queue, and answered as closed. The engine, and with
            // it the lock of the directory, goes with this function.
            Ok(true) => return,
            // Whatever it left half done is forgotten when the files are opened again.
            Err(_) => engine.fail("the storage thread panicked"),
        }
    }
}

/// Gathers one group behind `first` and commits it. Whether the store is to be closed.
fn commit_group(
    engine: &mut Engine,
    first: Queued,
    queue: &mpsc::Receiver<Queued>,
    (limits, awaited): (GroupLimits, &AtomicBool),
    last: &mut Option<Instant>,
    pending: &mut Option<Queued>,
) -> bool {
    // Commits are so far apart, so the first one after a pause goes at once. Sleeping rather than
    // waiting on the queue: else every append would wake this thread only to put it back to sleep.
    if let Some(last) = *last
        && !engine.is_busy()
    {
        loop {
            let apart = if awaited.load(Ordering::Acquire) { limits.every } else { limits.unawaited };
            let wait = apart.saturating_sub(last.elapsed());
            if wait.is_zero() {
                break;
            }
            thread::park_timeout(wait);
        }
    }
    *last = Some(Instant::now());
    // Before the queue is looked at: what is waited for was put there before that was said.
    awaited.store(false, Ordering::Release);
    let mut group = Group::default();
    let mut rooms = Vec::new();
    let mut closing = false;
    let mut next = Some(first);
    while let Some(Queued { request, _room: room }) = next.take() {
        let closes = matches!(request, Request::Close { .. });
        if let Some(request) = engine.stage(&mut group, request) {
            *pending = Some(Queued { request, _room: room });
            awaited.store(true, Ordering::Release);
            break;
        }
        closing |= closes;
        rooms.push(room);
        if closing || group.bytes() >= limits.bytes {
            // More may wait, and whoever waits for it has said so.
            awaited.store(true, Ordering::Release);
            break;
        }
        next = queue.try_recv().ok();
    }
    engine.commit(group);
    if closing {
        engine.settle_all(); // so that the next start has nothing to replay
    }
    closing
}

/// A reader thread.
fn read_until_closed(shared: &Shared, queue: &Mutex<mpsc::Receiver<Load>>, requests: &mpsc::Sender<Queued>) {
    loop {
        // One reader waits on the queue, the other one for this lock; held until a load comes.
        let received = queue.lock().recv();
        let Ok(Load { what, _room }) = received else { return };
        let (document, reply) = match what {
            Wanted::Document { document, reply } => (document, reply),
            // A panic drops the reply, and is answered as closed.
            Wanted::Record { document, collection, key, reply } => {
                let read = || shared.record(&document, collection, key);
                let _ = catch_unwind(AssertUnwindSafe(read)).map(|answer| reply.send(answer));
                continue;
            }
            Wanted::Records { document, collection, before, limit, reply } => {
                let read = || shared.records(&document, collection, before, limit);
                let _ = catch_unwind(AssertUnwindSafe(read)).map(|answer| reply.send(answer));
                continue;
            }
        };
        let read = catch_unwind(AssertUnwindSafe(|| {
            let slot = shared.index.read().get(&document).cloned();
            let Some(slot) = slot else { return Some(Ok(None)) };
            if let Err(damaged) = slot.entry.refuse_damage() {
                return Some(Err(damaged));
            }
            match slot.read() {
                Ok(stored) => Some(Ok(Some(stored))),
                Err(Unreadable::Disk(what)) => Some(Err(StoreError::Unreadable(what))),
                Err(Unreadable::Damage(_)) => None,
            }
        }));
        match read.ok().flatten() {
            Some(answer) => {
                let _ = reply.send(answer);
            }
            // Damaged, or replaced while it was read: the storage thread knows.
            None => {
                let _ = requests.send(Queued { request: Request::Load { document, reply }, _room: None });
            }
        }
    }
}

impl Store for SledStore {
    fn append(&self, batch: Vec<Append>) -> BoxFuture<'static, StoreResult<Vec<Appended>>> {
        let updates = batch.iter().flat_map(|append| &append.updates);
        let bytes = updates.map(|update| update.bytes.len() + 32).sum();
        self.ask(bytes, |reply| Request::Append { batch, reply })
    }

    fn hurry(&self) {
        self.hurry.set();
    }

    fn load(&self, document: DocumentName) -> BoxFuture<'static, StoreResult<Option<Stored>>> {
        self.read(|reply| Wanted::Document { document, reply })
    }

    fn heads(&self, documents: Vec<DocumentName>) -> BoxFuture<'static, StoreResult<Vec<Option<Head>>>> {
        if self.closed.load(Ordering::Acquire) {
            return Box::pin(ready(Err(StoreError::Closed)));
        }
        let index = self.shared.index.read();
        let head = |document| {
            let Some(slot) = index.get(document) else { return Ok(None) };
            slot.entry.refuse_damage()?;
            Ok(slot.head().cloned())
        };
        Box::pin(ready(documents.iter().map(head).collect()))
    }

    fn checkpoint(
        &self,
        document: DocumentName,
        life: Life,
        upto: Sequence,
        state: Bytes,
        summary: Summary,
    ) -> BoxFuture<'static, StoreResult<()>> {
        self.ask(state.len(), |reply| Request::Checkpoint { document, life, upto, state, summary, reply })
    }

    fn create(&self, document: DocumentName, at: Timestamp) -> BoxFuture<'static, StoreResult<(Head, bool)>> {
        self.ask(0, |reply| Request::Create { document, at, reply })
    }

    fn set_standing(
        &self,
        document: DocumentName,
        standing: Standing,
    ) -> BoxFuture<'static, StoreResult<Head>> {
        self.ask(0, |reply| Request::SetStanding { document, standing, reply })
    }

    fn list(
        &self,
        shelf: Shelf,
        after: Option<Cursor>,
        limit: usize,
    ) -> BoxFuture<'static, StoreResult<Page>> {
        if self.closed.load(Ordering::Acquire) {
            return Box::pin(ready(Err(StoreError::Closed)));
        }
        Box::pin(ready(Ok(self.shared.index.read().page(shelf, after, limit))))
    }

    fn quarantine(
        &self,
        document: DocumentName,
        life: Life,
        what: String,
        bytes: Bytes,
        at: Timestamp,
    ) -> BoxFuture<'static, StoreResult<()>> {
        self.ask(bytes.len(), |reply| Request::Quarantine { document, life, what, bytes, at, reply })
    }

    fn quarantined(&self, document: DocumentName) -> BoxFuture<'static, StoreResult<Vec<Quarantined>>> {
        self.ask(0, |reply| Request::Quarantined { document, reply })
    }

    fn keep(
        &self,
        document: DocumentName,
        life: Life,
        at: Timestamp,
        records: Vec<Record>,
        quota: Quota,
    ) -> BoxFuture<'static, StoreResult<Kept>> {
        let bytes = records.iter().map(|record| record.value.len()).sum();
        self.ask(bytes, |reply| Request::Keep { document, life, at, records, quota, reply })
    }

    fn forget(
        &self,
        document: DocumentName,
        life: Life,
        records: Vec<(Collection, Uuid)>,
    ) -> BoxFuture<'static, StoreResult<bool>> {
        self.ask(0, |reply| Request::Forget { document, life, records, reply })
    }

    fn record(
        &self,
        document: DocumentName,
        collection: Collection,
        key: Uuid,
    ) -> BoxFuture<'static, StoreResult<Option<Bytes>>> {
        self.read(move |reply| Wanted::Record { document, collection, key, reply })
    }

    fn records(
        &self,
        document: DocumentName,
        collection: Collection,
        before: Option<Uuid>,
        limit: usize,
    ) -> BoxFuture<'static, StoreResult<Vec<Record>>> {
        self.read(move |reply| Wanted::Records { document, collection, before, limit, reply })
    }

    fn health(&self) -> StoreResult<()> {
        if self.closed.load(Ordering::Acquire) {
            return Err(StoreError::Closed);
        }
        self.shared.writes_answer()
    }

    fn usage(&self) -> Usage {
        *self.shared.usage.read()
    }

    fn durability(&self) -> Durability {
        self.durability
    }

    fn close(&self) -> BoxFuture<'static, StoreResult<()>> {
        self.shut()
    }
}

impl Drop for SledStore {
    /// Waits for the threads, so that the directory is free when this returns. What was asked for before
    /// is still done.
    fn drop(&mut self) {
        drop(self.shut());
        for thread in self.threads.lock().drain(..) {
            // A panic was already reported as the reason why the store stopped.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for SledStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SledStore").field("durability", &self.durability).finish_non_exhaustive()
    }
}
