//! One document over one line: the y-websocket dialect, or what is left of Hocuspocus where no address is needed.

use std::{convert::Infallible, future::pending, net::IpAddr, sync::Arc, time::Instant};

use bytes::Bytes;
use tracing::{debug, trace};

use super::{
    error::close_reason,
    penalty::Penalties,
    session::{Inbound, Session, Step, asks},
    talk::{Heard, Talk},
};
use crate::{
    auth::Access,
    document::{
        handle::{DocumentHandle, Joining},
        outbox::{LaneId, Outbox},
        registry::Registry,
    },
    ids::{ConnectionId, DocumentName, SessionId},
    protocol::{Dialect, close::CloseReason, guard::Limits, message::Message, ysync},
    telemetry::Metrics,
};

/// What a connection with one document needs to begin.
pub struct Single {
    /// For the logs.
    pub connection: ConnectionId,
    /// Which document it wants.
    pub document: DocumentName,
    /// What it may do there.
    pub access: Access,
    /// How it is spoken with.
    pub dialect: Dialect,
    /// Most sessions the document may have.
    pub max_sessions: usize,
    /// Open documents.
    pub registry: Registry,
    /// Figures.
    pub metrics: Metrics,
    /// Where it comes from.
    pub address: IpAddr,
    /// Who comes back with what was refused.
    pub penalties: Penalties,
}

/// The conversation.
pub(super) struct Conversation {
    id: SessionId,
    session: Session,
    outbox: Outbox,
    metrics: Metrics,
    address: IpAddr,
    penalties: Penalties,
    document: DocumentName,
    registry: Registry,
    state: State,
    heard: Vec<Message>,
}

enum State {
    // Boxed: what is needed to join takes room that most of a connection's life has no use for.
    Joining(Box<Single>),
    Joined(DocumentHandle),
    Over,
}

impl Single {
    pub(super) fn converse(self, outbox: Outbox, limits: Arc<Limits>) -> Conversation {
        Conversation {
            id: SessionId::new(),
            session: Session::new(limits),
            outbox,
            metrics: self.metrics.clone(),
            address: self.address,
            penalties: self.penalties.clone(),
            document: self.document.clone(),
            registry: self.registry.clone(),
            state: State::Joining(Box::new(self)),
            heard: Vec::new(),
        }
    }
}

impl Conversation {
    fn handle(&self) -> Result<&DocumentHandle, CloseReason> {
        match &self.state {
            State::Joined(handle) => Ok(handle),
            State::Joining(_) | State::Over => Err(CloseReason::Reset),
        }
    }

    async fn join(&mut self, single: Box<Single>) -> Result<(), CloseReason> {
        let Single { connection, document, registry, .. } = &*single;
        let session = self.id;
        debug!(%connection, %session, %document, "connection opened");
        let joined = registry.ask(document, async |handle: DocumentHandle| {
            let joining = Joining {
                session,
                access: single.access,
                dialect: single.dialect,
                outbox: self.outbox.clone(),
                max_sessions: single.max_sessions,
            };
            handle.join(joining).await.map(|()| handle)
        });
        match joined.await {
            Ok(handle) => {
                self.state = State::Joined(handle);
                Ok(())
            }
            Err(error) => {
                debug!(%connection, %error, "connection refused");
                self.metrics.refused("join");
                Err(close_reason(&error))
            }
        }
    }
}

impl Talk for Conversation {
    type News = Infallible;

    async fn begin(&mut self) -> Result<(), CloseReason> {
        match std::mem::replace(&mut self.state, State::Over) {
            // Boxed, because joining needs much more room than reading, and most of a connection's life is
            // reading.
            State::Joining(single) => Box::pin(self.join(single)).await,
            state => {
                self.state = state;
                Ok(())
            }
        }
    }

    fn hear(&mut self, inbound: Inbound, now: Instant) -> Heard {
        match self.session.step(inbound) {
            Step::Deliver(messages) => {
                let asked = messages.iter().any(asks);
                self.heard.extend(messages);
                if asked { Heard::Asked } else { Heard::More }
            }
            Step::Pong(payload) => Heard::Pong(payload),
            Step::Idle => Heard::More,
            Step::Ended { clean } => Heard::Ended { clean },
            Step::Refuse(reason, label) => {
                self.registry.complain(&self.document, "message", label, now);
                Heard::Refuse(reason, label)
            }
        }
    }

    async fn act(&mut self) -> Result<(), CloseReason> {
        if self.heard.is_empty() {
            return Ok(());
        }
        let heard = std::mem::take(&mut self.heard);
        let updates = heard.iter().filter(|message| message.is_update()).count();
        self.metrics.updates_received.inc_by(updates as u64);
        trace!(session = %self.id, messages = heard.len(), "messages taken in");
        self.handle()?.deliver(self.id, heard).await.map_err(|_| CloseReason::Reset)
    }

    async fn news(&mut self) -> Infallible {
        pending().await
    }

    async fn take_news(&mut self, news: Infallible, _: Instant) -> Result<(), CloseReason> {
        match news {}
    }

    async fn catch_up(&mut self, _: LaneId) -> Result<(), CloseReason> {
        self.handle()?.catch_up(self.id).await.map_err(|_| CloseReason::Reset)
    }

    async fn ended(&mut self, _: LaneId, reason: CloseReason) -> Result<(), CloseReason> {
        Err(reason)
    }

    fn tick(&mut self, _: Instant) -> Result<(), CloseReason> {
        Ok(())
    }

    fn keepalive(&self) -> Option<(Bytes, Bytes)> {
        Some((Bytes::new(), ysync::KEEPALIVE))
    }

    fn over(&self, reason: CloseReason, now: Instant) {
        self.penalties.ended(self.address, &self.document, reason, now);
    }

    async fn leave(&mut self, clean: bool) {
        if let State::Joined(handle) = &self.state {
            handle.leave(self.id, clean).await;
        }
    }
}
