//! The rows of an epoch: all that was ever written to it, in one file that only grows.
//!
//! ```text
//! epoch-7/rows    frames (frame.rs), each what was written together
//!
//! payload = (key length u16 | value length u32 | key | value) ...     (length ffffffff: the row was removed)
//! ```
//!
//! This file is what is true of an epoch. Where each row is, the database beside it remembers
//! (`places.rs`), and forgets without harm: whatever it holds can be read here again. Every value carries a
//! checksum that covers its key (see [`layout`]), so a row is found whole or not at all, even inside a
//! frame that is damaged elsewhere.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::Path,
    sync::Arc,
    thread,
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;

use super::{
    disk,
    frame::{self, Frames},
};
use crate::store::layout;

/// The greatest version of a frame.
const VERSION: u8 = 1;
/// How long to wait before a row that the disk did not read is asked for again.
const READ_PAUSES: [Duration; 3] =
    [Duration::from_millis(10), Duration::from_millis(50), Duration::from_millis(200)];
const REMOVED: u32 = u32::MAX;
const ROW_HEADER_BYTES: usize = 6;
/// No key is longer: a kind, a name of 256 bytes with its length, and numbers.
const KEY_BYTES: usize = 320;
/// No value is longer: a row and its header, with room for what a later format may add.
const VALUE_BYTES: usize = 2 * layout::ROW_BYTES;

/// Where a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) at: u64,
    pub(super) length: u32,
}

/// A change to one row. Without a value the row is removed.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) key: Vec<u8>,
    pub(super) value: Option<Vec<u8>>,
}

/// A change as it stands in the file.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) key: Bytes,
    /// The value and where it is.
    pub(super) value: Option<(Place, Bytes)>,
}

/// Up to where a file of rows is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct End {
    /// Where the next frame begins.
    pub(super) at: u64,
    /// Number of the last frame.
    pub(super) number: u64,
}

/// An open file of rows. Read by all threads, written by the storage thread.
#[derive(Debug)]
pub(super) struct Rows {
    file: Arc<File>,
    end: Mutex<End>,
}

impl Rows {
    /// Makes an empty file.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).truncate(true).read(true).write(true).open(path)?;
        Ok(Self { file: Arc::new(file), end: Mutex::default() })
    }

    /// Opens a file that is there; [`set_end`](Self::set_end) says where it is written next.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        Ok(Self { file: Arc::new(file), end: Mutex::default() })
    }

    /// Where the next frame goes.
    pub(super) fn end(&self) -> End {
        *self.end.lock()
    }

    pub(super) fn set_end(&self, end: End) {
        *self.end.lock() = end;
    }

    /// Bytes in the file.
    pub(super) fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Adds a frame, and with `sync` makes it survive a power cut. Gives what was written and the new end.
    /// After an error the file holds what it held, or more: [`shorten`](Self::shorten) it before the next.
    pub(super) fn append(&self, changes: &[Change], sync: bool) -> io::Result<(Vec<Written>, End)> {
        let mut end = self.end.lock();
        let payload = encode(changes);
        let frame = Bytes::from(frame::encode(VERSION, end.number + 1, &payload));
        self.file.write_all_at(&frame, end.at)?;
        if sync {
            disk::sync_data(&self.file)?;
        }
        let written = decode(&frame.slice(frame::HEADER_BYTES..), end.at + frame::HEADER_BYTES as u64);
        *end = End { at: end.at + frame.len() as u64, number: end.number + 1 };
        Ok((written, *end))
    }

    /// Makes everything written survive a power cut.
    pub(super) fn sync(&self) -> io::Result<()> {
        disk::sync_data(&self.file)
    }

    /// Cuts off what stands behind the end: a frame that could not be written or was torn.
    pub(super) fn shorten(&self) -> io::Result<()> {
        self.file.set_len(self.end().at)?;
        disk::sync_data(&self.file)
    }

    /// A value, asked for several times if the disk does not read it. What a cut took is empty, and so never whole.
    pub(super) fn read(&self, place: Place) -> io::Result<Vec<u8>> {
        let mut value = vec![0; place.length as usize];
        let mut pauses = READ_PAUSES.into_iter();
        loop {
            let error = match disk::read_exact_at(&self.file, &mut value, place.at) {
                Ok(()) => return Ok(value),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Vec::new()),
                Err(error) => error,
            };
            let Some(pause) = pauses.next() else { return Err(error) };
            thread::sleep(pause);
        }
    }

    /// The frames behind `end`.
    pub(super) fn frames(&self, end: End) -> io::Result<Frames<'_>> {
        Frames::new(&self.file, end.at, VERSION, end.number)
    }

    /// The rows that are whole between two places that are not the ends of whole frames.
    pub(super) fn salvage(&self, from: u64, to: u64) -> io::Result<Vec<Written>> {
        let mut bytes = vec![0; (to - from) as usize];
        self.file.read_exact_at(&mut bytes, from)?;
        Ok(salvage(&Bytes::from(bytes), from))
    }
}

fn encode(changes: &[Change]) -> Vec<u8> {
    let size =
        |change: &Change| ROW_HEADER_BYTES + change.key.len() + change.value.as_ref().map_or(0, Vec::len);
    let mut payload = Vec::with_capacity(changes.iter().map(size).sum());
    for Change { key, value } in changes {
        payload.extend_from_slice(&(key.len() as u16).to_be_bytes());
        let length = value.as_ref().map_or(REMOVED, |value| value.len() as u32);
        payload.extend_from_slice(&length.to_be_bytes());
        payload.extend_from_slice(key);
        payload.extend_from_slice(value.as_deref().unwrap_or_default());
    }
    payload
}

/// The changes of a whole frame whose payload begins at `at`.
pub(super) fn decode(payload: &Bytes, at: u64) -> Vec<Written> {
    let mut all = Vec::new();
    let mut from = 0;
    while let Some((written, to)) = row(payload, from, at) {
        all.push(written);
        from = to;
    }
    all
}

/// The row at `from`, and where the next one is.
fn row(bytes: &Bytes, from: usize, at: u64) -> Option<(Written, usize)> {
    let (header, rest) = bytes.get(from..)?.split_at_checked(ROW_HEADER_BYTES)?;
    let key_length = usize::from(u16::from_be_bytes([header[0], header[1]]));
    let length = u32::from_be_bytes([header[2], header[3], header[4], header[5]]);
    let value_length = if length == REMOVED { 0 } else { length as usize };
    rest.len().checked_sub(key_length.checked_add(value_length)?)?;
    let start = from + ROW_HEADER_BYTES + key_length;
    let key = bytes.slice(from + ROW_HEADER_BYTES..start);
    let value = bytes.slice(start..start + value_length);
    let place = Place { at: at + start as u64, length };
    Some((Written { key, value: (length != REMOVED).then_some((place, value)) }, start + value_length))
}

/// All whole rows among these bytes, wherever they begin.
fn salvage(bytes: &Bytes, at: u64) -> Vec<Written> {
    let mut all = Vec::new();
    let mut from = 0;
    while from + ROW_HEADER_BYTES <= bytes.len() {
        match whole_row(bytes, from, at) {
            Some((written, to)) => {
                all.push(written);
                from = to;
            }
            None => from += 1,
        }
    }
    all
}

fn whole_row(bytes: &Bytes, from: usize, at: u64) -> Option<(Written, usize)> {
    let key_length = usize::from(u16::from_be_bytes([bytes[from], bytes[from + 1]]));
    if !(2..=KEY_BYTES).contains(&key_length) || bytes[from + 2..from + 4] != [0, 0] {
        return None;
    }
    let (written, to) = row(bytes, from, at)?;
    let (_, value) = written.value.as_ref().filter(|(_, value)| value.len() <= VALUE_BYTES)?;
    layout::is_whole(&written.key, value).then_some((written, to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ids::DocumentName,
        store::layout::{Kind, end_key, log_key, seal},
    };

    fn change(key: Vec<u8>, kind: Kind, payload: &[u8]) -> Change {
        let value = Some(seal(kind, &key, payload));
        Change { key, value }
    }

    fn changes() -> Vec<Change> {
        let name = DocumentName::parse("a").unwrap();
        vec![
            change(log_key(&name, 1, 1, 0), Kind::Log, b"first"),
            Change { key: log_key(&name, 1, 2, 0), value: None },
            change(end_key(&name), Kind::End, b"end"),
            change(log_key(&name, 1, 3, 0), Kind::Log, &[7; layout::ROW_BYTES]),
        ]
    }

    #[test]
    fn what_is_written_is_found_where_it_was_said_to_be() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("rows");
        let rows = Rows::create(&path).unwrap();
        rows.append(&changes()[..1], true).unwrap();
        let (written, end) = rows.append(&changes(), false).unwrap();
        assert_eq!((rows.length().unwrap(), rows.end()), (end.at, End { at: end.at, number: 2 }));
        for (written, change) in written.iter().zip(changes()) {
            assert_eq!(written.key, change.key);
            let value = written.value.as_ref().map(|(place, _)| rows.read(*place).unwrap());
            assert_eq!(value, change.value);
        }
        rows.file.write_all_at(b"torn", end.at).unwrap();
        rows.shorten().unwrap();
        assert_eq!(rows.length().unwrap(), end.at);
        rows.file.set_len(end.at - 1).unwrap();
        let (place, _) = written[3].value.clone().unwrap();
        assert_eq!(rows.read(place).unwrap(), b"", "cut off");
    }

    #[test]
    fn damage_inside_a_frame_costs_one_row() {
        let payload = encode(&changes());
        let keys = |rows: Vec<Written>| rows.into_iter().map(|row| row.key.to_vec()).collect::<Vec<_>>();
        let whole = keys(salvage(&Bytes::from(payload.clone()), 0));
        assert_eq!(whole.len(), 3, "a removal says nothing that could be checked");
        for at in 0..payload.len() {
            let mut broken = payload.clone();
            broken[at] ^= 0x10;
            let left = keys(salvage(&Bytes::from(broken), 0));
            assert!(left.len() >= 2 && left.iter().all(|key| whole.contains(key)), "byte {at}: {left:?}");
        }
    }

    #[test]
    fn the_format_never_changes() {
        let changes = [
            Change { key: b"key".to_vec(), value: Some(b"value".to_vec()) },
            Change { key: b"gone".to_vec(), value: None },
        ];
        let hex: String = encode(&changes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "0003000000056b657976616c75650004ffffffff676f6e65");
    }
}
