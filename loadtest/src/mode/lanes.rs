//! Sides that take turns, round by round, so that what disturbs one disturbs all.

use anyhow::Result;

use crate::check::Tally;
use crate::progress;
use crate::side::{Round, Side, Until};
use crate::stats::{Quantiles, median, median_quantiles};

/// Descriptors kept free for everything that is not a subscriber.
const SPARE_FILES: usize = 300;

/// One of the sides that are compared.
pub struct Lane {
    /// What it is called.
    pub name: &'static str,
    /// Its subscribers and publisher.
    pub side: Side,
    /// What its rounds measured.
    pub rounds: Vec<Round>,
}

/// How the rounds are run.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    /// How many of each.
    pub rounds: usize,
    /// How long each is; by time, the first decides how many events all others have.
    pub until: Until,
    /// What is published before each, not measured.
    pub warm_up: Until,
    /// Descriptors this process may open.
    pub open_files: usize,
}

impl Lane {
    /// A side that has run no round yet.
    pub fn new(name: &'static str, side: Side) -> Self {
        Self { name, side, rounds: Vec::new() }
    }

    /// The median of a figure over the rounds.
    pub fn median(&self, figure: impl Fn(&Round) -> Option<f64>) -> Option<f64> {
        median(self.rounds.iter().filter_map(figure))
    }

    /// The medians of the latencies.
    pub fn latencies(&self) -> Option<Quantiles> {
        let all: Vec<Quantiles> = self.rounds.iter().map(|round| round.latencies).collect();
        median_quantiles(&all)
    }

    /// Bytes on the wire per delivery.
    pub fn bytes_per_delivery(&self) -> Option<f64> {
        self.median(|round| Some(round.bytes as f64 / round.deliveries.max(1) as f64))
    }
}

/// The ratios of `a` to `b`, round by round.
pub fn ratios(a: &Lane, b: &Lane, figure: impl Fn(&Round) -> Option<f64>) -> Vec<f64> {
    let pairs = a.rounds.iter().zip(&b.rounds);
    pairs.filter_map(|(a, b)| Some(figure(a)? / figure(b).filter(|&b| b > 0.0)?)).collect()
}

/// Runs all rounds. Where all subscribers of all lanes would be too many descriptors, a lane is connected for its round only.
pub fn alternate(lanes: &mut [Lane], mut schedule: Schedule) -> Result<()> {
    let subscribers: usize = lanes.iter().map(|lane| lane.side.steady).sum();
    let in_turn = subscribers + SPARE_FILES > schedule.open_files;
    if !in_turn {
        for lane in lanes.iter_mut() {
            progress::show(&format!("connecting {} subscribers ({})", lane.side.steady, lane.name));
            lane.side.connect()?;
        }
    }
    for round in 0..schedule.rounds {
        // Every other round goes backwards, so that no lane is always first.
        let mut order: Vec<usize> = (0..lanes.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for i in order {
            progress::show(&format!("round {} of {}: {}", round + 1, schedule.rounds, lanes[i].name));
            let measured = one(&mut lanes[i], &schedule, in_turn)?;
            schedule.until = Until::Events(measured.events.max(1));
            if lanes[i].side.is_waiting() {
                // Something is lost for good; what follows would measure the waiting.
                return Ok(());
            }
        }
    }
    Ok(())
}

fn one(lane: &mut Lane, schedule: &Schedule, in_turn: bool) -> Result<Round> {
    if in_turn {
        lane.side.connect()?;
    }
    lane.side.round(schedule.warm_up)?;
    let round = lane.side.round(schedule.until)?;
    lane.rounds.push(round);
    if in_turn {
        lane.side.finish()?;
        lane.side.disconnect();
    }
    Ok(round)
}

/// Ends all lanes; what their subscribers found, all together.
pub fn finish(lanes: &mut [Lane]) -> Result<Tally> {
    let mut sum = Tally::default();
    for lane in lanes {
        lane.side.finish()?;
        sum.add(&lane.side.swarm.ledger.tally);
    }
    Ok(sum)
}
