//! The chat beside a document: heard by all, once, when it is durable, and gone with the document.

use std::time::Duration;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use weft::{
    document::rate::Rate,
    store::{StoreError, faulty::WriteFault},
};

use crate::support::{
    Address, Client, Talk, TestServer, Weft,
    rest::{delete, get, post},
    until,
};

/// Somebody in the chat of a document, who has heard what was said before.
async fn join(server: &impl Address, document: &str, name: &str) -> (Talk, Value) {
    let mut talk = Talk::open(server, &format!("/chat/{document}?name={name}")).await;
    let history = talk.hears("history").await;
    let decoded = name.replace("%C3%B6", "ö");
    assert_eq!(history["you"]["name"], decoded);
    (talk, history)
}

/// A name for a message that no other message has.
fn id(number: usize) -> String {
    format!("message-{number:04}")
}

fn texts(messages: &Value) -> Vec<&str> {
    messages.as_array().unwrap().iter().map(|message| message["text"].as_str().unwrap()).collect()
}

async fn page(server: &impl Address, document: &str, query: &str) -> Value {
    get(server, &format!("/api/v1/documents/{document}/chat{query}")).await.expect(200).json()
}

#[tokio::test]
async fn nobody_waits_while_a_message_that_is_there_is_read_for_who_sent_it_again() {
    let server = TestServer::setup().faulty().start().await;
    let (mut ann, _) = join(&server, "notes", "Ann").await;
    let (mut bob, _) = join(&server, "notes", "Bob").await;
    ann.says("message", json!({"id": id(1), "text": "hello"})).await;
    bob.hears("message").await;
    ann.hears("join").await;
    ann.hears("message").await;
    server.faults().hang_reads(true);
    ann.says("message", json!({"id": id(1), "text": "hello"})).await;
    server.faults().hung_reads(1).await;
    bob.says("message", json!({"id": id(2), "text": "and on"})).await;
    assert_eq!(ann.hears("message").await["text"], "and on");
    server.faults().hang_reads(false);
    assert_eq!(ann.hears("message").await["text"], "hello", "it is answered with what is there");
}

#[tokio::test]
async fn people_hear_each_other() {
    let server = TestServer::start().await;
    let (mut ann, history) = join(&server, "a%2Fb", "Ann").await;
    assert_eq!((history["messages"].as_array().unwrap().len(), &history["more"]), (0, &json!(false)));
    let (mut bob, history) = join(&server, "a/b", "B%C3%B6b").await;
    assert_eq!(history["inside"], 2);
    assert_eq!(history["people"].as_array().unwrap().len(), 2);
    let joined = ann.hears("join").await;
    assert_eq!(joined, history["you"], "the name is decoded, and the document is the same");

    ann.says("typing", json!({"typing": true})).await;
    let typing = bob.hears("typing").await;
    assert_eq!((&typing["name"], &typing["typing"]), (&json!("Ann"), &json!(true)));

    ann.says("message", json!({"id": id(1), "text": "hello \u{1f44b}\n文"})).await;
    let heard = bob.hears("message").await;
    assert_eq!(heard["text"], "hello \u{1f44b}\n文");
    assert_eq!(heard["author"]["name"], "Ann");
    assert_eq!(heard["client_id"], id(1));
    assert!(heard["at"].as_u64().unwrap() > 1_700_000_000_000);
    assert_eq!(heard["id"].as_str().unwrap().as_bytes()[14], b'7', "ordered by time");
    assert_eq!(ann.hears("message").await, heard, "the author hears the same: it is confirmed");

    bob.says("ping", json!({})).await;
    bob.hears("pong").await;
    let you = history["you"].clone();
    bob.leaves().await;
    assert_eq!(ann.hears("leave").await, you);
    // Said in a document that nobody had written; now it is one.
    assert_eq!(get(&server, "/api/v1/documents/a%2Fb").await.expect(200).json()["state"], "live");
}

#[tokio::test]
async fn the_last_fifty_are_heard_on_joining_and_the_rest_by_page() {
    let mut server = TestServer::setup()
        .with(|config| config.http.connection.chat.messages = Rate { burst: 1000.0, per_second: 1000.0 })
        .with(|config| config.http.connection.chat.frames = Rate { burst: 1000.0, per_second: 1000.0 })
        .start()
        .await;
    let (mut ann, _) = join(&server, "notes", "Ann").await;
    for number in 0..120 {
        ann.says("message", json!({"id": id(number), "text": number.to_string()})).await;
    }
    for number in 0..120 {
        assert_eq!(ann.hears("message").await["text"], number.to_string(), "in order");
    }
    let expected: Vec<String> = (0..120).map(|number| number.to_string()).collect();
    for round in 0..2 {
        let (_bob, history) = join(&server, "notes", "Bob").await;
        assert_eq!(texts(&history["messages"]), expected[70..], "round {round}");
        assert_eq!(history["more"], true);
        let first = history["messages"][0]["id"].as_str().unwrap();
        let mut seen: Vec<String> = Vec::new();
        let mut next = Some(first.to_owned());
        while let Some(before) = next {
            let page = page(&server, "notes", &format!("?limit=30&before={before}")).await;
            let texts = texts(&page["messages"]).into_iter().map(str::to_owned);
            seen.splice(0..0, texts);
            next = page["next"].as_str().map(str::to_owned);
        }
        assert_eq!(seen, expected[..70], "round {round}");
        server.restart().await; // nobody is in the room any more
    }
    assert_eq!(texts(&page(&server, "notes", "").await["messages"]), expected[70..]);
    for query in ["?limit=0", "?limit=101", "?before=x", "?after=x"] {
        let answer = get(&server, &format!("/api/v1/documents/notes/chat{query}")).await;
        assert_eq!(answer.error(), (400, "invalid_query".into()), "{query}");
    }
    assert_eq!(get(&server, "/api/v1/documents/none/chat").await.error().0, 404);
}

#[tokio::test]
async fn a_message_is_there_once_whatever_reconnects_do() {
    let mut server = TestServer::start().await;
    let (mut ann, _) = join(&server, "notes", "Ann").await;
    ann.says("message", json!({"id": id(1), "text": "once"})).await;
    let first = ann.hears("message").await;
    let (mut bob, _) = join(&server, "notes", "Bob").await;
    ann.hears("join").await;
    // Ann did not hear the answer, and sends it again over a new connection, after a restart even.
    for _ in 0..2 {
        let (mut again, _) = join(&server, "notes", "Ann").await;
        assert_eq!(bob.hears("join").await["name"], "Ann");
        again.says("message", json!({"id": id(1), "text": "once"})).await;
        assert_eq!(again.hears("message").await, first, "the same message is the answer");
        again.says("message", json!({"id": id(1), "text": "once, reworded"})).await;
        let refused = again.hears("error").await;
        assert_eq!(
            (refused["code"].as_str(), refused["client_id"].as_str()),
            (Some("repeated_id"), Some(&*id(1)))
        );
        again.leaves().await;
        // Bob hears nothing of it.
        assert_eq!(bob.hears("leave").await["name"], "Ann");
        server.restart().await;
        (bob, _) = join(&server, "notes", "Bob").await;
    }
    assert_eq!(texts(&page(&server, "notes", "").await["messages"]), ["once"]);
    // In another chat it is another message.
    let (mut elsewhere, _) = join(&server, "other", "Ann").await;
    elsewhere.says("message", json!({"id": id(1), "text": "elsewhere"})).await;
    assert_eq!(elsewhere.hears("message").await["text"], "elsewhere");
}

#[tokio::test]
async fn nobody_hears_what_is_not_durable() {
    let server = TestServer::setup().faulty().start().await;
    let (mut ann, _) = join(&server, "notes", "Ann").await;
    let (mut bob, _) = join(&server, "notes", "Bob").await;
    ann.hears("join").await;
    ann.says("message", json!({"id": id(0), "text": "before"})).await;
    bob.hears("message").await;
    ann.hears("message").await;

    server.faults().writes(WriteFault::Stall);
    ann.says("message", json!({"id": id(1), "text": "stalled"})).await;
    server.faults().stalled(1).await;
    // Everything else goes on, and somebody who comes now is let in.
    bob.says("typing", json!({"typing": true})).await;
    let (carl, history) = join(&server, "notes", "Carl").await;
    assert_eq!(texts(&history["messages"]), ["before"]);
    assert_eq!(bob.hears("join").await["name"], "Carl", "and not the message");
    server.faults().heal();
    assert_eq!(bob.hears("message").await["text"], "stalled");
    carl.leaves().await;
    bob.hears("leave").await;

    let error = || StoreError::Unwritable("by a test".into());
    server.faults().writes(WriteFault::Fail(error()));
    // Ann hears of typing, Carl and her own message; of Bob and of Carl in whatever order.
    let mut expected = vec!["typing", "leave"];
    while !expected.is_empty() {
        let heard = ann.next().await.unwrap();
        expected.retain(|kind| heard["type"] != *kind);
    }
    ann.says("message", json!({"id": id(2), "text": "failed"})).await;
    let refused = ann.hears("error").await;
    assert_eq!((&refused["code"], &refused["client_id"]), (&json!("store_unwritable"), &json!(id(2))));
    // Stored, and yet an error: when it is sent again, everybody hears it, once.
    server.faults().writes(WriteFault::Ambiguous(error()));
    ann.says("message", json!({"id": id(2), "text": "failed"})).await;
    assert_eq!(ann.hears("error").await["client_id"], id(2));
    server.faults().heal();
    for _ in 0..2 {
        ann.says("message", json!({"id": id(2), "text": "failed"})).await;
        assert_eq!(ann.hears("message").await["text"], "failed");
    }
    ann.says("message", json!({"id": id(3), "text": "last"})).await;
    assert_eq!(bob.hears("message").await["text"], "failed");
    assert_eq!(bob.hears("message").await["text"], "last");
    assert_eq!(texts(&page(&server, "notes", "").await["messages"]), ["before", "stalled", "failed", "last"]);
}

#[tokio::test]
async fn what_is_not_understood_is_answered_and_the_connection_stays() {
    let server = TestServer::start().await;
    let (mut ann, _) = join(&server, "notes", "Ann").await;
    for (text, code) in [
        ("{".to_owned(), "invalid_json"),
        ("[]".to_owned(), "invalid_message"),
        (json!({"payload": {}}).to_string(), "missing_type"),
        (json!({"type": "shout", "payload": {}}).to_string(), "unknown_type"),
        (json!({"type": "message"}).to_string(), "missing_payload"),
        (json!({"type": "message", "payload": {"text": "x"}}).to_string(), "invalid_payload"),
        (json!({"type": "message", "payload": {"id": "1", "text": "x"}}).to_string(), "invalid_id"),
        (json!({"type": "message", "payload": {"id": id(1), "text": " "}}).to_string(), "empty_text"),
        (
            json!({"type": "message", "payload": {"id": id(1), "text": "x".repeat(4097)}}).to_string(),
            "too_long",
        ),
    ] {
        ann.sends(text.clone()).await;
        let error = ann.hears("error").await;
        assert_eq!(error["code"], code, "{text}");
        assert!(!error["message"].as_str().unwrap().is_empty());
    }
    ann.sends_message(Message::binary(vec![1, 2, 3])).await;
    assert_eq!(ann.hears("error").await["code"], "not_text");
    ann.says("message", json!({"id": id(2), "text": "x".repeat(4096)})).await;
    assert_eq!(ann.hears("message").await["text"].as_str().unwrap().len(), 4096);
    // Pings of the transport are answered too.
    ann.sends_message(Message::Ping(b"x".as_slice().into())).await;
    ann.says("ping", json!({})).await;
    ann.hears("pong").await;
    // But a frame that could hold no message ends it.
    ann.sends("x".repeat(40_000)).await;
    assert_eq!(ann.closed().await, Some(1009));
}

#[tokio::test]
async fn who_speaks_too_often_is_told_and_who_does_not_stop_is_closed() {
    let server = TestServer::setup()
        .with(|config| config.http.connection.chat.messages = Rate { burst: 2.0, per_second: 0.0 })
        .with(|config| config.http.connection.chat.refusals = Rate { burst: 5.0, per_second: 0.0 })
        .start()
        .await;
    let (mut ann, _) = join(&server, "notes", "Ann").await;
    for number in 0..8 {
        ann.says("message", json!({"id": id(number), "text": "x"})).await;
    }
    for _ in 0..2 {
        ann.hears("message").await;
    }
    for number in 2..8 {
        let error = ann.hears("error").await;
        assert_eq!((&error["code"], &error["client_id"]), (&json!("rate_limited"), &json!(id(number))));
    }
    assert_eq!(ann.closed().await, Some(1008));
    assert_eq!(page(&server, "notes", "").await["messages"].as_array().unwrap().len(), 2);
    // A new connection begins anew, and nothing was lost that she keeps.
    let (mut ann, _) = join(&server, "notes", "Ann").await;
    ann.says("message", json!({"id": id(2), "text": "x"})).await;
    ann.hears("message").await;
}

#[tokio::test]
async fn who_does_not_read_is_closed_and_costs_the_others_nothing() {
    const TEXT: usize = 64 << 10;
    let server = TestServer::setup()
        .settings(|settings| {
            settings.max_chat_bytes = Some(TEXT);
            settings.outbox_bytes = Some(4 * TEXT);
        })
        .with(|config| config.http.connection.chat.messages = Rate { burst: 9999.0, per_second: 9999.0 })
        .with(|config| config.http.connection.chat.frames = Rate { burst: 9999.0, per_second: 9999.0 })
        .start()
        .await;
    let (mut ann, _) = join(&server, "notes", "Ann").await;
    let mut sleeper = Talk::slow(&server, "/chat/notes?name=Sleeper").await;
    sleeper.hears("history").await;
    let mut said = 0;
    let mut gone = false;
    while !gone {
        ann.says("message", json!({"id": id(said), "text": "x".repeat(TEXT)})).await;
        said += 1;
        assert!(said < 1000, "the sleeper never became slow");
        let mut confirmed = false;
        while !confirmed {
            let heard = ann.next().await.unwrap();
            confirmed = heard["type"] == "message";
            gone |= heard["type"] == "leave";
        }
    }
    // What was in the buffers, and then the reason.
    assert_eq!(sleeper.closed().await, Some(1013));
    // Coming back, they find what they missed.
    let (_sleeper, history) = join(&server, "notes", "Sleeper").await;
    assert_eq!(history["messages"].as_array().unwrap().len(), said.min(50));
}

#[tokio::test]
async fn who_is_not_there_any_more_is_given_up_and_who_is_quiet_is_not() {
    let server = TestServer::setup()
        .with(|config| {
            let heartbeat = &mut config.http.connection.heartbeat;
            heartbeat.interval = Duration::from_millis(50);
            heartbeat.ping_after = Duration::from_millis(100);
            heartbeat.pong_within = Duration::from_millis(300);
        })
        .start()
        .await;
    let (mut ann, _) = join(&server, "notes", "Ann").await;
    let mut dead = Talk::open(&server, "/chat/notes?name=Dead").await;
    assert_eq!(ann.hears("join").await["name"], "Dead");
    // Ann says nothing, but hears something now and then, and answers the transport's pings.
    let mut keepalives = 0;
    loop {
        let heard = ann.next().await.unwrap();
        keepalives += u32::from(heard["type"] == "ping");
        if heard["type"] == "leave" {
            break;
        }
    }
    assert!(keepalives > 0);
    assert_eq!(dead.closed().await, Some(4508));
    ann.says("ping", json!({})).await;
    ann.hears("pong").await;
}

/// Whatever becomes of connections, nothing of them stays.
#[tokio::test]
async fn connections_leave_nothing_behind() {
    let server = TestServer::start().await;
    for round in 0..30 {
        let mut talk = Talk::open(&server, &format!("/chat/room-{}", round % 3)).await;
        if round % 2 == 0 {
            talk.hears("history").await;
        }
        match round % 4 {
            0 => talk.leaves().await,
            1 => talk.sends_message(Message::binary(vec![0; 60_000])).await,
            _ => drop(talk),
        }
    }
    until("every place is given back", || server.metrics().connections.get() == 0).await;
    let (_ann, history) = join(&server, "room-0", "Ann").await;
    assert_eq!(history["inside"], 1);
    assert!(
        get(&server, "/api/v1/documents").await.expect(200).json()["documents"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    server.forgets_everything().await;
}

#[tokio::test]
async fn a_chat_goes_where_its_document_goes() {
    let server = TestServer::start().await;
    let (mut ann, _) = join(&server, "notes", "Ann").await;
    ann.says("message", json!({"id": id(1), "text": "old"})).await;
    ann.hears("message").await;
    delete(&server, "/api/v1/documents/notes").await.expect(200);
    assert_eq!(ann.closed().await, Some(4404));
    let mut late = Talk::open(&server, "/chat/notes").await;
    assert_eq!(late.next().await, Err(Some(4404)), "and hears nothing of what was said");
    assert_eq!(get(&server, "/api/v1/documents/notes/chat").await.error(), (410, "in_trash".into()));

    post(&server, "/api/v1/documents/notes/restore", &json!({})).await.expect(200);
    let (mut ann, history) = join(&server, "notes", "Ann").await;
    assert_eq!(texts(&history["messages"]), ["old"]);
    delete(&server, "/api/v1/documents/notes?permanent=true").await.expect(204);
    assert_eq!(ann.closed().await, Some(4404));
    let mut late = Talk::open(&server, "/chat/notes").await;
    assert_eq!(late.next().await, Err(Some(4404)));
    post(&server, "/api/v1/documents", &json!({"name": "notes"})).await.expect(201);
    let (mut ann, history) = join(&server, "notes", "Ann").await;
    assert!(texts(&history["messages"]).is_empty(), "another document, of the same name");
    ann.says("message", json!({"id": id(1), "text": "new"})).await;
    assert_eq!(ann.hears("message").await["text"], "new");
}

#[tokio::test]
async fn only_so_many_are_let_in() {
    let server = TestServer::setup()
        .settings(|settings| settings.max_connections_per_document = Some(2))
        .start()
        .await;
    let (ann, _) = join(&server, "notes", "Ann").await;
    let (_bob, _) = join(&server, "notes", "Bob").await;
    let mut third = Talk::open(&server, "/chat/notes").await;
    assert_eq!(third.next().await, Err(Some(1013)));
    ann.leaves().await;
    until("her place is free", || server.metrics().connections.get() == 1).await;
    join(&server, "notes", "Carl").await;
    let foreign = [("origin", "https://evil.example")];
    assert_eq!(Talk::try_open(&server, "/chat/notes", &foreign).await.err(), Some(403));
    for path in ["/chat/", "/chat/notes?name=", "/chat/notes?name=%01", "/chat/%ff"] {
        assert_eq!(Talk::try_open(&server, path, &[]).await.err(), Some(400), "{path}");
    }
    let long = format!("/chat/notes?name={}", "x".repeat(65));
    assert_eq!(Talk::try_open(&server, &long, &[]).await.err(), Some(400));
}

#[tokio::test]
async fn an_unwritten_document_that_is_open_has_a_chat() {
    let server = TestServer::start().await;
    let bob = Client::named("bob").acknowledged().opens(&server, "notes").await;
    let (mut ann, _) = join(&server, "notes", "Ann").await;
    ann.says("message", json!({"id": id(1), "text": "hello"})).await;
    ann.hears("message").await;
    bob.types("and text");
    bob.saved().await;
    assert_eq!(get(&server, "/api/v1/documents/notes/text").await.expect(200).text(), "and text");
    assert_eq!(texts(&page(&server, "notes", "").await["messages"]), ["hello"]);
}

#[tokio::test]
async fn what_was_confirmed_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let mut confirmed = Vec::new();
    for round in 0..6 {
        let level = if round % 2 == 0 { "kill" } else { "disk" };
        let server = Weft::serve(folder.path(), &["--durability", level]).await;
        let (mut ann, history) = join(&server, "notes", "Ann").await;
        let heard = texts(&history["messages"]);
        let known: Vec<&str> =
            confirmed.iter().map(String::as_str).filter(|text| heard.contains(text)).collect();
        assert_eq!(known, confirmed, "round {round}");
        // What was sent and not confirmed before the kill is sent again; it may have been stored or not.
        for number in round * 5..round * 5 + 7 {
            ann.says("message", json!({"id": id(number), "text": number.to_string()})).await;
        }
        for number in round * 5..round * 5 + 5 {
            let text = ann.hears("message").await["text"].as_str().unwrap().to_owned();
            assert_eq!(text, number.to_string());
            if !confirmed.contains(&text) {
                confirmed.push(text);
            }
        }
        server.kill();
    }
    let server = Weft::serve(folder.path(), &[]).await;
    let page = page(&server, "notes", "?limit=100").await;
    let mut texts = texts(&page["messages"]);
    let there = texts.len();
    texts.dedup();
    assert_eq!(texts.len(), there, "each of them once");
    for text in &confirmed {
        assert!(texts.contains(&text.as_str()), "{text} is gone");
    }
}

#[tokio::test]
async fn a_shutdown_sends_everybody_away_for_a_moment() {
    let mut server = TestServer::start().await;
    let (mut ann, _) = join(&server, "notes", "Ann").await;
    server.restart().await;
    assert_eq!(ann.closed().await, Some(1012));
    join(&server, "notes", "Ann").await;
}
