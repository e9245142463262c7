//! How many files and sockets this process may have open: raised to what is needed, and divided.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::http::{listener::IN_HAND, places::SPARE};

/// Kept back for the store's files, which it opens anew as they grow, and for what else is opened in passing.
const KEPT: usize = 96;

/// What a worker thread has open for itself.
const PER_WORKER: usize = 8 + IN_HAND;

/// For so few connections nobody starts a server.
const FEWEST: usize = 16;

/// There is no room for connections.
#[derive(Debug, thiserror::Error)]
#[error(
    "this process may have {allowed} files open, which is not enough: raise the limit (ulimit -n) to at least {needed}"
)]
pub struct TooFew {
    /// What the system allows.
    pub allowed: usize,
    /// What a server needs that serves almost nobody.
    pub needed: usize,
}

/// For how many connections there is room, of as many as are `wanted`. The soft limit, which a login shell sets low for
/// the sake of old programs, is raised as far as that takes and the hard limit allows.
pub(super) fn room(wanted: usize, workers: usize) -> Result<usize, TooFew> {
    let own = in_use() + KEPT + SPARE + workers * PER_WORKER;
    let limit = getrlimit(Resource::Nofile);
    let allowed = raised(limit, own.saturating_add(wanted) as u64);
    if allowed != limit.current
        && setrlimit(Resource::Nofile, Rlimit { current: allowed, maximum: limit.maximum }).is_err()
    {
        return divide(limit.current, own, wanted);
    }
    divide(allowed, own, wanted)
}

/// The soft limit that there should be. `None` is no limit.
fn raised(limit: Rlimit, needed: u64) -> Option<u64> {
    let current = limit.current?;
    Some(current.max(limit.maximum.map_or(needed, |maximum| needed.min(maximum))))
}

fn divide(allowed: Option<u64>, own: usize, wanted: usize) -> Result<usize, TooFew> {
    let allowed = allowed.map_or(usize::MAX, |allowed| usize::try_from(allowed).unwrap_or(usize::MAX));
    match allowed.saturating_sub(own) {
        room if room < FEWEST => Err(TooFew { allowed, needed: own + FEWEST }),
        room => Ok(room.min(wanted.max(FEWEST))),
    }
}

/// What is open already.
fn in_use() -> usize {
    // Where there is no such folder, about as much as there was when this was written.
    std::fs::read_dir("/dev/fd").map_or(32, Iterator::count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_as_far_as_needed_and_allowed_and_never_lowered() {
        let limit = |current, maximum| Rlimit { current, maximum };
        for (limit, needed, expected) in [
            (limit(Some(1024), Some(4096)), 2000, Some(2000)),
            (limit(Some(1024), Some(4096)), 9000, Some(4096)),
            (limit(Some(1024), None), 9000, Some(9000)),
            (limit(Some(8000), Some(9000)), 2000, Some(8000)),
            (limit(None, None), 2000, None),
        ] {
            assert_eq!(raised(limit, needed), expected, "{limit:?}");
        }
    }

    #[test]
    fn what_is_left_is_for_connections() {
        assert_eq!(divide(Some(1024), 224, 20_000).ok(), Some(800));
        assert_eq!(divide(Some(1024), 224, 100).ok(), Some(100));
        assert_eq!(divide(None, 224, 20_000).ok(), Some(20_000));
        let few = divide(Some(230), 224, 100).err();
        assert_eq!(few.map(|few| (few.allowed, few.needed)), Some((230, 240)));
    }
}
