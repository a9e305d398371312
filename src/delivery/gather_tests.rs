use std::sync::Arc;

use crossbeam_epoch as epoch;

use super::*;
use crate::dialect::Transport;
use crate::dialect::topics::view;
use crate::engine::filter::FieldsBuilder;
use crate::engine::{Body, Namespace, Now, Parts, Retention, Slow, SlowPolicy};
use crate::json::filter;

fn topic(events: usize) -> Topic {
    let slow = Slow { policy: SlowPolicy::Conflate, events: 0, bytes: 0, stall_ms: 0 };
    let retention = Retention { events, bytes: 1 << 20, age_ms: 0 };
    let space = Namespace { retention, slow, presence: false, idempotency_ms: 0, idle_ms: 0, rate: None };
    Topic::new("a".into(), 1, Arc::new(space), Now::default())
}

fn publish(topic: &Topic, event: &str, key: &str) {
    let body = Body::new(&Parts { event, key, data: b"1", ..Parts::default() });
    topic.publish_with(|| [body], Now::default(), |_| {}).unwrap();
}

fn class(filter: &str) -> Class {
    let filter = Some(Arc::new(filter::parse(filter).unwrap()));
    Class { encode: view(Transport::Lines, true), filter, conflate: true }
}

fn key(topic: &Topic) -> Key {
    Key { slot: 0, class: 0, cursor: 0, head: topic.head() }
}

fn offsets(gather: &Gather) -> Vec<u64> {
    gather.marks().iter().map(|mark| mark.offset).collect()
}

struct Nothing;

impl Extract for Nothing {
    fn fields(&self, _: &[u8], _: &mut FieldsBuilder) {}
}

/// Laps the reader as soon as it looks at an event.
struct Lapping<'t>(&'t Topic);

impl Extract for Lapping<'_> {
    fn fields(&self, _: &[u8], _: &mut FieldsBuilder) {
        (0..3).for_each(|_| publish(self.0, "trade", ""));
    }
}

#[test]
fn the_newest_of_a_key_is_the_newest_that_is_wanted() {
    let topic = topic(10);
    for (event, key) in [("trade", "x"), ("trade", "x"), ("trade", "y"), ("quote", "x")] {
        publish(&topic, event, key);
    }
    let mut gather = Gather::default();
    let class = class(r#"{"eq":["event","trade"]}"#);
    gather.fill(key(&topic), &class, &topic, &Nothing, &epoch::pin()).unwrap();
    assert_eq!(offsets(&gather), [2, 3]);
}

#[test]
fn what_is_lapped_after_it_was_picked_is_told() {
    let topic = topic(4);
    (0..4).for_each(|_| publish(&topic, "trade", ""));
    let mut gather = Gather::default();
    let class = class(r#"{"not":{"exists":"data.x"}}"#);
    let (key, pin) = (key(&topic), epoch::pin());
    let made = gather.fill(key, &class, &topic, &Lapping(&topic), &pin);
    let told = made.is_err_and(|lagged| lagged.resume_at > 1);
    assert!(told || offsets(&gather).first() == Some(&1), "{:?}", offsets(&gather));
}
