//! Plays the stories in `scenarios/collab`, and lets editors of both kinds loose on one text.
//!
//! A story has people with replicas (`join`) and people who edit by operations (`open`). What they do goes
//! into a [`DocumentState`], its effects are printed and carried out as the actor would.
//! `UPDATE_GOLDENFILES=1 cargo test stories_of_operations` writes what happens into the files.

use std::{
    collections::{BTreeMap, VecDeque},
    error::Error,
    fmt::Write as _,
};

use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use uuid::Uuid;
use yrs::{
    Any, Out, Text, WriteTxn, XmlElementPrelim, XmlFragment, XmlTextPrelim,
    types::{Attrs, text::YChange},
};

use super::*;
use crate::{
    auth::Access,
    document::deleted::Deleted,
    document::{
        acknowledgements::Acknowledgements,
        journal::{self, Journal},
        presence,
        serving::tests::Span,
        state::DocumentState,
        testing::{Writer, check},
    },
    ids::{Moment, Timestamp},
    protocol::{
        json::{EditLimits, EditorName},
        message::{AwarenessUpdate, Message},
        text_operation::Part,
    },
    store::{Appended, Life, Sequence},
    stories::tell_all,
};

#[test]
fn stories_of_operations() {
    tell_all("src/document/scenarios/collab", Story::new);
}

#[derive(goldenscript::Command)]
enum Command {
    /// Somebody with a replica joins.
    Join(String),
    /// Somebody without one opens a text: `open ann [field=text] [as=ann] [read]`.
    Open {
        who: String,
        #[arg(optional)]
        flags: Vec<String>,
        #[arg(key)]
        field: Option<String>,
        #[arg(key = "as")]
        editor: Option<String>,
    },
    /// Sends an operation: `operate ann 0 '["x"]' id=a1`.
    Operate {
        who: String,
        base: u64,
        operation: String,
        #[arg(key)]
        id: Option<String>,
        /// Whose session gave the epoch its name.
        #[arg(key)]
        epoch: Option<String>,
    },
    /// Sends a frame.
    Say(String, String),
    /// Somebody with a replica writes into the text, or deletes from it. Nothing is applied before `flush`.
    Type(String, u32, String),
    Erase(String, u32, u32),
    /// Somebody with a replica shows itself, or is gone: `aware yan 1 '{"user":{"name":"Yan"}}'`.
    Aware(String, u32, Option<String>),
    /// Makes a stretch bold; puts a picture; writes a paragraph of rich text; sets a key; all in the named
    /// root where there is one.
    Bold(String, u32, u32),
    Picture(String, u32),
    Paragraph(String, String, String),
    Set(String, String),
    Flush,
    /// The store's write is over.
    Commit,
    /// The journal cannot take more.
    Full,
    Leave(String),
    Tick,
    Advance(Span),
    /// The actor has read a rich text: what the export says of the present state, or that it failed.
    Read(String, Option<String>),
    /// What makes up for dropped messages.
    CatchUp(String),
    /// The replica panics, and is loaded again.
    Reload,
    /// Deleted and made again.
    Anew,
    /// The text as the server has it.
    Text(Option<String>),
}

struct Story {
    state: DocumentState,
    journal: Journal,
    owed: Acknowledgements<(SessionId, Bytes)>,
    writing: u64,
    stored: u64,
    log: Vec<Bytes>,
    start: Instant,
    passed: Duration,
    sessions: BTreeMap<String, SessionId>,
    writers: BTreeMap<String, Writer>,
}

impl goldenscript::Runner for Story {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &goldenscript::Context) -> Result<String, Box<dyn Error>> {
        let mut out = String::new();
        let effects = self.play(command, &mut out)?;
        self.carry_out(effects, &mut out);
        // Ids by the names of those whose they are.
        for (name, session) in &self.sessions {
            out = out.replace(&session.to_string(), name);
        }
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
            sessions: BTreeMap::new(),
            writers: BTreeMap::new(),
        }
    }

    fn now(&self) -> Moment {
        Moment { instant: self.start + self.passed, wall: Timestamp(0) }
    }

    fn session(&self, who: &str) -> Result<SessionId, Box<dyn Error>> {
        self.sessions.get(who).copied().ok_or_else(|| format!("nobody is called {who}").into())
    }

    fn enter(&mut self, who: &str) -> SessionId {
        let session = SessionId(Uuid::from_u128(self.sessions.len() as u128 + 1));
        self.sessions.insert(who.to_owned(), session);
        session
    }

    fn say(&mut self, who: &str, text: &str) -> Result<Effects, Box<dyn Error>> {
        let (session, now) = (self.session(who)?, self.now());
        Ok(self.state.receive_text(session, json::decode(text, &EditLimits::default()), now))
    }

    fn write(&mut self, who: &str, update: Bytes) -> Result<Effects, Box<dyn Error>> {
        let (session, now) = (self.session(who)?, self.now());
        let mut effects = Effects::new();
        self.state.receive(session, Message::Update(check(update)), now, &mut effects);
        Ok(effects)
    }

    fn play(&mut self, command: &Command, out: &mut String) -> Result<Effects, Box<dyn Error>> {
        let now = self.now();
        Ok(match command {
            Command::Join(who) => {
                let session = self.enter(who);
                let writer = Writer::new(100 + self.writers.len() as u64);
                writer.receive(&self.state.replica().state()?);
                self.writers.insert(who.clone(), writer);
                drop(self.state.join(
                    session,
                    Access::Write,
                    None,
                    crate::protocol::Dialect::YWebSocket { echo: false },
                ));
                Effects::new()
            }
            Command::Open { who, flags, field, editor } => {
                let access =
                    if flags.iter().any(|flag| flag == "read") { Access::Read } else { Access::Write };
                let session = self.enter(who);
                let editor = EditorName::parse(editor.as_deref().unwrap_or(who))?;
                let field = FieldName::parse(field.as_deref().unwrap_or("text"))?;
                self.state.join_text(session, access, (editor, None), field, now)
            }
            Command::Operate { who, base, operation, id, epoch } => {
                let mut payload = json!({
                    "revision": base,
                    "operation": serde_json::from_str::<Value>(operation)?,
                });
                if let Some(id) = id {
                    payload["id"] = json!(id);
                }
                if let Some(epoch) = epoch {
                    payload["epoch"] = json!(self.session(epoch)?);
                }
                self.say(who, &json!({"type": "operation", "payload": payload}).to_string())?
            }
            Command::Say(who, text) => self.say(who, text)?,
            Command::Type(who, at, text) => {
                let update = self.writers[who].insert(*at, text);
                self.write(who, update)?
            }
            Command::Erase(who, at, length) => {
                let update = self.writers[who].remove(*at, *length);
                self.write(who, update)?
            }
            Command::Bold(who, at, length) => {
                let bold = || Attrs::from([("bold".into(), true.into())]);
                let update = self.writers[who]
                    .edit(|_, txn| txn.get_or_insert_text("text").format(txn, *at, *length, bold()));
                self.write(who, update)?
            }
            Command::Picture(who, at) => {
                let picture = Any::from_json(r#"{"image":"cat"}"#)?;
                let update = self.writers[who].edit(|_, txn| {
                    txn.get_or_insert_text("text").insert_embed(txn, *at, picture);
                });
                self.write(who, update)?
            }
            Command::Paragraph(who, root, text) => {
                let update = self.writers[who].edit(|_, txn| {
                    let fragment = txn.get_or_insert_xml_fragment(root.as_str());
                    let paragraph = fragment.push_back(txn, XmlElementPrelim::empty("paragraph"));
                    paragraph.push_back(txn, XmlTextPrelim::new(text));
                });
                self.write(who, update)?
            }
            Command::Set(who, key) => {
                let update = self.writers[who].set(key, "value");
                self.write(who, update)?
            }
            Command::Aware(who, clock, state) => {
                let client = ClientId::new(self.session(who)?.0.as_u128() as u64 + 100);
                let entry = AwarenessEntry { client, clock: *clock, state: state.as_deref().map(Arc::from) };
                let update = AwarenessUpdate::from(vec![entry]);
                let (session, mut effects) = (self.session(who)?, Effects::new());
                self.state.receive(session, Message::Awareness(update), now, &mut effects);
                effects
            }
            Command::Flush => self.state.flush(now),
            Command::Commit => {
                let count = std::mem::take(&mut self.writing);
                self.journal.succeeded(Appended {
                    life: Life::FIRST,
                    first: Sequence(self.stored + 1),
                    count,
                });
                self.stored += count;
                Effects::new()
            }
            Command::Full => {
                self.state.set_full(true);
                Effects::new()
            }
            Command::Leave(who) => {
                let session = self.session(who)?;
                self.state.leave(session, true, now)
            }
            Command::Tick => self.state.tick(now),
            Command::Advance(span) => {
                self.passed += span.0;
                Effects::new()
            }
            Command::Read(field, failure) => {
                let state = self.state.replica().state()?;
                let text = match failure {
                    Some(what) => Err(what.clone()),
                    None => block_on(crate::document::export::root_to_text(state, field.clone())),
                };
                self.state.rich_text(&FieldName::parse(field)?, text, now)
            }
            Command::CatchUp(who) => {
                let session = self.session(who)?;
                let init = self.state.make_up_text(session).ok_or("nothing")?;
                writeln!(out, "{}", std::str::from_utf8(&init)?)?;
                Effects::new()
            }
            Command::Reload => {
                self.state.replica().break_down();
                self.state.replace_replica(Replica::load(&self.log, Deleted::Collected)?, now)
            }
            Command::Anew => {
                self.state.begin_anew();
                Effects::new()
            }
            Command::Text(field) => {
                let field = FieldName::parse(field.as_deref().unwrap_or("text"))?;
                let found = self.state.replica().root_text(&field)?;
                writeln!(out, "{:?}", found.text.characters)?;
                Effects::new()
            }
        })
    }

    fn carry_out(&mut self, effects: Effects, out: &mut String) {
        for effect in effects {
            let line = match effect {
                Effect::Tell { mut to, said } => {
                    to.sort_unstable();
                    let to: Vec<_> = to.iter().map(SessionId::to_string).collect();
                    let (manner, text) = match &said {
                        TextFrame::Answer(text) => ("", text),
                        TextFrame::Change(text) => (", if there is room", text),
                    };
                    format!("to {}{manner}: {}", to.join(", "), std::str::from_utf8(text).unwrap())
                }
                Effect::ReadRich(field) => format!("read {field}"),
                Effect::SendStateless { to, payload } => format!("stateless to {to}: {payload}"),
                Effect::BroadcastUpdate { except, update, .. } => {
                    for (name, writer) in &self.writers {
                        if self.sessions.get(name) != except.as_ref() {
                            writer.receive(&update);
                        }
                    }
                    "update to those with replicas".to_owned()
                }
                Effect::Store(update) => {
                    self.log.push(update.bytes.clone());
                    self.journal.push(update);
                    "store".to_owned()
                }
                Effect::Acknowledge { to, update, .. } => {
                    self.owed.owe((to, update), &self.journal);
                    continue;
                }
                Effect::Close { session, reason } => format!("close {session}: {}", reason.code()),
                Effect::Refused(reason) => format!("refused: {reason}"),
                Effect::Poisoned { .. } => "poisoned".to_owned(),
                Effect::ShowPresence { .. } => continue,
                Effect::BroadcastAwareness { awareness, .. } => {
                    let decoded =
                        AwarenessUpdate::decode(&awareness, &crate::protocol::guard::Limits::default());
                    let states = decoded.unwrap().entries.into_iter().map(|entry| {
                        format!("{} at {}", entry.state.as_deref().unwrap_or("gone"), entry.clock)
                    });
                    format!("awareness: {}", states.collect::<Vec<_>>().join(", "))
                }
                Effect::Send { .. } | Effect::Answer { .. } | Effect::Probe(_) => continue,
            };
            writeln!(out, "{line}").unwrap();
        }
        if let Some(updates) = self.journal.take(self.now().instant) {
            self.writing = updates.len() as u64;
        }
        while let Some((to, ack)) = self.owed.due(&self.journal) {
            writeln!(out, "durable, to {to}: {}", std::str::from_utf8(&ack).unwrap()).unwrap();
        }
    }
}

/// Waits for the reading thread, which needs no runtime.
fn block_on<T, E: ToString>(work: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(work)
        .map_err(|error| error.to_string())
}

#[test]
fn a_document_follows_so_many_texts_and_forgets_the_one_first_left() {
    let mut state = DocumentState::new(Replica::default(), presence::Config::default());
    let limit = Config::default().fields;
    let start = Instant::now();
    let session = |n: usize| SessionId(Uuid::from_u128(n as u128));
    let now = |n: usize| Moment { instant: start + Duration::from_millis(n as u64), wall: Timestamp(0) };
    let open = |state: &mut DocumentState, n: usize, field: usize| {
        let (editor, field) =
            (EditorName::parse("ann").unwrap(), FieldName::parse(&format!("field {field}")).unwrap());
        let effects = state.join_text(session(n), Access::Write, (editor, None), field, now(n));
        !effects.iter().any(|effect| matches!(effect, Effect::Close { .. }))
    };
    for n in 0..limit {
        assert!(open(&mut state, n, n));
    }
    assert!(!open(&mut state, 1000, 1000), "all of them are in use");
    assert!(open(&mut state, 1001, 5), "one that is followed anyway");
    drop(state.leave(session(7), true, now(2000)));
    drop(state.leave(session(3), true, now(2001)));
    assert!(open(&mut state, 1002, 1000));
    // The one left later is still known, so it is opened without making room.
    assert!(open(&mut state, 1003, 3));
    assert!(!open(&mut state, 1004, 7));
}

// ---- a crowd ----------------------------------------------------------------------------------------------

/// A text that many have open, what the document says to them, and what that is altogether.
struct Hall {
    state: DocumentState,
    now: Instant,
    /// Texts that were encoded, and the bytes of them that were sent, once for each who hears one.
    encoded: usize,
    sent: usize,
    /// What each has learned of the others: how many there are, and who.
    inside: HashMap<SessionId, u64>,
    seen: HashMap<SessionId, BTreeMap<String, Value>>,
}

impl Hall {
    fn new() -> Self {
        Self {
            state: DocumentState::new(Replica::default(), presence::Config::default()),
            now: Instant::now(),
            encoded: 0,
            sent: 0,
            inside: HashMap::new(),
            seen: HashMap::new(),
        }
    }

    fn session(n: usize) -> SessionId {
        SessionId(Uuid::from_u128(n as u128 + 1))
    }

    fn now(&self) -> Moment {
        Moment { instant: self.now, wall: Timestamp(0) }
    }

    /// So many come, a thousand a second.
    fn fills(&mut self, crowd: usize) {
        for n in 0..crowd {
            let editor = EditorName::parse(&format!("editor {n}")).unwrap();
            let field = FieldName::parse("text").unwrap();
            let effects =
                self.state.join_text(Self::session(n), Access::Write, (editor, None), field, self.now());
            self.hears(effects);
            self.passes(1);
        }
    }

    fn passes(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
        let effects = self.state.tell_untold_presence(self.now());
        self.hears(effects);
    }

    fn settles(&mut self) {
        while self.state.has_untold_presence() {
            self.passes(50);
        }
    }

    fn hears(&mut self, effects: Effects) {
        for effect in effects {
            let Effect::Tell { to, said: TextFrame::Answer(text) | TextFrame::Change(text) } = effect else {
                continue;
            };
            self.encoded += 1;
            self.sent += text.len() * to.len();
            let message: Value = serde_json::from_slice(&text).unwrap();
            let payload = &message["payload"];
            for session in to {
                let seen = self.seen.entry(session).or_default();
                let list = match message["type"].as_str().unwrap() {
                    "init" => "editors",
                    "crowd" => "here",
                    "presence" => {
                        let whose = payload["session"].as_str().unwrap();
                        seen.remove(whose);
                        if payload["present"] == true {
                            seen.insert(whose.to_owned(), payload["cursor"].clone());
                        }
                        continue;
                    }
                    other => panic!("{other}"),
                };
                self.inside.insert(session, payload["inside"].as_u64().unwrap());
                for editor in payload[list].as_array().unwrap() {
                    seen.insert(editor["session"].as_str().unwrap().to_owned(), editor["cursor"].clone());
                }
                for gone in payload["gone"].as_array().into_iter().flatten() {
                    seen.remove(gone.as_str().unwrap());
                }
            }
        }
    }
}

/// Four times as many cause four times as much, not sixteen times.
#[test]
fn a_crowd_that_comes_is_told_how_many_it_is() {
    let [few, many] = [500, 2000].map(|crowd| {
        let mut hall = Hall::new();
        hall.fills(crowd);
        hall.settles();
        assert!(hall.inside.len() == crowd && hall.inside.values().all(|inside| *inside == crowd as u64));
        let others = Config::default().editors - 1;
        assert!(hall.seen.values().all(|seen| seen.len() >= others), "each knows those who came first");
        (hall.encoded, hall.sent)
    });
    assert!(many.0 < 5 * few.0, "{} texts for 500, {} for 2,000", few.0, many.0);
    assert!(many.1 < 6 * few.1, "{} bytes for 500, {} for 2,000", few.1, many.1);
}

#[test]
fn whoever_shows_a_caret_is_told_of_in_any_crowd_and_goes_by_name() {
    const CROWD: usize = 600;
    let mut hall = Hall::new();
    hall.fills(CROWD);
    hall.settles();
    let text = r#"{"type":"presence","payload":{"cursor":0}}"#;
    let encoded = hall.encoded;
    for n in 0..CROWD {
        let request = json::decode(text, &EditLimits::default());
        let effects = hall.state.receive_text(Hall::session(n), request, hall.now());
        hall.hears(effects);
    }
    hall.settles();
    let encoded = hall.encoded - encoded;
    assert!(encoded < CROWD / 4, "{encoded} texts about {CROWD}");
    for (session, seen) in &hall.seen {
        let others = seen.iter().filter(|(whose, cursor)| **whose != session.to_string() && **cursor == 0);
        assert_eq!(others.count(), CROWD - 1);
    }
    for n in 100..CROWD {
        hall.seen.remove(&Hall::session(n));
        let effects = hall.state.leave(Hall::session(n), true, hall.now());
        hall.hears(effects);
    }
    hall.settles();
    for (session, seen) in hall.seen.iter().filter(|(session, _)| session.0.as_u128() <= 100) {
        let others = seen.keys().filter(|whose| **whose != session.to_string());
        assert_eq!(others.count(), 99);
    }
}

#[test]
fn those_who_were_only_counted_are_told_of_when_the_crowd_is_gone() {
    let few = Config::default().editors;
    let mut hall = Hall::new();
    hall.fills(2 * few);
    hall.settles();
    for n in 10..few + 10 {
        hall.seen.remove(&Hall::session(n));
        let effects = hall.state.leave(Hall::session(n), true, hall.now());
        hall.hears(effects);
    }
    hall.settles();
    let first = &hall.seen[&Hall::session(0)];
    let others = first.keys().filter(|whose| **whose != Hall::session(0).to_string());
    assert_eq!(others.count(), few - 1);
}

// ---- everybody at once ------------------------------------------------------------------------------------

/// A client of the dialect as docs/protocols.md#how-to-keep-up describes one: one operation under way at a time.
struct Scribe {
    name: String,
    session: SessionId,
    text: String,
    revision: u64,
    epoch: Option<SessionId>,
    /// As it was sent, and what has become of it here; nothing, if it was not made to the text that is here.
    sent: Option<(Value, Option<TextOperation>)>,
    /// Something was dropped; an `init` follows.
    waits: bool,
    inbox: VecDeque<Value>,
    operations: usize,
}

impl Scribe {
    fn hear(&mut self, message: &Value) -> Option<Value> {
        let payload = &message["payload"];
        match message["type"].as_str().unwrap() {
            "init" => {
                self.waits = false;
                self.text = payload["content"].as_str().unwrap().to_owned();
                self.revision = payload["revision"].as_u64().unwrap();
                self.epoch = Some(serde_json::from_value(payload["epoch"].clone()).unwrap());
                // What it has sent may be in there or not: it sends it again. If it was made to this very
                // revision, it is not; otherwise it will be told what has become of it, if it was not.
                let (sent, here) = self.sent.as_mut()?;
                *here = None;
                if sent["payload"]["revision"] == payload["revision"] {
                    let own: TextOperation =
                        serde_json::from_value(sent["payload"]["operation"].clone()).unwrap();
                    self.text = own.apply(&self.text).unwrap();
                    *here = Some(own);
                }
                return Some(sent.clone());
            }
            "operation" => {
                let revision = payload["revision"].as_u64().unwrap();
                let news: TextOperation = serde_json::from_value(payload["operation"].clone()).unwrap();
                let own_is_here = matches!(self.sent, Some((_, Some(_))));
                if !self.waits && own_is_here && revision == self.revision + 2 {
                    // The number that is left out is its own.
                    self.revision += 1;
                    self.sent.as_mut().unwrap().1 = None;
                }
                self.waits |= revision != self.revision + 1;
                if self.waits {
                    return None;
                }
                self.revision = revision;
                let news = match &mut self.sent {
                    Some((_, Some(own))) => {
                        let (carried, news) = own.transform(&news).unwrap();
                        *own = carried;
                        news
                    }
                    _ => news,
                };
                self.text = news.apply(&self.text).unwrap();
            }
            "ack" => {
                let revision = payload["revision"].as_u64().unwrap();
                let is_it = |(sent, _): &mut (Value, _)| sent["payload"]["id"] == payload["id"];
                if let Some((_, here)) = self.sent.take_if(is_it) {
                    if here.is_some() && revision == self.revision + 1 {
                        self.revision = revision;
                    }
                    self.waits |= revision > self.revision;
                }
            }
            "presence" => {}
            other => panic!("{} was told {other}: {message}", self.name),
        }
        None
    }

    fn edit(&mut self, random: &mut ChaCha8Rng) -> Value {
        let operation = some_operation(&self.text, random);
        self.operations += 1;
        let message = json!({"type": "operation", "payload": {
            "revision": self.revision, "operation": operation, "epoch": self.epoch,
            "id": format!("{}", self.operations),
        }});
        self.text = operation.apply(&self.text).unwrap();
        self.sent = Some((message.clone(), Some(operation)));
        message
    }
}

fn some_operation(text: &str, random: &mut ChaCha8Rng) -> TextOperation {
    let length = text.chars().count();
    let mut parts = Vec::new();
    let mut at = 0;
    for _ in 0..random.random_range(1..=3) {
        let keep = random.random_range(0..=length - at);
        let gone = random.random_range(0..=(length - at - keep).min(4));
        parts.extend([Part::Retain(keep), Part::Insert(some_word(random)), Part::Delete(gone)]);
        at += keep + gone;
    }
    parts.push(Part::Retain(length - at));
    parts.into_iter().collect()
}

fn some_word(random: &mut ChaCha8Rng) -> &'static str {
    ["", "a", "漢字", "😀", "👩‍🚀 ", "é\n", "the end"].choose(random).copied().unwrap()
}

/// Somebody with a replica, to whom and from whom updates take their time.
struct Painter {
    session: SessionId,
    writer: Writer,
    outgoing: VecDeque<Bytes>,
    incoming: VecDeque<Bytes>,
}

struct Crowd {
    state: DocumentState,
    now: Moment,
    sessions: u128,
    scribes: Vec<Scribe>,
    painters: Vec<Painter>,
    /// Acknowledgements that wait for the disk.
    owed: Vec<(SessionId, Bytes)>,
    /// Whether painters cut through characters.
    rude: bool,
}

impl Crowd {
    fn carry_out(&mut self, effects: Effects) {
        for effect in effects {
            match effect {
                Effect::Tell { to, said: TextFrame::Answer(text) | TextFrame::Change(text) } => {
                    for session in to {
                        self.tell(session, &text);
                    }
                }
                Effect::Acknowledge { to, update, .. } => self.owed.push((to, update)),
                Effect::BroadcastUpdate { except, update, .. } => {
                    for painter in &mut self.painters {
                        if Some(painter.session) != except {
                            painter.incoming.push_back(update.clone());
                        }
                    }
                }
                Effect::Store(_)
                | Effect::Send { .. }
                | Effect::Answer { .. }
                | Effect::BroadcastAwareness { .. }
                | Effect::ShowPresence { .. } => {}
                effect => panic!("{effect:?}"),
            }
        }
    }

    fn tell(&mut self, session: SessionId, text: &[u8]) {
        if let Some(scribe) = self.scribes.iter_mut().find(|scribe| scribe.session == session) {
            scribe.inbox.push_back(serde_json::from_slice(text).unwrap());
        }
    }

    fn open(&mut self, who: usize) {
        self.sessions += 1;
        let session = SessionId(Uuid::from_u128(self.sessions));
        let scribe = &mut self.scribes[who];
        let old = std::mem::replace(&mut scribe.session, session);
        scribe.inbox.clear();
        let (editor, field) = (EditorName::parse(&scribe.name).unwrap(), FieldName::parse("text").unwrap());
        let effects = self.state.leave(old, false, self.now);
        self.carry_out(effects);
        let effects = self.state.join_text(session, Access::Write, (editor, None), field, self.now);
        self.carry_out(effects);
    }

    fn send(&mut self, who: usize, message: &Value) {
        let request = json::decode(&message.to_string(), &EditLimits::default());
        let effects = self.state.receive_text(self.scribes[who].session, request, self.now);
        self.carry_out(effects);
    }

    fn hear(&mut self, who: usize) {
        let Some(message) = self.scribes[who].inbox.pop_front() else { return };
        if let Some(again) = self.scribes[who].hear(&message) {
            self.send(who, &again);
        }
    }

    fn flush(&mut self) {
        let effects = self.state.flush(self.now);
        self.carry_out(effects);
    }

    fn commit(&mut self) {
        for (session, ack) in std::mem::take(&mut self.owed) {
            self.tell(session, &ack);
        }
    }

    fn act(&mut self, random: &mut ChaCha8Rng) {
        let who = random.random_range(0..self.scribes.len());
        match random.random_range(0..100) {
            0..25 => {
                let scribe = &mut self.scribes[who];
                if scribe.sent.is_none() && !scribe.waits {
                    let message = scribe.edit(random);
                    if random.random_bool(0.1) {
                        // The line breaks before it arrives.
                        self.open(who);
                    } else {
                        self.send(who, &message);
                    }
                }
            }
            25..55 => self.hear(who),
            // Too slow: what changed is dropped together, and everything said anew.
            55..57 => {
                let dropped =
                    |message: &Value| matches!(message["type"].as_str(), Some("operation" | "presence"));
                self.flush();
                self.scribes[who].inbox.retain(|message| !dropped(message));
                let init = self.state.make_up_text(self.scribes[who].session).unwrap();
                self.tell(self.scribes[who].session, &init);
            }
            57..59 => self.open(who),
            59..62 => self.commit(),
            62..70 => self.flush(),
            _ => {
                let index = random.random_range(0..self.painters.len());
                let painter = &mut self.painters[index];
                match random.random_range(0..3) {
                    0 => painter.outgoing.push_back(painter.writer.paint(self.rude, random)),
                    1 => {
                        if let Some(update) = painter.outgoing.pop_front() {
                            let (session, now) = (painter.session, self.now);
                            let mut effects = Effects::new();
                            self.state.receive(session, Message::Update(check(update)), now, &mut effects);
                            self.carry_out(effects);
                        }
                    }
                    _ => {
                        if let Some(update) = painter.incoming.pop_front() {
                            painter.writer.receive(&update);
                        }
                    }
                }
            }
        }
    }

    fn settle(&mut self) {
        for index in 0..self.painters.len() {
            while let Some(update) = self.painters[index].outgoing.pop_front() {
                let (session, now) = (self.painters[index].session, self.now);
                let mut effects = Effects::new();
                self.state.receive(session, Message::Update(check(update)), now, &mut effects);
                self.carry_out(effects);
            }
        }
        self.flush();
        loop {
            self.commit();
            if self.scribes.iter().all(|scribe| scribe.inbox.is_empty()) {
                break;
            }
            for who in 0..self.scribes.len() {
                while !self.scribes[who].inbox.is_empty() {
                    self.hear(who);
                }
            }
        }
        for painter in &mut self.painters {
            while let Some(update) = painter.incoming.pop_front() {
                painter.writer.receive(&update);
            }
        }
    }
}

impl Writer {
    /// Between which units there is a caret.
    fn stops(&self) -> Vec<u32> {
        let mut stops = vec![0];
        self.edit(|_, txn| {
            let mut at = 0;
            for piece in txn.get_or_insert_text("text").diff(txn, YChange::identity) {
                match piece.insert {
                    Out::Any(Any::String(text)) => stops.extend(text.chars().map(|character| {
                        at += character.len_utf16() as u32;
                        at
                    })),
                    _ => {
                        at += 1;
                        stops.push(at);
                    }
                }
            }
        });
        stops
    }

    /// A random edit. A rude one may cut through a character of two units.
    fn paint(&self, rude: bool, random: &mut ChaCha8Rng) -> Bytes {
        let stops = if rude { (0..=self.length()).collect() } else { self.stops() };
        let first = random.random_range(0..stops.len());
        let last = random.random_range(first..stops.len().min(first + 5));
        let (at, span) = (stops[first], stops[last] - stops[first]);
        match random.random_range(0..10) {
            0..6 => self.insert(at, some_word(random)),
            6..8 => self.remove(at, span),
            8 => self.edit(|_, txn| {
                let bold = Attrs::from([("bold".into(), random.random_bool(0.5).into())]);
                txn.get_or_insert_text("text").format(txn, at, span, bold);
            }),
            _ => self.edit(|_, txn| {
                let picture = Any::from_json(r#"{"image":"cat"}"#).unwrap();
                txn.get_or_insert_text("text").insert_embed(txn, at, picture);
            }),
        }
    }
}

#[test]
fn scribes_and_painters_end_with_the_same_text() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| rand::rng().random());
    println!("SEED={seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    for round in 0..60 {
        let scribe = |name: &str| Scribe {
            name: name.to_owned(),
            session: SessionId(Uuid::from_u128(0)),
            text: String::new(),
            revision: 0,
            epoch: None,
            sent: None,
            waits: true,
            inbox: VecDeque::new(),
            operations: 0,
        };
        let mut crowd = Crowd {
            state: DocumentState::new(Replica::default(), presence::Config::default()),
            now: Moment { instant: Instant::now(), wall: Timestamp(0) },
            sessions: 0,
            scribes: ["ann", "bob", "cleo"].map(scribe).into(),
            painters: Vec::new(),
            owed: Vec::new(),
            rude: round % 3 == 0,
        };
        for number in 0..2 {
            let session = SessionId(Uuid::from_u128(1000 + number));
            drop(crowd.state.join(
                session,
                Access::Write,
                None,
                crate::protocol::Dialect::YWebSocket { echo: false },
            ));
            let writer = Writer::new(100 + number as u64);
            crowd.painters.push(Painter {
                session,
                writer,
                outgoing: VecDeque::new(),
                incoming: VecDeque::new(),
            });
        }
        for who in 0..3 {
            crowd.open(who);
        }
        for _ in 0..random.random_range(50..400) {
            crowd.act(&mut random);
        }
        crowd.settle();
        let field = FieldName::parse("text").unwrap();
        let text = crowd.state.replica().root_text(&field).unwrap().text.characters;
        for scribe in &crowd.scribes {
            assert_eq!(scribe.text, text, "{} in round {round}", scribe.name);
            assert!(scribe.sent.is_none() && !scribe.waits, "{} in round {round}", scribe.name);
        }
        // Replicas that cut through characters do not agree with each other: that is how Yjs is.
        for painter in crowd.painters.iter().filter(|_| !crowd.rude) {
            assert_eq!(painter.writer.text(), text, "round {round}");
        }
    }
}

/// A frame that somebody made who means no good, or does not know better.
fn some_frame(random: &mut ChaCha8Rng) -> String {
    let number = |random: &mut ChaCha8Rng| match random.random_range(0..8) {
        0 => json!(i64::MIN),
        1 => json!(u64::MAX),
        2 => json!(-(1_i64 << 28)),
        3 => json!(1.5),
        _ => json!(random.random_range(-4..5)),
    };
    let part = |random: &mut ChaCha8Rng| match random.random_range(0..4) {
        0 => json!(some_word(random)),
        1 => json!("\u{0}\u{ffff}\u{fffd}"),
        _ => number(random),
    };
    let parts: Vec<Value> = (0..random.random_range(0..4)).map(|_| part(random)).collect();
    let payload = match random.random_range(0..6) {
        0 => json!({"cursor": number(random), "anchor": number(random)}),
        1 => json!({"revision": number(random), "operation": parts}),
        // Near enough to be applied now and then.
        _ => {
            json!({"revision": random.random_range(0..4), "operation": parts, "id": number(random).to_string()})
        }
    };
    let kind = ["operation", "operation", "operation", "presence", "ping", "init"].choose(random).unwrap();
    let mut text = json!({"type": kind, "payload": payload}).to_string();
    if random.random_bool(0.2) {
        let at = random.random_range(0..text.len());
        if text.is_char_boundary(at) {
            text.truncate(at);
        }
    }
    text
}

#[test]
fn no_frame_does_more_than_it_may() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| rand::rng().random());
    println!("SEED={seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (mut applied, mut refused) = (0, 0);
    for _ in 0..300 {
        let mut state = DocumentState::new(Replica::default(), presence::Config::default());
        let now = Moment { instant: Instant::now(), wall: Timestamp(0) };
        let session = SessionId(Uuid::from_u128(1));
        let (editor, field) = (EditorName::parse("eve").unwrap(), FieldName::parse("text").unwrap());
        drop(state.join_text(session, Access::Write, (editor, None), field.clone(), now));
        for _ in 0..30 {
            let request = json::decode(&some_frame(&mut random), &EditLimits::default());
            let before = state.replica().root_text(&field).unwrap();
            let effects = state.receive_text(session, request, now);
            let after = state.replica().root_text(&field).unwrap();
            let stored = effects.iter().any(|effect| matches!(effect, Effect::Store(_)));
            let is_refused = effects.iter().any(|effect| matches!(effect, Effect::Refused(_)));
            assert!(!effects.iter().any(|effect| matches!(effect, Effect::Poisoned { .. })));
            assert!(stored || before == after, "changed and not stored");
            assert!(!(stored && is_refused), "refused and stored");
            applied += usize::from(stored);
            refused += usize::from(is_refused);
        }
    }
    assert!(applied > 100 && refused > 100, "{applied} applied, {refused} refused");
}
