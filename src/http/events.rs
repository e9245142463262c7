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
use serde::Deserialize;
use serde_json::json;
use std::{sync::Arc, time::Duration};
use uuid::Uuid;

use super::{
    App,
    body::Limit,
    documents::{Named, may_change},
    encoded::Encoded,
    error::ApiError,
    places, upgrade,
};
use crate::{
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

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Query {
    /// The session to go on with.
    session: Option<Uuid>,
    /// The last message that arrived.
    after: Option<u64>,
    /// Seconds to wait for news.
    wait: Option<u64>,
    /// What a policy may want to see.
    token: Option<String>,
}

impl Query {
    fn of(query: &str) -> Result<Self, ApiError> {
        let query = web::Query::<Self>::from_query(query);
        query
            .map(web::Query::into_inner)
            .map_err(|error| ApiError::bad_request("invalid_query", error.to_string()))
    }
}

/// `POST /api/v1/documents/{name}/sessions`: begins a session and names it. It waits for half a minute for somebody who
/// listens.
pub async fn begin(
    app: web::Data<App>,
    request: HttpRequest,
    Named(document): Named,
) -> Result<HttpResponse, ApiError> {
    may_change(request.headers(), &app)?;
    upgrade::admit(&request, &app)?;
    let token = Query::of(request.query_string())?.token;
    let bearer = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned);
    let token = token.or(bearer).filter(|token| !token.is_empty());
    let access = upgrade::access(&app, &document, token).await?;
    let address = upgrade::address(&request);
    upgrade::slowed(&request, &app, &document)?;
    let place = app.places.admit(address).map_err(|setting| {
        app.metrics.turned_away.inc();
        places::full(setting)
    })?;
    let single = Single {
        connection: ConnectionId::new(),
        document,
        access,
        dialect: Dialect::Hocuspocus,
        max_sessions: app.config.limits.per_document,
        registry: app.registry.clone(),
        metrics: app.metrics.clone(),
        address,
        penalties: app.penalties.clone(),
    };
    let session = app.feeds.open(single, &app.connection, place);
    Ok(HttpResponse::Created().insert_header(("cache-control", "no-store")).json(json!({"session": session})))
}

/// `DELETE /api/v1/documents/{name}/sessions/{session}`: ends a session, as a goodbye: its presence goes at once.
pub async fn end(
    app: web::Data<App>,
    request: HttpRequest,
    Named(name): Named,
) -> Result<HttpResponse, ApiError> {
    may_change(request.headers(), &app)?;
    let session = request.match_info().get("session").and_then(|session| session.parse().ok());
    let feed = session.and_then(|session| app.feeds.find(session, &name)).ok_or_else(no_such_session)?;
    feed.goodbye().await;
    Ok(HttpResponse::NoContent().finish())
}

/// `GET /api/v1/documents/{name}/events?session=…`: the messages of a session as server-sent events.
///
/// The first event is `open`. Each `message` is a frame in base64, its id `{session}.{number}`; a browser repeats the
/// last id when it comes back by itself, and goes on there. `close` says with which code, and whether to come back,
/// with a new session.
pub async fn stream(
    app: web::Data<App>,
    request: HttpRequest,
    Named(name): Named,
) -> Result<HttpResponse, ApiError> {
    let query = Query::of(request.query_string())?;
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

/// `GET /api/v1/documents/{name}/poll?session=…&after=…&wait=25`: the same for clients without `EventSource`. Answers
/// as soon as there is something, or with nothing after `wait` seconds.
pub async fn poll(
    app: web::Data<App>,
    request: HttpRequest,
    Named(name): Named,
) -> Result<HttpResponse, ApiError> {
    let query = Query::of(request.query_string())?;
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

/// `POST /api/v1/documents/{name}/messages?session=…`: what the client says, as one or more frames in the body,
/// binary. Answers 204 when it is on its way to the document; what became of it comes down as acknowledgements.
pub async fn say(
    app: web::Data<App>,
    request: HttpRequest,
    Named(name): Named,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    may_change(request.headers(), &app)?;
    let feed = spoken_to(&app, request.query_string(), &name)?;
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

/// The session that the query of a message names.
pub(super) fn spoken_to(app: &App, query: &str, document: &DocumentName) -> Result<Arc<Feed>, ApiError> {
    let session = Query::of(query)?.session.ok_or_else(no_session_named)?;
    app.feeds.find(session, document).ok_or_else(no_such_session)
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
    json!({"code": reason.code(), "reason": reason.text(), "retry": reason.is_transient()})
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
