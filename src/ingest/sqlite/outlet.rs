//! From rows to topics: events are published in the order of their rows, as many at a time as follow each other in a session.

use std::sync::Arc;

use super::row::RowEvent;
use crate::dialect::events::topic_of;
use crate::engine::{Body, Now, Parts, Publish};
use crate::json::batch::DEFAULT_EVENT;
use crate::limits::SQLITE_LOG_MS;
use crate::metrics::SqliteMetrics;

/// Tells the time.
pub type ReadClock = Box<dyn Fn() -> Now + Send>;

/// Where events go.
pub struct Outlet {
    publisher: Arc<dyn Publish>,
    clock: ReadClock,
    /// What it counts.
    pub metrics: Arc<SqliteMetrics>,
    logged_ms: Option<u64>,
}

/// Events that are to be published, each with its session.
#[derive(Default)]
pub struct Batch {
    events: Vec<(String, Vec<u8>)>,
    updated: usize,
    too_long: usize,
}

impl Batch {
    /// Adds an event; `updated` when it has been published before.
    pub fn add(&mut self, event: RowEvent, updated: bool) {
        let mut json = event.json;
        json.extend_from_slice(if updated { b",\"updated\":true}" } else { b"}" });
        self.events.push((event.session, json));
        self.updated += usize::from(updated);
    }

    /// Notes that an event is too long to be published.
    pub fn refuse(&mut self) {
        self.too_long += 1;
    }
}

impl Outlet {
    /// An outlet to `publisher`.
    pub fn new(publisher: Arc<dyn Publish>, clock: ReadClock, metrics: Arc<SqliteMetrics>) -> Self {
        Self { publisher, clock, metrics, logged_ms: None }
    }

    /// The time.
    pub fn now(&self) -> Now {
        (self.clock)()
    }

    /// Publishes.
    pub fn publish(&mut self, batch: Batch) {
        self.metrics.rows.bump((batch.events.len() - batch.updated) as u64);
        self.metrics.updated.bump(batch.updated as u64);
        if batch.too_long > 0 {
            self.refused(batch.too_long, "longer than an event may be; raise limits.event_bytes");
        }
        for run in batch.events.chunk_by(|a, b| a.0 == b.0) {
            let body =
                |json: &[u8]| Body::new(&Parts { event: DEFAULT_EVENT, data: json, ..Parts::default() });
            self.publish_run(&run[0].0, run.iter().map(|(_, json)| body(json)).collect());
        }
    }

    fn publish_run(&mut self, session: &str, bodies: Vec<Body>) {
        let rows = bodies.len();
        let topic = match topic_of(session) {
            Ok(topic) => topic,
            Err(error) => return self.refused(rows, &error.to_string()),
        };
        match self.publisher.publish(&topic, bodies, self.now()) {
            Ok(placed) => {
                let mut refused = placed.places.iter().filter_map(|place| place.as_ref().err());
                if let Some(first) = refused.next() {
                    self.refused(1 + refused.count(), &first.to_string());
                }
            }
            Err(error) => {
                self.publisher.refused(rows as u64);
                self.refused(rows, &error.to_string());
            }
        }
    }

    fn refused(&mut self, rows: usize, why: &str) {
        self.metrics.refused.bump(rows as u64);
        let now_ms = self.now().millis();
        if self.logged_ms.is_none_or(|last| now_ms >= last + SQLITE_LOG_MS) {
            self.logged_ms = Some(now_ms);
            tracing::warn!(rows, why, "rows of the database are not published");
        }
    }
}
