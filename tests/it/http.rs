//! What programs and browsers ask over plain HTTP.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use yrs::{Doc, ReadTxn, StateVector, Text, Transact, Update, updates::decoder::Decode};

use crate::support::{
    Answer, Client, Raw, TestServer,
    rest::{delete, get, post, request},
    settle, until,
};

const DOCUMENTS: &str = "/api/v1/documents";

fn path(document: &str) -> String {
    format!("{DOCUMENTS}/{document}")
}

/// An update that writes `text` into an empty document.
fn writing(text: &str) -> Vec<u8> {
    let doc = Doc::new();
    let root = doc.get_or_insert_text("text");
    root.insert(&mut doc.transact_mut(), 0, text);
    doc.transact().encode_state_as_update_v1(&StateVector::default())
}

async fn contribute(server: &TestServer, document: &str, update: Vec<u8>) -> Answer {
    request(server, "POST", &format!("{}/updates", path(document))).body(update).send().await
}

fn names(page: &Value) -> Vec<&str> {
    page["documents"].as_array().unwrap().iter().map(|document| document["name"].as_str().unwrap()).collect()
}

// ---- documents ----------------------------------------------------------------------------------------

#[tokio::test]
async fn creating_twice_creates_once() {
    let server = TestServer::start().await;
    let created = post(&server, DOCUMENTS, &json!({"name": "notes", "title": "My notes"})).await.expect(201);
    let first = created.json();
    assert_eq!(first["name"], "notes");
    assert_eq!(first["title"], "My notes");
    assert_eq!(first["state"], "live");
    assert_eq!(first["editors"], 0);
    assert!(first["created"].as_u64().unwrap() > 1_700_000_000_000, "milliseconds since 1970: {first}");

    let again =
        post(&server, DOCUMENTS, &json!({"name": "notes", "title": "Another"})).await.expect(200).json();
    assert_eq!(again["title"], "My notes", "creating does not change what is there");
    assert_eq!(again["created"], first["created"]);
    assert_eq!(get(&server, &path("notes")).await.expect(200).json()["title"], "My notes");

    // Without a name, and without a body, the server makes one.
    let unnamed = post(&server, DOCUMENTS, &json!({})).await.expect(201).json();
    let other = request(&server, "POST", DOCUMENTS).send().await.expect(201).json();
    assert_ne!(unnamed["name"], other["name"]);
    assert_eq!(unnamed["name"].as_str().unwrap().len(), 36, "a UUID");
}

#[tokio::test]
async fn what_cannot_be_created_is_explained() {
    let server = TestServer::start().await;
    for (body, code) in [
        (json!({"name": ""}), "invalid_body"),
        (json!({"name": " padded"}), "invalid_body"),
        (json!({"name": "x".repeat(257)}), "invalid_body"),
        (json!({"nam": "typo"}), "invalid_body"),
        (json!({"name": 5}), "invalid_body"),
        (json!({"title": "x".repeat(257)}), "invalid_body"),
        (json!([1]), "invalid_body"),
        (json!([]), "invalid_body"),
        (json!(["name", "title"]), "invalid_body"),
        (json!([null, null]), "invalid_body"),
    ] {
        assert_eq!(post(&server, DOCUMENTS, &body).await.error(), (400, code.to_owned()), "{body}");
    }
    let garbage = request(&server, "POST", DOCUMENTS).body("{").send().await;
    assert_eq!(garbage.error(), (400, "invalid_body".to_owned()));
    assert!(names(&get(&server, DOCUMENTS).await.json()).is_empty());
}

#[tokio::test]
async fn the_title_is_the_one_in_the_document() {
    let server = TestServer::start().await;
    post(&server, DOCUMENTS, &json!({"name": "notes", "title": "First"})).await.expect(201);
    let doc = Doc::new();
    let state = get(&server, &format!("{}/state", path("notes"))).await.expect(200).body;
    doc.transact_mut().apply_update(Update::decode_v1(&state).unwrap()).unwrap();
    let meta = doc.get_or_insert_map("meta");
    yrs::Map::insert(&meta, &mut doc.transact_mut(), "title", "Second");
    let update = doc.transact().encode_state_as_update_v1(&StateVector::default());
    contribute(&server, "notes", update).await.expect(200);
    assert_eq!(get(&server, &path("notes")).await.json()["title"], "Second");
    let page = get(&server, DOCUMENTS).await.json();
    assert_eq!(
        page["documents"][0]["title"], "Second",
        "lists do not open documents, and know it all the same"
    );
}

/// An icon in a list must not wait for somebody to open the document, nor be forgotten by a restart.
#[tokio::test]
async fn lists_say_what_a_document_is() {
    let mut server = TestServer::start().await;
    post(&server, DOCUMENTS, &json!({"name": "notes"})).await.expect(201);
    let doc = Doc::new();
    let meta = doc.get_or_insert_map("meta");
    yrs::Map::insert(&meta, &mut doc.transact_mut(), "kind", "board");
    let update = doc.transact().encode_state_as_update_v1(&StateVector::default());
    contribute(&server, "drawing", update).await.expect(200);
    for restarted in [false, true] {
        if restarted {
            server.restart().await;
        }
        let page = get(&server, DOCUMENTS).await.expect(200).json();
        let kinds: Vec<_> = page["documents"].as_array().unwrap().iter().map(|one| &one["kind"]).collect();
        assert_eq!(kinds, [&json!("board"), &json!(null)], "restarted: {restarted}");
        assert_eq!(get(&server, &path("drawing")).await.json()["kind"], "board");
    }
}

#[tokio::test]
async fn the_list_is_paged_with_the_newest_change_first() {
    let server = TestServer::start().await;
    for n in 0..7 {
        contribute(&server, &format!("document%20{n}"), writing("text")).await.expect(200);
    }
    contribute(&server, "document%202", writing("changed again")).await.expect(200);
    let mut seen: Vec<String> = Vec::new();
    let mut times = Vec::new();
    let mut after = String::new();
    for (size, is_last) in [(3, false), (3, false), (1, true)] {
        let page = get(&server, &format!("{DOCUMENTS}?limit=3{after}")).await.expect(200).json();
        assert_eq!(names(&page).len(), size);
        seen.extend(names(&page).iter().map(ToString::to_string));
        for document in page["documents"].as_array().unwrap() {
            times.push(document["modified"].as_u64().unwrap());
        }
        assert_eq!(page["next"].is_null(), is_last, "{page}");
        if let Some(next) = page["next"].as_str() {
            let next = percent_encoding::utf8_percent_encode(next, percent_encoding::NON_ALPHANUMERIC);
            after = format!("&after={next}");
        }
    }
    assert_eq!(seen[0], "document 2");
    assert!(times.is_sorted_by(|newer, older| newer >= older), "{times:?}");
    seen.sort();
    assert_eq!(seen, (0..7).map(|n| format!("document {n}")).collect::<Vec<_>>());

    for query in ["limit=0", "limit=201", "limit=x", "after=x", "shelf=attic", "lmit=3"] {
        let answer = get(&server, &format!("{DOCUMENTS}?{query}")).await;
        assert_eq!(answer.error(), (400, "invalid_query".to_owned()), "{query}");
    }
}

#[tokio::test]
async fn lists_say_who_is_inside() {
    let server = TestServer::start().await;
    let ann = server.client("ann", "notes").await;
    let mut bob = server.client("bob", "notes").await;
    ann.types("text");
    settle(&[&ann, &bob]).await;
    let editors = async || get(&server, DOCUMENTS).await.json()["documents"][0]["editors"].clone();
    crate::support::until_answer("it is listed", async || (editors().await == 2).then_some(())).await;
    assert_eq!(get(&server, &path("notes")).await.json()["editors"], 2);
    bob.leaves().await;
    crate::support::until_answer("bob is out", async || (editors().await == 1).then_some(())).await;
}

#[tokio::test]
async fn what_is_posted_is_read_and_what_is_typed_too() {
    let server = TestServer::start().await;
    let posted = contribute(&server, "notes", writing("posted")).await.expect(200);
    assert_eq!(posted.json(), json!({"durable": true}));
    let ann = server.client("ann", "notes").await;
    assert_eq!(ann.text(), "posted");
    ann.types(" and typed");
    ann.sets("key", "value");
    ann.hears_all_so_far().await;

    let text = get(&server, &format!("{}/text", path("notes"))).await.expect(200);
    assert_eq!(text.text(), "posted and typed");
    assert_eq!(text.header("content-type"), "text/plain; charset=utf-8");
    let json = get(&server, &format!("{}/json", path("notes"))).await.expect(200);
    assert_eq!(json.header("content-type"), "application/json");
    assert_eq!(json.json(), json!({"text": "posted and typed", "map": {"key": "value"}}));
    let state = get(&server, &format!("{}/state", path("notes"))).await.expect(200);
    assert_eq!(state.header("content-type"), "application/octet-stream");
    assert_eq!(state.header("cache-control"), "private, no-cache");
    let doc = Doc::new();
    let text = doc.get_or_insert_text("text");
    doc.transact_mut().apply_update(Update::decode_v1(&state.body).unwrap()).unwrap();
    assert_eq!(yrs::GetString::get_string(&text, &doc.transact()), "posted and typed");

    // Posting it again changes nothing and is no mistake; posting to who is inside reaches them.
    contribute(&server, "notes", state.body).await.expect(200);
    let posted = Client::named("poster");
    posted.sets("from", "a program");
    contribute(&server, "notes", posted.state().to_vec()).await.expect(200);
    until("ann hears it", || ann.content()["map"]["from"] == "a program").await;
}

#[tokio::test]
async fn an_update_that_cannot_be_taken_is_explained() {
    let server = TestServer::start().await;
    let garbage = contribute(&server, "notes", b"garbage".to_vec()).await;
    assert_eq!(garbage.error(), (400, "invalid_update".to_owned()));
    let nothing = contribute(&server, "notes", Vec::new()).await;
    assert_eq!(nothing.error(), (400, "invalid_update".to_owned()));
    // The second of two changes, without the first.
    let doc = Doc::new();
    let text = doc.get_or_insert_text("text");
    text.insert(&mut doc.transact_mut(), 0, "first");
    let vector = doc.transact().state_vector();
    text.insert(&mut doc.transact_mut(), 5, "second");
    let second = doc.transact().encode_diff_v1(&vector);
    let incomplete = contribute(&server, "notes", second).await;
    assert_eq!(incomplete.error(), (409, "incomplete_update".to_owned()));
    get(&server, &path("notes")).await.expect(404);
}

#[tokio::test]
async fn what_is_not_there_is_not_found_and_not_made_by_asking() {
    let server = TestServer::start().await;
    for sub in ["", "/state", "/text", "/json"] {
        let answer = get(&server, &format!("{}{sub}", path("never"))).await;
        assert_eq!(answer.error(), (404, "not_found".to_owned()), "{sub}");
    }
    assert_eq!(delete(&server, &path("never")).await.error().0, 404);
    assert_eq!(post(&server, &format!("{}/restore", path("never")), &json!({})).await.error().0, 404);
    assert!(names(&get(&server, DOCUMENTS).await.json()).is_empty());
    for (method, path) in [("GET", "/api/v1/nothing"), ("PUT", "/api/v2"), ("GET", "/api/v1/documents/a/b")] {
        let answer = request(&server, method, path).send().await;
        assert_eq!(answer.error(), (404, "no_such_endpoint".to_owned()), "{method} {path}");
    }
}

// ---- the trash ----------------------------------------------------------------------------------------

#[tokio::test]
async fn the_trash_closes_the_document_until_it_is_restored() {
    let server = TestServer::start().await;
    let mut ann = Client::named("ann").acknowledged().opens(&server, "notes").await;
    ann.types("worth keeping");
    ann.saved().await;

    let trashed = delete(&server, &path("notes")).await.expect(200).json();
    assert_eq!(trashed["state"], "trashed");
    assert_eq!(ann.is_closed().await, Some(4404));
    let mut raw = Raw::open(&server, "notes").await;
    assert_eq!(raw.next().await, Err(Some(4404)), "nothing of it is told");
    for sub in ["/state", "/text", "/json"] {
        let answer = get(&server, &format!("{}{sub}", path("notes"))).await;
        assert_eq!(answer.error(), (410, "in_trash".to_owned()), "{sub}");
    }
    assert_eq!(get(&server, &path("notes")).await.expect(200).json()["state"], "trashed");
    assert_eq!(contribute(&server, "notes", writing("x")).await.error(), (410, "in_trash".to_owned()));
    let create = post(&server, DOCUMENTS, &json!({"name": "notes"})).await;
    assert_eq!(create.error(), (410, "in_trash".to_owned()));
    assert!(names(&get(&server, DOCUMENTS).await.json()).is_empty());
    assert_eq!(names(&get(&server, &format!("{DOCUMENTS}?shelf=trash")).await.json()), ["notes"]);

    // An old replica knocks, with changes; it is not let in, and they are not taken.
    ann.types(", even offline");
    ann.connects(&server).await.unwrap();
    assert_eq!(ann.is_closed().await, Some(4404));

    let restored = post(&server, &format!("{}/restore", path("notes")), &json!({})).await.expect(200).json();
    assert_eq!(restored["state"], "live");
    assert_eq!(get(&server, &format!("{}/text", path("notes"))).await.expect(200).text(), "worth keeping");
    ann.comes_back(&server).await;
    let bob = server.client("bob", "notes").await;
    settle(&[&ann, &bob]).await;
    assert_eq!(bob.text(), "worth keeping, even offline");
    assert!(names(&get(&server, &format!("{DOCUMENTS}?shelf=trash")).await.json()).is_empty());
}

#[tokio::test]
async fn deleted_for_ever_is_for_ever() {
    let mut server = TestServer::start().await;
    let mut ann = Client::named("ann").acknowledged().opens(&server, "secret").await;
    ann.types("to be forgotten");
    ann.saved().await;
    delete(&server, &format!("{}?permanent=true", path("secret"))).await.expect(204);
    assert_eq!(ann.is_closed().await, Some(4404));

    for round in ["before a restart", "after it"] {
        ann.connects(&server).await.unwrap();
        assert_eq!(ann.is_closed().await, Some(4404), "{round}");
        for sub in ["", "/state", "/text"] {
            let answer = get(&server, &format!("{}{sub}", path("secret"))).await;
            assert_eq!(answer.error(), (410, "deleted".to_owned()), "{sub} {round}");
        }
        let restore = post(&server, &format!("{}/restore", path("secret")), &json!({})).await;
        assert_eq!(restore.error(), (410, "deleted".to_owned()), "{round}");
        let resurrection = contribute(&server, "secret", ann.state().to_vec()).await;
        assert_eq!(resurrection.error().0, 410, "{round}");
        for shelf in ["live", "trash"] {
            assert!(names(&get(&server, &format!("{DOCUMENTS}?shelf={shelf}")).await.json()).is_empty());
        }
        if round == "before a restart" {
            server.restart().await;
        }
    }
    // Only who asks for it by creating it gets a new one, which is empty.
    post(&server, DOCUMENTS, &json!({"name": "secret"})).await.expect(201);
    let bob = server.client("bob", "secret").await;
    assert_eq!(bob.text(), "");
}

#[tokio::test]
async fn trash_and_restore_survive_a_restart() {
    let mut server = TestServer::start().await;
    for name in ["kept", "trashed", "restored"] {
        contribute(&server, name, writing(name)).await.expect(200);
    }
    delete(&server, &path("trashed")).await.expect(200);
    delete(&server, &path("restored")).await.expect(200);
    post(&server, &format!("{}/restore", path("restored")), &json!({})).await.expect(200);
    server.restart().await;
    let page = get(&server, DOCUMENTS).await.json();
    let mut live = names(&page);
    live.sort_unstable();
    assert_eq!(live, ["kept", "restored"]);
    let mut raw = Raw::open(&server, "trashed").await;
    assert_eq!(raw.next().await, Err(Some(4404)));
    assert_eq!(server.client("ann", "restored").await.text(), "restored");
    assert_eq!(get(&server, &format!("{DOCUMENTS}/kept?x")).await.expect(200).json()["name"], "kept");
    let strange = delete(&server, &format!("{}?permanently=true", path("kept"))).await;
    assert_eq!(strange.error(), (400, "invalid_query".to_owned()), "a typing error deletes nothing");
}

// ---- health and figures -------------------------------------------------------------------------------

#[tokio::test]
async fn it_says_that_it_lives_and_how_it_fares() {
    let server = TestServer::start().await;
    for path in ["/livez", "/readyz"] {
        let answer = get(&server, path).await.expect(200);
        assert_eq!((answer.text(), answer.header("content-type")), ("ok\n", "text/plain; charset=utf-8"));
    }
    let ann = Client::named("ann").acknowledged().opens(&server, "notes").await;
    let bob = server.client("bob", "notes").await;
    ann.types("something to count");
    ann.saved().await;
    settle(&[&ann, &bob]).await;
    let mut raw = Raw::open(&server, "notes").await;
    raw.send_message(tokio_tungstenite::tungstenite::Message::text("not spoken here")).await;
    raw.closed().await;
    drop(raw);
    until("it is gone", || server.metrics().connections.get() == 2).await;
    let answer = get(&server, "/metrics").await.expect(200);
    assert!(answer.header("content-type").starts_with("application/openmetrics-text"));
    let figures = answer.text();
    for figure in [
        "weft_connections 2",
        "weft_documents_open 1",
        "weft_updates_received_total ",
        "weft_updates_sent_total ",
        "weft_updates_redundant_total ",
        "weft_updates_durable_total ",
        "weft_bytes_received_total ",
        "weft_bytes_sent_total ",
        "weft_apply_seconds_bucket{le=",
        "weft_commit_seconds_bucket{le=",
        "weft_journal_backlog_bytes 0",
        "weft_store_failures_total 0",
        "weft_store_writable 1",
        "weft_store_live_bytes ",
        "weft_store_disk_bytes ",
        "weft_store_documents ",
        "weft_slow_session_catch_ups_total 0",
        "weft_slow_sessions_closed_total 0",
        "weft_documents_poisoned_total 0",
        "weft_turned_away_total 0",
        "weft_body_bytes_pending 0",
        "weft_answer_bytes_pending 0",
        "weft_inputs_refused_total{reason=\"text_frame\"} 1",
        "weft_start_time_seconds ",
        "# EOF",
    ] {
        assert!(figures.lines().any(|line| line.starts_with(figure)), "{figure} is not in:\n{figures}");
    }
    for counted in ["weft_updates_received_total", "weft_updates_durable_total", "weft_bytes_received_total"]
    {
        let line = figures.lines().find(|line| line.starts_with(counted)).unwrap();
        assert!(!line.ends_with(" 0"), "{line}");
    }
}

// ---- the app ------------------------------------------------------------------------------------------

#[tokio::test]
async fn the_page_is_served_everywhere_a_browser_goes() {
    let server = TestServer::start().await;
    let page = get(&server, "/").await.expect(200);
    assert!(page.header("content-type").starts_with("text/html"));
    assert_eq!(page.header("cache-control"), "no-cache");
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert_eq!(page.header("referrer-policy"), "same-origin");
    let policy = page.header("content-security-policy");
    for rule in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
        assert!(policy.contains(rule), "{rule} is not in {policy}");
    }
    assert!(!policy.contains("unsafe-eval"), "{policy}");
    for path in ["/d/notes", "/d/a/b%20c", "/settings"] {
        let answer = request(&server, "GET", path).header("accept", "text/html,*/*;q=0.8").send().await;
        assert_eq!(answer.expect(200).body, page.body, "{path}");
    }
}

#[tokio::test]
async fn what_is_missing_is_missing() {
    let server = TestServer::start().await;
    for path in [
        "/assets/index-00000000.js",
        "/assets/",
        "/assets/../index.html",
        "/missing.css",
        "/favicon.ico",
        "/.env",
        "/wp-login.php",
        "/a.b/c",
    ] {
        for accept in ["*/*", "text/html"] {
            let answer = request(&server, "GET", path).header("accept", accept).send().await;
            assert_eq!(answer.error(), (404, "not_found".to_owned()), "{path} as {accept}");
        }
    }
    // A script that asks for something is not told that it is the page.
    for mode in ["cors", "no-cors", "same-origin"] {
        let fetched = request(&server, "GET", "/settings").header("accept", "*/*");
        let answer = fetched.header("sec-fetch-mode", mode).send().await;
        assert_eq!(answer.error(), (404, "not_found".to_owned()), "{mode}");
    }
    // The app itself asks whether there is a newer one.
    let asked = request(&server, "GET", "/?now").header("accept", "text/html");
    asked.header("sec-fetch-mode", "cors").send().await.expect(200);
    let visited = request(&server, "GET", "/d/notes.md").header("accept", "text/html,*/*;q=0.8");
    visited.header("sec-fetch-mode", "navigate").send().await.expect(200);
    let not_a_page = request(&server, "GET", "/d/notes").header("accept", "application/json").send().await;
    assert_eq!(not_a_page.error().0, 404);
    // The precompressed forms are not files of their own.
    assert_ne!(get(&server, "/index.html.br").await.header("content-encoding"), "br");
    assert!(!get(&server, "/index.html.br").await.header("content-type").contains("octet-stream"));
}

#[tokio::test]
async fn what_is_known_is_not_sent_again() {
    let server = TestServer::start().await;
    let page = get(&server, "/").await.expect(200);
    let tag = page.header("etag");
    assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    for known in [tag.to_owned(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
        let again = request(&server, "GET", "/").header("if-none-match", &known).send().await.expect(304);
        assert!(again.body.is_empty());
        assert_eq!(again.header("etag"), tag);
        assert_eq!(again.header("cache-control"), "no-cache");
    }
    request(&server, "GET", "/").header("if-none-match", "\"other\"").send().await.expect(200);

    let head = request(&server, "HEAD", "/").send().await.expect(200);
    assert!(head.body.is_empty());
    assert_eq!(head.header("content-length"), page.body.len().to_string());
    assert_eq!(head.header("etag"), tag);
    for path in ["/livez", "/metrics", DOCUMENTS] {
        let head = request(&server, "HEAD", path).send().await;
        assert_eq!(head.status, 200, "HEAD {path}");
        assert!(head.body.is_empty());
    }
}

#[tokio::test]
async fn files_with_a_hash_are_kept_for_ever_and_travel_compressed() {
    let server = TestServer::start().await;
    let page = get(&server, "/").await.expect(200);
    let script = page.text().split('"').find(|part| part.starts_with("/assets/"));
    let script = script.expect("the app is built: make app");
    let plain = get(&server, script).await.expect(200);
    assert_eq!(plain.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(plain.header("content-encoding"), "");
    assert_eq!(plain.all("vary"), ["accept-encoding"], "the app's caches find it whoever asks");
    for (accepted, encoding) in [("gzip, deflate, br", "br"), ("gzip", "gzip"), ("br;q=0, gzip", "gzip")] {
        let answer =
            request(&server, "GET", script).header("accept-encoding", accepted).send().await.expect(200);
        assert_eq!(answer.header("content-encoding"), encoding, "{accepted}");
        assert_eq!(answer.header("content-type"), plain.header("content-type"));
        assert!(answer.body.len() < plain.body.len());
        assert_ne!(answer.header("etag"), plain.header("etag"), "another form is another entity");
    }
}

// ---- queries ------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_query_that_is_not_understood_is_refused_in_one_shape_everywhere() {
    let server = TestServer::start().await;
    post(&server, "/api/v1/documents", &json!({"name": "notes"})).await.expect(201);
    let notes = "/api/v1/documents/notes";
    let session = "00000000-0000-0000-0000-000000000000";
    for (method, path) in [
        ("GET", "/api/v1/documents?limit=many".to_owned()),
        ("GET", "/api/v1/documents?limit=201".to_owned()),
        ("GET", "/api/v1/documents?shelf=floor".to_owned()),
        ("GET", "/api/v1/documents?after=never".to_owned()),
        ("GET", "/api/v1/documents?colour=red".to_owned()),
        ("DELETE", format!("{notes}?permanent=maybe")),
        ("GET", format!("{notes}/chat?before=yesterday")),
        ("GET", format!("{notes}/chat?limit=0")),
        ("POST", format!("{notes}/attachments?name=a&name=b")),
        ("POST", format!("{notes}/sessions?colour=red")),
        ("GET", format!("{notes}/events?session={session}&after=-1")),
        ("GET", format!("{notes}/poll?session=mine")),
        ("POST", format!("{notes}/messages?session={session}&after=x")),
        ("GET", "/collab/notes/ann?field=a&field=b".to_owned()),
        ("GET", "/chat/notes?name=a&name=b".to_owned()),
    ] {
        let answer = request(&server, method, &path).send().await;
        assert_eq!(answer.error(), (400, "invalid_query".to_owned()), "{method} {path}");
    }
    // Whoever may not change anything hears that first.
    let stranger = request(&server, "DELETE", &format!("{notes}?permanent=maybe"));
    let refused = stranger.header("origin", "https://elsewhere.example").send().await;
    assert_eq!(refused.error(), (403, "origin_not_allowed".to_owned()));
    get(&server, notes).await.expect(200);
}

// ---- methods ------------------------------------------------------------------------------------------

/// The route table, read from the source: each path, and what the source says is there.
pub(crate) fn route_table() -> Vec<(&'static str, &'static str)> {
    let source = include_str!("../../src/http/mod.rs");
    let (_, table) = source.split_once("fn table() -> Vec<At> {").unwrap();
    let (table, rest) = table.split_once("\n}\n").unwrap();
    assert!(!rest.contains(".service(web"), "a route beside the table");
    assert_eq!(rest.matches(".route(").count(), 1, "what has no place is the only route beside the table");
    table.split("at(\"").skip(1).map(|route| route.split_once('"').unwrap()).collect()
}

/// Every path of the route table, with something in place of its parameters, and what can be done there.
fn paths() -> Vec<(String, BTreeSet<&'static str>)> {
    let mut paths = Vec::new();
    for (path, handlers) in route_table() {
        let mut methods = BTreeSet::new();
        for (method, meant) in [
            ("read", &["GET", "HEAD"][..]),
            ("get", &["GET"]),
            ("socket", &["GET"]),
            ("post", &["POST"]),
            ("delete", &["DELETE"]),
        ] {
            methods.extend(meant.iter().filter(|_| handlers.contains(&format!(".{method}("))));
        }
        let segments = path.split('/').map(|segment| match segment {
            "{id}" => "00000000-0000-0000-0000-000000000000",
            parameter if parameter.starts_with('{') => "x",
            fixed => fixed,
        });
        paths.push((segments.collect::<Vec<_>>().join("/"), methods));
    }
    paths
}

#[tokio::test]
async fn a_method_that_a_path_does_not_have_is_answered_with_those_that_it_has() {
    let server = TestServer::start().await;
    let mut paths = paths();
    assert!(paths.len() > 20, "{paths:?}");
    // The app, and one of its files.
    let read: BTreeSet<_> = ["GET", "HEAD"].into();
    paths.extend(["/", "/d/notes", "/index.html"].map(|path| (path.to_owned(), read.clone())));
    for (path, methods) in paths {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] {
            if methods.contains(method) {
                continue;
            }
            let answer = request(&server, method, &path).send().await;
            let allowed: BTreeSet<_> = answer.header("allow").split(", ").collect();
            assert_eq!(allowed, methods, "{method} {path} is answered {}", answer.status);
            match method {
                "OPTIONS" => assert_eq!(answer.status, 204, "{path}"),
                "HEAD" => assert_eq!(answer.status, 405, "{path}"),
                _ => assert_eq!(answer.error(), (405, "method_not_allowed".to_owned()), "{method} {path}"),
            }
        }
    }
    for path in ["/missing.css", "/api/v1/nothing", "/assets/x.js"] {
        assert_eq!(request(&server, "POST", path).send().await.error().0, 404, "{path}");
    }
}
