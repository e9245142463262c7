//! A panic inside one document is that document's alone: it is loaded again, nothing of it is lost, and the
//! bytes that did it are kept for a person to look at.

use weft::{
    document::replica::{PANIC_APART_ROOT, PANIC_ROOT},
    store::faulty::WriteFault,
};
use yrs::{Doc, ReadTxn, StateVector, Text, Transact};

use crate::support::{Client, Raw, TestServer, frames, rest, server::name, settle, until, until_answer};

/// An update that passes the guard and panics while it is applied.
fn poison() -> Vec<u8> {
    let doc = Doc::new();
    let text = doc.get_or_insert_text(PANIC_ROOT);
    text.insert(&mut doc.transact_mut(), 0, "boom");
    doc.transact().encode_state_as_update_v1(&StateVector::default())
}

#[tokio::test]
async fn the_document_is_loaded_again_and_only_the_author_is_sent_away() {
    let mut server = TestServer::setup().faulty().start().await;
    let ann = Client::named("ann").acknowledged().opens(&server, "victim").await;
    let bob = server.client("bob", "victim").await;
    let carl = server.client("carl", "other").await;
    let dora = server.client("dora", "other").await;
    ann.types("stored, ");
    ann.saved().await;
    ann.shows(&serde_json::json!({"name": "Ann"}));
    bob.sees_soon(&ann, Some(&serde_json::json!({"name": "Ann"}))).await;
    carl.types("untouched");
    settle(&[&carl, &dora]).await;

    // What is applied and not yet stored exists in memory alone, and must outlive the replica.
    server.faults().writes(WriteFault::Stall);
    ann.types("on its way, ");
    server.faults().stalled(1).await;
    ann.types("and waiting");
    bob.reads("stored, on its way, and waiting").await;
    let mut mallory = Raw::open(&server, "victim").await;
    let poison = poison();
    mallory.send(frames::update(&poison)).await;
    assert_eq!(mallory.closed().await, Some(4422));
    assert!(server.metrics().documents_poisoned.get() >= 1);

    // Inside, nobody noticed.
    bob.inserts(0, "still editing: ");
    settle(&[&ann, &bob]).await;
    assert_eq!(bob.text(), "still editing: stored, on its way, and waiting");
    assert_eq!(bob.sees(&ann), Some(serde_json::json!({"name": "Ann"})));
    assert!(ann.unsaved() > 0);
    dora.types(", and so it stays");
    settle(&[&carl, &dora]).await;

    server.faults().heal();
    ann.saved().await;
    let kept = until_answer("the bytes are quarantined", async || {
        let kept = server.store().quarantined(name("victim")).await.unwrap();
        (!kept.is_empty()).then_some(kept)
    })
    .await;
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].bytes, poison);
    assert!(kept[0].what.contains("a test asked for it"), "{}", kept[0].what);
    assert!(server.store().quarantined(name("other")).await.unwrap().is_empty());

    until("all is stored", || server.metrics().journal_backlog_bytes.get() == 0).await;
    server.restart().await;
    assert_eq!(
        server.client("fresh", "victim").await.text(),
        "still editing: stored, on its way, and waiting"
    );
    assert_eq!(server.client("fresh", "other").await.text(), "untouched, and so it stays");
}

#[tokio::test]
async fn what_came_in_the_same_breath_is_not_lost() {
    let server = TestServer::start().await;
    let bob = server.client("bob", "victim").await;
    let before = Client::named("before");
    before.types("before the panic");
    let after = Client::named("after");
    after.sets("after", "the panic");
    let mut raw = Raw::open(&server, "victim").await;
    let breath = [
        frames::update(&before.state()),
        frames::update(&poison()),
        frames::update(&after.state()),
        frames::update(&poison()),
    ];
    raw.send(breath.concat()).await;
    assert_eq!(raw.closed().await, Some(4422));
    bob.reads("before the panic").await;
    until("what came after it is there", || bob.content()["map"]["after"] == "the panic").await;
    bob.types(" and after it");
    let carl = server.client("carl", "victim").await;
    settle(&[&bob, &carl]).await;
    assert!(bob.is_online());
    let kept = until_answer("both are quarantined", async || {
        let kept = server.store().quarantined(name("victim")).await.unwrap();
        (kept.len() == 2).then_some(kept)
    });
    kept.await;
}

#[tokio::test]
async fn a_program_that_posts_it_is_told() {
    let server = TestServer::start().await;
    let bob = server.client("bob", "victim").await;
    bob.types("text");
    bob.hears_all_so_far().await;
    let answer =
        rest::request(&server, "POST", "/api/v1/documents/victim/updates").body(poison()).send().await;
    assert!(answer.error().0 == 422, "{}", answer.text());
    // Once among whatever came with it, once alone. The program is answered just before the second is counted.
    until("both are counted", || server.metrics().documents_poisoned.get() >= 2).await;
    assert_eq!(server.metrics().documents_poisoned.get(), 2, "it was tried again and again");
    bob.types(" goes on");
    let carl = server.client("carl", "victim").await;
    settle(&[&bob, &carl]).await;
}

#[tokio::test]
async fn what_breaks_on_another_thread_breaks_nothing_else() {
    let server = TestServer::start().await;
    let bob = server.client("bob", "victim").await;
    bob.types("text");
    bob.hears_all_so_far().await;
    // So many structs that it is taken piece by piece, away from those who serve.
    let doc = Doc::with_client_id(7);
    let text = doc.get_or_insert_text(PANIC_APART_ROOT);
    for _ in 0..3000 {
        text.insert(&mut doc.transact_mut(), 0, "x");
    }
    let large = doc.transact().encode_state_as_update_v1(&StateVector::default());
    let mut mallory = Raw::open(&server, "victim").await;
    let carl = Client::named("carl");
    carl.sets("said", "in the same breath");
    mallory.send([frames::update(&large), frames::update(&carl.state())].concat()).await;
    assert_eq!(mallory.closed().await, Some(4422));
    let kept = until_answer("it is quarantined", async || {
        let kept = server.store().quarantined(name("victim")).await.unwrap();
        (kept.len() == 1).then_some(kept)
    });
    assert_eq!(kept.await[0].bytes, large);
    // A program that posts it is told, and not left waiting.
    let answer = rest::request(&server, "POST", "/api/v1/documents/victim/updates").body(large).send().await;
    assert!(answer.error().0 == 422, "{}", answer.text());
    until("the rest is there", || bob.content()["map"]["said"] == "in the same breath").await;
    bob.types(" goes on");
    let dora = server.client("dora", "victim").await;
    settle(&[&bob, &dora]).await;
    assert_eq!(dora.text(), "text goes on");
}
