//! A topic as one shard sees it: the groups of its subscriptions here.

use std::sync::Arc;

use super::class::ClassId;
use crate::engine::{Interest, Topic};

/// See the module.
#[derive(Debug)]
pub struct Slot {
    /// The topic.
    pub topic: Arc<Topic>,
    /// How it tells of news.
    pub interest: Arc<Interest>,
    /// Its groups, by class.
    pub groups: Vec<(ClassId, u32)>,
    /// The group with which the next turn begins.
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
        Self { topic, interest, groups: Vec::new(), at: 0, queued: false, noticed }
    }

    /// The group of `class`.
    pub fn group_of(&self, class: ClassId) -> Option<u32> {
        self.groups.iter().find(|(of, _)| *of == class).map(|(_, group)| *group)
    }
}
