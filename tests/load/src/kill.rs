//! The kill loop: an acknowledged edit is there after kill -9, once and in its place, or this says so.
//!
//! Each cycle several authors write into several documents as fast as the server acknowledges (`?echo=durable`, or the
//! SyncStatus of the Hocuspocus dialect), the server is killed at a random moment, started again on the same data, and every document is read back over a fresh
//! connection. Documents live through several cycles, so that later kills and compactions may hurt earlier edits, and
//! at the end all documents are read once more.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::crowd::{Crowd, Faults, Shape};
use crate::dialect::Dialect;
use crate::fleet::Fleet;
use crate::peers::{Peer, Server};
use crate::process::Cores;
use crate::replica;
use crate::scenario::Outcome;

/// Characters of one edit: author, number, and two separators.
const TOKEN: u32 = 12;
/// Client ids of authors begin here; the author's number is the distance.
const FIRST_CLIENT: u64 = 1_000_000;
/// Cycles that one set of documents lives through.
const CYCLES_OF_A_SET: u64 = 10;

/// How long and how hard.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Kill {
    /// Kills
    #[arg(long, default_value_t = 20)]
    pub(crate) cycles: u64,
    /// Where the random moments come from; printed, so that a failure can be replayed
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// How the authors speak
    #[arg(long, default_value = "y-websocket")]
    pub(crate) dialect: Dialect,
    /// Documents written at the same time
    #[arg(long, default_value_t = 4)]
    pub(crate) documents: usize,
    /// Authors of each document
    #[arg(long, default_value_t = 2)]
    pub(crate) writers: usize,
    /// Edits of each author on their way to an acknowledgement
    #[arg(long, default_value_t = 16)]
    pub(crate) window: u32,
    /// An argument for the server, may be repeated
    #[arg(long = "server-arg", value_name = "ARG", allow_hyphen_values = true)]
    pub(crate) server_args: Vec<String>,
}

impl Default for Kill {
    fn default() -> Self {
        Self {
            cycles: 20,
            seed: None,
            dialect: Dialect::YWebsocket,
            documents: 4,
            writers: 2,
            window: 16,
            server_args: Vec::new(),
        }
    }
}

/// What the loop found.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) cycles: u64,
    pub(crate) acknowledged: u64,
    /// Acknowledged edits that were not there.
    pub(crate) lost: u64,
    /// Edits that were there more than once.
    pub(crate) duplicated: u64,
    /// Edits that stood before an earlier one of their author, or that nobody wrote.
    pub(crate) misplaced: u64,
    /// What else went wrong, in words.
    pub(crate) faults: Vec<String>,
    seconds: f64,
}

impl Verdict {
    /// Whether the server kept its word.
    pub(crate) fn is_clean(&self) -> bool {
        self.lost + self.duplicated + self.misplaced == 0 && self.faults.is_empty()
    }
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        let mut outcome = Self::default();
        outcome.figures.insert("acknowledged edits lost", verdict.lost as f64);
        outcome.faults.lost = verdict.lost;
        outcome.faults.repeated = verdict.duplicated;
        outcome.faults.reordered = verdict.misplaced;
        outcome.faults.diverged = verdict.faults;
        outcome
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { cycles, acknowledged, lost, duplicated, misplaced, faults, seconds } = self;
        write!(
            out,
            "{cycles} kills, {acknowledged} edits acknowledged, lost {lost}, duplicated {duplicated}, "
        )?;
        write!(out, "misplaced {misplaced}, other faults {}, ", faults.len())?;
        write!(out, "{:.0} ms a cycle", 1e3 * seconds / (*cycles).max(1) as f64)?;
        faults.iter().take(20).try_for_each(|fault| write!(out, "\n  {fault}"))
    }
}

/// Runs the loop.
pub(crate) fn kill(plan: &Kill, cores: Option<Cores>) -> Result<Verdict> {
    let seed = plan.seed.unwrap_or_else(|| rand::rng().random());
    eprintln!("seed {seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut server = Server::start(Peer::Weft, cores, &plan.server_args)?;
    let mut ledger = Ledger::default();
    let mut verdict = Verdict::default();
    let begun = Instant::now();
    for cycle in 0..plan.cycles {
        let patience = Duration::from_micros(random.random_range(5_000..150_000));
        let context = || format!("cycle {cycle}, killed after {patience:?}, seed {seed}");
        let set = cycle / CYCLES_OF_A_SET;
        write_until_killed(plan, cycle, patience, &mut server, &mut ledger, &mut verdict)
            .with_context(context)?;
        server.start_again().with_context(context)?;
        let clean = verdict.is_clean();
        for document in 0..plan.documents {
            ledger.compare(&server, plan.dialect, (set, document), &mut verdict).with_context(context)?;
        }
        if clean && !verdict.is_clean() {
            verdict.faults.push(format!("first trouble in {}", context()));
        }
        verdict.cycles += 1;
    }
    verdict.seconds = begun.elapsed().as_secs_f64();
    for document in ledger.documents() {
        ledger
            .compare(&server, plan.dialect, document, &mut verdict)
            .context("the last look at all documents")?;
    }
    Ok(verdict)
}

fn write_until_killed(
    plan: &Kill,
    cycle: u64,
    patience: Duration,
    server: &mut Server,
    ledger: &mut Ledger,
    verdict: &mut Verdict,
) -> Result<()> {
    let set = cycle / CYCLES_OF_A_SET;
    let authors = (plan.documents * plan.writers) as u64;
    let shape = Shape {
        documents: plan.documents,
        editors: plan.writers,
        typists: plan.writers,
        ticks: TOKEN,
        script: token,
        window: Some(plan.window),
        echo: true,
        sample: 0,
        first_client: FIRST_CLIENT + cycle * authors,
    };
    let (mut fleet, mut crowd) = (Fleet::new()?, Crowd::new(shape)?);
    let door = |document| server.door(plan.dialect, &name((set, document))).acknowledging();
    crowd.connect(&mut fleet, door)?;
    crowd.start_typing(&mut fleet);
    let end = Instant::now() + patience;
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        fleet.turn(&mut crowd, left)?;
    }
    server.kill()?;
    // What the server had said before it died still lies in the sockets, and counts.
    let sockets = plan.documents * plan.writers;
    fleet.turn_until(&mut crowd, Duration::from_secs(5), "the sockets of a dead server to end", |crowd| {
        crowd.faults().closed.len() >= sockets
    })?;
    for (index, (client, written, echoed)) in crowd.acknowledged().enumerate() {
        let entry = Entry { written: written / TOKEN, acknowledged: echoed / TOKEN };
        verdict.acknowledged += u64::from(entry.acknowledged);
        ledger.0.entry((set, index / plan.writers)).or_default().insert(client - FIRST_CLIENT, entry);
    }
    let faults = Faults { closed: Vec::new(), ..crowd.faults().clone() };
    if !faults.is_clean() {
        verdict.faults.push(format!("while writing in cycle {cycle}: {faults}"));
    }
    Ok(())
}

/// A set of documents, and which of them.
type Document = (u64, usize);

fn name((set, document): Document) -> String {
    format!("kill-{set}-{document}")
}

/// Edit `n` of author `a` is `aaaaa:nnnnn;`.
fn token(client: u64, clock: u32) -> u8 {
    let (number, at) = (clock / TOKEN, clock % TOKEN);
    let digit = |value: u64, place: u32| b'0' + (value / 10_u64.pow(place) % 10) as u8;
    match at {
        0..=4 => digit(client - FIRST_CLIENT, 4 - at),
        5 => b':',
        6..=10 => digit(u64::from(number), 10 - at),
        _ => b';',
    }
}

/// What one author wrote and what was acknowledged, in edits.
#[derive(Debug, Clone, Copy)]
struct Entry {
    written: u32,
    acknowledged: u32,
}

/// Who wrote what into which document.
#[derive(Debug, Default)]
struct Ledger(BTreeMap<Document, BTreeMap<u64, Entry>>);

impl Ledger {
    fn documents(&self) -> Vec<Document> {
        self.0.keys().copied().collect()
    }

    /// Reads a document back and compares it with what its authors were told.
    fn compare(
        &mut self,
        server: &Server,
        dialect: Dialect,
        document: Document,
        verdict: &mut Verdict,
    ) -> Result<()> {
        let Some(authors) = self.0.get_mut(&document) else { return Ok(()) };
        let expected: Vec<(u64, u32)> = authors
            .iter()
            .map(|(author, entry)| (FIRST_CLIENT + author, entry.acknowledged * TOKEN))
            .collect();
        let door = server.door(dialect, &name(document));
        let text = replica::fetch_what_is_there(&door, &expected, Duration::from_secs(3))?;
        judge(&text, authors, verdict);
        Ok(())
    }
}

/// Compares a text with what its authors wrote. What is there now must stay, acknowledged or not: it has been shown.
fn judge(text: &str, authors: &mut BTreeMap<u64, Entry>, verdict: &mut Verdict) {
    let mut found: BTreeMap<u64, u32> = BTreeMap::new();
    for edit in text.as_bytes().chunks(TOKEN as usize) {
        let Some((author, number)) = read_token(edit) else {
            verdict.misplaced += 1;
            continue;
        };
        let next = found.entry(author).or_default();
        match number.cmp(next) {
            std::cmp::Ordering::Less => verdict.duplicated += 1,
            std::cmp::Ordering::Equal if authors.get(&author).is_some_and(|entry| number < entry.written) => {
                *next += 1;
            }
            _ => verdict.misplaced += 1,
        }
    }
    for (author, entry) in authors {
        let there = found.get(author).copied().unwrap_or_default();
        let lost = entry.acknowledged.saturating_sub(there);
        if lost > 0 {
            verdict.lost += u64::from(lost);
            let Entry { written, acknowledged } = *entry;
            verdict.faults.push(format!(
                "author {author}: {there} there of {acknowledged} acknowledged, {written} written"
            ));
        }
        entry.acknowledged = there; // what is lost is counted once
    }
}

fn read_token(edit: &[u8]) -> Option<(u64, u32)> {
    let (author, number) = std::str::from_utf8(edit).ok()?.strip_suffix(';')?.split_once(':')?;
    Some((author.parse().ok()?, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(text: &str) -> (u64, u64, u64) {
        let mut authors = BTreeMap::from([
            (7, Entry { written: 3, acknowledged: 2 }),
            (8, Entry { written: 1, acknowledged: 1 }),
        ]);
        let mut verdict = Verdict::default();
        judge(text, &mut authors, &mut verdict);
        (verdict.lost, verdict.duplicated, verdict.misplaced)
    }

    #[test]
    fn tokens_are_written_as_they_are_read() {
        let text: Vec<u8> = (0..2 * TOKEN).map(|clock| token(FIRST_CLIENT + 321, clock)).collect();
        assert_eq!(text, b"00321:00000;00321:00001;");
        assert_eq!(read_token(&text[12..]), Some((321, 1)));
    }

    #[test]
    fn unacknowledged_edits_may_be_there_or_not() {
        assert_eq!(verdict("00008:00000;00007:00000;00007:00001;"), (0, 0, 0));
        assert_eq!(verdict("00008:00000;00007:00000;00007:00001;00007:00002;"), (0, 0, 0));
    }

    #[test]
    fn lost_duplicated_and_misplaced_edits_are_told_apart() {
        assert_eq!(verdict("00007:00000;"), (2, 0, 0));
        assert_eq!(verdict("00008:00000;00007:00000;00007:00000;00007:00001;"), (0, 1, 0));
        assert_eq!(verdict("00008:00000;00007:00001;00007:00000;"), (1, 0, 1));
        assert_eq!(verdict("00008:00000;00007:00000;00007:00001;00009:00000;"), (0, 0, 1));
        assert_eq!(verdict("00008:00000;00007:00000;00007:00001;0000"), (0, 0, 1));
    }

    #[test]
    fn what_was_once_shown_counts_as_promised() {
        let mut authors = BTreeMap::from([(7, Entry { written: 2, acknowledged: 0 })]);
        let mut verdict = Verdict::default();
        judge("00007:00000;", &mut authors, &mut verdict);
        judge("", &mut authors, &mut verdict);
        assert_eq!(verdict.lost, 1);
    }
}
