//! The largest part of an update that a document can take with nothing left pending.
//!
//! Each client's structs integrate in order, and each as soon as what it refers to is there. So every
//! client's run advances as far as it can, and a run that meets something missing waits at the run that
//! will bring it, until nothing moves any more. What each run reached is the part: a prefix, cut between
//! structs, the bytes of each struct as they were. The result does not depend on the order of the steps,
//! and it is what yrs itself would integrate before it keeps the rest as pending.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

use bytes::Bytes;

use crate::protocol::{
    ClientId,
    wire::{self, Reader},
};

use super::{
    Limits, Readiness, Update, read_client, read_range,
    structs::{self, Block, Kind},
};

/// Answers for updates that are not plainly ready. Takes time linear in the bytes, times the logarithm of
/// the number of clients that wait for each other.
pub(super) fn largest_part(update: &Update, known: &impl Fn(ClientId) -> u32) -> Readiness {
    let mut runs = Runs::new(update, known);
    runs.advance_all(known);

    let everything = runs.runs.iter().all(Run::is_exhausted);
    let (deletes, all_deletes) = runs.clip_deletes(known);
    if everything && all_deletes && !update.summary.is_irregular {
        return Readiness::Ready;
    }
    let part = runs.encode(&deletes);
    // The part is made of bytes that passed, so it passes; the limits it could meet were met before.
    match Update::check(part, &Limits::unlimited()) {
        Ok(mended) if everything && all_deletes => Readiness::Mended(mended),
        Ok(part) if part.is_empty() => Readiness::Blocked,
        Ok(part) => Readiness::Partly(part),
        Err(_) => Readiness::Blocked,
    }
}

/// Whether all ranges of its delete set are such; nothing if they cannot be read, which was seen to before.
pub(super) fn deletes_only(
    update: &Update,
    is_such: &mut impl FnMut(ClientId, u32, u32) -> bool,
) -> Option<bool> {
    let mut reader = Reader::starting_at(&update.bytes, update.summary.deletes_at);
    for _ in 0..reader.uint().ok()? {
        let (client, ranges) = (read_client(&mut reader).ok()?, reader.uint().ok()?);
        for _ in 0..ranges {
            let (start, end) = read_range(&mut reader).ok()?;
            if !is_such(client, start, end) {
                return Some(false);
            }
        }
    }
    Some(true)
}

/// An update that is taken piece by piece: each of its bytes is looked at once, however many pieces there are.
#[derive(Debug)]
pub struct Pieces<'a> {
    runs: Runs<'a>,
    deletions: Deletions<'a>,
    /// What the next piece may delete, counted as clocks count it, if it only deletes. A range of a few bytes deletes a whole
    /// document, and nobody knows how many pieces that lies in; each time it may be twice as much, so that a text in one
    /// piece is not cut often.
    deletes: u32,
}

/// What the first piece deletes that only deletes.
const DELETES: u32 = 512;

impl<'a> Pieces<'a> {
    pub(super) fn new(update: &'a Update, known: &impl Fn(ClientId) -> u32) -> Self {
        Self { runs: Runs::new(update, known), deletions: Deletions::new(update), deletes: DELETES }
    }

    /// What the document can take next, at most so many structs and so many ranges; nothing once all has been given out that
    /// can be taken. Deletions come with the structs that they delete, as far as they may: between two transactions what was
    /// deleted would be merged with what stands beside it, to be cut out again. The others come last. `known` is the document's
    /// state vector, which may have changed by what was given out before, and by nothing else.
    pub fn next(&mut self, known: impl Fn(ClientId) -> u32, most: usize) -> Option<Update> {
        self.runs.forget_kept();
        self.runs.left = most;
        self.runs.advance_all(&known);
        let mut set = DeleteSet::of(most);
        for run in self.runs.runs.iter().filter(|run| run.kept.structs > 0) {
            self.deletions.take(run.client, run.reached, &mut set);
        }
        if self.runs.left == most {
            set.clocks = self.deletes;
            self.deletes = self.deletes.saturating_mul(2);
            self.deletions.take_next(known, &mut set);
        }
        let part = self.runs.encode(&set.encode());
        Update::check(part, &Limits::unlimited()).ok().filter(|part| !part.is_empty())
    }
}

/// The ranges of a delete set that have not been given out.
#[derive(Debug)]
pub(super) struct Deletions<'a> {
    clients: Vec<Ranges<'a>>,
    by_client: HashMap<ClientId, usize>,
    /// Before this one all are given out.
    next: usize,
}

/// Those of one client, in ascending order.
#[derive(Debug)]
struct Ranges<'a> {
    client: ClientId,
    reader: Reader<'a>,
    unread: u64,
    /// What is left of one that was read.
    rest: Option<(u32, u32)>,
}

/// A delete set in the making.
struct DeleteSet {
    /// How many ranges it may still take.
    left: usize,
    /// How many clocks these may cover.
    clocks: u32,
    clients: u64,
    body: Vec<u8>,
}

impl<'a> Deletions<'a> {
    pub(super) fn new(update: &'a Update) -> Self {
        let mut reader = Reader::starting_at(&update.bytes, update.summary.deletes_at);
        let mut clients = Vec::new();
        // These bytes have been read before, so this succeeds.
        for _ in 0..reader.uint().unwrap_or(0) {
            let (Ok(client), Ok(unread)) = (read_client(&mut reader), reader.uint()) else { break };
            let begin = Reader::starting_at(&update.bytes, reader.position());
            clients.push(Ranges { client, reader: begin, unread, rest: None });
            for _ in 0..unread {
                let Ok(_) = read_range(&mut reader) else { break };
            }
        }
        let by_client = clients.iter().enumerate().map(|(at, ranges)| (ranges.client, at)).collect();
        Self { clients, by_client, next: 0 }
    }

    /// Ranges of one client below the clock that it has reached.
    fn take(&mut self, client: ClientId, reached: u32, set: &mut DeleteSet) {
        if let Some(&at) = self.by_client.get(&client) {
            self.clients[at].take(reached, set);
        }
    }

    /// Whether all of what stands from one clock of a client to another is deleted by one range, or nothing of it; neither, if
    /// a range ends within. To be asked in ascending order.
    pub(super) fn all_or_nothing(&mut self, client: ClientId, start: u32, end: u32) -> Option<bool> {
        match self.by_client.get(&client) {
            Some(&at) => self.clients[at].all_or_nothing(start, end),
            None => Some(false),
        }
    }

    fn take_next(&mut self, known: impl Fn(ClientId) -> u32, set: &mut DeleteSet) {
        while !set.is_full()
            && let Some(ranges) = self.clients.get_mut(self.next)
        {
            ranges.take(known(ranges.client), set);
            if !set.is_full() {
                self.next += 1;
            }
        }
    }
}

impl Ranges<'_> {
    fn all_or_nothing(&mut self, start: u32, end: u32) -> Option<bool> {
        while let Some((from, until)) = self.next() {
            if until > start {
                // It may reach further.
                self.rest = Some((from, until));
                let is_all = from <= start && end <= until;
                return (is_all || from >= end).then_some(is_all);
            }
        }
        Some(false)
    }

    fn take(&mut self, reached: u32, set: &mut DeleteSet) {
        let (mut count, mut body) = (0u64, Vec::new());
        while !set.is_full()
            && let Some((start, end)) = self.next()
        {
            if start >= reached {
                self.rest = Some((start, end));
                break;
            }
            let until = end.min(reached).min(start.saturating_add(set.clocks));
            wire::put_uint(&mut body, u64::from(start));
            wire::put_uint(&mut body, u64::from(until - start));
            count += 1;
            set.left -= 1;
            set.clocks -= until - start;
            if end > until {
                self.rest = Some((until, end));
                break;
            }
        }
        set.add(self.client, count, &body);
    }

    fn next(&mut self) -> Option<(u32, u32)> {
        if let Some(rest) = self.rest.take() {
            return Some(rest);
        }
        self.unread = self.unread.checked_sub(1)?;
        read_range(&mut self.reader).ok()
    }
}

impl DeleteSet {
    /// Empty, for at most so many ranges.
    fn of(most: usize) -> Self {
        Self { left: most, clocks: u32::MAX, clients: 0, body: Vec::new() }
    }

    fn is_full(&self) -> bool {
        self.left == 0 || self.clocks == 0
    }

    fn add(&mut self, client: ClientId, ranges: u64, encoded: &[u8]) {
        if ranges > 0 {
            self.clients += 1;
            wire::put_uint(&mut self.body, client.get());
            wire::put_uint(&mut self.body, ranges);
            self.body.extend_from_slice(encoded);
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut encoded = Vec::with_capacity(self.body.len() + 6);
        wire::put_uint(&mut encoded, self.clients);
        encoded.extend_from_slice(&self.body);
        encoded
    }
}

#[derive(Debug)]
struct Runs<'a> {
    update: &'a Update,
    runs: Vec<Run<'a>>,
    /// Runs that have not come as far as they go, the next one last.
    ready: Vec<usize>,
    /// How many new structs may still be taken.
    left: usize,
}

/// How far one client's structs have come.
#[derive(Debug)]
struct Run<'a> {
    client: ClientId,
    reader: Reader<'a>,
    /// Structs not read yet.
    unread: usize,
    /// The clock of the struct that is read next.
    clock: u32,
    /// A struct that was read and waits.
    waiting: Option<Block<'a>>,
    /// The clock up to which this client is integrated.
    reached: u32,
    /// Something is missing that no run brings.
    is_stuck: bool,
    kept: Kept,
    /// Runs that wait for this one, by the clock they wait for.
    waiters: BinaryHeap<Reverse<(u32, usize)>>,
}

/// The structs of a run that are new and integrate.
#[derive(Debug)]
struct Kept {
    structs: u64,
    clock: u32,
    from: usize,
    until: usize,
}

impl Kept {
    /// Nothing yet; what comes begins at `clock` and byte `at`.
    fn none(clock: u32, at: usize) -> Self {
        Self { structs: 0, clock, from: at, until: at }
    }
}

impl<'a> Run<'a> {
    fn is_exhausted(&self) -> bool {
        self.unread == 0 && self.waiting.is_none() && !self.is_stuck
    }

    /// The struct to look at, or none if there are no more.
    fn next(&mut self) -> Option<Block<'a>> {
        if let Some(block) = self.waiting.take() {
            return Some(block);
        }
        self.unread = self.unread.checked_sub(1)?;
        // These bytes have been read before, so this succeeds.
        let block = structs::read_block_again(&mut self.reader, self.client, self.clock).ok()?;
        self.clock = block.end;
        Some(block)
    }
}

impl<'a> Runs<'a> {
    fn new(update: &'a Update, known: &impl Fn(ClientId) -> u32) -> Self {
        let summary = &update.summary;
        let runs = summary.sections.iter().zip(&summary.extents).map(|(section, extent)| Run {
            client: section.client,
            reader: Reader::starting_at(&update.bytes, extent.at),
            unread: extent.structs,
            clock: section.start,
            waiting: None,
            reached: known(section.client),
            is_stuck: false,
            kept: Kept::none(section.start, extent.at),
            waiters: BinaryHeap::new(),
        });
        let runs: Vec<_> = runs.collect();
        let ready = (0..runs.len()).rev().collect();
        Self { update, runs, ready, left: usize::MAX }
    }

    /// What was kept has been given out; what is taken from here on is the next piece.
    fn forget_kept(&mut self) {
        for run in self.runs.iter_mut().filter(|run| run.kept.structs > 0) {
            run.kept = Kept::none(run.reached, run.kept.until);
        }
    }

    fn advance_all(&mut self, known: &impl Fn(ClientId) -> u32) {
        while self.left > 0
            && let Some(index) = self.ready.pop()
        {
            self.advance(index, known);
            if self.left == 0 {
                self.ready.push(index);
            }
            let run = &mut self.runs[index];
            while run.waiters.peek().is_some_and(|Reverse((clock, _))| *clock < run.reached) {
                self.ready.extend(run.waiters.pop().map(|Reverse((_, waiter))| waiter));
            }
        }
    }

    /// Takes one run as far as it goes now.
    fn advance(&mut self, index: usize, known: &impl Fn(ClientId) -> u32) {
        while let Some(block) = self.runs[index].next() {
            let run = &mut self.runs[index];
            if block.end <= run.reached {
                // Known, or a hole that the document has filled.
                run.kept = Kept::none(block.end, run.reader.position());
                continue;
            }
            if self.left == 0 {
                run.waiting = Some(block);
                return;
            }
            if block.kind == Kind::Skip || block.start > run.reached {
                run.is_stuck = true;
                return;
            }
            let client = run.client;
            let missing = block.references().filter(|id| id.client != client).find(|id| {
                let reached = match self.update.summary.section(id.client) {
                    Some(other) => self.runs[other].reached,
                    None => known(id.client),
                };
                id.clock >= reached
            });
            if let Some(id) = missing {
                match self.update.summary.section(id.client) {
                    Some(other) => {
                        self.runs[index].waiting = Some(block);
                        self.runs[other].waiters.push(Reverse((id.clock, index)));
                    }
                    None => self.runs[index].is_stuck = true,
                }
                return;
            }
            self.left -= 1;
            let run = &mut self.runs[index];
            run.kept.structs += 1;
            run.kept.until = run.reader.position();
            run.reached = block.end;
        }
    }

    /// The delete set cut to what is integrated, encoded, and whether that is all of it.
    fn clip_deletes(&self, known: &impl Fn(ClientId) -> u32) -> (Vec<u8>, bool) {
        let mut clients = 0u64;
        let mut all = true;
        let mut body = Vec::new();
        let mut reader = Reader::starting_at(&self.update.bytes, self.update.summary.deletes_at);
        let count = reader.uint().unwrap_or(0);
        for _ in 0..count {
            let (Ok(client), Ok(ranges)) = (read_client(&mut reader), reader.uint()) else { break };
            let reached = match self.update.summary.section(client) {
                Some(index) => self.runs[index].reached,
                None => known(client),
            };
            let mut kept = 0u64;
            let mut clipped = Vec::new();
            for _ in 0..ranges {
                let Ok((start, end)) = read_range(&mut reader) else { break };
                all &= end <= reached;
                if start < reached {
                    kept += 1;
                    wire::put_uint(&mut clipped, u64::from(start));
                    wire::put_uint(&mut clipped, u64::from(end.min(reached) - start));
                }
            }
            if kept > 0 {
                clients += 1;
                wire::put_uint(&mut body, client.get());
                wire::put_uint(&mut body, kept);
                body.extend_from_slice(&clipped);
            }
        }
        let mut deletes = Vec::with_capacity(body.len() + wire::uint_len(clients));
        wire::put_uint(&mut deletes, clients);
        deletes.extend_from_slice(&body);
        (deletes, all)
    }

    /// What was reached, as an update.
    fn encode(&self, deletes: &[u8]) -> Bytes {
        let kept = || self.runs.iter().filter(|run| run.kept.structs > 0);
        let mut out = Vec::new();
        wire::put_uint(&mut out, kept().count() as u64);
        for run in kept() {
            wire::put_uint(&mut out, run.kept.structs);
            wire::put_uint(&mut out, run.client.get());
            wire::put_uint(&mut out, u64::from(run.kept.clock));
            out.extend_from_slice(&self.update.bytes[run.kept.from..run.kept.until]);
        }
        out.extend_from_slice(deletes);
        out.into()
    }
}
