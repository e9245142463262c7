//! Accepts TCP connections and serves HTTP on each.
//!
//! What actix-web's own `HttpServer` does, put together here from the same parts, because it has no place for
//! three things that are needed: the socket in the hands of the handlers ([`Transport`]), an answer to
//! `Expect: 100-continue` before the body is sent, and the reason for which a connection ended.

use std::{io, net::SocketAddr, time::Duration};

use actix_http::{HttpService, Request, Response, body::BoxBody, error::DispatchError};
use actix_server::{Server, ServerBuilder};
use actix_service::{IntoServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::{App as WebApp, dev::AppConfig, error::Error, middleware, web};
use tokio::net::{TcpSocket, TcpStream};

use super::{App, body, door, routes, transport::Transport};

/// People who come back at once after a restart must find room in the queue.
const WAITING: u32 = 4096;

/// Serves on `address` with so many worker threads; the server, to be awaited, and where it listens, which is
/// another port if that was 0. Must be called inside an actix system.
pub fn listen(app: App, address: SocketAddr, workers: usize) -> io::Result<(Server, SocketAddr)> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let listener = socket.listen(WAITING)?.into_std()?;
    let address = listener.local_addr()?;

    let builder = ServerBuilder::default().workers(workers).shutdown_timeout(2).disable_signals();
    let stopping = builder.graceful_shutdown_signal();
    let builder = builder.listen("http", listener, move || {
        let stopping = stopping.clone();
        let expected = app.clone();
        let serve = WebApp::new()
            .app_data(web::Data::new(app.clone()))
            .wrap(middleware::from_fn(door::pass))
            .configure(routes);
        let serve = serve.into_factory().map_err(|error: Error| error.error_response());
        let http = HttpService::<Transport, _, _>::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .keep_alive(Duration::from_secs(75))
            // After our close frame the socket lingers this long for a peer that has more to say. A peer that
            // waits for us to hang up, as RFC 6455 asks and browsers do, reconnects that much later.
            .client_disconnect_timeout(Duration::from_millis(200))
            .local_addr(address)
            .on_connect_ext(|transport: &Transport, data| {
                data.insert(transport.clone());
            })
            .expect(fn_service(move |request: Request| {
                let refusal = body::refused(&expected, request.head());
                std::future::ready(match refusal {
                    None => Ok(request),
                    Some(refusal) => Err(Response::<BoxBody>::from(Error::from(refusal))),
                })
            }))
            .finish(map_config(serve, |()| AppConfig::default()))
            .map_err(ended);
        let takes_nothing = app.connection.outbox.deadline;
        let accept = move |stream: TcpStream| async move {
            stream.set_nodelay(true).map_err(DispatchError::Io)?;
            let peer = stream.peer_addr().ok();
            Ok((Transport::new(stream, takes_nothing), actix_http::Protocol::Http1, peer))
        };
        fn_service(accept).and_then(http)
    })?;
    Ok((builder.run(), address))
}

/// A connection that ended otherwise than by being closed. It is the peer's doing, a request that is none
/// most of all, and nothing to look after.
fn ended(error: DispatchError) -> DispatchError {
    tracing::debug!(%error, "connection ended");
    error
}
