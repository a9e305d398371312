//! One client over SSE. Its ids carry the positions of all channels that it reads, so that one `Last-Event-ID` resumes them all:
//! in the shared frame of an event where there is one channel, in front of it where there are several.

use super::super::{Dialect, Gap, Host, Message, Place, Refusal, Subscribe, Transport, frame};
use super::channel::Channel;
use super::encode::{positions, view, write_id_line};
use super::messages;
use super::query::Part;
use crate::engine::Topic;
use crate::error::Disconnect;

/// See the module.
#[derive(Debug)]
pub struct Events {
    transport: Transport,
    parts: Vec<Part>,
    is_single: bool,
}

impl Events {
    /// A stream of `parts`, of which there is one at least.
    pub fn new(transport: Transport, parts: Vec<Part>) -> Self {
        let is_single = parts.len() == 1;
        Self { transport, parts, is_single }
    }
}

impl Dialect for Events {
    fn opened(&mut self, host: &mut dyn Host) {
        let view = view(self.transport, self.is_single);
        let (mut granted, mut denied, mut lost, mut full) = (Vec::new(), Vec::new(), Vec::new(), None);
        for Part { channel, start, filter } in std::mem::take(&mut self.parts) {
            match host.subscribe(&Subscribe { start, filter, ..Subscribe::new(channel.topic(), view) }) {
                Ok(outcome) => {
                    granted.push(channel.name());
                    lost.extend((!outcome.recovered).then_some((channel, outcome)));
                }
                Err(Refusal::Topic(_)) => return host.close(Disconnect::Internal),
                Err(refusal) => {
                    denied.push(channel.name());
                    full = full.or(refusal.retry_after_ms().map(|wait_ms| (refusal.to_string(), wait_ms)));
                }
            }
        }
        let id = positions(host.places().iter().map(|(topic, offset)| (&**topic, *offset)));
        host.send_at("subscribed", &id, &messages::subscribed(&granted, &denied));
        if let Some((why, wait_ms)) = full {
            host.send("error", &messages::limited(&why, wait_ms));
        }
        for (channel, outcome) in lost {
            host.send("gap", &messages::not_recovered(channel, &outcome));
        }
    }

    fn received(&mut self, _message: Message<'_>, _host: &mut dyn Host) {}

    fn gap(&mut self, topic: &Topic, gap: Gap, host: &mut dyn Host) {
        if let Some(channel) = Channel::of_topic(topic.name()) {
            host.send("gap", &messages::gap(channel, gap));
        }
    }

    fn closing(&mut self, why: Disconnect, host: &mut dyn Host) {
        host.send_retry();
        host.send("error", &messages::closing(&why));
    }

    fn has_prefix(&self) -> bool {
        !self.is_single
    }

    fn prefix(&self, places: &[Place<'_>], out: &mut Vec<u8>) {
        let mut line = Vec::with_capacity(160);
        write_id_line(places.iter().map(|place| (place.topic, place.offset)), &mut line);
        frame::raw(self.transport, &line, out);
    }
}
