//! The conversation of a connection that watches the server's figures: one JSON object a second.
//!
//! A reader that is too slow for them misses some and is never behind: what is shown is what is now.

use std::time::{Duration, Instant};

use tokio::time::{Interval, MissedTickBehavior, interval};

use super::{
    session::Inbound,
    talk::{self, Heard, Talk},
};
use crate::{
    document::{
        queue::Outbox,
        rate::{Bucket, Rate},
        registry::Registry,
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

/// Somebody who watches.
pub struct Watcher {
    /// When the time of whoever it is is over.
    pub ends: Option<Instant>,
    /// Open documents.
    pub registry: Registry,
    /// Figures.
    pub metrics: Metrics,
}

/// The conversation: figures every second, which is keepalive enough, until the server shuts down.
pub(super) struct FiguresTalk {
    watcher: Watcher,
    outbox: Outbox,
    clock: Interval,
    /// What the next figures are compared with.
    before: Option<Sample>,
    chatter: Option<Bucket>,
}

impl Watcher {
    pub(super) fn converse(self, outbox: Outbox) -> FiguresTalk {
        let mut clock = interval(EVERY);
        // After a pause it goes on from there: what was missed is not made up for.
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        FiguresTalk { watcher: self, outbox, clock, before: None, chatter: None }
    }
}

impl Talk for FiguresTalk {
    type News = ();

    fn hear(&mut self, inbound: Inbound, now: Moment) -> Heard {
        match talk::read_text(inbound) {
            Ok(_) => {
                let chatter = self.chatter.get_or_insert_with(|| Bucket::new(CHATTER, now.instant));
                if chatter.take(now.instant) {
                    Heard::More
                } else {
                    Heard::Refuse(CloseReason::PolicyViolation, "chatter")
                }
            }
            Err(heard) => heard,
        }
    }

    async fn news(&mut self) {
        self.clock.tick().await;
    }

    async fn take_news(&mut self, (): (), now: Moment) -> Result<(), CloseReason> {
        let Watcher { ends, registry, metrics } = &self.watcher;
        talk::until(*ends, now.instant)?;
        if registry.is_draining() {
            return Err(CloseReason::ServiceRestart);
        }
        let sample = Sample::take(metrics, Process::measure(), now.instant);
        if let Some(before) = self.before.replace(sample) {
            let figures = self.before.as_ref().map(|sample| figures(sample, &before, registry, metrics, now));
            // Cannot fail: numbers.
            if let Some(Ok(text)) = figures {
                self.outbox.mention(text);
            }
        }
        Ok(())
    }
}

/// What is shown, in JSON.
fn figures(
    sample: &Sample,
    before: &Sample,
    registry: &Registry,
    metrics: &Metrics,
    now: Moment,
) -> serde_json::Result<Vec<u8>> {
    let usage = registry.usage();
    let store = StoreFigures {
        live_bytes: usage.live_bytes,
        disk_bytes: usage.disk_bytes,
        free_bytes: usage.free_bytes,
        documents: usage.documents,
        writable: registry.health().is_ok(),
    };
    serde_json::to_vec(&sample.since(before, metrics, store, now.wall.0))
}
