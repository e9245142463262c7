//! Reads the structs of an update, one after the other, and refuses what must not reach yrs.

use crate::protocol::{ClientId, wire::Reader};

use super::contents::{self, *};
use super::{Limits, Refusal, clock_after, read_client, read_clock, read_count, spend};

/// Who is told about each struct. What it is told borrows from the bytes.
pub(super) trait Visitor<'a> {
    /// A client's structs begin: its first clock, how many follow, and at which byte.
    fn open(&mut self, client: ClientId, clock: u32, structs: usize, at: usize) -> Result<(), Refusal>;
    /// One struct of that client.
    fn block(&mut self, client: ClientId, block: &Block<'a>) -> Result<(), Refusal>;
}

/// The place of a struct among all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// Whose it is.
    pub client: ClientId,
    /// Where it begins among those.
    pub clock: u32,
}

/// One struct, as far as its place and shape matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block<'a> {
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) kind: Kind,
    pub(super) origin: Option<Id>,
    pub(super) right_origin: Option<Id>,
    pub(super) parent: Parent<'a>,
    /// It is the value of a key, not an element of a sequence, or says so.
    pub(super) is_keyed: bool,
    /// Under which key, if it says so: those that have a neighbour do not.
    pub(super) key: &'a str,
    /// What it formats, if it does: the name of the attribute.
    pub(super) format: Option<&'a str>,
    /// At which byte its content begins, behind everything that says where it belongs.
    pub(super) content_at: usize,
    /// yrs is given something else in its place: [`super::stand_ins`].
    pub(super) needs_stand_in: bool,
}

/// What a struct is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Collected garbage.
    Gc,
    /// A hole.
    Skip,
    /// An item whose content is gone.
    Deleted,
    /// A piece of text; plain if each of its characters is one UTF-16 unit.
    Text { is_plain: bool },
    /// What else occurs in texts only: formatting, embedded objects.
    InText,
    /// A shared type, by its number.
    Type(u8),
    /// A value or bytes.
    Value,
}

/// Where an item belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Parent<'a> {
    /// Where its neighbours belong, or nowhere.
    Inherited,
    /// Into the type of this name at the root of the document.
    Root(&'a str),
    /// Into the type that this item holds.
    Item(Id),
}

impl Block<'_> {
    /// The structs that must be there before this one.
    #[inline]
    pub(super) fn references(&self) -> impl Iterator<Item = Id> {
        let parent = match self.parent {
            Parent::Item(id) => Some(id),
            Parent::Inherited | Parent::Root(_) => None,
        };
        self.origin.into_iter().chain(self.right_origin).chain(parent)
    }
}

/// Reads all sections of an update and leaves the reader at its delete set.
pub(super) fn read_sections<'a>(
    reader: &mut Reader<'a>,
    limits: &Limits,
    visitor: &mut impl Visitor<'a>,
) -> Result<(), Refusal> {
    let mut structs_left = limits.structs;
    let mut values_left = limits.values;
    // A section takes five bytes at least: count, client, clock, and a struct of two.
    let sections = read_count(reader, 5)?;
    spend(&mut { limits.clients }, sections, "clients", limits.clients)?;
    for _ in 0..sections {
        let structs = read_count(reader, 2)?;
        if structs == 0 {
            return Err(Refusal::EmptyClient);
        }
        spend(&mut structs_left, structs, "structs", limits.structs)?;
        let client = read_client(reader)?;
        let mut clock = read_clock(reader)?;
        visitor.open(client, clock, structs, reader.position())?;
        for _ in 0..structs {
            let block = read_block(reader, client, clock, limits, &mut values_left)?;
            visitor.block(client, &block)?;
            clock = block.end;
        }
    }
    Ok(())
}

/// Reads one struct again from bytes that have passed.
pub(super) fn read_block_again<'a>(
    reader: &mut Reader<'a>,
    client: ClientId,
    clock: u32,
) -> Result<Block<'a>, Refusal> {
    let limits = Limits::unlimited();
    read_block(reader, client, clock, &limits, &mut { usize::MAX })
}

const GC: u8 = 0;
const SKIP: u8 = 10;

pub(super) const HAS_ORIGIN: u8 = 0x80;
pub(super) const HAS_RIGHT_ORIGIN: u8 = 0x40;
const HAS_PARENT_SUB: u8 = 0x20;
/// yjs looks at five bits of the content's number and yrs at four, so the fifth must be 0.
pub(super) const CONTENT: u8 = 0x1f;

#[inline]
fn read_block<'a>(
    reader: &mut Reader<'a>,
    client: ClientId,
    clock: u32,
    limits: &Limits,
    values_left: &mut usize,
) -> Result<Block<'a>, Refusal> {
    let info = reader.byte()?;
    let mut block = Block {
        start: clock,
        end: clock,
        kind: Kind::Value,
        origin: None,
        right_origin: None,
        parent: Parent::Inherited,
        is_keyed: info & HAS_PARENT_SUB != 0,
        key: "",
        format: None,
        content_at: reader.position(),
        needs_stand_in: false,
    };
    // Compared whole, as yrs does: with a flag set, yjs would still see garbage or a hole.
    if info == GC || info == SKIP {
        block.kind = if info == GC { Kind::Gc } else { Kind::Skip };
        block.end = clock_after(clock, read_clock(reader)?)?;
        return Ok(block);
    }
    if info & HAS_ORIGIN != 0 {
        block.origin = Some(read_reference(reader, client, clock)?);
    }
    if info & HAS_RIGHT_ORIGIN != 0 {
        block.right_origin = Some(read_reference(reader, client, clock)?);
    }
    if info & (HAS_ORIGIN | HAS_RIGHT_ORIGIN) == 0 {
        block.parent = match reader.byte()? {
            1 => Parent::Root(reader.string(usize::MAX)?),
            0 => Parent::Item(read_reference(reader, client, clock)?),
            number => return Err(Refusal::Unknown { what: "parent", number }),
        };
        if block.is_keyed {
            block.key = reader.string(usize::MAX)?;
        }
    }
    let number = info & CONTENT;
    block.content_at = reader.position();
    let (kind, length) = if number == FORMAT {
        block.format = Some(reader.string(usize::MAX)?);
        read_json(reader, limits, values_left)?;
        (Kind::InText, 1)
    } else {
        read_content(reader, number, limits, values_left)?
    };
    block.kind = kind;
    block.needs_stand_in = matches!(number, JSON | BINARY | TYPE | DOCUMENT)
        && contents::needs_stand_in(number, reader.since(block.content_at));
    block.end = clock_after(clock, length)?;
    if block.is_keyed {
        check_keyed(&block)?;
    }
    Ok(block)
}

/// The value of a key is a value or type that follows the one before it, and nothing stands to the right of it: so
/// yjs and yrs write it. Values that were overwritten one after the other stand together in one item, of which the
/// last counts: as garbage where it is collected, as they were where somebody keeps them (`gc: false`, or what an undo
/// manager may bring back). Anything else makes yrs lose track of what it owns.
fn check_keyed(block: &Block<'_>) -> Result<(), Refusal> {
    let is_of_values = matches!(block.kind, Kind::Type(_) | Kind::Value | Kind::Deleted);
    if is_of_values && block.right_origin.is_none() { Ok(()) } else { Err(Refusal::Keyed) }
}

/// A reference from the struct at `clock` of `client`. Among its own client's structs it must point back:
/// forwards, yrs would wait for it for ever, or find itself.
#[inline]
fn read_reference(reader: &mut Reader<'_>, client: ClientId, clock: u32) -> Result<Id, Refusal> {
    let id = Id { client: read_client(reader)?, clock: read_clock(reader)? };
    if id.client == client && id.clock >= clock { Err(Refusal::ForwardReference) } else { Ok(id) }
}

/// Reads an item's content and says its kind and its length in clocks.
#[inline]
fn read_content(
    reader: &mut Reader<'_>,
    number: u8,
    limits: &Limits,
    values_left: &mut usize,
) -> Result<(Kind, u32), Refusal> {
    Ok(match number {
        1 => (Kind::Deleted, read_clock(reader)?),
        JSON => {
            let count = read_count(reader, 1)?;
            spend(values_left, count, "values", limits.values)?;
            for _ in 0..count {
                let value = reader.string(usize::MAX)?;
                spend(values_left, json_values(value), "values", limits.values)?;
                contents::value(value).ok_or(Refusal::Json)?;
            }
            (Kind::Value, count as u32)
        }
        BINARY => {
            reader.buffer(usize::MAX)?;
            (Kind::Value, 1)
        }
        4 => {
            let (length, is_plain) = utf16_len(reader.string(usize::MAX)?)?;
            (Kind::Text { is_plain }, length)
        }
        5 => {
            read_json(reader, limits, values_left)?;
            (Kind::InText, 1)
        }
        TYPE => (Kind::Type(read_type(reader)?), 1),
        ANY => {
            let count = read_count(reader, 1)?;
            spend(values_left, count, "values", limits.values)?;
            for _ in 0..count {
                read_any(reader, limits.value_depth, limits, values_left)?;
            }
            (Kind::Value, count as u32)
        }
        DOCUMENT => {
            reader.string(usize::MAX)?;
            // Reading anything else, yjs throws, and can never read the document again.
            if reader.byte()? != OBJECT {
                return Err(Refusal::Unsupported("subdocuments without options"));
            }
            read_object(reader, limits.value_depth, limits, values_left)?;
            (Kind::Value, 1)
        }
        11 => return Err(Refusal::Unsupported("moves")),
        _ => return Err(Refusal::Unknown { what: "content", number }),
    })
}

/// The length of a text in clocks, which are UTF-16 units, and whether that is the number of its
/// characters.
#[inline]
fn utf16_len(text: &str) -> Result<(u32, bool), Refusal> {
    let (mut length, mut wide) = (text.len(), 0);
    if !text.is_ascii() {
        // One for every byte that begins a character, and another for each character beyond U+FFFF.
        let begins = text.bytes().filter(|byte| byte & 0xc0 != 0x80).count();
        wide = text.bytes().filter(|&byte| byte >= 0xf0).count();
        length = begins + wide;
    }
    Ok((u32::try_from(length).map_err(|_| Refusal::Clock)?, wide == 0))
}

/// A shared type, of which the number is returned.
fn read_type(reader: &mut Reader<'_>) -> Result<u8, Refusal> {
    let number = reader.byte()?;
    match number {
        ARRAY | MAP | TEXT | XML_FRAGMENT | XML_TEXT => {}
        XML_ELEMENT | XML_HOOK => {
            reader.string(usize::MAX)?;
        }
        7 => return Err(Refusal::Unsupported("weak links")),
        _ => return Err(Refusal::Unknown { what: "type", number }),
    }
    Ok(number)
}

/// A JSON text inside an update, which yrs must be able to parse.
fn read_json(reader: &mut Reader<'_>, limits: &Limits, values_left: &mut usize) -> Result<(), Refusal> {
    let text = reader.string(usize::MAX)?;
    // Nearly all formatting is one of these, or a plain string.
    if matches!(text, "true" | "false" | "null" | "{}") || is_plain_string(text.as_bytes()) {
        return Ok(());
    }
    spend(values_left, json_values(text), "values", limits.values)?;
    // The parser of yrs itself, because JSON parsers differ at the edges: numbers too great, half
    // surrogates, depth (it stops at 128).
    yrs::Any::from_json(text).map(drop).map_err(|_| Refusal::Json)
}

/// How many values the arrays and objects of a JSON text hold, about: one for each comma and each bracket outside of
/// strings. Told before it is parsed, because two bytes become thirty.
fn json_values(json: &str) -> usize {
    let (mut values, mut in_string, mut is_escaped) = (0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => in_string = !in_string,
            b',' | b'[' | b'{' if !in_string => values += 1,
            _ => {}
        }
    }
    values
}

/// Whether JSON is a string without anything to look at twice.
fn is_plain_string(json: &[u8]) -> bool {
    match json {
        [b'"', inner @ .., b'"'] => inner.iter().all(|&byte| byte >= b' ' && byte != b'"' && byte != b'\\'),
        _ => false,
    }
}

/// The lib0 `any` that is an object.
const OBJECT: u8 = 118;

/// One lib0 `any`. `depth` is how many levels of arrays and objects may still follow.
fn read_any(
    reader: &mut Reader<'_>,
    depth: usize,
    limits: &Limits,
    values_left: &mut usize,
) -> Result<(), Refusal> {
    match reader.byte()? {
        // undefined, null, false, true
        127 | 126 | 121 | 120 => {}
        125 => {
            reader.int()?;
        }
        124 => {
            reader.exact(4)?;
        }
        // float, bigint
        123 | 122 => {
            reader.exact(8)?;
        }
        119 => {
            reader.string(usize::MAX)?;
        }
        OBJECT => read_object(reader, depth, limits, values_left)?,
        117 => {
            let depth = depth.checked_sub(1).ok_or(Refusal::ValueDepth)?;
            let count = read_count(reader, 1)?;
            spend(values_left, count, "values", limits.values)?;
            for _ in 0..count {
                read_any(reader, depth, limits, values_left)?;
            }
        }
        116 => {
            reader.buffer(usize::MAX)?;
        }
        number => return Err(Refusal::Unknown { what: "value", number }),
    }
    Ok(())
}

/// What follows the kind of an object.
fn read_object(
    reader: &mut Reader<'_>,
    depth: usize,
    limits: &Limits,
    values_left: &mut usize,
) -> Result<(), Refusal> {
    let depth = depth.checked_sub(1).ok_or(Refusal::ValueDepth)?;
    let count = read_count(reader, 2)?;
    spend(values_left, count, "values", limits.values)?;
    for _ in 0..count {
        reader.string(usize::MAX)?;
        read_any(reader, depth, limits, values_left)?;
    }
    Ok(())
}
