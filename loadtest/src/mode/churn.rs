//! `churn`: connections come and go while events are published to others, who must not notice.

use anyhow::Result;

use super::Context;
use super::actors::{self, Churner};
use crate::progress;
use crate::report::Report;
use crate::side::{Pace, Shape, Until};
use crate::swarm::sub::Kind;
use crate::target::Needs;
use crate::wire::Transport;

/// Options of `churn`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// How many subscribers stay
    #[arg(long, default_value_t = 500)]
    pub subscribers: usize,
    /// How many come and go
    #[arg(long, default_value_t = 500)]
    pub churners: usize,
    /// Connections a second
    #[arg(long, default_value_t = 1000.0)]
    pub per_second: f64,
    /// Events a second
    #[arg(long, default_value_t = 200.0)]
    pub rate: f64,
    /// How long
    #[arg(long, default_value_t = 10.0)]
    pub seconds: f64,
    /// Bytes of data of each event
    #[arg(long, default_value_t = 128)]
    pub size: usize,
    /// How events come
    #[arg(long, value_enum, default_value = "ws")]
    pub transport: Transport,
}

/// The server alone.
pub fn run(context: &Context, args: &Args) -> Result<Report> {
    let server = context.start_server(&Needs::connections(args.subscribers + args.churners * 2))?;
    let shape = Shape {
        subscribers: args.subscribers,
        transport: args.transport,
        size: args.size,
        topics: 1,
        buckets: None,
        carry_buckets: None,
        pace: Pace::Rate(args.rate),
    };
    let mut side = context.side(&server, &shape, "churn")?;
    let churners = actors::add(&mut side.swarm, args.churners.max(1), Kind::Loose, args.transport);
    side.connect()?;
    side.swarm.connect_all(churners.clone())?;
    let mut churner = Churner::new(&side.swarm, churners, args.per_second);
    progress::show("connections come and go");
    let round = side.round_with(Until::Seconds(args.seconds), &mut |swarm| churner.turn(swarm))?;
    side.finish()?;
    let mut report = Report::new("churn");
    report.set("subscribers", args.subscribers);
    report.set("churners", args.churners);
    report.set("transport", args.transport.name());
    report.set("events", round.events);
    report.set("connects", churner.connects);
    report.numbers([
        ("connects_per_s", Some(churner.connects as f64 / round.seconds)),
        ("deliveries_per_s", Some(round.deliveries_per_s())),
        ("server_cpu_us_per_delivery", round.cpu_per_delivery()),
    ]);
    report.latencies("", Some(round.latencies));
    report.tally(&side.swarm.ledger.tally);
    Ok(report)
}
