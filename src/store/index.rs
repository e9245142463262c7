//! What a store knows about its documents without reading them, and the rules by which that changes.
//!
//! The rules ([`begin`], [`append`], [`wants_checkpoint`], [`set_standing`]) are shared by the backends, so that
//! they cannot disagree. The [`Index`] answers lists and heads from memory: some 500 bytes per document.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
    ops::Bound,
};

use super::{
    Cursor, Head, Life, LoggedUpdate, Page, Sequence, Shelf, Standing, StoreError, StoreResult, Summary,
    layout,
};
use crate::ids::{DocumentName, Timestamp};

/// Something kept per document. Without a head (it is damaged) it is in no list.
pub(crate) trait Indexed {
    /// What lists show.
    fn head(&self) -> Option<&Head>;
}

/// All documents by name, and both shelves newest first.
#[derive(Debug)]
pub(crate) struct Index<T> {
    /// Each in a box: a table has up to twice as many places as entries, and for a moment three times.
    documents: HashMap<DocumentName, Box<T>>,
    live: BTreeSet<Place>,
    trash: BTreeSet<Place>,
}

type Place = (Reverse<Timestamp>, DocumentName);

impl<T: Indexed> Index<T> {
    pub(crate) fn new() -> Self {
        Self { documents: HashMap::new(), live: BTreeSet::new(), trash: BTreeSet::new() }
    }

    pub(crate) fn get(&self, document: &DocumentName) -> Option<&T> {
        self.documents.get(document).map(Box::as_ref)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&DocumentName, &T)> {
        self.documents.iter().map(|(document, entry)| (document, &**entry))
    }

    /// How many documents are on both shelves.
    pub(crate) fn shelved(&self) -> usize {
        self.live.len() + self.trash.len()
    }

    /// Puts in the newest knowledge about a document.
    pub(crate) fn put(&mut self, document: DocumentName, entry: T) {
        self.change(document, |_| entry);
    }

    /// Makes the newest knowledge about a document out of what was known.
    pub(crate) fn change(&mut self, document: DocumentName, change: impl FnOnce(Option<T>) -> T) {
        let place = |entry: &T| {
            let head = entry.head()?;
            Some((head.standing, (Reverse(head.modified), head.document.clone())))
        };
        let old = self.documents.remove(&document);
        let before = old.as_deref().and_then(place);
        let entry = change(old.map(|entry| *entry));
        let after = place(&entry);
        self.documents.insert(document, Box::new(entry));
        if before == after {
            return;
        }
        if let Some((standing, place)) = before
            && let Some(shelf) = self.shelf(standing)
        {
            shelf.remove(&place);
        }
        if let Some((standing, place)) = after
            && let Some(shelf) = self.shelf(standing)
        {
            shelf.insert(place);
        }
    }

    fn shelf(&mut self, standing: Standing) -> Option<&mut BTreeSet<Place>> {
        match standing {
            Standing::Live => Some(&mut self.live),
            Standing::Trashed(_) => Some(&mut self.trash),
            Standing::Deleted(_) => None,
        }
    }

    /// One page, as [`super::Store::list`] promises it.
    pub(crate) fn page(&self, shelf: Shelf, after: Option<Cursor>, limit: usize) -> Page {
        let places = match shelf {
            Shelf::Live => &self.live,
            Shelf::Trash => &self.trash,
        };
        let limit = limit.max(1);
        let from = match after {
            None => Bound::Unbounded,
            Some(Cursor { modified, document }) => Bound::Excluded((Reverse(modified), document)),
        };
        let mut rest = places.range((from, Bound::Unbounded));
        let heads: Vec<Head> = rest
            .by_ref()
            .take(limit)
            .filter_map(|(_, document)| self.get(document)?.head().cloned())
            .collect();
        let next = rest.next().and(heads.last());
        let next = next.map(|last| Cursor { modified: last.modified, document: last.document.clone() });
        Page { heads, next }
    }
}

/// A document that begins now.
pub(crate) fn begin(document: DocumentName, life: Life, at: Timestamp) -> Head {
    Head {
        document,
        life,
        created: at,
        modified: at,
        last: Sequence(0),
        checkpoint: Sequence(0),
        standing: Standing::Live,
        summary: Summary::default(),
        stored_bytes: 0,
    }
}

/// Counts updates in; gives the sequence of the first. `head` may be a document that begins with them.
pub(crate) fn append(
    head: &mut Head,
    updates: &[LoggedUpdate],
    summary: Option<Summary>,
) -> StoreResult<Sequence> {
    exists(head)?;
    let first = Sequence(head.last.0 + 1);
    head.last = Sequence(head.last.0 + updates.len() as u64);
    // The clock may have been set back; a list that jumps would be read as lost work.
    head.modified = updates.iter().map(|update| update.at).fold(head.modified, Timestamp::max);
    if let Some(summary) = summary {
        head.summary = clip(summary);
    }
    Ok(first)
}

/// That a document is there, and still the one that had its name in this life.
pub(crate) fn is_in_life(head: &Head, life: Life) -> StoreResult<()> {
    match head.standing {
        Standing::Live | Standing::Trashed(_) if head.life == life => Ok(()),
        _ => Err(StoreError::Missing(head.document.clone())),
    }
}

/// Whether a full state of this life up to `upto` says anything new; an error if it cannot be true.
pub(crate) fn wants_checkpoint(head: &Head, life: Life, upto: Sequence) -> StoreResult<bool> {
    exists(head)?;
    if life != head.life {
        return Err(StoreError::Missing(head.document.clone()));
    }
    if upto > head.last {
        let what = format!("a state up to update {upto} was offered, but only {} were stored", head.last);
        return Err(StoreError::Damaged { document: head.document.clone(), what });
    }
    Ok(upto > head.checkpoint)
}

/// Moves a document; whether anything changed.
pub(crate) fn set_standing(head: &mut Head, standing: Standing) -> StoreResult<bool> {
    exists(head)?;
    if head.standing == standing {
        return Ok(false);
    }
    if let Standing::Deleted(at) = standing {
        *head = Head { created: head.created, standing, ..begin(head.document.clone(), head.life, at) };
    } else {
        head.standing = standing;
    }
    Ok(true)
}

/// The summary as it is kept.
pub(crate) fn clip(mut summary: Summary) -> Summary {
    if let Some(title) = &mut summary.title {
        title.truncate(layout::clip(title).len());
    }
    summary.kind = summary.kind.filter(|kind| kind.len() <= layout::KIND_BYTES);
    summary
}

fn exists(head: &Head) -> StoreResult<()> {
    match head.standing {
        Standing::Deleted(_) => Err(StoreError::Missing(head.document.clone())),
        Standing::Live | Standing::Trashed(_) => Ok(()),
    }
}
