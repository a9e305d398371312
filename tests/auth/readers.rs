//! Every way to read something, of every protocol: what is said about one credential, page or backend must hold for all of
//! them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::bearer;
use crate::support::{Client, Got, PATIENCE, Running};

/// What every event that is published here carries, and what must not be seen by who may not read.
pub const MARK: &str = "m4rked";

/// How something is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// By a WebSocket that reads as soon as it is open.
    Socket,
    /// By a WebSocket on which this is said.
    Asking(&'static str),
    /// By a stream of this media type.
    Stream(&'static str),
    /// By an answer.
    Page,
    /// By an answer to a body.
    Post(&'static str),
}

/// A way to read a topic.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    pub target: &'static str,
    /// What must be allowed.
    pub topic: &'static str,
    pub kind: Kind,
}

impl Way {
    /// The same with a credential at one of its places, and the headers for that.
    pub fn with(&self, place: &str, token: &str) -> (Self, String) {
        let headers = match place {
            "authorization" => bearer(token),
            "cookie" => format!("cookie: a=b; session={token}\r\n"),
            "subprotocol" => format!("sec-websocket-protocol: v1, bearer.{token}\r\n"),
            parameter => {
                let joined = if self.target.contains('?') { "&" } else { "?" };
                // Targets of tests are few and may live as long as the tests.
                let target =
                    Box::leak(format!("{}{joined}{parameter}={token}", self.target).into_boxed_str());
                return (Self { target, ..*self }, String::new());
            }
        };
        (*self, headers)
    }
}

const fn way(target: &'static str, topic: &'static str, kind: Kind) -> Way {
    Way { target, topic, kind }
}

const SSE: Kind = Kind::Stream("text/event-stream");
const LINES: Kind = Kind::Stream("application/x-ndjson");

pub const WAYS: [Way; 30] = [
    way("/v1/topics/a", "a", Kind::Socket),
    way("/v1/topics/a?from=oldest", "a", Kind::Socket),
    way("/v1/topics/logs.**", "logs.**", Kind::Socket),
    way("/v1/topics", "a", Kind::Asking(r#"{"type":"subscribe","topic":"a","from":"oldest"}"#)),
    way("/v1/topics", "logs.*", Kind::Asking(r#"{"type":"subscribe","topic":"logs.*"}"#)),
    way("/v1/topics/a", "a", SSE),
    way("/v1/topics/a?from=oldest", "a", LINES),
    way("/v1/topics/logs.*", "logs.*", LINES),
    way("/v1/topics?topic=a", "a", SSE),
    way("/v1/topics?topic=logs.*", "logs.*", SSE),
    way("/v1/topics/a", "a", Kind::Page),
    way("/v1/topics/a?wait=1", "a", Kind::Page),
    way("/v1/topics/stream.message", "stream.message", Kind::Page),
    way("/v1/stream/messages", "stream.message", Kind::Socket),
    way("/v1/stream/messages?since=2020-01-01T00:00:00Z", "stream.message", Kind::Socket),
    way("/v1/stream/all", "stream.message", Kind::Asking(r#"{"type":"subscribe","streams":["message"]}"#)),
    way("/ws/events/s1", "events.s1", Kind::Socket),
    way("/ws/events/s1?since=2020-01-01T00:00:00Z", "events.s1", Kind::Socket),
    way("/ws/events", "events", Kind::Socket),
    way("/ws/events?since=2020-01-01T00:00:00Z", "events", Kind::Socket),
    way("/api/sessions/s1/events", "events.s1", Kind::Page),
    way("/v1/ws", "channels.sessions", Kind::Asking(r#"{"type":"subscribe","channels":["sessions"]}"#)),
    way("/v1/events/subscribe?channels=sessions", "channels.sessions", SSE),
    way("/api/v1/events/subscribe", "channels.sessions", SSE),
    way("/v1/events?channels=sessions&wait=1", "channels.sessions", Kind::Page),
    way("/api/v1/events", "channels.sessions", Kind::Page),
    way("/v1/events/replay", "channels.sessions", Kind::Post(r#"{"since":0,"channels":["sessions"]}"#)),
    way("/api/v1/events/replay", "channels.sessions", Kind::Post(r#"{"since":0}"#)),
    way("/api/v1/ws/analysis/x", "analysis.x", Kind::Socket),
    way("/api/v1/ws/analysis/x?last_sequence=0", "analysis.x", Kind::Socket),
];

/// Streams of server-sent events, of each protocol that has any.
pub const SSE_WAYS: [Way; 3] = [
    way("/v1/topics/a", "a", SSE),
    way("/v1/topics?topic=a", "a", SSE),
    way("/v1/events/subscribe?channels=sessions", "channels.sessions", SSE),
];

/// The WebSockets of each protocol that read as soon as they are open, or are told to.
pub fn sockets() -> impl Iterator<Item = Way> {
    WAYS.into_iter().filter(|way| matches!(way.kind, Kind::Socket | Kind::Asking(_)))
}

/// The event that is published to a topic of [`WAYS`], and where to.
fn event_for(topic: &str) -> (&str, String) {
    match topic {
        "a" => ("a", format!("{{\"data\":\"{MARK}\"}}")),
        "stream.message" => (
            topic,
            format!(
                "{{\"message_id\":\"m\",\"channel_id\":\"c\",\"author_id\":\"u\",\"content\":\"{MARK}\",\"direction\":\"incoming\"}}"
            ),
        ),
        "events" | "events.s1" => ("events.s1", format!("{{\"event_type\":\"{MARK}\"}}")),
        "channels.sessions" => {
            (topic, format!("{{\"type\":\"session.started\",\"data\":{{\"a\":\"{MARK}\"}}}}"))
        }
        "analysis.x" => (topic, format!("{{\"type\":\"note\",\"data\":\"{MARK}\"}}")),
        _ => ("logs.api", format!("{{\"data\":\"{MARK}\"}}")),
    }
}

/// Publishes an event that a way to `topic` shows, as `abc`.
pub fn publish(server: &Running, topic: &str) {
    let json = format!("content-type: application/json\r\n{}", bearer("abc"));
    let (topic, event) = event_for(topic);
    let answer = server.request("POST", &format!("/v1/topics/{topic}"), &json, &event);
    assert!(answer.starts_with("HTTP/1.1 200"), "{topic}: {answer}");
}

/// One event to every topic.
pub fn publish_everywhere(server: &Running) {
    for topic in ["a", "logs.*", "stream.message", "events.s1", "channels.sessions", "analysis.x"] {
        publish(server, topic);
    }
}

/// All that one way shows: up to an event that is published meanwhile, or to where it is clear that none comes.
pub fn shown(server: &Running, way: &Way, headers: &str) -> String {
    match way.kind {
        Kind::Page => server.request("GET", way.target, headers, ""),
        Kind::Post(text) => server.request("POST", way.target, headers, text),
        Kind::Socket | Kind::Asking(_) => on_socket(server, way, headers),
        Kind::Stream(media) => on_stream(server, way, &format!("accept: {media}\r\n{headers}")),
    }
}

/// Opens a socket and has it read. Its answer to the ping comes when all that was said before has been dealt with.
pub fn open(server: &Running, way: &Way, headers: &str) -> Result<(Client, String), String> {
    let (mut client, head) = Client::handshake(&server.address, way.target, headers);
    if !head.starts_with("HTTP/1.1 101") {
        return Err(head);
    }
    if let Kind::Asking(text) = way.kind {
        client.send(text);
    }
    let got = until_pong(&mut client)?;
    Ok((client, got))
}

/// What comes before the answer to a ping; what came instead, when the connection ends.
pub fn until_pong(client: &mut Client) -> Result<String, String> {
    client.send("{\"type\":\"ping\"}");
    let mut all = String::new();
    loop {
        match client.next() {
            Got::Text(text) if text.contains("\"pong\"") => return Ok(all),
            Got::Text(text) => all += &text,
            Got::Close(code, reason) => return Err(all + &format!("close {code} {reason}")),
            other => return Err(all + &format!("{other:?}")),
        }
    }
}

/// Words of those who are refused.
const REFUSED: [&str; 3] = ["\"code\":\"forbidden\"", "\"denied\":[\"", "HTTP/1.1 4"];

fn on_socket(server: &Running, way: &Way, headers: &str) -> String {
    let (mut client, mut all) = match open(server, way, headers) {
        Ok(opened) => opened,
        Err(refused) => return refused,
    };
    publish(server, way.topic);
    while !all.contains(MARK) {
        match until_pong(&mut client) {
            Ok(text) => all += &text,
            Err(end) => return all + &end,
        }
        if REFUSED.iter().any(|text| all.contains(text)) {
            let rest = until_pong(&mut client).unwrap_or_else(|end| end);
            return all + &rest;
        }
    }
    all
}

fn on_stream(server: &Running, way: &Way, headers: &str) -> String {
    let mut socket = TcpStream::connect(&server.address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(socket, "GET {} HTTP/1.1\r\nhost: test\r\n{headers}\r\n", way.target).unwrap();
    let (mut all, mut buffer, mut published) = (String::new(), [0; 4096], false);
    while !all.contains(MARK) && !all.starts_with("HTTP/1.1 4") {
        match socket.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(count) => all += &String::from_utf8_lossy(&buffer[..count]),
        }
        if REFUSED.iter().any(|text| all.contains(text)) {
            socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        }
        if (all.contains("subscribed") || all.contains("forbidden"))
            && !std::mem::replace(&mut published, true)
        {
            publish(server, way.topic);
        }
    }
    all
}

/// Whether somebody who may do everything reads something in every way: without that nothing else here means anything.
#[test]
fn every_way_reads() {
    let server = Running::start(crate::KEYS);
    publish_everywhere(&server);
    for way in &WAYS {
        let shown = shown(&server, way, &bearer("abc"));
        assert!(shown.contains(MARK), "{way:?}: {shown}");
    }
}

/// Who may read something else sees nothing, in any way.
#[test]
fn no_way_leads_around_grants() {
    let hash = "sha256:cb8379ac2098aa165029e3938a51da0bcecfc008fd6795f401178647f96c5b34";
    let other = format!("[[keys]]\nname = \"oz\"\nsubscribe = [\"other\", \"*.other\"]\nhash = \"{hash}\"\n");
    let root = crate::KEYS.split("[[keys]]").nth(1).unwrap();
    let server = Running::start(&format!("[[keys]]{root}{other}"));
    publish_everywhere(&server);
    for way in &WAYS {
        let shown = shown(&server, way, &bearer("def"));
        assert!(!shown.contains(MARK), "{way:?}: {shown}");
    }
}
