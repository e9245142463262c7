//! The keys of rows.

use uuid::Uuid;

use super::{Result, damage, reader::Reader};
use crate::{ids::DocumentName, store::Collection};

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

/// A parsed key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// Which format the store has.
    Schema,
    /// See [`super::Tally`].
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
    /// See [`super::Meta`].
    Meta(DocumentName),
    /// See [`super::End`].
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
    /// See [`super::Beside`].
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
/// Key of the [`super::Tally`].
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
