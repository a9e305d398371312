//! Events as subscribers get them, made once for each transport.

use bytes::Bytes;

use super::super::{Transport, frame, position};
use super::channel::PREFIX;
use super::flat;
use crate::engine::{Encode, Entry, Topic, ViewId};

/// Room for what surrounds an event's data.
const ENVELOPE_BYTES: usize = 320;

/// The encoder of one transport.
#[derive(Debug)]
struct Flat {
    transport: Transport,
    /// Whether SSE events carry their own position; on streams of several channels all positions precede the event.
    with_id: bool,
    view: ViewId,
}

const fn flat(transport: Transport, with_id: bool, view: ViewId) -> Flat {
    Flat { transport, with_id, view }
}

static VIEWS: [Flat; 6] = [
    flat(Transport::WebSocket, false, 40),
    flat(Transport::Deflate, false, 41),
    flat(Transport::SseChunked, true, 42),
    flat(Transport::Sse, true, 43),
    flat(Transport::SseChunked, false, 44),
    flat(Transport::Sse, false, 45),
];

/// The encoder for `transport`; `with_id` for SSE of a single channel.
pub fn view(transport: Transport, with_id: bool) -> &'static dyn Encode {
    let with_id = with_id && !transport.is_websocket();
    let wanted = |flat: &&Flat| flat.transport == transport && flat.with_id == with_id;
    VIEWS.iter().find(wanted).unwrap_or(&VIEWS[0])
}

impl Encode for Flat {
    fn view(&self) -> ViewId {
        self.view
    }

    fn frame(&self, topic: &Topic, entry: &Entry) -> Bytes {
        let capacity = entry.body.len() + ENVELOPE_BYTES;
        let one_line = !self.transport.is_websocket();
        let id = |out: &mut Vec<u8>| {
            if self.with_id {
                write_id_line(std::iter::once((topic, entry.offset)), out);
            }
        };
        frame::event(self.transport, capacity, id, |out| flat::write_event(topic, entry, one_line, out))
    }
}

/// Positions as SSE clients come back with them: `sessions=epoch:offset,agents=…`.
pub fn positions<'t>(places: impl Iterator<Item = (&'t Topic, u64)>) -> Vec<u8> {
    let name = |topic: &'t Topic| topic.name().strip_prefix(PREFIX).unwrap_or(topic.name());
    position::list(places.map(|(topic, offset)| (name(topic), topic.epoch(), offset)))
}

/// Appends the line that gives an SSE event the positions in `places`.
pub fn write_id_line<'t>(places: impl Iterator<Item = (&'t Topic, u64)>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"id: ");
    out.extend_from_slice(&positions(places));
    out.push(b'\n');
}

#[cfg(test)]
#[path = "encode_tests.rs"]
mod tests;
