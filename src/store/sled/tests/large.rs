//! What is written in steps, and everything that may come between them.

use std::sync::Arc;

use bytes::Bytes;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::sync::oneshot::{self, error::TryRecvError};

use super::{append, ask, checkpoint, config, flip, killed_now, load, name, open_engine, seed};
use crate::{
    ids::Timestamp,
    store::{
        Append, Appended, Durability, LoggedUpdate, Standing, StoreError, StoreResult, Stored, Unobserved,
        layout,
        sled::{
            check,
            directory::{Directory, free_bytes},
            engine::{Engine, Group, Request},
        },
    },
};

type Answer = oneshot::Receiver<StoreResult<Vec<Appended>>>;

fn update(fill: u8, length: usize) -> LoggedUpdate {
    LoggedUpdate { bytes: Bytes::from(vec![fill; length]), origin: None, at: Timestamp(1) }
}

/// Hands an append to the engine, and takes no step.
fn begin(engine: &mut Engine, document: &str, updates: Vec<LoggedUpdate>) -> Answer {
    let (reply, answer) = oneshot::channel();
    let batch = vec![Append { document: name(document), updates, summary: None }];
    let mut group = Group::default();
    assert!(engine.stage(&mut group, Request::Append { batch, reply }).is_none());
    engine.commit(group);
    answer
}

fn is_open(answer: &mut Answer) -> bool {
    matches!(answer.try_recv(), Err(TryRecvError::Empty))
}

/// Steps until nothing is left to be done.
fn rest(engine: &mut Engine) {
    while engine.is_busy() {
        engine.step();
    }
}

/// Fill and length of each update that is stored.
fn tail(stored: &Stored) -> Vec<(u8, usize)> {
    stored.tail.iter().map(|update| (update.bytes[0], update.bytes.len())).collect()
}

fn read(engine: &mut Engine, document: &str) -> Vec<(u8, usize)> {
    tail(&load(engine, document).unwrap().unwrap())
}

const LONG: usize = 5 << 20;

#[test]
fn others_are_answered_between_the_steps_of_a_long_append() {
    let home = tempfile::tempdir().unwrap();
    let mut engine = open_engine(home.path());
    append(&mut engine, "long", &["first"]).unwrap();
    let mut long = begin(&mut engine, "long", vec![update(1, LONG), update(2, 3)]);
    let mut other_long = begin(&mut engine, "other long", vec![update(3, LONG / 2)]);
    let mut between = 0;
    while is_open(&mut long) {
        let mut short = begin(&mut engine, "short", vec![update(9, 1)]);
        assert!(short.try_recv().is_ok(), "after {between} steps");
        engine.step();
        between += 1;
    }
    assert!(between > 4, "one step alone would hold the others up: {between}");
    assert!(!is_open(&mut other_long), "the shorter one was not first");
    assert_eq!(read(&mut engine, "long"), [(b'f', 5), (1, LONG), (2, 3)]);
    assert_eq!(read(&mut engine, "other long"), [(3, LONG / 2)]);
    assert_eq!(read(&mut engine, "short").len(), between);
    let killed = killed_now(home.path());
    drop(engine);
    for data in [home.path(), killed.path()] {
        let mut engine = open_engine(data);
        assert_eq!(read(&mut engine, "long"), [(b'f', 5), (1, LONG), (2, 3)]);
        assert_eq!(read(&mut engine, "short").len(), between);
        drop(engine);
        assert!(check(data, None).unwrap().is_clean());
    }
}

#[test]
fn what_would_move_the_sequence_waits_behind_a_long_append() {
    let home = tempfile::tempdir().unwrap();
    let mut engine = open_engine(home.path());
    let mut long = begin(&mut engine, "a", vec![update(1, LONG)]);
    let mut behind = begin(&mut engine, "a", vec![update(2, 1)]);
    let mut long_behind = begin(&mut engine, "a", vec![update(3, LONG)]);
    let mut last = begin(&mut engine, "a", vec![update(4, 1)]);
    assert!([&mut long, &mut behind, &mut long_behind, &mut last].into_iter().all(is_open));
    rest(&mut engine);
    let firsts =
        [long, behind, long_behind, last].map(|mut answer| answer.try_recv().unwrap().unwrap()[0].first.0);
    assert_eq!(firsts, [1, 2, 3, 4]);
    assert_eq!(read(&mut engine, "a"), [(1, LONG), (2, 1), (3, LONG), (4, 1)]);

    let mut long = begin(&mut engine, "a", vec![update(5, LONG)]);
    engine.step();
    let document = name("a");
    let deleted = Standing::Deleted(Timestamp(2));
    for standing in [Standing::Trashed(Timestamp(2)), deleted] {
        let document = document.clone();
        ask(&mut engine, |reply| Request::SetStanding { document, standing, reply }).unwrap();
    }
    assert!(long.try_recv().unwrap().is_ok(), "it came first");
    let refused = begin(&mut engine, "a", vec![update(6, LONG)]).try_recv().unwrap();
    assert!(matches!(refused, Err(StoreError::Missing(_))));
}

#[test]
fn what_is_found_damaged_meanwhile_takes_no_long_append() {
    let home = tempfile::tempdir().unwrap();
    let mut engine = open_engine(home.path());
    append(&mut engine, "a", &["one"]).unwrap();
    engine.settle_all();
    let mut long = begin(&mut engine, "a", vec![update(1, LONG)]);
    let mut behind = begin(&mut engine, "a", vec![update(2, 1)]);
    engine.step();
    flip(&engine, &layout::log_key(&name("a"), 1, 1, 0));
    assert!(matches!(load(&mut engine, "a"), Err(StoreError::Damaged { .. })));
    rest(&mut engine);
    for answer in [&mut long, &mut behind] {
        assert!(matches!(answer.try_recv().unwrap(), Err(StoreError::Damaged { .. })));
    }
}

#[test]
fn a_closing_store_writes_long_appends_to_their_end() {
    let home = tempfile::tempdir().unwrap();
    let mut engine = open_engine(home.path());
    let mut long = begin(&mut engine, "a", vec![update(1, LONG)]);
    let (reply, _answer) = oneshot::channel();
    let mut close = Some(Request::Close { reply });
    while let Some(request) = close.take() {
        let mut group = Group::default();
        close = engine.stage(&mut group, request);
        engine.commit(group);
        engine.step();
    }
    assert!(long.try_recv().unwrap().is_ok());
}

#[test]
fn a_failure_is_said_to_all_who_wait() {
    let home = tempfile::tempdir().unwrap();
    let mut engine = open_engine(home.path());
    let mut long = begin(&mut engine, "a", vec![update(1, LONG)]);
    let mut behind = begin(&mut engine, "a", vec![update(2, 1)]);
    engine.step();
    engine.fail("pulled out");
    for answer in [&mut long, &mut behind] {
        assert!(matches!(answer.try_recv().unwrap(), Err(StoreError::Unwritable(_))));
    }
    while engine.shared().writable().is_err() {
        engine.step();
    }
    assert!(load(&mut engine, "a").unwrap().is_none_or(|stored| stored.tail.is_empty()));
    append(&mut engine, "a", &["x"]).unwrap();
    engine.settle_all();
    assert_eq!(read(&mut engine, "a"), [(b'x', 1)]);
}

/// Kills at each step, in both levels; whatever comes next is short, or long, or a checkpoint, or a rotation.
#[test]
fn a_kill_at_any_step_leaves_all_or_nothing() {
    let mut random = ChaCha8Rng::seed_from_u64(seed());
    for level in [Durability::Kill, Durability::Disk] {
        let home = tempfile::tempdir().unwrap();
        let open = |data: &std::path::Path| {
            let config = crate::store::Config { durability: level, ..config(data) };
            Engine::open(Directory::take(data).unwrap(), config, Arc::new(Unobserved), Box::new(free_bytes))
                .unwrap()
        };
        let mut engine = open(home.path());
        append(&mut engine, "a", &["one"]).unwrap();
        engine.settle_all();
        append(&mut engine, "a", &["two"]).unwrap();
        let mut long = begin(&mut engine, "a", vec![update(7, LONG), update(8, 1)]);
        let mut copies = Vec::new();
        while is_open(&mut long) {
            copies.push(killed_now(home.path()));
            engine.step();
        }
        let done = killed_now(home.path());
        let before = vec![(b'o', 3), (b't', 3)];
        let after = [&before[..], &[(7, LONG), (8, 1)]].concat();
        assert!(copies.len() > 4);
        for (killed, expected) in copies.iter().map(|copy| (copy, &before)).chain([(&done, &after)]) {
            let mut engine = open(killed.path());
            assert_eq!(&read(&mut engine, "a"), expected);
            let mut expected = expected.clone();
            for what in 0..4 {
                match random.random_range(0..6) {
                    0 => {
                        append(&mut engine, "a", &["three"]).unwrap();
                        expected.push((b't', 5));
                    }
                    1 => {
                        let length = random.random_range(1..LONG);
                        let mut answer = begin(&mut engine, "a", vec![update(9, length)]);
                        while is_open(&mut answer) {
                            engine.step();
                        }
                        expected.push((9, length));
                    }
                    2 => engine.settle_all(),
                    3 => {
                        let stored = load(&mut engine, "a").unwrap().unwrap();
                        let length = random.random_range(1..2 << 20);
                        checkpoint(&mut engine, "a", stored.head.last.0, vec![1; length]).unwrap();
                        expected.clear();
                    }
                    4 => {
                        rest(&mut engine);
                        engine.rotate();
                        let mut answer = begin(&mut engine, "a", vec![update(6, LONG)]);
                        while is_open(&mut answer) {
                            if random.random() {
                                engine.drain_step();
                            }
                            engine.step();
                        }
                        expected.push((6, LONG));
                        rest(&mut engine);
                    }
                    _ => {
                        drop(engine);
                        engine = open(killed.path());
                    }
                }
                assert_eq!(read(&mut engine, "a"), expected, "after {what}");
            }
            engine.settle_all();
            rest(&mut engine);
            assert_eq!(read(&mut engine, "a"), expected);
            drop(engine);
            let report = check(killed.path(), None).unwrap();
            assert!(report.is_clean(), "{report:?}");
        }
    }
}
