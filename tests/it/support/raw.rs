//! A WebSocket without manners: sends what it is told, and hears everything.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicU32, Ordering},
};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Message,
        client::IntoClientRequest,
        protocol::frame::{
            Frame,
            coding::{Data, OpCode},
        },
    },
};

use super::{Address, PATIENCE};

/// A socket at an address of our choice.
pub(crate) struct Raw {
    socket: WebSocketStream<TcpStream>,
}

/// The answer to an upgrade that was refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// A line from an address of its own: who is refused from one must not keep another waiting.
pub(crate) async fn stranger(server: &impl Address) -> TcpStream {
    strange_socket().connect(server.address()).await.unwrap()
}

/// The same, before it is connected.
pub(crate) fn strange_socket() -> TcpSocket {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed) % 0xff_0000;
    let own = Ipv4Addr::from_bits(Ipv4Addr::new(127, 1, 0, 1).to_bits() + number);
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(IpAddr::V4(own), 0)).unwrap();
    socket
}

impl Raw {
    /// Connects to a document by its path, which is sent as it is written; from an address of its own.
    pub(crate) async fn open(server: &impl Address, document: &str) -> Self {
        let stream = stranger(server).await;
        Self::over(stream, server, &format!("/ws/{document}"), &[]).await.expect("the upgrade is granted")
    }

    /// Connects to any path, with any headers.
    pub(crate) async fn try_open(
        server: &impl Address,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Refusal> {
        let stream = TcpStream::connect(server.address()).await.unwrap();
        Self::over(stream, server, path, headers).await
    }

    async fn over(
        stream: TcpStream,
        server: &impl Address,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Refusal> {
        let address = server.address();
        stream.set_nodelay(true).unwrap();
        let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, _)) => Ok(Self { socket }),
            Err(tungstenite::Error::Http(response)) => Err(Refusal {
                status: response.status().as_u16(),
                body: String::from_utf8_lossy(response.body().as_deref().unwrap_or_default()).into_owned(),
            }),
            Err(error) => panic!("{error}"),
        }
    }

    /// Sends one binary frame. Whether the line still took it.
    pub(crate) async fn send(&mut self, frame: impl Into<Bytes>) -> bool {
        self.send_message(Message::Binary(frame.into())).await
    }

    /// Sends any message.
    pub(crate) async fn send_message(&mut self, message: Message) -> bool {
        self.socket.send(message).await.is_ok()
    }

    /// Sends bytes that may be no frame.
    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        self.socket.get_mut().write_all(bytes).await.unwrap();
    }

    /// Sends one binary message in fragments.
    pub(crate) async fn send_pieces(&mut self, message: &[u8], size: usize) {
        let last = message.len().div_ceil(size) - 1;
        for (n, piece) in message.chunks(size).enumerate() {
            let opcode = OpCode::Data(if n == 0 { Data::Binary } else { Data::Continue });
            let frame = Frame::message(piece.to_vec(), opcode, n == last);
            // The server may have had enough before the last one.
            let _ = self.socket.send(Message::Frame(frame)).await;
        }
    }

    /// The next pong, as text.
    pub(crate) async fn next_pong(&mut self) -> String {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.socket.next()).await;
            match next.expect("something comes") {
                Some(Ok(Message::Pong(payload))) => return String::from_utf8(payload.to_vec()).unwrap(),
                Some(Ok(_)) => {}
                other => panic!("{other:?} instead of a pong"),
            }
        }
    }

    /// The next binary frame, or with what the socket was closed.
    pub(crate) async fn next(&mut self) -> Result<Bytes, Option<u16>> {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.socket.next()).await;
            match next.expect("something comes") {
                Some(Ok(Message::Binary(frame))) => return Ok(frame),
                Some(Ok(Message::Close(reason))) => return Err(reason.map(|reason| reason.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// Reads on until a frame satisfies `wanted`.
    pub(crate) async fn hears(&mut self, wanted: impl Fn(&[u8]) -> bool) -> Bytes {
        loop {
            let frame = self.next().await.expect("the socket stays open");
            if wanted(&frame) {
                return frame;
            }
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
}
