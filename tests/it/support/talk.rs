//! A connection that speaks JSON in text frames.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{self, Message, client::IntoClientRequest},
};

use super::{Address, PATIENCE};

/// Somebody who speaks JSON.
pub(crate) struct Talk {
    socket: WebSocketStream<TcpStream>,
}

impl Talk {
    /// Connects to a path, which is sent as it is written.
    pub(crate) async fn open(server: &impl Address, path: &str) -> Self {
        Self::try_open(server, path, &[]).await.expect("the upgrade is granted")
    }

    /// The same with headers; the status if it is refused.
    pub(crate) async fn try_open(
        server: &impl Address,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, u16> {
        let address = server.address();
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream, address, path, headers).await
    }

    /// Connects so that little is read ahead: who stops reading is soon seen to.
    pub(crate) async fn slow(server: &impl Address, path: &str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let stream = socket.connect(server.address()).await.unwrap();
        Self::over(stream, server.address(), path, &[]).await.expect("the upgrade is granted")
    }

    async fn over(
        stream: TcpStream,
        address: SocketAddr,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, u16> {
        let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, _)) => Ok(Self { socket }),
            Err(tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// Says something of a kind.
    pub(crate) async fn says(&mut self, kind: &str, payload: Value) {
        self.sends(json!({"type": kind, "payload": payload}).to_string()).await;
    }

    /// Sends any text. The line may have been closed meanwhile; what comes next will show it.
    pub(crate) async fn sends(&mut self, text: impl Into<String>) {
        let _ = self.socket.send(Message::text(text.into())).await;
    }

    /// Sends any message.
    pub(crate) async fn sends_message(&mut self, message: Message) {
        let _ = self.socket.send(message).await;
    }

    /// The next message, or with what the socket was closed.
    pub(crate) async fn next(&mut self) -> Result<Value, Option<u16>> {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.socket.next()).await;
            match next.expect("something comes") {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(reason))) => return Err(reason.map(|reason| reason.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// The payload of the next message, which must be of this kind. Keepalives do not count.
    pub(crate) async fn hears(&mut self, kind: &str) -> Value {
        loop {
            let message =
                self.next().await.unwrap_or_else(|code| panic!("closed with {code:?} before {kind}"));
            if message["type"] == "ping" {
                continue;
            }
            assert_eq!(message["type"], kind, "{message}");
            return message["payload"].clone();
        }
    }

    /// Reads on until the socket is closed, and says with what.
    pub(crate) async fn closed(&mut self) -> Option<u16> {
        loop {
            if let Err(code) = self.next().await {
                return code;
            }
        }
    }

    /// Leaves, and waits until the server knows.
    pub(crate) async fn leaves(mut self) {
        let _ = self.socket.close(None).await;
        self.closed().await;
    }
}
