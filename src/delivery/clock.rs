//! The one place where the clocks are read.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::engine::Now;

/// The process's clocks.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Monotonic time counts from here.
    #[allow(clippy::disallowed_methods, reason = "this is the place that the ban points to")]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Both clocks.
    #[allow(clippy::disallowed_methods, reason = "this is the place that the ban points to")]
    pub fn now(&self) -> Now {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { unix_ms: since_epoch.as_millis() as u64, micros: self.start.elapsed().as_micros() as u64 }
    }
}
