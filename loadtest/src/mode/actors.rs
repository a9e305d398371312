//! Those who make trouble while events are published: who is cut off, who comes and goes, who does not read.

use std::ops::Range;
use std::os::fd::AsFd as _;

use anyhow::Result;

use crate::stats::Dice;
use crate::swarm::sub::{Kind, Plan};
use crate::swarm::{SIP, Swarm};
use crate::sys;
use crate::wire::Transport;

/// A cut happens after at most so many more bytes: in the middle of a frame as often as not.
const CUT_WITHIN: u64 = 700;
/// How long the end of an evicted stream may take to come through.
const EVICTION_NS: u64 = 5_000_000_000;
/// How often those who trickle read.
const SIP_EVERY_NS: u64 = 100_000_000;

/// Adds `count` subscribers of one kind to the first topic.
pub fn add(swarm: &mut Swarm, count: usize, kind: Kind, transport: Transport) -> Range<usize> {
    let first = swarm.subs.len();
    let receive_buffer = kind.may_close().then_some(4096);
    for _ in 0..count {
        swarm.add(Plan { topic: 0, transport, kind, filter: None, receive_buffer });
    }
    first..first + count
}

/// Cuts the connections of its subscribers at random moments; each resumes after what it had read.
pub struct Cutter {
    subs: Range<usize>,
    dice: Dice,
    /// For each subscriber, after which offsets it is to be cut, last first.
    moments: Vec<Vec<u64>>,
    /// Cuts made.
    pub cuts: u64,
}

impl Cutter {
    /// `cuts` for each of `subs` while offsets up to `events` are published.
    pub fn new(subs: Range<usize>, cuts: usize, events: u64, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let mut moments = || {
            let mut moments: Vec<u64> = (0..cuts).map(|_| dice.below(events * 9 / 10)).collect();
            moments.sort_unstable_by(|a, b| b.cmp(a));
            moments
        };
        let moments = subs.clone().map(|_| moments()).collect();
        Self { subs, dice, moments, cuts: 0 }
    }

    /// How many cuts are still to be made.
    pub fn left(&self) -> usize {
        self.moments.iter().map(Vec::len).sum()
    }

    /// Reconnects who was cut, and decides who is next.
    pub fn turn(&mut self, swarm: &mut Swarm) -> Result<()> {
        for i in std::mem::take(&mut swarm.cut) {
            swarm.connect(i, true)?;
            self.cuts += 1;
        }
        for (i, moments) in self.subs.clone().zip(&mut self.moments) {
            let sub = &mut swarm.subs[i];
            let due = moments.last().is_some_and(|&moment| sub.track.last() >= moment);
            if due && sub.is_open() && sub.cut_after.is_none() {
                moments.pop();
                sub.cut_after = Some(1 + self.dice.below(CUT_WITHIN) as usize);
            }
        }
        Ok(())
    }
}

/// Disconnects and connects its subscribers, one after the other, at a steady pace.
pub struct Churner {
    subs: Range<usize>,
    next: usize,
    begun_at: u64,
    per_s: f64,
    /// Connections made.
    pub connects: u64,
}

impl Churner {
    /// `per_s` connections a second, spread over `subs`.
    pub fn new(swarm: &Swarm, subs: Range<usize>, per_s: f64) -> Self {
        Self { next: subs.start, subs, begun_at: swarm.now(), per_s, connects: 0 }
    }

    /// Makes the connections that are due.
    pub fn turn(&mut self, swarm: &mut Swarm) -> Result<()> {
        let due = ((swarm.now() - self.begun_at) as f64 / 1e9 * self.per_s) as u64;
        let behind = due.saturating_sub(self.connects).min(32);
        for _ in 0..behind {
            let i = self.next;
            if swarm.subs[i].sock.is_some() && !swarm.subs[i].is_open() {
                return Ok(());
            }
            swarm.close(i);
            swarm.connect(i, false)?;
            self.connects += 1;
            self.next = if i + 1 == self.subs.end { self.subs.start } else { i + 1 };
        }
        Ok(())
    }
}

/// Subscribers that do not read, or too little.
pub struct Idlers {
    subs: Range<usize>,
    last_sip: u64,
}

impl Idlers {
    /// Those of `subs`, who must be of a kind that is not read.
    pub fn new(subs: Range<usize>) -> Self {
        Self { subs, last_sip: 0 }
    }

    /// Lets those who trickle read a little.
    pub fn turn(&mut self, swarm: &mut Swarm) -> Result<()> {
        if swarm.now() - self.last_sip < SIP_EVERY_NS {
            return Ok(());
        }
        self.last_sip = swarm.now();
        for i in self.subs.clone() {
            if swarm.subs[i].plan.kind == Kind::Trickle && swarm.subs[i].is_open() {
                swarm.read(i, SIP)?;
            }
        }
        Ok(())
    }

    /// Reads what is left for each, to see whom the server has dropped: how many. What the kernel of the server still holds
    /// comes before the end of the stream, and slowly through a small buffer, so the buffers are widened first.
    pub fn evicted(&self, swarm: &mut Swarm) -> Result<usize> {
        for sock in swarm.subs[self.subs.clone()].iter().filter_map(|sub| sub.sock.as_ref()) {
            sys::set_receive_buffer(sock.as_fd(), 1 << 20)?;
        }
        let until = swarm.now() + EVICTION_NS;
        loop {
            let mut gone = 0;
            for i in self.subs.clone() {
                gone += usize::from(swarm.drain(i)?);
            }
            if gone == self.subs.len() || swarm.now() > until {
                return Ok(gone);
            }
            swarm.poll(20)?;
        }
    }

    /// How many were told why: close code 1013.
    pub fn told(&self, swarm: &Swarm) -> usize {
        self.subs.clone().filter(|&i| swarm.subs[i].close_code() == Some(1013)).count()
    }
}
