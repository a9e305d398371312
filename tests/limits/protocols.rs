//! The bounds of the protocols on their own connections: how a refusal says when to come again, and that it is counted.

use std::io::Write;

use super::support::{Client, Got, Running, ask, connect_from, eventually, limited, read_head};

const BOUNDS: &str = "[stream]\nconnections_per_user = 1\n[events]\nmax_clients_per_session = 1\n\
                      [analysis]\nmax_connections_per_analysis = 1\n";
const BOUNDED: [(&str, &str); 3] = [
    ("/v1/stream/messages", "Connection limit reached"),
    ("/ws/events/s", "Session client limit reached"),
    ("/api/v1/ws/analysis/a", "Connection limit reached"),
];

/// Connects until it has a place: that of another is given back when the server has seen it go.
fn with_place(server: &Running, path: &str) -> Client {
    let mut client = None;
    eventually("a place", || {
        let (connected, head) = Client::handshake(&server.address, path, "");
        client = (head.starts_with("HTTP/1.1 101 ") && !head.contains("retry-after")).then_some(connected);
        client.is_some()
    });
    client.unwrap()
}

#[test]
fn a_close_has_its_hint_in_the_head() {
    let server = Running::start(BOUNDS);
    for (number, (path, reason)) in BOUNDED.into_iter().enumerate() {
        let mut first = with_place(&server, path);
        first.send("{\"type\":\"ping\"}");
        first.text();
        let (mut second, head) = Client::handshake(&server.address, path, "");
        assert!(head.starts_with("HTTP/1.1 101 ") && head.contains("\r\nretry-after: "), "{head}");
        assert_eq!(second.next(), Got::Close(1008, reason.into()), "{path}");
        assert_eq!(limited(&server, "connections_of_protocol"), number as f64 + 1.0, "{path}");
    }
}

#[test]
fn an_answer_has_it_too() {
    let server = Running::start(&format!("refuse = \"http\"\n{BOUNDS}"));
    for (number, (path, reason)) in BOUNDED.into_iter().enumerate() {
        let mut first = with_place(&server, path);
        first.send("{\"type\":\"ping\"}");
        first.text();
        let (_, head) = Client::handshake(&server.address, path, "");
        assert!(head.starts_with("HTTP/1.1 429 ") && head.contains("\r\nretry-after: "), "{head} {reason}");
        assert_eq!(limited(&server, "connections_of_protocol"), number as f64 + 1.0, "{path}");
    }
}

/// Refused connections that their client leaves open hold no place while they are.
#[test]
fn who_is_refused_takes_no_place_from_others() {
    let bounds = "[analysis]\nmax_connections_per_analysis = 1\nmax_total_connections = 3\n";
    let server = Running::start(bounds);
    let mut first = with_place(&server, "/api/v1/ws/analysis/a");
    first.send("{\"type\":\"ping\"}");
    first.text();
    let refused: Vec<_> =
        (0..10).map(|_| Client::handshake(&server.address, "/api/v1/ws/analysis/a", "")).collect();
    let others = ["b", "c"].map(|id| with_place(&server, &format!("/api/v1/ws/analysis/{id}")));
    for mut other in others {
        other.send("{\"type\":\"ping\"}");
        assert!(other.text().contains("pong"));
    }
    drop(refused);
}

#[test]
fn a_topic_that_is_full_is_denied_with_its_time() {
    let server = Running::start("[limits]\nconnections_per_topic = 1");
    let hold = |topic: &str| {
        let mut held = Client::connect(&server.address, &format!("/v1/topics/{topic}"), "");
        assert!(held.text().contains("\"subscribed\""));
        held
    };
    let _held = ["stream.message", "channels.sessions"].map(hold);
    let mut all = Client::connect(&server.address, "/v1/stream/all", "");
    all.text();
    all.send(r#"{"type":"subscribe","streams":["message","telemetry"]}"#);
    assert!(all.text().contains(r#""subscribed":["telemetry"],"denied":["message"]"#));
    let told = all.text();
    assert!(told.contains("\"type\":\"error\"") && told.contains("\"retry_after\":1.000"), "{told}");
    let mut channels = Client::connect(&server.address, "/v1/ws", "");
    channels.send(r#"{"type":"subscribe","channels":["sessions","agents"]}"#);
    assert!(channels.text().contains(r#""channels":["agents"],"denied":["sessions"]"#));
    let told = channels.text();
    assert!(told.contains("\"RATE_LIMITED\"") && told.contains("\"retry_after\":1.000"), "{told}");
    let mut sse = connect_from("127.0.0.1", &server);
    let request = ask("/v1/events/subscribe?channels=sessions", "accept: text/event-stream\r\n");
    sse.write_all(&request).unwrap();
    assert!(read_head(&mut sse).starts_with("HTTP/1.1 200 "));
    let mut told = String::new();
    while !told.contains("\"retry_after\":1.000") {
        let mut piece = [0; 4096];
        let count = std::io::Read::read(&mut sse, &mut piece).unwrap();
        assert!(count > 0, "{told}");
        told += &String::from_utf8_lossy(&piece[..count]);
    }
}

/// Each protocol refuses a message that comes too fast in its own words, and says when the next one may come.
#[test]
fn messages_are_refused_with_a_time_in_every_protocol() {
    let server = Running::start("[limits]\nmessages_per_second = 1\nmessages_burst = 1");
    let paths = ["/v1/topics", "/v1/topics/a", "/v1/stream/messages", "/ws/events/s", "/ws/events", "/v1/ws"];
    for path in paths.into_iter().chain(["/api/v1/ws/analysis/a"]) {
        let mut client = Client::connect(&server.address, path, "");
        (0..2).for_each(|_| client.send("{\"type\":\"ping\"}"));
        let mut told = client.text();
        while !told.contains("\"retry_after\":") {
            told = client.text();
        }
        assert!(told.contains("\"type\":\"error\""), "{path}: {told}");
    }
    assert_eq!(limited(&server, "messages_per_second"), 7.0);
}
