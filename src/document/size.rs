//! How large a document is, as far as it takes to say when it is full.
//!
//! To know it, all of it has to be encoded; so it is estimated from what came in since it was last known, which is
//! never less, and looked at again only where the estimate says that there is no more room. Pure: the time is given.

use std::time::{Duration, Instant};

/// After a look that found no room, the next one: by then something may have been deleted.
const PAUSE: Duration = Duration::from_secs(5);

/// An estimate that is never too small.
#[derive(Debug)]
pub struct Size {
    limit: usize,
    known: usize,
    since: usize,
    looked: Option<Instant>,
}

impl Size {
    /// Of a document that may have `limit` bytes, and has none.
    pub fn new(limit: usize) -> Self {
        Self { limit, known: 0, since: 0, looked: None }
    }

    /// It has so many, or fewer.
    pub fn set(&mut self, bytes: usize) {
        (self.known, self.since, self.looked) = (bytes, 0, None);
    }

    /// So many bytes were added.
    pub fn grew(&mut self, bytes: usize) {
        self.since = self.since.saturating_add(bytes);
    }

    /// Whether it may have more than `bytes`.
    pub fn may_exceed(&self, bytes: usize) -> bool {
        self.known.saturating_add(self.since) > bytes
    }

    /// Whether there is room for so many more. `look` finds out how many there are.
    pub fn has_room(&mut self, more: usize, now: Instant, look: impl FnOnce() -> Option<usize>) -> bool {
        if self.fits(more) {
            return true;
        }
        if self.is_time_to_look(now)
            && let Some(bytes) = look()
        {
            (self.known, self.since, self.looked) = (bytes, 0, Some(now));
        }
        self.fits(more)
    }

    /// Whether [`Self::has_room`] would look.
    pub fn looks(&self, more: usize, now: Instant) -> bool {
        !self.fits(more) && self.is_time_to_look(now)
    }

    fn is_time_to_look(&self, now: Instant) -> bool {
        let much = self.since >= self.limit / 16;
        much || self.looked.is_none_or(|looked| now.saturating_duration_since(looked) >= PAUSE)
    }

    fn fits(&self, more: usize) -> bool {
        self.known.saturating_add(self.since).saturating_add(more) <= self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_document_is_looked_at_now_and_then() {
        let mut size = Size::new(1600);
        let start = Instant::now();
        size.set(1000);
        assert!(size.has_room(600, start, || unreachable!("it fits")));
        size.grew(600);
        assert!(size.has_room(100, start, || Some(1200)), "what came in takes less than it took to say");
        size.grew(50);
        assert!(!size.has_room(400, start, || unreachable!("that was looked at just now")));
        assert!(!size.has_room(400, start + PAUSE, || Some(1250)));
        assert!(size.has_room(400, start + 2 * PAUSE, || Some(900)), "something was deleted");
    }
}
