//! Damage anywhere in the folder: the store starts, perhaps after a repair, and no more is lost than what stood
//! in the damaged place, and never silently.
//!
//! `WEFT_ROUNDS` says how often (`make damage ROUNDS=500`), `WEFT_SEED` repeats a run.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    os::unix::fs::FileExt,
};

use super::{
    super::{
        frame::{Frames, Piece},
        places::Places,
        rows::{self, Rows},
    },
    *,
};

/// A store as a kill leaves it, what it holds, and what stands where.
struct Original {
    home: TempDir,
    content: Content,
    records: Records,
    /// Every file, by its path inside the folder, and its length.
    files: Vec<(PathBuf, u64)>,
    /// Which documents have something in which bytes of which file that stands nowhere else.
    stands: BTreeMap<PathBuf, Vec<(Range<u64>, String)>>,
}

impl Original {
    fn new(data: &Path, engine: &mut Engine) -> Self {
        let (content, records) = (content(engine), records(engine));
        let home = killed_now(data);
        let mut files = Vec::new();
        list(home.path(), Path::new(""), &mut files);
        files.retain(|(path, length)| *length > 0 && path != Path::new("LOCK"));
        let mut stands: BTreeMap<PathBuf, Vec<(Range<u64>, String)>> = BTreeMap::new();
        for (path, _) in &files {
            let file = fs::File::open(home.path().join(path)).unwrap();
            let found = match path.file_name().unwrap().to_str().unwrap() {
                "rows" => rows_in(&home.path().join(path)),
                name if name.starts_with("wal-") && name != "wal-mark" => appends_in(&file),
                _ => Vec::new(),
            };
            stands.insert(path.clone(), found);
        }
        Self { home, content, records, files, stands }
    }

    fn in_the_way(&self, path: &Path, hurt: &Range<u64>) -> BTreeSet<String> {
        let rows = self.stands[path].iter();
        let hit = rows.filter(|(row, _)| row.start < hurt.end && hurt.start < row.end);
        hit.map(|(_, document)| document.clone()).collect()
    }
}

fn list(root: &Path, inside: &Path, files: &mut Vec<(PathBuf, u64)>) {
    for entry in fs::read_dir(root.join(inside)).unwrap() {
        let entry = entry.unwrap();
        let path = inside.join(entry.file_name());
        let metadata = entry.metadata().unwrap();
        if metadata.is_dir() {
            list(root, &path, files);
        } else {
            files.push((path, metadata.len()));
        }
    }
    files.sort();
}

/// Whose rows stand where. Heads that the index knows stand there as well.
fn rows_in(path: &Path) -> Vec<(Range<u64>, String)> {
    let copied = tempfile::tempdir().unwrap();
    copy(&path.parent().unwrap().join("index"), copied.path());
    let known = Places::open(copied.path(), 1 << 20).unwrap().end();
    let file = Rows::open(path).unwrap();
    let mut frames = file.frames(rows::End::default()).unwrap();
    let mut found = Vec::new();
    while let Some(piece) = frames.next().unwrap() {
        let Piece::Frame { at, payload, .. } = piece else { panic!("{piece:?}") };
        for written in rows::decode(&payload, at) {
            let Some((place, _)) = written.value else { continue };
            let range = place.at - written.key.len() as u64 - 6..place.at + u64::from(place.length);
            let document = match layout::parse_key(&written.key).unwrap() {
                layout::Key::Log { name, .. } | layout::Key::State { name, .. } => name,
                layout::Key::Record { name, .. } => name,
                layout::Key::Meta(name) | layout::Key::End(name) | layout::Key::Beside(name)
                    if place.at > known.at =>
                {
                    name
                }
                _ => continue,
            };
            found.push((range, document.to_string()));
        }
    }
    found
}

fn appends_in(file: &fs::File) -> Vec<(Range<u64>, String)> {
    let first = {
        let mut number = [0; 8];
        file.read_exact_at(&mut number, 5).unwrap();
        u64::from_be_bytes(number)
    };
    let mut frames = Frames::new(file, 0, 2, first - 1).unwrap();
    let mut found = Vec::new();
    while let Some(piece) = frames.next().unwrap() {
        let Piece::Frame { mut at, payload, .. } = piece else { panic!("{piece:?}") };
        let mut rest = payload.clone();
        while !rest.is_empty() {
            let length = 8 + u64::from(u32::from_be_bytes(rest[..4].try_into().unwrap()));
            let one = rest.split_to(length as usize);
            let name = layout::decode_frame(&one).unwrap()[0].name.to_string();
            found.push((at..at + length, name));
            at += length;
        }
    }
    found
}

/// 400 documents: many small ones, some large, states and logs, records, trash, marks of what was deleted, a log
/// that is not settled.
fn furnish_many(engine: &mut Engine, random: &mut ChaCha8Rng) {
    for number in 0..400u64 {
        let document = format!("document {number}");
        let text = |random: &mut ChaCha8Rng| {
            let length = if random.random_bool(0.03) { 30_000 } else { 200 };
            (0..random.random_range(1..length)).map(|_| random.random_range('a'..='z')).collect::<String>()
        };
        for _ in 0..random.random_range(1..4) {
            let texts = [text(random), text(random)];
            append(engine, &document, &texts.each_ref().map(String::as_str)).unwrap();
        }
        if random.random_bool(0.3) {
            let state = text(random).repeat(random.random_range(1..10)).into_bytes();
            checkpoint(engine, &document, random.random_range(1..3), state).unwrap();
        }
        if random.random_bool(0.1) {
            keep(engine, &document, record(Collection::Messages, number, 60)).unwrap();
            keep(engine, &document, record(Collection::AttachmentBytes, number, 9_000)).unwrap();
            keep(engine, &document, record(Collection::AttachmentBytes, number + 1, 900)).unwrap();
            forget(engine, &document, Collection::AttachmentBytes, number + 1).unwrap();
        }
        if number % 100 == 99 {
            engine.settle_all();
        }
        let standing = match number % 20 {
            7 => Standing::Trashed(Timestamp(7)),
            8 => Standing::Deleted(Timestamp(8)),
            _ => continue,
        };
        ask(engine, |reply| Request::SetStanding { document: name(&document), standing, reply }).unwrap();
    }
    for _ in 0..200 {
        let document = format!("document {}", random.random_range(0..400) / 20 * 20);
        append(engine, &document, &["not settled yet"]).unwrap();
    }
}

fn originals(random: &mut ChaCha8Rng) -> [Original; 2] {
    let home = tempfile::tempdir().unwrap();
    let mut engine = open_engine(home.path());
    furnish_many(&mut engine, random);
    let killed = Original::new(home.path(), &mut engine);
    engine.rotate();
    engine.step();
    append(&mut engine, "document 1", &["while it is rewritten"]).unwrap();
    assert_eq!(epoch_numbers(home.path()).len(), 2);
    [killed, Original::new(home.path(), &mut engine)]
}

/// What is done to a file, and to which bytes.
fn hurt(path: &Path, length: u64, random: &mut ChaCha8Rng) -> (String, Range<u64>) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let at = random.random_range(0..length);
    match random.random_range(0..3) {
        0 => {
            let mut byte = [0];
            file.read_exact_at(&mut byte, at).unwrap();
            let bit = random.random_range(0..8);
            file.write_all_at(&[byte[0] ^ 1 << bit], at).unwrap();
            (format!("bit {bit} of byte {at} flipped"), at..at + 1)
        }
        1 => {
            file.set_len(at).unwrap();
            (format!("cut at {at}"), at..length)
        }
        _ => {
            let block = 512 << random.random_range(0..8);
            let at = at / block * block;
            let end = (at + block).min(length);
            file.write_all_at(&vec![0; (end - at) as usize], at).unwrap();
            (format!("{at} to {end} zeroed"), at..end)
        }
    }
}

/// Opens the folder and compares, but for the documents that are named. Those that may be older may lack their
/// last updates. Gives the documents that are refused, or what the store said.
fn compare(
    data: &Path,
    original: &Original,
    named: &BTreeSet<String>,
    may_be_older: &BTreeSet<String>,
) -> Result<BTreeSet<String>, String> {
    let directory = Directory::take(data).map_err(|error| error.to_string())?;
    let opened = Engine::open(directory, config(data), Arc::new(Unobserved), Box::new(free_bytes));
    let mut engine = opened.map_err(|error| error.to_string())?;
    let mut refused = BTreeSet::new();
    for (document, (head, checkpoint, tail)) in &original.content {
        if named.contains(document) {
            continue;
        }
        match load(&mut engine, document) {
            Ok(Some(stored)) if may_be_older.contains(document) => {
                assert!(
                    &stored.checkpoint == checkpoint && tail.starts_with(&stored.tail),
                    "{document} changed"
                );
            }
            Ok(Some(stored)) => {
                assert_eq!(&Head { stored_bytes: 0, ..stored.head }, head);
                assert!((&stored.checkpoint, &stored.tail) == (checkpoint, tail), "{document} changed");
            }
            Ok(None) if may_be_older.contains(document) && checkpoint.is_none() => continue,
            Ok(None) => panic!("{document} is gone and nobody says so"),
            Err(StoreError::Damaged { document: named, .. }) => {
                assert_eq!(named.as_str(), document);
                refused.insert(document.clone());
                continue;
            }
            Err(other) => panic!("{other}"),
        }
        let shared = engine.shared();
        let read = |collection| shared.records(&name(document), collection, None, usize::MAX);
        let found: StoreResult<Vec<_>> = Collection::ALL.into_iter().map(read).collect();
        let whole = shared.verify_records(&name(document)).is_ok();
        match found {
            Ok(found) if found.concat() == original.records[document] => {}
            Ok(_) if !whole => drop(refused.insert(document.clone())),
            Ok(_) => panic!("records beside {document} changed"),
            Err(_) => drop(refused.insert(document.clone())),
        }
    }
    Ok(refused)
}

#[test]
fn no_more_is_lost_than_what_stood_in_the_damaged_place() {
    let seed = seed();
    let rounds = std::env::var("WEFT_ROUNDS").map_or(30, |rounds| rounds.parse().unwrap());
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let originals = originals(&mut random);
    let (mut harmless, mut repaired, mut documents) = (0, 0, 0);
    for round in 0..rounds {
        let original = &originals[usize::from(random.random_bool(0.5))];
        let files = &original.files;
        // Each byte alike half of the time, else each file alike: the small ones matter as much.
        let (path, length) = if random.random_bool(0.5) {
            let mut byte = random.random_range(0..files.iter().map(|(_, length)| length).sum());
            let mut at = files.iter();
            loop {
                let (path, length) = at.next().unwrap();
                if byte < *length {
                    break (path, *length);
                }
                byte -= length;
            }
        } else {
            let (path, length) = &files[random.random_range(0..files.len())];
            (path, *length)
        };
        let home = killed_now(original.home.path());
        let (what, range) = hurt(&home.path().join(path), length, &mut random);
        let may_be_hit = original.in_the_way(path, &range);
        println!("round {round}: {} {what}, {} documents stand there", path.display(), may_be_hit.len());
        let opened = compare(home.path(), original, &BTreeSet::new(), &BTreeSet::new());
        match &opened {
            Ok(refused) if refused.is_empty() => {
                harmless += 1;
                continue;
            }
            Ok(refused) => assert!(refused.is_subset(&may_be_hit), "{refused:?} refused"),
            Err(what) => assert!(what.contains("`weft check --repair`"), "{what}"),
        }
        repaired += 1;
        let done = repair(home.path(), &mut |_, _| true).unwrap();
        assert!(done.aside.as_ref().is_some_and(|aside| aside.join("CURRENT.copy").exists()), "{done:?}");
        let named = done.in_part.iter().chain(&done.lost).map(|(document, _)| document.to_string());
        let named: BTreeSet<_> = named.collect();
        documents += named.len() + done.nameless as usize;
        assert!(named.is_subset(&may_be_hit), "{done:?}, where only {may_be_hit:?} stood");
        if let Ok(refused) = opened {
            assert!(refused.is_subset(&named), "{refused:?} were refused, and {named:?} named");
        }
        // Of those that are named, what is left is of what was there.
        // A piece of the log that is gone altogether names nobody; how many writes were in it is said.
        let older = if done.commits == Some(0) { BTreeSet::new() } else { may_be_hit };
        let refused = compare(home.path(), original, &named, &older).unwrap();
        assert!(refused.is_empty(), "{refused:?} after the repair");
        let mut engine = open_engine(home.path());
        for (document, what) in &done.in_part {
            let (_, checkpoint, tail) = &original.content[document.as_str()];
            let stored = load(&mut engine, document.as_str()).unwrap().unwrap();
            assert!(stored.checkpoint.is_none() || &stored.checkpoint == checkpoint, "{document}: {what}");
            assert!(stored.tail.iter().all(|update| tail.contains(update)), "{document}: {what}");
        }
        append(&mut engine, "document 0", &["life goes on"]).ok();
        drop(engine);
        assert!(check(home.path(), None).unwrap().is_clean());
    }
    println!(
        "{rounds} rounds: {harmless} without any loss, {repaired} repaired, {documents} documents named"
    );
}
