//! `millrace demo`: a server with a live feed, to look at before writing a line of code. The feed publishes over HTTP like
//! any backend. Keeps little: the demo may run for weeks.

use std::io::{self, IsTerminal, Write};
use std::net::TcpListener;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use hyper::header::CONTENT_TYPE;

use super::backoff::Random;
use super::connection::{self, Connection, Target};
use super::feed::{ANALYSIS, Feed, SESSION, TOPICS};
use super::serve;
use super::signals::Stop;
use crate::config::Config;
use crate::server::Server;

/// Ports tried after the one asked for.
const PORTS_TRIED: u16 = 100;
/// Time between the feed's requests.
const TICK: Duration = Duration::from_millis(100);
/// Ticks between two updates of the status line.
const TICKS_PER_STATUS: u64 = 10;
/// What the demo says beyond the defaults: little is kept, joins and leaves can be seen, answers come at a pace to read along, and
/// Ctrl-C ends it soon.
const SETTINGS: &str = r#"
log = "warn"
[limits]
connections = 10_000
topics = 10_000
[timing]
drain_seconds = 3
[namespaces.default]
retain_events = 2_000
retain_bytes = "4MiB"
presence = true
[respond]
words_per_second = 25
"#;

/// Flags of `demo`.
#[derive(clap::Args)]
pub struct Demo {
    /// Port; the next free one is taken when it is not.
    #[arg(long, default_value_t = 8000)]
    port: u16,
    /// Events a second.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// Print the address only.
    #[arg(long)]
    quiet: bool,
}

impl Demo {
    /// Runs it.
    ///
    /// # Errors
    /// When no port is free or the server cannot start.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let port = free_port(self.port)?;
        if port != self.port && self.port != 0 && !self.quiet {
            println!("port {} is taken, using {port}", self.port);
        }
        let text = format!("listen = [\"127.0.0.1:{port}\"]\n{SETTINGS}");
        let config = Config::from_toml("demo", &text)?;
        serve::start_logging(&config)?;
        serve::runtime(&config)?.block_on(self.serve(config))?;
        Ok(ExitCode::SUCCESS)
    }

    async fn serve(self, config: Config) -> anyhow::Result<()> {
        let stop = Stop::listen()?;
        let server = Server::bind(config)?;
        let url = server.addresses().first().cloned().context("the server has no address")?;
        println!("listening on {url}");
        if !self.quiet {
            println!("{}", guide(&url, &program()));
        }
        let connection = Connection::new(&Target { url, token: None })?;
        let status = !self.quiet && io::stdout().is_terminal();
        let result = tokio::select! {
            result = server.run(stop.first()) => result,
            never = publish(connection, self.rate, status) => never,
        };
        if status {
            println!();
        }
        result
    }
}

/// What the user has called to get here, so that the same works again.
fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "millrace".into())
}

/// The port asked for, or the next one nobody listens on.
fn free_port(first: u16) -> anyhow::Result<u16> {
    let last = first.saturating_add(PORTS_TRIED);
    let free = (first..=last).find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.with_context(|| format!("no port from {first} to {last} is free; give another with --port"))
}

/// What to try, ready to paste into any shell: so without remarks behind the commands, which zsh takes for arguments. Everybody may do
/// everything here, so no line needs a token. `program` is what this one was called by.
fn guide(url: &str, program: &str) -> String {
    let socket = url.replacen("http", "ws", 1);
    let [planner, _, tokens, metrics, _, logs] = TOPICS;
    format!(
        "
A live feed is being published, and every protocol shows it. In another terminal, try

topics: Server-Sent Events, NDJSON, WebSocket, what is kept, publishing, a client that resumes

  curl -N -H 'Accept: text/event-stream' '{url}/v1/topics/{tokens}'
  curl -N -H 'Accept: application/x-ndjson' '{url}/v1/topics/{logs}'
  {program} connect '{socket}/v1/topics/{planner}'
  curl '{url}/v1/topics/{metrics}?limit=3'
  curl --json '{{\"hello\":\"world\"}}' '{url}/v1/topics/{logs}'
  {program} subscribe --url {url} 'agents.**' --from oldest

stream: one stream (there are messages, reasoning and logs too), several over one connection

  {program} connect '{socket}/v1/stream/telemetry'
  {program} connect '{socket}/v1/stream/all' --send '{{\"type\":\"subscribe\",\"streams\":[\"message\",\"reasoning\"]}}'

events: a session in batches, its errors only, all sessions one by one, which sessions there are

  {program} connect '{socket}/ws/events/{SESSION}'
  {program} connect '{socket}/ws/events/{SESSION}?filter=%7B%22statuses%22:%5B%22error%22%5D%7D'
  {program} connect '{socket}/ws/events'
  curl '{url}/api/sessions'

channels: two of them over WebSocket, sessions as Server-Sent Events

  {program} connect '{socket}/v1/ws' --send '{{\"type\":\"subscribe\",\"channels\":[\"sessions\",\"system\"]}}'
  curl -N '{url}/v1/events/subscribe?events=session.*'

analysis: one after another as it goes on, the same from the oldest event that is kept, how far it is

  {program} connect '{socket}/api/v1/ws/analysis/{ANALYSIS}'
  {program} connect '{socket}/api/v1/ws/analysis/{ANALYSIS}?last_sequence=0'
  curl '{url}/api/v1/ws/analysis/{ANALYSIS}/status'

chat: a question to the manual of a car, answered word by word; another, answered at once; one to an agent, as Server-Sent Events

  {program} connect '{socket}/ws/chat' --send '{{\"type\":\"message\",\"message\":\"What is the engine power?\"}}'
  curl --json '{{\"message\":\"When is the oil changed?\"}}' '{url}/api/v1/chat'
  curl -N --json '{{\"agent_id\":\"troubleshooting\",\"goal\":\"My car will not start\"}}' -H 'Accept: text/event-stream' '{url}/v1/sessions/execute'

chat in a browser: a page that goes on where it was after a reload; any token is good here

  {url}/ws/test#token=demo

Any other WebSocket client does as well: websocat, wscat, `python3 -m websockets URL`.
Ctrl-C ends the demo.
"
    )
}

/// Publishes for ever. A server that is not there yet, or drains, is tried again with the next tick.
async fn publish(mut connection: Connection, rate: u32, status: bool) -> anyhow::Result<()> {
    let mut feed = Feed::new(Random::new(), rate);
    let mut ticks = tokio::time::interval(TICK);
    let (mut published, mut owed) = (0u64, 0.0f64);
    for tick in 0u64.. {
        ticks.tick().await;
        owed += f64::from(rate) * TICK.as_secs_f64();
        let body = (0..owed as u64).map(|_| format!("{}\n", feed.next())).collect::<String>();
        let count = owed as u64;
        owed -= count as f64;
        if count > 0 {
            published += send(&mut connection, body).await.unwrap_or(0);
        }
        if status && tick % TICKS_PER_STATUS == 0 {
            show(&mut connection, published).await;
        }
    }
    Ok(())
}

/// How many events of `body` were published.
async fn send(connection: &mut Connection, body: String) -> anyhow::Result<u64> {
    let request = connection::request("POST", "/v1/publish").header(CONTENT_TYPE, "application/x-ndjson");
    let answer = connection.send(request, Bytes::from(body)).await?;
    let status = answer.status();
    let body = connection::read_all(answer).await?;
    anyhow::ensure!(status.is_success(), connection::refusal(status, &body));
    let report: serde_json::Value = serde_json::from_slice(&body)?;
    report["published"].as_u64().context("no count of what was published")
}

async fn show(connection: &mut Connection, published: u64) {
    let subscriptions = subscriptions(connection).await.unwrap_or(0);
    let plural = if subscriptions == 1 { "" } else { "s" };
    print!("\r\x1b[K{published} events published, {subscriptions} subscription{plural}");
    let _ = io::stdout().flush();
}

/// Asks the server, as anybody could.
async fn subscriptions(connection: &mut Connection) -> anyhow::Result<u64> {
    let answer = connection.send(connection::request("GET", "/v1/topics"), Bytes::new()).await?;
    let list: serde_json::Value = serde_json::from_slice(&connection::read_all(answer).await?)?;
    let topics = list["topics"].as_array().context("no list of topics")?;
    Ok(topics.iter().filter_map(|topic| topic["subscribers"].as_u64()).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_free_port_is_taken() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_ne!(free_port(port).unwrap(), port);
    }

    #[test]
    fn the_settings_are_right_and_the_guide_names_every_way() {
        Config::from_toml("demo", SETTINGS).unwrap();
        let guide = guide("http://127.0.0.1:9", "target/debug/millrace");
        for way in [
            "text/event-stream",
            "x-ndjson",
            "ws://127.0.0.1:9/v1/topics/agents",
            "curl --json",
            "  target/debug/millrace subscribe",
            "  target/debug/millrace connect 'ws://127.0.0.1:9/v1/topics",
            "ws://127.0.0.1:9/v1/stream/all",
            "ws://127.0.0.1:9/ws/events/session-123",
            "ws://127.0.0.1:9/v1/ws",
            "ws://127.0.0.1:9/api/v1/ws/analysis/demo?last_sequence=0",
            "ws://127.0.0.1:9/ws/chat",
            "http://127.0.0.1:9/api/v1/chat",
            "http://127.0.0.1:9/v1/sessions/execute",
            "  http://127.0.0.1:9/ws/test#token=demo",
        ] {
            assert!(guide.contains(way), "{way}");
        }
        assert!(!guide.contains(" #"), "a remark behind a command is part of it in some shells");
    }
}
