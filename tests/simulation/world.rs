//! The simulated node: one or two shards, their clients, time.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use millrace::auth::Credentials;
use millrace::config::Config;
use millrace::delivery::mailbox::{Alarm, Letter, Mailbox};
use millrace::delivery::shard::{Settings, Shard, Shared};
use millrace::delivery::{Drain, Handoff};
use millrace::engine::Registry;
use millrace::metrics::ShardMetrics;
use millrace::wire::websocket::Opcode;

use super::chaos::{Chaos, Meddling, namespaces};
use super::check::{Truth, Verdict, heads};
use super::client::{Client, Kind, Link, Pace, masked, pace};
use super::log::Recorder;
use super::net::{Edge, SimNet, SimSocket, Wires};
use super::parse::Said;
use super::rng::Rng;

#[derive(Default)]
struct Bell(AtomicBool);

struct Rope(Arc<Bell>);

impl Alarm for Rope {
    fn ring(&self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// A shard and what its driver would know.
struct Post {
    shard: Shard<SimNet>,
    mailbox: Arc<Mailbox>,
    metrics: Arc<ShardMetrics>,
    bell: Arc<Bell>,
    /// When it wants a turn though nothing happens.
    due_micros: u64,
}

/// Deliveries, gaps, conflated events, messages of clients, evictions and connections.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally(pub [u64; 6]);

impl Tally {
    /// Adds what else happened.
    pub fn add(&mut self, counts: &[u64; 6]) {
        self.0.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
}

/// See the module.
pub struct World {
    rng: Rng,
    chaos: Arc<Chaos>,
    recorder: Arc<Recorder>,
    wires: Rc<RefCell<Wires>>,
    posts: Vec<Post>,
    clients: Vec<Client>,
}

/// Sockets of this simulation never come through a mailbox.
fn no_sockets(_: Handoff) -> Option<Handoff<SimSocket>> {
    None
}

impl World {
    /// The world of `seed`.
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let registry = Arc::new(Registry::new(namespaces(), 1000, 100));
        let recorder = Arc::new(Recorder::new(Arc::clone(&registry)));
        let chaos = Arc::new(Chaos::new(Arc::clone(&recorder), rng.next()));
        let wires = Wires::new(rng.next());
        let mut world = Self { posts: Vec::new(), clients: Vec::new(), recorder, chaos, wires, rng };
        for _ in 0..1 + world.rng.below(2) {
            let post = world.post(&registry);
            world.posts.push(post);
        }
        world
    }

    fn post(&mut self, registry: &Arc<Registry>) -> Post {
        let settings = Settings {
            ping_ms: self.rng.pick(&[0, 700, 2000]),
            message_bytes: 1 << 20,
            subscriptions: 1000,
            outbox_bytes: 1 << 20,
            seed: self.rng.next(),
            ..Settings::default()
        };
        let shared = Shared {
            registry: Arc::clone(registry),
            publisher: Arc::clone(&self.recorder) as _,
            extract: Arc::new(Meddling(Arc::clone(&self.chaos))),
            authenticator: Arc::new(Credentials::new(&Config::default(), Vec::new())),
            counts: Arc::default(),
            limits: Arc::default(),
            settings,
        };
        let (bell, metrics) = (Arc::new(Bell::default()), Arc::new(ShardMetrics::default()));
        let mailbox = Arc::new(Mailbox::new(Box::new(Rope(Arc::clone(&bell)))));
        let net = SimNet { wires: Rc::clone(&self.wires), chaos: Arc::clone(&self.chaos) };
        let (inbox, counters, now) = (Arc::clone(&mailbox), Arc::clone(&metrics), self.chaos.now());
        let shard = Shard::new(net, shared, inbox, counters, now, no_sockets);
        Post { shard, mailbox, metrics, bell, due_micros: 0 }
    }

    /// What happened, for those who want to know that enough did.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for metrics in self.posts.iter().map(|post| &post.metrics) {
            let evictions: u64 = metrics.evictions.iter().map(|counter| counter.get()).sum();
            let counts = [&metrics.deliveries, &metrics.gaps, &metrics.conflated, &metrics.messages_in];
            let [deliveries, gaps, conflated, messages] = counts.map(|counter| counter.get());
            tally.add(&[deliveries, gaps, conflated, messages, evictions, metrics.accepted.get()]);
        }
        tally
    }

    /// Runs the whole story.
    pub fn run(&mut self, steps: usize) -> Verdict {
        for _ in 0..steps {
            self.step()?;
        }
        self.settle()?;
        self.compare()?;
        self.drain()
    }

    fn step(&mut self) -> Verdict {
        let micros = if self.rng.chance(30) { 400_000 } else { self.rng.below(20_000) as u64 };
        self.chaos.pass(micros);
        self.act();
        self.wires.borrow_mut().rough = self.rng.chance(700);
        self.read()?;
        self.turn();
        self.misdeeds()
    }

    fn misdeeds(&self) -> Verdict {
        self.wires.borrow().misdeeds.first().map_or(Ok(()), |misdeed| Err(misdeed.clone()))
    }

    fn act(&mut self) {
        match self.rng.below(10) {
            0..=4 => self.chaos.publish(),
            5 => self.connect(),
            6 if self.rng.chance(300) => self.disconnect(),
            7 => self.ask(),
            8 => self.change_pace(),
            9 if self.rng.chance(300) => self.sweep(),
            _ => {}
        }
    }

    fn sweep(&self) {
        let now = self.chaos.now();
        (0..Registry::parts()).for_each(|part| self.recorder.registry().sweep(part, now));
    }

    fn with_truth<T>(&self, see: impl FnOnce(&Truth<'_>) -> T) -> T {
        let log = self.recorder.log.lock().expect("the log");
        see(&Truth { log: &log, registry: self.recorder.registry() })
    }

    fn connect(&mut self) {
        let idle = self.clients.iter().position(|client| client.link.is_none());
        let index = match idle.filter(|_| self.rng.chance(700)) {
            Some(index) => index,
            None if self.clients.len() > 14 => return,
            None => {
                self.clients.push(Client::new(&mut self.rng, self.chaos.now().unix_ms));
                self.clients.len() - 1
            }
        };
        let (post, room) = (self.rng.below(self.posts.len()), self.rng.pick(&[150, 900, 5000, 100_000]));
        let key = self.wires.borrow_mut().open(post, room);
        let heads = self.with_truth(heads);
        let handoff = self.clients[index].connect(&mut self.rng, key, &heads);
        self.posts[post].shard.at(self.chaos.now());
        self.posts[post].shard.adopt(handoff).expect("registers");
        self.posts[post].due_micros = 0;
    }

    fn some_client(&mut self) -> usize {
        self.rng.below(self.clients.len())
    }

    fn disconnect(&mut self) {
        let index = self.some_client();
        if let Some(key) =
            self.clients.get(index).and_then(|client| client.link.as_ref()).map(|link| link.key)
        {
            self.wires.borrow_mut().vanish(key);
            self.clients[index].forget_link();
        }
    }

    fn change_pace(&mut self) {
        let (index, pace) = (self.some_client(), pace(&mut self.rng));
        if let Some(client) = self.clients.get_mut(index) {
            client.pace = pace;
        }
    }

    fn ask(&mut self) {
        let (index, heads, now) = (self.some_client(), self.with_truth(heads), self.chaos.now().unix_ms);
        let Some(client) = self.clients.get_mut(index).filter(|client| client.kind == Kind::Multiplex) else {
            return;
        };
        let Some(key) = client.link.as_ref().filter(|link| link.check.closed.is_none()).map(|link| link.key)
        else {
            return;
        };
        let request = client.ask(&mut self.rng, now, &heads);
        self.wires.borrow_mut().send(key, &request);
    }

    /// Every client reads at its pace, and what it reads is checked.
    fn read(&mut self) -> Verdict {
        for index in 0..self.clients.len() {
            let most = match self.clients[index].pace {
                Pace::Fast => usize::MAX,
                Pace::Slow(bytes) => bytes,
                Pace::Never => 0,
            };
            let Some(mut link) = self.clients[index].link.take() else { continue };
            let verdict = self.read_link(&mut link, most);
            let (over, closed) = (self.wires.borrow().is_over(link.key), link.check.closed.is_some());
            let aborted = self.wires.borrow().was_aborted(link.key);
            let client = &mut self.clients[index];
            let (kind, transport, key) = (client.kind, client.transport, link.key);
            client.link = Some(link);
            verdict.map_err(|why| format!("client {index} ({kind:?}, {transport:?}): {why}"))?;
            if over && !closed && !aborted {
                return Err(format!("client {index} ({kind:?}, {transport:?}): ended without saying why"));
            }
            if over {
                client.forget_link();
                self.wires.borrow_mut().vanish(key);
            }
        }
        Ok(())
    }

    fn read_link(&self, link: &mut Link, most: usize) -> Verdict {
        let bytes = self.wires.borrow_mut().take(link.key, most);
        for said in link.stream.feed(&bytes)? {
            self.with_truth(|truth| link.check.said(&said, truth))?;
            if let Said::Ping(payload) = said {
                self.wires.borrow_mut().send(link.key, &masked(Opcode::Pong, &payload));
            }
        }
        Ok(())
    }

    /// Reports what polls would, then lets every shard that is awake take turns until it sleeps.
    fn turn(&mut self) {
        let mut edges = self.wires.borrow_mut().edges();
        if !edges.is_empty() {
            let by = self.rng.below(edges.len());
            edges.rotate_left(by);
        }
        let now = self.chaos.now();
        for Edge { shard, token, readable } in edges {
            let post = &mut self.posts[shard];
            post.shard.at(now);
            match readable {
                true => post.shard.readable(token),
                false => post.shard.writable(token),
            }
            post.due_micros = 0;
        }
        for index in 0..self.posts.len() {
            if !self.rng.chance(150) || !self.chaos.on.load(Ordering::Relaxed) {
                self.turn_post(index);
            }
        }
    }

    fn turn_post(&mut self, index: usize) {
        let (chaos, post) = (&self.chaos, &mut self.posts[index]);
        let rung = post.bell.0.swap(false, Ordering::Relaxed);
        if !rung && chaos.now().micros < post.due_micros {
            return;
        }
        post.mailbox.disarm();
        for _ in 0..200 {
            while post.shard.turn(chaos.now()) && !post.shard.is_over() {
                post.shard.settle(chaos.now());
                chaos.pass(50);
            }
            if post.mailbox.arm() {
                break;
            }
        }
        let sleep = post.shard.sleep_micros(chaos.now());
        post.due_micros = sleep.map_or(u64::MAX, |sleep| chaos.now().micros + sleep);
    }

    /// Nobody publishes any more and everybody reads: after a while nothing is on its way.
    fn settle(&mut self) -> Verdict {
        self.chaos.on.store(false, Ordering::Relaxed);
        self.clients.iter_mut().for_each(|client| client.pace = Pace::Fast);
        self.wires.borrow_mut().rough = false;
        self.rest()?;
        // What waits to go together still does.
        for _ in 0..8 {
            self.chaos.pass(100_000);
            self.turn();
            self.read()?;
        }
        self.rest()
    }

    fn rest(&mut self) -> Verdict {
        for _ in 0..4000 {
            self.read()?;
            self.turn();
            self.misdeeds()?;
            if self.wires.borrow().is_quiet()
                && self.posts.iter().all(|post| !post.bell.0.load(Ordering::Relaxed))
            {
                self.chaos.pass(1000);
                self.turn();
                if self.wires.borrow().is_quiet() {
                    return self.read();
                }
            }
        }
        Err("it does not come to rest".into())
    }

    fn compare(&self) -> Verdict {
        for (index, client) in self.clients.iter().enumerate() {
            let Some(link) = client.link.as_ref().filter(|link| link.check.closed.is_none()) else {
                continue;
            };
            let verdict = self.with_truth(|truth| link.check.complete(truth));
            verdict.map_err(|why| {
                format!("client {index} ({:?}, {:?}): {why}", client.kind, client.transport)
            })?;
        }
        Ok(())
    }

    fn drain(&mut self) -> Verdict {
        let now_ms = self.chaos.now().millis();
        let drain = Drain { per_second: 100, now_ms, deadline_ms: now_ms + 20_000, retry_ms: 10 };
        self.posts.iter().for_each(|post| post.mailbox.post(Letter::Drain(drain)));
        for _ in 0..200 {
            self.chaos.pass(50_000);
            self.read()?;
            self.turn();
            self.misdeeds()?;
        }
        self.read()?;
        self.leftovers()
    }

    fn leftovers(&self) -> Verdict {
        for post in &self.posts {
            let (connections, subscriptions) =
                (post.metrics.connections.get(), post.metrics.subscriptions.get());
            if !post.shard.is_over() || connections != 0 || subscriptions != 0 {
                return Err(format!(
                    "{connections} connections, {subscriptions} subscriptions after the drain"
                ));
            }
        }
        let topics = self.recorder.registry().list("", "", usize::MAX);
        if let Some(topic) = topics.iter().find(|topic| topic.subscribers() > 0) {
            return Err(format!("{} still counts subscribers", topic.name()));
        }
        if self.wires.borrow().all_closed() { Ok(()) } else { Err("a socket is still open".into()) }
    }
}
