//! The network comes back: everybody reconnects at once, and everybody has something to say.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::{Outcome, Stretch, Target};
use crate::crowd::{Crowd, Shape};
use crate::fleet::Fleet;

/// How big the storm is.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Storm {
    /// Editors of the one document
    #[arg(long, default_value_t = 200)]
    pub(crate) editors: usize,
    /// Keystrokes of each while offline
    #[arg(long, default_value_t = 50)]
    pub(crate) edits: u32,
}

/// Seconds from the first reconnect until everybody has everything.
pub(crate) fn storm(target: &Target, plan: &Storm) -> Result<Outcome> {
    let shape = Shape { editors: plan.editors, typists: plan.editors, sample: 20, ..Shape::default() };
    let (mut fleet, mut crowd) = (Fleet::new()?, Crowd::new(shape)?);
    crowd.connect(&mut fleet, target.new_documents())?;
    let now = fleet.now();
    for author in 0..crowd.authors() {
        crowd.type_one(author, now, fleet.outgoing());
    }
    crowd.settle(&mut fleet)?;
    ensure!(crowd.faults().is_clean(), "before the storm: {}", crowd.faults());

    crowd.go_offline(&mut fleet);
    crowd.type_offline(plan.edits, fleet.now());
    // The server notices the loss meanwhile, as it would.
    fleet.turn(&mut crowd, Duration::from_millis(300))?;

    let mut outcome = Outcome::default();
    let stretch = Stretch::begin(target)?;
    crowd.come_back(&mut fleet)?;
    let limit = Duration::from_secs(60);
    let all_there = fleet.turn_until(&mut crowd, limit, "everybody to have everything", |crowd| {
        crowd.is_synced() && crowd.is_complete() || !crowd.faults().closed.is_empty()
    });
    let (seconds, server) = stretch.end(&mut outcome)?;
    crowd.settle(&mut fleet)?;
    if all_there.is_ok() {
        outcome.set("s until all have all", seconds);
    }
    if let Some(server) = server {
        outcome.set("server CPU ms", server * 1e3);
    }
    crowd.check_convergence(target.keeps_documents)?;
    outcome.faults = crowd.faults().clone();
    Ok(outcome)
}
