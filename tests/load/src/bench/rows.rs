//! The lines of the table, and how good is good enough in each.

use super::figure;

/// How good is good enough.
#[derive(Debug, Clone, Copy)]
pub(super) enum Goal {
    AtMost(f64),
    AtLeast(f64),
    TimesFloor(f64),
    /// Worth knowing, and not in the design.
    Open,
}

impl Goal {
    pub(super) fn more_is_better(self) -> bool {
        matches!(self, Self::AtLeast(_))
    }

    pub(super) fn is_met(self, weft: f64, floor: Option<f64>) -> Option<bool> {
        match self {
            Self::AtMost(most) => Some(weft <= most),
            Self::AtLeast(least) => Some(weft >= least),
            Self::TimesFloor(times) => floor.map(|floor| weft <= times * floor),
            Self::Open => None,
        }
    }
}

impl std::fmt::Display for Goal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AtMost(most) => write!(out, "≤ {}", figure(*most)),
            Self::AtLeast(least) => write!(out, "≥ {}", figure(*least)),
            Self::TimesFloor(times) => write!(out, "≤ {times} × floor"),
            Self::Open => write!(out, "–"),
        }
    }
}

/// A line of the table: a figure of a scenario.
pub(super) struct Row {
    pub(super) scenario: &'static str,
    pub(super) what: &'static str,
    pub(super) figure: &'static str,
    pub(super) goal: Goal,
}

const fn row(scenario: &'static str, what: &'static str, figure: &'static str, goal: Goal) -> Row {
    Row { scenario, what, figure, goal }
}

/// The design's numbers to live by, in its order.
pub(super) const ROWS: &[Row] = &[
    row(
        "fanout",
        "server CPU µs/delivery, 1 × 200, 10 typists at 5/s",
        "server CPU µs/delivery",
        Goal::TimesFloor(1.2),
    ),
    row(
        "pairs",
        "server CPU µs/delivery, 200 × 2, both at 5/s",
        "server CPU µs/delivery",
        Goal::TimesFloor(1.5),
    ),
    row("pairs-kill", "the same at durability `kill`", "server CPU µs/delivery", Goal::TimesFloor(1.5)),
    row("pairs-memory", "the same at durability `memory`", "server CPU µs/delivery", Goal::TimesFloor(1.5)),
    row("crowd", "operations/s, 1 × 100, 10 typists, window 16", "operations/s", Goal::AtLeast(50e3)),
    row("crowd", "server CPU µs/delivery, the same", "server CPU µs/delivery", Goal::AtMost(0.2)),
    row("single", "operations/s, 1 × 10, 1 typist, window 64", "operations/s", Goal::AtLeast(150e3)),
    row("couples", "operations/s, 50 × 2, 1 typist each, window 16", "operations/s", Goal::AtLeast(200e3)),
    row("fanout", "latency p50 ms, 1 × 200", "p50 ms", Goal::AtMost(1.2)),
    row("fanout", "latency p99 ms, 1 × 200", "p99 ms", Goal::AtMost(4.0)),
    row("idle", "RSS KiB/connection, 5,000 on 100", "RSS KiB/connection", Goal::AtMost(6.5)),
    row("many", "RSS KiB/connection, 10,000 on 100", "RSS KiB/connection", Goal::AtMost(6.5)),
    row("alone", "RSS KiB/connection, 1,000 on 1,000", "RSS KiB/connection", Goal::AtMost(12.0)),
    row("ingest", "one author's updates/s (sveltecomponent)", "updates/s", Goal::AtLeast(60e3)),
    row(
        "join",
        "server CPU ms/join of automerge-paper, one by one",
        "server CPU ms/join, one by one",
        Goal::AtMost(2.0),
    ),
    row("join", "server CPU ms/join, 50 at once", "server CPU ms/join, at once", Goal::AtMost(0.5)),
    row("cold", "ms to the text after a restart", "ms to the text", Goal::AtMost(12.0)),
    row(
        "storm",
        "s until all have all, 1 × 200, 50 offline edits each",
        "s until all have all",
        Goal::AtMost(0.15),
    ),
    row("ack", "ack p50 ms at 5,000 updates/s", "p50 ms", Goal::AtMost(10.0)),
    row("ack", "ack p99 ms, the same", "p99 ms", Goal::Open),
    row(
        "deaf",
        "RSS KiB for each who asks 16 times for 10 MB and never reads",
        "RSS KiB/deaf socket",
        Goal::AtMost(2048.0),
    ),
    row("thin", "s to 48 MB over a line of 1.3 MB/s", "s until all is there", Goal::Open),
    row("thin", "connections that took", "connections", Goal::AtMost(1.0)),
    row(
        "game",
        "server CPU µs/state that reaches somebody, 1 × 50, awareness at 30/s",
        "server CPU µs/state",
        Goal::Open,
    ),
    row("game", "% of the states that reach somebody, the same", "states delivered %", Goal::Open),
    row("game", "latency p99 ms, the same", "p99 ms", Goal::Open),
    row(
        "sensors",
        "server CPU µs/delivery, 100 set a key at 10/s over HTTP, 50 watch",
        "server CPU µs/delivery",
        Goal::Open,
    ),
    row("sensors", "latency p99 ms, the same", "p99 ms", Goal::Open),
    row("instructions", "instructions/update, one typist, one reader", "instructions/update", Goal::Open),
    row("kill", "acknowledged edits lost to kill -9", "acknowledged edits lost", Goal::AtMost(0.0)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_are_met_or_not_and_a_ratio_needs_its_floor() {
        assert_eq!(Goal::AtMost(2.0).is_met(2.0, None), Some(true));
        assert_eq!(Goal::AtLeast(2.0).is_met(1.0, None), Some(false));
        assert_eq!(Goal::TimesFloor(1.25).is_met(5.0, Some(4.0)), Some(true));
        assert_eq!(Goal::TimesFloor(1.25).is_met(5.0, None), None);
    }
}
