//! The stream under a connection, so that its end is ours to decide.
//!
//! The HTTP server reads and writes a [`Transport`] as it would the stream itself. From an upgrade on it is written by
//! the carrier of the conversation, and read by its [`Reading`]. A conversation that is over holds the [`Hangup`] of its
//! transport, and with it the means to end the stream once the last byte is written, and to take it away from a peer
//! that reads nothing, or that talks on and on.
//!
//! What is read and written goes through a [`Wire`]: TCP as it is, or whatever turns plain bytes into others on their way, as
//! TLS does.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use futures_util::Stream;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// How much is read at once, at the most.
const AT_ONCE: usize = 64 << 10;

thread_local! {
    /// What arrives is copied out of here: a connection that is silent holds no memory for what it may say.
    static ARRIVED: RefCell<Box<[u8]>> = RefCell::new(vec![0; AT_ONCE].into());
}

/// What carries the bytes of a connection, in the end over TCP.
pub trait Wire: AsyncRead + AsyncWrite + Send + Unpin {
    /// The socket below, for what concerns all of it.
    fn socket(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

/// A stream as the HTTP server sees it, with whatever is to be given back at its end.
pub struct Transport<P> {
    shared: Arc<Mutex<Shared>>,
    place: P,
}

/// The end of a stream that is being read and written elsewhere. Clones share it.
#[derive(Clone)]
pub struct Hangup(Arc<Mutex<Shared>>);

struct Shared {
    /// Gone once the stream has ended, whoever ended it.
    stream: Option<Box<dyn Wire>>,
    phase: Phase,
    /// The peer's side is over: nothing more will be read.
    read_dry: bool,
    /// Writing failed; what the peer said before it went is still to be read.
    broken: bool,
    /// The task that reads, and the one that writes; in the HTTP server's hands they are one.
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// Who waits for the last message.
    body: Option<Waker>,
    /// Who waits for the end.
    watcher: Option<Waker>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Requests and answers.
    Http,
    /// A conversation that ends with a handshake of its own.
    Conversation,
    /// Everything was said: the stream ends behind it.
    Concluded,
}

impl<P> Transport<P> {
    /// A stream that was accepted, whose peer may take nothing for so long of an answer that waits for it. `place` is
    /// held until the HTTP server has let go of it.
    pub fn new(wire: impl Wire + 'static, takes_nothing: Duration, place: P) -> Self {
        give_up_after(wire.socket(), Some(takes_nothing));
        let shared = Shared {
            stream: Some(Box::new(wire)),
            phase: Phase::Http,
            read_dry: false,
            broken: false,
            reader: None,
            writer: None,
            body: None,
            watcher: None,
        };
        Self { shared: Arc::new(Mutex::new(shared)), place }
    }

    /// The means to end it.
    pub fn hangup(&self) -> Hangup {
        Hangup(self.shared.clone())
    }

    /// What it holds until its end.
    pub fn place(&self) -> &P {
        &self.place
    }

    /// Its reading half, for a conversation. `behind` was read already.
    pub fn reading(&self, behind: Bytes) -> Reading {
        Reading { shared: self.shared.clone(), behind, pauses: false }
    }
}

/// What arrives on a stream, until its end.
pub struct Reading {
    shared: Arc<Mutex<Shared>>,
    behind: Bytes,
    /// A buffer was full: what it held is to be looked at before more is read.
    pauses: bool,
}

impl Stream for Reading {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if !self.behind.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut self.behind))));
        }
        // Whoever reads until nothing more comes would gather all that a fast peer sends.
        if std::mem::take(&mut self.pauses) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let read = ARRIVED.with_borrow_mut(|arrived| {
            let mut buffer = ReadBuf::new(arrived);
            self.shared.lock().read(context, &mut buffer).map_ok(|()| Bytes::copy_from_slice(buffer.filled()))
        });
        match read {
            Poll::Ready(Ok(bytes)) if bytes.is_empty() => Poll::Ready(None),
            Poll::Ready(Ok(bytes)) => {
                self.pauses = bytes.len() == AT_ONCE;
                Poll::Ready(Some(Ok(bytes)))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Some(Err(error))),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Hangup {
    /// From here on the stream carries a conversation, which has rules of its own for who is slow. A line that breaks
    /// while we write does not hide what the peer said before.
    pub(super) fn converse(&self) {
        let mut shared = self.0.lock();
        shared.phase = Phase::Conversation;
        if let Some(stream) = &shared.stream {
            give_up_after(stream.socket(), None);
            keep_little(stream.socket());
        }
    }

    /// Everything was said. What is on its way is still written, then the stream ends for the peer.
    pub(super) fn conclude(&self) {
        let waker = {
            let mut shared = self.0.lock();
            shared.phase = Phase::Concluded;
            shared.body.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }

    /// Whether everything was said. Registers the waker if not.
    pub(super) fn poll_concluded(&self, context: &Context<'_>) -> Poll<()> {
        let mut shared = self.0.lock();
        if shared.phase == Phase::Concluded || shared.stream.is_none() {
            return Poll::Ready(());
        }
        register(&mut shared.body, context.waker());
        Poll::Pending
    }

    /// Waits until the HTTP server has let go of the stream.
    pub(super) async fn ended(&self) {
        poll_fn(|context| {
            let mut shared = self.0.lock();
            if shared.stream.is_none() {
                return Poll::Ready(());
            }
            register(&mut shared.watcher, context.waker());
            Poll::Pending
        })
        .await;
    }

    /// Ends the stream here and now. What the peer has not taken is thrown away with it, and not kept by the kernel
    /// for a peer that may never take it.
    pub fn cut(&self) {
        let wakers = {
            let mut shared = self.0.lock();
            if let Some(stream) = shared.stream.take() {
                // It may be broken already.
                let _ = stream.socket().set_zero_linger();
            }
            [shared.reader.take(), shared.writer.take(), shared.body.take(), shared.watcher.take()]
        };
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

/// The system counts for how long the peer has acknowledged nothing, or has had no room. A clock here could not: the
/// system says that there is room again when a third of megabytes has been taken, and that may be minutes for a phone
/// which takes all the time.
#[cfg(target_os = "linux")]
fn give_up_after(stream: &TcpStream, time: Option<Duration>) {
    let milliseconds = time.map_or(0, |time| time.as_millis() as u32);
    if let Err(error) = rustix::net::sockopt::set_tcp_user_timeout(stream, milliseconds) {
        tracing::debug!(%error, "a peer that takes nothing cannot be given up");
    }
}

/// The system would keep megabytes for a peer that is slow: what it has not sent is written no sooner than it can be, so that
/// the queue knows what the peer has not taken, and what is urgent does not wait behind the rest.
#[cfg(target_os = "linux")]
fn keep_little(stream: &TcpStream) {
    const UNSENT: u32 = 128 << 10;
    if let Err(error) = socket2::SockRef::from(stream).set_tcp_notsent_lowat(UNSENT) {
        tracing::debug!(%error, "the system may keep much for a slow peer");
    }
}

/// The same where that is not to be had.
#[cfg(not(target_os = "linux"))]
fn keep_little(_: &TcpStream) {}

/// Only Linux can.
#[cfg(not(target_os = "linux"))]
fn give_up_after(_: &TcpStream, _: Option<Duration>) {}

impl<P: Unpin> AsyncRead for Transport<P> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.shared.lock().read(context, buffer)
    }
}

impl<P: Unpin> AsyncWrite for Transport<P> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.shared.lock().write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut shared = self.shared.lock();
        if shared.broken {
            return Poll::Ready(Ok(()));
        }
        let Some(stream) = &mut shared.stream else { return Poll::Ready(Err(over())) };
        Pin::new(stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut shared = self.shared.lock();
        let Some(stream) = &mut shared.stream else { return Poll::Ready(Ok(())) };
        Pin::new(stream).poll_shutdown(context)
    }
}

impl Shared {
    fn read(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        register(&mut self.reader, context.waker());
        let before = buffer.filled().len();
        let Some(stream) = &mut self.stream else { return Poll::Ready(Err(over())) };
        let read = Pin::new(stream).poll_read(context, buffer);
        match &read {
            Poll::Ready(Ok(())) if buffer.filled().len() > before => {}
            Poll::Ready(_) => self.read_dry = true,
            Poll::Pending => {}
        }
        read
    }

    fn write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        register(&mut self.writer, context.waker());
        let Some(stream) = &mut self.stream else { return Poll::Ready(Err(over())) };
        if self.broken {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(stream).poll_write(context, bytes);
        // An error would throw the connection away, together with what was not read: a page that closes says so, and
        // is gone before we know.
        if matches!(written, Poll::Ready(Err(_))) && self.phase != Phase::Http && !self.read_dry {
            self.broken = true;
            return Poll::Ready(Ok(bytes.len()));
        }
        written
    }
}

impl<P> Drop for Transport<P> {
    fn drop(&mut self) {
        let wakers = {
            let mut shared = self.shared.lock();
            shared.stream = None;
            (shared.reader, shared.writer) = (None, None);
            [shared.body.take(), shared.watcher.take()]
        };
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

fn over() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the connection was ended")
}

fn register(known: &mut Option<Waker>, waker: &Waker) {
    if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
        *known = Some(waker.clone());
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// Turns every bit over, and holds back what is written until it is flushed.
    struct Turned {
        socket: TcpStream,
        held: Vec<u8>,
    }

    impl Wire for Turned {
        fn socket(&self) -> &TcpStream {
            &self.socket
        }
    }

    impl AsyncRead for Turned {
        fn poll_read(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let before = buffer.filled().len();
            let read = Pin::new(&mut self.socket).poll_read(context, buffer);
            buffer.filled_mut()[before..].iter_mut().for_each(|byte| *byte = !*byte);
            read
        }
    }

    impl AsyncWrite for Turned {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.held.extend(bytes.iter().map(|byte| !byte));
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
            let Self { socket, held } = &mut *self;
            while !held.is_empty() {
                let Poll::Ready(written) = Pin::new(&mut *socket).poll_write(context, held)? else {
                    return Poll::Pending;
                };
                held.drain(..written);
            }
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.socket).poll_shutdown(context)
        }
    }

    #[tokio::test]
    async fn what_is_said_and_heard_goes_through_the_wire() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (socket, _) = listener.accept().await.unwrap();
        let wire = Turned { socket, held: Vec::new() };
        let mut transport = Transport::new(wire, Duration::from_secs(60), ());
        let (hangup, mut reading) = (transport.hangup(), transport.reading(Bytes::new()));
        hangup.converse();
        transport.write_all(b"hello").await.unwrap();
        transport.flush().await.unwrap();
        let mut heard = [0; 5];
        peer.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard.map(|byte| !byte), *b"hello");
        peer.write_all(&b"good day".map(|byte| !byte)).await.unwrap();
        assert_eq!(reading.next().await.unwrap().unwrap(), "good day");
        hangup.cut();
        assert!(peer.read(&mut heard).await.is_err(), "the end is a reset");
    }
}
