//! Settings of topics, by pattern of their name.

use std::sync::Arc;

use super::bucket::Rate;
use super::name::Pattern;

/// What happens to a subscriber that cannot keep up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlowPolicy {
    /// Close with 1013; it reconnects with its position.
    Disconnect,
    /// Jump, after a gap message.
    Skip(SkipTo),
    /// Send only the newest event of each key until it has caught up.
    Conflate,
}

/// Where a subscriber that skips goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipTo {
    /// At the oldest event that is kept.
    Oldest,
    /// Behind the newest.
    Newest,
}

/// When a subscriber counts as slow, and what then. A zero switches its bound off.
#[derive(Clone, Copy, Debug)]
pub struct Slow {
    /// What happens.
    pub policy: SlowPolicy,
    /// Most events behind.
    pub events: u64,
    /// Most bytes behind.
    pub bytes: u64,
    /// Longest time without progress while there is something to send, milliseconds.
    pub stall_ms: u64,
}

/// How much of a log is kept: each bound holds.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Most events.
    pub events: usize,
    /// Most bytes of events.
    pub bytes: u64,
    /// Oldest age, milliseconds; 0 for no limit.
    pub age_ms: u64,
}

/// The settings that the topics of one pattern share.
#[derive(Clone, Debug)]
pub struct Namespace {
    /// What is kept.
    pub retention: Retention,
    /// What happens to slow subscribers.
    pub slow: Slow,
    /// Whether joins and leaves are published.
    pub presence: bool,
    /// How long an idempotency key is remembered, milliseconds.
    pub idempotency_ms: u64,
    /// A topic with nothing kept and nobody reading goes after this long, milliseconds.
    pub idle_ms: u64,
    /// How long events may wait for others on the way to readers whose protocol lets them, milliseconds; what those readers
    /// ask for themselves may be longer.
    pub linger_ms: u32,
    /// How fast each topic takes events.
    pub rate: Option<Rate>,
}

/// All namespaces; the most specific pattern that matches a topic decides.
#[derive(Debug)]
pub struct Namespaces {
    specific: Vec<(Pattern, Arc<Namespace>)>,
    fallback: Arc<Namespace>,
}

impl Namespaces {
    /// `specific` from the most to the least specific pattern; `fallback` for the rest.
    pub fn new(specific: Vec<(Pattern, Namespace)>, fallback: Namespace) -> Self {
        let specific = specific.into_iter().map(|(pattern, space)| (pattern, Arc::new(space))).collect();
        Self { specific, fallback: Arc::new(fallback) }
    }

    /// The namespace of topic `name`.
    pub fn of(&self, name: &str) -> Arc<Namespace> {
        let found = self.specific.iter().find(|(pattern, _)| pattern.matches(name));
        found.map_or_else(|| Arc::clone(&self.fallback), |(_, space)| Arc::clone(space))
    }
}
