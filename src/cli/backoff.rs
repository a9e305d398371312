//! Waiting before a retry: exponential with full jitter, so that clients that lost the same server do not return together.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Longest wait.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Pseudo-random numbers (splitmix64). For jitter and the demo's feed; never for secrets.
pub struct Random(u64);

impl Random {
    /// Seeded differently in each process.
    pub fn new() -> Self {
        Self(RandomState::new().hash_one(std::process::id()))
    }

    /// The same numbers every time.
    #[cfg(test)]
    pub fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number in `[0, 1)`.
    pub fn fraction(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A whole number below `bound`, which is at least 1.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.bits() % bound.max(1) as u64).unwrap_or(0)
    }
}

/// The waits of one connection.
pub struct Backoff {
    random: Random,
    /// What the server hinted, or the default.
    pub base: Duration,
    attempt: u32,
}

impl Backoff {
    /// Starts with `base`.
    pub fn new(base: Duration) -> Self {
        Self { random: Random::new(), base, attempt: 0 }
    }

    /// The next wait: between half and all of `base` × 2ⁿ, at most 30 s.
    pub fn next(&mut self) -> Duration {
        let ceiling = self.base.saturating_mul(1 << self.attempt.min(10)).min(WAIT_MAX);
        self.attempt += 1;
        ceiling.mul_f64(0.5 + self.random.fraction() / 2.0)
    }

    /// Something worked: the next wait is short again.
    pub fn reset(&mut self) {
        self.attempt = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_start_over() {
        let mut backoff = Backoff::new(Duration::from_millis(100));
        let waits: Vec<Duration> = (0..20).map(|_| backoff.next()).collect();
        assert!(waits[0] <= Duration::from_millis(100) && waits[0] >= Duration::from_millis(50));
        assert!(waits[5] > waits[0] && waits.iter().all(|wait| *wait <= WAIT_MAX));
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(100));
    }

    #[test]
    fn numbers_are_repeatable_and_in_range() {
        let mut random = Random::seeded(7);
        let mut same = Random::seeded(7);
        assert!((0..1000).all(|_| random.below(6) < 6 && same.below(6) < 6));
        assert_eq!(random.bits(), same.bits());
        assert!((0.0..1.0).contains(&random.fraction()));
    }
}
