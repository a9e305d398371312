//! Events as clients get them: batches, and single messages. Both are joins of the bytes that [`super::model`] has prepared.

use bytes::Bytes;

use super::super::{Transport, frame};
use super::model::Pieces;
use crate::engine::{Encode, Entry, Now, Topic, ViewId};
use crate::json::text::write_u64;
use crate::json::time;

/// Room for what surrounds the events of a message.
const ENVELOPE_BYTES: usize = 96;
/// Room for what stands between the events of a batch.
const SEPARATOR_BYTES: usize = 2;

/// How events are put into messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `{"type":"batch",…,"events":[…]}`.
    Batch,
    /// `{"type":"event",…}`.
    Single,
    /// The same, with what is more than the fields of the document.
    Whole,
}

/// The encoder of one shape for one transport.
#[derive(Debug)]
struct View {
    shape: Shape,
    transport: Transport,
    id: ViewId,
}

const fn view_of(shape: Shape, transport: Transport, id: ViewId) -> View {
    View { shape, transport, id }
}

static VIEWS: [View; 6] = [
    view_of(Shape::Batch, Transport::WebSocket, 20),
    view_of(Shape::Batch, Transport::Deflate, 21),
    view_of(Shape::Single, Transport::WebSocket, 22),
    view_of(Shape::Single, Transport::Deflate, 23),
    view_of(Shape::Whole, Transport::WebSocket, 24),
    view_of(Shape::Whole, Transport::Deflate, 25),
];

/// The encoder of `shape` for a WebSocket.
pub fn view(shape: Shape, transport: Transport) -> &'static dyn Encode {
    let wanted = |view: &&View| view.shape == shape && view.transport == transport;
    VIEWS.iter().find(wanted).unwrap_or(&VIEWS[0])
}

impl View {
    fn message(&self, capacity: usize, text: impl Fn(&mut Vec<u8>)) -> Bytes {
        frame::event(self.transport, capacity + ENVELOPE_BYTES, |_| {}, text)
    }
}

impl Encode for View {
    fn view(&self) -> ViewId {
        self.id
    }

    fn frame(&self, _topic: &Topic, entry: &Entry) -> Bytes {
        self.message(entry.body.data().len(), |out| match self.shape {
            Shape::Batch => write_batch(&[entry], entry.time_ms, out),
            Shape::Single => write_event(entry, false, out),
            Shape::Whole => write_event(entry, true, out),
        })
    }

    fn batch(&self, _topic: &Topic, entries: &[&Entry], now: Now) -> Option<Bytes> {
        let capacity = entries.iter().map(|entry| entry.body.data().len() + SEPARATOR_BYTES).sum();
        let batch = || self.message(capacity, |out| write_batch(entries, now.unix_ms, out));
        (self.shape == Shape::Batch).then(batch)
    }
}

fn put(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(text);
}

fn write_batch(entries: &[&Entry], time_ms: u64, out: &mut Vec<u8>) {
    put(out, b"{\"type\":\"batch\",\"count\":");
    write_u64(out, entries.len() as u64);
    put(out, b",\"timestamp\":\"");
    time::write(out, time_ms);
    put(out, b"\",\"events\":[");
    for (i, entry) in entries.iter().enumerate() {
        put(out, if i == 0 { b"" } else { b"," });
        put(out, Pieces::of(entry.body.data()).fields);
        out.push(b'}');
    }
    put(out, b"]}");
}

/// Appends a single message: as in a batch, but the timestamp comes first.
fn write_event(entry: &Entry, whole: bool, out: &mut Vec<u8>) {
    let pieces = Pieces::of(entry.body.data());
    let Some((before, timestamp, behind)) = pieces.around_timestamp() else { return };
    put(out, b"{\"type\":\"event\",\"timestamp\":\"");
    put(out, timestamp);
    put(out, b"\",");
    put(out, &before[1..]);
    put(out, behind);
    if whole {
        write_rest(pieces, out);
    } else {
        out.push(b'}');
    }
}

fn write_rest(pieces: Pieces<'_>, out: &mut Vec<u8>) {
    put(out, if pieces.has_context() { b"" } else { b",\"context\":null" });
    put(out, pieces.rest);
}

/// Appends an event with everything that is known of it, as an answer shows it.
pub fn write_whole(entry: &Entry, out: &mut Vec<u8>) {
    let pieces = Pieces::of(entry.body.data());
    put(out, pieces.fields);
    write_rest(pieces, out);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::model;
    use super::*;
    use crate::engine::{Body, Namespace, Parts, Retention, Slow, SlowPolicy};
    use crate::wire::websocket::{Decoder, Incoming, Input, Intake, Role};

    fn topic() -> Topic {
        let namespace = Namespace {
            retention: Retention { events: 10, bytes: 1000, age_ms: 0 },
            slow: Slow { policy: SlowPolicy::Disconnect, events: 10, bytes: 1000, stall_ms: 0 },
            presence: false,
            idempotency_ms: 0,
            idle_ms: 0,
            linger_ms: 0,
            rate: None,
        };
        Topic::new("events.s".into(), 1, Arc::new(namespace), Now::default())
    }

    fn entry(offset: u64, json: &str) -> Entry {
        let parts = Parts { event: "message", data: json.as_bytes(), ..Parts::default() };
        let body = model::admit("s", &Body::new(&parts), || "id".into(), Now::default()).unwrap();
        Entry::new(offset, 1_795_167_000_000, 0, 0, body)
    }

    fn text(frame: &[u8]) -> String {
        let (mut decoder, mut intake) = (Decoder::new(Role::Client, true), Intake::new(1 << 20));
        let mut frame = frame.to_vec();
        let mut input = Input::new(&mut frame);
        match decoder.next(&mut input, &mut intake) {
            Ok(Some(Incoming::Text(text))) => text.to_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_batch_joins_events() {
        let entries = [entry(1, r#"{"event_type":"a"}"#), entry(2, r#"{"event_type":"b","context":1}"#)];
        let entries: Vec<_> = entries.iter().collect();
        let now = Now { unix_ms: 1_795_167_000_123, micros: 0 };
        let frame = view(Shape::Batch, Transport::WebSocket).batch(&topic(), &entries, now);
        let json: serde_json::Value = serde_json::from_str(&text(&frame.unwrap())).unwrap();
        assert_eq!(json["count"], 2);
        assert_eq!(json["timestamp"], "2026-11-20T09:30:00.123Z");
        assert_eq!(json["events"][1]["event_type"], "b");
        assert_eq!(json["events"][1].as_object().unwrap().len(), 14);
        assert_eq!(view(Shape::Single, Transport::WebSocket).batch(&topic(), &entries, now), None);
    }

    #[test]
    fn every_view_has_a_number_of_its_own() {
        let numbers: Vec<_> = VIEWS.iter().map(Encode::view).collect();
        assert_eq!(numbers, (20..26).collect::<Vec<_>>());
    }
}
