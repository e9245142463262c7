//! The structural check of update bytes before yrs sees them.
//!
//! yrs 0.28 must not be fed bytes from outside: a 132-byte update aborts the process, a 32-byte one poisons
//! the document for ever, and an update that yrs and yjs parse differently makes replicas diverge. [`Update`]
//! is the type of bytes that passed; there is no other way to make one. What it promises:
//!
//! - the bytes are one complete v1 update, within [`Limits`], read the same way by yjs 13, yjs 14 and yrs;
//! - clients are unique and none is empty, clients fit 53 bits, clocks with their lengths 31;
//! - every struct has a known kind and a length, and refers within its own client only backwards;
//! - under a key stand values or types with nothing to their right;
//! - strings are UTF-8, JSON is JSON as yrs parses it, values and shared types are not nested too deep;
//! - deleted clients are unique and their ranges ascending without overlap.
//!
//! All of this is what yjs and yrs write. Three things that yjs reads pass and are mended before anything sees
//! them: clients that are not in descending order, as yjs 13.0 to 13.4 wrote them ([`Update::check`]), and, strayed
//! in from elsewhere, holes in a client's structs and clients without deletions in a delete set
//! ([`Update::readiness`]).
//!
//! References to subdocuments, hooks in XML and the `JSON` content that yjs stopped writing before version 13 pass too,
//! though yrs cannot hold them: it is given something else in their place ([`Update::decode`]), and what it encodes is
//! turned back ([`as_yjs_writes`]). Nothing that a client sends can be taken for such a stand-in.
//!
//! Weak links are refused because yrs leaks them, moves because no released client writes them, and subdocuments whose
//! options are not an object because yjs throws whenever it reads them.
//!
//! A promise about bytes is not one about a document: whether an update can be *integrated* depends on what
//! the document has. [`Update::readiness`] answers that, and the server applies nothing else. What no update
//! shows alone remains for the document:
//!
//! - A nested type whose parent is not a type: yrs answers with an error, after it has integrated what came
//!   before. That part is in the document and must be kept and passed on like any other.
//! - A struct between neighbours that do not belong together, one in a text and one under a key. yrs mixes
//!   them up, and may then free what it still refers to. It shows at once in what the transaction encodes:
//!   **check that too**, before anything is kept or passed on, and if it is refused give the document up and
//!   load it again.
//! - A panic in spite of everything: contained as elsewhere, with the transaction leaked.
//! - Reading and editing what hostile updates have built: yrs has ways to do both that never return. Read
//!   as [`Update::outline`] says; on the server edit by inserting, not by removing from arrays and XML.
//! - Texts with so many formats that reading them piece by piece takes all memory: ask [`Formats`].
//! - Shared types nested deeper and deeper by many updates, and documents that grow too big.

mod contents;
mod cut;
mod formats;
mod linear;
mod order;
mod outline;
mod readiness;
mod stand_ins;
mod structs;
mod succession;

use bytes::Bytes;
use smallvec::SmallVec;
pub use yrs::StateVector;
use yrs::updates::decoder::Decode;

use super::{
    ClientId,
    wire::{self, Reader},
};
pub use cut::Cut;
pub use formats::Formats;
pub use linear::Steps;
pub use outline::{Outline, Shape};
pub use readiness::Pieces;
pub use structs::Id;
use structs::{Block, Kind};
pub use succession::Succession;

/// Up to so many bytes an update is checked in four milliseconds, however small its structs are.
pub const QUICK: usize = 1 << 20;

/// How much one message may hold. The defaults let through what honest clients send (a whole document of
/// megabytes, written over years by thousands of browser tabs) and stop what costs much more to read than
/// to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one update. Too small cuts off big documents that come back from a long time offline; too
    /// big lets one message take twenty-five times its size in memory. 16 MiB.
    pub update_bytes: usize,
    /// Bytes of a step 2, which may be a whole document that comes back to a server that lost it. 64 MiB.
    pub document_bytes: usize,
    /// Clients in one update or state vector. A document gets one more with each browser tab that writes
    /// in it, so a few thousand are ordinary. Each costs about 300 bytes in a document. 32,768.
    pub clients: usize,
    /// Structs in one update. Each takes up to 200 bytes of memory for two bytes sent. 4 million.
    pub structs: usize,
    /// Ranges in the delete set of one update. 1 million.
    pub delete_ranges: usize,
    /// Single values inside arrays and objects of one update: 24 bytes or more each, for one byte sent.
    /// 2 million.
    pub values: usize,
    /// How deep arrays and objects may be nested in each other, in values. Decoders, encoders and destructors recurse,
    /// and the stack of a worker thread ends somewhere beyond 2,500. 512.
    pub value_depth: usize,
    /// The same in presence. 64.
    pub awareness_depth: usize,
    /// How deep shared types may be nested in each other within one update. A document in which they lie half as deep takes
    /// no deeper ones, so that the state of a document always fits into one update. 2,048.
    pub type_depth: usize,
    /// Clients in one presence message. A y-websocket client repeats to the server what it heard about
    /// everybody else, so this must be at least the greatest number of people in one document. 16,384.
    pub awareness_clients: usize,
    /// Bytes of the presence of one client, which everybody else is sent. What shows more is not shown. 64 KiB.
    pub awareness_bytes: usize,
    /// Bytes that a client may have sent back to it. 1 KiB.
    pub echo_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            update_bytes: 16 << 20,
            document_bytes: 64 << 20,
            clients: 32_768,
            structs: 4_000_000,
            delete_ranges: 1_000_000,
            values: 2_000_000,
            value_depth: 512,
            awareness_depth: 64,
            type_depth: 2_048,
            awareness_clients: 16_384,
            awareness_bytes: 64 << 10,
            echo_bytes: 1024,
        }
    }
}

impl Limits {
    /// For bytes that passed the limits before.
    fn unlimited() -> Self {
        Self {
            update_bytes: usize::MAX,
            document_bytes: usize::MAX,
            clients: usize::MAX,
            structs: usize::MAX,
            delete_ranges: usize::MAX,
            values: usize::MAX,
            value_depth: usize::MAX,
            type_depth: usize::MAX,
            ..Self::default()
        }
    }
}

/// Why bytes were refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The primitives do not add up.
    #[error("malformed: {0}")]
    Wire(#[from] wire::Error),
    /// More of something than [`Limits`] allow.
    #[error("too many {what}: more than {limit}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How many are allowed.
        limit: usize,
    },
    /// The clients are not in strictly descending order, as encoders write them.
    #[error("the clients of the update are not in descending order")]
    ClientOrder,
    /// A client is announced and has nothing.
    #[error("a client of the update is empty")]
    EmptyClient,
    /// A client appears twice in a delete set or state vector.
    #[error("a client appears twice")]
    RepeatedClient,
    /// A clock of 2^31 or more, where arithmetic would begin to wrap.
    #[error("a clock is beyond 2^31")]
    Clock,
    /// A struct or a deleted range of no length.
    #[error("a struct or a deleted range has no length")]
    Empty,
    /// Deleted ranges overlap or are not in ascending order.
    #[error("the deleted ranges are not in ascending order")]
    DeleteOrder,
    /// A kind of content, type or value that does not exist.
    #[error("unknown {what} {number}")]
    Unknown {
        /// Kind of what.
        what: &'static str,
        /// The number found for it.
        number: u8,
    },
    /// Content that exists and that this server does not take; the module says why.
    #[error("{0} are not supported")]
    Unsupported(&'static str),
    /// A struct that refers to itself or to what its own client writes later.
    #[error("a struct refers to a later one of its own client")]
    ForwardReference,
    /// Something under a key that is no value, or that has something to its right.
    #[error("what stands under a key is no value, or stands in front of something")]
    Keyed,
    /// JSON that does not parse.
    #[error("an embedded JSON value does not parse")]
    Json,
    /// Arrays and objects nested deeper than [`Limits::value_depth`].
    #[error("values are nested too deep")]
    ValueDepth,
    /// Shared types nested deeper than [`Limits::type_depth`].
    #[error("shared types are nested too deep")]
    TypeDepth,
    /// yrs could not decode what had passed. It should not happen.
    #[error("undecodable: {0}")]
    Undecodable(String),
}

impl Refusal {
    /// A label for a metric: short, and the same for every occurrence.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Wire(error) => error.reason(),
            Self::TooMany { .. } => "too-many",
            Self::ClientOrder => "client-order",
            Self::EmptyClient => "empty-client",
            Self::RepeatedClient => "repeated-client",
            Self::Clock => "clock",
            Self::Empty => "empty-struct",
            Self::DeleteOrder => "delete-order",
            Self::Unknown { .. } => "unknown-content",
            Self::Unsupported(_) => "unsupported-content",
            Self::ForwardReference => "forward-reference",
            Self::Keyed => "keyed-value",
            Self::Json => "json",
            Self::ValueDepth => "value-depth",
            Self::TypeDepth => "type-depth",
            Self::Undecodable(_) => "undecodable",
        }
    }
}

/// A v1 update that passed the guard, with what was learnt on the way. Cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    bytes: Bytes,
    summary: Summary,
}

/// One client's run of structs in an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// Whose structs.
    pub client: ClientId,
    /// The clock of the first struct.
    pub start: u32,
    /// The clock after the last struct. Always greater than `start`.
    pub end: u32,
}

/// Whether a document can take an update and be left with nothing pending.
#[derive(Clone, Debug, PartialEq)]
pub enum Readiness {
    /// It can, and the bytes can be passed on to other clients as they are.
    Ready,
    /// It can take all of it, but not in this form: apply this instead, and pass on only this. If it
    /// [is empty](Update::is_empty), everything was known already.
    Mended(Update),
    /// It cannot take all, but this part, the largest there is.
    Partly(Update),
    /// It cannot take anything of it: what it builds on is missing. Ask the client for it.
    Blocked,
}

impl Update {
    /// Checks `bytes`, keeps them, and says what is in them. Time and memory are linear in the length;
    /// an update of a single keystroke allocates nothing.
    ///
    /// Clients in another order than the usual one, as releases before 13.5 write them, are put into that order
    /// first.
    pub fn check(bytes: Bytes, limits: &Limits) -> Result<Self, Refusal> {
        Self::check_up_to(limits.update_bytes, bytes, limits)
    }

    /// The same for one that may be as large as a document.
    pub fn check_whole(bytes: Bytes, limits: &Limits) -> Result<Self, Refusal> {
        Self::check_up_to(limits.document_bytes, bytes, limits)
    }

    fn check_up_to(most: usize, bytes: Bytes, limits: &Limits) -> Result<Self, Refusal> {
        if bytes.len() > most {
            return Err(Refusal::TooMany { what: "bytes", limit: most });
        }
        match Self::check_ordered(bytes.clone(), limits) {
            Err(Refusal::ClientOrder) => Self::check_ordered(order::descending(&bytes, limits)?, limits),
            checked => checked,
        }
    }

    fn check_ordered(bytes: Bytes, limits: &Limits) -> Result<Self, Refusal> {
        let mut reader = Reader::new(&bytes);
        let mut summary = Summary::default();
        structs::read_sections(&mut reader, limits, &mut summary)?;
        if summary.types > limits.type_depth {
            outline::check_depth(&bytes, &summary, limits)?;
        }
        summary.deletes_at = reader.position();
        summary.read_deletes(&mut reader, limits)?;
        reader.finish()?;
        Ok(Self { bytes, summary })
    }

    /// The bytes, v1 encoding.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Whether it has neither structs nor deletions.
    pub fn is_empty(&self) -> bool {
        self.summary.sections.is_empty() && self.summary.deletes.is_empty()
    }

    /// What it inserts, by client, greatest client first. Holes inside count as
    /// belonging to the section.
    pub fn sections(&self) -> &[Section] {
        &self.summary.sections
    }

    /// How many shared types it brings, nested ones included.
    pub fn types(&self) -> usize {
        self.summary.types
    }

    /// In how many ways it formats texts.
    pub fn formats(&self) -> &Formats {
        &self.summary.formats
    }

    /// How many structs it holds.
    pub fn structs(&self) -> usize {
        self.summary.extents.iter().map(|extent| extent.structs).sum()
    }

    /// How many ranges it deletes.
    pub fn ranges(&self) -> usize {
        self.summary.ranges
    }

    /// How much it deletes, counted as clocks count it.
    pub fn deleted(&self) -> u64 {
        self.summary.deleted
    }

    /// The update piece by piece, for a document whose state vector is `known`. Applying a large update so, one knows after
    /// each piece what it has cost.
    pub fn pieces(&self, known: impl Fn(ClientId) -> u32) -> Pieces<'_> {
        Pieces::new(self, &known)
    }

    /// What it takes yrs besides a time linear in its size to apply this as a whole to a document in which nothing is of the
    /// same authors, and the types at the root of these names are new; nothing, if that cannot be told, or more than
    /// `most` would be compared.
    pub fn steps_as_a_whole(&self, most: u64, is_new_root: impl Fn(&str) -> bool) -> Option<Steps> {
        linear::steps(self, most, &is_new_root)
    }

    /// Whether all that it deletes is among what a document knows.
    pub fn deletes_within(&self, known: impl Fn(ClientId) -> u32) -> bool {
        self.summary.deletes.iter().all(|mark| mark.clock <= known(mark.client))
    }

    /// Whether all ranges that it deletes are such: a client, from which clock, up to which.
    pub fn deletes_only(&self, mut is_such: impl FnMut(ClientId, u32, u32) -> bool) -> bool {
        readiness::deletes_only(self, &mut is_such).unwrap_or(false)
    }

    /// Whether it deletes anything.
    pub fn has_deletions(&self) -> bool {
        !self.summary.deletes.is_empty()
    }

    /// Whether it may be integrated into a document whose state vector is `known` and which has nothing
    /// pending itself, leaving nothing pending.
    ///
    /// yrs is never given anything that would stay pending. It would merge the pending part again with
    /// each later update (quadratic, under the write lock), it would resend a pending delete set with each
    /// state it encodes, and encoding a document with hostile pending structs panics. Nor is it given a
    /// gap: where a client's structs begin above the known clock, or behind a skip, yrs 0.28 integrates
    /// them at once behind a hole of its own, its state vector then stops at the hole, and yjs 13 cannot
    /// read what it encodes (it drops everything in an update that begins with a skip).
    ///
    /// Skips come from honest clients: one that has pending structs itself announces the hole in its
    /// step 2. Such an update is never [`Readiness::Ready`], so that its bytes are not passed on, but
    /// [`Readiness::Partly`] with the structs up to the first hole that is not already filled, or
    /// [`Readiness::Mended`] if all are.
    pub fn readiness(&self, known: impl Fn(ClientId) -> u32) -> Readiness {
        if self.summary.is_plainly_ready(&known) {
            Readiness::Ready
        } else {
            readiness::largest_part(self, &known)
        }
    }

    /// What a document shows, if this is its whole state. Ask before reading a document: yrs has ways to
    /// read that never return, and [`Outline`] says which may be used.
    ///
    /// Fails with [`Refusal::TypeDepth`] if shared types are nested deeper than [`Limits::type_depth`], which
    /// many updates can do where one may not; reading or deleting them would overflow the stack.
    pub fn outline(&self, limits: &Limits) -> Result<Outline, Refusal> {
        outline::of(&self.bytes, &self.summary, limits)
    }

    /// The types beneath which more than `most` structs lie, in ascending order; those left out that it deletes. If this is the
    /// whole state of a document, these are all there are. To delete such a type takes a few bytes, and yrs as much time as
    /// all that lies beneath.
    pub fn heavy_types(&self, most: u32) -> Result<Vec<Id>, Refusal> {
        let mut types = outline::heavy(&self.bytes, &self.summary, &Limits::unlimited(), most)?;
        types.sort_unstable();
        let mut deletions = readiness::Deletions::new(self);
        types.retain(|id| deletions.all_or_nothing(id.client, id.clock, id.clock + 1) != Some(true));
        Ok(types)
    }

    /// The deletion of all that lies beneath some types, if this is the whole state of a document, and how many structs that is.
    pub fn deletion_beneath(&self, types: &[Id]) -> Result<(Self, usize), Refusal> {
        let (bytes, structs) =
            outline::deletion_beneath(&self.bytes, &self.summary, &Limits::unlimited(), types)?;
        Ok((Self::check(bytes, &Limits::unlimited())?, structs))
    }

    /// How it shows whether some values in it that count for their keys give way to others; for what they build upon elsewhere
    /// see [`Succession::go_on`].
    pub fn succession(&self, values: &[Id]) -> Result<Succession, Refusal> {
        Succession::of(self, values)
    }

    /// Which of some values that count for their keys give way to what it sets.
    pub fn displaced(&self, succession: &Succession) -> Result<Vec<Id>, Refusal> {
        succession.displaced_by(self)
    }

    /// Whether it holds what yrs is given something else for. Whatever a document encodes that has once taken such an
    /// update must be turned back: [`as_yjs_writes`].
    pub fn needs_stand_ins(&self) -> bool {
        self.summary.needs_stand_ins
    }

    /// The update as yrs takes it, with stand-ins for what it cannot hold.
    pub fn decode(&self) -> Result<yrs::Update, Refusal> {
        self.decode_with(stand_ins::inward)
    }

    /// The update for a document that is only read, and never encoded again: a subdocument is an object of its `guid` and
    /// its options there, and a hook an element of its name.
    pub fn decode_to_read(&self) -> Result<yrs::Update, Refusal> {
        self.decode_with(stand_ins::to_read)
    }

    fn decode_with(&self, rewrite: fn(u8, &[u8]) -> stand_ins::Rewritten) -> Result<yrs::Update, Refusal> {
        let rewritten = self.summary.needs_stand_ins.then(|| stand_ins::rewrite(self, rewrite));
        yrs::Update::decode_v1(rewritten.as_ref().unwrap_or(&self.bytes))
            .map_err(|error| Refusal::Undecodable(error.to_string()))
    }
}

/// What yrs encoded, as Yjs writes it: without stand-ins.
///
/// # Errors
/// Whatever the guard has against it, which means that yrs lost track of what it holds.
pub fn as_yjs_writes(encoded: Bytes) -> Result<Bytes, Refusal> {
    let update = Update::check(encoded, &Limits::unlimited())?;
    if update.summary.needs_stand_ins {
        Ok(stand_ins::rewrite(&update, stand_ins::outward))
    } else {
        Ok(update.bytes)
    }
}

/// Reads a state vector, in whatever order the client wrote it.
pub fn state_vector(bytes: &[u8], limits: &Limits) -> Result<StateVector, Refusal> {
    let mut reader = Reader::new(bytes);
    // A client and a clock take two bytes at least: a count beyond that is a lie, and reserving memory
    // for it would be the attack.
    let count = read_count(&mut reader, 2)?;
    spend(&mut { limits.clients }, count, "clients", limits.clients)?;
    let mut clocks = std::collections::HashMap::with_capacity(count);
    for _ in 0..count {
        let client = read_client(&mut reader)?;
        if clocks.insert(client, read_clock(&mut reader)?).is_some() {
            return Err(Refusal::RepeatedClient);
        }
    }
    reader.finish()?;
    Ok(clocks.into_iter().collect())
}

/// What the guard learns about an update, so that the ordinary answers need no second look at the bytes.
#[derive(Clone, Debug, Default, PartialEq)]
struct Summary {
    sections: SmallVec<[Section; 1]>,
    /// Where each section's first struct is, in the same order.
    extents: SmallVec<[Extent; 1]>,
    /// Of each other client on which structs build, the highest clock.
    needs: SmallVec<[Mark; 2]>,
    /// There are more of these than are worth listing.
    many_needs: bool,
    /// There is a hole, or a client without deletions in the delete set: not to be passed on as it is.
    is_irregular: bool,
    /// There is content that yrs is given something else for, or that stands for such content.
    needs_stand_ins: bool,
    /// How many structs hold a shared type.
    types: usize,
    formats: Formats,
    /// Where the delete set begins.
    deletes_at: usize,
    /// Ranges of the delete set.
    ranges: usize,
    /// Clocks in them.
    deleted: u64,
    /// Of each client with deletions, the end of its last range.
    deletes: SmallVec<[Mark; 1]>,
}

/// Where a section lies in the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Extent {
    /// Offset of the first struct.
    at: usize,
    /// How many structs.
    structs: usize,
}

/// A clock of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    client: ClientId,
    clock: u32,
}

impl Summary {
    /// Beyond this many, the clients that structs build on are not listed: a keystroke builds on two, and
    /// whole documents take the long way in [`readiness`] anyway.
    const NEEDS: usize = 8;

    fn need(&mut self, client: ClientId, clock: u32) {
        for mark in &mut self.needs {
            if mark.client == client {
                mark.clock = mark.clock.max(clock);
                return;
            }
        }
        if self.needs.len() < Self::NEEDS {
            self.needs.push(Mark { client, clock });
        } else {
            self.many_needs = true;
        }
    }

    fn read_deletes(&mut self, reader: &mut Reader<'_>, limits: &Limits) -> Result<(), Refusal> {
        let clients = read_count(reader, 2)?;
        spend(&mut { limits.clients }, clients, "clients", limits.clients)?;
        let mut ranges_left = limits.delete_ranges;
        let mut ascending = true;
        let mut descending = true;
        for _ in 0..clients {
            let client = read_client(reader)?;
            let count = read_count(reader, 2)?;
            if count == 0 {
                // yjs reads past it, and old encoders may have written it; yrs would keep it for ever.
                self.is_irregular = true;
                continue;
            }
            spend(&mut ranges_left, count, "delete ranges", limits.delete_ranges)?;
            self.ranges += count;
            let mut clock = 0;
            for _ in 0..count {
                let (start, end) = read_range(reader)?;
                if start < clock {
                    return Err(Refusal::DeleteOrder);
                }
                self.deleted += u64::from(end - start);
                clock = end;
            }
            if let Some(last) = self.deletes.last() {
                ascending &= last.client < client;
                descending &= last.client > client;
            }
            self.deletes.push(Mark { client, clock });
        }
        // yjs writes them descending, yrs ascending, older releases as they come.
        if !ascending && !descending {
            let mut clients: Vec<_> = self.deletes.iter().map(|mark| mark.client).collect();
            clients.sort_unstable();
            if clients.windows(2).any(|pair| pair[0] == pair[1]) {
                return Err(Refusal::RepeatedClient);
            }
        }
        Ok(())
    }

    /// Whether everything builds on what is known, which is so for nearly every update of a live session.
    fn is_plainly_ready(&self, known: &impl Fn(ClientId) -> u32) -> bool {
        !self.is_irregular
            && !self.many_needs
            && self.sections.iter().all(|section| section.start <= known(section.client))
            && self.needs.iter().all(|need| need.clock < known(need.client))
            && self.deletes.iter().all(|delete| {
                delete.clock <= known(delete.client)
                    || self.section(delete.client).is_some_and(|at| delete.clock <= self.sections[at].end)
            })
    }

    /// The index of a client's section.
    fn section(&self, client: ClientId) -> Option<usize> {
        self.sections.binary_search_by(|section| client.cmp(&section.client)).ok()
    }
}

impl structs::Visitor<'_> for Summary {
    #[inline]
    fn open(&mut self, client: ClientId, clock: u32, structs: usize, at: usize) -> Result<(), Refusal> {
        if self.sections.last().is_some_and(|last| last.client <= client) {
            return Err(Refusal::ClientOrder);
        }
        self.sections.push(Section { client, start: clock, end: clock });
        self.extents.push(Extent { at, structs });
        Ok(())
    }

    #[inline]
    fn block(&mut self, client: ClientId, block: &Block<'_>) -> Result<(), Refusal> {
        if let Some(section) = self.sections.last_mut() {
            section.end = block.end;
        }
        match block.kind {
            Kind::Skip => self.is_irregular = true,
            Kind::Type(_) => {
                self.types += 1;
                self.formats.add_embed();
            }
            Kind::InText => match block.format {
                Some(name) => self.formats.add_format(name),
                None => self.formats.add_embed(),
            },
            _ => {}
        }
        self.needs_stand_ins |= block.needs_stand_in;
        for id in block.references() {
            if id.client != client {
                self.need(id.client, id.clock);
            }
        }
        Ok(())
    }
}

/// A count of things that take at least `bytes_each` bytes, so that nothing is reserved for a lie.
#[inline]
fn read_count(reader: &mut Reader<'_>, bytes_each: usize) -> Result<usize, Refusal> {
    let count = reader.uint()?;
    if count > (reader.remaining() / bytes_each) as u64 {
        return Err(wire::Error::Incomplete.into());
    }
    Ok(count as usize)
}

/// Takes `count` from what is `left` of a limit.
#[inline]
fn spend(left: &mut usize, count: usize, what: &'static str, limit: usize) -> Result<(), Refusal> {
    *left = left.checked_sub(count).ok_or(Refusal::TooMany { what, limit })?;
    Ok(())
}

#[inline]
fn read_client(reader: &mut Reader<'_>) -> Result<ClientId, Refusal> {
    Ok(ClientId::new(reader.uint()?))
}

/// A clock, or a length of clocks, below 2^31.
#[inline]
fn read_clock(reader: &mut Reader<'_>) -> Result<u32, Refusal> {
    match u32::try_from(reader.uint()?) {
        Ok(clock) if clock <= i32::MAX as u32 => Ok(clock),
        _ => Err(Refusal::Clock),
    }
}

/// `clock` and `length`, of which neither their sum may pass 2^31 nor the length be 0.
#[inline]
fn clock_after(clock: u32, length: u32) -> Result<u32, Refusal> {
    if length == 0 {
        return Err(Refusal::Empty);
    }
    match clock.checked_add(length) {
        Some(end) if end <= i32::MAX as u32 => Ok(end),
        _ => Err(Refusal::Clock),
    }
}

/// One range of a delete set, as start and end.
#[inline]
fn read_range(reader: &mut Reader<'_>) -> Result<(u32, u32), Refusal> {
    let start = read_clock(reader)?;
    let length = read_clock(reader)?;
    Ok((start, clock_after(start, length)?))
}

/// Every struct of an update as an update of its own, as if each had been a keystroke.
#[cfg(test)]
pub(super) fn one_update_per_struct(bytes: &[u8]) -> Vec<Bytes> {
    let update = Update::check(Bytes::copy_from_slice(bytes), &Limits::default()).unwrap();
    let mut updates = Vec::new();
    for (section, extent) in update.summary.sections.iter().zip(&update.summary.extents) {
        let mut reader = Reader::starting_at(bytes, extent.at);
        let mut clock = section.start;
        for _ in 0..extent.structs {
            let from = reader.position();
            let block = structs::read_block_again(&mut reader, section.client, clock).unwrap();
            let mut single = vec![1, 1];
            wire::put_uint(&mut single, section.client.get());
            wire::put_uint(&mut single, u64::from(clock));
            single.extend_from_slice(&bytes[from..reader.position()]);
            single.push(0);
            updates.push(single.into());
            clock = block.end;
        }
    }
    updates
}
