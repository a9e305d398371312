//! `churn`: connections come and go while events are published to others, who must not notice.

use anyhow::Result;

use super::actors::{self, Churner};
use super::{Context, Feed};
use crate::progress;
use crate::report::Report;
use crate::side::{Pace, Until};
use crate::swarm::sub::Kind;
use crate::target::Needs;

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
    #[command(flatten)]
    feed: Feed,
}

/// The server alone.
pub fn run(context: &Context, args: &Args) -> Result<Report> {
    let server = context.start_server(&Needs::connections(args.subscribers + args.churners * 2))?;
    let shape = args.feed.shape(args.subscribers, 128, Pace::steady(args.rate));
    let mut side = context.side(&server, &shape, "churn")?;
    let churners = actors::add(&mut side.swarm, args.churners.max(1), Kind::Loose, args.feed.transport);
    side.connect()?;
    side.swarm.connect_all(churners.clone())?;
    let mut churner = Churner::new(&side.swarm, churners, args.per_second);
    progress::show("connections come and go");
    let round = side.round_with(Until::Seconds(args.seconds), &mut |swarm| churner.turn(swarm))?;
    side.finish()?;
    let mut report = args.feed.report("churn", args.subscribers, &side, &round);
    report.set("churners", args.churners);
    report.set("connects", churner.connects);
    report.number("connects_per_s", Some(churner.connects as f64 / round.seconds));
    report.latencies("", Some(round.latencies));
    Ok(report)
}
