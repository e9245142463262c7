//! Fuzzes the guard and what lies behind it.
//!
//! ```text
//! cargo run --release --manifest-path tests/fuzz/Cargo.toml -- [--seconds 60] [--seed N] [--from 0] [--inputs N] [--trace]
//! ```
//!
//! runs until the time is over or the inputs are used up, prints the counts and each kind of finding once,
//! and exits with 1 if there was one. The inputs follow from the seed, which is printed. An input that ends
//! the whole process (an abort, a stack overflow) or never ends is found by `--trace`, which prints each
//! input before it is tried, from the last count printed: `--seed N --from M --trace`.
//!
//! The same harness runs in the ordinary tests, bounded: `src/protocol/tests.rs`.

use std::{
    collections::BTreeMap,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant, SystemTime},
};

#[allow(dead_code, reason = "shared with Weft's own tests, which use all of it")]
mod corpus;
mod harness;

use harness::{Counts, Harness};
// The harness names this crate's root, because in Weft's own tests it is a module of Weft.
use weft::protocol;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        let value = arguments.get(at + 1).and_then(|value| value.parse::<u64>().ok());
        Some(value.unwrap_or_else(|| panic!("{name} takes a number")))
    };
    let trace = arguments.iter().any(|argument| argument == "--trace");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let seed = number("--seed").unwrap_or(now);
    let from = number("--from").unwrap_or(0);
    let until = number("--inputs").map_or(u64::MAX, |inputs| from + inputs);
    let seconds = number("--seconds").unwrap_or(if until == u64::MAX { 60 } else { u64::MAX });
    println!("seed {seed}, from input {from}");

    // A panic that is contained is counted, not printed.
    std::panic::set_hook(Box::new(|_| ()));
    let fixtures = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures"));
    let harness = Harness::new(fixtures, seed);
    let mut total = Counts::default();
    let mut findings = BTreeMap::<String, u64>::new();
    harness.run_seeds(&mut total, |finding| println!("unmutated: {finding}"));
    println!("seeds as they are: {total:?}");
    let start = Instant::now();
    let mut printed = Instant::now();
    let mut index = from;
    while index < until && start.elapsed().as_secs() < seconds {
        let step = if trace { 1 } else { 1000 };
        let end = (index + step).min(until);
        if trace {
            println!("{}", harness.show(seed, index));
        }
        let before = Instant::now();
        harness.run(seed, index..end, &mut total, |finding| {
            let kind = finding.what.lines().next().unwrap_or("").to_owned();
            let seen = findings.entry(kind).or_default();
            *seen += 1;
            if *seen == 1 {
                println!("{finding}");
            }
        });
        if before.elapsed() > Duration::from_secs(10) {
            println!("slow: inputs {index} to {end} took {:?}", before.elapsed());
        }
        index = end;
        if printed.elapsed() > Duration::from_secs(10) {
            println!("at input {index}: {total:?}");
            printed = Instant::now();
        }
    }
    println!("{:.0} s: {total:?}", start.elapsed().as_secs_f64());
    for (kind, count) in &findings {
        println!("{count} times: {kind}");
    }
    if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
