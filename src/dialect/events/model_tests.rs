use super::*;
use proptest::prelude::*;

const AT: Now = Now { unix_ms: 1_795_167_000_123, micros: 0 };

fn admitted(json: &str) -> Result<Body, Misfit> {
    let body = Body::new(&Parts { event: "message", data: json.as_bytes(), ..Parts::default() });
    admit("s", &body, || "made".into(), AT)
}

fn text(body: &Body) -> &str {
    std::str::from_utf8(body.data()).unwrap()
}

#[test]
fn an_event_is_completed() {
    let body = admitted(r#"{"event_type": "start"}"#).unwrap();
    let expected = concat!(
        r#"{"event_id":"made","agent_id":"unknown","event_type":"start","timestamp":"2026-11-20T09:30:00.123Z","#,
        r#""tool_name":null,"input_summary":null,"output_summary":null,"session_id":"s","status":null,"model":null,"#,
        r#""parent_event_id":null,"execution_duration_seconds":0.0,"cost_tokens":0,"feature_id":null}"#,
    );
    assert_eq!((text(&body), body.event(), body.id()), (expected, "start", "made"));
}

#[test]
fn members_are_put_in_order_and_others_follow() {
    let body = admitted(
        r#"{"x":[1, 2],"context":{"a": 1},"updated":true,"feature_id":"f,\"feature_id\":","cost_tokens":125,
            "execution_duration_seconds":0.345,"parent_event_id":"p","model":"m","status":"completed","session_id":"s",
            "output_summary":"o\u00e9","input_summary":"i","tool_name":"Edit","timestamp":"2024-01-16 12:00:00",
            "event_type":"tool_call","agent_id":"claude-code","event_id":"evt-12345"}"#,
    );
    let expected = concat!(
        r#"{"event_id":"evt-12345","agent_id":"claude-code","event_type":"tool_call","timestamp":"2024-01-16T12:00:00.000Z","#,
        r#""tool_name":"Edit","input_summary":"i","output_summary":"oé","session_id":"s","status":"completed","model":"m","#,
        r#""parent_event_id":"p","execution_duration_seconds":0.345,"cost_tokens":125,"feature_id":"f,\"feature_id\":","#,
        r#""updated":true,"context":{"a": 1},"x":[1, 2]}"#,
    );
    assert_eq!(text(&body.unwrap()), expected);
}

#[test]
fn what_was_admitted_is_admitted_unchanged() {
    let first =
        admitted(r#"{"event_type":"a","event_id":"1","updated":true,"context":null,"y":{}}"#).unwrap();
    let again = admit("s", &first, || unreachable!(), Now::default()).unwrap();
    assert_eq!(text(&again), text(&first));
}

#[test]
fn an_envelope_may_name_type_and_id() {
    let parts = Parts { event: "error", id: "7", data: b"{}", idempotency_key: "k", ..Parts::default() };
    let body = admit("s", &Body::new(&parts), || "made".into(), AT).unwrap();
    assert_eq!((body.event(), body.id(), body.idempotency_key()), ("error", "7", "k"));
    assert!(text(&body).starts_with(r#"{"event_id":"7","agent_id":"unknown","event_type":"error","#));
}

#[test]
fn what_does_not_fit_is_named() {
    let long = format!(r#"{{"event_type":"{}"}}"#, "x".repeat(ATTRIBUTE_BYTES_MAX + 1));
    let cases = [
        ("{}", "event_type"),
        ("[]", "data"),
        (r#"{"event_type":""}"#, "event_type"),
        (r#"{"event_type":7}"#, "event_type"),
        (&long, "event_type"),
        (r#"{"event_type":"a","event_type":"b"}"#, "event_type"),
        (r#"{"event_type":"a","event_id":1}"#, "event_id"),
        (r#"{"event_type":"a","session_id":"other"}"#, "session_id"),
        (r#"{"event_type":"a","timestamp":"yesterday"}"#, "timestamp"),
        (r#"{"event_type":"a","timestamp":true}"#, "timestamp"),
        (r#"{"event_type":"a","tool_name":[]}"#, "tool_name"),
        (r#"{"event_type":"a","cost_tokens":1.5}"#, "cost_tokens"),
        (r#"{"event_type":"a","cost_tokens":"1"}"#, "cost_tokens"),
        (r#"{"event_type":"a","execution_duration_seconds":"1"}"#, "execution_duration_seconds"),
        (r#"{"event_type":"a","updated":1}"#, "updated"),
        (r#"{"event_type":"a","status":"\ud800"}"#, "status"),
    ];
    for (json, field) in cases {
        assert_eq!(admitted(json).expect_err(json).field, field, "{json}");
    }
    let binary = Parts { content: Content::Binary, data: b"x", ..Parts::default() };
    assert_eq!(admit("s", &Body::new(&binary), String::new, AT).unwrap_err().field, "data");
}

#[test]
fn pieces() {
    for (json, rest, has_context) in [
        (r#"{"event_type":"a"}"#, "}", false),
        (r#"{"event_type":"a","feature_id":"\\\"","updated":true}"#, "}", false),
        (
            r#"{"event_type":"a","feature_id":"f","context":{"feature_id":1}}"#,
            r#","context":{"feature_id":1}}"#,
            true,
        ),
        (r#"{"event_type":"a","timestamp":5,"updated":true,"z":1}"#, r#","z":1}"#, false),
    ] {
        let body = admitted(json).unwrap();
        let pieces = Pieces::of(body.data());
        assert_eq!(
            (std::str::from_utf8(pieces.rest), pieces.has_context()),
            (Ok(rest), has_context),
            "{json}"
        );
        let (before, timestamp, behind) = pieces.around_timestamp().unwrap();
        assert_eq!(timestamp.len(), TIMESTAMP_BYTES);
        assert!(before.ends_with(br#""event_type":"a""#) && behind.starts_with(br#","tool_name":"#));
    }
    assert_eq!(timestamp_ms(admitted(r#"{"event_type":"a"}"#).unwrap().data()), Some(AT.unix_ms));
    assert_eq!(timestamp_ms(b"{}"), None);
}

proptest! {
    #[test]
    fn nothing_is_taken_apart_that_is_none(data in prop::collection::vec(any::<u8>(), 0..80)) {
        let pieces = Pieces::of(&data);
        pieces.around_timestamp();
        prop_assert_eq!([pieces.fields, pieces.rest].concat(), &data[..]);
    }

    #[test]
    fn texts_survive(tool in any::<String>(), feature in any::<String>()) {
        let json = serde_json::json!({"event_type": "a", "tool_name": tool, "feature_id": feature, "context": {"c": tool}});
        let body = admitted(&json.to_string()).unwrap();
        let pieces = Pieces::of(body.data());
        let fields = [pieces.fields, b"}"].concat();
        let read: serde_json::Value = serde_json::from_slice(&fields).unwrap();
        prop_assert_eq!(&read["tool_name"], &json["tool_name"]);
        prop_assert_eq!(&read["feature_id"], &json["feature_id"]);
        prop_assert_eq!(read.as_object().unwrap().len(), 14);
    }
}
