//! Reads `tests/fixtures`: what the JavaScript clients wrote, and what must be refused.

use std::{fs, path::Path};

use serde_json::Value;

/// An input that must be refused; `tests/fixtures/killers/README.md` describes the files.
pub struct Killer {
    pub name: String,
    pub kind: String,
    pub reason: String,
    pub bytes: Vec<u8>,
}

/// What one recording session wrote.
pub struct Recorded {
    pub file: String,
    pub json: Value,
}

/// All killers, by name.
pub fn killers(fixtures: &Path) -> Vec<Killer> {
    let read = |name: String| {
        let text = fs::read_to_string(fixtures.join("killers").join(&name)).unwrap();
        let (mut kind, mut reason, mut bytes) = (String::new(), String::new(), Vec::new());
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if let Some(value) = line.strip_prefix("kind: ") {
                kind = value.to_owned();
            } else if let Some(value) = line.strip_prefix("reason: ") {
                reason = value.to_owned();
            } else if let Some((part, times)) = line.split_once('*') {
                bytes.extend(unhex(part).repeat(times.trim().parse().unwrap()));
            } else {
                bytes.extend(unhex(line));
            }
        }
        Killer { name, kind, reason, bytes }
    };
    names(&fixtures.join("killers"), ".hex").into_iter().map(read).collect()
}

/// All recordings, by name.
pub fn recordings(fixtures: &Path) -> Vec<Recorded> {
    let read = |file: String| {
        let text = fs::read_to_string(fixtures.join("clients").join(&file)).unwrap();
        Recorded { json: serde_json::from_str(&text).unwrap(), file }
    };
    names(&fixtures.join("clients"), ".json").into_iter().map(read).collect()
}

/// The bytes behind hexadecimal digits, spaces left out.
pub fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let value = |digit: u8| (digit as char).to_digit(16).expect("a hexadecimal digit") as u8;
    digits.chunks(2).map(|pair| value(pair[0]) << 4 | value(pair[1])).collect()
}

fn names(folder: &Path, extension: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(extension))
        .collect();
    names.sort();
    assert!(!names.is_empty(), "nothing in {}", folder.display());
    names
}
