//! Settings of workers: processes that answer questions.

use std::time::Duration;

use super::choice::OnLost;
use super::kind::{Count, Seconds};
use super::section::section;
use crate::limits;

section! {
    /// Workers.
    Worker = "worker" {
        /// Time for which a job is a worker's from its last sign of life on: any message about it, or `renew`.
        lease_seconds: Seconds<1> = Duration::from_secs(limits::WORKER_LEASE_SECONDS);
        /// What becomes of a job whose worker gives no sign of life: `retry` has another worker answer from the beginning, and readers are told; `fail` ends the turn with `CONNECTION_LOST`. A job that a worker gives back always goes to another.
        on_lost: OnLost = OnLost::Retry;
        /// Workers that a question is given to in turn before it fails with `CONNECTION_LOST`.
        attempts: Count<1> = limits::WORKER_ATTEMPTS;
        /// Questions of a queue that wait for a worker; another fails with `RATE_LIMITED`. Each holds what its job says.
        queue_jobs: Count<1> = limits::WORKER_QUEUE_JOBS;
        /// Time for which a question waits for a worker before it fails with `TIMEOUT`.
        wait_seconds: Seconds<1> = Duration::from_secs(limits::WORKER_WAIT_SECONDS);
    }
}
