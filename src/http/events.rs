//! Documents over plain HTTP, for networks that let no WebSocket through.
//!
//! `POST …/sessions` begins a session. Down: `GET …/events`, server-sent events, or `GET …/poll`, the same as answers
//! to long polls. Up: `POST …/messages`. A message is a frame of the y-websocket dialect, or of the Hocuspocus dialect
//! without its address, which is the same for sync and presence; the acknowledgements are Hocuspocus's. The session
//! behind it is that of a WebSocket, with the same limits and the same care for slow readers.
//!
//! A GET opens nothing: a page of another site can make a browser send as many of those as it likes.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, mime, web};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    App,
    body::{Binary, Limit},
    encoded::Encoded,
    error::ApiError,
    extract::{Caller, MayChange, MayConnect, Named, OfSession, Query, Reads, allow},
    places,
    refusals::{
        BadRequest, Forbidden, Listening, NotFound, RefusedAgain, Sending, Unauthorized, Unavailable,
    },
    upgrade,
};
use crate::{
    auth::{Access, Admitted},
    connection::{
        feed::{Feed, Listener, Told},
        single::Single,
    },
    ids::{ConnectionId, DocumentName},
    protocol::{Dialect, close::CloseReason, ysync},
};

/// The longest that a poll is held, which is shorter than proxies wait.
const LONGEST_POLL: Duration = Duration::from_secs(25);

/// How soon an `EventSource` comes back, in ms.
const COME_BACK: u32 = 1000;

/// What a client may say in any request of a session. Where it means nothing it is taken all the same, so that a client
/// may say the same in all of them.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionQuery {
    /// The session to go on with.
    session: Option<Uuid>,
    /// The last message that arrived.
    after: Option<u64>,
    /// Seconds to wait for news.
    wait: Option<u64>,
}

/// A session that has begun.
#[derive(Serialize, ToSchema)]
pub struct Begun {
    /// What it is called from now on.
    session: Uuid,
}

/// Begins a session without a WebSocket
///
/// It is listened to by events or polls, and ends when nobody has listened for 30 seconds.
#[utoipa::path(
    post,
    path = "/api/v1/documents/{name}/sessions",
    operation_id = "beginSession",
    tag = "live",
    params(
        Named<Reads>,
        ("token" = inline(Option<String>), Query, description = "What a policy may want to see. May come as a bearer token instead.")
    ),
    responses(
        (status = 201, description = "The session.", body = Begun),
        (status = 400, response = BadRequest),
        (status = 401, response = Unauthorized),
        (status = 403, response = Forbidden),
        (status = 404, response = NotFound),
        (status = 429, response = RefusedAgain),
        (status = 503, response = Unavailable)
    )
)]
pub async fn begin(
    app: web::Data<App>,
    request: HttpRequest,
    OfSession(document): OfSession,
    _: MayChange,
    _: MayConnect,
    Query(_): Query<SessionQuery>,
    Caller { principal, ends }: Caller,
) -> Result<HttpResponse, ApiError> {
    let access = allow(&app, &principal, &document, Access::Read).await?;
    let address = upgrade::address(&request);
    upgrade::slowed(&request, &app, &document)?;
    let place = app.places.admit(address).map_err(|setting| {
        app.metrics.turned_away.inc();
        places::full(setting)
    })?;
    let single = Single {
        connection: ConnectionId::new(),
        document,
        admitted: Admitted { principal, access },
        ends,
        dialect: Dialect::Hocuspocus,
        max_sessions: app.config.limits.per_document,
        registry: app.registry.clone(),
        metrics: app.metrics.clone(),
        address,
        penalties: app.penalties.clone(),
    };
    let session = app.feeds.open(single, &app.connection, place);
    Ok(HttpResponse::Created().insert_header(("cache-control", "no-store")).json(Begun { session }))
}

/// Ends a session, as a goodbye
///
/// What it showed of itself goes at once.
#[utoipa::path(
    delete,
    path = "/api/v1/documents/{name}/sessions/{session}",
    operation_id = "endSession",
    tag = "live",
    params(Named<Reads>, ("session" = Uuid, Path, description = "The session, as it was named.")),
    responses(
        (status = 204, description = "It ends."),
        (status = 400, response = BadRequest),
        (status = 403, response = Forbidden),
        (status = 404, response = NotFound)
    )
)]
pub async fn end(
    app: web::Data<App>,
    request: HttpRequest,
    OfSession(name): OfSession,
    _: MayChange,
) -> Result<HttpResponse, ApiError> {
    let session = request.match_info().get("session").and_then(|session| session.parse().ok());
    let feed = session.and_then(|session| app.feeds.find(session, &name)).ok_or_else(no_such_session)?;
    feed.goodbye().await;
    Ok(HttpResponse::NoContent().finish())
}

/// One event of a stream.
#[derive(ToSchema)]
#[allow(
    dead_code,
    reason = "written by hand, so that its data is encoded while it leaves; described by this"
)]
pub struct StreamEvent {
    #[schema(inline)]
    event: EventName,
    data: String,
    #[schema(nullable = false)]
    id: Option<String>,
    #[schema(nullable = false)]
    retry: Option<u32>,
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[allow(dead_code, reason = "as above")]
enum EventName {
    Open,
    Message,
    Close,
}

/// The messages of a session, as server-sent events
///
/// The first event is `open`; each `message` is a frame of the y-websocket protocol in base64, its id `{session}.{number}`;
/// `close` says with which code, why, and whether to come back with a new session. The header `Last-Event-ID` resumes
/// where a stream broke off: a browser repeats the last id when it comes back by itself. A session that is over is
/// answered 404, one that no longer has what came next 410.
#[utoipa::path(
    get,
    path = "/api/v1/documents/{name}/events",
    operation_id = "listenToDocument",
    tag = "live",
    params(
        Named<Reads>,
        ("session" = inline(Option<Uuid>), Query, description = "The session to listen to. Needed unless `Last-Event-ID` names it."),
        ("after" = inline(Option<u64>), Query, description = "The number of the last message that arrived.")
    ),
    responses(
        (status = 200, description = "The events, without end.", body = StreamEvent, content_type = "text/event-stream"),
        Listening
    )
)]
pub async fn stream(
    app: web::Data<App>,
    request: HttpRequest,
    OfSession(name): OfSession,
    Query(query): Query<SessionQuery>,
) -> Result<HttpResponse, ApiError> {
    let last = request.headers().get("last-event-id").and_then(|id| id.to_str().ok()).and_then(parse_id);
    let asked = query.session.or(last.map(|(session, _)| session)).ok_or_else(no_session_named)?;
    let last = last.filter(|(session, _)| *session == asked).map(|(_, number)| number).or(query.after);
    let after = last.unwrap_or(0);
    let listener = listen(&app, &name, asked, after)?;
    let (id, resumed) = (listener.id(), last.is_some());
    let open = json!({"session": id, "resumed": resumed});
    let first = format!("retry: {COME_BACK}\nevent: open\nid: {id}.{after}\ndata: {open}\n\n");
    let events = stream::unfold(Some((listener, after, Some(first))), async |state| {
        let (listener, after, first) = state?;
        if let Some(first) = first {
            return Some((Encoded::default().text(first), Some((listener, after, None))));
        }
        match listener.next(after).await {
            Told::Messages(messages) => {
                let last = messages.last().map_or(after, |(number, _)| *number);
                Some((in_events(listener.id(), messages), Some((listener, last, None))))
            }
            Told::Closed(reason) => {
                let close = format!("event: close\ndata: {}\n\n", in_json(reason));
                Some((Encoded::default().text(close), None))
            }
            Told::Replaced => None,
        }
    });
    let events = events.flatten().map(Ok::<_, actix_web::Error>);
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("cache-control", "no-store"))
        // Or a proxy in front gathers events before it passes them on.
        .insert_header(("x-accel-buffering", "no"))
        .streaming(Box::pin(events)))
}

/// The answer to a poll.
#[derive(ToSchema)]
#[allow(
    dead_code,
    reason = "written by hand, so that its data is encoded while it leaves; described by this"
)]
pub struct PollAnswer {
    session: Uuid,
    #[schema(inline)]
    messages: Vec<Numbered>,
    #[schema(inline, required)]
    close: Option<Closed>,
}

/// A message, and which of its session it is.
#[derive(ToSchema)]
#[allow(dead_code, reason = "as above")]
struct Numbered {
    #[schema(minimum = 1)]
    number: u64,
    #[schema(content_encoding = "base64")]
    data: String,
}

/// How a session ended.
#[derive(Serialize, ToSchema)]
struct Closed {
    code: u16,
    reason: &'static str,
    /// Whether to come back, with a new session.
    retry: bool,
}

/// The same, as the answers to long polls
///
/// For clients without `EventSource`. Answers as soon as there is something, or with nothing after `wait` seconds. A
/// session that is over is answered 404, one that no longer has what came next 410.
#[utoipa::path(
    get,
    path = "/api/v1/documents/{name}/poll",
    operation_id = "pollDocument",
    tag = "live",
    params(
        Named<Reads>,
        ("session" = Uuid, Query, description = "The session to listen to."),
        ("after" = inline(Option<u64>), Query, description = "The number of the last message that arrived."),
        ("wait" = inline(Option<u64>), Query, description = "Seconds to wait for news: 25 without it, and more than 25 are as good as 25.")
    ),
    responses(
        (status = 200, description = "What came after the last message that arrived.", body = PollAnswer),
        Listening
    )
)]
pub async fn poll(
    app: web::Data<App>,
    OfSession(name): OfSession,
    Query(query): Query<SessionQuery>,
) -> Result<HttpResponse, ApiError> {
    let after = query.after.unwrap_or(0);
    let listener = listen(&app, &name, query.session.ok_or_else(no_session_named)?, after)?;
    let wait = query.wait.map_or(LONGEST_POLL, Duration::from_secs).min(LONGEST_POLL);
    let (messages, close) = match tokio::time::timeout(wait, listener.next(after)).await {
        Ok(Told::Messages(messages)) => (messages, None),
        Ok(Told::Closed(reason)) => (Vec::new(), Some(in_json(reason))),
        Ok(Told::Replaced) | Err(_) => (Vec::new(), None),
    };
    let answer = in_answer(listener.id(), messages, close);
    Ok(HttpResponse::Ok()
        .content_type(mime::APPLICATION_JSON)
        .insert_header(("cache-control", "no-store"))
        .body(answer))
}

/// What the client of such a session says
///
/// One or more frames of the y-websocket protocol, binary. What became of each step 2 and each update comes down as a frame
/// `08 01` (durable) or `08 00` (refused).
#[utoipa::path(
    post,
    path = "/api/v1/documents/{name}/messages",
    operation_id = "speakToDocument",
    tag = "live",
    params(Named<Reads>, ("session" = Uuid, Query, description = "The session to go on with, as it was named.")),
    request_body(content = inline(Binary), content_type = "application/octet-stream"),
    responses((status = 204, description = "On its way to the document."), Sending)
)]
pub async fn say(
    app: web::Data<App>,
    request: HttpRequest,
    OfSession(name): OfSession,
    _: MayChange,
    Query(query): Query<SessionQuery>,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let feed = query.feed(&app, &name)?;
    let body = app.bodies.read(&request, payload, messages(&app)).await?.bytes;
    // Looked at here too, so that a mistake is answered to the request that made it, and ends nothing.
    let (frame, limits) = (body.clone(), app.connection.guard.clone());
    let read = move || ysync::decode(frame, &limits).map(drop);
    app.registry.understand(body.len(), read).await?.map_err(|error| {
        app.metrics.refused(error.reason());
        ApiError::bad_request("refused_message", error.to_string())
    })?;
    if !feed.say(body).await {
        return Err(no_such_session());
    }
    Ok(HttpResponse::NoContent().finish())
}

impl SessionQuery {
    /// The session of this document that is named.
    pub(super) fn feed(&self, app: &App, document: &DocumentName) -> Result<Arc<Feed>, ApiError> {
        app.feeds.find(self.session.ok_or_else(no_session_named)?, document).ok_or_else(no_such_session)
    }
}

/// What is said in one request.
pub(super) fn messages(app: &App) -> Limit {
    Limit { bytes: app.connection.max_message_bytes, of: "messages (see max_message_bytes)" }
}

/// Goes on with a session after a message of it, in place of whoever listened.
fn listen(app: &App, document: &DocumentName, session: Uuid, after: u64) -> Result<Listener, ApiError> {
    let feed = app.feeds.find(session, document).ok_or_else(no_such_session)?;
    if !feed.remembers(after) {
        let message = "the session no longer has what came after that message: begin a new one";
        return Err(ApiError::new(StatusCode::GONE, "messages_gone", message));
    }
    Ok(feed.listen())
}

fn no_session_named() -> ApiError {
    let message = "the query must name the session, which POST …/sessions begins";
    ApiError::bad_request("session_missing", message)
}

fn no_such_session() -> ApiError {
    let message = "there is no such session of this document, or not any more: begin a new one";
    ApiError::new(StatusCode::NOT_FOUND, "no_such_session", message)
}

fn parse_id(id: &str) -> Option<(Uuid, u64)> {
    let (session, number) = id.split_once('.')?;
    Some((session.parse().ok()?, number.parse().ok()?))
}

fn in_events(session: Uuid, messages: Vec<(u64, Bytes)>) -> Encoded {
    messages.into_iter().fold(Encoded::default(), |events, (number, frame)| {
        let head = format!("event: message\nid: {session}.{number}\ndata: ");
        events.text(head).base64(frame).text("\n\n")
    })
}

/// `{"session":…,"messages":[{"number":…,"data":…}],"close":…}`. Nothing in it needs to be escaped.
fn in_answer(session: Uuid, messages: Vec<(u64, Bytes)>, close: Option<serde_json::Value>) -> Encoded {
    let mut answer = Encoded::default().text(format!("{{\"session\":\"{session}\",\"messages\":["));
    for (at, (number, frame)) in messages.into_iter().enumerate() {
        let comma = if at > 0 { "," } else { "" };
        answer = answer.text(format!("{comma}{{\"number\":{number},\"data\":\"")).base64(frame).text("\"}");
    }
    answer.text(format!("],\"close\":{}}}", close.unwrap_or_default()))
}

fn in_json(reason: CloseReason) -> serde_json::Value {
    let (code, reason, retry) = (reason.code(), reason.text(), reason.is_transient());
    json!(Closed { code, reason, retry })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_session_and_a_number() {
        let session = Uuid::from_u128(7);
        assert_eq!(parse_id(&format!("{session}.12")), Some((session, 12)));
        for wrong in
            ["", "12", "a.b", &format!("{session}"), &format!("{session}.-1"), &format!("{session}.1.2")]
        {
            assert_eq!(parse_id(wrong), None, "{wrong}");
        }
    }

    #[tokio::test]
    async fn messages_are_events_in_base64_and_answers_are_json() {
        let messages = vec![(3, Bytes::from_static(&[0, 2, 2, 0, 0])), (4, Bytes::from_static(&[1, 1, 0]))];
        let id = Uuid::nil();
        let text = async |encoded: Encoded| {
            let pieces: Vec<Bytes> = encoded.collect().await;
            String::from_utf8(pieces.concat()).unwrap()
        };
        assert_eq!(
            text(in_events(id, messages.clone())).await,
            format!(
                "event: message\nid: {id}.3\ndata: AAICAAA=\n\nevent: message\nid: {id}.4\ndata: AQEA\n\n"
            )
        );
        let close = json!({"code": 4404});
        for (messages, expected) in [
            (Vec::new(), json!([])),
            (messages, json!([{"number": 3, "data": "AAICAAA="}, {"number": 4, "data": "AQEA"}])),
        ] {
            let answer = text(in_answer(id, messages, Some(close.clone()))).await;
            let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
            assert_eq!(answer, json!({"session": id, "messages": expected, "close": close}));
        }
        assert!(text(in_answer(id, Vec::new(), None)).await.ends_with("\"close\":null}"));
    }
}
