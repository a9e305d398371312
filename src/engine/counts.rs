//! Limits on how many there may be of something at the same time, by name: connections of a user, of an address, of a topic.

use std::collections::HashMap;
use std::sync::Arc;

use crate::sync::{AtomicUsize, Mutex, Ordering, lock};

/// A place under a limit; given back when it is dropped.
#[derive(Debug)]
pub struct Lease(Arc<AtomicUsize>);

impl Lease {
    /// A place under `limit` (0 for none) of what `count` counts, if there is one.
    pub fn take(count: &Arc<AtomicUsize>, limit: usize) -> Option<Self> {
        let before = count.fetch_add(1, Ordering::AcqRel);
        let lease = Self(Arc::clone(count));
        (limit == 0 || before < limit).then_some(lease)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Counts by name. Names that count nothing are forgotten whenever the map is full, before it grows.
#[derive(Debug, Default)]
pub struct Counts(Mutex<HashMap<Box<str>, Arc<AtomicUsize>>>);

impl Counts {
    /// A place under the `limit` (0 for none) of `name`, if there is one.
    pub fn take(&self, name: &str, limit: usize) -> Option<Lease> {
        Lease::take(&self.of(name), limit)
    }

    fn of(&self, name: &str) -> Arc<AtomicUsize> {
        let mut map = lock(&self.0);
        if let Some(found) = map.get(name) {
            return Arc::clone(found);
        }
        if map.len() == map.capacity() {
            map.retain(|_, count| count.load(Ordering::Acquire) > 0);
        }
        Arc::clone(map.entry(name.into()).or_default())
    }

    /// How many places of `name` are taken.
    pub fn count(&self, name: &str) -> usize {
        lock(&self.0).get(name).map_or(0, |count| count.load(Ordering::Acquire))
    }

    /// Names that begin with `prefix` and have places taken, with how many, without the prefix.
    pub fn list(&self, prefix: &str) -> Vec<(String, usize)> {
        let map = lock(&self.0);
        let below = map.iter().filter_map(|(name, count)| Some((name.strip_prefix(prefix)?, count)));
        let taken = below.map(|(name, count)| (name.to_owned(), count.load(Ordering::Acquire)));
        taken.filter(|(_, count)| *count > 0).collect()
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
}
