//! Logs and metrics. Every metric is named once, here; [`Metrics`] is handed to everybody and knows nobody.

pub mod live;

use std::{
    io::{IsTerminal, stderr},
    sync::{Arc, OnceLock, atomic::AtomicU64},
    time::{Duration, Instant},
};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};
use serde::{Deserialize, Serialize};

use self::live::Durations;

/// How logs are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Which events: a level or `tracing` directives such as `weft=debug,actix_server=warn`.
    pub log: String,
    /// For people or for machines.
    pub log_format: LogFormat,
}

/// The shape of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One line of text per event.
    Text,
    /// One JSON object per event.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self { log: "info,actix_server=warn,sled=warn".to_owned(), log_format: LogFormat::Text }
    }
}

/// Starts logging to standard error. Call once. The error says which directive was not understood.
pub fn start(config: &Config) -> Result<(), String> {
    // Whatever a peer sends that is no request is an error to the HTTP server, which a person should look at. It
    // is none: `http/listener.rs` says the same at debug.
    let directives = format!("actix_http::h1::dispatcher=off,{}", config.log);
    let filter = tracing_subscriber::EnvFilter::try_new(directives)
        .map_err(|error| format!("the log setting {:?} is not understood: {error}", config.log))?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal());
    // A second start in one process (as tests do) keeps the first subscriber, which is what is wanted.
    let _ = match config.log_format {
        LogFormat::Text => subscriber.try_init(),
        LogFormat::Json => subscriber.json().try_init(),
    };
    Ok(())
}

/// Why an input was refused; the label of [`Metrics::refused`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    reason: &'static str,
}

/// Durations, twice: as a histogram for Prometheus, and finer for the quantiles of the last second.
pub struct Timing {
    histogram: Histogram,
    durations: Durations,
}

impl Timing {
    /// Counts a duration, in seconds.
    pub fn observe(&self, seconds: f64) {
        self.histogram.observe(seconds);
        self.durations.observe(seconds);
    }
}

/// Every figure that the server keeps about itself. Clones share the same figures.
#[derive(Clone)]
pub struct Metrics(Arc<Figures>);

/// The figures behind [`Metrics`]; reached through its dereference.
pub struct Figures {
    registry: Registry,
    /// Open WebSocket connections.
    pub connections: Gauge,
    /// Places taken within the limits.
    pub places: Gauge,
    /// Documents held in memory.
    pub documents: Gauge,
    /// Update and step-2 messages taken in from sessions.
    pub updates_received: Counter,
    /// Update messages queued for sessions, after merging.
    pub updates_sent: Counter,
    /// Bytes of WebSocket messages received.
    pub bytes_received: Counter,
    /// Bytes of WebSocket messages written.
    pub bytes_sent: Counter,
    /// Updates that brought nothing new and were dropped.
    pub updates_redundant: Counter,
    /// Seconds to apply one batch of updates to a document.
    pub apply_seconds: Histogram,
    /// Seconds from handing a write to the store until it was durable.
    pub commit_seconds: Timing,
    /// Bytes applied but not yet durable, over all documents.
    pub journal_backlog_bytes: Gauge,
    /// Writes that the store failed to take.
    pub store_failures: Counter,
    /// Sequence-number total of durable updates, so that tests and people see the watermark move.
    pub updates_durable: Counter,
    /// Chat messages that were stored, those included that were sent a second time.
    pub chat_messages: Counter,
    /// Times a slow session's queue was replaced by one difference.
    pub slow_session_catch_ups: Counter,
    /// Sessions closed because they stayed slow past the deadline.
    pub slow_sessions_closed: Counter,
    /// Documents that were thrown away after a panic and loaded again.
    pub documents_poisoned: Counter,
    /// Connections and requests turned away at a limit.
    pub turned_away: Counter,
    /// Bytes of request bodies that are on their way or being worked on.
    pub body_bytes_pending: Gauge,
    /// Bytes of large answers that are being made or sent.
    pub answer_bytes_pending: Gauge,
    /// 1 while the store takes writes.
    pub store_writable: Gauge,
    /// Bytes of stored data that are still needed.
    pub store_live_bytes: Gauge,
    /// Bytes that the store takes on disk.
    pub store_disk_bytes: Gauge,
    /// Documents known to the store.
    pub store_documents: Gauge,
    /// Unix time at which the process started, in seconds.
    pub start_time: Gauge<f64, AtomicU64>,
    refused: Family<Refused, Counter>,
    started: OnceLock<Instant>,
}

impl std::ops::Deref for Metrics {
    type Target = Figures;
    fn deref(&self) -> &Figures {
        &self.0
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// A fresh set of figures, all zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("weft");
        let mut gauge = |name: &str, help: &str| {
            let gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        let connections = gauge("connections", "Open WebSocket connections");
        let places =
            gauge("places", "TCP connections and sessions over plain HTTP, which max_connections limits");
        let documents = gauge("documents_open", "Documents held in memory");
        let journal_backlog_bytes = gauge("journal_backlog_bytes", "Bytes applied but not yet durable");
        let body_bytes_pending =
            gauge("body_bytes_pending", "Bytes of request bodies on their way or being worked on");
        let answer_bytes_pending = gauge("answer_bytes_pending", "Bytes of large answers being made or sent");
        let store_writable = gauge("store_writable", "1 while the store takes writes");
        let store_live_bytes = gauge("store_live_bytes", "Bytes of stored data still needed");
        let store_disk_bytes = gauge("store_disk_bytes", "Bytes the store takes on disk");
        let store_documents = gauge("store_documents", "Documents known to the store");

        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let updates_received = counter("updates_received", "Updates taken in from sessions");
        let updates_sent = counter("updates_sent", "Update messages queued for sessions, after merging");
        let bytes_received = counter("bytes_received", "Bytes of WebSocket messages received");
        let bytes_sent = counter("bytes_sent", "Bytes of WebSocket messages written");
        let updates_redundant = counter("updates_redundant", "Updates that brought nothing new");
        let store_failures = counter("store_failures", "Writes the store failed to take");
        let updates_durable = counter("updates_durable", "Updates reported durable by the store");
        let chat_messages = counter("chat_messages", "Chat messages taken in and stored");
        let slow_session_catch_ups =
            counter("slow_session_catch_ups", "Slow sessions brought up to date by one difference");
        let slow_sessions_closed = counter("slow_sessions_closed", "Slow sessions closed past the deadline");
        let documents_poisoned = counter("documents_poisoned", "Documents reloaded after a panic");
        let turned_away = counter("turned_away", "Connections and requests refused at a limit");

        let apply_seconds = Histogram::new(exponential_buckets(0.000_004, 2.0, 18));
        registry.register_with_unit(
            "apply",
            "Time to apply one batch of updates",
            Unit::Seconds,
            apply_seconds.clone(),
        );
        let commit_seconds = Timing {
            histogram: Histogram::new(exponential_buckets(0.000_25, 2.0, 16)),
            durations: Durations::new(),
        };
        registry.register_with_unit(
            "commit",
            "Time until a write was durable",
            Unit::Seconds,
            commit_seconds.histogram.clone(),
        );
        let start_time = Gauge::<f64, AtomicU64>::default();
        registry.register("start_time_seconds", "When the process started, Unix time", start_time.clone());
        let refused = Family::<Refused, Counter>::default();
        registry.register("inputs_refused", "Inputs refused, by reason", refused.clone());

        Self(Arc::new(Figures {
            registry,
            connections,
            places,
            documents,
            updates_received,
            updates_sent,
            bytes_received,
            bytes_sent,
            updates_redundant,
            apply_seconds,
            commit_seconds,
            journal_backlog_bytes,
            store_failures,
            updates_durable,
            chat_messages,
            slow_session_catch_ups,
            slow_sessions_closed,
            documents_poisoned,
            turned_away,
            body_bytes_pending,
            answer_bytes_pending,
            store_writable,
            store_live_bytes,
            store_disk_bytes,
            store_documents,
            start_time,
            refused,
            started: OnceLock::new(),
        }))
    }

    /// The server starts now; `unix_seconds` is the same moment since 1970.
    pub fn started(&self, now: Instant, unix_seconds: f64) {
        self.start_time.set(unix_seconds);
        // Set once; a second start in one process has figures of its own.
        let _ = self.started.set(now);
    }

    /// How long the server has been running.
    pub fn uptime(&self, now: Instant) -> Duration {
        self.started.get().map_or(Duration::ZERO, |started| now.saturating_duration_since(*started))
    }

    /// Counts one refused input. `reason` is one of a fixed set of labels, never something a client wrote.
    pub fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&Refused { reason }).inc();
    }

    /// All figures as Prometheus (OpenMetrics) text.
    pub fn to_text(&self) -> String {
        let mut text = String::with_capacity(8192);
        // Writing to a String cannot fail; an empty page would say so loudly enough.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_every_figure_with_its_value() {
        let metrics = Metrics::new();
        metrics.connections.inc();
        metrics.updates_received.inc_by(3);
        metrics.refused("frame_too_large");
        metrics.apply_seconds.observe(0.001);
        let text = metrics.to_text();
        for line in [
            "weft_connections 1",
            "weft_updates_received_total 3",
            "weft_inputs_refused_total{reason=\"frame_too_large\"} 1",
            "weft_apply_seconds_count 1",
            "weft_journal_backlog_bytes 0",
        ] {
            assert!(text.contains(line), "{line} not in:\n{text}");
        }
    }

    #[test]
    fn a_log_setting_that_is_not_understood_is_named() {
        let config = Config { log: "weft=loud".to_owned(), ..Config::default() };
        assert!(start(&config).unwrap_err().contains("weft=loud"));
    }
}
