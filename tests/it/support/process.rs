//! The real binary, in a process that can be killed.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};

use super::{Address, PATIENCE};

/// A running server. Killed when dropped.
pub(crate) struct Weft {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
}

/// What a process that ended had to say.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stderr: String,
}

/// The binary, with nothing of this process's environment that could matter to it.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weft"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

/// The same under a limit on open files, soft and hard.
pub(crate) fn limited(files: usize, arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    let script = format!("ulimit -n {files} && exec \"$0\" \"$@\"");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_weft")]).args(arguments);
    command.env_clear().stdin(Stdio::null());
    command
}

/// Runs the binary to its end, which must be soon.
pub(crate) async fn run(folder: &Path, arguments: &[&str]) -> std::process::Output {
    run_command(folder, command(arguments)).await
}

/// The same for a command that was made by [`command`] and its like.
pub(crate) async fn run_command(folder: &Path, mut command: Command) -> std::process::Output {
    command.current_dir(folder);
    let running = tokio::task::spawn_blocking(move || command.output().unwrap());
    tokio::time::timeout(PATIENCE, running).await.expect("it ends").unwrap()
}

impl Weft {
    /// Serves `folder` on a free port.
    pub(crate) async fn serve(folder: &Path, more: &[&str]) -> Self {
        Self::start(folder, more, command).await
    }

    /// The same with so many files and sockets at the most.
    pub(crate) async fn serve_limited(folder: &Path, files: usize, more: &[&str]) -> Self {
        Self::start(folder, more, |arguments| limited(files, arguments)).await
    }

    /// The same, by a command that was made in another way of these arguments.
    pub(crate) async fn start(
        folder: &Path,
        more: &[&str],
        command: impl FnOnce(&[&str]) -> Command,
    ) -> Self {
        let data = folder.join("data");
        let mut arguments = vec!["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()];
        arguments.extend(more);
        let log = folder.join("log");
        let log_file = File::options().create(true).append(true).open(&log).unwrap();
        let mut child =
            command(&arguments).current_dir(folder).stdout(Stdio::piped()).stderr(log_file).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let first_line = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            BufReader::new(stdout).read_line(&mut line).unwrap();
            line
        });
        let line = tokio::time::timeout(PATIENCE, first_line).await.expect("it starts").unwrap();
        let address =
            line.trim().strip_prefix("listening on http://").and_then(|address| address.parse().ok());
        let address = address.unwrap_or_else(|| {
            panic!("it does not say where it listens: {line:?}\n{}", std::fs::read_to_string(&log).unwrap())
        });
        Self { child, address, log }
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Gives it no chance.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop.
    pub(crate) fn terminate(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    /// Stops all its threads where they are.
    pub(crate) fn halt(&self) {
        kill_process(Pid::from_child(&self.child), Signal::STOP).unwrap();
    }

    /// Lets them go on.
    pub(crate) fn go_on(&self) {
        kill_process(Pid::from_child(&self.child), Signal::CONT).unwrap();
    }

    /// Waits for its end, which must come within `time`.
    pub(crate) async fn ends_within(mut self, time: Duration) -> Ended {
        let deadline = Instant::now() + time;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Ended { status, stderr: std::fs::read_to_string(&self.log).unwrap() };
            }
            assert!(Instant::now() < deadline, "it still runs after {time:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Bytes of memory that it occupies.
    pub(crate) fn resident_bytes(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// The most that it has occupied so far.
    pub(crate) fn most_resident_bytes(&self) -> u64 {
        self.memory("VmHWM:")
    }

    fn memory(&self, of: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(of)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// From now on it may open nothing. Gives the limit it had.
    pub(crate) fn may_open_nothing(&self) -> usize {
        // The limit is on the number that a file would get, which is the least that is free.
        let used = std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap();
        let used: BTreeSet<usize> =
            used.map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect();
        self.may_open((0..).find(|number| !used.contains(number)).unwrap())
    }

    /// From now on the files and sockets that it opens have numbers below this. Gives the limit it had.
    pub(crate) fn may_open(&self, files: usize) -> usize {
        let (pid, resource) = (Pid::from_child(&self.child), Resource::Nofile);
        // It inherited ours, which it may raise its own to.
        let maximum = getrlimit(resource).maximum;
        let limit = Rlimit { current: Some(files as u64), maximum };
        prlimit(Some(pid), resource, limit).unwrap().current.map_or(usize::MAX, |before| before as usize)
    }

    /// How many files and sockets it has open.
    pub(crate) fn files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// How many threads it has.
    pub(crate) fn threads(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap().count()
    }
}

impl Address for Weft {
    fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Weft {
    fn drop(&mut self) {
        // It may have ended already, which is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
