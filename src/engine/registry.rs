//! All topics: found by name, made on first use, swept and removed when nobody needs them.
//!
//! A pattern is matched when it is added, against the topics there are, and when a topic is made, against
//! the patterns there are; never per event. A topic made at the same moment as a pattern is added may be
//! reported twice and is never missed: the topic is listed before the patterns are read, and the pattern is
//! listed before the topics are.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::name::{NameError, Pattern, validate_readable};
use super::namespace::Namespaces;
use super::now::Now;
use super::topic::Topic;
use crate::metrics::Counter;
use crate::sync::{AtomicU64, AtomicUsize, Ordering};

/// Parts of the map, so that a new topic locks out few others.
const PARTS: usize = 64;

/// Is told of topics that match a pattern; implemented by shards.
pub trait Watch: Send + Sync {
    /// `topic` was made and matches the pattern of `watch`. Must not block.
    fn created(&self, watch: u64, topic: &Arc<Topic>);
}

/// Why a topic could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// Not a topic name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A companion topic that only the server publishes to.
    #[error("presence topics are published by the server; clients read them")]
    ReadOnly,
    /// The node has as many topics as it may.
    #[error("the limit of {0} topics is reached; raise limits.topics or reuse topics")]
    TooMany(usize),
}

type Part = HashMap<Arc<str>, Arc<Topic>>;

/// See the module.
pub struct Registry {
    parts: Vec<RwLock<Part>>,
    hasher: RandomState,
    namespaces: Namespaces,
    watchers: RwLock<Vec<Watcher>>,
    count: AtomicUsize,
    topics_max: usize,
    refused: Counter,
    next_epoch: AtomicU64,
}

struct Watcher {
    id: u64,
    pattern: Pattern,
    sink: Arc<dyn Watch>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("topics", &self.len()).finish_non_exhaustive()
    }
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

impl Registry {
    /// An empty registry. `first_epoch` must be greater than every epoch of earlier lives of this server
    /// and leave room below 2^53: epochs of topics count up from it.
    pub fn new(namespaces: Namespaces, topics_max: usize, first_epoch: u64) -> Self {
        Self {
            parts: (0..PARTS).map(|_| RwLock::default()).collect(),
            hasher: RandomState::new(),
            namespaces,
            watchers: RwLock::default(),
            count: AtomicUsize::new(0),
            topics_max,
            refused: Counter::new(),
            next_epoch: AtomicU64::new(first_epoch),
        }
    }

    fn part(&self, name: &str) -> &RwLock<Part> {
        &self.parts[(self.hasher.hash_one(name) as usize) % PARTS]
    }

    /// The topic `name`, if it exists.
    pub fn find(&self, name: &str) -> Option<Arc<Topic>> {
        read(self.part(name)).get(name).cloned()
    }

    /// The topic `name`, made now if it does not exist.
    ///
    /// # Errors
    /// The name is none, or the node's limit of topics is reached.
    pub fn topic(&self, name: &str, now: Now) -> Result<Arc<Topic>, TopicError> {
        if let Some(topic) = self.find(name) {
            return Ok(topic);
        }
        validate_readable(name)?;
        let (topic, made) = self.make(name, now)?;
        if made {
            self.announce(&topic);
        }
        Ok(topic)
    }

    fn make(&self, name: &str, now: Now) -> Result<(Arc<Topic>, bool), TopicError> {
        let mut part = write(self.part(name));
        if let Some(topic) = part.get(name) {
            return Ok((Arc::clone(topic), false));
        }
        if self.len() >= self.topics_max {
            self.refused.add(1);
            return Err(TopicError::TooMany(self.topics_max));
        }
        let name: Arc<str> = name.into();
        let epoch = self.next_epoch.fetch_add(1, Ordering::Relaxed);
        let topic = Arc::new(Topic::new(Arc::clone(&name), epoch, self.namespaces.of(&name), now));
        part.insert(name, Arc::clone(&topic));
        self.count.fetch_add(1, Ordering::Relaxed);
        Ok((topic, true))
    }

    fn announce(&self, topic: &Arc<Topic>) {
        let watchers = read(&self.watchers);
        let interested = watchers.iter().filter(|watcher| watcher.pattern.matches(topic.name()));
        interested.for_each(|watcher| watcher.sink.created(watcher.id, topic));
    }

    /// Reports every topic that `pattern` matches and that is made from now on to `sink` as `id`; the topics
    /// there are come from [`Self::matching`] afterwards.
    pub fn watch(&self, id: u64, pattern: Pattern, sink: Arc<dyn Watch>) {
        write(&self.watchers).push(Watcher { id, pattern, sink });
    }

    /// Ends a watch of `sink`.
    pub fn unwatch(&self, id: u64, sink: &Arc<dyn Watch>) {
        write(&self.watchers).retain(|other| other.id != id || !Arc::ptr_eq(&other.sink, sink));
    }

    /// The topics there are that `pattern` matches, by name.
    pub fn matching(&self, pattern: &Pattern) -> Vec<Arc<Topic>> {
        let mut found: Vec<_> = self.parts.iter().flat_map(|part| matching_in(part, pattern)).collect();
        found.sort_unstable_by(|a, b| a.name().cmp(b.name()));
        found
    }

    /// Up to `limit` topics whose name begins with `prefix` and sorts after `after`, by name.
    pub fn list(&self, prefix: &str, after: &str, limit: usize) -> Vec<Arc<Topic>> {
        self.list_where(prefix, after, limit, |_| true)
    }

    /// [`Self::list`] of those whose name is `shown`; the others do not count, so that a page tells nothing of them.
    pub fn list_where(
        &self,
        prefix: &str,
        after: &str,
        limit: usize,
        shown: impl Fn(&str) -> bool,
    ) -> Vec<Arc<Topic>> {
        let listed = |name: &str| name.starts_with(prefix) && name > after && shown(name);
        let mut found = Vec::new();
        for part in &self.parts {
            found.extend(read(part).values().filter(|topic| listed(topic.name())).cloned());
            found.sort_unstable_by(|a, b| a.name().cmp(b.name()));
            found.truncate(limit);
        }
        found
    }

    /// Shows every topic whose name begins with `prefix` to `see`, in no order.
    pub fn each(&self, prefix: &str, mut see: impl FnMut(&Topic)) {
        for part in &self.parts {
            read(part).values().filter(|topic| topic.name().starts_with(prefix)).for_each(|topic| see(topic));
        }
    }

    /// Topics there are.
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Topics that were not made because there were too many.
    pub fn refused(&self) -> u64 {
        self.refused.get()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Parts that [`Self::sweep`] knows.
    pub const fn parts() -> usize {
        PARTS
    }

    /// Expires old entries of the topics of one part, and removes idle topics.
    pub fn sweep(&self, part: usize, now: Now) {
        let lock = &self.parts[part % PARTS];
        let topics: Vec<_> = read(lock).values().cloned().collect();
        topics.iter().for_each(|topic| topic.sweep(now));
        for topic in topics.iter().filter(|topic| topic.is_idle(now)) {
            self.remove(lock, topic, now);
        }
    }

    fn remove(&self, lock: &RwLock<Part>, topic: &Arc<Topic>, now: Now) {
        let mut part = write(lock);
        if topic.remove_if_idle(now) {
            part.remove(topic.name());
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn matching_in(part: &RwLock<Part>, pattern: &Pattern) -> Vec<Arc<Topic>> {
    read(part).values().filter(|topic| pattern.matches(topic.name())).cloned().collect()
}

#[cfg(all(test, not(loom)))]
#[path = "registry_tests.rs"]
mod tests;
