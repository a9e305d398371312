//! Events as subscribers get them, one encoder per kind of WebSocket.

use bytes::Bytes;

use super::id_of;
use super::messages::{put, put_number, put_string};
use crate::dialect::{Transport, frame, position};
use crate::engine::{Encode, Entry, Topic, ViewId};
use crate::json::time;

/// Room for what surrounds an event's data, besides its names.
const ENVELOPE_BYTES: usize = 160;

/// The encoder of one transport.
#[derive(Debug)]
struct Event {
    transport: Transport,
    view: ViewId,
}

static PLAIN: Event = Event { transport: Transport::WebSocket, view: 50 };
static DEFLATED: Event = Event { transport: Transport::Deflate, view: 51 };

/// The encoder for `transport`.
pub(super) fn view(transport: Transport) -> &'static dyn Encode {
    if transport == Transport::Deflate { &DEFLATED } else { &PLAIN }
}

impl Encode for Event {
    fn view(&self) -> ViewId {
        self.view
    }

    fn frame(&self, topic: &Topic, entry: &Entry) -> Bytes {
        let capacity = entry.body.len() + topic.name().len() + ENVELOPE_BYTES;
        frame::event(self.transport, capacity, |_| {}, |out| write(topic, entry, out))
    }
}

fn write(topic: &Topic, entry: &Entry, out: &mut Vec<u8>) {
    put(out, "{\"event_id\":");
    write_id(topic, entry, out);
    put_string(out, ",\"event_type\":", entry.body.event());
    put_string(out, ",\"analysis_id\":", id_of(topic.name()).unwrap_or_default());
    put(out, ",\"data\":");
    out.extend_from_slice(entry.body.data());
    put(out, ",\"timestamp\":\"");
    time::write(out, entry.time_ms);
    put_number(out, "\",\"sequence\":", entry.offset);
    out.push(b'}');
}

/// The publisher's id, or the event's position, which is its id in the native protocol too.
fn write_id(topic: &Topic, entry: &Entry, out: &mut Vec<u8>) {
    if entry.body.id().is_empty() {
        out.push(b'"');
        position::write(topic.epoch(), entry.offset, out);
        out.push(b'"');
    } else {
        put_string(out, "", entry.body.id());
    }
}
