//! What was promised, remembered outside of the file that keeps the promise.
//!
//! A file whose end was cut off looks like a file that ends there. So the number of the last thing that
//! was promised is written into a small file beside it, after the thing itself and before the promise. It
//! survives a kill, and it is never ahead of what was synced at level `disk`.
//!
//! At level `kill` a power cut may take what the mark speaks of: that is within the promise, and told from
//! damage by the id of the machine's start.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::Path,
    sync::OnceLock,
};

use super::{directory::ADVICE, disk};
use crate::store::{Durability, StoreError, StoreResult};

/// How many numbers a mark holds.
pub(super) const NUMBERS: usize = 3;

const BODY_BYTES: usize = 8 * NUMBERS + 1 + 16;
const BYTES: usize = BODY_BYTES + 4;

/// An open mark.
#[derive(Debug)]
pub(super) struct Mark {
    file: File,
}

/// What a mark said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Promise {
    /// What they count is up to the owner.
    pub(super) numbers: [u64; NUMBERS],
    /// Whether it had been synced, so that not even a power cut excuses its loss.
    synced: bool,
    /// Which start of the machine wrote it.
    boot: [u8; 16],
}

impl Promise {
    /// Whether a missing part of it is within what level `kill` promises.
    pub(super) fn may_be_lost(&self) -> bool {
        !self.synced && self.boot != boot_id()
    }
}

impl Mark {
    /// Opens a mark; one that is not there is made, and says nothing.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
        Ok(Self { file })
    }

    /// What the mark at `path` says, without making one.
    pub(super) fn peek(path: &Path) -> Option<Promise> {
        Self { file: File::open(path).ok()? }.read()
    }

    /// What was last written; `None` if that is missing or damaged.
    pub(super) fn read(&self) -> Option<Promise> {
        let mut bytes = [0; BYTES];
        self.file.read_exact_at(&mut bytes, 0).ok()?;
        decode(&bytes)
    }

    /// Promises `numbers`.
    pub(super) fn set(&self, numbers: [u64; NUMBERS], level: Durability) -> io::Result<()> {
        let promise = Promise { numbers, synced: level == Durability::Disk, boot: boot_id() };
        self.file.write_all_at(&encode(&promise), 0)
    }

    /// Makes the mark itself survive a power cut. Not needed after each promise: an older mark promises
    /// less.
    pub(super) fn sync(&self) -> io::Result<()> {
        disk::sync(&self.file)
    }
}

fn encode(promise: &Promise) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    for (place, number) in bytes.chunks_exact_mut(8).zip(promise.numbers) {
        place.copy_from_slice(&number.to_be_bytes());
    }
    bytes[8 * NUMBERS] = u8::from(promise.synced);
    bytes[8 * NUMBERS + 1..BODY_BYTES].copy_from_slice(&promise.boot);
    let crc = crc32c::crc32c(&bytes[..BODY_BYTES]);
    bytes[BODY_BYTES..].copy_from_slice(&crc.to_be_bytes());
    bytes
}

fn decode(bytes: &[u8; BYTES]) -> Option<Promise> {
    let (body, crc) = bytes.split_last_chunk::<4>()?;
    (u32::from_be_bytes(*crc) == crc32c::crc32c(body)).then_some(())?;
    let mut numbers = [0; NUMBERS];
    for (number, place) in numbers.iter_mut().zip(body.chunks_exact(8)) {
        *number = u64::from_be_bytes(place.try_into().ok()?);
    }
    let boot = body[8 * NUMBERS + 1..].try_into().ok()?;
    Some(Promise { numbers, synced: body[8 * NUMBERS] == 1, boot })
}

/// Changes when the machine starts. Where the system does not tell, all starts look the same, which errs on
/// the side of refusing.
fn boot_id() -> [u8; 16] {
    static BOOT: OnceLock<[u8; 16]> = OnceLock::new();
    *BOOT.get_or_init(|| {
        let text = fs::read_to_string("/proc/sys/kernel/random/boot_id");
        let id = text.ok().and_then(|text| uuid::Uuid::parse_str(text.trim()).ok());
        id.map_or([0; 16], uuid::Uuid::into_bytes)
    })
}

/// Makes the mark at `path` one of an earlier start of the machine, which had not been synced.
/// How many promised commits are missing from the epoch at `path`, if that is allowed.
pub(super) fn lost(path: &Path, promise: Option<Promise>, commit: u64) -> StoreResult<u64> {
    let Some(promise) = promise else {
        let what = format!(
            "the file {} is missing or damaged, so nobody knows whether the last commits are there; {ADVICE}",
            path.join("mark").display()
        );
        return Err(StoreError::Unopenable(what));
    };
    let promised = promise.numbers[0];
    let lost = promised.saturating_sub(commit);
    if lost > 0 && !promise.may_be_lost() {
        let what = format!(
            "{} was cut short: commits {} to {promised} were promised and are missing; {ADVICE}",
            path.join("rows").display(),
            commit + 1,
        );
        return Err(StoreError::Unopenable(what));
    }
    Ok(lost)
}

#[cfg(test)]
pub(super) fn before_a_power_cut(path: &Path) {
    let mark = Mark::open(path).unwrap();
    let promise = Promise { synced: false, boot: [9; 16], ..mark.read().unwrap() };
    mark.file.write_all_at(&encode(&promise), 0).unwrap();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_says_what_was_promised() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("mark");
        let mark = Mark::open(&path).unwrap();
        assert_eq!(mark.read(), None);
        mark.set([1, 2, u64::MAX], Durability::Disk).unwrap();
        let promise = mark.read().unwrap();
        assert_eq!((promise.numbers, promise.synced), ([1, 2, u64::MAX], true));
        assert!(!promise.may_be_lost());
        mark.set([3, 4, 5], Durability::Kill).unwrap();
        let promise = Mark::open(&path).unwrap().read().unwrap();
        assert_eq!(promise.numbers, [3, 4, 5]);
        assert!(!promise.may_be_lost(), "the machine has not been restarted");
        assert!(Promise { boot: [9; 16], ..promise }.may_be_lost());
        assert!(!Promise { boot: [9; 16], synced: true, ..promise }.may_be_lost());
        for byte in 0..BYTES {
            let mut bytes = encode(&promise);
            bytes[byte] ^= 0x10;
            assert_eq!(decode(&bytes), None, "byte {byte}");
        }
    }

    #[test]
    fn the_format_never_changes() {
        let bytes = encode(&Promise { numbers: [1, 2, 3], synced: true, boot: [0xab; 16] });
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex[..82],
            *"00000000000000010000000000000002000000000000000301abababababababababababababababab"
        );
    }
}
