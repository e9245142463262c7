//! Which documents are open: starts each once, forgets it when it is put away, closes all at the end.
//!
//! A document is started on the worker thread of whoever opens it first, and lives there: its first editor,
//! and often its only one, then reaches it without crossing threads.

use std::{
    collections::HashMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use actix::Actor;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::{
    Config, Cursor, Head, Life, Page, Shelf, StoreError, Usage,
    actor::DocumentActor,
    complaints::Complaints,
    error::{JoinError, OpenError},
    exports::Exports,
    handle::DocumentHandle,
    lease::{Common, Lease},
    memory::Memory,
    work::{NoAnswer, Work},
};
use crate::{
    ids::DocumentName,
    protocol::{close::CloseReason, guard, message::Shown},
    store::Store,
    telemetry::Metrics,
};

/// How long a list waits for the people in one document.
const PEOPLE_WITHIN: Duration = Duration::from_secs(1);

/// The open documents. Clones share them.
#[derive(Clone)]
pub struct Registry(Arc<Shared>);

/// What people do beside documents, and what ends with them.
pub trait Beside: Send + Sync {
    /// A document went to the trash, or was deleted.
    fn gone(&self, document: &DocumentName);

    /// All of it ends for this reason.
    fn close_all(&self, reason: CloseReason);
}

struct Shared {
    common: Common,
    open: Mutex<HashMap<DocumentName, Entry>>,
    /// What ends with documents.
    beside: Mutex<Vec<Weak<dyn Beside>>>,
    generations: AtomicU64,
    draining: watch::Sender<bool>,
}

struct Entry {
    handle: DocumentHandle,
    lease: Lease,
    /// Tells an actor from an earlier or later one of the same document, so that one that is closing cannot remove its
    /// successor.
    generation: u64,
}

impl Registry {
    /// No document is open.
    pub fn new(config: Config, store: Arc<dyn Store>, metrics: Metrics) -> Self {
        let common = Common {
            memory: Memory::new(config.open_bytes),
            exports: Arc::default(),
            complaints: Complaints::default(),
            work: Work::new(),
            config: Arc::new(config),
            store,
            metrics,
        };
        Self(Arc::new(Shared {
            common,
            open: Mutex::default(),
            beside: Mutex::default(),
            generations: AtomicU64::new(0),
            draining: watch::Sender::new(false),
        }))
    }

    /// The open document of this name, started if need be. It may still be loading; the first question put
    /// to it waits for that. Must be called on a thread that runs an actix system.
    pub fn open(&self, name: &DocumentName) -> Result<DocumentHandle, OpenError> {
        self.open_entry(name).map(|(handle, _)| handle)
    }

    fn open_entry(&self, name: &DocumentName) -> Result<(DocumentHandle, Lease), OpenError> {
        let mut open = self.0.open.lock();
        // Asked under the lock under which a drain takes the list of those it ends: nothing starts behind it.
        if self.is_draining() {
            return Err(OpenError::Draining);
        }
        if let Some(entry) = open.get(name) {
            return Ok((entry.handle.clone(), entry.lease.clone()));
        }
        let generation = self.0.generations.fetch_add(1, Ordering::Relaxed);
        let lease = self.lease(name, generation);
        let actor = DocumentActor::new(name.clone(), self.0.common.clone(), lease.clone());
        let handle = DocumentHandle::new(actor.start());
        open.insert(name.clone(), Entry { handle: handle.clone(), lease: lease.clone(), generation });
        Ok((handle, lease))
    }

    fn lease(&self, name: &DocumentName, generation: u64) -> Lease {
        let (shared, document) = (Arc::downgrade(&self.0), name.clone());
        let ended = move || {
            if let Some(shared) = shared.upgrade() {
                shared.forget(&document, generation);
            }
        };
        let (shared, document) = (Arc::downgrade(&self.0), name.clone());
        let gone = move || {
            if let Some(shared) = shared.upgrade() {
                shared.each_beside(|beside| beside.gone(&document));
            }
        };
        Lease::new(Box::new(ended), Box::new(gone))
    }

    /// Opens the document and asks it something; if it was being put away at that moment, opens it again. Whoever asks
    /// is not kept waiting for a disk that does not answer: the document goes on with what it is asked, and with what it
    /// was loading.
    pub async fn ask<T, E>(
        &self,
        name: &DocumentName,
        question: impl AsyncFn(DocumentHandle) -> Result<T, E>,
    ) -> Result<T, JoinError>
    where
        JoinError: From<E>,
    {
        // Putting away takes one turn of the actor; more than a few in a row is not bad luck.
        const ATTEMPTS: usize = 8;
        let mut last = JoinError::Open(OpenError::Closed);
        for _ in 0..ATTEMPTS {
            let (handle, lease) = self.open_entry(name)?;
            match self.answered(question(handle), &lease).await {
                Err(error) if error.is_closed() => last = error,
                answer => return answer,
            }
            tokio::task::yield_now().await;
        }
        Err(last)
    }

    /// What a document answers, unless it waits for the disk for longer than anybody should for it.
    async fn answered<T, E>(
        &self,
        asked: impl Future<Output = Result<T, E>>,
        lease: &Lease,
    ) -> Result<T, JoinError>
    where
        JoinError: From<E>,
    {
        /// How often it is looked whether a document that takes its time has begun to wait for the disk.
        const LOOK_AGAIN: Duration = Duration::from_millis(250);
        let within = self.0.common.config.answer_within;
        let mut asked = std::pin::pin!(asked);
        let mut wait = within;
        loop {
            match tokio::time::timeout(wait, &mut asked).await {
                Ok(answer) => return answer.map_err(JoinError::from),
                Err(_) if lease.waits() => {
                    return Err(StoreError::Unanswered(within).into());
                }
                Err(_) => wait = LOOK_AGAIN,
            }
        }
    }

    /// The settings of documents.
    pub fn config(&self) -> &Config {
        &self.0.common.config
    }

    /// Reads something that came in and is `length` bytes long. What is long is read where that holds nobody up.
    ///
    /// # Errors
    /// [`NoAnswer`] if the server stops meanwhile.
    pub async fn understand<T: Send + 'static>(
        &self,
        length: usize,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NoAnswer> {
        if length <= guard::QUICK { Ok(read()) } else { self.0.common.work.run(read).await }
    }

    /// What documents say to those who do not speak Yjs.
    pub fn exports(&self) -> &Exports {
        &self.0.common.exports
    }

    /// What the open documents take.
    pub fn memory(&self) -> &Memory {
        &self.0.common.memory
    }

    /// For what is kept beside documents.
    pub(super) fn store(&self) -> &Arc<dyn Store> {
        &self.0.common.store
    }

    /// Logs that something was refused in a document, and why; once a minute for each.
    pub fn complain(&self, document: &DocumentName, what: &str, why: impl std::fmt::Display, now: Instant) {
        self.0.common.complaints.note(document, what, why, now);
    }

    /// From now on it is told when documents go, for as long as it is there.
    pub fn keep_beside(&self, beside: &Arc<dyn Beside>) {
        let mut known = self.0.beside.lock();
        known.retain(|known| known.strong_count() > 0);
        known.push(Arc::downgrade(beside));
    }

    /// The life of the document that has this name now, which begins if there is none.
    pub async fn begun(&self, name: &DocumentName) -> Result<Life, JoinError> {
        if let Some(head) = self.head(name).await? {
            return Ok(head.life);
        }
        // Through the document itself, which may be open and must know that it exists now.
        self.ask(name, async |handle: DocumentHandle| handle.create().await).await?;
        let head = self.head(name).await?;
        Ok(head.ok_or_else(|| StoreError::Missing(name.clone()))?.life)
    }

    /// How many sessions have the document open.
    pub fn editors(&self, name: &DocumentName) -> usize {
        let open = self.0.open.lock();
        open.get(name).map_or(0, |entry| entry.lease.editors())
    }

    /// Some of those who have the document open, as they show themselves.
    pub async fn people(&self, name: &DocumentName) -> Vec<Shown> {
        let handle = self.0.open.lock().get(name).map(|entry| entry.handle.clone());
        match handle {
            // A document that is just being put away has nobody in it, and one that waits for the disk does not hold up
            // the list of all.
            Some(handle) => {
                let people = tokio::time::timeout(PEOPLE_WITHIN, handle.people()).await;
                people.ok().and_then(Result::ok).unwrap_or_default()
            }
            None => Vec::new(),
        }
    }

    /// Whether the document is open, whoever uses it.
    pub fn is_open(&self, name: &DocumentName) -> bool {
        self.0.open.lock().contains_key(name)
    }

    /// The open documents, and how many bytes of changes each has that are not stored as far as is known: one
    /// that is busy may hold more.
    pub fn unsaved(&self) -> Vec<(DocumentName, usize)> {
        let open = self.0.open.lock();
        open.iter().map(|(name, entry)| (name.clone(), entry.lease.unsaved())).collect()
    }

    /// How many documents are open.
    pub fn len(&self) -> usize {
        self.0.open.lock().len()
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One page of a shelf, newest change first, whether the documents are open or not.
    pub async fn list(&self, shelf: Shelf, after: Option<Cursor>, limit: usize) -> Result<Page, StoreError> {
        self.0.common.store.list(shelf, after, limit).await
    }

    /// What is stored about a document, without opening it.
    pub async fn head(&self, name: &DocumentName) -> Result<Option<Head>, StoreError> {
        Ok(self.0.common.store.heads(vec![name.clone()]).await?.pop().flatten())
    }

    /// Whether changes can be stored now.
    pub fn health(&self) -> Result<(), StoreError> {
        self.0.common.store.health()
    }

    /// How much is stored.
    pub fn usage(&self) -> Usage {
        self.0.common.store.usage()
    }

    /// Whether the server is shutting down.
    pub fn is_draining(&self) -> bool {
        *self.0.draining.borrow()
    }

    /// Resolves when the server begins to shut down. Nothing is lost if the future is dropped.
    pub async fn drained(&self) {
        // The sender lives as long as this registry: waiting does not fail.
        let _ = self.0.draining.subscribe().wait_for(|draining| *draining).await;
    }

    /// Opens nothing more, closes every session with `reason` and stores everything. The caller bounds the
    /// time; a document that cannot be stored would wait for ever.
    pub async fn drain(&self, reason: CloseReason) {
        let handles: Vec<_> = {
            let open = self.0.open.lock();
            self.0.draining.send_replace(true);
            open.values().map(|entry| entry.handle.clone()).collect()
        };
        self.0.each_beside(|beside| beside.close_all(reason));
        let drained = handles.iter().map(|handle| handle.drain(reason));
        futures_util::future::join_all(drained).await;
    }
}

impl Shared {
    fn each_beside(&self, tell: impl Fn(&dyn Beside)) {
        let beside: Vec<_> = self.beside.lock().iter().filter_map(Weak::upgrade).collect();
        beside.iter().for_each(|beside| tell(&**beside));
    }

    /// Removes a document's entry, unless a later actor has taken its place.
    fn forget(&self, name: &DocumentName, generation: u64) {
        let mut open = self.open.lock();
        if open.get(name).is_some_and(|entry| entry.generation == generation) {
            open.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        document::testing::{Writer, check, text_of},
        store::memory::MemoryStore,
    };

    #[actix_web::test]
    async fn a_document_whose_actor_panicked_is_opened_anew() {
        let metrics = Metrics::new();
        let registry = Registry::new(Config::default(), Arc::new(MemoryStore::new()), metrics.clone());
        let name = DocumentName::parse("notes").unwrap();
        let said = Writer::new(1).insert(0, "said");
        registry.ask(&name, async |handle| handle.contribute(check(said.clone())).await).await.unwrap();
        registry.open(&name).unwrap().breaks().await;
        let state = registry.ask(&name, async |handle| handle.state().await).await.unwrap();
        assert_eq!(text_of([&state]), "said");
        assert_eq!((registry.len(), metrics.documents.get()), (1, 1));
    }
}
