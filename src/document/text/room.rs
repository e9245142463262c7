//! Room for what is read of a text and written of it. A few bytes of a document can stand for very much: an address of a
//! megabyte that holds for a hundred thousand words, each in a format of its own, a table of a thousand rows and columns, a
//! line in twenty lists. Whoever reads takes room for it first, and gives up where there is none.

use std::cell::Cell;

/// What a text would take is more than anybody would read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it stands for more than can be read: a table that is too large, or words that are marked with too much"
)]
pub struct TooLarge;

/// Of one reading.
#[derive(Debug)]
pub struct Room(Cell<usize>);

impl Room {
    /// So much for each byte of the document. A key of a person is some ten bytes in a document and a few in what is read.
    const EACH: usize = 4;
    /// And so much for every document: a table of a hundred thousand empty cells.
    const LEAST: usize = 32 << 20;

    /// Room for reading a document of so many bytes.
    pub fn of(bytes: usize) -> Self {
        Self(Cell::new(bytes.saturating_mul(Self::EACH).saturating_add(Self::LEAST)))
    }

    /// Takes so many bytes of it.
    pub(super) fn take(&self, bytes: usize) -> Result<(), TooLarge> {
        self.0.set(self.0.get().checked_sub(bytes).ok_or(TooLarge)?);
        Ok(())
    }
}
