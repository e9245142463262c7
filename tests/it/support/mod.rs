//! What the tests are written with: servers, people, sockets, and waiting for what one wants to see.

pub(crate) mod client;
pub(crate) mod frames;
pub(crate) mod masked;
pub(crate) mod plain;
pub(crate) mod process;
pub(crate) mod raw;
pub(crate) mod rest;
pub(crate) mod scribe;
pub(crate) mod server;
pub(crate) mod talk;
pub(crate) mod typist;
pub(crate) mod wire;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

pub(crate) use self::{
    client::{Client, settle},
    process::Weft,
    raw::Raw,
    rest::Answer,
    scribe::Scribe,
    server::{Setup, TestServer},
    talk::Talk,
    typist::Typist,
};

/// How long anything may take before it counts as broken. Long, because two busy cores are slow cores.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Something that listens: a server in this process or one of its own.
pub(crate) trait Address {
    fn address(&self) -> SocketAddr;
}

impl Address for SocketAddr {
    fn address(&self) -> SocketAddr {
        *self
    }
}

/// Waits until `condition` holds, and fails naming `what` did not come.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    until_some(what, || condition().then_some(())).await;
}

/// Waits until there is a value.
pub(crate) async fn until_some<T>(what: &str, mut value: impl FnMut() -> Option<T>) -> T {
    until_answer(what, async || value()).await
}

/// The same for questions that must be waited for.
pub(crate) async fn until_answer<T>(what: &str, mut question: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = question().await {
            return value;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// A folder of this repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A number from the environment, for runs by hand that are longer than the ordinary one.
pub(crate) fn from_environment(variable: &str, ordinary: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} must be a number, not {text:?}")),
        Err(_) => ordinary,
    }
}
