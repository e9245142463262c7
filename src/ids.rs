//! Names and ids: parsed once at the edge, valid for ever after.
//!
//! A value of one of these types has been checked; the code behind the edge never checks it again.

use std::{
    fmt,
    str::FromStr,
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type, extensions::Extensions},
};
use uuid::Uuid;

/// The name of a document: 1 to 256 bytes of UTF-8, no control characters, not blank, no white space at
/// either end, and neither `.` nor `..`. Slashes are allowed. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentName(Arc<str>);

/// Why a string is not a [`DocumentName`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Empty, or nothing but white space.
    #[error("a document name must not be blank")]
    Blank,
    /// Longer than [`DocumentName::MAX_BYTES`].
    #[error("a document name has at most {max} bytes of UTF-8, this one has {0}", max = DocumentName::MAX_BYTES)]
    TooLong(usize),
    /// Contains a control character, which no address bar or log shows faithfully.
    #[error("a document name must not contain control characters")]
    Control,
    /// Begins or ends with white space, which people cannot see.
    #[error("a document name must not begin or end with white space")]
    Padded,
    /// `.` or `..`, which browsers take for directions in an address and resolve before they ask.
    #[error("a document name must not be . or .., which no address can hold; choose another")]
    Dots,
    /// Not UTF-8 after percent-decoding.
    #[error("a document name must be UTF-8")]
    NotUtf8,
}

impl DocumentName {
    /// The longest name, in bytes of UTF-8.
    pub const MAX_BYTES: usize = 256;

    /// Checks `name` against the rules above.
    pub fn parse(name: &str) -> Result<Self, InvalidName> {
        let name = Self::parse_stored(name)?;
        if name.is_dots() { Err(InvalidName::Dots) } else { Ok(name) }
    }

    /// Checks a name that may be of an earlier version of this server, which let in `.` and `..`. What is stored
    /// under them can be read and deleted, and nothing can be written there.
    pub fn parse_stored(name: &str) -> Result<Self, InvalidName> {
        if name.trim().is_empty() {
            return Err(InvalidName::Blank);
        }
        if name.len() > Self::MAX_BYTES {
            return Err(InvalidName::TooLong(name.len()));
        }
        if name.chars().any(char::is_control) {
            return Err(InvalidName::Control);
        }
        if name.trim().len() != name.len() {
            return Err(InvalidName::Padded);
        }
        Ok(Self(name.into()))
    }

    /// Whether no address can hold the name. Only what is stored since long can be called so.
    pub fn is_dots(&self) -> bool {
        matches!(&*self.0, "." | "..")
    }

    /// Checks raw bytes, as they come out of a URL or a frame.
    pub fn parse_bytes(name: &[u8]) -> Result<Self, InvalidName> {
        Self::parse(std::str::from_utf8(name).map_err(|_| InvalidName::NotUtf8)?)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DocumentName {
    type Err = InvalidName;
    fn from_str(name: &str) -> Result<Self, InvalidName> {
        Self::parse(name)
    }
}

impl fmt::Display for DocumentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DocumentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for DocumentName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for DocumentName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::parse(&name).map_err(serde::de::Error::custom)
    }
}

impl DocumentName {
    /// The rules for names that a regular expression can say, in the dialect of JSON schemas: no control characters, and
    /// no white space at either end. It counts characters where we count bytes, and lets in `.` and `..`.
    pub const PATTERN: &str = concat!(
        "^[^\\u0000-\\u0020\\u007f-\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]",
        "(?:[^\\u0000-\\u001f\\u007f-\\u009f]*",
        "[^\\u0000-\\u0020\\u007f-\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000])?$",
    );
}

impl PartialSchema for DocumentName {
    fn schema() -> RefOr<Schema> {
        // The builder has no word for `not`.
        let dots = Extensions::from_iter([("not", serde_json::json!({"enum": [".", ".."]}))]);
        let schema = ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some(
                "1 to 256 bytes of UTF-8 without control characters and surrounding white space, and neither `.` nor \
                 `..`; slashes are allowed.",
            ))
            .min_length(Some(1))
            .max_length(Some(Self::MAX_BYTES))
            .pattern(Some(Self::PATTERN))
            .extensions(Some(dots));
        schema.build().into()
    }
}

impl ToSchema for DocumentName {}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $new:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A fresh id.
            #[allow(clippy::new_without_default, reason = "an id that appears by default is a bug")]
            pub fn new() -> Self {
                Self(Uuid::$new())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

uuid_id!(
    /// One socket, from upgrade to close. Ordered by time (v7), so that logs sort.
    ConnectionId,
    now_v7
);
uuid_id!(
    /// One document opened over one connection. Ordered by time (v7).
    SessionId,
    now_v7
);

/// A moment on the wall clock, in milliseconds since 1970 UTC: for people and for storage. Intervals are
/// measured with [`std::time::Instant`] instead, which never jumps.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(transparent)]
#[schema(description = "Milliseconds since 1970.")]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The present. Only where the clock may be looked at; everywhere else the time is given.
    pub fn now() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(now.as_millis() as u64)
    }
}

/// A moment, both ways: for intervals and for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Never jumps.
    pub instant: Instant,
    /// The wall clock.
    pub wall: Timestamp,
}

impl Moment {
    /// The present. Only where the clock may be looked at; everywhere else the time is given.
    pub fn now() -> Self {
        Self { instant: Instant::now(), wall: Timestamp::now() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_once_and_for_all() {
        let long = "ä".repeat(129);
        for (name, expected) in [
            ("", Some(InvalidName::Blank)),
            (" \u{3000}", Some(InvalidName::Blank)),
            (" a", Some(InvalidName::Padded)),
            ("a\u{a0}", Some(InvalidName::Padded)),
            ("a\nb", Some(InvalidName::Control)),
            ("a\u{85}b", Some(InvalidName::Control)),
            ("a\0b", Some(InvalidName::Control)),
            (long.as_str(), Some(InvalidName::TooLong(258))),
            (".", Some(InvalidName::Dots)),
            ("..", Some(InvalidName::Dots)),
            ("...", None),
            (".a", None),
            ("a/../b", None),
            (&long[..256], None),
            ("team/文件 1", None),
        ] {
            assert_eq!(DocumentName::parse(name).err(), expected, "{name:?}");
        }
        assert_eq!(DocumentName::parse_bytes(b"\xff"), Err(InvalidName::NotUtf8));
    }

    #[test]
    fn names_that_were_stored_once_can_be_read() {
        for name in [".", "..", "a"] {
            assert_eq!(DocumentName::parse_stored(name).unwrap().is_dots(), name != "a", "{name}");
        }
        assert_eq!(DocumentName::parse_stored("a\n").err(), Some(InvalidName::Control));
        assert!(serde_json::from_str::<DocumentName>("\"..\"").is_err());
    }

    #[test]
    fn names_survive_json_and_refuse_bad_json() {
        let name = DocumentName::parse("a/b").unwrap();
        let json = serde_json::to_string(&name).unwrap();
        assert_eq!(serde_json::from_str::<DocumentName>(&json).unwrap(), name);
        assert!(serde_json::from_str::<DocumentName>("\" \"").is_err());
    }

    #[test]
    fn session_ids_sort_by_birth() {
        let ids: Vec<_> = std::iter::repeat_with(SessionId::new).take(100).collect();
        assert!(ids.is_sorted());
    }
}
