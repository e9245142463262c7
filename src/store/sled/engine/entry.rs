//! What is known about one document: where its rows are, and its updates that have none yet.

use std::{ops::ControlFlow, sync::Arc};

use bytes::Bytes;

use super::{Epoch, Unread};
use crate::{
    ids::{DocumentName, Timestamp},
    store::{
        Head, Life, LoggedUpdate, Sequence, StoreError, StoreResult, Stored,
        index::{self, Indexed},
        layout::{self, Damage, End, Key, Kind, Meta, Parts},
    },
};

/// What a document costs beside its state and its log: two head rows.
const HEAD_BYTES: u64 = 200;

/// Why what is stored of a document is not there to be had.
#[derive(Clone, Debug)]
pub(in crate::store::sled) enum Unreadable {
    /// It is damaged.
    Damage(Damage),
    /// The disk did not read it. In a while it may.
    Disk(String),
}

impl Unreadable {
    /// In words.
    pub(in crate::store::sled) fn what(self) -> String {
        match self {
            Self::Damage(Damage(what)) | Self::Disk(what) => what,
        }
    }
}

impl From<Damage> for Unreadable {
    fn from(damage: Damage) -> Self {
        Self::Damage(damage)
    }
}

impl From<Unread> for Unreadable {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Disk(what) => Self::Disk(what),
            Unread::Failure(failure) => Self::Damage(Damage(failure.0)),
        }
    }
}

/// What is known about a document, and its updates that are not settled yet.
#[derive(Clone, Debug)]
pub(in crate::store::sled) struct Slot {
    pub(in crate::store::sled) entry: Entry,
    /// Everything after `entry.settled`.
    pub(super) pending: Vec<LoggedUpdate>,
}

impl Indexed for Slot {
    fn head(&self) -> Option<&Head> {
        self.entry.damaged.is_none().then_some(&self.entry.head)
    }
}

impl Slot {
    /// Reads the document as this slot knows it. Safe on any thread, but only the storage thread knows
    /// that what is missing was not just replaced.
    pub(in crate::store::sled) fn read(&self) -> Result<Stored, Unreadable> {
        let entry = &self.entry;
        let checkpoint = if entry.generation == 0 { None } else { Some(entry.read_state()?) };
        let mut tail = entry.read_tail()?;
        tail.extend(self.pending.iter().cloned());
        Ok(Stored { head: entry.head.clone(), checkpoint, tail })
    }
}

/// What is known about a document, and where its rows are.
#[derive(Clone, Debug)]
pub(in crate::store::sled) struct Entry {
    pub(in crate::store::sled) head: Head,
    pub(in crate::store::sled) generation: u64,
    pub(super) state_len: u64,
    pub(super) state_crc: u32,
    pub(super) log_bytes: u64,
    /// Up to which sequence the log is in rows, or in the checkpoint. What follows is pending.
    pub(super) settled: u64,
    /// What the pending updates will take, about.
    pub(super) pending_bytes: u64,
    /// Whether it has head rows.
    pub(super) stored: bool,
    /// Whether its head says more than its head rows.
    pub(super) stale: bool,
    /// Of its head rows, see [`Tally`](layout::Tally).
    pub(super) fingerprint: u64,
    pub(super) epoch: Arc<Epoch>,
    /// What was found wrong with its rows. They are kept as they are, whatever they say.
    pub(in crate::store::sled) damaged: Option<String>,
}

/// The life of a document whose head rows cannot be read.
pub(super) const NO_LIFE: u32 = 0;

impl Entry {
    pub(super) fn begin(document: DocumentName, at: Timestamp, life: Life, epoch: Arc<Epoch>) -> Self {
        let head = index::begin(document, life, at);
        Self {
            head,
            generation: 0,
            state_len: 0,
            state_crc: 0,
            log_bytes: 0,
            settled: 0,
            pending_bytes: 0,
            stored: false,
            stale: false,
            fingerprint: 0,
            epoch,
            damaged: None,
        }
    }

    /// From the two head rows as they were found. Without both of them the document is damaged.
    pub(super) fn restore(
        document: &DocumentName,
        meta: Option<Result<Meta, Damage>>,
        end: Option<Result<End, Damage>>,
        epoch: Arc<Epoch>,
    ) -> Self {
        let mut entry = Self::begin(document.clone(), Timestamp(0), Life(NO_LIFE), epoch);
        entry.stored = true;
        let what = match (meta, end) {
            (Some(Ok(meta)), Some(Ok(end))) if meta.life == end.life && meta.checkpoint <= end.last => {
                entry.head.created = meta.created;
                entry.head.modified = end.modified;
                entry.head.last = Sequence(end.last);
                entry.head.checkpoint = Sequence(meta.checkpoint);
                entry.head.standing = meta.standing;
                entry.head.summary = meta.summary;
                entry.head.life = Life(meta.life);
                entry.generation = meta.generation;
                entry.state_len = meta.state_len;
                entry.state_crc = meta.state_crc;
                entry.log_bytes = end.log_bytes;
                entry.settled = end.last;
                entry.weigh();
                return entry;
            }
            (Some(Ok(_)), Some(Ok(_))) => "its head and its end marker disagree".into(),
            (Some(Err(damage)), _) => format!("its head: {damage}"),
            (_, Some(Err(damage))) => format!("its end marker: {damage}"),
            (None, _) => "its head is missing".into(),
            (_, None) => "its end marker is missing".into(),
        };
        entry.damaged = Some(what);
        entry
    }

    /// Its life, as rows have it.
    pub(in crate::store::sled) fn life(&self) -> u32 {
        self.head.life.0
    }

    pub(super) fn meta(&self) -> Meta {
        Meta {
            life: self.life(),
            created: self.head.created,
            standing: self.head.standing,
            checkpoint: self.head.checkpoint.0,
            generation: self.generation,
            state_len: self.state_len,
            state_crc: self.state_crc,
            summary: self.head.summary.clone(),
        }
    }

    pub(super) fn end(&self) -> End {
        End { life: self.life(), last: self.settled, modified: self.head.modified, log_bytes: self.log_bytes }
    }

    pub(super) fn weigh(&mut self) {
        self.head.stored_bytes = self.state_len + self.log_bytes + self.pending_bytes;
    }

    /// Bytes of its rows that are still needed.
    pub(super) fn live_bytes(&self) -> u64 {
        self.head.stored_bytes + HEAD_BYTES + 2 * self.head.document.as_str().len() as u64
    }

    pub(in crate::store::sled) fn refuse_damage(&self) -> StoreResult<()> {
        match &self.damaged {
            None => Ok(()),
            Some(what) => {
                Err(StoreError::Damaged { document: self.head.document.clone(), what: what.clone() })
            }
        }
    }

    /// Whether rows found for one of the two are the rows of the other.
    pub(in crate::store::sled) fn same_rows(&self, other: &Self) -> bool {
        self.life() == other.life()
            && self.generation == other.generation
            && self.epoch.number() == other.epoch.number()
            && self.damaged == other.damaged
    }

    fn read_state(&self) -> Result<Bytes, Unreadable> {
        let name = &self.head.document;
        let (from, to) = self.state_range();
        let mut parts = Parts::default();
        let mut next = 0;
        let whole = self.scan(&from, &to, |key, value| {
            let Key::State { part, .. } = layout::parse_key(key)? else {
                return Err(Damage("a row of another kind in the full state".into()));
            };
            next = part + 1;
            parts.add(part, layout::unseal(Kind::State, key, value)?)
        })?;
        let whole = whole.ok_or_else(|| Damage(format!("part {next} of its full state is missing")))?;
        if whole.len() as u64 != self.state_len || crc32c::crc32c(&whole) != self.state_crc {
            return Err(Damage(format!("the full state of {name} is not the one its head speaks of")).into());
        }
        Ok(whole)
    }

    /// The settled updates after the checkpoint.
    fn read_tail(&self) -> Result<Vec<LoggedUpdate>, Unreadable> {
        let (checkpoint, last) = (self.head.checkpoint.0, self.settled);
        if checkpoint == last {
            return Ok(Vec::new());
        }
        let mut tail = Vec::new();
        let mut parts = Parts::default();
        let mut entry_first = 0;
        let mut expected = None;
        let from = self.tail_start()?;
        let to = layout::log_key(&self.head.document, self.life(), last, u32::MAX);
        self.scan::<()>(&from, &to, |key, value| {
            let Key::Log { first, part, .. } = layout::parse_key(key)? else {
                return Err(Damage("a row of another kind in the log".into()));
            };
            if part > 0 && parts.is_empty() && first == entry_first {
                return Ok(None); // left behind by a longer entry that was cut off
            }
            if part == 0 && !parts.is_empty() {
                return Err(Damage(format!("the updates from {entry_first} on are cut short")));
            }
            if part == 0 && expected.unwrap_or(first.min(checkpoint + 1)) != first {
                let missing = expected.unwrap_or(0).max(checkpoint + 1);
                return Err(Damage(format!("updates {missing} to {} are missing", first - 1)));
            }
            entry_first = first;
            if let Some(entry) = parts.add(part, layout::unseal(Kind::Log, key, value)?)? {
                let updates = layout::decode_log(&entry)?;
                expected = Some(first + updates.len() as u64);
                let known = (checkpoint + 1).saturating_sub(first) as usize;
                tail.extend(updates.into_iter().skip(known));
            }
            Ok(None)
        })?;
        let stored = checkpoint + tail.len() as u64;
        if stored != last || !parts.is_empty() {
            return Err(Damage(format!("updates {} to {last} are missing", stored.min(last) + 1)).into());
        }
        Ok(tail)
    }

    /// Key of the log entry that holds the first update after the checkpoint, or of where it would be.
    pub(super) fn tail_start(&self) -> Result<Vec<u8>, Unreadable> {
        let name = &self.head.document;
        let wanted = self.head.checkpoint.0 + 1;
        if self.settled < wanted {
            return Ok(layout::log_key(name, self.life(), wanted, 0));
        }
        let (from, to) =
            (layout::log_key(name, self.life(), 0, 0), layout::log_key(name, self.life(), wanted, u32::MAX));
        let found = self.epoch.last_key(&from, &to).map_err(Unread::from)?;
        match found.as_deref().map(layout::parse_key).transpose()? {
            Some(Key::Log { first, .. }) => Ok(layout::log_key(name, self.life(), first, 0)),
            _ => Ok(layout::log_key(name, self.life(), wanted, 0)),
        }
    }

    pub(super) fn state_range(&self) -> (Vec<u8>, Vec<u8>) {
        let (name, parts) = (&self.head.document, layout::parts(self.state_len as usize));
        let key = |part| layout::state_key(name, self.life(), self.generation, part);
        (key(0), key(parts - 1))
    }

    pub(super) fn scan<T>(
        &self,
        from: &[u8],
        to: &[u8],
        mut each: impl FnMut(&[u8], &[u8]) -> Result<Option<T>, Damage>,
    ) -> Result<Option<T>, Unreadable> {
        let found = self.epoch.scan(from, to, |key, value| match each(key, value) {
            Ok(None) => ControlFlow::Continue(()),
            Ok(Some(found)) => ControlFlow::Break(Ok(found)),
            Err(damage) => ControlFlow::Break(Err(damage)),
        });
        Ok(found?.transpose()?)
    }
}
