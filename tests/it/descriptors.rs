//! Files and sockets are scarce: connections are refused before the store has to do without.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Address, Client, Raw, TestServer, Weft, process, rest, settle, until_answer};

/// Connects and says nothing.
async fn silent(server: &impl Address) -> Option<TcpStream> {
    tokio::time::timeout(Duration::from_secs(5), TcpStream::connect(server.address())).await.ok()?.ok()
}

#[tokio::test]
async fn the_store_and_the_probes_have_their_files_when_connections_have_taken_theirs() {
    let folder = tempfile::tempdir().unwrap();
    // 400 is far less than max_connections asks for.
    let server = Weft::serve_limited(folder.path(), 400, &["--workers", "2"]).await;
    let ann = Client::named("ann").acknowledged().opens(&server, "notes").await;
    let bob = Client::named("bob").opens(&server, "notes").await;
    let mut flood = Vec::new();
    for _ in 0..1_200 {
        flood.extend(silent(&server).await);
    }
    // Who is inside works on, through checkpoints and new journals.
    for n in 0..30 {
        ann.types(&format!("{n} {}", "x".repeat(20_000)));
        ann.saved().await;
    }
    settle(&[&ann, &bob]).await;
    for _ in 0..20 {
        rest::get(&server, "/readyz").await.expect(200);
        rest::get(&server, "/livez").await.expect(200);
    }
    // Who is not is told so.
    let refused = rest::post(&server, "/api/v1/documents", &serde_json::json!({})).await;
    assert_eq!(refused.error(), (503, "too_many_connections".to_owned()));
    assert!(refused.text().contains("open files"), "{}", refused.text());
    let refusal = Raw::try_open(&server, "/ws/notes", &[]).await.err().expect("there is no place");
    assert_eq!(refusal.status, 503);
    assert!(server.files() <= 400 - 40, "{} files are open", server.files());
    // And once the flood has gone there is room.
    drop(flood);
    until_answer("there is room", async || {
        (rest::get(&server, "/api/v1/documents").await.status == 200).then_some(())
    })
    .await;
    let log = server.log();
    assert!(log.contains("ulimit -n"), "{log}");
    assert!(!log.contains("os error 24"), "{log}");
}

#[tokio::test]
async fn a_limit_that_leaves_no_room_is_said_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = process::limited(100, &["serve", "--listen", "127.0.0.1:0"]);
    let output = command.current_dir(folder.path()).output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("may have 100 files open") && said.contains("ulimit -n"), "{said}");
}

#[tokio::test]
async fn every_tcp_connection_takes_a_place() {
    let server = TestServer::setup().settings(|set| set.max_connections = Some(20)).start().await;
    let ann = server.client("ann", "notes").await;
    // Plain ones too, also before they have said anything, and those that never hang up.
    let mut others = Vec::new();
    for n in 0..19 {
        let mut stream = silent(&server).await.unwrap();
        if n % 2 == 0 {
            let head = format!("GET /livez HTTP/1.1\r\nhost: {}\r\n\r\n", server.address());
            stream.write_all(head.as_bytes()).await.unwrap();
            assert_eq!(stream.read_u8().await.unwrap(), b'H');
        }
        others.push(stream);
    }
    until_answer("all places are taken", async || {
        let answer = rest::get(&server, "/api/v1/documents").await;
        (answer.status == 503).then(|| assert_eq!(answer.error().1, "too_many_connections"))
    })
    .await;
    let refusal = Raw::try_open(&server, "/ws/notes", &[]).await.err().expect("there is no place");
    assert!(refusal.body.contains("max_connections"), "{refusal:?}");
    // Whether the server is well is answered all the same, and such a connection is not kept.
    let probe = rest::get(&server, "/readyz").await.expect(200);
    assert_eq!(probe.header("connection"), "close");
    others.clear();
    until_answer("places are free", async || {
        (rest::get(&server, "/api/v1/documents").await.status == 200).then_some(())
    })
    .await;
    settle(&[&ann]).await;
}
