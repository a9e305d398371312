//! `fanout` and `floor`: publish as fast as the window allows.

use anyhow::{Result, ensure};

use super::Context;
use super::lanes::{self, Lane, Schedule, ratios};
use crate::protocol::Protocol;
use crate::report::Report;
use crate::side::{Pace, Round, Shape, Until};
use crate::target::Needs;
use crate::wire::Transport;

/// What else the same server is compared with, besides the floor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Against {
    /// The same over WebSocket.
    Ws,
    /// The same over SSE.
    Sse,
    /// The same over NDJSON.
    Ndjson,
    /// The same without filters, everybody getting everything.
    All,
    /// The same in the native protocol.
    Topics,
}

/// Options of `fanout` and `floor`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// How many subscribers
    #[arg(long, default_value_t = 1000)]
    pub subscribers: usize,
    /// Bytes of data of each event
    #[arg(long, default_value_t = 128)]
    pub size: usize,
    /// Events published but not yet read by all, for each topic
    #[arg(long, default_value_t = 1)]
    pub window: usize,
    /// Events each round [default: as many as the first round has in --seconds]
    #[arg(long)]
    pub events: Option<u64>,
    /// Seconds of the first round
    #[arg(long, default_value_t = 0.5)]
    pub seconds: f64,
    /// Rounds for each side
    #[arg(long, default_value_t = 15)]
    pub rounds: usize,
    /// In what protocol subscribers read; messages are as long as native ones
    #[arg(long, value_enum, default_value = "topics")]
    pub protocol: Protocol,
    /// How events come
    #[arg(long, value_enum, default_value = "ws")]
    pub transport: Transport,
    /// Spread subscribers over so many topics
    #[arg(long, default_value_t = 1)]
    pub topics: usize,
    /// Give every subscriber a filter of its own
    #[arg(long)]
    pub filters: bool,
    /// With --filters: the share of events that each subscriber gets
    #[arg(long, default_value_t = 0.1, value_name = "SHARE")]
    pub matching: f64,
    /// Compare with the same server doing something else, too
    #[arg(long, value_enum)]
    pub against: Option<Against>,
    /// Do not run the floor
    #[arg(long)]
    pub no_floor: bool,
}

impl Args {
    fn buckets(&self) -> Option<u32> {
        self.filters.then(|| (1.0 / self.matching.clamp(0.001, 1.0)).round() as u32)
    }

    fn shape(&self) -> Shape {
        let Self { subscribers, protocol, transport, size, topics, .. } = *self;
        let (buckets, pace) = (self.buckets(), Pace::Window(self.window.max(1)));
        Shape { subscribers, protocol, transport, size, topics, buckets, carry_buckets: None, pace }
    }

    /// Without what only the server has: the floor writes everything to everybody.
    fn plain(&self) -> Shape {
        Shape { protocol: Protocol::Topics, buckets: None, carry_buckets: self.buckets(), ..self.shape() }
    }

    fn other(&self, against: Against) -> Shape {
        let transport = match against {
            Against::Ws => Transport::Ws,
            Against::Sse => Transport::Sse,
            Against::Ndjson => Transport::Ndjson,
            Against::All | Against::Topics => return self.plain(),
        };
        Shape { transport, ..self.shape() }
    }

    fn schedule(&self, context: &Context) -> Schedule {
        Schedule {
            rounds: self.rounds.max(1),
            until: self.events.map_or(Until::Seconds(self.seconds), Until::Events),
            warm_up: self.events.map_or(Until::Seconds(0.2), |events| Until::Events(events / 10 + 1)),
            open_files: context.open_files,
        }
    }

    fn needs(&self) -> Needs {
        let mut needs = Needs::connections(self.subscribers * 2);
        needs.retain_events = (self.window * 4).max(4096);
        needs
    }
}

/// Server, floor, and what else it is compared with, in turns.
pub fn run(context: &Context, args: &Args) -> Result<Report> {
    ensure!(args.subscribers > 0, "at least one subscriber is needed");
    let native = args.protocol == Protocol::Topics;
    ensure!(native || !args.filters, "filters are for --protocol topics");
    let server = context.start_server(&args.needs())?;
    let floor = (!args.no_floor).then(|| context.start_floor(args.size, args.buckets())).transpose()?;
    let mut lanes = vec![Lane::new("server", context.side(&server, &args.shape(), "a")?)];
    if let Some(against) = args.against {
        lanes.push(Lane::new("against", context.side(&server, &args.other(against), "b")?));
    }
    if let Some(floor) = &floor {
        lanes.push(Lane::new("floor", context.side(floor, &args.plain(), "a")?));
    }
    lanes::alternate(&mut lanes, args.schedule(context))?;
    report("fanout", args, &mut lanes)
}

/// The floor alone.
pub fn run_floor(context: &Context, args: &Args) -> Result<Report> {
    let floor = context.start_floor(args.size, args.buckets())?;
    let mut lanes = [Lane::new("floor", context.side(&floor, &args.plain(), "a")?)];
    lanes::alternate(&mut lanes, args.schedule(context))?;
    let mut report = report("floor", args, &mut lanes)?;
    report.set("server_cpu_us_per_delivery", serde_json::Value::Null);
    Ok(report)
}

fn report(mode: &str, args: &Args, lanes: &mut [Lane]) -> Result<Report> {
    let tally = lanes::finish(lanes)?;
    let mut report = Report::new(mode);
    describe(&mut report, args);
    put_lane(&mut report, &lanes[0]);
    if let Some(against) = lanes.iter().find(|lane| lane.name == "against") {
        put_against(&mut report, &lanes[0], against);
    }
    if let Some(floor) = lanes.iter().find(|lane| lane.name == "floor") {
        put_floor(&mut report, &lanes[0], floor);
    }
    report.tally(&tally);
    Ok(report)
}

fn describe(report: &mut Report, args: &Args) {
    report.set("subscribers", args.subscribers);
    report.set("size", args.size);
    report.set("window", args.window);
    report.set("protocol", args.protocol.name());
    report.set("transport", args.transport.name());
    report.set("topics", args.topics);
    report.set("rounds", args.rounds);
    if args.filters {
        report.set("filters", args.subscribers);
        report.number("matching", Some(args.matching));
    }
}

/// The figures of the server's own lane.
pub fn put_lane(report: &mut Report, lane: &Lane) {
    report.numbers([
        ("deliveries_per_s", lane.median(|round| Some(round.deliveries_per_s()))),
        ("events_per_round", lane.median(|round| Some(round.events as f64))),
        ("server_cpu_us_per_delivery", lane.median(Round::cpu_per_delivery)),
        ("server_cpu_us_per_event", lane.median(Round::cpu_per_event)),
        ("bytes_per_delivery", lane.bytes_per_delivery()),
    ]);
    report.latencies("", lane.latencies());
}

/// The figures of the floor, and the ratios to it.
pub fn put_floor(report: &mut Report, server: &Lane, floor: &Lane) {
    let ratios = ratios(server, floor, Round::cpu_per_delivery);
    let spread = |pick: fn(f64, f64) -> f64| ratios.iter().copied().reduce(pick);
    report.numbers([
        ("floor_deliveries_per_s", floor.median(|round| Some(round.deliveries_per_s()))),
        ("floor_cpu_us_per_delivery", floor.median(Round::cpu_per_delivery)),
        ("floor_cpu_us_per_event", floor.median(Round::cpu_per_event)),
        ("floor_bytes_per_delivery", floor.bytes_per_delivery()),
        ("floor_ratio_min", spread(f64::min)),
        ("floor_ratio_max", spread(f64::max)),
        ("floor_ratio", crate::stats::median(ratios)),
    ]);
    report.latencies("floor_", floor.latencies());
}

/// With a filter the events are what counts, otherwise the deliveries.
fn put_against(report: &mut Report, server: &Lane, against: &Lane) {
    let median = crate::stats::median;
    report.numbers([
        ("against_cpu_us_per_delivery", against.median(Round::cpu_per_delivery)),
        ("against_cpu_us_per_event", against.median(Round::cpu_per_event)),
        ("against_ratio", median(ratios(server, against, Round::cpu_per_delivery))),
        ("against_ratio_per_event", median(ratios(server, against, Round::cpu_per_event))),
    ]);
}
