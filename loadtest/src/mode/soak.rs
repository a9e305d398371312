//! `soak`: everything at once, for long. Readers that stay, readers that are cut off and resume, readers that come and go,
//! readers that do not read: nothing may be lost and memory may not grow.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::actors::{self, Churner, Cutter, Idlers};
use super::{Context, Feed};
use crate::proc::rss;
use crate::progress;
use crate::report::Report;
use crate::side::{Pace, Round, Side, Until};
use crate::swarm::Swarm;
use crate::swarm::sub::Kind;
use crate::target::{Needs, SlowLimits};

/// How often memory is read.
const SAMPLE_EVERY: Duration = Duration::from_millis(500);
/// Memory may be this much higher in the last quarter than in the second.
const DRIFT_BYTES: f64 = 2e6;
const DRIFT_SHARE: f64 = 0.1;

/// Options of `soak`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// How long
    #[arg(long, default_value_t = 60.0)]
    pub seconds: f64,
    /// How many subscribers stay
    #[arg(long, default_value_t = 500)]
    pub subscribers: usize,
    /// How many are cut off and resume, each about once in two seconds
    #[arg(long, default_value_t = 100)]
    pub resumers: usize,
    /// How many come and go, 300 a second together
    #[arg(long, default_value_t = 200)]
    pub churners: usize,
    /// How many at a time do not read
    #[arg(long, default_value_t = 20)]
    pub stalled: usize,
    /// Events a second
    #[arg(long, default_value_t = 200.0)]
    pub rate: f64,
    #[command(flatten)]
    feed: Feed,
}

/// Everybody who makes trouble, and what memory did meanwhile.
struct Cast {
    cutter: Cutter,
    churner: Churner,
    idlers: Idlers,
    stalled: std::ops::Range<usize>,
    evicted: usize,
    pid: Option<i32>,
    memory: Vec<f64>,
    sampled: Instant,
}

impl Cast {
    fn assemble(args: &Args, side: &mut Side, pid: Option<i32>) -> Result<Self> {
        let (swarm, transport) = (&mut side.swarm, args.feed.transport);
        let resumers = actors::add(swarm, args.resumers, Kind::Loose, transport);
        let churners = actors::add(swarm, args.churners.max(1), Kind::Loose, transport);
        let stalled = actors::add(swarm, args.stalled, Kind::Stalled, transport);
        swarm.connect_all(resumers.start..stalled.end)?;
        let events = (args.rate * args.seconds) as u64;
        Ok(Self {
            cutter: Cutter::new(resumers, (args.seconds / 2.0) as usize, events.max(10), 1),
            churner: Churner::new(swarm, churners, 300.0),
            idlers: Idlers::new(stalled.clone()),
            stalled,
            evicted: 0,
            pid,
            memory: Vec::new(),
            sampled: Instant::now(),
        })
    }

    fn turn(&mut self, swarm: &mut Swarm) -> Result<()> {
        self.cutter.turn(swarm)?;
        self.churner.turn(swarm)?;
        if self.sampled.elapsed() >= SAMPLE_EVERY {
            self.sampled = Instant::now();
            self.memory.extend(self.pid.map(rss).transpose()?.map(|bytes| bytes as f64));
            self.replace_evicted(swarm)?;
            progress::show(&format!("{} events delivered", swarm.ledger.tally.delivered));
        }
        self.idlers.turn(swarm)
    }

    /// Who was dropped comes back, and does not read again.
    fn replace_evicted(&mut self, swarm: &mut Swarm) -> Result<()> {
        for i in self.stalled.clone().filter(|&i| swarm.subs[i].sock.is_none()).collect::<Vec<_>>() {
            swarm.connect(i, false)?;
            self.evicted += 1;
        }
        Ok(())
    }

    /// The mean of the second and of the last quarter.
    fn quarters(&self) -> Option<(f64, f64)> {
        let quarter = self.memory.len() / 4;
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        (quarter > 0).then(|| {
            (mean(&self.memory[quarter..quarter * 2]), mean(&self.memory[self.memory.len() - quarter..]))
        })
    }
}

/// The server alone.
pub fn run(context: &Context, args: &Args) -> Result<Report> {
    let people = args.subscribers + args.resumers + args.churners + args.stalled;
    let mut needs = Needs::connections(people * 2);
    needs.retain_events = 2048;
    needs.slow = Some(SlowLimits { events: 1024, bytes: 256 << 10, seconds: 3 });
    let server = context.start_server(&needs)?;
    let shape = args.feed.shape(args.subscribers, 512, Pace::steady(args.rate));
    let mut side = context.side(&server, &shape, "soak")?;
    side.connect()?;
    let mut cast = Cast::assemble(args, &mut side, server.pid)?;
    let round = side.round_with(Until::Seconds(args.seconds), &mut |swarm| cast.turn(swarm))?;
    side.catch_up(&mut |swarm| cast.cutter.turn(swarm))?;
    side.finish()?;
    Ok(report(args, &side, &cast, &round))
}

fn report(args: &Args, side: &Side, cast: &Cast, round: &Round) -> Report {
    let mut report = args.feed.report("soak", args.subscribers, side, round);
    report.set("cuts", cast.cutter.cuts);
    report.set("connects", cast.churner.connects);
    report.set("evicted", cast.evicted);
    report.latencies("", Some(round.latencies));
    if let Some((early, late)) = cast.quarters() {
        report.numbers([("rss_bytes_early", Some(early)), ("rss_bytes_late", Some(late))]);
        let steady = late - early <= DRIFT_BYTES.max(early * DRIFT_SHARE);
        report.require(steady, || format!("memory grew from {early:.0} to {late:.0} bytes"));
    }
    report
}
