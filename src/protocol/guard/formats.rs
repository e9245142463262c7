//! In how many ways the characters of texts are formatted.
//!
//! To read a text piece by piece, yrs hands out with each piece a copy of all the formatting that holds there. Ten thousand
//! formats that are begun and never ended, and a hundred thousand embeds behind them, are a megabyte of an update and would
//! be a billion entries. No client writes such a thing: people's texts have a dozen formats, and those of editors that make
//! a format of each comment are short where there are many. So formats are counted, and whoever wants to read pieces asks.

use std::{
    hash::{BuildHasher, RandomState},
    sync::LazyLock,
};

use smallvec::SmallVec;

/// Entries that reading all pieces of all texts may hand out, some seventy bytes each.
const ENTRIES: usize = 4 << 20;

/// Formats told from each other. Where there are more, they are taken to be this many, which is too many for all but the
/// shortest texts.
const TOLD: usize = 4096;

/// So that nobody can choose names that are taken for each other.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// The formats and the pieces of the texts of an update, or of a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Formats {
    /// The names of the formats, hashed, in order.
    names: SmallVec<[u64; 2]>,
    /// What may end a piece and begin another: formats and embeds.
    pieces: usize,
}

impl Formats {
    pub(super) fn add_format(&mut self, name: &str) {
        self.pieces += 1;
        self.note(HASHER.hash_one(name));
    }

    pub(super) fn add_embed(&mut self) {
        self.pieces += 1;
    }

    fn note(&mut self, name: u64) {
        if self.names.len() < TOLD
            && let Err(at) = self.names.binary_search(&name)
        {
            self.names.insert(at, name);
        }
    }

    /// With those of an update that comes to it.
    pub fn add(&mut self, other: &Self) {
        self.pieces += other.pieces;
        other.names.iter().for_each(|name| self.note(*name));
    }

    /// How many formats and embeds there are.
    pub fn pieces(&self) -> usize {
        self.pieces
    }

    /// Whether texts may be read piece by piece.
    pub fn are_few(&self) -> bool {
        self.names.len().saturating_mul(self.pieces) <= ENTRIES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_with_the_formats_of_people_is_read_and_one_with_thousands_of_formats_is_not() {
        let text = |formats: usize, pieces: usize| {
            let mut text = Formats::default();
            (0..pieces).for_each(|piece| text.add_format(&(piece % formats).to_string()));
            text
        };
        assert!(text(12, 300_000).are_few());
        assert!(text(1000, 4000).are_few(), "comments");
        assert!(!text(5000, 5000).are_few());
        assert!(!text(100, 50_000).are_few());
        let mut both = text(50, 50_000);
        both.add(&text(100, 50_000));
        assert!(!both.are_few());
        assert_eq!((both.names.len(), both.pieces()), (100, 100_000));
    }
}
