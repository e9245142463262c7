//! Refuses a WebSocket frame on sight of its header.
//!
//! actix-ws looks at a frame's length only once the whole frame is in memory: a header that announces 1 TiB,
//! followed by as much as the attacker likes to send, was measured to fill a gigabyte. This watches the raw
//! bytes in front of it and ends the stream as soon as a header announces more than may come.

/// Follows the frames of a byte stream, in at most 14 bytes of memory.
#[derive(Debug)]
pub struct FrameGuard {
    limit: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Inside a header, of which so many bytes are known.
    Header { bytes: [u8; 14], known: usize },
    /// Inside a payload, of which so many bytes are to come.
    Payload { left: u64 },
}

/// A frame announced more than may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame announced {announced} bytes, at most {limit} may come")]
pub struct FrameTooLarge {
    /// What its header said.
    pub announced: u64,
    /// What is allowed.
    pub limit: u64,
}

impl FrameGuard {
    /// Lets frames of up to `limit` bytes of payload pass.
    pub fn new(limit: usize) -> Self {
        Self { limit: limit as u64, state: START }
    }

    /// Follows the next bytes of the stream, wherever they are cut.
    pub fn follow(&mut self, mut chunk: &[u8]) -> Result<(), FrameTooLarge> {
        while !chunk.is_empty() {
            match &mut self.state {
                State::Payload { left } => {
                    let skipped = (*left).min(chunk.len() as u64);
                    chunk = &chunk[skipped as usize..];
                    *left -= skipped;
                    if *left == 0 {
                        self.state = START;
                    }
                }
                State::Header { bytes, known } => {
                    bytes[*known] = chunk[0];
                    *known += 1;
                    chunk = &chunk[1..];
                    let Some(announced) = payload_length(&bytes[..*known]) else { continue };
                    if announced > self.limit {
                        return Err(FrameTooLarge { announced, limit: self.limit });
                    }
                    self.state = if announced == 0 { START } else { State::Payload { left: announced } };
                }
            }
        }
        Ok(())
    }
}

const START: State = State::Header { bytes: [0; 14], known: 0 };

/// The payload's length, once the header (RFC 6455, section 5.2) is whole, mask included.
fn payload_length(header: &[u8]) -> Option<u64> {
    let &[_, second, ..] = header else { return None };
    let mask = if second & 0x80 != 0 { 4 } else { 0 };
    let (extension, short) = match second & 0x7f {
        126 => (2, 0),
        127 => (8, 0),
        length => (0, u64::from(length)),
    };
    if header.len() < 2 + extension + mask {
        return None;
    }
    let long = header[2..2 + extension].iter().fold(0, |length, &byte| length << 8 | u64::from(byte));
    Some(if extension == 0 { short } else { long })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(length: usize) -> Vec<u8> {
        let mut frame = vec![0x82];
        match length {
            0..=125 => frame.push(0x80 | length as u8),
            126..=65535 => {
                frame.push(0x80 | 126);
                frame.extend((length as u16).to_be_bytes());
            }
            _ => {
                frame.push(0x80 | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend([1, 2, 3, 4]);
        frame.resize(frame.len() + length, 0xff);
        frame
    }

    #[test]
    fn frames_pass_however_they_are_cut() {
        let stream: Vec<u8> = [0, 1, 125, 126, 127, 1000, 65535, 65536].into_iter().flat_map(frame).collect();
        for size in [1, 2, 3, 7, 1000, stream.len()] {
            let mut guard = FrameGuard::new(65536);
            for chunk in stream.chunks(size) {
                assert_eq!(guard.follow(chunk), Ok(()), "chunks of {size}");
            }
            assert!(matches!(guard.state, State::Header { known: 0, .. }));
        }
    }

    #[test]
    fn a_terabyte_is_refused_at_its_header() {
        let mut guard = FrameGuard::new(16 << 20);
        let mut stream = frame(10);
        stream.extend([0x82, 0xff]);
        stream.extend((1u64 << 40).to_be_bytes());
        assert_eq!(guard.follow(&stream), Ok(()), "the mask is still to come");
        let refusal = FrameTooLarge { announced: 1 << 40, limit: 16 << 20 };
        assert_eq!(guard.follow(&[0; 4]), Err(refusal));
    }

    #[test]
    fn one_byte_over_the_limit_is_too_large() {
        assert_eq!(FrameGuard::new(1000).follow(&frame(1000)), Ok(()));
        assert!(FrameGuard::new(999).follow(&frame(1000)).is_err());
    }
}
