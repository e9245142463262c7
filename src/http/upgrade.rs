//! Lets connections in: the limits, the document's name, and the handshake.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use parking_lot::Mutex;
use percent_encoding::percent_decode_str;

use super::{App, error::ApiError};
use crate::{
    auth::Access,
    connection::socket::{self, Opening},
    ids::{ConnectionId, DocumentName, InvalidName},
};

/// How many connections there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// In all. Each costs about 10 KiB while idle, and up to its outbox while slow.
    pub connections: usize,
    /// From one address. Behind a proxy all come from one.
    pub per_address: usize,
    /// In one document.
    pub per_document: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 20_000, per_address: 5_000, per_document: 5_000 }
    }
}

/// Who is connected. Clones share the count.
#[derive(Clone, Debug)]
pub struct Connections {
    limits: Limits,
    places: Arc<Mutex<Places>>,
}

#[derive(Debug, Default)]
struct Places {
    taken: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// A connection's place within the limits; given back when dropped.
#[derive(Debug)]
pub struct Permit {
    connections: Connections,
    address: IpAddr,
}

impl Connections {
    /// Nobody is connected.
    pub fn new(limits: Limits) -> Self {
        Self { limits, places: Arc::default() }
    }

    /// A place for a connection from `address`, or which setting forbids it.
    pub fn admit(&self, address: IpAddr) -> Result<Permit, &'static str> {
        let mut places = self.places.lock();
        if places.taken >= self.limits.connections {
            return Err("max_connections");
        }
        let from_there = places.by_address.entry(address).or_default();
        if *from_there >= self.limits.per_address {
            return Err("max_connections_per_address");
        }
        *from_there += 1;
        places.taken += 1;
        Ok(Permit { connections: self.clone(), address })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut places = self.connections.places.lock();
        places.taken -= 1;
        if let Some(from_there) = places.by_address.get_mut(&self.address) {
            *from_there -= 1;
            if *from_there == 0 {
                places.by_address.remove(&self.address);
            }
        }
    }
}

/// `GET /ws/{document}`: a connection of the y-websocket dialect.
///
/// With `?echo=durable` the client hears each of its own updates back once it is durable. Stock clients do
/// not ask for that, and get no echo.
pub async fn y_websocket(
    request: HttpRequest,
    payload: web::Payload,
    app: web::Data<App>,
) -> Result<HttpResponse, actix_web::Error> {
    let permit = admit(&request, &app)?;
    let document = named(request.uri().path(), "/ws/", app.config.raw_names).map_err(ApiError::from)?;
    let opening = Opening {
        connection: ConnectionId::new(),
        document,
        access: Access::Write,
        acknowledged: request.query_string().split('&').any(|pair| pair == "echo=durable"),
        max_sessions: app.config.limits.per_document,
        registry: app.registry.clone(),
        metrics: app.metrics.clone(),
        config: app.connection.clone(),
        permit,
    };
    socket::open(&request, payload, opening).await
}

/// A place for the connection that the request asks for, whatever it is going to speak. What is refused here
/// is counted.
pub fn admit(request: &HttpRequest, app: &App) -> Result<Permit, ApiError> {
    let refused = |status, code, message: String| {
        app.metrics.turned_away.inc();
        Err(ApiError::new(status, code, message))
    };
    if !app.config.origins.admits(request.headers()) {
        let message = "pages of this origin may not connect; the setting allow_origin lists those that may";
        return refused(StatusCode::FORBIDDEN, "origin_not_allowed", message.to_owned());
    }
    if app.registry.is_draining() {
        let message = "the server is shutting down";
        return refused(StatusCode::SERVICE_UNAVAILABLE, "shutting_down", message.to_owned());
    }
    let address = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    app.connections.admit(address).or_else(|setting| {
        let message = format!("there are as many connections as {setting} allows");
        refused(StatusCode::SERVICE_UNAVAILABLE, "too_many_connections", message)
    })
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

    #[test]
    fn places_are_counted_and_given_back() {
        let [one, two] = [1, 2].map(|last| IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)));
        let connections = Connections::new(Limits { connections: 3, per_address: 2, per_document: 9 });
        let first = connections.admit(one).unwrap();
        let _second = connections.admit(one).unwrap();
        assert_eq!(connections.admit(one).unwrap_err(), "max_connections_per_address");
        let _third = connections.admit(two).unwrap();
        assert_eq!(connections.admit(two).unwrap_err(), "max_connections");
        drop(first);
        assert!(connections.admit(one).is_ok());
    }
}
