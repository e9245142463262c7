//! Plays the stories in `connection/scenarios/session`: what comes in, and what follows from it.

use std::{error::Error, fmt::Write as _};

use super::*;
use crate::stories::tell_all;

#[test]
fn stories() {
    tell_all("src/connection/scenarios/session", || Story { session: Session::new(Limits::default()) });
}

#[derive(goldenscript::Command)]
enum Command {
    /// Tightens the limits.
    Limit {
        #[arg(key)]
        update_bytes: Option<usize>,
        #[arg(key)]
        awareness_bytes: Option<usize>,
        #[arg(key)]
        awareness_clients: Option<usize>,
        #[arg(key)]
        echo_bytes: Option<usize>,
        #[arg(key)]
        clients: Option<usize>,
    },
    /// A binary message, in hexadecimal; `03x5` is five times 03.
    Binary(#[arg(optional)] Vec<String>),
    Text,
    Ping(#[arg(optional)] String),
    Pong,
    /// The peer closes, with this code or with none.
    Close(Option<u16>),
}

struct Story {
    session: Session,
}

impl goldenscript::Runner for Story {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &goldenscript::Context) -> Result<String, Box<dyn Error>> {
        let inbound = match command {
            Command::Limit { update_bytes, awareness_bytes, awareness_clients, echo_bytes, clients } => {
                let mut limits = Limits::default();
                limits.update_bytes = update_bytes.unwrap_or(limits.update_bytes);
                limits.document_bytes = update_bytes.unwrap_or(limits.document_bytes);
                limits.awareness_bytes = awareness_bytes.unwrap_or(limits.awareness_bytes);
                limits.awareness_clients = awareness_clients.unwrap_or(limits.awareness_clients);
                limits.echo_bytes = echo_bytes.unwrap_or(limits.echo_bytes);
                limits.clients = clients.unwrap_or(limits.clients);
                self.session = Session::new(limits);
                return Ok(String::new());
            }
            Command::Binary(parts) => {
                let mut bytes = Vec::new();
                for part in parts {
                    let (hex, times) = part.split_once('x').unwrap_or((part, "1"));
                    let once = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16));
                    bytes.extend(once.collect::<Result<Vec<_>, _>>()?.repeat(times.parse()?));
                }
                Inbound::Binary(bytes.into())
            }
            Command::Text => Inbound::Text(bytes::Bytes::from_static(b"{}")),
            Command::Ping(payload) => Inbound::Ping(payload.clone().into()),
            Command::Pong => Inbound::Pong,
            Command::Close(code) => Inbound::Close(*code),
        };
        let mut out = String::new();
        match self.session.step(inbound) {
            Step::Deliver(messages) => {
                for message in messages {
                    writeln!(out, "deliver {}", in_words(&message))?;
                }
            }
            Step::Pong(payload) => writeln!(out, "pong {payload:?}")?,
            Step::Idle => writeln!(out, "idle")?,
            Step::Ended { clean } => writeln!(out, "ended, {}", if clean { "clean" } else { "dropped" })?,
            Step::Refuse(reason, label) => writeln!(out, "refuse {} ({label})", reason.code())?,
        }
        Ok(out)
    }
}

fn in_words(message: &Message) -> String {
    match message {
        Message::SyncStep1(vector) => format!("step 1 of {} clients", vector.len()),
        Message::SyncStep2(update) => format!("step 2 of {} bytes", update.bytes().len()),
        Message::Update(update) => format!("update of {} bytes", update.bytes().len()),
        Message::Awareness(update) => {
            let entries = update.entries.iter().map(|entry| {
                let state = entry.state.as_deref().unwrap_or("gone");
                format!(" {}@{}={state}", entry.client.get(), entry.clock)
            });
            let left_out =
                if update.left_out > 0 { format!(", {} left out", update.left_out) } else { String::new() };
            format!("presence{}{left_out}", entries.collect::<String>())
        }
        Message::QueryAwareness => "query".to_owned(),
        Message::Echo(bytes) => format!("echo {bytes:?}"),
        Message::Unreadable(why) => format!("unreadable ({why})"),
    }
}
