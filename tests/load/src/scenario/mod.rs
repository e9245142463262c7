//! What a server is put through. Each scenario takes a [`Target`], uses documents that nobody has used before, and
//! returns an [`Outcome`]: figures, and what went wrong.

mod ack;
mod deaf;
mod fanout;
mod game;
mod idle;
mod ingest;
mod join;
mod saturate;
mod sensors;
mod storm;
mod thin;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use hdrhistogram::Histogram;
use rustix::process::Pid;

pub(crate) use self::ack::{Ack, ack};
pub(crate) use self::deaf::{Deaf, deaf};
pub(crate) use self::fanout::{Fanout, fanout};
pub(crate) use self::game::{Game, game};
pub(crate) use self::idle::{Idle, idle};
pub(crate) use self::ingest::{Ingest, ingest};
pub(crate) use self::join::{join_cold, join_warm};
pub(crate) use self::saturate::{Saturate, saturate};
pub(crate) use self::sensors::{Sensors, sensors};
pub(crate) use self::storm::{Storm, storm};
pub(crate) use self::thin::{Thin, thin};
use crate::crowd::Faults;
use crate::dialect::{Dialect, Door};
use crate::peers::Server;
use crate::process;

/// Where the server is and what it can be asked.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// The address of a document, with `{document}` where its name belongs.
    template: String,
    dialect: Dialect,
    /// The process to sample; CPU and memory figures are left out without it.
    pub(crate) pid: Option<Pid>,
    /// Whether a newcomer gets from it what others wrote.
    pub(crate) keeps_documents: bool,
}

impl Target {
    /// A server somewhere. Without a placeholder, the document's name is added to the path, unless the dialect names
    /// it in every frame.
    pub(crate) fn remote(address: &str, dialect: Dialect, pid: Option<Pid>) -> Result<Self> {
        ensure!(address.starts_with("ws://"), "the address must begin with ws://, not {address:?}");
        let template = if address.contains("{document}") || dialect == Dialect::Hocuspocus {
            address.to_owned()
        } else {
            format!("{}/{{document}}", address.trim_end_matches('/'))
        };
        Ok(Self { template, dialect, pid, keeps_documents: true })
    }

    /// A server that this program has started.
    pub(crate) fn local(server: &Server, dialect: Dialect) -> Self {
        let template = server.url(dialect, "{document}");
        let keeps_documents = server.peer().keeps_documents();
        Self { template, dialect, pid: Some(server.pid()), keeps_documents }
    }

    /// Documents that no other call has had: a function from a number to the way there.
    pub(crate) fn new_documents(&self) -> impl Fn(usize) -> Door + use<> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let (run, set) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let (template, dialect) = (self.template.clone(), self.dialect);
        move |document| {
            let name = format!("load-{run}-{set}-{document}");
            Door::new(dialect, template.replace("{document}", &name), &name)
        }
    }
}

/// What was measured.
#[derive(Debug, Default, Clone)]
pub(crate) struct Outcome {
    /// Figures by name; the name ends in the unit.
    pub(crate) figures: BTreeMap<&'static str, f64>,
    /// What must not have happened.
    pub(crate) faults: Faults,
}

impl Outcome {
    pub(crate) fn set(&mut self, name: &'static str, value: f64) {
        self.figures.insert(name, value);
    }

    fn set_latency(&mut self, latency: &Histogram<u64>) {
        let milliseconds = |quantile| latency.value_at_quantile(quantile) as f64 / 1e6;
        self.set("p50 ms", milliseconds(0.5));
        self.set("p99 ms", milliseconds(0.99));
        self.set("max ms", latency.max() as f64 / 1e6);
        self.set("latencies", latency.len() as f64);
    }
}

/// CPU time over a stretch of a scenario.
struct Stretch {
    pid: Option<Pid>,
    begun: Instant,
    server: Duration,
    generator: Duration,
    machine: Duration,
}

impl Stretch {
    fn begin(target: &Target) -> Result<Self> {
        let server = target.pid.map(process::cpu_time).transpose()?.unwrap_or_default();
        Ok(Self {
            pid: target.pid,
            begun: Instant::now(),
            server,
            generator: process::own_cpu_time(),
            machine: process::machine_cpu_time(),
        })
    }

    /// Seconds since the beginning, and the server's CPU seconds in them, if it can be sampled. Also notes how busy
    /// server and generator were (a generator near 100 % measures itself) and what others did on the machine meanwhile.
    fn end(&self, outcome: &mut Outcome) -> Result<(f64, Option<f64>)> {
        let seconds = self.begun.elapsed().as_secs_f64();
        let generator = (process::own_cpu_time() - self.generator).as_secs_f64();
        outcome.set("generator CPU %", 100.0 * generator / seconds);
        let Some(pid) = self.pid else { return Ok((seconds, None)) };
        let server = (process::cpu_time(pid)? - self.server).as_secs_f64();
        outcome.set("server CPU %", 100.0 * server / seconds);
        let machine = (process::machine_cpu_time() - self.machine).as_secs_f64();
        outcome.set("others CPU %", (100.0 * (machine - server - generator) / seconds).max(0.0));
        Ok((seconds, Some(server)))
    }
}
