//! The core of a shard: connections, topics and turns. No thread, no clock and no epoll in it, so that a
//! simulation drives the very same code.
//!
//! A turn takes letters, pumps connections that have something of their own to write, and walks the live
//! subscriptions of topics with news. Its work is bounded by counts; what is left stays queued, and the next
//! turn of a topic begins where the last one stopped or, when it was whole, at another place.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;

use slab::Slab;

use super::class::Classes;
use super::conn::{Conn, Handoff};
use super::gather::Gather;
use super::group::Group;
use super::joined::{Joined, Sent};
use super::linger::Dues;
use super::mailbox::{Letter, Mailbox};
use super::net::Net;
use super::pool::Drain;
use super::reader::Reader;
use super::sieve::Masks;
use super::slabs::Slabs;
use super::slot::Slot;
use super::upkeep::Upkeep;
use crate::auth::{Authenticate, Permits};
use crate::engine::filter::Extract;
use crate::engine::{Counts, Now, Publish, Rate, Registry};
use crate::limits::{TURN_ADOPT_MAX, TURN_BYTES_MAX, TURN_LOOKS_MAX, TURN_WRITES_MAX};
use crate::metrics::{LimitMetrics, ShardMetrics};

/// What shards share.
#[derive(Clone)]
pub struct Shared {
    /// All topics.
    pub registry: Arc<Registry>,
    /// The door for publications.
    pub publisher: Arc<dyn Publish>,
    /// Reads fields of events for filters.
    pub extract: Arc<dyn Extract>,
    /// Checks tokens that clients send on an open connection.
    pub authenticator: Arc<dyn Authenticate>,
    /// Connections under limits, by name.
    pub counts: Arc<Counts>,
    /// What ran into limits.
    pub limits: Arc<LimitMetrics>,
    /// Settings.
    pub settings: Settings,
}

/// What an operator may set about delivery.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// Time between pings, milliseconds; 0 for none.
    pub ping_ms: u64,
    /// A connection from which nothing came for this long is closed, milliseconds; 0 for never.
    pub idle_ms: u64,
    /// Largest message of a client, bytes.
    pub message_bytes: usize,
    /// Most subscriptions of a connection.
    pub subscriptions: usize,
    /// Most readers of one topic; 0 for no bound.
    pub subscribers: usize,
    /// Most streams of one user; 0 for no bound.
    pub streams_per_user: usize,
    /// How fast one client may send messages.
    pub messages: Option<Rate>,
    /// Most bytes of answers waiting for one client.
    pub outbox_bytes: usize,
    /// Where the randomness begins that spreads pings and reconnects.
    pub seed: u64,
}

/// A watched pattern.
pub(super) struct Watched {
    pub conn: u32,
    pub pattern: Box<str>,
}

/// See the module.
pub struct Shard<N: Net> {
    pub(super) net: N,
    pub(super) shared: Shared,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) metrics: Arc<ShardMetrics>,
    pub(super) conns: Slabs<Conn<N::Socket>>,
    pub(super) slots: Slab<Slot>,
    pub(super) groups: Slab<Group>,
    pub(super) dues: Dues,
    pub(super) slot_of: HashMap<Arc<str>, u32>,
    pub(super) classes: Classes,
    pub(super) watches: HashMap<u64, Watched>,
    pub(super) next_watch: u64,
    pub(super) next_question: u32,
    /// What the connection that is being asked may read, where that is not for grants alone to say.
    pub(super) permits: Permits,
    pub(super) gather: Gather,
    pub(super) spare: Gather,
    pub(super) masks: Masks,
    pub(super) joined: Joined,
    /// What the walk of a topic has sent so far.
    pub(super) walked: Sent,
    pub(super) reader: Option<Box<Reader>>,
    pub(super) upkeep: Upkeep,
    pub(super) ready: VecDeque<u32>,
    pub(super) news: VecDeque<u32>,
    pub(super) doomed: Vec<u32>,
    pub(super) latencies: Vec<(u64, u64)>,
    pub(super) budget: Budget,
    pub(super) now: Now,
    pub(super) adopt: fn(Handoff) -> Option<Handoff<N::Socket>>,
}

/// What is left of a turn's work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    pub writes: usize,
    pub bytes: usize,
    pub looks: usize,
}

impl Budget {
    fn full() -> Self {
        Self { writes: TURN_WRITES_MAX, bytes: TURN_BYTES_MAX, looks: TURN_LOOKS_MAX }
    }

    pub(super) fn spent(&self) -> bool {
        self.writes == 0 || self.bytes == 0 || self.looks == 0
    }

    /// Events were looked at, which costs though a filter may want none of them.
    pub(super) fn look(&mut self, events: u64) {
        self.looks = self.looks.saturating_sub(events as usize);
    }

    pub(super) fn spend(&mut self, bytes: usize) {
        self.writes = self.writes.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

impl<N: Net> Shard<N> {
    /// A shard without connections. `adopt` turns a socket as the handshake leaves it into one of `N`.
    pub fn new(
        net: N,
        shared: Shared,
        mailbox: Arc<Mailbox>,
        metrics: Arc<ShardMetrics>,
        now: Now,
        adopt: fn(Handoff) -> Option<Handoff<N::Socket>>,
    ) -> Self {
        let reader = Some(Box::new(Reader::new(shared.settings.message_bytes)));
        let upkeep = Upkeep::new(now.millis(), shared.settings.seed);
        Self {
            net,
            shared,
            mailbox,
            metrics,
            conns: Slabs::new(),
            slots: Slab::new(),
            groups: Slab::new(),
            dues: Dues::default(),
            slot_of: HashMap::new(),
            classes: Classes::default(),
            watches: HashMap::new(),
            next_watch: 0,
            next_question: 0,
            permits: Permits::new(),
            gather: Gather::default(),
            spare: Gather::default(),
            masks: Masks::default(),
            joined: Joined::default(),
            walked: Sent::default(),
            reader,
            upkeep,
            ready: VecDeque::new(),
            news: VecDeque::new(),
            doomed: Vec::new(),
            latencies: Vec::new(),
            budget: Budget::full(),
            now,
            adopt,
        }
    }

    /// The network, for those who drive it.
    pub fn net(&mut self) -> &mut N {
        &mut self.net
    }

    /// Moves time, for what is reported before the next turn.
    pub fn at(&mut self, now: Now) {
        self.now = now;
    }

    /// One turn at `now`; whether work is left. Must be called until none is before sleeping.
    pub fn turn(&mut self, now: Now) -> bool {
        self.now = now;
        self.budget = Budget::full();
        self.metrics.turns.bump(1);
        self.upkeep();
        self.read_more();
        self.take_letters();
        self.take_news();
        self.take_dues();
        self.pump_ready();
        // A budget of its own, so that a herd that catches up does not starve the live ones.
        self.budget = Budget::full();
        self.deliver_news();
        self.bury();
        !self.ready.is_empty() || !self.news.is_empty() || self.reader_has_more()
    }

    /// Accounts for the work that began at the last [`Self::turn`] or [`Self::at`] and ended at `now`.
    pub fn settle(&mut self, now: Now) {
        for (stamp, deliveries) in self.latencies.drain(..) {
            let micros = now.micros.saturating_sub(stamp);
            self.metrics.publish_to_write_micros.record(micros, deliveries);
        }
        self.metrics.busy_micros.bump(now.micros.saturating_sub(self.now.micros));
    }

    /// Whether the shard has been told to end and has nothing left.
    pub fn is_over(&self) -> bool {
        self.upkeep.is_over(self.conns.len())
    }

    fn take_letters(&mut self) {
        for _ in 0..TURN_ADOPT_MAX {
            match self.mailbox.next_letter() {
                Some(Letter::Adopt(handoff)) => self.adopt_foreign(*handoff),
                Some(Letter::Created(watch, topic)) => self.matched(watch, &topic),
                Some(Letter::Verdict(asked, verdict)) => self.verdict(asked, verdict),
                Some(Letter::Permits(asked, permits)) => self.permitted(asked, permits),
                Some(Letter::Revoked(subject)) => self.revoked(&subject),
                Some(Letter::Drain(drain)) => self.start_drain(drain),
                Some(Letter::Stop) => self.upkeep.stop(),
                None => break,
            }
        }
    }

    fn start_drain(&mut self, drain: Drain) {
        self.upkeep.drain(drain, self.conns.len());
    }

    fn adopt_foreign(&mut self, handoff: Handoff) {
        if let Some(handoff) = (self.adopt)(handoff) {
            // A socket that cannot be registered is gone; its peer sees it close.
            let _failed: io::Result<()> = self.adopt(handoff);
        }
    }

    fn take_news(&mut self) {
        while let Some(slot) = self.mailbox.next_dirty() {
            self.queue_slot(slot);
        }
    }

    pub(super) fn queue_slot(&mut self, slot: u32) {
        if let Some(found) = self.slots.get_mut(slot as usize).filter(|slot| !slot.queued) {
            found.queued = true;
            self.news.push_back(slot);
        }
    }

    /// Queues a connection to be pumped.
    pub(super) fn make_ready(&mut self, id: u32) {
        if let Some(conn) = self.conns.get_mut(id as usize).filter(|conn| !conn.flags.ready) {
            conn.flags.ready = true;
            self.ready.push_back(id);
        }
    }
}
