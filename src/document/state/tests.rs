//! Plays the stories in `scenarios/state` and `scenarios/presence`.
//!
//! A story has people with names, each a client with a document of its own. What they do goes into a
//! [`DocumentState`], and its effects are printed, and carried out as the actor would: broadcasts reach the
//! people, what is to be stored goes into a journal, and acknowledgements wait for it.
//! `UPDATE_GOLDENFILES=1 cargo test stories` writes what happens into the files.

use std::{collections::BTreeMap, error::Error, fmt::Write as _, str::FromStr, time::Duration};

use uuid::Uuid;
use yrs::{
    Map as _, ReadTxn, StateVector, Text, WriteTxn, XmlElementPrelim, XmlFragment as _, XmlOut,
    XmlTextPrelim, updates::decoder::Decode,
};

use super::*;
use crate::{
    document::deleted::Deleted,
    document::{
        acknowledgements::Acknowledgements,
        journal::{self, Journal},
        outbox::Before,
        replica::Replica,
        testing::{Writer, check, in_words, text_of},
    },
    ids::Timestamp,
    protocol::message::{AwarenessEntry, ClientId},
    store::{Appended, Life, Sequence},
    stories::tell_all,
};

#[test]
fn stories_of_updates() {
    tell_all("src/document/scenarios/state", Story::new);
}

#[test]
fn stories_of_presence() {
    tell_all("src/document/scenarios/presence", Story::new);
}

#[test]
fn whoever_comes_back_with_nothing_new_costs_nothing_however_much_was_deleted() {
    let ann = Writer::new(1);
    ann.insert(0, &"words ".repeat(1000));
    for at in 0..3000 {
        ann.remove(at, 1);
    }
    let all = ann.state();
    let replica = Replica::load([&all], Deleted::Collected).unwrap();
    let mut state = DocumentState::new(replica, presence::Config::default());
    let now = Moment { instant: Instant::now(), wall: Timestamp(0) };
    let bob = SessionId::new();
    state.join(bob, Access::Write, Dialect::Hocuspocus);
    let mut effects = Effects::new();
    state.receive(bob, Message::SyncStep2(check(all.clone())), now, &mut effects);
    assert!(!state.has_waiting());
    assert!(matches!(&effects[..], [Effect::Acknowledge { outcome: Outcome::Applied, .. }]), "{effects:?}");
    // Behind something of theirs that waits, it waits too, and what is new is applied.
    let ann_goes_on = ann.insert(0, "and on");
    state.receive(bob, Message::Update(check(ann_goes_on)), now, &mut effects);
    state.receive(bob, Message::SyncStep2(check(all)), now, &mut effects);
    assert_eq!((state.waiting().0, effects.len(), state.waits_long()), (2, 1, true));
}

/// A page of an earlier version, with a tree that says `words`.
fn old_page(words: &str) -> Writer {
    let page = Writer::new(7);
    page.edit(|_, txn| {
        txn.get_or_insert_map("meta").insert(txn, "titleTaken", "Minutes");
        let tree = txn.get_or_insert_xml_fragment("default");
        tree.push_back(txn, XmlElementPrelim::empty("paragraph")).push_back(txn, XmlTextPrelim::new(words));
    });
    page
}

fn types_into_tree(page: &Writer, words: &str) -> Update {
    check(page.edit(|_, txn| {
        let tree = txn.get_or_insert_xml_fragment("default");
        let Some(XmlOut::Element(block)) = tree.get(txn, 0) else { panic!("no block") };
        let Some(XmlOut::Text(text)) = block.get(txn, 0) else { panic!("no words") };
        text.push(txn, words);
    }))
}

fn taken_over(page: &Writer) -> DocumentState {
    let mut replica = Replica::load([&page.state()], Deleted::Collected).unwrap();
    replica.take_over(usize::MAX).unwrap();
    DocumentState::new(replica, presence::Config::default())
}

fn body_of(state: &mut DocumentState) -> String {
    let body = crate::protocol::json::FieldName::parse("body").unwrap();
    state.replica().root_text(&body).unwrap().text.characters
}

const MOMENT: fn() -> Moment = || Moment { instant: Instant::now(), wall: Timestamp(0) };

/// What a look at the tree found holds until something changes.
#[test]
fn a_look_that_found_nothing_swallows_no_change() {
    let page = old_page("one");
    let mut state = taken_over(&page);
    let ann = SessionId::new();
    state.join(ann, Access::Write, Dialect::Hocuspocus);
    let mut effects = Effects::new();
    state.receive(ann, Message::Update(check(page.state())), MOMENT(), &mut effects);
    let (mut replica, batch) = state.lend().unwrap();
    let applied = replica.apply_dear(&batch[0].update).unwrap();
    assert!(!applied.has_changed());
    replica.take_over_ahead();
    state.take_back(replica, batch, vec![applied], None, MOMENT());
    state.receive(ann, Message::Update(types_into_tree(&page, " two")), MOMENT(), &mut effects);
    state.flush(MOMENT());
    assert_eq!(body_of(&mut state).trim(), "one two");
}

/// To look at a large tree takes long, and every change may have written there.
#[test]
fn what_a_large_text_of_an_earlier_version_hears_is_applied_apart() {
    let page = old_page("one");
    for (bytes, is_large) in [(1 << 10, false), (1 << 21, true)] {
        let mut state = taken_over(&page);
        state.set_size(usize::MAX, bytes);
        let ann = SessionId::new();
        state.join(ann, Access::Write, Dialect::Hocuspocus);
        assert!(!state.waits_long());
        let update = types_into_tree(&page, "!");
        state.receive(ann, Message::Update(update), MOMENT(), &mut Effects::new());
        assert_eq!(state.waits_long(), is_large);
        // What it takes to say something is more than what is said.
        state.found_size(1 << 10);
        assert!(!state.waits_long());
    }
    // Others have no tree.
    let mut state = DocumentState::new(Replica::default(), presence::Config::default());
    state.set_size(usize::MAX, 1 << 21);
    let ann = SessionId::new();
    state.join(ann, Access::Write, Dialect::Hocuspocus);
    let update = check(Writer::new(9).insert(0, "x"));
    state.receive(ann, Message::Update(update), MOMENT(), &mut Effects::new());
    assert!(state.has_waiting() && !state.waits_long());
}

/// What an old page writes that cannot be carried is not tried again with every key.
#[cfg(feature = "test-hooks")]
#[test]
fn a_tree_that_takes_the_reader_down_does_so_once() {
    use crate::document::replica::PANIC_TREE_ROOT;
    let page = old_page("one");
    let mut state = taken_over(&page);
    let ann = SessionId::new();
    state.join(ann, Access::Write, Dialect::Hocuspocus);
    let root = page.edit(|_, txn| txn.get_or_insert_text(PANIC_TREE_ROOT).push(txn, "x"));
    let mut effects = Effects::new();
    for update in [check(root), types_into_tree(&page, "!")] {
        state.receive(ann, Message::Update(update), MOMENT(), &mut effects);
    }
    assert!(matches!(state.flush(MOMENT()).last(), Some(Effect::Poisoned { .. })));
    state.replace_replica(Replica::load([&page.state()], Deleted::Collected).unwrap(), MOMENT());
    state.receive(ann, Message::Update(types_into_tree(&page, "?")), MOMENT(), &mut effects);
    state.flush(MOMENT());
    assert!(!state.is_poisoned());
}

#[cfg(feature = "test-hooks")]
#[test]
fn what_panics_when_it_is_tidied_is_tidied_once() {
    use crate::document::replica::PANIC_TIDY_ROOT;
    let page = Writer::new(7);
    page.edit(|_, txn| txn.get_or_insert_text(PANIC_TIDY_ROOT).push(txn, "x"));
    let load = || Replica::load([&page.state()], Deleted::Collected).unwrap();
    let mut state = DocumentState::new(load(), presence::Config::default());
    assert!(matches!(&state.tidy(MOMENT())[..], [Effect::Poisoned { .. }]));
    state.replace_replica(load(), MOMENT());
    assert!(state.tidy(MOMENT()).is_empty() && !state.is_poisoned());
}

/// Times as people write them: `30s`, `100ms`.
#[derive(Debug)]
pub(in crate::document) struct Span(pub(in crate::document) Duration);

impl FromStr for Span {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
        let number = number.parse().map_err(|_| format!("{text} is not a time"))?;
        match unit {
            "s" => Ok(Self(Duration::from_secs(number))),
            "ms" => Ok(Self(Duration::from_millis(number))),
            _ => Err(format!("{text} is not a time")),
        }
    }
}

#[derive(goldenscript::Command)]
enum Command {
    /// A session begins. `join ann [read] [acknowledged | hocuspocus]`; `join ann-again as=ann` is the same client, back
    /// on another socket.
    Join {
        who: String,
        #[arg(optional)]
        flags: Vec<String>,
        #[arg(key = "as")]
        person: Option<String>,
    },
    /// A session ends: `leave ann clean` or `leave ann dropped`.
    Leave(String, String),
    /// Writes into the text and sends it: `type ann 0 hello`. With `keep=u1` it is not sent yet.
    Type {
        who: String,
        at: u32,
        text: String,
        #[arg(key)]
        keep: Option<String>,
    },
    /// Deletes from the text and sends it: `erase ann 0 2`.
    Erase {
        who: String,
        at: u32,
        length: u32,
        #[arg(key)]
        keep: Option<String>,
    },
    /// Hears kept updates from elsewhere, past the server.
    Hear(String, Vec<String>),
    /// Sends kept updates.
    Send(String, Vec<String>),
    /// Sends bytes.
    SendHex(String, String),
    /// Sends a step 1, with an empty state vector if `all` follows.
    Ask(String, Option<String>),
    /// Sends a step 2: what the last step 1 asked for, or `nothing`, or a kept update.
    Answer(String, Option<String>),
    /// Presence: `aware ann ann@1='{"name":"Ann"}' bob@3=gone`.
    Aware(String, #[arg(optional)] Vec<(String, String)>),
    /// Makes so many strangers known, for the two commands below.
    Crowd(u64),
    /// Claims the presence of the strangers from one number to another, in one message, or gives it up.
    Own(String, u64, u64),
    OwnGone(String, u64, u64),
    Query(String),
    Echo(String, String),
    Flush,
    Tick,
    Advance(Span),
    /// From here on broadcasts do not reach somebody, and what is lacking is noted.
    Deaf(String),
    /// Makes up for what was not heard, and for presence if asked.
    CatchUp(String, Option<String>),
    /// The text as somebody has it, or as the document has it.
    Read(Option<String>),
    /// The journal cannot take more, or can again.
    Full,
    Room,
    /// The journal's write is over.
    Commit,
    Fail,
    /// The replica panics.
    Poison,
    /// The replica is loaded again from everything that was to be stored, and the suspects are tried alone.
    Reload,
    /// How much waits to be applied.
    Waiting,
}

struct Story {
    state: DocumentState,
    journal: Journal,
    /// Acknowledgements that wait for the journal, as the actor keeps them.
    owed: Acknowledgements<(SessionId, Outcome)>,
    /// How many updates the write under way holds, and the last sequence number given out.
    writing: u64,
    stored: u64,
    log: Vec<Bytes>,
    start: Instant,
    passed: Duration,
    writers: BTreeMap<String, (ClientId, Writer)>,
    sessions: BTreeMap<String, Session>,
    kept: BTreeMap<String, Bytes>,
    /// Everything as it came, to recognise it when it is passed on.
    sent: Vec<Bytes>,
    suspects: Vec<Suspect>,
}

struct Session {
    id: SessionId,
    person: String,
    is_here: bool,
    asked: StateVector,
    lag: Option<Lag>,
}

impl goldenscript::Runner for Story {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &goldenscript::Context) -> Result<String, Box<dyn Error>> {
        let mut out = String::new();
        self.play(command, &mut out)?;
        Ok(out)
    }
}

impl Story {
    fn new() -> Self {
        Self {
            state: DocumentState::new(Replica::default(), presence::Config::default()),
            journal: Journal::new(journal::Config::default(), Sequence(0)),
            owed: Acknowledgements::default(),
            writing: 0,
            stored: 0,
            log: Vec::new(),
            start: Instant::now(),
            passed: Duration::ZERO,
            writers: BTreeMap::new(),
            sessions: BTreeMap::new(),
            kept: BTreeMap::new(),
            sent: Vec::new(),
            suspects: Vec::new(),
        }
    }

    fn play(&mut self, command: &Command, out: &mut String) -> Result<(), Box<dyn Error>> {
        let now = self.now();
        let effects = match command {
            Command::Join { who, flags, person } => self.join(who, flags, person.as_deref())?,
            Command::Leave(who, how) => {
                let clean = match how.as_str() {
                    "clean" => true,
                    "dropped" => false,
                    other => return Err(format!("leave clean or dropped, not {other}").into()),
                };
                let id = self.session(who)?.id;
                self.session(who)?.is_here = false;
                self.state.leave(id, clean, now)
            }
            Command::Type { who, at, text, keep } => {
                let update = self.writer(who)?.insert(*at, text);
                self.send_or_keep(who, update, keep)?
            }
            Command::Erase { who, at, length, keep } => {
                let update = self.writer(who)?.remove(*at, *length);
                self.send_or_keep(who, update, keep)?
            }
            Command::Hear(who, names) => {
                for name in names {
                    let update = self.kept.get(name).cloned().ok_or("no such update")?;
                    self.writer(who)?.receive(&update);
                }
                return Ok(());
            }
            Command::Send(who, names) => {
                let mut effects = Effects::new();
                for name in names {
                    let update = self.kept.get(name).cloned().ok_or("no such update")?;
                    effects.extend(self.say(who, Message::Update(check(update)))?);
                }
                effects
            }
            Command::SendHex(who, hex) => {
                let digits: Vec<u8> = hex.bytes().collect();
                let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap_or(""), 16);
                let bytes: Vec<u8> = digits.chunks(2).map(byte).collect::<Result<_, _>>()?;
                self.say(who, Message::Update(check(bytes)))?
            }
            Command::Ask(who, all) => {
                let vector = match all.as_deref() {
                    None => self.writer(who)?.vector(),
                    Some("all") => StateVector::default(),
                    Some(other) => return Err(format!("unknown {other}").into()),
                };
                self.say(who, Message::SyncStep1(vector))?
            }
            Command::Answer(who, what) => {
                let update = match what.as_deref() {
                    None => {
                        let asked = self.session(who)?.asked.clone();
                        self.writer(who)?.difference(&asked)
                    }
                    Some("nothing") => Bytes::from_static(&[0, 0]),
                    Some(name) => self.kept.get(name).cloned().ok_or("no such update")?,
                };
                self.say(who, Message::SyncStep2(check(update)))?
            }
            Command::Aware(who, entries) => {
                let entries = entries.iter().map(|(who, state)| {
                    let (who, clock) = who.split_once('@').ok_or("no clock")?;
                    let state = (state != "gone").then(|| Arc::from(state.as_str()));
                    let client = self.writers.get(who).ok_or(format!("nobody is called {who}"))?.0;
                    Ok::<_, Box<dyn Error>>(AwarenessEntry { client, clock: clock.parse()?, state })
                });
                let entries = entries.collect::<Result<Vec<_>, _>>()?;
                self.say(who, Message::Awareness(entries.into()))?
            }
            Command::Crowd(size) => {
                for number in 1..=*size {
                    let client = ClientId::new(1000 + number);
                    self.writers.insert(format!("{number}"), (client, Writer::new(1000 + number)));
                }
                return Ok(());
            }
            Command::Own(who, from, to) | Command::OwnGone(who, from, to) => {
                let state = matches!(command, Command::Own(..)).then(|| Arc::from("{}"));
                let entry = |number| AwarenessEntry {
                    client: ClientId::new(1000 + number),
                    clock: 1,
                    state: state.clone(),
                };
                let entries = (*from..=*to).map(entry).collect::<Vec<_>>();
                self.say(who, Message::Awareness(entries.into()))?
            }
            Command::Query(who) => self.say(who, Message::QueryAwareness)?,
            Command::Echo(who, text) => self.say(who, Message::Echo(text.clone().into()))?,
            Command::Flush => self.state.flush(now),
            Command::Tick => self.state.tick(now),
            Command::Advance(span) => {
                self.passed += span.0;
                return Ok(());
            }
            Command::Deaf(who) => {
                self.session(who)?.lag = Some(Lag::new());
                return Ok(());
            }
            Command::CatchUp(who, presence) => {
                let lag = self.session(who)?.lag.take();
                let messages = self.state.make_up(lag.as_ref(), presence.is_some())?;
                let to = self.session(who)?.id;
                messages.into_iter().map(|message| Effect::Send { to, message }).collect()
            }
            Command::Read(who) => {
                let text = match who {
                    Some(who) => {
                        let writer = self.writer(who)?;
                        let waiting = if writer.is_waiting() { ", and something waits" } else { "" };
                        format!("{:?}{waiting}", writer.text())
                    }
                    None => format!("{:?}", text_of([&self.state.replica().state()?])),
                };
                writeln!(out, "{text}")?;
                return Ok(());
            }
            Command::Full | Command::Room => {
                self.state.set_full(matches!(command, Command::Full));
                return Ok(());
            }
            Command::Commit => {
                self.write();
                let first = Sequence(self.stored + 1);
                let count = std::mem::take(&mut self.writing);
                self.stored += count;
                self.journal.succeeded(Appended { life: Life::FIRST, first, count });
                writeln!(out, "durable up to {}", self.journal.watermark().0)?;
                self.pay(out);
                return Ok(());
            }
            Command::Fail => {
                self.write();
                self.writing = 0;
                self.journal.failed(now.instant);
                return Ok(());
            }
            Command::Poison => {
                self.state.replica().break_down();
                return Ok(());
            }
            Command::Reload => {
                drop(self.state.replace_replica(Replica::load(&self.log, Deleted::Collected)?, now));
                for suspect in std::mem::take(&mut self.suspects) {
                    let effects = self.state.retry(suspect, now);
                    self.carry_out(effects, out);
                }
                return Ok(());
            }
            Command::Waiting => {
                writeln!(out, "{} updates", self.state.waiting().0)?;
                return Ok(());
            }
        };
        self.carry_out(effects, out);
        Ok(())
    }

    fn now(&self) -> Moment {
        Moment { instant: self.start + self.passed, wall: Timestamp(self.passed.as_millis() as u64) }
    }

    fn join(&mut self, who: &str, flags: &[String], person: Option<&str>) -> Result<Effects, Box<dyn Error>> {
        let (mut access, mut dialect) = (Access::Write, Dialect::YWebSocket { echo: false });
        for flag in flags {
            match flag.as_str() {
                "read" => access = Access::Read,
                "acknowledged" => dialect = Dialect::YWebSocket { echo: true },
                "hocuspocus" => dialect = Dialect::Hocuspocus,
                other => return Err(format!("unknown {other}").into()),
            }
        }
        let person = person.unwrap_or(who).to_owned();
        let number = self.writers.len() as u64 + 1;
        self.writers.entry(person.clone()).or_insert_with(|| (ClientId::new(number), Writer::new(number)));
        let id = SessionId(Uuid::from_u128(self.sessions.len() as u128 + 1));
        let asked = StateVector::default();
        let session = Session { id, person, is_here: true, asked, lag: None };
        if self.sessions.insert(who.to_owned(), session).is_some() {
            return Err(format!("{who} has joined before").into());
        }
        Ok(self.state.join(id, access, dialect))
    }

    fn send_or_keep(
        &mut self,
        who: &str,
        update: Bytes,
        keep: &Option<String>,
    ) -> Result<Effects, Box<dyn Error>> {
        match keep {
            Some(name) => {
                self.kept.insert(name.clone(), update);
                Ok(Effects::new())
            }
            None => self.say(who, Message::Update(check(update))),
        }
    }

    fn say(&mut self, who: &str, message: Message) -> Result<Effects, Box<dyn Error>> {
        if let Message::Update(update) | Message::SyncStep2(update) = &message {
            self.sent.push(update.bytes().clone());
        }
        let (id, now) = (self.session(who)?.id, self.now());
        let mut effects = Effects::new();
        self.state.receive(id, message, now, &mut effects);
        Ok(effects)
    }

    fn session(&mut self, who: &str) -> Result<&mut Session, Box<dyn Error>> {
        self.sessions.get_mut(who).ok_or_else(|| format!("{who} has not joined").into())
    }

    fn writer(&mut self, who: &str) -> Result<&Writer, Box<dyn Error>> {
        let person = self.sessions.get(who).map_or(who, |session| &session.person);
        Ok(&self.writers.get(person).ok_or_else(|| format!("nobody is called {who}"))?.1)
    }

    // ---- what the actor does --------------------------------------------------------------------------

    fn carry_out(&mut self, effects: Effects, out: &mut String) {
        for effect in effects {
            let line = match effect {
                Effect::Send { to, message } => {
                    let words = self.message_in_words(&message);
                    self.hear(to, &message);
                    format!("to {}: {words}", self.name(to))
                }
                Effect::BroadcastUpdate { except, update, before } => {
                    let as_it_came = self.sent.iter().any(|sent| sent.as_ptr() == update.as_ptr());
                    let manner = if as_it_came { ", as it came" } else { "" };
                    self.broadcast(except, &update, &before);
                    let after =
                        before.iter().map(|&(client, clock)| format!("{} {clock}", self.client(client)));
                    let after: Vec<_> = after.collect();
                    let after = if after.is_empty() {
                        String::new()
                    } else {
                        format!(" (after {})", after.join(", "))
                    };
                    format!(
                        "to {}: update {}{manner}{after}",
                        self.all_but(except),
                        self.update_in_words(&update)
                    )
                }
                Effect::BroadcastAwareness { except, awareness } => {
                    format!("to {}: presence {}", self.all_but(except), self.presence_in_words(&awareness))
                }
                Effect::ShowPresence { to, awareness } => {
                    let names: Vec<_> = to.iter().map(|to| self.name(*to)).collect();
                    format!("to {}: presence {}", names.join(", "), self.presence_in_words(&awareness))
                }
                Effect::Tell { to, said } => format!("tell {}: {said:?}", to.len()),
                Effect::ReadRich(field) => format!("read {field}"),
                Effect::Store(update) => {
                    let by = update.origin.map_or("several".to_owned(), |origin| self.name(origin));
                    let line = format!("store {} by {by}", self.update_in_words(&update.bytes));
                    self.log.push(update.bytes.clone());
                    self.journal.push(update);
                    line
                }
                Effect::Acknowledge { to, outcome, .. } => {
                    let ticket = self.owed.owe((to, outcome), &self.journal);
                    format!("owe {}: {outcome:?} at {}", self.name(to), ticket.0)
                }
                Effect::Probe(session) => format!("probe {}", self.name(session)),
                Effect::Refused(reason) => format!("refused: {reason}"),
                Effect::Close { session, reason } => {
                    format!("close {}: {}", self.name(session), reason.code())
                }
                Effect::Poisoned { suspects, .. } => {
                    let names: Vec<_> = suspects.iter().map(|suspect| self.name(suspect.session)).collect();
                    self.suspects.extend(suspects);
                    format!("poisoned; suspects: [{}]", names.join(", "))
                }
            };
            writeln!(out, "{line}").unwrap();
        }
        self.write();
        self.pay(out);
    }

    fn write(&mut self) {
        if let Some(updates) = self.journal.take(self.now().instant) {
            self.writing = updates.len() as u64;
        }
    }

    /// Pays the acknowledgements that are due.
    fn pay(&mut self, out: &mut String) {
        while let Some((to, outcome)) = self.owed.due(&self.journal) {
            writeln!(out, "acknowledge {}: {outcome:?}", self.name(to)).unwrap();
        }
    }

    fn hear(&mut self, to: SessionId, message: &Outgoing) {
        let Some(session) = self.sessions.values_mut().find(|session| session.id == to) else { return };
        match message {
            Outgoing::SyncStep1(vector) => session.asked = StateVector::decode_v1(vector).unwrap(),
            Outgoing::SyncStep2(update) | Outgoing::Update(update) => {
                self.writers[&session.person].1.receive(update);
            }
            _ => {}
        }
    }

    fn broadcast(&mut self, except: Option<SessionId>, update: &Bytes, before: &Before) {
        for session in self.sessions.values_mut() {
            if !session.is_here || Some(session.id) == except {
                continue;
            }
            match &mut session.lag {
                Some(lag) => {
                    for &(client, clock) in before.iter() {
                        lag.entry(client).and_modify(|known| *known = clock.min(*known)).or_insert(clock);
                    }
                }
                None => self.writers[&session.person].1.receive(update),
            }
        }
    }

    // ---- in words -------------------------------------------------------------------------------------

    fn name(&self, id: SessionId) -> String {
        let found = self.sessions.iter().find(|(_, session)| session.id == id);
        found.map_or("somebody".to_owned(), |(name, _)| name.clone())
    }

    fn client(&self, id: ClientId) -> String {
        let found = self.writers.iter().find(|(_, (client, _))| *client == id);
        found.map_or("stranger".to_owned(), |(name, _)| name.clone())
    }

    fn all_but(&self, except: Option<SessionId>) -> String {
        except.map_or("all".to_owned(), |except| format!("all but {}", self.name(except)))
    }

    fn update_in_words(&self, update: &[u8]) -> String {
        in_words(update, &|client| self.client(client))
    }

    fn message_in_words(&self, message: &Outgoing) -> String {
        match message {
            Outgoing::SyncStep1(vector) => {
                let vector = StateVector::decode_v1(vector).unwrap();
                let mut clocks: Vec<_> = vector
                    .iter()
                    .map(|(client, clock)| format!("{} {clock}", self.client(*client)))
                    .collect();
                clocks.sort();
                format!("step 1 [{}]", clocks.join(", "))
            }
            Outgoing::SyncStep2(update) => format!("step 2 {}", self.update_in_words(update)),
            Outgoing::Update(update) => format!("update {}", self.update_in_words(update)),
            Outgoing::Awareness(awareness) => format!("presence {}", self.presence_in_words(awareness)),
            Outgoing::Denied(reason) => format!("denied {reason}"),
            Outgoing::Echo(bytes) => format!("echo {}", String::from_utf8_lossy(bytes)),
            other => format!("{other:?}"),
        }
    }

    fn presence_in_words(&self, awareness: &[u8]) -> String {
        let limits = crate::protocol::guard::Limits::default();
        let update = AwarenessUpdate::decode(awareness, &limits).unwrap();
        let mut entries: Vec<_> = update
            .entries
            .iter()
            .map(|entry| {
                let state = entry.state.as_deref().unwrap_or("gone");
                format!("{}@{}={state}", self.client(entry.client), entry.clock)
            })
            .collect();
        entries.sort();
        match entries.len() {
            0 => "of nobody".to_owned(),
            1..=8 => entries.join(" "),
            many => format!("of {many} clients"),
        }
    }
}

/// Everybody is heard by everybody, and yet a crowd that moves does not cause as many deliveries as it has pairs.
#[test]
fn presence_of_a_crowd_is_gathered_and_everybody_is_told_the_latest() {
    const CROWD: u64 = 400;
    let start = Instant::now();
    let at = |ms: u64| Moment { instant: start + Duration::from_millis(ms), wall: Timestamp(ms) };
    let mut state = DocumentState::new(Replica::default(), presence::Config::default());
    for n in 0..CROWD {
        state.join(SessionId(Uuid::from_u128(n.into())), Access::Write, Dialect::YWebSocket { echo: false });
    }
    let mut told: BTreeMap<ClientId, String> = BTreeMap::new();
    let mut messages = 0;
    let mut hear = |effects: Effects| {
        for effect in effects {
            let Effect::BroadcastAwareness { awareness, .. } = effect else { continue };
            messages += 1;
            let limits = crate::protocol::guard::Limits::default();
            for entry in AwarenessUpdate::decode(&awareness, &limits).unwrap().entries {
                told.insert(entry.client, entry.state.as_deref().unwrap_or("gone").to_owned());
            }
        }
    };
    for round in 1..=3 {
        for n in 0..CROWD {
            let state_of = format!(r#"{{"round":{round}}}"#);
            let entry =
                AwarenessEntry { client: ClientId::new(n + 1), clock: round, state: Some(state_of.into()) };
            let mut effects = Effects::new();
            let session = SessionId(Uuid::from_u128(n.into()));
            state.receive(session, Message::Awareness(vec![entry].into()), at(0), &mut effects);
            hear(effects);
        }
    }
    assert!(state.has_untold_presence());
    assert_eq!(state.tell_untold_presence(at(0)).len(), 0, "there is no room for it yet");
    hear(state.tell_untold_presence(at(1000)));
    assert!(!state.has_untold_presence());
    assert!(messages < 200, "{messages} messages to {CROWD} each");
    assert_eq!(told.len() as u64, CROWD);
    assert!(told.values().all(|state| state == r#"{"round":3}"#), "{told:?}");
}

/// Who comes to a crowd, or asks who is in it, is told with all others who do: it is encoded once, and every queue
/// holds the same bytes.
#[test]
fn who_is_in_a_crowd_is_encoded_once_for_all_who_come_within_a_moment() {
    const CROWD: u64 = 300;
    let start = Instant::now();
    let at = |ms: u64| Moment { instant: start + Duration::from_millis(ms), wall: Timestamp(ms) };
    let session = |n: u64| SessionId(Uuid::from_u128(n.into()));
    let dialect = Dialect::YWebSocket { echo: false };
    let mut state = DocumentState::new(Replica::default(), presence::Config::default());
    for n in 0..CROWD {
        state.join(session(n), Access::Write, dialect);
        let entry = AwarenessEntry { client: ClientId::new(n + 1), clock: 1, state: Some("{}".into()) };
        state.receive(session(n), Message::Awareness(vec![entry].into()), at(0), &mut Effects::new());
    }
    while state.has_untold_presence() {
        state.tell_untold_presence(at(10_000));
    }
    let mut effects = Effects::new();
    for n in CROWD..2 * CROWD {
        effects.extend(state.join(session(n), Access::Write, dialect));
        state.receive(session(n), Message::QueryAwareness, at(10_000), &mut effects);
    }
    state.receive(session(0), Message::QueryAwareness, at(10_000), &mut effects);
    drop(state.leave(session(CROWD), false, at(10_000)));
    let is_presence = |effect: &&Effect| {
        matches!(effect, Effect::Send { message: Outgoing::Awareness(_), .. } | Effect::ShowPresence { .. })
    };
    assert_eq!(effects.iter().filter(is_presence).count(), 0, "each is told by itself");
    assert!(state.has_untold_presence());
    let told = state.tell_untold_presence(at(10_050));
    let [Effect::ShowPresence { to, awareness }] = told.as_slice() else { panic!("{told:?}") };
    let hearers: Vec<_> = std::iter::once(0).chain(CROWD + 1..2 * CROWD).map(session).collect();
    assert_eq!(*to, hearers);
    let limits = crate::protocol::guard::Limits { awareness_clients: 1000, ..Default::default() };
    assert_eq!(AwarenessUpdate::decode(awareness, &limits).unwrap().entries.len() as u64, CROWD);
    assert!(!state.has_untold_presence());
}

/// One who edits by operations answers for what they cost like everybody: here each walks a text of many blocks.
#[test]
fn operations_are_paid_for_and_refused_in_words_where_nothing_is_left() {
    let yan = Writer::new(1);
    let update = yan.edit(|_, txn| {
        let text = txn.get_text("text").unwrap();
        (0..50_000).for_each(|_| text.insert(txn, 0, "x"));
    });
    let replica = Replica::load([&update], Deleted::Collected).unwrap();
    let mut state = DocumentState::new(replica, presence::Config::default());
    let start = Instant::now();
    let at = |s: u64| Moment { instant: start + Duration::from_secs(s), wall: Timestamp(0) };
    let ann = SessionId::new();
    let editor = EditorName::parse("ann").unwrap();
    state.join_text(ann, Access::Write, editor, FieldName::parse("text").unwrap(), at(0));
    let propose = |state: &mut DocumentState, revision: usize, now: Moment| {
        let (id, length) = (format!("a{revision}"), 50_000 + revision);
        let text = format!(
            r#"{{"type":"operation","payload":{{"id":"{id}","revision":{revision},"operation":[{length},"y"]}}}}"#
        );
        let effects = state.receive_text(ann, json::decode(&text, &json::Limits::default()), now);
        let said = effects.iter().filter_map(|effect| match effect {
            Effect::Tell { said: Said::Answer(text), .. } => Some(String::from_utf8_lossy(text).into_owned()),
            _ => None,
        });
        let stored = effects.iter().any(|effect| matches!(effect, Effect::Store(_)));
        (stored, said.collect::<String>())
    };
    assert_eq!(propose(&mut state, 0, at(0)), (true, String::new()));
    assert!(state.members[&ann].purse.has_paid(), "a walk over 50,000 blocks is worth more than a letter");
    state.charge(ann, Duration::from_secs(10).mul_f64(crate::document::replica::speed::slowness()), at(0));
    let (stored, said) = propose(&mut state, 1, at(1));
    assert!(!stored && said.contains(r#""code":"rate_limited""#) && said.contains(r#""id":"a1""#), "{said}");
    assert_eq!(propose(&mut state, 1, at(300)), (true, String::new()), "sent again a little later");
}
