//! Plays the stories in `scenarios/state` and `scenarios/presence`, and asks what no story does.
//!
//! A story has people with names, each a client with a document of its own. What they do goes into a document that serves, and
//! its effects are printed, and carried out as the actor would: broadcasts reach the people, and what is to be stored is
//! written when the story says so. `UPDATE_GOLDENFILES=1 cargo test stories` writes what happens into the files.

use std::{collections::BTreeMap, error::Error, fmt::Write as _, str::FromStr, time::Duration};

use uuid::Uuid;
use yrs::{StateVector, updates::decoder::Decode};

use super::*;
use crate::{
    auth::Access,
    document::{
        deleted::Deleted,
        effect::{Effect, Suspect},
        queue::{Before, Lag},
        replica::told::Told,
        testing::{Writer, check, in_words, text_of},
    },
    protocol::{
        Dialect,
        message::{AwarenessEntry, AwarenessUpdate, ClientId, Message, SyncMessage},
    },
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
/// A document that nobody has written yet.
fn fresh(now: Moment) -> Serving {
    Serving::new(Replica::default(), None, Arc::new(Config::default()), now)
}

fn start() -> Moment {
    Moment { instant: Instant::now(), wall: Timestamp(1) }
}

/// Writes something into it; as much, for the log, as `bytes`.
fn write(serving: &mut Serving, author: &Writer, text: &str) {
    let bytes = author.insert(0, text);
    let update = check(bytes.clone());
    serving.state.replica().apply(&[&update]).unwrap();
    serving.keep(LoggedUpdate { bytes, origin: None, at: Timestamp(7) });
}

/// Has all of it stored.
fn store(serving: &mut Serving, now: Instant) {
    while let Some(write) = serving.next_write(now) {
        let first = Sequence(serving.journal.stored().0 + 1);
        serving.written(Appended { life: Life::FIRST, first, count: write.updates.len() as u64 }, now);
    }
}

fn head(standing: Standing) -> Head {
    Head {
        standing,
        created: Timestamp(1),
        modified: Timestamp(2),
        last: Sequence(0),
        checkpoint: Sequence(0),
        document: DocumentName::parse("a").unwrap(),
        stored_bytes: 0,
        life: Life(2),
        summary: Summary::default(),
    }
}

#[test]
fn a_log_is_replaced_when_it_has_outgrown_the_state_and_not_while_that_is_under_way() {
    let now = start();
    let mut serving = fresh(now);
    let ann = Writer::new(1);
    assert!(matches!(serving.checkpoint(now.instant), Checkpointing::Not), "the store does not know it");
    write(&mut serving, &ann, &"a".repeat(70_000));
    assert!(serving.is_checkpoint_due());
    store(&mut serving, now.instant);
    let Checkpointing::Write(checkpoint) = serving.checkpoint(now.instant) else { panic!("it is due") };
    assert_eq!((checkpoint.upto, checkpoint.life), (Sequence(1), Life::FIRST));
    assert_eq!(text_of([&checkpoint.state]).len(), 70_000);
    assert!(matches!(serving.checkpoint(now.instant), Checkpointing::Not), "one is under way");
    // What comes meanwhile is not covered by it.
    write(&mut serving, &ann, "b");
    assert!(serving.checkpointed(checkpoint.covers, true, now.instant));
    assert!(serving.log_bytes > 0 && serving.log_bytes < 100 && !serving.is_checkpoint_due());
}

#[test]
fn after_a_checkpoint_that_failed_none_is_tried_for_a_while() {
    let now = start();
    let mut serving = fresh(now);
    write(&mut serving, &Writer::new(1), "a");
    store(&mut serving, now.instant);
    let Checkpointing::Write(Checkpoint { covers, .. }) = serving.checkpoint(now.instant) else { panic!() };
    assert!(serving.checkpointed(covers, false, now.instant));
    let early = now.instant + CHECKPOINT_PAUSE - Duration::from_millis(1);
    assert!(matches!(serving.checkpoint(early), Checkpointing::Not));
    assert!(matches!(serving.checkpoint(now.instant + CHECKPOINT_PAUSE), Checkpointing::Write(_)));
}

#[test]
fn a_large_state_is_encoded_elsewhere_first() {
    let now = start();
    let mut serving = fresh(now);
    write(&mut serving, &Writer::new(1), &"a".repeat(ENCODED_HERE + 1));
    store(&mut serving, now.instant);
    assert!(matches!(serving.checkpoint(now.instant), Checkpointing::EncodeApart));
    assert!(serving.is_busy() && matches!(serving.checkpoint(now.instant), Checkpointing::Not));
    serving.tries_again();
    serving.state.replica().state().unwrap();
    assert!(matches!(serving.checkpoint(now.instant), Checkpointing::Write(_)), "it is at hand");
}

#[test]
fn what_the_store_says_about_a_deleted_document_is_not_about_the_next_one() {
    let now = start();
    let mut serving = fresh(now);
    let ann = Writer::new(1);
    write(&mut serving, &ann, "old");
    store(&mut serving, now.instant);
    serving.owe(SessionId::new(), Bytes::new(), Outcome::Applied);
    let Checkpointing::Write(Checkpoint { covers, .. }) = serving.checkpoint(now.instant) else { panic!() };
    write(&mut serving, &ann, "older");
    let write_under_way = serving.next_write(now.instant).unwrap().journal;
    assert_eq!(serving.order(Order::Delete, now.wall).unwrap(), Standing::Live);
    assert!(!serving.is_live() && matches!(serving.admits(0, 1), Err(JoinError::Gone)));
    serving.carried_out(Order::Delete, &head(Standing::Deleted(now.wall)));
    assert!(!serving.is_about(write_under_way) && !serving.checkpointed(covers, true, now.instant));
    assert!(serving.due().is_none() && serving.state.replica().is_empty() && !serving.is_busy());
    assert_eq!((serving.life(), serving.stored_bytes()), (Life(2), 0));
}

#[test]
fn nothing_is_decided_while_the_store_has_not_answered_an_order() {
    let now = start();
    let mut serving = fresh(now);
    let before = serving.order(Order::Trash, now.wall).unwrap();
    serving.goes_on_without(Order::Trash, before);
    let refused = serving.order(Order::Restore, now.wall);
    assert!(matches!(refused, Err(JoinError::Open(OpenError::Store(StoreError::Unanswered(_))))));
    assert!(matches!(serving.admits(0, 1), Err(JoinError::Busy)) && serving.is_busy());
    assert_eq!(
        serving.details(DocumentName::parse("a").unwrap(), 0).standing,
        Standing::Live,
        "it has not happened"
    );
    serving.was_answered();
    serving.stays(before);
    assert!(serving.admits(0, 1).is_ok() && !serving.is_busy());
    // Being made changes nothing for who is inside already.
    let before = serving.order(Order::Create, now.wall).unwrap();
    serving.goes_on_without(Order::Create, before);
    assert!(serving.admits(0, 1).is_ok() && serving.admits_change().is_ok());
}

#[test]
fn a_document_leaves_when_all_is_stored_and_its_log_is_short() {
    let now = start();
    let mut serving = fresh(now);
    assert!(matches!(serving.put_away(now), Leaving::Now));
    write(&mut serving, &Writer::new(1), &"a".repeat(2000));
    assert!(matches!(serving.put_away(now), Leaving::Later), "something is not stored");
    store(&mut serving, now.instant);
    assert!(matches!(serving.put_away(now), Leaving::AfterCheckpoint));
    let Checkpointing::Write(Checkpoint { covers, .. }) = serving.checkpoint(now.instant) else { panic!() };
    assert!(matches!(serving.put_away(now), Leaving::Later), "a checkpoint is under way");
    serving.checkpointed(covers, true, now.instant);
    assert!(matches!(serving.put_away(now), Leaving::Now));
}

#[test]
fn who_panics_again_and_again_without_a_suspect_is_refused() {
    let mut serving = fresh(start());
    for _ in 0..RELOADS {
        assert!(serving.panicked("it broke", false).is_none());
    }
    assert!(serving.panicked("it broke", true).is_none(), "somebody is to blame, and will be found");
    assert!(matches!(serving.panicked("it broke", false), Some(OpenError::Unloadable(_))));
    serving.works();
    assert!(serving.panicked("it broke", false).is_none());
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
    serving: Serving,
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
            serving: fresh(Moment { instant: Instant::now(), wall: Timestamp(0) }),
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
                self.serving.state.leave(id, clean, now)
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
            Command::Flush => self.serving.state.flush(now),
            Command::Tick => self.serving.state.tick(now),
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
                let (changes, presence) = self.serving.state.make_up(lag.as_ref(), presence.is_some())?;
                let to = self.session(who)?.id;
                let changes: Vec<_> = changes.into_iter().flat_map(Told::updates).collect();
                changes.into_iter().chain(presence).map(|message| Effect::Send { to, message }).collect()
            }
            Command::Read(who) => {
                let text = match who {
                    Some(who) => {
                        let writer = self.writer(who)?;
                        let waiting = if writer.is_waiting() { ", and something waits" } else { "" };
                        format!("{:?}{waiting}", writer.text())
                    }
                    None => format!("{:?}", text_of([&self.serving.state.replica().state()?])),
                };
                writeln!(out, "{text}")?;
                return Ok(());
            }
            Command::Full | Command::Room => {
                self.serving.state.set_full(matches!(command, Command::Full));
                return Ok(());
            }
            Command::Commit => {
                self.write();
                let first = Sequence(self.stored + 1);
                let count = std::mem::take(&mut self.writing);
                self.stored += count;
                self.serving.written(Appended { life: Life::FIRST, first, count }, now.instant);
                writeln!(out, "durable up to {}", self.serving.journal.watermark().0)?;
                self.pay(out);
                return Ok(());
            }
            Command::Fail => {
                self.write();
                self.writing = 0;
                self.serving.write_failed(now.instant);
                return Ok(());
            }
            Command::Poison => {
                self.serving.state.replica().break_down();
                return Ok(());
            }
            Command::Reload => {
                drop(self.serving.state.replace_replica(Replica::load(&self.log, Deleted::Collected)?, now));
                for suspect in std::mem::take(&mut self.suspects) {
                    let effects = self.serving.state.retry(suspect, now);
                    self.carry_out(effects, out);
                }
                return Ok(());
            }
            Command::Waiting => {
                writeln!(out, "{} updates", self.serving.state.waiting().0)?;
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
        Ok(self.serving.state.join(id, access, None, dialect))
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
        self.serving.state.receive(id, message, now, &mut effects);
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
                Effect::Answer { to, told } => {
                    for message in told.step_2() {
                        self.hear(to, &message);
                        writeln!(out, "to {}: {}", self.name(to), self.message_in_words(&message)).unwrap();
                    }
                    continue;
                }
                Effect::Send { to, message } => {
                    let words = self.message_in_words(&message);
                    self.hear(to, &message);
                    format!("to {}: {words}", self.name(to))
                }
                Effect::SendStateless { to, payload } => {
                    format!("to {}: Stateless({payload:?})", self.name(to))
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
                    self.serving.keep(update);
                    line
                }
                Effect::Acknowledge { to, update, outcome } => {
                    let ticket = self.serving.owe(to, update, outcome);
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
        if let Some(write) = self.serving.next_write(self.now().instant) {
            self.writing = write.updates.len() as u64;
        }
    }

    /// Pays the acknowledgements that are due.
    fn pay(&mut self, out: &mut String) {
        while let Some((to, _, outcome)) = self.serving.due() {
            writeln!(out, "acknowledge {}: {outcome:?}", self.name(to)).unwrap();
        }
    }

    fn hear(&mut self, to: SessionId, message: &SyncMessage) {
        let Some(session) = self.sessions.values_mut().find(|session| session.id == to) else { return };
        match message {
            SyncMessage::SyncStep1(vector) => session.asked = StateVector::decode_v1(vector).unwrap(),
            SyncMessage::SyncStep2(update) | SyncMessage::Update(update) => {
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

    fn message_in_words(&self, message: &SyncMessage) -> String {
        match message {
            SyncMessage::SyncStep1(vector) => {
                let vector = StateVector::decode_v1(vector).unwrap();
                let mut clocks: Vec<_> = vector
                    .iter()
                    .map(|(client, clock)| format!("{} {clock}", self.client(*client)))
                    .collect();
                clocks.sort();
                format!("step 1 [{}]", clocks.join(", "))
            }
            SyncMessage::SyncStep2(update) => format!("step 2 {}", self.update_in_words(update)),
            SyncMessage::Update(update) => format!("update {}", self.update_in_words(update)),
            SyncMessage::Awareness(awareness) => format!("presence {}", self.presence_in_words(awareness)),
            SyncMessage::Echo(bytes) => format!("echo {}", String::from_utf8_lossy(bytes)),
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
