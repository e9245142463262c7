//! Thousands of WebSocket clients on one core.
//!
//! A [`Fleet`] owns the sockets and one epoll; a [`Driver`] says what the editors do. No task and no buffer per idle
//! socket: bytes are read into one shared buffer, and a frame that is complete is handed to the driver from where it
//! lies. The payload is masked with zeros, which the protocol allows, so a frame is written as fast as copied.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;
use tungstenite::client::IntoClientRequest as _;
use tungstenite::handshake::{client::generate_request, derive_accept_key};

use crate::frame::{self, Opcode};

/// A socket of the fleet, counted from 0 in the order of connecting.
pub(crate) type Id = usize;

/// What happens to a socket.
pub(crate) enum Event<'a> {
    /// The handshake is done; the socket takes messages.
    Open,
    /// A whole binary message has arrived.
    Message(&'a [u8]),
    /// The socket is gone, with the reason in words.
    Closed(String),
}

/// What the editors do about it.
pub(crate) trait Driver {
    /// Takes in one event. `now` is when the bytes were read, in nanoseconds of [`Fleet::now`].
    fn on(&mut self, id: Id, event: Event<'_>, now: u64, outgoing: &mut Outgoing);
}

/// Messages on their way out: written when the driver returns, all of a socket's in one write.
#[derive(Default)]
pub(crate) struct Outgoing {
    buffers: Vec<Vec<u8>>,
    dirty: Vec<Id>,
}

impl Outgoing {
    /// Queues one binary message. Without a limit: an editor never drops what was typed, and scenarios bound what
    /// they type.
    pub(crate) fn send(&mut self, id: Id, payload: &[u8]) {
        self.push(id, Opcode::Binary, payload);
    }

    /// For so many sockets that are not there, to see what a driver does.
    #[cfg(test)]
    pub(crate) fn nowhere(sockets: usize) -> Self {
        Self { buffers: vec![Vec::new(); sockets], dirty: Vec::new() }
    }

    fn push(&mut self, id: Id, opcode: Opcode, payload: &[u8]) {
        let buffer = &mut self.buffers[id];
        if buffer.is_empty() {
            self.dirty.push(id);
        }
        frame::write_masked(buffer, opcode, payload);
    }
}

/// The sockets.
pub(crate) struct Fleet {
    epoll: OwnedFd,
    epoch: Instant,
    links: Vec<Option<Link>>,
    outgoing: Outgoing,
    scratch: Vec<u8>,
    ready: Vec<epoll::Event>,
}

struct Link {
    stream: TcpStream,
    /// The key whose digest the server must answer with; `None` once it has.
    handshake: Option<String>,
    /// The beginning of a frame whose end has not arrived.
    partial: Vec<u8>,
    /// Pieces of a message that the server sends in several frames.
    fragments: Vec<u8>,
    /// How much of the outgoing buffer the kernel has taken, while it refuses more.
    written: usize,
    blocked: bool,
}

impl Fleet {
    /// An empty fleet.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC).context("create epoll")?,
            epoch: Instant::now(),
            links: Vec::new(),
            outgoing: Outgoing::default(),
            scratch: vec![0; 256 * 1024],
            ready: Vec::with_capacity(1024),
        })
    }

    /// Nanoseconds since the fleet was made: the clock of all latencies.
    pub(crate) fn now(&self) -> u64 {
        self.epoch.elapsed().as_nanos() as u64
    }

    /// Starts a connection. Its handshake goes on in [`Fleet::turn`], which tells the driver when it is open.
    pub(crate) fn connect(&mut self, url: &str) -> Result<Id> {
        let id = self.links.len();
        self.links.push(None);
        self.outgoing.buffers.push(Vec::new());
        self.reconnect(id, url)?;
        Ok(id)
    }

    /// As [`Fleet::connect`], in the place of a socket that is closed.
    pub(crate) fn reconnect(&mut self, id: Id, url: &str) -> Result<()> {
        let request = url.into_client_request().with_context(|| format!("read the address {url}"))?;
        let authority = request.uri().authority().context("an address without a host")?;
        let address = resolve(authority.host(), authority.port_u16().unwrap_or(80))?;
        // Blocking, as the kernel of a server on this machine accepts at once.
        let stream = TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let (bytes, key) = generate_request(request)?;
        epoll::add(&self.epoll, &stream, epoll::EventData::new_u64(id as u64), epoll::EventFlags::IN)?;
        self.links[id] = Some(Link {
            stream,
            handshake: Some(derive_accept_key(key.as_bytes())),
            partial: Vec::new(),
            fragments: Vec::new(),
            written: 0,
            blocked: false,
        });
        self.outgoing.buffers[id] = bytes;
        self.write(id)
    }

    /// Drops a socket as a lost network does: without a word.
    pub(crate) fn drop_socket(&mut self, id: Id) {
        self.links[id] = None; // closing the descriptor takes it out of epoll
        self.outgoing.buffers[id] = Vec::new();
    }

    /// Drops all sockets.
    pub(crate) fn drop_all(&mut self) {
        for id in 0..self.links.len() {
            self.drop_socket(id);
        }
    }

    /// Lets the driver's hands reach the outgoing queue outside an event; written at the next turn's beginning.
    pub(crate) fn outgoing(&mut self) -> &mut Outgoing {
        &mut self.outgoing
    }

    /// Writes what is queued, waits up to `patience` for something to happen, and lets the driver answer it.
    pub(crate) fn turn(&mut self, driver: &mut impl Driver, patience: Duration) -> Result<()> {
        self.flush(driver)?;
        let mut ready = std::mem::take(&mut self.ready);
        let timeout =
            Timespec { tv_sec: patience.as_secs() as i64, tv_nsec: i64::from(patience.subsec_nanos()) };
        ready.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut ready), Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => (),
            Err(error) => return Err(error).context("wait for sockets"),
        }
        for event in &ready {
            let (flags, data) = (event.flags, event.data); // copied out of a packed struct
            let id = data.u64() as Id;
            if flags.contains(epoll::EventFlags::OUT) {
                self.write_or_close(id, driver);
            }
            if flags.intersects(epoll::EventFlags::IN | epoll::EventFlags::HUP | epoll::EventFlags::ERR) {
                self.read(id, driver);
            }
        }
        self.ready = ready;
        self.flush(driver)
    }

    /// Turns until the driver is content, or fails after `limit`, saying what was waited for.
    pub(crate) fn turn_until<D: Driver>(
        &mut self,
        driver: &mut D,
        limit: Duration,
        what: &str,
        mut done: impl FnMut(&D) -> bool,
    ) -> Result<()> {
        let deadline = Instant::now() + limit;
        while !done(driver) {
            let left = deadline.saturating_duration_since(Instant::now());
            ensure!(!left.is_zero(), "waited {} s for {what}", limit.as_secs_f32());
            self.turn(driver, left.min(Duration::from_millis(50)))?;
        }
        Ok(())
    }

    fn flush(&mut self, driver: &mut impl Driver) -> Result<()> {
        while let Some(id) = self.outgoing.dirty.pop() {
            self.write_or_close(id, driver);
        }
        Ok(())
    }

    fn write_or_close(&mut self, id: Id, driver: &mut impl Driver) {
        if let Err(error) = self.write(id) {
            self.close(id, driver, format!("{error:#}"));
        }
    }

    fn write(&mut self, id: Id) -> Result<()> {
        let buffer = &mut self.outgoing.buffers[id];
        let Some(link) = &mut self.links[id] else {
            buffer.clear(); // a message to a socket that has just gone
            return Ok(());
        };
        while link.written < buffer.len() {
            match link.stream.write(&buffer[link.written..]) {
                Ok(count) => link.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => (),
                Err(error) => return Err(error).context("write"),
            }
        }
        let blocked = link.written < buffer.len();
        if !blocked {
            buffer.clear();
            buffer.shrink_to(64 * 1024);
            link.written = 0;
        }
        if blocked != link.blocked {
            link.blocked = blocked;
            let flags =
                if blocked { epoll::EventFlags::IN | epoll::EventFlags::OUT } else { epoll::EventFlags::IN };
            epoll::modify(&self.epoll, &link.stream, epoll::EventData::new_u64(id as u64), flags)?;
        }
        Ok(())
    }

    fn read(&mut self, id: Id, driver: &mut impl Driver) {
        let Some(link) = &mut self.links[id] else { return };
        let count = match link.stream.read(&mut self.scratch) {
            Ok(0) => return self.close(id, driver, "end of stream".into()),
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return,
            Err(error) => return self.close(id, driver, format!("read: {error}")),
        };
        let now = self.epoch.elapsed().as_nanos() as u64;
        if let Err(error) = link.receive(&self.scratch[..count], id, driver, now, &mut self.outgoing) {
            self.close(id, driver, format!("{error:#}"));
        }
    }

    fn close(&mut self, id: Id, driver: &mut impl Driver, reason: String) {
        self.drop_socket(id);
        let now = self.now();
        driver.on(id, Event::Closed(reason), now, &mut self.outgoing);
    }
}

impl Link {
    fn receive(
        &mut self,
        arrived: &[u8],
        id: Id,
        driver: &mut impl Driver,
        now: u64,
        outgoing: &mut Outgoing,
    ) -> Result<()> {
        // Frames are read where they lie unless an earlier read left the beginning of one.
        if self.partial.is_empty() {
            let used = self.consume(arrived, id, driver, now, outgoing)?;
            self.partial.extend_from_slice(&arrived[used..]);
            return Ok(());
        }
        let mut partial = std::mem::take(&mut self.partial);
        partial.extend_from_slice(arrived);
        let used = self.consume(&partial, id, driver, now, outgoing)?;
        if used == partial.len() {
            return Ok(()); // its memory goes back
        }
        partial.drain(..used);
        self.partial = partial;
        Ok(())
    }

    /// Handles what is complete in `bytes` and returns its length.
    fn consume(
        &mut self,
        bytes: &[u8],
        id: Id,
        driver: &mut impl Driver,
        now: u64,
        outgoing: &mut Outgoing,
    ) -> Result<usize> {
        let mut used = 0;
        if let Some(expected) = &self.handshake {
            let Some(length) = check_answer(bytes, expected)? else { return Ok(0) };
            used = length;
            self.handshake = None;
            driver.on(id, Event::Open, now, outgoing);
        }
        while let Some(frame) = frame::parse(&bytes[used..])? {
            let payload = &bytes[used + frame.header..used + frame.header + frame.payload];
            used += frame.header + frame.payload;
            match frame.opcode {
                Opcode::Binary if frame.is_final => driver.on(id, Event::Message(payload), now, outgoing),
                Opcode::Binary | Opcode::Continuation => {
                    self.fragments.extend_from_slice(payload);
                    if frame.is_final {
                        let message = std::mem::take(&mut self.fragments);
                        driver.on(id, Event::Message(&message), now, outgoing);
                    }
                }
                Opcode::Ping => outgoing.push(id, Opcode::Pong, payload),
                Opcode::Pong => (),
                Opcode::Close => bail!("closed by the server: {}", frame::close_reason(payload)),
                Opcode::Text => bail!("a text frame, which this dialect does not have"),
            }
        }
        Ok(used)
    }
}

/// Returns the length of the server's answer to the handshake if it is complete, and refuses a wrong one.
fn check_answer(bytes: &[u8], expected: &str) -> Result<Option<usize>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut answer = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = answer.parse(bytes)? else { return Ok(None) };
    let status = answer.code.unwrap_or_default();
    ensure!(status == 101, "the server answers {status} to the upgrade");
    let accept =
        answer.headers.iter().find(|header| header.name.eq_ignore_ascii_case("sec-websocket-accept"));
    ensure!(
        accept.is_some_and(|header| header.value == expected.as_bytes()),
        "the server took another's key"
    );
    Ok(Some(length))
}

fn resolve(host: &str, port: u16) -> Result<SocketAddr> {
    use std::net::ToSocketAddrs as _;
    let mut found =
        (host.trim_matches(['[', ']']), port).to_socket_addrs().with_context(|| format!("find {host}"))?;
    found.next().with_context(|| format!("{host} has no address"))
}
