//! kill -9, again and again: everything that was acknowledged is there after every restart, once and in its place.
//! In both dialects that acknowledge, in the same documents: the echo of y-websocket, the SyncStatus of Hocuspocus.
//!
//! `WEFT_KILL_CYCLES=1000` for more than the ordinary run, `WEFT_KILL_SEED` to repeat one.

use std::{collections::BTreeMap, path::Path, time::Duration};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::support::{Client, Weft, from_environment, rest, settle, until};

const DOCUMENTS: [&str; 3] = ["one", "two", "a long name/with a slash"];

/// Somebody who writes numbered words, and knows which of them were acknowledged.
struct Writer {
    client: Client,
    document: &'static str,
    /// The words sent over this connection, in the order of their acknowledgements.
    sent: Vec<String>,
    words: usize,
}

impl Writer {
    fn writes(&mut self) {
        self.words += 1;
        let word = format!("[{}-{}]", self.client.name, self.words);
        self.client.types(&word);
        self.sent.push(word);
    }

    /// The words that were acknowledged. Acknowledgements come in order.
    fn acknowledged(&self) -> &[String] {
        &self.sent[..self.sent.len().saturating_sub(self.client.unsaved())]
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9() {
    let cycles = from_environment("WEFT_KILL_CYCLES", 20);
    let seed = from_environment("WEFT_KILL_SEED", rand::random::<u32>().into());
    println!("WEFT_KILL_SEED={seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    // Every word that was ever acknowledged, by document.
    let mut promised: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for cycle in 0..cycles {
        cycle_once(cycle, folder.path(), &mut random, &mut promised).await;
    }
    let server = Weft::serve(folder.path(), &[]).await;
    look(&server, &promised, cycles).await;
    let words: usize = promised.values().map(Vec::len).sum();
    println!("{cycles} cycles, {words} acknowledged words, none lost, none doubled");
    assert!(words > cycles as usize, "hardly anything was written");
}

async fn cycle_once(
    cycle: u64,
    folder: &Path,
    random: &mut ChaCha8Rng,
    promised: &mut BTreeMap<&'static str, Vec<String>>,
) {
    // Small checkpoints, so that they too are interrupted; both levels that promise to survive this.
    let level = if cycle.is_multiple_of(2) { "kill" } else { "disk" };
    let server = Weft::serve(folder, &["--checkpoint-bytes", "2000", "--durability", level]).await;
    look(&server, promised, cycle).await;

    let mut writers = Vec::new();
    for (n, document) in DOCUMENTS.into_iter().cycle().take(2 * DOCUMENTS.len()).enumerate() {
        let client = Client::named(&format!("{cycle}.{n}"));
        let client = if n < DOCUMENTS.len() { client.acknowledged() } else { client.over_hocuspocus() };
        let client = client.opens(&server, document).await;
        // The answer to the server's step 1 is acknowledged like an update; have it behind us.
        client.saved().await;
        writers.push(Writer { client, document, sent: Vec::new(), words: 0 });
    }
    let enough = random.random_range(1..60);
    let killed_after = Duration::from_micros(random.random_range(0..5_000));
    let mut heard = 0;
    while heard < enough {
        for writer in &mut writers {
            for _ in 0..random.random_range(0..3) {
                writer.writes();
            }
        }
        tokio::time::sleep(Duration::from_micros(random.random_range(0..2_000))).await;
        heard = writers.iter().map(|writer| writer.acknowledged().len()).sum();
    }
    tokio::time::sleep(killed_after).await;
    server.kill();
    for mut writer in writers {
        // Acknowledgements that are still in the socket count.
        writer.client.is_closed().await;
        assert_eq!(writer.client.refusals(), 0, "cycle {cycle}: something was refused");
        promised.entry(writer.document).or_default().extend_from_slice(writer.acknowledged());
    }
}

/// Reads every document with fresh eyes.
async fn look(server: &Weft, promised: &BTreeMap<&'static str, Vec<String>>, cycle: u64) {
    for (document, words) in promised {
        let reader = Client::named("reader").opens(server, document).await;
        let text = reader.text();
        let mut count: BTreeMap<&str, usize> = BTreeMap::new();
        for word in text.split_inclusive(']') {
            *count.entry(word).or_default() += 1;
        }
        for word in words {
            assert_eq!(count.get(word.as_str()), Some(&1), "cycle {cycle}: {word} in {document:?}: {text}");
        }
        // Everybody writes at the end, so what one wrote stands in the order in which it was written.
        let mut last: BTreeMap<&str, usize> = BTreeMap::new();
        for word in text.split_inclusive(']') {
            let (writer, number) = word[1..word.len() - 1].split_once('-').unwrap();
            let number = number.parse().unwrap();
            let before = last.insert(writer, number).unwrap_or(0);
            assert!(before < number, "cycle {cycle}: {word} stands behind number {before}: {text}");
        }
        let doubled: Vec<_> = count.iter().filter(|(_, times)| **times != 1).collect();
        assert!(doubled.is_empty(), "cycle {cycle}: doubled in {document:?}: {doubled:?}");
    }
}

#[tokio::test]
async fn people_go_on_where_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let server = Weft::serve(folder.path(), &[]).await;
    let mut ann = Client::named("ann").acknowledged().opens(&server, "notes").await;
    let mut bob = Client::named("bob").opens(&server, "notes").await;
    ann.types("in the middle of a sen");
    ann.saved().await;
    settle(&[&ann, &bob]).await;
    server.kill();
    assert_eq!(ann.is_closed().await, None);
    bob.is_closed().await;
    ann.types("tence; ");
    bob.sets("written", "offline");

    let server = Weft::serve(folder.path(), &[]).await;
    let text = rest::get(&server, "/api/v1/documents/notes/text").await.expect(200);
    assert_eq!(text.text(), "in the middle of a sen");
    ann.comes_back(&server).await;
    bob.comes_back(&server).await;
    settle(&[&ann, &bob]).await;
    ann.saved().await;
    assert_eq!(bob.text(), "in the middle of a sentence; ");
    until("bob's key", || ann.content()["map"]["written"] == "offline").await;
}
