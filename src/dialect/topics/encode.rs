//! Events as the native protocol shows them, one encoder per transport.

use bytes::Bytes;

use super::super::{Transport, frame};
use super::messages::{write_event, write_position};
use crate::engine::{Encode, Entry, Topic, ViewId};

/// Room for what surrounds an event's data, besides the topic's name.
const ENVELOPE_BYTES: usize = 192;

/// The native encoder of one transport.
#[derive(Debug)]
pub struct Native {
    transport: Transport,
    /// Whether SSE events carry their own position; on multiplexed streams all positions precede the event.
    with_id: bool,
    view: ViewId,
}

const fn native(transport: Transport, with_id: bool, view: ViewId) -> Native {
    Native { transport, with_id, view }
}

static VIEWS: [Native; 8] = [
    native(Transport::WebSocket, true, 0),
    native(Transport::Deflate, true, 1),
    native(Transport::SseChunked, true, 2),
    native(Transport::Sse, true, 3),
    native(Transport::LinesChunked, true, 4),
    native(Transport::Lines, true, 5),
    native(Transport::SseChunked, false, 6),
    native(Transport::Sse, false, 7),
];

/// The encoder for `transport`; without ids for multiplexed SSE.
pub fn view(transport: Transport, with_id: bool) -> &'static dyn Encode {
    let wanted = |native: &&Native| native.transport == transport && native.with_id == with_id;
    VIEWS.iter().find(wanted).unwrap_or(&VIEWS[transport as usize])
}

impl Encode for Native {
    fn view(&self) -> ViewId {
        self.view
    }

    fn frame(&self, topic: &Topic, entry: &Entry) -> Bytes {
        let capacity = entry.body.len() + topic.name().len() + ENVELOPE_BYTES;
        let one_line = !self.transport.is_websocket();
        let id = |out: &mut Vec<u8>| {
            if self.with_id {
                out.extend_from_slice(b"id: ");
                write_position(topic.epoch(), entry.offset, out);
                out.push(b'\n');
            }
        };
        frame::event(self.transport, capacity, id, |out| write_event(topic, entry, one_line, out))
    }
}
