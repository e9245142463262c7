//! What a request is answered that cannot be served: `{"error":{"code","message"}}`, with a code for
//! programs and a sentence for people that says what was wrong and what to do.

use std::fmt;

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    document::{
        StoreError,
        error::{JoinError, OpenError},
        exports::NoExport,
        work::NoAnswer,
    },
    ids::InvalidName,
    protocol::guard::Refusal,
};

/// The body of every refusal.
#[derive(Serialize, ToSchema)]
#[schema(as = Error)]
pub(super) struct Body<'a> {
    #[schema(inline)]
    error: Words<'a>,
}

#[derive(Serialize, ToSchema)]
struct Words<'a> {
    /// For programs.
    code: &'a str,
    /// For people.
    message: &'a str,
}

/// A refusal of a request.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// Seconds after which to come again, if that is known.
    retry_after: Option<u64>,
}

impl ApiError {
    /// A refusal with a status, a code that programs can rely on, and a sentence.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after: None }
    }

    /// Says when to come again.
    pub fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// 400.
    pub fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 404, for a document.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is no such document")
    }

    /// 410, for a document in the trash.
    pub fn in_trash() -> Self {
        Self::new(StatusCode::GONE, "in_trash", "the document is in the trash: restore it first")
    }

    /// 410, for a document that was deleted for ever.
    pub fn deleted() -> Self {
        Self::new(StatusCode::GONE, "deleted", "the document was deleted for ever")
    }

    /// 500, with the cause in the log and not in the answer.
    pub fn internal(cause: impl fmt::Display) -> Self {
        tracing::error!(%cause, "request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the server failed to answer; its log says why",
        )
    }

    /// 503.
    pub fn unavailable(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message)
    }
}

impl From<NoExport> for ApiError {
    fn from(error: NoExport) -> Self {
        match error {
            NoExport::Busy | NoExport::Resting => Self::unavailable("busy", error.to_string()),
            NoExport::Unreadable(unreadable) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unreadable_document", unreadable.to_string())
            }
        }
    }
}

/// Any path below `/api` that does not exist.
pub async fn no_such_endpoint() -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "no_such_endpoint",
        "there is no such endpoint; /api/v1/openapi.json lists them",
    )
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        let unavailable = (self.status == StatusCode::SERVICE_UNAVAILABLE).then_some(2);
        if let Some(seconds) = self.retry_after.or(unavailable) {
            response.insert_header(("retry-after", seconds.to_string()));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.insert_header(("www-authenticate", "Bearer"));
        }
        response
            .insert_header(("cache-control", "no-store"))
            .json(Body { error: Words { code: self.code, message: &self.message } })
    }
}

impl actix_web::Responder for ApiError {
    type Body = actix_web::body::BoxBody;
    fn respond_to(self, _: &actix_web::HttpRequest) -> HttpResponse {
        self.error_response()
    }
}

impl From<NoAnswer> for ApiError {
    fn from(error: NoAnswer) -> Self {
        match error {
            NoAnswer::Stopped => Self::unavailable("busy", error.to_string()),
            NoAnswer::Panicked(what) => Self::internal(what),
        }
    }
}

impl From<InvalidName> for ApiError {
    fn from(error: InvalidName) -> Self {
        Self::bad_request("invalid_name", error.to_string())
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self::bad_request("invalid_update", format!("the update was refused: {refusal}"))
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Missing(_) => Self::not_found(),
            StoreError::Unwritable(_) | StoreError::DiskFull { .. } => {
                tracing::warn!(%error, "request refused");
                Self::unavailable("store_unwritable", "changes cannot be stored at present; try again later")
            }
            StoreError::Unanswered(_) => {
                tracing::warn!(%error, "request given up");
                Self::unavailable("store_unwritable", error.to_string())
            }
            StoreError::Closed => {
                Self::unavailable("shutting_down", "the server is shutting down; try again shortly")
            }
            StoreError::Unreadable(_) => {
                tracing::error!(%error, "request refused");
                let message =
                    "the disk does not read what is stored at present; nothing is lost, try again later";
                Self::unavailable("store_unreadable", message)
            }
            StoreError::Damaged { .. } | StoreError::Unopenable(_) => Self::damaged(&error),
        }
    }
}

impl ApiError {
    fn damaged(cause: &impl fmt::Display) -> Self {
        tracing::error!(%cause, "document cannot be opened");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "damaged",
            "the stored document is damaged; nothing was changed, `weft check` says more",
        )
    }
}

impl From<JoinError> for ApiError {
    fn from(error: JoinError) -> Self {
        match error {
            JoinError::Gone => Self::in_trash(),
            JoinError::Missing => Self::not_found(),
            JoinError::Full(_) => Self::unavailable("document_full", error.to_string()),
            JoinError::Overloaded => Self::unavailable("busy", error.to_string()),
            JoinError::Busy | JoinError::Unstored => Self::unavailable("store_unwritable", error.to_string()),
            JoinError::Open(OpenError::Store(error)) => error.into(),
            JoinError::Open(OpenError::Unloadable(error)) => Self::damaged(&error),
            JoinError::Open(error @ (OpenError::Closed | OpenError::Draining)) => {
                Self::unavailable("shutting_down", error.to_string())
            }
        }
    }
}
