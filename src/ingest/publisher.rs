//! The door itself: every publication, however it came, is appended here and nowhere else.

use std::sync::Arc;

use crate::engine::name::{NameError, presence_of};
use crate::engine::presence::Member;
use crate::engine::{Body, Change, Now, Parts, Placed, Publish, Published, Registry, Topic, TopicError};
use crate::json::text::write_string;
use crate::metrics::PublishMetrics;

/// Publishes to the topics of a registry.
#[derive(Debug)]
pub struct Publisher {
    registry: Arc<Registry>,
    metrics: Arc<PublishMetrics>,
}

impl Publisher {
    /// A door to `registry`.
    pub fn new(registry: Arc<Registry>, metrics: Arc<PublishMetrics>) -> Self {
        Self { registry, metrics }
    }

    /// A topic may be removed between the look-up and the append; its successor is taken then.
    fn append(&self, name: &str, bodies: Vec<Body>, now: Now) -> Result<Placed, TopicError> {
        let sizes: Vec<_> = bodies.iter().map(Body::len).collect();
        let mut places = Vec::with_capacity(bodies.len());
        let mut bodies = Some(bodies);
        loop {
            let topic = self.registry.topic(name, now)?;
            let taken = || bodies.take().into_iter().flatten();
            if topic.publish_with(taken, now, |place| places.push(place)).is_ok() {
                self.count(&places, &sizes);
                return Ok(Placed { topic, places });
            }
        }
    }

    /// A duplicate was appended earlier, and so were its bytes.
    fn count(&self, places: &[Published], sizes: &[usize]) {
        let fresh = || places.iter().zip(sizes).filter(|(place, _)| !place.duplicate);
        let (events, bytes) = (fresh().count(), fresh().map(|(_, size)| size).sum::<usize>());
        self.metrics.events.add(events as u64);
        self.metrics.duplicates.add((places.len() - events) as u64);
        self.metrics.bytes.add(bytes as u64);
    }
}

impl Publish for Publisher {
    fn publish(&self, name: &str, bodies: Vec<Body>, now: Now) -> Result<Placed, TopicError> {
        if presence_of(name).is_some() {
            return Err(TopicError::ReadOnly);
        }
        self.append(name, bodies, now)
    }

    fn refused(&self, events: u64) {
        self.metrics.refused.add(events);
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
