//! What an update costs in instructions, which no noisy neighbour can move: the server runs under callgrind.
//!
//! Two runs differ in nothing but the number of updates, so the difference of their counts is the updates' alone. One
//! author types, and waits each time until the one reader has it: every update takes the same way, alone.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::crowd::{Crowd, Shape};
use crate::dialect::Dialect;
use crate::fleet::Fleet;
use crate::peers::{Peer, Server};
use crate::process::{Cores, LeftOut};
use crate::scenario::{Outcome, Target};

/// What is counted.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Instructions {
    /// Updates by which the two runs differ
    #[arg(long, default_value_t = 2000)]
    pub(crate) updates: u32,
    /// The server: weft or floor, which are programs of their own and end when asked to
    #[arg(long, default_value = "weft")]
    pub(crate) peer: Peer,
    /// An argument for the server, may be repeated
    #[arg(long = "server-arg", value_name = "ARG", allow_hyphen_values = true)]
    pub(crate) server_args: Vec<String>,
}

impl Default for Instructions {
    fn default() -> Self {
        Self { updates: 2000, peer: Peer::Weft, server_args: Vec::new() }
    }
}

/// Updates of the shorter run: enough that what happens once in a server's or a document's life is in both.
const WARM: u32 = 300;

/// Weft's allocator gives memory back by the clock, on a thread of its own: not here.
const NO_CLOCK: &str = "_RJEM_MALLOC_CONF=background_thread:false,dirty_decay_ms:-1,muzzy_decay_ms:-1";

/// Instructions in user space for an update and its delivery.
pub(crate) fn instructions(plan: &Instructions, cores: Option<Cores>) -> Result<Outcome> {
    let is_counted = matches!(plan.peer, Peer::Weft | Peer::Floor);
    ensure!(is_counted, "{} does not run under callgrind", plan.peer.name());
    let found = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status();
    if !found.is_ok_and(|status| status.success()) {
        return Err(LeftOut("valgrind is not installed (`apt-get install valgrind`)".into()).into());
    }
    let mut outcome = Outcome::default();
    let short = count(WARM, plan, cores, &mut outcome)?;
    let long = count(WARM + plan.updates, plan, cores, &mut outcome)?;
    ensure!(long > short, "{} updates more took no instruction more", plan.updates);
    outcome.set("instructions/update", (long - short) as f64 / f64::from(plan.updates));
    Ok(outcome)
}

/// Instructions of a server's whole life with so many updates in it.
fn count(updates: u32, plan: &Instructions, cores: Option<Cores>, outcome: &mut Outcome) -> Result<u64> {
    let directory = tempfile::tempdir().context("make a directory for callgrind")?;
    let counts = directory.path().join("counts");
    let under = ["env", NO_CLOCK, "valgrind", "--quiet", "--tool=callgrind"].map(String::from).into_iter();
    let under: Vec<String> = under.chain([format!("--callgrind-out-file={}", counts.display())]).collect();
    let mut server = Server::start_under(&under, plan.peer, cores, &arguments(plan))?;
    let target = Target::local(&server, Dialect::YWebsocket);
    let (mut fleet, mut crowd) = (Fleet::new()?, Crowd::new(Shape::default())?);
    crowd.connect(&mut fleet, target.new_documents())?;
    for _ in 0..updates {
        let now = fleet.now();
        crowd.type_one(0, now, fleet.outgoing());
        fleet.turn_until(&mut crowd, Duration::from_secs(20), "an update", Crowd::is_complete)?;
    }
    crowd.settle(&mut fleet)?;
    outcome.faults = crowd.faults().clone();
    fleet.drop_all();
    server.stop()?;
    read(&counts)
}

/// One worker, and nothing that goes by the clock: how many groups the store makes of the updates depends on how long these
/// take, so all of them are one group, at the end.
fn arguments(plan: &Instructions) -> Vec<String> {
    let fixed: &[&str] = if plan.peer == Peer::Weft {
        &["--workers", "1", "--durability", "memory", "--group-commit-ms", "60000"]
    } else {
        &[]
    };
    fixed.iter().map(ToString::to_string).chain(plan.server_args.iter().cloned()).collect()
}

fn read(counts: &Path) -> Result<u64> {
    let text = fs::read_to_string(counts).context("the server left no counts: was it killed?")?;
    total(&text).context("callgrind's file has no totals")
}

/// The sum of a file of callgrind.
fn total(counts: &str) -> Option<u64> {
    let totals = counts.lines().filter_map(|line| line.strip_prefix("totals:"));
    let numbers: Vec<u64> = totals.flat_map(|total| total.trim().parse()).collect();
    (!numbers.is_empty()).then(|| numbers.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_of_a_file_is_read() {
        let file = "# callgrind format\nversion: 1\nevents: Ir\n\nfn=(1) main\n3 4711\n\ntotals: 123456\n";
        assert_eq!(total(file), Some(123_456));
        assert_eq!(total("version: 1\n"), None, "a server that was killed leaves no total");
    }
}
