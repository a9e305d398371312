//! What is counted, as plain numbers: who counts knows nothing of how the figures are shown.
//!
//! A shard is the only writer of its counters, so that counting is a relaxed load and store on a line that
//! no other core writes; totals are made when somebody asks.

mod blobs;
mod work;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub use blobs::BlobMetrics;
pub use work::WorkMetrics;

/// A number with one writer at a time, or where a lost update between two writers is excluded by `add`.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// A counter at zero.
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Adds `n`; any thread.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    /// Subtracts `n`, for gauges; any thread.
    pub fn sub(&self, n: u64) {
        self.0.fetch_sub(n, Relaxed);
    }

    /// Adds `n`; only the one thread that owns the counter may call this.
    pub fn bump(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// Sets a gauge.
    pub fn set(&self, n: u64) {
        self.0.store(n, Relaxed);
    }

    /// The number now.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A histogram with a bucket per power of two: bucket `i` counts values below `2^i`.
#[derive(Debug)]
pub struct Histogram {
    buckets: [Counter; Histogram::BUCKETS],
    sum: Counter,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: [const { Counter::new() }; Self::BUCKETS], sum: Counter::new() }
    }
}

impl Histogram {
    /// Buckets there are; the last one holds everything from `2^(BUCKETS - 2)` on.
    pub const BUCKETS: usize = 32;

    /// Counts `value` `times` times; one writer.
    pub fn record(&self, value: u64, times: u64) {
        let index = (64 - value.leading_zeros() as usize).min(Self::BUCKETS - 1);
        self.buckets[index].bump(times);
        self.sum.bump(value.saturating_mul(times));
    }

    /// The count in every bucket.
    pub fn counts(&self) -> [u64; Self::BUCKETS] {
        std::array::from_fn(|i| self.buckets[i].get())
    }

    /// The sum of all values.
    pub fn sum(&self) -> u64 {
        self.sum.get()
    }
}

/// Why the server closed a connection on its own account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eviction {
    /// Too many events behind.
    Events,
    /// Too many bytes behind.
    Bytes,
    /// No progress for too long.
    Stalled,
    /// What it had to read next is no longer kept.
    Lapped,
    /// Its answers do not fit the outbox.
    Outbox,
}

impl Eviction {
    /// All reasons, in the order of their discriminants.
    pub const ALL: [Self; 5] = [Self::Events, Self::Bytes, Self::Stalled, Self::Lapped, Self::Outbox];

    /// The label of the metric.
    pub fn label(self) -> &'static str {
        match self {
            Self::Events => "backlog_events",
            Self::Bytes => "backlog_bytes",
            Self::Stalled => "no_progress",
            Self::Lapped => "lapped",
            Self::Outbox => "outbox",
        }
    }
}

/// A limit that something ran into. Labels are the names of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Connections of the node.
    Connections,
    /// Connections of an address.
    ConnectionsPerIp,
    /// Streams of a user.
    ConnectionsPerUser,
    /// Readers of a topic.
    ConnectionsPerTopic,
    /// Places that a protocol gives to its connections by rules of its own.
    ConnectionsOfProtocol,
    /// New connections of an address.
    Connects,
    /// Messages of a connection.
    Messages,
    /// Events of a user.
    PublishesPerCredential,
    /// Events of a topic.
    PublishRate,
    /// Topics of the node.
    Topics,
    /// Subscriptions of a connection.
    Subscriptions,
    /// Requests that wait for an event.
    WaitingReads,
    /// Size of a body.
    BodyBytes,
    /// Size of an event.
    EventBytes,
    /// Size of a message.
    MessageBytes,
    /// Size of a request's head.
    HeaderBytes,
    /// Time for it.
    HeaderSeconds,
}

impl Limit {
    /// The labels of the metric, in the order of the discriminants.
    pub const LABELS: [&'static str; 17] = [
        "connections",
        "connections_per_ip",
        "connections_per_user",
        "connections_per_topic",
        "connections_of_protocol",
        "connects_per_second_per_address",
        "messages_per_second",
        "publishes_per_second_per_credential",
        "publish_rate",
        "topics",
        "subscriptions_per_connection",
        "waiting_reads",
        "body_bytes",
        "event_bytes",
        "message_bytes",
        "header_bytes",
        "header_seconds",
    ];
}

/// What ran into which limit.
#[derive(Debug, Default)]
pub struct LimitMetrics([Counter; Limit::LABELS.len()]);

impl LimitMetrics {
    /// The counter of a limit.
    pub fn of(&self, limit: Limit) -> &Counter {
        &self.0[limit as usize]
    }

    /// Labels and numbers.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Limit::LABELS.into_iter().zip(self.0.iter().map(Counter::get))
    }
}

/// What one shard counts; the shard's thread is the only writer.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct ShardMetrics {
    /// Connections now.
    pub connections: Counter,
    /// Connections ever; of the node's, those that became streams.
    pub accepted: Counter,
    /// Subscriptions now.
    pub subscriptions: Counter,
    /// Connections whose socket is full now.
    pub blocked: Counter,
    /// Events handed to a socket, counted per subscriber.
    pub deliveries: Counter,
    /// Write calls that took something.
    pub writes: Counter,
    /// Bytes accepted by sockets.
    pub bytes_out: Counter,
    /// Bytes read from sockets.
    pub bytes_in: Counter,
    /// Messages read from clients.
    pub messages_in: Counter,
    /// Gathers built.
    pub gathers: Counter,
    /// Gap messages sent.
    pub gaps: Counter,
    /// Events that subscribers were told they miss.
    pub missed: Counter,
    /// Events left out by conflation.
    pub conflated: Counter,
    /// Evictions, in the order of [`Eviction::ALL`].
    pub evictions: [Counter; Eviction::ALL.len()],
    /// Turns of the loop.
    pub turns: Counter,
    /// Microseconds spent in turns, for the load of the shard.
    pub busy_micros: Counter,
    /// Bytes in kernel send queues of blocked connections, at the last look.
    pub kernel_queued_bytes: Counter,
    /// Backlog in events of blocked subscriptions, sampled.
    pub backlog_events: Histogram,
    /// Microseconds from publication to the write, per delivery to who keeps up: the age of history that
    /// somebody asked for says nothing about the server.
    pub publish_to_write_micros: Histogram,
}

/// What publishing counts.
#[derive(Debug, Default)]
pub struct PublishMetrics {
    /// Events appended.
    pub events: Counter,
    /// Bytes appended: data and attributes.
    pub bytes: Counter,
    /// Events refused.
    pub refused: Counter,
    /// Events answered with an earlier offset because of their idempotency key.
    pub duplicates: Counter,
}

/// Entries that were retired from rings and wait for the readers of their epoch.
#[derive(Debug)]
pub struct Garbage {
    /// Entries that wait.
    pub entries: Counter,
    /// Their bytes.
    pub bytes: Counter,
}

/// The process's garbage: epochs are shared by all rings, so this is too.
pub static GARBAGE: Garbage = Garbage { entries: Counter::new(), bytes: Counter::new() };

impl Garbage {
    /// Counts an entry that was retired.
    pub fn retired(&self, bytes: usize) {
        self.entries.add(1);
        self.bytes.add(bytes as u64);
    }

    /// Counts an entry that was freed.
    pub fn freed(&self, bytes: usize) {
        self.entries.sub(1);
        self.bytes.sub(bytes as u64);
    }
}

/// What the follower of a SQLite database counts; its thread is the only writer.
#[derive(Debug, Default)]
pub struct SqliteMetrics {
    /// Rows published.
    pub rows: Counter,
    /// Rows published again, because they have changed.
    pub updated: Counter,
    /// Rows that were not published, because they cannot be.
    pub refused: Counter,
    /// Looks that failed: locked, missing, damaged.
    pub errors: Counter,
    /// Whether the database is open: 0 or 1.
    pub open: Counter,
    /// New rows that the last look has found.
    pub found: Counter,
    /// Age of the newest row when it was published, milliseconds, by its own timestamp.
    pub lag_ms: Counter,
}

/// What requests count.
#[derive(Debug, Default)]
pub struct HttpMetrics {
    /// Requests.
    pub requests: Counter,
    /// Connections that no limit refused.
    pub accepted_connections: Counter,
    /// Connections that a limit refused.
    pub refused_connections: Counter,
    /// Requests without a valid credential.
    pub unauthorized: Counter,
    /// Connections of proxies that did not say whom they connect.
    pub bad_proxy_headers: Counter,
}

/// Why a credential or a page was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// None was there.
    Missing,
    /// Not a valid one.
    Invalid,
    /// Its time was over.
    Expired,
    /// It was taken back.
    Revoked,
    /// The webhook refused it.
    Denied,
    /// Good, but not for what the connection reads.
    Insufficient,
    /// It could not be checked.
    Unavailable,
    /// Its page is of an origin that is not let in.
    Origin,
}

impl Refused {
    /// All reasons, in the order of their discriminants.
    pub const ALL: [Self; 8] = [
        Self::Missing,
        Self::Invalid,
        Self::Expired,
        Self::Revoked,
        Self::Denied,
        Self::Insufficient,
        Self::Unavailable,
        Self::Origin,
    ];

    /// The label of the metric.
    pub fn label(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Invalid => "invalid",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Denied => "denied",
            Self::Insufficient => "insufficient",
            Self::Unavailable => "unavailable",
            Self::Origin => "origin",
        }
    }
}

/// What is counted about credentials.
#[derive(Debug, Default)]
pub struct AuthMetrics {
    /// Refusals, in the order of [`Refused::ALL`].
    pub refused: [Counter; Refused::ALL.len()],
    /// Sets of keys fetched.
    pub jwks_fetched: Counter,
    /// Fetches of keys that failed.
    pub jwks_failed: Counter,
    /// Questions to the webhook that it answered by yes, for all or some topics.
    pub webhook_allowed: Counter,
    /// By no.
    pub webhook_denied: Counter,
    /// Not at all, or not in a way that can be understood.
    pub webhook_failed: Counter,
}

/// What sessions count.
#[derive(Debug, Default)]
pub struct SessionMetrics {
    /// Sessions opened.
    pub opened: Counter,
    /// Turns begun.
    pub started: Counter,
    /// Turns that ended with an answer.
    pub answered: Counter,
    /// With an error.
    pub failed: Counter,
    /// That were cancelled.
    pub cancelled: Counter,
    /// Pieces of answers.
    pub tokens: Counter,
}
