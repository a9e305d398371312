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
    /// What it says in the end, where that is not why the connection ends.
    parting: Option<Vec<u8>>,
}

impl Events {
    /// A stream of `parts`, of which there is one at least.
    pub fn new(transport: Transport, parts: Vec<Part>) -> Self {
        let is_single = parts.len() == 1;
        Self { transport, parts, is_single, parting: None }
    }

    /// Nothing that it asked for can be read, or not all of it now: a stream that stayed open would look alive and keep quiet.
    fn end(&mut self, refusal: &Refusal, host: &mut dyn Host) {
        let text = refusal.to_string();
        self.parting = refusal.retry_after_ms().map(|millis| messages::limited(&text, millis));
        host.close(Disconnect::policy(text));
    }
}

impl Dialect for Events {
    fn opened(&mut self, host: &mut dyn Host) {
        let view = view(self.transport, self.is_single);
        let (mut granted, mut denied, mut lost, mut refused) = (Vec::new(), Vec::new(), Vec::new(), None);
        for Part { channel, start, filter } in std::mem::take(&mut self.parts) {
            match host.subscribe(&Subscribe { start, filter, ..Subscribe::new(channel.topic(), view) }) {
                Ok(outcome) => {
                    granted.push(channel.name());
                    lost.extend((!outcome.recovered).then_some((channel, outcome)));
                }
                // Its place would be lost if the others were read without it.
                Err(refusal) if refusal.retry_after_ms().is_some() => return self.end(&refusal, host),
                Err(refusal) => {
                    denied.push(channel.name());
                    refused = Some(refusal);
                }
            }
        }
        if let Some(refusal) = refused.filter(|_| granted.is_empty()) {
            return self.end(&refusal, host);
        }
        let id = positions(host.places().iter().map(|(topic, offset)| (&**topic, *offset)));
        host.send_at("subscribed", &id, &messages::subscribed(&granted, &denied));
        for (channel, outcome) in lost {
            host.send("gap", &messages::not_recovered(channel, &outcome));
        }
    }

    fn opens_with(&self) -> Vec<String> {
        self.parts.iter().map(|part| part.channel.topic().into()).collect()
    }

    fn received(&mut self, _message: Message<'_>, _host: &mut dyn Host) {}

    fn gap(&mut self, topic: &Topic, gap: Gap, host: &mut dyn Host) {
        if let Some(channel) = Channel::of_topic(topic.name()) {
            host.send("gap", &messages::gap(channel, gap));
        }
    }

    fn closing(&mut self, why: Disconnect, host: &mut dyn Host) {
        host.send_retry();
        let parting = self.parting.take();
        host.send("error", &parting.unwrap_or_else(|| messages::closing(&why)));
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
