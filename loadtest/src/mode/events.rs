//! `events`: sessions of the `events` protocol at a steady pace, with batches as clients get them who ask for nothing. Latencies
//! are from publishing to reading, the window of a batch included.

use anyhow::{Result, ensure};

use super::Context;
use super::lanes::{self, Lane, Schedule};
use crate::protocol::Protocol;
use crate::report::Report;
use crate::side::{Pace, Round, Shape, Until};
use crate::target::Needs;
use crate::wire::Transport;

/// How batches are by default: so many events, or those of so many seconds.
const BATCH: usize = 50;
const BATCH_SECONDS: f64 = 0.05;

/// Options of `events`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// How many sessions
    #[arg(long, default_value_t = 1)]
    pub sessions: usize,
    /// Clients of each
    #[arg(long, default_value_t = 1000)]
    pub clients: usize,
    /// Events a second, over all sessions
    #[arg(long, default_value_t = 1000.0)]
    pub rate: f64,
    /// Publish so many at once, as a source does that is polled
    #[arg(long, default_value_t = 1)]
    pub burst: usize,
    /// Bytes that each event has in a message of its own, less some 170
    #[arg(long, default_value_t = 256)]
    pub size: usize,
    /// Seconds of each round
    #[arg(long, default_value_t = 4.0)]
    pub seconds: f64,
    /// Rounds
    #[arg(long, default_value_t = 5)]
    pub rounds: usize,
    /// Compress
    #[arg(long)]
    pub deflate: bool,
    /// Have clients ask for one message an event
    #[arg(long)]
    pub unbatched: bool,
    /// Do not run the floor
    #[arg(long)]
    pub no_floor: bool,
}

impl Args {
    fn shape(&self, clients: usize) -> Shape {
        let transport = if self.deflate { Transport::WsDeflate } else { Transport::Ws };
        let pace = Pace::Rate(self.rate, self.burst.max(1));
        let plain = Shape::plain(self.sessions * clients, transport, self.size, pace);
        let protocol = if self.unbatched { Protocol::Events } else { Protocol::EventBatches };
        Shape { protocol, topics: self.sessions, ..plain }
    }

    /// The floor writes as many events at once as there are in a batch.
    fn floor(&self) -> Shape {
        let in_window = self.rate * BATCH_SECONDS / self.sessions as f64;
        let together = if self.unbatched { 1 } else { (in_window as usize).max(self.burst).clamp(1, BATCH) };
        let pace = Pace::Rate(self.rate, together);
        Shape { protocol: Protocol::Topics, pace, ..self.shape(self.clients) }
    }
}

/// The share of a core that the server used.
fn share(round: &Round) -> Option<f64> {
    Some(round.cpu_us? / 1e6 / round.seconds)
}

/// The server with clients, and, to know what publishing costs by itself, without; and the floor.
pub fn run(context: &Context, args: &Args) -> Result<Report> {
    ensure!(args.sessions > 0 && args.clients > 0, "at least one session with one client is needed");
    let server = context.start_server(&Needs::connections(args.sessions * args.clients))?;
    let floor = (!args.no_floor).then(|| context.start_floor(args.size, None)).transpose()?;
    let mut lanes = vec![
        Lane::new("clients", context.side(&server, &args.shape(args.clients), "a")?),
        Lane::new("nobody", context.side(&server, &args.shape(0), "b")?),
    ];
    if let Some(floor) = &floor {
        lanes.push(Lane::new("floor", context.side(floor, &args.floor(), "a")?));
    }
    let schedule = Schedule {
        rounds: args.rounds.max(1),
        until: Until::Events((args.rate * args.seconds) as u64 + 1),
        warm_up: Until::Events((args.rate / 5.0) as u64 + 1),
        open_files: context.open_files,
    };
    lanes::alternate(&mut lanes, schedule)?;
    let tally = lanes::finish(&mut lanes)?;
    let mut report = Report::new("events");
    describe(&mut report, args);
    measured(&mut report, &lanes[0], &lanes[1], lanes.get(2));
    report.tally(&tally);
    Ok(report)
}

fn describe(report: &mut Report, args: &Args) {
    report.about("server_core_share");
    report.set("sessions", args.sessions);
    report.set("clients", args.clients);
    report.number("rate", Some(args.rate));
    report.set("burst", args.burst);
    report.set("size", args.size);
    report.set("deflate", args.deflate);
    report.set("unbatched", args.unbatched);
}

fn measured(report: &mut Report, clients: &Lane, nobody: &Lane, floor: Option<&Lane>) {
    let (all, publishing) = (clients.median(share), nobody.median(share));
    let fanout = all.zip(publishing).map(|(all, publishing)| all - publishing);
    let floor = floor.and_then(|floor| floor.median(share));
    let per_s = |count: fn(&Round) -> u64| clients.median(|round| Some(count(round) as f64 / round.seconds));
    report.numbers([
        ("server_core_share", all),
        ("publish_core_share", publishing),
        ("fanout_core_share", fanout),
        ("floor_core_share", floor),
        ("floor_ratio", fanout.zip(floor).map(|(fanout, floor)| fanout / floor)),
        ("deliveries_per_s", per_s(|round| round.deliveries)),
        ("messages_per_s", per_s(|round| round.messages)),
        ("events_per_message", clients.median(|round| Some(round.deliveries as f64 / round.messages as f64))),
        ("server_cpu_us_per_delivery", clients.median(Round::cpu_per_delivery)),
        ("bytes_per_delivery", clients.bytes_per_delivery()),
    ]);
    report.latencies("", clients.latencies());
}
