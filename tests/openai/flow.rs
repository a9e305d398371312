//! Cancelling, and the pace of readers.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use super::reader::{Stream, ask, done, server};
use super::support::eventually;
use super::upstream::{Upstream, chunk, play, says};

#[test]
fn cancelling_closes_the_connection_to_the_model() {
    let upstream = Upstream::start(vec![play(|call| {
        call.stream();
        call.word("Well");
        call.wait_for_cut();
    })]);
    let server = server(&upstream, "");
    let mut stream = Stream::ask(&server, "s", "Hello?", json!({}));
    while stream.next().unwrap().0 != "message" {}
    let begun = Instant::now();
    let answer = server.request("POST", "/v1/sessions/s/cancel", "", "");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    upstream.was_cut(0);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    let events = stream.rest();
    assert_eq!(done(&events)["status"], "cancelled");
}

#[test]
fn cancelling_ends_the_wait_before_the_next_attempt() {
    let upstream = Upstream::start(vec![
        super::upstream::refuses("503 Service Unavailable", "retry-after: 50\r\n", ""),
        says(&["no"]),
    ]);
    let server = server(&upstream, "");
    let mut stream = Stream::ask(&server, "s", "Hello?", json!({}));
    while stream.next().unwrap().1["step"] != "waiting" {}
    server.request("POST", "/v1/sessions/s/cancel", "", "");
    assert_eq!(done(&stream.rest())["status"], "cancelled");
    assert_eq!(upstream.seen().len(), 1);
}

#[test]
fn the_time_for_an_answer_ends_it() {
    let upstream = Upstream::start(vec![play(|call| call.wait_for_cut())]);
    let server = server(&upstream, "[sessions]\nanswer_seconds = 1");
    let events = ask(&server, "s", "Hello?");
    assert_eq!(super::reader::failed(&events).0, "TIMEOUT");
    upstream.was_cut(0);
}

/// A session takes so many events a second; meanwhile nothing is read of what the model says, and nothing piles up.
#[test]
fn a_model_waits_for_its_readers() {
    const PIECE: usize = 16 << 10;
    const PIECES: usize = 4096;
    let written = Arc::new(AtomicUsize::new(0));
    let so_far = Arc::clone(&written);
    let upstream = Upstream::start(vec![play(move |call| {
        call.stream();
        let event = format!("data: {}\n\n", chunk(json!({"content": "x".repeat(PIECE)})));
        for _ in 0..PIECES {
            if call.socket.write_all(event.as_bytes()).is_err() {
                return;
            }
            so_far.fetch_add(PIECE, Ordering::SeqCst);
        }
    })]);
    let toml = "[sessions]\nanswer_bytes = \"256MiB\"\n[namespaces.\"sessions.**\"]\npublish_rate = 20\npublish_burst = 40\nretain_bytes = \"1MiB\"";
    let server = server(&upstream, toml);
    let mut stream = Stream::ask(&server, "s", "Hello?", json!({}));
    while stream.next().unwrap().0 != "message" {}
    // What the kernel holds on its way is not the server's.
    let mut before = 0;
    eventually("the model has to wait", || {
        std::thread::sleep(Duration::from_millis(300));
        let now = written.load(Ordering::SeqCst);
        now - std::mem::replace(&mut before, now) < 40 * PIECE
    });
    assert!(written.load(Ordering::SeqCst) < PIECE * PIECES / 2, "{}", written.load(Ordering::SeqCst));
    server.request("POST", "/v1/sessions/s/cancel", "", "");
}

#[test]
fn questions_beyond_the_bound_wait() {
    let (go, wait) = std::sync::mpsc::sync_channel::<()>(0);
    let first = play(move |call| {
        call.stream();
        call.word("First");
        wait.recv().unwrap();
        call.done("stop");
    });
    let upstream = Upstream::start(vec![first, says(&["Second"])]);
    let server = server(&upstream, "requests = 1");
    let mut one = Stream::ask(&server, "a", "One?", json!({}));
    while one.next().unwrap().0 != "message" {}
    let mut two = Stream::ask(&server, "b", "Two?", json!({}));
    while two.next().unwrap().1["step"] != "generating" {}
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(upstream.seen().len(), 1);
    go.send(()).unwrap();
    assert_eq!(done(&one.rest())["output"], "First");
    assert_eq!(done(&two.rest())["output"], "Second");
}
