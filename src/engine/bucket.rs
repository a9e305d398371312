//! Token buckets: the generic cell rate algorithm in one word (ITU-T I.371, in its virtual-scheduling form). The word is
//! the time at which the bucket will be full again; nothing has to refill it.

use super::topic::Now;
use crate::sync::{AtomicU64, Ordering};

/// How many a bucket lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    interval_nanos: u64,
    burst_nanos: u64,
}

impl Rate {
    /// `per_second` on average, and `burst` at once; `None` where nothing is limited.
    pub fn new(per_second: u64, burst: u64) -> Option<Self> {
        let interval_nanos = 1_000_000_000u64.checked_div(per_second)?.max(1);
        Some(Self { interval_nanos, burst_nanos: interval_nanos.saturating_mul(burst.max(1)) })
    }

    /// `per_second` on average, and at once `burst`, or where that is 0 as many as in a second; `None` where nothing is
    /// limited.
    pub fn or_second(per_second: usize, burst: usize) -> Option<Self> {
        Self::new(per_second as u64, if burst == 0 { per_second } else { burst } as u64)
    }
}

impl Rate {
    /// How many of `wanted` fit into `nanos`. A division costs more than everything else here, and for one none is needed.
    fn fit(self, wanted: u64, nanos: u64) -> u64 {
        match wanted {
            _ if nanos < self.interval_nanos => 0,
            0 | 1 => wanted,
            _ => wanted.min(nanos / self.interval_nanos),
        }
    }
}

/// Too many; one more is let through after this long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limited {
    /// Milliseconds, at least 1.
    pub retry_after_ms: u64,
}

/// See the module. Eight bytes, shared by any number of threads.
#[derive(Debug, Default)]
pub struct Bucket(AtomicU64);

impl Bucket {
    /// Takes up to `wanted` and returns how many it got.
    ///
    /// # Errors
    /// None is left.
    pub fn take(&self, wanted: u64, rate: Rate, now: Now) -> Result<u64, Limited> {
        let now_nanos = now.micros.saturating_mul(1000);
        let mut full_at = self.0.load(Ordering::Relaxed);
        loop {
            let start = full_at.max(now_nanos);
            let taken = rate.fit(wanted, (now_nanos + rate.burst_nanos).saturating_sub(start));
            if taken == 0 && wanted > 0 {
                let wait = start + rate.interval_nanos - now_nanos - rate.burst_nanos;
                return Err(Limited { retry_after_ms: wait.div_ceil(1_000_000).max(1) });
            }
            let next = start + taken * rate.interval_nanos;
            match self.0.compare_exchange_weak(full_at, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(taken),
                Err(seen) => full_at = seen,
            }
        }
    }

    /// Takes up to `wanted` and returns how many it got, and why not more.
    pub fn take_some(&self, wanted: u64, rate: Rate, now: Now) -> (u64, Option<Limited>) {
        let mut taken = 0;
        while taken < wanted {
            match self.take(wanted - taken, rate, now) {
                Ok(more) => taken += more,
                Err(limited) => return (taken, Some(limited)),
            }
        }
        (taken, None)
    }

    /// Whether it is as good as a new one.
    pub fn is_full(&self, now: Now) -> bool {
        self.0.load(Ordering::Relaxed) <= now.micros.saturating_mul(1000)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn at(millis: u64) -> Now {
        Now { unix_ms: 0, micros: millis * 1000 }
    }

    #[test]
    fn a_burst_passes_and_then_the_rate_does() {
        let (bucket, rate) = (Bucket::default(), Rate::new(50, 5).unwrap());
        assert_eq!(bucket.take(8, rate, at(1000)), Ok(5));
        assert_eq!(bucket.take(1, rate, at(1000)), Err(Limited { retry_after_ms: 20 }));
        assert_eq!(bucket.take(1, rate, at(1019)), Err(Limited { retry_after_ms: 1 }));
        assert_eq!(bucket.take(1, rate, at(1020)), Ok(1));
        assert_eq!(bucket.take(9, rate, at(60_000)), Ok(5));
    }

    #[test]
    fn over_time_exactly_the_rate_passes() {
        let (bucket, rate) = (Bucket::default(), Rate::new(50, 50).unwrap());
        let passed = (0..10_000u64).filter(|ms| bucket.take(1, rate, at(1000 + ms)).is_ok()).count();
        assert!((545..=550).contains(&passed), "{passed}");
    }

    #[test]
    fn zero_limits_nothing() {
        assert_eq!(Rate::new(0, 5), None);
    }
}
