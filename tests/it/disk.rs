//! The real binary on a disk that says no, or says nothing.
//!
//! The disk is played by a few functions in C that are loaded in front of those of the C library. They are compiled
//! by the `cc` that links this test, so it is there.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use crate::support::{Client, Weft, process, repository, rest, until_answer};

/// The default bound is 20 s; what is to end sooner is told so here.
const SOON: Duration = Duration::from_secs(8);

/// A disk that does what it is told, for processes that are started on it.
struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(folder.path().join("disk.so"));
        compiler.arg(repository("tests/it/support/disk.c")).arg("-ldl");
        let compiled = compiler.output().expect("cc, which links Rust programs, is there");
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        Self { folder }
    }

    /// Whatever is to be synced fails.
    fn fails(&self) {
        std::fs::write(self.order(), "").unwrap();
    }

    /// Whatever is to be synced waits.
    fn hangs(&self) {
        // As a whole: an empty file would be another order.
        let order = self.folder.path().join("next");
        std::fs::write(&order, "hang").unwrap();
        std::fs::rename(order, self.order()).unwrap();
    }

    fn heals(&self) {
        std::fs::remove_file(self.order()).unwrap();
    }

    fn order(&self) -> std::path::PathBuf {
        self.folder.path().join("order")
    }

    fn under(&self, mut command: Command) -> Command {
        command.env("LD_PRELOAD", self.folder.path().join("disk.so"));
        command.env("WEFT_TEST_DISK", self.order());
        command
    }

    async fn serve(&self, folder: &Path, more: &[&str]) -> Weft {
        Weft::start(folder, more, |arguments| self.under(process::command(arguments))).await
    }
}

#[tokio::test]
async fn a_disk_that_cannot_be_synced_is_said_at_the_start() {
    let (folder, disk) = (tempfile::tempdir().unwrap(), Disk::new());
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--data", "data"];
    for what in ["new", "in use"] {
        disk.fails();
        let ended = process::run_command(folder.path(), disk.under(process::command(&arguments))).await;
        let message = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(1), "{what}: {message}");
        let last = message.lines().last().unwrap_or_default();
        assert!(last.contains("data") && last.contains("cannot be synced"), "{what}: {message}");
        assert!(!message.contains("panicked"), "{what}: {message}");
        assert!(ended.stdout.is_empty(), "{what}: it says that it listens");

        disk.heals();
        let server = disk.serve(folder.path(), &[]).await;
        let ann = Client::named("ann").acknowledged().opens(&server, what).await;
        ann.types("words");
        ann.saved().await;
        server.kill();
    }
    let server = Weft::serve(folder.path(), &[]).await;
    for what in ["new", "in use"] {
        assert_eq!(Client::named("reader").opens(&server, what).await.text(), "words");
    }
}

#[tokio::test]
async fn a_disk_that_failed_for_a_while_is_used_again() {
    let (folder, disk) = (tempfile::tempdir().unwrap(), Disk::new());
    let server = disk.serve(folder.path(), &[]).await;
    let ann = Client::named("ann").acknowledged().opens(&server, "notes").await;
    ann.types("before, ");
    ann.saved().await;
    disk.fails();
    ann.types("meanwhile, ");
    let ready = async || rest::get(&server, "/readyz").await.status;
    until_answer("it says that it cannot store", async || (ready().await == 503).then_some(())).await;
    disk.heals();
    until_answer("it stores again", async || (ready().await == 200).then_some(())).await;
    ann.types("afterwards");
    ann.saved().await;
    server.kill();
    let server = Weft::serve(folder.path(), &[]).await;
    let reader = Client::named("reader").opens(&server, "notes").await;
    assert_eq!(reader.text(), "before, meanwhile, afterwards");
}

#[tokio::test]
async fn neither_a_failing_nor_a_silent_disk_keeps_it_alive_and_it_says_what_was_not_stored() {
    for trouble in ["fails", "hangs"] {
        let (folder, disk) = (tempfile::tempdir().unwrap(), Disk::new());
        let server = disk.serve(folder.path(), &["--shutdown-seconds", "2"]).await;
        let ann = Client::named("ann").acknowledged().opens(&server, "notes").await;
        ann.types("stored");
        ann.saved().await;
        if trouble == "fails" {
            disk.fails();
        } else {
            disk.hangs();
        }
        ann.types(", and what is not");
        ann.hears_all_so_far().await;
        server.terminate();
        let begun = Instant::now();
        let ended = server.ends_within(SOON).await;
        println!("{trouble}: it ended after {:?}", begun.elapsed());
        assert_eq!(ended.status.code(), Some(1), "{trouble}: {}", ended.stderr);
        let last = ended.stderr.lines().last().unwrap_or_default();
        let says_so = last.contains("not everything could be stored") && last.contains("\"notes\" (");
        assert!(says_so, "{trouble}: {}", ended.stderr);
        // What was acknowledged is there.
        let server = Weft::serve(folder.path(), &[]).await;
        let reader = Client::named("reader").opens(&server, "notes").await;
        assert!(reader.text().starts_with("stored"), "{trouble}: {:?}", reader.text());
    }
}
