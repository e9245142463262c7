//! What a directory holds when a store is opened.

use std::{collections::HashMap, sync::Arc};

use super::{Config, Directory, Entry, Epoch, Failure, Held, Index, Observer, Slot, Writer, entry::NO_LIFE};
use crate::{
    ids::DocumentName,
    store::{
        StoreResult,
        layout::{self, Beside, End, Kind, Meta, Tally},
        sled::{
            directory::unopenable,
            epoch::HeadRows,
            wal::{self, Wal},
        },
    },
};

/// Everything that is open when a store is.
pub(super) struct Opened {
    pub(super) young: Writer,
    pub(super) old: Option<Writer>,
    pub(super) wal: Wal,
    /// What the log held.
    pub(super) frames: Vec<wal::Frame>,
}

/// Opens the files that count. Epochs that are `open` already are taken as they are.
pub(super) fn open_files(directory: &Directory, config: &Config, open: &[Arc<Epoch>]) -> StoreResult<Opened> {
    let path = directory.path();
    let failed = |what: String| unopenable(path, &what);
    let Some(current) = directory.current()?.filter(|current| current.ready) else {
        // Nothing was ever stored here.
        let begin = || -> Result<Opened, Failure> {
            let io = |error: std::io::Error| Failure(error.to_string());
            directory.set_current(1, None, false).map_err(io)?;
            for left in directory.epochs().map_err(io)? {
                directory.remove(left);
            }
            let epoch = Arc::new(Epoch::create(&directory.epoch(1), 1, config.cache_bytes)?);
            let wal = Wal::create(path, config.durability).map_err(io)?;
            directory.set_current(1, None, true).map_err(io)?;
            let young = Writer { epoch, tally: Tally::EMPTY };
            Ok(Opened { young, old: None, wal, frames: Vec::new() })
        };
        return begin().map_err(|Failure(what)| failed(what));
    };
    let open = |number: u64| {
        if let Some(epoch) = open.iter().find(|epoch| epoch.number() == number) {
            let tally = epoch.tally().map_err(|Failure(what)| failed(what))?;
            return Ok(Writer { epoch: Arc::clone(epoch), tally });
        }
        let (epoch, found) = Epoch::open(&directory.epoch(number), number, config.cache_bytes)?;
        report_loss("the database", found.lost);
        Ok(Writer { epoch: Arc::new(epoch), tally: found.tally })
    };
    let old = current.old.map(open).transpose()?;
    let young = open(current.young)?;
    // Only now: what CURRENT of an earlier schema says is not checked by anything else.
    for left in directory.epochs().map_err(|error| failed(error.to_string()))? {
        if left != current.young && Some(left) != current.old {
            directory.remove(left);
        }
    }
    directory.confirm(&current).map_err(|error| failed(format!("CURRENT cannot be written: {error}")))?;
    let mut replay = Wal::replay(path)?;
    replay.refuse_loss(path)?;
    report_loss("the write-ahead log", replay.lost);
    let wal =
        Wal::resume(path, config.durability, &mut replay).map_err(|error| wal::unopened(path, &error))?;
    Ok(Opened { young, old, wal, frames: replay.frames })
}

fn report_loss(place: &str, commits: u64) {
    if commits > 0 {
        tracing::error!(
            place,
            commits,
            "the machine was restarted and the last commits are gone, as durability `kill` allows"
        );
    }
}

pub(super) type Heads = HashMap<DocumentName, Entry>;
/// Rows that count what is beside documents, as they were found.
pub(super) type Besides = HashMap<DocumentName, Vec<u8>>;

/// The documents of an epoch, by their head rows, and what it counts beside documents.
pub(super) fn read_heads(writer: &Writer, path: &std::path::Path) -> StoreResult<(Heads, Besides)> {
    let failed = |Failure(what): Failure| unopenable(path, &what);
    let (heads, mut nameless) = writer.epoch.heads().map_err(failed)?;
    let (besides, nameless_too) = writer.epoch.besides().map_err(failed)?;
    nameless += nameless_too;
    let (found, counted) = (heads.len() as u64, writer.tally.documents);
    if nameless > 0 || found < counted {
        let what = format!(
            "it holds {counted} documents by its own count, but only {found} were found; \
             `weft check --repair` saves what can be read, or restore the directory from a backup"
        );
        return Err(unopenable(path, &what));
    }
    let mut sums = [0u64; layout::BUCKETS];
    for (name, rows) in &heads {
        let sum = &mut sums[Tally::bucket(name)];
        *sum = sum.wrapping_add(rows.fingerprint());
    }
    for (name, value) in &besides {
        let sum = &mut sums[Tally::bucket(name)];
        *sum = sum.wrapping_add(layout::beside_fingerprint(value));
    }
    let restore = |(name, rows): (DocumentName, HeadRows)| {
        let meta = rows
            .meta
            .as_deref()
            .map(|value| layout::unseal(Kind::Meta, &layout::meta_key(&name), value).and_then(Meta::decode));
        let end = rows
            .end
            .as_deref()
            .map(|value| layout::unseal(Kind::End, &layout::end_key(&name), value).and_then(End::decode));
        let mut entry = Entry::restore(&name, meta, end, Arc::clone(&writer.epoch));
        entry.fingerprint = rows.fingerprint();
        let bucket = Tally::bucket(&name);
        if entry.damaged.is_none() && sums[bucket] != writer.tally.heads[bucket] {
            entry.damaged = Some(SUSPECT.into());
        }
        (name, entry)
    };
    Ok((heads.into_iter().map(restore).collect(), besides))
}

/// What is counted beside documents. What cannot be read makes its document a damaged one.
pub(super) fn read_held(
    rows: HashMap<DocumentName, (u64, Vec<u8>)>,
    index: &mut Index<Slot>,
    observer: &dyn Observer,
) -> HashMap<DocumentName, Held> {
    let mut held = HashMap::with_capacity(rows.len());
    for (document, (epoch, value)) in rows {
        let fingerprint = layout::beside_fingerprint(&value);
        let payload = layout::unseal(Kind::Beside, &layout::beside_key(&document), &value);
        let beside = payload.and_then(Beside::decode).unwrap_or_else(|damage| {
            let what = format!("what is kept beside it: {damage}");
            if let Some(slot) = index.get(&document).cloned().filter(|slot| slot.entry.damaged.is_none()) {
                tracing::error!(%document, what, "document is damaged, its bytes are kept");
                observer.damaged(&document);
                let entry = Entry { damaged: Some(what), ..slot.entry };
                index.put(document.clone(), Slot { entry, ..slot });
            }
            Beside::nothing(NO_LIFE)
        });
        held.insert(document, Held { beside, epoch, fingerprint });
    }
    held
}

/// What is said of a document whose head rows may be older than those written last.
pub(super) const SUSPECT: &str = "the database lost something of this document or of one counted with it, so it may be \
                       an older version; `weft check --repair` makes do with what is there";
