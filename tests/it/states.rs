//! States over HTTP: known, in parts, compressed, and only what somebody lacks.

use std::io::Read;

use base64::prelude::{BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD, Engine};
use yrs::{
    Doc, GetString, Options, ReadTxn, StateVector, Text, TextRef, Transact, Update,
    updates::{decoder::Decode, encoder::Encode},
};

use crate::support::{
    TestServer,
    rest::{Answer, Request, delete, get, request},
};

const STATE: &str = "/api/v1/documents/notes/state";

/// Somebody with a replica and no line.
struct Writer {
    doc: Doc,
    text: TextRef,
}

impl Writer {
    fn new(client: u64) -> Self {
        let doc =
            Doc::with_options(Options { client_id: yrs::block::ClientID::new(client), ..Options::default() });
        Self { text: doc.get_or_insert_text("text"), doc }
    }

    async fn writes(&self, server: &TestServer, words: &str) {
        let before = self.vector();
        self.text.push(&mut self.doc.transact_mut(), words);
        self.posts(server, &before).await;
    }

    async fn posts(&self, server: &TestServer, since: &StateVector) {
        let update = self.doc.transact().encode_diff_v1(since);
        request(server, "POST", "/api/v1/documents/notes/updates").body(update).send().await.expect(200);
    }

    fn vector(&self) -> StateVector {
        self.doc.transact().state_vector()
    }

    fn hears(&self, update: &[u8]) {
        self.doc.transact_mut().apply_update(Update::decode_v1(update).unwrap()).unwrap();
    }

    fn says(&self) -> String {
        self.text.get_string(&self.doc.transact())
    }
}

/// Words that are not all the same.
fn many_words() -> String {
    (0..4000).map(|n| format!("word {n} ")).collect()
}

fn reading(server: &TestServer) -> Request {
    request(server, "GET", STATE)
}

fn decoded(answer: &Answer) -> Vec<u8> {
    let mut decoded = Vec::new();
    let body = &*answer.body;
    match answer.header("content-encoding") {
        "" => decoded.extend(body),
        "zstd" => decoded = zstd::decode_all(body).unwrap(),
        "br" => drop(brotli::Decompressor::new(body, 4096).read_to_end(&mut decoded).unwrap()),
        "gzip" => drop(flate2::read::GzDecoder::new(body).read_to_end(&mut decoded).unwrap()),
        other => panic!("{other}"),
    }
    decoded
}

#[tokio::test]
async fn who_has_a_state_hears_so_until_it_changes() {
    let mut server = TestServer::start().await;
    let ann = Writer::new(1);
    ann.writes(&server, "words").await;
    let first = get(&server, STATE).await.expect(200);
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with('"') && tag.len() > 20, "{tag} is strong");
    assert_eq!(first.header("cache-control"), "private, no-cache");
    for known in [tag.as_str(), "*", &format!("W/{tag}"), &format!("\"other\", {tag}")] {
        for method in ["GET", "HEAD"] {
            let again =
                request(&server, method, STATE).header("if-none-match", known).send().await.expect(304);
            assert_eq!((again.header("etag"), again.body.len()), (&*tag, 0), "{method} {known}");
            assert!(again.all("vary").contains(&"accept-encoding"), "{method} {known}");
        }
    }
    let head = request(&server, "HEAD", STATE).send().await.expect(200);
    assert_eq!(head.header("etag"), tag);
    assert_eq!(head.header("content-length"), first.body.len().to_string());
    assert!(head.body.is_empty());
    // It says what the state is made of, and nothing of the server that says it.
    server.restart().await;
    reading(&server).header("if-none-match", &tag).send().await.expect(304);
    ann.writes(&server, " and more").await;
    let changed = reading(&server).header("if-none-match", &tag).send().await.expect(200);
    assert_ne!(changed.header("etag"), tag);
    ann.text.remove_range(&mut ann.doc.transact_mut(), 0, 3);
    ann.posts(&server, &ann.vector()).await;
    let deleted = reading(&server).header("if-none-match", changed.header("etag")).send().await;
    assert_ne!(deleted.expect(200).header("etag"), changed.header("etag"), "a deletion is a change");
    delete(&server, "/api/v1/documents/notes").await.expect(200);
    assert_eq!(reading(&server).header("if-none-match", "*").send().await.error().0, 410);
}

#[tokio::test]
async fn a_state_can_be_had_in_parts() {
    let server = TestServer::start().await;
    let ann = Writer::new(1);
    ann.writes(&server, &many_words()).await;
    let whole = get(&server, STATE).await.expect(200);
    assert_eq!(whole.header("accept-ranges"), "bytes");
    let (tag, length) = (whole.header("etag").to_owned(), whole.body.len());
    let (mut read, step) = (Vec::new(), length / 3);
    while read.len() < length {
        let range = format!("bytes={}-{}", read.len(), read.len() + step);
        // Whatever it takes: a part is one of the state as it is.
        let part = reading(&server).header("range", &range).header("if-range", &tag);
        let part = part.header("accept-encoding", "zstd, br, gzip").send().await.expect(206);
        let to = (read.len() + step).min(length - 1);
        assert_eq!(part.header("content-range"), format!("bytes {}-{to}/{length}", read.len()));
        assert_eq!((part.header("etag"), part.header("content-encoding")), (&*tag, ""));
        read.extend(part.body);
    }
    assert!(read == whole.body);
    let beyond = reading(&server).header("range", &format!("bytes={length}-")).send().await;
    assert_eq!(beyond.header("content-range"), format!("bytes */{length}"));
    assert_eq!(beyond.error(), (416, "range_not_satisfiable".to_owned()));
    // Its parts belong together, or are not parts.
    ann.writes(&server, "!").await;
    let other =
        reading(&server).header("range", "bytes=0-9").header("if-range", &tag).send().await.expect(200);
    assert!(other.body.len() > length);
    let zipped = reading(&server).header("accept-encoding", "gzip").send().await.expect(200);
    let of_zipped = reading(&server).header("range", "bytes=0-9").header("if-range", zipped.header("etag"));
    of_zipped.send().await.expect(200);
}

#[tokio::test]
async fn a_state_is_compressed_as_the_client_likes() {
    let server = TestServer::start().await;
    let ann = Writer::new(1);
    ann.writes(&server, "short").await;
    let short = reading(&server).header("accept-encoding", "gzip").send().await.expect(200);
    assert_eq!(short.header("content-encoding"), "", "what fits into a packet is not worth it");
    ann.writes(&server, &many_words()).await;
    let whole = get(&server, STATE).await.expect(200);
    assert_eq!(whole.header("content-encoding"), "");
    assert!(whole.all("vary").contains(&"accept-encoding"));
    let mut tags = vec![whole.header("etag").to_owned()];
    for (accepted, coding) in [
        ("gzip", "gzip"),
        ("br", "br"),
        ("zstd", "zstd"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("zstd;q=0.1, gzip", "gzip"),
        ("identity", ""),
        ("lzma", ""),
    ] {
        let of = |method: &str| request(&server, method, STATE).header("accept-encoding", accepted);
        let answer = of("GET").send().await.expect(200);
        assert_eq!(answer.header("content-encoding"), coding, "{accepted}");
        assert_eq!(answer.header("content-type"), "application/octet-stream");
        assert!(answer.all("vary").contains(&"accept-encoding"), "{accepted}");
        assert_eq!(answer.header("content-length"), answer.body.len().to_string(), "{accepted}");
        assert!(decoded(&answer) == whole.body, "{accepted}");
        let tag = answer.header("etag").to_owned();
        if coding.is_empty() {
            assert_eq!(tag, tags[0], "{accepted}");
            continue;
        }
        assert!(answer.body.len() < whole.body.len() / 2, "{accepted}");
        assert!(tag.starts_with("W/\""), "{tag} promises bytes that another version may write otherwise");
        let head = of("HEAD").send().await.expect(200);
        assert_eq!((head.header("etag"), head.header("content-encoding")), (&*tag, coding));
        of("GET").header("if-none-match", &tag).send().await.expect(304);
        // Who has it in another form has it, and hears which.
        for other in &tags {
            let known = of("GET").header("if-none-match", other).send().await.expect(304);
            assert_eq!(known.header("etag"), other, "{accepted}");
        }
        of("GET").header("if-none-match", "\"other\"").send().await.expect(200);
        tags.push(tag);
    }
}

#[tokio::test]
async fn who_says_what_they_have_is_sent_what_they_lack() {
    let server = TestServer::start().await;
    let (ann, bob) = (Writer::new(1), Writer::new(2));
    ann.writes(&server, &many_words()).await;
    let whole = get(&server, STATE).await.expect(200);
    bob.hears(&whole.body);
    let old = bob.vector().encode_v1();
    ann.writes(&server, "the end").await;
    ann.text.remove_range(&mut ann.doc.transact_mut(), 0, 5);
    ann.posts(&server, &ann.vector()).await;
    for vector in [BASE64_URL_SAFE_NO_PAD.encode(&old), BASE64_URL_SAFE.encode(&old)] {
        let path = format!("{STATE}?vector={vector}");
        let lacking = get(&server, &path).await.expect(200);
        assert!(lacking.body.len() < 100, "{} bytes are not only what is new", lacking.body.len());
        let known = request(&server, "GET", &path).header("if-none-match", lacking.header("etag"));
        known.send().await.expect(304);
        let part = request(&server, "GET", &path).header("range", "bytes=1-2").send().await.expect(206);
        assert_eq!(part.body, lacking.body[1..=2]);
        bob.hears(&lacking.body);
        assert_eq!(bob.says(), ann.says());
    }
    // Nothing is everything; who lacks nothing hears of deletions alone.
    for nothing in ["", "AA", "AA%3D%3D"] {
        let everything = get(&server, &format!("{STATE}?vector={nothing}")).await.expect(200);
        assert!(everything.body == get(&server, STATE).await.body, "{nothing}");
    }
    let vector = BASE64_URL_SAFE_NO_PAD.encode(bob.vector().encode_v1());
    let nothing = get(&server, &format!("{STATE}?vector={vector}")).await.expect(200);
    assert!(Update::decode_v1(&nothing.body).unwrap().state_vector().is_empty());
}

#[tokio::test]
async fn what_is_no_state_vector_is_refused_in_words() {
    let server = TestServer::start().await;
    Writer::new(1).writes(&server, "words").await;
    for (vector, why) in [
        ("%20", "Invalid symbol"),
        ("a%2Bb%2F", "Invalid symbol"),
        ("AQ", "early"),
        ("AAAA", "left over"),
        ("AgEBAQE", "twice"),
        ("____________8", ""),
    ] {
        let answer = get(&server, &format!("{STATE}?vector={vector}")).await;
        assert_eq!(answer.error(), (400, "invalid_query".to_owned()), "{vector}");
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("vector must be a Yjs state vector") && message.contains(why), "{message}");
    }
    let twice = get(&server, &format!("{STATE}?vector=AA&vector=AA")).await;
    assert_eq!(twice.error(), (400, "invalid_query".to_owned()));
}
