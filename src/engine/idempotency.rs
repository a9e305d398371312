//! Idempotency keys: a publication that a publisher sends again, because it does not know whether the first one arrived, is
//! published once.
//!
//! A map from key to offset and a queue in the order of remembering, from whose front what has expired is dropped: amortised a constant
//! per key. It is bounded; beyond the bound the oldest key is forgotten first, and a repetition of it is then published
//! again. Empty it holds no heap; a topic makes one when the first key comes.

use crate::limits::{IDEMPOTENCY_KEYS_MAX, IDEMPOTENCY_MS};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Keys seen on one topic within [`IDEMPOTENCY_MS`], and the offsets they stand for. Times are milliseconds, and do not run backwards.
#[derive(Debug, Default)]
pub struct Idempotency {
    seen: HashMap<Arc<str>, Seen>,
    /// Oldest first. A key that was remembered anew has a stale element here, told by its offset.
    queue: VecDeque<(Arc<str>, Seen)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    offset: u64,
    at: u64,
}

impl Seen {
    fn is_over(self, now: u64) -> bool {
        now >= self.at.saturating_add(IDEMPOTENCY_MS)
    }
}

impl Idempotency {
    /// No keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// The offset at which `key` was published, if that was less than [`IDEMPOTENCY_MS`] before `now`.
    pub fn lookup(&self, key: &str, now: u64) -> Option<u64> {
        self.seen.get(key).filter(|seen| !seen.is_over(now)).map(|seen| seen.offset)
    }

    /// Keeps in mind that `key` was published at `offset`, in place of what was known of it. Forgets what has expired, and the oldest
    /// key when there are [`IDEMPOTENCY_KEYS_MAX`].
    pub fn remember(&mut self, key: &str, offset: u64, now: u64) {
        self.expire(now);
        if self.queue.len() >= IDEMPOTENCY_KEYS_MAX {
            self.forget_oldest();
        }
        let (key, seen) = (Arc::<str>::from(key), Seen { offset, at: now });
        self.seen.insert(key.clone(), seen);
        self.queue.push_back((key, seen));
    }

    /// The offset of an earlier publication with `key`; without one, remembers `offset` for it. In a batch: for each event in turn, with
    /// the offset it would get, so that a key that the batch itself repeats is found too.
    pub fn assign(&mut self, key: &str, offset: u64, now: u64) -> Option<u64> {
        let earlier = self.lookup(key, now);
        if earlier.is_none() {
            self.remember(key, offset, now);
        }
        earlier
    }

    /// Forgets what has expired. Every [`Idempotency::remember`] does; for a topic that has gone quiet the sweep does.
    pub fn expire(&mut self, now: u64) {
        while self.queue.front().is_some_and(|(_, seen)| seen.is_over(now)) {
            self.forget_oldest();
        }
    }

    /// How many keys are kept, those included that have expired since the last [`Idempotency::expire`].
    pub fn len(&self) -> usize {
        self.seen.len()
    }

    /// Whether none is, so that this need not be kept.
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    fn forget_oldest(&mut self) {
        if let Some((key, seen)) = self.queue.pop_front()
            && self.seen.get(&key) == Some(&seen)
        {
            self.seen.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_for_five_minutes() {
        let mut keys = Idempotency::new();
        keys.remember("a", 7, 1_000);
        let end = 1_000 + IDEMPOTENCY_MS;
        for (key, now, expected) in
            [("a", 1_000, Some(7)), ("a", end - 1, Some(7)), ("a", end, None), ("b", 1_000, None)]
        {
            assert_eq!(keys.lookup(key, now), expected, "{key} {now}");
        }
        keys.expire(end - 1);
        assert_eq!(keys.len(), 1);
        keys.expire(end);
        assert!(keys.is_empty());
    }

    #[test]
    fn a_batch_finds_its_own_repetitions() {
        let mut keys = Idempotency::new();
        let mut next = 10;
        let mut assign = |key| {
            let earlier = keys.assign(key, next, 0);
            next += u64::from(earlier.is_none());
            earlier
        };
        assert_eq!(["a", "b", "a", "c", "b"].map(&mut assign), [None, None, Some(10), None, Some(11)]);
    }

    #[test]
    fn a_key_that_is_remembered_anew_outlives_its_first_time() {
        let mut keys = Idempotency::new();
        keys.remember("a", 1, 0);
        keys.remember("a", 2, 10);
        keys.expire(IDEMPOTENCY_MS);
        assert_eq!(keys.lookup("a", IDEMPOTENCY_MS), Some(2));
        assert_eq!(keys.assign("a", 3, IDEMPOTENCY_MS + 10), None);
        assert_eq!((keys.lookup("a", IDEMPOTENCY_MS + 10), keys.len()), (Some(3), 1));
    }

    #[test]
    fn the_oldest_is_forgotten_first() {
        let mut keys = Idempotency::new();
        for offset in 0..=IDEMPOTENCY_KEYS_MAX as u64 {
            keys.remember(&offset.to_string(), offset, 0);
        }
        assert_eq!(keys.len(), IDEMPOTENCY_KEYS_MAX);
        assert_eq!((keys.lookup("0", 0), keys.lookup("1", 0)), (None, Some(1)));
    }
}
