//! The lock-free parts, model-checked: the very code that ships, over loom's atomics.
//!
//! What is checked as it is: the ring with crossbeam's epochs, [`Interest`], [`Mailbox`]. What is modelled:
//! the list of interests of a topic, which lies in an `arc-swap` that loom cannot see into; the two fences
//! around it are restated here over atomics, and a model without them must fail.
//!
//! `RUSTFLAGS="--cfg loom --cfg crossbeam_loom" CARGO_TARGET_DIR=target/loom cargo test --test loom`
#![cfg(loom)]

use std::sync::Arc;

use crossbeam_epoch as epoch;
use loom::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
use loom::thread;
use millrace::delivery::mailbox::{Alarm, Letter, Mailbox};
use millrace::engine::ring::{Read, Ring, Weigh};
use millrace::engine::{Interest, Wake};

/// Explores what can happen with at most `preemptions` involuntary switches; races need two or three.
fn explore(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 100_000;
    builder.check(model);
}

/// Knows whether it has been dropped.
struct Value {
    number: u64,
    alive: Arc<AtomicBool>,
}

impl Value {
    fn new(number: u64) -> Self {
        Self { number, alive: Arc::new(AtomicBool::new(true)) }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.alive.store(false, Ordering::Relaxed);
    }
}

impl Weigh for Value {
    fn weight(&self) -> usize {
        0
    }
}

type Log = Ring<Value, ()>;

fn append(ring: &Log, count: u64) {
    let pin = epoch::pin();
    let mut claim = ring.claim();
    for _ in 0..count {
        let number = ring.head() + 1;
        assert_eq!(claim.append(Value::new(number), &pin), number);
    }
}

fn expire(ring: &Log, count: usize) {
    let pin = epoch::pin();
    let mut claim = ring.claim();
    (0..count).for_each(|_| claim.expire(&pin));
}

fn collect() {
    (0..3).for_each(|_| epoch::pin().flush());
}

/// Reads `steps` times: every entry is the one expected and alive, every lag says exactly what is missing.
fn follow(ring: &Log, mut cursor: u64, steps: usize) -> u64 {
    for _ in 0..steps {
        let pin = epoch::pin();
        match ring.read(cursor, &pin) {
            Read::Entry(offset, value) => {
                assert_eq!((offset, value.number), (cursor + 1, cursor + 1));
                assert!(value.alive.load(Ordering::Relaxed), "freed under a pin");
                cursor = offset;
            }
            Read::Empty => {}
            Read::Lagged { missed, resume_at } => {
                assert!(missed > 0 && resume_at == cursor + 1 + missed);
                assert!(resume_at <= ring.head() + 1 && resume_at <= ring.oldest());
                cursor = resume_at - 1;
            }
        }
    }
    cursor
}

fn race(prepared: u64, write: impl Fn(&Log) + Sync + Send + Clone + 'static) {
    explore(2, move || {
        let ring = Arc::new(Log::new(()));
        append(&ring, prepared);
        let (reader, write) = (Arc::clone(&ring), write.clone());
        let writer = Arc::clone(&ring);
        let written = thread::spawn(move || write(&writer));
        let cursor = follow(&reader, 0, 2);
        written.join().unwrap();
        let cursor = follow(&reader, cursor, 8);
        assert_eq!(cursor, ring.head());
    });
}

#[test]
fn a_reader_sees_entries_that_are_appended() {
    race(0, |ring| append(ring, 2));
}

#[test]
fn a_reader_is_told_what_expired() {
    race(2, |ring| expire(ring, 2));
}

#[test]
fn a_slot_is_used_again() {
    race(4, |ring| {
        expire(ring, 1);
        append(ring, 1);
    });
}

#[test]
fn a_ring_grows_under_a_reader() {
    race(4, |ring| append(ring, 1));
}

#[test]
fn a_ring_shrinks_under_a_reader() {
    race(9, |ring| {
        expire(ring, 8);
        ring.claim().shrink(&epoch::pin());
    });
}

#[test]
fn nothing_is_freed_under_a_pin() {
    race(2, |ring| {
        expire(ring, 1);
        collect();
    });
}

#[test]
fn two_writers_share_the_offsets() {
    explore(2, || {
        let ring = Arc::new(Log::new(()));
        let other = Arc::clone(&ring);
        let writer = thread::spawn(move || append(&other, 1));
        append(&ring, 1);
        writer.join().unwrap();
        assert_eq!(follow(&ring, 0, 3), 2);
    });
}

/// Counts how often it is woken.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(&self, _slot: u32) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn who_clears_before_it_reads_the_head_misses_nothing() {
    explore(3, || {
        let (head, bell) = (Arc::new(AtomicU64::new(0)), Arc::new(Bell::default()));
        let interest = Arc::new(Interest::new(0, Arc::clone(&bell) as _));
        let publisher = {
            let (head, interest) = (Arc::clone(&head), Arc::clone(&interest));
            thread::spawn(move || {
                for offset in 1..3 {
                    head.store(offset, Ordering::Release);
                    interest.mark();
                }
            })
        };
        let (mut seen, mut served) = (0, 0);
        let mut serve = || {
            if bell.0.load(Ordering::Acquire) > served {
                served += 1;
                interest.clear();
                seen = head.load(Ordering::Acquire);
            }
            seen
        };
        serve();
        serve();
        publisher.join().unwrap();
        let last = (0..3).map(|_| serve()).last();
        assert_eq!(last, Some(2), "news without a wake");
    });
}

struct Rope(Arc<AtomicUsize>);

impl Alarm for Rope {
    fn ring(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A shard looks, arms, and sleeps if it may; what a sender leaves meanwhile was taken, keeps it awake or rings.
fn no_wake_is_lost(send: fn(&Mailbox), take: fn(&Mailbox) -> bool) {
    explore(3, move || {
        let rings = Arc::new(AtomicUsize::new(0));
        let mailbox = Arc::new(Mailbox::new(Box::new(Rope(Arc::clone(&rings)))));
        let other = Arc::clone(&mailbox);
        let sender = thread::spawn(move || send(&other));
        let mut taken = take(&mailbox);
        let sleeps = mailbox.arm();
        if !sleeps {
            taken |= take(&mailbox);
        }
        sender.join().unwrap();
        let rung = rings.load(Ordering::Relaxed) > 0;
        assert!(taken || rung || !sleeps, "asleep with something to do");
        mailbox.disarm();
        assert!(taken || take(&mailbox), "lost");
    });
}

#[test]
fn no_dirty_topic_is_slept_over() {
    no_wake_is_lost(|mailbox| mailbox.wake(7), |mailbox| mailbox.next_dirty() == Some(7));
}

#[test]
fn no_letter_is_slept_over() {
    no_wake_is_lost(|mailbox| mailbox.post(Letter::Stop), |mailbox| mailbox.next_letter().is_some());
}

#[test]
fn two_senders_ring_for_one_sleep() {
    explore(2, || {
        let rings = Arc::new(AtomicUsize::new(0));
        let mailbox = Arc::new(Mailbox::new(Box::new(Rope(Arc::clone(&rings)))));
        assert!(mailbox.arm());
        let other = Arc::clone(&mailbox);
        let sender = thread::spawn(move || other.wake(1));
        mailbox.wake(2);
        sender.join().unwrap();
        assert_eq!(rings.load(Ordering::Relaxed), 1);
    });
}

/// `Topic::attach` and `Topic::announce`, with the list as one flag.
fn attach_or_see(fences: bool) {
    explore(3, move || {
        let (head, listed) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let publisher = {
            let (head, listed) = (Arc::clone(&head), Arc::clone(&listed));
            thread::spawn(move || {
                head.store(1, Ordering::Release);
                if fences {
                    fence(Ordering::SeqCst);
                }
                listed.load(Ordering::Acquire)
            })
        };
        listed.store(true, Ordering::Release);
        if fences {
            fence(Ordering::SeqCst);
        }
        let seen = head.load(Ordering::Acquire) == 1;
        let marked = publisher.join().unwrap();
        assert!(seen || marked, "neither saw the other");
    });
}

#[test]
fn who_attaches_sees_the_head_or_is_marked() {
    attach_or_see(true);
}

#[test]
#[should_panic(expected = "neither saw the other")]
fn without_the_fences_a_publication_can_be_missed() {
    attach_or_see(false);
}
