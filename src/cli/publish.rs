//! `millrace publish`: an event from the command line, or each line of standard input, in batches over NDJSON. A batch is
//! sent again when the server was lost or asked to wait; idempotency keys keep its events from being published twice.

use std::io::{self, BufReader, IsTerminal};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bytes::Bytes;
use hyper::header::CONTENT_TYPE;
use hyper::{Response, StatusCode, body::Incoming};
use tokio::sync::mpsc::Receiver;

use super::backoff::{Backoff, Random};
use super::connection::{self, Connection, Target};
use super::publish_batch::{Answer, Attributes, Batch};
use super::publish_lines::{self, Line};

/// How long a batch waits for another line.
const LINGER: Duration = Duration::from_millis(10);
/// How often the line of progress is written.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);
/// First wait before a retry.
const RETRY_BASE: Duration = Duration::from_millis(100);

const EXAMPLES: &str = "\
Examples:
  millrace publish logs.api '{\"status\":200}' --type request
  tail -f api.log | millrace publish logs.api
  millrace publish metrics.host-1 --key cpu < cpu.ndjson

A line that is JSON is published as it is, any other as a JSON string. A JSON object with `data`
and nothing but `type`, `id`, `key`, `tags`, `idempotency_key` besides is an envelope. The last
position is printed at the end; lines that failed are told on standard error.";

/// Flags of `publish`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Publish {
    /// Topic to publish to.
    topic: String,
    /// One event; without it each line of standard input is one.
    data: Option<String>,
    #[command(flatten)]
    attributes: Attributes,
    #[command(flatten)]
    target: Target,
    /// Give up when a batch could not be published for this many seconds.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    give_up: u64,
}

/// What happened so far.
#[derive(Default)]
struct Tally {
    published: u64,
    failed: u64,
    position: Option<(u64, u64)>,
}

struct Publisher {
    connection: Connection,
    path: String,
    run: String,
    attributes: Attributes,
    give_up: Duration,
    tally: Tally,
    progress: Progress,
}

impl Publish {
    /// Runs it.
    ///
    /// # Errors
    /// When the server refuses or stays away.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let mut publisher = Publisher {
            connection: Connection::new(&self.target)?,
            path: format!("/v1/topics/{}", connection::encode(&self.topic)),
            run: format!("cli-{:016x}", Random::new().bits()),
            attributes: self.attributes,
            give_up: Duration::from_secs(self.give_up),
            tally: Tally::default(),
            progress: Progress::new(),
        };
        match self.data {
            Some(data) => publisher.one(&data).await?,
            None => publisher.all(publish_lines::read(BufReader::new(io::stdin()))).await?,
        }
        publisher.end()
    }
}

impl Publisher {
    async fn one(&mut self, data: &str) -> anyhow::Result<()> {
        let mut batch = Batch::default();
        batch.push(1, data, &self.attributes, &self.run)?;
        self.publish(batch).await
    }

    async fn all(&mut self, mut lines: Receiver<Line>) -> anyhow::Result<()> {
        let mut batch = Batch::default();
        while let Some(line) = next_line(&mut lines, &mut batch, self).await? {
            self.add(&mut batch, line)?;
            if batch.is_full() {
                self.publish(std::mem::take(&mut batch)).await?;
            }
        }
        self.publish(batch).await
    }

    fn add(&mut self, batch: &mut Batch, line: Line) -> anyhow::Result<()> {
        match line.text {
            Ok(text) if text.trim().is_empty() => Ok(()),
            Ok(text) => batch.push(line.number, &text, &self.attributes, &self.run),
            Err(why) => {
                self.fail(line.number, why);
                Ok(())
            }
        }
    }

    fn fail(&mut self, line: u64, why: &str) {
        self.progress.clear();
        eprintln!("line {line}: {why}");
        self.tally.failed += 1;
    }

    /// Sends a batch until it is answered.
    async fn publish(&mut self, batch: Batch) -> anyhow::Result<()> {
        if batch.lines.is_empty() {
            return Ok(());
        }
        let body = Bytes::from(batch.body);
        let mut backoff = Backoff::new(RETRY_BASE);
        let deadline = Instant::now() + self.give_up;
        let answer = loop {
            let (problem, hint) = match self.attempt(&body, batch.lines.len()).await? {
                Attempt::Answered(answer) => break answer,
                Attempt::Again(problem, hint) => (problem, hint),
            };
            let wait = hint.unwrap_or_default().max(backoff.next());
            if Instant::now() + wait > deadline {
                return Err(problem.context(format!("gave up after {} s", self.give_up.as_secs())));
            }
            self.progress.note(&format!("{problem:#}; trying again in {wait:.1?}"));
            tokio::time::sleep(wait).await;
        };
        self.account(&answer, &batch.lines);
        Ok(())
    }

    async fn attempt(&mut self, body: &Bytes, lines: usize) -> anyhow::Result<Attempt> {
        let request = connection::request("POST", &self.path).header(CONTENT_TYPE, "application/x-ndjson");
        match self.connection.send(request, body.clone()).await {
            Ok(answer) => judge(answer, lines).await,
            Err(error) => Ok(Attempt::Again(error, None)),
        }
    }

    fn account(&mut self, answer: &Answer, lines: &[u64]) {
        for failed in &answer.failed {
            let line = failed.line.checked_sub(1).and_then(|index| lines.get(index));
            self.fail(line.copied().unwrap_or(0), &failed.error);
        }
        self.tally.published += answer.published;
        self.tally.position = answer.last.map(|last| (answer.epoch, last)).or(self.tally.position);
        self.progress.show(&self.tally);
    }

    fn end(mut self) -> anyhow::Result<ExitCode> {
        self.progress.clear();
        if let Some((epoch, offset)) = self.tally.position {
            io::Write::write_all(&mut io::stdout(), format!("{epoch}:{offset}\n").as_bytes())?;
        }
        if self.tally.failed == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        eprintln!("{} published, {} failed", self.tally.published, self.tally.failed);
        Ok(ExitCode::FAILURE)
    }
}

/// The next line; what waits is published first when none comes soon.
async fn next_line(
    lines: &mut Receiver<Line>,
    batch: &mut Batch,
    publisher: &mut Publisher,
) -> anyhow::Result<Option<Line>> {
    if !batch.lines.is_empty() {
        match tokio::time::timeout(LINGER, lines.recv()).await {
            Ok(line) => return Ok(line),
            Err(_) => publisher.publish(std::mem::take(batch)).await?,
        }
    }
    Ok(lines.recv().await)
}

enum Attempt {
    Answered(Answer),
    Again(anyhow::Error, Option<Duration>),
}

/// What an answer means: done, later, or never.
async fn judge(answer: Response<Incoming>, lines: usize) -> anyhow::Result<Attempt> {
    let (status, hint) = (answer.status(), connection::retry_after(&answer));
    let body = match connection::read_all(answer).await {
        Ok(body) => body,
        Err(error) => return Ok(Attempt::Again(error, hint)),
    };
    if connection::is_temporary(status) {
        return Ok(Attempt::Again(anyhow::anyhow!(connection::refusal(status, &body)), hint));
    }
    understand(status, &body, lines).map(Attempt::Answered)
}

fn understand(status: StatusCode, body: &[u8], lines: usize) -> anyhow::Result<Answer> {
    let answer: Option<Answer> = serde_json::from_slice(body).ok();
    if status.is_success() {
        return answer.context(
            "the server answered in a way this command does not understand; are their versions alike?",
        );
    }
    let refusal = connection::refusal(status, body);
    match answer {
        Some(answer) if !answer.failed.is_empty() => Ok(answer),
        _ if lines == 1 && status == StatusCode::PAYLOAD_TOO_LARGE => Ok(too_large(refusal)),
        _ => bail!(refusal),
    }
}

/// A refusal of a batch of one is about its line, and the next ones may be fine.
fn too_large(error: String) -> Answer {
    let failed = vec![super::publish_batch::Failed { line: 1, error }];
    Answer { failed, ..Answer::default() }
}

/// The line of progress, on a terminal only.
struct Progress {
    terminal: bool,
    started: Instant,
    shown: Option<Instant>,
}

impl Progress {
    fn new() -> Self {
        Self { terminal: io::stderr().is_terminal(), started: Instant::now(), shown: None }
    }

    fn show(&mut self, tally: &Tally) {
        let due = self.shown.is_none_or(|shown| shown.elapsed() >= PROGRESS_EVERY);
        if self.terminal && due {
            let rate = tally.published as f64 / self.started.elapsed().as_secs_f64().max(0.001);
            eprint!("\r\x1b[K{} published, {rate:.0}/s", tally.published);
            self.shown = Some(Instant::now());
        }
    }

    fn clear(&mut self) {
        if self.shown.take().is_some() {
            eprint!("\r\x1b[K");
        }
    }

    fn note(&mut self, text: &str) {
        self.clear();
        eprintln!("{text}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED: &[u8] = br#"{"topic":"a","epoch":1,"published":0,"first":null,"last":null,"failed":[{"line":1,"error":"x"}]}"#;
    const REFUSED: &[u8] = br#"{"error":{"code":"c","message":"m"}}"#;

    #[test]
    fn failed_lines_are_an_answer_and_refusals_are_not() {
        assert_eq!(understand(StatusCode::BAD_REQUEST, FAILED, 1).unwrap().failed.len(), 1);
        assert!(understand(StatusCode::FORBIDDEN, REFUSED, 1).unwrap_err().to_string().contains(": m"));
        assert!(understand(StatusCode::OK, b"<html>", 1).is_err());
    }

    #[test]
    fn an_event_that_is_too_large_fails_alone() {
        assert_eq!(understand(StatusCode::PAYLOAD_TOO_LARGE, REFUSED, 1).unwrap().failed[0].line, 1);
        assert!(understand(StatusCode::PAYLOAD_TOO_LARGE, REFUSED, 2).is_err());
    }
}
