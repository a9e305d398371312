//! Events as the protocol shows them. An event is complete since it was published, so that its data is copied.

use bytes::Bytes;

use super::super::{Transport, frame};
use super::messages;
use super::model::PREFIX;
use crate::engine::{Encode, Entry, Topic, ViewId};

/// Room for what surrounds an event's data.
const ENVELOPE_BYTES: usize = 128;

/// The encoder of one transport.
#[derive(Debug)]
struct Enveloped {
    transport: Transport,
    /// Whether the envelope carries the event's position.
    with_sequence: bool,
    view: ViewId,
}

const fn enveloped(transport: Transport, with_sequence: bool, view: ViewId) -> Enveloped {
    Enveloped { transport, with_sequence, view }
}

static VIEWS: [Enveloped; 4] = [
    enveloped(Transport::WebSocket, false, 10),
    enveloped(Transport::Deflate, false, 11),
    enveloped(Transport::WebSocket, true, 12),
    enveloped(Transport::Deflate, true, 13),
];

/// The encoder for a WebSocket, with or without positions.
pub fn view(transport: Transport, with_sequence: bool) -> &'static dyn Encode {
    &VIEWS[usize::from(transport == Transport::Deflate) + 2 * usize::from(with_sequence)]
}

impl Encode for Enveloped {
    fn view(&self) -> ViewId {
        self.view
    }

    fn frame(&self, topic: &Topic, entry: &Entry) -> Bytes {
        let capacity = entry.body.len() + ENVELOPE_BYTES;
        frame::event(self.transport, capacity, |_| {}, |out| self.write(topic, entry, out))
    }
}

impl Enveloped {
    fn write(&self, topic: &Topic, entry: &Entry, out: &mut Vec<u8>) {
        let name = topic.name().strip_prefix(PREFIX).unwrap_or_default();
        let at = self.with_sequence.then(|| (topic.epoch(), entry.offset));
        messages::write(out, name, entry.time_ms, at, |out| out.extend_from_slice(entry.body.data()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Body, Namespace, Now, Parts, Retention, Slow, SlowPolicy};
    use crate::wire::websocket::{Decoder, Incoming, Input, Intake, Role};
    use proptest::prelude::*;
    use std::sync::Arc;

    fn topic() -> Topic {
        let retention = Retention { events: 8, bytes: 1 << 20, age_ms: 0 };
        let slow = Slow { policy: SlowPolicy::Disconnect, events: 8, bytes: 0, stall_ms: 0 };
        let space = Namespace {
            retention,
            slow,
            presence: false,
            idempotency_ms: 0,
            idle_ms: 0,
            linger_ms: 0,
            rate: None,
        };
        Topic::new("stream.log".into(), 5, Arc::new(space), Now::default())
    }

    fn text(encode: &dyn Encode, deflate: bool, data: &str) -> String {
        let body = Body::new(&Parts { data: data.as_bytes(), ..Parts::default() });
        let entry = Entry::new(7, 0, 0, 0, body);
        let mut frame = encode.frame(&topic(), &entry).to_vec();
        let (mut decoder, mut intake) = (Decoder::new(Role::Client, deflate), Intake::new(1 << 24));
        match decoder.next(&mut Input::new(&mut frame), &mut intake) {
            Ok(Some(Incoming::Text(text))) => text.into(),
            other => panic!("{other:?} is no text"),
        }
    }

    #[test]
    fn the_envelope() {
        let plain = r#"{"type":"log","timestamp":"1970-01-01T00:00:00.000Z","data":{"level":"INFO"}}"#;
        let placed = r#"{"type":"log","timestamp":"1970-01-01T00:00:00.000Z","data":{"level":"INFO"},"sequence":7,"epoch":5}"#;
        for transport in [Transport::WebSocket, Transport::Deflate] {
            let deflate = transport == Transport::Deflate;
            assert_eq!(text(view(transport, false), deflate, r#"{"level":"INFO"}"#), plain);
            assert_eq!(text(view(transport, true), deflate, r#"{"level":"INFO"}"#), placed);
        }
        let views: Vec<_> = VIEWS.iter().map(Encode::view).collect();
        assert_eq!(views, [10, 11, 12, 13]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Whatever was published, control characters and much of it included, leaves as it is.
        #[test]
        fn data_leaves_as_it_came(content: String, times in 0_usize..3000) {
            let data = serde_json::json!({"message": content.repeat(times)}).to_string();
            for transport in [Transport::WebSocket, Transport::Deflate] {
                let text = text(view(transport, false), transport == Transport::Deflate, &data);
                let end = format!(",\"data\":{data}}}");
                prop_assert!(text.ends_with(&end));
                prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
            }
        }
    }
}
