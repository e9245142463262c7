//! How slow this machine is, so that what is worth so much time on one is worth so much more on another: an honest update
//! must not be refused because the server has a small share of an old processor.

use std::{sync::OnceLock, time::Duration};

use yrs::{Doc, Text, Transact};

use super::Replica;
use crate::{
    document::deleted::Deleted,
    protocol::guard::{Limits, Update},
};

/// Letters of the sample, each before the last: as many structs.
const LETTERS: usize = 1000;

/// What the sample takes where the costs of updates were measured.
const THERE: Duration = Duration::from_micros(700);

/// Beyond that something else is wrong.
const MOST: f64 = 50.0;

/// How many times as long everything takes here as where the costs of updates were measured; 1 on what is faster.
/// Measured when it is first asked for, which takes some milliseconds.
pub fn slowness() -> f64 {
    static SLOWNESS: OnceLock<f64> = OnceLock::new();
    *SLOWNESS.get_or_init(|| (sample().as_secs_f64() / THERE.as_secs_f64()).clamp(1.0, MOST))
}

/// The processor's time for taking in what somebody wrote: the best of a few, because whatever disturbs makes it longer.
fn sample() -> Duration {
    let doc = Doc::new();
    let text = doc.get_or_insert_text("text");
    let mut txn = doc.transact_mut();
    for _ in 0..LETTERS {
        text.insert(&mut txn, 0, "x");
    }
    let Ok(update) = Update::check(txn.encode_update_v1().into(), &Limits::default()) else { return THERE };
    // Not with what asks for the slowness itself.
    let took = || {
        let applied = Replica::new(Deleted::Collected).apply_batch(&[&update], true);
        applied.map_or(THERE, |applied| applied.took)
    };
    (0..5).map(|_| took()).min().unwrap_or(THERE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_measured_and_no_machine_is_faster_than_it_may_be() {
        assert!(sample() > Duration::ZERO);
        eprintln!("sample: {:?}, slowness: {}", sample(), slowness());
        assert!((1.0..=MOST).contains(&slowness()));
    }
}
