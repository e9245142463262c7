//! The write-ahead log: where an append becomes durable, before it is settled into sled.
//!
//! A commit into sled costs some 600 µs of CPU over all its threads, whatever is in it; a commit here costs
//! one `write` (and one `fdatasync` at level [`Durability::Disk`]). What was appended is kept in memory as
//! well, and settled into sled every few seconds, many updates of a document in one row; a segment whose
//! appends are all settled is removed.
//!
//! ```text
//! data/wal-5, wal-6     segments: frames one after the other
//! data/wal-mark         first segment, number of its first frame, number of the last promised frame
//!
//! frame = version u8 | length u32 | number u64 | crc32c u32 | payload     (crc over all the rest)
//! ```
//!
//! Frames are numbered without a gap over all segments. A last frame that is torn was never promised; any
//! other frame that cannot be read is damage, and known by its number.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::Instant,
};

use bytes::Bytes;

use super::{
    directory::{sync_directory, unopenable},
    mark::Mark,
};
use crate::store::{Durability, StoreError, StoreResult};

const VERSION: u8 = 1;
const HEADER_BYTES: usize = 17;

/// The log that is being written.
#[derive(Debug)]
pub(super) struct Wal {
    directory: PathBuf,
    level: Durability,
    mark: Mark,
    /// The oldest segment that still counts, and the number of its first frame.
    first_segment: u64,
    first_number: u64,
    segment: u64,
    /// Number of the first frame of the segment being written.
    segment_number: u64,
    file: File,
    length: u64,
    /// Number of the last frame.
    last: u64,
    /// Since when the segment being written holds something.
    since: Option<Instant>,
}

/// What was found in a log.
#[derive(Debug)]
pub(super) struct Replay {
    /// Payloads of all whole frames, in order.
    pub(super) frames: Vec<Bytes>,
    /// Promised frames that are gone.
    pub(super) lost: u64,
    /// Whether level `kill` allows that.
    may_be_lost: bool,
    first_segment: u64,
    first_number: u64,
    last_segment: u64,
    last: u64,
}

impl Replay {
    /// An error if promised frames are missing that must not be.
    pub(super) fn refuse_loss(&self, directory: &Path) -> StoreResult<()> {
        if self.lost == 0 || self.may_be_lost {
            return Ok(());
        }
        let what = format!(
            "its write-ahead log was cut short or damaged: commits {} to {} were acknowledged and are missing. \
             Restore the directory from a backup, or make do with what is there: `weft check --accept-loss`",
            self.last + 1,
            self.last + self.lost
        );
        Err(unopenable(directory, &what))
    }
}

impl Wal {
    /// Makes the first log of a store.
    pub(super) fn create(directory: &Path, level: Durability) -> io::Result<Self> {
        for segment in segments(directory)? {
            fs::remove_file(segment_path(directory, segment))?;
        }
        let wal = Self::begin(directory, level, 1, 0)?;
        wal.set_mark()?;
        wal.mark.sync()?;
        sync_directory(directory)?;
        Ok(wal)
    }

    /// Reads what the log holds.
    ///
    /// # Errors
    /// [`StoreError::Unopenable`] if its mark is missing, or a file cannot be read.
    pub(super) fn replay(directory: &Path) -> StoreResult<Replay> {
        let failed =
            |error: io::Error| unopenable(directory, &format!("its write-ahead log cannot be read: {error}"));
        let promise = Mark::open(&directory.join("wal-mark")).map_err(failed)?.read();
        let Some(promise) = promise else {
            let what = "its file wal-mark is missing or damaged, so nobody knows whether the last commits are there; \
                        `weft check --accept-loss` makes do with what is there";
            return Err(unopenable(directory, what));
        };
        let [first_segment, first_number, promised] = promise.numbers;
        let mut replay = Replay {
            frames: Vec::new(),
            lost: 0,
            may_be_lost: promise.may_be_lost(),
            first_segment,
            first_number,
            last_segment: first_segment,
            last: first_number.saturating_sub(1),
        };
        for segment in segments(directory).map_err(failed)? {
            if segment >= first_segment {
                replay.last_segment = replay.last_segment.max(segment);
                let bytes = Bytes::from(fs::read(segment_path(directory, segment)).map_err(failed)?);
                read_frames(&bytes, &mut replay);
            }
        }
        replay.lost = promised.saturating_sub(replay.last);
        Ok(replay)
    }

    /// Goes on in a fresh segment behind what was replayed, which must be settled next.
    pub(super) fn resume(directory: &Path, level: Durability, replay: &Replay) -> io::Result<Self> {
        let mut wal = Self::begin(directory, level, replay.last_segment + 1, replay.last)?;
        (wal.first_segment, wal.first_number) = (replay.first_segment, replay.first_number);
        wal.set_mark()?;
        Ok(wal)
    }

    /// The mark is not set yet: it may still speak of what came before.
    fn begin(directory: &Path, level: Durability, segment: u64, last: u64) -> io::Result<Self> {
        let file = make_segment(directory, segment)?;
        sync_directory(directory)?;
        Ok(Self {
            directory: directory.to_owned(),
            level,
            mark: Mark::open(&directory.join("wal-mark"))?,
            first_segment: segment,
            first_number: last + 1,
            segment,
            segment_number: last + 1,
            file,
            length: 0,
            last,
            since: None,
        })
    }

    /// Makes a payload durable.
    pub(super) fn append(&mut self, payload: &[u8]) -> io::Result<()> {
        let frame = frame(self.last + 1, payload);
        self.file.write_all_at(&frame, self.length)?;
        if self.level == Durability::Disk {
            self.file.sync_data()?;
        }
        self.last += 1;
        self.length += frame.len() as u64;
        self.since.get_or_insert_with(Instant::now);
        self.set_mark()
    }

    /// Bytes in the segment being written.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Since when the segment being written holds something.
    pub(super) fn since(&self) -> Option<Instant> {
        self.since
    }

    /// Goes on in a new segment.
    pub(super) fn rotate(&mut self) -> io::Result<()> {
        self.file = make_segment(&self.directory, self.segment + 1)?;
        sync_directory(&self.directory)?;
        self.segment += 1;
        self.segment_number = self.last + 1;
        (self.length, self.since) = (0, None);
        Ok(())
    }

    /// Removes all segments but the one being written: everything in them is settled, durably.
    pub(super) fn forget_settled(&mut self) -> io::Result<()> {
        (self.first_segment, self.first_number) = (self.segment, self.segment_number);
        // The mark first: it must not speak of segments that are gone.
        self.set_mark()?;
        if self.level == Durability::Disk {
            self.mark.sync()?;
        }
        self.remove_before(self.segment);
        Ok(())
    }

    fn set_mark(&self) -> io::Result<()> {
        self.mark.set([self.first_segment, self.first_number, self.last], self.level)
    }

    fn remove_before(&self, segment: u64) {
        let old = segments(&self.directory).unwrap_or_default().into_iter().filter(|old| *old < segment);
        for old in old {
            if let Err(error) = fs::remove_file(segment_path(&self.directory, old)) {
                tracing::warn!(segment = old, %error, "settled segment cannot be removed");
            }
        }
    }
}

/// Sets the mark to what is there, after somebody accepted that the rest is lost. Gives the number of
/// frames that are lost, if it is known.
pub(super) fn accept_loss(directory: &Path) -> StoreResult<Option<u64>> {
    let failed =
        |error: io::Error| unopenable(directory, &format!("its write-ahead log cannot be mended: {error}"));
    let mark = Mark::open(&directory.join("wal-mark")).map_err(failed)?;
    let Some(promise) = mark.read() else {
        // Begin with the first segment there is, at the number of its first frame.
        let segment = segments(directory).map_err(failed)?.into_iter().next().unwrap_or(1);
        let bytes = fs::read(segment_path(directory, segment)).unwrap_or_default();
        let number = bytes.get(5..13).and_then(|number| number.try_into().ok()).map_or(1, u64::from_be_bytes);
        mark.set([segment, number, number.saturating_sub(1)], Durability::Disk).map_err(failed)?;
        return Ok(None);
    };
    let replay = Wal::replay(directory)?;
    let [segment, number, _] = promise.numbers;
    mark.set([segment, number, replay.last], Durability::Disk).map_err(failed)?;
    mark.sync().map_err(failed)?;
    Ok(Some(replay.lost))
}

/// The number of a segment, if that is what the file is.
fn segment_number(name: &str) -> Option<u64> {
    name.strip_prefix("wal-")?.parse().ok()
}

fn segments(directory: &Path) -> io::Result<Vec<u64>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(directory)? {
        segments.extend(entry?.file_name().to_str().and_then(segment_number));
    }
    segments.sort_unstable();
    Ok(segments)
}

fn segment_path(directory: &Path, segment: u64) -> PathBuf {
    directory.join(format!("wal-{segment}"))
}

fn make_segment(directory: &Path, segment: u64) -> io::Result<File> {
    let path = segment_path(directory, segment);
    OpenOptions::new().create(true).truncate(true).read(true).write(true).open(path)
}

fn frame(number: u64, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(HEADER_BYTES + payload.len());
    frame.push(VERSION);
    frame.extend_from_slice(&(payload.len() as u32).to_be_bytes()); // a group is never gigabytes
    frame.extend_from_slice(&number.to_be_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c(&frame), payload);
    frame.extend_from_slice(&crc.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// Reads frames as long as they are whole and follow each other.
fn read_frames(segment: &Bytes, replay: &mut Replay) {
    let mut at = 0;
    while let Some(payload) = read_frame(segment, at, replay.last + 1) {
        at += HEADER_BYTES + payload.len();
        replay.last += 1;
        replay.frames.push(payload);
    }
}

fn read_frame(segment: &Bytes, at: usize, expected: u64) -> Option<Bytes> {
    let (header, rest) = segment.get(at..)?.split_at_checked(HEADER_BYTES)?;
    let length = u32::from_be_bytes(header[1..5].try_into().ok()?) as usize;
    let number = u64::from_be_bytes(header[5..13].try_into().ok()?);
    let crc = u32::from_be_bytes(header[13..].try_into().ok()?);
    let payload = rest.get(..length)?;
    let whole = crc == crc32c::crc32c_append(crc32c::crc32c(&header[..13]), payload);
    (whole && header[0] == VERSION && number == expected).then(|| segment.slice_ref(payload))
}

/// An error of the log, as a reason to stop writing.
pub(super) fn reason(error: &io::Error) -> String {
    format!("the write-ahead log cannot be written: {error}")
}

/// An error of the log, while the store is being opened.
pub(super) fn unopened(directory: &Path, error: &io::Error) -> StoreError {
    unopenable(directory, &reason(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replayed(directory: &Path) -> Vec<Bytes> {
        let replay = Wal::replay(directory).unwrap();
        replay.refuse_loss(directory).unwrap();
        replay.frames
    }

    #[test]
    fn what_was_appended_is_replayed_until_it_is_settled() {
        let home = tempfile::tempdir().unwrap();
        let mut wal = Wal::create(home.path(), Durability::Disk).unwrap();
        assert!(wal.since().is_none());
        wal.append(b"one").unwrap();
        wal.append(b"").unwrap();
        assert_eq!(replayed(home.path()), [b"one".as_slice(), b""]);
        wal.rotate().unwrap();
        assert_eq!(wal.length(), 0);
        wal.append(b"three").unwrap();
        assert_eq!(replayed(home.path()).len(), 3, "two segments");
        wal.forget_settled().unwrap();
        assert_eq!(replayed(home.path()), [b"three".as_slice()]);
        wal.append(b"four").unwrap();
        drop(wal);

        let replay = Wal::replay(home.path()).unwrap();
        assert_eq!(replay.frames, [b"three".as_slice(), b"four"]);
        let mut wal = Wal::resume(home.path(), Durability::Kill, &replay).unwrap();
        assert_eq!(replayed(home.path()).len(), 2, "until it is settled");
        wal.forget_settled().unwrap();
        assert!(replayed(home.path()).is_empty());
        wal.append(b"five").unwrap();
        assert_eq!(replayed(home.path()), [b"five".as_slice()]);
        assert_eq!(segments(home.path()).unwrap().len(), 1);
    }

    #[test]
    fn every_cut_and_every_flip_in_a_promised_frame_is_missed() {
        let home = tempfile::tempdir().unwrap();
        let mut wal = Wal::create(home.path(), Durability::Kill).unwrap();
        wal.append(b"first").unwrap();
        wal.append(b"second").unwrap();
        let path = segment_path(home.path(), 1);
        let whole = fs::read(&path).unwrap();
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let replay = Wal::replay(home.path()).unwrap();
            assert!(replay.refuse_loss(home.path()).is_err(), "cut to {length}");
        }
        for byte in 0..whole.len() {
            let mut broken = whole.clone();
            broken[byte] ^= 1;
            fs::write(&path, &broken).unwrap();
            let replay = Wal::replay(home.path()).unwrap();
            assert_eq!(replay.lost, if byte < HEADER_BYTES + 5 { 2 } else { 1 }, "flip in {byte}");
        }
        assert_eq!(accept_loss(home.path()).unwrap(), Some(1));
        assert_eq!(replayed(home.path()), [b"first".as_slice()]);

        fs::remove_file(&path).unwrap();
        assert_eq!(Wal::replay(home.path()).unwrap().lost, 1, "a missing file is missed as well");
        fs::write(home.path().join("wal-mark"), b"").unwrap();
        assert!(Wal::replay(home.path()).is_err());
        fs::write(&path, &whole).unwrap();
        assert_eq!(accept_loss(home.path()).unwrap(), None);
        assert_eq!(replayed(home.path()).len(), 2);
    }

    #[test]
    fn a_torn_frame_that_was_never_promised_is_no_damage() {
        let home = tempfile::tempdir().unwrap();
        let mut wal = Wal::create(home.path(), Durability::Kill).unwrap();
        wal.append(b"first").unwrap();
        let path = segment_path(home.path(), 1);
        let whole = fs::read(&path).unwrap();
        let torn = frame(2, b"second");
        fs::write(&path, [&whole, &torn[..torn.len() - 1]].concat()).unwrap();
        assert_eq!(replayed(home.path()), [b"first".as_slice()]);
        fs::write(&path, [whole, torn].concat()).unwrap();
        assert_eq!(replayed(home.path()).len(), 2, "whole, though nobody was told");
    }

    #[test]
    fn the_format_never_changes() {
        let hex: String = frame(2, b"payload").iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex[..26], *"01000000070000000000000002");
        assert_eq!(hex[34..], *"7061796c6f6164");
    }
}
