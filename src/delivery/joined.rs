//! One write for a connection that reads several topics: frames of all of them in one buffer, with marks
//! that say how far each topic's cursor has come wherever the write stops.

use bytes::Bytes;

use super::conn::SubRef;
use super::net::Net;
use super::shard::Shard;
use crate::dialect::Place;
use crate::engine::Topic;

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
    pub events: u32,
}

/// Where a subscription stands when all is written, and what of it is in the buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    pub at: SubRef,
    pub to: u64,
    pub sent: Sent,
}

/// What was sent of a topic.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sent {
    pub events: u64,
    pub bytes: u64,
}

impl Sent {
    pub fn add(&mut self, other: Self) {
        self.events += other.events;
        self.bytes += other.bytes;
    }

    /// Counts it for `topic`.
    pub fn tell(self, topic: &Topic) {
        if self.events > 0 {
            topic.traffic.sent(self.events, self.bytes);
        }
    }
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

    /// A frame of `events`, the last of them `offset`, ends here.
    pub fn mark(&mut self, at: SubRef, offset: u64, events: u32) {
        self.marks.push(JoinedMark { end: self.bytes.len(), at, offset, events });
    }

    /// The last offset of `at` that is in the buffer.
    fn newest(&self, at: SubRef) -> Option<u64> {
        self.marks.iter().rev().find(|mark| mark.at == at).map(|mark| mark.offset)
    }
}

impl<N: Net> Shard<N> {
    /// The place of subscription `of` when the client reads event `offset` of `at`.
    pub(super) fn place_of<'s>(&'s self, of: SubRef, at: SubRef, offset: u64, joined: &Joined) -> Place<'s> {
        let delivered = || joined.newest(of).unwrap_or(self.sub(of).cursor);
        Place { topic: self.topic_of(of), offset: if of == at { offset } else { delivered() } }
    }

    /// A joined write stopped: cursors move over whole frames and the begun one, whose rest is kept.
    pub(super) fn keep_joined_rest(&mut self, id: u32, joined: &Joined, written: usize) {
        let (mut start, mut begun) = (0, 0);
        for mark in &joined.marks {
            if written <= start {
                break;
            }
            self.sub_mut(mark.at).cursor = mark.offset;
            begun += u64::from(mark.events);
            let sent = Sent { events: u64::from(mark.events), bytes: (mark.end - start) as u64 };
            sent.tell(self.topic_of(mark.at));
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
