use std::sync::Arc;

use crossbeam_epoch as epoch;

use super::*;
use crate::dialect::topics::view;
use crate::dialect::{Linger, Transport};
use crate::engine::filter::FieldsBuilder;
use crate::engine::{Body, Encode, Namespace, Now, Parts, Retention, Slow, SlowPolicy, ViewId};
use crate::json::filter;

fn topic(events: usize) -> Topic {
    let slow = Slow { policy: SlowPolicy::Conflate, events: 0, bytes: 0, stall_ms: 0 };
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
    Topic::new("a".into(), 1, Arc::new(space), Now::default())
}

fn publish(topic: &Topic, event: &str, key: &str) {
    let body = Body::new(&Parts { event, key, data: b"1", ..Parts::default() });
    topic.publish_with(|| [body], Now::default(), |_| {}).unwrap();
}

fn class(filter: &str) -> Class {
    let filter = Some(Arc::new(filter::parse(filter).unwrap()));
    Class { encode: view(Transport::Lines, true), filter, conflate: true, linger: None }
}

fn key(topic: &Topic) -> Key {
    Key { group: 0, cursor: 0, head: topic.head() }
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
    let pin = epoch::pin();
    let from = Source { class: &class, topic: &topic, extract: &Nothing, pin: &pin, now: Now::default() };
    gather.fill(key(&topic), &from, &Sieve::default()).unwrap();
    assert_eq!(offsets(&gather), [2, 3]);
}

#[test]
fn what_is_lapped_after_it_was_picked_is_told() {
    let topic = topic(4);
    (0..4).for_each(|_| publish(&topic, "trade", ""));
    let mut gather = Gather::default();
    let class = class(r#"{"not":{"exists":"data.x"}}"#);
    let (key, pin, extract) = (key(&topic), epoch::pin(), Lapping(&topic));
    let from = Source { class: &class, topic: &topic, extract: &extract, pin: &pin, now: Now::default() };
    let made = gather.fill(key, &from, &Sieve::default());
    let told = made.is_err_and(|lagged| lagged.resume_at > 1);
    assert!(told || offsets(&gather).first() == Some(&1), "{:?}", offsets(&gather));
}

/// Says which events a frame holds.
struct Listing;

impl Encode for Listing {
    fn view(&self) -> ViewId {
        900
    }

    fn frame(&self, _: &Topic, entry: &Entry) -> Bytes {
        format!("[{}]", entry.offset).into()
    }

    fn batch(&self, _: &Topic, entries: &[&Entry], now: Now) -> Option<Bytes> {
        let offsets: Vec<_> = entries.iter().map(|entry| entry.offset).collect();
        (entries.len() > 1).then(|| format!("{offsets:?}@{}", now.unix_ms).into())
    }
}

fn batched(topic: &Topic, wanted: &str, conflate: bool) -> (String, Vec<(u32, u64)>, u64) {
    let filter = Some(Arc::new(filter::parse(wanted).unwrap()));
    let linger = Some(Linger { window_ms: 1, events: 3 });
    let class = Class { encode: &Listing, filter, conflate, linger };
    let (pin, now) = (epoch::pin(), Now { unix_ms: 7, micros: 0 });
    let mut gather = Gather::default();
    let from = Source { class: &class, topic, extract: &Nothing, pin: &pin, now };
    gather.fill(key(topic), &from, &Sieve::default()).unwrap();
    let marks = gather.marks().iter().map(|mark| (mark.events, mark.offset)).collect();
    (String::from_utf8(gather.bytes().to_vec()).unwrap(), marks, gather.to())
}

#[test]
fn what_may_go_together_is_one_frame_if_the_view_has_such() {
    let topic = topic(20);
    for event in ["trade", "quote", "trade", "trade", "trade", "quote"] {
        publish(&topic, event, "");
    }
    let (text, marks, to) = batched(&topic, r#"{"eq":["event","trade"]}"#, false);
    assert_eq!(text, "[1, 3, 4]@7[5]");
    assert_eq!((marks, to), (vec![(3, 4), (1, 5)], 6));
}

#[test]
fn batches_are_made_of_what_conflation_has_left() {
    let topic = topic(20);
    for key in ["x", "y", "x", "z", "y", "w"] {
        publish(&topic, "trade", key);
    }
    let (text, marks, to) = batched(&topic, r#"{"eq":["event","trade"]}"#, true);
    assert_eq!(text, "[3, 4, 5]@7[6]");
    assert_eq!((marks, to), (vec![(3, 5), (1, 6)], 6));
}

/// Says which events a frame holds; nothing follows a `done`.
struct Ending;

impl Encode for Ending {
    fn view(&self) -> ViewId {
        901
    }

    fn frame(&self, _: &Topic, entry: &Entry) -> Bytes {
        format!("[{}{}]", entry.offset, ".".repeat(entry.body.data().len() - 1)).into()
    }

    fn batch(&self, topic: &Topic, entries: &[&Entry], now: Now) -> Option<Bytes> {
        Listing.batch(topic, entries, now)
    }

    fn ends(&self, entry: &Entry) -> bool {
        entry.body.event() == "done"
    }
}

/// What is gathered behind `cursor`, where that leads, and whether anything may follow.
fn ended(topic: &Topic, cursor: u64, class: &Class) -> (String, u64, bool) {
    let (pin, mut gather) = (epoch::pin(), Gather::default());
    let from = Source { class, topic, extract: &Nothing, pin: &pin, now: Now::default() };
    gather.fill(Key { cursor, ..key(topic) }, &from, &Sieve::default()).unwrap();
    (String::from_utf8(gather.bytes().to_vec()).unwrap(), gather.to(), gather.ends())
}

#[test]
fn nothing_is_gathered_behind_what_ends() {
    let topic = topic(20);
    for (event, key) in [("a", "k"), ("done", ""), ("a", "k"), ("b", ""), ("done", "k"), ("a", "k")] {
        publish(&topic, event, key);
    }
    let mut class = Class { encode: &Ending, filter: None, conflate: false, linger: None };
    let of = |class: &Class| [0, 2, 5].map(|cursor| ended(&topic, cursor, class));
    let says = |text: &str, to, ends| (text.to_owned(), to, ends);
    assert_eq!(of(&class), [says("[1][2]", 2, true), says("[3][4][5]", 5, true), says("[6]", 6, false)]);
    class.conflate = true;
    assert_eq!(of(&class), [says("[1][2]", 2, true), says("[4][5]", 5, true), says("[6]", 6, false)]);
    (class.conflate, class.linger) = (false, Some(Linger { window_ms: 1, events: 2 }));
    assert_eq!(of(&class)[..2], [says("[1, 2]@0", 2, true), says("[3, 4]@0[5]", 5, true)]);
    class.linger = None;
    class.filter = Some(Arc::new(filter::parse(r#"{"eq":["event","a"]}"#).unwrap()));
    assert_eq!(ended(&topic, 0, &class), says("[1][3][6]", 6, false), "what it does not want ends nothing");
}

#[test]
fn an_end_that_must_wait_for_the_next_write_does_not_end_this_one() {
    let topic = topic(20);
    publish(&topic, "a", "");
    let body = Body::new(&Parts { event: "done", data: &[b'7'; 20_000], ..Parts::default() });
    topic.publish_with(|| [body], Now::default(), |_| {}).unwrap();
    for conflate in [false, true] {
        let class = Class { encode: &Ending, filter: None, conflate, linger: None };
        assert_eq!(ended(&topic, 0, &class), ("[1]".into(), 1, false));
        let (text, to, ends) = ended(&topic, 1, &class);
        assert!(text.len() > 19_000 && (to, ends) == (2, true));
    }
}
