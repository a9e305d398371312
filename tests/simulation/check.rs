//! The external checker: compares what one connection was told, message by message, with the truth.
//!
//! Of every topic that it reads, a connection has each matching event once and in order, or was told which
//! it misses; where it may be conflated, an event may be missing if a newer one with its key follows.

use std::collections::{BTreeMap, VecDeque};

use millrace::dialect::{Start, Transport};
use millrace::engine::{Registry, SlowPolicy};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::log::{Event, Log};
use super::parse::Said;
use super::text::event_text;

/// What was found wrong.
pub type Verdict = Result<(), String>;

/// What the checker may look at besides what the client received.
pub struct Truth<'a> {
    /// What was published.
    pub log: &'a Log,
    /// What is kept.
    pub registry: &'a Registry,
}

impl Truth<'_> {
    /// Whether nothing up to `offset` is kept any more (or the log itself is gone).
    fn is_gone(&self, topic: &str, epoch: u64, offset: u64) -> bool {
        let found = self.registry.find(topic).filter(|found| found.epoch() == epoch);
        offset == 0 || found.is_none_or(|found| found.oldest() > offset)
    }

    fn policy(&self, topic: &str) -> Option<SlowPolicy> {
        self.registry.find(topic).map(|topic| topic.namespace().slow.policy)
    }
}

/// A filter, as the simulation knows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Only {
    /// Everything.
    All,
    /// Of this type.
    Type(&'static str),
    /// With this key.
    Key(&'static str),
    /// With a member `m` above this.
    Above(u8),
}

impl Only {
    /// As the protocol writes it.
    pub fn json(self) -> Option<String> {
        match self {
            Self::All => None,
            Self::Type(kind) => Some(format!("{{\"eq\":[\"event\",\"{kind}\"]}}")),
            Self::Key(key) => Some(format!("{{\"eq\":[\"key\",\"{key}\"]}}")),
            Self::Above(m) => Some(format!("{{\"gt\":[\"data.m\",{m}]}}")),
        }
    }

    fn holds(self, event: &Event) -> bool {
        match self {
            Self::All => true,
            Self::Type(kind) => event.event == kind,
            Self::Key(key) => event.key == key,
            Self::Above(m) => event.m().is_some_and(|found| found > m),
        }
    }
}

/// What a client asks to read.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Topic or pattern.
    pub name: String,
    /// From where.
    pub start: Start,
    /// Which events.
    pub only: Only,
    /// Whether only the newest of each key.
    pub conflate: bool,
    /// Where single topics resume.
    pub positions: BTreeMap<String, (u64, u64)>,
    /// What there was when it asked: epoch and head of each topic.
    pub heads: BTreeMap<String, (u64, u64)>,
    /// What there was when the answer to a pattern had come.
    pub answered: Option<BTreeMap<String, (u64, u64)>>,
}

/// A request whose answer is to come.
#[derive(Clone, Debug)]
pub enum Asked {
    /// To read.
    Subscribe(Spec),
    /// To read no longer.
    Unsubscribe(String),
    /// To publish this data.
    Publish(String, String),
    /// Who is there.
    Presence,
    /// A sign of life.
    Ping,
}

#[derive(Debug)]
struct Sub {
    epoch: u64,
    cursor: u64,
    only: Only,
    conflate: bool,
    pattern: Option<String>,
}

impl Sub {
    /// Why the client need not get the event `offset`.
    fn may_miss(&self, life: &[Event], offset: u64) -> bool {
        let (event, later) = (&life[offset as usize - 1], &life[offset as usize..]);
        let newer = |newer: &Event| newer.key == event.key && self.only.holds(newer);
        !self.only.holds(event) || (self.conflate && !event.key.is_empty() && later.iter().any(newer))
    }

    /// All events between the cursor and `to`, which the client does not get.
    fn pass(&self, life: &[Event], to: u64) -> Verdict {
        match (self.cursor + 1..to).find(|&offset| !self.may_miss(life, offset)) {
            Some(lost) => Err(format!("event {lost} is lost: the cursor is {}, next is {to}", self.cursor)),
            None => Ok(()),
        }
    }
}

#[derive(Debug, Deserialize)]
struct Message {
    #[serde(rename = "type")]
    kind: String,
    topic: Option<String>,
    pattern: Option<String>,
    epoch: Option<u64>,
    offset: Option<u64>,
    recovered: Option<bool>,
    missed: Option<u64>,
    from: Option<u64>,
    to: Option<u64>,
    code: Option<serde_json::Value>,
    count: Option<usize>,
    members: Option<Vec<serde_json::Value>>,
    #[serde(rename = "ref")]
    reference: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Batch {
    count: usize,
    events: Vec<Box<RawValue>>,
}

/// See the module.
#[derive(Debug)]
pub struct Check {
    one_line: bool,
    sse: bool,
    multiplexed: bool,
    specs: Vec<Spec>,
    subs: BTreeMap<String, Sub>,
    asked: VecDeque<(u64, Asked)>,
    /// Most events of a batch.
    batch: usize,
    /// SSE's last id.
    pub last_id: String,
    /// The code with which the server closed.
    pub closed: Option<u16>,
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(otherwise()) }
}

impl Check {
    /// A connection that asks for `specs` when it opens.
    pub fn new(transport: Transport, multiplexed: bool, specs: Vec<Spec>) -> Self {
        let sse = matches!(transport, Transport::Sse | Transport::SseChunked);
        let (subs, asked) = (BTreeMap::new(), VecDeque::new());
        let one_line = !transport.is_websocket();
        let (batch, last_id) = (0, String::new());
        Self { one_line, sse, multiplexed, specs, subs, asked, batch, last_id, closed: None }
    }

    /// Events may come in batches of at most this many, and each is on one line.
    pub fn allow_batches(&mut self, most: u32) {
        (self.batch, self.one_line) = (most as usize, true);
    }

    /// The client asks for something under `reference`.
    pub fn ask(&mut self, reference: u64, asked: Asked) {
        self.asked.push_back((reference, asked));
    }

    /// What the client has of each topic.
    pub fn positions(&self) -> BTreeMap<String, (u64, u64)> {
        self.subs.iter().map(|(name, sub)| (name.clone(), (sub.epoch, sub.cursor))).collect()
    }

    /// What the client reads by name, and not by a pattern.
    pub fn read_by_name(&self) -> impl Iterator<Item = &String> {
        self.subs.iter().filter(|(_, sub)| sub.pattern.is_none()).map(|(name, _)| name)
    }

    /// The server said something.
    pub fn said(&mut self, said: &Said, truth: &Truth<'_>) -> Verdict {
        match said {
            Said::End => ensure(self.closed.is_some(), || "the stream ends without saying why".into()),
            _ if self.closed.is_some() => Err(format!("after the close: {said:?}")),
            Said::Ping(_) => Ok(()),
            Said::Close(code) => {
                self.closed = Some(*code);
                Ok(())
            }
            Said::Text { name, id, text } => {
                let verdict = self.text(name, id, text, truth);
                self.last_id = id.clone();
                verdict.map_err(|why| format!("{why}\n  in {text:.300}"))
            }
        }
    }

    fn text(&mut self, name: &str, id: &str, text: &str, truth: &Truth<'_>) -> Verdict {
        let message: Message = serde_json::from_str(text).map_err(|e| e.to_string())?;
        let events = matches!(&*message.kind, "event" | "batch");
        let expected = if events { "message" } else { &message.kind };
        ensure(!self.sse || name == expected, || format!("it is named {name:?}"))?;
        match &*message.kind {
            "event" => self.event(&message, Some(id), text, truth),
            "batch" => self.batch(id, text, truth),
            "gap" => self.gap(&message, truth),
            "subscribed" => {
                self.subscribed(&message, truth)?;
                match (message.topic.as_deref(), message.offset) {
                    (Some(topic), Some(offset)) if self.multiplexed || message.pattern.is_none() => {
                        self.id(id, topic, offset, truth)
                    }
                    _ => Ok(()),
                }
            }
            "close" => {
                self.closed = message.code.and_then(|code| code.as_u64()).map(|code| code as u16);
                Ok(())
            }
            _ => self.answered(&message, truth),
        }
    }

    fn batch(&mut self, id: &str, text: &str, truth: &Truth<'_>) -> Verdict {
        let Batch { count, events } = serde_json::from_str(text).map_err(|e| e.to_string())?;
        ensure(count == events.len() && (2..=self.batch).contains(&count), || format!("{count} at once"))?;
        let texts = events.iter().zip(1..).map(|(event, number)| (event.get(), number == count));
        for (text, last) in texts {
            let message = serde_json::from_str(text).map_err(|e| e.to_string())?;
            self.event(&message, last.then_some(id), text, truth)?;
        }
        Ok(())
    }

    /// An event, with the id behind which it is the last.
    fn event(&mut self, message: &Message, id: Option<&str>, text: &str, truth: &Truth<'_>) -> Verdict {
        let topic = message.topic.as_deref().ok_or("no topic")?;
        let offset = message.offset.ok_or("no offset")?;
        let sub = self.subs.get(topic).ok_or("an event of a topic that is not read")?;
        let life = truth.log.life(topic, sub.epoch);
        let event = life.get((offset as usize).wrapping_sub(1)).ok_or("nobody published this")?;
        ensure(offset > sub.cursor, || format!("twice or out of order: the cursor is {}", sub.cursor))?;
        sub.pass(life, offset)?;
        ensure(sub.only.holds(event), || "it does not match the filter".into())?;
        let expected = event_text(topic, sub.epoch, offset, event, self.one_line);
        ensure(text == expected, || format!("expected {expected:.300}"))?;
        self.subs.get_mut(topic).ok_or("gone")?.cursor = offset;
        id.map_or(Ok(()), |id| self.id(id, topic, offset, truth))
    }

    /// The id with which a client would come back must lose nothing and repeat nothing.
    fn id(&self, id: &str, topic: &str, offset: u64, truth: &Truth<'_>) -> Verdict {
        if !self.sse {
            return Ok(());
        }
        if !self.multiplexed {
            let expected = format!("{}:{offset}", self.subs[topic].epoch);
            return ensure(id == expected, || format!("its id is {id:?}"));
        }
        let mut places = BTreeMap::new();
        for place in id.split(',') {
            let (name, place) = place.split_once('=').ok_or("no place in the id")?;
            let (epoch, offset) = place.split_once(':').ok_or("no position in the id")?;
            places.insert(name, (epoch.parse::<u64>().ok(), offset.parse::<u64>().unwrap_or(u64::MAX)));
        }
        // What the connection has begun to read may not have been told of yet.
        for (name, sub) in &self.subs {
            let &(epoch, place) = places.get(&**name).ok_or_else(|| format!("{name} is not in id {id:?}"))?;
            let life = truth.log.life(name, sub.epoch);
            let same = epoch == Some(sub.epoch) && place >= sub.cursor && place <= life.len() as u64;
            ensure(same, || format!("{name} stands at {} in id {id:?}", sub.cursor))?;
            sub.pass(life, place + 1)?;
        }
        Ok(())
    }

    fn gap(&mut self, message: &Message, truth: &Truth<'_>) -> Verdict {
        let topic = message.topic.as_deref().ok_or("no topic")?;
        let sub = self.subs.get_mut(topic).ok_or("a gap of a topic that is not read")?;
        let (from, to) = (message.from.ok_or("no from")?, message.to.ok_or("no to")?);
        ensure(message.epoch == Some(sub.epoch), || "another epoch".into())?;
        ensure(from > sub.cursor && to >= from, || format!("the cursor is {}", sub.cursor))?;
        sub.pass(truth.log.life(topic, sub.epoch), from)?;
        ensure(message.missed == Some(to + 1 - from), || "the count is wrong".into())?;
        ensure(to <= truth.log.head(topic, sub.epoch), || "nobody published this".into())?;
        let skips = matches!(truth.policy(topic), Some(SlowPolicy::Skip(_)));
        ensure(skips || truth.is_gone(topic, sub.epoch, to), || "what is missing is still kept".into())?;
        sub.cursor = to;
        Ok(())
    }

    /// The run is over and nothing more comes: everybody must have everything.
    pub fn complete(&self, truth: &Truth<'_>) -> Verdict {
        for (topic, sub) in &self.subs {
            let life = truth.log.life(topic, sub.epoch);
            sub.pass(life, life.len() as u64 + 1).map_err(|why| format!("{topic}, at the end: {why}"))?;
        }
        ensure(self.asked.is_empty(), || format!("never answered: {:?}", self.asked))
    }
}

#[path = "answers.rs"]
mod answers;
pub use answers::heads;
