//! The events of a session as server-sent events: `event:` says what one is, `id:` is its position, and `data:` is what was
//! published with `position` added, so that a reader can go on behind any of them. Every event of the topic is shown; what is none
//! of a session's own vocabulary is a `step`.

use bytes::Bytes;

use crate::dialect::channels::flat::write_members;
use crate::dialect::sessions::joined;
use crate::dialect::sessions::name::id_of;
use crate::dialect::sessions::step::{DONE, ERROR, MESSAGE, STEP, TOOL_CALL, TOOL_RESULT, ends_turn};
use crate::dialect::text::{put, put_number, put_string};
use crate::dialect::{Transport, frame};
use crate::engine::{Body, Content, Encode, Entry, Now, Topic, ViewId};
use crate::json::members::members;
use crate::json::text::{write_on_one_line, write_u64};

/// Room for what surrounds an event's data.
const ENVELOPE_BYTES: usize = 96;

/// What the first event of a turn begins with.
const STARTING: &[u8] = b"{\"type\":\"step\",\"step\":\"starting\",";

/// The encoder of one transport.
#[derive(Debug)]
struct Steps {
    transport: Transport,
    /// Whether the stream is over when a turn is.
    until_done: bool,
    view: ViewId,
}

const fn steps(transport: Transport, until_done: bool, view: ViewId) -> Steps {
    Steps { transport, until_done, view }
}

static VIEWS: [Steps; 4] = [
    steps(Transport::SseChunked, false, 70),
    steps(Transport::Sse, false, 71),
    steps(Transport::SseChunked, true, 72),
    steps(Transport::Sse, true, 73),
];

/// The encoder for an SSE transport, of a stream that ends with a turn, or stays.
pub fn view(transport: Transport, until_done: bool) -> &'static dyn Encode {
    &VIEWS[usize::from(transport == Transport::Sse) + 2 * usize::from(until_done)]
}

impl Steps {
    /// Several pieces of an answer as one event, which says how many they are: its position is that of the last.
    fn joined(&self, run: &[&Entry]) -> Bytes {
        let [.., last] = run else { return Bytes::new() };
        let text = joined::content(run);
        frame::event(
            self.transport,
            text.len() + ENVELOPE_BYTES,
            |out| write_fields(last, out),
            |out| {
                put(out, "{\"type\":\"text\",\"content\":");
                write_on_one_line(out, &text);
                put_number(out, ",\"position\":", last.offset);
                put_number(out, ",\"joined\":", run.len() as u64);
                out.push(b'}');
            },
        )
    }
}

impl Encode for Steps {
    fn view(&self) -> ViewId {
        self.view
    }

    fn frame(&self, topic: &Topic, entry: &Entry) -> Bytes {
        let capacity = entry.body.len() + ENVELOPE_BYTES;
        let data = |out: &mut Vec<u8>| write_step(topic, entry, out);
        frame::event(self.transport, capacity, |out| write_fields(entry, out), data)
    }

    fn batch(&self, topic: &Topic, entries: &[&Entry], _now: Now) -> Option<Bytes> {
        if topic.namespace().linger_ms == 0 {
            return None;
        }
        let mut out = Vec::new();
        for run in joined::runs(topic, entries) {
            match run {
                [entry] => out.extend_from_slice(entry.frame(self, topic)),
                run => out.extend_from_slice(&self.joined(run)),
            }
        }
        Some(out.into())
    }

    fn urgent(&self, entry: &Entry) -> bool {
        entry.body.event() != MESSAGE
    }

    fn ends(&self, entry: &Entry) -> bool {
        self.until_done && ends_turn(entry.body.event())
    }
}

fn text(body: &Body) -> &str {
    str::from_utf8(body.data()).unwrap_or_default()
}

/// Whether an event is of a session's vocabulary, and no other publisher's.
fn is_known(body: &Body) -> bool {
    matches!(body.event(), MESSAGE | TOOL_CALL | TOOL_RESULT | STEP | ERROR | DONE)
        && members(text(body)).is_some()
}

fn write_fields(entry: &Entry, out: &mut Vec<u8>) {
    let event = if is_known(&entry.body) { entry.body.event() } else { STEP };
    out.extend_from_slice(b"id: ");
    write_u64(out, entry.offset);
    out.extend_from_slice(b"\nevent: ");
    out.extend_from_slice(event.as_bytes());
    out.push(b'\n');
}

/// Appends an event's data with its position, on one line. The first of a turn says which session it is of: whoever asked without
/// one learns it there.
pub fn write_step(topic: &Topic, entry: &Entry, out: &mut Vec<u8>) {
    let (start, body) = (out.len(), &entry.body);
    match body.event() {
        _ if !is_known(body) => write_foreign(body, out),
        MESSAGE => write_members(body.data(), &["position", "at"], true, out),
        _ => write_members(body.data(), &["position"], true, out),
    }
    if body.data().starts_with(STARTING) {
        put_string(out, ",\"session_id\":", &id_of(topic.name()));
    }
    put_number(out, ",\"position\":", entry.offset);
    // The first member needs no comma in front of it.
    out[start] = b'{';
    out.push(b'}');
}

/// Appends what is no event of a session's own. Clients tell data apart by its type, so that it has one.
fn write_foreign(body: &Body, out: &mut Vec<u8>) {
    let all = members(text(body)).filter(|_| body.content() == Content::Json);
    let is_typed = all.clone().is_some_and(|mut all| all.any(|member| member.name == "type"));
    if !is_typed {
        put_string(out, ",\"type\":\"step\",\"step\":", body.event());
    }
    match (all, body.content()) {
        (Some(_), _) if is_typed => write_members(body.data(), &["position"], true, out),
        (Some(_), _) => write_members(body.data(), &["position", "step"], true, out),
        (None, Content::Json) => {
            out.extend_from_slice(b",\"data\":");
            write_on_one_line(out, text(body));
        }
        (None, Content::Binary) => put_number(out, ",\"bytes\":", body.data().len() as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{Grants, Identity, Role};
    use crate::dialect::sessions::step::starting;
    use crate::engine::{Namespace, Now, Parts, Retention, Slow, SlowPolicy};
    use crate::wire::sse::{Item, Parser};
    use std::sync::Arc;

    fn topic() -> Topic {
        lingering(0)
    }

    fn lingering(linger_ms: u32) -> Topic {
        let retention = Retention { events: 8, bytes: 1 << 20, age_ms: 0 };
        let slow = Slow { policy: SlowPolicy::Disconnect, events: 8, bytes: 0, stall_ms: 0 };
        let space = Namespace {
            retention,
            slow,
            presence: false,
            idempotency_ms: 0,
            idle_ms: 0,
            linger_ms,
            rate: None,
        };
        Topic::new("sessions.ann.s".into(), 5, Arc::new(space), Now::default())
    }

    fn shown(transport: Transport, parts: &Parts<'_>) -> String {
        let frame = view(transport, false).frame(&topic(), &Entry::new(7, 0, 0, 0, Body::new(parts)));
        String::from_utf8(frame.to_vec()).unwrap()
    }

    #[test]
    fn pieces_that_waited_go_as_one_and_nothing_else_does() {
        use crate::dialect::sessions::Step;
        let entry = |offset, body| Entry::new(offset, 0, 0, 0, body);
        let text = |text: &str, at| Step::Text(text.into()).body(at);
        let call = Step::ToolCall { tool: "t".into(), args: "{}".into() }.body(0);
        let all = [entry(7, text("a\"", 0)), entry(8, text("b", 3)), entry(9, call), entry(10, text("c", 4))];
        let entries: Vec<_> = all.iter().collect();
        let batch =
            |linger_ms| view(Transport::Sse, false).batch(&lingering(linger_ms), &entries, Now::default());
        assert_eq!(batch(0), None);
        let frames = String::from_utf8(batch(20).unwrap().to_vec()).unwrap();
        let wanted = [
            "id: 8\nevent: message\ndata: {\"type\":\"text\",\"content\":\"a\\\"b\",\"position\":8,\"joined\":2}\n\n",
            "id: 9\nevent: tool_call\ndata: {\"type\":\"tool_call\",\"tool\":\"t\",\"args\":{},\"position\":9}\n\n",
            "id: 10\nevent: message\ndata: {\"type\":\"text\",\"content\":\"c\",\"position\":10}\n\n",
        ];
        assert_eq!(frames, wanted.concat());
        let view = view(Transport::Sse, true);
        assert!(view.urgent(&all[2]) && !view.urgent(&all[0]));
    }

    fn framed(transport: Transport, event: &str, data: &str) -> String {
        shown(transport, &Parts { event, data: data.as_bytes(), ..Parts::default() })
    }

    #[test]
    fn steps_as_the_document_has_them() {
        let cases = [
            (
                "message",
                r#"{"type": "text", "content": "Once", "at":0}"#,
                r#"{"type": "text","content": "Once","position":7}"#,
            ),
            (
                "tool_call",
                r#"{"type":"tool_call","tool":"t","args":{}}"#,
                r#"{"type":"tool_call","tool":"t","args":{},"position":7}"#,
            ),
            ("tool_result", r#"{"position":3}"#, r#"{"position":7}"#),
            ("step", "{}", r#"{"position":7}"#),
            ("error", "{\n\"a\":\n1}", r#"{"a": 1,"position":7}"#),
            ("done", r#"{"output":"...","at":1}"#, r#"{"output":"...","at":1,"position":7}"#),
        ];
        for (event, data, wanted) in cases {
            assert_eq!(
                framed(Transport::Sse, event, data),
                format!("id: 7\nevent: {event}\ndata: {wanted}\n\n")
            );
        }
    }

    #[test]
    fn the_first_event_of_a_turn_says_of_which_session() {
        let ann = Identity::new("ann", Role::Observer, Grants::default());
        let body = starting(3, "why?", &[], &ann);
        let mut out = Vec::new();
        write_step(&topic(), &Entry::new(7, 0, 0, 0, body), &mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with(r#"{"type":"step","step":"starting","#), "{text}");
        assert!(text.ends_with(r#","session_id":"s","position":7}"#), "{text}");
    }

    #[test]
    fn what_is_no_step_is_shown_as_one() {
        let cases = [
            ("post", r#"{"type":"said","text":"a"}"#, r#"{"type":"said","text":"a","position":7}"#),
            ("other", r#"{"a":1,"step":2}"#, r#"{"type":"step","step":"other","a":1,"position":7}"#),
            ("other", "[1,\n2]", r#"{"type":"step","step":"other","data":[1, 2],"position":7}"#),
            ("message", "\"hello\"", r#"{"type":"step","step":"message","data":"hello","position":7}"#),
        ];
        for (event, data, wanted) in cases {
            assert_eq!(
                framed(Transport::Sse, event, data),
                format!("id: 7\nevent: step\ndata: {wanted}\n\n")
            );
        }
        let binary = Parts { event: "b", content: Content::Binary, data: b"{\"a\":1}", ..Parts::default() };
        assert_eq!(
            shown(Transport::Sse, &binary),
            "id: 7\nevent: step\ndata: {\"type\":\"step\",\"step\":\"b\",\"bytes\":7,\"position\":7}\n\n"
        );
    }

    #[test]
    fn a_chunk_holds_one_event_that_nobody_splits() {
        let frame = framed(Transport::SseChunked, "message", "{\"content\":\"a\u{2028}b\u{85}\\r\\n\"}");
        let (size, rest) = frame.split_once("\r\n").unwrap();
        assert_eq!(usize::from_str_radix(size, 16).unwrap(), rest.len() - 2);
        assert!(!rest.contains(['\u{85}', '\u{2028}', '\u{2029}']));
        let (mut parser, mut input) = (Parser::new(1 << 10), rest.as_bytes());
        let Ok(Some(Item::Message(message))) = parser.next(&mut input) else { panic!("{rest}") };
        let data: serde_json::Value = serde_json::from_str(message.data).unwrap();
        assert_eq!(data["content"], "a\u{2028}b\u{85}\r\n");
    }

    #[test]
    fn views_are_its_own() {
        let all = [
            (Transport::SseChunked, false),
            (Transport::Sse, false),
            (Transport::SseChunked, true),
            (Transport::Sse, true),
        ];
        assert_eq!(all.map(|(transport, until)| view(transport, until).view()), [70, 71, 72, 73]);
    }
}
