//! Those who edit a document by text operations: which text each has open, what they hear of it, and what
//! becomes of what they send.
//!
//! A text that somebody has open is *followed*: every change of it, whoever made it, becomes one operation in
//! its [`TextHistory`] and is told to everybody else who has it open, in order. The history outlives the last of
//! them for a while, so that one who comes back can send again what it does not know the fate of.
//!
//! Three kinds of roots can be opened. *Plain* text is read and edited, a text of ours among it, in which objects are
//! characters ([`text::stand_in`]). *Rich* text (XML, as editors like
//! Tiptap keep it) shows its characters, a line per block; reading it takes a copy and a thread, so it is read
//! at intervals by the actor ([`Effect::ReadRich`]), and it cannot be edited by characters. Anything else is
//! *opaque*: what characters it has are shown.
//!
//! Pure: the replica is asked, effects are returned. The replica is changed in `state.rs` alone.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use self::company::Seen;
use super::{
    effect::{Effect, Effects, Outcome, TextFrame},
    pace::{self, Paced},
    plain_text::{Delta, Edit, PlainText},
    rate::{Bucket, Rate},
    replica::{Poisoned, Replica},
    text,
    text_history::{self, Author, Found, OperationName, Stale, TextHistory},
};
use crate::{
    auth::Person,
    ids::SessionId,
    protocol::{
        close::CloseReason,
        guard::Shape,
        json::{
            self, Caret, EditError, Editor, EditorName, FieldName, Init, Listed, Proposal, ServerMessage,
            Whose,
        },
        message::{AwarenessEntry, ClientId, Shown},
        text_operation::TextOperation,
        wire::MAX_UINT,
    },
};

/// How patient we are with those who edit by operations.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// What is kept of each text that somebody has open.
    pub history: text_history::HistoryLimits,
    /// How long it is kept after the last of them left. A client that comes back within this time can send an
    /// operation again without its being applied twice; later it is told that the epoch is another.
    pub linger: Duration,
    /// How often a rich text is read at most: each time costs as much as one more joiner.
    pub rich_pause: Duration,
    /// Texts of one document that are followed at the same time. Each may keep a history, and costs a look
    /// with every change.
    pub fields: usize,
    /// How often Yjs clients hear of those who edit by operations. They take somebody for gone of whom they
    /// have not heard for 30 s.
    pub renewal: Duration,
    /// Others of whom a session is told in its `init`; how many there are it is told besides. Of more than that,
    /// a crowd, those who show nothing of themselves are only counted.
    pub editors: usize,
    /// After how long at the latest a crowd is told how many it is.
    pub count: Duration,
    /// Bytes of text that a session may ask for again.
    pub init: Rate,
    /// Refusals in a row that a session is forgiven, before it is closed with 1008.
    pub patience: u32,
    /// In which time one refusal is forgotten.
    pub forgets: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            history: text_history::HistoryLimits::default(),
            linger: Duration::from_secs(60),
            rich_pause: Duration::from_millis(250),
            fields: 64,
            renewal: Duration::from_secs(15),
            editors: 200,
            count: Duration::from_secs(1),
            init: Rate { burst: 8e6, per_second: 1e6 },
            patience: 20,
            forgets: Duration::from_secs(1),
        }
    }
}

/// Those who edit a document by operations.
#[derive(Debug)]
pub struct Collab {
    config: Config,
    fields: HashMap<FieldName, Field>,
    members: HashMap<SessionId, Member>,
    /// The Yjs clients that are here, as the members see them; kept while there are members.
    people: BTreeMap<ClientId, Editor>,
    /// Comings, goings and movements that have not been told yet.
    untold: Paced<Whose, Seen>,
}

/// A session that edits by operations.
/// Who opens a text.
#[derive(Debug)]
pub struct Newcomer {
    /// The session.
    pub session: SessionId,
    /// Under which name it edits.
    pub name: EditorName,
    /// Whose it is, if that is known.
    pub person: Option<Person>,
}

#[derive(Debug)]
struct Member {
    field: FieldName,
    editor: Editor,
    name: EditorName,
    /// What the others are shown of its name is known, and not its own to say.
    is_named: bool,
    /// As whom Yjs clients see it, and when they were last told.
    client: ClientId,
    clock: u32,
    shown: Instant,
    may_write: bool,
    /// The others have been told of it, each by itself; otherwise it was only counted.
    known: bool,
    /// The revision of its last `init`, if it has had one.
    greeted: Option<u64>,
    /// What is left of how often it may ask for everything.
    inits: Option<Bucket>,
    /// Refusals that are not forgotten, as of the last one.
    strikes: u32,
    struck: Instant,
}

/// A text that is followed.
#[derive(Debug)]
struct Field {
    /// Who has it open, those who came first before others.
    inside: BTreeSet<SessionId>,
    /// Since when there is somebody who came or went of whom nobody was told: they will be told how many they are.
    counted: Option<Instant>,
    /// What every newcomer to a crowd is told of the others, encoded, as long as it is so.
    listed: Option<Arc<Listed>>,
    history: TextHistory,
    text: PlainText,
    kind: Kind,
    /// Others have changed the document since its outline was last looked at.
    stale: bool,
    /// When the last of those who had it open left.
    left: Option<Instant>,
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    Opaque,
    Rich(Reading),
}

/// Where the reading of a rich text stands.
#[derive(Debug, Default, PartialEq, Eq)]
struct Reading {
    /// It has been read once.
    done: bool,
    /// It is being read.
    under_way: bool,
    /// It has changed since the last reading began.
    due: bool,
    /// When the last reading began.
    began: Option<Instant>,
}

/// What an operation comes to.
#[derive(Debug)]
pub enum Carried {
    /// It is to be applied: this operation, which the history will know by this name.
    Edit(TextOperation, Option<OperationName>),
    /// It was applied before. The answer waits for durability all the same.
    Known(Effect),
    /// It cannot be applied.
    Refused(EditError),
}

/// A change that an editor made, for [`Collab::follow`].
#[derive(Debug)]
pub struct Own {
    /// Whose.
    pub session: SessionId,
    /// The change, as it was applied.
    pub operation: TextOperation,
    /// How the editor calls it.
    pub name: Option<OperationName>,
    /// The revision it was made to.
    pub base: u64,
}

impl Collab {
    /// Nobody is here.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            fields: HashMap::new(),
            members: HashMap::new(),
            people: BTreeMap::new(),
            untold: Paced::new(pace::PACE),
        }
    }

    /// Whether no text is followed.
    pub fn is_idle(&self) -> bool {
        self.fields.is_empty()
    }

    /// A session opens the text at a root. It hears everything about it, at once or, if it is rich, as soon
    /// as it has been read; the others hear of the session.
    pub fn join(
        &mut self,
        Newcomer { session, name, person }: Newcomer,
        field: FieldName,
        may_write: bool,
        replica: &mut Replica,
        now: Instant,
    ) -> Result<Effects, Poisoned> {
        let mut effects = Effects::new();
        if !self.fields.contains_key(&field) {
            if !self.make_room(replica) {
                return Ok(vec![
                    Effect::Refused("too_many_fields"),
                    Effect::Close { session, reason: CloseReason::TryAgainLater },
                ]);
            }
            let opened = Field::open(&field, session, self.config.history, replica)?;
            self.fields.insert(field.clone(), opened);
        }
        let caret = Caret { name: person.as_ref().map(|person| (*person.name).into()), ..Caret::default() };
        let editor = Editor { session: Whose::Session(session), editor: Some(name.clone()), caret };
        let member = Member {
            field: field.clone(),
            editor,
            name,
            is_named: person.is_some(),
            // The random end of the session's id, as long as JavaScript counts.
            client: ClientId::new(session.0.as_u128() as u64 & MAX_UINT),
            clock: 0,
            shown: now,
            may_write,
            known: false,
            greeted: None,
            inits: None,
            strikes: 0,
            struck: now,
        };
        self.members.insert(session, member);
        if let Some(opened) = self.fields.get_mut(&field) {
            opened.left = None;
            opened.inside.insert(session);
            if opened.is_unread() {
                effects.extend(opened.read(&field, self.config.rich_pause, now));
            } else {
                effects.extend(self.greet(session));
            }
        }
        effects.extend(self.came(session, now));
        Ok(effects)
    }

    /// A session is gone. The others hear of it.
    pub fn leave(&mut self, session: SessionId, now: Instant) -> Effects {
        let Some(member) = self.members.remove(&session) else { return Effects::new() };
        if let Some(field) = self.fields.get_mut(&member.field) {
            field.inside.remove(&session);
            if field.inside.is_empty() {
                field.left = Some(now);
            }
        }
        self.went(session, member, now)
    }

    /// Everything again, for a session that asks for it; not too often.
    pub fn greet_again(&mut self, session: SessionId, now: Instant) -> Effects {
        /// What an answer costs besides the text: who is here.
        const BESIDES: usize = 4096;
        let Some(member) = self.members.get_mut(&session) else { return Effects::new() };
        let rate = self.config.init;
        let bytes = self.fields.get(&member.field).map_or(0, |field| field.text.characters.len()) + BESIDES;
        if !member.inits.get_or_insert_with(|| Bucket::new(rate, now)).take_many(bytes as f64, now) {
            let words = "init is asked for too often; ask again a little later";
            return self.refuse(session, &EditError::new("rate_limited", words), now);
        }
        self.greet(session).into_iter().collect()
    }

    /// Everything, for a session that begins anew: it asked, or could not keep up.
    pub fn greet(&mut self, session: SessionId) -> Option<Effect> {
        let name = self.members.get(&session)?.field.clone();
        if self.fields.get(&name)?.is_unread() {
            return None;
        }
        let others = self.others(&name, session);
        let member = self.members.get_mut(&session)?;
        let field = self.fields.get_mut(&name)?;
        let inside = field.inside.len() + self.people.len();
        let line = json::encode(&ServerMessage::Init(Init {
            field: &member.field,
            session,
            editor: &member.name,
            epoch: field.history.epoch(),
            revision: field.history.revision(),
            content: &field.text.characters,
            read_only: !member.may_write || field.kind != Kind::Plain,
            editors: &others,
            inside,
        }));
        member.greeted = Some(field.history.revision());
        Some(Effect::Tell { to: vec![session], said: TextFrame::Answer(line) })
    }

    /// A session shows something of itself.
    pub fn show(&mut self, session: SessionId, caret: Caret, now: Instant) -> Effects {
        let mut effects = Effects::new();
        if let Some(member) = self.members.get_mut(&session) {
            let length = self.fields.get(&member.field).map_or(0, |field| field.history.length());
            let within = |position: usize| position.min(length);
            member.editor.caret = Caret {
                // A name once said holds until another is.
                name: caret.name.filter(|_| !member.is_named).or_else(|| member.editor.caret.name.take()),
                cursor: caret.cursor.map(within),
                anchor: caret.anchor.map(within),
            };
            effects.extend(self.announce(session, now));
        }
        effects
    }

    /// The awareness by which Yjs clients see a session: what it shows now, at a clock that is news to them.
    pub fn awareness(&mut self, session: SessionId, now: Instant) -> Option<AwarenessEntry> {
        let member = self.members.get_mut(&session)?;
        member.clock = member.clock.saturating_add(1);
        member.shown = now;
        let state = Some(json::awareness_state(&member.editor));
        Some(AwarenessEntry { client: member.client, clock: member.clock, state })
    }

    /// Those of whom Yjs clients must hear again, or take them for gone.
    pub fn unrenewed(&self, now: Instant) -> Vec<SessionId> {
        let is_due = |member: &Member| now.saturating_duration_since(member.shown) >= self.config.renewal;
        self.members.iter().filter(|(_, member)| is_due(member)).map(|(session, _)| *session).collect()
    }

    /// How many sessions edit by operations.
    pub fn members(&self) -> usize {
        self.members.len()
    }

    /// Whether a session edits by operations.
    pub fn is_member(&self, session: SessionId) -> bool {
        self.members.contains_key(&session)
    }

    /// Who is here with a replica, before the first who edits by operations comes.
    pub fn know(&mut self, entries: &[AwarenessEntry]) {
        let people = entries.iter().filter_map(|entry| Some((entry.client, entry.state.as_ref()?)));
        let people = people.filter(|(_, state)| !json::is_ours(state));
        self.people = people.map(|(client, state)| (client, person(client, state))).collect();
    }

    /// Yjs clients came, changed what they show, or went: those who edit by operations hear of it if it is
    /// their being here or their name.
    pub fn meet(&mut self, entries: &[AwarenessEntry], now: Instant) -> Effects {
        let mut effects = Effects::new();
        if self.members.is_empty() {
            self.people.clear();
            return effects;
        }
        for entry in entries {
            let seen = match &entry.state {
                Some(state) if json::is_ours(state) => continue,
                Some(state) => {
                    let editor = person(entry.client, state);
                    if self.people.insert(entry.client, editor.clone()).as_ref() == Some(&editor) {
                        continue;
                    }
                    Seen::Here
                }
                None => match self.people.remove(&entry.client) {
                    Some(editor) => Seen::Gone(editor, None),
                    None => continue,
                },
            };
            effects.extend(self.tell(Whose::Client(entry.client), seen, now));
        }
        effects
    }

    /// Tells a session that something was not done; and closes it, if that happens too often.
    pub fn refuse(&mut self, session: SessionId, refusal: &EditError, now: Instant) -> Effects {
        let Some(member) = self.members.get_mut(&session) else { return Effects::new() };
        let forgets = self.config.forgets.max(Duration::from_millis(1));
        let passed = now.saturating_duration_since(member.struck).as_millis() / forgets.as_millis();
        member.strikes = member.strikes.saturating_sub(u32::try_from(passed).unwrap_or(u32::MAX)) + 1;
        member.struck = now;
        let EditError { code, message, id } = refusal;
        let line = json::encode(&ServerMessage::Error { code, message, id: id.as_deref() });
        let mut effects =
            vec![Effect::Refused(code), Effect::Tell { to: vec![session], said: TextFrame::Answer(line) }];
        if member.strikes > self.config.patience {
            effects.push(Effect::Close { session, reason: CloseReason::PolicyViolation });
        }
        effects
    }

    /// What an operation comes to in the present text.
    pub fn carry(
        &mut self,
        session: SessionId,
        proposal: Proposal,
        replica: &mut Replica,
        now: Instant,
        effects: &mut Effects,
    ) -> Result<Carried, Poisoned> {
        let Proposal { revision, operation, id, epoch } = proposal;
        let refused =
            |code, message: String, id| Ok(Carried::Refused(EditError::new(code, message).about(id)));
        let not_joined = "this session has no text open";
        let Some(member) = self.members.get(&session) else {
            return refused("not_joined", not_joined.to_owned(), id);
        };
        let (name, editor) = (member.field.clone(), member.name.clone());
        let Some(field) = self.fields.get_mut(&name) else {
            return refused("not_joined", not_joined.to_owned(), id);
        };
        if epoch.is_some_and(|epoch| epoch != field.history.epoch()) {
            let message = "the revision is of another epoch: the text has been put away meanwhile; compare it with \
                           the content of the last init before sending this again";
            return refused("other_epoch", message.to_owned(), id);
        }
        let named = id.clone().map(|id| OperationName::new(id, revision, &operation));
        match named.as_ref().and_then(|named| field.history.find(&editor, named)) {
            Some(Found::Same(revision)) => {
                return Ok(Carried::Known(field.acknowledge(session, id.as_deref(), revision)));
            }
            Some(Found::Other(revision)) => {
                let message = format!(
                    "nothing was changed: {editor} has sent another operation under this id, which made \
                     revision {revision}; give every operation an id of its own, such as a UUID"
                );
                return refused("repeated_id", message, id);
            }
            None => {}
        }
        // A root in which nothing is left may have been XML all the time, or have become it.
        if field.kind == Kind::Plain && field.text.characters.is_empty() && field.stale {
            let is_text = matches!(replica.shape(&name)?, None | Some(Shape::Text));
            field.stale = false;
            if !is_text {
                effects.extend(self.turn(&name, replica, now)?);
            }
        }
        let Some(field) = self.fields.get(&name) else {
            return refused("not_joined", not_joined.to_owned(), id);
        };
        if field.kind != Kind::Plain {
            let message = format!(
                "{name} is not plain text (XML of a rich text editor, a map or an array): it can be \
                                   read here, and written by Yjs clients"
            );
            return refused("read_only", message, id);
        }
        match field.history.carry(revision, operation) {
            Ok(carried) if carried.target_length() > crate::protocol::text_operation::MAX_LENGTH => {
                refused("too_long", "the text would become too long".to_owned(), id)
            }
            Ok(carried) => Ok(Carried::Edit(carried, named)),
            Err(stale) => {
                let code = match stale {
                    Stale::Future { .. } => "future_revision",
                    Stale::Lost { .. } => "lost_revision",
                    Stale::Length { .. } => "length_mismatch",
                };
                refused(code, stale.to_string(), id)
            }
        }
    }

    /// The edits of the replica that `operation` means, and of which root.
    pub fn edits<'a>(
        &self,
        session: SessionId,
        operation: &'a TextOperation,
    ) -> Option<(FieldName, Vec<Edit<'a>>)> {
        let name = self.members.get(&session)?.field.clone();
        let edits = self.fields.get(&name)?.text.edits(operation);
        Some((name, edits))
    }

    /// What a text that is open says.
    pub fn text(&self, name: &FieldName) -> Option<&PlainText> {
        self.fields.get(name).map(|field| &field.text)
    }

    /// The replica has changed: what that means for the texts that are open. `own` is the operation that
    /// changed it, if one did; its author is not told what it said, but acknowledged.
    pub fn follow(
        &mut self,
        replica: &mut Replica,
        own: Option<Own>,
        now: Instant,
    ) -> Result<Effects, Poisoned> {
        let mut effects = Effects::new();
        let is_own = own.is_some();
        let mut own = own;
        for (name, delta) in replica.take_heard() {
            let Some(field) = self.fields.get(&name) else { continue };
            let was_plain = field.kind == Kind::Plain;
            let found = replica.root_text(&name)?;
            let author =
                own.take_if(|own| self.members.get(&own.session).is_some_and(|member| member.field == name));
            effects.extend(self.advance(&name, found.text, delta.as_deref(), author));
            if was_plain && !found.is_plain {
                effects.extend(self.turn(&name, replica, now)?);
            }
        }
        if let Some(own) = own
            && let Some(name) = self.members.get(&own.session).map(|member| member.field.clone())
            && let Some(text) = self.fields.get(&name).map(|field| field.text.clone())
        {
            // Nothing of it was left to be done.
            effects.extend(self.advance(&name, text, None, Some(own)));
            return Ok(effects);
        }
        let pause = self.config.rich_pause;
        for (name, field) in &mut self.fields {
            field.stale |= !is_own;
            effects.extend(field.read(name, pause, now));
        }
        Ok(effects)
    }

    /// A rich text has been read.
    pub fn read(&mut self, name: &FieldName, text: Result<String, String>, now: Instant) -> Effects {
        let mut effects = Effects::new();
        let Some(field) = self.fields.get_mut(name) else { return effects };
        let Kind::Rich(reading) = &mut field.kind else { return effects };
        reading.under_way = false;
        let is_first = !std::mem::replace(&mut reading.done, true);
        match text {
            Ok(characters) => {
                let text = PlainText { characters, objects: Vec::new() };
                effects.extend(self.advance(name, text, None, None));
            }
            Err(what) => {
                let refusal = EditError::new("unreadable", format!("{name} cannot be read as text: {what}"));
                for session in self.sessions(name) {
                    effects.extend(self.refuse(session, &refusal, now));
                }
            }
        }
        if is_first {
            for session in self.sessions(name) {
                effects.extend(self.greet(session));
            }
        }
        effects
    }

    /// The document was loaded again, after a panic: the texts may not be what they were.
    pub fn resume(&mut self, replica: &mut Replica, now: Instant) -> Result<Effects, Poisoned> {
        let mut effects = Effects::new();
        let names: Vec<_> = self.fields.keys().cloned().collect();
        for name in names {
            let Some(field) = self.fields.get_mut(&name) else { continue };
            if let Kind::Rich(reading) = &mut field.kind {
                (reading.under_way, reading.due) = (false, true);
                continue;
            }
            replica.watch(&name)?;
            let found = replica.root_text(&name)?;
            effects.extend(self.advance(&name, found.text, None, None));
        }
        effects.extend(self.follow(replica, None, now)?);
        Ok(effects)
    }

    /// Forgets texts that nobody has come back to, and reads rich ones that have changed.
    pub fn tick(&mut self, replica: &mut Replica, now: Instant) -> Effects {
        let mut effects = Effects::new();
        let Config { linger, rich_pause, .. } = self.config;
        self.fields.retain(|name, field| {
            let over = field.left.is_some_and(|left| now.saturating_duration_since(left) >= linger);
            if over {
                // A poisoned replica is replaced by one that watches nothing.
                let _ = replica.unwatch(name);
            } else {
                effects.extend(field.read_if_due(name, rich_pause, now));
            }
            !over
        });
        effects
    }

    /// Whether one more text can be followed. One that nobody has open gives way, the one first left before
    /// others.
    fn make_room(&mut self, replica: &mut Replica) -> bool {
        if self.fields.len() < self.config.fields {
            return true;
        }
        let left = self.fields.iter().filter_map(|(name, field)| Some((field.left?, name.clone())));
        let Some((_, name)) = left.min_by_key(|(left, _)| *left) else { return false };
        let _ = replica.unwatch(&name);
        self.fields.remove(&name);
        true
    }

    /// The text at `name` is `new` now. Everybody who has it open hears how it came about.
    fn advance(
        &mut self,
        name: &FieldName,
        new: PlainText,
        delta: Option<&[Delta]>,
        own: Option<Own>,
    ) -> Effects {
        let mut effects = Effects::new();
        let Some(field) = self.fields.get_mut(name) else { return effects };
        let exact = own.as_ref().map(|own| &own.operation);
        let exact = exact.filter(|it| it.leads(&field.text.characters, &new.characters));
        let is_exact = exact.is_some();
        let operation = match exact {
            Some(operation) => operation.clone(),
            None if own.is_none() && new.characters == field.text.characters => {
                // Formatting, or an object.
                field.text = new;
                return effects;
            }
            None => field.text.operation_to(&new, delta),
        };
        field.text = new;
        // The carets move.
        field.listed = None;
        let operation = Arc::new(operation);
        let editor = own.as_ref().and_then(|own| self.members.get(&own.session));
        let editor = editor.map(|member| member.name.clone());
        let author = editor.clone().zip(own.as_ref());
        let author = author.map(|(editor, own)| Author { editor, name: own.name.clone() });
        let revision = field.history.record(operation.clone(), author);
        let mut to = Vec::new();
        for (session, member) in self.members.iter_mut().filter(|(_, member)| member.field == *name) {
            let Caret { cursor, anchor, .. } = &mut member.editor.caret;
            for position in [cursor, anchor].into_iter().flatten() {
                *position = operation.carry(*position);
            }
            // The author knows what its operation has become, unless it has begun anew since it made it.
            let knows =
                |greeted| own.as_ref().is_some_and(|own| own.session == *session && own.base >= greeted);
            if member.greeted.is_some_and(|greeted| !knows(greeted)) {
                to.push(*session);
            }
        }
        if !to.is_empty() {
            let epoch = field.history.epoch();
            let answer =
                ServerMessage::Operation { epoch, revision, operation: &operation, editor: editor.as_ref() };
            effects.push(Effect::Tell { to, said: TextFrame::Change(json::encode(&answer)) });
        }
        if let Some(own) = own {
            let id = own.name.as_ref().map(|name| &*name.id);
            effects.push(field.acknowledge(own.session, id, revision));
            if !is_exact {
                // It cannot know what has become of its operation.
                effects.extend(self.greet(own.session));
            }
        }
        effects
    }

    /// A text is no longer plain: from here on it can only be read, and everybody is told.
    fn turn(&mut self, name: &FieldName, replica: &mut Replica, now: Instant) -> Result<Effects, Poisoned> {
        let mut effects = Effects::new();
        let Some(field) = self.fields.get_mut(name) else { return Ok(effects) };
        if replica.shape(name)? == Some(Shape::Xml) {
            replica.unwatch(name)?;
            field.kind = Kind::Rich(Reading::default());
            effects.extend(field.read(name, self.config.rich_pause, now));
        } else {
            field.kind = Kind::Opaque;
            for session in self.sessions(name) {
                effects.extend(self.greet(session));
            }
        }
        Ok(effects)
    }

    fn sessions(&self, name: &FieldName) -> Vec<SessionId> {
        self.fields.get(name).map_or_else(Vec::new, |field| field.inside.iter().copied().collect())
    }
}

/// A Yjs client as those see it who edit by operations.
fn person(client: ClientId, state: &str) -> Editor {
    let name = Shown::of(state, json::EditLimits::default().name_bytes).name;
    let name = (!name.is_empty()).then_some(name);
    Editor { session: Whose::Client(client), editor: None, caret: Caret { name, ..Caret::default() } }
}

impl Field {
    fn open(
        name: &FieldName,
        epoch: SessionId,
        limits: text_history::HistoryLimits,
        replica: &mut Replica,
    ) -> Result<Self, Poisoned> {
        let shape = replica.shape(name)?;
        let found = if shape == Some(Shape::Xml) {
            super::replica::RootText::default()
        } else {
            replica.watch(name)?;
            replica.root_text(name)?
        };
        let kind = match shape {
            Some(Shape::Xml) => Kind::Rich(Reading::default()),
            None | Some(Shape::Text) if found.is_plain || shape.is_none() => Kind::Plain,
            // A text of ours may hold nothing but the boundaries of empty blocks.
            Some(Shape::Array) if found.is_plain && text::is_part(name.as_str()) => Kind::Plain,
            _ => Kind::Opaque,
        };
        let history = TextHistory::new(limits, epoch, found.text.length());
        Ok(Self {
            inside: BTreeSet::new(),
            counted: None,
            listed: None,
            history,
            text: found.text,
            kind,
            stale: false,
            left: None,
        })
    }

    /// Whether what it says is not known yet.
    fn is_unread(&self) -> bool {
        matches!(&self.kind, Kind::Rich(reading) if !reading.done)
    }

    /// A rich text is to be read: now, or after the pause.
    fn read(&mut self, name: &FieldName, pause: Duration, now: Instant) -> Option<Effect> {
        if let Kind::Rich(reading) = &mut self.kind {
            reading.due = true;
        }
        self.read_if_due(name, pause, now)
    }

    fn read_if_due(&mut self, name: &FieldName, pause: Duration, now: Instant) -> Option<Effect> {
        let Kind::Rich(reading) = &mut self.kind else { return None };
        let rested = reading.began.is_none_or(|began| now.saturating_duration_since(began) >= pause);
        if !reading.due || reading.under_way || !rested {
            return None;
        }
        *reading = Reading { done: reading.done, under_way: true, due: false, began: Some(now) };
        Some(Effect::ReadRich(name.clone()))
    }

    fn acknowledge(&self, to: SessionId, id: Option<&str>, revision: u64) -> Effect {
        let update: Bytes = json::encode(&ServerMessage::Ack { id, epoch: self.history.epoch(), revision });
        Effect::Acknowledge { to, update, outcome: Outcome::Applied }
    }
}

mod company;
#[cfg(test)]
mod tests;
