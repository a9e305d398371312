//! What a subscriber has read against what it should have read: order, gaps, duplicates.
//!
//! Offsets are dense, so every subscriber expects exactly one next offset; with a filter that lets every `stride`-th event
//! through it is `stride` further. Anything else is counted at once, and a hole that is filled later turns from a loss
//! into a reordering.

/// What went wrong, and what went right, over many subscribers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Events read, whatever their order.
    pub delivered: u64,
    /// Events that a subscriber should have read and has not.
    pub lost: u64,
    /// How many of the lost ones the server owned up to (`gap`, `recovered: false`).
    pub announced: u64,
    /// Events read twice.
    pub duplicated: u64,
    /// Events read after a later one.
    pub reordered: u64,
    /// Events whose text is not what was published.
    pub corrupted: u64,
    /// Events that nobody published, or of a topic not subscribed to.
    pub unexpected: u64,
    /// Connections that ended although nothing asked for it.
    pub disconnected: u64,
}

impl Tally {
    /// Whether every event came once, in order and intact.
    #[cfg(test)]
    pub fn is_clean(&self) -> bool {
        let Self { lost, duplicated, reordered, corrupted, unexpected, disconnected, .. } = *self;
        [lost, duplicated, reordered, corrupted, unexpected, disconnected] == [0; 6]
    }

    /// Adds what `other` counted.
    pub fn add(&mut self, other: &Self) {
        self.delivered += other.delivered;
        self.lost += other.lost;
        self.announced += other.announced;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.corrupted += other.corrupted;
        self.unexpected += other.unexpected;
        self.disconnected += other.disconnected;
    }
}

/// What an offset is to a subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// The one it waited for.
    Next,
    /// A later one: those after `last` were skipped.
    Ahead {
        /// The last offset read before.
        last: u64,
    },
    /// One it had skipped.
    Late,
    /// One it had read.
    Again,
    /// One its filter should have kept away.
    Foreign,
}

/// The place of one subscriber in its topic.
#[derive(Debug, Clone)]
pub struct Track {
    last: u64,
    stride: u32,
    residue: u32,
    /// Ranges skipped and not filled since; hardly ever there.
    holes: Vec<(u64, u64)>,
}

impl Default for Track {
    fn default() -> Self {
        Self::new(1, 0)
    }
}

impl Track {
    /// A subscriber that gets the offsets that are `residue` modulo `stride`.
    pub fn new(stride: u32, residue: u32) -> Self {
        Self { last: 0, stride, residue, holes: Vec::new() }
    }

    /// How many offsets of this subscriber there are up to `to`.
    fn up_to(&self, to: u64) -> u64 {
        let (stride, residue) = (u64::from(self.stride), u64::from(self.residue));
        match residue {
            0 => to / stride,
            _ => to.checked_sub(residue).map_or(0, |above| above / stride + 1),
        }
    }

    /// How many offsets of this subscriber lie in `from + 1 ..= to`.
    fn count(&self, from: u64, to: u64) -> u64 {
        self.up_to(to).saturating_sub(self.up_to(from))
    }

    fn is_mine(&self, offset: u64) -> bool {
        offset > 0 && offset % u64::from(self.stride) == u64::from(self.residue)
    }

    /// Reading starts after `offset`.
    pub fn begin(&mut self, offset: u64) {
        self.last = offset;
        self.holes.clear();
    }

    /// The last offset read, or begun after.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// How far apart the offsets of this subscriber are, and where they lie.
    pub fn class(&self) -> (u32, u32) {
        (self.stride, self.residue)
    }

    /// Takes note of `offset` and counts what is wrong with it.
    #[inline]
    pub fn see(&mut self, offset: u64, tally: &mut Tally) -> Seen {
        tally.delivered += 1;
        if self.stride == 1 && offset == self.last + 1 {
            self.last = offset;
            return Seen::Next;
        }
        self.see_other(offset, tally)
    }

    fn see_other(&mut self, offset: u64, tally: &mut Tally) -> Seen {
        if !self.is_mine(offset) {
            tally.unexpected += 1;
            return Seen::Foreign;
        }
        if offset <= self.last {
            return self.see_past(offset, tally);
        }
        let last = std::mem::replace(&mut self.last, offset);
        match self.count(last, offset) - 1 {
            0 => Seen::Next,
            skipped => {
                tally.lost += skipped;
                self.holes.push((last + 1, offset - 1));
                Seen::Ahead { last }
            }
        }
    }

    fn see_past(&mut self, offset: u64, tally: &mut Tally) -> Seen {
        let holes = &mut self.holes;
        let Some(i) = holes.iter().position(|&(from, to)| (from..=to).contains(&offset)) else {
            tally.duplicated += 1;
            return Seen::Again;
        };
        let (from, to) = holes.swap_remove(i);
        holes.extend([(from, offset - 1), (offset + 1, to)].into_iter().filter(|(from, to)| from <= to));
        tally.lost -= 1;
        tally.reordered += 1;
        Seen::Late
    }

    /// The server says that everything up to `to` that was not read is gone.
    pub fn give_up(&mut self, to: u64, tally: &mut Tally) {
        let missed = self.count(self.last, to);
        tally.lost += missed;
        tally.announced += missed;
        self.last = self.last.max(to);
    }

    /// Nothing more will come although `newest` was published: what is missing is lost.
    pub fn finish(&mut self, newest: u64, tally: &mut Tally) {
        tally.lost += self.count(self.last, newest.max(self.last));
        self.last = self.last.max(newest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(stride: u32, residue: u32, offsets: &[u64], newest: u64) -> Tally {
        let (mut track, mut tally) = (Track::new(stride, residue), Tally::default());
        track.begin(0);
        for &offset in offsets {
            track.see(offset, &mut tally);
        }
        track.finish(newest, &mut tally);
        tally
    }

    fn faults(tally: &Tally) -> [u64; 4] {
        [tally.lost, tally.duplicated, tally.reordered, tally.unexpected]
    }

    #[test]
    fn what_comes_once_and_in_order_is_clean() {
        let tally = run(1, 0, &[1, 2, 3, 4], 4);
        assert!(tally.is_clean());
        assert_eq!(tally.delivered, 4);
    }

    #[test]
    fn a_hole_is_a_loss() {
        assert_eq!(faults(&run(1, 0, &[1, 2, 5], 5)), [2, 0, 0, 0]);
    }

    #[test]
    fn a_missing_end_is_a_loss() {
        assert_eq!(faults(&run(1, 0, &[1, 2], 5)), [3, 0, 0, 0]);
        assert_eq!(faults(&run(1, 0, &[], 5)), [5, 0, 0, 0]);
    }

    #[test]
    fn a_repetition_is_a_duplicate() {
        assert_eq!(faults(&run(1, 0, &[1, 2, 2, 1, 3], 3)), [0, 2, 0, 0]);
    }

    #[test]
    fn a_late_one_is_a_reordering_and_no_loss() {
        assert_eq!(faults(&run(1, 0, &[1, 3, 2, 4], 4)), [0, 0, 1, 0]);
        assert_eq!(faults(&run(1, 0, &[5, 3, 1, 2, 4, 4], 5)), [0, 1, 4, 0]);
    }

    #[test]
    fn filtered_offsets_are_expected_at_their_stride() {
        assert!(run(10, 3, &[3, 13, 23], 32).is_clean());
        assert!(run(10, 0, &[10, 20], 29).is_clean());
        assert_eq!(faults(&run(10, 3, &[3, 23], 23)), [1, 0, 0, 0]);
        assert_eq!(faults(&run(10, 3, &[3, 13], 33)), [2, 0, 0, 0]);
        assert_eq!(faults(&run(10, 3, &[3, 4, 13], 13)), [0, 0, 0, 1]);
    }

    #[test]
    fn an_owned_up_gap_is_a_loss_that_was_announced() {
        let (mut track, mut tally) = (Track::default(), Tally::default());
        track.begin(4);
        track.give_up(10, &mut tally);
        assert_eq!(track.see(11, &mut tally), Seen::Next);
        assert_eq!((tally.lost, tally.announced), (6, 6));
    }
}
