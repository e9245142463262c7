//! Large updates, applied piece by piece and only as long as they cost what their size is worth.
//!
//! Some are seen to be only large, and are applied as a whole: what somebody wrote in years, two million letters all over a
//! text, yrs takes in a second, but what it joined behind one piece it would have to cut for the next, and move all that comes
//! after.
//!
//! yrs integrates most structs in a few microseconds. Some it compares with all others at the same place, and it makes room
//! for each deleted range by moving what comes after: 256 KB of 16,000 authors at one spot took 37 s, 2 MB of deletions
//! 14 s. What a struct will cost does not show in the bytes, so it is measured: past the allowance the rest is refused.
//! What was applied by then is whole and stays, unless it began the document: then nothing of it does.
//!
//! What stays is dear again for everybody who loads the document, so that the allowance is one for the whole life of a document
//! ([`super::held`]). Once it is used up, what costs no more than it is worth is taken as before.

use std::{
    mem::ManuallyDrop,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use bytes::Bytes;
use yrs::Transact as _;

use super::{Applied, Deleted, Poisoned, Replica, Verdict, known, processor_time, speed};
use crate::protocol::guard::{Steps, Update};

/// Structs and ranges from which on an update is applied so, and of a piece at most. Below, the worst case takes some tens
/// of milliseconds.
pub(super) const LARGE: usize = 2048;
/// Bytes from which on it is, however few structs they are: fifty megabytes in one piece take a second.
const LARGE_BYTES: usize = 256 * 1024;
/// Structs of a document in which it takes tens of milliseconds to delete as many as are many ([`LARGE`]).
pub(super) const SMALL_DOCUMENT: usize = 16 * 1024;
/// The first piece. What comes next is larger while pieces are quick, and smaller when they are not: in a text where
/// 16,000 have written at one spot, 2,048 more of them take seconds.
const FIRST: usize = 256;
pub(super) const SMALLEST: usize = 16;
/// What a piece should take.
const SLICE: Duration = Duration::from_millis(20);
/// What an update is worth in the processor's time, and what more for each struct or range, and for each byte. Honest
/// updates take a tenth of that.
const WORTH: Duration = Duration::from_micros(100);
const PER_PART: Duration = Duration::from_micros(20);
const PER_BYTE: Duration = Duration::from_nanos(200);
/// What it takes to move a struct out of the way of another.
const PER_MOVE: Duration = Duration::from_nanos(2);
/// What it takes to compare a struct with one that claims the same place.
const PER_COMPARISON: Duration = Duration::from_nanos(500);
/// What all that is added to a document may take beyond what it is worth, over its whole life ([`super::held`]), because
/// honest updates do: two people who each put 4,000 entries on top of one list while they were offline take a second,
/// here and in every browser, where each entry is compared with each. Not more, because whoever loads or reads the
/// document takes that time again.
pub const LIFE: Duration = Duration::from_millis(1500);
/// The same for the update that begins a document. It may be the state of another, which must be taken though it is measured
/// anew: the same work takes up to twice as long where others use the caches of the processor.
pub const EXCESS: Duration = Duration::from_secs(3);
/// A state of so many structs and ranges is measured as another server would take it, in pieces. A larger one is measured in one
/// transaction, as it is loaded: what is joined at the end of each would be cut again in the next, at a cost that grows
/// with all that is there.
const TAKEN_APART: usize = 200_000;
/// What is not counted in a document that may not become dearer.
const TOLERATED: Duration = Duration::from_millis(2);

/// A process with this in its environment has bounds that are smaller by this factor: a test that reaches them again and again would
/// take as long as they allow.
#[cfg(feature = "test-hooks")]
pub const BOUNDS: &str = "WEFT_TEST_BOUNDS";

/// What a bound is on this machine.
pub(super) fn here(bound: Duration) -> Duration {
    #[cfg(feature = "test-hooks")]
    let bound = {
        static FACTOR: std::sync::OnceLock<f64> = std::sync::OnceLock::new();
        let given = || std::env::var(BOUNDS).ok().and_then(|factor| factor.parse().ok());
        bound.mul_f64(*FACTOR.get_or_init(|| given().unwrap_or(1.0)))
    };
    bound.mul_f64(speed::slowness())
}

/// How many structs and ranges an update has.
pub fn parts(update: &Update) -> usize {
    update.structs() + update.ranges()
}

/// What an update of this size is worth in this processor's time. What it deletes was brought, a byte at least for each.
pub fn worth(update: &Update) -> Duration {
    let deleted = usize::try_from(update.deleted()).unwrap_or(usize::MAX);
    worth_of(parts(update), update.bytes().len().saturating_add(deleted))
}

/// What so many structs and ranges of so many bytes are worth.
pub fn worth_of(parts: usize, bytes: usize) -> Duration {
    let times = |each: Duration, count: usize| each.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX));
    let there = WORTH + times(PER_PART, parts) + times(PER_BYTE, bytes);
    there.mul_f64(speed::slowness())
}

/// Whether an update should be applied with [`Replica::apply_dear`], away from the threads that serve others.
pub fn is_large(update: &Update) -> bool {
    parts(update) > LARGE || update.bytes().len() > LARGE_BYTES
}

/// What became of a large update: what it changed, piece by piece, and how it ended.
#[derive(Debug)]
pub struct AppliedDear {
    /// In the order in which they were applied.
    pub pieces: Vec<Applied>,
    /// Of the whole update.
    pub verdict: Verdict,
    /// How many structs and ranges were applied.
    pub parts: usize,
    /// The processor's time that it took.
    pub took: Duration,
    /// How much of that is more than what was taken of it is worth.
    pub excess: Duration,
}

impl AppliedDear {
    /// Whether the document is another than before.
    pub fn has_changed(&self) -> bool {
        self.pieces.iter().any(|piece| piece.update.is_some())
    }
}

/// What pieces take, and what they are worth.
#[derive(Clone, Copy, Debug, Default)]
struct Spent {
    took: Duration,
    worth: Duration,
    parts: usize,
    /// The most by which the former was ahead: what comes later does not make up for it, because whoever applies the same
    /// cannot know that it will come.
    most: Duration,
}

impl Spent {
    /// How much more was taken than it is worth.
    fn over(&self) -> Duration {
        self.took.saturating_sub(self.worth)
    }

    /// Another piece. Returns by how much the most has grown.
    fn add(&mut self, took: Duration, piece: &Update) -> Duration {
        self.add_worth(took, worth(piece), parts(piece))
    }

    /// So many structs and ranges, which are worth so much.
    fn add_worth(&mut self, took: Duration, worth: Duration, parts: usize) -> Duration {
        self.took += took;
        self.worth += worth;
        self.parts += parts;
        let before = self.most;
        self.most = before.max(self.over());
        self.most - before
    }
}

impl Replica {
    /// Applies a large update as far as it integrates and does not cost more than its size is worth.
    pub fn apply_dear(&mut self, update: &Update) -> Result<AppliedDear, Poisoned> {
        // Whatever breaks costs this document its replica, and not the thread.
        let applied = catch_unwind(AssertUnwindSafe(|| self.apply_all(update)));
        applied.unwrap_or_else(|panic| Err(self.poison(&*panic)))
    }

    fn apply_all(&mut self, update: &Update) -> Result<AppliedDear, Poisoned> {
        #[cfg(feature = "test-hooks")]
        super::panic_if_asked(update, super::PANIC_APART_ROOT);
        if self.held.is_in_doubt() {
            self.measure()?;
        }
        if self.is_only_large(update)? {
            // What it costs is known, and in pieces it would be more.
            let done = self.apply_batch(&[update], false)?;
            let verdict = done.verdicts.first().copied().unwrap_or(Verdict::Complete);
            self.look_for_heavy()?;
            let took = done.took;
            let parts = parts(update);
            return Ok(AppliedDear { pieces: vec![done], verdict, parts, took, excess: Duration::ZERO });
        }
        let is_first = self.is_empty();
        let mut spent = Spent::default();
        let mut applied = Vec::new();
        let mut heavy = Duration::ZERO;
        let verdict = if self.is_too_deep(update)? {
            Verdict::Malformed
        } else {
            if let Some((done, more)) = self.delete_heavy(update)? {
                applied.push(done);
                heavy = more;
            }
            self.apply_pieces(update, &mut applied, &mut spent)?
        };
        if is_first && matches!(verdict, Verdict::TooDear | Verdict::DocumentTooDear) {
            // There is nothing that it would take long to go back to, and what is left must fit into a document.
            self.begin_again()?;
            applied.clear();
        }
        self.look_for_heavy()?;
        let Spent { parts, took, most, .. } = spent;
        Ok(AppliedDear { pieces: applied, verdict, parts, took: took + heavy, excess: most + heavy })
    }

    fn apply_pieces(
        &mut self,
        update: &Update,
        applied: &mut Vec<Applied>,
        spent: &mut Spent,
    ) -> Result<Verdict, Poisoned> {
        let Ok(mut within) = self.heavy_within(update)? else { return Ok(Verdict::TooDear) };
        let slowness = speed::slowness();
        let bound = here(if self.is_empty() { EXCESS } else { LIFE });
        let left = |before: Duration| bound.saturating_sub(before).max(TOLERATED.mul_f64(slowness));
        let already = self.held.total();
        let mut before = already;
        let mut size = Size(if self.held.is_all() { 1 } else { FIRST });
        // Since it was known what the document holds.
        let mut lately = Spent::default();
        let mut was_measured = false;
        let mut pieces = update.pieces(|client| known(&self.clocks, client));
        while let Some(piece) = pieces.next(|client| known(&self.clocks, client), size.0) {
            // What was taken counts, not what is still to come: the rest of a large update buys no time for what is dear in it.
            if spent.over() > bound {
                return Ok(Verdict::TooDear);
            }
            if lately.over() > left(before) && self.held.may_be_less() && !was_measured {
                self.measure()?;
                was_measured = true;
                before = self.held.total();
                lately = Spent::default();
            }
            if lately.over() > left(before) || was_measured && before >= bound {
                let is_its_own = already <= bound / 4;
                return Ok(if is_its_own { Verdict::TooDear } else { Verdict::DocumentTooDear });
            }
            let begun = processor_time();
            let beneath = self.beneath_hit(&piece, &mut within)?;
            let looked = processor_time().saturating_sub(begun);
            let done = match &beneath {
                None => {
                    let done = self.apply_batch(&[&piece], true)?;
                    spent.add(looked + done.took, &piece);
                    self.held.add(lately.add(done.took, &piece));
                    size.adapt(done.took);
                    done
                }
                Some(beneath) => {
                    // In one transaction, at whose end yrs joins what is deleted. Whoever loads it is spared that.
                    let done = self.apply_batch(&[&beneath.deletion, &piece], true)?;
                    let took = processor_time().saturating_sub(begun);
                    spent.add_worth(took, worth(&piece) + beneath.worth(), parts(&piece) + beneath.structs);
                    applied.push(Applied::of(&beneath.deletion));
                    done
                }
            };
            let is_malformed = done.verdicts.contains(&Verdict::Malformed);
            applied.push(done);
            if is_malformed {
                return Ok(Verdict::Malformed);
            }
        }
        let is_here =
            update.sections().iter().all(|section| section.end <= known(&self.clocks, section.client));
        let is_whole = is_here && update.deletes_within(|client| known(&self.clocks, client));
        Ok(if is_whole { Verdict::Complete } else { Verdict::Incomplete })
    }

    /// Whether types in an update might come to lie too deep, if it is time to look.
    pub(super) fn is_too_deep(&mut self, update: &Update) -> Result<bool, Poisoned> {
        if !super::is_time_to_look(self.new_types, update) {
            return Ok(false);
        }
        #[cfg(feature = "test-hooks")]
        super::walks::note("looked", self.held.parts(), &self.clocks);
        if self.contain(|doc, _| super::is_nested_too_deep(&doc.transact()))? {
            return Ok(true);
        }
        self.new_types = 0;
        Ok(false)
    }

    /// Measures what the document holds beyond what its size is worth, as another server would that is given its state.
    fn measure(&mut self) -> Result<(), Poisoned> {
        let state = self.state()?;
        let excess = excess_of(&state, self.deleted)?;
        self.held.measured(excess);
        Ok(())
    }

    /// Whether an update deletes so much that it should be applied with [`Self::apply_dear`], however small it is: of each
    /// struct that is deleted, yrs may move all that come after it.
    pub fn deletes_much(&self, update: &Update) -> bool {
        self.is_much(update.deleted())
    }

    /// Whether it takes long to delete so much, counted as clocks count it.
    pub(super) fn is_much(&self, deleted: u64) -> bool {
        let structs = self.held.parts().max(SMALL_DOCUMENT);
        deleted > (LARGE * SMALL_DOCUMENT / structs) as u64
    }

    /// Whether it shows that an update costs no more than its size is worth, applied as a whole.
    fn is_only_large(&mut self, update: &Update) -> Result<bool, Poisoned> {
        if update.sections().iter().any(|section| known(&self.clocks, section.client) > 0) {
            return Ok(false);
        }
        let roots = self.roots()?;
        // The rest is for applying it.
        let most = worth(update).as_secs_f64() / 4.0;
        let most_compared = (most / PER_COMPARISON.as_secs_f64()) as u64;
        let steps =
            self.contain(|_, _| update.steps_as_a_whole(most_compared, |root| !roots.contains(root)))?;
        Ok(steps.is_some_and(|Steps { compared, moved }| {
            PER_COMPARISON.as_secs_f64() * compared as f64 + PER_MOVE.as_secs_f64() * moved as f64 <= most
        }))
    }
}

/// By how much what a state takes, up to wherever in it, is more than it is worth. Beyond twice the bound it is not measured any
/// more.
fn excess_of(state: &Bytes, deleted: Deleted) -> Result<Duration, Poisoned> {
    let mut spent = Spent::default();
    let Ok(state) = Update::check(state.clone(), &super::boundless()) else { return Ok(spent.most) };
    let most = here(2 * EXCESS);
    let mut beside = Replica::new(deleted);
    if parts(&state) <= TAKEN_APART {
        let mut size = Size(FIRST);
        let mut pieces = state.pieces(|client| known(&beside.clocks, client));
        while spent.most <= most
            && let Some(piece) = pieces.next(|client| known(&beside.clocks, client), size.0)
        {
            let done = beside.apply_batch(&[&piece], true)?;
            size.adapt(done.took);
            spent.add(done.took, &piece);
        }
        return Ok(spent.most);
    }
    beside.contain(|doc, clocks| {
        let mut txn = ManuallyDrop::new(doc.transact_mut());
        let mut pieces = state.pieces(|client| known(clocks, client));
        while spent.most <= most
            && let Some(piece) = pieces.next(|client| known(clocks, client), LARGE)
        {
            let begun = processor_time();
            if !piece.decode().is_ok_and(|decoded| txn.apply_update(decoded).is_ok()) {
                break;
            }
            spent.add(processor_time().saturating_sub(begun), &piece);
            clocks.extend(piece.sections().iter().map(|section| (section.client, section.end)));
        }
        drop(ManuallyDrop::into_inner(txn));
        spent.most
    })
}

/// Structs or ranges in the next piece.
struct Size(usize);

impl Size {
    /// The last piece took so long.
    fn adapt(&mut self, took: Duration) {
        if took > SLICE {
            self.0 = (self.0 / 2).max(SMALLEST);
        } else if took < SLICE / 4 {
            self.0 = (self.0 * 2).min(LARGE);
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use yrs::{Array, Doc, GetString, Map, ReadTxn, StateVector, Text, Transact, updates::decoder::Decode};

    use super::*;
    use crate::protocol::{json::FieldName, wire};

    fn check(bytes: Vec<u8>) -> Update {
        Update::check(Bytes::from(bytes), &crate::protocol::guard::Limits::default()).unwrap()
    }

    /// One letter of each of `authors` clients at the very beginning of the text, each made to be compared with all before
    /// it: the greatest comes last, because the letter before its own builds upon the one below.
    fn crowd_at_one_spot(authors: u64) -> Update {
        let mut bytes = Vec::new();
        wire::put_uint(&mut bytes, authors);
        for client in (1..=authors).rev() {
            wire::put_uint(&mut bytes, if client > 1 { 2 } else { 1 });
            wire::put_uint(&mut bytes, client);
            wire::put_uint(&mut bytes, 0);
            if client > 1 {
                // In another text, behind the letter of the client below.
                bytes.push(0x84);
                wire::put_uint(&mut bytes, client - 1);
                wire::put_uint(&mut bytes, if client > 2 { 1 } else { 0 });
                bytes.extend([1, b'b']);
            }
            bytes.extend([4, 1, 1, b't', 1, b'a']);
        }
        bytes.push(0);
        check(bytes)
    }

    /// Somebody who wrote and deleted all over a text for a long time, alone.
    fn long_session(seed: u64, keys: u32) -> (String, Update) {
        let random = &mut ChaCha8Rng::seed_from_u64(seed);
        let doc = Doc::with_client_id(7);
        let text = doc.get_or_insert_text("t");
        for _ in 0..keys {
            let mut txn = doc.transact_mut();
            let length = text.len(&txn);
            let at = random.random_range(0..=length);
            if length > at + 2 && random.random_bool(0.3) {
                text.remove_range(&mut txn, at, 2);
            } else {
                text.insert(&mut txn, at, "xyz");
            }
        }
        let txn = doc.transact();
        let update = txn.encode_state_as_update_v1(&StateVector::default());
        (text.get_string(&txn), check(update))
    }

    fn shows(replica: &mut Replica) -> String {
        replica.root_text(&FieldName::parse("t").unwrap()).unwrap().text.characters
    }

    /// A letter of somebody else at the beginning of the same text.
    fn letter_of_another() -> Update {
        check(vec![1, 1, 9, 0, 4, 1, 1, b't', 1, b'!', 0])
    }

    /// A letter in another text.
    fn elsewhere() -> Update {
        check(vec![1, 1, 10, 0, 4, 1, 1, b'e', 1, b'!', 0])
    }

    /// A key that somebody sets again and again and never sees: each time is compared with all before.
    fn one_key(client: u8, key: u8, times: u64) -> Update {
        let mut bytes = vec![1];
        wire::put_uint(&mut bytes, times);
        bytes.extend([client, 0]);
        for _ in 0..times {
            bytes.extend([0x28, 1, 1, b'm', 1, key, 1, 125, 1]);
        }
        bytes.push(0);
        check(bytes)
    }

    /// Somebody writes a text, each letter a struct, then another letter behind each of those `until` there, and deletes every
    /// tenth of them.
    fn written_through(letters: u64, until: u64) -> Update {
        let (mut structs, mut deleted) = (Vec::new(), Vec::new());
        for clock in 0..letters {
            structs.push(if clock == 0 { 4 } else { 0x84 });
            match clock.checked_sub(1) {
                None => structs.extend([1, 1, b't']),
                Some(before) => put_id(&mut structs, before),
            }
            structs.extend([1, b'a']);
        }
        for left in 0..until {
            let (content, clock) = (if left % 10 == 0 { 1 } else { 4 }, letters + left);
            structs.push(0xc0 | content);
            put_id(&mut structs, left);
            put_id(&mut structs, left + 1);
            structs.push(1);
            if content == 1 {
                deleted.push(clock);
            } else {
                structs.push(b'b');
            }
        }
        let mut bytes = vec![1];
        wire::put_uint(&mut bytes, letters + until);
        bytes.extend([7, 0]);
        bytes.extend(structs);
        bytes.extend([1, 7]);
        wire::put_uint(&mut bytes, deleted.len() as u64);
        for clock in deleted {
            wire::put_uint(&mut bytes, clock);
            bytes.push(1);
        }
        check(bytes)
    }

    fn put_id(bytes: &mut Vec<u8>, clock: u64) {
        bytes.push(7);
        wire::put_uint(bytes, clock);
    }

    #[test]
    fn what_is_only_large_is_taken_as_a_whole() {
        const LETTERS: u64 = 100_001;
        let update = written_through(LETTERS, LETTERS - 1);
        assert!(is_large(&update) && update.structs() > 200_000);
        let mut replica = Replica::default();
        let applied = replica.apply_dear(&update).unwrap();
        assert_eq!((applied.verdict, applied.pieces.len()), (Verdict::Complete, 1));
        assert_eq!(shows(&mut replica).len() as u64, LETTERS + (LETTERS - 1) * 9 / 10);
        let again = replica.apply_dear(&update).unwrap();
        assert_eq!(again.verdict, Verdict::Complete);
        assert!(again.pieces.iter().all(|piece| piece.update.is_none()));
        // Where somebody else stands at the same spot, there is something to compare.
        let mut replica = Replica::default();
        replica.apply(&[&letter_of_another()]).unwrap();
        assert!(!replica.is_only_large(&update).unwrap());
    }

    /// Some people take turns at a text, a list and a map; what they have made then.
    fn turns(random: &mut ChaCha8Rng, people: u64) -> Update {
        let docs: Vec<Doc> = (1..=people).map(Doc::with_client_id).collect();
        for _ in 0..random.random_range(1..20) {
            let doc = &docs[random.random_range(0..docs.len())];
            let (text, list, map) =
                (doc.get_or_insert_text("t"), doc.get_or_insert_array("l"), doc.get_or_insert_map("m"));
            let mut txn = doc.transact_mut();
            for _ in 0..random.random_range(1..if people == 1 { 60 } else { 8 }) {
                let (letters, entries) = (text.len(&txn), list.len(&txn));
                let at = random.random_range(0..=letters);
                match random.random_range(0..7) {
                    0..3 => text.insert(&mut txn, at, "ab"),
                    3 if at < letters => text.remove_range(&mut txn, at, 1),
                    4 => drop(list.insert(&mut txn, random.random_range(0..=entries), 1)),
                    5 => drop(map.insert(&mut txn, ["x", "y"][random.random_range(0..2)], 1)),
                    6 => drop(list.insert(&mut txn, 0, yrs::MapPrelim::from([("z", 1)]))),
                    _ => text.insert(&mut txn, letters, "c"),
                }
            }
            // Before anything is joined.
            let told = txn.encode_update_v1();
            if people == 1 {
                return check(told);
            }
            drop(txn);
            for other in &docs {
                other.transact_mut().apply_update(yrs::Update::decode_v1(&told).unwrap()).unwrap();
            }
        }
        check(docs[0].transact().encode_state_as_update_v1(&StateVector::default()))
    }

    #[test]
    fn what_yrs_will_join_is_foretold() {
        let seed = rand::rng().random();
        eprintln!("seed {seed}");
        let random = &mut ChaCha8Rng::seed_from_u64(seed);
        let mut joined = 0;
        for _ in 0..300 {
            let people = random.random_range(1..4);
            let update = turns(random, people);
            let moves = update.steps_as_a_whole(u64::MAX, |_| true).expect("a state is plain").moved;
            let mut replica = Replica::default();
            assert_eq!(replica.apply_dear(&update).unwrap().verdict, Verdict::Complete);
            let joins = update.structs() - check(replica.state().unwrap().to_vec()).structs();
            if people == 1 {
                assert_eq!(moves, (joins * update.structs()) as u64);
            } else {
                assert_eq!(moves > 0, joins > 0);
            }
            joined += joins;
        }
        assert!(joined > 0, "nothing was there to be joined");
    }

    #[test]
    fn what_is_dear_to_join_is_not_only_large() {
        // Two of three letters are joined, and behind them all the others are moved.
        let is_only_large =
            |until| Replica::default().is_only_large(&written_through(50_000, until)).unwrap();
        assert!(is_only_large(49_999) && !is_only_large(25_000));
        let crowd = crowd_at_one_spot(5000);
        assert!(!Replica::default().is_only_large(&crowd).unwrap());
    }

    /// What two people wrote who each heard of the other only now and then, and wrote where the other did.
    fn two_at_once(seed: u64, keys: u32) -> (String, Update) {
        let random = &mut ChaCha8Rng::seed_from_u64(seed);
        let people = [7, 8].map(Doc::with_client_id);
        let hears = |doc: &Doc, of: &Doc| {
            let vector = doc.transact().state_vector();
            let news = of.transact().encode_diff_v1(&vector);
            doc.transact_mut().apply_update(yrs::Update::decode_v1(&news).unwrap()).unwrap();
        };
        for key in 0..keys {
            // The same spots for both.
            let spot: f64 = random.random_range(0.0..1.0);
            for doc in &people {
                let text = doc.get_or_insert_text("t");
                let mut txn = doc.transact_mut();
                let length = text.len(&txn);
                text.insert(&mut txn, (f64::from(length) * spot) as u32, "xy");
            }
            if key % 10 == 9 {
                hears(&people[0], &people[1]);
                hears(&people[1], &people[0]);
            }
        }
        hears(&people[0], &people[1]);
        let text = people[0].get_or_insert_text("t");
        let txn = people[0].transact();
        (text.get_string(&txn), check(txn.encode_state_as_update_v1(&StateVector::default())))
    }

    #[test]
    fn what_two_wrote_at_once_is_only_large() {
        let (text, update) = two_at_once(1, 1200);
        assert!(update.structs() > LARGE, "{} structs", update.structs());
        let steps = update.steps_as_a_whole(u64::MAX, |_| true).unwrap();
        assert!(steps.compared > 0 && steps.moved == 0, "{steps:?}");
        let mut replica = Replica::default();
        let applied = replica.apply_dear(&update).unwrap();
        assert_eq!((applied.verdict, applied.pieces.len()), (Verdict::Complete, 1));
        assert_eq!(shows(&mut replica), text);
    }

    #[test]
    fn what_a_long_session_wrote_is_taken_piece_by_piece_and_is_whole() {
        let (_, update) = long_session(1, 6000);
        assert!(update.structs() > 2 * LARGE && update.ranges() > 0, "{} structs", update.structs());
        let other = letter_of_another();
        let mut replica = Replica::default();
        replica.apply(&[&other]).unwrap();
        let applied = replica.apply_dear(&update).unwrap();
        assert_eq!(applied.verdict, Verdict::Complete);
        let text = shows(
            &mut Replica::load(&[other, update.clone()].map(|it| it.bytes().clone()), Deleted::Collected)
                .unwrap(),
        );
        assert_eq!(shows(&mut replica), text);
        // Who hears the pieces in order has the same.
        let pieces = applied.pieces.into_iter().filter_map(|piece| piece.update);
        let pieces: Vec<Bytes> = [letter_of_another().bytes().clone()].into_iter().chain(pieces).collect();
        assert!(pieces.len() > 3, "{} pieces", pieces.len());
        let mut reader = Replica::load(&pieces, Deleted::Collected).unwrap();
        assert_eq!(shows(&mut reader), text);
        assert_eq!(replica.state().unwrap(), reader.state().unwrap());
        // Sent again it changes nothing, and is acknowledged as whole.
        let again = replica.apply_dear(&update).unwrap();
        assert_eq!(again.verdict, Verdict::Complete);
        assert!(again.pieces.iter().all(|piece| piece.update.is_none()));
    }

    #[test]
    fn deletions_come_with_what_they_delete_and_no_more_of_them_than_may() {
        let (_, update) = long_session(3, 6000);
        let mut pieces = update.pieces(|_| 0);
        let (mut reached, mut ranges) = (0, 0);
        while let Some(piece) = pieces.next(|_| reached, 256) {
            reached = piece.sections()[0].end;
            assert!(piece.ranges() <= 256 && piece.deletes_within(|_| reached));
            ranges += piece.ranges();
        }
        // One that spans two pieces is given out in two.
        assert!(ranges >= update.ranges(), "{ranges} of {}", update.ranges());

        // One struct of which more is deleted than may come in one piece.
        let (letters, most) = (1000, 16);
        let mut bytes = vec![1, 1, 7, 0, 4, 1, 1, b't'];
        wire::put_uint(&mut bytes, letters);
        bytes.extend(std::iter::repeat_n(b'x', letters as usize));
        bytes.extend([1, 7]);
        wire::put_uint(&mut bytes, letters / 2);
        for at in 0..letters / 2 {
            wire::put_uint(&mut bytes, 2 * at);
            wire::put_uint(&mut bytes, 1);
        }
        let update = check(bytes);
        let mut pieces = update.pieces(|_| 0);
        let mut ranges = vec![pieces.next(|_| 0, most).unwrap().ranges()];
        while let Some(piece) = pieces.next(|_| letters as u32, most) {
            assert!(piece.sections().is_empty());
            ranges.push(piece.ranges());
        }
        assert!(ranges.iter().all(|&ranges| ranges <= most), "{ranges:?}");
        assert_eq!(ranges.iter().sum::<usize>() as u64, letters / 2);
        // As much as in one go.
        let mut replica = Replica::default();
        assert_eq!(replica.apply_dear(&update).unwrap().verdict, Verdict::Complete);
        assert_eq!(shows(&mut replica), "x".repeat(letters as usize / 2));
    }

    #[test]
    fn what_builds_upon_something_missing_is_taken_as_far_as_it_goes() {
        let (_, update) = long_session(2, 6000);
        let mut replica = Replica::default();
        let some = update.pieces(|_| 0).next(|_| 0, 3000).unwrap();
        let end = some.sections()[0].end;
        // The rest, to a document that has not got those.
        let mut writer = Replica::default();
        writer.apply(&[&update]).unwrap();
        let known = StateVector::new([(some.sections()[0].client, end)].into_iter().collect());
        let rest = check(writer.difference(&known).unwrap().to_vec());
        assert_eq!(replica.apply_dear(&rest).unwrap().verdict, Verdict::Incomplete);
        assert!(replica.is_empty());
        assert_eq!(replica.apply_dear(&some).unwrap().verdict, Verdict::Complete);
        assert_eq!(replica.apply_dear(&rest).unwrap().verdict, Verdict::Complete);
        assert_eq!(shows(&mut replica), shows(&mut writer));
    }

    #[test]
    fn what_costs_far_more_than_its_size_is_worth_is_refused_and_what_was_taken_is_whole() {
        let update = crowd_at_one_spot(16_000);
        let mut replica = Replica::default();
        let begun = replica.apply(&[&elsewhere()]).unwrap();
        let applied = replica.apply_dear(&update).unwrap();
        assert_eq!(applied.verdict, Verdict::TooDear);
        let pieces = std::iter::once(begun).chain(applied.pieces);
        let pieces: Vec<Bytes> = pieces.filter_map(|piece| piece.update).collect();
        let taken = Replica::load(&pieces, Deleted::Collected).unwrap().state().unwrap();
        assert_eq!(taken, replica.state().unwrap());
        let taken = check(taken.to_vec());
        assert!((1000..16_000).contains(&taken.sections().len()), "{} authors", taken.sections().len());
    }

    #[test]
    fn no_piece_is_larger_than_one_that_is_applied_at_once() {
        // One key, written again and again by somebody who never saw it: each is compared with all before.
        const TIMES: usize = 400_000;
        let mut bytes = vec![1];
        wire::put_uint(&mut bytes, TIMES as u64);
        bytes.extend([1, 0]);
        for _ in 0..TIMES {
            bytes.extend([0x28, 1, 1, b'm', 1, b'k', 1, 125, 1]);
        }
        bytes.push(0);
        let mut replica = Replica::default();
        replica.apply(&[&elsewhere()]).unwrap();
        let applied = replica.apply_dear(&check(bytes)).unwrap();
        assert_eq!(applied.verdict, Verdict::TooDear, "all the rest is worth nothing for what comes first");
        let pieces = applied.pieces.iter().filter_map(|piece| piece.update.clone());
        let sizes: Vec<_> = pieces.map(|piece| parts(&check(piece.to_vec()))).collect();
        assert!(sizes.iter().all(|&size| size <= 2 * LARGE), "{sizes:?}");
        assert!(sizes.iter().sum::<usize>() < TIMES / 2, "{sizes:?}");
    }

    #[test]
    fn two_who_put_thousands_of_entries_on_top_of_one_list_are_both_taken() {
        let prepends = |client: u64| {
            let doc = Doc::with_client_id(client);
            let array = doc.get_or_insert_array("a");
            for n in 0..4000 {
                array.insert(&mut doc.transact_mut(), 0, n);
            }
            check(doc.transact().encode_state_as_update_v1(&StateVector::default()))
        };
        let (ann, bob) = (prepends(1), prepends(2));
        for order in [[&ann, &bob], [&bob, &ann]] {
            let mut replica = Replica::default();
            for update in order {
                assert_eq!(replica.apply_dear(update).unwrap().verdict, Verdict::Complete);
            }
        }
    }

    /// So much as somebody may take here.
    fn here(there: Duration) -> Duration {
        there.mul_f64(speed::slowness())
    }

    #[test]
    fn a_document_is_made_dear_only_once_and_its_state_fits_into_another() {
        let mut replica = Replica::default();
        replica.apply(&[&elsewhere()]).unwrap();
        let mut verdicts = Vec::new();
        for client in 0..6 {
            let applied = replica.apply_dear(&one_key(20 + client, b'a' + client, 50_000)).unwrap();
            verdicts.push(applied.verdict);
            if client == 2 {
                // Opened again, by somebody who cannot know.
                replica = Replica::load([&replica.state().unwrap()], Deleted::Collected).unwrap();
            }
        }
        assert_eq!(verdicts[0], Verdict::TooDear, "{verdicts:?}");
        assert!(verdicts[2..].iter().all(|&verdict| verdict == Verdict::DocumentTooDear), "{verdicts:?}");
        assert!(replica.held.total() >= here(LIFE), "{:?}", replica.held);
        let state = replica.state().unwrap();
        let held = excess_of(&state, Deleted::Collected).unwrap();
        assert!(held < here(EXCESS), "{held:?}");
        // What is worth its cost is taken as before, large or small, and is nothing that would be measured again.
        replica.measure().unwrap();
        assert_eq!(replica.apply(&[&letter_of_another()]).unwrap().verdicts[0], Verdict::Complete);
        let (_, session) = long_session(1, 6000);
        assert_eq!(replica.apply_dear(&session).unwrap().verdict, Verdict::Complete);
        assert!(!replica.held.may_be_less(), "{:?}", replica.held);
        assert_eq!(Replica::default().apply_dear(&check(state.to_vec())).unwrap().verdict, Verdict::Complete);
    }

    #[test]
    fn what_is_refused_begins_no_document() {
        let mut replica = Replica::default();
        let field = FieldName::parse("t").unwrap();
        replica.watch(&field).unwrap();
        let applied = replica.apply_dear(&crowd_at_one_spot(16_000)).unwrap();
        assert_eq!((applied.verdict, applied.pieces.len()), (Verdict::TooDear, 0));
        assert!(applied.excess > here(EXCESS) && applied.parts > 1000 && replica.is_empty());
        assert_eq!(replica.held.total(), Duration::ZERO);
        // Whoever listens hears what comes instead, and only that.
        replica.apply(&[&letter_of_another()]).unwrap();
        assert_eq!(
            replica.take_heard(),
            [(field, Some(vec![crate::document::plain_text::Delta::Insert("!".into())]))]
        );
    }

    #[test]
    fn what_is_dear_only_once_counts_only_until_it_is_measured() {
        // Each deletion copies what is behind it: the longer the text, the dearer, whatever the machine.
        const LETTERS: u32 = 4 << 20;
        const DELETED: u32 = LETTERS / 32;
        let mut bytes = vec![1, 1, 1, 0, 4, 1, 1, b't'];
        wire::put_uint(&mut bytes, LETTERS.into());
        bytes.extend("x".repeat(LETTERS as usize).bytes());
        bytes.push(0);
        let mut replica = Replica::default();
        replica.apply_dear(&check(bytes)).unwrap();
        // Every other letter, by itself.
        let mut bytes = vec![0, 1, 1];
        wire::put_uint(&mut bytes, u64::from(DELETED));
        for letter in 0..DELETED {
            wire::put_uint(&mut bytes, u64::from(2 * letter));
            bytes.push(1);
        }
        assert_eq!(replica.apply_dear(&check(bytes)).unwrap().verdict, Verdict::TooDear);
        assert!(replica.is_held_in_doubt() && !replica.is_as_dear_as_may_be());
        assert_eq!(replica.apply_dear(&letter_of_another()).unwrap().verdict, Verdict::Complete);
        assert!(!replica.is_held_in_doubt());
        assert!(replica.held.total() < here(LIFE / 4), "{:?}", replica.held);
    }

    #[test]
    fn a_few_bytes_that_delete_much_are_taken_piece_by_piece() {
        let deletion = |letters: u64| {
            let mut bytes = vec![0, 1, 7, 1, 0];
            wire::put_uint(&mut bytes, letters);
            check(bytes)
        };
        let all = deletion(100_000);
        assert_eq!((all.deleted(), parts(&all), is_large(&all)), (100_000, 1, false));
        let (mut pieces, mut end) = (all.pieces(|_| 100_000), 0);
        let mut sizes = Vec::new();
        while let Some(piece) = pieces.next(|_| 100_000, LARGE) {
            assert!(piece.deletes_only(|client, start, until| {
                let goes_on = (client.get(), start) == (7, end);
                end = until;
                goes_on
            }));
            sizes.push(piece.deleted());
        }
        assert_eq!((sizes.iter().sum::<u64>(), u64::from(end)), (100_000, 100_000));
        assert!(sizes.len() < 10 && sizes[0] <= 512, "{sizes:?}");
        assert!(sizes.windows(2).rev().skip(1).all(|pair| pair[1] == 2 * pair[0]), "{sizes:?}");

        // What is a lot depends on how many structs there are to be moved.
        let mut replica = Replica::default();
        assert!(!replica.deletes_much(&deletion(2000)) && replica.deletes_much(&all));
        let text = written_through(100_000, 99_999);
        replica.apply_dear(&text).unwrap();
        assert!(replica.deletes_much(&deletion(2000)) && !replica.deletes_much(&deletion(20)));
        let applied = replica.apply_dear(&all).unwrap();
        assert!(applied.pieces.len() > 2, "{}", applied.pieces.len());
        let taken = applied.pieces.iter().filter_map(|piece| piece.update.clone());
        let taken: u64 = taken.map(|piece| check(piece.to_vec()).deleted()).sum();
        assert!(taken > 0 && (applied.verdict == Verdict::TooDear || taken >= 90_000), "{taken}");
    }
}
