//! What the data models let in, and what they make of it.

use super::*;
use crate::engine::Parts;
use proptest::prelude::*;
use serde_json::{Value, json};

fn body(event: &str, data: &str) -> Body {
    Body::new(&Parts { event, id: "7", data: data.as_bytes(), ..Parts::default() })
}

fn admitted(stream: Stream, data: &str) -> Result<String, String> {
    let admitted = admit(stream.topic(), body("message", data));
    admitted.map(|body| String::from_utf8(body.data().into()).unwrap()).map_err(|misfit| misfit.to_string())
}

#[test]
fn a_complete_event_stays_byte_for_byte() {
    let cases = [
        (
            Stream::Message,
            r#"{ "direction":"incoming","content":"é\n","author_id":"u","channel_id":"c", "message_id":"m"}"#,
        ),
        (Stream::Telemetry, r#"{"metric_name":"cpu","value":-1.5e3,"unit":null,"tags":{}}"#),
        (Stream::Telemetry, r#"{"metric_name":"cpu","value":1e400,"unit":"%","tags":{"a":[1]},"more":true}"#),
        (Stream::Reasoning, r#"{"reasoning_id":"r","step":"s","thought":"t","depth":0,"handler":null}"#),
        (Stream::Log, r#"{"level":"INFO","logger_name":"l","message":"m","context":{"a":null}}"#),
    ];
    for (stream, data) in cases {
        assert_eq!(admitted(stream, data).as_deref(), Ok(data));
    }
}

#[test]
fn what_is_absent_is_completed_in_the_order_of_the_model() {
    let cases = [
        (
            Stream::Telemetry,
            r#"{"x": 1,"value":1,"metric_name":"cpu"}"#,
            r#"{"metric_name":"cpu","value":1,"unit":null,"tags":{},"x": 1}"#,
        ),
        (
            Stream::Telemetry,
            r#"{"metric_name":"cpu","value":1,"unit":"%","tags":null}"#,
            r#"{"metric_name":"cpu","value":1,"unit":"%","tags":{}}"#,
        ),
        (
            Stream::Reasoning,
            r#"{"reasoning_id":"r","step":"s","thought":"t","depth":2}"#,
            r#"{"reasoning_id":"r","step":"s","thought":"t","depth":2,"handler":null}"#,
        ),
        (
            Stream::Log,
            r#"{"level":"INFO","logger_name":"l","message":"m"}"#,
            r#"{"level":"INFO","logger_name":"l","message":"m","context":{}}"#,
        ),
    ];
    for (stream, data, wanted) in cases {
        assert_eq!(admitted(stream, data).as_deref(), Ok(wanted));
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let telemetry = |rest: &str| format!("{{\"metric_name\":\"cpu\"{rest}}}");
    let message = |direction: &str| {
        format!(
            "{{\"message_id\":\"m\",\"channel_id\":\"c\",\"author_id\":\"u\",\"content\":\"x\",\"direction\":{direction}}}"
        )
    };
    let cases = [
        (Stream::Telemetry, "[]".into(), "data: must be an object"),
        (Stream::Telemetry, telemetry(""), "value: is missing; it must be a number"),
        (Stream::Telemetry, telemetry(",\"value\":\"1\""), "value: must be a number"),
        (Stream::Telemetry, telemetry(",\"value\":null"), "value: must be a number"),
        (Stream::Telemetry, telemetry(",\"value\":1,\"value\":2"), "value: is given twice"),
        (Stream::Telemetry, telemetry(",\"value\":1,\"v\\u0061lue\":2"), "value: is given twice"),
        (Stream::Telemetry, telemetry(",\"value\":1,\"tags\":null,\"tags\":{}"), "tags: is given twice"),
        (Stream::Telemetry, telemetry(",\"value\":1,\"unit\":5"), "unit: must be a string"),
        (Stream::Telemetry, telemetry(",\"value\":1,\"tags\":[]"), "tags: must be an object"),
        (Stream::Message, message("\"sideways\""), "direction: must be \"incoming\" or \"outgoing\""),
        (Stream::Message, message("null"), "direction: must be \"incoming\" or \"outgoing\""),
        (
            Stream::Reasoning,
            r#"{"reasoning_id":"r","step":"s","thought":"t","depth":1.0}"#.into(),
            "depth: must be a whole number",
        ),
        (Stream::Log, r#"{"level":20,"logger_name":"l","message":"m"}"#.into(), "level: must be a string"),
    ];
    for (stream, data, wanted) in cases {
        assert_eq!(admitted(stream, &data), Err(wanted.into()), "{data}");
    }
    let unknown = admit("stream.messages", body("message", "{}")).unwrap_err();
    assert_eq!(unknown.field, "topic");
    let binary = Parts { content: Content::Binary, data: b"{}", ..Parts::default() };
    assert_eq!(admit("stream.log", Body::new(&binary)).unwrap_err().field, "data");
}

#[test]
fn the_type_is_the_streams_name_unless_the_publisher_has_one() {
    let data = r#"{"metric_name":"cpu","value":1,"unit":null,"tags":{}}"#;
    for (given, wanted) in [("message", "telemetry"), ("gauge", "gauge")] {
        let admitted = admit("stream.telemetry", body(given, data)).unwrap();
        assert_eq!((admitted.event(), admitted.id(), admitted.data()), (wanted, "7", data.as_bytes()));
    }
}

proptest! {
    /// Whatever the strings, what is let in is what was published, with the defaults.
    #[test]
    fn completing_changes_nothing_else(step: String, thought: String, depth: i32, extra in "[a-c\"\\\\\u{0}]{0,3}") {
        let mut event = json!({"step": step, "depth": depth, "thought": thought, "reasoning_id": ""});
        event["extra"] = json!({extra: thought});
        let admitted = admitted(Stream::Reasoning, &event.to_string()).unwrap();
        event["handler"] = Value::Null;
        prop_assert_eq!(serde_json::from_str::<Value>(&admitted).unwrap(), event);
    }
}
