//! What both dialects share, as far as an editor needs it: lib0 integers, sync messages, and the text runs of a v1
//! update.
//!
//! Everything here is on the path of every delivery (hundreds of thousands a second on one core), so nothing allocates
//! and nothing builds a CRDT: [`each_run`] walks the bytes of an update and says which edits of which author it carries.

use anyhow::{Result, bail, ensure};

/// The CRDT's empty state: a state vector without clients.
pub(crate) const EMPTY_VECTOR: &[u8] = &[0];
/// The update that says nothing: no client sections, no deletions.
pub(crate) const EMPTY_UPDATE: &[u8] = &[0, 0];
/// The name of the shared text that all scenarios write into.
pub(crate) const TEXT: &str = "text";

/// One message out of a WebSocket frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message<'a> {
    /// "This is my state vector; send me what I lack."
    Step1(&'a [u8]),
    /// The answer to a step 1: an update.
    Step2(&'a [u8]),
    /// Something somebody has just done: an update.
    Update(&'a [u8]),
    /// The server refuses the document, with its reason.
    Denied(String),
    /// What became of the oldest change that has not been answered: applied, or refused.
    Status(bool),
    /// What people show of themselves, for any number of clients.
    Awareness(&'a [u8]),
    /// Whatever no scenario looks at.
    Other,
}

/// Calls `each` for every message of a frame. A frame may hold several; an unknown type ends the reading, because
/// nobody can know its length.
pub(crate) fn each_message(frame: &[u8], mut each: impl FnMut(Message<'_>)) -> Result<()> {
    let mut reader = Reader::new(frame);
    while !reader.is_empty() {
        match reader.uint()? {
            0 => {
                let kind = reader.uint()?;
                let body = reader.sized()?;
                each(match kind {
                    0 => Message::Step1(body),
                    1 => Message::Step2(body),
                    2 => Message::Update(body),
                    other => bail!("unknown sync message {other}"),
                });
            }
            1 => each(Message::Awareness(reader.sized()?)),
            2 => {
                reader.uint()?;
                each(Message::Denied(String::from_utf8_lossy(reader.sized()?).into_owned()));
            }
            _ => {
                each(Message::Other);
                break;
            }
        }
    }
    Ok(())
}

/// The kinds of sync message, as they stand on the wire.
#[derive(Clone, Copy)]
pub(crate) enum Sync {
    /// Carries a state vector.
    Step1 = 0,
    /// Carries an update that answers a step 1.
    Step2 = 1,
    /// Carries an update.
    Update = 2,
}

/// Appends one sync message.
pub(crate) fn write_sync(out: &mut Vec<u8>, kind: Sync, body: &[u8]) {
    out.extend_from_slice(&[0, kind as u8]);
    write_sized(out, body);
}

/// Appends the update that a Yjs client makes when its author types `text` at the end of what they typed before:
/// `clock` is the author's clock before the keystroke.
pub(crate) fn write_append(out: &mut Vec<u8>, client: u64, clock: u32, text: &str) {
    out.extend_from_slice(&[1, 1]);
    write_uint(out, client);
    write_uint(out, u64::from(clock));
    if clock == 0 {
        out.extend_from_slice(&[CONTENT_STRING, 1]); // without neighbours an item names its parent
        write_sized(out, TEXT.as_bytes());
    } else {
        out.push(CONTENT_STRING | HAS_ORIGIN);
        write_uint(out, client);
        write_uint(out, u64::from(clock - 1));
    }
    write_sized(out, text.as_bytes());
    out.push(0);
}

/// Edits of one author that an update carries: `len` clock ticks from `clock` on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Run<'a> {
    pub(crate) client: u64,
    pub(crate) clock: u32,
    pub(crate) len: u32,
    /// What was inserted, where that is text which still stands.
    pub(crate) text: Option<&'a str>,
}

/// Appends what one client shows of itself: `state` is JSON, and greater clocks are newer.
pub(crate) fn write_awareness(out: &mut Vec<u8>, client: u64, clock: u64, state: &str) {
    let mut body = vec![1];
    write_uint(&mut body, client);
    write_uint(&mut body, clock);
    write_sized(&mut body, state.as_bytes());
    out.push(1);
    write_sized(out, &body);
}

/// Calls `each` with client, clock and state of everybody in an awareness message.
pub(crate) fn each_state(awareness: &[u8], mut each: impl FnMut(u64, u64, &str)) -> Result<()> {
    let mut reader = Reader::new(awareness);
    for _ in 0..reader.uint()? {
        let (client, clock) = (reader.uint()?, reader.uint()?);
        each(client, clock, std::str::from_utf8(reader.sized()?)?);
    }
    ensure!(reader.is_empty(), "bytes behind an awareness message");
    Ok(())
}

const CONTENT_STRING: u8 = 4;
const HAS_ORIGIN: u8 = 0x80;
const HAS_RIGHT_ORIGIN: u8 = 0x40;
const HAS_PARENT_SUB: u8 = 0x20;

/// Calls `each` for every run of edits in a v1 update, in the order of the bytes, and reads the update to its end.
/// Refuses content that the scenarios never write (subdocuments, moves), because its clock length would be a guess.
pub(crate) fn each_run(update: &[u8], mut each: impl FnMut(Run<'_>)) -> Result<()> {
    let mut reader = Reader::new(update);
    for _ in 0..reader.uint()? {
        let structs = reader.uint()?;
        let client = reader.uint()?;
        let mut clock = reader.clock()?;
        for _ in 0..structs {
            let info = reader.byte()?;
            let (len, text) = match info & 0x1f {
                0 => (reader.clock()?, None),
                10 => {
                    clock = clock.saturating_add(reader.clock()?); // a skip says what is missing, not what is there
                    continue;
                }
                kind => {
                    read_neighbours(&mut reader, info)?;
                    read_content(&mut reader, kind)?
                }
            };
            each(Run { client, clock, len, text });
            clock = clock.saturating_add(len);
        }
    }
    for _ in 0..reader.uint()? {
        reader.uint()?;
        for _ in 0..reader.uint()? {
            reader.uint()?;
            reader.uint()?;
        }
    }
    ensure!(reader.is_empty(), "{} bytes behind the end of an update", reader.0.len());
    Ok(())
}

fn read_neighbours(reader: &mut Reader<'_>, info: u8) -> Result<()> {
    for flag in [HAS_ORIGIN, HAS_RIGHT_ORIGIN] {
        if info & flag != 0 {
            reader.uint()?;
            reader.uint()?;
        }
    }
    if info & (HAS_ORIGIN | HAS_RIGHT_ORIGIN) == 0 {
        if reader.uint()? == 1 {
            reader.sized()?;
        } else {
            reader.uint()?;
            reader.uint()?;
        }
        if info & HAS_PARENT_SUB != 0 {
            reader.sized()?;
        }
    }
    Ok(())
}

fn read_content<'a>(reader: &mut Reader<'a>, kind: u8) -> Result<(u32, Option<&'a str>)> {
    Ok(match kind {
        1 => (reader.clock()?, None),
        3 | 5 => {
            reader.sized()?;
            (1, None)
        }
        CONTENT_STRING => {
            let text = std::str::from_utf8(reader.sized()?)?;
            // Yjs counts UTF-16 units; most text is ASCII, where these are the bytes.
            let units = if text.is_ascii() { text.len() } else { text.encode_utf16().count() };
            (u32::try_from(units)?, Some(text))
        }
        6 => {
            reader.sized()?;
            reader.sized()?;
            (1, None)
        }
        7 => {
            if matches!(reader.uint()?, 3 | 5) {
                reader.sized()?;
            }
            (1, None)
        }
        8 => {
            let values = reader.clock()?;
            for _ in 0..values {
                skip_plain_value(reader)?;
            }
            (values, None)
        }
        other => bail!("content of kind {other}, which no scenario writes"),
    })
}

/// A value of lib0 that is neither object nor list.
fn skip_plain_value(reader: &mut Reader<'_>) -> Result<()> {
    match reader.byte()? {
        119 | 116 => drop(reader.sized()?),
        120 | 121 | 126 | 127 => (),
        122 | 123 => (0..8).try_for_each(|_| reader.byte().map(drop))?,
        124 => (0..4).try_for_each(|_| reader.byte().map(drop))?,
        125 => while reader.byte()? > 0x7f {},
        other => bail!("a value of kind {other}, which no scenario writes"),
    }
    Ok(())
}

/// Appends an unsigned integer, seven bits to a byte, the low ones first.
pub(crate) fn write_uint(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends bytes with their length before them.
pub(crate) fn write_sized(out: &mut Vec<u8>, bytes: &[u8]) {
    write_uint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// What is left to read.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn byte(&mut self) -> Result<u8> {
        let Some((first, rest)) = self.0.split_first() else { bail!("bytes end too early") };
        self.0 = rest;
        Ok(*first)
    }

    pub(crate) fn uint(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..56).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        bail!("an integer longer than 53 bits");
    }

    fn clock(&mut self) -> Result<u32> {
        Ok(u32::try_from(self.uint()?)?)
    }

    pub(crate) fn sized(&mut self) -> Result<&'a [u8]> {
        let len = usize::try_from(self.uint()?)?;
        ensure!(len <= self.0.len(), "a length of {len} with {} bytes left", self.0.len());
        let (head, rest) = self.0.split_at(len);
        self.0 = rest;
        Ok(head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use yrs::updates::decoder::Decode as _;
    use yrs::{
        Doc, GetString as _, Map as _, OffsetKind, Options, ReadTxn as _, StateVector, Text as _,
        Transact as _, Update,
    };

    fn runs(update: &[u8]) -> Vec<(u64, u32, u32, Option<String>)> {
        let mut seen = Vec::new();
        each_run(update, |run| seen.push((run.client, run.clock, run.len, run.text.map(String::from))))
            .unwrap();
        seen
    }

    fn author(client: u64) -> Doc {
        Doc::with_options(Options {
            client_id: yrs::block::ClientID::new(client),
            offset_kind: OffsetKind::Utf16,
            ..Default::default()
        })
    }

    #[test]
    fn keystrokes_are_byte_for_byte_what_yrs_writes() {
        let doc = author(77);
        let text = doc.get_or_insert_text(TEXT);
        for (clock, letter) in ["a", "b", "c"].into_iter().enumerate() {
            let mut txn = doc.transact_mut();
            text.push(&mut txn, letter);
            let mut ours = Vec::new();
            write_append(&mut ours, 77, clock as u32, letter);
            assert_eq!(ours, txn.encode_update_v1());
        }
    }

    #[test]
    fn runs_cover_text_deletions_and_characters_outside_the_basic_plane() {
        let doc = author(5);
        let text = doc.get_or_insert_text(TEXT);
        text.push(&mut doc.transact_mut(), "ab😀cd");
        text.remove_range(&mut doc.transact_mut(), 1, 1);
        let state = doc.transact().encode_state_as_update_v1(&StateVector::default());
        assert_eq!(
            runs(&state),
            vec![(5, 0, 1, Some("a".into())), (5, 1, 1, None), (5, 2, 4, Some("😀cd".into()))]
        );
    }

    #[test]
    fn runs_of_several_authors_survive_a_merge_by_the_server() {
        let server = author(1);
        for (client, clock) in [(9, 0), (7, 0), (9, 1), (7, 1), (7, 2)] {
            let mut update = Vec::new();
            write_append(&mut update, client, clock, "x");
            server.transact_mut().apply_update(Update::decode_v1(&update).unwrap()).unwrap();
        }
        let state = server.transact().encode_state_as_update_v1(&StateVector::default());
        assert_eq!(runs(&state), vec![(9, 0, 2, Some("xx".into())), (7, 0, 3, Some("xxx".into()))]);
        let shared = server.get_or_insert_text(TEXT);
        assert_eq!(shared.get_string(&server.transact()).len(), 5);
    }

    #[test]
    fn several_messages_in_one_frame_are_all_seen() {
        let mut frame = Vec::new();
        write_sync(&mut frame, Sync::Step1, EMPTY_VECTOR);
        frame.extend_from_slice(&[1, 1, 0]);
        write_sync(&mut frame, Sync::Step2, EMPTY_UPDATE);
        let mut seen = Vec::new();
        each_message(&frame, |message| seen.push(format!("{message:?}"))).unwrap();
        assert_eq!(seen, ["Step1([0])", "Awareness([0])", "Step2([0, 0])"]);
    }

    #[test]
    fn what_a_key_is_set_to_counts_by_clock() {
        let doc = author(12);
        let map = doc.get_or_insert_map("map");
        for (clock, value) in
            [yrs::Any::from(7), (-300).into(), 2.5.into(), "x".into(), true.into(), yrs::Any::Null]
                .into_iter()
                .enumerate()
        {
            let mut txn = doc.transact_mut();
            map.insert(&mut txn, "key", value);
            assert_eq!(runs(&txn.encode_update_v1()), vec![(12, clock as u32, 1, None)]);
        }
    }

    #[test]
    fn states_are_read_as_they_are_written() {
        let mut message = Vec::new();
        write_awareness(&mut message, 300, 70_000, "{\"x\":1}");
        let mut seen = Vec::new();
        each_message(&message, |message| {
            let Message::Awareness(body) = message else { panic!("{message:?}") };
            each_state(body, |client, clock, state| seen.push((client, clock, state.to_owned()))).unwrap();
        })
        .unwrap();
        assert_eq!(seen, [(300, 70_000, "{\"x\":1}".to_owned())]);
    }

    #[test]
    fn cut_bytes_are_errors_at_every_length() {
        let mut update = Vec::new();
        write_append(&mut update, 300, 5, "hello");
        for end in 0..update.len() {
            assert!(each_run(&update[..end], |_| ()).is_err(), "cut at {end}");
        }
    }
}
