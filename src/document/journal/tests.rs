//! Plays the stories in `scenarios/journal`. An update is known by its size in bytes.

use std::{error::Error, fmt::Write as _};

use bytes::Bytes;

use super::*;
use crate::{document::serving::tests::Span, ids::Timestamp, stories::tell_all};

#[test]
fn stories() {
    tell_all("src/document/scenarios/journal", Story::default);
}

#[derive(goldenscript::Command)]
enum Command {
    /// A journal with these bounds; `stored` is the last sequence number the store gave before.
    New {
        #[arg(key)]
        limit: Option<usize>,
        #[arg(key)]
        min: Option<Span>,
        #[arg(key)]
        max: Option<Span>,
        #[arg(key)]
        stored: Option<u64>,
    },
    /// Updates of these sizes are applied.
    Push(Vec<usize>),
    /// The actor looks for something to write.
    Take,
    /// The store answers that the write is durable, its first update at this sequence number.
    Succeed(u64),
    /// The store answers that it failed, or does not answer.
    Fail,
    /// Tries and fails so many times, waiting as long as it is told.
    FailTimes(u32),
    Advance(Span),
    /// What is not durable, to be applied again after a reload.
    Unsaved,
    Status,
}

struct Story {
    journal: Journal,
    start: Instant,
    passed: Duration,
    writing: u64,
}

impl Default for Story {
    fn default() -> Self {
        let journal = Journal::new(Config::default(), Sequence(0));
        Self { journal, start: Instant::now(), passed: Duration::ZERO, writing: 0 }
    }
}

impl goldenscript::Runner for Story {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &goldenscript::Context) -> Result<String, Box<dyn Error>> {
        let now = self.start + self.passed;
        let mut out = String::new();
        let journal = &mut self.journal;
        match command {
            Command::New { limit, min, max, stored } => {
                let mut config = Config::default();
                config.limit_bytes = limit.unwrap_or(config.limit_bytes);
                config.retry_min = min.as_ref().map_or(config.retry_min, |span| span.0);
                config.retry_max = max.as_ref().map_or(config.retry_max, |span| span.0);
                *journal = Journal::new(config, Sequence(stored.unwrap_or(0)));
            }
            Command::Push(sizes) => {
                for &size in sizes {
                    let update = LoggedUpdate { bytes: vec![0; size].into(), origin: None, at: Timestamp(0) };
                    write!(out, "ticket {} ", journal.push(update).0)?;
                }
            }
            Command::Take => match journal.take(now) {
                Some(updates) => {
                    self.writing = updates.len() as u64;
                    write!(out, "write {}", sizes(updates.iter()))?;
                }
                None => write!(out, "nothing to write now")?,
            },
            Command::Succeed(first) => {
                let count = std::mem::take(&mut self.writing);
                journal.succeeded(Appended {
                    life: crate::store::Life::FIRST,
                    first: Sequence(*first),
                    count,
                });
            }
            Command::Fail => {
                let again = journal.failed(now).saturating_duration_since(now);
                write!(out, "again in {} ms", again.as_millis())?;
            }
            Command::FailTimes(times) => {
                let mut pause = Duration::ZERO;
                for _ in 0..*times {
                    self.passed += pause;
                    let now = self.start + self.passed;
                    journal.take(now).ok_or("nothing to write")?;
                    pause = journal.failed(now).saturating_duration_since(now);
                }
                write!(out, "again in {} ms", pause.as_millis())?;
            }
            Command::Advance(span) => self.passed += span.0,
            Command::Unsaved => write!(out, "{}", sizes(journal.unsaved()))?,
            Command::Status => {
                let (watermark, last) = (journal.watermark().0, journal.last().0);
                write!(out, "durable {watermark} of {last}, stored up to {}, ", journal.stored().0)?;
                write!(out, "{} bytes wait", journal.backlog_bytes())?;
                for (is, word) in [
                    (journal.is_empty(), "empty"),
                    (journal.is_full(), "full"),
                    (journal.is_failing(), "failing"),
                ] {
                    if is {
                        write!(out, ", {word}")?;
                    }
                }
            }
        }
        Ok(out.trim_end().to_owned())
    }
}

fn sizes<'a>(updates: impl Iterator<Item = &'a LoggedUpdate>) -> String {
    let sizes: Vec<_> = updates.map(|update| Bytes::len(&update.bytes).to_string()).collect();
    format!("[{}]", sizes.join(" "))
}
