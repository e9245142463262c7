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
//! `key` has the keys, `value` what is around a payload, and the other files the payloads.
//!
//! The bytes are fixed by `tests::the_format_never_changes`. Change them only with a new [`VERSION`].

mod beside;
mod head;
mod key;
mod log;
mod quarantine;
mod reader;
mod value;

use std::fmt;

pub use beside::{Beside, FORGOTTEN, count_parts, record_sum};
pub use head::{
    BUCKETS, End, Meta, Tally, beside_fingerprint, clip, decode_schema, encode_schema, fingerprint,
};
pub use key::{
    COMMIT_KEY, Key, Kind, SCHEMA_KEY, beside_key, end_key, log_key, meta_key, parse_key, prefix,
    quarantine_key, record_key, state_key,
};
pub use log::{
    LogPieces, Logged, decode_frame, decode_frame_1, decode_log, encode_log, put_logged, salvage_frame,
};
pub use quarantine::{decode_quarantine, encode_quarantine};
pub use value::{Parts, is_head, is_whole, part, parts, seal, unseal};

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

#[cfg(test)]
mod tests;
