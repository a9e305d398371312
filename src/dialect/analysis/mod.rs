//! The `analysis` protocol: the events of one analysis over a WebSocket, numbered from 1, resumed by the last number, with
//! progress derived from the events themselves. Documented in `docs/PROTOCOLS.md`.
//!
//! An analysis is the topic `analysis.<id>`, and an event's sequence is its offset there.

mod admit;
mod agents;
mod connection;
mod debates;
mod encode;
mod gate;
mod mean;
mod messages;
mod model;
mod paths;
mod progress;
mod requests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::protocol::{Call, Fault, Protocol, Reply};
use super::refuse::Refuse;
use crate::engine::{Body, Gate, Misfit, Now};

/// Beginning of the names of its topics.
const PREFIX: &str = "analysis.";
/// Under this name all its connections are counted.
const ALL: &str = "analysis";

/// The analysis whose topic this is.
fn id_of(topic: &str) -> Option<&str> {
    topic.strip_prefix(PREFIX).filter(|id| !id.is_empty())
}

/// Under this name the connections of one analysis are counted.
fn count_name(id: &str) -> String {
    format!("{ALL}:{id}")
}

/// What an operator may set.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Most connections of one analysis; 0 for any number.
    pub connections: usize,
    /// Most connections of all analyses; 0 for any number.
    pub connections_in_all: usize,
    /// How long a connection lives, milliseconds; 0 for ever.
    pub timeout_ms: u64,
    /// How long a client may say nothing before it is sent a ping, milliseconds.
    pub ping_ms: u64,
    /// How long thoughts are collected, milliseconds; 0 for not at all.
    pub thought_window_ms: u64,
    /// How clients are refused.
    pub refuse: Refuse,
}

/// What all connections share.
struct Shared {
    settings: Settings,
    /// Connections there have been.
    connected: AtomicU64,
    /// Those among them that resumed.
    resumed: AtomicU64,
}

impl Shared {
    fn count(&self, resumes: bool) {
        self.connected.fetch_add(1, Ordering::Relaxed);
        self.resumed.fetch_add(u64::from(resumes), Ordering::Relaxed);
    }
}

/// See the module.
pub struct Analysis {
    shared: Arc<Shared>,
}

impl Analysis {
    /// The protocol as `settings` say.
    pub fn new(settings: Settings) -> Self {
        let (connected, resumed) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { shared: Arc::new(Shared { settings, connected, resumed }) }
    }
}

impl Protocol for Analysis {
    fn name(&self) -> &'static str {
        "analysis"
    }

    fn serve(&self, call: &Call<'_>) -> Option<Result<Reply, Fault>> {
        paths::parse(call.path).map(|path| requests::serve(&self.shared, &path, call))
    }

    fn reads(&self, call: &Call<'_>) -> Vec<String> {
        match paths::parse(call.path) {
            Some(paths::Path::Status(id)) => vec![format!("{PREFIX}{id}")],
            _ => Vec::new(),
        }
    }

    fn owns(&self, topic: &str) -> bool {
        id_of(topic).is_some()
    }

    fn admit(&self, topic: &str, body: Body, _now: Now) -> Result<Body, Misfit> {
        admit::admit(id_of(topic).unwrap_or_default(), body)
    }

    fn gate(&self, topic: &str) -> Option<Box<dyn Gate>> {
        let id = id_of(topic).unwrap_or_default();
        Some(Box::new(gate::AnalysisGate::new(id, self.shared.settings.thought_window_ms)))
    }

    fn dropped(&self, dropped: u64) -> Option<Vec<u8>> {
        Some(messages::rate_limited(dropped))
    }
}
