//! Plays the stories in `scenarios/text_history`: a text, the changes it sees, and operations that come late.
//! `UPDATE_GOLDENFILES=1 cargo test text_history` writes what happens into the files.

use std::{error::Error, fmt::Write as _};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use uuid::Uuid;

use super::*;
use crate::{protocol::text_operation::Part, stories::tell_all};

#[test]
fn stories_of_text_histories() {
    tell_all("src/document/scenarios/text_history", Story::default);
}

#[derive(goldenscript::Command)]
enum Command {
    /// Begins with a text, under limits: `text "hello" operations=3`.
    Text {
        text: String,
        #[arg(key)]
        operations: Option<usize>,
        #[arg(key)]
        bytes: Option<usize>,
        #[arg(key)]
        work: Option<usize>,
    },
    /// Something changes the text: `change '[5,"!"]'`.
    Change(String),
    /// An operation arrives, made to a revision, and is applied: `propose ann a1 0 '[5,"!"]'`.
    Propose(String, String, u64, String),
    /// Where an operation is in the history: `find ann a1 0 '[5,"!"]'`.
    Find(String, String, u64, String),
}

#[derive(Default)]
struct Story {
    text: String,
    history: Option<TextHistory>,
}

impl goldenscript::Runner for Story {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &goldenscript::Context) -> Result<String, Box<dyn Error>> {
        let mut out = String::new();
        match command {
            Command::Text { text, operations, bytes, work } => {
                let default = HistoryLimits::default();
                let limits = HistoryLimits {
                    operations: operations.unwrap_or(default.operations),
                    bytes: bytes.unwrap_or(default.bytes),
                    work: work.unwrap_or(default.work),
                };
                self.text.clone_from(text);
                self.history = Some(TextHistory::new(limits, epoch(), text.chars().count()));
            }
            Command::Change(operation) => {
                let revision = self.apply(serde_json::from_str(operation)?, None)?;
                writeln!(out, "{revision}: {:?}", self.text)?;
            }
            Command::Propose(editor, id, base, operation) => {
                let operation = serde_json::from_str(operation)?;
                let (editor, name) = named(editor, id, *base, &operation);
                match self.history()?.find(&editor, &name) {
                    Some(Found::Same(revision)) => return Ok(format!("was {revision}\n")),
                    Some(Found::Other(revision)) => return Ok(format!("another was {revision}\n")),
                    None => {}
                }
                let author = Author { editor, name: Some(name) };
                match self.history()?.carry(*base, operation) {
                    Ok(carried) => {
                        let json = serde_json::to_string(&carried)?;
                        let revision = self.apply(carried, Some(author))?;
                        writeln!(out, "{revision}: {:?} by {json}", self.text)?;
                    }
                    Err(stale) => writeln!(out, "refused: {stale}")?,
                }
            }
            Command::Find(editor, id, base, operation) => {
                let (editor, name) = named(editor, id, *base, &serde_json::from_str(operation)?);
                match self.history()?.find(&editor, &name) {
                    Some(Found::Same(revision)) => writeln!(out, "{revision}")?,
                    Some(Found::Other(revision)) => writeln!(out, "another, {revision}")?,
                    None => writeln!(out, "unknown")?,
                }
            }
        }
        Ok(out)
    }
}

impl Story {
    fn history(&mut self) -> Result<&mut TextHistory, Box<dyn Error>> {
        self.history.as_mut().ok_or_else(|| "no text yet".into())
    }

    fn apply(&mut self, operation: TextOperation, author: Option<Author>) -> Result<u64, Box<dyn Error>> {
        self.text = operation.apply(&self.text).ok_or("the operation does not fit")?;
        let length = self.text.chars().count();
        let history = self.history()?;
        let revision = history.record(Arc::new(operation), author);
        assert_eq!(history.length(), length);
        Ok(revision)
    }
}

fn epoch() -> SessionId {
    SessionId(Uuid::from_u128(1))
}

fn named(editor: &str, id: &str, base: u64, operation: &TextOperation) -> (EditorName, OperationName) {
    (EditorName::parse(editor).unwrap(), OperationName::new(id.into(), base, operation))
}

/// An editor as docs/protocols.md#how-to-keep-up describes one, with at most one operation under way.
struct Editor {
    text: String,
    revision: u64,
    sent: Option<(u64, TextOperation)>,
    /// What it has not heard of yet.
    inbox: VecDeque<News>,
}

enum News {
    /// A revision by somebody else.
    Change(Arc<TextOperation>),
    /// Its own operation made the next revision.
    Own,
}

impl Editor {
    fn hear(&mut self) {
        let Some(news) = self.inbox.pop_front() else { return };
        match (news, self.sent.take()) {
            (News::Own, _) => self.revision += 1,
            (News::Change(news), None) => {
                self.revision += 1;
                self.text = news.apply(&self.text).unwrap();
            }
            (News::Change(news), Some((base, own))) => {
                self.revision += 1;
                // Its own is in the text already.
                let (own, news) = own.transform(&news).unwrap();
                self.text = news.apply(&self.text).unwrap();
                self.sent = Some((base, own));
            }
        }
    }
}

#[test]
fn editors_that_hear_late_end_with_the_same_text() {
    let seed = rand::rng().random();
    println!("seed {seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    for _ in 0..40 {
        let mut text = "a漢😀".to_owned();
        let mut history = TextHistory::new(HistoryLimits::default(), epoch(), 3);
        let mut editors: Vec<Editor> = (0..3)
            .map(|_| Editor { text: text.clone(), revision: 0, sent: None, inbox: VecDeque::new() })
            .collect();
        for _ in 0..200 {
            let who = random.random_range(0..editors.len());
            if editors[who].sent.is_none() && random.random_bool(0.5) {
                let operation = some_operation(&editors[who].text, &mut random);
                let editor = &mut editors[who];
                editor.text = operation.apply(&editor.text).unwrap();
                editor.sent = Some((editor.revision, operation.clone()));
                // It is under way: what the server makes of it comes back in order.
                let carried = Arc::new(history.carry(editor.revision, operation).unwrap());
                text = carried.apply(&text).unwrap();
                history.record(carried.clone(), None);
                for (other, editor) in editors.iter_mut().enumerate() {
                    let news = if other == who { News::Own } else { News::Change(carried.clone()) };
                    editor.inbox.push_back(news);
                }
            } else {
                editors[who].hear();
            }
        }
        for editor in &mut editors {
            while !editor.inbox.is_empty() {
                editor.hear();
            }
            assert_eq!(editor.text, text);
            assert_eq!(editor.revision, history.revision());
        }
    }
}

fn some_operation(text: &str, random: &mut ChaCha8Rng) -> TextOperation {
    const WORDS: [&str; 5] = ["x", "漢字", "😀", "👩‍🚀", "é\n"];
    let length = text.chars().count();
    let at = random.random_range(0..=length);
    let gone = random.random_range(0..=(length - at).min(3));
    let word = if random.random_bool(0.7) { WORDS[random.random_range(0..WORDS.len())] } else { "" };
    [Part::Retain(at), Part::Insert(word), Part::Delete(gone), Part::Retain(length - at - gone)]
        .into_iter()
        .collect()
}
