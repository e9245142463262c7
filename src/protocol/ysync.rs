//! The y-websocket dialect: one document per socket, and of each frame the first byte says what it is.
//!
//! A frame is `uint type` and a body: 0 sync (`uint kind`, buffer: 0 a state vector, 1 the answer to one,
//! 2 an update), 1 awareness (buffer), 2 auth (server to client only), 3 query awareness (no body), and
//! y-sweet's 102 (buffer, sent back as it came). Several messages in one frame are understood; we send one
//! per frame, because y-websocket up to 3.1 reads only the first.

use bytes::{BufMut, Bytes, BytesMut};
use smallvec::{SmallVec, smallvec};

use super::{
    ProtocolError,
    guard::{self, Limits, Update},
    message::{AwarenessUpdate, Message, SyncMessage},
    wire::{self, Reader},
};

/// Presence of nobody. Both client families close a connection on which they hear nothing for 30 seconds,
/// and this is the smallest message that every version of them accepts.
pub const KEEPALIVE: Bytes = Bytes::from_static(&[AWARENESS as u8, 1, 0]);

const SYNC: u64 = 0;
const AWARENESS: u64 = 1;
const AUTH: u64 = 2;
const QUERY_AWARENESS: u64 = 3;
const ECHO: u64 = 102;

const STEP_1: u64 = 0;
const STEP_2: u64 = 1;
const UPDATE: u64 = 2;

/// The messages of one binary frame, of which there is at least one. Updates are not copied: they share
/// the frame's memory.
pub fn decode(frame: Bytes, limits: &Limits) -> Result<SmallVec<[Message; 1]>, ProtocolError> {
    let mut reader = Reader::new(&frame);
    let mut messages = smallvec![decode_one(&frame, &mut reader, limits)?];
    while !reader.is_at_end() {
        messages.push(decode_one(&frame, &mut reader, limits)?);
    }
    Ok(messages)
}

/// The first message of a frame, whatever follows it.
pub(super) fn decode_first(frame: &Bytes, limits: &Limits) -> Result<Message, ProtocolError> {
    decode_one(frame, &mut Reader::new(frame), limits)
}

/// Whether a frame that begins so is a step 2 and nothing else; nothing while too little of it is known.
pub fn is_step_2(head: &[u8]) -> Option<bool> {
    match head {
        [0, 1, ..] => Some(true),
        [] | [0] => None,
        _ => Some(false),
    }
}

/// The frame for one message.
pub fn encode(message: &SyncMessage) -> Bytes {
    match message {
        SyncMessage::SyncStep1(vector) => frame(&[SYNC, STEP_1], vector),
        SyncMessage::SyncStep2(update) => frame(&[SYNC, STEP_2], update),
        SyncMessage::Update(update) => frame(&[SYNC, UPDATE], update),
        SyncMessage::Awareness(update) => frame(&[AWARENESS], update),
        SyncMessage::Echo(bytes) => frame(&[ECHO], bytes),
    }
}

fn decode_one(frame: &Bytes, reader: &mut Reader<'_>, limits: &Limits) -> Result<Message, ProtocolError> {
    match reader.uint()? {
        SYNC => decode_sync(frame, reader, limits),
        AWARENESS => {
            let body = reader.buffer(usize::MAX)?;
            Ok(Message::Awareness(AwarenessUpdate::decode(body, limits)?))
        }
        QUERY_AWARENESS => Ok(Message::QueryAwareness),
        ECHO => Ok(Message::Echo(frame.slice_ref(reader.buffer(limits.echo_bytes)?))),
        AUTH => Err(ProtocolError::NotForServers("auth")),
        number => Err(ProtocolError::UnknownType(number)),
    }
}

/// The part of a sync message behind its type, which all dialects share.
fn decode_sync(frame: &Bytes, reader: &mut Reader<'_>, limits: &Limits) -> Result<Message, ProtocolError> {
    let kind = reader.uint()?;
    if !matches!(kind, STEP_1 | STEP_2 | UPDATE) {
        return Err(ProtocolError::UnknownSync(kind));
    }
    let most = if kind == STEP_2 { limits.document_bytes } else { limits.update_bytes };
    let body = reader.buffer(most)?;
    Ok(match kind {
        STEP_1 => Message::SyncStep1(guard::state_vector(body, limits)?),
        STEP_2 => Message::SyncStep2(Update::check_whole(frame.slice_ref(body), limits)?),
        _ => Message::Update(Update::check(frame.slice_ref(body), limits)?),
    })
}

fn frame(head: &[u64], body: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(head.len() + wire::buffer_len(body.len()));
    for &number in head {
        frame.put_u8(number as u8);
    }
    wire::put_buffer(&mut frame, body);
    frame.freeze()
}
