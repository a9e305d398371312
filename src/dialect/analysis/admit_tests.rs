use super::*;

fn native(event: &str, data: &str) -> Body {
    Body::new(&Parts { event, data: data.as_bytes(), ..Parts::default() })
}

fn admitted(event: &str, data: &str) -> String {
    let body = admit("a-1", native(event, data)).unwrap_or_else(|misfit| panic!("{event} {data}: {misfit}"));
    String::from_utf8(body.data().to_vec()).unwrap()
}

fn wrong(event: &str, data: &str) -> String {
    match admit("a-1", native(event, data)) {
        Ok(body) => panic!("{event} {data} was let in as {body:?}"),
        Err(misfit) => misfit.field,
    }
}

/// One event of each type with all fields that it may have.
const WHOLE: [(&str, &str); 13] = [
    ("pipeline_started", r#"{"bill_id":"b","agents":["x",{"agent_id":"y"}]}"#),
    ("stage_changed", r#"{"stage":"analyzing"}"#),
    (
        "agent_started",
        r#"{"agent_id":"x","agent_type":"fiscal","agent_label":"X","agent_icon":"💰","status":"analyzing"}"#,
    ),
    (
        "agent_thinking",
        r#"{"thoughts":[{"thought_id":"t","agent_id":"x","thought_type":"c","thought_label":"C","content":"…","confidence":0.75,"related_section":"3"}],"batch_size":1}"#,
    ),
    (
        "agent_finding",
        r#"{"agent_id":"x","category":"c","description":"d","confidence":1,"fiscal_impact":[1,{"a":null}]}"#,
    ),
    (
        "agent_completed",
        r#"{"agent_id":"x","findings_count":3,"overall_confidence":0.9,"key_takeaways":["a","b"]}"#,
    ),
    ("debate_started", r#"{"round_number":1,"topic":"t","participants":["x"]}"#),
    ("debate_turn", r#"{"agent_id":"x","turn_type":"t","content":"c","target_agent":"y"}"#),
    (
        "debate_convergence",
        r#"{"round_number":2,"convergence_score":0.75,"previous_score":0.6,"change":-0.15,"converging":true,"threshold_met":false}"#,
    ),
    ("consensus_reached", r#"{"consensus_level":"strong","agreed_findings_count":5,"strong_findings":2}"#),
    ("analysis_complete", r#"{"analysis_id":"a-1"}"#),
    (
        "progress_update",
        r#"{"analysis_id":"a-1","bill_id":"b","stage":"s","stage_progress":0.5,"agents_complete":2,"agents_total":4,"debates_complete":0,"debates_expected":1,"estimated_time_remaining_seconds":45,"elapsed_seconds":30.5,"start_time":"2026-01-03T12:00:00.000Z"}"#,
    ),
    ("error", r#"{"error":"e"}"#),
];

#[test]
fn whole_events_pass_byte_for_byte() {
    for (event, data) in WHOLE {
        assert_eq!(admitted(event, data), data);
    }
}

#[test]
fn every_known_field_of_a_wrong_type_is_named() {
    for (event, data) in WHOLE {
        let whole: serde_json::Value = serde_json::from_str(data).unwrap();
        for name in whole.as_object().unwrap().keys().filter(|name| *name != "fiscal_impact") {
            let mut broken = whole.clone();
            broken[name] = serde_json::json!({"not": "this"});
            assert_eq!(wrong(event, &broken.to_string()), *name, "{event}");
        }
        assert_eq!(wrong(event, "[]"), "data");
    }
}

#[test]
fn required_fields_may_be_neither_absent_nor_null() {
    let required = [
        ("pipeline_started", "bill_id"),
        ("stage_changed", "stage"),
        ("agent_started", "agent_id"),
        ("agent_thinking", "thoughts"),
        ("agent_finding", "description"),
        ("debate_started", "round_number"),
        ("debate_turn", "agent_id"),
        ("debate_convergence", "convergence_score"),
        ("consensus_reached", "consensus_level"),
        ("error", "error"),
    ];
    for (event, field) in required {
        assert_eq!(wrong(event, "{}"), field);
        assert_eq!(wrong(event, &format!("{{\"{field}\":null}}")), field);
    }
    for free in ["agent_completed", "analysis_complete", "progress_update"] {
        assert_eq!(admitted(free, "{}"), "{}");
        assert_eq!(admitted(free, "null"), "{}");
    }
}

#[test]
fn optional_fields_may_be_null_and_unknown_ones_anything() {
    let data = r#"{"agent_id":"x","agent_type":null,"agent_label":null,"novel":[{}]}"#;
    assert_eq!(admitted("agent_started", data), data);
}

#[test]
fn thoughts_are_looked_into() {
    let thoughts = |list: &str| wrong("agent_thinking", &format!("{{\"thoughts\":{list}}}"));
    assert_eq!(thoughts("[]"), "thoughts");
    assert_eq!(thoughts("[1]"), "thoughts[0]");
    assert_eq!(thoughts(r#"[{"content":"a"},{}]"#), "thoughts[1].content");
    assert_eq!(thoughts(r#"[{"content":"a","thought_type":1}]"#), "thoughts[0].thought_type");
    assert_eq!(wrong("agent_thinking", r#"{"content":5}"#), "thoughts[0].content");
    let alone = r#"{"content":"a","agent_id":"x"}"#;
    assert_eq!(admitted("agent_thinking", alone), format!("{{\"thoughts\":[{alone}],\"batch_size\":1}}"));
}

#[test]
fn names_that_the_server_keeps_are_short() {
    let stage = |bytes: usize| format!("{{\"stage\":\"{}\"}}", "s".repeat(bytes));
    admitted("stage_changed", &stage(128));
    assert_eq!(wrong("stage_changed", &stage(129)), "stage");
}

#[test]
fn the_documents_form_becomes_the_native_one() {
    let said = r#"{"event_id":"e","event_type":"note","analysis_id":"a-1","data":{"x": 1},"timestamp":"t","sequence":9}"#;
    let tags = [Cow::Borrowed("t")];
    let parts = Parts {
        event: "message",
        id: "outer",
        key: "k",
        tags: &tags,
        idempotency_key: "i",
        data: said.as_bytes(),
        ..Parts::default()
    };
    let body = admit("a-1", Body::new(&parts)).unwrap();
    assert_eq!((body.event(), body.id(), body.key(), body.idempotency_key()), ("note", "e", "k", "i"));
    assert_eq!((body.tags().collect::<Vec<_>>(), body.data()), (vec!["t"], &br#"{"x": 1}"#[..]));
    let body = admit("a-1", native("message", r#"{"event_type":"note"}"#)).unwrap();
    assert_eq!((body.event(), body.id(), body.data()), ("note", "", &b"null"[..]));
}

#[test]
fn the_documents_form_is_checked() {
    let wrong = |data: &str| wrong("message", data);
    assert_eq!(wrong(r#"{"event_type":5}"#), "event_type");
    assert_eq!(wrong(r#"{"event_type":""}"#), "event_type");
    assert_eq!(wrong(&format!("{{\"event_type\":\"{}\"}}", "e".repeat(129))), "event_type");
    assert_eq!(wrong(r#"{"event_type":"x","event_id":5}"#), "event_id");
    assert_eq!(wrong(r#"{"event_type":"x","analysis_id":"a-2"}"#), "analysis_id");
    assert_eq!(wrong(r#"{"event_type":"x","stage":"s"}"#), "stage");
    assert_eq!(wrong(r#"{"event_type":"stage_changed","data":{}}"#), "stage");
}

#[test]
fn what_has_no_conventions_passes() {
    for data in ["1", "null", "[1, 2]", r#"{"stage": 5}"#, "\"x\""] {
        assert_eq!(admitted("analysis_summary", data), data);
        assert_eq!(admitted("message", data), data);
    }
}

#[test]
fn an_event_of_another_analysis_is_not_let_in() {
    assert_eq!(wrong("analysis_complete", r#"{"analysis_id":"a-2"}"#), "analysis_id");
    assert_eq!(wrong("progress_update", r#"{"analysis_id":"A-1"}"#), "analysis_id");
}

#[test]
fn bytes_are_no_event() {
    let parts = Parts { event: "note", content: Content::Binary, data: b"1", ..Parts::default() };
    assert_eq!(admit("a-1", Body::new(&parts)).unwrap_err().field, "data");
}
