//! The CRDT of one document, with everything contained that yrs might do on bytes from outside.
//!
//! Three rules, each bought with an input that broke its absence:
//!
//! - **Nothing pending.** yrs keeps blocks whose predecessors are missing, integrates them behind gaps, and
//!   then drops them from differences or panics while encoding. An update is applied only as far as it
//!   integrates completely ([`Update::readiness`]); the rest is left out and the author is asked again.
//! - **A panic is contained.** Every call into yrs runs under `catch_unwind`, and after a panic the open
//!   transaction is never dropped, because dropping commits, and committing the broken state aborts the
//!   process. The replica is then [`Poisoned`]: it is leaked and the document loaded afresh.
//! - **The server has no opinion.** Clean-up of formatting is off: a replica changes by updates, and by the
//!   edits of people who have no replica of their own ([`Replica::edit`]), which leave it as an update too.

mod dead_cells;
pub mod dear;
mod editing;
pub mod heavy;
mod held;
pub mod speed;
mod takeover;
pub mod told;
#[cfg(feature = "test-hooks")]
pub mod walks;

use std::{
    collections::{HashMap, HashSet},
    mem::ManuallyDrop,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;
use rustix::time::{ClockId, clock_gettime};
use smallvec::SmallVec;
use yrs::{
    Any, Doc, GetString, IdSet, Map, Observable, OffsetKind, Options, Out, ReadTxn, StateVector, Text,
    Transact, TransactionMut, WriteTxn, types::text::YChange, updates::encoder::Encode,
};

use self::{dear::LIFE, heavy::Heavy, held::Held};
use super::{
    deleted::Deleted,
    plain_text::{self, Delta, Edit, PlainText},
    queue::Lag,
    text,
    work::words,
};
use crate::protocol::{
    guard::{self, Formats, Limits, Readiness, Refusal, Section, Shape, Update},
    json::FieldName,
    message::ClientId,
};

/// How many answers to distinct state vectors are kept until the next change. Joiners of a quiet document
/// mostly have the same vector: none, or the one of before the network went away.
const KEPT_DIFFERENCES: usize = 8;

/// Shared types taken in before the nesting of the whole document is looked at again. The guard bounds how
/// deep they lie within one update; only the document knows how deep many updates have piled them up. yrs
/// recurses when it deletes them, and browsers do, so that twenty thousand would end the process. Between two
/// looks at most this many levels are added, which every stack bears; a look costs about as much as one more
/// joiner.
const TYPES_BETWEEN_LOOKS: usize = 1024;

/// Stored updates applied in one transaction. yrs joins neighbouring blocks only when a transaction ends, and
/// searches among all that are not joined yet: the 2,598 updates of a long paper took 1.7 s in one transaction
/// and 0.08 s in any from 2 to 64 at a time.
const LOADED_TOGETHER: usize = 32;

/// Under which key yrs keeps our ear at a text.
const WATCH: &str = "weft";

/// The replica panicked inside yrs. Nothing of it may be used again.
#[derive(Debug, thiserror::Error)]
#[error("the replica panicked: {0}")]
pub struct Poisoned(pub String);

/// Stored bytes that do not make a document.
#[derive(Debug, thiserror::Error)]
pub enum Unloadable {
    /// A value is not an update.
    #[error("a stored update cannot be decoded: {0}")]
    Undecodable(String),
    /// Something that the stored updates build upon is not among them.
    #[error("the stored updates build upon one that is missing")]
    Incomplete,
    /// yrs panicked while applying them.
    #[error("{0}")]
    Poisoned(#[from] Poisoned),
}

/// One document's CRDT.
pub struct Replica {
    /// `None` once poisoned; the document itself is leaked then.
    doc: Option<Doc>,
    deleted: Deleted,
    /// The state vector, kept by hand: asking yrs for it costs a walk over all clients.
    clocks: HashMap<ClientId, u32>,
    /// Shared types taken in since the nesting was last looked at.
    new_types: usize,
    /// It has taken in what yrs holds something else for, so that what it encodes has to be turned back.
    has_stand_ins: bool,
    /// What it costs beyond what its size is worth.
    held: Held,
    /// What takes long to delete.
    heavy: Heavy,
    /// Of all that was taken in since it was loaded, what is gone again among it.
    formats: Formats,
    /// How many pieces there were when it was last counted what is left.
    counted: usize,
    /// There are too many to read a text piece by piece. Shared with who listens from inside yrs.
    too_many_formats: Arc<AtomicBool>,
    cache: Cache,
    watched: HashSet<FieldName>,
    /// What became of the watched texts, in order.
    heard: Heard,
    /// A text of earlier versions, if there is one.
    tree: takeover::Tree,
}

/// Filled while a transaction ends, from inside yrs.
type Heard = Arc<Mutex<Vec<(FieldName, Option<Vec<Delta>>)>>>;

/// Encodings that hold until the next change.
#[derive(Default)]
struct Cache {
    state: Option<Bytes>,
    vector: Option<Bytes>,
    differences: Vec<(StateVector, Bytes)>,
    large: told::Large,
    deleted: Option<IdSet>,
    /// Whether this update was contained, for who asks next.
    contained: Option<(Bytes, bool)>,
    first_line: Option<Option<String>>,
}

/// What became of one update of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All of it is in the document now (or was already).
    Complete,
    /// Part of it was left out, because it builds upon something that is missing here.
    Incomplete,
    /// yrs refused it; none or part of it was applied.
    Malformed,
    /// The rest of it was left out, because it costs far more than its size is worth; of the first that a document is given,
    /// all.
    TooDear,
    /// The same because of what the document already costs.
    DocumentTooDear,
}

/// What a batch did.
#[derive(Debug)]
pub struct Applied {
    /// One update that brings another replica from before the batch to after it; `None` if nothing changed.
    pub update: Option<Bytes>,
    /// Where the clocks of the authors stood before.
    pub before: SmallVec<[(ClientId, u32); 2]>,
    /// One per update of the batch.
    pub verdicts: SmallVec<[Verdict; 4]>,
    /// The processor's time that it took.
    pub took: Duration,
}

impl Applied {
    /// An update that only deletes, and was applied together with what comes next.
    fn of(deletion: &Update) -> Self {
        let update = Some(deletion.bytes().clone());
        Self { update, before: SmallVec::new(), verdicts: SmallVec::new(), took: Duration::ZERO }
    }
}

/// What a root shows when it is read as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RootText {
    /// The characters.
    pub text: PlainText,
    /// Whether that is all there is, so that it can be edited by characters. Otherwise it holds shared types,
    /// as XML does, or something else that is not text.
    pub is_plain: bool,
}

impl Default for Replica {
    fn default() -> Self {
        Self::new(Deleted::default())
    }
}

impl Replica {
    /// An empty document.
    pub fn new(deleted: Deleted) -> Self {
        let options = Options {
            // JavaScript counts text in UTF-16 units, and so do the offsets in presence and operations.
            offset_kind: OffsetKind::Utf16,
            cleanup_formatting: false,
            skip_gc: deleted == Deleted::Kept,
            ..Options::default()
        };
        Self {
            doc: Some(Doc::with_options(options)),
            deleted,
            clocks: HashMap::new(),
            new_types: 0,
            has_stand_ins: false,
            held: Held::default(),
            heavy: Heavy::default(),
            formats: Formats::default(),
            counted: 0,
            too_many_formats: Arc::default(),
            cache: Cache::default(),
            watched: HashSet::new(),
            heard: Heard::default(),
            tree: takeover::Tree::default(),
        }
    }

    /// Stands where a replica was that is being used elsewhere: whoever asks it something is told that it is unusable.
    pub fn away() -> Self {
        Self {
            doc: None,
            deleted: Deleted::default(),
            clocks: HashMap::new(),
            new_types: 0,
            has_stand_ins: false,
            held: Held::default(),
            heavy: Heavy::default(),
            formats: Formats::default(),
            counted: 0,
            too_many_formats: Arc::default(),
            cache: Cache::default(),
            watched: HashSet::new(),
            heard: Heard::default(),
            tree: takeover::Tree::default(),
        }
    }

    /// What becomes of what is deleted in it.
    pub fn deleted(&self) -> Deleted {
        self.deleted
    }

    /// A document from what was stored: a full state and what came after, in order. The bytes are our own
    /// and passed the guard before they were stored.
    pub fn load<'a>(
        updates: impl IntoIterator<Item = &'a Bytes>,
        deleted: Deleted,
    ) -> Result<Self, Unloadable> {
        let mut replica = Self::new(deleted);
        let updates: Vec<&Bytes> = updates.into_iter().collect();
        let mut has_stand_ins = false;
        let (begun, mut parts, mut worth) = (processor_time(), 0, Duration::ZERO);
        let (mut formats, mut heavy) = (Formats::default(), Heavy::default());
        let outcome = replica.contain(|doc, clocks| {
            let mut ends = HashMap::new();
            for batch in updates.chunks(LOADED_TOGETHER) {
                let mut txn = ManuallyDrop::new(doc.transact_mut());
                for bytes in batch {
                    let update = Update::check((*bytes).clone(), &boundless())
                        .map_err(|refusal| Unloadable::Undecodable(refusal.to_string()))?;
                    has_stand_ins |= update.needs_stand_ins();
                    formats.add(update.formats());
                    note_ends(&update, &mut ends);
                    heavy.grow(update.types());
                    parts += dear::parts(&update);
                    worth += dear::worth(&update);
                    let update =
                        update.decode().map_err(|refusal| Unloadable::Undecodable(refusal.to_string()))?;
                    txn.apply_update(update).map_err(|error| Unloadable::Undecodable(error.to_string()))?;
                }
                txn.commit();
                drop(ManuallyDrop::into_inner(txn));
            }
            let txn = doc.transact();
            clocks.extend(txn.state_vector().iter().map(|(&client, &clock)| (client, clock)));
            // Behind a hole in one client's structs yrs integrates at once and calls nothing missing; only
            // its state vector stops there.
            let is_whole = ends.iter().all(|(&client, &end)| end <= known(clocks, client));
            if is_whole && !txn.has_missing_updates() { Ok(()) } else { Err(Unloadable::Incomplete) }
        })?;
        replica.has_stand_ins = has_stand_ins;
        replica.held = Held::loaded(processor_time().saturating_sub(begun), parts, worth);
        replica.formats = formats;
        replica.look_at_formats();
        // Nobody looked while it was stored.
        replica.new_types = TYPES_BETWEEN_LOOKS;
        replica.heavy = heavy;
        outcome?;
        replica.look_for_heavy()?;
        Ok(replica)
    }

    /// Applies a batch in one transaction.
    pub fn apply(&mut self, batch: &[&Update]) -> Result<Applied, Poisoned> {
        let applied = self.apply_batch(batch, false)?;
        let worth: Duration = batch.iter().map(|update| dear::worth(update)).sum();
        let cuts = self.held.cuts(batch.iter().map(|update| dear::parts(update)).sum());
        self.held.add(applied.took.saturating_sub(worth + cuts));
        Ok(applied)
    }

    /// `looked`: how deep types will lie was looked at for all of which the batch is a piece.
    fn apply_batch(&mut self, batch: &[&Update], looked: bool) -> Result<Applied, Poisoned> {
        let mut new_types = self.new_types;
        self.has_stand_ins |= batch.iter().any(|update| update.needs_stand_ins());
        let begun = processor_time();
        #[cfg(feature = "test-hooks")]
        if batch.iter().any(|update| self.heavy.is_hit(update)) {
            walks::note("deleted", self.held.parts(), &self.clocks);
        }
        #[cfg(feature = "test-hooks")]
        if !looked && batch.iter().any(|update| is_time_to_look(new_types, update)) {
            walks::note("looked", self.held.parts(), &self.clocks);
        }
        self.count_formats(batch);
        let mut applied = self.contain(|doc, clocks| {
            let mut txn = ManuallyDrop::new(doc.transact_mut());
            let mut intake = Intake { clocks, before: SmallVec::new(), mended: false, new_types, looked };
            let verdicts: SmallVec<_> = batch.iter().map(|update| intake.take_in(&mut txn, update)).collect();
            // Before the commit: that joins a run of typing into one long block, and to encode the end of it
            // would mean to count through all of it, for every batch.
            let update = txn.has_changes().then(|| intake.change(&txn, batch, &verdicts));
            txn.commit();
            let pending = txn.has_missing_updates();
            drop(ManuallyDrop::into_inner(txn));
            // The guard promised that this cannot be; a document that breaks the promise is not kept.
            assert!(!pending, "an update left something pending");
            new_types = intake.new_types;
            Applied { update, before: intake.before, verdicts, took: Duration::ZERO }
        })?;
        applied.took = processor_time().saturating_sub(begun);
        self.new_types = new_types;
        batch.iter().for_each(|update| self.heavy.grow(update.types()));
        self.held.grow(batch.iter().map(|update| dear::parts(update)).sum());
        if applied.update.is_some() {
            self.cache = Cache::default();
        }
        Ok(applied)
    }

    /// Before an update is applied: whoever listens to a text is told of it while yrs takes it in.
    fn count_formats(&mut self, batch: &[&Update]) {
        for update in batch {
            // What comes a second time counts once.
            let is_news = |section: &Section| section.end > known(&self.clocks, section.client);
            if update.sections().iter().any(is_news) {
                self.formats.add(update.formats());
            }
        }
        self.look_at_formats();
    }

    fn look_at_formats(&mut self) {
        self.too_many_formats.store(!self.formats.are_few(), Ordering::Release);
    }

    /// Whether texts may be read piece by piece ([`Formats`]). Where there seem to be too many it is counted what is left of
    /// them, unless that has been done and little has come since.
    fn reads_pieces(&mut self) -> Result<bool, Poisoned> {
        if self.formats.are_few() {
            return Ok(true);
        }
        if self.formats.pieces() / 5 * 4 >= self.counted
            && let Ok(state) = Update::check(self.state()?, &boundless())
        {
            self.formats = state.formats().clone();
            self.counted = self.formats.pieces();
            self.look_at_formats();
        }
        Ok(self.formats.are_few())
    }

    /// The full state as one update. Encoded once until the next change.
    pub fn state(&mut self) -> Result<Bytes, Poisoned> {
        if let Some(state) = &self.cache.state {
            return Ok(state.clone());
        }
        let state = self.encode_all()?;
        self.cache.state = Some(state.clone());
        Ok(state)
    }

    fn encode_all(&mut self) -> Result<Bytes, Poisoned> {
        self.encode(|doc| doc.transact().encode_state_as_update_v1(&StateVector::default()))
    }

    /// How many clients ever wrote.
    pub fn clients(&self) -> usize {
        self.clocks.len()
    }

    /// Whether [`Self::difference`] is at hand.
    pub fn has_difference(&self, vector: &StateVector) -> bool {
        if vector.is_empty() {
            return self.cache.state.is_some();
        }
        self.cache.differences.iter().any(|(known, _)| known == vector)
    }

    /// The state vector, encoded.
    pub fn vector(&mut self) -> Bytes {
        if self.cache.vector.is_none() {
            self.cache.vector = Some(kept(self.state_vector().encode_v1()));
        }
        self.cache.vector.clone().unwrap_or_default()
    }

    /// What a replica with `vector` lacks, with all deletions.
    pub fn difference(&mut self, vector: &StateVector) -> Result<Bytes, Poisoned> {
        if vector.is_empty() {
            return self.state();
        }
        if let Some((_, difference)) = self.cache.differences.iter().find(|(known, _)| known == vector) {
            return Ok(difference.clone());
        }
        let difference = self.encode(|doc| doc.transact().encode_diff_v1(vector))?;
        if self.cache.differences.len() == KEPT_DIFFERENCES {
            self.cache.differences.remove(0);
        }
        self.cache.differences.push((vector.clone(), difference.clone()));
        Ok(difference)
    }

    /// The state vector of who has everything except `lag`.
    pub fn vector_before(&self, lag: &Lag) -> StateVector {
        let mut vector = self.state_vector();
        for (&client, &clock) in lag {
            vector.set_min(client, clock);
        }
        vector
    }

    /// What yrs encodes, for others.
    fn encode(&mut self, encode: impl FnOnce(&Doc) -> Vec<u8>) -> Result<Bytes, Poisoned> {
        #[cfg(feature = "test-hooks")]
        walks::note("told", self.held.parts(), &self.clocks);
        let has_stand_ins = self.has_stand_ins;
        self.contain(|doc, _| {
            let encoded = kept(encode(doc));
            if has_stand_ins { checked(encoded) } else { encoded }
        })
    }

    /// Whether all of an update is here already, its deletions too.
    pub fn contains(&mut self, update: &Update) -> Result<bool, Poisoned> {
        if self.brings_news(update) {
            return Ok(false);
        }
        if !update.has_deletions() {
            return Ok(true);
        }
        if let Some((_, contained)) = self.cache.contained.take_if(|(bytes, _)| is_same(bytes, update)) {
            return Ok(contained);
        }
        if self.cache.deleted.is_none() {
            #[cfg(feature = "test-hooks")]
            walks::note("compared", self.held.parts(), &self.clocks);
            self.cache.deleted = Some(self.contain(|doc, _| doc.transact().snapshot().delete_set)?);
        }
        let deleted = self.cache.deleted.get_or_insert_default();
        Ok(update.deletes_only(|client, start, end| is_within(deleted, client, start, end)))
    }

    /// Finds out whether it contains an update, for [`Self::contains`] to answer at once.
    pub fn compare(&mut self, update: &Update) -> Result<(), Poisoned> {
        let contained = self.contains(update)?;
        self.cache.contained = Some((update.bytes().clone(), contained));
        Ok(())
    }

    /// Whether [`Self::contains`] has to go through all of a large document, or of a large update.
    pub fn takes_long_to_compare(&self, update: &Update) -> bool {
        let is_compared = self.cache.contained.as_ref().is_some_and(|(bytes, _)| is_same(bytes, update));
        if is_compared || !update.has_deletions() || self.brings_news(update) {
            return false;
        }
        update.ranges() > dear::LARGE || self.cache.deleted.is_none() && self.is_large()
    }

    fn brings_news(&self, update: &Update) -> bool {
        update.sections().iter().any(|section| section.end > known(&self.clocks, section.client))
    }

    /// From here on, changes of the text at this root are noted for [`Self::take_heard`].
    pub fn watch(&mut self, field: &FieldName) -> Result<(), Poisoned> {
        let (heard, name) = (self.heard.clone(), field.clone());
        self.watched.insert(field.clone());
        let too_many_formats = self.too_many_formats.clone();
        self.contain(|doc, _| {
            let text = doc.get_or_insert_text(field.as_str());
            text.observe(WATCH, move |txn, event| {
                let is_part = text::is_part(name.as_str());
                let sign = |object: &Out| if is_part { text::stand_in(object, txn) } else { None };
                let delta = (!too_many_formats.load(Ordering::Acquire))
                    .then(|| event.delta(txn).iter().map(|change| in_delta(change, sign)).collect());
                heard.lock().push((name.clone(), delta));
            });
        })
    }

    /// No more of that.
    pub fn unwatch(&mut self, field: &FieldName) -> Result<(), Poisoned> {
        self.watched.remove(field);
        self.contain(|doc, _| {
            let text = doc.transact().get_text(field.as_str());
            if let Some(text) = text {
                text.unobserve(WATCH);
            }
        })
    }

    /// Which of the watched texts have changed since the last call, and how, where that can be told.
    pub fn take_heard(&mut self) -> Vec<(FieldName, Option<Vec<Delta>>)> {
        std::mem::take(&mut *self.heard.lock())
    }

    /// The text at a root. In a text of ours ([`text::is_part`]) objects are characters too ([`text::stand_in`]).
    pub fn root_text(&mut self, field: &FieldName) -> Result<RootText, Poisoned> {
        let reads_pieces = self.reads_pieces()?;
        self.contain(|doc, _| {
            let txn = doc.transact();
            let Some(text) = txn.get_text(field.as_str()) else { return RootText::default() };
            let characters = text.get_string(&txn);
            let length = text.len(&txn);
            if plain_text::units(&characters) == length {
                return RootText { text: PlainText { characters, objects: Vec::new() }, is_plain: true };
            }
            if !reads_pieces {
                return RootText { text: PlainText { characters, objects: Vec::new() }, is_plain: false };
            }
            let is_part = text::is_part(field.as_str());
            let mut found = PlainText::default();
            let mut holds_types = false;
            for piece in text.diff(&txn, YChange::identity) {
                match piece.insert {
                    Out::Any(Any::String(piece)) => found.characters.push_str(&piece),
                    object if is_part => match text::stand_in(&object, &txn) {
                        Some(sign) => found.characters.push(sign),
                        None => found.objects.push(found.characters.len()),
                    },
                    Out::Any(_) => found.objects.push(found.characters.len()),
                    _ => holds_types = true,
                }
            }
            // An object that is itself a string looks like text here, and is none.
            let adds_up = (is_part || found.characters == characters)
                && plain_text::units(&found.characters) as usize + found.objects.len() == length as usize;
            if adds_up && !holds_types {
                RootText { text: found, is_plain: true }
            } else {
                RootText { text: PlainText { characters, objects: Vec::new() }, is_plain: false }
            }
        })
    }

    /// Goes back to a document in which nothing is, whoever listens to its texts.
    fn begin_again(&mut self) -> Result<(), Poisoned> {
        let watched = std::mem::take(&mut self.watched);
        *self = Self::new(self.deleted);
        watched.iter().try_for_each(|field| self.watch(field))
    }

    /// What a root has been used as, told from the whole state; `None` if there is nothing in it.
    pub fn shape(&mut self, field: &FieldName) -> Result<Option<Shape>, Poisoned> {
        let limits = Limits { type_depth: 2 * Limits::default().type_depth, ..boundless() };
        let outline = Update::check(self.state()?, &limits).and_then(|state| state.outline(&limits));
        match outline {
            Ok(outline) if outline.is_readable => Ok(outline.roots.get(field.as_str()).copied()),
            // What may only be read as text is text, or nothing that we can tell.
            Ok(outline) => match outline.roots.get(field.as_str()) {
                Some(Shape::Text) | None => Ok(outline.roots.get(field.as_str()).copied()),
                Some(_) => Ok(Some(Shape::Array)),
            },
            Err(_) => Ok(Some(Shape::Array)),
        }
    }

    /// Edits the text at a root, in one transaction, as a client would: under the client id of this replica,
    /// which is new each time a document is loaded. The edits must fit the text.
    /// `None` if they would cost too much and nothing was done.
    pub fn edit(&mut self, field: &FieldName, edits: &[Edit<'_>]) -> Result<Option<Applied>, Poisoned> {
        #[cfg(feature = "test-hooks")]
        if self.takes_long_to_edit(field, edits) {
            walks::note("edited", self.held.parts(), &self.clocks);
        }
        self.edit_behind(None, field, edits)
    }

    /// Edits a text after something else has been deleted, in the same transaction.
    fn edit_behind(
        &mut self,
        deletion: Option<&Update>,
        field: &FieldName,
        edits: &[Edit<'_>],
    ) -> Result<Option<Applied>, Poisoned> {
        let begun = processor_time();
        let reads_pieces = self.reads_pieces()?;
        let deletion = deletion.and_then(|deletion| deletion.decode().ok());
        let mut applied = self.write(|txn| {
            let text = txn.get_or_insert_text(field.as_str());
            let Some(way) = editing::way(&text, txn, edits, reads_pieces) else { return false };
            if deletion.is_some_and(|deletion| txn.apply_update(deletion).is_err()) {
                return false;
            }
            way.make(&text, txn, edits);
            true
        })?;
        if let Some(applied) = &mut applied {
            applied.took = processor_time().saturating_sub(begun);
            self.held.grow(edits.len());
        }
        Ok(applied)
    }

    /// Changes the document in one transaction, as a client would. `None` if `write` says that it has done nothing.
    fn write(
        &mut self,
        write: impl FnOnce(&mut TransactionMut<'_>) -> bool,
    ) -> Result<Option<Applied>, Poisoned> {
        let begun = processor_time();
        let written = self.contain(|doc, clocks| {
            let own = doc.client_id();
            let mut txn = ManuallyDrop::new(doc.transact_mut());
            if !write(&mut txn) {
                drop(ManuallyDrop::into_inner(txn));
                return None;
            }
            let update = txn.has_changes().then(|| checked(kept(txn.encode_update_v1())));
            let mut before = SmallVec::new();
            let (was, is) = (known(clocks, own), txn.state_vector().get(&own));
            if is > was {
                before.push((own, was));
                clocks.insert(own, is);
            }
            txn.commit();
            drop(ManuallyDrop::into_inner(txn));
            Some(Applied { update, before, verdicts: SmallVec::new(), took: Duration::ZERO })
        })?;
        if written.as_ref().is_some_and(|written| written.update.is_some()) {
            self.cache = Cache::default();
        }
        Ok(written.map(|written| Applied { took: processor_time().saturating_sub(begun), ..written }))
    }

    /// The first line of a text that nobody has given a title, as the page would make one of it; `None` if it has more
    /// than `most` characters and was not looked at.
    pub fn first_line(&mut self, most: u32) -> Result<Option<Option<String>>, Poisoned> {
        if !self.formats.are_few() {
            return Ok(None);
        }
        if self.cache.first_line.is_none() {
            // That is a walk over all of it.
            self.cache.first_line = self.contain(|doc, _| {
                let txn = doc.transact();
                let Some(body) = txn.get_text(text::BODY) else { return Some(None) };
                (body.len(&txn) <= most).then(|| text::first_line(&body, &txn))
            })?;
        }
        Ok(self.cache.first_line.clone())
    }

    /// The title that people see: the string `title` in the root map `meta`, if there is one.
    pub fn title(&mut self) -> Result<Option<String>, Poisoned> {
        self.contain(|doc, _| {
            let txn = doc.transact();
            let title = txn.get_map("meta")?.get(&txn, "title")?.cast::<String>().ok()?;
            let title = title.trim();
            (!title.is_empty()).then(|| title.chars().take(256).collect())
        })
    }

    /// What the document says it is: the string `kind` in the root map `meta`, if there is one and it is not
    /// too long to be a kind.
    pub fn kind(&mut self) -> Result<Option<String>, Poisoned> {
        const LONGEST: usize = 64;
        self.contain(|doc, _| {
            let txn = doc.transact();
            let kind = txn.get_map("meta")?.get(&txn, "kind")?.cast::<String>().ok()?;
            (1..=LONGEST).contains(&kind.len()).then_some(kind)
        })
    }

    /// About how many bytes of an update are new here.
    pub fn news(&self, update: &Update) -> usize {
        let (mut new, mut all) = (0, 0);
        for section in update.sections() {
            let known = known(&self.clocks, section.client).clamp(section.start, section.end);
            new += u64::from(section.end - known);
            all += u64::from(section.end - section.start);
        }
        (update.bytes().len() as u64).saturating_mul(new).checked_div(all).unwrap_or(0) as usize
    }

    /// Whether it has become as dear to load as a document may be, as far as is known.
    pub fn is_as_dear_as_may_be(&self) -> bool {
        self.held.is_all()
    }

    /// Whether it should be measured how dear it is, which [`Self::apply_dear`] does.
    pub fn is_held_in_doubt(&self) -> bool {
        self.held.is_in_doubt()
    }

    /// Whether it takes long to take in so many types, because it is looked first how deep all lie in each other.
    pub fn takes_long_to_look(&self, types: usize) -> bool {
        self.is_large() && types > 0 && self.new_types + types > TYPES_BETWEEN_LOOKS
    }

    /// Whether it takes long to go through all of it.
    pub fn is_large(&self) -> bool {
        self.held.parts() > dear::SMALL_DOCUMENT
    }

    /// Whether it can be asked anything: it did not panic, and is not used elsewhere.
    pub fn is_usable(&self) -> bool {
        self.doc.is_some()
    }

    /// Whether the document has nothing in it and never had.
    pub fn is_empty(&self) -> bool {
        self.clocks.is_empty()
    }

    /// The names of the types at the root that something may be in.
    fn roots(&mut self) -> Result<HashSet<String>, Poisoned> {
        if self.is_empty() {
            return Ok(HashSet::new());
        }
        self.contain(|doc, _| doc.transact().root_refs().map(|(name, _)| name.to_owned()).collect())
    }

    fn state_vector(&self) -> StateVector {
        StateVector::new(self.clocks.iter().map(|(&client, &clock)| (client, clock)).collect())
    }

    /// Runs `work` so that a panic in it does not leave this replica.
    fn contain<T>(
        &mut self,
        work: impl FnOnce(&Doc, &mut HashMap<ClientId, u32>) -> T,
    ) -> Result<T, Poisoned> {
        let Some(doc) = &self.doc else {
            return Err(Poisoned("already poisoned".to_owned()));
        };
        let clocks = &mut self.clocks;
        let done = catch_unwind(AssertUnwindSafe(|| work(doc, clocks)));
        done.map_err(|panic| self.poison(&*panic))
    }

    /// Something panicked while it worked with the document.
    fn poison(&mut self, panic: &(dyn std::any::Any + Send)) -> Poisoned {
        // Leaked, not dropped: an open transaction still points into it.
        std::mem::forget(self.doc.take());
        self.cache = Cache::default();
        Poisoned(words(panic))
    }
}

/// A batch on its way into a document, in one transaction.
struct Intake<'a> {
    clocks: &'a mut HashMap<ClientId, u32>,
    /// Where the clocks of the authors stood before the batch.
    before: SmallVec<[(ClientId, u32); 2]>,
    /// Some update was not taken in as it came.
    mended: bool,
    /// As in the replica, with those of the batch so far.
    new_types: usize,
    /// How deep types will lie was looked at for all of which the batch is a piece.
    looked: bool,
}

impl Intake<'_> {
    /// Takes in as much of an update as can be.
    fn take_in(&mut self, txn: &mut TransactionMut<'_>, update: &Update) -> Verdict {
        let (ready, mut verdict) = match update.readiness(|client| known(self.clocks, client)) {
            Readiness::Ready => (None, Verdict::Complete),
            Readiness::Mended(whole) => (Some(whole), Verdict::Complete),
            Readiness::Partly(part) => (Some(part), Verdict::Incomplete),
            Readiness::Blocked => return Verdict::Incomplete,
        };
        self.mended |= ready.is_some();
        let ready = ready.as_ref().unwrap_or(update);
        if !self.looked && is_time_to_look(self.new_types, ready) {
            if is_nested_too_deep(txn) {
                return Verdict::Malformed;
            }
            self.new_types = 0;
        }
        self.new_types += ready.types();
        match ready.decode() {
            Ok(decoded) => {
                if txn.apply_update(decoded).is_err() {
                    verdict = Verdict::Malformed;
                }
                #[cfg(feature = "test-hooks")]
                panic_if_asked(ready, PANIC_ROOT);
            }
            Err(_) => verdict = Verdict::Malformed,
        }
        self.advance(ready);
        if verdict == Verdict::Malformed {
            // Only part of it may be in: ask yrs where it stands.
            self.clocks.clear();
            self.clocks.extend(txn.state_vector().iter().map(|(&client, &clock)| (client, clock)));
        }
        verdict
    }

    /// Sets the clocks to where an update brings them.
    fn advance(&mut self, update: &Update) {
        for section in update.sections() {
            let clock = known(self.clocks, section.client);
            if section.end > clock {
                if !self.before.iter().any(|(client, _)| *client == section.client) {
                    self.before.push((section.client, clock));
                }
                self.clocks.insert(section.client, section.end);
            }
        }
    }

    /// What the batch changed, as one update.
    fn change(&self, txn: &TransactionMut<'_>, batch: &[&Update], verdicts: &[Verdict]) -> Bytes {
        let encoded = checked(kept(txn.encode_update_v1()));
        match (batch, verdicts) {
            // One author's single change travels on as it came.
            ([only], [Verdict::Complete]) if !self.mended && is_all_news(only, &self.before) => {
                only.bytes().clone()
            }
            _ => encoded,
        }
    }
}

/// Whether an update is in this very memory.
fn is_same(bytes: &Bytes, update: &Update) -> bool {
    bytes.as_ptr() == update.bytes().as_ptr() && bytes.len() == update.bytes().len()
}

#[cfg(feature = "test-hooks")]
impl Drop for Replica {
    fn drop(&mut self) {
        if self.doc.is_some() {
            walks::note("freed", self.held.parts(), &self.clocks);
        }
    }
}

/// Bytes that will be kept or shared. The encoder of yrs begins with a kilobyte; most answers are a few
/// dozen bytes, and there is one for each open document.
fn kept(encoded: Vec<u8>) -> Bytes {
    if encoded.capacity() > 2 * encoded.len() { Bytes::copy_from_slice(&encoded) } else { encoded.into() }
}

/// Structs between neighbours that have nothing to do with each other pass the guard, and make yrs forget what
/// it still refers to. It shows in what is encoded next; nothing of that is stored or sent, and the document
/// is not kept. What passes is as Yjs writes it.
fn checked(encoded: Bytes) -> Bytes {
    guard::as_yjs_writes(encoded).expect("the document encodes what can be decoded")
}

/// `sign` has the character that an object is told as, if it is.
fn in_delta(change: &yrs::types::Delta, sign: impl Fn(&Out) -> Option<char>) -> Delta {
    match change {
        yrs::types::Delta::Inserted(Out::Any(Any::String(text)), _) => Delta::Insert(text.to_string()),
        yrs::types::Delta::Inserted(object, _) => {
            sign(object).map_or(Delta::InsertObject, |sign| Delta::Insert(sign.to_string()))
        }
        yrs::types::Delta::Deleted(length) => Delta::Delete(*length),
        yrs::types::Delta::Retain(length, _) => Delta::Retain(*length),
    }
}

/// Where each client's structs in `update` end, if that is beyond what was noted before.
fn note_ends(update: &Update, ends: &mut HashMap<ClientId, u32>) {
    for section in update.sections() {
        let end = ends.entry(section.client).or_insert(section.end);
        *end = section.end.max(*end);
    }
}

/// The tests' way to a panic in the middle of a transaction: an update that names this root. No input that
/// passes the guard is known to make yrs panic there, and the next one will not announce itself either.
#[cfg(feature = "test-hooks")]
pub const PANIC_ROOT: &str = "panic on being applied";

/// The same outside of yrs, where a large update is taken apart.
#[cfg(feature = "test-hooks")]
pub const PANIC_APART_ROOT: &str = "panic on being taken apart";

/// The same where a text of an earlier version is read.
#[cfg(feature = "test-hooks")]
pub const PANIC_TREE_ROOT: &str = "panic on being taken over";

/// The same where that is done on a thread that serves.
#[cfg(feature = "test-hooks")]
pub const PANIC_TREE_HERE_ROOT: &str = "panic on being taken over where others are served";

/// The same where words of tables that are gone are cleared away.
#[cfg(feature = "test-hooks")]
pub const PANIC_TIDY_ROOT: &str = "panic on being tidied";

#[cfg(feature = "test-hooks")]
fn panic_if_it_has(txn: &impl ReadTxn, root: &str) {
    assert!(txn.root_refs().all(|(name, _)| name != root), "a test asked for it");
}

#[cfg(feature = "test-hooks")]
fn panic_if_asked(update: &Update, root: &str) {
    let asked = update.bytes().windows(root.len()).any(|window| window == root.as_bytes());
    assert!(!asked, "a test asked for it");
}

/// Whether the nesting of the whole document is to be looked at before an update is applied.
fn is_time_to_look(new_types: usize, update: &Update) -> bool {
    update.types() > 0 && new_types + update.types() > TYPES_BETWEEN_LOOKS
}

/// Whether shared types lie so deep in each other that with all that comes before the next look they might not fit into
/// one update any more.
fn is_nested_too_deep(txn: &impl ReadTxn) -> bool {
    let limits = Limits { type_depth: Limits::default().type_depth - TYPES_BETWEEN_LOOKS, ..boundless() };
    let state = txn.encode_state_as_update_v1(&StateVector::default());
    matches!(Update::check(state.into(), &limits), Err(Refusal::TypeDepth))
}

/// For our own encodings, which may hold more than any single message.
fn boundless() -> Limits {
    Limits {
        update_bytes: usize::MAX,
        clients: usize::MAX,
        structs: usize::MAX,
        delete_ranges: usize::MAX,
        values: usize::MAX,
        value_depth: usize::MAX,
        type_depth: usize::MAX,
        ..Limits::default()
    }
}

/// Whether all from one clock of a client to another is in a set. Its ranges are in order and do not touch.
fn is_within(set: &IdSet, client: ClientId, start: u32, end: u32) -> bool {
    set.get(&client).is_some_and(|ranges| {
        let ranges = ranges.as_slice();
        let behind = ranges.partition_point(|(range, ())| range.start <= start);
        behind > 0 && end <= ranges[behind - 1].0.end
    })
}

fn known(clocks: &HashMap<ClientId, u32>, client: ClientId) -> u32 {
    clocks.get(&client).copied().unwrap_or(0)
}

/// Whether an update can travel on as it came because it repeats nothing. A step 2 repeats all deletions, and
/// often structs; what the transaction recorded is smaller then.
fn is_all_news(update: &Update, before: &[(ClientId, u32)]) -> bool {
    /// A keystroke or a paste is smaller; a step 2 that is smaller costs little to repeat.
    const SMALL: usize = 4096;
    update.bytes().len() <= SMALL
        && update.sections().iter().all(|section| {
            before.iter().any(|(client, clock)| *client == section.client && *clock == section.start)
        })
}

/// A change that gives a document its title. The server never edits a replica that people share; this is
/// written in a replica of its own, as if by a client.
pub fn titled(title: &str) -> Bytes {
    let doc = Doc::new();
    let meta = doc.get_or_insert_map("meta");
    let mut txn = doc.transact_mut();
    meta.insert(&mut txn, "title", title);
    txn.commit();
    txn.encode_update_v1().into()
}

/// How long this thread has run: what others do on the machine does not count.
pub(super) fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

#[cfg(test)]
mod tests;
