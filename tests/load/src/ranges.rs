//! Which edits of one author a reader has: the instrument that sees a lost, a repeated and a reordered edit.
//!
//! Edits are told apart by content, that is by the author's clock, not by message: a server may merge any number of
//! updates into one message, and a reader's [`Track`] must still grow without holes. One reader keeps one track for
//! each author of its document.

/// The clock ticks of one author that one reader has received.
#[derive(Debug, Default, Clone)]
pub(crate) struct Track {
    /// Everything below has arrived.
    next: u32,
    /// What arrived beyond a hole: disjoint ranges, ascending. Empty as long as the server keeps the order.
    ahead: Vec<(u32, u32)>,
}

/// What a range did to a track, in clock ticks.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// Not had before.
    pub(crate) fresh: u32,
    /// Had before.
    pub(crate) repeated: u32,
    /// Fresh, but something later of the same author had come first.
    pub(crate) late: u32,
}

impl Track {
    /// Takes in the ticks `start..end` and calls `fresh` for each part of them that is new.
    pub(crate) fn receive(&mut self, start: u32, end: u32, mut fresh: impl FnMut(u32, u32)) -> Receipt {
        if self.ahead.is_empty() && start == self.next {
            self.next = end; // the honest server's case, and the only one that has to be fast
            fresh(start, end);
            return Receipt { fresh: end - start, ..Receipt::default() };
        }
        let mut receipt =
            Receipt { repeated: self.next.min(end).saturating_sub(start), ..Receipt::default() };
        let mut from = start.max(self.next);
        let highest = self.ahead.last().map_or(self.next, |last| last.1);
        let mut index = self.ahead.partition_point(|range| range.1 <= from);
        while from < end {
            let (hole_end, resume) = match self.ahead.get(index) {
                Some(range) if range.0 < end => (range.0.max(from), range.1),
                _ => (end, end),
            };
            if from < hole_end {
                receipt.fresh += hole_end - from;
                receipt.late += hole_end.min(highest).saturating_sub(from);
                fresh(from, hole_end);
                self.ahead.insert(index, (from, hole_end));
                index += 1;
            }
            receipt.repeated += resume.min(end) - hole_end;
            from = resume;
            index += 1;
        }
        self.close_holes();
        receipt
    }

    /// The first tick that is missing.
    pub(crate) fn next(&self) -> u32 {
        self.next
    }

    fn close_holes(&mut self) {
        self.ahead.dedup_by(|later, earlier| {
            let touching = later.0 <= earlier.1;
            if touching {
                earlier.1 = earlier.1.max(later.1);
            }
            touching
        });
        if self.ahead.first().is_some_and(|range| range.0 <= self.next) {
            self.next = self.next.max(self.ahead.remove(0).1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::seq::SliceRandom as _;
    use rand::{Rng as _, SeedableRng as _};

    fn receive(track: &mut Track, start: u32, end: u32) -> (u32, u32, u32) {
        let receipt = track.receive(start, end, |_, _| ());
        (receipt.fresh, receipt.repeated, receipt.late)
    }

    #[test]
    fn order_is_neither_late_nor_repeated() {
        let mut track = Track::default();
        assert_eq!(receive(&mut track, 0, 1), (1, 0, 0));
        assert_eq!(receive(&mut track, 1, 9), (8, 0, 0));
        assert_eq!(track.next(), 9);
    }

    #[test]
    fn a_dropped_edit_stays_missing_however_much_follows() {
        let mut track = Track::default();
        receive(&mut track, 0, 3);
        assert_eq!(receive(&mut track, 4, 8), (4, 0, 0));
        assert_eq!(receive(&mut track, 8, 9), (1, 0, 0));
        assert_eq!(track.next(), 3);
    }

    #[test]
    fn swapped_edits_are_late_but_not_missing() {
        let mut track = Track::default();
        assert_eq!(receive(&mut track, 1, 2), (1, 0, 0));
        assert_eq!(receive(&mut track, 0, 1), (1, 0, 1));
        assert_eq!(track.next(), 2);
    }

    #[test]
    fn repeats_are_seen_below_and_beyond_a_hole_and_in_part() {
        let mut track = Track::default();
        receive(&mut track, 0, 4);
        assert_eq!(receive(&mut track, 2, 6), (2, 2, 0));
        receive(&mut track, 8, 10);
        assert_eq!(receive(&mut track, 8, 10), (0, 2, 0));
        assert_eq!(receive(&mut track, 5, 12), (4, 3, 2));
        assert_eq!(track.next(), 12);
    }

    /// Any cover of `0..n`, in any order and with repeats, adds up: fresh ticks are the whole, each is told once.
    #[test]
    fn random_covers_add_up() {
        let seed = 20_261_121;
        println!("seed {seed}");
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        for _ in 0..500 {
            let total = random.random_range(1..60);
            let mut pieces: Vec<(u32, u32)> = (0..total).map(|at| (at, at + 1)).collect();
            for _ in 0..random.random_range(0..20) {
                let start = random.random_range(0..total);
                pieces.push((start, random.random_range(start + 1..=total)));
            }
            pieces.shuffle(&mut random);
            let (mut track, mut seen, mut repeated) = (Track::default(), vec![false; total as usize], 0);
            let mut fresh = 0;
            for (start, end) in &pieces {
                let receipt = track.receive(*start, *end, |from, to| {
                    for tick in from..to {
                        assert!(!std::mem::replace(&mut seen[tick as usize], true), "told twice: {pieces:?}");
                    }
                });
                fresh += receipt.fresh;
                repeated += receipt.repeated;
            }
            let sent: u32 = pieces.iter().map(|(start, end)| end - start).sum();
            assert_eq!((fresh, fresh + repeated, track.next()), (total, sent, total));
            assert!(track.ahead.is_empty(), "{pieces:?}");
        }
    }
}
