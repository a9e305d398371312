//! `slow`: what a share of subscribers that do not read does to the others, and what becomes of them.

use anyhow::Result;

use super::actors::{self, Idlers};
use super::{Context, Feed};
use crate::proc::settled_rss;
use crate::progress;
use crate::report::Report;
use crate::side::{Pace, Round, Shape, Side, Until};
use crate::stats::{Quantiles, median, median_quantiles};
use crate::swarm::sub::Kind;
use crate::target::{Needs, SlowLimits};

/// Memory may stay this much (or a tenth) higher than before, for what allocators keep.
const MEMORY_SLACK: u64 = 1 << 20;

/// How the slow ones are slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Slowness {
    /// They do not read at all.
    Stalled,
    /// They read 512 bytes ten times a second.
    Trickle,
}

/// Options of `slow`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// How many subscribers, the slow ones included
    #[arg(long, default_value_t = 1000)]
    pub subscribers: usize,
    /// The share that is slow
    #[arg(long, default_value_t = 0.1)]
    pub share: f64,
    /// How they are slow
    #[arg(long, value_enum, default_value = "stalled")]
    pub kind: Slowness,
    /// Events a second
    #[arg(long, default_value_t = 150.0)]
    pub rate: f64,
    /// Seconds of each round
    #[arg(long, default_value_t = 6.0)]
    pub seconds: f64,
    /// Rounds without and rounds with slow ones
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    #[command(flatten)]
    feed: Feed,
}

/// What the rounds found.
#[derive(Default)]
struct Found {
    without: Vec<Round>,
    with: Vec<Round>,
    evicted: usize,
    told: usize,
    slow: usize,
}

impl Args {
    fn slow(&self) -> usize {
        ((self.subscribers as f64 * self.share.clamp(0.0, 1.0)) as usize).max(1)
    }

    fn shape(&self) -> Shape {
        self.feed.shape(self.subscribers.saturating_sub(self.slow()), 1024, Pace::steady(self.rate))
    }

    /// The log is full after the first round, so that its growth is not taken for a leak.
    fn needs(&self) -> Needs {
        let events = (self.rate * self.seconds / 3.0) as usize + 16;
        let mut needs = Needs::connections(self.subscribers * 2);
        needs.retain_events = events * 2;
        needs.slow = Some(SlowLimits { events, bytes: 256 << 10, seconds: 2 });
        needs
    }
}

/// The server alone: rounds without and with slow subscribers, in turns.
pub fn run(context: &Context, args: &Args) -> Result<Report> {
    let server = context.start_server(&args.needs())?;
    let mut side = context.side(&server, &args.shape(), "slow")?;
    side.connect()?;
    side.round(Until::Seconds(args.seconds))?;
    let rss = || server.pid.map(settled_rss).transpose();
    let before = rss()?;
    let mut found = Found::default();
    for n in 0..args.rounds.max(1) {
        progress::show(&format!("round {} of {}", n + 1, args.rounds));
        found.without.push(side.round(Until::Seconds(args.seconds))?);
        with_slow(args, &mut side, &mut found)?;
    }
    let after = rss()?;
    side.finish()?;
    Ok(report(args, &side, &found, before.zip(after)))
}

fn with_slow(args: &Args, side: &mut Side, found: &mut Found) -> Result<()> {
    let kind = match args.kind {
        Slowness::Stalled => Kind::Stalled,
        Slowness::Trickle => Kind::Trickle,
    };
    let slow = actors::add(&mut side.swarm, args.slow(), kind, args.feed.transport);
    side.swarm.connect_all(slow.clone())?;
    let mut idlers = Idlers::new(slow.clone());
    found.with.push(side.round_with(Until::Seconds(args.seconds), &mut |swarm| idlers.turn(swarm))?);
    found.slow += slow.len();
    found.evicted += idlers.evicted(&mut side.swarm)?;
    found.told += idlers.told(&side.swarm);
    slow.for_each(|i| side.swarm.close(i));
    Ok(())
}

fn latencies(rounds: &[Round]) -> Option<Quantiles> {
    let all: Vec<Quantiles> = rounds.iter().map(|round| round.latencies).collect();
    median_quantiles(&all)
}

fn report(args: &Args, side: &Side, found: &Found, memory: Option<(u64, u64)>) -> Report {
    let mut report = Report::new("slow");
    report.about("p99_ratio");
    let pairs = found.with.iter().zip(&found.without);
    let ratios = pairs.map(|(with, without)| with.latencies.p99 / without.latencies.p99);
    report.set("subscribers", args.subscribers);
    report.set("transport", args.feed.transport.name());
    report.set("slow", found.slow);
    report.set("evicted", found.evicted);
    report.set("evicted_with_1013", found.told);
    report.number("p99_ratio", median(ratios));
    report.number("deliveries_per_s", median(found.with.iter().map(Round::deliveries_per_s)));
    report
        .number("server_cpu_us_per_delivery", median(found.with.iter().filter_map(Round::cpu_per_delivery)));
    report.latencies("", latencies(&found.with));
    report.latencies("without_", latencies(&found.without));
    report.tally(&side.swarm.ledger.tally);
    let (slow, evicted) = (found.slow, found.evicted);
    report.require(evicted == slow, || format!("{evicted} of {slow} slow subscribers were evicted"));
    put_memory(&mut report, memory);
    report
}

fn put_memory(report: &mut Report, memory: Option<(u64, u64)>) {
    let Some((before, after)) = memory else { return };
    report.set("rss_bytes_before", before);
    report.set("rss_bytes_after", after);
    let back = after <= before + MEMORY_SLACK.max(before / 10);
    report.require(back, || format!("memory did not come back: {before} bytes before, {after} after"));
}
