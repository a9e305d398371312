//! Many topics over one SSE stream. The id of every event carries the positions of all topics, so that one
//! `Last-Event-ID` resumes them all; it precedes the shared frame of the event within the same SSE event, so
//! that a client has both or neither.

use std::sync::Arc;

use super::super::{
    Dialect, Gap, Host, Message, Place, Refusal, Start, Subscribe, Transport, frame, position,
};
use super::reader::{Wanted, say_goodbye};
use super::request::Positions;
use super::{messages, view};
use crate::engine::Topic;
use crate::error::Disconnect;
use crate::limits::SSE_TOPICS_MAX;

/// See the module.
#[derive(Debug)]
pub struct MultiplexSse {
    transport: Transport,
    wanted: Vec<Wanted>,
    positions: Positions,
    /// Whether the client has been here: a topic of a pattern for which it has no position is one that came into
    /// being while it was away.
    resumed: bool,
    topics: usize,
}

impl MultiplexSse {
    /// A stream of what `wanted` says, resumed at `positions` if there are any.
    pub fn new(transport: Transport, wanted: Vec<Wanted>, positions: Option<Positions>) -> Self {
        let resumed = positions.is_some();
        Self { transport, wanted, positions: positions.unwrap_or_default(), resumed, topics: 0 }
    }

    fn read(&mut self, index: usize, topic: &str, default: Start, host: &mut dyn Host) {
        if self.topics == SSE_TOPICS_MAX {
            let text = format!(
                "a multiplexed SSE stream carries at most {SSE_TOPICS_MAX} topics; {topic} is left out"
            );
            return host.send("error", &messages::error("too_many_topics", &text, None));
        }
        let wanted = &self.wanted[index];
        let request = Subscribe {
            start: self.positions.remove(topic).unwrap_or(default),
            filter: wanted.filter.clone(),
            conflate: wanted.conflate,
            presence: wanted.presence.as_deref(),
            ..Subscribe::new(topic, view(self.transport, false))
        };
        let pattern = wanted.is_pattern().then_some(wanted.topic.as_str());
        match host.subscribe(&request) {
            Ok(outcome) => {
                self.topics += 1;
                let id = positions(host.places().iter().map(|(topic, offset)| (&**topic, *offset)));
                host.send_at("subscribed", &id, &messages::subscribed(&outcome, pattern, None));
            }
            // Overlapping names and patterns read a topic once.
            Err(Refusal::AlreadySubscribed) => {}
            Err(refusal) => host.send("error", &messages::refused(&refusal, None)),
        }
    }

    fn watch(&mut self, index: usize, host: &mut dyn Host) {
        let pattern = self.wanted[index].topic.clone();
        match host.watch(&pattern) {
            Ok(topics) => {
                let id = positions(host.places().iter().map(|(topic, offset)| (&**topic, *offset)));
                host.send_at("subscribed", &id, &messages::watching(&pattern, topics.len(), None));
                let fresh = Start::After { epoch: None, offset: 0 };
                let start = if self.resumed { fresh } else { self.wanted[index].start.clone() };
                for topic in topics {
                    let start = start.clone();
                    self.read(index, topic.name(), start, host);
                }
            }
            Err(refusal) => host.send("error", &messages::refused(&refusal, None)),
        }
    }
}

impl Dialect for MultiplexSse {
    fn opened(&mut self, host: &mut dyn Host) {
        for index in 0..self.wanted.len() {
            if self.wanted[index].is_pattern() {
                self.watch(index, host);
            } else {
                let (topic, start) = (self.wanted[index].topic.clone(), self.wanted[index].start.clone());
                self.read(index, &topic, start, host);
            }
        }
    }

    fn opens_with(&self) -> Vec<String> {
        self.wanted.iter().map(|wanted| wanted.topic.clone()).collect()
    }

    fn received(&mut self, _message: Message<'_>, _host: &mut dyn Host) {}

    fn matched(&mut self, pattern: &str, topic: &Arc<Topic>, host: &mut dyn Host) {
        if let Some(index) = self.wanted.iter().position(|wanted| wanted.topic == pattern) {
            self.read(index, topic.name(), Start::Created, host);
        }
    }

    fn gap(&mut self, topic: &Topic, gap: Gap, host: &mut dyn Host) {
        host.send("gap", &messages::gap(topic, gap));
    }

    fn closing(&mut self, why: Disconnect, host: &mut dyn Host) {
        say_goodbye(self.transport, why, host);
    }

    fn has_prefix(&self) -> bool {
        true
    }

    fn prefix(&self, places: &[Place<'_>], out: &mut Vec<u8>) {
        let id = positions(places.iter().map(|place| (place.topic, place.offset)));
        frame::raw(self.transport, &[b"id: ", &id[..], b"\n"].concat(), out);
    }
}

/// The id that resumes all of `places`. Without any, a client that comes back with it gets the topics that came into being
/// meanwhile from their first event.
fn positions<'t>(places: impl Iterator<Item = (&'t Topic, u64)>) -> Vec<u8> {
    position::list(places.map(|(topic, offset)| (&**topic.name(), topic.epoch(), offset)))
}
