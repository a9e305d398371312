//! Everything that can go wrong on the model's side: what is tried again, and what readers are told.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::json;

use super::reader::{ask, done, failed, pieces, server, steps};
use super::upstream::{Play, Upstream, play, refuses, says};

/// Says a word, and then something else happens.
fn begins(then: impl FnOnce(&mut super::upstream::Call) + Send + 'static) -> Play {
    play(|call| {
        call.stream();
        call.word("Well");
        then(call);
    })
}

/// What readers of `plays` are told in the end, what they were told before, and how often the model was asked.
fn outcome(plays: Vec<Play>, openai: &str) -> (String, Vec<String>, usize) {
    let upstream = Upstream::start(plays);
    let server = server(&upstream, openai);
    let events = ask(&server, "s", "Hello?");
    let end = match events.last().unwrap() {
        (event, data) if event == "done" => data["output"].as_str().unwrap().to_owned(),
        _ => failed(&events).0.to_owned(),
    };
    (end, pieces(&events), upstream.seen().len())
}

#[track_caller]
fn check(plays: Vec<Play>, openai: &str, end: &str, said: &[&str], asked: usize) {
    let (found_end, found_said, found_asked) = outcome(plays, openai);
    assert_eq!(
        (found_end.as_str(), found_said, found_asked),
        (end, said.iter().map(|s| (*s).to_owned()).collect(), asked)
    );
}

const BUSY: &str = r#"{"error":{"message":"slow down, sk-very-secret","code":429}}"#;

#[test]
fn who_is_busy_is_asked_again_when_it_says() {
    let upstream =
        Upstream::start(vec![refuses("429 Too Many Requests", "retry-after: 1\r\n", BUSY), says(&["Yes."])]);
    let server = server(&upstream, "");
    let begun = Instant::now();
    let events = ask(&server, "s", "Hello?");
    assert_eq!(done(&events)["output"], "Yes.");
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    let seen = upstream.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].body, seen[1].body);
}

#[test]
fn readers_are_told_of_a_longer_wait() {
    let upstream =
        Upstream::start(vec![refuses("503 Service Unavailable", "retry-after: 2\r\n", ""), says(&["Yes."])]);
    let server = server(&upstream, "");
    let events = ask(&server, "s", "Hello?");
    assert_eq!(
        (done(&events)["output"].as_str(), steps(&events).last().unwrap().as_str()),
        (Some("Yes."), "waiting")
    );
}

#[test]
fn who_is_busy_for_longer_than_there_is_time_is_not_asked_again() {
    let upstream = Upstream::start(vec![refuses("429 Too Many Requests", "retry-after: 60\r\n", BUSY)]);
    let server = server(&upstream, "[sessions]\nanswer_seconds = 30");
    let begun = Instant::now();
    let events = ask(&server, "s", "Hello?");
    let (code, data) = failed(&events);
    assert_eq!((code, &data["retry_after"]), ("RATE_LIMITED", &json!(60.0)));
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(upstream.seen().len(), 1);
}

#[test]
fn who_stays_busy_is_reported() {
    let busy = || refuses("429 Too Many Requests", "retry-after-ms: 10\r\n", BUSY);
    check(vec![busy(), busy(), says(&["no"])], "retries = 1", "RATE_LIMITED", &[], 2);
}

#[test]
fn faults_of_the_server_are_tried_again() {
    let fault = || refuses("502 Bad Gateway", "", "<html>");
    check(vec![fault(), says(&["Yes."])], "", "Yes.", &["Yes."], 2);
    check(vec![fault(), fault(), says(&["no"])], "retries = 1", "CONNECTION_LOST", &[], 2);
}

#[test]
fn what_does_not_pass_is_not_tried_again() {
    let refusal = r#"{"error":{"message":"bad key sk-very-secret","type":"invalid_request_error"}}"#;
    for status in ["400 Bad Request", "401 Unauthorized", "403 Forbidden", "404 Not Found"] {
        check(vec![refuses(status, "", refusal), says(&["no"])], "", "PROCESSING_ERROR", &[], 1);
    }
}

#[test]
fn redirects_are_not_followed() {
    let away = refuses("302 Found", "location: http://127.0.0.1:1/\r\n", "");
    check(vec![away, says(&["no"])], "", "PROCESSING_ERROR", &[], 1);
}

#[test]
fn who_cannot_be_reached_is_reported() {
    // A connection that is closed before an answer has begun is the same to readers.
    check(Vec::new(), "retries = 1", "CONNECTION_LOST", &[], 2);
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = Upstream::at(&format!("http://{free}/v1"));
    let server = server(&nobody, "retries = 1");
    assert_eq!(failed(&ask(&server, "s", "Hello?")).0, "CONNECTION_LOST");
}

#[test]
fn silence_before_an_answer_is_tried_again() {
    let silent = || play(|call| call.wait_for_cut());
    check(vec![silent(), says(&["Yes."])], "first_seconds = 1", "Yes.", &["Yes."], 2);
    check(vec![silent()], "first_seconds = 1\nretries = 0", "TIMEOUT", &[], 1);
}

#[test]
fn silence_within_an_answer_is_reported() {
    let upstream = Upstream::start(vec![begins(|call| call.wait_for_cut()), says(&["no"])]);
    let server = server(&upstream, "stall_seconds = 1");
    let events = ask(&server, "s", "Hello?");
    assert_eq!((failed(&events).0, pieces(&events)), ("TIMEOUT", vec!["Well".to_owned()]));
    upstream.was_cut(0);
    assert_eq!(upstream.seen().len(), 1);
}

#[test]
fn signs_of_life_are_no_silence() {
    let slow = play(|call| {
        call.stream();
        for _ in 0..6 {
            std::thread::sleep(Duration::from_millis(400));
            call.raw(b": still there\n\n");
        }
        call.word("Yes.");
        call.done("stop");
    });
    check(vec![slow], "stall_seconds = 1", "Yes.", &["Yes."], 1);
}

#[test]
fn a_stream_that_breaks_off_is_reported_or_tried_again() {
    let nothing = || play(|call| call.stream());
    check(vec![nothing(), says(&["Yes."])], "", "Yes.", &["Yes."], 2);
    check(vec![begins(|_| {}), says(&["no"])], "", "CONNECTION_LOST", &["Well"], 1);
    // It may end well for HTTP, and be cut for all that.
    let ends = || {
        play(|call| {
            let text = "data: {\"choices\":[{\"delta\":{\"content\":\"Well\"}}]}\n\ndata: {\"cho";
            call.head(
                "200 OK",
                &format!("content-type: text/event-stream\r\ncontent-length: {}\r\n", text.len()),
            );
            call.raw(text.as_bytes());
        })
    };
    check(vec![ends(), says(&["no"])], "", "CONNECTION_LOST", &["Well"], 1);
    let cut = play(|call| {
        call.head("200 OK", "transfer-encoding: chunked\r\n");
        call.raw(b"33\r\ndata: {\"choices\":[{\"delta\":{\"content\":\"Well\"}}]}\n\n\r\n400\r\ndata: ");
    });
    check(vec![cut, says(&["no"])], "", "CONNECTION_LOST", &["Well"], 1);
}

#[test]
fn what_is_no_answer_is_reported_or_tried_again() {
    let wrong = |text: &'static str| {
        play(move |call| {
            call.stream();
            call.raw(text.as_bytes());
        })
    };
    check(vec![wrong("data: {\"choices\":[{\n\n"), says(&["Yes."])], "", "Yes.", &["Yes."], 2);
    for text in ["data: nonsense\n\n", "{\"choices\":[{]}", "<!doctype html><p>Welcome!"] {
        check(vec![wrong(text)], "retries = 0", "PROCESSING_ERROR", &[], 1);
    }
    check(vec![begins(|call| call.raw(b"data: {]\n\n"))], "", "PROCESSING_ERROR", &["Well"], 1);
    let long = begins(|call| call.raw(format!("data: {}", "x".repeat(300 << 10)).as_bytes()));
    check(vec![long], "", "PROCESSING_ERROR", &["Well"], 1);
}

#[test]
fn errors_within_an_answer_are_reported_or_tried_again() {
    let error =
        |code: &'static str| json!({"error": {"code": code, "message": "sk-very-secret"}, "choices": []});
    let at_once = |code| {
        play(move |call| {
            call.stream();
            call.event(&error(code));
        })
    };
    check(vec![at_once("server_error"), says(&["Yes."])], "", "Yes.", &["Yes."], 2);
    check(vec![at_once("rate_limit_exceeded"), at_once("429")], "retries = 1", "RATE_LIMITED", &[], 2);
    check(vec![at_once("context_length_exceeded")], "", "PROCESSING_ERROR", &[], 1);
    check(vec![begins(move |call| call.event(&error("429")))], "", "RATE_LIMITED", &["Well"], 1);
    check(vec![begins(move |call| call.event(&error("502")))], "", "CONNECTION_LOST", &["Well"], 1);
}
