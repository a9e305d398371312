//! `sessions`: answers of workers, token by token, to the readers of many sessions; and how soon the embedded responder begins.
//!
//! This process is the workers and the readers. Each token says whose it is, its number, and when it was said; its latency is
//! from there to its reading. Half of the readers read SSE, half the chat's WebSocket, over which the questions are asked too.
//! Sessions are asked again in each round, so that the second begins with logs that are full: what memory grows by then is not
//! bounded by what is kept.

mod books;
mod crew;
mod first;
mod link;
mod stage;

use anyhow::{Result, ensure};

use super::Context;
use crate::proc::settled_rss;
use crate::progress;
use crate::report::Report;
use crate::side::{self, Pace, Shape, Until};
use crate::stats::median;
use crate::target::{Needs, Target};
use crate::wire::Transport;
use stage::{Round, Size, Stage};

/// Bytes that the floor's events have in a message besides these: as short as it has them.
const FLOOR_SIZE: usize = 2;

/// Options of `sessions`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// How many sessions
    #[arg(long, default_value_t = 1000)]
    pub sessions: usize,
    /// Tokens of each answer
    #[arg(long, default_value_t = 500)]
    pub tokens: u64,
    /// Tokens a second, of each session
    #[arg(long, default_value_t = 50.0)]
    pub rate: f64,
    /// Readers of each session: by turns over the chat's WebSocket and SSE
    #[arg(long, default_value_t = 2)]
    pub readers: usize,
    /// Connections of workers
    #[arg(long, default_value_t = 4)]
    pub workers: usize,
    /// Questions to each session, one after the other
    #[arg(long, default_value_t = 2)]
    pub rounds: usize,
    /// Milliseconds for which tokens may wait to be read together
    #[arg(long, default_value_t = 0)]
    pub linger: u32,
    /// Do not run the floor
    #[arg(long)]
    pub no_floor: bool,
    /// Measure instead how soon the embedded responder says its first token
    #[arg(long)]
    pub first_token: bool,
    /// Questions for --first-token, of each kind
    #[arg(long, default_value_t = 400)]
    pub questions: usize,
}

impl Args {
    fn size(&self) -> Size {
        Size { sessions: self.sessions, readers: self.readers, tokens: self.tokens, rate: self.rate }
    }

    /// A log keeps as many events as an answer has tokens, so that each is full after the first.
    fn needs(&self) -> Needs {
        let mut needs = Needs::connections(self.sessions * self.readers + self.workers);
        let (sessions, tokens, pieces) = (self.sessions + 1000, self.tokens, self.tokens * 2);
        needs.more = format!(
            "[respond]\nresponder = \"worker\"\nagent = \"{queue}\"\n\n[agents.{queue}]\nresponder = \"worker\"\n\n\
             [sessions]\nper_user = {sessions}\nrunning_per_user = 0\nanswer_tokens = {pieces}\nanswer_bytes = \"64MiB\"\n\
             history_turns = 0\n\n[worker]\nqueue_jobs = {sessions}\n\n\
             [namespaces.\"sessions.**\"]\nretain_events = {tokens}\nretain_seconds = 3600\nlinger_ms = {linger}\n",
            queue = crew::QUEUE,
            linger = self.linger,
        );
        needs
    }
}

/// The memory of the server, where it is known.
struct Memory {
    before: Option<u64>,
    after: Vec<u64>,
}

/// The server with its sessions, then the floor.
pub fn run(context: &Context, args: &Args) -> Result<Report> {
    if args.first_token {
        return first::run(context, args.questions);
    }
    ensure!(
        args.sessions > 0 && args.readers > 0 && args.workers > 0,
        "sessions, readers and workers are needed"
    );
    ensure!(args.tokens > 0 && args.rate > 0.0, "tokens and a rate are needed");
    let server = context.start_server(&args.needs())?;
    let mut report = describe(args);
    measure(context, args, &server, &mut report)?;
    if !args.no_floor {
        let floor = floor(context, args)?;
        report.numbers([
            ("floor_cpu_us_per_delivery", floor.cpu_per_delivery()),
            ("floor_core_share", floor.cpu_us.map(|cpu| cpu / 1e6 / floor.seconds)),
            ("floor_bytes_per_delivery", Some(floor.bytes as f64 / floor.deliveries.max(1) as f64)),
            ("floor_p99_us", Some(floor.latencies.p99)),
        ]);
        let own = report.get("server_cpu_us_per_delivery").zip(floor.cpu_per_delivery());
        report.number("floor_ratio", own.map(|(own, floor)| own / floor));
    }
    Ok(report)
}

fn describe(args: &Args) -> Report {
    let mut report = Report::new("sessions");
    report.set("sessions", args.sessions);
    report.set("tokens", args.tokens);
    report.number("rate", Some(args.rate));
    report.set("readers", args.readers);
    report.set("workers", args.workers);
    report.set("rounds", args.rounds);
    report.set("linger", args.linger);
    report
}

fn measure(context: &Context, args: &Args, server: &Target, report: &mut Report) -> Result<()> {
    progress::show(&format!("connecting {} readers", args.sessions * args.readers));
    let mut stage = Stage::open(server, args.size(), args.workers, context.server.token.as_deref())?;
    let rss = || server.pid.map(settled_rss).transpose();
    let (mut rounds, mut memory) = (Vec::new(), Memory { before: rss()?, after: Vec::new() });
    for round in 0..args.rounds.max(1) {
        progress::show(&format!("round {} of {}", round + 1, args.rounds));
        rounds.push(stage.round()?);
        memory.after.extend(rss()?);
        if stage.books.trouble.is_some() {
            break;
        }
    }
    stage.finish()?;
    figures(report, &rounds);
    remember(report, args, &memory);
    let said = rounds.len() as u64 * args.tokens * (args.sessions * args.readers) as u64;
    let late = stage.late.quantiles();
    report.latencies("", Some(stage.books.latencies.quantiles()));
    report.numbers([("late_p99_us", Some(late.p99)), ("late_max_us", Some(late.max))]);
    report.set("delivered", stage.books.tally.delivered);
    report.set("expected", said);
    report.tally(&stage.books.tally);
    report.require(stage.books.trouble.is_none(), || {
        format!("a reader was told {}", stage.books.trouble.clone().unwrap_or_default())
    });
    Ok(())
}

fn figures(report: &mut Report, rounds: &[Round]) {
    let middle = |figure: &dyn Fn(&Round) -> Option<f64>| median(rounds.iter().filter_map(figure));
    let per = |round: &Round, sum: u64| Some(sum as f64 / round.deliveries.max(1) as f64);
    report.numbers([
        ("deliveries_per_s", middle(&|round| Some(round.deliveries as f64 / round.seconds))),
        ("messages_per_s", middle(&|round| Some(round.messages as f64 / round.seconds))),
        ("server_cpu_us_per_delivery", middle(&|round| Some(round.cpu_us? / round.deliveries.max(1) as f64))),
        ("server_core_share", middle(&|round| Some(round.cpu_us? / 1e6 / round.seconds))),
        ("events_per_message", middle(&|round| Some(round.deliveries as f64 / round.messages.max(1) as f64))),
        ("bytes_per_delivery", middle(&|round| per(round, round.bytes))),
    ]);
}

fn remember(report: &mut Report, args: &Args, memory: &Memory) {
    let ends = memory.before.zip(memory.after.first().copied()).zip(memory.after.last().copied());
    let Some(((before, first), last)) = ends else { return };
    report.set("rss_bytes_before", before);
    report.set("rss_bytes_after_first", first);
    report.set("rss_bytes_after_last", last);
    report.numbers([
        ("rss_bytes_per_session", Some(last.saturating_sub(before) as f64 / args.sessions as f64)),
        ("rss_growth_ratio", Some(last as f64 / first as f64)),
    ]);
}

/// As many sockets get as many writes a second as the readers do; all of them the same event, so that next to nothing is read.
fn floor(context: &Context, args: &Args) -> Result<side::Round> {
    progress::show("the floor");
    let floor = context.start_floor(FLOOR_SIZE, None)?;
    let shape =
        Shape::plain(args.sessions * args.readers, Transport::Ws, FLOOR_SIZE, Pace::steady(args.rate));
    let mut side = context.side(&floor, &shape, "sessions")?;
    side.connect()?;
    side.round(Until::Events(args.rate as u64 / 5 + 1))?;
    let round = side.round(Until::Events(args.tokens.min((args.rate * 5.0) as u64 + 1)))?;
    side.finish()?;
    Ok(round)
}
