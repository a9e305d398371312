//! An exponentially weighted moving average: what happened last counts most.

/// Share of the newest value.
const NEWEST: f64 = 0.3;

/// See the module.
#[derive(Default)]
pub(super) struct Mean(Option<f64>);

impl Mean {
    /// Takes a value in.
    pub(super) fn add(&mut self, value: u64) {
        let value = value as f64;
        self.0 = Some(self.0.map_or(value, |mean| mean + NEWEST * (value - mean)));
    }

    /// The average; `None` of nothing.
    pub(super) fn get(&self) -> Option<f64> {
        self.0
    }
}
