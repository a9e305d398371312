//! The chat protocol against a real server: many who read one session, questions in order, those who are cut off and come back,
//! and a server that starts anew.

#![allow(clippy::unwrap_used, reason = "a test that meets something impossible may panic")]

mod support;

use serde_json::{Value, json};
use support::{Client, Got, Running, body, keys};

const SCRIPT: &str = "[respond]\nagent = \"script\"\n";

fn connect(server: &Running, query: &str) -> Client {
    Client::connect(&server.address, &format!("/ws/chat{query}"), "")
}

fn say(client: &mut Client, message: Value) {
    client.send(&message.to_string());
}

fn ask(client: &mut Client, session: &str, question: &str) {
    say(client, json!({"type": "message", "message": question, "session_id": session}));
}

fn next(client: &mut Client) -> Value {
    serde_json::from_str(&client.text()).unwrap()
}

/// All messages up to one of this type.
fn until(client: &mut Client, kind: &str) -> Vec<Value> {
    let mut all = vec![next(client)];
    while all[all.len() - 1]["type"] != kind {
        all.push(next(client));
    }
    all
}

fn join(client: &mut Client, session: &str) {
    say(client, json!({"type": "join", "session_id": session}));
    until(client, "joined");
}

/// What the tokens among messages say together.
fn text(messages: &[Value]) -> String {
    messages.iter().filter_map(|message| message["token"].as_str()).collect()
}

/// A question of so many words.
fn words(count: usize) -> String {
    (0..count).map(|n| format!("w{n} ")).collect::<String>().trim_end().into()
}

#[test]
fn five_readers_of_one_session_agree() {
    let server = Running::start_on(2, SCRIPT);
    let mut readers: Vec<_> = (0..5).map(|_| connect(&server, "")).collect();
    readers.iter_mut().for_each(|reader| join(reader, "shared"));
    let question = words(300);
    ask(&mut readers[2], "shared", &question);
    let seen: Vec<_> = readers.iter_mut().map(|reader| until(reader, "complete")).collect();
    assert_eq!(text(&seen[0]), question);
    assert!(seen.iter().all(|one| *one == seen[0]));
    let sequences: Vec<_> = seen[0].iter().map(|message| message["sequence"].as_u64().unwrap()).collect();
    assert_eq!(sequences, (1..=305).collect::<Vec<_>>());
    let mut so_far = String::new();
    for message in seen[0].iter().filter(|message| message["type"] == "token") {
        so_far += message["token"].as_str().unwrap();
        assert_eq!(message["partial_response"], so_far);
    }
    assert_eq!(seen[0][304]["response"], question);
}

#[test]
fn questions_of_one_connection_are_answered_in_order() {
    let server = Running::start_on(2, SCRIPT);
    let mut client = connect(&server, "?partial=0");
    for round in 0..20 {
        let asked: Vec<_> = (0..10).map(|n| format!("q{round}x{n}")).collect();
        for (n, question) in asked.iter().enumerate() {
            ask(&mut client, ["a", "b", "c"][(n + round) % 3], question);
        }
        let events: Vec<_> = asked.iter().flat_map(|_| until(&mut client, "complete")).collect();
        let answered: Vec<_> = events.iter().filter_map(|event| event["response"].as_str()).collect();
        assert_eq!(answered, asked);
        // Nothing of a question comes before the end of the one before it.
        let kinds: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
        let turn = ["progress", "progress", "progress", "progress", "token", "complete"];
        assert_eq!(kinds, turn.repeat(10), "round {round}");
    }
}

#[test]
fn who_is_cut_off_twenty_times_has_the_whole_answer() {
    let server = Running::start(SCRIPT);
    let question = words(2000);
    let mut asker = connect(&server, "?partial=0");
    let (mut last, mut heard) = (0, String::new());
    ask(&mut asker, "long", &question);
    let whole = std::thread::spawn(move || text(&until(&mut asker, "complete")));
    for cut in 1..=21 {
        let mut client = connect(&server, "?partial=0");
        say(&mut client, json!({"type": "resume", "session_id": "long", "last_sequence": last}));
        assert_eq!(next(&mut client)["type"], "resumed");
        loop {
            let event = next(&mut client);
            let sequence = event["sequence"].as_u64().unwrap();
            assert_eq!(sequence, last + 1);
            last = sequence;
            heard += event["token"].as_str().unwrap_or_default();
            if event["type"] == "complete" || (cut <= 20 && last >= cut * 90) {
                break;
            }
        }
    }
    assert_eq!(heard, question);
    assert_eq!(whole.join().unwrap(), question);
}

#[test]
fn two_users_may_choose_the_same_session() {
    let server = Running::start(&format!("{SCRIPT}{}", keys(&["ann", "bob"])));
    let mut clients = ["ann", "bob"].map(|name| connect(&server, &format!("?token={name}")));
    for (client, name) in clients.iter_mut().zip(["ann", "bob"]) {
        assert_eq!(next(client)["user"]["id"], name);
        ask(client, "python-session-1", &format!("I am {name}"));
    }
    for (client, name) in clients.iter_mut().zip(["ann", "bob"]) {
        let seen = until(client, "complete");
        assert_eq!(text(&seen), format!("I am {name}"));
        assert_eq!((seen.len(), &seen[0]["turn"]), (8, &json!(1)));
    }
}

#[test]
fn a_cancelled_answer_ends_for_all() {
    let server = Running::start(SCRIPT);
    let (mut asker, mut other) = (connect(&server, ""), connect(&server, ""));
    join(&mut other, "s");
    ask(&mut asker, "s", "first wait:60000 never");
    until(&mut asker, "token");
    say(&mut other, json!({"type": "cancel", "session_id": "s"}));
    for client in [&mut asker, &mut other] {
        let ended = until(client, "cancelled").pop().unwrap();
        assert_eq!(ended["response"], "first ");
    }
    // What is over is cancelled as well as before.
    say(&mut other, json!({"type": "cancel", "session_id": "s"}));
    assert_eq!(next(&mut other), json!({"type": "cancel_success", "session_id": "s"}));
    ask(&mut asker, "s", "again");
    assert_eq!(until(&mut asker, "complete").pop().unwrap()["response"], "again");
}

#[test]
fn who_hangs_up_has_not_cancelled() {
    let server = Running::start(SCRIPT);
    let mut asker = connect(&server, "");
    ask(&mut asker, "s", "one wait:300 two");
    until(&mut asker, "token");
    drop(asker);
    let mut again = connect(&server, "");
    say(&mut again, json!({"type": "join", "session_id": "s", "snapshot": true}));
    assert_eq!(next(&mut again)["status"], "running");
    let snapshot = next(&mut again);
    assert_eq!((&snapshot["type"], &snapshot["response"]), (&json!("snapshot"), &json!("one ")));
    let rest = until(&mut again, "complete");
    assert_eq!(rest[0]["partial_response"], "one two");
    assert_eq!(rest[0]["sequence"].as_u64(), snapshot["last_sequence"].as_u64().map(|last| last + 1));
}

#[test]
fn a_server_that_ends_says_so_and_one_that_begins_knows_no_sessions() {
    let mut server = Running::start(SCRIPT);
    let mut client = connect(&server, "");
    ask(&mut client, "s", "one wait:60000 two");
    until(&mut client, "token");
    server.drain();
    let lost = next(&mut client);
    assert_eq!((&lost["code"], &lost["reason"]), (&json!("PROCESSING_ERROR"), &json!("CONNECTION_LOST")));
    assert!(matches!(client.next(), Got::Close(1012, _)));
    drop(client);
    let server = Running::start(SCRIPT);
    let mut client = connect(&server, "");
    say(&mut client, json!({"type": "resume", "session_id": "s", "last_sequence": 5}));
    assert_eq!(next(&mut client)["code"], "SESSION_NOT_FOUND");
}

#[test]
fn a_request_waits_in_line_and_ends_with_the_server() {
    let mut server = Running::start(SCRIPT);
    let mut client = connect(&server, "");
    ask(&mut client, "s", "one wait:300 two");
    until(&mut client, "token");
    let json = "content-type: application/json\r\n";
    let answer = server.request("POST", "/api/v1/chat", json, r#"{"message":"three","session_id":"s"}"#);
    let answer: Value = serde_json::from_str(body(&answer)).unwrap();
    assert_eq!((&answer["response"], &answer["turn"]), (&json!("three"), &json!(2)));
    let address = server.address.clone();
    let waiting = std::thread::spawn(move || {
        Running::at(&address).request(
            "POST",
            "/api/v1/chat",
            json,
            r#"{"message":"wait:60000","session_id":"s"}"#,
        )
    });
    until(&mut client, "complete");
    until(&mut client, "complete");
    until(&mut client, "progress");
    server.drain();
    let answer = waiting.join().unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(body(&answer).contains("\"reason\":\"CONNECTION_LOST\""), "{answer}");
}
