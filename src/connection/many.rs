//! Many documents over one socket: the Hocuspocus dialect. Carries out what [`Multiplex`] decides.

use std::{
    collections::{HashMap, VecDeque},
    future::pending,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, future::LocalBoxFuture, stream::FuturesUnordered};
use tracing::debug;

use super::{
    Config, Stateless,
    error::{denial, denial_again},
    multiplex::{Action, Multiplex},
    penalty::Penalties,
    session::Inbound,
    talk::{Heard, Talk},
};
use crate::{
    auth::{Admitted, NotAdmitted, Policy, Unauthorized},
    document::{
        handle::DocumentHandle,
        messages::Joining,
        queue::{LaneId, Outbox, SendQueue},
        registry::Registry,
    },
    ids::{ConnectionId, DocumentName, Moment, SessionId},
    protocol::{
        Dialect,
        close::CloseReason,
        hocuspocus::{self, Outgoing},
        message::Message,
    },
    telemetry::Metrics,
};

/// What a connection with many documents needs to begin.
#[derive(Clone)]
pub struct Many {
    /// For the logs.
    pub connection: ConnectionId,
    /// Who may do what.
    pub policy: Arc<dyn Policy>,
    /// Most sessions a document may have.
    pub max_sessions: usize,
    /// Open documents.
    pub registry: Registry,
    /// Figures.
    pub metrics: Metrics,
    /// Where it comes from.
    pub address: IpAddr,
    /// Who has to wait.
    pub penalties: Penalties,
}

/// The conversation.
pub(super) struct ManyTalk {
    many: Many,
    stateless: Arc<dyn Stateless>,
    multiplex: Multiplex,
    queue: SendQueue,
    sessions: HashMap<SessionId, Session>,
    /// Attempts to enter and renewals under way.
    asking: FuturesUnordered<LocalBoxFuture<'static, Admission>>,
    actions: Vec<Action>,
    /// When something was last heard.
    heard: Moment,
}

struct Session {
    handle: DocumentHandle,
    outbox: Outbox,
    /// What it said since the last [`Talk::act`].
    said: Vec<Message>,
    /// When the time of whoever it is is over.
    ends: Option<Instant>,
    /// They have been asked for another token.
    was_asked: bool,
}

/// How long before the end of somebody's time they are asked for another token.
const ASKED_BEFORE: Duration = Duration::from_secs(60);

/// What came of asking.
pub(super) enum Admission {
    Entered {
        address: Bytes,
        outbox: Outbox,
        session: SessionId,
        ends: Option<Instant>,
        joined: Result<DocumentHandle, String>,
    },
    Renewed {
        address: Bytes,
        outcome: Result<Admitted, NotAdmitted>,
    },
    /// The server shuts down.
    Draining,
}

impl Many {
    pub(super) fn converse(self, queue: SendQueue, config: &Config, now: Moment) -> ManyTalk {
        ManyTalk {
            many: self,
            stateless: config.stateless.clone(),
            multiplex: Multiplex::new(config.guard.clone(), config.multiplex, now.instant),
            queue,
            sessions: HashMap::new(),
            asking: FuturesUnordered::new(),
            actions: Vec::new(),
            heard: now,
        }
    }

    /// Asks the policy, tells the client, opens the document. The client hears that it is let in before the
    /// document is loaded, and a document that cannot be loaded takes that back.
    async fn enter(
        self,
        queue: SendQueue,
        address: Bytes,
        document: DocumentName,
        token: Option<String>,
        now: Moment,
    ) -> Admission {
        let prefix = hocuspocus::prefix(&address);
        let outbox = queue.open(prefix.clone());
        let session = SessionId::new();
        let mut ends = None;
        let joined = match self.policy.admit(token, &document, now.wall).await {
            Err(why) => Err(words(why)),
            Ok(admitted) => match self.penalties.wait(self.address, &document, now.instant) {
                Some(wait) => Err(denial_again(wait)),
                None => {
                    let message = Outgoing::Authenticated { may_write: admitted.access.may_write() };
                    queue.send(prefix, hocuspocus::encode(&message));
                    ends = admitted.principal.ends(now);
                    self.join(document, session, admitted, &outbox).await
                }
            },
        };
        Admission::Entered { address, outbox, session, ends, joined }
    }

    async fn join(
        &self,
        document: DocumentName,
        session: SessionId,
        Admitted { principal, access }: Admitted,
        outbox: &Outbox,
    ) -> Result<DocumentHandle, String> {
        let person = principal.person();
        let joined = self.registry.ask(&document, async |handle: DocumentHandle| {
            let joining = Joining {
                session,
                access,
                person: person.clone(),
                dialect: Dialect::Hocuspocus,
                outbox: outbox.clone(),
                max_sessions: self.max_sessions,
            };
            handle.join(joining).await.map(|()| handle)
        });
        let connection = &self.connection;
        match joined.await {
            Ok(handle) => {
                debug!(%connection, %session, %document, "document opened");
                Ok(handle)
            }
            Err(error) => {
                debug!(%connection, %document, %error, "document refused");
                self.metrics.refused("join");
                Err(denial(&error))
            }
        }
    }
}

/// Why somebody is not let in, in words; in those of stock servers, which some applications compare, where there is nothing
/// that they may know.
fn words(why: NotAdmitted) -> String {
    match why {
        NotAdmitted::Unauthorized(Unauthorized(reason)) => reason,
        NotAdmitted::Forbidden => "permission-denied".to_owned(),
    }
}

impl ManyTalk {
    /// Carries out what is to be done; what sessions said is handed over together, each session's in order.
    async fn carry_out(&mut self) -> Result<(), CloseReason> {
        let mut ended = None;
        let mut actions = VecDeque::from(std::mem::take(&mut self.actions));
        while let Some(action) = actions.pop_front() {
            match action {
                Action::Understand { address, session, body } => {
                    let said = Box::pin(self.many.registry.understand(body.len(), {
                        let limits = self.multiplex.limits();
                        move || body.decode(&limits)
                    }));
                    let said = said.await.map_err(|_| CloseReason::Reset)?;
                    let mut first = Vec::new();
                    self.multiplex.understood(address, session, said, &mut first);
                    for action in first.into_iter().rev() {
                        actions.push_front(action);
                    }
                }
                Action::Enter { address, document, token } => {
                    let (many, queue) = (self.many.clone(), self.queue.clone());
                    let entering = many.enter(queue, address, document, token, self.heard);
                    self.asking.push(entering.boxed_local());
                }
                Action::Renew { address, document, token } => {
                    let (policy, now) = (self.many.policy.clone(), self.heard.wall);
                    let renewal = async move {
                        let outcome = policy.admit(token, &document, now).await;
                        Admission::Renewed { address, outcome }
                    };
                    self.asking.push(renewal.boxed_local());
                }
                Action::Deliver(session, message) => {
                    if let Some(session) = self.sessions.get_mut(&session) {
                        session.said.push(message);
                    }
                }
                Action::Stateless(session, payload) => {
                    if let Some(Session { handle, .. }) = self.sessions.get(&session) {
                        self.stateless.said(handle, session, payload).await;
                    }
                }
                Action::Leave(session) => self.leave_document(session, true).await?,
                Action::Send(address, message) => self.send(&address, &message),
                Action::Pong => self.queue.send(Bytes::new(), hocuspocus::PONG_FRAME),
                Action::Refused(label) => self.many.metrics.refused(label),
                Action::Close(reason) => {
                    ended = Some(reason);
                    break;
                }
            }
        }
        // What came before a bad frame was said and stands.
        self.hand_over().await?;
        ended.map_or(Ok(()), Err)
    }

    async fn hand_over(&mut self) -> Result<(), CloseReason> {
        for (id, session) in self.sessions.iter_mut().filter(|(_, session)| !session.said.is_empty()) {
            let said = std::mem::take(&mut session.said);
            let updates = said.iter().filter(|message| message.is_update()).count();
            self.many.metrics.updates_received.inc_by(updates as u64);
            session.handle.deliver(*id, said).await.map_err(|_| CloseReason::Reset)?;
        }
        Ok(())
    }

    async fn leave_document(&mut self, id: SessionId, clean: bool) -> Result<(), CloseReason> {
        let Some(session) = self.sessions.remove(&id) else { return Ok(()) };
        if !session.said.is_empty() {
            session.handle.deliver(id, session.said).await.map_err(|_| CloseReason::Reset)?;
        }
        session.handle.leave(id, clean).await;
        self.queue.remove(session.outbox.lane());
        Ok(())
    }

    fn send(&self, address: &[u8], message: &Outgoing) {
        self.queue.send(hocuspocus::prefix(address), hocuspocus::encode(message));
    }

    fn session_of(&self, lane: LaneId) -> Option<SessionId> {
        self.sessions.iter().find(|(_, session)| session.outbox.lane() == lane).map(|(id, _)| *id)
    }
}

impl Talk for ManyTalk {
    type News = Admission;

    async fn begin(&mut self) -> Result<(), CloseReason> {
        let connection = &self.many.connection;
        debug!(%connection, "connection opened");
        Ok(())
    }

    fn hear(&mut self, inbound: Inbound, now: Moment) -> Heard {
        self.heard = now;
        let now = now.instant;
        match inbound {
            Inbound::Binary(bytes) => {
                let before = self.actions.len();
                self.multiplex.hear(bytes, now, &mut self.actions);
                let asks = |action: &Action| match action {
                    Action::Deliver(_, message) => super::session::asks(message),
                    // The end is not to be read past, and what is to be read first not either.
                    Action::Close(_) | Action::Understand { .. } => true,
                    _ => false,
                };
                if self.actions[before..].iter().any(asks) { Heard::Asked } else { Heard::More }
            }
            Inbound::Text(_) => Heard::Refuse(CloseReason::Unauthorized, "text_frame"),
            Inbound::TooLarge(head) => {
                // The socket has to be closed. When its client comes back, it is this document alone that is not let in.
                if let Some(document) = hocuspocus::document_of(&head)
                    && self.multiplex.is_open(&document)
                {
                    let Many { registry, penalties, address, .. } = &self.many;
                    registry.complain(&document, "message", "document_too_large", now);
                    penalties.ended(*address, &document, CloseReason::TooBig, now);
                }
                Heard::Refuse(CloseReason::TooBig, "document_too_large")
            }
            Inbound::Ping(payload) => Heard::Pong(payload),
            Inbound::Pong => Heard::More,
            Inbound::Close(code) => Heard::Ended { clean: super::session::is_goodbye(code) },
        }
    }

    async fn act(&mut self) -> Result<(), CloseReason> {
        if self.actions.is_empty() { Ok(()) } else { self.carry_out().await }
    }

    async fn news(&mut self) -> Admission {
        // A socket may have no document that would tell it.
        let asking = &mut self.asking;
        tokio::select! {
            answer = async {
                match asking.next().await {
                    Some(answer) => answer,
                    None => pending().await,
                }
            } => answer,
            () = self.many.registry.drained() => Admission::Draining,
        }
    }

    async fn take_news(&mut self, answer: Admission, moment: Moment) -> Result<(), CloseReason> {
        let now = moment.instant;
        match answer {
            Admission::Draining => return Err(CloseReason::ServiceRestart),
            Admission::Entered { address, outbox, session, ends, joined } => {
                let mut closed = None;
                let outcome = match joined {
                    Ok(handle) => {
                        closed = outbox.closing();
                        let entered = Session { handle, outbox, said: Vec::new(), ends, was_asked: false };
                        self.sessions.insert(session, entered);
                        Ok(session)
                    }
                    Err(reason) => {
                        self.queue.remove(outbox.lane());
                        Err(reason)
                    }
                };
                self.multiplex.entered(&address, outcome, now, &mut self.actions);
                // The document may have ended the session before anybody here knew whose it was.
                if let Some(reason) = closed {
                    self.multiplex.ended(session, reason, &mut self.actions);
                }
            }
            Admission::Renewed { address, outcome } => {
                if let (Some(id), Ok(admitted)) = (self.multiplex.session(&address), &outcome)
                    && let Some(session) = self.sessions.get_mut(&id)
                {
                    session.ends = admitted.principal.ends(moment);
                    session.was_asked = false;
                    let (access, person) = (admitted.access, admitted.principal.person());
                    session.handle.renew(id, access, person).await.map_err(|_| CloseReason::Reset)?;
                }
                let outcome = outcome.map(|admitted| admitted.access.may_write()).map_err(words);
                self.multiplex.renewed(&address, outcome, &mut self.actions);
            }
        }
        self.carry_out().await
    }

    async fn catch_up(&mut self, lane: LaneId) -> Result<(), CloseReason> {
        let Some(id) = self.session_of(lane) else { return Ok(()) };
        let Some(Session { handle, .. }) = self.sessions.get(&id) else { return Ok(()) };
        handle.catch_up(id).await.map_err(|_| CloseReason::Reset)
    }

    async fn ended(&mut self, lane: LaneId, reason: CloseReason) -> Result<(), CloseReason> {
        let Some(session) = self.session_of(lane) else { return Ok(()) };
        self.multiplex.ended(session, reason, &mut self.actions);
        self.carry_out().await
    }

    fn tick(&mut self, now: Instant) -> Result<(), CloseReason> {
        for (id, session) in &mut self.sessions {
            let Some(ends) = session.ends else { continue };
            if ends <= now {
                // The others of this socket go on.
                session.outbox.close(CloseReason::Unauthorized);
            } else if ends.saturating_duration_since(now) <= ASKED_BEFORE
                && !std::mem::replace(&mut session.was_asked, true)
                && let Some(address) = self.multiplex.address(*id)
            {
                let request = hocuspocus::encode(&Outgoing::TokenRequest);
                self.queue.send(hocuspocus::prefix(address), request);
            }
        }
        self.multiplex.tick(now).map_or(Ok(()), Err)
    }

    fn keepalive(&self) -> Option<(Bytes, Bytes)> {
        self.multiplex.keepalive()
    }

    async fn leave(&mut self, clean: bool) {
        // Whoever is still on the way in must not stay inside without a socket.
        while let Some(answer) = self.asking.next().await {
            if let Admission::Entered { session, joined: Ok(handle), .. } = answer {
                handle.leave(session, clean).await;
            }
        }
        for (id, session) in std::mem::take(&mut self.sessions) {
            session.handle.leave(id, clean).await;
        }
    }
}
