//! Tokens that end while a connection is open.

use serde_json::json;

use crate::signer::Signer;
use crate::support::{Client, Got, Running};
use crate::{Files, SECRET, claims, token};

#[test]
fn a_connection_ends_with_its_token() {
    let files = Files::new();
    let server = Running::start(&files.jwt(""));
    let target = format!("/v1/topics/a?token={}", token("ann", 2));
    let mut client = Client::connect(&server.address, &target, "");
    client.text();
    assert_eq!(client.next(), Got::Close(1008, "Token expired".into()));
    let stream =
        server.request("GET", &target.replace(&token("ann", 2), ""), "accept: text/event-stream\r\n", "");
    assert!(stream.starts_with("HTTP/1.1 401"), "{stream}");
}

/// A token that may read what the sessions and analyses of their protocols are called here.
fn reader_token(seconds: i64) -> String {
    let mut claims = claims("ann", seconds);
    claims["grants"] = json!({ "subscribe": ["events.s", "analysis.a"] });
    Signer::secret(SECRET).sign(&claims)
}

#[test]
fn a_connection_of_events_or_analysis_ends_with_its_token() {
    let files = Files::new();
    let server = Running::start(&files.jwt(""));
    let ended = Got::Close(1008, "Token expired".into());
    for path in ["/ws/events/s", "/api/v1/ws/analysis/a"] {
        let mut late = Client::connect(&server.address, &format!("{path}?token={}", reader_token(-1)), "");
        assert_eq!(late.next(), ended, "{path}");
        let mut client = Client::connect(&server.address, &format!("{path}?token={}", reader_token(2)), "");
        client.send("{\"type\":\"ping\"}");
        assert!(client.text().contains("pong"), "{path}");
        assert_eq!(client.next(), ended, "{path}");
    }
}

#[test]
fn an_event_stream_ends_with_its_token_and_says_so() {
    let files = Files::new();
    let server = Running::start(&files.jwt(""));
    let target = format!("/v1/topics/a?token={}", token("ann", 2));
    // The response is read to its end.
    let stream = server.request("GET", &target, "accept: text/event-stream\r\n", "");
    assert!(
        stream
            .contains("event: close\ndata: {\"type\":\"close\",\"code\":1008,\"reason\":\"Token expired\"}"),
        "{stream}"
    );
}

#[test]
fn a_renewed_connection_stays() {
    let files = Files::new();
    let server = Running::start(&files.jwt(""));
    let mut client = Client::connect(&server.address, &format!("/v1/topics?token={}", token("ann", 2)), "");
    let mut say = |text: String| {
        client.send(&text);
        client.text()
    };
    assert!(say("{\"type\":\"subscribe\",\"topic\":\"a\"}".into()).starts_with("{\"type\":\"subscribed\""));
    let bad = say(format!("{{\"type\":\"auth\",\"token\":\"{}\"}}", token("ann", -1)));
    assert!(bad.starts_with("{\"type\":\"error\",\"code\":\"expired\""), "{bad}");
    let other = say(format!("{{\"type\":\"auth\",\"token\":\"{}\"}}", token("bob", 60)));
    assert!(other.starts_with("{\"type\":\"error\",\"code\":\"insufficient\""), "{other}");
    let renewed = say(format!("{{\"type\":\"auth\",\"token\":\"{}\"}}", token("ann", 4)));
    assert!(
        renewed.starts_with("{\"type\":\"authenticated\",\"user\":\"ann\",\"expires\":\"20"),
        "{renewed}"
    );
    #[allow(clippy::disallowed_methods, reason = "the first token has to end")]
    std::thread::sleep(std::time::Duration::from_millis(2500));
    assert!(say("{\"type\":\"ping\"}".into()).starts_with("{\"type\":\"pong\""));
    assert_eq!(client.next(), Got::Close(1008, "Token expired".into()));
}
