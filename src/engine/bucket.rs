//! Token buckets: the generic cell rate algorithm in one word (ITU-T I.371, in its virtual-scheduling form). The word is
//! the time at which the bucket will be full again; nothing has to refill it.

use super::now::Now;
use crate::sync::{AtomicU64, Ordering};

/// Longest time in which a bucket fills, nanoseconds (about nine years): with twice this no sum below can overflow, for a
/// process that is older than that.
const FILL_NANOS_MAX: u64 = 1 << 58;

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
        let burst_nanos = interval_nanos.saturating_mul(burst.max(1)).min(FILL_NANOS_MAX);
        Some(Self { interval_nanos, burst_nanos })
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
        let now_nanos = nanos(now);
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
        self.0.load(Ordering::Relaxed) <= nanos(now)
    }
}

fn nanos(now: Now) -> u64 {
    now.micros.saturating_mul(1000).min(u64::MAX - 2 * FILL_NANOS_MAX)
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
    fn the_largest_numbers_do_not_overflow() {
        let rates = [(1, u64::MAX), (u64::MAX, u64::MAX), (1, 1), (u64::MAX, 1)];
        for (per_second, burst) in rates {
            for millis in [0, 1, u64::MAX / 1000] {
                let (bucket, rate) = (Bucket::default(), Rate::new(per_second, burst).unwrap());
                assert!(bucket.take(u64::MAX, rate, at(millis)).is_ok(), "{per_second} {burst} {millis}");
                assert!(bucket.take(1, rate, at(millis)).is_err(), "{per_second} {burst} {millis}");
            }
        }
    }

    #[test]
    fn a_clock_that_lags_behind_gives_nothing_twice() {
        let (bucket, rate) = (Bucket::default(), Rate::new(10, 10).unwrap());
        assert_eq!(bucket.take(10, rate, at(5000)), Ok(10));
        assert_eq!(bucket.take(1, rate, at(4000)), Err(Limited { retry_after_ms: 1100 }));
        assert_eq!(bucket.take(1, rate, at(5099)), Err(Limited { retry_after_ms: 1 }));
        assert_eq!(bucket.take(10, rate, at(5500)), Ok(5), "neither is anything lost");
    }

    #[test]
    fn threads_share_what_there_is() {
        let (bucket, rate) = (Bucket::default(), Rate::new(1, 1000).unwrap());
        let taken = std::thread::scope(|scope| {
            let take = || (0..1000).filter(|_| bucket.take(1, rate, at(1000)).is_ok()).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
        });
        assert_eq!(taken, 1000);
    }

    #[test]
    fn zero_limits_nothing() {
        assert_eq!(Rate::new(0, 5), None);
    }
}
