//! One write for a connection that reads several topics: frames of all of them in one buffer, with marks
//! that say how far each topic's cursor has come wherever the write stops.

use bytes::Bytes;

use super::conn::SubRef;
use super::net::Net;
use super::shard::Shard;
use crate::dialect::Place;

/// See the module. One per shard, its buffers used again and again.
#[derive(Debug, Default)]
pub(super) struct Joined {
    pub bytes: Vec<u8>,
    pub marks: Vec<JoinedMark>,
    pub shares: Vec<Share>,
    /// Counts up, so that each time another topic of a connection comes first.
    pub rotation: usize,
    /// When the first event was published, and how many there are, for those of topics that are kept up with.
    pub fresh: Option<(u64, u64)>,
}

/// The end of a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct JoinedMark {
    pub end: usize,
    pub at: SubRef,
    pub offset: u64,
}

/// Where a subscription stands when all is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    pub at: SubRef,
    pub to: u64,
}

impl Joined {
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.marks.clear();
        self.shares.clear();
        self.rotation = self.rotation.wrapping_add(1);
        self.fresh = None;
    }

    /// Events of a topic that is kept up with are in the buffer, the first of them published at `stamp`.
    pub fn add_fresh(&mut self, stamp: u64, events: u64) {
        let (first, before) = self.fresh.unwrap_or((stamp, 0));
        self.fresh = (events > 0).then_some((first.min(stamp), before + events)).or(self.fresh);
    }

    /// A frame ends here.
    pub fn mark(&mut self, at: SubRef, offset: u64) {
        self.marks.push(JoinedMark { end: self.bytes.len(), at, offset });
    }

    /// The last offset of `at` that is in the buffer.
    fn newest(&self, at: SubRef) -> Option<u64> {
        self.marks.iter().rev().find(|mark| mark.at == at).map(|mark| mark.offset)
    }
}

impl<N: Net> Shard<N> {
    /// The place of subscription `of` when the client reads event `offset` of `at`.
    pub(super) fn place_of<'s>(&'s self, of: SubRef, at: SubRef, offset: u64, joined: &Joined) -> Place<'s> {
        let slot = &self.slots[of.slot as usize];
        let delivered = || joined.newest(of).unwrap_or(slot.subs[of.index as usize].cursor);
        Place { topic: &slot.topic, offset: if of == at { offset } else { delivered() } }
    }

    /// A joined write stopped: cursors move over whole frames and the begun one, whose rest is kept.
    pub(super) fn keep_joined_rest(&mut self, id: u32, joined: &Joined, written: usize) {
        let (mut start, mut begun) = (0, 0);
        for mark in &joined.marks {
            if written <= start {
                break;
            }
            self.slots[mark.at.slot as usize].subs[mark.at.index as usize].cursor = mark.offset;
            begun += 1;
            if written < mark.end {
                let rest = Bytes::copy_from_slice(&joined.bytes[written..mark.end]);
                self.conns[id as usize].outgoing().partial = rest;
                break;
            }
            start = mark.end;
        }
        self.wrote_part(written, begun);
    }
}
