//! What was published, written down by the one who published it: the truth that clients are compared with.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crossbeam_epoch as epoch;
use millrace::engine::presence::Member;
use millrace::engine::{Body, Change, Content, Now, Placed, Publish, Registry, Topic, TopicError};
use millrace::ingest::Publisher;

/// A publication.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When.
    pub time_ms: u64,
    /// Type.
    pub event: String,
    /// The publisher's id, or empty.
    pub id: String,
    /// Conflation key, or empty.
    pub key: String,
    /// Tags.
    pub tags: Vec<String>,
    /// JSON or binary.
    pub json: bool,
    /// Media type of binary data.
    pub content_type: String,
    /// The bytes.
    pub data: Vec<u8>,
}

impl Event {
    fn of(body: &Body, time_ms: u64) -> Self {
        Self {
            time_ms,
            event: body.event().into(),
            id: body.id().into(),
            key: body.key().into(),
            tags: body.tags().map(Into::into).collect(),
            json: body.content() == Content::Json,
            content_type: body.content_type().into(),
            data: body.data().into(),
        }
    }

    /// The member `m` of the data: one digit.
    pub fn m(&self) -> Option<u8> {
        let at = self.data.windows(4).position(|window| window == b"\"m\":")?;
        self.json.then(|| self.data[at + 4] - b'0')
    }
}

/// One life of a topic's log: the event with offset `o` is at `o - 1`.
pub type Life = Vec<Event>;

/// Every life of every topic, by epoch.
#[derive(Debug, Default)]
pub struct Log {
    topics: BTreeMap<String, BTreeMap<u64, Life>>,
    keys: BTreeMap<(String, u64, String), (u64, u64)>,
}

impl Log {
    /// The events of one life.
    pub fn life(&self, topic: &str, epoch: u64) -> &[Event] {
        self.topics.get(topic).and_then(|lives| lives.get(&epoch)).map_or(&[], Vec::as_slice)
    }

    /// The newest offset of one life.
    pub fn head(&self, topic: &str, epoch: u64) -> u64 {
        self.life(topic, epoch).len() as u64
    }

    /// Writes an event down, which must be the next of its life.
    pub fn record(&mut self, topic: &str, epoch: u64, offset: u64, event: Event) {
        let lives = self.topics.entry(topic.into()).or_default();
        assert!(lives.keys().all(|&other| other <= epoch), "{topic}: an epoch went back");
        let life = lives.entry(epoch).or_default();
        life.push(event);
        assert_eq!(life.len() as u64, offset, "{topic}: offsets have a hole");
    }

    /// Where a repetition of `key` must have been told to be.
    fn known(&self, topic: &str, epoch: u64, key: &str, since_ms: u64) -> Option<u64> {
        let known = self.keys.get(&(topic.into(), epoch, key.into()))?;
        (known.1 > since_ms).then_some(known.0)
    }
}

/// The door for publications, with somebody at it who writes them down.
pub struct Recorder {
    inner: Publisher,
    registry: Arc<Registry>,
    /// The truth.
    pub log: Mutex<Log>,
}

impl Recorder {
    /// Watches the door to `registry`.
    pub fn new(registry: Arc<Registry>) -> Self {
        let inner = Publisher::new(Arc::clone(&registry), Arc::default(), Arc::default());
        Self { inner, registry, log: Mutex::default() }
    }

    /// All topics.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    fn record(&self, placed: &Placed, bodies: Vec<(Event, String)>, now: Now) {
        let (topic, mut log) = (&placed.topic, self.log.lock().expect("the log"));
        let window = topic.namespace().idempotency_ms;
        assert_eq!(placed.places.len(), bodies.len());
        for ((event, key), place) in bodies.into_iter().zip(&placed.places) {
            let place = place.as_ref().expect("no protocol refuses anything here");
            let name = topic.name().to_string();
            let since = (now.millis() + 1).saturating_sub(window);
            let known =
                log.known(&name, topic.epoch(), &key, since).filter(|_| window > 0 && !key.is_empty());
            assert_eq!(place.duplicate.then_some(place.offset), known, "{name}: key {key:?}");
            if !place.duplicate {
                log.record(&name, topic.epoch(), place.offset, event);
                log.keys.insert((name, topic.epoch(), key), (place.offset, now.millis() + 1));
            }
        }
    }
}

impl Publish for Recorder {
    fn publish(&self, name: &str, bodies: Vec<Body>, now: Now) -> Result<Placed, TopicError> {
        let copies =
            bodies.iter().map(|body| (Event::of(body, now.unix_ms), body.idempotency_key().to_owned()));
        let copies: Vec<_> = copies.collect();
        let placed = self.inner.publish(name, bodies, now)?;
        self.record(&placed, copies, now);
        Ok(placed)
    }

    fn presence(&self, topic: &Topic, user: &str, member: &Member, change: Change, now: Now) {
        self.inner.presence(topic, user, member, change, now);
        let name = format!("$presence.{}", topic.name());
        let companion = self.registry.find(&name).expect("a companion topic");
        let (offset, pin) = (companion.head(), epoch::pin());
        let event = Event::of(&companion.find(offset, &pin).expect("just published").body, now.unix_ms);
        self.log.lock().expect("the log").record(&name, companion.epoch(), offset, event);
    }
}
