//! Files beside a document: kept once, served so that nothing runs, gone with the document.

use serde_json::{Value, json};
use weft::store::{StoreError, faulty::WriteFault};

use crate::support::{
    Answer, Client, TestServer, Weft,
    rest::{delete, get, post, request},
    until_answer,
};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nnot much of a picture";

fn attachments(document: &str) -> String {
    format!("/api/v1/documents/{document}/attachments")
}

async fn upload(server: &impl crate::support::Address, document: &str, query: &str, body: &[u8]) -> Answer {
    request(server, "POST", &format!("{}{query}", attachments(document))).body(body).send().await
}

async fn listed(server: &impl crate::support::Address, document: &str) -> Vec<Value> {
    let page = get(server, &attachments(document)).await.expect(200).json();
    page["attachments"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_picture_is_kept_and_shown_in_place() {
    let server = TestServer::start().await;
    let made = upload(&server, "a%2Fb%20c", "?name=C:%5CBild%20%E4%B8%80.png", PNG).await.expect(201);
    let attachment = made.json();
    assert_eq!(attachment["name"], "Bild 一.png");
    assert_eq!(attachment["type"], "image/png");
    assert_eq!(attachment["bytes"], PNG.len());
    assert!(attachment["created"].as_u64().unwrap() > 1_700_000_000_000);
    let url = attachment["url"].as_str().unwrap();
    assert_eq!(
        url,
        format!("/api/v1/documents/a%2Fb%20c/attachments/{}", attachment["id"].as_str().unwrap())
    );
    assert_eq!(made.header("location"), url);

    let served = get(&server, url).await.expect(200);
    assert_eq!(served.body, PNG);
    assert_eq!(served.header("content-type"), "image/png");
    assert_eq!(served.header("content-disposition"), "inline; filename*=UTF-8''Bild%20%E4%B8%80.png");
    assert_eq!(served.header("x-content-type-options"), "nosniff");
    assert_eq!(served.header("content-security-policy"), "default-src 'none'; sandbox");
    assert_eq!(served.header("cache-control"), "private, max-age=31536000, immutable");
    let etag = served.header("etag");
    assert!(etag.starts_with('"'), "a strong one: {etag}");

    let again = request(&server, "GET", url).header("if-none-match", etag).send().await.expect(304);
    assert!(again.body.is_empty());
    assert_eq!(again.header("x-content-type-options"), "nosniff");
    let head = request(&server, "HEAD", url).send().await.expect(200);
    assert!(head.body.is_empty());
    assert_eq!(head.header("content-length"), PNG.len().to_string());

    assert_eq!(listed(&server, "a%2Fb%20c").await, [attachment]);
    // The document began with it.
    assert_eq!(get(&server, "/api/v1/documents/a%2Fb%20c").await.expect(200).json()["state"], "live");
}

#[tokio::test]
async fn a_part_of_it_can_be_had() {
    let server = TestServer::start().await;
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let made = upload(&server, "notes", "", &bytes).await.expect(201).json();
    let url = made["url"].as_str().unwrap();
    let whole = get(&server, url).await.expect(200);
    assert_eq!(whole.header("accept-ranges"), "bytes");
    let etag = whole.header("etag").to_owned();
    let part = |range: &str| request(&server, "GET", url).header("range", range);
    for (range, from, to) in [
        ("bytes=0-9", 0, 9),
        ("bytes=99990-", 99_990, 99_999),
        ("bytes=-5", 99_995, 99_999),
        ("bytes=7-200000", 7, 99_999),
    ] {
        let answer = part(range).send().await.expect(206);
        assert_eq!(answer.body, bytes[from..=to], "{range}");
        assert_eq!(answer.header("content-range"), format!("bytes {from}-{to}/100000"));
        assert_eq!(answer.header("content-length"), (to - from + 1).to_string());
        assert_eq!(answer.header("content-type"), whole.header("content-type"));
        assert_eq!(answer.header("etag"), etag);
        assert_eq!(answer.header("content-security-policy"), "default-src 'none'; sandbox");
    }
    let beyond = part("bytes=100000-").send().await;
    assert_eq!(beyond.error(), (416, "range_not_satisfiable".to_owned()));
    assert_eq!(beyond.header("content-range"), "bytes */100000");
    assert_eq!(part("bytes=0-9").header("if-range", &etag).send().await.status, 206);
    for (name, value) in [("if-range", "\"another\""), ("accept", "*/*")] {
        let range = if name == "accept" { "bytes=0-1,5-6" } else { "bytes=0-9" };
        assert!(part(range).header(name, value).send().await.expect(200).body == bytes, "{name}");
    }
    for known in [etag.as_str(), "*", "\"another\", W/\"x\", *"] {
        let status = part("bytes=0-9").header("if-none-match", known).send().await.status;
        assert_eq!(status, if known.contains("another") { 206 } else { 304 }, "{known}");
    }
    let missing = url.replace(made["id"].as_str().unwrap(), "00000000-0000-0000-0000-000000000000");
    let nothing = request(&server, "GET", &missing).header("if-none-match", "*").send().await;
    assert_eq!(nothing.error().0, 404);
}

#[tokio::test]
async fn what_could_run_is_a_download() {
    let server = TestServer::start().await;
    let files: [(&[u8], &str); 5] = [
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "image/svg+xml"),
        (b"<!doctype html><script>alert(1)</script>", "text/html"),
        (b"%PDF-1.7 script", "application/pdf"),
        (b"alert(1)", "text/plain; charset=utf-8"),
        (b"\x00\x01\x02\xff", "application/octet-stream"),
    ];
    for (bytes, expected) in files {
        // What the sender calls it does not matter.
        let made = request(&server, "POST", &format!("{}?name=x.png", attachments("notes")))
            .header("content-type", "image/png")
            .body(bytes)
            .send()
            .await
            .expect(201);
        let served = get(&server, made.json()["url"].as_str().unwrap()).await.expect(200);
        assert_eq!((served.body.as_slice(), served.header("content-type")), (bytes, expected));
        assert!(served.header("content-disposition").starts_with("attachment;"), "{expected}");
        assert_eq!(served.header("content-security-policy"), "default-src 'none'; sandbox");
        assert_eq!(served.header("x-content-type-options"), "nosniff");
    }
}

#[tokio::test]
async fn the_same_bytes_are_there_once() {
    let server = TestServer::start().await;
    let first = upload(&server, "notes", "?name=one.png", PNG).await.expect(201).json();
    let again = upload(&server, "notes", "?name=two.png", PNG).await.expect(200).json();
    assert_eq!(again, first, "what is there stays as it is");
    let other = upload(&server, "notes", "", b"other").await.expect(201).json();
    assert_eq!(other["name"], Value::Null);
    let listed = listed(&server, "notes").await;
    assert_eq!(listed, [first.clone(), other], "oldest first");
    // In another document it is another attachment.
    let elsewhere = upload(&server, "other", "", PNG).await.expect(201).json();
    assert_eq!(elsewhere["id"], first["id"]);
    delete(&server, first["url"].as_str().unwrap()).await.expect(204);
    assert_eq!(
        get(&server, first["url"].as_str().unwrap()).await.error(),
        (404, "no_such_attachment".into())
    );
    assert_eq!(delete(&server, first["url"].as_str().unwrap()).await.error().0, 404);
    get(&server, elsewhere["url"].as_str().unwrap()).await.expect(200);
    // It may come back, as if it had never been there.
    assert_eq!(upload(&server, "notes", "?name=two.png", PNG).await.expect(201).json()["name"], "two.png");
}

#[tokio::test]
async fn too_much_is_refused_in_words() {
    let server = TestServer::setup()
        .settings(|settings| {
            settings.max_attachment_bytes = Some(1000);
            settings.max_document_attachment_bytes = Some(1500);
        })
        .start()
        .await;
    assert_eq!(upload(&server, "notes", "", &[0; 1001]).await.error(), (413, "too_large".into()));
    assert_eq!(get(&server, "/api/v1/documents/notes").await.error().0, 404, "nothing was begun");
    upload(&server, "notes", "", &[0; 1000]).await.expect(201);
    assert_eq!(upload(&server, "notes", "", &[1; 501]).await.error(), (507, "attachments_full".into()));
    upload(&server, "notes", "", &[1; 500]).await.expect(201);
    upload(&server, "other", "", &[1; 1000]).await.expect(201);
    assert_eq!(upload(&server, "notes", "", b"").await.error(), (400, "invalid_body".into()));
    assert_eq!(upload(&server, "notes", "?nam=x", b"x").await.error(), (400, "invalid_query".into()));
    let long = format!("?name={}", "x".repeat(256));
    assert_eq!(upload(&server, "notes", &long, b"x").await.error(), (400, "invalid_query".into()));
    for id in ["x", "..", "00000000-0000-0000-0000-000000000000"] {
        let answer = get(&server, &format!("{}/{id}", attachments("notes"))).await;
        assert_eq!(answer.error().0, 404, "{id}");
    }
    assert_eq!(get(&server, &attachments("none")).await.error(), (404, "not_found".into()));
    let foreign = request(&server, "POST", &attachments("notes")).header("origin", "https://evil.example");
    assert_eq!(foreign.body("x").send().await.error(), (403, "origin_not_allowed".into()));
}

#[tokio::test]
async fn attachments_share_the_fate_of_their_document() {
    let mut server = TestServer::start().await;
    let url = upload(&server, "notes", "", PNG).await.expect(201).json()["url"].as_str().unwrap().to_owned();
    delete(&server, "/api/v1/documents/notes").await.expect(200);
    for _ in 0..2 {
        assert_eq!(get(&server, &url).await.error(), (410, "in_trash".into()));
        assert_eq!(get(&server, &attachments("notes")).await.error(), (410, "in_trash".into()));
        assert_eq!(upload(&server, "notes", "", b"x").await.error(), (410, "in_trash".into()));
        assert_eq!(delete(&server, &url).await.error(), (410, "in_trash".into()));
        server.restart().await;
    }
    post(&server, "/api/v1/documents/notes/restore", &json!({})).await.expect(200);
    assert_eq!(get(&server, &url).await.expect(200).body, PNG);

    delete(&server, "/api/v1/documents/notes?permanent=true").await.expect(204);
    for _ in 0..2 {
        assert_eq!(get(&server, &url).await.error(), (410, "deleted".into()));
        assert_eq!(upload(&server, "notes", "", b"x").await.error(), (410, "deleted".into()));
        server.restart().await;
    }
    post(&server, "/api/v1/documents", &json!({"name": "notes"})).await.expect(201);
    assert_eq!(get(&server, &url).await.error().0, 404, "another document, of the same name");
    assert!(listed(&server, "notes").await.is_empty());
}

#[tokio::test]
async fn a_document_that_is_open_and_unwritten_takes_attachments() {
    let server = TestServer::start().await;
    let ann = Client::named("ann").acknowledged().opens(&server, "board").await;
    let url = upload(&server, "board", "", PNG).await.expect(201).json()["url"].as_str().unwrap().to_owned();
    get(&server, &url).await.expect(200);
    assert_eq!(listed(&server, "board").await.len(), 1);
    assert_eq!(get(&server, "/api/v1/documents/board").await.expect(200).json()["editors"], 1);
    ann.types("and text");
    ann.saved().await;
    assert_eq!(get(&server, "/api/v1/documents/board/text").await.expect(200).text(), "and text");
}

#[tokio::test]
async fn what_was_answered_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    for round in 0..4u8 {
        let level = if round % 2 == 0 { "kill" } else { "disk" };
        let server = Weft::serve(folder.path(), &["--durability", level]).await;
        for number in 0..3u8 {
            let bytes = vec![round * 16 + number; 1 + 70_000 * usize::from(number)];
            let made = upload(&server, "notes", "", &bytes).await.expect(201).json();
            expected.push((made, bytes));
        }
        if round == 2 {
            let (gone, _) = expected.remove(1);
            delete(&server, gone["url"].as_str().unwrap()).await.expect(204);
        }
        server.kill();
    }
    let server = Weft::serve(folder.path(), &[]).await;
    let listed = listed(&server, "notes").await;
    assert_eq!(listed.len(), expected.len());
    for (made, bytes) in &expected {
        assert!(listed.contains(made));
        assert!(get(&server, made["url"].as_str().unwrap()).await.expect(200).body == *bytes);
    }
    server.terminate();
    assert!(server.ends_within(crate::support::PATIENCE).await.status.success());
    let checked = crate::support::process::run(folder.path(), &["check", "--data", "data"]).await;
    let said = String::from_utf8(checked.stdout).unwrap();
    assert!(checked.status.success(), "{said}");
    assert!(said.contains(&format!("{} records beside them", 2 * expected.len())), "{said}");
}

#[tokio::test]
async fn what_cannot_be_stored_is_not_promised() {
    let server = TestServer::setup().faulty().start().await;
    upload(&server, "notes", "", b"before").await.expect(201);
    server.faults().writes(WriteFault::Fail(StoreError::Unwritable("by a test".into())));
    assert_eq!(upload(&server, "notes", "", PNG).await.error(), (503, "store_unwritable".into()));
    server.faults().heal();
    assert_eq!(listed(&server, "notes").await.len(), 1);
    // Stored, and yet the answer was an error: asking again is harmless.
    server.faults().writes(WriteFault::Ambiguous(StoreError::Unwritable("by a test".into())));
    assert_eq!(upload(&server, "notes", "", PNG).await.error().0, 503);
    server.faults().heal();
    upload(&server, "notes", "", PNG).await.expect(200);
    until_answer("both are listed", async || (listed(&server, "notes").await.len() == 2).then_some(())).await;
}
