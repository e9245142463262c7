//! The CRDT of a document, against real updates in every order, panics, and what the store may hand back.

use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use yrs::{
    Any, Array, ArrayPrelim, Text, Update as DecodedUpdate, WriteTxn, Xml, XmlElementPrelim, XmlFragment,
    XmlTextPrelim, types::Attrs, updates::decoder::Decode,
};

use super::*;
use crate::document::testing::{Writer, check, in_words, text_of};

impl Replica {
    /// Panics as yrs would, for tests of what follows.
    pub(in crate::document) fn break_down(&mut self) {
        let panicked = self.contain(|doc, _| {
            // As in `apply`: the transaction stays open.
            let _txn = ManuallyDrop::new(doc.transact_mut());
            panic!("broken on purpose");
        });
        assert!(panicked.is_err_and(|Poisoned(what)| what == "broken on purpose"));
    }

    fn apply_one(&mut self, update: impl Into<Bytes>) -> (Verdict, Option<Bytes>) {
        let applied = self.apply(&[&check(update)]).unwrap();
        (applied.verdicts[0], applied.update)
    }

    fn text(&mut self) -> String {
        text_of([&self.state().unwrap()])
    }
}

fn words(update: &[u8]) -> String {
    in_words(update, &|client| client.get().to_string())
}

fn vector_of(replica: &mut Replica) -> StateVector {
    StateVector::decode_v1(&replica.vector()).unwrap()
}

// ---- applying ---------------------------------------------------------------------------------------------

#[test]
fn a_batch_is_one_update_and_every_update_has_its_verdict() {
    let (ann, bob) = (Writer::new(1), Writer::new(2));
    let hello = ann.insert(0, "hello");
    bob.receive(&hello);
    let world = bob.insert(5, " world");
    let lost = ann.insert(5, "?");
    let after_lost = ann.insert(6, "!");
    let mut replica = Replica::default();
    let batch = [check(hello), check(world), check(after_lost)];
    let applied = replica.apply(&batch.each_ref()).unwrap();
    assert_eq!(applied.verdicts.as_slice(), [Verdict::Complete, Verdict::Complete, Verdict::Incomplete]);
    assert_eq!(applied.before.as_slice(), [(ClientId::new(1), 0), (ClientId::new(2), 0)]);
    assert_eq!(words(&applied.update.unwrap()), "1 0..5, 2 0..6");
    assert_eq!(replica.text(), "hello world");
    // What was missing comes, and the rest can follow.
    assert_eq!(replica.apply_one(lost).0, Verdict::Complete);
    assert_eq!(replica.apply_one(ann.state()).0, Verdict::Complete);
    assert_eq!(replica.text(), ann_and_world(&ann, &bob));
}

fn ann_and_world(ann: &Writer, bob: &Writer) -> String {
    ann.receive(&bob.state());
    ann.text()
}

#[test]
fn what_is_known_changes_nothing() {
    let ann = Writer::new(1);
    let mut replica = Replica::default();
    let updates =
        [ann.insert(0, "hello"), ann.remove(1, 2), ann.set("key", "value"), ann.set("key", "other")];
    for update in &updates {
        let (verdict, passed_on) = replica.apply_one(update.clone());
        assert_eq!(verdict, Verdict::Complete);
        assert_eq!(passed_on.unwrap().as_ptr(), update.as_ptr(), "a single change travels on as it came");
    }
    for update in updates.into_iter().chain([ann.state(), Bytes::from_static(&[0, 0])]) {
        assert_eq!(replica.apply_one(update.clone()), (Verdict::Complete, None), "{}", words(&update));
    }
}

#[test]
fn what_is_news_in_part_travels_on_without_the_rest() {
    let ann = Writer::new(1);
    let mut replica = Replica::default();
    replica.apply_one(ann.insert(0, "hello"));
    ann.insert(5, " world");
    let (verdict, passed_on) = replica.apply_one(ann.state());
    assert_eq!(verdict, Verdict::Complete);
    assert_eq!(words(&passed_on.unwrap()), "1 5..11");
}

#[test]
fn a_large_step_2_travels_on_only_as_far_as_it_is_news() {
    let ann = Writer::new(1);
    let mut replica = Replica::default();
    for _ in 0..400 {
        ann.insert(0, "deleted ");
        replica.apply_one(ann.state());
        ann.remove(0, 7);
    }
    replica.apply_one(ann.state());
    ann.insert(0, &"long ".repeat(1000));
    let vector = vector_of(&mut replica);
    let step_2 = ann.difference(&vector);
    let (_, passed_on) = replica.apply_one(step_2.clone());
    assert!(passed_on.unwrap().len() < 5100, "of {}", step_2.len());
}

#[test]
fn an_update_beyond_a_gap_is_left_out_and_nothing_stays_pending() {
    let ann = Writer::new(1);
    let _lost = ann.set("first", "lost");
    let second = ann.set("second", "kept");
    let mut replica = Replica::default();
    assert_eq!(replica.apply_one(second), (Verdict::Incomplete, None));
    assert!(replica.is_empty());
    assert_eq!(replica.vector().as_ref(), [0]);
    assert_eq!(replica.apply_one(ann.state()).0, Verdict::Complete);
    assert_eq!(vector_of(&mut replica), ann.vector());
}

#[test]
fn what_yrs_refuses_is_malformed_and_the_clocks_stay_true() {
    let ann = Writer::new(1);
    let mut replica = Replica::default();
    replica.apply_one(ann.insert(0, "hello"));
    // Client 2: text inside a text's character, which is no type; before it, a sound piece by client 3.
    let bad = [2, 1, 3, 0, 4, 1, 4, b't', b'e', b'x', b't', 1, b'c', 1, 2, 0, 4, 0, 1, 0, 1, b'x', 0];
    let applied = replica.apply(&[&check(bad.to_vec()), &check(ann.insert(5, "!"))]).unwrap();
    assert_eq!(applied.verdicts.as_slice(), [Verdict::Malformed, Verdict::Complete]);
    let known = vector_of(&mut replica);
    let mut reloaded = Replica::load([&replica.state().unwrap()], Deleted::Collected).unwrap();
    assert_eq!(vector_of(&mut reloaded), known, "the clocks kept by hand are those of the document");
    assert!(replica.text().contains("hello!"));
    // What was passed on brings another replica to the same place.
    let mut other = Replica::default();
    let first = Writer::new(1).insert(0, "hello");
    other.apply_one(first);
    other.apply_one(applied.update.unwrap());
    assert_eq!(vector_of(&mut other), known);
    assert_eq!(other.text(), replica.text());
}

// ---- encodings ------------------------------------------------------------------------------------------

#[test]
fn encodings_are_made_once_until_the_next_change() {
    let ann = Writer::new(1);
    let mut replica = Replica::default();
    replica.apply_one(ann.insert(0, "hello"));
    let some = ann.vector();
    replica.apply_one(ann.insert(5, " world"));
    let same = |left: Bytes, right: Bytes| left.as_ptr() == right.as_ptr();
    assert!(same(replica.state().unwrap(), replica.state().unwrap()));
    assert!(same(replica.vector(), replica.vector()));
    assert!(same(replica.difference(&some).unwrap(), replica.difference(&some).unwrap()));
    assert!(same(replica.difference(&StateVector::default()).unwrap(), replica.state().unwrap()));

    let before = (replica.state().unwrap(), replica.vector(), replica.difference(&some).unwrap());
    assert_eq!(replica.apply_one(ann.state()).1, None);
    assert!(same(before.0.clone(), replica.state().unwrap()), "nothing changed");
    replica.apply_one(ann.remove(0, 1));
    assert_ne!(before.0, replica.state().unwrap(), "a deletion is a change");
    assert_ne!(before.2, replica.difference(&some).unwrap());
    replica.apply_one(ann.insert(0, "J"));
    assert_ne!(before.1, replica.vector());
}

#[test]
fn a_state_vector_is_the_same_question_in_whatever_order_it_came() {
    let mut replica = Replica::default();
    for client in 1..41 {
        replica.apply_one(Writer::new(client).set(&client.to_string(), "here"));
    }
    let vector = |clients: Vec<u64>| -> StateVector {
        clients.into_iter().map(|client| (ClientId::new(client), 1)).collect()
    };
    let (up, down) = (vector((2..41).collect()), vector((2..41).rev().collect()));
    assert_eq!(
        replica.difference(&up).unwrap().as_ptr(),
        replica.difference(&down).unwrap().as_ptr(),
        "encoded twice"
    );
}

#[test]
fn few_differences_are_kept() {
    let ann = Writer::new(1);
    let mut replica = Replica::default();
    replica.apply_one(ann.insert(0, "hello, world"));
    let vector = |clock| StateVector::from_iter([(ClientId::new(1), clock)]);
    let differences: Vec<_> = (1..=9).map(|clock| replica.difference(&vector(clock)).unwrap()).collect();
    assert_eq!(replica.cache.differences.len(), KEPT_DIFFERENCES);
    assert_eq!(replica.difference(&vector(9)).unwrap().as_ptr(), differences[8].as_ptr());
    assert_ne!(replica.difference(&vector(1)).unwrap().as_ptr(), differences[0].as_ptr());
    for (clock, difference) in (1..=9).zip(&differences) {
        assert_eq!(words(difference), format!("1 {clock}..12"));
    }
}

#[test]
fn a_difference_brings_everything_with_all_deletions() {
    let (ann, bob) = (Writer::new(1), Writer::new(2));
    let mut replica = Replica::default();
    let hello = ann.insert(0, "hello");
    bob.receive(&hello);
    replica.apply_one(hello);
    replica.apply_one(ann.remove(0, 2));
    bob.receive(&replica.difference(&bob.vector()).unwrap());
    assert_eq!(bob.text(), "llo");
    // Somebody who has more than we have lacks nothing.
    bob.insert(0, "ahead");
    assert_eq!(words(&replica.difference(&bob.vector()).unwrap()), "1 0..2 deleted");
}

#[test]
fn a_lag_is_made_up_for_with_one_difference() {
    let (ann, bob, cat) = (Writer::new(1), Writer::new(2), Writer::new(3));
    let mut replica = Replica::default();
    for update in [ann.insert(0, "ann "), bob.insert(0, "bob ")] {
        replica.apply_one(update.clone());
        cat.receive(&update);
    }
    // What Cat misses: more by Ann, a deletion of Bob's, and everything by a newcomer.
    replica.apply_one(ann.insert(4, "again "));
    replica.apply_one(bob.remove(0, 1));
    replica.apply_one(Writer::new(4).insert(0, "dan "));
    let lag = Lag::from([(ClientId::new(1), 4), (ClientId::new(4), 0)]);
    let difference = make_up(&mut replica, &lag).unwrap();
    assert_eq!(words(&difference), "1 4..10, 2 0..1 deleted, 4 0..4");
    cat.receive(&difference);
    assert_eq!(cat.text(), replica.text());
    // A lag of deletions alone.
    assert_eq!(words(&make_up(&mut replica, &Lag::new()).unwrap()), "2 0..1 deleted");
}

/// What a session lacks that has everything except `lag`.
fn make_up(replica: &mut Replica, lag: &Lag) -> Result<Bytes, Poisoned> {
    replica.difference(&replica.vector_before(lag))
}

#[test]
fn a_hundred_clients_are_one_document() {
    let mut replica = Replica::default();
    let updates: Vec<_> = (1..=100).map(|client| Writer::new(client).insert(0, "x")).map(check).collect();
    let applied = replica.apply(&updates.iter().collect::<Vec<_>>()).unwrap();
    assert!(applied.verdicts.iter().all(|verdict| *verdict == Verdict::Complete));
    assert_eq!(applied.before.len(), 100);
    assert_eq!(vector_of(&mut replica).len(), 100);
    assert_eq!(replica.text().len(), 100);
    let mut reloaded = Replica::load([&replica.state().unwrap()], Deleted::Collected).unwrap();
    assert_eq!(vector_of(&mut reloaded), vector_of(&mut replica));
}

// ---- panics ----------------------------------------------------------------------------------------------

#[test]
fn a_panic_poisons_the_replica_and_nothing_else() {
    let ann = Writer::new(1);
    let mut replica = Replica::default();
    replica.apply_one(ann.insert(0, "hello"));
    // Answers that were encoded before must not outlive it.
    replica.state().unwrap();
    replica.difference(&ann.vector()).unwrap();
    let mut bystander = Replica::load([&replica.state().unwrap()], Deleted::Collected).unwrap();
    replica.break_down();
    let update = check(ann.insert(5, "!"));
    assert!(replica.apply(&[&update]).is_err());
    assert!(replica.state().is_err());
    assert!(replica.difference(&StateVector::default()).is_err());
    assert!(replica.difference(&ann.vector()).is_err());
    assert!(make_up(&mut replica, &Lag::new()).is_err());
    assert!(replica.title().is_err());
    // Its clocks are plain numbers, and still tell a client what to send.
    assert_eq!(words(&ann.difference(&vector_of(&mut replica))), "1 5..6");
    drop(replica);
    assert_eq!(bystander.apply_one(update.bytes().clone()).0, Verdict::Complete);
    assert_eq!(bystander.text(), "hello!");
}

#[test]
fn a_poisoned_document_is_leaked_with_its_open_transaction() {
    let mut replica = Replica::default();
    // A clone that lives on shows whether the original was committed or dropped.
    let doc = replica.doc.clone().unwrap();
    replica.break_down();
    drop(replica);
    assert!(doc.try_transact_mut().is_err(), "the transaction was ended, which commits");
}

// ---- loading -----------------------------------------------------------------------------------------------

#[test]
fn what_is_not_an_update_is_undecodable() {
    let sound = Writer::new(1).insert(0, "hello");
    for bytes in [Bytes::from_static(b"\xff\xff"), sound.slice(..sound.len() - 3), Bytes::new()] {
        let loaded = Replica::load([&sound, &bytes], Deleted::Collected);
        assert!(matches!(loaded, Err(Unloadable::Undecodable(_))), "{bytes:?}");
    }
}

/// `hello` by one, ` world` by another who saw it, of which only the second was stored: everything that
/// was acknowledged is there, and none of it can be seen. Such a document is refused, never shown as empty.
#[test]
fn what_builds_upon_something_missing_is_incomplete() {
    let (ann, bob) = (Writer::new(1), Writer::new(2));
    let hello = ann.insert(0, "hello");
    bob.receive(&hello);
    let world = bob.insert(5, " world");
    assert!(matches!(Replica::load([&world], Deleted::Collected), Err(Unloadable::Incomplete)));
    assert!(
        matches!(Replica::load([&bob.remove(0, 1)], Deleted::Collected), Err(Unloadable::Incomplete)),
        "a deletion"
    );
    assert_eq!(Replica::load([&world, &hello], Deleted::Collected).unwrap().text(), "hello world");
}

/// The same with one author: yrs integrates what lies beyond the hole, and calls nothing pending.
#[test]
fn a_hole_in_an_authors_updates_is_incomplete() {
    let ann = Writer::new(1);
    let updates = [ann.set("a", "1"), ann.set("b", "2"), ann.set("c", "3"), ann.set("d", "4")];
    assert!(
        matches!(Replica::load(&updates[1..], Deleted::Collected), Err(Unloadable::Incomplete)),
        "at the front"
    );
    let holed = [&updates[0], &updates[2], &updates[3]];
    assert!(matches!(Replica::load(holed, Deleted::Collected), Err(Unloadable::Incomplete)), "in the middle");
    assert_eq!(vector_of(&mut Replica::load(&updates, Deleted::Collected).unwrap()), ann.vector());
    let reversed = Replica::load(updates.iter().rev(), Deleted::Collected);
    assert_eq!(vector_of(&mut reversed.unwrap()), ann.vector(), "the order does not matter");
}

/// Why states are stored with `encode_state_as_update_v1` and never as a difference: the one keeps what waits
/// for something missing, the other drops it for ever.
#[test]
fn a_state_keeps_what_waits_and_a_difference_drops_it() {
    let (ann, bob) = (Writer::new(1), Writer::new(2));
    let hello = ann.insert(0, "hello");
    bob.receive(&hello);
    let world = bob.insert(5, " world");
    let store = Writer::new(3);
    store.receive(&world);
    assert!(store.is_waiting());
    assert_eq!(text_of([&store.state(), &hello]), "hello world");
    assert_eq!(text_of([&store.difference(&StateVector::default()), &hello]), "hello");
    // Nothing ever waits in a replica. If yrs were wrong about that, its state would still hold it.
    let mut replica = Replica::default();
    let waits = replica.contain(|doc, _| {
        let mut txn = doc.transact_mut();
        txn.apply_update(DecodedUpdate::decode_v1(&world).unwrap()).unwrap();
        txn.has_missing_updates()
    });
    assert!(waits.unwrap());
    assert_eq!(text_of([&replica.state().unwrap(), &hello]), "hello world");
}

#[test]
fn a_long_log_is_loaded_in_several_transactions() {
    let ann = Writer::new(1);
    let log: Vec<_> = (0..3 * LOADED_TOGETHER as u32 + 1).map(|at| ann.insert(at, "x")).collect();
    let mut replica = Replica::load(&log, Deleted::Collected).unwrap();
    assert_eq!(vector_of(&mut replica), ann.vector());
    assert_eq!(replica.text(), ann.text());
    // What is incomplete after the first transaction may be whole after the last.
    let (tail, head) = log.split_at(log.len() / 2);
    let turned = Replica::load(head.iter().chain(tail), Deleted::Collected).unwrap();
    assert_eq!(turned.clocks, replica.clocks);
}

#[test]
fn a_document_with_a_title_says_so() {
    let mut replica = Replica::load([&titled("  Minutes ")], Deleted::Collected).unwrap();
    assert_eq!(replica.title().unwrap().as_deref(), Some("Minutes"));
    assert_eq!(Replica::default().title().unwrap(), None);
    assert_eq!(Replica::load([&titled(" ")], Deleted::Collected).unwrap().title().unwrap(), None, "blank");
    let long = titled(&"ä".repeat(300));
    assert_eq!(
        Replica::load([&long], Deleted::Collected).unwrap().title().unwrap().unwrap().chars().count(),
        256
    );
    assert_eq!(check(titled("new")).sections()[0].start, 0, "as if by a client");
}

#[test]
fn a_document_that_says_what_it_is_is_believed() {
    let of = |kind: Any| {
        let update = Writer::new(3).edit(|_, txn| txn.set_in_map("meta", "kind", kind));
        Replica::load([&update], Deleted::Collected).unwrap().kind().unwrap()
    };
    assert_eq!(of(Any::from("board")).as_deref(), Some("board"));
    assert_eq!(of(Any::from("something newer")).as_deref(), Some("something newer"));
    assert_eq!(of(Any::from("")), None);
    assert_eq!(of(Any::from("x".repeat(65))), None);
    assert_eq!(of(Any::from(7)), None);
    assert_eq!(Replica::default().kind().unwrap(), None);
}

#[test]
fn a_title_that_is_no_string_is_none() {
    let ann = Writer::new(1);
    let text_named_meta = ann.edit(|doc, txn| {
        let _ = doc;
        txn.get_or_insert_text_named("meta", "not a map");
    });
    let mut replica = Replica::load([&text_named_meta], Deleted::Collected).unwrap();
    assert_eq!(replica.title().unwrap(), None);
    let number = Writer::new(2).edit(|_, txn| txn.set_in_map("meta", "title", Any::from(7)));
    assert_eq!(Replica::load([&number], Deleted::Collected).unwrap().title().unwrap(), None);
    // Looking for a title must not change what the document is.
    assert_eq!(text_in(&replica.state().unwrap(), "meta"), "not a map");
}

fn text_in(state: &Bytes, name: &str) -> String {
    use yrs::GetString;
    let doc = Doc::new();
    doc.transact_mut().apply_update(DecodedUpdate::decode_v1(state).unwrap()).unwrap();
    let text = doc.get_or_insert_text(name);
    text.get_string(&doc.transact())
}

/// Roots that a writer does not have from the start.
trait OtherRoots {
    fn get_or_insert_text_named(&mut self, name: &str, text: &str);
    fn set_in_map(&mut self, name: &str, key: &str, value: Any);
}

impl OtherRoots for yrs::TransactionMut<'_> {
    fn get_or_insert_text_named(&mut self, name: &str, text: &str) {
        use yrs::WriteTxn;
        self.get_or_insert_text(name).insert(self, 0, text);
    }

    fn set_in_map(&mut self, name: &str, key: &str, value: Any) {
        use yrs::WriteTxn;
        self.get_or_insert_map(name).insert(self, key, value);
    }
}

// ---- every order -------------------------------------------------------------------------------------------

/// Several writers edit text, map, array and XML, hearing each other now and then. Whatever the order and the
/// batches in which a replica gets their updates, asking again as the server does, all replicas are equal,
/// their encodings after a reload too, and each client that follows what the replica passes on is with them.
#[test]
fn histories_in_any_order_and_any_batches_end_alike() {
    let seeds = match std::env::var("WEFT_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (0..24).collect::<Vec<u64>>(),
    };
    for seed in seeds {
        println!("WEFT_SEED={seed}");
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let updates = history(&mut random);
        let expected = Writer::new(900);
        updates.iter().for_each(|update| expected.receive(update));
        assert!(!expected.is_waiting());

        let mut states = Vec::new();
        for _ in 0..3 {
            let mut shuffled = updates.clone();
            shuffled.shuffle(&mut random);
            let follower = Writer::new(901);
            let mut replica = Replica::default();
            deliver(shuffled, &mut replica, &follower, &mut random);
            assert_eq!(vector_of(&mut replica), expected.vector());
            assert_eq!(follower.vector(), expected.vector());
            assert!(!follower.is_waiting());
            assert_eq!(follower.state_again(), expected.state_again(), "what was passed on makes the same");
            let mut reloaded = Replica::load([&replica.state().unwrap()], Deleted::Collected).unwrap();
            assert_eq!(vector_of(&mut reloaded), vector_of(&mut replica));
            states.push(state_again(&replica.state().unwrap()));
            assert_eq!(state_again(&reloaded.state().unwrap()), states[0], "after a reload");
        }
        assert!(states.iter().all(|state| *state == expected.state_again()));
    }
}

/// Gives a replica updates in random batches. What it could not take whole comes again later.
fn deliver(mut updates: Vec<Bytes>, replica: &mut Replica, follower: &Writer, random: &mut ChaCha8Rng) {
    while !updates.is_empty() {
        let size = random.random_range(1..=updates.len().min(9));
        let batch: Vec<_> = updates.drain(..size).map(check).collect();
        let applied = replica.apply(&batch.iter().collect::<Vec<_>>()).unwrap();
        assert_eq!(applied.verdicts.len(), batch.len());
        if let Some(update) = &applied.update {
            follower.receive(update);
            assert!(!follower.is_waiting(), "what is passed on can be taken by who has all before it");
        }
        for (update, verdict) in batch.iter().zip(applied.verdicts) {
            if verdict == Verdict::Incomplete {
                updates.push(update.bytes().clone());
            }
        }
    }
}

fn history(random: &mut ChaCha8Rng) -> Vec<Bytes> {
    let writers: Vec<_> = (1..=4).map(Writer::new).collect();
    let mut updates: Vec<Bytes> = Vec::new();
    let mut heard = vec![0; writers.len()];
    for _ in 0..120 {
        let who = random.random_range(0..writers.len());
        if random.random_bool(0.3) {
            for update in &updates[heard[who]..] {
                writers[who].receive(update);
            }
            heard[who] = updates.len();
        }
        updates.push(random_edit(&writers[who], random));
    }
    updates
}

fn random_edit(writer: &Writer, random: &mut ChaCha8Rng) -> Bytes {
    use yrs::WriteTxn;
    let length = writer.length();
    let at = random.random_range(0..=length);
    match random.random_range(0..7) {
        0 | 1 => writer.insert(at, ["a", "bc", "ä", "word ", "\n"][random.random_range(0..5)]),
        2 if length > 0 => {
            let from = random.random_range(0..length);
            writer.remove(from, random.random_range(1..=(length - from).min(5)))
        }
        3 => writer.set(["x", "y", "z"][random.random_range(0..3)], "value"),
        4 => writer.edit(|_, txn| {
            let array = txn.get_or_insert_array("array");
            let at = random.random_range(0..=array.len(txn));
            array.insert(txn, at, ArrayPrelim::from([1, 2]));
            if array.len(txn) > 3 {
                array.remove_range(txn, 0, 2);
            }
        }),
        5 => writer.edit(|_, txn| {
            let xml = txn.get_or_insert_xml_fragment("xml");
            let paragraph = xml.push_back(txn, XmlElementPrelim::empty("paragraph"));
            paragraph.insert_attribute(txn, "level", random.random_range(1..4).to_string());
            paragraph.push_back(txn, XmlTextPrelim::new("text"));
        }),
        _ if length > 1 => writer.edit(|_, txn| {
            let bold = Attrs::from([("bold".into(), true.into())]);
            txn.get_text("text").unwrap().format(txn, at.min(length - 1), 1, bold);
        }),
        _ => writer.insert(0, "start "),
    }
}

impl Writer {
    fn state_again(&self) -> Vec<u8> {
        state_again(&self.state())
    }
}

/// A state read into a fresh document and written again. How the blocks are cut depends on the history of a
/// replica; reading brings neighbours together, so that equal documents become equal bytes.
fn state_again(state: &[u8]) -> Vec<u8> {
    let doc = Doc::new();
    doc.transact_mut().apply_update(DecodedUpdate::decode_v1(state).unwrap()).unwrap();
    let txn = doc.transact();
    txn.encode_state_as_update_v1(&StateVector::default())
}

// ---- edits of those without a replica ---------------------------------------------------------------------

fn field(name: &str) -> FieldName {
    FieldName::parse(name).unwrap()
}

#[test]
fn an_edit_is_an_update_that_everybody_can_apply() {
    let (mut replica, ann) = (Replica::default(), Writer::new(1));
    replica.apply_one(ann.insert(0, "a😀b")).1.unwrap();
    let edits = [Edit::Insert { at: 3, text: "漢" }, Edit::Remove { at: 0, length: 1 }];
    let applied = replica.edit(&field("text"), &edits).unwrap().unwrap();
    let own = applied.before[0].0;
    assert_eq!(applied.before.as_slice(), [(own, 0)]);
    ann.receive(&applied.update.unwrap());
    assert_eq!(ann.text(), "😀漢b");
    assert_eq!(replica.text(), "😀漢b");
    // The clocks are those of yrs, so that who asks is told no more and no less.
    assert_eq!(vector_of(&mut replica), ann.vector());
    assert_eq!(replica.difference(&ann.vector()).unwrap()[0], 0, "nothing new");
    let applied = replica.edit(&field("text"), &[Edit::Remove { at: 0, length: 2 }]).unwrap().unwrap();
    assert!(applied.before.is_empty(), "a deletion is no news of any client");
    ann.receive(&applied.update.unwrap());
    assert_eq!(ann.text(), "漢b");
    assert_eq!(replica.edit(&field("text"), &[]).unwrap().unwrap().update, None);
    // Loaded again, it is the same, and writes as somebody else.
    let mut again = Replica::load([&replica.state().unwrap()], Deleted::Collected).unwrap();
    let applied = again.edit(&field("text"), &[Edit::Insert { at: 2, text: "!" }]).unwrap().unwrap();
    assert_ne!(applied.before[0].0, own);
    ann.receive(&applied.update.unwrap());
    assert_eq!(ann.text(), "漢b!");
}

#[test]
fn an_edit_that_does_not_fit_poisons_the_replica_and_nothing_else() {
    let mut replica = Replica::default();
    assert!(replica.edit(&field("text"), &[Edit::Remove { at: 0, length: 1 }]).is_err());
    assert!(replica.state().is_err());
    assert!(replica.root_text(&field("text")).is_err());
}

#[test]
fn a_root_shows_its_characters_and_where_objects_stand() {
    let (mut replica, ann) = (Replica::default(), Writer::new(1));
    assert_eq!(replica.root_text(&field("none")).unwrap(), RootText::default());
    replica.apply_one(ann.insert(0, "a😀b"));
    let cat = || Any::from_json(r#"{"image":"cat"}"#).unwrap();
    replica.apply_one(ann.edit(|_, txn| {
        let text = txn.get_text("text").unwrap();
        text.insert_embed(txn, 3, cat());
        text.format(txn, 0, 1, Attrs::from([("bold".into(), true.into())]));
    }));
    let found = replica.root_text(&field("text")).unwrap();
    let text = PlainText { characters: "a😀b".into(), objects: vec!["a😀".len()] };
    assert_eq!(found, RootText { text, is_plain: true });
    // A string put in as an object cannot be told from text when the pieces are read.
    replica.apply_one(ann.edit(|_, txn| {
        txn.get_text("text").unwrap().insert_embed(txn, 0, Any::from("x"));
    }));
    let found = replica.root_text(&field("text")).unwrap();
    assert_eq!((found.text.characters.as_str(), found.is_plain), ("a😀b", false));
    assert_eq!(replica.shape(&field("text")).unwrap(), Some(Shape::Text));
    assert_eq!(replica.shape(&field("none")).unwrap(), None);
}

#[test]
fn what_becomes_of_a_watched_text_is_heard_once() {
    let (mut replica, ann) = (Replica::default(), Writer::new(1));
    let text = field("text");
    replica.watch(&text).unwrap();
    replica.watch(&field("other")).unwrap();
    replica.apply_one(ann.insert(0, "ab"));
    assert_eq!(replica.take_heard(), [(text.clone(), Some(vec![Delta::Insert("ab".into())]))]);
    assert_eq!(replica.take_heard(), []);
    replica.apply_one(ann.set("title", "x"));
    assert_eq!(replica.take_heard(), [], "a key of another root");
    replica.edit(&text, &[Edit::Insert { at: 1, text: "!" }]).unwrap();
    let expected = vec![Delta::Retain(1), Delta::Insert("!".into())];
    assert_eq!(replica.take_heard(), [(text.clone(), Some(expected))]);
    replica.unwatch(&text).unwrap();
    replica.apply_one(ann.insert(0, "c"));
    assert_eq!(replica.take_heard(), []);
}

#[test]
fn who_opens_a_map_as_text_takes_nothing_from_it() {
    let (mut replica, ann) = (Replica::default(), Writer::new(1));
    let set = |title: &str| {
        ann.edit(|_, txn| {
            txn.get_or_insert_map("meta").insert(txn, "title", title);
        })
    };
    replica.apply_one(set("before"));
    replica.watch(&field("meta")).unwrap();
    assert_eq!(replica.root_text(&field("meta")).unwrap().text, PlainText::default());
    replica.apply_one(set("after"));
    assert_eq!(replica.title().unwrap().as_deref(), Some("after"));
    let mut again = Replica::load([&replica.state().unwrap()], Deleted::Collected).unwrap();
    assert_eq!(again.title().unwrap().as_deref(), Some("after"));
}

// ---- what yrs cannot hold ---------------------------------------------------------------------------------

/// Ann's update: a subdocument with options under the key `docs`, and a hook in XML with a value under a key.
fn subdocument_and_hook() -> Bytes {
    let mut update = vec![1, 3, 5, 0];
    // What stands under a key of a map at the root.
    update.extend([0x29, 1, 1, b'm', 4]);
    update.extend(b"docs");
    update.extend([2, b'g', b'1', 118, 2, 2]);
    update.extend(b"gc");
    update.extend([121, 4]);
    update.extend(b"meta");
    update.extend([118, 1, 1, b'n', 125, 1]);
    update.extend([7, 1, 1, b'x', 5, 4]);
    update.extend(b"hook");
    update.extend([0x28, 0, 5, 1, 1, b'k', 1, 119, 1, b'v', 0]);
    update.into()
}

#[test]
fn subdocuments_and_hooks_leave_by_every_door_as_they_came() {
    let update = subdocument_and_hook();
    let mut replica = Replica::default();
    let (verdict, broadcast) = replica.apply_one(update.clone());
    assert_eq!((verdict, broadcast), (Verdict::Complete, Some(update.clone())));
    assert_eq!(replica.state().unwrap(), update);
    assert_eq!(make_up(&mut replica, &[(ClientId::new(5), 0)].into_iter().collect()).unwrap(), update);
    // Somebody has the first of the three.
    let known = StateVector::new([(ClientId::new(5), 1)].into_iter().collect());
    let rest = replica.difference(&known).unwrap();
    assert!(update.ends_with(&rest[4..]) && rest.len() < update.len(), "{rest:02x?}");
    assert_eq!(make_up(&mut replica, &[(ClientId::new(5), 1)].into_iter().collect()).unwrap(), rest);
    // In a batch of two, where the transaction says what has changed.
    let mut other = Replica::default();
    let typed = Writer::new(9).insert(0, "typed");
    let applied = other.apply(&[&check(update.clone()), &check(typed.clone())]).unwrap();
    let told = applied.update.unwrap();
    let mut reader = Replica::load([&told], Deleted::Collected).unwrap();
    assert_eq!(told, other.state().unwrap());
    assert_eq!(reader.state().unwrap(), told);
    // What is stored is as Yjs writes it, and is taken out again as it was.
    let mut loaded = Replica::load([&update, &typed], Deleted::Collected).unwrap();
    assert_eq!(loaded.state().unwrap(), told);
    let mut loaded = Replica::load([&replica.state().unwrap()], Deleted::Collected).unwrap();
    assert_eq!(loaded.state().unwrap(), update);
    assert!(loaded.contains(&check(update)).unwrap());
    // Piece by piece too.
    let mut dear = Replica::default();
    let pieces = dear.apply_dear(&check(told.clone())).unwrap().pieces;
    assert!(pieces.iter().all(|piece| piece.update.is_some()));
    assert_eq!(dear.state().unwrap(), told);
}

#[test]
fn deleted_subdocuments_and_hooks_leave_their_place() {
    let mut replica = Replica::default();
    replica.apply_one(subdocument_and_hook());
    let deletion = Bytes::from_static(&[0, 1, 5, 1, 0, 2]);
    assert_eq!(replica.apply_one(deletion.clone()), (Verdict::Complete, Some(deletion)));
    let state = replica.state().unwrap();
    assert!(!check(state.clone()).needs_stand_ins(), "{state:02x?}");
    assert_eq!(Replica::load([&state], Deleted::Collected).unwrap().state().unwrap(), state);
    // Where what is deleted is kept, so are they.
    let mut keeping = Replica::new(Deleted::Kept);
    keeping.apply_one(subdocument_and_hook());
    keeping.apply_one(Bytes::from_static(&[0, 1, 5, 1, 0, 2]));
    let kept = keeping.state().unwrap();
    let structs = |update: &Bytes| update.slice(..subdocument_and_hook().len() - 1);
    assert_eq!(structs(&kept), structs(&subdocument_and_hook()));
    // What is under a key of the hook went with it, and the whole comes again to no effect.
    assert_eq!(replica.apply_one(subdocument_and_hook()), (Verdict::Complete, None));
    assert_eq!(replica.state().unwrap(), state);
}

#[test]
fn what_looks_like_a_stand_in_is_what_its_author_made() {
    // As yrs would hold it: a subdocument and a hook.
    let looks = {
        let mut replica = Replica::default();
        replica.apply_one(subdocument_and_hook());
        let held =
            replica.contain(|doc, _| doc.transact().encode_state_as_update_v1(&StateVector::default()));
        Bytes::from(held.unwrap())
    };
    assert_ne!(looks, subdocument_and_hook());
    let mut replica = Replica::default();
    // And again with what came out, which must not lose a layer each time, nor gain one.
    for _ in 0..3 {
        let (verdict, _) = replica.apply_one(looks.clone());
        assert_eq!(verdict, Verdict::Complete);
        assert_eq!(replica.state().unwrap(), looks);
        replica = Replica::load([&replica.state().unwrap()], Deleted::Collected).unwrap();
    }
    assert_eq!(replica.title().unwrap(), None);
}

#[test]
fn documents_without_them_are_not_looked_at_again() {
    let mut replica = Replica::default();
    let mut ann = Writer::new(1);
    for update in [ann.insert(0, "hello"), ann.set("key", "value"), ann.state()] {
        replica.apply_one(update);
    }
    ann = Writer::new(2);
    replica.apply_one(ann.edit(|_, txn| {
        txn.get_or_insert_map("m").insert(txn, "bytes", Any::from(vec![0_u8, b'w']));
        txn.get_or_insert_xml_fragment("x").push_back(txn, XmlElementPrelim::empty("p"));
    }));
    assert!(!replica.has_stand_ins);
    assert!(!Replica::load([&replica.state().unwrap()], Deleted::Collected).unwrap().has_stand_ins);
    replica.apply_one(subdocument_and_hook());
    assert!(replica.has_stand_ins);
    assert!(Replica::load([&replica.state().unwrap()], Deleted::Collected).unwrap().has_stand_ins);
}

#[test]
fn what_is_contained_is_told_range_by_range() {
    let ann = Writer::new(1);
    ann.insert(0, "0123456789");
    for at in [8, 5, 4, 1] {
        ann.remove(at, 1);
    }
    let before = ann.state();
    let mut replica = Replica::load([&before], Deleted::Collected).unwrap();
    assert!(replica.contains(&check(before.clone())).unwrap());
    let deletes = |start: u8, length: u8| check(Bytes::from(vec![0, 1, 1, 1, start, length]));
    for (start, length, is_there) in
        [(1, 1, true), (4, 2, true), (5, 1, true), (4, 3, false), (3, 2, false), (0, 1, false), (8, 2, false)]
    {
        assert_eq!(replica.contains(&deletes(start, length)).unwrap(), is_there, "{start} + {length}");
    }
    // What is known of it changes with the document.
    replica.apply(&[&deletes(0, 1)]).unwrap();
    assert!(replica.contains(&deletes(0, 2)).unwrap());
    assert!(!replica.contains(&check(Bytes::from(vec![0, 1, 2, 1, 0, 1]))).unwrap(), "of somebody unknown");
}

/// To find it is a walk over the whole text, and every list and every reader asks.
#[test]
fn the_first_line_is_kept_until_the_next_change() {
    let ann = Writer::new(3);
    let write =
        |words: &str| check(ann.edit(|_, txn| txn.get_or_insert_text(text::BODY).insert(txn, 0, words)));
    let mut replica = Replica::default();
    replica.apply(&[&write("line")]).unwrap();
    assert_eq!(replica.first_line(0).unwrap(), None, "not looked at");
    assert_eq!(replica.first_line(100).unwrap(), Some(Some("line".to_owned())));
    assert_eq!(replica.first_line(0).unwrap(), Some(Some("line".to_owned())));
    replica.apply(&[&write("first ")]).unwrap();
    assert_eq!(replica.first_line(0).unwrap(), None, "it has changed");
    assert_eq!(replica.first_line(100).unwrap(), Some(Some("first line".to_owned())));
}
