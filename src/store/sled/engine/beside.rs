//! Records beside documents: how they are kept, found, forgotten, and carried into a fresh epoch.
//!
//! Unlike updates they do not pass through the write-ahead log: they are few, may be megabytes, and are never
//! overtaken by a full state. Their rows go to the young epoch with the group they came in, which is flushed
//! before anybody is answered. A record may therefore be in the old epoch while its document is already in
//! the young one, or the other way round: whoever reads looks into the young epoch first and then into the old
//! one. A record that was forgotten leaves a mark in its first row, which outweighs whatever an older epoch
//! says, and goes away when the epoch does.
//!
//! What a document has of them is counted in one row of its own ([`Beside`]), which is also summed up in the
//! tally of its epoch. It counts as long as its document is in the same life; deleting a document for ever
//! ends that life, and with it all records, at once.

use std::{
    collections::{HashMap, HashSet},
    ops::ControlFlow,
    sync::Arc,
};

use bytes::Bytes;
use uuid::Uuid;

use super::{Engine, Epoch, Group, STEP_BYTES, Shared, Unread, Unreadable, after};
use crate::{
    ids::{DocumentName, Timestamp},
    store::{
        Collection, Kept, Life, Quota, Record, Standing, StoreError, StoreResult, index,
        layout::{self, Beside, Damage, Key, Kind, Parts, Tally},
    },
};

/// What there is beside a document, and where that is written.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) beside: Beside,
    /// Number of the epoch that holds the row, and the row's fingerprint.
    pub(super) epoch: u64,
    pub(super) fingerprint: u64,
}

/// What a group does to records.
#[derive(Default)]
pub(super) struct Changes {
    /// What there will be beside these documents.
    beside: HashMap<DocumentName, Beside>,
    /// The first rows of the records that come.
    coming: HashSet<Vec<u8>>,
    /// Documents of which something goes.
    losing: HashSet<DocumentName>,
    /// Rows that were carried over as they are.
    carried: Vec<(DocumentName, Held)>,
}

/// What is to be known once a group is durable: what there is beside documents, and which records came.
pub(super) type Staged = (Vec<(DocumentName, Held)>, HashSet<Vec<u8>>);

impl Changes {
    /// Whether a request to keep something beside the document must wait for the group.
    pub(super) fn is_losing(&self, document: &DocumentName) -> bool {
        self.losing.contains(document)
    }

    /// Whether anything beside the document changes.
    pub(super) fn concern(&self, document: &DocumentName) -> bool {
        self.beside.contains_key(document)
    }
}

impl Shared {
    /// The epochs in use, the young one first.
    fn epochs(&self) -> Vec<Arc<Epoch>> {
        self.epochs.read().clone()
    }

    /// The life of a document whose records count, if it has one.
    fn life(&self, document: &DocumentName) -> StoreResult<Option<u32>> {
        let index = self.index.read();
        let Some(slot) = index.get(document) else { return Ok(None) };
        slot.entry.refuse_damage()?;
        let deleted = matches!(slot.entry.head.standing, Standing::Deleted(_));
        Ok((!deleted).then_some(slot.entry.life()))
    }

    /// The value of a record. Safe on any thread.
    pub(in super::super) fn record(
        &self,
        document: &DocumentName,
        collection: Collection,
        key: Uuid,
    ) -> StoreResult<Option<Bytes>> {
        let Some(life) = self.life(document)? else { return Ok(None) };
        let read = read_record(&self.epochs(), document, life, collection, key);
        let found = read.map_err(|unreadable| self.unreadable_record(document, unreadable))?;
        Ok(found.filter(|_| self.is_durable(document, life, collection, key)))
    }

    fn unreadable_record(&self, document: &DocumentName, unreadable: Unreadable) -> StoreError {
        // While the files are opened again nobody knows.
        self.writes_work().err().unwrap_or_else(|| unreadable_record(document, unreadable))
    }

    /// Whether a record that was read is durable. Asked after it was read: it was noted before it could be.
    fn is_durable(&self, document: &DocumentName, life: u32, collection: Collection, key: Uuid) -> bool {
        let arriving = self.arriving.read();
        arriving.is_empty() || !arriving.contains(&layout::record_key(document, life, collection, key, 0))
    }

    /// Records with the greatest keys below `before`. Safe on any thread.
    pub(in super::super) fn records(
        &self,
        document: &DocumentName,
        collection: Collection,
        before: Option<Uuid>,
        limit: usize,
    ) -> StoreResult<Vec<Record>> {
        let Some(life) = self.life(document)? else { return Ok(Vec::new()) };
        let epochs = self.epochs();
        let mut found = Vec::new();
        let mut upto = before.map_or(Some(Uuid::max()), below);
        while let Some(last) = upto
            && found.len() < limit
        {
            let newest = newest(&epochs, document, life, collection, last);
            let Some(key) = newest.map_err(|unreadable| self.unreadable_record(document, unreadable))? else {
                break;
            };
            let read = read_record(&epochs, document, life, collection, key);
            if let Some(value) = read.map_err(|unreadable| self.unreadable_record(document, unreadable))?
                && self.is_durable(document, life, collection, key)
            {
                found.push(Record { collection, key, value });
            }
            upto = below(key);
        }
        Ok(found)
    }

    /// Reads all records of a document, and says what is wrong with them, or how many there are.
    pub(in super::super) fn verify_records(&self, document: &DocumentName) -> Result<u64, String> {
        let counted = self.beside.read().get(document).map(|held| held.beside.clone());
        let Some(life) = self.life(document).map_err(|error| error.to_string())? else { return Ok(0) };
        let mut found = Beside::nothing(life);
        for collection in Collection::ALL {
            let mut before = None;
            loop {
                let page = self.records(document, collection, before, 16).map_err(|error| match error {
                    StoreError::Damaged { what, .. } => format!("a record beside it: {what}"),
                    error => error.to_string(),
                })?;
                for Record { key, value, .. } in &page {
                    found.add(document, collection, *key, value);
                    before = Some(*key);
                }
                if page.is_empty() {
                    break;
                }
            }
        }
        let counted = counted.filter(|beside| beside.life == life).unwrap_or(Beside::nothing(life));
        if counted != found {
            let (wanted, there) = (counted.records(), found.records());
            return Err(format!(
                "{wanted} records were kept beside it, and {there} are found, or not the same"
            ));
        }
        Ok(found.records())
    }
}

impl Engine {
    pub(super) fn keep(
        &mut self,
        group: &mut Group,
        (document, life): (DocumentName, Life),
        at: Timestamp,
        records: Vec<Record>,
        quota: Quota,
    ) -> StoreResult<Kept> {
        self.shared.writable()?;
        let entry = self.entry(group, &document).unwrap_or_else(|| self.begin(document.clone(), at));
        entry.refuse_damage()?;
        index::is_in_life(&entry.head, life)?;
        let epochs = self.shared.epochs();
        let is_there = |record: &Record| -> StoreResult<bool> {
            let row = layout::record_key(&document, entry.life(), record.collection, record.key, 0);
            let found = if group.records.coming.contains(&row) { Ok(true) } else { is_kept(&epochs, &row) };
            found.map_err(|unreadable| unreadable_record(&document, unreadable))
        };
        let mut fresh = Vec::new();
        for (number, record) in records.into_iter().enumerate() {
            match is_there(&record)? {
                true if number == 0 => return Ok(Kept::Known),
                true => {}
                false => fresh.push(record),
            }
        }
        let mut beside = self.beside(group, &document, entry.life());
        for Record { collection, key, value } in &fresh {
            beside.add(&document, *collection, *key, value);
        }
        let (count, bytes) = beside.total(quota.collection);
        if count > quota.records || bytes > quota.bytes {
            return Ok(Kept::NoRoom);
        }
        for Record { collection, key, value } in fresh {
            for part in 0..layout::parts(value.len()) {
                let row = layout::record_key(&document, entry.life(), collection, key, part);
                let sealed = layout::seal(Kind::Record, &row, &layout::part(&value, part));
                group.row_bytes += row.len() + sealed.len();
                if part == 0 {
                    group.records.coming.insert(row.clone());
                }
                group.young.push((row, sealed));
            }
        }
        group.records.beside.insert(document, beside);
        if !entry.stored {
            // Records without a document would come back to light in the next one of this name.
            self.stage_heads(group, entry);
        }
        Ok(Kept::New)
    }

    /// Allowed on a full disk: throwing away is how people make room. The group holds nothing beside the
    /// document.
    pub(super) fn forget(
        &mut self,
        group: &mut Group,
        (document, life): (DocumentName, Life),
        records: &[(Collection, Uuid)],
    ) -> StoreResult<bool> {
        let entry = self.entry(group, &document).ok_or_else(|| StoreError::Missing(document.clone()))?;
        entry.refuse_damage()?;
        index::is_in_life(&entry.head, life)?;
        self.shared.writes_work()?;
        let epochs = self.shared.epochs();
        let mut beside = self.beside(group, &document, entry.life());
        let mut first_was_there = false;
        let mut going = HashSet::new();
        for (number, &(collection, key)) in records.iter().enumerate() {
            let read = read_record(&epochs, &document, entry.life(), collection, key);
            let Some(value) = read.map_err(|unreadable| unreadable_record(&document, unreadable))? else {
                continue;
            };
            if !going.insert((collection, key)) {
                continue;
            }
            first_was_there |= number == 0;
            beside.remove(&document, collection, key, &value);
            let row = layout::record_key(&document, entry.life(), collection, key, 0);
            let sealed = layout::seal(Kind::Record, &row, &layout::FORGOTTEN);
            group.row_bytes += row.len() + sealed.len();
            group.young.push((row, sealed));
        }
        if !going.is_empty() {
            self.thrown_away = true;
            group.records.losing.insert(document.clone());
            group.records.beside.insert(document, beside);
        }
        Ok(first_was_there)
    }

    /// The document is deleted for ever, and its records with it.
    pub(super) fn forget_all(&self, group: &mut Group, document: &DocumentName, life: u32) {
        if self.beside(group, document, life).records() > 0 {
            group.records.losing.insert(document.clone());
            group.records.beside.insert(document.clone(), Beside::nothing(life));
        }
    }

    /// What there is beside a document in this life of it, counting what the group holds.
    fn beside(&self, group: &Group, document: &DocumentName, life: u32) -> Beside {
        let staged = group.records.beside.get(document).cloned();
        let known = staged.or_else(|| Some(self.shared.beside.read().get(document)?.beside.clone()));
        known.filter(|beside| beside.life == life).unwrap_or(Beside::nothing(life))
    }

    /// Adds the rows that count, and notes the records that come as not yet to be shown.
    pub(super) fn stage_beside(&self, group: &mut Group) -> Staged {
        let changes = std::mem::take(&mut group.records);
        let mut held = changes.carried;
        for (document, beside) in changes.beside {
            let row = layout::beside_key(&document);
            let sealed = layout::seal(Kind::Beside, &row, &beside.encode());
            let fingerprint = layout::beside_fingerprint(&sealed);
            let epoch = self.young.epoch.number();
            let replaced =
                self.shared.beside.read().get(&document).map(|held| (held.epoch, held.fingerprint));
            let replaced = replaced.filter(|(number, _)| *number == epoch).map_or(0, |(_, old)| old);
            group.young_heads.push((Tally::bucket(&document), fingerprint.wrapping_sub(replaced)));
            group.row_bytes += row.len() + sealed.len();
            group.young.push((row, sealed));
            held.push((document, Held { beside, epoch, fingerprint }));
        }
        if !changes.coming.is_empty() {
            self.shared.arriving.write().extend(changes.coming.iter().cloned());
        }
        (held, changes.coming)
    }

    /// Makes it known.
    pub(super) fn publish_beside(&mut self, held: Vec<(DocumentName, Held)>, coming: &HashSet<Vec<u8>>) {
        if held.is_empty() {
            return;
        }
        if !coming.is_empty() {
            self.shared.arriving.write().retain(|row| !coming.contains(row));
        }
        let mut known = self.shared.beside.write();
        for (document, held) in held {
            self.record_bytes += held.beside.row_bytes;
            if let Some(before) = known.insert(document, held) {
                self.record_bytes = self.record_bytes.saturating_sub(before.beside.row_bytes);
            }
        }
    }

    /// A commit without its flush, for a test that looks at what is seen before it is durable.
    #[cfg(test)]
    pub(in super::super) fn commit_watched(&mut self, mut group: Group, meanwhile: impl FnOnce()) {
        let (held, coming) = self.stage_beside(&mut group);
        self.young.epoch.apply(group.young, self.config.durability).unwrap();
        meanwhile();
        self.publish_beside(held, &coming);
    }

    // ---- into a fresh epoch ----

    /// Copies the records that still count, from the key `from` on, until the group is full; gives where to go
    /// on. Always stops between two records, so that none is copied in part.
    pub(super) fn copy_records(
        &self,
        old: &Epoch,
        from: Vec<u8>,
        group: &mut Group,
    ) -> Result<Option<Vec<u8>>, Unread> {
        let young = Arc::clone(&self.young.epoch);
        let mut seen = 0;
        // The record under way, without the number of the part, and whether it is wanted.
        let mut under_way: (Vec<u8>, bool) = (Vec::new(), false);
        let stopped = old.scan(&from, &after(&[Kind::Record as u8]), |key, value| {
            let record = &key[..key.len().saturating_sub(4)];
            if under_way.0 != record {
                if group.row_bytes >= STEP_BYTES || seen >= 4 * STEP_BYTES {
                    return ControlFlow::Break(Ok(key.to_vec()));
                }
                let wanted = match self.is_wanted(&young, key, value) {
                    Ok(wanted) => wanted,
                    Err(failure) => return ControlFlow::Break(Err(failure)),
                };
                under_way = (record.to_vec(), wanted);
            }
            seen += key.len() + value.len();
            if under_way.1 {
                group.row_bytes += key.len() + value.len();
                group.young.push((key.to_vec(), value.to_vec()));
            }
            ControlFlow::Continue(())
        })?;
        stopped.transpose()
    }

    /// Whether the record whose first row this is goes into the young epoch. Damage goes along as it is.
    fn is_wanted(&self, young: &Epoch, key: &[u8], value: &[u8]) -> Result<bool, Unread> {
        let Ok(Key::Record { name, life, collection, key: record, .. }) = layout::parse_key(key) else {
            return Ok(false);
        };
        let counts = {
            let index = self.shared.index.read();
            index.get(&name).is_some_and(|slot| {
                let deleted = matches!(slot.entry.head.standing, Standing::Deleted(_));
                slot.entry.damaged.is_some() || (!deleted && slot.entry.life() == life)
            })
        };
        let forgotten =
            layout::unseal(Kind::Record, key, value).is_ok_and(|payload| payload == layout::FORGOTTEN);
        if !counts || forgotten {
            return Ok(false);
        }
        // What the young epoch has is as good or better: a copy, or the mark of what was forgotten since.
        Ok(young.get(&layout::record_key(&name, life, collection, record, 0))?.is_none())
    }

    /// Carries the counts over; true once all are.
    pub(super) fn copy_beside(&self, old: &Epoch, group: &mut Group) -> Result<bool, Unread> {
        const AT_ONCE: usize = 2048;
        let left: Vec<(DocumentName, Held)> = {
            let known = self.shared.beside.read();
            let left = known.iter().filter(|(_, held)| held.epoch == old.number()).take(AT_ONCE);
            left.map(|(document, held)| (document.clone(), held.clone())).collect()
        };
        for (document, held) in &left {
            let row = layout::beside_key(document);
            let held = Held { epoch: self.young.epoch.number(), ..held.clone() };
            if let Some(value) = old.get(&row)? {
                group.row_bytes += row.len() + value.len();
                group.young.push((row, value));
                group.young_heads.push((Tally::bucket(document), held.fingerprint));
            }
            group.records.carried.push((document.clone(), held));
        }
        Ok(left.len() < AT_ONCE)
    }
}

/// The key before this one, if there is one.
fn below(key: Uuid) -> Option<Uuid> {
    key.as_u128().checked_sub(1).map(Uuid::from_u128)
}

fn unreadable_record(document: &DocumentName, unreadable: Unreadable) -> StoreError {
    let what = match unreadable {
        Unreadable::Damage(Damage(what)) => what,
        Unreadable::Disk(what) => return StoreError::Unreadable(what),
    };
    tracing::error!(%document, what, "a record is damaged, its bytes are kept");
    StoreError::Damaged { document: document.clone(), what }
}

/// Whether the record whose first row this would be is there.
fn is_kept(epochs: &[Arc<Epoch>], row: &[u8]) -> Result<bool, Unreadable> {
    Ok(first_row(epochs, row)?.is_some())
}

/// The epoch that holds a record, and how many parts it has there.
fn first_row<'a>(epochs: &'a [Arc<Epoch>], row: &[u8]) -> Result<Option<(&'a Epoch, u32)>, Unreadable> {
    for epoch in epochs {
        let found = epoch.get(row)?;
        if let Some(value) = found {
            let parts = layout::count_parts(layout::unseal(Kind::Record, row, &value)?)?;
            return Ok((parts > 0).then_some((epoch, parts)));
        }
    }
    Ok(None)
}

fn read_record(
    epochs: &[Arc<Epoch>],
    document: &DocumentName,
    life: u32,
    collection: Collection,
    key: Uuid,
) -> Result<Option<Bytes>, Unreadable> {
    let row = |part| layout::record_key(document, life, collection, key, part);
    let Some((epoch, count)) = first_row(epochs, &row(0))? else { return Ok(None) };
    let mut parts = Parts::default();
    let whole = epoch.scan(&row(0), &row(count - 1), |row, value| {
        let added = layout::parse_key(row).and_then(|parsed| match parsed {
            Key::Record { part, .. } => parts.add(part, layout::unseal(Kind::Record, row, value)?),
            _ => Err(Damage("a row of another kind in a record".into())),
        });
        match added {
            Ok(None) => ControlFlow::Continue(()),
            Ok(Some(whole)) => ControlFlow::Break(Ok(whole)),
            Err(damage) => ControlFlow::Break(Err(damage)),
        }
    });
    match whole? {
        Some(whole) => Ok(Some(whole?)),
        None => Err(Damage("a part of a record is missing".into()).into()),
    }
}

/// The greatest key up to `last`, of a record that is there or was forgotten.
fn newest(
    epochs: &[Arc<Epoch>],
    document: &DocumentName,
    life: u32,
    collection: Collection,
    last: Uuid,
) -> Result<Option<Uuid>, Unreadable> {
    let from = layout::record_key(document, life, collection, Uuid::nil(), 0);
    let to = layout::record_key(document, life, collection, last, u32::MAX);
    let mut newest = None;
    for epoch in epochs {
        let found = epoch.last_key(&from, &to).map_err(Unread::from)?;
        if let Some(Key::Record { key, .. }) = found.as_deref().map(layout::parse_key).transpose()? {
            newest = newest.max(Some(key));
        }
    }
    Ok(newest)
}
