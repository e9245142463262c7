//! A document while it serves: what is decided about it beside its content ([`super::state`]). When what waits is handed to
//! the store and who is owed an acknowledgement for it, when the log is replaced by a checkpoint, whether anything keeps the
//! document in memory, what an order about it as a whole does to it, and which of its lives it is in. How long nobody has had
//! it open, and whether memory is short, is looked at by [`super::actor`].
//!
//! Pure: the time is given, and what is to be done is returned, for the actor to carry out.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use yrs::StateVector;

use super::{
    Config,
    acknowledgements::Acknowledgements,
    effect::{Effects, Outcome},
    error::{JoinError, OpenError},
    journal::{Journal, Ticket},
    messages::{Details, Order},
    replica::{Applied, Poisoned, Replica, Unloadable},
    state::DocumentState,
};
use crate::{
    ids::{DocumentName, Moment, SessionId, Timestamp},
    store::{Appended, Head, Life, LoggedUpdate, Sequence, Standing, StoreError, Stored, Summary},
};

/// What is told of a larger document is encoded on a thread of its own: a megabyte of many structs takes seven milliseconds.
const ENCODED_HERE: usize = 256 * 1024;

/// How long a document waits after a checkpoint that could not be written.
const CHECKPOINT_PAUSE: Duration = Duration::from_secs(60);

/// A document whose loading panics this often in a row is refused.
const RELOADS: u32 = 3;

/// Characters of a text that is read for its first line with every write, and now and then.
const A_PAGE: u32 = 4_000;
const A_BOOK: u32 = 1_000_000;

/// What a document has while it serves.
pub(super) struct Serving {
    /// Its content, and who is in it.
    pub(super) state: DocumentState,
    config: Arc<Config>,
    journal: Journal,
    /// Counts the journals this document has had: deleting it begins a new one.
    journals: u64,
    /// To whom an acknowledgement is owed, of which update, and what became of it.
    owed: Acknowledgements<(SessionId, Bytes, Outcome)>,
    standing: Standing,
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
    /// Which life of the document the store has.
    life: Life,
    checkpointing: bool,
    /// The last checkpoint failed: none is tried before this moment, because trying encodes the whole document
    /// and decodes it again.
    next_checkpoint: Option<Instant>,
    /// When the write under way was handed to the store.
    write_started: Option<Instant>,
    reloads: u32,
    /// What the store was asked to do with the document as a whole, and has not answered for so long that nothing else
    /// waits for it any more.
    governing: Option<Governing>,
}

/// An order that the store has not carried out yet.
#[derive(Clone, Copy, Debug)]
struct Governing {
    order: Order,
    /// Where the document was before.
    before: Standing,
}

/// Which of the journals that a document had one after the other. What the store answers about an earlier one says nothing
/// about what is here now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct JournalNumber(u64);

/// Updates for the log.
pub(super) struct Write {
    pub(super) updates: Vec<LoggedUpdate>,
    pub(super) summary: Summary,
    pub(super) journal: JournalNumber,
}

/// What became of a write.
pub(super) struct Written {
    /// How long it took.
    pub(super) took: Option<Duration>,
    /// Writes had failed before.
    pub(super) recovered: bool,
}

/// What a failed write means.
pub(super) struct WriteFailed {
    /// The one before had not failed.
    pub(super) is_first: bool,
    /// How long to wait before the next try.
    pub(super) pause: Duration,
}

/// Whether and how the log is replaced by a state.
pub(super) enum Checkpointing {
    /// Not now.
    Not,
    /// Its state is encoded first, where that holds nobody up; then ask again ([`Serving::tries_again`]).
    EncodeApart,
    /// So.
    Write(Checkpoint),
    /// The replica panicked.
    Poisoned(String),
}

/// A full state for the store.
pub(super) struct Checkpoint {
    pub(super) state: Bytes,
    pub(super) life: Life,
    /// The updates up to here are in it.
    pub(super) upto: Sequence,
    pub(super) summary: Summary,
    pub(super) covers: Covers,
}

/// What a checkpoint makes superfluous.
#[derive(Clone, Copy)]
pub(super) struct Covers {
    journal: JournalNumber,
    log_bytes: usize,
}

/// Whether a document that nobody uses may leave memory.
pub(super) enum Leaving {
    /// It may.
    Now,
    /// Something is not stored yet, or is under way.
    Later,
    /// This is to be kept first.
    Tidied(Effects),
    /// A shorter log makes the next opening quick: try a checkpoint first.
    AfterCheckpoint,
}

impl Serving {
    /// A document that was loaded from what was `stored`.
    pub(super) fn new(replica: Replica, stored: Option<&Stored>, config: Arc<Config>, now: Moment) -> Self {
        let head = stored.map(|stored| &stored.head);
        let tail = stored.into_iter().flat_map(|stored| &stored.tail);
        let mut serving = Self {
            state: DocumentState::new(replica, config.presence),
            journal: Journal::new(config.journal, head.map_or(Sequence::default(), |head| head.last)),
            journals: 0,
            owed: Acknowledgements::default(),
            standing: head.map_or(Standing::Live, |head| head.standing),
            created: head.map_or(now.wall, |head| head.created),
            modified: head.map_or(now.wall, |head| head.modified),
            title: head.and_then(|head| head.summary.title.clone()),
            first_line: None,
            kind: head.and_then(|head| head.summary.kind.clone()),
            state_bytes: head.map_or(0, |head| head.summary.bytes as usize),
            log_bytes: tail.map(|update| update.bytes.len()).sum(),
            exists: head.is_some(),
            life: head.map_or(Life::FIRST, |head| head.life),
            checkpointing: false,
            next_checkpoint: None,
            write_started: None,
            reloads: 0,
            governing: None,
            config,
        };
        serving.state.set_size(serving.config.max_bytes, serving.state_bytes + serving.log_bytes);
        serving.look(A_BOOK);
        serving
    }

    // ---- who may do what ------------------------------------------------------------------------------

    /// Whether it is neither in the trash nor deleted.
    pub(super) fn is_live(&self) -> bool {
        self.standing == Standing::Live
    }

    /// Whether another session may open it, beside so many of at most so many.
    pub(super) fn admits(&self, sessions: usize, most: usize) -> Result<(), JoinError> {
        self.is_open_to_all()?;
        if sessions >= most { Err(JoinError::Full(most)) } else { Ok(()) }
    }

    /// Whether it takes a change without a connection.
    pub(super) fn admits_change(&self) -> Result<(), JoinError> {
        self.is_open_to_all()?;
        if self.journal.is_full() { Err(JoinError::Busy) } else { Ok(()) }
    }

    fn is_open_to_all(&self) -> Result<(), JoinError> {
        // Whether it is there to be opened and written may not be decided yet.
        let is_undecided = self
            .governing
            .is_some_and(|Governing { order, before }| order != Order::Create || before != Standing::Live);
        match self.standing {
            _ if is_undecided => Err(JoinError::Busy),
            Standing::Live => Ok(()),
            _ => Err(JoinError::Gone),
        }
    }

    // ---- what is durable ------------------------------------------------------------------------------

    /// An update was applied and is to be kept.
    pub(super) fn keep(&mut self, update: LoggedUpdate) {
        self.log_bytes += update.bytes.len();
        self.modified = update.at;
        self.journal.push(update);
    }

    /// For a change that nobody made, so that lists go on to say when the last one was.
    pub(super) fn unchanged(&self, now: Moment) -> Moment {
        Moment { wall: self.modified, ..now }
    }

    /// What was applied but is not durable is in the journal alone; it outlives a reload.
    pub(super) fn unsaved(&self) -> Vec<Bytes> {
        self.journal.unsaved().map(|update| update.bytes.clone()).collect()
    }

    /// An acknowledgement is owed once everything up to now is durable.
    pub(super) fn owe(&mut self, to: SessionId, update: Bytes, outcome: Outcome) -> Ticket {
        self.owed.owe((to, update, outcome), &self.journal)
    }

    /// The next acknowledgement that may be given.
    pub(super) fn due(&mut self) -> Option<(SessionId, Bytes, Outcome)> {
        self.owed.due(&self.journal)
    }

    /// Whether somebody waits for what is to be written, or is being written.
    pub(super) fn is_awaited(&self) -> bool {
        !self.owed.is_empty()
    }

    /// What is to be written now; nothing while a write is under way, or waits because the last one failed.
    pub(super) fn next_write(&mut self, now: Instant) -> Option<Write> {
        let updates = self.journal.take(now)?;
        self.look(A_PAGE);
        self.write_started = Some(now);
        Some(Write { updates, summary: self.summary(self.stored_bytes()), journal: self.journal_number() })
    }

    /// Whether it still is about this journal.
    pub(super) fn is_about(&self, journal: JournalNumber) -> bool {
        self.journal_number() == journal
    }

    fn journal_number(&self) -> JournalNumber {
        JournalNumber(self.journals)
    }

    /// The write is durable.
    pub(super) fn written(&mut self, appended: Appended, now: Instant) -> Written {
        let recovered = self.journal.is_failing();
        let took = self.write_started.take().map(|started| now.saturating_duration_since(started));
        self.exists = true;
        self.life = appended.life;
        self.journal.succeeded(appended);
        self.state.set_full(self.journal.is_full());
        Written { took, recovered }
    }

    /// Nothing is acknowledged; what was to be written waits and is tried again.
    pub(super) fn write_failed(&mut self, now: Instant) -> WriteFailed {
        let is_first = !self.journal.is_failing();
        let retry = self.journal.failed(now);
        self.state.set_full(self.journal.is_full());
        WriteFailed { is_first, pause: retry.saturating_duration_since(now) }
    }

    /// Bytes that wait for the store. While they are too many, writers are turned away.
    pub(super) fn backlog(&mut self) -> usize {
        self.state.set_full(self.journal.is_full());
        self.journal.backlog_bytes()
    }

    /// About how large it is, in bytes of encoded state.
    pub(super) fn stored_bytes(&self) -> usize {
        self.state_bytes.max(self.log_bytes)
    }

    // ---- checkpoints ----------------------------------------------------------------------------------

    /// Whether the log has grown past the state's own size, and is to be replaced by one state.
    pub(super) fn is_checkpoint_due(&self) -> bool {
        self.log_bytes > self.config.checkpoint_bytes.max(self.state_bytes)
    }

    /// Whether what a replica with `vector` lacks is not at hand, and takes long to encode.
    pub(super) fn takes_long_to_tell(&mut self, vector: &StateVector) -> bool {
        self.is_long_to_encode() && !self.state.replica().can_tell(vector)
    }

    /// The same where it is wanted as one.
    pub(super) fn takes_long_to_encode(&mut self, vector: &StateVector) -> bool {
        self.is_long_to_encode() && !self.state.replica().has_difference(vector)
    }

    fn is_long_to_encode(&self) -> bool {
        self.stored_bytes() > ENCODED_HERE && !self.state.is_poisoned()
    }

    /// The full state, to be written now if it may.
    pub(super) fn checkpoint(&mut self, now: Instant) -> Checkpointing {
        let too_early = self.next_checkpoint.is_some_and(|next| now < next);
        if self.checkpointing || !self.exists || too_early {
            return Checkpointing::Not;
        }
        if self.takes_long_to_encode(&StateVector::default()) {
            self.checkpointing = true;
            return Checkpointing::EncodeApart;
        }
        let state = match self.state.replica().state() {
            Ok(state) => state,
            Err(Poisoned(what)) => return Checkpointing::Poisoned(what),
        };
        self.checkpointing = true;
        self.state_bytes = state.len();
        self.state.found_size(state.len());
        self.look(A_BOOK);
        Checkpointing::Write(Checkpoint {
            life: self.life,
            // The state may hold more than what is durable; claiming less is harmless, claiming more is not.
            upto: self.journal.stored(),
            summary: self.summary(state.len()),
            covers: Covers {
                journal: self.journal_number(),
                log_bytes: self.log_bytes.saturating_sub(self.journal.backlog_bytes()),
            },
            state,
        })
    }

    /// A checkpoint that waited for the state to be encoded may be asked for again.
    pub(super) fn tries_again(&mut self) {
        self.checkpointing = false;
    }

    /// A checkpoint was written, or could not be: the log is still there, and says the same at greater length. False if it says
    /// nothing about what is here now.
    pub(super) fn checkpointed(&mut self, covers: Covers, is_written: bool, now: Instant) -> bool {
        // Deleted for ever while it was written.
        if !self.is_about(covers.journal) {
            return false;
        }
        self.checkpointing = false;
        if is_written {
            self.log_bytes = self.log_bytes.saturating_sub(covers.log_bytes);
            self.next_checkpoint = None;
        } else {
            self.next_checkpoint = Some(now + CHECKPOINT_PAUSE);
        }
        true
    }

    // ---- a poisoned replica ---------------------------------------------------------------------------

    /// The replica panicked, and it is not known in which of some updates. Whether the document is to be refused rather than
    /// loaded once more.
    pub(super) fn panicked(&mut self, what: &str, is_suspected: bool) -> Option<OpenError> {
        self.reloads += 1;
        let is_hopeless = self.reloads > RELOADS && !is_suspected;
        is_hopeless.then(|| OpenError::Unloadable(Arc::new(Unloadable::Poisoned(Poisoned(what.to_owned())))))
    }

    /// A batch was applied without a panic.
    pub(super) fn works(&mut self) {
        self.reloads = 0;
    }

    /// Which life of the document the store has.
    pub(super) fn life(&self) -> Life {
        self.life
    }

    // ---- leaving memory -------------------------------------------------------------------------------

    /// Whether something is not stored yet, or is under way.
    pub(super) fn is_busy(&self) -> bool {
        !self.journal.is_empty() || self.checkpointing || self.governing.is_some() || self.state.is_poisoned()
    }

    /// Whether nothing keeps it from leaving, now that nobody uses it.
    pub(super) fn may_leave(&self) -> bool {
        !self.is_busy() && !self.state.has_waiting()
    }

    /// Nobody has used the document for a while.
    pub(super) fn put_away(&mut self, now: Moment) -> Leaving {
        if !self.may_leave() {
            return Leaving::Later;
        }
        if self.log_bytes <= self.state_bytes.max(1024) / 2 {
            return Leaving::Now;
        }
        if self.is_live() {
            let now = self.unchanged(now);
            let tidied = self.state.tidy(now);
            if !tidied.is_empty() {
                return Leaving::Tidied(tidied);
            }
        }
        Leaving::AfterCheckpoint
    }

    // ---- the document as a whole ----------------------------------------------------------------------

    /// The store is asked to do something with the document; where it was before, or why not now.
    pub(super) fn order(&mut self, order: Order, at: Timestamp) -> Result<Standing, JoinError> {
        if self.governing.is_some() {
            // The one before is not answered yet: what this one would do cannot be known.
            return Err(StoreError::Unanswered(self.config.answer_within).into());
        }
        let before = self.standing;
        if order.ends_it() {
            self.standing = Standing::Trashed(at);
        }
        Ok(before)
    }

    /// The store has not answered in time, and nothing else waits for it any more.
    pub(super) fn goes_on_without(&mut self, order: Order, before: Standing) {
        self.governing = Some(Governing { order, before });
    }

    /// The store has answered after all.
    pub(super) fn was_answered(&mut self) {
        self.governing = None;
    }

    /// The order was not carried out.
    pub(super) fn stays(&mut self, before: Standing) {
        self.standing = before;
    }

    /// The order was carried out, and this is what the store has now. What was in the document is given back if it is gone: to
    /// free it may take long.
    pub(super) fn carried_out(&mut self, order: Order, head: &Head) -> Option<Replica> {
        self.standing = head.standing;
        self.created = head.created;
        self.modified = head.modified;
        self.exists = !matches!(head.standing, Standing::Deleted(_));
        self.life = head.life;
        // Text that the store has not taken yet is no old content: the document has never existed there,
        // and making it must not empty it. One that was deleted was emptied then.
        if order != Order::Delete {
            return None;
        }
        // Nothing of the old content is left, and nobody waits for it.
        self.owed.clear();
        if self.state.replica().is_empty() && self.journal.is_empty() {
            return None;
        }
        self.journal = Journal::new(self.config.journal, head.last);
        self.journals += 1;
        (self.checkpointing, self.next_checkpoint) = (false, None);
        (self.title, self.first_line, self.kind) = (None, None, None);
        (self.state_bytes, self.log_bytes) = (0, 0);
        Some(self.state.begin_anew())
    }

    /// Takes over a text of earlier versions, which nobody has written into just now.
    pub(super) fn take_over(&mut self, now: Moment) -> Effects {
        let now = self.unchanged(now);
        self.state.take_over(usize::MAX, now)
    }

    /// A text of earlier versions was taken over while the document was loaded.
    pub(super) fn taken_over(&mut self, taken: Applied, now: Moment) -> Effects {
        let now = self.unchanged(now);
        self.state.taken_over(taken, now)
    }

    // ---- what lists show ------------------------------------------------------------------------------

    /// What is known about it.
    pub(super) fn details(&mut self, document: DocumentName, editors: usize) -> Details {
        self.look(A_BOOK);
        let is_blank = self.state.replica().is_empty();
        Details {
            document,
            exists: self.exists || !is_blank,
            is_blank,
            title: self.called(),
            kind: self.kind.clone(),
            bytes: self.stored_bytes() as u64,
            created: self.created,
            modified: self.modified,
            // What the store has not answered has not happened.
            standing: self.governing.map_or(self.standing, |governing| governing.before),
            editors,
            people: self.state.people(),
        }
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

#[cfg(test)]
pub(super) mod tests;
