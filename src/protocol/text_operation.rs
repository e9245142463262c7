//! A change of a text as editors without a CRDT speak of it: keep, insert and delete, from the first
//! character to the last, counted in Unicode scalar values.
//!
//! On the wire it is a JSON array: a positive number keeps so many characters, a negative one deletes so
//! many, a string is inserted. `[3,"new",-2,5]` is for a text of ten characters.
//!
//! # The library
//!
//! Transforming is the work of the crate `operational-transform` (MIT, a port of ot.js that rustpad has used
//! for years; it counts scalar values, depends on `bytecount` alone, and none that does the same is looked
//! after better). This file is its only door, because three things in it must not meet a stranger's bytes:
//!
//! - it adds lengths without looking, so numbers that add up past 2^64 pass its length check, and applying
//!   them then counts to 2^64; and its own serde support negates `i64::MIN`. Here every length is bounded
//!   before it gets that far;
//! - transforming copies the inserted text of both sides, so a large operation against a long history would be
//!   expensive: [`TextOperation::after_all`] leaves its own text out of it;
//! - its number of parts is unbounded, and each part is an edit of the document: [`MAX_PARTS`].

use std::fmt;

use operational_transform::{Operation, OperationSeq};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, SeqAccess, Visitor},
    ser::SerializeSeq,
};

/// Parts of one operation from outside. An editor sends one to three; a program that replaces something in a
/// thousand places can say it in two operations, or in one that deletes and inserts everything.
pub const MAX_PARTS: usize = 1024;

/// The longest text that an operation may be for or make, in characters: what fits the clock of one client
/// (2^31) with room to spare.
pub const MAX_LENGTH: usize = 1 << 28;

/// One step through the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// So many characters stay.
    Retain(usize),
    /// This is put here.
    Insert(&'a str),
    /// So many characters go.
    Delete(usize),
}

/// A change of a text of one certain length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TextOperation(OperationSeq);

impl TextOperation {
    /// How long the text is that it applies to, in characters.
    pub fn base_length(&self) -> usize {
        self.0.base_len()
    }

    /// How long the text is afterwards, in characters.
    pub fn target_length(&self) -> usize {
        self.0.target_len()
    }

    /// Whether it changes nothing.
    pub fn is_noop(&self) -> bool {
        self.0.is_noop()
    }

    /// Its parts, in the order of the text. Neighbours of one kind are one part, and an insertion stands
    /// before a deletion at the same place.
    pub fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        self.0.ops().iter().map(|operation| match operation {
            Operation::Retain(length) => Part::Retain(*length as usize),
            Operation::Insert(text) => Part::Insert(text),
            Operation::Delete(length) => Part::Delete(*length as usize),
        })
    }

    /// How many bytes of text it brings.
    pub fn inserted(&self) -> usize {
        let parts = self.parts().map(|part| if let Part::Insert(text) = part { text.len() } else { 0 });
        parts.sum()
    }

    /// About how many bytes it takes in memory.
    pub fn weight(&self) -> usize {
        let parts = self.0.ops().iter().map(|operation| match operation {
            Operation::Insert(text) => 32 + text.len(),
            Operation::Retain(_) | Operation::Delete(_) => 32,
        });
        32 + parts.sum::<usize>()
    }

    /// What it becomes when `earlier`, made to the same text, has been applied first. Where both insert at
    /// one place, this one's text comes first: every client does the same with what it has not sent yet.
    /// `None` if the two are not for texts of one length.
    pub fn after(&self, earlier: &Self) -> Option<Self> {
        self.transform(earlier).map(|(this, _)| this)
    }

    /// What it becomes when all of `earlier`, each made to the text that the one before it left, have been applied
    /// first: the same as [`Self::after`] one by one, without copying its text each time.
    pub fn after_all<'a>(self, earlier: impl IntoIterator<Item = &'a Self>) -> Option<Self> {
        // Where an insertion lands does not depend on what it says: one letter stands for each. Letters stay in their
        // order, and may come to stand side by side.
        let mut texts = Vec::new();
        let outline = self.parts().map(|part| match part {
            Part::Insert(text) => {
                texts.push(text);
                Part::Insert("x")
            }
            part => part,
        });
        let outline: Self = outline.collect();
        let carried = earlier.into_iter().try_fold(outline, |outline, earlier| outline.after(earlier))?;
        let mut texts = texts.into_iter();
        let mut whole = OperationSeq::default();
        for part in carried.parts() {
            match part {
                Part::Insert(letters) => {
                    texts.by_ref().take(letters.len()).for_each(|text| whole.insert(text));
                }
                Part::Retain(length) => whole.retain(length as u64),
                Part::Delete(length) => whole.delete(length as u64),
            }
        }
        Some(Self(whole))
    }

    /// How many parts it has.
    pub fn len(&self) -> usize {
        self.0.ops().len()
    }

    /// Whether it has no parts: it is for the empty text, and leaves it so.
    pub fn is_empty(&self) -> bool {
        self.0.ops().is_empty()
    }

    /// What each of two operations made to the same text becomes when the other has been applied first. Where
    /// both insert at one place, the text of `self` comes first.
    pub fn transform(&self, other: &Self) -> Option<(Self, Self)> {
        let (this, other) = self.0.transform(&other.0).ok()?;
        Some((Self(this), Self(other)))
    }

    /// Whether it makes `new` of `old`. Makes nothing itself, because it is asked for every change of a text.
    pub fn leads(&self, mut old: &str, mut new: &str) -> bool {
        for part in self.parts() {
            match part {
                Part::Retain(length) => {
                    let Some((kept, rest)) = split(old, length) else { return false };
                    let Some(after) = new.strip_prefix(kept) else { return false };
                    (old, new) = (rest, after);
                }
                Part::Insert(text) => match new.strip_prefix(text) {
                    Some(after) => new = after,
                    None => return false,
                },
                Part::Delete(length) => match split(old, length) {
                    Some((_, rest)) => old = rest,
                    None => return false,
                },
            }
        }
        old.is_empty() && new.is_empty()
    }

    /// The text after it; `None` if `text` does not have the length it is for.
    pub fn apply(&self, text: &str) -> Option<String> {
        self.0.apply(text).ok()
    }

    /// Where a caret at `position` stands afterwards. Text inserted right there pushes it along.
    pub fn carry(&self, position: usize) -> usize {
        let (mut old, mut new) = (0, 0);
        for part in self.parts() {
            match part {
                Part::Retain(length) if position < old + length => return new + (position - old),
                Part::Retain(length) => (old, new) = (old + length, new + length),
                Part::Insert(text) => new += text.chars().count(),
                Part::Delete(length) if position < old + length => return new,
                Part::Delete(length) => old += length,
            }
        }
        new
    }
}

/// The first so many characters and the rest; `None` if there are fewer.
fn split(text: &str, length: usize) -> Option<(&str, &str)> {
    let mut rest = text.chars();
    if let Some(last) = length.checked_sub(1) {
        // Passes over whole blocks of bytes, which stepping does not.
        rest.nth(last)?;
    }
    text.split_at_checked(text.len() - rest.as_str().len())
}

impl<'a> FromIterator<Part<'a>> for TextOperation {
    fn from_iter<T: IntoIterator<Item = Part<'a>>>(parts: T) -> Self {
        let mut operation = OperationSeq::default();
        for part in parts {
            match part {
                Part::Retain(length) => operation.retain(length as u64),
                Part::Insert(text) => operation.insert(text),
                Part::Delete(length) => operation.delete(length as u64),
            }
        }
        Self(operation)
    }
}

impl Serialize for TextOperation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut array = serializer.serialize_seq(Some(self.0.ops().len()))?;
        for part in self.parts() {
            match part {
                Part::Retain(length) => array.serialize_element(&length)?,
                Part::Insert(text) => array.serialize_element(text)?,
                Part::Delete(length) => array.serialize_element(&-(length as i64))?,
            }
        }
        array.end()
    }
}

impl<'de> Deserialize<'de> for TextOperation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Parts)
    }
}

/// Reads the array, under limits from the first number on.
struct Parts;

impl<'de> Visitor<'de> for Parts {
    type Value = TextOperation;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of numbers (keep, or delete if negative) and strings (insert)")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<TextOperation, A::Error> {
        let too_long = || de::Error::custom(format_args!("it is for more than {MAX_LENGTH} characters"));
        let mut operation = OperationSeq::default();
        let mut parts = 0;
        while let Some(part) = array.next_element::<WirePart>()? {
            parts += 1;
            if parts > MAX_PARTS {
                return Err(de::Error::custom(format_args!("it has more than {MAX_PARTS} parts")));
            }
            match part {
                WirePart::Insert(text) => operation.insert(&text),
                WirePart::Count(count) if count.unsigned_abs() > MAX_LENGTH as u64 => return Err(too_long()),
                WirePart::Count(count) if count < 0 => operation.delete(count.unsigned_abs()),
                WirePart::Count(count) => operation.retain(count.unsigned_abs()),
            }
            if operation.base_len() > MAX_LENGTH || operation.target_len() > MAX_LENGTH {
                return Err(too_long());
            }
        }
        Ok(TextOperation(operation))
    }
}

enum WirePart {
    Count(i64),
    Insert(String),
}

impl<'de> Deserialize<'de> for WirePart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct One;
        impl Visitor<'_> for One {
            type Value = WirePart;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number or a string")
            }
            fn visit_i64<E: de::Error>(self, count: i64) -> Result<WirePart, E> {
                Ok(WirePart::Count(count))
            }
            fn visit_u64<E: de::Error>(self, count: u64) -> Result<WirePart, E> {
                Ok(WirePart::Count(i64::try_from(count).unwrap_or(i64::MAX)))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<WirePart, E> {
                Ok(WirePart::Insert(text.to_owned()))
            }
            fn visit_string<E: de::Error>(self, text: String) -> Result<WirePart, E> {
                Ok(WirePart::Insert(text))
            }
        }
        deserializer.deserialize_any(One)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<TextOperation, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn lengths_count_scalar_values() {
        let operation = read(r#"[1,"👩‍🚀é",-2]"#).unwrap();
        assert_eq!((operation.base_length(), operation.target_length()), (3, 5));
        assert_eq!(operation.apply("a漢😀").unwrap(), "a👩‍🚀é");
        assert_eq!(operation.apply("a漢"), None);
        assert_eq!(serde_json::to_string(&operation).unwrap(), r#"[1,"👩‍🚀é",-2]"#);
    }

    #[test]
    fn hostile_lengths_are_refused_before_they_are_added() {
        for json in [
            "[-9223372036854775808]",
            "[18446744073709551615]",
            "[9223372036854775807,9223372036854775807,9223372036854775807]",
            "[268435457]",
            "[200000000,200000000]",
            "[200000000,-200000000]",
        ] {
            assert!(read(json).unwrap_err().contains("more than 268435456 characters"), "{json}");
        }
        for json in ["[1.5]", "[null]", "[[1]]", "[true]", "{}", "\"a\"", "3", r#"["\ud83d"]"#] {
            assert!(read(json).is_err(), "{json}");
        }
        let many = format!("[{}1]", "1,-1,".repeat(MAX_PARTS / 2));
        assert!(read(&many).unwrap_err().contains("parts"));
    }

    #[test]
    fn parts_that_say_nothing_are_left_out() {
        let operation = read(r#"[0,"",2,3,"a","b",-1,-1]"#).unwrap();
        assert_eq!(serde_json::to_string(&operation).unwrap(), r#"[5,"ab",-2]"#);
        assert!(read("[]").unwrap().is_noop() && read("[7]").unwrap().is_noop());
    }

    #[test]
    fn an_operation_leads_to_one_text_only() {
        let operation = read(r#"[2,"漢",-1,1]"#).unwrap();
        assert!(operation.leads("a😀bc", "a😀漢c"));
        for (old, new) in [
            ("a😀bc", "a😀漢"),
            ("a😀bc", "a😀漢cc"),
            ("a😀bcd", "a😀漢c"),
            ("a😀b", "a😀漢"),
            ("aabc", "a😀漢c"),
            ("", ""),
        ] {
            assert!(!operation.leads(old, new), "{old} to {new}");
        }
        assert!(read("[]").unwrap().leads("", "") && !read("[]").unwrap().leads("a", "a"));
    }

    #[test]
    fn a_caret_moves_with_its_neighbours() {
        let operation = read(r#"[2,"xy",-2,3]"#).unwrap();
        let carried: Vec<usize> = (0..=7).map(|position| operation.carry(position)).collect();
        assert_eq!(carried, [0, 1, 4, 4, 4, 5, 6, 7]);
    }

    #[test]
    fn over_many_at_once_is_the_same_as_one_by_one() {
        use rand::{Rng, SeedableRng};
        for seed in 0..500 {
            let random = &mut rand_chacha::ChaCha8Rng::seed_from_u64(seed);
            let mut length = random.random_range(0..12);
            let mut operation = |length: usize| {
                let (mut parts, mut left) = (Vec::new(), length);
                while left > 0 || random.random_bool(0.4) {
                    let step = random.random_range(0..=left.min(3));
                    parts.push(match random.random_range(0..3) {
                        0 => Part::Insert(["漢", "ab", "😀"][random.random_range(0..3)]),
                        1 => Part::Delete(step),
                        _ => Part::Retain(step),
                    });
                    if !matches!(parts.last(), Some(Part::Insert(_))) {
                        left -= step;
                    }
                }
                parts.into_iter().collect::<TextOperation>()
            };
            let late = operation(length);
            let mut earlier = Vec::new();
            for _ in 0..8 {
                earlier.push(operation(length));
                length = earlier.last().map_or(0, TextOperation::target_length);
            }
            let one_by_one = earlier.iter().try_fold(late.clone(), |late, earlier| late.after(earlier));
            assert!(one_by_one.is_some(), "seed {seed}");
            assert_eq!(late.after_all(&earlier), one_by_one, "seed {seed}");
        }
    }
}
