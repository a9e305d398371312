//! Requests that wait for an event do not hold up the end of a server, and are not cut off by it.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::{PATIENCE, Running, body, eventually};

#[test]
fn who_waits_is_answered_when_the_server_drains() {
    let mut server = Running::start("");
    let ways = [
        ("/v1/topics/a?wait=60", "a", "\"events\":[]"),
        ("/v1/events?channels=sessions&wait=60", "channels.sessions", "\"events\":[]"),
    ];
    let waiting = ways.map(|(target, topic, wanted)| {
        let mut socket = TcpStream::connect(&server.address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(socket, "GET {target} HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
        let named = format!("\"topic\":\"{topic}\"");
        eventually("it waits", || server.get("/v1/topics").contains(&named));
        (socket, wanted)
    });
    server.drain();
    for (mut socket, wanted) in waiting {
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 ") && body(&answer).contains(wanted), "{answer}");
    }
}
