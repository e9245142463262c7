//! What stands in a row: a payload under a checksum, and long values in parts.

use bytes::{Bytes, BytesMut};

use super::{HEADER_BYTES, ROW_BYTES, Result, VERSION, damage, key::Kind, reader::Reader};

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
