//! The subscriptions of one class to one topic, in a dense array: what the first of them gets, all that stand
//! at the same place get.
//!
//! The array has two parts. The first `live` ones stand at or near the head and their sockets take more; a
//! publication walks them. The rest are blocked, or have private bytes to write first, and cost nothing per
//! publication; a pump brings them back.

use super::class::ClassId;
use super::linger::Lingering;

/// A subscription: a cursor and what is needed to write without looking anything else up.
#[derive(Clone, Copy, Debug)]
pub struct Sub {
    /// The last offset that was written, or that is being written.
    pub cursor: u64,
    /// How to write to its socket.
    pub key: i32,
    /// Its connection.
    pub conn: u32,
    /// Its index among the connection's subscriptions.
    pub back: u32,
    /// See there.
    pub marks: SubMarks,
}

/// What is true of a subscription.
#[derive(Clone, Copy, Debug, Default)]
pub struct SubMarks {
    /// Its connection reads other topics too, or gets prefixes: it is pumped and not written to directly.
    pub indirect: bool,
    /// It has reached the head since it began, so that its backlog is its own doing.
    pub caught_up: bool,
    /// Its reader is present on the topic.
    pub present: bool,
    /// The slow policy conflates it until it has caught up.
    pub conflating: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Group {
    /// The topic's slot.
    pub slot: u32,
    /// What its members have in common.
    pub class: ClassId,
    /// Live ones, then the others.
    pub subs: Vec<Sub>,
    /// How many are live.
    pub live: usize,
    /// Where the next walk begins.
    pub at: usize,
    /// Every live one has what lies up to here, or is in the queue of those to be pumped.
    pub served: u64,
    /// What of the topic may wait; absent where nothing does.
    pub lingering: Option<Box<Lingering>>,
}

impl Group {
    /// A group without members.
    pub fn new(slot: u32, class: ClassId, lingering: Option<Box<Lingering>>) -> Self {
        Self { slot, class, subs: Vec::new(), live: 0, at: 0, served: 0, lingering }
    }

    /// The newest offset that its members may have now, `head` being the topic's.
    pub fn visible(&self, head: u64) -> u64 {
        self.lingering.as_ref().map_or(head, |lingering| lingering.released())
    }

    /// Whether the subscription at `index` is live.
    pub fn is_live(&self, index: u32) -> bool {
        (index as usize) < self.live
    }

    /// Moves the subscription at `index` to the live part; which two changed places.
    pub fn enliven(&mut self, index: u32) -> (u32, u32) {
        let other = self.live as u32;
        self.subs.swap(index as usize, self.live);
        self.live += 1;
        (index, other)
    }

    /// Moves the subscription at `index` out of the live part; which two changed places.
    pub fn suspend(&mut self, index: u32) -> (u32, u32) {
        self.live -= 1;
        self.subs.swap(index as usize, self.live);
        (index, self.live as u32)
    }
}
