use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crossbeam_epoch as epoch;
use proptest::prelude::*;

use super::*;

impl Weigh for u64 {
    fn weight(&self) -> usize {
        0
    }
}

/// What can be done to a ring.
#[derive(Clone, Copy, Debug)]
enum Op {
    Append(u8),
    Expire(u8),
    Shrink,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![(1..20_u8).prop_map(Op::Append), (1..20_u8).prop_map(Op::Expire), Just(Op::Shrink)]
}

#[derive(Default)]
struct Model {
    kept: VecDeque<(u64, u64)>,
    head: u64,
}

impl Model {
    fn oldest(&self) -> u64 {
        self.kept.front().map_or(self.head + 1, |(offset, _)| *offset)
    }

    fn apply(&mut self, op: Op, ring: &Ring<u64, ()>) {
        let pin = epoch::pin();
        let mut claim = ring.claim();
        match op {
            Op::Append(count) => (0..count).for_each(|_| {
                self.head += 1;
                self.kept.push_back((self.head, self.head * 7));
                assert_eq!(claim.append(self.head * 7, &pin), self.head);
            }),
            Op::Expire(count) => (0..count).for_each(|_| {
                if self.kept.pop_front().is_some() {
                    claim.expire(&pin);
                }
            }),
            Op::Shrink => claim.shrink(&pin),
        }
        assert_eq!(claim.len(), self.kept.len());
        assert_eq!(claim.peek(&pin).copied(), self.kept.front().map(|(_, value)| *value));
        let slots = claim.capacity(&pin);
        assert!(slots.is_power_of_two() && slots >= self.kept.len().max(SLOTS_MIN));
        if matches!(op, Op::Shrink) {
            assert!(slots <= SLOTS_MIN.max(4 * self.kept.len()), "{slots} slots for {}", self.kept.len());
        }
    }

    fn compare(&self, ring: &Ring<u64, ()>) {
        let pin = epoch::pin();
        assert_eq!((ring.head(), ring.oldest()), (self.head, self.oldest()));
        for after in self.oldest().saturating_sub(30)..=self.head + 3 {
            let expected = match after {
                after if after >= self.head => Err(None),
                after if after + 1 < self.oldest() => Err(Some((self.oldest() - after - 1, self.oldest()))),
                after => Ok((after + 1, (after + 1) * 7)),
            };
            let found = match ring.read(after, &pin) {
                Read::Entry(offset, value) => Ok((offset, *value)),
                Read::Empty => Err(None),
                Read::Lagged { missed, resume_at } => Err(Some((missed, resume_at))),
            };
            assert_eq!(found, expected, "after {after}");
        }
    }
}

proptest! {
    #[test]
    fn a_ring_is_a_queue_with_offsets(ops in prop::collection::vec(op(), 1..60)) {
        let (ring, mut model) = (Ring::new(()), Model::default());
        for op in ops {
            model.apply(op, &ring);
            model.compare(&ring);
        }
    }
}

/// Counts itself.
struct Counted(Arc<AtomicUsize>);

impl Weigh for Counted {
    fn weight(&self) -> usize {
        0
    }
}

impl Counted {
    fn new(alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(alive))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[test]
fn a_dropped_ring_drops_what_it_keeps_once() {
    let (alive, ring) = (Arc::new(AtomicUsize::new(0)), Ring::new(()));
    {
        let pin = epoch::pin();
        let mut claim = ring.claim();
        for _ in 0..100 {
            claim.append(Counted::new(&alive), &pin);
        }
    }
    assert_eq!(alive.load(Ordering::Relaxed), 100);
    drop(ring);
    assert_eq!(alive.load(Ordering::Relaxed), 0);
}

const WRITERS: u64 = 4;
const EACH: u64 = 20_000;
const KEPT: usize = 7;

fn write(ring: &Ring<(u64, u64), ()>, writer: u64) {
    for number in 0..EACH {
        let pin = epoch::pin();
        let mut claim = ring.claim();
        while claim.len() >= KEPT {
            claim.expire(&pin);
        }
        claim.append((writer, number), &pin);
        if number % 97 == 0 {
            while !claim.is_empty() {
                claim.expire(&pin);
            }
            claim.shrink(&pin);
        }
    }
}

impl Weigh for (u64, u64) {
    fn weight(&self) -> usize {
        16
    }
}

/// Reads until everything is written: what it got and what it was told to have missed make up the log.
fn read_along(ring: &Ring<(u64, u64), ()>, over: &AtomicBool) -> (u64, u64) {
    let (mut cursor, mut got, mut missed_all) = (0, 0, 0);
    let mut last = [None; WRITERS as usize];
    loop {
        let (done, pin) = (over.load(Ordering::Acquire), epoch::pin());
        match ring.read(cursor, &pin) {
            Read::Entry(offset, &(writer, number)) => {
                assert_eq!(offset, cursor + 1);
                let before = last[writer as usize].replace(number);
                assert!(before.is_none_or(|before| before < number), "a writer's events changed places");
                (cursor, got) = (offset, got + 1);
            }
            Read::Lagged { missed, resume_at } => {
                assert!(missed > 0 && cursor + 1 + missed == resume_at);
                (cursor, missed_all) = (resume_at - 1, missed_all + missed);
            }
            Read::Empty if done => return (got, missed_all),
            Read::Empty => thread::yield_now(),
        }
    }
}

#[test]
fn readers_follow_four_writers_with_next_to_no_retention() {
    let (ring, over) = (Ring::new(()), AtomicBool::new(false));
    thread::scope(|scope| {
        let readers: Vec<_> = (0..3).map(|_| scope.spawn(|| read_along(&ring, &over))).collect();
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                scope.spawn({
                    let ring = &ring;
                    move || write(ring, writer)
                })
            })
            .collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        over.store(true, Ordering::Release);
        for reader in readers {
            let (got, missed) = reader.join().unwrap();
            assert_eq!(got + missed, WRITERS * EACH, "{got} read");
        }
    });
}
