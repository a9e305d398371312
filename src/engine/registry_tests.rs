use std::sync::Barrier;
use std::thread;

use super::*;
use crate::engine::namespace::{Namespace, Retention, Slow, SlowPolicy};
use crate::sync::{Mutex, lock};

fn registry(topics_max: usize) -> Registry {
    let slow = Slow { policy: SlowPolicy::Disconnect, events: 0, bytes: 0, stall_ms: 0 };
    let retention = Retention { events: 10, bytes: 1000, age_ms: 50 };
    let space = Namespace {
        retention,
        slow,
        presence: false,
        idempotency_ms: 0,
        idle_ms: 100,
        linger_ms: 0,
        rate: None,
    };
    Registry::new(Namespaces::new(Vec::new(), space), topics_max, 40)
}

fn at(millis: u64) -> Now {
    Now { unix_ms: millis, micros: millis * 1000 }
}

fn sweep(registry: &Registry, now: Now) {
    (0..Registry::parts()).for_each(|part| registry.sweep(part, now));
}

#[derive(Default)]
struct Seen(Mutex<Vec<(u64, String)>>);

impl Watch for Seen {
    fn created(&self, watch: u64, topic: &Arc<Topic>) {
        lock(&self.0).push((watch, topic.name().to_string()));
    }
}

#[test]
fn a_topic_is_reborn_with_a_new_epoch() {
    let registry = registry(10);
    let first = registry.topic("a", at(0)).unwrap();
    assert!(Arc::ptr_eq(&first, &registry.topic("a", at(0)).unwrap()));
    sweep(&registry, at(99));
    assert_eq!(registry.len(), 1);
    sweep(&registry, at(100));
    assert!(registry.is_empty() && registry.find("a").is_none());
    let second = registry.topic("a", at(100)).unwrap();
    assert_eq!((first.epoch(), second.epoch(), second.head()), (40, 41, 0));
    assert!(first.join(0).is_err() && second.join(0).is_ok());
}

#[test]
fn who_is_late_to_remove_a_topic_leaves_its_successor() {
    let registry = registry(10);
    let first = registry.topic("a", at(0)).unwrap();
    sweep(&registry, at(100));
    let second = registry.topic("a", at(100)).unwrap();
    registry.remove(registry.part("a"), &first, at(100));
    assert!(registry.find("a").is_some_and(|found| Arc::ptr_eq(&found, &second)));
    assert_eq!(registry.len(), 1);
}

#[test]
fn the_limit_and_the_names_are_checked() {
    let registry = registry(1);
    assert!(matches!(registry.topic("a..b", at(0)), Err(TopicError::Name(_))));
    registry.topic("a", at(0)).unwrap();
    assert_eq!(registry.topic("b", at(0)).map(|_| ()), Err(TopicError::TooMany(1)));
    assert!(registry.topic("a", at(0)).is_ok());
}

#[test]
fn lists_are_sorted_and_cut() {
    let registry = registry(100);
    for name in ["b.2", "b.1", "a", "b.3"] {
        registry.topic(name, at(0)).unwrap();
    }
    let list = |prefix, after, limit| -> Vec<String> {
        registry.list(prefix, after, limit).iter().map(|topic| topic.name().to_string()).collect()
    };
    assert_eq!(list("b.", "", 2), ["b.1", "b.2"]);
    assert_eq!(list("b.", "b.2", 2), ["b.3"]);
    assert_eq!(list("", "", 9), ["a", "b.1", "b.2", "b.3"]);
    let odd = registry.list_where("b.", "", 2, |name| name != "b.2");
    assert_eq!(odd.iter().map(|topic| &**topic.name()).collect::<Vec<_>>(), ["b.1", "b.3"]);
}

#[test]
fn a_watch_ends_when_its_owner_says_so() {
    let (registry, seen, other) = (registry(10), Arc::new(Seen::default()), Arc::new(Seen::default()));
    registry.watch(1, Pattern::parse("a.*").unwrap(), Arc::clone(&seen) as _);
    registry.watch(1, Pattern::parse("a.*").unwrap(), Arc::clone(&other) as _);
    registry.topic("a.x", at(0)).unwrap();
    registry.unwatch(1, &(Arc::clone(&seen) as Arc<dyn Watch>));
    for name in ["a.y", "b.y"] {
        registry.topic(name, at(0)).unwrap();
    }
    assert_eq!((lock(&seen.0).len(), lock(&other.0).len()), (1, 2));
}

/// Topics are made on one thread while a pattern is added on another: each is reported, or listed, or both.
#[test]
fn a_topic_made_while_a_pattern_is_added_is_never_missed() {
    for round in 0..200 {
        let (registry, seen, start) = (registry(100), Arc::new(Seen::default()), Barrier::new(2));
        let pattern = Pattern::parse("a.*").unwrap();
        let listed = thread::scope(|scope| {
            scope.spawn(|| {
                start.wait();
                (0..20).for_each(|n| drop(registry.topic(&format!("a.{n}"), at(0)).unwrap()));
            });
            start.wait();
            (0..round % 20).for_each(|_| thread::yield_now());
            registry.watch(1, pattern.clone(), Arc::clone(&seen) as _);
            registry.matching(&pattern)
        });
        let mut all: Vec<_> = listed.iter().map(|topic| topic.name().to_string()).collect();
        all.extend(lock(&seen.0).iter().map(|(_, name)| name.clone()));
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 20, "round {round}");
    }
}
