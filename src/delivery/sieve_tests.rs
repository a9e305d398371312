use std::sync::Arc;

use crossbeam_epoch as epoch;

use super::*;
use crate::delivery::class::Class;
use crate::dialect::Transport;
use crate::dialect::topics::view;
use crate::engine::filter::{Extract, FieldsBuilder};
use crate::engine::{Body, Namespace, Now, Parts, Retention, Slow, SlowPolicy, Topic};
use crate::json::filter;

struct Nothing;

impl Extract for Nothing {
    fn fields(&self, _: &[u8], _: &mut FieldsBuilder) {}
}

fn topic(epoch: u64, events: usize) -> Topic {
    let slow = Slow { policy: SlowPolicy::Disconnect, events: 0, bytes: 0, stall_ms: 0 };
    let retention = Retention { events, bytes: 1 << 20, age_ms: 0 };
    let space = Namespace {
        retention,
        slow,
        presence: false,
        idempotency_ms: 0,
        idle_ms: 0,
        linger_ms: 0,
        rate: None,
    };
    Topic::new("a".into(), epoch, Arc::new(space), Now::default())
}

/// Publishes events of the types `0` to `kinds - 1`, in turn.
fn publish(topic: &Topic, count: u64, kinds: u64) {
    for _ in 0..count {
        let event = ((topic.head() + 1) % kinds).to_string();
        let body = Body::new(&Parts { event: &event, tags: &["t".into()], data: b"1", ..Parts::default() });
        topic.publish_with(|| [body], Now::default(), |_| {}).unwrap();
    }
}

fn class(text: &str) -> Class {
    let filter = Some(Arc::new(filter::parse(text).unwrap()));
    Class { encode: view(Transport::Lines, true), filter, conflate: false, linger: None }
}

/// Those of the events behind `after` that are looked at, and are wanted; none that is wanted may be ruled out.
fn looks(masks: &mut Masks, topic: &Topic, class: &Class, after: u64) -> (usize, usize) {
    let pin = epoch::pin();
    let from = Source { class, topic, extract: &Nothing, pin: &pin, now: Now::default() };
    let key = class.filter.as_ref().and_then(|filter| filter.key());
    let of = Key { group: 0, cursor: after, head: topic.head() };
    let sieve = masks.sieve(key.as_ref(), of, &from);
    let (mut looked, mut wanted) = (0, 0);
    for entry in (after + 1..=topic.head()).filter_map(|offset| topic.find(offset, &pin)) {
        looked += usize::from(!sieve.rules_out(entry.offset));
        wanted += usize::from(from.wants(entry));
        assert!(!(from.wants(entry) && sieve.rules_out(entry.offset)), "{}", entry.offset);
    }
    (looked, wanted)
}

#[test]
fn what_a_class_does_not_want_is_not_looked_at() {
    let (topic, mut masks) = (topic(1, 1000), Masks::default());
    publish(&topic, 100, 10);
    for kind in 0..10 {
        let class = class(&format!(r#"{{"eq":["event","{kind}"]}}"#));
        let (looked, wanted) = looks(&mut masks, &topic, &class, 0);
        assert_eq!(wanted, 10);
        assert!(looked <= 30, "{looked}");
    }
    assert_eq!(looks(&mut masks, &topic, &class(r#"{"exists":"event"}"#), 0), (100, 100));
}

#[test]
fn no_wanted_event_is_ruled_out_wherever_one_stands_and_whatever_was_asked_before() {
    let (topics, mut masks) = ([topic(1, 50), topic(2, 50)], Masks::default());
    let classes: Vec<_> = (0..20)
        .map(|i| format!(r#"{{"and":[{{"eq":["event","{}"]}},{{"eq":["tags","t"]}}]}}"#, i % 5))
        .chain((0..20).map(|i| format!(r#"{{"in":["data.f{i}",[1,2]]}}"#)))
        .chain((0..5).map(|i| format!(r#"{{"in":["event",["{i}","x"]]}}"#)))
        .map(|text| class(&text))
        .collect();
    for step in 0..2000_u64 {
        let topic = &topics[(step / 7 % 2) as usize];
        publish(topic, step % 4, 5 + step % 2);
        let behind = step * 7919 % 80;
        let class = &classes[(step * 31) as usize % classes.len()];
        looks(&mut masks, topic, class, topic.head().saturating_sub(behind));
    }
    assert_eq!(masks.columns.len(), SIEVE_FIELDS_MAX);
}
