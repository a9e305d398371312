//! When events that may wait are let go, judged by when clients got them: nothing waits longer than its window,
//! nothing that is alone waits, a full batch never does, and what is not full does not leave early.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace::auth::Identity;
use millrace::dialect::{Linger, Start, Transport};
use millrace::engine::{Body, Parts, Publish};
use millrace::json::filter;

use super::batches::{self, Batched, Batches};
use super::check::{Check, Only, Spec, Truth};
use super::parse::{Said, Stream};
use super::rng::Rng;
use super::scenarios::{Stage, everybody};

const TOPICS: [&str; 2] = ["a", "b"];
const STREAMS: [Transport; 3] = [Transport::WebSocket, Transport::SseChunked, Transport::Lines];

/// What some readers have in common.
#[derive(Clone)]
struct Kind {
    topic: &'static str,
    only: Only,
    linger: Linger,
    transport: Transport,
    joins: bool,
}

/// A reader and what it got: offsets by the millisecond of their coming.
struct Client {
    kind: usize,
    key: i32,
    joined_ms: u64,
    after: u64,
    stream: Stream,
    check: Check,
    got: BTreeMap<u64, Vec<u64>>,
}

/// How often the rules were put to the test.
#[derive(Debug, Default)]
struct Tally {
    alone: usize,
    full: usize,
    urgent: usize,
    waited: usize,
    followers: usize,
}

struct Story {
    stage: Stage,
    rng: Rng,
    kinds: Vec<Kind>,
    clients: Vec<Client>,
    serial: u64,
}

impl Story {
    fn new(seed: u64) -> Self {
        let stage = Stage::keeping(100_000, 0, 0, everybody());
        let mut rng = Rng::new(seed);
        let kinds = (0..1 + rng.below(5)).map(|_| kind(&mut rng)).collect();
        let mut story = Self { stage, rng, kinds, clients: Vec::new(), serial: 0 };
        (0..story.kinds.len()).for_each(|kind| story.join(kind, Start::Now));
        story
    }

    fn now_ms(&self) -> u64 {
        self.stage.chaos.now().unix_ms
    }

    fn join(&mut self, number: usize, start: Start) {
        let Kind { topic, only, linger, transport, joins } = self.kinds[number].clone();
        let filter = only.json().map(|text| Arc::new(filter::parse(&text).unwrap()));
        let dialect = Batched {
            transport,
            topic: topic.into(),
            start: start.clone(),
            filter,
            conflate: false,
            linger,
            view: batches::of(transport, joins),
        };
        let key = self.stage.open(transport, Box::new(dialect), Identity::anonymous());
        let head = self.stage.recorder.registry().find(topic).map_or(0, |topic| topic.head());
        let after = if start == Start::Oldest { 0 } else { head };
        let (positions, heads) = (BTreeMap::new(), BTreeMap::new());
        let spec =
            Spec { name: topic.into(), start, only, conflate: false, positions, heads, answered: None };
        let mut check = Check::new(transport, false, vec![spec]);
        check.allow_batches(linger.events);
        let (stream, joined_ms) = (Stream::headless(transport), self.now_ms());
        let got = BTreeMap::new();
        self.clients.push(Client { kind: number, key, joined_ms, after, stream, check, got });
        self.turn();
    }

    fn publish(&mut self) {
        let topic = self.rng.pick(&TOPICS);
        let count = if self.rng.chance(100) { 1 + self.rng.below(30) } else { 1 };
        let bodies = (0..count).map(|_| self.body()).collect();
        self.stage.recorder.publish(topic, bodies, self.stage.chaos.now()).unwrap();
        self.turn();
    }

    fn body(&mut self) -> Body {
        self.serial += 1;
        let data = format!("{{\"m\":{},\"s\":{}}}", self.rng.below(10), self.serial);
        let event = if self.rng.chance(60) { batches::URGENT } else { self.rng.pick(&["tick", "note"]) };
        Body::new(&Parts { event, data: data.as_bytes(), ..Parts::default() })
    }

    /// Time passes, and the shard is woken whenever it wants to be.
    fn pass(&mut self, millis: usize) {
        let end = self.stage.chaos.now().micros + millis as u64 * 1000;
        loop {
            let now = self.stage.chaos.now();
            let sleep = self.stage.shard.sleep_micros(now).unwrap_or(u64::MAX);
            assert!(sleep > 0, "the shard has nothing to do and wants to do it now");
            self.stage.chaos.pass(sleep.min(end - now.micros));
            self.turn();
            if self.stage.chaos.now().micros == end {
                return;
            }
        }
    }

    fn turn(&mut self) {
        self.stage.turn();
        let now_ms = self.now_ms();
        let log = self.stage.recorder.log.lock().unwrap();
        let truth = Truth { log: &log, registry: self.stage.recorder.registry() };
        for client in &mut self.clients {
            let bytes = self.stage.wires.borrow_mut().take(client.key, usize::MAX);
            for said in client.stream.feed(&bytes).unwrap() {
                client.check.said(&said, &truth).unwrap();
                let offsets = offsets(&said);
                if !offsets.is_empty() {
                    client.got.entry(now_ms).or_default().extend(offsets);
                }
            }
        }
    }

    fn run(&mut self) -> Tally {
        for _ in 0..300 {
            match self.rng.below(12) {
                0..=6 => self.publish(),
                7 if self.rng.chance(200) && self.clients.len() < 12 => {
                    let (kind, start) = (self.rng.below(self.kinds.len()), [Start::Now, Start::Oldest]);
                    let start = self.rng.pick(&start);
                    self.join(kind, start);
                }
                _ => {
                    let longest = self.rng.pick(&[3, 20, 150]);
                    let millis = 1 + self.rng.below(longest);
                    self.pass(millis);
                }
            }
        }
        self.pass(1000);
        self.judge()
    }

    fn judge(&self) -> Tally {
        let mut tally = Tally::default();
        let log = self.stage.recorder.log.lock().unwrap();
        let truth = Truth { log: &log, registry: self.stage.recorder.registry() };
        for (number, client) in self.clients.iter().enumerate() {
            client.check.complete(&truth).unwrap();
            let kind = &self.kinds[client.kind];
            let epoch = truth.registry.find(kind.topic).unwrap().epoch();
            let published = |offset: u64| {
                let event = &log.life(kind.topic, epoch)[offset as usize - 1];
                (event.time_ms, event.event == batches::URGENT)
            };
            if number < self.kinds.len() {
                releases(&client.got, kind.linger, published, &mut tally);
            } else {
                tally.followers += 1;
                self.follows(client);
            }
        }
        tally
    }

    /// Who came later gets what the first of its kind gets, when that gets it.
    fn follows(&self, client: &Client) {
        let first = &self.clients[client.kind].got;
        let before = first.range(..=client.joined_ms).flat_map(|(_, offsets)| offsets);
        let caught_up: Vec<_> = before.copied().filter(|offset| *offset > client.after).collect();
        let mut expected: BTreeMap<_, Vec<u64>> = BTreeMap::from([(client.joined_ms, caught_up)]);
        for (ms, offsets) in first.range(client.joined_ms + 1..) {
            let newer = offsets.iter().copied().filter(|offset| *offset > client.after);
            expected.insert(*ms, newer.collect());
        }
        expected.retain(|_, offsets| !offsets.is_empty());
        assert_eq!(client.got, expected);
    }
}

fn kind(rng: &mut Rng) -> Kind {
    let linger = Linger { window_ms: rng.pick(&[10, 50, 400]), events: rng.pick(&[1, 3, 8, 50]) };
    let only = rng.pick(&[Only::All, Only::Type("tick"), Only::Above(7)]);
    Kind { topic: rng.pick(&TOPICS), only, linger, transport: rng.pick(&STREAMS), joins: rng.chance(700) }
}

fn offsets(said: &Said) -> Vec<u64> {
    let Said::Text { text, .. } = said else { return Vec::new() };
    let message: serde_json::Value = serde_json::from_str(text).unwrap();
    let offset = |event: &serde_json::Value| event["offset"].as_u64().unwrap();
    match message["type"].as_str() {
        Some("event") => vec![offset(&message)],
        Some("batch") => message["events"].as_array().unwrap().iter().map(offset).collect(),
        _ => Vec::new(),
    }
}

/// Judges what a client got, by the rules, one release after another.
fn releases(
    got: &BTreeMap<u64, Vec<u64>>,
    linger: Linger,
    event: impl Fn(u64) -> (u64, bool),
    tally: &mut Tally,
) {
    let (window, most) = (u64::from(linger.window_ms), linger.events as usize);
    let published = |offset| event(offset).0;
    let (mut last, mut last_offset) = (None, 0);
    for (&at, offsets) in got {
        let closed = last.is_some_and(|last| at < last + window);
        let urged = offsets.iter().rposition(|offset| event(*offset).1).map_or(0, |last| last + 1);
        let full = (offsets.len() - urged).is_multiple_of(most);
        let rest_due = (last_offset + 1..=offsets[0]).any(|offset| published(offset) + window <= at);
        assert!(!closed || full || rest_due, "{offsets:?} left early, at {at}; the last left at {last:?}");
        for &offset in offsets {
            let waited = at - published(offset);
            assert!(waited <= window, "{offset} waited {waited} ms; the window is {window}");
            let alone = last.is_none_or(|last| published(offset) >= last + window);
            assert!(!alone || waited == 0, "{offset} was alone, and waited {waited} ms");
            let urgent = event(offset).1;
            assert!(!urgent || waited == 0, "{offset} was urgent, and waited {waited} ms");
            tally.alone += usize::from(alone);
            tally.urgent += usize::from(closed && urgent);
            tally.waited += usize::from(waited > 0);
        }
        let waiting = offsets.iter().filter(|offset| published(**offset) < at).count();
        assert!(waiting < most, "{waiting} waited at {at}, and {most} make a batch");
        tally.full += usize::from(closed && full && urged == 0);
        (last, last_offset) = (Some(at), offsets[offsets.len() - 1]);
    }
}

#[test]
fn what_lingers_goes_when_it_should() {
    let mut sum = Tally::default();
    for seed in 0..super::number("MILLRACE_SEEDS").unwrap_or(60) {
        let tally = Story::new(seed).run();
        sum.alone += tally.alone;
        sum.full += tally.full;
        sum.urgent += tally.urgent;
        sum.waited += tally.waited;
        sum.followers += tally.followers;
    }
    println!("{sum:?}");
    let often = [sum.alone, sum.full, sum.urgent, sum.waited, 10 * sum.followers];
    assert!(often.into_iter().all(|times| times > 100), "{sum:?}");
}

/// Readers of two kinds that came in turns.
#[test]
fn everybody_of_a_kind_gets_the_same_frame() {
    let mut stage = Stage::keeping(1000, 0, 0, everybody());
    let view: &'static Batches = Box::leak(Box::new(Batches::new(Transport::LinesChunked, true)));
    let mut keys = Vec::new();
    for number in 0..100 {
        let dialect = Batched {
            transport: Transport::LinesChunked,
            topic: "a".into(),
            start: Start::Now,
            filter: None,
            conflate: false,
            linger: Linger { window_ms: 50, events: 20 + number % 2 },
            view,
        };
        keys.push(stage.open(Transport::LinesChunked, Box::new(dialect), Identity::anonymous()));
        stage.turn();
    }
    let publish = |stage: &Stage, count: usize| {
        let body = Body::new(&Parts { event: "tick", data: b"1", ..Parts::default() });
        stage.recorder.publish("a", vec![body; count], stage.chaos.now()).unwrap();
    };
    publish(&stage, 1);
    stage.turn();
    keys.iter().for_each(|key| drop(stage.taken(*key)));
    let made = view.made();
    publish(&stage, 19);
    stage.turn();
    assert_eq!(view.made(), made, "nobody's batch is full");
    publish(&stage, 1);
    stage.turn();
    assert_eq!(view.made(), made + 1, "one kind's batch is full");
    stage.pass(1);
    assert_eq!(view.made(), made + 2, "the other's window is over");
    assert!(keys.iter().all(|key| stage.taken(*key).contains("\"type\":\"batch\"")));
}
