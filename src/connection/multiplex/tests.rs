//! Plays the stories in `connection/scenarios/multiplex`: what a client sends over one socket, and what is done
//! about it. `UPDATE_GOLDENFILES=1 cargo test multiplex` writes what happens into the files.

use std::{error::Error, fmt::Write as _};

use bytes::BytesMut;
use uuid::Uuid;

use super::*;
use crate::{protocol::wire, stories::tell_all};

#[test]
fn stories() {
    tell_all("src/connection/scenarios/multiplex", || Story::new(Bounds::default()));
}

#[derive(goldenscript::Command)]
enum Command {
    /// Begins anew with tighter bounds.
    Bound {
        #[arg(key)]
        documents: Option<usize>,
        #[arg(key)]
        pending_documents: Option<usize>,
        #[arg(key)]
        pending_frames: Option<usize>,
        #[arg(key)]
        pending_bytes: Option<usize>,
        #[arg(key)]
        unknown_frame_bytes: Option<usize>,
    },
    /// A frame as it is, in hexadecimal.
    Raw(#[arg(optional)] String),
    /// `auth plan [token] [version]`
    Auth {
        address: String,
        token: Option<String>,
        version: Option<String>,
    },
    /// A step 1 with an empty state vector.
    Ask(String),
    /// A step 2 of nothing.
    Answer(String),
    /// An update, or `garbage` in its place, or something `long`.
    Update {
        address: String,
        what: Option<String>,
    },
    /// Presence of nobody.
    Aware(String),
    Query(String),
    Say {
        address: String,
        payload: String,
    },
    Close(String),
    /// The policy and the document let the client in, as the next session.
    Entered(String),
    /// They do not.
    Refused {
        address: String,
        reason: String,
    },
    /// The policy answers a renewal: `read`, `write`, or a reason why not.
    Renewed {
        address: String,
        outcome: String,
    },
    /// What is long was read.
    Understood,
    /// A document ends a session, by its number.
    Ended {
        session: u128,
        reason: String,
    },
    /// Seconds go by.
    Wait(u64),
    Keepalive,
}

struct Story {
    multiplex: Multiplex,
    now: Instant,
    sessions: u128,
    /// What is being read.
    long: Option<(Bytes, SessionId, Body)>,
}

impl Story {
    fn new(bounds: Bounds) -> Self {
        let now = Instant::now();
        let limits = Arc::new(guard::Limits::default());
        Self { multiplex: Multiplex::new(limits, bounds, now), now, sessions: 0, long: None }
    }

    fn frame(&mut self, address: &str, body: &[u8]) -> Actions {
        let mut frame = BytesMut::new();
        wire::put_string(&mut frame, &address.replace('/', "\0"));
        frame.extend_from_slice(body);
        self.hear(frame.freeze())
    }

    fn hear(&mut self, frame: Bytes) -> Actions {
        let mut actions = Actions::new();
        self.multiplex.hear(frame, self.now, &mut actions);
        actions
    }
}

impl goldenscript::Runner for Story {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &goldenscript::Context) -> Result<String, Box<dyn Error>> {
        let actions = match command {
            Command::Bound {
                documents,
                pending_documents,
                pending_frames,
                pending_bytes,
                unknown_frame_bytes,
            } => {
                let default = Bounds::default();
                *self = Self::new(Bounds {
                    documents: documents.unwrap_or(default.documents),
                    pending_documents: pending_documents.unwrap_or(default.pending_documents),
                    pending_frames: pending_frames.unwrap_or(default.pending_frames),
                    pending_bytes: pending_bytes.unwrap_or(default.pending_bytes),
                    unknown_frame_bytes: unknown_frame_bytes.unwrap_or(default.unknown_frame_bytes),
                    ..default
                });
                return Ok(String::new());
            }
            Command::Raw(hex) => self.hear(unhex(hex)),
            Command::Auth { address, token, version } => {
                let mut body = BytesMut::from(&[2, 0][..]);
                wire::put_string(&mut body, token.as_deref().unwrap_or_default());
                if let Some(version) = version {
                    wire::put_string(&mut body, version);
                }
                self.frame(address, &body)
            }
            Command::Ask(address) => self.frame(address, &[0, 0, 1, 0]),
            Command::Answer(address) => self.frame(address, &[0, 1, 2, 0, 0]),
            Command::Update { address, what } => match what {
                None => self.frame(address, &[0, 2, 2, 0, 0]),
                Some(what) if what == "long" => {
                    let mut body = BytesMut::from(&[0, 2][..]);
                    wire::put_buffer(&mut body, &vec![255; guard::QUICK]);
                    self.frame(address, &body)
                }
                Some(_) => self.frame(address, &[0, 2, 3, 255, 255, 255]),
            },
            Command::Aware(address) => self.frame(address, &[1, 1, 0]),
            Command::Query(address) => self.frame(address, &[3]),
            Command::Say { address, payload } => {
                let mut body = BytesMut::from(&[5][..]);
                wire::put_string(&mut body, payload);
                self.frame(address, &body)
            }
            Command::Close(address) => self.frame(address, &[7]),
            Command::Entered(address) => {
                self.sessions += 1;
                let mut actions = Actions::new();
                let session = SessionId(Uuid::from_u128(self.sessions));
                self.multiplex.entered(&key(address), Ok(session), self.now, &mut actions);
                actions
            }
            Command::Refused { address, reason } => {
                let mut actions = Actions::new();
                self.multiplex.entered(&key(address), Err(reason.clone()), self.now, &mut actions);
                actions
            }
            Command::Understood => {
                let (address, session, body) = self.long.take().ok_or("nothing is being read")?;
                let said = body.decode(&self.multiplex.limits());
                let mut actions = Actions::new();
                self.multiplex.understood(address, session, said, &mut actions);
                actions
            }
            Command::Renewed { address, outcome } => {
                let outcome = match outcome.as_str() {
                    "read" => Ok(false),
                    "write" => Ok(true),
                    reason => Err(reason.to_owned()),
                };
                let mut actions = Actions::new();
                self.multiplex.renewed(&key(address), outcome, &mut actions);
                actions
            }
            Command::Ended { session, reason } => {
                let mut all = CloseReason::ALL.into_iter();
                let reason = all.find(|known| format!("{known:?}") == *reason).ok_or("no such reason")?;
                let mut actions = Actions::new();
                self.multiplex.ended(SessionId(Uuid::from_u128(*session)), reason, &mut actions);
                actions
            }
            Command::Wait(seconds) => {
                self.now += Duration::from_secs(*seconds);
                self.multiplex.tick(self.now).map(Action::Close).into_iter().collect()
            }
            Command::Keepalive => {
                return Ok(match self.multiplex.keepalive() {
                    Some((address, payload)) => format!("{} {payload:?}\n", in_words(&address)),
                    None => "none\n".to_owned(),
                });
            }
        };
        assert_eq!(self.multiplex.pending.frames, frames_that_wait(&self.multiplex));
        let mut out = String::new();
        for action in actions {
            if let Action::Understand { address, session, body } = &action {
                self.long = Some((address.clone(), *session, body.clone()));
            }
            writeln!(out, "{}", action_in_words(&action))?;
        }
        Ok(out)
    }
}

fn frames_that_wait(multiplex: &Multiplex) -> usize {
    let waiting = |phase: &Phase| match phase {
        Phase::Waiting { queue, .. } | Phase::Entering { queue } => queue.len(),
        Phase::Open { .. } | Phase::Denied => 0,
    };
    multiplex.documents.values().map(waiting).sum()
}

fn action_in_words(action: &Action) -> String {
    match action {
        Action::Enter { address, document, token } => {
            format!("enter {} ({document}) with {}", in_words(address), token.as_deref().unwrap_or("nothing"))
        }
        Action::Renew { address, document, token } => {
            format!("renew {} ({document}) with {}", in_words(address), token.as_deref().unwrap_or("nothing"))
        }
        Action::Understand { session, .. } => format!("session {}: to be read", number(*session)),
        Action::Deliver(session, message) => {
            let message = match message {
                Message::SyncStep1(_) => "step 1",
                Message::SyncStep2(_) => "step 2",
                Message::Update(_) => "update",
                Message::Awareness(_) => "presence",
                Message::QueryAwareness => "query",
                Message::Unreadable(_) => "something unreadable",
                Message::Echo(_) => "echo",
            };
            format!("session {}: {message}", number(*session))
        }
        Action::Stateless(session, payload) => format!("session {}: stateless {payload}", number(*session)),
        Action::Leave(session) => format!("session {} leaves", number(*session)),
        Action::Send(address, message) => format!("send {}: {message:?}", in_words(address)),
        Action::Pong => "pong".to_owned(),
        Action::Refused(label) => format!("refused ({label})"),
        Action::Close(reason) => format!("close the socket {}", reason.code()),
    }
}

fn number(SessionId(id): SessionId) -> u128 {
    id.as_u128()
}

fn in_words(address: &[u8]) -> String {
    String::from_utf8_lossy(address).replace('\0', "/").trim_start_matches(char::is_control).to_owned()
}

fn key(address: &str) -> Bytes {
    address.replace('/', "\0").into()
}

fn unhex(hex: &str) -> Bytes {
    let digits: Vec<u8> = hex.bytes().collect();
    let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}
