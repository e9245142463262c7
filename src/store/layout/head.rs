//! What is small and read at every start: what is known about the store and its documents, without what is in them.

use bytes::BufMut;

use super::{KIND_BYTES, Result, SCHEMA, TITLE_BYTES, damage, reader::Reader};
use crate::{
    ids::{DocumentName, Timestamp},
    store::{Standing, Summary},
};

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

/// What seldom changes about a document: written when it is created, given a checkpoint, moved between
/// shelves, or when what lists show changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// How often the name was created anew.
    pub life: u32,
    /// When this life began.
    pub created: Timestamp,
    /// On which shelf it is.
    pub standing: Standing,
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
        let (standing, since) = match self.standing {
            Standing::Live => (0, Timestamp(0)),
            Standing::Trashed(since) => (1, since),
            Standing::Deleted(since) => (2, since),
        };
        out.put_u8(standing);
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
        let (standing, since) = (rest.u8()?, Timestamp(rest.u64()?));
        let standing = match standing {
            0 => Standing::Live,
            1 => Standing::Trashed(since),
            2 => Standing::Deleted(since),
            other => return damage(format!("unknown standing {other}")),
        };
        let (checkpoint, generation) = (rest.u64()?, rest.u64()?);
        let (state_len, state_crc) = (rest.u64()?, rest.u32()?);
        let summary = rest.summary()?;
        rest.end()?;
        Ok(Self { life, created, standing, checkpoint, generation, state_len, state_crc, summary })
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

/// In the byte before them, which parts of a summary follow.
const HAS_TITLE: u8 = 1;
const HAS_KIND: u8 = 2;

pub(super) fn put_summary(out: &mut Vec<u8>, summary: &Summary) {
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

impl Reader<'_> {
    /// Reads what [`put_summary`] wrote.
    pub(super) fn summary(&mut self) -> Result<Summary> {
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
}

/// The beginning of a title that fits a row, cut at a character.
pub fn clip(title: &str) -> &str {
    &title[..title.floor_char_boundary(TITLE_BYTES)]
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
