//! Whether the process turns, and whether it can serve.

use actix_web::{HttpResponse, web};

use super::{App, error::ApiError};

/// `GET /livez`: the process turns.
pub async fn alive() -> HttpResponse {
    HttpResponse::Ok().insert_header(("cache-control", "no-store")).body("ok\n")
}

/// `GET /readyz`: documents can be opened and changes stored. 503 with the reason otherwise.
pub async fn ready(app: web::Data<App>) -> Result<HttpResponse, ApiError> {
    if app.registry.is_draining() {
        return Err(ApiError::unavailable("shutting_down", "the server is shutting down"));
    }
    app.registry.health().map_err(|error| ApiError::unavailable("store_unwritable", error.to_string()))?;
    Ok(HttpResponse::Ok().insert_header(("cache-control", "no-store")).body("ok\n"))
}
