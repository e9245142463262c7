//! Documents over plain HTTP: server-sent events and long polls down, requests up, beside people on WebSockets.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    Address, Client, TestServer, frames,
    plain::{self, Events},
    rest, until, until_answer,
};

/// Listens to a document's events, going on after `last_id` if there is one.
async fn listens(server: &impl Address, document: &str, last_id: Option<&str>) -> (Events, Value) {
    let events = Events::open(server.address(), document, last_id, None).await.expect("it is granted");
    let open = events.open.clone();
    (events, open)
}

/// Reads on until a frame begins so.
async fn hears(events: &mut Events, head: &[u8]) -> Vec<u8> {
    loop {
        let frame = events.hears().await.frame();
        if frame.starts_with(head) {
            return frame;
        }
    }
}

async fn says(server: &TestServer, document: &str, session: &Value, frame: Vec<u8>) -> rest::Answer {
    let session = session.as_str().unwrap();
    let path = format!("/api/v1/documents/{document}/messages?session={session}");
    rest::request(server, "POST", &path).body(frame).send().await
}

#[tokio::test]
async fn somebody_without_a_socket_writes_beside_somebody_with_one() {
    let server = TestServer::start().await;
    let bob = server.client("Bob", "plan").await;
    bob.types("Bob. ");
    let ann = Client::named("Ann");
    let (mut listener, open) = listens(&server, "plan", None).await;
    assert_eq!(open["resumed"], false);
    let session = &open["session"];
    assert_eq!(says(&server, "plan", session, frames::empty_step1()).await.status, 204);
    hears(&mut listener, &[0, 0]).await;
    ann.hears(&hears(&mut listener, &[0, 1]).await);
    assert_eq!(ann.text(), "Bob. ");
    // Down: what others write.
    bob.types("More. ");
    ann.hears(&hears(&mut listener, &[0, 2]).await);
    assert_eq!(ann.text(), "Bob. More. ");
    // Up: acknowledged once it is durable.
    ann.types("Ann.");
    assert_eq!(says(&server, "plan", session, frames::update(&ann.state())).await.status, 204);
    assert_eq!(hears(&mut listener, &[8]).await, [8, 1]);
    bob.reads("Bob. More. Ann.").await;
    // And presence, both ways.
    bob.shows(&json!({"name": "Bob"}));
    hears(&mut listener, &[1]).await;
    let seen = frames::awareness(&[(ann.id(), 1, r#"{"name":"Ann"}"#)]);
    assert_eq!(says(&server, "plan", session, seen).await.status, 204);
    bob.sees_soon(&ann, Some(&json!({"name": "Ann"}))).await;
}

#[tokio::test]
async fn a_stream_that_broke_off_goes_on_where_it_was() {
    let server = TestServer::start().await;
    let bob = server.client("Bob", "plan").await;
    let (mut listener, open) = listens(&server, "plan", None).await;
    says(&server, "plan", &open["session"], frames::empty_step1()).await;
    hears(&mut listener, &[0, 1]).await;
    let last = listener.last_id.clone();
    bob.types("one ");
    hears(&mut listener, &[0, 2]).await;
    drop(listener);
    bob.types("two ");
    bob.hears_all_so_far().await;
    // What had arrived after the id it names comes again, and what came meanwhile.
    let (mut again, reopened) = listens(&server, "plan", Some(&last)).await;
    assert_eq!(reopened, json!({"session": open["session"], "resumed": true}));
    let ann = Client::named("Ann");
    ann.hears(&hears(&mut again, &[0, 2]).await);
    ann.hears(&hears(&mut again, &[0, 2]).await);
    assert_eq!(ann.text(), "one two ");
    assert_eq!(server.metrics().connections.get(), 2);
    // For a session that is not known a new one is begun.
    let (_, fresh) = listens(&server, "plan", Some("01890000-0000-7000-8000-000000000000.5")).await;
    assert_eq!(fresh["resumed"], false);
    let (_, elsewhere) = listens(&server, "another", Some(&last)).await;
    assert_eq!(elsewhere["resumed"], false, "a session belongs to its document");
}

#[tokio::test]
async fn somebody_who_can_only_ask_asks_again_and_again() {
    let server = TestServer::start().await;
    let bob = server.client("Bob", "plan").await;
    bob.types("Bob. ");
    let ann = Client::named("Ann");
    let path = "/api/v1/documents/plan/poll";
    let session = &json!(plain::begin(server.address(), "plan").await.unwrap());
    says(&server, "plan", session, frames::empty_step1()).await;
    let mut after = 0;
    let mut statuses = 0;
    ann.types("Ann. ");
    says(&server, "plan", session, frames::update(&ann.state())).await;
    until_answer("both have both", async || {
        let path = format!("{path}?session={}&after={after}&wait=1", session.as_str().unwrap());
        let answer = rest::get(&server, &path).await.json();
        for message in answer["messages"].as_array().unwrap() {
            after = message["number"].as_u64().unwrap();
            let frame = plain::frame(message);
            match frame[..] {
                [0, 1 | 2, ..] => ann.hears(&frame),
                [8, 1] => statuses += 1,
                _ => {}
            }
        }
        (statuses == 1 && ann.text().contains("Bob. ") && bob.text().contains("Ann. ")).then_some(())
    })
    .await;
    // The same question again is answered the same again.
    let path = format!("{path}?session={}&after={}&wait=0", session.as_str().unwrap(), after - 1);
    let answer = rest::get(&server, &path).await.json();
    assert_eq!(answer["messages"][0]["number"], after);
    assert_eq!(answer["close"], Value::Null);
}

#[tokio::test]
async fn mistakes_are_answered_to_who_made_them_and_end_nothing() {
    let server = TestServer::start().await;
    let (mut listener, open) = listens(&server, "plan", None).await;
    let session = &open["session"];
    for (frame, code) in [
        (vec![], "refused_message"),
        (vec![0, 2, 3, 255, 255, 255], "refused_message"),
        (vec![99], "refused_message"),
    ] {
        let answer = says(&server, "plan", session, frame).await;
        assert_eq!((answer.status, answer.error().1.as_str()), (400, code));
    }
    let elsewhere = says(&server, "another", session, frames::empty_step1()).await;
    assert_eq!((elsewhere.status, elsewhere.error().1.as_str()), (404, "no_such_session"));
    let unnamed = rest::request(&server, "POST", "/api/v1/documents/plan/messages").send().await;
    assert_eq!(unnamed.error().1, "session_missing");
    let unknown = rest::get(&server, "/api/v1/documents/plan/events?colour=red").await;
    assert_eq!(unknown.error().1, "invalid_query");
    says(&server, "plan", session, frames::empty_step1()).await;
    hears(&mut listener, &[0, 1]).await;
}

#[tokio::test]
async fn a_document_in_the_trash_ends_the_stream_and_says_why() {
    let server = TestServer::start().await;
    let bob = server.client("Bob", "plan").await;
    bob.types("words");
    bob.hears_all_so_far().await;
    let (mut listener, open) = listens(&server, "plan", None).await;
    says(&server, "plan", &open["session"], frames::empty_step1()).await;
    hears(&mut listener, &[0, 1]).await;
    rest::delete(&server, "/api/v1/documents/plan").await;
    let closed = loop {
        let event = listener.hears().await;
        if event.kind == "close" {
            break event.json();
        }
    };
    assert_eq!((&closed["code"], &closed["retry"]), (&json!(4404), &json!(false)));
    let later = says(&server, "plan", &open["session"], frames::empty_step1()).await;
    assert_eq!(later.error().1, "no_such_session");
}

#[tokio::test]
async fn a_session_is_begun_by_a_post_and_by_nothing_else() {
    let server = TestServer::start().await;
    let path = "/api/v1/documents/plan";
    let nobody = uuid::Uuid::nil();
    for (question, answer) in [
        ("events".to_owned(), (400, "session_missing")),
        ("poll?wait=0".to_owned(), (400, "session_missing")),
        (format!("events?session={nobody}"), (404, "no_such_session")),
        (format!("poll?session={nobody}"), (404, "no_such_session")),
    ] {
        let (status, code) = rest::get(&server, &format!("{path}/{question}")).await.error();
        assert_eq!((status, code.as_str()), answer, "{question}");
    }
    let id = format!("{nobody}.7");
    let again =
        rest::request(&server, "GET", &format!("{path}/events")).header("last-event-id", &id).send().await;
    assert_eq!(again.error().1, "no_such_session");
    let said = rest::request(&server, "POST", &format!("{path}/messages?session={nobody}")).body(vec![0; 9]);
    assert_eq!(said.send().await.error().1, "no_such_session");
    assert_eq!(server.metrics().connections.get(), 0);
    // A page of another site may not.
    let begin = || rest::request(&server, "POST", "/api/v1/documents/plan/sessions");
    let elsewhere = begin().header("origin", "https://evil.example").send().await;
    assert_eq!(elsewhere.error(), (403, "origin_not_allowed".to_owned()));
    let begun = begin().send().await.expect(201).json();
    until("the session is there", || server.metrics().connections.get() == 1).await;
    // What it no longer has is not made up.
    let session = begun["session"].as_str().unwrap();
    let later = rest::get(&server, &format!("{path}/poll?session={session}&after=99")).await;
    assert_eq!(later.error(), (410, "messages_gone".to_owned()));
    let elsewhere = rest::get(&server, &format!("/api/v1/documents/other/poll?session={session}")).await;
    assert_eq!(elsewhere.error().1, "no_such_session");
}

#[tokio::test]
async fn who_ends_a_session_says_goodbye() {
    let setup = TestServer::setup().with(|config| config.document.presence.grace = Duration::from_secs(29));
    let server = setup.start().await;
    let bob = server.client("Bob", "plan").await;
    let (mut listener, open) = listens(&server, "plan", None).await;
    let ann = Client::named("Ann");
    let seen = frames::awareness(&[(ann.id(), 1, r#"{"name":"Ann"}"#)]);
    assert_eq!(says(&server, "plan", &open["session"], seen).await.status, 204);
    bob.sees_soon(&ann, Some(&json!({"name": "Ann"}))).await;
    let path = format!("/api/v1/documents/plan/sessions/{}", open["session"].as_str().unwrap());
    rest::delete(&server, &path).await.expect(204);
    bob.sees_soon(&ann, None).await;
    while listener.next().await.is_some() {}
    until_answer("it is forgotten", async || {
        (rest::delete(&server, &path).await.status == 404).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_place_is_given_back_with_the_memory() {
    let setup = TestServer::setup()
        .settings(|set| set.max_connections = Some(9))
        .with(|config| config.http.connection.feed_patience = Duration::from_secs(600));
    let server = setup.start().await;
    let address = server.address();
    rest::post(&server, "/api/v1/documents", &json!({"name": "plan"})).await.expect(201);
    let begin = async |document: &str| plain::begin(address, document).await;
    let mut sessions = Vec::new();
    while sessions.len() < 8 {
        // The place of the question before may not be free yet.
        sessions.push(until_answer("there is a place", || begin("plan")).await);
    }
    // The ninth place is that of whoever asks.
    assert!(begin("plan").await.is_none());
    until_answer("the document is put away", async || {
        (rest::delete(&server, "/api/v1/documents/plan").await.status != 503).then_some(())
    })
    .await;
    // The sessions have ended, and nobody was told: what they say last is kept, and so are their places.
    until("all have ended", || server.metrics().connections.get() == 0).await;
    assert!(begin("other").await.is_none(), "their memory is not free");
    for session in sessions {
        let mut after = 0;
        until_answer("it hears its last words", async || {
            let query = format!("session={session}&after={after}&wait=5");
            let (_, answer) = plain::poll(address, "plan", &query).await?;
            if let Some(last) = answer["messages"].as_array().and_then(|messages| messages.last()) {
                after = last["number"].as_u64().unwrap();
            }
            (answer["close"]["code"] == 4404).then_some(())
        })
        .await;
    }
    until_answer("the places are free", || begin("other")).await;
}
