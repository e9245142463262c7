//! One sled database, and the only file that knows sled.
//!
//! sled 0.34 is fast and small, and has habits (all measured): damage shows up as a panic, so every call
//! is caught; `flush` hands the bytes to the operating system but does not fsync the file, so the level
//! [`Durability::Disk`] syncs a second descriptor of the same file; a file whose end was cut off opens
//! happily without its last records, so a mark beside it remembers the last commit (`mark.rs`); a flush
//! wakes eight threads and costs some 600 µs of CPU, so appends do not come here one by one (`wal.rs`);
//! space that deleted rows took is hardly ever used again, so nothing is deleted here, and an epoch goes
//! as a whole instead (see `engine.rs`).

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use super::{
    directory::{newer, sync_directory, unopenable},
    mark::Mark,
};
use crate::{
    ids::DocumentName,
    store::{
        Durability, StoreError, StoreResult,
        layout::{self, Key, Kind, Tally},
    },
};

/// How long sled's threads may take to let go of a database.
const PATIENCE: Duration = Duration::from_secs(10);

/// A key and its sealed value.
pub(super) type Row = (Vec<u8>, Vec<u8>);

/// sled could not do it. Nothing may be promised any more.
#[derive(Clone, Debug)]
pub(super) struct Failure(pub(super) String);

/// The two head rows of a document, sealed.
#[derive(Clone, Debug, Default)]
pub(super) struct HeadRows {
    pub(super) meta: Option<Vec<u8>>,
    pub(super) end: Option<Vec<u8>>,
}

impl HeadRows {
    pub(super) fn fingerprint(&self) -> u64 {
        layout::fingerprint(self.meta.as_deref(), self.end.as_deref())
    }
}

/// How an epoch was found.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// What the last commit counted.
    pub(super) tally: Tally,
    /// Commits that were promised and are gone, within what level `kill` allows (the machine was
    /// restarted since). Anything else that is gone is an error.
    pub(super) lost: u64,
}

/// An open database. Reading is for all threads, writing for the storage thread.
#[derive(Debug)]
pub(super) struct Epoch {
    number: u64,
    path: PathBuf,
    db: sled::Db,
    /// The same file that sled writes, to be synced.
    data: File,
    mark: Mark,
}

impl Epoch {
    /// Makes an empty epoch, durable before it returns.
    pub(super) fn create(path: &Path, number: u64, cache_bytes: u64) -> Result<Self, Failure> {
        let epoch = Self::start(path, number, cache_bytes)?;
        epoch.apply(vec![schema_row(number), tally_row(&Tally::EMPTY)])?;
        epoch.flush(Durability::Disk)?;
        epoch.set_mark(0, Durability::Disk)?;
        let synced = epoch.mark.sync().and_then(|()| sync_directory(path));
        synced.map_err(|error| Failure(format!("epoch {number} cannot be made durable: {error}")))?;
        Ok(epoch)
    }

    /// Opens an epoch that must be whole.
    pub(super) fn open(path: &Path, number: u64, cache_bytes: u64) -> StoreResult<(Self, Found)> {
        let damaged = |what: String| {
            let advice = "restore the directory from a backup, or ask `weft check` what is left";
            unopenable(path, &format!("{what}; {advice}"))
        };
        // sled would make a missing file, and call it empty.
        if !path.join("db").is_file() {
            return Err(damaged("its file `db` is missing".into()));
        }
        let epoch = Self::start(path, number, cache_bytes).map_err(|Failure(what)| damaged(what))?;
        let (schema, named) = epoch.counts(layout::SCHEMA_KEY, layout::decode_schema).map_err(damaged)?;
        if schema > layout::SCHEMA {
            return Err(newer(path, schema));
        }
        if named != number {
            return Err(damaged(format!("it is epoch {named} under the name of epoch {number}")));
        }
        if schema < layout::SCHEMA {
            epoch.raise_schema().map_err(|Failure(what)| damaged(what))?;
        }
        let tally = epoch.counts(layout::COMMIT_KEY, Tally::decode).map_err(damaged)?;
        let lost = epoch.lost(tally.commit)?;
        if lost > 0 {
            epoch.set_mark(tally.commit, Durability::Disk).map_err(|Failure(what)| damaged(what))?;
        }
        Ok((epoch, Found { tally, lost }))
    }

    fn start(path: &Path, number: u64, cache_bytes: u64) -> Result<Self, Failure> {
        let config = sled::Config::new().path(path).cache_capacity(cache_bytes).flush_every_ms(None);
        let begun = Instant::now();
        let db = loop {
            match guarded("opening the database", || config.open()) {
                // A database that this process has just let go is locked until sled's own threads have let
                // go of it as well. The lock of the directory says that nobody else can be the reason.
                Err(Failure(what))
                    if what.contains("could not acquire lock") && begun.elapsed() < PATIENCE =>
                {
                    thread::sleep(Duration::from_millis(5));
                }
                opened => break opened?,
            }
        };
        let cannot = |name: &str, error| Failure(format!("{name} cannot be opened: {error}"));
        let data =
            OpenOptions::new().write(true).open(path.join("db")).map_err(|error| cannot("db", error))?;
        let mark = Mark::open(&path.join("mark")).map_err(|error| cannot("mark", error))?;
        Ok(Self { number, path: path.to_owned(), db, data, mark })
    }

    /// From here on a Weft that knows less than we do leaves this store alone.
    fn raise_schema(&self) -> Result<(), Failure> {
        self.apply(vec![schema_row(self.number)])?;
        self.flush(Durability::Disk)
    }

    fn counts<T>(
        &self,
        key: &[u8],
        decode: impl Fn(&[u8]) -> Result<T, layout::Damage>,
    ) -> Result<T, String> {
        let value = self.get(key).map_err(|Failure(what)| what)?;
        let value = value.ok_or("it was cut short: its first rows are missing")?;
        let payload = layout::unseal(Kind::Store, key, &value);
        payload.and_then(decode).map_err(|damage| format!("its first rows are damaged: {damage}"))
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    // ---- reading ----

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        guarded("reading", || Ok(self.db.get(key)?.map(|value| value.to_vec())))
    }

    /// Shows the rows from `from` to `to`, both included, in order, until `each` breaks.
    pub(super) fn scan<B>(
        &self,
        from: &[u8],
        to: &[u8],
        mut each: impl FnMut(&[u8], &[u8]) -> ControlFlow<B>,
    ) -> Result<Option<B>, Failure> {
        guarded("reading", || {
            for row in self.db.range(from..=to) {
                let (key, value) = row?;
                if let ControlFlow::Break(found) = each(&key, &value) {
                    return Ok(Some(found));
                }
            }
            Ok(None)
        })
    }

    /// The last key from `from` to `to`, both included.
    pub(super) fn last_key(&self, from: &[u8], to: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        guarded("reading", || {
            Ok(self.db.range(from..=to).next_back().transpose()?.map(|(key, _)| key.to_vec()))
        })
    }

    /// The head rows of all documents, and how many keys among them cannot be read.
    pub(super) fn heads(&self) -> Result<(HashMap<DocumentName, HeadRows>, u64), Failure> {
        let mut heads: HashMap<DocumentName, HeadRows> = HashMap::new();
        let mut nameless = 0;
        let (from, to) = ([Kind::Meta as u8], [Kind::End as u8 + 1]);
        self.scan::<()>(&from, &to, |key, value| {
            match layout::parse_key(key) {
                Ok(Key::Meta(name)) => heads.entry(name).or_default().meta = Some(value.to_vec()),
                Ok(Key::End(name)) => heads.entry(name).or_default().end = Some(value.to_vec()),
                _ => nameless += 1,
            }
            ControlFlow::Continue(())
        })?;
        Ok((heads, nameless))
    }

    /// The rows that count what is beside documents, and how many keys among them cannot be read.
    pub(super) fn besides(&self) -> Result<(HashMap<DocumentName, Vec<u8>>, u64), Failure> {
        let mut besides = HashMap::new();
        let mut nameless = 0;
        let (from, to) = ([Kind::Beside as u8], [Kind::Beside as u8 + 1]);
        self.scan::<()>(&from, &to, |key, value| {
            match layout::parse_key(key) {
                Ok(Key::Beside(name)) => drop(besides.insert(name, value.to_vec())),
                _ => nameless += 1,
            }
            ControlFlow::Continue(())
        })?;
        Ok((besides, nameless))
    }

    // ---- writing ----

    /// Writes rows, all or none. They are not safe from a kill before [`flush`](Self::flush).
    pub(super) fn apply(&self, rows: Vec<Row>) -> Result<(), Failure> {
        let mut batch = sled::Batch::default();
        for (key, value) in rows {
            batch.insert(key, value);
        }
        guarded("writing", || self.db.apply_batch(batch))
    }

    /// Removes rows that were left over by a copy that did not finish.
    pub(super) fn clear(&self, from: &[u8], to: &[u8]) -> Result<(), Failure> {
        guarded("removing", || {
            for key in self.db.range(from..=to).keys() {
                self.db.remove(key?)?;
            }
            Ok(())
        })
    }

    /// Makes everything applied survive what `level` promises.
    pub(super) fn flush(&self, level: Durability) -> Result<(), Failure> {
        // Never flush_async: it can deadlock.
        guarded("flushing", || self.db.flush())?;
        if level == Durability::Disk {
            // All values are small enough to stay in this one file (see layout::ROW_BYTES).
            self.data.sync_data().map_err(|error| Failure(format!("syncing: {error}")))?;
        }
        Ok(())
    }

    /// Remembers, outside of sled, that `commit` was promised. Written after the flush and before the
    /// promise.
    pub(super) fn set_mark(&self, commit: u64, level: Durability) -> Result<(), Failure> {
        let written = self.mark.set([commit, 0, 0], level);
        written.map_err(|error| Failure(format!("marking a commit: {error}")))
    }

    /// How many promised commits are missing, if that is allowed.
    fn lost(&self, commit: u64) -> StoreResult<u64> {
        let Some(promise) = self.mark.read() else {
            let what = format!(
                "the file {} is missing or damaged, so nobody knows whether the last commits are there; \
                 `weft check --accept-loss` makes do with what is there",
                self.path.join("mark").display()
            );
            return Err(StoreError::Unopenable(what));
        };
        let promised = promise.numbers[0];
        let lost = promised.saturating_sub(commit);
        if lost > 0 && !promise.may_be_lost() {
            let what = format!(
                "{} was cut short: commits {} to {promised} were promised and are missing. Restore the directory \
                 from a backup, or make do with what is there: `weft check --accept-loss`",
                self.path.join("db").display(),
                commit + 1,
            );
            return Err(StoreError::Unopenable(what));
        }
        Ok(lost)
    }
}

/// The row that says which format this is.
fn schema_row(number: u64) -> Row {
    let schema = layout::seal(Kind::Store, layout::SCHEMA_KEY, &layout::encode_schema(number));
    (layout::SCHEMA_KEY.to_vec(), schema)
}

/// The row that says what must be there.
pub(super) fn tally_row(tally: &Tally) -> Row {
    (layout::COMMIT_KEY.to_vec(), layout::seal(Kind::Store, layout::COMMIT_KEY, &tally.encode()))
}

/// Sets mark and tally of an epoch to what is in its database, after somebody accepted that the rest is lost.
/// Gives the number of commits that are lost, if it is known.
pub(super) fn accept_loss(path: &Path, number: u64, cache_bytes: u64) -> StoreResult<Option<u64>> {
    let failed = |what: String| unopenable(path, &what);
    let epoch = Epoch::start(path, number, cache_bytes).map_err(|Failure(what)| failed(what))?;
    let promised = epoch.mark.read().map(|promise| promise.numbers[0]);
    let Tally { commit, .. } = epoch.counts(layout::COMMIT_KEY, Tally::decode).map_err(failed)?;
    let mend = || -> Result<(), Failure> {
        let (heads, _) = epoch.heads()?;
        let mut tally = Tally { commit, documents: heads.len() as u64, ..Tally::EMPTY };
        for (name, rows) in &heads {
            let sum = &mut tally.heads[Tally::bucket(name)];
            *sum = sum.wrapping_add(rows.fingerprint());
        }
        for (name, value) in epoch.besides()?.0 {
            let sum = &mut tally.heads[Tally::bucket(&name)];
            *sum = sum.wrapping_add(layout::beside_fingerprint(&value));
        }
        epoch.apply(vec![tally_row(&tally)])?;
        epoch.flush(Durability::Disk)?;
        epoch.set_mark(commit, Durability::Disk)
    };
    mend().map_err(|Failure(what)| failed(what))?;
    Ok(promised.map(|promised| promised.saturating_sub(commit)))
}

/// Calls sled and turns its panics into errors.
fn guarded<T>(doing: &str, work: impl FnOnce() -> sled::Result<T>) -> Result<T, Failure> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Failure(format!("{doing} failed: {error}"))),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            Err(Failure(format!("{doing} failed: the stored bytes are damaged ({text})")))
        }
    }
}
