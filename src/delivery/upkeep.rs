//! What time brings: pings, idle connections, slow ones, closes that the peer does not answer, drain.

use super::net::Net;
use super::pool::Drain;
use super::shard::{Settings, Shard};
use super::wheel::{TICK_MS, Wheel};
use crate::dialect::frame;
use crate::engine::Now;
use crate::error::Disconnect;
use crate::limits::{CLOSE_MS, RETRY_JITTER_MS};
use crate::wire::websocket;

/// The timers of a shard and what they need.
pub(super) struct Upkeep {
    pub wheel: Wheel,
    /// Connections whose socket was full at some time since the last look.
    pub blocked: Vec<u32>,
    due: Vec<u32>,
    tick: u64,
    drain: Option<Draining>,
    stopped: bool,
    random: u64,
}

#[derive(Clone, Copy)]
struct Draining {
    per_tick: usize,
    deadline_ms: u64,
    retry_ms: u64,
}

impl Upkeep {
    pub fn new(millis: u64, seed: u64) -> Self {
        let wheel = Wheel::new(millis);
        let random = seed | 1;
        Self { wheel, blocked: Vec::new(), due: Vec::new(), tick: 0, drain: None, stopped: false, random }
    }

    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// Begins to close `connections` at the pace of `drain`.
    pub fn drain(&mut self, drain: Drain, connections: usize) {
        let ticks = (drain.deadline_ms.saturating_sub(drain.now_ms) / TICK_MS / 2).max(1) as usize;
        let by_rate = (u64::from(drain.per_second) * TICK_MS / 1000) as usize;
        let per_tick = by_rate.max(connections.div_ceil(ticks)).max(1);
        self.drain = Some(Draining { per_tick, deadline_ms: drain.deadline_ms, retry_ms: drain.retry_ms });
    }

    pub fn is_over(&self, connections: usize) -> bool {
        self.stopped || (self.drain.is_some() && connections == 0)
    }

    /// xorshift64: spreads pings and reconnects, and nothing that must not be guessed.
    pub fn random(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below.max(1)
    }

    /// How long a client that is sent away is told to wait, milliseconds.
    pub fn retry_ms(&mut self) -> u64 {
        let base = self.drain.map_or(1000, |drain| drain.retry_ms);
        base + self.random(RETRY_JITTER_MS)
    }
}

/// A connection is looked at again after this long at the latest, so that timers which an earlier one has replaced do not
/// pile up in the wheel, whatever its client makes its dialect ask for.
const LOOK_MS_MAX: u64 = 60_000;

/// Milliseconds from `now_ms` to the wrapped moment `at`; 0 when that is past.
fn until(at: u32, now_ms: u64) -> u64 {
    (at.wrapping_sub(now_ms as u32) as i32).max(0) as u64
}

impl<N: Net> Shard<N> {
    /// Microseconds until the shard wants a turn though nothing happens; `None` when never.
    pub fn sleep_micros(&self, now: Now) -> Option<u64> {
        let idle = self.conns.is_empty() && self.upkeep.drain.is_none();
        let tick = self.upkeep.wheel.until_tick(now.millis()).max(1) * 1000;
        let due = self.dues.next().map_or(tick, |due| due.saturating_sub(now.micros));
        (!idle).then(|| tick.min(due))
    }

    pub(super) fn upkeep(&mut self) {
        let now_ms = self.now.millis();
        if now_ms / TICK_MS == self.upkeep.tick {
            return;
        }
        self.upkeep.tick = now_ms / TICK_MS;
        let mut due = std::mem::take(&mut self.upkeep.due);
        self.upkeep.wheel.advance(now_ms, &mut due);
        due.drain(..).for_each(|id| self.due(id, now_ms));
        self.upkeep.due = due;
        self.sweep_blocked();
        self.drain_some(now_ms);
    }

    /// First pings are spread, so that connections that came together are not pinged together.
    pub(super) fn schedule_first(&mut self, id: u32) {
        let ping_ms = self.shared.settings.ping_ms;
        let spread = self.upkeep.random(ping_ms / 2 + 1);
        self.conns[id as usize].ping_ms = (self.now.millis() + ping_ms - spread) as u32;
        self.schedule_at(id);
    }

    /// The next look at a connection, after something has changed that may bring it forward. A look that comes too early
    /// schedules the next, so that one already due before that is enough.
    pub(super) fn reschedule(&mut self, id: u32) {
        let conn = &self.conns[id as usize];
        let waits = conn.flags.scheduled.then(|| until(conn.wakeup_ms, self.now.millis()));
        let sooner = |next| waits.is_none_or(|waits| next < waits);
        if !conn.flags.closing && self.next_look_ms(id).is_some_and(sooner) {
            self.schedule_at(id);
        }
    }

    fn schedule_at(&mut self, id: u32) {
        if let Some(wait_ms) = self.next_look_ms(id) {
            self.schedule(id, self.now.millis() + wait_ms);
        }
    }

    /// Milliseconds until a ping is due, the dialect wants to be asked, the credential ends, or the connection may have
    /// been silent for too long.
    fn next_look_ms(&self, id: u32) -> Option<u64> {
        let Settings { ping_ms, idle_ms, .. } = self.shared.settings;
        let (conn, now_ms) = (&self.conns[id as usize], self.now.millis());
        let ping = (ping_ms > 0).then(|| until(conn.ping_ms, now_ms));
        let idle = (idle_ms > 0).then(|| idle_ms.saturating_sub(self.silent_ms(id)));
        let alarm = conn.flags.alarmed.then(|| until(conn.alarm_ms, now_ms));
        let expiry = conn.identity.expires_ms.map(|end| end.saturating_sub(self.now.unix_ms));
        [ping, idle, alarm, expiry].into_iter().flatten().min().map(|next| next.min(LOOK_MS_MAX))
    }

    /// For how long nothing has come from the client, answers to pings included.
    fn unheard_ms(&self, id: u32) -> u64 {
        u64::from((self.now.millis() as u32).wrapping_sub(self.conns[id as usize].heard_ms))
    }

    /// For how long the client has sent no message.
    pub(super) fn unspoken_ms(&self, id: u32) -> u64 {
        u64::from((self.now.millis() as u32).wrapping_sub(self.conns[id as usize].spoke_ms))
    }

    /// For how long no message has come from the client, and no event to any topic that it reads: a stream whose client
    /// cannot speak is not idle while it has events. Of a topic that no longer keeps its newest event, the last sign of life counts.
    pub(super) fn silent_ms(&self, id: u32) -> u64 {
        let pin = crossbeam_epoch::pin();
        let ages = self.conns[id as usize].subs.refs().iter().filter_map(|at| {
            let topic = self.topic_of(*at);
            let newest = topic.find(topic.head(), &pin);
            let age = newest.map(|newest| self.now.millis().saturating_sub(newest.stamp_micros / 1000));
            age.or_else(|| (topic.head() > 0).then(|| topic.quiet_ms(self.now)))
        });
        ages.fold(self.unspoken_ms(id), u64::min)
    }

    pub(super) fn schedule(&mut self, id: u32, at_ms: u64) {
        let conn = &mut self.conns[id as usize];
        conn.wakeup_ms = at_ms as u32;
        conn.flags.scheduled = true;
        self.upkeep.wheel.schedule(id, at_ms);
    }

    /// A timer came up; it may be one that a later one has replaced.
    fn due(&mut self, id: u32, now_ms: u64) {
        let Some(conn) = self.conns.get_mut(id as usize) else { return };
        if until(conn.wakeup_ms, now_ms) > 0 || conn.flags.doomed {
            return;
        }
        conn.flags.scheduled = false;
        if conn.flags.closing {
            return self.close_overdue(id, now_ms);
        }
        if let Some(why) = self.why_over(id) {
            return self.close(id, why);
        }
        self.ask_if_due(id, now_ms);
        if self.conns[id as usize].flags.closing {
            return;
        }
        self.ping_if_due(id, now_ms);
        self.reschedule(id);
    }

    /// Why a connection is to be closed now, if it is.
    fn why_over(&self, id: u32) -> Option<Disconnect> {
        let (settings, conn) = (self.shared.settings, &self.conns[id as usize]);
        if conn.identity.has_expired(self.now.unix_ms) {
            return Some(Disconnect::Expired);
        }
        let silent = settings.idle_ms > 0 && self.silent_ms(id) >= settings.idle_ms;
        let deaf = conn.flags.pinged && self.unheard_ms(id) >= 2 * settings.ping_ms;
        (silent || deaf).then_some(Disconnect::IdleTimeout)
    }

    fn ask_if_due(&mut self, id: u32, now_ms: u64) {
        let conn = &mut self.conns[id as usize];
        if conn.flags.alarmed && until(conn.alarm_ms, now_ms) == 0 {
            conn.flags.alarmed = false;
            self.ask(id, |dialect, host| dialect.due(host));
        }
    }

    fn ping_if_due(&mut self, id: u32, now_ms: u64) {
        let ping_ms = self.shared.settings.ping_ms;
        if ping_ms > 0 && until(self.conns[id as usize].ping_ms, now_ms) == 0 {
            self.conns[id as usize].ping_ms = (now_ms + ping_ms) as u32;
            self.ping(id);
        }
    }

    fn close_overdue(&mut self, id: u32, now_ms: u64) {
        let since = (now_ms as u32).wrapping_sub(self.conns[id as usize].progress_ms);
        if u64::from(since) >= CLOSE_MS {
            self.conns[id as usize].flags.overdue = true;
            self.doom(id);
        } else {
            self.schedule(id, now_ms + CLOSE_MS - u64::from(since));
        }
    }

    /// Asks for a sign of life; on a stream without answers, keeps proxies from cutting it. Who has not yet
    /// taken the last one is not sent another.
    fn ping(&mut self, id: u32) {
        let conn = &mut self.conns[id as usize];
        if conn.has_outgoing() {
            return;
        }
        let transport = conn.transport;
        if transport.is_websocket() {
            conn.flags.pinged = true;
            websocket::encode_ping(&mut conn.outgoing().queue, b"");
        } else {
            frame::heartbeat(transport, &mut conn.outgoing().queue);
        }
        self.make_ready(id);
    }

    fn drain_some(&mut self, now_ms: u64) {
        let Some(drain) = self.upkeep.drain else { return };
        let open = self.conns.iter().filter(|(_, conn)| !conn.flags.closing).map(|(id, _)| id as u32);
        for id in open.take(drain.per_tick).collect::<Vec<_>>() {
            self.let_all_go(id);
            self.pump(id);
            self.close(id, Disconnect::Restarting);
        }
        if now_ms >= drain.deadline_ms {
            let all: Vec<_> = self.conns.iter().map(|(id, _)| id as u32).collect();
            all.into_iter().for_each(|id| self.doom(id));
        }
    }
}
