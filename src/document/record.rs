//! Records beside a document as they are stored: JSON behind a byte that says its format.

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use super::StoreError;
use crate::ids::DocumentName;

/// The format of everything that is written.
const VERSION: u8 = 1;

/// The value of a record.
pub(super) fn encode(value: &impl Serialize) -> Bytes {
    let mut bytes = vec![VERSION];
    // Cannot fail: strings and numbers. Were it to, the value would be one that is found damaged.
    let _ = serde_json::to_writer(&mut bytes, value);
    bytes.into()
}

/// What was stored. `what` names the record for whoever has to look into the damage.
pub(super) fn decode<T: DeserializeOwned>(
    document: &DocumentName,
    what: &str,
    bytes: &[u8],
) -> Result<T, StoreError> {
    let damaged = |what| StoreError::Damaged { document: document.clone(), what };
    match bytes {
        [VERSION, json @ ..] => {
            serde_json::from_slice(json).map_err(|error| damaged(format!("{what}: {error}")))
        }
        _ => Err(damaged(format!("{what} has a format that this weft does not know"))),
    }
}

/// A key made of bytes: the beginning of their SHA-256, long enough that no two will ever share it.
pub(super) fn key_of(bytes: &[u8]) -> [u8; 16] {
    let mut beginning = [0; 16];
    beginning.copy_from_slice(&Sha256::digest(bytes)[..16]);
    beginning
}
