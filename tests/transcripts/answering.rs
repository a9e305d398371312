//! Who answers questions in a simulation: the real desk, on a runtime that runs when it is told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use millrace::config::Config;
use millrace::dialect::sessions::Sessions;
use millrace::engine::{Counts, Now, Publish, Registry};
use millrace::respond::Desk;
use millrace::server::{assembly, responders};
use tokio::runtime::{Builder, Runtime};

/// How often tasks that answer are run before they are taken to wait for something else.
const POLLS: usize = 64;

pub struct Answering {
    desk: Arc<Desk>,
    /// What the desk takes for the time, microseconds.
    time: Arc<AtomicU64>,
    runtime: Runtime,
}

impl Answering {
    /// Whoever plays the script that a question is; `None` where the transcript does not want that.
    pub fn new(
        config: &Config,
        registry: &Arc<Registry>,
        counts: &Arc<Counts>,
        at: fn(u64) -> Now,
    ) -> Option<Self> {
        let agents = || responders::agents(config, &responders::workshop(config)).unwrap();
        let agents = (config.respond.agent == "script").then(agents)?;
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        let time = Arc::new(AtomicU64::new(0));
        let told = Arc::clone(&time);
        let clock = Box::new(move || at(told.load(Ordering::SeqCst)));
        let within = runtime.enter();
        let (registry, counts) = (Arc::clone(registry), Arc::clone(counts));
        let desk = Desk::new(assembly::desk(config), agents, registry, counts, Arc::default(), clock);
        drop(within);
        Some(Self { desk: Arc::new(desk), time, runtime })
    }

    pub fn sessions(&self) -> Arc<dyn Sessions> {
        Arc::clone(&self.desk) as _
    }

    pub fn publish_through(&self, publisher: Arc<dyn Publish>) {
        self.desk.publish_through(publisher);
    }

    /// Lets answers go on until nothing more comes of them.
    pub fn go_on(&self, now: Now) {
        self.time.store(now.micros, Ordering::SeqCst);
        self.runtime.block_on(async {
            for _ in 0..POLLS {
                tokio::task::yield_now().await;
            }
        });
    }

    /// The server is about to end.
    pub fn close(&self) {
        self.desk.close();
    }
}
