//! When a map is to be searched for what can be forgotten: when it has twice as many entries as the last search has left. So a
//! search is paid for by half as many new entries as it looks at, however few it finds, and a map never has more than twice
//! what it needs.

/// Entries below which no search is worth while.
const FEW: usize = 64;

/// See the module.
#[derive(Debug)]
pub struct Sweep {
    at: usize,
}

impl Default for Sweep {
    fn default() -> Self {
        Self { at: FEW }
    }
}

impl Sweep {
    /// Whether a map of `entries` is to be searched before it gets another.
    pub fn is_due(&self, entries: usize) -> bool {
        entries >= self.at
    }

    /// A search has left `entries`.
    pub fn done(&mut self, entries: usize) {
        self.at = (entries * 2).max(FEW);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn each_search_is_paid_for_by_newcomers_even_if_it_finds_nothing() {
        let (mut sweep, mut entries, mut looks) = (Sweep::default(), 0, 0);
        for newcomer in 0..100_000 {
            if sweep.is_due(entries) {
                looks += entries;
                // Every other search finds one.
                entries -= newcomer % 2;
                sweep.done(entries);
            }
            entries += 1;
        }
        assert!(looks < 200_000, "{looks}");
    }
}
