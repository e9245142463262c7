//! Tokens: another program says who its user is and what they may do, and signs that (JWT, RFC 7519).
//!
//! The algorithm belongs to the key and is never taken from the token, which ends `none` and the confusion of a public key
//! with a secret (RFC 8725, 3.1).

use std::{future::ready, sync::Arc};

use futures_util::future::BoxFuture;
use jsonwebtoken::{EncodingKey, Header, Validation, errors::ErrorKind};
use serde::{Deserialize, Serialize};

use super::{
    Access, Identity, Policy, Principal, Scope, Unauthorized, Via,
    keys::{Key, Keys, LEAST_SECRET},
};
use crate::ids::{DocumentName, Timestamp};

/// Bytes that a token may have.
const LONGEST: usize = 8 << 10;

/// By how much clocks may differ, in ms.
const SKEW: u64 = 60_000;

/// Characters of a name that are shown.
const LONGEST_NAME: usize = 64;

/// Whoever brings a good token may do what it says.
#[derive(Debug)]
pub struct Tokens {
    /// By which tokens are known.
    pub keys: Keys,
    /// Who must have issued them, if that is asked.
    pub issuer: Option<String>,
    /// For whom they must be, if that is asked.
    pub audience: Option<String>,
}

/// What a token says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    /// Who.
    pub sub: String,
    /// What the others call them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Their colour, as CSS writes one: `#rrggbb`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<String>,
    /// Exact names, prefixes ending in `/*`, or `*` for all.
    #[serde(default)]
    pub documents: Vec<String>,
    /// What they may do there; without it, read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
    /// Seconds since 1970 at which it ends.
    pub exp: f64,
    /// Seconds since 1970 before which it is not good yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<f64>,
    /// Which program issued it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// For which server it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aud: Option<serde_json::Value>,
}

impl Policy for Tokens {
    fn principal(
        &self,
        presented: Option<String>,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Principal, Unauthorized>> {
        let principal = match presented {
            None => Err("this server lets nobody in without a token".to_owned()),
            Some(token) => self.read(&token, now).map(principal),
        };
        Box::pin(ready(principal.map_err(Unauthorized)))
    }

    fn access(&self, principal: &Principal, document: &DocumentName) -> BoxFuture<'_, Access> {
        Box::pin(ready(principal.via.access(document)))
    }

    fn may_operate(&self, principal: &Principal) -> bool {
        principal.via.may_operate()
    }
}

impl Tokens {
    /// What a token says that is good, or why it is not.
    fn read(&self, token: &str, now: Timestamp) -> Result<Claims, String> {
        if token.len() > LONGEST {
            return Err(format!("the token has more than {LONGEST} bytes"));
        }
        let header = jsonwebtoken::decode_header(token)
            .map_err(|_| "this is no token that is signed (JWT)".to_owned())?;
        let mut why = "no key of this server has signed the token".to_owned();
        let claims = self.keys.find(|key| {
            let may_be = |id: &String| header.kid.as_ref().is_none_or(|kid| kid == id);
            if !key.algorithms.contains(&header.alg) || !key.id.as_ref().is_none_or(may_be) {
                return None;
            }
            match self.verified(token, key) {
                Ok(claims) => Some(claims),
                Err(ErrorKind::InvalidSignature) => None,
                Err(error) => {
                    why = words(&error);
                    None
                }
            }
        });
        let claims = claims.ok_or(why)?;
        if millis(claims.exp).saturating_add(SKEW) <= now.0 {
            return Err("the token has expired".to_owned());
        }
        if claims.nbf.is_some_and(|nbf| millis(nbf) > now.0.saturating_add(SKEW)) {
            return Err("the token is not valid yet".to_owned());
        }
        if claims.sub.is_empty() {
            return Err("the token says of nobody who they are (sub)".to_owned());
        }
        Ok(claims)
    }

    fn verified(&self, token: &str, key: &Key) -> Result<Claims, ErrorKind> {
        let mut validation = Validation::default();
        validation.algorithms.clone_from(&key.algorithms);
        // The time is ours to tell.
        validation.validate_exp = false;
        // One for another server is none for this.
        validation.validate_aud = self.audience.is_some();
        let mut required = vec!["exp", "sub"];
        if let Some(audience) = &self.audience {
            validation.set_audience(&[audience]);
            required.push("aud");
        }
        if let Some(issuer) = &self.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        validation.set_required_spec_claims(&required);
        let token = jsonwebtoken::decode::<Claims>(token, &key.key, &validation);
        token.map(|token| token.claims).map_err(jsonwebtoken::errors::Error::into_kind)
    }
}

fn words(error: &ErrorKind) -> String {
    match error {
        ErrorKind::InvalidAudience => "the token is for another audience (aud)".to_owned(),
        ErrorKind::InvalidIssuer => "the token is of another issuer (iss)".to_owned(),
        ErrorKind::MissingRequiredClaim(claim) => format!("the token lacks {claim}"),
        ErrorKind::Json(error) => format!("what the token says is not understood: {error}"),
        _ => "this is no token that is signed (JWT)".to_owned(),
    }
}

/// Seconds as milliseconds; what is no time is the beginning of time, or its end.
fn millis(seconds: f64) -> u64 {
    (seconds * 1000.0) as u64
}

fn principal(claims: Claims) -> Principal {
    let Claims { sub, name, color, documents, access, exp, iss, .. } = claims;
    Principal {
        identity: Identity::Program { issuer: iss.map(Into::into), subject: sub.into() },
        name: name.as_deref().and_then(shown),
        color: color.filter(|color| is_color(color)).map(Into::into),
        via: Via::Token(Arc::new(Scope::new(documents, access.unwrap_or(Access::Read)))),
        until: Some(Timestamp(millis(exp).saturating_add(SKEW))),
    }
}

/// A name as it is shown: on one line, and not too long.
fn shown(name: &str) -> Option<Arc<str>> {
    let name: String = name.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
    let name = name.trim();
    (!name.is_empty()).then(|| name.into())
}

/// `#rgb` to `#rrggbbaa`: it is put into style sheets.
fn is_color(color: &str) -> bool {
    let digits = color.strip_prefix('#');
    digits.is_some_and(|digits| {
        [3, 4, 6, 8].contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    })
}

/// Why no token could be made.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// The key cannot be used.
    #[error("the key cannot be used: {0}")]
    Key(String),
    /// It could not be signed.
    #[error("the token cannot be signed: {0}")]
    Sign(#[from] jsonwebtoken::errors::Error),
}

/// Makes a token, with a shared secret or a private key in PEM.
pub fn mint(key: &[u8], claims: &Claims) -> Result<String, MintError> {
    use jsonwebtoken::Algorithm::{ES256, EdDSA, HS256, RS256};
    let key = key.trim_ascii();
    let (algorithm, key) = if key.starts_with(b"-----BEGIN") {
        let rsa = EncodingKey::from_rsa_pem(key).map(|key| (RS256, key));
        let ec = || EncodingKey::from_ec_pem(key).map(|key| (ES256, key));
        let ed = || EncodingKey::from_ed_pem(key).map(|key| (EdDSA, key));
        let found = rsa.or_else(|_| ec()).or_else(|_| ed());
        found
            .map_err(|_| MintError::Key("it is no private key of RSA, ECDSA or Ed25519 in PEM".to_owned()))?
    } else if key.len() < LEAST_SECRET {
        return Err(MintError::Key(format!("a secret must have {LEAST_SECRET} bytes at least")));
    } else {
        (HS256, EncodingKey::from_secret(key)?)
    };
    Ok(jsonwebtoken::encode(&Header::new(algorithm), claims, &key)?)
}

#[cfg(test)]
mod tests;
