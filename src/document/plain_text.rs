//! A `Y.Text` as the characters that people see, and the way between its two kinds of counting.
//!
//! Yjs counts UTF-16 units, and one for each embedded object; the JSON dialect counts Unicode scalar values,
//! and knows no objects. [`PlainText`] has the characters and where the objects stand, and turns an operation
//! into edits of the `Y.Text` ([`PlainText::edits`]) and a change of the `Y.Text` into an operation
//! ([`PlainText::operation_to`]). Objects survive what happens around them. Formatting has no length in either
//! count.

use crate::protocol::text_operation::{Part, TextOperation};

/// What a `Y.Text` shows, without formatting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlainText {
    /// The characters.
    pub characters: String,
    /// Where embedded objects stand: byte offsets into the characters, ascending.
    pub objects: Vec<usize>,
}

/// One edit of a `Y.Text`, to be applied after those before it. Counts are those of Yjs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit<'a> {
    /// Put this there.
    Insert {
        /// Where.
        at: u32,
        /// What.
        text: &'a str,
    },
    /// Take so much from there.
    Remove {
        /// Where.
        at: u32,
        /// How much.
        length: u32,
    },
}

/// What Yjs says about a change of a `Y.Text`. Counts are its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delta {
    /// So much stayed.
    Retain(u32),
    /// These characters came.
    Insert(String),
    /// An object came.
    InsertObject,
    /// So much went.
    Delete(u32),
}

impl PlainText {
    /// How many characters there are.
    pub fn length(&self) -> usize {
        self.characters.chars().count()
    }

    /// The edits that do to the `Y.Text` what `operation` does to the characters. The operation must be for
    /// a text of this length.
    pub fn edits<'a>(&self, operation: &'a TextOperation) -> Vec<Edit<'a>> {
        let mut edits = Vec::new();
        let mut walk = Walk::new(self);
        // Where the walk stands in the `Y.Text` that the edits before have made.
        let mut at: u32 = 0;
        for part in operation.parts() {
            match part {
                Part::Insert(text) => {
                    edits.push(Edit::Insert { at, text });
                    at += units(text);
                }
                Part::Retain(length) => {
                    let plain = walk.plain(length);
                    at += plain as u32;
                    for _ in plain..length {
                        at += walk.objects_here() + walk.character().unwrap_or(0);
                    }
                }
                Part::Delete(length) => {
                    let mut run = 0;
                    for _ in 0..length {
                        let objects = walk.objects_here();
                        if objects > 0 && run > 0 {
                            edits.push(Edit::Remove { at, length: std::mem::take(&mut run) });
                        }
                        at += objects;
                        run += walk.character().unwrap_or(0);
                    }
                    if run > 0 {
                        edits.push(Edit::Remove { at, length: run });
                    }
                }
            }
        }
        edits
    }

    /// The operation that leads from here to `new`, of which Yjs has said that it came about by `delta`.
    ///
    /// What Yjs says is taken only if it is the whole truth. It is not when somebody cut through a character
    /// of two units: Yjs turns the halves into replacement characters and does not mention it.
    pub fn operation_to(&self, new: &Self, delta: Option<&[Delta]>) -> TextOperation {
        delta
            .and_then(|delta| self.operation_of(delta))
            .filter(|operation| operation.leads(&self.characters, &new.characters))
            .unwrap_or_else(|| difference(&self.characters, &new.characters))
    }

    fn operation_of(&self, delta: &[Delta]) -> Option<TextOperation> {
        let mut parts = Vec::with_capacity(delta.len() + 1);
        let mut walk = Walk::new(self);
        let mut done = 0;
        for change in delta {
            match change {
                Delta::Insert(text) => parts.push(Part::Insert(text)),
                Delta::InsertObject => {}
                Delta::Retain(length) => {
                    let characters = walk.units(*length)?;
                    done += characters;
                    parts.push(Part::Retain(characters));
                }
                Delta::Delete(length) => {
                    let characters = walk.units(*length)?;
                    done += characters;
                    parts.push(Part::Delete(characters));
                }
            }
        }
        parts.push(Part::Retain(self.length() - done));
        Some(parts.into_iter().collect())
    }
}

/// How long a text is in Yjs's count.
pub fn units(text: &str) -> u32 {
    // Asked for the whole text with every change, and most text is plain.
    if text.is_ascii() {
        return text.len() as u32;
    }
    text.chars().map(|character| character.len_utf16() as u32).sum()
}

/// A walk over characters and objects.
struct Walk<'a> {
    text: &'a PlainText,
    byte: usize,
    object: usize,
}

impl<'a> Walk<'a> {
    fn new(text: &'a PlainText) -> Self {
        Self { text, byte: 0, object: 0 }
    }

    /// Passes the objects that stand right here, and says how many.
    fn objects_here(&mut self) -> u32 {
        let before = self.object;
        while self.text.objects.get(self.object).is_some_and(|offset| *offset <= self.byte) {
            self.object += 1;
        }
        (self.object - before) as u32
    }

    /// Passes one character, and says how many units it has.
    fn character(&mut self) -> Option<u32> {
        let character = self.text.characters[self.byte..].chars().next()?;
        self.byte += character.len_utf8();
        Some(character.len_utf16() as u32)
    }

    /// Passes so many characters at once if each of them is one byte, hence one unit, and no object stands
    /// among them or after them; otherwise none. Says how many.
    fn plain(&mut self, length: usize) -> usize {
        let is_plain = self.object == self.text.objects.len()
            && self
                .text
                .characters
                .get(self.byte..self.byte.saturating_add(length))
                .is_some_and(str::is_ascii);
        let passed = if is_plain { length } else { 0 };
        self.byte += passed;
        passed
    }

    /// Passes so many units, and says how many characters they are; `None` if they end within one, or beyond
    /// the end.
    fn units(&mut self, mut left: u32) -> Option<usize> {
        let mut characters = self.plain(left as usize);
        left -= characters as u32;
        while left > 0 {
            if self.text.objects.get(self.object).is_some_and(|offset| *offset <= self.byte) {
                self.object += 1;
                left -= 1;
            } else {
                left = left.checked_sub(self.character()?)?;
                characters += 1;
            }
        }
        Some(characters)
    }
}

/// The operation that replaces what differs between the common beginning and the common end.
fn difference(old: &str, new: &str) -> TextOperation {
    let common = |one: &mut dyn Iterator<Item = char>, other: &mut dyn Iterator<Item = char>| {
        one.zip(other).take_while(|(one, other)| one == other).map(|(one, _)| one.len_utf8()).sum::<usize>()
    };
    let start = common(&mut old.chars(), &mut new.chars());
    let end = common(&mut old[start..].chars().rev(), &mut new[start..].chars().rev());
    let count = |text: &str| text.chars().count();
    [
        Part::Retain(count(&old[..start])),
        Part::Insert(&new[start..new.len() - end]),
        Part::Delete(count(&old[start..old.len() - end])),
        Part::Retain(count(&old[old.len() - end..])),
    ]
    .into_iter()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(characters: &str, objects: &[usize]) -> PlainText {
        PlainText { characters: characters.to_owned(), objects: objects.to_vec() }
    }

    fn operation(json: &str) -> TextOperation {
        serde_json::from_str(json).unwrap()
    }

    fn json(operation: &TextOperation) -> String {
        serde_json::to_string(operation).unwrap()
    }

    #[test]
    fn edits_count_units_and_pass_objects() {
        // An object before the text, one between 😀 and b, one at the end.
        let text = text("a😀b", &[0, 5, 6]);
        let remove = |at, length| Edit::Remove { at, length };
        let insert = |at, text| Edit::Insert { at, text };
        assert_eq!(text.edits(&operation(r#"["x",3]"#)), [insert(0, "x")]);
        assert_eq!(text.edits(&operation(r#"[2,"漢😀",1]"#)), [insert(4, "漢😀")]);
        assert_eq!(text.edits(&operation(r#"[3,"x"]"#)), [insert(6, "x")]);
        // Both objects stay: the deletion is cut around them.
        assert_eq!(text.edits(&operation("[-3]")), [remove(1, 3), remove(2, 1)]);
        assert_eq!(text.edits(&operation(r#"[1,"x",-1,1]"#)), [insert(2, "x"), remove(3, 2)]);
    }

    #[test]
    fn a_delta_becomes_the_operation_it_describes() {
        let old = text("aaa😀b", &[3]);
        let delta = [Delta::Retain(2), Delta::Insert("a".into()), Delta::Retain(2), Delta::Delete(2)];
        let new = text("aaaab", &[4]);
        assert_eq!(json(&old.operation_to(&new, Some(&delta))), r#"[2,"a",1,-1,1]"#);
        // The same new text can come about in another place, which only Yjs knows.
        let delta = [Delta::Retain(4), Delta::Delete(2), Delta::InsertObject];
        assert_eq!(json(&old.operation_to(&text("aaab", &[3, 3]), Some(&delta))), "[3,-1,1]");
    }

    #[test]
    fn a_delta_that_leaves_something_out_is_not_believed() {
        let old = text("a😀b", &[]);
        // Somebody deletes the second half of the 😀.
        let new = text("a\u{fffd}b", &[]);
        let delta = [Delta::Retain(2), Delta::Delete(1)];
        assert_eq!(json(&old.operation_to(&new, Some(&delta))), "[1,\"\u{fffd}\",-1,1]");
        let wrong = [Delta::Retain(100)];
        assert_eq!(json(&old.operation_to(&text("a😀bc", &[]), Some(&wrong))), r#"[3,"c"]"#);
    }

    #[test]
    fn the_difference_is_what_lies_between_common_ends() {
        for (old, new, expected) in [
            ("", "", "[]"),
            ("", "漢", r#"["漢"]"#),
            ("abc", "", "[-3]"),
            ("aaa", "aa", "[2,-1]"),
            ("aa", "aaa", r#"[2,"a"]"#),
            // The same first byte does not make the same character.
            ("é", "è", r#"["è",-1]"#),
            ("x😀y", "x😁y", r#"[1,"😁",-1,1]"#),
        ] {
            let operation = difference(old, new);
            assert_eq!(json(&operation), expected, "{old} to {new}");
            assert_eq!(operation.apply(old).unwrap(), new);
        }
    }
}
