//! What is too large for one commit: long appends and full states, written in steps of about [`STEP_BYTES`] between
//! the commits of others, so that nobody waits behind 50 MB for a letter.
//!
//! The rows come first and the head that speaks of them last, in the group of the last step: a crash on the way leaves
//! rows that nobody asks for. A long append never goes through the write-ahead log, and settles what its document had
//! there. Rows of one that was cut off are overwritten by the next entry of the same sequence, and what is left behind
//! its last part is passed over (`Entry::read_tail`). All requests that would move its document's sequence wait behind it.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;

use super::{Engine, Epoch, Failure, Group, Reply, Request, Row, STEP_BYTES, row_bytes};
use crate::{
    ids::{DocumentName, Timestamp},
    store::{
        Append, Appended, Durability, Life, Sequence, StoreError, StoreResult, Summary, index,
        layout::{self, Kind, LogPieces},
    },
};

/// Rows of a step.
const STEP_ROWS: u32 = (STEP_BYTES / layout::ROW_BYTES) as u32;

/// What is being written in steps.
#[derive(Default)]
pub(super) struct Large {
    appends: VecDeque<AppendJob>,
    states: VecDeque<(StateJob, Progress)>,
}

/// A long append, from when its document's sequence is free until it is durable.
struct AppendJob {
    append: Append,
    entry: LogPieces,
    reply: Reply<Vec<Appended>>,
    progress: Progress,
    /// What has to wait until the document's next sequence is known.
    behind: Vec<Request>,
}

/// A full state.
pub(super) struct StateJob {
    pub(super) document: DocumentName,
    pub(super) life: Life,
    pub(super) upto: Sequence,
    pub(super) state: Bytes,
    pub(super) summary: Summary,
    pub(super) reply: Reply<()>,
    pub(super) generation: u64,
}

/// How much of it is written, and where.
#[derive(Default)]
struct Progress {
    epoch: Option<Arc<Epoch>>,
    part: u32,
    /// Bytes of the rows.
    bytes: u64,
}

impl Progress {
    /// The rows of the next step, and whether it is the last. Whatever was written to another epoch goes away with it.
    fn next(&mut self, epoch: &Arc<Epoch>, all: u32, row: impl Fn(u32) -> Row) -> (bool, Vec<Row>) {
        if !self.epoch.as_ref().is_some_and(|known| Arc::ptr_eq(known, epoch)) {
            *self = Self { epoch: Some(Arc::clone(epoch)), ..Self::default() };
        }
        let from = self.part;
        self.part = all.min(from + STEP_ROWS);
        let rows: Vec<Row> = (from..self.part).map(row).collect();
        self.bytes += row_bytes(&rows);
        (self.part == all, rows)
    }
}

impl Large {
    pub(super) fn is_empty(&self) -> bool {
        self.appends.is_empty() && self.states.is_empty()
    }

    pub(super) fn has_appends(&self) -> bool {
        !self.appends.is_empty()
    }

    /// Bytes of rows that no head speaks of yet.
    pub(super) fn bytes(&self) -> u64 {
        let appends = self.appends.iter().map(|job| job.progress.bytes);
        appends.chain(self.states.iter().map(|(_, progress)| progress.bytes)).sum()
    }

    pub(super) fn add_state(&mut self, job: StateJob) {
        self.states.push_back((job, Progress::default()));
    }

    /// Gives back a request that need not wait behind a long append.
    pub(super) fn hold_back(&mut self, request: Request) -> Option<Request> {
        let moves = |document: &DocumentName| match &request {
            Request::Append { batch, .. } => batch.iter().any(|append| append.document == *document),
            Request::Create { document: moved, .. } | Request::SetStanding { document: moved, .. } => {
                moved == document
            }
            _ => false,
        };
        match self.appends.iter().position(|job| moves(&job.append.document)) {
            Some(held) => {
                self.appends[held].behind.push(request);
                None
            }
            None => Some(request),
        }
    }

    /// Nobody waits for a state any more.
    pub(super) fn close(&mut self) {
        for (job, _) in self.states.drain(..) {
            let _ = job.reply.send(Err(StoreError::Closed));
        }
    }
}

impl Engine {
    /// Whether this is written in steps: more than a step of one document.
    pub(super) fn is_long(batch: &[Append]) -> bool {
        let [append] = batch else { return false };
        append.updates.iter().map(|update| update.bytes.len()).sum::<usize>() > STEP_BYTES
    }

    /// Begins with a long append. Its document must not be staged.
    pub(super) fn begin_append(&mut self, append: Append, reply: Reply<Vec<Appended>>) {
        if let Err(refused) = self.takes(&append) {
            let _ = reply.send(Err(refused));
            return;
        }
        let entry = LogPieces::new(&append.updates);
        let job = AppendJob { append, entry, reply, progress: Progress::default(), behind: Vec::new() };
        self.large.appends.push_back(job);
    }

    fn takes(&self, append: &Append) -> StoreResult<()> {
        self.shared.writable()?;
        self.durable(&append.document).map_or(Ok(()), |entry| super::takes_appends(&entry))
    }

    /// Writes the next step of something.
    pub(super) fn large_step(&mut self) {
        match self.large.appends.pop_front() {
            Some(job) => self.append_step(job),
            None => self.state_step(),
        }
    }

    /// Whoever sends something long takes turns with others who do.
    fn append_step(&mut self, mut job: AppendJob) {
        let document = job.append.document.clone();
        let at = job.append.updates.first().map_or(Timestamp(0), |update| update.at);
        let mut entry = self.durable(&document).unwrap_or_else(|| self.begin(document.clone(), at));
        // It may have been found damaged since.
        if let Err(refused) = super::takes_appends(&entry) {
            let _ = job.reply.send(Err(refused));
            return self.go_on(job.behind);
        }
        if !entry.stored {
            entry.epoch = Arc::clone(&self.young.epoch);
        }
        let (first, life) = (entry.head.last.0 + 1, entry.life());
        let all = job.entry.parts();
        let row = |part| {
            let key = layout::log_key(&document, life, first, part);
            let value = layout::seal(Kind::Log, &key, &job.entry.part(part));
            (key, value)
        };
        let (is_last, rows) = job.progress.next(&entry.epoch, all, row);
        if !is_last {
            // Synced at any level of durability: the log goes on behind them, and must not outlive them.
            match self.write_rows(&entry.epoch, rows, Durability::Disk) {
                Ok(()) => self.large.appends.push_back(job),
                Err(refused) => {
                    let _ = job.reply.send(Err(refused));
                    self.go_on(job.behind);
                }
            }
            return;
        }
        let mut group = Group { synced: true, ..Group::default() };
        self.write_pending(&mut group, &mut entry, &self.pending(&document));
        for row in rows {
            self.push(&mut group, &entry, row);
        }
        entry.log_bytes += job.progress.bytes;
        let Append { updates, summary, .. } = job.append;
        let appended = index::append(&mut entry.head, &updates, summary)
            .map(|first| vec![Appended { life: entry.head.life, first, count: updates.len() as u64 }]);
        if appended.is_ok() {
            (entry.settled, entry.pending_bytes) = (entry.head.last.0, 0);
            entry.weigh();
            group.updates += updates.len();
            self.stage_heads(&mut group, entry);
        }
        group.answer(job.reply, appended);
        self.commit(group);
        self.go_on(job.behind);
    }

    /// Does what waited behind a long append.
    pub(super) fn go_on(&mut self, behind: Vec<Request>) {
        let mut group = Group::default();
        for request in behind {
            if let Some(request) = self.stage(&mut group, request) {
                self.commit(std::mem::take(&mut group));
                // A group that holds nothing gives nothing back.
                drop(self.stage(&mut group, request));
            }
        }
        self.commit(group);
    }

    /// Rows that no head speaks of yet.
    fn write_rows(&mut self, epoch: &Epoch, rows: Vec<Row>, level: Durability) -> StoreResult<()> {
        self.written += row_bytes(&rows);
        epoch.apply(rows, level).map_err(|Failure(reason)| {
            self.fail(&reason);
            StoreError::Unwritable(reason)
        })
    }

    fn state_step(&mut self) {
        let Some((job, mut progress)) = self.large.states.pop_front() else { return };
        let epoch = Arc::clone(&self.young.epoch);
        let all = layout::parts(job.state.len());
        let (is_last, rows) = progress.next(&epoch, all, |part| job.row(part));
        if is_last {
            let row_bytes = row_bytes(&rows) as usize;
            let mut group = Group { young: rows, row_bytes, ..Group::default() };
            self.finish_state(&mut group, job);
            return self.commit(group);
        }
        match self.write_rows(&epoch, rows, self.config.durability) {
            Ok(()) => self.large.states.push_front((job, progress)),
            Err(refused) => drop(job.reply.send(Err(refused))),
        }
    }

    /// What was being written is not.
    pub(super) fn give_up_large(&mut self, reason: &str) {
        let Large { appends, states } = std::mem::take(&mut self.large);
        for (job, _) in states {
            let _ = job.reply.send(Err(StoreError::Unwritable(reason.to_owned())));
        }
        for job in appends {
            let _ = job.reply.send(Err(StoreError::Unwritable(reason.to_owned())));
            self.go_on(job.behind);
        }
    }
}

impl StateJob {
    pub(super) fn row(&self, part: u32) -> Row {
        let key = layout::state_key(&self.document, self.life.0, self.generation, part);
        let value = layout::seal(Kind::State, &key, &layout::part(&self.state, part));
        (key, value)
    }
}
