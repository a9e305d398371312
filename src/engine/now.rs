//! The time, as an argument.

/// A moment, read once by whoever owns the clock and passed down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Wall clock, Unix milliseconds.
    pub unix_ms: u64,
    /// Monotonic clock of the process, microseconds.
    pub micros: u64,
}

impl Now {
    /// The monotonic clock in milliseconds.
    pub fn millis(self) -> u64 {
        self.micros / 1000
    }

    /// Whether the monotonic clock, and with it this life of the server, began after `unix_ms`.
    pub fn is_before_life(self, unix_ms: u64) -> bool {
        unix_ms < self.unix_ms.saturating_sub(self.millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_begins_with_its_monotonic_clock() {
        let now = Now { unix_ms: 10_000, micros: 3_000_000 };
        assert!(now.is_before_life(6_999) && !now.is_before_life(7_000));
        assert!(!Now { unix_ms: 1, micros: 3_000_000 }.is_before_life(0));
    }
}
