//! Threads for work that takes long: a large document is loaded, a dear change applied. They give way to the threads that
//! serve, so that whatever is asked of a document, its neighbours are answered as before.

use std::sync::Arc;

use tokio::{
    runtime::{Builder, Runtime},
    sync::Semaphore,
};
use tracing::warn;

/// Threads at most, for each processor. Several, so that a document which is loaded need not wait for the dear changes of
/// all others; not many, because each takes its share from the threads that serve.
const THREADS: usize = 4;

/// How far they stand back: while others want the processor too, they get a third of what those get (nice(2) of Linux,
/// which is of one thread there).
const NICE: i32 = 5;

/// What they are called.
pub(super) const NAME: &str = "weft-work";

/// The threads. Clones share them.
#[derive(Clone, Debug)]
pub struct Work(Arc<Threads>);

#[derive(Debug)]
struct Threads {
    runtime: Option<Runtime>,
    /// For dear changes, one for each processor: whoever brings them into many documents at once holds up others who do,
    /// and nobody who opens a document.
    dear: Semaphore,
}

/// There is no answer, and what the work was given is gone.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// The process ends.
    #[error("the server stops")]
    Stopped,
    /// The work panicked, where nothing is expected to.
    #[error("{0}")]
    Panicked(String),
}

impl Work {
    /// No thread is started before there is work.
    pub fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let runtime = Builder::new_current_thread()
            .thread_name(NAME)
            .max_blocking_threads(THREADS * processors)
            .on_thread_start(stand_back)
            .build();
        let runtime =
            runtime.inspect_err(|error| warn!(%error, "no threads of their own for work that takes long"));
        Self(Arc::new(Threads { runtime: runtime.ok(), dear: Semaphore::new(processors) }))
    }

    /// Like [`Self::run`], for what somebody asks for who may ask for anything.
    pub async fn run_dear<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NoAnswer> {
        let _permit = self.0.dear.acquire().await.map_err(|_| NoAnswer::Stopped)?;
        self.run(work).await
    }

    /// Drops what takes long to drop on one of the threads; nobody waits for it.
    pub fn frees<T: Send + 'static>(&self, what: T) {
        match &self.0.runtime {
            Some(runtime) => drop(runtime.spawn_blocking(move || drop(what))),
            None => drop(what),
        }
    }

    /// Runs `work` on one of the threads. A panic of it is for the caller to deal with: one that went on in an actor would
    /// end it.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NoAnswer> {
        let running = match &self.0.runtime {
            Some(runtime) => runtime.spawn_blocking(work),
            None => tokio::task::spawn_blocking(work),
        };
        running.await.map_err(|error| match error.try_into_panic() {
            Ok(panic) => NoAnswer::Panicked(words(&*panic)),
            Err(_) => NoAnswer::Stopped,
        })
    }
}

/// What a panic says.
pub(super) fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let what = panic.downcast_ref::<String>().map(String::as_str);
    what.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message").to_owned()
}

impl Default for Work {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Without waiting: it may be dropped on a thread that serves.
            runtime.shutdown_background();
        }
    }
}

#[cfg(target_os = "linux")]
pub(super) fn stand_back() {
    if let Err(error) = rustix::process::nice(NICE) {
        warn!(%error, "work that takes long competes with the rest");
    }
}

/// Elsewhere it would be the whole process.
#[cfg(not(target_os = "linux"))]
pub(super) fn stand_back() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_stands_back_and_its_answer_comes() {
        let work = Work::new();
        let of_thread = || rustix::process::getpriority_process(None).unwrap();
        let here = of_thread();
        assert_eq!(work.run(of_thread).await.unwrap(), (here + NICE).min(19));
        assert_eq!(of_thread(), here, "and nobody else");
    }

    #[tokio::test]
    async fn whoever_opens_a_document_does_not_wait_for_dear_changes_of_others() {
        let work = Work::new();
        let (go, gate) = std::sync::mpsc::channel::<()>();
        let gate = Arc::new(parking_lot::Mutex::new(gate));
        let many = THREADS * std::thread::available_parallelism().unwrap().get();
        let mut dear: Vec<_> = (0..many)
            .map(|_| {
                let gate = gate.clone();
                Box::pin(work.run_dear(move || gate.lock().recv().is_ok()))
            })
            .collect();
        for change in &mut dear {
            assert!(futures_util::poll!(change).is_pending());
        }
        let loaded = tokio::time::timeout(std::time::Duration::from_secs(20), work.run(|| "loaded"));
        assert_eq!(loaded.await.expect("it waits for all of them").unwrap(), "loaded");
        for _ in 0..many {
            go.send(()).unwrap();
        }
        for change in dear {
            assert!(change.await.unwrap());
        }
    }

    #[tokio::test]
    async fn what_takes_long_to_drop_is_dropped_there() {
        struct Says(Option<tokio::sync::oneshot::Sender<Option<String>>>);
        impl Drop for Says {
            fn drop(&mut self) {
                let _ = self.0.take().unwrap().send(std::thread::current().name().map(str::to_owned));
            }
        }
        let (says, where_it_was) = tokio::sync::oneshot::channel();
        let work = Work::new();
        work.frees(Says(Some(says)));
        assert_eq!(where_it_was.await.unwrap().as_deref(), Some(NAME));
    }

    #[tokio::test]
    async fn a_panic_is_an_answer() {
        let answer = Work::new().run(|| panic!("it broke")).await;
        assert!(matches!(answer, Err::<(), _>(NoAnswer::Panicked(what)) if what == "it broke"));
    }
}
