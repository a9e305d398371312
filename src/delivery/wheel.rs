//! A timer wheel: one entry per connection and nothing else, a coarse tick, amortised constant time.
//!
//! What is due is only a hint: the shard looks at the connection and decides, so that a deadline that moved
//! away costs nothing until its old time has come.

/// Milliseconds of a tick: the resolution of pings, idle and write deadlines.
pub const TICK_MS: u64 = 250;
const BUCKETS: usize = 512;

/// See the module.
#[derive(Debug)]
pub struct Wheel {
    buckets: Vec<Vec<Timer>>,
    now: u64,
}

#[derive(Clone, Copy, Debug)]
struct Timer {
    tick: u32,
    key: u32,
}

impl Wheel {
    /// A wheel whose time is `millis`.
    pub fn new(millis: u64) -> Self {
        Self { buckets: vec![Vec::new(); BUCKETS], now: millis / TICK_MS }
    }

    /// Reports `key` at the first tick at or after `millis`, at the earliest the next one.
    pub fn schedule(&mut self, key: u32, millis: u64) {
        let tick = millis.div_ceil(TICK_MS).max(self.now + 1);
        self.buckets[tick as usize % BUCKETS].push(Timer { tick: tick as u32, key });
    }

    /// Moves time to `millis` and appends to `due` what has come up.
    pub fn advance(&mut self, millis: u64, due: &mut Vec<u32>) {
        let target = millis / TICK_MS;
        while self.now < target {
            self.now += 1;
            self.expire(self.now, due);
        }
    }

    fn expire(&mut self, tick: u64, due: &mut Vec<u32>) {
        let bucket = &mut self.buckets[tick as usize % BUCKETS];
        bucket.retain(|timer| {
            let later = timer.tick != tick as u32;
            if !later {
                due.push(timer.key);
            }
            later
        });
        if bucket.is_empty() {
            *bucket = Vec::new();
        }
    }

    /// Milliseconds from `millis` to the next tick.
    pub fn until_tick(&self, millis: u64) -> u64 {
        ((self.now + 1) * TICK_MS).saturating_sub(millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(wheel: &mut Wheel, millis: u64) -> Vec<u32> {
        let mut due = Vec::new();
        wheel.advance(millis, &mut due);
        due
    }

    const NONE: [u32; 0] = [];

    #[test]
    fn reports_at_the_tick_and_only_once() {
        let mut wheel = Wheel::new(0);
        wheel.schedule(7, 600);
        assert_eq!(due(&mut wheel, 599), NONE);
        assert_eq!(due(&mut wheel, 750), [7]);
        assert_eq!(due(&mut wheel, 10_000), NONE);
    }

    #[test]
    fn keeps_what_lies_a_revolution_ahead() {
        let mut wheel = Wheel::new(0);
        wheel.schedule(1, TICK_MS * (BUCKETS as u64 + 3));
        assert_eq!(due(&mut wheel, TICK_MS * 10), NONE);
        assert_eq!(due(&mut wheel, TICK_MS * (BUCKETS as u64 + 3)), [1]);
    }

    #[test]
    fn the_past_is_due_next() {
        let mut wheel = Wheel::new(10_000);
        wheel.schedule(1, 5);
        assert_eq!(due(&mut wheel, 10_000), NONE);
        assert_eq!(due(&mut wheel, 10_000 + TICK_MS), [1]);
    }
}
