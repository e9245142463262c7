//! Documents that nobody has open leave memory, and come back as they were.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use weft::{
    document::error::OpenError,
    store::{StoreError, faulty::WriteFault},
};

use crate::support::{Client, TestServer, rest, server::name, settle, until};

async fn forgetful() -> TestServer {
    TestServer::setup().with(|config| config.document.idle = Duration::ZERO).start().await
}

#[tokio::test]
async fn an_idle_document_is_put_away_and_comes_back() {
    let server = forgetful().await;
    let mut ann = server.client("ann", "notes").await;
    // Long enough to be worth a checkpoint.
    ann.types(&"to be remembered ".repeat(100));
    ann.sets("title", "Notes");
    ann.hears_all_so_far().await;
    let content = ann.content();
    ann.leaves().await;
    server.forgets_everything().await;
    until("its memory is free", || server.metrics().documents.get() == 0).await;
    let stored = server.store().load(name("notes")).await.unwrap().unwrap();
    assert!(stored.checkpoint.is_some() && stored.tail.is_empty(), "it is put away as one state");

    let bob = server.client("bob", "notes").await;
    assert_eq!(bob.content(), content);
    ann.comes_back(&server).await;
    ann.types(" and continued");
    settle(&[&ann, &bob]).await;
}

#[tokio::test]
async fn while_the_store_refuses_writes_an_idle_document_leaves_memory_and_loses_nothing() {
    let mut server =
        TestServer::setup().faulty().with(|config| config.document.idle = Duration::ZERO).start().await;
    let mut ann = server.client("ann", "notes").await;
    // Worth a checkpoint, which the store will not take.
    ann.types(&"to be remembered ".repeat(200));
    ann.hears_all_so_far().await;
    until("it is stored", || server.metrics().journal_backlog_bytes.get() == 0).await;
    server.faults().writes(WriteFault::Fail(StoreError::Unwritable("read-only file system".to_owned())));
    let content = ann.content();
    ann.leaves().await;
    server.forgets_everything().await;
    let refused = server.faults().refused_writes();
    assert_eq!(refused, 1, "one checkpoint was tried, and not one a second");
    server.faults().heal();
    server.restart().await;
    assert_eq!(server.client("bob", "notes").await.content(), content);
}

#[tokio::test]
async fn past_the_memory_for_open_documents_the_one_left_first_leaves_first() {
    let setup = TestServer::setup().with(|config| {
        config.document.idle = Duration::from_secs(3600);
        // Room for a megabyte, and for the little that each document takes beside its bytes.
        config.document.open_bytes = 1_040_000;
    });
    let server = setup.start().await;
    let inside = server.client("inside", "inside").await;
    inside.types(&"x".repeat(100_000));
    inside.hears_all_so_far().await;
    for n in 0..4 {
        let mut ann = server.client("ann", &format!("left {n}")).await;
        ann.types(&"y".repeat(50_000));
        ann.hears_all_so_far().await;
        ann.leaves().await;
    }
    // Four of 200 KB and one of 400 KB: one is too many.
    until("one has left", || server.registry().len() == 4).await;
    assert!(!server.registry().is_open(&name("left 0")), "the first that was left");
    inside.types(&"x".repeat(100_000));
    inside.hears_all_so_far().await;
    until("two more have left", || server.registry().len() == 2).await;
    assert!(server.registry().is_open(&name("inside")) && server.registry().is_open(&name("left 3")));
    assert_eq!(server.client("bob", "left 0").await.text().len(), 50_000);
}

#[tokio::test]
async fn a_document_that_somebody_has_open_stays() {
    let server = forgetful().await;
    let ann = server.client("ann", "kept").await;
    let mut bob = server.client("bob", "left").await;
    bob.leaves().await;
    until("one is put away", || server.registry().len() == 1).await;
    assert_eq!(server.registry().editors(&name("kept")), 1);
    ann.types("still here");
    ann.hears_all_so_far().await;
}

#[tokio::test]
async fn looking_at_a_document_does_not_keep_it_for_ever() {
    let server = forgetful().await;
    let mut ann = server.client("ann", "notes").await;
    ann.types("text");
    ann.hears_all_so_far().await;
    ann.leaves().await;
    server.forgets_everything().await;
    assert_eq!(rest::get(&server, "/api/v1/documents/notes/text").await.expect(200).text(), "text");
    server.forgets_everything().await;
    // One that never existed is not even opened for a question about it.
    rest::get(&server, "/api/v1/documents/never").await.expect(404);
    assert!(server.registry().is_empty());
}

#[tokio::test]
async fn who_still_holds_a_document_that_was_put_away_is_told_and_opens_it_again() {
    let server = forgetful().await;
    let mut ann = server.client("ann", "notes").await;
    ann.types("still there");
    ann.hears_all_so_far().await;
    // While she is inside, this is the document that is open.
    let held = server.registry().open(&name("notes")).unwrap();
    ann.leaves().await;
    server.forgets_everything().await;
    assert!(matches!(held.details().await, Err(OpenError::Closed)), "it is answered, and with what to do");
    assert_eq!(server.client("bob", "notes").await.text(), "still there");
    assert!(matches!(held.details().await, Err(OpenError::Closed)), "it does not come back to life");
}

#[tokio::test]
async fn a_join_that_races_the_putting_away_neither_fails_nor_loses() {
    const DOCUMENTS: usize = 24;
    const FOR: Duration = Duration::from_secs(5);
    let server = forgetful().await;
    let until_when = Instant::now() + FOR;
    let over = Arc::new(AtomicBool::new(false));
    let registry = server.registry().clone();
    let watching = {
        let over = over.clone();
        async move {
            // How often the number of open documents fell: each time one was put away.
            let (mut before, mut fallen) = (0_usize, 0);
            while !over.load(Ordering::Relaxed) {
                let now = registry.len();
                fallen += before.saturating_sub(now);
                before = now;
                tokio::time::sleep(Duration::from_micros(300)).await;
            }
            fallen
        }
    };
    let rounds = (0..DOCUMENTS).map(|number| come_and_go(&server, number, until_when));
    let (rounds, put_away) = tokio::join!(
        async {
            let rounds = futures_util::future::join_all(rounds).await;
            over.store(true, Ordering::Relaxed);
            rounds.iter().sum::<usize>()
        },
        watching
    );
    println!("{rounds} joins, {put_away} times put away");
    assert!(rounds > 200, "only {rounds} joins in {FOR:?}");
    assert!(put_away > DOCUMENTS, "only {put_away} times a document was put away");
    assert_eq!(server.refused("join"), 0);
}

/// Comes, looks whether everything is there, adds a word, and goes; again and again.
async fn come_and_go(server: &TestServer, number: usize, until_when: Instant) -> usize {
    let document = format!("document {number}");
    let mut expected = String::new();
    let mut round = 0;
    while Instant::now() < until_when {
        let mut person =
            Client::named(&format!("{number}.{round}")).acknowledged().opens(server, &document).await;
        assert_eq!(person.text(), expected, "round {round}");
        let word = format!("{round} ");
        person.types(&word);
        expected += &word;
        person.saved().await;
        person.leaves().await;
        // Now and then she stays away until it is being put away, and is back at that very moment.
        if round % 4 == 3 {
            until("it is put away", || !server.registry().is_open(&name(&document))).await;
        }
        round += 1;
    }
    round
}
