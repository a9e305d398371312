//! What a question brings: as a stream, and as a whole.

use serde_json::{Value, json};

use crate::script::{ask, execute, question, server, session_of, text, words};

#[test]
fn an_answer_comes_as_the_document_has_it() {
    let server = server("");
    let events = execute(&server, "", &question("say 2; tool web_search; say 1")).rest();
    let kinds: Vec<_> = events.iter().map(|event| &*event.event).collect();
    let wanted = ["step", "step", "message", "message", "tool_call", "tool_result", "message", "done"];
    assert_eq!(kinds, wanted);
    for (number, event) in (1..).zip(&events) {
        assert_eq!((event.position(), &*event.id), (number, &*number.to_string()));
    }
    let (id, output) = (session_of(&events), words(2) + &words(1));
    assert_eq!(events[0].data["step"], "starting");
    assert_eq!(events[2].data, json!({"type": "text", "content": "0 ", "position": 3}));
    let call =
        json!({"type": "tool_call", "tool": "web_search", "args": {"query": "example"}, "position": 5});
    assert_eq!(events[4].data, call);
    let result = json!({"type": "tool_result", "tool": "web_search", "result": {"found": 1}, "position": 6});
    assert_eq!(events[5].data, result);
    let done = &events[7].data;
    assert_eq!(
        (&done["type"], &done["session_id"], &done["output"]),
        (&json!("done"), &json!(id), &json!(output))
    );
    assert_eq!((&done["status"], &done["position"]), (&json!("success"), &json!(8)));
    assert_eq!(text(&events), output);
}

#[test]
fn an_answer_comes_as_a_whole_when_that_is_wanted() {
    let server = server("");
    let mut whole = question("say 3");
    whole["stream"] = json!(false);
    let (status, answer) = ask(&server, "POST", "/api/v1/sessions/execute", "", &whole);
    assert_eq!((status, &answer["type"], &answer["output"]), (200, &json!("done"), &json!(words(3))));
    assert_eq!((&answer["position"], &answer["status"]), (&json!(6), &json!("success")));
    let accepts = "accept: application/json\r\n";
    let (status, other) = ask(&server, "POST", "/v1/sessions/execute", accepts, &question("say 3"));
    assert_eq!((status, &other["output"]), (200, &json!(words(3))));
    assert_ne!(other["session_id"], answer["session_id"]);
}

#[test]
fn a_failure_has_its_status_and_code() {
    let server = server("");
    for (code, status) in
        [("RATE_LIMITED", 429), ("TIMEOUT", 504), ("CONNECTION_LOST", 503), ("PROCESSING_ERROR", 502)]
    {
        let goal = format!("say 1; fail {code}");
        let mut whole = question(&goal);
        whole["stream"] = json!(false);
        let (got, answer) = ask(&server, "POST", "/v1/sessions/execute", "", &whole);
        assert_eq!((got, &answer["error"]["code"]), (status, &json!(code)), "{answer}");
        assert_eq!(answer["error"]["retry_after"].is_null(), code != "RATE_LIMITED", "{answer}");
        assert!(answer["session_id"].is_string() && answer["position"] == 4, "{answer}");
        let events = execute(&server, "", &question(&goal)).rest();
        let last = events.last().unwrap();
        assert_eq!((&*last.event, &last.data["code"], last.position()), ("error", &json!(code), 4));
    }
}

#[test]
fn a_wrong_question_is_told_what_is_wrong() {
    let server = server("[sessions]\nquestion_bytes = 100");
    let wrong = |body: Value| ask(&server, "POST", "/v1/sessions/execute", "", &body);
    for (body, field) in [
        (json!({"goal": "x"}), "agent_id"),
        (json!({"agent_id": "a"}), "goal"),
        (json!({"agent_id": "a", "goal": " "}), "goal"),
        (json!({"agent_id": 1, "goal": "x"}), "agent_id"),
        (json!({"agent_id": "a", "goal": "x", "context": [1]}), "context"),
        (json!({"agent_id": "a", "goal": "x", "resume_from": "y"}), "resume_from"),
    ] {
        let (status, answer) = wrong(body.clone());
        let error = &answer["error"];
        let wanted = (422, &json!("INVALID_MESSAGE"), &json!(field));
        assert_eq!((status, &error["code"], &error["field"]), wanted, "{body}");
    }
    assert_eq!(wrong(json!([1])).0, 400);
    assert_eq!(wrong(json!({"agent_id": "a", "goal": "x", "session_id": "a b"})).0, 400);
    let (status, answer) = wrong(json!({"agent_id": "a", "goal": "x".repeat(101)}));
    assert_eq!((status, &answer["error"]["code"]), (413, &json!("INVALID_MESSAGE")));
    for (method, path) in [("GET", "none"), ("GET", "none/stream"), ("POST", "none/cancel")] {
        let (status, answer) = ask(&server, method, &format!("/v1/sessions/{path}"), "", &Value::Null);
        assert_eq!((status, &answer["error"]["code"]), (404, &json!("NOT_FOUND")), "{path}");
    }
    assert_eq!(ask(&server, "POST", "/v1/sessions/none/execute", "", &question("say 1")).0, 404);
    assert_eq!(ask(&server, "DELETE", "/v1/sessions/execute", "", &Value::Null).0, 405);
}
