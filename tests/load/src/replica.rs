//! Newcomers to a document: they join with nothing, take the state, and know when they have all of it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use yrs::updates::decoder::Decode as _;
use yrs::updates::encoder::Encode as _;
use yrs::{Doc, GetString as _, ReadTxn as _, StateVector, Transact as _, Update};

use crate::dialect::Door;
use crate::fleet::{Driver, Event, Fleet, Id, Outgoing};
use crate::ranges::Track;
use crate::wire::{self, EMPTY_UPDATE, EMPTY_VECTOR, Message, Sync, TEXT};

/// How long a newcomer waits for a document before it counts as absent.
const PATIENCE: Duration = Duration::from_secs(20);

/// Newcomers, each on a socket of its own.
pub(crate) struct Newcomers {
    door: Door,
    expected: Vec<(u64, u32)>,
    joins: Vec<Join>,
    failure: Option<String>,
    /// What they have that the server may lack: an update.
    brought: Vec<u8>,
    /// Whether the server has asked for it.
    was_asked: bool,
}

#[derive(Default)]
struct Join {
    updates: Vec<Vec<u8>>,
    tracks: BTreeMap<u64, Track>,
    answered: bool,
    /// When the last missing edit came, in nanoseconds of the fleet.
    done_at: Option<u64>,
}

impl Newcomers {
    /// Newcomers to a document who are content when they have been answered and have these edits: clients with their
    /// clocks.
    pub(crate) fn new(door: &Door, expected: &[(u64, u32)]) -> Self {
        Self {
            door: door.clone(),
            expected: expected.to_vec(),
            joins: Vec::new(),
            failure: None,
            brought: EMPTY_UPDATE.to_vec(),
            was_asked: false,
        }
    }

    /// Starts `count` joins at once.
    pub(crate) fn join(&mut self, fleet: &mut Fleet, count: usize) -> Result<()> {
        for _ in 0..count {
            let id = fleet.connect(&self.door.url)?;
            ensure!(id == self.joins.len(), "newcomers need a fleet of their own");
            self.joins.push(Join::default());
        }
        Ok(())
    }

    /// Waits until all have the document; returns when the last had it.
    pub(crate) fn wait(&mut self, fleet: &mut Fleet) -> Result<u64> {
        fleet.turn_until(self, PATIENCE, "the document", |this| {
            this.failure.is_some() || this.joins.iter().all(|join| join.done_at.is_some())
        })?;
        if let Some(failure) = self.failure.take() {
            anyhow::bail!(failure);
        }
        self.joins.iter().filter_map(|join| join.done_at).max().context("nobody joined")
    }

    /// The text of each newcomer's document, rebuilt with yrs.
    pub(crate) fn texts(&self) -> impl Iterator<Item = Result<String>> + '_ {
        self.joins.iter().map(|join| text_of(join.updates.iter().map(Vec::as_slice)))
    }

    fn receive(&mut self, id: Id, update: &[u8], now: u64) -> Result<()> {
        let join = &mut self.joins[id];
        join.updates.push(update.to_vec());
        wire::each_run(update, |run| {
            join.tracks.entry(run.client).or_default().receive(run.clock, run.clock + run.len, |_, _| ());
        })?;
        let has = |(client, clock): &(u64, u32)| {
            *clock == 0 || join.tracks.get(client).is_some_and(|track| track.next() >= *clock)
        };
        if join.done_at.is_none() && join.answered && self.expected.iter().all(has) {
            join.done_at = Some(now);
        }
        Ok(())
    }
}

impl Driver for Newcomers {
    fn on(&mut self, id: Id, event: Event<'_>, now: u64, outgoing: &mut Outgoing) {
        let frame = match event {
            Event::Open => {
                let greeting = self.door.greeting(EMPTY_VECTOR);
                return greeting.iter().for_each(|frame| outgoing.send(id, frame));
            }
            Event::Closed(reason) => return self.failure = Some(format!("a newcomer's socket: {reason}")),
            Event::Message(frame) => frame,
        };
        let mut outcome = Ok(());
        let door = self.door.clone();
        let read = door.each_message(frame, |message| {
            let handled = match message {
                Message::Step1(_) => {
                    self.was_asked = true;
                    outgoing.send(id, &door.sync(Sync::Step2, &self.brought));
                    Ok(())
                }
                Message::Step2(update) => {
                    self.joins[id].answered = true;
                    self.receive(id, update, now)
                }
                Message::Update(update) => self.receive(id, update, now),
                Message::Denied(reason) => Err(anyhow::anyhow!("denied: {reason}")),
                Message::Status(false) => Err(anyhow::anyhow!("what it sent was refused")),
                Message::Status(true) | Message::Awareness(_) | Message::Other => Ok(()),
            };
            if handled.is_err() {
                outcome = handled;
            }
        });
        if let Err(error) = read.and(outcome) {
            self.failure = Some(format!("a newcomer's message: {error:#}"));
        }
    }
}

/// Joins a document, waits until it holds the expected edits, and returns its text.
pub(crate) fn fetch(door: &Door, expected: &[(u64, u32)]) -> Result<String> {
    let mut fleet = Fleet::new()?;
    let mut newcomers = Newcomers::new(door, expected);
    newcomers.join(&mut fleet, 1)?;
    newcomers.wait(&mut fleet)?;
    newcomers.texts().next().context("nobody joined")?
}

/// Joins a document and returns its text when it holds the expected edits, or whatever it holds after `patience`.
pub(crate) fn fetch_what_is_there(
    door: &Door,
    expected: &[(u64, u32)],
    patience: Duration,
) -> Result<String> {
    let mut fleet = Fleet::new()?;
    let mut newcomer = Newcomers::new(door, expected);
    newcomer.join(&mut fleet, 1)?;
    let all = fleet.turn_until(&mut newcomer, patience, "acknowledged edits", |newcomer| {
        newcomer.failure.is_some() || newcomer.joins[0].done_at.is_some()
    });
    if let Some(failure) = newcomer.failure.take() {
        anyhow::bail!(failure);
    }
    if all.is_err() {
        ensure!(newcomer.joins[0].answered, "the server does not answer for {}", door.document);
    }
    newcomer.texts().next().context("nobody joined")?
}

/// Puts a whole state into a document, as an editor who comes online with it does, and waits until the server has it.
pub(crate) fn upload(door: &Door, state: &[u8]) -> Result<()> {
    let vector = Update::decode_v1(state).context("read a state")?.state_vector().encode_v1();
    let mut fleet = Fleet::new()?;
    let mut author = Newcomers::new(door, &[]);
    author.brought = state.to_vec();
    author.join(&mut fleet, 1)?;
    fleet.turn_until(&mut author, PATIENCE, "the server to ask for a document", |author| {
        author.failure.is_some() || author.joins[0].answered && author.was_asked
    })?;
    // A socket's messages are handled in order: once this is answered, the state has been taken in.
    fleet.outgoing().send(0, &door.sync(Sync::Step1, &vector));
    author.joins[0].answered = false;
    fleet.turn_until(&mut author, PATIENCE, "the server to take a document", |author| {
        author.failure.is_some() || author.joins[0].answered
    })?;
    author.failure.map_or(Ok(()), |failure| Err(anyhow::anyhow!(failure)))
}

/// The state of a document with a text of so many bytes, by client 1.
pub(crate) fn text_state(bytes: usize) -> Vec<u8> {
    let mut update = Vec::with_capacity(bytes + 64);
    wire::write_append(&mut update, 1, 0, &"lorem ipsum ".repeat(bytes / 12 + 1)[..bytes]);
    update
}

/// The text that a document has after these updates.
pub(crate) fn text_of<'a>(updates: impl Iterator<Item = &'a [u8]>) -> Result<String> {
    let doc = Doc::new();
    let text = doc.get_or_insert_text(TEXT);
    for update in updates {
        let update = Update::decode_v1(update).context("read an update")?;
        doc.transact_mut().apply_update(update).context("apply an update")?;
    }
    let transaction = doc.transact();
    Ok(text.get_string(&transaction))
}

/// Clients and clocks of a whole state.
pub(crate) fn vector_of(state: &[u8]) -> Result<Vec<(u64, u32)>> {
    let mut clocks: BTreeMap<u64, u32> = BTreeMap::new();
    wire::each_run(state, |run| {
        let clock = clocks.entry(run.client).or_default();
        *clock = (*clock).max(run.clock + run.len);
    })?;
    Ok(clocks.into_iter().collect())
}

/// The whole of a document as one update.
pub(crate) fn state_of(doc: &Doc) -> Vec<u8> {
    doc.transact().encode_state_as_update_v1(&StateVector::default())
}
