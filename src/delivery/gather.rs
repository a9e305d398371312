//! What one class gets from one place in one topic: contiguous bytes, made once and written to everybody
//! who stands there.
//!
//! Small frames are joined by copying: one write of a contiguous buffer costs up to half of a `writev` of
//! many slices, and the copy is shared by all at the place. A frame above [`JOIN_FRAME_BYTES_MAX`] goes alone
//! and is not copied.

use std::collections::HashSet;

use bytes::Bytes;
use crossbeam_epoch::Guard;

use super::class::{Class, ClassId};
use crate::engine::filter::Extract;
use crate::engine::{Entry, Read, Topic};
use crate::limits::{CONFLATE_EVENTS_MAX, GATHER_BYTES_MAX, GATHER_EVENTS_MAX, JOIN_FRAME_BYTES_MAX};

/// For whom a gather was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The topic's slot in the shard.
    pub slot: u32,
    /// The class.
    pub class: ClassId,
    /// The last offset they have.
    pub cursor: u64,
    /// The newest offset when it was made.
    pub head: u64,
}

/// Where a frame ends in the bytes, and which event it is.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    /// First byte behind the frame.
    pub end: u32,
    /// The event.
    pub offset: u64,
}

/// Why there is nothing to write: the place is no longer kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lagged {
    /// The oldest offset that is kept.
    pub resume_at: u64,
}

/// See the module. One per shard, its buffers used again and again.
#[derive(Default)]
pub struct Gather {
    key: Option<Key>,
    joined: Vec<u8>,
    large: Option<Bytes>,
    marks: Vec<Mark>,
    picked: Vec<u64>,
    to: u64,
    stamp_micros: u64,
    conflated: u64,
}

impl Gather {
    /// Forgets what was made, because a class number or slot may mean something else from now on.
    pub fn forget(&mut self) {
        self.key = None;
    }

    /// Whether it was made for `key`.
    pub fn is_for(&self, key: Key) -> bool {
        self.key == Some(key)
    }

    /// The bytes to write; empty when no event of the range is for this class.
    pub fn bytes(&self) -> &[u8] {
        self.large.as_deref().unwrap_or(&self.joined)
    }

    /// The frames.
    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// The cursor of who has written all of it.
    pub fn to(&self) -> u64 {
        self.to
    }

    /// When the first event was published, monotonic microseconds.
    pub fn stamp_micros(&self) -> u64 {
        self.stamp_micros
    }

    /// Events left out because a newer one has their key.
    pub fn conflated(&self) -> u64 {
        self.conflated
    }

    /// What is left of the frame in which a write of `written` bytes stopped.
    pub fn remainder(&self, written: usize, end: usize) -> Bytes {
        match &self.large {
            Some(large) => large.slice(written..),
            None => Bytes::copy_from_slice(&self.joined[written..end]),
        }
    }

    /// Makes the bytes for `key`.
    ///
    /// # Errors
    /// [`Lagged`]; nothing was made.
    pub fn fill(
        &mut self,
        key: Key,
        class: &Class,
        topic: &Topic,
        extract: &dyn Extract,
        pin: &Guard,
    ) -> Result<(), Lagged> {
        self.clear(key.cursor);
        let made = if class.conflate {
            self.fill_conflated(key, class, topic, extract, pin)
        } else {
            self.fill_all(key, class, topic, extract, pin)
        };
        self.key = made.is_ok().then_some(key);
        made
    }

    fn clear(&mut self, cursor: u64) {
        self.key = None;
        self.joined.clear();
        self.large = None;
        self.marks.clear();
        self.to = cursor;
        self.stamp_micros = 0;
        self.conflated = 0;
    }

    fn fill_all(
        &mut self,
        key: Key,
        class: &Class,
        topic: &Topic,
        extract: &dyn Extract,
        pin: &Guard,
    ) -> Result<(), Lagged> {
        let last = key.head.min(key.cursor + GATHER_EVENTS_MAX as u64);
        while self.to < last {
            match topic.read(self.to, pin) {
                Read::Entry(_, entry) if !self.add(entry, class, topic, extract) => break,
                Read::Entry(offset, _) => self.to = offset,
                Read::Lagged { resume_at, .. } if self.to == key.cursor => return Err(Lagged { resume_at }),
                Read::Lagged { .. } | Read::Empty => break,
            }
        }
        Ok(())
    }

    /// Keeps, of each key in the backlog, only the newest event. The scan goes from the newest back, so
    /// that the first of a key that it meets is the one to keep.
    fn fill_conflated(
        &mut self,
        key: Key,
        class: &Class,
        topic: &Topic,
        extract: &dyn Extract,
        pin: &Guard,
    ) -> Result<(), Lagged> {
        if let Read::Lagged { resume_at, .. } = topic.read(key.cursor, pin) {
            return Err(Lagged { resume_at });
        }
        let last = key.head.min(key.cursor + CONFLATE_EVENTS_MAX as u64);
        if !self.pick(key.cursor + 1, last, topic, pin) {
            return Err(Lagged { resume_at: topic.oldest() });
        }
        self.to = last;
        while let Some(offset) = self.picked.pop() {
            let entry = topic.find(offset, pin);
            if entry.is_some_and(|entry| !self.add(entry, class, topic, extract)) {
                self.to = offset - 1;
                break;
            }
        }
        Ok(())
    }

    /// `false` when the range was lapped meanwhile.
    fn pick(&mut self, first: u64, last: u64, topic: &Topic, pin: &Guard) -> bool {
        let mut seen = HashSet::new();
        self.picked.clear();
        for offset in (first..=last).rev() {
            let Some(entry) = topic.find(offset, pin) else { return false };
            let key = entry.body.key();
            if key.is_empty() || seen.insert(key) {
                self.picked.push(offset);
            } else {
                self.conflated += 1;
            }
        }
        true
    }

    /// Takes `entry` in if the class wants it; `false` when it must wait for the next gather.
    fn add(&mut self, entry: &Entry, class: &Class, topic: &Topic, extract: &dyn Extract) -> bool {
        if class.filter.as_ref().is_some_and(|filter| !filter.evaluate(entry.fields(extract))) {
            return true;
        }
        let frame = entry.frame(class.encode, topic);
        if frame.is_empty() {
            return true;
        }
        if self.large.is_some() || !self.fits(frame.len()) {
            return false;
        }
        self.push(frame, entry);
        true
    }

    fn fits(&self, bytes: usize) -> bool {
        let alone = self.joined.is_empty();
        alone || (bytes <= JOIN_FRAME_BYTES_MAX && self.joined.len() + bytes <= GATHER_BYTES_MAX)
    }

    fn push(&mut self, frame: &Bytes, entry: &Entry) {
        if self.marks.is_empty() {
            self.stamp_micros = entry.stamp_micros;
        }
        if frame.len() > JOIN_FRAME_BYTES_MAX {
            self.large = Some(frame.clone());
        } else {
            self.joined.extend_from_slice(frame);
        }
        let end = self.large.as_ref().map_or(self.joined.len(), Bytes::len);
        self.marks.push(Mark { end: end as u32, offset: entry.offset });
    }
}
