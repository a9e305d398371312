//! What a topic counts about its readers and publishers, and what it tells its readers outside of its log.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::bucket::Bucket;
use super::now::Now;
use crate::sync::{AtomicBool, AtomicU64, Ordering};

/// Least time between two announcements of what was refused, milliseconds.
pub const ANNOUNCE_MS: u64 = 1000;

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
    listed: AtomicBool,
}

/// What is to be done about refused events of which readers have not been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announce {
    /// Tell them now of so many.
    Now(u64),
    /// Look again at this time, monotonic milliseconds; said to one caller only, until [`Traffic::look`].
    Later(u64),
    /// There are none, or somebody else does it.
    Nothing,
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

    /// Notes events that were refused because they came too fast, and says who tells the readers, and when: at once, but not
    /// more than once a second.
    pub fn dropped(&self, events: u64, now: Now) -> Announce {
        self.dropped.fetch_add(events, Ordering::SeqCst);
        self.announce(now)
    }

    /// The look that [`Announce::Later`] asked for. What is refused while it goes on is either told of by it or asks for
    /// another look: whoever finds the flag still set added to the count before this reads it.
    pub fn look(&self, now: Now) -> Announce {
        self.listed.store(false, Ordering::SeqCst);
        self.announce(now)
    }

    fn announce(&self, now: Now) -> Announce {
        if self.dropped.load(Ordering::SeqCst) == self.announced.load(Ordering::SeqCst) {
            return Announce::Nothing;
        }
        let last_ms = self.announced_ms.load(Ordering::SeqCst);
        let due = last_ms == 0 || now.millis() >= last_ms + ANNOUNCE_MS;
        if due && self.begin(last_ms, now) {
            let dropped = self.dropped.load(Ordering::SeqCst);
            let before = self.announced.fetch_max(dropped, Ordering::SeqCst);
            return if before < dropped { Announce::Now(dropped - before) } else { Announce::Nothing };
        }
        match self.listed.swap(true, Ordering::SeqCst) {
            false => Announce::Later(last_ms.max(now.millis().saturating_sub(ANNOUNCE_MS)) + ANNOUNCE_MS),
            true => Announce::Nothing,
        }
    }

    /// Begins a second in which readers are not told again; for one caller only.
    fn begin(&self, last_ms: u64, now: Now) -> bool {
        let now_ms = now.millis().max(1);
        self.announced_ms.compare_exchange(last_ms, now_ms, Ordering::SeqCst, Ordering::SeqCst).is_ok()
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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn at(millis: u64) -> Now {
        Now { unix_ms: 0, micros: millis * 1000 }
    }

    #[test]
    fn readers_are_told_at_once_and_then_once_a_second() {
        let traffic = Traffic::default();
        assert_eq!(traffic.look(at(10)), Announce::Nothing);
        assert_eq!(traffic.dropped(3, at(5000)), Announce::Now(3));
        assert_eq!(traffic.dropped(4, at(5100)), Announce::Later(6000));
        assert_eq!(traffic.dropped(5, at(5900)), Announce::Nothing);
        assert_eq!(traffic.look(at(6000)), Announce::Now(9));
        assert_eq!(traffic.look(at(7000)), Announce::Nothing);
        assert_eq!(traffic.dropped(1, at(7000)), Announce::Now(1));
        assert_eq!(traffic.dropped_so_far(), 13);
    }

    #[test]
    fn what_is_announced_adds_up_whoever_announces_it() {
        let traffic = Traffic::default();
        let told = |announce: Announce| if let Announce::Now(count) = announce { count } else { 0 };
        let drop_some =
            |seed: u64| (0..10_000).map(|i| told(traffic.dropped(2, at(seed + i * 7)))).sum::<u64>();
        let sums = std::thread::scope(|scope| {
            let threads: Vec<_> = (1..=3).map(|seed| scope.spawn(move || drop_some(seed))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<u64>()
        });
        assert_eq!(sums + told(traffic.look(at(1_000_000))), 60_000);
    }
}
