//! The whole configuration: every setting as a flag, as a `WEFT_…` variable and as a key of `weft.toml`.
//!
//! [`Settings`] is what a person writes, all of it optional; [`Config`] is what the parts of the server are
//! given, complete and checked against each other. Flags win over variables, variables over the file, the
//! file over the defaults.

use std::{
    fmt,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::{
    auth::{Everybody, Policy, keys::Keys, tokens::Tokens},
    connection,
    document::{self, deleted::KeepDeleted},
    http,
    protocol::guard,
    store::{self, Durability},
    telemetry::{self, LogFormat},
};

/// The file that is read when it is there and no other is named.
pub const DEFAULT_FILE: &str = "weft.toml";

/// What a person may set.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Address and port to listen on; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, env = "WEFT_LISTEN", value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Serve everybody who can reach the address, without asking who they are. Needed, or token_keys, to listen on
    /// anything but loopback [default: false]
    #[arg(long, env = "WEFT_OPEN", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub open: Option<bool>,
    /// Files with the keys of tokens, separated by commas: a secret that another program shares, its public key (PEM), or a set
    /// of keys (JWKS). With them nobody is let in without a token that one of the keys has signed, and may do what that says
    /// [default: none]
    #[arg(long, env = "WEFT_TOKEN_KEYS", value_name = "FILES", value_delimiter = ',')]
    pub token_keys: Option<Vec<PathBuf>>,
    /// Who must have issued a token (iss) [default: anybody with a key]
    #[arg(long, env = "WEFT_TOKEN_ISSUER", value_name = "NAME")]
    pub token_issuer: Option<String>,
    /// For whom a token must be (aud) [default: not asked]
    #[arg(long, env = "WEFT_TOKEN_AUDIENCE", value_name = "NAME")]
    pub token_audience: Option<String>,
    /// Folder in which documents are kept; made if absent [default: data]
    #[arg(long, env = "WEFT_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// What an acknowledged change survives: memory (nothing), kill (kill -9), disk (power loss) [default: disk]
    #[arg(long, env = "WEFT_DURABILITY", value_name = "LEVEL", value_parser = parse_durability)]
    pub durability: Option<Durability>,
    /// Milliseconds during which changes are gathered into one write to the disk; up to 50 while nobody waits to hear that
    /// they are durable [default: 5]
    #[arg(long, env = "WEFT_GROUP_COMMIT_MS", value_name = "MS")]
    pub group_commit_ms: Option<u64>,
    /// Bytes of disk that must stay free; below, changes are refused before the disk is full
    /// [default: 536870912]
    #[arg(long, env = "WEFT_MIN_FREE_BYTES", value_name = "BYTES")]
    pub min_free_bytes: Option<u64>,
    /// Bytes of memory for the store's cache [default: 33554432]
    #[arg(long, env = "WEFT_STORE_CACHE_BYTES", value_name = "BYTES")]
    pub store_cache_bytes: Option<u64>,
    /// Seconds that a document nobody has open stays in memory [default: 30]
    #[arg(long, env = "WEFT_DOCUMENT_IDLE_SECONDS", value_name = "S")]
    pub document_idle_seconds: Option<u64>,
    /// Bytes of memory that open documents may take, about; past it those that nobody has open leave at once
    /// [default: 1073741824]
    #[arg(long, env = "WEFT_OPEN_DOCUMENT_BYTES", value_name = "BYTES")]
    pub open_document_bytes: Option<usize>,
    /// Bytes of changes after which a document's log is replaced by its state [default: 65536]
    #[arg(long, env = "WEFT_CHECKPOINT_BYTES", value_name = "BYTES")]
    pub checkpoint_bytes: Option<usize>,
    /// Bytes of changes that one document may hold in memory while they cannot be stored; past it writers
    /// are turned away [default: 33554432]
    #[arg(long, env = "WEFT_JOURNAL_LIMIT_BYTES", value_name = "BYTES")]
    pub journal_limit_bytes: Option<usize>,
    /// Bytes that may wait for one slow reader [default: 1048576]
    #[arg(long, env = "WEFT_OUTBOX_BYTES", value_name = "BYTES")]
    pub outbox_bytes: Option<usize>,
    /// Messages that may wait for one slow reader [default: 1024]
    #[arg(long, env = "WEFT_OUTBOX_MESSAGES", value_name = "N")]
    pub outbox_messages: Option<usize>,
    /// Seconds that a reader may stay behind, or take nothing of an answer, before it is disconnected [default: 30]
    #[arg(long, env = "WEFT_SLOW_SESSION_SECONDS", value_name = "S")]
    pub slow_session_seconds: Option<u64>,
    /// Milliseconds that somebody stays visible after the line broke [default: 4000]
    #[arg(long, env = "WEFT_PRESENCE_GRACE_MS", value_name = "MS")]
    pub presence_grace_ms: Option<u64>,
    /// Bytes that one session may show of itself (awareness), which all others in the document are sent; past it, it is
    /// not seen [default: 65536]
    #[arg(long, env = "WEFT_MAX_PRESENCE_BYTES", value_name = "BYTES")]
    pub max_presence_bytes: Option<usize>,
    /// Largest message in bytes [default: 16777216]
    #[arg(long, env = "WEFT_MAX_MESSAGE_BYTES", value_name = "BYTES")]
    pub max_message_bytes: Option<usize>,
    /// Bytes that a document may have, encoded, and so the largest replica that may come back; past it changes are
    /// refused until something is deleted. Too small, and large documents cannot be mended from a device that has
    /// them; each may take twenty-five times as much memory while it comes in [default: 67108864]
    #[arg(long, env = "WEFT_MAX_DOCUMENT_BYTES", value_name = "BYTES")]
    pub max_document_bytes: Option<usize>,
    /// Prefixes of the names of documents that keep what is deleted in them, separated by commas; * for all. Clients
    /// with gc: false can then show snapshots of any age; such documents only grow, and what people delete stays
    /// readable in them [default: none]
    #[arg(long, env = "WEFT_KEEP_DELETED", value_name = "PREFIXES", value_delimiter = ',')]
    pub keep_deleted: Option<Vec<String>>,
    /// Longest chat message in bytes of UTF-8 [default: 4096]
    #[arg(long, env = "WEFT_MAX_CHAT_BYTES", value_name = "BYTES")]
    pub max_chat_bytes: Option<usize>,
    /// Largest attachment in bytes [default: 10485760]
    #[arg(long, env = "WEFT_MAX_ATTACHMENT_BYTES", value_name = "BYTES")]
    pub max_attachment_bytes: Option<usize>,
    /// Bytes of attachments that one document may hold [default: 268435456]
    #[arg(long, env = "WEFT_MAX_DOCUMENT_ATTACHMENT_BYTES", value_name = "BYTES")]
    pub max_document_attachment_bytes: Option<u64>,
    /// Most TCP connections in all, plain HTTP and its sessions included [default: 20000]
    #[arg(long, env = "WEFT_MAX_CONNECTIONS", value_name = "N")]
    pub max_connections: Option<usize>,
    /// Most connections from one address [default: 5000]
    #[arg(long, env = "WEFT_MAX_CONNECTIONS_PER_ADDRESS", value_name = "N")]
    pub max_connections_per_address: Option<usize>,
    /// Most connections in one document [default: 5000]
    #[arg(long, env = "WEFT_MAX_CONNECTIONS_PER_DOCUMENT", value_name = "N")]
    pub max_connections_per_document: Option<usize>,
    /// Seconds of silence after which a connection is pinged [default: 25]
    #[arg(long, env = "WEFT_PING_SECONDS", value_name = "S")]
    pub ping_seconds: Option<u64>,
    /// Seconds within which a ping must be answered [default: 30]
    #[arg(long, env = "WEFT_PONG_SECONDS", value_name = "S")]
    pub pong_seconds: Option<u64>,
    /// Seconds that a shutdown may take [default: 20]
    #[arg(long, env = "WEFT_SHUTDOWN_SECONDS", value_name = "S")]
    pub shutdown_seconds: Option<u64>,
    /// Worker threads [default: one per core]
    #[arg(long, env = "WEFT_WORKERS", value_name = "N")]
    pub workers: Option<usize>,
    /// Origins of web pages that may connect besides the server's own, separated by commas; * for all
    /// [default: none]
    #[arg(long, env = "WEFT_ALLOW_ORIGIN", value_name = "ORIGINS", value_delimiter = ',')]
    pub allow_origin: Option<Vec<String>>,
    /// Names under which people reach the server, besides those of this machine, separated by commas: hosts such
    /// as weft.example, with :port to mean that port alone; * for all. Behind a proxy, its name. Without it, a
    /// server that is open to others answers to addresses and local names only [default: none]
    #[arg(long, env = "WEFT_PUBLIC_HOST", value_name = "HOSTS", value_delimiter = ',')]
    pub public_host: Option<Vec<String>>,
    /// Bytes of request bodies that are on their way or being worked on, in all; past it, requests with a body are
    /// told to come again [default: 268435456]
    #[arg(long, env = "WEFT_MAX_PENDING_BODY_BYTES", value_name = "BYTES")]
    pub max_pending_body_bytes: Option<usize>,
    /// Bytes a second that a request body must bring, on average over body_window_seconds; with too many, people on
    /// slow lines upload nothing [default: 1024]
    #[arg(long, env = "WEFT_MIN_BODY_RATE", value_name = "BYTES")]
    pub min_body_rate: Option<usize>,
    /// Seconds after which a request body is looked at, again and again: one that brought too little is given up
    /// [default: 30]
    #[arg(long, env = "WEFT_BODY_WINDOW_SECONDS", value_name = "S")]
    pub body_window_seconds: Option<u64>,
    /// Seconds that a request body may take in all [default: 3600]
    #[arg(long, env = "WEFT_MAX_BODY_SECONDS", value_name = "S")]
    pub max_body_seconds: Option<u64>,
    /// Bytes of documents and attachments that are being read over HTTP, in all; past it, requests for them wait, then are
    /// told to come again. A document that has to be opened for its reader takes about four times as much memory
    /// [default: 134217728]
    #[arg(long, env = "WEFT_MAX_PENDING_ANSWER_BYTES", value_name = "BYTES")]
    pub max_pending_answer_bytes: Option<usize>,
    /// Take document names from the URL without decoding them [default: false]
    #[arg(long, env = "WEFT_RAW_NAMES", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub raw_names: Option<bool>,
    /// What is logged: a level, or directives such as weft=debug [default: info,actix_server=warn,sled=warn]
    #[arg(long, env = "WEFT_LOG", value_name = "DIRECTIVES")]
    pub log: Option<String>,
    /// Shape of log lines: text or json [default: text]
    #[arg(long, env = "WEFT_LOG_FORMAT", value_name = "FORMAT", value_parser = parse_log_format)]
    pub log_format: Option<LogFormat>,
}

/// What the server is given.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Worker threads.
    pub workers: usize,
    /// How long a shutdown may take.
    pub shutdown: Duration,
    /// Documents.
    pub document: document::Config,
    /// HTTP and connections.
    pub http: http::Config,
    /// The store.
    pub store: store::Config,
    /// Logs.
    pub telemetry: telemetry::Config,
}

/// A configuration that cannot be used: which setting, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub struct InvalidConfig(String);

impl fmt::Display for InvalidConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidConfig {}

fn invalid<T>(message: impl Into<String>) -> Result<T, InvalidConfig> {
    Err(InvalidConfig(message.into()))
}

impl Settings {
    /// These settings over those of a file. Without a named file, [`DEFAULT_FILE`] is used if it exists.
    pub fn over_file(self, named: Option<&Path>) -> Result<Self, InvalidConfig> {
        let path = named.unwrap_or(Path::new(DEFAULT_FILE));
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => return Ok(self),
            Err(error) => {
                return invalid(format!("the configuration file {} cannot be read: {error}", path.display()));
            }
        };
        self.over(&text).map_err(|error| {
            InvalidConfig(format!("the configuration file {} is not understood: {error}", path.display()))
        })
    }

    fn over(self, file: &str) -> Result<Self, InvalidConfig> {
        let table = |error: toml::de::Error| InvalidConfig(error.to_string());
        // Once as settings, so that an unknown key or a wrong type is named with its line.
        toml::from_str::<Self>(file).map_err(table)?;
        let mut merged: toml::Table = toml::from_str(file).map_err(table)?;
        let own = toml::Table::try_from(self).map_err(|error| InvalidConfig(error.to_string()))?;
        merged.extend(own);
        merged.try_into().map_err(table)
    }

    /// The complete configuration, or the first thing that is wrong with it.
    pub fn complete(self) -> Result<Config, InvalidConfig> {
        let listen = self.address()?;
        let policy = self.policy(listen)?;
        let seconds = |value: Option<u64>, default: Duration| value.map_or(default, Duration::from_secs);
        let mut document = self.document(seconds)?;
        let connection = self.connection(&document, seconds)?;
        document.max_bytes = connection.guard.document_bytes;
        Ok(Config {
            listen,
            workers: self.workers()?,
            shutdown: seconds(self.shutdown_seconds, Duration::from_secs(20)),
            http: http::Config {
                limits: self.limits()?,
                origins: http::origin::Policy {
                    allowed: self.allow_origin.clone().unwrap_or_default(),
                    hosts: self.hosts(listen.ip())?,
                },
                bodies: self.bodies(&connection)?,
                answers: self.answers(&connection)?,
                penalties: connection::penalty::Config::default(),
                raw_names: self.raw_names.unwrap_or(false),
                connection,
                policy,
            },
            document,
            store: self.store(),
            telemetry: telemetry::Config {
                log: self.log.unwrap_or_else(|| telemetry::Config::default().log),
                log_format: self.log_format.unwrap_or(LogFormat::Text),
            },
        })
    }

    fn address(&self) -> Result<SocketAddr, InvalidConfig> {
        let text = self.listen.as_deref().unwrap_or("127.0.0.1:8080");
        let found = text.to_socket_addrs().map_err(|error| {
            InvalidConfig(format!(
                "listen must be an address and a port such as 127.0.0.1:8080, not {text:?}: {error}"
            ))
        })?;
        found.into_iter().next().ok_or_else(|| InvalidConfig(format!("listen: {text:?} is no address")))
    }

    /// Who may do what: who has a token, or everybody, which is to be said of a server that others can reach.
    fn policy(&self, listen: SocketAddr) -> Result<Arc<dyn Policy>, InvalidConfig> {
        let open = self.open.unwrap_or(false);
        let files: Vec<_> =
            self.token_keys.iter().flatten().filter(|file| !file.as_os_str().is_empty()).collect();
        if files.is_empty() {
            if self.token_issuer.is_some() || self.token_audience.is_some() {
                return invalid(
                    "token_issuer and token_audience say which tokens are good; set token_keys too",
                );
            }
            if !open && !listen.ip().is_loopback() {
                return invalid(format!(
                    "{listen} can be reached by others, and this server does not ask who they are: set token_keys \
                     (--token-keys, WEFT_TOKEN_KEYS) to let in who has a token, or open = true (--open, WEFT_OPEN) \
                     to serve everybody who can reach it, or set listen (--listen, WEFT_LISTEN) to a loopback address \
                     such as 127.0.0.1:{} behind a proxy that asks",
                    listen.port()
                ));
            }
            return Ok(Arc::new(Everybody));
        }
        if open {
            return invalid(
                "open = true serves everybody, and token_keys lets in who has a token: set one of the two",
            );
        }
        let keys =
            Keys::read(files.into_iter().cloned()).map_err(|error| InvalidConfig(error.to_string()))?;
        let (issuer, audience) = (self.token_issuer.clone(), self.token_audience.clone());
        Ok(Arc::new(Tokens { keys, issuer, audience }))
    }

    fn workers(&self) -> Result<usize, InvalidConfig> {
        match self.workers {
            Some(0) => invalid("workers must be at least 1"),
            Some(workers) => Ok(workers),
            None => Ok(std::thread::available_parallelism().map_or(1, std::num::NonZero::get)),
        }
    }

    fn document(
        &self,
        seconds: impl Fn(Option<u64>, Duration) -> Duration,
    ) -> Result<document::Config, InvalidConfig> {
        let mut document = document::Config::default();
        document.keep_deleted = KeepDeleted::new(self.keep_deleted.iter().flatten().cloned());
        document.idle = seconds(self.document_idle_seconds, document.idle);
        document.open_bytes = self.open_document_bytes.unwrap_or(document.open_bytes);
        document.checkpoint_bytes = self.checkpoint_bytes.unwrap_or(document.checkpoint_bytes);
        document.journal.limit_bytes = self.journal_limit_bytes.unwrap_or(document.journal.limit_bytes);
        document.outbox.bytes = self.outbox_bytes.unwrap_or(document.outbox.bytes);
        document.outbox.frames = self.outbox_messages.unwrap_or(document.outbox.frames);
        document.outbox.deadline = seconds(self.slow_session_seconds, document.outbox.deadline);
        document.chat.text_bytes = self.max_chat_bytes.unwrap_or(document.chat.text_bytes);
        document.attachments.bytes = self.max_attachment_bytes.unwrap_or(document.attachments.bytes);
        document.attachments.document_bytes =
            self.max_document_attachment_bytes.unwrap_or(document.attachments.document_bytes);
        document.presence.grace =
            self.presence_grace_ms.map_or(document.presence.grace, Duration::from_millis);
        document.presence.max_bytes = self.max_presence_bytes.unwrap_or(document.presence.max_bytes);
        for (setting, value) in [
            ("max_presence_bytes", document.presence.max_bytes),
            ("checkpoint_bytes", document.checkpoint_bytes),
            ("journal_limit_bytes", document.journal.limit_bytes),
            ("outbox_bytes", document.outbox.bytes),
            ("outbox_messages", document.outbox.frames),
            ("max_chat_bytes", document.chat.text_bytes),
            ("max_attachment_bytes", document.attachments.bytes),
        ] {
            if value == 0 {
                return invalid(format!("{setting} must be at least 1"));
            }
        }
        if document.presence.grace >= document.presence.expiry {
            return invalid("presence_grace_ms must be less than 30000, at which presence expires by itself");
        }
        Ok(document)
    }

    fn connection(
        &self,
        document: &document::Config,
        seconds: impl Fn(Option<u64>, Duration) -> Duration,
    ) -> Result<connection::Config, InvalidConfig> {
        let mut connection = connection::Config { outbox: document.outbox, ..connection::Config::default() };
        connection.max_message_bytes = self.max_message_bytes.unwrap_or(connection.max_message_bytes);
        if connection.max_message_bytes < 1024 {
            return invalid("max_message_bytes must be at least 1024, or no document could be synced");
        }
        let document_bytes = guard::Limits::default().document_bytes.max(connection.max_message_bytes);
        let document_bytes = self.max_document_bytes.unwrap_or(document_bytes);
        if document_bytes < connection.max_message_bytes {
            return invalid("max_document_bytes must be at least max_message_bytes");
        }
        connection.guard = Arc::new(guard::Limits {
            update_bytes: connection.max_message_bytes,
            document_bytes,
            awareness_bytes: document.presence.max_bytes,
            ..guard::Limits::default()
        });
        connection.heartbeat.ping_after = seconds(self.ping_seconds, connection.heartbeat.ping_after);
        connection.heartbeat.pong_within = seconds(self.pong_seconds, connection.heartbeat.pong_within);
        if connection.heartbeat.ping_after.is_zero() || connection.heartbeat.pong_within.is_zero() {
            return invalid("ping_seconds and pong_seconds must be at least 1");
        }
        Ok(connection)
    }

    fn limits(&self) -> Result<http::places::PlaceLimits, InvalidConfig> {
        let default = http::places::PlaceLimits::default();
        let limits = http::places::PlaceLimits {
            connections: self.max_connections.unwrap_or(default.connections),
            per_address: self.max_connections_per_address.unwrap_or(default.per_address),
            per_document: self.max_connections_per_document.unwrap_or(default.per_document),
        };
        if limits.connections == 0 || limits.per_address == 0 || limits.per_document == 0 {
            return invalid("max_connections and its likes must be at least 1");
        }
        Ok(limits)
    }

    fn hosts(&self, listen: IpAddr) -> Result<http::host::Policy, InvalidConfig> {
        let names = self.public_host.iter().flatten().filter(|name| !name.is_empty());
        let public: Result<Vec<_>, String> = names.map(|name| name.parse()).collect();
        Ok(http::host::Policy { public: public.map_err(InvalidConfig)?, loopback: listen.is_loopback() })
    }

    fn bodies(&self, connection: &connection::Config) -> Result<http::body::Config, InvalidConfig> {
        let default = http::body::Config::default();
        let seconds = |value: Option<u64>, default| value.map_or(default, Duration::from_secs);
        let bodies = http::body::Config {
            total_bytes: self.max_pending_body_bytes.unwrap_or(default.total_bytes),
            least_rate: self.min_body_rate.unwrap_or(default.least_rate),
            window: seconds(self.body_window_seconds, default.window),
            longest: seconds(self.max_body_seconds, default.longest),
        };
        if bodies.window.is_zero() || bodies.longest.is_zero() || bodies.least_rate == 0 {
            return invalid("min_body_rate, body_window_seconds and max_body_seconds must be at least 1");
        }
        if bodies.total_bytes < connection.guard.document_bytes {
            return invalid("max_pending_body_bytes must hold one body of max_document_bytes at least");
        }
        Ok(bodies)
    }

    fn answers(&self, connection: &connection::Config) -> Result<http::answers::Config, InvalidConfig> {
        let default = http::answers::Config::default();
        let total_bytes = self.max_pending_answer_bytes;
        let total_bytes = total_bytes.unwrap_or(default.total_bytes.max(connection.guard.document_bytes));
        if total_bytes < connection.guard.document_bytes {
            return invalid("max_pending_answer_bytes must hold one document of max_document_bytes at least");
        }
        Ok(http::answers::Config { total_bytes, ..default })
    }

    fn store(&self) -> store::Config {
        let default = store::Config::default();
        store::Config {
            data: self.data.clone().unwrap_or_else(|| PathBuf::from("data")),
            durability: self.durability.unwrap_or(default.durability),
            group_ms: self.group_commit_ms.unwrap_or(default.group_ms),
            min_free_bytes: self.min_free_bytes.unwrap_or(default.min_free_bytes),
            cache_bytes: self.store_cache_bytes.unwrap_or(default.cache_bytes),
            ..default
        }
    }
}

fn parse_durability(text: &str) -> Result<Durability, String> {
    match text {
        "memory" => Ok(Durability::Memory),
        "kill" => Ok(Durability::Kill),
        "disk" => Ok(Durability::Disk),
        _ => Err("must be memory, kill or disk".to_owned()),
    }
}

fn parse_log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("must be text or json".to_owned()),
    }
}

/// The address of a browser for a server that listens on `address`.
pub fn browser_address(address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => format!("http://127.0.0.1:{}", address.port()),
        IpAddr::V6(ip) if ip.is_unspecified() => format!("http://[::1]:{}", address.port()),
        _ => format!("http://{address}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(settings: Settings) -> String {
        settings.complete().unwrap_err().to_string()
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_the_defaults() {
        let flags = Settings { workers: Some(3), ..Settings::default() };
        let merged = flags.over("workers = 1\nlisten = \"127.0.0.1:9\"\nallow_origin = [\"*\"]").unwrap();
        let config = merged.complete().unwrap();
        assert_eq!(config.workers, 3);
        assert_eq!(config.listen.port(), 9);
        assert_eq!(config.http.origins.allowed, ["*"]);
        assert_eq!(config.store.data, Path::new("data"));
    }

    #[test]
    fn an_unknown_key_and_a_wrong_type_are_named() {
        let error = Settings::default().over("listne = \"x\"").unwrap_err().to_string();
        assert!(error.contains("listne") && error.contains("listen"), "{error}");
        let error = Settings::default().over("workers = \"many\"").unwrap_err().to_string();
        assert!(error.contains("workers"), "{error}");
    }

    #[test]
    fn a_named_file_must_exist_and_the_default_one_need_not() {
        assert!(Settings::default().over_file(None).is_ok());
        let error = Settings::default().over_file(Some(Path::new("no/such.toml"))).unwrap_err().to_string();
        assert!(error.contains("no/such.toml"), "{error}");
    }

    #[test]
    fn an_open_server_stays_on_loopback_unless_it_is_told_not_to() {
        let public = Settings { listen: Some("0.0.0.0:8080".to_owned()), ..Settings::default() };
        let error = refusal(public.clone());
        assert!(error.contains("open = true") && error.contains("--listen"), "{error}");
        assert!(Settings { open: Some(true), ..public }.complete().is_ok());
    }

    #[test]
    fn values_that_cannot_work_are_refused_by_name() {
        for (settings, name) in [
            (Settings { workers: Some(0), ..Settings::default() }, "workers"),
            (Settings { max_message_bytes: Some(10), ..Settings::default() }, "max_message_bytes"),
            (Settings { presence_grace_ms: Some(60_000), ..Settings::default() }, "presence_grace_ms"),
            (Settings { outbox_bytes: Some(0), ..Settings::default() }, "outbox_bytes"),
            (Settings { ping_seconds: Some(0), ..Settings::default() }, "ping_seconds"),
            (Settings { max_connections: Some(0), ..Settings::default() }, "max_connections"),
            (Settings { body_window_seconds: Some(0), ..Settings::default() }, "body_window_seconds"),
            (Settings { max_pending_body_bytes: Some(1), ..Settings::default() }, "max_pending_body_bytes"),
            (
                Settings { public_host: Some(vec!["http://a".to_owned()]), ..Settings::default() },
                "public_host",
            ),
            (Settings { listen: Some("here".to_owned()), ..Settings::default() }, "listen"),
        ] {
            assert!(refusal(settings).contains(name), "{name}");
        }
    }
}
