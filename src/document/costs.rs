//! What changes cost in one document: where they are applied follows from it, and who has to answer for them.
//!
//! What a change will cost does not show in its bytes ([`super::replica::dear`]), so it is foretold from the last ones,
//! and measured. What is more than its size is worth comes out of a purse: each session has one, and so has the document.
//! Pure: the time is given.

use std::time::{Duration, Instant};

use super::{
    rate::{Bucket, Rate},
    replica::{dear, speed},
};

/// What is applied on a thread that serves others must be done within this time.
const HERE: Duration = Duration::from_millis(5);

/// What a struct or a range costs where nothing was measured yet: three times as much as usual.
const UNKNOWN: f64 = 10_000.0;

/// What a batch costs however little is in it, in nanoseconds. Counted apart, so that a batch of one says something about
/// a batch of many.
const BATCH: f64 = 50_000.0;

/// How many batches have to take little, of those that were too large to be applied here since one took too long, until that is
/// forgotten for the first time.
const CHEAP: u32 = 100;

/// Seconds of the processor's time that a session may take beyond what its changes are worth: one large update that is
/// as dear as it may be, and then some. Somebody who types into a spot where thousands of others stand needs a hundredth
/// of what comes again each second.
const SESSION: Rate = Rate { burst: dear::EXCESS.as_millis() as f64 / 1000.0 + 1.0, per_second: 0.1 };

/// As many times what is taken is spent in a document that is as dear as it may be ([`super::replica::dear`]). What changes
/// others made dear to anybody is a few milliseconds, and must not keep who types from it; who wants to make it dearer
/// still is given as good as nothing more.
const DEAREST: f64 = 10_000.0;

/// So much at most, because that may have been an accident.
const DEBT: f64 = 30.0;

/// The same as [`SESSION`] for all sessions of a document together.
const DOCUMENT: Rate = Rate { burst: 10.0, per_second: 0.5 };

/// Whether somebody may change a document that others have made dear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credit {
    /// Yes.
    Fine,
    /// Not now: the document needs time to recover, and this session has had its part in it.
    Later,
    /// No: this session has asked for far more than its changes are worth.
    Overdrawn,
}

/// What is left of what one session may take.
#[derive(Debug)]
pub struct Purse {
    left: Option<Bucket>,
    rate: Rate,
}

impl Default for Purse {
    fn default() -> Self {
        Self { left: None, rate: SESSION }
    }
}

impl Purse {
    /// For all requests without a connection together: nobody can tell them apart.
    pub fn of_requests() -> Self {
        Self { left: None, rate: DOCUMENT }
    }

    /// Whether anything was taken out of it.
    #[cfg(test)]
    pub fn has_paid(&self) -> bool {
        self.left.is_some()
    }
}

/// What changes cost in a document.
#[derive(Debug)]
pub struct Costs {
    /// Nanoseconds for a struct or a range.
    per_part: f64,
    /// How many structs and ranges may be applied here, because more of them once took too long. That is forgotten only after
    /// so many batches as large that took little, twice as many each time: whoever made it so dear could otherwise have it
    /// look cheap again by a few plain changes. But what took long once may also have been the machine.
    most: f64,
    /// How many there were since.
    cheap: u32,
    /// How many there have to be.
    wanted: u32,
    /// What is left for everybody.
    document: Option<Bucket>,
    /// The document may not become dearer.
    is_dearest: bool,
}

impl Default for Costs {
    fn default() -> Self {
        let (most, cheap, wanted) = (f64::INFINITY, 0, CHEAP);
        Self { per_part: UNKNOWN, most, cheap, wanted, document: None, is_dearest: false }
    }
}

impl Costs {
    /// Whether so many structs and ranges will be applied so soon that nobody else on the thread notices.
    pub fn is_little(&self, parts: usize) -> bool {
        let parts = parts as f64;
        parts <= self.most && self.per_part * parts <= HERE.as_nanos() as f64
    }

    /// Whether the document is as dear as it may be.
    pub fn set_as_dear_as_may_be(&mut self, is_dearest: bool) {
        self.is_dearest = is_dearest;
    }

    /// So many structs and ranges took so long, of the processor's time.
    pub fn learn(&mut self, parts: usize, took: Duration) {
        let (parts, took) = (parts.max(1) as f64, took.as_nanos() as f64);
        let limit = HERE.as_nanos() as f64;
        if took > limit {
            self.most = self.most.min(parts * limit / took);
            self.cheap = 0;
        } else if parts > self.most {
            self.cheap += 1;
            if self.cheap == self.wanted {
                self.most = f64::INFINITY;
                self.cheap = 0;
                self.wanted = self.wanted.saturating_mul(2);
            }
        }
        let measured = (took - BATCH * speed::slowness()).max(0.0) / parts;
        // What became dear is believed at once, what became cheap after some more.
        self.per_part =
            if measured > self.per_part { measured } else { (3.0 * self.per_part + measured) / 4.0 };
    }

    /// A session's change took so much more than it is worth. What is slow because the machine is, nobody answers for.
    pub fn charge(&mut self, purse: &mut Purse, excess: Duration, now: Instant) {
        if !excess.is_zero() {
            let mut excess = excess.as_secs_f64() / speed::slowness();
            if self.is_dearest {
                excess = (DEAREST * excess).min(excess.max(DEBT));
            }
            let own = purse.rate;
            for (bucket, rate) in [(&mut purse.left, own), (&mut self.document, DOCUMENT)] {
                bucket.get_or_insert_with(|| Bucket::new(rate, now)).spend(excess, now);
            }
        }
    }

    /// Whether the session with this purse may change the document, by so many structs and ranges. Whoever has taken
    /// nothing yet may do so in a document that has nothing left, but nothing that will take long: it may be somebody who
    /// has spent a share and connected again. Not who, because behind a proxy everybody has the same address.
    pub fn credit(&mut self, purse: &mut Purse, parts: usize, now: Instant) -> Credit {
        let owes = self.owes(now);
        let Some(own) = &mut purse.left else {
            // Where it may not become dearer, the first free change is a small one.
            let most = if self.is_dearest { 10 * parts } else { parts };
            return if owes && !self.is_little(most) { Credit::Later } else { Credit::Fine };
        };
        let left = own.left(now);
        if left <= 0.0 {
            // What weighs more than it took is no reason to be sent away for ever.
            if self.is_dearest { Credit::Later } else { Credit::Overdrawn }
        } else if owes && left < purse.rate.burst {
            Credit::Later
        } else {
            Credit::Fine
        }
    }

    /// Whether all together have taken more than there is.
    fn owes(&mut self, now: Instant) -> bool {
        self.document.as_mut().is_some_and(|all| all.left(now) <= 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn what_will_take_long_is_told_from_what_took_long() {
        let mut costs = Costs::default();
        assert!(costs.is_little(256), "a batch of keystrokes");
        assert!(!costs.is_little(2048), "nothing is known yet");
        costs.learn(1, 3 * MS);
        assert!(costs.is_little(1) && !costs.is_little(2));
        for _ in 0..40 {
            costs.learn(256, MS);
        }
        assert!(costs.is_little(1000), "it is cheap again");
        costs.learn(1, Duration::from_micros(40));
        assert!(costs.is_little(1000), "what a batch costs by itself is not what a struct costs");
    }

    #[test]
    fn a_keystroke_that_took_long_once_is_forgotten_after_many_that_did_not() {
        let mut costs = Costs::default();
        for wanted in [CHEAP, 2 * CHEAP, 4 * CHEAP] {
            costs.learn(1, 6 * MS);
            for _ in 0..wanted {
                assert!(!costs.is_little(1));
                costs.learn(1, Duration::from_micros(30));
            }
            assert!(costs.is_little(256));
        }
    }

    #[test]
    fn what_once_took_too_long_is_not_believed_to_be_quick_because_less_was() {
        let mut costs = Costs::default();
        costs.learn(2048, 500 * MS);
        for _ in 0..1000 {
            costs.learn(1, Duration::from_micros(30));
        }
        assert!(costs.is_little(20), "twenty take 5 ms at worst");
        assert!(!costs.is_little(21));
    }

    /// So much as somebody here has to answer for.
    fn here(there: Duration) -> Duration {
        there.mul_f64(speed::slowness())
    }

    #[test]
    fn whoever_asks_for_too_much_is_overdrawn_and_nobody_else() {
        let start = Instant::now();
        let (mut costs, mut mallory, mut bob) = (Costs::default(), Purse::default(), Purse::default());
        costs.charge(&mut mallory, here(3_999 * MS), start);
        assert_eq!(costs.credit(&mut mallory, 1, start), Credit::Fine);
        costs.charge(&mut mallory, here(101 * MS), start);
        assert_eq!(costs.credit(&mut mallory, 1, start), Credit::Overdrawn);
        assert_eq!(costs.credit(&mut bob, 1, start), Credit::Fine);
        assert_eq!(costs.credit(&mut mallory, 1, start + 990 * MS), Credit::Overdrawn);
        assert_eq!(costs.credit(&mut mallory, 1, start + 1010 * MS), Credit::Fine);
    }

    #[test]
    fn whoever_brought_one_large_update_as_dear_as_it_may_be_goes_on_typing() {
        let start = Instant::now();
        let (mut costs, mut ann) = (Costs::default(), Purse::default());
        costs.charge(&mut ann, here(dear::EXCESS + 500 * MS), start);
        assert_eq!(costs.credit(&mut ann, 1, start), Credit::Fine);
    }

    #[test]
    fn requests_answer_for_each_other() {
        let start = Instant::now();
        let (mut costs, mut requests) = (Costs::default(), Purse::of_requests());
        for _ in 0..4 {
            assert_eq!(costs.credit(&mut requests, 1, start), Credit::Fine);
            costs.charge(&mut requests, here(dear::EXCESS), start);
        }
        assert_eq!(costs.credit(&mut requests, 1, start), Credit::Overdrawn);
    }

    #[test]
    fn ten_keystrokes_a_second_that_are_dear_by_the_fault_of_others_pass_for_ever() {
        let mut now = Instant::now();
        let (mut costs, mut bob) = (Costs::default(), Purse::default());
        for _ in 0..10_000 {
            assert_eq!(costs.credit(&mut bob, 1, now), Credit::Fine);
            costs.charge(&mut bob, here(5 * MS), now);
            now += 100 * MS;
        }
    }

    #[test]
    fn many_who_ask_for_a_little_each_wait_until_the_document_has_recovered() {
        let start = Instant::now();
        let mut costs = Costs::default();
        let mut crowd: Vec<Purse> = (0..20).map(|_| Purse::default()).collect();
        for purse in &mut crowd {
            costs.charge(purse, here(600 * MS), start);
        }
        assert!(crowd.iter_mut().all(|purse| costs.credit(purse, 1, start) == Credit::Later));
        assert_eq!(
            costs.credit(&mut Purse::default(), 1, start),
            Credit::Fine,
            "somebody who had no part in it"
        );
        let later = start + Duration::from_secs(5);
        assert!(crowd.iter_mut().all(|purse| costs.credit(purse, 1, later) == Credit::Fine));
    }

    #[test]
    fn whoever_comes_back_in_the_name_of_another_session_does_not_get_another_share() {
        let start = Instant::now();
        let mut costs = Costs::default();
        let (few, many) = (1, 2048);
        // It leaves before it is overdrawn, again and again.
        for _ in 0..5 {
            let mut mallory = Purse::default();
            assert_eq!(costs.credit(&mut mallory, many, start), Credit::Fine);
            costs.charge(&mut mallory, here(2400 * MS), start);
        }
        let mut mallory = Purse::default();
        assert_eq!(costs.credit(&mut mallory, many, start), Credit::Later, "what will take long waits");
        assert_eq!(costs.credit(&mut mallory, few, start), Credit::Fine, "keystrokes do not");
        costs.charge(&mut mallory, here(5 * MS), start);
        assert_eq!(
            costs.credit(&mut mallory, few, start),
            Credit::Later,
            "after the first that is dear they do"
        );
        let later = start + Duration::from_secs(20);
        assert_eq!(costs.credit(&mut Purse::default(), many, later), Credit::Fine, "it has recovered");
    }

    #[test]
    fn a_document_that_may_not_become_dearer_is_given_hardly_anything_more() {
        let start = Instant::now();
        let (mut costs, mut mallory, mut bob) = (Costs::default(), Purse::default(), Purse::default());
        let mut requests = Purse::of_requests();
        costs.set_as_dear_as_may_be(true);
        costs.learn(1, here(MS / 5));
        // A hiccup of the machine.
        costs.charge(&mut bob, here(MS / 4), start);
        assert_eq!(costs.credit(&mut bob, 1, start), Credit::Fine);
        for purse in [&mut mallory, &mut requests] {
            costs.charge(purse, here(2 * MS), start);
            assert_eq!(costs.credit(purse, 1, start), Credit::Later);
        }
        assert_eq!(costs.credit(&mut bob, 1, start), Credit::Later);
        // Whoever comes anew types.
        assert_eq!(costs.credit(&mut Purse::default(), 1, start), Credit::Fine);
        assert_eq!(costs.credit(&mut Purse::default(), 50, start), Credit::Later);
        costs.charge(&mut mallory, here(500 * MS), start);
        let later = start + Duration::from_secs(600);
        for purse in [&mut mallory, &mut bob, &mut requests] {
            assert_eq!(costs.credit(purse, 1, later), Credit::Fine, "nobody owes for ever");
        }
    }
}
