//! Somebody who edits by operations, over a socket: what a person could write in an afternoon from
//! docs/protocols.md#edit-without-yjs.
//!
//! Everything that is said and heard is held against the schema that the page hands out.

use std::{collections::VecDeque, sync::OnceLock};

use futures_util::{SinkExt, StreamExt};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{self, Message},
};

use super::{Address, PATIENCE};

/// A socket of the JSON dialect.
pub(crate) struct Scribe {
    pub(crate) name: String,
    socket: WebSocketStream<TcpStream>,
    /// Heard, and passed over while something else was waited for.
    aside: VecDeque<Value>,
}

impl Scribe {
    /// Connects to the root `text` of a document, where the people with replicas write, and returns the
    /// `init`.
    pub(crate) async fn opens(server: &impl Address, document: &str, name: &str) -> (Self, Value) {
        let document = utf8_percent_encode(document, NON_ALPHANUMERIC);
        let editor = utf8_percent_encode(name, NON_ALPHANUMERIC);
        let mut scribe =
            Self::connects(server, &format!("/collab/{document}/{editor}?field=text"), None).await;
        let init = scribe.hears("init").await;
        assert_eq!(init["editor"], name);
        (scribe, init)
    }

    /// Connects to any path, with a receive buffer of this many bytes.
    pub(crate) async fn connects(server: &impl Address, path: &str, buffer: Option<u32>) -> Self {
        Self::tries(server, path, buffer).await.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub(crate) async fn tries(
        server: &impl Address,
        path: &str,
        buffer: Option<u32>,
    ) -> Result<Self, tungstenite::Error> {
        let address = server.address();
        let socket = TcpSocket::new_v4().unwrap();
        if let Some(bytes) = buffer {
            socket.set_recv_buffer_size(bytes).unwrap();
        }
        let stream = socket.connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (socket, _) = tokio_tungstenite::client_async(format!("ws://{address}{path}"), stream).await?;
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        Ok(Self { name, socket, aside: VecDeque::new() })
    }

    /// Says something that is in order.
    pub(crate) async fn says(&mut self, kind: &str, payload: Value) {
        let message = json!({"type": kind, "payload": payload});
        check(&message, "request");
        self.sends(Message::text(message.to_string())).await;
    }

    /// Sends an operation, without hearing what becomes of it.
    pub(crate) async fn proposes(&mut self, id: &str, revision: u64, operation: Value) {
        self.says("operation", json!({"id": id, "revision": revision, "operation": operation})).await;
    }

    /// Sends anything. It may be that nobody reads it any more.
    pub(crate) async fn sends(&mut self, message: Message) {
        let _ = self.socket.send(message).await;
    }

    /// The next message, whatever it is; or the close code.
    pub(crate) async fn next(&mut self) -> Result<Value, Option<u16>> {
        if let Some(message) = self.aside.pop_front() {
            return Ok(message);
        }
        self.reads().await
    }

    async fn reads(&mut self) -> Result<Value, Option<u16>> {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.socket.next()).await;
            match next.unwrap_or_else(|_| panic!("{} waited {PATIENCE:?} in vain", self.name)) {
                Some(Ok(Message::Text(text))) => {
                    let message = serde_json::from_str(&text).unwrap();
                    check(&message, "answer");
                    return Ok(message);
                }
                Some(Ok(Message::Close(frame))) => return Err(frame.map(|frame| frame.code.into())),
                Some(Ok(Message::Binary(_))) => panic!("{} heard a binary frame", self.name),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// The payload of the next message of this type; others are kept for later.
    pub(crate) async fn hears(&mut self, kind: &str) -> Value {
        if let Some(index) = self.aside.iter().position(|message| message["type"] == kind) {
            return self.aside.remove(index).unwrap()["payload"].take();
        }
        loop {
            match self.reads().await {
                Ok(mut message) if message["type"] == kind => return message["payload"].take(),
                Ok(message) => self.aside.push_back(message),
                Err(code) => panic!("{} was closed with {code:?} instead of hearing {kind}", self.name),
            }
        }
    }

    /// Everything that the server has said by the time it has read everything that was sent.
    pub(crate) async fn hears_all(&mut self) -> Vec<Value> {
        let mark = json!({"mark": self.aside.len()});
        self.says("ping", mark.clone()).await;
        let mut heard: Vec<Value> = self.aside.drain(..).collect();
        loop {
            let message = self.reads().await.unwrap();
            if message["type"] == "pong" && message["payload"] == mark {
                return heard;
            }
            heard.push(message);
        }
    }

    /// Forgets what was heard before `init` and is in there. Whether anything was.
    pub(crate) fn next_is_old(&mut self, init: &Value) -> bool {
        let is_old = self
            .aside
            .front()
            .is_some_and(|message| message["payload"]["revision"].as_u64() <= init["revision"].as_u64());
        if is_old {
            self.aside.pop_front();
        }
        is_old
    }

    /// Waits until the connection has ended, and says with what it was closed.
    pub(crate) async fn is_closed(&mut self) -> Option<u16> {
        loop {
            if let Err(code) = self.reads().await {
                return code;
            }
        }
    }

    /// Goes properly.
    pub(crate) async fn leaves(mut self) {
        let _ = self.socket.close(None).await;
        self.is_closed().await;
    }
}

/// Holds a message against the schema.
pub(super) fn check(message: &Value, part: &str) {
    static SCHEMAS: OnceLock<[jsonschema::Validator; 2]> = OnceLock::new();
    let schemas = SCHEMAS.get_or_init(|| {
        let text = include_str!("../../../src/protocol/collab.schema.json");
        ["request", "answer"].map(|part| {
            let mut schema: Value = serde_json::from_str(text).unwrap();
            schema.as_object_mut().unwrap().remove("anyOf");
            schema["$ref"] = json!(format!("#/$defs/{part}"));
            jsonschema::validator_for(&schema).unwrap()
        })
    });
    let schema = &schemas[usize::from(part == "answer")];
    if let Err(error) = schema.validate(message) {
        panic!("{message} is not what the schema calls {part}: {error}");
    }
}
