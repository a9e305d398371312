//! An event published once is read through every protocol that its topic belongs to and through the native one, over every
//! transport: by those who are there, by those who come later, and in pages.

use serde_json::Value;

use crate::reading::How::{Lines, Page, Post, Socket, Sse};
use crate::reading::{Reader, Way};
use crate::support::{Running, body, eventually};

/// What the events of one protocol are read by. All ways of a group show an event alike.
struct Everywhere {
    topic: &'static str,
    /// Events that contain `ONE` and `TWO`.
    events: [&'static str; 2],
    live: &'static [&'static [Way]],
    later: &'static [&'static [Way]],
}

/// Holds the event that is looked for.
const ONE: &str = "the-one";
/// Holds the event that is the last.
const TWO: &str = "the-other";

impl Everywhere {
    fn try_out(&self) {
        let server = Running::start("");
        let readers: Vec<Vec<Reader>> =
            self.live.iter().map(|group| group.iter().map(|way| way.open(&server)).collect()).collect();
        let count: usize = readers.iter().map(Vec::len).sum();
        eventually("all of them read", || subscribers(&server) == count as u64);
        for event in self.events {
            let answer = server.publish(self.topic, event);
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        }
        for (ways, readers) in self.live.iter().zip(readers) {
            let seen = readers.into_iter().map(|reader| reader.read_to(TWO)).collect();
            alike(ways, seen);
        }
        for ways in self.later {
            alike(ways, ways.iter().map(|way| way.read(&server, TWO)).collect());
        }
    }
}

/// Readers of all topics.
fn subscribers(server: &Running) -> u64 {
    let list: Value = serde_json::from_str(body(&server.get("/v1/topics"))).unwrap();
    list["topics"].as_array().unwrap().iter().map(|topic| topic["subscribers"].as_u64().unwrap()).sum()
}

/// Each way has the event once, and all have the same.
fn alike(ways: &[Way], seen: Vec<Vec<Value>>) {
    let mut shown = None;
    for (way, events) in ways.iter().zip(seen) {
        let mut found: Vec<_> = events.into_iter().filter(|event| event.to_string().contains(ONE)).collect();
        assert_eq!(found.len(), 1, "{way:?}: {found:?}");
        let found = found.remove(0);
        assert_eq!(shown.get_or_insert_with(|| found.clone()), &found, "{way:?}");
    }
}

#[test]
fn of_the_stream_protocol() {
    const EVENTS: [&str; 2] = [
        r#"{"message_id":"the-one","channel_id":"c","author_id":"u","content":"x","direction":"incoming"}"#,
        r#"{"message_id":"the-other","channel_id":"c","author_id":"u","content":"x","direction":"incoming"}"#,
    ];
    Everywhere {
        topic: "stream.message",
        events: EVENTS,
        live: &[
            &[
                Way(Socket(""), "/v1/stream/messages"),
                Way(Socket(r#"{"type":"subscribe","streams":["message"]}"#), "/v1/stream/all"),
            ],
            &[
                Way(Socket(""), "/v1/topics/stream.message"),
                Way(Socket(r#"{"type":"subscribe","topic":"stream.message"}"#), "/v1/topics"),
                Way(Sse, "/v1/topics/stream.message"),
                Way(Sse, "/v1/topics?topic=stream.message"),
                Way(Lines, "/v1/topics/stream.message"),
            ],
        ],
        later: &[
            &[
                Way(Socket(""), "/v1/stream/messages?last_sequence=0"),
                Way(Socket(""), "/v1/stream/messages?since=0"),
                Way(
                    Socket(r#"{"type":"subscribe","streams":["message"],"last_sequence":{"message":0}}"#),
                    "/v1/stream/all",
                ),
            ],
            &[
                Way(Socket(""), "/v1/topics/stream.message?from=oldest"),
                Way(Sse, "/v1/topics/stream.message?from=oldest"),
                Way(Lines, "/v1/topics/stream.message?from=oldest"),
                Way(Page, "/v1/topics/stream.message"),
            ],
        ],
    }
    .try_out();
}

#[test]
fn of_the_channels_protocol() {
    const SUBSCRIBE: &str = r#"{"type":"subscribe","channels":["sessions"]}"#;
    const SINCE: &str = r#"{"type":"subscribe","channels":["sessions"],"since":0}"#;
    Everywhere {
        topic: "channels.sessions",
        events: [
            r#"{"type":"session.started","data":{"session_id":"the-one","agent_id":"a"}}"#,
            r#"{"type":"session.started","data":{"session_id":"the-other","agent_id":"a"}}"#,
        ],
        live: &[
            &[
                Way(Socket(SUBSCRIBE), "/v1/ws"),
                Way(Socket(SUBSCRIBE), "/api/v1/ws"),
                Way(Sse, "/v1/events/subscribe?channels=sessions"),
                Way(Sse, "/api/v1/events/subscribe?channels=sessions&events=session.*&filter.agent_id=a"),
            ],
            &[
                Way(Socket(""), "/v1/topics/channels.sessions"),
                Way(Socket(r#"{"type":"subscribe","topic":"channels.sessions"}"#), "/v1/topics"),
                Way(Sse, "/v1/topics/channels.sessions"),
                Way(Sse, "/v1/topics?topic=channels.sessions"),
                Way(Lines, "/v1/topics/channels.sessions"),
            ],
        ],
        later: &[
            &[
                Way(Socket(SINCE), "/v1/ws"),
                Way(Sse, "/v1/events/subscribe?channels=sessions&since=0"),
                Way(Sse, "/v1/events/subscribe?since=0"),
                Way(Page, "/v1/events"),
                Way(Page, "/api/v1/events?channels=sessions&filter.session_id=the-one"),
                Way(Post(r#"{"since":0}"#), "/v1/events/replay"),
                Way(Post(r#"{"since":0,"events":["session.started"]}"#), "/api/v1/events/replay"),
            ],
            &[
                Way(Socket(""), "/v1/topics/channels.sessions?from=oldest"),
                Way(Sse, "/v1/topics/channels.sessions?from=oldest"),
                Way(Lines, "/v1/topics/channels.sessions?from=oldest"),
                Way(Page, "/v1/topics/channels.sessions"),
            ],
        ],
    }
    .try_out();
}

#[test]
fn of_the_events_protocol() {
    Everywhere {
        topic: "events.s1",
        events: [
            r#"{"event_id":"the-one","event_type":"start","timestamp":"2024-01-16T12:00:00Z"}"#,
            r#"{"event_id":"the-other","event_type":"start","timestamp":"2024-01-16T12:00:01Z"}"#,
        ],
        live: &[
            &[
                Way(Socket(""), "/ws/events/s1"),
                Way(Socket(""), "/ws/events/s1?batch_size=7&poll_interval=10"),
            ],
            &[Way(Socket(""), "/ws/events/s1?batch_size=1")],
            &[Way(Socket(""), "/ws/events")],
            &[
                Way(Socket(""), "/v1/topics/events.s1"),
                Way(Socket(r#"{"type":"subscribe","topic":"events.s1"}"#), "/v1/topics"),
                Way(Sse, "/v1/topics/events.s1"),
                Way(Sse, "/v1/topics?topic=events.s1"),
                Way(Lines, "/v1/topics/events.s1"),
            ],
            &[Way(Socket(""), "/v1/topics/events"), Way(Lines, "/v1/topics/events")],
        ],
        later: &[
            &[Way(Socket(""), "/ws/events?since=2024-01-01T00:00:00Z")],
            &[Way(Page, "/api/sessions/s1/events")],
            &[
                Way(Socket(""), "/v1/topics/events.s1?from=oldest"),
                Way(Sse, "/v1/topics/events.s1?from=oldest"),
                Way(Lines, "/v1/topics/events.s1?from=oldest"),
                Way(Page, "/v1/topics/events.s1"),
            ],
        ],
    }
    .try_out();
}

#[test]
fn of_the_analysis_protocol() {
    Everywhere {
        topic: "analysis.a1",
        events: [
            r#"{"type":"stage_changed","data":{"stage":"the-one"}}"#,
            r#"{"type":"stage_changed","data":{"stage":"the-other"}}"#,
        ],
        live: &[
            &[
                Way(Socket(""), "/api/v1/ws/analysis/a1"),
                Way(Socket(""), "/api/v1/ws/analysis/a1?last_sequence=0"),
            ],
            &[
                Way(Socket(""), "/v1/topics/analysis.a1"),
                Way(Socket(r#"{"type":"subscribe","topic":"analysis.a1"}"#), "/v1/topics"),
                Way(Sse, "/v1/topics/analysis.a1"),
                Way(Sse, "/v1/topics?topic=analysis.a1"),
                Way(Lines, "/v1/topics/analysis.a1"),
            ],
        ],
        later: &[
            &[Way(Socket(""), "/v1/topics/analysis.a1?from=oldest"), Way(Page, "/v1/topics/analysis.a1")],
            &[
                Way(Sse, "/v1/topics/analysis.a1?from=oldest"),
                Way(Lines, "/v1/topics/analysis.a1?from=oldest"),
            ],
        ],
    }
    .try_out();
}

#[test]
fn of_a_room_of_the_chat_protocol() {
    const JOIN: &str = r#"{"type":"join","session_id":"room:r"}"#;
    Everywhere {
        topic: "rooms.r",
        events: [
            r#"{"type":"a.b","data":{"note":"the-one"}}"#,
            r#"{"type":"a.b","data":{"note":"the-other"}}"#,
        ],
        live: &[
            &[Way(Socket(JOIN), "/ws/chat"), Way(Socket(JOIN), "/ws/chat?partial=0")],
            &[
                Way(Socket(""), "/v1/topics/rooms.r"),
                Way(Socket(r#"{"type":"subscribe","topic":"rooms.r"}"#), "/v1/topics"),
                Way(Sse, "/v1/topics/rooms.r"),
                Way(Lines, "/v1/topics/rooms.r"),
            ],
        ],
        later: &[&[
            Way(Socket(""), "/v1/topics/rooms.r?from=oldest"),
            Way(Sse, "/v1/topics/rooms.r?from=oldest"),
            Way(Lines, "/v1/topics/rooms.r?from=oldest"),
            Way(Page, "/v1/topics/rooms.r"),
        ]],
    }
    .try_out();
}
