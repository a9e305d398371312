//! The door itself: every publication, however it came, is appended here and nowhere else.

use std::sync::Arc;

use super::gates::Gates;
use crate::dialect::protocol::{Protocol, Protocols};
use crate::engine::name::{NameError, presence_of};
use crate::engine::presence::Member;
use crate::engine::{
    Body, Change, Now, Parts, Placed, Publish, Published, Registry, Topic, TopicError, Unplaced,
};
use crate::json::text::write_string;
use crate::metrics::PublishMetrics;

/// Publishes to the topics of a registry.
pub struct Publisher {
    registry: Arc<Registry>,
    metrics: Arc<PublishMetrics>,
    protocols: Arc<Protocols>,
    gates: Gates,
}

impl Publisher {
    /// A door to `registry`; each of `protocols` decides what its topics let in.
    pub fn new(registry: Arc<Registry>, metrics: Arc<PublishMetrics>, protocols: Arc<Protocols>) -> Self {
        Self { registry, metrics, protocols, gates: Gates::default() }
    }

    /// Appends what is held back and due; when something is due next, monotonic microseconds.
    pub fn flush_due(&self, now: Now) -> Option<u64> {
        self.gates.flush_due(now, |name, bodies| self.append(name, bodies, now).map(drop))
    }

    /// A topic may be removed between the look-up and the append; its successor is taken then.
    fn append(&self, name: &str, bodies: Vec<Body>, now: Now) -> Result<Placed, TopicError> {
        let sizes: Vec<_> = bodies.iter().map(Body::len).collect();
        let mut places = Vec::with_capacity(bodies.len());
        let mut bodies = Some(bodies);
        loop {
            let topic = self.registry.topic(name, now)?;
            let taken = || bodies.take().into_iter().flatten();
            if topic.publish_with(taken, now, |place| places.push(Ok(place))).is_ok() {
                self.count(&places, &sizes);
                return Ok(Placed { topic, places });
            }
        }
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
        self.throttle(owner, &topic, &mut admitted, now);
        let refused = admitted.iter().filter(|body| body.is_err()).count();
        self.metrics.refused.add(refused as u64);
        let (fit, slots) = split(admitted);
        let feed = owner.feed(name).map(|feed| self.registry.topic(feed, now)).transpose()?;
        let copies = feed.as_ref().map(|_| fit.clone()).unwrap_or_default();
        let placed = match owner.gate(name) {
            Some(gate) => self.gates.pass(name, gate, fit, now, |bodies| self.append(name, bodies, now))?,
            None => self.append(name, fit, now)?,
        };
        if let Some(feed) = feed {
            self.append_to_feed(feed.name(), copies, &placed.places, now);
        }
        let mut places = placed.places.into_iter();
        let filled =
            slots.into_iter().filter_map(|slot| slot.map_or_else(|| places.next(), |no| Some(Err(no))));
        Ok(Placed { topic: placed.topic, places: filled.collect() })
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

    /// Refuses what comes faster than the topic takes it, from the end of the batch, and tells its readers at times.
    fn throttle(
        &self,
        owner: &dyn Protocol,
        topic: &Topic,
        admitted: &mut [Result<Body, Unplaced>],
        now: Now,
    ) {
        let Some(rate) = topic.namespace().rate else { return };
        let mut dropped = 0;
        for body in admitted.iter_mut().filter(|body| body.is_ok()) {
            if let Err(limited) = topic.traffic.allowance.take(1, rate, now) {
                *body = Err(Unplaced::Limited(limited));
                dropped += 1;
            }
        }
        if dropped > 0 {
            self.announce_dropped(owner, topic, dropped, now);
        }
    }

    fn announce_dropped(&self, owner: &dyn Protocol, topic: &Topic, dropped: u64, now: Now) {
        topic.traffic.dropped(dropped);
        if let Some(count) = topic.traffic.to_announce(now)
            && let Some(text) = owner.dropped(count)
        {
            tracing::warn!(topic = %topic.name(), dropped = count, "events came too fast and were refused");
            topic.notify(text);
        }
    }
}

fn admit(owner: &dyn Protocol, name: &str, body: Body, now: Now) -> Result<Body, Unplaced> {
    owner.admit(name, body, now).map_err(|misfit| Unplaced::Misfit(Box::new(misfit)))
}

/// The bodies that remain, and for each of the original ones why it does not, if it does not.
fn split(admitted: Vec<Result<Body, Unplaced>>) -> (Vec<Body>, Vec<Option<Unplaced>>) {
    let mut fit = Vec::with_capacity(admitted.len());
    let slots = admitted.into_iter().map(|body| body.map(|body| fit.push(body)).err()).collect();
    (fit, slots)
}

impl Publish for Publisher {
    fn publish(&self, name: &str, bodies: Vec<Body>, now: Now) -> Result<Placed, TopicError> {
        if presence_of(name).is_some() {
            return Err(TopicError::ReadOnly);
        }
        match self.protocols.owner(name) {
            Some(owner) => self.append_owned(owner, name, bodies, now),
            None => self.append(name, bodies, now),
        }
    }

    fn refused(&self, events: u64) {
        self.metrics.refused.add(events);
    }

    fn summary(&self, name: &str, now: Now) -> Option<Vec<u8>> {
        self.gates.summary(name, now)
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
