//! What handlers are given of a request, read once and refused in the shape of every refusal.
//!
//! A handler names them in the order in which they are to be refused: what comes first is looked at first.

use std::future::{Ready, ready};

use actix_web::{
    FromRequest, HttpRequest, dev,
    http::{StatusCode, header::HeaderMap},
    web,
};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use utoipa::{
    IntoParams,
    openapi::{
        Ref, Required,
        path::{Parameter, ParameterBuilder, ParameterIn},
    },
};

use super::{App, error::ApiError};
use crate::ids::DocumentName;

/// What stands behind the question mark. Which keys there may be, and whether others are refused, is its type's to say.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> Query<T> {
    /// Reads a query, without its question mark.
    pub(super) fn of(query: &str) -> Result<T, ApiError> {
        web::Query::from_query(query)
            .map(web::Query::into_inner)
            .map_err(|error| ApiError::bad_request("invalid_query", error.to_string()))
    }
}

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(Self::of(request.query_string()).map(Self))
    }
}

/// How many entries of a list are wanted: from 1 to `MOST`.
pub(super) fn page_size(limit: usize, most: usize) -> Result<usize, ApiError> {
    if (1..=most).contains(&limit) {
        return Ok(limit);
    }
    Err(ApiError::bad_request("invalid_query", format!("limit must be from 1 to {most}")))
}

/// The document named in the path: one percent-encoded segment. Taken from the raw path, because the router
/// would turn `%2F` into a boundary.
pub struct Named(pub DocumentName);

impl FromRequest for Named {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let name = DocumentName::parse_bytes(&segment(request));
        ready(name.map(Self).map_err(ApiError::from))
    }
}

impl IntoParams for Named {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        const DESCRIPTION: &str = "The document's name, percent-encoded as one segment. What earlier versions stored as `.` or \
                                   `..` is read and deleted as `%7F.` and `%7F..`.";
        let name = ParameterBuilder::new()
            .name("name")
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description(Some(DESCRIPTION))
            .schema(Some(Ref::from_schema_name("DocumentName")));
        vec![name.build()]
    }
}

/// The same where nothing is made or written: what earlier versions stored as `.` and `..` is reached as `%7F.` and
/// `%7F..`, because browsers resolve those names in whatever way they are encoded. No other name holds that character.
pub struct Stored(pub DocumentName);

impl FromRequest for Stored {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let name = match segment(request).as_slice() {
            b"\x7f." => DocumentName::parse_stored("."),
            b"\x7f.." => DocumentName::parse_stored(".."),
            name => DocumentName::parse_bytes(name),
        };
        ready(name.map(Self).map_err(ApiError::from))
    }
}

fn segment(request: &HttpRequest) -> Vec<u8> {
    let rest = request.uri().path().strip_prefix("/api/v1/documents/").unwrap_or_default();
    percent_decode_str(rest.split('/').next().unwrap_or_default()).collect()
}

/// That the request comes from no stranger's web page, where something is to be changed.
pub struct MayChange;

impl FromRequest for MayChange {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(app(request).and_then(|app| may_change(request.headers(), app)).map(|()| Self))
    }
}

/// That the request may become a conversation.
pub struct Admitted;

impl FromRequest for Admitted {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(app(request).and_then(|app| admit(request, app)).map(|()| Self))
    }
}

/// Refuses changes that a stranger's web page asks for.
pub(super) fn may_change(headers: &HeaderMap, app: &App) -> Result<(), ApiError> {
    if app.config.origins.admits(headers) {
        return Ok(());
    }
    let message = "pages of this origin may not change documents; see the setting allow_origin";
    Err(ApiError::new(StatusCode::FORBIDDEN, "origin_not_allowed", message))
}

/// What every connection must pass that is more than a request.
fn admit(request: &HttpRequest, app: &App) -> Result<(), ApiError> {
    let refused = |status, code, message: String| {
        app.metrics.turned_away.inc();
        Err(ApiError::new(status, code, message))
    };
    if !app.config.origins.admits(request.headers()) {
        let message = "pages of this origin may not connect; the setting allow_origin lists those that may";
        return refused(StatusCode::FORBIDDEN, "origin_not_allowed", message.to_owned());
    }
    if app.registry.is_draining() {
        let message = "the server is shutting down";
        return refused(StatusCode::SERVICE_UNAVAILABLE, "shutting_down", message.to_owned());
    }
    Ok(())
}

fn app(request: &HttpRequest) -> Result<&App, ApiError> {
    let app = request.app_data::<web::Data<App>>().ok_or_else(|| ApiError::internal("no app"))?;
    Ok(app)
}
