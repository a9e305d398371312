//! What the workshop counts.

use super::Counter;

/// What is counted about the jobs of workers.
#[derive(Debug, Default)]
pub struct WorkMetrics {
    /// Workers that are connected.
    pub connected: Counter,
    /// Questions that wait for a worker.
    pub waiting: Counter,
    /// That are a worker's now.
    pub leased: Counter,
    /// Questions that workers have answered.
    pub answered: Counter,
    /// That were not answered.
    pub failed: Counter,
    /// Jobs whose worker was lost.
    pub lost: Counter,
    /// Questions that were given to another worker.
    pub retried: Counter,
    /// Messages of workers that had been taken before.
    pub repeated: Counter,
}
