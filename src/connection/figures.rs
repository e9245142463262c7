//! The conversation of a connection that watches the server's figures: one JSON object a second.
//!
//! A reader that is too slow for them misses some and is never behind: what is shown is what is now.

use std::time::Duration;

use super::text_socket::{Peer, Ticker};
use crate::{
    document::{
        rate::{Bucket, Rate},
        registry::Registry,
        text_queue::TextQueue,
    },
    ids::Moment,
    protocol::close::CloseReason,
    telemetry::{
        Metrics,
        live::{Process, Sample, StoreFigures},
    },
};

/// How often something is sent.
const EVERY: Duration = Duration::from_secs(1);

/// What a watcher may say although nobody listens, before the connection is closed.
const CHATTER: Rate = Rate { burst: 20.0, per_second: 1.0 };

/// Sends figures until the connection ends or the server shuts down.
pub async fn talk(registry: Registry, metrics: Metrics, peer: &mut Peer, queue: &TextQueue) {
    let mut ticker = Ticker::new(EVERY);
    let start = ticker.tick().await;
    let mut before = Sample::take(&metrics, Process::measure(), start.instant);
    let mut chatter = Bucket::new(CHATTER, start.instant);
    loop {
        tokio::select! {
            said = peer.hears() => match said {
                Some(said) if chatter.take(said.at.instant) => {}
                Some(_) => queue.close(CloseReason::PolicyViolation),
                None => return,
            },
            now = ticker.tick() => {
                if registry.is_draining() {
                    return queue.close(CloseReason::ServiceRestart);
                }
                before = show(&registry, &metrics, &before, now, queue);
            }
        }
    }
}

fn show(registry: &Registry, metrics: &Metrics, before: &Sample, now: Moment, queue: &TextQueue) -> Sample {
    let sample = Sample::take(metrics, Process::measure(), now.instant);
    let usage = registry.usage();
    let store = StoreFigures {
        live_bytes: usage.live_bytes,
        disk_bytes: usage.disk_bytes,
        free_bytes: usage.free_bytes,
        documents: usage.documents,
        writable: registry.health().is_ok(),
    };
    let figures = sample.since(before, metrics, store, now.wall.0);
    // Cannot fail: numbers.
    if let Ok(text) = serde_json::to_vec(&figures) {
        queue.mention(text);
    }
    sample
}
