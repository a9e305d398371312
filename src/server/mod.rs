//! The composition root: listeners, the HTTP/1.1 handshake, routes, and the hand-over of sockets to shards.
//!
//! hyper reads requests and answers those that have an answer. A stream has none: its request is parked, the
//! connection's task takes the socket away from hyper, with what was read behind the request, and gives it to
//! a shard, which writes the head of the response itself.

mod accept;
mod admission;
mod answer;
pub mod assembly;
pub mod authority;
mod bell;
mod blob_heads;
mod blobs;
mod body;
mod conditions;
mod consult;
mod credentials;
mod dialects;
mod history;
mod models;
mod node;
mod pages;
mod patient;
mod proxies;
mod publish;
mod query;
pub mod responders;
mod routes;
mod socket;
mod streams;
mod takeover;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::{mpsc, watch};

use crate::config::{Config, Listen};
use crate::delivery::{Drain, sys};
use crate::engine::Registry;
use crate::ingest::sqlite::Source;
use crate::respond::Agents;
use crate::respond::worker::Workshop;
use accept::Listener;
use authority::Chores;
use node::Node;

/// Time between two sweeps; a part of the topics is swept each time.
const SWEEP: Duration = Duration::from_millis(125);

/// Settles what concerns the whole process and not one server in it; for programs that are a server, before
/// they allocate much. A program that embeds Millrace decides for itself.
pub fn prepare_process() {
    sys::disable_huge_pages();
}

/// A server whose listeners are open.
pub struct Server {
    node: Arc<Node>,
    listeners: Vec<Listener>,
    chores: Chores,
}

impl Server {
    /// Opens the listeners and starts the shards. Must be called within a runtime.
    ///
    /// # Errors
    /// An address cannot be listened on, a key of tokens is missing, the documents of answers cannot be read, or the system has no
    /// descriptors or threads left.
    pub fn bind(config: Config) -> anyhow::Result<Self> {
        let workshop = responders::workshop(&config);
        let agents = responders::agents(&config, &workshop)?;
        Self::start(config, agents, workshop)
    }

    /// The same with `agents` to answer questions, for programs that bring their own.
    ///
    /// # Errors
    /// As [`Self::bind`], the documents apart.
    pub fn bind_with(config: Config, agents: Agents) -> anyhow::Result<Self> {
        let workshop = responders::workshop(&config);
        Self::start(config, agents, workshop)
    }

    fn start(config: Config, agents: Agents, workshop: Arc<Workshop>) -> anyhow::Result<Self> {
        let open = |listen: &Listen| {
            Listener::open(listen, &config.delivery)
                .with_context(|| format!("cannot listen on {}", listen.url()))
        };
        let listeners = config.general.listen.iter().map(open).collect::<anyhow::Result<_>>()?;
        let (node, chores) = Node::start(config, agents, workshop)?;
        Ok(Self { node: Arc::new(node), listeners, chores })
    }

    /// Where it listens, as URLs: the ports that the system chose.
    pub fn addresses(&self) -> Vec<String> {
        self.listeners.iter().map(Listener::url).collect()
    }

    /// Serves until `shutdown`, then drains: nothing is accepted, publishers finish, streams are closed at a
    /// pace, and what is left at the deadline is cut.
    ///
    /// # Errors
    /// A shard failed.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        let (draining, drained) = watch::channel(false);
        let (alive, mut all_gone) = mpsc::channel::<()>(1);
        let acceptors: Vec<_> = self
            .listeners
            .into_iter()
            .map(|listener| accept::spawn(listener, Arc::clone(&self.node), drained.clone(), alive.clone()))
            .collect();
        let background = [
            accept::background(sweep(Arc::clone(&self.node))),
            accept::background(flush(Arc::clone(&self.node))),
            accept::background(self.chores.run()),
        ];
        drop(alive);
        let source = follow_database(&self.node)?;
        shutdown.await;
        acceptors.iter().for_each(|acceptor| acceptor.abort());
        let deadline = self.node.config.timing.drain_seconds;
        tracing::info!(seconds = deadline.as_secs(), "draining");
        self.node.set_draining();
        if let Some(source) = source {
            tokio::task::spawn_blocking(|| source.stop()).await?.context("the SQLite source failed")?;
        }
        self.node.desk.close();
        draining.send_replace(true);
        self.node.publisher.close(self.node.clock.now());
        self.node.shards.drain(drain(&self.node));
        // Whoever has not finished at the deadline is cut: that is what a deadline is.
        let _cut = tokio::time::timeout(deadline, all_gone.recv()).await;
        background.iter().for_each(|task| task.abort());
        close_blobs(&self.node).await?;
        join_shards(self.node).await
    }
}

/// The source that `events.db_path` asks for.
fn follow_database(node: &Arc<Node>) -> anyhow::Result<Option<Source>> {
    let Some(settings) = assembly::sqlite(&node.config, &assembly::namespaces(&node.config)) else {
        return Ok(None);
    };
    let (clock, metrics) = (node.clock, Arc::clone(&node.sqlite_metrics));
    let publisher = Arc::clone(&node.publisher);
    let source = Source::start(settings, publisher, Box::new(move || clock.now()), metrics);
    source.map(Some).context("cannot follow the database")
}

fn drain(node: &Node) -> Drain {
    let timing = &node.config.timing;
    let now_ms = node.clock.now().millis();
    Drain {
        per_second: timing.drain_rate.div_ceil(node.config.shards()) as u32,
        now_ms,
        deadline_ms: now_ms + timing.drain_seconds.as_millis() as u64,
        retry_ms: timing.retry_ms.as_millis() as u64,
    }
}

/// Uploads and downloads have had until the deadline, as everybody.
async fn close_blobs(node: &Arc<Node>) -> anyhow::Result<()> {
    let blobs = Arc::clone(&node.blobs);
    let closed = tokio::task::spawn_blocking(move || blobs.close()).await?;
    if let Err(error) = closed {
        tracing::warn!(%error, "what blobs have left on the disk could not be removed; the next start will try");
    }
    Ok(())
}

async fn join_shards(node: Arc<Node>) -> anyhow::Result<()> {
    let ended = tokio::task::spawn_blocking(move || node.shards.join());
    ended.await?.context("a shard failed")
}

async fn sweep(node: Arc<Node>) {
    let mut ticks = tokio::time::interval(SWEEP);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    for part in (0..Registry::parts()).cycle() {
        ticks.tick().await;
        node.registry.sweep(part, node.clock.now());
        if part == 0 {
            node.desk.sweep(node.clock.now());
            node.blobs.sweep(node.clock.now().millis());
        }
        crossbeam_epoch::pin().flush();
    }
}

/// Has events that are held back published when they are due.
async fn flush(node: Arc<Node>) {
    loop {
        let now = node.clock.now();
        let wait = match node.publisher.flush_due(now) {
            Some(due) => Duration::from_micros(due.saturating_sub(now.micros)),
            None => Duration::MAX,
        };
        // Either way it is time to look again.
        let _elapsed = tokio::time::timeout(wait, node.publisher.due_earlier()).await;
    }
}
