//! What an open document holds of the server around it: its entry among the open documents, and what all of them share.
//! With it a document needs to know nothing of the [`registry`](super::registry) that opened it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use super::{Config, complaints::Complaints, exports::Exports, memory::Memory, work::Work};
use crate::{store::Store, telemetry::Metrics};

/// What all open documents share. Clones share it too.
#[derive(Clone)]
pub(super) struct Common {
    pub config: Arc<Config>,
    pub store: Arc<dyn Store>,
    pub metrics: Metrics,
    pub work: Work,
    pub memory: Memory,
    pub exports: Arc<Exports>,
    pub complaints: Complaints,
}

/// A document's entry among the open ones, for as long as this document has it: another of its name may follow. Clones are
/// the same entry.
#[derive(Clone)]
pub(super) struct Lease(Arc<Entry>);

struct Entry {
    editors: AtomicUsize,
    unsaved: AtomicUsize,
    waits: AtomicBool,
    ended: Callback,
    gone: Callback,
}

/// Something that a document has somebody else do.
pub(super) type Callback = Box<dyn Fn() + Send + Sync>;

impl Lease {
    /// An entry. `ended` is called when the document is open no more, perhaps several times; `gone` when it has gone to the
    /// trash or was deleted, so that what people do beside it ends too.
    pub(super) fn new(ended: Callback, gone: Callback) -> Self {
        Self(Arc::new(Entry {
            editors: AtomicUsize::new(0),
            unsaved: AtomicUsize::new(0),
            waits: AtomicBool::new(false),
            ended,
            gone,
        }))
    }

    /// Says how many sessions have the document open, for lists.
    pub(super) fn set_editors(&self, editors: usize) {
        self.0.editors.store(editors, Ordering::Relaxed);
    }

    /// How many sessions have the document open.
    pub(super) fn editors(&self) -> usize {
        self.0.editors.load(Ordering::Relaxed)
    }

    /// Says how many bytes of changes are not stored, for whoever has to stop before they are.
    pub(super) fn set_unsaved(&self, bytes: usize) {
        self.0.unsaved.store(bytes, Ordering::Relaxed);
    }

    /// How many bytes of changes are not stored.
    pub(super) fn unsaved(&self) -> usize {
        self.0.unsaved.load(Ordering::Relaxed)
    }

    /// Says whether it answers nobody because the store does not answer it.
    pub(super) fn set_waits(&self, waits: bool) {
        self.0.waits.store(waits, Ordering::Relaxed);
    }

    /// Whether it waits for the store.
    pub(super) fn waits(&self) -> bool {
        self.0.waits.load(Ordering::Relaxed)
    }

    /// The document is open no more.
    pub(super) fn end(&self) {
        (self.0.ended)();
    }

    /// The document went to the trash, or was deleted.
    pub(super) fn gone(&self) {
        (self.0.gone)();
    }
}
