//! Medians and latency quantiles.

use hdrhistogram::Histogram;

/// The median; `None` of nothing.
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// Latencies in nanoseconds, to three digits, up to ten minutes.
pub struct Latencies {
    histogram: Histogram<u64>,
    /// Deliveries of one read share their time, so they are recorded together.
    run: (u64, u64),
}

/// The quantiles that are reported, in microseconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quantiles {
    /// Half are faster.
    pub p50: f64,
    /// 95 of 100 are faster.
    pub p95: f64,
    /// 99 of 100 are faster.
    pub p99: f64,
    /// 999 of 1000 are faster.
    pub p999: f64,
    /// The slowest.
    pub max: f64,
}

impl Latencies {
    /// None yet.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self { histogram: Histogram::new_with_bounds(1, 600_000_000_000, 3)?, run: (0, 0) })
    }

    /// Adds one of `ns`.
    #[inline]
    pub fn record(&mut self, ns: u64) {
        if self.run.0 == ns {
            self.run.1 += 1;
            return;
        }
        self.flush();
        self.run = (ns, 1);
    }

    fn flush(&mut self) {
        let (ns, count) = std::mem::take(&mut self.run);
        if count > 0 {
            self.histogram.saturating_record_n(ns, count);
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.run = (0, 0);
        self.histogram.reset();
    }

    /// The quantiles of what was recorded since the last [`clear`](Self::clear).
    pub fn quantiles(&mut self) -> Quantiles {
        self.flush();
        let at = |quantile| self.histogram.value_at_quantile(quantile) as f64 / 1e3;
        let max = self.histogram.max() as f64 / 1e3;
        Quantiles { p50: at(0.5), p95: at(0.95), p99: at(0.99), p999: at(0.999), max }
    }
}

/// The medians, quantile by quantile.
pub fn median_quantiles(all: &[Quantiles]) -> Option<Quantiles> {
    let of = |pick: fn(&Quantiles) -> f64| median(all.iter().map(pick));
    Some(Quantiles {
        p50: of(|q| q.p50)?,
        p95: of(|q| q.p95)?,
        p99: of(|q| q.p99)?,
        p999: of(|q| q.p999)?,
        max: of(|q| q.max)?,
    })
}

/// A small generator (xorshift64*) for moments and places: repeatable from its seed.
pub struct Dice(u64);

impl Dice {
    /// A generator with this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) % end.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_even_and_none() {
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median([]), None);
    }

    #[test]
    fn quantiles_count_every_delivery() {
        let mut latencies = Latencies::new().expect("bounds");
        (1..=1000u64).for_each(|us| (0..3).for_each(|_| latencies.record(us * 1000)));
        let q = latencies.quantiles();
        assert!((q.p50 - 500.0).abs() < 2.0 && (q.p99 - 990.0).abs() < 2.0, "{q:?}");
        assert!((q.p999 - 999.0).abs() < 2.0 && (q.max - 1000.0).abs() < 2.0, "{q:?}");
    }

    #[test]
    fn dice_stay_below_their_end_and_vary() {
        let mut dice = Dice::new(7);
        let rolls: Vec<u64> = (0..100).map(|_| dice.below(10)).collect();
        assert!(rolls.iter().all(|&roll| roll < 10) && rolls.iter().any(|&roll| roll != rolls[0]));
    }
}
