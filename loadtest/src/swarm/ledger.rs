//! What a swarm has read: tallies, windows and latencies, apart from the sockets.

use anyhow::Result;

use super::sub::{State, Sub};
use crate::check::Tally;
use crate::envelope::{self, Notice};
use crate::stats::Latencies;
use crate::window::Window;
use crate::wire::Message;
use crate::wire::inflate::Inflater;

/// What is common to the subscribers of a topic.
pub struct Topic {
    /// Its name.
    pub name: String,
    /// What is outstanding.
    pub window: Window,
    /// The life of its log, once a subscriber was told.
    pub epoch: Option<u64>,
    prefix: Vec<u8>,
}

impl Topic {
    /// A topic of which at most `capacity` events are ever outstanding.
    pub fn new(name: String, capacity: usize) -> Self {
        let prefix = envelope::event_prefix(&name);
        Self { name, window: Window::new(capacity), epoch: None, prefix }
    }
}

/// The books of a swarm.
pub struct Ledger {
    /// The topics.
    pub topics: Vec<Topic>,
    /// What was right and wrong.
    pub tally: Tally,
    /// From publishing to reading, of counted subscribers.
    pub latencies: Latencies,
    /// How many subscribers are open.
    pub open: usize,
    /// How many connections are in the making.
    pub connecting: usize,
    /// Bytes read.
    pub bytes: u64,
    /// What every event's text ends with.
    tail: Vec<u8>,
    /// Lent out while a text of it is being entered.
    inflater: Option<Inflater>,
}

/// What a message means for its connection.
pub enum Outcome {
    /// It goes on.
    Fine,
    /// `subscribed` came: it is open.
    Opened,
    /// The server wants these bytes back.
    Pong(Vec<u8>),
    /// It ends.
    Closed(u16),
}

impl Ledger {
    /// Empty books.
    pub fn new(topics: Vec<Topic>, tail: Vec<u8>) -> Result<Self> {
        let (tally, latencies, inflater) = (Tally::default(), Latencies::new()?, None);
        Ok(Self { topics, tally, latencies, open: 0, connecting: 0, bytes: 0, tail, inflater })
    }

    /// Enters one message of `sub`, read at `now`.
    #[inline]
    pub fn enter(&mut self, message: Message<'_>, sub: &mut SubBooks<'_>, now: u64) -> Outcome {
        match message {
            Message::Text(text) => self.text(text, sub, now),
            Message::Deflated(bytes) => self.deflated(bytes, sub, now),
            Message::Ping(bytes) => Outcome::Pong(bytes.to_vec()),
            Message::Close(code) => Outcome::Closed(code),
        }
    }

    fn deflated(&mut self, bytes: &[u8], sub: &mut SubBooks<'_>, now: u64) -> Outcome {
        let mut inflater = self.inflater.take().unwrap_or_default();
        let outcome = match inflater.text(bytes) {
            Ok(text) => self.text(text, sub, now),
            Err(_) => {
                self.tally.corrupted += 1;
                Outcome::Fine
            }
        };
        self.inflater = Some(inflater);
        outcome
    }

    #[inline]
    fn text(&mut self, text: &[u8], sub: &mut SubBooks<'_>, now: u64) -> Outcome {
        match envelope::offset_of(text, &self.topics[sub.topic].prefix) {
            Some(offset) => {
                self.tally.corrupted += u64::from(!text.ends_with(&self.tail));
                self.delivered(offset, sub, now);
                Outcome::Fine
            }
            None => self.notice(text, sub),
        }
    }

    #[inline]
    fn delivered(&mut self, offset: u64, sub: &mut SubBooks<'_>, now: u64) {
        let window = &mut self.topics[sub.topic].window;
        if sub.counted
            && let Some(sent_at) = window.sent_at(offset)
        {
            self.latencies.record(now.saturating_sub(sent_at));
        }
        self.tally.unexpected += u64::from(offset > window.published());
        let seen = sub.track.see(offset, &mut self.tally);
        if sub.counted {
            window.read(offset, seen, sub.track.class());
        }
    }

    fn notice(&mut self, text: &[u8], sub: &mut SubBooks<'_>) -> Outcome {
        match envelope::notice(text) {
            Notice::Subscribed { epoch, offset, recovered } => {
                return self.subscribed(epoch, offset, recovered, sub);
            }
            Notice::Gap { to } => self.give_up(to, sub),
            Notice::Close { code } => return Outcome::Closed(code),
            Notice::Error | Notice::Unknown => self.tally.unexpected += 1,
        }
        Outcome::Fine
    }

    fn give_up(&mut self, to: u64, sub: &mut SubBooks<'_>) {
        let last = sub.track.last();
        sub.track.give_up(to, &mut self.tally);
        if sub.counted {
            self.topics[sub.topic].window.forgo(last, to, sub.track.class());
        }
    }

    /// A first subscription begins where the server says; a resumed one goes on where it was, and owns up to a gap.
    fn subscribed(&mut self, epoch: u64, offset: u64, recovered: bool, sub: &mut SubBooks<'_>) -> Outcome {
        let same_log = *self.topics[sub.topic].epoch.get_or_insert(epoch) == epoch;
        self.tally.unexpected += u64::from(!same_log);
        match (sub.resumes, recovered) {
            (false, _) => sub.track.begin(offset),
            (true, true) => {}
            (true, false) => self.give_up(offset, sub),
        }
        Outcome::Opened
    }
}

/// The part of a subscriber that the books need while its stream is being read.
pub struct SubBooks<'a> {
    /// The index of its topic.
    pub topic: usize,
    /// What it has read.
    pub track: &'a mut crate::check::Track,
    /// Whether the window waits for it.
    pub counted: bool,
    /// Whether it asked for what follows a position.
    pub resumes: bool,
}

impl<'a> SubBooks<'a> {
    /// Splits `sub` into its books and its stream.
    pub fn of(sub: &'a mut Sub) -> (Self, &'a mut State) {
        let (counted, resumes) = (sub.is_counted(), sub.resumes);
        (Self { topic: sub.plan.topic, track: &mut sub.track, counted, resumes }, &mut sub.state)
    }
}
