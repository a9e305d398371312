//! What is known of events that have been published: which they are, and what they were like. Two hashes each, and so many of
//! them that what is forgotten is no longer looked at.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hash, RandomState};

/// What an event is, seen against what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It has not been there.
    New,
    /// It was different.
    Changed,
    /// It is as it was.
    Same,
}

/// See the module.
#[derive(Debug)]
pub struct Known {
    hasher: RandomState,
    states: HashMap<u64, u64>,
    oldest_first: VecDeque<u64>,
    events_max: usize,
}

impl Known {
    /// Room for `events_max`; one more, and the oldest is forgotten.
    pub fn new(events_max: usize) -> Self {
        let (states, oldest_first) = (HashMap::new(), VecDeque::new());
        Self { hasher: RandomState::new(), states, oldest_first, events_max }
    }

    /// Notes that the event `identity` now is in `state`.
    pub fn note(&mut self, identity: impl Hash, state: impl Hash) -> Seen {
        let (identity, state) = (self.hasher.hash_one(identity), self.hasher.hash_one(state));
        match self.states.insert(identity, state) {
            Some(before) if before == state => Seen::Same,
            Some(_) => Seen::Changed,
            None => {
                self.oldest_first.push_back(identity);
                self.forget();
                Seen::New
            }
        }
    }

    fn forget(&mut self) {
        if self.oldest_first.len() > self.events_max
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.states.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_new_once_and_changed_when_they_are() {
        let mut known = Known::new(2);
        assert_eq!(known.note("a", 1), Seen::New);
        assert_eq!(known.note("a", 1), Seen::Same);
        assert_eq!(known.note("a", 2), Seen::Changed);
        assert_eq!(known.note("a", 2), Seen::Same);
        assert_eq!((known.note("b", 1), known.note("c", 1)), (Seen::New, Seen::New));
        assert_eq!((known.note("a", 2), known.note("c", 1)), (Seen::New, Seen::Same));
        assert_eq!(known.states.len(), 2);
    }
}
