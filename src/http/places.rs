//! How many connections there may be, and whose.
//!
//! Every TCP connection takes a place before a byte of it is read, whatever it will be used for, and gives it back when
//! its socket is closed and its memory free; so does a session over plain HTTP, which has no socket of its own. Who
//! finds no place is still told so, and is answered whether the server is well: for that there are a few spare places,
//! of which the newest comer gets the one that was taken longest ago. Past those the files of the process would run
//! out, and with them the store.

use std::{
    collections::{HashMap, VecDeque},
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use actix_web::{
    Error, ResponseError,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{ConnectionType, StatusCode},
    middleware::Next,
    web,
};
use parking_lot::Mutex;
use tokio::{net::TcpStream, sync::oneshot};

use super::{App, error::ApiError};
use crate::connection::transport::{Hangup, Transport};

/// Connections beyond the limits that are told so, at any time. Enough for a burst of people who come back too many,
/// and a probe among them.
pub const SPARE: usize = 64;

/// What is answered on a spare place.
const ALWAYS_ANSWERED: [&str; 3] = ["/livez", "/readyz", "/metrics"];

/// How many connections there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaceLimits {
    /// In all. Each costs about 5 KiB while idle, a document that it alone has open not counted, and up to its outbox while slow.
    pub connections: usize,
    /// From one address. Behind a proxy all come from one.
    pub per_address: usize,
    /// In one document.
    pub per_document: usize,
}

impl Default for PlaceLimits {
    fn default() -> Self {
        Self { connections: 20_000, per_address: 5_000, per_document: 5_000 }
    }
}

/// Who is connected. Clones share the count.
#[derive(Clone)]
pub struct Places {
    limits: PlaceLimits,
    /// For how many there are files.
    room: usize,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    inside: usize,
    by_address: HashMap<IpAddr, usize>,
    /// Those on spare places, the longest there first.
    spare: VecDeque<(u64, Hangup)>,
    last_spare: u64,
}

/// A place, given back when dropped.
pub struct Place {
    places: Places,
    kind: Kind,
    /// Dropped with it: who waits for that.
    gone: Option<oneshot::Sender<()>>,
}

enum Kind {
    Inside(IpAddr),
    Spare(u64, &'static str),
}

/// Marks the requests of a connection on a spare place, with what kept it from another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outside(&'static str);

impl Places {
    /// Nobody is connected. There are files for `room` connections.
    pub fn new(limits: PlaceLimits, room: usize) -> Self {
        Self { limits, room, taken: Arc::default() }
    }

    /// How many places are taken, spare ones included.
    pub fn taken(&self) -> usize {
        let taken = self.taken.lock();
        taken.inside + taken.spare.len()
    }

    /// A place for somebody at `address`, or what forbids it.
    pub fn admit(&self, address: IpAddr) -> Result<Place, &'static str> {
        let mut taken = self.taken.lock();
        if taken.inside >= self.limits.connections {
            return Err("max_connections");
        }
        if taken.inside >= self.room {
            return Err("the system's limit on open files");
        }
        let from_there = taken.by_address.entry(address).or_default();
        if *from_there >= self.limits.per_address {
            return Err("max_connections_per_address");
        }
        *from_there += 1;
        taken.inside += 1;
        Ok(Place { places: self.clone(), kind: Kind::Inside(address), gone: None })
    }

    /// A connection that was accepted, on its place. One on a spare place makes room for it if need be. Its peer may
    /// take nothing for so long of an answer that waits for it. What is also returned ends with the place.
    pub(super) fn seat(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        takes_nothing: Duration,
    ) -> (Transport<Place>, oneshot::Receiver<()>) {
        let (gone, is_gone) = oneshot::channel();
        let setting = match self.admit(peer.ip()) {
            Ok(mut place) => {
                place.gone = Some(gone);
                return (Transport::new(stream, takes_nothing, place), is_gone);
            }
            Err(setting) => setting,
        };
        let mut taken = self.taken.lock();
        taken.last_spare += 1;
        let number = taken.last_spare;
        let longest_there = if taken.spare.len() < SPARE { None } else { taken.spare.pop_front() };
        let place = Place { places: self.clone(), kind: Kind::Spare(number, setting), gone: Some(gone) };
        let transport = Transport::new(stream, takes_nothing, place);
        taken.spare.push_back((number, transport.hangup()));
        drop(taken);
        if let Some((_, hangup)) = longest_there {
            hangup.cut();
        }
        (transport, is_gone)
    }
}

impl Place {
    /// What kept a connection from a place other than a spare one.
    pub(super) fn outside(&self) -> Option<Outside> {
        match self.kind {
            Kind::Inside(_) => None,
            Kind::Spare(_, setting) => Some(Outside(setting)),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock();
        match self.kind {
            Kind::Inside(address) => {
                taken.inside -= 1;
                if let Some(from_there) = taken.by_address.get_mut(&address) {
                    *from_there -= 1;
                    if *from_there == 0 {
                        taken.by_address.remove(&address);
                    }
                }
            }
            Kind::Spare(number, _) => {
                let left = taken.spare.iter().position(|(there, _)| *there == number);
                // Dropped once the lock is not held: it may be the last to know of its connection.
                let left = left.and_then(|at| taken.spare.remove(at));
                drop(taken);
                drop(left);
            }
        }
    }
}

/// Every request passes here. On a spare place it is told that there is no other, and the connection ends behind the
/// answer.
pub async fn check(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(&Outside(setting)) = request.conn_data::<Outside>() else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    let mut response = if ALWAYS_ANSWERED.contains(&request.path()) && !request.head().upgrade() {
        next.call(request).await?.map_into_boxed_body()
    } else {
        if let Some(app) = request.app_data::<web::Data<App>>() {
            app.metrics.turned_away.inc();
        }
        request.into_response(full(setting).error_response())
    };
    response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    Ok(response)
}

/// The answer where a limit forbids a connection.
pub(super) fn full(setting: &str) -> ApiError {
    let message = format!("there are as many connections as {setting} allows");
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_connections", message)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn limits(connections: usize, per_address: usize) -> PlaceLimits {
        PlaceLimits { connections, per_address, per_document: 9 }
    }

    #[test]
    fn places_are_counted_and_given_back() {
        let [one, two] = [1, 2].map(|last| IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)));
        let places = Places::new(limits(3, 2), 10);
        let first = places.admit(one).ok().unwrap();
        let _second = places.admit(one).ok().unwrap();
        assert_eq!(places.admit(one).err(), Some("max_connections_per_address"));
        let _third = places.admit(two).ok().unwrap();
        assert_eq!(places.admit(two).err(), Some("max_connections"));
        drop(first);
        assert!(places.admit(one).is_ok());
        let narrow = Places::new(limits(9, 9), 1);
        let _only = narrow.admit(one).ok().unwrap();
        assert_eq!(narrow.admit(one).err(), Some("the system's limit on open files"));
    }
}
