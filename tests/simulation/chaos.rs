//! Topics, and publishers on other threads: they strike while a shard is in the middle of a write or of a filter.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use millrace::engine::filter::{Extract, FieldsBuilder};
use millrace::engine::name::Pattern;
use millrace::engine::{
    Body, Content, Namespace, Namespaces, Now, Parts, Publish, Retention, SkipTo, Slow, SlowPolicy,
};
use millrace::json::fields::JsonFields;

use super::log::Recorder;
use super::rng::Rng;

/// Topics of the simulation; the first segment decides the namespace.
pub const TOPICS: [&str; 14] = [
    "small.a", "small.b", "old.a", "old.b", "new.a", "conf.a", "conf.b", "aged.a", "aged.b", "bytes.a",
    "room.a", "plain.a", "plain.b", "plain.c",
];

fn namespace(events: usize, bytes: u64, age_ms: u64, policy: SlowPolicy) -> Namespace {
    Namespace {
        retention: Retention { events, bytes, age_ms },
        slow: Slow { policy, events: 6, bytes: 3000, stall_ms: 6000 },
        presence: false,
        idempotency_ms: 0,
        idle_ms: 400,
        linger_ms: 0,
        rate: None,
    }
}

/// What is kept of the topics, and who is slow.
pub fn namespaces() -> Namespaces {
    let (cut, skip) = (SlowPolicy::Disconnect, SlowPolicy::Skip);
    let plain = Namespace { idempotency_ms: 700, ..namespace(500, 1 << 20, 0, cut) };
    let specific = vec![
        ("small.*", namespace(8, 1 << 20, 0, cut)),
        ("old.*", namespace(40, 1 << 20, 0, skip(SkipTo::Oldest))),
        ("new.*", namespace(40, 1 << 20, 900, skip(SkipTo::Newest))),
        ("conf.*", namespace(60, 1 << 20, 0, SlowPolicy::Conflate)),
        ("aged.*", Namespace { idempotency_ms: 300, ..namespace(200, 1 << 20, 150, cut) }),
        ("bytes.*", namespace(1000, 4000, 0, cut)),
        ("room.*", Namespace { presence: true, ..namespace(500, 1 << 20, 0, cut) }),
    ];
    let parse = |(name, space)| (Pattern::parse(name).expect("a pattern"), space);
    Namespaces::new(specific.into_iter().map(parse).collect(), plain)
}

/// See the module.
pub struct Chaos {
    recorder: Arc<Recorder>,
    rng: Mutex<Rng>,
    micros: AtomicU64,
    /// Whether it strikes.
    pub on: AtomicBool,
    serial: AtomicU64,
}

/// Virtual time begins here, Unix milliseconds.
pub const UNIX_MS: u64 = 1_790_000_000_000;

impl Chaos {
    /// Publishers at the door of `recorder`.
    pub fn new(recorder: Arc<Recorder>, seed: u64) -> Self {
        let (rng, on) = (Mutex::new(Rng::new(seed)), AtomicBool::new(true));
        Self { recorder, rng, micros: AtomicU64::new(1_000_000), on, serial: AtomicU64::new(0) }
    }

    /// The virtual time.
    pub fn now(&self) -> Now {
        let micros = self.micros.load(Ordering::Relaxed);
        Now { unix_ms: UNIX_MS + micros / 1000, micros }
    }

    /// Time passes.
    pub fn pass(&self, micros: u64) {
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// Perhaps publishes something now.
    pub fn strike(&self) {
        if self.on.load(Ordering::Relaxed) && self.roll(|rng| rng.chance(20)) {
            self.publish();
        }
    }

    fn roll<T>(&self, with: impl FnOnce(&mut Rng) -> T) -> T {
        with(&mut self.rng.lock().expect("the dice"))
    }

    /// Publishes a batch to some topic.
    pub fn publish(&self) {
        let topic = self.roll(|rng| rng.pick(&TOPICS));
        let count = self.roll(|rng| if rng.chance(100) { 1 + rng.below(40) } else { 1 + rng.below(4) });
        let bodies = (0..count).map(|_| self.body()).collect();
        self.recorder.publish(topic, bodies, self.now()).expect("a topic that can be published to");
    }

    fn body(&self) -> Body {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        self.roll(|rng| body(rng, serial))
    }
}

/// An event that is like no other.
fn body(rng: &mut Rng, serial: u64) -> Body {
    let (data, json) = (data(rng, serial), !rng.chance(60));
    let (id, tags) = (format!("i{serial}"), [format!("t{}", serial % 3).into()]);
    let (named, tagged, keyed) = (rng.chance(200), rng.chance(200), rng.chance(600));
    let idempotency_key = if rng.chance(80) { format!("again{}", rng.below(4)) } else { String::new() };
    Body::new(&Parts {
        event: rng.pick(&["tick", "note", "message"]),
        id: if named { &id } else { "" },
        key: if keyed { rng.pick(&["k1", "k2", "k3"]) } else { "" },
        tags: if tagged { &tags } else { &[] },
        content_type: if json { "" } else { "application/octet-stream" },
        idempotency_key: &idempotency_key,
        content: if json { Content::Json } else { Content::Binary },
        data: &data,
    })
}

fn data(rng: &mut Rng, serial: u64) -> Vec<u8> {
    let bytes = match rng.below(400) {
        0 => 70_000,
        1..=3 => 17_000,
        4..=40 => 900,
        _ => rng.below(60),
    };
    let space = rng.pick(&["", " ", "\n", "\r\n"]);
    format!("{{\"m\":{},{space}\"s\":{serial},\"pad\":\"{}\"}}", serial % 10, "ä".repeat(bytes / 2))
        .into_bytes()
}

/// Reads fields, and lets publishers strike meanwhile.
pub struct Meddling(pub Arc<Chaos>);

impl Extract for Meddling {
    fn fields(&self, data: &[u8], fields: &mut FieldsBuilder) {
        self.0.strike();
        JsonFields.fields(data, fields);
    }
}
