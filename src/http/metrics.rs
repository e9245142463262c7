//! The figures that the server keeps about itself.

use actix_web::{
    HttpRequest, HttpResponse,
    guard::GuardContext,
    http::{StatusCode, header},
    web,
};

use super::{
    App,
    error::ApiError,
    extract::{Caller, MayConnect, caller},
    refusals::Asking,
};
use crate::{
    connection::{
        figures::Watcher,
        socket::{self, Opening, With},
    },
    ids::ConnectionId,
    protocol::close::CloseReason,
};

/// Whether a request wants to become a WebSocket.
pub fn wants_socket(request: &GuardContext<'_>) -> bool {
    let upgrade = request.head().headers().get(header::UPGRADE).and_then(|upgrade| upgrade.to_str().ok());
    upgrade.is_some_and(|upgrade| upgrade.to_ascii_lowercase().contains("websocket"))
}

/// `GET /metrics` as a WebSocket: one JSON object a second.
pub async fn live(
    request: HttpRequest,
    _: MayConnect,
    payload: web::Payload,
    app: web::Data<App>,
) -> Result<HttpResponse, actix_web::Error> {
    let with = match caller(&request, &app).await {
        Err(_) => With::Nobody(CloseReason::Unauthorized),
        Ok(Caller { principal, .. }) if !app.policy.may_operate(&principal) => {
            With::Nobody(CloseReason::Forbidden)
        }
        Ok(Caller { ends, .. }) => {
            With::Figures(Watcher { ends, registry: app.registry.clone(), metrics: app.metrics.clone() })
        }
    };
    let opening = Opening {
        connection: ConnectionId::new(),
        with,
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
pub async fn text(app: web::Data<App>, Caller { principal, .. }: Caller) -> Result<HttpResponse, ApiError> {
    if !app.policy.may_operate(&principal) {
        let message = "the server's figures are for whoever runs it: a token that owns every document";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "forbidden", message));
    }
    let usage = app.registry.usage();
    let figures = &app.metrics;
    figures.places.set(app.places.taken() as i64);
    figures.store_live_bytes.set(usage.live_bytes as i64);
    figures.store_disk_bytes.set(usage.disk_bytes as i64);
    figures.store_documents.set(usage.documents as i64);
    figures.store_writable.set(i64::from(app.registry.health().is_ok()));
    Ok(HttpResponse::Ok()
        .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
        .insert_header(("cache-control", "no-store"))
        .body(figures.to_text()))
}
