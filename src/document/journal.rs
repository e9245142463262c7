//! What has been applied and shown, but is not yet durable.
//!
//! One write is under way at a time; what arrives meanwhile waits together and is stored as one value. When
//! the store fails, the updates stay here and are tried again, editing goes on in memory, and nothing is
//! acknowledged; past [`Config::limit_bytes`] the document takes no more.
//!
//! Pure: the actor carries writes to the store and results back.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::store::{Appended, LoggedUpdate, Sequence};

/// The bound, and the pace of trying again.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Bytes that may wait for the store, per document. Past it writers are turned away (1013): more would
    /// only be lost with the process.
    pub limit_bytes: usize,
    /// Pause after the first failed write; doubled for each further one up to [`Self::retry_max`].
    pub retry_min: Duration,
    /// Longest pause between two tries.
    pub retry_max: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limit_bytes: 32 * 1024 * 1024,
            retry_min: Duration::from_millis(100),
            retry_max: Duration::from_secs(5),
        }
    }
}

/// A place in the journal. What was pushed at or before the watermark is durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// The updates of one document between being applied and being durable.
#[derive(Debug)]
pub struct Journal {
    config: Config,
    /// Not yet handed to the store.
    waiting: VecDeque<LoggedUpdate>,
    /// Handed to the store, not yet answered.
    writing: Vec<LoggedUpdate>,
    bytes: usize,
    last: Ticket,
    watermark: Ticket,
    stored: Sequence,
    failures: u32,
    retry_at: Option<Instant>,
}

impl Journal {
    /// Empty; `stored` is the last sequence number the store gave for this document.
    pub fn new(config: Config, stored: Sequence) -> Self {
        Self {
            config,
            waiting: VecDeque::new(),
            writing: Vec::new(),
            bytes: 0,
            last: Ticket::default(),
            watermark: Ticket::default(),
            stored,
            failures: 0,
            retry_at: None,
        }
    }

    /// Takes in an applied update. It is durable once [`Self::watermark`] reaches the ticket.
    pub fn push(&mut self, update: LoggedUpdate) -> Ticket {
        self.bytes += update.bytes.len();
        self.waiting.push_back(update);
        self.last.0 += 1;
        self.last
    }

    /// The updates to write next, all that wait; `None` while a write is under way, a pause lasts, or
    /// nothing waits. The caller answers with [`Self::succeeded`] or [`Self::failed`].
    pub fn take(&mut self, now: Instant) -> Option<Vec<LoggedUpdate>> {
        let pausing = self.retry_at.is_some_and(|at| now < at);
        if !self.writing.is_empty() || self.waiting.is_empty() || pausing {
            return None;
        }
        self.writing = self.waiting.drain(..).collect();
        Some(self.writing.clone())
    }

    /// The write under way is durable.
    pub fn succeeded(&mut self, appended: Appended) {
        let written = std::mem::take(&mut self.writing);
        self.bytes -= written.iter().map(|update| update.bytes.len()).sum::<usize>();
        self.watermark.0 += written.len() as u64;
        self.stored = Sequence(appended.first.0 + appended.count - 1);
        self.failures = 0;
        self.retry_at = None;
    }

    /// The write under way failed, or nobody knows. Its updates go back to the front, and are tried again
    /// at the moment returned.
    pub fn failed(&mut self, now: Instant) -> Instant {
        for update in std::mem::take(&mut self.writing).into_iter().rev() {
            self.waiting.push_front(update);
        }
        let pause = self.config.retry_min * 2u32.saturating_pow(self.failures.min(16));
        self.failures += 1;
        let at = now + pause.min(self.config.retry_max);
        self.retry_at = Some(at);
        at
    }

    /// Everything up to here is durable.
    pub fn watermark(&self) -> Ticket {
        self.watermark
    }

    /// The last ticket given out.
    pub fn last(&self) -> Ticket {
        self.last
    }

    /// The store's sequence number at the watermark: a checkpoint may claim to hold everything up to it.
    pub fn stored(&self) -> Sequence {
        self.stored
    }

    /// Bytes that are applied but not durable.
    pub fn backlog_bytes(&self) -> usize {
        self.bytes
    }

    /// Whether everything is durable.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.writing.is_empty()
    }

    /// Whether the last write failed.
    pub fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// Whether so much waits that nothing more may be taken.
    pub fn is_full(&self) -> bool {
        self.bytes >= self.config.limit_bytes
    }

    /// What is not durable, oldest first: to be applied again after the document was loaded afresh.
    pub fn unsaved(&self) -> impl Iterator<Item = &LoggedUpdate> {
        self.writing.iter().chain(&self.waiting)
    }
}

#[cfg(test)]
mod tests;
