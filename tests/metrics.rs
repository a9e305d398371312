//! Every metric is there from the start, is valid for Prometheus, is documented, and moves when what it counts happens.

#![allow(clippy::disallowed_methods, reason = "tests wait")]
#![allow(clippy::unwrap_used, reason = "a test that meets something impossible may panic")]

mod support;

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use support::{Client, Got, Running, body, eventually};

const DOCUMENTED: &str = include_str!("../docs/METRICS.md");

/// Samples by name and labels.
type Samples = BTreeMap<String, f64>;

fn scrape(server: &Running) -> Samples {
    let page = server.get("/metrics");
    let lines = body(&page).lines().filter(|line| !line.starts_with('#'));
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), value.parse().unwrap())
    };
    lines.map(sample).collect()
}

fn value(server: &Running, name: &str) -> f64 {
    *scrape(server).get(&format!("millrace_{name}")).unwrap_or_else(|| panic!("no {name}"))
}

#[track_caller]
fn reaches(server: &Running, name: &str, least: f64) {
    eventually(&format!("{name} >= {least}"), || value(server, name) >= least);
}

/// Names of families, as the TYPE lines give them.
fn families(page: &str) -> Vec<&str> {
    page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect()
}

#[test]
fn every_metric_is_there_from_the_start_and_documented() {
    let server = Running::start("");
    let page = server.get("/metrics");
    assert!(page.contains("content-type: text/plain; version=0.0.4"), "{page}");
    let mut documented: Vec<_> =
        DOCUMENTED.lines().filter_map(|line| line.strip_prefix("| `")?.split(['`', '{']).next()).collect();
    let mut present = families(body(&page));
    documented.sort_unstable();
    present.sort_unstable();
    assert_eq!(present, documented, "docs/METRICS.md and /metrics differ");
    let running = [
        "millrace_connections",
        "millrace_connections_accepted_total",
        "millrace_http_requests_total",
        "millrace_build_info",
        "millrace_shard_turns_total",
        "millrace_shard_busy_seconds_total",
        "millrace_ring_garbage",
        "process_",
    ];
    for (name, value) in scrape(&server) {
        assert!(value == 0.0 || running.iter().any(|other| name.starts_with(other)), "{name} is {value}");
    }
}

/// A Python that has prometheus_client; `pip install prometheus_client` makes one.
fn python() -> Option<&'static str> {
    let candidates = ["target/tools/prom/bin/python", "python3"];
    candidates.into_iter().find(|python| {
        let mut import = Command::new(python);
        import.args(["-c", "import prometheus_client"]).stderr(Stdio::null());
        import.status().is_ok_and(|status| status.success())
    })
}

#[test]
fn a_real_parser_reads_the_page() {
    let Some(python) = python() else {
        println!("SKIPPED: no Python with prometheus_client");
        return;
    };
    let server = Running::start("");
    server.publish("a", "1");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/parse_metrics.py");
    let mut child =
        Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(body(&server.get("/metrics")).as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let wanted = families(body(&server.get("/metrics"))).len();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), wanted.to_string());
}

#[test]
fn publishing_is_counted() {
    let server = Running::start("");
    server.publish("a", "{\"data\":12345,\"type\":\"\",\"idempotency_key\":\"k\"}");
    assert_eq!(value(&server, "published_events_total"), 1.0);
    let bytes = value(&server, "published_bytes_total");
    assert!(bytes >= 6.0);
    server.publish("a", "{\"data\":12345,\"type\":\"\",\"idempotency_key\":\"k\"}");
    assert_eq!(value(&server, "publish_duplicates_total"), 1.0);
    assert_eq!(value(&server, "published_events_total"), 1.0);
    assert_eq!(value(&server, "published_bytes_total"), bytes, "a duplicate is not appended");
    assert_eq!(value(&server, "topics"), 1.0);
    assert_eq!(value(&server, "publish_refused_total"), 0.0);
}

#[test]
fn what_is_not_published_is_counted_whoever_refuses_it() {
    let server = Running::start("[limits]\ntopics = 1\nevent_bytes = 2000\nbody_bytes = 4000");
    server.publish("a", "1");
    let ndjson = "content-type: application/x-ndjson\r\n";
    let mut socket = Client::connect(&server.address, "/v1/topics", "");
    let mut publisher = Client::connect(&server.address, "/v1/publish?topic=a", "");
    let mut expected = 0.0;
    let mut refused = |events: f64| {
        expected += events;
        reaches(&server, "publish_refused_total", expected);
        assert_eq!(value(&server, "publish_refused_total"), expected);
    };
    server.publish("a", "{");
    refused(1.0);
    server.publish("a..b", "1");
    refused(1.0);
    server.publish("$presence.a", "1");
    refused(1.0);
    server.publish("second", "1");
    refused(1.0);
    server.publish("a", &"1".repeat(2001));
    refused(1.0);
    server.request("POST", "/v1/topics/a", ndjson, "1\n{\n2\n[\n");
    refused(2.0);
    server.request("POST", "/v1/publish", "", "{\"topic\":\"a\",\"data\":1}\n{\"data\":2}\n");
    refused(1.0);
    server.request("POST", "/v1/publish", "", "{\"topic\":\"b\",\"data\":1}\n{\"topic\":\"b\",\"data\":2}\n");
    refused(2.0);
    socket.send(r#"{"type":"publish","topic":"a"}"#);
    refused(1.0);
    socket.send(r#"{"type":"publish","data":1}"#);
    refused(1.0);
    socket.send(r#"{"type":"publish","topic":"b","data":1}"#);
    refused(1.0);
    publisher.send("{\"data\":1}\nx\n");
    refused(1.0);
    publisher.send(r#"{"topic":"b","data":1}"#);
    refused(1.0);
}

#[test]
fn requests_and_connections_are_counted() {
    let key = "hash = \"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"";
    let server = Running::start(&format!(
        "[limits]\nconnections = 3\n[[keys]]\nname = \"k\"\n{key}\npublish = [\"**\"]"
    ));
    let before = scrape(&server);
    server.publish("a", "1");
    let after = scrape(&server);
    let grown = |name: &str| after[&format!("millrace_{name}")] - before[&format!("millrace_{name}")];
    assert_eq!(grown("http_unauthorized_total"), 1.0);
    assert_eq!(grown("http_requests_total"), 2.0);
    assert_eq!(grown("connections_accepted_total"), 2.0);
    assert_eq!(grown("publish_refused_total"), 0.0);
    // Something must have come for the listener to see them.
    let connect = || {
        let mut socket = TcpStream::connect(&server.address).unwrap();
        std::io::Write::write_all(&mut socket, b"GET").unwrap();
        socket
    };
    let _held = [connect(), connect()];
    reaches(&server, "connections", 3.0);
    let third = connect();
    eventually("no room", || server.get("/metrics").starts_with("HTTP/1.1 503"));
    drop((third, _held));
    eventually("room again", || server.get("/metrics").starts_with("HTTP/1.1 200"));
    assert!(value(&server, "connections_refused_total") >= 1.0);
}

/// Whether a counter stands still.
fn settled(server: &Running, name: &str) -> bool {
    let before = value(server, name);
    std::thread::sleep(std::time::Duration::from_millis(50));
    value(server, name) == before
}

#[test]
fn delivery_is_counted() {
    let server = Running::start("");
    let mut one = Client::connect(&server.address, "/v1/topics/a", "");
    let mut many = Client::connect(&server.address, "/v1/topics", "");
    one.text();
    for topic in ["a", "b"] {
        many.send(&format!("{{\"type\":\"subscribe\",\"topic\":\"{topic}\"}}"));
        many.text();
    }
    eventually("both have caught up", || value(&server, "subscriptions") == 3.0);
    // A write is counted after it was made, so the client may be faster.
    eventually("writes are counted", || settled(&server, "writes_total"));
    let before = scrape(&server);
    server.publish("a", "1");
    one.text();
    many.text();
    reaches(&server, "publish_to_write_seconds_count", 2.0);
    let after = scrape(&server);
    let grown = |name: &str| after[&format!("millrace_{name}")] - before[&format!("millrace_{name}")];
    assert_eq!(grown("deliveries_total"), 2.0);
    assert_eq!(grown("writes_total"), 2.0);
    assert_eq!(grown("gathers_total"), 1.0, "both read the same bytes");
    assert!(grown("sent_bytes_total") > 100.0);
    assert!(after["millrace_publish_to_write_seconds_sum"] > 0.0);
    assert_eq!(after["millrace_client_messages_total"], 2.0);
    assert!(after["millrace_received_bytes_total"] > 60.0);
    assert_eq!(after["millrace_streams_accepted_total"], 2.0);
    assert_eq!(after["millrace_shard_connections{shard=\"0\"}"], 2.0);
    assert!(after["millrace_shard_turns_total{shard=\"0\"}"] > 2.0);
    assert!(after["millrace_shard_busy_seconds_total{shard=\"0\"}"] > 0.0);
    drop((one, many));
    eventually("nobody subscribes", || value(&server, "subscriptions") == 0.0);
}

#[test]
fn every_delivery_is_in_the_histogram() {
    let server = Running::start("");
    let mut readers: Vec<_> = (0..20).map(|_| Client::connect(&server.address, "/v1/topics/a", "")).collect();
    readers.iter_mut().for_each(|reader| drop(reader.text()));
    let lines: String = (0..500).map(|i| format!("{i}\n")).collect();
    for _ in 0..4 {
        server.request("POST", "/v1/topics/a", "content-type: application/x-ndjson\r\n", &lines);
    }
    for reader in &mut readers {
        (0..2000).for_each(|_| drop(reader.text()));
    }
    eventually("all are counted", || value(&server, "deliveries_total") == 40_000.0);
    reaches(&server, "publish_to_write_seconds_count", 40_000.0);
}

/// Fills a reader that does not read: half a megabyte at a time until `done`.
fn overwhelm(server: &Running, mut done: impl FnMut() -> bool) {
    let event = format!("{{\"data\":\"{}\",\"key\":\"k\"}}\n", "x".repeat(60_000));
    for _ in 0..400 {
        if done() {
            return;
        }
        server.request("POST", "/v1/topics/a", "content-type: application/x-ndjson\r\n", &event.repeat(8));
    }
    panic!("the reader was not overwhelmed");
}

#[test]
fn slow_readers_are_counted() {
    let server =
        Running::start("[delivery]\nsend_buffer_bytes = 65536\n[namespaces.default]\nslow_events = 50");
    let mut slow = Client::connect(&server.address, "/v1/topics/a", "");
    slow.text();
    overwhelm(&server, || value(&server, "blocked_connections") > 0.0);
    reaches(&server, "kernel_queued_bytes", 1.0);
    reaches(&server, "backlog_events_count", 1.0);
    overwhelm(&server, || value(&server, "evictions_total{reason=\"backlog_events\"}") > 0.0);
    while !matches!(slow.next(), Got::Close(1013, _)) {}
    drop(slow);
    eventually("nobody is blocked", || value(&server, "blocked_connections") == 0.0);
    eventually("nothing is queued", || value(&server, "kernel_queued_bytes") == 0.0);
}

#[test]
fn gaps_are_counted() {
    let policy = "slow_policy = \"skip\"\nslow_events = 20\nretain_events = 40";
    let server =
        Running::start(&format!("[delivery]\nsend_buffer_bytes = 65536\n[namespaces.default]\n{policy}"));
    let mut slow = Client::connect(&server.address, "/v1/topics/a", "");
    slow.text();
    overwhelm(&server, || value(&server, "gaps_total") > 0.0);
    assert!(value(&server, "missed_events_total") > 0.0);
    while !slow.text().starts_with("{\"type\":\"gap\"") {}
}

#[test]
fn conflation_is_counted() {
    let server = Running::start("");
    for i in 0..10 {
        server.publish("a", &format!("{{\"data\":{i},\"key\":\"k\"}}"));
    }
    let mut reader = Client::connect(&server.address, "/v1/topics/a?from=oldest&conflate=1", "");
    reader.text();
    assert!(reader.text().contains("\"data\":9"));
    assert_eq!(value(&server, "conflated_events_total"), 9.0);
}

#[test]
fn garbage_is_counted_while_readers_may_see_it() {
    let server = Running::start("[namespaces.default]\nretain_events = 1");
    let pin = crossbeam_epoch::pin();
    for i in 0..10 {
        server.publish("a", &i.to_string());
    }
    assert!(value(&server, "ring_garbage_entries") >= 9.0);
    assert!(value(&server, "ring_garbage_bytes") >= 9.0);
    drop(pin);
    // The epochs are the process's: other tests leave garbage too, but not for long.
    eventually("it is freed", || value(&server, "ring_garbage_entries") < 9.0);
}
