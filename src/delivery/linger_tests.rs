use std::sync::Arc;

use bytes::Bytes;
use crossbeam_epoch as epoch;

use super::*;
use crate::delivery::class::Class;
use crate::engine::filter::{Extract, FieldsBuilder};
use crate::engine::{Body, Encode, Namespace, Now, Parts, Retention, Slow, SlowPolicy, Topic, ViewId};
use crate::json::filter;

struct Nothing;

impl Extract for Nothing {
    fn fields(&self, _: &[u8], _: &mut FieldsBuilder) {}
}

/// Says nothing, and of some events that they are urgent.
struct Hurried;

impl Encode for Hurried {
    fn view(&self) -> ViewId {
        902
    }

    fn frame(&self, _: &Topic, _: &Entry) -> Bytes {
        Bytes::new()
    }

    fn urgent(&self, entry: &Entry) -> bool {
        entry.body.event().ends_with('!')
    }
}

/// A topic, what waits of it, and the time.
struct Scene {
    topic: Topic,
    class: Class,
    lingering: Lingering,
    micros: u64,
}

const START: u64 = 1_000_000;
const ORDINARY: Retention = Retention { events: 1000, bytes: 1 << 20, age_ms: 0 };
const WINDOW: Linger = Linger { window_ms: 50, events: 4 };

impl Scene {
    fn new(retention: Retention, filter: Option<&str>) -> Self {
        let slow = Slow { policy: SlowPolicy::Disconnect, events: 0, bytes: 0, stall_ms: 0 };
        let space = Namespace {
            retention,
            slow,
            presence: false,
            idempotency_ms: 0,
            idle_ms: 0,
            linger_ms: 0,
            rate: None,
        };
        let lingering = Lingering::new(WINDOW, &space.retention, 0);
        let topic = Topic::new("a".into(), 1, Arc::new(space), Now::default());
        let filter = filter.map(|text| Arc::new(filter::parse(text).unwrap()));
        let class = Class { encode: &Hurried, filter, conflate: false, linger: Some(WINDOW) };
        Self { topic, class, lingering, micros: START }
    }

    fn ordinary() -> Self {
        Self::new(ORDINARY, None)
    }

    /// Of a topic whose namespace says how long events wait, for readers who ask for `window_ms`.
    fn lingering(linger_ms: u32, window_ms: u32) -> Self {
        let mut scene = Self::ordinary();
        let space = Namespace { linger_ms, ..scene.topic.namespace().clone() };
        let linger = Linger { events: 4, ..Linger { window_ms, events: 4 }.within(&space) };
        scene.lingering = Lingering::new(linger, &space.retention, 0);
        scene
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
    let mut scene = Scene::new(ORDINARY, Some(r#"{"eq":["event","x"]}"#));
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

#[test]
fn what_is_urgent_never_waits_nor_does_what_came_before_it() {
    let mut scene = Scene::ordinary();
    scene.publish(0, "x", 1);
    assert_eq!((scene.publish(10, "x", 2), scene.due_ms()), (1, Some(50)));
    assert_eq!((scene.publish(20, "x!", 1), scene.due_ms()), (4, None));
    assert_eq!((scene.publish(30, "x", 3), scene.due_ms()), (4, Some(70)), "it began a window");
    assert_eq!((scene.publish(40, "x!", 2), scene.due_ms()), (9, None), "more than a batch");
    assert_eq!((scene.publish(50, "x", 3), scene.due_ms()), (9, Some(90)));
    assert_eq!((scene.publish(51, "x", 1), scene.due_ms()), (13, None), "batches are counted from it on");
    assert_eq!(scene.publish(52, "x!", 1), 14);
}

#[test]
fn urgent_is_only_what_is_wanted() {
    let mut scene = Scene::new(ORDINARY, Some(r#"{"in":["event",["x","x!"]]}"#));
    scene.publish(0, "x", 1);
    assert_eq!((scene.publish(10, "x", 1), scene.publish(11, "y!", 1)), (1, 1));
    assert_eq!(scene.publish(12, "x!", 1), 4);
}

#[test]
fn the_longer_of_two_windows_counts() {
    let mut scene = Scene::lingering(20, 0);
    assert_eq!((scene.publish(0, "x", 1), scene.due_ms()), (1, None));
    assert_eq!((scene.publish(10, "x", 1), scene.due_ms()), (1, Some(20)));
    assert_eq!(scene.publish(11, "x!", 1), 3);
    let mut scene = Scene::lingering(20, 30);
    scene.publish(0, "x", 1);
    assert_eq!((scene.publish(10, "x", 1), scene.due_ms()), (1, Some(30)));
    let mut scene = Scene::lingering(0, 0);
    scene.publish(0, "x", 1);
    assert_eq!((scene.publish(10, "x", 1), scene.due_ms()), (2, None));
}
