//! The conversation of one chat connection: reads what its peer says, within its limits, and says it in the
//! room. What the others say comes through the queue by itself.

use crate::{
    connection::{
        error::close_reason,
        text_socket::{Peer, What},
    },
    document::{
        beside::chat::{Chats, Seat},
        rate::{Bucket, Rate},
        text_queue::TextQueue,
    },
    ids::{DocumentName, SessionId, Timestamp},
    protocol::{
        chat::{self, ClientMessageId, Incoming, Person},
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

/// A chat connection that was let in.
pub struct Visit {
    /// Which document's chat.
    pub document: DocumentName,
    /// What the visitor is called.
    pub name: String,
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

/// Holds the conversation until it ends.
pub async fn talk(visit: Visit, peer: &mut Peer, queue: &TextQueue) {
    let Visit { document, name, most, config, chats, metrics } = visit;
    let person = Person { session: SessionId::new(), name };
    let seat = match chats.join(&document, person, queue.clone(), most).await {
        Ok(seat) => seat,
        Err(error) => {
            metrics.refused("join");
            queue.close(close_reason(&error));
            return;
        }
    };
    let longest = chats.limits().text_bytes;
    let mut limiter: Option<Limiter> = None;
    while let Some(said) = peer.hears().await {
        let limiter = limiter.get_or_insert_with(|| Limiter::new(config, said.at.instant));
        let outcome = match (limiter.frames.take(said.at.instant), said.what) {
            (false, _) => Err(too_often(None)),
            (true, What::Binary) => {
                Err((Fault::new("not_text", "this endpoint speaks JSON in text frames"), None))
            }
            // Nothing of a chat can be made up for, so nothing of it is ever dropped and owed.
            (true, What::Behind) => Ok(()),
            (true, What::Text(text)) => match chat::decode(&text, longest) {
                Ok(Incoming::Message { id, .. }) if !limiter.messages.take(said.at.instant) => {
                    Err(too_often(Some(id)))
                }
                Ok(incoming) => answer(&seat, queue, incoming, said.at.wall, &metrics).await,
                Err(misunderstood) => Err((misunderstood.fault, misunderstood.id)),
            },
        };
        if let Err((fault, id)) = outcome {
            metrics.refused("chat");
            queue.answer(chat::error(&fault, id.as_ref()));
            if !limiter.refusals.take(said.at.instant) {
                queue.close(CloseReason::PolicyViolation);
            }
        }
    }
}

async fn answer(
    seat: &Seat,
    queue: &TextQueue,
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
        Incoming::Ping => queue.answer(chat::pong()),
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
