//! Whether the peer still lives, and whether it has heard from us lately.
//!
//! Two questions, because browsers cannot see WebSocket pings: *we* learn from pongs that the peer is there;
//! the *client* wants an application message at least every 30 s, or it closes. Pure: looked at on every
//! tick, told what was heard.

use std::time::{Duration, Instant};

/// The pace.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// How often the heartbeat looks. A connection that got nothing during one interval gets a keepalive, so
    /// that it is never silent for two: below half of the 20 s that we promise, while clients allow 30 s.
    pub interval: Duration,
    /// A peer that has not been heard for this long is pinged.
    pub ping_after: Duration,
    /// A ping must be answered, by anything at all, within this time.
    pub pong_within: Duration,
    /// The same for a ping that was sent because somebody else claims to be this client: short, because that
    /// somebody is most likely this client, back on a new socket.
    pub probe_within: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(9),
            ping_after: Duration::from_secs(25),
            pong_within: Duration::from_secs(30),
            probe_within: Duration::from_secs(4),
        }
    }
}

impl Config {
    /// For a peer that wants to hear from us at least this often: it takes silence for a dead line.
    pub fn heard_every(self, longest: Duration) -> Self {
        Self { interval: self.interval.min(longest / 2), ..self }
    }
}

/// Where a connection stands.
#[derive(Debug)]
pub struct Heartbeat {
    config: Config,
    heard: Instant,
    /// Set while a ping waits for its answer: the moment at which the peer is given up.
    deadline: Option<Instant>,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beat {
    /// Send a message of the application that says nothing.
    pub keepalive: bool,
    /// Send a ping.
    pub ping: bool,
    /// Give the peer up.
    pub dead: bool,
}

impl Heartbeat {
    /// A connection that has just been heard.
    pub fn new(config: Config, now: Instant) -> Self {
        Self { config, heard: now, deadline: None }
    }

    /// Something came from the peer.
    pub fn heard(&mut self, now: Instant) {
        self.heard = now;
        self.deadline = None;
    }

    /// For so long nobody listened, because a document had something else to do: the peer is not to blame for its silence.
    pub fn held_up(&mut self, time: Duration) {
        self.heard += time;
        if let Some(deadline) = &mut self.deadline {
            *deadline += time;
        }
    }

    /// An interval is over, during which something was or was not sent.
    pub fn tick(&mut self, sent: bool, now: Instant) -> Beat {
        let mut beat = Beat { keepalive: !sent, ..Beat::default() };
        match self.deadline {
            Some(deadline) => beat.dead = now >= deadline,
            None if now.saturating_duration_since(self.heard) >= self.config.ping_after => {
                beat.ping = true;
                self.deadline = Some(now + self.config.pong_within);
            }
            None => {}
        }
        beat
    }

    /// The peer must prove quickly that it lives. Send a ping now.
    pub fn probe(&mut self, now: Instant) {
        let deadline = now + self.config.probe_within;
        self.deadline = Some(self.deadline.map_or(deadline, |known| known.min(deadline)));
    }

    /// When to look next, at the latest.
    pub fn next(&self, now: Instant) -> Instant {
        let regular = now + self.config.interval;
        self.deadline.map_or(regular, |deadline| deadline.min(regular).max(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn quiet_for(heartbeat: &mut Heartbeat, start: Instant, seconds: u32) -> Vec<(u32, Beat)> {
        (10..=seconds)
            .step_by(10)
            .map(|second| (second, heartbeat.tick(true, start + second * SECOND)))
            .filter(|(_, beat)| *beat != Beat::default())
            .collect()
    }

    #[test]
    fn a_silent_peer_is_pinged_and_then_given_up() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(Config::default(), start);
        let beats = quiet_for(&mut heartbeat, start, 60);
        let ping = Beat { ping: true, ..Beat::default() };
        let dead = Beat { dead: true, ..Beat::default() };
        assert_eq!(beats, [(30, ping), (60, dead)]);
    }

    #[test]
    fn an_answer_of_any_kind_starts_it_anew() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(Config::default(), start);
        assert!(heartbeat.tick(true, start + 30 * SECOND).ping);
        heartbeat.heard(start + 31 * SECOND);
        assert_eq!(heartbeat.tick(true, start + 50 * SECOND), Beat::default());
        assert!(heartbeat.tick(true, start + 60 * SECOND).ping);
    }

    #[test]
    fn silence_while_nobody_listened_is_nobodys_fault() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(Config::default(), start);
        assert!(heartbeat.tick(true, start + 30 * SECOND).ping);
        heartbeat.held_up(40 * SECOND);
        assert_eq!(heartbeat.tick(true, start + 72 * SECOND), Beat::default(), "its answer may lie there");
        assert!(heartbeat.tick(true, start + 101 * SECOND).dead);
    }

    #[test]
    fn a_client_that_got_nothing_gets_a_keepalive() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(Config::default(), start);
        assert!(heartbeat.tick(false, start + 10 * SECOND).keepalive);
        assert!(!heartbeat.tick(true, start + 20 * SECOND).keepalive);
    }

    #[test]
    fn a_probe_shortens_the_wait_and_never_lengthens_it() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(Config::default(), start);
        heartbeat.probe(start + SECOND);
        assert_eq!(heartbeat.next(start + SECOND), start + 5 * SECOND);
        heartbeat.probe(start + 3 * SECOND);
        assert!(heartbeat.tick(true, start + 5 * SECOND).dead);
    }
}
