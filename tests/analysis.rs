//! The `analysis` protocol under several publishers at once: numbering without holes, and resuming from every place.

#![allow(clippy::unwrap_used, reason = "a test that meets something impossible may panic")]

mod support;

use std::sync::Barrier;

use serde_json::Value;
use support::{Client, Running, body, eventually};

const CONFIG: &str = "[analysis]\nmax_events_per_second = 0\nthought_batch_window_ms = 5\n";
const STREAM: &str = "/api/v1/ws/analysis/a";
const PUBLISHERS: usize = 4;
/// Of each publisher; every other one is a thought.
const EVENTS: usize = 40;

fn read(client: &mut Client) -> Value {
    serde_json::from_str(&client.text()).unwrap()
}

/// Every event that a publisher has sent, in the order in which it sent them; thoughts out of their batches.
fn of_publisher(events: &[Value], publisher: usize) -> Vec<u64> {
    let all = events.iter().flat_map(|event| match event["data"]["thoughts"].as_array() {
        Some(thoughts) => {
            thoughts.iter().map(|thought| thought["content"].as_str().unwrap().to_owned()).collect()
        }
        None => vec![event["data"]["mark"].as_str().unwrap().to_owned()],
    });
    let own = all.filter_map(|mark| mark.strip_prefix(&format!("{publisher}:")).map(|n| n.parse().unwrap()));
    own.collect()
}

fn publish(server: &Running, publisher: usize) {
    for number in 0..EVENTS {
        let mark = format!("{publisher}:{number}");
        let event = match number % 2 {
            0 => format!(r#"{{"event_type":"agent_thinking","data":{{"content":"{mark}"}}}}"#),
            _ => format!(r#"{{"event_type":"note","data":{{"mark":"{mark}"}}}}"#),
        };
        let headers = "content-type: application/json\r\n";
        let response = server.request("POST", &format!("{STREAM}/events"), headers, &event);
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    }
}

#[test]
fn numbers_have_no_holes_and_every_place_resumes_to_the_same() {
    let server = Running::start(CONFIG);
    let mut live = Client::connect(&server.address, STREAM, "");
    eventually("the client is counted", || {
        body(&server.get(&format!("{STREAM}/status"))).contains("\"connections\":1")
    });
    let begin = Barrier::new(PUBLISHERS);
    std::thread::scope(|scope| {
        for publisher in 0..PUBLISHERS {
            let (server, begin) = (&server, &begin);
            scope.spawn(move || {
                begin.wait();
                publish(server, publisher);
            });
        }
    });
    let closing = r#"{"event_type":"analysis_complete","data":{}}"#;
    server.request("POST", &format!("{STREAM}/events"), "content-type: application/json\r\n", closing);

    let mut seen = vec![read(&mut live)];
    while seen.last().unwrap()["event_type"] != "analysis_complete" {
        seen.push(read(&mut live));
    }
    let numbers: Vec<_> = seen.iter().map(|event| event["sequence"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=seen.len() as u64).collect::<Vec<_>>());
    seen.pop();
    for publisher in 0..PUBLISHERS {
        assert_eq!(of_publisher(&seen, publisher), (0..EVENTS as u64).collect::<Vec<_>>());
    }
    resume_everywhere(&server, &seen);
}

/// Whatever a client says it has, it gets the rest, and the same bytes as everybody.
fn resume_everywhere(server: &Running, seen: &[Value]) {
    for last in 0..=seen.len() {
        let mut client = Client::connect(&server.address, &format!("{STREAM}?last_sequence={last}"), "");
        assert_eq!(read(&mut client)["event_type"], "progress_update");
        for event in &seen[last..] {
            assert_eq!(read(&mut client), *event);
        }
        assert_eq!(read(&mut client)["event_type"], "analysis_complete");
    }
}

#[test]
fn a_burst_is_bounded_announced_and_counted() {
    let server = Running::start("[analysis]\nmax_events_per_second = 10\n");
    let mut client = Client::connect(&server.address, STREAM, "");
    eventually("the client is counted", || {
        body(&server.get(&format!("{STREAM}/status"))).contains("\"connections\":1")
    });
    let lines = "{\"event_type\":\"note\",\"data\":1}\n".repeat(100);
    let answer =
        server.request("POST", &format!("{STREAM}/events"), "content-type: application/x-ndjson\r\n", &lines);
    let answer: Value = serde_json::from_str(body(&answer)).unwrap();
    let published = answer["published"].as_u64().unwrap();
    let failed = answer["failed"].as_array().unwrap().len() as u64;
    assert!((10..60).contains(&published) && published + failed == 100, "{answer}");
    let (mut events, mut dropped) = (0, 0);
    while events < published || dropped < failed {
        let message = read(&mut client);
        match message["sequence"].as_u64() {
            Some(sequence) => {
                events += 1;
                assert_eq!(sequence, events);
            }
            None => dropped += message["dropped"].as_u64().unwrap(),
        }
    }
    assert_eq!((events, dropped), (published, failed));
}
