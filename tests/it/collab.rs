//! The JSON dialect over live sockets: scripts and devices without a CRDT, beside people with replicas.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{self, Message};
use weft::store::{StoreError, faulty::WriteFault};
use yrs::{XmlElementPrelim, XmlFragment, XmlTextPrelim};

use crate::support::{Raw, Scribe, TestServer, rest, settle, until, until_answer};

#[tokio::test]
async fn an_operation_is_seen_at_once_and_acknowledged_when_durable() {
    let mut server = TestServer::setup().faulty().start().await;
    let yan = server.client("yan", "notes").await;
    let (mut ann, init) = Scribe::opens(&server, "notes", "ann").await;
    assert_eq!(init["content"], "");
    assert_eq!((init["revision"].as_u64(), init["readOnly"].as_bool()), (Some(0), Some(false)));
    let (mut bob, init) = Scribe::opens(&server, "notes", "bob").await;
    assert_eq!(init["editors"][0]["editor"], "ann");

    server.faults().writes(WriteFault::Fail(StoreError::Unwritable("the disk is on fire".to_owned())));
    ann.proposes("a1", 0, json!(["Hello 😀 世界"])).await;
    let heard = bob.hears("operation").await;
    assert_eq!(heard["operation"], json!(["Hello 😀 世界"]));
    assert_eq!((heard["revision"].as_u64(), heard["editor"].as_str()), (Some(1), Some("ann")));
    yan.reads("Hello 😀 世界").await;
    until("the store fails", || server.metrics().store_failures.get() >= 1).await;
    let heard = ann.hears_all().await;
    assert!(heard.iter().all(|message| message["type"] == "presence"), "{heard:?}");

    server.faults().heal();
    let ack = ann.hears("ack").await;
    assert_eq!((ack["id"].as_str(), ack["revision"].as_u64()), (Some("a1"), Some(1)));
    server.restart().await;
    assert_eq!(ann.is_closed().await, Some(1012));
    let (_, init) = Scribe::opens(&server, "notes", "ann").await;
    assert_eq!(init["content"], "Hello 😀 世界");
}

#[tokio::test]
async fn concurrent_operations_and_replicas_make_one_text() {
    let server = TestServer::start().await;
    let yan = server.client("yan", "notes").await;
    yan.types("one two");
    yan.hears_all_so_far().await;
    let (mut ann, _) = Scribe::opens(&server, "notes", "ann").await;
    let (mut bob, init) = Scribe::opens(&server, "notes", "bob").await;
    assert_eq!(init["content"], "one two");

    // Made to the same revision: the second is carried over the first.
    ann.proposes("a1", 0, json!([3, ",😀", 4])).await;
    assert_eq!(ann.hears("ack").await["revision"], 1);
    bob.proposes("b1", 0, json!([4, -3, "zwei"])).await;
    assert_eq!(bob.hears("ack").await["revision"], 2);
    assert_eq!(ann.hears("operation").await["operation"], json!([6, "zwei", -3]));
    yan.reads("one,😀 zwei").await;

    // What people with replicas write arrives as operations, counted in characters.
    yan.inserts(6, "漢");
    yan.deletes(0, 1);
    let mut text = "one,😀 zwei".to_owned();
    let mut revision = 2;
    while text != "ne,😀漢 zwei" {
        let heard = ann.hears("operation").await;
        assert_eq!((heard["revision"].as_u64(), heard["editor"].is_null()), (Some(revision + 1), true));
        revision += 1;
        text = apply(&heard["operation"], &text);
    }
    let expected = yan.text();
    assert_eq!(text, expected);
    assert_eq!(rest::get(&server, "/api/v1/documents/notes/text").await.text(), expected);
}

#[tokio::test]
async fn nonsense_is_answered_and_the_connection_stays() {
    let server = TestServer::start().await;
    let (mut ann, _) = Scribe::opens(&server, "notes", "ann").await;
    let long = format!(
        r#"{{"type":"operation","payload":{{"revision":0,"operation":["{}"]}}}}"#,
        "x".repeat(1 << 20)
    );
    for (text, code) in [
        ("hello", "invalid_json"),
        ("[1,2]", "invalid_message"),
        (r#"{"payload":{}}"#, "missing_type"),
        (r#"{"type":"paint","payload":{}}"#, "unknown_type"),
        (r#"{"type":"operation"}"#, "missing_payload"),
        (r#"{"type":"operation","payload":{"revision":0}}"#, "invalid_payload"),
        (
            r#"{"type":"operation","payload":{"revision":0,"operation":[-9223372036854775808]}}"#,
            "invalid_payload",
        ),
        (r#"{"type":"operation","payload":{"revision":7,"operation":["x"]}}"#, "future_revision"),
        (r#"{"type":"operation","payload":{"revision":0,"operation":[5,"x"]}}"#, "length_mismatch"),
        (&long, "too_long"),
    ] {
        ann.sends(Message::text(text)).await;
        let error = ann.hears("error").await;
        assert_eq!(error["code"], code, "{text:.80}");
        assert!(!error["message"].as_str().unwrap().is_empty());
    }
    ann.sends(Message::binary(vec![0, 1, 2])).await;
    assert_eq!(ann.hears("error").await["code"], "not_text");
    assert_eq!(server.refused("length_mismatch"), 1);

    ann.proposes("a1", 0, json!(["still here"])).await;
    assert_eq!(ann.hears("ack").await["revision"], 1);
    ann.says("ping", json!({"n": 7})).await;
    assert_eq!(ann.hears("pong").await, json!({"n": 7}));
}

#[tokio::test]
async fn who_does_not_stop_is_closed_and_nobody_else() {
    let server = TestServer::start().await;
    let (mut ann, _) = Scribe::opens(&server, "notes", "ann").await;
    let (mut bob, _) = Scribe::opens(&server, "notes", "bob").await;
    for _ in 0..100 {
        ann.sends(Message::text("nonsense")).await;
    }
    assert_eq!(ann.is_closed().await, Some(1008));
    bob.proposes("b1", 0, json!(["x"])).await;
    assert_eq!(bob.hears("ack").await["revision"], 1);
    // A frame that is not even read to its end is another matter.
    bob.sends(Message::text("x".repeat(3 << 20))).await;
    assert!(matches!(bob.is_closed().await, Some(1009) | None));
}

#[tokio::test]
async fn a_rich_document_can_be_read_and_not_written() {
    let server = TestServer::start().await;
    let yan = server.client("yan", "letter").await;
    let paragraph = |text: &'static str| {
        yan.edit(move |roots, txn| {
            let paragraph = roots.xml.push_back(txn, XmlElementPrelim::empty("paragraph"));
            paragraph.push_back(txn, XmlTextPrelim::new(text));
        });
    };
    paragraph("Dear 漢字,");
    yan.hears_all_so_far().await;
    let mut ann = Scribe::connects(&server, "/collab/letter/ann?field=xml", None).await;
    let init = ann.hears("init").await;
    assert_eq!((&init["content"], &init["readOnly"]), (&json!("Dear 漢字,"), &json!(true)));

    ann.proposes("a1", 0, json!(["x", 8])).await;
    let error = ann.hears("error").await;
    assert_eq!((&error["code"], &error["id"]), (&json!("read_only"), &json!("a1")));
    assert!(error["message"].as_str().unwrap().contains("not plain text"), "{error}");

    paragraph("how are you? 😀");
    let mut text = "Dear 漢字,".to_owned();
    while text != "Dear 漢字,\nhow are you? 😀" {
        text = apply(&ann.hears("operation").await["operation"], &text);
    }
    assert_eq!(
        yan.content()["xml"],
        "<paragraph>Dear 漢字,</paragraph><paragraph>how are you? 😀</paragraph>"
    );
}

#[tokio::test]
async fn editors_see_each_other() {
    let server = TestServer::start().await;
    let (mut ann, _) = Scribe::opens(&server, "notes", "ann").await;
    ann.proposes("a1", 0, json!(["hello"])).await;
    ann.says("presence", json!({"name": "Ann 👩‍🚀", "cursor": 5})).await;
    ann.hears_all().await;
    let (mut bob, init) = Scribe::opens(&server, "notes", "bob").await;
    let known = &init["editors"][0];
    assert_eq!((&known["name"], &known["cursor"]), (&json!("Ann 👩‍🚀"), &json!(5)));
    assert_eq!(ann.hears("presence").await["editor"], "bob");
    ann.says("presence", json!({"cursor": 2, "anchor": 0})).await;
    let heard = bob.hears("presence").await;
    assert_eq!(
        (&heard["name"], &heard["cursor"], &heard["anchor"]),
        (&json!("Ann 👩‍🚀"), &json!(2), &json!(0))
    );
    // Gone, whether it says goodbye or not.
    drop(ann);
    let heard = bob.hears("presence").await;
    assert_eq!((&heard["editor"], &heard["present"]), (&json!("ann"), &json!(false)));
    let details = rest::get(&server, "/api/v1/documents/notes").await.expect(200).json();
    assert_eq!(details["editors"], 1);
    bob.leaves().await;
}

#[tokio::test]
async fn people_of_both_kinds_see_each_other() {
    let server = TestServer::start().await;
    let mut yan = server.client("yan", "notes").await;
    yan.shows(&json!({"user": {"name": "Yan"}}));
    let mut raw = Raw::open(&server, "notes").await;
    let shows = |text: &'static str| {
        move |frame: &[u8]| frame.windows(text.len()).any(|window| window == text.as_bytes())
    };
    raw.hears(shows(r#"{"name":"Yan"}"#)).await;
    let (mut ann, init) = Scribe::opens(&server, "notes", "ann").await;
    let known = &init["editors"][0];
    assert_eq!((&known["session"], &known["name"]), (&json!(yan.id().to_string()), &json!("Yan")));
    raw.hears(shows(r#"{"user":{"id":"collab/ann","name":"ann"}}"#)).await;
    // Who looks at the list of documents sees them both.
    ann.proposes("a1", 0, json!(["hello"])).await;
    ann.hears("ack").await;
    let list = rest::get(&server, "/api/v1/documents").await.expect(200).json();
    let details = rest::get(&server, "/api/v1/documents/notes").await.expect(200).json();
    assert_eq!(list["documents"][0]["people"], details["people"]);
    let mut people: Vec<_> = details["people"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    people.sort_by_key(ToString::to_string);
    assert_eq!(people, [&json!("Yan"), &json!("ann")]);
    ann.says("presence", json!({"name": "Ann 👩‍🚀"})).await;
    raw.hears(shows(r#"{"user":{"id":"collab/ann","name":"Ann 👩‍🚀"}}"#)).await;
    yan.shows(&json!({"user": {"name": "Yan the Great"}}));
    assert_eq!(ann.hears("presence").await["name"], "Yan the Great");
    yan.leaves().await;
    assert_eq!(ann.hears("presence").await["present"], false);
    drop(ann);
    raw.hears(shows("\u{4}null")).await;
}

#[tokio::test]
async fn what_is_sent_again_after_the_line_broke_is_applied_once() {
    let setup = TestServer::setup().with(|config| config.document.idle = Duration::ZERO);
    let server = setup.start().await;
    let (mut ann, init) = Scribe::opens(&server, "notes", "ann").await;
    let again = json!({"id": "a1", "revision": 0, "operation": ["once"], "epoch": init["epoch"]});
    ann.says("operation", again.clone()).await;
    // Somebody keeps the document open meanwhile.
    let (bob, _) = Scribe::opens(&server, "notes", "bob").await;
    drop(ann);
    let (mut ann, init) = Scribe::opens(&server, "notes", "ann").await;
    assert_eq!(init["content"], "once");
    ann.says("operation", again.clone()).await;
    assert_eq!(ann.hears("ack").await["revision"], 1);
    let text = async || rest::get(&server, "/api/v1/documents/notes/text").await.text().to_owned();
    assert_eq!(text().await, "once");

    // After the document has been put away its revisions are forgotten, and nothing is guessed.
    ann.leaves().await;
    bob.leaves().await;
    server.forgets_everything().await;
    let (mut ann, init) = Scribe::opens(&server, "notes", "ann").await;
    assert_ne!(init["epoch"], again["epoch"]);
    ann.says("operation", again).await;
    assert_eq!(ann.hears("error").await["code"], "other_epoch");
    assert_eq!(text().await, "once");
}

#[tokio::test]
async fn two_programs_that_count_from_one_do_not_take_each_others_place() {
    let server = TestServer::start().await;
    let (mut first, _) = Scribe::opens(&server, "notes", "ann").await;
    let (mut second, _) = Scribe::opens(&server, "notes", "ann").await;
    first.proposes("1", 0, json!(["first"])).await;
    assert_eq!(first.hears("ack").await["revision"], 1);
    assert_eq!(second.hears("operation").await["revision"], 1);
    // Acknowledged it would be taken for stored, and it is nowhere.
    second.proposes("1", 1, json!([5, ", second"])).await;
    let refused = second.hears("error").await;
    assert_eq!((refused["code"].as_str(), refused["id"].as_str()), (Some("repeated_id"), Some("1")));
    second.proposes("b83f", 1, json!([5, ", second"])).await;
    assert_eq!(second.hears("ack").await["id"], "b83f");
    assert_eq!(rest::get(&server, "/api/v1/documents/notes/text").await.text(), "first, second");
}

#[tokio::test]
async fn who_says_very_much_is_heard_later_and_loses_nothing() {
    const SAID: u64 = 1600;
    let server = TestServer::start().await;
    let (mut ann, _) = Scribe::opens(&server, "notes", "ann").await;
    let begun = Instant::now();
    for n in 0..SAID {
        ann.says("ping", json!({ "n": n })).await;
    }
    for n in 0..SAID {
        assert_eq!(ann.hears("pong").await["n"], n);
    }
    // 1,000 at once and 500 a second: never in less than this.
    assert!(begun.elapsed() >= Duration::from_millis(1150), "after {:?} already", begun.elapsed());
}

#[tokio::test]
async fn everything_again_and_presence_are_not_to_be_had_without_end() {
    let server = TestServer::start().await;
    let (mut ann, _) = Scribe::opens(&server, "notes", "ann").await;
    let (mut bob, _) = Scribe::opens(&server, "notes", "bob").await;
    ann.proposes("a1", 0, json!(["x".repeat(900_000)])).await;
    for _ in 0..20 {
        ann.says("init", json!({})).await;
    }
    assert_eq!(ann.hears("error").await["code"], "rate_limited");
    for n in 0..1100 {
        bob.says("presence", json!({ "cursor": n })).await;
    }
    assert_eq!(bob.hears("error").await["code"], "rate_limited");
    // One who goes on with a replica is asked to come back later.
    let carl = server.client("carl", "notes").await;
    let mut carl = carl;
    for n in 0..1100 {
        carl.shows(&json!({ "pointer": n }));
    }
    assert_eq!(carl.is_closed().await, Some(4529));
    assert_ne!(server.refused("presence_rate"), 0);
}

#[tokio::test]
async fn a_document_in_the_trash_is_closed_and_stays_closed() {
    let server = TestServer::start().await;
    let (mut ann, _) = Scribe::opens(&server, "notes", "ann").await;
    ann.proposes("a1", 0, json!(["x"])).await;
    ann.hears("ack").await;
    rest::delete(&server, "/api/v1/documents/notes").await.expect(200);
    assert_eq!(ann.is_closed().await, Some(4404));
    let mut late = Scribe::connects(&server, "/collab/notes/ann", None).await;
    assert_eq!(late.is_closed().await, Some(4404));
}

#[tokio::test]
async fn who_reads_too_slowly_gets_everything_anew() {
    let setup = TestServer::setup().with(|config| config.http.connection.outbox.bytes = 16 << 10);
    let server = setup.start().await;
    let yan = server.client("yan", "notes").await;
    let mut sleeper = Scribe::connects(&server, "/collab/notes/sleeper?field=text", Some(4096)).await;
    sleeper.hears("init").await;
    let mut typed = 0;
    while server.metrics().slow_session_catch_ups.get() == 0 {
        // Each by itself: taken in together, they would come to nothing, and nobody would be told anything.
        yan.types(&"a page that is thrown away. ".repeat(1000));
        yan.hears_all_so_far().await;
        yan.deletes(0, 28_000);
        yan.hears_all_so_far().await;
        typed += 28_000;
        assert!(typed < 256 << 20, "the session never became slow");
    }
    yan.types("what remains 😀");
    settle(&[&yan]).await;
    // It hears what fitted its queue, and then, as often as that was not enough, everything anew.
    let (mut text, mut revision, mut inits) = (String::new(), 0, 0);
    while text != "what remains 😀" {
        let message = sleeper.next().await.unwrap();
        let payload = &message["payload"];
        match message["type"].as_str().unwrap() {
            "init" => {
                inits += 1;
                text = payload["content"].as_str().unwrap().to_owned();
            }
            "operation" => {
                assert_eq!(payload["revision"], revision + 1, "something was skipped");
                text = apply(&payload["operation"], &text);
            }
            _ => continue,
        }
        revision = payload["revision"].as_u64().unwrap();
    }
    assert!(inits > 0);
    // From here on it is a session like any other.
    sleeper.proposes("s1", revision, json!([14, "!"])).await;
    assert_eq!(sleeper.hears("ack").await["id"], "s1");
    yan.reads("what remains 😀!").await;
}

#[tokio::test]
async fn addresses_name_a_document_an_editor_and_a_field() {
    let server = TestServer::start().await;
    for (path, document, editor, field) in [
        ("/collab/a/b/ann", "a/b", "ann", "content"),
        ("/collab/a%2Fb/ann%20%F0%9F%98%80?field=text", "a/b", "ann 😀", "text"),
        ("/collab/%E6%96%87/ann?x=1&field=%E6%96%87", "文", "ann", "文"),
    ] {
        let mut scribe = Scribe::connects(&server, path, None).await;
        let init = scribe.hears("init").await;
        assert_eq!((init["editor"].as_str(), init["field"].as_str()), (Some(editor), Some(field)));
        assert!(server.registry().is_open(&crate::support::server::name(document)), "{path}");
    }
    for (path, code) in [
        ("/collab/notes/%20", "invalid_editor"),
        ("/collab/notes/a%00b", "invalid_editor"),
        ("/collab/notes/ann?field=", "invalid_field"),
        ("/collab/%20/ann", "invalid_name"),
    ] {
        match Scribe::tries(&server, path, None).await.map(drop) {
            Err(tungstenite::Error::Http(response)) => {
                assert_eq!(response.status(), 400, "{path}");
                let body =
                    String::from_utf8_lossy(response.body().as_deref().unwrap_or_default()).into_owned();
                assert!(body.contains(code), "{path}: {body}");
            }
            other => panic!("{path}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn the_last_word_is_everybodys() {
    const EDITS: usize = 40;
    let server = TestServer::start().await;
    let yan = server.client("yan", "notes").await;
    let zoe = server.client("zoe", "notes").await;
    // Two scripts that always write at the end they know, and never wait for each other.
    let scripts = ["ann", "bob"].map(|name| {
        let address = crate::support::Address::address(&server);
        tokio::spawn(async move {
            let (mut scribe, init) = Scribe::opens(&address, "notes", name).await;
            let mut text = init["content"].as_str().unwrap().to_owned();
            let mut revision = init["revision"].as_u64().unwrap();
            for n in 0..EDITS {
                let word = format!("{name}{n}😀 ");
                let length = text.chars().count();
                scribe.proposes(&n.to_string(), revision, json!([length, word])).await;
                // Everything that was before it, as the others wrote it; its own number is left out.
                loop {
                    let message = scribe.next().await.unwrap();
                    let payload = &message["payload"];
                    match message["type"].as_str().unwrap() {
                        "operation" => {
                            let number = payload["revision"].as_u64().unwrap();
                            if number != revision + 1 {
                                // Simple scripts begin anew instead of transforming.
                                continue;
                            }
                            revision = number;
                            text = apply(&payload["operation"], &text);
                        }
                        "ack" => break,
                        "presence" | "crowd" => {}
                        _ => panic!("{message}"),
                    }
                }
                scribe.says("init", json!({})).await;
                let init = scribe.hears("init").await;
                while scribe.next_is_old(&init) {}
                text = init["content"].as_str().unwrap().to_owned();
                revision = init["revision"].as_u64().unwrap();
            }
            text
        })
    });
    for n in 0..EDITS {
        yan.inserts(0, &format!("y{n}漢"));
        zoe.types("z");
        if n % 10 == 0 {
            settle(&[&yan, &zoe]).await;
        }
    }
    for script in scripts {
        script.await.unwrap();
    }
    settle(&[&yan, &zoe]).await;
    let (_, init) = Scribe::opens(&server, "notes", "cleo").await;
    let text = yan.text();
    assert_eq!(init["content"], text.as_str());
    for name in ["ann", "bob"] {
        for n in 0..EDITS {
            assert_eq!(text.matches(&format!("{name}{n}😀 ")).count(), 1, "{name}{n} in {text}");
        }
    }
    let stored = until_answer("it is stored", async || {
        let answer = rest::get(&server, "/api/v1/documents/notes/text").await;
        (answer.text() == text).then_some(())
    });
    stored.await;
}

/// What a script does with an operation that it hears.
fn apply(operation: &Value, text: &str) -> String {
    let mut characters = text.chars();
    let mut out = String::new();
    for part in operation.as_array().unwrap() {
        match part.as_i64() {
            Some(count) if count > 0 => out.extend(characters.by_ref().take(count as usize)),
            Some(count) => drop(characters.by_ref().take(count.unsigned_abs() as usize).last()),
            None => out.push_str(part.as_str().unwrap()),
        }
    }
    assert_eq!(characters.next(), None, "{operation} does not fit {text:?}");
    out
}
