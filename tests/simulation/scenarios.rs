//! Short stories about single faults that a shard once had.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use millrace::auth::{Action, Authenticate, Credentials, Grants, Identity, Role};
use millrace::config::{Config, KeyConfig, Pattern as Granted};
use millrace::delivery::Handoff;
use millrace::delivery::mailbox::{Alarm, Mailbox};
use millrace::delivery::shard::{Settings, Shard, Shared};
use millrace::dialect::topics::{Reader, parse_reader};
use millrace::dialect::{Dialect, Transport};
use millrace::engine::{Body, Namespace, Namespaces, Parts, Publish, Registry, Retention, Slow, SlowPolicy};

use super::chaos::{Chaos, Meddling};
use super::log::Recorder;
use super::net::{SimNet, SimSocket, Wires};

/// Nobody has to be woken.
pub struct Silent;

impl Alarm for Silent {
    fn ring(&self) {}
}

/// One shard and what it writes to.
pub(super) struct Stage {
    pub shard: Shard<SimNet>,
    pub wires: Rc<RefCell<Wires>>,
    pub chaos: Arc<Chaos>,
    pub recorder: Arc<Recorder>,
    pub mailbox: Arc<Mailbox>,
}

fn namespaces(events: usize) -> Namespaces {
    let slow = Slow { policy: SlowPolicy::Disconnect, events: 0, bytes: 0, stall_ms: 0 };
    let retention = Retention { events, bytes: 1 << 30, age_ms: 0 };
    let space = Namespace {
        retention,
        slow,
        presence: false,
        idempotency_ms: 0,
        idle_ms: 0,
        linger_ms: 0,
        rate: None,
    };
    Namespaces::new(Vec::new(), space)
}

/// Lets everybody in.
pub fn everybody() -> Arc<dyn Authenticate> {
    Arc::new(Credentials::new(&Config::default(), Vec::new()))
}

impl Stage {
    fn new(ping_ms: u64, idle_ms: u64) -> Self {
        Self::keeping(4, ping_ms, idle_ms, everybody())
    }

    /// A stage whose topics keep `events`.
    pub fn keeping(events: usize, ping_ms: u64, idle_ms: u64, authenticator: Arc<dyn Authenticate>) -> Self {
        let registry = Arc::new(Registry::new(namespaces(events), 100, 1));
        let recorder = Arc::new(Recorder::new(Arc::clone(&registry)));
        let (chaos, wires) = (Arc::new(Chaos::new(Arc::clone(&recorder), 1)), Wires::new(1));
        chaos.on.store(false, Ordering::Relaxed);
        wires.borrow_mut().rough = false;
        let settings = Settings {
            ping_ms,
            idle_ms,
            message_bytes: 1 << 20,
            subscriptions: 10,
            outbox_bytes: 1 << 20,
            seed: 1,
            ..Settings::default()
        };
        let extract = Arc::new(Meddling(Arc::clone(&chaos)));
        let shared = Shared {
            registry,
            publisher: Arc::clone(&recorder) as _,
            extract,
            authenticator,
            counts: Arc::default(),
            limits: Arc::default(),
            settings,
        };
        let net = SimNet { wires: Rc::clone(&wires), chaos: Arc::clone(&chaos) };
        let mailbox = Arc::new(Mailbox::new(Box::new(Silent)));
        let shard = Shard::new(net, shared, Arc::clone(&mailbox), Arc::default(), chaos.now(), |_| None);
        Self { shard, wires, chaos, recorder, mailbox }
    }

    fn read(&mut self, transport: Transport, topic: &str, query: &[(&str, &str)], grants: Grants) -> i32 {
        let query: Vec<_> = query.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let wanted = parse_reader(topic, &query, None).unwrap();
        let identity = Identity::new("ann", Role::Observer, grants);
        self.open(transport, Box::new(Reader::new(transport, wanted)), identity)
    }

    /// Somebody connects: the number of the server's end.
    pub fn open(&mut self, transport: Transport, dialect: Box<dyn Dialect>, identity: Identity) -> i32 {
        self.open_narrow(transport, dialect, identity, 1 << 20)
    }

    /// The same, with `room` for what is on its way.
    pub fn open_narrow(
        &mut self,
        transport: Transport,
        dialect: Box<dyn Dialect>,
        identity: Identity,
        room: usize,
    ) -> i32 {
        let key = self.wires.borrow_mut().open(0, room);
        let handoff = Handoff {
            socket: SimSocket(key),
            dialect,
            transport,
            head: Vec::new(),
            read_ahead: Bytes::new(),
            identity: Arc::new(identity),
            leases: Default::default(),
            consulted: Default::default(),
        };
        self.shard.at(self.chaos.now());
        self.shard.adopt(handoff).unwrap();
        key
    }

    fn publish(&self, topic: &str, bytes: usize) {
        let data = vec![b'7'; bytes];
        let body = Body::new(&Parts { event: "tick", data: &data, ..Parts::default() });
        self.recorder.publish(topic, vec![body], self.chaos.now()).unwrap();
    }

    /// Time passes, a quarter of a second at a time.
    pub fn pass(&mut self, quarters: usize) {
        for _ in 0..quarters {
            self.chaos.pass(250_000);
            self.turn();
        }
    }

    /// The shard works until it can sleep.
    pub fn turn(&mut self) {
        let edges = self.wires.borrow_mut().edges();
        for edge in edges {
            match edge.readable {
                true => self.shard.readable(edge.token),
                false => self.shard.writable(edge.token),
            }
        }
        while self.shard.turn(self.chaos.now()) {}
    }

    pub fn taken(&self, key: i32) -> String {
        String::from_utf8(self.wires.borrow_mut().take(key, usize::MAX)).unwrap()
    }
}

#[test]
fn a_herd_that_catches_up_does_not_starve_the_live() {
    let mut stage = Stage::new(0, 0);
    (0..4).for_each(|_| stage.publish("history", 17_000));
    let live = stage.read(Transport::Lines, "live", &[], Grants::everything());
    stage.pass(1);
    stage.taken(live);
    for _ in 0..400 {
        stage.read(Transport::Lines, "history", &[("from", "oldest")], Grants::everything());
    }
    stage.publish("live", 1);
    assert!(stage.shard.turn(stage.chaos.now()), "the herd needs more than a turn");
    assert!(stage.taken(live).contains("\"offset\":1"));
}

#[test]
fn a_refused_stream_ends_with_its_close_event() {
    let mut stage = Stage::new(0, 0);
    let key = stage.read(Transport::Sse, "a", &[("presence", "1")], Grants::everything());
    stage.pass(1);
    let text = stage.taken(key);
    assert!(text.contains("no_presence") && text.contains("event: close"), "{text}");
}

#[test]
fn a_new_topic_is_no_history_and_what_it_lost_is_told() {
    let mut stage = Stage::new(0, 0);
    let subscribe = vec![Granted::new("logs.*").unwrap()];
    let grants = Grants::of(&KeyConfig { subscribe, ..KeyConfig::default() });
    assert!(!grants.allow(Action::History, "logs.a"));
    let key = stage.read(Transport::Lines, "logs.*", &[], grants);
    (0..6).for_each(|_| stage.publish("logs.a", 1));
    stage.pass(1);
    let text = stage.taken(key);
    assert!(text.contains("\"offset\":2,\"recovered\":false,\"missed\":2"), "{text}");
    assert!(text.contains("\"offset\":3,\"id\"") && text.contains("\"offset\":6,\"id\""), "{text}");
}

#[test]
fn without_pings_the_idle_are_closed_and_the_others_are_not() {
    let mut stage = Stage::new(0, 2000);
    let (quiet, busy) = (
        stage.read(Transport::Lines, "quiet", &[], Grants::everything()),
        stage.read(Transport::Lines, "busy", &[], Grants::everything()),
    );
    for _ in 0..6 {
        stage.publish("busy", 1);
        stage.pass(4);
    }
    assert!(stage.taken(quiet).contains("idle timeout"));
    assert!(!stage.taken(busy).contains("close"));
}

#[test]
fn a_timer_that_is_left_over_does_not_ping_its_successor() {
    let mut stage = Stage::new(0, 0);
    let refused = stage.read(Transport::Sse, "a", &[("presence", "1")], Grants::everything());
    stage.pass(1);
    stage.wires.borrow_mut().vanish(refused);
    stage.shard.readable(0);
    stage.pass(1);
    let next = stage.read(Transport::Sse, "a", &[], Grants::everything());
    stage.pass(60);
    assert!(!stage.taken(next).contains(":\n\n"));
}
