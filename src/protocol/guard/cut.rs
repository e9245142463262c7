//! A whole state in messages that are not too large, each made when it is wanted.
//!
//! Whoever is sent a document over a thin line hears nothing for minutes if it comes as one message, takes the line for dead
//! and begins anew, for ever. In pieces it has what has come, and asks for the rest when it comes back. Every piece is an
//! update that integrates by what came before it. Structs are passed on as they are, but for long texts, which are
//! cut between characters as yjs cuts them when only their beginning is known (`Item.write` with an offset, yjs 13.6).
//! Deletions come last: what is deleted has mostly been collected, and says so itself.
//!
//! All who ask share the state, and what is kept for each of them is little: how far each client's structs have come.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use bytes::Bytes;
use yrs::StateVector;

use super::{
    Update, read_client, read_range,
    structs::{self, Block, CONTENT, HAS_ORIGIN, HAS_RIGHT_ORIGIN, Id, Kind},
};
use crate::protocol::{
    ClientId,
    wire::{self, Reader},
};

/// What somebody lacks of a state, piece by piece.
#[derive(Debug)]
pub struct Cut {
    state: Arc<Update>,
    known: StateVector,
    most: usize,
    /// Once the first piece was asked for: until then it costs nothing.
    cutting: Option<Cutting>,
}

/// How far it has come.
#[derive(Debug)]
struct Cutting {
    /// The clock up to which each section has been given out, or was known.
    reached: Vec<u32>,
    /// Before this section all have been begun.
    begun: usize,
    /// Sections that have been begun and have more to give.
    open: HashMap<usize, Open>,
    /// Of those, the ones that wait for nothing, the next one last.
    ready: Vec<usize>,
    /// Those that wait, by the section that they wait for: for which clock.
    waiting: HashMap<usize, Vec<(u32, usize)>>,
    deletions: Deletions,
}

/// A section that has more to give.
#[derive(Clone, Copy, Debug)]
struct Open {
    /// At which byte its next struct begins, how many there are, and the clock of the next one.
    at: usize,
    unread: usize,
    clock: u32,
    /// Of the next one, the first part has been given out.
    text: Option<Text>,
}

/// What is left of a text.
#[derive(Clone, Copy, Debug)]
struct Text {
    /// The first byte of the struct.
    at: usize,
    /// The clock of its first character.
    start: u32,
    right_origin: Option<Id>,
    /// The bytes that are left.
    from: usize,
    until: usize,
    /// How many UTF-16 units are not.
    units: u32,
}

/// The ranges of the delete set that have not been given out.
#[derive(Clone, Copy, Debug)]
struct Deletions {
    at: usize,
    /// Clients that have not been begun.
    clients: u64,
    /// The one that has, and how many ranges it has left.
    client: Option<(ClientId, u64)>,
}

/// A section of a piece.
#[derive(Debug)]
struct Part {
    clock: u32,
    structs: u64,
    bytes: Vec<u8>,
}

/// A piece in the making.
struct Piece {
    /// In the order of their sections, which is that of an update.
    parts: BTreeMap<usize, Part>,
    /// How many bytes it may still take, of so many.
    left: usize,
    most: usize,
}

/// What became of a struct.
enum Taken {
    All,
    /// Not, or a part of it: the piece is full.
    Full,
}

impl Cut {
    /// What who knows so much lacks of a whole state, and all its deletions, in pieces of about `most` bytes.
    /// Only a single struct that is no text may make one larger.
    pub fn new(state: Arc<Update>, known: StateVector, most: usize) -> Self {
        Self { state, known, most, cutting: None }
    }
}

impl Iterator for Cut {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let (state, known) = (&*self.state, &self.known);
        self.cutting.get_or_insert_with(|| Cutting::new(state, known)).next(state, self.most)
    }
}

impl Cutting {
    fn new(state: &Update, known: &StateVector) -> Self {
        let reached = state.sections().iter().map(|section| known.get(&section.client)).collect();
        let mut reader = Reader::starting_at(&state.bytes, state.summary.deletes_at);
        // These bytes have been read before, so this and what follows succeeds.
        let clients = reader.uint().unwrap_or(0);
        Self {
            reached,
            begun: 0,
            open: HashMap::new(),
            ready: Vec::new(),
            waiting: HashMap::new(),
            deletions: Deletions { at: reader.position(), clients, client: None },
        }
    }

    fn next(&mut self, state: &Update, most: usize) -> Option<Bytes> {
        let mut piece = Piece { parts: BTreeMap::new(), left: most, most };
        while let Some(section) = self.next_section(state) {
            if matches!(self.advance(state, section, &mut piece), Taken::Full) {
                self.ready.push(section);
                break;
            }
        }
        let mut deletions = (0, Vec::new());
        if piece.parts.is_empty() {
            deletions = self.deletions.take(&state.bytes, most);
            if deletions.0 == 0 {
                return None;
            }
        }
        let mut out = Vec::with_capacity(most + 64);
        wire::put_uint(&mut out, piece.parts.len() as u64);
        for (section, part) in piece.parts {
            wire::put_uint(&mut out, part.structs);
            wire::put_uint(&mut out, state.sections()[section].client.get());
            wire::put_uint(&mut out, u64::from(part.clock));
            out.extend_from_slice(&part.bytes);
        }
        wire::put_uint(&mut out, deletions.0);
        out.extend_from_slice(&deletions.1);
        Some(out.into())
    }

    /// A section that can be gone on with: one that was begun before one that was not.
    fn next_section(&mut self, state: &Update) -> Option<usize> {
        if let Some(section) = self.ready.pop() {
            return Some(section);
        }
        let sections = state.sections();
        while let Some(section) = sections.get(self.begun) {
            let index = self.begun;
            self.begun += 1;
            if section.end > self.reached[index] {
                let extent = &state.summary.extents[index];
                let open = Open { at: extent.at, unread: extent.structs, clock: section.start, text: None };
                self.open.insert(index, open);
                return Some(index);
            }
        }
        None
    }

    /// Takes a section as far as it goes now.
    fn advance(&mut self, state: &Update, section: usize, piece: &mut Piece) -> Taken {
        let Some(mut open) = self.open.remove(&section) else { return Taken::All };
        let client = state.sections()[section].client;
        while open.unread > 0 {
            let reached = self.reached[section];
            if let Some(text) = &mut open.text {
                let (taken, units) = piece.take_text(&state.bytes, (section, client), text);
                self.reached[section] += units;
                if matches!(taken, Taken::Full) {
                    self.wake(section);
                    self.open.insert(section, open);
                    return Taken::Full;
                }
                open.text = None;
                open.unread -= 1;
                continue;
            }
            let mut reader = Reader::starting_at(&state.bytes, open.at);
            let Ok(block) = structs::read_block_again(&mut reader, client, open.clock) else { break };
            let next = Open { at: reader.position(), unread: open.unread - 1, clock: block.end, text: None };
            if block.end <= reached {
                open = next;
                continue;
            }
            if let Some((other, clock)) = self.missing(state, client, &block) {
                self.waiting.entry(other).or_default().push((clock, section));
                self.open.insert(section, open);
                break;
            }
            let bytes = &state.bytes[open.at..next.at];
            let known = reached.saturating_sub(block.start);
            if matches!(block.kind, Kind::Text { .. }) && (known > 0 || bytes.len() > piece.most) {
                let text = Text::behind(&state.bytes, open.at, next.at, &block, known);
                if let Some(text) = text {
                    // It counts until all of it has been given out.
                    open = Open { text: Some(text), unread: open.unread, ..next };
                    continue;
                }
            }
            if matches!(piece.take(section, block.start, bytes), Taken::Full) {
                self.wake(section);
                self.open.insert(section, open);
                return Taken::Full;
            }
            self.reached[section] = block.end;
            open = next;
        }
        self.wake(section);
        Taken::All
    }

    /// What a struct refers to and has not been given out, if there is something: its section, and its clock.
    fn missing(&self, state: &Update, client: ClientId, block: &Block<'_>) -> Option<(usize, u32)> {
        let others = block.references().filter(|id| id.client != client);
        let mut sections = others.filter_map(|id| Some((state.summary.section(id.client)?, id.clock)));
        sections.find(|(section, clock)| *clock >= self.reached[*section])
    }

    /// Whoever waited for what a section has given out by now goes on.
    fn wake(&mut self, section: usize) {
        let reached = self.reached[section];
        let Some(waiting) = self.waiting.get_mut(&section) else { return };
        let ready = &mut self.ready;
        waiting.retain(|(clock, waiter)| {
            if *clock < reached {
                ready.push(*waiter);
            }
            *clock >= reached
        });
        if waiting.is_empty() {
            self.waiting.remove(&section);
        }
    }
}

impl Piece {
    /// Takes a struct as it is, if there is room; of any size, if it is the first.
    fn take(&mut self, section: usize, clock: u32, bytes: &[u8]) -> Taken {
        /// What a section says besides its structs, at the most.
        const HEAD: usize = 5 + 8 + 5;
        let head = if self.parts.contains_key(&section) { 0 } else { HEAD };
        if head + bytes.len() > self.left && !self.parts.is_empty() {
            return Taken::Full;
        }
        self.left = self.left.saturating_sub(head + bytes.len());
        let part = self.parts.entry(section).or_insert(Part { clock, structs: 0, bytes: Vec::new() });
        part.structs += 1;
        part.bytes.extend_from_slice(bytes);
        Taken::All
    }

    /// Takes what is left of a text if there is room, and as much as there may be if it is the first; and how many UTF-16 units
    /// that is.
    fn take_text(
        &mut self,
        state: &[u8],
        (section, client): (usize, ClientId),
        text: &mut Text,
    ) -> (Taken, u32) {
        /// What it says besides, at the most.
        const HEAD: usize = 64;
        let rest = &state[text.from..text.until];
        if HEAD + rest.len() > self.left && !self.parts.is_empty() {
            return (Taken::Full, 0);
        }
        let part = first_part(rest, self.most);
        let (clock, units) = (text.start + text.units, units(part));
        self.take(section, clock, &text.encode(state, client, part));
        text.from += part.len();
        text.units += units;
        (if part.len() == rest.len() { Taken::All } else { Taken::Full }, units)
    }
}

impl Text {
    /// What stands behind so many UTF-16 units of the text in this struct; nothing if they end within a character.
    fn behind(state: &[u8], at: usize, until: usize, block: &Block<'_>, units: u32) -> Option<Self> {
        let mut reader = Reader::starting_at(state, block.content_at);
        let text = reader.buffer(usize::MAX).ok()?;
        let begins = until - text.len();
        let (mut from, mut left) = (0, units as usize);
        while left > 0 {
            let first = *text.get(from)?;
            let (bytes, units) = match first {
                0..0x80 => (1, 1),
                0x80..0xe0 => (2, 1),
                0xe0..0xf0 => (3, 1),
                _ => (4, 2),
            };
            from += bytes;
            left = left.checked_sub(units)?;
        }
        let right_origin = block.right_origin;
        Some(Self { at, start: block.start, right_origin, from: begins + from, until, units })
    }

    /// A struct of a part of what is left.
    fn encode(&self, state: &[u8], client: ClientId, part: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(part.len() + 64);
        if self.units == 0 {
            // All that says where it belongs stands before the length of the text.
            let length = self.until - self.from;
            let head = self.from - wire::uint_len(length as u64);
            out.extend_from_slice(&state[self.at..head]);
        } else {
            let right = if self.right_origin.is_some() { HAS_RIGHT_ORIGIN } else { 0 };
            out.push(state[self.at] & CONTENT | HAS_ORIGIN | right);
            let left = Id { client, clock: self.start + self.units - 1 };
            for id in [Some(left), self.right_origin].into_iter().flatten() {
                wire::put_uint(&mut out, id.client.get());
                wire::put_uint(&mut out, u64::from(id.clock));
            }
        }
        wire::put_buffer(&mut out, part);
        out
    }
}

impl Deletions {
    /// The next ranges, of about so many bytes: how many clients, and their ranges.
    fn take(&mut self, state: &[u8], most: usize) -> (u64, Vec<u8>) {
        let (mut clients, mut out) = (0, Vec::new());
        let mut reader = Reader::starting_at(state, self.at);
        while out.len() < most {
            let Some((client, ranges)) = self.client.or_else(|| {
                self.clients = self.clients.checked_sub(1)?;
                Some((read_client(&mut reader).ok()?, reader.uint().ok()?))
            }) else {
                break;
            };
            let begin = reader.position();
            let mut taken = 0;
            while taken < ranges && out.len() + (reader.position() - begin) < most {
                let Ok(_) = read_range(&mut reader) else { break };
                taken += 1;
            }
            if taken > 0 {
                clients += 1;
                wire::put_uint(&mut out, client.get());
                wire::put_uint(&mut out, taken);
                out.extend_from_slice(reader.since(begin));
            }
            self.client = (taken > 0 && taken < ranges).then_some((client, ranges - taken));
        }
        self.at = reader.position();
        (clients, out)
    }
}

/// The first part of a text in UTF-8, of at most so many bytes but at least one character.
fn first_part(text: &[u8], most: usize) -> &[u8] {
    let is_boundary = |at: usize| text.get(at).is_none_or(|byte| byte & 0xc0 != 0x80);
    if text.len() <= most {
        return text;
    }
    let boundary = (1..=most).rev().find(|&at| is_boundary(at));
    let first = || (1..=text.len()).find(|&at| is_boundary(at)).unwrap_or(text.len());
    &text[..boundary.unwrap_or_else(first)]
}

/// The length of a text in UTF-16 units: one for every byte that begins a character, and another for each beyond U+FFFF.
fn units(text: &[u8]) -> u32 {
    text.iter().map(|byte| u32::from(byte & 0xc0 != 0x80) + u32::from(*byte >= 0xf0)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        for (most, expected, length) in
            [(0, "a", 1), (1, "a", 1), (2, "a", 1), (3, "aä", 2), (6, "aä", 2), (7, "aä𝄞", 4), (9, "aä𝄞b", 5)]
        {
            let part = first_part("aä𝄞b".as_bytes(), most);
            assert_eq!((part, units(part)), (expected.as_bytes(), length), "{most}");
        }
    }
}
