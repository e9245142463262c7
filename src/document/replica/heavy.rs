//! Types beneath which so much lies that it takes long to delete one of them, however few bytes say so: eight delete a map of
//! two million entries, or one value that takes its place.
//!
//! yrs deletes what lies beneath a type in no order, and puts each into an ordered list: two million entries took 43 s. So
//! it is deleted in order before, which takes a tenth of that, and where nobody is served; and it is logged so, which keeps
//! loading quick. For that the document is looked through now and then for such types.

use std::time::Duration;

use smallvec::SmallVec;

use super::{Applied, Poisoned, Readiness, Replica, Update, boundless, dear, known, processor_time};
use crate::protocol::guard::Id;

/// Structs beneath a type from which on it is heavy: to delete fewer takes ten milliseconds.
const HEAVY: u32 = 32 * 1024;

/// Structs that come in between two looks.
const BETWEEN_LOOKS: usize = 16 * 1024;

/// What is known of them.
#[derive(Debug, Default)]
pub(super) struct Heavy {
    types: Vec<Id>,
    /// Whether there are types that are no roots.
    has_types: bool,
    /// How many structs and ranges there were at the last look.
    looked: usize,
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

    /// Those that an update deletes itself.
    fn deleted(&self, update: &Update) -> Vec<Id> {
        let is_deleted = |id: &&Id| {
            !update
                .deletes_only(|client, start, end| client != id.client || !(start..end).contains(&id.clock))
        };
        if update.has_deletions() {
            self.types.iter().filter(is_deleted).copied().collect()
        } else {
            Vec::new()
        }
    }

    /// Whether an update may delete one.
    pub(super) fn is_hit(&self, update: &Update) -> bool {
        // Which value of a key another one takes the place of does not always show.
        !self.types.is_empty()
            && (!self.deleted(update).is_empty() || update.overwritten().is_ok_and(|keys| !keys.is_empty()))
    }
}

impl Replica {
    /// Looks which types are heavy, if that is due.
    pub(super) fn look_for_heavy(&mut self) -> Result<(), Poisoned> {
        if !self.heavy.is_due(self.held.parts()) {
            return Ok(());
        }
        self.heavy.types = self.whole()?.and_then(|state| state.heavy_types(HEAVY).ok()).unwrap_or_default();
        self.heavy.looked = self.held.parts();
        Ok(())
    }

    /// Whether an update should be applied with [`Self::apply_dear`] because it may delete what is heavy, or because it must
    /// be looked again what is.
    pub fn may_delete_heavy(&self, update: &Update) -> bool {
        self.heavy.is_due(self.held.parts()) || self.heavy.is_hit(update)
    }

    /// Deletes, in order, what lies beneath heavy types that an update will delete, and these with it if the update is small.
    /// Returns what that did, to be kept in this order, and how much more it took than it is worth.
    pub(super) fn delete_heavy(&mut self, update: &Update) -> Result<(Vec<Applied>, Duration), Poisoned> {
        if self.heavy.types.is_empty() || self.is_too_deep(update)? {
            return Ok(Default::default());
        }
        let begun = processor_time();
        let ready = match update.readiness(|client| known(&self.clocks, client)) {
            Readiness::Ready => update.clone(),
            Readiness::Mended(part) | Readiness::Partly(part) => part,
            Readiness::Blocked => return Ok(Default::default()),
        };
        let mut tops = self.heavy.deleted(&ready);
        // A large one is taken in pieces: a value of it may be refused, and then takes nothing's place.
        let is_small = dear::parts(&ready) <= dear::SMALLEST;
        if is_small {
            let behind = ready.overwritten().unwrap_or_default();
            tops.extend(self.heavy.types.iter().filter(|id| behind.contains(&Some(**id))));
        }
        let state = if tops.is_empty() { None } else { self.whole()? };
        let Some(beneath) = state.and_then(|state| state.deletion_beneath(&tops).ok()) else {
            return Ok(Default::default());
        };
        // In one transaction, at whose end yrs joins what is deleted.
        let batch: &[&Update] = &[&beneath, &ready];
        let done = self.apply_batch(if is_small { batch } else { &batch[..1] }, true)?;
        // Others may have lain beneath: it is looked again.
        self.heavy.looked = 0;
        let worth = dear::worth(&beneath) + dear::worth(&ready);
        let first = Applied {
            update: Some(beneath.bytes().clone()),
            before: SmallVec::new(),
            verdicts: SmallVec::new(),
            took: Duration::ZERO,
        };
        Ok((vec![first, done], processor_time().saturating_sub(begun).saturating_sub(worth)))
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

#[cfg(test)]
mod tests {
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

    /// Under the key `k` of a root, a map; under a key of that one, another, with many entries.
    fn nested() -> Bytes {
        let uint = |value: u64| {
            let mut bytes = Vec::new();
            wire::put_uint(&mut bytes, value);
            bytes
        };
        let mut bytes = [vec![1], uint(ENTRIES + 2), vec![3, 0, 0x27, 1, 1, b'm', 1, b'k', 1]].concat();
        bytes.extend([0x27, 0, 3, 0, 1, b'n', 1]);
        for entry in 0..ENTRIES {
            let key = entry.to_string();
            bytes.extend(
                [&[0x28, 0, 3, 1][..], &uint(key.len() as u64), key.as_bytes(), &[1, 125, 1]].concat(),
            );
        }
        bytes.push(0);
        bytes.into()
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

    /// A step of somebody: somewhere below the root a value, a type or a text is put, or something is deleted.
    fn step(random: &mut ChaCha8Rng, doc: &Doc) {
        let mut place: Out = Out::YMap(doc.get_or_insert_map("m"));
        let mut txn = doc.transact_mut();
        loop {
            let below = match &place {
                Out::YMap(map) => map.iter(&txn).map(|(_, value)| value).choose(random),
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
                let beneath = check(state.clone()).deletion_beneath(&[id]).unwrap();
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
    fn where_there_are_no_types_nothing_is_looked_for() {
        let mut heavy = Heavy::default();
        assert!(!heavy.is_due(1 << 20));
        heavy.grow(1);
        assert!(heavy.is_due(1 << 20) && !heavy.is_due(HEAVY as usize));
    }
}
