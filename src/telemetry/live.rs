//! What the server does right now: figures over the second between two looks at it.
//!
//! Pure, but for [`Process::measure`], which asks the system what this process has used.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use serde::Serialize;

use super::Metrics;

/// How many durations there were of each length, since the process started.
#[derive(Debug)]
pub struct Durations([AtomicU64; BUCKETS]);

/// From 50 µs in steps of a tenth to half a minute: a quantile is right to a tenth.
const BUCKETS: usize = 140;
const SMALLEST: f64 = 0.000_05;
const STEP: f64 = 1.1;

impl Durations {
    pub(super) fn new() -> Self {
        Self([const { AtomicU64::new(0) }; BUCKETS])
    }

    /// Counts a duration, in seconds.
    pub(super) fn observe(&self, seconds: f64) {
        let steps = (seconds / SMALLEST).max(1.0).log(STEP).ceil();
        let bucket = (steps as usize).min(BUCKETS - 1);
        self.0[bucket].fetch_add(1, Ordering::Relaxed);
    }

    fn counts(&self) -> [u64; BUCKETS] {
        std::array::from_fn(|bucket| self.0[bucket].load(Ordering::Relaxed))
    }
}

/// The duration, in milliseconds, that this part of what was counted did not exceed. `None` if nothing was.
fn quantile(counts: &[u64; BUCKETS], part: f64) -> Option<f64> {
    let all: u64 = counts.iter().sum();
    let wanted = (all as f64 * part).ceil().max(1.0) as u64;
    let mut seen = 0;
    let bucket = counts.iter().position(|count| {
        seen += count;
        seen >= wanted
    })?;
    Some(rounded(SMALLEST * STEP.powi(bucket as i32) * 1000.0))
}

/// What this process has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Time on any core, since it started.
    pub cpu: Duration,
    /// Resident memory in bytes, where the system says so.
    pub memory_bytes: Option<u64>,
}

impl Process {
    /// As of now.
    pub fn measure() -> Self {
        let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let cpu = Duration::new(cpu.tv_sec.try_into().unwrap_or(0), cpu.tv_nsec.try_into().unwrap_or(0));
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = resident.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        Self { cpu, memory_bytes: kibibytes.map(|kibibytes| kibibytes * 1024) }
    }
}

/// What the store takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct StoreFigures {
    /// Bytes of stored data that are still needed.
    pub live_bytes: u64,
    /// Bytes that the store takes on disk.
    pub disk_bytes: u64,
    /// Bytes that are free on that disk.
    pub free_bytes: Option<u64>,
    /// Documents known to the store, those in the trash included.
    pub documents: u64,
    /// Whether it takes writes.
    pub writable: bool,
}

/// One look at the counters.
#[derive(Debug)]
pub struct Sample {
    at: Instant,
    updates: Flow,
    bytes: Flow,
    commits: [u64; BUCKETS],
    process: Process,
}

/// Something that goes in and out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Flow<T = u64> {
    /// From clients.
    #[serde(rename = "in")]
    pub received: T,
    /// To clients.
    #[serde(rename = "out")]
    pub sent: T,
}

/// What is shown. docs/operating.md#live-figures lists the fields.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LiveFigures {
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// Seconds since the server started.
    pub uptime_seconds: u64,
    /// Open WebSocket connections.
    pub connections: i64,
    /// Documents held in memory.
    pub documents: i64,
    /// Update messages.
    pub updates_per_second: Flow<f64>,
    /// Bytes of WebSocket messages.
    pub bytes_per_second: Flow<f64>,
    /// Writes that became durable.
    pub commits_per_second: f64,
    /// Milliseconds until a write was durable; nothing if none was.
    pub commit_ms: Quantiles,
    /// Time on any core: 100 is one core.
    pub cpu_percent: f64,
    /// Resident memory.
    pub memory_bytes: Option<u64>,
    /// The store.
    pub store: StoreFigures,
}

/// What half of all and what 99 of 100 did not exceed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quantiles {
    /// Half.
    pub p50: Option<f64>,
    /// 99 of 100.
    pub p99: Option<f64>,
}

impl Sample {
    /// The counters as they are.
    pub fn take(metrics: &Metrics, process: Process, at: Instant) -> Self {
        Self {
            at,
            updates: Flow { received: metrics.updates_received.get(), sent: metrics.updates_sent.get() },
            bytes: Flow { received: metrics.bytes_received.get(), sent: metrics.bytes_sent.get() },
            commits: metrics.commit_seconds.durations.counts(),
            process,
        }
    }

    /// What happened since `before`.
    pub fn since(&self, before: &Self, metrics: &Metrics, store: StoreFigures, wall_ms: u64) -> LiveFigures {
        // A millisecond at least: two looks at the same moment saw nothing happen.
        let seconds = self.at.saturating_duration_since(before.at).as_secs_f64().max(0.001);
        let rate = |now: u64, then: u64| rounded(now.saturating_sub(then) as f64 / seconds);
        let flow = |now: Flow, then: Flow| Flow {
            received: rate(now.received, then.received),
            sent: rate(now.sent, then.sent),
        };
        let commits =
            std::array::from_fn(|bucket| self.commits[bucket].saturating_sub(before.commits[bucket]));
        let cpu = self.process.cpu.saturating_sub(before.process.cpu);
        LiveFigures {
            at: wall_ms,
            uptime_seconds: metrics.uptime(self.at).as_secs(),
            connections: metrics.connections.get(),
            documents: metrics.documents.get(),
            updates_per_second: flow(self.updates, before.updates),
            bytes_per_second: flow(self.bytes, before.bytes),
            commits_per_second: rounded(commits.iter().sum::<u64>() as f64 / seconds),
            commit_ms: Quantiles { p50: quantile(&commits, 0.5), p99: quantile(&commits, 0.99) },
            cpu_percent: rounded(cpu.as_secs_f64() / seconds * 100.0),
            memory_bytes: self.process.memory_bytes,
            store,
        }
    }
}

/// Two places after the point: more would be noise.
fn rounded(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: StoreFigures =
        StoreFigures { live_bytes: 1, disk_bytes: 2, free_bytes: Some(3), documents: 4, writable: true };

    fn sample(metrics: &Metrics, cpu_ms: u64, at: Instant) -> Sample {
        let process = Process { cpu: Duration::from_millis(cpu_ms), memory_bytes: Some(5) };
        Sample::take(metrics, process, at)
    }

    #[test]
    fn figures_are_of_the_time_between_two_looks() {
        let metrics = Metrics::new();
        let start = Instant::now();
        metrics.started(start, 0.0);
        metrics.updates_received.inc_by(1000);
        metrics.commit_seconds.observe(9.0);
        let before = sample(&metrics, 100, start);
        metrics.updates_received.inc_by(30);
        metrics.bytes_sent.inc_by(5);
        metrics.connections.set(7);
        for milliseconds in 1..=100 {
            metrics.commit_seconds.observe(f64::from(milliseconds) / 1000.0);
        }
        let figures =
            sample(&metrics, 1100, start + Duration::from_secs(2)).since(&before, &metrics, STORE, 9);
        assert_eq!(figures.updates_per_second, Flow { received: 15.0, sent: 0.0 });
        assert_eq!(figures.bytes_per_second, Flow { received: 0.0, sent: 2.5 });
        assert_eq!((figures.connections, figures.uptime_seconds, figures.at), (7, 2, 9));
        assert_eq!((figures.cpu_percent, figures.commits_per_second), (50.0, 50.0));
        let [p50, p99] = [figures.commit_ms.p50, figures.commit_ms.p99].map(Option::unwrap);
        assert!((50.0..=55.1).contains(&p50) && (99.0..=109.0).contains(&p99), "{p50} {p99}");
    }

    #[test]
    fn when_nothing_happens_there_is_nothing_to_say() {
        let metrics = Metrics::new();
        let start = Instant::now();
        let before = sample(&metrics, 0, start);
        let figures = sample(&metrics, 0, start).since(&before, &metrics, STORE, 0);
        assert_eq!(figures.commit_ms, Quantiles { p50: None, p99: None });
        assert_eq!((figures.cpu_percent, figures.uptime_seconds), (0.0, 0));
        let json = serde_json::to_value(&figures).unwrap();
        assert_eq!(json["updates_per_second"]["in"], 0.0);
        assert_eq!(json["commit_ms"]["p50"], serde_json::Value::Null);
        assert_eq!(json["store"]["live_bytes"], 1);
    }

    #[test]
    fn every_duration_has_a_bucket() {
        let timing = Durations::new();
        for seconds in [0.0, -1.0, f64::MIN_POSITIVE, 0.000_05, 0.001, 1.0, 1e9, f64::INFINITY, f64::NAN] {
            timing.observe(seconds);
        }
        assert_eq!(timing.counts().iter().sum::<u64>(), 9);
    }

    #[test]
    fn this_process_uses_something() {
        let process = Process::measure();
        assert!(process.memory_bytes.is_none_or(|bytes| bytes > 1 << 20), "{process:?}");
        assert!(process.cpu > Duration::ZERO);
    }
}
