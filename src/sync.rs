//! The primitives of the lock-free parts, replaceable by loom's.
//!
//! Code whose interleavings are model-checked (the ring, the mailbox of a shard) takes its atomics and
//! locks from here and never from `std`, so that `--cfg loom` explores the very code that ships.

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

/// Locks `mutex`; a holder that panicked has left consistent data behind, since every critical section
/// of this crate publishes its result with its last store.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
