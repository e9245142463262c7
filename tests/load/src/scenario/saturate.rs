//! The closed loop: each typist keeps a window of operations under way, and the server sets the pace.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{Outcome, Stretch, Target};
use crate::crowd::{Crowd, Shape};
use crate::fleet::Fleet;

/// How much is under way.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Saturate {
    /// Documents
    #[arg(long, default_value_t = 1)]
    pub(crate) documents: usize,
    /// Editors of each document
    #[arg(long, default_value_t = 100)]
    pub(crate) editors: usize,
    /// How many of them type
    #[arg(long, default_value_t = 10)]
    pub(crate) typists: usize,
    /// Operations under way from each typist
    #[arg(long, default_value_t = 16)]
    pub(crate) window: u32,
    /// Seconds that are measured, after one that is not
    #[arg(long, default_value_t = 5.0)]
    pub(crate) seconds: f64,
}

/// Operations a second, where an operation is complete when the editor after its author has it; server CPU per
/// delivery; and every edit checked.
pub(crate) fn saturate(target: &Target, plan: &Saturate) -> Result<Outcome> {
    let shape = Shape {
        documents: plan.documents,
        editors: plan.editors,
        typists: plan.typists,
        window: Some(plan.window),
        ..Shape::default()
    };
    let (mut fleet, mut crowd) = (Fleet::new()?, Crowd::new(shape)?);
    crowd.connect(&mut fleet, target.new_documents())?;
    crowd.start_typing(&mut fleet);
    work_for(&mut fleet, &mut crowd, Duration::from_secs(1))?;

    let mut outcome = Outcome::default();
    let (completed, deliveries, stretch) = (crowd.completed(), crowd.deliveries(), Stretch::begin(target)?);
    crowd.start_measuring(fleet.now());
    work_for(&mut fleet, &mut crowd, Duration::from_secs_f64(plan.seconds))?;
    let (seconds, server) = stretch.end(&mut outcome)?;
    outcome.set("operations/s", (crowd.completed() - completed) as f64 / seconds);
    if let Some(server) = server {
        outcome.set("server CPU µs/delivery", 1e6 * server / (crowd.deliveries() - deliveries) as f64);
    }

    crowd.stop_typing();
    crowd.settle(&mut fleet)?;
    crowd.check_convergence(target.keeps_documents)?;
    outcome.set_latency(crowd.latency());
    outcome.faults = crowd.faults().clone();
    Ok(outcome)
}

fn work_for(fleet: &mut Fleet, crowd: &mut Crowd, length: Duration) -> Result<()> {
    let end = Instant::now() + length;
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        fleet.turn(crowd, left)?;
    }
    Ok(())
}
