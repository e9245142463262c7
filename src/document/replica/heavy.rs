//! Types beneath which so much lies that it takes long to delete one of them, however few bytes say so: eight delete a map of
//! two million entries, or one value that takes its place.
//!
//! yrs deletes what lies beneath a type in no order, and puts each into an ordered list: two million entries took 43 s. So
//! it is deleted in order before, which takes a tenth of that, and where nobody is served; and it is logged so, which keeps
//! loading quick. For that the document is looked through now and then for such types, and which values they give way to:
//! those are not always written behind them, where several people have set one key at the same time.

use std::{ops::Range, time::Duration};

use yrs::{Assoc, ReadTxn, StickyIndex, Transact, branch::Branch};

use super::{Applied, Poisoned, Readiness, Replica, Update, boundless, dear, known, processor_time, speed};
use crate::{
    document::{
        plain_text::{self, Edit},
        text,
    },
    protocol::{
        guard::{Id, Refusal, Succession},
        json::FieldName,
    },
};

/// Structs beneath a type from which on it is heavy: to delete fewer takes ten milliseconds.
pub(super) const HEAVY: u32 = 32 * 1024;

/// Structs that come in between two looks.
const BETWEEN_LOOKS: usize = 16 * 1024;

/// What is known of them.
#[derive(Debug, Default)]
pub(super) struct Heavy {
    known: Types,
    /// Whether there are types that are no roots.
    has_types: bool,
    /// How many structs and ranges there were at the last look.
    looked: usize,
}

/// Some of them.
#[derive(Debug, Default)]
pub(super) struct Types {
    /// In ascending order.
    ids: Vec<Id>,
    /// How it shows which of them others take the place of.
    succession: Succession,
}

/// What lies beneath some of them.
#[derive(Debug)]
pub(super) struct Beneath {
    /// Its deletion, in order.
    pub(super) deletion: Update,
    /// How many structs it is.
    pub(super) structs: usize,
}

/// What became of edits that take long.
#[derive(Debug)]
pub struct EditedDear {
    /// What they changed, in the order in which it is to be kept.
    pub pieces: Vec<Applied>,
    /// The processor's time that it took, beyond what deleting is worth.
    pub excess: Duration,
}

impl Beneath {
    /// What it is worth to delete it: each struct was brought, and that is worth more.
    pub(super) fn worth(&self) -> Duration {
        const EACH: Duration = Duration::from_micros(3);
        EACH.mul_f64(self.structs as f64 * speed::slowness())
    }
}

impl Types {
    /// Those of a state, or of an update.
    fn of(update: &Update) -> Result<Self, Refusal> {
        let ids = update.heavy_types(HEAVY)?;
        let succession = update.succession(&ids)?;
        Ok(Self { ids, succession })
    }

    /// Those that an update deletes itself.
    fn deleted(&self, update: &Update) -> Vec<Id> {
        let mut found = Vec::new();
        if update.has_deletions() && !self.ids.is_empty() {
            update.deletes_only(|client, start, end| {
                let from = self.ids.partition_point(|&id| id < Id { client, clock: start });
                let until = self.ids.partition_point(|&id| id < Id { client, clock: end });
                found.extend_from_slice(&self.ids[from..until.max(from)]);
                true
            });
        }
        found
    }

    /// Those that are deleted when an update is taken in, by it or because a value takes their place.
    fn hit(&self, update: &Update) -> Vec<Id> {
        let mut found = self.deleted(update);
        if !self.ids.is_empty() {
            // Which value of a key gives way is known of those too that have gone.
            let displaced = update.displaced(&self.succession).unwrap_or_default();
            found.extend(displaced.into_iter().filter(|id| self.ids.binary_search(id).is_ok()));
        }
        found
    }

    /// These are gone.
    fn forget(&mut self, gone: &[Id]) {
        self.ids.retain(|id| !gone.contains(id));
    }
}

impl Heavy {
    /// So many types come in.
    pub(super) fn grow(&mut self, types: usize) {
        self.has_types |= types > 0;
    }

    /// Whether to look again, where there are so many structs and ranges.
    pub(super) fn is_due(&self, parts: usize) -> bool {
        self.has_types && parts > HEAVY as usize && parts >= self.looked + BETWEEN_LOOKS
    }

    /// Whether an update deletes one.
    pub(super) fn is_hit(&self, update: &Update) -> bool {
        !self.known.hit(update).is_empty()
    }
}

impl Replica {
    /// Looks which types are heavy, if that is due.
    pub(super) fn look_for_heavy(&mut self) -> Result<(), Poisoned> {
        if !self.heavy.is_due(self.held.parts()) {
            return Ok(());
        }
        self.heavy.known = self.whole()?.and_then(|state| Types::of(&state).ok()).unwrap_or_default();
        self.heavy.looked = self.held.parts();
        Ok(())
    }

    /// Whether an update should be applied with [`Self::apply_dear`] because it deletes what is heavy, or because it must
    /// be looked again what is.
    pub fn may_delete_heavy(&self, update: &Update) -> bool {
        self.heavy.is_due(self.held.parts()) || self.heavy.is_hit(update)
    }

    /// The heavy types that a large update brings. They may give way to what it brings later.
    pub(super) fn heavy_within(&mut self, update: &Update) -> Result<Result<Types, Refusal>, Poisoned> {
        if update.types() == 0 || update.structs() <= HEAVY as usize {
            return Ok(Ok(Types::default()));
        }
        let mut types = match Types::of(update) {
            Ok(types) => types,
            refused => return Ok(refused),
        };
        if types.succession.is_open()
            && let Some(state) = self.whole()?
            && let Err(refusal) = types.succession.go_on(&state)
        {
            return Ok(Err(refusal));
        }
        Ok(Ok(types))
    }

    /// Deletes, in order, what lies beneath heavy types that a large update deletes somewhere among other things.
    /// Returns what that did, and how much more it took than it is worth.
    pub(super) fn delete_heavy(&mut self, update: &Update) -> Result<Option<(Applied, Duration)>, Poisoned> {
        if self.heavy.known.ids.is_empty() || dear::parts(update) <= dear::SMALLEST {
            return Ok(None);
        }
        let begun = processor_time();
        let ready = match update.readiness(|client| known(&self.clocks, client)) {
            Readiness::Ready => update.clone(),
            Readiness::Mended(part) | Readiness::Partly(part) => part,
            Readiness::Blocked => return Ok(None),
        };
        let tops = self.heavy.known.deleted(&ready);
        let Some(beneath) = self.beneath(&tops)? else { return Ok(None) };
        let done = self.apply_batch(&[&beneath.deletion], true)?;
        Ok(Some((done, processor_time().saturating_sub(begun).saturating_sub(beneath.worth()))))
    }

    /// What lies beneath the heavy types that a piece of an update deletes, those within that update among them. It is to be
    /// deleted before the piece is taken in, and only if that will be: it does not come back.
    pub(super) fn beneath_hit(
        &mut self,
        piece: &Update,
        within: &mut Types,
    ) -> Result<Option<Beneath>, Poisoned> {
        let mut tops = self.heavy.known.hit(piece);
        let others = within.hit(piece);
        within.forget(&others);
        tops.extend(others);
        self.beneath(&tops)
    }

    pub(super) fn beneath(&mut self, tops: &[Id]) -> Result<Option<Beneath>, Poisoned> {
        if tops.is_empty() {
            return Ok(None);
        }
        #[cfg(feature = "test-hooks")]
        super::walks::note("deleted", self.held.parts(), &self.clocks);
        // Others may have lain beneath: it is looked again.
        self.heavy.looked = 0;
        self.heavy.known.forget(tops);
        let beneath = self.whole()?.and_then(|state| state.deletion_beneath(tops).ok());
        let beneath = beneath.filter(|(deletion, _)| !deletion.is_empty());
        Ok(beneath.map(|(deletion, structs)| Beneath { deletion, structs }))
    }

    /// Whether edits should be made with [`Self::edit_dear`] because they delete much, or may delete what is heavy: where
    /// objects are characters, they can be deleted like these.
    pub fn takes_long_to_edit(&self, field: &FieldName, edits: &[Edit<'_>]) -> bool {
        let removed: u64 = removed(edits).map(|range| u64::from(range.end - range.start)).sum();
        let is_heavy = || self.heavy.is_due(self.held.parts()) || !self.heavy.known.ids.is_empty();
        self.is_large() && self.is_much(removed) || removed > 0 && text::is_part(field.as_str()) && is_heavy()
    }

    /// The same as [`Self::edit`], away from the threads that serve others. What lies beneath heavy types that go is deleted before,
    /// in order.
    pub fn edit_dear(
        &mut self,
        field: &FieldName,
        edits: &[Edit<'_>],
    ) -> Result<Option<EditedDear>, Poisoned> {
        #[cfg(feature = "test-hooks")]
        super::walks::note("edited", self.held.parts(), &self.clocks);
        self.look_for_heavy()?;
        let begun = processor_time();
        let tops = self.heavy_removed(field, edits)?;
        let beneath = self.beneath(&tops)?;
        let deletion = beneath.as_ref().map(|beneath| &beneath.deletion);
        let Some(done) = self.edit_behind(deletion, field, edits)? else { return Ok(None) };
        let took = processor_time().saturating_sub(begun);
        let worth = beneath.as_ref().map_or(Duration::ZERO, Beneath::worth);
        let pieces = deletion.map(Applied::of).into_iter().chain([done]).collect();
        self.look_for_heavy()?;
        Ok(Some(EditedDear { pieces, excess: took.saturating_sub(worth) }))
    }

    /// Which heavy types edits of a text take away.
    fn heavy_removed(&mut self, field: &FieldName, edits: &[Edit<'_>]) -> Result<Vec<Id>, Poisoned> {
        let ranges: Vec<_> = removed(edits).collect();
        let Types { ids, succession } = &self.heavy.known;
        let ids: Vec<Id> = ids.iter().copied().filter(|&id| !succession.has(id)).collect();
        if ranges.is_empty() || ids.is_empty() {
            return Ok(Vec::new());
        }
        self.contain(|doc, _| {
            let txn = doc.transact();
            let Some(text) = txn.get_text(field.as_str()) else { return Vec::new() };
            let text: &Branch = text.as_ref();
            let is_removed = |id: &Id| {
                let place = StickyIndex::from_id(yrs::ID::new(id.client, id.clock), Assoc::After);
                let place = place.get_offset(&txn).filter(|place| place.branch.id() == text.id());
                place.is_some_and(|place| ranges.iter().any(|range| range.contains(&place.index)))
            };
            ids.into_iter().filter(is_removed).collect()
        })
    }

    /// The whole state. Not kept: it will not hold for long.
    fn whole(&mut self) -> Result<Option<Update>, Poisoned> {
        let state = match &self.cache.state {
            Some(state) => state.clone(),
            None => self.encode_all()?,
        };
        Ok(Update::check(state, &boundless()).ok())
    }
}

/// What edits take away, in the count of the text before them.
fn removed(edits: &[Edit<'_>]) -> impl Iterator<Item = Range<u32>> {
    let (mut inserted, mut removed) = (0, 0);
    edits.iter().filter_map(move |edit| match *edit {
        Edit::Insert { text, .. } => {
            inserted += plain_text::units(text);
            None
        }
        Edit::Remove { at, length } => {
            let start = (at + removed).saturating_sub(inserted);
            removed += length;
            Some(start..start + length)
        }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bytes::Bytes;
    use rand::{Rng, SeedableRng, seq::IteratorRandom};
    use rand_chacha::ChaCha8Rng;
    use yrs::{
        Array, ArrayPrelim, Doc, Map, MapPrelim, Out, ReadTxn, StateVector, Text, TextPrelim, Transact,
        updates::decoder::Decode,
    };

    use super::*;
    use crate::document::{deleted::Deleted, replica::Verdict, testing::check};
    use crate::protocol::wire;

    const ENTRIES: u64 = 40_000;

    fn uint(value: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        wire::put_uint(&mut bytes, value);
        bytes
    }

    /// Entries of the map that a client has written with this clock.
    fn entries(client: u8, clock: u8, many: u64) -> Vec<u8> {
        let entry = |entry: u64| {
            let key = entry.to_string();
            [&[0x28, 0, client, clock][..], &uint(key.len() as u64), key.as_bytes(), &[1, 125, 1]].concat()
        };
        (0..many).flat_map(entry).collect()
    }

    /// Under the key `k` of a root, a map; under a key of that one, another, with many entries.
    fn nested() -> Bytes {
        let types = [&[3, 0, 0x27, 1, 1, b'm', 1, b'k', 1][..], &[0x27, 0, 3, 0, 1, b'n', 1]].concat();
        [vec![1], uint(ENTRIES + 2), types, entries(3, 1, ENTRIES), vec![0]].concat().into()
    }

    /// A map of many entries that somebody puts behind what another has put under a key.
    fn behind(client: u8, other: u8, many: u64) -> Update {
        let head = [client, 0, 0xa7, other, 0, 1];
        check([vec![1], uint(many + 1), head.into(), entries(client, 0, many), vec![0]].concat())
    }

    /// Applies it where nobody is served; returns what is logged.
    fn applied(replica: &mut Replica, update: &Update) -> Vec<Bytes> {
        let done = replica.apply_dear(update).unwrap();
        assert_eq!(done.verdict, Verdict::Complete);
        done.pieces.into_iter().filter_map(|piece| piece.update).collect()
    }

    #[test]
    fn what_lies_beneath_is_deleted_first_and_logged_so() {
        let by_deletion = check(vec![0, 1, 3, 1, 0, 1]);
        let by_deeper = check(vec![0, 1, 3, 1, 1, 1]);
        let by_value = check(vec![1, 1, 4, 0, 0xa8, 3, 0, 1, 125, 1, 0]);
        for (what, update) in [("whole", by_deletion), ("deeper", by_deeper), ("value", by_value)] {
            for restarts in [false, true] {
                let mut replica = Replica::default();
                let mut log = applied(&mut replica, &check(nested()));
                if restarts {
                    replica = Replica::load(&log, Deleted::Collected).unwrap();
                }
                assert!(replica.may_delete_heavy(&update), "{what}");
                assert!(!replica.may_delete_heavy(&check(vec![0, 1, 3, 1, 7, 1])), "an entry");
                let pieces = applied(&mut replica, &update);
                assert!(!replica.may_delete_heavy(&update), "{what} is gone");
                let first = check(pieces[0].clone());
                assert_eq!((first.structs(), first.deleted()), (0, ENTRIES + u64::from(what != "deeper")));
                log.extend(pieces);
                let mut plain = Replica::load([&log[0], update.bytes()], Deleted::Collected).unwrap();
                let mut logged = Replica::load(&log, Deleted::Collected).unwrap();
                let state = replica.state().unwrap();
                assert_eq!(state, plain.state().unwrap(), "{what}: as yrs does it");
                assert_eq!(state, logged.state().unwrap(), "{what}: as it is loaded");
            }
        }
    }

    /// What an update that was taken in by the pieces of a document deleted in order, before anything of it.
    fn deleted_first(pieces: &[Bytes]) -> Vec<u64> {
        let pieces = pieces.iter().map(|piece| check(piece.clone()));
        pieces.filter(|piece| piece.structs() == 0).map(|piece| piece.deleted()).collect()
    }

    #[test]
    fn what_gives_way_to_a_value_of_the_same_moment_is_deleted_first() {
        // Two who did not know of each other: of whom it is, the greater client's counts.
        let value = |client: u8| check(vec![1, 1, client, 0, 0x28, 1, 1, b'm', 1, b'k', 1, 125, 1, 0]);
        let mut replica = Replica::default();
        applied(&mut replica, &check(nested()));
        assert!(!replica.may_delete_heavy(&value(2)));
        assert_eq!(deleted_first(&applied(&mut replica, &value(2))), [0; 0]);
        assert!(replica.may_delete_heavy(&value(4)));
        assert_eq!(deleted_first(&applied(&mut replica, &value(4))), [ENTRIES + 1]);

        // Several put a large map in the place of one another at the same time.
        let mut replica = Replica::default();
        let mut log = applied(&mut replica, &check(nested()));
        for (client, gives_way) in [(5, ENTRIES + 1), (4, 0), (6, ENTRIES), (5, 0)] {
            let pieces = applied(&mut replica, &behind(client, 3, ENTRIES));
            let first = deleted_first(&pieces);
            assert_eq!(first.iter().sum::<u64>(), gives_way, "when {client} comes: {first:?}");
            log.extend(pieces);
        }
        let state = replica.state().unwrap();
        assert_eq!(state, Replica::load(&log, Deleted::Collected).unwrap().state().unwrap());
        let all = [check(nested()), behind(4, 3, ENTRIES), behind(5, 3, ENTRIES), behind(6, 3, ENTRIES)];
        let plain = Replica::load(all.iter().map(Update::bytes), Deleted::Collected);
        assert_eq!(state, plain.unwrap().state().unwrap(), "as yrs does it");
    }

    #[test]
    fn what_has_given_way_does_not_do_so_again() {
        let mut types = Types::of(&check(nested())).unwrap();
        let value = check(vec![1, 1, 4, 0, 0xa8, 3, 0, 1, 125, 1, 0]);
        let gone = types.hit(&value);
        assert_eq!(gone, types.ids[..1]);
        types.forget(&gone);
        assert!(!types.ids.is_empty(), "there is another");
        assert_eq!(types.hit(&value), []);
    }

    #[test]
    fn what_an_update_overwrites_itself_is_deleted_first() {
        // Somebody puts a map behind what is there, fills it, and puts a value behind it, all before they are heard.
        let mut replica = Replica::default();
        let there = check(vec![1, 1, 3, 0, 0x28, 1, 1, b'm', 1, b'k', 1, 125, 1, 0]);
        applied(&mut replica, &there);
        let head = [9, 0, 0xa7, 3, 0, 1];
        let body = [&head[..], &entries(9, 0, ENTRIES), &[0xa8, 9, 0, 1, 125, 1, 0]].concat();
        let pieces = applied(&mut replica, &check([vec![1], uint(ENTRIES + 2), body].concat()));
        // All but what comes in the same piece.
        let first: u64 = deleted_first(&pieces).iter().sum();
        assert!((ENTRIES - dear::LARGE as u64..=ENTRIES).contains(&first), "{first}");
        // Or does not know of it, with a greater client.
        let mut replica = Replica::default();
        applied(&mut replica, &there);
        let map = [uint(ENTRIES + 1), head.into(), entries(9, 0, ENTRIES)].concat();
        let last = [vec![2, 10, 0, 0xa8, 9], uint(ENTRIES), vec![1, 125, 1]].concat();
        let value = [0xa8, 3, 0, 1, 125, 1];
        let pieces = applied(&mut replica, &check([&[2][..], &last, &value, &map, &[0]].concat()));
        let first: u64 = deleted_first(&pieces).iter().sum();
        assert!((ENTRIES - dear::LARGE as u64..=ENTRIES).contains(&first), "{first}");
    }

    #[test]
    fn what_lies_beneath_a_boundary_is_deleted_before_it_goes_with_the_words_around_it() {
        let words = [&[3, 0, 4, 1, 4][..], b"body", &[1, b'a', 0x87, 3, 0, 1, 0x84, 3, 1, 1, b'b']].concat();
        let kind = [&[0x28, 0, 3, 1, 4][..], b"type", &[1, 119, 9], b"paragraph"].concat();
        let base = [vec![1], uint(ENTRIES + 4), words, kind, entries(3, 1, ENTRIES), vec![0]].concat();
        let body = FieldName::parse("body").unwrap();
        let mut replica = Replica::default();
        let mut log = applied(&mut replica, &check(base.clone()));
        let around = [Edit::Insert { at: 1, text: "é😀" }, Edit::Remove { at: 5, length: 1 }];
        let through = [Edit::Insert { at: 0, text: "x" }, Edit::Remove { at: 1, length: 5 }];
        assert!(!replica.takes_long_to_edit(&body, &around[..1]));
        for (edits, beneath, left) in [(&around, 0, "aé😀\n"), (&through, ENTRIES + 1, "x")] {
            assert!(replica.takes_long_to_edit(&body, edits));
            let done = replica.edit_dear(&body, edits).unwrap().unwrap();
            let pieces: Vec<Bytes> = done.pieces.into_iter().filter_map(|piece| piece.update).collect();
            let first = check(pieces[0].clone());
            assert_eq!((pieces.len(), first.deleted()), if beneath > 0 { (2, beneath) } else { (1, 1) });
            let mut plain = log.clone();
            plain.extend(pieces.last().cloned());
            log.extend(pieces);
            assert_eq!(replica.root_text(&body).unwrap().text.characters, left);
            let state = replica.state().unwrap();
            for log in [&plain, &log] {
                assert_eq!(state, Replica::load(log, Deleted::Collected).unwrap().state().unwrap());
            }
        }
        assert!(!replica.takes_long_to_edit(&body, &through), "nothing heavy is left");
    }

    /// A step of somebody: somewhere below the root a value, a type or a text is put, or something is deleted.
    fn step(random: &mut ChaCha8Rng, doc: &Doc) {
        let mut place: Out = Out::YMap(doc.get_or_insert_map("m"));
        let mut txn = doc.transact_mut();
        loop {
            let below = match &place {
                Out::YMap(map) => {
                    // In an order that the seed decides.
                    let values: BTreeMap<_, _> = map.iter(&txn).collect();
                    values.into_values().choose(random)
                }
                Out::YArray(array) => array.iter(&txn).choose(random),
                _ => None,
            };
            match below {
                Some(below @ (Out::YMap(_) | Out::YArray(_) | Out::YText(_))) if random.random_bool(0.9) => {
                    place = below;
                }
                _ => break,
            }
        }
        let kind = random.random_range(0..8);
        match place {
            Out::YMap(map) => {
                let key = random.random_range(0..3).to_string();
                match kind {
                    0 => drop(map.remove(&mut txn, &key)),
                    1 => drop(map.insert(&mut txn, key, MapPrelim::default())),
                    2..=4 => drop(map.insert(&mut txn, key, ArrayPrelim::default())),
                    5 => drop(map.insert(&mut txn, key, TextPrelim::new("words"))),
                    _ => drop(map.insert(&mut txn, key, kind)),
                }
            }
            Out::YArray(array) => {
                let at = random.random_range(0..=array.len(&txn));
                match kind {
                    0 if at < array.len(&txn) => array.remove(&mut txn, at),
                    1 | 3 => drop(array.insert(&mut txn, at, MapPrelim::default())),
                    2 | 4 => drop(array.insert(&mut txn, at, ArrayPrelim::default())),
                    _ => drop(array.insert(&mut txn, at, kind)),
                }
            }
            Out::YText(text) => {
                let at = random.random_range(0..=text.len(&txn));
                match kind {
                    0 if at < text.len(&txn) => text.remove_range(&mut txn, at, 1),
                    1 => drop(text.insert_embed(&mut txn, at, MapPrelim::default())),
                    _ => text.insert(&mut txn, at, "w"),
                }
            }
            _ => unreachable!("nothing else is put there"),
        }
    }

    #[test]
    fn what_lies_beneath_is_what_yrs_deletes() {
        let seed = std::env::var("WEFT_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
        eprintln!("seed {seed}");
        let random = &mut ChaCha8Rng::seed_from_u64(seed);
        let mut types = 0;
        for _ in 0..40 {
            let people: Vec<Doc> = (1..=3).map(Doc::with_client_id).collect();
            for _ in 0..random.random_range(1..300) {
                let [one, other] = [0; 2].map(|_| &people[random.random_range(0..3usize)]);
                step(random, one);
                if random.random_bool(0.3) {
                    let news = one.transact().encode_state_as_update_v1(&other.transact().state_vector());
                    other.transact_mut().apply_update(yrs::Update::decode_v1(&news).unwrap()).unwrap();
                }
            }
            let mut all = Replica::default();
            for one in &people {
                let state = one.transact().encode_state_as_update_v1(&StateVector::default());
                all.apply(&[&check(state)]).unwrap();
            }
            let state = all.state().unwrap();
            for id in check(state.clone()).heavy_types(0).unwrap() {
                let (beneath, _) = check(state.clone()).deletion_beneath(&[id]).unwrap();
                assert!(beneath.has_deletions(), "{id:?}");
                let mut deletion = vec![0, 1];
                wire::put_uint(&mut deletion, id.client.get());
                deletion.push(1);
                wire::put_uint(&mut deletion, u64::from(id.clock));
                deletion.push(1);
                let deletion = check(deletion);
                let mut plain = Replica::load([&state], Deleted::Collected).unwrap();
                plain.apply(&[&deletion]).unwrap();
                assert!(plain.contains(&beneath).unwrap(), "more than yrs deletes beneath {id:?}");
                let before = check(state.clone()).deleted();
                let after = check(plain.state().unwrap()).deleted();
                assert_eq!(beneath.deleted() + 1, after - before, "less than yrs deletes beneath {id:?}");
                types += 1;
            }
        }
        assert!(types > 100, "only {types}");
    }

    #[test]
    fn what_gives_way_is_what_yrs_deletes() {
        let seed = std::env::var("WEFT_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
        eprintln!("seed {seed}");
        let random = &mut ChaCha8Rng::seed_from_u64(seed);
        let mut gone = 0;
        for _ in 0..600 {
            let people: Vec<Doc> = (1..=4).map(Doc::with_client_id).collect();
            for _ in 0..random.random_range(1..60) {
                let [one, other] = [0; 2].map(|_| &people[random.random_range(0..4usize)]);
                step(random, one);
                if random.random_bool(0.3) {
                    let news = one.transact().encode_state_as_update_v1(&other.transact().state_vector());
                    other.transact_mut().apply_update(yrs::Update::decode_v1(&news).unwrap()).unwrap();
                }
            }
            let of = |one: &Doc| check(one.transact().encode_state_as_update_v1(&StateVector::default()));
            let last = random.random_range(0..4usize);
            let mut all = Replica::default();
            for one in (0..4).filter(|&one| one != last) {
                all.apply(&[&of(&people[one])]).unwrap();
            }
            let (state, coming) = (check(all.state().unwrap()), of(&people[last]));
            let ids = state.heavy_types(0).unwrap();
            let types = Types { succession: state.succession(&ids).unwrap(), ids };
            let hit = types.hit(&coming);
            let (beneath, _) = state.deletion_beneath(&hit).unwrap();
            all.apply(&[&coming]).unwrap();
            assert!(all.contains(&beneath).unwrap(), "more than yrs deletes");
            for id in types.ids {
                let deletion =
                    [vec![0, 1], uint(id.client.get()), vec![1], uint(id.clock.into()), vec![1]].concat();
                let is_gone = all.contains(&check(deletion)).unwrap();
                let is_within = |client, start, end| client != id.client || !(start..end).contains(&id.clock);
                let is_foretold = hit.contains(&id) || !beneath.deletes_only(is_within);
                assert_eq!(is_gone, is_foretold, "{id:?} of {hit:?}");
                gone += usize::from(is_gone);
            }
        }
        assert!(gone > 100, "only {gone}");
    }

    #[test]
    fn where_there_are_no_types_nothing_is_looked_for() {
        let mut heavy = Heavy::default();
        assert!(!heavy.is_due(1 << 20));
        heavy.grow(1);
        assert!(heavy.is_due(1 << 20) && !heavy.is_due(HEAVY as usize));
    }
}
