//! The actor of one open document: carries events into [`Serving`] and its [`DocumentState`](super::state::DocumentState),
//! carries their effects out, and owns the timers. It decides nothing that the pure parts can decide.
//!
//! Life: *loading* (the mailbox waits) → *serving* → *closed*. A document that cannot be loaded is
//! *refused* instead: it answers every question with the reason, keeps nothing, and goes away soon, so that
//! the next attempt looks at the store again.
//!
//! Batching is adaptive: the first update of a burst schedules one flush behind the messages that already
//! wait in the mailbox, so an idle document adds no delay and a busy one makes one transaction, one
//! broadcast and one journal entry of whatever came meanwhile.
//!
//! What it is asked is answered in `questions`, and `orders` where it is about the document as a whole; `loading`, `storing` and
//! `apart` are what it does that takes a while.

mod apart;
mod loading;
mod orders;
mod questions;
mod storing;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use actix::{Actor, ActorContext, Context};
use tokio::sync::oneshot;
use tracing::debug;

use super::{
    effect::{Effect, Effects},
    error::{JoinError, OpenError},
    hearers::Hearers,
    lease::{Common, Lease},
    memory::Share,
    messages::Details,
    pace,
    queue::Frame,
    replica::Replica,
    requests::Requests,
    serving::{Leaving, Serving},
    turns,
};
use crate::{
    ids::{DocumentName, Moment, SessionId},
    protocol::{
        close::CloseReason,
        hocuspocus,
        message::{Message, SyncMessage},
        ysync,
    },
};

/// How often timed things are looked at: presence, slow sessions, idleness, a full journal.
const TICK: Duration = Duration::from_secs(1);

/// One open document.
pub struct DocumentActor {
    name: DocumentName,
    common: Common,
    lease: Lease,
    phase: Phase,
    hearers: Hearers,
    /// Requests without a connection that wait for their acknowledgement.
    requests: Requests,
    /// Bytes that wait for the store, as far as they were told.
    backlog_reported: usize,
    flush_scheduled: bool,
    tick_scheduled: bool,
    presence_scheduled: bool,
    /// What it takes of the memory for open documents.
    share: Share,
    idle_since: Option<Instant>,
    /// It counts among the open documents.
    was_started: bool,
}

/// Where in its life a document is.
enum Phase {
    Loading,
    Serving(Box<Serving>),
    Refused(OpenError),
    Closed,
}

impl DocumentActor {
    /// A document that will load itself when started. `lease` is its entry among the open ones.
    pub(super) fn new(name: DocumentName, common: Common, lease: Lease) -> Self {
        let hearers = Hearers::new(name.clone(), common.metrics.clone());
        Self {
            name,
            share: common.memory.share(),
            common,
            lease,
            phase: Phase::Loading,
            hearers,
            requests: Requests::default(),
            backlog_reported: 0,
            flush_scheduled: false,
            tick_scheduled: false,
            presence_scheduled: false,
            idle_since: None,
            was_started: false,
        }
    }

    fn serving(&mut self) -> Result<&mut Serving, OpenError> {
        match &mut self.phase {
            Phase::Serving(serving) => Ok(serving),
            Phase::Refused(error) => Err(error.clone()),
            Phase::Loading | Phase::Closed => Err(OpenError::Closed),
        }
    }

    /// The document, if one more session may open it.
    fn admit(&mut self, max_sessions: usize) -> Result<&mut Serving, JoinError> {
        let sessions = self.hearers.len();
        let serving = self.serving()?;
        serving.admits(sessions, max_sessions)?;
        Ok(serving)
    }

    pub(super) fn details(&mut self) -> Result<Details, OpenError> {
        let (name, editors) = (self.name.clone(), self.hearers.len());
        Ok(self.serving()?.details(name, editors))
    }

    // ---- effects --------------------------------------------------------------------------------------

    fn carry_out(&mut self, effects: &mut Effects, ctx: &mut Context<Self>) {
        let now = Instant::now();
        let mut lagging = false;
        for effect in effects.drain(..) {
            match effect {
                Effect::Send { to, message } => self.hearers.send(to, &message),
                Effect::Answer { to, told } => self.hearers.answer(to, told),
                Effect::SendStateless { to, payload } => {
                    self.hearers.send_hocuspocus(to, &hocuspocus::Outgoing::Stateless(payload));
                }
                Effect::BroadcastUpdate { except, update, before } => {
                    let frame = || Frame::Update(ysync::encode(&SyncMessage::Update(update)), before);
                    lagging |= self.hearers.update(except, frame, now);
                }
                Effect::BroadcastAwareness { except, awareness } => {
                    lagging |= self.hearers.awareness(except, awareness, now);
                }
                Effect::ShowPresence { to, awareness } => lagging |= self.hearers.show(&to, awareness, now),
                Effect::Tell { to, said } => lagging |= self.hearers.tell(&to, &said, now),
                Effect::ReadRich(field) => self.read_rich(field, ctx),
                Effect::Store(update) => {
                    if let Phase::Serving(serving) = &mut self.phase {
                        serving.keep(update);
                    }
                }
                Effect::Acknowledge { to, update, outcome } => self.owe(to, update, outcome),
                Effect::Probe(session) => self.hearers.probe(session),
                Effect::Refused(reason) => {
                    self.common.metrics.refused(reason);
                    self.common.complaints.note(&self.name, "input", reason, now);
                }
                Effect::Close { session, reason } => self.send_away(session, reason),
                Effect::Poisoned { what, suspects } => self.reload(&what, suspects, ctx),
            }
        }
        if lagging {
            self.schedule_tick(ctx);
        }
        self.schedule_presence(ctx);
        self.write(ctx);
    }

    /// Who is here is told a little later where it was too much to be told at once.
    fn schedule_presence(&mut self, ctx: &mut Context<Self>) {
        let Phase::Serving(serving) = &self.phase else { return };
        if self.presence_scheduled || !serving.state.has_untold_presence() {
            return;
        }
        self.presence_scheduled = true;
        turns::later(ctx, pace::PAUSE, |actor, ctx| {
            actor.presence_scheduled = false;
            let Phase::Serving(serving) = &mut actor.phase else { return };
            let mut effects = serving.state.tell_untold_presence(Moment::now());
            actor.carry_out(&mut effects, ctx);
        });
    }

    /// Ends a session for a reason that is its document's.
    fn send_away(&mut self, session: SessionId, reason: CloseReason) {
        self.hearers.close(session, reason);
        // A request has no connection that would end: it is told.
        self.answer_request(session, Err(JoinError::Overloaded));
    }

    // ---- updates --------------------------------------------------------------------------------------

    fn deliver(&mut self, session: SessionId, mut messages: VecDeque<Message>, ctx: &mut Context<Self>) {
        let now = Moment::now();
        let mut effects = Effects::new();
        let Ok(serving) = self.serving() else { return };
        if !serving.is_live() {
            // The session is being closed with 4404; what it still says must not bring the document back.
            return;
        }
        while let Some(message) = messages.pop_front() {
            if let Message::SyncStep1(vector) = &message
                && serving.takes_long_to_tell(vector)
            {
                let vector = vector.clone();
                messages.push_front(message);
                self.carry_out(&mut effects, ctx);
                let tell = move |replica: &mut Replica| replica.tell(&vector).map(drop);
                return self.answer_apart(session, tell, messages, ctx);
            }
            if let Some(update) = serving.state.takes_long_to_compare(session, &message) {
                messages.push_front(message);
                self.carry_out(&mut effects, ctx);
                let compare = move |replica: &mut Replica| replica.compare(&update);
                return self.answer_apart(session, compare, messages, ctx);
            }
            if serving.state.takes_long_to_find_room(session, &message, now) {
                messages.push_front(message);
                self.carry_out(&mut effects, ctx);
                return self.answer_apart(session, |replica| replica.state().map(drop), messages, ctx);
            }
            serving.state.receive(session, message, now, &mut effects);
            if serving.state.waits_long() {
                self.carry_out(&mut effects, ctx);
                return self.apply_apart(Some((session, messages)), ctx);
            }
        }
        let timed = serving.state.needs_ticks();
        if !effects.is_empty() {
            self.carry_out(&mut effects, ctx);
        }
        if timed {
            self.schedule_tick(ctx);
        }
        self.schedule_flush(ctx);
    }

    fn schedule_flush(&mut self, ctx: &mut Context<Self>) {
        let Phase::Serving(serving) = &self.phase else { return };
        let (updates, bytes) = serving.state.waiting();
        if updates >= self.common.config.batch_updates || bytes >= self.common.config.batch_bytes {
            self.flush(ctx);
        } else if updates > 0 && !self.flush_scheduled {
            self.flush_scheduled = true;
            turns::soon(ctx, |actor, ctx| {
                actor.flush_scheduled = false;
                actor.flush(ctx);
            });
        }
    }

    fn flush(&mut self, ctx: &mut Context<Self>) {
        let Phase::Serving(serving) = &mut self.phase else { return };
        if !serving.state.has_waiting() {
            return;
        }
        let now = Moment::now();
        let mut effects = serving.state.flush(now);
        if !matches!(effects.last(), Some(Effect::Poisoned { .. })) {
            serving.works();
        }
        self.common.metrics.apply_seconds.observe(now.instant.elapsed().as_secs_f64());
        if !effects.iter().any(|effect| matches!(effect, Effect::Store(_))) {
            self.common.metrics.updates_redundant.inc();
        }
        self.carry_out(&mut effects, ctx);
    }

    // ---- time -----------------------------------------------------------------------------------------

    fn schedule_tick(&mut self, ctx: &mut Context<Self>) {
        if !self.tick_scheduled {
            self.tick_scheduled = true;
            turns::later(ctx, TICK, |actor, ctx| {
                actor.tick_scheduled = false;
                actor.tick(ctx);
            });
        }
    }

    fn tick(&mut self, ctx: &mut Context<Self>) {
        let now = Moment::now();
        let lagging = self.hearers.close_overdue(now.instant);
        for request in self.requests.overdue(self.common.config.answer_within, now.instant) {
            self.answer_request(request, Err(JoinError::Unstored));
        }
        let mut effects = Effects::new();
        if let Phase::Serving(serving) = &mut self.phase {
            effects = serving.state.tick(now);
        }
        self.carry_out(&mut effects, ctx);
        if self.evict_if_idle(now.instant, ctx) {
            return;
        }
        let timed = match &self.phase {
            Phase::Serving(serving) => serving.state.needs_ticks(),
            _ => true,
        };
        if timed || lagging || self.hearers.len() == 0 || !self.requests.is_empty() {
            self.schedule_tick(ctx);
        }
    }

    /// Gives the document up when nobody has used it for a while and all of it is stored.
    fn evict_if_idle(&mut self, now: Instant, ctx: &mut Context<Self>) -> bool {
        if self.hearers.len() > 0 || !self.requests.is_empty() {
            self.idle_since = None;
            self.share.set_left(None);
            return false;
        }
        let since = *self.idle_since.get_or_insert(now);
        self.share.set_left(Some(since));
        let idle = match &self.phase {
            Phase::Refused(_) => TICK,
            _ => self.common.config.idle,
        };
        if now.saturating_duration_since(since) < idle && !self.share.must_leave() {
            return false;
        }
        let leaving = match &mut self.phase {
            Phase::Serving(serving) => serving.put_away(Moment::now()),
            _ => Leaving::Now,
        };
        match leaving {
            Leaving::Later => return false,
            Leaving::Tidied(mut effects) => {
                // Come back when that is stored too.
                self.carry_out(&mut effects, ctx);
                return false;
            }
            Leaving::AfterCheckpoint => {
                // Come back when it is written; if it cannot be, the document leaves memory without it. Nor does one leave
                // that is just being loaded again.
                self.checkpoint(ctx);
                if matches!(&self.phase, Phase::Serving(serving) if serving.is_busy()) {
                    return false;
                }
            }
            Leaving::Now => {}
        }
        self.close(ctx);
        true
    }

    /// From here on every message is answered "closed", and its sender opens the document anew.
    fn close(&mut self, ctx: &mut Context<Self>) {
        debug!(document = %self.name, "document closed");
        self.lease.end();
        self.share = self.common.memory.share();
        if let Phase::Serving(mut serving) = std::mem::replace(&mut self.phase, Phase::Closed)
            && let Some(replica) = serving.state.lend_to_read()
        {
            self.free(replica);
        }
        // The mailbox is still answered for a moment, so that nobody who already holds the address is
        // left without an answer; once all handles are gone the actor stops by itself.
        turns::later(ctx, TICK, |_, ctx| ctx.stop());
    }

    fn drained(&mut self, done: oneshot::Sender<()>, ctx: &mut Context<Self>) {
        const LOOK_AGAIN: Duration = Duration::from_millis(5);
        self.flush(ctx);
        let busy = matches!(&self.phase, Phase::Serving(serving) if serving.is_busy());
        if busy && !done.is_closed() {
            self.common.store.hurry();
            turns::later(ctx, LOOK_AGAIN, |actor, ctx| actor.drained(done, ctx));
        } else {
            self.close(ctx);
        }
    }

    /// One more session has opened it.
    fn is_in_use(&mut self) {
        self.idle_since = None;
        self.share.set_left(None);
        self.report_editors();
    }

    fn report_editors(&self) {
        self.lease.set_editors(self.hearers.len());
    }
}

impl Actor for DocumentActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(64);
        self.was_started = true;
        self.common.metrics.documents.inc();
        self.load(Vec::new(), ctx);
    }
}

/// However it ends: actix tells an actor that it stopped, but not one that panicked, and a document whose entry stayed
/// behind could never be opened again.
impl Drop for DocumentActor {
    fn drop(&mut self) {
        if self.was_started {
            self.common.metrics.documents.dec();
        }
        self.common.metrics.journal_backlog_bytes.dec_by(self.backlog_reported as i64);
        self.hearers.close_all(CloseReason::Reset);
        self.lease.end();
    }
}
