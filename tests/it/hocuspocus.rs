//! The Hocuspocus dialect over real sockets: many documents on one, acknowledgements that mean durable, who may
//! do what, and what a client is told that may not.

use std::{collections::HashMap, sync::Arc, time::Duration};

use serde_json::{Value, json};
use weft::{
    auth::{Access, StaticTokens},
    connection::Stateless,
    document::handle::DocumentHandle,
    ids::SessionId,
    store::faulty::WriteFault,
};

use crate::support::{Client, Raw, TestServer, frames, rest, settle, until};

fn hocuspocus(name: &str) -> Client {
    Client::named(name).over_hocuspocus()
}

/// A frame about a document.
fn about(document: &str, body: &[u8]) -> Vec<u8> {
    [frames::buffer(document.as_bytes()), body.to_vec()].concat()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.chars().map(|digit| digit.to_digit(16).unwrap() as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// Opens a document on a raw socket, and reads until all of it has been sent.
async fn enters(socket: &mut Raw, document: &str) {
    socket.send(about(document, &frames::authentication(""))).await;
    socket.send(about(document, &frames::empty_step1())).await;
    socket.hears(|frame| frame.starts_with(&about(document, &[0, 1]))).await;
}

/// A server where `reader` may read, `writer` may write, and nobody else is let in.
async fn with_tokens() -> TestServer {
    let tokens = [("reader", Access::Read), ("writer", Access::Write)];
    let tokens: HashMap<_, _> = tokens.map(|(token, access)| (token.to_owned(), access)).into();
    let policy = Arc::new(StaticTokens { anonymous: Access::None, tokens });
    TestServer::setup().with(move |config| config.http.policy = policy.clone()).start().await
}

#[tokio::test]
async fn both_dialects_write_one_document() {
    let server = TestServer::start().await;
    let ann = hocuspocus("Ann").opens(&server, "plan").await;
    let bob = server.client("Bob", "plan").await;
    ann.types("from Ann ");
    bob.reads("from Ann ").await;
    bob.types("from Bob");
    settle(&[&ann, &bob]).await;
    ann.shows(&json!({"name": "Ann"}));
    bob.sees_soon(&ann, Some(&json!({"name": "Ann"}))).await;
    bob.shows(&json!({"name": "Bob"}));
    ann.sees_soon(&bob, Some(&json!({"name": "Bob"}))).await;
    ann.hides();
    bob.sees_soon(&ann, None).await;
    assert_eq!(ann.allowed().as_deref(), Some("read-write"));
}

#[tokio::test]
async fn the_first_answers_come_in_the_order_that_providers_expect() {
    let server = TestServer::start().await;
    let ann = server.client("Ann", "plan").await;
    ann.shows(&json!({"name": "Ann"}));
    ann.hears_all_so_far().await;
    let mut socket = Raw::try_open(&server, "/hocuspocus/any/path", &[]).await.unwrap();
    socket.send(about("plan", &frames::authentication(""))).await;
    socket.send(about("plan", &frames::empty_step1())).await;
    let mut heads = Vec::new();
    while heads.len() < 4 {
        let frame = socket.next().await.unwrap();
        let body = frame.strip_prefix(&about("plan", &[])[..]).expect("the address is repeated");
        heads.push((body[0], if body[0] == 1 { 0 } else { body[1] }));
    }
    assert_eq!(heads, [(2, 2), (0, 0), (1, 0), (0, 1)], "authenticated, step 1, presence, step 2");
}

#[tokio::test]
async fn recorded_sessions_of_providers_go_as_with_the_server_they_were_made_for() {
    let recorded: Value = serde_json::from_str(include_str!("../fixtures/clients/hocuspocus.json")).unwrap();
    let server = TestServer::start().await;
    for exchange in recorded["exchanges"].as_array().unwrap() {
        let mut socket = Raw::try_open(&server, "/hocuspocus", &[]).await.unwrap();
        let address = about(exchange["document"].as_str().unwrap(), &[]);
        let (mut expected, mut heard) = (Vec::new(), Vec::new());
        for frame in exchange["frames"].as_array().unwrap() {
            let bytes = unhex(frame["frame"].as_str().unwrap());
            match (frame["from"].as_str().unwrap(), frame["kind"].as_str().unwrap()) {
                ("client", _) => drop(socket.send(bytes).await),
                // The stock server tells everybody everything, its author included.
                ("server", "update" | "awareness") => {}
                (_, _) => {
                    let is_presence = |frame: &[u8]| frame.starts_with(&[&address[..], &[1]].concat());
                    expected.push(bytes);
                    heard.push(socket.hears(|frame| !is_presence(frame)).await.to_vec());
                }
            }
        }
        // Byte for byte the same; but of a question and an answer that belong together either may come first.
        expected.sort();
        heard.sort();
        assert_eq!(heard, expected, "{}", exchange["provider"]);
    }
}

#[tokio::test]
async fn every_change_is_acknowledged_once_and_only_when_it_is_durable() {
    let server = TestServer::setup().faulty().start().await;
    let ann = hocuspocus("Ann").opens(&server, "plan").await;
    let bob = server.client("Bob", "plan").await;
    ann.saved().await;
    server.faults().writes(WriteFault::Stall);
    for n in 0..20 {
        ann.types(&format!("{n} "));
    }
    // Everybody sees it; nobody says that it is kept.
    settle(&[&ann, &bob]).await;
    ann.hears_all_so_far().await;
    assert_eq!(ann.unsaved(), 21, "and her answer to being asked again");
    server.faults().heal();
    ann.saved().await;
    assert_eq!(ann.refusals(), 0);
}

#[tokio::test]
async fn a_refused_change_ends_one_session_in_words_and_the_socket_goes_on() {
    let server = TestServer::start().await;
    let mut socket = Raw::try_open(&server, "/hocuspocus", &[]).await.unwrap();
    enters(&mut socket, "plan").await;
    socket.send(about("plan", &frames::update(&[255, 255, 255]))).await;
    assert_eq!(socket.hears(|frame| frame.starts_with(&about("plan", &[8]))).await[5..], [8, 0]);
    let denied = socket.hears(|frame| frame.starts_with(&about("plan", &[2, 1]))).await;
    let words = String::from_utf8_lossy(&denied[8..]).into_owned();
    assert!(words.starts_with("change-refused: a change was refused"), "{words}");
    enters(&mut socket, "plan").await;
    socket.send(about("plan", &frames::update(&[0, 0]))).await;
    assert_eq!(socket.hears(|frame| frame.starts_with(&about("plan", &[8]))).await[5..], [8, 1]);
}

#[tokio::test]
async fn a_client_made_to_sync_again_is_asked_again() {
    let server = TestServer::start().await;
    let mut socket = Raw::try_open(&server, "/hocuspocus", &[]).await.unwrap();
    enters(&mut socket, "plan").await;
    for _ in 0..2 {
        socket.send(about("plan", &frames::empty_step1())).await;
        socket.hears(|frame| frame.starts_with(&about("plan", &[0, 0]))).await;
        socket.hears(|frame| frame.starts_with(&about("plan", &[0, 1]))).await;
    }
}

#[tokio::test]
async fn many_documents_share_a_socket_and_one_may_end_alone() {
    let server = TestServer::start().await;
    let mut socket = Raw::try_open(&server, "/hocuspocus", &[]).await.unwrap();
    for n in 0..300 {
        enters(&mut socket, &format!("plan {n}")).await;
    }
    let bob = server.client("Bob", "plan 7").await;
    bob.types("hello");
    socket.hears(|frame| frame.starts_with(&about("plan 7", &[0, 2]))).await;
    assert_eq!(server.metrics().connections.get(), 2);
    // In the trash: told to this document alone.
    rest::delete(&server, "/api/v1/documents/plan%207").await;
    let denied = socket.hears(|frame| frame.starts_with(&about("plan 7", &[2, 1]))).await;
    assert!(String::from_utf8_lossy(&denied).contains("document-deleted"), "{denied:?}");
    enters(&mut socket, "another").await;
    // The client's own goodbye is confirmed.
    socket.send(about("plan 8", &[7])).await;
    socket.hears(|frame| frame == about("plan 8", b"\x07\x12provider_initiated")).await;
    until("the document is left", || server.registry().editors(&"plan 8".parse().unwrap()) == 0).await;
}

#[tokio::test]
async fn one_document_twice_on_one_socket() {
    let server = TestServer::start().await;
    let mut socket = Raw::try_open(&server, "/hocuspocus", &[]).await.unwrap();
    enters(&mut socket, "plan\0one").await;
    enters(&mut socket, "plan\0two").await;
    let writer = server.client("Writer", "plan").await;
    writer.types("x");
    let mut heard = std::collections::BTreeSet::new();
    while heard.len() < 2 {
        let frame = socket.hears(|frame| frame[9..].starts_with(&[0, 2])).await;
        heard.insert(frame[..9].to_vec());
    }
    assert_eq!(heard, ["plan\0one", "plan\0two"].map(|address| about(address, &[])).into());
}

#[tokio::test]
async fn readers_read_and_what_they_write_is_refused() {
    let server = with_tokens().await;
    let ann = hocuspocus("Ann").with_token("writer").opens(&server, "plan").await;
    let reader = hocuspocus("Reader").with_token("reader").opens(&server, "plan").await;
    assert_eq!(reader.allowed().as_deref(), Some("readonly"));
    ann.types("hello");
    ann.deletes(0, 2);
    reader.reads("llo").await;
    // Presence is allowed.
    reader.shows(&json!({"name": "Reader"}));
    ann.sees_soon(&reader, Some(&json!({"name": "Reader"}))).await;
    reader.saved().await;
    assert_eq!(reader.refusals(), 0, "the answer to our step 1 brought nothing new");
    reader.types("!");
    reader.saved().await;
    assert_eq!(reader.refusals(), 1);
    // Nor what only takes away, which adds nothing to any clock.
    reader.deletes(0, 1);
    reader.saved().await;
    assert_eq!(reader.refusals(), 2);
    reader.hears_all_so_far().await;
    ann.hears_all_so_far().await;
    assert_eq!(ann.text(), "llo");
}

#[tokio::test]
async fn a_readers_step_2_is_refused_only_for_what_is_not_here_yet() {
    let server = with_tokens().await;
    let ann = hocuspocus("Ann").with_token("writer").opens(&server, "plan").await;
    let mut reader = hocuspocus("Reader").with_token("reader").opens(&server, "plan").await;
    ann.types("hello");
    reader.reads("hello").await;
    reader.saved().await;
    // Comes back with nothing of its own, then with a deletion of its own, which adds nothing to any clock.
    reader.leaves().await;
    reader.comes_back(&server).await;
    reader.saved().await;
    assert_eq!(reader.refusals(), 0);
    reader.leaves().await;
    reader.deletes(0, 1);
    reader.comes_back(&server).await;
    reader.saved().await;
    assert_eq!(reader.refusals(), 1);
    ann.hears_all_so_far().await;
    assert_eq!(ann.text(), "hello");
    // The same deletion, made by somebody who may.
    ann.deletes(0, 1);
    ann.saved().await;
    reader.leaves().await;
    reader.comes_back(&server).await;
    reader.saved().await;
    assert_eq!(reader.refusals(), 1);
}

#[tokio::test]
async fn a_denial_is_told_and_another_token_is_another_attempt() {
    let server = with_tokens().await;
    let mut ann = hocuspocus("Ann").with_token("nonsense");
    ann.wants("plan");
    ann.connects(&server).await.unwrap();
    until("Ann is denied", || ann.denied().as_deref() == Some("permission-denied")).await;
    // She goes on sending, as providers do, and the connection lives.
    ann.types("unheard");
    ann.presents("reader");
    until("Ann may read", || ann.allowed().as_deref() == Some("readonly")).await;
    ann.presents("writer");
    until("Ann may write", || ann.allowed().as_deref() == Some("read-write")).await;
    ann.presents("nonsense");
    until("Ann is shut out", || server.registry().editors(&"plan".parse().unwrap()) == 0).await;
    assert_eq!(server.metrics().connections.get(), 1);
    drop(ann);
    // The other dialect has no other words for it than a close code, at which its clients stop.
    for token in ["?token=nonsense", "", "?token="] {
        let mut refused = Raw::try_open(&server, &format!("/ws/plan{token}"), &[]).await.unwrap();
        assert_eq!(refused.closed().await, Some(4401), "{token}");
    }
    let with_protocol = [("sec-websocket-protocol", "yauth-writer, other")];
    Raw::try_open(&server, "/ws/plan", &with_protocol).await.unwrap();
}

#[tokio::test]
async fn a_token_that_changes_takes_effect_at_once() {
    let server = with_tokens().await;
    let mut ann = hocuspocus("Ann").with_token("reader").opens(&server, "plan").await;
    ann.presents("writer");
    until("Ann may write", || ann.allowed().as_deref() == Some("read-write")).await;
    ann.types("now");
    ann.saved().await;
    assert_eq!(ann.refusals(), 0);
    ann.presents("reader");
    until("Ann may only read", || ann.allowed().as_deref() == Some("readonly")).await;
    ann.types("no more");
    ann.saved().await;
    assert_eq!(ann.refusals(), 1);
}

/// Answers everything that is said to everybody.
#[derive(Debug)]
struct Parrot;

impl Stateless for Parrot {
    fn said(
        &self,
        document: &DocumentHandle,
        _: SessionId,
        payload: String,
    ) -> futures_util::future::BoxFuture<'_, ()> {
        let document = document.clone();
        Box::pin(async move {
            document.tell(payload.to_uppercase().into()).await.unwrap();
        })
    }
}

#[tokio::test]
async fn stateless_messages_reach_the_application_and_from_there_everybody() {
    let setup = TestServer::setup().with(|config| config.http.connection.stateless = Arc::new(Parrot));
    let server = setup.start().await;
    let ann = hocuspocus("Ann").opens(&server, "plan").await;
    let bob = hocuspocus("Bob").opens(&server, "plan").await;
    let other = server.client("Somebody of the other dialect", "plan").await;
    ann.says("hello");
    until("both hear it", || [&ann, &bob].iter().all(|who| who.stateless() == ["HELLO"])).await;
    let told = rest::request(&server, "POST", "/api/v1/documents/plan/stateless").body("ring").send().await;
    assert_eq!((told.status, told.json()), (200, json!({"told": 2})));
    until("both hear it", || [&ann, &bob].iter().all(|who| who.stateless() == ["HELLO", "ring"])).await;
    other.hears_all_so_far().await;
    // What servers say to each other is refused from a client.
    ann.sends([vec![6], frames::buffer(b"all")].concat());
    until("Ann is shut out", || ann.denied().is_some()).await;
}

#[tokio::test]
async fn whoever_asks_hears_something_every_few_seconds() {
    let server = TestServer::start().await;
    let mut socket = Raw::try_open(&server, "/hocuspocus?keepalive=1", &[]).await.unwrap();
    enters(&mut socket, "plan").await;
    let begun = std::time::Instant::now();
    for _ in 0..3 {
        socket.hears(|frame| frame == about("plan", &[1, 1, 0])).await;
    }
    assert!(begun.elapsed() >= std::time::Duration::from_secs(1), "they come at their pace");
}

#[tokio::test]
async fn a_shutdown_closes_every_socket_whatever_it_has_open() {
    let mut server = TestServer::start().await;
    let mut idle = Raw::try_open(&server, "/hocuspocus", &[]).await.unwrap();
    let mut busy = Raw::try_open(&server, "/hocuspocus", &[]).await.unwrap();
    enters(&mut busy, "plan").await;
    // On its way in when the server begins to stop.
    let mut entering = Raw::try_open(&server, "/hocuspocus", &[]).await.unwrap();
    for n in 0..50 {
        entering.send(about(&format!("plan {n}"), &frames::authentication(""))).await;
    }
    let ended =
        tokio::spawn(async move { [idle.closed().await, busy.closed().await, entering.closed().await] });
    server.restart().await;
    assert_eq!(ended.await.unwrap(), [Some(1012); 3]);
}

/// What a socket is told of a document that it may not open.
async fn denial(socket: &mut Raw, document: &str) -> String {
    socket.send(about(document, &frames::authentication(""))).await;
    socket.send(about(document, &frames::empty_step1())).await;
    let denied = socket.hears(|frame| frame.starts_with(&about(document, &[2, 1]))).await;
    String::from_utf8_lossy(&denied[about(document, &[2, 1]).len() + 1..]).into_owned()
}

#[tokio::test]
async fn a_document_larger_than_any_may_be_soon_costs_its_people_no_other_document() {
    let small = |set: &mut weft::config::Settings| {
        set.max_message_bytes = Some(10_000);
        set.max_document_bytes = Some(20_000);
    };
    // The first refusal costs more than this test takes.
    let wait = Duration::from_secs(600);
    let server = TestServer::setup()
        .settings(small)
        .with(move |config| {
            let penalties = &mut config.http.penalties;
            (penalties.free, penalties.first, penalties.longest) = (0, wait, wait);
        })
        .start()
        .await;
    let huge = frames::step2(&vec![0; 30_000]);
    for (round, album) in ["album", "another album"].into_iter().enumerate() {
        // Of somebody who has not been let in there it is nobody's business: all may come from behind one address.
        for is_inside in [false, true] {
            let mut socket = Raw::try_open(&server, "/hocuspocus", &[]).await.unwrap();
            if is_inside {
                enters(&mut socket, album).await;
            }
            match round {
                0 => _ = socket.send(about(album, &huge)).await,
                _ => socket.send_pieces(&about(album, &huge), 7_000).await,
            }
            assert_eq!(socket.closed().await, Some(1009));
        }
        let mut socket = Raw::try_open(&server, "/hocuspocus", &[]).await.unwrap();
        enters(&mut socket, "another").await;
        let reason = denial(&mut socket, album).await;
        assert!(reason.contains("change-refused: what was last sent"), "{reason}");
    }
    assert_eq!(server.refused("document_too_large"), 4);
    let mut socket = Raw::try_open(&server, "/hocuspocus", &[]).await.unwrap();
    enters(&mut socket, "a third").await;
}

#[tokio::test]
async fn a_document_that_is_full_is_denied_with_a_word_and_the_socket_lives_on() {
    let server = TestServer::setup().settings(|set| set.max_connections_per_document = Some(1)).start().await;
    let _ann = server.client("Ann", "plan").await;
    let mut socket = Raw::try_open(&server, "/hocuspocus", &[]).await.unwrap();
    let reason = denial(&mut socket, "plan").await;
    assert!(reason.starts_with("document-full: "), "{reason}");
    enters(&mut socket, "another").await;
}

#[tokio::test]
async fn a_document_that_cannot_be_opened_is_denied_with_a_word_and_the_socket_lives_on() {
    let server = TestServer::setup().faulty().start().await;
    server.faults().damage(&crate::support::server::name("plan"));
    let mut socket = Raw::try_open(&server, "/hocuspocus", &[]).await.unwrap();
    let reason = denial(&mut socket, "plan").await;
    assert!(reason.starts_with("document-unavailable: "), "{reason}");
    enters(&mut socket, "another").await;
}
