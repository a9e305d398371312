//! What a dialect may ask of its connection, answered by the shard.

use std::sync::Arc;

use super::net::Net;
use super::shard::Shard;
use crate::auth::{Action, Identity};
use crate::dialect::{Host, Outcome, Refusal, Start, Subscribe, frame};
use crate::engine::filter::Filter;
use crate::engine::name::{presence_topic, validate_readable};
use crate::engine::presence::Member;
use crate::engine::{Body, Now, Placed, Topic, TopicError};
use crate::error::Disconnect;
use crate::metrics::{Eviction, Limit};
use crate::wire::websocket::{self, Opcode};

/// One connection of a shard, as its dialect sees it.
pub(super) struct ShardHost<'s, N: Net> {
    pub shard: &'s mut Shard<N>,
    pub conn: u32,
    /// The dialect's connection is to be closed as soon as the dialect has returned, so that it can take leave.
    pub closed: Option<Disconnect>,
}

impl<N: Net> Shard<N> {
    /// Answers that do not fit mean that the client asks and does not read. One answer alone may be larger.
    pub(super) fn outbox_is_full(&self, id: u32, last: usize) -> bool {
        let waiting = self.conns[id as usize].out.as_ref().map_or(0, |out| out.len());
        waiting > self.shared.settings.outbox_bytes + last
    }
}

impl<N: Net> ShardHost<'_, N> {
    fn allowed(&self, action: Action, topic: &str) -> Result<(), Refusal> {
        let identity = &self.shard.conns[self.conn as usize].identity;
        if identity.has_expired(self.shard.now.unix_ms) {
            return Err(Refusal::Expired);
        }
        if identity.may(action, topic) { Ok(()) } else { Err(Refusal::Forbidden(action.name())) }
    }

    /// Grants allow it; whoever is asked besides must allow it too.
    fn permitted(&self, topic: &str) -> Result<(), Refusal> {
        if self.shard.is_permitted(self.conn, topic) { Ok(()) } else { Err(Refusal::Denied) }
    }

    fn queued(&mut self, before: usize) {
        let waiting = self.shard.conns[self.conn as usize].out.as_ref().map_or(0, |out| out.len());
        if self.shard.outbox_is_full(self.conn, waiting.saturating_sub(before)) {
            self.shard.metrics.evictions[Eviction::Outbox as usize].bump(1);
            self.close(Disconnect::Slow(Eviction::Outbox));
        }
        self.shard.make_ready(self.conn);
    }

    fn enqueue(&mut self, write: impl FnOnce(crate::dialect::Transport, &mut Vec<u8>)) {
        let conn = &mut self.shard.conns[self.conn as usize];
        if conn.flags.closing || self.closed.is_some() {
            return;
        }
        let transport = conn.transport;
        let out = conn.outgoing();
        let before = out.len();
        write(transport, &mut out.queue);
        self.queued(before);
    }
}

impl<N: Net> Host for ShardHost<'_, N> {
    fn now(&self) -> Now {
        self.shard.now
    }

    fn send(&mut self, event: &str, text: &[u8]) {
        self.send_at(event, b"", text);
    }

    fn send_at(&mut self, event: &str, id: &[u8], text: &[u8]) {
        self.enqueue(|transport, queue| frame::message(transport, event, id, text, queue));
    }

    fn places(&self) -> Vec<(Arc<Topic>, u64)> {
        let refs = self.shard.conns[self.conn as usize].subs.refs().iter();
        refs.map(|at| (Arc::clone(self.shard.topic_of(*at)), self.shard.sub(*at).cursor)).collect()
    }

    fn send_retry(&mut self) {
        let millis = self.shard.upkeep.retry_ms();
        self.enqueue(|transport, queue| frame::retry(transport, millis, queue));
    }

    fn send_binary(&mut self, bytes: &[u8]) {
        self.enqueue(|_, queue| websocket::encode_frame(queue, Opcode::Binary, false, bytes));
    }

    fn subscribe(&mut self, request: &Subscribe<'_>) -> Result<Outcome, Refusal> {
        self.allowed(Action::Subscribe, request.topic)?;
        if !matches!(request.start, Start::Now | Start::Created) {
            self.allowed(Action::History, request.topic)?;
        }
        if request.presence.is_some() {
            self.allowed(Action::Presence, request.topic)?;
        }
        self.permitted(request.topic)?;
        self.shard.subscribe(self.conn, request)
    }

    fn refine(&mut self, topic: &str, filter: Option<Arc<Filter>>) -> bool {
        self.shard.refine(self.conn, topic, filter)
    }

    fn watch(&mut self, pattern: &str) -> Result<Vec<Arc<Topic>>, Refusal> {
        self.allowed(Action::Subscribe, pattern)?;
        self.permitted(pattern)?;
        self.shard.watch(self.conn, pattern)
    }

    fn unsubscribe(&mut self, topic: &str) -> bool {
        self.shard.unsubscribe(self.conn, topic)
    }

    fn unwatch(&mut self, pattern: &str) -> bool {
        self.shard.unwatch(self.conn, pattern)
    }

    fn may_publish(&self, topic: &str) -> bool {
        self.allowed(Action::Publish, topic).is_ok()
    }

    fn publish(&mut self, topic: &str, bodies: Vec<Body>) -> Result<Placed, Refusal> {
        let events = bodies.len() as u64;
        let allowed = self.allowed(Action::Publish, topic);
        let publisher = &self.shard.shared.publisher;
        let who = &self.identity().name;
        let placed = allowed.and_then(|()| Ok(publisher.publish_as(who, topic, bodies, self.shard.now)?));
        placed.inspect_err(|_| publisher.refused(events))
    }

    fn refused(&mut self, events: u64) {
        self.shard.shared.publisher.refused(events);
    }

    fn presence(&mut self, topic: &str) -> Result<Vec<(String, Member)>, Refusal> {
        validate_readable(topic).map_err(TopicError::Name)?;
        self.allowed(Action::Presence, topic)?;
        self.permitted(&presence_topic(topic))?;
        let found = self.shard.shared.registry.find(topic);
        Ok(found.map(|topic| topic.members()).transpose()?.unwrap_or_default())
    }

    fn identity(&self) -> &Arc<Identity> {
        &self.shard.conns[self.conn as usize].identity
    }

    fn authenticate(&mut self, token: &str) {
        self.shard.authenticate(self.conn, token);
    }

    fn wake_after(&mut self, millis: u64) {
        let conn = &mut self.shard.conns[self.conn as usize];
        // Moments are kept in 32 bits, of which half lie ahead.
        conn.alarm_ms = (self.shard.now.millis() + millis.min(i32::MAX as u64)) as u32;
        conn.flags.alarmed = true;
        self.shard.reschedule(self.conn);
    }

    fn unheard_ms(&self) -> u64 {
        self.shard.unspoken_ms(self.conn)
    }

    fn silent_ms(&self) -> u64 {
        self.shard.silent_ms(self.conn)
    }

    fn take_place(&mut self, name: &str, limit: usize) -> bool {
        let Some(lease) = self.shard.shared.counts.take(name, limit) else {
            self.shard.shared.limits.of(Limit::ConnectionsOfProtocol).add(1);
            return false;
        };
        self.shard.conns[self.conn as usize].leases.keep(lease);
        true
    }

    fn summary(&mut self, topic: &str) -> Option<Vec<u8>> {
        self.shard.shared.publisher.summary(topic, self.shard.now)
    }

    fn close(&mut self, why: Disconnect) {
        self.closed.get_or_insert(why);
    }
}
