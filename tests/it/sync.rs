//! Documents sync: whoever has a document open has all of it, whatever it is made of.

use std::collections::HashSet;

use yrs::{
    Array, ArrayPrelim, Map, MapPrelim, Text, TextPrelim, Xml, XmlElementPrelim, XmlFragment, XmlTextPrelim,
};

use crate::support::{Client, Raw, TestServer, frames, rest, settle, until};

#[tokio::test]
async fn two_editors_converge() {
    let server = TestServer::start().await;
    let ann = server.client("ann", "notes").await;
    let bob = server.client("bob", "notes").await;
    ann.types("hello");
    bob.reads("hello").await;
    // At the same place, at the same time.
    ann.inserts(5, " from ann");
    bob.inserts(5, " from bob");
    bob.deletes(0, 1);
    settle(&[&ann, &bob]).await;
    let text = ann.text();
    assert!(text.starts_with("ello") && text.contains(" from ann") && text.contains(" from bob"), "{text}");
}

#[tokio::test]
async fn a_late_joiner_gets_everything() {
    let server = TestServer::start().await;
    let ann = server.client("ann", "notes").await;
    ann.types("written before bob came, ");
    ann.types("partly deleted");
    ann.deletes(0, 8);
    ann.hears_all_so_far().await;
    let bob = server.client("bob", "notes").await;
    assert_eq!(bob.text(), "before bob came, partly deleted");
    settle(&[&ann, &bob]).await;
}

#[tokio::test]
async fn many_joiners_of_one_document_all_get_it() {
    let server = TestServer::start().await;
    let ann = server.client("ann", "notes").await;
    ann.types(&"a long text ".repeat(1000));
    ann.hears_all_so_far().await;
    let joining = (0..50).map(|n| Client::named(&format!("joiner {n}")).opens(&server, "notes"));
    let joiners = futures_util::future::join_all(joining).await;
    for joiner in &joiners {
        assert_eq!(joiner.text(), ann.text(), "{}", joiner.name);
    }
    joiners[7].types("and one more");
    let everybody: Vec<&Client> = joiners.iter().chain([&ann]).collect();
    settle(&everybody).await;
    assert!(ann.text().ends_with("and one more"));
}

#[tokio::test]
async fn every_shared_type_syncs() {
    let server = TestServer::start().await;
    let ann = server.client("ann", "notes").await;
    let bob = server.client("bob", "notes").await;
    ann.edit(|roots, txn| {
        roots.text.insert_with_attributes(txn, 0, "bold", [("b".into(), true.into())].into());
        roots.text.insert_embed(txn, 4, yrs::Any::from_json(r#"{"image":"cat.png"}"#).unwrap());
        let nested = roots.map.insert(txn, "nested", MapPrelim::from([("deep", "value")]));
        nested.insert(txn, "text", TextPrelim::new("inside"));
        roots.array.insert_range(txn, 0, [1.5, 2.5]);
        roots.array.push_back(txn, ArrayPrelim::from(["a", "b"]));
        let paragraph = roots.xml.push_back(txn, XmlElementPrelim::empty("p"));
        paragraph.insert_attribute(txn, "align", "left");
        paragraph.push_back(txn, XmlTextPrelim::new("in a paragraph"));
    });
    settle(&[&ann, &bob]).await;
    bob.edit(|roots, txn| {
        roots.map.remove(txn, "nested");
        roots.array.remove(txn, 0);
        roots.xml.insert(txn, 0, XmlElementPrelim::empty("hr"));
    });
    settle(&[&ann, &bob]).await;
    let content = ann.content();
    assert_eq!(content["xml"], "<hr></hr><p align=\"left\">in a paragraph</p>");
    assert_eq!(content["array"], serde_json::json!([2.5, ["a", "b"]]));
    assert_eq!(content["map"], serde_json::json!({}));
}

#[tokio::test]
async fn what_was_written_offline_arrives_on_reconnecting() {
    let server = TestServer::start().await;
    let mut ann = server.client("ann", "notes").await;
    let bob = server.client("bob", "notes").await;
    ann.types("common");
    bob.reads("common").await;
    ann.drops().await;
    ann.inserts(0, "ann was in a tunnel; ");
    bob.types("; bob was not");
    ann.comes_back(&server).await;
    settle(&[&ann, &bob]).await;
    assert_eq!(ann.text(), "ann was in a tunnel; common; bob was not");
}

#[tokio::test]
async fn an_acknowledgement_comes_for_each_update_and_only_to_who_asked() {
    let server = TestServer::start().await;
    let ann = Client::named("ann").acknowledged().opens(&server, "notes").await;
    let bob = server.client("bob", "notes").await;
    for word in ["one ", "two ", "three "] {
        ann.types(word);
    }
    ann.saved().await;
    let stored = server.store().load(crate::support::server::name("notes")).await.unwrap().unwrap();
    assert!(!stored.tail.is_empty(), "acknowledged and not stored");
    assert_eq!(ann.updates_heard(), 0, "every update that came was her own, once");
    bob.types("bob's");
    settle(&[&ann, &bob]).await;
    bob.hears_all_so_far().await;
    let heard = bob.updates_heard();
    assert!(
        (1..=3).contains(&heard),
        "bob heard {heard} messages of three updates: his own came back to him"
    );
}

#[tokio::test]
async fn an_empty_update_is_acknowledged() {
    let server = TestServer::start().await;
    let mut raw = Raw::try_open(&server, "/ws/notes?echo=durable", &[]).await.unwrap();
    raw.send(frames::step2(&[0, 0])).await;
    raw.hears(|frame| frame == frames::update(&[0, 0])).await;
    raw.send(frames::update(&[0, 0])).await;
    raw.hears(|frame| frame == frames::update(&[0, 0])).await;
}

#[tokio::test]
async fn nobody_hears_a_change_before_what_it_builds_upon() {
    let server = TestServer::start().await;
    let ann = server.client("ann", "notes").await;
    let bob = server.client("bob", "notes").await;
    ann.types("written before, ");
    bob.reads("written before, ").await;
    // Connected, and not yet asking what there is.
    let mut raw = Raw::open(&server, "notes").await;
    raw.hears(|frame| frame.starts_with(&[0, 0])).await;
    ann.types("while somebody joins, ");
    bob.reads("written before, while somebody joins, ").await;
    raw.send(frames::empty_step1()).await;
    let first = raw.hears(|frame| frame[0] == 0).await;
    assert_eq!(first[..2], [0, 1], "a change came before the answer");
    let carl = Client::named("carl");
    carl.hears(&first);
    assert_eq!(carl.text(), ann.text());
    ann.types("and after");
    carl.hears(&raw.hears(|frame| frame.starts_with(&[0, 2])).await);
    assert_eq!(carl.text(), ann.text());
}

#[tokio::test]
async fn client_ids_of_53_bits_work() {
    let server = TestServer::start().await;
    let ids = [(1 << 53) - 1, 1 << 52, 1 << 32, 7];
    let mut people = Vec::new();
    for (n, id) in ids.into_iter().enumerate() {
        let person = Client::with_id(&format!("person {n}"), id).opens(&server, "notes").await;
        person.types(&format!("{id};"));
        person.shows(&serde_json::json!({ "id": id }));
        people.push(person);
    }
    let everybody: Vec<&Client> = people.iter().collect();
    settle(&everybody).await;
    for id in ids {
        assert!(people[0].text().contains(&format!("{id};")));
    }
    for other in &people[1..] {
        people[0].sees_soon(other, Some(&serde_json::json!({ "id": other.id() }))).await;
    }
}

#[tokio::test]
async fn several_messages_in_one_frame_are_understood() {
    let server = TestServer::start().await;
    let bob = server.client("bob", "notes").await;
    let ann = Client::with_id("ann", 77);
    ann.types("all at once");
    let mut raw = Raw::open(&server, "notes").await;
    let state = r#"{"name":"Ann"}"#;
    let frame =
        [frames::empty_step1(), frames::awareness(&[(77, 1, state)]), frames::step2(&ann.state()), vec![3]];
    raw.send(frame.concat()).await;
    bob.reads("all at once").await;
    bob.sees_soon(&ann, Some(&serde_json::json!({"name": "Ann"}))).await;
    // And every answer comes in a frame of its own.
    let mut kinds = HashSet::new();
    while kinds.len() < 3 {
        let frame = raw.next().await.unwrap();
        frames::only_message(&frame).unwrap();
        kinds.insert(if frame[0] == 0 { frame[..2].to_vec() } else { vec![1] });
    }
}

#[tokio::test]
async fn names_are_percent_decoded_and_mean_the_same_everywhere() {
    let server = TestServer::start().await;
    for name in ["a/b/c", "with space", "文件/naïve ✎", "100%", "a?b#c", "dots...", "%2F", "+"] {
        let ann = server.client("ann", name).await;
        let bob = server.client("bob", name).await;
        ann.types(name);
        settle(&[&ann, &bob]).await;
        assert_eq!(server.registry().editors(&crate::support::server::name(name)), 2, "{name}");
    }
    // A slash that is encoded is the same slash.
    let encoded = Raw::open(&server, "a%2Fb%2fc").await;
    until("three in a/b/c", || server.registry().editors(&crate::support::server::name("a/b/c")) == 1).await;
    drop(encoded);
    let answer = rest::get(&server, "/api/v1/documents/a%2Fb%2Fc/text").await.expect(200);
    assert_eq!(answer.text(), "a/b/c");
}

#[tokio::test]
async fn repeating_what_is_known_changes_nothing() {
    let server = TestServer::setup().faulty().start().await;
    let ann = Client::named("ann").acknowledged().opens(&server, "notes").await;
    let bob = server.client("bob", "notes").await;
    ann.types("a text of which something is deleted");
    ann.deletes(3, 10);
    ann.sets("key", "old");
    ann.sets("key", "new");
    ann.saved().await;
    settle(&[&ann, &bob]).await;
    let (stored, heard) = (server.faults().stored_appends(), bob.updates_heard());
    let redundant = server.metrics().updates_redundant.get();

    // As every client does on every reconnect: its whole state, deletions included.
    let mut carl = Raw::try_open(&server, "/ws/notes?echo=durable", &[]).await.unwrap();
    for _ in 0..5 {
        carl.send(frames::step2(&ann.state())).await;
        carl.hears(|frame| frame == frames::update(&ann.state())).await;
    }
    let mut late = Client::named("late").acknowledged().opens(&server, "notes").await;
    late.saved().await;
    late.drops().await;
    late.comes_back(&server).await;
    late.saved().await;

    bob.hears_all_so_far().await;
    assert_eq!(server.faults().stored_appends(), stored, "something was written");
    assert_eq!(bob.updates_heard(), heard, "something was broadcast");
    assert!(server.metrics().updates_redundant.get() >= redundant + 5);
}
