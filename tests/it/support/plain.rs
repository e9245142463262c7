//! A person's line where no WebSocket gets through: a stream of events or one long poll after the other down,
//! requests up. Over bare TCP, so that a line can break in the middle of anything and be read slowly.

use std::net::SocketAddr;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpSocket, TcpStream},
};

use super::PATIENCE;

/// What an event stream brought.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Event {
    pub(crate) kind: String,
    pub(crate) id: String,
    pub(crate) data: String,
}

impl Event {
    /// The frame in a message.
    pub(crate) fn frame(&self) -> Vec<u8> {
        assert_eq!(self.kind, "message", "{self:?}");
        BASE64_STANDARD.decode(&self.data).unwrap()
    }

    /// What it says in JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap()
    }
}

/// A stream of events, opened.
pub(crate) struct Events {
    body: Body,
    pub(crate) open: Value,
    pub(crate) last_id: String,
}

impl Events {
    /// Listens to a document, whose name is as a path has it, going on after `last_id` if there is one and the server
    /// still has its session. Nothing if the server is not there or refuses.
    pub(crate) async fn open(
        address: SocketAddr,
        document: &str,
        last_id: Option<&str>,
        buffer: Option<u32>,
    ) -> Option<Self> {
        if let Some((session, _)) = last_id.and_then(|id| id.split_once('.'))
            && let Some(events) = Self::listen(address, document, session, last_id, buffer).await
        {
            return Some(events);
        }
        let session = begin(address, document).await?;
        Self::listen(address, document, &session, None, buffer).await
    }

    async fn listen(
        address: SocketAddr,
        document: &str,
        session: &str,
        last_id: Option<&str>,
        buffer: Option<u32>,
    ) -> Option<Self> {
        let header = last_id.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
        let path = format!("/api/v1/documents/{document}/events?session={session}");
        let (status, body) = request(address, "GET", &path, &header, &[], buffer).await?;
        if status != 200 {
            return None;
        }
        let mut events = Self { body, open: Value::Null, last_id: String::new() };
        let open = events.next().await?;
        assert_eq!(open.kind, "open");
        events.open = open.json();
        Some(events)
    }

    /// The next event, or nothing if the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        let mut event = Event::default();
        loop {
            let line = self.body.line().await?;
            match line.split_once(": ") {
                Some(("event", kind)) => kind.clone_into(&mut event.kind),
                Some(("id", id)) => id.clone_into(&mut event.id),
                Some(("data", data)) => data.clone_into(&mut event.data),
                _ if line.is_empty() => break,
                _ => {}
            }
        }
        if !event.id.is_empty() {
            event.id.clone_into(&mut self.last_id);
        }
        Some(event)
    }

    /// The next event, which must come.
    pub(crate) async fn hears(&mut self) -> Event {
        let next = tokio::time::timeout(PATIENCE, self.next()).await;
        next.expect("something comes").expect("the stream goes on")
    }
}

/// Begins a session; its name, or nothing if the server is not there or refuses.
pub(crate) async fn begin(address: SocketAddr, document: &str) -> Option<String> {
    let path = format!("/api/v1/documents/{document}/sessions");
    let (status, mut body) = request(address, "POST", &path, "", &[], None).await?;
    let answer: Value = serde_json::from_slice(&body.rest().await?).unwrap();
    (status == 201).then(|| answer["session"].as_str().unwrap().to_owned())
}

/// What a poll is answered: the status, and what it says.
pub(crate) async fn poll(address: SocketAddr, document: &str, query: &str) -> Option<(u16, Value)> {
    let path = format!("/api/v1/documents/{document}/poll?{query}");
    let (status, mut body) = request(address, "GET", &path, "", &[], None).await?;
    Some((status, serde_json::from_slice(&body.rest().await?).unwrap()))
}

/// The frame in a message that a poll brought.
pub(crate) fn frame(message: &Value) -> Vec<u8> {
    BASE64_STANDARD.decode(message["data"].as_str().unwrap()).unwrap()
}

/// Says something, and waits until the server has it; its answer's status.
pub(crate) async fn say(address: SocketAddr, document: &str, session: &str, frames: &[u8]) -> Option<u16> {
    let path = format!("/api/v1/documents/{document}/messages?session={session}");
    let (status, mut body) = request(address, "POST", &path, "", frames, None).await?;
    body.rest().await?;
    Some(status)
}

/// One request on a connection of its own. Nothing if the line breaks before the answer has begun.
async fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
    buffer: Option<u32>,
) -> Option<(u16, Body)> {
    let socket = TcpSocket::new_v4().unwrap();
    if let Some(bytes) = buffer {
        socket.set_recv_buffer_size(bytes).unwrap();
    }
    let mut stream = socket.connect(address).await.ok()?;
    stream.set_nodelay(true).unwrap();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n"
    );
    stream.write_all(&[head.as_bytes(), body].concat()).await.ok()?;
    let mut stream = BufReader::new(stream);
    let status_line = line(&mut stream).await?;
    let status = status_line.split(' ').nth(1)?.parse().ok()?;
    let (mut is_chunked, mut left) = (false, 0);
    loop {
        let header = line(&mut stream).await?.to_ascii_lowercase();
        match header.split_once(": ") {
            Some(("transfer-encoding", "chunked")) => is_chunked = true,
            Some(("content-length", length)) => left = length.parse().unwrap(),
            _ if header.is_empty() => break,
            _ => {}
        }
    }
    Some((status, Body { stream, is_chunked, left, gathered: Vec::new() }))
}

/// The body of an answer, as it arrives.
struct Body {
    stream: BufReader<TcpStream>,
    is_chunked: bool,
    /// Of this chunk, or of the whole.
    left: usize,
    gathered: Vec<u8>,
}

impl Body {
    /// A line of text without its end; nothing if the body ends before it does.
    async fn line(&mut self) -> Option<String> {
        let mut seen = 0; // a line may hold megabytes, and is looked through once
        loop {
            if let Some(end) = self.gathered[seen..].iter().position(|byte| *byte == b'\n') {
                let rest = self.gathered.split_off(seen + end + 1);
                let mut line = std::mem::replace(&mut self.gathered, rest);
                line.pop();
                return Some(String::from_utf8(line).unwrap());
            }
            seen = self.gathered.len();
            if !self.more().await? {
                return None;
            }
        }
    }

    /// All of it; nothing if it breaks off.
    async fn rest(&mut self) -> Option<Vec<u8>> {
        while self.more().await? {}
        Some(std::mem::take(&mut self.gathered))
    }

    /// Gathers some more; false at the end, nothing if it breaks off.
    async fn more(&mut self) -> Option<bool> {
        if self.is_chunked && self.left == 0 {
            self.left = usize::from_str_radix(&line(&mut self.stream).await?, 16).unwrap();
            if self.left == 0 {
                return Some(false);
            }
        } else if self.left == 0 {
            return Some(false);
        }
        let mut piece = vec![0; self.left.min(64 << 10)];
        let count = self.stream.read(&mut piece).await.ok().filter(|count| *count > 0)?;
        self.gathered.extend_from_slice(&piece[..count]);
        self.left -= count;
        if self.is_chunked && self.left == 0 {
            line(&mut self.stream).await?;
        }
        Some(true)
    }
}

/// A line of a head, without its end.
async fn line(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    let count = stream.read_line(&mut line).await.ok()?;
    line.ends_with("\r\n").then(|| line[..count - 2].to_owned())
}
