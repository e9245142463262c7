//! A person at a browser: a document of their own, and a socket that comes and goes.
//!
//! The person edits the document at once, whether the socket is there or not; the socket's tasks carry the
//! changes. What was heard is kept, so that a test can ask about it. Frames are decoded by yrs's own reader,
//! not by Weft's.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tokio::{
    net::{TcpSocket, TcpStream},
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{self, Message, protocol::CloseFrame},
};
use yrs::{
    Array, ArrayRef, Doc, GetString, Map, MapRef, OffsetKind, Options, ReadTxn, Snapshot, StateVector, Text,
    TextRef, Transact, TransactionMut, Update, XmlFragmentRef,
    block::ClientID,
    sync::{self, SyncMessage},
    types::ToJson,
    updates::{decoder::Decode, encoder::Encode},
};

use super::{
    Address, PATIENCE, frames,
    plain::{self, Events},
    until,
};

/// What a path may contain as it is; slashes in a document's name stay slashes.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

type Socket = WebSocketStream<TcpStream>;

/// Somebody with a name and a document.
pub(crate) struct Client {
    pub(crate) name: String,
    acknowledged: bool,
    carrier: Carrier,
    token: String,
    receive_buffer: Option<u32>,
    path: String,
    /// The document's name, before every frame of the Hocuspocus dialect.
    address: Vec<u8>,
    shared: Arc<Shared>,
    link: Option<Link>,
}

/// How frames come and go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Carrier {
    YWebsocket,
    Hocuspocus,
    /// Plain HTTP: server-sent events and requests.
    Events,
    /// Plain HTTP: long polls and requests.
    Polls,
}

impl Carrier {
    /// Whether the server says of every change what became of it.
    fn answers_changes(self) -> bool {
        self != Self::YWebsocket
    }

    /// What goes over the line: in one of the dialects with the document's address before it.
    fn frame(self, address: &[u8], body: impl Into<Bytes>) -> Message {
        let body = body.into();
        Message::Binary(match self {
            Self::Hocuspocus => [address, &body[..]].concat().into(),
            _ => body,
        })
    }
}

/// A connection, as long as it lasts.
struct Link {
    outgoing: mpsc::UnboundedSender<Message>,
    reading: watch::Sender<bool>,
    writer: JoinHandle<()>,
    reader: JoinHandle<()>,
}

struct Shared {
    doc: Doc,
    roots: Roots,
    seen: Mutex<Seen>,
}

/// The shared types that every test document has.
pub(crate) struct Roots {
    pub(crate) text: TextRef,
    pub(crate) map: MapRef,
    pub(crate) array: ArrayRef,
    pub(crate) xml: XmlFragmentRef,
}

/// What a client has heard.
#[derive(Default)]
struct Seen {
    online: bool,
    /// The answer to our step 1 has come.
    synced: bool,
    /// With what the last connection was closed, if it was closed properly.
    closed: Option<Option<u16>>,
    /// Updates that have not come back durable.
    unacknowledged: Vec<Bytes>,
    /// Update messages, own ones that came back not counted.
    updates: usize,
    /// Bytes of all frames.
    bytes: usize,
    presence: HashMap<u64, (u32, Option<Value>)>,
    /// All presence that came, in order: client, clock, state.
    told: Vec<(u64, u32, Option<Value>)>,
    own_presence: Option<(u32, Value)>,
    allowed: Option<String>,
    denied: Option<String>,
    /// Was asked for another token (Hocuspocus).
    asked_for_a_token: bool,
    refusals: usize,
    stateless: Vec<String>,
    /// The session over plain HTTP.
    session: String,
    /// The same and the last message that came.
    last_heard: Option<(String, u64)>,
    /// That session goes on over this line.
    resumed: bool,
    /// The first thing that a client must never see.
    offence: Option<String>,
}

impl Client {
    /// Somebody new, not connected.
    pub(crate) fn named(name: &str) -> Self {
        Self::with_id(name, rand::random::<u32>().into())
    }

    /// Somebody new, writing under this client id.
    pub(crate) fn with_id(name: &str, id: u64) -> Self {
        let options =
            Options { client_id: ClientID::new(id), offset_kind: OffsetKind::Utf16, ..Options::default() };
        let doc = Doc::with_options(options);
        let roots = Roots {
            text: doc.get_or_insert_text("text"),
            map: doc.get_or_insert_map("map"),
            array: doc.get_or_insert_array("array"),
            xml: doc.get_or_insert_xml_fragment("xml"),
        };
        Self {
            name: name.to_owned(),
            acknowledged: false,
            carrier: Carrier::YWebsocket,
            token: String::new(),
            receive_buffer: None,
            path: String::new(),
            address: Vec::new(),
            shared: Arc::new(Shared { doc, roots, seen: Mutex::default() }),
            link: None,
        }
    }

    /// Wants every change acknowledged once it is durable.
    pub(crate) fn acknowledged(mut self) -> Self {
        self.acknowledged = true;
        self
    }

    /// Speaks the Hocuspocus dialect, in which every change is acknowledged.
    pub(crate) fn over_hocuspocus(mut self) -> Self {
        (self.carrier, self.acknowledged) = (Carrier::Hocuspocus, true);
        self
    }

    /// Has no WebSocket, but a stream of events, and says what there is to say by requests. Every change is
    /// acknowledged.
    pub(crate) fn over_events(mut self) -> Self {
        (self.carrier, self.acknowledged) = (Carrier::Events, true);
        self
    }

    /// The same without a stream: asks again and again.
    pub(crate) fn over_polls(mut self) -> Self {
        (self.carrier, self.acknowledged) = (Carrier::Polls, true);
        self
    }

    /// Presents a token.
    pub(crate) fn with_token(mut self, token: &str) -> Self {
        token.clone_into(&mut self.token);
        self
    }

    /// Receives into a buffer of this many bytes, so that a slow reader is soon felt by the server.
    pub(crate) fn receive_buffer(mut self, bytes: u32) -> Self {
        self.receive_buffer = Some(bytes);
        self
    }

    // ---- coming and going -----------------------------------------------------------------------------

    /// Connects and waits until all of the document is here.
    pub(crate) async fn opens(mut self, server: &impl Address, document: &str) -> Self {
        self.wants(document);
        self.comes_back(server).await;
        self
    }

    /// Names the document to connect to.
    pub(crate) fn wants(&mut self, document: &str) {
        self.path = utf8_percent_encode(document, IN_PATH).to_string();
        self.address = frames::buffer(document.as_bytes());
    }

    /// Connects again, to the same document, and waits until all of it is here.
    pub(crate) async fn comes_back(&mut self, server: &impl Address) {
        self.connects(server).await.unwrap_or_else(|error| panic!("{} cannot connect: {error}", self.name));
        until(&format!("{} is synced", self.name), || self.is_synced()).await;
    }

    /// Connects, without waiting for more than the handshake.
    pub(crate) async fn connects(&mut self, server: &impl Address) -> Result<(), tungstenite::Error> {
        assert!(self.link.is_none(), "{} is connected", self.name);
        let address = server.address();
        if matches!(self.carrier, Carrier::Events | Carrier::Polls) {
            return self.connects_plainly(address).await.ok_or(tungstenite::Error::ConnectionClosed);
        }
        let socket = TcpSocket::new_v4().unwrap();
        if let Some(bytes) = self.receive_buffer {
            socket.set_recv_buffer_size(bytes).unwrap();
        }
        let stream = socket.connect(address).await?;
        stream.set_nodelay(true).unwrap();
        let url = if self.carrier == Carrier::Hocuspocus {
            format!("ws://{address}/hocuspocus")
        } else {
            let echo = if self.acknowledged { "echo=durable&" } else { "" };
            format!("ws://{address}/ws/{}?{echo}token={}", self.path, self.token)
        };
        let (socket, _) = tokio_tungstenite::client_async(url, stream).await?;

        let (sink, stream) = socket.split();
        let (outgoing, queue) = mpsc::unbounded_channel();
        let reading = watch::Sender::new(true);
        let reader = self.reader(&outgoing);
        reader.greets(&self.token, false);
        let writer = tokio::spawn(write(sink, queue));
        let reader = tokio::spawn(reader.read(stream, reading.subscribe()));
        self.link = Some(Link { outgoing, reading, writer, reader });
        Ok(())
    }

    /// Begins a session over plain HTTP, or goes on with the last one if the server still has it. Nothing if the
    /// server is not there or refuses.
    async fn connects_plainly(&mut self, address: SocketAddr) -> Option<()> {
        let document = self.path.replace('/', "%2F");
        let (outgoing, queue) = mpsc::unbounded_channel();
        let reading = watch::Sender::new(true);
        let last = self.seen().last_heard.take();
        let reader = self.reader(&outgoing);
        let reader = if self.carrier == Carrier::Events {
            let id = last.map(|(session, number)| format!("{session}.{number}"));
            let events = Events::open(address, &document, id.as_deref(), self.receive_buffer).await?;
            self.seen().session = events.open["session"].as_str().unwrap().to_owned();
            reader.greets("", events.open["resumed"] == true);
            tokio::spawn(reader.read_events(events, reading.subscribe()))
        } else {
            let mut answer = None;
            if let Some((session, after)) = &last {
                let query = format!("session={session}&after={after}&wait=0");
                answer = plain::poll(address, &document, &query).await.filter(|(status, _)| *status == 200);
            }
            let after = last.filter(|_| answer.is_some()).map(|(_, after)| after);
            let (_, answer) = match answer {
                Some(answer) => answer,
                None => {
                    let session = plain::begin(address, &document).await?;
                    let query = format!("session={session}&wait=0");
                    plain::poll(address, &document, &query).await.filter(|(status, _)| *status == 200)?
                }
            };
            self.seen().session = answer["session"].as_str().unwrap().to_owned();
            reader.greets("", after.is_some());
            let poll = Poll { address, document: document.clone(), after: after.unwrap_or(0), answer };
            tokio::spawn(reader.read_polls(poll, reading.subscribe()))
        };
        let writer = tokio::spawn(say(self.shared.clone(), address, document, queue));
        self.link = Some(Link { outgoing, reading, writer, reader });
        Some(())
    }

    fn reader(&self, outgoing: &mpsc::UnboundedSender<Message>) -> Reader {
        Reader {
            shared: self.shared.clone(),
            acknowledged: self.acknowledged,
            carrier: self.carrier,
            address: self.address.clone(),
            outgoing: outgoing.clone(),
        }
    }

    /// Goes properly, as a program does.
    pub(crate) async fn leaves(&mut self) {
        self.closes(1000).await;
    }

    /// Goes with this close code.
    pub(crate) async fn closes(&mut self, code: u16) {
        if matches!(self.carrier, Carrier::Events | Carrier::Polls) {
            return self.drops().await; // there is no goodbye
        }
        let frame = CloseFrame { code: code.into(), reason: "".into() };
        self.send(Message::Close(Some(frame)));
        self.is_closed().await;
    }

    /// The line breaks: nobody says goodbye.
    pub(crate) async fn drops(&mut self) {
        if let Some(link) = self.link.take() {
            link.reader.abort();
            link.writer.abort();
            // Only once both are gone is the socket closed.
            let _ = tokio::join!(link.reader, link.writer);
        }
        self.seen().online = false;
    }

    /// Waits until the connection has ended, and says with what it was closed.
    pub(crate) async fn is_closed(&mut self) -> Option<u16> {
        until(&format!("{} is disconnected", self.name), || !self.seen().online).await;
        let code = self.seen().closed.flatten();
        self.drops().await;
        code
    }

    /// Reads nothing more until told to. The socket stays open.
    pub(crate) fn stops_reading(&self) {
        self.link().reading.send_replace(false);
    }

    /// Reads on.
    pub(crate) fn reads_again(&self) {
        self.link().reading.send_replace(true);
    }

    pub(crate) fn is_online(&self) -> bool {
        self.seen().online
    }

    pub(crate) fn is_synced(&self) -> bool {
        let seen = self.seen();
        assert_eq!(seen.offence, None, "{}", self.name);
        assert!(seen.online || seen.synced, "{} was closed with {:?} while opening", self.name, seen.closed);
        seen.online && seen.synced
    }

    // ---- editing --------------------------------------------------------------------------------------

    /// Writes at the end of the text.
    pub(crate) fn types(&self, text: &str) {
        self.edit(|roots, txn| {
            let end = roots.text.len(txn);
            roots.text.insert(txn, end, text);
        });
    }

    /// Writes somewhere in the text.
    pub(crate) fn inserts(&self, at: u32, text: &str) {
        self.edit(|roots, txn| roots.text.insert(txn, at, text));
    }

    /// Removes part of the text.
    pub(crate) fn deletes(&self, at: u32, length: u32) {
        self.edit(|roots, txn| roots.text.remove_range(txn, at, length));
    }

    /// Sets a key of the map.
    pub(crate) fn sets(&self, key: &str, value: &str) {
        self.edit(|roots, txn| {
            roots.map.insert(txn, key, value);
        });
    }

    /// Appends to the array.
    pub(crate) fn pushes(&self, value: &str) {
        self.edit(|roots, txn| {
            roots.array.push_back(txn, value);
        });
    }

    /// Any change. Sent if there is a connection; otherwise the next one brings it.
    pub(crate) fn edit(&self, change: impl FnOnce(&Roots, &mut TransactionMut<'_>)) {
        let mut txn = self.shared.doc.transact_mut();
        change(&self.shared.roots, &mut txn);
        txn.commit();
        let update = Bytes::from(txn.encode_update_v1());
        drop(txn);
        if self.is_online() {
            if self.acknowledged {
                self.seen().unacknowledged.push(update.clone());
            }
            self.sends(frames::update(&update));
        }
    }

    /// Waits until everything sent is durable.
    pub(crate) async fn saved(&self) {
        assert!(self.acknowledged, "{} did not ask to hear", self.name);
        until(&format!("everything of {} is durable", self.name), || self.unsaved() == 0).await;
    }

    /// How many changes were sent and are not known to be durable.
    pub(crate) fn unsaved(&self) -> usize {
        self.seen().unacknowledged.len()
    }

    /// Sends a frame of one's own making.
    pub(crate) fn sends(&self, frame: impl Into<Bytes>) {
        self.send(self.frame(frame));
    }

    /// Says something that is no part of the document (Hocuspocus).
    pub(crate) fn says(&self, payload: &str) {
        self.sends([vec![5], frames::buffer(payload.as_bytes())].concat());
    }

    /// Presents another token (Hocuspocus).
    pub(crate) fn presents(&mut self, token: &str) {
        token.clone_into(&mut self.token);
        self.sends(frames::authentication(token));
    }

    /// What it was last told that it may do, "read-write" or "readonly" (Hocuspocus).
    pub(crate) fn allowed(&self) -> Option<String> {
        self.seen().allowed.clone()
    }

    /// Whether the server knows who it is, without which it takes little (Hocuspocus).
    pub(crate) fn is_let_in(&self) -> bool {
        self.carrier != Carrier::Hocuspocus || self.allowed().is_some()
    }

    /// Whether it was asked for another token (Hocuspocus).
    pub(crate) fn was_asked_for_a_token(&self) -> bool {
        self.seen().asked_for_a_token
    }

    /// Why it was last denied (Hocuspocus).
    pub(crate) fn denied(&self) -> Option<String> {
        self.seen().denied.clone()
    }

    /// How many of its changes were refused in so many words (Hocuspocus).
    pub(crate) fn refusals(&self) -> usize {
        self.seen().refusals
    }

    /// The stateless messages that came (Hocuspocus).
    pub(crate) fn stateless(&self) -> Vec<String> {
        self.seen().stateless.clone()
    }

    fn frame(&self, body: impl Into<Bytes>) -> Message {
        self.carrier.frame(&self.address, body)
    }

    fn send(&self, message: Message) {
        // A connection that is just ending takes nothing more; whoever cares waits for its end.
        let _ = self.link().outgoing.send(message);
    }

    /// Takes in a sync frame that somebody else received.
    pub(crate) fn hears(&self, frame: &[u8]) {
        match frames::only_message(frame).unwrap() {
            sync::Message::Sync(SyncMessage::SyncStep2(update) | SyncMessage::Update(update)) => {
                self.shared.apply(&update).unwrap();
            }
            other => panic!("{other:?} holds no update"),
        }
    }

    // ---- presence -------------------------------------------------------------------------------------

    /// The id under which this client writes and is seen.
    pub(crate) fn id(&self) -> u64 {
        self.shared.doc.client_id().get()
    }

    /// Shows something to the others.
    pub(crate) fn shows(&self, state: &Value) {
        let clock = {
            let mut seen = self.seen();
            let clock = seen.own_presence.as_ref().map_or(0, |(clock, _)| *clock) + 1;
            seen.own_presence = Some((clock, state.clone()));
            clock
        };
        self.sends(frames::awareness(&[(self.id(), clock.into(), &state.to_string())]));
    }

    /// The same of what is not for everybody to read.
    pub(crate) fn shows_text(&self, state: &str) {
        let clock = {
            let mut seen = self.seen();
            let clock = seen.own_presence.as_ref().map_or(0, |(clock, _)| *clock) + 1;
            seen.own_presence = Some((clock, Value::Null));
            clock
        };
        self.sends(frames::awareness(&[(self.id(), clock.into(), state)]));
    }

    /// How many it sees of whom the `user` has this name.
    pub(crate) fn sees_named(&self, name: &str) -> usize {
        let seen = self.seen();
        let states = seen.presence.values().filter_map(|(_, state)| state.as_ref());
        states.filter(|state| state["user"]["name"] == name).count()
    }

    /// Says "gone".
    pub(crate) fn hides(&self) {
        let shown = self.seen().own_presence.take();
        let (clock, _) = shown.expect("something was shown");
        self.sends(frames::awareness(&[(self.id(), u64::from(clock) + 1, "null")]));
    }

    /// What this one sees of somebody.
    pub(crate) fn sees(&self, somebody: &Client) -> Option<Value> {
        self.seen().presence.get(&somebody.id()).and_then(|(_, state)| state.clone())
    }

    /// Waits until this one sees exactly that of somebody.
    pub(crate) async fn sees_soon(&self, somebody: &Client, state: Option<&Value>) {
        let what = format!("{} sees {state:?} of {}", self.name, somebody.name);
        until(&what, || self.sees(somebody).as_ref() == state).await;
    }

    /// How often this one was told that somebody is gone.
    pub(crate) fn removals_of(&self, somebody: &Client) -> usize {
        let id = somebody.id();
        self.seen().told.iter().filter(|(client, _, state)| *client == id && state.is_none()).count()
    }

    // ---- looking --------------------------------------------------------------------------------------

    /// The text.
    pub(crate) fn text(&self) -> String {
        self.shared.roots.text.get_string(&self.shared.doc.transact())
    }

    /// Everything that the document shows.
    pub(crate) fn content(&self) -> Value {
        let txn = self.shared.doc.transact();
        let roots = &self.shared.roots;
        let json = |value: yrs::Any| serde_json::to_value(value).unwrap();
        json!({
            "text": roots.text.get_string(&txn),
            "map": json(roots.map.to_json(&txn)),
            "array": json(roots.array.to_json(&txn)),
            "xml": roots.xml.get_string(&txn),
        })
    }

    /// Waits for the text to be this.
    pub(crate) async fn reads(&self, text: &str) {
        until(&format!("{} reads {text:?}", self.name), || self.text() == text).await;
    }

    /// The whole document as one update.
    pub(crate) fn state(&self) -> Bytes {
        self.shared.doc.transact().encode_state_as_update_v1(&StateVector::default()).into()
    }

    /// Update messages heard, own ones that came back not counted.
    pub(crate) fn updates_heard(&self) -> usize {
        self.seen().updates
    }

    /// Bytes heard.
    pub(crate) fn bytes_heard(&self) -> usize {
        self.seen().bytes
    }

    /// A question and its answer, which the server gives in order: whatever it wanted to say before has been
    /// heard afterwards.
    pub(crate) async fn hears_all_so_far(&self) {
        self.seen().synced = false;
        let vector = self.shared.doc.transact().state_vector().encode_v1();
        self.sends(frames::step1(&vector));
        until(&format!("{} is answered", self.name), || self.is_synced()).await;
    }

    fn state_in_words(&self) -> String {
        let seen = self.seen();
        let Seen { online, synced, resumed, offence, .. } = &*seen;
        let (unsaved, session) = (seen.unacknowledged.len(), &seen.session);
        let Snapshot { state_map, delete_set } = self.snapshot();
        format!(
            "{}: online {online}, synced {synced}, unsaved {unsaved}, session {session:?}, resumed {resumed}, \
             offence {offence:?}, has {state_map:?} without {delete_set}",
            self.name
        )
    }

    fn snapshot(&self) -> Snapshot {
        self.shared.doc.transact().snapshot()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.shared.seen()
    }

    fn link(&self) -> &Link {
        self.link.as_ref().unwrap_or_else(|| panic!("{} is not connected", self.name))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(link) = self.link.take() {
            link.reader.abort();
            link.writer.abort();
        }
        if std::thread::panicking() {
            return;
        }
        let offence = self.seen().offence.take();
        assert!(offence.is_none(), "{}: {}", self.name, offence.unwrap_or_default());
    }
}

/// Waits until all have the same, and insists that it also looks the same.
pub(crate) async fn settle(people: &[&Client]) {
    let [first, rest @ ..] = people else { panic!("nobody to settle") };
    let deadline = Instant::now() + PATIENCE;
    let are_same = || {
        let snapshot = first.snapshot();
        rest.iter().all(|person| person.snapshot() == snapshot)
    };
    while !are_same() {
        let states: Vec<_> = people.iter().map(|person| person.state_in_words()).collect();
        assert!(
            Instant::now() < deadline,
            "waited {PATIENCE:?} for all to have the same:\n{}",
            states.join("\n")
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let content = first.content();
    for person in rest {
        assert_eq!(person.content(), content, "{} and {} diverged", first.name, person.name);
    }
}

async fn write(mut sink: SplitSink<Socket, Message>, mut queue: mpsc::UnboundedReceiver<Message>) {
    while let Some(message) = queue.recv().await {
        let mut next = Some(message);
        while let Some(message) = next {
            if sink.feed(message).await.is_err() {
                return;
            }
            next = queue.try_recv().ok();
        }
        if sink.flush().await.is_err() {
            return;
        }
    }
}

/// Takes what is to be said to a session over plain HTTP, as much at a time as there is.
async fn say(
    shared: Arc<Shared>,
    address: SocketAddr,
    document: String,
    mut queue: mpsc::UnboundedReceiver<Message>,
) {
    while let Some(message) = queue.recv().await {
        let mut frames = Vec::new();
        let mut next = Some(message);
        while let Some(Message::Binary(frame)) = next {
            frames.extend_from_slice(&frame);
            next = (frames.len() < 16 << 10).then(|| queue.try_recv().ok()).flatten();
        }
        let session = shared.seen().session.clone();
        match plain::say(address, &document, &session, &frames).await {
            // The session may be over, which the reader hears too.
            Some(204 | 404) => {}
            None => return,
            Some(status) => {
                let offence = format!("what was said was answered {status}");
                shared.seen().offence.get_or_insert(offence);
            }
        }
    }
}

/// A session that is asked after.
struct Poll {
    address: SocketAddr,
    document: String,
    /// The last message that came.
    after: u64,
    answer: Value,
}

struct Reader {
    shared: Arc<Shared>,
    acknowledged: bool,
    carrier: Carrier,
    address: Vec<u8>,
    outgoing: mpsc::UnboundedSender<Message>,
}

impl Reader {
    /// Says what is said first over a line. `resumed`: what was said over the line before may still be answered.
    fn greets(&self, token: &str, resumed: bool) {
        let mut seen = self.shared.seen();
        (seen.online, seen.synced, seen.closed) = (true, false, None);
        seen.unacknowledged.clear();
        (seen.allowed, seen.denied, seen.resumed) = (None, None, resumed);
        if self.carrier == Carrier::Hocuspocus {
            self.sends(frames::authentication(token));
        }
        let doc = &self.shared.doc;
        self.sends(frames::step1(&doc.transact().state_vector().encode_v1()));
        if resumed {
            // The session has asked once what is here, and may have missed the answer, or what was said since.
            let state = doc.transact().encode_state_as_update_v1(&StateVector::default());
            self.sends(frames::update(&state));
        }
        if let Some((clock, state)) = &seen.own_presence {
            let entry = (doc.client_id().get(), u64::from(*clock), &*state.to_string());
            self.sends(frames::awareness(&[entry]));
        }
    }

    fn sends(&self, body: Vec<u8>) {
        // Nobody listens any more if the connection has just ended.
        let _ = self.outgoing.send(self.carrier.frame(&self.address, body));
    }

    async fn read(self, mut stream: SplitStream<Socket>, mut reading: watch::Receiver<bool>) {
        loop {
            let message = tokio::select! {
                biased;
                paused = async { reading.wait_for(|reading| !reading).await.is_ok() } => {
                    // The test is over if there is nobody left to say otherwise.
                    if !paused || reading.wait_for(|reading| *reading).await.is_err() {
                        return;
                    }
                    continue;
                }
                message = stream.next() => message,
            };
            match message {
                Some(Ok(Message::Binary(frame))) => {
                    if let Err(offence) = self.hear(&frame) {
                        self.shared.seen().offence.get_or_insert(offence);
                    }
                }
                Some(Ok(Message::Close(reason))) => {
                    self.shared.seen().closed = Some(reason.map(|reason| reason.code.into()));
                    break;
                }
                Some(Ok(Message::Text(_))) => {
                    self.shared.seen().offence.get_or_insert("a text frame came".to_owned());
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => break,
            }
        }
        self.shared.seen().online = false;
    }

    async fn read_events(self, mut events: Events, mut reading: watch::Receiver<bool>) {
        // The test is over if there is nobody left to say otherwise.
        while reading.wait_for(|reading| *reading).await.is_ok() {
            let Some(event) = events.next().await else { break };
            if event.kind == "close" {
                self.shared.seen().closed = Some(event.json()["code"].as_u64().map(|code| code as u16));
                break;
            }
            if let Some((session, number)) = event.id.split_once('.') {
                self.shared.seen().last_heard = Some((session.to_owned(), number.parse().unwrap()));
            }
            self.hear_plain(event.frame());
        }
        self.shared.seen().online = false;
    }

    async fn read_polls(self, poll: Poll, mut reading: watch::Receiver<bool>) {
        let Poll { address, document, mut after, mut answer } = poll;
        // The test is over if there is nobody left to say otherwise.
        while reading.wait_for(|reading| *reading).await.is_ok() {
            let session = answer["session"].as_str().unwrap().to_owned();
            for message in answer["messages"].as_array().unwrap() {
                after = message["number"].as_u64().unwrap();
                self.shared.seen().last_heard = Some((session.clone(), after));
                self.hear_plain(plain::frame(message));
            }
            if let Some(code) = answer["close"]["code"].as_u64() {
                self.shared.seen().closed = Some(Some(code as u16));
                break;
            }
            let query = format!("session={session}&after={after}&wait=5");
            let mut next = plain::poll(address, &document, &query).await;
            if let Some((404 | 410, _)) = next {
                // It took too long to ask again: begin anew.
                let Some(session) = plain::begin(address, &document).await else { break };
                session.clone_into(&mut self.shared.seen().session);
                next = plain::poll(address, &document, &format!("session={session}&wait=0")).await;
                self.greets("", true);
                after = 0;
            }
            match next {
                Some((200, next)) => answer = next,
                _ => break,
            }
        }
        self.shared.seen().online = false;
    }

    fn hear_plain(&self, frame: Vec<u8>) {
        if let Err(offence) = self.hear(&frame.into()) {
            self.shared.seen().offence.get_or_insert(offence);
        }
    }

    fn hear(&self, frame: &Bytes) -> Result<(), String> {
        self.shared.seen().bytes += frame.len();
        let frame = match self.carrier {
            Carrier::Hocuspocus => {
                frame.strip_prefix(&self.address[..]).ok_or(format!("{frame:?} is for somebody else"))?
            }
            _ => frame,
        };
        if self.carrier.answers_changes() && self.hear_hocuspocus(frame)? {
            return Ok(());
        }
        match frames::only_message(frame)? {
            sync::Message::Sync(SyncMessage::SyncStep1(vector)) => {
                let update = Bytes::from(self.shared.doc.transact().encode_diff_v1(&vector));
                if self.acknowledged {
                    self.shared.seen().unacknowledged.push(update.clone());
                }
                self.sends(frames::step2(&update));
            }
            sync::Message::Sync(SyncMessage::SyncStep2(update)) => {
                self.shared.seen().synced = true;
                self.shared.apply(&update)?;
            }
            sync::Message::Sync(SyncMessage::Update(update)) => {
                let mut seen = self.shared.seen();
                let echo = !self.carrier.answers_changes();
                if let Some(own) = seen.unacknowledged.iter().position(|known| echo && *known == update) {
                    seen.unacknowledged.remove(own);
                } else {
                    seen.updates += 1;
                    drop(seen);
                    self.shared.apply(&update)?;
                }
            }
            sync::Message::Awareness(update) => {
                let mut seen = self.shared.seen();
                for (client, entry) in update.clients {
                    let state: Option<Value> =
                        serde_json::from_str(&entry.json).map_err(|e| e.to_string())?;
                    seen.told.push((client.get(), entry.clock, state.clone()));
                    seen.meet(client.get(), entry.clock, state);
                }
            }
            other => return Err(format!("{other:?} came")),
        }
        Ok(())
    }
}

impl Reader {
    /// Takes in what only this dialect has; false if it is something else.
    fn hear_hocuspocus(&self, frame: &[u8]) -> Result<bool, String> {
        let text = |bytes: &[u8]| match bytes.split_first() {
            Some((&length, text)) if text.len() == usize::from(length) && length < 128 => {
                Ok(String::from_utf8_lossy(text).into_owned())
            }
            _ => Err(format!("{bytes:?} is not a short string")),
        };
        let mut seen = self.shared.seen();
        match frame {
            [2, 2, scope @ ..] => seen.allowed = Some(text(scope)?),
            [2, 0] => seen.asked_for_a_token = true,
            [2, 1, reason @ ..] => seen.denied = Some(text(reason)?),
            [5, payload @ ..] => seen.stateless.push(text(payload)?),
            [8, status @ (0 | 1)] => {
                match seen.unacknowledged.is_empty() {
                    false => drop(seen.unacknowledged.remove(0)),
                    true if seen.resumed => {}
                    true => return Err("an acknowledgement came for nothing".to_owned()),
                }
                seen.refusals += usize::from(*status == 0);
            }
            [0 | 1, ..] => return Ok(false),
            other => return Err(format!("{other:?} came")),
        }
        Ok(true)
    }
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        // A test that has failed while holding it fails for its own reason.
        self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn apply(&self, update: &[u8]) -> Result<(), String> {
        let update = Update::decode_v1(update).map_err(|error| error.to_string())?;
        let mut txn = self.doc.transact_mut();
        txn.apply_update(update).map_err(|error| error.to_string())?;
        if txn.has_missing_updates() {
            return Err("an update came before what it builds upon".to_owned());
        }
        Ok(())
    }
}

impl Seen {
    /// As y-protocols does it: an unknown client counts as clock 0.
    fn meet(&mut self, client: u64, clock: u32, state: Option<Value>) {
        let (known, shown) = self.presence.get(&client).cloned().unwrap_or_default();
        if clock > known || (clock == known && state.is_none() && shown.is_some()) {
            self.presence.insert(client, (clock, state));
        }
    }
}
