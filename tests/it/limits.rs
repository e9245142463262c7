//! How much of everything there may be.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::tungstenite::Message;
use weft::protocol::guard;
use yrs::{Doc, Text, Transact};

use crate::support::{Address, Client, Raw, TestServer, Weft, frames, masked, rest, settle, until};

#[tokio::test]
async fn a_message_beyond_the_limit_costs_the_connection() {
    let small = |set: &mut weft::config::Settings| {
        set.max_message_bytes = Some(10_000);
        set.max_document_bytes = Some(20_000);
    };
    let server = TestServer::setup().settings(small).start().await;
    let bob = server.client("bob", "notes").await;
    let ann = server.client("ann", "notes").await;
    ann.types(&"x".repeat(9_000));
    settle(&[&ann, &bob]).await;

    let mut raw = Raw::open(&server, "notes").await;
    raw.send(vec![0; 10_001]).await;
    assert_eq!(raw.closed().await, Some(1009));
    // Also in pieces of which none is too large.
    let mut pieces = Raw::open(&server, "notes").await;
    pieces.send_pieces(&vec![0; 12_000], 4_000).await;
    assert_eq!(pieces.closed().await, Some(1009));
    until("both are counted", || server.refused("frame_too_large") == 2).await;

    let body = rest::request(&server, "POST", "/api/v1/documents/notes/updates").body(vec![0; 20_001]);
    assert_eq!(body.send().await.error(), (413, "too_large".to_owned()));
    ann.types("still here");
    settle(&[&ann, &bob]).await;
}

#[tokio::test]
async fn what_was_said_before_a_message_that_is_too_large_stands() {
    let small = |set: &mut weft::config::Settings| {
        set.max_message_bytes = Some(10_000);
        set.max_document_bytes = Some(20_000);
    };
    let server = TestServer::setup().settings(small).start().await;
    let bob = server.client("bob", "notes").await;
    let ann = Client::named("ann");
    ann.types("said before");
    let mut raw = Raw::open(&server, "notes").await;
    let both = [
        masked::frame(0x82, &frames::step2(&ann.state())),
        masked::frame(0x82, &frames::step2(&[0; 30_000])),
    ];
    // In one write, so that they are read at once.
    raw.send_bytes(&both.concat()).await;
    assert_eq!(raw.closed().await, Some(4422));
    bob.reads("said before").await;
}

/// One that is read elsewhere, because that takes long, keeps its place among the others, and is refused like them.
#[tokio::test]
async fn long_messages_are_taken_in_order_with_short_ones() {
    let long = "x".repeat(2 * guard::QUICK);
    // Where a socket has many documents it goes on, and what is good behind what is bad is taken.
    for (path, taken) in [("/ws/notes", ""), ("/hocuspocus", ", and behind")] {
        let server = TestServer::start().await;
        let bob = server.client("bob", "notes").await;
        let doc = Doc::new();
        let text = doc.get_or_insert_text("text");
        let mut says = |part: &str| {
            let mut txn = doc.transact_mut();
            text.push(&mut txn, part);
            frames::update(&txn.encode_update_v1())
        };
        let good = ["begun ", &long, " ended"].map(&mut says);
        let behind = says(", and behind");
        let bad = frames::update(&vec![255; long.len()]);
        let about = match path {
            "/hocuspocus" => frames::buffer(b"notes"),
            _ => Vec::new(),
        };
        let mut raw = Raw::try_open(&server, path, &[]).await.expect("the upgrade is granted");
        if path == "/hocuspocus" {
            raw.send([about.clone(), frames::authentication("")].concat()).await;
            raw.send([about.clone(), frames::empty_step1()].concat()).await;
            raw.hears(|frame| frame.starts_with(&[about.clone(), vec![0, 1]].concat())).await;
        }
        // In one write, so that they are read at once.
        let framed = |said: &Vec<u8>| masked::frame(0x82, &[about.clone(), said.clone()].concat());
        raw.send_bytes(&good.iter().chain([&bad, &behind]).map(framed).collect::<Vec<_>>().concat()).await;
        bob.reads(&format!("begun {long} ended{taken}")).await;
        until("the bad one is refused", || server.refused("integer-overflow") == 1).await;
        if path == "/ws/notes" {
            assert_eq!(raw.closed().await, Some(4422));
        }
    }
}

#[tokio::test]
async fn pieces_of_a_message_are_put_together() {
    let server = TestServer::start().await;
    let bob = server.client("bob", "notes").await;
    let ann = Client::named("ann");
    ann.types(&"in several pieces ".repeat(50));
    let mut raw = Raw::open(&server, "notes").await;
    raw.send_pieces(&frames::step2(&ann.state()), 100).await;
    bob.reads(&ann.text()).await;
}

#[tokio::test]
async fn a_header_that_announces_a_terabyte_costs_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let server = Weft::serve(folder.path(), &["--workers", "2"]).await;
    let bob = Client::named("bob").opens(&server, "notes").await;
    let ann = Client::named("ann").opens(&server, "notes").await;
    ann.types("before; ");
    settle(&[&ann, &bob]).await;
    // Warm, so that the first ever connection on a worker is not taken for the attack's.
    attack(&server, BINARY, 1 << 40, 1 << 20).await;

    let before = server.resident_bytes();
    for announced in [1 << 40, 1 << 62, (16 << 20) + 1] {
        for opcode in [BINARY, TEXT] {
            attack(&server, opcode, announced, 32 << 20).await;
            // Nothing but the header, so that nothing behind it can decide what becomes of it.
            attack(&server, opcode, announced, 0).await;
        }
    }
    let grown = server.resident_bytes().saturating_sub(before);
    println!("grown by {} KB", grown / 1024);
    assert!(grown < 10 << 20, "{} MB more than before", grown >> 20);
    ann.types("after");
    settle(&[&ann, &bob]).await;
}

#[tokio::test]
async fn a_message_that_never_ends_costs_no_more_than_one_that_does() {
    let folder = tempfile::tempdir().unwrap();
    let server = Weft::serve(folder.path(), &["--workers", "2", "--max-message-bytes", "1048576"]).await;
    attack_in_pieces(&server, BINARY, 1 << 20).await;
    let before = server.most_resident_bytes();
    for opcode in [BINARY, TEXT] {
        attack_in_pieces(&server, opcode, 48 << 20).await;
    }
    let grown = server.most_resident_bytes() - before;
    println!("grown by {} KB", grown / 1024);
    assert!(grown < 12 << 20, "{} MB more than before", grown >> 20);
}

const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;

/// Announces a frame of so many bytes and sends on for as long as the server listens, at most `most`.
async fn attack(server: &impl Address, opcode: u8, announced: u64, most: usize) {
    let mut stream = upgraded(server).await;
    let mut header = vec![0x80 | opcode, 0xff];
    header.extend(announced.to_be_bytes());
    header.extend([0; 4]);
    stream.write_all(&header).await.unwrap();
    send(stream, &vec![0; 64 << 10], most).await;
}

/// Sends a message that never ends, in pieces of 64 KiB that are each as they may be.
async fn attack_in_pieces(server: &impl Address, opcode: u8, most: usize) {
    let mut stream = upgraded(server).await;
    let letters = vec![b'a'; 64 << 10];
    stream.write_all(&masked::frame(opcode, &letters)).await.unwrap();
    send(stream, &masked::frame(0x0, &letters), most).await;
}

async fn upgraded(server: &impl Address) -> TcpStream {
    let mut stream = crate::support::raw::stranger(server).await;
    let handshake = format!(
        "GET /ws/notes HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        server.address()
    );
    stream.write_all(handshake.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 101");
    stream
}

async fn send(mut stream: TcpStream, chunk: &[u8], most: usize) {
    let mut sent = 0;
    while sent < most && stream.write_all(chunk).await.is_ok() {
        sent += chunk.len();
    }
    // Whatever it still says, it ends the connection.
    let mut rest = Vec::new();
    let _ = stream.shutdown().await;
    let _ = stream.read_to_end(&mut rest).await;
}

#[tokio::test]
async fn there_are_so_many_connections_and_no_more() {
    let setup = TestServer::setup().settings(|set| {
        set.max_connections = Some(4);
        set.max_connections_per_document = Some(2);
    });
    let server = setup.start().await;
    let ann = server.client("ann", "one").await;
    let bob = server.client("bob", "one").await;
    // The document is full; that is said in the WebSocket, because the document has to be asked.
    let mut third = Raw::open(&server, "one").await;
    assert_eq!(third.closed().await, Some(1013));
    drop(third);
    until("its place is free", || server.metrics().connections.get() == 2).await;

    let mut carl = server.client("carl", "two").await;
    let dora = server.client("dora", "two").await;
    let refusal = Raw::try_open(&server, "/ws/three", &[]).await.err().expect("one too many");
    assert_eq!(refusal.status, 503);
    assert!(refusal.body.contains("max_connections"), "{refusal:?}");
    assert_eq!(server.metrics().turned_away.get(), 1);

    // A place that is given back can be taken again.
    carl.leaves().await;
    until("a place is free", || server.metrics().connections.get() == 3).await;
    let mut again = Err(());
    for _ in 0..100 {
        again = Raw::try_open(&server, "/ws/two", &[]).await.map_err(drop);
        if again.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert!(again.is_ok(), "the place was not given back");
    settle(&[&ann, &bob]).await;
    drop(dora);
}

#[tokio::test]
async fn one_address_may_have_so_many() {
    let server = TestServer::setup().settings(|set| set.max_connections_per_address = Some(3)).start().await;
    let mut inside = Vec::new();
    for n in 0..3 {
        inside.push(server.client(&format!("person {n}"), &format!("document {n}")).await);
    }
    let refusal = Raw::try_open(&server, "/ws/another", &[]).await.err().expect("one too many");
    assert_eq!(refusal.status, 503);
    assert!(refusal.body.contains("max_connections_per_address"), "{refusal:?}");
    // Plain questions are still answered.
    rest::get(&server, "/livez").await.expect(200);
}

#[tokio::test]
async fn a_name_that_is_none_is_refused_at_the_door() {
    let server = TestServer::start().await;
    let long = "x".repeat(257);
    for name in ["", "%20", "%20padded", "line%0Abreak", "nul%00", "%ff", &long] {
        let refusal = Raw::try_open(&server, &format!("/ws/{name}"), &[]).await.err().expect(name);
        assert_eq!(refusal.status, 400, "{name:?}");
        assert!(refusal.body.contains("invalid_name"), "{refusal:?}");
        if !name.is_empty() {
            let answer = rest::get(&server, &format!("/api/v1/documents/{name}")).await;
            assert_eq!(answer.error(), (400, "invalid_name".to_owned()), "{name:?}");
        }
    }
    assert!(Raw::try_open(&server, &format!("/ws/{}", &long[..256]), &[]).await.is_ok());
}

#[tokio::test]
async fn pages_from_elsewhere_are_refused() {
    let server = TestServer::start().await;
    let own = format!("http://{}", server.address());
    assert!(Raw::try_open(&server, "/ws/notes", &[("origin", &own)]).await.is_ok());
    assert!(Raw::try_open(&server, "/ws/notes", &[("origin", "http://localhost:5173")]).await.is_ok());
    for origin in ["https://evil.example", "null", "http://127.0.0.1.evil.example"] {
        let refusal = Raw::try_open(&server, "/ws/notes", &[("origin", origin)]).await.err().expect(origin);
        assert_eq!(refusal.status, 403, "{origin}");
        assert!(refusal.body.contains("allow_origin"), "{refusal:?}");
        let create =
            rest::request(&server, "POST", "/api/v1/documents").header("origin", origin).send().await;
        assert_eq!(create.error(), (403, "origin_not_allowed".to_owned()));
    }
    let allowed = TestServer::setup()
        .settings(|set| set.allow_origin = Some(vec!["https://notes.example".to_owned()]))
        .start()
        .await;
    assert!(Raw::try_open(&allowed, "/ws/notes", &[("origin", "https://notes.example")]).await.is_ok());
    assert!(Raw::try_open(&allowed, "/ws/notes", &[("origin", "https://evil.example")]).await.is_err());
}

#[tokio::test]
async fn text_is_not_spoken_here() {
    let server = TestServer::start().await;
    let mut raw = Raw::open(&server, "notes").await;
    raw.send_message(Message::text("hello")).await;
    assert_eq!(raw.closed().await, Some(1002));
    until("it is counted", || server.refused("text_frame") == 1).await;
}

#[tokio::test]
async fn a_ping_is_answered_and_a_quiet_client_is_kept_alive() {
    let setup = TestServer::setup().with(|config| {
        config.http.connection.heartbeat.interval = std::time::Duration::from_millis(50);
    });
    let server = setup.start().await;
    let mut raw = Raw::open(&server, "notes").await;
    raw.send_message(Message::Ping("are you there".into())).await;
    assert_eq!(raw.next_pong().await, "are you there");
    for _ in 0..3 {
        raw.hears(|frame| frame == [1, 1, 0]).await;
    }
}

#[tokio::test]
async fn who_answers_no_ping_is_given_up() {
    let setup = TestServer::setup().with(|config| {
        let heartbeat = &mut config.http.connection.heartbeat;
        heartbeat.interval = std::time::Duration::from_millis(50);
        heartbeat.ping_after = std::time::Duration::from_millis(100);
        heartbeat.pong_within = std::time::Duration::from_millis(300);
    });
    let server = setup.start().await;
    let mut alive = server.client("alive", "notes").await;
    let dead = server.client("dead", "notes").await;
    dead.stops_reading();
    until("only one is left", || server.metrics().connections.get() == 1).await;
    dead.reads_again();
    let mut dead = dead;
    assert_eq!(dead.is_closed().await, Some(4508));
    assert!(alive.is_online());
    alive.leaves().await;
}
