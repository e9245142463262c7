//! Fuzzes the guard and what lies behind it.
//!
//! ```text
//! cargo run --release --manifest-path tests/fuzz/Cargo.toml -- [--seconds 60] [--inputs N] [--seed N] [--from 0]
//! ```
//!
//! runs until the time is over or the inputs are used up, prints the counts and each kind of finding once,
//! and exits with 1 if there was one. The inputs follow from the seed, which is printed; what yrs does with
//! them varies a little from run to run, because its maps are seeded by chance. The work is done in a child
//! process, so that an input that ends the process (an abort, a stack overflow) or takes longer than ten
//! seconds is a finding too, and the fuzzing goes on behind it.
//!
//! The same harness runs in the ordinary tests, bounded: `src/protocol/tests.rs`.

use std::{
    collections::BTreeMap,
    fs::File,
    os::unix::fs::FileExt,
    path::Path,
    process::{Child, Command, ExitCode},
    thread,
    time::{Duration, Instant, SystemTime},
};

#[allow(dead_code, reason = "shared with Weft's own tests, which use all of it")]
mod corpus;
mod harness;

use harness::{Counts, Harness};
// The harness names this crate's root, because in Weft's own tests it is a module of Weft.
use weft::protocol;

struct Arguments {
    seed: u64,
    from: u64,
    until: u64,
    seconds: u64,
    /// Where the child notes the input that it is at.
    worker: Option<String>,
}

impl Arguments {
    fn parse() -> Self {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let value = |name: &str| {
            let at = arguments.iter().position(|argument| argument == name)?;
            Some(arguments.get(at + 1).unwrap_or_else(|| panic!("{name} takes a value")).clone())
        };
        let number = |name: &str| {
            value(name).map(|text| text.parse::<u64>().unwrap_or_else(|_| panic!("{name} takes a number")))
        };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let from = number("--from").unwrap_or(0);
        let until = number("--inputs").map_or(u64::MAX, |inputs| from + inputs);
        Self {
            seed: number("--seed").unwrap_or(now),
            from,
            until,
            seconds: number("--seconds").unwrap_or(if until == u64::MAX { 60 } else { 1 << 32 }),
            worker: value("--worker"),
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let fixtures = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures"));
    let harness = Harness::new(fixtures, arguments.seed);
    match &arguments.worker {
        Some(status) => work(&harness, &arguments, &File::create(status).expect("the status file")),
        None => watch(&harness, &arguments),
    }
}

/// Runs workers, one after the other, until one comes to the end.
fn watch(harness: &Harness, arguments: &Arguments) -> ExitCode {
    println!("seed {}, from input {}", arguments.seed, arguments.from);
    let status = std::env::temp_dir().join(format!("weft-fuzz-{}", std::process::id()));
    let end = Instant::now() + Duration::from_secs(arguments.seconds);
    let mut from = arguments.from;
    let mut code = ExitCode::SUCCESS;
    loop {
        drop(std::fs::remove_file(&status));
        let mut worker = Command::new(std::env::current_exe().expect("this program"))
            .args(["--seed", &arguments.seed.to_string(), "--from", &from.to_string()])
            .args(["--inputs", &(arguments.until - from).to_string()])
            .args(["--seconds", &end.saturating_duration_since(Instant::now()).as_secs().to_string()])
            .arg("--worker")
            .arg(&status)
            .spawn()
            .expect("a worker");
        let Some((at, what)) = supervise(&mut worker, &status) else {
            drop(std::fs::remove_file(&status));
            return code;
        };
        code = ExitCode::FAILURE;
        if what != "found something" {
            println!("{what}: {}", harness.show(arguments.seed, at));
        }
        from = at + 1;
        if from >= arguments.until || Instant::now() >= end || what == "found something" {
            drop(std::fs::remove_file(&status));
            return code;
        }
    }
}

/// Waits for a worker, and says at which input it ended badly and how.
fn supervise(worker: &mut Child, status: &Path) -> Option<(u64, &'static str)> {
    let at = || {
        let mut number = [0; 8];
        let read = File::open(status).and_then(|file| file.read_exact_at(&mut number, 0));
        read.map_or(0, |()| u64::from_le_bytes(number))
    };
    let (mut last, mut since) = (0, Instant::now());
    loop {
        if let Some(exit) = worker.try_wait().expect("the worker's state") {
            return match exit.code() {
                Some(0) => None,
                Some(1) => Some((at(), "found something")),
                _ => Some((at(), "it ended the process")),
            };
        }
        if at() != last {
            (last, since) = (at(), Instant::now());
        } else if since.elapsed() > Duration::from_secs(10) && last != 0 {
            worker.kill().expect("killing the worker");
            worker.wait().expect("waiting for the worker");
            return Some((last, "it takes longer than ten seconds"));
        }
        thread::sleep(Duration::from_millis(100));
    }
}

fn work(harness: &Harness, arguments: &Arguments, status: &File) -> ExitCode {
    // A panic that is contained is counted, not printed.
    std::panic::set_hook(Box::new(|_| ()));
    let mut total = Counts::default();
    let mut findings = BTreeMap::<String, u64>::new();
    harness.run_seeds(&mut total, |finding| {
        *findings.entry("a seed as it is".into()).or_default() += 1;
        println!("unmutated: {finding}");
    });
    let start = Instant::now();
    let mut printed = Instant::now();
    let mut index = arguments.from;
    while index < arguments.until && start.elapsed().as_secs() < arguments.seconds {
        status.write_all_at(&index.to_le_bytes(), 0).expect("writing the status");
        harness.run(arguments.seed, index..index + 1, &mut total, |finding| {
            let kind = finding.what.lines().next().unwrap_or("").to_owned();
            let seen = findings.entry(kind).or_default();
            *seen += 1;
            if *seen == 1 {
                println!("{finding}");
            }
        });
        index += 1;
        if printed.elapsed() > Duration::from_secs(10) {
            println!("at input {index}: {total:?}");
            printed = Instant::now();
        }
    }
    println!("{:.0} s, up to input {index}: {total:?}", start.elapsed().as_secs_f64());
    for (kind, count) in &findings {
        println!("{count} times: {kind}");
    }
    if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
