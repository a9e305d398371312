//! Limits on how many there may be of something at the same time, by name: connections of a user, of an address, of a topic.

use std::collections::HashMap;
use std::sync::Arc;

use super::sweep::Sweep;
use crate::sync::{AtomicUsize, Mutex, Ordering, lock};

/// A place under a limit; given back when it is dropped.
#[derive(Debug)]
pub struct Lease(Arc<AtomicUsize>);

impl Lease {
    /// A place under `limit` (0 for none) of what `count` counts, if there is one.
    pub fn take(count: &Arc<AtomicUsize>, limit: usize) -> Option<Self> {
        // Who gets none is not counted either, not even for a moment: somebody else would be refused for it.
        let more = |taken| (limit == 0 || taken < limit).then_some(taken + 1);
        count.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok()?;
        Some(Self(Arc::clone(count)))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Counts by name. Names that count nothing are forgotten, so that there are not many more than leases.
#[derive(Debug, Default)]
pub struct Counts(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    by_name: HashMap<Box<str>, Arc<AtomicUsize>>,
    sweep: Sweep,
}

impl Counts {
    /// A place under the `limit` (0 for none) of `name`, if there is one. Taken under the lock: a count that was looked up
    /// could be forgotten before it counts.
    pub fn take(&self, name: &str, limit: usize) -> Option<Lease> {
        let mut inner = lock(&self.0);
        if let Some(count) = inner.by_name.get(name) {
            return Lease::take(count, limit);
        }
        inner.make_room();
        Lease::take(inner.by_name.entry(name.into()).or_default(), limit)
    }

    /// How many places of `name` are taken.
    pub fn count(&self, name: &str) -> usize {
        lock(&self.0).by_name.get(name).map_or(0, |count| count.load(Ordering::Acquire))
    }

    /// Names that begin with `prefix` and have places taken, with how many, without the prefix.
    pub fn list(&self, prefix: &str) -> Vec<(String, usize)> {
        let inner = lock(&self.0);
        let below =
            inner.by_name.iter().filter_map(|(name, count)| Some((name.strip_prefix(prefix)?, count)));
        let taken = below.map(|(name, count)| (name.to_owned(), count.load(Ordering::Acquire)));
        taken.filter(|(_, count)| *count > 0).collect()
    }
}

impl Inner {
    fn make_room(&mut self) {
        if self.sweep.is_due(self.by_name.len()) {
            self.by_name.retain(|_, count| count.load(Ordering::Acquire) > 0);
            self.sweep.done(self.by_name.len());
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_by_name_and_given_back() {
        let counts = Counts::default();
        let first = counts.take("a", 1);
        assert!(first.is_some() && counts.take("a", 1).is_none() && counts.take("b", 1).is_some());
        assert_eq!(counts.count("a"), 1);
        drop(first);
        assert!(counts.take("a", 1).is_some());
        assert_eq!(counts.list(""), []);
    }

    #[test]
    fn names_without_places_are_forgotten_and_others_are_not() {
        let counts = Counts::default();
        let held = counts.take("held", 1);
        for name in 0..10_000 {
            assert!(counts.take(&format!("name-{name}"), 1).is_some());
        }
        assert!(lock(&counts.0).by_name.len() <= 65);
        assert!(counts.take("held", 1).is_none());
        drop(held);
        assert_eq!(counts.count("held"), 0);
    }

    #[test]
    fn who_is_refused_takes_no_place_from_others() {
        let counts = Counts::default();
        let held = counts.take("a", 1);
        std::thread::scope(|scope| {
            let offender = scope.spawn(|| (0..50_000).filter(|_| counts.take("a", 1).is_some()).count());
            let served = (0..50_000).filter(|_| counts.take("a", 2).is_some()).count();
            assert_eq!((offender.join().unwrap(), served), (0, 50_000));
        });
        assert_eq!(counts.count("a"), 1);
        drop(held);
        assert_eq!(counts.count("a"), 0);
    }
}
