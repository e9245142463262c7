//! Sensors: programs that set a key of a map over and over by plain HTTP, and people who watch.
//!
//! Weft's JSON dialect edits text alone, so a program sets a key by `POST …/updates`, with an update made by yrs.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hdrhistogram::Histogram;
use yrs::updates::decoder::Decode as _;
use yrs::{Any, Doc, Map as _, MapRef, Options, Out, Transact as _, Update};

use super::fanout::{Pace, keep_pace, until_quiet};
use super::{Outcome, Stretch, Target};
use crate::crowd::Faults;
use crate::dialect::Door;
use crate::fleet::{Driver, Event, Fleet, Id, Outgoing};
use crate::posting::Poster;
use crate::ranges::Track;
use crate::wire::{self, EMPTY_UPDATE, EMPTY_VECTOR, Message, Sync};

/// How many, and how often.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Sensors {
    /// Programs, each with a key of its own
    #[arg(long, default_value_t = 100)]
    pub(crate) sensors: usize,
    /// People who watch
    #[arg(long, default_value_t = 50)]
    pub(crate) watchers: usize,
    /// Times a second that each program sets its key
    #[arg(long, default_value_t = 10.0)]
    pub(crate) rate: f64,
    /// Seconds that are measured, after one that is not
    #[arg(long, default_value_t = 5.0)]
    pub(crate) seconds: f64,
}

/// Server CPU per value that reached somebody who watches, the requests included, and how old it was then.
pub(crate) fn sensors(target: &Target, plan: &Sensors) -> Result<Outcome> {
    let door = target.new_documents()(0);
    let mut fleet = Fleet::new()?;
    let mut room = Room::new(&door, plan.sensors, plan.watchers)?;
    for _ in 0..plan.watchers {
        fleet.connect(&door.url)?;
    }
    fleet.turn_until(&mut room, Duration::from_secs(60), "the first sync", |room| {
        !room.faults.closed.is_empty() || room.is_in.iter().all(|is_in| *is_in)
    })?;
    ensure!(room.faults.closed.is_empty(), "while connecting: {}", room.faults);
    let mut pace = Pace::new(plan.sensors, plan.rate, fleet.now());
    keep_pace(&mut fleet, &mut room, &mut pace, Duration::from_secs(1), Room::measures)?;

    let mut outcome = Outcome::default();
    let (delivered, stretch) = (room.delivered, Stretch::begin(target)?);
    room.measure_from = fleet.now();
    keep_pace(&mut fleet, &mut room, &mut pace, Duration::from_secs_f64(plan.seconds), Room::measures)?;
    let (seconds, server) = stretch.end(&mut outcome)?;
    let delivered = (room.delivered - delivered) as f64;

    until_quiet(&mut fleet, &mut room, |room| room.delivered, Room::missing)?;
    room.faults.lost = room.missing();
    room.hear_answers(Duration::from_secs(10));
    room.check_values()?;
    outcome.set("deliveries/s", delivered / seconds);
    if let Some(server) = server {
        outcome.set("server CPU µs/delivery", 1e6 * server / delivered);
    }
    outcome.set_latency(&room.latency);
    outcome.faults = room.faults;
    Ok(outcome)
}

/// The client id of the first sensor.
const FIRST: u64 = 3_000_017;

/// The name of the shared map.
const MAP: &str = "sensors";

/// A program that has one key: it sets it to 1, 2, 3, …
struct Sensor {
    doc: Doc,
    map: MapRef,
    key: String,
    /// When each value was due.
    set_at: Vec<u64>,
}

impl Sensor {
    fn new(number: usize) -> Self {
        let client_id = yrs::block::ClientID::new(FIRST + number as u64);
        let doc = Doc::with_options(Options { client_id, ..Options::default() });
        let map = doc.get_or_insert_map(MAP);
        Self { doc, map, key: key(number), set_at: Vec::new() }
    }

    /// Sets the key to the next value, and returns the update.
    fn set(&mut self, due: u64) -> Vec<u8> {
        self.set_at.push(due);
        let mut transaction = self.doc.transact_mut();
        self.map.insert(&mut transaction, self.key.clone(), self.set_at.len() as f64);
        transaction.encode_update_v1()
    }
}

fn key(number: usize) -> String {
    format!("sensor-{number}")
}

/// The programs, and the people who watch.
struct Room {
    door: Door,
    sensors: Vec<Sensor>,
    posters: Vec<Poster>,
    is_in: Vec<bool>,
    /// One for each pair of somebody who watches and a sensor.
    tracks: Vec<Track>,
    /// What the first who watches received.
    kept: Vec<Vec<u8>>,
    delivered: u64,
    measure_from: u64,
    latency: Histogram<u64>,
    faults: Faults,
}

impl Room {
    fn new(door: &Door, sensors: usize, watchers: usize) -> Result<Self> {
        let address =
            door.url.strip_prefix("ws://").and_then(|rest| rest.split('/').next()).context("an address")?;
        let path = format!("/api/v1/documents/{}/updates", door.document);
        Ok(Self {
            door: door.clone(),
            sensors: (0..sensors).map(Sensor::new).collect(),
            posters: (0..sensors).map(|_| Poster::connect(address, &path)).collect::<Result<_>>()?,
            is_in: vec![false; watchers],
            tracks: vec![Track::default(); sensors * watchers],
            kept: Vec::new(),
            delivered: 0,
            measure_from: u64::MAX,
            latency: Histogram::new_with_max(60_000_000_000, 3)?,
            faults: Faults::default(),
        })
    }

    /// Lets a sensor say what it measured at `due`.
    fn measures(&mut self, sensor: usize, due: u64, _outgoing: &mut Outgoing) {
        let update = self.sensors[sensor].set(due);
        if let Err(error) = self.posters[sensor].post(&update) {
            self.faults.closed.push(format!("sensor {sensor}: {error:#}"));
        }
    }

    /// How many values have not reached how many of those who watch.
    fn missing(&self) -> u64 {
        let set: u64 = self.sensors.iter().map(|sensor| sensor.set_at.len() as u64).sum();
        set * self.is_in.len() as u64 - self.delivered
    }

    /// Reads the last answers. What is not answered then counts as a fault.
    fn hear_answers(&mut self, patience: Duration) {
        for (number, poster) in self.posters.iter_mut().enumerate() {
            match poster.finish(patience) {
                Ok(unanswered) => self.faults.unanswered += unanswered,
                Err(error) => self.faults.closed.push(format!("sensor {number}: {error:#}")),
            }
        }
    }

    /// Whether the first who watches sees every key at its last value.
    fn check_values(&mut self) -> Result<()> {
        let doc = Doc::new();
        let map = doc.get_or_insert_map(MAP);
        for update in &self.kept {
            doc.transact_mut().apply_update(Update::decode_v1(update)?).context("apply an update")?;
        }
        let transaction = doc.transact();
        for (number, sensor) in self.sensors.iter().enumerate() {
            let (last, seen) = (sensor.set_at.len() as f64, map.get(&transaction, &key(number)));
            if !matches!(&seen, Some(Out::Any(Any::Number(value))) if value.as_f64() == Some(last)) {
                self.faults.diverged.push(format!("{} is {seen:?}, not {last}", key(number)));
            }
        }
        Ok(())
    }

    fn receive(&mut self, id: Id, update: &[u8], is_answer: bool, now: u64) -> Result<()> {
        if id == 0 {
            self.kept.push(update.to_vec());
        }
        wire::each_run(update, |run| {
            let sensor = run.client.checked_sub(FIRST).map(|sensor| sensor as usize);
            let Some(sensor) = sensor.filter(|sensor| *sensor < self.sensors.len()) else {
                self.faults.foreign += 1;
                return;
            };
            let set_at = &self.sensors[sensor].set_at;
            let end = run.clock + run.len;
            if end as usize > set_at.len() {
                self.faults.corrupted += 1;
                return;
            }
            let track = &mut self.tracks[id * self.sensors.len() + sensor];
            let receipt = track.receive(run.clock, end, |from, to| {
                for value in from..to {
                    self.delivered += 1;
                    let due = set_at[value as usize];
                    if due >= self.measure_from {
                        self.latency.saturating_record(now.saturating_sub(due));
                    }
                }
            });
            self.faults.repeated += if is_answer { 0 } else { u64::from(receipt.repeated) };
            self.faults.reordered += u64::from(receipt.late);
        })
    }
}

impl Driver for Room {
    fn on(&mut self, id: Id, event: Event<'_>, now: u64, outgoing: &mut Outgoing) {
        let door = self.door.clone();
        let frame = match event {
            Event::Open => {
                return door.greeting(EMPTY_VECTOR).iter().for_each(|frame| outgoing.send(id, frame));
            }
            Event::Closed(reason) => return self.faults.closed.push(format!("watcher {id}: {reason}")),
            Event::Message(frame) => frame,
        };
        let mut outcome = Ok(());
        let read = door.each_message(frame, |message| match message {
            Message::Step1(_) => outgoing.send(id, &door.sync(Sync::Step2, EMPTY_UPDATE)),
            Message::Step2(update) => {
                self.is_in[id] = true;
                outcome = self.receive(id, update, true, now);
            }
            Message::Update(update) => outcome = self.receive(id, update, false, now),
            Message::Denied(reason) => outcome = Err(anyhow::anyhow!("denied: {reason}")),
            Message::Status(_) | Message::Awareness(_) | Message::Other => (),
        });
        if let Err(error) = read.and(outcome) {
            self.faults.undecodable.push(format!("watcher {id}: {error:#}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;

    fn room(sensors: usize, watchers: usize) -> Room {
        // Nobody posts: what the server would send is made here.
        let door = Door::new(Dialect::YWebsocket, "ws://127.0.0.1:1/doc".into(), "doc");
        let mut room = Room::new(&door, 0, watchers).unwrap();
        room.sensors = (0..sensors).map(Sensor::new).collect();
        room.tracks = vec![Track::default(); sensors * watchers];
        room
    }

    #[test]
    fn a_value_is_a_tick_of_its_sensor_and_reaches_everybody_once() {
        let mut room = room(2, 2);
        room.measure_from = 20;
        let updates = [room.sensors[0].set(10), room.sensors[0].set(20), room.sensors[1].set(30)];
        assert_eq!(room.missing(), 6);
        for update in &updates {
            room.receive(0, update, false, 35).unwrap();
        }
        room.receive(1, &updates[1], false, 35).unwrap();
        room.receive(1, &updates[0], false, 35).unwrap();
        room.receive(1, &updates[0], false, 35).unwrap();
        assert_eq!((room.delivered, room.missing()), (5, 1));
        assert_eq!((room.faults.reordered, room.faults.repeated), (1, 1));
        assert_eq!((room.latency.len(), room.latency.max()), (3, 15));
        room.check_values().unwrap();
        assert_eq!(room.faults.diverged, [""; 0]);
    }

    #[test]
    fn a_value_that_is_not_the_last_is_seen() {
        let mut room = room(1, 1);
        let first = room.sensors[0].set(0);
        room.sensors[0].set(0);
        room.receive(0, &first, false, 0).unwrap();
        room.check_values().unwrap();
        assert_eq!(room.faults.diverged.len(), 1, "{}", room.faults);
    }
}
