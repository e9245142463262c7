//! A whole server inside this process, on a thread and a port of its own.

use std::{
    net::SocketAddr,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::sync::oneshot;
use weft::{
    config::{Config, Settings},
    document::registry::Registry,
    ids::DocumentName,
    server::{Server, StartError},
    store::{
        self, Durability, Store, Unobserved,
        faulty::{Faults, FaultyStore},
    },
    telemetry::Metrics,
};

use super::{Address, Client, PATIENCE, until};

/// How a server is set up before it starts.
#[derive(Clone)]
pub(crate) struct Setup {
    settings: Settings,
    change: Arc<dyn Fn(&mut Config) + Send + Sync>,
    faulty: bool,
}

impl Setup {
    /// Changes the finished configuration, for what no setting says finely enough.
    pub(crate) fn with(mut self, change: impl Fn(&mut Config) + Send + Sync + 'static) -> Self {
        let before = self.change;
        self.change = Arc::new(move |config| {
            before(config);
            change(config);
        });
        self
    }

    /// Changes what a person may set.
    pub(crate) fn settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Puts a store in front that fails on command; [`TestServer::faults`] commands it.
    pub(crate) fn faulty(mut self) -> Self {
        self.faulty = true;
        self
    }

    /// Starts it over an empty folder.
    pub(crate) async fn start(self) -> TestServer {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let running = Running::start(&self, &folder).await;
        TestServer { setup: self, folder, running: Some(running) }
    }
}

/// A server that can be looked into, stopped and started again over the same folder.
pub(crate) struct TestServer {
    setup: Setup,
    folder: Arc<TempDir>,
    /// `None` only while it starts again.
    running: Option<Running>,
}

struct Running {
    address: SocketAddr,
    registry: Registry,
    store: Arc<dyn Store>,
    metrics: Metrics,
    faults: Option<Faults>,
    stop: oneshot::Sender<()>,
    stopped: oneshot::Receiver<bool>,
    thread: thread::JoinHandle<()>,
}

impl TestServer {
    /// With everything as it is by default, except that nothing waits for the disk.
    pub(crate) async fn start() -> Self {
        Self::setup().start().await
    }

    /// The same, to be changed before it starts.
    pub(crate) fn setup() -> Setup {
        let settings = Settings {
            listen: Some("127.0.0.1:0".to_owned()),
            durability: Some(Durability::Kill),
            workers: Some(2),
            shutdown_seconds: Some(10),
            group_commit_ms: Some(1),
            ..Settings::default()
        };
        // Everybody here comes from one address, and what some do on purpose must not keep the others waiting.
        let change = |config: &mut Config| config.http.penalties.free = u32::MAX;
        Setup { settings, change: Arc::new(change), faulty: false }
    }

    /// Somebody who has the document open and has all of it.
    pub(crate) async fn client(&self, name: &str, document: &str) -> Client {
        Client::named(name).opens(self, document).await
    }

    /// Stops in order and starts again over the same folder, on another port.
    pub(crate) async fn restart(&mut self) {
        let running = self.running.take().expect("it runs");
        assert!(running.stop().await, "the server could not store everything before it stopped");
        self.running = Some(Running::start(&self.setup, &self.folder).await);
    }

    /// Asks it to stop, and says whether it could store everything. Its threads may go on.
    pub(crate) async fn stops(mut self) -> bool {
        let Running { stop, stopped, .. } = self.running.take().expect("it runs");
        stop.send(()).expect("the server runs");
        stopped.await.expect("the server stops")
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("it runs")
    }

    /// The figures, live.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.running().metrics
    }

    /// The open documents, live.
    pub(crate) fn registry(&self) -> &Registry {
        &self.running().registry
    }

    /// The store, live.
    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.running().store
    }

    /// What commands the failing store.
    pub(crate) fn faults(&self) -> &Faults {
        self.running().faults.as_ref().expect("set up with faulty()")
    }

    /// How many inputs were refused for this reason.
    pub(crate) fn refused(&self, reason: &str) -> u64 {
        let line = format!("weft_inputs_refused_total{{reason=\"{reason}\"}} ");
        let text = self.metrics().to_text();
        text.lines().find_map(|found| found.strip_prefix(&line)).map_or(0, |count| count.parse().unwrap())
    }

    /// Waits until no document is held in memory.
    pub(crate) async fn forgets_everything(&self) {
        until("every document is put away", || self.registry().is_empty()).await;
    }
}

impl Address for TestServer {
    fn address(&self) -> SocketAddr {
        self.running().address
    }
}

impl Running {
    async fn start(setup: &Setup, folder: &Arc<TempDir>) -> Self {
        let mut settings = setup.settings.clone();
        settings.data = Some(folder.path().to_owned());
        let mut config = settings.complete().unwrap();
        (setup.change)(&mut config);
        let (faulty, folder) = (setup.faulty, folder.clone());
        let (started, starting) = oneshot::channel();
        let (stop, stopping) = oneshot::channel();
        let (has_stopped, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            // The folder must outlive the server, whoever panics first.
            let _folder = folder;
            actix_web::rt::System::new().block_on(async move {
                let (server, faults) = start(config, faulty).await;
                let parts = (
                    server.address(),
                    server.registry().clone(),
                    server.store().clone(),
                    server.metrics().clone(),
                    faults,
                );
                assert!(started.send(parts).is_ok(), "nobody waits for the server");
                // An error means that the test is over: stop all the same.
                let _ = stopping.await;
                let _ = has_stopped.send(server.stop().await);
            });
        });
        let (address, registry, store, metrics, faults) = starting.await.expect("the server starts");
        Self { address, registry, store, metrics, faults, stop, stopped, thread }
    }

    /// Ends it, until nothing of it is left that could hold the folder.
    async fn stop(self) -> bool {
        let Self { registry, stop, stopped, thread, .. } = self;
        stop.send(()).expect("the server runs");
        let stored = stopped.await.expect("the server stops");
        let ended = tokio::task::spawn_blocking(move || {
            drop(registry);
            thread.join()
        });
        ended.await.unwrap().expect("the server's thread does not panic");
        stored
    }
}

async fn start(config: Config, faulty: bool) -> (Server, Option<Faults>) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match try_start(config.clone(), faulty).await {
            Ok(started) => return started,
            // The worker threads of the server before end by themselves, and with the last of them its store.
            Err(StartError::Store(error)) if Instant::now() < deadline => drop(error),
            Err(error) => panic!("{error}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn try_start(config: Config, faulty: bool) -> Result<(Server, Option<Faults>), StartError> {
    if !faulty {
        return Ok((Server::start(config).await?, None));
    }
    let inner = store::open(config.store.clone(), Arc::new(Unobserved))?;
    let (store, faults) = FaultyStore::new(inner);
    Ok((Server::start_with(config, Arc::new(store), Metrics::new()).await?, Some(faults)))
}

/// A name that is one.
pub(crate) fn name(text: &str) -> DocumentName {
    DocumentName::parse(text).unwrap()
}
