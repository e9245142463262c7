//! How much dearer a document is than its size is worth, for as long as there is a document.
//!
//! Whoever loads a document does all its work again, and so does every server that is given its state: what single updates may
//! cost is bounded ([`super::dear`]), and so is the sum of what they leave behind. The bound of an update that begins a
//! document is larger than the bound of all that may be added to one, so that its state can be taken in by another server,
//! which measures a little more or less.
//!
//! Nothing of it is kept on the disk: what loading took is known each time, and is more than what is held. What was applied
//! since is added. Some of that is dear only once, such as deletions, and adding it up makes too much of it: before the
//! bound is said to be reached, the state is loaded once more, beside the document, and measured piece by piece.

use std::time::Duration;

use super::{LIFE, dear::here, speed};

/// What moving one struct takes, of those that stand behind one which is cut.
const PER_MOVE: Duration = Duration::from_nanos(2);

/// What may be added by changes before it is worth measuring again whether it is really there.
const ENOUGH: Duration = LIFE.checked_div(4).expect("four is not zero");

/// The same where loading took so much of what the size is worth that the document may well have reached the bound.
const LITTLE: Duration = Duration::from_millis(5);

/// What a document holds beyond what its size is worth, in this processor's time.
#[derive(Debug)]
pub(super) struct Held {
    /// When it was loaded or last measured.
    then: Duration,
    /// Measured, and not just more than it can be.
    is_measured: bool,
    /// What changes took since, beyond what they are worth.
    since: Duration,
    /// How much of that is worth measuring again, on the machine that [`speed`] knows.
    enough: Duration,
    /// Structs and ranges at most.
    parts: usize,
}

impl Default for Held {
    fn default() -> Self {
        Self { then: Duration::ZERO, is_measured: true, since: Duration::ZERO, enough: ENOUGH, parts: 0 }
    }
}

impl Held {
    /// It took so long to load so many structs and ranges, which are worth so much.
    pub(super) fn loaded(took: Duration, parts: usize, worth: Duration) -> Self {
        // Honest documents take a tenth.
        let enough = if took > worth / 4 { LITTLE } else { ENOUGH };
        Self { then: took, is_measured: took.is_zero(), since: Duration::ZERO, enough, parts }
    }

    /// All of it was measured.
    pub(super) fn measured(&mut self, excess: Duration) {
        *self = Self {
            then: excess,
            is_measured: true,
            since: Duration::ZERO,
            enough: ENOUGH,
            parts: self.parts,
        };
    }

    /// How many structs and ranges have come in.
    pub(super) fn parts(&self) -> usize {
        self.parts
    }

    /// So many structs and ranges come in.
    pub(super) fn grow(&mut self, parts: usize) {
        self.parts = self.parts.saturating_add(parts);
    }

    /// A change took so much more than it is worth.
    pub(super) fn add(&mut self, excess: Duration) {
        self.since += excess;
    }

    /// What so many structs and ranges may take here besides what they are worth, because each may cut one that is there at
    /// both ends. It is not taken again when the document is loaded.
    pub(super) fn cuts(&self, parts: usize) -> Duration {
        let moved = 2.0 * parts as f64 * self.parts as f64;
        Duration::from_secs_f64(PER_MOVE.as_secs_f64() * moved * speed::slowness())
    }

    /// At most so much.
    pub(super) fn total(&self) -> Duration {
        self.then + self.since
    }

    /// Whether measuring may show that it is less.
    pub(super) fn may_be_less(&self) -> bool {
        !self.is_measured || self.since >= here(self.enough)
    }

    /// Whether it seems that nothing more may be added, and is to be measured because changes alone may make it seem so.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.total() >= here(LIFE) && self.since >= here(self.enough)
    }

    /// Whether nothing more may be added, for all that is known.
    pub(super) fn is_all(&self) -> bool {
        self.is_measured && self.total() >= here(LIFE) && !self.is_in_doubt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn here(there: Duration) -> Duration {
        there.mul_f64(speed::slowness())
    }

    #[test]
    fn what_was_added_is_measured_before_it_is_too_much() {
        let mut held = Held::default();
        assert!(!held.is_all() && !held.is_in_doubt() && !held.may_be_less());
        held.add(here(LIFE - MS));
        assert!(!held.is_in_doubt());
        held.add(here(2 * MS));
        assert!(held.is_in_doubt() && held.may_be_less());
        // It was deletions.
        held.measured(here(MS));
        assert!(!held.is_all() && !held.is_in_doubt() && !held.may_be_less());
        held.add(here(LIFE));
        held.measured(here(LIFE));
        assert!(held.is_all() && !held.is_in_doubt());
        held.add(here(ENOUGH));
        assert!(held.is_in_doubt(), "again and again, but not for each change");
    }

    #[test]
    fn what_takes_long_to_load_is_measured_only_if_something_is_added() {
        let worth = here(Duration::from_secs(40));
        let mut honest = Held::loaded(here(2 * LIFE), 2_000_000, worth);
        let mut dear = Held::loaded(here(2 * LIFE), 50_000, worth / 40);
        for held in [&mut honest, &mut dear] {
            assert!(!held.is_all() && !held.is_in_doubt() && held.may_be_less());
            held.add(here(LITTLE));
        }
        assert!(!honest.is_in_doubt() && dear.is_in_doubt());
        honest.add(here(ENOUGH));
        assert!(honest.is_in_doubt());
    }

    #[test]
    fn whoever_writes_in_the_middle_of_a_large_document_adds_nothing() {
        let held = Held::loaded(MS, 1_200_000, here(24_000 * MS));
        assert_eq!(held.cuts(1), here(Duration::from_micros(4800)));
        assert_eq!(Held::default().cuts(1), Duration::ZERO);
    }
}
