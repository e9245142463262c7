//! `/api/v1/documents`: documents as a whole, for programs and for the list in the browser.

use std::{
    future::{Ready, ready},
    sync::Arc,
};

use actix_web::{
    FromRequest, HttpRequest, HttpResponse,
    body::MessageBody,
    dev,
    http::{
        StatusCode,
        header::{self, HeaderMap, HeaderValue},
    },
    web,
};
use bytes::Bytes;
use futures_util::future::join_all;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use super::{
    App,
    answers::{Answer, Room},
    body::Limit,
    error::ApiError,
    upgrade,
};
use crate::{
    document::{
        Cursor, Head, Shelf, Standing, effect::Outcome, error::JoinError, exports::Form,
        handle::DocumentHandle, messages::Details, replica,
    },
    ids::{DocumentName, Timestamp},
    protocol::{close::CloseReason, guard::Update, hocuspocus, message::Shown},
};

/// A document in lists and on its own.
#[derive(Debug, Serialize)]
pub struct Document {
    /// Its name, which is its address.
    name: DocumentName,
    /// The title found in it.
    title: Option<String>,
    /// What it says it is; the app knows `text`, `plain` and `board`, and takes nothing for a text.
    kind: Option<String>,
    /// About how large it is.
    bytes: u64,
    /// When it was created, in milliseconds since 1970.
    created: Timestamp,
    /// When it last changed.
    modified: Timestamp,
    /// `live`, `trashed` or `deleted`.
    state: &'static str,
    /// How many have it open now.
    editors: usize,
    /// Some of them, as they show themselves.
    people: Vec<Shown>,
}

fn state_name(standing: Standing) -> &'static str {
    match standing {
        Standing::Live => "live",
        Standing::Trashed(_) => "trashed",
        Standing::Deleted(_) => "deleted",
    }
}

impl From<Details> for Document {
    fn from(details: Details) -> Self {
        Self {
            name: details.document,
            title: details.title,
            kind: details.kind,
            bytes: details.bytes,
            created: details.created,
            modified: details.modified,
            state: state_name(details.standing),
            editors: details.editors,
            people: details.people,
        }
    }
}

impl Document {
    fn from_head(head: Head, editors: usize, people: Vec<Shown>) -> Self {
        Self {
            name: head.document,
            title: head.summary.title,
            kind: head.summary.kind,
            bytes: head.summary.bytes,
            created: head.created,
            modified: head.modified,
            state: state_name(head.standing),
            editors,
            people,
        }
    }

    /// Whether it is in the trash.
    pub(super) fn is_trashed(&self) -> bool {
        self.state == "trashed"
    }
}

/// What names a document and its title is short.
pub(super) const CREATION: Limit = Limit { bytes: 16 << 10, of: "what creates a document" };

/// What is told to everybody inside.
pub(super) const STATELESS: Limit = Limit { bytes: hocuspocus::MAX_STATELESS, of: "a stateless message" };

/// An update.
pub(super) fn updates(app: &App) -> Limit {
    Limit { bytes: app.connection.guard.document_bytes, of: "an update (see max_document_bytes)" }
}

/// The document named in the path: one percent-encoded segment. Taken from the raw path, because the router
/// would turn `%2F` into a boundary.
pub struct Named(pub DocumentName);

impl FromRequest for Named {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let name = DocumentName::parse_bytes(&segment(request));
        ready(name.map(Self).map_err(ApiError::from))
    }
}

fn segment(request: &HttpRequest) -> Vec<u8> {
    let rest = request.uri().path().strip_prefix("/api/v1/documents/").unwrap_or_default();
    percent_decode_str(rest.split('/').next().unwrap_or_default()).collect()
}

/// The same where nothing is made or written: what earlier versions stored as `.` and `..` is reached as `%7F.` and
/// `%7F..`, because browsers resolve those names in whatever way they are encoded. No other name holds that character.
pub struct Stored(pub DocumentName);

impl FromRequest for Stored {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let name = match segment(request).as_slice() {
            b"\x7f." => DocumentName::parse_stored("."),
            b"\x7f.." => DocumentName::parse_stored(".."),
            name => DocumentName::parse_bytes(name),
        };
        ready(name.map(Self).map_err(ApiError::from))
    }
}

/// Refuses changes that a stranger's web page asks for.
pub(super) fn may_change(headers: &HeaderMap, app: &App) -> Result<(), ApiError> {
    if app.config.origins.admits(headers) {
        return Ok(());
    }
    let message = "pages of this origin may not change documents; see the setting allow_origin";
    Err(ApiError::new(StatusCode::FORBIDDEN, "origin_not_allowed", message))
}

/// `GET /api/v1/documents?shelf=live|trash&limit=50&after=…`: newest change first.
pub async fn list(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Query {
        #[serde(default)]
        shelf: ShelfName,
        limit: Option<usize>,
        after: Option<String>,
    }
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum ShelfName {
        #[default]
        Live,
        Trash,
    }
    const MOST: usize = 200;

    let query = web::Query::<Query>::from_query(request.query_string())
        .map_err(|error| ApiError::bad_request("invalid_query", error.to_string()))?
        .into_inner();
    let limit = query.limit.unwrap_or(50);
    if !(1..=MOST).contains(&limit) {
        return Err(ApiError::bad_request("invalid_query", format!("limit must be from 1 to {MOST}")));
    }
    let shelf = match query.shelf {
        ShelfName::Live => Shelf::Live,
        ShelfName::Trash => Shelf::Trash,
    };
    let after = query.after.as_deref().map(parse_cursor).transpose()?;
    let page = app.registry.list(shelf, after, limit).await?;
    let documents = join_all(page.heads.into_iter().map(async |head| {
        let editors = app.registry.editors(&head.document);
        let people = if editors > 0 { app.registry.people(&head.document).await } else { Vec::new() };
        Document::from_head(head, editors, people)
    }));
    let documents = documents.await;
    let next = page.next.map(|cursor| format!("{}.{}", cursor.modified.0, cursor.document));
    Ok(answer(StatusCode::OK, &serde_json::json!({"documents": documents, "next": next})))
}

fn parse_cursor(text: &str) -> Result<Cursor, ApiError> {
    let invalid = || ApiError::bad_request("invalid_query", "after must be the next of an earlier page");
    let (modified, document) = text.split_once('.').ok_or_else(invalid)?;
    Ok(Cursor {
        modified: Timestamp(modified.parse().map_err(|_| invalid())?),
        document: DocumentName::parse_stored(document).map_err(|_| invalid())?,
    })
}

/// `POST /api/v1/documents` with `{"name"?, "title"?}`: idempotent by name; without one we make one.
pub async fn create(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    #[derive(Default, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        name: Option<DocumentName>,
        title: Option<String>,
    }
    const LONGEST_TITLE: usize = 256;

    may_change(request.headers(), &app)?;
    let body = app.bodies.read(&request, payload, CREATION).await?;
    let wanted: Body = if body.is_empty() {
        Body::default()
    } else {
        // By way of an object: a list of two values would do as well for the derived reader.
        serde_json::from_slice::<serde_json::Map<_, _>>(&body)
            .and_then(|object| serde_json::from_value(object.into()))
            .map_err(|error| ApiError::bad_request("invalid_body", error.to_string()))?
    };
    if wanted.title.as_ref().is_some_and(|title| title.chars().count() > LONGEST_TITLE) {
        let message = format!("a title has at most {LONGEST_TITLE} characters");
        return Err(ApiError::bad_request("invalid_body", message));
    }
    let name = match wanted.name {
        Some(name) => name,
        None => DocumentName::parse(&uuid::Uuid::new_v4().to_string())?,
    };
    let title = wanted.title.filter(|title| !title.trim().is_empty());
    // Two orders to a disk that may not answer, and whoever asks waits for both together.
    let within = app.registry.config().answer_within * 3 / 2;
    let made = tokio::time::timeout(within, make(&app, &name, title)).await;
    let (details, made) = made.unwrap_or(Err(JoinError::Unstored.into()))?;
    let status = if made { StatusCode::CREATED } else { StatusCode::OK };
    Ok(answer(status, &Document::from(details)))
}

/// Makes sure that a document exists; one that is made now is given the title.
async fn make(app: &App, name: &DocumentName, title: Option<String>) -> Result<(Details, bool), ApiError> {
    let ask = async |handle: DocumentHandle| handle.create().await;
    let (details, made) = app.registry.ask(name, ask).await?;
    if matches!(details.standing, Standing::Trashed(_)) {
        return Err(ApiError::in_trash());
    }
    let Some(title) = title.filter(|_| made) else { return Ok((details, made)) };
    let update = Update::check(replica::titled(&title), &app.config.connection.guard)?;
    let ask = async |handle: DocumentHandle| {
        handle.contribute(update.clone()).await?;
        handle.details().await.map_err(JoinError::from)
    };
    Ok((app.registry.ask(name, ask).await?, made))
}

/// `GET /api/v1/documents/{name}`.
pub async fn details(app: web::Data<App>, Stored(name): Stored) -> Result<HttpResponse, ApiError> {
    let document = find(&app, &name).await?;
    Ok(answer(StatusCode::OK, &document))
}

/// `DELETE /api/v1/documents/{name}` moves to the trash; with `?permanent=true` deletes for ever.
pub async fn delete(
    app: web::Data<App>,
    request: HttpRequest,
    Stored(name): Stored,
) -> Result<HttpResponse, ApiError> {
    may_change(request.headers(), &app)?;
    find(&app, &name).await?;
    match request.query_string() {
        "" | "permanent=false" => {
            let ask = async |handle: DocumentHandle| handle.trash().await;
            let details = app.registry.ask(&name, ask).await?;
            Ok(answer(StatusCode::OK, &Document::from(details)))
        }
        "permanent=true" => {
            let ask = async |handle: DocumentHandle| handle.delete().await;
            app.registry.ask(&name, ask).await?;
            Ok(HttpResponse::NoContent().finish())
        }
        _ => {
            Err(ApiError::bad_request("invalid_query", "only permanent=true or permanent=false may be given"))
        }
    }
}

/// `POST /api/v1/documents/{name}/restore`.
pub async fn restore(
    app: web::Data<App>,
    request: HttpRequest,
    Stored(name): Stored,
) -> Result<HttpResponse, ApiError> {
    may_change(request.headers(), &app)?;
    find(&app, &name).await?;
    let ask = async |handle: DocumentHandle| handle.restore().await;
    let details = app.registry.ask(&name, ask).await?;
    Ok(answer(StatusCode::OK, &Document::from(details)))
}

/// `GET /api/v1/documents/{name}/state`: everything, as one Yjs update (v1).
pub async fn state(
    app: web::Data<App>,
    request: HttpRequest,
    Stored(name): Stored,
) -> Result<HttpResponse, ApiError> {
    let (room, state) = read(&app, &request, &name).await?;
    Ok(content("application/octet-stream", room.answer(state)?))
}

/// `GET /api/v1/documents/{name}/text`.
pub async fn text(
    app: web::Data<App>,
    request: HttpRequest,
    Stored(name): Stored,
) -> Result<HttpResponse, ApiError> {
    let text = export(&app, &request, &name, Form::Text).await?;
    Ok(content("text/plain; charset=utf-8", text))
}

/// `GET /api/v1/documents/{name}/markdown`.
pub async fn markdown(
    app: web::Data<App>,
    request: HttpRequest,
    Stored(name): Stored,
) -> Result<HttpResponse, ApiError> {
    let text = export(&app, &request, &name, Form::Markdown).await?;
    Ok(content("text/markdown; charset=utf-8", text))
}

/// `GET /api/v1/documents/{name}/html`: a page of its own, in which nothing runs and which nothing of ours is in.
pub async fn html(
    app: web::Data<App>,
    request: HttpRequest,
    Stored(name): Stored,
) -> Result<HttpResponse, ApiError> {
    /// Pictures of this server; its own style; an origin that nobody else has.
    const ALONE: &str = "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; frame-ancestors 'none'; \
                         sandbox allow-popups allow-popups-to-escape-sandbox";
    let page = export(&app, &request, &name, Form::Html).await?;
    let mut answer = content("text/html; charset=utf-8", page);
    answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(ALONE));
    Ok(answer)
}

/// `GET /api/v1/documents/{name}/json`.
pub async fn json(
    app: web::Data<App>,
    request: HttpRequest,
    Stored(name): Stored,
) -> Result<HttpResponse, ApiError> {
    let json = export(&app, &request, &name, Form::Json).await?;
    Ok(content("application/json", json))
}

async fn export(
    app: &App,
    request: &HttpRequest,
    name: &DocumentName,
    form: Form,
) -> Result<Answer, ApiError> {
    let (room, state) = read(app, request, name).await?;
    room.answer(app.registry.exports().get(name, form, state).await?)
}

/// `POST /api/v1/documents/{name}/updates`: applies a Yjs update (v1); answers when it is durable. A document
/// that does not exist begins with it.
pub async fn update(
    app: web::Data<App>,
    request: HttpRequest,
    Named(name): Named,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    may_change(request.headers(), &app)?;
    let body = app.bodies.read(&request, payload, updates(&app)).await?;
    let (bytes, limits) = (body.bytes.clone(), app.config.connection.guard.clone());
    let read = move || Update::check_whole(bytes, &limits);
    let understood = app.registry.understand(body.bytes.len(), read).await?;
    let update = understood.inspect_err(|refusal| {
        app.metrics.refused(refusal.reason());
        upgrade::complain(&app, &name, refusal);
    })?;
    let ask = async |handle: DocumentHandle| handle.contribute(update.clone()).await;
    match app.registry.ask(&name, ask).await? {
        Outcome::Applied => Ok(answer(StatusCode::OK, &serde_json::json!({"durable": true}))),
        Outcome::Refused => Err(ApiError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "refused_update",
            "the update is well-formed, and yet cannot be applied to this document",
        )),
        Outcome::Rejected(why) => Err(ApiError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "refused_update",
            CloseReason::Refused(why).text(),
        )),
        Outcome::Incomplete => Err(ApiError::new(
            StatusCode::CONFLICT,
            "incomplete_update",
            "the update builds upon changes that this document does not have: send those first, or send the \
             difference from this document's state",
        )),
    }
}

/// `POST /api/v1/documents/{name}/stateless`: the body, a text, reaches everybody who has the document open over
/// the Hocuspocus dialect, and is kept nowhere. Answers how many were told.
pub async fn stateless(
    app: web::Data<App>,
    request: HttpRequest,
    Named(name): Named,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    may_change(request.headers(), &app)?;
    // People may have opened it and not written anything yet.
    if !app.registry.is_open(&name) {
        find(&app, &name).await?;
    }
    let body = app.bodies.read(&request, payload, STATELESS).await?;
    let Ok(payload) = std::str::from_utf8(&body) else {
        return Err(ApiError::bad_request("invalid_body", "the body must be a text in UTF-8"));
    };
    let payload: Arc<str> = payload.into();
    let ask = async |handle: DocumentHandle| handle.tell(payload.clone()).await;
    let told = app.registry.ask(&name, ask).await?;
    Ok(answer(StatusCode::OK, &serde_json::json!({"told": told})))
}

/// The document, if it exists in any way; its absence as an error.
pub(super) async fn find(app: &App, name: &DocumentName) -> Result<Document, ApiError> {
    match app.registry.head(name).await?.map(|head| head.standing) {
        Some(Standing::Deleted(_)) => return Err(ApiError::deleted()),
        Some(_) => {}
        // Open and not yet stored counts as existing once somebody has written something.
        None if !app.registry.is_open(name) => return Err(ApiError::not_found()),
        None => {}
    }
    let ask = async |handle: DocumentHandle| handle.details().await;
    let details = app.registry.ask(name, ask).await?;
    if !details.exists {
        return Err(ApiError::not_found());
    }
    Ok(details.into())
}

/// The state of a document, with the room for it, which is made before the document is opened.
async fn read(app: &App, request: &HttpRequest, name: &DocumentName) -> Result<(Room, Bytes), ApiError> {
    let stored = app.registry.head(name).await?.map_or(0, |head| head.summary.bytes);
    let room = app.answers.room(request.path(), stored).await?;
    if find(app, name).await?.is_trashed() {
        return Err(ApiError::in_trash());
    }
    let ask = async |handle: DocumentHandle| handle.state().await;
    Ok((room, app.registry.ask(name, ask).await?))
}

pub(super) fn answer(status: StatusCode, body: &impl Serialize) -> HttpResponse {
    HttpResponse::build(status).insert_header(("cache-control", "no-store")).json(body)
}

/// A document's content, in one of the forms it can be had in.
fn content(content_type: &'static str, body: impl MessageBody + 'static) -> HttpResponse {
    HttpResponse::Ok().content_type(content_type).insert_header(("cache-control", "no-store")).body(body)
}
