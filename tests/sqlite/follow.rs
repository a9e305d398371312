//! A source that follows a database of the test, and what it has published.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use millrace::config::Config;
use millrace::delivery::Clock;
use millrace::engine::{Read, Registry};
use millrace::ingest::Publisher;
use millrace::ingest::sqlite::{Settings, Source};
use millrace::metrics::SqliteMetrics;
use millrace::server::assembly;
use rusqlite::Connection;
use serde_json::Value as Json;
use tempfile::TempDir;

use crate::support::eventually;

/// `agent_events` as the newest files have it.
pub const NEWEST: &str = "CREATE TABLE agent_events (event_id TEXT PRIMARY KEY, agent_id TEXT NOT NULL, event_type TEXT NOT NULL,
    timestamp DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP, tool_name TEXT, input_summary TEXT, tool_input JSON, output_summary TEXT,
    context JSON, session_id TEXT, feature_id TEXT, parent_agent_id TEXT, parent_event_id TEXT, subagent_type TEXT,
    child_spike_count INTEGER DEFAULT 0, cost_tokens INTEGER DEFAULT 0, execution_duration_seconds REAL DEFAULT 0.0,
    status TEXT DEFAULT 'recorded', model TEXT, claude_task_id TEXT, source TEXT, step_id TEXT,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP, updated_at DATETIME DEFAULT CURRENT_TIMESTAMP);
    CREATE TABLE live_events (id INTEGER PRIMARY KEY AUTOINCREMENT, event_type TEXT NOT NULL, event_data JSON NOT NULL,
    parent_event_id TEXT, session_id TEXT, spawner_type TEXT, created_at DATETIME DEFAULT CURRENT_TIMESTAMP, broadcast_at DATETIME);";

/// As the oldest have it: no durations, models, features or steps.
pub const OLDEST: &str = "CREATE TABLE agent_events (event_id TEXT PRIMARY KEY, agent_id TEXT NOT NULL, event_type TEXT NOT NULL,
    timestamp DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP, tool_name TEXT, input_summary TEXT, output_summary TEXT, context JSON,
    session_id TEXT NOT NULL, parent_agent_id TEXT, parent_event_id TEXT, cost_tokens INTEGER DEFAULT 0,
    status TEXT DEFAULT 'recorded');";

/// The time between two looks.
pub const POLL: Duration = Duration::from_millis(10);

/// See the module.
pub struct Follow {
    folder: TempDir,
    registry: Arc<Registry>,
    publisher: Arc<Publisher>,
    source: Option<Source>,
    pub history: usize,
    pub metrics: Arc<SqliteMetrics>,
}

impl Follow {
    /// A folder without a database, and nobody who follows it.
    pub fn idle() -> Self {
        let config = Config::from_toml(
            "test",
            "[namespaces.default]\nretain_events = 1000000\nretain_bytes = \"1GiB\"\n",
        );
        let config = config.unwrap_or_else(|problems| panic!("{problems}"));
        let registry = Arc::new(Registry::new(assembly::namespaces(&config), 1000, 1));
        let protocols = Arc::new(assembly::protocols(&config, None));
        let publisher = Arc::new(Publisher::new(Arc::clone(&registry), Arc::default(), protocols));
        let (folder, metrics) = (tempfile::tempdir().unwrap(), Arc::default());
        Self { folder, registry, publisher, source: None, history: 10_000, metrics }
    }

    /// A database with this schema, followed.
    pub fn with(schema: &str) -> (Self, Connection) {
        let mut follow = Self::idle();
        let database = follow.make("events.db", schema);
        follow.start();
        (follow, database)
    }

    pub fn path(&self) -> PathBuf {
        self.file("events.db")
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a database.
    pub fn make(&self, name: &str, schema: &str) -> Connection {
        let database = open(&self.file(name));
        database.execute_batch(schema).unwrap();
        database
    }

    pub fn start(&mut self) {
        let (clock, event_bytes) = (Clock::start(), 100_000);
        let settings = Settings { path: self.path(), poll: POLL, history: self.history, event_bytes };
        let (publisher, metrics) = (Arc::clone(&self.publisher), Arc::clone(&self.metrics));
        self.source =
            Some(Source::start(settings, publisher, Box::new(move || clock.now()), metrics).unwrap());
        // What is there now is history; what comes later is new.
        let settled = || self.metrics.open.get() == 1 || self.metrics.errors.get() > 0;
        eventually("the first look", settled);
    }

    pub fn stop(&mut self) {
        self.source.take().into_iter().for_each(|source| source.stop().unwrap());
    }

    /// Everything that was published, in order.
    pub fn events(&self) -> Vec<Json> {
        let Some(topic) = self.registry.find("events") else { return Vec::new() };
        let pin = crossbeam_epoch::pin();
        assert_eq!(topic.oldest(), 1, "the topic does not keep what the test looks at");
        let (mut events, mut cursor) = (Vec::new(), 0);
        while let Read::Entry(offset, entry) = topic.read(cursor, &pin) {
            events.push(serde_json::from_slice(entry.body.data()).unwrap());
            cursor = offset;
        }
        events
    }

    fn published(&self) -> u64 {
        self.registry.find("events").map_or(0, |topic| topic.head())
    }

    /// The events, once there are so many, and after all recent rows were looked at again.
    #[track_caller]
    pub fn settled(&self, events: usize) -> Vec<Json> {
        eventually(&format!("{events} events instead of {}", self.published()), || {
            self.published() >= events as u64
        });
        std::thread::sleep(20 * POLL);
        let all = self.events();
        let ids: Vec<_> = all.iter().map(|event| &event["event_id"]).collect();
        assert_eq!(all.len(), events, "{ids:?}");
        all
    }

    /// Ids in the order of their events; those published again with an exclamation mark.
    #[track_caller]
    pub fn ids(&self, events: usize) -> Vec<String> {
        let id = |event: &Json| {
            let mark = if event["updated"] == true { "!" } else { "" };
            format!("{}{mark}", event["event_id"].as_str().unwrap())
        };
        self.settled(events).iter().map(id).collect()
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Opens a database as its writers do.
pub fn open(path: &Path) -> Connection {
    let database = Connection::open(path).unwrap();
    database.busy_timeout(Duration::from_secs(10)).unwrap();
    database.pragma_update(None, "journal_mode", "WAL").unwrap();
    database
}

/// Adds plain rows with these ids.
pub fn insert(database: &Connection, ids: &[&str]) {
    let sql = "INSERT INTO agent_events (event_id, agent_id, event_type, session_id, timestamp)
        VALUES (?1, 'a', 'tool_call', 's', '2024-01-16 12:00:00')";
    for id in ids {
        database.execute(sql, [id]).unwrap();
    }
}
