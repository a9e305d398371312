use proptest::prelude::*;

use super::*;
use crate::engine::namespace::{Retention, Slow, SlowPolicy};
use crate::engine::{Parts, Wake};

fn topic(retention: Retention, idempotency_ms: u64) -> Topic {
    let slow = Slow { policy: SlowPolicy::Disconnect, events: 0, bytes: 0, stall_ms: 0 };
    let space =
        Namespace { retention, slow, presence: true, idempotency_ms, idle_ms: 100, linger_ms: 0, rate: None };
    Topic::new("a".into(), 7, Arc::new(space), at(0))
}

fn keep(events: usize, bytes: u64, age_ms: u64) -> Retention {
    Retention { events, bytes, age_ms }
}

fn at(millis: u64) -> Now {
    Now { unix_ms: 1_000_000 + millis, micros: millis * 1000 }
}

fn body(bytes: usize, idempotency_key: &str) -> Body {
    let key_bytes = idempotency_key.len();
    let data = vec![b'1'; bytes - key_bytes];
    Body::new(&Parts { idempotency_key, data: &data, ..Parts::default() })
}

fn publish(topic: &Topic, bodies: Vec<Body>, now: Now) -> Vec<Published> {
    let mut places = Vec::new();
    topic.publish_with(|| bodies, now, |place| places.push(place)).expect("the topic was not removed");
    places
}

fn kept(topic: &Topic) -> Vec<u64> {
    (topic.oldest()..=topic.head()).collect()
}

#[test]
fn each_bound_of_retention_holds() {
    let by_events = topic(keep(3, 1000, 0), 0);
    (0..5).for_each(|_| drop(publish(&by_events, vec![body(10, "")], at(0))));
    assert_eq!(kept(&by_events), [3, 4, 5]);

    let by_bytes = topic(keep(100, 100, 0), 0);
    (0..5).for_each(|_| drop(publish(&by_bytes, vec![body(40, "")], at(0))));
    assert_eq!(kept(&by_bytes), [4, 5]);
    publish(&by_bytes, vec![body(500, "")], at(0));
    assert_eq!(kept(&by_bytes), [6], "an event above the bound is kept until the next");

    let by_age = topic(keep(100, 1000, 50), 0);
    for millis in [0, 30, 60] {
        publish(&by_age, vec![body(1, "")], at(millis));
    }
    by_age.sweep(at(80));
    assert_eq!(kept(&by_age), [2, 3]);
    by_age.sweep(at(111));
    assert_eq!((kept(&by_age).len(), by_age.head(), by_age.oldest()), (0, 3, 4));
}

proptest! {
    #[test]
    fn retention_keeps_as_much_as_it_may(
        sizes in prop::collection::vec(1..60_usize, 1..80),
        events in 1..20_usize,
        bytes in 1..400_u64,
    ) {
        let topic = topic(keep(events, bytes, 0), 0);
        let mut model: Vec<(u64, usize)> = Vec::new();
        let pin = epoch::pin();
        for (size, offset) in sizes.into_iter().zip(1..) {
            publish(&topic, vec![body(size, "")], at(offset));
            let sum = |model: &[(u64, usize)]| model.iter().map(|(_, size)| *size as u64).sum::<u64>();
            while !model.is_empty() && (model.len() >= events || sum(&model) + size as u64 > bytes) {
                model.remove(0);
            }
            model.push((offset, size));
            prop_assert_eq!(kept(&topic), model.iter().map(|(offset, _)| *offset).collect::<Vec<_>>());
            for (i, &(offset, _)) in model.iter().enumerate() {
                prop_assert_eq!(topic.backlog_bytes(offset - 1, &pin), sum(&model[i..]));
                prop_assert_eq!(topic.before_time(at(offset).unix_ms, &pin), offset - 1);
            }
            for wanted in [0, 1, bytes / 2, bytes] {
                let most = (0..=model.len()).find(|&i| sum(&model[i..]) <= wanted).unwrap_or(0);
                let expected = model.get(most).map_or(topic.head(), |(offset, _)| offset - 1);
                prop_assert_eq!(topic.before_bytes(wanted, &pin), expected, "{} bytes", wanted);
            }
        }
    }
}

#[test]
fn an_idempotency_key_counts_for_the_window_of_the_namespace() {
    let known = topic(keep(10, 1000, 0), 50);
    let place = |topic: &Topic, millis| publish(topic, vec![body(5, "k")], at(millis))[0];
    assert_eq!(place(&known, 0), Published { offset: 1, duplicate: false });
    assert_eq!(place(&known, 49), Published { offset: 1, duplicate: true });
    assert_eq!(place(&known, 50), Published { offset: 2, duplicate: false });
    let batch = publish(&known, vec![body(5, "x"), body(5, ""), body(5, "x")], at(60));
    assert_eq!(batch.iter().map(|place| place.offset).collect::<Vec<_>>(), [3, 4, 3]);

    let off = topic(keep(10, 1000, 0), 0);
    assert_eq!(
        [place(&off, 0), place(&off, 0)].map(|place| (place.offset, place.duplicate)),
        [(1, false), (2, false)]
    );
}

#[test]
fn a_sweep_forgets_keys_that_are_over() {
    let topic = topic(keep(10, 1000, 0), 50);
    publish(&topic, vec![body(5, "k")], at(0));
    topic.sweep(at(49));
    assert!(topic.ring.claim().idempotency.is_some());
    topic.sweep(at(50));
    assert!(topic.ring.claim().idempotency.is_none());
}

#[test]
fn who_is_idle_goes_and_only_once() {
    let topic = topic(keep(10, 1000, 50), 0);
    publish(&topic, vec![body(5, "")], at(0));
    assert!(!topic.remove_if_idle(at(200)), "it keeps something");
    topic.sweep(at(200));
    assert_eq!((topic.join(1), topic.join(1)), (Ok(true), Ok(false)));
    assert!(!topic.remove_if_idle(at(200)), "it is read");
    topic.leave(at(200));
    assert!(!topic.remove_if_idle(at(299)), "it was read a moment ago");
    assert_eq!([topic.remove_if_idle(at(300)), topic.remove_if_idle(at(300))], [true, false]);
    assert_eq!(topic.join(0), Err(Removed));
    assert_eq!(topic.publish_with(|| [body(1, "")], at(300), |_| {}), Err(Removed));
}

#[test]
fn an_idle_time_of_zero_is_never() {
    let mut topic = topic(keep(10, 1000, 0), 0);
    topic.namespace = Arc::new(Namespace { idle_ms: 0, ..topic.namespace.as_ref().clone() });
    assert!(!topic.remove_if_idle(at(1 << 40)));
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(&self, _slot: u32) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_batch_wakes_once_until_the_mark_is_cleared() {
    let (topic, woken) = (topic(keep(10, 1000, 0), 0), Arc::new(Woken::default()));
    let interest = Arc::new(Interest::new(0, Arc::clone(&woken) as _));
    topic.attach(&interest);
    publish(&topic, vec![body(1, ""), body(1, "")], at(0));
    publish(&topic, vec![body(1, "")], at(0));
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    interest.clear();
    publish(&topic, vec![body(1, "")], at(0));
    assert_eq!(woken.0.load(Ordering::Relaxed), 2);
    topic.detach(&interest);
    interest.clear();
    publish(&topic, vec![body(1, "")], at(0));
    assert_eq!(woken.0.load(Ordering::Relaxed), 2);
}
