//! `millrace subscribe`: read topics over SSE and print them. An interruption is told and mended: the command reconnects
//! with its positions after a jittered wait, and says what could not be got back. Never loses an event silently.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::Incoming;
use hyper::header::ACCEPT;

use super::backoff::Backoff;
use super::connection::{self, Connection, Target};
use super::sse::{self, Item, Parser};
use super::subscribe_place::{Places, Selection};
use super::subscribe_print::{Close, Event, Message, Subscribed};

/// A stream that says nothing for this long is dead: servers ping several times as often.
const SILENCE_MAX: Duration = Duration::from_secs(90);
/// First wait before reconnecting, until the server hints another.
const RETRY_BASE: Duration = Duration::from_millis(500);

const EXAMPLES: &str = "\
Examples:
  millrace subscribe logs.api
  millrace subscribe logs.api --from oldest --count 10
  millrace subscribe 'agents.**' metrics.host-1 --json
  millrace subscribe logs.api --filter '{\"gt\":[\"data.status\",499]}'

What was missed (a gap, a log that began anew) is told on standard error.";

/// Flags of `subscribe`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Subscribe {
    #[command(flatten)]
    selection: Selection,
    /// Print events as the server sends them, one JSON object a line.
    #[arg(long)]
    json: bool,
    /// End after this many events.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    #[command(flatten)]
    target: Target,
}

impl Subscribe {
    /// Runs it.
    ///
    /// # Errors
    /// When the server refuses for good, or standard output fails.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let connection = Connection::new(&self.target)?;
        let backoff = Backoff::new(RETRY_BASE);
        let left = self.count.unwrap_or(u64::MAX);
        let mut reader = Reader {
            connection,
            selection: self.selection,
            json: self.json,
            left,
            places: Places::default(),
            backoff,
        };
        reader.run().await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Why a stream ended, when it is worth another.
enum End {
    /// There were as many events as were asked for.
    Done,
    /// Try again; the words and the server's hint.
    Again(String, Option<Duration>),
}

struct Reader {
    connection: Connection,
    selection: Selection,
    json: bool,
    /// Events still to print.
    left: u64,
    places: Places,
    backoff: Backoff,
}

impl Reader {
    async fn run(&mut self) -> anyhow::Result<()> {
        while self.left > 0 {
            let End::Again(why, hint) = self.stream().await? else { return Ok(()) };
            let wait = self.backoff.next().max(hint.unwrap_or_default());
            eprintln!("{why}; reconnecting in {wait:.1?}");
            if self.places.beyond() > 0 {
                eprintln!(
                    "{} topics have no room for their position and may miss events",
                    self.places.beyond()
                );
            }
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }

    /// One connection, from its request to its end.
    async fn stream(&mut self) -> anyhow::Result<End> {
        let path = self.selection.path(&self.places);
        let request = connection::request("GET", &path).header(ACCEPT, "text/event-stream");
        match self.connection.send(request, Bytes::new()).await {
            Ok(answer) if answer.status().is_success() => self.events(answer.into_body()).await,
            Ok(answer) => refused(answer).await,
            Err(error) => Ok(End::Again(format!("{error:#}"), None)),
        }
    }

    async fn events(&mut self, mut body: Incoming) -> anyhow::Result<End> {
        let mut parser = Parser::default();
        loop {
            let frame = match tokio::time::timeout(SILENCE_MAX, body.frame()).await {
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(error))) => {
                    return Ok(End::Again(format!("the stream broke off: {error}"), None));
                }
                Ok(None) => return Ok(End::Again("the stream ended".into(), None)),
                Err(_) => return Ok(End::Again("the server went silent".into(), None)),
            };
            let bytes = frame.into_data().unwrap_or_default();
            if let Some(end) = self.take(&mut parser, &bytes)? {
                return Ok(end);
            }
        }
    }

    fn take(&mut self, parser: &mut Parser, bytes: &[u8]) -> anyhow::Result<Option<End>> {
        for item in parser.feed(bytes)? {
            match item {
                Item::Retry(millis) => self.backoff.base = Duration::from_millis(millis),
                Item::Event(event) => {
                    if let Some(end) = self.message(&event)? {
                        return Ok(Some(end));
                    }
                }
            }
        }
        io::stdout().flush()?;
        Ok(None)
    }

    fn message(&mut self, sent: &sse::Event) -> anyhow::Result<Option<End>> {
        let message = Message::read(&sent.data).with_context(|| format!("not a message: {}", sent.data))?;
        match message {
            Message::Event(event) => return self.event(&event, &sent.data),
            Message::Subscribed(subscribed) => self.subscribed(&subscribed),
            Message::Gap(gap) => {
                eprintln!("{}: {} events missed ({} to {})", gap.topic, gap.missed, gap.from, gap.to);
                self.places.set(&gap.topic, gap.epoch, gap.to);
            }
            Message::Close(close) => return ended(&close).map(Some),
            Message::Other => {}
        }
        Ok(None)
    }

    fn event(&mut self, event: &Event<'_>, line: &str) -> anyhow::Result<Option<End>> {
        let text = if self.json { format!("{line}\n") } else { event.pretty() };
        io::stdout().write_all(text.as_bytes())?;
        self.places.advance(&event.topic, event.offset);
        self.backoff.reset();
        self.left -= 1;
        if self.left > 0 {
            return Ok(None);
        }
        io::stdout().flush()?;
        Ok(Some(End::Done))
    }

    fn subscribed(&mut self, subscribed: &Subscribed) {
        if let Some(topic) = &subscribed.topic {
            self.places.set(topic, subscribed.epoch, subscribed.offset);
        }
        subscribed.loss().iter().for_each(|loss| eprintln!("{loss}"));
    }
}

fn ended(close: &Close) -> anyhow::Result<End> {
    if !close.is_temporary() {
        bail!("the server closed the stream: {} ({})", close.reason, close.code);
    }
    Ok(End::Again(format!("the server closed the stream: {} ({})", close.reason, close.code), None))
}

async fn refused(answer: Response<Incoming>) -> anyhow::Result<End> {
    let (status, hint) = (answer.status(), connection::retry_after(&answer));
    let body = connection::read_all(answer).await.unwrap_or_default();
    let refusal = connection::refusal(status, &body);
    if connection::is_temporary(status) { Ok(End::Again(refusal, hint)) } else { bail!(refusal) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_closes_that_ask_for_it_are_followed_by_another_try() {
        let close = |code| ended(&Close { code, reason: "r".into() });
        assert!(matches!(close(1013), Ok(End::Again(..))));
        assert!(matches!(close(1012), Ok(End::Again(..))));
        assert!(close(1008).err().unwrap().to_string().contains("r (1008)"));
    }
}
