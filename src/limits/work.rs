//! Bounds of workers, and of what they say.

/// Time for which a job is a worker's from its last sign of life on, seconds (default).
pub const WORKER_LEASE_SECONDS: u64 = 30;
/// Workers that a question is given to in turn (default).
pub const WORKER_ATTEMPTS: usize = 3;
/// Questions of a queue that wait for a worker (default).
pub const WORKER_QUEUE_JOBS: usize = 1_000;
/// Time for which a question waits for a worker, seconds (default).
pub const WORKER_WAIT_SECONDS: u64 = 60;
/// Longest name of a worker, bytes.
pub const WORKER_NAME_BYTES_MAX: usize = 128;
/// Jobs that one worker can have at a time.
pub const WORKER_CAPACITY_MAX: usize = 1_000;
/// Jobs of which a connection remembers that its worker was told of their end.
pub const WORKER_OVER_MAX: usize = 64;
/// Sources that an answer names.
pub const ANSWER_SOURCES_MAX: usize = 64;
/// Longest name of a source, bytes.
pub const ANSWER_SOURCE_BYTES_MAX: usize = 1_024;
/// Longest explanation of why there is no answer, bytes.
pub const FAILURE_BYTES_MAX: usize = 1_024;
