//! How much memory the open documents take, and which of them has to make room: one that nobody has open, the one that
//! was left first before others. What somebody has open stays.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Instant,
};

use parking_lot::Mutex;

/// The memory of all open documents. Clones share it.
#[derive(Clone, Debug)]
pub struct Memory(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limit: usize,
    used: AtomicUsize,
    numbers: AtomicU64,
    /// The documents that nobody has open, the one left first at the front, and what each takes.
    left: Mutex<BTreeMap<(Instant, u64), usize>>,
}

/// What one open document takes. Given back when dropped.
#[derive(Debug)]
pub struct Share {
    memory: Memory,
    number: u64,
    bytes: usize,
    left: Option<Instant>,
}

impl Memory {
    /// Nothing is taken; past `limit` bytes documents have to leave.
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Shared {
            limit,
            used: AtomicUsize::new(0),
            numbers: AtomicU64::new(0),
            left: Mutex::default(),
        }))
    }

    /// A document is opened.
    pub fn share(&self) -> Share {
        let number = self.0.numbers.fetch_add(1, Ordering::Relaxed);
        Share { memory: self.clone(), number, bytes: 0, left: None }
    }

    /// Bytes taken by all of them.
    pub fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }
}

impl Share {
    /// About what a document takes whose encoded state, or the log that has not become one yet, has so many bytes.
    /// Measured: a large text takes about three times its bytes while it is encoded, typed letter by letter ten times.
    pub fn estimate(encoded: usize) -> usize {
        4 * encoded + 4096
    }

    /// It takes so many bytes now.
    pub fn set_bytes(&mut self, bytes: usize) {
        self.memory.0.used.fetch_add(bytes, Ordering::Relaxed);
        self.memory.0.used.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = bytes;
        if let Some(since) = self.left {
            self.memory.0.left.lock().insert((since, self.number), bytes);
        }
    }

    /// Since when nobody has it open; `None` while somebody has.
    pub fn set_left(&mut self, since: Option<Instant>) {
        if since == self.left {
            return;
        }
        let mut left = self.memory.0.left.lock();
        if let Some(before) = self.left {
            left.remove(&(before, self.number));
        }
        if let Some(since) = since {
            left.insert((since, self.number), self.bytes);
        }
        self.left = since;
    }

    /// Whether this document has to make room: all together take too much, and what was left before it does not make
    /// up for that.
    pub fn must_leave(&self) -> bool {
        let Some(since) = self.left else { return false };
        let Some(mut excess) = self.memory.used().checked_sub(self.memory.0.limit + 1) else { return false };
        for (place, bytes) in &*self.memory.0.left.lock() {
            if *place == (since, self.number) {
                return true;
            }
            match excess.checked_sub(*bytes) {
                Some(less) => excess = less,
                None => return false,
            }
        }
        false
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set_left(None);
        self.memory.0.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn who_was_left_first_makes_room_and_who_is_in_use_stays() {
        let memory = Memory::new(100);
        let start = Instant::now();
        let at = |seconds| Some(start + Duration::from_secs(seconds));
        let mut shares: Vec<Share> = (0..4).map(|_| memory.share()).collect();
        for share in &mut shares {
            share.set_bytes(30);
        }
        let leaving = |shares: &[Share]| shares.iter().map(Share::must_leave).collect::<Vec<_>>();
        assert_eq!(leaving(&shares), [false; 4], "too much, but all are in use");
        shares[2].set_left(at(1));
        shares[0].set_left(at(2));
        assert_eq!(leaving(&shares), [false, false, true, false], "one is enough");
        shares[3].set_bytes(60);
        assert_eq!(leaving(&shares), [true, false, true, false]);
        shares[2].set_left(None);
        assert_eq!(leaving(&shares), [true, false, false, false], "it is in use again");
        drop(shares.remove(3));
        assert_eq!((memory.used(), leaving(&shares)), (90, vec![false; 3]));
        drop(shares);
        assert_eq!((memory.used(), memory.0.left.lock().len()), (0, 0));
    }
}
