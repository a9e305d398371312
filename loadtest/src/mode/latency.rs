//! `latency`: publish at a steady pace and measure how long events take to each subscriber.

use anyhow::Result;

use super::lanes::{self, Lane, Schedule, ratios};
use super::{Context, Feed, fanout};
use crate::protocol::Protocol;
use crate::report::Report;
use crate::side::{Pace, Shape, Until};
use crate::stats::median;
use crate::target::Needs;

/// Options of `latency`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// How many subscribers
    #[arg(long, default_value_t = 1000)]
    pub subscribers: usize,
    /// Events a second
    #[arg(long, default_value_t = 10.0)]
    pub rate: f64,
    /// Seconds of each round
    #[arg(long, default_value_t = 2.0)]
    pub seconds: f64,
    /// Rounds for each side
    #[arg(long, default_value_t = 9)]
    pub rounds: usize,
    /// In what protocol subscribers read
    #[arg(long, value_enum, default_value = "topics")]
    pub protocol: Protocol,
    #[command(flatten)]
    feed: Feed,
    /// Do not run the floor
    #[arg(long)]
    pub no_floor: bool,
}

impl Args {
    /// The floor speaks the native protocol only.
    fn shape(&self, protocol: Protocol) -> Shape {
        Shape { protocol, ..self.feed.shape(self.subscribers, 128, Pace::steady(self.rate)) }
    }
}

/// Server and floor in turns.
pub fn run(context: &Context, args: &Args) -> Result<Report> {
    let server = context.start_server(&Needs::connections(args.subscribers))?;
    let native = args.shape(Protocol::Topics);
    let floor = (!args.no_floor).then(|| context.start_floor(native.size, None)).transpose()?;
    let mut lanes = vec![Lane::new("server", context.side(&server, &args.shape(args.protocol), "a")?)];
    if let Some(floor) = &floor {
        lanes.push(Lane::new("floor", context.side(floor, &native, "a")?));
    }
    let schedule = Schedule {
        rounds: args.rounds.max(1),
        until: Until::Seconds(args.seconds),
        warm_up: Until::Events(3),
        open_files: context.open_files,
    };
    lanes::alternate(&mut lanes, schedule)?;
    let tally = lanes::finish(&mut lanes)?;
    let mut report = report(args, &lanes);
    report.tally(&tally);
    Ok(report)
}

fn report(args: &Args, lanes: &[Lane]) -> Report {
    let mut report = Report::new("latency");
    report.about("p99_ratio");
    report.set("subscribers", args.subscribers);
    report.set("protocol", args.protocol.name());
    report.set("transport", args.feed.transport.name());
    report.number("rate", Some(args.rate));
    fanout::put_lane(&mut report, &lanes[0]);
    if let Some(floor) = lanes.get(1) {
        fanout::put_floor(&mut report, &lanes[0], floor);
        put_ratios(&mut report, &lanes[0], floor);
    }
    report
}

/// The machine stalls now and then, and hits either side: the median over many short rounds leaves that out, and so does
/// the best round of each.
fn put_ratios(report: &mut Report, server: &Lane, floor: &Lane) {
    let best = |lane: &Lane| lane.rounds.iter().map(|round| round.latencies.p99).reduce(f64::min);
    report.numbers([
        ("p50_ratio", median(ratios(server, floor, |round| Some(round.latencies.p50)))),
        ("p99_ratio", median(ratios(server, floor, |round| Some(round.latencies.p99)))),
        ("p99_best_ratio", best(server).zip(best(floor)).map(|(server, floor)| server / floor)),
    ]);
}
