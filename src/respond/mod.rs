//! Request-driven streams: somebody asks, a [`Responder`] answers piece by piece, and the answer is published like everything
//! else, so that any number of readers follow it and come back to it.
//!
//! The [`Desk`] keeps the sessions: who asked what, which question is answered now and which wait, what was said before. A
//! responder sees one question at a time as a [`Job`] and speaks through a [`Sink`]; it knows neither sockets nor sessions.
//! Dropping its future cancels it.

mod agents;
mod corpus;
mod desk;
mod embedded;
mod events;
pub mod openai;
mod script;
mod sink;
mod talk;
mod turn;
mod words;
pub mod worker;

use std::pin::Pin;
use std::sync::Arc;

use crate::auth::Identity;
use crate::dialect::sessions::Question;
use crate::dialect::sessions::step::Code;

pub use agents::{Agent, Agents};
pub use corpus::{Corpus, Document, Found, Passage};
pub use desk::{Desk, Settings};
pub use embedded::Embedded;
pub use script::{SCRIPT, Script};
pub use sink::{Held, Sink};

/// A question that was asked before, and its answer as far as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// What was asked.
    pub question: Arc<str>,
    /// What was answered.
    pub answer: Arc<str>,
}

/// What a responder is to answer.
#[derive(Clone, Debug)]
pub struct Job {
    /// Id of the session, as its user knows it.
    pub session: Arc<str>,
    /// Number of the turn within the session, from 1.
    pub turn: u64,
    /// Who asks.
    pub asker: Arc<Identity>,
    /// Who answers.
    pub agent: Arc<Agent>,
    /// The name under which that was asked for, or found.
    pub agent_name: Arc<str>,
    /// What is asked.
    pub question: Question,
    /// What the answer may take into account, a JSON object.
    pub context: Option<Arc<str>>,
    /// What was asked and answered before, oldest first.
    pub history: Vec<Exchange>,
    /// Until when the answer must be there, monotonic milliseconds.
    pub deadline_ms: u64,
}

/// What is known of an answer when it is complete.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Finish {
    /// How sure it is, 0 to 1; absent where nobody can say.
    pub confidence: Option<f64>,
    /// What it rests on.
    pub sources: Vec<String>,
    /// Who has answered, where that is another than was asked.
    pub agent: Option<String>,
}

/// Why there is no answer, or not all of one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// For programs.
    pub code: Code,
    /// For people. Nothing secret: whoever reads the session is told.
    pub message: String,
    /// After how long the same question may be answered, milliseconds.
    pub retry_after_ms: Option<u64>,
}

impl Failure {
    /// A failure that time does not change.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after_ms: None }
    }
}

/// An answer under way.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Result<Finish, Failure>> + Send + 'a>>;

/// Whoever answers.
pub trait Responder: Send + Sync {
    /// Its kind, for logs and metrics.
    fn kind(&self) -> &'static str;

    /// Answers `job` through `sink`. The future is dropped when the turn is cancelled or out of time; it must not block.
    fn answer<'a>(&'a self, job: &'a Job, sink: &'a Sink) -> Answering<'a>;
}

/// Answers nothing, and says so.
pub struct Nobody;

impl Responder for Nobody {
    fn kind(&self) -> &'static str {
        "nobody"
    }

    fn answer<'a>(&'a self, _job: &'a Job, _sink: &'a Sink) -> Answering<'a> {
        let why = "this server has nobody who answers; see [respond] in its configuration";
        Box::pin(async move { Err(Failure::new(Code::Failed, why)) })
    }
}
