//! Accepts TCP connections and serves HTTP on each.
//!
//! What actix-web's own `HttpServer` does, put together here from the same parts, because it has no place for
//! three things that are needed: the socket in the hands of the handlers ([`Transport`]), an answer to
//! `Expect: 100-continue` before the body is sent, and the reason for which a connection ended.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    rc::Rc,
    time::Duration,
};

use actix_codec::Framed;
use actix_http::{
    HttpService, Protocol, Request, Response,
    body::{BoxBody, MessageBody},
    error::DispatchError,
    h1::Codec,
};
use actix_server::{Server, ServerBuilder};
use actix_service::{
    IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt, apply_fn_factory, fn_factory, fn_service,
    map_config,
};
use actix_web::{
    App as WebApp, HttpResponse,
    dev::{AppConfig, ServiceResponse},
    error::Error,
    middleware, web,
};
use tokio::net::{TcpSocket, TcpStream};

use super::{
    App, door, expect,
    places::{self, Place, Places, SPARE},
    routes, upgraded,
};
use crate::connection::transport::Transport;

/// People who come back at once after a restart must find room in the queue.
const WAITING: u32 = 4096;

/// Connections that a worker thread may have accepted and not looked at yet, beyond the places there are.
pub const IN_HAND: usize = 8;

/// How long a connection may be open before its first request has come. The clock runs on while this server is busy,
/// and it is looked at before the socket is: with a few seconds a request that came in time was answered 408.
const FIRST_REQUEST: Duration = Duration::from_secs(15);

/// What the HTTP server is given of a connection.
type Connection = (Transport<Place>, Protocol, Option<SocketAddr>);

/// A request for an upgrade, and the connection it came over.
type Upgrading = (Request, Framed<Transport<Place>, Codec>);

/// Serves on `address` with so many worker threads and `room` connections at the most; the server, to be awaited, and where it listens, which is
/// another port if that was 0. Must be called inside an actix system.
pub fn listen(
    app: App,
    address: SocketAddr,
    workers: usize,
    room: usize,
) -> io::Result<(Server, SocketAddr)> {
    let listener = bind(address)?;
    let address = listener.local_addr()?;
    let builder = ServerBuilder::default()
        .workers(workers)
        // Or the threads that are behind would take files away from the store.
        .max_concurrent_connections((room + SPARE).div_ceil(workers) + IN_HAND)
        .shutdown_timeout(2)
        .disable_signals();
    let stopping = builder.graceful_shutdown_signal();
    let builder = builder.listen("http", listener, move || {
        let stopping = stopping.clone();
        let expected = app.clone();
        let http = HttpService::<Transport<Place>, _, _>::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .keep_alive(Duration::from_secs(75))
            .client_request_timeout(FIRST_REQUEST)
            .client_disconnect_timeout(upgraded::LINGER)
            .local_addr(address)
            .on_connect_ext(|transport: &Transport<Place>, data| {
                data.insert(transport.hangup());
                if let Some(outside) = transport.place().outside() {
                    data.insert(outside);
                }
            })
            .expect(fn_service(move |request: Request| {
                let refusal = expect::refused(&expected, request.head());
                std::future::ready(match refusal {
                    None => Ok(request),
                    Some(refusal) => Err(Response::<BoxBody>::from(Error::from(refusal))),
                })
            }))
            // Twice: for requests, and for those of them that ask for an upgrade.
            .upgrade(carrying(answers(&app)))
            .finish(answers(&app));
        seating(app.places.clone(), app.connection.outbox.deadline, http)
    })?;
    Ok((builder.run(), address))
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(WAITING)?.into_std()
}

/// What is answered to requests.
fn answers(
    app: &App,
) -> impl ServiceFactory<
    Request,
    Config = (),
    Response = ServiceResponse<impl MessageBody + use<>>,
    Error = HttpResponse,
    InitError = (),
> + use<> {
    let serve = WebApp::new()
        .app_data(web::Data::new(app.clone()))
        .wrap(middleware::from_fn(places::check))
        .wrap(middleware::from_fn(door::pass))
        .configure(routes);
    let serve = serve.into_factory().map_err(|error: Error| error.error_response());
    map_config(serve, |()| AppConfig::default())
}

/// Conversations that began with a request for an upgrade, which `answers` take or refuse.
fn carrying<S, B>(
    answers: S,
) -> impl ServiceFactory<Upgrading, Config = (), Response = (), Error = Error, InitError = ()>
where
    S: ServiceFactory<
            Request,
            Config = (),
            Response = ServiceResponse<B>,
            Error = HttpResponse,
            InitError = (),
            Future: 'static,
        > + 'static,
    B: MessageBody + 'static,
{
    fn_factory(move || {
        let routes = answers.new_service(());
        async move {
            let routes = Rc::new(routes.await?);
            Ok(fn_service(move |(request, framed): Upgrading| {
                let routes = routes.clone();
                async move {
                    if let Err(error) = upgraded::carry(&*routes, request, framed).await {
                        // The HTTP server would make an error of it.
                        upgraded::note_end(&error);
                    }
                    Ok(())
                }
            }))
        }
    })
}

/// Gives each connection its place and serves `http` on it.
///
/// The server counts what it has accepted by these futures, and a conversation goes on when the HTTP server is done with
/// its connection: so that they do not keep room for all its work, they wait for the place to be given back.
fn seating<S>(
    places: Places,
    takes_nothing: Duration,
    http: S,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()>
where
    S: ServiceFactory<Connection, Config = (), Response = (), Error = DispatchError, InitError = ()>
        + 'static,
    <S::Service as Service<Connection>>::Future: 'static,
{
    apply_fn_factory(http, move |stream: TcpStream, http: &S::Service| {
        let seated = stream.set_nodelay(true).and_then(|()| stream.peer_addr()).map(|peer| {
            let (transport, is_gone) = places.seat(stream, peer, takes_nothing);
            let served = http.call((transport, Protocol::Http1, Some(peer)));
            actix_web::rt::spawn(async move {
                if let Err(error) = served.await {
                    upgraded::note_end(&error);
                }
            });
            is_gone
        });
        async move {
            match seated {
                Ok(is_gone) => drop(is_gone.await),
                Err(error) => upgraded::note_end(&error),
            }
            Ok::<_, DispatchError>(())
        }
    })
}
