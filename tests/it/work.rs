//! Dear work: it is bounded, and it holds nobody else up.

use crate::support::{Client, Raw, TestServer, frames, rest};

/// An update of `authors` clients who each put a letter at the beginning of a text, made so that each is compared with
/// all before it: the letter before its own builds upon the one of the client below.
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
        bytes.extend([4, 1, 4, b't', b'e', b'x', b't', 1, b'a']);
    }
    bytes.push(0);
    bytes
}

#[tokio::test]
async fn dear_work_is_cut_short_and_holds_up_no_other_document() {
    let server = TestServer::setup().settings(|settings| settings.workers = Some(1)).start().await;
    let bob = Client::named("bob").acknowledged().opens(&server, "other").await;
    let mut mallory = Raw::open(&server, "notes").await;
    mallory.send([vec![0, 2], frames::buffer(&crowd_at_one_spot(16_000))].concat()).await;
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
