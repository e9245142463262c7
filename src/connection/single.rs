//! One document over one line: the y-websocket dialect, or what is left of Hocuspocus where no address is needed.

use std::{convert::Infallible, net::IpAddr, sync::Arc, time::Instant};

use bytes::Bytes;
use tracing::{debug, trace};

use super::{
    error::close_reason,
    penalty::Penalties,
    session::{Inbound, Session, Step, asks},
    talk::{self, Heard, Talk},
};
use crate::{
    auth::Admitted,
    document::{
        handle::DocumentHandle,
        messages::Joining,
        queue::{LaneId, Outbox},
        registry::Registry,
    },
    ids::{ConnectionId, DocumentName, Moment, SessionId},
    protocol::{
        Dialect,
        close::CloseReason,
        guard::{self, Limits},
        message::Message,
        ysync,
    },
    telemetry::Metrics,
};

/// What a connection with one document needs to begin.
pub struct Single {
    /// For the logs.
    pub connection: ConnectionId,
    /// Which document it wants.
    pub document: DocumentName,
    /// Who it is, and what they may do there.
    pub admitted: Admitted,
    /// When their time is over.
    pub ends: Option<Instant>,
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
pub(super) struct SingleTalk {
    id: SessionId,
    session: Session,
    outbox: Outbox,
    metrics: Metrics,
    address: IpAddr,
    penalties: Penalties,
    document: DocumentName,
    registry: Registry,
    ends: Option<Instant>,
    state: State,
    heard: Vec<Message>,
    /// A frame that is not read here, the last that was heard, and when.
    large: Option<(Bytes, Instant)>,
}

enum State {
    // Boxed: what is needed to join takes room that most of a connection's life has no use for.
    Joining(Box<Single>),
    Joined(DocumentHandle),
    Over,
}

impl Single {
    pub(super) fn converse(self, outbox: Outbox, limits: Arc<Limits>) -> SingleTalk {
        SingleTalk {
            id: SessionId::new(),
            session: Session::new(limits),
            outbox,
            metrics: self.metrics.clone(),
            address: self.address,
            penalties: self.penalties.clone(),
            document: self.document.clone(),
            registry: self.registry.clone(),
            ends: self.ends,
            state: State::Joining(Box::new(self)),
            heard: Vec::new(),
            large: None,
        }
    }
}

impl SingleTalk {
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
                access: single.admitted.access,
                person: single.admitted.principal.person(),
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

    /// Notes what is to be done about a frame that was read.
    fn follow(&mut self, step: Step, now: Instant) -> Heard {
        match step {
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

    /// Has a frame read where that holds nobody up, and does what follows from it.
    async fn take_large(&mut self, frame: Bytes, heard: Instant) -> Result<(), CloseReason> {
        let mut session = self.session.clone();
        let read = self.registry.understand(frame.len(), move || session.step(Inbound::Binary(frame)));
        let step = read.await.map_err(|_| CloseReason::Reset)?;
        if let Heard::Refuse(reason, label) = self.follow(step, heard) {
            self.metrics.refused(label);
            return Err(reason);
        }
        self.hand_over().await
    }

    /// Hands what was heard to the document.
    async fn hand_over(&mut self) -> Result<(), CloseReason> {
        if self.heard.is_empty() {
            return Ok(());
        }
        let heard = std::mem::take(&mut self.heard);
        let updates = heard.iter().filter(|message| message.is_update()).count();
        self.metrics.updates_received.inc_by(updates as u64);
        trace!(session = %self.id, messages = heard.len(), "messages taken in");
        self.handle()?.deliver(self.id, heard).await.map_err(|_| CloseReason::Reset)
    }
}

impl Talk for SingleTalk {
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

    fn hear(&mut self, inbound: Inbound, now: Moment) -> Heard {
        let now = now.instant;
        match inbound {
            Inbound::Binary(frame) if frame.len() > guard::QUICK => {
                self.large = Some((frame, now));
                Heard::Asked
            }
            inbound => {
                let step = self.session.step(inbound);
                self.follow(step, now)
            }
        }
    }

    async fn act(&mut self) -> Result<(), CloseReason> {
        self.hand_over().await?;
        match self.large.take() {
            None => Ok(()),
            // Boxed, because hardly a connection ever comes here.
            Some((frame, heard)) => Box::pin(self.take_large(frame, heard)).await,
        }
    }

    async fn catch_up(&mut self, _: LaneId) -> Result<(), CloseReason> {
        self.handle()?.catch_up(self.id).await.map_err(|_| CloseReason::Reset)
    }

    fn tick(&mut self, now: Instant) -> Result<(), CloseReason> {
        talk::until(self.ends, now)
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
