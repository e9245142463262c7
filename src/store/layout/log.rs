//! The log of a document: updates that were appended together as one value, and the frames of the write-ahead log.

use bytes::{BufMut, Bytes};
use uuid::Uuid;

use super::{
    Damage, ROW_BYTES, Result, damage,
    head::put_summary,
    reader::{Reader, put_varint},
    value::parts,
};
use crate::{
    ids::{DocumentName, SessionId, Timestamp},
    store::{LoggedUpdate, Summary},
};

/// Updates that were appended together, as one value: count, time of the first, and per update the time
/// since the one before, the origin (0 none, 1 the same as before, 2 and the id), the length, the bytes.
pub fn encode_log(updates: &[LoggedUpdate]) -> Vec<u8> {
    let mut out = Vec::with_capacity(32 + updates.iter().map(|update| update.bytes.len() + 4).sum::<usize>());
    let mut head = LogHead::begin(updates, &mut out);
    for update in updates {
        head.put(update, &mut out);
        out.extend_from_slice(&update.bytes);
    }
    out
}

/// What stands in front of the bytes of each update in an entry of the log.
struct LogHead {
    at: u64,
    origin: Option<SessionId>,
}

impl LogHead {
    fn begin(updates: &[LoggedUpdate], out: &mut Vec<u8>) -> Self {
        put_varint(out, updates.len() as u64);
        let at = updates.first().map_or(0, |update| update.at.0);
        out.put_u64(at);
        Self { at, origin: None }
    }

    fn put(&mut self, update: &LoggedUpdate, out: &mut Vec<u8>) {
        put_varint(out, zigzag(update.at.0.wrapping_sub(self.at) as i64));
        self.at = update.at.0;
        match update.origin {
            None => out.put_u8(0),
            same if same == self.origin => out.put_u8(1),
            Some(session) => {
                out.put_u8(2);
                out.extend_from_slice(session.0.as_bytes());
                self.origin = update.origin;
            }
        }
        put_varint(out, update.bytes.len() as u64);
    }
}

/// An entry of the log that was not put together: a large one is never in memory a second time.
#[derive(Debug)]
pub struct LogPieces {
    pieces: Vec<Bytes>,
    length: usize,
}

impl LogPieces {
    /// What [`encode_log`] writes.
    pub fn new(updates: &[LoggedUpdate]) -> Self {
        let mut out = Vec::new();
        let mut head = LogHead::begin(updates, &mut out);
        let mut pieces = Vec::with_capacity(2 * updates.len());
        for update in updates {
            head.put(update, &mut out);
            pieces.extend([Bytes::from(std::mem::take(&mut out)), update.bytes.clone()]);
        }
        pieces.push(Bytes::from(out)); // the head of none, if there are no updates
        let length = pieces.iter().map(Bytes::len).sum();
        Self { pieces, length }
    }

    /// How many parts it has.
    pub fn parts(&self) -> u32 {
        parts(self.length)
    }

    /// One part of it, as a payload; the same as [`super::value::part`] of the whole.
    pub fn part(&self, part: u32) -> Vec<u8> {
        let from = part as usize * ROW_BYTES;
        let to = self.length.min(from + ROW_BYTES);
        let mut payload = Vec::with_capacity(4 + to - from);
        payload.extend_from_slice(&parts(self.length).to_be_bytes());
        let mut at = 0;
        for piece in &self.pieces {
            let (start, end) = (from.max(at) - at, to.min(at + piece.len()).saturating_sub(at));
            if start < end {
                payload.extend_from_slice(&piece[start..end]);
            }
            at += piece.len();
        }
        payload
    }
}

/// Reads what [`encode_log`] wrote, to its end. The updates share the memory of `entry`.
pub fn decode_log(entry: &Bytes) -> Result<Vec<LoggedUpdate>> {
    let mut rest = Reader(entry);
    let count = rest.varint()?;
    let mut at = rest.u64()?;
    let mut origin = None;
    // An update takes at least three bytes, so a count cannot reserve more than the entry is worth.
    let mut updates = Vec::with_capacity(count.min(rest.0.len() as u64 / 3) as usize);
    for _ in 0..count {
        at = at.wrapping_add(unzigzag(rest.varint()?) as u64);
        let by = match rest.u8()? {
            0 => None,
            1 if origin.is_some() => origin,
            2 => {
                let id = Uuid::from_slice(rest.take(16)?);
                origin = Some(SessionId(id.map_err(|_| Damage("a session id is cut short".into()))?));
                origin
            }
            other => return damage(format!("unknown origin {other}")),
        };
        let length = rest.varint()?;
        let bytes = rest.take(usize::try_from(length).unwrap_or(usize::MAX))?;
        updates.push(LoggedUpdate { bytes: entry.slice_ref(bytes), origin: by, at: Timestamp(at) });
    }
    rest.end()?;
    Ok(updates)
}

/// One append as the write-ahead log holds it, many of them in a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Whose.
    pub name: DocumentName,
    /// In which life of the document.
    pub life: u32,
    /// Sequence of the first update.
    pub first: u64,
    /// The updates, as [`encode_log`] writes them.
    pub entry: Bytes,
    /// The summary that came with it.
    pub summary: Option<Summary>,
}

/// Adds an append to a frame of the write-ahead log: its length, its checksum (crc32c), and itself.
pub fn put_logged(
    out: &mut Vec<u8>,
    name: &DocumentName,
    life: u32,
    first: u64,
    entry: &[u8],
    summary: Option<&Summary>,
) {
    let start = out.len();
    out.extend_from_slice(&[0; LOGGED_HEADER_BYTES]);
    let name = name.as_str().as_bytes();
    out.put_u8((name.len() - 1) as u8); // a name has 1 to 256 bytes
    out.extend_from_slice(name);
    put_varint(out, u64::from(life));
    put_varint(out, first);
    put_varint(out, entry.len() as u64);
    out.extend_from_slice(entry);
    match summary {
        None => out.put_u8(0),
        Some(summary) => {
            out.put_u8(1);
            put_summary(out, summary);
        }
    }
    let (header, body) = out[start..].split_at_mut(LOGGED_HEADER_BYTES);
    header[..4].copy_from_slice(&(body.len() as u32).to_be_bytes()); // a frame is never gigabytes
    header[4..].copy_from_slice(&crc32c::crc32c(body).to_be_bytes());
}

const LOGGED_HEADER_BYTES: usize = 8;

/// Reads a frame of the write-ahead log to its end. The entries share its memory.
pub fn decode_frame(frame: &Bytes) -> Result<Vec<Logged>> {
    let mut all = Vec::new();
    let mut at = 0;
    while at < frame.len() {
        let (logged, next) = logged_at(frame, at).ok_or_else(|| Damage("an append is damaged".into()))?;
        all.push(logged);
        at = next;
    }
    Ok(all)
}

/// Every append that is whole in a piece of the write-ahead log that is damaged.
pub fn salvage_frame(piece: &Bytes) -> Vec<Logged> {
    let mut all = Vec::new();
    let mut at = 0;
    while at < piece.len() {
        match logged_at(piece, at) {
            Some((logged, next)) => {
                all.push(logged);
                at = next;
            }
            None => at += 1,
        }
    }
    all
}

/// The append at `at`, if it is whole, and where the next one begins.
fn logged_at(frame: &Bytes, at: usize) -> Option<(Logged, usize)> {
    let mut rest = Reader(frame.get(at..)?);
    let (length, crc) = (rest.u32().ok()? as usize, rest.u32().ok()?);
    let body = rest.take(length).ok().filter(|body| !body.is_empty() && crc32c::crc32c(body) == crc)?;
    let mut rest = Reader(body);
    let logged = rest.logged(frame).ok()?;
    rest.end().ok()?;
    Some((logged, at + LOGGED_HEADER_BYTES + length))
}

/// Reads a frame of schema 3 or before, whose appends have no checksums of their own.
pub fn decode_frame_1(frame: &Bytes) -> Result<Vec<Logged>> {
    let mut rest = Reader(frame);
    let mut all = Vec::new();
    while !rest.0.is_empty() {
        all.push(rest.logged(frame)?);
    }
    Ok(all)
}

impl Reader<'_> {
    /// One append; its entry shares the memory of `frame`, of which this reads a piece.
    fn logged(&mut self, frame: &Bytes) -> Result<Logged> {
        let length = usize::from(self.u8()?) + 1;
        let name = self.name(length)?;
        let life = u32::try_from(self.varint()?).map_err(|_| Damage("a life is too long".into()))?;
        let first = self.varint()?;
        let length = self.varint()?;
        let entry = frame.slice_ref(self.take(usize::try_from(length).unwrap_or(usize::MAX))?);
        let summary = if self.u8()? == 0 { None } else { Some(self.summary()?) };
        Ok(Logged { name, life, first, entry, summary })
    }
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}
