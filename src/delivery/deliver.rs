//! The turn of a topic: its live subscriptions, one after another, written to from one gather.
//!
//! Almost everybody stands at the same place and wants the same bytes, so that what is left per subscriber is
//! one `write`. Who is not like that leaves the live part, and the pump deals with it.

use std::io;

use crossbeam_epoch as epoch;

use super::conn::SubRef;
use super::gather::{Gather, Key, Lagged};
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

    /// Walks the live subscriptions of one topic. The flag of the interest is cleared before the head is
    /// read, so that what is published later queues the topic again.
    fn deliver(&mut self, id: u32) {
        let pin = epoch::pin();
        let slot = &mut self.slots[id as usize];
        slot.interest.clear();
        self.tell_notice(id);
        let slot = &mut self.slots[id as usize];
        let head = slot.topic.head();
        let start = if slot.live == 0 { 0 } else { slot.at % slot.live };
        let first = self.walk(id, head, start, usize::MAX, &pin);
        let second = !self.budget.spent() && self.walk(id, head, 0, start, &pin);
        if !(first && second) {
            self.queue_slot(id);
        }
        if !self.budget.spent() {
            // Whole pass: the next one begins elsewhere, so that nobody is always last.
            let slot = &mut self.slots[id as usize];
            slot.at = slot.at.wrapping_add(ROTATION);
        }
    }

    /// Tells the readers of a topic what it has to tell them besides its events.
    fn tell_notice(&mut self, id: u32) {
        let slot = &mut self.slots[id as usize];
        let number = slot.topic.notices().number();
        if std::mem::replace(&mut slot.noticed, number) == number {
            return;
        }
        let topic = std::sync::Arc::clone(&slot.topic);
        let Some(text) = topic.notices().newest() else { return };
        let readers: Vec<_> = slot.subs.iter().map(|sub| sub.conn).collect();
        for conn in readers {
            self.ask(conn, |dialect, host| dialect.noticed(&topic, &text, host));
        }
    }

    /// Writes to the live subscriptions `from..to` of a slot; `false` when the budget ended it or somebody
    /// still has not got everything up to `head`.
    fn walk(&mut self, id: u32, head: u64, from: usize, to: usize, pin: &epoch::Guard) -> bool {
        let (mut index, mut complete) = (from, true);
        while index < to.min(self.slots[id as usize].live) {
            if self.budget.spent() {
                self.slots[id as usize].at = index;
                return false;
            }
            let sub = self.slots[id as usize].subs[index];
            if sub.cursor >= head {
                index += 1;
            } else if sub.marks.indirect {
                self.make_ready(sub.conn);
                index += 1;
            } else {
                let key = Key { slot: id, class: sub.class, cursor: sub.cursor, head };
                match self.write_gathered(key, index, pin) {
                    Wrote::All => {
                        complete &= self.slots[id as usize].subs[index].cursor >= head;
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
        if self.fill(key, pin).is_err() {
            // The pump finds the lag again and deals with it.
            let conn = self.slots[key.slot as usize].subs[index].conn;
            self.suspend_all(conn);
            self.make_ready(conn);
            return Wrote::Suspended;
        }
        let Self { slots, gather, net, .. } = self;
        let bytes = gather.bytes();
        let sub = &mut slots[key.slot as usize].subs[index];
        if bytes.is_empty() {
            sub.cursor = gather.to();
            return Wrote::All;
        }
        match net.put(sub.key, bytes) {
            Ok(written) if written == bytes.len() => {
                sub.cursor = gather.to();
                sub.marks.caught_up = true;
                self.count_write(written, gather_len(&self.gather));
                Wrote::All
            }
            outcome => {
                self.stopped(SubRef { slot: key.slot, index: index as u32 }, outcome);
                Wrote::Suspended
            }
        }
    }

    /// Makes the gather for `key`, unless the last one was for the same.
    pub(super) fn fill(&mut self, key: Key, pin: &epoch::Guard) -> Result<(), Lagged> {
        let Self { slots, gather, classes, shared, metrics, budget, .. } = self;
        if gather.is_for(key) {
            return Ok(());
        }
        metrics.gathers.bump(1);
        gather.fill(key, classes.get(key.class), &slots[key.slot as usize].topic, &*shared.extract, pin)?;
        metrics.conflated.bump(gather.conflated());
        budget.look(gather.to() - key.cursor);
        Ok(())
    }

    fn count_write(&mut self, bytes: usize, events: u64) {
        self.budget.spend(bytes);
        self.metrics.writes.bump(1);
        self.metrics.bytes_out.bump(bytes as u64);
        self.metrics.deliveries.bump(events);
        self.note_latency(self.gather.stamp_micros(), events);
    }

    /// A direct write took less than everything: the rest of the frame in which it stopped is kept, and the
    /// subscription leaves the live part until the socket takes more.
    fn stopped(&mut self, at: SubRef, outcome: io::Result<usize>) {
        let conn = self.slots[at.slot as usize].subs[at.index as usize].conn;
        let written = match outcome {
            Ok(written) => written,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(_) => return self.lose(conn),
        };
        self.keep_rest(at, conn, written);
        self.block(conn);
    }

    fn lose(&mut self, conn: u32) {
        self.suspend_all(conn);
        self.doom(conn);
    }

    /// Notes how far a write of the gather came: whole frames advance the cursor, and so does the one that
    /// was begun, whose rest is kept.
    pub(super) fn keep_rest(&mut self, at: SubRef, conn: u32, written: usize) {
        let (mut start, mut begun) = (0, 0);
        let sub = &mut self.slots[at.slot as usize].subs[at.index as usize];
        for mark in self.gather.marks() {
            let end = mark.end as usize;
            if written <= start {
                break;
            }
            sub.cursor = mark.offset;
            begun += 1;
            if written < end {
                self.conns[conn as usize].outgoing().partial = self.gather.remainder(written, end);
                break;
            }
            start = end;
        }
        let keeps_up = sub.marks.caught_up;
        self.wrote_part(written, begun);
        if keeps_up && begun > 0 {
            self.note_latency(self.gather.stamp_micros(), begun);
        }
    }
}

/// How a direct write ended.
enum Wrote {
    /// The cursor moved; look at the next.
    All,
    /// The subscription left the live part; another one stands at its index now.
    Suspended,
}

fn gather_len(gather: &Gather) -> u64 {
    gather.marks().len() as u64
}
