//! The servers that are compared: how each is found, started on a free port of this machine, reached and stopped.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::dialect::{Dialect, Door};
use crate::process::Cores;

/// A server program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Peer {
    /// The binary in `WEFT_BIN`, or the release build of this repository
    Weft,
    /// The bare forwarder of this program
    Floor,
    /// y-sweet 0.9.1, from `$WEFT_PEERS/bin`
    YSweet,
    /// @y/websocket-server 0.1.1 from npm, in memory
    YWebsocket,
    /// The same with its y-leveldb store
    YLeveldb,
    /// @hocuspocus/server 4.7.0 from npm with its SQLite extension, on a Node of its own
    Hocuspocus,
}

impl Peer {
    /// All of them, in the order of the report.
    pub(crate) const ALL: [Self; 6] =
        [Self::Floor, Self::YSweet, Self::YWebsocket, Self::YLeveldb, Self::Hocuspocus, Self::Weft];

    /// The name in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Weft => "Weft",
            Self::Floor => "floor",
            Self::YSweet => "y-sweet",
            Self::YWebsocket => "y-websocket",
            Self::YLeveldb => "y-websocket + leveldb",
            Self::Hocuspocus => "Hocuspocus + SQLite",
        }
    }

    /// Whether a newcomer gets from it what others wrote.
    pub(crate) fn keeps_documents(self) -> bool {
        self != Self::Floor
    }

    /// Whether documents are there after a restart.
    pub(crate) fn survives_restart(self) -> bool {
        matches!(self, Self::Weft | Self::YSweet | Self::YLeveldb | Self::Hocuspocus)
    }

    /// Whether it answers every change, which some call an acknowledgement.
    pub(crate) fn acknowledges(self) -> bool {
        matches!(self, Self::Weft | Self::Hocuspocus)
    }

    /// How it can be spoken to; the first is how it is spoken to unless something else is asked for.
    pub(crate) fn dialects(self) -> &'static [Dialect] {
        match self {
            Self::Weft => &[Dialect::YWebsocket, Dialect::Hocuspocus],
            Self::Hocuspocus => &[Dialect::Hocuspocus],
            Self::Floor | Self::YSweet | Self::YWebsocket | Self::YLeveldb => &[Dialect::YWebsocket],
        }
    }

    /// The program to start, or in words why it cannot be.
    pub(crate) fn program(self) -> Result<PathBuf> {
        let program = match self {
            Self::Weft => std::env::var_os("WEFT_BIN")
                .map_or_else(|| in_repository("target/release/weft"), PathBuf::from),
            Self::Floor => std::env::current_exe().context("find this program")?,
            Self::YSweet => peers_directory()?.join("bin/y-sweet"),
            Self::YWebsocket | Self::YLeveldb => {
                install(&npm_directory())?;
                npm_directory().join("node_modules/@y/websocket-server/src/server.js")
            }
            Self::Hocuspocus => {
                install(&hocuspocus_directory())?;
                hocuspocus_directory().join("server.mjs")
            }
        };
        let advice = match self {
            Self::Weft => "build it with `cargo build --release`, or set WEFT_BIN",
            Self::YSweet => {
                "install it with `cargo install y-sweet --version 0.9.1 --locked --root ~/.cache/weft-peers`"
            }
            _ => "its package is incomplete",
        };
        if self == Self::Hocuspocus {
            let node = hocuspocus_node();
            ensure!(node.is_file(), "{} needs the Node of its own at {}", self.name(), node.display());
        }
        ensure!(program.is_file(), "{} is not at {}: {advice}", self.name(), program.display());
        Ok(program)
    }
}

/// The generator's sources lie in the repository that it measures.
pub(crate) fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn npm_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

fn peers_directory() -> Result<PathBuf> {
    if let Some(set) = std::env::var_os("WEFT_PEERS") {
        return Ok(set.into());
    }
    Ok(PathBuf::from(std::env::var_os("HOME").context("neither WEFT_PEERS nor HOME is set")?)
        .join(".cache/weft-peers"))
}

fn hocuspocus_directory() -> PathBuf {
    npm_directory().join("hocuspocus")
}

/// Hocuspocus needs a newer Node than most systems have, so one comes with it.
fn hocuspocus_node() -> PathBuf {
    hocuspocus_directory().join("node_modules/.bin/node")
}

/// Installs the npm packages of a directory, unless they are there to the last.
fn install(directory: &Path) -> Result<()> {
    // npm writes this file when it is done.
    if directory.join("node_modules/.package-lock.json").is_file() {
        return Ok(());
    }
    eprintln!("installing the npm packages of {} …", directory.display());
    let status = Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .context("run npm ci")?;
    ensure!(status.success(), "npm ci in {} ended with {status}", directory.display());
    Ok(())
}

/// A running server, stopped by its process id when dropped.
pub(crate) struct Server {
    peer: Peer,
    extra: Vec<String>,
    /// The program that the server runs under, with its arguments; empty for none.
    under: Vec<String>,
    cores: Option<Cores>,
    child: Child,
    port: u16,
    /// Its data and its log; removed with it.
    home: TempDir,
}

impl Server {
    /// Starts a peer with an empty store on a free port, pinned to the server's core, and waits until it listens.
    pub(crate) fn start(peer: Peer, cores: Option<Cores>, extra: &[String]) -> Result<Self> {
        Self::start_under(&[], peer, cores, extra)
    }

    /// The same for a server that is one program of its own and runs under another one, which is given with its
    /// arguments.
    pub(crate) fn start_under(
        under: &[String],
        peer: Peer,
        cores: Option<Cores>,
        extra: &[String],
    ) -> Result<Self> {
        let home = tempfile::tempdir().context("make a directory for a server")?;
        let (child, port) = launch(under, peer, cores, extra, home.path())?;
        Ok(Self { peer, extra: extra.to_vec(), under: under.to_vec(), cores, child, port, home })
    }

    /// Starts it again on what it left on disk.
    pub(crate) fn start_again(&mut self) -> Result<()> {
        (self.child, self.port) = launch(&self.under, self.peer, self.cores, &self.extra, self.home.path())?;
        Ok(())
    }

    /// Asks it to end, and insists after ten seconds.
    pub(crate) fn stop(&mut self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(10);
        // y-sweet saves on an interrupt only.
        let signal = if self.peer == Peer::YSweet { Signal::INT } else { Signal::TERM };
        kill_process(self.pid(), signal).context("stop a server")?;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                return self.kill();
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// Ends it without a word, as kill -9 does.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill().context("kill a server")?;
        self.child.wait().context("wait for a server")?;
        Ok(())
    }

    /// Its process id, for the sampling.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Which program it is.
    pub(crate) fn peer(&self) -> Peer {
        self.peer
    }

    /// The address of a document, whose name needs no escaping.
    pub(crate) fn url(&self, dialect: Dialect, document: &str) -> String {
        let port = self.port;
        match (self.peer, dialect) {
            (Peer::Weft, Dialect::YWebsocket) => format!("ws://127.0.0.1:{port}/ws/{document}"),
            (Peer::Weft, Dialect::Hocuspocus) => format!("ws://127.0.0.1:{port}/hocuspocus"),
            (Peer::Hocuspocus, _) => format!("ws://127.0.0.1:{port}/"),
            (Peer::Floor | Peer::YWebsocket | Peer::YLeveldb, _) => {
                format!("ws://127.0.0.1:{port}/{document}")
            }
            (Peer::YSweet, _) => format!("ws://127.0.0.1:{port}/d/{document}/ws/{document}"),
        }
    }

    /// The way to a document, whose name needs no escaping.
    pub(crate) fn door(&self, dialect: Dialect, document: &str) -> Door {
        Door::new(dialect, self.url(dialect, document), document)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already ended, or ending now: either way nothing is left to do about a failure.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn launch(
    under: &[String],
    peer: Peer,
    cores: Option<Cores>,
    extra: &[String],
    home: &Path,
) -> Result<(Child, u16)> {
    let program = peer.program()?;
    let data = home.join("data");
    fs::create_dir_all(&data)?;
    let mut port = 0;
    let mut command = match peer {
        _ if !under.is_empty() => {
            let mut command = Command::new(&under[0]);
            command.args(&under[1..]).arg(&program);
            command
        }
        Peer::YWebsocket | Peer::YLeveldb => Command::new("node"),
        Peer::Hocuspocus => Command::new(hocuspocus_node()),
        _ => Command::new(&program),
    };
    match peer {
        Peer::Weft => command.args(["--listen", "127.0.0.1:0", "--data"]).arg(&data),
        Peer::Floor => command.args(["floor", "--listen", "127.0.0.1:0"]),
        Peer::YSweet => {
            port = free_port()?;
            command.arg("serve").arg(&data).args(["--host", "127.0.0.1", "--port", &port.to_string()]);
            command.env("RUST_LOG", "error")
        }
        Peer::YWebsocket | Peer::YLeveldb => {
            port = free_port()?;
            if peer == Peer::YLeveldb {
                command.env("YPERSISTENCE", &data);
            }
            command.arg(&program).env("HOST", "127.0.0.1").env("PORT", port.to_string())
        }
        Peer::Hocuspocus => command.arg(&program).arg(data.join("documents.sqlite")),
    };
    let log = home.join("log");
    command.args(extra).stdin(Stdio::null()).stderr(File::options().create(true).append(true).open(&log)?);
    command.stdout(if port == 0 { Stdio::piped() } else { Stdio::null() });
    let spawned = match cores {
        Some(cores) => cores.spawn_on_server_core(|| command.spawn())?,
        None => command.spawn(),
    };
    let mut child = spawned.with_context(|| format!("start {}", program.display()))?;
    let ready = if port == 0 { announced_port(&mut child) } else { await_port(&mut child, port) };
    match ready {
        Ok(port) => Ok((child, port)),
        Err(error) => {
            let _gone = child.kill();
            let _reaped = child.wait();
            let log = fs::read_to_string(log).unwrap_or_default();
            let tail: String = log
                .lines()
                .rev()
                .take(5)
                .collect::<Vec<_>>()
                .into_iter()
                .rev()
                .collect::<Vec<_>>()
                .join("\n");
            Err(error.context(format!("{} did not start\n{tail}", peer.name())))
        }
    }
}

/// Reads `listening on http://127.0.0.1:PORT` from a server that chooses its port itself.
fn announced_port(child: &mut Child) -> Result<u16> {
    let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
    for line in lines.by_ref() {
        let line = line.context("read a server's output")?;
        if let Some((_, port)) = line.rsplit_once("127.0.0.1:").filter(|_| line.contains("listening on")) {
            let digits: String = port.chars().take_while(char::is_ascii_digit).collect();
            // Somebody has to go on reading, or a talkative server blocks on a full pipe.
            std::thread::spawn(move || lines.for_each(drop));
            return digits.parse().with_context(|| format!("a port in {line:?}"));
        }
    }
    bail!("it ended without saying where it listens")
}

/// Waits until a server listens that was told its port.
fn await_port(child: &mut Child, port: u16) -> Result<u16> {
    let deadline = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if let Some(status) = child.try_wait()? {
            bail!("it ended with {status}");
        }
        ensure!(Instant::now() < deadline, "it does not listen");
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(port)
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
