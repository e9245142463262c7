//! Everything that answers HTTP. The route table is [`table`], on one page.

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
mod extract;
pub mod health;
pub mod host;
pub mod listener;
mod methods;
pub mod metrics;
pub mod openapi;
pub mod origin;
mod pieces;
pub mod places;
mod refusals;
pub mod state;
pub mod upgrade;
mod upgraded;

use std::sync::Arc;

use actix_web::web;

use self::methods::{At, at, described};
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
    pub limits: places::PlaceLimits,
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

/// The route table. What is not a WebSocket carries its description, which [`openapi`] gathers from here.
fn table() -> Vec<At> {
    vec![
        at("/ws/{document:.*}").socket(upgrade::y_websocket),
        at("/hocuspocus").socket(upgrade::hocuspocus),
        at("/hocuspocus/{anything:.*}").socket(upgrade::hocuspocus),
        at("/collab/{document:.*}/{editor}").socket(upgrade::collab),
        at("/chat/{document:.*}").socket(chat::connect),
        at("/livez").read(described!(health::alive)),
        at("/readyz").read(described!(health::ready)),
        at("/metrics").socket_if(metrics::wants_socket, metrics::live).read(described!(metrics::text)),
        at("/api/v1/openapi.json").read(described!(openapi::describe)),
        at("/api/v1/documents").read(described!(documents::list)).post(described!(documents::create)),
        at("/api/v1/documents/{name}")
            .read(described!(documents::details))
            .delete(described!(documents::delete)),
        at("/api/v1/documents/{name}/restore").post(described!(documents::restore)),
        at("/api/v1/documents/{name}/state").read(described!(state::state)),
        at("/api/v1/documents/{name}/text").read(described!(documents::text)),
        at("/api/v1/documents/{name}/markdown").read(described!(documents::markdown)),
        at("/api/v1/documents/{name}/html").read(described!(documents::html)),
        at("/api/v1/documents/{name}/json").read(described!(documents::json)),
        at("/api/v1/documents/{name}/updates").post(described!(documents::update)),
        at("/api/v1/documents/{name}/stateless").post(described!(documents::stateless)),
        at("/api/v1/documents/{name}/sessions").post(described!(events::begin)),
        at("/api/v1/documents/{name}/sessions/{session}").delete(described!(events::end)),
        at("/api/v1/documents/{name}/events").get(described!(events::stream)),
        at("/api/v1/documents/{name}/poll").get(described!(events::poll)),
        at("/api/v1/documents/{name}/messages").post(described!(events::say)),
        at("/api/v1/documents/{name}/chat").read(described!(chat::page)),
        at("/api/v1/documents/{name}/attachments")
            .read(described!(attachments::list))
            .post(described!(attachments::upload)),
        at("/api/v1/documents/{name}/attachments/{id}")
            .read(described!(attachments::serve))
            .delete(described!(attachments::delete)),
    ]
}

/// Everything in its place, and something for what has none.
pub fn routes(config: &mut web::ServiceConfig) {
    for at in table() {
        config.service(at.done());
    }
    config
        .route("/api/{rest:.*}", web::route().to(error::no_such_endpoint))
        .default_service(web::to(assets::serve));
}
