//! What is to be looked at later: topics that hold events back, and topics whose readers have not been told of all that was
//! refused. A topic is listed once for each reason, so that there are never more than two looks for a topic.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::engine::Topic;
use crate::sync::{Mutex, lock};

/// Why a topic is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// Its gate holds events back.
    Held,
    /// Events were refused that its readers have not been told of.
    Refused,
}

/// When, which (epochs are unique), and why.
type Look = (u64, u64, Why);

/// See the module. Times are monotonic microseconds.
#[derive(Default)]
pub struct Agenda {
    looks: Mutex<BTreeMap<Look, Arc<Topic>>>,
    earlier: Notify,
}

impl Agenda {
    /// Lists `topic`, which the caller knows not to be listed for this reason.
    pub fn enter(&self, due_micros: u64, why: Why, topic: &Arc<Topic>) {
        let look = (due_micros, topic.epoch(), why);
        let mut looks = lock(&self.looks);
        looks.insert(look, Arc::clone(topic));
        let first = looks.first_key_value().is_some_and(|(first, _)| *first == look);
        drop(looks);
        if first {
            self.earlier.notify_one();
        }
    }

    /// Takes the next topic that is due at `micros`, if any is.
    pub fn take(&self, micros: u64) -> Option<(Why, Arc<Topic>)> {
        let mut looks = lock(&self.looks);
        let first = looks.first_entry().filter(|first| first.key().0 <= micros)?;
        let ((_, _, why), topic) = first.remove_entry();
        Some((why, topic))
    }

    /// When the next one is due.
    pub fn next(&self) -> Option<u64> {
        lock(&self.looks).first_key_value().map(|((due, ..), _)| *due)
    }

    /// Waits until something is due earlier than everything was before.
    pub async fn earlier(&self) {
        self.earlier.notified().await;
    }
}
