//! What a topic counts about its readers and publishers, and what it tells its readers outside of its log.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::bucket::Bucket;
use super::topic::Now;
use crate::sync::{AtomicU64, Ordering};

/// Least time between two announcements of what was refused, milliseconds.
const ANNOUNCE_MS: u64 = 1000;

/// See the module. Written with relaxed adds, a few for each batch.
#[derive(Debug, Default)]
pub struct Traffic {
    /// What its publishers may still publish.
    pub allowance: Bucket,
    sent_events: AtomicU64,
    sent_bytes: AtomicU64,
    dropped: AtomicU64,
    announced: AtomicU64,
    announced_ms: AtomicU64,
}

impl Traffic {
    /// Notes deliveries to subscribers: events and bytes of them.
    pub fn sent(&self, events: u64, bytes: u64) {
        self.sent_events.fetch_add(events, Ordering::Relaxed);
        self.sent_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Deliveries so far: events and bytes.
    pub fn sent_so_far(&self) -> (u64, u64) {
        (self.sent_events.load(Ordering::Relaxed), self.sent_bytes.load(Ordering::Relaxed))
    }

    /// Notes events that were refused because they came too fast.
    pub fn dropped(&self, events: u64) {
        self.dropped.fetch_add(events, Ordering::Relaxed);
    }

    /// How many were refused since the last answer, at most once a second; for one caller only.
    pub fn to_announce(&self, now: Now) -> Option<u64> {
        let last_ms = self.announced_ms.load(Ordering::Relaxed);
        let due = last_ms == 0 || now.millis() >= last_ms + ANNOUNCE_MS;
        let mine = due
            && self
                .announced_ms
                .compare_exchange(last_ms, now.millis().max(1), Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        let dropped = self.dropped.load(Ordering::Relaxed);
        mine.then(|| dropped - self.announced.swap(dropped, Ordering::Relaxed)).filter(|count| *count > 0)
    }

    /// Events refused so far because they came too fast.
    pub fn dropped_so_far(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// The newest message to all readers that is no event: it has no offset, is not kept, and a newer one replaces it.
#[derive(Debug, Default)]
pub struct Notices {
    number: AtomicU64,
    newest: ArcSwapOption<Vec<u8>>,
}

impl Notices {
    pub(super) fn put(&self, text: Vec<u8>) {
        self.newest.store(Some(Arc::new(text)));
        self.number.fetch_add(1, Ordering::Release);
    }

    /// How many there have been. Who reads this before [`Self::newest`] has what was new then, or something newer.
    pub fn number(&self) -> u64 {
        self.number.load(Ordering::Acquire)
    }

    /// The newest.
    pub fn newest(&self) -> Option<Arc<Vec<u8>>> {
        self.newest.load_full()
    }
}
