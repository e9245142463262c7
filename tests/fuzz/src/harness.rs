//! One input at a time: through the guard, into a document with a history, out again, and on with it.
//!
//! Whatever passes the guard and is ready must leave a document that holds what it was given, has nothing
//! pending, encodes, loads again as the same document, and can be edited. An input is a mutation of a seed
//! (what real clients wrote, what attackers wrote, what yrs clients wrote in a generated history) or is
//! forged struct by struct from the ids of a document. It is determined by a seed and an index, so that
//! every finding can be had again.

use std::{
    cell::Cell,
    fmt,
    mem::ManuallyDrop,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    rc::Rc,
};

use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use yrs::{
    Any, Array, ArrayPrelim, Doc, Map, MapPrelim, Options, Out, ReadTxn, StateVector, Text, TextPrelim,
    Transact, TransactionMut, WriteTxn, Xml, XmlElementPrelim, XmlFragment, XmlOut, XmlTextPrelim,
    types::{Attrs, ToJson},
    updates::decoder::Decode,
};

use super::corpus;
use crate::protocol::{
    guard::{self, Limits, Outline, Readiness, Shape, Update},
    message::ClientId,
    wire,
};

/// What the fuzzer starts from.
pub struct Harness {
    seeds: Vec<Seed>,
    limits: Limits,
    /// A copy that shows something else is a finding.
    is_strict: Cell<bool>,
}

/// An update, and the state of the document to which it was made.
struct Seed {
    base: Rc<Base>,
    update: Vec<u8>,
}

struct Base {
    state: Vec<u8>,
    clocks: Vec<(u64, u32)>,
}

/// What yrs cannot hold, and Weft carries.
pub const CARRIED: [&str; 7] = [
    // A subdocument in an array; under a key, with options; deleted at once.
    "01 01 05 00 09 01 01 74 01 61 76 00 00",
    "01 01 05 00 29 01 01 74 01 6b 03 73 75 62 76 02 08 61 75 74 6f 4c 6f 61 64 78 04 6d 65 74 61 76 01 01 6e 7d 01 00",
    "01 02 05 00 09 01 01 74 01 61 76 00 89 05 00 01 62 76 01 02 67 63 79 01 05 01 00 01",
    // A hook in XML, with a value under a key and a paragraph behind it.
    "01 03 05 00 07 01 01 74 05 04 68 6f 6f 6b 28 00 05 00 01 6b 01 77 01 76 87 05 00 03 01 70 00",
    // JSON values, three and then one, of which the middle ones are deleted.
    "01 02 05 00 02 01 01 74 03 09 75 6e 64 65 66 69 6e 65 64 03 22 61 22 07 7b 22 6b 22 3a 31 7d 82 05 02 01 04 6e 75 6c \
     6c 01 05 01 01 02",
    // Bytes and an element that look like stand-ins.
    "01 01 05 00 03 01 01 74 16 00 77 65 66 74 27 73 20 73 74 61 6e 64 2d 69 6e 00 64 01 61 76 00 00",
    "01 01 05 00 07 01 01 74 03 13 00 77 65 66 74 27 73 20 73 74 61 6e 64 2d 69 6e 00 68 70 00",
];

/// What became of the inputs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub inputs: u64,
    pub refused: u64,
    /// Passed the guard, and nothing of it could be integrated.
    pub blocked: u64,
    pub partly: u64,
    pub ready: u64,
    /// Integrated in part, then yrs answered with an error: a parent that is not a type.
    pub wrong_parent: u64,
    /// What the transaction encodes is refused, so the document is given up and loaded again.
    pub given_up: u64,
    /// A copy loaded from the state, or one edit later, shows something else. References between unrelated
    /// places do that: CRDTs converge for what applications write. No seed may do it unmutated.
    pub diverged: u64,
    /// Reading the document panicked afterwards, or its outline forbade it: known of yrs, and contained by
    /// whoever reads.
    pub unreadable: u64,
    /// Editing here panicked afterwards or left a state that the guard refuses: removing, where hostile
    /// structs made yrs count wrong. Whoever edits contains the panic and checks the state before it is kept.
    pub uneditable: u64,
}

/// An input that did what it must not.
pub struct Finding {
    pub index: u64,
    pub what: String,
    pub base: Vec<u8>,
    pub input: Vec<u8>,
}

impl Harness {
    /// Seeds from the fixtures and from histories generated from `seed`.
    pub fn new(fixtures: &Path, seed: u64) -> Self {
        let mut seeds = Vec::new();
        for recorded in corpus::recordings(fixtures) {
            for list in ["cases", "pending"] {
                for case in recorded.json[list].as_array().into_iter().flatten() {
                    seed_from_case(case, &mut seeds);
                }
            }
        }
        let empty = Rc::new(Base { state: vec![0, 0], clocks: Vec::new() });
        for killer in corpus::killers(fixtures) {
            if killer.kind == "update" && killer.bytes.len() < 1000 {
                seeds.push(Seed { base: empty.clone(), update: killer.bytes });
            }
        }
        for update in CARRIED {
            seeds.push(Seed { base: empty.clone(), update: corpus::unhex(update) });
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for _ in 0..12 {
            seed_from_history(&mut rng, &mut seeds);
        }
        Self { seeds, limits: Limits::default(), is_strict: Cell::new(false) }
    }

    /// Tries the inputs of `seed` at `indices`, adds to the counts, and tells of each finding.
    pub fn run(&self, seed: u64, indices: Range<u64>, counts: &mut Counts, mut tell: impl FnMut(Finding)) {
        for index in indices {
            let (base, input) = self.input(seed, index);
            counts.inputs += 1;
            if let Err(what) = self.try_one(&base.state, &input, index, counts) {
                tell(Finding { index, what, base: base.state.clone(), input });
            }
        }
    }

    /// Tries the seeds as they are, which must do what updates are for.
    pub fn run_seeds(&self, counts: &mut Counts, mut tell: impl FnMut(Finding)) {
        self.is_strict.set(true);
        for (index, seed) in (0..).zip(&self.seeds) {
            counts.inputs += 1;
            if let Err(what) = self.try_one(&seed.base.state, &seed.update, index, counts) {
                tell(Finding { index, what, base: seed.base.state.clone(), input: seed.update.clone() });
            }
        }
        self.is_strict.set(false);
    }

    /// An input to look at, without trying it.
    pub fn show(&self, seed: u64, index: u64) -> Finding {
        let (base, input) = self.input(seed, index);
        Finding { index, what: "not tried".into(), base: base.state.clone(), input }
    }

    /// The base and the input of an index.
    fn input(&self, seed: u64, index: u64) -> (Rc<Base>, Vec<u8>) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed.wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        let chosen = self.seeds.choose(&mut rng).expect("seeds");
        let base = if rng.random_bool(0.85) {
            chosen.base.clone()
        } else {
            self.seeds.choose(&mut rng).expect("seeds").base.clone()
        };
        let input = if rng.random_bool(0.3) {
            forge(&mut rng, &base.clocks)
        } else {
            let other = self.seeds.choose(&mut rng).expect("seeds");
            mutate(&mut rng, chosen.update.clone(), &other.update)
        };
        (base, input)
    }

    fn try_one(&self, base: &[u8], input: &[u8], index: u64, counts: &mut Counts) -> Result<(), String> {
        let Ok(update) = Update::check(input.to_vec().into(), &self.limits) else {
            counts.refused += 1;
            return Ok(());
        };
        let decoded = contained("decode", || update.decode())?;
        decoded.map_err(|refusal| format!("the guard accepts what yrs does not decode: {refusal}"))?;

        let doc = load(base)?;
        let before = doc.transact().state_vector();
        // What it would take as a whole is reckoned, or not told; whatever the bytes say, that ends.
        let _ = update.steps_as_a_whole(100_000, |_| true);
        let part = match update.readiness(|client| before.get(&client)) {
            Readiness::Ready => {
                counts.ready += 1;
                update
            }
            Readiness::Mended(part) | Readiness::Partly(part) => {
                counts.partly += 1;
                if part.readiness(|client| before.get(&client)) != Readiness::Ready && !part.is_empty() {
                    return Err("a part is not ready itself".into());
                }
                part
            }
            Readiness::Blocked => {
                counts.blocked += 1;
                return Ok(());
            }
        };

        let Some(complete) = apply(&doc, &part, &self.limits)? else {
            counts.given_up += 1;
            return Ok(());
        };
        if !complete {
            counts.wrong_parent += 1;
        }
        let after = doc.transact().state_vector();
        if complete {
            for section in part.sections() {
                if after.get(&section.client) < section.end {
                    return Err(format!("client {} was not integrated", section.client));
                }
            }
        }
        let state = encode(&doc)?;
        let copy = self.reload(&state, &after)?;
        if !self.same(&doc, &copy, counts)? {
            return Ok(());
        }

        // On with it: an edit here reaches the copy, and a merge of updates is still an update.
        let outline = self.own(state, "our own state")?.outline(&self.limits);
        let fits = |name: &str, shape: Shape| {
            outline.as_ref().is_ok_and(|outline| {
                outline.is_readable && outline.roots.get(name).is_none_or(|root| *root == shape)
            })
        };
        let edited = contained_edit(&doc, |txn| {
            edit_somewhere(&mut ChaCha8Rng::seed_from_u64(index), txn, false, &fits);
        });
        let Ok(edit) = edited else {
            counts.uneditable += 1;
            return Ok(());
        };
        if self.own(encode(&doc)?, "the state after an edit").is_err() {
            counts.uneditable += 1;
            return Ok(());
        }
        let edit = self.own(edit, "a local edit")?;
        let known = copy.transact().state_vector();
        if edit.readiness(|client| known.get(&client)) != Readiness::Ready {
            return Err("a local edit is not ready elsewhere".into());
        }
        apply(&copy, &edit, &self.limits)?;
        self.same(&doc, &copy, counts)?;
        // Weft merges in a document only; what yrs cannot hold, it cannot merge.
        if part.needs_stand_ins() || self.own(base.to_vec(), "the base")?.needs_stand_ins() {
            return Ok(());
        }
        let merged = contained("merge", || yrs::merge_updates_v1([base, part.bytes()]))?;
        let merged = merged.map_err(|error| format!("merge failed: {error}"))?;
        if complete {
            self.own(merged, "a merge")?;
        }
        Ok(())
    }

    /// Bytes that we made ourselves: our own guard must accept them.
    fn own(&self, bytes: Vec<u8>, what: &str) -> Result<Update, String> {
        Update::check(bytes.into(), &self.limits).map_err(|refusal| format!("{what} is refused: {refusal}"))
    }

    fn reload(&self, state: &[u8], vector: &StateVector) -> Result<Doc, String> {
        let update = self.own(state.to_vec(), "the state after applying")?;
        if update.readiness(|_| 0) != Readiness::Ready {
            return Err("our own state is not ready for an empty document".into());
        }
        let doc = load(state)?;
        if doc.transact().state_vector() != *vector {
            return Err("the state vector changed by encoding and loading".into());
        }
        Ok(doc)
    }

    /// Whether both documents can be read; false also if they show different things.
    fn same(&self, one: &Doc, other: &Doc, counts: &mut Counts) -> Result<bool, String> {
        let outline = self.own(encode(one)?, "our own state")?.outline(&self.limits);
        let Ok(outline) = outline else {
            counts.unreadable += 1;
            return Ok(false);
        };
        match (contained("reading", || shown(one, &outline)), contained("reading", || shown(other, &outline)))
        {
            (Ok(one), Ok(other)) if one == other => Ok(true),
            (Ok(one), Ok(other)) if self.is_strict.get() => {
                Err(format!("the copy shows something else:\n  {one}\n  {other}"))
            }
            (Ok(_), Ok(_)) => {
                counts.diverged += 1;
                Ok(false)
            }
            _ => {
                counts.unreadable += 1;
                Ok(false)
            }
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        write!(
            f,
            "input {}: {}\n  base  {}\n  input {}",
            self.index,
            self.what,
            hex(&self.base),
            hex(&self.input)
        )
    }
}

/// Runs what may panic.
fn contained<T>(what: &str, work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let message = panic.downcast_ref::<String>().map(String::as_str);
        let message = message.or_else(|| panic.downcast_ref::<&str>().copied());
        format!("{what} panicked: {}", message.unwrap_or("?"))
    })
}

/// Runs what may panic with a transaction open. After a panic the transaction must not be dropped, because
/// dropping commits, and a panic there while unwinding aborts: it is leaked, and the document with it.
fn contained_txn<T>(
    what: &str,
    doc: &Doc,
    work: impl FnOnce(&mut TransactionMut<'_>) -> T,
) -> Result<T, String> {
    let mut txn = ManuallyDrop::new(doc.transact_mut());
    let result = contained(what, || {
        let result = work(&mut txn);
        txn.commit();
        result
    });
    match &result {
        Ok(_) => drop(ManuallyDrop::into_inner(txn)),
        Err(_) => std::mem::forget(doc.clone()),
    }
    result
}

fn document(client: u64) -> Doc {
    let mut options = Options::with_client_id(ClientId::new(client));
    options.offset_kind = yrs::OffsetKind::Utf16;
    Doc::with_options(options)
}

/// A document with what was encoded before.
fn load(state: &[u8]) -> Result<Doc, String> {
    let doc = document(77);
    let update = Update::check(state.to_vec().into(), &Limits::default()).and_then(|update| update.decode());
    let update = update.map_err(|refusal| format!("a state does not decode: {refusal}"))?;
    contained_txn("loading", &doc, |txn| txn.apply_update(update))?
        .map_err(|error| format!("loading: {error}"))?;
    if doc.transact().has_missing_updates() {
        return Err("a loaded state leaves something pending".into());
    }
    Ok(doc)
}

/// Applies what is ready, and says whether yrs took all of it; nothing if the document must be given up.
fn apply(doc: &Doc, update: &Update, limits: &Limits) -> Result<Option<bool>, String> {
    let decoded = update.decode().map_err(|refusal| refusal.to_string())?;
    let (complete, broadcast) = contained_txn("apply", doc, |txn| {
        let complete = txn.apply_update(decoded).is_ok();
        (complete, txn.encode_update_v1())
    })?;
    if doc.transact().has_missing_updates() {
        return Err("something that was ready is pending".into());
    }
    Ok(Update::check(turned_back(broadcast).into(), limits).is_ok().then_some(complete))
}

fn encode(doc: &Doc) -> Result<Vec<u8>, String> {
    contained("encode", || doc.transact().encode_state_as_update_v1(&StateVector::default())).map(turned_back)
}

/// What yrs encoded, without stand-ins. What the guard refuses stays as it is, and is refused where it is used.
fn turned_back(encoded: Vec<u8>) -> Vec<u8> {
    match guard::as_yjs_writes(encoded.clone().into()) {
        Ok(written) => written.to_vec(),
        Err(_) => encoded,
    }
}

fn contained_edit(doc: &Doc, edit: impl FnOnce(&mut TransactionMut<'_>)) -> Result<Vec<u8>, String> {
    contained_txn("a local edit", doc, |txn| {
        edit(txn);
        txn.encode_update_v1()
    })
}

/// What the document shows, read as its outline says.
fn shown(doc: &Doc, outline: &Outline) -> String {
    let mut shown = String::new();
    for (name, shape) in &outline.roots {
        let name = name.as_str();
        let value = match shape {
            Shape::Text => Out::YText(doc.get_or_insert_text(name)),
            _ if !outline.is_readable => continue,
            Shape::Map => Out::YMap(doc.get_or_insert_map(name)),
            Shape::Array => Out::YArray(doc.get_or_insert_array(name)),
            Shape::Xml => {
                let xml = doc.get_or_insert_xml_fragment(name);
                let children = xml.children(&doc.transact()).count();
                shown.push_str(&format!("{children} children "));
                Out::YXmlFragment(xml)
            }
        };
        let json = serde_json::to_value(value.to_json(&doc.transact()));
        let json = json.map_or_else(|error| error.to_string(), |json| json.to_string());
        shown.push_str(&format!("{name}: {shape:?} {json}\n"));
    }
    in_any_order(&shown)
}

/// yrs writes the attributes of a tag in an order that differs each time: each tag's letters are sorted.
fn in_any_order(shown: &str) -> String {
    let mut sorted = String::new();
    for (at, part) in shown.split('<').enumerate() {
        let (tag, rest) = part.split_once('>').filter(|_| at > 0).unwrap_or(("", part));
        let mut tag: Vec<char> = tag.chars().collect();
        tag.sort_unstable();
        sorted.extend(tag);
        sorted.push_str(rest);
    }
    sorted
}

fn seed_from_case(case: &serde_json::Value, seeds: &mut Vec<Seed>) {
    let bytes = |value: &serde_json::Value| value.as_str().map(corpus::unhex);
    let mut steps: Vec<_> = case["updates"].as_array().into_iter().flatten().filter_map(bytes).collect();
    let server = document(1);
    for update in steps.drain(..) {
        seeds.push(Seed { base: base(&server), update: update.clone() });
        let update = Update::check(update.into(), &Limits::default()).and_then(|update| update.decode());
        let update = update.expect("a recorded update");
        server.transact_mut().apply_update(update).expect("a recorded update");
    }
    for key in ["state", "merged"] {
        if let Some(update) = bytes(&case[key]) {
            seeds.push(Seed { base: base(&document(1)), update: update.clone() });
            seeds.push(Seed { base: base(&server), update });
        }
    }
}

fn base(doc: &Doc) -> Rc<Base> {
    let txn = doc.transact();
    let state = txn.encode_state_as_update_v1(&StateVector::default());
    let mut clocks: Vec<_> =
        txn.state_vector().iter().map(|(client, clock)| (client.get(), *clock)).collect();
    clocks.sort_unstable();
    Rc::new(Base { state, clocks })
}

/// Three people edit at once, and now and then hear of each other.
fn seed_from_history(rng: &mut ChaCha8Rng, seeds: &mut Vec<Seed>) {
    let server = document(1);
    let clients: Vec<_> = [2, 8, rng.random_range(0..1 << 53)].into_iter().map(document).collect();
    for _ in 0..24 {
        let client = clients.choose(rng).expect("clients");
        let update = {
            let mut txn = client.transact_mut();
            for _ in 0..rng.random_range(1..4) {
                edit_somewhere(rng, &mut txn, true, &|_, _| true);
            }
            txn.encode_update_v1()
        };
        seeds.push(Seed { base: base(&server), update: update.clone() });
        let update = yrs::Update::decode_v1(&update).expect("our own update");
        server.transact_mut().apply_update(update).expect("our own update");
        if rng.random_bool(0.3) {
            let diff = server.transact().encode_diff_v1(&client.transact().state_vector());
            let update = yrs::Update::decode_v1(&diff).expect("our own update");
            client.transact_mut().apply_update(update).expect("our own update");
        }
    }
}

const WORDS: [&str; 8] = ["a", "words", "ä", "😀", "x😀y", "", "longer text with spaces", "\u{0}"];

/// Any edit that an application could make, in a root that fits. Nothing is removed where strangers have
/// been: yrs may go round in circles over what they left.
fn edit_somewhere(
    rng: &mut ChaCha8Rng,
    txn: &mut TransactionMut<'_>,
    may_remove: bool,
    fits: &dyn Fn(&str, Shape) -> bool,
) {
    let word = *WORDS.choose(rng).expect("words");
    let roots =
        [("text", Shape::Text), ("map", Shape::Map), ("array", Shape::Array), ("prosemirror", Shape::Xml)];
    let root = rng.random_range(0..4);
    if !fits(roots[root].0, roots[root].1) {
        return;
    }
    match root {
        0 => {
            // An edit inside a pair of surrogates turns it into two U+FFFD here, and elsewhere only if the edit
            // changes something: no editor does that, and so texts get no characters of two units here.
            let word = if word.is_empty() || word.contains('😀') { "b" } else { word };
            let text = txn.get_or_insert_text("text");
            let at = rng.random_range(0..=text.len(txn));
            let rest = text.len(txn) - at;
            let attributes = Attrs::from([("bold".into(), Any::from(rng.random_bool(0.5)))]);
            match rng.random_range(0..6) {
                0 if may_remove && rest > 0 => text.remove_range(txn, at, rng.random_range(1..=rest.min(4))),
                1 if rest > 0 => text.format(txn, at, rest.min(3), attributes),
                2 => drop(text.insert_embed(txn, at, value(rng, 2))),
                3 => text.insert_with_attributes(txn, at, word, attributes),
                _ => text.insert(txn, at, word),
            }
        }
        1 => {
            let map = txn.get_or_insert_map("map");
            match rng.random_range(0..5) {
                0 if may_remove => drop(map.remove(txn, word)),
                1 => drop(map.insert(txn, word, MapPrelim::from([("k", value(rng, 1))]))),
                2 => drop(map.insert(txn, word, TextPrelim::new("nested"))),
                _ => drop(map.insert(txn, word, value(rng, 3))),
            }
        }
        2 => {
            let array = txn.get_or_insert_array("array");
            let at = rng.random_range(0..=array.len(txn));
            match rng.random_range(0..5) {
                0 if may_remove && at < array.len(txn) => array.remove(txn, at),
                1 => drop(array.insert(txn, at, ArrayPrelim::from([1, 2]))),
                2 => drop(array.insert(txn, at, Any::from(vec![1_u8, 2]))),
                _ => array.insert_range(txn, at, [value(rng, 1), value(rng, 1)]),
            }
        }
        _ => {
            let xml = txn.get_or_insert_xml_fragment("prosemirror");
            let at = rng.random_range(0..=xml.len(txn));
            match (rng.random_range(0..5), xml.get(txn, rng.random_range(0..=at))) {
                (0, _) if may_remove && at < xml.len(txn) => xml.remove_range(txn, at, 1),
                (1, Some(XmlOut::Element(element))) => drop(element.insert_attribute(txn, "align", word)),
                (2, Some(XmlOut::Element(element))) => drop(element.push_back(txn, XmlTextPrelim::new("in"))),
                (3, Some(XmlOut::Text(text))) => text.insert(txn, 0, "more"),
                (4, _) => drop(xml.insert(txn, at, XmlTextPrelim::new("text"))),
                _ => drop(xml.insert(txn, at, XmlElementPrelim::empty("p"))),
            }
        }
    }
}

fn value(rng: &mut ChaCha8Rng, depth: u32) -> Any {
    match rng.random_range(0..if depth == 0 { 6 } else { 8 }) {
        0 => Any::Null,
        1 => Any::from(rng.random_bool(0.5)),
        2 => Any::from(rng.random::<i32>()),
        3 => Any::from(0.1),
        4 => Any::from(1_i64 << 40),
        5 => Any::from(*WORDS.choose(rng).expect("words")),
        6 => Any::from(vec![value(rng, depth - 1), Any::Undefined]),
        _ => Any::from(std::collections::HashMap::from([("key".to_owned(), value(rng, depth - 1))])),
    }
}

/// Bytes that look like what yrs is given in place of a subdocument.
const MARKED: &[u8] = b"\0weft's stand-in\0d\x01av\0";

/// Bytes that mean something somewhere in an update.
const TELLING: [u8; 34] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0x21, 0x24, 0x27, 0x28, 0x41, 0x44, 0x46, 0x47, 0x48, 0x7f, 0x80,
    0x81, 0x84, 0x86, 0x87, 0x88, 0xa1, 0xa8, 0xc1, 0xc4, 0xc8, 0xff,
];

fn mutate(rng: &mut ChaCha8Rng, mut bytes: Vec<u8>, other: &[u8]) -> Vec<u8> {
    let times = 1 + (rng.random::<f32>().powi(3) * 5.0) as usize;
    for _ in 0..times {
        if bytes.is_empty() {
            bytes.push(rng.random());
        }
        let at = rng.random_range(0..bytes.len());
        let end = (at + rng.random_range(1..9)).min(bytes.len());
        match rng.random_range(0..11) {
            0 => bytes[at] ^= 1 << rng.random_range(0..8),
            1 => bytes[at] = rng.random(),
            2 | 3 => bytes[at] = *TELLING.choose(rng).expect("bytes"),
            4 => bytes[at] = bytes[at].wrapping_add(1),
            5 => bytes[at] = bytes[at].wrapping_sub(1),
            6 => drop(bytes.drain(at..end)),
            7 => {
                let slice = bytes[at..end].to_vec();
                let to = rng.random_range(0..=bytes.len());
                drop(bytes.splice(to..to, slice));
            }
            8 => bytes[at] = bytes[rng.random_range(0..bytes.len())],
            9 => {
                let mut number = Vec::new();
                wire::put_uint(&mut number, 1 << rng.random_range(0..54));
                drop(bytes.splice(at..=at, number));
            }
            _ => {
                let from = rng.random_range(0..=other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
        }
    }
    bytes
}

/// An update that is well formed more often than not, about the ids of a document: overlapping what is
/// known, building on anything, deleting anything.
fn forge(rng: &mut ChaCha8Rng, clocks: &[(u64, u32)]) -> Vec<u8> {
    let mut clients: Vec<(u64, u32)> = clocks.to_vec();
    clients.push((9, 0));
    clients.push((rng.random_range(0..1 << 53), 0));
    clients.sort_unstable();
    clients.dedup_by_key(|client| client.0);
    let mut out = Vec::new();
    let mut writers: Vec<_> = clients.iter().copied().filter(|_| rng.random_bool(0.4)).collect();
    writers.reverse();
    wire::put_uint(&mut out, writers.len() as u64);
    for &(client, clock) in &writers {
        let structs = rng.random_range(1..6);
        wire::put_uint(&mut out, structs);
        wire::put_uint(&mut out, client);
        let mut at = match rng.random_range(0..8) {
            0 => rng.random_range(0..=clock),
            1 => clock + 1,
            _ => clock,
        };
        wire::put_uint(&mut out, u64::from(at));
        for _ in 0..structs {
            at += forge_struct(rng, &mut out, client, at, &clients);
        }
    }
    let mut deleters: Vec<_> = clients.iter().filter(|_| rng.random_bool(0.3)).collect();
    if rng.random_bool(0.5) {
        deleters.reverse();
    }
    wire::put_uint(&mut out, deleters.len() as u64);
    for &&(client, clock) in &deleters {
        wire::put_uint(&mut out, client);
        let ranges = rng.random_range(1..4);
        wire::put_uint(&mut out, ranges);
        let mut at = 0;
        for _ in 0..ranges {
            at += rng.random_range(0..=clock / 2 + 1);
            let length = rng.random_range(1..=clock / 4 + 2);
            wire::put_uint(&mut out, u64::from(at));
            wire::put_uint(&mut out, u64::from(length));
            at += length;
        }
    }
    out
}

/// Writes one struct and says how long it is.
fn forge_struct(
    rng: &mut ChaCha8Rng,
    out: &mut Vec<u8>,
    client: u64,
    clock: u32,
    clients: &[(u64, u32)],
) -> u32 {
    let any_id = |rng: &mut ChaCha8Rng, out: &mut Vec<u8>| {
        let &(other, known) = if rng.random_bool(0.3) && clock > 0 {
            &(client, clock)
        } else {
            clients.choose(rng).expect("clients")
        };
        let most = if other == client { clock.max(1) - 1 } else { known + 1 };
        wire::put_uint(out, other);
        wire::put_uint(out, u64::from(rng.random_range(0..=most)));
    };
    if rng.random_bool(0.08) {
        let length = rng.random_range(1..4);
        out.push(if rng.random_bool(0.7) { 0 } else { 10 });
        wire::put_uint(out, u64::from(length));
        return length;
    }
    let content = *[1_u8, 2, 3, 4, 4, 4, 5, 6, 7, 7, 8, 9].choose(rng).expect("contents");
    let info = content | *[0x00, 0x20, 0x40, 0x80, 0x80, 0xa0, 0xc0, 0xc0].choose(rng).expect("flags");
    out.push(info);
    if info & 0x80 != 0 {
        any_id(rng, out);
    }
    if info & 0x40 != 0 {
        any_id(rng, out);
    }
    if info & 0xc0 == 0 {
        if rng.random_bool(0.6) {
            out.push(1);
            wire::put_string(out, ["text", "map", "array", "prosemirror"].choose(rng).expect("roots"));
        } else {
            out.push(0);
            any_id(rng, out);
        }
        if info & 0x20 != 0 {
            wire::put_string(out, WORDS.choose(rng).expect("words"));
        }
    }
    match content {
        1 => {
            let length = rng.random_range(1..4);
            wire::put_uint(out, u64::from(length));
            length
        }
        2 => {
            let length = rng.random_range(1..4);
            wire::put_uint(out, u64::from(length));
            for _ in 0..length {
                wire::put_string(out, ["undefined", "1", "{\"a\":[0.5,null]}"].choose(rng).expect("values"));
            }
            length
        }
        3 => {
            wire::put_buffer(out, if rng.random_bool(0.5) { &[1, 2, 3] } else { MARKED });
            1
        }
        9 => {
            wire::put_string(out, WORDS.choose(rng).expect("words"));
            out.extend_from_slice(
                [&[118_u8, 0][..], &[118, 1, 2, b'g', b'c', 121]].choose(rng).expect("options"),
            );
            1
        }
        4 => {
            let word = WORDS.choose(rng).expect("words");
            wire::put_string(out, word);
            word.encode_utf16().count() as u32
        }
        5 => {
            wire::put_string(out, "{\"embed\":[1,2]}");
            1
        }
        6 => {
            wire::put_string(out, "bold");
            wire::put_string(out, ["true", "null", "{}"].choose(rng).expect("formats"));
            1
        }
        7 => {
            match *[0_u8, 1, 2, 3, 4, 5, 6].choose(rng).expect("types") {
                kind @ (3 | 5) => {
                    out.push(kind);
                    wire::put_string(
                        out,
                        if rng.random_bool(0.7) { "p" } else { "\u{0}weft's stand-in\u{0}hp" },
                    );
                }
                other => out.push(other),
            }
            1
        }
        _ => {
            let length = rng.random_range(1..4);
            wire::put_uint(out, u64::from(length));
            for _ in 0..length {
                out.extend_from_slice(
                    [&[126_u8][..], &[120], &[125, 5], &[119, 1, b'v'], &[117, 1, 127]]
                        .choose(rng)
                        .expect("values"),
                );
            }
            length
        }
    }
}
