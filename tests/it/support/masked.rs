//! The frames of a WebSocket client, byte by byte, as no library would write them: any first byte, any code, any reason.
//! Used here and by the unit tests of what reads them.

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A client's frame: its first byte as given, the rest as it should be.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..=125 => frame.push(0x80 | length as u8),
        length @ 126..=65535 => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// A close frame with this code and reason.
pub(crate) fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(0x88, &[&code.to_be_bytes(), reason].concat())
}
