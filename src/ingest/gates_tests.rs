use std::time::Duration;

use super::*;
use crate::dialect::protocol::{Call, Fault, Reply};
use crate::engine::{Gate, Limited, Misfit, Namespace, Namespaces, Rate, Read, Retention, Slow, SlowPolicy};

/// Joins events called `part` into one within 100 ms, and counts what it sees.
#[derive(Default)]
struct Joiner {
    parts: Vec<u8>,
    due: Option<u64>,
    seen: usize,
}

impl Gate for Joiner {
    fn offer(&mut self, body: Body, now: Now, out: &mut Vec<Body>) -> bool {
        self.seen += 1;
        if body.event() == "part" {
            self.parts.extend_from_slice(body.data());
            self.due.get_or_insert(now.micros + 100_000);
            let full = self.parts.len() >= 20;
            if full {
                self.flush(now, out);
            }
            return full;
        }
        self.flush(now, out);
        out.push(body);
        true
    }

    fn due_micros(&self) -> Option<u64> {
        self.due
    }

    fn flush(&mut self, _now: Now, out: &mut Vec<Body>) {
        if self.due.take().is_some() {
            let data = std::mem::take(&mut self.parts);
            out.push(Body::new(&Parts { event: "joined", data: &data, ..Parts::default() }));
        }
    }

    fn summary(&self, _now: Now) -> Option<Vec<u8>> {
        Some(self.seen.to_string().into_bytes())
    }
}

/// Owns `own.*`, and refuses events called `wrong`.
struct Toy;

impl Protocol for Toy {
    fn name(&self) -> &'static str {
        "toy"
    }

    fn serve(&self, _call: &Call<'_>) -> Option<Result<Reply, Fault>> {
        None
    }

    fn owns(&self, topic: &str) -> bool {
        topic.starts_with("own.")
    }

    fn admit(&self, _topic: &str, body: Body, _now: Now) -> Result<Body, Misfit> {
        if body.event() == "wrong" {
            return Err(Misfit { field: "x".into(), problem: "is wrong".into() });
        }
        Ok(body)
    }

    fn gate(&self, topic: &str) -> Option<Box<dyn Gate>> {
        (topic != "own.open").then(|| Box::new(Joiner::default()) as _)
    }

    fn dropped(&self, dropped: u64) -> Option<Vec<u8>> {
        Some(dropped.to_string().into_bytes())
    }
}

fn at(millis: u64) -> Now {
    Now { unix_ms: millis, micros: millis * 1000 }
}

fn publisher(rate: Option<Rate>) -> Publisher {
    let slow = Slow { policy: SlowPolicy::Disconnect, events: 0, bytes: 0, stall_ms: 0 };
    let retention = Retention { events: 1000, bytes: 1 << 20, age_ms: 1000 };
    let space = Namespace {
        retention,
        slow,
        presence: false,
        idempotency_ms: 1000,
        idle_ms: 1000,
        linger_ms: 0,
        rate,
    };
    let registry = Registry::new(Namespaces::new(Vec::new(), space), 100, 1);
    Publisher::new(Arc::new(registry), Arc::default(), Arc::new(Protocols::new(vec![Box::new(Toy)])))
}

fn event(event: &str, data: &str, idempotency_key: &str) -> Body {
    Body::new(&Parts { event, data: data.as_bytes(), idempotency_key, ..Parts::default() })
}

/// Offsets (0 for what is held back), or nothing for what was refused.
fn publish(publisher: &Publisher, topic: &str, events: &[&str], now: Now) -> Vec<Option<u64>> {
    let bodies =
        events.iter().map(|said| event(said.trim_end_matches(|c: char| c.is_ascii_digit()), said, ""));
    let placed = publisher.publish(topic, bodies.collect(), now).unwrap();
    placed.places.into_iter().map(|place| place.ok().map(|place| place.offset)).collect()
}

fn log(publisher: &Publisher, topic: &str) -> Vec<String> {
    let Some(topic) = publisher.registry.find(topic) else { return Vec::new() };
    let pin = crossbeam_epoch::pin();
    let (mut found, mut at) = (Vec::new(), topic.oldest() - 1);
    while let Read::Entry(offset, entry) = topic.read(at, &pin) {
        at = offset;
        found.push(String::from_utf8_lossy(entry.body.data()).into_owned());
    }
    found
}

#[test]
fn held_events_have_no_place_and_go_before_what_follows() {
    let publisher = publisher(None);
    let places = publish(&publisher, "own.a", &["x1", "part1", "wrong", "part2", "x2", "part3"], at(10));
    assert_eq!(places, [Some(1), Some(0), None, Some(0), Some(3), Some(0)]);
    assert_eq!(log(&publisher, "own.a"), ["x1", "part1part2", "x2"]);
    assert_eq!(publisher.flush_due(at(50)), Some(110_000));
    assert_eq!(publisher.flush_due(at(110)), None);
    assert_eq!(log(&publisher, "own.a").last().unwrap(), "part3");
}

#[test]
fn an_event_that_completes_what_is_held_has_its_place() {
    let publisher = publisher(None);
    assert_eq!(publish(&publisher, "own.a", &["part1"; 3], at(10)), [Some(0); 3]);
    assert_eq!(publish(&publisher, "own.a", &["part1", "x"], at(20)), [Some(1), Some(2)]);
    assert_eq!(publisher.flush_due(at(500)), None);
}

#[test]
fn what_is_due_is_listed_once_however_often_it_changes() {
    let publisher = publisher(None);
    for _ in 0..100 {
        publish(&publisher, "own.a", &["part1"], at(10));
        publish(&publisher, "own.a", &["x"], at(10));
    }
    publish(&publisher, "own.a", &["part2"], at(60));
    assert_eq!(publisher.flush_due(at(110)), Some(160_000), "looked at too early once, and listed again");
    assert_eq!(publisher.flush_due(at(160)), None);
    assert_eq!(log(&publisher, "own.a").len(), 201);
}

#[test]
fn each_topic_has_a_gate_of_its_own_and_some_have_none() {
    let publisher = publisher(None);
    publish(&publisher, "own.a", &["x", "x"], at(10));
    publish(&publisher, "own.b", &["x"], at(10));
    assert_eq!(publish(&publisher, "own.open", &["part"], at(10)), [Some(1)]);
    publish(&publisher, "other", &["part"], at(10));
    let seen = |topic: &str| publisher.summary(topic, at(10)).map(|json| String::from_utf8(json).unwrap());
    assert_eq!(seen("own.a").as_deref(), Some("2"));
    assert_eq!(seen("own.b").as_deref(), Some("1"));
    assert_eq!((seen("own.open"), seen("other"), seen("own.unknown")), (None, None, None));
    assert!(publisher.registry.find("own.unknown").is_none());
}

#[test]
fn a_gate_ends_with_its_topic() {
    let publisher = publisher(None);
    publish(&publisher, "own.a", &["x"], at(10));
    let sweep = |now| (0..Registry::parts()).for_each(|part| publisher.registry.sweep(part, now));
    [at(5000), at(10_000)].into_iter().for_each(sweep);
    assert!(publisher.registry.is_empty());
    assert_eq!(publisher.summary("own.a", at(10_000)), None);
    publish(&publisher, "own.a", &["x"], at(10_000));
    assert_eq!(publisher.summary("own.a", at(10_000)).unwrap(), b"1");
}

#[test]
fn the_gate_does_not_see_what_the_log_knows() {
    let publisher = publisher(None);
    let twice = || vec![event("x", "1", "k"), event("x", "1", "k"), event("part", "1", "p")];
    let placed = publisher.publish("own.a", twice(), at(10)).unwrap();
    let first = Published { offset: 1, duplicate: false };
    assert_eq!(placed.places[..2], [Ok(first), Ok(Published { duplicate: true, ..first })]);
    publisher.publish("own.a", vec![event("x", "1", "k")], at(20)).unwrap();
    assert_eq!(publisher.summary("own.a", at(20)).unwrap(), b"2");
}

#[test]
fn at_the_end_nothing_is_held_back_any_more() {
    let publisher = publisher(None);
    publish(&publisher, "own.a", &["part1"], at(10));
    publisher.close(at(20));
    assert_eq!(log(&publisher, "own.a"), ["part1"]);
    assert_eq!(publish(&publisher, "own.a", &["part2"], at(30)), [Some(0)]);
    assert_eq!(log(&publisher, "own.a"), ["part1", "part2"]);
}

#[test]
fn what_comes_too_fast_is_refused_and_told_of_even_after_the_burst() {
    let publisher = publisher(Rate::new(2, 2));
    let told =
        |topic: &str| publisher.registry.find(topic).unwrap().notices().newest().map(|text| text.to_vec());
    assert_eq!(publish(&publisher, "own.a", &["x"; 5], at(5000)), [Some(1), Some(2), None, None, None]);
    assert_eq!(told("own.a").unwrap(), b"3");
    let limited = publisher.publish("own.a", vec![event("x", "1", "")], at(5010)).unwrap().places.remove(0);
    assert_eq!(limited, Err(Unplaced::Limited(Limited { retry_after_ms: 490 })));
    assert_eq!(publish(&publisher, "own.a", &["x"], at(5020)), [None]);
    assert_eq!(publisher.flush_due(at(5030)), Some(6_000_000));
    assert_eq!(publisher.flush_due(at(6000)), None);
    assert_eq!(told("own.a").unwrap(), b"2");
    assert_eq!(log(&publisher, "own.a").len(), 2);
}

#[test]
fn the_last_word_on_what_was_refused_is_said_at_the_end() {
    let publisher = publisher(Rate::new(1, 1));
    publish(&publisher, "own.a", &["x"; 2], at(5000));
    publish(&publisher, "own.a", &["x"; 3], at(5001));
    publisher.close(at(5002));
    let topic = publisher.registry.find("own.a").unwrap();
    assert_eq!(&**topic.notices().newest().unwrap(), b"3");
}

#[test]
fn publishers_of_other_topics_are_not_kept_waiting() {
    let publisher = publisher(None);
    publish(&publisher, "own.a", &["x"], at(10));
    let topic = publisher.registry.find("own.a").unwrap();
    let held = lock(topic.gate(|| None).unwrap());
    std::thread::scope(|scope| {
        let (done, finished) = std::sync::mpsc::sync_channel(1);
        let publisher = &publisher;
        scope.spawn(move || {
            publish(publisher, "own.b", &["part", "x"], at(10));
            done.send(publisher.summary("own.b", at(10))).unwrap();
        });
        assert!(finished.recv_timeout(Duration::from_secs(20)).unwrap().is_some());
        drop(held);
    });
}
