//! The chat beside a document: its WebSocket, and its past a page at a time.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    App,
    attachments::there,
    documents::{Named, answer},
    error::ApiError,
    upgrade::{access, admit, named},
};
use crate::{
    connection::{
        chat::{self, Visit},
        text_socket::{self, Opening, Peer},
    },
    ids::ConnectionId,
    protocol::chat::{KEEPALIVE, Person},
};

/// `GET /chat/{document}?name=…`: a WebSocket that speaks JSON.
pub async fn connect(
    request: HttpRequest,
    payload: web::Payload,
    app: web::Data<App>,
) -> Result<HttpResponse, actix_web::Error> {
    #[derive(Deserialize)]
    struct Query {
        name: Option<String>,
        token: Option<String>,
    }
    admit(&request, &app)?;
    let document = named(request.uri().path(), "/chat/", app.config.raw_names).map_err(ApiError::from)?;
    let query = web::Query::<Query>::from_query(request.query_string())
        .map_err(|error| ApiError::bad_request("invalid_query", error.to_string()))?;
    let Query { name, token } = query.into_inner();
    // Who may read a document may talk about it.
    access(&app, &document, token.filter(|token| !token.is_empty())).await?;
    let name = name.unwrap_or_else(|| "Guest".to_owned());
    let name = Person::clean_name(&name).ok_or_else(|| {
        let message = format!("name must have 1 to {} characters that can be seen", Person::LONGEST_NAME);
        ApiError::bad_request("invalid_query", message)
    })?;
    let opening = Opening {
        connection: ConnectionId::new(),
        max_message_bytes: chat::frame_bytes(app.chats.limits().text_bytes),
        heartbeat: app.connection.heartbeat,
        limits: app.connection.outbox,
        keepalive: KEEPALIVE,
        metrics: app.metrics.clone(),
    };
    let visit = Visit {
        document,
        name,
        most: app.config.limits.per_document,
        config: app.connection.chat,
        chats: app.chats.clone(),
        metrics: app.metrics.clone(),
    };
    let talk = async move |peer: &mut Peer, queue: &_| chat::talk(visit, peer, queue).await;
    text_socket::open(&request, payload, opening, talk).await
}

/// `GET /api/v1/documents/{name}/chat?before=ID&limit=50`: what was said, oldest first; `next` is the `before`
/// of the page before this one.
pub async fn page(
    app: web::Data<App>,
    request: HttpRequest,
    Named(document): Named,
) -> Result<HttpResponse, ApiError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Query {
        before: Option<Uuid>,
        limit: Option<usize>,
    }
    const MOST: usize = 100;

    let query = web::Query::<Query>::from_query(request.query_string())
        .map_err(|error| ApiError::bad_request("invalid_query", error.to_string()))?
        .into_inner();
    let limit = query.limit.unwrap_or(50);
    if !(1..=MOST).contains(&limit) {
        return Err(ApiError::bad_request("invalid_query", format!("limit must be from 1 to {MOST}")));
    }
    there(&app, &document).await?;
    let (messages, more) = app.chats.page(&document, query.before, limit).await?;
    let next = messages.first().filter(|_| more).map(|message| message.id);
    Ok(answer(StatusCode::OK, &serde_json::json!({"messages": messages, "next": next})))
}
