//! What bytes are called by what is in them.

use sha2::{Digest, Sha256};

/// The beginning of their SHA-256, long enough that no two will ever share it.
pub(super) fn digest(bytes: &[u8]) -> [u8; 16] {
    let mut beginning = [0; 16];
    beginning.copy_from_slice(&Sha256::digest(bytes)[..16]);
    beginning
}
