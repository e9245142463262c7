//! The conversation of one chat connection: reads what its peer says, within its limits, and says it in the
//! chat. What the others say comes through the queue by itself.

use std::{convert::Infallible, time::Instant};

use bytes::Bytes;

use super::{
    error::close_reason,
    session::Inbound,
    talk::{self, Heard, JsonFrame, PACE, Talk},
};
use crate::{
    document::{
        beside::chat::{Chats, Seat},
        queue::Outbox,
        rate::{Bucket, Rate},
    },
    ids::{DocumentName, Moment, SessionId, Timestamp},
    protocol::{
        chat::{self, ClientMessageId, Incoming, KEEPALIVE, Person},
        close::CloseReason,
        envelope::Fault,
    },
    telemetry::Metrics,
};

/// How often somebody may speak.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// Messages.
    pub messages: Rate,
    /// Frames of every kind.
    pub frames: Rate,
    /// Refusals, whatever the reason, before the connection is closed with 1008.
    pub refusals: Rate,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            messages: Rate { burst: 20.0, per_second: 4.0 },
            frames: Rate { burst: 100.0, per_second: 25.0 },
            refusals: Rate { burst: 30.0, per_second: 1.0 },
        }
    }
}

/// Somebody who was let into a chat.
pub struct Visitor {
    /// Which document's chat.
    pub document: DocumentName,
    /// What the visitor is called.
    pub name: String,
    /// Whether they may say something, or only listen.
    pub may_speak: bool,
    /// When the time of whoever it is is over.
    pub ends: Option<Instant>,
    /// Most visitors the chat may have.
    pub most: usize,
    /// Settings.
    pub config: Config,
    /// The chats beside documents.
    pub chats: Chats,
    /// Figures.
    pub metrics: Metrics,
}

/// Largest frame: a text whose every byte was escaped, and what is around it.
pub const fn frame_bytes(text_bytes: usize) -> usize {
    6 * text_bytes + 4096
}

/// The conversation. Nothing of a chat can be made up for, so nothing of it is ever dropped.
pub(super) struct ChatTalk {
    visitor: Visitor,
    outbox: Outbox,
    /// Once the visitor is inside.
    seat: Option<Seat>,
    limiter: Option<Limiter>,
    heard: Vec<(JsonFrame, Moment)>,
}

impl Visitor {
    pub(super) fn converse(self, outbox: Outbox) -> ChatTalk {
        ChatTalk { visitor: self, outbox, seat: None, limiter: None, heard: Vec::new() }
    }
}

impl ChatTalk {
    /// Answers one message. Fails if too many had to be refused.
    async fn take(&mut self, said: JsonFrame, now: Moment) -> Result<(), CloseReason> {
        let Visitor { config, chats, metrics, may_speak, .. } = &self.visitor;
        let Some(seat) = &self.seat else { return Err(CloseReason::Reset) };
        let limiter = self.limiter.get_or_insert_with(|| Limiter::new(*config, now.instant));
        let outcome = match (limiter.frames.take(now.instant), said) {
            (false, _) => Err(too_often(None)),
            (true, JsonFrame::Binary) => {
                Err((Fault::new("not_text", "this endpoint speaks JSON in text frames"), None))
            }
            (true, JsonFrame::Text(text)) => match chat::decode(&text, chats.limits().text_bytes) {
                Ok(Incoming::Message { id, .. }) if !may_speak => {
                    let words = "you may read this document and its chat, and not talk in it";
                    Err((Fault::new("forbidden", words), Some(id)))
                }
                Ok(Incoming::Typing(_)) if !may_speak => Ok(()),
                Ok(Incoming::Message { id, .. }) if !limiter.messages.take(now.instant) => {
                    Err(too_often(Some(id)))
                }
                Ok(incoming) => answer(seat, &self.outbox, incoming, now.wall, metrics).await,
                Err(misunderstood) => Err((misunderstood.fault, misunderstood.id)),
            },
        };
        let Err((fault, id)) = outcome else { return Ok(()) };
        metrics.refused("chat");
        self.outbox.reply(chat::error(&fault, id.as_ref()));
        if limiter.refusals.take(now.instant) { Ok(()) } else { Err(CloseReason::PolicyViolation) }
    }
}

impl Talk for ChatTalk {
    type News = Infallible;

    async fn begin(&mut self) -> Result<(), CloseReason> {
        let Visitor { document, name, most, chats, metrics, .. } = &self.visitor;
        let person = Person { session: SessionId::new(), name: name.clone() };
        let seat = chats.join(document, person, self.outbox.clone(), *most).await;
        self.seat = Some(seat.map_err(|error| {
            metrics.refused("join");
            close_reason(&error)
        })?);
        Ok(())
    }

    fn pace(&self) -> Option<Rate> {
        Some(PACE)
    }

    fn hear(&mut self, inbound: Inbound, now: Moment) -> Heard {
        match talk::read_text(inbound) {
            Ok(said) => {
                self.heard.push((said, now));
                Heard::More
            }
            Err(heard) => heard,
        }
    }

    async fn act(&mut self) -> Result<(), CloseReason> {
        for (said, now) in std::mem::take(&mut self.heard) {
            // It may have been closed meanwhile, by a deletion or because its peer does not read.
            if self.outbox.closing().is_some() {
                break;
            }
            self.take(said, now).await?;
        }
        Ok(())
    }

    fn tick(&mut self, now: Instant) -> Result<(), CloseReason> {
        talk::until(self.visitor.ends, now)
    }

    fn keepalive(&self) -> Option<(Bytes, Bytes)> {
        Some((Bytes::new(), Bytes::from_static(KEEPALIVE.as_bytes())))
    }

    async fn leave(&mut self, _: bool) {
        self.seat = None;
    }
}

async fn answer(
    seat: &Seat,
    outbox: &Outbox,
    incoming: Incoming,
    now: Timestamp,
    metrics: &Metrics,
) -> Result<(), (Fault, Option<ClientMessageId>)> {
    match incoming {
        Incoming::Message { id, text } => {
            seat.say(id.clone(), text, now).await.map_err(|fault| (fault, Some(id)))?;
            metrics.chat_messages.inc();
        }
        Incoming::Typing(typing) => seat.types(typing),
        Incoming::Ping => outbox.reply(chat::pong()),
    }
    Ok(())
}

fn too_often(id: Option<ClientMessageId>) -> (Fault, Option<ClientMessageId>) {
    (Fault::new("rate_limited", "too many messages in too short a time; send it again a little later"), id)
}

struct Limiter {
    messages: Bucket,
    frames: Bucket,
    refusals: Bucket,
}

impl Limiter {
    fn new(config: Config, now: std::time::Instant) -> Self {
        Self {
            messages: Bucket::new(config.messages, now),
            frames: Bucket::new(config.frames, now),
            refusals: Bucket::new(config.refusals, now),
        }
    }
}
