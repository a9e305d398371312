//! Token buckets by key: of addresses, of credentials. A bucket that is full again is as good as none and is forgotten
//! when the next sweep finds it; beyond [`BUCKETS_MAX`] those that came last share one.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;

use super::bucket::{Bucket, Limited, Rate};
use super::now::Now;
use super::sweep::Sweep;
use crate::limits::BUCKETS_MAX;
use crate::sync::{Mutex, lock};

/// Least time between two sweeps of a map that has reached its bound, milliseconds.
const SWEEP_MS: u64 = 1000;

/// See the module.
pub struct Buckets<K>(Mutex<Inner<K>>);

struct Inner<K> {
    by_key: HashMap<K, Bucket>,
    shared: Bucket,
    sweep: Sweep,
    swept_ms: u64,
}

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        let inner =
            Inner { by_key: HashMap::new(), shared: Bucket::default(), sweep: Sweep::default(), swept_ms: 0 };
        Self(Mutex::new(inner))
    }
}

impl<K> fmt::Debug for Buckets<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buckets").finish_non_exhaustive()
    }
}

impl<K: Hash + Eq> Buckets<K> {
    /// Takes up to `wanted` from the bucket of `key` and returns how many it got, and why not more.
    pub fn take<Q>(&self, key: &Q, wanted: u64, rate: Rate, now: Now) -> (u64, Option<Limited>)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let mut inner = lock(&self.0);
        if let Some(bucket) = inner.by_key.get(key) {
            return bucket.take_some(wanted, rate, now);
        }
        inner.make_room(now);
        match inner.by_key.len() < BUCKETS_MAX {
            true => inner.by_key.entry(key.to_owned()).or_default().take_some(wanted, rate, now),
            false => inner.shared.take_some(wanted, rate, now),
        }
    }
}

impl<K: Hash + Eq> Inner<K> {
    fn make_room(&mut self, now: Now) {
        let keys = self.by_key.len();
        let due = match keys < BUCKETS_MAX {
            true => self.sweep.is_due(keys),
            false => now.millis() >= self.swept_ms + SWEEP_MS,
        };
        if due {
            self.by_key.retain(|_, bucket| !bucket.is_full(now));
            self.sweep.done(self.by_key.len());
            self.swept_ms = now.millis();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn at(millis: u64) -> Now {
        Now { unix_ms: 0, micros: millis * 1000 }
    }

    fn keys(buckets: &Buckets<u64>) -> usize {
        lock(&buckets.0).by_key.len()
    }

    #[test]
    fn each_key_has_its_own() {
        let (buckets, rate) = (Buckets::<String>::default(), Rate::new(10, 2).unwrap());
        assert_eq!(buckets.take("a", 3, rate, at(1000)), (2, Some(Limited { retry_after_ms: 100 })));
        assert_eq!(buckets.take("b", 1, rate, at(1000)), (1, None));
        assert_eq!(buckets.take("a", 1, rate, at(1100)), (1, None));
    }

    #[test]
    fn full_ones_are_forgotten_and_their_number_is_bounded() {
        let (buckets, rate) = (Buckets::<u64>::default(), Rate::new(1, 1).unwrap());
        let newcomers = |from: u64, now| {
            let taken = |key: &u64| buckets.take(key, 1, rate, now).0 == 1;
            (from..from + BUCKETS_MAX as u64 + 100).filter(taken).count()
        };
        assert_eq!(newcomers(0, at(1000)), BUCKETS_MAX + 1, "beyond the bound they share one");
        assert_eq!(keys(&buckets), BUCKETS_MAX);
        assert_eq!(newcomers(1 << 32, at(60_000)), BUCKETS_MAX + 1);
        assert_eq!(keys(&buckets), BUCKETS_MAX);
    }
}
