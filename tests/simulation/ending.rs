//! Streams that are over behind an event: whoever reads one topic through a view that ends gets everything up to the end and
//! nothing behind it, then the end of the stream, however slowly it reads and wherever writes stop.

use bytes::Bytes;
use millrace::auth::Identity;
use millrace::dialect::{Dialect, Gap, Host, Linger, Message, Start, Subscribe, Transport, frame};
use millrace::engine::{Body, Encode, Entry, Now, Parts, Publish, Topic, ViewId};
use millrace::error::Disconnect;

use super::rng::Rng;
use super::scenarios::{Stage, everybody};

/// One line for each event; a `done` ends the stream.
struct Lines(ViewId);

impl Encode for Lines {
    fn view(&self) -> ViewId {
        self.0
    }

    fn frame(&self, topic: &Topic, entry: &Entry) -> Bytes {
        let text = format!("{}:{}:{}", topic.name(), entry.offset, entry.body.event());
        let text = format!("{text}{}", ".".repeat(entry.body.data().len()));
        if entry.body.event().starts_with("silent") {
            return Bytes::new();
        }
        frame::event(Transport::LinesChunked, 64, |_| {}, |out| out.extend_from_slice(text.as_bytes()))
    }

    fn batch(&self, topic: &Topic, entries: &[&Entry], _now: Now) -> Option<Bytes> {
        let frames: Vec<_> = entries.iter().map(|entry| self.frame(topic, entry)).collect();
        (self.0 == 851).then(|| frames.concat().into())
    }

    fn ends(&self, entry: &Entry) -> bool {
        entry.body.event().ends_with("done")
    }
}

static VIEWS: [Lines; 2] = [Lines(850), Lines(851)];

/// Reads topics from their beginning, and says when it is closed.
struct Reading {
    topics: Vec<&'static str>,
    conflate: bool,
    linger: Option<Linger>,
}

impl Dialect for Reading {
    fn opened(&mut self, host: &mut dyn Host) {
        for topic in &self.topics {
            let view = &VIEWS[usize::from(self.linger.is_some())];
            let (conflate, linger) = (self.conflate, self.linger);
            let request = Subscribe { start: Start::Oldest, conflate, linger, ..Subscribe::new(topic, view) };
            host.subscribe(&request).expect("a topic that can be read");
        }
    }

    fn received(&mut self, _message: Message<'_>, _host: &mut dyn Host) {}

    fn gap(&mut self, _topic: &Topic, _gap: Gap, _host: &mut dyn Host) {
        unreachable!("nothing leaves the log");
    }

    fn closing(&mut self, why: Disconnect, host: &mut dyn Host) {
        host.send("close", why.reason().as_bytes());
    }
}

fn body(event: &str, bytes: usize) -> Body {
    Body::new(&Parts { event, data: &vec![b'7'; bytes], ..Parts::default() })
}

/// The lines in chunks, and whether the stream is over.
fn lines(text: &str) -> (Vec<String>, bool) {
    let (mut rest, mut whole) = (text, String::new());
    while let Some((size, tail)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            assert_eq!(tail, "\r\n", "nothing follows the last chunk");
            return (whole.lines().map(Into::into).collect(), true);
        }
        whole.push_str(&tail[..size]);
        rest = &tail[size + 2..];
    }
    (whole.lines().map(Into::into).collect(), false)
}

/// A stage, a client that takes what it likes, and what it got.
struct Story {
    stage: Stage,
    rng: Rng,
    key: i32,
    got: Vec<u8>,
}

impl Story {
    fn new(seed: u64, topics: Vec<&'static str>) -> Self {
        let (mut stage, mut rng) = (Stage::keeping(10_000, 0, 0, everybody()), Rng::new(seed));
        stage.wires.borrow_mut().rough = rng.chance(500);
        let linger = rng.chance(300).then_some(Linger { window_ms: 20, events: 8 });
        let dialect = Reading { topics, conflate: rng.chance(200), linger };
        let room = rng.pick(&[300, 5000, 1 << 20]);
        let key = stage.open_narrow(Transport::LinesChunked, Box::new(dialect), Identity::anonymous(), room);
        Self { stage, rng, key, got: Vec::new() }
    }

    fn publish(&mut self, topic: &str, event: &str) {
        let bytes = self.rng.pick(&[0, 10, 100, 20_000]);
        self.stage.recorder.publish(topic, vec![body(event, bytes)], self.stage.chaos.now()).unwrap();
        if self.rng.chance(500) {
            self.turn();
        }
    }

    fn turn(&mut self) {
        self.stage.chaos.pass(5_000);
        self.stage.turn();
        let most = self.rng.pick(&[0, 7, 300, 1 << 20]);
        self.take(most);
    }

    fn take(&mut self, most: usize) {
        let bytes = self.stage.wires.borrow_mut().take(self.key, most);
        self.got.extend(bytes);
    }

    /// Reads everything there is; the lines and whether the stream is over.
    fn rest(&mut self) -> (Vec<String>, bool) {
        let (mut quiet, mut before) = (0, self.got.len());
        while quiet < 20 {
            self.stage.chaos.pass(5_000);
            self.stage.turn();
            self.take(1 << 20);
            quiet = if self.got.len() == before { quiet + 1 } else { 0 };
            before = self.got.len();
        }
        assert_eq!(self.stage.wires.borrow().misdeeds, [""; 0]);
        lines(std::str::from_utf8(&self.got).unwrap())
    }
}

/// Offsets of the lines.
fn offsets(lines: &[String]) -> Vec<usize> {
    lines.iter().filter_map(|line| line.split(':').nth(1)?.parse().ok()).collect()
}

#[test]
fn a_stream_is_over_behind_its_end_and_not_before() {
    let mut partial = 0;
    for seed in 0..super::number("MILLRACE_SEEDS").unwrap_or(150) {
        let mut story = Story::new(seed, vec!["a"]);
        let (before, behind) = (story.rng.below(30), story.rng.below(20));
        let mut shown = Vec::new();
        for number in 1..=before {
            let event = story.rng.pick(&["tick", "tick", "silent"]);
            shown.extend((event == "tick").then_some(number));
            story.publish("a", event);
            partial += u64::from(!story.got.is_empty() && !story.got.ends_with(b"\r\n"));
        }
        if story.rng.chance(200) {
            assert!(!story.rest().1, "seed {seed}: nothing has ended it");
        }
        let last = story.rng.pick(&["done", "done", "silent done"]);
        shown.extend((last == "done").then_some(before + 1));
        story.publish("a", last);
        (0..behind).for_each(|_| story.publish("a", "tick"));
        let (lines, is_over) = story.rest();
        assert!(
            is_over && story.stage.wires.borrow().is_over(story.key),
            "seed {seed}: {:?}",
            offsets(&lines)
        );
        assert_eq!(offsets(&lines), shown, "seed {seed}");
        assert_eq!(lines.last().unwrap(), "done", "seed {seed}: it says why");
    }
    assert!(partial > 50, "writes hardly ever stopped within a frame: {partial}");
}

#[test]
fn who_reads_several_topics_reads_on() {
    let mut partial = 0;
    for seed in 0..40 {
        let mut story = Story::new(seed, vec!["a", "b"]);
        for event in ["tick", "done", "tick", "done", "tick"] {
            story.publish("a", event);
            story.publish("b", event);
            partial += u64::from(!story.got.is_empty() && !story.got.ends_with(b"\r\n"));
        }
        let (lines, is_over) = story.rest();
        let of = |topic: &str| {
            offsets(&lines.iter().filter(|line| line.starts_with(topic)).cloned().collect::<Vec<_>>())
        };
        assert_eq!(
            (of("a:"), of("b:"), is_over),
            (vec![1, 2, 3, 4, 5], vec![1, 2, 3, 4, 5], false),
            "seed {seed}"
        );
    }
    assert!(partial > 5, "{partial}");
}

#[test]
fn a_socket_is_closed_as_done() {
    let mut stage = Stage::keeping(100, 0, 0, everybody());
    let dialect = || Box::new(Reading { topics: vec!["a"], conflate: false, linger: None });
    let keys = [0; 3].map(|_| stage.open(Transport::WebSocket, dialect(), Identity::anonymous()));
    for event in ["tick", "done", "tick"] {
        stage.recorder.publish("a", vec![body(event, 0)], stage.chaos.now()).unwrap();
        stage.turn();
    }
    for key in keys {
        let bytes = stage.wires.borrow_mut().take(key, usize::MAX);
        assert!(bytes.ends_with(b"\x88\x06\x03\xe8done"), "{bytes:?}");
        assert!(!bytes.windows(3).any(|three| three == b"a:3"), "{bytes:?}");
    }
}
