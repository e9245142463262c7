//! The actor of one open document: carries events into [`DocumentState`] and its effects out, and owns the
//! timers. It decides nothing that the pure parts can decide.
//!
//! Life: *loading* (the mailbox waits) → *serving* → *closed*. A document that cannot be loaded is
//! *refused* instead: it answers every question with the reason, keeps nothing, and goes away soon, so that
//! the next attempt looks at the store again.
//!
//! Batching is adaptive: the first update of a burst schedules one flush behind the messages that already
//! wait in the mailbox, so an idle document adds no delay and a busy one makes one transaction, one
//! broadcast and one journal entry of whatever came meanwhile.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use bytes::Bytes;
use smallvec::SmallVec;
use tokio::sync::oneshot;
use tracing::{debug, error, info, warn};
use yrs::StateVector;

use super::{
    acknowledgements::Acknowledgements,
    deleted::Deleted,
    effect::{Effect, Effects, Outcome, Said, Suspect},
    error::{JoinError, OpenError},
    hearers::Hearers,
    journal::Journal,
    lease::{Common, Lease},
    memory::Share,
    messages::{
        CatchUp, Contribute, Deliver, DeliverText, Details, Drain, Govern, Join, JoinText, JoiningText,
        Leave, Order, ReadDetails, ReadPeople, ReadState, SetAccess, Tell,
    },
    outbox::Frame,
    pace,
    replica::{Applied, Poisoned, Replica, Unloadable, dear::AppliedDear},
    requests::{Answer, Requests},
    state::DocumentState,
    turns,
    work::Work,
};
use crate::{
    ids::{DocumentName, Moment, SessionId, Timestamp},
    protocol::{
        Dialect,
        close::CloseReason,
        json::{self, FieldName},
        message::{Message, Outgoing, Shown},
        ysync,
    },
    store::{Append, Head, Life, Presence as Shelf, Sequence, StoreError, Stored, Summary},
};

/// How often timed things are looked at: presence, slow sessions, idleness, a full journal.
const TICK: Duration = Duration::from_secs(1);

/// What is told of a larger document is encoded on a thread of its own: a megabyte of many structs takes seven milliseconds.
const ENCODED_HERE: usize = 256 * 1024;

/// How long a document waits after a checkpoint that could not be written.
const CHECKPOINT_PAUSE: Duration = Duration::from_secs(60);

/// A document whose loading panics this often in a row is refused.
const RELOADS: u32 = 3;

/// Characters of a text that is read for its first line with every write, and now and then.
const A_PAGE: u32 = 4_000;
const A_BOOK: u32 = 1_000_000;

/// One open document.
pub struct DocumentActor {
    name: DocumentName,
    common: Common,
    lease: Lease,
    phase: Phase,
    hearers: Hearers,
    /// Requests without a connection that wait for their acknowledgement.
    requests: Requests,
    /// To whom an acknowledgement is owed, of which update, and what became of it.
    owed: Acknowledgements<(SessionId, Bytes, Outcome)>,
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

/// What a document has while it serves.
struct Serving {
    state: DocumentState,
    journal: Journal,
    shelf: Shelf,
    created: Timestamp,
    modified: Timestamp,
    /// The title given to it, or taken from it by a page.
    title: Option<String>,
    /// What it is called without one.
    first_line: Option<String>,
    kind: Option<String>,
    /// Bytes of the last encoded state, and of the log since the last checkpoint.
    state_bytes: usize,
    log_bytes: usize,
    /// Whether the store knows the document.
    exists: bool,
    checkpointing: bool,
    /// The last checkpoint failed: none is tried before this moment, because trying encodes the whole document
    /// and decodes it again.
    next_checkpoint: Option<Instant>,
    /// When the write under way was handed to the store.
    write_started: Option<Instant>,
    backlog_reported: usize,
    reloads: u32,
    /// Counts the journals this document has had: deleting it begins a new one.
    journals: u64,
    /// Which life of the document the store has.
    life: Life,
    /// What the store was asked to do with the document as a whole, and has not answered for so long that nothing else
    /// waits for it any more.
    governing: Option<Governing>,
}

/// An order that the store has not carried out yet.
#[derive(Clone, Copy, Debug)]
struct Governing {
    order: Order,
    /// Where the document was before.
    before: Shelf,
}

impl Serving {
    /// Whether nothing was ever written here, so that there is nothing to begin anew.
    fn replica_is_new(&mut self) -> bool {
        self.state.replica().is_empty() && self.journal.is_empty()
    }

    /// Whether it is not decided whether the document is there to be opened and written.
    fn is_undecided(&self) -> bool {
        self.governing
            .is_some_and(|Governing { order, before }| order != Order::Create || before != Shelf::Live)
    }

    /// Whether what a replica with `vector` lacks is not at hand, and takes long to encode.
    fn takes_long_to_tell(&mut self, vector: &StateVector) -> bool {
        self.state_bytes.max(self.log_bytes) > ENCODED_HERE
            && !self.state.is_poisoned()
            && !self.state.replica().has_difference(vector)
    }

    /// Reads what lists show anew. From a replica that is poisoned nothing is learnt. Of a text without a title the first
    /// line is read if it has `most` characters at most: that is a walk over all of it.
    fn look(&mut self, most: u32) {
        if let Ok(title) = self.state.replica().title() {
            self.title = title;
        }
        if let Ok(kind) = self.state.replica().kind() {
            self.kind = kind;
        }
        let is_text = self.kind.as_deref().is_none_or(|kind| kind == "text");
        if self.title.is_some() || !is_text {
            self.first_line = None;
        } else if let Ok(Some(line)) = self.state.replica().first_line(most) {
            self.first_line = line;
        }
    }

    /// What lists call it.
    fn called(&self) -> Option<String> {
        self.title.clone().or_else(|| self.first_line.clone())
    }

    fn summary(&self, bytes: usize) -> Summary {
        Summary { title: self.called(), kind: self.kind.clone(), bytes: bytes as u64 }
    }
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
            owed: Acknowledgements::default(),
            flush_scheduled: false,
            tick_scheduled: false,
            presence_scheduled: false,
            idle_since: None,
            was_started: false,
        }
    }

    // ---- loading ------------------------------------------------------------------------------------

    /// Loads the document while the mailbox waits. `suspects` are then tried one by one.
    fn load(&mut self, suspects: Vec<Suspect>, ctx: &mut Context<Self>) {
        let name = self.name.clone();
        let loading = self.common.store.load(name.clone());
        // What was applied but is not durable is in the journal alone; it outlives a reload.
        let unsaved: Vec<Bytes> = match &self.phase {
            Phase::Serving(serving) => serving.journal.unsaved().map(|update| update.bytes.clone()).collect(),
            _ => Vec::new(),
        };
        let (deleted, work) = (self.common.config.keep_deleted.of(&self.name), self.common.work.clone());
        self.lease.set_waits(true);
        let lease = self.lease.clone();
        let loaded = async move {
            let stored = loading.await;
            lease.set_waits(false);
            let stored = stored.map_err(OpenError::Store)?;
            let replayed = replay(name, stored.as_ref(), unsaved, deleted, &work).await?;
            Ok((stored, replayed))
        };
        ctx.wait(loaded.into_actor(self).map(move |loaded, actor, ctx| match loaded {
            Ok((stored, replayed)) => actor.serve(replayed, stored, suspects, ctx),
            Err(error) => actor.refuse(error, ctx),
        }));
    }

    fn serve(
        &mut self,
        (replica, taken): (Replica, Option<Applied>),
        stored: Option<Stored>,
        suspects: Vec<Suspect>,
        ctx: &mut Context<Self>,
    ) {
        if let Phase::Serving(serving) = &mut self.phase {
            let mut effects = serving.state.replace_replica(replica, Moment::now());
            self.carry_out(&mut effects, ctx);
            // Before a suspect has it loaded once more, from what is kept: it would be taken over twice.
            self.keep_taken(taken, ctx);
            self.try_suspects(suspects.into(), ctx);
            // What came meanwhile waited for it.
            if matches!(&self.phase, Phase::Serving(serving) if serving.state.waits_long()) {
                self.apply_apart(None, ctx);
            } else {
                self.schedule_flush(ctx);
            }
            return;
        }
        let now = Moment::now();
        let head = stored.as_ref().map(|stored| &stored.head);
        let mut serving = Serving {
            state: DocumentState::new(replica, self.common.config.presence),
            journal: Journal::new(
                self.common.config.journal,
                head.map_or(Sequence::default(), |head| head.last),
            ),
            shelf: head.map_or(Shelf::Live, |head| head.presence),
            created: head.map_or(now.wall, |head| head.created),
            modified: head.map_or(now.wall, |head| head.modified),
            title: head.and_then(|head| head.summary.title.clone()),
            first_line: None,
            kind: head.and_then(|head| head.summary.kind.clone()),
            state_bytes: head.map_or(0, |head| head.summary.bytes as usize),
            log_bytes: stored.iter().flat_map(|stored| &stored.tail).map(|update| update.bytes.len()).sum(),
            exists: head.is_some(),
            checkpointing: false,
            next_checkpoint: None,
            write_started: None,
            backlog_reported: 0,
            reloads: 0,
            journals: 0,
            life: head.map_or(Life::FIRST, |head| head.life),
            governing: None,
        };
        serving.state.set_size(self.common.config.max_bytes, serving.state_bytes + serving.log_bytes);
        serving.look(A_BOOK);
        debug!(document = %self.name, "document opened");
        self.phase = Phase::Serving(Box::new(serving));
        self.report_memory();
        self.idle_since = Some(now.instant);
        self.schedule_tick(ctx);
        self.keep_taken(taken, ctx);
    }

    /// A text of earlier versions has become one of today's. That is no change anybody made, so lists go on to say when
    /// the last one was.
    fn keep_taken(&mut self, taken: Option<Applied>, ctx: &mut Context<Self>) {
        let Phase::Serving(serving) = &mut self.phase else { return };
        let Some(taken) = taken else { return };
        debug!(document = %self.name, "text of an earlier version taken over");
        let mut effects = serving.state.taken_over(taken, Moment { wall: serving.modified, ..Moment::now() });
        self.carry_out(&mut effects, ctx);
    }

    /// The document cannot be opened. Whoever asks is told; nothing is written.
    fn refuse(&mut self, error: OpenError, ctx: &mut Context<Self>) {
        error!(document = %self.name, %error, "document cannot be opened");
        self.hearers.close_all(CloseReason::Internal);
        self.requests.clear();
        self.phase = Phase::Refused(error);
        self.idle_since = Some(Instant::now());
        self.schedule_tick(ctx);
    }

    // ---- a poisoned replica ---------------------------------------------------------------------------

    /// The replica panicked: load the document again, then try the suspects one at a time.
    fn reload(&mut self, what: &str, suspects: Vec<Suspect>, ctx: &mut Context<Self>) {
        let Phase::Serving(serving) = &mut self.phase else { return };
        serving.reloads += 1;
        self.common.metrics.documents_poisoned.inc();
        error!(document = %self.name, what, suspects = suspects.len(), "document panicked, loading it again");
        if serving.reloads > RELOADS && suspects.is_empty() {
            let poisoned = Unloadable::Poisoned(Poisoned(what.to_owned()));
            return self.refuse(OpenError::Unloadable(Arc::new(poisoned)), ctx);
        }
        self.load(suspects, ctx);
    }

    /// Applies each suspect alone. The one that panics alone is the culprit: it is quarantined and its
    /// session closed, and the rest go on from a fresh replica.
    fn try_suspects(&mut self, mut suspects: VecDeque<Suspect>, ctx: &mut Context<Self>) {
        while let Some(suspect) = suspects.pop_front() {
            let Phase::Serving(serving) = &mut self.phase else { return };
            let mut effects = serving.state.retry(suspect.clone(), Moment::now());
            if let [Effect::Poisoned { what, .. }] = effects.as_slice() {
                let what = what.clone();
                warn!(document = %self.name, session = %suspect.session, what, "update quarantined");
                self.quarantine(&suspect, what.clone(), ctx);
                self.acknowledge(suspect.session, suspect.update.bytes().clone(), Outcome::Rejected("panic"));
                return self.reload(&what, suspects.into(), ctx);
            }
            if let Some(Effect::Poisoned { suspects: more, .. }) = effects.last_mut() {
                // It broke behind the update, which is applied. The others are not to blame for that.
                more.splice(0..0, suspects.drain(..));
            }
            self.carry_out(&mut effects, ctx);
        }
    }

    fn quarantine(&self, suspect: &Suspect, what: String, ctx: &mut Context<Self>) {
        let bytes = suspect.update.bytes().clone();
        let Phase::Serving(serving) = &self.phase else { return };
        let kept =
            self.common.store.quarantine(self.name.clone(), serving.life, what, bytes, Moment::now().wall);
        let report = |kept: Result<(), StoreError>, actor: &mut Self, _: &mut Context<Self>| {
            if let Err(error) = kept {
                error!(document = %actor.name, %error, "failed to quarantine an update");
            }
        };
        turns::spawn(ctx, kept.into_actor(self).map(report));
    }

    // ---- effects --------------------------------------------------------------------------------------

    fn carry_out(&mut self, effects: &mut Effects, ctx: &mut Context<Self>) {
        let now = Instant::now();
        let mut lagging = false;
        for effect in effects.drain(..) {
            match effect {
                Effect::Send { to, message } => self.send(to, &message),
                Effect::BroadcastUpdate { except, update, before } => {
                    let frame = || Frame::Update(ysync::encode(&Outgoing::Update(update)), before);
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
                        serving.log_bytes += update.bytes.len();
                        serving.modified = update.at;
                        serving.journal.push(update);
                    }
                }
                Effect::Acknowledge { to, update, outcome } => self.owe(to, update, outcome),
                Effect::Probe(session) => self.hearers.probe(session),
                Effect::Refused(reason) => {
                    self.common.metrics.refused(reason);
                    self.common.complaints.note(&self.name, "input", reason, Instant::now());
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

    fn send(&mut self, to: SessionId, message: &Outgoing) {
        let Phase::Serving(serving) = &self.phase else { return };
        if let Some(dialect) = serving.state.dialect(to) {
            self.hearers.send(to, dialect, message, Instant::now());
        }
    }

    /// Reads a rich text for those who have it open as text.
    fn read_rich(&mut self, field: FieldName, ctx: &mut Context<Self>) {
        let Phase::Serving(serving) = &mut self.phase else { return };
        let state = match serving.state.replica().state() {
            Ok(state) => state,
            Err(Poisoned(what)) => return self.reload(&what, Vec::new(), ctx),
        };
        let (exports, root) = (self.common.exports.clone(), field.as_str().to_owned());
        let reading = async move { exports.root_text(state, root).await };
        turns::spawn(
            ctx,
            reading.into_actor(self).map(move |text, actor, ctx| {
                let Phase::Serving(serving) = &mut actor.phase else { return };
                let text = text.map_err(|unreadable| unreadable.to_string());
                let mut effects = serving.state.rich_text(&field, text, Moment::now());
                actor.carry_out(&mut effects, ctx);
            }),
        );
    }

    /// Ends a session for a reason that is its document's.
    fn send_away(&mut self, session: SessionId, reason: CloseReason) {
        self.hearers.close(session, reason);
        // A request has no connection that would end: it is told.
        self.answer_request(session, Err(JoinError::Overloaded));
    }

    // ---- durability -----------------------------------------------------------------------------------

    fn owe(&mut self, to: SessionId, update: Bytes, outcome: Outcome) {
        let Phase::Serving(serving) = &self.phase else { return };
        self.requests.applied(to, Instant::now());
        self.owed.owe((to, update, outcome), &serving.journal);
        self.pay();
    }

    /// Gives the acknowledgements that are due.
    fn pay(&mut self) {
        while let Phase::Serving(serving) = &self.phase
            && let Some((to, update, outcome)) = self.owed.due(&serving.journal)
        {
            self.acknowledge(to, update, outcome);
        }
    }

    fn acknowledge(&mut self, to: SessionId, update: Bytes, outcome: Outcome) {
        if self.answer_request(to, Ok(outcome)) {
            return;
        }
        if self.hearers.text_queue(to).is_some() {
            if outcome == Outcome::Applied {
                self.hearers.tell(&[to], &Said::Answer(update), Instant::now());
            }
            return;
        }
        let Phase::Serving(serving) = &self.phase else { return };
        let dialect = serving.state.dialect(to);
        match (dialect, outcome) {
            (Some(Dialect::Hocuspocus), outcome) => {
                self.send(to, &Outgoing::SyncStatus { applied: outcome == Outcome::Applied });
            }
            (Some(Dialect::YWebSocket { echo: true }), Outcome::Applied) => {
                self.send(to, &Outgoing::Update(update));
            }
            _ => {}
        }
        if let Outcome::Rejected(why) = outcome {
            self.hearers.close(to, CloseReason::Refused(why));
        }
    }

    /// Answers a request and ends its session; false if there is no such request.
    fn answer_request(&mut self, session: SessionId, answer: Answer) -> bool {
        let was_there = self.requests.answer(session, answer);
        if was_there && let Phase::Serving(serving) = &mut self.phase {
            drop(serving.state.leave(session, true, Moment::now()));
        }
        was_there
    }

    /// Hands what waits to the store, unless a write is under way.
    fn write(&mut self, ctx: &mut Context<Self>) {
        let Phase::Serving(serving) = &mut self.phase else { return };
        let now = Moment::now();
        if let Some(updates) = serving.journal.take(now.instant) {
            serving.look(A_PAGE);
            let summary = Some(serving.summary(serving.state_bytes.max(serving.log_bytes)));
            let append = Append { document: self.name.clone(), updates, summary };
            let written = self.common.store.append(vec![append]);
            serving.write_started = Some(now.instant);
            let journals = serving.journals;
            turns::spawn(
                ctx,
                written.into_actor(self).map(move |written, actor, ctx| {
                    // An answer to a write from before the document was deleted or begun anew says nothing about
                    // the journal it has now.
                    if matches!(&actor.phase, Phase::Serving(serving) if serving.journals == journals) {
                        actor.written(written, ctx);
                    }
                }),
            );
        }
        self.report_backlog();
    }

    fn written(&mut self, written: Result<Vec<crate::store::Appended>, StoreError>, ctx: &mut Context<Self>) {
        let Phase::Serving(serving) = &mut self.phase else { return };
        match written.as_deref() {
            Ok([appended]) => {
                if serving.journal.is_failing() {
                    info!(document = %self.name, "the store takes writes again");
                }
                if let Some(started) = serving.write_started.take() {
                    self.common.metrics.commit_seconds.observe(started.elapsed().as_secs_f64());
                }
                serving.exists = true;
                serving.life = appended.life;
                serving.journal.succeeded(*appended);
                serving.state.set_full(serving.journal.is_full());
                self.pay();
                self.checkpoint_if_due(ctx);
                self.report_memory();
            }
            Ok(_) => self.write_failed(&StoreError::Unwritable("it answered for another write".into()), ctx),
            Err(error) => self.write_failed(&error.clone(), ctx),
        }
        self.write(ctx);
    }

    /// Nothing is acknowledged; what was to be written waits and is tried again.
    fn write_failed(&mut self, error: &StoreError, ctx: &mut Context<Self>) {
        let Phase::Serving(serving) = &mut self.phase else { return };
        if !serving.journal.is_failing() {
            error!(document = %self.name, %error, "failed to store changes; they are kept in memory");
        }
        self.common.metrics.store_failures.inc();
        let retry = serving.journal.failed(Instant::now());
        serving.state.set_full(serving.journal.is_full());
        let pause = retry.saturating_duration_since(Instant::now());
        turns::later(ctx, pause, Self::write);
    }

    fn report_backlog(&mut self) {
        let Phase::Serving(serving) = &mut self.phase else { return };
        let backlog = serving.journal.backlog_bytes();
        serving.state.set_full(serving.journal.is_full());
        let change = backlog as i64 - serving.backlog_reported as i64;
        if change != 0 {
            self.common.metrics.journal_backlog_bytes.inc_by(change);
            serving.backlog_reported = backlog;
            self.lease.set_unsaved(backlog);
        }
    }

    /// Says what the document takes. Asked where its stored size changes, and not with every message: all documents
    /// count in one place.
    fn report_memory(&mut self) {
        if let Phase::Serving(serving) = &self.phase {
            self.share.set_bytes(Share::estimate(serving.state_bytes.max(serving.log_bytes)));
        }
    }

    /// Replaces the log by one state once it has grown past the state's own size.
    fn checkpoint_if_due(&mut self, ctx: &mut Context<Self>) {
        let Phase::Serving(serving) = &self.phase else { return };
        if serving.log_bytes > self.common.config.checkpoint_bytes.max(serving.state_bytes) {
            self.checkpoint(ctx);
        }
    }

    /// Encodes the state of a large document, and writes it.
    fn checkpoint_apart(&mut self, ctx: &mut Context<Self>) {
        let Phase::Serving(serving) = &mut self.phase else { return };
        serving.checkpointing = false;
        self.read_apart(
            ctx,
            |replica| replica.state().map(drop),
            |actor, read, ctx| match read {
                Ok(()) => actor.checkpoint(ctx),
                Err(Poisoned(what)) => actor.reload(&what, Vec::new(), ctx),
            },
        );
    }

    /// Has something of a large replica encoded on a thread of its own, which keeps it for the next who asks, while the mailbox
    /// waits; goes on with `then`. Does nothing if the replica is about to be loaded again.
    fn read_apart(
        &mut self,
        ctx: &mut Context<Self>,
        read: impl FnOnce(&mut Replica) -> Result<(), Poisoned> + Send + 'static,
        then: impl FnOnce(&mut Self, Result<(), Poisoned>, &mut Context<Self>) + 'static,
    ) {
        let Phase::Serving(serving) = &mut self.phase else { return };
        let Some(mut replica) = serving.state.lend_to_read() else { return };
        let work = self.common.work.clone();
        let encoded = async move {
            work.run(move || {
                let encoded = read(&mut replica);
                (replica, encoded)
            })
            .await
        };
        ctx.wait(encoded.into_actor(self).map(|done, actor, ctx| {
            let Phase::Serving(serving) = &mut actor.phase else { return };
            match done {
                Ok((replica, encoded)) => {
                    serving.state.take_back_read(replica);
                    then(actor, encoded, ctx);
                }
                Err(error) => then(actor, Err(Poisoned(error.to_string())), ctx),
            }
        }));
    }

    /// Writes the full state. The store is only given bytes that have been decoded again.
    fn checkpoint(&mut self, ctx: &mut Context<Self>) {
        let Phase::Serving(serving) = &mut self.phase else { return };
        let too_early = serving.next_checkpoint.is_some_and(|next| Instant::now() < next);
        if serving.checkpointing || !serving.exists || too_early {
            return;
        }
        if serving.takes_long_to_tell(&StateVector::default()) {
            // In a turn of its own: whoever called goes on with the replica.
            serving.checkpointing = true;
            return turns::soon(ctx, Self::checkpoint_apart);
        }
        let state = match serving.state.replica().state() {
            Ok(state) => state,
            Err(Poisoned(what)) => return self.reload(&what, Vec::new(), ctx),
        };
        serving.checkpointing = true;
        serving.state_bytes = state.len();
        serving.state.found_size(state.len());
        // The state may hold more than what is durable; claiming less is harmless, claiming more is not.
        let upto = serving.journal.stored();
        let covered = serving.log_bytes.saturating_sub(serving.journal.backlog_bytes());
        serving.look(A_BOOK);
        let summary = serving.summary(state.len());
        let (store, name) = (self.common.store.clone(), self.name.clone());
        let (life, journals) = (serving.life, serving.journals);
        let (deleted, work) = (self.common.config.keep_deleted.of(&self.name), self.common.work.clone());
        let written = async move {
            let checked = state.clone();
            let load = move || Replica::load([&checked], deleted).map(drop);
            let decodable = work.run(load).await;
            match decodable {
                Ok(Ok(())) => {
                    store.checkpoint(name, life, upto, state, summary).await.map_err(|e| e.to_string())
                }
                Ok(Err(unloadable)) => Err(unloadable.to_string()),
                Err(stopped) => Err(stopped.to_string()),
            }
        };
        turns::spawn(
            ctx,
            written.into_actor(self).map(move |written, actor, _| {
                let Phase::Serving(serving) = &mut actor.phase else { return };
                // Deleted for ever while it was written: it says nothing about what is here now.
                if serving.journals != journals {
                    return;
                }
                serving.checkpointing = false;
                match written {
                    Ok(()) => {
                        serving.log_bytes = serving.log_bytes.saturating_sub(covered);
                        serving.next_checkpoint = None;
                        actor.report_memory();
                    }
                    // The log is still there, and says the same at greater length.
                    Err(error) => {
                        error!(document = %actor.name, error, "failed to write a checkpoint");
                        serving.next_checkpoint = Some(Instant::now() + CHECKPOINT_PAUSE);
                    }
                }
            }),
        );
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
        let busy = match &self.phase {
            Phase::Serving(serving) => {
                !serving.journal.is_empty()
                    || serving.checkpointing
                    || serving.governing.is_some()
                    || serving.state.has_waiting()
                    || serving.state.is_poisoned()
            }
            _ => false,
        };
        let is_time = now.saturating_duration_since(since) >= idle || self.share.must_leave();
        if busy || !is_time {
            return false;
        }
        if let Phase::Serving(serving) = &mut self.phase
            && serving.log_bytes > serving.state_bytes.max(1024) / 2
        {
            // Come back when that is stored too.
            if serving.shelf == Shelf::Live {
                let mut effects = serving.state.tidy(Moment { wall: serving.modified, ..Moment::now() });
                if !effects.is_empty() {
                    self.carry_out(&mut effects, ctx);
                    return false;
                }
            }
            // A shorter log makes the next opening quick. Come back when it is written; if it cannot be, the
            // document leaves memory without it.
            self.checkpoint(ctx);
            // Nor does one leave that is just being loaded again.
            if let Phase::Serving(serving) = &self.phase
                && (serving.checkpointing || serving.state.is_poisoned())
            {
                return false;
            }
        }
        self.close(ctx);
        true
    }

    /// From here on every message is answered "closed", and its sender opens the document anew.
    fn close(&mut self, ctx: &mut Context<Self>) {
        debug!(document = %self.name, "document closed");
        self.lease.end();
        self.share = self.common.memory.share();
        self.phase = Phase::Closed;
        // The mailbox is still answered for a moment, so that nobody who already holds the address is
        // left without an answer; once all handles are gone the actor stops by itself.
        turns::later(ctx, TICK, |_, ctx| ctx.stop());
    }

    fn serving(&mut self) -> Result<&mut Serving, OpenError> {
        match &mut self.phase {
            Phase::Serving(serving) => Ok(serving),
            Phase::Refused(error) => Err(error.clone()),
            Phase::Loading | Phase::Closed => Err(OpenError::Closed),
        }
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
        let started = Instant::now();
        let mut effects = serving.state.flush(Moment::now());
        if !matches!(effects.last(), Some(Effect::Poisoned { .. })) {
            serving.reloads = 0;
        }
        let took = started.elapsed();
        self.common.metrics.apply_seconds.observe(took.as_secs_f64());
        if !effects.iter().any(|effect| matches!(effect, Effect::Store(_))) {
            self.common.metrics.updates_redundant.inc();
        }
        self.carry_out(&mut effects, ctx);
    }

    /// Applies what waits on a thread of its own, while the mailbox waits: dear work must not hold up the other documents
    /// of this thread. Then goes on with the `rest` of what a session said.
    fn apply_apart(&mut self, rest: Option<(SessionId, VecDeque<Message>)>, ctx: &mut Context<Self>) {
        let Phase::Serving(serving) = &mut self.phase else { return };
        let Some((mut replica, batch)) = serving.state.lend() else {
            // Nothing waits, or the replica is being loaded again, after which it is applied like anything else.
            if let Some((session, messages)) = rest.filter(|(_, messages)| !messages.is_empty()) {
                self.deliver(session, messages, ctx);
            }
            return;
        };
        let work = self.common.work.clone();
        let metrics = self.common.metrics.clone();
        let suspects = batch.clone();
        let applied = async move {
            work.run_dear(move || {
                let started = Instant::now();
                let mut applied = Vec::with_capacity(batch.len());
                for suspect in &batch {
                    match replica.apply_dear(&suspect.update) {
                        Ok(done) => applied.push(done),
                        Err(poisoned) => return (replica, batch, applied, Some(poisoned)),
                    }
                }
                metrics.apply_seconds.observe(started.elapsed().as_secs_f64());
                if applied.iter().any(AppliedDear::has_changed) {
                    replica.take_over_ahead();
                }
                (replica, batch, applied, None)
            })
            .await
        };
        // Nothing else happens in this document until the replica is back.
        ctx.wait(applied.into_actor(self).map(move |done, actor, ctx| {
            let Phase::Serving(serving) = &mut actor.phase else { return };
            match done {
                Ok((replica, batch, applied, panicked)) => {
                    let mut effects =
                        serving.state.take_back(replica, batch, applied, panicked, Moment::now());
                    actor.carry_out(&mut effects, ctx);
                    if let Some((session, messages)) = rest {
                        actor.deliver(session, messages, ctx);
                    }
                }
                // The replica is gone, and nothing of the batch was kept.
                Err(error) => actor.reload(&error.to_string(), suspects, ctx),
            }
        }));
    }

    /// The document, if one more session may open it.
    fn admit(&mut self, max_sessions: usize) -> Result<&mut Serving, JoinError> {
        let sessions = self.hearers.len();
        let serving = self.serving()?;
        if serving.is_undecided() {
            return Err(JoinError::Busy);
        }
        if serving.shelf != Shelf::Live {
            return Err(JoinError::Gone);
        }
        if sessions >= max_sessions {
            return Err(JoinError::Full(max_sessions));
        }
        Ok(serving)
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
        if let Phase::Serving(serving) = &self.phase {
            self.common.metrics.journal_backlog_bytes.dec_by(serving.backlog_reported as i64);
        }
        self.hearers.close_all(CloseReason::Reset);
        self.lease.end();
    }
}

/// Builds the replica of what was stored and what is not stored yet. A text of earlier versions is taken over, and what
/// that took is to be kept.
async fn replay(
    name: DocumentName,
    stored: Option<&Stored>,
    unsaved: Vec<Bytes>,
    deleted: Deleted,
    work: &Work,
) -> Result<(Replica, Option<Applied>), OpenError> {
    /// Up to here decoding takes well under a millisecond and is done in place; above, it would hold up
    /// every connection of this thread.
    const IN_PLACE: usize = 32 * 1024;
    let checkpoint = stored.iter().filter_map(|stored| stored.checkpoint.clone());
    let tail = stored.iter().flat_map(|stored| stored.tail.iter().map(|update| update.bytes.clone()));
    let updates: Vec<Bytes> = checkpoint.chain(tail).chain(unsaved).collect();
    let is_live = stored.is_some_and(|stored| stored.head.presence == Shelf::Live);
    let bytes = updates.iter().map(Bytes::len).sum::<usize>();
    let build = move || {
        let mut replica = Replica::load(&updates, deleted)?;
        // What lies in the trash is not written.
        match if is_live { replica.take_over(usize::MAX) } else { Ok(None) } {
            Ok(taken) => Ok((replica, taken)),
            Err(poisoned) => {
                error!(document = %name, %poisoned, "text of an earlier version stays what it is");
                let mut replica = Replica::load(&updates, deleted)?;
                replica.leave_tree();
                Ok((replica, None))
            }
        }
    };
    let built =
        if bytes <= IN_PLACE { build() } else { work.run(build).await.map_err(|_| OpenError::Closed)? };
    built.map_err(|unloadable: Unloadable| OpenError::Unloadable(Arc::new(unloadable)))
}

impl Handler<Join> for DocumentActor {
    type Result = Result<(), JoinError>;
    fn handle(&mut self, Join(joining): Join, ctx: &mut Context<Self>) -> Self::Result {
        let serving = self.admit(joining.max_sessions)?;
        let mut effects = serving.state.join(joining.session, joining.access, joining.dialect);
        self.hearers.join(joining.session, joining.outbox);
        self.idle_since = None;
        self.share.set_left(None);
        self.report_editors();
        self.carry_out(&mut effects, ctx);
        Ok(())
    }
}

impl Handler<Deliver> for DocumentActor {
    type Result = ();
    fn handle(&mut self, Deliver { session, messages }: Deliver, ctx: &mut Context<Self>) {
        self.deliver(session, messages.into(), ctx);
    }
}

impl DocumentActor {
    /// Has what a session lacks encoded where that holds nobody up, and goes on with what it said, the question first.
    fn tell_apart(
        &mut self,
        session: SessionId,
        vector: StateVector,
        messages: VecDeque<Message>,
        ctx: &mut Context<Self>,
    ) {
        let Ok(serving) = self.serving() else { return };
        if serving.state.is_poisoned() {
            return self.deliver(session, messages, ctx);
        }
        self.read_apart(
            ctx,
            move |replica| replica.difference(&vector).map(drop),
            move |actor, told, ctx| match told {
                Ok(()) => actor.deliver(session, messages, ctx),
                Err(Poisoned(what)) => {
                    // What it said is not answered for: it comes again with it.
                    actor.send_away(session, CloseReason::Reset);
                    actor.reload(&what, Vec::new(), ctx);
                }
            },
        );
    }

    fn deliver(&mut self, session: SessionId, mut messages: VecDeque<Message>, ctx: &mut Context<Self>) {
        let now = Moment::now();
        let mut effects = Effects::new();
        let Ok(serving) = self.serving() else { return };
        if serving.shelf != Shelf::Live {
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
                return self.tell_apart(session, vector, messages, ctx);
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
}

impl Handler<JoinText> for DocumentActor {
    type Result = Result<(), JoinError>;
    fn handle(&mut self, JoinText(joining): JoinText, ctx: &mut Context<Self>) -> Self::Result {
        let JoiningText { session, access, editor, field, queue, max_sessions } = joining;
        let serving = self.admit(max_sessions)?;
        let mut effects = serving.state.join_text(session, access, editor, field, Moment::now());
        self.hearers.join_text(session, queue);
        self.idle_since = None;
        self.share.set_left(None);
        self.report_editors();
        self.carry_out(&mut effects, ctx);
        self.schedule_tick(ctx);
        Ok(())
    }
}

impl Handler<DeliverText> for DocumentActor {
    type Result = ();
    fn handle(&mut self, DeliverText { session, requests }: DeliverText, ctx: &mut Context<Self>) {
        for request in requests {
            let Ok(serving) = self.serving() else { return };
            if serving.shelf != Shelf::Live {
                return;
            }
            let is_operation = matches!(request, Ok(json::Request::Operation(_)));
            let mut effects = serving.state.receive_text(session, request, Moment::now());
            self.common.metrics.updates_received.inc_by(u64::from(is_operation));
            self.carry_out(&mut effects, ctx);
        }
    }
}

impl Handler<Leave> for DocumentActor {
    type Result = ();
    fn handle(&mut self, Leave { session, clean }: Leave, ctx: &mut Context<Self>) {
        // What the session said before it left is applied before it is forgotten.
        self.flush(ctx);
        self.hearers.leave(session);
        self.report_editors();
        if let Ok(serving) = self.serving() {
            let mut effects = serving.state.leave(session, clean, Moment::now());
            self.carry_out(&mut effects, ctx);
        }
        if self.hearers.len() == 0 {
            self.idle_since = Some(Instant::now());
            // At once: in what order documents were left decides which of them makes room.
            self.share.set_left(self.idle_since);
        }
        self.schedule_tick(ctx);
    }
}

impl Handler<SetAccess> for DocumentActor {
    type Result = ();
    fn handle(&mut self, SetAccess { session, access }: SetAccess, ctx: &mut Context<Self>) {
        // What it said before was said with the rights it had.
        self.flush(ctx);
        if let Ok(serving) = self.serving() {
            serving.state.set_access(session, access);
        }
    }
}

impl Handler<Tell> for DocumentActor {
    type Result = Result<usize, OpenError>;
    fn handle(&mut self, Tell { payload }: Tell, _: &mut Context<Self>) -> Self::Result {
        let payload = Dialect::Hocuspocus.encode(&Outgoing::Stateless(payload));
        let Phase::Serving(serving) = &self.phase else { return self.serving().map(|_| 0) };
        let to = serving.state.hearers_of_stateless();
        Ok(self.hearers.notify(to, &payload, Instant::now()))
    }
}

impl Handler<CatchUp> for DocumentActor {
    type Result = ();
    fn handle(&mut self, CatchUp { session }: CatchUp, ctx: &mut Context<Self>) {
        if let Some(queue) = self.hearers.text_queue(session).cloned() {
            self.flush(ctx);
            let Phase::Serving(serving) = &mut self.phase else { return };
            return queue.catch_up(serving.state.make_up_text(session));
        }
        let Some(outbox) = self.hearers.outbox(session).cloned() else { return };
        let Phase::Serving(serving) = &mut self.phase else { return };
        let mut failure = None;
        outbox.catch_up(|lag, presence| match serving.state.make_up(lag, presence) {
            Ok(messages) => messages.iter().map(ysync::encode).collect(),
            Err(Poisoned(what)) => {
                failure = Some(what);
                SmallVec::new()
            }
        });
        if let Some(what) = failure {
            outbox.close(CloseReason::Reset);
            self.reload(&what, Vec::new(), ctx);
        }
    }
}

impl Handler<ReadState> for DocumentActor {
    type Result = Result<Bytes, OpenError>;
    fn handle(&mut self, _: ReadState, ctx: &mut Context<Self>) -> Self::Result {
        self.flush(ctx);
        match self.serving()?.state.replica().state() {
            Ok(state) => Ok(state),
            Err(Poisoned(what)) => {
                self.reload(&what, Vec::new(), ctx);
                Err(OpenError::Closed)
            }
        }
    }
}

impl Handler<ReadDetails> for DocumentActor {
    type Result = Result<Details, OpenError>;
    fn handle(&mut self, _: ReadDetails, ctx: &mut Context<Self>) -> Self::Result {
        self.flush(ctx);
        self.details()
    }
}

impl Handler<ReadPeople> for DocumentActor {
    type Result = Result<Vec<Shown>, OpenError>;
    fn handle(&mut self, _: ReadPeople, _: &mut Context<Self>) -> Self::Result {
        Ok(self.serving()?.state.people())
    }
}

impl DocumentActor {
    fn details(&mut self) -> Result<Details, OpenError> {
        let (name, editors) = (self.name.clone(), self.hearers.len());
        let serving = self.serving()?;
        serving.look(A_BOOK);
        Ok(Details {
            document: name,
            exists: serving.exists || !serving.state.replica().is_empty(),
            title: serving.called(),
            kind: serving.kind.clone(),
            bytes: serving.state_bytes.max(serving.log_bytes) as u64,
            created: serving.created,
            modified: serving.modified,
            // What the store has not answered has not happened.
            shelf: serving.governing.map_or(serving.shelf, |governing| governing.before),
            editors,
            people: serving.state.people(),
        })
    }
}

impl Handler<Contribute> for DocumentActor {
    type Result = Result<oneshot::Receiver<Answer>, JoinError>;
    fn handle(&mut self, Contribute { update }: Contribute, ctx: &mut Context<Self>) -> Self::Result {
        let serving = self.serving()?;
        if serving.is_undecided() {
            return Err(JoinError::Busy);
        }
        if serving.shelf != Shelf::Live {
            return Err(JoinError::Gone);
        }
        if serving.journal.is_full() {
            return Err(JoinError::Busy);
        }
        // Who has no connection cannot be told later: nothing is taken that cannot be stored now.
        self.common.store.health().map_err(OpenError::Store)?;
        let Phase::Serving(serving) = &mut self.phase else { return Err(OpenError::Closed.into()) };
        let session = SessionId::new();
        // A session until the answer; what it would be told besides goes nowhere.
        serving.state.join_request(session);
        let receiver = self.requests.add(session);
        self.schedule_tick(ctx);
        self.deliver(session, [Message::SyncStep2(update)].into(), ctx);
        Ok(receiver)
    }
}

impl Handler<Govern> for DocumentActor {
    type Result = ();
    fn handle(&mut self, Govern { order, answer }: Govern, ctx: &mut Context<Self>) {
        self.flush(ctx);
        let (store, name, at) = (self.common.store.clone(), self.name.clone(), Moment::now().wall);
        let within = self.common.config.answer_within;
        let before = match self.serving() {
            // The one before is not answered yet: what this one would do cannot be known.
            Ok(serving) if serving.governing.is_some() => {
                let _ = answer.send(Err(StoreError::Unanswered(within).into()));
                return;
            }
            Ok(serving) => serving.shelf,
            Err(error) => {
                let _ = answer.send(Err(error.into()));
                return;
            }
        };
        // Whoever is inside goes first, so that nothing is written behind the move.
        if matches!(order, Order::Trash | Order::Delete) {
            self.hearers.close_all(CloseReason::Gone);
            if let Ok(serving) = self.serving() {
                serving.shelf = Shelf::Trashed(at);
            }
        }
        let mut done = Box::pin(async move {
            match order {
                Order::Create => store.create(name, at).await,
                Order::Trash => store.set_presence(name, Shelf::Trashed(at)).await.map(|head| (head, false)),
                Order::Restore => store.set_presence(name, Shelf::Live).await.map(|head| (head, false)),
                Order::Delete => store.set_presence(name, Shelf::Deleted(at)).await.map(|head| (head, false)),
            }
        });
        let done = async move {
            match tokio::time::timeout(within, &mut done).await {
                Ok(done) => Ok(done),
                Err(_) => Err(done),
            }
        };
        // The mailbox waits, so that nobody joins between the decision and its record; but not for ever.
        ctx.wait(done.into_actor(self).map(move |done, actor, ctx| {
            let late = match done {
                Ok(done) => {
                    let answered = actor.governed(order, before, done, ctx);
                    let _ = answer.send(answered);
                    return;
                }
                Err(late) => late,
            };
            warn!(document = %actor.name, ?order, "the store does not answer; whoever asked is told so");
            if let Ok(serving) = actor.serving() {
                serving.governing = Some(Governing { order, before });
            }
            let _ = answer.send(Err(StoreError::Unanswered(within).into()));
            turns::spawn(
                ctx,
                late.into_actor(actor).map(move |done, actor, ctx| {
                    if let Ok(serving) = actor.serving() {
                        serving.governing = None;
                    }
                    // Who asked has been answered; the next one who asks is told how it is.
                    let _ = actor.governed(order, before, done, ctx);
                }),
            );
        }));
    }
}

impl DocumentActor {
    /// The store has carried out an order, or not.
    fn governed(
        &mut self,
        order: Order,
        before: Shelf,
        done: Result<(Head, bool), StoreError>,
        ctx: &mut Context<Self>,
    ) -> Result<(Details, bool), JoinError> {
        let answered = done.map_err(JoinError::from).and_then(|(head, made)| {
            self.take_note(order, &head)?;
            Ok((self.details()?, made))
        });
        if answered.is_err()
            && let Ok(serving) = self.serving()
        {
            serving.shelf = before;
        }
        info!(document = %self.name, ?order, ok = answered.is_ok(), "document governed");
        self.report_memory();
        self.write(ctx);
        if order == Order::Restore
            && let Ok(serving) = self.serving()
            && serving.shelf == Shelf::Live
        {
            // What lay in the trash was not written while it was loaded.
            if serving.state.is_large() {
                let look = |replica: &mut Replica| {
                    replica.take_over_ahead();
                    Ok(())
                };
                self.read_apart(ctx, look, |actor, read, ctx| match read {
                    Ok(()) => actor.take_over(ctx),
                    Err(Poisoned(what)) => actor.reload(&what, Vec::new(), ctx),
                });
            } else {
                self.take_over(ctx);
            }
        }
        answered
    }

    /// Takes over a text of earlier versions, which nobody has written into just now.
    fn take_over(&mut self, ctx: &mut Context<Self>) {
        let Phase::Serving(serving) = &mut self.phase else { return };
        let mut effects =
            serving.state.take_over(usize::MAX, Moment { wall: serving.modified, ..Moment::now() });
        self.carry_out(&mut effects, ctx);
    }

    fn take_note(&mut self, order: Order, head: &Head) -> Result<(), OpenError> {
        // Text that the store has not taken yet is no old content: the document has never existed there,
        // and making it must not empty it. One that was deleted was emptied then.
        let fresh = order == Order::Delete;
        if fresh {
            // Nothing of the old content is left, and nobody waits for it.
            self.owed.clear();
            for request in self.requests.sessions() {
                self.answer_request(request, Ok(Outcome::Refused));
            }
        }
        if head.presence != Shelf::Live {
            self.lease.gone();
        }
        let journal = Journal::new(self.common.config.journal, head.last);
        let serving = self.serving()?;
        serving.shelf = head.presence;
        serving.created = head.created;
        serving.modified = head.modified;
        serving.exists = !matches!(head.presence, Shelf::Deleted(_));
        serving.life = head.life;
        if fresh && !serving.replica_is_new() {
            serving.state.begin_anew();
            serving.journal = journal;
            serving.journals += 1;
            (serving.checkpointing, serving.next_checkpoint) = (false, None);
            (serving.title, serving.first_line, serving.kind) = (None, None, None);
            serving.state_bytes = 0;
            serving.log_bytes = 0;
        }
        Ok(())
    }
}

impl Handler<Drain> for DocumentActor {
    type Result = ();
    fn handle(&mut self, Drain { reason, done }: Drain, ctx: &mut Context<Self>) {
        self.flush(ctx);
        self.hearers.close_all(reason);
        self.drained(done, ctx);
    }
}

impl DocumentActor {
    fn drained(&mut self, done: oneshot::Sender<()>, ctx: &mut Context<Self>) {
        const LOOK_AGAIN: Duration = Duration::from_millis(5);
        self.flush(ctx);
        let busy = match &self.phase {
            Phase::Serving(serving) => {
                !serving.journal.is_empty()
                    || serving.checkpointing
                    || serving.governing.is_some()
                    || serving.state.is_poisoned()
            }
            _ => false,
        };
        if busy && !done.is_closed() {
            turns::later(ctx, LOOK_AGAIN, |actor, ctx| actor.drained(done, ctx));
        } else {
            self.close(ctx);
        }
    }
}

#[cfg(test)]
impl Handler<super::messages::Break> for DocumentActor {
    type Result = ();
    fn handle(&mut self, _: super::messages::Break, _: &mut Context<Self>) -> Self::Result {
        panic!("a test asked for it");
    }
}
