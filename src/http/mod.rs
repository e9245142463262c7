//! Everything that answers HTTP. The route table is [`routes`], on one page.

pub mod answers;
pub mod assets;
pub mod attachments;
pub mod body;
pub mod chat;
mod conditional;
pub mod documents;
pub mod door;
mod encoded;
pub mod error;
pub mod events;
mod expect;
pub mod health;
pub mod host;
pub mod listener;
mod methods;
pub mod metrics;
pub mod openapi;
pub mod origin;
mod pieces;
pub mod places;
pub mod upgrade;
mod upgraded;

use std::sync::Arc;

use actix_web::web;

use self::methods::at;
use crate::{
    auth::Policy,
    connection::{
        self,
        feed::Feeds,
        penalty::{self, Penalties},
    },
    document::{
        beside::{attachments::Attachments, chat::Chats},
        registry::Registry,
    },
    telemetry::Metrics,
};

/// Everything about HTTP that can be set.
#[derive(Clone, Debug)]
pub struct Config {
    /// How many connections there may be, and whose.
    pub limits: places::Limits,
    /// Which web pages may use the server.
    pub origins: origin::Policy,
    /// How request bodies may come in.
    pub bodies: body::Config,
    /// How much may be on its way out.
    pub answers: answers::Config,
    /// How hard it is to come back with what was refused.
    pub penalties: penalty::Config,
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
    /// Files beside documents.
    pub attachments: Attachments,
    /// What people say beside documents.
    pub chats: Chats,
    /// Figures.
    pub metrics: Metrics,
    /// Settings.
    pub config: Arc<Config>,
    /// Settings of each connection: the same as in `config`, shared by all of them.
    pub connection: Arc<connection::Config>,
    /// Who may do what.
    pub policy: Arc<dyn Policy>,
    /// Who is connected.
    pub places: places::Places,
    /// Request bodies on their way in.
    pub bodies: body::Bodies,
    /// Large answers on their way out.
    pub answers: answers::Answers,
    /// Connections over plain HTTP.
    pub feeds: Feeds,
    /// Who comes back with what was refused.
    pub penalties: Penalties,
}

/// The route table. What is not a WebSocket is described in `openapi.json`.
pub fn routes(config: &mut web::ServiceConfig) {
    let documents = web::scope("/api/v1/documents")
        .service(at("").read(documents::list).post(documents::create).done())
        .service(at("/{name}").read(documents::details).delete(documents::delete).done())
        .service(at("/{name}/restore").post(documents::restore).done())
        .service(at("/{name}/state").read(documents::state).done())
        .service(at("/{name}/text").read(documents::text).done())
        .service(at("/{name}/markdown").read(documents::markdown).done())
        .service(at("/{name}/html").read(documents::html).done())
        .service(at("/{name}/json").read(documents::json).done())
        .service(at("/{name}/updates").post(documents::update).done())
        .service(at("/{name}/stateless").post(documents::stateless).done())
        .service(at("/{name}/sessions").post(events::begin).done())
        .service(at("/{name}/sessions/{session}").delete(events::end).done())
        .service(at("/{name}/events").get(events::stream).done())
        .service(at("/{name}/poll").get(events::poll).done())
        .service(at("/{name}/messages").post(events::say).done())
        .service(at("/{name}/chat").read(chat::page).done())
        .service(at("/{name}/attachments").read(attachments::list).post(attachments::upload).done())
        .service(at("/{name}/attachments/{id}").read(attachments::serve).delete(attachments::delete).done())
        .default_service(web::to(error::no_such_endpoint));
    config
        .service(at("/ws/{document:.*}").get(upgrade::y_websocket).done())
        .service(at("/hocuspocus").get(upgrade::hocuspocus).done())
        .service(at("/hocuspocus/{anything:.*}").get(upgrade::hocuspocus).done())
        .service(at("/collab/{document:.*}/{editor}").get(upgrade::collab).done())
        .service(at("/chat/{document:.*}").get(chat::connect).done())
        .service(at("/livez").read(health::alive).done())
        .service(at("/readyz").read(health::ready).done())
        .service(at("/metrics").get_if(metrics::wants_socket, metrics::live).read(metrics::text).done())
        .service(documents)
        .service(at("/api/v1/openapi.json").read(openapi::describe).done())
        .route("/api/{rest:.*}", web::route().to(error::no_such_endpoint))
        .default_service(web::to(assets::serve));
}
