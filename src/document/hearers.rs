//! Who has a document open: the queues to its sessions, and which of them hears what.

use std::{
    collections::{HashMap, HashSet},
    time::Instant,
};

use bytes::Bytes;
use tracing::{debug, warn};

use super::{
    effect::TextFrame,
    queue::{Answer, Before, Frame, InPieces, Outbox, Pushed},
    replica::told::Told,
};
use crate::{
    ids::{DocumentName, SessionId},
    protocol::{close::CloseReason, hocuspocus, message::SyncMessage, ysync},
    telemetry::Metrics,
};

/// The sessions of one document.
pub(super) struct Hearers {
    document: DocumentName,
    metrics: Metrics,
    /// Those that have a replica.
    outboxes: HashMap<SessionId, Outbox>,
    /// Of these, the ones that have not yet been told what they lack. They hear no changes: the answer to
    /// their step 1 will hold them, and what comes before it would build upon what they do not have.
    unsynced: HashSet<SessionId>,
    /// Those of the JSON dialect, which hear of changes as operations.
    json: HashMap<SessionId, Outbox>,
}

impl Hearers {
    /// Nobody.
    pub(super) fn new(document: DocumentName, metrics: Metrics) -> Self {
        let (outboxes, unsynced, json) = Default::default();
        Self { document, metrics, outboxes, unsynced, json }
    }

    /// How many sessions have the document open, of whatever dialect.
    pub(super) fn len(&self) -> usize {
        self.outboxes.len() + self.json.len()
    }

    /// One more, with a replica of its own.
    pub(super) fn join(&mut self, session: SessionId, outbox: Outbox) {
        self.unsynced.insert(session);
        self.outboxes.insert(session, outbox);
    }

    /// One more, of the JSON dialect.
    pub(super) fn join_text(&mut self, session: SessionId, outbox: Outbox) {
        self.json.insert(session, outbox);
    }

    /// One less.
    pub(super) fn leave(&mut self, session: SessionId) {
        self.outboxes.remove(&session);
        self.unsynced.remove(&session);
        self.json.remove(&session);
    }

    /// The queue to a session.
    pub(super) fn outbox(&self, session: SessionId) -> Option<&Outbox> {
        self.outboxes.get(&session).or_else(|| self.json.get(&session))
    }

    /// Whether a session speaks JSON.
    pub(super) fn is_json(&self, session: SessionId) -> bool {
        self.json.contains_key(&session)
    }

    /// Tells one session something.
    pub(super) fn send(&self, to: SessionId, message: &SyncMessage) {
        if let Some(outbox) = self.outboxes.get(&to) {
            outbox.reply(ysync::encode(message));
        }
    }

    /// Answers the step 1 of a session. From here on it hears changes.
    pub(super) fn answer(&mut self, to: SessionId, told: Told) {
        if let Some(outbox) = self.outboxes.get(&to) {
            self.unsynced.remove(&to);
            outbox.answer(in_messages(told.is_in_pieces(), told.step_2()));
        }
    }

    /// Tells one session of the Hocuspocus dialect what is said in that alone.
    pub(super) fn send_hocuspocus(&self, to: SessionId, message: &hocuspocus::Outgoing) {
        if let Some(outbox) = self.outboxes.get(&to) {
            outbox.reply(hocuspocus::encode(message));
        }
    }

    /// Tells everybody but its author of a change: encoded once, and not at all for nobody, because it may be large.
    /// Whether a session began to lag.
    pub(super) fn update(
        &self,
        except: Option<SessionId>,
        frame: impl FnOnce() -> Frame,
        now: Instant,
    ) -> bool {
        let hear = |session: &SessionId| Some(*session) != except && !self.unsynced.contains(session);
        let mut hearers = self.outboxes.iter().filter(|(session, _)| hear(session)).peekable();
        if hearers.peek().is_none() {
            return false;
        }
        let (queued, lagging) = self.push(hearers, &frame(), now);
        self.metrics.updates_sent.inc_by(queued);
        lagging
    }

    /// The same of who is here.
    pub(super) fn awareness(&self, except: Option<SessionId>, awareness: Bytes, now: Instant) -> bool {
        let hearers = self.outboxes.iter().filter(|(session, _)| Some(**session) != except);
        let frame = Frame::Awareness(ysync::encode(&SyncMessage::Awareness(awareness)));
        self.push(hearers, &frame, now).1
    }

    /// The same for some sessions.
    pub(super) fn show(&self, to: &[SessionId], awareness: Bytes, now: Instant) -> bool {
        let hearers = to.iter().filter_map(|session| self.outboxes.get_key_value(session));
        let frame = Frame::Awareness(ysync::encode(&SyncMessage::Awareness(awareness)));
        self.push(hearers, &frame, now).1
    }

    /// Tells some sessions of the JSON dialect something.
    pub(super) fn tell(&self, to: &[SessionId], said: &TextFrame, now: Instant) -> bool {
        let mut lagging = false;
        for session in to {
            let Some(outbox) = self.json.get(session) else { continue };
            match said {
                TextFrame::Answer(text) => outbox.reply(text.clone()),
                TextFrame::Change(text) => {
                    let change = Frame::Update(text.clone(), Before::default());
                    lagging |= self.note_lag(*session, outbox.push(change, now));
                }
            }
        }
        lagging
    }

    /// Tells some sessions what cannot be made up for; how many were told.
    pub(super) fn notify(&self, to: impl Iterator<Item = SessionId>, payload: &Bytes, now: Instant) -> usize {
        let outboxes = to.filter_map(|session| self.outboxes.get(&session));
        let told =
            outboxes.filter(|outbox| outbox.push(Frame::Notice(payload.clone()), now) == Pushed::Queued);
        told.count()
    }

    /// Makes sure that a session is still alive.
    pub(super) fn probe(&self, session: SessionId) {
        if let Some(outbox) = self.outboxes.get(&session) {
            outbox.probe();
        }
    }

    /// Ends one session.
    pub(super) fn close(&self, session: SessionId, reason: CloseReason) {
        if let Some(outbox) = self.outbox(session) {
            outbox.close(reason);
        }
    }

    /// Ends all of them.
    pub(super) fn close_all(&self, reason: CloseReason) {
        self.outboxes.values().chain(self.json.values()).for_each(|outbox| outbox.close(reason));
    }

    /// Ends those that have been too slow for too long. Whether any is slow.
    pub(super) fn close_overdue(&self, now: Instant) -> bool {
        let mut lagging = false;
        for (session, outbox) in self.outboxes.iter().chain(&self.json) {
            lagging |= outbox.is_lagging();
            if outbox.is_overdue(now) && outbox.closing().is_none() {
                self.note_overdue(*session);
                outbox.close(CloseReason::TryAgainLater);
            }
        }
        lagging
    }

    /// How many queues took the frame, and whether one of them began to lag.
    fn push<'a>(
        &self,
        hearers: impl Iterator<Item = (&'a SessionId, &'a Outbox)>,
        frame: &Frame,
        now: Instant,
    ) -> (u64, bool) {
        let (mut queued, mut lagging) = (0, false);
        for (session, outbox) in hearers {
            let pushed = outbox.push(frame.clone(), now);
            queued += u64::from(pushed == Pushed::Queued);
            lagging |= self.note_lag(*session, pushed);
        }
        (queued, lagging)
    }

    fn note_lag(&self, session: SessionId, pushed: Pushed) -> bool {
        let began = pushed == Pushed::BeganToLag;
        if began {
            debug!(document = %self.document, %session, "session is slow, its queue is replaced");
            self.metrics.slow_session_catch_ups.inc();
        }
        began
    }

    fn note_overdue(&self, session: SessionId) {
        warn!(document = %self.document, %session, "session too slow, closing");
        self.metrics.slow_sessions_closed.inc();
    }
}

/// An answer of these messages.
pub(super) fn in_messages(
    is_in_pieces: bool,
    mut messages: impl Iterator<Item = SyncMessage> + Send + 'static,
) -> Answer {
    if is_in_pieces {
        Answer::InPieces(InPieces::new(messages.map(|message| ysync::encode(&message))))
    } else {
        Answer::Whole(messages.next().map_or_else(Bytes::new, |message| ysync::encode(&message)))
    }
}
