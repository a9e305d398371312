//! The log of one topic: a ring of entries that any number of readers walk without a lock.
//!
//! One writer at a time (the holder of the [`Claim`]) appends, expires and resizes; readers load and never
//! wait, and nothing of a reader is registered here. A reader that is lapped finds a slot that does not hold
//! the offset it expects, and is told [`Read::Lagged`]; it never sees a torn, reused or freed entry.
//!
//! Invariants, cited by the `SAFETY` comments below:
//!
//! 1. A node reachable from the current slot array was put there by `Owned::new` and is unlinked once only,
//!    by the claim's holder, who then defers its destruction in the epoch in which it was unlinked.
//! 2. A slot array that was replaced is never written again and never owns its nodes: destroying it frees
//!    the array alone. Nodes that it still names were alive when it was replaced, and are retired, if at all,
//!    after that; a reader that can still see the old array is pinned since before, so they outlive its pin.
//! 3. `oldest` is raised before the slots below it are emptied, and `head` is raised after the slot is filled:
//!    who sees an emptied slot sees the raised `oldest`, who sees `head` sees the entry.
//! 4. In `Drop` no reader is left, because readers borrow the ring.

use std::mem;
use std::ops::{Deref, DerefMut};

use crossbeam_epoch::{self as epoch, Atomic, Guard, Owned, Shared};

use crate::metrics::GARBAGE;
use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering, lock};

/// Slots of a ring that nothing was published to.
pub const SLOTS_MIN: usize = 4;

/// What has a size that retention and the garbage gauge count.
pub trait Weigh {
    /// Bytes of memory that the value holds, besides `size_of`.
    fn weight(&self) -> usize;
}

/// What a reader finds behind its cursor.
#[derive(Debug)]
pub enum Read<'g, T> {
    /// The next entry; the cursor advances to its offset.
    Entry(u64, &'g T),
    /// The reader has everything.
    Empty,
    /// `missed` entries are no longer kept; the cursor must be set so that `resume_at` is read next.
    Lagged {
        /// How many entries are gone between the cursor and `resume_at`.
        missed: u64,
        /// The oldest offset that is kept.
        resume_at: u64,
    },
}

/// A log of `T` with dense offsets from 1, and the state `W` that only writers touch.
#[derive(Debug)]
pub struct Ring<T, W> {
    slots: Atomic<Slots<T>>,
    head: AtomicU64,
    oldest: AtomicU64,
    writer: Mutex<W>,
}

#[derive(Debug)]
struct Slots<T>(Box<[Atomic<Node<T>>]>);

#[derive(Debug)]
struct Node<T> {
    offset: u64,
    value: T,
}

impl<T> Slots<T> {
    fn new(len: usize) -> Self {
        debug_assert!(len.is_power_of_two());
        Self((0..len).map(|_| Atomic::null()).collect())
    }

    fn at(&self, offset: u64) -> &Atomic<Node<T>> {
        &self.0[(offset as usize) & (self.0.len() - 1)]
    }
}

impl<T: Weigh + Send + Sync + 'static, W> Ring<T, W> {
    /// An empty ring.
    pub fn new(writer: W) -> Self {
        Self {
            slots: Atomic::new(Slots::new(SLOTS_MIN)),
            head: AtomicU64::new(0),
            oldest: AtomicU64::new(1),
            writer: Mutex::new(writer),
        }
    }

    /// Offset of the newest entry; 0 before the first.
    pub fn head(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }

    /// Offset of the oldest entry that is kept; `head + 1` when none is.
    pub fn oldest(&self) -> u64 {
        self.oldest.load(Ordering::Acquire)
    }

    /// What follows `after`.
    pub fn read<'g>(&self, after: u64, pin: &'g Guard) -> Read<'g, T> {
        if after >= self.head() {
            return Read::Empty;
        }
        let wanted = after + 1;
        match self.find(wanted, pin) {
            Some(value) => Read::Entry(wanted, value),
            None => self.lagged(wanted),
        }
    }

    fn lagged(&self, wanted: u64) -> Read<'static, T> {
        let resume_at = self.oldest();
        debug_assert!(resume_at > wanted, "a slot is empty only below oldest");
        Read::Lagged { missed: resume_at.saturating_sub(wanted), resume_at }
    }

    /// The entry `offset`, if it is (still) kept.
    pub fn find<'g>(&self, offset: u64, pin: &'g Guard) -> Option<&'g T> {
        // SAFETY: the pointer is never null, and what it names outlives the pin (invariant 2).
        let slots = unsafe { self.slots.load(Ordering::Acquire, pin).deref() };
        // SAFETY: a node in a slot array that was loaded under this pin outlives it (invariants 1 and 2).
        let node = unsafe { slots.at(offset).load(Ordering::Acquire, pin).as_ref() }?;
        (node.offset == offset).then_some(&node.value)
    }

    /// Takes the right to write; held for as short as it takes to link prepared entries.
    pub fn claim(&self) -> Claim<'_, T, W> {
        Claim { ring: self, writer: lock(&self.writer) }
    }
}

/// The exclusive right to write to a ring; dereferences to the writer's state.
#[derive(Debug)]
pub struct Claim<'r, T, W> {
    ring: &'r Ring<T, W>,
    writer: MutexGuard<'r, W>,
}

impl<T, W> Deref for Claim<'_, T, W> {
    type Target = W;
    fn deref(&self) -> &W {
        &self.writer
    }
}

impl<T, W> DerefMut for Claim<'_, T, W> {
    fn deref_mut(&mut self) -> &mut W {
        &mut self.writer
    }
}

impl<T: Weigh + Send + Sync + 'static, W> Claim<'_, T, W> {
    /// Entries that are kept.
    pub fn len(&self) -> usize {
        (self.ring.head() + 1 - self.ring.oldest()) as usize
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The oldest entry that is kept.
    pub fn peek<'g>(&self, pin: &'g Guard) -> Option<&'g T> {
        self.ring.find(self.ring.oldest(), pin)
    }

    /// Appends `value` under the next offset and returns that; doubles the slots when they are full.
    pub fn append(&mut self, value: T, pin: &Guard) -> u64 {
        let offset = self.ring.head() + 1;
        if self.len() == self.capacity(pin) {
            self.resize(self.capacity(pin) * 2, pin);
        }
        let node = Owned::new(Node { offset, value });
        self.slots(pin).at(offset).store(node, Ordering::Release);
        self.ring.head.store(offset, Ordering::Release);
        offset
    }

    /// Drops the oldest entry; the caller has seen that there is one.
    pub fn expire(&mut self, pin: &Guard) {
        let oldest = self.ring.oldest();
        debug_assert!(oldest <= self.ring.head(), "nothing to expire");
        self.ring.oldest.store(oldest + 1, Ordering::Release);
        let node = self.slots(pin).at(oldest).swap(Shared::null(), Ordering::AcqRel, pin);
        retire(node, pin);
    }

    /// Gives slots back when three quarters of them are unused.
    pub fn shrink(&mut self, pin: &Guard) {
        let wanted = (self.len() * 2).next_power_of_two().max(SLOTS_MIN);
        if wanted * 2 <= self.capacity(pin) {
            self.resize(wanted, pin);
        }
    }

    /// Slots there are.
    pub fn capacity(&self, pin: &Guard) -> usize {
        self.slots(pin).0.len()
    }

    fn slots<'g>(&self, pin: &'g Guard) -> &'g Slots<T> {
        // SAFETY: never null, and replaced only by the claim's holder, under a pin (invariant 2).
        unsafe { self.ring.slots.load(Ordering::Acquire, pin).deref() }
    }

    fn resize(&mut self, len: usize, pin: &Guard) {
        let (old, new) = (self.slots(pin), Slots::new(len));
        for offset in self.ring.oldest()..=self.ring.head() {
            let node = old.at(offset).load(Ordering::Acquire, pin);
            new.at(offset).store(node, Ordering::Relaxed);
        }
        let replaced = self.ring.slots.swap(Owned::new(new), Ordering::AcqRel, pin);
        // SAFETY: replaced is unlinked now and unlinked only here; it does not own its nodes (invariant 2).
        unsafe { pin.defer_destroy(replaced) };
    }
}

/// Frees an unlinked node when no reader can see it any more, and counts it until then.
fn retire<T: Weigh + Send + Sync + 'static>(node: Shared<'_, Node<T>>, pin: &Guard) {
    // SAFETY: unlinked, but alive until the pins of today are gone (invariant 1).
    let Some(alive) = (unsafe { node.as_ref() }) else { return };
    let bytes = mem::size_of::<Node<T>>() + alive.value.weight();
    GARBAGE.retired(bytes);
    // SAFETY: unlinked by this claim and by nobody else, so this is its only destruction (invariant 1).
    unsafe {
        pin.defer_unchecked(move || {
            drop(node.into_owned());
            GARBAGE.freed(bytes);
        });
    }
}

impl<T, W> Drop for Ring<T, W> {
    fn drop(&mut self) {
        // SAFETY: nobody else can reach the ring (invariant 4).
        let pin = unsafe { epoch::unprotected() };
        let slots = self.slots.swap(Shared::null(), Ordering::Relaxed, pin);
        // SAFETY: as above; current nodes are in the current array only, once each (invariants 1, 2 and 4).
        unsafe {
            let slots = slots.into_owned();
            for slot in &slots.0 {
                let node = slot.swap(Shared::null(), Ordering::Relaxed, pin);
                if !node.is_null() {
                    drop(node.into_owned());
                }
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
#[path = "ring_tests.rs"]
mod tests;
