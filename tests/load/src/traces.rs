//! Big documents and long histories: recorded editing traces, and a seeded stand-in where these are absent.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use flate2::read::GzDecoder;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;
use yrs::block::ClientID;
use yrs::updates::decoder::Decode as _;
use yrs::{Doc, GetString as _, OffsetKind, Options, Text as _, Transact as _};

use crate::peers::in_repository;
use crate::replica;
use crate::wire::TEXT;

/// Who wrote the traces. Fixed, so that the built documents are the same everywhere.
const AUTHOR: u64 = 424_242;

/// What one author did, one entry a transaction: each a list of (position, deleted, inserted), positions in
/// characters.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Trace {
    start_content: String,
    /// The text after all transactions.
    pub(crate) end_content: String,
    txns: Vec<Transaction>,
}

#[derive(Debug, Deserialize)]
struct Transaction {
    patches: Vec<(u32, u32, String)>,
}

impl Trace {
    /// Reads `name` from the folder of traces, or makes a history of `edits` edits up if it is not there.
    pub(crate) fn load(name: &str, edits: usize) -> Result<Self> {
        let path = directory().join(format!("{name}.json.gz"));
        if path.is_file() {
            return Self::read(&path);
        }
        eprintln!("{} is absent: using a generated history of {edits} edits instead", path.display());
        Ok(Self::generate(edits, 20_261_121))
    }

    fn read(path: &Path) -> Result<Self> {
        unpack(path)
    }

    /// A person's way of writing: mostly on at the caret, now and then elsewhere, every eighth keystroke a deletion.
    fn generate(edits: usize, seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let (mut text, mut caret, mut txns) = (Vec::<u8>::new(), 0, Vec::with_capacity(edits));
        for _ in 0..edits {
            if random.random_ratio(1, 60) {
                caret = random.random_range(0..=text.len());
            }
            let patch = if caret > 0 && random.random_ratio(1, 8) {
                caret -= 1;
                text.remove(caret);
                (caret as u32, 1, String::new())
            } else {
                let letter = b"etaoin shrdlu "[random.random_range(0..14)];
                text.insert(caret, letter);
                caret += 1;
                (caret as u32 - 1, 0, char::from(letter).to_string())
            };
            txns.push(Transaction { patches: vec![patch] });
        }
        let end_content = text.into_iter().map(char::from).collect();
        Self { start_content: String::new(), end_content, txns }
    }

    /// The updates that a Yjs client sends while its author does this, one a transaction, and the document after.
    pub(crate) fn updates(&self) -> Result<(Vec<Vec<u8>>, Doc)> {
        let characters = OffsetKind::Utf16; // the traces count characters; theirs are all of one UTF-16 unit
        ensure!(
            self.end_content.chars().all(|c| c.len_utf16() == 1),
            "a trace with characters outside the basic plane"
        );
        let doc = Doc::with_options(Options {
            client_id: ClientID::new(AUTHOR),
            offset_kind: characters,
            ..Default::default()
        });
        let text = doc.get_or_insert_text(TEXT);
        let mut updates = Vec::with_capacity(self.txns.len() + 1);
        if !self.start_content.is_empty() {
            let mut transaction = doc.transact_mut();
            text.push(&mut transaction, &self.start_content);
            updates.push(transaction.encode_update_v1());
        }
        for edit in &self.txns {
            let mut transaction = doc.transact_mut();
            for (position, deleted, inserted) in &edit.patches {
                if *deleted > 0 {
                    text.remove_range(&mut transaction, *position, *deleted);
                }
                if !inserted.is_empty() {
                    text.insert(&mut transaction, *position, inserted);
                }
            }
            updates.push(transaction.encode_update_v1());
        }
        let written = text.get_string(&doc.transact());
        ensure!(written == self.end_content, "the trace does not give its own end text");
        Ok((updates, doc))
    }
}

fn unpack<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let file = File::open(path).with_context(|| format!("open {}", path.display()))?;
    let mut json = String::new();
    GzDecoder::new(file).read_to_string(&mut json).with_context(|| format!("unpack {}", path.display()))?;
    serde_json::from_str(&json).with_context(|| format!("read {}", path.display()))
}

/// A document as one update, with the text it holds.
pub(crate) struct BigDocument {
    pub(crate) state: Vec<u8>,
    pub(crate) text: String,
}

/// The document of the automerge-paper trace: a quarter of a million edits, a hundred thousand characters. Building
/// it takes about a minute, so it is kept in the build directory.
pub(crate) fn automerge_paper() -> Result<BigDocument> {
    let trace = Trace::load("automerge-paper", 120_000)?;
    let cache =
        in_repository("target/weft-load").join(format!("automerge-paper-{}.update", trace.txns.len()));
    if let Ok(state) = fs::read(&cache)
        && replica::text_of([state.as_slice()].into_iter()).is_ok_and(|text| text == trace.end_content)
    {
        return Ok(BigDocument { state, text: trace.end_content });
    }
    eprintln!("building the automerge-paper document, once …");
    let (_, doc) = trace.updates()?;
    let state = replica::state_of(&doc);
    fs::create_dir_all(cache.parent().context("a cache without a folder")?)?;
    fs::write(&cache, &state).with_context(|| format!("write {}", cache.display()))?;
    Ok(BigDocument { state, text: trace.end_content })
}

/// The document of the friendsforever trace, which two people wrote at once: each edit was made to what its author had
/// seen. A generated history stands in for it where it is absent.
pub(crate) fn friends_forever() -> Result<Vec<u8>> {
    let path = directory().join("friendsforever.json.gz");
    if !path.is_file() {
        eprintln!("{} is absent: using a generated history instead", path.display());
        return Ok(replica::state_of(&Trace::generate(26_000, 20_261_128).updates()?.1));
    }
    let friends: Friends = unpack(&path)?;
    let writer = |agent: usize| {
        let client_id = ClientID::new(AUTHOR + agent as u64);
        Doc::with_options(Options { client_id, offset_kind: OffsetKind::Utf16, ..Default::default() })
    };
    let docs: Vec<Doc> = (0..friends.num_agents).map(writer).collect();
    let texts: Vec<_> = docs.iter().map(|doc| doc.get_or_insert_text(TEXT)).collect();
    let mut updates: Vec<(usize, Vec<u8>)> = Vec::with_capacity(friends.txns.len());
    // How far each has read what all wrote.
    let mut read = vec![vec![0; docs.len()]; docs.len()];
    for edit in &friends.txns {
        for &parent in edit.parents.iter().filter(|&&parent| updates[parent].0 != edit.agent) {
            let (author, from) = (updates[parent].0, read[edit.agent][updates[parent].0]);
            for (_, update) in updates[from..=parent.max(from)].iter().filter(|(by, _)| *by == author) {
                docs[edit.agent].transact_mut().apply_update(yrs::Update::decode_v1(update)?)?;
            }
            read[edit.agent][author] = from.max(parent + 1);
        }
        let mut transaction = docs[edit.agent].transact_mut();
        for (position, deleted, inserted) in &edit.patches {
            if *deleted > 0 {
                texts[edit.agent].remove_range(&mut transaction, *position, *deleted);
            }
            if !inserted.is_empty() {
                texts[edit.agent].insert(&mut transaction, *position, inserted);
            }
        }
        updates.push((edit.agent, transaction.encode_update_v1()));
    }
    let whole = writer(docs.len());
    let text = whole.get_or_insert_text(TEXT);
    for (_, update) in &updates {
        whole.transact_mut().apply_update(yrs::Update::decode_v1(update)?)?;
    }
    let written = text.get_string(&whole.transact());
    ensure!(
        written.chars().count() == friends.end_content.chars().count(),
        "the trace does not give its own end text"
    );
    Ok(replica::state_of(&whole))
}

/// What several did at once.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Friends {
    end_content: String,
    num_agents: usize,
    txns: Vec<FriendsTransaction>,
}

#[derive(Debug, Deserialize)]
struct FriendsTransaction {
    /// The transactions whose merge it was made to, by number.
    parents: Vec<usize>,
    agent: usize,
    patches: Vec<(u32, u32, String)>,
}

fn directory() -> PathBuf {
    std::env::var_os("WEFT_TRACES").map_or_else(|| in_repository("../shared/traces"), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_history_gives_its_own_text_and_is_the_same_every_time() {
        let trace = Trace::generate(3_000, 7);
        let (updates, doc) = trace.updates().unwrap();
        assert_eq!(updates.len(), 3_000);
        assert_eq!(replica::text_of(updates.iter().map(Vec::as_slice)).unwrap(), trace.end_content);
        let again = Trace::generate(3_000, 7).updates().unwrap().1;
        assert_eq!(replica::state_of(&doc), replica::state_of(&again));
    }

    #[test]
    fn a_recorded_trace_is_read_and_replayed() {
        let path = directory().join("sveltecomponent.json.gz");
        if !path.is_file() {
            eprintln!("skipped: {} is absent", path.display());
            return;
        }
        let trace = Trace::read(&path).unwrap();
        assert_eq!((trace.txns.len(), trace.end_content.chars().count()), (18_335, 18_451));
        let (updates, _) = trace.updates().unwrap();
        assert_eq!(replica::text_of(updates.iter().map(Vec::as_slice)).unwrap(), trace.end_content);
    }

    #[test]
    fn what_is_no_trace_is_an_error_with_the_file_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "{}").unwrap();
        let error = format!("{:#}", Trace::read(file.path()).unwrap_err());
        assert!(error.contains(&file.path().display().to_string()), "{error}");
    }
}
