//! Behind proxies the client's own address counts, and nobody else is believed about it.

#![allow(clippy::unwrap_used, reason = "a test that meets something impossible may panic")]

mod support;

use std::io::Write;

use millrace::wire::websocket::{Opcode, encode_masked};
use support::{Running, ask, bearer, body, connect_from, eventually, exchange, keys, limited, metric};

const ANNOUNCED: &str = "[proxy]\ntrusted = [\"127.0.0.2\"]\nprotocol = \"v1v2\"\n";
const FORWARDED: &str = "[proxy]\ntrusted = [\"127.0.0.2\", \"10.0.0.0/8\"]\n";

fn v1(client: &str) -> Vec<u8> {
    format!("PROXY TCP4 {client} 127.0.0.1 4711 80\r\n").into_bytes()
}

fn v2(client: [u8; 4]) -> Vec<u8> {
    let addresses = [&client[..], &[127, 0, 0, 1], &4711u16.to_be_bytes(), &80u16.to_be_bytes()].concat();
    [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"[..], &addresses].concat()
}

/// What `/v1/whoami` says is the address, to a request behind `head` from `source`.
fn address(server: &Running, source: &str, head: &[u8], headers: &str) -> String {
    let answer = exchange(connect_from(source, server), &[head, &ask("/v1/whoami", headers)].concat());
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let (_, rest) = body(&answer).split_once("\"address\":").unwrap();
    rest.split(',').next().unwrap().trim_matches('"').into()
}

#[test]
fn whoami_tells_what_the_server_knows() {
    let server = Running::start(&keys(&["ann"]));
    let answer = server.request("GET", "/v1/whoami", &bearer("ann"), "");
    let wanted = r#"{"user":"ann","role":"OBSERVER","address":"127.0.0.1","expires":null}"#;
    assert_eq!(body(&answer), wanted);
    assert!(server.get("/v1/whoami").starts_with("HTTP/1.1 401 "));
    assert!(server.request("POST", "/v1/whoami", &bearer("ann"), "").starts_with("HTTP/1.1 405 "));
    let open = Running::start("");
    let wanted = r#"{"user":null,"role":"ROOT","address":"127.0.0.1","expires":null}"#;
    assert_eq!(body(&open.get("/v1/whoami")), wanted);
}

#[test]
fn a_trusted_proxy_announces_its_clients() {
    let server = Running::start(ANNOUNCED);
    assert_eq!(address(&server, "127.0.0.2", &v1("192.0.2.7"), ""), "192.0.2.7");
    assert_eq!(address(&server, "127.0.0.2", &v2([192, 0, 2, 8]), ""), "192.0.2.8");
    assert_eq!(address(&server, "127.0.0.2", b"PROXY UNKNOWN\r\n", ""), "127.0.0.2", "it speaks for itself");
    let forged = "x-forwarded-for: 1.1.1.1\r\n";
    assert_eq!(address(&server, "127.0.0.2", &v1("192.0.2.7"), forged), "192.0.2.7");
    assert_eq!(address(&server, "127.0.0.3", b"", forged), "127.0.0.3");
}

#[test]
fn a_header_may_come_in_pieces() {
    let server = Running::start(ANNOUNCED);
    let mut socket = connect_from("127.0.0.2", &server);
    let header = v1("192.0.2.7");
    let (first, rest) = header.split_at(9);
    socket.write_all(first).unwrap();
    socket.flush().unwrap();
    eventually("it has been accepted", || metric(&server, "millrace_connections") >= 2.0);
    let answer = exchange(socket, &[rest, &ask("/v1/whoami", "")].concat());
    assert!(answer.contains("\"address\":\"192.0.2.7\""), "{answer}");
}

#[test]
fn who_is_no_proxy_cannot_announce_anybody() {
    let server = Running::start(ANNOUNCED);
    for head in [v1("192.0.2.7"), v2([192, 0, 2, 7])] {
        let answer = exchange(connect_from("127.0.0.3", &server), &[head, ask("/v1/whoami", "")].concat());
        assert!(answer.starts_with("HTTP/1.1 400 ") || answer.is_empty(), "{answer}");
    }
    assert_eq!(metric(&server, "millrace_bad_proxy_headers_total"), 0.0);
}

#[test]
fn a_proxy_that_announces_nobody_is_closed_and_counted() {
    let server = Running::start(&format!("{ANNOUNCED}[limits]\nheader_seconds = 1\n"));
    let nonsense = b"PROXY TCP4 nonsense 127.0.0.1 1 2\r\n";
    for (number, head) in [&b""[..], nonsense, b"PROXY TCP4 192.0.2.7"].into_iter().enumerate() {
        let request = if number < 2 { ask("/v1/whoami", "") } else { Vec::new() };
        assert_eq!(exchange(connect_from("127.0.0.2", &server), &[head, &request].concat()), "");
        assert_eq!(metric(&server, "millrace_bad_proxy_headers_total"), number as f64 + 1.0);
    }
}

#[test]
fn what_follows_the_header_at_once_reaches_the_stream() {
    let server = Running::start(ANNOUNCED);
    let mut bytes = v2([192, 0, 2, 7]);
    bytes.extend_from_slice(
        b"GET /v1/topics HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
          sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    encode_masked(&mut bytes, Opcode::Text, false, [1, 2, 3, 4], b"{\"type\":\"ping\",\"ref\":5}");
    encode_masked(&mut bytes, Opcode::Close, false, [1, 2, 3, 4], &1000u16.to_be_bytes());
    let mut socket = connect_from("127.0.0.2", &server);
    socket.write_all(&bytes).unwrap();
    assert!(support::read_head(&mut socket).starts_with("HTTP/1.1 101 "));
    let mut answer = Vec::new();
    std::io::Read::read_to_end(&mut socket, &mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.contains("\"pong\"") && answer.contains("\"ref\":5}"), "{answer}");
}

#[test]
fn limits_of_an_address_hold_for_announced_clients() {
    let limits = "[limits]\nconnects_per_second_per_address = 1\nconnects_burst_per_address = 2\n";
    let server = Running::start(&format!("{ANNOUNCED}{limits}"));
    let once = |client: &str| {
        exchange(connect_from("127.0.0.2", &server), &[v1(client), ask("/health", "")].concat())
    };
    assert!(once("192.0.2.7").starts_with("HTTP/1.1 200") && once("192.0.2.7").starts_with("HTTP/1.1 200"));
    let third =
        (0..50).map(|_| once("192.0.2.7")).find(|answer| answer.starts_with("HTTP/1.1 429 ")).unwrap();
    assert!(third.contains("\"retry_after\":"), "{third}");
    assert!(once("192.0.2.8").starts_with("HTTP/1.1 200"));
    assert_eq!(limited(&server, "connects_per_second_per_address"), 1.0);
}

#[test]
fn forwarded_headers_are_read_from_the_right_and_from_proxies_only() {
    let server = Running::start(FORWARDED);
    let from = |source, headers: &str| address(&server, source, b"", headers);
    assert_eq!(from("127.0.0.2", "x-forwarded-for: 1.1.1.1, 192.0.2.7\r\n"), "192.0.2.7");
    assert_eq!(
        from("127.0.0.2", "x-forwarded-for: 1.1.1.1\r\nx-forwarded-for: 192.0.2.7, 10.1.2.3\r\n"),
        "192.0.2.7"
    );
    assert_eq!(from("127.0.0.2", "forwarded: for=1.1.1.1\r\n"), "127.0.0.2", "not the configured header");
    assert_eq!(from("127.0.0.3", "x-forwarded-for: 192.0.2.7\r\n"), "127.0.0.3", "no proxy of ours");
    let server = Running::start(&format!("{FORWARDED}header = \"forwarded\"\n"));
    let headers = "x-forwarded-for: 1.1.1.1\r\nforwarded: for=1.1.1.2, for=\"[2001:db8::5]:80\"\r\n";
    assert_eq!(address(&server, "127.0.0.2", b"", headers), "2001:db8::5");
}

#[test]
fn limits_of_an_address_hold_for_forwarded_clients() {
    let limits = "[limits]\nconnections_per_ip = 1\nconnects_per_second_per_address = 1\n\
                  connects_burst_per_address = 3\n";
    let server = Running::start(&format!("{FORWARDED}{limits}"));
    let sse = |client: &str| {
        let headers = format!("accept: text/event-stream\r\nx-forwarded-for: {client}\r\n");
        let mut socket = connect_from("127.0.0.2", &server);
        socket.write_all(&ask("/v1/topics/a", &headers)).unwrap();
        let head = support::read_head(&mut socket);
        (head.split(' ').nth(1).unwrap().to_owned(), socket)
    };
    let plain = |client: &str| {
        let request = ask("/v1/whoami", &format!("x-forwarded-for: {client}\r\n"));
        exchange(connect_from("127.0.0.2", &server), &request)
    };
    let (status, first) = sse("192.0.2.7");
    assert_eq!(status, "200");
    assert_eq!(sse("192.0.2.7").0, "429", "a second stream");
    assert!(plain("192.0.2.7").starts_with("HTTP/1.1 429 "), "a request besides a stream");
    assert_eq!(sse("192.0.2.8").0, "200", "another client of the same proxy");
    assert_eq!(limited(&server, "connections_per_ip"), 2.0);
    drop(first);
    eventually("the stream has ended", || plain("192.0.2.7").starts_with("HTTP/1.1 200 "));
    assert_eq!(sse("192.0.2.7").0, "200");
    eventually("it connects too often", || {
        sse("192.0.2.7").0 == "429" && limited(&server, "connects_per_second_per_address") == 1.0
    });
}

#[test]
fn a_stream_that_is_refused_was_a_connect_too() {
    let limits = "[limits]\nconnects_per_second_per_address = 1\nconnects_burst_per_address = 2\n";
    let server = Running::start(&format!("{FORWARDED}{limits}{}", keys(&["ann"])));
    let guess = |accept: &str| {
        let headers = format!("{}{accept}x-forwarded-for: 192.0.2.7\r\n", bearer("guessed"));
        exchange(connect_from("127.0.0.2", &server), &ask("/v1/topics/a", &headers))
    };
    let stream = "accept: text/event-stream\r\n";
    assert!(guess(stream).starts_with("HTTP/1.1 401 ") && guess(stream).starts_with("HTTP/1.1 401 "));
    let third = (0..50).map(|_| guess(stream)).find(|answer| !answer.starts_with("HTTP/1.1 401 ")).unwrap();
    assert!(third.starts_with("HTTP/1.1 429 ") && third.contains("\r\nretry-after: 1"), "{third}");
    assert!(guess("").starts_with("HTTP/1.1 401 "), "no stream");
}

#[test]
fn a_proxy_itself_has_no_limit_of_an_address() {
    let server = Running::start(&format!("{FORWARDED}[limits]\nconnections_per_ip = 1\n"));
    let mut held: Vec<_> = (0..5).map(|_| connect_from("127.0.0.2", &server)).collect();
    held.iter_mut().for_each(|socket| socket.write_all(b"GET").unwrap());
    eventually("all are in", || metric(&server, "millrace_connections") >= 6.0);
    assert_eq!(limited(&server, "connections_per_ip"), 0.0);
}
