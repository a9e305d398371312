//! Cursors: placed, moved between the live part and the rest, removed.

use std::sync::Arc;

use crossbeam_epoch as epoch;

use super::class::{Class, ClassId};
use super::conn::SubRef;
use super::group::{Group, Sub, SubMarks};
use super::linger::Lingering;
use super::net::Net;
use super::shard::{Shard, Watched};
use super::slot::Slot;
use crate::dialect::{Outcome, Refusal, Subscribe};
use crate::engine::filter::Filter;
use crate::engine::name::Pattern;
use crate::engine::{Change, Interest, Removed, Topic, TopicError, Wake, Watch};
use crate::metrics::Limit;

impl<N: Net> Shard<N> {
    /// Places a cursor; its events follow what already waits for the connection.
    pub(super) fn subscribe(&mut self, id: u32, request: &Subscribe<'_>) -> Result<Outcome, Refusal> {
        self.admit(id, request.topic)?;
        let topic = self.join_topic(request.topic)?;
        let present = match request.presence {
            Some(info) => self.enter_presence(id, &topic, info).inspect_err(|_| topic.leave(self.now))?,
            None => false,
        };
        let slot = self.slot_for(&topic);
        let pin = epoch::pin();
        let outcome =
            Outcome::of(topic, &request.start, self.now, |topic, time| topic.before_time(time, &pin));
        let (encode, filter) = (request.view, request.filter.clone());
        let linger = request.linger.map(|linger| linger.within(self.slots[slot as usize].topic.namespace()));
        let class = Class { encode, filter, conflate: request.conflate, linger };
        let class = self.classes.enter(class);
        self.place(id, slot, class, outcome.offset, present);
        self.metrics.missed.bump(outcome.missed.unwrap_or(0));
        Ok(outcome)
    }

    fn admit(&self, id: u32, topic: &str) -> Result<(), Refusal> {
        let subs = &self.conns[id as usize].subs;
        if subs.refs().len() + subs.watches().len() >= self.shared.settings.subscriptions {
            return Err(self.refused(Limit::Subscriptions, Refusal::TooManySubscriptions));
        }
        match self.find_sub(id, topic) {
            Some(_) => Err(Refusal::AlreadySubscribed),
            None => Ok(()),
        }
    }

    fn refused(&self, limit: Limit, refusal: Refusal) -> Refusal {
        self.shared.limits.of(limit).add(1);
        refusal
    }

    /// A topic may be removed between the look-up and the joining; its successor is joined then.
    fn join_topic(&self, name: &str) -> Result<Arc<Topic>, Refusal> {
        loop {
            let topic = self.shared.registry.topic(name, self.now)?;
            match topic.join(self.shared.settings.subscribers) {
                Ok(true) => return Ok(topic),
                Ok(false) => return Err(self.refused(Limit::ConnectionsPerTopic, Refusal::TopicFull)),
                Err(Removed) => {}
            }
        }
    }

    fn enter_presence(&self, id: u32, topic: &Topic, info: &str) -> Result<bool, Refusal> {
        let user = &self.conns[id as usize].identity.name;
        let info = (!info.is_empty()).then_some(info.as_bytes());
        if let Some(member) = topic.enter(user, info)? {
            self.shared.publisher.presence(topic, user, &member, Change::Joined, self.now);
        }
        Ok(true)
    }

    fn slot_for(&mut self, topic: &Arc<Topic>) -> u32 {
        if let Some(&slot) = self.slot_of.get(topic.name()) {
            return slot;
        }
        let slot = self.slots.vacant_key() as u32;
        let wake: Arc<dyn Wake> = Arc::clone(&self.mailbox) as _;
        let interest = Arc::new(Interest::new(slot, wake));
        topic.attach(&interest);
        self.slots.insert(Slot::new(Arc::clone(topic), interest));
        self.slot_of.insert(Arc::clone(topic.name()), slot);
        slot
    }

    fn group_for(&mut self, slot: u32, class: ClassId) -> u32 {
        let found = &mut self.slots[slot as usize];
        if let Some(group) = found.group_of(class) {
            return group;
        }
        let (retention, head) = (&found.topic.namespace().retention, found.topic.head());
        // Without a window nothing waits.
        let linger = self.classes.get(class).linger.filter(|linger| linger.window_ms > 0);
        let lingering = linger.map(|linger| Box::new(Lingering::new(linger, retention, head)));
        let group = self.groups.insert(Group::new(slot, class, lingering)) as u32;
        found.groups.push((class, group));
        group
    }

    fn place(&mut self, id: u32, slot: u32, class: ClassId, cursor: u64, present: bool) {
        let group = self.group_for(slot, class);
        let (index, head) =
            (self.groups[group as usize].subs.len() as u32, self.slots[slot as usize].topic.head());
        let conn = &mut self.conns[id as usize];
        let back = conn.subs.push(SubRef { group, index });
        let key = self.net.key(&conn.socket);
        let found = &mut self.groups[group as usize];
        let caught_up = cursor >= found.visible(head);
        let marks = SubMarks { present, caught_up, indirect: !conn.is_direct(), ..SubMarks::default() };
        found.subs.push(Sub { cursor, key, conn: id, back, marks });
        self.metrics.subscriptions.set(self.metrics.subscriptions.get() + 1);
        self.refresh_indirect(id);
        self.make_ready(id);
    }

    /// A connection that begins to read a second topic is pumped from now on.
    fn refresh_indirect(&mut self, id: u32) {
        let conn = &self.conns[id as usize];
        let indirect = !conn.is_direct();
        for at in conn.subs.refs() {
            self.groups[at.group as usize].subs[at.index as usize].marks.indirect = indirect;
        }
    }

    /// A subscription.
    pub(super) fn sub(&self, at: SubRef) -> &Sub {
        &self.groups[at.group as usize].subs[at.index as usize]
    }

    pub(super) fn sub_mut(&mut self, at: SubRef) -> &mut Sub {
        &mut self.groups[at.group as usize].subs[at.index as usize]
    }

    /// What a subscription reads.
    pub(super) fn topic_of(&self, at: SubRef) -> &Arc<Topic> {
        &self.slots[self.groups[at.group as usize].slot as usize].topic
    }

    /// The newest offset that a subscription may have now.
    pub(super) fn visible(&self, at: SubRef) -> u64 {
        self.groups[at.group as usize].visible(self.topic_of(at).head())
    }

    pub(super) fn find_sub(&self, id: u32, topic: &str) -> Option<SubRef> {
        let slot = *self.slot_of.get(topic)?;
        let refs = self.conns[id as usize].subs.refs();
        refs.iter().copied().find(|at| self.groups[at.group as usize].slot == slot)
    }

    /// Ends the subscription of a connection to `topic`; whether there was one.
    pub(super) fn unsubscribe(&mut self, id: u32, topic: &str) -> bool {
        let found = self.find_sub(id, topic);
        if let Some(at) = found {
            self.remove_sub(id, at);
            self.refresh_indirect(id);
        }
        found.is_some()
    }

    pub(super) fn unsubscribe_all(&mut self, id: u32) {
        while let Some(&at) = self.conns[id as usize].subs.refs().last() {
            self.remove_sub(id, at);
        }
        for watch in self.conns[id as usize].subs.watches().to_vec() {
            self.end_watch(id, watch);
        }
    }

    fn remove_sub(&mut self, id: u32, at: SubRef) {
        let Some(sub) = self.take_out(at) else { return };
        if let Some(moved) = self.conns[id as usize].subs.take(sub.back) {
            self.sub_mut(moved).back = sub.back;
        }
        self.gone(id, at.group, &sub);
    }

    /// Takes a subscription out of its group's array.
    fn take_out(&mut self, at: SubRef) -> Option<Sub> {
        let Sub { conn, back, .. } = *self.sub(at);
        self.suspend(at);
        // Suspending may have moved it.
        let at = self.conns[conn as usize].subs.refs()[back as usize];
        let subs = &mut self.groups[at.group as usize].subs;
        let last = subs.len() - 1;
        subs.swap(at.index as usize, last);
        let sub = subs.pop();
        self.relink(at);
        sub
    }

    /// Whoever stands at `at` now learns it.
    fn relink(&mut self, at: SubRef) {
        if let Some(sub) = self.groups[at.group as usize].subs.get(at.index as usize) {
            self.conns[sub.conn as usize].subs.moved(sub.back, at);
        }
    }

    fn gone(&mut self, id: u32, group: u32, sub: &Sub) {
        self.metrics.subscriptions.set(self.metrics.subscriptions.get() - 1);
        let slot = self.groups[group as usize].slot;
        let topic = Arc::clone(&self.slots[slot as usize].topic);
        if sub.marks.present {
            self.leave_presence(id, &topic);
        }
        topic.leave(self.now);
        self.leave_group(group);
        if self.slots[slot as usize].groups.is_empty() {
            self.drop_slot(slot);
        }
    }

    /// A member has left its class and this group, which ends with its last.
    fn leave_group(&mut self, id: u32) {
        let Group { slot, class, .. } = self.groups[id as usize];
        self.classes.leave(class);
        if !self.groups[id as usize].subs.is_empty() {
            return;
        }
        let gone = self.groups.remove(id as usize);
        self.slots[slot as usize].groups.retain(|(_, group)| *group != id);
        self.dues.change(id, gone.lingering.and_then(|lingering| lingering.due()), None);
        self.gather.forget();
        self.spare.forget();
    }

    /// Moves a subscription to the group of another class, which is made of its own, and out of the live part.
    pub(super) fn reclass(&mut self, at: SubRef, change: impl FnOnce(Class) -> Class) {
        let Group { slot, class, .. } = self.groups[at.group as usize];
        let class = change(self.classes.get(class).clone());
        let class = self.classes.enter(class);
        let group = self.group_for(slot, class);
        let Some(sub) = self.take_out(at) else { return };
        let index = self.groups[group as usize].subs.len() as u32;
        self.groups[group as usize].subs.push(sub);
        self.relink(SubRef { group, index });
        self.leave_group(at.group);
    }

    /// Lets a connection have what `filter` selects of `topic`, from where it stands; whether it reads it.
    pub(super) fn refine(&mut self, id: u32, topic: &str, filter: Option<Arc<Filter>>) -> bool {
        let Some(at) = self.find_sub(id, topic) else { return false };
        self.reclass(at, |class| Class { filter, ..class });
        self.make_ready(id);
        true
    }

    fn leave_presence(&self, id: u32, topic: &Topic) {
        let user = &self.conns[id as usize].identity.name;
        if let Some(member) = topic.exit(user) {
            self.shared.publisher.presence(topic, user, &member, Change::Left, self.now);
        }
    }

    fn drop_slot(&mut self, slot: u32) {
        let gone = self.slots.remove(slot as usize);
        gone.topic.detach(&gone.interest);
        self.slot_of.remove(gone.topic.name());
    }

    /// Takes a subscription out of the live part.
    pub(super) fn suspend(&mut self, at: SubRef) {
        if self.groups[at.group as usize].is_live(at.index) {
            let (a, b) = self.groups[at.group as usize].suspend(at.index);
            self.relink_both(at.group, a, b);
        }
    }

    fn relink_both(&mut self, group: u32, a: u32, b: u32) {
        self.relink(SubRef { group, index: a });
        self.relink(SubRef { group, index: b });
    }

    /// Takes all subscriptions of a connection out of the live parts.
    pub(super) fn suspend_all(&mut self, id: u32) {
        for i in 0..self.conns[id as usize].subs.refs().len() {
            let at = self.conns[id as usize].subs.refs()[i];
            self.suspend(at);
        }
    }

    /// Brings all subscriptions of a connection to the live parts: nothing of its own waits any more.
    pub(super) fn enliven_all(&mut self, id: u32) {
        for i in 0..self.conns[id as usize].subs.refs().len() {
            let at = self.conns[id as usize].subs.refs()[i];
            if !self.groups[at.group as usize].is_live(at.index) {
                let (a, b) = self.groups[at.group as usize].enliven(at.index);
                self.relink_both(at.group, a, b);
            }
        }
    }

    /// Watches a pattern for a connection; the topics that match now.
    pub(super) fn watch(&mut self, id: u32, pattern: &str) -> Result<Vec<Arc<Topic>>, Refusal> {
        let parsed = Pattern::parse(pattern).map_err(TopicError::Name)?;
        if self.find_watch(id, pattern).is_some() {
            return Err(Refusal::AlreadySubscribed);
        }
        let subs = &self.conns[id as usize].subs;
        if subs.refs().len() + subs.watches().len() >= self.shared.settings.subscriptions {
            return Err(self.refused(Limit::Subscriptions, Refusal::TooManySubscriptions));
        }
        self.next_watch += 1;
        self.conns[id as usize].subs.many().watches.push(self.next_watch);
        self.watches.insert(self.next_watch, Watched { conn: id, pattern: pattern.into() });
        self.shared.registry.watch(self.next_watch, parsed.clone(), Arc::clone(&self.mailbox) as _);
        Ok(self.shared.registry.matching(&parsed))
    }

    fn find_watch(&self, id: u32, pattern: &str) -> Option<u64> {
        let mut watches = self.conns[id as usize].subs.watches().iter().copied();
        watches.find(|watch| self.watches.get(watch).is_some_and(|found| &*found.pattern == pattern))
    }

    /// Ends the watch of `pattern`; whether there was one.
    pub(super) fn unwatch(&mut self, id: u32, pattern: &str) -> bool {
        let found = self.find_watch(id, pattern);
        if let Some(watch) = found {
            self.end_watch(id, watch);
        }
        found.is_some()
    }

    fn end_watch(&mut self, id: u32, watch: u64) {
        self.conns[id as usize].subs.many().watches.retain(|other| *other != watch);
        self.watches.remove(&watch);
        let sink: Arc<dyn Watch> = Arc::clone(&self.mailbox) as _;
        self.shared.registry.unwatch(watch, &sink);
    }

    /// A topic came into being that a watch matches.
    pub(super) fn matched(&mut self, watch: u64, topic: &Arc<Topic>) {
        let Some(found) = self.watches.get(&watch) else { return };
        let (conn, pattern) = (found.conn, found.pattern.clone());
        self.ask(conn, |dialect, host| dialect.matched(&pattern, topic, host));
        self.make_ready(conn);
    }
}
