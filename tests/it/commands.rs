//! What one does with a folder while no server uses it, by the real binary.

use std::path::Path;

use crate::support::{Client, PATIENCE, Weft, process, rest};

/// Runs a command on the folder, and gives its exit code and what it said.
async fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = process::run(folder, arguments).await;
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code(), said)
}

/// A folder in which some documents were written, and a server has stopped in order.
async fn written(folder: &Path) {
    let server = Weft::serve(folder, &[]).await;
    for n in 0..20 {
        let person = Client::named("ann").acknowledged().opens(&server, &format!("document {n}")).await;
        person.types(&format!("the words of {n}"));
        person.saved().await;
    }
    server.terminate();
    assert_eq!(server.ends_within(PATIENCE).await.status.code(), Some(0));
}

async fn everything_is_there(folder: &Path) {
    let server = Weft::serve(folder, &[]).await;
    for n in 0..20 {
        let text = rest::get(&server, &format!("/api/v1/documents/document%20{n}/state")).await.expect(200);
        assert!(!text.body.is_empty());
        let person = Client::named("bob").opens(&server, &format!("document {n}")).await;
        assert_eq!(person.text(), format!("the words of {n}"));
    }
}

#[tokio::test]
async fn a_folder_is_rewritten_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path()).await;
    let (code, said) = run(folder.path(), &["check"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("20 documents") && said.contains("everything is whole"), "{said}");
    let (code, said) = run(folder.path(), &["vacuum", "--data", "data"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(" -> "), "{said}");
    everything_is_there(folder.path()).await;

    let (code, said) = run(folder.path(), &["vacuum", "--data", "nowhere"]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("nowhere"), "{said}");
    assert!(!folder.path().join("nowhere").exists(), "nothing is made");
}

#[tokio::test]
async fn while_a_server_runs_its_folder_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let _server = Weft::serve(folder.path(), &[]).await;
    for command in [&["check"][..], &["vacuum"], &["check", "--repair"]] {
        let (code, said) = run(folder.path(), command).await;
        assert_eq!(code, Some(1), "{command:?}: {said}");
        assert!(said.contains("another weft"), "{command:?}: {said}");
    }
}

#[tokio::test]
async fn what_the_disk_lost_is_repaired_and_said() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path()).await;
    let (code, said) = run(folder.path(), &["check", "--repair"]).await;
    assert_eq!((code, said.trim()), (Some(0), "everything is whole; nothing was done"));

    // Without its mark nobody knows whether the end of the log is there.
    std::fs::remove_file(folder.path().join("data/wal-mark")).unwrap();
    let (code, said) = run(folder.path(), &["--listen", "127.0.0.1:0", "--data", "data"]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("weft check --repair"), "it says what to do: {said}");
    let (code, said) = run(folder.path(), &["check", "--accept-loss"]).await; // as it was called before
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("20 documents are as they were"), "{said}");
    assert!(said.contains("nobody knows whether the last acknowledged writes are there"), "{said}");
    assert!(said.contains("data/damaged-"), "{said}");
    everything_is_there(folder.path()).await;
}
