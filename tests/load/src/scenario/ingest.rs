//! One author's long history, sent update by update as fast as the server takes it.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use super::{Outcome, Stretch, Target};
use crate::dialect::Door;
use crate::fleet::{Driver, Event, Fleet, Id, Outgoing};
use crate::replica;
use crate::traces::Trace;
use crate::wire::{self, Message, Sync};

/// The slowest peer takes 15 s for the history.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Ingest {
    /// Documents that get the whole history, one after the other
    #[arg(long, default_value_t = 3)]
    pub(crate) documents: usize,
}

/// Updates a second into the server. The author asks for the whole document behind the last update, and the end is
/// when the answer holds every edit.
pub(crate) fn ingest(target: &Target, plan: &Ingest) -> Result<Outcome> {
    let trace = Trace::load("sveltecomponent", 18_000)?;
    let (updates, doc) = trace.updates()?;
    let expected = replica::vector_of(&replica::state_of(&doc))?;

    let mut outcome = Outcome::default();
    let (mut seconds, mut cpu) = (0.0, 0.0);
    let doors = target.new_documents();
    for document in 0..plan.documents {
        let door = doors(document);
        let messages: Vec<Vec<u8>> = updates.iter().map(|update| door.sync(Sync::Update, update)).collect();
        let (mut fleet, mut author) = (Fleet::new()?, Author::new(&door));
        let id = fleet.connect(&door.url)?;
        author.wait_for_first_sync(&mut fleet)?;
        let stretch = Stretch::begin(target)?;
        for message in &messages {
            fleet.outgoing().send(id, message);
        }
        author.ask_until_all_is_there(&mut fleet, id, &expected)?;
        let (took, server) = stretch.end(&mut outcome)?;
        seconds += took;
        cpu += server.unwrap_or_default();
        if target.keeps_documents && replica::fetch(&door, &expected)? != trace.end_content {
            outcome.faults.diverged.push(format!("document {document} is not the text of the trace"));
        }
    }
    let sent = (updates.len() * plan.documents) as f64;
    outcome.set("updates/s", sent / seconds);
    if target.pid.is_some() {
        outcome.set("server CPU µs/update", 1e6 * cpu / sent);
    }
    Ok(outcome)
}

/// An author who waits for answers.
struct Author {
    door: Door,
    /// What the latest answer holds.
    answer: Option<Vec<(u64, u32)>>,
    failure: Option<String>,
}

impl Author {
    fn new(door: &Door) -> Self {
        Self { door: door.clone(), answer: None, failure: None }
    }

    fn wait_for_first_sync(&mut self, fleet: &mut Fleet) -> Result<()> {
        self.wait_for_answer(fleet, PATIENCE)?;
        ensure!(self.answer.is_some(), "the server did not answer");
        Ok(())
    }

    /// Asks, and asks again: a server may answer too early, or drop the question (y-sweet 0.9 drops what it owes to a
    /// socket when more than 1,024 messages wait, and an ingest makes it echo far more).
    fn ask_until_all_is_there(&mut self, fleet: &mut Fleet, id: Id, expected: &[(u64, u32)]) -> Result<()> {
        const AGAIN: Duration = Duration::from_millis(200);
        let deadline = Instant::now() + PATIENCE;
        let question = self.door.sync(Sync::Step1, wire::EMPTY_VECTOR);
        while self.answer.as_deref() != Some(expected) {
            ensure!(
                Instant::now() < deadline,
                "the server did not take the history in {} s",
                PATIENCE.as_secs()
            );
            self.answer = None;
            fleet.outgoing().send(id, &question);
            self.wait_for_answer(fleet, AGAIN)?;
        }
        Ok(())
    }

    fn wait_for_answer(&mut self, fleet: &mut Fleet, patience: Duration) -> Result<()> {
        let until = Instant::now() + patience;
        while let Some(left) = until.checked_duration_since(Instant::now()).filter(|_| self.answer.is_none())
        {
            fleet.turn(self, left)?;
            if let Some(failure) = self.failure.take() {
                bail!("the author's socket: {failure}");
            }
        }
        Ok(())
    }

    fn take_answer(&mut self, state: &[u8]) {
        match replica::vector_of(state) {
            Ok(vector) => self.answer = Some(vector),
            Err(error) => self.failure = Some(format!("an answer: {error:#}")),
        }
    }
}

impl Driver for Author {
    fn on(&mut self, id: Id, event: Event<'_>, _now: u64, outgoing: &mut Outgoing) {
        match event {
            Event::Open => {
                self.door.greeting(wire::EMPTY_VECTOR).iter().for_each(|frame| outgoing.send(id, frame));
            }
            Event::Closed(reason) => self.failure = Some(reason),
            Event::Message(frame) => {
                let door = self.door.clone();
                let read = door.each_message(frame, |message| match message {
                    Message::Step1(_) => outgoing.send(id, &door.sync(Sync::Step2, wire::EMPTY_UPDATE)),
                    Message::Step2(state) => self.take_answer(state),
                    Message::Denied(reason) => self.failure = Some(reason),
                    Message::Status(false) => self.failure = Some("an update was refused".into()),
                    Message::Status(true) | Message::Update(_) | Message::Awareness(_) | Message::Other => (),
                });
                if let Err(error) = read {
                    self.failure = Some(format!("{error:#}"));
                }
            }
        }
    }
}
