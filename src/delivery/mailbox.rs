//! What other threads leave for a shard, and how they wake it.
//!
//! `armed` is set while the shard sleeps or is about to: only who takes it pays for a wake. A shard that is
//! about to sleep arms, then looks once more; a sender posts, then disarms. One of the two sees the other.
//!
//! Each queue is bounded by something that is counted elsewhere: dirty slots by the shard's topics (each is
//! here at most once, by its interest's flag), adoptions by the node's connections, new topics by the node's
//! topics times the shard's patterns.

use std::sync::Arc;

use super::conn::Handoff;
use super::pool::Drain;
use crate::auth::{Permits, Subject, Verdict};
use crate::engine::{Topic, Wake, Watch};
use crate::sync::{AtomicBool, Ordering, Queue, fence};

/// Ends a thread's sleep in its poll.
pub trait Alarm: Send + Sync {
    /// Wakes the sleeper.
    fn ring(&self);
}

/// Which connection asked what: connections' places are used again, numbers of questions are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// The connection.
    pub conn: u32,
    /// The number.
    pub number: u32,
}

/// Something for a shard to do.
pub enum Letter {
    /// Take over a connection.
    Adopt(Box<Handoff>),
    /// A new topic matches a watched pattern.
    Created(u64, Arc<Topic>),
    /// Somebody was asked about a token, and this is the verdict.
    Verdict(Question, Verdict),
    /// Somebody was asked which topics may be read, and this is the answer.
    Permits(Question, Permits),
    /// Close the connections of a credential that was taken back.
    Revoked(Subject),
    /// Close everything at a pace, then end.
    Drain(Drain),
    /// End now.
    Stop,
}

/// See the module.
pub struct Mailbox {
    dirty: Queue<u32>,
    letters: Queue<Letter>,
    armed: AtomicBool,
    alarm: Box<dyn Alarm>,
}

impl Mailbox {
    /// An empty mailbox of a shard that is awake.
    pub fn new(alarm: Box<dyn Alarm>) -> Self {
        Self { dirty: Queue::new(), letters: Queue::new(), armed: AtomicBool::new(false), alarm }
    }

    /// Leaves a letter.
    pub fn post(&self, letter: Letter) {
        self.letters.push(letter);
        self.rouse();
    }

    fn rouse(&self) {
        fence(Ordering::SeqCst);
        if self.armed.load(Ordering::Relaxed) && self.armed.swap(false, Ordering::AcqRel) {
            self.alarm.ring();
        }
    }

    /// The next topic with news.
    pub fn next_dirty(&self) -> Option<u32> {
        self.dirty.pop()
    }

    /// The next letter.
    pub fn next_letter(&self) -> Option<Letter> {
        self.letters.pop()
    }

    /// Before sleeping: whether the shard may sleep. What is left after a `true` rings.
    pub fn arm(&self) -> bool {
        self.armed.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let empty = self.dirty.is_empty() && self.letters.is_empty();
        if !empty {
            self.disarm();
        }
        empty
    }

    /// After sleeping.
    pub fn disarm(&self) {
        self.armed.store(false, Ordering::Relaxed);
    }
}

impl Wake for Mailbox {
    fn wake(&self, slot: u32) {
        self.dirty.push(slot);
        self.rouse();
    }
}

impl Watch for Mailbox {
    fn created(&self, watch: u64, topic: &Arc<Topic>) {
        self.post(Letter::Created(watch, Arc::clone(topic)));
    }
}
