//! `/api/v1/openapi.json`: the REST interface, described for programs that make clients of descriptions.
//!
//! The description is a file beside this one. A test holds it against the route table and against what is
//! answered.

use actix_web::HttpResponse;

const DESCRIPTION: &str = include_str!("openapi.json");

/// `GET /api/v1/openapi.json`.
pub async fn describe() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .insert_header(("cache-control", "no-cache"))
        .body(DESCRIPTION)
}
