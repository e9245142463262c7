//! News of presence that waits its turn. To tell everybody about everybody is quadratic: of 3,000 people who come
//! in one second each would hear 3,000 times. Up to a pace presence is told at once; beyond it, it is gathered and
//! told a little later, and only the latest about each. What nobody may miss, changes of the document, never
//! waits here.
//!
//! Pure: the time is given.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    time::{Duration, Instant},
};

use super::rate::{Bucket, Rate};

/// Deliveries of presence, of one piece of news to one session, that one document may cause. A hundred people who all
/// move their carets five times a second are told at once; more would keep a worker thread busy with little else.
pub const PACE: Rate = Rate { burst: 50_000.0, per_second: 50_000.0 };

/// After how long gathered news are looked at again.
pub const PAUSE: Duration = Duration::from_millis(50);

/// How many pieces of news one message holds at most where all hear the same text: 8 KB of names and carets.
const MOST: usize = 64;

/// How many pieces of news cost as much in one message as one does alone: it is a frame, a system call and a wakeup to
/// whoever hears it, beside which some bytes more are little.
const IN_A_MESSAGE: usize = 8;

/// News about `K`s, of which each is told once with the latest `N`.
#[derive(Debug)]
pub struct Paced<K, N> {
    rate: Rate,
    bucket: Option<Bucket>,
    order: VecDeque<K>,
    waiting: HashMap<K, N>,
}

impl<K: Copy + Eq + Hash, N> Paced<K, N> {
    /// Nothing waits.
    pub fn new(rate: Rate) -> Self {
        Self { rate, bucket: None, order: VecDeque::new(), waiting: HashMap::new() }
    }

    /// Gives the news back if they may be told now to so many `hearers`. Otherwise they wait, in place of older news
    /// about the same.
    pub fn admit(&mut self, about: K, news: N, hearers: usize, now: Instant) -> Option<N> {
        if self.order.is_empty() && self.take(hearers, now) {
            return Some(news);
        }
        if self.waiting.insert(about, news).is_none() {
            self.order.push_back(about);
        }
        None
    }

    /// The news that wait longest, if they may be told now: as many as go into one message. One of many costs an
    /// [`IN_A_MESSAGE`]th of what it costs alone.
    pub fn some(&mut self, hearers: usize, now: Instant) -> Vec<(K, N)> {
        if self.order.is_empty() || !self.take(hearers, now) {
            return Vec::new();
        }
        let many = self.order.len().min(MOST);
        self.charge(hearers * (many - 1) / IN_A_MESSAGE, now);
        let told = self.order.drain(..many);
        told.filter_map(|about| self.waiting.remove(&about).map(|news| (about, news))).collect()
    }

    /// All that waits, if it may be told now in one message.
    pub fn all(&mut self, hearers: usize, now: Instant) -> Vec<N> {
        if self.order.is_empty() || !self.take(hearers, now) {
            return Vec::new();
        }
        self.order.drain(..).filter_map(|about| self.waiting.remove(&about)).collect()
    }

    /// Whether anything waits.
    pub fn is_waiting(&self) -> bool {
        !self.order.is_empty()
    }

    /// So many sessions are told something that does not wait for its turn.
    pub fn charge(&mut self, hearers: usize, now: Instant) {
        self.bucket(now).spend(hearers as f64, now);
    }

    fn take(&mut self, hearers: usize, now: Instant) -> bool {
        self.bucket(now).take_many(hearers as f64, now)
    }

    fn bucket(&mut self, now: Instant) -> &mut Bucket {
        self.bucket.get_or_insert_with(|| Bucket::new(self.rate, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_told_in_order_once_and_as_it_is_then() {
        let start = Instant::now();
        let mut news = Paced::new(Rate { burst: 3.0, per_second: 2.0 });
        assert_eq!(news.admit("ann", 1, 3, start), Some(1));
        assert_eq!(news.admit("bob", 1, 3, start), None);
        assert_eq!(news.admit("ann", 2, 3, start), None);
        assert_eq!(news.admit("bob", 2, 3, start), None);
        assert_eq!(news.some(3, start + Duration::from_millis(1499)), []);
        let later = start + Duration::from_millis(1500);
        assert_eq!(news.some(3, later), [("bob", 2), ("ann", 2)]);
        news.admit("bob", 1, 3, later);
        news.admit("ann", 2, 3, later);
        // While somebody waits nobody overtakes, however little it would cost.
        assert_eq!(news.admit("carl", 1, 0, later), None);
        assert_eq!(news.all(1, later), Vec::<i32>::new());
        assert_eq!(news.all(1, later + Duration::from_millis(500)), [1, 2, 1]);
        assert!(!news.is_waiting());
        assert_eq!(news.admit("carl", 2, 0, later), Some(2));
    }

    #[test]
    fn a_message_holds_only_so_many_and_pays_for_them() {
        let start = Instant::now();
        let mut news = Paced::new(Rate { burst: 100.0, per_second: 100.0 });
        assert_eq!(news.admit(0, 'x', 100, start), Some('x'));
        for about in 1..=2 * MOST {
            assert_eq!(news.admit(about, 'x', 100, start), None);
        }
        let later = start + Duration::from_secs(1);
        assert_eq!(news.some(100, later).len(), MOST);
        let owed = Duration::from_secs_f64((1.0 + (MOST - 1) as f64 / IN_A_MESSAGE as f64) * 0.99);
        assert_eq!(news.some(100, later + owed).len(), 0, "the first message is not paid for");
        assert_eq!(news.some(100, later + owed.mul_f64(1.02)).len(), MOST);
        assert!(!news.is_waiting());
    }
}
