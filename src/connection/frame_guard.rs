//! Refuses a broken WebSocket stream at the byte that breaks it.
//!
//! The parser behind it looks at a frame only once the whole frame is in memory: a header that announces 1 TiB, followed by
//! as much as the attacker likes to send, was measured to fill a gigabyte. And it does not tell a bad code in a close frame
//! from a reason that is not UTF-8. This follows the raw bytes in front of it by the rules of RFC 6455 and says up to where
//! they are good.
//!
//! A header must not be handed on before it is known that its frame may come: the parser behind asks for as much memory
//! as is announced, and a process that is refused memory ends.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Follows the frames of a client's byte stream. Holds no payload but that of a close frame, and up to three bytes of
/// a character that is cut.
#[derive(Debug)]
pub struct FrameGuard {
    limit: u64,
    state: State,
    /// The message that is coming in pieces.
    message: Option<Pieces>,
    text: Utf8,
    /// The payload of a close frame so far.
    close: Vec<u8>,
    large: Option<Large>,
    /// How the message begins that is coming in, where some may be large.
    head: Vec<u8>,
    /// How much the message is known to be that is larger than others may be; 0 if it is not.
    excess: u64,
    place: Option<OwnedSemaphorePermit>,
}

/// Messages of one kind that may be larger than others, so many of them at a time.
#[derive(Clone, Debug)]
pub struct Large {
    /// Bytes of one.
    pub limit: usize,
    /// How many may be coming in at a time, on all connections.
    pub places: Arc<Semaphore>,
    /// Whether a message that begins so is one; nothing while that cannot be said.
    pub is_one: Recognise,
}

/// Says of the beginning of a message whether it is of a kind; nothing while that cannot be said.
pub type Recognise = fn(&[u8]) -> Option<bool>;

/// As much of a message as says what it is: an address and two kinds.
const HEAD: usize = 512;

#[derive(Debug)]
enum State {
    /// Inside a header, of which so many bytes are known.
    Header { bytes: [u8; 14], known: usize },
    /// Inside a payload, of which so many bytes are to come.
    Payload { left: u64, mask: [u8; 4], kind: Kind, finished: bool, is_data: bool },
}

const START: State = State::Header { bytes: [0; 14], known: 0 };

/// What has to be looked at in a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Close,
    Other,
}

#[derive(Clone, Copy, Debug)]
struct Pieces {
    kind: Kind,
    bytes: u64,
}

/// What is wrong with a stream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// More was announced than may come.
    #[error("a message of {announced} bytes was announced, at most {limit} may come")]
    TooLarge {
        /// Bytes that the frame's header and the pieces before it said.
        announced: u64,
        /// What is allowed.
        limit: u64,
    },
    /// Even a large message may not be that large. So it begins.
    #[error("a message larger than a document may be was announced")]
    Beyond(Bytes),
    /// As many large messages are coming in as may.
    #[error("too many large messages are coming in")]
    Busy,
    /// It is not the WebSocket protocol.
    #[error("{0}")]
    Protocol(&'static str),
    /// A text, or the reason in a close frame, is not UTF-8.
    #[error("a text is not UTF-8")]
    NotUtf8,
}

/// Where a stream breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// How many bytes of the chunk belong to frames before the one that is at fault.
    pub good: usize,
    /// What is wrong.
    pub fault: Fault,
}

impl FrameGuard {
    /// Lets messages of up to `limit` bytes of payload pass.
    pub fn new(limit: usize) -> Self {
        Self {
            limit: limit as u64,
            state: START,
            message: None,
            text: Utf8::default(),
            close: Vec::new(),
            large: None,
            head: Vec::new(),
            excess: 0,
            place: None,
        }
    }

    /// Lets some messages be larger.
    pub fn with_large(self, large: Option<Large>) -> Self {
        Self { large, ..self }
    }

    /// Follows the next bytes of the stream, wherever they are cut. Returns how many of them may be handed on; the rest,
    /// never more than a header and 512 bytes over several calls, begins a frame of which it must first be known
    /// whether it may be as large as it says.
    pub fn follow(&mut self, chunk: &[u8]) -> Result<usize, Broken> {
        let mut good = 0;
        let mut at = 0;
        while at < chunk.len() {
            let step = match &mut self.state {
                State::Header { bytes, known } => {
                    bytes[*known] = chunk[at];
                    *known += 1;
                    at += 1;
                    let header = (*bytes, *known);
                    self.header(&header.0[..header.1])
                }
                State::Payload { left, .. } => {
                    let length = (*left).min((chunk.len() - at) as u64) as usize;
                    let piece = &chunk[at..at + length];
                    at += length;
                    self.payload(piece)
                }
            };
            match step {
                Ok(()) if matches!(self.state, State::Header { known: 0, .. }) => good = at,
                Ok(()) => {}
                Err(fault) => return Err(Broken { good, fault }),
            }
        }
        let is_undecided = self.excess > 0 && self.place.is_none();
        Ok(if is_undecided { good } else { chunk.len() })
    }

    /// A header as far as it is known (RFC 6455, section 5.2).
    fn header(&mut self, header: &[u8]) -> Result<(), Fault> {
        let &[first, second, ..] = header else { return Ok(()) };
        let (finished, opcode) = (first & 0x80 != 0, first & 0x0f);
        if header.len() == 2 {
            self.allows(first, second)?;
        }
        let (extension, short) = match second & 0x7f {
            126 => (2, 0),
            127 => (8, 0),
            length => (0, u64::from(length)),
        };
        if header.len() < 2 + extension {
            return Ok(());
        }
        let long = header[2..2 + extension].iter().fold(0, |length, &byte| length << 8 | u64::from(byte));
        let length = if extension == 0 { short } else { long };
        let (kind, announced) = self.announced(opcode, length)?;
        let Ok(mask) = header[2 + extension..].try_into() else { return Ok(()) };
        if matches!(opcode, 0x0..=0x2) {
            self.message = (!finished).then_some(Pieces { kind, bytes: announced });
        }
        if matches!(opcode, 0x1 | 0x2) {
            self.head.clear();
        }
        self.state = State::Payload { left: length, mask, kind, finished, is_data: opcode < 0x8 };
        self.find_place()?;
        if length == 0 { self.end_of_frame() } else { Ok(()) }
    }

    /// Whether a frame may begin so, here.
    fn allows(&self, first: u8, second: u8) -> Result<(), Fault> {
        let (finished, opcode, masked) = (first & 0x80 != 0, first & 0x0f, second & 0x80 != 0);
        let wrong = if first & 0x70 != 0 {
            "reserved bits are set and no extension was agreed upon"
        } else if !masked {
            "a frame of a client is not masked"
        } else {
            match opcode {
                0x0 if self.message.is_none() => "a piece of a message of which there is no beginning",
                0x1 | 0x2 if self.message.is_some() => "a message begins inside another one",
                0x0..=0x2 => return Ok(()),
                0x8..=0xa if !finished => "a control frame in pieces",
                0x8..=0xa if second & 0x7f > 125 => "a control frame of more than 125 bytes",
                0x8..=0xa => return Ok(()),
                _ => "an opcode that has no meaning",
            }
        };
        Err(Fault::Protocol(wrong))
    }

    /// What has to be looked at in the payload of a frame, and how long its message is with it.
    fn announced(&mut self, opcode: u8, length: u64) -> Result<(Kind, u64), Fault> {
        let (kind, before) = match (opcode, self.message) {
            (0x0, Some(pieces)) => (pieces.kind, pieces.bytes),
            (0x1, _) => (Kind::Text, 0),
            (0x8, _) => (Kind::Close, 0),
            _ => (Kind::Other, 0),
        };
        let announced = before.saturating_add(length);
        // Control frames are short.
        if announced > self.limit && opcode < 0x8 {
            match &self.large {
                // A length whose highest bit is set is none (section 5.2), whatever the message is; and what is large is no text.
                Some(_) if length >> 63 == 0 && kind == Kind::Other => self.excess = announced,
                _ => return Err(Fault::TooLarge { announced, limit: self.limit }),
            }
        }
        Ok((kind, announced))
    }

    /// A message that is larger than others may be is one of those that may, and has a place, before more of it than
    /// that takes is let in.
    fn find_place(&mut self) -> Result<(), Fault> {
        let Some(large) = self.large.as_ref().filter(|_| self.excess > 0) else { return Ok(()) };
        let is_beyond = self.excess > large.limit as u64;
        if self.place.is_some() && !is_beyond {
            return Ok(());
        }
        match (large.is_one)(&self.head) {
            None if self.head.len() < HEAD => Ok(()),
            _ if is_beyond => Err(Fault::Beyond(Bytes::copy_from_slice(&self.head))),
            Some(true) => {
                let place = large.places.clone().try_acquire_owned();
                self.place = Some(place.map_err(|_| Fault::Busy)?);
                Ok(())
            }
            _ => Err(Fault::TooLarge { announced: self.excess, limit: self.limit }),
        }
    }

    /// Bytes of a payload, at most as many as are left of it.
    fn payload(&mut self, piece: &[u8]) -> Result<(), Fault> {
        let State::Payload { left, mask, kind, is_data, .. } = &mut self.state else { return Ok(()) };
        *left -= piece.len() as u64;
        let is_over = *left == 0;
        if *kind != Kind::Other {
            let plain = piece.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
            if *kind == Kind::Close {
                self.close.extend(plain);
            } else if !self.text.follows(&plain.collect::<Vec<_>>()) {
                return Err(Fault::NotUtf8);
            }
        } else if *is_data && self.large.is_some() && self.head.len() < HEAD {
            let plain = piece.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
            self.head.extend(plain.take(HEAD - self.head.len()));
        }
        mask.rotate_left(piece.len() % 4);
        self.find_place()?;
        if is_over { self.end_of_frame() } else { Ok(()) }
    }

    fn end_of_frame(&mut self) -> Result<(), Fault> {
        let State::Payload { kind, finished, is_data, .. } = std::mem::replace(&mut self.state, START) else {
            return Ok(());
        };
        if is_data && finished {
            (self.excess, self.place) = (0, None);
        }
        match kind {
            Kind::Text if finished && !std::mem::take(&mut self.text).is_whole() => Err(Fault::NotUtf8),
            Kind::Close => check_close(&std::mem::take(&mut self.close)),
            _ => Ok(()),
        }
    }
}

/// The payload of a close frame: nothing, or a code that may be sent and a reason.
fn check_close(payload: &[u8]) -> Result<(), Fault> {
    let (code, reason) = match payload {
        [] => return Ok(()),
        [_] => return Err(Fault::Protocol("half a code in a close frame")),
        [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
    };
    // RFC 6455, section 7.4, and what was registered since; the others must not be sent.
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Fault::Protocol("a code in a close frame that must not be sent"));
    }
    std::str::from_utf8(reason).map(drop).map_err(|_| Fault::NotUtf8)
}

/// A text that comes in pieces, cut anywhere.
#[derive(Debug, Default)]
struct Utf8 {
    /// The beginning of a character that is not whole.
    cut: [u8; 4],
    known: usize,
}

impl Utf8 {
    /// Whether the text is still one with these bytes.
    fn follows(&mut self, mut bytes: &[u8]) -> bool {
        while let ([first, rest @ ..], true) = (bytes, self.known > 0) {
            self.cut[self.known] = *first;
            self.known += 1;
            bytes = rest;
            match std::str::from_utf8(&self.cut[..self.known]) {
                Ok(_) => self.known = 0,
                Err(error) if error.error_len().is_some() => return false,
                Err(_) => {}
            }
        }
        match std::str::from_utf8(bytes) {
            Ok(_) => true,
            Err(error) if error.error_len().is_some() => false,
            Err(error) => {
                let cut = &bytes[error.valid_up_to()..];
                self.cut[..cut.len()].copy_from_slice(cut);
                self.known = cut.len();
                true
            }
        }
    }

    fn is_whole(&self) -> bool {
        self.known == 0
    }
}

#[cfg(test)]
#[path = "../../tests/it/support/masked.rs"]
mod masked;

#[cfg(test)]
mod tests {
    use super::{
        masked::{close, frame},
        *,
    };

    #[test]
    fn frames_pass_however_they_are_cut() {
        let mut stream: Vec<u8> =
            [0, 1, 125, 126, 127, 1000, 65535, 65536].map(|length| frame(0x82, &vec![0xff; length])).concat();
        let letters = "κόσμε 😀 ".repeat(40);
        stream.extend(frame(0x81, letters.as_bytes()));
        // One text in pieces of three bytes, with pings in between.
        let mut pieces = letters.as_bytes().chunks(3).peekable();
        let mut opcode = 0x01;
        while let Some(piece) = pieces.next() {
            stream.extend(frame(if pieces.peek().is_some() { opcode } else { 0x80 }, piece));
            stream.extend(frame(0x89, b"\xff"));
            opcode = 0x00;
        }
        stream.extend(close(4321, "até logo".as_bytes()));
        for size in [1, 2, 3, 7, 1000, stream.len()] {
            let mut guard = FrameGuard::new(65536);
            for chunk in stream.chunks(size) {
                assert_eq!(guard.follow(chunk), Ok(chunk.len()), "chunks of {size}");
            }
            assert!(matches!(guard.state, State::Header { known: 0, .. }));
        }
    }

    #[test]
    fn what_came_before_a_fault_is_good() {
        let good = [frame(0x82, b"one"), frame(0x89, b"two")].concat();
        let bad = [good.clone(), frame(0xc2, b"three"), frame(0x82, b"four")].concat();
        let broken = FrameGuard::new(100).follow(&bad).unwrap_err();
        assert_eq!(broken.good, good.len());
        // Also where the faulty frame began in the chunk before.
        let mut guard = FrameGuard::new(100);
        assert_eq!(guard.follow(&bad[..=good.len()]), Ok(good.len() + 1));
        assert_eq!(guard.follow(&bad[good.len() + 1..]).unwrap_err().good, 0);
    }

    #[test]
    fn a_terabyte_is_refused_at_its_header() {
        let mut guard = FrameGuard::new(16 << 20);
        let mut stream = frame(0x82, &[0; 10]);
        stream.extend([0x82, 0xff]);
        stream.extend([0, 0, 1, 0, 0, 0, 0]);
        assert_eq!(guard.follow(&stream), Ok(stream.len()), "the last byte of the length is still to come");
        let fault = Fault::TooLarge { announced: 1 << 40, limit: 16 << 20 };
        assert_eq!(guard.follow(&[0; 1]), Err(Broken { good: 0, fault }));
    }

    #[test]
    fn what_may_be_too_large_is_not_handed_on() {
        let limit = 4096;
        let large = || Large {
            limit: 1 << 20,
            places: Arc::new(Semaphore::new(1)),
            is_one: |head| head.get(1).map(|kind| *kind == 7),
        };
        let before = frame(0x82, b"before");
        for (announced, kind, is_let_in) in [(1 << 20, 7, true), (1 << 20, 8, false), (1 << 62, 7, false)] {
            let mut stream = before.clone();
            stream.extend([0x82, 0xff]);
            stream.extend(u64::to_be_bytes(announced));
            stream.extend([0; 4]);
            stream.extend([0, kind, 0]);
            for size in 1..=stream.len() {
                let mut guard = FrameGuard::new(limit).with_large(Some(large()));
                let (mut told, mut handed_on) = (0, 0);
                let broken = stream.chunks(size).find_map(|chunk| {
                    match guard.follow(chunk) {
                        Ok(0) => {}
                        // With what was kept back before.
                        Ok(sure) => handed_on = told + sure,
                        Err(broken) => {
                            handed_on = if broken.good > 0 { told + broken.good } else { handed_on };
                            return Some(broken.fault);
                        }
                    }
                    told += chunk.len();
                    None
                });
                assert_eq!(broken.is_none(), is_let_in, "{announced} {kind} in chunks of {size}: {broken:?}");
                if is_let_in {
                    assert_eq!(handed_on, stream.len());
                } else {
                    let header = before.len() + 2 + 8;
                    assert!(handed_on <= header, "{announced} {kind} in chunks of {size}: {handed_on}");
                }
            }
        }
    }

    #[test]
    fn a_text_is_never_larger_than_others_may_be() {
        let large = Large { limit: 1 << 20, places: Arc::new(Semaphore::new(1)), is_one: |_| None };
        let guard = || FrameGuard::new(4096).with_large(Some(large.clone()));
        let mut header = vec![0x81, 0xff];
        header.extend(u64::to_be_bytes(1 << 40));
        let fault = Fault::TooLarge { announced: 1 << 40, limit: 4096 };
        assert_eq!(guard().follow(&header), Err(Broken { good: 0, fault }));
        let pieces = (0..).map(|n| frame(if n == 0 { 0x01 } else { 0x00 }, &[b'a'; 1024]));
        let mut guard = guard();
        let taken = pieces.take(100).take_while(|piece| guard.follow(piece).is_ok()).count();
        assert_eq!(taken, 4, "and no more in pieces");
    }

    #[test]
    fn one_byte_over_the_limit_is_too_large_also_in_pieces() {
        assert!(FrameGuard::new(1000).follow(&frame(0x82, &[0; 1000])).is_ok());
        assert!(FrameGuard::new(999).follow(&frame(0x82, &[0; 1000])).is_err());
        let pieces = [frame(0x02, &[0; 600]), frame(0x80, &[0; 400])].concat();
        assert!(FrameGuard::new(1000).follow(&pieces).is_ok());
        let broken = FrameGuard::new(999).follow(&pieces).unwrap_err();
        assert_eq!(broken.fault, Fault::TooLarge { announced: 1000, limit: 999 });
    }

    #[test]
    fn what_is_not_utf8_is_found_at_its_first_byte() {
        for (bytes, at) in [
            (&b"ok\xce\xff"[..], 4),
            (b"\xed\xa0\x80", 2),
            (b"\xf4\x90\x80\x80", 2),
            (b"\xc0\xaf", 1),
            (b"\xf5", 1),
        ] {
            let text = frame(0x01, bytes);
            for n in 0..=text.len() {
                let mut guard = FrameGuard::new(100);
                assert_eq!(guard.follow(&text[..n]).is_ok(), n < 6 + at, "{n} bytes of {bytes:x?}");
            }
        }
        // Cut off in the middle of a character, where the message ends.
        assert!(FrameGuard::new(100).follow(&frame(0x01, b"\xce")).is_ok());
        assert_eq!(FrameGuard::new(100).follow(&frame(0x81, b"\xce")).unwrap_err().fault, Fault::NotUtf8);
    }
}
