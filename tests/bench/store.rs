//! What the embedded store costs: disk, time, CPU, memory.
//!
//! ```text
//! cargo bench --bench store                       # everything, at full scale
//! cargo bench --bench store -- space --scale 0.1  # one scenario, a tenth of the work
//! ```
//!
//! `space`   1,000 documents, 1 M updates of 100 B, one per append, then a full state of 40 KB each; twice.
//!           Prints disk and live bytes on the way, and fails if after the first states disk ever exceeds
//!           4 x live + 256 MB.
//! `paced`   appends at a steady rate over 200 documents: latency, and the CPU of the store's threads.
//! `max`     1,000 authors, each with one append on the way: appends per second.
//! `memory`  RSS with 1,000 documents.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{StreamExt, stream::FuturesUnordered};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use weft::{
    ids::{DocumentName, SessionId, Timestamp},
    store::{
        Append, Config, Durability, Life, LoggedUpdate, Observer, Sequence, Store, Summary, sled::SledStore,
    },
};

const MB: f64 = 1_000_000.0;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let option = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse::<f64>().ok()
    };
    let scale = option("--scale").unwrap_or(1.0);
    let group_ms = option("--group-ms").map_or(Config::default().group_ms, |ms| ms as u64);
    let wanted =
        |scenario: &str| arguments.first().is_none_or(|first| first == scenario || first.starts_with("--"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    if wanted("memory") {
        runtime.block_on(memory());
    }
    if wanted("paced") {
        let seconds = (10.0 * scale).max(1.0);
        for level in [Durability::Kill, Durability::Disk] {
            for rate in [20, 2_000, 5_000] {
                runtime.block_on(paced(level, rate, seconds, group_ms));
            }
        }
    }
    if wanted("max") {
        for level in [Durability::Kill, Durability::Disk] {
            runtime.block_on(max(level, (5.0 * scale).max(1.0), group_ms));
        }
    }
    if wanted("space") {
        runtime.block_on(space(scale));
    }
}

// ---- scenarios ----

async fn space(scale: f64) {
    let lab = Lab::open(Durability::Kill, 5);
    let documents = ((1_000.0 * scale.sqrt()) as u64).max(1);
    let updates = (1_000_000.0 * scale) as u64;
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let names: Vec<_> = (0..documents).map(document).collect();
    println!("\nspace: {documents} documents, {updates} updates of 100 B, states of 40 KB, twice");
    println!("| after | live MB | disk MB | disk / live | of the bound |");
    println!("|---|---|---|---|---|");
    let begun = Instant::now();
    let mut worst: f64 = 0.0;
    let mut bounded = false;
    let mut look = |what: &str, bounded: bool, print: bool| {
        let (live, disk) = (lab.store.usage().live_bytes as f64, disk_bytes(lab.directory.path()) as f64);
        let of_bound = disk / (4.0 * live + 256.0 * MB);
        if bounded {
            worst = worst.max(of_bound);
        }
        if print {
            println!("| {what} | {:.1} | {:.1} | {:.1} | {of_bound:.2} |", live / MB, disk / MB, disk / live);
        }
    };
    for round in 1..=2 {
        let mut waiting = FuturesUnordered::new();
        for number in 0..updates {
            let name = names[random.random_range(0..names.len())].clone();
            waiting.push(lab.store.append(vec![append(name, &mut random, 100)]));
            while waiting.len() >= 1_000 {
                waiting.next().await.expect("some wait").expect("appended");
            }
            if number % (updates / 100).max(1) == 0 {
                let print = number % (updates / 5).max(1) == 0;
                look(&format!("round {round}, {number} updates"), bounded, print);
            }
        }
        while let Some(appended) = waiting.next().await {
            appended.expect("appended");
        }
        look(&format!("round {round}, all updates"), bounded, true);
        for (number, name) in names.iter().enumerate() {
            let heads = lab.store.heads(vec![name.clone()]).await.expect("heads");
            let Some(head) = heads.into_iter().next().flatten() else { continue };
            let state = noise(&mut random, 40_000);
            lab.store
                .checkpoint(name.clone(), head.life, head.last, state, Summary::default())
                .await
                .expect("checkpoint");
            if number % (names.len() / 4).max(1) == 0 {
                look(&format!("round {round}, {number} states"), bounded, true);
            }
        }
        // The bound holds from here on, give or take the second in which the store notices.
        let settled = Instant::now();
        while settled.elapsed() < Duration::from_secs(30) {
            let usage = lab.store.usage();
            let disk = disk_bytes(lab.directory.path());
            if disk <= 4 * usage.live_bytes + 256_000_000 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        println!("| within the bound after {:.1} s | | | | |", settled.elapsed().as_secs_f64());
        bounded = true;
        look(&format!("round {round}, all states"), bounded, true);
    }
    println!("took {:.1} s, rotations {}", begun.elapsed().as_secs_f64(), lab.counts.rotations.load(Relaxed));
    println!("worst after the first states: {worst:.2} of 4 x live + 256 MB");
    assert!(worst <= 1.0, "the space bound is broken");
}

async fn paced(level: Durability, rate: u64, seconds: f64, group_ms: u64) {
    let lab = Lab::open(level, group_ms);
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let names: Vec<_> = (0..200).map(document).collect();
    for name in &names {
        lab.store.append(vec![append(name.clone(), &mut random, 20)]).await.expect("appended");
    }
    let (commits, cpu) = (lab.counts.commits.load(Relaxed), store_cpu());
    let begun = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_millis(1));
    let mut waiting = FuturesUnordered::new();
    let mut latencies = Vec::new();
    let mut sent = 0;
    while begun.elapsed().as_secs_f64() < seconds {
        tokio::select! {
            _ = ticks.tick() => {
                let due = (begun.elapsed().as_secs_f64() * rate as f64) as u64;
                for _ in sent..due {
                    let name = names[random.random_range(0..names.len())].clone();
                    let appended = lab.store.append(vec![append(name, &mut random, 30)]);
                    let at = Instant::now();
                    waiting.push(async move { appended.await.expect("appended"); at.elapsed() });
                }
                sent = due.max(sent);
            }
            Some(latency) = waiting.next() => latencies.push(latency),
        }
    }
    while let Some(latency) = waiting.next().await {
        latencies.push(latency);
    }
    let took = begun.elapsed();
    let cpu = store_cpu().saturating_sub(cpu);
    let commits = (lab.counts.commits.load(Relaxed) - commits).max(1);
    latencies.sort();
    let percentile = |of: f64| latencies[((latencies.len() - 1) as f64 * of) as usize].as_secs_f64() * 1e3;
    println!(
        "paced {level}, group {group_ms} ms, {rate}/s: p50 {:.2} ms, p99 {:.2} ms, max {:.1} ms; {:.0} commits/s, \
         {:.0} us CPU per commit, {:.1} us per append, {:.1} % of a core; {:.0} bytes per append, disk {:.1} MB",
        percentile(0.5),
        percentile(0.99),
        percentile(1.0),
        commits as f64 / took.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / commits as f64,
        cpu.as_secs_f64() * 1e6 / latencies.len() as f64,
        100.0 * cpu.as_secs_f64() / took.as_secs_f64(),
        lab.counts.bytes.load(Relaxed) as f64 / latencies.len() as f64,
        disk_bytes(lab.directory.path()) as f64 / MB,
    );
}

async fn max(level: Durability, seconds: f64, group_ms: u64) {
    let lab = Lab::open(level, group_ms);
    let begun = Instant::now();
    let counted = Arc::new(AtomicU64::new(0));
    let authors: FuturesUnordered<_> = (0..1_000)
        .map(|number| {
            let (store, counted) = (Arc::clone(&lab.store), Arc::clone(&counted));
            async move {
                let mut random = ChaCha8Rng::seed_from_u64(number);
                while begun.elapsed().as_secs_f64() < seconds {
                    store.append(vec![append(document(number), &mut random, 100)]).await.expect("appended");
                    counted.fetch_add(1, Relaxed);
                }
            }
        })
        .collect();
    authors.collect::<Vec<()>>().await;
    let rate = counted.load(Relaxed) as f64 / begun.elapsed().as_secs_f64();
    let cpu = 100.0 * store_cpu().as_secs_f64() / begun.elapsed().as_secs_f64();
    println!(
        "max {level}, group {group_ms} ms, 1,000 authors: {rate:.0} appends/s, store {cpu:.0} % of a core"
    );
}

async fn memory() {
    let before = rss();
    let lab = Lab::open(Durability::Kill, 5);
    let opened = rss();
    let mut random = ChaCha8Rng::seed_from_u64(7);
    for number in 0..1_000 {
        let first = lab.store.append(vec![append(document(number), &mut random, 100)]);
        first.await.expect("appended");
        let state = noise(&mut random, 40_000);
        lab.store
            .checkpoint(document(number), Life::FIRST, Sequence(1), state, Summary::default())
            .await
            .expect("checkpoint");
    }
    for number in 0..1_000 {
        lab.store.load(document(number)).await.expect("loaded");
    }
    println!(
        "memory: {:.1} MB before, {:.1} MB with an empty store, {:.1} MB after 1,000 documents of 40 KB were written and read",
        before as f64 / MB,
        opened as f64 / MB,
        rss() as f64 / MB
    );
}

// ---- the laboratory ----

struct Lab {
    store: Arc<SledStore>,
    counts: Arc<Counts>,
    directory: tempfile::TempDir,
}

impl Lab {
    fn open(durability: Durability, group_ms: u64) -> Self {
        // Not the temporary directory: it may be memory, which keeps no promise.
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
        let counts = Arc::new(Counts::default());
        let config = Config {
            data: directory.path().into(),
            durability,
            group_ms,
            min_free_bytes: 0,
            ..Config::default()
        };
        let store = SledStore::open(config, counts.clone()).expect("a store");
        Self { store: Arc::new(store), counts, directory }
    }
}

#[derive(Default)]
struct Counts {
    commits: AtomicU64,
    bytes: AtomicU64,
    rotations: AtomicU64,
}

impl Observer for Counts {
    fn committed(&self, _: usize, _: usize, bytes: usize, _: Duration) {
        self.commits.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    fn rotated(&self, before: u64, after: u64) {
        self.rotations.fetch_add(1, Relaxed);
        println!("| (rotated: {:.1} MB to {:.1} MB) | | | | |", before as f64 / MB, after as f64 / MB);
    }
}

fn document(number: u64) -> DocumentName {
    DocumentName::parse(&format!("document-{number:06}")).expect("a name")
}

fn append(document: DocumentName, random: &mut ChaCha8Rng, length: usize) -> Append {
    let origin = Some(SessionId(uuid::Uuid::from_u128(7)));
    let update = LoggedUpdate { bytes: noise(random, length), origin, at: Timestamp(1_700_000_000_000) };
    Append { document, updates: vec![update], summary: None }
}

fn noise(random: &mut ChaCha8Rng, length: usize) -> Bytes {
    let mut bytes = vec![0; length];
    random.fill(bytes.as_mut_slice());
    bytes.into()
}

fn disk_bytes(path: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(path) else { return 0 };
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => disk_bytes(&entry.path()),
        Ok(metadata) => metadata.blocks() * 512,
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}

/// CPU time of the store's threads: the storage thread, its readers, and those of sled.
fn store_cpu() -> Duration {
    let Ok(threads) = fs::read_dir("/proc/self/task") else { return Duration::ZERO };
    let read = |thread: fs::DirEntry| {
        let comm = fs::read_to_string(thread.path().join("comm")).ok()?;
        let stat = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        (comm.starts_with("weft-") || comm.starts_with("sled-"))
            .then(|| stat.split(' ').next()?.parse::<u64>().ok())
            .flatten()
    };
    Duration::from_nanos(threads.flatten().filter_map(read).sum())
}

fn rss() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}
