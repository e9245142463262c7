//! `Expect: 100-continue`: whoever asks before it sends a body is told what can be said without it.

use actix_web::{
    dev::RequestHead,
    http::{Method, StatusCode},
};
use percent_encoding::percent_decode_str;

use super::{
    App, attachments, documents, door,
    error::ApiError,
    events::{self, SessionQuery},
    extract::{Query, may_change},
};
use crate::ids::DocumentName;

/// Why the body of a request need not be sent, to a sender who asks (`Expect: 100-continue`). What can be
/// said without reading anything stored; the handler says the rest.
pub(super) fn refused(app: &App, request: &RequestHead) -> Option<ApiError> {
    door::check(app, request).and_then(|()| wanted(app, request)).err()
}

fn wanted(app: &App, request: &RequestHead) -> Result<(), ApiError> {
    let nowhere = || {
        let message = "nothing here takes a body; /api/v1/openapi.json says what does";
        ApiError::new(StatusCode::EXPECTATION_FAILED, "no_body_expected", message)
    };
    let rest = request.uri.path().strip_prefix("/api/v1/documents").ok_or_else(nowhere)?;
    if request.method != Method::POST {
        return Err(nowhere());
    }
    may_change(request.headers(), app)?;
    let (name, what) = rest.strip_prefix('/').map_or((None, ""), |rest| {
        let (name, what) = rest.split_once('/').unwrap_or((rest, "-"));
        (Some(name), what)
    });
    if let Some(name) = name {
        let name = DocumentName::parse_bytes(&percent_decode_str(name).collect::<Vec<u8>>())?;
        if what == "messages" {
            let query: SessionQuery = Query::of(request.uri.query().unwrap_or_default())?;
            query.feed(app, &name)?;
        }
    }
    let limit = match what {
        "" => documents::CREATION,
        "updates" => documents::updates(app),
        "stateless" => documents::STATELESS,
        "messages" => events::messages(app),
        "attachments" => attachments::upload_limit(app),
        _ => return Err(nowhere()),
    };
    limit.admits(request.headers())
}
