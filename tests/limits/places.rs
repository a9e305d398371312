//! Places under limits come back, however a connection ends; and the node has so many.

use std::io::Write;
use std::net::TcpStream;

use millrace::wire::websocket::Opcode;
use socket2::SockRef;

use super::refused;
use super::support::{
    Client, Running, ask, bearer, connect_from, eventually, exchange, keys, limited, metric, read_head,
};

const SOURCE: &str = "127.0.0.4";

fn handshake(target: &str, headers: &str) -> Vec<u8> {
    let upgrade = "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    format!("GET {target} HTTP/1.1\r\nhost: test\r\n{upgrade}{headers}\r\n").into_bytes()
}

/// Begins with `request`; what has been answered, as far as it has a head.
fn begin(server: &Running, request: &[u8]) -> (String, TcpStream) {
    let mut socket = connect_from(SOURCE, server);
    socket.write_all(request).unwrap();
    (read_head(&mut socket), socket)
}

fn reset(socket: TcpStream) {
    SockRef::from(&socket).set_linger(Some(std::time::Duration::ZERO)).unwrap();
}

fn sse(name: &str) -> Vec<u8> {
    ask("/v1/topics/a", &(bearer(name) + "accept: text/event-stream\r\n"))
}

/// Ends of connections, each of which holds as many places as it can.
fn end_in_every_way(server: &Running) {
    connect_from(SOURCE, server).write_all(b"GET / HTTP/1.1\r\nx: ").unwrap();
    drop(begin(server, &sse("ann")));
    reset(begin(server, &sse("ann")).1);
    drop(begin(server, &sse("nobody")));
    drop(begin(server, &handshake("/v1/topics/a", &bearer("ann"))));
    reset(begin(server, &handshake("/v1/topics/a", &bearer("ann"))).1);
    drop(begin(server, &handshake("/v1/stream/logs", &bearer("ann"))));
    drop(begin(server, &handshake("/ws/events/s?filter=%7B", &bearer("ann"))));
    drop(begin(server, &handshake("/api/v1/ws/analysis/a", &bearer("ann"))));
    let wrong = String::from_utf8(handshake("/v1/topics/a", &bearer("ann"))).unwrap();
    drop(begin(server, wrong.replace("version: 13", "version: 12").as_bytes()));
    let (_, mut socket) = begin(server, &handshake("/v1/topics/a", &bearer("ann")));
    let mut frames = Vec::new();
    millrace::wire::websocket::encode_masked(&mut frames, Opcode::Text, false, [1; 4], b"\xff");
    socket.write_all(&frames).unwrap();
    drop(begin(server, &ask("/v1/topics?topic=a&topic=b", &bearer("ann"))));
}

#[test]
fn places_come_back_however_a_connection_ends() {
    let limits = "[limits]\nconnections_per_ip = 2\nconnections_per_user = 2\nconnections_per_topic = 2\n\
                  [analysis]\nmax_connections_per_analysis = 2\n";
    let server = Running::start(&format!("{limits}{}", keys(&["ann"])));
    (0..5).for_each(|_| end_in_every_way(&server));
    eventually("all are gone", || metric(&server, "millrace_connections") == 1.0);
    assert_eq!(metric(&server, "millrace_subscriptions"), 0.0);
    let held = [0; 2].map(|_| begin(&server, &sse("ann")));
    held.iter().for_each(|(head, _)| assert!(head.starts_with("HTTP/1.1 200 "), "{head}"));
    refused(&exchange(connect_from(SOURCE, &server), &sse("ann")), "too_many_connections_from_address");
    refused(&exchange(connect_from("127.0.0.5", &server), &sse("ann")), "too_many_subscribers");
}

#[test]
fn the_node_has_so_many_connections() {
    let server = Running::start("[limits]\nconnections = 2");
    let held = [0; 2].map(|_| Client::connect(&server.address, "/v1/topics", ""));
    for request in [ask("/health", ""), handshake("/v1/stream/messages", "")] {
        let answer = exchange(connect_from("127.0.0.2", &server), &request);
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\r\nretry-after: 1\r\n"), "{answer}");
        assert!(answer.contains("\"code\":\"too_many_connections\"") && answer.contains("\"retry_after\":"));
    }
    drop(held);
    eventually("there is room again", || server.get("/health").starts_with("HTTP/1.1 200 "));
    assert!(limited(&server, "connections") >= 2.0);
}
