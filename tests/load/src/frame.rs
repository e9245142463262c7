//! WebSocket frames as both ends of the generator write and read them: no masking work, no copy of a payload.

use anyhow::{Result, bail, ensure};

/// Larger frames are a fault of the server, not a document.
const MAX_PAYLOAD: u64 = 1 << 30;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opcode {
    Continuation = 0,
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

/// Where the parts of a frame lie, counted from its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) opcode: Opcode,
    pub(crate) is_final: bool,
    /// Length of the header, mask included.
    pub(crate) header: usize,
    /// Length of the payload.
    pub(crate) payload: usize,
    pub(crate) mask: Option<[u8; 4]>,
}

/// Reads the header of a frame if the whole frame is there; `None` means that bytes are missing.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Frame>> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    ensure!(first & 0x70 == 0, "reserved bits in a frame");
    let opcode = match first & 0x0f {
        0 => Opcode::Continuation,
        1 => Opcode::Text,
        2 => Opcode::Binary,
        8 => Opcode::Close,
        9 => Opcode::Ping,
        10 => Opcode::Pong,
        other => bail!("unknown opcode {other}"),
    };
    let (length, mut header) = match second & 0x7f {
        126 => match rest.first_chunk() {
            Some(length) => (u64::from(u16::from_be_bytes(*length)), 4),
            None => return Ok(None),
        },
        127 => match rest.first_chunk() {
            Some(length) => (u64::from_be_bytes(*length), 10),
            None => return Ok(None),
        },
        short => (u64::from(short), 2),
    };
    ensure!(length <= MAX_PAYLOAD, "a frame of {length} bytes");
    let payload = length as usize;
    let mut mask = None;
    if second & 0x80 != 0 {
        let Some(key) = bytes.get(header..).and_then(<[u8]>::first_chunk) else { return Ok(None) };
        mask = Some(*key);
        header += 4;
    }
    let is_final = first & 0x80 != 0;
    Ok((bytes.len() >= header + payload).then_some(Frame { opcode, is_final, header, payload, mask }))
}

/// Appends a frame as a server sends it.
pub(crate) fn write_plain(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    write_header(out, opcode, payload.len(), 0);
    out.extend_from_slice(payload);
}

/// Appends a frame as a client sends it, under a mask of zeros.
pub(crate) fn write_masked(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    write_header(out, opcode, payload.len(), 0x80);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
}

fn write_header(out: &mut Vec<u8>, opcode: Opcode, length: usize, masked: u8) {
    out.push(0x80 | opcode as u8);
    match length {
        0..=125 => out.push(masked | length as u8),
        126..=0xffff => {
            out.push(masked | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(masked | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

/// Undoes a client's mask.
pub(crate) fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    if mask != [0; 4] {
        for (index, byte) in payload.iter_mut().enumerate() {
            *byte ^= mask[index % 4];
        }
    }
}

/// The code and the words of a close frame.
pub(crate) fn close_reason(payload: &[u8]) -> String {
    match payload.split_first_chunk() {
        Some((code, words)) => format!("{} {}", u16::from_be_bytes(*code), String::from_utf8_lossy(words)),
        None => "without a code".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_all_lengths_round_trip_and_wait_for_their_end() {
        for length in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
            let payload = vec![7; length];
            for masked in [false, true] {
                let mut bytes = Vec::new();
                let write = if masked { write_masked } else { write_plain };
                write(&mut bytes, Opcode::Binary, &payload);
                let frame = parse(&bytes).unwrap().unwrap();
                assert_eq!((frame.payload, frame.header + frame.payload), (length, bytes.len()));
                assert_eq!((frame.mask.is_some(), frame.is_final), (masked, true));
                for end in [0, 1, frame.header - 1, bytes.len() - 1] {
                    assert_eq!(parse(&bytes[..end]).unwrap(), None);
                }
            }
        }
    }

    #[test]
    fn a_frame_that_claims_a_terabyte_is_refused() {
        let mut bytes = vec![0x82, 127];
        bytes.extend_from_slice(&(1_u64 << 40).to_be_bytes());
        assert!(parse(&bytes).is_err());
    }

    #[test]
    fn a_mask_is_undone() {
        let mut payload = [1 ^ 9, 2 ^ 8, 3 ^ 7, 4 ^ 6, 5 ^ 9];
        unmask(&mut payload, [9, 8, 7, 6]);
        assert_eq!(payload, [1, 2, 3, 4, 5]);
    }
}
