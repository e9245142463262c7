//! The app, embedded in the binary with its precompressed forms.
//!
//! Files under `/assets/` carry a hash in their names and may be cached for ever; a missing one is 404 and
//! never the page, or an old tab would run a page as a script. Where a browser goes is the page, which finds
//! its way by the path; what looks like a file and is none is missing.

use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    http::{
        Method, StatusCode,
        header::{self, EntityTag, HeaderMap},
    },
    mime,
};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::{conditional::is_known, error::ApiError, methods::not_allowed};

/// What the page may load and whom it may talk to: this server. `blob:` and `data:` are images that the user
/// put in; styles may be inline because the editors position carets with them.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' blob: data:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; \
     manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

#[derive(RustEmbed)]
#[folder = "$WEFT_ASSETS"]
struct Assets;

/// Whatever no other route takes.
pub async fn serve(request: HttpRequest) -> HttpResponse {
    let path = request.path();
    let name = path.trim_start_matches('/');
    let is_page = looks_like_a_page(path);
    let found = match file(name, &request) {
        None if is_page && wants_page(request.headers()) => file("index.html", &request),
        found => found,
    };
    let is_read = [Method::GET, Method::HEAD].contains(request.method());
    match found {
        Some(_) if !is_read => not_allowed(&request, "GET, HEAD"),
        None if is_page && !is_read => not_allowed(&request, "GET, HEAD"),
        Some(response) => response,
        None => ApiError::new(StatusCode::NOT_FOUND, "not_found", "there is nothing here").error_response(),
    }
}

/// Whether the app has something to show there: a document, whose name may be any, or a path without an
/// ending, of which the app itself says that there is nothing.
fn looks_like_a_page(path: &str) -> bool {
    path.starts_with("/d/") || !(path.contains('.') || path.starts_with("/assets/") || path == "*")
}

/// Whether a page is what is wanted: it is asked for as such, or somebody goes there who takes anything. A script
/// that fetches whatever is there does not want a page.
fn wants_page(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let goes_there = text("sec-fetch-mode").is_none_or(|mode| mode == "navigate");
    let accepted = text("accept").unwrap_or_default().split(',');
    let mut kinds = accepted.map(|kind| kind.split(';').next().unwrap_or_default().trim());
    kinds.any(|kind| kind == "text/html" || (goes_there && ["text/*", "*/*"].contains(&kind)))
}

fn file(path: &str, request: &HttpRequest) -> Option<HttpResponse> {
    let leaves = path.split('/').any(|segment| segment == "..");
    if path.is_empty() || leaves || path.ends_with(".br") || path.ends_with(".gz") {
        return None;
    }
    let plain = Assets::get(path)?;
    let accepted = request.headers().get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    let (file, encoding) = choose(path, plain, accepted.unwrap_or_default());

    let tag = EntityTag::new_strong(hex(&file.metadata.sha256_hash()[..16]));
    let unchanged = is_known(request, &tag);

    let mut response = if unchanged { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((header::ETAG, tag.to_string()))
        .insert_header((header::VARY, "accept-encoding"))
        .insert_header((header::CACHE_CONTROL, cache_rule(path)))
        .insert_header((header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
        .insert_header((header::REFERRER_POLICY, "same-origin"))
        .insert_header(("permissions-policy", "camera=(), microphone=(), geolocation=()"));
    if unchanged {
        return Some(response.finish());
    }
    response.content_type(content_type(path));
    if let Some(encoding) = encoding {
        response.insert_header((header::CONTENT_ENCODING, encoding));
    }
    // To a HEAD, the same: the HTTP server keeps the body back and says its length.
    Some(match file.data {
        std::borrow::Cow::Borrowed(bytes) => response.body(bytes::Bytes::from_static(bytes)),
        std::borrow::Cow::Owned(bytes) => response.body(bytes),
    })
}

/// The smallest form that the browser takes.
fn choose(path: &str, plain: EmbeddedFile, accepted: &str) -> (EmbeddedFile, Option<&'static str>) {
    for (encoding, suffix) in [("br", ".br"), ("gzip", ".gz")] {
        let takes = accepted.split(',').any(|offer| {
            let mut parts = offer.split(';').map(str::trim);
            parts.next() == Some(encoding) && !parts.any(|part| part == "q=0")
        });
        if takes && let Some(file) = Assets::get(&format!("{path}{suffix}")) {
            return (file, Some(encoding));
        }
    }
    (plain, None)
}

fn cache_rule(path: &str) -> &'static str {
    if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" }
}

fn content_type(path: &str) -> mime::Mime {
    let known = match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "txt" => "text/plain; charset=utf-8",
        "wasm" => "application/wasm",
        _ => "application/octet-stream",
    };
    known.parse().unwrap_or(mime::APPLICATION_OCTET_STREAM)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
