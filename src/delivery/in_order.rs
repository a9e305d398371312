//! Events of several topics in the order in which they were published, for connections whose dialect needs that
//! ([`crate::dialect::Dialect::keeps_order`]): what answers a second question must not come before the end of the first answer.
//!
//! Each write takes a run of one topic: that whose next event was published first, up to where another topic has something older.
//! Other connections take all there is of a topic at once, and one topic after another.

use crossbeam_epoch::Guard;

use super::conn::SubRef;
use super::net::Net;
use super::shard::Shard;
use crate::limits::GATHER_EVENTS_MAX;

impl<N: Net> Shard<N> {
    /// The subscription of a connection whose next event was published first, and the last event of its run; `None` when there is
    /// nothing.
    pub(super) fn first_published(&self, id: u32, pin: &Guard) -> Option<(SubRef, u64)> {
        let refs = self.conns[id as usize].subs.refs();
        loop {
            // What lies up to these heads was published before the looks that follow, and so was whatever led to it: they find it.
            let heads: Vec<_> = refs.iter().map(|at| self.visible(*at)).collect();
            let stamps: Vec<_> = refs.iter().map(|at| self.next_stamp(*at, pin)).collect();
            let found = stamps.iter().enumerate().filter_map(|(i, stamp)| Some((i, (*stamp)?)));
            let (first, _) = found.min_by_key(|(_, stamp)| *stamp)?;
            if self.sub(refs[first]).cursor >= heads[first] {
                // It came between the two.
                continue;
            }
            let others = stamps.iter().enumerate().filter(|(i, _)| *i != first);
            let until = others.filter_map(|(_, stamp)| *stamp).min();
            let last = until.map_or(heads[first], |until| self.run(refs[first], heads[first], until, pin));
            return Some((refs[first], last));
        }
    }

    /// When the next event of a subscription was published; at the beginning of time where it is no longer kept, which must be
    /// told first.
    fn next_stamp(&self, at: SubRef, pin: &Guard) -> Option<u64> {
        let cursor = self.sub(at).cursor;
        let next = || self.topic_of(at).find(cursor + 1, pin).map_or(0, |entry| entry.stamp_micros);
        (cursor < self.visible(at)).then(next)
    }

    /// The last event that was published not after `until`, of those up to `head`.
    fn run(&self, at: SubRef, head: u64, until: u64, pin: &Guard) -> u64 {
        let (topic, next) = (self.topic_of(at), self.sub(at).cursor + 1);
        let is_later =
            |offset: &u64| topic.find(*offset, pin).is_some_and(|entry| entry.stamp_micros > until);
        let head = head.min(next + GATHER_EVENTS_MAX as u64);
        (next + 1..=head).find(is_later).map_or(head, |later| later - 1)
    }
}
