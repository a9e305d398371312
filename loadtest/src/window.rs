//! Which events of a topic are published and not yet read by everybody.
//!
//! Per outstanding event there is a count of subscribers that have not read it: a delivery decrements one integer, and
//! the window opens as far as the oldest counts are zero.

use crate::check::{Seen, Track};

/// How the subscribers of a topic are spread over the classes of offsets that filters let through.
#[derive(Debug, Clone, Default)]
struct Members {
    everything: u32,
    /// Readers of the offsets that are `i` modulo the length.
    classes: Vec<u32>,
}

impl Members {
    fn slot(&mut self, (stride, residue): (u32, u32)) -> &mut u32 {
        if stride == 1 {
            return &mut self.everything;
        }
        if self.classes.is_empty() {
            self.classes = vec![0; stride as usize];
        }
        &mut self.classes[residue as usize]
    }

    fn readers(&self, offset: u64) -> u32 {
        let class = match self.classes.len() as u64 {
            0 => 0,
            stride => self.classes[(offset % stride) as usize],
        };
        self.everything + class
    }
}

/// The outstanding events of one topic.
#[derive(Debug)]
pub struct Window {
    mask: u64,
    unread: Vec<u32>,
    sent_at: Vec<u64>,
    published: u64,
    complete: u64,
    members: Members,
}

impl Window {
    /// A window in which at least `capacity` events may be outstanding.
    pub fn new(capacity: usize) -> Self {
        let size = capacity.next_power_of_two().max(64);
        Self {
            mask: size as u64 - 1,
            unread: vec![0; size],
            sent_at: vec![0; size],
            published: 0,
            complete: 0,
            members: Members::default(),
        }
    }

    /// The topic stands at `offset` and nothing is outstanding.
    pub fn begin(&mut self, offset: u64) {
        (self.published, self.complete) = (offset, offset);
    }

    /// A subscriber is counted from the next publication on.
    pub fn join(&mut self, class: (u32, u32)) {
        *self.members.slot(class) += 1;
    }

    /// A subscriber is counted no longer, also for what it has not read.
    pub fn leave(&mut self, track: &Track) {
        *self.members.slot(track.class()) -= 1;
        self.forgo(track.last(), self.published, track.class());
    }

    /// The newest offset published.
    pub fn published(&self) -> u64 {
        self.published
    }

    /// How many events are not read by all.
    pub fn outstanding(&self) -> usize {
        (self.published - self.complete) as usize
    }

    /// How many more may be published without having more than `limit` outstanding.
    pub fn room(&self, limit: usize) -> usize {
        limit.min(self.unread.len()).saturating_sub(self.outstanding())
    }

    /// `n` more are published now. The caller has asked for room.
    pub fn publish(&mut self, n: usize, now: u64) {
        for offset in self.published + 1..=self.published + n as u64 {
            let i = (offset & self.mask) as usize;
            self.unread[i] = self.members.readers(offset);
            self.sent_at[i] = now;
        }
        self.published += n as u64;
        self.advance();
    }

    /// When `offset` was published, if it is outstanding.
    #[inline]
    pub fn sent_at(&self, offset: u64) -> Option<u64> {
        let outstanding = offset > self.complete && offset <= self.published;
        outstanding.then(|| self.sent_at[(offset & self.mask) as usize])
    }

    /// A counted subscriber has read `offset`, which was to it what `seen` says.
    #[inline]
    pub fn read(&mut self, offset: u64, seen: Seen, class: (u32, u32)) {
        match seen {
            Seen::Next => {}
            Seen::Ahead { last } => self.skip(last, offset, class),
            Seen::Late | Seen::Again | Seen::Foreign => return,
        }
        if self.decrement(offset) {
            self.advance();
        }
    }

    /// A counted subscriber will never read what lies behind `last`, up to `to`.
    pub fn forgo(&mut self, last: u64, to: u64, class: (u32, u32)) {
        self.skip(last, to + 1, class);
        self.advance();
    }

    /// Takes one reader from `offset`; says whether it was the last.
    #[inline]
    fn decrement(&mut self, offset: u64) -> bool {
        if offset <= self.complete || offset > self.published {
            return false;
        }
        let unread = &mut self.unread[(offset & self.mask) as usize];
        *unread = unread.saturating_sub(1);
        *unread == 0
    }

    /// A subscriber will not read the offsets of its class between `after` and `before`.
    fn skip(&mut self, after: u64, before: u64, (stride, residue): (u32, u32)) {
        for offset in after.max(self.complete) + 1..before {
            if offset % u64::from(stride) == u64::from(residue) {
                self.decrement(offset);
            }
        }
    }

    fn advance(&mut self) {
        while self.complete < self.published && self.unread[((self.complete + 1) & self.mask) as usize] == 0 {
            self.complete += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Tally;

    fn see(window: &mut Window, track: &mut Track, offset: u64) {
        let seen = track.see(offset, &mut Tally::default());
        window.read(offset, seen, track.class());
    }

    #[test]
    fn opens_when_the_last_subscriber_has_read() {
        let (mut a, mut b) = (Track::default(), Track::default());
        let mut window = Window::new(4);
        window.join(a.class());
        window.join(b.class());
        window.publish(2, 5);
        assert_eq!((window.room(2), window.sent_at(1), window.sent_at(3)), (0, Some(5), None));
        [1, 2].into_iter().for_each(|offset| see(&mut window, &mut a, offset));
        assert_eq!(window.room(2), 0);
        see(&mut window, &mut b, 1);
        assert_eq!((window.room(2), window.sent_at(1)), (1, None));
        see(&mut window, &mut b, 2);
        assert_eq!(window.room(2), 2);
    }

    #[test]
    fn a_skipped_or_repeated_event_holds_nothing_up_and_opens_nothing() {
        let (mut a, mut b) = (Track::default(), Track::default());
        let mut window = Window::new(8);
        window.join(a.class());
        window.join(b.class());
        window.publish(3, 0);
        [1, 3].into_iter().for_each(|offset| see(&mut window, &mut a, offset));
        [1, 1].into_iter().for_each(|offset| see(&mut window, &mut b, offset));
        assert_eq!(window.outstanding(), 2);
        [2, 3].into_iter().for_each(|offset| see(&mut window, &mut b, offset));
        assert_eq!(window.outstanding(), 0);
    }

    #[test]
    fn who_leaves_is_waited_for_no_longer() {
        let (mut a, b) = (Track::default(), Track::default());
        let mut window = Window::new(8);
        window.join(a.class());
        window.join(b.class());
        window.publish(3, 0);
        [1, 2, 3].into_iter().for_each(|offset| see(&mut window, &mut a, offset));
        assert_eq!(window.outstanding(), 3);
        window.leave(&b);
        assert_eq!(window.outstanding(), 0);
    }

    #[test]
    fn events_that_no_filter_lets_through_wait_for_nobody() {
        let mut a = Track::new(10, 3);
        let mut window = Window::new(64);
        window.join(a.class());
        window.publish(12, 0);
        assert_eq!(window.outstanding(), 10);
        see(&mut window, &mut a, 3);
        assert_eq!(window.outstanding(), 0);
    }
}
