//! All shards: started together, dealt connections, drained together.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use super::clock::Clock;
use super::conn::Handoff;
use super::driver::Driver;
use super::mailbox::{Letter, Mailbox};
use super::shard::Shared;
use crate::auth::Subject;
use crate::metrics::ShardMetrics;
use crate::sync::{Mutex, lock};

/// How to end: connections are closed at a pace, and what is open at the deadline is cut.
#[derive(Clone, Copy, Debug)]
pub struct Drain {
    /// Connections closed a second, by each shard.
    pub per_second: u32,
    /// When the drain began, monotonic milliseconds.
    pub now_ms: u64,
    /// When everything is cut, monotonic milliseconds.
    pub deadline_ms: u64,
    /// Least wait that clients are told before they connect again, milliseconds.
    pub retry_ms: u64,
}

struct Handle {
    mailbox: Arc<Mailbox>,
    metrics: Arc<ShardMetrics>,
    thread: Mutex<Option<JoinHandle<io::Result<()>>>>,
}

/// See the module.
pub struct Shards {
    handles: Vec<Handle>,
    next: AtomicUsize,
}

impl Shards {
    /// Starts `count` shards.
    ///
    /// # Errors
    /// The system has no descriptors or threads left.
    pub fn start(count: usize, shared: &Shared, clock: Clock) -> io::Result<Self> {
        let handles =
            (0..count).map(|index| start(index, shared.clone(), clock)).collect::<io::Result<_>>()?;
        Ok(Self { handles, next: AtomicUsize::new(0) })
    }

    /// Gives a connection to the next shard in turn.
    pub fn hand_over(&self, handoff: Box<Handoff>) {
        let index = self.next.fetch_add(1, Ordering::Relaxed) % self.handles.len();
        self.handles[index].mailbox.post(Letter::Adopt(handoff));
    }

    /// Closes the connections of a credential that was taken back.
    pub fn revoke(&self, subject: &Subject) {
        self.handles.iter().for_each(|handle| handle.mailbox.post(Letter::Revoked(subject.clone())));
    }

    /// What the shards count.
    pub fn metrics(&self) -> Vec<Arc<ShardMetrics>> {
        self.handles.iter().map(|handle| Arc::clone(&handle.metrics)).collect()
    }

    /// Closes all connections at the pace of `drain`; [`Self::join`] waits for the end.
    pub fn drain(&self, drain: Drain) {
        self.handles.iter().for_each(|handle| handle.mailbox.post(Letter::Drain(drain)));
    }

    /// Ends now, whatever is open.
    pub fn stop(&self) {
        self.handles.iter().for_each(|handle| handle.mailbox.post(Letter::Stop));
    }

    /// Waits until all shards have ended.
    ///
    /// # Errors
    /// A shard failed or panicked.
    pub fn join(&self) -> io::Result<()> {
        let threads = self.handles.iter().filter_map(|handle| lock(&handle.thread).take());
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().map_err(|_| io::Error::other("a shard panicked"))?)
    }
}

fn start(index: usize, mut shared: Shared, clock: Clock) -> io::Result<Handle> {
    shared.settings.seed = shared.settings.seed.wrapping_add(index as u64 * 2);
    let metrics = Arc::new(ShardMetrics::default());
    let driver = Driver::open(shared, Arc::clone(&metrics), clock)?;
    let mailbox = driver.mailbox();
    let thread =
        thread::Builder::new().name(format!("millrace-shard-{index}")).spawn(move || driver.run())?;
    Ok(Handle { mailbox, metrics, thread: Mutex::new(Some(thread)) })
}
