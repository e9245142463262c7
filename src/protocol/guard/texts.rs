//! Pieces of text, cut between characters as yjs cuts them when only their beginning is known (`Item.write` with an offset,
//! yjs 13.6).

use super::structs::{Block, CONTENT, HAS_ORIGIN, HAS_RIGHT_ORIGIN, Id, Kind};
use crate::protocol::{
    ClientId,
    wire::{self, Reader},
};

/// What a struct of a part of a text says besides, in bytes, at the most: what it is, and what stands on either side.
pub(super) const HEAD: usize = 1 + 2 * (8 + 5) + 5;

/// A struct that is a piece of text.
pub(super) struct Text<'a> {
    /// All that says where it belongs.
    head: &'a [u8],
    start: u32,
    right_origin: Option<Id>,
    text: &'a str,
    is_plain: bool,
}

impl<'a> Text<'a> {
    /// The struct that begins at a byte of an update, if it is text.
    pub(super) fn of(bytes: &'a [u8], at: usize, block: &Block<'_>) -> Option<Self> {
        let Kind::Text { is_plain } = block.kind else { return None };
        let text = Reader::starting_at(bytes, block.content_at).string(usize::MAX).ok()?;
        let head = bytes.get(at..block.content_at)?;
        Some(Self { head, start: block.start, right_origin: block.right_origin, text, is_plain })
    }

    /// What stands behind so many UTF-16 units; nothing if they end within a character.
    pub(super) fn behind(&self, units: u32) -> Option<&'a str> {
        let mut left = units as usize;
        if left == 0 {
            return Some(self.text);
        }
        if self.is_plain && self.text.is_ascii() {
            return self.text.get(left..);
        }
        for (at, character) in self.text.char_indices() {
            if left == 0 {
                return Some(&self.text[at..]);
            }
            left = left.checked_sub(character.len_utf16())?;
        }
        None
    }

    /// A struct of a part of the text, behind so many units of it.
    pub(super) fn encode(&self, client: ClientId, behind: u32, part: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.head.len().max(HEAD) + part.len());
        if behind == 0 {
            out.extend_from_slice(self.head);
        } else {
            let right = if self.right_origin.is_some() { HAS_RIGHT_ORIGIN } else { 0 };
            out.push(self.head[0] & CONTENT | HAS_ORIGIN | right);
            let left = Id { client, clock: self.start + behind - 1 };
            for id in [Some(left), self.right_origin].into_iter().flatten() {
                wire::put_uint(&mut out, id.client.get());
                wire::put_uint(&mut out, u64::from(id.clock));
            }
        }
        wire::put_string(&mut out, part);
        out
    }
}

/// The first part of a text, of at most so many bytes but at least one character, and its length in UTF-16 units.
pub(super) fn first_part(text: &str, most: usize) -> (&str, u32) {
    let first = text.chars().next().map_or(0, char::len_utf8);
    let part = &text[..text.floor_char_boundary(most).max(first)];
    (part, part.chars().map(|character| character.len_utf16() as u32).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        for (most, expected, units) in
            [(0, "a", 1), (1, "a", 1), (2, "a", 1), (3, "aä", 2), (6, "aä", 2), (7, "aä𝄞", 4)]
        {
            assert_eq!(first_part("aä𝄞b", most), (expected, units), "{most}");
        }
    }
}
