//! Why a document cannot be opened, and why somebody was not let in.

use std::sync::Arc;

use super::replica::Unloadable;
use crate::store::StoreError;

/// Why a document cannot be opened.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OpenError {
    /// It has just been closed; opening it again will work.
    #[error("the document was closed")]
    Closed,
    /// The server is shutting down.
    #[error("the server is shutting down")]
    Draining,
    /// The store cannot give it.
    #[error("{0}")]
    Store(StoreError),
    /// What is stored does not make a document.
    #[error("the document is damaged: {0}")]
    Unloadable(Arc<Unloadable>),
}

/// Why a session or a request was not let in.
#[derive(Clone, Debug, thiserror::Error)]
pub enum JoinError {
    /// The document cannot be opened.
    #[error("{0}")]
    Open(OpenError),
    /// It is in the trash or was deleted.
    #[error("the document was deleted")]
    Gone,
    /// No such document.
    #[error("there is no such document")]
    Missing,
    /// It has as many sessions as it may have.
    #[error("the document is full: {0} sessions")]
    Full(usize),
    /// More waits for the store than may wait.
    #[error("the document cannot be stored at present, and takes no more changes until it can")]
    Busy,
    /// Changing it costs too much at present, by what others did, or the store has too much to do.
    #[error("changing the document takes too long at present; try again in a few seconds")]
    Overloaded,
    /// The change is applied and shown, and could not be stored in time.
    #[error(
        "the change was taken, but could not be stored in time; it is tried again, and sending it once more does no harm"
    )]
    Unstored,
}

impl From<OpenError> for JoinError {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

impl From<StoreError> for JoinError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Missing(_) => Self::Missing,
            error => Self::Open(OpenError::Store(error)),
        }
    }
}

impl JoinError {
    /// Whether the document had merely been put away, so that opening it again will work.
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Open(OpenError::Closed))
    }
}
