//! Files and sockets are scarce: connections are refused before the store has to do without.

use std::time::Duration;

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use crate::support::{Address, Client, PATIENCE, Raw, TestServer, Weft, process, rest, settle, until_answer};

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
async fn conversations_are_counted_with_what_is_accepted_and_not_looked_at_yet() {
    let folder = tempfile::tempdir().unwrap();
    let server = Weft::serve_limited(folder.path(), 400, &["--workers", "2"]).await;
    let mut inside = Vec::new();
    for n in 0..150 {
        inside.push(Raw::open(&server, &format!("notes-{n}")).await);
    }
    // Behind: what comes waits with the system, and then is all accepted in one go.
    server.halt();
    let mut flood = Vec::new();
    for _ in 0..1_500 {
        flood.extend(silent(&server).await);
    }
    assert!(flood.len() > 1_000, "only {} were let wait", flood.len());
    server.go_on();
    until_answer("it is alive", async || (rest::get(&server, "/livez").await.status == 200).then_some(()))
        .await;
    drop(flood);
    until_answer("there is room", async || {
        (rest::get(&server, "/api/v1/documents").await.status == 200).then_some(())
    })
    .await;
    let log = server.log();
    assert!(!log.contains("os error 24"), "{log}");
}

/// A connection that was there before the others, and is kept.
struct Line {
    stream: BufReader<TcpStream>,
    host: String,
}

impl Line {
    async fn open(server: &impl Address) -> Self {
        let stream = BufReader::new(silent(server).await.unwrap());
        Self { stream, host: server.address().to_string() }
    }

    /// The status, the headers and the body of the answer, which comes within 5 s.
    async fn asks(&mut self, method: &str, path: &str, body: &[u8]) -> (u16, String, String) {
        let (host, length) = (&self.host, body.len());
        let head = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n\r\n");
        self.stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
        let answered = tokio::time::timeout(Duration::from_secs(5), async {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                assert!(self.stream.read_line(&mut head).await.unwrap() > 0, "the line ended: {head}");
            }
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let mut body = vec![0; length.unwrap().parse().unwrap()];
            self.stream.read_exact(&mut body).await.unwrap();
            let status = head.split(' ').nth(1).unwrap().parse().unwrap();
            (status, head, String::from_utf8(body).unwrap())
        });
        answered.await.unwrap_or_else(|_| panic!("no answer to {method} {path} within 5 s"))
    }
}

#[tokio::test]
async fn a_store_that_ran_out_of_files_says_so_and_goes_on_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let server = Weft::serve(folder.path(), &[]).await;
    let earlier = Client::named("earlier").acknowledged().opens(&server, "earlier").await;
    earlier.types("Still to be read.");
    earlier.saved().await;
    drop(earlier);
    server.terminate();
    server.ends_within(PATIENCE).await;
    let server = Weft::serve(folder.path(), &["--workers", "2"]).await;
    let ann = Client::named("ann").acknowledged().opens(&server, "notes").await;
    let bob = Client::named("bob").opens(&server, "notes").await;
    ann.types("before. ");
    ann.saved().await;
    let mut line = Line::open(&server).await;
    let update = Client::named("by request");
    update.types("by request. ");
    let update = update.state();
    assert_eq!(line.asks("GET", "/readyz", b"").await.0, 200);

    let allowed = server.may_open_nothing();
    ann.types("meanwhile. ");
    let why = loop {
        // What it had opened only for a moment when it was counted must not be room for more.
        server.may_open_nothing();
        match line.asks("GET", "/readyz", b"").await {
            (503, _, why) => break why,
            answer => assert_eq!(answer.0, 200, "{answer:?}"),
        }
        ann.types(".");
        bob.hears_all_so_far().await;
    };
    assert!(why.contains("since 2") && why.contains("os error 24"), "{why}");
    let (status, head, body) = line.asks("POST", "/api/v1/documents/notes/updates", &update).await;
    assert_eq!(status, 503, "{body}");
    assert!(head.contains("retry-after: "), "{head}");
    // Reading goes on, of what nobody has opened before as well.
    let (status, _, text) = line.asks("GET", "/api/v1/documents/earlier/text", b"").await;
    assert_eq!((status, text.as_str()), (200, "Still to be read."));
    ann.types("and more. ");
    settle(&[&ann, &bob]).await;
    assert!(ann.unsaved() > 0, "what cannot be stored was acknowledged");

    server.may_open(allowed);
    ann.saved().await;
    until_answer("it is ready", async || (line.asks("GET", "/readyz", b"").await.0 == 200).then_some(()))
        .await;
    let (status, _, body) = line.asks("POST", "/api/v1/documents/notes/updates", &update).await;
    assert_eq!(status, 200, "{body}");
    settle(&[&ann, &bob]).await;
    let text = ann.text();
    drop((ann, bob));
    server.kill();
    let server = Weft::serve(folder.path(), &[]).await;
    assert_eq!(Client::named("carl").opens(&server, "notes").await.text(), text);
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
