//! How much room blobs take: of all users, and of each. What a blob takes is given back when the last who reads it is gone, since
//! the disk has it until then. A blob counts in whole blocks, so that empty ones are not free.

use std::collections::HashMap;
use std::sync::Arc;

use super::Refused;
use crate::config;
use crate::limits::BLOB_BLOCK_BYTES;
use crate::metrics::BlobMetrics;
use crate::sync::{AtomicU64, Mutex, Ordering, lock};

/// See the module.
pub struct Room {
    bounds: config::Blobs,
    taken: Mutex<Taken>,
    metrics: Arc<BlobMetrics>,
}

#[derive(Default)]
struct Taken {
    all: Count,
    of_user: HashMap<Box<str>, Count>,
}

#[derive(Clone, Copy, Default)]
struct Count {
    blobs: usize,
    bytes: u64,
}

/// What a blob takes; given back when it is dropped.
pub struct Share {
    room: Arc<Room>,
    owner: Box<str>,
    bytes: AtomicU64,
}

impl Room {
    /// Nothing is taken.
    pub fn new(bounds: config::Blobs, metrics: Arc<BlobMetrics>) -> Self {
        Self { bounds, taken: Mutex::default(), metrics }
    }

    /// Room for a blob of `bytes`.
    ///
    /// # Errors
    /// There is none.
    pub fn take(self: &Arc<Self>, owner: &str, bytes: u64) -> Result<Share, Refused> {
        let bytes = blocks(bytes);
        self.add(owner, Count { blobs: 1, bytes })?;
        Ok(Share { room: Arc::clone(self), owner: owner.into(), bytes: AtomicU64::new(bytes) })
    }

    fn add(&self, owner: &str, more: Count) -> Result<(), Refused> {
        let mut taken = lock(&self.taken);
        let own = taken.of_user.get(owner).copied().unwrap_or_default();
        let (all, own) = (taken.all.plus(more), own.plus(more));
        self.check(all, own)?;
        taken.all = all;
        taken.of_user.insert(owner.into(), own);
        self.metrics.blobs.add(more.blobs as u64);
        self.metrics.bytes.add(more.bytes);
        Ok(())
    }

    fn check(&self, all: Count, own: Count) -> Result<(), Refused> {
        let bounds = &self.bounds;
        let exceeds = |count: u64, limit: usize| limit > 0 && count > limit as u64;
        let rules = [
            ("blobs.total_bytes", exceeds(all.bytes, bounds.total_bytes)),
            ("blobs.max", exceeds(all.blobs as u64, bounds.max)),
            ("blobs.per_user_bytes", exceeds(own.bytes, bounds.per_user_bytes)),
            ("blobs.per_user", exceeds(own.blobs as u64, bounds.per_user)),
        ];
        let Some((setting, _)) = rules.iter().find(|(_, broken)| *broken) else { return Ok(()) };
        self.metrics.refused.add(1);
        Err(Refused::Full(setting))
    }

    fn give_back(&self, owner: &str, bytes: u64) {
        let mut taken = lock(&self.taken);
        let less = Count { blobs: 1, bytes };
        taken.all = taken.all.minus(less);
        let own = taken.of_user.get(owner).copied().unwrap_or_default().minus(less);
        match own.blobs {
            0 => drop(taken.of_user.remove(owner)),
            _ => drop(taken.of_user.insert(owner.into(), own)),
        }
        self.metrics.blobs.sub(1);
        self.metrics.bytes.sub(bytes);
    }
}

impl Count {
    fn plus(self, more: Self) -> Self {
        Self { blobs: self.blobs + more.blobs, bytes: self.bytes.saturating_add(more.bytes) }
    }

    fn minus(self, less: Self) -> Self {
        Self { blobs: self.blobs.saturating_sub(less.blobs), bytes: self.bytes.saturating_sub(less.bytes) }
    }
}

impl Share {
    /// Makes room for `bytes` in all. Only who writes the blob calls this.
    ///
    /// # Errors
    /// There is none.
    pub fn grow(&self, bytes: u64) -> Result<(), Refused> {
        let (had, wanted) = (self.bytes.load(Ordering::Acquire), blocks(bytes));
        if wanted > had {
            self.room.add(&self.owner, Count { blobs: 0, bytes: wanted - had })?;
            self.bytes.store(wanted, Ordering::Release);
        }
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.room.give_back(&self.owner, self.bytes.load(Ordering::Acquire));
    }
}

fn blocks(bytes: u64) -> u64 {
    bytes.max(1).div_ceil(BLOB_BLOCK_BYTES).saturating_mul(BLOB_BLOCK_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(bounds: config::Blobs) -> Arc<Room> {
        Arc::new(Room::new(bounds, Arc::default()))
    }

    #[track_caller]
    fn full(outcome: Result<impl Sized, Refused>, setting: &str) {
        assert!(matches!(outcome.err(), Some(Refused::Full(full)) if full == setting));
    }

    #[test]
    fn all_users_share_the_room() {
        let room = room(config::Blobs { total_bytes: 3 * 4096, ..Default::default() });
        let first = room.take("ann", 0).unwrap();
        let second = room.take("bob", 4097).unwrap();
        full(room.take("cid", 1), "blobs.total_bytes");
        full(first.grow(4097), "blobs.total_bytes");
        drop(second);
        assert!(first.grow(4097).is_ok() && first.grow(8192).is_ok());
        assert_eq!((room.metrics.blobs.get(), room.metrics.bytes.get()), (1, 8192));
    }

    #[test]
    fn each_user_has_bounds() {
        let room =
            room(config::Blobs { per_user: 2, per_user_bytes: 5 * 4096, max: 3, ..Default::default() });
        let _first = room.take("ann", 0).unwrap();
        full(room.take("ann", 5 * 4096), "blobs.per_user_bytes");
        let second = room.take("ann", 0).unwrap();
        full(room.take("ann", 0), "blobs.per_user");
        let _other = room.take("bob", 5 * 4096).unwrap();
        full(room.take("cid", 0), "blobs.max");
        drop(second);
        assert!(room.take("ann", 0).is_ok());
    }
}
