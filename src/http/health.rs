//! Whether the process turns, and whether it can serve.

use actix_web::{HttpResponse, mime, web};

use super::{App, error::ApiError};

/// `GET /livez`: the process turns.
pub async fn alive() -> HttpResponse {
    fine()
}

/// `GET /readyz`: documents can be opened and changes stored. 503 with the reason otherwise.
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
