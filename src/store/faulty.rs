//! A store that fails on command. For tests only (feature `test-hooks`).

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::watch;
use uuid::Uuid;

use super::{
    Append, Appended, Collection, Cursor, Durability, Head, Kept, Life, Page, Quarantined, Quota, Record,
    Sequence, Shelf, Standing, Store, StoreError, StoreResult, Stored, Summary, Usage,
};
use crate::ids::{DocumentName, Timestamp};

/// What happens to a write: an append, a checkpoint, a creation, a move, a quarantine, records.
#[derive(Clone, Debug, Default)]
pub enum WriteFault {
    /// It is passed on.
    #[default]
    None,
    /// It is not stored, and the error says so.
    Fail(StoreError),
    /// It is stored, and yet the error is answered.
    Ambiguous(StoreError),
    /// It waits until another fault is set, and then does what that one says.
    Stall,
    /// It is passed on after a while. Needs a tokio runtime with time.
    Slow(Duration),
}

/// The handle by which a test makes a [`FaultyStore`] fail.
#[derive(Clone, Debug)]
pub struct Faults(Arc<State>);

#[derive(Debug)]
struct State {
    writes: watch::Sender<WriteFault>,
    load: Mutex<Option<StoreError>>,
    /// Whether reads from the disk wait.
    hanging: watch::Sender<bool>,
    /// How many have begun to.
    hung: watch::Sender<u64>,
    damaged: Mutex<HashSet<DocumentName>>,
    appends: AtomicU64,
    refused: AtomicU64,
    stalled: watch::Sender<u64>,
    /// Whether checkpoints are held back, and how many are.
    holding: watch::Sender<bool>,
    held: watch::Sender<u64>,
}

impl Faults {
    /// Sets what happens to writes from now on, those that are stalled included.
    pub fn writes(&self, fault: WriteFault) {
        self.0.writes.send_replace(fault);
    }

    /// Sets the error that loads answer, or lets them pass.
    pub fn loads(&self, error: Option<StoreError>) {
        *self.0.load.lock() = error;
    }

    /// Lets whatever has to be read from the disk wait, from now on, or go on: documents and records. What is known of
    /// documents without reading them ([`Store::heads`], [`Store::list`]) is in memory.
    pub fn hang_reads(&self, hang: bool) {
        self.0.hanging.send_replace(hang);
    }

    /// Resolves once at least `count` reads have begun to wait.
    pub async fn hung_reads(&self, count: u64) {
        let _ = self.0.hung.subscribe().wait_for(|now| *now >= count).await;
    }

    /// Makes a document damaged: every question about it answers so.
    pub fn damage(&self, document: &DocumentName) {
        self.0.damaged.lock().insert(document.clone());
    }

    /// Nothing fails any more.
    pub fn heal(&self) {
        self.loads(None);
        self.0.damaged.lock().clear();
        self.hang_reads(false);
        self.writes(WriteFault::None);
    }

    /// How many appends reached the store behind and were stored, the ambiguous ones included.
    pub fn stored_appends(&self) -> u64 {
        self.0.appends.load(Ordering::Acquire)
    }

    /// How many writes were answered with an error and not stored.
    pub fn refused_writes(&self) -> u64 {
        self.0.refused.load(Ordering::Acquire)
    }

    /// Resolves once at least `count` writes are stalled.
    pub async fn stalled(&self, count: u64) {
        let mut stalled = self.0.stalled.subscribe();
        // The sender lives in self: waiting cannot fail.
        let _ = stalled.wait_for(|now| *now >= count).await;
    }

    /// Holds back the checkpoints that come from now on, and nothing else; or lets them go.
    pub fn hold_checkpoints(&self, hold: bool) {
        self.0.holding.send_replace(hold);
    }

    /// Resolves once exactly `count` checkpoints are held back.
    pub async fn held_checkpoints(&self, count: u64) {
        let _ = self.0.held.subscribe().wait_for(|now| *now == count).await;
    }

    async fn let_go(&self) {
        let mut holding = self.0.holding.subscribe();
        if *holding.borrow_and_update() {
            self.0.held.send_modify(|count| *count += 1);
            let _ = holding.wait_for(|holding| !holding).await;
            self.0.held.send_modify(|count| *count -= 1);
        }
    }

    fn check(&self, document: &DocumentName) -> StoreResult<()> {
        if self.0.damaged.lock().contains(document) {
            let what = "damaged by a test".into();
            return Err(StoreError::Damaged { document: document.clone(), what });
        }
        Ok(())
    }

    /// Waits while reads hang.
    async fn reads(&self) {
        let mut hanging = self.0.hanging.subscribe();
        if *hanging.borrow_and_update() {
            self.0.hung.send_modify(|count| *count += 1);
        }
        let _ = hanging.wait_for(|hanging| !hanging).await;
    }

    /// Waits while writes are stalled.
    async fn answers(&self) {
        let mut writes = self.0.writes.subscribe();
        let _ = writes.wait_for(|fault| !matches!(fault, WriteFault::Stall)).await;
    }

    /// Lets a write through, or not. `Some` is the error to answer after it was stored.
    async fn admit(&self) -> StoreResult<Option<StoreError>> {
        let mut writes = self.0.writes.subscribe();
        let mut fault = writes.borrow_and_update().clone();
        if matches!(fault, WriteFault::Stall) {
            self.0.stalled.send_modify(|count| *count += 1);
            let changed = writes.wait_for(|fault| !matches!(fault, WriteFault::Stall)).await;
            fault = changed.map(|fault| fault.clone()).unwrap_or_default();
            self.0.stalled.send_modify(|count| *count -= 1);
        }
        match fault {
            WriteFault::None | WriteFault::Stall => Ok(None),
            WriteFault::Fail(error) => {
                self.0.refused.fetch_add(1, Ordering::AcqRel);
                Err(error)
            }
            WriteFault::Ambiguous(error) => Ok(Some(error)),
            WriteFault::Slow(time) => {
                tokio::time::sleep(time).await;
                Ok(None)
            }
        }
    }
}

/// A [`Store`] in front of another one, which fails when told to.
#[derive(Clone)]
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    faults: Faults,
}

impl FaultyStore {
    /// Puts itself in front of `inner`; nothing fails yet.
    pub fn new(inner: Arc<dyn Store>) -> (Self, Faults) {
        let faults = Faults(Arc::new(State {
            writes: watch::Sender::new(WriteFault::None),
            load: Mutex::new(None),
            hanging: watch::Sender::new(false),
            hung: watch::Sender::new(0),
            damaged: Mutex::new(HashSet::new()),
            appends: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            stalled: watch::Sender::new(0),
            holding: watch::Sender::new(false),
            held: watch::Sender::new(0),
        }));
        (Self { inner, faults: faults.clone() }, faults)
    }

    fn write<T: Send + 'static>(
        &self,
        documents: Vec<DocumentName>,
        work: impl FnOnce(&dyn Store) -> BoxFuture<'static, StoreResult<T>> + Send + 'static,
    ) -> BoxFuture<'static, StoreResult<T>> {
        let Self { inner, faults } = self.clone();
        let written = async move {
            documents.iter().try_for_each(|document| faults.check(document))?;
            let afterwards = faults.admit().await?;
            let done = work(&*inner).await?;
            afterwards.map_or(Ok(done), Err)
        };
        // A task of its own: what a disk was told to write it writes, whether anybody waits for it or not.
        Box::pin(async move { tokio::spawn(written).await.unwrap_or(Err(StoreError::Closed)) })
    }
}

impl Store for FaultyStore {
    fn append(&self, batch: Vec<Append>) -> BoxFuture<'static, StoreResult<Vec<Appended>>> {
        let faults = self.faults.clone();
        let documents = batch.iter().map(|append| append.document.clone()).collect();
        self.write(documents, move |inner| {
            let count = batch.len() as u64;
            let append = inner.append(batch);
            Box::pin(async move {
                let appended = append.await?;
                faults.0.appends.fetch_add(count, Ordering::AcqRel);
                Ok(appended)
            })
        })
    }

    fn hurry(&self) {
        self.inner.hurry();
    }

    fn load(&self, document: DocumentName) -> BoxFuture<'static, StoreResult<Option<Stored>>> {
        let Self { inner, faults } = self.clone();
        Box::pin(async move {
            faults.check(&document)?;
            faults.reads().await;
            let error = faults.0.load.lock().clone();
            error.map_or(Ok(()), Err)?;
            inner.load(document).await
        })
    }

    fn heads(&self, documents: Vec<DocumentName>) -> BoxFuture<'static, StoreResult<Vec<Option<Head>>>> {
        let checked = documents.iter().try_for_each(|document| self.faults.check(document));
        let heads = self.inner.heads(documents);
        Box::pin(async move {
            checked?;
            heads.await
        })
    }

    fn checkpoint(
        &self,
        document: DocumentName,
        life: Life,
        upto: Sequence,
        state: Bytes,
        summary: Summary,
    ) -> BoxFuture<'static, StoreResult<()>> {
        let (this, faults, documents) = (self.clone(), self.faults.clone(), vec![document.clone()]);
        Box::pin(async move {
            faults.let_go().await;
            let write = move |inner: &dyn Store| inner.checkpoint(document, life, upto, state, summary);
            this.write(documents, write).await
        })
    }

    fn create(&self, document: DocumentName, at: Timestamp) -> BoxFuture<'static, StoreResult<(Head, bool)>> {
        self.write(vec![document.clone()], move |inner| inner.create(document, at))
    }

    fn set_standing(
        &self,
        document: DocumentName,
        standing: Standing,
    ) -> BoxFuture<'static, StoreResult<Head>> {
        self.write(vec![document.clone()], move |inner| inner.set_standing(document, standing))
    }

    fn list(
        &self,
        shelf: Shelf,
        after: Option<Cursor>,
        limit: usize,
    ) -> BoxFuture<'static, StoreResult<Page>> {
        self.inner.list(shelf, after, limit)
    }

    fn quarantine(
        &self,
        document: DocumentName,
        life: Life,
        what: String,
        bytes: Bytes,
        at: Timestamp,
    ) -> BoxFuture<'static, StoreResult<()>> {
        // Kept for damaged documents too: that is what quarantine is for.
        self.write(Vec::new(), move |inner| inner.quarantine(document, life, what, bytes, at))
    }

    fn quarantined(&self, document: DocumentName) -> BoxFuture<'static, StoreResult<Vec<Quarantined>>> {
        self.inner.quarantined(document)
    }

    fn keep(
        &self,
        document: DocumentName,
        life: Life,
        at: Timestamp,
        records: Vec<Record>,
        quota: Quota,
    ) -> BoxFuture<'static, StoreResult<Kept>> {
        self.write(vec![document.clone()], move |inner| inner.keep(document, life, at, records, quota))
    }

    fn forget(
        &self,
        document: DocumentName,
        life: Life,
        records: Vec<(Collection, Uuid)>,
    ) -> BoxFuture<'static, StoreResult<bool>> {
        self.write(vec![document.clone()], move |inner| inner.forget(document, life, records))
    }

    fn record(
        &self,
        document: DocumentName,
        collection: Collection,
        key: Uuid,
    ) -> BoxFuture<'static, StoreResult<Option<Bytes>>> {
        let Self { inner, faults } = self.clone();
        Box::pin(async move {
            faults.check(&document)?;
            faults.reads().await;
            inner.record(document, collection, key).await
        })
    }

    fn records(
        &self,
        document: DocumentName,
        collection: Collection,
        before: Option<Uuid>,
        limit: usize,
    ) -> BoxFuture<'static, StoreResult<Vec<Record>>> {
        let Self { inner, faults } = self.clone();
        Box::pin(async move {
            faults.check(&document)?;
            faults.reads().await;
            inner.records(document, collection, before, limit).await
        })
    }

    fn health(&self) -> StoreResult<()> {
        match &*self.faults.0.writes.borrow() {
            WriteFault::Fail(error) | WriteFault::Ambiguous(error) => Err(error.clone()),
            WriteFault::None | WriteFault::Stall | WriteFault::Slow(_) => self.inner.health(),
        }
    }

    fn usage(&self) -> Usage {
        self.inner.usage()
    }

    fn durability(&self) -> Durability {
        self.inner.durability()
    }

    fn close(&self) -> BoxFuture<'static, StoreResult<()>> {
        let (inner, faults) = (self.inner.clone(), self.faults.clone());
        Box::pin(async move {
            // Closing waits for the last write, and so for a disk that does not answer.
            faults.answers().await;
            inner.close().await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{LoggedUpdate, memory::MemoryStore};

    fn name() -> DocumentName {
        DocumentName::parse("a").unwrap()
    }

    fn append(store: &FaultyStore) -> BoxFuture<'static, StoreResult<Vec<Appended>>> {
        let update = LoggedUpdate { bytes: Bytes::from_static(b"u"), origin: None, at: Timestamp(1) };
        store.append(vec![Append { document: name(), updates: vec![update], summary: None }])
    }

    async fn last(store: &FaultyStore) -> u64 {
        store.load(name()).await.unwrap().map_or(0, |stored| stored.head.last.0)
    }

    #[tokio::test]
    async fn it_fails_as_told_and_heals() {
        let (store, faults) = FaultyStore::new(Arc::new(MemoryStore::new()));
        let error = StoreError::Unwritable("by a test".into());

        faults.writes(WriteFault::Fail(error.clone()));
        assert!(append(&store).await.is_err());
        assert!(store.health().is_err());
        assert_eq!((last(&store).await, faults.stored_appends()), (0, 0));

        faults.writes(WriteFault::Ambiguous(error));
        assert!(append(&store).await.is_err());
        assert_eq!((last(&store).await, faults.stored_appends()), (1, 1), "stored all the same");

        faults.writes(WriteFault::Stall);
        let waiting = tokio::spawn(append(&store));
        faults.stalled(1).await;
        assert_eq!(last(&store).await, 1);
        faults.heal();
        assert_eq!(waiting.await.unwrap().unwrap()[0].first, Sequence(2));

        faults.damage(&name());
        assert!(matches!(append(&store).await, Err(StoreError::Damaged { .. })));
        assert!(matches!(store.load(name()).await, Err(StoreError::Damaged { .. })));
        faults.heal();
        faults.loads(Some(StoreError::Closed));
        assert!(store.load(name()).await.is_err());
        faults.loads(None);
        assert_eq!(last(&store).await, 2);
    }

    #[tokio::test]
    async fn a_slow_store_is_slow() {
        let (store, faults) = FaultyStore::new(Arc::new(MemoryStore::new()));
        faults.writes(WriteFault::Slow(Duration::from_millis(5)));
        let begun = std::time::Instant::now();
        append(&store).await.unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(5));
    }
}
