//! The floor: the least that a server on tokio can do, with which the others are compared.
//!
//! It forwards each binary message to all others in the room and does nothing else: no CRDT, no store, no check. A
//! state vector is answered with an empty update, so that clients are content. It can also be told to drop or to swap
//! messages, which is how the generator shows that it would notice.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future as _;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tungstenite::handshake::derive_accept_key;

use crate::frame::{self, Opcode};
use crate::wire::{self, EMPTY_UPDATE, EMPTY_VECTOR, Message, Sync};

/// What a reader may owe before it is cut off: it will not catch up, and the floor must not eat the machine.
const MAX_OWED: usize = 256 << 20;

/// How the forwarder misbehaves, for the tests of the generator.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, clap::Args)]
pub(crate) struct Misdeeds {
    /// Forward all but every n-th update
    #[arg(long, value_name = "N")]
    pub(crate) drop_every: Option<u64>,
    /// Forward every n-th update behind the one that follows it
    #[arg(long, value_name = "N")]
    pub(crate) swap_every: Option<u64>,
    /// Forward every n-th update twice
    #[arg(long, value_name = "N")]
    pub(crate) repeat_every: Option<u64>,
}

/// What the forwarder does beyond forwarding.
#[derive(Debug, Default, Clone, Copy, clap::Args)]
pub(crate) struct Options {
    /// Keep what was forwarded while somebody is in the room, and hand it to every newcomer: the least that a storm
    /// of reconnecting editors needs
    #[arg(long)]
    pub(crate) replay: bool,
    #[command(flatten)]
    pub(crate) misdeeds: Misdeeds,
}

/// Serves until the process ends. `ready` is told the address.
pub(crate) fn serve(listen: SocketAddr, options: Options, ready: impl FnOnce(SocketAddr)) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind(listen).await.with_context(|| format!("listen on {listen}"))?;
        ready(listener.local_addr()?);
        let house = Rc::new(House {
            misdeeds: options.misdeeds,
            replay: options.replay,
            scratch: RefCell::new(vec![0; 64 * 1024]),
            rooms: RefCell::default(),
            count: Cell::new(0),
            held: RefCell::default(),
        });
        loop {
            let (stream, _) = listener.accept().await.context("accept")?;
            let house = house.clone();
            tokio::task::spawn_local(async move {
                // A client's end of the connection is its own business; the floor serves the others.
                let _ended = house.visit(stream).await;
            });
        }
    })
}

struct House {
    misdeeds: Misdeeds,
    replay: bool,
    /// Where every socket reads into.
    scratch: RefCell<Vec<u8>>,
    rooms: RefCell<HashMap<String, Rc<Room>>>,
    /// Updates seen so far, for the misdeeds.
    count: Cell<u64>,
    /// An update that waits for its successor, by room.
    held: RefCell<HashMap<String, Vec<u8>>>,
}

#[derive(Default)]
struct Room {
    guests: RefCell<Vec<Rc<Guest>>>,
    /// What was forwarded since the room was empty, if newcomers are to have it.
    past: RefCell<Vec<u8>>,
}

#[derive(Default)]
struct Guest {
    /// Frames that wait to be written.
    owed: RefCell<Vec<u8>>,
    wake: Notify,
}

impl Guest {
    fn owe(&self, frames: &[u8]) {
        let mut owed = self.owed.borrow_mut();
        if owed.is_empty() {
            self.wake.notify_one();
        }
        owed.extend_from_slice(frames);
    }
}

impl House {
    async fn visit(&self, mut stream: TcpStream) -> Result<()> {
        stream.set_nodelay(true)?;
        let mut inbox = Vec::with_capacity(4096);
        let name = accept(&mut stream, &mut inbox).await?;
        let room = self.rooms.borrow_mut().entry(name.clone()).or_default().clone();
        let guest = Rc::new(Guest::default());
        guest.owe(&sync_frame(Sync::Step1, EMPTY_VECTOR));
        guest.owe(&room.past.borrow());
        room.guests.borrow_mut().push(guest.clone());
        let outcome = self.entertain(stream, inbox, &name, &room, &guest).await;
        let mut guests = room.guests.borrow_mut();
        guests.retain(|other| !Rc::ptr_eq(other, &guest));
        if guests.is_empty() {
            room.past.take();
        }
        outcome
    }

    async fn entertain(
        &self,
        mut stream: TcpStream,
        mut inbox: Vec<u8>,
        name: &str,
        room: &Room,
        guest: &Rc<Guest>,
    ) -> Result<()> {
        let (reader, mut writer) = stream.split();
        let reading = async {
            self.receive(&mut inbox, &[], name, room, guest)?;
            loop {
                reader.readable().await?;
                let mut scratch = self.scratch.borrow_mut();
                match reader.try_read(&mut scratch) {
                    Ok(count) => {
                        ensure!(count > 0, "end of stream");
                        self.receive(&mut inbox, &scratch[..count], name, room, guest)?;
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => (),
                    Err(error) => return Err(error.into()),
                }
            }
        };
        let writing = async {
            let mut frames = Vec::new();
            loop {
                guest.wake.notified().await;
                std::mem::swap(&mut frames, &mut *guest.owed.borrow_mut());
                ensure!(frames.len() < MAX_OWED, "a reader too slow");
                writer.write_all(&frames).await?;
                let size = frames.len();
                frames.clear();
                frames.shrink_to(2 * size); // an idle guest keeps next to nothing
            }
        };
        let (mut reading, mut writing) = (pin!(reading), pin!(writing));
        std::future::poll_fn(|context| {
            if let Poll::Ready(ended) = reading.as_mut().poll(context) {
                return Poll::Ready(ended);
            }
            writing.as_mut().poll(context)
        })
        .await
    }

    /// Takes in what arrived and hands it to the others in the room.
    fn receive(
        &self,
        inbox: &mut Vec<u8>,
        arrived: &[u8],
        name: &str,
        room: &Room,
        guest: &Rc<Guest>,
    ) -> Result<()> {
        inbox.extend_from_slice(arrived);
        let mut forward = Vec::new();
        let used = self.handle(inbox, name, guest, &mut forward)?;
        inbox.drain(..used);
        inbox.shrink_to(2 * inbox.len());
        if !forward.is_empty() {
            for other in room.guests.borrow().iter().filter(|other| !Rc::ptr_eq(other, guest)) {
                other.owe(&forward);
            }
            if self.replay {
                room.past.borrow_mut().extend_from_slice(&forward);
            }
        }
        Ok(())
    }

    /// Reads the complete frames of the inbox into frames to forward, and returns their length.
    fn handle(&self, inbox: &mut [u8], name: &str, guest: &Guest, forward: &mut Vec<u8>) -> Result<usize> {
        let mut used = 0;
        while let Some(frame) = frame::parse(&inbox[used..])? {
            let start = used + frame.header;
            used = start + frame.payload;
            let payload = &mut inbox[start..used];
            frame::unmask(payload, frame.mask.context("a client must mask")?);
            match frame.opcode {
                Opcode::Binary => {
                    // The first bytes tell a state vector, and an answer with nothing in it, from what is forwarded.
                    if payload.starts_with(&[0, 0]) {
                        guest.owe(&sync_frame(Sync::Step2, EMPTY_UPDATE));
                    } else if *payload != [0, 1, 2, 0, 0] {
                        self.pass_on(payload, name, forward);
                    }
                }
                Opcode::Ping => {
                    let mut frames = Vec::new();
                    frame::write_plain(&mut frames, Opcode::Pong, payload);
                    guest.owe(&frames);
                }
                Opcode::Close => anyhow::bail!("closed"),
                Opcode::Continuation | Opcode::Text | Opcode::Pong => (),
            }
        }
        Ok(used)
    }

    fn pass_on(&self, payload: &[u8], name: &str, forward: &mut Vec<u8>) {
        let due = |every: Option<u64>, count: u64| every.is_some_and(|every| count.is_multiple_of(every));
        if self.misdeeds == Misdeeds::default() || !is_update(payload) {
            return frame::write_plain(forward, Opcode::Binary, payload);
        }
        let count = self.count.get() + 1;
        self.count.set(count);
        if due(self.misdeeds.drop_every, count) {
            return;
        }
        if due(self.misdeeds.swap_every, count) {
            let earlier = self.held.borrow_mut().insert(name.to_owned(), payload.to_vec());
            return earlier.iter().for_each(|held| frame::write_plain(forward, Opcode::Binary, held));
        }
        frame::write_plain(forward, Opcode::Binary, payload);
        if due(self.misdeeds.repeat_every, count) {
            frame::write_plain(forward, Opcode::Binary, payload);
        }
        if let Some(held) = self.held.borrow_mut().remove(name) {
            frame::write_plain(forward, Opcode::Binary, &held);
        }
    }
}

fn sync_frame(kind: Sync, body: &[u8]) -> Vec<u8> {
    let (mut message, mut frame) = (Vec::new(), Vec::new());
    wire::write_sync(&mut message, kind, body);
    frame::write_plain(&mut frame, Opcode::Binary, &message);
    frame
}

fn is_update(payload: &[u8]) -> bool {
    let mut found = false;
    let read = wire::each_message(payload, |message| found |= matches!(message, Message::Update(_)));
    found && read.is_ok()
}

/// Answers the upgrade and returns the room's name: the path. What came behind the request stays in the inbox.
async fn accept(stream: &mut TcpStream, inbox: &mut Vec<u8>) -> Result<String> {
    loop {
        ensure!(stream.read_buf(inbox).await? > 0, "end of stream");
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut request = httparse::Request::new(&mut headers);
        let httparse::Status::Complete(length) = request.parse(inbox)? else { continue };
        let path = request.path.unwrap_or("/").split('?').next().unwrap_or("/").to_owned();
        let key = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case("sec-websocket-key"));
        let accept = derive_accept_key(key.context("no upgrade")?.value);
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        stream.write_all(answer.as_bytes()).await?;
        inbox.drain(..length);
        return Ok(path);
    }
}
