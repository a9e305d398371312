use std::sync::Arc;

use crossbeam_epoch as epoch;

use super::*;
use crate::delivery::class::Class;
use crate::dialect::Transport;
use crate::dialect::topics::view;
use crate::engine::filter::{Extract, FieldsBuilder};
use crate::engine::{Body, Namespace, Now, Parts, Slow, SlowPolicy, Topic};
use crate::json::filter;

struct Nothing;

impl Extract for Nothing {
    fn fields(&self, _: &[u8], _: &mut FieldsBuilder) {}
}

/// A topic, what waits of it, and the time.
struct Scene {
    topic: Topic,
    class: Class,
    lingering: Lingering,
    micros: u64,
}

const START: u64 = 1_000_000;
const WINDOW: Linger = Linger { window_ms: 50, events: 4 };

impl Scene {
    fn new(retention: Retention, filter: Option<&str>) -> Self {
        let slow = Slow { policy: SlowPolicy::Disconnect, events: 0, bytes: 0, stall_ms: 0 };
        let space = Namespace { retention, slow, presence: false, idempotency_ms: 0, idle_ms: 0, rate: None };
        let topic = Topic::new("a".into(), 1, Arc::new(space), Now::default());
        let filter = filter.map(|text| Arc::new(filter::parse(text).unwrap()));
        let encode = view(Transport::Lines, true);
        let class = Class { encode, filter, conflate: false, linger: Some(WINDOW) };
        Self { topic, class, lingering: Lingering::new(WINDOW, &retention, 0), micros: START }
    }

    fn ordinary() -> Self {
        Self::new(Retention { events: 1000, bytes: 1 << 20, age_ms: 0 }, None)
    }

    /// Publishes `events` of `kind`, `millis` after the start; the newest that may go then.
    fn publish(&mut self, millis: u64, kind: &str, events: usize) -> u64 {
        let bodies = (0..events).map(|_| Body::new(&Parts { event: kind, data: b"1", ..Parts::default() }));
        let now = Now { unix_ms: 0, micros: START + millis * 1000 };
        self.topic.publish_with(|| bodies, now, |_| {}).unwrap();
        self.look(millis)
    }

    /// The newest that may go after `millis`. Whatever goes and is wanted begins a window, as the shard has it.
    fn look(&mut self, millis: u64) -> u64 {
        self.micros = START + millis * 1000;
        let (pin, now) = (epoch::pin(), Now { unix_ms: 0, micros: self.micros });
        let from = Source { class: &self.class, topic: &self.topic, extract: &Nothing, pin: &pin, now };
        let before = self.lingering.released();
        self.lingering.release(self.topic.head(), &from);
        let released = self.lingering.released();
        if (before + 1..=released).any(|offset| self.topic.find(offset, &pin).is_some_and(|e| from.wants(e)))
        {
            self.lingering.sent(self.micros);
        }
        released
    }

    fn due_ms(&self) -> Option<u64> {
        self.lingering.due().map(|due| (due - START) / 1000)
    }
}

#[test]
fn the_edge_leads_and_the_rest_goes_when_the_window_ends() {
    let mut scene = Scene::ordinary();
    assert_eq!((scene.publish(0, "x", 1), scene.due_ms()), (1, None));
    assert_eq!((scene.publish(10, "x", 1), scene.due_ms()), (1, Some(50)));
    assert_eq!((scene.publish(49, "x", 1), scene.due_ms()), (1, Some(50)));
    assert_eq!((scene.look(50), scene.due_ms()), (3, None));
    assert_eq!((scene.publish(99, "x", 1), scene.due_ms()), (3, Some(100)));
    assert_eq!(scene.look(100), 4);
    assert_eq!((scene.publish(150, "x", 1), scene.due_ms()), (5, None));
}

#[test]
fn a_full_batch_never_waits_and_begins_a_window() {
    let mut scene = Scene::ordinary();
    scene.publish(0, "x", 1);
    assert_eq!((scene.publish(10, "x", 3), scene.due_ms()), (1, Some(50)));
    assert_eq!((scene.publish(20, "x", 2), scene.due_ms()), (5, Some(70)));
    assert_eq!((scene.publish(30, "x", 8), scene.due_ms()), (13, Some(80)));
    assert_eq!(scene.look(80), 14);
}

#[test]
fn only_what_is_wanted_fills_a_batch_or_begins_a_window() {
    let ordinary = Retention { events: 1000, bytes: 1 << 20, age_ms: 0 };
    let mut scene = Scene::new(ordinary, Some(r#"{"eq":["event","x"]}"#));
    assert_eq!(scene.publish(0, "y", 1), 1);
    assert_eq!(scene.publish(10, "x", 1), 2);
    assert_eq!(scene.publish(20, "y", 9), 2);
    assert_eq!(scene.publish(21, "x", 3), 2);
    assert_eq!(scene.publish(22, "x", 1), 15);
    assert_eq!(scene.publish(23, "y", 1), 15);
    assert_eq!(scene.look(73), 16);
    assert_eq!(scene.publish(74, "x", 1), 17);
}

#[test]
fn nothing_waits_until_it_is_lost() {
    let mut scene = Scene::new(Retention { events: 6, bytes: 1 << 20, age_ms: 0 }, None);
    scene.publish(0, "x", 1);
    assert_eq!(scene.publish(1, "x", 3), 1);
    assert_eq!(scene.publish(2, "x", 1), 5);
    let mut scene = Scene::new(Retention { events: 100, bytes: 8, age_ms: 0 }, None);
    scene.publish(0, "x", 1);
    assert_eq!((scene.publish(1, "x", 2), scene.publish(2, "x", 1)), (1, 4));
    let mut scene = Scene::new(Retention { events: 100, bytes: 1 << 20, age_ms: 40 }, None);
    scene.publish(0, "x", 1);
    scene.publish(10, "x", 1);
    assert_eq!(scene.due_ms(), Some(20));
}
