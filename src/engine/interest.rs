//! How a publication reaches those who deliver: one flag and one wake per interested shard.

use std::fmt;
use std::sync::Arc;

use crate::sync::{AtomicBool, Ordering};

/// Is told that a topic has news; implemented by shards and by waiting requests.
pub trait Wake: Send + Sync {
    /// The topic known as `slot` has entries that were not there before. Must not block.
    fn wake(&self, slot: u32);
}

/// One shard's interest in one topic.
pub struct Interest {
    dirty: AtomicBool,
    slot: u32,
    wake: Arc<dyn Wake>,
}

impl Interest {
    /// Interest of `wake`, who knows the topic as `slot`.
    pub fn new(slot: u32, wake: Arc<dyn Wake>) -> Self {
        Self { dirty: AtomicBool::new(false), slot, wake }
    }

    /// Tells of news, once until [`Self::clear`]. The flag is set after the entry was linked, so whoever
    /// clears it and then reads the head sees the entry.
    pub fn mark(&self) {
        if !self.dirty.swap(true, Ordering::AcqRel) {
            self.wake.wake(self.slot);
        }
    }

    /// Must come **before** the head is read: news that come later set the flag again.
    pub fn clear(&self) {
        self.dirty.swap(false, Ordering::AcqRel);
    }
}

impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interest").field("slot", &self.slot).finish_non_exhaustive()
    }
}
