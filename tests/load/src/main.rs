//! `weft-load`: a load generator for servers of the y-websocket and Hocuspocus dialects that sees every lost, repeated
//! and reordered edit.
//!
//! ```text
//! weft-load bench --quick                                  every server that is here, one table
//! weft-load fanout --peer weft                             one scenario against a server it starts
//! weft-load fanout --url ws://127.0.0.1:1234 --pid 4711    or against one that runs
//! weft-load saturate --peer weft --dialect hocuspocus      the same server, spoken to in its other dialect
//! weft-load kill --cycles 1000                             kill -9, again and again
//! weft-load instructions                                   what an update costs, in instructions: no neighbour moves it
//! weft-load giants                                         what is large, and what costs more than it is worth
//! weft-load floor --drop-every 10                          the forwarder, here with a fault
//! ```
//!
//! How it is built, from the wire up: [`frame`] and [`wire`] are bytes, [`dialect`] is how they are addressed; [`fleet`] moves thousands of sockets on one
//! core; [`ranges`] knows what one reader has of one author; [`crowd`] are the editors, who check all they receive;
//! [`replica`] are newcomers, and whole documents; [`posting`] are programs that speak plain HTTP, [`thin_line`] is a slow
//! network; [`scenario`] is what a server is put through; [`peers`] are the
//! servers, [`floor`] the least of them; [`process`] asks the operating system; [`bench`], [`kill`], [`giants`] and [`instructions`] are the
//! programs that other people run.

mod bench;
mod crowd;
mod dialect;
mod fleet;
mod floor;
mod frame;
mod giants;
mod instructions;
mod kill;
mod peers;
mod posting;
mod process;
mod ranges;
mod replica;
mod scenario;
mod thin_line;
mod traces;
mod wire;

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, Parser, Subcommand};
use rustix::process::Pid;

use crate::dialect::Dialect;
use crate::peers::{Peer, Server};
use crate::process::{Cores, LeftOut};
use crate::scenario::{
    Ack, Deaf, Fanout, Game, Idle, Ingest, Outcome, Saturate, Sensors, Storm, Target, Thin,
};

#[derive(Parser)]
#[command(
    name = "weft-load",
    version,
    about = "Load for y-websocket and Hocuspocus servers, with every edit checked"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Open loop: typists at their own pace; latency, server CPU per delivery
    Fanout(OneScenario<Fanout>),
    /// Closed loop: a window of operations under way from each typist; operations a second
    Saturate(OneScenario<Saturate>),
    /// Connections that do nothing: server memory for each
    Idle(OneScenario<Idle>),
    /// Everybody reconnects at once with offline edits; seconds until all have all
    Storm(OneScenario<Storm>),
    /// One author's recorded history, update by update; updates a second
    Ingest(OneScenario<Ingest>),
    /// Milliseconds until an edit is acknowledged
    Ack(OneScenario<Ack>),
    /// Joins to a big document; server CPU for each
    Join(OneScenario<Join>),
    /// The first join after a restart of the server
    Cold(Cold),
    /// Sockets that ask for a large document and never read; server memory for each
    Deaf(OneScenario<Deaf>),
    /// A large document over a thin line; seconds until all is there, connections
    Thin(OneScenario<Thin>),
    /// Everybody shows where they are, 30 times a second; server CPU per state, latency
    Game(OneScenario<Game>),
    /// Programs that set keys by HTTP, and people who watch; server CPU per delivery, latency
    Sensors(OneScenario<Sensors>),
    /// Instructions that a server executes for an update, counted by callgrind
    Instructions(instructions::Instructions),
    /// Kill -9 again and again: is everything acknowledged there?
    Kill(kill::Kill),
    /// Large updates and dear ones: are the first taken, the others refused, and does a bystander notice?
    Giants(giants::Giants),
    /// All scenarios on all servers that are here, as one Markdown table
    Bench(bench::Bench),
    /// Serve as the bare forwarder
    Floor(Floor),
}

#[derive(Args)]
struct OneScenario<Plan: Args> {
    #[command(flatten)]
    on: On,
    #[command(flatten)]
    plan: Plan,
}

/// Which server.
#[derive(Args)]
struct On {
    /// A running server; `{document}` stands for the document's name, which is else added to the path
    #[arg(long, conflicts_with = "peer")]
    url: Option<String>,
    /// Its process id, for CPU and memory
    #[arg(long, requires = "url")]
    pid: Option<i32>,
    /// The running server only forwards: do not ask it for documents
    #[arg(long, requires = "url")]
    forwards_only: bool,
    /// A server to start and stop
    #[arg(long, default_value = "weft")]
    peer: Peer,
    /// How to speak to it; what it speaks, if it speaks only one
    #[arg(long)]
    dialect: Option<Dialect>,
    /// An argument for the server that is started, may be repeated
    #[arg(long = "server-arg", value_name = "ARG", allow_hyphen_values = true)]
    server_args: Vec<String>,
}

#[derive(Args)]
struct Join {
    /// How many join at once
    #[arg(long, default_value_t = 50)]
    crowd: usize,
}

#[derive(Args)]
struct Cold {
    /// The server to start and restart
    #[arg(long, default_value = "weft")]
    peer: Peer,
    /// How to speak to it; what it speaks, if it speaks only one
    #[arg(long)]
    dialect: Option<Dialect>,
    /// Restarts, of which the median is shown
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// An argument for the server, may be repeated
    #[arg(long = "server-arg", value_name = "ARG", allow_hyphen_values = true)]
    server_args: Vec<String>,
}

#[derive(Args)]
struct Floor {
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    #[command(flatten)]
    options: floor::Options,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Returns whether the server did its job.
fn run(command: Command) -> Result<bool> {
    if let Command::Floor(Floor { listen, options }) = command {
        floor::serve(listen, options, |address| println!("listening on http://{address}"))?;
        return Ok(true);
    }
    let cores = Cores::available();
    if let Some(cores) = cores {
        cores.pin_generator()?;
    }
    match command {
        Command::Fanout(one) => on_target(&one.on, cores, |target| scenario::fanout(target, &one.plan)),
        Command::Saturate(one) => on_target(&one.on, cores, |target| scenario::saturate(target, &one.plan)),
        Command::Idle(one) => on_target(&one.on, cores, |target| scenario::idle(target, &one.plan)),
        Command::Storm(one) => on_target(&one.on, cores, |target| scenario::storm(target, &one.plan)),
        Command::Ingest(one) => on_target(&one.on, cores, |target| scenario::ingest(target, &one.plan)),
        Command::Ack(one) => on_target(&one.on, cores, |target| scenario::ack(target, &one.plan)),
        Command::Deaf(one) => on_target(&one.on, cores, |target| scenario::deaf(target, &one.plan)),
        Command::Thin(one) => on_target(&one.on, cores, |target| scenario::thin(target, &one.plan)),
        Command::Game(one) => on_target(&one.on, cores, |target| scenario::game(target, &one.plan)),
        Command::Sensors(one) => on_target(&one.on, cores, |target| scenario::sensors(target, &one.plan)),
        Command::Instructions(plan) => {
            let measured = instructions::instructions(&plan, cores);
            match measured {
                Err(error) if error.is::<LeftOut>() => {
                    println!("{error}");
                    Ok(true)
                }
                measured => Ok(report(&measured?)),
            }
        }
        Command::Join(one) => {
            let big = traces::automerge_paper()?;
            on_target(&one.on, cores, |target| scenario::join_warm(target, &big, one.plan.crowd))
        }
        Command::Cold(cold) => {
            let big = traces::automerge_paper()?;
            let dialect = spoken(cold.peer, cold.dialect)?;
            let mut server = Server::start(cold.peer, cores, &cold.server_args)?;
            Ok(report(&scenario::join_cold(&mut server, dialect, &big, cold.rounds)?))
        }
        Command::Kill(plan) => {
            let verdict = kill::kill(&plan, cores)?;
            println!("{verdict}");
            Ok(verdict.is_clean())
        }
        Command::Giants(plan) => giants::giants(&plan, cores),
        Command::Bench(plan) => bench::bench(&plan, cores),
        Command::Floor(_) => Ok(true),
    }
}

fn on_target(
    on: &On,
    cores: Option<Cores>,
    scenario: impl FnOnce(&Target) -> Result<Outcome>,
) -> Result<bool> {
    let outcome = match &on.url {
        Some(url) => {
            let pid = on.pid.map(|pid| Pid::from_raw(pid).context("a process id is not 0")).transpose()?;
            let mut target = Target::remote(url, on.dialect.unwrap_or(Dialect::YWebsocket), pid)?;
            target.keeps_documents = !on.forwards_only;
            scenario(&target)?
        }
        None => {
            let dialect = spoken(on.peer, on.dialect)?;
            let server = Server::start(on.peer, cores, &on.server_args)?;
            scenario(&Target::local(&server, dialect))?
        }
    };
    Ok(report(&outcome))
}

/// How to speak to a server of this program's own.
fn spoken(peer: Peer, asked: Option<Dialect>) -> Result<Dialect> {
    let dialects = peer.dialects();
    let dialect = asked.unwrap_or(dialects[0]);
    ensure!(dialects.contains(&dialect), "{} does not speak {dialect:?}", peer.name());
    Ok(dialect)
}

fn report(outcome: &Outcome) -> bool {
    for (name, value) in &outcome.figures {
        println!("{name:40} {value:.3}");
    }
    println!("faults: {}", outcome.faults);
    outcome.faults.is_clean()
}
