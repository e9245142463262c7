//! Honest giants and dear rogues: what is large is taken, live and over HTTP; what costs more than it is worth is refused;
//! and somebody who types into another document, on the server's only worker, hardly notices either.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use hdrhistogram::Histogram;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::dialect::{Dialect, Door};
use crate::fleet::{Driver, Event, Fleet, Id, Outgoing};
use crate::peers::{Peer, Server};
use crate::process::{self, Cores};
use crate::replica;
use crate::traces::{self, Trace};
use crate::wire::{self, EMPTY_UPDATE, EMPTY_VECTOR, Message, Sync, TEXT};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// How many others at the same time do what is dear, each in a document of its own.
const ROGUES: usize = 8;

/// What to send.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Giants {
    /// Only the cases whose name contains this
    #[arg(long, default_value = "")]
    only: String,
    /// An argument for the server, may be repeated
    #[arg(long = "server-arg", value_name = "ARG", allow_hyphen_values = true)]
    server_args: Vec<String>,
}

/// What is promised of an update. That nobody else waits for it is promised of all.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Somebody honest may bring it: it is taken.
    Taken,
    /// It costs far more than it is worth: it is refused.
    Refused,
    /// It costs about what is allowed: which of the two depends on the machine.
    Either,
}

impl Fate {
    fn admits(self, answer: &str) -> bool {
        self == Self::Either || answer.starts_with("taken") == (self == Self::Taken)
    }
}

/// Somebody brings an update to a document.
struct Case {
    name: &'static str,
    fate: Fate,
    /// What is in the document already.
    before: Vec<u8>,
    update: Vec<u8>,
}

/// Sends all; returns whether every update fared as is promised, and the bystander waited less than 100 ms.
pub(crate) fn giants(plan: &Giants, cores: Option<Cores>) -> Result<bool> {
    let mut arguments = vec!["--workers".to_owned(), "1".to_owned()];
    arguments.extend(plan.server_args.iter().cloned());
    let server = Server::start(Peer::Weft, cores, &arguments)?;
    let bystander = Bystander::start(server.door(Dialect::YWebsocket, "bystander").acknowledging());
    let mut table = "| | bytes | how | answer | s | server CPU s | bystander p50 ms | max ms |\n".to_owned();
    table += "|---|--:|---|---|--:|--:|--:|--:|\n";
    let mut is_well = true;
    for (number, make) in CASES.iter().enumerate() {
        if !make.0.contains(&plan.only) {
            continue;
        }
        let case = make.1(make.0)?;
        for how in [How::Live, How::Posted, How::Crowd] {
            if how == How::Crowd && case.fate == Fate::Taken {
                continue;
            }
            let documents: Vec<String> = (0..if how == How::Crowd { ROGUES } else { 1 })
                .map(|one| format!("giant-{number}-{}-{one}", how.name().replace(' ', "-")))
                .collect();
            let doors: Vec<Door> = documents
                .iter()
                .map(|document| server.door(Dialect::YWebsocket, document).acknowledging())
                .collect();
            if !case.before.is_empty() {
                for door in &doors {
                    replica::upload(door, &case.before)?;
                }
            }
            bystander.begin();
            let (begun, cpu) = (Instant::now(), process::cpu_time(server.pid())?);
            let answer = match how {
                How::Live | How::Crowd => live(&doors, &case.update)?,
                How::Posted => post(&doors[0], &case.update)?,
            };
            let took = begun.elapsed().as_secs_f64();
            let cpu = (process::cpu_time(server.pid())? - cpu).as_secs_f64();
            let (p50, max) = bystander.waited()?;
            let is_as_wanted = case.fate.admits(&answer);
            is_well &= is_as_wanted && max < 100.0;
            let mark = if is_as_wanted && max < 100.0 { "" } else { " **!**" };
            let (name, how, bytes) = (case.name, how.name(), case.update.len());
            let row = format!(
                "| {name} | {bytes} | {how} | {answer}{mark} | {took:.2} | {cpu:.2} | {p50:.2} | {max:.1} |"
            );
            eprintln!("{row}");
            writeln!(table, "{row}")?;
        }
    }
    if AGAIN.contains(&plan.only) {
        bystander.begin();
        let (begun, cpu) = (Instant::now(), process::cpu_time(server.pid())?);
        let (answer, bytes) = again(&server)?;
        let took = begun.elapsed().as_secs_f64();
        let cpu = (process::cpu_time(server.pid())? - cpu).as_secs_f64();
        let (p50, max) = bystander.waited()?;
        let is_as_wanted = answer == "taken";
        is_well &= is_as_wanted && max < 100.0;
        let mark = if is_as_wanted && max < 100.0 { "" } else { " **!**" };
        let row = format!(
            "| {AGAIN} | {bytes} | state into another | {answer}{mark} | {took:.2} | {cpu:.2} | {p50:.2} | {max:.1} |"
        );
        eprintln!("{row}");
        writeln!(table, "{row}")?;
    }
    println!("{table}");
    Ok(is_well)
}

/// What many dear changes leave in one document.
const AGAIN: &str = "one document made dear again and again";

/// Somebody brings dear changes into one document, posted and live by turns. Returns what becomes of its state in another
/// document, and how large it is.
fn again(server: &Server) -> Result<(String, usize)> {
    let [door, other] = ["giant-again", "giant-again-copy"]
        .map(|document| server.door(Dialect::YWebsocket, document).acknowledging());
    ensure!(post(&door, &replica::text_state(100))? == "taken", "a short text was refused");
    for client in 100..109 {
        let update = one_key(client, 50_000);
        let answer = post(&door, &update)?;
        ensure!(answer != "taken", "a dear change was taken");
        live(std::slice::from_ref(&door), &update)?;
    }
    let state = request(&door, "GET", "state", &[])?;
    let (head, state) = split(&state)?;
    ensure!(head.starts_with("HTTP/1.0 200"), "the state is not given: {head}");
    Ok((post(&other, state)?, state.len()))
}

/// How an update is brought.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// As the answer to the server's step 1.
    Live,
    /// `POST …/updates`.
    Posted,
    /// Live, by several at once, each to a document of its own.
    Crowd,
}

impl How {
    fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Posted => "posted",
            Self::Crowd => "8 live at once",
        }
    }
}

// ---- what is sent ---------------------------------------------------------------------------------------

type Make = (&'static str, fn(&'static str) -> Result<Case>);

const CASES: &[Make] = &[
    ("trace sveltecomponent", |name| Ok(honest(name, trace("sveltecomponent", 18_000)?))),
    ("trace friendsforever, two at once", |name| Ok(honest(name, traces::friends_forever()?))),
    ("trace automerge-paper", |name| Ok(honest(name, traces::automerge_paper()?.state))),
    ("a text of 50 MB", |name| Ok(honest(name, replica::text_state(50 << 20)))),
    ("2 million operations", |name| Ok(honest(name, operations(2_000_000, None)))),
    ("2 million operations, a letter of another", |name| {
        Ok(honest(name, operations(2_000_000, Some(500_000))))
    }),
    ("2 million operations, two at once", |name| Ok(honest(name, operations(2_000_000, Some(200))))),
    ("2 million operations deleted by 8 bytes", |name| {
        let (before, update) = (operations(2_000_000, None), deleting(2_000_000));
        // yrs joins what is left piece by piece, and moves all that stand behind each time: 42 s.
        Ok(rogue(name, before, update))
    }),
    ("two who put 4,000 entries on top of one list", two_on_top),
    ("16,000 clients at one spot", |name| Ok(rogue(name, Vec::new(), clients_at_one_spot(16_000)))),
    ("one key 50,000 times", |name| Ok(rogue(name, Vec::new(), one_key(1, 50_000)))),
    ("one key 2,000,000 times", |name| Ok(rogue(name, Vec::new(), one_key(1, 2_000_000)))),
    ("500,000 ranges of 1 MB", |name| {
        let (before, update) = (replica::text_state(1 << 20), every_other(500_000));
        Ok(Case { name, fate: Fate::Either, before, update })
    }),
    ("a map of 500,000 entries deleted by 8 bytes", |name| {
        Ok(Case { name, fate: Fate::Either, before: map(500_000), update: deleting(1) })
    }),
];

fn honest(name: &'static str, update: Vec<u8>) -> Case {
    Case { name, fate: Fate::Taken, before: Vec::new(), update }
}

fn rogue(name: &'static str, before: Vec<u8>, update: Vec<u8>) -> Case {
    Case { name, fate: Fate::Refused, before, update }
}

fn trace(name: &str, edits: usize) -> Result<Vec<u8>> {
    Ok(replica::state_of(&Trace::load(name, edits)?.updates()?.1))
}

/// What a client of Yjs has of somebody who wrote for years: a few letters behind each other, then somewhere else, and
/// every tenth deleted later. It stands there in as many pieces as later letters have cut it into. Of so many times that
/// they wrote somewhere, `another` wrote a letter there once at the same moment.
fn operations(count: u32, another: Option<u32>) -> Vec<u8> {
    let mut random = ChaCha8Rng::seed_from_u64(20_261_128);
    // Behind each letter, the next of the text; and between which two each was written. The other's letters come last.
    let mut next: Vec<Option<u32>> = vec![None; count as usize];
    let mut origins: Vec<(Option<u32>, Option<u32>)> = Vec::with_capacity(count as usize);
    let mut others: Vec<(Option<u32>, Option<u32>)> = Vec::new();
    let (mut clock, mut times) = (0, 0);
    while clock < count {
        let length = (1 + random.random_range(0..5)).min(count - clock);
        let left = (clock > 0).then(|| random.random_range(0..clock));
        let right = left.and_then(|left| next[left as usize]);
        for letter in clock..clock + length {
            origins.push((if letter == clock { left } else { Some(letter - 1) }, right));
            next[letter as usize] = if letter + 1 == clock + length { right } else { Some(letter + 1) };
        }
        if let Some(left) = left {
            next[left as usize] = Some(clock);
        }
        clock += length;
        times += 1;
        if another.is_some_and(|another| times % another == 0) {
            // The greater client comes second.
            next[clock as usize - 1] = Some(count + others.len() as u32);
            next.push(right);
            others.push((left, right));
        }
    }
    let is_deleted = |letter: u32| letter.is_multiple_of(10);
    let goes_on = |letter: u32| {
        let (before, after) = (origins[letter as usize - 1], origins[letter as usize]);
        after == (Some(letter - 1), before.1)
            && next[letter as usize - 1] == Some(letter)
            && is_deleted(letter - 1) == is_deleted(letter)
    };
    let put = |body: &mut Vec<u8>, content: u8, (left, right): (Option<u32>, Option<u32>)| {
        body.push(content | if left.is_some() { 0x80 } else { 0 } | if right.is_some() { 0x40 } else { 0 });
        for neighbour in [left, right].into_iter().flatten() {
            wire::write_uint(body, if neighbour < count { 1 } else { 2 });
            wire::write_uint(body, u64::from(neighbour % count));
        }
    };
    let (mut structs, mut body, mut clock) = (0u64, Vec::new(), 0);
    while clock < count {
        let end = (clock + 1..count).find(|&letter| !goes_on(letter)).unwrap_or(count);
        let (left, right) = origins[clock as usize];
        let content = if is_deleted(clock) { 1 } else { 4 };
        put(&mut body, content, (left, right));
        if left.or(right).is_none() {
            body.push(1);
            wire::write_sized(&mut body, TEXT.as_bytes());
        }
        if content == 1 {
            wire::write_uint(&mut body, u64::from(end - clock));
        } else {
            wire::write_sized(&mut body, "x".repeat((end - clock) as usize).as_bytes());
        }
        structs += 1;
        clock = end;
    }
    let mut update = vec![1 + u8::from(!others.is_empty())];
    if !others.is_empty() {
        wire::write_uint(&mut update, others.len() as u64);
        update.extend([2, 0]);
        for &neighbours in &others {
            put(&mut update, 4, neighbours);
            update.extend([1, b'o']);
        }
    }
    wire::write_uint(&mut update, structs);
    update.extend([1, 0]);
    update.extend(body);
    let deleted: Vec<u32> = (0..count).filter(|&letter| is_deleted(letter)).collect();
    write_deletions(&mut update, &deleted);
    update
}

/// Of client 1, each of these clocks.
fn write_deletions(update: &mut Vec<u8>, clocks: &[u32]) {
    update.extend([1, 1]);
    wire::write_uint(update, clocks.len() as u64);
    for &clock in clocks {
        wire::write_uint(update, u64::from(clock));
        update.push(1);
    }
}

/// So many letters of client 1, from the first on.
fn deleting(letters: u64) -> Vec<u8> {
    let mut update = vec![0, 1, 1, 1, 0];
    wire::write_uint(&mut update, letters);
    update
}

/// Under a key of a root, a map of many entries.
fn map(entries: u64) -> Vec<u8> {
    let mut update = vec![1];
    wire::write_uint(&mut update, entries + 1);
    update.extend([1, 0, 0x27, 1, 1, b'm', 1, b'k', 1]);
    for entry in 0..entries {
        update.extend([0x28, 0, 1, 0]);
        wire::write_sized(&mut update, entry.to_string().as_bytes());
        update.extend([1, 125, 1]);
    }
    update.push(0);
    update
}

/// What two people wrote into one list while they were offline, each entry before the last.
fn two_on_top(name: &'static str) -> Result<Case> {
    let on_top = |client: u64| {
        const ENTRIES: u64 = 4000;
        let mut update = vec![1];
        wire::write_uint(&mut update, ENTRIES);
        update.extend([client as u8, 0]);
        for clock in 0..ENTRIES {
            if clock == 0 {
                update.extend([8, 1, 1, b'l']);
            } else {
                update.extend([0x48, client as u8]);
                wire::write_uint(&mut update, clock - 1);
            }
            update.extend([1, 119, 1, b'x']);
        }
        update.push(0);
        update
    };
    Ok(Case { name, fate: Fate::Taken, before: on_top(1), update: on_top(2) })
}

/// A letter of each at the beginning of the text, made so that each is compared with all before it: the letter before its
/// own builds upon the one of the client below.
fn clients_at_one_spot(clients: u64) -> Vec<u8> {
    let mut update = Vec::new();
    wire::write_uint(&mut update, clients);
    for client in (1..=clients).rev() {
        wire::write_uint(&mut update, if client > 1 { 2 } else { 1 });
        wire::write_uint(&mut update, client);
        wire::write_uint(&mut update, 0);
        if client > 1 {
            update.push(0x84);
            wire::write_uint(&mut update, client - 1);
            wire::write_uint(&mut update, u64::from(client > 2));
            update.extend([1, b'b']);
        }
        update.extend([4, 1, 1, b't', 1, b'a']);
    }
    update.push(0);
    update
}

/// A key that somebody sets again and again and never sees.
fn one_key(client: u8, times: u64) -> Vec<u8> {
    let mut update = vec![1];
    wire::write_uint(&mut update, times);
    update.extend([client, 0]);
    for _ in 0..times {
        update.extend([0x28, 1, 1, b'm', 1, client, 1, 125, 1]);
    }
    update.push(0);
    update
}

/// Every other letter of a text deleted, each by itself.
fn every_other(ranges: u32) -> Vec<u8> {
    let mut update = vec![0];
    let clocks: Vec<u32> = (0..ranges).map(|range| 2 * range).collect();
    write_deletions(&mut update, &clocks);
    update
}

// ---- who sends it ---------------------------------------------------------------------------------------

/// Brings an update to each of the documents, and waits until all are answered. Returns the last answer.
fn live(doors: &[Door], update: &[u8]) -> Result<String> {
    let mut fleet = Fleet::new()?;
    let mut authors = Authors { doors: doors.to_vec(), update, answers: vec![None; doors.len()] };
    for door in doors {
        fleet.connect(&door.url)?;
    }
    fleet.turn_until(&mut authors, PATIENCE, "an answer", |authors| {
        authors.answers.iter().all(Option::is_some)
    })?;
    Ok(authors.answers.pop().flatten().unwrap_or_default())
}

struct Authors<'a> {
    doors: Vec<Door>,
    update: &'a [u8],
    answers: Vec<Option<String>>,
}

impl Driver for Authors<'_> {
    fn on(&mut self, id: Id, event: Event<'_>, _now: u64, outgoing: &mut Outgoing) {
        let door = self.doors[id].clone();
        match event {
            Event::Open => door.greeting(EMPTY_VECTOR).iter().for_each(|frame| outgoing.send(id, frame)),
            Event::Closed(reason) => {
                self.answers[id].get_or_insert(reason);
            }
            Event::Message(frame) => {
                let (answer, update) = (&mut self.answers[id], self.update);
                let read = door.each_message(frame, |message| match message {
                    Message::Step1(_) => outgoing.send(id, &door.sync(Sync::Step2, update)),
                    // So it is acknowledged.
                    Message::Update(echo) if echo == update => *answer = Some("taken".to_owned()),
                    _ => (),
                });
                if let Err(error) = read {
                    *answer = Some(format!("{error:#}"));
                }
            }
        }
    }
}

fn post(door: &Door, update: &[u8]) -> Result<String> {
    let answer = request(door, "POST", "updates", update)?;
    let status = split(&answer)?.0.split(' ').nth(1).context("an answer without a status")?;
    Ok(if status == "200" { "taken".to_owned() } else { status.to_owned() })
}

/// Asks for something of a document; returns the answer as it comes.
fn request(door: &Door, method: &str, what: &str, body: &[u8]) -> Result<Vec<u8>> {
    let address =
        door.url.strip_prefix("ws://").and_then(|rest| rest.split('/').next()).context("an address")?;
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let (document, length) = (&door.document, body.len());
    // Of HTTP/1.0, so that the body comes in one piece.
    let head = format!(
        "{method} /api/v1/documents/{document}/{what} HTTP/1.0\r\nHost: {address}\r\nContent-Type: \
         application/octet-stream\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

/// The head of an answer, and its body.
fn split(answer: &[u8]) -> Result<(&str, &[u8])> {
    const END: &[u8] = b"\r\n\r\n";
    let at =
        answer.windows(END.len()).position(|window| window == END).context("an answer without a head")?;
    Ok((std::str::from_utf8(&answer[..at])?, &answer[at + END.len()..]))
}

/// Somebody who types into another document the whole time.
struct Bystander {
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<Result<()>>>,
}

struct Shared {
    waited: Mutex<Histogram<u64>>,
    is_over: AtomicBool,
}

impl Bystander {
    fn start(door: Door) -> Self {
        let waited = Mutex::new(Histogram::new_with_bounds(1, 600_000_000_000, 3).expect("bounds are right"));
        let shared = Arc::new(Shared { waited, is_over: AtomicBool::new(false) });
        let thread = std::thread::spawn({
            let shared = shared.clone();
            move || {
                let (mut fleet, mut typist) = (Fleet::new()?, Typist::new(&door, shared.clone()));
                fleet.connect(&door.url)?;
                while !shared.is_over.load(Ordering::Acquire) {
                    fleet.turn(&mut typist, Duration::from_millis(2))?;
                    ensure!(typist.failure.is_none(), "the bystander: {:?}", typist.failure);
                    typist.types_again(&mut fleet);
                }
                Ok(())
            }
        });
        Self { shared, thread: Some(thread) }
    }

    fn begin(&self) {
        self.shared.waited.lock().unwrap_or_else(PoisonError::into_inner).reset();
    }

    /// Median and longest wait since the beginning, in milliseconds.
    fn waited(&self) -> Result<(f64, f64)> {
        ensure!(
            self.thread.as_ref().is_some_and(|thread| !thread.is_finished()),
            "the bystander was sent away"
        );
        let lock = || self.shared.waited.lock().unwrap_or_else(PoisonError::into_inner);
        // The letter that is under way now counts too.
        let (before, begun) = (lock().len(), Instant::now());
        while lock().len() < before + 2 {
            ensure!(begun.elapsed() < PATIENCE, "the bystander is not answered");
            std::thread::sleep(Duration::from_millis(1));
        }
        let waited = lock();
        Ok((waited.value_at_quantile(0.5) as f64 / 1e6, waited.max() as f64 / 1e6))
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        if let Some(Err(_)) = self.thread.take().map(std::thread::JoinHandle::join) {
            eprintln!("the bystander panicked");
        }
    }
}

/// One letter at a time, the next a little after the last is acknowledged.
struct Typist {
    door: Door,
    shared: Arc<Shared>,
    clock: u32,
    /// Since when a letter is on its way, and the letter.
    sent: Option<(Instant, Vec<u8>)>,
    next: Option<Instant>,
    failure: Option<String>,
}

impl Typist {
    fn new(door: &Door, shared: Arc<Shared>) -> Self {
        Self { door: door.clone(), shared, clock: 0, sent: None, next: None, failure: None }
    }

    fn types_again(&mut self, fleet: &mut Fleet) {
        if self.sent.is_none() && self.next.is_some_and(|next| next <= Instant::now()) {
            let mut letter = Vec::new();
            wire::write_append(&mut letter, 77, self.clock, "x");
            self.clock += 1;
            fleet.outgoing().send(0, &self.door.sync(Sync::Update, &letter));
            self.sent = Some((Instant::now(), letter));
        }
    }
}

impl Driver for Typist {
    fn on(&mut self, id: Id, event: Event<'_>, _now: u64, outgoing: &mut Outgoing) {
        let door = self.door.clone();
        match event {
            Event::Open => door.greeting(EMPTY_VECTOR).iter().for_each(|frame| outgoing.send(id, frame)),
            Event::Closed(reason) => self.failure = Some(reason),
            Event::Message(frame) => {
                const PAUSE: Duration = Duration::from_millis(5);
                let read = door.each_message(frame, |message| match message {
                    Message::Step1(_) => {
                        outgoing.send(id, &door.sync(Sync::Step2, EMPTY_UPDATE));
                        self.next = Some(Instant::now());
                    }
                    Message::Update(echo) => {
                        if let Some((since, _)) = self.sent.take_if(|(_, letter)| letter == echo) {
                            let waited = since.elapsed().as_nanos() as u64;
                            self.shared
                                .waited
                                .lock()
                                .unwrap_or_else(PoisonError::into_inner)
                                .saturating_record(waited);
                            self.next = Some(Instant::now() + PAUSE);
                        }
                    }
                    _ => (),
                });
                if let Err(error) = read {
                    self.failure = Some(format!("{error:#}"));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use yrs::block::ClientID;
    use yrs::updates::decoder::Decode;

    #[test]
    fn what_is_sent_is_what_it_is_called() {
        let both = operations(3_000, Some(10));
        let (text, vector) =
            (replica::text_of([both.as_slice()].into_iter()).unwrap(), replica::vector_of(&both).unwrap());
        let others = text.matches('o').count();
        assert!(others > 50 && vector.contains(&(2, others as u32)), "{vector:?}");
        let honest = operations(3_000, None);
        let text = replica::text_of([honest.as_slice()].into_iter()).unwrap();
        assert_eq!(text.len(), 3_000 - 300);
        assert_eq!(replica::vector_of(&honest).unwrap(), [(1, 3_000)]);
        let both = two_on_top("two").unwrap();
        for (client, update) in [(1, &both.before), (2, &both.update)] {
            let reaches = yrs::Update::decode_v1(update).unwrap().state_vector();
            assert_eq!(reaches, [(ClientID::new(client), 4_000)].into_iter().collect());
        }
        let letters = replica::text_state(100);
        let halved = [letters.as_slice(), &every_other(50)].map(<[u8]>::to_vec);
        let left = replica::text_of(halved.iter().map(Vec::as_slice)).unwrap();
        assert_eq!(left.len(), 50);
    }
}
