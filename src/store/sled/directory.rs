//! The directory a store lives in: who has it, which epochs it holds, how much room there is.
//!
//! ```text
//! data/
//!   LOCK             held by the one process that serves or checks this directory
//!   CURRENT          which epochs count, as JSON, and a checksum; replaced by rename
//!   CURRENT.copy     the same again, for when the first cannot be read
//!   epoch-7/         rows and where they are (epoch.rs)
//!   wal-5, wal-mark  the write-ahead log (wal.rs)
//!   damaged-…/       what stood here before a repair (repair.rs)
//! ```
//!
//! `CURRENT` is written before the first epoch is made and again when it is ready, so a creation that was
//! cut short can be told from a directory that has lost it. Epochs that it does not name are left over
//! from a step that did not finish, and are removed.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::disk::{self, sync_directory};
use crate::store::{StoreError, StoreResult, layout};

/// What to do about a directory that cannot be opened.
pub(super) const ADVICE: &str =
    "`weft check --repair` saves what can be read, or restore the directory from a backup";
/// The last schema whose CURRENT had no checksum.
const UNSEALED_SCHEMA: u32 = 3;

/// Which epochs count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Current {
    /// Format of the store as a whole.
    pub(super) schema: u32,
    /// Where new documents and new states are written.
    pub(super) young: u64,
    /// The epoch that is being emptied into the young one, if any.
    pub(super) old: Option<u64>,
    /// False from the first moment until the first epoch has been made.
    pub(super) ready: bool,
}

/// A directory that this process has to itself.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    // The lock lasts as long as the file is open.
    _lock: File,
}

impl Directory {
    /// Makes the directory if it is missing, and takes it.
    pub(super) fn take(path: &Path) -> StoreResult<Self> {
        fs::create_dir_all(path).map_err(|error| {
            unopenable(path, &format!("it cannot be made: {error}; choose another one with --data"))
        })?;
        Self::take_existing(path)
    }

    /// Takes a directory that must be there.
    pub(super) fn take_existing(path: &Path) -> StoreResult<Self> {
        let lock =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path.join("LOCK"));
        let mut lock =
            lock.map_err(|error| unopenable(path, &format!("its lock file cannot be opened: {error}")))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = lock.read_to_string(&mut holder); // only a hint
                let holder =
                    holder.trim().parse::<u32>().map_or(String::new(), |pid| format!(" (process {pid})"));
                let what = format!(
                    "another weft serves this directory{holder}; stop it, or choose another one with --data"
                );
                return Err(unopenable(path, &what));
            }
            Err(TryLockError::Error(error)) => {
                return Err(unopenable(path, &format!("it cannot be locked: {error}")));
            }
        }
        let note = lock
            .set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| write!(lock, "{}", std::process::id()));
        note.map_err(|error| unopenable(path, &format!("it cannot be written to: {error}")))?;
        // Asked before anything depends on it: a disk that cannot sync keeps no promise.
        let synced = disk::sync(&lock).and_then(|()| sync_directory(path));
        synced.map_err(|error| {
            unopenable(
                path,
                &format!("it cannot be synced: {error}; look at the disk, or choose another one with --data"),
            )
        })?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Which epochs count; `None` in a directory that never held a store.
    pub(super) fn current(&self) -> StoreResult<Option<Current>> {
        if is_unfinished(&self.path) {
            let what = "a repair of it was interrupted; `weft check --repair` goes on with it";
            return Err(unopenable(&self.path, what));
        }
        let damage = match self.read_current("CURRENT")? {
            Some(Ok(current)) => return Ok(Some(current)),
            Some(Err(damage)) => format!("its file CURRENT is damaged ({damage})"),
            None => "it holds epochs, but its file CURRENT is missing".into(),
        };
        // What it said stands in its copy as well, and is written anew.
        if let Some(Ok(current)) = self.read_current("CURRENT.copy")? {
            tracing::error!(
                "CURRENT is damaged or missing; it is made anew from its copy, and nothing is lost"
            );
            let written = self.set_current(current.young, current.old, current.ready);
            written
                .map_err(|error| unopenable(&self.path, &format!("CURRENT cannot be written: {error}")))?;
            return Ok(Some(current));
        }
        if !self.path.join("CURRENT").exists() && self.epochs().is_ok_and(|epochs| epochs.is_empty()) {
            return Ok(None);
        }
        Err(unopenable(&self.path, &format!("{damage}; {ADVICE}")))
    }

    /// What one of the two files says, or what is wrong with it.
    fn read_current(&self, name: &str) -> StoreResult<Option<Result<Current, String>>> {
        let text = match fs::read(self.path.join(name)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(unopenable(&self.path, &format!("its file {name} cannot be read: {error}")));
            }
        };
        let (text, checksum) = match text.iter().position(|byte| *byte == b'\n') {
            Some(end) => (&text[..end], Some(&text[end + 1..])),
            None => (&text[..], None),
        };
        if checksum.is_some_and(|checksum| checksum != seal(text).as_bytes()) {
            return Ok(Some(Err("its checksum is wrong".into())));
        }
        // The schema alone first: a newer one may say the rest in other words.
        #[derive(Deserialize)]
        struct Schema {
            schema: u32,
        }
        Ok(Some(match serde_json::from_slice(text) {
            Ok(Schema { schema }) if schema > layout::SCHEMA => return Err(newer(&self.path, schema)),
            Ok(Schema { schema }) if checksum.is_none() && schema > UNSEALED_SCHEMA => {
                Err("its checksum is missing".into())
            }
            Ok(_) => serde_json::from_slice(text).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        }))
    }

    /// Writes both files anew unless both say this already, in the words of today: a crash may have come between
    /// them, and the copy of an earlier moment must never be asked.
    pub(super) fn confirm(&self, current: &Current) -> io::Result<()> {
        let sealed = sealed(current.young, current.old, current.ready)?;
        if CURRENTS.iter().all(|name| fs::read(self.path.join(name)).is_ok_and(|text| text == sealed)) {
            return Ok(());
        }
        self.set_current(current.young, current.old, current.ready)
    }

    /// Says which epochs count. Atomic and durable: a crash leaves the file before or the file after.
    pub(super) fn set_current(&self, young: u64, old: Option<u64>, ready: bool) -> io::Result<()> {
        let sealed = sealed(young, old, ready)?;
        for name in CURRENTS {
            let fresh = self.path.join("CURRENT.new");
            let mut file = File::create(&fresh)?;
            file.write_all(&sealed)?;
            disk::sync(&file)?;
            fs::rename(fresh, self.path.join(name))?;
            sync_directory(&self.path)?;
        }
        Ok(())
    }

    /// Where an epoch lives.
    pub(super) fn epoch(&self, number: u64) -> PathBuf {
        self.path.join(format!("epoch-{number}"))
    }

    /// All epochs that are there, named or left over.
    pub(super) fn epochs(&self) -> io::Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let name = entry?.file_name();
            numbers.extend(name.to_str().and_then(|name| name.strip_prefix("epoch-")?.parse::<u64>().ok()));
        }
        Ok(numbers)
    }

    /// Bytes that the write-ahead log takes on disk.
    pub(super) fn log_bytes(&self) -> u64 {
        let Ok(entries) = fs::read_dir(&self.path) else { return 0 };
        let files = entries
            .flatten()
            .filter(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with("wal-")));
        files.filter_map(|file| file.metadata().ok()).map(|metadata| metadata.blocks() * 512).sum()
    }

    /// Whether files can be made, written, synced and opened, as many as a store needs. Asked before what is open is
    /// let go, because reading goes on as long as it is.
    pub(super) fn try_out(&self) -> io::Result<()> {
        let path = self.path.join("probe");
        let tried = || -> io::Result<()> {
            let mut file = File::create(&path)?;
            file.write_all(&[0; 4096])?;
            disk::sync(&file)?;
            sync_directory(&self.path)?;
            let opened: io::Result<Vec<File>> = (0..FILES).map(|_| File::open(&path)).collect();
            opened.map(drop)
        };
        let tried = tried();
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => tried.and(Err(error)),
            _ => tried,
        }
    }

    /// Removes an epoch that does not count. One that will not go is tried again at the next start.
    pub(super) fn remove(&self, number: u64) {
        if let Err(error) = fs::remove_dir_all(self.epoch(number))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(epoch = number, %error, "left-over epoch cannot be removed");
        }
    }
}

/// An error about the directory as a whole, in words for the person who started Weft.
pub(super) fn unopenable(path: &Path, what: &str) -> StoreError {
    StoreError::Unopenable(format!("the data directory {} cannot be used: {what}", path.display()))
}

/// The refusal of what a newer Weft wrote.
pub(super) fn newer(path: &Path, schema: u32) -> StoreError {
    let known = layout::SCHEMA;
    unopenable(
        path,
        &format!("it was written by a newer weft (schema {schema}, this one knows {known}); upgrade weft"),
    )
}

/// How many files are opened at a time where a store is opened, and some more.
const FILES: usize = 24;

/// The file that says which epochs count, and the same again.
const CURRENTS: [&str; 2] = ["CURRENT", "CURRENT.copy"];

/// What stands in both.
fn sealed(young: u64, old: Option<u64>, ready: bool) -> io::Result<Vec<u8>> {
    let text = serde_json::to_vec(&Current { schema: layout::SCHEMA, young, old, ready })?;
    Ok([&text, b"\n".as_slice(), seal(&text).as_bytes()].concat())
}

/// The line behind what CURRENT says.
fn seal(text: &[u8]) -> String {
    format!("{:08x}\n", crc32c::crc32c(text))
}

/// Bytes that everything under `path` takes on disk. What vanishes meanwhile counts as nothing.
pub(super) fn disk_bytes(path: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(path) else { return 0 };
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => disk_bytes(&entry.path()),
        Ok(metadata) => metadata.blocks() * 512, // always 512, whatever the file system's blocks are
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}

/// Bytes an ordinary user may still write on the disk that holds `path`.
pub(super) fn free_bytes(path: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(path)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Whether a repair was interrupted while it moved files, so that what counts is neither here nor there.
pub(super) fn is_unfinished(data: &Path) -> bool {
    data.join(FRESH).join(READY).exists()
}

/// Where a repair makes the fresh store, and what says there that it is complete.
pub(super) const FRESH: &str = "repaired";
pub(super) const READY: &str = "READY";
