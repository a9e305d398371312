//! The door for publications that arrive where deliveries are made: shards and dialects publish through it
//! without knowing ingest.

use std::sync::Arc;

use super::bucket::Limited;
use super::entry::Body;
use super::now::Now;
use super::presence::Member;
use super::registry::TopicError;
use super::topic::{Published, Topic};

/// A change of a topic's presence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A user who was not there is.
    Joined,
    /// A user's last connection is gone.
    Left,
}

/// Why an event does not fit the data model of its topic.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct Misfit {
    /// The member that is wrong.
    pub field: String,
    /// What is wrong with it, and what would be right.
    pub problem: String,
}

/// Why one event was not published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unplaced {
    /// It does not fit the data model of its topic.
    #[error(transparent)]
    Misfit(Box<Misfit>),
    /// The topic takes no more now.
    #[error("the topic takes no more events now; retry after {} ms", .0.retry_after_ms)]
    Limited(Limited),
    /// Whoever publishes it may publish no more now.
    #[error("this credential may publish no more events now; retry after {} ms", .0.retry_after_ms)]
    TooFast(Limited),
}

impl Unplaced {
    /// After how long it may be published.
    pub fn retry_after_ms(&self) -> Option<u64> {
        match self {
            Self::Misfit(_) => None,
            Self::Limited(limited) | Self::TooFast(limited) => Some(limited.retry_after_ms),
        }
    }
}

/// Where a batch went.
#[derive(Debug)]
pub struct Placed {
    /// The topic.
    pub topic: Arc<Topic>,
    /// What became of every event, in the order given.
    pub places: Vec<Result<Published, Unplaced>>,
}

/// Appends to topics; implemented by ingest.
pub trait Publish: Send + Sync {
    /// Publishes `bodies` to the topic `name` in order, as one batch.
    ///
    /// # Errors
    /// The name is none or cannot be published to, or there are too many topics; nothing was published.
    fn publish(&self, name: &str, bodies: Vec<Body>, now: Now) -> Result<Placed, TopicError>;

    /// As [`Self::publish`], on behalf of the user `who` (empty for nobody in particular), as far as that may publish now.
    ///
    /// # Errors
    /// As [`Self::publish`].
    fn publish_as(&self, _who: &str, name: &str, bodies: Vec<Body>, now: Now) -> Result<Placed, TopicError> {
        self.publish(name, bodies, now)
    }

    /// Counts events that a client wanted to publish and that were not, whoever found out why. [`Self::publish`]
    /// counts only what it returns as [`Unplaced`].
    fn refused(&self, _events: u64) {}

    /// What the protocol that owns topic `name` has derived from its events, as JSON; `None` where it derives nothing or
    /// nothing was published.
    fn summary(&self, _name: &str, _now: Now) -> Option<Vec<u8>> {
        None
    }

    /// Publishes a change of `topic`'s presence to its companion topic.
    fn presence(&self, topic: &Topic, user: &str, member: &Member, change: Change, now: Now);
}
