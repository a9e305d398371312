//! Sessions and analyses, with what only these protocols have: filters, batches of several sizes and windows, all sessions at once, thoughts
//! that are joined. Clients read slowly, are cut off and come back: whatever was published has come, was announced as missing, or was
//! not wanted.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use millrace::auth::Identity;
use millrace::config::Config;
use millrace::delivery::Handoff;
use millrace::delivery::mailbox::Mailbox;
use millrace::delivery::shard::{Settings, Shard, Shared};
use millrace::dialect::Transport;
use millrace::dialect::protocol::{Call, Method, Node, Protocols, Reply};
use millrace::engine::{Counts, Now, Publish, Read, Registry};
use millrace::ingest::Publisher;
use millrace::json::batch::Attributes;
use millrace::json::fields::JsonFields;
use millrace::json::time;
use millrace::server::assembly;
use serde_json::{Value, json};

use super::chaos::Chaos;
use super::log::Recorder;
use super::net::{SimNet, SimSocket, Wires};
use super::parse::{Said, Stream};
use super::readers::{Client, KINDS, Kind, Tally};
use super::rng::Rng;
use super::scenarios::Silent;

const STEPS: usize = 400;
/// `{"statuses":["error"]}`.
const ERRORS: &str = "&filter=%7B%22statuses%22%3A%5B%22error%22%5D%7D";

struct Story {
    shard: Shard<SimNet>,
    wires: Rc<RefCell<Wires>>,
    chaos: Arc<Chaos>,
    registry: Arc<Registry>,
    publisher: Arc<Publisher>,
    protocols: Arc<Protocols>,
    counts: Arc<Counts>,
    rng: Rng,
    clients: Vec<Client>,
    /// Everything that was ever in a topic, by number.
    truth: BTreeMap<&'static str, BTreeMap<u64, Value>>,
    serial: u64,
    tally: Tally,
}

fn config(rng: &mut Rng) -> Config {
    let kept = rng.pick(&[4, 12, 40]);
    let policy = rng.pick(&[
        "policy = \"disconnect\"",
        "policy = \"skip\"",
        "policy = \"skip\"\nslow_skip_to = \"newest\"",
    ]);
    let slow = rng.pick(&[0, kept / 2]);
    let space = |name: &str| {
        format!("[namespaces.\"{name}\"]\nretain_events = {kept}\nslow_events = {slow}\nslow_{policy}\n")
    };
    let window = rng.pick(&[0, 30, 100]);
    let text = format!(
        "[events]\nmax_clients_per_session = 0\n[analysis]\nmax_events_per_second = 0\nthought_batch_window_ms = {window}\n{}{}{}",
        space("events.*"),
        space("events"),
        space("analysis.*"),
    );
    Config::from_toml("simulation", &text).unwrap_or_else(|problems| panic!("{problems}"))
}

impl Story {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let config = config(&mut rng);
        let registry = Arc::new(Registry::new(assembly::namespaces(&config), 100, 1));
        let protocols = Arc::new(assembly::protocols(&config, None));
        let publisher =
            Arc::new(Publisher::new(Arc::clone(&registry), Arc::default(), Arc::clone(&protocols)));
        let chaos = Arc::new(Chaos::new(Arc::new(Recorder::new(Arc::clone(&registry))), seed));
        chaos.on.store(false, Ordering::Relaxed);
        let (wires, counts) = (Wires::new(seed), Arc::new(Counts::default()));
        let shared = Shared {
            registry: Arc::clone(&registry),
            publisher: Arc::clone(&publisher) as _,
            extract: Arc::new(JsonFields),
            authenticator: super::scenarios::everybody(),
            counts: Arc::clone(&counts),
            limits: Arc::default(),
            settings: Settings { seed, ..assembly::settings(&config) },
        };
        let net = SimNet { wires: Rc::clone(&wires), chaos: Arc::clone(&chaos) };
        let mailbox = Arc::new(Mailbox::new(Box::new(Silent)));
        let shard = Shard::new(net, shared, mailbox, Arc::default(), chaos.now(), |_| None);
        let (clients, truth, tally) = (Vec::new(), BTreeMap::new(), Tally::default());
        Self {
            shard,
            wires,
            chaos,
            registry,
            publisher,
            protocols,
            counts,
            rng,
            clients,
            truth,
            serial: 0,
            tally,
        }
    }

    fn now(&self) -> Now {
        self.chaos.now()
    }

    fn head(&self, kind: Kind) -> u64 {
        self.registry.find(kind.topic()).map_or(0, |topic| topic.head())
    }

    /// Somebody new connects, and gets what comes from now on.
    fn join(&mut self) {
        let kind = self.rng.pick(&KINDS);
        let speed = self.rng.pick(&[usize::MAX, 2000, 150]);
        let last = (self.head(kind), self.now().unix_ms);
        let link = Some(self.open(kind, None));
        self.clients.push(Client { kind, speed, link, last, missing: Some(0) });
    }

    /// Connects, again with what the client has last.
    fn open(&mut self, kind: Kind, last: Option<(u64, u64)>) -> (i32, Stream) {
        let mut since = Vec::new();
        time::write(&mut since, last.map_or(0, |(_, unix_ms)| unix_ms));
        let since = last.map(|(number, _)| (number, String::from_utf8(since).unwrap()));
        let (path, query) = match (kind, since) {
            (Kind::Session(shape, errors), since) => {
                let since = since.map_or(String::new(), |(_, since)| format!("&since={since}"));
                ("/ws/events/s", format!("{shape}{since}{}", if errors { ERRORS } else { "" }))
            }
            (Kind::Feed, since) => {
                ("/ws/events", since.map_or(String::new(), |(_, since)| format!("since={since}")))
            }
            (Kind::Analysis, since) => {
                let last = since.map_or(String::new(), |(number, _)| format!("last_sequence={number}"));
                ("/api/v1/ws/analysis/a", last)
            }
        };
        let key = self.adopt(path, &query);
        (key, Stream::headless(Transport::WebSocket))
    }

    fn adopt(&mut self, path: &str, query: &str) -> i32 {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let decoded = |text: &str| millrace::wire::percent::decode(text);
        let query: Vec<_> = pairs.map(|(name, value)| (name.to_owned(), decoded(value))).collect();
        let identity = Arc::new(Identity::anonymous());
        let verdict = Ok(Arc::clone(&identity));
        let (registry, publisher, counts) = (&*self.registry, &*self.publisher, &*self.counts);
        let call = Call {
            method: Method::Get,
            path,
            query: &query,
            header: &|_| None,
            upgrade: true,
            credential: &verdict,
            body: None,
            waited: false,
            permits: None,
            node: Node { registry, publisher, counts, now: self.chaos.now() },
        };
        let Some(Ok(Reply::WebSocket(open))) = self.protocols.serve(&call) else {
            panic!("{path} is no stream")
        };
        let room = self.rng.pick(&[700, 20_000]);
        let key = self.wires.borrow_mut().open(0, room);
        let handoff = Handoff {
            socket: SimSocket(key),
            dialect: open(Transport::WebSocket),
            transport: Transport::WebSocket,
            head: Vec::new(),
            read_ahead: Default::default(),
            identity,
            leases: Default::default(),
            consulted: Default::default(),
        };
        self.shard.at(self.chaos.now());
        self.shard.adopt(handoff).unwrap();
        self.turn();
        key
    }

    fn publish(&mut self) {
        self.serial += 1;
        let serial = self.serial;
        let status = self.rng.pick(&["error", "completed"]);
        let event =
            json!({"event_id": serial.to_string(), "event_type": "tool_call", "status": status}).to_string();
        let kind = self.rng.pick(&["agent_thinking", "note"]);
        let thought = json!({"event_type": kind, "data": {"content": serial.to_string()}}).to_string();
        for (topic, json) in [("events.s", event), ("analysis.a", thought)] {
            let body = Attributes::default().json(json.as_bytes()).unwrap();
            let placed = self.publisher.publish(topic, vec![body], self.now()).unwrap();
            assert!(placed.places.iter().all(Result::is_ok), "{:?}", placed.places);
            self.note();
        }
    }

    /// Takes down what is new in the topics, before anything of it can leave them.
    fn note(&mut self) {
        for name in ["events.s", "events", "analysis.a"] {
            let Some(topic) = self.registry.find(name) else { continue };
            let known = self.truth.entry(name).or_default();
            let mut cursor = known.last_key_value().map_or(0, |(number, _)| *number);
            let pin = crossbeam_epoch::pin();
            while let Read::Entry(offset, entry) = topic.read(cursor, &pin) {
                assert_eq!(offset, cursor + 1);
                known.insert(offset, serde_json::from_slice(entry.body.data()).unwrap());
                cursor = offset;
            }
        }
    }

    /// Time passes, in steps in which what waits may become due.
    fn pass(&mut self, millis: usize) {
        for _ in 0..millis.div_ceil(5) {
            self.chaos.pass(5000);
            self.publisher.flush_due(self.now());
            self.note();
            self.turn();
        }
    }

    fn turn(&mut self) {
        let edges = self.wires.borrow_mut().edges();
        self.shard.at(self.chaos.now());
        for edge in edges {
            match edge.readable {
                true => self.shard.readable(edge.token),
                false => self.shard.writable(edge.token),
            }
        }
        while self.shard.turn(self.chaos.now()) {}
    }

    /// A client reads some of what has come, or connects again.
    fn read(&mut self, number: usize, most: usize) {
        let (kind, last) = (self.clients[number].kind, self.clients[number].last);
        let Some((key, mut stream)) = self.clients[number].link.take() else {
            let link = self.open(kind, Some(last));
            self.clients[number].link = Some(link);
            return;
        };
        let bytes = self.wires.borrow_mut().take(key, most);
        let said = stream.feed(&bytes).unwrap();
        let closed = said.iter().any(|said| matches!(said, Said::Close(1013)));
        for said in &said {
            let truth = &self.truth[kind.topic()];
            self.clients[number].said(said, truth, &mut self.tally);
        }
        let (over, cut) = (self.wires.borrow().is_over(key), self.wires.borrow().was_aborted(key));
        if closed || over {
            assert!(closed || cut, "{kind:?} ended without saying why: {said:?}");
            self.tally.cut_off += 1;
            self.wires.borrow_mut().vanish(key);
        } else {
            self.clients[number].link = Some((key, stream));
        }
        self.turn();
    }

    fn run(mut self) -> Tally {
        (0..4).for_each(|_| self.join());
        self.publish();
        for _ in 0..STEPS {
            match self.rng.below(20) {
                0..=8 => self.publish(),
                9 if self.clients.len() < 12 => self.join(),
                10 => (0..self.rng.below(20)).for_each(|_| self.publish()),
                11..=13 => {
                    let millis = 1 + self.rng.below(120);
                    self.pass(millis);
                }
                _ => {
                    let number = self.rng.below(self.clients.len());
                    let most = self.clients[number].speed;
                    self.read(number, most);
                }
            }
        }
        self.finish();
        assert!(self.wires.borrow().misdeeds.is_empty(), "{:?}", self.wires.borrow().misdeeds);
        self.tally
    }

    /// In the end everybody reads everything there is, and knows of everything there was.
    fn finish(&mut self) {
        for _ in 0..40 {
            self.pass(200);
            (0..self.clients.len()).for_each(|number| self.read(number, usize::MAX));
        }
        for client in &self.clients {
            assert!(client.link.is_some(), "{:?} cannot stay", client.kind);
            client.check_hole(u64::MAX, &self.truth[client.kind.topic()]);
        }
        self.check_thoughts();
    }

    /// What was published to the analysis stands there once and in order, however it was joined.
    fn check_thoughts(&self) {
        let contents = |data: &Value| match data["thoughts"].as_array() {
            Some(thoughts) => thoughts.iter().map(|thought| thought["content"].clone()).collect(),
            None => vec![data["content"].clone()],
        };
        let all: Vec<_> = self.truth["analysis.a"].values().flat_map(contents).collect();
        assert_eq!(all, (1..=self.serial).map(|serial| json!(serial.to_string())).collect::<Vec<_>>());
    }
}

#[test]
fn sessions_and_analyses_lose_nothing_without_saying_so() {
    let mut sum = Tally::default();
    for seed in 0..super::number("MILLRACE_SEEDS").unwrap_or(30) {
        let tally = Story::new(seed).run();
        sum.events += tally.events;
        sum.batches += tally.batches;
        sum.gaps += tally.gaps;
        sum.cut_off += tally.cut_off;
    }
    println!("{sum:?}");
    assert!(sum.events > 1000 && sum.batches > 100 && sum.gaps > 50 && sum.cut_off > 50, "{sum:?}");
}
