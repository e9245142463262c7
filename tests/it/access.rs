//! The door: who may do what, over every route and in every dialect, by tokens that another program has signed.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use weft::{
    auth::{
        Access,
        tokens::{Claims, mint},
    },
    config::Config,
    ids::Timestamp,
};

use crate::support::{
    Client, Raw, Setup, Talk, TestServer, Weft, frames, process, repository,
    rest::{self, Answer, get, request},
    until,
};

/// What stands in `tests/fixtures/keys/secret`.
const SECRET: &str = "the-secret-of-the-tests-which-is-long-enough";

/// A server that lets nobody in without a token.
async fn closed() -> TestServer {
    setup().start().await
}

fn setup() -> Setup {
    TestServer::setup()
        .settings(|settings| settings.token_keys = Some(vec![repository("tests/fixtures/keys/secret")]))
}

fn now() -> f64 {
    (Timestamp::now().0 / 1000) as f64
}

fn claims(documents: &str, access: Access) -> Claims {
    let documents = vec![documents.to_owned()];
    Claims { sub: "ann".into(), documents, access: Some(access), exp: now() + 600.0, ..Claims::default() }
}

fn token(documents: &str, access: Access) -> String {
    mint(SECRET.as_bytes(), &claims(documents, access)).unwrap()
}

/// What somebody must be allowed for a route.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Needs {
    /// Nothing: it tells nobody anything.
    Nothing,
    /// To be known.
    AnyToken,
    /// That in the document.
    In(Access),
    /// To run the server.
    Operator,
    /// The id of a session, which whoever knows it has been given at the door.
    Session,
}

/// Every route. One that is not here fails.
fn rows() -> BTreeMap<(&'static str, &'static str), Needs> {
    use Access::{Own, Read, Write};
    use Needs::{AnyToken, In, Nothing, Operator, Session};
    BTreeMap::from([
        (("get", "/livez"), Nothing),
        (("get", "/readyz"), Nothing),
        (("get", "/api/v1/openapi.json"), Nothing),
        (("get", "/metrics"), Operator),
        (("get", "/api/v1/documents"), AnyToken),
        (("post", "/api/v1/documents"), In(Write)),
        (("get", "/api/v1/documents/{name}"), In(Read)),
        (("delete", "/api/v1/documents/{name}"), In(Own)),
        (("post", "/api/v1/documents/{name}/restore"), In(Own)),
        (("get", "/api/v1/documents/{name}/state"), In(Read)),
        (("get", "/api/v1/documents/{name}/text"), In(Read)),
        (("get", "/api/v1/documents/{name}/markdown"), In(Read)),
        (("get", "/api/v1/documents/{name}/html"), In(Read)),
        (("get", "/api/v1/documents/{name}/json"), In(Read)),
        (("post", "/api/v1/documents/{name}/updates"), In(Write)),
        (("post", "/api/v1/documents/{name}/stateless"), In(Write)),
        (("post", "/api/v1/documents/{name}/sessions"), In(Read)),
        (("delete", "/api/v1/documents/{name}/sessions/{session}"), Session),
        (("get", "/api/v1/documents/{name}/events"), Session),
        (("get", "/api/v1/documents/{name}/poll"), Session),
        (("post", "/api/v1/documents/{name}/messages"), Session),
        (("get", "/api/v1/documents/{name}/chat"), In(Read)),
        (("get", "/api/v1/documents/{name}/attachments"), In(Read)),
        (("post", "/api/v1/documents/{name}/attachments"), In(Write)),
        (("get", "/api/v1/documents/{name}/attachments/{id}"), In(Read)),
        (("delete", "/api/v1/documents/{name}/attachments/{id}"), In(Write)),
    ])
}

/// Somebody who comes.
struct Comer {
    who: &'static str,
    brings: Option<String>,
    /// What they may do in the document, if anybody knows who they are.
    may: Option<Access>,
}

fn comers() -> Vec<Comer> {
    let expired = Claims { exp: now() - 61.0, ..claims("*", Access::Own) };
    let other_key = mint(b"another-secret-which-is-long-enough-too", &claims("*", Access::Own)).unwrap();
    let none = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4iLCJleHAiOjk5OTk5OTk5OTl9.".to_owned();
    let unknown = |who, brings| Comer { who, brings, may: None };
    let known = |who, token, may| Comer { who, brings: Some(token), may: Some(may) };
    vec![
        unknown("nobody", None),
        unknown("with nonsense", Some("nonsense".to_owned())),
        unknown("with an expired token", Some(mint(SECRET.as_bytes(), &expired).unwrap())),
        unknown("with one of another key", Some(other_key)),
        unknown("with one that is not signed", Some(none)),
        known("for another document", token("plans", Access::Own), Access::None),
        known("for those below it", token("plan/*", Access::Own), Access::None),
        known("read", token("plan", Access::Read), Access::Read),
        known("comment", token("plan", Access::Comment), Access::Comment),
        known("write", token("plan", Access::Write), Access::Write),
        known("own", token("plan", Access::Own), Access::Own),
        known(OPERATOR, token("*", Access::Own), Access::Own),
    ]
}

const OPERATOR: &str = "everything";

async fn asks(server: &TestServer, method: &str, path: &str, token: Option<&str>) -> Answer {
    let path = path.replace("{name}", "plan").replace("{id}", "00000000-0000-4000-8000-000000000000");
    let path = path.replace("{session}", "00000000-0000-4000-8000-000000000000");
    let path = match path.rsplit('/').next() {
        Some("poll" | "events" | "messages") => {
            format!("{path}?session=00000000-0000-4000-8000-000000000000")
        }
        _ => path,
    };
    let mut asked = request(server, &method.to_uppercase(), &path);
    if let Some(token) = token {
        asked = asked.header("authorization", &format!("Bearer {token}"));
    }
    let body: Vec<u8> = match (method, path.rsplit('/').next()) {
        ("post", Some("documents")) => json!({ "name": "plan" }).to_string().into(),
        ("post", Some("updates")) => vec![0, 0],
        ("post", Some("attachments")) => b"words".to_vec(),
        _ => Vec::new(),
    };
    if method == "post" { asked.body(body).send().await } else { asked.send().await }
}

/// What of an answer says whether somebody may.
fn verdict(answer: &Answer) -> &'static str {
    let code = serde_json::from_slice::<Value>(&answer.body).unwrap_or_default()["error"]["code"].clone();
    match (answer.status, code.as_str()) {
        (401, Some("unauthorized")) => "unknown",
        (404, Some("not_found")) => "hidden",
        (403, Some("forbidden")) => "forbidden",
        _ => "allowed",
    }
}

#[tokio::test]
async fn every_route_asks_who_it_is_and_what_they_may() {
    let server = closed().await;
    let description: Value = get(&server, "/api/v1/openapi.json").await.expect(200).json();
    let routes = description["paths"].as_object().unwrap().iter().flat_map(|(path, item)| {
        item.as_object()
            .unwrap()
            .keys()
            .filter(|method| *method != "parameters")
            .map(move |method| (method.as_str(), path.as_str()))
    });
    let (rows, mut seen) = (rows(), 0);
    let everything = token("*", Access::Own);
    for (method, path) in routes {
        let needs =
            *rows.get(&(method, path)).unwrap_or_else(|| panic!("{method} {path} has no row: who may?"));
        seen += 1;
        for Comer { who, brings, may } in comers() {
            let expected = match (needs, may) {
                (Needs::Nothing | Needs::Session, _) => "allowed",
                (_, None) => "unknown",
                (Needs::AnyToken, _) => "allowed",
                (Needs::Operator, _) if who == OPERATOR => "allowed",
                (Needs::In(_), Some(Access::None)) => "hidden",
                (Needs::In(needs), Some(has)) if has >= needs => "allowed",
                (Needs::Operator | Needs::In(_), _) => "forbidden",
            };
            // Made anew where the one before deleted it.
            asks(&server, "post", "/api/v1/documents", Some(&everything)).await;
            asks(&server, "post", "/api/v1/documents/{name}/restore", Some(&everything)).await;
            let before =
                asks(&server, "get", "/api/v1/documents/{name}", Some(&everything)).await.expect(200);
            let answer = asks(&server, method, path, brings.as_deref()).await;
            assert_eq!(
                verdict(&answer),
                expected,
                "{method} {path}, {who}: {} {:?}",
                answer.status,
                String::from_utf8_lossy(&answer.body)
            );
            if expected == "allowed" {
                continue;
            }
            let after = asks(&server, "get", "/api/v1/documents/{name}", Some(&everything)).await.expect(200);
            assert_eq!(
                after.json(),
                before.json(),
                "{method} {path}, {who}: what is refused changes nothing"
            );
            if expected == "unknown" {
                assert_eq!(answer.header("www-authenticate"), "Bearer");
            }
        }
    }
    assert_eq!(seen, rows.len(), "a row is of no route any more");
}

/// What is not there and what is not theirs to see are the same to them, to the letter.
#[tokio::test]
async fn missing_and_forbidden_are_one_answer() {
    let server = closed().await;
    let (ann, everything) = (token("ann/*", Access::Own), token("*", Access::Own));
    rest::post(&server, &format!("/api/v1/documents?token={everything}"), &json!({ "name": "secret" }))
        .await
        .expect(201);
    let answers = ["secret", "nowhere"].map(async |name| {
        let answer = get(&server, &format!("/api/v1/documents/{name}?token={ann}")).await;
        let mut closed = Raw::try_open(&server, &format!("/ws/{name}?token={ann}"), &[]).await.unwrap();
        (answer.status, answer.body, closed.closed().await)
    });
    let [secret, nowhere] = answers;
    let secret = secret.await;
    assert_eq!(secret, nowhere.await);
    assert_eq!((secret.0, secret.2), (404, Some(4403)));
    let own = get(&server, &format!("/api/v1/documents/ann%2Fplan?token={ann}")).await;
    assert_eq!(own.error().0, 404, "her own typo");
}

#[tokio::test]
async fn lists_hold_what_may_be_read_and_go_on_past_what_may_not() {
    let server = closed().await;
    let everything = token("*", Access::Own);
    for n in 0..30 {
        let folder = if n % 10 == 0 { "ann" } else { "bob" };
        let name = json!({ "name": format!("{folder}/{n}") });
        rest::post(&server, &format!("/api/v1/documents?token={everything}"), &name).await.expect(201);
    }
    let ann = token("ann/*", Access::Read);
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page =
            get(&server, &format!("/api/v1/documents?limit=2&token={ann}{after}")).await.expect(200).json();
        found.extend(
            page["documents"]
                .as_array()
                .unwrap()
                .iter()
                .map(|document| document["name"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={}", next.replace('/', "%2F"));
    }
    found.sort();
    assert_eq!(found, ["ann/0", "ann/10", "ann/20"]);
}

#[tokio::test]
async fn every_dialect_lets_in_whom_a_token_lets_in() {
    let server = closed().await;
    let (reader, writer, other) =
        (token("plan", Access::Read), token("plan", Access::Write), token("x", Access::Own));
    for path in ["/ws/plan", "/collab/plan/Ann", "/chat/plan", "/metrics"] {
        for (presented, code) in [("", 4401), ("?token=nonsense", 4401), (&format!("?token={other}"), 4403)] {
            let mut socket = Raw::try_open(&server, &format!("{path}{presented}"), &[]).await.unwrap();
            assert_eq!(socket.closed().await, Some(code), "{path}{presented}");
        }
    }
    // Whoever offers one and is not taken up hangs up, as browsers do.
    for path in ["/ws/plan", "/collab/plan/Ann", "/chat/plan"] {
        let offered = format!("weft.token.{writer}");
        Raw::try_open(&server, path, &[("sec-websocket-protocol", &offered)]).await.unwrap();
    }
    // Wherever it is presented.
    for headers in [
        ("sec-websocket-protocol", format!("weft.token.{writer}, other")),
        ("sec-websocket-protocol", format!("yauth-{writer}")),
        ("authorization", format!("Bearer {writer}")),
        ("authorization", format!("bearer {writer}")),
    ] {
        let mut socket = Raw::try_open(&server, "/ws/plan", &[(headers.0, &headers.1)]).await.unwrap();
        socket.hears(|frame| frame.starts_with(&[0, 0])).await;
    }
    let ann = Client::named("Ann").over_hocuspocus().with_token(&writer).opens(&server, "plan").await;
    ann.types("hello");
    ann.saved().await;

    let mut talk = Talk::open(&server, &format!("/chat/plan?token={reader}")).await;
    talk.hears("history").await;
    talk.says("message", json!({ "id": "message-1", "text": "may I?" })).await;
    assert_eq!(talk.hears("error").await["code"], "forbidden");
    let nowhere = format!("/chat/nowhere?token={}", token("*", Access::Comment));
    assert_eq!(
        Talk::open(&server, &nowhere).await.closed().await,
        Some(4403),
        "what is said makes no document"
    );
    let mut talk = Talk::open(&server, &format!("/chat/plan?token={}", token("plan", Access::Comment))).await;
    talk.hears("history").await;
    talk.says("message", json!({ "id": "message-1", "text": "I may" })).await;
    talk.hears("message").await;
}

/// Whatever a client says of itself.
#[tokio::test]
async fn who_has_a_name_is_shown_by_it_in_every_dialect() {
    let server = closed().await;
    let said = Claims {
        name: Some("Ann Lee".into()),
        color: Some("#aa5500".into()),
        ..claims("plan", Access::Write)
    };
    let ann = mint(SECRET.as_bytes(), &said).unwrap();
    let bob = Client::named("Bob")
        .over_hocuspocus()
        .with_token(&token("plan", Access::Write))
        .opens(&server, "plan")
        .await;
    let forger = Client::named("Forger").over_hocuspocus().with_token(&ann).opens(&server, "plan").await;
    forger.shows(&json!({ "user": { "name": "The Boss", "color": "red", "role": "x" }, "cursor": 7 }));
    let signed = json!({ "user": { "name": "Ann Lee", "color": "#aa5500", "role": "x" }, "cursor": 7 });
    bob.sees_soon(&forger, Some(&signed)).await;
    // Nor in what browsers take for JSON and few others.
    forger.shows_text(r#"{"user":{"name":"The Boss"},"x":"\ud800"}"#);
    bob.sees_soon(&forger, Some(&json!({ "user": { "name": "Ann Lee", "color": "#aa5500" } }))).await;
    forger.shows(&json!({ "user": "The Boss", "cursor": 8 }));
    bob.sees_soon(&forger, Some(&json!({ "user": { "name": "Ann Lee", "color": "#aa5500" }, "cursor": 8 })))
        .await;
    let mut editor = Talk::open(&server, &format!("/collab/plan/boss?token={ann}")).await;
    editor.says("presence", json!({ "name": "The Boss", "cursor": 0 })).await;
    until("she is shown as an editor by her own name", || bob.sees_named("Ann Lee") == 2).await;
    assert_eq!(bob.sees_named("The Boss"), 0);
    editor.leaves().await;
    forger.shows(&json!({ "user": "The Boss" }));
    bob.sees_soon(&forger, Some(&json!({ "user": { "name": "Ann Lee", "color": "#aa5500" } }))).await;
    let mut talk = Talk::open(&server, &format!("/chat/plan?name=Boss&token={ann}")).await;
    let history = talk.hears("history").await;
    talk.says("message", json!({ "id": "message-1", "text": "hello" })).await;
    let message = talk.hears("message").await;
    assert!(
        message.to_string().contains("Ann Lee") && !message.to_string().contains("Boss"),
        "{history} {message}"
    );
}

#[tokio::test]
async fn a_token_that_ends_ends_what_it_let_in_and_a_new_one_goes_on() {
    // Whether somebody's time is over is looked at with each beat of the line.
    let often = |config: &mut Config| config.http.connection.heartbeat.interval = Duration::from_millis(100);
    let server = setup().with(often).start().await;
    // It is good for a minute more than it says.
    let ends = |seconds: f64| {
        let said = Claims { exp: now() - 60.0 + seconds, ..claims("plan", Access::Write) };
        mint(SECRET.as_bytes(), &said).unwrap()
    };
    let short = ends(4.0);
    let mut ann = Client::named("Ann").over_hocuspocus().with_token(&short).opens(&server, "plan").await;
    let bob = Client::named("Bob").over_hocuspocus().with_token(&short).opens(&server, "plan").await;
    let mut socket = Raw::try_open(&server, &format!("/ws/plan?token={short}"), &[]).await.unwrap();
    let mut chat = Talk::open(&server, &format!("/chat/plan?token={short}")).await;
    let mut collab = Talk::open(&server, &format!("/collab/plan/Ann?token={short}")).await;
    until("they are asked for another", || ann.was_asked_for_a_token() && bob.was_asked_for_a_token()).await;
    ann.presents(&token("plan", Access::Write));
    until("the one who has no other is shut out", || bob.denied().is_some_and(|why| why.contains("expired")))
        .await;
    assert_eq!(
        (socket.closed().await, chat.closed().await, collab.closed().await),
        (Some(4401), Some(4401), Some(4401))
    );
    ann.types("still here");
    ann.saved().await;
    assert_eq!((ann.denied(), ann.refusals()), (None, 0));
}

#[tokio::test]
async fn the_command_makes_tokens_that_the_server_takes_and_what_is_wrong_is_said() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token.key"), SECRET).unwrap();
    std::fs::write(folder.path().join("short.key"), "short").unwrap();
    let run = async |arguments: &[&str]| {
        let output = process::run(folder.path(), arguments).await;
        (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let server = Weft::serve(folder.path(), &["--token-keys", "token.key"]).await;
    let (made, token) =
        run(&["token", "--key", "token.key", "--subject", "ann", "--document", "team/*", "--name", "Ann"])
            .await;
    assert!(made, "{token}");
    let token = token.trim();
    rest::post(&server, &format!("/api/v1/documents?token={token}"), &json!({ "name": "team/plan" }))
        .await
        .expect(201);
    let elsewhere =
        rest::post(&server, &format!("/api/v1/documents?token={token}"), &json!({ "name": "plan" })).await;
    assert_eq!(elsewhere.error(), (404, "not_found".into()));
    server.terminate();
    for (arguments, why) in [
        (&["token", "--key", "nowhere", "--subject", "a", "--document", "b"][..], "nowhere"),
        (&["token", "--key", "short.key", "--subject", "a", "--document", "b"], "32 bytes"),
        (
            &["token", "--key", "token.key", "--subject", "a", "--document", "b", "--access", "all"],
            "read, comment, write or own",
        ),
        (&["token", "--key", "token.key", "--document", "b"], "--subject"),
        (&["--token-keys", "short.key"], "openssl rand"),
        (&["--token-keys", "token.key", "--open"], "one of the two"),
        (&["--token-issuer", "notes"], "token_keys"),
        (&["--listen", "0.0.0.0:0"], "token_keys"),
    ] {
        let (worked, said) = run(arguments).await;
        assert!(!worked && said.contains(why), "{arguments:?}: {said}");
    }
}

#[tokio::test]
async fn what_is_presented_is_in_no_log_and_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token.key"), SECRET).unwrap();
    let server = Weft::serve(folder.path(), &["--token-keys", "token.key", "--log", "trace"]).await;
    let secret = token("plan", Access::Write);
    for presented in [secret.as_str(), "x.secret-that-is-no-token.y"] {
        get(&server, &format!("/api/v1/documents/plan?token={presented}")).await;
        let answer = request(&server, "GET", "/api/v1/documents/plan")
            .header("authorization", &format!("Bearer {presented}"))
            .send()
            .await;
        assert!(!String::from_utf8_lossy(&answer.body).contains(presented));
        let mut socket = Raw::try_open(&server, &format!("/ws/plan?token={presented}"), &[]).await.unwrap();
        socket.send(frames::empty_step1()).await;
        let mut hocuspocus = Raw::try_open(&server, "/hocuspocus", &[]).await.unwrap();
        hocuspocus.send([frames::buffer(b"plan"), frames::authentication(presented)].concat()).await;
        hocuspocus.next().await.unwrap();
    }
    let log = server.log();
    assert!(log.contains("connection opened"), "{log}");
    for presented in [secret.as_str(), "secret-that-is-no-token", SECRET] {
        assert!(!log.contains(presented), "{presented}");
    }
}
