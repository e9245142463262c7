//! Keys and values as they are stored, whatever stores them.
//!
//! One ordered key space. Numbers in keys are big-endian, so that the order of bytes is the order of
//! numbers; a name is preceded by its length, so that no name is a prefix of another one's rows.
//!
//! ```text
//! key                                                     payload
//! 00 "schema"                                             schema u32 | epoch u64
//! 00 "commit"                                             Tally: what must be there, written last
//! 01 | name | life u32 | first sequence u64 | part u32    parts u32 | part of a log entry
//! 02 | name | life u32 | generation u64     | part u32    parts u32 | part of a full state
//! 03 | name                                               Meta: what seldom changes
//! 04 | name                                               End: the end marker, written with every log row
//! 05 | name | life u32 | collection u8 | key 16 | part u32   parts u32 | part of a record; 0 parts: forgotten
//! 06 | name                                               Beside: what there is beside a document
//! 7f | name | number u64 | part u32                       parts u32 | part of a quarantined value
//!
//! name  = length - 1 as u8 | UTF-8
//! value = version u8 | kind u8 | crc32c u32 | payload      (crc over version, kind, key, payload)
//! ```
//!
//! A *life* numbers the times a name was created anew after it had been deleted for ever; a *generation*
//! numbers the full states written for a document. Rows of an earlier life, of another generation, or of
//! sequences below the checkpoint are dead: nobody reads them, and they go away with their epoch.
//!
//! Everything larger than [`ROW_BYTES`] is cut into parts. The checksum covers the key, so a row that
//! turns up in the wrong place is as wrong as one with a flipped bit.
//!
//! The bytes are fixed by `tests::the_format_never_changes`. Change them only with a new [`VERSION`].

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use uuid::Uuid;

use super::{Collection, LoggedUpdate, Presence, Summary};
use crate::ids::{DocumentName, InvalidName, SessionId, Timestamp};

/// The format of a single value.
pub const VERSION: u8 = 1;
/// The format of the store as a whole. A store with a greater number is refused, and one with a smaller
/// number is taken as it is and gets this one. 2 added records beside documents, which a Weft that only knows
/// 1 would leave behind when it rewrites a store; 3 added the kind to summaries, which a Weft that only knows 2
/// would take for damage; 4 moved the rows out of sled into a file of their own.
pub const SCHEMA: u32 = 4;
/// The most payload in one row: what a damaged byte costs, and what is read at a time.
pub const ROW_BYTES: usize = 6 * 1024;
/// A title longer than this is cut, at a character: it is shown in lists, and must fit a row.
pub const TITLE_BYTES: usize = 1024;
/// A kind longer than this is not kept: cut, it would be another one.
pub const KIND_BYTES: usize = 64;

const HEADER_BYTES: usize = 6;

/// What a row is. Part of its key and, again, of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// About the whole store.
    Store = 0x00,
    /// Updates that were appended together.
    Log = 0x01,
    /// A piece of a full state.
    State = 0x02,
    /// What seldom changes about a document.
    Meta = 0x03,
    /// The end marker of a document.
    End = 0x04,
    /// A piece of a record beside a document.
    Record = 0x05,
    /// What there is beside a document.
    Beside = 0x06,
    /// Bytes for a person to look at.
    Quarantine = 0x7f,
}

/// What is wrong with stored bytes, for a person to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage(pub String);

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

type Result<T> = std::result::Result<T, Damage>;

fn damage<T>(what: impl Into<String>) -> Result<T> {
    Err(Damage(what.into()))
}

// ---- keys ----

/// A parsed key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// Which format the store has.
    Schema,
    /// See [`Tally`].
    Commit,
    /// A part of a log entry.
    Log {
        /// Whose.
        name: DocumentName,
        /// In which life of the document.
        life: u32,
        /// Sequence of the entry's first update.
        first: u64,
        /// Which part of the entry.
        part: u32,
    },
    /// A part of a full state.
    State {
        /// Whose.
        name: DocumentName,
        /// In which life of the document.
        life: u32,
        /// Which state.
        generation: u64,
        /// Which part of the state.
        part: u32,
    },
    /// See [`Meta`].
    Meta(DocumentName),
    /// See [`End`].
    End(DocumentName),
    /// A part of a record.
    Record {
        /// Beside which document.
        name: DocumentName,
        /// In which life of the document.
        life: u32,
        /// What kind of record.
        collection: Collection,
        /// Which record.
        key: Uuid,
        /// Which part of the record.
        part: u32,
    },
    /// See [`Beside`].
    Beside(DocumentName),
    /// A part of a quarantined value.
    Quarantine {
        /// Whose.
        name: DocumentName,
        /// Which entry.
        number: u64,
        /// Which part of the entry.
        part: u32,
    },
}

/// Key of the schema row.
pub const SCHEMA_KEY: &[u8] = b"\x00schema";
/// Key of the [`Tally`].
pub const COMMIT_KEY: &[u8] = b"\x00commit";

/// The bytes with which all rows of this kind of a document begin.
pub fn prefix(kind: Kind, name: &DocumentName) -> Vec<u8> {
    let name = name.as_str().as_bytes();
    let mut key = Vec::with_capacity(name.len() + 18);
    key.push(kind as u8);
    key.push((name.len() - 1) as u8); // a name has 1 to 256 bytes
    key.extend_from_slice(name);
    key
}

/// Key of one part of a log entry.
pub fn log_key(name: &DocumentName, life: u32, first: u64, part: u32) -> Vec<u8> {
    numbered(Kind::Log, name, life, first, part)
}

/// Key of one part of a full state.
pub fn state_key(name: &DocumentName, life: u32, generation: u64, part: u32) -> Vec<u8> {
    numbered(Kind::State, name, life, generation, part)
}

fn numbered(kind: Kind, name: &DocumentName, life: u32, number: u64, part: u32) -> Vec<u8> {
    let mut key = prefix(kind, name);
    key.extend_from_slice(&life.to_be_bytes());
    key.extend_from_slice(&number.to_be_bytes());
    key.extend_from_slice(&part.to_be_bytes());
    key
}

/// Key of what seldom changes about a document.
pub fn meta_key(name: &DocumentName) -> Vec<u8> {
    prefix(Kind::Meta, name)
}

/// Key of the end marker of a document.
pub fn end_key(name: &DocumentName) -> Vec<u8> {
    prefix(Kind::End, name)
}

/// Key of one part of a record.
pub fn record_key(name: &DocumentName, life: u32, collection: Collection, key: Uuid, part: u32) -> Vec<u8> {
    let mut row = prefix(Kind::Record, name);
    row.extend_from_slice(&life.to_be_bytes());
    row.push(collection as u8);
    row.extend_from_slice(key.as_bytes());
    row.extend_from_slice(&part.to_be_bytes());
    row
}

/// Key of what there is beside a document.
pub fn beside_key(name: &DocumentName) -> Vec<u8> {
    prefix(Kind::Beside, name)
}

/// Key of one part of a quarantined value.
pub fn quarantine_key(name: &DocumentName, number: u64, part: u32) -> Vec<u8> {
    let mut key = prefix(Kind::Quarantine, name);
    key.extend_from_slice(&number.to_be_bytes());
    key.extend_from_slice(&part.to_be_bytes());
    key
}

/// Takes a key apart, completely.
pub fn parse_key(key: &[u8]) -> Result<Key> {
    match key {
        SCHEMA_KEY => return Ok(Key::Schema),
        COMMIT_KEY => return Ok(Key::Commit),
        _ => {}
    }
    let mut rest = Reader(key);
    let kind = rest.u8()?;
    let length = usize::from(rest.u8()?) + 1;
    let name = rest.name(length)?;
    let key = match kind {
        0x01 => Key::Log { name, life: rest.u32()?, first: rest.u64()?, part: rest.u32()? },
        0x02 => Key::State { name, life: rest.u32()?, generation: rest.u64()?, part: rest.u32()? },
        0x03 => Key::Meta(name),
        0x04 => Key::End(name),
        0x05 => Key::Record {
            name,
            life: rest.u32()?,
            collection: rest.collection()?,
            key: Uuid::from_bytes(rest.array()?),
            part: rest.u32()?,
        },
        0x06 => Key::Beside(name),
        0x7f => Key::Quarantine { name, number: rest.u64()?, part: rest.u32()? },
        other => return damage(format!("unknown kind of key {other:#04x}")),
    };
    rest.end()?;
    Ok(key)
}

// ---- values ----

/// Wraps a payload into a value for the row `key`.
pub fn seal(kind: Kind, key: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(HEADER_BYTES + payload.len());
    value.extend_from_slice(&[VERSION, kind as u8]);
    value.extend_from_slice(&checksum(VERSION, kind as u8, key, payload).to_be_bytes());
    value.extend_from_slice(payload);
    value
}

/// The payload of the value found at `key`, if it is whole.
pub fn unseal<'a>(kind: Kind, key: &[u8], value: &'a [u8]) -> Result<&'a [u8]> {
    let mut rest = Reader(value);
    let (version, found, crc) = (rest.u8()?, rest.u8()?, rest.u32()?);
    if crc != checksum(version, found, key, rest.0) {
        return damage("a row has a wrong checksum");
    }
    if version > VERSION {
        return damage(format!("a row has format {version}; this weft knows {VERSION}"));
    }
    if found != kind as u8 {
        return damage(format!("a row of kind {found:#04x} where {:#04x} belongs", kind as u8));
    }
    Ok(rest.0)
}

/// Whether the value found at `key` is whole, whatever kind of row it is.
pub fn is_whole(key: &[u8], value: &[u8]) -> bool {
    let kind = [
        Kind::Store,
        Kind::Log,
        Kind::State,
        Kind::Meta,
        Kind::End,
        Kind::Record,
        Kind::Beside,
        Kind::Quarantine,
    ];
    let kind = kind.into_iter().find(|kind| key.first() == Some(&(*kind as u8)));
    kind.is_some_and(|kind| unseal(kind, key, value).is_ok())
}

/// Whether the row at `key` is small and read at every start: what is known about the store and its documents,
/// without what is in them.
pub fn is_head(key: &[u8]) -> bool {
    let heads = [Kind::Store as u8, Kind::Meta as u8, Kind::End as u8, Kind::Beside as u8];
    key.first().is_some_and(|kind| heads.contains(kind))
}

fn checksum(version: u8, kind: u8, key: &[u8], payload: &[u8]) -> u32 {
    let crc = crc32c::crc32c_append(crc32c::crc32c(&[version, kind]), key);
    crc32c::crc32c_append(crc, payload)
}

/// How many rows a value of `length` bytes takes. An empty value takes one.
pub fn parts(length: usize) -> u32 {
    length.div_ceil(ROW_BYTES).max(1) as u32
}

/// One part of a long value, as a payload.
pub fn part(whole: &[u8], part: u32) -> Vec<u8> {
    let from = part as usize * ROW_BYTES;
    let piece = &whole[from..whole.len().min(from + ROW_BYTES)];
    let mut payload = Vec::with_capacity(4 + piece.len());
    payload.extend_from_slice(&parts(whole.len()).to_be_bytes());
    payload.extend_from_slice(piece);
    payload
}

/// Puts the parts of a long value together again.
#[derive(Debug, Default)]
pub struct Parts {
    seen: u32,
    whole: BytesMut,
}

impl Parts {
    /// Adds the part numbered `part`; gives the whole once it was the last.
    pub fn add(&mut self, part: u32, payload: &[u8]) -> Result<Option<Bytes>> {
        let mut rest = Reader(payload);
        let parts = rest.u32()?;
        if part != self.seen || part >= parts {
            return damage(format!("part {part} of {parts} where part {} belongs", self.seen));
        }
        self.whole.extend_from_slice(rest.0);
        self.seen += 1;
        if self.seen < parts {
            return Ok(None);
        }
        self.seen = 0;
        Ok(Some(self.whole.split().freeze()))
    }

    /// Whether no value is half put together.
    pub fn is_empty(&self) -> bool {
        self.seen == 0
    }
}

/// What seldom changes about a document: written when it is created, given a checkpoint, moved between
/// shelves, or when what lists show changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// How often the name was created anew.
    pub life: u32,
    /// When this life began.
    pub created: Timestamp,
    /// On which shelf it is.
    pub presence: Presence,
    /// Up to which sequence the full state reaches.
    pub checkpoint: u64,
    /// Which state is the valid one; 0 if there is none.
    pub generation: u64,
    /// Length of that state, in bytes.
    pub state_len: u64,
    /// Checksum (crc32c) of that state as a whole.
    pub state_crc: u32,
    /// What lists show.
    pub summary: Summary,
}

impl Meta {
    /// As a payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(80);
        out.put_u32(self.life);
        out.put_u64(self.created.0);
        let (presence, since) = match self.presence {
            Presence::Live => (0, Timestamp(0)),
            Presence::Trashed(since) => (1, since),
            Presence::Deleted(since) => (2, since),
        };
        out.put_u8(presence);
        out.put_u64(since.0);
        out.put_u64(self.checkpoint);
        out.put_u64(self.generation);
        out.put_u64(self.state_len);
        out.put_u32(self.state_crc);
        put_summary(&mut out, &self.summary);
        out
    }

    /// From a payload, read to its end.
    pub fn decode(payload: &[u8]) -> Result<Self> {
        let mut rest = Reader(payload);
        let life = rest.u32()?;
        let created = Timestamp(rest.u64()?);
        let (presence, since) = (rest.u8()?, Timestamp(rest.u64()?));
        let presence = match presence {
            0 => Presence::Live,
            1 => Presence::Trashed(since),
            2 => Presence::Deleted(since),
            other => return damage(format!("unknown presence {other}")),
        };
        let (checkpoint, generation) = (rest.u64()?, rest.u64()?);
        let (state_len, state_crc) = (rest.u64()?, rest.u32()?);
        let summary = rest.summary()?;
        rest.end()?;
        Ok(Self { life, created, presence, checkpoint, generation, state_len, state_crc, summary })
    }
}

/// The end marker of a document, written in the same batch as every row of its log: a log that ends before
/// it has lost its tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The life in which it was written.
    pub life: u32,
    /// The last sequence number given out.
    pub last: u64,
    /// When the document last changed.
    pub modified: Timestamp,
    /// Bytes of the log rows after the checkpoint, keys and values.
    pub log_bytes: u64,
}

impl End {
    /// As a payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(28);
        out.put_u32(self.life);
        out.put_u64(self.last);
        out.put_u64(self.modified.0);
        out.put_u64(self.log_bytes);
        out
    }

    /// From a payload, read to its end.
    pub fn decode(payload: &[u8]) -> Result<Self> {
        let mut rest = Reader(payload);
        let end = Self {
            life: rest.u32()?,
            last: rest.u64()?,
            modified: Timestamp(rest.u64()?),
            log_bytes: rest.u64()?,
        };
        rest.end()?;
        Ok(end)
    }
}

/// The payload that stands in the place of a record's first part once the record was forgotten.
pub const FORGOTTEN: [u8; 4] = [0; 4];

/// How many parts a value has, by the payload of any of them; 0 if it was forgotten.
pub fn count_parts(payload: &[u8]) -> Result<u32> {
    Reader(payload).u32()
}

/// What there is beside a document, written with every change of its records: so that a bound can be held
/// without reading them, and so that a record that is gone is missed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// The life of the document in which it was written.
    pub life: u32,
    /// The [`record_sum`]s of all records, added up.
    pub sum: u64,
    /// Bytes of all their rows, keys and values.
    pub row_bytes: u64,
    /// Per collection, in the order of [`Collection::ALL`]: records, and bytes of their values.
    pub totals: [(u64, u64); Collection::ALL.len()],
}

impl Beside {
    /// Nothing, in this life.
    pub fn nothing(life: u32) -> Self {
        Self { life, ..Self::default() }
    }

    /// Records of a collection, and bytes of their values.
    pub fn total(&self, collection: Collection) -> (u64, u64) {
        self.totals[collection as usize - 1]
    }

    /// Counts a record in.
    pub fn add(&mut self, name: &DocumentName, collection: Collection, key: Uuid, value: &[u8]) {
        let (records, bytes) = &mut self.totals[collection as usize - 1];
        (*records, *bytes) = (*records + 1, *bytes + value.len() as u64);
        self.row_bytes += record_bytes(name, value.len());
        self.sum = self.sum.wrapping_add(record_sum(collection, key, value));
    }

    /// Counts a record out.
    pub fn remove(&mut self, name: &DocumentName, collection: Collection, key: Uuid, value: &[u8]) {
        let (records, bytes) = &mut self.totals[collection as usize - 1];
        (*records, *bytes) = (records.saturating_sub(1), bytes.saturating_sub(value.len() as u64));
        self.row_bytes = self.row_bytes.saturating_sub(record_bytes(name, value.len()));
        self.sum = self.sum.wrapping_sub(record_sum(collection, key, value));
    }

    /// How many records there are, of all collections.
    pub fn records(&self) -> u64 {
        self.totals.iter().map(|(records, _)| records).sum()
    }

    /// As a payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(21 + 16 * self.totals.len());
        out.put_u32(self.life);
        out.put_u64(self.sum);
        out.put_u64(self.row_bytes);
        out.put_u8(self.totals.len() as u8);
        for (records, bytes) in self.totals {
            out.put_u64(records);
            out.put_u64(bytes);
        }
        out
    }

    /// From a payload, read to its end.
    pub fn decode(payload: &[u8]) -> Result<Self> {
        let mut rest = Reader(payload);
        let mut beside =
            Self { life: rest.u32()?, sum: rest.u64()?, row_bytes: rest.u64()?, ..Self::default() };
        let count = usize::from(rest.u8()?);
        let Some(totals) = beside.totals.get_mut(..count) else {
            return damage(format!("{count} collections, of which this weft knows fewer"));
        };
        for total in totals {
            *total = (rest.u64()?, rest.u64()?);
        }
        rest.end()?;
        Ok(beside)
    }
}

/// What tells a record from any other one.
pub fn record_sum(collection: Collection, key: Uuid, value: &[u8]) -> u64 {
    let crc = crc32c::crc32c_append(crc32c::crc32c(&[collection as u8]), key.as_bytes());
    u64::from(crc32c::crc32c_append(crc, value))
}

/// What the rows of a record take.
fn record_bytes(name: &DocumentName, length: usize) -> u64 {
    let row = name.as_str().len() + 27 + HEADER_BYTES + 4;
    length as u64 + u64::from(parts(length)) * row as u64
}

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

    /// One part of it, as a payload; the same as [`part`] of the whole.
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

/// In the byte before them, which parts of a summary follow.
const HAS_TITLE: u8 = 1;
const HAS_KIND: u8 = 2;

fn put_summary(out: &mut Vec<u8>, summary: &Summary) {
    let title = summary.title.as_deref().map(clip);
    let kind = summary.kind.as_deref().filter(|kind| kind.len() <= KIND_BYTES);
    out.put_u64(summary.bytes);
    out.put_u8(title.map_or(0, |_| HAS_TITLE) | kind.map_or(0, |_| HAS_KIND));
    if let Some(title) = title {
        out.put_u16(title.len() as u16); // at most TITLE_BYTES
        out.extend_from_slice(title.as_bytes());
    }
    if let Some(kind) = kind {
        out.put_u8(kind.len() as u8); // at most KIND_BYTES
        out.extend_from_slice(kind.as_bytes());
    }
}

/// A quarantined value: when, why, and the bytes.
pub fn encode_quarantine(at: Timestamp, what: &str, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(12 + what.len() + bytes.len());
    out.put_u64(at.0);
    out.put_u32(what.len() as u32); // a sentence, never gigabytes
    out.extend_from_slice(what.as_bytes());
    out.extend_from_slice(bytes);
    out
}

/// Reads what [`encode_quarantine`] wrote.
pub fn decode_quarantine(value: &Bytes) -> Result<(Timestamp, String, Bytes)> {
    let mut rest = Reader(value);
    let at = Timestamp(rest.u64()?);
    let length = rest.u32()?;
    let what = String::from_utf8_lossy(rest.take(length as usize)?).into_owned();
    Ok((at, what, value.slice_ref(rest.0)))
}

/// Payload of the schema row.
pub fn encode_schema(epoch: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(12);
    out.put_u32(SCHEMA);
    out.put_u64(epoch);
    out
}

/// Schema and epoch. Fields that a later schema may add are not looked at.
pub fn decode_schema(payload: &[u8]) -> Result<(u32, u64)> {
    let mut rest = Reader(payload);
    Ok((rest.u32()?, rest.u64()?))
}

/// What an epoch must hold, written with every commit. sled may lose a piece from the middle of its file
/// and go on with what it finds behind it: a document then looks whole, only older. Its head rows no longer
/// add up to what is noted here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// How many commits.
    pub commit: u64,
    /// How many documents.
    pub documents: u64,
    /// Sums of the [`fingerprint`]s of all documents, in buckets by name, so that one loss does not bring
    /// every document under suspicion.
    pub heads: [u64; BUCKETS],
}

/// How many buckets a [`Tally`] has.
pub const BUCKETS: usize = 64;

impl Tally {
    /// Of an epoch that holds nothing.
    pub const EMPTY: Self = Self { commit: 0, documents: 0, heads: [0; BUCKETS] };

    /// In which bucket a document is counted.
    pub fn bucket(name: &DocumentName) -> usize {
        crc32c::crc32c(name.as_str().as_bytes()) as usize % BUCKETS
    }

    /// As a payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16 + 8 * BUCKETS);
        out.put_u64(self.commit);
        out.put_u64(self.documents);
        for heads in self.heads {
            out.put_u64(heads);
        }
        out
    }

    /// From a payload, read to its end.
    pub fn decode(payload: &[u8]) -> Result<Self> {
        let mut rest = Reader(payload);
        let mut tally = Self { commit: rest.u64()?, documents: rest.u64()?, heads: [0; BUCKETS] };
        for heads in &mut tally.heads {
            *heads = rest.u64()?;
        }
        rest.end()?;
        Ok(tally)
    }
}

/// What tells the head rows of a document from any earlier ones: the checksums in the two values.
pub fn fingerprint(meta: Option<&[u8]>, end: Option<&[u8]>) -> u64 {
    let checksum = |value: Option<&[u8]>| {
        let crc = value.and_then(|value| value.get(2..6)?.try_into().ok());
        u64::from(crc.map_or(0, u32::from_be_bytes))
    };
    checksum(meta) << 32 | checksum(end)
}

/// The same for the row that counts what is beside a document; it is added to those of the head rows.
pub fn beside_fingerprint(value: &[u8]) -> u64 {
    // Spread, so that a head row and this one cannot make up for each other.
    fingerprint(None, Some(value)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The beginning of a title that fits a row, cut at a character.
pub fn clip(title: &str) -> &str {
    &title[..title.floor_char_boundary(TITLE_BYTES)]
}

// ---- primitives ----

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let Some((taken, rest)) = self.0.split_at_checked(count) else {
            return damage("a row is cut short");
        };
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn u8(&mut self) -> Result<u8> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    fn name(&mut self, length: usize) -> Result<DocumentName> {
        let name = std::str::from_utf8(self.take(length)?).map_err(|_| InvalidName::NotUtf8);
        name.and_then(DocumentName::parse_stored)
            .map_err(|invalid| Damage(format!("an impossible name: {invalid}")))
    }

    fn collection(&mut self) -> Result<Collection> {
        let number = self.u8()?;
        let known = Collection::ALL.into_iter().find(|collection| *collection as u8 == number);
        known.ok_or_else(|| Damage(format!("unknown collection {number}")))
    }

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

    fn summary(&mut self) -> Result<Summary> {
        let mut summary = Summary { bytes: self.u64()?, ..Summary::default() };
        let parts = self.u8()?;
        if parts & !(HAS_TITLE | HAS_KIND) != 0 {
            return damage("a summary has parts that this weft does not know");
        }
        if parts & HAS_TITLE != 0 {
            let length = self.u16()?;
            summary.title = Some(self.text(usize::from(length))?);
        }
        if parts & HAS_KIND != 0 {
            let length = self.u8()?;
            summary.kind = Some(self.text(usize::from(length))?);
        }
        Ok(summary)
    }

    fn text(&mut self, length: usize) -> Result<String> {
        let text = std::str::from_utf8(self.take(length)?);
        Ok(text.map_err(|_| Damage("a title or kind is not UTF-8".into()))?.to_owned())
    }

    fn varint(&mut self) -> Result<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        damage("a number does not end")
    }

    fn end(&self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { damage(format!("{} bytes too many in a row", self.0.len())) }
    }
}

fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};

    fn name(name: &str) -> DocumentName {
        DocumentName::parse(name).unwrap()
    }

    fn session(byte: u8) -> Option<SessionId> {
        Some(SessionId(Uuid::from_bytes([byte; 16])))
    }

    fn update(at: u64, origin: Option<SessionId>, bytes: &'static [u8]) -> LoggedUpdate {
        LoggedUpdate { bytes: Bytes::from_static(bytes), origin, at: Timestamp(at) }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn example_meta() -> Meta {
        Meta {
            life: 1,
            created: Timestamp(0x0102),
            presence: Presence::Trashed(Timestamp(0x0304)),
            checkpoint: 5,
            generation: 6,
            state_len: 7,
            state_crc: 0x0809_0a0b,
            summary: Summary { title: Some("é".into()), kind: None, bytes: 12 },
        }
    }

    /// What is on somebody's disk must be readable for ever. If this test fails, the code is wrong, unless
    /// `VERSION` or `SCHEMA` was raised and the old bytes are still read.
    #[test]
    fn the_format_never_changes() {
        let a = name("a/b");
        assert_eq!(hex(&log_key(&a, 1, 2, 3)), "0102612f6200000001000000000000000200000003");
        assert_eq!(hex(&state_key(&a, 1, 2, 3)), "0202612f6200000001000000000000000200000003");
        assert_eq!(hex(&meta_key(&a)), "0302612f62");
        assert_eq!(hex(&end_key(&a)), "0402612f62");
        assert_eq!(hex(&quarantine_key(&a, 2, 3)), "7f02612f62000000000000000200000003");
        assert_eq!(meta_key(&name(&"x".repeat(256)))[1], 255);

        assert_eq!(
            hex(&example_meta().encode()),
            "0000000100000000000001020100000000000003040000000000000005000000000000000600000000\
             0000000708090a0b000000000000000c010002c3a9"
        );
        let summary = Summary { kind: Some("board".into()), ..example_meta().summary };
        assert_eq!(
            hex(&Meta { summary, ..example_meta() }.encode()),
            "0000000100000000000001020100000000000003040000000000000005000000000000000600000000\
             0000000708090a0b000000000000000c030002c3a905626f617264"
        );
        let end = End { life: 1, last: 2, modified: Timestamp(3), log_bytes: 4 };
        assert_eq!(hex(&end.encode()), "00000001000000000000000200000000000000030000000000000004");
        let log = encode_log(&[
            update(1000, session(0xaa), b"one"),
            update(1001, session(0xaa), b""),
            update(999, None, b"3"),
            update(999, session(0xaa), b"4"),
        ]);
        assert_eq!(
            hex(&log),
            "0400000000000003e8\
             0002aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa036f6e65\
             020100\
             03000133\
             00010134"
        );
        let mut frame = Vec::new();
        put_logged(&mut frame, &a, 1, 300, b"xy", Some(&Summary { bytes: 5, ..Summary::default() }));
        put_logged(&mut frame, &a, 1, 301, b"", None);
        let (first, second) = ("02612f6201ac0202787901000000000000000500", "02612f6201ad020000");
        assert_eq!(hex(&frame), format!("000000142043e06c{first}00000009947f5a34{second}"));
        assert_eq!(hex(&encode_schema(2)), "000000040000000000000002");
        assert_eq!(decode_schema(&[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2]), Ok((1, 2)));
        let key = Uuid::from_bytes([0xbb; 16]);
        assert_eq!(
            hex(&record_key(&a, 1, Collection::Messages, key, 3)),
            "0502612f620000000103bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb00000003"
        );
        assert_eq!(hex(&beside_key(&a)), "0602612f62");
        let mut beside = Beside::nothing(1);
        beside.add(&a, Collection::Messages, key, b"xyz");
        assert_eq!(
            hex(&beside.encode()),
            "0000000100000000da0fddf2000000000000002b04\
             00000000000000000000000000000000\
             00000000000000000000000000000000\
             00000000000000010000000000000003\
             00000000000000000000000000000000"
        );
        let mut tally = Tally { commit: 1, documents: 2, ..Tally::EMPTY };
        tally.heads[Tally::bucket(&a)] = fingerprint(Some(&[1, 3, 0, 0, 0, 7]), Some(&[1, 4, 0, 0, 0, 8]));
        assert_eq!(Tally::bucket(&a), 35);
        assert_eq!(hex(&tally.encode()[..16]), "00000000000000010000000000000002");
        assert_eq!(hex(&tally.encode()[16 + 35 * 8..][..8]), "0000000700000008");
        assert_eq!(Tally::decode(&tally.encode()), Ok(tally));
        assert_eq!(hex(&encode_quarantine(Timestamp(1), "bad", b"xy")), "0000000000000001000000036261647879");
        assert_eq!(hex(&part(b"xyz", 0)), "0000000178797a");
        assert_eq!(hex(&seal(Kind::End, &end_key(&a), &end.encode())[..6]), "0104819663c3");
    }

    #[test]
    fn everything_written_is_read_back() {
        let meta = example_meta();
        assert_eq!(Meta::decode(&meta.encode()), Ok(meta.clone()));
        let plain = Meta { presence: Presence::Live, summary: Summary::default(), ..meta };
        assert_eq!(Meta::decode(&plain.encode()), Ok(plain));

        let updates = vec![
            update(u64::MAX, None, b"far"),
            update(0, session(1), b"back"),
            update(7, session(2), b""),
            update(7, None, b"x"),
            update(7, session(2), b"y"),
            update(8, session(1), b"z"),
        ];
        let entry = Bytes::from(encode_log(&updates));
        assert_eq!(decode_log(&entry), Ok(updates));

        let mut frame = Vec::new();
        let summary = Summary { title: Some("T".into()), kind: Some("plain".into()), bytes: 3 };
        put_logged(&mut frame, &name("a"), 1, 2, &entry, None);
        put_logged(&mut frame, &name(&"b".repeat(256)), u32::MAX, u64::MAX, b"", Some(&summary));
        let frame = Bytes::from(frame);
        let all = decode_frame(&frame).unwrap();
        assert_eq!((all.len(), &all[0].entry, &all[0].summary), (2, &entry, &None));
        assert_eq!((all[1].life, all[1].first, &all[1].summary), (u32::MAX, u64::MAX, &Some(summary)));
        assert!(decode_frame(&frame.slice(..frame.len() - 1)).is_err());

        let mut beside = Beside::nothing(3);
        let key = Uuid::from_bytes([1; 16]);
        beside.add(&name("a"), Collection::Attachments, key, b"value");
        beside.add(&name("a"), Collection::AttachmentBytes, key, &[0; 2 * ROW_BYTES]);
        assert_eq!(Beside::decode(&beside.encode()), Ok(beside.clone()));
        assert_eq!((beside.records(), beside.total(Collection::Attachments)), (2, (1, 5)));
        beside.remove(&name("a"), Collection::Attachments, key, b"value");
        beside.remove(&name("a"), Collection::AttachmentBytes, key, &[0; 2 * ROW_BYTES]);
        assert_eq!(beside, Beside::nothing(3));

        let kept = Bytes::from(encode_quarantine(Timestamp(9), "warum", b"bytes"));
        assert_eq!(
            decode_quarantine(&kept),
            Ok((Timestamp(9), "warum".into(), Bytes::from_static(b"bytes")))
        );

        let names = name("ü".repeat(128).as_str());
        for key in [
            Key::Log { name: names.clone(), life: 1, first: u64::MAX, part: 3 },
            Key::State { name: names.clone(), life: u32::MAX, generation: 2, part: 0 },
            Key::Meta(names.clone()),
            Key::End(names.clone()),
            Key::Record {
                name: names.clone(),
                life: 7,
                collection: Collection::MessageOrigins,
                key: Uuid::max(),
                part: 8,
            },
            Key::Beside(names.clone()),
            Key::Quarantine { name: names.clone(), number: 4, part: 5 },
        ] {
            let bytes = match key.clone() {
                Key::Log { name, life, first, part } => log_key(&name, life, first, part),
                Key::State { name, life, generation, part } => state_key(&name, life, generation, part),
                Key::Meta(name) => meta_key(&name),
                Key::End(name) => end_key(&name),
                Key::Record { name, life, collection, key, part } => {
                    record_key(&name, life, collection, key, part)
                }
                Key::Beside(name) => beside_key(&name),
                Key::Quarantine { name, number, part } => quarantine_key(&name, number, part),
                Key::Schema | Key::Commit => unreachable!("not in the list"),
            };
            assert_eq!(parse_key(&bytes), Ok(key));
            assert!(parse_key(&[bytes.as_slice(), b"!"].concat()).is_err());
        }
    }

    #[test]
    fn any_flipped_bit_and_any_other_place_is_noticed() {
        let key = end_key(&name("a"));
        let value = seal(Kind::End, &key, b"payload");
        assert_eq!(unseal(Kind::End, &key, &value), Ok(b"payload".as_slice()));
        assert!(unseal(Kind::End, &end_key(&name("b")), &value).is_err());
        assert!(unseal(Kind::Meta, &key, &value).is_err());
        for bit in 0..value.len() * 8 {
            let mut broken = value.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            assert!(unseal(Kind::End, &key, &broken).is_err(), "bit {bit}");
        }
        for length in 0..value.len() {
            assert!(unseal(Kind::End, &key, &value[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn no_bytes_make_a_decoder_panic_or_reserve_much() {
        let seed = rand::random();
        println!("seed {seed}");
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        for _ in 0..20_000 {
            let mut bytes = vec![0; random.random_range(0..64)];
            random.fill(bytes.as_mut_slice());
            let entry = Bytes::from(bytes.clone());
            let _ = (Meta::decode(&bytes), End::decode(&bytes), Beside::decode(&bytes), parse_key(&bytes));
            let _ = (
                (decode_frame(&entry), decode_frame_1(&entry), salvage_frame(&entry)),
                decode_log(&entry),
                decode_quarantine(&entry),
                Parts::default().add(0, &bytes),
            );
            bytes.splice(0..0, [1]);
            let _ = parse_key(&bytes);
        }
        assert!(decode_log(&Bytes::from_static(b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f12345678")).is_err());
    }

    #[test]
    fn a_long_value_is_cut_and_put_together() {
        for length in [0, 1, ROW_BYTES - 1, ROW_BYTES, ROW_BYTES + 1, 3 * ROW_BYTES + 7] {
            let whole: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let mut parts_seen = Parts::default();
            let count = parts(length);
            for number in 0..count {
                let got = parts_seen.add(number, &part(&whole, number)).unwrap();
                assert_eq!(got.is_some(), number + 1 == count);
                if let Some(got) = got {
                    assert_eq!(got, whole);
                }
            }
            assert!(parts_seen.is_empty());
        }
        assert!(Parts::default().add(1, &part(&vec![0; 2 * ROW_BYTES], 1)).is_err(), "starts in the middle");
    }

    #[test]
    fn a_log_in_pieces_is_the_log() {
        for length in [0, 1, ROW_BYTES - 1, ROW_BYTES, 3 * ROW_BYTES + 7] {
            let large: Bytes = (0..length).map(|at| (at % 251) as u8).collect();
            let updates = [
                update(5, session(1), b"small"),
                LoggedUpdate { bytes: large.clone(), origin: session(1), at: Timestamp(3) },
                LoggedUpdate { bytes: large, origin: None, at: Timestamp(9) },
                update(9, session(2), b""),
            ];
            for updates in [&updates[..], &updates[1..2], &[]] {
                let (whole, pieces) = (encode_log(updates), LogPieces::new(updates));
                assert_eq!(pieces.parts(), parts(whole.len()));
                for number in 0..pieces.parts() {
                    assert_eq!(pieces.part(number), part(&whole, number), "part {number} of {length}");
                }
            }
        }
    }

    #[test]
    fn names_that_begin_alike_do_not_share_rows() {
        let (short, long) = (name("a"), name("ab"));
        assert!(!log_key(&long, 0, 0, 0).starts_with(&prefix(Kind::Log, &short)));
        let mut keys: Vec<_> = (0..300).map(|first| log_key(&short, 0, first, 0)).collect();
        assert!(keys.is_sorted());
        keys.push(log_key(&short, 1, 0, 0));
        assert!(keys.is_sorted());
    }

    #[test]
    fn a_title_is_cut_at_a_character() {
        let long = "é".repeat(TITLE_BYTES);
        assert_eq!(clip(&long).len(), TITLE_BYTES);
        assert_eq!(clip("short"), "short");
        let kind = Some("x".repeat(KIND_BYTES));
        let meta = Meta { summary: Summary { title: Some(long), kind, bytes: 0 }, ..example_meta() };
        assert!(meta.encode().len() < ROW_BYTES);
    }

    /// Rows of schema 2, as they are on people's disks.
    #[test]
    fn summaries_from_before_there_were_kinds_are_read() {
        let plain = example_meta().encode();
        assert_eq!(Meta::decode(&plain), Ok(example_meta()), "its bytes are fixed by the test above");
        let frame = b"\x02a/b\x01\xac\x02\x02xy\x01\0\0\0\0\0\0\0\x05\x01\0\x01T\x00a\x01\x01\x00\x00";
        let all = decode_frame_1(&Bytes::from_static(frame)).unwrap();
        let summary = Summary { title: Some("T".into()), kind: None, bytes: 5 };
        assert_eq!((all[0].summary.as_ref(), all[1].summary.as_ref()), (Some(&summary), None));
    }

    #[test]
    fn a_kind_too_long_to_keep_is_none() {
        let summary = Summary { kind: Some("x".repeat(KIND_BYTES + 1)), ..Summary::default() };
        let meta = Meta { summary, ..example_meta() };
        assert_eq!(Meta::decode(&meta.encode()).unwrap().summary, Summary::default());
    }
}
