//! What became of one text, step by step, for those who edit it by operations.
//!
//! Every change of the text, whoever made it, is one operation and makes one revision. The operations are
//! kept for a while, so that one made to an earlier revision can be carried over what came since, and one
//! that is sent a second time is recognised: by its author, by the author's name for it, and by what it says. Pure.
//!
//! **The property everything rests on:** applying the operations in order to the text of any revision gives
//! the text of the next. Whoever records a change owes an operation that fits.
//!
//! What is bounded: the number of operations, and their weight; the oldest go first. Who comes with an older
//! revision begins anew. A revision means something only within one *epoch*, the life of one history.

use std::{collections::VecDeque, sync::Arc};

use super::digest::digest;
use crate::{
    ids::SessionId,
    protocol::{json::EditorName, text_operation::TextOperation},
};

/// How much of the past is kept.
#[derive(Clone, Copy, Debug)]
pub struct HistoryLimits {
    /// Operations. At ten changes a second this is the time a connection may be away: under two minutes.
    pub operations: usize,
    /// Bytes of operations.
    pub bytes: usize,
    /// Parts of an operation times the number of operations it is carried over: each part is looked at each time,
    /// and the document waits meanwhile. At this bound it takes about ten milliseconds.
    pub work: usize,
}

impl Default for HistoryLimits {
    fn default() -> Self {
        Self { operations: 1024, bytes: 1 << 20, work: 256 << 10 }
    }
}

/// Who made a change, and how they call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// The editor.
    pub editor: EditorName,
    /// Its name for the operation, and what the operation said when it came.
    pub name: Option<OperationName>,
}

/// How an editor calls an operation, and what it says, so that a second operation of the same name is not taken
/// for the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationName {
    /// The editor's own name for it.
    pub id: Box<str>,
    /// The beginning of the SHA-256 of the revision it was made to and of what it does.
    digest: [u8; 16],
}

impl OperationName {
    /// The name of an operation made to revision `base`.
    pub fn new(id: Box<str>, base: u64, operation: &TextOperation) -> Self {
        // Two operations of one meaning have one JSON form: the library joins what stands side by side.
        let said = serde_json::to_vec(&(base, operation)).unwrap_or_default();
        Self { id, digest: digest(&said) }
    }
}

/// What the history knows of an operation that an editor sends under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It was applied, and made this revision.
    Same(u64),
    /// The editor has used the name for another operation, which made this revision.
    Other(u64),
}

/// Why an operation cannot be carried to the present.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stale {
    /// It claims to know what has not happened.
    #[error("revision {asked} has not happened yet, the text is at revision {now}")]
    Future {
        /// The revision it was made to.
        asked: u64,
        /// The latest.
        now: u64,
    },
    /// What happened since is not kept any more.
    #[error("revision {asked} is too long ago, what happened since is known from revision {oldest}")]
    Lost {
        /// The revision it was made to.
        asked: u64,
        /// The first that would do.
        oldest: u64,
    },
    /// It is not for a text of the length that this revision had.
    #[error("the operation is for a text of {given} characters, at revision {asked} it had {length}")]
    Length {
        /// The revision it was made to.
        asked: u64,
        /// The length it is for.
        given: usize,
        /// The length the text had.
        length: usize,
    },
}

/// The latest operations of one text.
#[derive(Clone, Debug)]
pub struct TextHistory {
    limits: HistoryLimits,
    epoch: SessionId,
    revision: u64,
    length: usize,
    /// The newest last; it made `revision`.
    entries: VecDeque<Entry>,
    bytes: usize,
}

#[derive(Clone, Debug)]
struct Entry {
    operation: Arc<TextOperation>,
    author: Option<Author>,
}

impl TextHistory {
    /// Begins with a text of `length` characters. `epoch` must be new: the id of the session for which the
    /// history is begun.
    pub fn new(limits: HistoryLimits, epoch: SessionId, length: usize) -> Self {
        Self { limits, epoch, revision: 0, length, entries: VecDeque::new(), bytes: 0 }
    }

    /// Which life of the text this is.
    pub fn epoch(&self) -> SessionId {
        self.epoch
    }

    /// The number of the present text.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// How long the present text is, in characters.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Notes a change of the present text, and returns the revision it makes. An editor's operation of which
    /// nothing is left, because others had done it before, makes a revision too: its author must be able to
    /// count its own among the others'.
    pub fn record(&mut self, operation: Arc<TextOperation>, author: Option<Author>) -> u64 {
        debug_assert_eq!(operation.base_length(), self.length, "an operation that does not fit");
        self.length = operation.target_length();
        self.revision += 1;
        let entry = Entry { operation, author };
        self.bytes += entry.bytes();
        self.entries.push_back(entry);
        while self.entries.len() > self.limits.operations || self.bytes > self.limits.bytes {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.bytes -= oldest.bytes();
        }
        self.revision
    }

    /// What `operation`, made to the text of revision `base`, becomes for the present text.
    pub fn carry(&self, base: u64, operation: TextOperation) -> Result<TextOperation, Stale> {
        let since = self.since(base)?;
        let length = match since.first() {
            Some(entry) => entry.operation.base_length(),
            None => self.length,
        };
        let mismatch = Stale::Length { asked: base, given: operation.base_length(), length };
        if operation.base_length() != length {
            return Err(mismatch);
        }
        let parts = operation.len().max(1);
        if since.len().saturating_mul(parts) > self.limits.work {
            let near = self.limits.work / parts;
            return Err(Stale::Lost { asked: base, oldest: self.revision - near as u64 });
        }
        operation.after_all(since.iter().map(|entry| &*entry.operation)).ok_or(mismatch)
    }

    /// What became of the operation that an editor calls so, if it is among those that are kept.
    pub fn find(&self, editor: &EditorName, name: &OperationName) -> Option<Found> {
        self.entries.iter().rev().enumerate().find_map(|(back, entry)| {
            let author = entry.author.as_ref().filter(|author| author.editor == *editor)?;
            let known = author.name.as_ref().filter(|known| known.id == name.id)?;
            let revision = self.revision - back as u64;
            Some(if known.digest == name.digest { Found::Same(revision) } else { Found::Other(revision) })
        })
    }

    fn since(&self, base: u64) -> Result<Vec<&Entry>, Stale> {
        let now = self.revision;
        let behind = now.checked_sub(base).ok_or(Stale::Future { asked: base, now })?;
        let kept = self.entries.len();
        if behind > kept as u64 {
            return Err(Stale::Lost { asked: base, oldest: now - kept as u64 });
        }
        Ok(self.entries.range(kept - behind as usize..).collect())
    }
}

impl Entry {
    fn bytes(&self) -> usize {
        let named = |author: &Author| author.name.as_ref().map_or(0, |name| name.id.len()) + 96;
        let author = self.author.as_ref().map_or(0, named);
        self.operation.weight() + author
    }
}

#[cfg(test)]
mod tests;
