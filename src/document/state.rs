//! What a document does with what it is told: the one place where a document changes.
//!
//! Pure: a method per event, the time given, and [`Effect`]s returned for the actor to carry out. Updates are
//! taken in at once but applied in batches ([`DocumentState::flush`]): what a burst brings is one
//! transaction, one broadcast and one entry in the journal.

use std::{collections::HashMap, sync::Arc, time::Instant};

use bytes::Bytes;
use smallvec::SmallVec;

use super::{
    outbox::{Before, Lag},
    presence::{self, Presence},
    replica::{Poisoned, Replica, Verdict},
};
use crate::{
    auth::Access,
    ids::{SessionId, Timestamp},
    protocol::{
        Dialect,
        close::CloseReason,
        guard::Update,
        message::{AwarenessUpdate, Message, Outgoing},
    },
    store::LoggedUpdate,
};

/// The time, both ways: for intervals and for people.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Never jumps.
    pub instant: Instant,
    /// The wall clock.
    pub wall: Timestamp,
}

/// What should happen, in this order.
#[derive(Debug)]
pub enum Effect {
    /// Tell one session.
    Send {
        /// Whom.
        to: SessionId,
        /// What.
        message: Outgoing,
    },
    /// Tell every session that a change happened.
    BroadcastUpdate {
        /// The only author, who has it already.
        except: Option<SessionId>,
        /// The change.
        update: Bytes,
        /// What a session lacks that does not get it.
        before: Before,
    },
    /// Tell every session who is here.
    BroadcastAwareness {
        /// The session that said so, if one did.
        except: Option<SessionId>,
        /// Encoded presence.
        awareness: Bytes,
    },
    /// Keep this: it has been applied.
    Store(LoggedUpdate),
    /// Tell the author of an update what became of it, once everything stored so far is durable.
    Acknowledge {
        /// The author.
        to: SessionId,
        /// Its update, as it came.
        update: Bytes,
        /// What became of it.
        outcome: Outcome,
    },
    /// Make sure that a session is still alive: somebody else claims its client id.
    Probe(SessionId),
    /// An input was refused; counted by reason.
    Refused(&'static str),
    /// End a session.
    Close {
        /// Which.
        session: SessionId,
        /// Why.
        reason: CloseReason,
    },
    /// The replica is unusable. The document must be loaded again, and then every suspect tried alone.
    Poisoned {
        /// The panic's message.
        what: String,
        /// The updates that were being applied.
        suspects: Vec<Suspect>,
    },
}

/// What became of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the document (wholly; or it was already).
    Applied,
    /// It is not wholly in it, because it builds upon something that is missing here.
    Incomplete,
    /// It is not in it, or not wholly, and never will be.
    Refused,
}

/// An update that waits to be applied, or that was being applied when the replica panicked.
#[derive(Clone, Debug)]
pub struct Suspect {
    /// Who sent it.
    pub session: SessionId,
    /// The update.
    pub update: Update,
    /// Whether it was the answer to a step 1, which may repeat what is known.
    pub is_answer: bool,
}

/// What a session is, to a document.
#[derive(Debug)]
struct Member {
    access: Access,
    dialect: Dialect,
    /// Its first step 1 was answered.
    answered: bool,
    /// Has said who it is.
    introduced: bool,
    /// The last batch in which an update of this session waits; see [`DocumentState::batch`].
    in_batch: u64,
}

/// The state of one open document.
pub struct DocumentState {
    replica: Replica,
    presence: Presence,
    members: HashMap<SessionId, Member>,
    waiting: Vec<Suspect>,
    waiting_bytes: usize,
    /// The number of the batch that waits.
    batch: u64,
    /// Nothing more can be kept: the journal is full.
    full: bool,
    /// The replica panicked, which has been reported; nothing is applied until it is replaced.
    poisoned: bool,
}

/// What a method wants done.
pub type Effects = Vec<Effect>;

impl DocumentState {
    /// A document whose content is `replica`, with nobody in it.
    pub fn new(replica: Replica, presence: presence::Config) -> Self {
        Self {
            replica,
            presence: Presence::new(presence),
            members: HashMap::new(),
            waiting: Vec::new(),
            waiting_bytes: 0,
            batch: 1,
            full: false,
            poisoned: false,
        }
    }

    /// A session opens the document: it hears our state vector, and who is here.
    pub fn join(&mut self, session: SessionId, access: Access, dialect: Dialect) -> Effects {
        let member = Member { access, dialect, answered: false, introduced: false, in_batch: 0 };
        self.members.insert(session, member);
        let mut effects =
            vec![Effect::Send { to: session, message: Outgoing::SyncStep1(self.replica.vector()) }];
        if !self.presence.is_empty() {
            effects.push(self.tell_presence(session));
        }
        effects
    }

    /// A session says something. Updates wait for the next [`Self::flush`].
    pub fn receive(&mut self, session: SessionId, message: Message, now: Now, effects: &mut Effects) {
        let Some(member) = self.members.get_mut(&session) else { return };
        match message {
            Message::SyncStep1(vector) => match self.replica.difference(&vector) {
                Ok(difference) => {
                    // A Hocuspocus provider that is made to sync again counts until its own step 2 is
                    // acknowledged; without a step 1 of ours it would never send one.
                    if std::mem::replace(&mut member.answered, true) && member.dialect == Dialect::Hocuspocus
                    {
                        let message = Outgoing::SyncStep1(self.replica.vector());
                        effects.push(Effect::Send { to: session, message });
                    }
                    effects.push(Effect::Send { to: session, message: Outgoing::SyncStep2(difference) });
                }
                Err(Poisoned(what)) => {
                    effects.push(Effect::Close { session, reason: CloseReason::Reset });
                    effects.extend(self.report_poisoned(what));
                }
            },
            Message::SyncStep2(update) => self.take_in(session, update, true, effects),
            Message::Update(update) => self.take_in(session, update, false, effects),
            Message::Awareness(update) => {
                let first = !std::mem::replace(&mut member.introduced, true);
                let outcome = self.presence.apply(session, update, first, now.instant);
                effects.extend(outcome.probe.into_iter().map(Effect::Probe));
                effects.extend((0..outcome.refused).map(|_| Effect::Refused("presence_limit")));
                effects.extend(announce(&outcome.changed, Some(session)));
            }
            Message::QueryAwareness => effects.push(self.tell_presence(session)),
            Message::Echo(bytes) => {
                effects.push(Effect::Send { to: session, message: Outgoing::Echo(bytes) });
            }
            Message::Unreadable => {
                let (update, outcome) = (Bytes::new(), Outcome::Refused);
                effects.push(Effect::Acknowledge { to: session, update, outcome });
            }
        }
    }

    fn take_in(&mut self, session: SessionId, update: Update, is_answer: bool, effects: &mut Effects) {
        let Some(member) = self.members.get_mut(&session) else { return };
        if update.is_empty() {
            // Every client that lacks nothing answers so. It has nothing to be applied, but it must not be
            // acknowledged before what the same session said before it.
            if member.dialect.is_acknowledged() && member.in_batch == self.batch {
                self.waiting.push(Suspect { session, update, is_answer });
            } else if member.dialect.is_acknowledged() {
                let update = update.bytes().clone();
                effects.push(Effect::Acknowledge { to: session, update, outcome: Outcome::Applied });
            }
        } else if !member.access.may_write() {
            let is_acknowledged = member.dialect.is_acknowledged();
            // A reader's answer to our step 1 repeats what it was told, and above all every deletion.
            let outcome = match is_answer.then(|| self.replica.contains(&update)) {
                Some(Ok(true)) => Outcome::Applied,
                Some(Err(Poisoned(what))) => {
                    effects.extend(self.report_poisoned(what));
                    Outcome::Refused
                }
                _ => Outcome::Refused,
            };
            if outcome == Outcome::Refused {
                effects.push(Effect::Refused("read_only"));
            }
            if is_acknowledged {
                let update = update.bytes().clone();
                effects.push(Effect::Acknowledge { to: session, update, outcome });
            }
        } else if self.full {
            effects.push(Effect::Refused("journal_full"));
            effects.push(Effect::Close { session, reason: CloseReason::TryAgainLater });
        } else {
            member.in_batch = self.batch;
            self.waiting_bytes += update.bytes().len();
            self.waiting.push(Suspect { session, update, is_answer });
        }
    }

    /// Whether updates wait to be applied.
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// How much waits: updates and bytes.
    pub fn waiting(&self) -> (usize, usize) {
        (self.waiting.len(), self.waiting_bytes)
    }

    /// Applies what waits, in one transaction.
    ///
    /// Unless several wrote and one of them takes hearing its own update for the acknowledgement: it must
    /// not hear it in a broadcast, before it is durable. Then each author's updates are one transaction, and
    /// one broadcast to everybody else.
    pub fn flush(&mut self, now: Now) -> Effects {
        if self.waiting.is_empty() || self.poisoned {
            return Effects::new();
        }
        let batch = self.take_waiting();
        let apart = only_author(&batch).is_none() && batch.iter().any(|suspect| self.is_echoed(suspect));
        if !apart {
            return self.apply(&batch, now);
        }
        let mut effects = Effects::new();
        let mut done = 0;
        for run in batch.chunk_by(|one, next| one.session == next.session) {
            effects.extend(self.apply(run, now));
            done += run.len();
            if let Some(Effect::Poisoned { suspects, .. }) = effects.last_mut() {
                suspects.extend_from_slice(&batch[done..]);
                break;
            }
        }
        effects
    }

    fn apply(&mut self, batch: &[Suspect], now: Now) -> Effects {
        let updates: Vec<&Update> = batch.iter().map(|suspect| &suspect.update).collect();
        let applied = match self.replica.apply(&updates) {
            Ok(applied) => applied,
            Err(Poisoned(what)) => {
                self.poisoned = true;
                return vec![Effect::Poisoned { what, suspects: batch.to_vec() }];
            }
        };
        let author = only_author(batch);
        let mut effects = Effects::new();
        if let Some(update) = applied.update {
            effects.push(Effect::BroadcastUpdate {
                except: author,
                update: update.clone(),
                before: Arc::new(applied.before),
            });
            effects.push(Effect::Store(LoggedUpdate { bytes: update, origin: author, at: now.wall }));
        }
        let mut asked = SmallVec::new();
        for (suspect, verdict) in batch.iter().zip(&applied.verdicts) {
            self.judge(suspect, *verdict, &mut asked, &mut effects);
        }
        effects
    }

    fn is_echoed(&self, suspect: &Suspect) -> bool {
        self.dialect(suspect.session) == Some(Dialect::YWebSocket { echo: true })
    }

    fn is_acknowledged(&self, suspect: &Suspect) -> bool {
        self.dialect(suspect.session).is_some_and(Dialect::is_acknowledged)
    }

    /// Tells the author of an update what became of it. `asked` are those who have been asked for more.
    fn judge(
        &mut self,
        suspect: &Suspect,
        verdict: Verdict,
        asked: &mut SmallVec<[SessionId; 2]>,
        effects: &mut Effects,
    ) {
        let to = suspect.session;
        let outcome = match verdict {
            Verdict::Complete => Outcome::Applied,
            Verdict::Incomplete => {
                effects.push(Effect::Refused("incomplete_update"));
                // Ask for what is missing, once for all of a burst; but an answer that is itself incomplete is
                // all the client has.
                if !suspect.is_answer && !asked.contains(&to) {
                    asked.push(to);
                    let message = Outgoing::SyncStep1(self.replica.vector());
                    effects.push(Effect::Send { to, message });
                }
                Outcome::Incomplete
            }
            Verdict::Malformed => {
                effects.push(Effect::Refused("malformed_update"));
                // A Hocuspocus client hears of it; another only by losing its connection.
                if self.dialect(to) != Some(Dialect::Hocuspocus) {
                    effects.push(Effect::Close { session: to, reason: CloseReason::PolicyViolation });
                }
                Outcome::Refused
            }
        };
        if self.is_acknowledged(suspect) {
            let update = suspect.update.bytes().clone();
            effects.push(Effect::Acknowledge { to, update, outcome });
        }
    }

    /// From now on a session may do this.
    pub fn set_access(&mut self, session: SessionId, access: Access) {
        if let Some(member) = self.members.get_mut(&session) {
            member.access = access;
        }
    }

    /// How a session speaks.
    pub fn dialect(&self, session: SessionId) -> Option<Dialect> {
        self.members.get(&session).map(|member| member.dialect)
    }

    /// The sessions that understand stateless messages.
    pub fn hearers_of_stateless(&self) -> impl Iterator<Item = SessionId> {
        let hear = |(session, member): (&SessionId, &Member)| {
            (member.dialect == Dialect::Hocuspocus).then_some(*session)
        };
        self.members.iter().filter_map(hear)
    }

    /// A session ended. After a `clean` end its presence goes at once.
    pub fn leave(&mut self, session: SessionId, clean: bool, now: Now) -> Effects {
        if self.members.remove(&session).is_none() {
            return Effects::new();
        }
        let changed = self.presence.leave(session, clean, now.instant);
        announce(&changed, None).into_iter().collect()
    }

    /// Lets presence expire.
    pub fn tick(&mut self, now: Now) -> Effects {
        let changed = self.presence.tick(now.instant);
        announce(&changed, None).into_iter().collect()
    }

    /// Whether [`Self::tick`] has anything to watch.
    pub fn needs_ticks(&self) -> bool {
        !self.presence.is_empty()
    }

    /// What makes up for dropped frames: one difference for `lag`, and everybody's presence.
    pub fn make_up(&mut self, lag: Option<&Lag>, presence: bool) -> Result<Vec<Outgoing>, Poisoned> {
        let mut messages = Vec::new();
        if let Some(lag) = lag {
            messages.push(Outgoing::Update(self.replica.make_up(lag)?));
        }
        if presence || lag.is_some() {
            let presence = self.presence.all_and_gone();
            if !presence.entries.is_empty() {
                messages.push(Outgoing::Awareness(presence.encode()));
            }
        }
        Ok(messages)
    }

    /// Takes the freshly loaded replica in place of a poisoned one. Sessions and presence stay.
    pub fn replace_replica(&mut self, replica: Replica) {
        self.replica = replica;
        self.poisoned = false;
    }

    /// Tries one suspect alone, whatever else waits: if it poisons the replica, it is the culprit.
    pub fn retry(&mut self, suspect: Suspect, now: Now) -> Effects {
        self.apply(&[suspect], now)
    }

    /// Whether more can be kept. While not, writers are turned away.
    pub fn set_full(&mut self, full: bool) {
        self.full = full;
    }

    /// The content.
    pub fn replica(&mut self) -> &mut Replica {
        &mut self.replica
    }

    /// How many sessions have the document open.
    pub fn sessions(&self) -> usize {
        self.members.len()
    }

    fn tell_presence(&self, to: SessionId) -> Effect {
        Effect::Send { to, message: Outgoing::Awareness(self.presence.all().encode()) }
    }

    /// Reported once: a second report would load the document a second time, from before what was applied
    /// after the first.
    fn report_poisoned(&mut self, what: String) -> Option<Effect> {
        if std::mem::replace(&mut self.poisoned, true) {
            return None;
        }
        let suspects = self.take_waiting();
        Some(Effect::Poisoned { what, suspects })
    }

    fn take_waiting(&mut self) -> Vec<Suspect> {
        self.batch += 1;
        self.waiting_bytes = 0;
        std::mem::take(&mut self.waiting)
    }
}

fn announce(changed: &AwarenessUpdate, except: Option<SessionId>) -> Option<Effect> {
    (!changed.entries.is_empty()).then(|| Effect::BroadcastAwareness { except, awareness: changed.encode() })
}

fn only_author(batch: &[Suspect]) -> Option<SessionId> {
    let first = batch.first()?.session;
    batch.iter().all(|suspect| suspect.session == first).then_some(first)
}

#[cfg(test)]
pub(super) mod tests;
