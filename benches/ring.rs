//! The log of a topic: `cargo bench --bench ring`. Appending by one and by eight threads, with the claim as it is and with
//! a variant that links entries without one (docs/decisions/0002-writers.md); reading; gathering; publish and read.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use crossbeam_epoch::{self as epoch, Atomic, Guard, Owned};
use millrace::delivery::class::Class;
use millrace::delivery::gather::{Gather, Key, Source};
use millrace::delivery::sieve::Sieve;
use millrace::dialect::Transport;
use millrace::dialect::topics::view;
use millrace::engine::ring::{Read, Ring, Weigh};
use millrace::engine::{Body, Namespace, Now, Parts, Retention, Slow, SlowPolicy, Topic};
use millrace::json::fields::JsonFields;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const KEPT: usize = 1024;

/// What stands for an entry: something to allocate and to free.
struct Event(Box<[u8]>);

impl Event {
    fn new() -> Self {
        Self(vec![b'x'; 256].into_boxed_slice())
    }
}

impl Weigh for Event {
    fn weight(&self) -> usize {
        self.0.len()
    }
}

/// A log that several threads may append to.
trait Log: Default + Send + Sync + 'static {
    fn append(&self);
}

struct Claimed(Ring<Event, ()>);

impl Default for Claimed {
    fn default() -> Self {
        Self(Ring::new(()))
    }
}

impl Log for Claimed {
    fn append(&self) {
        let event = Event::new();
        let pin = epoch::pin();
        let mut claim = self.0.claim();
        while claim.len() >= KEPT {
            claim.expire(&pin);
        }
        claim.append(event, &pin);
    }
}

/// Claim-then-publish: an offset is drawn by one atomic addition, the slot is swapped, and the head follows in order.
/// It knows retention by count only, cannot grow, and a writer that is stopped between the two holds up all others.
struct Drawn {
    slots: Box<[Atomic<Event>]>,
    next: AtomicU64,
    head: AtomicU64,
}

impl Default for Drawn {
    fn default() -> Self {
        let slots = (0..KEPT).map(|_| Atomic::null()).collect();
        Self { slots, next: AtomicU64::new(0), head: AtomicU64::new(0) }
    }
}

impl Log for Drawn {
    fn append(&self) {
        let event = Owned::new(Event::new());
        let pin = epoch::pin();
        let offset = self.next.fetch_add(1, Ordering::AcqRel) + 1;
        let old = self.slots[offset as usize % KEPT].swap(event, Ordering::AcqRel, &pin);
        while self.head.load(Ordering::Acquire) != offset - 1 {
            thread::yield_now();
        }
        self.head.store(offset, Ordering::Release);
        if !old.is_null() {
            // SAFETY: unlinked by the swap above and by nobody else.
            unsafe { pin.defer_destroy(old) };
        }
    }
}

/// The time that `threads` take for `count` appends together.
#[allow(clippy::disallowed_methods, reason = "a bench measures time")]
fn together<L: Log>(threads: u64, count: u64) -> Duration {
    let log = Arc::new(L::default());
    let start = Instant::now();
    let append = |log: Arc<L>| move || (0..count.div_ceil(threads)).for_each(|_| log.append());
    let running: Vec<_> = (0..threads).map(|_| thread::spawn(append(Arc::clone(&log)))).collect();
    running.into_iter().for_each(|thread| thread.join().expect("a writer"));
    start.elapsed()
}

fn appends(c: &mut Criterion) {
    let mut group = c.benchmark_group("append");
    group.throughput(Throughput::Elements(1));
    for threads in [1, 8] {
        group.bench_function(BenchmarkId::new("claimed", threads), |b| {
            b.iter_custom(|count| together::<Claimed>(threads, count));
        });
        group.bench_function(BenchmarkId::new("drawn", threads), |b| {
            b.iter_custom(|count| together::<Drawn>(threads, count));
        });
    }
    group.finish();
}

fn topic() -> Topic {
    let slow = Slow { policy: SlowPolicy::Disconnect, events: 0, bytes: 0, stall_ms: 0 };
    let retention = Retention { events: KEPT, bytes: 64 << 20, age_ms: 0 };
    let space = Namespace {
        retention,
        slow,
        presence: false,
        idempotency_ms: 0,
        idle_ms: 0,
        linger_ms: 0,
        rate: None,
    };
    Topic::new("bench.topic".into(), 1, Arc::new(space), Now::default())
}

fn body() -> Body {
    Body::new(&Parts { event: "tick", data: &[b'7'; 256], ..Parts::default() })
}

fn publish(topic: &Topic) {
    topic.publish_with(|| [body()], Now::default(), |_| {}).expect("the topic is there");
}

fn reads(c: &mut Criterion) {
    let topic = topic();
    (0..KEPT).for_each(|_| publish(&topic));
    let mut cursor = 0;
    c.bench_function("read", |b| {
        b.iter(|| {
            let pin = epoch::pin();
            cursor = match topic.read(black_box(cursor), &pin) {
                Read::Entry(offset, entry) => offset + black_box(entry.body.len() as u64) / 1000,
                Read::Empty | Read::Lagged { .. } => 0,
            };
        });
    });
    c.bench_function("publish and read", |b| {
        let mut cursor = topic.head();
        b.iter(|| {
            publish(&topic);
            let pin = epoch::pin();
            while let Read::Entry(offset, entry) = topic.read(cursor, &pin) {
                black_box(entry.body.data());
                cursor = offset;
            }
        });
    });
}

fn source<'s>(class: &'s Class, topic: &'s Topic, pin: &'s Guard) -> Source<'s> {
    Source { class, topic, extract: &JsonFields, pin, now: Now::default() }
}

fn gathers(c: &mut Criterion) {
    let mut group = c.benchmark_group("gather");
    let class =
        Class { encode: view(Transport::WebSocket, true), filter: None, conflate: false, linger: None };
    for events in [1, 16, 64] {
        let topic = topic();
        (0..events).for_each(|_| publish(&topic));
        let key = Key { group: 0, cursor: 0, head: events };
        group.throughput(Throughput::Elements(events));
        group.bench_function(BenchmarkId::new("frames made", events), |b| {
            let mut gather = Gather::default();
            b.iter(|| {
                let pin = epoch::pin();
                gather.fill(key, &source(&class, &topic, &pin), &Sieve::default()).expect("all is kept");
                black_box(gather.bytes().len())
            });
        });
        group.bench_function(BenchmarkId::new("frames fresh", events), |b| {
            let fresh = || {
                let topic = self::topic();
                (0..events).for_each(|_| publish(&topic));
                (topic, Gather::default())
            };
            let fill = |(topic, mut gather): (Topic, Gather)| {
                let pin = epoch::pin();
                gather.fill(key, &source(&class, &topic, &pin), &Sieve::default()).expect("all is kept");
                (topic, gather)
            };
            b.iter_batched(fresh, fill, BatchSize::SmallInput);
        });
    }
    group.finish();
}

criterion_group! {
    name = ring;
    config = Criterion::default().measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500)).sample_size(20);
    targets = appends, reads, gathers
}
criterion_main!(ring);
