//! Events that do not fit the data model of their protocol: refused with 422 and the name of the member, whichever way they come.
//! Neither document has a closed list of values: an unknown type or status is let in.

#![allow(clippy::unwrap_used, reason = "a test that meets something impossible may panic")]

mod support;

use serde_json::{Value, json};
use support::{Client, Running, body};

const JSON: &str = "content-type: application/json\r\n";
const NDJSON: &str = "content-type: application/x-ndjson\r\n";
/// Longest attribute of an event, bytes.
const LONGEST: usize = 128;

/// What is in `error` of an answer with this status.
fn refused(server: &Running, target: &str, event: &str, status: u16) -> Value {
    let response = server.request("POST", target, JSON, event);
    assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{target} {event}: {response}");
    serde_json::from_str::<Value>(body(&response)).unwrap()["error"].take()
}

/// Checks that `target` refuses an event because of `field`, alone and as a line.
fn names(server: &Running, target: &str, event: &str, field: &str) {
    let error = refused(server, target, event, 422);
    assert_eq!((&error["code"], &error["field"]), (&json!("invalid_event"), &json!(field)), "{event}");
    assert!(error["message"].as_str().unwrap().starts_with(&format!("{field}: ")), "{error}");
}

/// Checks that a line of NDJSON is refused because of `field`, and the one before it is published all the same.
fn names_in_lines(server: &Running, target: &str, good: &str, event: &str, field: &str) {
    let answer = server.request("POST", target, NDJSON, &format!("{good}\n{event}\n"));
    let answer: Value = serde_json::from_str(body(&answer)).unwrap();
    let failed = &answer["failed"][0];
    assert_eq!((&answer["published"], &failed["line"]), (&json!(1), &json!(2)), "{event}: {answer}");
    assert!(failed["error"].as_str().unwrap().starts_with(&format!("{field}: ")), "{answer}");
}

/// The good event with one member changed.
fn with(good: &Value, name: &str, value: &Value) -> Value {
    let mut event = good.clone();
    event[name] = value.clone();
    event
}

/// An event with every member of the document, and ours.
fn whole_event() -> Value {
    json!({
        "event_id": "e", "agent_id": "a", "event_type": "tool_call", "timestamp": "2024-01-16T12:00:00Z", "tool_name": "Edit",
        "input_summary": "i", "output_summary": "o", "session_id": "s", "status": "completed", "model": "m",
        "parent_event_id": null, "execution_duration_seconds": 0.5, "cost_tokens": 1, "feature_id": "f", "updated": true,
    })
}

/// What no member of an event can be, but `context`.
fn wrong_values(name: &str) -> Vec<Value> {
    let list = || vec![json!([]), json!({"a": 1})];
    let own = match name {
        "timestamp" => vec![json!("yesterday"), json!(true), json!("2024-13-01T00:00:00Z")],
        "execution_duration_seconds" => vec![json!("1"), json!(false)],
        "cost_tokens" => vec![json!("1"), json!(1.5), json!(u64::MAX)],
        "updated" => vec![json!("yes"), json!(1)],
        "event_type" => vec![json!(1), json!(null), json!(""), json!("t".repeat(LONGEST + 1))],
        "event_id" => vec![json!(1), json!("i".repeat(LONGEST + 1))],
        "session_id" => vec![json!(1), json!("another")],
        _ => vec![json!(1), json!(true)],
    };
    [own, list()].concat()
}

#[test]
fn every_field_of_an_event_is_checked_on_every_way_in() {
    let server = Running::start("");
    let good = whole_event();
    for name in good.as_object().unwrap().keys() {
        for value in wrong_values(name) {
            let event = with(&good, name, &value).to_string();
            names(&server, "/v1/topics/events.s", &event, name);
            names(&server, "/v1/topics/events.s", &format!("{{\"data\":{event}}}"), name);
            names(&server, "/api/sessions/s/events", &event, name);
            if value != json!("another") {
                names(&server, "/api/events", &event, name);
            }
            names_in_lines(&server, "/api/sessions/s/events", &good.to_string(), &event, name);
        }
    }
}

#[test]
fn what_is_required_of_an_event_is_little() {
    let server = Running::start("");
    names(&server, "/api/sessions/s/events", "{\"event_id\":\"e\"}", "event_type");
    names(&server, "/api/events", "{\"event_type\":\"start\"}", "session_id");
    let long = json!({"event_type": "start", "session_id": "s".repeat(300)}).to_string();
    names(&server, "/api/events", &long, "session_id");
    for (name, value) in [("event_type", "novel"), ("status", "novel")] {
        let event = with(&whole_event(), name, &json!(value)).to_string();
        let response = server.request("POST", "/api/events", JSON, &event);
        assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    }
    let twice = "{\"event_type\":\"start\",\"status\":\"a\",\"status\":\"b\"}";
    names(&server, "/api/sessions/s/events", twice, "status");
    names(
        &server,
        "/api/sessions/s/events",
        "{\"event_type\":\"start\",\"cost_tokens\":1e999}",
        "cost_tokens",
    );
    let endless = "{\"event_type\":\"start\",\"execution_duration_seconds\":1e999}";
    names(&server, "/api/sessions/s/events", endless, "execution_duration_seconds");
}

#[test]
fn what_is_longer_than_an_event_may_be_is_refused_whole() {
    let server = Running::start("[limits]\nevent_bytes = 1024\n");
    let event = with(&whole_event(), "output_summary", &json!("o".repeat(2000))).to_string();
    for target in ["/v1/topics/events.s", "/api/sessions/s/events", "/api/events"] {
        assert_eq!(refused(&server, target, &event, 413)["code"], "too_large");
    }
    let event = json!({"event_type": "error", "data": {"error": "e".repeat(2000)}}).to_string();
    for target in ["/v1/topics/analysis.a", "/api/v1/ws/analysis/a/events"] {
        assert_eq!(refused(&server, target, &event, 413)["code"], "too_large");
    }
}

/// Every type of the document with all members of its data; those in the first list must be there, those in the second are short.
fn analysis_events() -> Vec<(&'static str, Value, Vec<&'static str>, Vec<&'static str>)> {
    vec![
        ("pipeline_started", json!({"bill_id": "b", "agents": []}), vec!["bill_id"], vec!["bill_id"]),
        ("stage_changed", json!({"stage": "s"}), vec!["stage"], vec!["stage"]),
        (
            "agent_started",
            json!({"agent_id": "x", "agent_type": "t", "agent_label": "l", "agent_icon": "i", "status": "s"}),
            vec!["agent_id"],
            vec!["agent_id"],
        ),
        (
            "agent_thinking",
            json!({"thoughts": [{"content": "c"}], "batch_size": 1}),
            vec!["thoughts"],
            vec![],
        ),
        (
            "agent_finding",
            json!({"agent_id": "x", "category": "c", "description": "d", "confidence": 0.5}),
            vec!["description"],
            vec!["agent_id"],
        ),
        (
            "agent_completed",
            json!({"agent_id": "x", "findings_count": 1, "overall_confidence": 0.5, "key_takeaways": ["k"]}),
            vec![],
            vec!["agent_id"],
        ),
        (
            "debate_started",
            json!({"round_number": 1, "topic": "t", "participants": []}),
            vec!["round_number"],
            vec![],
        ),
        (
            "debate_turn",
            json!({"agent_id": "x", "content": "c", "turn_type": "t", "target_agent": "y"}),
            vec!["agent_id", "content"],
            vec!["agent_id"],
        ),
        (
            "debate_convergence",
            json!({"convergence_score": 1, "round_number": 1, "previous_score": 0, "change": 1, "converging": true, "threshold_met": false}),
            vec!["convergence_score"],
            vec![],
        ),
        (
            "consensus_reached",
            json!({"consensus_level": "l", "agreed_findings_count": 1, "strong_findings": []}),
            vec!["consensus_level"],
            vec![],
        ),
        ("analysis_complete", json!({"analysis_id": "a"}), vec![], vec!["analysis_id"]),
        (
            "progress_update",
            json!({
                "analysis_id": "a", "bill_id": "b", "stage": "s", "stage_progress": 0.5, "agents_complete": 1, "agents_total": 1,
                "debates_complete": 1, "debates_expected": 1, "estimated_time_remaining_seconds": 1, "elapsed_seconds": 1,
                "start_time": "2026-01-03T12:00:00.000Z",
            }),
            vec![],
            vec!["analysis_id", "bill_id", "stage"],
        ),
        ("error", json!({"error": "e"}), vec!["error"], vec![]),
    ]
}

/// Checks that data is refused because of `field`, in either form of an event and in a line.
fn names_in_data(server: &Running, kind: &str, data: &Value, field: &str) {
    let native = json!({"type": kind, "data": data}).to_string();
    let of_document = json!({"event_type": kind, "analysis_id": "a", "data": data}).to_string();
    for target in ["/v1/topics/analysis.a", "/api/v1/ws/analysis/a/events"] {
        names(server, target, &native, field);
        names(server, target, &of_document, field);
    }
    let good = "{\"event_type\":\"note\",\"data\":1}";
    names_in_lines(server, "/api/v1/ws/analysis/a/events", good, &of_document, field);
}

const UNLIMITED: &str = "[analysis]\nmax_events_per_second = 0\n";

#[test]
fn every_field_of_an_analysis_is_checked_on_every_way_in() {
    let server = Running::start(UNLIMITED);
    for (kind, good, required, short) in analysis_events() {
        for name in good.as_object().unwrap().keys() {
            names_in_data(&server, kind, &with(&good, name, &json!({"not": "this"})), name);
        }
        for name in required {
            let mut without = good.clone();
            without.as_object_mut().unwrap().remove(name);
            names_in_data(&server, kind, &without, name);
            names_in_data(&server, kind, &with(&good, name, &json!(null)), name);
        }
        for name in short {
            names_in_data(&server, kind, &with(&good, name, &json!("n".repeat(LONGEST + 1))), name);
        }
        names_in_data(&server, kind, &json!([]), "data");
    }
}

#[test]
fn every_field_of_a_thought_is_checked() {
    let server = Running::start(UNLIMITED);
    let thought = json!({
        "content": "c", "thought_id": "t", "agent_id": "x", "thought_type": "t", "thought_label": "l", "confidence": 0.5,
        "related_section": "s",
    });
    let thinks = |thought: &Value| json!({"thoughts": [{"content": "first"}, thought]});
    for name in thought.as_object().unwrap().keys() {
        let wrong = with(&thought, name, &json!(["not", "this"]));
        let field = format!("thoughts[1].{name}");
        names_in_data(&server, "agent_thinking", &thinks(&wrong), &field);
    }
    let long = with(&thought, "agent_id", &json!("n".repeat(LONGEST + 1)));
    names_in_data(&server, "agent_thinking", &thinks(&long), "thoughts[1].agent_id");
    names_in_data(&server, "agent_thinking", &thinks(&json!({})), "thoughts[1].content");
}

#[test]
fn a_publisher_over_a_socket_is_told_the_field_too() {
    let server = Running::start("");
    let mut client = Client::connect(&server.address, "/v1/publish", "");
    client.send("{\"topic\":\"events.s\",\"data\":{\"event_type\":\"start\",\"cost_tokens\":\"many\"}}");
    let answer: Value = serde_json::from_str(&client.text()).unwrap();
    assert_eq!(answer["failed"][0]["error"], "cost_tokens: must be a number", "{answer}");
    client.send("{\"topic\":\"analysis.a\",\"type\":\"stage_changed\",\"data\":{}}");
    let answer: Value = serde_json::from_str(&client.text()).unwrap();
    assert!(answer["failed"][0]["error"].as_str().unwrap().starts_with("stage: "), "{answer}");
}
