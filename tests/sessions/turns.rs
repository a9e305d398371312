//! The life of a question: who may ask, what ends it, and what does not.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::script::{
    Event, Stream, ask, execute, follow, question, question_with, server, session_of, text, words,
};
use crate::support::{Running, bearer, eventually, keys};

fn status_of(server: &Running, id: &str) -> Value {
    ask(server, "GET", &format!("/v1/sessions/{id}"), "", &Value::Null).1
}

fn cancel(server: &Running, id: &str) -> (u16, Value) {
    ask(server, "POST", &format!("/v1/sessions/{id}/cancel"), "", &Value::Null)
}

/// Asks, and reads until words come.
fn begun(server: &Running, goal: &str) -> (Stream, Vec<Event>, String) {
    let mut stream = execute(server, "", &question(goal));
    let events = stream.until("message");
    let id = session_of(&events);
    (stream, events, id)
}

#[test]
fn a_session_has_many_turns_and_a_context() {
    let server = server("");
    let opened = json!({"agent_id": "agent_123", "context": {"user_name": "Alice"}, "session_id": "mine"});
    let (status, session) = ask(&server, "POST", "/v1/sessions", "", &opened);
    assert_eq!((status, &session["session_id"], &session["status"]), (201, &json!("mine"), &json!("idle")));
    assert_eq!(
        (&session["agent_id"], &session["context"]),
        (&json!("agent_123"), &json!({"user_name": "Alice"}))
    );
    assert_eq!(ask(&server, "POST", "/api/v1/sessions", "", &opened).0, 200, "it is there already");
    for turn in 1..=3 {
        let target = "/api/v1/sessions/mine/execute";
        let events = Stream::open(&server, "POST", target, "", r#"{"goal":"say 2"}"#).rest();
        let positions: Vec<_> = events.iter().map(Event::position).collect();
        assert_eq!(positions, (turn * 5 - 4..=turn * 5).collect::<Vec<_>>());
        assert_eq!((&events[0].data["turn"], &events[4].data["turn"]), (&json!(turn), &json!(turn)));
        assert_eq!(events[4].data["metadata"]["agent"], "agent_123");
    }
    let session = status_of(&server, "mine");
    assert_eq!(
        (&session["turns"], &session["position"], &session["status"]),
        (&json!(3), &json!(15), &json!("idle"))
    );
    assert_eq!((&session["last"]["type"], &session["last"]["position"]), (&json!("done"), &json!(15)));
    let unnamed = ask(&server, "POST", "/v1/sessions", "", &json!({"agent_id": "a"})).1;
    assert!(unnamed["session_id"].as_str().unwrap().starts_with("sess_"), "{unnamed}");
    assert_eq!(ask(&server, "POST", "/v1/sessions", "", &json!({})).1["error"]["field"], "agent_id");
}

#[test]
fn a_cancelled_answer_ends_at_once_and_says_so() {
    let server = server("");
    let (stream, begun, id) = begun(&server, "say 100000 every 1");
    let started = Instant::now();
    let (status, session) = cancel(&server, &id);
    let events = stream.rest();
    assert!(started.elapsed() < Duration::from_millis(100), "{:?}", started.elapsed());
    assert_eq!((status, &session["status"]), (200, &json!("idle")));
    let done = events.last().unwrap();
    assert_eq!((&*done.event, &done.data["status"]), ("done", &json!("cancelled")));
    assert_eq!(done.data["output"], text(&begun) + &text(&events), "what came of it");
    sleep(Duration::from_millis(100));
    let (again, session) = cancel(&server, &id);
    assert_eq!((again, &session["position"]), (200, &json!(done.position())), "nothing comes after it");
    assert_eq!(session["last"]["status"], "cancelled");
    let whole = question_with("say 1", json!({"session_id": id, "stream": false}));
    assert_eq!(ask(&server, "POST", "/v1/sessions/execute", "", &whole).0, 200, "the session goes on");
}

#[test]
fn an_answer_as_a_whole_can_be_cancelled_too() {
    let server = server("");
    let whole = question_with("say 2; hang", json!({"session_id": "s", "stream": false}));
    std::thread::scope(|scope| {
        let answer = scope.spawn(|| ask(&server, "POST", "/v1/sessions/execute", "", &whole));
        let asked =
            |id| ask(&server, "GET", &format!("/v1/sessions/{id}"), "", &Value::Null).1["position"] == 4;
        eventually("it has begun", || asked("s"));
        assert_eq!(cancel(&server, "s").0, 200);
        let (status, answer) = answer.join().unwrap();
        assert_eq!(
            (status, &answer["status"], &answer["output"]),
            (200, &json!("cancelled"), &json!(words(2)))
        );
    });
}

#[test]
fn one_question_at_a_time() {
    let server = server("");
    let (stream, _, id) = begun(&server, "say 1; hang");
    let again = question_with("say 1", json!({"session_id": id}));
    for target in ["/v1/sessions/execute", &format!("/v1/sessions/{id}/execute")] {
        let (status, answer) = ask(&server, "POST", target, "", &again);
        assert_eq!((status, &answer["error"]["code"]), (409, &json!("SESSION_BUSY")));
    }
    cancel(&server, &id);
    assert_eq!(stream.rest().len(), 1);
    assert_eq!(execute(&server, "", &again).rest().len(), 4);
}

#[test]
fn who_hangs_up_cancels_nothing() {
    let server = server("");
    let (stream, _, id) = begun(&server, "say 20 every 10");
    drop(stream);
    eventually("it is over", || status_of(&server, &id)["status"] == "idle");
    let session = status_of(&server, &id);
    let last = &session["last"];
    assert_eq!((&last["status"], &last["output"]), (&json!("success"), &json!(words(20))));
}

#[test]
fn what_nobody_watches_ends_after_a_while() {
    let server = server("[sessions]\nunwatched_seconds = 1");
    let (watched, _, watched_id) = begun(&server, "say 1; hang");
    let (stream, _, id) = begun(&server, "say 1; hang");
    drop(stream);
    eventually("it is over", || status_of(&server, &id)["status"] == "idle");
    let last = status_of(&server, &id)["last"].take();
    assert_eq!((&last["type"], &last["code"]), (&json!("error"), &json!("TIMEOUT")));
    assert_eq!(status_of(&server, &watched_id)["status"], "running", "somebody reads that one");
    cancel(&server, &watched_id);
    drop(watched);
}

#[test]
fn an_answer_has_its_time() {
    let server = server("[sessions]\nanswer_seconds = 1");
    let events = execute(&server, "", &question("say 1; hang")).rest();
    assert_eq!((&*events[3].event, &events[3].data["code"]), ("error", &json!("TIMEOUT")));
    let whole = question_with("hang", json!({"stream": false}));
    let (status, answer) = ask(&server, "POST", "/v1/sessions/execute", "", &whole);
    assert_eq!((status, &answer["error"]["code"]), (504, &json!("TIMEOUT")));
}

#[test]
fn a_restart_ends_streams_with_an_error() {
    let mut server = server("");
    let (stream, _, id) = begun(&server, "say 1; hang");
    let follower = follow(&server, "", &id, "");
    let whole = question_with("hang", json!({"stream": false}));
    std::thread::scope(|scope| {
        let address = server.address.clone();
        let answer =
            scope.spawn(move || ask(&Running::at(&address), "POST", "/v1/sessions/execute", "", &whole));
        let busy = || crate::support::metric(&server, "millrace_session_questions");
        eventually("both are asked", || busy() == 2.0);
        server.drain();
        let (status, answer) = answer.join().unwrap();
        assert_eq!((status, &answer["error"]["code"]), (503, &json!("CONNECTION_LOST")));
    });
    for events in [stream.rest(), follower.rest()] {
        let last = events.last().unwrap();
        assert_eq!((&*last.event, &last.data["code"]), ("error", &json!("CONNECTION_LOST")), "{events:?}");
    }
}

#[test]
fn limits_are_told_by_status_and_code() {
    let server =
        server("[sessions]\nrunning_per_user = 2\ncontext_bytes = 20\nanswer_tokens = 5\nper_user = 3");
    let held: Vec<_> = (0..2).map(|_| begun(&server, "say 1; hang")).collect();
    let (status, answer) = ask(&server, "POST", "/v1/sessions/execute", "", &question("say 1"));
    assert_eq!((status, &answer["error"]["code"]), (429, &json!("RATE_LIMITED")));
    assert!(answer["error"]["retry_after"].as_f64().unwrap() > 0.0, "{answer}");
    held.iter().for_each(|(.., id)| assert_eq!(cancel(&server, id).0, 200));
    let large = question_with("say 1", json!({"context": {"a": "x".repeat(20)}}));
    assert_eq!(ask(&server, "POST", "/v1/sessions/execute", "", &large).0, 413);
    let events = execute(&server, "", &question("say 6")).rest();
    let last = events.last().unwrap();
    assert_eq!(
        (&*last.event, &last.data["code"], text(&events)),
        ("error", &json!("PROCESSING_ERROR"), words(5))
    );
    assert_eq!(
        ask(&server, "POST", "/v1/sessions/execute", "", &question("say 1")).0,
        429,
        "a fourth session"
    );
}

#[test]
fn a_topic_that_takes_so_many_a_second_loses_nothing() {
    let server = server("[namespaces.\"sessions.**\"]\npublish_rate = 100\npublish_burst = 10");
    let started = Instant::now();
    let events = execute(&server, "", &question("say 100")).rest();
    assert_eq!(text(&events), words(100));
    assert_eq!(events.last().unwrap().data["output"], words(100));
    assert!(started.elapsed() > Duration::from_millis(800), "it was held back");
}

#[test]
fn a_question_whose_stream_may_not_begin_is_taken_back() {
    let toml = format!("{}[limits]\nconnections_per_user = 1\n", keys(&["ann"]));
    let server = server(&toml);
    let ann = bearer("ann");
    let held = execute(&server, &ann, &question("say 1; hang"));
    let second = question_with("say 1; hang", json!({"session_id": "second"}));
    assert_eq!(ask(&server, "POST", "/v1/sessions/execute", &ann, &second).0, 429);
    let session = || ask(&server, "GET", "/v1/sessions/second", &ann, &Value::Null).1;
    eventually("it is over", || session()["status"] == "idle");
    assert_eq!(session()["last"]["status"], "cancelled");
    drop(held);
}
