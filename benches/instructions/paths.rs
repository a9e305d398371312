//! The paths whose instructions are counted.

use std::hint::black_box;
use std::sync::Arc;

use crossbeam_epoch as epoch;
use gungraun::{library_benchmark, library_benchmark_group, main};
use millrace::delivery::class::Class;
use millrace::delivery::gather::{Gather, Key, Source};
use millrace::delivery::sieve::Sieve;
use millrace::dialect::Transport;
use millrace::dialect::topics::view;
use millrace::engine::filter::{Extract, Fields, FieldsBuilder, Filter};
use millrace::engine::{Body, Namespace, Now, Parts, Read, Retention, Slow, SlowPolicy, Topic};
use millrace::json::fields::JsonFields;
use millrace::json::{envelope, filter};
use millrace::wire::websocket::{Opcode, encode_frame};

/// A line as publishers send it.
const LINE: &[u8] =
    br#"{"topic":"logs.api","type":"tick","key":"k1","data":{"m":5,"user":{"name":"Ann"},"ms":184}}"#;

fn topic(events: u64) -> Topic {
    let slow = Slow { policy: SlowPolicy::Disconnect, events: 0, bytes: 0, stall_ms: 0 };
    let retention = Retention { events: 1024, bytes: 64 << 20, age_ms: 0 };
    let space = Namespace {
        retention,
        slow,
        presence: false,
        idempotency_ms: 0,
        idle_ms: 0,
        linger_ms: 0,
        rate: None,
    };
    let topic = Topic::new("bench.topic".into(), 1, Arc::new(space), Now::default());
    (0..events).for_each(|_| publish(&topic));
    topic
}

fn publish(topic: &Topic) {
    let body = Body::new(&Parts { event: "tick", data: &[b'7'; 256], ..Parts::default() });
    topic.publish_with(|| [body], Now::default(), |_| {}).expect("the topic is there");
}

fn class() -> Class {
    Class { encode: view(Transport::WebSocket, true), filter: None, conflate: false, linger: None }
}

/// A gather whose frames are made already, and one whose frames are not.
fn gathered(events: u64) -> (Topic, Gather) {
    let (topic, mut gather) = (topic(events), Gather::default());
    fill(&topic, &mut gather);
    (topic, gather)
}

fn fill(topic: &Topic, gather: &mut Gather) {
    let key = Key { group: 0, cursor: 0, head: topic.head() };
    let (class, pin) = (class(), epoch::pin());
    let from = Source { class: &class, topic, extract: &JsonFields, pin: &pin, now: Now::default() };
    gather.fill(key, &from, &Sieve::default()).expect("all is kept");
}

fn matched() -> (Filter, Fields) {
    let text = r#"{"and":[{"eq":["event","tick"]},{"gt":["data.ms",100]},{"glob":["data.user.name","A*"]}]}"#;
    let mut fields = FieldsBuilder::new("tick", "1:1", Some("k1"), ["red"]);
    JsonFields.fields(br#"{"user":{"name":"Ann"},"ms":184}"#, &mut fields);
    (filter::parse(text).expect("a filter"), fields.finish())
}

#[library_benchmark]
#[bench::empty(topic(0))]
#[bench::full(topic(1024))]
fn append(topic: Topic) -> Topic {
    publish(black_box(&topic));
    topic
}

#[library_benchmark]
#[bench::of_64(topic(64))]
fn read(topic: Topic) -> Topic {
    let (pin, mut cursor) = (epoch::pin(), 0);
    while let Read::Entry(offset, entry) = topic.read(cursor, &pin) {
        black_box(entry.body.data());
        cursor = offset;
    }
    topic
}

#[library_benchmark]
#[bench::made_1(gathered(1))]
#[bench::made_16(gathered(16))]
#[bench::made_64(gathered(64))]
#[bench::fresh_16((topic(16), Gather::default()))]
fn gather(prepared: (Topic, Gather)) -> (Topic, Gather) {
    let (topic, mut gather) = prepared;
    fill(&topic, &mut gather);
    (topic, gather)
}

#[library_benchmark]
#[bench::of_256(vec![b'x'; 256], Vec::with_capacity(512))]
fn frame(payload: Vec<u8>, mut out: Vec<u8>) -> Vec<u8> {
    encode_frame(&mut out, Opcode::Text, false, black_box(&payload));
    out
}

#[library_benchmark]
#[bench::three_leaves(matched())]
fn evaluate(prepared: (Filter, Fields)) -> bool {
    prepared.0.evaluate(black_box(&prepared.1))
}

#[library_benchmark]
fn parse() -> usize {
    envelope::parse_routed(black_box(LINE), None).map_or(0, |routed| routed.publication.data.len())
}

library_benchmark_group!(name = hot, benchmarks = [append, read, gather, frame, evaluate, parse]);
main!(library_benchmark_groups = hot);

/// What the runner calls.
pub fn run() {
    main();
}
