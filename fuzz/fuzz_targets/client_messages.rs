//! The messages of clients: whatever text comes, every message is answered, every answer is JSON with a type, a `ref` comes
//! back, and what the client is told of its subscriptions is what the host was asked for.
#![no_main]

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use millrace::auth::{AuthError, Identity};
use millrace::dialect::topics::{Multiplex, Publisher as Publishing};
use millrace::dialect::{
    Dialect, Host, Message, Outcome, Refusal, Start, Subscribe, Transport, channels, stream,
};
use millrace::engine::filter::Filter;
use millrace::engine::name::{Pattern, validate_readable};
use millrace::engine::presence::Member;
use millrace::engine::{
    Body, Namespace, Namespaces, Now, Placed, Publish, Registry, Retention, Slow, SlowPolicy, Topic,
    TopicError,
};
use millrace::error::Disconnect;
use millrace::ingest::Publisher;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let Some((kind, bytes)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(bytes);
    let mut host = Fake::new();
    let (mut dialect, reads_lines) = dialect(kind & 7);
    dialect.opened(&mut host);
    // A publishing connection reads lines; others get one message from each.
    let messages: Vec<&str> =
        if reads_lines { text.split("\n\n\n").collect() } else { text.split('\n').collect() };
    for message in messages {
        let before = host.sent;
        let asked = dialect.asks_for(Message::Text(message));
        let bytes: usize = asked.iter().map(String::len).sum();
        assert!(bytes <= 16 * message.len(), "{message:?} asks about {asked:?}");
        dialect.received(Message::Text(message), &mut host);
        host.answer_question(&mut *dialect);
        assert!(host.sent > before, "no answer to {message:?}");
        host.report(&mut *dialect);
        if host.closed {
            return;
        }
    }
    dialect.received(Message::Binary(bytes), &mut host);
    assert!(host.closed, "binary is not part of this protocol");
});

/// The dialect of a number, and whether a message of it is many lines.
fn dialect(kind: u8) -> (Box<dyn Dialect>, bool) {
    let ws = Transport::WebSocket;
    let streams = |stream, with_sequence| {
        let entrance = stream::Entrance { stream, start: Start::Now, with_sequence };
        Box::new(stream::Connection::new(ws, entrance, Arc::default()))
    };
    match kind {
        1 | 3 => (Box::new(Publishing::new((kind == 1).then_some("a"))), true),
        4 => (streams(None, true), false),
        5 => (streams(Some(stream::Stream::Log), false), false),
        6 => (Box::new(channels::Connection::new(ws, channels::Standing::Known)), false),
        7 => (Box::new(channels::Connection::new(ws, channels::Standing::Unknown(1000))), false),
        _ => (Box::new(Multiplex::new(ws)), false),
    }
}

/// A host without a socket, over a real registry.
struct Fake {
    registry: Arc<Registry>,
    publisher: Publisher,
    subscribed: BTreeSet<String>,
    patterns: BTreeSet<String>,
    reported: HashSet<(String, String)>,
    identity: Arc<Identity>,
    /// Whether the token that it was asked about is good.
    asked: Option<bool>,
    sent: usize,
    closed: bool,
}

impl Fake {
    fn new() -> Self {
        let retention = Retention { events: 8, bytes: 1 << 16, age_ms: 0 };
        let slow = Slow { policy: SlowPolicy::Disconnect, events: 8, bytes: 0, stall_ms: 0 };
        let space =
            Namespace { retention, slow, presence: true, idempotency_ms: 1000, idle_ms: 0, linger_ms: 0, rate: None };
        let registry = Arc::new(Registry::new(Namespaces::new(Vec::new(), space), 16, 1));
        let publisher = Publisher::new(Arc::clone(&registry), Arc::default(), Arc::default());
        let (subscribed, patterns, reported) = Default::default();
        Self {
            registry,
            publisher,
            subscribed,
            patterns,
            reported,
            identity: Arc::new(Identity::anonymous()),
            asked: None,
            sent: 0,
            closed: false,
        }
    }

    /// Tells the dialect what became of a token.
    fn answer_question(&mut self, dialect: &mut dyn Dialect) {
        if let Some(good) = self.asked.take() {
            dialect.authenticated(if good { Ok(()) } else { Err(AuthError::Invalid) }, self);
        }
    }

    /// Tells the dialect of topics that came into being, as a shard would.
    fn report(&mut self, dialect: &mut dyn Dialect) {
        for pattern in self.patterns.clone() {
            let parsed = Pattern::parse(&pattern).expect("it was watched");
            for topic in self.registry.matching(&parsed) {
                if self.reported.insert((pattern.clone(), topic.name().to_string())) {
                    dialect.matched(&pattern, &topic, self);
                }
            }
        }
    }
}

impl Host for Fake {
    fn now(&self) -> Now {
        Now { unix_ms: 1_800_000_000_000, micros: 5_000_000 }
    }

    fn send(&mut self, event: &str, text: &[u8]) {
        let value: Value = serde_json::from_slice(text).expect("an answer is JSON");
        assert_eq!(value["type"], event, "{value}");
        if let Some(reference) = value.get("ref") {
            assert!(!reference.is_object() && !reference.is_array(), "{value}");
        }
        self.sent += 1;
    }

    fn send_at(&mut self, event: &str, _id: &[u8], text: &[u8]) {
        self.send(event, text);
    }

    fn places(&self) -> Vec<(Arc<Topic>, u64)> {
        Vec::new()
    }

    fn send_retry(&mut self) {}

    fn send_binary(&mut self, _bytes: &[u8]) {
        panic!("no message of this protocol is binary");
    }

    fn subscribe(&mut self, request: &Subscribe<'_>) -> Result<Outcome, Refusal> {
        if self.subscribed.contains(request.topic) {
            return Err(Refusal::AlreadySubscribed);
        }
        let topic = self.registry.topic(request.topic, self.now())?;
        if let Some(info) = request.presence {
            assert!(info.is_empty() || serde_json::from_str::<Value>(info).is_ok(), "{info}");
            topic.enter("user", (!info.is_empty()).then_some(info.as_bytes()))?;
        }
        self.subscribed.insert(request.topic.into());
        let now = self.now();
        Ok(Outcome::of(topic, &request.start, now, |topic, time| {
            topic.before_time(time, &crossbeam_epoch::pin())
        }))
    }

    fn refine(&mut self, topic: &str, _filter: Option<Arc<Filter>>) -> bool {
        self.subscribed.contains(topic)
    }

    fn watch(&mut self, pattern: &str) -> Result<Vec<Arc<Topic>>, Refusal> {
        let parsed = Pattern::parse(pattern).map_err(TopicError::Name)?;
        if !self.patterns.insert(pattern.into()) {
            return Err(Refusal::AlreadySubscribed);
        }
        let found = self.registry.matching(&parsed);
        self.reported.extend(found.iter().map(|topic| (pattern.into(), topic.name().to_string())));
        Ok(found)
    }

    fn unsubscribe(&mut self, topic: &str) -> bool {
        self.subscribed.remove(topic)
    }

    fn unwatch(&mut self, pattern: &str) -> bool {
        self.patterns.remove(pattern)
    }

    fn may_publish(&self, topic: &str) -> bool {
        topic != "forbidden"
    }

    fn publish(&mut self, topic: &str, bodies: Vec<Body>) -> Result<Placed, Refusal> {
        assert!(!bodies.is_empty());
        for body in &bodies {
            assert!(serde_json::from_slice::<serde::de::IgnoredAny>(body.data()).is_ok(), "data is not JSON");
        }
        if topic == "forbidden" {
            return Err(Refusal::Forbidden("publish"));
        }
        Ok(self.publisher.publish(topic, bodies, self.now())?)
    }

    fn presence(&mut self, topic: &str) -> Result<Vec<(String, Member)>, Refusal> {
        validate_readable(topic).map_err(TopicError::Name)?;
        Ok(self.registry.find(topic).map(|topic| topic.members()).transpose()?.unwrap_or_default())
    }

    fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    fn authenticate(&mut self, token: &str) {
        self.asked = Some(token.starts_with("good"));
    }

    fn wake_after(&mut self, _millis: u64) {}

    fn unheard_ms(&self) -> u64 {
        0
    }

    fn silent_ms(&self) -> u64 {
        0
    }

    fn take_place(&mut self, _name: &str, _limit: usize) -> bool {
        true
    }

    fn summary(&mut self, topic: &str) -> Option<Vec<u8>> {
        self.publisher.summary(topic, self.now())
    }

    fn close(&mut self, _why: Disconnect) {
        self.closed = true;
    }
}
