//! What a document does with what it is told: the one place where a document changes.
//!
//! Pure: a method per event, the time given, and [`Effect`]s returned for the actor to carry out. Updates are
//! taken in at once but applied in batches ([`DocumentState::flush`]): what a burst brings is one
//! transaction, one broadcast and one entry in the journal.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use smallvec::SmallVec;
use yrs::StateVector;

use super::{
    collab::{self, Carried, Collab, Newcomer, Own},
    costs::{Costs, Credit, Purse},
    effect::{Effect, Effects, Outcome, Suspect, TextFrame},
    pace::{self, Paced},
    plain_text::PlainText,
    presence::{self, Presence},
    queue::Lag,
    rate::{Bucket, Rate},
    replica::{
        Applied, Poisoned, Replica, Verdict,
        dear::{self, AppliedDear},
        heavy::EditedDear,
        told::{self, Told},
    },
    size::Size,
};
use crate::{
    auth::{Access, Person},
    ids::{Moment, SessionId},
    protocol::{
        Dialect,
        close::CloseReason,
        guard::Update,
        json::{self, EditError, EditorName, FieldName, Proposal, Request},
        message::{AwarenessEntry, AwarenessUpdate, ClientId, Message, Shown, SyncMessage},
    },
    store::LoggedUpdate,
};

/// What a client that hears stateless messages is told when it shows more of itself than the settings allow.
const PRESENCE_TOO_LARGE: &str = r#"{"type":"error","code":"presence_too_large","message":"what you show of yourself (awareness) is larger than max_presence_bytes allows: the others do not see it"}"#;

/// How often a session may ask what it lacks of a large document, or of one in which [`CROWD`] people wrote: each question goes
/// through all who ever did. Clients ask once when they open a document, and some again every few seconds.
const ASKS: Rate = Rate { burst: 200.0, per_second: 10.0 };

/// So many clients are one question more.
const CROWD: usize = 5000;

/// What a session is, to a document.
#[derive(Debug)]
struct Member {
    access: Access,
    /// Whose it is, if that is known: what it shows of itself says so.
    person: Option<Box<Person>>,
    dialect: Dialect,
    /// Its first step 1 was answered.
    answered: bool,
    /// Has said who it is.
    introduced: bool,
    /// Has been told that it shows too much of itself.
    told_of_presence: bool,
    /// The last batch in which an update of this session waits; see [`DocumentState::batch`].
    in_batch: u64,
    /// What is left of how often it may say something of itself.
    shows: Option<Bucket>,
    /// And of how often it may ask what it lacks.
    asks: Option<Bucket>,
    /// What is left of what its changes may cost.
    purse: Purse,
    /// A request without a connection: it answers for its changes together with all others.
    is_request: bool,
}

impl Member {
    fn new(access: Access, dialect: Dialect) -> Self {
        Self {
            access,
            person: None,
            dialect,
            answered: false,
            introduced: false,
            told_of_presence: false,
            in_batch: 0,
            shows: None,
            asks: None,
            purse: Purse::default(),
            is_request: false,
        }
    }

    /// Whether an answer to a step 1 is compared with what is here, before it is applied or refused. A client that lacks
    /// nothing answers so, and still repeats every deletion there was: two hundred who come back at once to a text of some
    /// years bring millions.
    fn asks_whether_known(&self, update: &Update, batch: u64, replica: &Replica) -> bool {
        !update.is_empty()
            && (!self.access.may_write()
                || self.in_batch != batch && (dear::is_large(update) || replica.deletes_much(update)))
    }

    /// Learns from a client id whether the client is of Yjs 14.
    fn is_known_by(&mut self, client: Option<ClientId>) {
        if let (Dialect::YWebSocketById, Some(client)) = (self.dialect, client) {
            self.dialect = Dialect::YWebSocket { echo: client.get() > u64::from(u32::MAX) };
        }
    }

    fn may_ask(&mut self, questions: usize, now: Instant) -> bool {
        questions == 0
            || self.asks.get_or_insert_with(|| Bucket::new(ASKS, now)).take_many(questions as f64, now)
    }

    fn may_show(&mut self, rate: Rate, now: Instant) -> bool {
        self.shows.get_or_insert_with(|| Bucket::new(rate, now)).take(now)
    }
}

/// The state of one open document.
pub struct DocumentState {
    replica: Replica,
    size: Size,
    costs: Costs,
    /// What is left of what changes may cost that come without a connection.
    requests: Purse,
    presence: Presence,
    /// How often one session may say something of itself.
    show_rate: Rate,
    /// What those with a replica have not been told of who is here.
    untold: Paced<ClientId, AwarenessEntry>,
    /// Who is to be told of everybody who is here.
    askers: BTreeSet<SessionId>,
    collab: Collab,
    /// An operation that is to be made elsewhere.
    editing: Option<Editing>,
    members: HashMap<SessionId, Member>,
    waiting: Vec<Suspect>,
    waiting_bytes: usize,
    /// Structs and ranges that wait.
    waiting_parts: usize,
    /// Types that wait.
    waiting_types: usize,
    /// A large update waits.
    waiting_large: bool,
    /// The number of the batch that waits.
    batch: u64,
    /// Nothing more can be kept: the journal is full.
    full: bool,
    /// The replica panicked, which has been reported; nothing is applied until it is replaced.
    poisoned: bool,
    /// The replica panicked when it was tidied, and would again.
    stays_untidy: bool,
    /// The same when what was written into a text of an earlier version was taken over.
    leaves_tree: bool,
}

/// An operation that takes long.
#[derive(Debug)]
pub struct Editing {
    own: Own,
    field: FieldName,
    /// What the field says.
    text: PlainText,
    /// How many edits that is.
    parts: usize,
}

impl Editing {
    /// Makes it.
    pub fn make(&self, replica: &mut Replica) -> Result<Option<EditedDear>, Poisoned> {
        replica.edit_dear(&self.field, &self.text.edits(&self.own.operation))
    }
}

/// A tree of so many bytes takes some tenths of a second to be taken over.
const LARGE: usize = 1 << 20;

impl DocumentState {
    /// A document whose content is `replica`, with nobody in it.
    pub fn new(replica: Replica, presence: presence::Config) -> Self {
        Self {
            replica,
            size: Size::new(usize::MAX),
            costs: Costs::default(),
            requests: Purse::of_requests(),
            presence: Presence::new(presence),
            show_rate: presence.rate,
            untold: Paced::new(pace::PACE),
            askers: BTreeSet::new(),
            collab: Collab::new(collab::Config::default()),
            editing: None,
            members: HashMap::new(),
            waiting: Vec::new(),
            waiting_bytes: 0,
            waiting_parts: 0,
            waiting_types: 0,
            waiting_large: false,
            batch: 1,
            full: false,
            poisoned: false,
            stays_untidy: false,
            leaves_tree: false,
        }
    }

    /// The document may have `limit` bytes, and has `bytes` of them at most.
    pub fn set_size(&mut self, limit: usize, bytes: usize) {
        self.size = Size::new(limit);
        self.size.set(bytes);
    }

    /// All that was applied is so many bytes: changes take more while they are counted one by one.
    pub fn found_size(&mut self, bytes: usize) {
        self.size.set(bytes.saturating_add(self.waiting_bytes));
    }

    /// Whether there is room for so many bytes more.
    fn has_room(&mut self, more: usize, now: Moment) -> bool {
        let replica = &mut self.replica;
        self.size.has_room(more, now.instant, || replica.state().ok().map(|state| state.len()))
    }

    /// A session opens the document: it hears our state vector, and who is here.
    pub fn join(
        &mut self,
        session: SessionId,
        access: Access,
        person: Option<Person>,
        dialect: Dialect,
    ) -> Effects {
        let person = person.map(Box::new);
        self.members.insert(session, Member { person, ..Member::new(access, dialect) });
        let mut effects =
            vec![Effect::Send { to: session, message: SyncMessage::SyncStep1(self.replica.vector()) }];
        if !self.presence.is_empty() {
            effects.extend(self.tell_presence(session));
        }
        effects
    }

    /// Somebody without a connection brings an update, and is a session until it is answered.
    pub fn join_request(&mut self, session: SessionId) {
        let member = Member::new(Access::Write, Dialect::YWebSocket { echo: true });
        self.members.insert(session, Member { is_request: true, ..member });
    }

    /// A session says something. Updates wait for the next [`Self::flush`].
    pub fn receive(&mut self, session: SessionId, message: Message, now: Moment, effects: &mut Effects) {
        let Some(member) = self.members.get_mut(&session) else { return };
        match message {
            Message::SyncStep1(vector) => {
                let questions =
                    self.replica.clients() / CROWD + usize::from(self.size.may_exceed(told::PIECE));
                if member.may_ask(questions, now.instant) {
                    self.answer(session, &vector, effects);
                } else {
                    effects.push(Effect::Refused("step_1_rate"));
                    effects.push(Effect::Close { session, reason: CloseReason::RateLimited });
                }
            }
            Message::SyncStep2(update) => self.take_in(session, update, true, now, effects),
            Message::Update(update) => {
                // Not a step 2, which brings what others wrote. One that only deletes says nothing.
                member.is_known_by(update.sections().first().map(|section| section.client));
                self.take_in(session, update, false, now, effects);
            }
            Message::Awareness(_) | Message::QueryAwareness
                if !member.may_show(self.show_rate, now.instant) =>
            {
                effects.push(Effect::Refused("presence_rate"));
                effects.push(Effect::Close { session, reason: CloseReason::RateLimited });
            }
            Message::Awareness(mut update) => {
                if let Some(person) = &member.person {
                    presence::sign(&mut update, person);
                }
                let first = !std::mem::replace(&mut member.introduced, true);
                if first {
                    member.is_known_by(update.entries.first().map(|entry| entry.client));
                }
                let left_out = update.left_out;
                effects.extend((0..left_out).map(|_| Effect::Refused("presence_size")));
                let outcome = self.presence.apply(session, update, first, now.instant);
                effects.extend(outcome.probe.into_iter().map(Effect::Probe));
                effects.extend((0..outcome.refused).map(|_| Effect::Refused("presence_limit")));
                // Once, until it shows less: a caret moves many times a second.
                let is_too_much = left_out + outcome.refused > 0;
                let was_told = std::mem::replace(&mut member.told_of_presence, is_too_much);
                if is_too_much && !was_told && member.dialect == Dialect::Hocuspocus {
                    let payload = PRESENCE_TOO_LARGE.into();
                    effects.push(Effect::SendStateless { to: session, payload });
                }
                self.announce(outcome.changed, Some(session), now, effects);
            }
            Message::QueryAwareness => effects.extend(self.tell_presence(session)),
            Message::Echo(bytes) => {
                effects.push(Effect::Send { to: session, message: SyncMessage::Echo(bytes) });
            }
            Message::Unreadable(why) => self.reject(session, Bytes::new(), why, effects),
        }
    }

    /// A session asks what it lacks.
    fn answer(&mut self, session: SessionId, vector: &StateVector, effects: &mut Effects) {
        let Some(member) = self.members.get_mut(&session) else { return };
        match self.replica.tell(vector) {
            Ok(told) => {
                // A Hocuspocus provider that is made to sync again counts until its own step 2 is acknowledged; without a
                // step 1 of ours it would never send one.
                if std::mem::replace(&mut member.answered, true) && member.dialect == Dialect::Hocuspocus {
                    let message = SyncMessage::SyncStep1(self.replica.vector());
                    effects.push(Effect::Send { to: session, message });
                }
                effects.push(Effect::Answer { to: session, told });
            }
            Err(Poisoned(what)) => {
                effects.push(Effect::Close { session, reason: CloseReason::Reset });
                effects.extend(self.report_poisoned(what));
            }
        }
    }

    /// A session of the JSON dialect opens a text of the document.
    pub fn join_text(
        &mut self,
        session: SessionId,
        access: Access,
        (name, person): (EditorName, Option<Person>),
        field: FieldName,
        now: Moment,
    ) -> Effects {
        // What it is told first must hold what was said before it came.
        let mut effects = self.flush(now);
        self.members.insert(session, Member::new(access, Dialect::Json));
        if self.collab.members() == 0 {
            self.collab.know(&self.presence.all().entries);
        }
        let who = Newcomer { session, name, person };
        let joined = self.collab.join(who, field, access.may_write(), &mut self.replica, now.instant);
        self.extend(&mut effects, joined);
        self.introduce(session, now, &mut effects);
        effects
    }

    /// A session of the JSON dialect says something, or what it says was not understood.
    pub fn receive_text(
        &mut self,
        session: SessionId,
        request: Result<Request, EditError>,
        now: Moment,
    ) -> Effects {
        match request {
            Ok(Request::Operation(proposal)) => self.propose(session, proposal, now),
            Ok(Request::Presence(caret)) => {
                let Some(member) = self.members.get_mut(&session) else { return Effects::new() };
                if !member.may_show(self.show_rate, now.instant) {
                    let words = "presence comes too often; show where you are now a little later";
                    return self.collab.refuse(session, &EditError::new("rate_limited", words), now.instant);
                }
                let is_named = caret.name.is_some();
                let mut effects = self.collab.show(session, caret, now.instant);
                if is_named {
                    self.introduce(session, now, &mut effects);
                }
                effects
            }
            Ok(Request::Init) => {
                let mut effects = self.flush(now);
                effects.extend(self.collab.greet_again(session, now.instant));
                effects
            }
            Ok(Request::Ping(ping)) => {
                let said = TextFrame::Answer(json::encode_pong(ping.as_deref()));
                vec![Effect::Tell { to: vec![session], said }]
            }
            Err(refusal) => self.collab.refuse(session, &refusal, now.instant),
        }
    }

    /// Shows a session of the JSON dialect to Yjs clients, in the way they see each other.
    fn introduce(&mut self, session: SessionId, now: Moment, effects: &mut Effects) {
        if let Some(entry) = self.collab.awareness(session, now.instant) {
            let outcome = self.presence.apply(session, vec![entry].into(), true, now.instant);
            self.announce(outcome.changed, Some(session), now, effects);
        }
    }

    /// Everybody hears who came, changed or went, each in the way of its dialect: at once, or as soon as there
    /// is room for it ([`Self::tell_untold_presence`]).
    fn announce(
        &mut self,
        changed: AwarenessUpdate,
        except: Option<SessionId>,
        now: Moment,
        effects: &mut Effects,
    ) {
        effects.extend(self.collab.meet(&changed.entries, now.instant));
        // One message for all of them: the first pays for it.
        let mut hearers = self.replicas();
        let admit = |entry: AwarenessEntry| {
            self.untold.admit(entry.client, entry, std::mem::take(&mut hearers), now.instant)
        };
        let told: Vec<_> = changed.entries.into_iter().filter_map(admit).collect();
        if !told.is_empty() {
            let awareness = AwarenessUpdate::from(told).encode();
            effects.push(Effect::BroadcastAwareness { except, awareness });
        }
    }

    /// Whether somebody has not been told yet who is here.
    pub fn has_untold_presence(&self) -> bool {
        self.untold.is_waiting() || !self.askers.is_empty() || self.collab.has_untold_presence()
    }

    /// Tells what waited because too much was to be told about who is here.
    pub fn tell_untold_presence(&mut self, now: Moment) -> Effects {
        let mut effects = self.collab.tell_untold_presence(now.instant);
        let told = self.untold.all(self.replicas(), now.instant);
        if !told.is_empty() {
            // To those of whom it speaks, too: clients pass over what they know of themselves.
            let awareness = AwarenessUpdate::from(told).encode();
            effects.push(Effect::BroadcastAwareness { except: None, awareness });
        }
        if !self.askers.is_empty() {
            let to = std::mem::take(&mut self.askers).into_iter().collect();
            effects.push(Effect::ShowPresence { to, awareness: self.presence.all().encode() });
        }
        effects
    }

    /// How many sessions hear of presence as awareness.
    fn replicas(&self) -> usize {
        self.members.len().saturating_sub(self.collab.members())
    }

    /// An operation is applied at once, after what came before it.
    fn propose(&mut self, session: SessionId, proposal: Proposal, now: Moment) -> Effects {
        let mut effects = self.flush(now);
        let Some(member) = self.members.get_mut(&session) else { return effects };
        let access = member.access;
        let credit = self.costs.credit(&mut member.purse, proposal.operation.len(), now.instant);
        let (id, base) = (proposal.id.clone(), proposal.revision);
        let inserted = proposal.operation.inserted();
        if self.poisoned {
            let refusal = EditError::new("try_again", "the document is being loaded again").about(id);
            effects.extend(self.collab.refuse(session, &refusal, now.instant));
        } else if !access.may_write() {
            let refusal = EditError::new("read_only", "you may read this document, not change it").about(id);
            effects.extend(self.collab.refuse(session, &refusal, now.instant));
        } else if self.full {
            effects.push(Effect::Refused("journal_full"));
            effects.push(Effect::Close { session, reason: CloseReason::TryAgainLater });
        } else if credit != Credit::Fine {
            let words =
                "changes of this document have taken much longer than usual; send it again a little later";
            let refusal = EditError::new("rate_limited", words).about(id);
            effects.extend(self.collab.refuse(session, &refusal, now.instant));
        } else if inserted > 0 && !self.has_room(inserted, now) {
            let words = "the document is full (max_document_bytes): delete something first";
            let refusal = EditError::new("document_full", words).about(id);
            effects.push(Effect::Refused("document-too-large"));
            effects.extend(self.collab.refuse(session, &refusal, now.instant));
        } else {
            self.size.grew(inserted);
            match self.collab.carry(session, proposal, &mut self.replica, now.instant, &mut effects) {
                Ok(Carried::Edit(operation, name)) => {
                    self.edit(session, Own { session, operation, name, base }, now, &mut effects);
                }
                Ok(Carried::Known(answer)) => effects.push(answer),
                Ok(Carried::Refused(refusal)) => {
                    effects.extend(self.collab.refuse(session, &refusal, now.instant));
                }
                Err(Poisoned(what)) => effects.extend(self.report_poisoned(what)),
            }
        }
        effects
    }

    fn edit(&mut self, session: SessionId, own: Own, now: Moment, effects: &mut Effects) {
        let Some((field, edits)) = self.collab.edits(session, &own.operation) else { return };
        let parts = edits.len();
        if self.replica.takes_long_to_edit(&field, &edits)
            && let Some(text) = self.collab.text(&field).cloned()
        {
            self.editing = Some(Editing { own, field, text, parts });
            return;
        }
        let made = self.replica.edit(&field, &edits);
        let made = made.map(|made| made.map(|made| (made.took, vec![made])));
        self.edited(own, parts, made, now, effects);
    }

    /// What a session of the JSON dialect has said last, if it takes long: to be made where that holds nobody up, with the
    /// replica ([`Self::lend_to_read`]), before anything else is asked of this document.
    pub fn take_editing(&mut self) -> Option<Editing> {
        self.editing.take()
    }

    /// It was made.
    pub fn take_back_edited(
        &mut self,
        editing: Editing,
        made: Result<Option<EditedDear>, Poisoned>,
        now: Moment,
    ) -> Effects {
        let mut effects = Effects::new();
        let made = made.map(|made| made.map(|made| (made.excess, made.pieces)));
        self.edited(editing.own, editing.parts, made, now, &mut effects);
        effects
    }

    fn edited(
        &mut self,
        own: Own,
        parts: usize,
        made: Result<Option<(Duration, Vec<Applied>)>, Poisoned>,
        now: Moment,
        effects: &mut Effects,
    ) {
        let session = own.session;
        let (took, pieces) = match made {
            Ok(Some(made)) => made,
            Ok(None) => {
                let words = "this text is formatted and long, and the operation has too many parts for it: send it in \
                             several, of a few parts each";
                let id = own.name.map(|name| name.id);
                let refusal = EditError::new("too_many_parts", words).about(id);
                return effects.extend(self.collab.refuse(session, &refusal, now.instant));
            }
            Err(Poisoned(what)) => {
                // Nothing of it is in the document that is loaded now, and it is not tried again.
                effects.push(Effect::Close { session, reason: CloseReason::PolicyViolation });
                effects.extend(self.report_poisoned(what));
                return;
            }
        };
        let worth = dear::worth_of(parts, own.operation.inserted());
        self.charge(session, took.saturating_sub(worth), now);
        for Applied { update, before, .. } in pieces {
            self.keep(update, before, Some(session), now, effects);
        }
        let followed = self.collab.follow(&mut self.replica, Some(own), now.instant);
        self.extend(effects, followed);
    }

    /// What a text says that the actor was asked to read, or why it cannot be read.
    pub fn rich_text(&mut self, field: &FieldName, text: Result<String, String>, now: Moment) -> Effects {
        self.collab.read(field, text, now.instant)
    }

    /// What makes up for messages of the JSON dialect that were dropped: everything anew. Ask when nothing
    /// waits to be applied.
    pub fn make_up_text(&mut self, session: SessionId) -> Option<Bytes> {
        match self.collab.greet(session) {
            Some(Effect::Tell { said: TextFrame::Answer(init), .. }) => Some(init),
            _ => None,
        }
    }

    fn extend(&mut self, effects: &mut Effects, more: Result<Effects, Poisoned>) {
        match more {
            Ok(more) => effects.extend(more),
            Err(Poisoned(what)) => effects.extend(self.report_poisoned(what)),
        }
    }

    fn take_in(
        &mut self,
        session: SessionId,
        update: Update,
        is_answer: bool,
        now: Moment,
        effects: &mut Effects,
    ) {
        let Some(member) = self.members.get_mut(&session) else { return };
        let is_compared = is_answer && member.asks_whether_known(&update, self.batch, &self.replica);
        let known = is_compared.then(|| self.replica.contains(&update));
        if update.is_empty() || member.access.may_write() && matches!(known, Some(Ok(true))) {
            // It has nothing to be applied, but it must not be acknowledged before what the same session said before it.
            if member.dialect.is_acknowledged() && member.in_batch == self.batch {
                self.waiting.push(Suspect { session, update, is_answer });
            } else if member.dialect.is_acknowledged() {
                let update = update.bytes().clone();
                effects.push(Effect::Acknowledge { to: session, update, outcome: Outcome::Applied });
            }
        } else if !member.access.may_write() {
            let is_acknowledged = member.dialect.is_acknowledged();
            // A reader's answer to our step 1 repeats what it was told, and above all every deletion.
            let outcome = match known {
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
            let is_request = member.is_request;
            let purse = if is_request { &mut self.requests } else { &mut member.purse };
            match self.costs.credit(purse, dear::parts(&update), now.instant) {
                Credit::Fine => {}
                Credit::Overdrawn if !is_request => {
                    let update = update.bytes().clone();
                    return self.reject(session, update, "too_dear", effects);
                }
                Credit::Later | Credit::Overdrawn => {
                    effects.push(Effect::Refused("document_busy"));
                    effects.push(Effect::Close { session, reason: CloseReason::TryAgainLater });
                    return;
                }
            }
            let in_batch = self.batch;
            member.in_batch = in_batch;
            // What only deletes makes room, and what is known takes none.
            let news = self.replica.news(&update);
            if news > 0 && !self.has_room(news, now) {
                let update = update.bytes().clone();
                return self.reject(session, update, "document-too-large", effects);
            }
            self.size.grew(news);
            self.waiting_bytes += update.bytes().len();
            self.waiting_parts += dear::parts(&update);
            self.waiting_types += update.types();
            self.waiting_large |= dear::is_large(&update)
                || self.replica.deletes_much(&update)
                || self.replica.may_delete_heavy(&update)
                || self.replica.takes_long_to_look(self.waiting_types);
            self.waiting.push(Suspect { session, update, is_answer });
        }
    }

    /// The update that a message brings, if it will be asked whether it is known and the answer takes long
    /// ([`Replica::compare`]).
    pub fn takes_long_to_compare(&self, session: SessionId, message: &Message) -> Option<Update> {
        let (Message::SyncStep2(update), Some(member)) = (message, self.members.get(&session)) else {
            return None;
        };
        let is_long = !self.is_poisoned()
            && self.replica.takes_long_to_compare(update)
            && member.asks_whether_known(update, self.batch, &self.replica);
        is_long.then(|| update.clone())
    }

    /// Whether it will be looked how large a large document is, because a message may not find room in it.
    pub fn takes_long_to_find_room(&self, session: SessionId, message: &Message, now: Moment) -> bool {
        let (Message::SyncStep2(update) | Message::Update(update)) = message else { return false };
        self.members.get(&session).is_some_and(|member| member.access.may_write())
            && self.looks_for_room(self.replica.news(update), now)
    }

    /// The same for what a session of the JSON dialect says.
    pub fn takes_long_to_find_room_for_text(
        &self,
        request: &Result<Request, EditError>,
        now: Moment,
    ) -> bool {
        let Ok(Request::Operation(proposal)) = request else { return false };
        self.looks_for_room(proposal.operation.inserted(), now)
    }

    fn looks_for_room(&self, more: usize, now: Moment) -> bool {
        more > 0
            && self.is_large()
            && !self.is_poisoned()
            && !self.full
            && self.size.looks(more, now.instant)
            && !self.replica.has_difference(&StateVector::default())
    }

    /// Whether what waits will take so long, or might, that it should be applied apart: [`Self::lend`].
    pub fn waits_long(&self) -> bool {
        let is_long = self.waiting_large || !self.costs.is_little(self.waiting_parts);
        let is_in_doubt =
            || self.replica.is_held_in_doubt() || self.is_large() && self.replica.follows_tree();
        !self.poisoned && (is_long || self.has_waiting() && is_in_doubt())
    }

    /// Whether it may be so large that a tree in it is not to be looked at where that holds others up.
    pub fn is_large(&self) -> bool {
        self.size.may_exceed(LARGE)
    }

    /// What was applied took so long; whoever asked for more than that is worth answers for it.
    fn account(&mut self, batch: &[Suspect], took: Duration, now: Moment) {
        let worth: Duration = batch.iter().map(|suspect| dear::worth(&suspect.update)).sum();
        let parts = batch.iter().map(|suspect| dear::parts(&suspect.update)).sum();
        self.account_for(batch, parts, took, took.saturating_sub(worth), now);
    }

    /// The same where it is known how much of it was more, and how many structs and ranges it was for.
    fn account_for(
        &mut self,
        batch: &[Suspect],
        parts: usize,
        took: Duration,
        excess: Duration,
        now: Moment,
    ) {
        if parts > 0 {
            self.costs.learn(parts, took);
        }
        self.share(batch, excess, now);
        // Not before: what made it so was still allowed.
        self.costs.set_as_dear_as_may_be(self.replica.is_as_dear_as_may_be());
    }

    /// Whoever sent these updates answers for so much between them.
    fn share(&mut self, batch: &[Suspect], cost: Duration, now: Moment) {
        if cost.is_zero() {
            return;
        }
        let parts: usize = batch.iter().map(|suspect| dear::parts(&suspect.update)).sum();
        for suspect in batch {
            let share = dear::parts(&suspect.update) as f64 / parts.max(1) as f64;
            self.charge(suspect.session, cost.mul_f64(share), now);
        }
    }

    fn charge(&mut self, session: SessionId, excess: Duration, now: Moment) {
        if let Some(member) = self.members.get_mut(&session) {
            let purse = if member.is_request { &mut self.requests } else { &mut member.purse };
            self.costs.charge(purse, excess, now.instant);
        }
    }

    /// Hands out the replica together with what waits, to be applied where it holds nobody else up. Until both are back
    /// ([`Self::take_back`]) nothing else may be asked of this document.
    pub fn lend(&mut self) -> Option<(Replica, Vec<Suspect>)> {
        if self.waiting.is_empty() || self.poisoned {
            return None;
        }
        Some((std::mem::replace(&mut self.replica, Replica::away()), self.take_waiting()))
    }

    /// Hands out the replica to be read where it holds nobody else up; nothing else may be asked of this document until it is
    /// back ([`Self::take_back_read`]).
    pub fn lend_to_read(&mut self) -> Option<Replica> {
        (!self.is_poisoned()).then(|| std::mem::replace(&mut self.replica, Replica::away()))
    }

    /// It was read.
    pub fn take_back_read(&mut self, replica: Replica) {
        self.replica = replica;
    }

    /// The replica is back, with what became of each update up to the one at which it panicked, if it did.
    pub fn take_back(
        &mut self,
        replica: Replica,
        batch: Vec<Suspect>,
        applied: Vec<AppliedDear>,
        panicked: Option<Poisoned>,
        now: Moment,
    ) -> Effects {
        self.replica = replica;
        let mut effects = Effects::new();
        let mut asked = SmallVec::new();
        let done = applied.len();
        let mut changed = false;
        for (suspect, applied) in batch.iter().zip(applied) {
            let AppliedDear { pieces, verdict, parts, took, excess } = applied;
            self.account_for(std::slice::from_ref(suspect), parts, took, excess, now);
            for Applied { update, before, .. } in pieces {
                changed |= update.is_some();
                self.keep(update, before, Some(suspect.session), now, &mut effects);
            }
            self.judge(suspect, verdict, &mut asked, &mut effects);
        }
        if let Some(Poisoned(what)) = panicked {
            self.poisoned = true;
            effects.push(Effect::Poisoned { what, suspects: batch[done..].to_vec() });
        } else if changed || self.replica.was_taken_over_ahead() {
            // That answer holds until something changes.
            self.after_change(&batch, now, &mut effects);
        }
        effects
    }

    /// What others' changes bring with them: texts that somebody follows, and texts of earlier versions.
    fn after_change(&mut self, batch: &[Suspect], now: Moment, effects: &mut Effects) {
        /// Somebody at a page of an earlier version types a few times a second, and has the whole text looked at each time.
        const A_LOOK: Duration = Duration::from_millis(20);
        effects.extend(self.take_over(LARGE, now));
        let took = self.replica.taking_over_took();
        self.share(batch, took.saturating_sub(A_LOOK), now);
        if self.poisoned {
            return;
        }
        if !self.collab.is_idle() {
            let followed = self.collab.follow(&mut self.replica, None, now.instant);
            self.extend(effects, followed);
        }
    }

    /// A change that was applied is told to everybody else, and kept.
    fn keep(
        &self,
        update: Option<Bytes>,
        before: SmallVec<[(ClientId, u32); 2]>,
        author: Option<SessionId>,
        now: Moment,
        effects: &mut Effects,
    ) {
        if let Some(update) = update {
            let before = Arc::new(before);
            effects.push(Effect::BroadcastUpdate { except: author, update: update.clone(), before });
            effects.push(Effect::Store(LoggedUpdate { bytes: update, origin: author, at: now.wall }));
        }
    }

    /// Takes over a text of earlier versions, if it is one and has no more than `most` bytes ([`Replica::take_over`]).
    pub fn take_over(&mut self, most: usize, now: Moment) -> Effects {
        match self.replica.take_over(most) {
            Ok(Some(taken)) => self.taken_over(taken, now),
            Ok(None) => Effects::new(),
            Err(Poisoned(what)) => {
                // Whatever it was, it would come again with every change.
                self.leaves_tree = true;
                self.report_poisoned(what).into_iter().collect()
            }
        }
    }

    /// A text of earlier versions was taken over, or what was written there ([`Replica::take_over`]).
    pub fn taken_over(&mut self, taken: Applied, now: Moment) -> Effects {
        let mut effects = Effects::new();
        self.size.grew(taken.update.as_ref().map_or(0, Bytes::len));
        self.keep(taken.update, taken.before, None, now, &mut effects);
        effects
    }

    /// Nobody has the document open: words of tables that are gone for good are cleared away.
    pub fn tidy(&mut self, now: Moment) -> Effects {
        let mut effects = Effects::new();
        if self.stays_untidy {
            return effects;
        }
        match self.replica.clear_dead_cells() {
            Ok(Some(Applied { update, before, .. })) => self.keep(update, before, None, now, &mut effects),
            Ok(None) => {}
            Err(Poisoned(what)) => {
                self.stays_untidy = true;
                effects.extend(self.report_poisoned(what));
            }
        }
        effects
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
    pub fn flush(&mut self, now: Moment) -> Effects {
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

    fn apply(&mut self, batch: &[Suspect], now: Moment) -> Effects {
        let updates: Vec<&Update> = batch.iter().map(|suspect| &suspect.update).collect();
        let applied = match self.replica.apply(&updates) {
            Ok(applied) => applied,
            Err(Poisoned(what)) => {
                self.poisoned = true;
                return vec![Effect::Poisoned { what, suspects: batch.to_vec() }];
            }
        };
        self.account(batch, applied.took, now);
        let author = only_author(batch);
        let mut effects = Effects::new();
        let changed = applied.update.is_some();
        self.keep(applied.update, applied.before, author, now, &mut effects);
        let mut asked = SmallVec::new();
        for (suspect, verdict) in batch.iter().zip(&applied.verdicts) {
            self.judge(suspect, *verdict, &mut asked, &mut effects);
        }
        if changed {
            self.after_change(batch, now, &mut effects);
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
                    let message = SyncMessage::SyncStep1(self.replica.vector());
                    effects.push(Effect::Send { to, message });
                }
                Outcome::Incomplete
            }
            Verdict::Malformed => return self.reject_update(suspect, "malformed_update", effects),
            Verdict::TooDear => return self.reject_update(suspect, "too_dear", effects),
            Verdict::DocumentTooDear => return self.reject_update(suspect, "document_too_dear", effects),
        };
        if self.is_acknowledged(suspect) {
            let update = suspect.update.bytes().clone();
            effects.push(Effect::Acknowledge { to, update, outcome });
        }
    }

    fn reject_update(&self, suspect: &Suspect, why: &'static str, effects: &mut Effects) {
        self.reject(suspect.session, suspect.update.bytes().clone(), why, effects);
    }

    /// An update is not taken and never will be. Its author hears so after what it said before, and is then sent
    /// away with the reason: whatever its replica adds would build upon what is missing here.
    fn reject(&self, to: SessionId, update: Bytes, why: &'static str, effects: &mut Effects) {
        effects.push(Effect::Refused(why));
        effects.push(Effect::Acknowledge { to, update, outcome: Outcome::Rejected(why) });
    }

    /// From now on a session may do this, and is theirs.
    pub fn renew(&mut self, session: SessionId, access: Access, person: Option<Person>) {
        if let Some(member) = self.members.get_mut(&session) {
            (member.access, member.person) = (access, person.map(Box::new));
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
    pub fn leave(&mut self, session: SessionId, clean: bool, now: Moment) -> Effects {
        if self.members.remove(&session).is_none() {
            return Effects::new();
        }
        self.askers.remove(&session);
        // One who edits by operations comes back under another client id, so there is nothing to wait for.
        let clean = clean || self.collab.is_member(session);
        let changed = self.presence.leave(session, clean, now.instant);
        let mut effects = self.collab.leave(session, now.instant);
        self.announce(changed, None, now, &mut effects);
        effects
    }

    /// Lets presence expire, and what is kept of texts that nobody has open.
    pub fn tick(&mut self, now: Moment) -> Effects {
        let changed = self.presence.tick(now.instant);
        let mut effects = self.collab.tick(&mut self.replica, now.instant);
        self.announce(changed, None, now, &mut effects);
        for session in self.collab.unrenewed(now.instant) {
            self.introduce(session, now, &mut effects);
        }
        effects
    }

    /// Some of those who are here, as they show themselves.
    pub fn people(&self) -> Vec<Shown> {
        /// More are not drawn anywhere; that there are more is known from the number of sessions.
        const MOST: usize = 5;
        self.presence.shown(MOST)
    }

    /// Whether [`Self::tick`] has anything to watch.
    pub fn needs_ticks(&self) -> bool {
        !self.presence.is_empty() || !self.collab.is_idle()
    }

    /// What makes up for dropped frames: one difference for `lag`, and everybody's presence.
    pub fn make_up(
        &mut self,
        lag: Option<&Lag>,
        presence: bool,
    ) -> Result<(Option<Told>, Option<SyncMessage>), Poisoned> {
        let changes = match lag {
            Some(lag) => Some(self.replica.tell(&self.replica.vector_before(lag))?),
            None => None,
        };
        let presence = (presence || lag.is_some()).then(|| self.presence.all_and_gone());
        let presence = presence.filter(|presence| !presence.entries.is_empty());
        Ok((changes, presence.map(|presence| SyncMessage::Awareness(presence.encode()))))
    }

    /// Takes the freshly loaded replica in place of a poisoned one. Sessions and presence stay.
    pub fn replace_replica(&mut self, replica: Replica, now: Moment) -> Effects {
        self.replica = replica;
        if self.leaves_tree {
            self.replica.leave_tree();
        }
        self.costs.set_as_dear_as_may_be(self.replica.is_as_dear_as_may_be());
        self.poisoned = false;
        let mut effects = Effects::new();
        let resumed = self.collab.resume(&mut self.replica, now.instant);
        self.extend(&mut effects, resumed);
        effects
    }

    /// Begins anew with nothing in it: the document was deleted, or is made again. Texts that were open are
    /// forgotten, so that nothing of the old content comes back with an operation made to it.
    /// What was in it is given back: to free it may take long.
    pub fn begin_anew(&mut self) -> Replica {
        let new = Replica::new(self.replica.deleted());
        let old = std::mem::replace(&mut self.replica, new);
        self.costs.set_as_dear_as_may_be(false);
        self.size.set(0);
        self.poisoned = false;
        (self.stays_untidy, self.leaves_tree) = (false, false);
        self.collab = Collab::new(collab::Config::default());
        old
    }

    /// Tries one suspect alone, whatever else waits: if it poisons the replica, it is the culprit.
    pub fn retry(&mut self, suspect: Suspect, now: Moment) -> Effects {
        if !dear::is_large(&suspect.update) {
            return self.apply(&[suspect], now);
        }
        let mut replica = std::mem::replace(&mut self.replica, Replica::away());
        let (applied, panicked) = match replica.apply_dear(&suspect.update) {
            Ok(applied) => (vec![applied], None),
            Err(poisoned) => (Vec::new(), Some(poisoned)),
        };
        self.take_back(replica, vec![suspect], applied, panicked, now)
    }

    /// Whether the replica panicked and has not been replaced yet.
    pub fn is_poisoned(&self) -> bool {
        self.poisoned || !self.replica.is_usable()
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

    /// Tells a session who is here. Where they are many, it is encoded once for all who come or ask within a moment.
    fn tell_presence(&mut self, to: SessionId) -> Option<Effect> {
        /// To encode so many takes some microseconds.
        const FEW: usize = 64;
        if self.presence.len() > FEW {
            self.askers.insert(to);
            return None;
        }
        Some(Effect::Send { to, message: SyncMessage::Awareness(self.presence.all().encode()) })
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
        self.waiting_parts = 0;
        self.waiting_types = 0;
        self.waiting_large = false;
        std::mem::take(&mut self.waiting)
    }
}

fn only_author(batch: &[Suspect]) -> Option<SessionId> {
    let first = batch.first()?.session;
    batch.iter().all(|suspect| suspect.session == first).then_some(first)
}

#[cfg(test)]
mod tests;
