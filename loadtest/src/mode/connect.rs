//! `connect`: CPU of accepting a connection, shaking hands and subscribing it.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::Context;
use crate::check::Tally;
use crate::progress;
use crate::report::Report;
use crate::side::{Pace, Shape, Side};
use crate::stats::median;
use crate::target::Needs;
use crate::wire::Transport;

/// The server may take so long to let go of connections before the next round.
const REST: Duration = Duration::from_millis(400);

/// Options of `connect`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Connections each round
    #[arg(long, default_value_t = 5000)]
    pub connections: usize,
    /// Rounds for each side
    #[arg(long, default_value_t = 5)]
    pub rounds: usize,
    /// How events would come
    #[arg(long, value_enum, default_value = "ws")]
    pub transport: Transport,
    /// Do not run the floor
    #[arg(long)]
    pub no_floor: bool,
}

/// What a round measured.
#[derive(Clone, Copy)]
struct Sample {
    cpu_us: Option<f64>,
    per_s: f64,
}

/// Server and floor in turns.
pub fn run(context: &Context, args: &Args) -> Result<Report> {
    ensure!(args.connections > 0, "at least one connection is needed");
    let server = context.start_server(&Needs::connections(args.connections))?;
    let floor = (!args.no_floor).then(|| context.start_floor(128, None)).transpose()?;
    let mut sides = vec![context.side(&server, &shape(args), "a")?];
    if let Some(floor) = &floor {
        sides.push(context.side(floor, &shape(args), "a")?);
    }
    let mut samples = vec![Vec::new(); sides.len()];
    for round in 0..args.rounds.max(1) {
        progress::show(&format!("round {} of {}", round + 1, args.rounds));
        for (side, samples) in sides.iter_mut().zip(&mut samples) {
            samples.push(one(side)?);
        }
    }
    Ok(report(args, &sides, &samples))
}

fn shape(args: &Args) -> Shape {
    Shape::plain(args.connections, args.transport, 128, Pace::Window(1))
}

fn one(side: &mut Side) -> Result<Sample> {
    let (start, before) = (Instant::now(), side.cpu_us()?);
    side.connect()?;
    let (seconds, after) = (start.elapsed().as_secs_f64(), side.cpu_us()?);
    let each = side.steady as f64;
    side.disconnect();
    sleep(REST);
    Ok(Sample {
        cpu_us: after.zip(before).map(|(after, before)| (after - before) / each),
        per_s: each / seconds,
    })
}

fn report(args: &Args, sides: &[Side], samples: &[Vec<Sample>]) -> Report {
    let cpu = |i: usize| median(samples.get(i)?.iter().filter_map(|sample| sample.cpu_us));
    let per_s = |i: usize| median(samples.get(i)?.iter().map(|sample| sample.per_s));
    let ratio = |(a, b): (&Sample, &Sample)| Some(a.cpu_us? / b.cpu_us?);
    let ratios = samples.get(1).map(|floor| samples[0].iter().zip(floor).filter_map(ratio));
    let mut report = Report::new("connect");
    report.about("connect_ratio");
    report.set("connections", args.connections);
    report.set("transport", args.transport.name());
    report.numbers([
        ("server_cpu_us_per_connect", cpu(0)),
        ("floor_cpu_us_per_connect", cpu(1)),
        ("connects_per_s", per_s(0)),
        ("floor_connects_per_s", per_s(1)),
        ("connect_ratio", ratios.and_then(median)),
    ]);
    let mut tally = Tally::default();
    sides.iter().for_each(|side| tally.add(&side.swarm.ledger.tally));
    report.tally(&tally);
    report
}
