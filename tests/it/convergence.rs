//! Whatever people do, and whatever happens to them, in the end all have the same: with each other, and with
//! who opens the document afresh, before and after a restart. Every dialect takes part: y-websocket, Hocuspocus,
//! plain HTTP as a stream of events and as long polls, and the JSON operations of those who have no replica.
//!
//! A plan is a list of steps made from a seed. Some run each time; `WEFT_PLANS=1000` runs more,
//! `WEFT_PLAN_SEED=7` begins at a seed, and a plan that failed is saved in `tests/it/failures/` and run again
//! with `WEFT_PLAN=tests/it/failures/7.json`, as it is or shortened by hand.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use yrs::{
    Array, GetString, Map, Out, ReadTxn, Text, TextPrelim, TextRef, TransactionMut, Xml, XmlElementPrelim,
    XmlFragment, XmlOut, XmlTextPrelim, types::Attrs,
};

use crate::support::{
    Client, Scribe, TestServer, Typist, client::Roots, from_environment, repository, rest, settle, until,
};

/// How many people take part. The last of them have no replica.
const PEOPLE: usize = 9;
/// From here on they are typists.
const TYPISTS: usize = 7;
/// Those who have little room, and sometimes do not read: one of each dialect that can be slow.
const SLOW: [usize; 4] = [0, 1, 5, 7];
/// How many steps a plan has.
const STEPS: usize = 250;
/// What a queue to a slow person may hold: little, so that it overflows often.
const OUTBOX: usize = 4 << 10;

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Step {
    /// Somebody edits, connected or not.
    Edit(usize, Edit),
    /// Somebody writes this much and throws it away at once, which fills queues.
    Noise(usize, u32),
    /// Somebody's line breaks.
    Drop(usize),
    /// Somebody goes properly.
    Leave(usize),
    /// Somebody who is away comes back, and may not wait until everything has come.
    Return(usize),
    /// Somebody stops reading.
    Stall(usize),
    /// Somebody reads on.
    Resume(usize),
    /// A little time passes, in tenths of milliseconds.
    Pass(u64),
    /// Everybody reads until all have the same.
    Settle,
    /// Everybody goes, and the document with them.
    Evict,
    /// The server stops in order and starts again.
    Restart,
}

/// A change. Places are taken modulo what is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Edit {
    Insert(u32, String),
    Delete(u32, u32),
    Format(u32, u32, bool),
    Set(String, String),
    Unset(String),
    /// A text inside the map, or more of it.
    Nest(String, String),
    Push(Vec<String>),
    Remove(u32, u32),
    Paragraph(u32, String),
    Write(u32, u32, String),
    Attribute(u32, String),
    Cut(u32),
}

#[tokio::test]
async fn everybody_has_the_same_in_the_end() {
    if let Ok(file) = std::env::var("WEFT_PLAN") {
        let plan = std::fs::read(repository(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        return run(&serde_json::from_slice::<Vec<Step>>(&plan).unwrap()).await;
    }
    let first = from_environment("WEFT_PLAN_SEED", rand::random::<u32>().into());
    for seed in first..first + from_environment("WEFT_PLANS", 6) {
        println!("WEFT_PLAN_SEED={seed}");
        let plan = plan(seed);
        if let Err(panic) = AssertUnwindSafe(run(&plan)).catch_unwind().await {
            let folder = repository("tests/it/failures");
            std::fs::create_dir_all(&folder).unwrap();
            let file = folder.join(format!("{seed}.json"));
            std::fs::write(&file, serde_json::to_vec(&plan).unwrap()).unwrap();
            println!("the plan is in {}", file.display());
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn a_plan_comes_from_its_seed_and_survives_being_saved() {
    assert_eq!(plan(1), plan(1));
    assert_ne!(plan(1), plan(2));
    let saved = serde_json::to_string(&plan(1)).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Step>>(&saved).unwrap(), plan(1));
}

// ---- making plans -------------------------------------------------------------------------------------

fn plan(seed: u64) -> Vec<Step> {
    let random = &mut ChaCha8Rng::seed_from_u64(seed);
    let mut steps: Vec<Step> = (0..STEPS).map(|_| step(random)).collect();
    // These take a second or more, so there is one of each.
    for rare in [Step::Evict, Step::Restart] {
        steps.insert(random.random_range(0..steps.len()), rare);
    }
    steps
}

fn step(random: &mut ChaCha8Rng) -> Step {
    let who = random.random_range(0..PEOPLE);
    match random.random_range(0..100) {
        0..67 => Step::Edit(who, edit(random)),
        67..70 => Step::Noise(who, random.random_range(1_000..4_000_000)),
        70..74 => Step::Drop(who),
        74..77 => Step::Leave(who),
        77..84 => Step::Return(who),
        84..89 => Step::Stall(SLOW[who % SLOW.len()]),
        89..92 => Step::Resume(SLOW[who % SLOW.len()]),
        92..99 => Step::Pass(random.random_range(0..50)),
        _ => Step::Settle,
    }
}

fn edit(random: &mut ChaCha8Rng) -> Edit {
    let at = random.random();
    let some = random.random_range(1..8);
    match random.random_range(0..100) {
        0..25 => Edit::Insert(at, words(random) + ["", "", "😀"].choose(random).unwrap()),
        25..40 => Edit::Delete(at, some),
        40..45 => Edit::Format(at, some, random.random()),
        45..55 => Edit::Set(key(random), words(random)),
        55..59 => Edit::Unset(key(random)),
        59..64 => Edit::Nest(key(random), words(random)),
        64..72 => Edit::Push((0..some).map(|_| words(random)).collect()),
        72..77 => Edit::Remove(at, some),
        77..83 => Edit::Paragraph(at, words(random)),
        83..90 => Edit::Write(at, random.random(), words(random)),
        90..93 => Edit::Attribute(at, words(random)),
        _ => Edit::Cut(at),
    }
}

fn key(random: &mut ChaCha8Rng) -> String {
    ["title", "colour", "size", "ключ"].choose(random).unwrap().to_string()
}

fn words(random: &mut ChaCha8Rng) -> String {
    let words = ["weft ", "warp ", "a", "schön ", "文件", "\n", "the quick brown fox "];
    (0..random.random_range(1..4)).map(|_| *words.choose(random).unwrap()).collect()
}

// ---- carrying them out --------------------------------------------------------------------------------

/// Somebody who takes part.
enum Person {
    Client(Client),
    Typist(Typist),
}

impl Person {
    async fn opens(n: usize, server: &TestServer) -> Self {
        let buffer = SLOW.contains(&n).then_some(4096);
        if n >= TYPISTS {
            return Self::Typist(Typist::opens(server, "plan", &format!("typist{n}"), buffer).await);
        }
        let mut client = Client::named(&format!("person {n}"));
        if let Some(bytes) = buffer {
            client = client.receive_buffer(bytes);
        }
        let client = match n {
            1 | 3 => client.over_hocuspocus(),
            4 => client.acknowledged(),
            5 => client.over_events(),
            6 => client.over_polls(),
            _ => client,
        };
        Self::Client(client.opens(server, "plan").await)
    }

    /// A typist knows one text, and makes of every edit one of that. What it inserts is marked.
    fn edit(&self, edit: &Edit, marks: &mut Vec<String>) {
        let typist = match self {
            Self::Client(client) => return client.edit(|roots, txn| edit.apply(roots, txn)),
            Self::Typist(typist) => typist,
        };
        match edit {
            Edit::Delete(at, count) | Edit::Remove(at, count) | Edit::Format(at, count, _) => {
                typist.deletes(*at, *count);
            }
            Edit::Cut(at) => typist.deletes(*at, 1),
            Edit::Insert(at, words) | Edit::Paragraph(at, words) | Edit::Write(_, at, words) => {
                let mark = format!("«{:08x}»", (marks.len() as u32 + 1).wrapping_mul(0x9e37_79b1));
                typist.inserts(*at, &format!("{words}{mark}"));
                marks.push(mark);
            }
            Edit::Nest(_, words) | Edit::Set(_, words) | Edit::Attribute(_, words) => {
                typist.inserts(0, words);
            }
            Edit::Push(words) => typist.inserts(u32::MAX, &words.concat()),
            Edit::Unset(_) => typist.deletes(0, 3),
        }
    }

    fn makes_noise(&self, length: u32) {
        if let Self::Client(client) = self
            && (client.is_let_in() || !client.is_online())
        {
            client.inserts(0, &"x".repeat(length as usize));
            client.deletes(0, length);
        }
    }

    async fn drops(&mut self) {
        match self {
            Self::Client(client) => client.drops().await,
            Self::Typist(typist) => typist.drops().await,
        }
    }

    async fn leaves(&mut self) {
        match self {
            Self::Client(client) => client.leaves().await,
            Self::Typist(typist) => typist.leaves().await,
        }
    }

    async fn is_closed(&mut self) {
        match self {
            Self::Client(client) => drop(client.is_closed().await),
            Self::Typist(typist) => typist.is_closed().await,
        }
    }

    async fn connects(&mut self, server: &TestServer) {
        match self {
            Self::Client(client) => client.connects(server).await.unwrap(),
            Self::Typist(typist) => typist.connects(server).await,
        }
    }

    fn stops_reading(&self) {
        match self {
            Self::Client(client) => client.stops_reading(),
            Self::Typist(typist) => typist.stops_reading(),
        }
    }

    fn reads_again(&self) {
        match self {
            Self::Client(client) => client.reads_again(),
            Self::Typist(typist) => typist.reads_again(),
        }
    }

    /// Has what there was when it came, and has said everything.
    async fn has_arrived(&self) {
        match self {
            Self::Client(client) => until(&format!("{} is synced", client.name), || client.is_synced()).await,
            Self::Typist(typist) => {
                typist.is_greeted().await;
                until(&format!("everything of {} is durable", typist.name), || typist.is_saved()).await;
            }
        }
    }
}

/// The server and everybody who takes part.
struct Scene {
    server: TestServer,
    people: Vec<Person>,
    away: Vec<bool>,
    /// What typists inserted, each a word of its own.
    marks: Vec<String>,
    /// How often somebody slow was caught up, before the last restart.
    catch_ups: u64,
}

async fn run(plan: &[Step]) {
    let setup = TestServer::setup().with(|config| {
        config.document.idle = Duration::ZERO;
        config.document.checkpoint_bytes = 2_000;
        // The store begins a fresh epoch again and again, and is stopped in the middle of it.
        config.store.slack_bytes = 0;
        config.http.connection.outbox.bytes = OUTBOX;
        // Who comes back at once finds the session; who takes longer does not.
        config.http.connection.feed_patience = Duration::from_secs(1);
        // What goes over plain HTTP is seen to have broken when something is written to it.
        config.http.connection.heartbeat.interval = Duration::from_millis(200);
    });
    let server = setup.start().await;
    let mut people = Vec::new();
    for n in 0..PEOPLE {
        people.push(Person::opens(n, &server).await);
    }
    let (away, marks) = (vec![false; people.len()], Vec::new());
    let mut scene = Scene { server, people, away, marks, catch_ups: 0 };
    for step in plan {
        scene.take(step).await;
    }
    scene.end().await;
}

impl Scene {
    async fn take(&mut self, step: &Step) {
        match step {
            Step::Edit(who, edit) => {
                self.people[*who].edit(edit, &mut self.marks);
                // What has come meanwhile is heard before the next one.
                tokio::task::yield_now().await;
            }
            Step::Noise(who, length) => self.people[*who].makes_noise(*length),
            Step::Drop(who) => {
                self.people[*who].drops().await;
                self.away[*who] = true;
            }
            Step::Leave(who) => self.leave(*who).await,
            Step::Return(who) => {
                if std::mem::replace(&mut self.away[*who], false) {
                    self.people[*who].connects(&self.server).await;
                }
            }
            Step::Stall(who) if !self.away[*who] => self.people[*who].stops_reading(),
            Step::Resume(who) if !self.away[*who] => self.people[*who].reads_again(),
            Step::Stall(_) | Step::Resume(_) => {}
            Step::Pass(time) => tokio::time::sleep(Duration::from_micros(time * 100)).await,
            Step::Settle => self.settle().await,
            Step::Evict => {
                for who in 0..PEOPLE {
                    self.leave(who).await;
                }
                self.server.forgets_everything().await;
                self.settle().await;
            }
            Step::Restart => {
                for (person, away) in self.people.iter().zip(&self.away) {
                    if !away {
                        person.reads_again();
                    }
                }
                self.catch_ups += self.server.metrics().slow_session_catch_ups.get();
                self.server.restart().await;
                for who in 0..PEOPLE {
                    if !std::mem::replace(&mut self.away[who], true) {
                        self.people[who].is_closed().await;
                    }
                }
            }
        }
    }

    async fn leave(&mut self, who: usize) {
        if !std::mem::replace(&mut self.away[who], true) {
            self.people[who].reads_again();
            self.people[who].leaves().await;
        }
    }

    /// Everybody comes back and reads until all have the same.
    async fn settle(&mut self) {
        for (person, away) in self.people.iter_mut().zip(&mut self.away) {
            if std::mem::replace(away, false) {
                person.connects(&self.server).await;
            }
            person.reads_again();
        }
        for person in &self.people {
            person.has_arrived().await;
        }
        settle(&self.clients().collect::<Vec<_>>()).await;
        let text = self.witness().text();
        for typist in self.typists() {
            until(&format!("{} has the text", typist.name), || typist.text() == text).await;
        }
    }

    fn clients(&self) -> impl Iterator<Item = &Client> {
        self.people.iter().filter_map(|person| match person {
            Person::Client(client) => Some(client),
            Person::Typist(_) => None,
        })
    }

    fn typists(&self) -> impl Iterator<Item = &Typist> {
        self.people.iter().filter_map(|person| match person {
            Person::Typist(typist) => Some(typist),
            Person::Client(_) => None,
        })
    }

    fn witness(&self) -> &Client {
        self.clients().next().expect("somebody has a replica")
    }

    /// All have the same, and so has who comes afresh, what programs read, and what is stored.
    async fn end(mut self) {
        self.settle().await;
        let witness = self.witness();
        let fresh = self.server.client("fresh", "plan").await;
        settle(&[witness, &fresh]).await;
        let text = witness.text();
        let (_, init) = Scribe::opens(&self.server, "plan", "fresh").await;
        assert_eq!(init["content"], text.as_str(), "the text, as a newcomer without a replica has it");
        let twice: Vec<_> = self.marks.iter().filter(|mark| text.matches(*mark).count() > 1).collect();
        assert!(twice.is_empty(), "{twice:?} stand twice in {text:?}");
        let read = rest::get(&self.server, "/api/v1/documents/plan/json").await.expect(200).json();
        let content = witness.content();
        for (root, shown) in read.as_object().unwrap() {
            assert_eq!(shown, &content[root], "{root}, as programs read it");
        }
        let metrics = self.server.metrics();
        assert_eq!(metrics.documents_poisoned.get(), 0);
        let operations: usize = self.typists().map(Typist::acknowledged).sum();
        let catch_ups = self.catch_ups + metrics.slow_session_catch_ups.get();
        println!("{operations} operations acknowledged; {catch_ups} times somebody was caught up");
        let expected = witness.content();
        drop(fresh);
        self.server.restart().await;
        let stored = self.server.client("from the store", "plan").await;
        assert_eq!(stored.content(), expected, "what was stored is something else");
    }
}

impl Edit {
    fn apply(&self, roots: &Roots, txn: &mut TransactionMut<'_>) {
        let Roots { text, map, array, xml } = roots;
        match self {
            Self::Insert(at, words) => {
                let at = between_characters(text, at % (text.len(txn) + 1), txn);
                text.insert(txn, at, words);
            }
            Self::Delete(at, length) => {
                if let Some((at, length)) = whole_characters(text, *at, *length, txn) {
                    text.remove_range(txn, at, length);
                }
            }
            Self::Format(at, length, bold) => {
                if let Some((at, length)) = whole_characters(text, *at, *length, txn) {
                    text.format(txn, at, length, Attrs::from([("bold".into(), (*bold).into())]));
                }
            }
            Self::Set(key, value) => drop(map.insert(txn, key.as_str(), value.as_str())),
            Self::Unset(key) => drop(map.remove(txn, key)),
            Self::Nest(key, words) => match map.get(txn, key) {
                Some(Out::YText(nested)) => nested.push(txn, words),
                _ => drop(map.insert(txn, key.as_str(), TextPrelim::new(words.as_str()))),
            },
            Self::Push(values) => array.insert_range(txn, array.len(txn) / 2, values.clone()),
            Self::Remove(at, length) => {
                if let Some((at, length)) = part(*at, *length, array.len(txn)) {
                    array.remove_range(txn, at, length);
                }
            }
            Self::Paragraph(at, words) => {
                let paragraph = xml.insert(txn, at % (xml.len(txn) + 1), XmlElementPrelim::empty("p"));
                paragraph.push_back(txn, XmlTextPrelim::new(words.as_str()));
            }
            Self::Write(which, at, words) => {
                if let Some(paragraph) = paragraph(roots, *which, txn)
                    && let Some(XmlOut::Text(line)) = paragraph.get(txn, 0)
                {
                    line.insert(txn, at % (line.len(txn) + 1), words);
                }
            }
            Self::Attribute(which, value) => {
                if let Some(paragraph) = paragraph(roots, *which, txn) {
                    paragraph.insert_attribute(txn, "align", value.as_str());
                }
            }
            Self::Cut(at) => {
                if let Some((at, _)) = part(*at, 1, xml.len(txn)) {
                    xml.remove_range(txn, at, 1);
                }
            }
        }
    }
}

/// This place, or the nearest before it that does not cut a character in two. Places are counted in UTF-16.
fn between_characters(text: &TextRef, at: u32, txn: &impl ReadTxn) -> u32 {
    let mut place = 0;
    for character in text.get_string(txn).chars() {
        let next = place + character.len_utf16() as u32;
        if next > at {
            break;
        }
        place = next;
    }
    place
}

/// A part of a text that cuts no character in two, if there is anything.
fn whole_characters(text: &TextRef, at: u32, length: u32, txn: &impl ReadTxn) -> Option<(u32, u32)> {
    let (at, length) = part(at, length, text.len(txn))?;
    let start = between_characters(text, at, txn);
    let end = between_characters(text, at + length, txn);
    (end > start).then_some((start, end - start))
}

/// A part of something of this length, if there is anything.
fn part(at: u32, length: u32, of: u32) -> Option<(u32, u32)> {
    let at = at.checked_rem(of)?;
    Some((at, length.min(of - at)))
}

fn paragraph(roots: &Roots, which: u32, txn: &impl ReadTxn) -> Option<yrs::XmlElementRef> {
    let at = which.checked_rem(roots.xml.len(txn))?;
    match roots.xml.get(txn, at) {
        Some(XmlOut::Element(paragraph)) => Some(paragraph),
        _ => None,
    }
}
