//! `resume`: connections are cut at random, also within a frame, and go on after what they had read. The union of what a
//! client has read over all its connections must be every event once and in order.

use std::time::Instant;

use anyhow::{Result, ensure};

use super::actors::{self, Cutter};
use super::{Context, Feed};
use crate::progress;
use crate::report::Report;
use crate::side::{Pace, Side, Until};
use crate::swarm::sub::Kind;
use crate::target::{Needs, SlowLimits};

/// Options of `resume`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// How many clients
    #[arg(long, default_value_t = 100)]
    pub clients: usize,
    /// Events published
    #[arg(long, default_value_t = 100_000)]
    pub events: u64,
    /// Cuts for each client
    #[arg(long, default_value_t = 20)]
    pub cuts: usize,
    /// Seconds to publish them in
    #[arg(long, default_value_t = 10.0)]
    pub seconds: f64,
    /// Seed of the random moments
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    #[command(flatten)]
    feed: Feed,
}

/// The server alone: the floor keeps no history.
pub fn run(context: &Context, args: &Args) -> Result<Report> {
    ensure!(args.events >= 100 && args.clients > 0, "at least 100 events and one client are needed");
    let mut needs = Needs::connections(args.clients * 2);
    needs.retain_events = args.events as usize + 1000;
    // Nobody is to be dropped for being slow: that would be a cut that this test did not make.
    needs.slow = Some(SlowLimits { events: needs.retain_events, bytes: needs.retain_bytes(), seconds: 60 });
    let server = context.start_server(&needs)?;
    let shape = args.feed.shape(0, 128, Pace::steady(args.events as f64 / args.seconds.max(0.1)));
    let mut side = context.side(&server, &shape, "resume")?;
    let clients = actors::add(&mut side.swarm, args.clients, Kind::Loose, args.feed.transport);
    side.swarm.connect_all(clients.clone())?;
    let mut cutter = Cutter::new(clients, args.cuts, args.events, args.seed);
    measure(args, &mut side, &mut cutter)
}

fn measure(args: &Args, side: &mut Side, cutter: &mut Cutter) -> Result<Report> {
    progress::show("publishing and cutting");
    let start = Instant::now();
    let mut round = side.round_with(Until::Events(args.events), &mut |swarm| cutter.turn(swarm))?;
    side.catch_up(&mut |swarm| cutter.turn(swarm))?;
    side.finish()?;
    let tally = &side.swarm.ledger.tally;
    (round.seconds, round.deliveries) = (start.elapsed().as_secs_f64(), tally.delivered);
    let mut report = args.feed.report("resume", args.clients, side, &round);
    report.set("cuts", cutter.cuts);
    report.set("delivered", tally.delivered);
    let (wanted, left) = (args.events * args.clients as u64, cutter.left());
    report.require(tally.delivered == wanted, || format!("{} events read, not {wanted}", tally.delivered));
    report.require(left == 0, || format!("{left} cuts were not made"));
    Ok(report)
}
