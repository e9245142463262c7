//! Who somebody is, and what they may do.
//!
//! For now there is one answer to the first question, "somebody who can reach us", which is why an open
//! server listens on loopback only. [`Access`] is already checked where a document changes, so that no
//! route and no dialect can forget it.

/// What a session may do with the document it has open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Read the document and be seen in it.
    Read,
    /// Read and change it.
    Write,
}

impl Access {
    /// Whether updates of such a session may be applied.
    pub fn may_write(self) -> bool {
        self >= Self::Write
    }
}
