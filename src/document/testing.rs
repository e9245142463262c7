//! What the tests of documents share: writers (yrs clients with a chosen client id), a fresh look at bytes,
//! and updates in words.

use bytes::Bytes;
use yrs::{
    Doc, GetString, Map, OffsetKind, Options, ReadTxn, StateVector, Text, Transact, TransactionMut,
    Update as DecodedUpdate, updates::decoder::Decode,
};

use crate::protocol::{
    guard::{Limits, Update},
    message::ClientId,
};

/// A client with a document of its own: a text called `text` and a map called `map`.
pub(super) struct Writer {
    doc: Doc,
}

impl Writer {
    pub(super) fn new(client: u64) -> Self {
        let options = Options {
            client_id: ClientId::new(client),
            offset_kind: OffsetKind::Utf16,
            ..Options::default()
        };
        Self { doc: Doc::with_options(options) }
    }

    /// Changes the document, and returns the change as a client would send it.
    pub(super) fn edit(&self, edit: impl FnOnce(&Doc, &mut TransactionMut<'_>)) -> Bytes {
        // The roots first: asking for them inside a transaction would wait for its end.
        self.doc.get_or_insert_text("text");
        self.doc.get_or_insert_map("map");
        let mut txn = self.doc.transact_mut();
        edit(&self.doc, &mut txn);
        txn.commit();
        txn.encode_update_v1().into()
    }

    pub(super) fn insert(&self, index: u32, text: &str) -> Bytes {
        self.edit(|_, txn| txn.get_text("text").unwrap().insert(txn, index, text))
    }

    pub(super) fn remove(&self, index: u32, length: u32) -> Bytes {
        self.edit(|_, txn| txn.get_text("text").unwrap().remove_range(txn, index, length))
    }

    pub(super) fn set(&self, key: &str, value: &str) -> Bytes {
        self.edit(|_, txn| {
            txn.get_map("map").unwrap().insert(txn, key, value);
        })
    }

    pub(super) fn receive(&self, update: &[u8]) {
        self.doc.transact_mut().apply_update(DecodedUpdate::decode_v1(update).unwrap()).unwrap();
    }

    pub(super) fn text(&self) -> String {
        self.doc.get_or_insert_text("text").get_string(&self.doc.transact())
    }

    /// How long the text is, in the units of [`Self::insert`].
    pub(super) fn length(&self) -> u32 {
        self.doc.get_or_insert_text("text").len(&self.doc.transact())
    }

    pub(super) fn vector(&self) -> StateVector {
        self.doc.transact().state_vector()
    }

    /// What somebody with `vector` lacks.
    pub(super) fn difference(&self, vector: &StateVector) -> Bytes {
        self.doc.transact().encode_diff_v1(vector).into()
    }

    pub(super) fn state(&self) -> Bytes {
        self.doc.transact().encode_state_as_update_v1(&StateVector::default()).into()
    }

    /// Whether something came that builds upon what did not.
    pub(super) fn is_waiting(&self) -> bool {
        self.doc.transact().has_missing_updates()
    }
}

/// Through the guard, as everything from outside.
pub(super) fn check(bytes: impl Into<Bytes>) -> Update {
    Update::check(bytes.into(), &Limits::default()).unwrap()
}

/// The text of a document, from its state or from all its updates.
pub(super) fn text_of<'a>(updates: impl IntoIterator<Item = &'a Bytes>) -> String {
    let reader = Writer::new(9_999);
    for update in updates {
        reader.receive(update);
    }
    assert!(!reader.is_waiting(), "the updates do not make a whole");
    reader.text()
}

/// An update in words: whose clocks it brings and whose it deletes, each client as `name` calls it.
pub(super) fn in_words(update: &[u8], name: &dyn Fn(ClientId) -> String) -> String {
    let checked = check(Bytes::copy_from_slice(update));
    let mut parts: Vec<String> = checked
        .sections()
        .iter()
        .map(|section| format!("{} {}..{}", name(section.client), section.start, section.end))
        .collect();
    let decoded = DecodedUpdate::decode_v1(update).unwrap();
    for (client, ranges) in decoded.delete_set().iter() {
        for range in ranges.iter() {
            parts.push(format!("{} {}..{} deleted", name(*client), range.start, range.end));
        }
    }
    parts.sort();
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}
