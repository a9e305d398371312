//! Everything that requests share.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use crate::admin::metrics::Sources;
use crate::auth::Keys;
use crate::config::{self, Config};
use crate::delivery::shard::{Settings, Shared};
use crate::delivery::{Clock, Lease, Shards};
use crate::engine::name::Pattern;
use crate::engine::{Namespace, Namespaces, Registry, Retention, SkipTo, Slow, SlowPolicy};
use crate::ingest::Publisher;
use crate::json::fields::JsonFields;
use crate::limits::OUTBOX_BYTES_MAX;
use crate::metrics::{HttpMetrics, PublishMetrics};
use crate::sync::{Mutex, lock};

/// Topics made in one second that still get distinct epochs; the seconds are the higher digits.
const EPOCHS_PER_SECOND: u64 = 1 << 20;

/// One server process.
pub struct Node {
    /// Settings.
    pub config: Config,
    /// All topics.
    pub registry: Arc<Registry>,
    /// The door for publications.
    pub publisher: Arc<Publisher>,
    /// Who owns streams.
    pub shards: Shards,
    /// Time.
    pub clock: Clock,
    /// Credentials.
    pub keys: Keys,
    /// What publishing counts.
    pub publish_metrics: Arc<PublishMetrics>,
    /// What requests count.
    pub http_metrics: Arc<HttpMetrics>,
    /// Places for requests that wait for an event.
    pub waiting: Semaphore,
    connections: Arc<AtomicUsize>,
    per_ip: Mutex<HashMap<IpAddr, Arc<AtomicUsize>>>,
    draining: AtomicBool,
}

/// Why a connection was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// The node has as many as it may.
    Node,
    /// The address has.
    Address,
}

impl Node {
    /// Starts the shards of `config`.
    ///
    /// # Errors
    /// The system has no descriptors or threads left.
    pub fn start(config: Config) -> io::Result<Self> {
        let clock = Clock::start();
        let first_epoch = clock.now().unix_ms / 1000 * EPOCHS_PER_SECOND;
        let registry = Arc::new(Registry::new(namespaces(&config), config.limits.topics, first_epoch));
        let publish_metrics = Arc::new(PublishMetrics::default());
        let publisher = Arc::new(Publisher::new(Arc::clone(&registry), Arc::clone(&publish_metrics)));
        let shared = Shared {
            registry: Arc::clone(&registry),
            publisher: Arc::clone(&publisher) as _,
            extract: Arc::new(JsonFields),
            settings: settings(&config),
        };
        Ok(Self {
            shards: Shards::start(config.shards(), &shared, clock)?,
            keys: Keys::new(&config.keys),
            waiting: Semaphore::new(config.limits.waiting_reads),
            registry,
            publisher,
            clock,
            publish_metrics,
            http_metrics: Arc::default(),
            connections: Arc::default(),
            per_ip: Mutex::default(),
            draining: AtomicBool::new(false),
            config,
        })
    }

    /// Places for a connection from `address` under the limits.
    ///
    /// # Errors
    /// Which limit is reached.
    pub fn admit(&self, address: Option<IpAddr>) -> Result<Vec<Lease>, Full> {
        let limits = &self.config.limits;
        let mut leases = vec![Lease::take(&self.connections, limits.connections).ok_or(Full::Node)?];
        if let Some(address) = address.filter(|_| limits.connections_per_ip > 0) {
            let count = self.count_of(address);
            leases.push(Lease::take(&count, limits.connections_per_ip).ok_or(Full::Address)?);
        }
        Ok(leases)
    }

    /// Addresses without connections are forgotten whenever the map has doubled.
    fn count_of(&self, address: IpAddr) -> Arc<AtomicUsize> {
        let mut map = lock(&self.per_ip);
        if map.len() == map.capacity() {
            map.retain(|_, count| count.load(Ordering::Acquire) > 0);
        }
        Arc::clone(map.entry(address).or_default())
    }

    /// Connections now, streams included.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Acquire)
    }

    /// What `/metrics` shows.
    pub fn sources(&self) -> Sources {
        Sources {
            shards: self.shards.metrics(),
            publish: Arc::clone(&self.publish_metrics),
            http: Arc::clone(&self.http_metrics),
            topics: self.registry.len() as u64,
            connections: self.connections() as u64,
        }
    }

    /// From now on `/ready` says no.
    pub fn set_draining(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Whether the server drains.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }
}

fn settings(config: &Config) -> Settings {
    Settings {
        ping_ms: config.timing.ping_seconds.as_millis() as u64,
        idle_ms: config.timing.idle_seconds.as_millis() as u64,
        message_bytes: config.limits.message_bytes,
        subscriptions: config.limits.subscriptions_per_connection,
        outbox_bytes: OUTBOX_BYTES_MAX,
        seed: RandomState::new().hash_one("seed"),
    }
}

fn namespaces(config: &Config) -> Namespaces {
    let mut specific: Vec<_> = config.namespaces.others().collect();
    specific.sort_by_key(|(pattern, _)| std::cmp::Reverse(pattern.rank()));
    let parsed = specific.into_iter().filter_map(|(pattern, space)| {
        // The configuration has checked the pattern by the same rules.
        Some((Pattern::parse(pattern.as_str()).ok()?, namespace(space)))
    });
    Namespaces::new(parsed.collect(), namespace(config.namespaces.default()))
}

fn namespace(space: &config::Namespace) -> Namespace {
    let millis = |time: std::time::Duration| time.as_millis() as u64;
    let policy = match (space.slow_policy, space.slow_skip_to) {
        (config::SlowPolicy::Disconnect, _) => SlowPolicy::Disconnect,
        (config::SlowPolicy::Skip, config::SkipTo::Oldest) => SlowPolicy::Skip(SkipTo::Oldest),
        (config::SlowPolicy::Skip, config::SkipTo::Newest) => SlowPolicy::Skip(SkipTo::Newest),
        (config::SlowPolicy::Conflate, _) => SlowPolicy::Conflate,
    };
    Namespace {
        retention: Retention {
            events: space.retain_events,
            bytes: space.retain_bytes as u64,
            age_ms: millis(space.retain_seconds),
        },
        slow: Slow {
            policy,
            events: space.slow_events as u64,
            bytes: space.slow_bytes as u64,
            stall_ms: millis(space.slow_seconds),
        },
        presence: space.presence,
        idempotency_ms: millis(space.idempotency_seconds),
        idle_ms: millis(space.topic_idle_seconds),
    }
}
