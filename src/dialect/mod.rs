//! Protocols. A dialect is a thin state machine without I/O, clocks or locks: it is told what its client
//! sent, and asks its [`Host`] for what the client wants. It makes the bytes of events as an
//! [`Encode`], so that the engine and delivery know no protocol by name.

pub mod analysis;
pub mod channels;
pub mod chat;
pub mod echo;
pub mod events;
pub mod frame;
pub mod position;
pub mod protocol;
pub mod refuse;
pub mod sessions;
pub mod stream;
pub mod text;
pub mod topics;
pub mod work;

use std::sync::Arc;

use crate::auth::{AuthError, Identity};
use crate::engine::filter::Filter;
use crate::engine::presence::Member;
use crate::engine::topic::PresenceRefused;
use crate::engine::{Body, Encode, Namespace, Now, Placed, Topic, TopicError, Unplaced};
use crate::error::Disconnect;
use crate::limits::{LINGER_EVENTS, RETRY_AFTER_SECONDS, SUBSCRIPTIONS_MAX};

/// How the bytes of a connection are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// WebSocket, messages as they are.
    WebSocket,
    /// WebSocket with permessage-deflate negotiated.
    Deflate,
    /// Server-sent events in HTTP/1.1 chunks.
    SseChunked,
    /// Server-sent events that end with the connection (HTTP/1.0).
    Sse,
    /// A JSON text per line in HTTP/1.1 chunks.
    LinesChunked,
    /// A JSON text per line that ends with the connection (HTTP/1.0).
    Lines,
}

impl Transport {
    /// Transports there are, for numbering views.
    pub const COUNT: u16 = 6;

    /// Whether the client speaks WebSocket, and so can send messages.
    pub fn is_websocket(self) -> bool {
        matches!(self, Self::WebSocket | Self::Deflate)
    }
}

/// A message of the client.
#[derive(Clone, Copy, Debug)]
pub enum Message<'a> {
    /// UTF-8 text.
    Text(&'a str),
    /// Anything.
    Binary(&'a [u8]),
}

/// Where reading starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// Behind the newest event.
    #[default]
    Now,
    /// At the oldest that is kept.
    Oldest,
    /// Behind a position; without an epoch the current one is meant.
    After {
        /// Life of the log.
        epoch: Option<u64>,
        /// The last offset the client has.
        offset: u64,
    },
    /// At what was published at this time or later, Unix milliseconds.
    Since(u64),
    /// At the first event: the topic came into being while the client watched for it. Nothing of it is history.
    Created,
}

/// What a client wants to read.
#[derive(Clone)]
pub struct Subscribe<'a> {
    /// The topic.
    pub topic: &'a str,
    /// From where.
    pub start: Start,
    /// As what bytes.
    pub view: &'static dyn Encode,
    /// Only these events.
    pub filter: Option<Arc<Filter>>,
    /// Only the newest of each key while behind.
    pub conflate: bool,
    /// Announce the reader in the topic's presence, with this JSON about it.
    pub presence: Option<&'a str>,
    /// Events may wait to go together.
    pub linger: Option<Linger>,
}

impl<'a> Subscribe<'a> {
    /// Everything of `topic` from now on.
    pub fn new(topic: &'a str, view: &'static dyn Encode) -> Self {
        Self { topic, start: Start::Now, view, filter: None, conflate: false, presence: None, linger: None }
    }
}

/// How long events may wait to go together as one [`Encode::batch`]. The edge leads: an event leaves at once when none has
/// left within the window, and what follows goes when the window ends or enough is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Linger {
    /// The window, milliseconds.
    pub window_ms: u32,
    /// Most events of a batch.
    pub events: u32,
}

impl Linger {
    /// What a view asks for that takes events one by one, and at once, wherever the namespace does not have them wait.
    pub const ONE_BY_ONE: Self = Self { window_ms: 0, events: 1 };

    /// As long as asked for or as `space` says, where that is longer. Where events wait, several of them go together.
    pub fn within(self, space: &Namespace) -> Self {
        match space.linger_ms {
            0 => self,
            wait_ms => {
                Self { window_ms: self.window_ms.max(wait_ms), events: self.events.max(LINGER_EVENTS) }
            }
        }
    }
}

/// The beginning of a subscription.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What is read.
    pub topic: Arc<Topic>,
    /// Reading starts behind this offset.
    pub offset: u64,
    /// Whether all that was asked for is there.
    pub recovered: bool,
    /// Events that are not; `None` when nobody can know.
    pub missed: Option<u64>,
}

impl Outcome {
    /// Where a subscription to `topic` begins that asks for `start` now.
    pub fn of(
        topic: Arc<Topic>,
        start: &Start,
        now: Now,
        before_time: impl FnOnce(&Topic, u64) -> u64,
    ) -> Self {
        let (oldest, head) = (topic.oldest(), topic.head());
        let foreign = |epoch: Option<u64>| epoch.is_some_and(|epoch| epoch != topic.epoch());
        let (offset, missed) = match *start {
            Start::Now => (head, Some(0)),
            Start::Oldest => (oldest - 1, Some(0)),
            Start::Created => (oldest - 1, Some(oldest - 1)),
            // What has expired may have been published since then, or before; so may what was published to an earlier life
            // of the server.
            Start::Since(time) => match before_time(&topic, time) {
                offset if offset == oldest - 1 && (offset > 0 || now.is_before_life(time)) => (offset, None),
                offset => (offset, Some(0)),
            },
            Start::After { epoch, offset } if foreign(epoch) || offset > head => (oldest - 1, None),
            Start::After { offset, .. } => {
                (offset.max(oldest - 1), Some((oldest - 1).saturating_sub(offset)))
            }
        };
        Self { topic, offset, recovered: missed == Some(0), missed }
    }

    /// The events that are missing, where not all was recovered; `None` when nobody can know which.
    pub fn gap(&self) -> Option<Gap> {
        self.missed.map(|missed| Gap { from: self.offset + 1 - missed, to: self.offset })
    }
}

/// Events that a subscriber has missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// First offset missed.
    pub from: u64,
    /// Last offset missed.
    pub to: u64,
}

/// Why something a client asked for was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The credential does not allow it.
    #[error("not allowed: the credential has no {0} grant for this topic")]
    Forbidden(&'static str),
    /// Grants allow it, and the backend that is asked besides does not.
    #[error("not allowed: the server's backend does not allow this topic")]
    Denied,
    /// The topic cannot be had.
    #[error(transparent)]
    Topic(#[from] TopicError),
    /// The connection reads this topic already.
    #[error("already subscribed to this topic")]
    AlreadySubscribed,
    /// The connection has as many subscriptions as it may.
    #[error("a connection has at most {SUBSCRIPTIONS_MAX} subscriptions")]
    TooManySubscriptions,
    /// The topic has as many readers as it may.
    #[error("too many connections read this topic; retry after {RETRY_AFTER_SECONDS} s")]
    TopicFull,
    /// Nobody can be present there, or nobody else.
    #[error(transparent)]
    Presence(#[from] PresenceRefused),
    /// The credential's time is over.
    #[error("the credential has expired; send a new one in an auth message")]
    Expired,
    /// A single event is not published.
    #[error(transparent)]
    Event(#[from] Unplaced),
}

impl Refusal {
    /// A word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Forbidden(_) | Self::Denied => "forbidden",
            Self::Topic(TopicError::Name(_)) => "invalid_topic",
            Self::Topic(TopicError::ReadOnly) => "read_only",
            Self::Topic(TopicError::TooMany(_)) => "too_many_topics",
            Self::AlreadySubscribed => "already_subscribed",
            Self::TooManySubscriptions => "too_many_subscriptions",
            Self::TopicFull => "too_many_subscribers",
            Self::Presence(PresenceRefused::Disabled) => "no_presence",
            Self::Presence(PresenceRefused::Limit(_)) => "presence_limit",
            Self::Expired => "expired",
            Self::Event(Unplaced::Misfit(_)) => "invalid_event",
            Self::Event(Unplaced::Limited(_) | Unplaced::TooFast(_)) => "rate_limited",
        }
    }

    /// After how long the same may be asked again, milliseconds, if time can change the answer.
    pub fn retry_after_ms(&self) -> Option<u64> {
        match self {
            Self::TopicFull | Self::Topic(TopicError::TooMany(_)) => Some(RETRY_AFTER_SECONDS * 1000),
            Self::Event(unplaced) => unplaced.retry_after_ms(),
            _ => None,
        }
    }
}

/// What a dialect can ask of the connection it speaks for.
pub trait Host {
    /// The time of this turn.
    fn now(&self) -> Now;

    /// Sends a message to this client alone; `event` names it where the transport has names (SSE).
    fn send(&mut self, event: &str, text: &[u8]);

    /// As [`Self::send`], for a message that moves the client's position to `id` (SSE; others ignore it): who
    /// is cut off right after it comes back with `id`.
    fn send_at(&mut self, event: &str, id: &[u8], text: &[u8]);

    /// Where the connection stands in every topic that it reads.
    fn places(&self) -> Vec<(Arc<Topic>, u64)>;

    /// Sends a hint, spread at random, of how long to wait before connecting again; SSE only, where the
    /// transport has such hints.
    fn send_retry(&mut self);

    /// Sends a binary message to this client alone; WebSocket only.
    fn send_binary(&mut self, bytes: &[u8]);

    /// Starts reading a topic. Its events follow whatever was sent before.
    ///
    /// # Errors
    /// Why not.
    fn subscribe(&mut self, request: &Subscribe<'_>) -> Result<Outcome, Refusal>;

    /// From now on sends of a topic that is read already what `filter` selects, everything without one; whether it is read.
    /// What waits to be sent is selected anew.
    fn refine(&mut self, topic: &str, filter: Option<Arc<Filter>>) -> bool;

    /// From now on calls [`Dialect::matched`] for every new topic that `pattern` matches, and returns the
    /// topics there are.
    ///
    /// # Errors
    /// Why not.
    fn watch(&mut self, pattern: &str) -> Result<Vec<Arc<Topic>>, Refusal>;

    /// Stops reading a topic; whether it was read.
    fn unsubscribe(&mut self, topic: &str) -> bool;

    /// Ends a watch; whether there was one.
    fn unwatch(&mut self, pattern: &str) -> bool;

    /// Whether the client may publish to `topic`.
    fn may_publish(&self, topic: &str) -> bool;

    /// Publishes `bodies` to `topic` as one batch.
    ///
    /// # Errors
    /// Why not; nothing was published.
    fn publish(&mut self, topic: &str, bodies: Vec<Body>) -> Result<Placed, Refusal>;

    /// Notes that `events` of the client were not even tried to be published, because they are none.
    fn refused(&mut self, _events: u64) {}

    /// Who is present on `topic`.
    ///
    /// # Errors
    /// Why this cannot be told.
    fn presence(&mut self, topic: &str) -> Result<Vec<(String, Member)>, Refusal>;

    /// Who the client is now.
    fn identity(&self) -> &Arc<Identity>;

    /// Checks a token that the client sent. The verdict comes by [`Dialect::authenticated`], and nothing that the client
    /// sent later comes before it; when it is good, the client is that identity from then on.
    fn authenticate(&mut self, token: &str);

    /// Calls [`Dialect::due`] after `millis`, within a quarter of a second and in 24 days at the latest; replaces what was
    /// asked for before.
    fn wake_after(&mut self, millis: u64);

    /// How long the client has sent no message, milliseconds. Pings and pongs are none.
    fn unheard_ms(&self) -> u64;

    /// How long nothing has passed in either direction, but for pings, pongs and messages to this client alone, milliseconds.
    fn silent_ms(&self) -> u64;

    /// Takes a place for the connection under the `limit` (0 for none) of `name`, until it ends; whether there was one.
    fn take_place(&mut self, name: &str, limit: usize) -> bool;

    /// What the protocol that owns `topic` has derived from its events, as JSON.
    fn summary(&mut self, topic: &str) -> Option<Vec<u8>>;

    /// Ends the connection after everything sent so far.
    fn close(&mut self, why: Disconnect);
}

/// The place of a reader in one topic, for [`Dialect::prefix`].
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The topic.
    pub topic: &'a Topic,
    /// The last offset the client has (or is just getting).
    pub offset: u64,
}

/// One connection's protocol.
pub trait Dialect: Send {
    /// The connection is open.
    fn opened(&mut self, host: &mut dyn Host);

    /// The client sent a message.
    fn received(&mut self, message: Message<'_>, host: &mut dyn Host);

    /// `topic` came into being and matches the watched `pattern`.
    fn matched(&mut self, _pattern: &str, _topic: &Arc<Topic>, _host: &mut dyn Host) {}

    /// The client has missed events that it will not get; called before anything newer is sent.
    fn gap(&mut self, topic: &Topic, gap: Gap, host: &mut dyn Host);

    /// The time that [`Host::wake_after`] asked for has come.
    fn due(&mut self, _host: &mut dyn Host) {}

    /// The verdict that [`Host::authenticate`] asked for.
    fn authenticated(&mut self, _verdict: Result<(), AuthError>, _host: &mut dyn Host) {}

    /// `topic` has something to tell that is no event; see [`Topic::notify`].
    fn noticed(&mut self, _topic: &Topic, _text: &[u8], _host: &mut dyn Host) {}

    /// The topics and patterns that `message` asks to read, for whoever must be asked first whether it may.
    fn asks_for(&self, _message: Message<'_>) -> Vec<String> {
        Vec::new()
    }

    /// The topics and patterns that [`Self::opened`] will ask to read, for whoever must be asked first whether it may.
    fn opens_with(&self) -> Vec<String> {
        Vec::new()
    }

    /// The client sends faster than it may: `message` was not looked at.
    fn limited(&mut self, _message: Message<'_>, _retry_after_ms: u64, _host: &mut dyn Host) {}

    /// The connection is about to be closed by the server; the last moment to say so on transports without
    /// a close frame.
    fn closing(&mut self, _why: Disconnect, _host: &mut dyn Host) {}

    /// Whether events of several topics must come in the order in which they were published, at the cost of a write for each
    /// change of topic. Those of one topic always do.
    fn keeps_order(&self) -> bool {
        false
    }

    /// Whether [`Self::prefix`] must precede every event.
    fn has_prefix(&self) -> bool {
        false
    }

    /// Appends to `out` what this client alone gets in front of an event.
    fn prefix(&self, _places: &[Place<'_>], _out: &mut Vec<u8>) {}
}
