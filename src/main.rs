//! The `weft` binary: arguments, configuration, logs, server, exit code.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use weft::{
    auth::{
        Access,
        tokens::{self, Claims},
    },
    config::{Settings, browser_address},
    ids::Timestamp,
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
    /// Make a token that lets somebody in at a server with token_keys
    Token(Token),
}

#[derive(clap::Args)]
struct Token {
    /// File with the secret that the server shares, or a private key in PEM
    #[arg(long, env = "WEFT_TOKEN_KEY", value_name = "FILE")]
    key: PathBuf,
    /// Who: the same for the same person, whatever they are called (sub)
    #[arg(long, value_name = "ID")]
    subject: String,
    /// What the others call them
    #[arg(long)]
    name: Option<String>,
    /// Their colour, such as #aa5500
    #[arg(long, value_name = "#RRGGBB")]
    color: Option<String>,
    /// Documents: exact names, prefixes such as team/*, or * for all; may be given several times
    #[arg(long = "document", value_name = "NAME", required = true)]
    documents: Vec<String>,
    /// What they may do there: read, comment, write or own
    #[arg(long, value_name = "LEVEL", default_value = "write")]
    access: Access,
    /// Minutes for which it is good
    #[arg(long, value_name = "N", default_value_t = 60)]
    minutes: u32,
    /// Which program issues it (iss), where the server asks
    #[arg(long)]
    issuer: Option<String>,
    /// For which server it is (aud), where that asks
    #[arg(long)]
    audience: Option<String>,
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
        Some(Command::Token(token)) => mint(token),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("weft: {error}");
            ExitCode::FAILURE
        }
    }
}

fn mint(token: Token) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let key = std::fs::read(&token.key)
        .map_err(|error| format!("the key file {}: {error}", token.key.display()))?;
    let claims = Claims {
        sub: token.subject,
        name: token.name,
        color: token.color,
        documents: token.documents,
        access: Some(token.access),
        exp: (Timestamp::now().0 / 1000) as f64 + f64::from(token.minutes) * 60.0,
        nbf: None,
        iss: token.issuer,
        aud: token.audience.map(Into::into),
    };
    println!("{}", tokens::mint(&key, &claims)?);
    Ok(ExitCode::SUCCESS)
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
