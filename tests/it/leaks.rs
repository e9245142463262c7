//! Connects that come to nothing leave nothing behind: no document, no actor, no timer, no file.

use std::time::Duration;

use serde_json::Value;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::support::{
    Address, Raw, TestServer, Weft, frames,
    plain::{self, Events},
    rest, until, until_answer,
};

/// How many connects come to nothing.
const CONNECTS: usize = 10_000;
/// How many of them at the same time.
const AT_ONCE: usize = 16;

/// What is left of a server when nobody is there.
struct Rest {
    files: usize,
    threads: usize,
}

impl Rest {
    fn is_within(&self, other: &Self) -> bool {
        self.files <= other.files && self.threads <= other.threads
    }
}

#[tokio::test]
async fn refused_and_broken_connects_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let settings =
        ["--document-idle-seconds", "0", "--presence-grace-ms", "0", "--allow-origin", "https://app.example"];
    let server = Weft::serve(folder.path(), &settings).await;
    // What is allocated once, and what the allocator keeps, is there after the first of them.
    storm(&server, CONNECTS / 4).await;
    let before = is_quiet(&server, None).await;
    let memory = server.resident_bytes();

    storm(&server, CONNECTS).await;
    is_quiet(&server, Some(before)).await;
    let more = server.resident_bytes().saturating_sub(memory);
    println!("{} KiB more after {CONNECTS} connects", more >> 10);
    // The least that one could leave behind is a timer or an entry in a table, of some hundred bytes.
    assert!(more < CONNECTS as u64 * 200, "{more} bytes more after {CONNECTS} connects");
    let listed = rest::get(&server, "/api/v1/documents").await.expect(200).json();
    assert_eq!(listed["documents"], Value::Array(Vec::new()), "nobody wrote anything");
}

/// Waits until nobody is there, and the server is as it was `before`.
async fn is_quiet(server: &Weft, before: Option<Rest>) -> Rest {
    until_answer("everybody has gone and nothing is left of them", async || {
        let metrics = rest::get(server, "/metrics").await.expect(200);
        let is_zero = |line: &str| metrics.text().lines().any(|found| found == format!("{line} 0"));
        let rest = Rest { files: server.files(), threads: server.threads() };
        let is_over = is_zero("weft_connections") && is_zero("weft_documents_open");
        let is_as_before = before.as_ref().is_none_or(|before| rest.is_within(before));
        (is_over && is_as_before).then_some(rest)
    })
    .await
}

/// So many connects, of all the kinds that come to nothing.
async fn storm(server: &Weft, connects: usize) {
    let address = server.address();
    let people = (0..AT_ONCE).map(|who| {
        tokio::spawn(async move {
            for n in (who..connects).step_by(AT_ONCE) {
                comes_to_nothing(&address, n).await;
            }
        })
    });
    for somebody in people.collect::<Vec<_>>() {
        somebody.await.unwrap();
    }
}

async fn comes_to_nothing(server: &impl Address, n: usize) {
    let path = format!("/ws/room{}", n % 40);
    let about = |body: Vec<u8>| [frames::buffer(format!("room{}", n % 40).as_bytes()), body].concat();
    match n % 12 {
        0 => assert_eq!(refusal(server, "/ws/%20", &[]).await, 400),
        1 => assert_eq!(refusal(server, &path, &[("origin", "https://evil.example")]).await, 403),
        2 => assert_eq!(refusal(server, "/collab/room/%00", &[]).await, 400),
        // Broken off in the middle of the request.
        3 => drop(bare(server, b"GET /ws/room HTTP/1.1\r\nhost: x\r\nupgrade: webso").await),
        // Gone without a word, having said nothing, having asked, and with half a frame.
        4 => drop(Raw::try_open(server, &path, &[]).await.unwrap()),
        5 => {
            let mut socket = Raw::try_open(server, &path, &[]).await.unwrap();
            socket.send(frames::empty_step1()).await;
        }
        6 => {
            let mut socket = Raw::try_open(server, &path, &[]).await.unwrap();
            socket.send_bytes(&[0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4, 9]).await;
        }
        // Not the protocol.
        7 => {
            let mut socket = Raw::open(server, &format!("room{}", n % 40)).await;
            socket.send(vec![0, 2, 3, 255, 255, 255]).await;
            assert!(socket.closed().await.is_some());
        }
        // Hocuspocus: denied; let in and gone; never asked to be let in.
        8 => {
            let mut socket = Raw::try_open(server, "/hocuspocus", &[]).await.unwrap();
            socket.send([frames::buffer(b" "), frames::authentication("")].concat()).await;
            socket.hears(|frame| frame.starts_with(&[1, b' ', 2, 1])).await;
        }
        9 => {
            let mut socket = Raw::try_open(server, "/hocuspocus", &[]).await.unwrap();
            socket.send(about(frames::authentication(""))).await;
            socket.send(about(frames::empty_step1())).await;
            if n % 24 == 9 {
                let let_in = about(vec![2, 2]);
                socket.hears(|frame| frame.starts_with(&let_in)).await;
            }
        }
        10 => {
            let mut socket = Raw::try_open(server, "/hocuspocus", &[]).await.unwrap();
            socket.send(about(frames::update(&[0, 0]))).await;
        }
        _ => drop(Raw::try_open(server, "/collab/room/somebody", &[]).await.unwrap()),
    }
}

async fn refusal(server: &impl Address, path: &str, headers: &[(&'static str, &str)]) -> u16 {
    Raw::try_open(server, path, headers).await.err().expect("it is refused").status
}

async fn bare(server: &impl Address, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

#[tokio::test]
async fn streams_and_polls_that_broke_off_are_forgotten() {
    let setup = TestServer::setup().with(|config| {
        config.document.idle = Duration::ZERO;
        config.http.connection.feed_patience = Duration::from_millis(50);
        // What goes over plain HTTP is seen to have broken when something is written to it.
        config.http.connection.heartbeat.interval = Duration::from_millis(200);
    });
    let server = setup.start().await;
    let address = server.address();
    for n in 0..300 {
        let room = format!("room{}", n % 10);
        match n % 3 {
            0 => drop(Events::open(address, &room, None, None).await.unwrap()),
            1 => {
                let session = plain::begin(address, &room).await.unwrap();
                let _ = plain::poll(address, &room, &format!("session={session}&wait=0")).await.unwrap();
                // On a busy machine its patience may have ended by now.
                let said = plain::say(address, &room, &session, &frames::empty_step1()).await;
                assert!(matches!(said, Some(204 | 404)), "{said:?}");
            }
            _ => {
                let head = format!("POST /api/v1/documents/{room}/sessions HTTP/1.1\r\n");
                drop(bare(&server, head.as_bytes()).await);
            }
        }
    }
    server.forgets_everything().await;
    until("every line has ended", || server.metrics().connections.get() == 0).await;
}
