//! The debates of an analysis, one after another: how many there are and are over, and how long one takes.

use super::mean::Mean;

/// See the module. Times are monotonic microseconds.
#[derive(Default)]
pub(super) struct Debates {
    complete: u64,
    expected: u64,
    /// When the one that is on began.
    since: Option<u64>,
    mean: Mean,
}

impl Debates {
    /// There will be `expected` of them.
    pub(super) fn expect(&mut self, expected: u64) {
        self.expected = self.expected.max(expected);
    }

    /// There will be none besides those that are over.
    pub(super) fn expect_no_more(&mut self) {
        self.expected = self.complete;
    }

    /// What somebody knows better.
    pub(super) fn told(&mut self, complete: Option<u64>, expected: Option<u64>) {
        self.complete = complete.unwrap_or(self.complete);
        self.expected = expected.unwrap_or(self.expected).max(self.complete);
    }

    /// One begins, and the one before is over.
    pub(super) fn begin(&mut self, now: u64) {
        self.end(now);
        self.since = Some(now);
        self.expected = self.expected.max(self.complete.saturating_add(1));
    }

    /// The one that is on, if one is, is over.
    pub(super) fn end(&mut self, now: u64) {
        if let Some(since) = self.since.take() {
            self.mean.add(now.saturating_sub(since));
            self.complete = self.complete.saturating_add(1);
            self.expected = self.expected.max(self.complete);
        }
    }

    /// How many are over.
    pub(super) fn complete(&self) -> u64 {
        self.complete
    }

    /// How many there will have been.
    pub(super) fn expected(&self) -> u64 {
        self.expected
    }

    /// How many of those expected are over, from 0 to 1.
    pub(super) fn fraction(&self) -> f64 {
        self.complete as f64 / self.expected.max(1) as f64
    }

    /// Whether some are not over.
    pub(super) fn unfinished(&self) -> bool {
        self.complete < self.expected
    }

    /// How long one takes, if any is over.
    pub(super) fn mean_micros(&self) -> Option<f64> {
        self.mean.get()
    }

    /// How long they still take: each its mean or, while none is over, `otherwise`.
    pub(super) fn remaining_micros(&self, otherwise: f64, now: u64) -> f64 {
        let mean = self.mean.get().unwrap_or(otherwise);
        let on = self.since.map(|since| (mean - now.saturating_sub(since) as f64).max(0.0));
        let to_come = self.expected.saturating_sub(self.complete).saturating_sub(u64::from(on.is_some()));
        on.unwrap_or(0.0) + to_come as f64 * mean
    }
}
