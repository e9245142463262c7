//! A session that does not keep up is never skipped: it is caught up by one difference, at nobody's cost.

use std::time::{Duration, Instant};

use crate::support::{Client, TestServer, settle, until};

/// What the outbox of this test may hold; far less than what is typed.
const OUTBOX: usize = 16 << 10;

#[tokio::test]
async fn who_stops_reading_is_caught_up_by_one_difference() {
    let setup = TestServer::setup().with(|config| config.http.connection.outbox.bytes = OUTBOX);
    let server = setup.start().await;
    let ann = server.client("ann", "notes").await;
    let bob = server.client("bob", "notes").await;
    let sleeper = Client::named("sleeper").receive_buffer(4096).opens(&server, "notes").await;
    sleeper.shows(&serde_json::json!({"name": "Sleeper"}));
    bob.sees_soon(&sleeper, Some(&serde_json::json!({"name": "Sleeper"}))).await;
    sleeper.stops_reading();
    let slept = sleeper.bytes_heard();

    // Far more than the kernel buffers hold, most of it deleted again.
    let mut typed = 0;
    while server.metrics().slow_session_catch_ups.get() == 0 || typed < 16 << 20 {
        ann.types(&"a page that is thrown away. ".repeat(1000));
        ann.deletes(0, 28_000);
        typed += 28_000;
        assert!(typed < 256 << 20, "the session never became slow");
        if typed % (28_000 * 50) == 0 {
            // In step with the others, who notice nothing.
            settle(&[&ann, &bob]).await;
        }
    }
    ann.types("what remains");
    ann.shows(&serde_json::json!({"name": "Ann"}));
    settle(&[&ann, &bob]).await;
    assert_ne!(sleeper.text(), "what remains");

    sleeper.reads_again();
    settle(&[&ann, &bob, &sleeper]).await;
    assert_eq!(sleeper.text(), "what remains");
    let heard = sleeper.bytes_heard() - slept;
    println!("{} KB typed, {} KB heard", typed >> 10, heard >> 10);
    assert!(heard < typed / 2, "{heard} bytes were sent to a session that needed a few thousand");
    // Presence was dropped too, and is made up for.
    sleeper.sees_soon(&ann, Some(&serde_json::json!({"name": "Ann"}))).await;
    // From here on it is a session like any other.
    sleeper.types(", and more");
    settle(&[&ann, &bob, &sleeper]).await;
    assert_eq!(server.metrics().slow_sessions_closed.get(), 0);
}

#[tokio::test]
async fn many_sleepers_cost_no_more_than_their_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = (64 << 10).to_string();
    let server = crate::support::Weft::serve(folder.path(), &["--outbox-bytes", &outbox]).await;
    let ann = Client::named("ann").acknowledged().opens(&server, "notes").await;
    let mut sleepers = Vec::new();
    for n in 0..20 {
        let sleeper =
            Client::named(&format!("sleeper {n}")).receive_buffer(4096).opens(&server, "notes").await;
        sleeper.stops_reading();
        sleepers.push(sleeper);
    }
    let page = "x".repeat(50_000);
    let turn = || {
        ann.types(&page);
        ann.deletes(0, 50_000);
    };
    turn();
    ann.saved().await;
    let before = server.resident_bytes();
    // Twenty times this, if it were kept for each of them, would be a gigabyte.
    for _ in 0..1000 {
        turn();
        if ann.unsaved() > 50 {
            ann.saved().await;
        }
    }
    ann.saved().await;
    let grown = server.resident_bytes().saturating_sub(before);
    println!("grown by {} MB", grown >> 20);
    assert!(grown < 100 << 20, "{} MB more than before", grown >> 20);
    ann.types("the end");
    for sleeper in &sleepers {
        sleeper.reads_again();
    }
    let everybody: Vec<&Client> = sleepers.iter().chain([&ann]).collect();
    settle(&everybody).await;
}

#[tokio::test]
async fn who_does_not_wake_up_in_time_is_sent_away_and_may_come_back() {
    let setup = TestServer::setup().with(|config| {
        config.http.connection.outbox.bytes = OUTBOX;
        config.http.connection.outbox.deadline = Duration::from_millis(500);
    });
    let server = setup.start().await;
    let ann = server.client("ann", "notes").await;
    let mut sleeper = Client::named("sleeper").receive_buffer(4096).opens(&server, "notes").await;
    sleeper.stops_reading();
    let begun = Instant::now();
    while server.metrics().slow_sessions_closed.get() == 0 {
        ann.types(&"x".repeat(10_000));
        ann.deletes(0, 10_000);
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(begun.elapsed() < Duration::from_secs(20), "it was never sent away");
    }
    assert!(ann.is_online());
    until("it is no longer an editor", || {
        server.registry().editors(&crate::support::server::name("notes")) == 1
    })
    .await;
    sleeper.reads_again();
    assert_eq!(sleeper.is_closed().await, Some(1013));
    sleeper.comes_back(&server).await;
    ann.types("good morning");
    settle(&[&ann, &sleeper]).await;
}
