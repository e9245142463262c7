//! A first sync over a thin line, by a client with the patience of the npm package y-websocket.

use std::collections::BTreeMap;
use std::net::ToSocketAddrs as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::{Outcome, Target};
use crate::dialect::Door;
use crate::fleet::{Driver, Event, Fleet, Id, Outgoing};
use crate::ranges::Track;
use crate::replica;
use crate::thin_line::ThinLine;
use crate::wire::{self, EMPTY_UPDATE, Message, Sync};

/// How large, and how thin.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Thin {
    /// Bytes of text in the document
    #[arg(long, default_value_t = 48_000_000)]
    pub(crate) bytes: usize,
    /// Bytes a second of the line
    #[arg(long, default_value_t = 1.3e6)]
    pub(crate) rate: f64,
    /// Seconds after which it counts as never arriving
    #[arg(long, default_value_t = 120.0)]
    pub(crate) limit: f64,
}

/// Seconds until a newcomer has every letter and is told so, and how many connections that took.
pub(crate) fn thin(target: &Target, plan: &Thin) -> Result<Outcome> {
    let mut door = target.new_documents()(0);
    let state = replica::text_state(plan.bytes);
    replica::upload(&door, &state)?;
    let authority = door
        .url
        .strip_prefix("ws://")
        .and_then(|rest| rest.split('/').next())
        .context("an address")?
        .to_owned();
    let server = authority.to_socket_addrs()?.next().context("the server has no address")?;
    let line = ThinLine::start(server, plan.rate)?;
    door.url = door.url.replacen(&authority, &line.address().to_string(), 1);

    let (mut fleet, mut reader) = (Fleet::new()?, Reader::new(door.clone(), replica::vector_of(&state)?));
    let (begun, limit) = (Instant::now(), Duration::from_secs_f64(plan.limit));
    fleet.connect(&door.url)?;
    let mut connections = 1;
    while !reader.has_all() {
        ensure!(
            begun.elapsed() < limit,
            "it does not arrive: {:.1} of {:.1} MB after {:.0} s and {connections} connections{}",
            reader.letters() as f64 / 1e6,
            plan.bytes as f64 / 1e6,
            plan.limit,
            reader.broken.as_ref().map(|why| format!(", the last ended: {why}")).unwrap_or_default(),
        );
        fleet.turn(&mut reader, Duration::from_millis(50))?;
        if reader.patience.gives_up(begun.elapsed()) {
            fleet.drop_socket(0);
            reader.breaks("nothing was heard for 30 s".into());
        }
        if !reader.is_back {
            fleet.turn(&mut reader, BACK_AFTER)?;
            reader.comes_back(begun.elapsed());
            fleet.reconnect(0, &door.url)?;
            connections += 1;
        }
        reader.now = begun.elapsed();
        if reader.is_presence_due() {
            reader.show_presence(0, fleet.outgoing());
        }
    }
    let mut outcome = Outcome::default();
    outcome.set("s until all is there", begun.elapsed().as_secs_f64());
    outcome.set("connections", f64::from(connections));
    if replica::text_of(reader.updates.iter().map(Vec::as_slice))?.len() != plan.bytes {
        outcome.faults.diverged.push("the newcomer's text is not the document's".into());
    }
    Ok(outcome)
}

/// How soon the provider connects again after a connection that had been open.
const BACK_AFTER: Duration = Duration::from_millis(100);

/// When y-websocket 3.1 takes a line for dead: when no *message* came for 30 s, looked at every 3 s. Bytes of a message
/// whose end is not there yet do not count, nor do pings, which a browser does not show to a page.
struct Patience {
    heard: Duration,
    looks: Duration,
}

impl Patience {
    const SILENCE: Duration = Duration::from_secs(30);
    const LOOK: Duration = Duration::from_secs(3);

    fn new(now: Duration) -> Self {
        Self { heard: now, looks: now + Self::LOOK }
    }

    fn gives_up(&mut self, now: Duration) -> bool {
        if now < self.looks {
            return false;
        }
        self.looks += Self::LOOK;
        now.saturating_sub(self.heard) > Self::SILENCE
    }
}

/// The newcomer: what came over earlier connections is kept, and the next step 1 says so.
struct Reader {
    door: Door,
    expected: Vec<(u64, u32)>,
    tracks: BTreeMap<u64, Track>,
    updates: Vec<Vec<u8>>,
    /// Whether this connection has brought its step 2.
    is_synced: bool,
    patience: Patience,
    now: Duration,
    /// When its presence was last sent, and how often: its clock.
    presence: (Duration, u64),
    /// Why the connection ended, the last that did.
    broken: Option<String>,
    /// Whether there is another since.
    is_back: bool,
}

impl Reader {
    fn new(door: Door, expected: Vec<(u64, u32)>) -> Self {
        Self {
            door,
            expected,
            tracks: BTreeMap::new(),
            updates: Vec::new(),
            is_synced: false,
            patience: Patience::new(Duration::ZERO),
            now: Duration::ZERO,
            presence: (Duration::ZERO, 0),
            broken: None,
            is_back: true,
        }
    }

    fn has_all(&self) -> bool {
        let has = |(client, clock): &(u64, u32)| {
            self.tracks.get(client).is_some_and(|track| track.next() >= *clock)
        };
        self.is_synced && self.expected.iter().all(has)
    }

    fn letters(&self) -> u64 {
        self.tracks.values().map(|track| u64::from(track.next())).sum()
    }

    fn comes_back(&mut self, now: Duration) {
        self.is_back = true;
        self.is_synced = false;
        self.now = now;
        self.patience = Patience::new(now);
    }

    fn vector(&self) -> Vec<u8> {
        let mut vector = Vec::new();
        wire::write_uint(&mut vector, self.tracks.len() as u64);
        for (client, track) in &self.tracks {
            wire::write_uint(&mut vector, *client);
            wire::write_uint(&mut vector, u64::from(track.next()));
        }
        vector
    }

    /// Awareness says that it is alive every 15 s.
    fn is_presence_due(&self) -> bool {
        self.presence.1 > 0 && self.now - self.presence.0 >= Duration::from_secs(15)
    }

    fn show_presence(&mut self, id: Id, outgoing: &mut Outgoing) {
        self.presence = (self.now, self.presence.1 + 1);
        outgoing.send(id, &self.door.awareness(4_000_037, self.presence.1, "{}"));
    }

    fn take(&mut self, update: &[u8]) -> Result<()> {
        self.updates.push(update.to_vec());
        wire::each_run(update, |run| {
            self.tracks.entry(run.client).or_default().receive(run.clock, run.clock + run.len, |_, _| ());
        })
    }

    fn breaks(&mut self, reason: String) {
        self.broken = Some(reason);
        self.is_back = false;
    }
}

impl Driver for Reader {
    fn on(&mut self, id: Id, event: Event<'_>, _now: u64, outgoing: &mut Outgoing) {
        let frame = match event {
            Event::Open => {
                let greeting = self.door.greeting(&self.vector());
                greeting.iter().for_each(|frame| outgoing.send(id, frame));
                return self.show_presence(id, outgoing);
            }
            Event::Closed(reason) => return self.breaks(reason),
            Event::Message(frame) => frame,
        };
        self.patience.heard = self.now;
        let (door, mut outcome) = (self.door.clone(), Ok(()));
        let read = door.each_message(frame, |message| match message {
            Message::Step1(_) => outgoing.send(id, &door.sync(Sync::Step2, EMPTY_UPDATE)),
            Message::Step2(update) => {
                self.is_synced = true;
                outcome = self.take(update);
            }
            Message::Update(update) => outcome = self.take(update),
            Message::Denied(reason) => outcome = Err(anyhow::anyhow!("denied: {reason}")),
            Message::Status(_) | Message::Awareness(_) | Message::Other => (),
        });
        if let Err(error) = read.and(outcome) {
            self.breaks(format!("{error:#}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;

    #[test]
    fn patience_ends_at_the_look_after_thirty_seconds_without_a_message() {
        let second = Duration::from_secs;
        let mut patience = Patience::new(second(0));
        let gave_up = (1..=100).find(|now| patience.gives_up(second(*now)));
        assert_eq!(gave_up, Some(33), "30 s are not yet more than 30 s");
        let mut patience = Patience::new(second(0));
        patience.heard = second(20);
        assert_eq!((1..=100).find(|now| patience.gives_up(second(*now))), Some(51));
    }

    #[test]
    fn a_reader_who_comes_back_says_what_it_has_and_is_content_with_all_and_a_step_2() {
        let door = Door::new(Dialect::YWebsocket, "ws://x/doc".into(), "doc");
        let mut reader = Reader::new(door.clone(), vec![(1, 4)]);
        let mut outgoing = Outgoing::nowhere(1);
        let mut piece = |clock, text| {
            let mut update = Vec::new();
            wire::write_append(&mut update, 1, clock, text);
            let frame = door.sync(Sync::Update, &update);
            reader.on(0, Event::Message(&frame), 0, &mut outgoing);
            (reader.has_all(), reader.vector())
        };
        assert_eq!(piece(0, "ab"), (false, vec![1, 1, 2]));
        assert_eq!(
            piece(2, "cd"),
            (false, vec![1, 1, 4]),
            "there may be more until it is told that this was all"
        );
        reader.on(0, Event::Message(&door.sync(Sync::Step2, EMPTY_UPDATE)), 0, &mut outgoing);
        assert!(reader.has_all());
        reader.on(0, Event::Closed("gone".into()), 0, &mut outgoing);
        reader.comes_back(Duration::from_secs(9));
        assert!(!reader.has_all(), "a new connection owes a step 2 of its own");
    }
}
