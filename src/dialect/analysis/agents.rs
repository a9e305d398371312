//! The agents of an analysis: how many there are and have finished, and how long one takes.

use super::mean::Mean;
use crate::limits::ANALYSIS_AGENTS_MAX;

/// An agent that is told apart from others.
struct Agent {
    id: Box<str>,
    /// When it began, monotonic microseconds; `None` when it has finished.
    since: Option<u64>,
}

/// See the module. Times are monotonic microseconds.
#[derive(Default)]
pub(super) struct Agents {
    known: Vec<Agent>,
    complete: u64,
    total: u64,
    /// Most that were at work at the same time.
    lanes: u64,
    mean: Mean,
}

impl Agents {
    /// There will be `total` of them.
    pub(super) fn expect(&mut self, total: u64) {
        self.total = self.total.max(total);
    }

    /// What somebody knows better.
    pub(super) fn told(&mut self, complete: Option<u64>, total: Option<u64>) {
        self.complete = complete.unwrap_or(self.complete);
        self.total = total.unwrap_or(self.total).max(self.complete);
    }

    /// An agent has begun, perhaps once more.
    pub(super) fn started(&mut self, id: &str, now: u64) {
        match self.known.iter().position(|agent| *agent.id == *id) {
            Some(at) if self.known[at].since.is_none() => {
                self.known[at].since = Some(now);
                self.complete = self.complete.saturating_sub(1);
            }
            None if self.known.len() < ANALYSIS_AGENTS_MAX => {
                self.known.push(Agent { id: id.into(), since: Some(now) });
            }
            _ => {}
        }
        self.lanes = self.lanes.max(self.running().count() as u64);
        self.total = self.total.max(self.complete.saturating_add(self.running().count() as u64));
    }

    /// An agent has finished: the one called so or, where it has no name, the one that has been at work longest.
    pub(super) fn completed(&mut self, id: Option<&str>, now: u64) {
        let found = match id {
            Some(id) => self.known.iter_mut().find(|agent| *agent.id == *id),
            None => {
                self.known.iter_mut().filter(|agent| agent.since.is_some()).min_by_key(|agent| agent.since)
            }
        };
        match found {
            Some(agent) => match agent.since.take() {
                Some(since) => self.mean.add(now.saturating_sub(since)),
                // It has been counted.
                None => return,
            },
            None => self.finished_unseen(id),
        }
        self.complete = self.complete.saturating_add(1);
        self.total = self.total.max(self.complete);
    }

    /// One whose beginning was not told.
    fn finished_unseen(&mut self, id: Option<&str>) {
        if let Some(id) = id.filter(|_| self.known.len() < ANALYSIS_AGENTS_MAX) {
            self.known.push(Agent { id: id.into(), since: None });
        }
    }

    fn running(&self) -> impl Iterator<Item = u64> + '_ {
        self.known.iter().filter_map(|agent| agent.since)
    }

    /// How many have finished.
    pub(super) fn complete(&self) -> u64 {
        self.complete
    }

    /// How many there are.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// How many of those that there are have finished, from 0 to 1.
    pub(super) fn fraction(&self) -> f64 {
        self.complete as f64 / self.total.max(1) as f64
    }

    /// Whether some have not finished.
    pub(super) fn unfinished(&self) -> bool {
        self.complete < self.total
    }

    /// How long one takes, if any has finished.
    pub(super) fn mean_micros(&self) -> Option<f64> {
        self.mean.get()
    }

    /// How long they still take if one takes `mean`: those at work their rest, those to come as many at a time as so far.
    pub(super) fn remaining_micros(&self, mean: f64, now: u64) -> f64 {
        let rest = |since: u64| (mean - now.saturating_sub(since) as f64).max(0.0);
        let running = self.running().map(rest).fold(0.0, f64::max);
        let to_come = self.total.saturating_sub(self.complete).saturating_sub(self.running().count() as u64);
        running + to_come as f64 * mean / self.lanes.max(1) as f64
    }
}
