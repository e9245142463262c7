//! What is sent to the server costs it no more than it should, and neither does what it answers.

use std::time::Duration;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};
use yrs::{
    StateVector,
    block::ClientID,
    updates::{decoder::Decode, encoder::Encode},
};

use crate::support::{
    Address, PATIENCE, TestServer, Weft,
    rest::{delete, post, request},
    until,
};

const UPDATES: &str = "/api/v1/documents/notes/updates";
const ATTACHMENTS: &str = "/api/v1/documents/notes/attachments";

/// A request whose body is still to come.
struct Begun(TcpStream);

impl Begun {
    async fn new(server: &impl Address, path: &str, headers: &str, announced: usize) -> Self {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {announced}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        Self(stream)
    }

    /// Sends on; false if nobody listens any more.
    async fn sends(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).await.is_ok()
    }

    /// The head of the next answer.
    async fn hears(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let byte = tokio::time::timeout(PATIENCE, self.0.read_u8()).await.expect("an answer");
            head.push(byte.unwrap());
        }
        String::from_utf8(head).unwrap()
    }

    async fn status(&mut self) -> u16 {
        self.hears().await.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// Waits until the server has hung up.
    async fn ends(&mut self) {
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(PATIENCE, self.0.read_to_end(&mut rest)).await;
        let _ = ended.expect("the connection ends");
    }
}

// ---- what is sent -------------------------------------------------------------------------------------

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let setup = TestServer::setup().with(|config| {
        config.http.bodies.window = Duration::from_millis(300);
        config.http.bodies.least_rate = 1000;
    });
    let server = setup.start().await;
    for (path, first) in [(UPDATES, 0), (UPDATES, 10), (ATTACHMENTS, 10), ("/api/v1/documents", 1)] {
        let mut begun = Begun::new(&server, path, "", 9_000).await;
        begun.sends(&vec![0; first]).await;
        assert_eq!(begun.status().await, 408, "{path}");
        begun.ends().await;
        // A body without a length, which the HTTP server would read on for ever to keep the connection.
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        let head =
            format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut begun = Begun(stream);
        assert_eq!(begun.status().await, 408, "{path}");
        begun.ends().await;
    }
}

#[tokio::test]
async fn a_body_that_comes_slowly_arrives_and_one_that_never_ends_does_not() {
    let patient = TestServer::setup().with(|config| {
        config.http.bodies.window = Duration::from_secs(2);
        config.http.bodies.least_rate = 100;
    });
    let server = patient.start().await;
    let mut begun = Begun::new(&server, ATTACHMENTS, "", 30 * 200).await;
    // Longer than one window, and faster than it must be.
    for _ in 0..30 {
        assert!(begun.sends(&[7; 200]).await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(begun.status().await, 201);

    let hurried = TestServer::setup().with(|config| config.http.bodies.longest = Duration::from_millis(400));
    let server = hurried.start().await;
    let mut begun = Begun::new(&server, ATTACHMENTS, "", 9_000_000).await;
    let (mut reading, mut writing) = begun.0.split();
    let mut answer = [0; 12];
    let sending = async {
        while writing.write_all(&[7; 2_000]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        read = reading.read_exact(&mut answer) => drop(read.unwrap()),
        () = sending => panic!("it hung up without a word"),
        () = tokio::time::sleep(PATIENCE) => panic!("it takes whatever comes"),
    }
    assert_eq!(&answer, b"HTTP/1.1 408");
}

#[tokio::test]
async fn all_bodies_together_have_a_bound() {
    let setup = TestServer::setup().with(|config| config.http.bodies.total_bytes = 100_000);
    let server = setup.start().await;
    let mut first = Begun::new(&server, ATTACHMENTS, "", 90_000).await;
    first.sends(&[1; 60_000]).await;
    let pending = || server.metrics().body_bytes_pending.get();
    until("its bytes are there", || pending() == 60_000).await;
    // Announcing costs nothing; what arrives does. Who comes too much is told so, at some point.
    let mut second = Begun::new(&server, ATTACHMENTS, "", 90_000).await;
    second.sends(&[2; 80_000]).await;
    let refused = second.hears().await;
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("retry-after: "), "{refused}");
    // The other one is not.
    first.sends(&[1; 30_000]).await;
    assert_eq!(first.status().await, 201);
    // What was given up, and what was taken, has made room again.
    until("there is room", || pending() == 0).await;
    drop(second);
    for number in 3..6u8 {
        let body = request(&server, "POST", ATTACHMENTS).body(vec![number; 90_000]).send().await;
        body.expect(201);
    }
    // Who goes away in the middle of it too.
    let mut broken = Begun::new(&server, ATTACHMENTS, "", 90_000).await;
    broken.sends(&[9; 80_000]).await;
    until("its bytes are there", || pending() == 80_000).await;
    drop(broken);
    until("there is room", || pending() == 0).await;
}

/// Sixty of them took a gigabyte.
#[tokio::test]
async fn parked_bodies_take_as_much_as_they_may_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let bound = 32 << 20;
    let bounds = ["--max-document-bytes", "16777216", "--max-pending-body-bytes", &bound.to_string()];
    let server = Weft::serve(folder.path(), &bounds).await;
    request(&server, "POST", ATTACHMENTS).body(vec![1; 1 << 20]).send().await.expect(201);
    let before = server.resident_bytes();
    let mut parked = Vec::new();
    for _ in 0..60 {
        let mut begun = Begun::new(&server, UPDATES, "", 16 << 20).await;
        // Most are told no in the middle of it, and hung up on.
        let body = vec![0; 15 << 20];
        let sending = tokio::time::timeout(PATIENCE, begun.sends(&body));
        let _ = sending.await.expect("it is taken or refused");
        parked.push(begun);
    }
    let grown = server.resident_bytes().saturating_sub(before);
    println!("grown by {} MB", grown >> 20);
    // Twice, for buffers that grow by being copied.
    assert!(grown < 2 * bound + (20 << 20), "{} MB more than before", grown >> 20);
    drop(parked);
}

#[tokio::test]
async fn what_will_be_refused_is_refused_before_the_body() {
    let server = TestServer::start().await;
    post(&server, "/api/v1/documents", &serde_json::json!({"name": "trashed"})).await.expect(201);
    delete(&server, "/api/v1/documents/trashed").await.expect(200);
    let session =
        request(&server, "POST", "/api/v1/documents/notes/sessions").send().await.expect(201).json();
    let session = session["session"].as_str().unwrap();
    let unknown = "00000000-0000-0000-0000-000000000000";
    let documents = "/api/v1/documents";
    let evil = "origin: https://evil.example\r\n";
    for (path, headers, announced, expected) in [
        (format!("{documents}/notes/messages?session={unknown}"), "", 16 << 20, 404),
        (format!("{documents}/other/messages?session={session}"), "", 10, 404),
        (format!("{documents}/notes/messages?session=x"), "", 10, 400),
        (format!("{documents}/notes/messages"), "", 10, 400),
        (format!("{documents}/notes/messages?session={session}"), evil, 10, 403),
        (UPDATES.to_owned(), evil, 10, 403),
        (UPDATES.to_owned(), "", (64 << 20) + 1, 413),
        (format!("{documents}/%00/updates"), "", 10, 400),
        (ATTACHMENTS.to_owned(), evil, 10, 403),
        (ATTACHMENTS.to_owned(), "", 1 << 30, 413),
        (format!("{ATTACHMENTS}?colour=red"), "", 10, 400),
        (format!("{documents}/trashed/attachments"), "", 10, 410),
        (documents.to_owned(), evil, 10, 403),
        (documents.to_owned(), "", 1 << 20, 413),
        (format!("{documents}/notes/stateless"), evil, 10, 403),
        (format!("{documents}/nobody/stateless"), "", 10, 404),
        (format!("{documents}/notes/nothing"), "", 10, 404),
        ("/api/v1/documents/notes/updates".to_owned(), "host: evil.example\r\n", 10, 400),
    ] {
        let mut begun = Begun::new(&server, &path, headers, announced).await;
        assert_eq!(begun.status().await, expected, "{path} {headers}");
    }
}

/// What asks first is not told to go on and then refused.
#[tokio::test]
async fn who_asks_whether_to_send_a_body_is_told_the_truth() {
    let server = TestServer::start().await;
    let session =
        request(&server, "POST", "/api/v1/documents/notes/sessions").send().await.expect(201).json();
    let speak = format!("/api/v1/documents/notes/messages?session={}", session["session"].as_str().unwrap());
    let asks = "expect: 100-continue\r\n";
    for path in [UPDATES, ATTACHMENTS, "/api/v1/documents", speak.as_str()] {
        let mut begun = Begun::new(&server, path, asks, 2).await;
        assert_eq!(begun.status().await, 100, "{path}");
        begun.sends(b"{}").await;
        let status = begun.status().await;
        assert!([200, 201, 400].contains(&status), "{path} is answered {status}");
    }
    let evil = format!("{asks}origin: https://evil.example\r\n");
    let twice = format!("{evil}origin: https://evil.example\r\n");
    let stranger = format!("{asks}host: evil.example\r\n");
    let unknown = "/api/v1/documents/notes/messages?session=00000000-0000-0000-0000-000000000000";
    for (path, headers, announced, expected) in [
        (UPDATES, asks, (64 << 20) + 1, 413),
        (UPDATES, evil.as_str(), 2, 403),
        (UPDATES, twice.as_str(), 2, 400),
        (UPDATES, stranger.as_str(), 2, 400),
        (ATTACHMENTS, asks, 1 << 30, 413),
        (unknown, asks, 2, 404),
        ("/api/v1/documents/%00/updates", asks, 2, 400),
        ("/api/v1/documents/notes/text", asks, 2, 417),
        ("/livez", asks, 2, 417),
    ] {
        let mut begun = Begun::new(&server, path, headers, announced).await;
        assert_eq!(begun.status().await, expected, "{path} {headers}");
    }
}

#[tokio::test]
async fn what_is_uploaded_for_one_document_is_not_put_into_the_next_of_its_name() {
    let server = TestServer::start().await;
    let notes = "/api/v1/documents/notes";
    let make = async || post(&server, "/api/v1/documents", &serde_json::json!({"name": "notes"})).await;
    make().await.expect(201);
    let mut upload = Begun::new(&server, ATTACHMENTS, "", 2_000).await;
    upload.sends(&[7; 1_000]).await;
    until("it is under way", || server.metrics().body_bytes_pending.get() == 1_000).await;
    delete(&server, &format!("{notes}?permanent=true")).await.expect(204);
    make().await.expect(201);
    upload.sends(&[7; 1_000]).await;
    assert_eq!(upload.status().await, 404);
    let attachments = request(&server, "GET", ATTACHMENTS).send().await.expect(200).json();
    assert_eq!(attachments["attachments"], serde_json::json!([]));
}

// ---- what is answered ---------------------------------------------------------------------------------

/// Asks for something and reads nothing of it.
async fn deaf(server: &impl Address, path: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(server.address()).await.unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    // The answer has begun.
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200", "{path}");
    stream
}

/// Sixty of them took a gigabyte: each had a copy of the whole.
#[tokio::test]
async fn deaf_readers_hold_nothing_and_are_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let server = Weft::serve(folder.path(), &["--slow-session-seconds", "2"]).await;
    let file = vec![7; 10 << 20];
    let made = request(&server, "POST", ATTACHMENTS).body(file).send().await.expect(201).json();
    let attachment = made["url"].as_str().unwrap().to_owned();
    let large = crate::support::Client::named("ann");
    large.types(&"many words ".repeat(900_000));
    request(&server, "POST", UPDATES).body(large.state().to_vec()).send().await.expect(200);
    for path in [attachment, UPDATES.replace("updates", "state")] {
        // Warm, so that what the first one costs is not taken for theirs.
        for _ in 0..2 {
            drop(deaf(&server, &path).await);
        }
        let (before, files) = (server.resident_bytes(), server.files());
        let mut readers = Vec::new();
        // All at once: who comes later finds what others are reading.
        for reader in futures_util::future::join_all((0..60).map(|_| deaf(&server, &path))).await {
            readers.push(reader);
        }
        let grown = server.resident_bytes().saturating_sub(before);
        println!("{path}: grown by {} MB", grown >> 20);
        assert!(grown < 60 << 20, "{path}: {} MB more than before", grown >> 20);
        until("they are given up", || server.files() <= files + 5).await;
        drop(readers);
    }
}

/// Forty documents that were read at once took a gigabyte.
#[tokio::test]
async fn all_large_answers_together_have_a_bound() {
    const LARGE: usize = 6 << 20;
    let setup = TestServer::setup().with(|config| {
        config.http.answers.total_bytes = 8 << 20;
        config.http.answers.within = Duration::from_millis(200);
    });
    let server = setup.start().await;
    let of = |document: &str, what: &str| format!("/api/v1/documents/{document}/{what}");
    let text = "many words ".repeat(LARGE / 11 + 1);
    for (document, text) in [("first", text.as_str()), ("second", &text), ("small", "few words")] {
        let author = crate::support::Client::named("ann");
        author.types(text);
        let updates = of(document, "updates");
        request(&server, "POST", &updates).body(author.state().to_vec()).send().await.expect(200);
    }
    let file = request(&server, "POST", &of("second", "attachments")).body(vec![7; LARGE]).send().await;
    let file = file.expect(201).json()["url"].as_str().unwrap().to_owned();
    let pending = || server.metrics().answer_bytes_pending.get() as usize;
    until("nothing is on its way", || pending() == 0).await;

    let reader = deaf(&server, &of("first", "state")).await;
    for what in [of("second", "state"), of("second", "text"), of("second", "json"), file.clone()] {
        let refused = request(&server, "GET", &what).send().await.expect(503);
        assert_eq!(refused.json()["error"]["code"], "too_many_answers", "{what}");
        assert!(refused.header("retry-after").parse::<u64>().is_ok(), "{what}");
    }
    // What is small needs no room.
    let read = request(&server, "GET", &of("small", "text")).send().await.expect(200);
    assert!(read.text().starts_with("few words"));
    let held = pending();
    assert!((LARGE..8 << 20).contains(&held), "{held}");

    drop(reader);
    until("its room is free", || pending() == 0).await;
    for what in [of("second", "state"), of("second", "text"), of("second", "json"), file] {
        let read = request(&server, "GET", &what).send().await.expect(200);
        assert!(read.body.len() >= LARGE, "{what}");
        // The end of an answer is seen before its sender has put it away.
        until("its room is free", || pending() == 0).await;
    }
}

/// A crowd that reads one thing at once holds it once.
#[tokio::test]
async fn readers_of_the_same_state_share_its_room() {
    const LARGE: usize = 6 << 20;
    let setup = TestServer::setup().with(|config| config.http.answers.total_bytes = 8 << 20);
    let server = setup.start().await;
    let author = crate::support::Client::named("ann");
    author.types(&"many words ".repeat(LARGE / 11 + 1));
    request(&server, "POST", UPDATES).body(author.state().to_vec()).send().await.expect(200);
    let state = UPDATES.replace("updates", "state");
    let readers = futures_util::future::join_all((0..20).map(|_| deaf(&server, &state))).await;
    let pending = || server.metrics().answer_bytes_pending.get() as usize;
    assert!((LARGE..8 << 20).contains(&pending()), "{}", pending());
    drop(readers);
    until("its room is free", || pending() == 0).await;
}

/// What somebody lacks takes as much room as it has bytes, and is held once for all who lack the same, whatever they say.
#[tokio::test]
async fn a_difference_takes_the_room_it_needs_and_no_vector_takes_more() {
    const LARGE: usize = 6 << 20;
    let setup = TestServer::setup().with(|config| {
        config.http.answers.total_bytes = 14 << 20;
        config.http.answers.within = Duration::from_millis(200);
    });
    let server = setup.start().await;
    let author = crate::support::Client::named("ann");
    author.types(&"many words ".repeat(LARGE / 11 + 1));
    let everything = author.state().to_vec();
    request(&server, "POST", UPDATES).body(everything.clone()).send().await.expect(200);
    let with = |vector: &StateVector| {
        let vector = BASE64_URL_SAFE_NO_PAD.encode(vector.encode_v1());
        format!("/api/v1/documents/notes/state?vector={vector}")
    };
    let made_up = |client: u64| {
        let mut vector = StateVector::default();
        vector.set_max(ClientID::new(client), 1);
        with(&vector)
    };
    let pending = || server.metrics().answer_bytes_pending.get() as usize;
    let mut readers = Vec::new();
    for client in 0..8 {
        readers.push(deaf(&server, &made_up(1000 + client)).await);
    }
    assert!((LARGE..8 << 20).contains(&pending()), "{}", pending());
    readers.push(deaf(&server, "/api/v1/documents/notes/state").await);
    // The same place, however it is written.
    readers.push(deaf(&server, "/api/v1/documents/no%74es/state?vector=AA").await);
    assert!((2 * LARGE..14 << 20).contains(&pending()), "{}", pending());
    // All there is is held, and who lacks little is answered.
    let known = yrs::Update::decode_v1(&everything).unwrap().state_vector();
    let lacking = request(&server, "GET", &with(&known)).send().await.expect(200);
    assert!(lacking.body.len() < 100, "{}", lacking.body.len());
    // Who lacks much waits, and is told to come again.
    let (client, clock) = known.iter().next().map(|(client, clock)| (*client, *clock)).unwrap();
    let mut much = StateVector::default();
    much.set_max(client, clock / 4);
    let refused = request(&server, "GET", &with(&much)).send().await.expect(503);
    assert_eq!(refused.json()["error"]["code"], "too_many_answers");
    drop(readers);
    until("its room is free", || pending() == 0).await;
    let read = request(&server, "GET", &with(&much)).send().await.expect(200);
    assert!(read.body.len() > LARGE / 2);
}
