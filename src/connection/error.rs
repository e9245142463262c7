//! Every refusal as a close code: one place decides what the other side is told.

use crate::{
    document::handle::{JoinError, OpenError},
    protocol::close::CloseReason,
};

/// What a connection is closed with whose document could not be opened.
pub fn close_reason(error: &JoinError) -> CloseReason {
    match error {
        JoinError::Gone | JoinError::Missing => CloseReason::Gone,
        JoinError::Full(_) | JoinError::Busy => CloseReason::TryAgainLater,
        JoinError::Open(OpenError::Draining) => CloseReason::ServiceRestart,
        JoinError::Open(OpenError::Closed) => CloseReason::Reset,
        JoinError::Open(OpenError::Store(_) | OpenError::Unloadable(_)) => CloseReason::Internal,
    }
}
