//! Every number of the design in one run: all servers that are here, in turns, and one table of figures and ratios.

mod rows;

use std::collections::BTreeMap;

use anyhow::{Result, bail};

use self::rows::{ROWS, Row};
use crate::dialect::Dialect;
use crate::instructions::{self, Instructions};
use crate::kill::{self, Kill};
use crate::peers::{Peer, Server};
use crate::process::{self, Cores, LeftOut};
use crate::scenario::{
    self, Ack, Deaf, Fanout, Game, Idle, Ingest, Outcome, Saturate, Sensors, Storm, Target, Thin,
};
use crate::traces::{self, BigDocument};

/// What to run.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Bench {
    /// One short round instead of three long ones
    #[arg(long)]
    quick: bool,
    /// Only these scenarios, by the key in the first column
    #[arg(long, value_delimiter = ',', value_name = "KEY")]
    only: Vec<String>,
    /// Only these servers
    #[arg(long, value_delimiter = ',')]
    peers: Vec<Peer>,
    /// Rounds, of which the table shows the median
    #[arg(long)]
    rounds: Option<usize>,
    /// An argument for the Weft server, may be repeated
    #[arg(long = "server-arg", value_name = "ARG", allow_hyphen_values = true)]
    server_args: Vec<String>,
}

/// A column of the table: a server, and how it is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entrant {
    peer: Peer,
    dialect: Dialect,
}

impl Entrant {
    /// The one that the targets are for.
    const WEFT: Self = Self { peer: Peer::Weft, dialect: Dialect::YWebsocket };
    const FLOOR: Self = Self { peer: Peer::Floor, dialect: Dialect::YWebsocket };

    fn name(self) -> String {
        match (self.peer, self.dialect) {
            (Peer::Weft, Dialect::Hocuspocus) => "Weft, as Hocuspocus".into(),
            (peer, _) => peer.name().into(),
        }
    }

    /// Whether a scenario means anything to it.
    fn takes_part(self, key: &str) -> bool {
        let Self { peer, dialect } = self;
        match key {
            "kill" => peer == Peer::Weft, // nobody else says when an edit is safe
            "ack" => peer.acknowledges(),
            "cold" => peer.survives_restart(),
            // What is not asked in the dialect of Hocuspocus means the same in it: the question is the document's.
            "deaf" | "thin" => {
                peer.keeps_documents() && peer != Peer::YLeveldb && dialect == Dialect::YWebsocket
            }
            "sensors" => self == Self::WEFT, // nobody else is written to by plain HTTP
            "instructions" => matches!(self, Self::WEFT | Self::FLOOR),
            // Durability is a setting of Weft's alone, and the floor is what each is held against.
            "pairs-kill" | "pairs-memory" => matches!(self, Self::WEFT | Self::FLOOR),
            "join" | "ingest" => peer.keeps_documents() && peer != Peer::YLeveldb,
            _ => peer != Peer::YLeveldb,
        }
    }
}

/// Figures and faults of all runs.
#[derive(Default)]
struct Results {
    figures: BTreeMap<(&'static str, Entrant, &'static str), Vec<f64>>,
    notes: Vec<String>,
}

/// Runs everything and prints the table. Returns whether Weft did its job; what others did wrong is only noted.
pub(crate) fn bench(plan: &Bench, cores: Option<Cores>) -> Result<bool> {
    let mut results = Results::default();
    let keys = chosen_keys(&plan.only)?;
    let entrants = entrants(&plan.peers, &mut results.notes);
    let needs_big = keys.iter().any(|key| matches!(*key, "join" | "cold"));
    let round = Round { plan, cores, big: needs_big.then(traces::automerge_paper).transpose()? };
    let rounds = plan.rounds.unwrap_or(if plan.quick { 1 } else { 3 });
    let mut weft_is_clean = true;
    for number in 1..=rounds {
        for key in &keys {
            for entrant in entrants.iter().filter(|entrant| entrant.takes_part(key)) {
                eprintln!("round {number} of {rounds}: {key} on {}", entrant.name());
                let clean = results.add(key, *entrant, round.run(key, *entrant));
                weft_is_clean &= clean || entrant.peer != Peer::Weft;
            }
        }
    }
    results.print(&entrants, &keys, cores);
    Ok(weft_is_clean)
}

/// The scenarios of the table, in its order, or those of them that were asked for.
fn chosen_keys(only: &[String]) -> Result<Vec<&'static str>> {
    let mut all: Vec<&'static str> = Vec::new();
    for row in ROWS {
        if !all.contains(&row.scenario) {
            all.push(row.scenario);
        }
    }
    if let Some(unknown) = only.iter().find(|only| !all.contains(&only.as_str())) {
        bail!("no scenario {unknown:?}: there are {}", all.join(", "));
    }
    all.retain(|key| only.is_empty() || only.iter().any(|only| only == key));
    Ok(all)
}

/// The servers that are here. Weft is measured in the Hocuspocus dialect, too, where that has somebody to be compared
/// with.
fn entrants(only: &[Peer], notes: &mut Vec<String>) -> Vec<Entrant> {
    let mut entrants: Vec<Entrant> = Vec::new();
    for peer in Peer::ALL.into_iter().filter(|peer| only.is_empty() || only.contains(peer)) {
        if let Err(reason) = peer.program() {
            notes.push(format!("left out: {reason:#}"));
            continue;
        }
        for dialect in peer.dialects() {
            let has_company = entrants.iter().any(|known| known.dialect == *dialect);
            if peer.dialects().len() == 1 || *dialect == Dialect::YWebsocket || has_company {
                entrants.push(Entrant { peer, dialect: *dialect });
            }
        }
    }
    entrants
}

/// What all runs share.
struct Round<'a> {
    plan: &'a Bench,
    cores: Option<Cores>,
    big: Option<BigDocument>,
}

impl Round<'_> {
    /// Puts a fresh server through one scenario.
    fn run(&self, key: &str, Entrant { peer, dialect }: Entrant) -> Result<Outcome> {
        let quick = self.plan.quick;
        let server_args = if peer == Peer::Weft { self.plan.server_args.clone() } else { Vec::new() };
        if key == "kill" {
            let cycles = if quick { 20 } else { 100 };
            let plan = Kill { cycles, dialect, server_args, ..Kill::default() };
            return Ok(kill::kill(&plan, self.cores)?.into());
        }
        if key == "instructions" {
            let plan = Instructions { peer, server_args, ..Instructions::default() };
            return instructions::instructions(&plan, self.cores);
        }
        if key == "many" {
            process::allow_files(MANY.connections())?; // before the server starts, which inherits it
        }
        let extra: Vec<String> = match (peer, key) {
            (Peer::Weft, _) => [weft_arguments(key), server_args].concat(),
            (Peer::Floor, "storm") => vec!["--replay".into()],
            _ => Vec::new(),
        };
        let mut server = Server::start(peer, self.cores, &extra)?;
        let seconds = if quick { 2.0 } else { 6.0 };
        let target = Target::local(&server, dialect);
        let fanout = |documents, editors, typists| {
            scenario::fanout(&target, &Fanout { documents, editors, typists, rate: 5.0, seconds })
        };
        let saturate = |documents, editors, typists, window| {
            scenario::saturate(&target, &Saturate { documents, editors, typists, window, seconds })
        };
        match (key, &self.big) {
            ("fanout", _) => fanout(1, 200, 10),
            ("pairs" | "pairs-kill" | "pairs-memory", _) => fanout(200, 2, 2),
            ("crowd", _) => saturate(1, 100, 10, 16),
            ("single", _) => saturate(1, 10, 1, 64),
            ("couples", _) => saturate(50, 2, 1, 16),
            ("idle", _) => scenario::idle(&target, &Idle { documents: 100, editors: 50 }),
            ("many", _) => scenario::idle(&target, &MANY),
            ("alone", _) => scenario::idle(&target, &Idle { documents: 1000, editors: 1 }),
            ("ingest", _) => scenario::ingest(&target, &Ingest { documents: if quick { 1 } else { 3 } }),
            ("join", Some(big)) => scenario::join_warm(&target, big, 50),
            ("cold", Some(big)) => scenario::join_cold(&mut server, dialect, big, if quick { 3 } else { 5 }),
            ("storm", _) => scenario::storm(&target, &Storm { editors: 200, edits: 50 }),
            ("deaf", _) => scenario::deaf(&target, &Deaf { sockets: 10, bytes: 10_000_000 }),
            ("thin", _) => scenario::thin(&target, &Thin { bytes: 48_000_000, rate: 1.3e6, limit: 120.0 }),
            ("game", _) => scenario::game(&target, &Game { people: 50, rate: 30.0, seconds }),
            ("sensors", _) => {
                scenario::sensors(&target, &Sensors { sensors: 100, watchers: 50, rate: 10.0, seconds })
            }
            ("ack", _) => scenario::ack(&target, &Ack { documents: 50, rate: 5000.0, seconds }),
            _ => bail!("nothing to run for {key:?}"),
        }
    }
}

/// The most that are idle at once.
const MANY: Idle = Idle { documents: 100, editors: 100 };

/// What a scenario asks of a Weft server beside its defaults.
fn weft_arguments(key: &str) -> Vec<String> {
    let arguments: &[&str] = match key {
        "pairs-kill" => &["--durability", "kill"],
        "pairs-memory" => &["--durability", "memory"],
        "many" => &["--max-connections-per-address", "20000"],
        _ => &[],
    };
    arguments.iter().map(ToString::to_string).collect()
}

impl Results {
    /// Takes in a run, and returns whether all went well.
    fn add(&mut self, key: &'static str, entrant: Entrant, outcome: Result<Outcome>) -> bool {
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(error) if error.is::<LeftOut>() => {
                self.notes.push(format!("{key} on {}: {error}", entrant.name()));
                return true;
            }
            Err(error) => {
                self.notes.push(format!("{key} on {} failed: {error:#}", entrant.name()));
                return false;
            }
        };
        for (figure, value) in &outcome.figures {
            self.figures.entry((key, entrant, figure)).or_default().push(*value);
        }
        let clean = outcome.faults.is_clean();
        if !clean {
            self.notes.push(format!("{key} on {}: {}", entrant.name(), outcome.faults));
        }
        clean
    }

    fn median(&self, row: &Row, entrant: Entrant) -> Option<f64> {
        self.figures.get(&(row.scenario, entrant, row.figure)).map(|values| median(values))
    }

    /// The best of the servers that are neither the floor nor ours, where they promise what we do.
    fn best(&self, row: &Row, entrants: &[Entrant]) -> Option<f64> {
        let others = entrants.iter().filter(|entrant| !matches!(entrant.peer, Peer::Floor | Peer::Weft));
        let others = others.filter(|entrant| !is_promise_only(row, **entrant));
        let values = others.filter_map(|entrant| self.median(row, *entrant));
        values.reduce(if row.goal.more_is_better() { f64::max } else { f64::min })
    }

    fn print(&self, entrants: &[Entrant], keys: &[&str], cores: Option<Cores>) {
        let cell = |value: Option<f64>| value.map_or_else(|| "–".into(), figure);
        let times = |one: Option<f64>, other: Option<f64>| match (one, other) {
            (Some(one), Some(other)) if other > 0.0 => format!("{:.2}", one / other),
            _ => "–".into(),
        };
        print!("| key | what |");
        entrants.iter().for_each(|entrant| print!(" {} |", entrant.name()));
        println!(" Weft ÷ floor | Weft ÷ best peer | target | met |");
        println!("|---|---|{}---|---|---|---|", "---|".repeat(entrants.len()));
        for row in ROWS.iter().filter(|row| keys.contains(&row.scenario)) {
            print!("| {} | {} |", row.scenario, row.what);
            for entrant in entrants {
                let mark = self.mark(row, *entrant);
                print!(" {}{mark} |", cell(self.median(row, *entrant)));
            }
            let (weft, floor) = (self.median(row, Entrant::WEFT), self.median(row, Entrant::FLOOR));
            let met = weft.and_then(|weft| row.goal.is_met(weft, floor));
            let met = met.map_or("–", |met| if met { "yes" } else { "**no**" });
            let best = self.best(row, entrants);
            println!(" {} | {} | {} | {met} |", times(weft, floor), times(weft, best), row.goal);
        }
        println!("\n{LEGEND}");
        println!("{}", pinning(cores));
        self.notes.iter().for_each(|note| println!("- {note}"));
    }

    /// What a reader must know of a figure before believing it.
    fn mark(&self, row: &Row, entrant: Entrant) -> &'static str {
        let busy = |who| self.figures.get(&(row.scenario, entrant, who)).map_or(0.0, |values| median(values));
        let speed = row.figure.ends_with("/s");
        if self.median(row, entrant).is_none() {
            ""
        } else if is_promise_only(row, entrant) {
            "‡"
        } else if speed && busy("generator CPU %") > 95.0 {
            "*"
        } else if busy("others CPU %") > 25.0 {
            "†"
        } else {
            ""
        }
    }
}

const LEGEND: &str = "\\* the generator used more than 95 % of its core: the server can do more than this shows.\n\
    † other programs used more than a quarter of a core meanwhile.\n\
    ‡ not comparable: this server acknowledges what it has applied and stores it later, Weft what is durable.";

/// Whether a figure is the time until somebody says "saved" who has not saved.
fn is_promise_only(row: &Row, entrant: Entrant) -> bool {
    row.scenario == "ack" && entrant.peer != Peer::Weft
}

fn pinning(cores: Option<Cores>) -> &'static str {
    match cores {
        Some(_) => "Server and generator each on a core of their own.",
        None => "Only one core here: server and generator disturb each other.",
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// Three significant digits, with k and M.
fn figure(value: f64) -> String {
    let (scaled, unit) = match value.abs() {
        big if big >= 1e6 => (value / 1e6, " M"),
        big if big >= 1e4 => (value / 1e3, " k"),
        _ => (value, ""),
    };
    let decimals = match scaled.abs() {
        x if x >= 100.0 || x == x.trunc() => 0,
        x if x >= 10.0 => 1,
        _ => 2,
    };
    format!("{scaled:.decimals$}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_three_digits() {
        let shown: Vec<String> =
            [0.284, 5.7, 12.34, 374.2, 9_876.0, 34_120.0, 1_500_000.0, 60e3].map(figure).into();
        assert_eq!(shown, ["0.28", "5.70", "12.3", "374", "9876", "34.1 k", "1.50 M", "60 k"]);
    }

    #[test]
    fn every_row_is_one_of_a_scenario_for_weft_and_no_figure_is_shown_twice() {
        let mut shown = Vec::new();
        for row in ROWS {
            assert!(Entrant::WEFT.takes_part(row.scenario), "{}", row.scenario);
            assert!(!shown.contains(&(row.scenario, row.figure)), "{} of {}", row.figure, row.scenario);
            shown.push((row.scenario, row.figure));
        }
    }

    #[test]
    fn each_durability_is_held_against_the_floor_alone() {
        let leveldb = Entrant { peer: Peer::YLeveldb, dialect: Dialect::YWebsocket };
        let sweet = Entrant { peer: Peer::YSweet, dialect: Dialect::YWebsocket };
        for key in ["pairs-kill", "pairs-memory"] {
            assert!(Entrant::FLOOR.takes_part(key));
            assert!(!leveldb.takes_part(key) && !sweet.takes_part(key));
            assert!(weft_arguments(key).contains(&key["pairs-".len()..].to_owned()));
        }
        assert!(weft_arguments("pairs").is_empty(), "`disk` is the default");
    }

    #[test]
    fn what_the_machine_does_not_allow_is_noted_and_no_fault() {
        let mut results = Results::default();
        let left_out = Err(LeftOut("no valgrind here".into()).into());
        assert!(results.add("instructions", Entrant::WEFT, left_out));
        assert!(!results.add("deaf", Entrant::WEFT, Err(anyhow::anyhow!("refused"))));
        assert_eq!(
            results.notes,
            ["instructions on Weft: left out: no valgrind here", "deaf on Weft failed: refused"]
        );
    }

    #[test]
    fn the_median_of_three_rounds_ignores_the_odd_one() {
        assert!((median(&[9.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
    }
}
