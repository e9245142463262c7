//! What becomes of content that was deleted: it is collected, unless the document's name says that it is kept.
//!
//! A client that keeps deleted content (`new Y.Doc({ gc: false })`) can show an earlier state of a document by a
//! snapshot. It gets back only what the server kept: what was collected here is gone for those who load the document
//! from here, and their snapshots show gaps without an error (`Y.createDocFromSnapshot`, yjs 13.6).

use std::sync::Arc;

use crate::ids::DocumentName;

/// What becomes of the deleted content of one document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deleted {
    /// Only that something stood there stays.
    #[default]
    Collected,
    /// It stays as part of the state, for snapshots. The document never gets smaller.
    Kept,
}

/// Which documents keep what is deleted in them. Clones share it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeepDeleted(Arc<[String]>);

impl KeepDeleted {
    /// Those whose name begins with one of `prefixes`; `*` is all of them.
    pub fn new(prefixes: impl IntoIterator<Item = String>) -> Self {
        Self(prefixes.into_iter().filter(|prefix| !prefix.is_empty()).collect())
    }

    /// What becomes of the deleted content of the document `name`.
    pub fn of(&self, name: &DocumentName) -> Deleted {
        let kept = self.0.iter().any(|prefix| prefix == "*" || name.as_str().starts_with(prefix.as_str()));
        if kept { Deleted::Kept } else { Deleted::Collected }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(prefixes: &[&str], name: &str) -> Deleted {
        let keep = KeepDeleted::new(prefixes.iter().map(|prefix| (*prefix).to_owned()));
        keep.of(&DocumentName::parse(name).unwrap())
    }

    #[test]
    fn names_are_told_by_how_they_begin() {
        assert_eq!(of(&[], "minutes"), Deleted::Collected);
        assert_eq!(of(&["legal/", "min"], "minutes"), Deleted::Kept);
        assert_eq!(of(&["legal/", "min"], "legal/minutes"), Deleted::Kept);
        assert_eq!(of(&["legal/", "min"], "illegal/minutes"), Deleted::Collected);
        assert_eq!(of(&["*"], "minutes"), Deleted::Kept);
        assert_eq!(of(&[""], "minutes"), Deleted::Collected, "nothing between two commas is not everything");
    }
}
