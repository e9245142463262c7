//! Dear work: it is bounded, and it holds nobody else up.

use crate::support::{Client, Raw, TestServer, frames, rest};

/// A letter at the beginning of a text, of somebody who saw nothing there.
const LETTER: [u8; 9] = [4, 1, 4, b't', b'e', b'x', b't', 1, b'a'];

/// An update of many who each put a letter there, made so that each is compared with all before it: the letter before
/// its own builds upon the one of the client below.
fn crowd_at_one_spot(authors: u64) -> Vec<u8> {
    let mut bytes = frames::uint(authors);
    for client in (1..=authors).rev() {
        bytes.extend(frames::uint(if client > 1 { 2 } else { 1 }));
        bytes.extend(frames::uint(client));
        bytes.extend(frames::uint(0));
        if client > 1 {
            bytes.push(0x84);
            bytes.extend(frames::uint(client - 1));
            bytes.extend(frames::uint(u64::from(client > 2)));
            bytes.extend([1, b'b']);
        }
        bytes.extend(LETTER);
    }
    bytes.push(0);
    bytes
}

/// The letters of `clients`, the highest first, as yrs takes them in: each is compared with those below it that are there.
fn letters(clients: std::ops::RangeInclusive<u64>) -> Vec<u8> {
    let mut bytes = frames::uint(clients.end() + 1 - clients.start());
    for client in clients.rev() {
        bytes.extend([frames::uint(1), frames::uint(client), frames::uint(0), LETTER.to_vec()].concat());
    }
    bytes.push(0);
    bytes
}

#[tokio::test]
async fn dear_work_is_cut_short_and_holds_up_no_other_document() {
    let server = TestServer::setup().settings(|settings| settings.workers = Some(1)).start().await;
    let bob = Client::named("bob").acknowledged().opens(&server, "other").await;
    let mut mallory = Raw::open(&server, "notes").await;
    mallory.send([vec![0, 2], frames::buffer(&crowd_at_one_spot(10_000))].concat()).await;
    // On the same thread, while that is under way, every keystroke is taken, stored and answered.
    let mut keys = 0;
    while server.refused("too_dear") == 0 {
        bob.types("x");
        bob.saved().await;
        keys += 1;
    }
    assert!(keys > 10, "only {keys} keystrokes while somebody else's work was done");
    assert!(mallory.closed().await.is_some(), "whoever asks for too much is told");
    // What was taken by then is whole, and the document goes on.
    let ann = server.client("ann", "notes").await;
    let before = ann.text();
    assert!(before.len() > 1000, "{} letters", before.len());
    ann.inserts(0, "and on");
    ann.hears_all_so_far().await;
    let text = rest::get(&server, "/api/v1/documents/notes/text").await.expect(200);
    assert_eq!(text.text(), format!("and on{before}"));
    assert_eq!(server.metrics().documents_poisoned.get(), 0);
}

#[tokio::test]
async fn many_small_dear_changes_are_cut_short_like_a_large_one() {
    const CROWD: u64 = 20_000;
    let server = TestServer::setup().settings(|settings| settings.workers = Some(1)).start().await;
    let bob = Client::named("bob").acknowledged().opens(&server, "other").await;
    let mut crowd = Raw::open(&server, "notes").await;
    crowd.send([vec![0, 2], frames::buffer(&letters(1..=CROWD))].concat()).await;
    crowd.send(vec![0, 0, 1, 0]).await;
    while !matches!(crowd.next().await, Ok(answer) if answer.starts_with(&[0, 1])) {}
    let mut mallory = Raw::open(&server, "notes").await;
    let (mut keys, mut next) = (0, CROWD + 1);
    while server.refused("too_dear") == 0 {
        assert!(next < CROWD + 4_000, "all were taken");
        for client in next..next + 8 {
            mallory.send([vec![0, 2], frames::buffer(&letters(client..=client))].concat()).await;
        }
        next += 8;
        bob.types("x");
        bob.saved().await;
        keys += 1;
    }
    assert!(keys > 10, "only {keys} keystrokes while somebody else's work was done");
    assert!(mallory.closed().await.is_some(), "whoever asks for too much is told");
    // Somebody else writes there as before.
    let ann = server.client("ann", "notes").await;
    let before = ann.text();
    ann.inserts(0, "and on");
    ann.hears_all_so_far().await;
    let text = rest::get(&server, "/api/v1/documents/notes/text").await.expect(200);
    assert_eq!(text.text(), format!("and on{before}"));
}
