//! What there is beside a document: the rows of records, and how many there must be.

use bytes::BufMut;
use uuid::Uuid;

use super::{HEADER_BYTES, Result, damage, reader::Reader, value::parts};
use crate::{ids::DocumentName, store::Collection};

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
