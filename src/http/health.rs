//! Whether the process turns, and whether it can serve.

use actix_web::{HttpResponse, mime, web};

use super::{
    App,
    error::ApiError,
    refusals::{Asking, Unavailable},
};

/// Whether the process turns
#[utoipa::path(
    get,
    path = "/livez",
    operation_id = "isAlive",
    tag = "server",
    responses((status = 200, description = "It does.", content_type = "text/plain"), Asking)
)]
pub async fn alive() -> HttpResponse {
    fine()
}

/// Whether documents can be opened and changes stored
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "isReady",
    tag = "server",
    responses(
        (status = 200, description = "They can.", content_type = "text/plain"),
        Asking,
        (status = 503, response = Unavailable)
    )
)]
pub async fn ready(app: web::Data<App>) -> Result<HttpResponse, ApiError> {
    if app.registry.is_draining() {
        return Err(ApiError::unavailable("shutting_down", "the server is shutting down"));
    }
    app.registry.health().map_err(|error| ApiError::unavailable("store_unwritable", error.to_string()))?;
    Ok(fine())
}

fn fine() -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.content_type(mime::TEXT_PLAIN_UTF_8).insert_header(("cache-control", "no-store")).body("ok\n")
}
