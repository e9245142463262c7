//! Frames: what is written in one piece, numbered and checksummed, one behind the other in a file.
//!
//! ```text
//! frame = version u8 | length u32 | number u64 | crc32c u32 | payload     (crc over all the rest)
//! ```
//!
//! Numbers grow by one. Reading goes on behind what cannot be read: the next frame is found by its number
//! and its checksum, so damage costs what stood in the damaged frame and nothing behind it.

use std::{fs::File, io, os::unix::fs::FileExt};

use bytes::Bytes;

/// What a frame takes beside its payload.
pub(super) const HEADER_BYTES: usize = 17;
/// How much is read at a time while the next frame is looked for.
const WINDOW_BYTES: usize = 1 << 20;

/// A frame as it is written.
pub(super) fn encode(version: u8, number: u64, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(HEADER_BYTES + payload.len());
    frame.push(version);
    frame.extend_from_slice(&(payload.len() as u32).to_be_bytes()); // a group is never gigabytes
    frame.extend_from_slice(&number.to_be_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c(&frame), payload);
    frame.extend_from_slice(&crc.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// What stands at one place of a file of frames.
#[derive(Debug)]
pub(super) enum Piece {
    /// A whole frame.
    Frame {
        version: u8,
        number: u64,
        /// Where its payload begins.
        at: u64,
        payload: Bytes,
    },
    /// Bytes that are no frame: damage, or a last frame that was torn.
    Gap { from: u64, to: u64 },
}

/// Reads a file of frames from one place to its end.
#[derive(Debug)]
pub(super) struct Frames<'a> {
    file: &'a File,
    at: u64,
    end: u64,
    /// The greatest version there may be.
    version: u8,
    /// Number of the last frame.
    last: u64,
}

impl<'a> Frames<'a> {
    /// From `at` on, where the frame behind number `last` should begin.
    pub(super) fn new(file: &'a File, at: u64, version: u8, last: u64) -> io::Result<Self> {
        Ok(Self { file, at, end: file.metadata()?.len(), version, last })
    }

    /// The next piece; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Piece>> {
        if self.at >= self.end {
            return Ok(None);
        }
        if let Some(found) = self.frame_at(self.at)? {
            return Ok(Some(self.take(found)));
        }
        let from = self.at;
        self.at = self.find(from + 1)?;
        Ok(Some(Piece::Gap { from, to: self.at }))
    }

    fn take(&mut self, (header, payload): (Header, Bytes)) -> Piece {
        let at = self.at + HEADER_BYTES as u64;
        self.at = at + payload.len() as u64;
        self.last = header.number;
        Piece::Frame { version: header.version, number: header.number, at, payload }
    }

    /// The place of the next whole frame from `at` on, or the end.
    fn find(&self, mut at: u64) -> io::Result<u64> {
        let mut window = vec![0; WINDOW_BYTES + HEADER_BYTES - 1];
        while at + (HEADER_BYTES as u64) <= self.end {
            let length = window.len().min((self.end - at) as usize);
            self.file.read_exact_at(&mut window[..length], at)?;
            for start in 0..=length - HEADER_BYTES {
                let header = Header::decode(&window[start..start + HEADER_BYTES]);
                let place = at + start as u64;
                if self.may_be(&header, place) && self.frame_at(place)?.is_some() {
                    return Ok(place);
                }
            }
            at += (length - HEADER_BYTES + 1) as u64;
        }
        Ok(self.end)
    }

    fn frame_at(&self, at: u64) -> io::Result<Option<(Header, Bytes)>> {
        if at + HEADER_BYTES as u64 > self.end {
            return Ok(None);
        }
        let mut bytes = [0; HEADER_BYTES];
        self.file.read_exact_at(&mut bytes, at)?;
        let header = Header::decode(&bytes);
        if !self.may_be(&header, at) {
            return Ok(None);
        }
        let mut payload = vec![0; header.length as usize];
        self.file.read_exact_at(&mut payload, at + HEADER_BYTES as u64)?;
        let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[..13]), &payload);
        Ok((crc == header.crc).then(|| (header, Bytes::from(payload))))
    }

    /// Whether this may be the header of a frame that comes next, or after frames that cannot be read.
    fn may_be(&self, header: &Header, at: u64) -> bool {
        let most = (self.end / HEADER_BYTES as u64).saturating_add(self.last) + 1;
        (1..=self.version).contains(&header.version)
            && header.number > self.last
            && header.number <= most
            && at + HEADER_BYTES as u64 + u64::from(header.length) <= self.end
    }
}

#[derive(Clone, Copy, Debug)]
struct Header {
    version: u8,
    length: u32,
    number: u64,
    crc: u32,
}

impl Header {
    /// `bytes` are as many as a header takes.
    fn decode(bytes: &[u8]) -> Self {
        let number = bytes[5..13].iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        let word =
            |from: usize| bytes[from..from + 4].iter().fold(0, |word, byte| word << 8 | u32::from(*byte));
        Self { version: bytes[0], length: word(1), number, crc: word(13) }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(bytes: &[u8]) -> Vec<(u64, String)> {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("frames");
        fs::write(&path, bytes).unwrap();
        let file = File::open(path).unwrap();
        let mut frames = Frames::new(&file, 0, 1, 0).unwrap();
        let mut all = Vec::new();
        while let Some(piece) = frames.next().unwrap() {
            match piece {
                Piece::Frame { number, payload, .. } => {
                    all.push((number, String::from_utf8_lossy(&payload).into_owned()));
                }
                Piece::Gap { from, to } => all.push((0, (to - from).to_string())),
            }
        }
        all
    }

    #[test]
    fn damage_costs_one_frame() {
        let texts = ["one", "", "three", "four"];
        let frames: Vec<_> =
            (1..).zip(texts).map(|(number, text)| encode(1, number, text.as_bytes())).collect();
        let whole = frames.concat();
        let expected: Vec<_> = (1..).zip(texts.map(String::from)).collect();
        assert_eq!(read(&whole), expected);
        for bit in 0..whole.len() * 8 {
            let mut broken = whole.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            let mut left = expected.clone();
            let mut from = 0;
            let hit = frames.iter().position(|frame| {
                from += frame.len();
                bit / 8 < from
            });
            let hit = hit.unwrap();
            left[hit] = (0, frames[hit].len().to_string());
            assert_eq!(read(&broken), left, "bit {bit}");
        }
        for length in 0..whole.len() {
            let kept = read(&whole[..length]).into_iter().filter(|(number, _)| *number > 0).count();
            let mut from = 0;
            let fit = frames.iter().take_while(|frame| {
                from += frame.len();
                from <= length
            });
            assert_eq!(kept, fit.count(), "cut to {length}");
        }
    }

    #[test]
    fn a_frame_behind_a_large_gap_is_found() {
        let gap = vec![1; 3 * WINDOW_BYTES - 5];
        let bytes = [encode(1, 1, b"a"), gap, encode(1, 9, b"b")].concat();
        let length = (3 * WINDOW_BYTES - 5).to_string();
        assert_eq!(read(&bytes), [(1, "a".into()), (0, length), (9, "b".into())]);
    }

    #[test]
    fn the_format_never_changes() {
        let hex: String = encode(1, 2, b"payload").iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex[..26], *"01000000070000000000000002");
        assert_eq!(hex[34..], *"7061796c6f6164");
    }
}
