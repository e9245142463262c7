//! The contract kept in memory: for tests, and for servers that may forget everything.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    future::ready,
    ops::Bound,
    sync::Arc,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use uuid::Uuid;

use super::{
    Append, Appended, Collection, Cursor, Durability, Head, Kept, Life, LoggedUpdate, Page, QUARANTINE_BYTES,
    QUARANTINE_ENTRIES, Quarantined, Quota, Record, Sequence, Shelf, Standing, Store, StoreError,
    StoreResult, Stored, Summary, Usage,
    index::{self, Index, Indexed},
};
use crate::ids::{DocumentName, Timestamp};

/// A [`Store`] that lives as long as the process.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    // Held for the time of one small change, never across an await.
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    heads: Index<Head>,
    contents: HashMap<DocumentName, Content>,
    quarantine: Vec<Quarantined>,
    closed: bool,
}

#[derive(Clone, Debug, Default)]
struct Content {
    checkpoint: Option<Bytes>,
    /// What came after the checkpoint.
    tail: VecDeque<LoggedUpdate>,
    /// What is kept beside it.
    records: BTreeMap<(Collection, Uuid), Bytes>,
}

impl Indexed for Head {
    fn head(&self) -> Option<&Head> {
        Some(self)
    }
}

impl MemoryStore {
    /// An empty store.
    #[allow(clippy::new_without_default, reason = "a store that appears by default is a bug")]
    pub fn new() -> Self {
        let inner =
            Inner { heads: Index::new(), contents: HashMap::new(), quarantine: Vec::new(), closed: false };
        Self { inner: Arc::new(Mutex::new(inner)) }
    }

    /// Everything happens at once; the future only carries the answer.
    fn answer<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Inner) -> StoreResult<T>,
    ) -> BoxFuture<'static, StoreResult<T>> {
        let mut inner = self.inner.lock();
        let answer = if inner.closed { Err(StoreError::Closed) } else { work(&mut inner) };
        Box::pin(ready(answer))
    }
}

impl Inner {
    fn append(&mut self, batch: Vec<Append>) -> StoreResult<Vec<Appended>> {
        let deleted = |append: &&Append| {
            let known = self.heads.get(&append.document);
            known.is_some_and(|head| matches!(head.standing, Standing::Deleted(_)))
        };
        if let Some(append) = batch.iter().find(deleted) {
            return Err(StoreError::Missing(append.document.clone()));
        }
        let mut appended = Vec::with_capacity(batch.len());
        for Append { document, updates, summary } in batch {
            let count = updates.len() as u64;
            let at = updates.first().map_or(Timestamp(0), |update| update.at);
            let known = self.heads.get(&document).cloned();
            let mut head = known.unwrap_or_else(|| index::begin(document.clone(), Life::FIRST, at));
            let first = index::append(&mut head, &updates, summary)?;
            head.stored_bytes += updates.iter().map(|update| update.bytes.len() as u64).sum::<u64>();
            self.contents.entry(document.clone()).or_default().tail.extend(updates);
            appended.push(Appended { life: head.life, first, count });
            self.heads.put(document, head);
        }
        Ok(appended)
    }

    fn checkpoint(
        &mut self,
        document: DocumentName,
        life: Life,
        upto: Sequence,
        state: Bytes,
        summary: Summary,
    ) -> StoreResult<()> {
        let mut head = self.head(&document)?;
        if index::wants_checkpoint(&head, life, upto)? {
            let content = self.contents.entry(document.clone()).or_default();
            content.tail.drain(..(upto.0 - head.checkpoint.0) as usize);
            let tail: usize = content.tail.iter().map(|update| update.bytes.len()).sum();
            head.stored_bytes = (state.len() + tail) as u64;
            head.checkpoint = upto;
            head.summary = index::clip(summary);
            content.checkpoint = Some(state);
            self.heads.put(document, head);
        }
        Ok(())
    }

    fn create(&mut self, document: DocumentName, at: Timestamp) -> (Head, bool) {
        match self.heads.get(&document) {
            Some(head) if !matches!(head.standing, Standing::Deleted(_)) => (head.clone(), false),
            known => {
                let life = known.map_or(Life::FIRST, |head| head.life.next());
                let head = index::begin(document.clone(), life, at);
                self.heads.put(document, head.clone());
                (head, true)
            }
        }
    }

    fn set_standing(&mut self, document: DocumentName, standing: Standing) -> StoreResult<Head> {
        let mut head = self.head(&document)?;
        if index::set_standing(&mut head, standing)? {
            if matches!(standing, Standing::Deleted(_)) {
                self.contents.remove(&document);
            }
            self.heads.put(document, head.clone());
        }
        Ok(head)
    }

    /// What is meant for a document that is not there any more concerns none.
    fn refuse_another_life(&self, document: &DocumentName, life: Life) -> StoreResult<()> {
        match self.heads.get(document) {
            Some(head) => index::is_in_life(head, life),
            None if life == Life::FIRST => Ok(()),
            None => Err(StoreError::Missing(document.clone())),
        }
    }

    fn keep(
        &mut self,
        document: DocumentName,
        life: Life,
        at: Timestamp,
        records: Vec<Record>,
        quota: Quota,
    ) -> StoreResult<Kept> {
        self.refuse_another_life(&document, life)?;
        let held = self.contents.get(&document).map(|content| &content.records);
        let has =
            |record: &Record| held.is_some_and(|held| held.contains_key(&(record.collection, record.key)));
        if records.first().is_none_or(has) {
            return Ok(Kept::Known);
        }
        let fresh: Vec<Record> = records.into_iter().filter(|record| !has(record)).collect();
        let there = held.into_iter().flatten().map(|((collection, _), value)| (*collection, value.len()));
        let coming = fresh.iter().map(|record| (record.collection, record.value.len()));
        let after = there.chain(coming).filter(|(collection, _)| *collection == quota.collection);
        let (count, bytes) =
            after.fold((0, 0), |(count, bytes), (_, length)| (count + 1, bytes + length as u64));
        if count > quota.records || bytes > quota.bytes {
            return Ok(Kept::NoRoom);
        }
        if self.heads.get(&document).is_none() {
            self.heads.put(document.clone(), index::begin(document.clone(), Life::FIRST, at));
        }
        let content = self.contents.entry(document).or_default();
        content
            .records
            .extend(fresh.into_iter().map(|record| ((record.collection, record.key), record.value)));
        Ok(Kept::New)
    }

    fn forget(
        &mut self,
        document: &DocumentName,
        life: Life,
        records: &[(Collection, Uuid)],
    ) -> StoreResult<bool> {
        index::is_in_life(&self.head(document)?, life)?;
        let Some(content) = self.contents.get_mut(document) else { return Ok(false) };
        let gone: Vec<bool> = records.iter().map(|key| content.records.remove(key).is_some()).collect();
        Ok(gone.first().is_some_and(|gone| *gone))
    }

    fn head(&self, document: &DocumentName) -> StoreResult<Head> {
        self.heads.get(document).cloned().ok_or_else(|| StoreError::Missing(document.clone()))
    }
}

impl Store for MemoryStore {
    fn append(&self, batch: Vec<Append>) -> BoxFuture<'static, StoreResult<Vec<Appended>>> {
        self.answer(|inner| inner.append(batch))
    }

    fn load(&self, document: DocumentName) -> BoxFuture<'static, StoreResult<Option<Stored>>> {
        self.answer(|inner| {
            let Some(head) = inner.heads.get(&document).cloned() else { return Ok(None) };
            let content = inner.contents.get(&document);
            let checkpoint = content.and_then(|content| content.checkpoint.clone());
            let tail = content.map(|content| content.tail.iter().cloned().collect()).unwrap_or_default();
            Ok(Some(Stored { head, checkpoint, tail }))
        })
    }

    fn heads(&self, documents: Vec<DocumentName>) -> BoxFuture<'static, StoreResult<Vec<Option<Head>>>> {
        self.answer(|inner| Ok(documents.iter().map(|document| inner.heads.get(document).cloned()).collect()))
    }

    fn checkpoint(
        &self,
        document: DocumentName,
        life: Life,
        upto: Sequence,
        state: Bytes,
        summary: Summary,
    ) -> BoxFuture<'static, StoreResult<()>> {
        self.answer(|inner| inner.checkpoint(document, life, upto, state, summary))
    }

    fn create(&self, document: DocumentName, at: Timestamp) -> BoxFuture<'static, StoreResult<(Head, bool)>> {
        self.answer(|inner| Ok(inner.create(document, at)))
    }

    fn set_standing(
        &self,
        document: DocumentName,
        standing: Standing,
    ) -> BoxFuture<'static, StoreResult<Head>> {
        self.answer(|inner| inner.set_standing(document, standing))
    }

    fn list(
        &self,
        shelf: Shelf,
        after: Option<Cursor>,
        limit: usize,
    ) -> BoxFuture<'static, StoreResult<Page>> {
        self.answer(|inner| Ok(inner.heads.page(shelf, after, limit)))
    }

    fn quarantine(
        &self,
        document: DocumentName,
        life: Life,
        what: String,
        bytes: Bytes,
        at: Timestamp,
    ) -> BoxFuture<'static, StoreResult<()>> {
        self.answer(|inner| {
            inner.refuse_another_life(&document, life)?;
            let held: usize = inner.quarantine.iter().map(|kept| kept.bytes.len()).sum();
            let room = (inner.quarantine.len() as u64) < QUARANTINE_ENTRIES
                && (held + bytes.len()) as u64 <= QUARANTINE_BYTES;
            if room {
                inner.quarantine.push(Quarantined { document, what, bytes, at });
            } else {
                tracing::warn!(%document, what, "quarantine is full, bytes let go");
            }
            Ok(())
        })
    }

    fn quarantined(&self, document: DocumentName) -> BoxFuture<'static, StoreResult<Vec<Quarantined>>> {
        self.answer(|inner| {
            Ok(inner.quarantine.iter().filter(|kept| kept.document == document).cloned().collect())
        })
    }

    fn keep(
        &self,
        document: DocumentName,
        life: Life,
        at: Timestamp,
        records: Vec<Record>,
        quota: Quota,
    ) -> BoxFuture<'static, StoreResult<Kept>> {
        self.answer(|inner| inner.keep(document, life, at, records, quota))
    }

    fn forget(
        &self,
        document: DocumentName,
        life: Life,
        records: Vec<(Collection, Uuid)>,
    ) -> BoxFuture<'static, StoreResult<bool>> {
        self.answer(|inner| inner.forget(&document, life, &records))
    }

    fn record(
        &self,
        document: DocumentName,
        collection: Collection,
        key: Uuid,
    ) -> BoxFuture<'static, StoreResult<Option<Bytes>>> {
        self.answer(|inner| {
            let content = inner.contents.get(&document);
            Ok(content.and_then(|content| content.records.get(&(collection, key)).cloned()))
        })
    }

    fn records(
        &self,
        document: DocumentName,
        collection: Collection,
        before: Option<Uuid>,
        limit: usize,
    ) -> BoxFuture<'static, StoreResult<Vec<Record>>> {
        self.answer(|inner| {
            let Some(content) = inner.contents.get(&document) else { return Ok(Vec::new()) };
            let from = (collection, Uuid::nil());
            let to = before.map_or(Bound::Included((collection, Uuid::max())), |before| {
                Bound::Excluded((collection, before))
            });
            let found = content.records.range((Bound::Included(from), to)).rev().take(limit);
            Ok(found
                .map(|((_, key), value)| Record { collection, key: *key, value: value.clone() })
                .collect())
        })
    }

    fn health(&self) -> StoreResult<()> {
        if self.inner.lock().closed { Err(StoreError::Closed) } else { Ok(()) }
    }

    fn usage(&self) -> Usage {
        let inner = self.inner.lock();
        let heads: u64 = inner.heads.iter().map(|(_, head)| head.stored_bytes).sum();
        let records = inner.contents.values().flat_map(|content| content.records.values());
        let live_bytes = heads + records.map(|value| value.len() as u64).sum::<u64>();
        let documents = inner.heads.shelved() as u64;
        Usage { live_bytes, disk_bytes: 0, free_bytes: None, documents }
    }

    fn durability(&self) -> Durability {
        Durability::Memory
    }

    fn close(&self) -> BoxFuture<'static, StoreResult<()>> {
        self.answer(|inner| {
            inner.closed = true;
            Ok(())
        })
    }
}
