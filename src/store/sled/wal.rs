//! The write-ahead log: where an append becomes durable, before it is settled into sled.
//!
//! A commit into sled costs some 600 µs of CPU over all its threads, whatever is in it; a commit here costs
//! one `write` (and one `fdatasync` at level [`Durability::Disk`]). What was appended is kept in memory as
//! well, and settled into sled every few seconds, many updates of a document in one row; a segment whose
//! appends are all settled is removed.
//!
//! ```text
//! data/wal-5, wal-6     segments: frames one after the other (frame.rs)
//! data/wal-mark         first segment, number of its first frame, number of the last promised frame
//! ```
//!
//! Frames are numbered without a gap over all segments. A last frame that is torn was never promised; any
//! other frame that cannot be read is damage, and known by its number. What a frame holds is checksummed once
//! more append by append, so that one damaged byte costs one document (`repair.rs`). Frames of version 1, of
//! schema 3 and before, have no such checksums.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::Instant,
};

use bytes::Bytes;

use super::{
    directory::unopenable,
    disk::{self, sync_directory},
    frame::{self, Frames, Piece},
    mark::Mark,
};
use crate::store::{Durability, StoreError, StoreResult, layout};

/// The version of what is written now.
const VERSION: u8 = 2;

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

/// A whole frame of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    version: u8,
    payload: Bytes,
}

impl Frame {
    /// The appends it holds.
    pub(super) fn decode(&self) -> Result<Vec<layout::Logged>, layout::Damage> {
        match self.version {
            1 => layout::decode_frame_1(&self.payload),
            _ => layout::decode_frame(&self.payload),
        }
    }
}

/// What was found in a log.
#[derive(Debug)]
pub(super) struct Replay {
    /// All whole frames, in order.
    pub(super) frames: Vec<Frame>,
    /// Promised frames that are gone.
    pub(super) lost: u64,
    /// Whether level `kill` allows that.
    may_be_lost: bool,
    /// Where frames are missing: how many come before, and the segment and place of the first one behind.
    broken: Option<(usize, u64, u64)>,
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
            "its write-ahead log was cut short or damaged: {} of the commits up to {} were acknowledged and are \
             missing; `weft check --repair` saves what can be read, or restore the directory from a backup",
            self.lost,
            self.last + if self.broken.is_none() { self.lost } else { 0 }
        );
        Err(unopenable(directory, &what))
    }

    /// Gives up what stands behind missing frames, as level `kill` allows after a power cut: it may build on them.
    fn end_where_broken(&mut self, directory: &Path) -> io::Result<()> {
        let Some((frames, segment, at)) = self.broken.take() else { return Ok(()) };
        self.frames.truncate(frames);
        self.last = self.first_number.saturating_sub(1) + frames as u64;
        for later in segments(directory)?.into_iter().filter(|later| *later > segment) {
            fs::remove_file(segment_path(directory, later))?;
        }
        let cut = OpenOptions::new().write(true).open(segment_path(directory, segment))?;
        cut.set_len(at)?;
        disk::sync(&cut)
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
                        `weft check --repair` makes do with what is there";
            return Err(unopenable(directory, what));
        };
        let [first_segment, first_number, promised] = promise.numbers;
        let mut replay = Replay {
            frames: Vec::new(),
            lost: 0,
            may_be_lost: promise.may_be_lost(),
            broken: None,
            first_segment,
            first_number,
            last_segment: first_segment,
            last: first_number.saturating_sub(1),
        };
        let mut kept = 0;
        for segment in segments(directory).map_err(failed)? {
            if segment < first_segment {
                continue;
            }
            replay.last_segment = replay.last_segment.max(segment);
            let file = File::open(segment_path(directory, segment)).map_err(failed)?;
            let mut frames = Frames::new(&file, 0, VERSION, replay.last).map_err(failed)?;
            while let Some(piece) = frames.next().map_err(failed)? {
                // A gap alone is a torn frame; what is missing is seen by the number of the next one.
                let Piece::Frame { version, number, at, payload } = piece else { continue };
                if number != replay.last + 1 && replay.broken.is_none() {
                    let at = at - frame::HEADER_BYTES as u64;
                    replay.broken = Some((replay.frames.len(), segment, at));
                }
                kept += u64::from(number <= promised);
                replay.last = number;
                replay.frames.push(Frame { version, payload });
            }
        }
        replay.lost = (promised + 1).saturating_sub(first_number).saturating_sub(kept);
        Ok(replay)
    }

    /// Goes on in a fresh segment behind what was replayed, which must be settled next.
    pub(super) fn resume(directory: &Path, level: Durability, replay: &mut Replay) -> io::Result<Self> {
        replay.end_where_broken(directory)?;
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
        let frame = frame::encode(VERSION, self.last + 1, payload);
        self.file.write_all_at(&frame, self.length)?;
        if self.level == Durability::Disk {
            disk::sync_data(&self.file)?;
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

/// Everything in the log that can be read, for a repair.
pub(super) struct Salvaged {
    /// All appends that are whole, in order.
    pub(super) appends: Vec<layout::Logged>,
    /// Promised frames that could not be read, or only in part; `None` if it is not known what was promised.
    pub(super) lost: Option<u64>,
}

/// Reads every append that is whole, those of damaged frames included.
pub(super) fn salvage(directory: &Path) -> io::Result<Salvaged> {
    let promise = Mark::peek(&directory.join("wal-mark"));
    let [first_segment, first_number, promised] = promise.map_or([0, 0, 0], |promise| promise.numbers);
    let mut last = first_number.saturating_sub(1);
    let mut kept = 0;
    let mut appends = Vec::new();
    for segment in segments(directory)?.into_iter().filter(|segment| *segment >= first_segment) {
        let file = File::open(segment_path(directory, segment))?;
        let mut frames = Frames::new(&file, 0, VERSION, last)?;
        while let Some(piece) = frames.next()? {
            match piece {
                Piece::Frame { version, number, payload, .. } => {
                    last = number;
                    kept += u64::from(number <= promised);
                    appends.extend(Frame { version, payload }.decode().unwrap_or_default());
                }
                Piece::Gap { from, to } => {
                    let mut bytes = vec![0; (to - from) as usize];
                    file.read_exact_at(&mut bytes, from)?;
                    appends.extend(layout::salvage_frame(&Bytes::from(bytes)));
                }
            }
        }
    }
    let lost = promise.map(|_| (promised + 1).saturating_sub(first_number).saturating_sub(kept));
    Ok(Salvaged { appends, lost })
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

    fn payloads(replay: &Replay) -> Vec<Bytes> {
        replay.frames.iter().map(|frame| frame.payload.clone()).collect()
    }

    fn replayed(directory: &Path) -> Vec<Bytes> {
        let replay = Wal::replay(directory).unwrap();
        replay.refuse_loss(directory).unwrap();
        payloads(&replay)
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

        let mut replay = Wal::replay(home.path()).unwrap();
        assert_eq!(payloads(&replay), [b"three".as_slice(), b"four"]);
        let mut wal = Wal::resume(home.path(), Durability::Kill, &mut replay).unwrap();
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
            assert_eq!(replay.lost, 1, "flip in {byte}");
            assert!(replay.refuse_loss(home.path()).is_err());
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(Wal::replay(home.path()).unwrap().lost, 2, "a missing file is missed as well");
        fs::write(home.path().join("wal-mark"), b"").unwrap();
        assert!(Wal::replay(home.path()).is_err());
    }

    /// A power cut at level `kill`.
    #[test]
    fn what_may_be_lost_ends_the_log() {
        let home = tempfile::tempdir().unwrap();
        let mut wal = Wal::create(home.path(), Durability::Kill).unwrap();
        for text in ["one", "two", "three"] {
            wal.append(text.as_bytes()).unwrap();
        }
        wal.rotate().unwrap();
        wal.append(b"four").unwrap();
        let path = segment_path(home.path(), 1);
        let mut broken = fs::read(&path).unwrap();
        broken[frame::HEADER_BYTES + 3 + frame::HEADER_BYTES] ^= 1;
        fs::write(&path, broken).unwrap();
        let mut replay = Wal::replay(home.path()).unwrap();
        assert_eq!((replay.lost, replay.frames.len()), (1, 3));
        replay.may_be_lost = true;
        replay.refuse_loss(home.path()).unwrap();
        let mut wal = Wal::resume(home.path(), Durability::Kill, &mut replay).unwrap();
        assert_eq!(payloads(&replay), [b"one".as_slice()]);
        wal.append(b"two again").unwrap();
        assert_eq!(replayed(home.path()), [b"one".as_slice(), b"two again"]);
    }

    #[test]
    fn a_damaged_frame_costs_one_append() {
        let home = tempfile::tempdir().unwrap();
        let mut wal = Wal::create(home.path(), Durability::Kill).unwrap();
        let names = ["a", "b", "c"];
        let mut payload = Vec::new();
        for name in names {
            let name = crate::ids::DocumentName::parse(name).unwrap();
            layout::put_logged(&mut payload, &name, 1, 1, &layout::encode_log(&[]), None);
        }
        wal.append(&payload).unwrap();
        let path = segment_path(home.path(), 1);
        let whole = fs::read(&path).unwrap();
        assert_eq!(salvage(home.path()).unwrap().appends.len(), 3);
        for byte in 0..whole.len() {
            let mut broken = whole.clone();
            broken[byte] ^= 1;
            fs::write(&path, broken).unwrap();
            let Salvaged { appends, lost } = salvage(home.path()).unwrap();
            let left: Vec<_> = appends.iter().map(|logged| logged.name.as_str()).collect();
            assert!(left.len() >= 2 && left.iter().all(|name| names.contains(name)), "byte {byte}: {left:?}");
            assert_eq!(lost, Some(1));
        }
    }

    #[test]
    fn a_torn_frame_that_was_never_promised_is_no_damage() {
        let home = tempfile::tempdir().unwrap();
        let mut wal = Wal::create(home.path(), Durability::Kill).unwrap();
        wal.append(b"first").unwrap();
        let path = segment_path(home.path(), 1);
        let whole = fs::read(&path).unwrap();
        let torn = frame::encode(VERSION, 2, b"second");
        fs::write(&path, [&whole, &torn[..torn.len() - 1]].concat()).unwrap();
        assert_eq!(replayed(home.path()), [b"first".as_slice()]);
        fs::write(&path, [whole, torn].concat()).unwrap();
        assert_eq!(replayed(home.path()).len(), 2, "whole, though nobody was told");
    }
}
