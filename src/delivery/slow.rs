//! Clients that cannot keep up: seen by backlog, by time without progress, and by having been lapped; dealt
//! with as their topic's namespace says. Whatever happens, the client is told.

use super::class::Class;
use super::conn::SubRef;
use super::gather::Lagged;
use super::group::Sub;
use super::net::Net;
use super::shard::Shard;
use crate::dialect::Gap;
use crate::engine::{SkipTo, Slow, SlowPolicy};
use crate::error::Disconnect;
use crate::limits::CLOSE_MS;
use crate::metrics::Eviction;

impl<N: Net> Shard<N> {
    /// The socket is full: the connection leaves all live parts until it is writable.
    pub(super) fn block(&mut self, id: u32) {
        let now_ms = self.now.millis() as u32;
        let flags = &mut self.conns[id as usize].flags;
        let (was, listed) =
            (std::mem::replace(&mut flags.blocked, true), std::mem::replace(&mut flags.listed, true));
        if !was {
            self.conns[id as usize].progress_ms = now_ms;
        }
        if !listed {
            self.upkeep.blocked.push(id);
        }
        self.suspend_all(id);
    }

    /// The socket takes bytes again.
    pub fn writable(&mut self, token: usize) {
        let now_ms = self.now.millis() as u32;
        let Some(conn) = self.conns.get_mut(token).filter(|conn| conn.flags.blocked) else { return };
        conn.flags.blocked = false;
        conn.progress_ms = now_ms;
        self.make_ready(token as u32);
    }

    /// A subscription's place is no longer kept. Who only just catches up is told of the gap whatever the
    /// policy, for it is not slow.
    pub(super) fn lagged(&mut self, at: SubRef, lagged: Lagged) {
        let (sub, topic) = (*self.sub(at), self.topic_of(at));
        match topic.namespace().slow.policy {
            SlowPolicy::Disconnect if sub.marks.caught_up => self.evict(sub.conn, Eviction::Lapped),
            SlowPolicy::Skip(SkipTo::Newest) if sub.marks.caught_up => self.skip(at, topic.head()),
            _ => self.skip(at, lagged.resume_at - 1),
        }
    }

    /// Moves a cursor forward over events that the client is told it misses.
    fn skip(&mut self, at: SubRef, to: u64) {
        let topic = std::sync::Arc::clone(self.topic_of(at));
        let sub = self.sub_mut(at);
        let gap = Gap { from: sub.cursor + 1, to };
        sub.cursor = to;
        let conn = sub.conn;
        self.metrics.gaps.bump(1);
        self.metrics.missed.bump(gap.to + 1 - gap.from);
        self.ask(conn, |dialect, host| dialect.gap(&topic, gap, host));
    }

    pub(super) fn evict(&mut self, id: u32, why: Eviction) {
        self.metrics.evictions[why as usize].bump(1);
        self.close(id, Disconnect::Slow(why));
    }

    /// Looks at every blocked connection; others are not slow.
    pub(super) fn sweep_blocked(&mut self) {
        let mut blocked = std::mem::take(&mut self.upkeep.blocked);
        let mut queued = 0;
        blocked.retain(|&id| {
            let Some(conn) = self.conns.get_mut(id as usize) else { return false };
            conn.flags.listed = conn.flags.blocked;
            if conn.flags.listed {
                queued += self.net.queued(self.net.key(&self.conns[id as usize].socket));
                self.judge(id);
            }
            self.conns[id as usize].flags.listed
        });
        self.metrics.blocked.set(blocked.len() as u64);
        self.metrics.kernel_queued_bytes.set(queued as u64);
        blocked.append(&mut self.upkeep.blocked);
        self.upkeep.blocked = blocked;
    }

    fn judge(&mut self, id: u32) {
        if self.conns[id as usize].flags.closing {
            return;
        }
        let stalled_ms = (self.now.millis() as u32).wrapping_sub(self.conns[id as usize].progress_ms);
        if self.conns[id as usize].subs.refs().is_empty() && u64::from(stalled_ms) > CLOSE_MS {
            return self.evict(id, Eviction::Stalled);
        }
        // Judging one may move it, and end all of them.
        let mut next = 0;
        while let Some(&at) = self.conns[id as usize].subs.refs().get(next) {
            self.judge_sub(id, at, u64::from(stalled_ms));
            next += 1;
        }
    }

    fn judge_sub(&mut self, id: u32, at: SubRef, stalled_ms: u64) {
        let (sub, topic) = (*self.sub(at), self.topic_of(at));
        let (slow, backlog) = (topic.namespace().slow, self.visible(at).saturating_sub(sub.cursor));
        self.metrics.backlog_events.record(backlog, 1);
        if slow.stall_ms > 0 && stalled_ms > slow.stall_ms {
            return self.evict(id, Eviction::Stalled);
        }
        if let Some(why) = self.over(at, &sub, &slow, backlog) {
            self.apply(id, at, &slow, why);
        }
    }

    /// The bound that a subscription exceeds. The backlog of who has never reached the head is history that
    /// was asked for, and no sign of slowness.
    fn over(&self, at: SubRef, sub: &Sub, slow: &Slow, backlog: u64) -> Option<Eviction> {
        let topic = self.topic_of(at);
        if !sub.marks.caught_up || sub.marks.conflating {
            return None;
        }
        if sub.cursor + 1 < topic.oldest() {
            return Some(Eviction::Lapped);
        }
        if slow.events > 0 && backlog > slow.events {
            return Some(Eviction::Events);
        }
        let pin = crossbeam_epoch::pin();
        (slow.bytes > 0 && topic.backlog_bytes(sub.cursor, &pin) > slow.bytes).then_some(Eviction::Bytes)
    }

    fn apply(&mut self, id: u32, at: SubRef, slow: &Slow, why: Eviction) {
        match slow.policy {
            SlowPolicy::Disconnect => self.evict(id, why),
            SlowPolicy::Skip(to) => {
                let target = self.skip_target(at, slow, to);
                if target > self.sub(at).cursor {
                    self.skip(at, target);
                }
            }
            SlowPolicy::Conflate => self.start_conflating(at),
        }
    }

    /// Where a skipping subscription goes on: at the newest, or as far back as its bounds allow.
    fn skip_target(&self, at: SubRef, slow: &Slow, to: SkipTo) -> u64 {
        let (topic, cursor, head) = (self.topic_of(at), self.sub(at).cursor, self.visible(at));
        if to == SkipTo::Newest {
            return head;
        }
        let pin = crossbeam_epoch::pin();
        let by_events = if slow.events > 0 { head.saturating_sub(slow.events) } else { 0 };
        let by_bytes = if slow.bytes > 0 { topic.before_bytes(slow.bytes, &pin) } else { 0 };
        (topic.oldest() - 1).max(by_events).max(by_bytes).max(cursor)
    }

    /// Who asked for conflation has it already, and keeps it.
    fn start_conflating(&mut self, at: SubRef) {
        if !self.classes.get(self.groups[at.group as usize].class).conflate {
            self.sub_mut(at).marks.conflating = true;
            self.reclass(at, |class| Class { conflate: true, ..class });
        }
    }
}
