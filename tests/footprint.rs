//! What idle topics cost, counted by an allocator that measures.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use millrace::engine::{Namespace, Namespaces, Now, Registry, Retention, Slow, SlowPolicy};

const TOPICS: usize = 100_000;
const TOPIC_BYTES_MAX: usize = 1024;

struct Measuring;

static BYTES: AtomicUsize = AtomicUsize::new(0);

// SAFETY: hands everything to the system's allocator and only counts.
unsafe impl GlobalAlloc for Measuring {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(layout.size(), Relaxed);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Measuring = Measuring;

fn registry() -> Registry {
    let slow = Slow { policy: SlowPolicy::Disconnect, events: 1, bytes: 1, stall_ms: 1 };
    let retention = Retention { events: 10_000, bytes: 1 << 20, age_ms: 1000 };
    let space = Namespace {
        retention,
        slow,
        presence: true,
        idempotency_ms: 1000,
        idle_ms: 1000,
        linger_ms: 0,
        rate: None,
    };
    Registry::new(Namespaces::new(Vec::new(), space), TOPICS, 1)
}

fn at(millis: u64) -> Now {
    Now { unix_ms: millis, micros: millis * 1000 }
}

#[test]
fn an_idle_topic_costs_a_kibibyte_at_most() {
    let before = BYTES.load(Relaxed);
    let registry = registry();
    for number in 0..TOPICS {
        registry.topic(&format!("sensors.building-{}.room-{number}", number % 100), at(0)).unwrap();
    }
    let each = (BYTES.load(Relaxed) - before) / TOPICS;
    println!("an idle topic costs {each} bytes");
    assert!(each <= TOPIC_BYTES_MAX, "{each} bytes");
    for part in 0..Registry::parts() {
        registry.sweep(part, at(10_000));
    }
    assert!(registry.is_empty());
    drop(registry);
}
