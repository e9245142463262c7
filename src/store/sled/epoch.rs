//! One epoch: a file that holds its rows (`rows.rs`), and a database that knows where each one is (`places.rs`).
//!
//! Rows are written to the file first, and synced there at level [`Durability::Disk`]; the database follows, in
//! memory, and is handed to the operating system from time to time. At the next start it reads on in the file
//! where it stopped. When it is damaged, or says anything but what it should, it is made anew from the file, and
//! nothing is lost. When the file is damaged, that costs the rows it stood in, and each of them says so by its
//! checksum.
//!
//! Nothing is deleted here: an epoch goes as a whole (see `engine.rs`). A mark beside it remembers the last
//! commit (`mark.rs`), so that a file whose end was cut off is not taken for one that ends there.

use std::{
    collections::HashMap,
    fs, io,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use parking_lot::RwLock;

pub(super) use super::places::Failure;
use super::{
    directory::{ADVICE, newer, unopenable},
    disk::sync_directory,
    frame::Piece,
    mark::{Mark, lost},
    places::{Found as Placed, Places},
    rows::{self, Change, End, Rows},
};
use crate::{
    ids::DocumentName,
    store::{
        Durability, StoreResult,
        layout::{self, Key, Kind, Tally},
    },
};

/// Bytes of rows after which the database is handed to the operating system: what has to be read again at most
/// after a kill.
const FLUSH_BYTES: u64 = 8 << 20;

/// No memory, no permission, no descriptors, no space: errors of the system that say nothing about the file.
const NOT_ITS_FAULT: [i32; 8] = [12, 13, 23, 24, 27, 28, 30, 122];

/// Why rows could not be shown.
#[derive(Clone, Debug)]
pub(super) enum Unread {
    /// The disk did not read them, asked several times. That says nothing about what is stored: it may be read in a
    /// while.
    Disk(String),
    /// Something is wrong with what is stored.
    Failure(Failure),
}

impl Unread {
    /// In words.
    pub(super) fn what(self) -> String {
        match self {
            Self::Disk(what) | Self::Failure(Failure(what)) => what,
        }
    }
}

impl From<Failure> for Unread {
    fn from(failure: Failure) -> Self {
        const READ_ERROR: &str = "os error 5)";
        if failure.0.contains(READ_ERROR) { Self::Disk(failure.0) } else { Self::Failure(failure) }
    }
}

impl From<Unread> for Failure {
    fn from(unread: Unread) -> Self {
        Self(unread.what())
    }
}

/// A key and its sealed value.
pub(super) type Row = (Vec<u8>, Vec<u8>);

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

/// An open epoch. Reading is for all threads, writing for the storage thread.
#[derive(Debug)]
pub(super) struct Epoch {
    number: u64,
    path: PathBuf,
    cache_bytes: u64,
    rows: Rows,
    /// `None` while it is being opened again.
    places: RwLock<Option<Places>>,
    /// Up to where the database was handed to the operating system.
    flushed: RwLock<End>,
    mark: Mark,
}

impl Epoch {
    /// Makes an empty epoch, durable before it returns.
    pub(super) fn create(path: &Path, number: u64, cache_bytes: u64) -> Result<Self, Failure> {
        let cannot = |error: io::Error| Failure(format!("epoch {number} cannot be made: {error}"));
        fs::create_dir_all(path).map_err(cannot)?;
        let rows = Rows::create(&path.join("rows")).map_err(cannot)?;
        let mark = Mark::open(&path.join("mark")).map_err(cannot)?;
        let places = Places::open(&path.join("index"), cache_bytes)?;
        let epoch = Self::of(path, number, cache_bytes, rows, places, mark);
        epoch.apply(vec![schema_row(number), tally_row(&Tally::EMPTY)], Durability::Disk)?;
        epoch.set_mark(0, Durability::Disk)?;
        epoch.mark.sync().and_then(|()| sync_directory(path)).map_err(cannot)?;
        Ok(epoch)
    }

    fn of(path: &Path, number: u64, cache_bytes: u64, rows: Rows, places: Places, mark: Mark) -> Self {
        let (flushed, places) = (RwLock::new(places.end()), RwLock::new(Some(places)));
        Self { number, path: path.to_owned(), cache_bytes, rows, places, flushed, mark }
    }

    /// Opens an epoch that must be whole.
    pub(super) fn open(path: &Path, number: u64, cache_bytes: u64) -> StoreResult<(Self, Found)> {
        let damaged = |what: String| unopenable(path, &format!("{what}; {ADVICE}"));
        if !path.join("rows").is_file() {
            // From before schema 4, or damaged.
            super::inline::convert(path, number, cache_bytes)?;
        }
        super::inline::remove_left_over(path);
        let cannot = |error: io::Error| unopenable(path, &format!("it cannot be read: {error}"));
        let rows = Rows::open(&path.join("rows")).map_err(cannot)?;
        let mark = Mark::open(&path.join("mark")).map_err(cannot)?;
        let failed = |Failure(what): Failure| damaged(what);
        let mut places = open_places(path, cache_bytes).map_err(failed)?;
        // After a power cut the database may know of rows that never reached the disk. Where that may be, they did
        // not happen, and everything before them is there.
        let may_be_lost = mark.read().is_some_and(|promise| promise.may_be_lost());
        if may_be_lost && rows.length().map_err(cannot)? < places.end().at {
            places.close();
            fs::remove_dir_all(path.join("index")).map_err(cannot)?;
            places = open_places(path, cache_bytes).map_err(failed)?;
        }
        let epoch = Self::of(path, number, cache_bytes, rows, places, mark);
        epoch.catch_up().map_err(failed)?;
        let (schema, named) = epoch.counts(layout::SCHEMA_KEY, layout::decode_schema).map_err(damaged)?;
        if schema > layout::SCHEMA {
            return Err(newer(path, schema));
        }
        if named != number {
            return Err(damaged(format!("it is epoch {named} under the name of epoch {number}")));
        }
        let tally = epoch.counts(layout::COMMIT_KEY, Tally::decode).map_err(damaged)?;
        let lost = epoch.lost(tally.commit)?;
        // What stands behind the last whole frame was never promised.
        if epoch.rows.length().map_err(cannot)? > epoch.rows.end().at {
            epoch.rows.shorten().map_err(cannot)?;
        }
        if schema < layout::SCHEMA {
            epoch.apply(vec![schema_row(number)], Durability::Disk).map_err(failed)?;
        }
        if lost > 0 {
            epoch.set_mark(tally.commit, Durability::Disk).map_err(failed)?;
        }
        Ok((epoch, Found { tally, lost }))
    }

    /// Tells the database about the rows it does not know yet.
    ///
    /// # Errors
    /// If frames cannot be read that are followed by others: then rows are gone that nobody can name.
    fn catch_up(&self) -> Result<(), Failure> {
        let cannot = |error: io::Error| Failure(format!("its rows cannot be read: {error}"));
        let guard = self.places.read();
        let places = guard.as_ref().ok_or_else(reopening)?;
        let known = places.end();
        self.rows.set_end(known);
        let length = self.rows.length().map_err(cannot)?;
        if length < known.at {
            tracing::error!(
                epoch = self.number,
                bytes = known.at - length,
                "the rows of an epoch were cut short; documents that had some there are refused, all others go on"
            );
        }
        let mut frames = self.rows.frames(known).map_err(cannot)?;
        let mut gap = None;
        while let Some(piece) = frames.next().map_err(cannot)? {
            match piece {
                Piece::Gap { from, to } => gap = Some((from, to)),
                Piece::Frame { number, at, payload, .. } => {
                    let before = self.rows.end();
                    if let Some((from, to)) = gap {
                        return Err(Failure(format!("bytes {from} to {to} of its file rows are damaged")));
                    }
                    if number != before.number + 1 {
                        return Err(Failure(format!(
                            "what was written before byte {at} of its rows is missing"
                        )));
                    }
                    let end = End { at: at + payload.len() as u64, number };
                    places.apply(&rows::decode(&payload, at), end)?;
                    self.rows.set_end(end);
                }
            }
        }
        Ok(())
    }

    /// Makes the epoch fit to be written again after a failure, as a restart would: what was not finished is cut
    /// off, and the database is opened anew.
    pub(super) fn recover(&self) -> Result<(), Failure> {
        self.rows.shorten().map_err(|error| Failure(format!("its rows cannot be written: {error}")))?;
        let mut places = self.places.write();
        if let Some(before) = places.take() {
            before.close();
        }
        *places = Some(open_places(&self.path, self.cache_bytes)?);
        drop(places);
        *self.flushed.write() = End::default();
        self.catch_up()
    }

    /// What the last commit counted.
    pub(super) fn tally(&self) -> Result<Tally, Failure> {
        self.counts(layout::COMMIT_KEY, Tally::decode).map_err(Failure)
    }

    fn counts<T>(
        &self,
        key: &[u8],
        decode: impl Fn(&[u8]) -> Result<T, layout::Damage>,
    ) -> Result<T, String> {
        let value = self.get(key).map_err(Unread::what)?;
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

    /// Bytes of rows, those that nobody needs any more included.
    pub(super) fn row_bytes(&self) -> u64 {
        self.rows.end().at
    }

    // ---- reading ----

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Unread> {
        let places = self.places.read();
        let found = places.as_ref().ok_or_else(reopening)?.get(key)?;
        found.map(|placed| self.value(placed)).transpose()
    }

    fn value(&self, placed: Placed) -> Result<Vec<u8>, Unread> {
        if let Some(value) = placed.value {
            return Ok(value);
        }
        self.rows.read(placed.place).map_err(|error| {
            let (epoch, at) = (self.number, placed.place.at);
            tracing::error!(epoch, at, %error, "a row cannot be read");
            Unread::Disk(format!("byte {at} of the rows of epoch {epoch}: {error}"))
        })
    }

    /// Shows the rows from `from` to `to`, both included, in order, until `each` breaks or one cannot be read.
    pub(super) fn scan<B>(
        &self,
        from: &[u8],
        to: &[u8],
        mut each: impl FnMut(&[u8], &[u8]) -> ControlFlow<B>,
    ) -> Result<Option<B>, Unread> {
        let places = self.places.read();
        let places = places.as_ref().ok_or_else(reopening)?;
        let found = places.scan(from, to, |key, placed| match self.value(placed) {
            Ok(value) => each(key, &value).map_break(Ok),
            Err(unread) => ControlFlow::Break(Err(unread)),
        })?;
        found.transpose()
    }

    /// The same for whoever makes do with what there is: what cannot be read is shown empty, and so never whole.
    pub(super) fn scan_what_can_be_read<B>(
        &self,
        from: &[u8],
        to: &[u8],
        mut each: impl FnMut(&[u8], &[u8]) -> ControlFlow<B>,
    ) -> Result<Option<B>, Failure> {
        let places = self.places.read();
        let places = places.as_ref().ok_or_else(reopening)?;
        places.scan(from, to, |key, placed| each(key, &self.value(placed).unwrap_or_default()))
    }

    /// The last key from `from` to `to`, both included.
    pub(super) fn last_key(&self, from: &[u8], to: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        self.places.read().as_ref().ok_or_else(reopening)?.last_key(from, to)
    }

    /// The head rows of all documents, and how many keys among them cannot be read.
    pub(super) fn heads(&self) -> Result<(HashMap<DocumentName, HeadRows>, u64), Failure> {
        let mut heads: HashMap<DocumentName, HeadRows> = HashMap::new();
        let mut nameless = 0;
        let (from, to) = ([Kind::Meta as u8], [Kind::End as u8 + 1]);
        self.scan_what_can_be_read::<()>(&from, &to, |key, value| {
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
        self.scan_what_can_be_read::<()>(&from, &to, |key, value| {
            match layout::parse_key(key) {
                Ok(Key::Beside(name)) => drop(besides.insert(name, value.to_vec())),
                _ => nameless += 1,
            }
            ControlFlow::Continue(())
        })?;
        Ok((besides, nameless))
    }

    // ---- writing ----

    /// Writes rows, all or none. They survive what `level` promises, and are seen, once this returns.
    pub(super) fn apply(&self, rows: Vec<Row>, level: Durability) -> Result<(), Failure> {
        self.change(rows.into_iter().map(|(key, value)| Change { key, value: Some(value) }).collect(), level)
    }

    /// Removes rows that were left over by a copy that did not finish.
    pub(super) fn clear(&self, from: &[u8], to: &[u8], level: Durability) -> Result<(), Failure> {
        let mut keys = Vec::new();
        let places = self.places.read();
        places.as_ref().ok_or_else(reopening)?.scan::<()>(from, to, |key, _| {
            keys.push(Change { key: key.to_vec(), value: None });
            ControlFlow::Continue(())
        })?;
        drop(places);
        if keys.is_empty() { Ok(()) } else { self.change(keys, level) }
    }

    fn change(&self, changes: Vec<Change>, level: Durability) -> Result<(), Failure> {
        let cannot = |error: io::Error| Failure(format!("rows cannot be written: {error}"));
        let places = self.places.read();
        let places = places.as_ref().ok_or_else(reopening)?;
        let (written, end) = self.rows.append(&changes, level == Durability::Disk).map_err(cannot)?;
        places.apply(&written, end)?;
        let mut flushed = self.flushed.write();
        if end.at - flushed.at.min(end.at) >= FLUSH_BYTES {
            places.flush()?;
            *flushed = end;
        }
        Ok(())
    }

    /// Makes everything applied survive a power cut, and the next start quick.
    pub(super) fn flush(&self) -> Result<(), Failure> {
        self.rows.sync().map_err(|error| Failure(format!("syncing rows failed: {error}")))?;
        let places = self.places.read();
        places.as_ref().ok_or_else(reopening)?.flush()?;
        *self.flushed.write() = self.rows.end();
        Ok(())
    }

    /// Remembers, outside of the rows, that `commit` was promised. Written after them and before the promise.
    pub(super) fn set_mark(&self, commit: u64, level: Durability) -> Result<(), Failure> {
        let written = self.mark.set([commit, 0, 0], level);
        written.map_err(|error| Failure(format!("marking a commit: {error}")))
    }

    /// How many promised commits are missing, if that is allowed.
    fn lost(&self, commit: u64) -> StoreResult<u64> {
        let promise = self.mark.read();
        lost(&self.path, promise, commit)
    }
}

impl Drop for Epoch {
    fn drop(&mut self) {
        if let Some(places) = self.places.get_mut().take() {
            places.close();
        }
    }
}

/// Opens the database of an epoch; one that is damaged is begun anew, and then knows nothing.
fn open_places(path: &Path, cache_bytes: u64) -> Result<Places, Failure> {
    let index = path.join("index");
    let damage = match Places::open(&index, cache_bytes) {
        Ok(places) => return Ok(places),
        // Not its fault: in a minute it may be as good as it was.
        Err(Failure(what))
            if NOT_ITS_FAULT.iter().any(|number| what.contains(&format!("os error {number})"))) =>
        {
            return Err(Failure(what));
        }
        Err(Failure(damage)) => damage,
    };
    tracing::warn!(path = %index.display(), damage, "the index of the rows is made anew; nothing is lost");
    let cannot = |error: io::Error| Failure(format!("its index cannot be removed: {error}"));
    fs::remove_dir_all(&index).map_err(cannot)?;
    Places::open(&index, cache_bytes)
}

fn reopening() -> Failure {
    Failure("the store is being opened again".into())
}

/// The row that says which format this is.
pub(super) fn schema_row(number: u64) -> Row {
    let schema = layout::seal(Kind::Store, layout::SCHEMA_KEY, &layout::encode_schema(number));
    (layout::SCHEMA_KEY.to_vec(), schema)
}

/// The row that says what must be there.
pub(super) fn tally_row(tally: &Tally) -> Row {
    (layout::COMMIT_KEY.to_vec(), layout::seal(Kind::Store, layout::COMMIT_KEY, &tally.encode()))
}
