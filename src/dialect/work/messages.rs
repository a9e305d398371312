//! What workers are told.

use super::workshop::{Job, Joined, Why};
use crate::auth::Identity;
use crate::dialect::protocol::Fault;
use crate::dialect::sessions::{Question, step};
use crate::dialect::text::{put, put_number, put_string};
use crate::json::text::write_retry_after;

/// What is asked, by whom, and what came before.
#[derive(Clone, Copy, Debug)]
pub struct Brief<'a> {
    /// Id of the session.
    pub session: &'a str,
    /// Number of the turn.
    pub turn: u64,
    /// Who is to answer.
    pub agent: &'a str,
    /// What is asked.
    pub question: &'a Question,
    /// What the answer may take into account, a JSON object.
    pub context: Option<&'a str>,
    /// Questions and answers before, oldest first.
    pub history: &'a [(&'a str, &'a str)],
    /// Who asks.
    pub asker: &'a Identity,
}

/// The members of a job that are the same whoever gets it.
pub fn brief(brief: &Brief<'_>) -> String {
    let Brief { question, .. } = brief;
    let mut out = Vec::with_capacity(256 + question.text.len());
    put_string(&mut out, "\"session_id\":", brief.session);
    put_number(&mut out, ",\"turn\":", brief.turn);
    put_string(&mut out, ",\"agent_id\":", brief.agent);
    put_string(&mut out, ",\"question\":", &question.text);
    if let Some(customer) = &question.customer {
        put_string(&mut out, ",\"customer_id\":", customer);
    }
    put(&mut out, ",\"attachments\":[");
    for (i, attachment) in question.attachments.iter().enumerate() {
        put_string(&mut out, if i == 0 { "" } else { "," }, attachment);
    }
    put(&mut out, "],\"context\":");
    put(&mut out, brief.context.unwrap_or("{}"));
    put(&mut out, ",\"history\":[");
    for (i, (asked, answered)) in brief.history.iter().enumerate() {
        put_string(&mut out, if i == 0 { "{\"question\":" } else { ",{\"question\":" }, asked);
        put_string(&mut out, ",\"answer\":", answered);
        out.push(b'}');
    }
    put(&mut out, "],\"user\":");
    step::put_user(&mut out, brief.asker);
    String::from_utf8(out).unwrap_or_default()
}

/// A job, behind `begin`.
fn put_job(out: &mut Vec<u8>, begin: &str, job: &Job) {
    put_string(out, begin, &job.id);
    put(out, ",");
    put(out, &job.brief);
    put_number(out, ",\"attempt\":", job.attempt.into());
    put_number(out, ",\"next\":", job.next);
    put_number(out, ",\"lease_ms\":", job.lease_ms);
    put_number(out, ",\"deadline_ms\":", job.left_ms);
    put(out, "}");
}

/// A job for the worker.
pub fn job(job: &Job) -> Vec<u8> {
    let mut out = Vec::with_capacity(job.brief.len() + 160);
    put_job(&mut out, "{\"type\":\"job\",\"job_id\":", job);
    out
}

/// The answer to a worker that polls: a job, or none.
pub fn polled(job: Option<&Job>) -> Vec<u8> {
    let Some(job) = job else { return b"{\"job\":null}".to_vec() };
    let mut out = b"{\"job\":".to_vec();
    put_job(&mut out, "{\"job_id\":", job);
    out.push(b'}');
    out
}

/// The worker is known. The jobs that it has follow.
pub fn ready(queue: &str, capacity: usize, joined: &Joined) -> Vec<u8> {
    let mut out = Vec::with_capacity(160);
    put_string(&mut out, "{\"type\":\"ready\",\"queue\":", queue);
    put_string(&mut out, ",\"worker\":", &joined.name);
    put_number(&mut out, ",\"capacity\":", capacity as u64);
    put(&mut out, ",\"jobs\":[");
    for (i, job) in joined.jobs.iter().enumerate() {
        put_string(&mut out, if i == 0 { "" } else { "," }, &job.id);
    }
    put(&mut out, "]}");
    out
}

/// A job is the worker's no more.
pub fn cancel(job: &str, why: Why) -> Vec<u8> {
    let mut out = b"{\"type\":\"cancel\"".to_vec();
    put_string(&mut out, ",\"job_id\":", job);
    put_string(&mut out, ",\"reason\":", why.name());
    out.push(b'}');
    out
}

/// Everything about a job before the number `next` was taken.
pub fn ack(job: &str, next: u64) -> Vec<u8> {
    let mut out = b"{\"type\":\"ack\"".to_vec();
    put_string(&mut out, ",\"job_id\":", job);
    put_number(&mut out, ",\"next\":", next);
    out.push(b'}');
    out
}

/// A sign of life.
pub fn pong() -> Vec<u8> {
    b"{\"type\":\"pong\"}".to_vec()
}

/// A new credential is good.
pub fn authenticated() -> Vec<u8> {
    b"{\"type\":\"authenticated\"}".to_vec()
}

/// Something is wrong.
#[derive(Clone, Debug, Default)]
pub struct Wrong {
    /// For programs.
    pub code: &'static str,
    /// For people.
    pub message: String,
    /// The job that it is about.
    pub job: Option<String>,
    /// The number that the job expects.
    pub expected: Option<u64>,
    /// After how long the same may be said again, milliseconds.
    pub retry_after_ms: Option<u64>,
}

impl Wrong {
    /// Something is wrong with `job`.
    pub fn new(code: &'static str, message: impl Into<String>, job: Option<&str>) -> Self {
        Self { code, message: message.into(), job: job.map(str::to_owned), ..Self::default() }
    }

    fn put_members(&self, out: &mut Vec<u8>) {
        put_string(out, "\"code\":", self.code);
        put_string(out, ",\"message\":", &self.message);
        if let Some(job) = &self.job {
            put_string(out, ",\"job_id\":", job);
        }
        if let Some(expected) = self.expected {
            put_number(out, ",\"expected\":", expected);
        }
        if let Some(millis) = self.retry_after_ms {
            write_retry_after(out, millis);
        }
    }

    /// As a message.
    pub fn message(&self) -> Vec<u8> {
        let mut out = b"{\"type\":\"error\",".to_vec();
        self.put_members(&mut out);
        out.push(b'}');
        out
    }

    /// As the answer to a request.
    pub fn body(&self) -> Vec<u8> {
        let mut out = b"{\"error\":{".to_vec();
        self.put_members(&mut out);
        put(&mut out, "}");
        if let Some(expected) = self.expected {
            put_number(&mut out, ",\"next\":", expected);
        }
        out.push(b'}');
        out
    }
}

/// What a request about a job has come to.
pub fn progress(next: Option<u64>, is_cancelled: bool) -> Vec<u8> {
    let mut out = b"{\"next\":".to_vec();
    match next {
        Some(next) => put_number(&mut out, "", next),
        None => put(&mut out, "null"),
    }
    put(&mut out, if is_cancelled { ",\"cancelled\":true}" } else { ",\"cancelled\":false}" });
    out
}

impl From<Fault> for Wrong {
    fn from(fault: Fault) -> Self {
        Self { retry_after_ms: fault.retry_after_ms, ..Self::new(fault.code, fault.message, None) }
    }
}
