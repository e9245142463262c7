//! An acknowledgement means durable; what cannot be stored is kept and not acknowledged; what is damaged is
//! refused and never shown empty.

use std::time::{Duration, Instant};

use serde_json::json;
use weft::store::{StoreError, faulty::WriteFault};

use crate::support::{
    Address, Client, PATIENCE, Raw, Talk, TestServer, Typist, frames, rest, server::name, settle, until,
    until_answer,
};

fn broken() -> WriteFault {
    WriteFault::Fail(StoreError::Unwritable("the disk is on fire".to_owned()))
}

#[tokio::test]
async fn a_restart_keeps_everything() {
    let mut server = TestServer::start().await;
    let mut ann = Client::named("ann").acknowledged().opens(&server, "notes").await;
    ann.types("first, ");
    ann.sets("title", "Notes");
    ann.pushes("item");
    ann.saved().await;
    let mut bob = server.client("bob", "other").await;
    bob.types("of another document");
    bob.hears_all_so_far().await;
    let content = ann.content();

    server.restart().await;
    // Neither brings anything along: all comes from the server.
    let fresh = server.client("fresh", "notes").await;
    assert_eq!(fresh.content(), content);
    assert_eq!(server.client("fresh", "other").await.text(), "of another document");

    assert_eq!(ann.is_closed().await, Some(1012));
    assert_eq!(bob.is_closed().await, Some(1012));
    ann.comes_back(&server).await;
    ann.types("second");
    settle(&[&ann, &fresh]).await;
    assert_eq!(fresh.text(), "first, second");
}

#[tokio::test]
async fn many_restarts_and_checkpoints_keep_everything_once() {
    let setup = TestServer::setup().with(|config| config.document.checkpoint_bytes = 500);
    let mut server = setup.start().await;
    let mut expected = String::new();
    for round in 0..5 {
        let ann = Client::named("ann").acknowledged().opens(&server, "notes").await;
        assert_eq!(ann.text(), expected);
        for n in 0..40 {
            let line = format!("round {round} line {n}\n");
            ann.types(&line);
            expected += &line;
        }
        ann.saved().await;
        server.restart().await;
    }
    assert_eq!(server.client("bob", "notes").await.text(), expected);
    let stored = server.store().load(name("notes")).await.unwrap().unwrap();
    assert!(stored.checkpoint.is_some(), "no checkpoint was ever written");
}

#[tokio::test]
async fn while_nothing_can_be_stored_editing_goes_on_and_nothing_is_acknowledged() {
    let server = TestServer::setup().faulty().start().await;
    let ann = Client::named("ann").acknowledged().opens(&server, "notes").await;
    let bob = server.client("bob", "notes").await;
    ann.types("stored. ");
    ann.saved().await;
    rest::get(&server, "/readyz").await.expect(200);

    server.faults().writes(broken());
    ann.types("not stored. ");
    bob.reads("stored. not stored. ").await;
    bob.types("still editing. ");
    settle(&[&ann, &bob]).await;
    until("the failure is counted", || server.metrics().store_failures.get() >= 2).await;
    assert_eq!(ann.unsaved(), 1, "what is not stored was acknowledged");
    assert!(server.metrics().journal_backlog_bytes.get() > 0);
    assert_eq!(rest::get(&server, "/readyz").await.error(), (503, "store_unwritable".to_owned()));
    rest::get(&server, "/livez").await.expect(200);
    let metrics = rest::get(&server, "/metrics").await.expect(200);
    assert!(metrics.text().contains("weft_store_writable 0"));
    // Somebody who joins now sees what the others see.
    let carl = server.client("carl", "notes").await;
    settle(&[&ann, &bob, &carl]).await;

    server.faults().heal();
    ann.saved().await;
    until("nothing waits", || server.metrics().journal_backlog_bytes.get() == 0).await;
    rest::get(&server, "/readyz").await.expect(200);
    assert!(rest::get(&server, "/metrics").await.text().contains("weft_store_writable 1"));
}

#[tokio::test]
async fn what_was_acknowledged_after_a_failure_survives_a_restart() {
    let mut server = TestServer::setup().faulty().start().await;
    let ann = Client::named("ann").acknowledged().opens(&server, "notes").await;
    // The worst kind: stored, and yet an error. Writing it again must not double it.
    server.faults().writes(WriteFault::Ambiguous(StoreError::Unwritable("who knows".to_owned())));
    for n in 0..10 {
        ann.types(&format!("{n} "));
    }
    until("it fails", || server.metrics().store_failures.get() >= 2).await;
    assert_eq!(ann.unsaved(), 10);
    server.faults().heal();
    ann.saved().await;
    server.restart().await;
    assert_eq!(server.client("bob", "notes").await.text(), "0 1 2 3 4 5 6 7 8 9 ");
}

#[tokio::test]
async fn past_the_bound_writers_are_sent_away_until_the_store_recovers() {
    let setup = TestServer::setup().faulty().with(|config| config.document.journal.limit_bytes = 20_000);
    let mut server = setup.start().await;
    let mut ann = Client::named("ann").acknowledged().opens(&server, "notes").await;
    let reader = server.client("reader", "notes").await;
    server.faults().writes(broken());
    let mut written = 0;
    while ann.is_online() && written < 200 {
        ann.types(&"x".repeat(1000));
        written += 1;
        // One after the other, so that the bound is met between two.
        let expected = written * 1000;
        until("it is shown or refused", || !ann.is_online() || reader.text().len() == expected).await;
    }
    assert_eq!(ann.is_closed().await, Some(1013));
    assert!((20..30).contains(&written), "{written} KB were taken at a bound of 20");
    assert_eq!(server.refused("journal_full"), 1);
    assert!(reader.is_online(), "who only reads may stay");
    assert_eq!(reader.text().len(), (written - 1) * 1000, "and sees what was taken");
    let refused = rest::request(&server, "POST", "/api/v1/documents/notes/updates").body(ann.state()).send();
    assert_eq!(refused.await.error(), (503, "store_unwritable".to_owned()));

    server.faults().heal();
    until("all of it is stored", || server.metrics().journal_backlog_bytes.get() == 0).await;
    ann.comes_back(&server).await;
    ann.saved().await;
    settle(&[&ann, &reader]).await;
    assert_eq!(reader.text().len(), written * 1000);
    server.restart().await;
    assert_eq!(server.client("fresh", "notes").await.text().len(), written * 1000);
}

#[tokio::test]
async fn a_slow_store_delays_the_acknowledgement_and_nothing_else() {
    let server = TestServer::setup().faulty().start().await;
    let ann = Client::named("ann").acknowledged().opens(&server, "notes").await;
    let bob = server.client("bob", "notes").await;
    server.faults().writes(WriteFault::Stall);
    ann.types("one ");
    server.faults().stalled(1).await;
    for word in ["two ", "three ", "four"] {
        ann.types(word);
    }
    bob.reads("one two three four").await;
    assert_eq!(ann.unsaved(), 4);
    let before = server.faults().stored_appends();
    server.faults().heal();
    ann.saved().await;
    let appends = server.faults().stored_appends() - before;
    assert_eq!(appends, 2, "what waited together is stored together");
}

#[tokio::test]
async fn a_disk_that_stops_writing_lets_nobody_say_saved_in_any_dialect() {
    let setup = TestServer::setup().faulty().with(|config| config.document.answer_within = PATIENCE);
    let server = setup.start().await;
    let everybody = [
        Client::named("by echo").acknowledged(),
        Client::named("by status").over_hocuspocus(),
        Client::named("by event").over_events(),
        Client::named("by poll").over_polls(),
    ];
    let mut people = Vec::new();
    for client in everybody {
        let client = client.opens(&server, "notes").await;
        client.saved().await;
        people.push(client);
    }
    let typist = Typist::opens(&server, "notes", "typist", None).await;

    server.faults().writes(WriteFault::Stall);
    for person in &people {
        person.types(&format!("{}. ", person.name));
    }
    typist.inserts(0, "by ack. ");
    let other = Client::named("by request");
    other.types("by request. ");
    let body = other.state().to_vec();
    let address = server.address();
    let request = tokio::spawn(async move {
        rest::request(&address, "POST", "/api/v1/documents/notes/updates").body(body).send().await
    });
    // Everybody sees everything, and has heard all that there was to be heard before that.
    let sees_all = |text: &str| {
        let names = people.iter().map(|person| person.name.as_str());
        names.chain(["by ack", "by request"]).all(|name| text.contains(name))
    };
    for person in &people {
        until(&format!("{} sees everything", person.name), || sees_all(&person.text())).await;
        person.hears_all_so_far().await;
        assert!(person.unsaved() > 0, "{} was told that it is saved", person.name);
    }
    until("the typist sees everything", || sees_all(&typist.text())).await;
    assert!(!typist.is_saved() && !request.is_finished());
    assert_eq!(rest::get(&server, "/api/v1/documents/notes/text").await.text(), typist.text());

    server.faults().heal();
    for person in &people {
        person.saved().await;
        assert_eq!(person.refusals(), 0);
    }
    until("the typist is told", || typist.is_saved()).await;
    request.await.unwrap().expect(200);
}

#[tokio::test]
async fn a_request_is_not_kept_waiting_for_a_store_that_does_not_answer() {
    let server = TestServer::setup().faulty().start().await;
    let reader = server.client("reader", "notes").await;
    let post = async |author: &Client| {
        let begun = Instant::now();
        let request = rest::request(&server, "POST", "/api/v1/documents/notes/updates");
        let answer = request.body(author.state()).send().await;
        assert!(begun.elapsed() < Duration::from_secs(5), "it was kept waiting for {:?}", begun.elapsed());
        answer
    };
    let author = Client::named("author");
    // Whether the disk says nothing, or says no while they wait: when they asked, nobody knew.
    for then in [WriteFault::Stall, broken()] {
        author.types("taken. ");
        server.faults().writes(WriteFault::Stall);
        let fails = async {
            server.faults().stalled(1).await;
            server.faults().writes(then);
        };
        let (answer, ()) = tokio::join!(post(&author), fails);
        assert_eq!(answer.error(), (503, "store_unwritable".to_owned()));
        assert!(answer.text().contains("sending it once more does no harm"), "{}", answer.text());
        assert!(!answer.header("retry-after").is_empty());
        server.faults().heal();
        until("it is stored all the same", || server.metrics().journal_backlog_bytes.get() == 0).await;
    }
    reader.reads("taken. taken. ").await;

    // Once it knows, nothing is taken of which nobody could be told what became of it.
    server.faults().writes(broken());
    author.types("refused.");
    let answer = post(&author).await;
    assert_eq!(answer.error(), (503, "store_unwritable".to_owned()));
    assert!(!answer.header("retry-after").is_empty());
    assert_eq!(reader.text(), "taken. taken. ");
    server.faults().heal();
    post(&author).await.expect(200);
    reader.reads("taken. taken. refused.").await;
}

#[tokio::test]
async fn no_order_waits_for_a_disk_that_does_not_answer_and_all_are_carried_out_when_it_does() {
    let mut server = TestServer::setup().faulty().start().await;
    let documents = "/api/v1/documents";
    let of = |name: &str| format!("{documents}/{name}");
    for name in ["trashed", "restored", "deleted", "attached"] {
        let ann = Client::named("ann").acknowledged().opens(&server, name).await;
        ann.types("words");
        ann.saved().await;
    }
    rest::delete(&server, &of("restored")).await.expect(200);
    let attached = rest::request(&server, "POST", &format!("{documents}/attached/attachments"));
    let attached = attached.body("of before").send().await.expect(201).json();
    let attachment = format!("{documents}/attached/attachments/{}", attached["id"].as_str().unwrap());

    let address = server.address();
    let ask = async |method: &str, path: &str, body: &str| {
        let begun = Instant::now();
        let request = rest::request(&address, method, path).body(body.to_owned());
        let request =
            if body.starts_with('{') { request.header("content-type", "application/json") } else { request };
        let answer = request.send().await;
        assert!(begun.elapsed() < Duration::from_secs(5), "{method} {path} took {:?}", begun.elapsed());
        answer
    };
    let attachments = of("attached/attachments");
    let orders = [
        ("POST", documents, r#"{"name":"made"}"#),
        ("DELETE", &of("trashed"), ""),
        ("POST", &of("restored/restore"), ""),
        ("DELETE", &of("deleted?permanent=true"), ""),
        ("POST", &attachments, "a file"),
        ("DELETE", &attachment, ""),
    ];
    server.faults().writes(WriteFault::Stall);
    let all = orders.map(|(method, path, body)| ask(method, path, body));
    for (answer, order) in futures_util::future::join_all(all).await.iter().zip(&orders) {
        assert_eq!(answer.error(), (503, "store_unwritable".to_owned()), "{order:?}");
        assert!(!answer.header("retry-after").is_empty(), "{order:?}");
        assert!(answer.text().contains("asking once more does no harm"), "{}", answer.text());
    }
    // Neither does anybody else who asks about them, and what is not known to be done is not said to be.
    for (name, state) in [("trashed", "live"), ("restored", "trashed"), ("deleted", "live")] {
        let document = ask("GET", &of(name), "").await.expect(200).json();
        assert_eq!(document["state"], state, "{name}");
    }
    assert_eq!(ask("DELETE", &of("trashed"), "").await.error(), (503, "store_unwritable".to_owned()));
    assert_eq!(
        ask("POST", documents, r#"{"name":"made"}"#).await.error(),
        (503, "store_unwritable".to_owned())
    );
    let mut raw = Raw::open(&server, "deleted").await;
    raw.send(frames::empty_step1()).await;
    assert_eq!(raw.next().await, Err(Some(1013)), "whether it is still there is not known");
    assert_eq!(server.faults().stored_appends(), 4);

    server.faults().heal();
    for (name, state) in [("made", 200), ("trashed", 200), ("restored", 200), ("deleted", 410)] {
        until_answer(name, async || {
            let answer = rest::get(&address, &of(name)).await;
            let expected = match name {
                "trashed" => "trashed",
                "deleted" => return (answer.status == 410).then_some(()),
                _ => "live",
            };
            (answer.status == state && answer.json()["state"] == expected).then_some(())
        })
        .await;
    }
    // Asked once more, it is as if they had been asked once.
    ask("POST", documents, r#"{"name":"made"}"#).await.expect(200);
    ask("DELETE", &of("trashed"), "").await.expect(200);
    ask("POST", &of("restored/restore"), "").await.expect(200);
    assert_eq!(ask("DELETE", &of("deleted?permanent=true"), "").await.error().0, 410);
    ask("POST", &attachments, "a file").await.expect(200);
    assert_eq!(ask("DELETE", &attachment, "").await.error(), (404, "no_such_attachment".to_owned()));
    // The deleted one begins anew, empty.
    ask("POST", documents, r#"{"name":"deleted"}"#).await.expect(201);
    let new = Client::named("new").acknowledged().opens(&server, "deleted").await;
    new.types("anew");
    new.saved().await;
    server.restart().await;
    assert_eq!(server.client("fresh", "deleted").await.text(), "anew");
    assert_eq!(server.client("fresh", "restored").await.text(), "words");
}

#[tokio::test]
async fn nobody_waits_for_reads_of_a_disk_that_does_not_answer() {
    let setup = TestServer::setup().faulty().with(|config| {
        config.document.answer_within = Duration::from_millis(500);
        config.document.read_within = Duration::from_millis(500);
    });
    let mut server = setup.start().await;
    let ann = Client::named("ann").acknowledged().opens(&server, "notes").await;
    ann.types("words");
    ann.saved().await;
    let of = |what: &str| format!("/api/v1/documents/notes{what}");
    let attached = rest::request(&server, "POST", &of("/attachments")).body("a file").send().await;
    let attachment = attached.expect(201).json()["url"].as_str().unwrap().to_owned();
    let mut talk = Talk::open(&server, "/chat/notes?name=Ann").await;
    talk.hears("history").await;
    talk.says("message", json!({"id": "first-message", "text": "hello"})).await;
    talk.hears("message").await;
    drop(talk);
    // Nothing of it is in memory any more.
    server.restart().await;
    server.faults().hang_reads(true);

    let address = server.address();
    let ask = async |method: &str, path: &str| rest::request(&address, method, path).send().await;
    let (updates, trashed) = (of("/updates"), of(""));
    let reads = ["", "/state", "/text", "/json", "/attachments", "/chat"].map(of);
    let reads = reads.iter().chain([&attachment]).map(|path| ("GET", path.as_str()));
    let all = reads.chain([("POST", updates.as_str()), ("DELETE", trashed.as_str())]);
    let refused = futures_util::future::join_all(all.map(async |(method, path)| {
        let body = if method == "POST" { ann.state().to_vec() } else { Vec::new() };
        let answer = rest::request(&address, method, path).body(body).send().await;
        assert_eq!(answer.error(), (503, "store_unwritable".to_owned()), "{method} {path}");
        assert!(!answer.header("retry-after").is_empty(), "{method} {path}");
    }));
    let opened = async {
        let mut raw = Raw::open(&server, "notes").await;
        raw.send(frames::empty_step1()).await;
        assert_eq!(raw.next().await, Err(Some(1013)), "y-websocket");
    };
    let edited = async {
        let mut talk = Talk::open(&server, "/collab/notes/ann").await;
        assert_eq!(talk.closed().await, Some(1013), "JSON editing");
    };
    let said = async {
        let mut talk = Talk::open(&server, "/chat/notes?name=Ann").await;
        assert_eq!(talk.closed().await, Some(1013), "chat");
    };
    tokio::join!(refused, opened, edited, said);
    // What is known without reading is answered.
    let listed = ask("GET", "/api/v1/documents").await.expect(200).json();
    assert_eq!(listed["documents"][0]["name"], "notes");
    ask("GET", "/readyz").await.expect(200);

    server.faults().heal();
    assert_eq!(server.client("fresh", "notes").await.text(), "words");
    assert_eq!(ask("GET", &attachment).await.expect(200).body, b"a file");
    let chat = ask("GET", &of("/chat")).await.expect(200).json();
    assert_eq!(chat["messages"][0]["text"], "hello");
}

/// Two orders, one of which would be answered in time.
#[tokio::test]
async fn making_a_document_with_a_title_has_one_bound() {
    let within = Duration::from_secs(4);
    let setup = TestServer::setup().faulty().with(move |config| config.document.answer_within = within);
    let server = setup.start().await;
    server.faults().writes(WriteFault::Slow(within * 4 / 5));
    let wanted = json!({"name": "notes", "title": "Notes"});
    let made = rest::post(&server, "/api/v1/documents", &wanted).await;
    assert_eq!(made.error(), (503, "store_unwritable".to_owned()));
    // It was taken all the same.
    server.faults().heal();
    until_answer("it has its title", async || {
        let found = rest::get(&server, "/api/v1/documents/notes").await;
        (found.status == 200 && found.json()["title"] == "Notes").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_making_that_was_cut_off_gives_the_title_when_it_is_asked_for_again() {
    let within = Duration::from_millis(300);
    let setup = TestServer::setup().faulty().with(move |config| config.document.answer_within = within);
    let server = setup.start().await;
    let ask = async |wanted| rest::post(&server, "/api/v1/documents", &wanted).await;
    let unstored = (503, "store_unwritable".to_owned());
    let until_it_has_it = async |wanted: &serde_json::Value| {
        let made = until_answer("the store answers again", async || {
            let made = ask(wanted.clone()).await;
            (made.status != 503).then_some(made)
        });
        assert_eq!(made.await.expect(200).json()["title"], wanted["title"]);
    };

    let whole = json!({"name": "whole", "title": "It had not been made"});
    server.faults().writes(WriteFault::Stall);
    assert_eq!(ask(whole.clone()).await.error(), unstored);
    server.faults().heal();
    until_it_has_it(&whole).await;

    ask(json!({"name": "half"})).await.expect(201);
    let half = json!({"name": "half", "title": "It had no title yet"});
    server.faults().writes(WriteFault::Stall);
    assert_eq!(ask(half.clone()).await.error(), unstored);
    assert_eq!(ask(half.clone()).await.error(), unstored, "it is in memory, and not stored");
    server.faults().heal();
    until_it_has_it(&half).await;

    let other = json!({"name": "half", "title": "Another"});
    assert_eq!(
        ask(other).await.expect(200).json()["title"],
        half["title"],
        "what was there is left as it is"
    );
}

#[tokio::test]
async fn the_list_does_not_wait_for_a_document_that_waits_for_the_disk() {
    // So that nothing else than the list's own patience ends.
    let never = Duration::from_secs(3600);
    let setup = TestServer::setup().faulty().with(move |config| config.document.answer_within = never);
    let server = setup.start().await;
    let ann = Client::named("ann").acknowledged().opens(&server, "notes").await;
    ann.types("words");
    ann.saved().await;
    server.faults().writes(WriteFault::Stall);
    let address = server.address();
    let making =
        tokio::spawn(
            async move { rest::post(&address, "/api/v1/documents", &json!({"name": "notes"})).await },
        );
    server.faults().stalled(1).await;
    let listed = rest::get(&server, "/api/v1/documents").await.expect(200).json();
    let document = &listed["documents"][0];
    assert_eq!(
        (&document["name"], &document["editors"], &document["people"]),
        (&json!("notes"), &json!(1), &json!([]))
    );
    server.faults().heal();
    making.await.unwrap().expect(200);
}

#[tokio::test]
async fn a_state_that_was_encoded_before_a_deletion_is_not_that_of_the_next_document() {
    let setup = TestServer::setup().faulty().with(|config| config.document.checkpoint_bytes = 1_000);
    let mut server = setup.start().await;
    let old = Client::named("old").acknowledged().opens(&server, "notes").await;
    server.faults().hold_checkpoints(true);
    old.types(&"secret ".repeat(500));
    old.saved().await;
    server.faults().held_checkpoints(1).await;
    rest::delete(&server, "/api/v1/documents/notes?permanent=true").await.expect(204);
    rest::post(&server, "/api/v1/documents", &serde_json::json!({"name": "notes"})).await.expect(201);
    let new = Client::named("new").acknowledged().opens(&server, "notes").await;
    // As many changes as the old one had, and more.
    for word in ["some ", "other ", "words. "] {
        new.types(word);
        new.saved().await;
    }
    server.faults().hold_checkpoints(false);
    server.faults().held_checkpoints(0).await;
    new.types("And more.");
    new.saved().await;
    let stored = async |server: &TestServer| server.store().load(name("notes")).await.unwrap().unwrap();
    assert_eq!(stored(&server).await.checkpoint, None, "the old document's state became the new one's");

    // A state of its own is still written when it is due.
    new.types(&"x".repeat(4_000));
    new.saved().await;
    let text = new.text();
    until_answer("a state is stored", async || stored(&server).await.checkpoint).await;
    server.restart().await;
    assert_eq!(server.client("fresh", "notes").await.text(), text);
}

#[tokio::test]
async fn a_damaged_document_is_refused_and_never_empty() {
    let mut server = TestServer::setup().faulty().start().await;
    let mut ann = Client::named("ann").acknowledged().opens(&server, "precious").await;
    ann.types("irreplaceable");
    ann.saved().await;
    ann.leaves().await;
    server.restart().await;
    server.faults().damage(&name("precious"));
    let mut raw = Raw::open(&server, "precious").await;
    raw.send(frames::empty_step1()).await;
    assert_eq!(raw.next().await, Err(Some(1011)), "something was said about it");
    for path in ["", "/state", "/text", "/json"] {
        let answer = rest::get(&server, &format!("/api/v1/documents/precious{path}")).await;
        assert_eq!(answer.error(), (500, "damaged".to_owned()), "{path}");
    }
    let update = rest::request(&server, "POST", "/api/v1/documents/precious/updates").body(ann.state());
    assert_eq!(update.send().await.error(), (500, "damaged".to_owned()));
    assert_eq!(server.faults().stored_appends(), 0, "something was written over it");

    // The others do not notice.
    let bob = server.client("bob", "other").await;
    let carl = server.client("carl", "other").await;
    bob.types("all is well");
    settle(&[&bob, &carl]).await;
}

#[tokio::test]
async fn a_document_that_cannot_be_read_now_opens_when_it_can() {
    let server = TestServer::setup().faulty().start().await;
    let mut ann = Client::named("ann").acknowledged().opens(&server, "notes").await;
    server.faults().loads(Some(StoreError::Unwritable("away".to_owned())));
    let mut raw = Raw::open(&server, "other").await;
    raw.send(frames::empty_step1()).await;
    assert_eq!(raw.next().await, Err(Some(1011)));
    ann.types("who is inside stays inside");
    ann.saved().await;
    server.faults().heal();
    until("the refusal is forgotten", || server.registry().len() == 1).await;
    let bob = server.client("bob", "other").await;
    bob.types("here we are");
    bob.hears_all_so_far().await;
    ann.leaves().await;
}

#[tokio::test]
async fn bytes_that_are_damaged_on_disk_are_refused() {
    // What the store returns intact and what yrs cannot read is damage all the same.
    let server = TestServer::start().await;
    let update = weft::store::LoggedUpdate {
        bytes: bytes::Bytes::from_static(b"\xff\xff\xff\x7f"),
        origin: None,
        at: weft::ids::Timestamp(1),
    };
    let append = weft::store::Append { document: name("precious"), updates: vec![update], summary: None };
    server.store().append(vec![append]).await.unwrap();
    let mut raw = Raw::open(&server, "precious").await;
    raw.send(frames::empty_step1()).await;
    assert_eq!(raw.next().await, Err(Some(1011)));
    let answer = rest::get(&server, "/api/v1/documents/precious/text").await;
    assert_eq!(answer.error(), (500, "damaged".to_owned()));
    let stored = server.store().load(name("precious")).await.unwrap().unwrap();
    assert_eq!(&*stored.tail[0].bytes, b"\xff\xff\xff\x7f", "untouched");
    assert!(stored.checkpoint.is_none());
}

#[tokio::test]
async fn making_a_document_keeps_the_text_that_waits_for_the_store() {
    // Between two attempts there is all the time in the world.
    let setup = TestServer::setup().faulty().with(|config| {
        config.document.journal.retry_min = Duration::from_secs(3);
        config.document.journal.retry_max = Duration::from_secs(3);
    });
    let mut server = setup.start().await;
    let ann = Client::named("ann").acknowledged().opens(&server, "notes").await;
    server.faults().writes(broken());
    ann.types("written before the document was made");
    ann.hears_all_so_far().await;
    until("the store fails", || server.metrics().store_failures.get() >= 1).await;
    server.faults().heal();
    let made = rest::request(&server, "POST", "/api/v1/documents").body(r#"{"name":"notes"}"#);
    made.header("content-type", "application/json").send().await.expect(201);
    assert_ne!(server.metrics().journal_backlog_bytes.get(), 0, "it has not been tried again yet");
    ann.saved().await;
    let bob = server.client("bob", "notes").await;
    assert_eq!(bob.text(), "written before the document was made");
    server.restart().await;
    assert_eq!(server.client("carl", "notes").await.text(), "written before the document was made");
}
