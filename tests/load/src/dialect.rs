//! Where a document is found and how it is spoken about there: the two dialects that the generator's clients have.
//!
//! They differ in little. In the y-websocket dialect the address names the document and a frame is a message; in the
//! Hocuspocus dialect every frame begins with the document's name, a client asks to be let in first, and the server
//! says of each change what became of it.

use anyhow::{Result, ensure};

use crate::wire::{self, Message, Reader, Sync};

/// How a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Dialect {
    /// As the npm package y-websocket
    #[value(name = "y-websocket")]
    YWebsocket,
    /// As @hocuspocus/provider, of a version before 4
    Hocuspocus,
}

/// The way to one document.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    pub(crate) url: String,
    pub(crate) dialect: Dialect,
    pub(crate) document: String,
    /// What every frame begins with.
    head: Vec<u8>,
}

impl Door {
    /// The way to a document, whose name needs no escaping, over a socket at `url`.
    pub(crate) fn new(dialect: Dialect, url: String, document: &str) -> Self {
        let mut head = Vec::new();
        if dialect == Dialect::Hocuspocus {
            wire::write_sized(&mut head, document.as_bytes());
        }
        Self { url, dialect, document: document.to_owned(), head }
    }

    /// The same for who wants to hear when an edit is safe. Hocuspocus servers say it, or what they take for it,
    /// unasked; Weft says it in the y-websocket dialect by sending the edit back.
    pub(crate) fn acknowledging(mut self) -> Self {
        if self.dialect == Dialect::YWebsocket {
            self.url.push_str("?echo=durable");
        }
        self
    }

    /// Whether every change is answered by [`Message::Status`].
    pub(crate) fn answers_changes(&self) -> bool {
        self.dialect == Dialect::Hocuspocus
    }

    /// The frames with which a client begins that has `vector`.
    pub(crate) fn greeting(&self, vector: &[u8]) -> Vec<Vec<u8>> {
        let mut step1 = Vec::new();
        self.write_sync(&mut step1, Sync::Step1, vector);
        match self.dialect {
            Dialect::YWebsocket => vec![step1],
            // Everybody is let in, so the token is empty.
            Dialect::Hocuspocus => vec![[&self.head[..], &[2, 0, 0]].concat(), step1],
        }
    }

    /// Appends a frame with one sync message.
    pub(crate) fn write_sync(&self, out: &mut Vec<u8>, kind: Sync, body: &[u8]) {
        out.extend_from_slice(&self.head);
        wire::write_sync(out, kind, body);
    }

    /// A frame with one sync message.
    pub(crate) fn sync(&self, kind: Sync, body: &[u8]) -> Vec<u8> {
        let mut frame = Vec::with_capacity(self.head.len() + body.len() + 8);
        self.write_sync(&mut frame, kind, body);
        frame
    }

    /// A frame in which one client shows something of itself: `state` is JSON, and greater clocks are newer.
    pub(crate) fn awareness(&self, client: u64, clock: u64, state: &str) -> Vec<u8> {
        let mut frame = self.head.clone();
        wire::write_awareness(&mut frame, client, clock, state);
        frame
    }

    /// Calls `each` for every message of a frame that the server sent.
    pub(crate) fn each_message(&self, frame: &[u8], mut each: impl FnMut(Message<'_>)) -> Result<()> {
        if self.dialect == Dialect::YWebsocket {
            return wire::each_message(frame, each);
        }
        if frame.len() == 1 {
            return Ok(()); // a ping or a pong of the connection itself
        }
        let body = frame.strip_prefix(&self.head[..]);
        ensure!(body.is_some(), "a frame about another document");
        let body = body.unwrap_or_default();
        let mut reader = Reader::new(body);
        match reader.uint()? {
            0 | 1 => wire::each_message(body, each),
            // A server that repeats its step 1 as a reply wants no question back; what it carries is the same.
            4 => wire::each_message(&[&[0], &body[1..]].concat(), each),
            2 => {
                if reader.uint()? == 1 {
                    each(Message::Denied(String::from_utf8_lossy(reader.sized()?).into_owned()));
                }
                Ok(())
            }
            7 => {
                each(Message::Denied(String::from_utf8_lossy(reader.sized()?).into_owned()));
                Ok(())
            }
            8 => {
                each(Message::Status(reader.uint()? == 1));
                ensure!(reader.is_empty(), "bytes behind an acknowledgement");
                Ok(())
            }
            _ => {
                each(Message::Other);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{EMPTY_UPDATE, EMPTY_VECTOR};

    fn heard(door: &Door, frame: &[u8]) -> Vec<String> {
        let mut heard = Vec::new();
        door.each_message(frame, |message| heard.push(format!("{message:?}"))).unwrap();
        heard
    }

    #[test]
    fn a_hocuspocus_client_asks_to_be_let_in_and_names_the_document_each_time() {
        let door = Door::new(Dialect::Hocuspocus, "ws://x".into(), "doc");
        let frames = door.greeting(EMPTY_VECTOR);
        assert_eq!(frames, [b"\x03doc\x02\x00\x00".to_vec(), b"\x03doc\x00\x00\x01\x00".to_vec()]);
        assert_eq!(door.acknowledging().url, "ws://x");
    }

    #[test]
    fn a_y_websocket_client_begins_at_once_and_asks_for_acknowledgements_in_the_address() {
        let door = Door::new(Dialect::YWebsocket, "ws://x/doc".into(), "doc");
        assert_eq!(door.greeting(EMPTY_VECTOR), [b"\x00\x00\x01\x00".to_vec()]);
        assert_eq!(door.acknowledging().url, "ws://x/doc?echo=durable");
    }

    #[test]
    fn what_a_hocuspocus_server_says_is_understood() {
        let door = Door::new(Dialect::Hocuspocus, "ws://x".into(), "doc");
        let about = |body: &[u8]| [b"\x03doc", body].concat();
        assert_eq!(heard(&door, &door.sync(Sync::Step2, EMPTY_UPDATE)), ["Step2([0, 0])"]);
        assert_eq!(heard(&door, &about(&[4, 0, 1, 0])), ["Step1([0])"]);
        assert_eq!(heard(&door, &about(&[8, 1])), ["Status(true)"]);
        assert_eq!(heard(&door, &about(&[8, 0])), ["Status(false)"]);
        assert_eq!(heard(&door, &about(b"\x02\x01\x02no")), ["Denied(\"no\")"]);
        assert_eq!(heard(&door, &about(b"\x02\x02\x0aread-write")), [""; 0]);
        assert_eq!(heard(&door, &about(b"\x07\x04over")), ["Denied(\"over\")"]);
        assert_eq!(heard(&door, &about(&[1, 1, 0])), ["Awareness([0])"]);
        assert_eq!(heard(&door, &[9]), [""; 0]);
        assert!(door.each_message(b"\x03dog\x08\x01", |_| ()).is_err(), "about another document");
        assert!(door.each_message(&about(&[8, 1, 1]), |_| ()).is_err(), "two answers in one");
    }
}
