//! Documents over plain HTTP, for networks that let no WebSocket through.
//!
//! Down: `GET …/events`, server-sent events, or `GET …/poll`, the same as answers to long polls. Up:
//! `POST …/messages`. A message is a frame of the y-websocket dialect, or of the Hocuspocus dialect without its
//! address, which is the same for sync and presence; the acknowledgements are Hocuspocus's. The session behind it is
//! that of a WebSocket, with the same limits and the same care for slow readers.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, mime, web};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde_json::json;
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};
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

/// `GET /api/v1/documents/{name}/events`: a session whose messages come as server-sent events.
///
/// The first event, `open`, names the session. Each `message` is a frame in base64, its id `{session}.{number}`; a
/// browser repeats the last id when it comes back, and goes on there if the session still lives. Otherwise `open`
/// names a new one, and the client begins with a step 1, as on a new socket. `close` says with which code, and
/// whether to come back.
pub async fn stream(
    app: web::Data<App>,
    request: HttpRequest,
    Named(name): Named,
) -> Result<HttpResponse, ApiError> {
    let query = Query::of(request.query_string())?;
    let last = request.headers().get("last-event-id").and_then(|id| id.to_str().ok()).and_then(parse_id);
    let last = last.or(query.session.map(|session| (session, query.after.unwrap_or(0))));
    let (listener, after) = match last.and_then(|last| resume(&app, &name, last)) {
        Some(resumed) => resumed,
        None => (begin(&app, &request, &name, query.token).await?, 0),
    };
    let resumed = last.is_some_and(|(session, _)| session == listener.id());
    let id = listener.id();
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

/// `GET /api/v1/documents/{name}/poll?session=…&after=…&wait=25`: the same for clients without `EventSource`.
/// Without a session it begins one. Answers as soon as there is something, or with nothing after `wait` seconds.
pub async fn poll(
    app: web::Data<App>,
    request: HttpRequest,
    Named(name): Named,
) -> Result<HttpResponse, ApiError> {
    let query = Query::of(request.query_string())?;
    let (listener, after) = match query.session {
        Some(session) => {
            let after = query.after.unwrap_or(0);
            resume(&app, &name, (session, after)).ok_or_else(no_such_session)?
        }
        None => (begin(&app, &request, &name, query.token).await?, 0),
    };
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
    ysync::decode(body.clone(), &app.connection.guard).map_err(|error| {
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
    let Some(session) = Query::of(query)?.session else {
        let message = "the query must name the session, as the event open did";
        return Err(ApiError::bad_request("session_missing", message));
    };
    app.feeds.find(session, document).ok_or_else(no_such_session)
}

/// What is said in one request.
pub(super) fn messages(app: &App) -> Limit {
    Limit { bytes: app.connection.max_message_bytes, of: "messages (see max_message_bytes)" }
}

async fn begin(
    app: &App,
    request: &HttpRequest,
    document: &DocumentName,
    token: Option<String>,
) -> Result<Listener, ApiError> {
    upgrade::admit(request, app)?;
    let address = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    let permit = app.places.admit(address).map_err(|setting| {
        app.metrics.turned_away.inc();
        places::full(setting)
    })?;
    let bearer = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned);
    let token = token.or(bearer).filter(|token| !token.is_empty());
    let access = upgrade::access(app, document, token).await?;
    let single = Single {
        connection: ConnectionId::new(),
        document: document.clone(),
        access,
        dialect: Dialect::Hocuspocus,
        max_sessions: app.config.limits.per_document,
        registry: app.registry.clone(),
        metrics: app.metrics.clone(),
    };
    Ok(app.feeds.open(single, &app.connection, permit))
}

/// Goes on where a listener was, if the session lives and still has what comes next.
fn resume(app: &App, document: &DocumentName, (session, after): (Uuid, u64)) -> Option<(Listener, u64)> {
    let feed = app.feeds.find(session, document).filter(|feed: &Arc<Feed>| feed.remembers(after))?;
    Some((app.feeds.listen(&feed), after))
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
