//! What turns and sinks need of the desk: the sessions, the door to their topics, and in which order questions are answered.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::runtime::Handle;
use tokio::sync::watch;

use super::Settings;
use crate::auth::Identity;
use crate::dialect::protocol::Fault;
use crate::dialect::sessions::step::Code;
use crate::dialect::sessions::{Line, Session, Turn};
use crate::engine::{Body, Counts, Lease, Now, Publish, Registry, Unplaced};
use crate::limits::{POSTS_RETRY_MS, RETRY_AFTER_SECONDS};
use crate::metrics::SessionMetrics;
use crate::respond::sink::Held;
use crate::respond::talk::Talk;
use crate::respond::{Agents, Failure};
use crate::sync::{Mutex, lock};

/// See the module.
pub struct Core {
    /// Bounds.
    pub settings: Settings,
    /// What is counted.
    pub metrics: Arc<SessionMetrics>,
    /// All topics.
    pub registry: Arc<Registry>,
    /// Whether the server is about to end.
    pub closing: AtomicBool,
    pub(super) agents: Agents,
    pub(super) counts: Arc<Counts>,
    /// By topic, so that those of one user lie side by side.
    pub(super) talks: Mutex<BTreeMap<Arc<str>, Arc<Talk>>>,
    clock: Box<dyn Fn() -> Now + Send + Sync>,
    publisher: OnceLock<Arc<dyn Publish>>,
    /// When the newest question of each line is over.
    lines: Mutex<HashMap<Line, watch::Receiver<bool>>>,
    next_line: AtomicU64,
    runtime: Handle,
}

impl Core {
    /// See [`super::Desk::new`].
    pub fn new(
        settings: Settings,
        agents: Agents,
        registry: Arc<Registry>,
        counts: Arc<Counts>,
        metrics: Arc<SessionMetrics>,
        clock: Box<dyn Fn() -> Now + Send + Sync>,
    ) -> Self {
        Self {
            settings,
            metrics,
            registry,
            closing: AtomicBool::new(false),
            agents,
            counts,
            talks: Mutex::default(),
            clock,
            publisher: OnceLock::new(),
            lines: Mutex::default(),
            next_line: AtomicU64::new(1),
            runtime: Handle::current(),
        }
    }

    /// See [`super::Desk::publish_through`].
    pub fn publish_through(&self, publisher: Arc<dyn Publish>) {
        // A second one would be a mistake of the composition root, and change nothing.
        let _second = self.publisher.set(publisher);
    }

    /// The time.
    pub fn now(&self) -> Now {
        (self.clock)()
    }

    /// Runs a turn.
    pub fn start(&self, turn: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(turn);
    }

    /// Publishes an event; its position.
    ///
    /// # Errors
    /// Why not.
    pub fn publish(&self, topic: &str, body: Body, now: Now) -> Result<u64, Held> {
        let failed = |why: String| Held::Failed(Failure::new(Code::Failed, why));
        let publisher = self.publisher.get().ok_or_else(|| failed("the server is not ready".into()))?;
        let placed = publisher.publish(topic, vec![body], now);
        let placed = placed.map_err(|error| failed(error.to_string()))?.places.pop();
        match placed {
            Some(Ok(published)) => Ok(published.offset),
            Some(Err(unplaced @ Unplaced::Misfit(_))) => Err(failed(unplaced.to_string())),
            Some(Err(limited)) => Err(Held::Wait(limited.retry_after_ms().unwrap_or(POSTS_RETRY_MS))),
            None => Err(failed("the event was not published".into())),
        }
    }

    /// Whether anybody reads a session now.
    pub fn is_read(&self, talk: &Talk) -> bool {
        self.registry.find(&talk.topic).is_some_and(|topic| topic.subscribers() > 0)
    }

    /// A session as others see it.
    pub fn show(&self, talk: &Talk) -> Session {
        let position = || self.registry.find(&talk.topic).map_or(0, |topic| topic.head());
        talk.show(&lock(&talk.state), position())
    }

    /// A place among the questions of `who`.
    pub(super) fn place(&self, who: &Identity) -> Result<Option<Lease>, Fault> {
        let limit = self.settings.running_per_user;
        let place = self.counts.take(&format!("questions:{}", who.name), limit);
        let message = || format!("at most {limit} questions of one user are answered at a time");
        place.map(Some).ok_or_else(|| Fault::limited(message(), RETRY_AFTER_SECONDS * 1000))
    }

    /// A new line.
    pub(super) fn line(&self) -> Line {
        Line(self.next_line.fetch_add(1, Ordering::Relaxed))
    }

    /// Puts a question at the end of its line; what comes before it there.
    pub(super) fn join(&self, turn: Turn, is_over: watch::Receiver<bool>) -> Option<watch::Receiver<bool>> {
        let Turn::Behind(line) = turn else { return None };
        lock(&self.lines).insert(line, is_over)
    }

    /// Forgets lines in which nothing waits, and sessions that nobody uses.
    pub(super) fn sweep(&self, now: Now) {
        lock(&self.lines).retain(|_, is_over| !*is_over.borrow() && is_over.has_changed().is_ok());
        let idle_ms = self.settings.idle.as_millis() as u64;
        lock(&self.talks).retain(|_, talk| !lock(&talk.state).is_idle(idle_ms, now));
    }
}
