//! Texts that want to hurt whoever reads them: a few bytes that stand for very much, and what never ends. Whatever a document
//! says, it is read in bounded time and memory or told to be unreadable, and nobody else notices anything.

use std::time::{Duration, Instant};

use serde_json::{Map as JsonMap, Value, json};
use yrs::{
    Any, Array as _, ArrayPrelim, Doc, Map as _, MapPrelim, OffsetKind, Options, Out, ReadTxn as _,
    StateVector, Text as _, Transact as _, TransactionMut, WriteTxn as _, Xml as _, XmlElementPrelim,
    XmlFragment as _, XmlTextPrelim,
    types::{Attrs, Delta},
};

use crate::support::{Address, Client, Weft, frames, frames::uint, rest, scribe::Scribe, settle};

/// What one reading may take in this debug build on a busy machine: it is there to end what would never.
const PATIENCE: Duration = Duration::from_secs(25);

/// What the server may have taken at most after all of it.
const MEMORY: u64 = 2 << 30;

/// A document by its updates.
struct Hostile {
    name: &'static str,
    updates: Vec<Vec<u8>>,
}

/// Structs of a sequence at a root, one behind the other, as bytes.
struct Structs {
    root: &'static str,
    count: u64,
    bytes: Vec<u8>,
}

impl Structs {
    const CLIENT: u64 = 9;

    fn of(root: &'static str) -> Self {
        Self { root, count: 0, bytes: Vec::new() }
    }

    fn add(&mut self, content: u8, strings: &[&str]) -> &mut Self {
        match self.count.checked_sub(1) {
            None => self.bytes.extend([vec![content, 1], frames::buffer(self.root.as_bytes())].concat()),
            Some(before) => {
                self.bytes.extend([vec![0x80 | content], uint(Self::CLIENT), uint(before)].concat());
            }
        }
        for string in strings {
            self.bytes.extend(frames::buffer(string.as_bytes()));
        }
        self.count += 1;
        self
    }

    fn format(&mut self, name: &str, value: &str) -> &mut Self {
        self.add(6, &[name, value])
    }

    fn embed(&mut self, value: &Value) -> &mut Self {
        self.add(5, &[&value.to_string()])
    }

    /// A letter.
    fn letter(&mut self) -> &mut Self {
        self.add(4, &["a"])
    }

    fn update(&self) -> Vec<u8> {
        [vec![1], uint(self.count), uint(Self::CLIENT), vec![0], self.bytes.clone(), vec![0]].concat()
    }
}

fn written(write: impl FnOnce(&mut TransactionMut<'_>)) -> Vec<u8> {
    let doc = Doc::with_options(Options { offset_kind: OffsetKind::Utf16, ..Options::default() });
    let mut txn = doc.transact_mut();
    write(&mut txn);
    drop(txn);
    let update = doc.transact().encode_state_as_update_v1(&StateVector::default());
    // It may be too deep to be dropped on this stack.
    std::mem::forget(doc);
    update
}

/// That it is a text of the app.
fn meta() -> Vec<u8> {
    written(|txn| {
        txn.get_or_insert_map("meta").insert(txn, "kind", "text");
    })
}

fn hostile(name: &'static str, update: Vec<u8>) -> Hostile {
    Hostile { name, updates: vec![meta(), update] }
}

fn tracks(letter: char, count: usize, entry: &Value) -> JsonMap<String, Value> {
    (0..count).map(|n| (format!("{letter}{n}"), entry.clone())).collect()
}

fn texts() -> Vec<Hostile> {
    let mut all = Vec::new();

    let mut body = Structs::of("body");
    for n in 0..5_000 {
        body.format(&format!("f{n}"), "true");
    }
    for _ in 0..50_000 {
        body.embed(&json!({ "type": "break" }));
    }
    all.push(hostile("formats", body.update()));

    all.push(hostile(
        "endless",
        written(|txn| {
            let body = txn.get_or_insert_text("body");
            let boundary = body.insert_embed(txn, 0, MapPrelim::from([("type", "heading")]));
            boundary.insert(txn, "parents", ArrayPrelim::default());
            body.push(txn, "words");
        }),
    ));

    all.push(hostile(
        "deep",
        written(|txn| {
            let body = txn.get_or_insert_text("body");
            let mut map = body.insert_embed(txn, 0, MapPrelim::from([("type", "paragraph")]));
            for _ in 0..1_000 {
                map = map.insert(txn, "rows", MapPrelim::default());
            }
            body.push(txn, "words");
        }),
    ));

    let mut body = Structs::of("body");
    body.format("link", &json!(format!("https://example.org/{}", "x".repeat(500_000))).to_string());
    for n in 0..20_000 {
        body.format("bold", if u32::is_multiple_of(n, 2) { "true" } else { "null" }).letter();
    }
    all.push(hostile("long-link", body.update()));

    let mut body = Structs::of("body");
    body.format("bold", "true");
    for n in 0..60_000 {
        body.format("italic", if u32::is_multiple_of(n, 2) { "true" } else { "null" }).letter();
    }
    all.push(hostile("many-runs", body.update()));

    let mut body = Structs::of("body");
    for n in 0..40 {
        let (rows, columns) = (tracks('r', 1_000, &json!({})), tracks('c', 1_000, &json!({})));
        body.embed(&json!({ "type": "table", "id": format!("t{n}"), "rows": rows, "columns": columns }));
    }
    all.push(hostile("many-tables", body.update()));

    let mut body = Structs::of("body");
    let (rows, columns) = (tracks('r', 300, &json!({})), tracks('c', 300, &json!({})));
    let cells = (0..300).flat_map(|row| (0..300).map(move |column| format!("r{row}/c{column}")));
    let last = json!({ "row": "r99", "column": "c99" });
    let spans: JsonMap<_, _> = cells.map(|cell| (cell, last.clone())).collect();
    body.embed(&json!({ "type": "table", "id": "t", "rows": rows, "columns": columns, "spans": spans }));
    let words = written(|txn| txn.get_or_insert_text("cell/t/r99/c99").push(txn, "words"));
    all.push(Hostile { name: "many-spans", updates: vec![meta(), words, body.update()] });

    let mut body = Structs::of("body");
    for _ in 0..5_000 {
        body.embed(&json!({ "type": "table", "id": "t", "deleted": true }));
    }
    let words = written(|txn| {
        for n in 0..300 {
            txn.get_or_insert_text(format!("cell/t/r{n}/c{n}").as_str()).push(txn, "w");
        }
    });
    all.push(Hostile { name: "one-table-often", updates: vec![meta(), words, body.update()] });

    let mut body = Structs::of("body");
    for depth in 0..24 {
        let parents = vec!["item"; depth];
        body.embed(&json!({ "type": "ordered", "start": 999_999_998, "parents": parents }));
    }
    body.embed(&json!({ "type": "code", "parents": vec!["item"; 24] })).add(4, &[&"a\n".repeat(200_000)]);
    all.push(hostile("deep-lines", body.update()));

    let mut body = Structs::of("body");
    let columns = tracks('c', 1, &json!({ "align": "x".repeat(500_000) }));
    body.embed(
        &json!({ "type": "table", "id": "t", "rows": tracks('r', 2_000, &json!({})), "columns": columns }),
    );
    all.push(hostile("long-align", body.update()));

    let mut body = Structs::of("body");
    let long = |letter: &str| -> JsonMap<_, _> {
        (0..100).map(|n| (format!("{}{n}", letter.repeat(20_000)), json!({}))).collect()
    };
    body.embed(
        &json!({ "type": "table", "id": "t", "rows": long("r"), "columns": long("c"), "spans": { "/": {} } }),
    );
    all.push(hostile("long-ids", body.update()));

    let mut body = Structs::of("body");
    for parents in
        [json!(vec!["quote"; 100_000]), json!({ "parents": "item" }), json!([[["quote"]], 7, null])]
    {
        body.embed(&json!({ "type": "bullet", "parents": parents, "level": -1e300, "start": 1e300 }))
            .letter();
    }
    body.embed(&json!({ "type": { "type": "table" }, "id": ["t"] }))
        .embed(&json!(null))
        .embed(&json!([[[]]]));
    body.embed(&json!({ "type": "table", "id": "a", "rows": { "r": null, "s": 7 }, "columns": { "c": [] },
        "spans": { "r/c": { "row": "s", "column": "c" }, "s/c": { "row": "r", "column": "c" }, "r": 1, "/": null } }));
    all.push(hostile("odd", body.update()));
    all.extend(trees());
    all
}

/// Trees of earlier versions.
fn trees() -> Vec<Hostile> {
    let wide = written(|txn| {
        let tree = txn.get_or_insert_xml_fragment("default");
        let table = tree.push_back(txn, XmlElementPrelim::empty("table"));
        for _ in 0..60 {
            let row = table.push_back(txn, XmlElementPrelim::empty("tableRow"));
            for _ in 0..60 {
                let cell = row.push_back(txn, XmlElementPrelim::empty("tableCell"));
                cell.insert_attribute(txn, "colspan", Any::from(1000));
                cell.insert_attribute(txn, "rowspan", Any::from(1000));
                cell.push_back(txn, XmlElementPrelim::empty("paragraph"))
                    .push_back(txn, XmlTextPrelim::new("w"));
            }
        }
    });
    let deep = written(|txn| {
        let tree = txn.get_or_insert_xml_fragment("default");
        let mut list = tree.push_back(txn, XmlElementPrelim::empty("bulletList"));
        for _ in 0..450 {
            let item = list.push_back(txn, XmlElementPrelim::empty("listItem"));
            item.push_back(txn, XmlElementPrelim::empty("paragraph")).push_back(txn, XmlTextPrelim::new("w"));
            list = item.push_back(txn, XmlElementPrelim::empty("bulletList"));
        }
    });
    let formats = written(|txn| {
        let tree = txn.get_or_insert_xml_fragment("default");
        let paragraph = tree.push_back(txn, XmlElementPrelim::empty("paragraph"));
        let words = paragraph.push_back(txn, XmlTextPrelim::new(""));
        let attributes: Attrs = (0..2_000).map(|n| (format!("f{n}").into(), Any::from(true))).collect();
        words.insert_with_attributes(txn, 0, "a", attributes);
        let mut delta = vec![Delta::Retain(1, None)];
        for n in 0..8_000 {
            let bold = Attrs::from([("bold".into(), Any::from(u32::is_multiple_of(n, 2)))]);
            delta.push(Delta::Inserted(yrs::In::Any("a".into()), Some(Box::new(bold))));
        }
        words.apply_delta(txn, delta);
    });
    vec![hostile("old-wide-table", wide), hostile("old-deep", deep), hostile("old-formats", formats)]
}

/// An array in the boundary of "endless" that holds a piece of text with a character beyond U+FFFF: what yrs counts wrong.
fn endless_element(update: &[u8]) -> Vec<u8> {
    let doc = Doc::new();
    let body = doc.get_or_insert_text("body");
    let decoded = <yrs::Update as yrs::updates::decoder::Decode>::decode_v1(update).unwrap();
    doc.transact_mut().apply_update(decoded).unwrap();
    let txn = doc.transact();
    let pieces = body.diff(&txn, yrs::types::text::YChange::identity);
    let boundary =
        pieces.iter().find_map(|piece| if let Out::YMap(map) = &piece.insert { Some(map) } else { None });
    let Some(Out::YArray(array)) = boundary.unwrap().get(&txn, "parents") else { panic!("no array") };
    assert_eq!(array.len(&txn), 0);
    let branch: &yrs::branch::Branch = array.as_ref();
    let yrs::branch::BranchID::Nested(id) = branch.id() else { panic!("a root") };
    // A value first: an item's content is told by its neighbours.
    let client = 11;
    [
        vec![1, 2],
        uint(client),
        vec![0],
        [vec![0x08, 0], uint(id.client.get()), uint(id.clock.into()), vec![1, 0x7d, 1]].concat(),
        [vec![0x84], uint(client), uint(0), frames::buffer("\u{1f600}".as_bytes())].concat(),
        vec![0],
    ]
    .concat()
}

async fn says(server: &impl Address, document: &str, update: &[u8]) -> u16 {
    let path = format!("/api/v1/documents/{document}/updates");
    rest::request(server, "POST", &path).body(update).send().await.status
}

#[tokio::test]
async fn whatever_a_text_says_it_is_read_or_told_to_be_unreadable_and_nobody_else_notices() {
    let folder = tempfile::tempdir().unwrap();
    let server = Weft::serve(folder.path(), &[]).await;
    let ann = Client::named("ann").acknowledged().opens(&server, "bystanders").await;
    let bob = Client::named("bob").opens(&server, "bystanders").await;
    let all = texts();
    for Hostile { name, updates } in &all {
        let begun = Instant::now();
        let mut updates = updates.clone();
        if *name == "endless" {
            updates.push(endless_element(&updates[1]));
        }
        for update in &updates {
            let status = says(&server, name, update).await;
            assert!(matches!(status, 200 | 422), "{name}: {status}");
        }
        let mut told = Vec::new();
        for form in ["", "/text", "/markdown", "/html", "/json", "/state"] {
            let path = format!("/api/v1/documents/{name}{form}");
            let answer = tokio::time::timeout(PATIENCE, rest::get(&server, &path));
            let answer = answer.await.unwrap_or_else(|_| panic!("{name}{form} takes too long"));
            // One that took long rests for as long.
            let is_fine =
                matches!(answer.status, 200 | 422 | 503) && !(form.is_empty() && answer.status != 200);
            assert!(is_fine, "{name}{form}: {} {}", answer.status, answer.text());
            told.push(answer.status);
        }
        let path = format!("/collab/{name}/eve?field=body");
        let mut scribe = Scribe::connects(&server, &path, None).await;
        let heard = tokio::time::timeout(PATIENCE, scribe.next()).await;
        let heard = heard.unwrap_or_else(|_| panic!("{name}: nothing is told over /collab"));
        drop(scribe);
        ann.types(".");
        tokio::time::timeout(PATIENCE, ann.saved()).await.unwrap_or_else(|_| panic!("{name}: ann waits"));
        settle(&[&ann, &bob]).await;
        let memory = server.resident_bytes();
        println!(
            "{name}: {told:?}, /collab {:?}, {:?}, {} MiB",
            heard.is_ok(),
            begun.elapsed(),
            memory >> 20
        );
        assert!(memory < MEMORY, "{name}: {memory} bytes");
    }
    // What was stored keeps nobody from coming back.
    server.kill();
    let mut server = Weft::serve(folder.path(), &[]).await;
    for Hostile { name, .. } in &all {
        let path = format!("/api/v1/documents/{name}");
        let answer = rest::get(&server, &path);
        tokio::time::timeout(PATIENCE, answer)
            .await
            .unwrap_or_else(|_| panic!("{name} cannot be opened"))
            .expect(200);
    }
    assert!(server.is_alive());
}
