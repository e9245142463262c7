//! Live figures: one object a second, of the second before.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Client, Talk, TestServer, rest::get, until};

/// The next object, and that it has every field that docs/operating.md#live-figures names.
async fn next(talk: &mut Talk) -> Value {
    let figures = talk.next().await.expect("the socket stays open");
    for field in [
        "/at",
        "/uptime_seconds",
        "/connections",
        "/documents",
        "/updates_per_second/in",
        "/updates_per_second/out",
        "/bytes_per_second/in",
        "/bytes_per_second/out",
        "/commits_per_second",
        "/commit_ms/p50",
        "/commit_ms/p99",
        "/cpu_percent",
        "/memory_bytes",
        "/store/live_bytes",
        "/store/disk_bytes",
        "/store/free_bytes",
        "/store/documents",
        "/store/writable",
    ] {
        assert!(figures.pointer(field).is_some(), "{field} is not in {figures}");
    }
    figures
}

#[tokio::test]
async fn what_happens_is_seen_a_second_later() {
    let server = TestServer::start().await;
    let mut watcher = Talk::open(&server, "/metrics").await;
    let quiet = next(&mut watcher).await;
    assert_eq!((&quiet["connections"], &quiet["documents"]), (&1.into(), &0.into()));
    assert_eq!(quiet["updates_per_second"]["in"], 0.0);
    assert_eq!(quiet["commit_ms"]["p50"], Value::Null);
    assert_eq!(quiet["store"]["writable"], true);
    assert!(quiet["memory_bytes"].as_u64().is_some_and(|bytes| bytes > 1 << 20), "{quiet}");

    let ann = Client::named("ann").acknowledged().opens(&server, "notes").await;
    for _ in 0..20 {
        ann.types("x");
    }
    ann.saved().await;
    let mut received = 0.0;
    let mut commits = None;
    while received < 10.0 {
        let figures = next(&mut watcher).await;
        received += figures["updates_per_second"]["in"].as_f64().unwrap();
        commits = commits.or(figures["commit_ms"]["p99"].as_f64());
        assert_eq!((&figures["connections"], &figures["documents"]), (&2.into(), &1.into()));
    }
    assert!(commits.is_some_and(|ms| ms > 0.0), "{commits:?}");
    // The same address is still text for Prometheus.
    assert!(get(&server, "/metrics").await.expect(200).text().contains("weft_commit_seconds_count"));
}

#[tokio::test]
async fn one_object_a_second() {
    let server = TestServer::start().await;
    let mut watcher = Talk::open(&server, "/metrics").await;
    let first = next(&mut watcher).await;
    let begun = Instant::now();
    let mut last = first["at"].as_u64().unwrap();
    for _ in 0..2 {
        let at = next(&mut watcher).await["at"].as_u64().unwrap();
        assert!((900..10_000).contains(&(at - last)), "{} ms after the one before", at - last);
        last = at;
    }
    assert!(begun.elapsed() >= Duration::from_millis(1800));
}

#[tokio::test]
async fn who_does_not_listen_is_closed_and_who_is_foreign_not_let_in() {
    let server = TestServer::start().await;
    let foreign = [("origin", "https://evil.example")];
    assert_eq!(Talk::try_open(&server, "/metrics", &foreign).await.err(), Some(403));
    let mut loud = Talk::open(&server, "/metrics").await;
    for _ in 0..30 {
        loud.sends("{}").await;
    }
    assert_eq!(loud.closed().await, Some(1008));
    until("nobody is left", || server.metrics().connections.get() == 0).await;
}

#[tokio::test]
async fn a_shutdown_ends_it() {
    let mut server = TestServer::start().await;
    let mut watcher = Talk::open(&server, "/metrics").await;
    next(&mut watcher).await;
    server.restart().await;
    assert_eq!(watcher.closed().await, Some(1012));
}
