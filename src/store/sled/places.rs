//! Where each row of an epoch is: a sled database, and the only file that knows sled.
//!
//! It can be made anew from the rows at any time, so nothing in it has to survive. Small rows that are read
//! at every start are kept in it as well, which makes them readable from two places.
//!
//! ```text
//! epoch-7/index/     a sled database: key of the row -> offset u64 | length u32 | the value itself, if it is a head
//! ```
//!
//! sled 0.34 is fast and small, and has habits (all measured): damage shows up as a panic, so every call is
//! caught; a piece lost from the middle of its file, or cut off its end, goes unnoticed, so what it holds is
//! summed up in one of its own rows and counted again when it is opened; space that deleted rows took is
//! hardly ever used again, so it is small and goes away with its epoch.

use std::{
    collections::HashMap,
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use super::rows::{End, Place, Written};
use crate::store::layout;

/// How long sled's threads may take to let go of a database.
const PATIENCE: Duration = Duration::from_secs(10);
/// Key of the row that says what there must be. No other key is like it.
const EXTENT_KEY: &[u8] = b"\x00places";

/// It could not be done. Nothing may be promised any more.
#[derive(Clone, Debug)]
pub(super) struct Failure(pub(super) String);

/// Where a row is, and its value if that is at hand.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) place: Place,
    pub(super) value: Option<Vec<u8>>,
}

/// What a database must hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Extent {
    /// Up to where the file of rows is known.
    end: End,
    /// How many rows there are.
    rows: u64,
    /// Their checksums, added up.
    sum: u64,
}

/// An open database. Reading is for all threads, writing for the storage thread.
#[derive(Debug)]
pub(super) struct Places {
    db: sled::Db,
    extent: Mutex<Extent>,
}

impl Places {
    /// Opens a database, or makes an empty one, and counts what it holds.
    ///
    /// # Errors
    /// If it is damaged in any way, or cannot be opened.
    pub(super) fn open(path: &Path, cache_bytes: u64) -> Result<Self, Failure> {
        // Letting go of a damaged database may panic as well, so all of it is caught.
        guarded("opening the database", || Ok(Self::open_and_count(path, cache_bytes)))?
    }

    fn open_and_count(path: &Path, cache_bytes: u64) -> Result<Self, Failure> {
        let db = start(path, cache_bytes)?;
        let noted = guarded("reading", || db.get(EXTENT_KEY))?;
        let noted = match noted {
            None => Extent::default(),
            Some(value) => Extent::decode(&value).ok_or_else(|| Failure("its count is damaged".into()))?,
        };
        let mut found = Extent { end: noted.end, ..Extent::default() };
        guarded("reading", || {
            for row in db.iter() {
                let (key, value) = row?;
                if key != EXTENT_KEY {
                    found.rows += 1;
                    found.sum = found.sum.wrapping_add(sum(&key, &value));
                }
            }
            Ok(())
        })?;
        if found != noted {
            let what = format!("it holds {} rows where {} belong, or not the same", found.rows, noted.rows);
            return Err(Failure(what));
        }
        Ok(Self { db, extent: Mutex::new(noted) })
    }

    /// Up to where the file of rows is known.
    pub(super) fn end(&self) -> End {
        self.extent.lock().end
    }

    /// Notes what was written, up to `end`.
    pub(super) fn apply(&self, written: &[Written], end: End) -> Result<(), Failure> {
        // The last change of a key counts.
        let mut changes: HashMap<&[u8], Option<Vec<u8>>> = HashMap::with_capacity(written.len());
        for Written { key, value } in written {
            let value = value.as_ref().map(|(place, value)| encode(key, *place, value));
            changes.insert(key, value);
        }
        let mut extent = self.extent.lock();
        let next = guarded("writing", || {
            let mut next = Extent { end, ..*extent };
            let mut batch = sled::Batch::default();
            for (key, value) in changes {
                if let Some(before) = self.db.get(key)? {
                    next.rows -= 1;
                    next.sum = next.sum.wrapping_sub(sum(key, &before));
                }
                match value {
                    Some(value) => {
                        next.rows += 1;
                        next.sum = next.sum.wrapping_add(sum(key, &value));
                        batch.insert(key, value);
                    }
                    None => batch.remove(key),
                }
            }
            batch.insert(EXTENT_KEY, next.encode());
            self.db.apply_batch(batch)?;
            Ok(next)
        })?;
        *extent = next;
        Ok(())
    }

    /// Hands everything to the operating system, so that less has to be read again after a kill.
    pub(super) fn flush(&self) -> Result<(), Failure> {
        // Never flush_async: it can deadlock.
        guarded("flushing", || self.db.flush()).map(drop)
    }

    /// Lets go of the database.
    pub(super) fn close(self) {
        let closed = guarded("closing the database", || {
            drop(self);
            Ok(())
        });
        if let Err(Failure(what)) = closed {
            tracing::warn!(what, "a database could not be closed; it is made anew at the next start");
        }
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Found>, Failure> {
        guarded("reading", || self.db.get(key))?.map(|value| decode(&value)).transpose()
    }

    /// Shows the rows from `from` to `to`, both included, in order, until `each` breaks.
    pub(super) fn scan<B>(
        &self,
        from: &[u8],
        to: &[u8],
        mut each: impl FnMut(&[u8], Found) -> ControlFlow<B>,
    ) -> Result<Option<B>, Failure> {
        let broken = guarded("reading", || {
            for row in self.db.range(from..=to) {
                let (key, value) = row?;
                if key == EXTENT_KEY {
                    continue;
                }
                let found = match decode(&value) {
                    Ok(found) => found,
                    Err(failure) => return Ok(Some(Err(failure))),
                };
                if let ControlFlow::Break(broken) = each(&key, found) {
                    return Ok(Some(Ok(broken)));
                }
            }
            Ok(None)
        })?;
        broken.transpose()
    }

    /// The last key from `from` to `to`, both included.
    pub(super) fn last_key(&self, from: &[u8], to: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        guarded("reading", || {
            Ok(self.db.range(from..=to).next_back().transpose()?.map(|(key, _)| key.to_vec()))
        })
    }
}

impl Extent {
    fn encode(&self) -> Vec<u8> {
        [self.end.at, self.end.number, self.rows, self.sum].iter().flat_map(|n| n.to_be_bytes()).collect()
    }

    fn decode(value: &[u8]) -> Option<Self> {
        let (numbers, []) = value.as_chunks::<8>() else { return None };
        let [at, number, rows, sum] = numbers else { return None };
        let [at, number, rows, sum] = [at, number, rows, sum].map(|bytes| u64::from_be_bytes(*bytes));
        Some(Self { end: End { at, number }, rows, sum })
    }
}

fn encode(key: &[u8], place: Place, value: &[u8]) -> Vec<u8> {
    let mut entry = Vec::with_capacity(12);
    entry.extend_from_slice(&place.at.to_be_bytes());
    entry.extend_from_slice(&place.length.to_be_bytes());
    if layout::is_head(key) {
        entry.extend_from_slice(value);
    }
    entry
}

fn decode(entry: &[u8]) -> Result<Found, Failure> {
    let damaged = || Failure("reading failed: a place is cut short".into());
    let (at, rest) = entry.split_first_chunk::<8>().ok_or_else(damaged)?;
    let (length, value) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
    let place = Place { at: u64::from_be_bytes(*at), length: u32::from_be_bytes(*length) };
    Ok(Found { place, value: (!value.is_empty()).then(|| value.to_vec()) })
}

fn sum(key: &[u8], entry: &[u8]) -> u64 {
    u64::from(crc32c::crc32c_append(crc32c::crc32c(key), entry))
}

fn start(path: &Path, cache_bytes: u64) -> Result<sled::Db, Failure> {
    let config = sled::Config::new().path(path).cache_capacity(cache_bytes).flush_every_ms(None);
    let begun = Instant::now();
    loop {
        match guarded("opening the database", || config.open()) {
            // A database that this process has just let go is locked until sled's own threads have let
            // go of it as well. The lock of the directory says that nobody else can be the reason.
            Err(Failure(what)) if what.contains("could not acquire lock") && begun.elapsed() < PATIENCE => {
                thread::sleep(Duration::from_millis(5));
            }
            opened => return opened,
        }
    }
}

/// Shows all rows of a database of schema 3 and before, whose values are in sled itself, as far as it can
/// be read.
///
/// # Errors
/// Whatever ended the reading before its end.
pub(super) fn read_inline(
    path: &Path,
    cache_bytes: u64,
    mut each: impl FnMut(&[u8], &[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let db = start(path, cache_bytes)?;
    let mut stopped = Ok(());
    let read = guarded("reading", || {
        for row in db.iter() {
            let (key, value) = row?;
            stopped = each(&key, &value);
            if stopped.is_err() {
                break;
            }
        }
        Ok(())
    });
    // Dropping a damaged database may panic as well.
    let dropped = guarded("closing the database", || {
        drop(db);
        Ok(())
    });
    read.and(stopped).and(dropped)
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
