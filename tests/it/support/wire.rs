//! A WebSocket byte by byte: frames as they should not be, streams that are not read, and how they end.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, Interest},
    net::TcpStream,
};

pub(crate) use super::masked::{close, frame};
use super::{Address, PATIENCE};

/// A WebSocket that is open.
pub(crate) struct Wire {
    pub(crate) stream: TcpStream,
}

impl Wire {
    /// Opens a path, which is sent as it is written.
    pub(crate) async fn open(server: &impl Address, path: &str) -> Self {
        Self::with_buffer(server, path, None).await
    }

    /// The same with a small receive buffer, so that the server soon has to wait.
    pub(crate) async fn with_buffer(server: &impl Address, path: &str, buffer: Option<u32>) -> Self {
        let socket = super::raw::strange_socket();
        if let Some(bytes) = buffer {
            socket.set_recv_buffer_size(bytes).unwrap();
        }
        let mut stream = socket.connect(server.address()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            server.address()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await.unwrap());
        }
        assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
        Self { stream }
    }

    /// Sends bytes as they are. The server may have had enough before the last of them.
    pub(crate) async fn sends(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    /// The next frame: its first byte and its payload; nothing at the end of the stream.
    pub(crate) async fn hears(&mut self) -> Option<(u8, Vec<u8>)> {
        tokio::time::timeout(PATIENCE, self.read()).await.expect("something comes")
    }

    async fn read(&mut self) -> Option<(u8, Vec<u8>)> {
        let first = self.stream.read_u8().await.ok()?;
        let length = match self.stream.read_u8().await.ok()? {
            126 => u64::from(self.stream.read_u16().await.ok()?),
            127 => self.stream.read_u64().await.ok()?,
            short => u64::from(short),
        };
        let mut payload = vec![0; length as usize];
        self.stream.read_exact(&mut payload).await.ok()?;
        Some((first, payload))
    }

    /// Reads on up to the close frame, and gives its code.
    pub(crate) async fn close_code(&mut self) -> Option<u16> {
        loop {
            let (first, payload) = self.hears().await?;
            if first == 0x88 {
                return Some(u16::from_be_bytes(payload[..2].try_into().unwrap()));
            }
        }
    }

    /// How long it takes until the stream has ended for this side, which reads nothing meanwhile.
    pub(crate) async fn ends(&self) -> Duration {
        let begun = Instant::now();
        loop {
            let ready = self.stream.ready(Interest::READABLE | Interest::ERROR);
            let ready = tokio::time::timeout(PATIENCE, ready).await.expect("the stream ends").unwrap();
            if ready.is_read_closed() || ready.is_error() {
                return begun.elapsed();
            }
            assert!(begun.elapsed() < PATIENCE, "the stream does not end");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Breaks the line: the other side gets a reset, and no goodbye.
    pub(crate) fn resets(self) {
        self.stream.set_zero_linger().unwrap();
    }
}
