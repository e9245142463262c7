//! The `weft` binary: arguments, configuration, logs, server, exit code.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use weft::{
    config::{Settings, browser_address},
    server::Server,
    telemetry,
};

/// After a burst the memory goes back to the system: of 42 documents of 16 MB, 690 MiB stayed with the allocator of glibc,
/// 418 with mimalloc, 124 with this one as `.cargo/config.toml` sets it (pages that are free for half a second are given back).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Weft, a collaborative document server: any Yjs client, one binary, nothing lost.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Subcommand)]
enum Command {
    /// Serve documents (what `weft` alone does, too)
    Serve(Serve),
    /// Rewrite the folder with what is still needed; the server must be stopped
    Vacuum(Folder),
    /// Read everything in the folder and say what is damaged; the server must be stopped
    Check(Check),
}

#[derive(clap::Args)]
struct Serve {
    /// Configuration file [default: weft.toml, if there is one]
    #[arg(long, env = "WEFT_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Box<Settings>,
}

#[derive(clap::Args)]
struct Folder {
    /// Folder in which documents are kept
    #[arg(long, env = "WEFT_DATA", value_name = "DIR", default_value = "data")]
    data: PathBuf,
}

#[derive(clap::Args)]
struct Check {
    #[command(flatten)]
    folder: Folder,
    /// Save every document that can be read into a fresh store, and list what could not be. What stood in the
    /// folder is kept in a folder of its own inside
    #[arg(long, alias = "accept-loss")]
    repair: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        None => serve(cli.serve),
        Some(Command::Serve(serve_)) => serve(serve_),
        Some(Command::Vacuum(folder)) => weft::maintenance::vacuum(&folder.data),
        Some(Command::Check(check)) if check.repair => weft::maintenance::repair(&check.folder.data),
        Some(Command::Check(check)) => weft::maintenance::check(&check.folder.data),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("weft: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(serve: Serve) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let config = serve.settings.over_file(serve.config.as_deref())?.complete()?;
    telemetry::start(&config.telemetry)?;
    actix_web::rt::System::new().block_on(async move {
        let signals = Signals::new()?;
        let server = Server::start(config).await?;
        // On standard output and nothing else there: programs that start a server read the port here.
        println!("listening on {}", browser_address(server.address()));
        signals.wait().await;
        let second = actix_web::rt::spawn(Signals::new()?.wait());
        let stopped = tokio::select! {
            stored = server.stop() => stored,
            _ = second => {
                eprintln!("weft: second signal, leaving at once");
                std::process::exit(130);
            }
        };
        if !stopped {
            // Whatever could not end in time, a thread in the middle of dear work or one that waits for a dead
            // disk, would be waited for if this function returned.
            std::process::exit(1);
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// SIGINT and SIGTERM.
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn wait(mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
