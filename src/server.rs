//! The composition root: opens the store, starts the registry and HTTP, and ends them in order.

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::dev::ServerHandle;
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use crate::{
    config::Config,
    connection::{feed::Feeds, penalty::Penalties},
    document::{
        beside::{attachments::Attachments, chat::Chats},
        registry::Registry,
    },
    http::{self, answers::Answers, body::Bodies, listener, places::Places},
    ids::DocumentName,
    protocol::close::CloseReason,
    store::{self, Durability, Store, StoreError},
    telemetry::Metrics,
};

pub mod descriptors;

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store cannot be opened.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The system leaves no room for connections.
    #[error("{0}")]
    Descriptors(#[from] descriptors::TooFew),
    /// The address cannot be listened on.
    #[error("failed to listen on {address}: {source}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// A server that accepts connections.
pub struct Server {
    address: SocketAddr,
    registry: Registry,
    store: Arc<dyn Store>,
    metrics: Metrics,
    http: ServerHandle,
    running: JoinHandle<io::Result<()>>,
    shutdown: Duration,
}

impl Server {
    /// Opens the store of the configured folder and starts serving it. Must be called inside an actix system.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let metrics = Metrics::new();
        let store = open_store(&config, &metrics)?;
        Self::start_with(config, store, metrics).await
    }

    /// The same over a store that is already open.
    pub async fn start_with(
        config: Config,
        store: Arc<dyn Store>,
        metrics: Metrics,
    ) -> Result<Self, StartError> {
        let started = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        metrics.started(Instant::now(), started.as_secs_f64());
        let registry = Registry::new(config.document, store.clone(), metrics.clone());
        let limits = config.http.limits;
        let room = descriptors::room(limits.connections, config.workers)?;
        if room < limits.connections {
            let wanted = limits.connections;
            warn!(
                room,
                wanted, "the limit on open files leaves no room for max_connections: raise it (ulimit -n)"
            );
        }
        let app = http::App {
            attachments: Attachments::new(registry.clone()),
            chats: Chats::new(registry.clone()),
            registry: registry.clone(),
            metrics: metrics.clone(),
            places: Places::new(limits, room),
            policy: config.http.policy.clone(),
            bodies: Bodies::new(config.http.bodies, metrics.clone()),
            answers: Answers::new(config.http.answers, metrics.clone()),
            feeds: Feeds::default(),
            penalties: Penalties::new(config.http.penalties),
            connection: Arc::new(config.http.connection.clone()),
            config: Arc::new(config.http),
        };
        let hosts = &app.config.origins.hosts;
        if !hosts.loopback && hosts.public.is_empty() {
            info!("public_host is not set: answering to addresses and local names only");
        }
        let (server, address) = listener::listen(app, config.listen, config.workers, room)
            .map_err(|source| StartError::Listen { address: config.listen, source })?;
        Ok(Self {
            address,
            registry,
            store,
            metrics,
            http: server.handle(),
            running: actix_web::rt::spawn(server),
            shutdown: config.shutdown,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its figures.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Its open documents.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Where its documents are kept.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Stops in order, within the configured time: nobody new is let in; everybody inside is closed with
    /// 1012; everything is stored; the store is closed. Returns whether all of it could be stored; the last line
    /// of the log says what could not.
    ///
    /// A worker thread in the middle of dear work and a disk that does not answer cannot be waited for, and hold
    /// up what comes after them here. They are left behind: whoever calls this should end the process then.
    pub async fn stop(self) -> bool {
        info!("shutting down");
        let deadline = tokio::time::Instant::now() + self.shutdown;
        let draining = async {
            self.http.pause().await;
            self.registry.drain(CloseReason::ServiceRestart).await;
            // Connections end by themselves once their close frames are written.
            while self.metrics.connections.get() > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let mut draining = std::pin::pin!(draining);
        let enough = deadline - (self.shutdown / 4).min(LAST_STEPS);
        let drained = tokio::time::timeout_at(enough, &mut draining).await.is_ok();
        // Read while they are still waited for: a document that has stored everything has left the registry, and so
        // has one that was given up.
        let left = if drained { Vec::new() } else { self.registry.unsaved() };
        if !drained {
            warn!("not everything could be stored, or not every connection closed, in time");
        }
        let ended = tokio::time::timeout_at(deadline, async {
            // The store first: it answers last to whoever still writes, and a worker may never end.
            let closed = self.store.close().await;
            self.http.stop(false).await;
            match self.running.await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => error!(%error, "the HTTP server ended with an error"),
                Err(error) => error!(%error, "the HTTP server panicked"),
            }
            closed
        });
        let trouble = match ended.await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(format!("failed to close the store: {error}")),
            Err(_) => Some("the disk or a worker thread does not answer".to_owned()),
        };
        if left.is_empty() && trouble.is_none() {
            info!("stopped");
            return true;
        }
        if trouble.is_some() {
            // A store that could not be closed complains once more, or waits for its disk, when it is let go. The process
            // ends now, and what follows are its last words.
            std::mem::forget(self.store.clone());
        }
        let bytes: usize = left.iter().map(|(_, bytes)| bytes).sum();
        let (documents, named) = (left.len(), in_words(left));
        let trouble = trouble.unwrap_or_else(|| "no time was left".to_owned());
        error!(documents, bytes, "stopped, and not everything could be stored: {trouble}; {named}");
        false
    }
}

/// What is kept of the time for a shutdown for what comes after the documents, at most.
const LAST_STEPS: Duration = Duration::from_secs(2);

/// The documents that were left as they were, the fullest first.
fn in_words(mut left: Vec<(DocumentName, usize)>) -> String {
    const NAMED: usize = 20;
    if left.is_empty() {
        return "every document had handed in its changes".to_owned();
    }
    left.sort_by(|(one, more), (other, less)| less.cmp(more).then_with(|| one.as_str().cmp(other.as_str())));
    let more = left.len().saturating_sub(NAMED);
    let named = left.iter().take(NAMED).map(|(name, bytes)| match bytes {
        0 => format!("{name:?} (busy)", name = name.as_str()),
        bytes => format!("{name:?} ({bytes} bytes)", name = name.as_str()),
    });
    let named = named.collect::<Vec<_>>().join(", ");
    if more == 0 { format!("unsaved: {named}") } else { format!("unsaved: {named} and {more} more") }
}

fn open_store(config: &Config, metrics: &Metrics) -> Result<Arc<dyn Store>, StoreError> {
    let observer = Arc::new(Observed(metrics.clone()));
    if config.store.durability == Durability::Memory {
        warn!("durability is memory: everything is lost when this server stops");
    }
    store::open(config.store.clone(), observer)
}

/// Carries what the store reports into the figures.
struct Observed(Metrics);

impl store::Observer for Observed {
    fn committed(&self, _documents: usize, updates: usize, _bytes: usize, _took: Duration) {
        self.0.updates_durable.inc_by(updates as u64);
    }

    fn failed(&self, reason: &str) {
        error!(reason, "the store stopped writing");
    }

    fn recovered(&self) {
        info!("the store writes again");
    }

    fn rotated(&self, before: u64, after: u64) {
        info!(before, after, "store rewritten without what is dead");
    }

    fn damaged(&self, document: &DocumentName) {
        error!(%document, "stored document is damaged");
        self.0.refused("damaged_document");
    }
}
