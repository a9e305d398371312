//! Everything that requests share.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::admission::Admission;
use super::answer::Fault;
use super::assembly;
use super::proxies::Proxies;
use crate::admin::metrics::Sources;
use crate::auth::{Identity, Keys};
use crate::config::Config;
use crate::delivery::shard::Shared;
use crate::delivery::{Clock, Shards};
use crate::dialect::protocol::Protocols;
use crate::engine::{Counts, Registry};
use crate::ingest::Publisher;
use crate::json::fields::JsonFields;
use crate::metrics::{HttpMetrics, Limit, LimitMetrics, PublishMetrics};

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
    /// What requests count.
    pub http_metrics: Arc<HttpMetrics>,
    /// What ran into limits.
    pub limits: Arc<LimitMetrics>,
    /// Who may come in.
    pub admission: Admission,
    /// Proxies in front.
    pub proxies: Proxies,
    waiting: Semaphore,
    draining: AtomicBool,
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
        let (counts, limits) = (Arc::new(Counts::default()), Arc::new(LimitMetrics::default()));
        let publisher = publisher.paced(assembly::pace(&config, &limits));
        let (publisher, keys) = (Arc::new(publisher), Arc::new(Keys::new(&config.keys, &config.roles)));
        let shared = Shared {
            registry: Arc::clone(&registry),
            publisher: Arc::clone(&publisher) as _,
            extract: Arc::new(JsonFields),
            authenticator: Arc::clone(&keys) as _,
            counts: Arc::clone(&counts),
            limits: Arc::clone(&limits),
            settings: assembly::settings(&config),
        };
        Ok(Self {
            shards: Shards::start(config.shards(), &shared, clock)?,
            keys,
            admission: Admission::new(&config.limits, Arc::clone(&counts), Arc::clone(&limits)),
            proxies: Proxies::new(&config.proxy),
            counts,
            limits,
            protocols,
            nobody: Arc::new(Identity::nobody()),
            waiting: Semaphore::new(config.limits.waiting_reads),
            registry,
            publisher,
            clock,
            publish_metrics,
            http_metrics: Arc::default(),
            draining: AtomicBool::new(false),
            config,
        })
    }

    /// A place for a request that waits for an event.
    ///
    /// # Errors
    /// There is none.
    pub fn wait(&self) -> Result<SemaphorePermit<'_>, Fault> {
        let place = self.waiting.try_acquire().map_err(|_| Fault::too_many_waiting());
        place.inspect_err(|_| self.limits.of(Limit::WaitingReads).add(1))
    }

    /// What `/metrics` shows.
    pub fn sources(&self) -> Sources {
        self.limits.of(Limit::Topics).set(self.registry.refused());
        Sources {
            shards: self.shards.metrics(),
            publish: Arc::clone(&self.publish_metrics),
            http: Arc::clone(&self.http_metrics),
            limits: Arc::clone(&self.limits),
            topics: self.registry.len() as u64,
            connections: self.admission.connections() as u64,
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
