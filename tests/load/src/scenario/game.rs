//! A game: everybody in one document shows where they are, thirty times a second, and nothing is edited.

use std::time::Duration;

use anyhow::{Result, ensure};
use hdrhistogram::Histogram;

use super::fanout::{Pace, keep_pace, until_quiet};
use super::{Outcome, Stretch, Target};
use crate::crowd::Faults;
use crate::dialect::Door;
use crate::fleet::{Driver, Event, Fleet, Id, Outgoing};
use crate::wire::{self, EMPTY_UPDATE, EMPTY_VECTOR, Message, Sync};

/// How many, and how often.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Game {
    /// People in the document
    #[arg(long, default_value_t = 50)]
    pub(crate) people: usize,
    /// States that each shows in a second
    #[arg(long, default_value_t = 30.0)]
    pub(crate) rate: f64,
    /// Seconds that are measured, after one that is not
    #[arg(long, default_value_t = 5.0)]
    pub(crate) seconds: f64,
}

/// Server CPU per state that reached somebody, and how old it was then. A server may leave out a state when a newer one
/// of the same person follows: what share arrived stands beside. The last state of each must reach everybody.
pub(crate) fn game(target: &Target, plan: &Game) -> Result<Outcome> {
    let (mut fleet, mut players) = (Fleet::new()?, Players::new(target.new_documents()(0), plan.people)?);
    for _ in 0..plan.people {
        fleet.connect(&players.door.url)?;
    }
    fleet.turn_until(&mut players, Duration::from_secs(60), "the first sync", |players| {
        !players.faults.closed.is_empty() || players.is_in.iter().all(|is_in| *is_in)
    })?;
    ensure!(players.faults.closed.is_empty(), "while connecting: {}", players.faults);
    let mut pace = Pace::new(plan.people, plan.rate, fleet.now());
    keep_pace(&mut fleet, &mut players, &mut pace, Duration::from_secs(1), Players::moves)?;

    let mut outcome = Outcome::default();
    let (shown, delivered, stretch) = (players.shown(), players.delivered, Stretch::begin(target)?);
    players.measure_from = fleet.now();
    let length = Duration::from_secs_f64(plan.seconds);
    keep_pace(&mut fleet, &mut players, &mut pace, length, Players::moves)?;
    let (seconds, server) = stretch.end(&mut outcome)?;
    let delivered = (players.delivered - delivered) as f64;
    let due = ((players.shown() - shown) * (plan.people - 1)) as f64;

    until_quiet(&mut fleet, &mut players, |players| players.delivered, Players::missing)?;
    players.faults.lost = players.missing();
    outcome.set("states delivered/s", delivered / seconds);
    outcome.set("states delivered %", 100.0 * players.latency.len() as f64 / due);
    if let Some(server) = server {
        outcome.set("server CPU µs/state", 1e6 * server / delivered);
    }
    outcome.set_latency(&players.latency);
    outcome.faults = players.faults;
    Ok(outcome)
}

/// The client id of the first.
const FIRST: u64 = 2_000_003;

/// The people. What each shows is fixed by person and clock, so every reader can check it.
struct Players {
    door: Door,
    is_in: Vec<bool>,
    /// When each state was due: of clock 1 first.
    shown_at: Vec<Vec<u64>>,
    /// For each pair of a reader and a person the newest clock that has come.
    heard: Vec<u64>,
    delivered: u64,
    measure_from: u64,
    latency: Histogram<u64>,
    faults: Faults,
}

impl Players {
    fn new(door: Door, people: usize) -> Result<Self> {
        Ok(Self {
            door,
            is_in: vec![false; people],
            shown_at: vec![Vec::new(); people],
            heard: vec![0; people * people],
            delivered: 0,
            measure_from: u64::MAX,
            latency: Histogram::new_with_max(60_000_000_000, 3)?,
            faults: Faults::default(),
        })
    }

    /// Lets somebody show where they were at `due`.
    fn moves(&mut self, who: usize, due: u64, outgoing: &mut Outgoing) {
        self.shown_at[who].push(due);
        let clock = self.shown_at[who].len() as u64;
        outgoing.send(who, &self.door.awareness(FIRST + who as u64, clock, &state(who, clock)));
    }

    /// States shown by all so far.
    fn shown(&self) -> usize {
        self.shown_at.iter().map(Vec::len).sum()
    }

    /// How many last states have not reached how many others.
    fn missing(&self) -> u64 {
        let people = self.is_in.len();
        let lacks = |&(reader, who): &(usize, usize)| {
            reader != who && self.heard[reader * people + who] < self.shown_at[who].len() as u64
        };
        let pairs = (0..people).flat_map(|reader| (0..people).map(move |who| (reader, who)));
        pairs.filter(lacks).count() as u64
    }

    fn sees(&mut self, reader: Id, client: u64, clock: u64, shown: &str, now: u64) {
        let people = self.is_in.len();
        let Some(who) = client.checked_sub(FIRST).map(|who| who as usize).filter(|who| *who < people) else {
            self.faults.foreign += 1;
            return;
        };
        if reader == who {
            return; // servers that send everybody everything
        }
        if clock == 0 || clock > self.shown_at[who].len() as u64 || shown != state(who, clock) {
            self.faults.corrupted += 1;
            return;
        }
        let heard = &mut self.heard[reader * people + who];
        if clock < *heard {
            self.faults.reordered += 1;
        }
        if clock > *heard {
            *heard = clock;
            self.delivered += 1;
            let due = self.shown_at[who][clock as usize - 1];
            if due >= self.measure_from {
                self.latency.saturating_record(now.saturating_sub(due));
            }
        }
    }
}

/// Where somebody is at a time, as JSON without a space, which is how JavaScript writes it, too.
fn state(who: usize, clock: u64) -> String {
    format!("{{\"player\":{who},\"x\":{},\"y\":{}}}", clock * 7 % 1920, clock * 11 % 1080)
}

impl Driver for Players {
    fn on(&mut self, id: Id, event: Event<'_>, now: u64, outgoing: &mut Outgoing) {
        let door = self.door.clone();
        let frame = match event {
            Event::Open => {
                return door.greeting(EMPTY_VECTOR).iter().for_each(|frame| outgoing.send(id, frame));
            }
            Event::Closed(reason) => return self.faults.closed.push(format!("player {id}: {reason}")),
            Event::Message(frame) => frame,
        };
        let mut outcome = Ok(());
        let read = door.each_message(frame, |message| match message {
            Message::Step1(_) => outgoing.send(id, &door.sync(Sync::Step2, EMPTY_UPDATE)),
            Message::Step2(_) => self.is_in[id] = true,
            Message::Awareness(body) => {
                outcome =
                    wire::each_state(body, |client, clock, shown| self.sees(id, client, clock, shown, now));
            }
            Message::Denied(reason) => outcome = Err(anyhow::anyhow!("denied: {reason}")),
            Message::Update(_) | Message::Status(_) | Message::Other => (),
        });
        if let Err(error) = read.and(outcome) {
            self.faults.undecodable.push(format!("player {id}: {error:#}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;

    #[test]
    fn a_state_is_delivered_once_a_newer_one_stands_for_it_and_an_older_one_is_a_fault() {
        let mut players =
            Players::new(Door::new(Dialect::YWebsocket, "ws://x/doc".into(), "doc"), 3).unwrap();
        let mut outgoing = Outgoing::nowhere(3);
        players.measure_from = 20;
        for due in [10, 20, 30] {
            players.moves(0, due, &mut outgoing);
        }
        assert_eq!(players.missing(), 2, "the last of one person, for two");
        let shown = |reader, clock, players: &mut Players| {
            players.sees(reader, FIRST, clock, &state(0, clock), 34);
        };
        shown(1, 1, &mut players);
        shown(1, 3, &mut players);
        shown(1, 3, &mut players);
        shown(0, 2, &mut players);
        assert_eq!((players.delivered, players.missing()), (2, 1));
        assert_eq!((players.latency.len(), players.latency.max()), (1, 4), "measured from 20 on");
        assert!(players.faults.is_clean(), "{}", players.faults);
        shown(1, 2, &mut players);
        players.sees(2, FIRST, 3, "{}", 34);
        players.sees(2, FIRST, 4, &state(0, 4), 34);
        players.sees(2, FIRST + 3, 1, &state(3, 1), 34);
        let Faults { reordered, corrupted, foreign, .. } = players.faults;
        assert_eq!((reordered, corrupted, foreign), (1, 2, 1));
    }
}
