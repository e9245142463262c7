//! The open loop: typists write at their own pace, whatever the server does about it.

use std::time::{Duration, Instant};

use anyhow::Result;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::{Outcome, Stretch, Target};
use crate::crowd::{Crowd, Shape};
use crate::fleet::{Driver, Fleet, Outgoing};

/// How much is typed.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Fanout {
    /// Documents
    #[arg(long, default_value_t = 1)]
    pub(crate) documents: usize,
    /// Editors of each document
    #[arg(long, default_value_t = 200)]
    pub(crate) editors: usize,
    /// How many of them type
    #[arg(long, default_value_t = 10)]
    pub(crate) typists: usize,
    /// Keystrokes a second of each typist
    #[arg(long, default_value_t = 5.0)]
    pub(crate) rate: f64,
    /// Seconds that are measured, after one that is not
    #[arg(long, default_value_t = 5.0)]
    pub(crate) seconds: f64,
}

/// Latency of each delivery from the moment its keystroke was due, server CPU per delivery, and every edit checked.
pub(crate) fn fanout(target: &Target, plan: &Fanout) -> Result<Outcome> {
    let shape = Shape {
        documents: plan.documents,
        editors: plan.editors,
        typists: plan.typists,
        sample: 20,
        ..Shape::default()
    };
    let (mut fleet, mut crowd) = (Fleet::new()?, Crowd::new(shape)?);
    crowd.connect(&mut fleet, target.new_documents())?;
    let mut pace = Pace::new(crowd.authors(), plan.rate, fleet.now());
    type_for(&mut fleet, &mut crowd, &mut pace, Duration::from_secs(1))?;

    let mut outcome = Outcome::default();
    let (before, stretch) = (crowd.deliveries(), Stretch::begin(target)?);
    crowd.start_measuring(fleet.now());
    type_for(&mut fleet, &mut crowd, &mut pace, Duration::from_secs_f64(plan.seconds))?;
    let (seconds, server) = stretch.end(&mut outcome)?;
    let deliveries = (crowd.deliveries() - before) as f64;

    crowd.settle(&mut fleet)?;
    crowd.check_convergence(target.keeps_documents)?;
    outcome.set("deliveries/s", deliveries / seconds);
    if let Some(server) = server {
        outcome.set("server CPU µs/delivery", 1e6 * server / deliveries);
    }
    outcome.set_latency(crowd.latency());
    outcome.faults = crowd.faults().clone();
    Ok(outcome)
}

/// Types what is due and reads what comes, for a while.
pub(super) fn type_for(
    fleet: &mut Fleet,
    crowd: &mut Crowd,
    pace: &mut Pace,
    length: Duration,
) -> Result<()> {
    keep_pace(fleet, crowd, pace, length, Crowd::type_one)
}

/// Lets `act` do what is due, for whom it is due and since when, and reads what comes, for a while.
pub(super) fn keep_pace<D: Driver>(
    fleet: &mut Fleet,
    driver: &mut D,
    pace: &mut Pace,
    length: Duration,
    mut act: impl FnMut(&mut D, usize, u64, &mut Outgoing),
) -> Result<()> {
    let end = Instant::now() + length;
    loop {
        while let Some((author, due)) = pace.take_due(fleet.now()) {
            act(driver, author, due, fleet.outgoing());
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        fleet.turn(driver, left.min(pace.wait(fleet.now())))?;
    }
}

/// Reads what still comes, until nothing is `missing` or `progress` has not moved for three seconds.
pub(super) fn until_quiet<D: Driver>(
    fleet: &mut Fleet,
    driver: &mut D,
    progress: impl Fn(&D) -> u64,
    missing: impl Fn(&D) -> u64,
) -> Result<()> {
    const QUIET: Duration = Duration::from_secs(3);
    let mut last = (progress(driver), Instant::now());
    while missing(driver) > 0 && last.1.elapsed() < QUIET {
        fleet.turn(driver, Duration::from_millis(20))?;
        let now = progress(driver);
        if now != last.0 {
            last = (now, Instant::now());
        }
    }
    Ok(())
}

/// When whose keystroke is due: all at the same rate, each with a phase of their own. A keystroke that is typed late
/// keeps the time it was due, so a slow generator or server shows in the latency instead of thinning the load.
pub(super) struct Pace {
    interval: f64,
    start: u64,
    /// Phases within an interval, ascending, with the author.
    phases: Vec<(f64, usize)>,
    taken: usize,
}

impl Pace {
    pub(super) fn new(authors: usize, rate: f64, start: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(authors as u64);
        let interval = 1e9 / rate;
        let mut phases: Vec<(f64, usize)> =
            (0..authors).map(|author| (random.random_range(0.0..interval), author)).collect();
        phases.sort_by(|one, other| one.0.total_cmp(&other.0));
        Self { interval, start, phases, taken: 0 }
    }

    fn next(&self) -> (u64, usize) {
        let (phase, author) = self.phases[self.taken % self.phases.len()];
        let round = (self.taken / self.phases.len()) as f64;
        (self.start + (round * self.interval + phase) as u64, author)
    }

    fn take_due(&mut self, now: u64) -> Option<(usize, u64)> {
        let (due, author) = self.next();
        (due <= now).then(|| {
            self.taken += 1;
            (author, due)
        })
    }

    fn wait(&self, now: u64) -> Duration {
        Duration::from_nanos(self.next().0.saturating_sub(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_keeps_their_rate_and_their_phase() {
        let mut pace = Pace::new(3, 10.0, 1_000);
        let mut typed = vec![Vec::new(); 3];
        while let Some((author, due)) = pace.take_due(1_000 + 1_000_000_000) {
            typed[author].push(due);
        }
        for dues in typed {
            assert!(dues.len() == 10 || dues.len() == 11, "{dues:?}");
            assert!(
                dues.windows(2).all(|pair| pair[1].abs_diff(pair[0]).abs_diff(100_000_000) < 2),
                "{dues:?}"
            );
        }
    }
}
