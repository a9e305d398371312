//! The turn of a topic: its groups, and the live members of each, one after another, written to from one gather.
//!
//! Almost everybody stands at the same place and wants the same bytes, so that what is left per subscriber is
//! one `write`. Who is not like that leaves the live part, and the pump deals with it.

use std::io;
use std::sync::Arc;

use crossbeam_epoch as epoch;

use super::conn::SubRef;
use super::gather::{Key, Lagged, Source};
use super::joined::Sent;
use super::net::Net;
use super::shard::Shard;

/// How far apart two passes over the same subscriptions begin; a prime, so that all places get their turn.
const ROTATION: usize = 61;

impl<N: Net> Shard<N> {
    pub(super) fn deliver_news(&mut self) {
        for _ in 0..self.news.len() {
            if self.budget.spent() {
                return;
            }
            let Some(slot) = self.news.pop_front() else { return };
            if let Some(found) = self.slots.get_mut(slot as usize) {
                found.queued = false;
                self.deliver(slot);
            }
        }
    }

    /// Delivers what is new of one topic, group by group. The flag of the interest is cleared before the head is
    /// read, so that what is published later queues the topic again.
    fn deliver(&mut self, id: u32) {
        self.slots[id as usize].interest.clear();
        self.tell_notice(id);
        // Who was told may have been the last that read it.
        let Some(slot) = self.slots.get(id as usize) else { return };
        let (pin, head, groups, at) = (epoch::pin(), slot.topic.head(), slot.groups.len(), slot.at);
        let (mut complete, mut next) = (true, at.wrapping_add(1));
        for i in 0..groups {
            let slot = &self.slots[id as usize];
            let (_, group) = slot.groups[at.wrapping_add(i) % groups];
            complete &= self.deliver_group(group, head, &pin);
            if self.budget.spent() {
                next = at.wrapping_add(i);
                break;
            }
        }
        self.slots[id as usize].at = next;
        if !complete || self.budget.spent() {
            self.queue_slot(id);
        }
        self.count_sent(id);
    }

    /// Walks the live members of a group; `false` when somebody still has not got everything.
    fn deliver_group(&mut self, id: u32, head: u64, pin: &epoch::Guard) -> bool {
        let head = self.let_go(id, head, pin);
        let group = &self.groups[id as usize];
        if group.served >= head {
            return true;
        }
        let start = if group.live == 0 { 0 } else { group.at % group.live };
        let first = self.walk(id, head, start, usize::MAX, pin);
        let second = !self.budget.spent() && self.walk(id, head, 0, start, pin);
        let group = &mut self.groups[id as usize];
        if first && second {
            group.served = head;
        }
        if !self.budget.spent() {
            // Whole pass: the next one begins elsewhere, so that nobody is always last.
            group.at = group.at.wrapping_add(ROTATION);
        }
        first && second
    }

    /// Tells the readers of a topic what it has to tell them besides its events.
    fn tell_notice(&mut self, id: u32) {
        let slot = &mut self.slots[id as usize];
        let number = slot.topic.notices().number();
        if std::mem::replace(&mut slot.noticed, number) == number {
            return;
        }
        let topic = Arc::clone(&slot.topic);
        let Some(text) = topic.notices().newest() else { return };
        let groups = slot.groups.iter().map(|(_, group)| &self.groups[*group as usize]);
        let readers: Vec<_> = groups.flat_map(|group| &group.subs).map(|sub| sub.conn).collect();
        for conn in readers {
            self.ask(conn, |dialect, host| dialect.noticed(&topic, &text, host));
        }
    }

    /// Writes to the live members `from..to` of a group; `false` when the budget ended it or somebody still has
    /// not got everything up to `head`.
    fn walk(&mut self, id: u32, head: u64, from: usize, to: usize, pin: &epoch::Guard) -> bool {
        let (mut index, mut complete) = (from, true);
        while index < to.min(self.groups[id as usize].live) {
            if self.budget.spent() {
                self.groups[id as usize].at = index;
                return false;
            }
            let sub = self.groups[id as usize].subs[index];
            if sub.cursor >= head {
                index += 1;
            } else if sub.marks.indirect {
                self.make_ready(sub.conn);
                index += 1;
            } else {
                let key = Key { group: id, cursor: sub.cursor, head };
                match self.write_gathered(key, index, pin) {
                    Wrote::All => {
                        complete &= self.groups[id as usize].subs[index].cursor >= head;
                        index += 1;
                    }
                    Wrote::Suspended => {}
                }
            }
        }
        complete
    }

    /// Makes or reuses the gather for `key` and writes it to one live subscription.
    fn write_gathered(&mut self, key: Key, index: usize, pin: &epoch::Guard) -> Wrote {
        if self.fill(key, pin).is_err() || self.gather.ends() {
            // The pump finds the lag or the end again and deals with it.
            let conn = self.groups[key.group as usize].subs[index].conn;
            self.suspend_all(conn);
            self.make_ready(conn);
            return Wrote::Suspended;
        }
        let Self { groups, gather, net, .. } = self;
        let bytes = gather.bytes();
        let sub = &mut groups[key.group as usize].subs[index];
        if bytes.is_empty() {
            sub.cursor = gather.to();
            return Wrote::All;
        }
        match net.put(sub.key, bytes) {
            Ok(written) if written == bytes.len() => {
                sub.cursor = gather.to();
                sub.marks.caught_up = true;
                self.count_write(written);
                Wrote::All
            }
            outcome => {
                self.stopped(SubRef { group: key.group, index: index as u32 }, outcome);
                Wrote::Suspended
            }
        }
    }

    /// Makes the gather for `key`, unless one of the last two was for the same: a newcomer between two that stand
    /// at the same place does not cost the second a gather.
    pub(super) fn fill(&mut self, key: Key, pin: &epoch::Guard) -> Result<(), Lagged> {
        let Self { slots, groups, gather, spare, masks, classes, shared, metrics, budget, now, .. } = self;
        if gather.is_for(key) {
            return Ok(());
        }
        std::mem::swap(gather, spare);
        if gather.is_for(key) {
            return Ok(());
        }
        metrics.gathers.bump(1);
        let group = &groups[key.group as usize];
        let (class, topic) = (classes.get(group.class), &slots[group.slot as usize].topic);
        let from = Source { class, topic, extract: &*shared.extract, pin, now: *now };
        let sieve = masks.sieve(classes.key(group.class), key, &from);
        gather.fill(key, &from, &sieve)?;
        metrics.conflated.bump(gather.conflated());
        budget.look(gather.to() - key.cursor);
        Ok(())
    }

    fn count_write(&mut self, bytes: usize) {
        let events = self.gather.events();
        self.budget.spend(bytes);
        self.metrics.writes.bump(1);
        self.metrics.bytes_out.bump(bytes as u64);
        self.metrics.deliveries.bump(events);
        self.walked.add(Sent { events, bytes: bytes as u64 });
        self.note_latency(self.gather.stamp_micros(), events);
    }

    /// Tells the topic what the walk has sent, at once instead of write by write.
    fn count_sent(&mut self, id: u32) {
        std::mem::take(&mut self.walked).tell(&self.slots[id as usize].topic);
    }

    /// A direct write took less than everything: the rest of the frame in which it stopped is kept, and the
    /// subscription leaves the live part until the socket takes more.
    fn stopped(&mut self, at: SubRef, outcome: io::Result<usize>) {
        let conn = self.groups[at.group as usize].subs[at.index as usize].conn;
        let written = match outcome {
            Ok(written) => written,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(_) => return self.lose(conn),
        };
        let begun = self.keep_rest(at, conn, written);
        self.walked.add(begun);
        self.block(conn);
    }

    fn lose(&mut self, conn: u32) {
        self.suspend_all(conn);
        self.doom(conn);
    }

    /// Notes how far a write of the gather came: whole frames advance the cursor, and so does the one that
    /// was begun, whose rest is kept. All of these count as sent.
    pub(super) fn keep_rest(&mut self, at: SubRef, conn: u32, written: usize) -> Sent {
        let (mut start, mut begun) = (0, Sent::default());
        let sub = &mut self.groups[at.group as usize].subs[at.index as usize];
        for mark in self.gather.marks() {
            let end = mark.end as usize;
            if written <= start {
                break;
            }
            sub.cursor = mark.offset;
            begun.add(Sent { events: u64::from(mark.events), bytes: (end - start) as u64 });
            if written < end {
                self.conns[conn as usize].outgoing().partial = self.gather.remainder(written, end);
                break;
            }
            start = end;
        }
        let keeps_up = sub.marks.caught_up;
        self.wrote_part(written, begun.events);
        if keeps_up && begun.events > 0 {
            self.note_latency(self.gather.stamp_micros(), begun.events);
        }
        begun
    }
}

/// How a direct write ended.
enum Wrote {
    /// The cursor moved; look at the next.
    All,
    /// The subscription left the live part; another one stands at its index now.
    Suspended,
}
