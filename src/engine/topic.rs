//! A topic: its log, who is interested in it, and what its namespace says about both.

mod present;

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;
use crossbeam_epoch::{self as epoch, Guard};

use super::entry::{Body, Entry};
use super::gate::{Gate, Gated};
use super::idempotency::Idempotency;
use super::interest::Interest;
use super::namespace::Namespace;
use super::now::Now;
use super::presence::{Presence, PresenceError};
use super::ring::{Claim, Read, Ring, Weigh};
use super::traffic::{Notices, Traffic};
use crate::limits::{GARBAGE_BYTES_FLUSH, UNUSED_TOPIC_SECONDS};
use crate::metrics::GARBAGE;
use crate::sync::{AtomicBool, AtomicU64, AtomicUsize, Mutex, Ordering, fence};

/// The place of a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// Offset it has; 0 while it is held back to be joined with others into one event.
    pub offset: u64,
    /// Whether it was there before, by its idempotency key.
    pub duplicate: bool,
}

/// The topic was removed; whoever looks it up again gets its successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the topic was removed after being idle")]
pub struct Removed;

/// Why a user is not counted in, or cannot be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PresenceRefused {
    /// The namespace has no presence.
    #[error("presence is not enabled for this topic; set presence = true in its namespace")]
    Disabled,
    /// A limit is reached.
    #[error(transparent)]
    Limit(#[from] PresenceError),
}

type List = Vec<Arc<Interest>>;

/// See the module.
#[derive(Debug)]
pub struct Topic {
    name: Arc<str>,
    epoch: u64,
    namespace: Arc<Namespace>,
    ring: Ring<Entry, Writer>,
    interest: ArcSwapOption<List>,
    subscribers: AtomicUsize,
    total_bytes: AtomicU64,
    created_ms: u64,
    /// Monotonic milliseconds of the last publication or departure.
    touched_ms: AtomicU64,
    removed: AtomicBool,
    presence: OnceLock<Box<Mutex<Presence>>>,
    gate: OnceLock<Box<Mutex<Gated>>>,
    /// What it counts.
    pub traffic: Traffic,
    notices: Notices,
}

/// What only the holder of the claim touches.
#[derive(Debug, Default)]
struct Writer {
    /// Bytes of the entries that are kept.
    kept_bytes: u64,
    total_bytes: u64,
    idempotency: Option<Box<Idempotency>>,
}

impl Writer {
    fn forget_keys(&mut self, now: Now) {
        if let Some(keys) = &mut self.idempotency {
            keys.expire(now.millis());
        }
        self.idempotency.take_if(|keys| keys.is_empty());
    }
}

impl Topic {
    /// An empty topic.
    pub fn new(name: Arc<str>, epoch: u64, namespace: Arc<Namespace>, now: Now) -> Self {
        Self {
            name,
            epoch,
            namespace,
            ring: Ring::new(Writer::default()),
            interest: ArcSwapOption::empty(),
            subscribers: AtomicUsize::new(0),
            total_bytes: AtomicU64::new(0),
            created_ms: now.millis(),
            touched_ms: AtomicU64::new(now.millis()),
            removed: AtomicBool::new(false),
            presence: OnceLock::new(),
            gate: OnceLock::new(),
            traffic: Traffic::default(),
            notices: Notices::default(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The life of its log.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// When it was made, monotonic milliseconds.
    pub fn created_ms(&self) -> u64 {
        self.created_ms
    }

    /// Its settings.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Offset of the newest entry; 0 before the first.
    pub fn head(&self) -> u64 {
        self.ring.head()
    }

    /// Offset of the oldest kept entry; `head + 1` when none is.
    pub fn oldest(&self) -> u64 {
        self.ring.oldest()
    }

    /// What follows `after`.
    pub fn read<'g>(&self, after: u64, pin: &'g Guard) -> Read<'g, Entry> {
        self.ring.read(after, pin)
    }

    /// The entry `offset`, if it is kept.
    pub fn find<'g>(&self, offset: u64, pin: &'g Guard) -> Option<&'g Entry> {
        self.ring.find(offset, pin)
    }

    /// Bytes published after `cursor`; what is no longer kept counts as if it began at the oldest.
    pub fn backlog_bytes(&self, cursor: u64, pin: &Guard) -> u64 {
        let next = (cursor + 1).max(self.oldest());
        let before = self.find(next, pin).map(|entry| entry.total_bytes - entry.body.len() as u64);
        before.map_or(0, |before| self.total_bytes.load(Ordering::Acquire).saturating_sub(before))
    }

    /// The cursor from which everything published at or after `unix_ms` follows.
    pub fn before_time(&self, unix_ms: u64, pin: &Guard) -> u64 {
        self.partition(pin, |entry| entry.time_ms >= unix_ms)
    }

    /// The earliest kept cursor behind which at most `bytes` follow.
    pub fn before_bytes(&self, bytes: u64, pin: &Guard) -> u64 {
        let floor = self.total_bytes.load(Ordering::Acquire).saturating_sub(bytes);
        self.partition(pin, |entry| entry.total_bytes - entry.body.len() as u64 >= floor)
    }

    /// The cursor in front of the first kept entry for which `later` holds; it holds for all that follow.
    fn partition(&self, pin: &Guard, later: impl Fn(&Entry) -> bool) -> u64 {
        let (mut low, mut high) = (self.oldest(), self.head() + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.find(middle, pin) {
                Some(entry) if later(entry) => high = middle,
                _ => low = middle + 1,
            }
        }
        low - 1
    }

    /// Appends what `bodies` gives, in order, under one claim, and wakes everybody interested once. `placed`
    /// is called for each with its place.
    ///
    /// # Errors
    /// [`Removed`], and `bodies` was not called.
    pub fn publish_with<I>(
        &self,
        bodies: impl FnOnce() -> I,
        now: Now,
        mut placed: impl FnMut(Published),
    ) -> Result<(), Removed>
    where
        I: IntoIterator<Item = Body>,
    {
        let pin = epoch::pin();
        let mut claim = self.ring.claim();
        if self.removed.load(Ordering::Acquire) {
            return Err(Removed);
        }
        self.expire_old(&mut claim, now, &pin);
        for body in bodies() {
            placed(self.place(&mut claim, body, now, &pin));
        }
        self.total_bytes.store(claim.total_bytes, Ordering::Release);
        drop(claim);
        if GARBAGE.bytes.get() > GARBAGE_BYTES_FLUSH {
            pin.flush();
        }
        self.touched_ms.store(now.millis(), Ordering::Relaxed);
        self.announce();
        Ok(())
    }

    fn place(&self, claim: &mut Claim<'_, Entry, Writer>, body: Body, now: Now, pin: &Guard) -> Published {
        if body.idempotency_key().is_empty() || self.namespace.idempotency_ms == 0 {
            return Published { offset: self.append(claim, body, now, pin), duplicate: false };
        }
        let window_ms = self.namespace.idempotency_ms;
        let known = claim.idempotency.get_or_insert_with(|| Box::new(Idempotency::new(window_ms)));
        if let Some(offset) = known.assign(body.idempotency_key(), self.ring.head() + 1, now.millis()) {
            return Published { offset, duplicate: true };
        }
        Published { offset: self.append(claim, body, now, pin), duplicate: false }
    }

    fn append(&self, claim: &mut Claim<'_, Entry, Writer>, body: Body, now: Now, pin: &Guard) -> u64 {
        let bytes = body.len() as u64;
        let keep = &self.namespace.retention;
        while !claim.is_empty() && (claim.len() >= keep.events || claim.kept_bytes + bytes > keep.bytes) {
            drop_oldest(claim, pin);
        }
        claim.kept_bytes += bytes;
        claim.total_bytes += bytes;
        let entry = Entry::new(self.ring.head() + 1, now.unix_ms, now.micros, claim.total_bytes, body);
        claim.append(entry, pin)
    }

    fn expire_old(&self, claim: &mut Claim<'_, Entry, Writer>, now: Now, pin: &Guard) {
        let age_ms = self.namespace.retention.age_ms;
        let due = |entry: &Entry| age_ms > 0 && entry.stamp_micros / 1000 + age_ms < now.millis();
        while claim.peek(pin).is_some_and(due) {
            drop_oldest(claim, pin);
        }
    }

    /// Drops what is too old and gives back what is unused; for the sweep.
    pub fn sweep(&self, now: Now) {
        let pin = epoch::pin();
        let mut claim = self.ring.claim();
        self.expire_old(&mut claim, now, &pin);
        claim.shrink(&pin);
        claim.forget_keys(now);
    }

    /// Milliseconds since the last publication, or since the last reader left.
    pub fn quiet_ms(&self, now: Now) -> u64 {
        now.millis().saturating_sub(self.touched_ms.load(Ordering::Relaxed))
    }

    /// Whether nobody needs the topic any more.
    pub fn is_idle(&self, now: Now) -> bool {
        let quiet_ms = self.quiet_ms(now);
        // Nothing was ever numbered, so no numbering has to outlast its readers.
        let unused = if self.head() == 0 { UNUSED_TOPIC_SECONDS * 1000 } else { u64::MAX };
        let idle_ms = self.namespace.idle_ms;
        idle_ms > 0
            && quiet_ms >= idle_ms.min(unused)
            && self.oldest() > self.head()
            && self.subscribers() == 0
    }

    /// Marks the topic removed if it still is idle; publishers and subscribers look up its successor. `true`
    /// for one caller only.
    pub fn remove_if_idle(&self, now: Now) -> bool {
        let _claim = self.ring.claim();
        self.is_idle(now) && !self.removed.swap(true, Ordering::AcqRel)
    }

    /// Keeps the topic from being idle as of now, for who is about to publish to it.
    ///
    /// # Errors
    /// [`Removed`]: look the topic up again.
    pub fn touch(&self, now: Now) -> Result<(), Removed> {
        let _claim = self.ring.claim();
        if self.removed.load(Ordering::Acquire) {
            return Err(Removed);
        }
        self.touched_ms.store(now.millis(), Ordering::Relaxed);
        Ok(())
    }

    /// Whether an event with this idempotency key was published, so that another one will not be.
    pub fn has_published(&self, idempotency_key: &str, now: Now) -> bool {
        let claim = self.ring.claim();
        let known = claim.idempotency.as_ref();
        known.is_some_and(|known| known.lookup(idempotency_key, now.millis()).is_some())
    }

    /// What must see its events, made now if there is to be one and it is not there yet.
    pub fn gate(&self, make: impl FnOnce() -> Option<Box<dyn Gate>>) -> Option<&Mutex<Gated>> {
        if self.gate.get().is_none() {
            let gated = Gated { gate: make()?, listed: false };
            self.gate.get_or_init(|| Box::new(Mutex::new(gated)));
        }
        self.gate.get().map(|gate| &**gate)
    }

    /// Counts a subscriber, so that the topic stays; `false` when it has `limit` (0 for none) already.
    ///
    /// # Errors
    /// [`Removed`]: look the topic up again.
    pub fn join(&self, limit: usize) -> Result<bool, Removed> {
        let _claim = self.ring.claim();
        if self.removed.load(Ordering::Acquire) {
            return Err(Removed);
        }
        let room = limit == 0 || self.subscribers() < limit;
        if room {
            self.subscribers.fetch_add(1, Ordering::AcqRel);
        }
        Ok(room)
    }

    /// Takes a subscriber off the count.
    pub fn leave(&self, now: Now) {
        self.touched_ms.store(now.millis(), Ordering::Relaxed);
        self.subscribers.fetch_sub(1, Ordering::AcqRel);
    }

    /// Subscribers now.
    pub fn subscribers(&self) -> usize {
        self.subscribers.load(Ordering::Acquire)
    }

    /// From now on `interest` is marked by every publication. Whoever reads the head after this misses
    /// nothing: what is older is behind the head, what is newer marks.
    pub fn attach(&self, interest: &Arc<Interest>) {
        self.interest.rcu(|list| {
            let mut list = list.as_deref().cloned().unwrap_or_default();
            list.push(Arc::clone(interest));
            Some(Arc::new(list))
        });
        fence(Ordering::SeqCst);
    }

    /// Ends [`Self::attach`].
    pub fn detach(&self, interest: &Arc<Interest>) {
        self.interest.rcu(|list| {
            let mut list = list.as_deref().cloned().unwrap_or_default();
            list.retain(|other| !Arc::ptr_eq(other, interest));
            (!list.is_empty()).then(|| Arc::new(list))
        });
    }

    /// Tells all subscribers of now something that is no event; see [`Notices`].
    pub fn notify(&self, text: Vec<u8>) {
        self.notices.put(text);
        self.announce();
    }

    /// What [`Self::notify`] has told.
    pub fn notices(&self) -> &Notices {
        &self.notices
    }

    /// The fence orders the raised head before the look at the list: either this sees a newcomer's
    /// interest, or the newcomer sees the head (see [`Self::attach`]).
    fn announce(&self) {
        fence(Ordering::SeqCst);
        if let Some(list) = self.interest.load().as_deref() {
            list.iter().for_each(|interest| interest.mark());
        }
    }
}

fn drop_oldest(claim: &mut Claim<'_, Entry, Writer>, pin: &Guard) {
    let bytes = claim.peek(pin).map_or(0, Weigh::weight) as u64;
    claim.kept_bytes -= bytes;
    claim.expire(pin);
}

#[cfg(all(test, not(loom)))]
#[path = "topic_tests.rs"]
mod tests;
