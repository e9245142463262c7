//! The behaviour every store must show, run over each of them.
//!
//! A test takes a [`Lab`], which opens the store under test, and opens it again where it keeps anything.
//! [`a_random_life_is_remembered`] compares a store with the simplest model there is, over a plan of
//! random steps; it prints its seed, and `WEFT_SEED` runs one again.

use std::{collections::BTreeMap, future::Future, sync::Arc};

use bytes::Bytes;
use futures_util::future::join_all;
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use uuid::Uuid;

use super::{
    Append, Appended, Collection, Config, Cursor, Durability, Head, Kept, Life, LoggedUpdate, Quota, Record,
    Sequence, Shelf, Standing, Store, StoreError, Stored, Summary, Unobserved, faulty::FaultyStore,
    memory::MemoryStore, sled::SledStore,
};
use crate::ids::{DocumentName, SessionId, Timestamp};

/// A store, and how to come by it again.
struct Lab {
    store: Arc<dyn Store>,
    home: Option<Home>,
}

struct Home {
    directory: tempfile::TempDir,
    slack_bytes: u64,
}

impl Lab {
    fn memory() -> Self {
        Self { store: Arc::new(MemoryStore::new()), home: None }
    }

    fn faulty() -> Self {
        let (store, _) = FaultyStore::new(Arc::new(MemoryStore::new()));
        Self { store: Arc::new(store), home: None }
    }

    fn sled() -> Self {
        Self::sled_with_slack(Config::default().slack_bytes)
    }

    /// A store that starts over whenever it finds the time.
    fn restless_sled() -> Self {
        Self::sled_with_slack(1)
    }

    fn sled_with_slack(slack_bytes: u64) -> Self {
        let home = Home { directory: tempfile::tempdir().unwrap(), slack_bytes };
        Self { store: home.open(), home: Some(home) }
    }

    /// Opens the store again, after it was let go without a word.
    fn reopen(&mut self) -> bool {
        let Some(home) = &self.home else { return false };
        self.store = Arc::new(MemoryStore::new()); // lets go of the lock
        self.store = home.open();
        true
    }
}

impl Home {
    fn open(&self) -> Arc<dyn Store> {
        let config = Config {
            data: self.directory.path().into(),
            durability: Durability::Kill,
            group_ms: 0,
            slack_bytes: self.slack_bytes,
            min_free_bytes: 0,
            ..Config::default()
        };
        Arc::new(SledStore::open(config, Arc::new(Unobserved)).unwrap())
    }
}

macro_rules! contract {
    ($($test:ident)*) => {
        mod memory { $( #[test] fn $test() { super::run(super::$test(super::Lab::memory())); } )* }
        mod faulty { $( #[test] fn $test() { super::run(super::$test(super::Lab::faulty())); } )* }
        mod sled { $( #[test] fn $test() { super::run(super::$test(super::Lab::sled())); } )* }
        mod restless_sled { $( #[test] fn $test() { super::run(super::$test(super::Lab::restless_sled())); } )* }
    };
}

contract! {
    what_was_appended_is_loaded
    sequences_are_contiguous_per_document
    several_documents_in_one_batch
    a_checkpoint_replaces_the_log
    a_checkpoint_is_monotonic
    a_checkpoint_races_appends
    a_checkpoint_in_the_middle_of_an_append
    lists_are_paged_newest_first
    a_document_goes_to_the_trash_and_back
    deleted_for_ever_leaves_a_mark
    what_was_meant_for_one_life_says_nothing_about_another
    creating_twice_is_creating_once
    heads_come_in_the_order_asked
    summaries_stay_until_replaced
    quarantined_bytes_are_kept
    quarantine_is_bounded
    a_record_is_kept_once
    records_are_paged_from_the_greatest_key
    records_are_forgotten_together
    records_live_and_die_with_their_document
    records_have_no_more_room_than_they_are_given
    big_records_survive
    records_live_a_random_life
    a_closed_store_says_so
    big_values_survive
    a_thousand_documents
    names_that_begin_alike_are_different_documents
    many_threads_at_once
    a_random_life_is_remembered
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

fn name(name: &str) -> DocumentName {
    DocumentName::parse(name).unwrap()
}

fn update(at: u64, bytes: impl Into<Bytes>) -> LoggedUpdate {
    LoggedUpdate { bytes: bytes.into(), origin: None, at: Timestamp(at) }
}

fn appends(document: &str, updates: &[LoggedUpdate]) -> Append {
    Append { document: name(document), updates: updates.to_vec(), summary: None }
}

async fn append(store: &dyn Store, document: &str, updates: &[LoggedUpdate]) -> Appended {
    store.append(vec![appends(document, updates)]).await.unwrap()[0]
}

async fn load(store: &dyn Store, document: &str) -> Stored {
    store.load(name(document)).await.unwrap().unwrap()
}

async fn checkpoint(store: &dyn Store, document: &str, upto: u64, state: &'static [u8]) {
    let state = Bytes::from_static(state);
    let life = store.heads(vec![name(document)]).await.unwrap()[0].as_ref().unwrap().life;
    store.checkpoint(name(document), life, Sequence(upto), state, Summary::default()).await.unwrap();
}

fn texts(updates: &[LoggedUpdate]) -> Vec<&[u8]> {
    updates.iter().map(|update| &*update.bytes).collect()
}

async fn names(store: &dyn Store, shelf: Shelf) -> Vec<String> {
    let page = store.list(shelf, None, usize::MAX).await.unwrap();
    page.heads.iter().map(|head| head.document.to_string()).collect()
}

async fn what_was_appended_is_loaded(mut lab: Lab) {
    assert!(lab.store.load(name("a")).await.unwrap().is_none());
    let session = Some(SessionId::new());
    let updates = [
        LoggedUpdate { bytes: Bytes::from_static(b"one"), origin: session, at: Timestamp(5) },
        LoggedUpdate { bytes: Bytes::new(), origin: None, at: Timestamp(4) },
        LoggedUpdate { bytes: Bytes::from_static(b"three"), origin: session, at: Timestamp(9) },
    ];
    append(&*lab.store, "a", &updates).await;
    let check = async |store: &dyn Store| {
        let stored = load(store, "a").await;
        assert_eq!(stored.tail, updates);
        assert_eq!(stored.checkpoint, None);
        let Head { created, modified, last, checkpoint, standing, stored_bytes, .. } = stored.head;
        assert_eq!((created, modified), (Timestamp(5), Timestamp(9)));
        assert_eq!((last, checkpoint, standing), (Sequence(3), Sequence(0), Standing::Live));
        assert!(stored_bytes >= 8);
    };
    check(&*lab.store).await;
    if lab.reopen() {
        check(&*lab.store).await;
    }
}

async fn sequences_are_contiguous_per_document(lab: Lab) {
    let one = [update(1, "x")];
    let two = [update(1, "y"), update(1, "z")];
    assert_eq!(
        append(&*lab.store, "a", &two).await,
        Appended { life: Life::FIRST, first: Sequence(1), count: 2 }
    );
    assert_eq!(
        append(&*lab.store, "b", &one).await,
        Appended { life: Life::FIRST, first: Sequence(1), count: 1 }
    );
    // Handed over one after the other without waiting: they keep their order.
    let waiting: Vec<_> = (0..50).map(|_| lab.store.append(vec![appends("a", &one)])).collect();
    for (number, appended) in join_all(waiting).await.into_iter().enumerate() {
        assert_eq!(appended.unwrap()[0].first, Sequence(3 + number as u64));
    }
    assert_eq!(load(&*lab.store, "a").await.tail.len(), 52);
}

async fn several_documents_in_one_batch(lab: Lab) {
    append(&*lab.store, "b", &[update(1, "0")]).await;
    let batch =
        ["a", "b", "a"].iter().map(|document| appends(document, &[update(2, "1"), update(3, "2")])).collect();
    let appended = lab.store.append(batch).await.unwrap();
    assert_eq!(appended.iter().map(|appended| appended.first.0).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(texts(&load(&*lab.store, "a").await.tail), [b"1", b"2", b"1", b"2"]);
    assert_eq!(texts(&load(&*lab.store, "b").await.tail), [b"0", b"1", b"2"]);
}

async fn a_checkpoint_replaces_the_log(mut lab: Lab) {
    append(&*lab.store, "a", &[update(1, "1"), update(2, "2")]).await;
    append(&*lab.store, "a", &[update(3, "3")]).await;
    let summary = Summary { title: Some("Title".into()), kind: Some("board".into()), bytes: 3 };
    lab.store
        .checkpoint(name("a"), Life::FIRST, Sequence(3), Bytes::from_static(b"123"), summary.clone())
        .await
        .unwrap();
    append(&*lab.store, "a", &[update(4, "4")]).await;
    let check = async |store: &dyn Store| {
        let stored = load(store, "a").await;
        assert_eq!(stored.checkpoint.as_deref(), Some(b"123".as_slice()));
        assert_eq!(texts(&stored.tail), [b"4"]);
        assert_eq!((stored.head.last, stored.head.checkpoint), (Sequence(4), Sequence(3)));
        assert_eq!(stored.head.modified, Timestamp(4));
        assert_eq!(stored.head.summary, summary);
    };
    check(&*lab.store).await;
    if lab.reopen() {
        check(&*lab.store).await;
    }
    checkpoint(&*lab.store, "a", 4, b"1234").await;
    let stored = load(&*lab.store, "a").await;
    assert_eq!((stored.checkpoint.as_deref(), stored.tail.len()), (Some(b"1234".as_slice()), 0));
}

async fn a_checkpoint_is_monotonic(lab: Lab) {
    append(&*lab.store, "a", &[update(1, "1"), update(1, "2"), update(1, "3")]).await;
    checkpoint(&*lab.store, "a", 2, b"12").await;
    checkpoint(&*lab.store, "a", 2, b"other").await;
    checkpoint(&*lab.store, "a", 1, b"1").await;
    let stored = load(&*lab.store, "a").await;
    assert_eq!((stored.checkpoint.as_deref(), stored.head.checkpoint), (Some(b"12".as_slice()), Sequence(2)));
    assert_eq!(texts(&stored.tail), [b"3"]);

    let ahead =
        lab.store.checkpoint(name("a"), Life::FIRST, Sequence(4), Bytes::new(), Summary::default()).await;
    assert!(matches!(ahead, Err(StoreError::Damaged { .. })), "{ahead:?}");
    let unknown =
        lab.store.checkpoint(name("b"), Life::FIRST, Sequence(0), Bytes::new(), Summary::default()).await;
    assert!(matches!(unknown, Err(StoreError::Missing(_))), "{unknown:?}");
}

async fn a_checkpoint_races_appends(lab: Lab) {
    append(&*lab.store, "a", &[update(0, "0")]).await;
    let state = Bytes::from(vec![7; 700_000]);
    let mut waiting = Vec::new();
    for number in 1..=20u64 {
        waiting.push(lab.store.append(vec![appends("a", &[update(number, number.to_string())])]));
        if number == 10 {
            let slow =
                lab.store.checkpoint(name("a"), Life::FIRST, Sequence(1), state.clone(), Summary::default());
            let quick = lab.store.checkpoint(
                name("a"),
                Life::FIRST,
                Sequence(5),
                Bytes::from_static(b"q"),
                Summary::default(),
            );
            let (appended, slow, quick) = tokio::join!(join_all(std::mem::take(&mut waiting)), slow, quick);
            assert!(appended.iter().all(Result::is_ok));
            slow.unwrap();
            quick.unwrap();
        }
    }
    assert!(join_all(waiting).await.iter().all(Result::is_ok));
    let stored = load(&*lab.store, "a").await;
    assert_eq!(stored.head.checkpoint, Sequence(5));
    assert_eq!(stored.checkpoint.as_deref(), Some(b"q".as_slice()));
    let expected: Vec<_> = (5..=20).map(|number: u64| number.to_string()).collect();
    assert_eq!(texts(&stored.tail), expected.iter().map(String::as_bytes).collect::<Vec<_>>());
}

async fn a_checkpoint_in_the_middle_of_an_append(mut lab: Lab) {
    let updates: Vec<_> = (1..=5).map(|number| update(number, number.to_string())).collect();
    append(&*lab.store, "a", &updates).await;
    append(&*lab.store, "a", &[update(6, "6")]).await;
    checkpoint(&*lab.store, "a", 3, b"123").await;
    assert_eq!(texts(&load(&*lab.store, "a").await.tail), [b"4", b"5", b"6"]);
    lab.reopen();
    assert_eq!(texts(&load(&*lab.store, "a").await.tail), [b"4", b"5", b"6"]);
    checkpoint(&*lab.store, "a", 5, b"12345").await;
    assert_eq!(texts(&load(&*lab.store, "a").await.tail), [b"6"]);
}

async fn lists_are_paged_newest_first(mut lab: Lab) {
    for (document, at) in [("d", 1), ("b", 7), ("a", 7), ("e", 3), ("c", 7)] {
        append(&*lab.store, document, &[update(at, "x")]).await;
    }
    append(&*lab.store, "d", &[update(9, "x")]).await;
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = lab.store.list(Shelf::Live, after, 2).await.unwrap();
        assert!(page.heads.len() <= 2);
        seen.extend(page.heads.iter().map(|head| head.document.to_string()));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["d", "a", "b", "c", "e"]);
    let cursor = Cursor { modified: Timestamp(7), document: name("b") };
    let page = lab.store.list(Shelf::Live, Some(cursor), 1).await.unwrap();
    assert_eq!((page.heads[0].document.as_str(), page.heads[0].modified), ("c", Timestamp(7)));
    assert_eq!(lab.store.list(Shelf::Live, None, 0).await.unwrap().heads.len(), 1, "at least one");
    if lab.reopen() {
        assert_eq!(names(&*lab.store, Shelf::Live).await, seen);
    }
}

async fn a_document_goes_to_the_trash_and_back(mut lab: Lab) {
    append(&*lab.store, "a", &[update(1, "x")]).await;
    append(&*lab.store, "b", &[update(2, "x")]).await;
    let trashed = Standing::Trashed(Timestamp(5));
    let head = lab.store.set_standing(name("a"), trashed).await.unwrap();
    assert_eq!(head.standing, trashed);
    assert_eq!(lab.store.set_standing(name("a"), trashed).await.unwrap(), head, "twice is once");
    lab.reopen();
    assert_eq!(names(&*lab.store, Shelf::Live).await, ["b"]);
    assert_eq!(names(&*lab.store, Shelf::Trash).await, ["a"]);
    append(&*lab.store, "a", &[update(3, "y")]).await;
    assert_eq!(load(&*lab.store, "a").await.head.standing, trashed, "an append moves nothing");
    append(&*lab.store, "a", &[update(3, "y")]).await;
    lab.store.set_standing(name("a"), Standing::Live).await.unwrap();
    assert_eq!(names(&*lab.store, Shelf::Live).await, ["a", "b"]);
    assert!(names(&*lab.store, Shelf::Trash).await.is_empty());
    let missing = lab.store.set_standing(name("c"), Standing::Live).await;
    assert!(matches!(missing, Err(StoreError::Missing(_))), "{missing:?}");
}

async fn deleted_for_ever_leaves_a_mark(mut lab: Lab) {
    append(&*lab.store, "a", &[update(1, "old"), update(1, "old")]).await;
    checkpoint(&*lab.store, "a", 1, b"old").await;
    let deleted = Standing::Deleted(Timestamp(7));
    lab.store.set_standing(name("a"), deleted).await.unwrap();
    let missing = |result: Result<(), StoreError>| {
        assert!(matches!(result, Err(StoreError::Missing(_))), "{result:?}");
    };
    lab.reopen();
    let Stored { head, checkpoint: state, tail } = load(&*lab.store, "a").await;
    assert_eq!((head.standing, head.last, head.stored_bytes), (deleted, Sequence(0), 0));
    assert_eq!((state, tail.len()), (None, 0));
    missing(lab.store.append(vec![appends("a", &[update(9, "ghost")])]).await.map(drop));
    let batch = vec![appends("b", &[update(9, "b")]), appends("a", &[update(9, "ghost")])];
    missing(lab.store.append(batch).await.map(drop));
    assert!(lab.store.load(name("b")).await.unwrap().is_none(), "all or nothing");
    missing(lab.store.set_standing(name("a"), Standing::Live).await.map(drop));
    missing(
        lab.store.checkpoint(name("a"), Life::FIRST, Sequence(0), Bytes::new(), Summary::default()).await,
    );
    assert!(names(&*lab.store, Shelf::Live).await.is_empty());
    assert!(names(&*lab.store, Shelf::Trash).await.is_empty());

    let (head, made) = lab.store.create(name("a"), Timestamp(10)).await.unwrap();
    assert!(made);
    assert_eq!((head.standing, head.last, head.created), (Standing::Live, Sequence(0), Timestamp(10)));
    assert_eq!(append(&*lab.store, "a", &[update(11, "new")]).await.first, Sequence(1));
    lab.reopen();
    let stored = load(&*lab.store, "a").await;
    assert_eq!((stored.checkpoint, texts(&stored.tail)), (None, vec![b"new".as_slice()]));
}

async fn what_was_meant_for_one_life_says_nothing_about_another(mut lab: Lab) {
    let lives = |appended: Appended, head: &Head| {
        assert_eq!(appended.life, head.life);
        head.life
    };
    let mut before = None;
    for round in 1..4u64 {
        let three = [update(round, "x"), update(round, "y"), update(round, "z")];
        let appended = append(&*lab.store, "a", &three).await;
        let life = lives(appended, &load(&*lab.store, "a").await.head);
        if let Some(before) = before {
            assert!(life > before, "{life:?} after {before:?}");
            // A state that was being encoded when the document was deleted, small and large.
            for state in [Bytes::from_static(b"of before"), Bytes::from(vec![7; 600_000])] {
                let late =
                    lab.store.checkpoint(name("a"), before, Sequence(2), state, Summary::default()).await;
                assert!(matches!(late, Err(StoreError::Missing(_))), "{late:?}");
            }
            let stored = load(&*lab.store, "a").await;
            assert_eq!((stored.checkpoint, texts(&stored.tail)), (None, vec![&b"x"[..], b"y", b"z"]));
        }
        lab.store
            .checkpoint(name("a"), life, Sequence(1), Bytes::from_static(b"x"), Summary::default())
            .await
            .unwrap();
        if round == 2 {
            lab.reopen();
        }
        let stored = load(&*lab.store, "a").await;
        assert_eq!((stored.head.life, stored.checkpoint.as_deref()), (life, Some(&b"x"[..])));
        let (deleted, again) = (Standing::Deleted(Timestamp(round)), Timestamp(round));
        let head = lab.store.set_standing(name("a"), deleted).await.unwrap();
        assert_eq!(head.life, life, "the mark is that of the life that ended");
        // Nobody made it again yet.
        let late = lab.store.checkpoint(name("a"), life, Sequence(1), Bytes::new(), Summary::default()).await;
        assert!(matches!(late, Err(StoreError::Missing(_))), "{late:?}");
        let (head, made) = lab.store.create(name("a"), again).await.unwrap();
        assert!(made && head.life > life);
        before = Some(life);
    }
}

async fn creating_twice_is_creating_once(lab: Lab) {
    let (first, second) =
        tokio::join!(lab.store.create(name("a"), Timestamp(1)), lab.store.create(name("a"), Timestamp(2)));
    let ((head, made), (same, again)) = (first.unwrap(), second.unwrap());
    assert!(made && !again);
    assert_eq!(head, same);
    assert_eq!((head.created, head.modified, head.last), (Timestamp(1), Timestamp(1), Sequence(0)));
    append(&*lab.store, "a", &[update(3, "x")]).await;
    lab.store.set_standing(name("a"), Standing::Trashed(Timestamp(4))).await.unwrap();
    let (head, made) = lab.store.create(name("a"), Timestamp(5)).await.unwrap();
    assert!(!made);
    assert_eq!(head.standing, Standing::Trashed(Timestamp(4)), "creating does not take out of the trash");
    let stored = load(&*lab.store, "a").await;
    assert_eq!((stored.tail.len(), stored.checkpoint), (1, None));
}

async fn heads_come_in_the_order_asked(lab: Lab) {
    append(&*lab.store, "a", &[update(1, "x")]).await;
    append(&*lab.store, "b", &[update(2, "x"), update(2, "x")]).await;
    let heads = lab.store.heads(vec![name("b"), name("none"), name("a"), name("b")]).await.unwrap();
    let seen: Vec<_> = heads.iter().map(|head| head.as_ref().map(|head| head.last.0)).collect();
    assert_eq!(seen, [Some(2), None, Some(1), Some(2)]);
    assert_eq!(heads[0], Some(load(&*lab.store, "b").await.head));
}

async fn summaries_stay_until_replaced(mut lab: Lab) {
    let summary = Summary { title: Some("Ä".into()), kind: Some("plain".into()), bytes: 9 };
    let told = Append { summary: Some(summary.clone()), ..appends("a", &[update(1, "x")]) };
    lab.store.append(vec![told]).await.unwrap();
    append(&*lab.store, "a", &[update(2, "y")]).await;
    lab.reopen();
    assert_eq!(load(&*lab.store, "a").await.head.summary, summary);
    let long = Summary { title: Some("é".repeat(5_000)), kind: None, bytes: 1 };
    let told = Append { summary: Some(long), ..appends("b", &[update(1, "x")]) };
    lab.store.append(vec![told]).await.unwrap();
    let title = load(&*lab.store, "b").await.head.summary.title.unwrap();
    assert_eq!(title, "é".repeat(super::layout::TITLE_BYTES / 2));
}

async fn quarantined_bytes_are_kept(mut lab: Lab) {
    let big = Bytes::from(vec![9; 50_000]);
    let keep = |what: &str, bytes: Bytes, at| {
        lab.store.quarantine(name("a"), Life::FIRST, what.into(), bytes, Timestamp(at))
    };
    keep("first", Bytes::from_static(b"1"), 1).await.unwrap();
    keep("second", big.clone(), 2).await.unwrap();
    lab.store.quarantine(name("b"), Life::FIRST, "other".into(), Bytes::new(), Timestamp(3)).await.unwrap();
    lab.reopen();
    lab.store.quarantine(name("a"), Life::FIRST, "third".into(), Bytes::new(), Timestamp(4)).await.unwrap();
    let kept = lab.store.quarantined(name("a")).await.unwrap();
    let seen: Vec<_> = kept.iter().map(|kept| (kept.what.as_str(), kept.bytes.len(), kept.at.0)).collect();
    assert_eq!(seen, [("first", 1, 1), ("second", big.len(), 2), ("third", 0, 4)]);
    assert_eq!(kept[1].bytes, big);
    assert!(lab.store.load(name("a")).await.unwrap().is_none(), "a quarantine makes no document");
    assert!(lab.store.quarantined(name("none")).await.unwrap().is_empty());
}

async fn quarantine_is_bounded(lab: Lab) {
    let keep =
        |number| lab.store.quarantine(name("a"), Life::FIRST, "x".into(), Bytes::new(), Timestamp(number));
    let kept = join_all((0..super::QUARANTINE_ENTRIES + 10).map(keep)).await;
    assert!(kept.iter().all(Result::is_ok));
    let kept = lab.store.quarantined(name("a")).await.unwrap();
    assert_eq!(kept.len() as u64, super::QUARANTINE_ENTRIES);
    assert_eq!(kept.last().unwrap().at, Timestamp(super::QUARANTINE_ENTRIES - 1), "the first ones are kept");
}

const CHAT: Collection = Collection::Messages;

fn key(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn record(collection: Collection, number: u128, value: impl Into<Bytes>) -> Record {
    Record { collection, key: key(number), value: value.into() }
}

const ROOM: Quota = Quota { collection: CHAT, records: 1000, bytes: 1 << 30 };

async fn keep(store: &dyn Store, document: &str, records: Vec<Record>) -> Kept {
    let life = life(store, document).await;
    store.keep(name(document), life, Timestamp(7), records, ROOM).await.unwrap()
}

/// The one that a document has, or would begin.
async fn life(store: &dyn Store, document: &str) -> Life {
    store.heads(vec![name(document)]).await.unwrap().remove(0).map_or(Life::FIRST, |head| head.life)
}

async fn values(store: &dyn Store, document: &str, collection: Collection) -> Vec<String> {
    let records = store.records(name(document), collection, None, usize::MAX).await.unwrap();
    records.iter().map(|record| String::from_utf8_lossy(&record.value).into_owned()).collect()
}

async fn a_record_is_kept_once(mut lab: Lab) {
    let value = async |store: &dyn Store, number| {
        let value = store.record(name("a"), CHAT, key(number)).await.unwrap();
        value.map(|value| String::from_utf8(value.to_vec()).unwrap())
    };
    assert_eq!(value(&*lab.store, 1).await, None);
    let pair = vec![record(CHAT, 1, "one"), record(Collection::MessageOrigins, 9, "its name")];
    assert_eq!(keep(&*lab.store, "a", pair).await, Kept::New);
    let head = lab.store.heads(vec![name("a")]).await.unwrap().remove(0).unwrap();
    assert_eq!((head.created, head.last, head.standing), (Timestamp(7), Sequence(0), Standing::Live));
    for _ in 0..2 {
        assert_eq!(value(&*lab.store, 1).await.as_deref(), Some("one"));
        let again = vec![record(CHAT, 1, "other"), record(CHAT, 2, "and more")];
        assert_eq!(keep(&*lab.store, "a", again).await, Kept::Known);
        assert_eq!(value(&*lab.store, 1).await.as_deref(), Some("one"), "nothing is changed");
        assert_eq!(value(&*lab.store, 2).await, None, "nothing at all");
        assert_eq!(names(&*lab.store, Shelf::Live).await, ["a"]);
        lab.reopen();
    }
    // Two at once, with the same key: one of them is first.
    let (one, two) = tokio::join!(
        lab.store.keep(name("b"), Life::FIRST, Timestamp(1), vec![record(CHAT, 1, "x")], ROOM),
        lab.store.keep(name("b"), Life::FIRST, Timestamp(1), vec![record(CHAT, 1, "x")], ROOM)
    );
    assert_eq!((one.unwrap(), two.unwrap()), (Kept::New, Kept::Known));
    append(&*lab.store, "a", &[update(8, "x")]).await;
    checkpoint(&*lab.store, "a", 1, b"state").await;
    assert_eq!(value(&*lab.store, 1).await.as_deref(), Some("one"), "the log is another matter");
}

async fn records_are_paged_from_the_greatest_key(mut lab: Lab) {
    for number in [5, 1, 9, 3, 7] {
        keep(&*lab.store, "a", vec![record(CHAT, number, number.to_string())]).await;
    }
    keep(&*lab.store, "a", vec![record(Collection::MessageOrigins, 4, "other collection")]).await;
    keep(&*lab.store, "ab", vec![record(CHAT, 4, "other document")]).await;
    keep(&*lab.store, "a", vec![record(CHAT, u128::MAX, "last"), record(CHAT, 0, "first")]).await;
    lab.reopen();
    assert_eq!(values(&*lab.store, "a", CHAT).await, ["last", "9", "7", "5", "3", "1", "first"]);
    let page = async |before: Option<u128>, limit| {
        let found = lab.store.records(name("a"), CHAT, before.map(key), limit).await.unwrap();
        found.iter().map(|record| record.key.as_u128()).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 2).await, [u128::MAX, 9]);
    assert_eq!(page(Some(9), 2).await, [7, 5]);
    assert_eq!(page(Some(4), 9).await, [3, 1, 0]);
    assert_eq!(page(Some(0), 9).await, [0u128; 0]);
    assert_eq!(page(None, 0).await, [0u128; 0]);
    assert!(lab.store.records(name("none"), CHAT, None, 9).await.unwrap().is_empty());
}

async fn records_are_forgotten_together(mut lab: Lab) {
    for number in 1..=3 {
        let pair =
            vec![record(CHAT, number, number.to_string()), record(Collection::MessageOrigins, number, "o")];
        keep(&*lab.store, "a", pair).await;
    }
    let both = |number| vec![(CHAT, key(number)), (Collection::MessageOrigins, key(number))];
    assert!(lab.store.forget(name("a"), Life::FIRST, both(2)).await.unwrap());
    for _ in 0..2 {
        assert!(!lab.store.forget(name("a"), Life::FIRST, both(2)).await.unwrap(), "twice is once");
        assert_eq!(values(&*lab.store, "a", CHAT).await, ["3", "1"]);
        assert_eq!(values(&*lab.store, "a", Collection::MessageOrigins).await.len(), 2);
        assert_eq!(lab.store.record(name("a"), CHAT, key(2)).await.unwrap(), None);
        lab.reopen();
    }
    // Forgotten and kept again, without waiting in between.
    let forgotten = lab.store.forget(name("a"), Life::FIRST, both(1));
    let kept = lab.store.keep(name("a"), Life::FIRST, Timestamp(1), vec![record(CHAT, 1, "again")], ROOM);
    let kept_and_forgotten =
        lab.store.keep(name("a"), Life::FIRST, Timestamp(1), vec![record(CHAT, 4, "short")], ROOM);
    let gone = lab.store.forget(name("a"), Life::FIRST, vec![(CHAT, key(4))]);
    assert!(forgotten.await.unwrap());
    assert_eq!((kept.await.unwrap(), kept_and_forgotten.await.unwrap()), (Kept::New, Kept::New));
    assert!(gone.await.unwrap());
    lab.reopen();
    assert_eq!(values(&*lab.store, "a", CHAT).await, ["3", "again"]);
    let missing = lab.store.forget(name("none"), Life::FIRST, both(1)).await;
    assert!(matches!(missing, Err(StoreError::Missing(_))), "{missing:?}");
}

async fn records_live_and_die_with_their_document(mut lab: Lab) {
    keep(&*lab.store, "a", vec![record(CHAT, 1, "old")]).await;
    lab.store.set_standing(name("a"), Standing::Trashed(Timestamp(2))).await.unwrap();
    lab.reopen();
    assert_eq!(values(&*lab.store, "a", CHAT).await, ["old"], "the trash keeps them");
    assert_eq!(keep(&*lab.store, "a", vec![record(CHAT, 2, "in the trash")]).await, Kept::New);
    lab.store.set_standing(name("a"), Standing::Deleted(Timestamp(3))).await.unwrap();
    for _ in 0..2 {
        assert!(values(&*lab.store, "a", CHAT).await.is_empty());
        assert_eq!(lab.store.record(name("a"), CHAT, key(1)).await.unwrap(), None);
        let ghost =
            lab.store.keep(name("a"), Life::FIRST, Timestamp(4), vec![record(CHAT, 3, "ghost")], ROOM).await;
        assert!(matches!(ghost, Err(StoreError::Missing(_))), "{ghost:?}");
        lab.reopen();
    }
    lab.store.create(name("a"), Timestamp(5)).await.unwrap();
    assert!(values(&*lab.store, "a", CHAT).await.is_empty(), "a new life");
    // What was meant for the one before comes too late, whatever it is.
    let late =
        lab.store.keep(name("a"), Life::FIRST, Timestamp(6), vec![record(CHAT, 1, "late")], ROOM).await;
    assert!(matches!(late, Err(StoreError::Missing(_))), "{late:?}");
    let late = lab.store.quarantine(name("a"), Life::FIRST, "late".into(), Bytes::new(), Timestamp(6)).await;
    assert!(matches!(late, Err(StoreError::Missing(_))), "{late:?}");
    assert!(lab.store.quarantined(name("a")).await.unwrap().is_empty());
    assert_eq!(keep(&*lab.store, "a", vec![record(CHAT, 1, "new")]).await, Kept::New);
    let late = lab.store.forget(name("a"), Life::FIRST, vec![(CHAT, key(1))]).await;
    assert!(matches!(late, Err(StoreError::Missing(_))), "{late:?}");
    // A name that nobody had begins with its first life and no other.
    let second = Life::FIRST.next();
    let early = lab.store.keep(name("b"), second, Timestamp(6), vec![record(CHAT, 1, "early")], ROOM).await;
    assert!(matches!(early, Err(StoreError::Missing(_))), "{early:?}");
    let early = lab.store.quarantine(name("b"), second, "early".into(), Bytes::new(), Timestamp(6)).await;
    assert!(matches!(early, Err(StoreError::Missing(_))), "{early:?}");
    lab.reopen();
    assert_eq!(values(&*lab.store, "a", CHAT).await, ["new"]);
}

async fn records_have_no_more_room_than_they_are_given(mut lab: Lab) {
    let quota = Quota { collection: CHAT, records: 3, bytes: 10 };
    let keep = async |store: &dyn Store, number: u128, length: usize| {
        let records = vec![record(CHAT, number, vec![0; length])];
        store.keep(name("a"), Life::FIRST, Timestamp(1), records, quota).await.unwrap()
    };
    assert_eq!(keep(&*lab.store, 1, 11).await, Kept::NoRoom);
    assert_eq!(lab.store.heads(vec![name("a")]).await.unwrap(), [None], "nothing was begun");
    assert_eq!(keep(&*lab.store, 1, 10).await, Kept::New);
    assert_eq!(keep(&*lab.store, 1, 10).await, Kept::Known, "what is there needs no room");
    assert_eq!(keep(&*lab.store, 2, 1).await, Kept::NoRoom);
    lab.reopen();
    assert_eq!(keep(&*lab.store, 2, 1).await, Kept::NoRoom);
    lab.store.forget(name("a"), Life::FIRST, vec![(CHAT, key(1))]).await.unwrap();
    for number in 1..=3 {
        assert_eq!(keep(&*lab.store, number, 2).await, Kept::New);
    }
    assert_eq!(keep(&*lab.store, 4, 0).await, Kept::NoRoom, "as many as there may be");
    let other = vec![record(Collection::Attachments, 1, vec![0; 1000])];
    assert_eq!(lab.store.keep(name("a"), Life::FIRST, Timestamp(1), other, quota).await.unwrap(), Kept::New);
}

async fn big_records_survive(mut lab: Lab) {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut big = vec![0; 10 << 20];
    random.fill(big.as_mut_slice());
    let big = Bytes::from(big);
    let file = Collection::AttachmentBytes;
    keep(&*lab.store, "a", vec![record(file, 1, big.clone()), record(file, 2, "small"), record(file, 3, "")])
        .await;
    for round in 0..3 {
        assert!(lab.store.record(name("a"), file, key(1)).await.unwrap().as_ref() == Some(&big), "{round}");
        let all = lab.store.records(name("a"), file, None, 9).await.unwrap();
        assert_eq!(all.iter().map(|record| record.value.len()).collect::<Vec<_>>(), [0, 5, big.len()]);
        assert!(lab.store.usage().live_bytes >= big.len() as u64 || round == 0);
        append(&*lab.store, "b", &[update(1, vec![0; 300_000])]).await;
        lab.reopen();
    }
}

/// Against the simplest model there is.
async fn records_live_a_random_life(mut lab: Lab) {
    let seed = std::env::var("WEFT_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    println!("WEFT_SEED={seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut model: BTreeMap<(&str, Collection, u128), Bytes> = BTreeMap::new();
    let mut deleted: BTreeMap<&str, bool> = BTreeMap::new();
    for step in 0..600u64 {
        let document = *["a", "ab", "c"].choose(&mut random).unwrap();
        let collection = *Collection::ALL.choose(&mut random).unwrap();
        let number = random.random_range(0..8);
        let is_deleted = deleted.get(document).copied();
        match random.random_range(0..100) {
            0..50 => {
                let length = if random.random_bool(0.1) { 100_000 } else { 40 };
                let value = Bytes::from(vec![step as u8; random.random_range(0..length)]);
                let records = vec![record(collection, number, value.clone())];
                let life = life(&*lab.store, document).await;
                let kept = lab.store.keep(name(document), life, Timestamp(step), records, ROOM).await;
                if is_deleted == Some(true) {
                    assert!(matches!(kept, Err(StoreError::Missing(_))), "{kept:?}");
                    continue;
                }
                deleted.insert(document, false);
                let place = (document, collection, number);
                let expected = if model.contains_key(&place) { Kept::Known } else { Kept::New };
                assert_eq!(kept.unwrap(), expected, "step {step}");
                model.entry(place).or_insert(value);
            }
            50..75 => {
                let life = life(&*lab.store, document).await;
                let forgotten = lab.store.forget(name(document), life, vec![(collection, key(number))]).await;
                match is_deleted {
                    Some(false) => {
                        let was_there = model.remove(&(document, collection, number)).is_some();
                        assert_eq!(forgotten.unwrap(), was_there, "step {step}");
                    }
                    _ => assert!(matches!(forgotten, Err(StoreError::Missing(_)))),
                }
            }
            75..78 if is_deleted == Some(false) => {
                let standing = Standing::Deleted(Timestamp(step));
                lab.store.set_standing(name(document), standing).await.unwrap();
                deleted.insert(document, true);
                model.retain(|(of, ..), _| *of != document);
            }
            78..82 => {
                lab.store.create(name(document), Timestamp(step)).await.unwrap();
                deleted.insert(document, false);
            }
            82..97 => {
                let found = lab.store.record(name(document), collection, key(number)).await.unwrap();
                assert_eq!(found.as_ref(), model.get(&(document, collection, number)), "step {step}");
            }
            _ => {
                lab.reopen();
            }
        }
        let found = lab.store.records(name(document), collection, None, 99).await.unwrap();
        let found: Vec<_> = found.iter().rev().map(|record| (record.key.as_u128(), &record.value)).collect();
        let expected = model.range((document, collection, 0)..=(document, collection, u128::MAX));
        let expected: Vec<_> = expected.map(|((.., number), value)| (*number, value)).collect();
        assert!(found == expected, "step {step}, {document}, {collection:?}");
    }
}

async fn a_closed_store_says_so(mut lab: Lab) {
    append(&*lab.store, "a", &[update(1, "x")]).await;
    let pending = lab.store.append(vec![appends("a", &[update(2, "y")])]);
    let loading = lab.store.load(name("a"));
    lab.store.health().unwrap();
    pending.await.unwrap();
    lab.store.close().await.unwrap();
    let closed =
        |result: Result<(), StoreError>| assert!(matches!(result, Err(StoreError::Closed)), "{result:?}");
    closed(lab.store.health());
    closed(lab.store.append(vec![appends("a", &[update(1, "x")])]).await.map(drop));
    closed(lab.store.load(name("a")).await.map(drop));
    closed(lab.store.heads(vec![name("a")]).await.map(drop));
    closed(lab.store.list(Shelf::Live, None, 1).await.map(drop));
    closed(lab.store.create(name("a"), Timestamp(1)).await.map(drop));
    closed(
        lab.store
            .keep(name("a"), Life::FIRST, Timestamp(1), vec![record(CHAT, 1, "x")], ROOM)
            .await
            .map(drop),
    );
    closed(lab.store.forget(name("a"), Life::FIRST, vec![(CHAT, key(1))]).await.map(drop));
    closed(lab.store.record(name("a"), CHAT, key(1)).await.map(drop));
    closed(lab.store.records(name("a"), CHAT, None, 1).await.map(drop));
    closed(lab.store.close().await);
    if lab.reopen() {
        assert_eq!(load(&*lab.store, "a").await.tail.len(), 2);
    }
    drop(loading); // a future that nobody polled kept nothing open
}

async fn big_values_survive(mut lab: Lab) {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut bytes = |length| {
        let mut bytes = vec![0; length];
        random.fill(bytes.as_mut_slice());
        Bytes::from(bytes)
    };
    let (huge, large, state) = (bytes(16 << 20), bytes(100_000), bytes(10 << 20));
    append(&*lab.store, "a", &[update(1, "small"), update(2, huge.clone())]).await;
    append(&*lab.store, "a", &[update(3, large.clone())]).await;
    lab.reopen();
    let stored = load(&*lab.store, "a").await;
    assert_eq!(texts(&stored.tail), [b"small".as_slice(), &huge, &large]);
    let summary = Summary::default();
    lab.store.checkpoint(name("a"), Life::FIRST, Sequence(2), state.clone(), summary.clone()).await.unwrap();
    lab.store.checkpoint(name("a"), Life::FIRST, Sequence(2), huge, summary).await.unwrap();
    lab.reopen();
    let stored = load(&*lab.store, "a").await;
    assert!(stored.checkpoint == Some(state));
    assert_eq!(texts(&stored.tail), [&*large]);
}

async fn a_thousand_documents(mut lab: Lab) {
    for round in 0..3u64 {
        let batches = (0..1000).map(|number| {
            let document = format!("document {number:04}");
            lab.store.append(vec![appends(&document, &[update(round, format!("{number}/{round}"))])])
        });
        assert!(join_all(batches).await.iter().all(Result::is_ok));
        if round == 1 {
            lab.reopen();
        }
    }
    assert_eq!(names(&*lab.store, Shelf::Live).await.len(), 1000);
    for number in [0, 17, 999] {
        let tail = load(&*lab.store, &format!("document {number:04}")).await.tail;
        let expected: Vec<_> = (0..3).map(|round| format!("{number}/{round}")).collect();
        assert_eq!(texts(&tail), expected.iter().map(String::as_bytes).collect::<Vec<_>>());
    }
}

async fn names_that_begin_alike_are_different_documents(mut lab: Lab) {
    let long = "x".repeat(256);
    let names = ["a", "aa", "a/", "a/b", "ä", "\u{10ffff}", "b", &long, &long[..255]];
    for document in names {
        append(&*lab.store, document, &[update(1, document.to_owned()), update(1, "more")]).await;
    }
    checkpoint(&*lab.store, "a", 2, b"state of a").await;
    lab.store.set_standing(name("aa"), Standing::Deleted(Timestamp(2))).await.unwrap();
    lab.reopen();
    for document in names {
        let stored = load(&*lab.store, document).await;
        match document {
            "a" => {
                assert_eq!((stored.checkpoint.as_deref(), stored.tail.len()), (Some(&b"state of a"[..]), 0));
            }
            "aa" => assert_eq!(stored.head.standing, Standing::Deleted(Timestamp(2))),
            _ => assert_eq!(texts(&stored.tail), [document.as_bytes(), b"more"]),
        }
    }
}

async fn many_threads_at_once(lab: Lab) {
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let store = Arc::clone(&lab.store);
            std::thread::spawn(move || {
                run(async {
                    let document = format!("document {thread}");
                    for number in 1..=50 {
                        let appended =
                            append(&*store, &document, &[update(number, number.to_string())]).await;
                        assert_eq!(appended.first, Sequence(number));
                        assert_eq!(
                            load(&*store, &document).await.head.last,
                            Sequence(number),
                            "read your writes"
                        );
                        if number % 10 == 0 {
                            checkpoint(&*store, &document, number - 3, b"state").await;
                        }
                        let page = store.list(Shelf::Live, None, 10).await.unwrap();
                        assert!(page.heads.iter().any(|head| head.document.as_str() == document));
                    }
                });
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    for thread in 0..4 {
        let stored = load(&*lab.store, &format!("document {thread}")).await;
        assert_eq!(texts(&stored.tail), [b"48", b"49", b"50"]);
    }
}

/// What a store should remember, in the simplest form.
#[derive(Clone, Debug)]
struct Model {
    life: Life,
    created: Timestamp,
    modified: Timestamp,
    standing: Standing,
    updates: Vec<LoggedUpdate>,
    checkpoint: usize,
    state: Option<Bytes>,
    summary: Summary,
}

impl Model {
    fn new(at: Timestamp, life: Life) -> Self {
        Self {
            life,
            created: at,
            modified: at,
            standing: Standing::Live,
            updates: Vec::new(),
            checkpoint: 0,
            state: None,
            summary: Summary::default(),
        }
    }

    fn is_deleted(&self) -> bool {
        matches!(self.standing, Standing::Deleted(_))
    }

    fn check(&self, stored: &Stored) {
        let head = &stored.head;
        assert_eq!((head.life, head.created, head.standing), (self.life, self.created, self.standing));
        if self.is_deleted() {
            assert!(stored.checkpoint.is_none() && stored.tail.is_empty());
            return;
        }
        assert_eq!(head.modified, self.modified);
        assert_eq!((head.last.0, head.checkpoint.0), (self.updates.len() as u64, self.checkpoint as u64));
        assert_eq!(head.summary, self.summary);
        assert!(stored.checkpoint == self.state, "another state");
        assert!(stored.tail == self.updates[self.checkpoint..], "another log");
    }
}

async fn a_random_life_is_remembered(mut lab: Lab) {
    let seed = std::env::var("WEFT_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    println!("WEFT_SEED={seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let documents: Vec<_> = (0..12).map(|number| name(&"d".repeat(number + 1))).collect();
    let mut model: BTreeMap<DocumentName, Model> = BTreeMap::new();
    for step in 1..=600u64 {
        let now = Timestamp(step);
        let document = documents.choose(&mut random).unwrap().clone();
        let known = model.get(&document).cloned();
        match random.random_range(0..100) {
            0..50 => {
                let count = random.random_range(1..20);
                let updates: Vec<_> = (0..count)
                    .map(|_| {
                        let length = if random.random_bool(0.05) { 20_000 } else { 40 };
                        let mut bytes = vec![0; random.random_range(0..length)];
                        random.fill(bytes.as_mut_slice());
                        let origin = random.random_bool(0.5).then(SessionId::new);
                        LoggedUpdate { bytes: bytes.into(), origin, at: now }
                    })
                    .collect();
                let summary = random.random_bool(0.1).then(|| Summary {
                    title: Some(step.to_string()),
                    kind: Some("board".into()),
                    bytes: step,
                });
                let append =
                    Append { document: document.clone(), updates: updates.clone(), summary: summary.clone() };
                let appended = lab.store.append(vec![append]).await;
                if known.as_ref().is_some_and(Model::is_deleted) {
                    assert!(matches!(appended, Err(StoreError::Missing(_))));
                    continue;
                }
                let entry = model.entry(document).or_insert_with(|| Model::new(now, Life::FIRST));
                let appended = appended.unwrap()[0];
                assert_eq!((appended.life, appended.first.0), (entry.life, entry.updates.len() as u64 + 1));
                entry.updates.extend(updates);
                entry.modified = now;
                entry.summary = summary.unwrap_or(std::mem::take(&mut entry.summary));
            }
            50..65 => {
                let last = known.as_ref().map_or(0, |known| known.updates.len());
                let upto = random.random_range(0..=last);
                let length = if random.random_bool(0.2) { 600_000 } else { 3_000 };
                let state = Bytes::from(vec![step as u8; random.random_range(0..length)]);
                let summary = Summary { title: None, kind: None, bytes: step };
                let own = known.as_ref().map_or(Life::FIRST, |known| known.life);
                let life = if random.random_bool(0.2) { Life(random.random_range(0..5)) } else { own };
                let done = lab
                    .store
                    .checkpoint(document.clone(), life, Sequence(upto as u64), state.clone(), summary.clone())
                    .await;
                match known {
                    Some(known) if !known.is_deleted() && life == known.life => {
                        done.unwrap();
                        if upto > known.checkpoint {
                            let state = Some(state);
                            model.insert(document, Model { checkpoint: upto, state, summary, ..known });
                        }
                    }
                    _ => assert!(matches!(done, Err(StoreError::Missing(_)))),
                }
            }
            65..75 => {
                let (_, made) = lab.store.create(document.clone(), now).await.unwrap();
                assert_eq!(made, known.as_ref().is_none_or(Model::is_deleted));
                if made {
                    let life = known.map_or(Life::FIRST, |known| known.life.next());
                    model.insert(document, Model::new(now, life));
                }
            }
            75..85 => {
                let standing = match random.random_range(0..10) {
                    0..5 => Standing::Live,
                    5..9 => Standing::Trashed(now),
                    _ => Standing::Deleted(now),
                };
                let moved = lab.store.set_standing(document.clone(), standing).await;
                match known {
                    Some(known) if !known.is_deleted() => {
                        assert_eq!(moved.unwrap().standing, standing);
                        model.insert(document, Model { standing, ..known });
                    }
                    _ => assert!(matches!(moved, Err(StoreError::Missing(_)))),
                }
            }
            85..95 => {
                let stored = lab.store.load(document).await.unwrap();
                assert_eq!(stored.is_some(), known.is_some());
                if let (Some(stored), Some(known)) = (stored, known) {
                    known.check(&stored);
                }
            }
            _ => {
                lab.reopen();
            }
        }
    }
    for _ in 0..2 {
        for (document, known) in &model {
            known.check(&lab.store.load(document.clone()).await.unwrap().unwrap());
        }
        for (shelf, live) in [(Shelf::Live, true), (Shelf::Trash, false)] {
            let on_shelf = |known: &Model| match known.standing {
                Standing::Live => live,
                Standing::Trashed(_) => !live,
                Standing::Deleted(_) => false,
            };
            let mut expected: Vec<_> = model.iter().filter(|(_, known)| on_shelf(known)).collect();
            expected
                .sort_by_key(|(document, known)| (std::cmp::Reverse(known.modified), document.to_string()));
            let expected: Vec<_> = expected.iter().map(|(document, _)| document.to_string()).collect();
            assert_eq!(names(&*lab.store, shelf).await, expected);
        }
        if !lab.reopen() {
            break;
        }
    }
}
