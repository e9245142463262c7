//! How often somebody may do something: a bucket of tokens that fills with time. Pure.

use std::time::{Duration, Instant};

/// The bound: a burst, and what may go on for ever.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// How many at once.
    pub burst: f64,
    /// How many a second in the long run.
    pub per_second: f64,
}

/// What is left of a [`Rate`].
#[derive(Clone, Debug)]
pub struct Bucket {
    rate: Rate,
    tokens: f64,
    at: Instant,
}

impl Bucket {
    /// A full bucket.
    pub fn new(rate: Rate, now: Instant) -> Self {
        Self { rate, tokens: rate.burst, at: now }
    }

    /// Takes one token; false if there is none.
    pub fn take(&mut self, now: Instant) -> bool {
        self.take_many(1.0, now)
    }

    /// Takes so many tokens; false if there are fewer. What asks for more than a burst is given it from a full
    /// bucket, which is then filled again for longer.
    pub fn take_many(&mut self, tokens: f64, now: Instant) -> bool {
        let enough = self.left(now) >= tokens.min(self.rate.burst);
        if enough {
            self.tokens -= tokens;
        }
        enough
    }

    /// Takes so many tokens, there or not.
    pub fn spend(&mut self, tokens: f64, now: Instant) {
        self.tokens = self.left(now) - tokens;
    }

    /// How many tokens there are; below zero, how many are owed.
    pub fn left(&mut self, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = self.at.max(now);
        self.tokens = (self.tokens + passed * self.rate.per_second).min(self.rate.burst);
        self.tokens
    }

    /// Takes one token, there or not, and says how long it is until there is one again.
    pub fn wait_after(&mut self, now: Instant) -> Duration {
        if !self.take(now) {
            self.tokens -= 1.0;
        }
        Duration::from_secs_f64(((1.0 - self.tokens) / self.rate.per_second).clamp(0.0, 3600.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_pace_holds() {
        let start = Instant::now();
        let mut bucket = Bucket::new(Rate { burst: 3.0, per_second: 2.0 }, start);
        assert_eq!([0; 5].map(|_| bucket.take(start)), [true, true, true, false, false]);
        let later = start + Duration::from_millis(500);
        assert_eq!([0; 2].map(|_| bucket.take(later)), [true, false]);
        let much_later = later + Duration::from_secs(3600);
        assert_eq!(
            [0; 4].map(|_| bucket.take(much_later)),
            [true, true, true, false],
            "never more than a burst"
        );
    }

    #[test]
    fn more_than_a_burst_is_paid_for_afterwards() {
        let start = Instant::now();
        let mut bucket = Bucket::new(Rate { burst: 10.0, per_second: 10.0 }, start);
        assert!(bucket.take_many(25.0, start), "a full bucket is enough");
        assert!(!bucket.take(start + Duration::from_millis(1500)));
        assert!(bucket.take(start + Duration::from_millis(1600)));
        assert!(!bucket.take_many(25.0, start + Duration::from_millis(2000)));
        assert!(bucket.take_many(25.0, start + Duration::from_millis(2700)));
    }

    #[test]
    fn who_waits_keeps_the_pace() {
        let mut now = Instant::now();
        let start = now;
        let mut bucket = Bucket::new(Rate { burst: 3.0, per_second: 10.0 }, now);
        for _ in 0..23 {
            now += bucket.wait_after(now);
        }
        let passed = (now - start).as_secs_f64();
        assert!((2.0..2.2).contains(&passed), "{passed}");
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing() {
        let start = Instant::now() + Duration::from_secs(10);
        let mut bucket = Bucket::new(Rate { burst: 1.0, per_second: 1.0 }, start);
        assert!(bucket.take(start));
        assert!(!bucket.take(start - Duration::from_secs(5)));
        assert!(!bucket.take(start));
    }
}
