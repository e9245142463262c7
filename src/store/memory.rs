//! The contract kept in memory: for tests, and for servers that may forget everything.

use std::{
    collections::{HashMap, VecDeque},
    future::ready,
    sync::Arc,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;

use super::{
    Append, Appended, Cursor, Durability, Head, LoggedUpdate, Page, Presence, QUARANTINE_BYTES,
    QUARANTINE_ENTRIES, Quarantined, Sequence, Shelf, Store, StoreError, StoreResult, Stored, Summary, Usage,
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
            known.is_some_and(|head| matches!(head.presence, Presence::Deleted(_)))
        };
        if let Some(append) = batch.iter().find(deleted) {
            return Err(StoreError::Missing(append.document.clone()));
        }
        let mut appended = Vec::with_capacity(batch.len());
        for Append { document, updates, summary } in batch {
            let count = updates.len() as u64;
            let at = updates.first().map_or(Timestamp(0), |update| update.at);
            let known = self.heads.get(&document).cloned();
            let mut head = known.unwrap_or_else(|| index::begin(document.clone(), at));
            let first = index::append(&mut head, &updates, summary)?;
            head.stored_bytes += updates.iter().map(|update| update.bytes.len() as u64).sum::<u64>();
            self.contents.entry(document.clone()).or_default().tail.extend(updates);
            self.heads.put(document, head);
            appended.push(Appended { first, count });
        }
        Ok(appended)
    }

    fn checkpoint(
        &mut self,
        document: DocumentName,
        upto: Sequence,
        state: Bytes,
        summary: Summary,
    ) -> StoreResult<()> {
        let mut head = self.head(&document)?;
        if index::wants_checkpoint(&head, upto)? {
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
            Some(head) if !matches!(head.presence, Presence::Deleted(_)) => (head.clone(), false),
            _ => {
                let head = index::begin(document.clone(), at);
                self.heads.put(document, head.clone());
                (head, true)
            }
        }
    }

    fn set_presence(&mut self, document: DocumentName, presence: Presence) -> StoreResult<Head> {
        let mut head = self.head(&document)?;
        if index::set_presence(&mut head, presence)? {
            if matches!(presence, Presence::Deleted(_)) {
                self.contents.remove(&document);
            }
            self.heads.put(document, head.clone());
        }
        Ok(head)
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
            let Content { checkpoint, tail } = inner.contents.get(&document).cloned().unwrap_or_default();
            Ok(Some(Stored { head, checkpoint, tail: tail.into() }))
        })
    }

    fn heads(&self, documents: Vec<DocumentName>) -> BoxFuture<'static, StoreResult<Vec<Option<Head>>>> {
        self.answer(|inner| Ok(documents.iter().map(|document| inner.heads.get(document).cloned()).collect()))
    }

    fn checkpoint(
        &self,
        document: DocumentName,
        upto: Sequence,
        state: Bytes,
        summary: Summary,
    ) -> BoxFuture<'static, StoreResult<()>> {
        self.answer(|inner| inner.checkpoint(document, upto, state, summary))
    }

    fn create(&self, document: DocumentName, at: Timestamp) -> BoxFuture<'static, StoreResult<(Head, bool)>> {
        self.answer(|inner| Ok(inner.create(document, at)))
    }

    fn set_presence(
        &self,
        document: DocumentName,
        presence: Presence,
    ) -> BoxFuture<'static, StoreResult<Head>> {
        self.answer(|inner| inner.set_presence(document, presence))
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
        what: String,
        bytes: Bytes,
        at: Timestamp,
    ) -> BoxFuture<'static, StoreResult<()>> {
        self.answer(|inner| {
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

    fn health(&self) -> StoreResult<()> {
        if self.inner.lock().closed { Err(StoreError::Closed) } else { Ok(()) }
    }

    fn usage(&self) -> Usage {
        let inner = self.inner.lock();
        let live_bytes = inner.heads.iter().map(|(_, head)| head.stored_bytes).sum();
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
