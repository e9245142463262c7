//! Where all of a large document is gone through: for tests, which see that it is not where others are served.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::{document::work, protocol::message::ClientId};

/// Structs and ranges of a document that is worth noting.
const LARGE: usize = 16 * 1024;

/// Something that takes as long as the document is large.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walk {
    /// What for.
    pub what: &'static str,
    /// Whether it was on a thread for work that takes long.
    pub is_apart: bool,
    /// The smallest client of the document.
    client: ClientId,
}

static WALKS: Mutex<Vec<Walk>> = Mutex::new(Vec::new());

/// Notes one.
pub(super) fn note(what: &'static str, parts: usize, clocks: &HashMap<ClientId, u32>) {
    if parts > LARGE
        && let Some(&client) = clocks.keys().min()
    {
        let is_apart = std::thread::current().name() == Some(work::NAME);
        WALKS.lock().push(Walk { what, is_apart, client });
    }
}

/// All so far through documents in which this is the smallest client: a test has one of its own.
pub fn of(client: u64) -> Vec<Walk> {
    WALKS.lock().iter().filter(|walk| walk.client.get() == client).cloned().collect()
}
