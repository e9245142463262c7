//! A TCP connection as the HTTP server carries it, and as whoever answers on it can reach it.
//!
//! The HTTP server owns the connections and shows nobody the socket. But some things can only be done to the
//! socket: to end a connection whatever the peer does, to say how long a peer may take nothing. So both hold
//! it, the server and, as connection data of each request, its handlers.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// A TCP connection. Clones are the same one.
///
/// Only the HTTP server reads and writes it, from one task: the others would take its wake-ups from it.
#[derive(Clone, Debug)]
pub struct Transport(Rc<RefCell<TcpStream>>);

impl Transport {
    /// A connection that was accepted, whose peer may take nothing for so long of an answer that waits for it.
    pub fn new(stream: TcpStream, takes_nothing: Duration) -> Self {
        let transport = Self(Rc::new(RefCell::new(stream)));
        transport.give_up_after(Some(takes_nothing));
        transport
    }

    /// Ends it, whatever is on its way.
    pub fn end(&self) {
        // It may have ended by itself, which is as good.
        let _ = rustix::net::shutdown(&*self.0.borrow(), rustix::net::Shutdown::Both);
    }

    /// Its two ends talk with each other from now on, and have rules of their own for who is slow.
    pub fn is_upgraded(&self) {
        self.give_up_after(None);
    }

    /// The system counts for how long the peer has acknowledged nothing, or has had no room. A clock here
    /// could not: the system says that there is room again when a third of megabytes has been taken, and
    /// that may be minutes for a phone which takes all the time.
    #[cfg(target_os = "linux")]
    fn give_up_after(&self, time: Option<Duration>) {
        let milliseconds = time.map_or(0, |time| time.as_millis() as u32);
        let set = rustix::net::sockopt::set_tcp_user_timeout(&*self.0.borrow(), milliseconds);
        if let Err(error) = set {
            tracing::debug!(%error, "a peer that takes nothing cannot be given up");
        }
    }

    /// Only Linux can.
    #[cfg(not(target_os = "linux"))]
    fn give_up_after(&self, _: Option<Duration>) {}
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_read(context, buffer)
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_shutdown(context)
    }
}
