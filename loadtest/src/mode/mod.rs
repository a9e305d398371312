//! What can be done with a server, one file each.

pub mod actors;
pub mod churn;
pub mod connect;
pub mod events;
pub mod fanout;
pub mod idle;
pub mod lanes;
pub mod latency;
pub mod publish;
pub mod resume;
pub mod sessions;
pub mod slow;
pub mod soak;

use anyhow::Result;

use crate::report::Report;
use crate::side::{Pace, Round, Shape, Side};
use crate::target::{Needs, ServerArgs, Target};
use crate::wire::Transport;

/// What every mode needs to know.
#[derive(Debug, Clone)]
pub struct Context {
    /// Which server.
    pub server: ServerArgs,
    /// The core for servers.
    pub core: Option<usize>,
    /// The core this process is pinned to.
    pub client_core: Option<usize>,
    /// Descriptors this process may open.
    pub open_files: usize,
}

/// Options about the events, of modes that publish to one topic at a pace.
#[derive(Debug, Clone, clap::Args)]
pub struct Feed {
    /// Bytes of data of each event [default: what suits the mode]
    #[arg(long)]
    size: Option<usize>,
    /// How events come
    #[arg(long, value_enum, default_value = "ws")]
    transport: Transport,
}

impl Feed {
    /// `subscribers` of such events, which have `size` bytes unless it was said how many.
    pub fn shape(&self, subscribers: usize, size: usize, pace: Pace) -> Shape {
        Shape::plain(subscribers, self.transport, self.size.unwrap_or(size), pace)
    }

    /// What modes report in which others do as they like while events are published to `subscribers`.
    pub fn report(&self, mode: &str, subscribers: usize, side: &Side, round: &Round) -> Report {
        let mut report = Report::new(mode);
        report.set("subscribers", subscribers);
        report.set("transport", self.transport.name());
        report.set("events", round.events);
        report.numbers([
            ("seconds", Some(round.seconds)),
            ("deliveries_per_s", Some(round.deliveries_per_s())),
            ("server_cpu_us_per_delivery", round.cpu_per_delivery()),
        ]);
        report.tally(&side.swarm.ledger.tally);
        report
    }
}

impl Context {
    /// Starts (or finds) the server.
    pub fn start_server(&self, needs: &Needs) -> Result<Target> {
        Target::server(&self.server, self.core, needs)
    }

    /// Starts a floor for events of `size` bytes.
    pub fn start_floor(&self, size: usize, buckets: Option<u32>) -> Result<Target> {
        Target::floor(&self.server, self.core, size, buckets)
    }

    /// Prepares one side.
    pub fn side(&self, target: &Target, shape: &Shape, label: &str) -> Result<Side> {
        let token = if target.is_floor { None } else { self.server.token.as_deref() };
        Side::new(target, token, shape, label)
    }
}
