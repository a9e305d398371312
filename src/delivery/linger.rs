//! Events that wait to go together: when those of a group are let go.
//!
//! The edge leads. When nothing has left within the last window, an event leaves at once; what follows waits
//! for the end of the window that this begins, or until a batch is full. A full batch never waits, and begins
//! a window of its own for those behind it. Nor does an event that its view calls urgent, with all before it.
//!
//! What waits is in the log, like everything else: a group knows only up to where its members may read now,
//! and they read as if that were the head. So nearly all of them stand at the same place, and one batch frame
//! serves them all. Nothing waits so long that it could leave the log meanwhile.

use std::collections::BTreeSet;

use crossbeam_epoch::Guard;

use super::gather::{Key, Source};
use super::net::Net;
use super::shard::Shard;
use crate::dialect::Linger;
use crate::engine::{Entry, Read, Retention};
use crate::limits::BATCH_LOOKS_MAX;

/// The waiting events of one group.
#[derive(Debug)]
pub struct Lingering {
    window_micros: u64,
    most: u64,
    released: u64,
    /// Until when what comes has to wait, monotonic microseconds.
    closed_until: u64,
    /// Events of the batch that is not full yet, as far as they were counted.
    counted: u64,
    counted_to: u64,
    /// Up to where urgent events were looked for.
    searched_to: u64,
    due: Option<u64>,
}

impl Lingering {
    /// Nothing waits, and members may have what lies up to `head`.
    pub fn new(linger: Linger, retention: &Retention, head: u64) -> Self {
        // Where events expire by age, they are let go at half of it.
        let age_ms = if retention.age_ms == 0 { u64::MAX } else { retention.age_ms / 2 };
        let window_micros = u64::from(linger.window_ms).min(age_ms) * 1000;
        let most = u64::from(linger.events.max(1));
        Self {
            window_micros,
            most,
            released: head,
            closed_until: 0,
            counted: 0,
            counted_to: head,
            searched_to: head,
            due: None,
        }
    }

    /// The newest offset that members may have.
    pub fn released(&self) -> u64 {
        self.released
    }

    /// When what waits is to be let go, monotonic microseconds.
    pub fn due(&self) -> Option<u64> {
        self.due
    }

    /// Lets go what may go now, given that the topic's newest event is `head`.
    pub fn release(&mut self, head: u64, from: &Source<'_>) {
        self.due = self.rest_due(head, from);
        if self.due.is_some_and(|due| due <= from.now.micros) || self.is_endangered(head, from) {
            return self.let_go(head);
        }
        let before = self.released;
        if let Some(urgent) = self.newest_urgent(head, from) {
            self.let_go(urgent);
        }
        self.released = self.full_batches(head, from);
        if self.released > before {
            self.sent(from.now.micros);
            self.due = self.rest_due(head, from);
        }
    }

    /// Lets go everything, due or not.
    pub fn let_go(&mut self, head: u64) {
        (self.released, self.counted, self.counted_to, self.due) = (head, 0, head, None);
        self.searched_to = self.searched_to.max(head);
    }

    /// Something left at `micros`, so that what comes within the window has to wait.
    pub fn sent(&mut self, micros: u64) {
        self.closed_until = micros + self.window_micros;
    }

    /// When what waits is due; at once if the oldest of it has left the log.
    fn rest_due(&self, head: u64, from: &Source<'_>) -> Option<u64> {
        let oldest = (self.released < head).then(|| from.topic.find(self.released + 1, from.pin))?;
        Some(oldest.map_or(0, |entry| self.closed_until.min(entry.stamp_micros + self.window_micros)))
    }

    /// Whether what waits is more than half of what the log keeps, or more than one gather looks at.
    fn is_endangered(&self, head: u64, from: &Source<'_>) -> bool {
        let (retention, waiting) = (&from.topic.namespace().retention, (head - self.released) as usize);
        waiting > BATCH_LOOKS_MAX
            || waiting > retention.events / 2
            || from.topic.backlog_bytes(self.released, from.pin) > retention.bytes / 2
    }

    /// The newest urgent event of those that were not searched yet.
    fn newest_urgent(&mut self, head: u64, from: &Source<'_>) -> Option<u64> {
        let unsearched = std::mem::replace(&mut self.searched_to, head).max(self.released) + 1..=head;
        let is_urgent = |entry: &Entry| from.class.encode.urgent(entry) && from.wants(entry);
        unsearched.rev().find(|offset| from.topic.find(*offset, from.pin).is_some_and(is_urgent))
    }

    /// The end of the last batch that is full.
    fn full_batches(&mut self, head: u64, from: &Source<'_>) -> u64 {
        let mut full = self.released;
        if head - self.released < self.most {
            // Not even if all of them were wanted; nothing need be looked at.
            return full;
        }
        while let Read::Entry(offset, entry) = from.topic.read(self.counted_to, from.pin)
            && offset <= head
        {
            self.counted_to = offset;
            self.counted += u64::from(from.wants(entry));
            if self.counted == self.most {
                (self.counted, full) = (0, offset);
            }
        }
        full
    }
}

/// When the groups with waiting events are due: one entry for each of them.
#[derive(Debug, Default)]
pub(super) struct Dues(BTreeSet<(u64, u32)>);

impl Dues {
    /// `group` is due at `to` instead of `from`.
    pub fn change(&mut self, group: u32, from: Option<u64>, to: Option<u64>) {
        if let Some(due) = from.filter(|_| from != to) {
            self.0.remove(&(due, group));
        }
        self.0.extend(to.map(|due| (due, group)));
    }

    /// When the next one is due, monotonic microseconds.
    pub fn next(&self) -> Option<u64> {
        self.0.first().map(|(due, _)| *due)
    }
}

impl<N: Net> Shard<N> {
    /// Queues the topics of groups that are due.
    pub(super) fn take_dues(&mut self) {
        while let Some(&(due, group)) = self.dues.0.first()
            && due <= self.now.micros
        {
            self.dues.0.pop_first();
            self.queue_slot(self.groups[group as usize].slot);
        }
    }

    /// Lets go what may go of a topic whose newest event is `head`; the newest that members of `group` may have.
    pub(super) fn let_go(&mut self, group: u32, head: u64, pin: &Guard) -> u64 {
        let Self { groups, slots, classes, shared, dues, now, .. } = self;
        let found = &mut groups[group as usize];
        let Some(lingering) = &mut found.lingering else { return head };
        let (topic, class) = (&slots[found.slot as usize].topic, classes.get(found.class));
        let from = Source { class, topic, extract: &*shared.extract, pin, now: *now };
        let (before, due) = (lingering.released(), lingering.due());
        lingering.release(head, &from);
        dues.change(group, due, lingering.due());
        let released = lingering.released();
        if released > before && found.live > 0 {
            self.begin_window(Key { group, cursor: before, head: released }, pin);
        }
        released
    }

    /// Makes what nearly all members get. Only if there is something in it does a window begin.
    fn begin_window(&mut self, key: Key, pin: &Guard) {
        let wanted = self.fill(key, pin).is_ok() && self.gather.events() > 0;
        if let Some(lingering) = self.groups[key.group as usize].lingering.as_mut().filter(|_| wanted) {
            lingering.sent(self.now.micros);
        }
    }

    /// Lets go what waits for a connection that is about to end.
    pub(super) fn let_all_go(&mut self, id: u32) {
        for at in self.conns[id as usize].subs.refs() {
            let found = &mut self.groups[at.group as usize];
            let slot = &self.slots[found.slot as usize];
            if let Some(lingering) = &mut found.lingering {
                self.dues.change(at.group, lingering.due(), None);
                lingering.let_go(slot.topic.head());
            }
        }
    }
}

#[cfg(test)]
#[path = "linger_tests.rs"]
mod tests;
