//! Bytes that must not be applied, kept for a person to look at.

use bytes::{BufMut, Bytes};

use super::{Result, reader::Reader};
use crate::ids::Timestamp;

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
