//! Clients of the protocols that read slowly, are cut off and come back: each has every event of its topics once and in order,
//! or was told which it misses before it got anything newer.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use millrace::auth::{Credentials, Identity, Verdict};
use millrace::config::Config;
use millrace::delivery::Handoff;
use millrace::delivery::mailbox::Mailbox;
use millrace::delivery::shard::{Settings, Shard, Shared};
use millrace::dialect::Transport;
use millrace::dialect::protocol::{Call, Method, Node, Protocols, Reply};
use millrace::engine::{Counts, Publish, Registry};
use millrace::ingest::Publisher;
use millrace::json::batch::Attributes;
use millrace::json::fields::JsonFields;
use millrace::server::assembly;
use millrace::wire::websocket::Opcode;

use super::chaos::Chaos;
use super::client::{Pace, masked, pace};
use super::hearing::{Heard, KINDS, Kind, Next, heard, place_in};
use super::log::Recorder;
use super::net::{SimNet, SimSocket, Wires};
use super::parse::{Said, Stream};
use super::rng::Rng;
use super::scenarios::Silent;

/// Somebody who reads.
struct Client {
    kind: Kind,
    transport: Transport,
    pace: Pace,
    link: Option<(i32, Stream)>,
    next: BTreeMap<&'static str, Next>,
    last_id: String,
}

impl Client {
    /// Whether it has something that it can go on behind.
    fn can_return(&self) -> bool {
        let has_place = self.transport.is_websocket() || !self.last_id.is_empty();
        // To an analysis, place 0 is all that is kept, and nothing is missing from that.
        let has_some = self.kind != Kind::Analysis || self.next.values().all(|next| next.known() > 1);
        self.kind.resumes() && !self.next.is_empty() && has_place && has_some
    }
}

/// How often what can go wrong did, for each kind: events, gaps, ends, returns.
type Tally = [u64; 4];

struct Story {
    rng: Rng,
    shard: Shard<SimNet>,
    wires: Rc<RefCell<Wires>>,
    chaos: Arc<Chaos>,
    registry: Arc<Registry>,
    protocols: Arc<Protocols>,
    publisher: Arc<Publisher>,
    counts: Arc<Counts>,
    clients: Vec<Client>,
    /// When each event was published, by topic.
    times: BTreeMap<&'static str, Vec<u64>>,
    skips: bool,
    tally: BTreeMap<Kind, Tally>,
}

fn config(rng: &mut Rng, skips: bool) -> Config {
    let keep = rng.pick(&[3, 8, 40]);
    let slow = rng.pick(&[0, 2, keep]);
    let policy = if skips { "skip" } else { "disconnect" };
    let to = rng.pick(&["oldest", "newest"]);
    let text = format!(
        "[namespaces.default]\nretain_events = {keep}\nslow_events = {slow}\nslow_policy = \"{policy}\"\n\
         slow_skip_to = \"{to}\"\n[analysis]\nmax_events_per_second = 0\nmessage_buffer_size = {keep}\n\
         [events]\nmax_clients_per_session = 0\n[stream]\nconnections_per_user = 0\nidle_seconds = 0\n"
    );
    Config::from_toml("simulation", &text).unwrap_or_else(|problems| panic!("{problems}"))
}

impl Story {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let skips = rng.chance(400);
        let config = config(&mut rng, skips);
        let registry = Arc::new(Registry::new(assembly::namespaces(&config), 100, 1));
        let protocols = Arc::new(assembly::protocols(&config, None));
        let publisher = Publisher::new(Arc::clone(&registry), Arc::default(), Arc::clone(&protocols));
        let (publisher, counts) = (Arc::new(publisher), Arc::new(Counts::default()));
        let chaos = Arc::new(Chaos::new(Arc::new(Recorder::new(Arc::clone(&registry))), rng.next()));
        chaos.on.store(false, Ordering::Relaxed);
        let wires = Wires::new(rng.next());
        let settings =
            Settings { seed: rng.next(), ping_ms: rng.pick(&[0, 900]), ..assembly::settings(&config) };
        let shared = Shared {
            registry: Arc::clone(&registry),
            publisher: Arc::clone(&publisher) as _,
            extract: Arc::new(JsonFields),
            authenticator: Arc::new(Credentials::new(&config, Vec::new())),
            counts: Arc::clone(&counts),
            limits: Arc::default(),
            settings,
        };
        let net = SimNet { wires: Rc::clone(&wires), chaos: Arc::clone(&chaos) };
        let mailbox = Arc::new(Mailbox::new(Box::new(Silent)));
        let shard = Shard::new(net, shared, mailbox, Arc::default(), chaos.now(), |_| None);
        let (times, tally) = (BTreeMap::new(), BTreeMap::new());
        let mut story = Self {
            rng,
            shard,
            wires,
            chaos,
            registry,
            protocols,
            publisher,
            counts,
            clients: Vec::new(),
            times,
            skips,
            tally,
        };
        for kind in KINDS.into_iter().flat_map(|kind| [kind, kind]) {
            let client = story.client(kind);
            story.clients.push(client);
        }
        story
    }

    fn client(&mut self, kind: Kind) -> Client {
        let transport = self.rng.pick(kind.transports());
        let (next, last_id) = (BTreeMap::new(), String::new());
        Client { kind, transport, pace: pace(&mut self.rng), link: None, next, last_id }
    }

    fn head(&self, topic: &str) -> u64 {
        self.times.get(topic).map_or(0, |times| times.len() as u64)
    }

    fn publish(&mut self, topic: &'static str) {
        let number = self.head(topic) + 1;
        let padding = self.rng.pick(&[0, 0, 10, 300]);
        let body = Attributes::default().json(Kind::event(topic, number, padding).as_bytes()).unwrap();
        let now = self.chaos.now();
        let placed = self.publisher.publish(topic, vec![body], now).unwrap();
        assert_eq!(placed.places[0].as_ref().unwrap().offset, number);
        self.times.entry(topic).or_default().push(now.unix_ms);
    }

    /// A client connects: for what is to come, or, where its protocol can, behind what it has.
    fn connect(&mut self, index: usize) {
        let kind = self.clients[index].kind;
        let returns = self.clients[index].can_return() && self.rng.chance(750);
        if returns {
            self.resume(index);
        } else {
            let next = |topic: &&'static str| (*topic, Next::Exactly(self.head(topic) + 1));
            self.clients[index].next = kind.topics().iter().map(next).collect();
            self.clients[index].last_id.clear();
        }
        self.tally.entry(kind).or_default()[3] += u64::from(returns);
        let (target, say) = self.entrance(index, returns);
        self.open(index, &target, &say);
    }

    /// What the client may expect when it comes back.
    fn resume(&mut self, index: usize) {
        let client = &mut self.clients[index];
        for (topic, next) in &mut client.next {
            *next = match (client.kind.returns_by_time(), place_in(&client.last_id, topic)) {
                (true, _) => Next::AtMost(next.known()),
                (false, Some((_, offset))) => Next::Exactly(offset + 1),
                (false, None) => *next,
            };
        }
    }

    fn entrance(&self, index: usize, returns: bool) -> (String, String) {
        let client = &self.clients[index];
        if !returns {
            return client.kind.entrance(None);
        }
        let place = |(topic, next): (&&'static str, &Next)| {
            let (found, last) = (self.registry.find(topic), next.known() - 1);
            let time = self.times.get(topic).and_then(|times| times.get((last as usize).wrapping_sub(1)));
            (*topic, found.map_or(0, |found| found.epoch()), last, time.copied().unwrap_or(0))
        };
        let places: Vec<_> = client.next.iter().map(place).collect();
        client.kind.entrance(Some((&places, &client.last_id)))
    }

    fn open(&mut self, index: usize, target: &str, say: &str) {
        let room = self.rng.pick(&[200, 600, 100_000]);
        let transport = self.clients[index].transport;
        let key = self.wires.borrow_mut().open(0, room);
        let dialect = self.dialect(transport, target);
        let read_ahead = if say.is_empty() { Vec::new() } else { masked(Opcode::Text, say.as_bytes()) };
        let handoff = Handoff {
            socket: SimSocket(key),
            dialect,
            transport,
            head: Vec::new(),
            read_ahead: read_ahead.into(),
            identity: Identity::anonymous().into(),
            leases: Default::default(),
            consulted: Default::default(),
        };
        self.shard.at(self.chaos.now());
        self.shard.adopt(handoff).unwrap();
        self.clients[index].link = Some((key, Stream::headless(transport)));
    }

    fn dialect(&self, transport: Transport, target: &str) -> Box<dyn millrace::dialect::Dialect> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let query: Vec<_> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let credential: Verdict = Ok(Arc::new(Identity::anonymous()));
        let call = Call {
            method: Method::Get,
            path,
            query: &query,
            header: &|_| None,
            upgrade: transport.is_websocket(),
            credential: &credential,
            body: None,
            waited: false,
            permits: None,
            node: Node {
                registry: &self.registry,
                publisher: &*self.publisher,
                counts: &self.counts,
                now: self.chaos.now(),
            },
        };
        match self.protocols.serve(&call) {
            Some(Ok(Reply::WebSocket(open) | Reply::Sse(open))) => open(transport),
            Some(Err(fault)) => panic!("{target}: {fault:?}"),
            _ => panic!("{target} is no stream"),
        }
    }

    fn step(&mut self) {
        let micros = if self.rng.chance(50) { 3_000_000 } else { 1000 * (1 + self.rng.below(40)) as u64 };
        self.chaos.pass(micros);
        for _ in 0..self.rng.below(4) {
            let kind = self.rng.pick(&KINDS);
            let topic = self.rng.pick(kind.topics());
            self.publish(topic);
        }
        let index = self.rng.below(self.clients.len());
        match self.rng.below(20) {
            0 => self.vanish(index),
            1 | 2 => self.clients[index].pace = pace(&mut self.rng),
            3..=8 if self.clients[index].link.is_none() => self.connect(index),
            _ => {}
        }
        self.wires.borrow_mut().rough = self.rng.chance(700);
        self.turn();
    }

    fn vanish(&mut self, index: usize) {
        if let Some((key, _)) = self.clients[index].link.take() {
            self.wires.borrow_mut().vanish(key);
        }
    }

    fn turn(&mut self) {
        (0..self.clients.len()).for_each(|index| self.listen(index));
        let edges = self.wires.borrow_mut().edges();
        self.shard.at(self.chaos.now());
        for edge in edges {
            match edge.readable {
                true => self.shard.readable(edge.token),
                false => self.shard.writable(edge.token),
            }
        }
        while self.shard.turn(self.chaos.now()) {}
        assert!(self.wires.borrow().misdeeds.is_empty(), "{:?}", self.wires.borrow().misdeeds);
    }

    /// A client reads at its pace, and what it reads is checked.
    fn listen(&mut self, index: usize) {
        let Some((key, mut stream)) = self.clients[index].link.take() else { return };
        let most = match self.clients[index].pace {
            Pace::Fast => usize::MAX,
            Pace::Slow(bytes) => bytes,
            Pace::Never => 0,
        };
        let bytes = self.wires.borrow_mut().take(key, most);
        let mut over = false;
        for said in stream.feed(&bytes).unwrap() {
            over |= self.hear(index, key, &said);
        }
        let cut_off = self.wires.borrow().was_aborted(key) || self.wires.borrow().is_over(key);
        if over || cut_off {
            self.tally.entry(self.clients[index].kind).or_default()[2] += 1;
            self.wires.borrow_mut().vanish(key);
        } else {
            self.clients[index].link = Some((key, stream));
        }
    }

    /// Whether the server ends the connection.
    fn hear(&mut self, index: usize, key: i32, said: &Said) -> bool {
        let kind = self.clients[index].kind;
        match said {
            Said::Ping(payload) => self.wires.borrow_mut().send(key, &masked(Opcode::Pong, payload)),
            // It was slow, or too slow even to answer pings.
            Said::Close(code) => assert!(matches!(*code, 1001 | 1013), "{kind:?}: {code}"),
            Said::Text { text, id, .. } => {
                if !id.is_empty() {
                    self.clients[index].last_id.clone_from(id);
                }
                for heard in heard(kind, text) {
                    self.check(index, heard);
                }
            }
            Said::End => {}
        }
        matches!(said, Said::Close(_) | Said::End)
    }

    fn check(&mut self, index: usize, heard: Heard) {
        let client = &mut self.clients[index];
        let at = format!("{:?} {:?}, {heard:?}", client.kind, client.next);
        let tally = self.tally.entry(client.kind).or_default();
        match heard {
            Heard::Event(topic, number) => {
                let next = client.next.get_mut(topic).unwrap();
                match *next {
                    Next::Exactly(wanted) => assert_eq!(number, wanted, "{at}"),
                    Next::AtMost(most) => assert!(number <= most, "{at}"),
                    Next::Any => {}
                }
                *next = Next::Exactly(number + 1);
                let place = place_in(&client.last_id, topic);
                assert!(place.is_none_or(|(_, offset)| offset == number), "{at}: {}", client.last_id);
                tally[0] += 1;
            }
            Heard::Gap(topic, lost) => {
                let next = client.next.get_mut(topic).unwrap();
                *next = next.after(lost, client.kind).unwrap_or_else(|| panic!("{at}"));
                let kept = self.registry.find(topic).map_or(0, |topic| topic.oldest());
                assert!(self.skips || next.known() <= kept, "{at}: {kept} is kept");
                tally[1] += 1;
            }
        }
    }

    fn run(mut self) -> BTreeMap<Kind, Tally> {
        (0..self.clients.len()).for_each(|index| self.connect(index));
        (0..250).for_each(|_| self.step());
        self.wires.borrow_mut().rough = false;
        self.clients.iter_mut().for_each(|client| client.pace = Pace::Fast);
        // What waits to go together goes, and everything that is on its way arrives.
        for round in 0.. {
            self.chaos.pass(20_000);
            self.turn();
            if round > 20 && self.wires.borrow().is_quiet() {
                break;
            }
        }
        for client in self.clients.iter().filter(|client| client.link.is_some()) {
            for (topic, next) in &client.next {
                let complete = *next == Next::Any || next.known() == self.head(topic) + 1;
                assert!(complete, "{:?} ends at {:?} of {}", client.kind, client.next, self.head(topic));
            }
        }
        self.tally
    }
}

#[test]
fn clients_of_every_protocol_are_told_what_they_miss() {
    let mut sum: BTreeMap<Kind, Tally> = BTreeMap::new();
    for seed in 0..super::number("MILLRACE_SEEDS").unwrap_or(60) {
        println!("seed {seed}");
        for (kind, tally) in Story::new(seed).run() {
            sum.entry(kind).or_default().iter_mut().zip(tally).for_each(|(sum, count)| *sum += count);
        }
    }
    println!("events, gaps, ends, returns: {sum:#?}");
    for (kind, [events, gaps, ends, returns]) in sum {
        let enough = events > 500 && gaps > 10 && ends > 10 && (returns > 10 || !kind.resumes());
        assert!(enough, "too little happened to {kind:?}");
    }
}
