//! Events as subscribers get them.

use super::*;
use crate::engine::{Body, Namespace, Now, Parts, Retention, Slow, SlowPolicy};
use crate::wire::sse::{Item, Parser};
use crate::wire::websocket::{Decoder, Incoming, Input, Intake, Role};
use proptest::prelude::*;
use serde_json::{Value, json};
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
    Topic::new("channels.sessions".into(), 5, Arc::new(space), Now::default())
}

fn frame(transport: Transport, with_id: bool, id: &str, data: &str) -> Vec<u8> {
    let body = Body::new(&Parts { event: "session.started", id, data: data.as_bytes(), ..Parts::default() });
    view(transport, with_id).frame(&topic(), &Entry::new(7, 0, 0, 0, body)).to_vec()
}

fn text(transport: Transport, id: &str, data: &str) -> String {
    let mut frame = frame(transport, false, id, data);
    let (deflate, mut intake) = (transport == Transport::Deflate, Intake::new(1 << 24));
    match Decoder::new(Role::Client, deflate).next(&mut Input::new(&mut frame), &mut intake) {
        Ok(Some(Incoming::Text(text))) => text.into(),
        other => panic!("{other:?} is no text"),
    }
}

#[test]
fn an_event_is_flat() {
    let cases = [
        ("", r#"{"session_id":"s"}"#, r#""evt_5_7""#, r#","session_id":"s""#),
        ("mine", "{}", r#""mine""#, ""),
        ("a\"b", r#"{"a": {"type": 1}}"#, r#""a\"b""#, r#","a": {"type": 1}"#),
        // What the server says wins, also when it is written with escapes.
        ("", r#"{"type":"x","a":1,"i\u0064":2,"channel":"y","created_at":0}"#, r#""evt_5_7""#, r#","a":1"#),
    ];
    for (id, data, shown_id, rest) in cases {
        let wanted = format!(
            r#"{{"type":"session.started","id":{shown_id},"channel":"sessions","created_at":"1970-01-01T00:00:00.000Z"{rest}}}"#
        );
        assert_eq!(text(Transport::WebSocket, id, data), wanted);
        assert_eq!(text(Transport::Deflate, id, data), wanted);
    }
}

#[test]
fn server_sent_events_carry_positions_where_there_is_one_channel() {
    let with_id = frame(Transport::Sse, true, "", "{\n\"a\":1}");
    assert!(with_id.starts_with(b"id: sessions=5:7\ndata: {\"type\":"), "{with_id:?}");
    assert!(with_id.ends_with(b",\"a\":1}\n\n"));
    assert!(frame(Transport::Sse, false, "", "{}").starts_with(b"data: {"));
    let views: Vec<_> = VIEWS.iter().map(Encode::view).collect();
    assert_eq!(views, [40, 41, 42, 43, 44, 45]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever was published, every transport carries it, and one event of SSE stays one.
    #[test]
    fn data_arrives(name: String, content: String, times in 0_usize..2000) {
        let data = json!({format!("x{name}"): content.repeat(times)});
        let arrived = |text: &str| -> Value { serde_json::from_str(text).unwrap() };
        let mut wanted = arrived(&text(Transport::WebSocket, "", "{}"));
        wanted.as_object_mut().unwrap().extend(data.as_object().unwrap().clone());
        for transport in [Transport::WebSocket, Transport::Deflate] {
            prop_assert_eq!(&arrived(&text(transport, "", &data.to_string())), &wanted);
        }
        let frame = frame(Transport::Sse, true, "", &data.to_string());
        let (mut parser, mut input) = (Parser::new(1 << 24), &frame[..]);
        let message = match parser.next(&mut input) {
            Ok(Some(Item::Message(message))) => message.data.to_owned(),
            other => panic!("{other:?} is no message"),
        };
        prop_assert_eq!(&arrived(&message), &wanted);
        prop_assert!(matches!(parser.next(&mut input), Ok(None)));
    }
}
