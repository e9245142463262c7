//! A fresh epoch in place of one with too many dead bytes.
//!
//! Live rows are copied over in steps of about [`STEP_BYTES`] between commits; then the old epoch is removed as a
//! whole. A document's rows are copied first and its head last, in one batch with the last rows, so a crash at any
//! step leaves it whole in one of the two. While it is being copied, appends still go to the old epoch and are copied
//! with the rest.

use std::{
    collections::VecDeque,
    ops::ControlFlow,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Engine, Entry, Epoch, Failure, Group, STEP_BYTES, Slot, Unread, Unreadable, Writer, after,
    opening::SUSPECT,
};
use crate::{
    ids::DocumentName,
    store::{
        Standing, StoreError, StoreResult, Usage,
        layout::{self, Kind, Tally},
        sled::{directory::disk_bytes, epoch::HeadRows},
    },
};

/// By what part of the slack a store that rests must be dead to be rewritten after something was thrown away.
const IDLE_SLACK: u64 = 16;
/// The least slack.
const SLACK_MIN: u64 = 64 << 10;
/// What a fresh epoch takes beside its rows, and what else may be written meanwhile.
const COPY_BYTES: u64 = 16 << 20;

/// The pause before a copy goes on that the disk did not read something for; doubled for each further one.
const PAUSE_MIN: Duration = Duration::from_secs(5);
/// The longest of these pauses.
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// The emptying of the old epoch.
pub(super) struct Drain {
    documents: Vec<DocumentName>,
    copying: Option<Copying>,
    /// Where the next quarantined row is looked for; `None` once all are copied.
    quarantine: Option<Vec<u8>>,
    /// The same for records beside documents.
    records: Option<Vec<u8>>,
    /// Whether an earlier process may have left parts of copies behind.
    resumed: bool,
    disk_before: u64,
    /// How long it rests, and until when, because the disk did not read something.
    rest: Option<(Duration, Instant)>,
}

/// A document on its way from the old epoch to the young one.
struct Copying {
    entry: Entry,
    /// Keys still to be copied, both ends included.
    ranges: VecDeque<KeyRange>,
}

/// The first and the last key.
type KeyRange = (Vec<u8>, Vec<u8>);

impl Engine {
    /// Sizes as they are now.
    pub(in crate::store::sled) fn measure(&mut self) {
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

    pub(super) fn measure_free(&mut self) {
        let free = (self.free_space)(self.directory.path());
        if let Err(error) = &free {
            tracing::warn!(%error, "free space of the disk cannot be measured");
        }
        self.shared.usage.write().free_bytes = free.ok();
        self.measured = Instant::now();
    }

    /// Rotates if too much is dead: more than is live and the slack; or less than the slack, if something was thrown
    /// away and nobody is writing now.
    pub(super) fn consider_rotation(&mut self, idle: bool) {
        if self.old.is_some() || !self.retired.is_empty() {
            return;
        }
        let Usage { live_bytes, free_bytes, .. } = *self.shared.usage.read();
        // What is being written in steps is as good as live.
        let live_bytes = live_bytes + self.large.bytes();
        let slack = self.config.slack_bytes / if idle && self.thrown_away { IDLE_SLACK } else { 1 };
        let slack = slack.max(SLACK_MIN); // what an empty epoch takes is not dead
        if self.young.epoch.row_bytes() <= 2 * live_bytes + slack {
            self.thrown_away &= !idle;
            return;
        }
        // The copy takes less than it gives back, and may use what is kept free; but it must fit.
        if free_bytes.is_none_or(|free| free > live_bytes + live_bytes / 4 + COPY_BYTES) {
            self.thrown_away = false;
            self.rotate();
        }
    }

    /// Begins a fresh epoch; the present one becomes the old one.
    pub(in crate::store::sled) fn rotate(&mut self) {
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
    pub(super) fn share_epochs(&self) {
        let epochs = [&self.young].into_iter().chain(&self.old);
        *self.shared.epochs.write() = epochs.map(|writer| Arc::clone(&writer.epoch)).collect();
    }

    pub(super) fn begin_drain(&mut self, resumed: bool) {
        let young = self.young.epoch.number();
        let index = self.shared.index.read();
        let stays = |slot: &Slot| slot.entry.epoch.number() != young;
        let documents = index.iter().filter(|(_, slot)| stays(slot)).map(|(name, _)| name.clone()).collect();
        let disk_before = self.shared.usage.read().disk_bytes;
        let quarantine = Some(vec![Kind::Quarantine as u8]);
        let records = Some(vec![Kind::Record as u8]);
        self.drain =
            Some(Drain { documents, copying: None, quarantine, records, resumed, disk_before, rest: None });
    }

    /// Whether there is something to copy now.
    pub(super) fn drains(&self) -> bool {
        let rests = |drain: &Drain| drain.rest.is_some_and(|(_, until)| Instant::now() < until);
        self.drain.as_ref().is_some_and(|drain| !rests(drain))
    }

    /// Says why not everything is in one epoch, where nobody waits for the rest.
    pub(in crate::store::sled) fn is_drained(&self) -> StoreResult<()> {
        match &self.drain {
            None => Ok(()),
            Some(_) => Err(StoreError::Unreadable(
                "what is to be copied; nothing was removed, look at the log and at the disk".into(),
            )),
        }
    }

    /// Begins the copy anew in a while. What the disk does not read now stays where it is, and nothing is removed before
    /// it is copied; everything else goes on, in two epochs.
    fn rest_drain(&mut self, before: &Drain, what: &str) {
        let pause = before.rest.map_or(PAUSE_MIN, |(pause, _)| (2 * pause).min(PAUSE_MAX));
        tracing::error!(
            what,
            ?pause,
            "the disk does not read what is to be copied; it is tried again by itself"
        );
        self.begin_drain(true);
        if let Some(drain) = &mut self.drain {
            drain.disk_before = before.disk_before;
            drain.rest = Some((pause, Instant::now() + pause));
        }
    }

    /// Copies about [`STEP_BYTES`] from the old epoch to the young one.
    pub(in crate::store::sled) fn drain_step(&mut self) {
        let (Some(mut drain), Some(old)) = (self.drain.take(), &self.old) else { return };
        let old = Arc::clone(&old.epoch);
        let mut group = Group::default();
        let done = match self.copy(&mut drain, &old, &mut group) {
            Ok(done) => done,
            Err(Unread::Disk(what)) => return self.rest_drain(&drain, &what),
            Err(Unread::Failure(Failure(reason))) => return self.fail(&reason),
        };
        drop(old);
        self.commit(group);
        if self.broken.is_some() {
            return;
        }
        if done {
            self.finish_drain(drain.disk_before);
        } else {
            self.drain = Some(drain);
        }
    }

    /// Whether all is copied, once the group is committed.
    fn copy(&self, drain: &mut Drain, old: &Arc<Epoch>, group: &mut Group) -> Result<bool, Unread> {
        while group.row_bytes < STEP_BYTES {
            let Some(mut copying) = self.next_copy(drain, old)? else { break };
            while let Some((from, to)) = copying.ranges.pop_front() {
                let settled =
                    if from[0] == Kind::Log as u8 { self.settled_end(&copying.entry) } else { None };
                let upto = settled.filter(|end| *end < to).unwrap_or_else(|| to.clone());
                if let Some(rest) = copy_range(old, from, &upto, group)? {
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
    fn next_copy(&self, drain: &mut Drain, old: &Arc<Epoch>) -> Result<Option<Copying>, Unread> {
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
                    let cleared = self.young.epoch.clear(&prefix, &after(&prefix), self.config.durability);
                    cleared.map_err(Unread::Failure)?;
                }
            }
            match live_ranges(&entry) {
                Ok(ranges) => return Ok(Some(Copying { entry, ranges })),
                Err(Unreadable::Disk(what)) => return Err(Unread::Disk(what)),
                Err(Unreadable::Damage(damage)) => {
                    self.damaged(&entry, damage);
                    again = Some(document); // and now as a damaged one
                }
            }
        }
        Ok(None)
    }

    /// The last key that is written for good among the rows of a document. What stands behind it will be written again:
    /// it belongs to an append that is under way, or was cut off.
    fn settled_end(&self, copying: &Entry) -> Option<Vec<u8>> {
        let now = self.durable(&copying.head.document)?;
        let settled = now.damaged.is_none().then_some(now.settled)?;
        Some(layout::log_key(&now.head.document, now.life(), settled, u32::MAX))
    }

    fn finish_drain(&mut self, disk_before: u64) {
        let young = &self.young.epoch;
        // Whatever the level: the only other copy is about to go.
        let durable = young.flush().and_then(|()| {
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
        let after = self.shared.usage.read().disk_bytes;
        tracing::info!(epoch = self.young.epoch.number(), before = disk_before, after, "store rotated");
        self.observer.rotated(disk_before, after);
    }

    /// Removes emptied epochs that no reader holds any more.
    pub(super) fn release_retired(&mut self) {
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
    pub(in crate::store::sled) fn epochs(&self) -> impl Iterator<Item = &Arc<Epoch>> {
        self.old.iter().chain([&self.young]).map(|writer| &writer.epoch)
    }
}

/// What has to be copied of a document. Of a damaged one, everything there is.
fn live_ranges(entry: &Entry) -> Result<VecDeque<KeyRange>, Unreadable> {
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
    if !matches!(entry.head.standing, Standing::Deleted(_)) {
        // Open at its end, for appends that come while it is being copied.
        ranges.push_back((entry.tail_start()?, layout::log_key(name, entry.life(), u64::MAX, u32::MAX)));
    }
    Ok(ranges)
}

/// Copies rows until the group is full; gives where to go on, if there may be more.
fn copy_range(old: &Epoch, from: Vec<u8>, to: &[u8], group: &mut Group) -> Result<Option<Vec<u8>>, Unread> {
    old.scan(&from, to, |key, value| {
        if group.row_bytes >= STEP_BYTES {
            return ControlFlow::Break(key.to_vec());
        }
        group.row_bytes += key.len() + value.len();
        group.young.push((key.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    })
}
