//! A program that posts over one HTTP/1.1 connection, and does not wait for an answer before the next request.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

/// The connection, and what it is owed.
pub(crate) struct Poster {
    stream: TcpStream,
    /// What every request begins with.
    head: String,
    unanswered: u64,
    /// The beginning of an answer whose end has not come.
    inbox: Vec<u8>,
}

impl Poster {
    /// Connects to a server, to post binary bodies to a path.
    pub(crate) fn connect(address: &str, path: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
        stream.set_nodelay(true)?;
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/octet-stream\r\n");
        Ok(Self { stream, head, unanswered: 0, inbox: Vec::new() })
    }

    /// Takes in what has been answered until now, and sends a request.
    pub(crate) fn post(&mut self, body: &[u8]) -> Result<()> {
        self.hear()?;
        let mut request = format!("{}Content-Length: {}\r\n\r\n", self.head, body.len()).into_bytes();
        request.extend_from_slice(body);
        self.stream.write_all(&request).context("write")?;
        self.unanswered += 1;
        Ok(())
    }

    /// Waits for the answers that are owed; returns how many did not come in time.
    pub(crate) fn finish(&mut self, patience: Duration) -> Result<u64> {
        let end = Instant::now() + patience;
        while self.unanswered > 0 && Instant::now() < end {
            self.hear()?;
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(self.unanswered)
    }

    fn hear(&mut self) -> Result<()> {
        let mut scratch = [0; 4096];
        self.stream.set_nonblocking(true)?;
        let heard = loop {
            match self.stream.read(&mut scratch) {
                Ok(0) => break Err(anyhow::anyhow!("closed by the server")),
                Ok(count) => self.inbox.extend_from_slice(&scratch[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => (),
                Err(error) => break Err(error.into()),
            }
        };
        self.stream.set_nonblocking(false)?;
        heard?;
        while let Some((status, length)) = answer(&self.inbox)? {
            ensure!(self.unanswered > 0, "an answer to nothing");
            ensure!((200..300).contains(&status), "answered {status}");
            self.inbox.drain(..length);
            self.unanswered -= 1;
        }
        Ok(())
    }
}

/// Status and length of the answer that `bytes` begin with, if it is there to its end.
fn answer(bytes: &[u8]) -> Result<Option<(u16, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut answer = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = answer.parse(bytes)? else { return Ok(None) };
    let status = answer.code.unwrap_or_default();
    let length = answer.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let body = match length {
        Some(header) => std::str::from_utf8(header.value)?.trim().parse::<usize>()?,
        None if status == 204 => 0,
        None => bail!("an answer ({status}) that does not say how long it is"),
    };
    Ok((bytes.len() >= head + body).then_some((status, head + body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_where_it_says() {
        let whole = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{}\nHTTP/1.1 2";
        let length = whole.len() - "HTTP/1.1 2".len();
        assert_eq!(answer(whole).unwrap(), Some((200, length)));
        for end in 0..length {
            assert_eq!(answer(&whole[..end]).unwrap(), None, "cut at {end}");
        }
        assert_eq!(answer(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap(), Some((204, 27)));
        assert!(answer(b"HTTP/1.1 200 OK\r\n\r\n").is_err(), "nobody can know where it ends");
    }
}
