//! Everything that requests share.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use super::assembly;
use crate::admin::metrics::Sources;
use crate::auth::{Identity, Keys};
use crate::config::Config;
use crate::delivery::shard::Shared;
use crate::delivery::{Clock, Leases, Shards};
use crate::dialect::protocol::Protocols;
use crate::engine::{Counts, Lease, Registry};
use crate::ingest::Publisher;
use crate::json::fields::JsonFields;
use crate::metrics::{HttpMetrics, PublishMetrics, SqliteMetrics};

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
    pub keys: Arc<Keys>,
    /// Connections under limits, by name.
    pub counts: Arc<Counts>,
    /// Whoever has yet to say who it is.
    pub nobody: Arc<Identity>,
    /// Every protocol but the native one.
    pub protocols: Arc<Protocols>,
    /// What publishing counts.
    pub publish_metrics: Arc<PublishMetrics>,
    /// What the SQLite source counts.
    pub sqlite_metrics: Arc<SqliteMetrics>,
    /// What requests count.
    pub http_metrics: Arc<HttpMetrics>,
    /// Places for requests that wait for an event.
    pub waiting: Semaphore,
    connections: Arc<AtomicUsize>,
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
        let registry = Registry::new(assembly::namespaces(&config), config.limits.topics, first_epoch);
        let (registry, protocols) = (Arc::new(registry), Arc::new(assembly::protocols(&config)));
        let publish_metrics = Arc::new(PublishMetrics::default());
        let publisher =
            Publisher::new(Arc::clone(&registry), Arc::clone(&publish_metrics), Arc::clone(&protocols));
        let (publisher, keys) = (Arc::new(publisher), Arc::new(Keys::new(&config.keys)));
        let counts = Arc::new(Counts::default());
        let shared = Shared {
            registry: Arc::clone(&registry),
            publisher: Arc::clone(&publisher) as _,
            extract: Arc::new(JsonFields),
            authenticator: Arc::clone(&keys) as _,
            counts: Arc::clone(&counts),
            settings: assembly::settings(&config),
        };
        Ok(Self {
            shards: Shards::start(config.shards(), &shared, clock)?,
            keys,
            counts,
            protocols,
            nobody: Arc::new(Identity::nobody()),
            waiting: Semaphore::new(config.limits.waiting_reads),
            registry,
            publisher,
            clock,
            publish_metrics,
            sqlite_metrics: Arc::default(),
            http_metrics: Arc::default(),
            connections: Arc::default(),
            draining: AtomicBool::new(false),
            config,
        })
    }

    /// Places for a connection from `address` under the limits.
    ///
    /// # Errors
    /// Which limit is reached.
    pub fn admit(&self, address: Option<IpAddr>) -> Result<Leases, Full> {
        let limits = &self.config.limits;
        let node = Lease::take(&self.connections, limits.connections).ok_or(Full::Node)?;
        let Some(address) = address.filter(|_| limits.connections_per_ip > 0) else {
            return Ok(vec![node]);
        };
        let place = self.counts.take(&format!("address:{address}"), limits.connections_per_ip);
        Ok(vec![node, place.ok_or(Full::Address)?])
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
            sqlite: Arc::clone(&self.sqlite_metrics),
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
