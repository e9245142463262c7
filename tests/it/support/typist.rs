//! Somebody without a CRDT who types while others do, as the third and fourth way of docs/protocols.md#how-to-keep-up
//! have it: one operation is under way at a time, what is typed meanwhile waits, and what is heard is transformed over
//! both.
//!
//! The typist types at once, whether the line is there or not; tasks carry the changes. Transforming is done with
//! the library itself, not through Weft's door to it.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
};

use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use operational_transform::OperationSeq;
use serde_json::{Value, json};
use tokio::{
    net::{TcpSocket, TcpStream},
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

use super::{Address, scribe, until};

type Socket = WebSocketStream<TcpStream>;

/// Somebody with a name and a text.
pub(crate) struct Typist {
    pub(crate) name: String,
    path: String,
    receive_buffer: Option<u32>,
    page: Arc<Mutex<Page>>,
    link: Option<Link>,
}

/// A connection, as long as it lasts.
struct Link {
    reading: watch::Sender<bool>,
    writer: JoinHandle<()>,
    reader: JoinHandle<()>,
    /// Says goodbye.
    outgoing: mpsc::UnboundedSender<Message>,
}

/// What the typist sees and knows.
#[derive(Default)]
struct Page {
    name: String,
    /// The server's text at `revision`, with what was typed here on top.
    text: String,
    revision: u64,
    epoch: Value,
    /// An `init` has come over this connection.
    greeted: bool,
    online: bool,
    /// Something is missing that only an `init` can bring.
    gap: bool,
    under_way: Option<UnderWay>,
    /// Typed since, and not sent.
    waiting: Option<OperationSeq>,
    operations: u64,
    /// Operations that were acknowledged.
    acknowledged: usize,
    /// Where messages go while there is a line.
    outgoing: Option<mpsc::UnboundedSender<Message>>,
    /// The first thing that must never happen.
    offence: Option<String>,
}

/// An operation that was sent and not acknowledged.
struct UnderWay {
    id: String,
    /// The message, to be sent again word by word.
    payload: Value,
    sent: OperationSeq,
    /// The same after what was heard since; nothing once the server's text is known to hold it, or it is taken for
    /// somebody else's because the text was begun anew without it.
    now: Option<OperationSeq>,
}

impl Typist {
    /// Opens the root `text` of a document, whose name needs no escaping.
    pub(crate) async fn opens(
        server: &impl Address,
        document: &str,
        name: &str,
        receive_buffer: Option<u32>,
    ) -> Self {
        let page = Page { name: name.to_owned(), ..Page::default() };
        let path = format!("/collab/{document}/{name}?field=text");
        let mut typist = Self {
            name: name.to_owned(),
            path,
            receive_buffer,
            page: Arc::new(Mutex::new(page)),
            link: None,
        };
        typist.connects(server).await;
        typist.is_greeted().await;
        typist
    }

    /// Connects, without waiting for more than the handshake.
    pub(crate) async fn connects(&mut self, server: &impl Address) {
        assert!(self.link.is_none(), "{} is connected", self.name);
        let socket = self.dials(server.address()).await;
        let (sink, stream) = socket.split();
        let (outgoing, queue) = mpsc::unbounded_channel();
        {
            let mut page = self.page();
            (page.online, page.greeted, page.gap) = (true, false, false);
            page.outgoing = Some(outgoing.clone());
        }
        let reading = watch::Sender::new(true);
        let writer = tokio::spawn(write(sink, queue));
        let reader = tokio::spawn(read(self.page.clone(), stream, reading.subscribe()));
        self.link = Some(Link { reading, writer, reader, outgoing });
    }

    async fn dials(&self, address: SocketAddr) -> Socket {
        let socket = TcpSocket::new_v4().unwrap();
        if let Some(bytes) = self.receive_buffer {
            socket.set_recv_buffer_size(bytes).unwrap();
        }
        let stream = socket.connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        tokio_tungstenite::client_async(format!("ws://{address}{}", self.path), stream).await.unwrap().0
    }

    /// The line breaks.
    pub(crate) async fn drops(&mut self) {
        if let Some(link) = self.link.take() {
            link.reader.abort();
            link.writer.abort();
            // Only once both are gone is the socket closed.
            let _ = tokio::join!(link.reader, link.writer);
        }
        let mut page = self.page();
        (page.online, page.outgoing) = (false, None);
    }

    /// Goes properly.
    pub(crate) async fn leaves(&mut self) {
        if let Some(link) = &self.link {
            let _ = link.outgoing.send(Message::Close(None));
        }
        self.is_closed().await;
    }

    /// Waits until the connection has ended.
    pub(crate) async fn is_closed(&mut self) {
        until(&format!("{} is disconnected", self.name), || !self.page().online).await;
        self.drops().await;
    }

    pub(crate) fn stops_reading(&self) {
        self.link.as_ref().unwrap().reading.send_replace(false);
    }

    pub(crate) fn reads_again(&self) {
        self.link.as_ref().unwrap().reading.send_replace(true);
    }

    /// Whether the whole text has come over this connection.
    pub(crate) async fn is_greeted(&self) {
        until(&format!("{} is greeted", self.name), || {
            let page = self.page();
            assert_eq!(page.offence, None, "{}", self.name);
            assert!(page.online, "{} was closed", self.name);
            page.greeted
        })
        .await;
    }

    /// Whether everything typed is acknowledged.
    pub(crate) fn is_saved(&self) -> bool {
        let page = self.page();
        assert_eq!(page.offence, None, "{}", self.name);
        page.under_way.is_none() && page.waiting.is_none()
    }

    /// How many operations were acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        self.page().acknowledged
    }

    /// The text as this one sees it.
    pub(crate) fn text(&self) -> String {
        self.page().text.clone()
    }

    /// Writes somewhere, counted in characters modulo what is there.
    pub(crate) fn inserts(&self, at: u32, words: &str) {
        self.types(|length| {
            let at = u64::from(at) % (length + 1);
            let mut operation = OperationSeq::default();
            operation.retain(at);
            operation.insert(words);
            operation.retain(length - at);
            Some(operation)
        });
    }

    /// Removes something, if there is anything.
    pub(crate) fn deletes(&self, at: u32, count: u32) {
        self.types(|length| {
            let at = u64::from(at).checked_rem(length)?;
            let count = u64::from(count).min(length - at);
            let mut operation = OperationSeq::default();
            operation.retain(at);
            operation.delete(count);
            operation.retain(length - at - count);
            Some(operation)
        });
    }

    fn types(&self, operation: impl FnOnce(u64) -> Option<OperationSeq>) {
        let mut page = self.page();
        if let Some(operation) = operation(page.text.chars().count() as u64) {
            page.type_in(operation);
        }
    }

    fn page(&self) -> MutexGuard<'_, Page> {
        lock(&self.page)
    }
}

impl Drop for Typist {
    fn drop(&mut self) {
        if let Some(link) = self.link.take() {
            link.reader.abort();
            link.writer.abort();
        }
        if !std::thread::panicking() {
            let offence = self.page().offence.take();
            assert!(offence.is_none(), "{}: {}", self.name, offence.unwrap_or_default());
        }
    }
}

fn lock(page: &Mutex<Page>) -> MutexGuard<'_, Page> {
    // A test that has failed while holding it fails for its own reason.
    page.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Page {
    fn type_in(&mut self, operation: OperationSeq) {
        self.text = operation.apply(&self.text).unwrap();
        self.waiting = Some(match self.waiting.take() {
            Some(waiting) => waiting.compose(&operation).unwrap(),
            None => operation,
        });
        self.send_what_waits();
    }

    /// One operation is under way at a time.
    fn send_what_waits(&mut self) {
        if self.under_way.is_some() || !self.greeted || self.gap {
            return;
        }
        let Some(sent) = self.waiting.take().filter(|waiting| !waiting.is_noop()) else { return };
        self.operations += 1;
        let id = self.operations.to_string();
        let payload = json!({
            "id": id, "revision": self.revision, "epoch": self.epoch, "operation": in_json(&sent),
        });
        self.say("operation", &payload);
        self.under_way = Some(UnderWay { id, payload, now: Some(sent.clone()), sent });
    }

    fn say(&self, kind: &str, payload: &Value) {
        let message = json!({"type": kind, "payload": payload});
        scribe::check(&message, "request");
        if let Some(outgoing) = &self.outgoing {
            // The line may just have broken; what matters is said again over the next.
            let _ = outgoing.send(Message::text(message.to_string()));
        }
    }

    fn hear(&mut self, message: &Value) -> Result<(), String> {
        scribe::check(message, "answer");
        let payload = &message["payload"];
        match message["type"].as_str() {
            Some("init") => self.begin(payload),
            Some("operation") => return self.follow(payload),
            Some("ack") => return self.count(payload),
            Some("presence" | "crowd") => {}
            Some("error") => return self.take_back(payload),
            _ => return Err(format!("{message} came")),
        }
        Ok(())
    }

    /// Everything anew.
    fn begin(&mut self, init: &Value) {
        init["content"].as_str().unwrap().clone_into(&mut self.text);
        let revision = init["revision"].as_u64().unwrap();
        let is_as_known = self.epoch == init["epoch"] && self.revision == revision && !self.gap;
        self.revision = revision;
        let is_first = !std::mem::replace(&mut self.greeted, true);
        (self.epoch, self.gap) = (init["epoch"].clone(), false);
        match &mut self.under_way {
            // Nobody knows what became of it, and nobody will: it belongs to another life of the text.
            Some(under_way) if under_way.payload["epoch"] != self.epoch => {
                (self.under_way, self.waiting) = (None, None);
            }
            Some(under_way) => {
                // Still under way if the text is that which it was made to; otherwise it is in it, or will be heard
                // of as of somebody else's.
                let is_on_top =
                    under_way.now.is_some() && under_way.payload["revision"].as_u64() == Some(self.revision);
                under_way.now = is_on_top.then(|| under_way.sent.clone());
                if is_on_top {
                    self.text = under_way.sent.apply(&self.text).unwrap();
                    if let Some(waiting) = &self.waiting {
                        self.text = waiting.apply(&self.text).unwrap();
                    }
                } else {
                    self.waiting = None;
                }
                if is_first {
                    let payload = under_way.payload.clone();
                    self.say("operation", &payload);
                }
            }
            None => match &self.waiting {
                Some(waiting) if is_as_known => self.text = waiting.apply(&self.text).unwrap(),
                _ => self.waiting = None,
            },
        }
        self.send_what_waits();
    }

    /// A change by somebody else.
    fn follow(&mut self, heard: &Value) -> Result<(), String> {
        let revision = heard["revision"].as_u64().unwrap();
        if self.gap || heard["epoch"] != self.epoch || revision <= self.revision {
            return match self.gap {
                true => Ok(()), // the init that comes holds it
                false => Err(format!("{heard} came at revision {}", self.revision)),
            };
        }
        if revision == self.revision + 2
            && self.under_way.as_mut().is_some_and(|own| own.now.take().is_some())
        {
            self.revision += 1; // the number left out is our own operation
        }
        if revision != self.revision + 1 {
            self.gap = true;
            return Ok(());
        }
        let mut operation = from_json(&heard["operation"]);
        let under_way = self.under_way.as_mut().and_then(|own| own.now.as_mut());
        for own in [under_way, self.waiting.as_mut()].into_iter().flatten() {
            let (ours, theirs) = own.transform(&operation).map_err(|error| format!("{heard}: {error}"))?;
            (*own, operation) = (ours, theirs);
        }
        self.text = operation.apply(&self.text).map_err(|error| format!("{heard}: {error}"))?;
        self.revision = revision;
        Ok(())
    }

    /// What was sent is durable.
    fn count(&mut self, ack: &Value) -> Result<(), String> {
        let own = self.under_way.take().filter(|own| ack["id"] == own.id.as_str());
        let own = own.ok_or(format!("{ack} for nothing"))?;
        let revision = ack["revision"].as_u64().unwrap();
        self.acknowledged += 1;
        if own.now.is_some() && !self.gap {
            if revision == self.revision + 1 {
                self.revision = revision;
            } else {
                self.gap = true;
                if revision <= self.revision {
                    // What the line before had taken was heard of as somebody else's.
                    self.say("init", &json!({}));
                }
            }
        }
        self.send_what_waits();
        Ok(())
    }

    /// Only what was sent again may be refused, because too much has happened meanwhile.
    fn take_back(&mut self, error: &Value) -> Result<(), String> {
        let own = self.under_way.take().filter(|own| error["id"] == own.id.as_str());
        match (own, error["code"].as_str()) {
            (Some(_), Some("lost_revision" | "other_epoch")) => {
                self.waiting = None;
                self.gap = true;
                self.say("init", &json!({}));
                Ok(())
            }
            _ => Err(format!("{error} came to {}", self.name)),
        }
    }
}

async fn write(mut sink: SplitSink<Socket, Message>, mut queue: mpsc::UnboundedReceiver<Message>) {
    while let Some(message) = queue.recv().await {
        if sink.send(message).await.is_err() {
            return;
        }
    }
}

async fn read(page: Arc<Mutex<Page>>, mut stream: SplitStream<Socket>, mut reading: watch::Receiver<bool>) {
    loop {
        // The test is over if there is nobody left to say otherwise.
        if reading.wait_for(|reading| *reading).await.is_err() {
            return;
        }
        match stream.next().await {
            Some(Ok(Message::Text(text))) => {
                let message = serde_json::from_str(&text).unwrap();
                let mut page = lock(&page);
                if let Err(offence) = page.hear(&message) {
                    page.offence.get_or_insert(offence);
                }
            }
            Some(Ok(Message::Binary(_))) => {
                lock(&page).offence.get_or_insert("a binary frame came".to_owned());
            }
            Some(Ok(Message::Close(_)) | Err(_)) | None => break,
            Some(Ok(_)) => {}
        }
    }
    lock(&page).online = false;
}

fn in_json(operation: &OperationSeq) -> Value {
    use operational_transform::Operation;
    let parts = operation.ops().iter().map(|part| match part {
        Operation::Retain(count) => json!(count),
        Operation::Delete(count) => json!(-(*count as i64)),
        Operation::Insert(text) => json!(text),
    });
    parts.collect()
}

fn from_json(parts: &Value) -> OperationSeq {
    let mut operation = OperationSeq::default();
    for part in parts.as_array().unwrap() {
        match part.as_i64() {
            Some(count) if count > 0 => operation.retain(count as u64),
            Some(count) => operation.delete(count.unsigned_abs()),
            None => operation.insert(part.as_str().unwrap()),
        }
    }
    operation
}
