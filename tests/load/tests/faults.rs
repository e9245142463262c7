//! A generator that cannot see a fault is worth nothing: here it meets a forwarder that commits them, one at a time.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic, in its helpers too")]

use std::process::{Command, Output};

const PROGRAM: &str = env!("CARGO_BIN_EXE_weft-load");

/// A short open loop through a forwarder with this fault: 600 keystrokes a second for each of three readers.
fn fanout(misdeed: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(["fanout", "--peer", "floor", "--documents", "2", "--editors", "4", "--typists", "2"]);
    command.args(["--rate", "150", "--seconds", "1"]);
    command.args(misdeed.iter().map(|argument| format!("--server-arg={argument}")));
    command.output().unwrap()
}

/// The number behind a word of the faults line.
fn fault(output: &Output, name: &str) -> u64 {
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|line| line.starts_with("faults:")).unwrap_or_else(|| panic!("{output:?}"));
    let words: Vec<&str> = line.split([' ', ',', ';']).collect();
    let at = words.iter().position(|word| *word == name).unwrap();
    words[at + 1].parse().unwrap()
}

#[test]
fn an_honest_forwarder_passes() {
    let output = fanout(&[]);
    assert!(output.status.success(), "{output:?}");
    for name in ["lost", "repeated", "reordered", "corrupted", "undecodable", "foreign", "closed", "diverged"]
    {
        assert_eq!(fault(&output, name), 0, "{output:?}");
    }
}

#[test]
fn a_forwarder_that_drops_every_tenth_is_caught() {
    let output = fanout(&["--drop-every", "10"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    // 600 a second for two seconds to three readers, a tenth of them dropped.
    let lost = fault(&output, "lost");
    assert!((300..=390).contains(&lost), "{lost} lost: {output:?}");
    assert!(fault(&output, "diverged") > 0, "the documents differ, too: {output:?}");
    assert_eq!((fault(&output, "repeated"), fault(&output, "reordered")), (0, 0));
}

#[test]
fn a_forwarder_that_drops_one_in_a_thousand_is_caught() {
    let output = fanout(&["--drop-every", "1000"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(fault(&output, "lost"), 3, "one keystroke for each of three readers: {output:?}");
}

#[test]
fn a_forwarder_that_swaps_is_caught() {
    // With one author in the room, every swap is a swap of that author's keystrokes.
    let output = Command::new(PROGRAM)
        .args([
            "fanout",
            "--peer",
            "floor",
            "--editors",
            "4",
            "--typists",
            "1",
            "--rate",
            "300",
            "--seconds",
            "1",
        ])
        .args(["--server-arg=--swap-every", "--server-arg=50"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let reordered = fault(&output, "reordered");
    assert!((30..=39).contains(&reordered), "{reordered} reordered: {output:?}");
    assert_eq!(fault(&output, "repeated"), 0, "{output:?}");
}

#[test]
fn a_forwarder_that_repeats_is_caught() {
    let output = fanout(&["--repeat-every", "20"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let repeated = fault(&output, "repeated");
    assert!((150..=195).contains(&repeated), "{repeated} repeated: {output:?}");
    assert_eq!(
        (fault(&output, "lost"), fault(&output, "diverged")),
        (0, 0),
        "a CRDT forgives a repeat: {output:?}"
    );
}

#[test]
fn a_storm_leaves_everybody_with_everything() {
    let output = Command::new(PROGRAM)
        .args(["storm", "--peer", "floor", "--server-arg=--replay", "--editors", "30", "--edits", "20"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("s until all have all"), "{output:?}");
}

#[test]
fn a_closed_loop_is_checked_to_the_last_operation() {
    let output = Command::new(PROGRAM)
        .args(["saturate", "--peer", "floor", "--editors", "5", "--typists", "2", "--seconds", "0.5"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn bad_arguments_are_told_in_words() {
    for (arguments, words) in [
        (vec!["fanout", "--url", "http://127.0.0.1:1"], "must begin with ws://"),
        (vec!["fanout", "--url", "ws://127.0.0.1:1"], "connect to 127.0.0.1:1"),
        (vec!["fanout", "--peer", "floor", "--editors", "2", "--typists", "3"], "3 typists among 2 editors"),
        (vec!["bench", "--only", "nonsense"], "no scenario"),
    ] {
        let output = Command::new(PROGRAM).args(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(words), "{output:?}");
    }
}
