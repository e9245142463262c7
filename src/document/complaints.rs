//! What is refused, in the log: once a minute for each document, however often it is tried.
//!
//! A client that is refused tries again, some of them many times a second. The first line says what was refused and
//! why, the next one, a minute later, how often it was since.

use std::{
    collections::HashMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tracing::warn;

use crate::ids::DocumentName;

/// Between two lines about one document.
const PAUSE: Duration = Duration::from_secs(60);

/// Documents that are remembered. With more that are refused something within a minute, some are named again sooner.
const REMEMBERED: usize = 4096;

/// Whether a line is due. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Complaints(Arc<Mutex<HashMap<DocumentName, Noted>>>);

#[derive(Debug)]
struct Noted {
    at: Instant,
    /// Refusals since then.
    since: u64,
}

impl Complaints {
    /// Says that something was refused in `document`, unless that was said just now.
    pub(super) fn note(&self, document: &DocumentName, what: &str, why: impl fmt::Display, now: Instant) {
        if let Some(earlier) = self.due(document, now) {
            warn!(%document, what, %why, earlier, "refused");
        }
    }

    /// How many went by without a line, if one is due.
    fn due(&self, document: &DocumentName, now: Instant) -> Option<u64> {
        let mut noted = self.0.lock();
        if let Some(known) = noted.get_mut(document) {
            if now.saturating_duration_since(known.at) < PAUSE {
                known.since += 1;
                return None;
            }
            known.at = now;
            return Some(std::mem::take(&mut known.since));
        }
        if noted.len() >= REMEMBERED {
            noted.retain(|_, known| now.saturating_duration_since(known.at) < PAUSE);
            if noted.len() >= REMEMBERED {
                noted.clear();
            }
        }
        noted.insert(document.clone(), Noted { at: now, since: 0 });
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_a_minute_for_each_document() {
        let complaints = Complaints::default();
        let [a, b] = ["a", "b"].map(|name| DocumentName::parse(name).unwrap());
        let start = Instant::now();
        let due = |name, seconds| complaints.due(name, start + Duration::from_secs(seconds));
        assert_eq!([due(&a, 0), due(&a, 1), due(&b, 1), due(&a, 59)], [Some(0), None, Some(0), None]);
        assert_eq!([due(&a, 60), due(&a, 61), due(&a, 120)], [Some(2), None, Some(1)]);
    }

    #[test]
    fn not_more_than_so_many_documents_are_remembered() {
        let complaints = Complaints::default();
        let now = Instant::now();
        for n in 0..2 * REMEMBERED + 1 {
            let name = DocumentName::parse(&format!("document {n}")).unwrap();
            assert_eq!(complaints.due(&name, now), Some(0));
            assert!(complaints.0.lock().len() <= REMEMBERED);
        }
    }
}
