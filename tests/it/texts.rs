//! Texts of earlier versions, as a store of an earlier version holds them, and texts for those who do not speak Yjs.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use weft::{
    document::{
        deleted::Deleted,
        exports::Form,
        replica::{PANIC_ROOT, Replica},
    },
    ids::Timestamp,
    store::{Append, LoggedUpdate, Standing},
};
use yrs::{
    Doc, Map as _, OffsetKind, Options, ReadTxn as _, StateVector, Text as _, Transact as _, TransactionMut,
    WriteTxn as _, XmlElementPrelim, XmlFragment as _, XmlOut, XmlTextPrelim, updates::decoder::Decode as _,
};

use crate::support::{
    Raw, TestServer, Weft,
    client::Client,
    frames,
    rest::{get, post, request},
    server::name,
    settle, until,
};

const SAID: &str = "Minutes\nall of us 😀";

/// What a page of an earlier version wrote.
fn old_text() -> Bytes {
    let doc = Doc::new();
    let (meta, tree) = (doc.get_or_insert_map("meta"), doc.get_or_insert_xml_fragment("default"));
    let mut txn = doc.transact_mut();
    meta.insert(&mut txn, "titleTaken", "Minutes");
    for (block, words) in [("heading", "Minutes"), ("paragraph", "all of us 😀")] {
        let block = tree.push_back(&mut txn, XmlElementPrelim::empty(block));
        block.push_back(&mut txn, XmlTextPrelim::new(words));
    }
    txn.encode_update_v1().into()
}

/// The same in a store that nobody has opened since.
async fn inherited(server: &TestServer, document: &str) {
    let update = LoggedUpdate { bytes: old_text(), origin: None, at: Timestamp(7) };
    let append = Append { document: name(document), updates: vec![update], summary: None };
    server.store().append(vec![append]).await.unwrap();
}

async fn read(server: &TestServer, document: &str, form: &str) -> String {
    get(server, &format!("/api/v1/documents/{document}/{form}")).await.expect(200).text().to_owned()
}

fn blocks() -> Value {
    json!([
        { "type": "heading", "level": 1, "content": [{ "text": "Minutes" }] },
        { "type": "paragraph", "content": [{ "text": "all of us 😀" }] },
    ])
}

#[tokio::test]
async fn a_text_of_an_earlier_version_is_taken_over_when_it_is_opened_and_stored_so() {
    let mut server = TestServer::start().await;
    inherited(&server, "notes").await;
    let json: Value = serde_json::from_str(&read(&server, "notes", "json").await).unwrap();
    assert_eq!(
        (&json["body"], &json["default"], &json["converted"]),
        (&blocks(), &Value::Null, &Value::Null)
    );
    assert_eq!(read(&server, "notes", "text").await, SAID);
    assert_eq!(read(&server, "notes", "markdown").await, "# Minutes\n\nall of us 😀\n");
    let details = get(&server, "/api/v1/documents/notes").await.expect(200).json();
    assert_eq!(details["modified"], 7, "nobody has changed it");
    until("it is stored", || server.metrics().journal_backlog_bytes.get() == 0).await;
    let updates = async |server: &TestServer| {
        let stored = server.store().load(name("notes")).await.unwrap().unwrap();
        (stored.head.last, stored.head.modified)
    };
    let before = updates(&server).await;
    server.restart().await;
    assert_eq!(read(&server, "notes", "text").await, SAID);
    until("nothing waits", || server.metrics().journal_backlog_bytes.get() == 0).await;
    assert_eq!(updates(&server).await, before, "once");
}

#[tokio::test]
async fn in_the_trash_nothing_is_written_and_afterwards_it_is_taken_over() {
    let server = TestServer::start().await;
    inherited(&server, "notes").await;
    server.store().set_standing(name("notes"), Standing::Trashed(Timestamp(8))).await.unwrap();
    let before = server.store().load(name("notes")).await.unwrap().unwrap().head.last;
    assert_eq!(get(&server, "/api/v1/documents/notes").await.expect(200).json()["state"], "trashed");
    assert_eq!(server.store().load(name("notes")).await.unwrap().unwrap().head.last, before);
    post(&server, "/api/v1/documents/notes/restore", &json!({})).await.expect(200);
    let json: Value = serde_json::from_str(&read(&server, "notes", "json").await).unwrap();
    assert_eq!(json["body"], blocks());
}

/// Whoever looks at a large tree holds nobody else up: not when it comes back from the trash, and not when a page of an
/// earlier version writes there.
#[tokio::test]
async fn a_large_tree_is_looked_at_apart() {
    let server = TestServer::start().await;
    let page = Doc::new();
    let told = |write: &dyn Fn(&mut TransactionMut<'_>)| {
        let mut txn = page.transact_mut();
        write(&mut txn);
        Bytes::from(txn.encode_update_v1())
    };
    let bytes = told(&|txn| {
        txn.get_or_insert_text("others").push(txn, &"word ".repeat(300_000));
        txn.get_or_insert_text(weft::document::replica::PANIC_TREE_HERE_ROOT).push(txn, "x");
        txn.get_or_insert_map("meta").insert(txn, "titleTaken", "Minutes");
        let tree = txn.get_or_insert_xml_fragment("default");
        tree.push_back(txn, XmlElementPrelim::empty("paragraph")).push_back(txn, XmlTextPrelim::new("one"));
    });
    let updates = vec![LoggedUpdate { bytes, origin: None, at: Timestamp(7) }];
    server.store().append(vec![Append { document: name("notes"), updates, summary: None }]).await.unwrap();
    server.store().set_standing(name("notes"), Standing::Trashed(Timestamp(8))).await.unwrap();
    assert_eq!(get(&server, "/api/v1/documents/notes").await.expect(200).json()["state"], "trashed");
    post(&server, "/api/v1/documents/notes/restore", &json!({})).await.expect(200);
    let body = async || {
        let told: Value = serde_json::from_str(&read(&server, "notes", "json").await).unwrap();
        told["body"].clone()
    };
    assert_eq!(body().await, json!([{ "type": "paragraph", "content": [{ "text": "one" }] }]));
    let update = told(&|txn| {
        let tree = txn.get_or_insert_xml_fragment("default");
        let Some(XmlOut::Element(block)) = tree.get(txn, 0) else { panic!("no block") };
        let Some(XmlOut::Text(words)) = block.get(txn, 0) else { panic!("no words") };
        words.push(txn, " two");
    });
    request(&server, "POST", "/api/v1/documents/notes/updates").body(update).send().await.expect(200);
    assert_eq!(body().await, json!([{ "type": "paragraph", "content": [{ "text": "one two" }] }]));
    assert_eq!(server.metrics().documents_poisoned.get(), 0);
}

/// Of a tree that several servers took over some copies become one when the document is opened, and more when it is loaded
/// once more. What that took is kept before somebody's update has it loaded again.
#[tokio::test]
async fn copies_become_one_once_however_often_the_document_is_loaded() {
    const COPIES: usize = 6;
    let mut server = TestServer::start().await;
    let page = Doc::new();
    page.get_or_insert_map("meta").insert(&mut page.transact_mut(), "titleTaken", "Minutes");
    let tree = page.get_or_insert_xml_fragment("default");
    let utf16 = || Doc::with_options(Options { offset_kind: OffsetKind::Utf16, ..Options::default() });
    let state = |doc: &Doc| Bytes::from(doc.transact().encode_state_as_update_v1(&StateVector::default()));
    let together = utf16();
    let apply = |doc: &Doc, update: &[u8]| {
        doc.transact_mut().apply_update(yrs::Update::decode_v1(update).unwrap()).unwrap();
    };
    for n in 0..COPIES {
        let block = tree.push_back(&mut page.transact_mut(), XmlElementPrelim::empty("paragraph"));
        block.push_back(&mut page.transact_mut(), XmlTextPrelim::new(format!("block{n}")));
        let mut replica = Replica::load([&state(&page)], Deleted::Collected).unwrap();
        replica.take_over(usize::MAX).unwrap().unwrap();
        let today = utf16();
        apply(&today, &replica.state().unwrap());
        let body = today.get_or_insert_text("body");
        body.push(&mut today.transact_mut(), &format!(" word{n}"));
        apply(&together, &state(&today));
    }
    let update = LoggedUpdate { bytes: state(&together), origin: None, at: Timestamp(7) };
    let append = Append { document: name("notes"), updates: vec![update], summary: None };
    server.store().append(vec![append]).await.unwrap();
    let ann = server.client("ann", "notes").await;
    ann.hears_all_so_far().await;
    let poison = Doc::new();
    poison.get_or_insert_text(PANIC_ROOT).push(&mut poison.transact_mut(), "boom");
    let mut mallory = Raw::open(&server, "notes").await;
    mallory.send(frames::update(&state(&poison))).await;
    assert_eq!(mallory.closed().await, Some(4422));
    ann.hears_all_so_far().await;
    for _ in 0..2 {
        let told = read(&server, "notes", "text").await;
        for word in (0..COPIES).flat_map(|n| [format!("block{n}"), format!("word{n}")]) {
            assert_eq!(told.matches(&word).count(), 1, "{word} in {told:?}");
        }
        server.restart().await;
    }
}

/// What cannot be taken over is no reason not to open it: it can be read, and written as it is.
#[tokio::test]
async fn a_tree_that_takes_the_reader_down_stays_what_it_is() {
    let server = TestServer::start().await;
    let doc = Doc::new();
    let asked = doc.get_or_insert_text(weft::document::replica::PANIC_TREE_ROOT);
    asked.insert(&mut doc.transact_mut(), 0, "x");
    let bytes = Bytes::from(doc.transact().encode_state_as_update_v1(&StateVector::default()));
    let update = |bytes| LoggedUpdate { bytes, origin: None, at: Timestamp(7) };
    let updates = vec![update(old_text()), update(bytes)];
    server.store().append(vec![Append { document: name("notes"), updates, summary: None }]).await.unwrap();
    assert!(read(&server, "notes", "text").await.starts_with(SAID));
    assert!(read(&server, "notes", "markdown").await.starts_with("# Minutes\n\nall of us 😀\n"));
    let ann = Client::named("Ann").acknowledged().opens(&server, "notes").await;
    ann.types("more");
    ann.saved().await;
    assert!(read(&server, "notes", "text").await.contains("more"));
}

/// A page of HTML that somebody wrote is shown by itself: it runs nothing, and is of no origin.
#[tokio::test]
async fn a_page_stands_alone() {
    let server = TestServer::start().await;
    inherited(&server, "notes").await;
    let answer = get(&server, "/api/v1/documents/notes/html").await.expect(200);
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    let policy = answer.header("content-security-policy");
    assert!(
        policy.contains("default-src 'none'")
            && policy.contains("sandbox")
            && !policy.contains("allow-scripts"),
        "{policy}"
    );
    assert!(answer.text().contains("<h1>Minutes</h1>\n<p>all of us 😀</p>"), "{}", answer.text());
}

/// Reading takes a thread and memory, whatever it is read as: a few at a time, a few more wait, and all others come back.
#[tokio::test]
async fn who_asks_while_too_many_are_being_read_is_told_to_come_back() {
    /// As many as are read at a time, and as many as may wait.
    const PLACES: usize = 2 + 32;
    let server = TestServer::start().await;
    inherited(&server, "notes").await;
    let doc = Doc::new();
    let words = doc.get_or_insert_text("words");
    words.insert(&mut doc.transact_mut(), 0, "word");
    let state = Bytes::from(doc.transact().encode_state_as_update_v1(&StateVector::default()));
    let held = server.registry().exports().hold().await;
    let reading = |n: usize| {
        let (registry, state) = (server.registry().clone(), state.clone());
        let form = [Form::Html, Form::Markdown][n % 2];
        tokio::spawn(async move {
            registry.exports().get(&name(&format!("other-{n}")), form, state).await.map(|_| ())
        })
    };
    let readings: Vec<_> = (0..PLACES).map(reading).collect();
    // On this thread they have their places before anything else happens.
    tokio::task::yield_now().await;
    for form in ["text", "markdown", "html", "json"] {
        let answer = get(&server, &format!("/api/v1/documents/notes/{form}")).await.expect(503);
        assert!(!answer.header("retry-after").is_empty(), "{form}");
    }
    drop(held);
    for reading in readings {
        reading.await.unwrap().unwrap();
    }
    assert_eq!(read(&server, "notes", "markdown").await, "# Minutes\n\nall of us 😀\n");
    assert_eq!(read(&server, "notes", "text").await, SAID);
}

/// Whenever the server is killed while it takes a text over, and whoever has it open by then comes back with what they were
/// shown: it is there once.
#[tokio::test]
async fn a_text_is_taken_over_once_however_often_the_server_is_killed_meanwhile() {
    const ROUNDS: u64 = 8;
    let folder = tempfile::tempdir().unwrap();
    let mut server = Weft::serve(folder.path(), &[]).await;
    let tree = |doc: &Doc| {
        let tree = doc.get_or_insert_xml_fragment("default");
        let mut txn = doc.transact_mut();
        for (block, words) in [("heading", "Minutes"), ("paragraph", "all of us 😀")] {
            tree.push_back(&mut txn, XmlElementPrelim::empty(block))
                .push_back(&mut txn, XmlTextPrelim::new(words));
        }
        txn.encode_update_v1()
    };
    for round in 0..ROUNDS {
        let document = format!("notes-{round}");
        let updates = format!("/api/v1/documents/{document}/updates");
        // Nobody's tree, until somebody says that it is a text.
        request(&server, "POST", &updates).body(tree(&Doc::new())).send().await.expect(200);
        let mut people = Vec::new();
        for person in ["Ann", "Bob"] {
            people.push(Client::named(person).acknowledged().opens(&server, &document).await);
        }
        let told = request(&server, "POST", &updates).body(titled()).send();
        let told = tokio::spawn(told);
        // From before it is heard to after all is stored.
        tokio::time::sleep(Duration::from_millis(2 * round)).await;
        server.kill();
        told.abort();
        server = Weft::serve(folder.path(), &[]).await;
        request(&server, "POST", &updates).body(titled()).send().await.expect(200);
        for person in &mut people {
            person.drops().await;
            person.comes_back(&server).await;
        }
        settle(&people.iter().collect::<Vec<_>>()).await;
        let json: Value = serde_json::from_str(
            get(&server, &format!("/api/v1/documents/{document}/json")).await.expect(200).text(),
        )
        .unwrap();
        assert_eq!(json["body"], blocks(), "killed after {} ms", 2 * round);
    }
}

fn titled() -> Vec<u8> {
    let doc = Doc::new();
    let meta = doc.get_or_insert_map("meta");
    let mut txn = doc.transact_mut();
    meta.insert(&mut txn, "titleTaken", "Minutes");
    txn.encode_update_v1()
}
