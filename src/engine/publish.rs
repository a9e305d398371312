//! The door for publications that arrive where deliveries are made: shards and dialects publish through it
//! without knowing ingest.

use std::sync::Arc;

use super::entry::Body;
use super::presence::Member;
use super::registry::TopicError;
use super::topic::{Now, Published, Topic};

/// A change of a topic's presence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A user who was not there is.
    Joined,
    /// A user's last connection is gone.
    Left,
}

/// Where a batch went.
#[derive(Debug)]
pub struct Placed {
    /// The topic.
    pub topic: Arc<Topic>,
    /// The place of every event, in the order given.
    pub places: Vec<Published>,
}

/// Appends to topics; implemented by ingest.
pub trait Publish: Send + Sync {
    /// Publishes `bodies` to the topic `name` in order, as one batch.
    ///
    /// # Errors
    /// The name is none or cannot be published to, or there are too many topics; nothing was published.
    fn publish(&self, name: &str, bodies: Vec<Body>, now: Now) -> Result<Placed, TopicError>;

    /// Counts events that a client wanted to publish and that were not, whoever found out why. [`Self::publish`]
    /// does not count on its own.
    fn refused(&self, _events: u64) {}

    /// Publishes a change of `topic`'s presence to its companion topic.
    fn presence(&self, topic: &Topic, user: &str, member: &Member, change: Change, now: Now);
}
