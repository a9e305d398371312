//! Writing to one connection on its own account: what waits for it alone, then what its topics have.
//!
//! This is the way of everybody who is not at the head with an empty outbox: newcomers, those who catch up,
//! those whose socket was full, and connections that read several topics. The bytes come from the same
//! gather as in a topic's turn, so many who catch up from the same place share them.

use std::io;

use crossbeam_epoch as epoch;

use super::class::Class;
use super::conn::SubRef;
use super::gather::Key;
use super::joined::{Joined, Sent, Share};
use super::net::Net;
use super::shard::Shard;
use crate::error::Disconnect;
use crate::limits::{GATHER_BYTES_MAX, PUMP_ROUNDS};

/// How far a step came.
pub(super) enum Step {
    /// Done; go on.
    Go,
    /// Nothing more can be done now.
    Wait,
}

impl<N: Net> Shard<N> {
    pub(super) fn pump_ready(&mut self) {
        for _ in 0..self.ready.len() {
            if self.budget.spent() {
                return;
            }
            let Some(id) = self.ready.pop_front() else { return };
            if let Some(conn) = self.conns.get_mut(id as usize) {
                conn.flags.ready = false;
                self.pump(id);
            }
        }
    }

    /// Writes until the socket is full, nothing is left, or others must have their turn.
    pub(super) fn pump(&mut self, id: u32) {
        if self.conns[id as usize].flags.doomed || self.conns[id as usize].flags.blocked {
            return;
        }
        for _ in 0..PUMP_ROUNDS {
            match self.pump_once(id) {
                Step::Go => {}
                Step::Wait => return,
            }
        }
        self.make_ready(id);
    }

    fn pump_once(&mut self, id: u32) -> Step {
        if let Step::Wait = self.flush(id) {
            return Step::Wait;
        }
        if self.conns[id as usize].flags.closing {
            self.finish(id);
            return Step::Wait;
        }
        self.resume_reading(id);
        match self.conns[id as usize].subs.refs() {
            [] => Step::Wait,
            &[at] if !self.conns[id as usize].flags.prefixed => self.pump_single(id, at),
            _ => self.pump_joined(id),
        }
    }

    /// Writes what waits for this connection alone.
    fn flush(&mut self, id: u32) -> Step {
        let Self { conns, net, metrics, budget, .. } = self;
        let conn = &mut conns[id as usize];
        let key = net.key(&conn.socket);
        while let Some(out) = conn.out.as_mut().filter(|out| !out.is_empty()) {
            match net.put(key, out.next()) {
                Ok(written) => {
                    out.advance(written);
                    budget.spend(written);
                    metrics.bytes_out.bump(written as u64);
                    metrics.writes.bump(1);
                }
                Err(error) => return self.write_failed(id, &error),
            }
        }
        conn.out = None;
        Step::Go
    }

    fn write_failed(&mut self, id: u32, error: &io::Error) -> Step {
        match error.kind() {
            io::ErrorKind::WouldBlock => self.block(id),
            _ => {
                self.suspend_all(id);
                self.doom(id);
            }
        }
        Step::Wait
    }

    fn pump_single(&mut self, id: u32, at: SubRef) -> Step {
        let pin = epoch::pin();
        let head = self.visible(at);
        if self.sub(at).cursor >= head {
            return self.caught_up(id);
        }
        if let Step::Wait = self.prepare(at, head, &pin) {
            return Step::Go;
        }
        let step = self.write_gather(id, at);
        self.end_behind(id);
        step
    }

    /// Closes a connection whose gather ends, once it has all of it, but for the rest of a frame that was begun.
    fn end_behind(&mut self, id: u32) {
        let refs = self.conns[id as usize].subs.refs();
        let has_all = |at: &SubRef| self.sub(*at).cursor == self.gather.to();
        if self.gather.ends() && refs.first().is_some_and(has_all) {
            self.close(id, Disconnect::Done);
        }
    }

    fn write_gather(&mut self, id: u32, at: SubRef) -> Step {
        let (sub, bytes) = (*self.sub(at), self.gather.bytes());
        if bytes.is_empty() {
            self.sub_mut(at).cursor = self.gather.to();
            return Step::Go;
        }
        let (len, to) = (bytes.len(), self.gather.to());
        match self.net.put(sub.key, bytes) {
            Ok(written) if written == len => {
                let events = self.gather.events();
                self.wrote(written, events);
                Sent { events, bytes: written as u64 }.tell(self.topic_of(at));
                if sub.marks.caught_up {
                    self.note_latency(self.gather.stamp_micros(), events);
                }
                self.sub_mut(at).cursor = to;
                Step::Go
            }
            Ok(written) => {
                self.keep_rest(at, id, written).tell(self.topic_of(at));
                self.block(id);
                Step::Wait
            }
            Err(error) => self.write_failed(id, &error),
        }
    }

    /// Makes the gather for a subscription; `Wait` when it has lagged, which has been dealt with.
    fn prepare(&mut self, at: SubRef, head: u64, pin: &epoch::Guard) -> Step {
        let key = Key { group: at.group, cursor: self.sub(at).cursor, head };
        match self.fill(key, pin) {
            Ok(()) => Step::Go,
            Err(lagged) => {
                self.lagged(at, lagged);
                Step::Wait
            }
        }
    }

    fn wrote(&mut self, bytes: usize, events: u64) {
        self.budget.spend(bytes);
        self.metrics.writes.bump(1);
        self.metrics.bytes_out.bump(bytes as u64);
        self.metrics.deliveries.bump(events);
    }

    /// Counts a write that ended within a frame, or took nothing.
    pub(super) fn wrote_part(&mut self, bytes: usize, events: u64) {
        self.metrics.writes.bump(u64::from(bytes > 0));
        self.metrics.bytes_out.bump(bytes as u64);
        self.metrics.deliveries.bump(events);
    }

    /// Notes that events, of which the first was published at `stamp`, were written. What time it is then is
    /// looked up once, when the turn is over.
    pub(super) fn note_latency(&mut self, stamp: u64, events: u64) {
        match self.latencies.last_mut().filter(|(last, _)| *last == stamp) {
            Some((_, deliveries)) => *deliveries += events,
            None => self.latencies.push((stamp, events)),
        }
    }

    /// One write for all topics of a connection.
    fn pump_joined(&mut self, id: u32) -> Step {
        let pin = epoch::pin();
        let mut joined = std::mem::take(&mut self.joined);
        joined.clear();
        let step = self.join(id, &mut joined, &pin);
        let step = match step {
            Step::Wait => Step::Go,
            Step::Go if joined.shares.is_empty() => self.caught_up(id),
            Step::Go => self.write_joined(id, &joined),
        };
        self.joined = joined;
        step
    }

    /// Collects what every topic of the connection has, up to one write's worth. It begins with another topic
    /// each time, so that one which always has a write's worth does not starve the others.
    fn join(&mut self, id: u32, joined: &mut Joined, pin: &epoch::Guard) -> Step {
        if self.conns[id as usize].flags.ordered {
            let first = self.first_published(id, pin);
            return first.map_or(Step::Go, |(at, head)| self.join_one(id, (at, head), joined, pin));
        }
        let count = self.conns[id as usize].subs.refs().len();
        for i in 0..count {
            let at = self.conns[id as usize].subs.refs()[(joined.rotation + i) % count];
            let head = self.visible(at);
            if self.sub(at).cursor >= head {
                continue;
            }
            if let Step::Wait = self.join_one(id, (at, head), joined, pin) {
                return Step::Wait;
            }
            if joined.bytes.len() >= GATHER_BYTES_MAX {
                break;
            }
        }
        Step::Go
    }

    /// Collects what a topic has up to `head`; `Wait` when it has lagged, which has been dealt with.
    fn join_one(
        &mut self,
        id: u32,
        (at, head): (SubRef, u64),
        joined: &mut Joined,
        pin: &epoch::Guard,
    ) -> Step {
        if let Step::Wait = self.prepare(at, head, pin) {
            return Step::Wait;
        }
        if self.sub(at).marks.caught_up {
            joined.add_fresh(self.gather.stamp_micros(), self.gather.events());
        }
        let before = joined.bytes.len();
        self.append_share(id, at, joined);
        let sent = Sent { events: self.gather.events(), bytes: (joined.bytes.len() - before) as u64 };
        joined.shares.push(Share { at, to: self.gather.to(), sent });
        Step::Go
    }

    fn append_share(&mut self, id: u32, at: SubRef, joined: &mut Joined) {
        let mut start = 0;
        for mark in self.gather.marks() {
            if self.conns[id as usize].flags.prefixed {
                self.append_prefix(id, at, mark.offset, joined);
            }
            joined.bytes.extend_from_slice(&self.gather.bytes()[start..mark.end as usize]);
            joined.mark(at, mark.offset, mark.events);
            start = mark.end as usize;
        }
    }

    fn append_prefix(&self, id: u32, at: SubRef, offset: u64, joined: &mut Joined) {
        let conn = &self.conns[id as usize];
        let Some(dialect) = &conn.dialect else { return };
        let places: Vec<_> =
            conn.subs.refs().iter().map(|&other| self.place_of(other, at, offset, joined)).collect();
        dialect.prefix(&places, &mut joined.bytes);
    }

    fn write_joined(&mut self, id: u32, joined: &Joined) -> Step {
        let key = self.net.key(&self.conns[id as usize].socket);
        if joined.bytes.is_empty() {
            self.advance_joined(joined);
            return Step::Go;
        }
        match self.net.put(key, &joined.bytes) {
            Ok(written) if written == joined.bytes.len() => {
                self.wrote(written, joined.shares.iter().map(|share| share.sent.events).sum());
                joined.fresh.into_iter().for_each(|(stamp, events)| self.note_latency(stamp, events));
                self.advance_joined(joined);
                Step::Go
            }
            Ok(written) => {
                self.keep_joined_rest(id, joined, written);
                self.block(id);
                Step::Wait
            }
            Err(error) => self.write_failed(id, &error),
        }
    }

    fn advance_joined(&mut self, joined: &Joined) {
        for share in &joined.shares {
            self.sub_mut(share.at).cursor = share.to;
            share.sent.tell(self.topic_of(share.at));
        }
    }

    /// A connection has all there is for it now. Who was conflated until then changes its group, where there may be
    /// more; others join the live ones.
    fn caught_up(&mut self, id: u32) -> Step {
        let mut step = Step::Wait;
        for i in 0..self.conns[id as usize].subs.refs().len() {
            let at = self.conns[id as usize].subs.refs()[i];
            let marks = &mut self.sub_mut(at).marks;
            marks.caught_up = true;
            if std::mem::take(&mut marks.conflating) {
                self.reclass(at, |class| Class { conflate: false, ..class });
                step = Step::Go;
            }
        }
        if let Step::Wait = step {
            self.enliven_all(id);
        }
        step
    }
}
