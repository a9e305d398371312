//! Everything that requests share.

use std::sync::Arc;

use anyhow::Context;
use tokio::sync::{Semaphore, SemaphorePermit, watch};

use super::admission::Admission;
use super::answer::Fault;
use super::assembly;
use super::authority::{Authority, Chores};
use super::proxies::Proxies;
use crate::admin::metrics::Sources;
use crate::auth::{Identity, Origins};
use crate::blobs::Blobs;
use crate::config::Config;
use crate::delivery::shard::Shared;
use crate::delivery::{Clock, Shards};
use crate::dialect::protocol::Protocols;
use crate::dialect::sessions::Sessions;
use crate::engine::{Counts, Registry};
use crate::ingest::Publisher;
use crate::json::fields::JsonFields;
use crate::metrics::{HttpMetrics, Limit, LimitMetrics, PublishMetrics, SessionMetrics, SqliteMetrics};
use crate::respond::worker::Workshop;
use crate::respond::{Agents, Desk};

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
    /// Who decides about credentials.
    pub authority: Arc<Authority>,
    /// Which pages may open streams.
    pub origins: Origins,
    /// Connections under limits, by name.
    pub counts: Arc<Counts>,
    /// Whoever has yet to say who it is.
    pub nobody: Arc<Identity>,
    /// Every protocol but the native one.
    pub protocols: Arc<Protocols>,
    /// Who answers questions.
    pub desk: Arc<Desk>,
    /// Where they wait for workers.
    pub workshop: Arc<Workshop>,
    /// What was uploaded.
    pub blobs: Arc<Blobs>,
    /// What publishing counts.
    pub publish_metrics: Arc<PublishMetrics>,
    /// What the SQLite source counts.
    pub sqlite_metrics: Arc<SqliteMetrics>,
    /// What requests count.
    pub http_metrics: Arc<HttpMetrics>,
    /// What ran into limits.
    pub limits: Arc<LimitMetrics>,
    /// Who may come in.
    pub admission: Admission,
    /// Proxies in front.
    pub proxies: Proxies,
    waiting: Semaphore,
    draining: watch::Sender<bool>,
}

impl Node {
    /// Starts the shards of `config`, with `agents` to answer questions, those for workers in `workshop`; what else must be run comes
    /// with it.
    ///
    /// # Errors
    /// A key of tokens that is missing, or the system has no descriptors or threads left.
    pub fn start(config: Config, agents: Agents, workshop: Arc<Workshop>) -> anyhow::Result<(Self, Chores)> {
        let clock = Clock::start();
        let first_epoch = clock.now().unix_ms / 1000 * EPOCHS_PER_SECOND;
        let registry = Registry::new(assembly::namespaces(&config), config.limits.topics, first_epoch);
        let blobs = Blobs::open(config.blobs.clone()).context("blobs.folder cannot be used")?;
        let (registry, counts) = (Arc::new(registry), Arc::new(Counts::default()));
        workshop.notify_through(Arc::clone(&registry));
        let desk = Arc::new(Desk::new(
            assembly::desk(&config),
            agents,
            Arc::clone(&registry),
            Arc::clone(&counts),
            Arc::new(SessionMetrics::default()),
            Box::new(move || clock.now()),
        ));
        let sessions = Some(Arc::clone(&desk) as Arc<dyn Sessions>);
        let protocols = assembly::protocols(&config, sessions);
        let protocols = Arc::new(protocols.with(assembly::work(&config, Arc::clone(&workshop))));
        let publish_metrics = Arc::new(PublishMetrics::default());
        let publisher =
            Publisher::new(Arc::clone(&registry), Arc::clone(&publish_metrics), Arc::clone(&protocols));
        let limits = Arc::new(LimitMetrics::default());
        let publisher = Arc::new(publisher.paced(assembly::pace(&config, &limits)));
        desk.publish_through(Arc::clone(&publisher) as _);
        let (authority, chores) = Authority::new(&config, clock)?;
        let authority = Arc::new(authority);
        let shared = Shared {
            registry: Arc::clone(&registry),
            publisher: Arc::clone(&publisher) as _,
            extract: Arc::new(JsonFields),
            authenticator: Arc::clone(&authority) as _,
            counts: Arc::clone(&counts),
            limits: Arc::clone(&limits),
            settings: assembly::settings(&config),
        };
        let node = Self {
            shards: Shards::start(config.shards(), &shared, clock)?,
            origins: Origins::new(&config.auth.origins, !config.auth.cookie.is_empty()),
            authority,
            admission: Admission::new(&config.limits, Arc::clone(&counts), Arc::clone(&limits)),
            proxies: Proxies::new(&config.proxy),
            counts,
            limits,
            protocols,
            desk,
            workshop,
            blobs: Arc::new(blobs),
            nobody: Arc::new(Identity::nobody()),
            waiting: Semaphore::new(config.limits.waiting_reads),
            registry,
            publisher,
            clock,
            publish_metrics,
            sqlite_metrics: Arc::default(),
            http_metrics: Arc::default(),
            draining: watch::Sender::new(false),
            config,
        };
        Ok((node, chores))
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
            auth: Arc::clone(self.authority.metrics()),
            limits: Arc::clone(&self.limits),
            sqlite: Arc::clone(&self.sqlite_metrics),
            blobs: Arc::clone(self.blobs.metrics()),
            sessions: Arc::clone(self.desk.metrics()),
            sessions_now: self.desk.counts(),
            work: Arc::clone(self.workshop.metrics()),
            topics: self.registry.len() as u64,
            connections: self.admission.connections() as u64,
        }
    }

    /// From now on `/ready` says no.
    pub fn set_draining(&self) {
        self.draining.send_replace(true);
    }

    /// Whether the server drains.
    pub fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// Comes when the server drains, for requests that wait: they are answered with what there is.
    pub async fn drains(&self) {
        let mut draining = self.draining.subscribe();
        // The sender is the node's own, so that it is there as long as this is.
        let _drains = draining.wait_for(|draining| *draining).await;
    }
}
