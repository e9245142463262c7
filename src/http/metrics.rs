//! The figures that the server keeps about itself.

use actix_web::{HttpResponse, web};

use super::App;

/// `GET /metrics`: Prometheus text.
pub async fn text(app: web::Data<App>) -> HttpResponse {
    let usage = app.registry.usage();
    let figures = &app.metrics;
    figures.store_live_bytes.set(usage.live_bytes as i64);
    figures.store_disk_bytes.set(usage.disk_bytes as i64);
    figures.store_documents.set(usage.documents as i64);
    figures.store_writable.set(i64::from(app.registry.health().is_ok()));
    HttpResponse::Ok()
        .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
        .insert_header(("cache-control", "no-store"))
        .body(figures.to_text())
}
