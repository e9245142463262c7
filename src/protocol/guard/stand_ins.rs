//! What yrs cannot hold as it is, held as something else: references to subdocuments, hooks in XML, and the JSON of
//! releases before 13.
//!
//! yrs 0.28 makes a document of its own of each subdocument, writes it back with other options, and leaks it; it leaves
//! the name of a hook unread, and reads one value too many of JSON. So yrs is given a stand-in for each, which takes the
//! same place, joins its neighbours (or does not) in the same way, and is deleted and collected like the original:
//!
//! | as Yjs writes it | as yrs holds it |
//! |---|---|
//! | a subdocument | bytes: [`MARK`], `d`, what the subdocument was |
//! | a hook | an element: [`MARK`], `h`, the hook's name |
//! | JSON values | the same as ordinary values, and so they are passed on to whoever comes later: Yjs reads both alike |
//! | bytes that begin with [`MARK`] | bytes: [`MARK`], `b`, the bytes |
//! | an element whose name does | an element: [`MARK`], `e`, the name |
//!
//! Because of the last two nothing that a client sends can be taken for a stand-in: it gets back what it sent. Stand-ins
//! exist only between yrs and the one who calls it ([`Update::decode`](super::Update::decode) and
//! [`as_yjs_writes`](super::as_yjs_writes)): what is stored, broadcast and answered is as Yjs writes it.

use bytes::Bytes;

use super::{
    Update,
    contents::{ANY, BINARY, DOCUMENT, JSON, MARK, TYPE, XML_ELEMENT, XML_HOOK, value},
    structs,
};
use crate::protocol::wire::{self, Reader};

const SUBDOCUMENT: u8 = b'd';
const BYTES: u8 = b'b';
const HOOK: u8 = b'h';
const ELEMENT: u8 = b'e';

/// Content as it is rewritten: its number, and what follows it; nothing if it stays as it is.
pub(super) type Rewritten = Option<(u8, Vec<u8>)>;

/// What yrs is given instead of a content.
pub(super) fn inward(number: u8, content: &[u8]) -> Rewritten {
    let mut out = Vec::with_capacity(content.len() + 2 * MARK.len());
    match (number, content) {
        (JSON, _) => return values(content),
        (DOCUMENT, _) => put_marked(&mut out, SUBDOCUMENT, content),
        (BINARY, buffer) => put_marked(&mut out, BYTES, Reader::new(buffer).buffer(usize::MAX).ok()?),
        (TYPE, [kind @ (XML_HOOK | XML_ELEMENT), name @ ..]) => {
            out.push(XML_ELEMENT);
            let tag = if *kind == XML_HOOK { HOOK } else { ELEMENT };
            put_marked(&mut out, tag, Reader::new(name).buffer(usize::MAX).ok()?);
        }
        _ => return None,
    }
    Some((if number == DOCUMENT { BINARY } else { number }, out))
}

/// What a content of yrs stands for.
pub(super) fn outward(number: u8, content: &[u8]) -> Rewritten {
    let mut out = Vec::with_capacity(content.len());
    match (number, content) {
        (BINARY, buffer) => match unmarked(buffer)? {
            (SUBDOCUMENT, content) => return Some((DOCUMENT, content.to_vec())),
            (BYTES, bytes) => wire::put_buffer(&mut out, bytes),
            _ => return None,
        },
        (TYPE, [XML_ELEMENT, buffer @ ..]) => match unmarked(buffer)? {
            (tag @ (HOOK | ELEMENT), name) => {
                out.push(if tag == HOOK { XML_HOOK } else { XML_ELEMENT });
                wire::put_buffer(&mut out, name);
            }
            _ => return None,
        },
        _ => return None,
    }
    Some((number, out))
}

/// A content as somebody should see it who only reads: a subdocument as an object with its `guid` and its options, a hook
/// as an element of its name.
pub(super) fn to_read(number: u8, content: &[u8]) -> Rewritten {
    match (number, content) {
        (JSON, _) => values(content),
        (DOCUMENT, _) => {
            let mut reader = Reader::new(content);
            let guid = reader.string(usize::MAX).ok()?;
            // The options are an object: its kind, the number of its entries, the entries.
            let (kind, count) = (reader.byte().ok()?, reader.uint().ok()?);
            let mut out = vec![1, kind];
            wire::put_uint(&mut out, count + 1);
            wire::put_string(&mut out, "guid");
            out.push(STRING);
            wire::put_string(&mut out, guid);
            out.extend_from_slice(&content[reader.position()..]);
            Some((ANY, out))
        }
        (TYPE, [XML_HOOK, name @ ..]) => Some((TYPE, [&[XML_ELEMENT], name].concat())),
        _ => None,
    }
}

/// The same update with its contents rewritten.
pub(super) fn rewrite(update: &Update, rewrite: impl Fn(u8, &[u8]) -> Rewritten) -> Bytes {
    let bytes = &update.bytes;
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 4);
    let mut copied = 0;
    for (section, extent) in update.summary.sections.iter().zip(&update.summary.extents) {
        let mut reader = Reader::starting_at(bytes, extent.at);
        let mut clock = section.start;
        for _ in 0..extent.structs {
            let at = reader.position();
            // These bytes have been read before, so this succeeds.
            let Ok(block) = structs::read_block_again(&mut reader, section.client, clock) else { break };
            clock = block.end;
            if !block.needs_stand_in {
                continue;
            }
            let content = &bytes[block.content_at..reader.position()];
            if let Some((number, content)) = rewrite(bytes[at] & structs::CONTENT, content) {
                out.extend_from_slice(&bytes[copied..at]);
                out.push(bytes[at] & !structs::CONTENT | number);
                out.extend_from_slice(&bytes[at + 1..block.content_at]);
                out.extend_from_slice(&content);
                copied = reader.position();
            }
        }
    }
    out.extend_from_slice(&bytes[copied..]);
    out.into()
}

fn put_marked(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    wire::put_uint(out, (MARK.len() + 1 + bytes.len()) as u64);
    out.extend_from_slice(MARK.as_bytes());
    out.push(tag);
    out.extend_from_slice(bytes);
}

/// The tag of what is marked, and what stands behind it.
fn unmarked(buffer: &[u8]) -> Option<(u8, &[u8])> {
    let bytes = Reader::new(buffer).buffer(usize::MAX).ok()?;
    bytes.strip_prefix(MARK.as_bytes())?.split_first().map(|(tag, rest)| (*tag, rest))
}

/// The lib0 `any` that is a string.
const STRING: u8 = 119;

/// JSON values as ordinary ones.
fn values(content: &[u8]) -> Rewritten {
    let mut reader = Reader::new(content);
    let count = reader.uint().ok()?;
    let mut out = Vec::with_capacity(content.len());
    wire::put_uint(&mut out, count);
    for _ in 0..count {
        value(reader.string(usize::MAX).ok()?)?.encode(&mut out);
    }
    Some((ANY, out))
}
