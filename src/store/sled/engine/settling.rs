//! From the write-ahead log into rows.
//!
//! What was appended stays in memory (*pending*) until it is settled: every [`SETTLE_AFTER`](super::SETTLE_AFTER) or
//! [`SETTLE_BYTES`](super::SETTLE_BYTES) the log goes on in a new segment, and the pending updates of each document
//! become one row of its epoch, together with its end marker; then the old segment is removed. An update that a full
//! state overtakes is never written a second time. A restart takes what the log holds as if it had just been
//! appended; what had been settled is recognised by its sequence.

use std::sync::Arc;

use super::{Engine, Entry, Failure, Group, Index, STEP_BYTES, Slot, row_bytes};
use crate::{
    ids::{DocumentName, Timestamp},
    store::{
        Durability, Life, LoggedUpdate, Sequence, Standing, StoreResult, index,
        layout::{self, Damage, Kind},
        sled::{directory::unopenable, epoch::Row, wal},
    },
};

/// The settling of what a segment of the log holds.
pub(super) struct Settling {
    documents: Vec<DocumentName>,
}

impl Engine {
    /// Goes on in a new segment of the log, and settles what the ones before it hold. What a settling under way has
    /// not come to is part of this one: at its end all those segments go.
    pub(in crate::store::sled) fn begin_settling(&mut self) {
        match self.wal.rotate() {
            Ok(()) => {
                let under_way = self.settling.take();
                self.unsettled.extend(under_way.into_iter().flat_map(|settling| settling.documents));
                self.settling = Some(Settling { documents: self.unsettled.drain().collect() });
            }
            Err(error) => self.fail(&wal::reason(&error)),
        }
    }

    pub(super) fn settle_step(&mut self) {
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
        } else if self.broken.is_none() {
            // Whatever the level: the only other copy is about to go.
            let durable = self.epochs().try_for_each(|epoch| epoch.flush());
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
        self.write_pending(group, &mut entry, &pending);
        entry.settled = entry.head.last.0;
        entry.pending_bytes = 0;
        entry.weigh();
        self.stage_heads(group, entry);
    }

    /// Adds the rows of pending updates to a group.
    pub(super) fn write_pending(&self, group: &mut Group, entry: &mut Entry, pending: &[LoggedUpdate]) {
        if pending.is_empty() {
            return;
        }
        let whole = layout::encode_log(pending);
        let rows = log_rows(&entry.head.document, entry.life(), entry.settled + 1, &whole);
        entry.log_bytes += row_bytes(&rows);
        for row in rows {
            self.push(group, entry, row);
        }
    }

    /// Settles everything there is, at once.
    pub(in crate::store::sled) fn settle_all(&mut self) {
        while self.settling.is_some() && self.broken.is_none() {
            self.settle_step();
        }
        self.begin_settling();
        while self.settling.is_some() && self.broken.is_none() {
            self.settle_step();
        }
    }

    /// Takes what the log held as if it had just been appended.
    pub(super) fn replay(&mut self, index: &mut Index<Slot>, frames: Vec<wal::Frame>) -> StoreResult<()> {
        let path = self.directory.path();
        let unreadable = |damage: Damage| unopenable(path, &format!("its write-ahead log: {damage}"));
        let mut unplaced = Vec::new();
        for frame in frames {
            for logged in frame.decode().map_err(unreadable)? {
                let updates = layout::decode_log(&logged.entry).map_err(unreadable)?;
                let name = logged.name.clone();
                index.change(name.clone(), |slot| {
                    let slot = slot.unwrap_or_else(|| {
                        let at = updates.first().map_or(Timestamp(0), |update| update.at);
                        let entry =
                            Entry::begin(name.clone(), at, Life::FIRST, Arc::clone(&self.young.epoch));
                        Slot { entry, pending: Vec::new() }
                    });
                    replay_one(slot, logged, updates, &mut unplaced)
                });
                self.unsettled.insert(name);
            }
        }
        if !unplaced.is_empty() {
            let kept = self.young.epoch.apply(unplaced, Durability::Disk);
            kept.map_err(|Failure(what)| unopenable(path, &what))?;
        }
        Ok(())
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
    let deleted = matches!(entry.head.standing, Standing::Deleted(_));
    if entry.damaged.is_none() && (deleted || life < entry.life()) {
        return slot; // its life ended after the append
    }
    let last = entry.head.last.0;
    if entry.damaged.is_none() && (first > last + 1 || life > entry.life()) {
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
