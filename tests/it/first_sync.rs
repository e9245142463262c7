//! The answer to a first step 1 may be as large as a document. It comes in messages that are not too large, made as they
//! are read: a thin line gets there, a broken one goes on where it was, and who asks and never reads holds next to nothing.

use bytes::Bytes;
use yrs::{
    Doc, GetString, OffsetKind, Options, ReadTxn, StateVector, Text, Transact, Update,
    block::ClientID,
    sync::{Message, SyncMessage},
    updates::{decoder::Decode, encoder::Encode},
};

use crate::support::{
    Address, Client, TestServer, Weft,
    frames::{empty_step1, only_message, step1},
    raw::Raw,
    rest::request,
    settle,
};

/// No message is longer, but for what a frame says besides.
const PIECE: usize = 260 << 10;

/// Somebody with a document.
fn person(id: u64) -> Doc {
    Doc::with_options(Options {
        client_id: ClientID::new(id),
        offset_kind: OffsetKind::Utf16,
        ..Options::default()
    })
}

/// A document of so many bytes: a long text by one, on top of it many words by another, some of it deleted.
fn large(bytes: usize, words: u32) -> Doc {
    let doc = person(1);
    let text = doc.get_or_insert_text("text");
    text.insert(&mut doc.transact_mut(), 0, &"一行字。A line of it.\n".repeat(bytes / 27));
    let other = person(2);
    let state = doc.transact().encode_state_as_update_v1(&StateVector::default());
    other.transact_mut().apply_update(Update::decode_v1(&state).unwrap()).unwrap();
    let text = other.get_or_insert_text("text");
    for n in 0..words {
        text.insert(&mut other.transact_mut(), 200 * n, "word ");
        if n % 3 == 0 {
            text.remove_range(&mut other.transact_mut(), 200 * n, 2);
        }
    }
    other
}

/// A document in which so many people wrote a letter each.
fn of_many(people: u64) -> Doc {
    let doc = person(1);
    for id in 2..people + 2 {
        let writer = person(id);
        let text = writer.get_or_insert_text("text");
        text.insert(&mut writer.transact_mut(), 0, "a few words");
        let update = writer.transact().encode_state_as_update_v1(&StateVector::default());
        doc.transact_mut().apply_update(Update::decode_v1(&update).unwrap()).unwrap();
    }
    doc
}

async fn store(server: &impl Address, name: &str, doc: &Doc) {
    let state = doc.transact().encode_state_as_update_v1(&StateVector::default());
    let path = format!("/api/v1/documents/{name}/updates");
    let request = request(server, "POST", &path).header("content-type", "application/octet-stream").patient();
    request.body(state).send().await.expect(200);
}

fn text(doc: &Doc) -> String {
    doc.get_or_insert_text("text").get_string(&doc.transact())
}

/// What one message of an answer brings, and whether it is the last.
fn update(frame: &Bytes) -> Option<(Vec<u8>, bool)> {
    match only_message(frame).unwrap() {
        Message::Sync(SyncMessage::Update(update)) => Some((update, false)),
        Message::Sync(SyncMessage::SyncStep2(update)) => Some((update, true)),
        _ => None,
    }
}

#[tokio::test]
async fn a_large_document_comes_in_pieces_and_goes_on_where_the_line_broke() {
    let server = TestServer::start().await;
    let doc = large(3 << 20, 300);
    store(&server, "book", &doc).await;
    let reader = person(9);
    let (mut heard, mut pieces, mut breaks) = (0, 0, 0);
    let mut raw = Raw::open(&server, "book").await;
    raw.send(empty_step1()).await;
    loop {
        let frame = raw.next().await.unwrap();
        let Some((update, is_last)) = update(&frame) else { continue };
        assert!(frame.len() <= PIECE, "a message of {} bytes", frame.len());
        heard += frame.len();
        pieces += 1;
        reader.transact_mut().apply_update(Update::decode_v1(&update).unwrap()).unwrap();
        assert!(!reader.transact().has_missing_updates(), "a piece builds upon what did not come");
        if is_last {
            break;
        }
        // In the middle of the long text, for one.
        if pieces % 3 == 0 && breaks < 3 {
            breaks += 1;
            raw = Raw::open(&server, "book").await;
            raw.send(step1(&reader.transact().state_vector().encode_v1())).await;
        }
    }
    assert_eq!(breaks, 3);
    assert_eq!(text(&reader), text(&doc));
    let size = doc.transact().encode_state_as_update_v1(&StateVector::default()).len();
    // What had been read was not sent again, but for the deletions and what was on its way.
    assert!(heard < size + (1 << 20), "{heard} bytes for a document of {size}");
}

#[tokio::test]
async fn whatever_the_dialect_who_comes_to_a_large_document_hears_all_of_it_and_what_is_written_meanwhile() {
    let server = TestServer::start().await;
    store(&server, "book", &large(2 << 20, 100)).await;
    let ann = server.client("ann", "book").await;
    let over = [
        Client::named("bob").over_hocuspocus(),
        Client::named("cat").over_events(),
        Client::named("dan").over_polls(),
        Client::named("eve"),
    ];
    let mut others = Vec::new();
    for client in over {
        ann.types(&format!("for {}; ", client.name));
        others.push(client.opens(&server, "book").await);
        ann.types("and on; ");
    }
    let everybody: Vec<&Client> = others.iter().chain([&ann]).collect();
    settle(&everybody).await;
    assert!(ann.state().len() > 2_000_000);
}

#[tokio::test]
async fn who_asks_again_and_again_and_never_reads_holds_little() {
    let folder = tempfile::tempdir().unwrap();
    let server = Weft::serve(folder.path(), &[]).await;
    store(&server, "book", &large(10 << 20, 10)).await;
    store(&server, "crowd", &of_many(20_000)).await;
    for document in ["book", "crowd"] {
        holds_little(&server, document).await;
    }
}

async fn holds_little(server: &Weft, document: &str) {
    const SOCKETS: u64 = 16;
    let ann = Client::named("ann").opens(server, document).await;
    // Sixteen questions in one frame, each of them with a vector of its own.
    let ask = async |socket: u64| {
        let mut raw = Raw::open(server, document).await;
        let questions = (0..16).flat_map(|n| {
            let known =
                [(ClientID::new(1), (socket * 16 + n) as u32), (ClientID::new(2 + socket * 16 + n), 11)];
            step1(&StateVector::new(known.into_iter().collect()).encode_v1())
        });
        raw.send(questions.collect::<Vec<u8>>()).await;
        // It is answered in turn: what comes is the first of many pieces.
        raw.hears(|frame| update(&Bytes::copy_from_slice(frame)).is_some()).await;
        raw
    };
    drop(ask(SOCKETS).await);
    let before = server.resident_bytes();
    let mut deaf = Vec::new();
    for socket in 0..SOCKETS {
        deaf.push(ask(socket).await);
    }
    let grown = server.resident_bytes().saturating_sub(before);
    println!("{document}: grown by {} KB for {SOCKETS} sockets", grown >> 10);
    assert!(grown < SOCKETS * (2 << 20), "{} KB for each", (grown / SOCKETS) >> 10);
    let bob = Client::named("bob").opens(server, document).await;
    ann.types("they are served all the same");
    settle(&[&ann, &bob]).await;
}

#[tokio::test]
async fn who_does_nothing_but_ask_is_sent_away() {
    let server = TestServer::start().await;
    store(&server, "book", &large(1 << 20, 10)).await;
    let ann = server.client("ann", "book").await;
    let mut raw = Raw::open(&server, "book").await;
    for _ in 0..20 {
        raw.send(empty_step1().repeat(16)).await;
    }
    assert_eq!(raw.closed().await, Some(4529));
    ann.types("nobody else notices");
    let bob = server.client("bob", "book").await;
    settle(&[&ann, &bob]).await;
}
