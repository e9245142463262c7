//! How connections end: soon, and whatever the peer does.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use tokio::task::JoinSet;
use weft::protocol::close::CloseReason;

use crate::support::{
    Address, TestServer, Weft, frames, repository, rest, until_answer,
    wire::{self, Wire},
};

/// What an end takes at the most, with time to spare for a busy machine. Without our doing it does not come at all.
const SOON: Duration = Duration::from_secs(5);

/// What a peer does from the moment of its close frame, or of what makes us send one.
#[derive(Clone, Copy, Debug)]
enum Manners {
    /// Waits for us to hang up, as RFC 6455 asks of clients.
    Waits,
    /// Sends its close frame in single bytes.
    Stutters,
    /// Does not read.
    Deaf,
    /// Does not read, and there is more for it than the network takes.
    Behind,
    /// Sends on and on.
    Talks,
    /// Sends no close frame but what is none of the protocol, and answers nothing.
    Breaks,
    /// The same with a frame that only the dialect refuses.
    Offends,
}

async fn ends(server: std::net::SocketAddr, manners: Manners, n: usize) -> Duration {
    let path = ["/ws/notes", "/hocuspocus", "/chat/notes", "/collab/notes/ann"][n % 4];
    let mut wire = match manners {
        Manners::Behind => Wire::with_buffer(&server, "/ws/large", Some(4096)).await,
        Manners::Offends => Wire::open(&server, "/ws/notes").await,
        _ => Wire::open(&server, path).await,
    };
    if matches!(manners, Manners::Behind) {
        for _ in 0..4 {
            assert!(wire.sends(&wire::frame(0x82, &frames::empty_step1())).await);
        }
        // It has begun to come.
        wire.stream.readable().await.unwrap();
    }
    let begun = Instant::now();
    match manners {
        Manners::Waits | Manners::Deaf | Manners::Behind => {
            assert!(wire.sends(&wire::close(1000, b"")).await);
        }
        Manners::Stutters => {
            for byte in wire::close(1001, b"going away") {
                assert!(wire.sends(&[byte]).await);
            }
        }
        Manners::Talks => {
            assert!(wire.sends(&wire::close(1000, b"")).await);
            let chunk = wire::frame(0x82, &vec![0; 10_000]);
            while wire.stream.try_write(&chunk).is_ok() || begun.elapsed() < Duration::from_millis(100) {
                tokio::task::yield_now().await;
            }
        }
        Manners::Breaks => assert!(wire.sends(&wire::frame(0xf3, b"")).await),
        Manners::Offends => assert!(wire.sends(&wire::frame(0x82, &[99, 99, 99])).await),
    }
    if matches!(manners, Manners::Waits) {
        assert!(wire.close_code().await.is_some(), "our close frame comes");
    }
    wire.ends().await;
    begun.elapsed()
}

#[tokio::test]
async fn every_stream_ends_soon_whatever_the_peer_does() {
    let folder = tempfile::tempdir().unwrap();
    let server = Weft::serve(folder.path(), &["--workers", "2"]).await;
    // More than the kernel keeps for a connection.
    let mut large = crate::support::Client::named("ann").acknowledged().opens(&server, "large").await;
    large.types(&"0123456789".repeat(800_000));
    large.saved().await;
    large.leaves().await;
    for manners in [
        Manners::Waits,
        Manners::Stutters,
        Manners::Deaf,
        Manners::Behind,
        Manners::Talks,
        Manners::Breaks,
        Manners::Offends,
    ] {
        let mut running = JoinSet::new();
        let mut took = Vec::new();
        let (tries, at_once) = if matches!(manners, Manners::Behind) { (20, 4) } else { (60, 20) };
        for n in 0..tries {
            if running.len() == at_once {
                took.push(running.join_next().await.unwrap().unwrap());
            }
            running.spawn(ends(server.address(), manners, n));
        }
        took.extend(running.join_all().await);
        let longest = took.iter().max().unwrap();
        println!("{manners:?}: {} ended, the last within {longest:?}", took.len());
        assert!(*longest < SOON, "{manners:?}: one ended after {longest:?}");
    }
    // And nothing is left of them here: what is counted is who asks.
    until_answer("every place is free", async || {
        let figures = rest::get(&server, "/metrics").await;
        figures.text().contains("\nweft_places 1\n").then_some(())
    })
    .await;
    let (files, figures) = (server.files(), rest::get(&server, "/metrics").await);
    assert!(figures.text().contains("\nweft_connections 0\n"), "{}", figures.text());
    assert!(files < 100, "{files} files are open");
}

#[tokio::test]
async fn who_is_sent_away_may_answer_first() {
    let server = TestServer::start().await;
    let mut wire = Wire::open(&server, "/ws/notes").await;
    assert!(wire.sends(&wire::frame(0x82, &[99])).await);
    assert_eq!(wire.close_code().await, Some(1002));
    // The stream stays open for the answer, and ends with it.
    assert!(wire.sends(&wire::close(1002, b"")).await);
    assert_eq!(wire.hears().await, None);
    assert!(wire.ends().await < SOON);
}

#[test]
fn the_page_on_protocols_lists_every_code_and_whether_to_come_back() {
    let page = std::fs::read_to_string(repository("docs/protocols.md")).unwrap();
    let (_, table) = page.split_once("## Close codes").unwrap();
    let mut listed = BTreeMap::new();
    for row in
        table.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'))
    {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let comes_back = !(cells[2] == "no" || cells[2].starts_with("not "));
        listed.extend(cells[0].split(", ").filter_map(|code| Some((code.parse::<u16>().ok()?, comes_back))));
    }
    // An end that both sides want needs no row.
    let ours = CloseReason::ALL.into_iter().filter(|reason| *reason != CloseReason::Normal);
    let ours: BTreeMap<u16, bool> = ours.map(|reason| (reason.code(), reason.is_transient())).collect();
    assert_eq!(listed, ours);
}
