//! The SQLite source: publishes the rows of a database that others write, as events of the `events` protocol.
//!
//! The file is read only, on a thread of its own that looks every few milliseconds whether somebody has written. It may be missing,
//! locked, replaced, packed; none of that ends the source, all of it is counted, and what it cannot read now it reads later.

mod file;
mod known;
mod outlet;
mod row;
mod table;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub use outlet::ReadClock;

use crate::engine::Publish;
use crate::limits::SQLITE_PAUSE_MS_MAX;
use crate::metrics::SqliteMetrics;
use file::{File, LookError};
use outlet::Outlet;
use row::Kind;
use table::Table;

/// What is followed, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file.
    pub path: PathBuf,
    /// Time between two looks.
    pub poll: Duration,
    /// Newest rows of each table that are published at the start.
    pub history: usize,
    /// Longest event, bytes; a row that would be longer goes without its context.
    pub event_bytes: usize,
}

/// A source that runs until it is stopped.
pub struct Source {
    stop: SyncSender<()>,
    thread: JoinHandle<()>,
}

impl Source {
    /// Begins to follow.
    ///
    /// # Errors
    /// The system has no threads left.
    pub fn start(
        settings: Settings,
        publisher: Arc<dyn Publish>,
        clock: ReadClock,
        metrics: Arc<SqliteMetrics>,
    ) -> io::Result<Self> {
        let (stop, stopped) = sync_channel(1);
        let mut follower = Follower::new(settings, Outlet::new(publisher, clock, metrics));
        let thread =
            thread::Builder::new().name("millrace-sqlite".into()).spawn(move || follower.run(&stopped))?;
        Ok(Self { stop, thread })
    }

    /// Ends it, after the rows that it is just publishing.
    ///
    /// # Errors
    /// It has ended before, by a fault of its own.
    pub fn stop(self) -> io::Result<()> {
        // Whoever does not listen has ended.
        let _ended = self.stop.try_send(());
        self.thread.join().map_err(|_| io::Error::other("the SQLite source panicked"))
    }
}

/// The thread's own.
struct Follower {
    settings: Settings,
    outlet: Outlet,
    file: Option<File>,
    /// Which file the tables know.
    followed: Option<(u64, u64)>,
    tables: [Table; 2],
    /// Looks that failed since one has not.
    failures: u32,
    /// The last fault that was logged.
    said: String,
}

impl Follower {
    fn new(settings: Settings, outlet: Outlet) -> Self {
        let tables = [Kind::AgentEvents, Kind::LiveEvents].map(|kind| Table::new(kind, settings.event_bytes));
        Self { settings, outlet, file: None, followed: None, tables, failures: 0, said: String::new() }
    }

    fn run(&mut self, stopped: &Receiver<()>) {
        loop {
            let pause = match self.look() {
                Ok(()) => self.succeeded(),
                Err(error) => self.failed(&error),
            };
            if stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    }

    /// Reads what has come since the last look.
    fn look(&mut self) -> Result<(), LookError> {
        let path = &self.settings.path;
        if self.file.as_ref().map(|file| file.is_replaced(path)).transpose()?.unwrap_or(false) {
            tracing::info!(path = %path.display(), "the database was replaced");
            self.file = None;
        }
        let file = match &mut self.file {
            Some(file) => file,
            empty => empty.insert(File::open(path)?),
        };
        if !file.is_same(self.followed) {
            self.followed = Some(file.identity());
            self.tables.iter_mut().for_each(Table::restart);
        }
        let changed = file.changes()?;
        // One snapshot: nothing is deleted or inserted between two reads.
        let snapshot = file.database.unchecked_transaction()?;
        let mut found = 0;
        for table in &mut self.tables {
            if changed.schema {
                table.learn(&snapshot)?;
            }
            found += table.look(&snapshot, changed.data, self.settings.history, &mut self.outlet)?;
        }
        snapshot.finish()?;
        self.outlet.metrics.found.set(found as u64);
        Ok(())
    }

    fn succeeded(&mut self) -> Duration {
        self.outlet.metrics.open.set(1);
        if !self.said.is_empty() || self.failures > 0 {
            tracing::info!(path = %self.settings.path.display(), "following the database");
        }
        self.said.clear();
        self.failures = 0;
        self.settings.poll
    }

    /// A locked database stays open; any other fault may be cured by opening it anew.
    fn failed(&mut self, error: &LookError) -> Duration {
        self.outlet.metrics.errors.bump(1);
        match &mut self.file {
            Some(file) if error.is_busy() => file.forget_versions(),
            _ => {
                self.file = None;
                self.outlet.metrics.open.set(0);
            }
        }
        self.say(error);
        self.failures = self.failures.saturating_add(1);
        if error.is_missing() { self.settings.poll } else { self.pause() }
    }

    fn say(&mut self, error: &LookError) {
        let error = error.to_string();
        if error != self.said {
            tracing::warn!(path = %self.settings.path.display(), error, "cannot read the database; trying again");
            self.said = error;
        }
    }

    /// Twice as long with every failure.
    fn pause(&self) -> Duration {
        let longest = Duration::from_millis(SQLITE_PAUSE_MS_MAX).max(self.settings.poll);
        self.settings.poll.saturating_mul(1 << self.failures.min(16)).min(longest)
    }
}
