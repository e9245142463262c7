//! Every refusal as a close code: one place decides what the other side is told.

use std::time::Duration;

use super::penalty;
use crate::{
    document::error::{JoinError, OpenError},
    protocol::close::CloseReason,
};

/// What a connection is closed with whose document could not be opened.
pub fn close_reason(error: &JoinError) -> CloseReason {
    match error {
        JoinError::Gone | JoinError::Missing => CloseReason::Gone,
        JoinError::Full(_) | JoinError::Busy | JoinError::Overloaded | JoinError::Unstored => {
            CloseReason::TryAgainLater
        }
        JoinError::Open(OpenError::Store(error)) if error.passes() => CloseReason::TryAgainLater,
        JoinError::Open(OpenError::Draining) => CloseReason::ServiceRestart,
        JoinError::Open(OpenError::Closed) => CloseReason::Reset,
        JoinError::Open(OpenError::Store(_) | OpenError::Unloadable(_)) => CloseReason::Internal,
    }
}

/// What a client is told whose document could not be opened, on a connection that goes on with others. The
/// word before the colon is for programs.
pub fn denial(error: &JoinError) -> String {
    let word = match error {
        JoinError::Gone | JoinError::Missing => "document-deleted",
        JoinError::Full(_) => "document-full",
        JoinError::Busy
        | JoinError::Overloaded
        | JoinError::Unstored
        | JoinError::Open(OpenError::Draining | OpenError::Closed) => "try-again",
        JoinError::Open(OpenError::Store(error)) if error.passes() => "try-again",
        JoinError::Open(OpenError::Store(_) | OpenError::Unloadable(_)) => "document-unavailable",
    };
    format!("{word}: {error}")
}

/// What a client is told that has to wait, because what it brought was refused again and again.
pub fn denial_again(wait: Duration) -> String {
    format!("change-refused: {}", penalty::words(wait))
}

/// The same for a document that ends a session for good.
pub fn denial_for(reason: CloseReason) -> String {
    match reason {
        CloseReason::Gone => denial(&JoinError::Gone),
        CloseReason::Refused(_) => format!("change-refused: {}", reason.text()),
        CloseReason::Unauthorized => "the token has expired".to_owned(),
        reason => format!("refused: {}", reason.text()),
    }
}
