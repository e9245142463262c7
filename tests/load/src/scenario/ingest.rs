//! One author's long history, sent update by update as fast as the server takes it.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{Outcome, Stretch, Target};
use crate::fleet::{Driver, Event, Fleet, Id, Outgoing};
use crate::replica;
use crate::traces::Trace;
use crate::wire::{self, Message, Sync};

/// How often.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Ingest {
    /// Documents that get the whole history, one after the other
    #[arg(long, default_value_t = 3)]
    pub(crate) documents: usize,
}

/// Updates a second into the server. The end is known from the answer to a state vector that follows the last update
/// on the same socket, whose messages a server handles in order.
pub(crate) fn ingest(target: &Target, plan: &Ingest) -> Result<Outcome> {
    let trace = Trace::load("sveltecomponent", 18_000)?;
    let (updates, doc) = trace.updates()?;
    let expected = replica::vector_of(&replica::state_of(&doc))?;
    let messages: Vec<Vec<u8>> = updates.iter().map(|update| sync(Sync::Update, update)).collect();
    let vector = state_vector(&expected);

    let mut outcome = Outcome::default();
    let (mut seconds, mut cpu) = (0.0, 0.0);
    let url = target.new_documents();
    for document in 0..plan.documents {
        let (mut fleet, mut author) = (Fleet::new()?, Author::default());
        let id = fleet.connect(&url(document))?;
        author.wait_for_answers(&mut fleet, 1)?;
        let stretch = Stretch::begin(target)?;
        for message in &messages {
            fleet.outgoing().send(id, message);
        }
        fleet.outgoing().send(id, &sync(Sync::Step1, &vector));
        author.wait_for_answers(&mut fleet, 2)?;
        let (took, server) = stretch.end(&mut outcome)?;
        seconds += took;
        cpu += server.unwrap_or_default();
        if target.keeps_documents && replica::fetch(&url(document), &expected)? != trace.end_content {
            outcome.faults.diverged.push(format!("document {document} is not the text of the trace"));
        }
    }
    let sent = (messages.len() * plan.documents) as f64;
    outcome.set("updates/s", sent / seconds);
    if target.pid.is_some() {
        outcome.set("server CPU µs/update", 1e6 * cpu / sent);
    }
    Ok(outcome)
}

/// An author who only counts answers.
#[derive(Default)]
struct Author {
    answers: usize,
    failure: Option<String>,
}

impl Author {
    fn wait_for_answers(&mut self, fleet: &mut Fleet, count: usize) -> Result<()> {
        fleet.turn_until(self, Duration::from_secs(120), "the server to take the history", |author| {
            author.failure.is_some() || author.answers >= count
        })?;
        self.failure
            .take()
            .map_or(Ok(()), |failure| Err(anyhow::anyhow!(failure)).context("the author's socket"))
    }
}

impl Driver for Author {
    fn on(&mut self, id: Id, event: Event<'_>, _now: u64, outgoing: &mut Outgoing) {
        match event {
            Event::Open => outgoing.send(id, &sync(Sync::Step1, wire::EMPTY_VECTOR)),
            Event::Closed(reason) => self.failure = Some(reason),
            Event::Message(frame) => {
                let read = wire::each_message(frame, |message| match message {
                    Message::Step1(_) => outgoing.send(id, &sync(Sync::Step2, wire::EMPTY_UPDATE)),
                    Message::Step2(_) => self.answers += 1,
                    Message::Denied(reason) => self.failure = Some(reason),
                    Message::Update(_) | Message::Other => (),
                });
                if let Err(error) = read {
                    self.failure = Some(format!("{error:#}"));
                }
            }
        }
    }
}

fn sync(kind: Sync, body: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(body.len() + 8);
    wire::write_sync(&mut message, kind, body);
    message
}

fn state_vector(clocks: &[(u64, u32)]) -> Vec<u8> {
    let mut vector = Vec::new();
    wire::write_uint(&mut vector, clocks.len() as u64);
    for (client, clock) in clocks {
        wire::write_uint(&mut vector, *client);
        wire::write_uint(&mut vector, u64::from(*clock));
    }
    vector
}
