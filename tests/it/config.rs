//! Every setting exists four times: as a flag, as a variable, as a key of the file, and in docs/operating.md.

use std::collections::BTreeSet;

use weft::config::Settings;

use crate::support::{Weft, process, repository, rest};

/// The keys of `weft.toml`, as the parser names them when it meets one that it does not know.
fn keys() -> BTreeSet<String> {
    let error = toml::from_str::<Settings>("no_such_key = 1").unwrap_err().to_string();
    let expected = error.split("expected one of").nth(1).unwrap_or_else(|| panic!("{error}"));
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

async fn help() -> String {
    let folder = tempfile::tempdir().unwrap();
    let output = process::run(folder.path(), &["serve", "--help"]).await;
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn flags_variables_and_keys_are_the_same_settings() {
    let help = help().await;
    let words = || help.split(|c: char| c.is_whitespace() || "[]<>,;=".contains(c));
    let flags: BTreeSet<String> =
        words().filter_map(|word| word.strip_prefix("--")).map(|flag| flag.replace('-', "_")).collect();
    let variables: BTreeSet<String> =
        words().filter_map(|word| word.strip_prefix("WEFT_")).map(str::to_lowercase).collect();
    let keys = keys();
    assert!(keys.len() > 20, "{keys:?}");
    // The file itself cannot be named in the file.
    let mut expected = keys;
    expected.insert("config".to_owned());
    assert_eq!(variables, expected, "variables");
    expected.insert("help".to_owned());
    let mut flags = flags;
    flags.remove("version");
    assert_eq!(flags, expected, "flags");
}

#[tokio::test]
async fn the_page_on_operating_lists_the_same_settings_with_the_same_defaults() {
    let page = std::fs::read_to_string(repository("docs/operating.md")).unwrap();
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let keys = keys();
    let listed: BTreeSet<String> = rows
        .iter()
        .map(|row| row[0].trim_matches('`').to_owned())
        .filter(|name| keys.contains(name))
        .collect();
    assert_eq!(listed, keys, "the table of docs/operating.md");
    let help = help().await;
    for row in rows.iter().filter(|row| keys.contains(row[0].trim_matches('`'))) {
        let said: Vec<&str> = row[..4].iter().map(|cell| cell.trim_matches('`')).collect();
        let name = said[0];
        let flag = format!("--{}", name.replace('_', "-"));
        let variable = format!("WEFT_{}", name.to_uppercase());
        assert_eq!(said, [name, &flag, &variable, &default_in(&help, name)], "{name}");
    }
}

/// The default that the help names for a setting.
fn default_in(help: &str, setting: &str) -> String {
    let flag = format!("--{} ", setting.replace('_', "-"));
    let flat = help.split_whitespace().collect::<Vec<_>>().join(" ") + " ";
    let at = flat.find(&flag).unwrap_or_else(|| panic!("{flag} is not in the help"));
    let default =
        flat[at..].split_once("[default: ").unwrap_or_else(|| panic!("{setting} names no default")).1;
    default.split_once(']').unwrap().0.to_owned()
}

#[tokio::test]
async fn flags_win_over_variables_and_variables_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("weft.toml"),
        "max_connections = 1\nmax_message_bytes = 2048\nmax_document_bytes = 2048\n",
    )
    .unwrap();
    let server = Weft::serve(folder.path(), &["--max-connections", "2"]).await;
    let body = rest::request(&server, "POST", "/api/v1/documents/notes/updates").body(vec![0; 4096]);
    assert_eq!(body.send().await.error().0, 413, "the file is read");
    let _first = crate::support::Raw::open(&server, "notes").await;
    let second = crate::support::Raw::try_open(&server, "/ws/notes", &[]).await;
    assert!(second.is_ok(), "the flag wins");
    assert!(crate::support::Raw::try_open(&server, "/ws/notes", &[]).await.is_err(), "and is obeyed");
    drop(server);

    let mut command = process::command(&["--max-connections", "0"]);
    let output = command.current_dir(folder.path()).env("WEFT_WORKERS", "0").output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("workers must be at least 1"), "the variable is read: {message}");
}

#[tokio::test]
async fn names_are_decoded_unless_the_operator_says_otherwise() {
    for (setting, name) in [(&[][..], "my notes/ä"), (&["--raw-names", "true"], "my%20notes/%C3%A4")] {
        let folder = tempfile::tempdir().unwrap();
        let server = Weft::serve(folder.path(), setting).await;
        let mut raw = crate::support::Raw::try_open(&server, "/ws/my%20notes/%C3%A4", &[]).await.unwrap();
        raw.send(crate::support::frames::empty_step1()).await;
        raw.hears(|frame| frame.starts_with(&[0, 1])).await;
        crate::support::Talk::open(&server, "/chat/my%20notes/%C3%A4?name=Ann").await.hears("history").await;
        let path = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
        let body = rest::request(&server, "POST", &format!("/api/v1/documents/{path}/updates"));
        let ann = crate::support::Client::named("ann");
        ann.types("hello");
        body.body(ann.state()).send().await.expect(200);
        raw.hears(|frame| frame.starts_with(&[0, 2])).await;
    }
}

#[tokio::test]
async fn log_lines_are_for_people_or_for_programs() {
    for format in ["text", "json"] {
        let folder = tempfile::tempdir().unwrap();
        let server = Weft::serve(folder.path(), &["--log-format", format]).await;
        server.terminate();
        let ended = server.ends_within(crate::support::PATIENCE).await;
        assert!(ended.stderr.contains("shutting down"), "{}", ended.stderr);
        let are_json = ended.stderr.lines().all(|line| {
            serde_json::from_str::<serde_json::Value>(line)
                .is_ok_and(|line| line["level"].is_string() && line["fields"]["message"].is_string())
        });
        assert_eq!(are_json, format == "json", "{}", ended.stderr);
    }
}
