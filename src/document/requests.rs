//! Requests without a connection that wait until their change is durable.
//!
//! Whoever asks over plain HTTP has nothing to do meanwhile, and somebody in between who gives up: so a change that is
//! applied and cannot be stored for a while is answered as not stored yet. It is kept and tried again all the same, and
//! sending it once more does no harm.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{effect::Outcome, error::JoinError};
use crate::ids::SessionId;

/// What a request is told.
pub(super) type Verdict = Result<Outcome, JoinError>;

/// The requests of one document that wait, each as a session of its own.
#[derive(Debug, Default)]
pub(super) struct Requests {
    waiting: HashMap<SessionId, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    answer: oneshot::Sender<Verdict>,
    /// Since when its change is applied, and nothing is missing but that it is stored.
    applied: Option<Instant>,
}

impl Requests {
    /// One more waits; here it will hear.
    pub(super) fn add(&mut self, session: SessionId) -> oneshot::Receiver<Verdict> {
        let (answer, answered) = oneshot::channel();
        self.waiting.insert(session, Waiting { answer, applied: None });
        answered
    }

    /// From now on it waits for the store alone.
    pub(super) fn applied(&mut self, session: SessionId, now: Instant) {
        if let Some(waiting) = self.waiting.get_mut(&session) {
            waiting.applied.get_or_insert(now);
        }
    }

    /// Tells it; false if there is no such request.
    pub(super) fn answer(&mut self, session: SessionId, answer: Verdict) -> bool {
        let Some(waiting) = self.waiting.remove(&session) else { return false };
        // It may have gone away meanwhile; the change is stored all the same.
        let _ = waiting.answer.send(answer);
        true
    }

    /// Those that have waited for the store for longer than `patience`.
    pub(super) fn overdue(&self, patience: Duration, now: Instant) -> Vec<SessionId> {
        let overdue = |waiting: &Waiting| {
            waiting.applied.is_some_and(|applied| now.saturating_duration_since(applied) >= patience)
        };
        self.waiting.iter().filter(|(_, waiting)| overdue(waiting)).map(|(session, _)| *session).collect()
    }

    /// All of them.
    pub(super) fn sessions(&self) -> Vec<SessionId> {
        self.waiting.keys().copied().collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// None of them will be told anything: asking again is up to them.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_waits_for_the_store_alone_is_overdue() {
        let mut requests = Requests::default();
        let (one, two) = (SessionId::new(), SessionId::new());
        let (mut first, _second) = (requests.add(one), requests.add(two));
        let begun = Instant::now();
        let second = Duration::from_secs(1);
        requests.applied(one, begun);
        requests.applied(one, begun + second);
        assert_eq!(requests.overdue(second * 2, begun + second), []);
        assert_eq!(requests.overdue(second * 2, begun + second * 2), [one], "since it was first applied");
        assert!(requests.answer(one, Err(JoinError::Unstored)));
        assert!(matches!(first.try_recv(), Ok(Err(JoinError::Unstored))));
        assert!(!requests.answer(one, Ok(Outcome::Applied)));
        assert_eq!((requests.sessions(), requests.is_empty()), (vec![two], false));
    }
}
