//! Every close code we send, what it means, and whether the client should come back.
//!
//! The codes below 4000 are those of RFC 6455. Of the rest, y-websocket 3.1 and later stops for good on
//! 4400 to 4499 and retries on everything else, while older clients and Hocuspocus providers retry almost
//! always; Hocuspocus 2 stops on 1009, 4401 and 4403. A transient reason therefore never gets a code from
//! 4400 to 4499, and a final one always does. In particular 4408 and 4429 are not used, although other
//! servers do: they strand y-websocket clients over an idle minute.

use std::fmt;

/// Why we close a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// 1000: the session ended as both sides wanted.
    Normal,
    /// 1001: this server is shutting down, or the document is leaving it. Another attempt finds it again.
    GoingAway,
    /// 1002: bytes that are not the protocol: an unknown message, a frame that ends too early.
    ProtocolError,
    /// 1007: a text that is not UTF-8.
    InvalidText,
    /// 1008: understood, and not allowed: too many questions at once, a message that only servers send.
    PolicyViolation,
    /// 1009: a frame or message beyond the limit.
    TooBig,
    /// 1011: our fault. The document was poisoned or could not be loaded.
    Internal,
    /// 1012: the server restarts; come back at once.
    ServiceRestart,
    /// 1013: the client cannot keep up, or the server is out of room. Come back later.
    TryAgainLater,
    /// 4205: reconnect and sync again. The only way to make every client resync.
    Reset,
    /// 4401: who is this? The token is missing, wrong or expired.
    Unauthorized,
    /// 4403: there is no such document for whoever asks: it is not there, or not theirs to see.
    Forbidden,
    /// 4404: the document was deleted, and must not come back from an old replica.
    Gone,
    /// 4422: a change, or what somebody shows of themselves, was refused, and would be again: a client sends it on
    /// each connection. The word is that of the refusal.
    Refused(&'static str),
    /// 4508: nothing was heard for too long.
    Idle,
    /// 4529: too many messages or connections in too short a time.
    RateLimited,
}

impl CloseReason {
    /// All of them, for tables and tests.
    pub const ALL: [Self; 16] = [
        Self::Normal,
        Self::GoingAway,
        Self::ProtocolError,
        Self::InvalidText,
        Self::PolicyViolation,
        Self::TooBig,
        Self::Internal,
        Self::ServiceRestart,
        Self::TryAgainLater,
        Self::Reset,
        Self::Unauthorized,
        Self::Forbidden,
        Self::Gone,
        Self::Refused("malformed_update"),
        Self::Idle,
        Self::RateLimited,
    ];

    /// The code in the Close frame.
    pub fn code(self) -> u16 {
        match self {
            Self::Normal => 1000,
            Self::GoingAway => 1001,
            Self::ProtocolError => 1002,
            Self::InvalidText => 1007,
            Self::PolicyViolation => 1008,
            Self::TooBig => 1009,
            Self::Internal => 1011,
            Self::ServiceRestart => 1012,
            Self::TryAgainLater => 1013,
            Self::Reset => 4205,
            Self::Unauthorized => 4401,
            Self::Forbidden => 4403,
            Self::Gone => 4404,
            Self::Refused(_) => 4422,
            Self::Idle => 4508,
            Self::RateLimited => 4529,
        }
    }

    /// The text in the Close frame, for a person reading a browser's console. At most 123 bytes, as the
    /// protocol demands.
    pub fn text(self) -> &'static str {
        match self {
            Self::Normal => "closed",
            Self::GoingAway => "the server is going away",
            Self::ProtocolError => "not the protocol of this endpoint",
            Self::InvalidText => "a text is not UTF-8",
            Self::PolicyViolation => "the message was refused",
            Self::TooBig => "the message is too big",
            Self::Internal => "internal error",
            Self::ServiceRestart => "the server restarts",
            Self::TryAgainLater => "too slow or too busy, try again later",
            Self::Reset => "reset connection",
            Self::Unauthorized => "unauthorized: a token is missing, wrong or expired",
            Self::Forbidden => "forbidden: there is no such document, or it is not yours to open",
            Self::Gone => "the document was deleted",
            Self::Refused(why) => refused(why),
            Self::Idle => "idle for too long",
            Self::RateLimited => "too many messages",
        }
    }

    /// Whether a well-behaved client should connect again by itself. Not every client asks: see above.
    pub fn is_transient(self) -> bool {
        match self {
            Self::GoingAway
            | Self::Internal
            | Self::ServiceRestart
            | Self::TryAgainLater
            | Self::Reset
            | Self::Idle
            | Self::RateLimited => true,
            // The same bytes would be refused again, or nobody wants to come back.
            Self::Normal
            | Self::ProtocolError
            | Self::InvalidText
            | Self::PolicyViolation
            | Self::TooBig
            | Self::Unauthorized
            | Self::Forbidden
            | Self::Gone
            | Self::Refused(_) => false,
        }
    }
}

/// What a refusal means for whoever made the change.
fn refused(why: &str) -> &'static str {
    match why {
        "document-too-large" => {
            "a change was refused: the document is full (max_document_bytes); delete something first"
        }
        "too-large" => "a change was refused: it is larger than a document may be (max_document_bytes)",
        "too-many" => "a change was refused: it holds more parts than one message may",
        "value-depth" | "type-depth" => "a change was refused: it is nested too deep",
        "unsupported-content" => {
            "a change was refused: it holds a kind of content that this server does not keep"
        }
        "too_dear" => {
            "a change was refused: it costs more work than a change may; make it in several smaller ones"
        }
        "document_too_dear" => {
            "a change was refused: this document takes too much work already; go on in a new one, with a copy of the content"
        }
        "malformed_update" => "a change was refused: it does not fit this document",
        "presence" => "presence was refused: it is not what an awareness of Yjs shows",
        "panic" => "a change was refused: applying it failed; it is kept on the server for its operator",
        _ => "a change was refused: it is not a valid update of Yjs, or goes beyond a limit of this server",
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code(), self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_texts_fit_a_close_frame() {
        let codes: std::collections::BTreeSet<_> = CloseReason::ALL.iter().map(|r| r.code()).collect();
        assert_eq!(codes.len(), CloseReason::ALL.len());
        let refusals = [
            "document-too-large",
            "too-large",
            "too-many",
            "type-depth",
            "unsupported-content",
            "too_dear",
            "document_too_dear",
            "presence",
            "panic",
            "",
        ];
        for reason in CloseReason::ALL.into_iter().chain(refusals.map(CloseReason::Refused)) {
            assert!(reason.text().len() <= 123, "{reason}");
        }
    }

    #[test]
    fn no_transient_reason_strands_a_client_of_y_websocket() {
        for reason in CloseReason::ALL {
            let stops = (4400..4500).contains(&reason.code());
            assert!(!(stops && reason.is_transient()), "{reason}");
        }
    }
}
