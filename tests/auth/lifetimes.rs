//! What every protocol must do with credentials: take them wherever they may stand, end with them, let them be renewed, and
//! close when they are taken back.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use crate::readers::{Kind, MARK, SSE_WAYS, WAYS, Way, open, publish_everywhere, shown, sockets, until_pong};
use crate::signer::Signer;
use crate::support::{Client, Got, PATIENCE, Running, body, eventually, read_head};
use crate::{Files, KEYS, SECRET, bearer, now_s};

/// A token that may do everything.
fn reader(user: &str, seconds: u64) -> String {
    let claims = json!({ "sub": user, "exp": now_s() + seconds, "role": "root" });
    Signer::secret(SECRET).sign(&claims)
}

/// The WebSocket that only publishes, which is closed with its credential as any other.
const PUBLISHER: Way = Way { target: "/v1/publish?topic=a", topic: "a", kind: Kind::Socket };

/// One client for each socket; nothing is read of what it missed.
fn open_all(server: &Running, token: &dyn Fn(usize) -> String) -> Vec<(Way, Client)> {
    let ways = sockets().chain([PUBLISHER]).enumerate();
    ways.map(|(i, way)| (way, open(server, &way, &bearer(&token(i))).unwrap().0)).collect()
}

#[track_caller]
fn assert_closed(way: &Way, client: &mut Client, reason: &str) {
    loop {
        match client.next() {
            Got::Text(_) => {}
            Got::Close(1008, why) if why == reason => return,
            other => panic!("{way:?}: {other:?}"),
        }
    }
}

/// A server whose users may have as many connections as they like.
fn start(files: &Files, more: &str) -> Running {
    let server = Running::start(&(files.jwt("") + "[stream]\nconnections_per_user = 0\n" + more + KEYS));
    publish_everywhere(&server);
    server
}

#[allow(clippy::disallowed_methods, reason = "tokens have to end")]
fn wait(millis: u64) {
    std::thread::sleep(Duration::from_millis(millis));
}

#[test]
fn every_stream_ends_with_its_token() {
    let files = Files::new();
    let server = start(&files, "");
    let token = reader("ann", 3);
    let mut sockets = open_all(&server, &|_| token.clone());
    for (way, client) in &mut sockets {
        assert_closed(way, client, "Token expired");
    }
    let token = reader("ann", 2);
    for way in &SSE_WAYS {
        // The response is read to its end.
        let headers = format!("accept: text/event-stream\r\n{}", bearer(&token));
        let all = server.request("GET", way.target, &headers, "");
        assert!(all.contains("Token expired") || all.starts_with("HTTP/1.1 401"), "{way:?}: {all}");
    }
}

#[test]
fn every_socket_can_be_renewed() {
    let files = Files::new();
    let server = start(&files, "");
    let token = reader("ann", 3);
    let mut sockets = open_all(&server, &|_| token.clone());
    let renewal = json!({ "type": "auth", "token": reader("ann", 60) }).to_string();
    let (wrong, other) = (reader("ann", 60) + "x", reader("bob", 60));
    for (way, client) in &mut sockets {
        for token in [&wrong, &other] {
            // One that reads nothing may become somebody else, but for the protocols that count connections by user.
            if token == &other && way.target.starts_with("/v1/publish") {
                continue;
            }
            client.send(&json!({ "type": "auth", "token": token }).to_string());
            let told = until_pong(client).unwrap();
            assert!(told.contains("error") && told.contains("credential"), "{way:?}: {told}");
        }
        client.send(&renewal);
        let told = until_pong(client).unwrap();
        assert!(told.contains("auth") && !told.contains("error"), "{way:?}: {told}");
    }
    wait(3500);
    for (way, client) in &mut sockets {
        until_pong(client).unwrap_or_else(|end| panic!("{way:?}: {end}"));
        client.send(&renewal);
        until_pong(client).unwrap_or_else(|end| panic!("{way:?}: {end}"));
    }
}

#[test]
fn what_is_taken_back_is_closed_in_every_protocol() {
    let files = Files::new();
    let server = start(&files, "");
    let token = reader("ann", 60);
    let mut sockets = open_all(&server, &|_| token.clone());
    let mut others = open_all(&server, &|_| reader("bob", 60));
    let streams: Vec<_> = SSE_WAYS.iter().map(|way| (way, stream(&server, way, &token))).collect();
    let answer = server.request("POST", "/v1/revocations", &bearer("abc"), "{\"user\":\"ann\"}");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    for (way, client) in &mut sockets {
        assert_closed(way, client, "Token revoked");
    }
    for (way, mut socket) in streams {
        let all = rest(&mut socket);
        assert!(all.contains("Token revoked"), "{way:?}: {all}");
    }
    for way in &WAYS {
        let shown = shown(&server, way, &bearer(&token));
        let told = shown.starts_with("HTTP/1.1 401") || shown.contains("close 1008 Token revoked");
        assert!(told, "{way:?}: {shown}");
    }
    for (way, client) in &mut others {
        until_pong(client).unwrap_or_else(|end| panic!("{way:?}: {end}"));
    }
}

fn stream(server: &Running, way: &Way, token: &str) -> TcpStream {
    let headers = format!("accept: text/event-stream\r\n{}", bearer(token));
    let mut socket = send(server, &format!("GET {} HTTP/1.1\r\nhost: test\r\n{headers}\r\n", way.target));
    let head = read_head(&mut socket);
    assert!(head.starts_with("HTTP/1.1 200"), "{way:?}: {head}");
    socket
}

/// `Authorization`, a subprotocol, `?token=`, a cookie and a ticket let in everywhere, and wrong ones nowhere.
#[test]
fn every_protocol_takes_credentials_from_every_place() {
    let files = Files::new();
    let server = start(&files, "[auth]\ncookie = \"session\"\n");
    let token = reader("ann", 60);
    let refused = |shown: &str| {
        let closed = shown.contains("close 1008") && shown.contains("Authentication");
        shown.starts_with("HTTP/1.1 401") || closed || shown.contains("authenticate first")
    };
    for way in &WAYS {
        let is_socket = matches!(way.kind, Kind::Socket | Kind::Asking(_));
        let place = |name: &str, token: &str| way.with(name, token);
        for name in ["authorization", "token", "cookie", "subprotocol"] {
            if name == "subprotocol" && !is_socket {
                continue;
            }
            let (way, headers) = place(name, &token);
            let seen = shown(&server, &way, &headers);
            assert!(seen.contains(MARK), "{name} {way:?}: {seen}");
            let (way, headers) = place(name, "wrong");
            let seen = shown(&server, &way, &headers);
            assert!(refused(&seen) && !seen.contains(MARK), "{name} {way:?}: {seen}");
        }
        let answer = server.request("POST", "/v1/tickets", &bearer(&token), "");
        let ticket: serde_json::Value = serde_json::from_str(body(&answer)).unwrap();
        let (way, headers) = place("ticket", ticket["ticket"].as_str().unwrap());
        let seen = shown(&server, &way, &headers);
        assert!(seen.contains(MARK), "ticket {way:?}: {seen}");
        let seen = shown(&server, &way, &headers);
        assert!(refused(&seen), "the ticket again, {way:?}: {seen}");
        let seen = shown(&server, &way, "");
        assert!(refused(&seen), "{way:?}: {seen}");
    }
}

/// Whoever may not come from a page may not in any protocol; what is no stream is not a page's matter without a cookie.
#[test]
fn every_stream_looks_at_the_page_it_is_for() {
    let server = Running::start(&format!("[auth]\norigins = [\"https://app.example.com\"]\n{KEYS}"));
    publish_everywhere(&server);
    for way in &WAYS {
        let from = |origin: &str| shown(&server, way, &format!("origin: {origin}\r\n{}", bearer("abc")));
        assert!(from("https://app.example.com").contains(MARK), "{way:?}");
        let other = from("https://evil.example.com");
        match way.kind {
            Kind::Page | Kind::Post(_) => assert!(other.contains(MARK), "{way:?}: {other}"),
            _ => assert!(other.starts_with("HTTP/1.1 403"), "{way:?}: {other}"),
        }
    }
}

/// The one protocol that takes a credential in the first message alone, as its document has it.
#[test]
fn a_first_message_lets_in() {
    let files = Files::new();
    let server = start(&files, "");
    for target in ["/v1/ws", "/api/v1/ws"] {
        let mut client = Client::connect(&server.address, target, "");
        client.send(&json!({ "type": "auth", "token": reader("ann", 3) }).to_string());
        assert!(client.text().contains("auth_success"));
        assert_eq!(client.next(), Got::Close(1008, "Token expired".into()));
        let mut client = Client::connect(&server.address, target, "");
        client.send(&json!({ "type": "auth", "token": "wrong" }).to_string());
        assert!(client.text().contains("AUTH_FAILED"));
        assert!(matches!(client.next(), Got::Close(1008, _)));
    }
}

/// A request that waits, and one whose body takes its time, do nothing more for who may not ask any more.
#[test]
fn requests_that_last_end_with_their_credential() {
    let files = Files::new();
    let server = start(&files, "");
    let revoke = |user: &str| {
        let subject = json!({ "user": user }).to_string();
        let answer = server.request("POST", "/v1/revocations", &bearer("abc"), &subject);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    };
    let waits = ["/v1/topics/late?wait=20", "/v1/events?channels=teams&wait=20"];
    let mut waiting = waits.map(|target| {
        let head = format!("GET {target} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n");
        send(&server, &(head + &bearer(&reader("cid", 60)) + "\r\n"))
    });
    let chunked = "content-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\nconnection: close\r\n";
    let bodies = [reader("cid", 60), reader("bob", 2)].map(|token| {
        let head = format!("POST /v1/topics/lines HTTP/1.1\r\nhost: test\r\n{chunked}{}\r\n", bearer(&token));
        send(&server, &(head + "11\r\n{\"data\":\"early\"}\n\r\n"))
    });
    let lines = || server.request("GET", "/v1/topics/lines", &bearer("abc"), "");
    eventually("the first lines are there", || lines().matches("early").count() == 2);
    #[allow(clippy::disallowed_methods, reason = "tests read the clock")]
    let began = std::time::Instant::now();
    revoke("cid");
    wait(2100);
    let json = format!("content-type: application/json\r\n{}", bearer("abc"));
    let team = format!("{{\"type\":\"team.a\",\"data\":{{\"a\":\"{MARK}\"}}}}");
    for (topic, event) in [("late", format!("{{\"data\":\"{MARK}\"}}")), ("channels.teams", team)] {
        let answer = server.request("POST", &format!("/v1/topics/{topic}"), &json, &event);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    for socket in &mut waiting {
        let answer = rest(socket);
        assert!(began.elapsed() < Duration::from_secs(10), "it is told at the event: {answer}");
        assert!(answer.starts_with("HTTP/1.1 401") && !answer.contains(MARK), "{answer}");
    }
    for mut socket in bodies {
        // Whoever is refused may be gone already.
        let _gone = socket.write_all(b"10\r\n{\"data\":\"late\"}\n\r\n0\r\n\r\n");
        let answer = rest(&mut socket);
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    }
    assert!(!lines().contains("late"), "{}", lines());
}

fn send(server: &Running, text: &str) -> TcpStream {
    let mut socket = TcpStream::connect(&server.address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.write_all(text.as_bytes()).unwrap();
    socket
}

fn rest(socket: &mut TcpStream) -> String {
    let mut all = String::new();
    socket.read_to_string(&mut all).unwrap();
    all
}
