//! Lets conversations in: the document's name, the token, and the handshake.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use percent_encoding::percent_decode_str;
use serde::Deserialize;

use super::{
    App,
    error::ApiError,
    extract::{Caller, MayConnect, Query, allow, caller},
};
use crate::{
    auth::{Access, Admitted},
    connection::{
        collab::Editor,
        many::Many,
        penalty,
        single::Single,
        socket::{self, Opening, With},
    },
    ids::{ConnectionId, DocumentName, InvalidName},
    protocol::{
        Dialect,
        close::CloseReason,
        json::{self, EditorName, FieldName},
    },
};

/// `GET /ws/{document}`: a connection of the y-websocket dialect.
///
/// With `?echo=durable` the client hears each of its own updates back once it is durable, with `?echo=none` never.
/// Without either it does if its id is one of Yjs 14, whose provider computes from it what is saved. A token
/// comes as `?token=…` or as the subprotocol `yauth-…`.
pub async fn y_websocket(
    request: HttpRequest,
    _: MayConnect,
    Query(asked): Query<Pairs>,
    payload: web::Payload,
    app: web::Data<App>,
) -> Result<HttpResponse, actix_web::Error> {
    let document = named(request.uri().path(), "/ws/", app.config.raw_names).map_err(ApiError::from)?;
    let asked = Asked::of(asked);
    let connection = ConnectionId::new();
    let with = match admit(&request, &app, &document).await {
        Err(reason) => With::Nobody(reason),
        Ok((admitted, ends)) => {
            slowed(&request, &app, &document)?;
            With::One(Single {
                connection,
                document,
                admitted,
                ends,
                dialect: asked.echo.map_or(Dialect::YWebSocketById, |echo| Dialect::YWebSocket { echo }),
                max_sessions: app.config.limits.per_document,
                registry: app.registry.clone(),
                metrics: app.metrics.clone(),
                address: address(&request),
                penalties: app.penalties.clone(),
            })
        }
    };
    open(&request, payload, &app, connection, with, &asked).await
}

/// `GET /hocuspocus` and whatever follows: a connection of the Hocuspocus dialect. The path says nothing; a
/// load balancer may use it. Documents are named, and tokens presented, in the frames.
pub async fn hocuspocus(
    request: HttpRequest,
    _: MayConnect,
    Query(asked): Query<Pairs>,
    payload: web::Payload,
    app: web::Data<App>,
) -> Result<HttpResponse, actix_web::Error> {
    let connection = ConnectionId::new();
    let with = With::Many(Many {
        connection,
        policy: app.policy.clone(),
        max_sessions: app.config.limits.per_document,
        registry: app.registry.clone(),
        metrics: app.metrics.clone(),
        address: address(&request),
        penalties: app.penalties.clone(),
    });
    open(&request, payload, &app, connection, with, &Asked::of(asked)).await
}

/// What a client may ask of its connection in the query.
#[derive(Debug, Default)]
struct Asked {
    /// Without a word of it, the client's id tells.
    echo: Option<bool>,
    /// The longest silence it takes for a living line.
    keepalive: Option<Duration>,
}

/// A query as it stands there. Of what a client may ask twice the last word counts, and what it should not is nobody's.
type Pairs = Vec<(String, String)>;

impl Asked {
    fn of(pairs: Pairs) -> Self {
        let mut asked = Self::default();
        for (key, value) in pairs {
            match key.as_str() {
                "echo" if value == "durable" => asked.echo = Some(true),
                "echo" if value == "none" => asked.echo = Some(false),
                "keepalive" => {
                    let seconds = value.parse().ok().filter(|seconds| (1..=20).contains(seconds));
                    asked.keepalive = seconds.map(Duration::from_secs);
                }
                _ => {}
            }
        }
        asked
    }
}

/// Lets a caller into a document for a conversation. Who may not is told by a close code: what an upgrade is answered, a browser
/// shows nobody, and clients come back for ever.
pub(super) async fn admit(
    request: &HttpRequest,
    app: &App,
    document: &DocumentName,
) -> Result<(Admitted, Option<Instant>), CloseReason> {
    let Caller { principal, ends } = caller(request, app).await.map_err(|_| CloseReason::Unauthorized)?;
    let access = allow(app, &principal, document, Access::Read).await.map_err(|_| CloseReason::Forbidden)?;
    Ok((Admitted { principal, access }, ends))
}

/// Where a request comes from.
pub(super) fn address(request: &HttpRequest) -> IpAddr {
    request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip())
}

/// Logs that an update over HTTP was refused, and why.
pub(super) fn complain(app: &App, document: &DocumentName, why: impl std::fmt::Display) {
    app.registry.complain(document, "update over HTTP", why, Instant::now());
}

/// Lets nobody in yet whose last connections to this document were refused what they brought.
pub(super) fn slowed(request: &HttpRequest, app: &App, document: &DocumentName) -> Result<(), ApiError> {
    let Some(wait) = app.penalties.wait(address(request), document, Instant::now()) else { return Ok(()) };
    app.metrics.turned_away.inc();
    let refusal = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "refused_again", penalty::words(wait));
    Err(refusal.retry_after(penalty::seconds(wait)))
}

async fn open(
    request: &HttpRequest,
    payload: web::Payload,
    app: &App,
    connection: ConnectionId,
    with: With,
    asked: &Asked,
) -> Result<HttpResponse, actix_web::Error> {
    let config = app.connection.clone();
    let heartbeat = match asked.keepalive {
        Some(longest) => config.heartbeat.heard_every(longest),
        None => config.heartbeat,
    };
    let (metrics, max_message_bytes) = (app.metrics.clone(), config.max_message_bytes);
    let opening = Opening { connection, with, metrics, max_message_bytes, config, heartbeat };
    socket::open(request, payload, opening).await
}

/// The query of `/collab`.
#[derive(Debug, Deserialize)]
pub struct CollabQuery {
    /// Which text of the document; `content` without it.
    field: Option<String>,
}

/// `GET /collab/{document}/{editor}?field=content`: a connection of the JSON dialect. The editor's name is
/// what follows the last slash; the document's name may hold slashes of its own.
pub async fn collab(
    request: HttpRequest,
    _: MayConnect,
    Query(query): Query<CollabQuery>,
    payload: web::Payload,
    app: web::Data<App>,
) -> Result<HttpResponse, actix_web::Error> {
    let (document, editor) = request.uri().path().rsplit_once('/').unwrap_or_default();
    let document = named(document, "/collab/", app.config.raw_names).map_err(ApiError::from)?;
    let editor = percent_decode_str(editor).decode_utf8_lossy();
    let editor = EditorName::parse(&editor)
        .map_err(|error| ApiError::bad_request("invalid_editor", format!("the editor's name {error}")))?;
    let field = FieldName::parse(query.field.as_deref().unwrap_or("content"))
        .map_err(|error| ApiError::bad_request("invalid_field", format!("the field's name {error}")))?;
    let limits = json::EditLimits::default();
    let with = match admit(&request, &app, &document).await {
        Err(reason) => With::Nobody(reason),
        Ok((Admitted { principal, access }, ends)) => With::Text(Editor {
            document,
            field,
            name: editor,
            access,
            person: principal.person(),
            ends,
            max_sessions: app.config.limits.per_document,
            limits,
            registry: app.registry.clone(),
            metrics: app.metrics.clone(),
        }),
    };
    let opening = Opening {
        connection: ConnectionId::new(),
        with,
        metrics: app.metrics.clone(),
        // A message that is somewhat too long is answered in words.
        max_message_bytes: 2 * limits.message_bytes,
        config: app.connection.clone(),
        heartbeat: app.connection.heartbeat,
    };
    socket::open(&request, payload, opening).await
}

/// The document's name: what follows `prefix` in the path, percent-decoded unless `raw`.
pub fn named(path: &str, prefix: &str, raw: bool) -> Result<DocumentName, InvalidName> {
    let name = path.strip_prefix(prefix).unwrap_or_default();
    if raw {
        return DocumentName::parse(name);
    }
    DocumentName::parse_bytes(&percent_decode_str(name).collect::<Vec<u8>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_rest_of_the_path() {
        let name = |path, raw| named(path, "/ws/", raw).map(|name| name.to_string());
        assert_eq!(name("/ws/a/b", false).unwrap(), "a/b");
        assert_eq!(name("/ws/a%2Fb%20c", false).unwrap(), "a/b c");
        assert_eq!(name("/ws/%E6%96%87", false).unwrap(), "文");
        assert_eq!(name("/ws/%E6%96%87", true).unwrap(), "%E6%96%87");
        assert_eq!(name("/ws/", false), Err(InvalidName::Blank));
        assert_eq!(name("/ws/%ff", false), Err(InvalidName::NotUtf8));
    }
}
