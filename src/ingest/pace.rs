//! How fast one user may publish, over all its connections.

use std::sync::Arc;

use crate::engine::{Body, Buckets, Now, Rate, Unplaced};
use crate::metrics::{Limit, LimitMetrics};

/// See the module. Without a rate it bounds nothing.
#[derive(Debug, Default)]
pub struct Pace {
    rate: Option<Rate>,
    allowances: Buckets<String>,
    /// What ran into limits.
    pub limits: Arc<LimitMetrics>,
}

impl Pace {
    /// `rate` for each user; what is refused is counted in `limits`.
    pub fn new(rate: Option<Rate>, limits: Arc<LimitMetrics>) -> Self {
        Self { rate, limits, allowances: Buckets::default() }
    }

    /// Leaves as many of `bodies` as the user `who` may publish now, from the first; why not the others. Nobody in
    /// particular, whose name is empty, is not bounded.
    pub fn within(&self, who: &str, bodies: &mut Vec<Body>, now: Now) -> Vec<Unplaced> {
        let Some(rate) = self.rate.filter(|_| !who.is_empty()) else { return Vec::new() };
        let (granted, limited) = self.allowances.take(who, bodies.len() as u64, rate, now);
        let over = bodies.split_off(granted as usize).len();
        self.limits.of(Limit::PublishesPerCredential).add(over as u64);
        limited.into_iter().flat_map(|limited| vec![Unplaced::TooFast(limited); over]).collect()
    }
}
