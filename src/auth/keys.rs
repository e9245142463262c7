//! The keys by which tokens are known: files, read again when they change.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse},
};
use parking_lot::RwLock;

/// Bytes that a shared secret has at least, as RFC 7518 (3.2) asks of the algorithm.
pub(super) const LEAST_SECRET: usize = 32;

/// A key, with what may be signed by it: a token's own word of that counts for nothing.
pub(super) struct Key {
    /// What it is called, if it has a name.
    pub id: Option<String>,
    pub algorithms: Vec<Algorithm>,
    pub key: DecodingKey,
}

/// Files with keys.
#[derive(Debug)]
pub struct Keys(Vec<KeyFile>);

/// A file, and what it held when it was last looked at.
struct KeyFile {
    path: PathBuf,
    read: RwLock<Read>,
}

struct Read {
    stamp: Option<(SystemTime, u64)>,
    kind: Kind,
    keys: Vec<Key>,
}

/// A file with keys that cannot be used: which, and what is wrong with it.
#[derive(Debug, thiserror::Error)]
#[error("the key file {}: {why}", path.display())]
pub struct InvalidKeys {
    path: PathBuf,
    why: String,
}

impl Keys {
    /// Reads files: a shared secret, a public key in PEM, or a set of keys as JSON (JWKS). Which it is, its content tells.
    pub fn read(files: impl IntoIterator<Item = PathBuf>) -> Result<Self, InvalidKeys> {
        files.into_iter().map(KeyFile::open).collect::<Result<_, _>>().map(Self)
    }

    /// Calls for each of those there are now, until one of them will do.
    pub(super) fn find<T>(&self, mut tried: impl FnMut(&Key) -> Option<T>) -> Option<T> {
        self.0.iter().find_map(|file| {
            file.refresh();
            file.read.read().keys.iter().find_map(&mut tried)
        })
    }
}

impl KeyFile {
    fn open(path: PathBuf) -> Result<Self, InvalidKeys> {
        let stamp = stamp(&path);
        let (kind, keys) = keys_in(&path).map_err(|why| InvalidKeys { path: path.clone(), why })?;
        Ok(Self { path, read: RwLock::new(Read { stamp, kind, keys }) })
    }

    /// Reads it again if it has changed. What cannot be used is told once, and the keys there were stay.
    fn refresh(&self) {
        let now = stamp(&self.path);
        if self.read.read().stamp == now {
            return;
        }
        let mut read = self.read.write();
        if read.stamp == now {
            return;
        }
        read.stamp = now;
        let found = keys_in(&self.path).and_then(|(kind, keys)| {
            let other =
                "it held keys of another kind when the server started; start it again if that is meant";
            if kind == read.kind { Ok(keys) } else { Err(other.to_owned()) }
        });
        match found {
            Ok(keys) => {
                tracing::info!(file = %self.path.display(), keys = keys.len(), "keys for tokens read again");
                read.keys = keys;
            }
            Err(why) => {
                tracing::error!(file = %self.path.display(), %why, "keys for tokens cannot be used: those from before stay");
            }
        }
    }
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.fmt(f)
    }
}

/// By what one sees that a file has changed.
fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let about = std::fs::metadata(path).ok()?;
    Some((about.modified().ok()?, about.len()))
}

/// What kind of file it is: one does not become another while the server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Secret,
    Pem,
    Set,
}

fn keys_in(path: &Path) -> Result<(Kind, Vec<Key>), String> {
    let content = std::fs::read(path).map_err(|error: io::Error| error.to_string())?;
    let text = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&content).trim_ascii();
    if text.starts_with(b"-----BEGIN") {
        return pem(text).map(|key| (Kind::Pem, vec![key]));
    }
    if text.starts_with(b"{") {
        return set(text).map(|keys| (Kind::Set, keys));
    }
    // What everybody may have, a public key with words before it or a page of HTML, must not be taken for a secret.
    let is_one_word =
        text.iter().all(u8::is_ascii_graphic) && !text.starts_with(b"<") && !text.starts_with(b"[");
    if !is_one_word {
        return Err(
            "this is neither a public key in PEM nor a set of keys (JWKS), nor a secret, which is one word \
                    of ASCII; make one with `openssl rand -base64 48`"
                .to_owned(),
        );
    }
    if text.len() < LEAST_SECRET {
        return Err(format!(
            "a secret must have {LEAST_SECRET} bytes at least, this one has {}; make one with `openssl rand -base64 48`",
            text.len()
        ));
    }
    let key = DecodingKey::from_secret(text).map_err(|error| error.to_string())?;
    Ok((Kind::Secret, vec![Key { id: None, algorithms: vec![Algorithm::HS256], key }]))
}

fn pem(text: &[u8]) -> Result<Key, String> {
    if text.windows(b"PRIVATE KEY".len()).any(|part| part == b"PRIVATE KEY") {
        return Err("this is a private key; the server needs the public one alone".to_owned());
    }
    let key = |algorithms: &[Algorithm], key| Key { id: None, algorithms: algorithms.to_vec(), key };
    let rsa = DecodingKey::from_rsa_pem(text).map(|rsa| key(&[Algorithm::RS256], rsa));
    let ec = || DecodingKey::from_ec_pem(text).map(|ec| key(&[Algorithm::ES256, Algorithm::ES384], ec));
    let ed = || DecodingKey::from_ed_pem(text).map(|ed| key(&[Algorithm::EdDSA], ed));
    rsa.or_else(|_| ec())
        .or_else(|_| ed())
        .map_err(|_| "this is no public key of RSA, ECDSA or Ed25519 in PEM".to_owned())
}

fn set(text: &[u8]) -> Result<Vec<Key>, String> {
    let set: JwkSet =
        serde_json::from_slice(text).map_err(|error| format!("this is no set of keys: {error}"))?;
    let signs = |key: &&Jwk| key.common.public_key_use != Some(PublicKeyUse::Encryption);
    let keys: Vec<_> = set.keys.iter().filter(signs).filter_map(one).collect();
    if keys.is_empty() {
        return Err("none of its keys can be used for signatures".to_owned());
    }
    Ok(keys)
}

/// A key of a set, unless it is of a kind that is not known.
fn one(jwk: &Jwk) -> Option<Key> {
    let usual = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P384 => Algorithm::ES384,
        AlgorithmParameters::EllipticCurve(_) => Algorithm::ES256,
        AlgorithmParameters::OctetKeyPair(_) => Algorithm::EdDSA,
        AlgorithmParameters::OctetKey(_) => Algorithm::HS256,
        _ => return None,
    };
    let said = match jwk.common.key_algorithm {
        None => Some(usual),
        Some(KeyAlgorithm::RS256) => Some(Algorithm::RS256),
        Some(KeyAlgorithm::RS384) => Some(Algorithm::RS384),
        Some(KeyAlgorithm::RS512) => Some(Algorithm::RS512),
        Some(KeyAlgorithm::PS256) => Some(Algorithm::PS256),
        Some(KeyAlgorithm::PS384) => Some(Algorithm::PS384),
        Some(KeyAlgorithm::PS512) => Some(Algorithm::PS512),
        Some(KeyAlgorithm::ES256) => Some(Algorithm::ES256),
        Some(KeyAlgorithm::ES384) => Some(Algorithm::ES384),
        Some(KeyAlgorithm::EdDSA) => Some(Algorithm::EdDSA),
        Some(KeyAlgorithm::HS256) => Some(Algorithm::HS256),
        Some(KeyAlgorithm::HS384) => Some(Algorithm::HS384),
        Some(KeyAlgorithm::HS512) => Some(Algorithm::HS512),
        Some(_) => None,
    };
    let key = DecodingKey::from_jwk(jwk).ok()?;
    if matches!(jwk.algorithm, AlgorithmParameters::OctetKey(_))
        && key.try_get_as_bytes().ok()?.len() < LEAST_SECRET
    {
        return None;
    }
    Some(Key { id: jwk.common.key_id.clone(), algorithms: vec![said?], key })
}
