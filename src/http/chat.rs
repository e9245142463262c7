//! The chat beside a document: its WebSocket, and its past a page at a time.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    App,
    attachments::there,
    documents::{answer, find},
    error::ApiError,
    extract::{MayConnect, Named, Query, Reads, page_size},
    refusals::Reading,
    upgrade::{admit, named},
};
use crate::{
    auth::Admitted,
    connection::{
        chat::{self, Visitor},
        socket::{self, Opening, With},
    },
    ids::ConnectionId,
    protocol::{
        chat::{Message, Person},
        close::CloseReason,
    },
};

/// Who comes.
#[derive(Deserialize)]
pub struct VisitQuery {
    name: Option<String>,
}

/// `GET /chat/{document}?name=…`: a WebSocket that speaks JSON.
pub async fn connect(
    request: HttpRequest,
    _: MayConnect,
    Query(VisitQuery { name }): Query<VisitQuery>,
    payload: web::Payload,
    app: web::Data<App>,
) -> Result<HttpResponse, actix_web::Error> {
    let document = named(request.uri().path(), "/chat/", app.config.raw_names).map_err(ApiError::from)?;
    let name = name.unwrap_or_else(|| "Guest".to_owned());
    let name = Person::clean_name(&name).ok_or_else(|| {
        let message = format!("name must have 1 to {} characters that can be seen", Person::LONGEST_NAME);
        ApiError::bad_request("invalid_query", message)
    })?;
    let with = match admit(&request, &app, &document).await {
        Err(reason) => With::Nobody(reason),
        // What somebody says makes a document that is not there, which is for those who may write it.
        Ok((Admitted { access, .. }, _)) if !access.may_write() && find(&app, &document).await.is_err() => {
            With::Nobody(CloseReason::Forbidden)
        }
        Ok((Admitted { principal, access }, ends)) => With::Chat(Visitor {
            document,
            // Who has a name is called by that.
            name: principal.name.and_then(|name| Person::clean_name(&name)).unwrap_or(name),
            may_speak: access.may_comment(),
            ends,
            most: app.config.limits.per_document,
            config: app.connection.chat,
            chats: app.chats.clone(),
            metrics: app.metrics.clone(),
        }),
    };
    let opening = Opening {
        connection: ConnectionId::new(),
        with,
        metrics: app.metrics.clone(),
        max_message_bytes: chat::frame_bytes(app.chats.limits().text_bytes),
        config: app.connection.clone(),
        heartbeat: app.connection.heartbeat,
    };
    socket::open(&request, payload, opening).await
}

/// Which page of the past is wanted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Only what was said before this message.
    #[param(nullable = false)]
    before: Option<Uuid>,
    /// At most so many; the last ones.
    #[serde(default = "PageQuery::limit")]
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: usize,
}

impl PageQuery {
    const MOST: usize = 100;

    fn limit() -> usize {
        50
    }
}

/// A page of what was said.
#[derive(Serialize, ToSchema)]
pub struct ChatPage {
    messages: Vec<Message>,
    /// The `before` of the page before this one; null at the beginning.
    #[schema(required)]
    next: Option<Uuid>,
}

/// What was said, oldest first
#[utoipa::path(
    get,
    path = "/api/v1/documents/{name}/chat",
    operation_id = "getChat",
    tag = "chat",
    params(Named<Reads>, PageQuery),
    responses((status = 200, description = "One page.", body = ChatPage), Reading)
)]
pub async fn page(
    app: web::Data<App>,
    Named { document, .. }: Named<Reads>,
    Query(query): Query<PageQuery>,
) -> Result<HttpResponse, ApiError> {
    let limit = page_size(query.limit, PageQuery::MOST)?;
    there(&app, &document).await?;
    let (messages, more) = app.chats.page(&document, query.before, limit).await?;
    let next = messages.first().filter(|_| more).map(|message| message.id);
    Ok(answer(StatusCode::OK, &ChatPage { messages, next }))
}
