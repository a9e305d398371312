//! The checks of the load generator can fail: a server that does wrong on purpose is found out, one that does right is not.
//!
//! The server is the stand-in built into `loadtest` itself, which spoils event 50 of a topic when the environment asks for
//! it; the floor does the same. Sessions are too much for a stand-in: there the workers, which are `loadtest` too, say
//! token 50 wrongly to Millrace itself.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const SUBSCRIBERS: u64 = 20;

const PROGRAM: &str = env!("CARGO_BIN_EXE_loadtest");

/// Runs `loadtest` with a fault; its exit status and its JSON.
fn run(fault: &str, arguments: &str) -> (Option<i32>, Value) {
    run_at(Path::new(PROGRAM), fault, arguments)
}

fn run_at(server: &Path, fault: &str, arguments: &str) -> (Option<i32>, Value) {
    let output = Command::new(PROGRAM)
        .args(arguments.split_whitespace())
        .args(["--json", "--server"])
        .arg(server)
        .env("MILLRACE_LOADTEST_FAULT", fault)
        .output()
        .expect("loadtest runs");
    let json = serde_json::from_slice(&output.stdout);
    (
        output.status.code(),
        json.unwrap_or_else(|_| panic!("{arguments}: {}", String::from_utf8_lossy(&output.stderr))),
    )
}

fn counts(figures: &Value) -> [u64; 4] {
    ["lost", "duplicated", "reordered", "corrupted"].map(|name| figures[name].as_u64().expect(name))
}

/// Every fault is counted as what it is, once for each subscriber, on every transport.
fn check_faults(arguments: &str, each: u64) {
    let faults = [
        ("none", 0, [0; 4]),
        ("drop", 1, [each, 0, 0, 0]),
        ("duplicate", 1, [0, each, 0, 0]),
        ("reorder", 1, [0, 0, each, 0]),
        ("corrupt", 1, [0, 0, 0, each]),
    ];
    for (fault, status, expected) in faults {
        let (code, figures) = run(fault, arguments);
        assert_eq!((code, counts(&figures)), (Some(status), expected), "{fault}: {arguments}: {figures}");
    }
}

#[test]
fn faults_of_the_floor_are_found() {
    check_faults("floor --subscribers 20 --events 300 --window 8 --rounds 1", SUBSCRIBERS);
}

#[test]
fn faults_are_found_on_every_transport() {
    for transport in ["sse", "ndjson"] {
        let line = "fanout --subscribers 20 --events 300 --window 8 --rounds 1 --no-floor";
        check_faults(&format!("{line} --transport {transport}"), SUBSCRIBERS);
    }
    // A compressed event with a wrong byte does not inflate, or inflates to something else.
    let line = "fanout --subscribers 20 --events 300 --window 8 --rounds 1 --no-floor --transport ws-deflate";
    for (fault, place) in [("drop", 0), ("duplicate", 1), ("reorder", 2)] {
        let (code, figures) = run(fault, line);
        assert_eq!((code, counts(&figures)[place]), (Some(1), SUBSCRIBERS), "{fault}: {figures}");
    }
}

#[test]
fn with_a_window_of_one_a_dropped_event_ends_the_round_and_is_lost() {
    let (code, figures) = run("drop", "floor --subscribers 20 --events 100 --window 1 --rounds 1");
    assert_eq!(code, Some(1), "{figures}");
    assert_eq!(counts(&figures)[0], SUBSCRIBERS, "{figures}");
}

#[test]
fn resuming_clients_find_faults_too() {
    let line = "resume --clients 20 --events 2000 --cuts 5 --seconds 1";
    let (code, figures) = run("none", line);
    assert_eq!((code, counts(&figures), figures["cuts"].as_u64()), (Some(0), [0; 4], Some(100)), "{figures}");
    let (code, figures) = run("drop", line);
    assert_eq!(code, Some(1), "{figures}");
    assert_eq!(counts(&figures)[0], SUBSCRIBERS, "{figures}");
}

#[test]
fn slow_clients_are_dropped_and_the_others_lose_nothing() {
    let (_, figures) = run("none", "slow --subscribers 50 --seconds 3 --rounds 1 --rate 500");
    assert_eq!(counts(&figures), [0; 4], "{figures}");
    assert_eq!(figures["evicted"], figures["slow"], "{figures}");
    assert_eq!(figures["slow"].as_u64(), Some(5));
}

/// The server beside this program, which is built when only this crate was.
fn millrace() -> PathBuf {
    let server = Path::new(PROGRAM).with_file_name("millrace");
    if !server.exists() {
        let built =
            Command::new(env!("CARGO")).args(["build", "-p", "millrace", "--bin", "millrace"]).status();
        assert!(built.is_ok_and(|status| status.success()) && server.exists(), "{}", server.display());
    }
    server
}

#[test]
fn faults_of_answers_are_found_by_every_reader() {
    let (server, line) =
        (millrace(), "sessions --sessions 4 --tokens 60 --rate 200 --workers 2 --rounds 1 --no-floor");
    let faults = [
        ("none", 0, [0; 4]),
        ("drop", 1, [8, 0, 0, 0]),
        ("duplicate", 1, [0, 8, 0, 0]),
        ("reorder", 1, [0, 0, 8, 0]),
        ("corrupt", 1, [8, 0, 0, 8]),
    ];
    for (fault, status, expected) in faults {
        let (code, figures) = run_at(&server, fault, line);
        assert_eq!((code, counts(&figures)), (Some(status), expected), "{fault}: {figures}");
    }
    let (code, figures) = run_at(&server, "none", &format!("{line} --linger 50"));
    assert_eq!((code, figures["delivered"].as_u64()), (Some(0), Some(480)), "{figures}");
    assert!(figures["events_per_message"].as_f64() > Some(1.5), "{figures}");
}

#[test]
fn first_tokens_are_timed() {
    let (code, figures) = run_at(&millrace(), "none", "sessions --first-token --questions 40");
    assert_eq!(code, Some(0), "{figures}");
    for name in ["first_token_p50_us", "first_token_of_16_p50_us"] {
        assert!(figures[name].as_f64() > Some(0.0), "{figures}");
    }
}

#[test]
fn those_who_come_and_go_disturb_nothing() {
    let (code, figures) = run("none", "churn --subscribers 20 --churners 20 --per-second 200 --seconds 1");
    assert_eq!((code, counts(&figures)), (Some(0), [0; 4]), "{figures}");
    assert!(figures["connects"].as_u64() >= Some(100), "{figures}");
}

#[test]
fn published_events_are_counted_in_the_log() {
    for mode in ["http", "ndjson", "ws"] {
        let (code, figures) = run("none", &format!("publish --mode {mode} --seconds 0.3 --publishers 2"));
        assert_eq!(code, Some(0), "{figures}");
        assert!(figures["events_per_s"].as_f64() > Some(0.0), "{figures}");
    }
}

#[test]
fn a_ratio_that_is_missed_fails_the_run() {
    let line = "fanout --subscribers 5 --events 100 --rounds 1 --assert-ratio";
    assert_eq!(run("none", &format!("{line} 0.0001")).0, Some(1));
    assert_eq!(run("none", &format!("{line} 10000")).0, Some(0));
}
