//! `idle`: memory of connections that are subscribed and do nothing.

use anyhow::{Context as _, Result};

use super::Context;
use crate::check::Tally;
use crate::proc::settled_rss;
use crate::progress;
use crate::protocol::Protocol;
use crate::report::Report;
use crate::side::{Pace, Shape, Until};
use crate::target::{Needs, Target};
use crate::wire::Transport;

/// Connected before the first reading, so that what is allocated once is not counted.
const FIRST: usize = 100;

/// Options of `idle`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// How many connections
    #[arg(long, default_value_t = 10_000)]
    pub connections: usize,
    /// In what protocol they would read
    #[arg(long, value_enum, default_value = "topics")]
    pub protocol: Protocol,
    /// How events would come
    #[arg(long, value_enum, default_value = "ws")]
    pub transport: Transport,
    /// Deliver one event to everybody before memory is read
    #[arg(long)]
    pub touch: bool,
    /// Do not run the floor
    #[arg(long)]
    pub no_floor: bool,
}

/// What a server takes for its connections.
struct Memory {
    marginal: f64,
    from_start: f64,
    total: u64,
    tally: Tally,
}

/// Server, then floor.
pub fn run(context: &Context, args: &Args) -> Result<Report> {
    let memory = measure(context, args, &context.start_server(&Needs::connections(args.connections))?)?;
    let floor =
        (!args.no_floor).then(|| measure(context, args, &context.start_floor(128, None)?)).transpose()?;
    let mut report = Report::new("idle");
    report.set("connections", args.connections);
    report.set("protocol", args.protocol.name());
    report.set("transport", args.transport.name());
    report.set("rss_bytes", memory.total);
    report.numbers([
        ("rss_bytes_per_idle_connection", Some(memory.marginal)),
        ("rss_bytes_per_idle_connection_from_start", Some(memory.from_start)),
        ("floor_rss_bytes_per_idle_connection", floor.as_ref().map(|floor| floor.marginal)),
    ]);
    report.tally(&memory.tally);
    Ok(report)
}

fn measure(context: &Context, args: &Args, target: &Target) -> Result<Memory> {
    let pid = target.pid.context("the memory of a server at --url is known only with --pid")?;
    let start = settled_rss(pid)?;
    let protocol = if target.is_floor { Protocol::Topics } else { args.protocol };
    let shape = Shape { protocol, ..Shape::plain(args.connections, args.transport, 128, Pace::Window(1)) };
    let mut side = context.side(target, &shape, "idle")?;
    let first = FIRST.min(args.connections / 2);
    side.swarm.connect_all(0..first)?;
    let before = settled_rss(pid)?;
    progress::show(&format!("connecting {} subscribers", args.connections));
    side.swarm.connect_all(first..args.connections)?;
    if args.touch {
        side.round(Until::Events(1))?;
    }
    progress::show("waiting for memory to settle");
    let total = settled_rss(pid)?;
    side.finish()?;
    let each = |from: u64, connections: usize| total.saturating_sub(from) as f64 / connections as f64;
    Ok(Memory {
        marginal: each(before, args.connections - first),
        from_start: each(start, args.connections),
        total,
        tally: side.swarm.ledger.tally.clone(),
    })
}
