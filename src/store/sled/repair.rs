//! A fresh store from what can be read of a damaged one.
//!
//! Every file is read on its own, without the help of any other, behind damage as well as before it: rows by
//! their checksums, appends of the log by theirs, heads from the rows and from the database that knows where
//! they are, whichever has the newer one. What belongs to a document is put together again and written to a
//! fresh store, whole documents as they were, others as far as they can be loaded. What stood in the directory
//! is moved aside and never deleted.
//!
//! ```text
//! data/repaired/         the fresh store while it is made; `READY` in it once it is complete, with the name of
//!                        the directory below
//! data/damaged-1795.../  what stood in the directory before, by milliseconds since 1970
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, Write},
    ops::Bound,
    path::{Path, PathBuf},
    time::SystemTime,
};

use bytes::Bytes;
use uuid::Uuid;

use super::{
    directory::{Current, Directory, FRESH, READY, is_unfinished, unopenable},
    disk::{self, sync_directory},
    epoch::{Epoch, Row, tally_row},
    frame::Piece,
    mark::Mark,
    offline,
    places::{self, Failure, Places},
    rows::{self, End as RowsEnd, Place, Rows, Written},
    wal::{self, Wal},
};
use crate::{
    ids::{DocumentName, Timestamp},
    store::{
        Collection, Config, Durability, LoggedUpdate, Standing, StoreResult, Stored, Summary, index,
        layout::{self, Beside, End, Key, Kind, Logged, Meta, Parts, Tally},
    },
};

/// Whether a full state and the updates behind it can be loaded.
pub type Mend<'a> = &'a mut dyn FnMut(Option<&Bytes>, &[LoggedUpdate]) -> bool;

/// What a repair did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Documents that are as they were.
    pub whole: u64,
    /// Documents of which something is gone, and what.
    pub in_part: Vec<(DocumentName, String)>,
    /// Documents that could not be saved, and why.
    pub lost: Vec<(DocumentName, String)>,
    /// Documents that were there by the store's own count, and of which not even the name is left.
    pub nameless: u64,
    /// Acknowledged writes that could not be read, or only in part; `None` if their number is not known.
    pub commits: Option<u64>,
    /// Where what stood in the directory is now; `None` if everything was whole and nothing was done.
    pub aside: Option<PathBuf>,
}

/// What is written in one frame.
const BATCH_BYTES: usize = 1 << 20;
/// Updates behind a gap that are tried one by one. Each try loads the document.
const TRIED_ALONE: usize = 500;

/// Makes a damaged store usable again, with everything that can be read. Does nothing to one that is whole.
///
/// # Errors
/// [`StoreError::Unopenable`](crate::store::StoreError) if the directory is in use or a file cannot be read or
/// written at all.
pub fn repair(data: &Path, mend: Mend<'_>) -> StoreResult<Repaired> {
    let directory = Directory::take_existing(data)?;
    let failed = |error: io::Error| unopenable(data, &format!("it cannot be repaired: {error}"));
    if is_unfinished(data) {
        // An earlier repair was interrupted while it moved files.
        let aside = swap(data, &mut || Ok(())).map_err(failed)?;
        return Ok(Repaired { aside: Some(aside), ..Repaired::default() });
    }
    if data.join(FRESH).exists() {
        fs::remove_dir_all(data.join(FRESH)).map_err(failed)?;
    }
    drop(directory);
    let mut verify = |stored: &Stored| {
        let loads = mend(stored.checkpoint.as_ref(), &stored.tail);
        if loads { Ok(()) } else { Err("it cannot be loaded".to_owned()) }
    };
    if let Ok(report) = offline::check(data, Some(&mut verify))
        && report.is_clean()
    {
        return Ok(Repaired { whole: report.documents, commits: Some(0), ..Repaired::default() });
    }
    let directory = Directory::take_existing(data)?;
    let mut repair = Repair::read(data, &directory).map_err(failed)?;
    let fresh = Directory::take(&data.join(FRESH))?;
    let done = repair.write(&fresh, mend).map_err(|Failure(what)| unopenable(data, &what))?;
    drop(fresh);
    ready(data).map_err(failed)?;
    let aside = swap(data, &mut || Ok(())).map_err(failed)?;
    Ok(Repaired { aside: Some(aside), ..done })
}

/// In the fresh store: what stood in the directory has been moved aside.
const MOVED: &str = "MOVED";

/// Moves what stood in the directory aside, and the fresh store in its place. Can be begun again at any step, before
/// each of which `step` is asked.
fn swap(data: &Path, step: &mut dyn FnMut() -> io::Result<()>) -> io::Result<PathBuf> {
    let names = |path: &Path| -> io::Result<Vec<String>> {
        let entries = fs::read_dir(path)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        entries.collect()
    };
    let is_ours = |name: &str| name == "LOCK" || name == FRESH || name.starts_with("damaged-");
    let fresh = data.join(FRESH);
    let aside = data.join(fs::read_to_string(fresh.join(READY))?);
    if !fresh.join(MOVED).exists() {
        step()?;
        fs::create_dir_all(&aside)?;
        for name in names(data)?.into_iter().filter(|name| !is_ours(name)) {
            step()?;
            fs::rename(data.join(&name), aside.join(&name))?;
        }
        sync_directory(&aside)?;
        sync_directory(data)?;
        step()?;
        fs::write(fresh.join(MOVED), b"")?;
        sync_directory(&fresh)?;
    }
    let stays = ["LOCK", READY, MOVED];
    for name in names(&fresh)?.into_iter().filter(|name| !stays.contains(&name.as_str())) {
        step()?;
        fs::rename(fresh.join(&name), data.join(&name))?;
    }
    sync_directory(data)?;
    step()?;
    // That it is unfinished goes first: what is left of the folder afterwards means nothing.
    fs::remove_file(fresh.join(READY))?;
    sync_directory(&fresh)?;
    step()?;
    fs::remove_dir_all(fresh)?;
    Ok(aside)
}

/// Says that files are about to be moved: where to.
fn ready(data: &Path) -> io::Result<()> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
    let fresh = data.join(FRESH);
    let mut file = File::create(fresh.join("READY.new"))?;
    file.write_all(format!("damaged-{now}").as_bytes())?;
    disk::sync(&file)?;
    fs::rename(fresh.join("READY.new"), fresh.join(READY))?;
    sync_directory(&fresh)
}

/// Everything that can be read.
struct Repair {
    /// The young epoch first.
    sources: Vec<Source>,
    appends: BTreeMap<DocumentName, Vec<Logged>>,
    commits: Option<u64>,
}

/// What can be read of an epoch.
#[derive(Default)]
struct Source {
    file: Option<Rows>,
    rows: BTreeMap<Vec<u8>, Cell>,
    /// Rows that were there and cannot be read.
    missing: BTreeSet<Vec<u8>>,
    /// Promised commits that are gone.
    lost: Option<u64>,
}

/// A row that is whole.
enum Cell {
    At(Place),
    Held { value: Vec<u8> },
}

impl Repair {
    fn read(data: &Path, directory: &Directory) -> io::Result<Self> {
        let mut numbers = directory.epochs()?;
        if let Ok(Some(Current { young, old, ready: true, .. })) = directory.current()
            && numbers.contains(&young)
            && old.is_none_or(|old| numbers.contains(&old))
        {
            numbers.retain(|number| *number == young || Some(*number) == old);
        }
        numbers.sort_unstable_by(|a, b| b.cmp(a));
        let scratch = data.join(FRESH).join("scratch");
        let read = |number: &u64| {
            let read = Source::read(&directory.epoch(*number), &scratch);
            if scratch.exists() {
                fs::remove_dir_all(&scratch)?;
            }
            read
        };
        let sources = numbers.iter().map(read).collect::<io::Result<Vec<_>>>()?;
        let wal::Salvaged { appends: all, lost } = wal::salvage(data)?;
        let mut appends: BTreeMap<_, Vec<Logged>> = BTreeMap::new();
        for logged in all {
            appends.entry(logged.name.clone()).or_default().push(logged);
        }
        let commits = sources.iter().fold(lost, |sum, source| Some(sum? + source.lost?));
        Ok(Self { sources, appends, commits })
    }

    fn names(&self) -> BTreeSet<DocumentName> {
        let keys = self.sources.iter().flat_map(|source| source.rows.keys().chain(&source.missing));
        let names = keys.filter_map(|key| match layout::parse_key(key) {
            Ok(Key::Log { name, .. } | Key::State { name, .. } | Key::Record { name, .. }) => Some(name),
            Ok(Key::Meta(name) | Key::End(name) | Key::Beside(name)) => Some(name),
            Ok(Key::Quarantine { .. } | Key::Schema | Key::Commit) | Err(_) => None,
        });
        names.chain(self.appends.keys().cloned()).collect()
    }

    /// Writes everything to a fresh store.
    fn write(&mut self, fresh: &Directory, mend: Mend<'_>) -> Result<Repaired, Failure> {
        let io = |error: io::Error| Failure(format!("it cannot be repaired: {error}"));
        fresh.set_current(1, None, false).map_err(io)?;
        let mut pen = Pen {
            epoch: Epoch::create(&fresh.epoch(1), 1, Config::default().cache_bytes)?,
            batch: Vec::new(),
            bytes: 0,
            tally: Tally { commit: 1, ..Tally::EMPTY },
        };
        let mut done = Repaired { commits: self.commits, ..Repaired::default() };
        let mut quarantine = 0;
        for name in self.names() {
            match self.document(&name, mend) {
                Ok(None) => {} // rows of a life that had ended, and nothing that counts
                Ok(Some(document)) => {
                    let mut gone = document.gone.clone();
                    pen.document(&name, &document)?;
                    // Those of a document that was deleted for ever went with it.
                    if !matches!(document.meta.standing, Standing::Deleted(_)) {
                        let (records, beside, note) = self.records(&name, document.meta.life);
                        gone.extend(note);
                        pen.records(&name, records, &beside)?;
                    }
                    for update in &document.set_aside {
                        let what = "set aside by a repair: it builds on an update that is gone";
                        let whole = layout::encode_quarantine(update.at, what, &update.bytes);
                        pen.parts(Kind::Quarantine, &whole, |part| {
                            layout::quarantine_key(&name, SET_ASIDE + quarantine, part)
                        })?;
                        quarantine += 1;
                    }
                    if gone.is_empty() {
                        done.whole += 1;
                    } else {
                        done.in_part.push((name, gone.join("; ")));
                    }
                }
                Err(what) => done.lost.push((name, what)),
            }
        }
        for source in self.sources.iter().rev() {
            for (key, cell) in source.range(Kind::Quarantine as u8) {
                if let Some(value) = source.value(key, cell) {
                    pen.row((key.to_vec(), value))?;
                }
            }
        }
        let named = done.whole + (done.in_part.len() + done.lost.len()) as u64;
        done.nameless = self.counted().saturating_sub(named);
        let Pen { epoch, mut batch, tally, .. } = pen;
        batch.push(tally_row(&tally));
        epoch.apply(batch, Durability::Disk)?;
        epoch.flush()?;
        epoch.set_mark(tally.commit, Durability::Disk)?;
        Wal::create(fresh.path(), Durability::Disk).map_err(io)?;
        fresh.set_current(1, None, true).map_err(io)?;
        Ok(done)
    }

    /// How many documents there must at least be.
    fn counted(&self) -> u64 {
        let count = |source: &Source| {
            let value = source.get(layout::COMMIT_KEY)?;
            let payload = layout::unseal(Kind::Store, layout::COMMIT_KEY, &value);
            Some(payload.and_then(Tally::decode).ok()?.documents)
        };
        self.sources.iter().filter_map(count).max().unwrap_or(0)
    }

    /// A document as far as it can be read.
    fn document(&self, name: &DocumentName, mend: Mend<'_>) -> Result<Option<Document>, String> {
        let mut gone = Vec::new();
        let appends = self.appends.get(name).map_or(&[][..], Vec::as_slice);
        let (source, mut meta, end) = match self.head(name, &mut gone) {
            Some((source, meta, end)) => (Some(source), meta, end),
            None => {
                if let Some(what) = self.headless(name) {
                    return Err(what);
                }
                let Some(first) = appends.first() else { return Ok(None) };
                let at = layout::decode_log(&first.entry).ok().and_then(|all| Some(all.first()?.at));
                let created = at.unwrap_or(Timestamp(0));
                let end = End { life: first.life, last: 0, modified: created, log_bytes: 0 };
                (None, new_meta(first.life, created), end)
            }
        };
        if matches!(meta.standing, Standing::Deleted(_)) {
            return Ok(Some(Document {
                meta,
                end,
                state: None,
                tail: Vec::new(),
                set_aside: Vec::new(),
                gone,
            }));
        }
        let state = match source.filter(|_| meta.generation > 0) {
            Some(source) => Some(source.state(name, &meta)?),
            None => None,
        };
        let mut updates = source.map(|source| source.log(name, meta.life)).unwrap_or_default();
        let mut last = end.last;
        for logged in appends.iter().filter(|logged| logged.life == meta.life) {
            let all = layout::decode_log(&logged.entry).unwrap_or_default();
            last = last.max(logged.first + all.len() as u64 - u64::from(!all.is_empty()));
            updates.extend((logged.first..).zip(all));
            meta.summary = logged.summary.clone().map_or(meta.summary, index::clip);
        }
        updates.retain(|sequence, _| *sequence > meta.checkpoint);
        let last = last.max(updates.keys().next_back().copied().unwrap_or(0));
        gone.extend(holes(&updates, meta.checkpoint, last));
        let all: Vec<LoggedUpdate> = updates.into_values().collect();
        let (tail, set_aside) = loadable(state.as_ref(), all, mend)?;
        if !set_aside.is_empty() {
            gone.push(format!(
                "{} updates build on others that are gone and were put into quarantine",
                set_aside.len()
            ));
        }
        let modified = tail.iter().map(|update| update.at).fold(end.modified, Timestamp::max);
        let end = End { life: meta.life, last: meta.checkpoint + tail.len() as u64, modified, log_bytes: 0 };
        Ok(Some(Document { meta, end, state, tail, set_aside, gone }))
    }

    /// The newest head that is whole, and where its rows are.
    fn head(&self, name: &DocumentName, gone: &mut Vec<String>) -> Option<(&Source, Meta, End)> {
        for source in &self.sources {
            let (meta_key, end_key) = (layout::meta_key(name), layout::end_key(name));
            let meta = source
                .get(&meta_key)
                .and_then(|value| layout::unseal(Kind::Meta, &meta_key, &value).and_then(Meta::decode).ok());
            let end = source
                .get(&end_key)
                .and_then(|value| layout::unseal(Kind::End, &end_key, &value).and_then(End::decode).ok());
            match (meta, end) {
                (Some(meta), Some(end)) if meta.life == end.life && meta.checkpoint <= end.last => {
                    return Some((source, meta, end));
                }
                (None, None) if !source.missing.contains(&meta_key) => {}
                _ => gone.push("its head is damaged and an older one was taken".into()),
            }
        }
        None
    }

    /// What to say of a document that has rows and no head.
    fn headless(&self, name: &DocumentName) -> Option<String> {
        let heads = [layout::meta_key(name), layout::end_key(name)];
        let had = |source: &Source| {
            heads.iter().any(|key| source.rows.contains_key(key) || source.missing.contains(key))
        };
        self.sources.iter().any(had).then(|| "its head cannot be read".to_owned())
    }

    /// The records beside a document, what they add up to, and what is gone of them.
    fn records(&self, name: &DocumentName, life: u32) -> (Records, Beside, Option<String>) {
        let mut records: BTreeMap<(Collection, Uuid), Option<Bytes>> = BTreeMap::new();
        let mut counted = None;
        let mut damaged = false;
        for source in &self.sources {
            let mut prefix = layout::prefix(Kind::Record, name);
            prefix.extend_from_slice(&life.to_be_bytes());
            let mut here: BTreeMap<(Collection, Uuid), Parts> = BTreeMap::new();
            let mut found: BTreeMap<(Collection, Uuid), Option<Bytes>> = BTreeMap::new();
            for (key, cell) in source.starting_with(&prefix) {
                let Ok(Key::Record { collection, key: record, part, .. }) = layout::parse_key(key) else {
                    continue;
                };
                let Some(value) = source.value(key, cell) else { continue };
                let Ok(payload) = layout::unseal(Kind::Record, key, &value) else { continue };
                if part == 0 && payload == layout::FORGOTTEN {
                    found.insert((collection, record), None);
                } else if let Ok(Some(whole)) =
                    here.entry((collection, record)).or_default().add(part, payload)
                {
                    found.insert((collection, record), Some(whole));
                }
            }
            damaged |=
                source.missing.range(prefix.clone()..).next().is_some_and(|key| key.starts_with(&prefix));
            damaged |= here.values().any(|parts| !parts.is_empty());
            for (record, value) in found {
                records.entry(record).or_insert(value);
            }
            let key = layout::beside_key(name);
            counted = counted.or_else(|| {
                let value = source.get(&key)?;
                layout::unseal(Kind::Beside, &key, &value).and_then(Beside::decode).ok()
            });
        }
        let records: Records =
            records.into_iter().filter_map(|(record, value)| Some((record, value?))).collect();
        let mut beside = Beside::nothing(life);
        for ((collection, key), value) in &records {
            beside.add(name, *collection, *key, value);
        }
        let counted = counted.filter(|counted| counted.life == life).unwrap_or(Beside::nothing(life));
        let (were, are) = (counted.records(), beside.records());
        let note = (counted != beside || damaged)
            .then(|| format!("{were} records were kept beside it, and {are} could be read"));
        (records, beside, note)
    }
}

type Records = BTreeMap<(Collection, Uuid), Bytes>;

/// Numbers of quarantined values that a repair adds, out of the way of those there are.
const SET_ASIDE: u64 = 1 << 32;

fn new_meta(life: u32, created: Timestamp) -> Meta {
    Meta {
        life,
        created,
        standing: Standing::Live,
        checkpoint: 0,
        generation: 0,
        state_len: 0,
        state_crc: 0,
        summary: Summary::default(),
    }
}

/// Which updates between a checkpoint and the last one are not there, in words.
fn holes(updates: &BTreeMap<u64, LoggedUpdate>, checkpoint: u64, last: u64) -> Vec<String> {
    let mut holes = Vec::new();
    let mut expected = checkpoint + 1;
    for sequence in updates.keys().copied().chain([last + 1]) {
        if sequence > expected {
            holes.push(format!("updates {expected} to {} are gone", sequence - 1));
        }
        expected = sequence + 1;
    }
    holes
}

/// The updates that can be loaded together, and those that cannot.
fn loadable(
    state: Option<&Bytes>,
    all: Vec<LoggedUpdate>,
    mend: Mend<'_>,
) -> Result<(Vec<LoggedUpdate>, Vec<LoggedUpdate>), String> {
    if mend(state, &all) {
        return Ok((all, Vec::new()));
    }
    if !mend(state, &[]) {
        return Err("its full state cannot be loaded".into());
    }
    // The longest beginning that can be loaded, by halves: what is missing is missing for everything behind it.
    let (mut kept, mut fails) = (0, all.len());
    while fails - kept > 1 {
        let middle = kept.midpoint(fails);
        if mend(state, &all[..middle]) { kept = middle } else { fails = middle }
    }
    let rest = &all[kept..];
    let mut tail = all[..kept].to_vec();
    let mut set_aside = Vec::new();
    for (number, update) in rest.iter().enumerate() {
        tail.push(update.clone());
        if number >= TRIED_ALONE || !mend(state, &tail) {
            set_aside.extend(tail.pop());
        }
    }
    Ok((tail, set_aside))
}

/// A document that can be written.
struct Document {
    meta: Meta,
    end: End,
    state: Option<Bytes>,
    tail: Vec<LoggedUpdate>,
    set_aside: Vec<LoggedUpdate>,
    gone: Vec<String>,
}

impl Source {
    fn read(path: &Path, scratch: &Path) -> io::Result<Self> {
        let promise = Mark::peek(&path.join("mark")).map(|promise| promise.numbers[0]);
        let mut source = Self::default();
        if path.join("rows").is_file() {
            source.read_rows(path, promise)?;
            if path.join("index").is_dir() {
                copy(&path.join("index"), scratch)?;
                source.read_places(scratch);
            }
        } else if path.join("db").is_file() {
            copy(path, scratch)?;
            let rows = &mut source.rows;
            let read = places::read_inline(scratch, Config::default().cache_bytes, |key, value| {
                if layout::is_whole(key, value) {
                    rows.insert(key.to_vec(), Cell::Held { value: value.to_vec() });
                }
                Ok(())
            });
            if let Err(Failure(what)) = read {
                tracing::warn!(path = %path.display(), what, "the database can be read only in part");
            }
        }
        source.lost = promise.map(|promise| promise.saturating_sub(source.commit()));
        Ok(source)
    }

    /// Number of the last commit that is there.
    fn commit(&self) -> u64 {
        let value = self.get(layout::COMMIT_KEY).unwrap_or_default();
        let payload = layout::unseal(Kind::Store, layout::COMMIT_KEY, &value);
        payload.and_then(Tally::decode).map_or(0, |tally| tally.commit)
    }

    fn read_rows(&mut self, path: &Path, promised: Option<u64>) -> io::Result<()> {
        let file = Rows::open(&path.join("rows"))?;
        let mut frames = file.frames(RowsEnd::default())?;
        let length = file.length()?;
        let mut last_gap = None;
        while let Some(piece) = frames.next()? {
            match piece {
                Piece::Frame { at, payload, .. } => self.take(rows::decode(&payload, at)),
                Piece::Gap { from, to } if to == length => last_gap = Some((from, to)),
                Piece::Gap { from, to } => self.take(file.salvage(from, to)?),
            }
        }
        // What was torn and never promised did not happen.
        if let Some((from, to)) = last_gap
            && promised.is_none_or(|promised| self.commit_in(&file) < promised)
        {
            self.take(file.salvage(from, to)?);
        }
        self.file = Some(file);
        Ok(())
    }

    fn commit_in(&self, file: &Rows) -> u64 {
        let Some(Cell::At(place)) = self.rows.get(layout::COMMIT_KEY) else { return 0 };
        let value = file.read(*place).unwrap_or_default();
        let payload = layout::unseal(Kind::Store, layout::COMMIT_KEY, &value);
        payload.and_then(Tally::decode).map_or(0, |tally| tally.commit)
    }

    fn take(&mut self, written: Vec<Written>) {
        for Written { key, value } in written {
            match value {
                Some((place, _)) => drop(self.rows.insert(key.to_vec(), Cell::At(place))),
                None => drop(self.rows.remove(&key[..])),
            }
        }
    }

    /// What the database knows: heads that the rows lost, and which rows there were.
    fn read_places(&mut self, path: &Path) {
        let Ok(places) = Places::open(path, Config::default().cache_bytes) else { return };
        let scanned = places.scan::<()>(&[], &[0xff; 2], |key, found| {
            let newest = match self.rows.get(key) {
                Some(Cell::At(place)) if place.at >= found.place.at => {
                    return std::ops::ControlFlow::Continue(());
                }
                _ => found.value.filter(|value| layout::is_whole(key, value)),
            };
            match newest {
                Some(value) => drop(self.rows.insert(key.to_vec(), Cell::Held { value })),
                // An older one in its place would pass for it.
                None => {
                    self.rows.remove(key);
                    self.missing.insert(key.to_vec());
                }
            }
            std::ops::ControlFlow::Continue(())
        });
        if let Err(Failure(what)) = scanned {
            tracing::warn!(what, "the index can be read only in part");
        }
        places.close();
    }

    fn value(&self, key: &[u8], cell: &Cell) -> Option<Vec<u8>> {
        let value = match cell {
            Cell::Held { value } => value.clone(),
            Cell::At(place) => self.file.as_ref()?.read(*place).ok()?,
        };
        layout::is_whole(key, &value).then_some(value)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.value(key, self.rows.get(key)?)
    }

    fn starting_with<'a>(&'a self, prefix: &'a [u8]) -> impl Iterator<Item = (&'a Vec<u8>, &'a Cell)> {
        let from = self.rows.range::<[u8], _>((Bound::Included(prefix), Bound::Unbounded));
        from.take_while(move |(key, _)| key.starts_with(prefix))
    }

    fn range(&self, kind: u8) -> impl Iterator<Item = (&Vec<u8>, &Cell)> {
        self.rows.range(vec![kind]..vec![kind + 1])
    }

    fn state(&self, name: &DocumentName, meta: &Meta) -> Result<Bytes, String> {
        let mut parts = Parts::default();
        for part in 0..layout::parts(meta.state_len as usize) {
            let key = layout::state_key(name, meta.life, meta.generation, part);
            let value =
                self.get(&key).ok_or_else(|| format!("part {part} of its full state cannot be read"))?;
            let payload = layout::unseal(Kind::State, &key, &value).map_err(|damage| damage.0)?;
            if let Some(whole) = parts.add(part, payload).map_err(|damage| damage.0)? {
                if whole.len() as u64 != meta.state_len || crc32c::crc32c(&whole) != meta.state_crc {
                    break;
                }
                return Ok(whole);
            }
        }
        Err("its full state is not the one its head speaks of".into())
    }

    /// The updates of a life that have rows, by their sequence.
    fn log(&self, name: &DocumentName, life: u32) -> BTreeMap<u64, LoggedUpdate> {
        let mut prefix = layout::prefix(Kind::Log, name);
        prefix.extend_from_slice(&life.to_be_bytes());
        let mut updates = BTreeMap::new();
        let (mut parts, mut of) = (Parts::default(), 0);
        for (key, cell) in self.starting_with(&prefix) {
            let Ok(Key::Log { first, part, .. }) = layout::parse_key(key) else { continue };
            if first != of {
                (parts, of) = (Parts::default(), first);
            }
            let Some(value) = self.value(key, cell) else { continue };
            let Ok(payload) = layout::unseal(Kind::Log, key, &value) else { continue };
            if let Ok(Some(entry)) = parts.add(part, payload) {
                updates.extend((first..).zip(layout::decode_log(&entry).unwrap_or_default()));
            }
        }
        updates
    }
}

/// Writes the fresh epoch.
struct Pen {
    epoch: Epoch,
    batch: Vec<Row>,
    bytes: usize,
    tally: Tally,
}

impl Pen {
    fn row(&mut self, row: Row) -> Result<(), Failure> {
        self.bytes += row.0.len() + row.1.len();
        self.batch.push(row);
        if self.bytes < BATCH_BYTES {
            return Ok(());
        }
        self.bytes = 0;
        self.epoch.apply(std::mem::take(&mut self.batch), Durability::Kill)
    }

    /// Writes a value in parts; gives the bytes of its rows.
    fn parts(&mut self, kind: Kind, whole: &[u8], key: impl Fn(u32) -> Vec<u8>) -> Result<u64, Failure> {
        let mut bytes = 0;
        for part in 0..layout::parts(whole.len()) {
            let key = key(part);
            let value = layout::seal(kind, &key, &layout::part(whole, part));
            bytes += (key.len() + value.len()) as u64;
            self.row((key, value))?;
        }
        Ok(bytes)
    }

    fn document(&mut self, name: &DocumentName, document: &Document) -> Result<(), Failure> {
        let Document { meta, end, state, tail, .. } = document;
        if let Some(state) = state {
            self.parts(Kind::State, state, |part| layout::state_key(name, meta.life, meta.generation, part))?;
        }
        let mut log_bytes = 0;
        if !tail.is_empty() {
            let first = meta.checkpoint + 1;
            let entry = layout::encode_log(tail);
            log_bytes =
                self.parts(Kind::Log, &entry, |part| layout::log_key(name, meta.life, first, part))?;
        }
        let (meta_key, end_key) = (layout::meta_key(name), layout::end_key(name));
        let meta = layout::seal(Kind::Meta, &meta_key, &meta.encode());
        let end = layout::seal(Kind::End, &end_key, &End { log_bytes, ..*end }.encode());
        self.count(name, layout::fingerprint(Some(&meta), Some(&end)));
        self.tally.documents += 1;
        self.row((meta_key, meta))?;
        self.row((end_key, end))
    }

    fn records(&mut self, name: &DocumentName, records: Records, beside: &Beside) -> Result<(), Failure> {
        if records.is_empty() {
            return Ok(());
        }
        for ((collection, record), value) in records {
            let key = |part| layout::record_key(name, beside.life, collection, record, part);
            self.parts(Kind::Record, &value, key)?;
        }
        let key = layout::beside_key(name);
        let value = layout::seal(Kind::Beside, &key, &beside.encode());
        self.count(name, layout::beside_fingerprint(&value));
        self.row((key, value))
    }

    fn count(&mut self, name: &DocumentName, fingerprint: u64) {
        let sum = &mut self.tally.heads[Tally::bucket(name)];
        *sum = sum.wrapping_add(fingerprint);
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use super::*;
    use crate::store::{Append, Store, Unobserved, sled::SledStore};

    /// The names of documents and how many updates each has.
    async fn content(data: &Path) -> BTreeMap<String, usize> {
        let config = Config { data: data.to_owned(), durability: Durability::Kill, ..Config::default() };
        let store = SledStore::open(config, Arc::new(Unobserved)).unwrap();
        let mut content = BTreeMap::new();
        for head in store.list(crate::store::Shelf::Live, None, 100).await.unwrap().heads {
            let stored = store.load(head.document.clone()).await.unwrap().unwrap();
            content.insert(head.document.to_string(), stored.tail.len());
        }
        content
    }

    #[tokio::test]
    async fn a_repair_that_is_interrupted_goes_on_wherever_that_was() {
        let home = tempfile::tempdir().unwrap();
        let original = home.path().join("original");
        let config = Config { data: original.clone(), durability: Durability::Kill, ..Config::default() };
        let store = SledStore::open(config, Arc::new(Unobserved)).unwrap();
        for document in ["a", "b"] {
            let bytes = Bytes::from_static(b"u");
            let updates = vec![LoggedUpdate { bytes, origin: None, at: Timestamp(1) }];
            let document = DocumentName::parse(document).unwrap();
            store.append(vec![Append { document, updates, summary: None }]).await.unwrap();
        }
        drop(store);
        let expected = content(&original).await;
        assert_eq!(expected.len(), 2);
        fs::remove_file(original.join("wal-mark")).unwrap();

        let mut steps = 0;
        for stop in 0.. {
            let data = home.path().join(format!("stopped-{stop}"));
            copy(&original, &data).unwrap();
            let directory = Directory::take(&data).unwrap();
            let mut repair = Repair::read(&data, &directory).unwrap();
            let fresh = Directory::take(&data.join(FRESH)).unwrap();
            repair.write(&fresh, &mut |_, _| true).unwrap();
            drop((fresh, directory));
            ready(&data).unwrap();
            let mut left: usize = stop;
            let stopped = swap(&data, &mut || {
                left = left.checked_sub(1).ok_or_else(|| io::Error::other("stopped by a test"))?;
                Ok(())
            });
            let done = stopped.is_ok();
            // One that has moved everything needs nothing more, and one that has not says so.
            if is_unfinished(&data) {
                let what =
                    SledStore::open(Config { data: data.clone(), ..Config::default() }, Arc::new(Unobserved));
                let what = what.map(drop).unwrap_err().to_string();
                assert!(what.contains("`weft check --repair` goes on with it"), "step {stop}: {what}");
                super::repair(&data, &mut |_, _| true).unwrap();
            }
            assert_eq!(content(&data).await, expected, "stopped at step {stop}");
            let aside = fs::read_dir(&data)
                .unwrap()
                .filter_map(|entry| entry.unwrap().file_name().into_string().ok());
            let aside: Vec<_> = aside.filter(|name| name.starts_with("damaged-")).collect();
            assert_eq!(aside.len(), 1, "stopped at step {stop}");
            assert!(data.join(&aside[0]).join("epoch-1/rows").exists(), "stopped at step {stop}");
            steps = stop;
            if done {
                break;
            }
        }
        assert!(steps > 8, "{steps} steps");
    }
}
