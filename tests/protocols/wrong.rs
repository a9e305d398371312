//! Events that do not fit: each member of each data model, missing, of a wrong type, out of its values, given twice or too long,
//! in every way to publish. Each is refused by name, and none is kept.

use serde_json::{Map, Value, json};

use crate::support::{Client, Running, body};

/// Ways to publish to one topic.
struct Door {
    /// A native publisher of this topic, and one of any; gone before the server drains.
    sockets: [Client; 2],
    server: Running,
    topic: &'static str,
    /// The paths of its own protocol that take events as the native one does.
    paths: &'static [&'static str],
}

const JSON: &str = "content-type: application/json\r\n";
const LINES: &str = "content-type: application/x-ndjson\r\n";

impl Door {
    fn new(topic: &'static str, paths: &'static [&'static str]) -> Self {
        let server = Running::start("[limits]\nevent_bytes = 4096\n");
        let connect = |path: &str| Client::connect(&server.address, path, "");
        let sockets = [connect(&format!("/v1/publish?topic={topic}")), connect("/v1/topics")];
        Self { sockets, server, topic, paths }
    }

    fn post(&self, path: &str, kind: &str, text: &str) -> (u16, Value) {
        let response = self.server.request("POST", path, kind, text);
        (response[9..12].parse().unwrap(), serde_json::from_str(body(&response)).unwrap())
    }

    fn all_paths(&self) -> Vec<String> {
        let own = self.paths.iter().map(|path| path.to_string());
        own.chain([format!("/v1/topics/{}", self.topic)]).collect()
    }

    /// A single event by a request: 422, and the member that is wrong.
    fn refuses_at(&self, path: &str, event: &str, field: &str) {
        let (status, answer) = self.post(path, JSON, event);
        let error = &answer["error"];
        let wanted = (422, &json!("invalid_event"), &json!(field));
        assert_eq!((status, &error["code"], &error["field"]), wanted, "{path} {event}: {answer}");
        assert!(names(&error["message"], field), "{path} {event}: {answer}");
    }

    /// An event among others, by requests and over WebSockets: the member is named in what is said about its line.
    fn refuses_among_others(&mut self, event: &str, field: &str) {
        for path in self.all_paths() {
            let (_, answer) = self.post(&path, LINES, &event.replace('\n', " "));
            assert!(names(&answer["failed"][0]["error"], field), "{path} {event}: {answer}");
            assert_eq!(answer["published"], 0, "{answer}");
        }
        self.sockets[0].send(event);
        let answer: Value = serde_json::from_str(&self.sockets[0].text()).unwrap();
        assert!(names(&answer["failed"][0]["error"], field), "WebSocket {event}: {answer}");
    }

    fn refuses(&mut self, event: &str, field: &str) {
        self.all_paths().iter().for_each(|path| self.refuses_at(path, event, field));
        self.refuses_among_others(event, field);
    }

    /// The same for an event that is the data of an envelope.
    fn refuses_data(&mut self, event: &str, field: &str) {
        self.refuses(event, field);
        self.refuses(&format!("{{\"data\":{event},\"id\":\"7\"}}"), field);
        let routed = format!("{{\"topic\":\"{}\",\"data\":{event}}}", self.topic);
        let (_, answer) = self.post("/v1/publish", LINES, &routed);
        assert!(names(&answer["failed"][0]["error"], field), "{routed}: {answer}");
        self.sockets[1].send(&format!("{},\"type\":\"publish\"}}", &routed[..routed.len() - 1]));
        let answer: Value = serde_json::from_str(&self.sockets[1].text()).unwrap();
        assert!(answer["code"] == "invalid_event" && names(&answer["message"], field), "{routed}: {answer}");
    }

    fn accepts(&self, event: &str) {
        for path in self.all_paths() {
            let (status, answer) = self.post(&path, JSON, event);
            assert_eq!(status, 200, "{path} {event}: {answer}");
        }
    }

    fn published(&self) -> u64 {
        let page = self.server.get(&format!("/v1/topics/{}", self.topic));
        let page: Value = serde_json::from_str(body(&page)).unwrap();
        page["newest"].as_u64().unwrap()
    }
}

/// Whether a sentence begins with the name of a member.
fn names(message: &Value, field: &str) -> bool {
    let message = message.as_str().unwrap_or_default();
    let beginnings = [format!("{field}: "), format!("`{field}` ")];
    beginnings.iter().any(|beginning| message.starts_with(beginning))
        || (field == "tags" && message.contains("tag"))
}

/// What a member of the data models of `stream` is.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Text,
    Number,
    Whole,
    Object,
    Direction,
}

use Kind::{Direction, Number, Object, Text, Whole};

impl Kind {
    /// Values that it cannot have.
    fn wrong(self) -> &'static [&'static str] {
        match self {
            Text => &["7", "true", "[\"x\"]", "{}"],
            Number => &["\"7\"", "true", "[7]", "{}"],
            Whole => &["\"7\"", "true", "[7]", "{}", "0.5", "1e3"],
            Object => &["\"x\"", "7", "true", "[]"],
            Direction => &["7", "[]", "\"\"", "\"sideways\"", "\"INCOMING\"", "\"incoming \""],
        }
    }
}

/// A member: its name, what it is, a value that fits, and whether it must be there.
type Member = (&'static str, Kind, &'static str, bool);

const MESSAGE: &[Member] = &[
    ("message_id", Text, "\"m\"", true),
    ("channel_id", Text, "\"c\"", true),
    ("author_id", Text, "\"u\"", true),
    ("content", Text, "\"\"", true),
    ("direction", Direction, "\"outgoing\"", true),
];
const TELEMETRY: &[Member] = &[
    ("metric_name", Text, "\"cpu\"", true),
    ("value", Number, "-0.5e1", true),
    ("unit", Text, "\"%\"", false),
    ("tags", Object, "{\"host\":\"a\"}", false),
];
const REASONING: &[Member] = &[
    ("reasoning_id", Text, "\"r\"", true),
    ("step", Text, "\"s\"", true),
    ("thought", Text, "\"t\"", true),
    ("depth", Whole, "0", true),
    ("handler", Text, "\"h\"", false),
];
const LOG: &[Member] = &[
    ("level", Text, "\"INFO\"", true),
    ("logger_name", Text, "\"l\"", true),
    ("message", Text, "\"m\"", true),
    ("context", Object, "{}", false),
];

/// An event of these members, with `value` for that called `field`; without it when there is none.
fn event(model: &[Member], field: &str, value: Option<&str>) -> String {
    let member = |(name, _, fits, _): &Member| match value {
        _ if *name != field => Some(format!("\"{name}\":{fits}")),
        value => value.map(|value| format!("\"{name}\":{value}")),
    };
    format!("{{{}}}", model.iter().filter_map(member).collect::<Vec<_>>().join(","))
}

fn try_out(topic: &'static str, paths: &'static [&'static str], model: &[Member]) {
    let mut door = Door::new(topic, paths);
    for &(field, kind, fits, needed) in model {
        for value in kind.wrong() {
            door.refuses_data(&event(model, field, Some(value)), field);
        }
        let twice = format!("{fits},\"{field}\":{fits}");
        door.refuses_data(&event(model, field, Some(&twice)), field);
        if needed {
            door.refuses_data(&event(model, field, None), field);
            door.refuses_data(&event(model, field, Some("null")), field);
        }
        if kind == Text {
            too_long(&mut door, &event(model, field, Some(&format!("\"{}\"", "x".repeat(5000)))));
        }
    }
    for data in ["[]", "7", "\"x\"", "true"] {
        door.refuses_data(data, "data");
    }
    door.refuses("null", "data");
    assert_eq!(door.published(), 0, "nothing that was refused is kept");
    let optional = model.iter().filter(|member| !member.3);
    for (field, ..) in optional.chain(&model[..1]) {
        door.accepts(&event(model, field, Some(if *field == model[0].0 { "\"\"" } else { "null" })));
    }
    assert!(door.published() > 0);
}

/// The models bound no member by itself; an event as a whole has a limit, which is named.
fn too_long(door: &mut Door, event: &str) {
    for path in door.all_paths() {
        let (status, answer) = door.post(&path, JSON, event);
        assert_eq!((status, &answer["error"]["code"]), (413, &json!("too_large")), "{path}: {answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains("limits.event_bytes"), "{answer}");
        let (_, answer) = door.post(&path, LINES, event);
        assert!(answer["failed"][0]["error"].as_str().unwrap().contains("4096"), "{path}: {answer}");
    }
}

#[test]
fn messages() {
    try_out("stream.message", &["/v1/stream/messages"], MESSAGE);
}

#[test]
fn telemetry() {
    try_out("stream.telemetry", &["/v1/stream/telemetry"], TELEMETRY);
}

#[test]
fn reasoning() {
    try_out("stream.reasoning", &["/v1/stream/reasoning"], REASONING);
}

#[test]
fn logs() {
    try_out("stream.log", &["/v1/stream/logs"], LOG);
}

/// An event of a channel with these members besides or instead of those that it needs.
fn of_channel(members: Value) -> String {
    let mut event: Map<String, Value> = Map::new();
    event.insert("type".into(), json!("session.started"));
    event.insert("data".into(), json!({"session_id": "s"}));
    event.extend(members.as_object().unwrap().clone());
    Value::from(event).to_string()
}

/// What is wrong with an event of a channel, however it comes, and the member's name.
fn wrong_for_channels() -> Vec<(String, &'static str)> {
    let (long, tags) = ("x".repeat(129), vec!["t"; 17]);
    let mut wrong = vec![
        (r#"{"data":{}}"#.to_owned(), "type"),
        (r#"{"type":"session.started"}"#.to_owned(), "data"),
        (r#"{"type":"session.started","data":{},"data":{}}"#.to_owned(), "data"),
        (r#"{"type":"session.started","type":"session.ended","data":{}}"#.to_owned(), "type"),
        (of_channel(json!({"tags": "t"})), "tags"),
        (of_channel(json!({"tags": [7]})), "tags"),
        (of_channel(json!({"tags": tags})), "tags"),
        (of_channel(json!({"tags": ["x".repeat(65)]})), "tags"),
        (of_channel(json!({"type": format!("session.{long}")})), "type"),
    ];
    for value in [json!([]), json!(7), json!("x"), json!(true), json!(null)] {
        wrong.push((of_channel(json!({"data": value})), "data"));
    }
    for value in [json!(7), json!([]), json!({}), json!(true), json!("session"), json!("session.")] {
        wrong.push((of_channel(json!({"type": value})), "type"));
    }
    for value in ["session..a", "session.a b", "session.a\n", "session.é", "session.a\u{0}"] {
        wrong.push((of_channel(json!({"type": value})), "type"));
    }
    for field in ["id", "key", "idempotency_key"] {
        for value in [json!(7), json!({}), json!(long), json!("a\nb")] {
            wrong.push((of_channel(json!({ field: value })), field));
        }
    }
    wrong
}

#[test]
fn events_of_channels() {
    let own = &["/v1/channels/sessions/events", "/api/v1/channels/sessions/events"];
    let mut door = Door::new("channels.sessions", own);
    for (event, field) in wrong_for_channels() {
        door.refuses(&event, field);
        for path in ["/v1/events", "/api/v1/events"] {
            door.refuses_at(path, &event, field);
        }
    }
    too_long(&mut door, &of_channel(json!({"data": {"session_id": "x".repeat(5000)}})));
    for unknown in [json!({"session_id": "s"}), json!({"more": 1})] {
        door.refuses(&of_channel(unknown), "data");
    }
    assert_eq!(door.published(), 0, "nothing that was refused is kept");
    door.accepts(&of_channel(json!({"id": "x".repeat(128), "tags": [], "key": null})));
}

#[test]
fn events_that_say_their_channel() {
    let door = Door::new("channels.sessions", &["/v1/events"]);
    let wrong = [
        (of_channel(json!({"channel": "users"})), "channel"),
        (of_channel(json!({"channel": "Sessions"})), "channel"),
        (of_channel(json!({"channel": 7})), "channel"),
        (of_channel(json!({"channel": null})), "channel"),
        (of_channel(json!({"type": "user.joined"})), "channel"),
        (of_channel(json!({"session_id": "s"})), "session_id"),
        (r#"{"type":"a.b","data":{},"channel":"system","channel":"teams"}"#.to_owned(), "channel"),
        ("[]".to_owned(), "data"),
    ];
    for (event, field) in &wrong {
        door.refuses_at("/v1/events", event, field);
    }
    for name in ["sessions", "agents", "teams", "webhooks", "billing", "system"] {
        let (status, answer) =
            door.post("/v1/events", JSON, &of_channel(json!({"channel": name, "type": "any.thing"})));
        assert_eq!((status, &answer["topic"]), (200, &json!(format!("channels.{name}"))));
    }
    assert_eq!(door.published(), 1);
}

#[test]
fn topics_that_no_protocol_has() {
    let door = Door::new("stream.message", &[]);
    for topic in ["stream.messages", "stream.all", "stream.", "channels.users", "channels.session"] {
        let (status, answer) = door.post(&format!("/v1/topics/{topic}"), JSON, "{}");
        assert!(matches!(status, 400 | 422), "{topic}: {answer}");
        assert!(topic.ends_with('.') || answer["error"]["field"] == "topic", "{topic}: {answer}");
    }
}
