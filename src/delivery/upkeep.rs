//! What time brings: pings, idle connections, slow ones, closes that the peer does not answer, drain.

use super::net::Net;
use super::pool::Drain;
use super::shard::{Settings, Shard};
use super::wheel::{TICK_MS, Wheel};
use crate::dialect::frame;
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

impl<N: Net> Shard<N> {
    /// Milliseconds until the shard wants a turn though nothing happens; `None` when never.
    pub fn sleep_ms(&self, now_ms: u64) -> Option<u64> {
        let idle = self.conns.is_empty() && self.upkeep.drain.is_none();
        (!idle).then(|| self.upkeep.wheel.until_tick(now_ms).max(1))
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
        let spread = self.upkeep.random(self.shared.settings.ping_ms / 2 + 1);
        self.schedule_next(id, 0, spread);
    }

    /// The next look at a connection: when a ping is due, or when it may have been silent for too long.
    fn schedule_next(&mut self, id: u32, silent_ms: u64, sooner_ms: u64) {
        let Settings { ping_ms, idle_ms, .. } = self.shared.settings;
        let ping = (ping_ms > 0).then(|| ping_ms - sooner_ms);
        let idle = (idle_ms > 0).then(|| idle_ms.saturating_sub(silent_ms));
        if let Some(wait_ms) = ping.into_iter().chain(idle).min() {
            self.schedule(id, self.now.millis() + wait_ms);
        }
    }

    /// For how long nothing has come from the client, nor to any topic that it reads: a stream whose client
    /// cannot speak is not idle while it has events.
    fn silent_ms(&self, id: u32, heard_ms: u64) -> u64 {
        let pin = crossbeam_epoch::pin();
        let ages = self.conns[id as usize].subs.refs().iter().filter_map(|at| {
            let topic = &self.slots[at.slot as usize].topic;
            let newest = topic.find(topic.head(), &pin)?;
            Some(self.now.millis().saturating_sub(newest.stamp_micros / 1000))
        });
        ages.fold(heard_ms, u64::min)
    }

    pub(super) fn schedule(&mut self, id: u32, at_ms: u64) {
        self.conns[id as usize].wakeup_ms = at_ms as u32;
        self.upkeep.wheel.schedule(id, at_ms);
    }

    /// A timer came up; it may be one that a later one has replaced.
    fn due(&mut self, id: u32, now_ms: u64) {
        let Some(conn) = self.conns.get(id as usize) else { return };
        let early = (conn.wakeup_ms.wrapping_sub(now_ms as u32) as i32) > 0;
        if early || conn.flags.doomed {
            return;
        }
        if conn.flags.closing {
            return self.close_overdue(id, now_ms);
        }
        let heard_ms = u64::from((now_ms as u32).wrapping_sub(conn.heard_ms));
        let (settings, pinged) = (self.shared.settings, conn.flags.pinged);
        let silent_ms = self.silent_ms(id, heard_ms);
        let silent = settings.idle_ms > 0 && silent_ms >= settings.idle_ms;
        if silent || (pinged && heard_ms >= 2 * settings.ping_ms) {
            return self.close(id, Disconnect::IdleTimeout);
        }
        if settings.ping_ms > 0 {
            self.ping(id);
        }
        self.schedule_next(id, silent_ms, 0);
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
            self.pump(id);
            self.close(id, Disconnect::Restarting);
        }
        if now_ms >= drain.deadline_ms {
            let all: Vec<_> = self.conns.iter().map(|(id, _)| id as u32).collect();
            all.into_iter().for_each(|id| self.doom(id));
        }
    }
}
