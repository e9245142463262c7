//! Everything that answers HTTP. The route table is [`routes`], on one page.

pub mod assets;
pub mod attachments;
pub mod chat;
pub mod documents;
pub mod error;
pub mod events;
pub mod health;
pub mod metrics;
pub mod openapi;
pub mod origin;
pub mod upgrade;

use std::sync::Arc;

use actix_web::{Route, guard, web};

use crate::{
    auth::Policy,
    connection::{self, feed::Feeds},
    document::registry::Registry,
    telemetry::Metrics,
};

/// Everything about HTTP that can be set.
#[derive(Clone, Debug)]
pub struct Config {
    /// How many connections there may be, and whose.
    pub limits: upgrade::Limits,
    /// Which web pages may use the server.
    pub origins: origin::Policy,
    /// Take the document's name from the URL without decoding it, as `@y/websocket-server` does: for people
    /// who bring documents named so.
    pub raw_names: bool,
    /// What each connection gets.
    pub connection: connection::Config,
    /// Who may do what. Not a setting: a program that embeds the server brings its own.
    pub policy: Arc<dyn Policy>,
}

/// What every handler may use.
#[derive(Clone)]
pub struct App {
    /// Open documents, and the store behind them.
    pub registry: Registry,
    /// Figures.
    pub metrics: Metrics,
    /// Settings.
    pub config: Arc<Config>,
    /// Settings of each connection: the same as in `config`, shared by all of them.
    pub connection: Arc<connection::Config>,
    /// Who may do what.
    pub policy: Arc<dyn Policy>,
    /// Who is connected.
    pub connections: upgrade::Connections,
    /// Connections over plain HTTP.
    pub feeds: Feeds,
}

/// The route table. What is not a WebSocket is described in `openapi.json`.
pub fn routes(config: &mut web::ServiceConfig) {
    let documents = web::scope("/api/v1/documents")
        .route("", read().to(documents::list))
        .route("", web::post().to(documents::create))
        .route("/{name}", read().to(documents::details))
        .route("/{name}", web::delete().to(documents::delete))
        .route("/{name}/restore", web::post().to(documents::restore))
        .route("/{name}/state", read().to(documents::state))
        .route("/{name}/text", read().to(documents::text))
        .route("/{name}/json", read().to(documents::json))
        .route("/{name}/updates", web::post().to(documents::update))
        .route("/{name}/stateless", web::post().to(documents::stateless))
        .route("/{name}/events", web::get().to(events::stream))
        .route("/{name}/poll", web::get().to(events::poll))
        .route("/{name}/messages", web::post().to(events::say))
        .route("/{name}/chat", read().to(chat::page))
        .route("/{name}/attachments", read().to(attachments::list))
        .route("/{name}/attachments", web::post().to(attachments::upload))
        .route("/{name}/attachments/{id}", read().to(attachments::serve))
        .route("/{name}/attachments/{id}", web::delete().to(attachments::delete))
        .default_service(web::to(error::no_such_endpoint));
    config
        .route("/ws/{document:.*}", web::get().to(upgrade::y_websocket))
        .route("/hocuspocus", web::get().to(upgrade::hocuspocus))
        .route("/hocuspocus/{anything:.*}", web::get().to(upgrade::hocuspocus))
        .route("/collab/{document:.*}/{editor}", web::get().to(upgrade::collab))
        .route("/chat/{document:.*}", web::get().to(chat::connect))
        .route("/livez", read().to(health::alive))
        .route("/readyz", read().to(health::ready))
        .route("/metrics", web::get().guard(guard::fn_guard(metrics::wants_socket)).to(metrics::live))
        .route("/metrics", read().to(metrics::text))
        .service(documents)
        .route("/api/v1/openapi.json", read().to(openapi::describe))
        .route("/api/{rest:.*}", web::route().to(error::no_such_endpoint))
        .default_service(read().to(assets::serve));
}

/// GET, and HEAD, which is the same without the body.
fn read() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}
