//! A topic as one shard sees it: the dense array of its subscriptions here.
//!
//! The array has two parts. The first `live` ones stand at or near the head and their sockets take more; a
//! publication walks them. The rest are blocked, or have private bytes to write first, and cost nothing per
//! publication; a pump brings them back.

use std::sync::Arc;

use super::class::ClassId;
use crate::engine::{Interest, Topic};

/// A subscription: a cursor and what is needed to write without looking anything else up.
#[derive(Clone, Copy, Debug)]
pub struct Sub {
    /// The last offset that was written, or that is being written.
    pub cursor: u64,
    /// How to write to its socket.
    pub key: i32,
    /// Its connection.
    pub conn: u32,
    /// Its class.
    pub class: ClassId,
    /// Its index among the connection's subscriptions, and marks.
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
pub struct Slot {
    /// The topic.
    pub topic: Arc<Topic>,
    /// How it tells of news.
    pub interest: Arc<Interest>,
    /// Live ones, then the others.
    pub subs: Vec<Sub>,
    /// How many are live.
    pub live: usize,
    /// Where the next turn begins.
    pub at: usize,
    /// It stands in the queue of topics of this turn.
    pub queued: bool,
    /// Notices of the topic that its readers here were told.
    pub noticed: u64,
}

impl Slot {
    /// A slot without subscriptions.
    pub fn new(topic: Arc<Topic>, interest: Arc<Interest>) -> Self {
        let noticed = topic.notices().number();
        Self { topic, interest, subs: Vec::new(), live: 0, at: 0, queued: false, noticed }
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
