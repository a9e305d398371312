//! Limits refuse with a reason and a time, count what they refuse, and hit nobody else.

#![allow(clippy::disallowed_methods, reason = "tests wait")]
#![allow(clippy::unwrap_used, reason = "a test that meets something impossible may panic")]

#[path = "limits/fairness.rs"]
mod fairness;
#[path = "limits/places.rs"]
mod places;
#[path = "limits/protocols.rs"]
mod protocols;
mod support;

use std::io::Write;
use std::time::Duration;

use support::{Client, Got, Running, ask, bearer, connect_from, eventually, exchange, keys, limited, metric};

const NDJSON: &str = "content-type: application/x-ndjson\r\n";
const JSON: &str = "content-type: application/json\r\n";

/// A 429 that says when to come again, in the header and in the body.
#[track_caller]
fn refused(answer: &str, code: &str) {
    assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
    assert!(answer.contains(&format!("\"code\":\"{code}\"")), "{answer}");
    assert!(answer.contains("\"retry_after\":") && answer.contains("\r\nretry-after: "), "{answer}");
}

#[test]
fn a_user_has_so_many_streams_over_all_transports() {
    let server = Running::start(&format!("[limits]\nconnections_per_user = 2\n{}", keys(&["ann", "bob"])));
    let first = Client::connect(&server.address, "/v1/topics/a", &bearer("ann"));
    let mut second = connect_from("127.0.0.1", &server);
    let sse = ask("/v1/topics/a", &(bearer("ann") + "accept: text/event-stream\r\n"));
    second.write_all(&sse).unwrap();
    assert!(support::read_head(&mut second).starts_with("HTTP/1.1 200 "));
    for target in ["/v1/topics", "/v1/publish"] {
        let upgrade = "upgrade: websocket\r\nsec-websocket-version: 13\r\n\
                       sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let head = format!("GET {target} HTTP/1.1\r\nhost: x\r\nconnection: upgrade, close\r\n");
        let whole = format!("{head}{upgrade}{}\r\n", bearer("ann"));
        let answer = exchange(connect_from("127.0.0.1", &server), whole.as_bytes());
        refused(&answer, "too_many_connections_of_user");
    }
    assert!(server.request("GET", "/v1/topics", &bearer("ann"), "").starts_with("HTTP/1.1 200"), "no stream");
    assert_eq!(limited(&server, "connections_per_user"), 2.0);
    let _other = Client::connect(&server.address, "/v1/topics/a", &bearer("bob"));
    drop(first);
    eventually("there is room again", || {
        let answer = exchange(connect_from("127.0.0.1", &server), &ask("/v1/topics?topic=a", &bearer("x")));
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
        metric(&server, "millrace_shard_connections{shard=\"0\"}") == 2.0
    });
    Client::connect(&server.address, "/v1/topics/a", &bearer("ann"));
}

#[test]
fn a_user_who_says_so_by_message_is_counted_too() {
    let limits = "[limits]\nconnections_per_user = 1\n";
    let server = Running::start(&format!("{limits}{}", keys(&["ann", "bob"])));
    let mut first = Client::connect(&server.address, "/v1/topics", &bearer("ann"));
    let mut second = Client::connect(&server.address, "/v1/topics", &bearer("bob"));
    second.send(r#"{"type":"auth","token":"ann","ref":1}"#);
    let answer = second.text();
    assert!(answer.starts_with("{\"type\":\"error\",\"code\":\"too_many_connections_of_user\""), "{answer}");
    assert!(answer.ends_with(",\"retry_after\":1.000,\"ref\":1}"), "{answer}");
    first.send(r#"{"type":"auth","token":"ann"}"#);
    assert!(first.text().starts_with("{\"type\":\"authenticated\""), "it has its own place");
    drop(first);
    eventually("the place is free", || {
        second.send(r#"{"type":"auth","token":"ann"}"#);
        second.text().starts_with("{\"type\":\"authenticated\"")
    });
    Client::connect(&server.address, "/v1/topics", &bearer("bob"));
}

#[test]
fn a_user_is_counted_in_every_protocol() {
    let limits = "[limits]\nconnections_per_user = 1\n";
    let server = Running::start(&format!("{limits}{}", keys(&["ann"])));
    let _first = Client::connect(&server.address, "/v1/topics", &bearer("ann"));
    for path in ["/v1/stream/messages", "/ws/events/s", "/api/v1/ws/analysis/a"] {
        let mut refused = Client::connect(&server.address, path, &bearer("ann"));
        assert_eq!(refused.next(), Got::Close(1008, "Connection limit reached".into()), "{path}");
    }
    assert_eq!(limited(&server, "connections_per_user"), 3.0);
    let server = Running::start(&format!("refuse = \"http\"\n{limits}{}", keys(&["ann"])));
    let _first = Client::connect(&server.address, "/v1/stream/messages", &bearer("ann"));
    let upgrade =
        "upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let head = format!("GET /ws/events/s HTTP/1.1\r\nhost: x\r\nconnection: upgrade, close\r\n{upgrade}");
    let request = format!("{head}{}\r\n", bearer("ann"));
    let answer = exchange(connect_from("127.0.0.1", &server), request.as_bytes());
    refused(&answer, "too_many_connections_of_user");
}

#[test]
fn nobody_in_particular_is_not_counted_as_a_user() {
    let server =
        Running::start("[limits]\nconnections_per_user = 1\npublishes_per_second_per_credential = 1");
    let _readers = [1, 2].map(|_| Client::connect(&server.address, "/v1/topics/a", ""));
    for _ in 0..3 {
        assert!(server.publish("a", "1").starts_with("HTTP/1.1 200"));
    }
}

#[test]
fn a_topic_has_so_many_readers() {
    let server = Running::start("[limits]\nconnections_per_topic = 2");
    let mut first = Client::connect(&server.address, "/v1/topics/a", "");
    first.text();
    let mut many = Client::connect(&server.address, "/v1/topics", "");
    many.send(r#"{"type":"subscribe","topic":"a"}"#);
    assert!(many.text().starts_with("{\"type\":\"subscribed\""));
    let sse = "accept: text/event-stream\r\n";
    refused(&server.request("GET", "/v1/topics/a", sse, ""), "too_many_subscribers");
    let mut third = Client::connect(&server.address, "/v1/topics", "");
    third.send(r#"{"type":"subscribe","topic":"a","ref":7}"#);
    let answer = third.text();
    assert!(answer.starts_with("{\"type\":\"error\",\"code\":\"too_many_subscribers\""), "{answer}");
    assert!(answer.ends_with(",\"retry_after\":1.000,\"ref\":7}"), "{answer}");
    assert_eq!(limited(&server, "connections_per_topic"), 2.0);
    many.send(r#"{"type":"unsubscribe","topic":"a"}"#);
    many.text();
    third.send(r#"{"type":"subscribe","topic":"a"}"#);
    assert!(third.text().starts_with("{\"type\":\"subscribed\""));
}

#[test]
fn an_address_connects_so_often() {
    let server =
        Running::start("[limits]\nconnects_per_second_per_address = 1\nconnects_burst_per_address = 2");
    let health = ask("/health", "");
    let once = |source| exchange(connect_from(source, &server), &health);
    assert!(once("127.0.0.2").starts_with("HTTP/1.1 200") && once("127.0.0.2").starts_with("HTTP/1.1 200"));
    let third = (0..50).map(|_| once("127.0.0.2")).find(|answer| !answer.starts_with("HTTP/1.1 200"));
    refused(&third.unwrap(), "too_many_connects");
    assert!(once("127.0.0.3").starts_with("HTTP/1.1 200"));
    assert_eq!(limited(&server, "connects_per_second_per_address"), 1.0);
    std::thread::sleep(Duration::from_millis(1100));
    assert!(once("127.0.0.2").starts_with("HTTP/1.1 200"));
}

#[test]
fn in_a_flood_everybody_refused_is_told() {
    let server =
        Running::start("[limits]\nconnects_per_second_per_address = 1\nconnects_burst_per_address = 1");
    let mut flood: Vec<_> = (0..200).map(|_| connect_from("127.0.0.2", &server)).collect();
    flood.iter_mut().for_each(|socket| socket.write_all(&ask("/health", "")).unwrap());
    let heads: Vec<_> = flood.iter_mut().map(support::read_head).collect();
    let told =
        heads.iter().filter(|head| head.starts_with("HTTP/1.1 429 ") && head.contains("\r\nretry-after: "));
    assert!(told.count() >= 198, "{:?}", heads.iter().find(|head| head.is_empty()));
    assert!(limited(&server, "connects_per_second_per_address") >= 198.0);
}

#[test]
fn an_address_has_so_many_connections() {
    let server = Running::start("[limits]\nconnections_per_ip = 1");
    let mut held = connect_from("127.0.0.2", &server);
    held.write_all(b"GET").unwrap();
    eventually("it is counted", || metric(&server, "millrace_connections") >= 2.0);
    let second = exchange(connect_from("127.0.0.2", &server), &ask("/health", ""));
    refused(&second, "too_many_connections_from_address");
    assert!(limited(&server, "connections_per_ip") >= 1.0);
}

#[test]
fn a_connection_sends_so_many_messages() {
    let server = Running::start("[limits]\nmessages_per_second = 1\nmessages_burst = 2");
    let wait =
        |answer: &str| answer.contains(",\"retry_after\":0.") || answer.contains(",\"retry_after\":1.000");
    let mut many = Client::connect(&server.address, "/v1/topics", "");
    many.send("{\"type\":\"ping\"}");
    many.send("{\"type\":\"ping\"}");
    many.send(r#"{"type":"subscribe","topic":"a","ref":"x"}"#);
    assert!(many.text().contains("pong") && many.text().contains("pong"));
    let answer = many.text();
    assert!(answer.starts_with("{\"type\":\"error\",\"code\":\"rate_limited\""), "{answer}");
    assert!(answer.ends_with(",\"ref\":\"x\"}") && wait(&answer), "{answer}");
    let mut reader = Client::connect(&server.address, "/v1/topics/a", "");
    reader.text();
    (0..3).for_each(|_| reader.send("{\"type\":\"ping\"}"));
    assert!(reader.text().contains("pong") && reader.text().contains("pong"));
    assert!(reader.text().contains("rate_limited"));
    let mut publisher = Client::connect(&server.address, "/v1/publish?topic=a", "");
    (1..=2).for_each(|_| publisher.send("{\"data\":1}"));
    publisher.send("{\"data\":1}\n\n{\"data\":2}");
    assert!(publisher.text().contains("\"published\":1") && publisher.text().contains("\"published\":1"));
    let ack = publisher.text();
    assert!(
        ack.starts_with("{\"type\":\"ack\",\"message\":3,\"published\":0,\"topics\":[],\"failed\":["),
        "{ack}"
    );
    assert!(ack.contains("{\"line\":1,") && ack.contains("{\"line\":3,") && wait(&ack), "{ack}");
    assert_eq!(limited(&server, "messages_per_second"), 3.0);
    assert_eq!(metric(&server, "millrace_publish_refused_total"), 2.0);
}

#[test]
fn a_credential_publishes_so_many_events_over_all_connections() {
    let limits = "[limits]\npublishes_per_second_per_credential = 1\npublishes_burst_per_credential = 3\n";
    let server = Running::start(&format!("{limits}{}", keys(&["ann", "bob"])));
    let post = |name: &str, headers: &str, body: &str| {
        server.request("POST", "/v1/topics/a", &(bearer(name) + headers), body)
    };
    assert!(post("ann", JSON, "1").starts_with("HTTP/1.1 200"));
    let lines = post("ann", NDJSON, "1\n2\n3\n4\n");
    assert!(lines.starts_with("HTTP/1.1 200") && lines.contains("\"published\":2"), "{lines}");
    assert!(
        !lines.contains("\"line\":2,") && lines.contains("{\"line\":3,") && lines.contains("{\"line\":4,")
    );
    assert!(lines.contains("\"retry_after\":"), "{lines}");
    refused(&post("ann", JSON, "1"), "rate_limited");
    let lines = post("ann", NDJSON, "1\n2\n");
    assert!(lines.starts_with("HTTP/1.1 429") && lines.contains("\r\nretry-after: 1"), "{lines}");
    let mut socket = Client::connect(&server.address, "/v1/topics", &bearer("ann"));
    socket.send(r#"{"type":"publish","topic":"a","data":1,"ref":1}"#);
    let answer = socket.text();
    assert!(answer.contains("rate_limited") && answer.contains("\"retry_after\":"), "{answer}");
    assert!(answer.ends_with(",\"ref\":1}"), "{answer}");
    assert!(post("bob", JSON, "1").starts_with("HTTP/1.1 200"));
    assert_eq!(limited(&server, "publishes_per_second_per_credential"), 6.0);
    assert_eq!(metric(&server, "millrace_publish_refused_total"), 6.0);
}

#[test]
fn a_topic_takes_so_many_events() {
    let slow = "[namespaces.\"slow.*\"]\npublish_rate = 1\npublish_burst = 2\n";
    let server = Running::start(slow);
    let lines = server.request("POST", "/v1/topics/slow.a", NDJSON, "1\n2\n3\n");
    assert!(lines.contains("\"published\":2") && lines.contains("\"failed\":[{\"line\":3,"), "{lines}");
    refused(&server.publish("slow.a", "1"), "rate_limited");
    assert!(server.publish("slow.b", "1").starts_with("HTTP/1.1 200"));
    assert!(server.publish("fast", "1").starts_with("HTTP/1.1 200"));
    assert_eq!(limited(&server, "publish_rate"), 2.0);
    assert_eq!(metric(&server, "millrace_publish_refused_total"), 2.0);
}

#[test]
fn every_other_limit_is_counted() {
    let server = Running::start(
        "[limits]\ntopics = 1\nsubscriptions_per_connection = 1\nwaiting_reads = 0\nevent_bytes = 100\n\
         body_bytes = 200\nmessage_bytes = 128\nheader_seconds = 1",
    );
    server.publish("a", "1");
    server.publish("b", "1");
    let mut many = Client::connect(&server.address, "/v1/topics", "");
    many.send(r#"{"type":"subscribe","topic":"a"}"#);
    many.send(r#"{"type":"subscribe","topic":"a"}"#);
    (0..2).for_each(|_| drop(many.text()));
    assert!(server.get("/v1/topics/a?after=1&wait=1").starts_with("HTTP/1.1 503"));
    server.publish("a", &"1".repeat(101));
    server.request("POST", "/v1/topics/a", NDJSON, &"1\n".repeat(101));
    many.send(&"x".repeat(129));
    while !matches!(many.next(), Got::Close(1009, _)) {}
    let head = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(20_000));
    assert!(exchange(connect_from("127.0.0.1", &server), head.as_bytes()).starts_with("HTTP/1.1 431"));
    exchange(connect_from("127.0.0.1", &server), b"GET / HT");
    for limit in [
        "topics",
        "subscriptions_per_connection",
        "waiting_reads",
        "event_bytes",
        "body_bytes",
        "message_bytes",
        "header_bytes",
        "header_seconds",
    ] {
        assert_eq!(limited(&server, limit), 1.0, "{limit}");
    }
}

/// Runs into every limit at once, again and again.
fn disturb(server: &Running, held: &mut Vec<Client>) {
    let post = |body: &str| server.request("POST", "/v1/topics/theirs", &(bearer("eve") + NDJSON), body);
    post(&"1\n".repeat(500));
    for _ in 0..20 {
        drop(exchange(connect_from("127.0.0.9", server), &ask("/health", "")));
        let sse = ask("/v1/topics/shared", &(bearer("eve") + "accept: text/event-stream\r\n"));
        drop(exchange(connect_from("127.0.0.9", server), &sse));
    }
    for client in held {
        (0..50).for_each(|_| client.send(r#"{"type":"publish","topic":"theirs","data":1}"#));
        (0..50).for_each(|_| drop(client.text()));
    }
}

#[test]
fn a_user_over_every_limit_disturbs_nobody_else() {
    let limits = "[limits]\nconnections_per_user = 2\nconnections_per_ip = 40\nconnects_per_second_per_address = 1\n\
                  connects_burst_per_address = 160\nmessages_per_second = 10\nmessages_burst = 40\n\
                  publishes_per_second_per_credential = 1\npublishes_burst_per_credential = 300\n";
    let rate = "[namespaces.\"theirs\"]\npublish_rate = 1\n";
    let server = Running::start(&format!("{limits}{rate}{}", keys(&["ann", "bob", "eve"])));
    let mut reader = Client::connect(&server.address, "/v1/topics/shared", &bearer("ann"));
    assert!(reader.text().contains("subscribed"));
    let idle = (0..41).map(|_| connect_from("127.0.0.8", &server));
    let _idle: Vec<_> = idle.inspect(|mut socket| socket.write_all(b"GET").unwrap()).collect();
    let mut held: Vec<_> =
        (0..2).map(|_| Client::connect(&server.address, "/v1/topics", &bearer("eve"))).collect();
    for round in 0..5 {
        disturb(&server, &mut held);
        for i in 0..20 {
            let event = format!("{}", round * 20 + i);
            let headers = bearer("bob") + JSON;
            let answer = server.request("POST", "/v1/topics/shared", &headers, &event);
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
    }
    for wanted in 0..100 {
        let event = reader.text();
        assert!(event.ends_with(&format!("\"data\":{wanted}}}")), "{event}");
    }
    reader.send("{\"type\":\"ping\"}");
    assert!(reader.text().contains("pong"));
    Client::connect(&server.address, "/v1/topics/shared", &bearer("bob"));
    for limit in [
        "messages_per_second",
        "publishes_per_second_per_credential",
        "publish_rate",
        "connections_per_user",
        "connections_per_ip",
        "connects_per_second_per_address",
    ] {
        assert!(limited(&server, limit) > 0.0, "{limit}");
    }
}
