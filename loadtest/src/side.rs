//! One side of a comparison: subscribers and a publisher at one server, and rounds of load on it.

use std::time::Instant;

use anyhow::{Result, ensure};

use crate::protocol::{Payload, Protocol, filter_of};
use crate::publisher::Publisher;
use crate::stats::Quantiles;
use crate::swarm::Swarm;
use crate::swarm::ledger::Topic;
use crate::swarm::sub::Plan;
use crate::target::Target;
use crate::wire::Transport;

/// When nothing is read for so long although something is outstanding, it is lost.
const STALLED_NS: u64 = 5_000_000_000;
/// Events outstanding at most when the pace is given by a rate, over all topics, and of each.
const PACED_CAPACITY: usize = 1 << 16;
const PACED_CAPACITY_EACH: usize = 1 << 12;

/// When to publish.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// So many events of each topic are published and not read by all.
    Window(usize),
    /// So many events a second, over all topics, so many at once.
    Rate(f64, usize),
}

impl Pace {
    /// One after the other.
    pub fn steady(rate: f64) -> Self {
        Self::Rate(rate, 1)
    }

    /// How many events of each of `topics` may be outstanding.
    fn capacity(self, topics: usize) -> usize {
        match self {
            Self::Window(window) => window,
            Self::Rate(..) => (PACED_CAPACITY / topics).max(PACED_CAPACITY_EACH),
        }
    }
}

/// When to stop.
#[derive(Debug, Clone, Copy)]
pub enum Until {
    /// After so many events.
    Events(u64),
    /// After so many seconds.
    Seconds(f64),
}

/// What one round measured.
#[derive(Debug, Clone, Copy, Default)]
pub struct Round {
    /// Events published.
    pub events: u64,
    /// Events read, over all subscribers.
    pub deliveries: u64,
    /// How long it took.
    pub seconds: f64,
    /// CPU time of the server, when it is known.
    pub cpu_us: Option<f64>,
    /// Bytes read.
    pub bytes: u64,
    /// Messages read that held events.
    pub messages: u64,
    /// From publishing to reading.
    pub latencies: Quantiles,
}

impl Round {
    /// CPU of the server per event delivered to a subscriber.
    pub fn cpu_per_delivery(&self) -> Option<f64> {
        Some(self.cpu_us? / self.deliveries.max(1) as f64)
    }

    /// CPU of the server per event published.
    pub fn cpu_per_event(&self) -> Option<f64> {
        Some(self.cpu_us? / self.events.max(1) as f64)
    }

    /// Events read per second.
    pub fn deliveries_per_s(&self) -> f64 {
        self.deliveries as f64 / self.seconds.max(1e-9)
    }
}

/// What the subscribers of a side are.
#[derive(Debug, Clone)]
pub struct Shape {
    /// How many.
    pub subscribers: usize,
    /// In what protocol they read.
    pub protocol: Protocol,
    /// How events come.
    pub transport: Transport,
    /// Bytes of data.
    pub size: usize,
    /// Over how many topics they are spread.
    pub topics: usize,
    /// With filters, one event in so many matches each.
    pub buckets: Option<u32>,
    /// Whether events carry a bucket although nobody filters.
    pub carry_buckets: Option<u32>,
    /// How events are paced.
    pub pace: Pace,
}

impl Shape {
    /// Native subscribers of one topic who get everything.
    pub fn plain(subscribers: usize, transport: Transport, size: usize, pace: Pace) -> Self {
        let (protocol, topics) = (Protocol::Topics, 1);
        Self { subscribers, protocol, transport, size, topics, buckets: None, carry_buckets: None, pace }
    }
}

/// Subscribers and a publisher.
pub struct Side {
    /// The subscribers; the first `steady` of them are connected by [`connect`](Self::connect).
    pub swarm: Swarm,
    /// The publisher.
    pub publisher: Publisher,
    /// How many subscribers the window waits for.
    pub steady: usize,
    pid: Option<i32>,
    pace: Pace,
    next_topic: usize,
}

fn topics(shape: &Shape, label: &str, payload: &Payload) -> Vec<Topic> {
    // Names that no earlier run on a server with `--url` has used.
    let (run, count) = (std::process::id(), shape.topics.max(1));
    let capacity = shape.pace.capacity(count);
    (0..count).map(|t| Topic::new(shape.protocol.topic(run, label, t), capacity, payload)).collect()
}

impl Side {
    /// Prepares `shape` at `target`; `label` keeps its topics apart from those of other sides.
    pub fn new(target: &Target, token: Option<&str>, shape: &Shape, label: &str) -> Result<Self> {
        let most = shape.protocol.topics_max();
        ensure!(shape.topics <= most, "{} has {most} topic to measure with", shape.protocol.name());
        let payload = Payload::of(shape.protocol, shape.size, shape.buckets.or(shape.carry_buckets));
        let mut swarm = Swarm::new(target, token, shape.protocol, topics(shape, label, &payload))?;
        for i in 0..shape.subscribers {
            swarm.add(plan(shape, i));
        }
        let publisher = Publisher::open(target, &swarm, payload, token)?;
        let (pid, pace) = (target.pid, shape.pace);
        Ok(Self { swarm, publisher, steady: shape.subscribers, pid, pace, next_topic: 0 })
    }

    /// Connects the steady subscribers.
    pub fn connect(&mut self) -> Result<()> {
        self.swarm.connect_all(0..self.steady)
    }

    /// Disconnects the steady subscribers.
    pub fn disconnect(&mut self) {
        (0..self.steady).for_each(|i| self.swarm.close(i));
    }

    /// CPU time the server has used, in microseconds.
    pub fn cpu_us(&self) -> Result<Option<f64>> {
        let read = |pid| Ok(crate::sys::process_cpu_ns(pid)? as f64 / 1e3);
        self.pid.map(read).transpose()
    }

    /// Publishes until `until`, waits until all is read, and measures.
    pub fn round(&mut self, until: Until) -> Result<Round> {
        self.round_with(until, &mut |_| Ok(()))
    }

    /// The same, calling `each_turn` after every poll.
    pub fn round_with(
        &mut self,
        until: Until,
        each_turn: &mut dyn FnMut(&mut Swarm) -> Result<()>,
    ) -> Result<Round> {
        self.swarm.ledger.latencies.clear();
        let ledger = &self.swarm.ledger;
        let (delivered, bytes, messages) = (ledger.tally.delivered, ledger.bytes, ledger.messages);
        let cpu_before = self.cpu_us()?;
        let start = Instant::now();
        let events = self.publish_until(until, start, each_turn)?;
        self.drain(each_turn)?;
        let (seconds, cpu_after) = (start.elapsed().as_secs_f64(), self.cpu_us()?);
        let ledger = &mut self.swarm.ledger;
        Ok(Round {
            events,
            deliveries: ledger.tally.delivered - delivered,
            seconds,
            cpu_us: cpu_after.zip(cpu_before).map(|(after, before)| after - before),
            bytes: ledger.bytes - bytes,
            messages: ledger.messages - messages,
            latencies: ledger.latencies.quantiles(),
        })
    }

    fn publish_until(
        &mut self,
        until: Until,
        start: Instant,
        each_turn: &mut dyn FnMut(&mut Swarm) -> Result<()>,
    ) -> Result<u64> {
        let mut events = 0;
        let mut stall = Stall::new(self);
        loop {
            let elapsed = start.elapsed().as_secs_f64();
            let left = match until {
                Until::Events(goal) => goal - events,
                Until::Seconds(seconds) if elapsed < seconds => u64::MAX,
                Until::Seconds(_) => 0,
            };
            if left == 0 || stall.is_over(self) {
                return Ok(events);
            }
            let timeout = match self.pace {
                Pace::Window(window) => self.fill(window, left, &mut events)?,
                Pace::Rate(rate, burst) => self.keep_up(rate, burst as u64, elapsed, left, &mut events)?,
            };
            self.turn(timeout, each_turn)?;
        }
    }

    /// Publishes as much as the windows have room for.
    fn fill(&mut self, window: usize, left: u64, events: &mut u64) -> Result<i32> {
        let mut left = usize::try_from(left).unwrap_or(usize::MAX);
        for t in 0..self.swarm.ledger.topics.len() {
            let n = self.swarm.ledger.topics[t].window.room(window).min(left);
            if n > 0 {
                self.publisher.publish(&mut self.swarm, t, n)?;
                left -= n;
                *events += n as u64;
            }
        }
        self.publisher.flush(&self.swarm)?;
        Ok(100)
    }

    /// Publishes what is due by now; returns how many milliseconds there are until the next.
    fn keep_up(&mut self, rate: f64, burst: u64, elapsed: f64, left: u64, events: &mut u64) -> Result<i32> {
        let due = ((elapsed * rate) as u64 / burst + 1) * burst;
        let due = due.saturating_sub(*events).min(left);
        *events += self.publish_in_turn(due as usize)?;
        self.publisher.flush(&self.swarm)?;
        let wait = *events as f64 / rate - elapsed;
        Ok((wait * 1e3).ceil().clamp(0.0, 100.0) as i32)
    }

    /// Publishes `due` events as far as there is room, to one topic after the other; returns how many.
    fn publish_in_turn(&mut self, due: usize) -> Result<u64> {
        let topics = self.swarm.ledger.topics.len();
        let mut left = due;
        while left > 0 {
            let t = self.next_topic;
            let n = self.swarm.ledger.topics[t]
                .window
                .room(self.pace.capacity(topics))
                .min(left.div_ceil(topics));
            if n == 0 {
                break;
            }
            self.publisher.publish(&mut self.swarm, t, n)?;
            self.next_topic = (t + 1) % topics;
            left -= n;
        }
        Ok((due - left) as u64)
    }

    fn turn(&mut self, timeout: i32, each_turn: &mut dyn FnMut(&mut Swarm) -> Result<()>) -> Result<()> {
        self.swarm.poll(timeout)?;
        self.publisher.turn(&self.swarm)?;
        each_turn(&mut self.swarm)
    }

    fn progress(&self) -> u64 {
        self.swarm.ledger.tally.delivered + self.publisher.acknowledged()
    }

    /// Whether something published is not acknowledged, or not read by all.
    pub fn is_waiting(&self) -> bool {
        self.swarm.outstanding() > 0 || self.publisher.unacknowledged() > 0
    }

    /// Waits until everything published is acknowledged and read by all, or nothing comes any more.
    pub fn drain(&mut self, each_turn: &mut dyn FnMut(&mut Swarm) -> Result<()>) -> Result<()> {
        let mut stall = Stall::new(self);
        while self.is_waiting() {
            if stall.is_over(self) {
                return Ok(());
            }
            self.turn(100, each_turn)?;
        }
        Ok(())
    }

    /// Waits until also those that the window does not wait for have read everything, or nothing comes any more.
    pub fn catch_up(&mut self, each_turn: &mut dyn FnMut(&mut Swarm) -> Result<()>) -> Result<()> {
        let (mut progress, mut since) = (self.progress(), self.swarm.now());
        while self.swarm.behind() > 0 && self.swarm.now() - since < STALLED_NS {
            self.turn(20, each_turn)?;
            if self.progress() != progress {
                (progress, since) = (self.progress(), self.swarm.now());
            }
        }
        Ok(())
    }

    /// Listens a little longer for what should not come, and counts as lost what did not.
    pub fn finish(&mut self) -> Result<()> {
        self.drain(&mut |_| Ok(()))?;
        self.catch_up(&mut |_| Ok(()))?;
        let until = self.swarm.now() + 100_000_000;
        while self.swarm.now() < until {
            self.turn(20, &mut |_| Ok(()))?;
        }
        self.swarm.finish();
        Ok(())
    }
}

fn plan(shape: &Shape, i: usize) -> Plan {
    let mut plan = Plan::steady(i % shape.topics.max(1), shape.transport);
    plan.filter = shape.buckets.map(|buckets| filter_of(i, buckets));
    plan
}

/// Notices that nothing comes although something is outstanding.
struct Stall {
    progress: u64,
    since: u64,
}

impl Stall {
    fn new(side: &Side) -> Self {
        Self { progress: side.progress(), since: side.swarm.now() }
    }

    fn is_over(&mut self, side: &Side) -> bool {
        if side.progress() != self.progress || !side.is_waiting() {
            *self = Self::new(side);
        }
        side.swarm.now() - self.since > STALLED_NS
    }
}
