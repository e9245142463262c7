//! Connections that do nothing: what each costs the server in memory.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::{Outcome, Target};
use crate::crowd::{Crowd, Shape};
use crate::fleet::Fleet;
use crate::process;

/// How many there are.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Idle {
    /// Documents
    #[arg(long, default_value_t = 100)]
    pub(crate) documents: usize,
    /// Connections of each document
    #[arg(long, default_value_t = 50)]
    pub(crate) editors: usize,
}

impl Idle {
    /// How many connections there are in all.
    pub(crate) fn connections(&self) -> usize {
        self.documents * self.editors
    }
}

/// Resident memory per connection, once it has stopped changing. Every document has had one editor type a few words,
/// so that it is a document and not only a name.
pub(crate) fn idle(target: &Target, plan: &Idle) -> Result<Outcome> {
    let pid = target.pid.context("memory can only be sampled with the process id of the server (--pid)")?;
    process::allow_files(plan.connections())?;
    warm_up(target)?;
    let before = process::resident(pid)?;

    let shape = Shape {
        documents: plan.documents,
        editors: plan.editors,
        echo: true, // a document may have one editor alone
        ..Shape::default()
    };
    let (mut fleet, mut crowd) = (Fleet::new()?, Crowd::new(shape)?);
    crowd.connect(&mut fleet, target.new_documents())?;
    for author in 0..crowd.authors() {
        for _ in 0..20 {
            crowd.type_one(author, 0, fleet.outgoing());
        }
    }
    crowd.settle(&mut fleet)?;
    let after = settled(pid, &mut fleet, &mut crowd)?;

    let mut outcome = Outcome::default();
    let connections = plan.connections() as f64;
    outcome.set("RSS KiB/connection", after.saturating_sub(before) as f64 / 1024.0 / connections);
    outcome.set("RSS MiB", after as f64 / f64::from(1 << 20));
    outcome.faults = crowd.faults().clone();
    Ok(outcome)
}

/// A few connections first, so that what a server allocates once is not counted.
fn warm_up(target: &Target) -> Result<()> {
    let (mut fleet, mut crowd) = (Fleet::new()?, Crowd::new(Shape { editors: 10, ..Shape::default() })?);
    crowd.connect(&mut fleet, target.new_documents())?;
    fleet.turn(&mut crowd, Duration::from_millis(200))
}

/// Memory when it has moved by less than half a per cent in each of three seconds, or after twenty: collectors of
/// garbage take their time.
fn settled(pid: rustix::process::Pid, fleet: &mut Fleet, crowd: &mut Crowd) -> Result<u64> {
    let (mut before, mut quiet) = (process::resident(pid)?, 0);
    for _ in 0..20 {
        let end = Instant::now() + Duration::from_secs(1);
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            fleet.turn(crowd, left)?;
        }
        let now = process::resident(pid)?;
        quiet = if now.abs_diff(before) * 200 < before { quiet + 1 } else { 0 };
        before = now;
        if quiet == 3 {
            break;
        }
    }
    Ok(before)
}
