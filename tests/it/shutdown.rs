//! How the real binary ends, and when it does not even begin.

use std::{
    future::ready,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use parking_lot::{Condvar, Mutex};
use weft::{
    auth::{Access, Policy, Principal, Unauthorized},
    ids::{DocumentName, Timestamp},
    store::faulty::WriteFault,
};

use crate::support::{Client, Raw, TestServer, Weft, frames, process, rest, until, until_answer};

/// The default bound is 20 s; an orderly end of an idle server takes far less.
const SOON: Duration = Duration::from_secs(8);

#[tokio::test]
async fn sigterm_stores_everything_says_goodbye_and_exits_with_0() {
    let folder = tempfile::tempdir().unwrap();
    let server = Weft::serve(folder.path(), &[]).await;
    let mut people = Vec::new();
    for n in 0..20 {
        let person = Client::named(&format!("person {n}")).opens(&server, &format!("document {n}")).await;
        person.types("written just before the end");
        person.hears_all_so_far().await;
        people.push(person);
    }
    server.terminate();
    for person in &mut people {
        let code = person.is_closed().await;
        assert!(matches!(code, Some(1001 | 1012)), "{} was closed with {code:?}", person.name);
    }
    let ended = server.ends_within(SOON).await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);

    let server = Weft::serve(folder.path(), &[]).await;
    for n in 0..20 {
        let reader = Client::named("reader").opens(&server, &format!("document {n}")).await;
        assert_eq!(reader.text(), "written just before the end");
    }
}

#[tokio::test]
async fn who_does_not_read_does_not_keep_it_alive() {
    let folder = tempfile::tempdir().unwrap();
    let server = Weft::serve(folder.path(), &["--shutdown-seconds", "2"]).await;
    let ann = Client::named("ann").opens(&server, "notes").await;
    let sleeper = Client::named("sleeper").receive_buffer(4096).opens(&server, "notes").await;
    sleeper.stops_reading();
    for _ in 0..100 {
        ann.types(&"x".repeat(100_000));
    }
    ann.hears_all_so_far().await;
    server.terminate();
    let begun = Instant::now();
    let ended = server.ends_within(SOON).await;
    assert!(begun.elapsed() < SOON, "{}", ended.stderr);
    let server = Weft::serve(folder.path(), &[]).await;
    let reader = Client::named("reader").opens(&server, "notes").await;
    assert_eq!(reader.text().len(), 10_000_000, "everything was stored all the same");
}

#[tokio::test]
async fn while_it_stops_nobody_new_is_let_in() {
    let folder = tempfile::tempdir().unwrap();
    let server = Weft::serve(folder.path(), &["--shutdown-seconds", "5"]).await;
    let mut raw = Raw::open(&server, "notes").await;
    raw.send(frames::empty_step1()).await;
    raw.hears(|frame| frame[..2] == [0, 1]).await;
    server.terminate();
    assert_eq!(raw.closed().await, Some(1012));
    let address = crate::support::Address::address(&server);
    let refused = until_answer("the door is closed", async || {
        let stream = tokio::net::TcpStream::connect(address).await;
        if stream.is_err() { Some(true) } else { None }
    });
    assert!(refused.await);
    assert_eq!(server.ends_within(SOON).await.status.code(), Some(0));
}

#[tokio::test]
async fn what_cannot_be_stored_in_time_is_said_by_the_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let (server, _ann) = unstorable(folder.path(), "1").await;
    server.terminate();
    let ended = server.ends_within(SOON).await;
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
    let last = ended.stderr.lines().last().unwrap_or_default();
    assert!(
        last.contains("not everything could be stored") && last.contains("\"notes\" ("),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn neither_a_dead_disk_nor_a_busy_worker_keeps_it_alive() {
    for trouble in ["disk", "reads", "worker"] {
        let setup = TestServer::setup().faulty().settings(|settings| settings.shutdown_seconds = Some(2));
        let stuck = Arc::new(Stuck::default());
        let policy = stuck.clone();
        let setup = setup.with(move |config| {
            config.http.policy = policy.clone();
            config.workers = 1;
        });
        let server = setup.start().await;
        let ann = server.client("ann", "notes").await;
        if trouble == "disk" {
            server.faults().writes(WriteFault::Stall);
            ann.types("never to be written");
            server.faults().stalled(1).await;
        } else if trouble == "reads" {
            server.faults().hang_reads(true);
            // It is open, and will be read for ever.
            let mut opening = crate::support::Raw::open(&server, "other").await;
            opening.send(frames::empty_step1()).await;
            until("it is being opened", || server.registry().len() == 2).await;
        } else {
            stuck.begins();
            // Whoever joins now holds the only worker up, as dear work would.
            let joining = Client::named("bob").opens(&server, "other");
            tokio::select! {
                _ = joining => panic!("the worker is not stuck"),
                () = stuck.is_stuck() => {}
            }
        }
        let begun = Instant::now();
        assert!(!server.stops().await, "{trouble}: it says that everything was stored");
        assert!(begun.elapsed() < SOON, "{trouble}: it took {:?}", begun.elapsed());
        stuck.ends();
    }
}

/// Lets everybody in, and blocks the thread that asks, when told to.
#[derive(Debug, Default)]
struct Stuck {
    stuck: Mutex<bool>,
    changed: Condvar,
    arrived: tokio::sync::Notify,
}

impl Stuck {
    fn begins(&self) {
        *self.stuck.lock() = true;
    }

    fn ends(&self) {
        *self.stuck.lock() = false;
        self.changed.notify_all();
    }

    async fn is_stuck(&self) {
        self.arrived.notified().await;
    }
}

impl Policy for Stuck {
    fn principal(&self, _: Option<String>, _: Timestamp) -> BoxFuture<'_, Result<Principal, Unauthorized>> {
        let mut stuck = self.stuck.lock();
        if *stuck {
            self.arrived.notify_one();
        }
        while *stuck {
            self.changed.wait(&mut stuck);
        }
        Box::pin(ready(Ok(Principal::anonymous())))
    }

    fn access(&self, _: &Principal, _: &DocumentName) -> BoxFuture<'_, Access> {
        Box::pin(ready(Access::Write))
    }

    fn may_operate(&self, _: &Principal) -> bool {
        true
    }
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (server, mut ann) = unstorable(folder.path(), "600").await;
    server.terminate();
    // She is sent away first, so the first signal has been heard.
    ann.is_closed().await;
    server.terminate();
    let ended = server.ends_within(SOON).await;
    assert_eq!(ended.status.code(), Some(130), "{}", ended.stderr);
    assert!(ended.stderr.contains("second signal"), "{}", ended.stderr);
}

/// A server with something to store and no room for it, which waits for that when it is asked to stop.
async fn unstorable(folder: &Path, seconds: &str) -> (Weft, Client) {
    let more_than_there_is = u64::MAX.to_string();
    let settings = ["--min-free-bytes", &more_than_there_is, "--shutdown-seconds", seconds];
    let server = Weft::serve(folder, &settings).await;
    let ann = Client::named("ann").opens(&server, "notes").await;
    ann.types("nowhere to be put");
    ann.hears_all_so_far().await;
    (server, ann)
}

#[tokio::test]
async fn a_second_process_on_the_same_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Weft::serve(folder.path(), &[]).await;
    let second = process::run(folder.path(), &["--listen", "127.0.0.1:0", "--data", "data"]).await;
    let message = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(
        message.contains("another weft serves this directory") && message.contains("--data"),
        "{message}"
    );
    assert!(second.stdout.is_empty());
    rest::get(&server, "/readyz").await.expect(200);
}

#[tokio::test]
async fn an_open_server_does_not_leave_this_machine_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let refused = process::run(folder.path(), &["--listen", "0.0.0.0:0", "--data", "data"]).await;
    let message = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1));
    for solution in ["--open", "WEFT_OPEN", "--listen", "WEFT_LISTEN", "127.0.0.1"] {
        assert!(message.contains(solution), "{solution} is not named: {message}");
    }
    assert!(!folder.path().join("data").exists(), "nothing is made by a server that does not start");
}

#[tokio::test]
async fn what_is_not_understood_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let unknown_flag = process::run(folder.path(), &["--lisen", "127.0.0.1:0"]).await;
    let message = String::from_utf8(unknown_flag.stderr).unwrap();
    assert_eq!(unknown_flag.status.code(), Some(2));
    assert!(message.contains("--lisen") && message.contains("--listen"), "{message}");

    std::fs::write(folder.path().join("weft.toml"), "listen = \"127.0.0.1:0\"\nworker = 3\n").unwrap();
    let unknown_key = process::run(folder.path(), &[]).await;
    let message = String::from_utf8(unknown_key.stderr).unwrap();
    assert_eq!(unknown_key.status.code(), Some(1));
    for part in ["weft.toml", "worker", "workers", "line 2"] {
        assert!(message.contains(part), "{part} is not named: {message}");
    }

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    std::fs::remove_file(folder.path().join("weft.toml")).unwrap();
    let in_use = process::run(folder.path(), &["--listen", &address, "--data", "data"]).await;
    let message = String::from_utf8(in_use.stderr).unwrap();
    assert_eq!(in_use.status.code(), Some(1));
    assert!(message.contains(&address), "{message}");
}
