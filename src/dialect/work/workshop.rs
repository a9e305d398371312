//! What the protocol asks of the workshop, where questions wait for workers and are theirs for a time. Implemented by `respond`; the
//! protocol knows it by [`Workshop`] alone.
//!
//! A job is one attempt to answer a question. Its worker numbers what it says from 1; what was said before is a repetition, and what
//! comes too early is refused by the number that is expected. A job that is lost is tried again under another id, so that nothing
//! that still comes of the old attempt can spoil the new one.

use std::fmt;
use std::sync::Arc;

use crate::dialect::protocol::Fault;
use crate::dialect::sessions::step::{Code, Step};
use crate::engine::Now;

/// Who a worker is: of two with the same name it is another one if its queue or its credential is.
#[derive(Clone, Copy, Debug)]
pub struct Worker<'a> {
    /// Where it takes jobs from.
    pub queue: &'a str,
    /// Name of its credential.
    pub who: &'a str,
    /// Its own name; `None` gives it one that is new.
    pub name: Option<&'a str>,
    /// Jobs that it can have at a time.
    pub capacity: usize,
}

/// A connection of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat {
    /// The worker.
    pub worker: u64,
    /// Which of its connections.
    pub visit: u64,
}

/// A worker that has come.
#[derive(Debug)]
pub struct Joined {
    /// Its connection.
    pub seat: Seat,
    /// Its name.
    pub name: Arc<str>,
    /// What it has had since it was here last.
    pub jobs: Vec<Job>,
}

/// A question that is a worker's now.
#[derive(Clone, Debug)]
pub struct Job {
    /// Names the question and the attempt.
    pub id: String,
    /// What is asked, as [`super::messages::brief`] writes it.
    pub brief: Arc<str>,
    /// How often it was given to somebody, this time included.
    pub attempt: u32,
    /// Number of the event that is next.
    pub next: u64,
    /// Time for which it is the worker's from its last sign of life on, milliseconds.
    pub lease_ms: u64,
    /// Time that is left for the answer, milliseconds.
    pub left_ms: u64,
}

/// Why a worker need not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Nobody wants the answer any more, or it is out of time.
    Cancelled,
    /// The worker gave no sign of life in time.
    Lapsed,
}

impl Why {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::Lapsed => "lease_expired",
        }
    }
}

/// What is new for a connection.
#[derive(Debug, Default)]
pub struct News {
    /// Another connection has come under its name; nothing else is for this one.
    pub replaced: bool,
    /// Jobs that are its own no more.
    pub over: Vec<(String, Why)>,
    /// A job for it.
    pub job: Option<Job>,
}

/// What a worker says about a job.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// A step of the answer.
    Step(Step),
    /// The answer is complete.
    Done {
        /// How sure it is, 0 to 1.
        confidence: Option<f64>,
        /// What it rests on.
        sources: Vec<String>,
        /// Who has answered, where that is another than was asked.
        agent: Option<String>,
    },
    /// There will be no answer.
    Fail {
        /// For programs.
        code: Code,
        /// For people.
        message: String,
        /// After how long the same question may be answered, milliseconds.
        retry_after_ms: Option<u64>,
    },
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// The number that is expected now.
    pub next: u64,
    /// Whether that was the last.
    pub is_end: bool,
}

/// Why something that a worker has said was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The job is over, cancelled, or somebody else's now.
    Over,
    /// Something before it is missing.
    Early {
        /// The number that is expected.
        expected: u64,
        /// Whether the worker was told so before, and nothing with that number has come since.
        is_known: bool,
    },
    /// The session takes no more now.
    Wait {
        /// The number that is expected, then.
        expected: u64,
        /// After how long, milliseconds.
        millis: u64,
    },
    /// The answer cannot be published; the job is over.
    Failed(String),
}

/// A job, as its worker names it.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// The queue it is of.
    pub queue: &'a str,
    /// Name of the credential of whoever says so.
    pub who: &'a str,
    /// Its id.
    pub job: &'a str,
}

/// See the module. Nothing here waits.
pub trait Workshop: Send + Sync {
    /// A worker comes by a connection that reads the queue's topic, and takes up what it had under its name.
    fn join(&self, worker: &Worker<'_>, now: Now) -> Joined;

    /// What is new for a connection: to be asked when it comes, and whenever its queue's topic has a notice. If it has room for a
    /// job and one waits, that is its own from now on.
    fn look(&self, seat: Seat, now: Now) -> News;

    /// A connection ends. If it takes leave, its jobs are given to others at once, otherwise when nobody of its name has come for
    /// them in time.
    fn leave(&self, seat: Seat, takes_leave: bool);

    /// A job for a worker without a connection, if one waits. Who has as many as it can have gets the oldest of them again.
    fn take(&self, worker: &Worker<'_>, now: Now) -> Option<Job>;

    /// Takes what `said` says about a job, if its number `n` is the one that is next. `None` for what was taken before.
    ///
    /// # Errors
    /// Why not.
    fn tell(&self, named: Named<'_>, n: u64, said: Said, now: Now) -> Result<Option<Told>, Refused>;

    /// A sign of life: the number that the job expects. `None` where it is the worker's no more.
    fn renew(&self, named: Named<'_>, now: Now) -> Option<u64>;

    /// A sign of life of a connection, for all its jobs.
    fn renew_all(&self, seat: Seat, now: Now);

    /// Gives a job to somebody else; whether it was there to give.
    fn release(&self, named: Named<'_>) -> bool;
}

impl fmt::Debug for dyn Workshop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Workshop")
    }
}

/// Whether a worker may be called this.
///
/// # Errors
/// What is wrong.
pub fn check_name(name: &str) -> Result<(), Fault> {
    let is_fine = (1..=crate::limits::WORKER_NAME_BYTES_MAX).contains(&name.len());
    if is_fine && !name.chars().any(char::is_control) {
        return Ok(());
    }
    let rule = format!("1 to {} bytes without control characters", crate::limits::WORKER_NAME_BYTES_MAX);
    Err(Fault::bad("worker", rule))
}
