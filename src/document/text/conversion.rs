//! A text of earlier versions becomes one of today's: the change that writes it, the same wherever it is made.
//!
//! Whoever reads the same words makes the same change, under a client id that is made of the words, so that it is in the
//! document once however often it is made: by a server that was killed before it had stored what it had shown already, or
//! by two that each have a copy. The tree stays where it is: nothing of it is lost, and who still has a page open that
//! writes there is heard.

use sha2::{Digest, Sha256};
use yrs::{
    Any, Doc, In, Map, MapPrelim, Number, OffsetKind, Options, Out, ReadTxn, StateVector, Text as _, TextRef,
    Transact, TransactionMut, WriteTxn,
    types::{Attrs, Delta, text::YChange},
};

use super::{
    blocks::Text,
    carrying,
    model::MarkKind,
    writing::{Op, Put, Written, attribute},
};
use crate::protocol::message::ClientId;

/// The root map that says that a tree has been taken over: by what the tables made of it are called, who wrote that and how
/// long it was.
pub const CONVERTED: &str = "converted";

/// What one of those who took over a tree made of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Copied {
    /// What its tables are called, but for their numbers.
    pub names: String,
    /// Under which client id it was written.
    pub client: ClientId,
    /// Its body, in the units of Yjs.
    pub length: u32,
    /// What those of its tables are called that stand for the tree now: the first, or others that came in place of them when
    /// tables were made or taken away there, or got other rows.
    pub tables: String,
}

/// How often a tree was taken over, by the names of their tables. More than once only by those who did not know of each
/// other and of whom one had an older tree.
pub fn copies(txn: &impl ReadTxn) -> Vec<Copied> {
    let Some(converted) = txn.get_map(CONVERTED) else { return Vec::new() };
    let copied = |(names, value): (&str, Out)| {
        let Out::Any(Any::Map(fields)) = value else { return None };
        let number = |field| match fields.get(field) {
            Some(Any::Number(Number::Int(number))) => u32::try_from(*number).ok(),
            Some(Any::Number(Number::Float(number))) => Some(*number as u32),
            _ => None,
        };
        let client = ClientId::new(u64::from(number("client")?));
        let tables = match fields.get("tables") {
            Some(Any::String(tables)) => tables.to_string(),
            _ => names.to_owned(),
        };
        Some(Copied { names: names.to_owned(), client, length: number("length")?, tables })
    };
    let mut copies: Vec<_> = converted.iter(txn).filter_map(copied).collect();
    copies.sort_unstable();
    copies
}

/// Notes what tables are called by now.
fn note(txn: &mut TransactionMut<'_>, copy: &Copied, tables: &str) {
    let converted = txn.get_or_insert_map(CONVERTED);
    let numbers = [("client", copy.client.get() as i64), ("length", i64::from(copy.length))];
    let numbers = numbers.map(|(field, number)| (field.to_owned(), Any::from(number)));
    let fields = numbers.into_iter().chain([("tables".to_owned(), Any::from(tables))]);
    converted.insert(txn, copy.names.as_str(), Any::Map(std::sync::Arc::new(fields.collect())));
}

/// How texts are converted. Another way has another number, because it would say other things under the same ids.
const WAY: &str = "weft text 1\n";

/// The change that writes a text, and the client id under which it does.
#[derive(Clone, Debug)]
pub struct Conversion {
    /// The change, as an update.
    pub update: Vec<u8>,
    /// Made of the text.
    pub client: ClientId,
    /// What its tables are called, but for their numbers.
    pub names: String,
}

/// The change that writes this text into a document that has none.
pub(super) fn conversion(text: &Text) -> Conversion {
    let hash = Sha256::digest(format!("{WAY}{}", text.written("").key()).as_bytes());
    let number = |at: usize| u32::from_be_bytes([hash[at], hash[at + 1], hash[at + 2], hash[at + 3]]);
    // As Yjs numbers its clients; never the first, which some give to somebody else.
    let client = ClientId::new(u64::from(number(0).max(1)));
    let names = format!("{:08x}", number(4));
    Conversion { update: update_of(&text.written(&names), client, &names), client, names }
}

fn update_of(Written(roots): &Written, client: ClientId, names: &str) -> Vec<u8> {
    let options = Options { client_id: client, offset_kind: OffsetKind::Utf16, ..Options::default() };
    let doc = Doc::with_options(options);
    let texts: Vec<TextRef> = roots.iter().map(|(name, _)| doc.get_or_insert_text(name.as_str())).collect();
    let converted = doc.get_or_insert_map(CONVERTED);
    let mut txn = doc.transact_mut();
    for (text, (_, ops)) in texts.iter().zip(roots) {
        write(text, ops, &mut txn);
    }
    let length = roots.first().map_or(0, |(_, ops)| ops.iter().map(Op::length).sum::<u32>());
    let copied = [("client", client.get() as i64), ("length", i64::from(length))];
    let copied = copied.map(|(field, number)| (field.to_owned(), Any::from(number)));
    converted.insert(&mut txn, names, Any::Map(std::sync::Arc::new(copied.into_iter().collect())));
    drop(txn);
    doc.transact().encode_state_as_update_v1(&StateVector::default())
}

/// Step by step in an order that does not depend on how a map happens to be laid out: the same text must become the same
/// structs.
fn write(text: &TextRef, ops: &[Op], txn: &mut TransactionMut<'_>) {
    let insert = |op: &Op| match op {
        Op::Text(words, _) => Delta::Inserted(In::Any(Any::from(words.as_str())), None),
        Op::Map(..) => Delta::Inserted(In::Map(MapPrelim::default()), None),
        Op::Object(fields, _) => {
            let fields = fields.iter().cloned().collect();
            Delta::Inserted(In::Any(Any::Map(std::sync::Arc::new(fields))), None)
        }
    };
    text.apply_delta(txn, ops.iter().map(insert).collect::<Vec<_>>());
    let maps: Vec<_> = text
        .diff(txn, YChange::identity)
        .into_iter()
        .filter_map(|piece| if let Out::YMap(map) = piece.insert { Some(map) } else { None })
        .collect();
    let fields = ops.iter().filter_map(|op| if let Op::Map(fields, _) = op { Some(fields) } else { None });
    for (map, fields) in maps.iter().zip(fields) {
        for (field, put) in fields {
            match put {
                Put::Value(value) => drop(map.insert(txn, field.as_str(), value.clone())),
                Put::Map(entries) => {
                    let inner = map.insert(txn, field.as_str(), MapPrelim::default());
                    for (id, entry) in entries {
                        inner.insert(txn, id.as_str(), entry.clone());
                    }
                }
            }
        }
    }
    for kind in MarkKind::ALL {
        let marked = |op: &Op| attribute(op.marks(), kind);
        if !ops.iter().any(|op| marked(op).is_some()) {
            continue;
        }
        let retain = |op: &Op| {
            let attributes: Option<Box<Attrs>> =
                marked(op).map(|value| Box::new(Attrs::from([(kind.name().into(), value)])));
            Delta::<In>::Retain(op.length(), attributes)
        };
        text.apply_delta(txn, ops.iter().map(retain).collect::<Vec<_>>());
    }
}

/// What was written into a tree since it was taken over, on its way into the text.
#[derive(Debug)]
pub struct Carrying {
    /// By root: what was there, and what is.
    roots: Vec<(String, Vec<Op>, Vec<Op>)>,
    /// What the tables are called from now on, if they were called otherwise.
    renamed: Option<String>,
}

impl Carrying {
    /// The way from what a tree said to what it says now. Its tables were called by `names` ([`Copied::tables`]).
    pub fn between(base: &Text, now: &Text, names: &str) -> Self {
        let Written(was) = base.written(names);
        let Written(is) = now.written(names);
        let tables = |roots: &[(String, Vec<Op>)]| {
            let body = roots.first().map_or(&[][..], |(_, ops)| ops);
            body.iter().filter(|op| op.text_field("type") == "table").cloned().collect::<Vec<_>>()
        };
        // Where tables were made or taken away, or have other rows, they are not told apart by their numbers any more:
        // those of the tree come as tables of their own, and those that are there stay.
        let renamed = (tables(&was) != tables(&is)).then(|| names_after(names, now));
        let Written(is) = renamed.as_ref().map_or(Written(is), |names| now.written(names));
        let mut was: std::collections::BTreeMap<_, _> = was.into_iter().collect();
        let mut roots: Vec<_> = is
            .into_iter()
            .map(|(name, is)| {
                let was = was.remove(&name).unwrap_or_default();
                (name, was, is)
            })
            .collect();
        // Cells in which nothing is left. Of tables that are gone the words stay where they are, unseen by nobody.
        let known: Vec<String> = tables_of(&roots);
        roots.extend(
            was.into_iter()
                .filter(|(name, _)| known.iter().any(|table| name.starts_with(&format!("cell/{table}/"))))
                .map(|(name, was)| (name, was, Vec::new())),
        );
        Self { roots, renamed }
    }

    /// What the tables are called from now on, if they were called otherwise.
    pub fn renamed(&self) -> Option<&str> {
        self.renamed.as_deref()
    }

    /// Carries it into the text, of which `copy` is noted, if it is.
    pub fn carry(&self, txn: &mut TransactionMut<'_>, copy: Option<&Copied>) {
        for (name, was, is) in &self.roots {
            let text = txn.get_or_insert_text(name.as_str());
            carrying::carry(&text, txn, was, is);
        }
        if let (Some(copy), Some(tables)) = (copy, self.renamed()) {
            note(txn, copy, tables);
        }
    }
}

/// What the tables of a tree are called that come in place of others: never what any were called before, also if the tree
/// says again what it once said.
fn names_after(before: &str, now: &Text) -> String {
    let hash = Sha256::digest(format!("{before} {}", now.conversion().names).as_bytes());
    hash[..4].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn tables_of(roots: &[(String, Vec<Op>, Vec<Op>)]) -> Vec<String> {
    let body = roots.first().map_or(&[][..], |(_, _, ops)| ops);
    body.iter().filter(|op| op.text_field("type") == "table").map(|op| op.text_field("id")).collect()
}
