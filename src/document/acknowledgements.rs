//! What a document owes to those who wrote: an answer to each of their updates, in order, and not before everything
//! that was applied up to then is durable. Pure.

use std::collections::VecDeque;

use super::journal::{Journal, Ticket};

/// Answers that wait for the journal, oldest first.
#[derive(Debug)]
pub struct Acknowledgements<T>(VecDeque<(Ticket, T)>);

impl<T> Default for Acknowledgements<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> Acknowledgements<T> {
    /// An answer that is due once everything in the journal now is durable. That covers an update which brought
    /// nothing new: what it repeats may itself not be durable yet.
    pub fn owe(&mut self, answer: T, journal: &Journal) -> Ticket {
        let ticket = journal.last();
        self.0.push_back((ticket, answer));
        ticket
    }

    /// The next answer that may be given.
    pub fn due(&mut self, journal: &Journal) -> Option<T> {
        let (ticket, _) = self.0.front()?;
        if *ticket > journal.watermark() {
            return None;
        }
        self.0.pop_front().map(|(_, answer)| answer)
    }

    /// Whether somebody waits.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Nobody waits any more: the content that was written to is gone.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
