//! What one does with a store that nobody serves: look it over, shrink it.
//!
//! All of these take the directory's lock first, and refuse a directory that is in use.

use std::{collections::HashMap, ops::ControlFlow, path::Path, sync::Arc};

use super::{
    directory::{Directory, free_bytes, unopenable},
    engine::{Engine, Group, Unreadable},
    epoch::Failure,
};
use crate::{
    ids::DocumentName,
    store::{
        Config, Durability, Standing, StoreError, StoreResult, Stored, Unobserved,
        layout::{self, Key, Kind},
    },
};

/// What `check` found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Documents, those that are damaged or were deleted for ever included.
    pub documents: u64,
    /// Updates in the logs, after the checkpoints.
    pub updates: u64,
    /// Records beside documents.
    pub records: u64,
    /// Rows of all kinds, dead ones included.
    pub rows: u64,
    /// Bytes that are still needed.
    pub live_bytes: u64,
    /// Bytes on disk.
    pub disk_bytes: u64,
    /// Values in quarantine.
    pub quarantined: u64,
    /// What is wrong, document by document, sorted by name.
    pub damaged: Vec<(DocumentName, String)>,
    /// Documents whose names no address can hold ([`DocumentName::is_dots`]), unless they are damaged.
    pub unaddressable: Vec<DocumentName>,
    /// Rows with a bad checksum that nobody needs any more. They go away with the next vacuum.
    pub dead_damage: u64,
}

impl Report {
    /// Whether everything that is needed is whole.
    pub fn is_clean(&self) -> bool {
        self.damaged.is_empty()
    }
}

/// What a vacuum did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vacuumed {
    /// Bytes on disk before.
    pub before: u64,
    /// Bytes on disk after.
    pub after: u64,
}

/// Decodes what is stored of a document, and says what is wrong with it.
pub type Verify<'a> = &'a mut dyn FnMut(&Stored) -> Result<(), String>;

/// Looks over everything in `data`: every row's checksum, that no update and no record is missing, that head,
/// end marker and state belong together. With `verify`, what is stored of each document is handed over as well, to be
/// decoded by somebody who can. Changes nothing but what sled writes when it opens.
///
/// # Errors
/// [`StoreError::Unopenable`] if the store as a whole cannot be read or is being served.
pub fn check(data: &Path, mut verify: Option<Verify<'_>>) -> StoreResult<Report> {
    let engine = open(data)?;
    let shared = engine.shared();
    let usage = *shared.usage.read();
    let mut report =
        Report { live_bytes: usage.live_bytes, disk_bytes: usage.disk_bytes, ..Report::default() };
    let mut broken_rows: HashMap<DocumentName, u64> = HashMap::new();
    for epoch in engine.epochs() {
        let scanned = epoch.scan_what_can_be_read::<()>(&[], &[0xff; 2], |key, value| {
            report.rows += 1;
            let (kind, name) = match layout::parse_key(key) {
                Ok(Key::Schema | Key::Commit) => (Kind::Store, None),
                Ok(Key::Log { name, .. }) => (Kind::Log, Some(name)),
                Ok(Key::State { name, .. }) => (Kind::State, Some(name)),
                Ok(Key::Meta(name)) => (Kind::Meta, Some(name)),
                Ok(Key::End(name)) => (Kind::End, Some(name)),
                Ok(Key::Record { name, .. }) => (Kind::Record, Some(name)),
                Ok(Key::Beside(name)) => (Kind::Beside, Some(name)),
                Ok(Key::Quarantine { name, part, .. }) => {
                    report.quarantined += u64::from(part == 0);
                    (Kind::Quarantine, Some(name))
                }
                // A key that cannot be read belongs to nobody, and nobody misses it.
                Err(_) => {
                    report.dead_damage += 1;
                    return ControlFlow::Continue(());
                }
            };
            if let (Err(_), Some(name)) = (layout::unseal(kind, key, value), name) {
                *broken_rows.entry(name).or_default() += 1;
            }
            ControlFlow::Continue(())
        });
        scanned.map_err(|Failure(what)| unopenable(data, &what))?;
    }
    let index = shared.index.read();
    for (document, slot) in index.iter() {
        report.documents += 1;
        let stored = match (&slot.entry.damaged, slot.read()) {
            (Some(what), _) => Err(what.clone()),
            (None, read) => read.map_err(Unreadable::what),
        };
        let verified = stored.and_then(|stored| {
            report.updates += stored.tail.len() as u64;
            verify.as_mut().map_or(Ok(()), |verify| verify(&stored))?;
            report.records += shared.verify_records(document)?;
            Ok(())
        });
        let broken = broken_rows.remove(document).unwrap_or(0);
        match verified {
            Ok(()) => {
                report.dead_damage += broken;
                if document.is_dots() && !matches!(slot.entry.head.standing, Standing::Deleted(_)) {
                    report.unaddressable.push(document.clone());
                }
            }
            Err(what) => report.damaged.push((document.clone(), what)),
        }
    }
    report.dead_damage += broken_rows.values().sum::<u64>();
    report.damaged.sort();
    report.unaddressable.sort();
    Ok(report)
}

/// Copies what is still needed into a fresh epoch and removes the old one, whatever the ratio. Takes as
/// much free space as is live; a crash at any moment leaves a whole store.
///
/// # Errors
/// [`StoreError::Unopenable`] if the store cannot be read or is being served,
/// [`StoreError::DiskFull`] if the copy would not fit, [`StoreError::Unwritable`] if copying failed.
pub fn vacuum(data: &Path) -> StoreResult<Vacuumed> {
    let mut engine = open(data)?;
    let shared = engine.shared();
    let usage = *shared.usage.read();
    let floor = 2 * usage.live_bytes;
    if let Some(free) = usage.free_bytes.filter(|free| *free < floor) {
        return Err(StoreError::DiskFull { free, floor });
    }
    let finish = |engine: &mut Engine| {
        while engine.is_busy() {
            engine.step();
        }
        shared.writable()?;
        engine.is_drained()
    };
    finish(&mut engine)?; // a rotation that was under way
    engine.rotate();
    finish(&mut engine)?;
    engine.commit(Group::default());
    engine.measure();
    let after = shared.usage.read().disk_bytes;
    Ok(Vacuumed { before: usage.disk_bytes, after })
}

fn open(data: &Path) -> StoreResult<Engine> {
    let directory = Directory::take_existing(data)?;
    if directory.current()?.is_none() {
        return Err(unopenable(data, "it holds no store"));
    }
    let config = Config {
        data: data.to_owned(),
        durability: Durability::Disk,
        min_free_bytes: 0,
        ..Config::default()
    };
    Engine::open(directory, config, Arc::new(Unobserved), Box::new(free_bytes))
}
