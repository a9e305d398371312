//! The primitives of the lock-free parts, replaceable by loom's.
//!
//! Code whose interleavings are model-checked (the ring, the mailbox of a shard) takes its atomics and
//! locks from here and never from `std`, so that `--cfg loom` explores the very code that ships.

#[cfg(not(loom))]
pub use crossbeam_queue::SegQueue as Queue;
#[cfg(not(loom))]
pub use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence},
};

#[cfg(loom)]
pub use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence},
};
#[cfg(loom)]
pub use std::sync::PoisonError;

/// A stand-in for `SegQueue`, which loom cannot see into: its count is as strongly ordered as a push or a pop
/// there, and no stronger, so that a fence that is missing around it is found.
#[cfg(loom)]
#[derive(Debug)]
pub struct Queue<T> {
    count: AtomicUsize,
    items: std::sync::Mutex<std::collections::VecDeque<T>>,
}

#[cfg(loom)]
impl<T> Queue<T> {
    /// An empty queue.
    #[allow(clippy::new_without_default, reason = "as little as the models need")]
    pub fn new() -> Self {
        Self { count: AtomicUsize::new(0), items: std::sync::Mutex::default() }
    }

    /// Appends.
    pub fn push(&self, item: T) {
        self.items.lock().unwrap_or_else(PoisonError::into_inner).push_back(item);
        self.count.fetch_add(1, Ordering::Release);
    }

    /// Takes the oldest.
    pub fn pop(&self) -> Option<T> {
        if self.is_empty() {
            return None;
        }
        self.count.fetch_sub(1, Ordering::AcqRel);
        self.items.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }
}

/// Locks `mutex`; a holder that panicked has left consistent data behind, since every critical section
/// of this crate publishes its result with its last store.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
