//! Bytes that want to hurt: they cost their sender the connection, and nobody else anything.

use std::time::Duration;

use yrs::{
    Array, ArrayPrelim, ArrayRef, Doc, Map, MapPrelim, MapRef, ReadTxn, StateVector, Transact,
    updates::encoder::Encode,
};

use crate::support::{Address, Client, Raw, TestServer, Weft, frames, repository, rest, settle, until};

#[path = "../fuzz/src/corpus.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with the fuzzer and with other tests")]
mod corpus;

/// Two people in one document who must not notice anything, and whether the server still serves them.
struct Bystanders {
    ann: Client,
    bob: Client,
    words: usize,
}

impl Bystanders {
    async fn of(server: &impl Address) -> Self {
        let ann = Client::named("ann").acknowledged().opens(server, "bystanders").await;
        let bob = Client::named("bob").opens(server, "bystanders").await;
        Self { ann, bob, words: 0 }
    }

    async fn are_well(&mut self) {
        self.words += 1;
        assert!(self.ann.is_online() && self.bob.is_online(), "they were sent away");
        self.ann.types(&format!("{} ", self.words));
        self.ann.saved().await;
        settle(&[&self.ann, &self.bob]).await;
        assert!(self.bob.text().ends_with(&format!("{} ", self.words)));
    }
}

/// What becomes of who sends this frame: the close code, or that the question behind it is answered.
async fn sends(server: &impl Address, document: &str, frame: Vec<u8>) -> Result<(), Option<u16>> {
    let mut raw = Raw::open(server, document).await;
    raw.send(frame).await;
    raw.send(frames::empty_step1()).await;
    loop {
        let heard = raw.next().await?;
        if heard.starts_with(&[0, 1]) {
            return Ok(());
        }
    }
}

#[tokio::test]
async fn every_killer_costs_its_sender_the_connection_and_nobody_else_anything() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Weft::serve(folder.path(), &[]).await;
    let mut bystanders = Bystanders::of(&server).await;
    let killers = corpus::killers(&repository("tests/fixtures"));
    for killer in &killers {
        let name = &killer.name;
        let frames = match killer.kind.as_str() {
            "update" => vec![frames::step2(&killer.bytes), frames::update(&killer.bytes)],
            "state-vector" => vec![frames::step1(&killer.bytes)],
            "awareness" => vec![frames::awareness_of(&killer.bytes)],
            "frame" => vec![killer.bytes.clone()],
            other => panic!("{name}: unknown kind {other:?}"),
        };
        for frame in frames {
            // In a document of its own, in a shared one, and in one with a history it may build upon.
            for document in [name.as_str(), "bystanders"] {
                let outcome = sends(&server, document, frame.clone()).await;
                if killer.reason == "blocked" {
                    // Well formed, and building upon nothing that is there: not applied, and no offence.
                    assert_eq!(outcome, Ok(()), "{name} in {document}");
                } else {
                    let code = outcome.expect_err(name);
                    assert!(
                        matches!(code, Some(1002 | 1008 | 1009 | 4422)),
                        "{name} in {document}: {code:?}"
                    );
                }
            }
        }
        if killer.kind == "update" {
            let path = format!("/api/v1/documents/{name}/updates");
            let answer = rest::request(&server, "POST", &path).body(killer.bytes.clone()).send().await;
            let expected = if killer.reason == "blocked" { 409 } else { 400 };
            assert_eq!(answer.error().0, expected, "{name}: {}", answer.text());
        }
        assert!(server.is_alive(), "{name} killed it");
        bystanders.are_well().await;
    }
    println!("{} killers", killers.len());
    // And nothing of it is left that a restart could stumble upon.
    server.kill();
    let server = Weft::serve(folder.path(), &[]).await;
    let fresh = Client::named("fresh").opens(&server, "bystanders").await;
    assert_eq!(fresh.text(), bystanders.ann.text());
}

#[tokio::test]
async fn every_cut_and_every_flipped_byte_of_a_good_frame_is_survived() {
    let server = TestServer::start().await;
    let mut bystanders = Bystanders::of(&server).await;
    let author = Client::with_id("author", 99);
    author.types("a good update");
    author.sets("key", "value");
    author.deletes(2, 3);
    let good = [
        frames::step2(&author.state()),
        frames::step1(&{
            let doc = Doc::new();
            let text = doc.get_or_insert_text("text");
            yrs::Text::insert(&text, &mut doc.transact_mut(), 0, "x");
            let vector = doc.transact().state_vector();
            vector.encode_v1()
        }),
        frames::awareness(&[(99, 1, r#"{"name":"author"}"#)]),
    ];
    for frame in &good {
        for end in 0..frame.len() {
            // Every proper beginning of a message is an incomplete message.
            let outcome = sends(&server, "cut", frame[..end].to_vec()).await;
            assert_eq!(outcome, Err(Some(1002)), "cut at {end}: {frame:?}");
        }
        for at in 0..frame.len() {
            let mut flipped = frame.clone();
            flipped[at] ^= 0x81;
            // It may still be a message, only not this one: what counts is that the server lives.
            let _ = sends(&server, "flipped", flipped).await;
        }
    }
    bystanders.are_well().await;
    assert_eq!(server.metrics().documents_poisoned.get(), 0);
    let answer = rest::get(&server, "/api/v1/documents/flipped/json").await;
    assert!(matches!(answer.status, 200 | 404), "{}", answer.text());
}

#[tokio::test]
async fn the_second_encoding_is_refused() {
    let server = TestServer::start().await;
    let mut bystanders = Bystanders::of(&server).await;
    let doc = Doc::new();
    let text = doc.get_or_insert_text("text");
    yrs::Text::insert(&text, &mut doc.transact_mut(), 0, "in the second encoding");
    let second = doc.transact().encode_state_as_update_v2(&StateVector::default());
    let code = sends(&server, "second", frames::update(&second)).await.unwrap_err();
    assert!(matches!(code, Some(1002 | 1008 | 4422)), "{code:?}");
    let answer = rest::request(&server, "POST", "/api/v1/documents/second/updates").body(second).send().await;
    assert_eq!(answer.error(), (400, "invalid_update".to_owned()));
    bystanders.are_well().await;
}

#[tokio::test]
async fn a_count_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let server = Weft::serve(folder.path(), &[]).await;
    let mut bystanders = Bystanders::of(&server).await;
    let before = server.resident_bytes();
    let many = frames::uint((1 << 31) - 1);
    let most = frames::uint((1 << 53) - 1);
    for count in [&many, &most] {
        for frame in [
            frames::step1(count),
            frames::step2(count),
            frames::step2(&[vec![0], count.clone()].concat()),
            frames::step2(&[vec![1], count.clone(), vec![5, 0, 4, 1, 1, b't', 1, b'x', 0]].concat()),
            frames::awareness_of(count),
            [vec![0, 2], count.clone(), vec![0, 0]].concat(),
            [vec![1], count.clone()].concat(),
        ] {
            let code = sends(&server, "counts", frame.clone()).await.expect_err("it is refused");
            assert!(matches!(code, Some(1002 | 1008 | 1009 | 4422)), "{code:?} for {frame:?}");
        }
    }
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 10 << 20, "{} MB more than before", grown >> 20);
    bystanders.are_well().await;
}

#[tokio::test]
async fn types_nested_ever_deeper_by_many_updates_do_not_overflow_a_stack() {
    const LEVELS: usize = 20_000;
    let folder = tempfile::tempdir().unwrap();
    let mut server = Weft::serve(folder.path(), &[]).await;
    let mut bystanders = Bystanders::of(&server).await;

    // Each update is innocent: one array inside the innermost one so far. In two sittings, because a server
    // that begins to count anew with each would never count to the end.
    let doc = Doc::new();
    let mut innermost: ArrayRef = doc.get_or_insert_array("array");
    let mut sent = 0;
    for sitting in [1_000, LEVELS] {
        let mut raw = Raw::open(&server, "deep").await;
        // With a question now and then: whoever only sends may miss why the line was closed.
        let end = 'sitting: loop {
            for _ in 0..250.min(sitting - sent) {
                let mut txn = doc.transact_mut();
                innermost = innermost.push_back(&mut txn, ArrayPrelim::default());
                txn.commit();
                let update = txn.encode_update_v1();
                drop(txn);
                let _ = raw.send(frames::update(&update)).await;
                sent += 1;
            }
            let _ = raw.send(frames::empty_step1()).await;
            loop {
                match raw.next().await {
                    Ok(heard) if heard.starts_with(&[0, 1]) => break,
                    Ok(_) => {}
                    Err(code) => break 'sitting code,
                }
            }
            if sent == sitting {
                break None;
            }
        };
        assert_eq!(end, (sitting == LEVELS).then_some(4422), "after {sent}");
        if sitting != LEVELS {
            drop(raw);
            server.terminate();
            server.ends_within(Duration::from_secs(8)).await;
            server = Weft::serve(folder.path(), &[]).await;
            bystanders = Bystanders::of(&server).await;
        }
    }
    for path in ["/state", "/json", "/text", ""] {
        rest::get(&server, &format!("/api/v1/documents/deep{path}")).await.expect(200);
    }
    let json = rest::get(&server, "/api/v1/documents/deep/json").await;
    let depth = json.text().matches('[').count();
    println!("{depth} levels were taken");
    // What was taken one by one is taken at once, as by a server that was restored from yesterday.
    let state = rest::get(&server, "/api/v1/documents/deep/state").await;
    rest::request(&server, "POST", "/api/v1/documents/again/updates")
        .body(state.body)
        .send()
        .await
        .expect(200);
    assert_eq!(rest::get(&server, "/api/v1/documents/again/json").await.text(), json.text());
    assert!((1_000..4_000).contains(&depth), "{depth} levels were taken");
    bystanders.are_well().await;

    // Deleting the outermost deletes all of them. Written by hand: this thread's stack is no deeper.
    let client = frames::uint(doc.client_id().get());
    let delete_first = [vec![0, 1], client, vec![1, 0, 1]].concat();
    let mut raw = Raw::open(&server, "deep").await;
    raw.send(frames::update(&delete_first)).await;
    raw.send(frames::empty_step1()).await;
    while let Ok(heard) = raw.next().await {
        if heard.starts_with(&[0, 1]) {
            break;
        }
    }
    let json = rest::get(&server, "/api/v1/documents/deep/json").await.expect(200);
    assert_eq!(json.text(), "{}");
    bystanders.are_well().await;
    // Nor does what was stored keep it from coming back.
    server.kill();
    let mut server = Weft::serve(folder.path(), &[]).await;
    rest::get(&server, "/api/v1/documents/deep/json").await.expect(200);
    let fresh = Client::named("fresh").opens(&server, "bystanders").await;
    assert_eq!(fresh.text(), bystanders.ann.text());
    assert!(server.is_alive());
    // The test's own replica is as deep, and dropping it would overflow this stack.
    std::mem::forget(doc);
}

#[tokio::test]
async fn maps_nested_in_one_update_are_refused_beyond_the_limit() {
    let server = TestServer::start().await;
    let mut bystanders = Bystanders::of(&server).await;
    let nested = |levels: usize| {
        let doc = Doc::new();
        let mut innermost: MapRef = doc.get_or_insert_map("map");
        let mut txn = doc.transact_mut();
        for _ in 0..levels {
            innermost = innermost.insert(&mut txn, "k", MapPrelim::default());
        }
        txn.commit();
        txn.encode_update_v1()
    };
    assert_eq!(sends(&server, "shallow", frames::update(&nested(2000))).await, Ok(()));
    assert_eq!(sends(&server, "deep", frames::update(&nested(2100))).await, Err(Some(4422)));
    bystanders.are_well().await;
}

#[tokio::test]
async fn a_flood_of_updates_that_build_upon_nothing_is_cheap() {
    let server = TestServer::start().await;
    let mut bystanders = Bystanders::of(&server).await;
    // Every second change of somebody, so that each lacks the one before it.
    let doc = Doc::new();
    let text = doc.get_or_insert_text("text");
    let mut raw = Raw::open(&server, "gaps").await;
    let begun = std::time::Instant::now();
    for n in 0..5_000 {
        let mut txn = doc.transact_mut();
        yrs::Text::insert(&text, &mut txn, 0, "x");
        txn.commit();
        let update = txn.encode_update_v1();
        drop(txn);
        if n % 2 == 1 {
            raw.send(frames::update(&update)).await;
        }
        if n % 500 == 0 {
            // The server asks for what is missing each time; it is heard, and not answered.
            raw.send(vec![3]).await;
        }
    }
    raw.send(frames::empty_step1()).await;
    raw.hears(|frame| frame.starts_with(&[0, 1])).await;
    assert!(begun.elapsed() < Duration::from_secs(10), "it took {:?}", begun.elapsed());
    bystanders.are_well().await;
    until("they are counted", || server.refused("incomplete_update") >= 2_500).await;
}

#[tokio::test]
async fn what_yrs_would_read_for_ever_is_not_read() {
    let server = TestServer::start().await;
    let mut bystanders = Bystanders::of(&server).await;
    // A root that holds a value and a piece of text with a character beyond U+FFFF, so that it is an array
    // whose elements cannot be counted.
    let update = [
        vec![1, 2, 9, 0],
        [vec![0x08, 1, 1, b't', 1, 0x7d, 1]].concat(),
        [vec![0x84, 9, 0], frames::buffer("\u{1f600}".as_bytes())].concat(),
        vec![0],
    ];
    assert_eq!(sends(&server, "endless", frames::update(&update.concat())).await, Ok(()), "it is an update");
    for path in ["json", "text", "state"] {
        let answer = rest::get(&server, &format!("/api/v1/documents/endless/{path}")).await;
        assert!(matches!(answer.status, 200 | 422), "{path}: {}", answer.text());
    }
    bystanders.are_well().await;
}
