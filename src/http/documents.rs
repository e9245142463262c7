//! `/api/v1/documents`: documents as a whole, for programs and for the list in the browser.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    body::MessageBody,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
    web,
};
use bytes::Bytes;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use utoipa::{
    IntoParams, ToSchema,
    openapi::{Object, ObjectBuilder, Type},
};

use super::{
    App,
    answers::{HeldAnswer, Room},
    body::{Binary, Limit},
    error::ApiError,
    extract::{Caller, MayChange, Named, Owns, Query, Reads, Stored, Writes, allow, page_size},
    refusals::{Changing, Conflict, Creating, Exporting, Inapplicable, Listing, Reading, Sending},
    upgrade,
};
use crate::{
    auth::{Access, Principal},
    document::{
        Cursor, Head, Shelf, Standing, effect::Outcome, error::JoinError, exports::Form,
        handle::DocumentHandle, messages::Details, replica,
    },
    ids::{DocumentName, Timestamp},
    protocol::{
        close::CloseReason,
        guard::{StateVector, Update},
        hocuspocus,
        message::Shown,
    },
};

/// A document in lists and on its own.
#[derive(Debug, Serialize, ToSchema)]
pub struct Document {
    /// Its name, which is its address.
    name: DocumentName,
    /// The title found in it.
    #[schema(required)]
    title: Option<String>,
    /// What it says it is, under `kind` in its root map `meta`: the app writes `plain` and `board`, and a text says nothing.
    /// Null also for a document that has not changed since a Weft that did not look.
    #[schema(required)]
    kind: Option<String>,
    /// About how large it is.
    bytes: u64,
    /// When it was created.
    created: Timestamp,
    /// When it last changed.
    modified: Timestamp,
    /// Where it is.
    state: State,
    /// How many have it open now.
    editors: usize,
    /// Some of them, as they show themselves to each other.
    #[schema(inline, max_items = 5)]
    people: Vec<Shown>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = DocumentState)]
enum State {
    Live,
    Trashed,
    Deleted,
}

impl From<Standing> for State {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Live => Self::Live,
            Standing::Trashed(_) => Self::Trashed,
            Standing::Deleted(_) => Self::Deleted,
        }
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
            state: details.standing.into(),
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
            state: head.standing.into(),
            editors,
            people,
        }
    }

    /// Whether it is in the trash.
    pub(super) fn is_trashed(&self) -> bool {
        self.state == State::Trashed
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

/// Which documents are listed.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Which ones.
    #[serde(default)]
    #[param(default = "live")]
    shelf: ShelfName,
    /// At most so many.
    #[serde(default = "ListQuery::limit")]
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: usize,
    #[param(schema_with = cursor)]
    after: Option<String>,
}

impl ListQuery {
    const MOST: usize = 200;

    fn limit() -> usize {
        50
    }
}

/// Where documents are listed.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Shelf)]
pub(super) enum ShelfName {
    #[default]
    Live,
    Trash,
}

/// A page of a list.
#[derive(Serialize, ToSchema)]
pub struct DocumentPage {
    documents: Vec<Document>,
    /// The `after` of the next page; null at the end.
    #[schema(required)]
    next: Option<String>,
}

/// Lists documents, newest change first
///
/// Those that whoever asks may read. A page may hold fewer than are wanted, and even none, and have a `next` all the same.
#[utoipa::path(
    get,
    path = "/api/v1/documents",
    operation_id = "listDocuments",
    tag = "documents",
    params(ListQuery),
    responses((status = 200, description = "One page.", body = DocumentPage), Listing)
)]
pub async fn list(
    app: web::Data<App>,
    Query(query): Query<ListQuery>,
    Caller { principal, .. }: Caller,
) -> Result<HttpResponse, ApiError> {
    let limit = page_size(query.limit, ListQuery::MOST)?;
    let shelf = match query.shelf {
        ShelfName::Live => Shelf::Live,
        ShelfName::Trash => Shelf::Trash,
    };
    let after = query.after.as_deref().map(parse_cursor).transpose()?;
    let (heads, next) = readable(&app, &principal, shelf, after, limit).await?;
    let documents = join_all(heads.into_iter().map(async |head| {
        let editors = app.registry.editors(&head.document);
        let people = if editors > 0 { app.registry.people(&head.document).await } else { Vec::new() };
        Document::from_head(head, editors, people)
    }));
    let documents = documents.await;
    let next = next.map(|cursor| format!("{}.{}", cursor.modified.0, cursor.document));
    Ok(answer(StatusCode::OK, &DocumentPage { documents, next }))
}

/// Those of a page that somebody may read; or of as many documents as may be looked at for one answer.
async fn readable(
    app: &App,
    principal: &Principal,
    shelf: Shelf,
    mut after: Option<Cursor>,
    limit: usize,
) -> Result<(Vec<Head>, Option<Cursor>), ApiError> {
    const MOST_LOOKED_AT: usize = 2000;

    let (mut heads, mut looked_at) = (Vec::new(), 0);
    loop {
        let page = app.registry.list(shelf, after, limit - heads.len()).await?;
        looked_at += page.heads.len();
        for head in page.heads {
            if app.policy.access(principal, &head.document).await >= Access::Read {
                heads.push(head);
            }
        }
        after = page.next;
        if after.is_none() || heads.len() >= limit {
            return Ok((heads, after));
        }
        if looked_at >= MOST_LOOKED_AT {
            // Of what may not be read not even the name is told: those that changed at the same moment are looked at again.
            let first = DocumentName::parse("!").ok();
            let next = after.zip(first).map(|(next, document)| Cursor { document, ..next });
            return Ok((heads, next));
        }
    }
}

/// What such a `next` looks like: a time and a name.
fn cursor() -> Object {
    let pattern = DocumentName::PATTERN.replacen('^', "^[0-9]{1,18}\\.", 1);
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(pattern))
        .description(Some("The `next` of the page before; absent for the first page."))
        .build()
}

fn parse_cursor(text: &str) -> Result<Cursor, ApiError> {
    let invalid = || ApiError::bad_request("invalid_query", "after must be the next of an earlier page");
    let (modified, document) = text.split_once('.').ok_or_else(invalid)?;
    Ok(Cursor {
        modified: Timestamp(modified.parse().map_err(|_| invalid())?),
        document: DocumentName::parse_stored(document).map_err(|_| invalid())?,
    })
}

/// What creates a document.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Creation {
    name: Option<DocumentName>,
    /// Written into the document if nothing was ever written there.
    #[schema(max_length = 256)]
    title: Option<String>,
}

/// Makes sure that a document exists
///
/// Idempotent by name; without a name the server makes one. A name that was deleted for ever begins anew.
#[utoipa::path(
    post,
    path = "/api/v1/documents",
    operation_id = "createDocument",
    tag = "documents",
    request_body(content = ref("#/components/schemas/Creation"), content_type = "application/json"),
    responses(
        (status = 200, description = "It was there already, and is as it was.", body = Document),
        (status = 201, description = "It was made.", body = Document),
        Creating
    )
)]
pub async fn create(
    app: web::Data<App>,
    request: HttpRequest,
    _: MayChange,
    Caller { principal, .. }: Caller,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    const LONGEST_TITLE: usize = 256;

    let body = app.bodies.read(&request, payload, CREATION).await?;
    let wanted = if body.is_empty() {
        Creation::default()
    } else {
        // By way of an object: a list of two values would do as well for the derived reader.
        serde_json::from_slice::<serde_json::Map<_, _>>(&body)
            .and_then(|object| serde_json::from_value::<Creation>(object.into()))
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
    allow(&app, &principal, &name, Access::Write).await?;
    let title = wanted.title.filter(|title| !title.trim().is_empty());
    // Two orders to a disk that may not answer, and whoever asks waits for both together.
    let within = app.registry.config().answer_within * 3 / 2;
    let made = tokio::time::timeout(within, make(&app, &name, title)).await;
    let (details, made) = made.unwrap_or(Err(JoinError::Unstored.into()))?;
    let status = if made { StatusCode::CREATED } else { StatusCode::OK };
    Ok(answer(status, &Document::from(details)))
}

/// Makes sure that a document exists; one into which nothing was ever written is given the title. That is one that is made now,
/// and one whose making was cut off before it had its title.
async fn make(app: &App, name: &DocumentName, title: Option<String>) -> Result<(Details, bool), ApiError> {
    let ask = async |handle: DocumentHandle| handle.create().await;
    let (details, made) = app.registry.ask(name, ask).await?;
    if matches!(details.standing, Standing::Trashed(_)) {
        return Err(ApiError::in_trash());
    }
    let update = match title {
        Some(title) if details.is_blank => replica::titled(&title),
        // It may have been given to it by an attempt that was cut off: nothing is added, and what is there becomes durable.
        Some(title) if details.title.as_deref() == Some(title.trim()) => Bytes::from_static(&[0, 0]),
        _ => return Ok((details, made)),
    };
    let update = Update::check(update, &app.config.connection.guard)?;
    let ask = async |handle: DocumentHandle| {
        handle.contribute(update.clone()).await?;
        handle.details().await.map_err(JoinError::from)
    };
    Ok((app.registry.ask(name, ask).await?, made))
}

/// What is known about a document
#[utoipa::path(
    get,
    path = "/api/v1/documents/{name}",
    operation_id = "getDocument",
    tag = "documents",
    params(Named<Reads>),
    responses((status = 200, description = "The document, also if it is in the trash.", body = Document), Reading)
)]
pub async fn details(
    app: web::Data<App>,
    Stored { document: name, .. }: Stored<Reads>,
) -> Result<HttpResponse, ApiError> {
    let document = find(&app, &name).await?;
    Ok(answer(StatusCode::OK, &document))
}

/// How a document is deleted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeleteQuery {
    /// For ever.
    #[serde(default)]
    #[param(default = false)]
    permanent: bool,
}

/// Moves a document to the trash, or deletes it for ever
#[utoipa::path(
    delete,
    path = "/api/v1/documents/{name}",
    operation_id = "deleteDocument",
    tag = "documents",
    params(Named<Reads>, DeleteQuery),
    responses(
        (status = 200, description = "It is in the trash.", body = Document),
        (status = 204, description = "It was deleted for ever, with its attachments and its chat."),
        Changing
    )
)]
pub async fn delete(
    app: web::Data<App>,
    Stored { document: name, .. }: Stored<Owns>,
    _: MayChange,
    Query(query): Query<DeleteQuery>,
) -> Result<HttpResponse, ApiError> {
    find(&app, &name).await?;
    if query.permanent {
        let ask = async |handle: DocumentHandle| handle.delete().await;
        app.registry.ask(&name, ask).await?;
        return Ok(HttpResponse::NoContent().finish());
    }
    let ask = async |handle: DocumentHandle| handle.trash().await;
    let details = app.registry.ask(&name, ask).await?;
    Ok(answer(StatusCode::OK, &Document::from(details)))
}

/// Takes a document back from the trash
#[utoipa::path(
    post,
    path = "/api/v1/documents/{name}/restore",
    operation_id = "restoreDocument",
    tag = "documents",
    params(Named<Reads>),
    responses((status = 200, description = "It is live.", body = Document), Changing)
)]
pub async fn restore(
    app: web::Data<App>,
    Stored { document: name, .. }: Stored<Owns>,
    _: MayChange,
) -> Result<HttpResponse, ApiError> {
    find(&app, &name).await?;
    let ask = async |handle: DocumentHandle| handle.restore().await;
    let details = app.registry.ask(&name, ask).await?;
    Ok(answer(StatusCode::OK, &Document::from(details)))
}

/// The content as plain text
#[utoipa::path(
    get,
    path = "/api/v1/documents/{name}/text",
    operation_id = "getText",
    tag = "content",
    params(Named<Reads>),
    responses((
        status = 200,
        description = "The text.",
        body = String,
        content_type = "text/plain"
    ), Exporting)
)]
pub async fn text(
    app: web::Data<App>,
    Stored { document: name, .. }: Stored<Reads>,
) -> Result<HttpResponse, ApiError> {
    let text = export(&app, &name, Form::Text).await?;
    Ok(content("text/plain; charset=utf-8", text))
}

/// The content as Markdown
#[utoipa::path(
    get,
    path = "/api/v1/documents/{name}/markdown",
    operation_id = "getMarkdown",
    tag = "content",
    params(Named<Reads>),
    responses((
        status = 200,
        description = "A text with its headings, lists, tables and formatting; of anything else its text.",
        body = String,
        content_type = "text/markdown"
    ), Exporting)
)]
pub async fn markdown(
    app: web::Data<App>,
    Stored { document: name, .. }: Stored<Reads>,
) -> Result<HttpResponse, ApiError> {
    let text = export(&app, &name, Form::Markdown).await?;
    Ok(content("text/markdown; charset=utf-8", text))
}

/// The content as a page of HTML
#[utoipa::path(
    get,
    path = "/api/v1/documents/{name}/html",
    operation_id = "getHtml",
    tag = "content",
    params(Named<Reads>),
    responses((
        status = 200,
        description = "A whole page, in which nothing runs and which nothing of ours is in.",
        body = String,
        content_type = "text/html"
    ), Exporting)
)]
pub async fn html(
    app: web::Data<App>,
    Stored { document: name, .. }: Stored<Reads>,
) -> Result<HttpResponse, ApiError> {
    /// Pictures of this server; its own style; an origin that nobody else has.
    const ALONE: &str = "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; frame-ancestors 'none'; \
                         sandbox allow-popups allow-popups-to-escape-sandbox";
    let page = export(&app, &name, Form::Html).await?;
    let mut answer = content("text/html; charset=utf-8", page);
    answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(ALONE));
    Ok(answer)
}

/// The content as JSON
#[utoipa::path(
    get,
    path = "/api/v1/documents/{name}/json",
    operation_id = "getJson",
    tag = "content",
    params(Named<Reads>),
    responses((
        status = 200,
        description = "The shared types by their names; a text, under `body`, as its blocks. A subdocument is an object of its `guid` and its options.",
        body = serde_json::Map<String, serde_json::Value>,
        content_type = "application/json"
    ), Exporting)
)]
pub async fn json(
    app: web::Data<App>,
    Stored { document: name, .. }: Stored<Reads>,
) -> Result<HttpResponse, ApiError> {
    let json = export(&app, &name, Form::Json).await?;
    Ok(content("application/json", json))
}

async fn export(app: &App, name: &DocumentName, form: Form) -> Result<HeldAnswer, ApiError> {
    let (room, state) = read(app, &format!("{form:?}: {name}"), name).await?;
    room.answer(app.registry.exports().get(name, form, state).await?)
}

/// That an update is durable.
#[derive(Serialize, ToSchema)]
pub struct Applied {
    #[schema(schema_with = always)]
    durable: bool,
}

fn always() -> Object {
    ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([true])).build()
}

/// Applies a Yjs update (v1)
///
/// Answers when it is durable. A document that does not exist begins with it.
#[utoipa::path(
    post,
    path = "/api/v1/documents/{name}/updates",
    operation_id = "applyUpdate",
    tag = "content",
    params(Named<Reads>),
    request_body(content = inline(Binary), content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "It is applied and durable.", body = Applied),
        Sending,
        (status = 409, response = Conflict),
        (status = 422, response = Inapplicable)
    )
)]
pub async fn update(
    app: web::Data<App>,
    request: HttpRequest,
    Named { document: name, .. }: Named<Writes>,
    _: MayChange,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
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
        Outcome::Applied => Ok(answer(StatusCode::OK, &Applied { durable: true })),
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

/// What everybody inside is told.
#[derive(ToSchema)]
#[schema(max_length = 65536)]
pub struct Stateless(#[allow(dead_code, reason = "read as it comes")] String);

/// Whom something reached.
#[derive(Serialize, ToSchema)]
pub struct Reached {
    /// How many were told.
    told: usize,
}

/// Tells everybody inside something that is no part of the document
///
/// Reaches those who have the document open over the Hocuspocus protocol, and is kept nowhere.
#[utoipa::path(
    post,
    path = "/api/v1/documents/{name}/stateless",
    operation_id = "tellEverybody",
    tag = "live",
    params(Named<Reads>),
    request_body(
        content = ref("#/components/schemas/Stateless"),
        content_type = "text/plain",
        description = "The text, in UTF-8; without one it is empty."
    ),
    responses((status = 200, description = "How many were told.", body = Reached), Sending)
)]
pub async fn stateless(
    app: web::Data<App>,
    request: HttpRequest,
    Named { document: name, .. }: Named<Writes>,
    _: MayChange,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
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
    Ok(answer(StatusCode::OK, &Reached { told }))
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

/// Everything in a document, with room for an answer made of it, which is taken before the document is opened. Answers that
/// are called the same are made of it in the same way, and share their room.
pub(super) async fn read(app: &App, called: &str, name: &DocumentName) -> Result<(Room, Bytes), ApiError> {
    let stored = app.registry.head(name).await?.map_or(0, |head| head.summary.bytes);
    let room = app.answers.room(called, stored).await?;
    Ok((room, lacking(app, name, &StateVector::default()).await?))
}

/// What of a document somebody with this vector lacks, if it is not in the trash.
pub(super) async fn lacking(app: &App, name: &DocumentName, vector: &StateVector) -> Result<Bytes, ApiError> {
    if find(app, name).await?.is_trashed() {
        return Err(ApiError::in_trash());
    }
    let ask = async |handle: DocumentHandle| handle.difference(vector.clone()).await;
    Ok(app.registry.ask(name, ask).await?)
}

pub(super) fn answer(status: StatusCode, body: &impl Serialize) -> HttpResponse {
    HttpResponse::build(status).insert_header(("cache-control", "no-store")).json(body)
}

/// A document's content, in one of the forms it can be had in.
fn content(content_type: &'static str, body: impl MessageBody + 'static) -> HttpResponse {
    HttpResponse::Ok().content_type(content_type).insert_header(("cache-control", "no-store")).body(body)
}
