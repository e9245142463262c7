//! Many documents on one socket: which session a frame belongs to, and how far each document is.
//!
//! Pure: frames and outcomes in, [`Action`]s out, the time given. Each address goes its own way:
//!
//! - *waiting*: frames came, but no authentication; they are kept, within bounds. A provider of version 2 that
//!   has no token never authenticates, so a step 1 counts as asking to be let in with nothing;
//! - *entering*: the policy is being asked, then the document opened; frames are kept as before;
//! - *open*: frames go to the session. Another authentication renews the token;
//! - *denied*: frames are dropped until a new authentication, which is a fresh attempt. Providers go on sending
//!   after a denial, and what they send must not cost the other documents their connection.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::error::denial_for;
use crate::{
    ids::{DocumentName, SessionId},
    protocol::{
        ProtocolError,
        close::CloseReason,
        guard,
        hocuspocus::{self, Body, ClientMessage, Frame, Outgoing},
        message::Message,
    },
};

/// What a connection may ask for, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Documents on one connection, denied ones included.
    pub documents: usize,
    /// Of these, documents that have not been entered yet.
    pub pending_documents: usize,
    /// Frames that wait for documents to be entered, all together.
    pub pending_frames: usize,
    /// Bytes of these frames.
    pub pending_bytes: usize,
    /// Bytes of one such frame before it is known who sends it.
    pub unknown_frame_bytes: usize,
    /// How long a connection may stay without having been let in anywhere, and a document without an
    /// authentication.
    pub patience: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            documents: 1000,
            // Everything that an application with a thousand documents says at once when it comes back: three
            // frames each.
            pending_documents: 1000,
            pending_frames: 4000,
            pending_bytes: 5 * 1024 * 1024,
            unknown_frame_bytes: 64 * 1024,
            patience: Duration::from_secs(30),
        }
    }
}

/// What is to be done, in this order.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Ask the policy, and open the document if it agrees; [`Multiplex::entered`] wants to know.
    Enter {
        /// Which answers go where.
        address: Bytes,
        /// Which document.
        document: DocumentName,
        /// What the client presents.
        token: Option<String>,
    },
    /// Ask the policy again about a document that is open; [`Multiplex::renewed`] wants to know.
    Renew {
        /// Which.
        address: Bytes,
        /// Its name.
        document: DocumentName,
        /// What the client presents now.
        token: Option<String>,
    },
    /// Read this where it holds nobody up; [`Multiplex::understood`] wants to know, before anything else is done.
    Understand {
        /// Whose it is.
        address: Bytes,
        /// By which session.
        session: SessionId,
        /// What is to be read.
        body: Body,
    },
    /// Hand this to the session's document.
    Deliver(SessionId, Message),
    /// Hand this to the application.
    Stateless(SessionId, String),
    /// The client is done with the session.
    Leave(SessionId),
    /// Tell the client.
    Send(Bytes, Outgoing),
    /// Answer a ping of the application's own.
    Pong,
    /// An input was refused; counted under this label.
    Refused(&'static str),
    /// Close the socket, and so every document on it.
    Close(CloseReason),
}

/// All documents of one connection.
#[derive(Debug)]
pub struct Multiplex {
    limits: Arc<guard::Limits>,
    bounds: Bounds,
    documents: HashMap<Bytes, Phase>,
    pending: Pending,
    connected: Instant,
    was_let_in: bool,
    /// A provider of version 4 has spoken, and all of a socket are of one version: it answers pings.
    answers_pings: bool,
}

/// What waits in all documents together.
#[derive(Debug, Default)]
struct Pending {
    frames: usize,
    bytes: usize,
}

#[derive(Debug)]
enum Phase {
    Waiting { since: Instant, queue: VecDeque<Body> },
    Entering { queue: VecDeque<Body> },
    Open { session: SessionId },
    Denied,
}

type Actions = Vec<Action>;

impl Multiplex {
    /// A connection that has just been made.
    pub fn new(limits: Arc<guard::Limits>, bounds: Bounds, now: Instant) -> Self {
        Self {
            limits,
            bounds,
            documents: HashMap::new(),
            pending: Pending::default(),
            connected: now,
            was_let_in: false,
            answers_pings: false,
        }
    }

    /// What bounds the input.
    pub fn limits(&self) -> Arc<guard::Limits> {
        self.limits.clone()
    }

    /// A binary frame came.
    pub fn hear(&mut self, bytes: Bytes, now: Instant, actions: &mut Actions) {
        match hocuspocus::frame(bytes) {
            Ok(Frame::Ping) => actions.push(Action::Pong),
            Ok(Frame::Pong) => {}
            Ok(Frame::Document { address, body }) => self.take(address, body, now, actions),
            Err(error) => {
                actions.push(Action::Refused(error.reason()));
                actions.push(Action::Close(CloseReason::Unauthorized));
            }
        }
    }

    fn take(&mut self, address: Bytes, body: Body, now: Instant, actions: &mut Actions) {
        match self.documents.get(&address) {
            Some(Phase::Open { session }) => {
                let session = *session;
                if body.len() > guard::QUICK {
                    return actions.push(Action::Understand { address, session, body });
                }
                let said = body.decode(&self.limits);
                self.understood(address, session, said, actions);
            }
            Some(Phase::Entering { .. }) => self.keep(address, body, actions),
            Some(Phase::Waiting { .. }) | None if body.is_auth() || body.is_step_1() => {
                self.enter(address, body, actions);
            }
            None if body.is_close() => actions.push(goodbye(address)),
            Some(Phase::Waiting { .. }) if body.is_close() => {
                self.forget(&address);
                actions.push(goodbye(address));
            }
            Some(Phase::Waiting { .. }) => self.keep(address, body, actions),
            None if self.has_room(&address, actions) => {
                let queue = VecDeque::new();
                self.documents.insert(own(&address), Phase::Waiting { since: now, queue });
                self.keep(address, body, actions);
            }
            None => {}
            Some(Phase::Denied) if body.is_auth() => self.enter(address, body, actions),
            Some(Phase::Denied) if body.is_close() => {
                self.forget(&address);
                actions.push(goodbye(address));
            }
            Some(Phase::Denied) => actions.push(Action::Refused("denied")),
        }
    }

    /// Asks to be let in. What the client said before is kept; a step 1 that stands for an authentication is
    /// itself to be answered.
    fn enter(&mut self, address: Bytes, body: Body, actions: &mut Actions) {
        let document = match hocuspocus::document(&address) {
            Ok(document) => document,
            Err(error) => {
                actions.push(Action::Refused("name"));
                return self.deny(address, error.to_string(), actions);
            }
        };
        if !self.documents.contains_key(&address) && !self.has_room(&address, actions) {
            return;
        }
        let token = if body.is_auth() {
            match body.decode(&self.limits) {
                Ok(ClientMessage::Auth { token, version }) => {
                    self.answers_pings |= version.is_some();
                    (!token.is_empty()).then_some(token)
                }
                Ok(_) => {
                    actions.push(Action::Refused("not-for-servers"));
                    return actions.push(Action::Close(CloseReason::Reset));
                }
                Err(error) => {
                    actions.push(Action::Refused(error.reason()));
                    return actions.push(Action::Close(CloseReason::Reset));
                }
            }
        } else {
            None
        };
        let queue = match self.documents.remove(&address) {
            Some(Phase::Waiting { queue, .. } | Phase::Entering { queue }) => queue,
            _ => VecDeque::new(),
        };
        let key = own(&address);
        self.documents.insert(key.clone(), Phase::Entering { queue });
        if !body.is_auth() {
            self.keep(address, body, actions);
        }
        actions.push(Action::Enter { address: key, document, token });
    }

    /// What became of an attempt to enter: the session, or why there is none.
    pub fn entered(
        &mut self,
        address: &Bytes,
        outcome: Result<SessionId, String>,
        now: Instant,
        actions: &mut Actions,
    ) {
        let Some(Phase::Entering { queue }) = self.documents.remove(address) else { return };
        self.pending.frames -= queue.len();
        self.pending.bytes -= queue.iter().map(Body::len).sum::<usize>();
        match outcome {
            Ok(session) => {
                self.was_let_in = true;
                self.documents.insert(address.clone(), Phase::Open { session });
            }
            Err(reason) => self.deny(address.clone(), reason, actions),
        }
        for body in queue {
            self.take(address.clone(), body, now, actions);
        }
    }

    /// What the policy says of a renewed token.
    pub fn renewed(&mut self, address: &Bytes, outcome: Result<bool, String>, actions: &mut Actions) {
        let Some(Phase::Open { session }) = self.documents.get(address) else { return };
        match outcome {
            Ok(may_write) => {
                actions.push(Action::Send(address.clone(), Outgoing::Authenticated { may_write }));
            }
            Err(reason) => {
                actions.push(Action::Leave(*session));
                self.deny(address.clone(), reason, actions);
            }
        }
    }

    /// The session behind an address, if its document is open.
    pub fn session(&self, address: &Bytes) -> Option<SessionId> {
        match self.documents.get(address) {
            Some(Phase::Open { session }) => Some(*session),
            _ => None,
        }
    }

    /// Whether a document is open here.
    pub fn is_open(&self, document: &DocumentName) -> bool {
        let is_it = |address: &Bytes| hocuspocus::document(address).is_ok_and(|named| named == *document);
        self.documents.iter().any(|(address, phase)| matches!(phase, Phase::Open { .. }) && is_it(address))
    }

    /// The address of a session.
    pub fn address(&self, session: SessionId) -> Option<&Bytes> {
        let is_its = |phase: &Phase| matches!(phase, Phase::Open { session: open } if *open == session);
        self.documents.iter().find(|(_, phase)| is_its(phase)).map(|(address, _)| address)
    }

    /// The document ends a session. For good reasons that pass, the whole socket is closed: there is no other
    /// way to make every version of the provider sync again.
    pub fn ended(&mut self, session: SessionId, reason: CloseReason, actions: &mut Actions) {
        if reason.is_transient() {
            return actions.push(Action::Close(reason));
        }
        if let Some(address) = self.address(session).cloned() {
            actions.push(Action::Leave(session));
            self.deny(address, denial_for(reason), actions);
        }
    }

    /// Looks whether the connection has gone on for too long without getting anywhere.
    pub fn tick(&mut self, now: Instant) -> Option<CloseReason> {
        let patience = self.bounds.patience;
        let since = |moment: Instant| now.saturating_duration_since(moment) >= patience;
        let waits = |phase: &Phase| matches!(phase, Phase::Waiting { since: first, .. } if since(*first));
        let nowhere = !self.was_let_in && since(self.connected);
        (nowhere || self.documents.values().any(waits)).then_some(CloseReason::Reset)
    }

    /// What keeps a quiet connection alive: behind the address of a document that is open, presence of nobody;
    /// without one, a ping if it will be understood.
    pub fn keepalive(&self) -> Option<(Bytes, Bytes)> {
        let open = self.documents.iter().find(|(_, phase)| matches!(phase, Phase::Open { .. }));
        match open {
            Some((address, _)) => Some((hocuspocus::prefix(address), crate::protocol::ysync::KEEPALIVE)),
            None => self.answers_pings.then_some((Bytes::new(), hocuspocus::PING_FRAME)),
        }
    }

    /// What the body says that a client sent to a document that it has open.
    pub fn understood(
        &mut self,
        address: Bytes,
        session: SessionId,
        said: Result<ClientMessage, ProtocolError>,
        actions: &mut Actions,
    ) {
        match said {
            Ok(ClientMessage::Message(message)) => actions.push(Action::Deliver(session, message)),
            Ok(ClientMessage::Unreadable(error)) => {
                actions.push(Action::Deliver(session, Message::Unreadable(error.reason())));
            }
            Ok(ClientMessage::Auth { token, .. }) => {
                // The address was understood when the document was entered.
                let Ok(document) = hocuspocus::document(&address) else { return };
                let token = (!token.is_empty()).then_some(token);
                actions.push(Action::Renew { address: own(&address), document, token });
            }
            Ok(ClientMessage::Stateless(payload)) => actions.push(Action::Stateless(session, payload)),
            Ok(ClientMessage::Close) => {
                self.forget(&address);
                actions.push(Action::Leave(session));
                actions.push(goodbye(address));
            }
            Ok(ClientMessage::Forbidden) => {
                actions.push(Action::Refused("not-for-servers"));
                actions.push(Action::Leave(session));
                self.deny(address, "only servers may send this".to_owned(), actions);
            }
            Ok(ClientMessage::Unknown) => actions.push(Action::Refused("unknown-message")),
            Err(error) => {
                actions.push(Action::Refused(error.reason()));
                actions.push(Action::Close(CloseReason::Reset));
            }
        }
    }

    fn deny(&mut self, address: Bytes, reason: String, actions: &mut Actions) {
        self.forget(&address);
        if self.documents.len() < self.bounds.documents {
            self.documents.insert(own(&address), Phase::Denied);
        }
        actions.push(Action::Send(address, Outgoing::Denied(reason)));
    }

    /// Keeps a frame until its document is entered.
    fn keep(&mut self, address: Bytes, body: Body, actions: &mut Actions) {
        let (frames, bytes) = (self.pending.frames + 1, self.pending.bytes + body.len());
        let unknown = !self.was_let_in && body.len() > self.bounds.unknown_frame_bytes;
        if frames > self.bounds.pending_frames || bytes > self.bounds.pending_bytes || unknown {
            actions.push(Action::Refused("pending_limit"));
            return actions.push(Action::Close(CloseReason::Reset));
        }
        if let Some(Phase::Waiting { queue, .. } | Phase::Entering { queue }) =
            self.documents.get_mut(&address)
        {
            queue.push_back(body);
            self.pending = Pending { frames, bytes };
        }
    }

    fn forget(&mut self, address: &Bytes) {
        if let Some(Phase::Waiting { queue, .. } | Phase::Entering { queue }) = self.documents.remove(address)
        {
            self.pending.frames -= queue.len();
            self.pending.bytes -= queue.iter().map(Body::len).sum::<usize>();
        }
    }

    /// Whether the connection may have one more document. If not, the client is told, or the socket closed.
    fn has_room(&self, address: &Bytes, actions: &mut Actions) -> bool {
        if self.documents.len() >= self.bounds.documents {
            let reason = format!("a connection may have {} documents", self.bounds.documents);
            actions.push(Action::Refused("too_many_documents"));
            actions.push(Action::Send(address.clone(), Outgoing::Denied(reason)));
            return false;
        }
        let is_pending = |phase: &&Phase| matches!(phase, Phase::Waiting { .. } | Phase::Entering { .. });
        if self.pending_documents_exceed(is_pending) {
            actions.push(Action::Refused("pending_limit"));
            actions.push(Action::Close(CloseReason::Reset));
            return false;
        }
        true
    }

    fn pending_documents_exceed(&self, is_pending: impl Fn(&&Phase) -> bool) -> bool {
        // Counting is only worth it where there may be too many.
        self.documents.len() >= self.bounds.pending_documents
            && self.documents.values().filter(is_pending).count() >= self.bounds.pending_documents
    }
}

/// Confirms the client's own goodbye. Never sent otherwise: it strands providers of version 3 and later, and
/// one of version 2 throws.
fn goodbye(address: Bytes) -> Action {
    Action::Send(address, Outgoing::Close("provider_initiated"))
}

/// An address to keep: as a slice it would hold the whole frame in memory.
fn own(address: &Bytes) -> Bytes {
    Bytes::copy_from_slice(address)
}

#[cfg(test)]
mod tests;
