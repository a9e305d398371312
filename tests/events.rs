//! The `events` protocol among many: who wants the same gets the same frame.

#![allow(clippy::unwrap_used, reason = "a test that meets something impossible may panic")]

mod support;

use serde_json::Value;
use support::{Client, Running, eventually, metric};

/// The same wish in two spellings: what failed.
const FAILED: [&str; 2] = [
    "%7B%22statuses%22%3A%5B%22error%22%2C%22timeout%22%5D%2C%22tool_names%22%3A%5B%5D%7D",
    "%7B%22session_id%22%3Anull%2C%22statuses%22%3A%5B%22timeout%22%2C%22error%22%5D%7D",
];
/// Clients that want what failed, and clients that want everything.
const CLIENTS: [usize; 2] = [20, 5];
const BATCH: usize = 10;

fn publish(server: &Running, statuses: &[&str]) {
    let line = |status: &&str| format!("{{\"event_type\":\"tool_call\",\"status\":\"{status}\"}}\n");
    let lines: String = statuses.iter().map(line).collect();
    let headers = "content-type: application/x-ndjson\r\n";
    let response = server.request("POST", "/api/sessions/s/events", headers, &lines);
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
}

/// Gathers and writes so far, once nothing more is counted.
fn settled(server: &Running, writes: f64) -> (f64, f64) {
    eventually("all writes are counted", || metric(server, "millrace_writes_total") >= writes);
    (metric(server, "millrace_gathers_total"), metric(server, "millrace_writes_total"))
}

#[test]
fn readers_who_want_the_same_share_one_frame() {
    let server = Running::start("[events]\nmax_clients_per_session = 0\n");
    let target = |filter: &str| format!("/ws/events/s?batch_size={BATCH}&poll_interval=10000{filter}");
    let connect = |filter: &str| Client::connect(&server.address, &target(filter), "");
    let mut failed: Vec<_> =
        (0..CLIENTS[0]).map(|i| connect(&format!("&filter={}", FAILED[i % 2]))).collect();
    let mut all: Vec<_> = (0..CLIENTS[1]).map(|_| connect("")).collect();
    let everybody = CLIENTS.iter().sum::<usize>() as f64;
    eventually("all read", || metric(&server, "millrace_subscriptions") == everybody);
    publish(&server, &["error"]);
    failed.iter_mut().chain(&mut all).for_each(|client| drop(client.text()));
    let before = settled(&server, everybody);

    // One batch of what failed, two of everything: full, so that nothing waits.
    publish(&server, &["error", "completed"].repeat(BATCH));
    let of_failed: Vec<_> = failed.iter_mut().map(Client::text).collect();
    let of_all: Vec<_> = all.iter_mut().map(|client| [client.text(), client.text()]).collect();
    let after = settled(&server, before.1 + everybody);
    assert_eq!(after.0 - before.0, 2.0, "one buffer for each wish, however many clients have it");
    assert_eq!(after.1 - before.1, everybody, "one write for each client");
    // Frames that were made one by one would differ in their time, sooner or later.
    assert!(of_failed.iter().all(|text| *text == of_failed[0]) && of_all.iter().all(|two| *two == of_all[0]));
    let batch: Value = serde_json::from_str(&of_failed[0]).unwrap();
    assert_eq!(batch["count"], BATCH);
    assert!(batch["events"].as_array().unwrap().iter().all(|event| event["status"] == "error"));
}
