//! Large updates, applied piece by piece and only as long as they cost what their size is worth.
//!
//! Some are seen to be only large, and are applied as a whole: what somebody wrote in years, two million letters all over a
//! text, yrs takes in a second, but what it joined behind one piece it would have to cut for the next, and move all that comes
//! after.
//!
//! yrs integrates most structs in a few microseconds. Some it compares with all others at the same place, and it makes room
//! for each deleted range by moving what comes after: 256 KB of 16,000 authors at one spot took 37 s, 2 MB of deletions
//! 14 s. What a struct will cost does not show in the bytes, so it is measured: past the allowance the rest is refused.
//! What was applied by then is whole and stays.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use yrs::Transact as _;

use super::{Applied, Poisoned, Replica, Verdict, known, processor_time, speed};
use crate::protocol::guard::Update;

/// Structs and ranges from which on an update is applied so, and of a piece at most. Below, the worst case takes some tens
/// of milliseconds.
const LARGE: usize = 2048;
/// Bytes from which on it is, however few structs they are: fifty megabytes in one piece take a second.
const LARGE_BYTES: usize = 256 * 1024;
/// The first piece. What comes next is larger while pieces are quick, and smaller when they are not: in a text where
/// 16,000 have written at one spot, 2,048 more of them take seconds.
const FIRST: usize = 256;
const SMALLEST: usize = 16;
/// What a piece should take.
const SLICE: Duration = Duration::from_millis(20);
/// What an update is worth in the processor's time, and what more for each struct or range, and for each byte. Honest
/// updates take a tenth of that.
const WORTH: Duration = Duration::from_micros(100);
const PER_PART: Duration = Duration::from_micros(20);
const PER_BYTE: Duration = Duration::from_nanos(200);
/// What it takes to move a struct out of the way of another.
const PER_MOVE: Duration = Duration::from_nanos(2);
/// What a large update may take beyond what it is worth, because honest ones do: two people who each put 4,000 entries on
/// top of one list while they were offline take a second, here and in every browser, where each entry is compared with
/// each. Not more, because whoever loads or reads the document takes that time again.
pub const EXCESS: Duration = Duration::from_millis(1500);

/// How many structs and ranges an update has.
pub fn parts(update: &Update) -> usize {
    update.structs() + update.ranges()
}

/// What an update of this size is worth in this processor's time.
pub fn worth(update: &Update) -> Duration {
    worth_of(parts(update), update.bytes().len())
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
}

impl AppliedDear {
    /// The processor's time that all pieces took.
    pub fn took(&self) -> Duration {
        self.pieces.iter().map(|piece| piece.took).sum()
    }
}

impl Replica {
    /// Applies a large update as far as it integrates and does not cost more than its size is worth.
    pub fn apply_dear(&mut self, update: &Update) -> Result<AppliedDear, Poisoned> {
        // Whatever breaks costs this document its replica, and not the thread.
        let applied = catch_unwind(AssertUnwindSafe(|| self.apply_pieces(update)));
        applied.unwrap_or_else(|panic| Err(self.poison(&*panic)))
    }

    fn apply_pieces(&mut self, update: &Update) -> Result<AppliedDear, Poisoned> {
        #[cfg(feature = "test-hooks")]
        super::panic_if_asked(update, super::PANIC_APART_ROOT);
        if self.is_only_large(update)? {
            // What it costs is known, and in pieces it would be more.
            let done = self.apply(&[update])?;
            let verdict = done.verdicts.first().copied().unwrap_or(Verdict::Complete);
            return Ok(AppliedDear { pieces: vec![done], verdict });
        }
        // What was taken counts, not what is still to come: the rest of a large update buys no time for what is dear in it.
        let mut allowance = EXCESS.mul_f64(speed::slowness());
        let begun = processor_time();
        if super::is_time_to_look(self.new_types, update) {
            if self.contain(|doc, _| super::is_nested_too_deep(&doc.transact()))? {
                return Ok(AppliedDear { pieces: Vec::new(), verdict: Verdict::Malformed });
            }
            self.new_types = 0;
        }
        let is_over = |allowance| processor_time().saturating_sub(begun) > allowance;
        let mut size = Size(FIRST);
        let mut applied = Vec::new();
        let mut pieces = update.pieces(|client| known(&self.clocks, client));
        while let Some(piece) = pieces.next(|client| known(&self.clocks, client), size.0) {
            if is_over(allowance) {
                return Ok(AppliedDear { pieces: applied, verdict: Verdict::TooDear });
            }
            allowance += worth(&piece);
            let done = self.apply_batch(&[&piece], true)?;
            size.adapt(done.took);
            let is_malformed = done.verdicts.contains(&Verdict::Malformed);
            applied.push(done);
            if is_malformed {
                return Ok(AppliedDear { pieces: applied, verdict: Verdict::Malformed });
            }
        }
        let is_here =
            update.sections().iter().all(|section| section.end <= known(&self.clocks, section.client));
        let is_whole = is_here && update.deletes_within(|client| known(&self.clocks, client));
        let verdict = if is_whole { Verdict::Complete } else { Verdict::Incomplete };
        Ok(AppliedDear { pieces: applied, verdict })
    }

    /// Whether it shows that an update costs no more than its size is worth, applied as a whole.
    fn is_only_large(&mut self, update: &Update) -> Result<bool, Poisoned> {
        if update.sections().iter().any(|section| known(&self.clocks, section.client) > 0) {
            return Ok(false);
        }
        let roots = self.roots()?;
        Ok(update.moves_as_a_whole(|root| !roots.contains(root)).is_some_and(|moves| {
            // The rest is for applying it.
            PER_MOVE.as_secs_f64() * moves as f64 <= worth(update).as_secs_f64() / 4.0
        }))
    }
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
    use bytes::Bytes;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use yrs::{Array, Doc, GetString, Map, ReadTxn, StateVector, Text, Transact, updates::decoder::Decode};

    use super::*;
    use crate::document::deleted::Deleted;
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
            let moves = update.moves_as_a_whole(|_| true).expect("nothing is compared, nothing cut");
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
        let applied = replica.apply_dear(&update).unwrap();
        assert_eq!(applied.verdict, Verdict::TooDear);
        let pieces: Vec<Bytes> = applied.pieces.into_iter().filter_map(|piece| piece.update).collect();
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
        let applied = Replica::default().apply_dear(&check(bytes)).unwrap();
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
}
