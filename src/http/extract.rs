//! What handlers are given of a request, read once and refused in the shape of every refusal: whoever sends it among that.
//! This is the door: no handler is given a document without saying what its caller must be allowed to do with it.
//!
//! A handler names them in the order in which they are to be refused: what comes first is looked at first.

use std::{
    future::{Ready, ready},
    marker::PhantomData,
    time::Instant,
};

use actix_web::{
    FromRequest, HttpRequest, dev,
    http::{
        StatusCode,
        header::{AUTHORIZATION, HeaderMap, SEC_WEBSOCKET_PROTOCOL},
    },
    web,
};
use futures_util::future::LocalBoxFuture;
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
use crate::{
    auth::{Access, Principal, Unauthorized},
    ids::{DocumentName, InvalidName, Moment},
};

/// What stands behind the question mark. Which keys there may be, and whether others are refused, is its type's to say.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> Query<T> {
    /// Reads a query, without its question mark.
    pub(super) fn of(query: &str) -> Result<T, ApiError> {
        // The door has read that.
        let is_token = |pair: &&str| pair.split('=').next() == Some(TOKEN);
        let query = query.split('&').filter(|pair| !is_token(pair)).collect::<Vec<_>>().join("&");
        web::Query::from_query(&query)
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

/// What a handler lets somebody do with the document named in the path: the least [`Access`] that they need.
pub(super) trait Level: 'static {
    const NEEDS: Access;
}

/// The levels, as types: a handler that is given a document says which one it needs.
macro_rules! levels {
    ($($name:ident: $access:ident;)*) => {
        $(
            #[doc = concat!("[`Access::", stringify!($access), "`].")]
            pub struct $name;

            impl Level for $name {
                const NEEDS: Access = Access::$access;
            }
        )*
    };
}

levels! {
    Reads: Read;
    Writes: Write;
    Owns: Own;
}

/// Whoever sends a request.
pub struct Caller {
    pub principal: Principal,
    /// When their time is over.
    pub(super) ends: Option<Instant>,
}

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { caller(&request, app(&request)?).await })
    }
}

/// Who sends it, by what they present.
pub(super) async fn caller(request: &HttpRequest, app: &App) -> Result<Caller, ApiError> {
    let now = Moment::now();
    match app.policy.principal(presented(request), now.wall).await {
        Ok(principal) => Ok(Caller { ends: principal.ends(now), principal }),
        Err(Unauthorized(why)) => {
            app.metrics.turned_away.inc();
            Err(ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", why))
        }
    }
}

/// What they present: in `Authorization`, in the query as `token`, or as a subprotocol of a WebSocket. Whatever it is, it is
/// named in no log and no answer.
pub(super) fn presented(request: &HttpRequest) -> Option<String> {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let bearer = header(AUTHORIZATION).and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
    });
    let in_query = || {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(request.query_string()).ok()?;
        pairs.into_inner().into_iter().rev().find(|(key, _)| key == TOKEN).map(|(_, token)| token)
    };
    let in_protocols = || {
        let token = |protocol: &str| {
            PROTOCOLS.iter().find_map(|prefix| protocol.strip_prefix(prefix)).map(str::to_owned)
        };
        protocols(request).find_map(token)
    };
    let something = |token: &String| !token.is_empty();
    bearer
        .filter(something)
        .or_else(|| in_query().filter(something))
        .or_else(|| in_protocols().filter(something))
}

/// Where a token is in a query.
const TOKEN: &str = "token";

/// What a token has before it as a subprotocol. The second is that of `@y/websocket-server`.
const PROTOCOLS: [&str; 2] = ["weft.token.", "yauth-"];

/// The subprotocols that a client offers, as it wrote them.
fn protocols(request: &HttpRequest) -> impl Iterator<Item = &str> {
    let headers = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL);
    headers.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).map(str::trim)
}

/// Lets a caller do something with a document, or says that they may not. Who may not even read it is told that there is none.
pub(super) async fn allow(
    app: &App,
    principal: &Principal,
    document: &DocumentName,
    needs: Access,
) -> Result<Access, ApiError> {
    let access = app.policy.access(principal, document).await;
    if access >= needs {
        return Ok(access);
    }
    app.metrics.turned_away.inc();
    if access == Access::None {
        return Err(ApiError::not_found());
    }
    let message = format!("you may {} this document, and not {} it", access.verb(), needs.verb());
    Err(ApiError::new(StatusCode::FORBIDDEN, "forbidden", message))
}

/// The document named in the path, by somebody who may do that with it: one percent-encoded segment. Taken from the raw path,
/// because the router would turn `%2F` into a boundary.
pub struct Named<L> {
    pub document: DocumentName,
    level: PhantomData<L>,
}

impl<L: Level> FromRequest for Named<L> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let name = DocumentName::parse_bytes(&segment(request));
        let request = request.clone();
        Box::pin(async move { Ok(Self { document: named::<L>(&request, name).await?, level: PhantomData }) })
    }
}

/// That a caller may do that with a document.
async fn named<L: Level>(
    request: &HttpRequest,
    name: Result<DocumentName, InvalidName>,
) -> Result<DocumentName, ApiError> {
    let (name, app) = (name?, app(request)?);
    let Caller { principal, .. } = caller(request, app).await?;
    allow(app, &principal, &name, L::NEEDS).await?;
    Ok(name)
}

impl<L> IntoParams for Named<L> {
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
pub struct Stored<L> {
    pub document: DocumentName,
    level: PhantomData<L>,
}

impl<L: Level> FromRequest for Stored<L> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let name = match segment(request).as_slice() {
            b"\x7f." => DocumentName::parse_stored("."),
            b"\x7f.." => DocumentName::parse_stored(".."),
            name => DocumentName::parse_bytes(name),
        };
        let request = request.clone();
        Box::pin(async move { Ok(Self { document: named::<L>(&request, name).await?, level: PhantomData }) })
    }
}

/// The document of a session over plain HTTP. Whoever knows the session's id, which is not to be guessed, has passed the door
/// when it began.
pub struct OfSession(pub DocumentName);

impl FromRequest for OfSession {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let name = DocumentName::parse_bytes(&segment(request));
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
pub struct MayConnect;

impl FromRequest for MayConnect {
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
