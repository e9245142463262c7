//! The figures that the server keeps about itself.

use actix_web::{HttpRequest, HttpResponse, guard::GuardContext, http::header, web};

use super::{App, extract::Admitted, refusals::Asking};
use crate::{
    connection::{
        figures::Watcher,
        socket::{self, Opening, With},
    },
    ids::ConnectionId,
};

/// Whether a request wants to become a WebSocket.
pub fn wants_socket(request: &GuardContext<'_>) -> bool {
    let upgrade = request.head().headers().get(header::UPGRADE).and_then(|upgrade| upgrade.to_str().ok());
    upgrade.is_some_and(|upgrade| upgrade.to_ascii_lowercase().contains("websocket"))
}

/// `GET /metrics` as a WebSocket: one JSON object a second.
pub async fn live(
    request: HttpRequest,
    _: Admitted,
    payload: web::Payload,
    app: web::Data<App>,
) -> Result<HttpResponse, actix_web::Error> {
    let watcher = Watcher { registry: app.registry.clone(), metrics: app.metrics.clone() };
    let opening = Opening {
        connection: ConnectionId::new(),
        with: With::Figures(watcher),
        metrics: app.metrics.clone(),
        // A watcher has nothing to say.
        max_message_bytes: 1024,
        config: app.connection.clone(),
        heartbeat: app.connection.heartbeat,
    };
    socket::open(&request, payload, opening).await
}

/// Figures for Prometheus
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "getMetrics",
    tag = "server",
    responses(
        (
            status = 200,
            description = "OpenMetrics text. As a WebSocket, one JSON object a second.",
            content_type = "application/openmetrics-text"
        ),
        Asking
    )
)]
pub async fn text(app: web::Data<App>) -> HttpResponse {
    let usage = app.registry.usage();
    let figures = &app.metrics;
    figures.places.set(app.places.taken() as i64);
    figures.store_live_bytes.set(usage.live_bytes as i64);
    figures.store_disk_bytes.set(usage.disk_bytes as i64);
    figures.store_documents.set(usage.documents as i64);
    figures.store_writable.set(i64::from(app.registry.health().is_ok()));
    HttpResponse::Ok()
        .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
        .insert_header(("cache-control", "no-store"))
        .body(figures.to_text())
}
