//! What every request passes on its way in, and every answer on its way out, whatever it is for.
//!
//! In: the name that it was sent to ([`host`](super::host)), and that it comes from one page at most. A page
//! that may use the server ([`origin`](super::origin)) is told so, also before it asks (preflight). Out: what
//! keeps a browser from taking an answer for something that it is not, and from showing it to pages that may
//! not see it.

use actix_web::{
    Error, HttpResponse, ResponseError,
    body::{BoxBody, MessageBody},
    dev::{RequestHead, ServiceRequest, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web,
};

use super::{App, error::ApiError, pieces::in_pieces};

/// What a page may ask for besides what needs no asking.
const METHODS: &str = "GET, HEAD, POST, DELETE";

/// The headers that a page may send.
const SENT: &str = "authorization, content-type, if-none-match, if-range, last-event-id, range";

/// The headers that a page may see besides those that every page may.
const SHOWN: &str = "accept-ranges, allow, content-disposition, content-range, etag, location, retry-after";

/// Seconds for which a browser may remember the answer to a preflight. Chromium takes two hours at the most.
const REMEMBERED: &str = "7200";

/// The middleware.
pub async fn pass(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let app = request.app_data::<web::Data<App>>().cloned();
    let Some(app) = app else { return Ok(next.call(request).await?.map_into_boxed_body()) };
    let shared = is_shared(request.path()).then(|| allowed_origin(&app, request.headers()));
    let is_preflight = request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if let Err(refusal) = check(&app, request.head()) {
        request.into_response(refusal.error_response())
    } else if is_preflight {
        let answer = preflight(&app, request.headers());
        request.into_response(answer)
    } else {
        next.call(request).await?.map_into_boxed_body()
    };
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Ok(response);
    }
    protect(response.headers_mut(), shared.as_ref().is_some_and(Option::is_some));
    if let Some(allowed) = shared {
        share(response.headers_mut(), allowed);
    }
    Ok(response.map_body(|_, body| in_pieces(body)))
}

/// Whether a request may go on. Asked again of one whose sender waits to be told so before it sends the body.
pub(super) fn check(app: &App, request: &RequestHead) -> Result<(), ApiError> {
    let checked = app.config.origins.hosts.check(request).and_then(|()| {
        if request.headers().get_all(header::ORIGIN).count() > 1 {
            return Err(ApiError::bad_request("invalid_origin", "the request comes from two origins"));
        }
        if !app.config.origins.admits_site(request) {
            let message = "a page of another site made the browser ask for this; the setting allow_origin lists the \
                           origins of pages that may use the server";
            return Err(ApiError::new(StatusCode::FORBIDDEN, "cross_site", message));
        }
        Ok(())
    });
    checked.inspect_err(|_| {
        app.metrics.turned_away.inc();
    })
}

/// Whether other pages have use for it. The files of the app are its own pages' alone, which find them in
/// caches by what the answers vary with, and ask with an `Origin` or without: so nothing is said of it there.
fn is_shared(path: &str) -> bool {
    path.starts_with("/api/") || ["/livez", "/readyz", "/metrics"].contains(&path)
}

/// The origin of a page that may use the server.
fn allowed_origin(app: &App, headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(header::ORIGIN).filter(|_| app.config.origins.admits(headers)).cloned()
}

/// May I? The page itself sees nothing of this answer.
fn preflight(app: &App, headers: &HeaderMap) -> HttpResponse {
    if !app.config.origins.admits(headers) {
        let message =
            "pages of this origin may not use this server; the setting allow_origin lists those that may";
        return ApiError::new(StatusCode::FORBIDDEN, "origin_not_allowed", message).error_response();
    }
    let mut answer = HttpResponse::NoContent();
    answer
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, METHODS))
        .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, SENT))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, REMEMBERED));
    // From a page in the public net to a server in a private one, Chromium asks for this too.
    if headers.contains_key("access-control-request-private-network") {
        answer.insert_header(("access-control-allow-private-network", "true"));
    }
    answer.finish()
}

/// Adds what every answer carries; what a handler has said stays.
fn protect(headers: &mut HeaderMap, is_allowed: bool) {
    let mut unless_said = |name: HeaderName, value: &'static str| {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    };
    // A text that somebody wrote must not run because a page says `<script src=…/text>`: the page may be ours.
    unless_said(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    unless_said(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    unless_said(header::REFERRER_POLICY, "no-referrer");
    let readers = if is_allowed { "cross-origin" } else { "same-origin" };
    unless_said(header::CROSS_ORIGIN_RESOURCE_POLICY, readers);
}

/// Lets a page read the answer that may.
fn share(headers: &mut HeaderMap, allowed: Option<HeaderValue>) {
    // Or a cache would give one page what was answered to another.
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = allowed {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(SHOWN));
    }
}
