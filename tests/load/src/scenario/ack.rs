//! How long an author waits for the acknowledgement of an edit, from servers that give one: by sending the edit back
//! when it is durable, or in so many words. What the word promises is the server's affair.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::fanout::{Pace, type_for};
use super::{Outcome, Stretch, Target};
use crate::crowd::{Crowd, Shape};
use crate::fleet::Fleet;

/// How much is written.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Ack {
    /// Documents, each with one author and one reader
    #[arg(long, default_value_t = 50)]
    pub(crate) documents: usize,
    /// Updates a second of all authors together
    #[arg(long, default_value_t = 5000.0)]
    pub(crate) rate: f64,
    /// Seconds that are measured, after one that is not
    #[arg(long, default_value_t = 5.0)]
    pub(crate) seconds: f64,
}

/// Milliseconds from the moment an update was due until it is acknowledged.
pub(crate) fn ack(target: &Target, plan: &Ack) -> Result<Outcome> {
    let shape = Shape { documents: plan.documents, echo: true, sample: 10, ..Shape::default() };
    let doors = target.new_documents();
    let (mut fleet, mut crowd) = (Fleet::new()?, Crowd::new(shape)?);
    crowd.connect(&mut fleet, |document| doors(document).acknowledging())?;
    let mut pace = Pace::new(crowd.authors(), plan.rate / crowd.authors() as f64, fleet.now());
    type_for(&mut fleet, &mut crowd, &mut pace, Duration::from_secs(1))?;

    let mut outcome = Outcome::default();
    let (before, stretch) = (crowd.completed(), Stretch::begin(target)?);
    crowd.start_measuring(fleet.now());
    type_for(&mut fleet, &mut crowd, &mut pace, Duration::from_secs_f64(plan.seconds))?;
    let (seconds, _) = stretch.end(&mut outcome)?;
    let acknowledged = crowd.completed() - before;
    ensure!(acknowledged > 0, "the server acknowledged nothing");
    crowd.settle(&mut fleet)?;
    let all = |crowd: &Crowd| crowd.acknowledged().all(|(_, written, acknowledged)| written == acknowledged);
    fleet.turn_until(&mut crowd, Duration::from_secs(10), "the last acknowledgements", all)?;
    crowd.check_convergence(target.keeps_documents)?;
    outcome.set("acknowledgements/s", acknowledged as f64 / seconds);
    outcome.set_latency(crowd.latency());
    outcome.faults = crowd.faults().clone();
    Ok(outcome)
}
