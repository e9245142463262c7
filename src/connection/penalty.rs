//! Who comes back again and again with what was refused is let in more and more slowly.
//!
//! A Yjs client keeps every change of its own and sends it on each connection. If the change was refused, clients
//! of y-websocket up to 3.0 connect again at once and for ever, dozens of times a second. The close code tells the
//! later ones to stop; these are told to wait, before the handshake, where they do back off. What is remembered is
//! the address and the document, so that others from the same house are slowed at most where the trouble is.
//!
//! Pure: the time is given.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::{ids::DocumentName, protocol::close::CloseReason};

/// How hard it is to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Refusals that cost nothing: a bad line, or one attempt more after a mend.
    pub free: u32,
    /// The first wait after those; each further refusal doubles it.
    pub first: Duration,
    /// The longest. An honest person behind the same address waits as long to get into that document.
    pub longest: Duration,
    /// How long a refusal is remembered after the last.
    pub memory: Duration,
    /// Addresses and documents that are remembered; past it, who was longest quiet is forgotten.
    pub entries: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            free: 2,
            first: Duration::from_secs(1),
            longest: Duration::from_secs(60),
            memory: Duration::from_secs(300),
            entries: 10_000,
        }
    }
}

/// What somebody is told who has to wait.
pub fn words(wait: Duration) -> String {
    format!(
        "what was last sent from here into this document was refused, again and again; the server's log says why. Come back \
         in {} s",
        seconds(wait)
    )
}

/// Whole seconds after which somebody who has to wait may come back.
pub fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + 1
}

/// Who was refused lately. Clones share it.
#[derive(Clone, Debug)]
pub struct Penalties {
    config: Config,
    known: Arc<Mutex<HashMap<(IpAddr, DocumentName), Known>>>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    refusals: u32,
    last: Instant,
    until: Instant,
}

impl Penalties {
    /// Nobody was refused yet.
    pub fn new(config: Config) -> Self {
        Self { config, known: Arc::default() }
    }

    /// How long this address has to wait before it may open this document again.
    pub fn wait(&self, address: IpAddr, document: &DocumentName, now: Instant) -> Option<Duration> {
        let known = self.known.lock();
        let known = known.get(&(address, document.clone()))?;
        let left = known.until.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    /// A connection from there ended. Only some ends are somebody's fault.
    pub fn ended(&self, address: IpAddr, document: &DocumentName, reason: CloseReason, now: Instant) {
        let is_fault = matches!(
            reason,
            CloseReason::ProtocolError
                | CloseReason::PolicyViolation
                | CloseReason::TooBig
                | CloseReason::Refused(_)
                | CloseReason::RateLimited
        );
        if !is_fault {
            return;
        }
        let Config { free, first, longest, memory, entries } = self.config;
        let mut known = self.known.lock();
        let is_remembered = |entry: &Known| now.saturating_duration_since(entry.last) < memory;
        let key = (address, document.clone());
        if !known.contains_key(&key) && known.len() >= entries {
            known.retain(|_, entry| is_remembered(entry));
            // Some at once, so that a flood of names does not pay for the search each time.
            if known.len() >= entries {
                let mut ages: Vec<_> = known.values().map(|entry| entry.last).collect();
                let (_, oldest, _) = ages.select_nth_unstable(entries / 8);
                let oldest = *oldest;
                known.retain(|_, entry| entry.last > oldest);
            }
        }
        let entry = known.entry(key).or_insert(Known { refusals: 0, last: now, until: now });
        if !is_remembered(entry) {
            entry.refusals = 0;
        }
        entry.refusals = entry.refusals.saturating_add(1);
        entry.last = now;
        if let Some(beyond) = entry.refusals.checked_sub(free.saturating_add(1)) {
            let wait = first.saturating_mul(1u32.checked_shl(beyond).unwrap_or(u32::MAX)).min(longest);
            entry.until = now + wait;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: CloseReason = CloseReason::Refused("json");

    fn name(n: usize) -> DocumentName {
        DocumentName::parse(&format!("document {n}")).unwrap()
    }

    fn at(n: usize) -> IpAddr {
        IpAddr::from((n as u32).to_be_bytes())
    }

    #[test]
    fn the_wait_grows_and_ends() {
        let penalties = Penalties::new(Config::default());
        let mut now = Instant::now();
        let mut waits = Vec::new();
        for _ in 0..12 {
            penalties.ended(at(1), &name(1), REFUSED, now);
            let wait = penalties.wait(at(1), &name(1), now).unwrap_or_default();
            waits.push(wait.as_secs());
            now += wait;
            assert_eq!(penalties.wait(at(1), &name(1), now), None, "it is over");
        }
        assert_eq!(waits, [0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
        now += Config::default().memory;
        penalties.ended(at(1), &name(1), REFUSED, now);
        assert_eq!(penalties.wait(at(1), &name(1), now), None, "it is forgotten");
    }

    #[test]
    fn nobody_else_waits() {
        let penalties = Penalties::new(Config { free: 0, ..Config::default() });
        let now = Instant::now();
        penalties.ended(at(1), &name(1), REFUSED, now);
        assert!(penalties.wait(at(1), &name(1), now).is_some());
        assert_eq!(penalties.wait(at(1), &name(2), now), None);
        assert_eq!(penalties.wait(at(2), &name(1), now), None);
        for reason in [CloseReason::Normal, CloseReason::Reset, CloseReason::Gone, CloseReason::TryAgainLater]
        {
            penalties.ended(at(3), &name(3), reason, now);
        }
        assert_eq!(penalties.wait(at(3), &name(3), now), None);
    }

    #[test]
    fn not_more_than_so_many_are_remembered_and_the_latest_are() {
        let config = Config { free: 0, entries: 100, ..Config::default() };
        let penalties = Penalties::new(config);
        let start = Instant::now();
        for n in 0..1000 {
            let now = start + Duration::from_millis(n as u64);
            penalties.ended(at(n), &name(n), REFUSED, now);
            assert!(penalties.known.lock().len() <= config.entries);
            assert!(penalties.wait(at(n), &name(n), now).is_some());
        }
    }
}
