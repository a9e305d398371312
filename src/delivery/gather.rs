//! What one class gets from one place in one topic: contiguous bytes, made once and written to everybody
//! who stands there.
//!
//! Small frames are joined by copying: one write of a contiguous buffer costs up to half of a `writev` of
//! many slices, and the copy is shared by all at the place. A frame above [`JOIN_FRAME_BYTES_MAX`] goes alone
//! and is not copied.
//!
//! Events of a class that lingers are taken in batches, as many as one message may hold; a view that has a
//! frame for a batch is asked for it, and for others the frames of single events are joined as ever. With
//! conflation, batches are made of the events that it has left.
//!
//! An event that ends what a view shows ends the gather too, conflated or not: what lies behind it is not looked at.

use std::collections::HashSet;

use bytes::Bytes;
use crossbeam_epoch::Guard;

use super::class::Class;
use super::sieve::Sieve;
use crate::engine::filter::Extract;
use crate::engine::{Entry, Now, Read, Topic};
use crate::limits::{
    BATCH_BYTES_MAX, BATCH_LOOKS_MAX, CONFLATE_EVENTS_MAX, GATHER_BYTES_MAX, GATHER_EVENTS_MAX,
    JOIN_FRAME_BYTES_MAX,
};

/// For whom a gather was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The group, and with it topic and class.
    pub group: u32,
    /// The last offset they have.
    pub cursor: u64,
    /// The newest offset that they may have.
    pub head: u64,
}

/// Where the events come from and how they are looked at.
#[derive(Clone, Copy)]
pub struct Source<'s> {
    /// Which events, and as what bytes.
    pub class: &'s Class,
    /// The log.
    pub topic: &'s Topic,
    /// Reads what filters look at.
    pub extract: &'s dyn Extract,
    /// Keeps what is read alive.
    pub pin: &'s Guard,
    /// The time that batches carry.
    pub now: Now,
}

impl<'s> Source<'s> {
    /// Whether the class wants `entry`.
    pub fn wants(&self, entry: &Entry) -> bool {
        self.class.filter.as_ref().is_none_or(|filter| filter.evaluate(entry.fields(self.extract)))
    }

    /// Most events that may go together, and most that one gather looks at.
    fn bounds(&self) -> (usize, usize) {
        match self.class.linger {
            Some(linger) => (linger.events.max(1) as usize, BATCH_LOOKS_MAX),
            None => (1, GATHER_EVENTS_MAX),
        }
    }

    /// The last offset that a gather for `key` looks at.
    pub fn last(&self, key: Key) -> u64 {
        key.head.min(key.cursor + self.bounds().1 as u64)
    }

    /// Whether nothing follows `entry` for who reads it alone.
    fn ends(&self, entry: &Entry) -> bool {
        self.class.encode.ends(entry)
    }

    /// Puts what may go together next, of the events behind `after` up to `last`, into `chunk`.
    fn collect(
        &self,
        after: u64,
        last: u64,
        sieve: &Sieve<'_>,
        chunk: &mut Vec<&'s Entry>,
    ) -> Result<Looked, Lagged> {
        let ((most, _), mut room) = (self.bounds(), BATCH_BYTES_MAX);
        let (mut to, mut ends) = (after, false);
        while to < last && chunk.len() < most && room > 0 && !ends {
            if sieve.rules_out(to + 1) {
                to += 1;
                continue;
            }
            match self.topic.read(to, self.pin) {
                Read::Entry(offset, entry) => {
                    if self.wants(entry) {
                        room = room.saturating_sub(entry.body.len());
                        ends = self.ends(entry);
                        chunk.push(entry);
                    }
                    to = offset;
                }
                Read::Lagged { resume_at, .. } if to == after => return Err(Lagged { resume_at }),
                Read::Lagged { .. } | Read::Empty => break,
            }
        }
        Ok(Looked { to, ends })
    }
}

/// How far events were looked at.
struct Looked {
    /// The last offset.
    to: u64,
    /// Whether that is an event which ends what the view shows.
    ends: bool,
}

/// Where a frame ends in the bytes, and which events it holds.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    /// First byte behind the frame.
    pub end: u32,
    /// How many events it holds.
    pub events: u32,
    /// The last of them.
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
    ends: bool,
    events: u64,
    stamp_micros: u64,
    conflated: u64,
}

impl Gather {
    /// Forgets what was made, because the number of a group means something else from now on.
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

    /// Whether nothing follows for who has written all of it and reads nothing else.
    pub fn ends(&self) -> bool {
        self.ends
    }

    /// Events in the bytes.
    pub fn events(&self) -> u64 {
        self.events
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

    /// Makes the bytes for `key`, without looking at what `sieve` rules out.
    ///
    /// # Errors
    /// [`Lagged`]; nothing was made.
    pub fn fill(&mut self, key: Key, from: &Source<'_>, sieve: &Sieve<'_>) -> Result<(), Lagged> {
        self.clear(key.cursor);
        let made = match from.class.conflate {
            true => self.fill_conflated(key, from),
            false => self.fill_all(key, from, sieve),
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
        self.ends = false;
        self.events = 0;
        self.stamp_micros = 0;
        self.conflated = 0;
    }

    fn fill_all(&mut self, key: Key, from: &Source<'_>, sieve: &Sieve<'_>) -> Result<(), Lagged> {
        let mut chunk = Vec::new();
        let last = from.last(key);
        while self.to < last && !self.ends {
            chunk.clear();
            let looked = match from.collect(self.to, last, sieve, &mut chunk) {
                Err(lagged) if self.to == key.cursor => return Err(lagged),
                Ok(looked) if looked.to > self.to => looked,
                _ => break,
            };
            if let Err(waits) = self.take(&chunk, from) {
                self.to = waits - 1;
                break;
            }
            (self.to, self.ends) = (looked.to, looked.ends);
        }
        Ok(())
    }

    /// Keeps, of each key in the backlog, only the newest event that the class wants. The scan goes from the
    /// newest back, so that the first of a key that it meets is the one to keep.
    fn fill_conflated(&mut self, key: Key, from: &Source<'_>) -> Result<(), Lagged> {
        if let Read::Lagged { resume_at, .. } = from.topic.read(key.cursor, from.pin) {
            return Err(Lagged { resume_at });
        }
        let last = key.head.min(key.cursor + CONFLATE_EVENTS_MAX as u64);
        let Some(looked) = self.pick(key.cursor + 1, last, from) else {
            return Err(Lagged { resume_at: from.topic.oldest() });
        };
        let mut chunk = Vec::new();
        (self.to, self.ends) = (looked.to, looked.ends);
        while let Some(&first) = self.picked.last() {
            chunk.clear();
            self.collect_picked(from, &mut chunk);
            if chunk.is_empty() && self.marks.is_empty() {
                // Lapped since it was picked: nobody may take it for conflated.
                return Err(Lagged { resume_at: from.topic.oldest() });
            }
            let waits = if chunk.is_empty() { Err(first) } else { self.take(&chunk, from) };
            if let Err(waits) = waits {
                (self.to, self.ends) = (waits - 1, false);
                break;
            }
        }
        Ok(())
    }

    /// Puts what may go together next, of the picked events, into `chunk`; none if the next is lapped.
    fn collect_picked<'s>(&mut self, from: &Source<'s>, chunk: &mut Vec<&'s Entry>) {
        let ((most, _), mut room) = (from.bounds(), BATCH_BYTES_MAX);
        while chunk.len() < most
            && room > 0
            && let Some(entry) = self.picked.last().and_then(|offset| from.topic.find(*offset, from.pin))
        {
            self.picked.pop();
            room = room.saturating_sub(entry.body.len());
            chunk.push(entry);
        }
    }

    /// Which events to take, up to the first that ends; `None` when the range was lapped meanwhile.
    fn pick(&mut self, first: u64, last: u64, from: &Source<'_>) -> Option<Looked> {
        let (mut seen, mut looked) = (HashSet::new(), Looked { to: last, ends: false });
        self.picked.clear();
        for offset in (first..=last).rev() {
            let entry = from.topic.find(offset, from.pin)?;
            if from.ends(entry) && from.wants(entry) {
                looked = Looked { to: offset, ends: true };
                (seen, self.conflated) = (HashSet::new(), 0);
                self.picked.clear();
            }
            let key = entry.body.key();
            if seen.contains(key) {
                self.conflated += 1;
            } else if from.wants(entry) {
                self.picked.push(offset);
                if !key.is_empty() {
                    seen.insert(key);
                }
            }
        }
        Some(looked)
    }

    /// Takes in what may go together: as one frame if the view has such, or each on its own.
    ///
    /// # Errors
    /// The first event that must wait for the next gather.
    fn take(&mut self, chunk: &[&Entry], from: &Source<'_>) -> Result<(), u64> {
        match self.batch(chunk, from)? {
            Some(frame) => self.push(&frame, chunk),
            None => chunk.iter().try_for_each(|entry| self.add(entry, from))?,
        }
        Ok(())
    }

    /// The frame of a batch. Whether there is room for it is guessed beforehand, so that none is made in vain.
    fn batch(&self, chunk: &[&Entry], from: &Source<'_>) -> Result<Option<Bytes>, u64> {
        let (Some(_), Some(first)) = (from.class.linger, chunk.first()) else { return Ok(None) };
        if !self.fits(chunk.iter().map(|entry| entry.body.len()).sum()) {
            return Err(first.offset);
        }
        Ok(from.class.encode.batch(from.topic, chunk, from.now))
    }

    fn add(&mut self, entry: &Entry, from: &Source<'_>) -> Result<(), u64> {
        let frame = entry.frame(from.class.encode, from.topic);
        if !frame.is_empty() && !self.fits(frame.len()) {
            return Err(entry.offset);
        }
        self.push(frame, &[entry]);
        Ok(())
    }

    fn fits(&self, bytes: usize) -> bool {
        let small = bytes <= JOIN_FRAME_BYTES_MAX && self.joined.len() + bytes <= GATHER_BYTES_MAX;
        self.bytes().is_empty() || (self.large.is_none() && small)
    }

    fn push(&mut self, frame: &Bytes, of: &[&Entry]) {
        let ([first, ..], [.., last]) = (of, of) else { return };
        if frame.is_empty() {
            return;
        }
        if self.marks.is_empty() {
            self.stamp_micros = first.stamp_micros;
        }
        if frame.len() > JOIN_FRAME_BYTES_MAX && self.joined.is_empty() {
            self.large = Some(frame.clone());
        } else {
            self.joined.extend_from_slice(frame);
        }
        self.events += of.len() as u64;
        let mark = Mark { end: self.bytes().len() as u32, events: of.len() as u32, offset: last.offset };
        self.marks.push(mark);
    }
}

#[cfg(test)]
#[path = "gather_tests.rs"]
mod tests;
