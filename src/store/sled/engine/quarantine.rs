//! Bytes that must not be applied, put aside for a person to look at.

use std::{collections::BTreeMap, ops::ControlFlow};

use super::{Engine, Failure, Group, Unread, after};
use crate::{
    ids::{DocumentName, Timestamp},
    store::{
        Life, QUARANTINE_BYTES, QUARANTINE_ENTRIES, Quarantined, StoreError, StoreResult, index,
        layout::{self, Damage, Key, Kind, Parts},
        sled::directory::unopenable,
    },
};

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct QuarantineSize {
    pub(super) entries: u64,
    pub(super) bytes: u64,
    pub(super) next: u64,
}

impl Engine {
    pub(super) fn quarantine(
        &mut self,
        group: &mut Group,
        (document, life): (&DocumentName, Life),
        what: &str,
        bytes: &[u8],
        at: Timestamp,
    ) -> StoreResult<()> {
        let entry = self.entry(group, document).unwrap_or_else(|| self.begin(document.clone(), at));
        // Nobody knows the life of one that is damaged; what is meant for it is kept.
        if entry.damaged.is_none() {
            index::is_in_life(&entry.head, life)?;
        }
        self.shared.writable()?;
        let held = &mut self.quarantine;
        if held.entries >= QUARANTINE_ENTRIES || held.bytes + bytes.len() as u64 > QUARANTINE_BYTES {
            tracing::warn!(%document, what, bytes = bytes.len(), "quarantine is full, bytes let go");
            return Ok(());
        }
        let whole = layout::encode_quarantine(at, what, bytes);
        for number in 0..layout::parts(whole.len()) {
            let key = layout::quarantine_key(document, held.next, number);
            let value = layout::seal(Kind::Quarantine, &key, &layout::part(&whole, number));
            group.row_bytes += key.len() + value.len();
            held.bytes += value.len() as u64;
            group.young.push((key, value));
        }
        held.entries += 1;
        held.next += 1;
        Ok(())
    }

    pub(super) fn quarantined(&self, document: &DocumentName) -> StoreResult<Vec<Quarantined>> {
        let from = layout::prefix(Kind::Quarantine, document);
        let to = after(&from);
        // By key, because a row that is being copied is in both epochs.
        let mut rows = BTreeMap::new();
        for writer in self.old.iter().chain([&self.young]) {
            let scanned = writer.epoch.scan::<()>(&from, &to, |key, value| {
                rows.insert(key.to_vec(), value.to_vec());
                ControlFlow::Continue(())
            });
            scanned.map_err(|unread| match unread {
                Unread::Disk(what) => StoreError::Unreadable(what),
                Unread::Failure(Failure(what)) => StoreError::Damaged { document: document.clone(), what },
            })?;
        }
        let mut parts = Parts::default();
        let mut found = Vec::new();
        for (key, value) in rows {
            let read = || -> Result<Option<Quarantined>, Damage> {
                let Key::Quarantine { part, .. } = layout::parse_key(&key)? else { return Ok(None) };
                let payload = layout::unseal(Kind::Quarantine, &key, &value)?;
                let Some(whole) = parts.add(part, payload)? else { return Ok(None) };
                let (at, what, bytes) = layout::decode_quarantine(&whole)?;
                Ok(Some(Quarantined { document: document.clone(), what, bytes, at }))
            };
            let damaged = |damage: Damage| StoreError::Damaged { document: document.clone(), what: damage.0 };
            let mut read = read;
            found.extend(read().map_err(damaged)?);
        }
        Ok(found)
    }

    pub(super) fn count_quarantine(&mut self) -> StoreResult<()> {
        let (from, to) = ([Kind::Quarantine as u8], after(&[Kind::Quarantine as u8]));
        let mut size = QuarantineSize::default();
        for writer in self.old.iter().chain([&self.young]) {
            let scanned = writer.epoch.scan_what_can_be_read::<()>(&from, &to, |key, value| {
                if let Ok(Key::Quarantine { number, part, .. }) = layout::parse_key(key) {
                    size.entries += u64::from(part == 0);
                    size.bytes += value.len() as u64;
                    size.next = size.next.max(number + 1);
                }
                ControlFlow::Continue(())
            });
            scanned.map_err(|Failure(what)| unopenable(self.directory.path(), &what))?;
        }
        self.quarantine = size;
        Ok(())
    }
}
