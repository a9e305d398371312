//! The door itself: every publication, however it came, is appended here and nowhere else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::agenda::{Agenda, Why};
use super::gates::Passed;
use super::pace::Pace;
use crate::dialect::protocol::{Protocol, Protocols};
use crate::engine::name::{NameError, presence_of};
use crate::engine::presence::Member;
use crate::engine::traffic::{ANNOUNCE_MS, Announce};
use crate::engine::{
    Body, Change, Gated, Now, Parts, Placed, Publish, Published, Registry, Topic, TopicError, Unplaced,
};
use crate::json::text::write_string;
use crate::metrics::{Limit, PublishMetrics};
use crate::sync::lock;

/// Publishes to the topics of a registry.
pub struct Publisher {
    registry: Arc<Registry>,
    metrics: Arc<PublishMetrics>,
    protocols: Arc<Protocols>,
    agenda: Agenda,
    /// Whether nothing is held back any more, since the server ends.
    closing: AtomicBool,
    pace: Pace,
}

impl Publisher {
    /// A door to `registry`; each of `protocols` decides what its topics let in.
    pub fn new(registry: Arc<Registry>, metrics: Arc<PublishMetrics>, protocols: Arc<Protocols>) -> Self {
        let (agenda, closing) = (Agenda::default(), AtomicBool::new(false));
        Self { registry, metrics, protocols, agenda, closing, pace: Pace::default() }
    }

    /// Bounds how fast one user may publish, and counts what a limit refuses.
    pub fn paced(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// Appends what was held back and is due, and tells readers what was refused; when something is due next, monotonic
    /// microseconds.
    pub fn flush_due(&self, now: Now) -> Option<u64> {
        while let Some((why, topic)) = self.agenda.take(now.micros) {
            match why {
                Why::Held => self.flush(&topic, now),
                Why::Refused => self.announce(topic.traffic.look(now), &topic),
            }
        }
        self.agenda.next()
    }

    /// Waits until something is due earlier than [`Self::flush_due`] has said.
    pub async fn due_earlier(&self) {
        self.agenda.earlier().await;
    }

    /// Appends everything that is held back; from now on nothing is. For the end of the server.
    pub fn close(&self, now: Now) {
        self.closing.store(true, Ordering::SeqCst);
        let late = Now { micros: now.micros + ANNOUNCE_MS * 1000, ..now };
        while let Some((why, topic)) = self.agenda.take(u64::MAX) {
            match why {
                Why::Held => self.flush(&topic, now),
                Why::Refused => self.announce(topic.traffic.look(late), &topic),
            }
        }
    }

    /// Appends what the gate of `topic` holds back, as far as it is due.
    fn flush(&self, topic: &Arc<Topic>, now: Now) {
        let Some(gate) = topic.gate(|| None) else { return };
        let mut gated = lock(gate);
        gated.listed = false;
        let mut out = Vec::new();
        if self.closing.load(Ordering::SeqCst) || gated.gate.due_micros().is_some_and(|due| due <= now.micros)
        {
            gated.gate.flush(now, &mut out);
        }
        let events = out.len() as u64;
        if events > 0
            && let Err(error) = self.append(topic.name(), out, now)
        {
            tracing::error!(topic = %topic.name(), %error, "events that were held back are lost");
            self.metrics.refused.add(events);
        }
        self.list(topic, &mut gated);
    }

    /// Has the gate looked at when what it holds back is due.
    fn list(&self, topic: &Arc<Topic>, gated: &mut Gated) {
        if let Some(due) = gated.gate.due_micros().filter(|_| !gated.listed) {
            gated.listed = true;
            self.agenda.enter(due, Why::Held, topic);
        }
    }

    fn append(&self, name: &str, bodies: Vec<Body>, now: Now) -> Result<Placed, TopicError> {
        self.append_to(self.registry.topic(name, now)?, bodies, now)
    }

    /// A topic may be removed between the look-up and the append; its successor is taken then.
    fn append_to(&self, mut topic: Arc<Topic>, bodies: Vec<Body>, now: Now) -> Result<Placed, TopicError> {
        let sizes: Vec<_> = bodies.iter().map(Body::len).collect();
        let mut places = Vec::with_capacity(bodies.len());
        let mut bodies = Some(bodies);
        loop {
            let taken = || bodies.take().into_iter().flatten();
            if topic.publish_with(taken, now, |place| places.push(Ok(place))).is_ok() {
                self.count(&places, &sizes);
                return Ok(Placed { topic, places });
            }
            topic = self.registry.topic(topic.name(), now)?;
        }
    }

    /// Appends to a topic that no protocol owns, as fast as it may come.
    fn append_plain(&self, name: &str, bodies: Vec<Body>, now: Now) -> Result<Placed, TopicError> {
        let topic = self.registry.topic(name, now)?;
        if topic.namespace().rate.is_none() {
            return self.append_to(topic, bodies, now);
        }
        let mut admitted: Vec<_> = bodies.into_iter().map(Ok).collect();
        self.throttle(&topic, &mut admitted, now);
        let (fit, slots) = self.split(admitted);
        Ok(fill(self.append_to(topic, fit, now)?, slots))
    }

    /// A duplicate was appended earlier, and so were its bytes.
    fn count(&self, places: &[Result<Published, Unplaced>], sizes: &[usize]) {
        let duplicate = |place: &Result<Published, Unplaced>| place.as_ref().is_ok_and(|p| p.duplicate);
        let fresh = || places.iter().zip(sizes).filter(|(place, _)| !duplicate(place));
        let (events, bytes) = (fresh().count(), fresh().map(|(_, size)| size).sum::<usize>());
        self.metrics.events.add(events as u64);
        self.metrics.duplicates.add((places.len() - events) as u64);
        self.metrics.bytes.add(bytes as u64);
    }

    /// Appends to a topic that a protocol owns: what fits its data model, as fast as it may come, through its gate.
    fn append_owned(
        &self,
        owner: &dyn Protocol,
        name: &str,
        bodies: Vec<Body>,
        now: Now,
    ) -> Result<Placed, TopicError> {
        let topic = self.registry.topic(name, now)?;
        let mut admitted: Vec<_> = bodies.into_iter().map(|body| admit(owner, name, body, now)).collect();
        self.throttle(&topic, &mut admitted, now);
        let (fit, slots) = self.split(admitted);
        let feed = owner.feed(name).map(|feed| self.registry.topic(feed, now)).transpose()?;
        let copies = feed.as_ref().map(|_| fit.clone()).unwrap_or_default();
        let placed = self.append_gated(owner, name, fit, now)?;
        if let Some(feed) = feed {
            self.append_to_feed(feed.name(), copies, &placed.places, now);
        }
        Ok(fill(placed, slots))
    }

    /// The bodies that remain, and for each of the original ones why it does not, if it does not.
    fn split(&self, admitted: Vec<Result<Body, Unplaced>>) -> (Vec<Body>, Vec<Option<Unplaced>>) {
        let mut fit = Vec::with_capacity(admitted.len());
        let slots: Vec<_> = admitted.into_iter().map(|body| body.map(|body| fit.push(body)).err()).collect();
        self.metrics.refused.add((slots.len() - fit.len()) as u64);
        (fit, slots)
    }

    /// What its topic has had before is not new to the feed either. Keys are the topic's own: those of another may be the same.
    fn append_to_feed(
        &self,
        feed: &str,
        copies: Vec<Body>,
        places: &[Result<Published, Unplaced>],
        now: Now,
    ) {
        let fresh = |place: &Result<Published, Unplaced>| place.as_ref().is_ok_and(|p| !p.duplicate);
        let fresh = copies.into_iter().zip(places).filter(|(_, place)| fresh(place));
        let fresh: Vec<_> = fresh.map(|(body, _)| body.without_idempotency_key()).collect();
        if let Err(error) = self.append(feed, fresh, now) {
            tracing::error!(topic = %feed, %error, "events are missing in the feed of all");
        }
    }

    /// Appends what the gate of the topic lets through, if it has one.
    fn append_gated(
        &self,
        owner: &dyn Protocol,
        name: &str,
        bodies: Vec<Body>,
        now: Now,
    ) -> Result<Placed, TopicError> {
        loop {
            let topic = self.registry.topic(name, now)?;
            let Some(gate) = topic.gate(|| owner.gate(name)) else { return self.append(name, bodies, now) };
            let mut gated = lock(gate);
            // One that was removed since has a successor, with a gate of its own.
            if topic.touch(now).is_ok() {
                return self.pass(&topic, &mut gated, bodies, now);
            }
        }
    }

    fn pass(
        &self,
        topic: &Arc<Topic>,
        gated: &mut Gated,
        bodies: Vec<Body>,
        now: Now,
    ) -> Result<Placed, TopicError> {
        let mut passed = Passed::through(&mut *gated.gate, topic, bodies, now);
        let mut out = std::mem::take(&mut passed.out);
        if self.closing.load(Ordering::SeqCst) {
            gated.gate.flush(now, &mut out);
        }
        self.list(topic, gated);
        let placed = match out.is_empty() {
            true => Placed { topic: Arc::clone(topic), places: Vec::new() },
            false => self.append(topic.name(), out, now)?,
        };
        Ok(passed.places(placed))
    }

    /// Refuses what comes faster than the topic takes it, and tells its readers at times.
    fn throttle(&self, topic: &Arc<Topic>, admitted: &mut [Result<Body, Unplaced>], now: Now) {
        let Some(rate) = topic.namespace().rate else { return };
        let mut dropped = 0;
        for body in admitted.iter_mut().filter(|body| body.is_ok()) {
            if let Err(limited) = topic.traffic.allowance.take(1, rate, now) {
                *body = Err(Unplaced::Limited(limited));
                dropped += 1;
            }
        }
        if dropped > 0 {
            self.pace.limits.of(Limit::PublishRate).add(dropped);
            self.announce(topic.traffic.dropped(dropped, now), topic);
        }
    }

    /// Tells the readers of a topic what was refused, or has it looked at again.
    fn announce(&self, announce: Announce, topic: &Arc<Topic>) {
        match announce {
            Announce::Now(dropped) => {
                tracing::warn!(topic = %topic.name(), dropped, "events came too fast and were refused");
                let owner = self.protocols.owner(topic.name());
                owner
                    .and_then(|owner| owner.dropped(dropped))
                    .into_iter()
                    .for_each(|text| topic.notify(text));
            }
            Announce::Later(millis) => self.agenda.enter(millis * 1000, Why::Refused, topic),
            Announce::Nothing => {}
        }
    }
}

fn admit(owner: &dyn Protocol, name: &str, body: Body, now: Now) -> Result<Body, Unplaced> {
    owner.admit(name, body, now).map_err(|misfit| Unplaced::Misfit(Box::new(misfit)))
}

/// The places of what was appended, and those of what was not where they were asked for.
fn fill(placed: Placed, slots: Vec<Option<Unplaced>>) -> Placed {
    let mut places = placed.places.into_iter();
    let filled = slots.into_iter().filter_map(|slot| slot.map_or_else(|| places.next(), |no| Some(Err(no))));
    Placed { topic: placed.topic, places: filled.collect() }
}

impl Publish for Publisher {
    fn publish(&self, name: &str, bodies: Vec<Body>, now: Now) -> Result<Placed, TopicError> {
        if presence_of(name).is_some() {
            return Err(TopicError::ReadOnly);
        }
        match self.protocols.owner(name) {
            Some(owner) => self.append_owned(owner, name, bodies, now),
            None => self.append_plain(name, bodies, now),
        }
    }

    fn publish_as(
        &self,
        who: &str,
        name: &str,
        mut bodies: Vec<Body>,
        now: Now,
    ) -> Result<Placed, TopicError> {
        let over = self.pace.within(who, &mut bodies, now);
        let mut placed = self.publish(name, bodies, now)?;
        self.metrics.refused.add(over.len() as u64);
        placed.places.extend(over.into_iter().map(Err));
        Ok(placed)
    }

    fn refused(&self, events: u64) {
        self.metrics.refused.add(events);
    }

    fn summary(&self, name: &str, now: Now) -> Option<Vec<u8>> {
        let topic = self.registry.find(name)?;
        let gate = topic.gate(|| None)?;
        lock(gate).gate.summary(now)
    }

    fn presence(&self, topic: &Topic, user: &str, member: &Member, change: Change, now: Now) {
        let mut data = b"{\"user\":".to_vec();
        write_string(&mut data, user);
        data.extend_from_slice(b",\"info\":");
        data.extend_from_slice(member.info.as_deref().unwrap_or(b"null"));
        data.push(b'}');
        let event = match change {
            Change::Joined => "join",
            Change::Left => "leave",
        };
        let body = Body::new(&Parts { event, data: &data, ..Parts::default() });
        // A companion beyond the limit of topics cannot be told of; the topic's own list still can be asked for.
        let _placed: Result<Placed, TopicError> =
            self.append(&format!("$presence.{}", topic.name()), vec![body], now);
    }
}

/// Why a name cannot be published to.
///
/// # Errors
/// It is no topic's name, or one that is only read.
pub fn check_name(name: &str) -> Result<(), TopicError> {
    match presence_of(name) {
        Some(_) => Err(TopicError::ReadOnly),
        None => crate::engine::name::validate(name).map_err(|error: NameError| error.into()),
    }
}

#[cfg(test)]
#[path = "gates_tests.rs"]
mod tests;
