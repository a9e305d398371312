//! Where tokens come from, tickets, and which pages may connect.

use serde_json::Value;

use crate::support::{Client, Got, Running, body};
use crate::{Files, KEYS, bearer, status, token};

const TICKETS: &str = "/v1/tickets";

fn header(head: &str, name: &str) -> Option<String> {
    let prefix = format!("{name}: ");
    head.lines().find_map(|line| {
        Some(line.get(prefix.len()..)?.trim().to_owned()).filter(|_| line.to_lowercase().starts_with(&prefix))
    })
}

fn handshake(server: &Running, target: &str, headers: &str) -> (u16, String) {
    let (_, head) = Client::handshake(&server.address, target, headers);
    (status(&head), head)
}

#[test]
fn tokens_come_by_header_query_subprotocol_and_cookie() {
    let files = Files::new();
    let server = Running::start(&(files.jwt("") + "[auth]\ncookie = \"session\""));
    let token = token("ann", 60);
    let target = |suffix: String| format!("/v1/topics/a{suffix}");
    for (target, headers) in [
        (target(String::new()), bearer(&token)),
        (target(format!("?token={token}")), String::new()),
        (target(String::new()), format!("sec-websocket-protocol: bearer.{token}\r\n")),
        (target(String::new()), format!("cookie: a=b; session={token}\r\n")),
    ] {
        let mut client = Client::connect(&server.address, &target, &headers);
        assert!(client.text().starts_with("{\"type\":\"subscribed\""), "{target} {headers}");
        assert_eq!(
            handshake(&server, &target.replace(&token, "wrong"), &headers.replace(&token, "wrong")).0,
            401
        );
    }
    assert_eq!(handshake(&server, "/v1/topics/a", &format!("cookie: other={token}\r\n")).0, 401);
    // The header decides, even if it is wrong.
    assert_eq!(handshake(&server, &format!("/v1/topics/a?token={token}"), &bearer("wrong")).0, 401);
}

#[test]
fn a_subprotocol_that_was_offered_is_chosen() {
    let server = Running::start(KEYS);
    for (offered, chosen) in [
        ("bearer.def", Some("bearer.def")),
        ("bearer.def, v1.json", Some("v1.json")),
        ("v1.json, bearer.def, v2", Some("v1.json")),
    ] {
        let (status, head) =
            handshake(&server, "/v1/topics/a", &format!("sec-websocket-protocol: {offered}\r\n"));
        assert_eq!((status, header(&head, "sec-websocket-protocol").as_deref()), (101, chosen), "{head}");
    }
    let plain = handshake(&server, "/v1/topics/a?token=def", "sec-websocket-protocol: v1.json\r\n").1;
    assert_eq!(header(&plain, "sec-websocket-protocol"), None);
}

fn ticket(server: &Running, token: &str) -> String {
    let answer = server.request("POST", TICKETS, &bearer(token), "");
    let value: Value = serde_json::from_str(body(&answer)).unwrap();
    assert_eq!((status(&answer), value["expires_in"].as_u64()), (200, Some(30)), "{answer}");
    value["ticket"].as_str().unwrap().to_owned()
}

#[test]
fn a_ticket_is_good_once_for_whom_asked() {
    let server = Running::start(KEYS);
    assert_eq!(status(&server.request("POST", TICKETS, "", "")), 401);
    assert_eq!(status(&server.get(&format!("{TICKETS}?token=def"))), 405);
    let ticket = ticket(&server, "def");
    assert_eq!(ticket.len(), 43);
    let forbidden = server.get(&format!("/v1/topics/b?ticket={}", self::ticket(&server, "def")));
    assert_eq!(status(&forbidden), 403, "it may do what bob may");
    let mut client = Client::connect(&server.address, &format!("/v1/topics/a?ticket={ticket}"), "");
    assert!(client.text().starts_with("{\"type\":\"subscribed\""));
    assert_eq!(handshake(&server, &format!("/v1/topics/a?ticket={ticket}"), "").0, 401);
    assert_eq!(handshake(&server, "/v1/topics/a?ticket=x&token=def", "").0, 401);
}

#[test]
fn a_ticket_ends_with_the_token_of_whom_it_stands_for() {
    let files = Files::new();
    let server = Running::start(&files.jwt(""));
    let ticket = ticket(&server, &token("ann", 2));
    let mut client = Client::connect(&server.address, &format!("/v1/topics/a?ticket={ticket}"), "");
    client.text();
    assert_eq!(client.next(), Got::Close(1008, "Token expired".into()));
}

#[test]
fn tickets_of_one_user_are_bounded() {
    let server = Running::start(KEYS);
    let issued =
        (0..120).filter(|_| status(&server.request("POST", TICKETS, &bearer("def"), "")) == 200).count();
    assert_eq!(issued, 100);
    ticket(&server, "abc");
}

fn statuses(server: &Running, origin: &str) -> [u16; 3] {
    let origin = format!("origin: {origin}\r\n");
    let sse = crate::places::sse(server, &format!("{origin}{}", bearer("def")));
    let post = server.request("POST", TICKETS, &format!("{origin}{}", bearer("def")), "");
    [handshake(server, "/v1/topics/a", &format!("{origin}{}", bearer("def"))).0, sse, status(&post)]
}

/// The status of opening an event stream.
fn sse(server: &Running, headers: &str) -> u16 {
    use std::io::Write;
    let mut socket = std::net::TcpStream::connect(&server.address).unwrap();
    write!(socket, "GET /v1/topics/a HTTP/1.1\r\nhost: test\r\naccept: text/event-stream\r\n{headers}\r\n")
        .unwrap();
    status(&crate::support::read_head(&mut socket))
}

#[test]
fn pages_of_listed_origins_may_open_streams() {
    let server = Running::start(&format!("[auth]\norigins = [\"https://app.example.com\"]\n{KEYS}"));
    assert_eq!(statuses(&server, "https://app.example.com"), [101, 200, 200]);
    let two = "https://app.example.com\r\norigin: https://evil.example.com";
    for other in ["https://evil.example.com", "null", "http://app.example.com", "http://test", two] {
        assert_eq!(statuses(&server, other), [403, 403, 200], "{other}");
    }
    assert_eq!(
        (handshake(&server, "/v1/topics/a?token=def", "").0, sse(&server, &bearer("def"))),
        (101, 200)
    );
    assert_eq!(crate::metric(&server, "millrace_auth_refused_total{reason=\"origin\"} "), 10);
}

#[test]
fn without_a_list_all_may_unless_cookies_count() {
    assert_eq!(statuses(&Running::start(KEYS), "https://evil.example.com"), [101, 200, 200]);
    let server = Running::start(&format!("[auth]\ncookie = \"session\"\n{KEYS}"));
    assert_eq!(statuses(&server, "https://evil.example.com"), [403, 403, 200]);
    assert_eq!(statuses(&server, "http://test"), [101, 200, 200]);
    // What a browser sends by itself does nothing for a page of another origin, whatever the request.
    let forged = "origin: https://evil.example.com\r\ncookie: session=def\r\n";
    assert_eq!(status(&server.request("POST", TICKETS, forged, "")), 403);
    assert_eq!(
        status(&server.request("POST", TICKETS, "origin: http://test\r\ncookie: session=def\r\n", "")),
        200
    );
}
