//! Editors of many documents, who type, read each other, and check every edit that reaches them.
//!
//! A [`Crowd`] drives the sockets of a [`Fleet`]: `documents × editors`, of which the first `typists` of each document
//! write. What is written is fixed by author and clock (a [`Script`]), so each reader can verify by content what it
//! gets, in whatever messages the server wraps it, and a send time is found again by author and clock.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use hdrhistogram::Histogram;

use crate::dialect::Door;
use crate::fleet::{Driver, Event, Fleet, Id, Outgoing};
use crate::ranges::Track;
use crate::replica;
use crate::wire::{self, EMPTY_UPDATE, Message, Reader, Run, Sync};

/// What an author writes: the ASCII character at each tick of their clock.
pub(crate) type Script = fn(client: u64, clock: u32) -> u8;

/// One letter a keystroke, shifted by author so that a swap between authors shows.
pub(crate) fn letters(client: u64, clock: u32) -> u8 {
    b'a' + ((client + u64::from(clock)) % 26) as u8
}

/// Who there is and how they work.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) documents: usize,
    /// Editors of each document.
    pub(crate) editors: usize,
    /// How many of them write.
    pub(crate) typists: usize,
    /// Characters of one operation.
    pub(crate) ticks: u32,
    pub(crate) script: Script,
    /// The closed loop: operations that a typist keeps under way. `None` leaves the pace to the scenario.
    pub(crate) window: Option<u32>,
    /// Whether an operation is complete when its author is told so (a durability echo, or an acknowledgement in so
    /// many words) or when the editor after the author has it.
    pub(crate) echo: bool,
    /// How many editors keep all they receive, to be compared as whole documents.
    pub(crate) sample: usize,
    /// The first author's client id; the others follow.
    pub(crate) first_client: u64,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            documents: 1,
            editors: 2,
            typists: 1,
            ticks: 1,
            script: letters,
            window: None,
            echo: false,
            sample: 0,
            first_client: 1_000_003,
        }
    }
}

/// What must not happen. Counted in operations, except where a name says otherwise.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Faults {
    /// Deliveries that never came.
    pub(crate) lost: u64,
    /// Deliveries beyond the first.
    pub(crate) repeated: u64,
    /// Deliveries that came behind something later of the same author.
    pub(crate) reordered: u64,
    /// Runs whose text is not what their author wrote.
    pub(crate) corrupted: u64,
    /// Messages that could not be read, the first with its error.
    pub(crate) undecodable: Vec<String>,
    /// Runs of authors that this crowd does not have.
    pub(crate) foreign: u64,
    /// Changes that were never answered, where the dialect has an answer for each.
    pub(crate) unanswered: u64,
    /// Sockets that the server closed, with its reason.
    pub(crate) closed: Vec<String>,
    /// Replicas that differ from the server's document.
    pub(crate) diverged: Vec<String>,
}

impl Faults {
    /// Whether the server did its job.
    pub(crate) fn is_clean(&self) -> bool {
        *self == Self::default()
    }
}

impl std::fmt::Display for Faults {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { lost, repeated, reordered, corrupted, undecodable, foreign, unanswered, .. } = self;
        let Self { closed, diverged, .. } = self;
        write!(out, "lost {lost}, repeated {repeated}, reordered {reordered}, corrupted {corrupted}, ")?;
        write!(out, "undecodable {}, foreign {foreign}, unanswered {unanswered}, ", undecodable.len())?;
        write!(out, "closed {}, diverged {}", closed.len(), diverged.len())?;
        for list in [undecodable, closed, diverged] {
            if let Some(first) = list.first() {
                write!(out, "; first: {first}")?;
            }
        }
        Ok(())
    }
}

/// An author and the fate of what they wrote.
struct Author {
    client: u64,
    /// Ticks written so far.
    clock: u32,
    /// When each operation was due, in nanoseconds of the fleet.
    sent_at: Vec<u64>,
    /// What the server gave back, or said to have.
    acknowledged: Track,
}

/// The editors.
pub(crate) struct Crowd {
    shape: Shape,
    authors: Vec<Author>,
    /// One for each pair of an editor and an author of the editor's document.
    tracks: Vec<Track>,
    /// The way to each document.
    doors: Rc<[Door]>,
    synced: Vec<bool>,
    /// For each socket the changes that the server owes an answer for: how far their author had written.
    unanswered: Vec<VecDeque<u32>>,
    /// What the sampled editors received.
    kept: BTreeMap<Id, Vec<Vec<u8>>>,
    latency: Histogram<u64>,
    /// Operations sent from this time on are measured.
    measure_from: u64,
    deliveries: u64,
    completed: u64,
    typing: bool,
    faults: Faults,
    // Reused from one operation to the next.
    text: String,
    scratch: Vec<u8>,
    message: Vec<u8>,
}

impl Crowd {
    /// A crowd that has not connected yet.
    pub(crate) fn new(shape: Shape) -> Result<Self> {
        ensure!(shape.typists <= shape.editors, "{} typists among {} editors", shape.typists, shape.editors);
        ensure!(
            shape.echo || shape.editors > 1,
            "a document needs a second editor to receive what the first writes"
        );
        let sockets = shape.documents * shape.editors;
        let author = |index| Author {
            client: shape.first_client + index as u64,
            clock: 0,
            sent_at: Vec::new(),
            acknowledged: Track::default(),
        };
        let sample = shape.sample.min(sockets);
        Ok(Self {
            authors: (0..shape.documents * shape.typists).map(author).collect(),
            tracks: vec![Track::default(); sockets * shape.typists],
            doors: Rc::default(),
            synced: vec![false; sockets],
            unanswered: vec![VecDeque::new(); sockets],
            // Spread over the crowd, counted from the end of each part, where the readers are.
            kept: (1..=sample).map(|part| (part * sockets / sample - 1, Vec::new())).collect(),
            latency: Histogram::new_with_max(60_000_000_000, 3)?,
            measure_from: u64::MAX,
            deliveries: 0,
            completed: 0,
            typing: false,
            faults: Faults::default(),
            text: String::new(),
            scratch: Vec::new(),
            message: Vec::new(),
            shape,
        })
    }

    /// Connects everybody and waits until each has the document. At most 200 handshakes are under way at once, so
    /// that a server's accept queue is not what is measured.
    pub(crate) fn connect(&mut self, fleet: &mut Fleet, doors: impl Fn(usize) -> Door) -> Result<()> {
        self.doors = (0..self.shape.documents).map(doors).collect();
        let sockets = self.synced.len();
        for id in 0..sockets {
            let connected = fleet.connect(&self.doors[id / self.shape.editors].url)?;
            ensure!(connected == id, "a crowd needs a fleet of its own");
            if id % 200 == 199 || id + 1 == sockets {
                fleet.turn_until(self, Duration::from_secs(60), "the first sync", |crowd| {
                    !crowd.faults.closed.is_empty() || crowd.synced[..=id].iter().all(|synced| *synced)
                })?;
                ensure!(self.faults.closed.is_empty(), "while connecting: {}", self.faults);
            }
        }
        Ok(())
    }

    /// Takes everybody offline at once, without a word to the server.
    pub(crate) fn go_offline(&mut self, fleet: &mut Fleet) {
        fleet.drop_all();
        self.synced.fill(false);
        self.unanswered.iter_mut().for_each(VecDeque::clear);
    }

    /// Brings everybody back at once.
    pub(crate) fn come_back(&mut self, fleet: &mut Fleet) -> Result<()> {
        for id in 0..self.synced.len() {
            fleet.reconnect(id, &self.doors[id / self.shape.editors].url)?;
        }
        Ok(())
    }

    /// The socket of an author, whose number counts through all documents.
    fn socket_of(&self, author: usize) -> Id {
        author / self.shape.typists * self.shape.editors + author % self.shape.typists
    }

    /// How many authors there are.
    pub(crate) fn authors(&self) -> usize {
        self.authors.len()
    }

    /// Lets an author write one operation that was due at `due`.
    pub(crate) fn type_one(&mut self, author: usize, due: u64, outgoing: &mut Outgoing) {
        let id = self.socket_of(author);
        let writer = &mut self.authors[author];
        self.text.clear();
        let (from, to) = (writer.clock, writer.clock + self.shape.ticks);
        self.text.extend((from..to).map(|tick| char::from((self.shape.script)(writer.client, tick))));
        writer.clock = to;
        writer.sent_at.push(due);
        self.scratch.clear();
        wire::write_append(&mut self.scratch, writer.client, from, &self.text);
        self.message.clear();
        let door = &self.doors[id / self.shape.editors];
        door.write_sync(&mut self.message, Sync::Update, &self.scratch);
        outgoing.send(id, &self.message);
        if door.answers_changes() {
            self.unanswered[id].push_back(to);
        }
    }

    /// Lets every author write without a connection: the server learns it from the next handshake.
    pub(crate) fn type_offline(&mut self, operations: u32, due: u64) {
        for author in &mut self.authors {
            author.clock += operations * self.shape.ticks;
            author.sent_at.resize(author.sent_at.len() + operations as usize, due);
        }
    }

    /// Opens the closed loop: every author fills their window, and refills it from then on.
    pub(crate) fn start_typing(&mut self, fleet: &mut Fleet) {
        self.typing = true;
        let now = fleet.now();
        for author in 0..self.authors.len() {
            self.refill(author, now, fleet.outgoing());
        }
    }

    /// Closes the loop; what is under way still arrives.
    pub(crate) fn stop_typing(&mut self) {
        self.typing = false;
    }

    fn refill(&mut self, author: usize, now: u64, outgoing: &mut Outgoing) {
        let Some(window) = self.shape.window.filter(|_| self.typing) else { return };
        let done = self.completed_ticks(author);
        while self.authors[author].clock - done < window * self.shape.ticks {
            self.type_one(author, now, outgoing);
        }
    }

    fn completed_ticks(&self, author: usize) -> u32 {
        if self.shape.echo {
            return self.authors[author].acknowledged.next();
        }
        let Shape { editors, typists, .. } = self.shape;
        let witness = (author % typists + 1) % editors;
        self.tracks[(author / typists * editors + witness) * typists + author % typists].next()
    }

    /// Counts deliveries and latencies from now on.
    pub(crate) fn start_measuring(&mut self, now: u64) {
        self.measure_from = now;
        self.latency.reset();
    }

    /// Operations that have reached an editor other than their author, each editor counted.
    pub(crate) fn deliveries(&self) -> u64 {
        self.deliveries
    }

    /// Operations that are complete in the sense of [`Shape::echo`].
    pub(crate) fn completed(&self) -> u64 {
        self.completed
    }

    /// Latencies in nanoseconds of the measured operations: to each reader, or back to the author where
    /// [`Shape::echo`] is set.
    pub(crate) fn latency(&self) -> &Histogram<u64> {
        &self.latency
    }

    /// What went wrong so far. Loss is known only after [`Crowd::settle`].
    pub(crate) fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Whether every editor is connected and has had the server's state.
    pub(crate) fn is_synced(&self) -> bool {
        self.synced.iter().all(|synced| *synced)
    }

    /// For each author: ticks written, and ticks acknowledged.
    pub(crate) fn acknowledged(&self) -> impl Iterator<Item = (u64, u32, u32)> + '_ {
        self.authors.iter().map(|author| (author.client, author.clock, author.acknowledged.next()))
    }

    /// Whether everybody has everything and has been told so. Exact, because a repeated delivery is not counted.
    pub(crate) fn is_complete(&self) -> bool {
        self.deliveries == self.due_deliveries() && self.owed_answers() == 0
    }

    fn owed_answers(&self) -> u64 {
        self.unanswered.iter().map(|owed| owed.len() as u64).sum()
    }

    fn due_deliveries(&self) -> u64 {
        let written: u64 = self.authors.iter().map(|author| author.sent_at.len() as u64).sum();
        written * (self.shape.editors as u64 - 1)
    }

    /// Waits until everybody has everything, or nothing has come for a while, and counts what is missing.
    pub(crate) fn settle(&mut self, fleet: &mut Fleet) -> Result<()> {
        const QUIET: Duration = Duration::from_secs(3);
        let state = |crowd: &Self| (crowd.deliveries, crowd.owed_answers());
        let mut progress = (state(self), Instant::now());
        while !self.is_complete() && progress.1.elapsed() < QUIET {
            fleet.turn(self, Duration::from_millis(20))?;
            if state(self) != progress.0 {
                progress = (state(self), Instant::now());
            }
        }
        self.faults.lost = self.due_deliveries() - self.deliveries;
        self.faults.unanswered = self.owed_answers();
        Ok(())
    }

    /// Compares the sampled editors' documents, rebuilt with yrs from all they received, with each other and, where
    /// the server keeps documents, with what a newcomer gets, and their length with what the authors wrote.
    pub(crate) fn check_convergence(&mut self, keeps_documents: bool) -> Result<()> {
        let Shape { editors, typists, .. } = self.shape;
        let mut texts: BTreeMap<usize, String> = BTreeMap::new();
        let mut documents: Vec<usize> = self.kept.keys().map(|id| id / editors).chain([0]).collect();
        documents.sort_unstable();
        documents.dedup();
        documents.retain(|_| keeps_documents);
        for document in documents {
            let authors = &self.authors[document * typists..(document + 1) * typists];
            let expected: Vec<(u64, u32)> =
                authors.iter().map(|author| (author.client, author.clock)).collect();
            match replica::fetch(&self.doors[document], &expected) {
                Ok(text) => drop(texts.insert(document, text)),
                Err(error) => {
                    self.faults.diverged.push(format!("a newcomer to document {document}: {error:#}"));
                }
            }
        }
        for (id, updates) in &self.kept {
            let own = self.author_of(*id).and_then(|author| self.written_since(&self.authors[author], 0));
            let text = replica::text_of(updates.iter().chain(&own).map(Vec::as_slice))?;
            let first = texts.entry(id / editors).or_insert_with(|| text.clone());
            if *first != text {
                self.faults.diverged.push(format!(
                    "editor {id}: {} characters, not {}",
                    text.len(),
                    first.len()
                ));
            }
        }
        for (document, text) in texts {
            let authors = &self.authors[document * typists..(document + 1) * typists];
            let written: u64 = authors.iter().map(|author| u64::from(author.clock)).sum();
            if text.len() as u64 != written {
                self.faults
                    .diverged
                    .push(format!("document {document}: {} characters of {written}", text.len()));
            }
        }
        Ok(())
    }

    fn author_of(&self, id: Id) -> Option<usize> {
        let (document, editor) = (id / self.shape.editors, id % self.shape.editors);
        (editor < self.shape.typists).then(|| document * self.shape.typists + editor)
    }

    fn written_since(&self, author: &Author, clock: u32) -> Option<Vec<u8>> {
        if clock >= author.clock {
            return None;
        }
        let text: String =
            (clock..author.clock).map(|tick| char::from((self.shape.script)(author.client, tick))).collect();
        let mut update = Vec::new();
        wire::write_append(&mut update, author.client, clock, &text);
        Some(update)
    }

    fn greet(&mut self, id: Id, outgoing: &mut Outgoing) {
        let greeting = self.doors[id / self.shape.editors].greeting(&self.vector_of(id));
        greeting.iter().for_each(|frame| outgoing.send(id, frame));
    }

    /// What this editor has: of the others as far as there is no hole, and all of their own.
    fn vector_of(&self, id: Id) -> Vec<u8> {
        let Shape { editors, typists, .. } = self.shape;
        let clock_of = |author: usize| match self.author_of(id) {
            Some(own) if own % typists == author => self.authors[own].clock,
            _ => self.tracks[id * typists + author].next(),
        };
        let known: Vec<(u64, u32)> = (0..typists)
            .map(|author| (self.authors[id / editors * typists + author].client, clock_of(author)))
            .filter(|(_, clock)| *clock > 0)
            .collect();
        let mut vector = Vec::new();
        wire::write_uint(&mut vector, known.len() as u64);
        for (client, clock) in known {
            wire::write_uint(&mut vector, client);
            wire::write_uint(&mut vector, u64::from(clock));
        }
        vector
    }

    /// Answers the server's state vector with what it lacks of this editor's own writing.
    fn answer(&mut self, id: Id, vector: &[u8], outgoing: &mut Outgoing) -> Result<()> {
        let (mut update, mut written) = (None, 0);
        if let Some(author) = self.author_of(id) {
            let known = clock_in(vector, self.authors[author].client)?;
            update = self.written_since(&self.authors[author], known);
            written = self.authors[author].clock;
        }
        let door = &self.doors[id / self.shape.editors];
        outgoing.send(id, &door.sync(Sync::Step2, update.as_deref().unwrap_or(EMPTY_UPDATE)));
        if door.answers_changes() {
            self.unanswered[id].push_back(written);
        }
        Ok(())
    }

    /// The server says of the oldest unanswered change that it is in the document, and so is all before it.
    fn acknowledge(&mut self, id: Id, applied: bool, now: u64, outgoing: &mut Outgoing) -> Result<()> {
        let written = self.unanswered[id].pop_front().context("an acknowledgement for nothing")?;
        ensure!(applied, "a change was refused");
        let Some(author) = self.author_of(id).filter(|_| self.shape.echo) else { return Ok(()) };
        let writer = &mut self.authors[author];
        let known = writer.acknowledged.next();
        for operation in known / self.shape.ticks..written / self.shape.ticks {
            let sent_at = writer.sent_at[operation as usize];
            if sent_at >= self.measure_from {
                self.latency.saturating_record(now.saturating_sub(sent_at));
            }
            self.completed += 1;
        }
        writer.acknowledged.receive(known, written.max(known), |_, _| ());
        self.refill(author, now, outgoing);
        Ok(())
    }

    fn receive(
        &mut self,
        id: Id,
        update: &[u8],
        is_answer: bool,
        now: u64,
        outgoing: &mut Outgoing,
    ) -> Result<()> {
        if let Some(kept) = self.kept.get_mut(&id) {
            kept.push(update.to_vec());
        }
        let mut foreign = 0;
        let outcome = wire::each_run(update, |run| {
            let first = (id / self.shape.editors * self.shape.typists) as u64 + self.shape.first_client;
            match run.client.checked_sub(first).filter(|author| *author < self.shape.typists as u64) {
                Some(author) => self.take(id, author as usize, &run, is_answer, now, outgoing),
                None => foreign += 1,
            }
        });
        if !is_answer {
            self.faults.foreign += foreign; // an answer may hold what was there before this crowd
        }
        outcome
    }

    fn take(
        &mut self,
        id: Id,
        author: usize,
        run: &Run<'_>,
        is_answer: bool,
        now: u64,
        outgoing: &mut Outgoing,
    ) {
        let Shape { editors, typists, ticks, script, echo, .. } = self.shape;
        let global = id / editors * typists + author;
        let own = id % editors == author;
        if own && (!echo || self.doors[id / editors].answers_changes()) {
            return; // servers that send everybody everything: neither wanted nor wrong
        }
        let end = run.clock + run.len;
        if end > self.authors[global].clock || !is_script(script, run) {
            self.faults.corrupted += 1;
            return;
        }
        let writer = &mut self.authors[global];
        let track = if own { &mut writer.acknowledged } else { &mut self.tracks[id * typists + author] };
        let (mut operations, measure) = (0, own == echo);
        let receipt = track.receive(run.clock, end, |from, to| {
            for operation in from / ticks..to / ticks {
                operations += 1;
                let sent_at = writer.sent_at[operation as usize];
                if measure && sent_at >= self.measure_from {
                    self.latency.saturating_record(now.saturating_sub(sent_at));
                }
            }
        });
        if !is_answer {
            self.faults.repeated += u64::from(receipt.repeated.div_ceil(ticks));
        }
        self.faults.reordered += u64::from(receipt.late.div_ceil(ticks));
        if !own {
            self.deliveries += operations;
        }
        if own || !echo && id % editors == (author + 1) % editors {
            self.completed += operations;
            self.refill(global, now, outgoing);
        }
    }
}

impl Driver for Crowd {
    fn on(&mut self, id: Id, event: Event<'_>, now: u64, outgoing: &mut Outgoing) {
        match event {
            Event::Open => self.greet(id, outgoing),
            Event::Closed(reason) => {
                self.synced[id] = false;
                self.unanswered[id].clear();
                self.faults.closed.push(format!("editor {id}: {reason}"));
            }
            Event::Message(frame) => {
                let mut outcome = Ok(());
                let doors = self.doors.clone();
                let read = doors[id / self.shape.editors].each_message(frame, |message| {
                    let handled = match message {
                        Message::Step1(vector) => self.answer(id, vector, outgoing),
                        Message::Step2(update) => {
                            self.synced[id] = true;
                            self.receive(id, update, true, now, outgoing)
                        }
                        Message::Update(update) => self.receive(id, update, false, now, outgoing),
                        Message::Denied(reason) => Err(anyhow::anyhow!("denied: {reason}")),
                        Message::Status(applied) => self.acknowledge(id, applied, now, outgoing),
                        Message::Awareness(_) | Message::Other => Ok(()),
                    };
                    if handled.is_err() {
                        outcome = handled;
                    }
                });
                if let Err(error) = read.and(outcome) {
                    self.faults.undecodable.push(format!("editor {id}: {error:#}"));
                }
            }
        }
    }
}

fn is_script(script: Script, run: &Run<'_>) -> bool {
    let Some(text) = run.text else { return false }; // nothing is ever deleted here
    text.len() == run.len as usize
        && text.bytes().zip(run.clock..).all(|(byte, clock)| byte == script(run.client, clock))
}

/// The clock of one client in a state vector; 0 if it does not stand there.
fn clock_in(vector: &[u8], client: u64) -> Result<u32> {
    let mut reader = Reader::new(vector);
    for _ in 0..reader.uint()? {
        let (found, clock) = (reader.uint()?, reader.uint()?);
        if found == client {
            return Ok(u32::try_from(clock)?);
        }
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;
    use crate::wire::EMPTY_VECTOR;

    /// An author and a reader who have just opened a document.
    fn crowd(dialect: Dialect) -> (Crowd, Outgoing) {
        let mut crowd = Crowd::new(Shape { echo: true, ..Shape::default() }).unwrap();
        crowd.doors = [Door::new(dialect, "ws://x".into(), "doc")].into();
        (crowd, Outgoing::nowhere(2))
    }

    fn hears(crowd: &mut Crowd, id: Id, frame: &[u8], outgoing: &mut Outgoing) {
        crowd.on(id, Event::Message(frame), 7, outgoing);
    }

    fn acknowledged(crowd: &Crowd) -> u32 {
        crowd.acknowledged().next().unwrap().2
    }

    const APPLIED: &[u8] = b"\x03doc\x08\x01";
    const REFUSED: &[u8] = b"\x03doc\x08\x00";

    #[test]
    fn every_change_has_its_own_answer_and_the_first_is_for_the_step_2() {
        let (mut crowd, mut outgoing) = crowd(Dialect::Hocuspocus);
        let step1 = crowd.doors[0].sync(Sync::Step1, EMPTY_VECTOR);
        for id in [0, 1] {
            hears(&mut crowd, id, &step1, &mut outgoing);
        }
        crowd.type_one(0, 0, &mut outgoing);
        crowd.type_one(0, 0, &mut outgoing);
        assert_eq!((crowd.owed_answers(), acknowledged(&crowd)), (4, 0));
        for (id, expected) in [(0, 0), (1, 0), (0, 1), (0, 2)] {
            hears(&mut crowd, id, APPLIED, &mut outgoing);
            assert_eq!(acknowledged(&crowd), expected);
        }
        assert_eq!((crowd.owed_answers(), crowd.completed()), (0, 2));
        assert!(crowd.faults().is_clean(), "{}", crowd.faults());
    }

    #[test]
    fn an_answer_for_nothing_and_a_refusal_are_faults() {
        for (frame, words) in [(APPLIED, "for nothing"), (REFUSED, "refused")] {
            let (mut crowd, mut outgoing) = crowd(Dialect::Hocuspocus);
            if frame == REFUSED {
                crowd.type_one(0, 0, &mut outgoing);
            }
            hears(&mut crowd, 0, frame, &mut outgoing);
            assert!(crowd.faults().to_string().contains(words), "{}", crowd.faults());
            assert_eq!(acknowledged(&crowd), 0);
        }
    }

    #[test]
    fn what_is_only_sent_back_is_no_acknowledgement_where_there_are_answers() {
        for (dialect, expected) in [(Dialect::Hocuspocus, 0), (Dialect::YWebsocket, 1)] {
            let (mut crowd, mut outgoing) = crowd(dialect);
            crowd.type_one(0, 0, &mut outgoing);
            let echo = crowd.message.clone();
            hears(&mut crowd, 0, &echo, &mut outgoing);
            assert_eq!(acknowledged(&crowd), expected);
        }
    }
}
