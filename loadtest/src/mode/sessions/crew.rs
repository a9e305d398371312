//! The workers: they take one job of each session and say what they are told to.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::link::Link;
use crate::floor::Fault;
use crate::target::Target;
use crate::wire::Transport;

/// Jobs that a worker may have, at most.
const CAPACITY: usize = 1000;
/// The queue that is asked for jobs.
pub const QUEUE: &str = "load";

struct Job {
    worker: usize,
    id: String,
    /// The number that its next message has.
    next: u64,
    /// A token that is said behind its successor, to show that it is noticed.
    held: Option<String>,
}

/// All workers.
pub struct Crew {
    /// Their connections.
    pub links: Vec<Link>,
    jobs: Vec<Option<Job>>,
    fault: Fault,
    text: String,
    /// Answers that were taken whole.
    pub acknowledged: usize,
}

impl Crew {
    /// `workers` connections, for the jobs of `sessions`.
    pub fn open(target: &Target, workers: usize, sessions: usize, token: Option<&str>) -> Result<Self> {
        let capacity = sessions.div_ceil(workers);
        ensure!(capacity <= CAPACITY, "{sessions} sessions need {} workers", sessions.div_ceil(CAPACITY));
        let open = |n| {
            let path = format!("/v1/work/{QUEUE}?worker=load-{n}&capacity={capacity}");
            Link::open(target.addr, Transport::Ws, &path, token)
        };
        let links = (0..workers).map(open).collect::<Result<_>>()?;
        let jobs = (0..sessions).map(|_| None).collect();
        Ok(Self { links, jobs, fault: Fault::from_environment(), text: String::new(), acknowledged: 0 })
    }

    /// Reads what is there for worker `worker`.
    pub fn read(&mut self, worker: usize, scratch: &mut [u8]) -> Result<()> {
        let mut texts = Vec::new();
        let got = self.links[worker].read(scratch, |text| texts.push(text.to_vec()))?;
        ensure!(got.open, "the server closed the connection of a worker");
        texts.iter().try_for_each(|text| self.message(worker, text))
    }

    fn message(&mut self, worker: usize, text: &[u8]) -> Result<()> {
        let message: Value = serde_json::from_slice(text)?;
        match message["type"].as_str() {
            Some("job") => self.job(worker, &message)?,
            Some("ack") => self.acknowledged += 1,
            Some("ready" | "pong") => {}
            _ => bail!("a worker was told {message}"),
        }
        Ok(())
    }

    fn job(&mut self, worker: usize, message: &Value) -> Result<()> {
        let session = message["session_id"].as_str().and_then(|id| id.strip_prefix('s')?.parse().ok());
        let place = session.and_then(|session: usize| self.jobs.get_mut(session));
        let id = message["job_id"].as_str().context("a job without an id")?.to_owned();
        *place.context("a job of a session that was not asked")? =
            Some(Job { worker, id, next: 1, held: None });
        Ok(())
    }

    /// Whether every session has a worker.
    pub fn is_complete(&self) -> bool {
        self.jobs.iter().all(Option::is_some)
    }

    /// Says token `number` of the answer of `session`, or what the fault makes of it.
    pub fn token(&mut self, session: usize, faulty: bool, mut text: String) -> Result<()> {
        match if faulty { self.fault } else { Fault::None } {
            Fault::None => {}
            Fault::Drop => return Ok(()),
            Fault::Duplicate => self.text(session, &text)?,
            Fault::Reorder => {
                self.jobs[session].as_mut().context("no job")?.held = Some(text);
                return Ok(());
            }
            Fault::Corrupt => text.insert(0, 'x'),
        }
        self.text(session, &text)?;
        let held = self.jobs[session].as_mut().and_then(|job| job.held.take());
        held.map_or(Ok(()), |held| self.text(session, &held))
    }

    fn text(&mut self, session: usize, content: &str) -> Result<()> {
        self.say(session, |out, id, n| {
            let text =
                format_args!("{{\"type\":\"text\",\"job_id\":\"{id}\",\"n\":{n},\"content\":\"{content}\"}}");
            let _ = out.write_fmt(text);
        })
    }

    /// Says that the answer of `session` is complete.
    pub fn done(&mut self, session: usize) -> Result<()> {
        self.say(session, |out, id, n| {
            let _ = write!(out, "{{\"type\":\"done\",\"job_id\":\"{id}\",\"n\":{n}}}");
        })?;
        self.jobs[session] = None;
        Ok(())
    }

    fn say(&mut self, session: usize, put: impl FnOnce(&mut String, &str, u64)) -> Result<()> {
        let Self { jobs, links, text, .. } = self;
        let job = jobs[session].as_mut().context("a session without a job")?;
        text.clear();
        put(text, &job.id, job.next);
        job.next += 1;
        links[job.worker].say(text);
        Ok(())
    }

    /// Writes what was said as far as the sockets take it.
    pub fn flush(&mut self) -> Result<()> {
        self.links.iter_mut().try_for_each(Link::flush)
    }
}
