//! Frames of the y-websocket dialect, written by hand, so that they can be wrong.

use yrs::{
    StateVector,
    updates::{decoder::Decode, encoder::Encode},
};

/// A `uint` of lib0.
pub(crate) fn uint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A buffer of lib0: its length and its bytes.
pub(crate) fn buffer(bytes: &[u8]) -> Vec<u8> {
    [uint(bytes.len() as u64), bytes.to_vec()].concat()
}

/// "This is what I have."
pub(crate) fn step1(vector: &[u8]) -> Vec<u8> {
    [vec![0, 0], buffer(vector)].concat()
}

/// The same, of somebody who has nothing.
pub(crate) fn empty_step1() -> Vec<u8> {
    step1(&StateVector::default().encode_v1())
}

/// The answer to a step 1.
pub(crate) fn step2(update: &[u8]) -> Vec<u8> {
    [vec![0, 1], buffer(update)].concat()
}

/// A change.
pub(crate) fn update(update: &[u8]) -> Vec<u8> {
    [vec![0, 2], buffer(update)].concat()
}

/// "Let me in", as a provider before version 4 says it.
pub(crate) fn authentication(token: &str) -> Vec<u8> {
    [vec![2, 0], buffer(token.as_bytes())].concat()
}

/// Presence of several clients: id, clock, JSON.
pub(crate) fn awareness(entries: &[(u64, u64, &str)]) -> Vec<u8> {
    let mut body = uint(entries.len() as u64);
    for (client, clock, state) in entries {
        body.extend([uint(*client), uint(*clock), buffer(state.as_bytes())].concat());
    }
    awareness_of(&body)
}

/// An awareness message with this body.
pub(crate) fn awareness_of(body: &[u8]) -> Vec<u8> {
    [vec![1], buffer(body)].concat()
}

/// The message in a frame. Fails unless it is exactly one: released clients read only the first.
pub(crate) fn only_message(frame: &[u8]) -> Result<yrs::sync::Message, String> {
    let message = yrs::sync::Message::decode_v1(frame).map_err(|error| format!("{error}: {frame:?}"))?;
    let length = message.encode_v1().len();
    if length == frame.len() {
        Ok(message)
    } else {
        Err(format!("{} bytes behind the first message of a frame", frame.len() as i64 - length as i64))
    }
}
