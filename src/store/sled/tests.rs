//! What is particular to the store on disk: kills, cuts, flips, locks, versions, full disks, rotation.

mod damage;
mod large;

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{
    Repaired, Report, SledStore, check,
    directory::{Directory, free_bytes},
    disk::fail_reads,
    engine::{Engine, Group, Reply, Request},
    repair, vacuum,
};
use crate::{
    ids::{DocumentName, Timestamp},
    store::{
        Append, Collection, Config, Durability, Head, Kept, Life, LoggedUpdate, Observer, Quota, Record,
        Sequence, Standing, Store, StoreError, StoreResult, Stored, Summary, Unobserved, Usage, layout,
    },
};

fn name(name: &str) -> DocumentName {
    DocumentName::parse(name).unwrap()
}

fn config(data: &Path) -> Config {
    Config {
        data: data.into(),
        durability: Durability::Kill,
        group_ms: 0,
        min_free_bytes: 0,
        ..Config::default()
    }
}

fn open_engine(data: &Path) -> Engine {
    let directory = Directory::take(data).unwrap();
    Engine::open(directory, config(data), Arc::new(Unobserved), Box::new(free_bytes)).unwrap()
}

fn open(data: &Path) -> StoreResult<SledStore> {
    SledStore::open(config(data), Arc::new(Unobserved))
}

fn refusal<T>(result: StoreResult<T>) -> String {
    match result {
        Err(StoreError::Unopenable(what)) => what,
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("it opened"),
    }
}

/// A fresh seed, or the one in `WEFT_SEED`.
fn seed() -> u64 {
    let seed = std::env::var("WEFT_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    println!("WEFT_SEED={seed}");
    seed
}

/// Asks an engine for one thing, as the storage thread would.
fn ask<T>(engine: &mut Engine, request: impl FnOnce(Reply<T>) -> Request) -> StoreResult<T> {
    let (reply, mut answer) = oneshot::channel();
    let mut group = Group::default();
    assert!(engine.stage(&mut group, request(reply)).is_none());
    engine.commit(group);
    loop {
        match answer.try_recv() {
            Ok(answer) => return answer,
            Err(_) if engine.is_busy() => engine.step(),
            Err(error) => panic!("{error}"),
        }
    }
}

fn append(engine: &mut Engine, document: &str, texts: &[&str]) -> StoreResult<()> {
    let update = |text: &&str| LoggedUpdate {
        bytes: Bytes::copy_from_slice(text.as_bytes()),
        origin: None,
        at: Timestamp(1),
    };
    let updates = texts.iter().map(update).collect();
    let batch = vec![Append { document: name(document), updates, summary: None }];
    ask(engine, |reply| Request::Append { batch, reply }).map(drop)
}

/// The one that a document has, or would begin.
fn life(engine: &Engine, document: &str) -> Life {
    engine.shared().index.read().get(&name(document)).map_or(Life::FIRST, |slot| slot.entry.head.life)
}

fn checkpoint(engine: &mut Engine, document: &str, upto: u64, state: Vec<u8>) -> StoreResult<()> {
    let life = life(engine, document);
    let (document, upto, state) = (name(document), Sequence(upto), Bytes::from(state));
    let summary = Summary { title: None, kind: None, bytes: state.len() as u64 };
    ask(engine, |reply| Request::Checkpoint { document, life, upto, state, summary, reply })
}

fn load(engine: &mut Engine, document: &str) -> StoreResult<Option<Stored>> {
    let document = name(document);
    ask(engine, |reply| Request::Load { document, reply })
}

/// Everything a store holds, to be compared.
type Content = BTreeMap<String, (Head, Option<Bytes>, Vec<LoggedUpdate>)>;
/// The same of what is kept beside documents.
type Records = BTreeMap<String, Vec<Record>>;

fn records(engine: &mut Engine) -> Records {
    let shared = engine.shared();
    let names: Vec<_> = shared.index.read().iter().map(|(name, _)| name.clone()).collect();
    let mut all = Records::new();
    for document in names {
        shared.verify_records(&document).unwrap();
        let read = |collection| shared.records(&document, collection, None, usize::MAX).unwrap();
        all.insert(document.to_string(), Collection::ALL.into_iter().flat_map(read).collect());
    }
    all
}

/// A record whose value says whose it is.
fn record(collection: Collection, number: u64, length: usize) -> Record {
    let key = Uuid::from_u128(u128::from(number));
    Record { collection, key, value: Bytes::from(vec![number as u8; length]) }
}

fn keep(engine: &mut Engine, document: &str, record: Record) -> StoreResult<Kept> {
    let quota = Quota { collection: record.collection, records: u64::MAX, bytes: u64::MAX };
    let (life, document, records) = (life(engine, document), name(document), vec![record]);
    ask(engine, |reply| Request::Keep { document, life, at: Timestamp(1), records, quota, reply })
}

fn forget(engine: &mut Engine, document: &str, collection: Collection, number: u64) -> StoreResult<bool> {
    let records = vec![(collection, Uuid::from_u128(u128::from(number)))];
    let (life, document) = (life(engine, document), name(document));
    ask(engine, |reply| Request::Forget { document, life, records, reply })
}

fn content(engine: &mut Engine) -> Content {
    let shared = engine.shared();
    let names: Vec<_> = shared.index.read().iter().map(|(name, _)| name.to_string()).collect();
    let read = |document: String| {
        let Stored { head, checkpoint, tail } = load(engine, &document).unwrap().unwrap();
        // What it takes depends on how it is kept.
        (document, (Head { stored_bytes: 0, ..head }, checkpoint, tail))
    };
    names.into_iter().map(read).collect()
}

/// Compares without printing megabytes.
fn assert_same(now: &Content, then: &Content, when: &str) {
    assert!(now.keys().eq(then.keys()), "other documents, {when}");
    for (document, (head, checkpoint, tail)) in then {
        let now = &now[document];
        assert_eq!(&now.0, head, "{when}");
        assert!(&now.1 == checkpoint, "another state of {document}, {when}");
        assert!(&now.2 == tail, "another log of {document}, {when}");
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The directory as a kill at this moment would leave it.
fn killed_now(data: &Path) -> TempDir {
    let copied = tempfile::tempdir().unwrap();
    copy(data, copied.path());
    copied
}

/// A store with some of everything.
fn furnish(engine: &mut Engine, seed: u64) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    for number in 0..40 {
        let document = format!("document {number}");
        for _ in 0..random.random_range(1..6) {
            append(engine, &document, &["some", "text", &"long".repeat(random.random_range(0..3_000))])
                .unwrap();
        }
        if number == 20 {
            engine.settle_all();
        }
        if number % 3 == 0 {
            let length = if number % 2 == 0 { 900_000 } else { 9_000 };
            checkpoint(engine, &document, random.random_range(1..4), vec![number as u8; length]).unwrap();
        }
        for beside in 0..3 {
            let length = if beside == 0 { 200_000 } else { 100 * number as usize };
            keep(engine, &document, record(Collection::AttachmentBytes, beside, length)).unwrap();
            keep(engine, &document, record(Collection::Messages, beside, 50)).unwrap();
        }
        if number % 4 == 0 {
            assert!(forget(engine, &document, Collection::AttachmentBytes, 0).unwrap());
        }
        let (what, bytes, at) = ("why".to_owned(), Bytes::from(vec![1; 40_000]), Timestamp(1));
        let (life, document) = (life(engine, &document), name(&document));
        let named = document.clone();
        ask(engine, |reply| Request::Quarantine { document: named, life, what, bytes, at, reply }).unwrap();
        let standing = match number % 10 {
            7 => Standing::Trashed(Timestamp(7)),
            8 => Standing::Deleted(Timestamp(8)),
            _ => Standing::Live,
        };
        ask(engine, |reply| Request::SetStanding { document, standing, reply }).unwrap();
    }
}

fn quarantined(engine: &mut Engine) -> usize {
    let ask_one = |number| {
        let document = name(&format!("document {number}"));
        ask(engine, |reply| Request::Quarantined { document, reply }).unwrap().len()
    };
    (0..40).map(ask_one).sum()
}

fn epoch_numbers(data: &Path) -> Vec<u64> {
    let numbers = fs::read_dir(data)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_prefix("epoch-")?.parse().ok());
    let mut numbers: Vec<u64> = numbers.collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn a_kill_at_any_step_of_a_rotation_loses_nothing() {
    let seed = seed();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let home = tempfile::tempdir().unwrap();
    let mut engine = open_engine(home.path());
    furnish(&mut engine, seed);
    let mut steps = 0;
    engine.rotate();
    while engine.is_busy() {
        assert!(epoch_numbers(home.path()).len() <= 2);
        let expected = content(&mut engine);
        let beside = records(&mut engine);
        let killed = killed_now(home.path());
        let mut survivor = open_engine(killed.path());
        assert!(records(&mut survivor) == beside, "other records at step {steps}");
        assert_same(&content(&mut survivor), &expected, &format!("step {steps}"));
        assert_eq!(quarantined(&mut survivor), 40);
        // What was begun is finished after the restart, and whatever comes next lands in the right place.
        append(&mut survivor, "document 1", &["after the kill"]).unwrap();
        keep(&mut survivor, "document 1", record(Collection::Messages, 77, 9)).unwrap();
        forget(&mut survivor, "document 1", Collection::AttachmentBytes, 1).unwrap();
        let expected = content(&mut survivor);
        let beside = records(&mut survivor);
        while survivor.is_busy() {
            survivor.step();
        }
        drop(survivor);
        let mut survivor = open_engine(killed.path());
        assert_same(&content(&mut survivor), &expected, &format!("step {steps}, finished later"));
        assert!(records(&mut survivor) == beside, "other records at step {steps}, finished later");
        assert_eq!(quarantined(&mut survivor), 40);
        assert_eq!(epoch_numbers(killed.path()), [2]);

        // Life goes on meanwhile.
        for _ in 0..3 {
            let document = format!("document {}", random.random_range(2..40));
            let last = engine.shared().index.read().get(&name(&document)).unwrap().entry.head.last.0;
            let _refused_if_deleted = match random.random_range(0..8) {
                0 => checkpoint(
                    &mut engine,
                    &document,
                    last,
                    vec![steps as u8; random.random_range(0..400_000)],
                ),
                1 => ask(&mut engine, |reply| Request::SetStanding {
                    document: name(&document),
                    standing: Standing::Deleted(Timestamp(9)),
                    reply,
                })
                .map(drop),
                2 => ask(&mut engine, |reply| Request::Create {
                    document: name(&document),
                    at: Timestamp(10),
                    reply,
                })
                .map(drop),
                3 => {
                    let length = random.random_range(0..100_000);
                    keep(&mut engine, &document, record(Collection::AttachmentBytes, random.random(), length))
                        .map(drop)
                }
                4 => {
                    let number = random.random_range(0..3);
                    forget(&mut engine, &document, Collection::AttachmentBytes, number).map(drop)
                }
                _ => append(&mut engine, &document, &["meanwhile"]),
            };
        }
        append(&mut engine, &format!("new {steps}"), &["x"]).unwrap();
        if steps % 4 == 1 {
            engine.begin_settling();
        }
        engine.step();
        steps += 1;
    }
    assert!(steps > 5, "only {steps} steps");
    let expected = content(&mut engine);
    let beside = records(&mut engine);
    drop(engine);
    assert_eq!(epoch_numbers(home.path()), [2]);
    let mut engine = open_engine(home.path());
    assert_same(&content(&mut engine), &expected, "at the end");
    assert!(records(&mut engine) == beside, "other records at the end");
    drop(engine);
    assert!(check(home.path(), None).unwrap().is_clean());
}

#[test]
fn a_settling_that_overtakes_another_loses_nothing() {
    let home = tempfile::tempdir().unwrap();
    let mut engine = open_engine(home.path());
    for number in 0..5 {
        append(&mut engine, &format!("early {number}"), &["x"]).unwrap();
    }
    engine.begin_settling();
    append(&mut engine, "late", &["x"]).unwrap();
    engine.begin_settling();
    while engine.is_busy() {
        engine.step();
    }
    let expected = content(&mut engine);
    let killed = killed_now(home.path());
    assert_same(&content(&mut open_engine(killed.path())), &expected, "after both");
}

#[test]
fn a_kill_at_any_step_of_settling_loses_nothing() {
    let home = tempfile::tempdir().unwrap();
    let mut engine = open_engine(home.path());
    let mut steps = 0;
    furnish(&mut engine, 5);
    for _ in 0..3 {
        for number in (0..40).filter(|number| number % 10 != 8) {
            append(&mut engine, &format!("document {number}"), &[&"x".repeat(90_000)]).unwrap();
        }
        engine.begin_settling();
        while engine.is_busy() {
            let expected = content(&mut engine);
            let killed = killed_now(home.path());
            assert_same(&content(&mut open_engine(killed.path())), &expected, &format!("step {steps}"));
            assert!(check(killed.path(), None).unwrap().is_clean());
            append(&mut engine, "document 3", &["meanwhile"]).unwrap();
            engine.step();
            steps += 1;
        }
    }
    assert!(steps > 3, "only {steps} steps");
    let expected = content(&mut engine);
    drop(engine);
    assert_same(&content(&mut open_engine(home.path())), &expected, "at the end");
}

/// Sequences and lives, where an append is older or newer than what the rows say.
#[test]
fn what_the_log_holds_is_taken_once() {
    let home = tempfile::tempdir().unwrap();
    let mut engine = open_engine(home.path());
    append(&mut engine, "settled in part", &["1", "2"]).unwrap();
    append(&mut engine, "deleted", &["1"]).unwrap();
    append(&mut engine, "begun anew", &["1", "2"]).unwrap();
    append(&mut engine, "overtaken", &["1", "2", "3"]).unwrap();
    let move_to = |engine: &mut Engine, document: &str, standing| {
        ask(engine, |reply| Request::SetStanding { document: name(document), standing, reply }).unwrap();
    };
    move_to(&mut engine, "deleted", Standing::Deleted(Timestamp(2)));
    move_to(&mut engine, "begun anew", Standing::Deleted(Timestamp(2)));
    ask(&mut engine, |reply| Request::Create { document: name("begun anew"), at: Timestamp(3), reply })
        .unwrap();
    append(&mut engine, "begun anew", &["new"]).unwrap();
    checkpoint(&mut engine, "overtaken", 2, b"12".to_vec()).unwrap();
    move_to(&mut engine, "settled in part", Standing::Trashed(Timestamp(4)));
    let expected = content(&mut engine);
    let killed = killed_now(home.path());
    for _ in 0..2 {
        let mut survivor = open_engine(killed.path());
        assert_same(&content(&mut survivor), &expected, "after the kill");
        let stored = load(&mut survivor, "overtaken").unwrap().unwrap();
        assert_eq!((stored.checkpoint.as_deref(), stored.tail.len()), (Some(b"12".as_slice()), 1));
        let stored = load(&mut survivor, "begun anew").unwrap().unwrap();
        assert_eq!(stored.tail[0].bytes, "new");
    }
}

#[test]
fn an_emptied_epoch_waits_for_its_last_reader() {
    let home = tempfile::tempdir().unwrap();
    let mut engine = open_engine(home.path());
    furnish(&mut engine, 1);
    let reading = engine.shared().index.read().get(&name("document 3")).unwrap().clone();
    let expected = load(&mut engine, "document 3").unwrap().unwrap();
    engine.rotate();
    while engine.is_busy() {
        engine.step();
    }
    let late = reading.read().unwrap();
    assert_eq!((late.checkpoint, late.tail), (expected.checkpoint, expected.tail));
    assert_eq!(epoch_numbers(home.path()), [1, 2]);
    drop(reading);
    engine.step();
    assert_eq!(epoch_numbers(home.path()), [2]);
}

#[test]
fn a_creation_that_was_cut_short_is_begun_again() {
    let home = tempfile::tempdir().unwrap();
    drop(open_engine(home.path()));
    fs::write(home.path().join("CURRENT"), br#"{"schema":1,"young":1,"old":null,"ready":false}"#).unwrap();
    fs::write(home.path().join("epoch-1/rows"), b"half a file").unwrap();
    append(&mut open_engine(home.path()), "a", &["x"]).unwrap();
    assert_eq!(content(&mut open_engine(home.path())).len(), 1);
}

#[test]
fn epochs_that_do_not_count_are_removed() {
    let home = tempfile::tempdir().unwrap();
    let mut engine = open_engine(home.path());
    append(&mut engine, "a", &["x"]).unwrap();
    drop(engine);
    copy(&home.path().join("epoch-1"), &home.path().join("epoch-2"));
    copy(&home.path().join("epoch-1"), &home.path().join("epoch-0"));
    assert_eq!(content(&mut open_engine(home.path())).len(), 1);
    assert_eq!(epoch_numbers(home.path()), [1]);
}

#[test]
fn one_process_at_a_time() {
    let home = tempfile::tempdir().unwrap();
    let first = open(home.path()).unwrap();
    let what = refusal(open(home.path()));
    assert!(what.contains("another weft serves this directory (process "), "{what}");
    assert!(what.contains(&home.path().display().to_string()), "{what}");
    assert!(refusal(check(home.path(), None)).contains("another weft"));
    assert!(refusal(vacuum(home.path())).contains("another weft"));
    assert!(refusal(repair(home.path(), &mut |_, _| true)).contains("another weft"));
    drop(first);
    drop(open(home.path()).unwrap());
}

#[test]
fn what_a_newer_weft_wrote_is_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let mut engine = open_engine(home.path());
    append(&mut engine, "a", &["x"]).unwrap();
    let mut schema = layout::encode_schema(1);
    schema[3] = layout::SCHEMA as u8 + 1;
    let row = layout::seal(layout::Kind::Store, layout::SCHEMA_KEY, &schema);
    engine
        .epochs()
        .next()
        .unwrap()
        .apply(vec![(layout::SCHEMA_KEY.to_vec(), row)], Durability::Kill)
        .unwrap();
    drop(engine);
    let what = refusal(open(home.path()));
    let newer = format!("newer weft (schema {}, this one knows {})", layout::SCHEMA + 1, layout::SCHEMA);
    assert!(what.contains(&newer), "{what}");

    // Its CURRENT may say things we do not know.
    fs::write(home.path().join("CURRENT"), br#"{"schema":9,"epochs":"somewhere else"}"#).unwrap();
    assert!(refusal(open(home.path())).contains("schema 9"));
    assert_eq!(epoch_numbers(home.path()), [1], "nothing is removed");
}

#[test]
fn a_directory_without_its_marker_is_refused() {
    let home = tempfile::tempdir().unwrap();
    drop(open_engine(home.path()));
    let [marker, copied] = ["CURRENT", "CURRENT.copy"].map(|name| home.path().join(name));
    fs::write(&copied, b"{").unwrap();
    drop(open_engine(home.path()));
    fs::write(&marker, b"{").unwrap();
    drop(open_engine(home.path())); // the copy had been mended
    fs::write(&marker, b"{").unwrap();
    fs::write(&copied, b"{").unwrap();
    assert!(refusal(open(home.path())).contains("CURRENT is damaged"));
    fs::remove_file(&marker).unwrap();
    assert!(refusal(open(home.path())).contains("CURRENT is missing"));
    assert_eq!(epoch_numbers(home.path()), [1]);

    let nowhere = home.path().join("nowhere");
    refusal(check(&nowhere, None));
    assert!(!nowhere.exists(), "looking makes nothing");
    let file = home.path().join("file");
    fs::write(&file, b"").unwrap();
    refusal(open(&file));
}

/// A crash between the two files leaves the copy behind; it must not be asked when the first is damaged later.
#[test]
fn a_copy_of_the_marker_that_was_left_behind_is_mended() {
    let home = tempfile::tempdir().unwrap();
    let mut engine = open_engine(home.path());
    append(&mut engine, "a", &["x"]).unwrap();
    let before = fs::read(home.path().join("CURRENT")).unwrap();
    engine.rotate();
    append(&mut engine, "b", &["y"]).unwrap();
    let then = content(&mut engine);
    drop(engine);
    fs::write(home.path().join("CURRENT.copy"), before).unwrap();
    assert_same(&content(&mut open_engine(home.path())), &then, "with a copy of earlier");
    fs::write(home.path().join("CURRENT"), b"{").unwrap();
    assert_same(&content(&mut open_engine(home.path())), &then, "with the copy alone");
}

/// Nothing checks what the marker of an earlier schema says. If it is wrong, no epoch may be taken for a left-over.
#[test]
fn a_marker_of_schema_3_that_is_wrong_removes_nothing() {
    for wrong in [
        r#"{"schema":3,"young":3,"old":null,"ready":true}"#,
        r#"{"schema":3,"young":1,"old":5,"ready":true}"#,
    ] {
        let home = tempfile::tempdir().unwrap();
        copy(Path::new("tests/fixtures/store-schema-3"), home.path());
        fs::write(home.path().join("CURRENT"), wrong).unwrap();
        let what = refusal(open(home.path()));
        assert!(what.contains("--repair"), "{what}");
        assert_eq!(epoch_numbers(home.path()), [1]);
        let done = repair(home.path(), &mut |_, _| true).unwrap();
        assert!(done.in_part.is_empty() && done.lost.is_empty() && done.whole >= 5, "{done:?}");
        assert_eq!(load(&mut open_engine(home.path()), "live").unwrap().unwrap().tail.len(), 2);
    }
}

/// Level `kill` may lose what a power cut took, and then goes on from before it, as if it had not happened.
#[test]
fn what_a_power_cut_took_at_level_kill_did_not_happen() {
    let home = tempfile::tempdir().unwrap();
    let mut engine = open_engine(home.path());
    append(&mut engine, "a", &["before"]).unwrap();
    engine.settle_all();
    let then = fs::metadata(home.path().join("epoch-1/rows")).unwrap().len();
    append(&mut engine, "a", &["after"]).unwrap();
    append(&mut engine, "b", &["after"]).unwrap();
    engine.settle_all();
    drop(engine);
    let cut = || {
        fs::File::options()
            .write(true)
            .open(home.path().join("epoch-1/rows"))
            .unwrap()
            .set_len(then)
            .unwrap();
    };
    cut();
    // On the same start of the machine that is damage, which costs what stood there.
    let mut engine = open_engine(home.path());
    assert!(matches!(load(&mut engine, "b"), Err(StoreError::Damaged { .. })));
    drop(engine);
    cut();
    super::mark::before_a_power_cut(&home.path().join("epoch-1/mark"));
    let mut engine = open_engine(home.path());
    assert_eq!(load(&mut engine, "a").unwrap().unwrap().tail.len(), 1);
    assert!(load(&mut engine, "b").unwrap().is_none());
    append(&mut engine, "b", &["again"]).unwrap();
    drop(engine);
    assert_eq!(content(&mut open_engine(home.path())).len(), 2);
}

/// Whatever bit flips in it, it must not be believed: it decides which epochs are removed.
#[test]
fn every_bit_of_the_marker_is_checked_and_kept_twice() {
    let home = tempfile::tempdir().unwrap();
    let mut engine = open_engine(home.path());
    append(&mut engine, "a", &["x"]).unwrap();
    drop(engine);
    let marker = home.path().join("CURRENT");
    let whole = fs::read(&marker).unwrap();
    for bit in 0..whole.len() * 8 {
        let mut broken = whole.clone();
        broken[bit / 8] ^= 1 << (bit % 8);
        fs::write(&marker, broken).unwrap();
        let current = Directory::take(home.path()).unwrap().current().unwrap().unwrap();
        assert_eq!((current.young, current.old, current.ready), (1, None, true), "bit {bit}");
        assert!(fs::read(&marker).unwrap() == whole, "bit {bit}: written anew");
    }
    for length in 0..whole.len() {
        fs::write(&marker, &whole[..length]).unwrap();
        Directory::take(home.path()).unwrap().current().unwrap().unwrap();
    }
    assert_eq!(content(&mut open_engine(home.path())).len(), 1);
}

#[test]
fn a_file_of_rows_that_vanished_is_not_begun_anew() {
    let home = tempfile::tempdir().unwrap();
    let mut engine = open_engine(home.path());
    append(&mut engine, "a", &["x"]).unwrap();
    drop(engine);
    fs::remove_file(home.path().join("epoch-1/rows")).unwrap();
    let what = refusal(open(home.path()));
    assert!(what.contains("rows is missing") && what.contains("--repair"), "{what}");
}

/// Whether the database that knows the places is there or not, and whatever it remembers.
#[test]
fn rows_whose_tail_was_cut_off_are_missed() {
    for cut in [1, 100, 5_000] {
        let home = tempfile::tempdir().unwrap();
        let mut engine = open_engine(home.path());
        for number in 0..200 {
            let document = name(&number.to_string());
            ask(&mut engine, |reply| Request::Create { document, at: Timestamp(1), reply }).unwrap();
        }
        drop(engine);
        let rows = OpenOptions::new().write(true).open(home.path().join("epoch-1/rows")).unwrap();
        rows.set_len(rows.metadata().unwrap().len() - cut).unwrap();
        assert_eq!(
            content(&mut open_engine(killed_now(home.path()).path())).len(),
            200,
            "heads are kept twice"
        );

        fs::remove_dir_all(home.path().join("epoch-1/index")).unwrap();
        let what = refusal(open(home.path()));
        assert!(what.contains("was cut short: commits ") && what.contains("--repair"), "{what}");
        refusal(check(home.path(), None));

        let repaired = repair(home.path(), &mut |_, _| true).unwrap();
        let lost = repaired.commits.unwrap();
        assert!(lost > 0);
        let mut engine = open_engine(home.path());
        let left = content(&mut engine).len() as u64;
        assert!((200 - lost..=200).contains(&left), "no more than the commits that were named, {left} left");
        append(&mut engine, "0", &["goes on"]).unwrap();
        drop(engine);
        assert_eq!(repair(home.path(), &mut |_, _| true).unwrap().aside, None, "nothing left to do");
        assert!(check(home.path(), None).unwrap().is_clean());
    }
}

#[test]
fn a_log_whose_tail_was_cut_off_is_missed() {
    for cut in [1, 100, 5_000] {
        let home = tempfile::tempdir().unwrap();
        let mut engine = open_engine(home.path());
        for number in 0..200 {
            append(&mut engine, "a", &[&number.to_string()]).unwrap();
        }
        drop(engine);
        let segment = OpenOptions::new().write(true).open(last_segment(home.path())).unwrap();
        segment.set_len(segment.metadata().unwrap().len() - cut).unwrap();
        let what = refusal(open(home.path()));
        assert!(what.contains("of the commits up to 200 were acknowledged"), "{what}");

        let lost = repair(home.path(), &mut |_, _| true).unwrap().commits.unwrap();
        assert!(lost > 0);
        let mut engine = open_engine(home.path());
        let stored = load(&mut engine, "a").unwrap().unwrap();
        assert_eq!(stored.tail.len() as u64, 200 - lost, "exactly the commits that were named");
        append(&mut engine, "a", &["goes on"]).unwrap();
        drop(engine);
        let mut engine = open_engine(home.path());
        assert_eq!(load(&mut engine, "a").unwrap().unwrap().tail.len() as u64, 201 - lost);
    }
}

/// The segment of the log that was written last.
fn last_segment(data: &Path) -> PathBuf {
    let number = |entry: fs::DirEntry| entry.file_name().to_str()?.strip_prefix("wal-")?.parse::<u64>().ok();
    let last = fs::read_dir(data).unwrap().filter_map(|entry| number(entry.unwrap())).max().unwrap();
    data.join(format!("wal-{last}"))
}

#[test]
fn a_lost_mark_is_not_taken_for_granted() {
    for mark in ["epoch-1/mark", "wal-mark"] {
        let home = tempfile::tempdir().unwrap();
        let mut engine = open_engine(home.path());
        append(&mut engine, "a", &["x"]).unwrap();
        drop(engine);
        fs::write(home.path().join(mark), b"").unwrap();
        let what = refusal(open(home.path()));
        assert!(what.contains("mark is missing or damaged") && what.contains("--repair"), "{what}");
        let Repaired { whole, commits, .. } = repair(home.path(), &mut |_, _| true).unwrap();
        assert_eq!((whole, commits), (1, None));
        assert_eq!(content(&mut open_engine(home.path())).len(), 1);
    }
}

/// Overwrites one row of a document with a flipped bit, behind the store's back.
fn flip(engine: &Engine, key: &[u8]) {
    let epoch = engine.epochs().last().unwrap();
    let mut value = epoch.get(key).unwrap().unwrap();
    *value.last_mut().unwrap() ^= 1;
    epoch.apply(vec![(key.to_vec(), value)], Durability::Kill).unwrap();
}

#[test]
fn a_damaged_document_is_refused_kept_and_alone() {
    let home = tempfile::tempdir().unwrap();
    let mut engine = open_engine(home.path());
    let broken = ["log", "gap", "state", "meta", "end"];
    for document in broken.iter().chain(&["bystander"]) {
        append(&mut engine, document, &["1", "2"]).unwrap();
        checkpoint(&mut engine, document, 1, b"state".to_vec()).unwrap();
        append(&mut engine, document, &["3"]).unwrap();
        engine.settle_all();
        append(&mut engine, document, &["4"]).unwrap();
    }
    engine.settle_all();
    flip(&engine, &layout::log_key(&name("log"), 1, 4, 0));
    let gap = layout::log_key(&name("gap"), 1, 2, 0);
    engine.epochs().next().unwrap().clear(&gap, &gap, Durability::Kill).unwrap();
    let generation = engine.shared().index.read().get(&name("state")).unwrap().entry.generation;
    flip(&engine, &layout::state_key(&name("state"), 1, generation, 0));
    flip(&engine, &layout::meta_key(&name("meta")));
    flip(&engine, &layout::end_key(&name("end")));
    drop(engine);

    // As it is, after rows were copied to another epoch, and after a vacuum.
    for round in 0..3 {
        let mut engine = open_engine(home.path());
        let fine = load(&mut engine, "bystander").unwrap().unwrap();
        assert_eq!((fine.head.last, fine.tail.len()), (Sequence(4 + round), 3 + round as usize));
        append(&mut engine, "bystander", &["5"]).unwrap();
        for document in broken {
            let refused = load(&mut engine, document);
            let Err(StoreError::Damaged { document: named, what }) = refused else {
                panic!("{document} in round {round}: {refused:?}");
            };
            assert_eq!(named.as_str(), document);
            let expected = match document {
                "gap" => "updates 2 to 3 are missing",
                "meta" => "its head: a row has a wrong checksum",
                "end" => "its end marker: a row has a wrong checksum",
                _ => "a row has a wrong checksum",
            };
            assert_eq!(what, expected, "{document} in round {round}");
            let refused = append(&mut engine, document, &["over it"]);
            assert!(matches!(refused, Err(StoreError::Damaged { .. })), "{refused:?}");
            let refused = checkpoint(&mut engine, document, 4, vec![]);
            assert!(matches!(refused, Err(StoreError::Damaged { .. })), "{refused:?}");
        }
        if round == 0 {
            engine.rotate();
            while engine.is_busy() {
                engine.step();
            }
        }
        drop(engine);
        let report = check(home.path(), None).unwrap();
        let named: Vec<_> = report.damaged.iter().map(|(document, _)| document.as_str()).collect();
        assert_eq!(named, ["end", "gap", "log", "meta", "state"]);
        if round == 1 {
            vacuum(home.path()).unwrap();
        }
    }
}

/// Reads of one row that fail, one after the other, before it is given up for now.
const READS: u32 = 4;

#[test]
fn what_the_disk_does_not_read_is_not_damaged_and_is_asked_for_again() {
    let home = tempfile::tempdir().unwrap();
    let mut engine = open_engine(home.path());
    append(&mut engine, "a", &["1", "2"]).unwrap();
    checkpoint(&mut engine, "a", 1, b"state".to_vec()).unwrap();
    append(&mut engine, "a", &["3"]).unwrap();
    engine.settle_all();
    let whole = load(&mut engine, "a").unwrap().unwrap();
    for reads in [1, READS - 1] {
        fail_reads(reads);
        assert_eq!(load(&mut engine, "a").unwrap().unwrap().tail, whole.tail, "asked {reads} times more");
    }
    fail_reads(READS);
    let unread = load(&mut engine, "a");
    assert!(matches!(&unread, Err(error @ StoreError::Unreadable(_)) if error.passes()), "{unread:?}");
    // It goes on, and is all there once the disk reads again.
    append(&mut engine, "a", &["4"]).unwrap();
    let after = load(&mut engine, "a").unwrap().unwrap();
    assert_eq!((after.checkpoint, after.tail.len()), (whole.checkpoint, whole.tail.len() + 1));
    assert!(check_of(engine, home.path()).is_clean());
}

/// What was copied empty would be gone with the epoch it was copied from.
#[test]
fn nothing_is_thrown_away_that_the_disk_did_not_read() {
    let home = tempfile::tempdir().unwrap();
    let mut engine = open_engine(home.path());
    for document in ["a", "b", "c"] {
        append(&mut engine, document, &["1", "2"]).unwrap();
        checkpoint(&mut engine, document, 1, b"state".to_vec()).unwrap();
        append(&mut engine, document, &["3"]).unwrap();
    }
    engine.settle_all();
    engine.rotate();
    let read: Vec<_> = ["a", "b", "c"].map(|document| load(&mut engine, document).unwrap().unwrap()).into();
    fail_reads(READS);
    engine.step();
    assert!(!engine.is_busy() && engine.epochs().count() == 2, "it rests, and the old epoch stays");
    for (document, before) in ["a", "b", "c"].iter().zip(read) {
        let now = load(&mut engine, document).unwrap().unwrap();
        assert_eq!((now.checkpoint, now.tail), (before.checkpoint, before.tail), "{document}");
        append(&mut engine, document, &["4"]).unwrap();
    }
    // It begins anew by itself.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while engine.epochs().count() == 2 {
        assert!(std::time::Instant::now() < deadline, "it does not go on");
        std::thread::sleep(engine.patience());
        engine.step();
    }
    for document in ["a", "b", "c"] {
        assert_eq!(load(&mut engine, document).unwrap().unwrap().tail.len(), 3, "{document}");
    }
    assert!(check_of(engine, home.path()).is_clean());
}

fn check_of(engine: Engine, data: &Path) -> Report {
    drop(engine);
    check(data, None).unwrap()
}

/// A database that goes on without a piece from its middle looks like one that is a little older.
#[test]
fn a_document_that_looks_whole_but_older_is_suspect() {
    let home = tempfile::tempdir().unwrap();
    let mut engine = open_engine(home.path());
    append(&mut engine, "older", &["1"]).unwrap();
    append(&mut engine, "bystander", &["1"]).unwrap();
    engine.settle_all();
    let key = layout::end_key(&name("older"));
    let before = engine.epochs().next().unwrap().get(&key).unwrap().unwrap();
    append(&mut engine, "older", &["2"]).unwrap();
    engine.settle_all();
    engine.epochs().next().unwrap().apply(vec![(key, before)], Durability::Kill).unwrap();
    drop(engine);
    for round in 0..3 {
        let mut engine = open_engine(home.path());
        let refused = load(&mut engine, "older");
        assert!(matches!(refused, Err(StoreError::Damaged { .. })), "round {round}: {refused:?}");
        assert!(append(&mut engine, "older", &["3"]).is_err());
        append(&mut engine, "bystander", &["2"]).unwrap();
        drop(engine);
        if round == 1 {
            vacuum(home.path()).unwrap();
        }
    }
    repair(home.path(), &mut |_, _| true).unwrap();
    let mut engine = open_engine(home.path());
    assert_eq!(load(&mut engine, "older").unwrap().unwrap().tail.len(), 2, "its log has it all");
    assert_eq!(load(&mut engine, "bystander").unwrap().unwrap().tail.len(), 4);
}

#[test]
fn a_log_that_does_not_follow_its_database_is_missed() {
    let home = tempfile::tempdir().unwrap();
    let mut engine = open_engine(home.path());
    append(&mut engine, "a", &["1"]).unwrap();
    append(&mut engine, "bystander", &["1"]).unwrap();
    engine.settle_all();
    let older = killed_now(home.path());
    append(&mut engine, "a", &["2"]).unwrap();
    engine.settle_all();
    append(&mut engine, "a", &["3", "4"]).unwrap();
    append(&mut engine, "a", &["5"]).unwrap();
    append(&mut engine, "bystander", &["2"]).unwrap();
    let mixed = killed_now(home.path());
    fs::remove_dir_all(mixed.path().join("epoch-1")).unwrap();
    copy(&older.path().join("epoch-1"), &mixed.path().join("epoch-1"));
    for _ in 0..2 {
        let mut engine = open_engine(mixed.path());
        let refused = load(&mut engine, "a");
        let missed =
            matches!(&refused, Err(StoreError::Damaged { what, .. }) if what == "updates 2 to 2 are missing");
        assert!(missed, "{refused:?}");
        assert_eq!(load(&mut engine, "bystander").unwrap().unwrap().tail.len(), 2);
    }
}

#[test]
fn a_missing_head_is_counted() {
    let home = tempfile::tempdir().unwrap();
    let mut engine = open_engine(home.path());
    append(&mut engine, "a", &["1"]).unwrap();
    append(&mut engine, "b", &["1"]).unwrap();
    engine.settle_all();
    for key in [layout::meta_key(&name("a")), layout::end_key(&name("a"))] {
        engine.epochs().next().unwrap().clear(&key, &key, Durability::Kill).unwrap();
    }
    drop(engine);
    let what = refusal(open(home.path()));
    assert!(what.contains("2 documents by its own count, but only 1"), "{what}");
}

#[derive(Default)]
struct Seen {
    failed: AtomicU64,
    recovered: AtomicU64,
    damaged: AtomicU64,
    rotated: AtomicU64,
}

impl Observer for Seen {
    fn failed(&self, _: &str) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    fn recovered(&self) {
        self.recovered.fetch_add(1, Ordering::Relaxed);
    }

    fn damaged(&self, _: &DocumentName) {
        self.damaged.fetch_add(1, Ordering::Relaxed);
    }

    fn rotated(&self, _: u64, _: u64) {
        self.rotated.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn after_a_failure_nothing_is_promised_and_reading_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let seen = Arc::new(Seen::default());
    let directory = Directory::take(home.path()).unwrap();
    let mut engine =
        Engine::open(directory, config(home.path()), seen.clone(), Box::new(free_bytes)).unwrap();
    append(&mut engine, "a", &["1"]).unwrap();
    // A file that cannot be replaced stands for every disk that says no.
    fs::create_dir(home.path().join("CURRENT.new")).unwrap();
    engine.rotate();
    let stopped = engine.shared().writable();
    assert!(
        matches!(&stopped, Err(StoreError::Unwritable(what)) if what.contains("since 20")),
        "says since when: {stopped:?}"
    );
    let refused = append(&mut engine, "a", &["2"]);
    assert!(matches!(&refused, Err(StoreError::Unwritable(what)) if what.contains("CURRENT")), "{refused:?}");
    assert!(checkpoint(&mut engine, "a", 1, vec![0; 1 << 20]).is_err());
    assert_eq!(load(&mut engine, "a").unwrap().unwrap().tail.len(), 1);
    assert_eq!(seen.failed.load(Ordering::Relaxed), 1, "told once");
    // By itself, once the cause is gone.
    fs::remove_dir(home.path().join("CURRENT.new")).unwrap();
    while engine.shared().writable().is_err() {
        std::thread::sleep(engine.patience());
        engine.step();
    }
    assert_eq!(seen.recovered.load(Ordering::Relaxed), 1);
    assert_eq!(load(&mut engine, "a").unwrap().unwrap().tail.len(), 1);
    append(&mut engine, "a", &["2"]).unwrap();
    drop(engine);
    let mut engine = open_engine(home.path());
    assert_eq!(load(&mut engine, "a").unwrap().unwrap().tail.len(), 2);
    assert_eq!(epoch_numbers(home.path()), [1], "the epoch that came to nothing is gone");
}

#[test]
fn a_full_disk_is_refused_before_it_is_full() {
    let home = tempfile::tempdir().unwrap();
    let free = Arc::new(AtomicU64::new(1_000));
    let measured = Arc::clone(&free);
    let config = Config { min_free_bytes: 500, ..config(home.path()) };
    let probe = Box::new(move |_: &Path| Ok(measured.load(Ordering::Relaxed)));
    let directory = Directory::take(home.path()).unwrap();
    let mut engine = Engine::open(directory, config, Arc::new(Unobserved), probe).unwrap();
    append(&mut engine, "a", &["1"]).unwrap();
    append(&mut engine, "b", &["1"]).unwrap();
    free.store(499, Ordering::Relaxed);
    engine.measure();
    for refused in [
        append(&mut engine, "a", &["2"]),
        checkpoint(&mut engine, "a", 1, vec![]),
        ask(&mut engine, |reply| Request::Create { document: name("c"), at: Timestamp(1), reply }).map(drop),
        engine.shared().writable(),
    ] {
        let full = matches!(refused, Err(StoreError::DiskFull { free: 499, floor: 500 }));
        assert!(full, "{refused:?}");
    }
    assert_eq!(load(&mut engine, "a").unwrap().unwrap().tail.len(), 1, "reading goes on");
    let standing = Standing::Deleted(Timestamp(1));
    ask(&mut engine, |reply| Request::SetStanding { document: name("b"), standing, reply })
        .expect("throwing away makes room");
    free.store(500, Ordering::Relaxed);
    engine.measure();
    append(&mut engine, "a", &["2"]).unwrap();
    assert_eq!(engine.shared().usage.read().free_bytes, Some(500));
}

#[test]
fn a_store_rotates_by_itself_and_keeps_its_bound() {
    let home = tempfile::tempdir().unwrap();
    let seen = Arc::new(Seen::default());
    let directory = Directory::take(home.path()).unwrap();
    let slack_bytes = 4 << 20;
    let config = Config { slack_bytes, ..config(home.path()) };
    let mut engine = Engine::open(directory, config, seen.clone(), Box::new(free_bytes)).unwrap();
    let text = "x".repeat(3_000);
    for round in 0..30u64 {
        for number in 0..300 {
            append(&mut engine, &format!("document {}", number % 30), &[&text]).unwrap();
        }
        for number in 0..30 {
            checkpoint(&mut engine, &format!("document {number}"), 10 * (round + 1), vec![1; 20_000])
                .unwrap();
        }
        engine.step();
        while engine.is_busy() {
            engine.step();
        }
        engine.measure();
        let Usage { live_bytes, disk_bytes, documents, .. } = *engine.shared().usage.read();
        assert_eq!(documents, 30);
        assert!(disk_bytes <= 4 * live_bytes + 4 * slack_bytes, "{disk_bytes} for {live_bytes}");
    }
    assert!(seen.rotated.load(Ordering::Relaxed) > 2);
}

#[test]
fn a_vacuum_keeps_what_is_needed_and_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let mut engine = open_engine(home.path());
    furnish(&mut engine, 3);
    for number in 0..200 {
        checkpoint(&mut engine, "document 1", 1, vec![0; 200_000]).unwrap();
        append(&mut engine, "document 0", &[&"x".repeat(9_000)]).unwrap();
        let last = 1 + load(&mut engine, "document 1").unwrap().unwrap().head.last.0;
        append(&mut engine, "document 1", &["x"]).unwrap();
        checkpoint(&mut engine, "document 1", last, vec![number as u8; 200_000]).unwrap();
    }
    let expected = content(&mut engine);
    let beside = records(&mut engine);
    drop(engine);
    let done = vacuum(home.path()).unwrap();
    assert!(done.after < done.before / 2, "{done:?}");
    let mut engine = open_engine(home.path());
    assert_same(&content(&mut engine), &expected, "after the vacuum");
    assert!(records(&mut engine) == beside, "other records after the vacuum");
    assert_eq!(quarantined(&mut engine), 40);
    drop(engine);

    let mut looked = Vec::new();
    let mut verify = |stored: &Stored| {
        looked.push(stored.head.document.to_string());
        if stored.head.document.as_str() == "document 1" { Err("cannot be decoded".into()) } else { Ok(()) }
    };
    let report = check(home.path(), Some(&mut verify)).unwrap();
    assert_eq!((report.documents, report.quarantined, report.dead_damage), (40, 40, 0));
    assert_eq!(report.damaged, [(name("document 1"), "cannot be decoded".to_owned())]);
    assert_eq!(looked.len(), 40);
    assert!(report.rows > 0 && report.updates > 0 && report.live_bytes > 0);
    // One of the documents could not be decoded, and its records were not looked at.
    let expected: usize =
        beside.iter().filter(|(name, _)| *name != "document 1").map(|(_, all)| all.len()).sum();
    assert_eq!(report.records, expected as u64);
}

#[test]
fn what_is_forgotten_gives_its_space_back() {
    let home = tempfile::tempdir().unwrap();
    let mut engine = open_engine(home.path());
    let before = live(&mut engine);
    for number in 0..20 {
        keep(&mut engine, "a", record(Collection::AttachmentBytes, number, 500_000)).unwrap();
        keep(&mut engine, "b", record(Collection::AttachmentBytes, number, 500_000)).unwrap();
    }
    let full = live(&mut engine);
    assert!((20_000_000..21_000_000).contains(&(full - before)), "{full}");
    for number in 0..20 {
        forget(&mut engine, "a", Collection::AttachmentBytes, number).unwrap();
    }
    let standing = Standing::Deleted(Timestamp(2));
    ask(&mut engine, |reply| Request::SetStanding { document: name("b"), standing, reply }).unwrap();
    assert!(live(&mut engine) < before + 2_000, "{} after {full}", live(&mut engine));
    drop(engine);
    let done = vacuum(home.path()).unwrap();
    assert!(done.before > 15_000_000 && done.after < 2_000_000, "{done:?}");
    assert!(check(home.path(), None).unwrap().is_clean());
}

fn live(engine: &mut Engine) -> u64 {
    engine.measure();
    engine.shared().usage.read().live_bytes
}

/// A record that sled lost is missed, and one whose bytes changed is refused; the document itself goes on.
#[test]
fn a_lost_record_is_found_by_a_check() {
    let home = tempfile::tempdir().unwrap();
    let mut engine = open_engine(home.path());
    append(&mut engine, "a", &["x"]).unwrap();
    keep(&mut engine, "a", record(Collection::Messages, 1, 10)).unwrap();
    keep(&mut engine, "a", record(Collection::AttachmentBytes, 2, 20_000)).unwrap();
    keep(&mut engine, "b", record(Collection::Messages, 1, 10)).unwrap();
    let key = |collection, number, part| {
        layout::record_key(&name("a"), 1, collection, Uuid::from_u128(number), part)
    };
    flip(&engine, &key(Collection::AttachmentBytes, 2, 1));
    let shared = engine.shared();
    let refused = shared.record(&name("a"), Collection::AttachmentBytes, Uuid::from_u128(2));
    assert!(matches!(refused, Err(StoreError::Damaged { .. })), "{refused:?}");
    assert_eq!(load(&mut engine, "a").unwrap().unwrap().tail.len(), 1);
    drop((engine, shared));
    let report = check(home.path(), None).unwrap();
    assert_eq!(report.damaged.len(), 1, "{report:?}");
    assert!(report.damaged[0].1.contains("a record beside it"), "{report:?}");

    let engine = open_engine(home.path());
    let first = key(Collection::Messages, 1, 0);
    engine.epochs().next().unwrap().clear(&first, &first, Durability::Kill).unwrap();
    drop(engine);
    let home_again = tempfile::tempdir().unwrap();
    copy(home.path(), home_again.path());
    let report = check(home_again.path(), None).unwrap();
    assert_eq!(report.damaged.len(), 1, "{report:?}");
    assert_eq!(report.damaged[0].0, name("a"));
}

/// sled shows what is applied before it is flushed. We do not.
#[test]
fn a_record_that_is_still_being_written_is_not_shown() {
    let home = tempfile::tempdir().unwrap();
    let mut engine = open_engine(home.path());
    keep(&mut engine, "a", record(Collection::Messages, 1, 10)).unwrap();
    let shared = engine.shared();
    let seen = || {
        let one = shared.record(&name("a"), Collection::Messages, Uuid::from_u128(2)).unwrap();
        let all = shared.records(&name("a"), Collection::Messages, None, 9).unwrap();
        (one.is_some(), all.len())
    };
    let mut group = Group::default();
    let (reply, _answer) = oneshot::channel();
    let (document, records) = (name("a"), vec![record(Collection::Messages, 2, 10)]);
    let quota = Quota { collection: Collection::Messages, records: 9, bytes: 900 };
    let request = Request::Keep { document, life: Life::FIRST, at: Timestamp(1), records, quota, reply };
    assert!(engine.stage(&mut group, request).is_none());
    engine.commit_watched(group, || assert_eq!(seen(), (false, 1)));
    assert_eq!(seen(), (true, 2));
}

/// A row that counts records and is older than the one written last brings its document under suspicion.
#[test]
fn a_count_that_looks_whole_but_older_is_suspect() {
    let home = tempfile::tempdir().unwrap();
    let mut engine = open_engine(home.path());
    append(&mut engine, "a", &["x"]).unwrap();
    keep(&mut engine, "a", record(Collection::Messages, 1, 10)).unwrap();
    let row = layout::beside_key(&name("a"));
    let older = engine.epochs().next().unwrap().get(&row).unwrap().unwrap();
    keep(&mut engine, "a", record(Collection::Messages, 2, 10)).unwrap();
    engine.epochs().next().unwrap().apply(vec![(row, older)], Durability::Kill).unwrap();
    drop(engine);
    let mut engine = open_engine(home.path());
    assert!(matches!(load(&mut engine, "a"), Err(StoreError::Damaged { .. })));
}

#[test]
fn a_store_of_the_first_schema_is_taken_over() {
    let home = tempfile::tempdir().unwrap();
    let mut engine = open_engine(home.path());
    append(&mut engine, "a", &["x"]).unwrap();
    let mut schema = layout::encode_schema(1);
    schema[3] = 1;
    let row = layout::seal(layout::Kind::Store, layout::SCHEMA_KEY, &schema);
    engine
        .epochs()
        .next()
        .unwrap()
        .apply(vec![(layout::SCHEMA_KEY.to_vec(), row)], Durability::Kill)
        .unwrap();
    drop(engine);
    let mut engine = open_engine(home.path());
    assert_eq!(load(&mut engine, "a").unwrap().unwrap().tail.len(), 1);
    let row = engine.epochs().next().unwrap().get(layout::SCHEMA_KEY).unwrap().unwrap();
    let schema =
        layout::unseal(layout::Kind::Store, layout::SCHEMA_KEY, &row).and_then(layout::decode_schema);
    assert_eq!(schema, Ok((layout::SCHEMA, 1)), "an older weft now leaves it alone");
}

#[tokio::test]
async fn dropping_a_store_keeps_what_was_handed_over() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path()).unwrap();
    let update = LoggedUpdate { bytes: Bytes::from_static(b"x"), origin: None, at: Timestamp(1) };
    let append = || vec![Append { document: name("a"), updates: vec![update.clone()], summary: None }];
    let acknowledged = store.append(append());
    let nobody_waits = store.append(append());
    drop(nobody_waits);
    drop(store);
    acknowledged.await.unwrap();
    let store = open(home.path()).unwrap();
    assert_eq!(store.load(name("a")).await.unwrap().unwrap().tail.len(), 2);
}

/// Nobody waits for readers that have gone.
#[tokio::test]
async fn a_load_that_comes_while_the_store_is_closed_is_answered() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path()).unwrap();
    let load = store.load(name("a"));
    store.loads.lock().take();
    let answer = tokio::time::timeout(std::time::Duration::from_secs(20), load).await;
    assert!(matches!(answer.expect("it is answered"), Err(StoreError::Closed)));
}

#[tokio::test]
async fn a_full_queue_makes_appends_wait() {
    let home = tempfile::tempdir().unwrap();
    let config = Config { queue_bytes: 10_000, ..config(home.path()) };
    let store = SledStore::open(config, Arc::new(Unobserved)).unwrap();
    let big = LoggedUpdate { bytes: Bytes::from(vec![0; 9_000]), origin: None, at: Timestamp(1) };
    let append = |number: u64| {
        let document = name(&format!("document {number}"));
        store.append(vec![Append { document, updates: vec![big.clone(); 2], summary: None }])
    };
    // Each one takes all the room there is, and more; all of them arrive.
    let appended = futures_util::future::join_all((0..20).map(append)).await;
    assert!(appended.iter().all(Result::is_ok));
    assert_eq!(store.list(crate::store::Shelf::Live, None, 100).await.unwrap().heads.len(), 20);
}

/// A folder as Weft 0.1 with schema 3 left it when it was killed: rows in sled, a log of version 1.
#[test]
fn a_store_of_schema_3_is_taken_over() {
    let home = tempfile::tempdir().unwrap();
    copy(Path::new("tests/fixtures/store-schema-3"), home.path());
    let killed_while_converting = killed_now(home.path());
    fs::write(killed_while_converting.path().join("epoch-1/rows.new"), b"half of it").unwrap();
    for data in [home.path(), killed_while_converting.path()] {
        for _ in 0..2 {
            let mut engine = open_engine(data);
            let live = load(&mut engine, "live").unwrap().unwrap();
            assert_eq!(live.checkpoint.as_deref(), Some(b"state of one".as_slice()));
            let texts: Vec<_> = live.tail.iter().map(|update| update.bytes.to_vec()).collect();
            assert_eq!(texts, [b"two".to_vec(), b"three".to_vec()]);
            assert_eq!(load(&mut engine, "large").unwrap().unwrap().tail[0].bytes.len(), 20_000);
            let standing = |engine: &mut Engine, name| load(engine, name).unwrap().unwrap().head.standing;
            assert_eq!(standing(&mut engine, "trashed"), Standing::Trashed(Timestamp(7)));
            assert_eq!(standing(&mut engine, "deleted"), Standing::Deleted(Timestamp(8)));
            assert_eq!(load(&mut engine, "anew").unwrap().unwrap().tail[0].bytes, "new");
            assert_eq!(records(&mut engine)["live"].len(), 2);
            let document = name("live");
            assert_eq!(ask(&mut engine, |reply| Request::Quarantined { document, reply }).unwrap().len(), 1);
        }
        assert!(check(data, None).unwrap().is_clean());
        assert!(!data.join("epoch-1/db").exists(), "what sled had is gone");
        // An earlier weft refuses it in words from here on, and both markers carry a checksum.
        let markers = ["CURRENT", "CURRENT.copy"].map(|name| fs::read_to_string(data.join(name)).unwrap());
        assert!(markers[0].contains("\"schema\":4") && markers[0] == markers[1], "{markers:?}");
    }
}

/// As on a disk with an error: said in words, whichever it is, and as if nobody had tried once it is mended.
#[test]
fn a_sync_that_fails_at_the_start_is_said_and_costs_nothing() {
    let home = tempfile::tempdir().unwrap();
    let original = home.path().join("original");
    let mut engine = open_engine(&original);
    furnish(&mut engine, 7);
    let then = content(&mut engine);
    let (full, legacy) = (killed_now(&original), Path::new("tests/fixtures/store-schema-3"));
    drop(engine);
    let empty = tempfile::tempdir().unwrap();
    for (data, documents) in [(full.path(), Some(&then)), (empty.path(), None), (legacy, None)] {
        for syncs in 0.. {
            let home = killed_now(data);
            super::disk::fail_after(syncs);
            let opened = open_durable(home.path()).map(drop);
            if !super::disk::has_failed() {
                opened.unwrap();
                assert!(syncs > 3, "{syncs} syncs at a start");
                break;
            }
            // One that only says that something old is gone may be passed over.
            if opened.is_err() {
                let what = refusal(opened);
                assert!(
                    what.contains("cannot be used") && what.contains("os error 5"),
                    "sync {syncs}: {what}"
                );
            }
            let mut engine =
                open_durable(home.path()).unwrap_or_else(|error| panic!("sync {syncs}: {error}"));
            if let Some(documents) = documents {
                assert_same(&content(&mut engine), documents, &format!("after sync {syncs} had failed"));
            }
            append(&mut engine, "afterwards", &["x"]).unwrap();
        }
    }
}

fn open_durable(data: &Path) -> StoreResult<Engine> {
    let config = Config { durability: Durability::Disk, ..config(data) };
    let free = Box::new(|_: &Path| Ok(1 << 40));
    Engine::open(Directory::take(data)?, config, Arc::new(Unobserved), free)
}

/// What is open is let go only when the directory can be written again: until then, reading goes on.
#[test]
fn reading_goes_on_while_nothing_can_be_written() {
    let home = tempfile::tempdir().unwrap();
    let mut engine = open_engine(home.path());
    append(&mut engine, "a", &["x"]).unwrap();
    engine.settle_all();
    let in_the_way = home.path().join("probe");
    fs::create_dir(&in_the_way).unwrap();
    engine.fail("by a test");
    for _ in 0..2 {
        std::thread::sleep(engine.patience());
        engine.step();
        let what = engine.shared().writable().unwrap_err().to_string();
        assert!(what.contains("the disk cannot be written") && what.contains("since 2"), "{what}");
        assert!(append(&mut engine, "a", &["y"]).is_err());
        assert_eq!(load(&mut engine, "a").unwrap().unwrap().tail.len(), 1);
    }
    fs::remove_dir(&in_the_way).unwrap();
    while engine.shared().writable().is_err() {
        std::thread::sleep(engine.patience());
        engine.step();
    }
    append(&mut engine, "a", &["y"]).unwrap();
    assert_eq!(load(&mut engine, "a").unwrap().unwrap().tail.len(), 2);
    assert!(!in_the_way.exists());
}

/// Whatever the store was doing: what was acknowledged is there, and it takes more by itself.
#[test]
fn a_sync_that_fails_meanwhile_loses_nothing_and_ends_nothing() {
    for syncs in 0.. {
        let home = tempfile::tempdir().unwrap();
        let mut engine = open_durable(home.path()).unwrap();
        let mut acknowledged: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let mut writes = |engine: &mut Engine, document, text: &str| {
            if append(engine, document, &[text]).is_ok() {
                acknowledged.entry(document).or_default().push(text.to_owned());
            }
        };
        super::disk::fail_after(syncs);
        writes(&mut engine, "a", "one");
        writes(&mut engine, "b", "one");
        let _ = checkpoint(&mut engine, "b", 1, b"one".to_vec());
        writes(&mut engine, "a", "two");
        engine.settle_all();
        writes(&mut engine, "a", "three");
        engine.rotate();
        while engine.is_busy() {
            engine.step();
        }
        writes(&mut engine, "b", "two");
        engine.settle_all();
        let failed = super::disk::has_failed();
        while engine.shared().writable().is_err() {
            std::thread::sleep(engine.patience());
            engine.step();
        }
        writes(&mut engine, "c", "afterwards");
        for when in ["as it runs", "after a restart"] {
            for (document, texts) in &acknowledged {
                let stored = load(&mut engine, document).unwrap().unwrap();
                let there = stored.checkpoint.iter().chain(stored.tail.iter().map(|update| &update.bytes));
                let there: Vec<_> = there.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()).collect();
                assert!(
                    texts.iter().all(|text| there.contains(text)),
                    "sync {syncs}, {when}: {there:?} of {texts:?}"
                );
            }
            assert_eq!(acknowledged["c"], ["afterwards"], "sync {syncs}: it does not write again");
            drop(engine);
            engine = open_durable(home.path()).unwrap();
        }
        if !failed {
            assert!(syncs > 10, "{syncs} syncs");
            break;
        }
    }
}

/// Deleting is how people make room: it must not need room, nor somebody who goes on writing.
#[test]
fn what_is_deleted_leaves_the_disk_by_itself_also_when_it_is_full() {
    let home = tempfile::tempdir().unwrap();
    let free = Arc::new(AtomicU64::new(1 << 40));
    let measured = Arc::clone(&free);
    let config = Config { min_free_bytes: 512 << 20, slack_bytes: 8 << 20, ..config(home.path()) };
    let probe = Box::new(move |_: &Path| Ok(measured.load(Ordering::Relaxed)));
    let directory = Directory::take(home.path()).unwrap();
    let mut engine = Engine::open(directory, config, Arc::new(Unobserved), probe).unwrap();
    append(&mut engine, "kept", &["x"]).unwrap();
    for number in 0..4 {
        append(&mut engine, &number.to_string(), &[&"x".repeat(1 << 20)]).unwrap();
    }
    engine.settle_all();
    free.store(100 << 20, Ordering::Relaxed); // far below the floor, and yet enough to copy what is left
    engine.measure();
    for number in 0..4 {
        let (document, standing) = (name(&number.to_string()), Standing::Deleted(Timestamp(2)));
        ask(&mut engine, |reply| Request::SetStanding { document, standing, reply }).unwrap();
    }
    let begun = std::time::Instant::now();
    while engine.shared().usage.read().disk_bytes > 2 << 20 {
        assert!(begun.elapsed().as_secs() < 60, "{:?}", *engine.shared().usage.read());
        std::thread::sleep(if engine.is_busy() { std::time::Duration::ZERO } else { engine.patience() });
        engine.step();
    }
    assert_eq!(load(&mut engine, "kept").unwrap().unwrap().tail.len(), 1);
}

#[tokio::test]
async fn a_disk_that_does_not_answer_is_not_said_to_take_writes() {
    use std::{
        sync::mpsc,
        time::{Duration, Instant},
    };

    let home = TempDir::new().unwrap();
    let (stuck, (answer, answers)) = (Arc::new(AtomicU64::new(0)), mpsc::channel::<()>());
    let hangs = stuck.clone();
    let answers = parking_lot::Mutex::new(answers);
    let free_space = Box::new(move |path: &Path| {
        if hangs.load(Ordering::Acquire) > 0 {
            // As a mount does whose server is gone.
            let _ = answers.lock().recv();
        }
        free_bytes(path)
    });
    let store = SledStore::open_with(config(home.path()), Arc::new(Unobserved), free_space).unwrap();
    store.create(name("a"), Timestamp(1)).await.unwrap();
    assert!(store.health().is_ok());
    stuck.store(1, Ordering::Release);
    let begun = Instant::now();
    let refused = loop {
        match store.health() {
            Err(refused) => break refused,
            Ok(()) => assert!(begun.elapsed() < Duration::from_secs(20), "it says that all is well"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(refused.to_string().contains("has not answered for"), "{refused}");
    // What is asked meanwhile waits, and is done when it answers.
    let created = store.create(name("b"), Timestamp(2));
    stuck.store(0, Ordering::Release);
    drop(answer);
    assert!(created.await.unwrap().1);
    while store.health().is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Counts the commits.
#[derive(Default)]
struct Commits(AtomicUsize);

impl Observer for Commits {
    fn committed(&self, _: usize, _: usize, _: usize, _: Duration) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn what_nobody_waits_for_is_gathered_until_somebody_does() {
    let home = TempDir::new().unwrap();
    let commits = Arc::new(Commits::default());
    let forever = 3_600_000;
    let config = Config { unawaited_group_ms: forever, ..config(home.path()) };
    let store = SledStore::open(config, commits.clone()).unwrap();
    let append = |letter: &'static [u8]| {
        let update = LoggedUpdate { bytes: Bytes::from_static(letter), origin: None, at: Timestamp(1) };
        store.append(vec![Append { document: name("a"), updates: vec![update], summary: None }])
    };
    append(b"the first after a pause waits for nothing").await.unwrap();
    let before = commits.0.load(Ordering::Relaxed);
    let gathered: Vec<_> = [b"a" as &[u8], b"b", b"c"].into_iter().map(append).collect();
    store.hurry();
    for appended in gathered {
        appended.await.unwrap();
    }
    assert_eq!(commits.0.load(Ordering::Relaxed), before + 1, "they share one commit");
    // Everything but an append is waited for, and takes what was handed over before along.
    let appended = append(b"d");
    store.create(name("b"), Timestamp(2)).await.unwrap();
    appended.await.unwrap();
    // So does the end.
    let last = append(b"e");
    store.close().await.unwrap();
    last.await.unwrap();
}
