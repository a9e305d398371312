//! What a swarm has read: tallies, windows and latencies, apart from the sockets.

use anyhow::Result;

use super::sub::{State, Sub};
use crate::check::Tally;
use crate::envelope::{self, Notice};
use crate::look::{Found, Look};
use crate::protocol::Payload;
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
    look: Look,
}

impl Topic {
    /// A topic of which at most `capacity` events are ever outstanding, and whose events carry `payload`.
    pub fn new(name: String, capacity: usize, payload: &Payload) -> Self {
        let look = payload.look(&name);
        Self { name, window: Window::new(capacity), epoch: None, look }
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
    /// Messages that held events.
    pub messages: u64,
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
    pub fn new(topics: Vec<Topic>) -> Result<Self> {
        let (tally, latencies, inflater) = (Tally::default(), Latencies::new()?, None);
        Ok(Self { topics, tally, latencies, open: 0, connecting: 0, bytes: 0, messages: 0, inflater })
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
        let look = &self.topics[sub.topic].look;
        let (number, intact) = match look.single.read(text) {
            Found::Event(number, length) => (number, length == text.len()),
            Found::Damaged(number) => (number, false),
            Found::Other if look.batch.is_some() => return self.batch(text, sub, now),
            Found::Other => return self.notice(text, sub),
        };
        self.messages += 1;
        self.tally.corrupted += u64::from(!intact);
        self.delivered(number, sub, now);
        Outcome::Fine
    }

    /// The events of a batch, which must be as many as it says.
    fn batch(&mut self, text: &[u8], sub: &mut SubBooks<'_>, now: u64) -> Outcome {
        let (mut count, mut at) =
            match self.topics[sub.topic].look.batch.as_ref().map(|(head, _)| head.read(text)) {
                Some(Found::Event(count, length)) => (count, length),
                _ => return self.notice(text, sub),
            };
        self.messages += 1;
        while count > 0 {
            let item = self.topics[sub.topic].look.batch.as_ref().map(|(_, item)| item.read(&text[at..]));
            let Some(Found::Event(number, length)) = item else { break };
            self.delivered(number, sub, now);
            (at, count) = (at + length + 1, count - 1);
        }
        // Behind each event stands a comma, or the end.
        let whole = count == 0 && &text[at - 1..] == b"]}";
        self.tally.corrupted += u64::from(!whole);
        Outcome::Fine
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
            Notice::Opened => {
                sub.track.begin(self.topics[sub.topic].window.published());
                return Outcome::Opened;
            }
            Notice::Idle => {}
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Protocol;
    use crate::swarm::sub::Plan;
    use crate::wire::Transport;

    const ALL: [Protocol; 5] =
        [Protocol::Topics, Protocol::Stream, Protocol::Events, Protocol::Channels, Protocol::Analysis];

    /// What a subscriber finds that reads these texts, while ten events are published.
    fn found(protocol: Protocol, texts: &[Vec<u8>]) -> Tally {
        let payload = Payload::of(protocol, 200, None);
        let topic = Topic::new(protocol.topic(1, "a", 0), 64, &payload);
        let mut ledger = Ledger::new(vec![topic]).expect("books");
        let mut sub = Sub::new(Plan::steady(0, Transport::Ws));
        ledger.topics[0].window.join(sub.track.class());
        ledger.topics[0].window.publish(10, 0);
        for text in texts {
            ledger.enter(Message::Text(text), &mut SubBooks::of(&mut sub).0, 1);
        }
        sub.track.finish(10, &mut ledger.tally);
        assert!(ledger.topics[0].window.outstanding() == 0 || !ledger.tally.is_clean());
        ledger.tally
    }

    fn singles(protocol: Protocol) -> Vec<Vec<u8>> {
        let look = Payload::of(protocol, 200, None).look(&protocol.topic(1, "a", 0));
        (1..=10).map(|number| look.single.render(number)).collect()
    }

    fn batch(numbers: &[u64], count: u64) -> Vec<u8> {
        let protocol = Protocol::EventBatches;
        let look = Payload::of(protocol, 200, None).look(&protocol.topic(1, "a", 0));
        let (head, item) = look.batch.expect("batches");
        let items: Vec<_> = numbers.iter().map(|number| item.render(*number)).collect();
        [&head.render(count)[..], &items.join(&b","[..]), b"]}"].concat()
    }

    fn faults(tally: &Tally) -> [u64; 5] {
        [tally.lost, tally.duplicated, tally.reordered, tally.corrupted, tally.unexpected]
    }

    #[test]
    fn each_protocol_has_its_faults_found() {
        for protocol in ALL {
            let texts = || singles(protocol);
            let after = |tamper: fn(&mut Vec<Vec<u8>>)| {
                let mut texts = texts();
                tamper(&mut texts);
                faults(&found(protocol, &texts))
            };
            assert_eq!(after(|_| ()), [0; 5], "{protocol:?}");
            assert_eq!(after(|texts| drop(texts.remove(4))), [1, 0, 0, 0, 0], "{protocol:?}");
            assert_eq!(after(|texts| texts.insert(4, texts[3].clone())), [0, 1, 0, 0, 0], "{protocol:?}");
            assert_eq!(after(|texts| texts.swap(3, 4)), [0, 0, 1, 0, 0], "{protocol:?}");
            let spoilt = after(|texts| {
                let middle = texts[4].windows(3).position(|three| three == b"xxx").expect("a filler");
                texts[4][middle] = b'y';
            });
            assert!(spoilt[3] + spoilt[4] > 0, "{protocol:?}: {spoilt:?}");
        }
    }

    #[test]
    fn batches_have_their_faults_found() {
        let found = |batches: &[Vec<u8>]| faults(&found(Protocol::EventBatches, batches));
        assert_eq!(found(&[batch(&[1, 2, 3], 3), batch(&[4, 5, 6, 7, 8, 9, 10], 7)]), [0; 5]);
        assert_eq!(found(&[batch(&[1, 2, 3], 3), batch(&[5, 6, 7, 8, 9, 10], 6)]), [1, 0, 0, 0, 0]);
        assert_eq!(found(&[batch(&[1, 2], 2), batch(&[2, 3, 4, 5, 6, 7, 8, 9, 10], 9)]), [0, 1, 0, 0, 0]);
        assert_eq!(found(&[batch(&[1, 3, 2, 4, 5, 6, 7, 8, 9, 10], 10)]), [0, 0, 1, 0, 0]);
        assert_eq!(found(&[batch(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 11)])[3], 1);
        assert_eq!(found(&[batch(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 9)])[3], 1);
        let mut spoilt = batch(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 10);
        let middle = spoilt.windows(3).position(|three| three == b"xxx").expect("a filler");
        spoilt[middle] = b'y';
        assert_eq!(found(&[spoilt])[3], 1);
    }
}
