//! Everything that an answer has said up to an event, put together from the log, where each piece stands once.
//!
//! An answer begins with the `step` that starts its turn, with a piece that has nothing before it (`"at":0`, as it has when an
//! answer is begun anew), or behind the end of the turn before; it goes on to the end of its own turn. Whoever asks for one
//! event after another costs one look at each: what was put together is remembered by the thread that did so, for as many
//! answers as [`SESSION_TEXTS_REMEMBERED`] and [`SESSION_TEXTS_BYTES`] allow.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use crossbeam_epoch::{self as epoch, Guard};

use super::step;
use crate::engine::{Content, Entry, Topic};
use crate::json::members::members;
use crate::limits::{
    SESSION_TEXT_BYTES_MAX, SESSION_TEXT_LOOKS_MAX, SESSION_TEXTS_BYTES, SESSION_TEXTS_REMEMBERED,
};

thread_local! {
    /// Frames are made on the threads of shards, where many connections ask for the same.
    static TEXTS: RefCell<Texts> = RefCell::new(Texts::default());
}

/// What the answer has said up to and with the event `offset` of `topic`: the contents of its pieces one after another, as they
/// stand in JSON, to be written between quotes. Empty where nothing was said yet.
///
/// `None` when its beginning has left the log, or is out of reach ([`SESSION_TEXT_LOOKS_MAX`], [`SESSION_TEXT_BYTES_MAX`]).
pub fn so_far(topic: &Topic, offset: u64) -> Option<String> {
    let pin = epoch::pin();
    TEXTS.with_borrow_mut(|texts| {
        let known = texts.take(topic, offset);
        let text = match known {
            Some(known) if known.last >= offset => known,
            known => texts.go_on(topic, known, offset, &pin)?,
        };
        let said = text.up_to(offset).filter(|_| text.begin >= topic.oldest()).map(Into::into);
        texts.put(text);
        said
    })
}

/// What an event means to the answer.
struct Look<'e> {
    offset: u64,
    /// What it adds.
    content: &'e str,
    begins: bool,
    ends: bool,
}

impl<'e> Look<'e> {
    fn at(entry: &'e Entry) -> Self {
        let event = entry.body.event();
        let look = Self { offset: entry.offset, content: "", begins: false, ends: step::ends_turn(event) };
        match event {
            step::MESSAGE => {
                Self { content: string(member(entry, "content")), begins: member(entry, "at") == "0", ..look }
            }
            step::STEP => Self { begins: string(member(entry, "step")) == step::STARTING, ..look },
            _ => look,
        }
    }
}

/// A member of an event's data, as it stands there; empty where there is none.
fn member<'e>(entry: &'e Entry, name: &str) -> &'e str {
    let data = std::str::from_utf8(entry.body.data()).ok().filter(|_| entry.body.content() == Content::Json);
    let mut all = data.and_then(members).into_iter().flatten();
    all.find(|member| member.name == name).map_or("", |member| member.value)
}

/// What stands between the quotes of a string; nothing where it is none.
fn string(json: &str) -> &str {
    json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default()
}

/// One answer, as far as it was looked at.
struct Text {
    /// The topic's own name, which no other topic shares: epochs alone are not told apart between servers of one process.
    name: Arc<str>,
    epoch: u64,
    /// The events that were looked at.
    begin: u64,
    last: u64,
    is_over: bool,
    /// Its beginning is out of reach, which is not tried again with every event.
    is_lost: bool,
    said: String,
    /// Where in `said` the content of an event ends, by how far the event is behind the first.
    ends: Vec<(u32, u32)>,
}

impl Text {
    fn new(topic: &Topic, begin: u64) -> Self {
        Self {
            name: Arc::clone(topic.name()),
            epoch: topic.epoch(),
            begin,
            last: begin - 1,
            is_over: false,
            is_lost: false,
            said: String::new(),
            ends: Vec::new(),
        }
    }

    fn push(&mut self, look: &Look<'_>) {
        (self.last, self.is_over) = (look.offset, look.ends);
        if look.content.is_empty() || self.is_lost {
            return;
        }
        let bytes = self.said.len() + look.content.len();
        if bytes > SESSION_TEXT_BYTES_MAX || self.ends.len() == SESSION_TEXT_LOOKS_MAX {
            self.lose();
        } else {
            self.said.push_str(look.content);
            self.ends.push(((look.offset - self.begin) as u32, self.said.len() as u32));
        }
    }

    fn lose(&mut self) {
        (self.is_lost, self.said, self.ends) = (true, String::new(), Vec::new());
    }

    fn up_to(&self, offset: u64) -> Option<&str> {
        let pieces = self.ends.partition_point(|(behind, _)| self.begin + u64::from(*behind) <= offset);
        let end = pieces.checked_sub(1).map_or(0, |last| self.ends[last].1);
        (!self.is_lost).then(|| &self.said[..end as usize])
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.said.capacity() + self.ends.capacity() * size_of::<(u32, u32)>()
    }
}

/// What a thread remembers: when the younger ones are as many as they may be, the older ones are forgotten, and they are the
/// older ones.
#[derive(Default)]
struct Texts {
    young: BTreeMap<(u64, u64), Text>,
    old: BTreeMap<(u64, u64), Text>,
    /// Of the younger ones.
    bytes: usize,
}

impl Texts {
    /// The answer that began last before `offset`, of those that are remembered.
    fn take(&mut self, topic: &Topic, offset: u64) -> Option<Text> {
        let range = (topic.epoch(), 0)..=(topic.epoch(), offset);
        let newest = |all: &BTreeMap<_, _>| all.range(range.clone()).next_back().map(|(key, _)| *key);
        let key = newest(&self.young).max(newest(&self.old))?;
        let young = self.young.remove(&key).inspect(|text| self.bytes -= text.bytes());
        let found = young.or_else(|| self.old.remove(&key))?;
        Arc::ptr_eq(&found.name, topic.name()).then_some(found)
    }

    fn put(&mut self, text: Text) {
        if self.young.len() >= SESSION_TEXTS_REMEMBERED || self.bytes + text.bytes() > SESSION_TEXTS_BYTES {
            (self.old, self.bytes) = (mem::take(&mut self.young), 0);
        }
        self.bytes += text.bytes();
        self.young.insert((text.epoch, text.begin), text);
    }

    /// The answer up to `offset`: `known`, if it goes on so far, or one that begins behind it.
    fn go_on(&mut self, topic: &Topic, known: Option<Text>, offset: u64, pin: &Guard) -> Option<Text> {
        let last = known.as_ref().map_or(0, |known| known.last);
        let way = back(topic, offset, last, pin);
        let goes_on = way.as_ref().is_some_and(|way| way.begin.is_none());
        let (same, other) = match known {
            Some(known) if goes_on && !known.is_over => (Some(known), None),
            other => (None, other),
        };
        other.into_iter().for_each(|other| self.put(other));
        let way = way?;
        let mut text = same.unwrap_or_else(|| Text::new(topic, way.begin.unwrap_or(last + 1)));
        if way.is_lost {
            text.lose();
        }
        way.looks.iter().rev().for_each(|look| text.push(look));
        Some(text)
    }
}

/// The way from an event back to where its answer begins, or to what is known.
struct Way<'e> {
    /// Where it begins; absent where the way has come to what is known, or to the beginning of the log.
    begin: Option<u64>,
    /// The newest first.
    looks: Vec<Look<'e>>,
    /// The answer begins somewhere before that, out of reach.
    is_lost: bool,
}

/// Goes back from `offset`, not further than behind `last`; `None` when the log does not have that.
fn back<'e>(topic: &Topic, offset: u64, last: u64, pin: &'e Guard) -> Option<Way<'e>> {
    let mut way = Way { begin: None, looks: Vec::new(), is_lost: false };
    let mut bytes = 0;
    for at in (last + 1..=offset).rev() {
        let Some(look) = topic.find(at, pin).map(Look::at) else {
            return (at < offset).then_some(Way { begin: Some(at + 1), is_lost: true, ..way });
        };
        if look.ends && at < offset {
            return Some(Way { begin: Some(at + 1), ..way });
        }
        let begins = look.begins;
        bytes += look.content.len();
        way.looks.push(look);
        let is_lost = way.looks.len() >= SESSION_TEXT_LOOKS_MAX || bytes > SESSION_TEXT_BYTES_MAX;
        if begins || is_lost {
            return Some(Way { begin: Some(at), is_lost, ..way });
        }
    }
    Some(way)
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
