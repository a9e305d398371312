//! The steps of a session as server-sent events: `event:` says what a step is, `id:` is its position, and `data:` is what was
//! published with `position` added, so that a reader can go on behind any of them.
//!
//! A step is an event of the session's topic whose type is one of [`Step`]'s names and whose data is an object.

use bytes::Bytes;

use super::super::{Transport, frame};
use super::flat::write_members;
use crate::engine::{Encode, Entry, Topic, ViewId};
use crate::json::text::write_u64;

/// Room for what surrounds a step's data.
const ENVELOPE_BYTES: usize = 96;

/// What a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A piece of text.
    Message,
    /// A tool is called.
    ToolCall,
    /// What a tool has returned.
    ToolResult,
    /// The session goes on to something else.
    Step,
    /// Something went wrong.
    Error,
    /// Nothing follows.
    Done,
}

impl Step {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Message, Self::ToolCall, Self::ToolResult, Self::Step, Self::Error, Self::Done];

    /// Its name, as events have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::ToolCall => "tool_call",
            Self::ToolResult => "tool_result",
            Self::Step => "step",
            Self::Error => "error",
            Self::Done => "done",
        }
    }

    /// The step that events call `name`.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }
}

/// The encoder of one transport.
#[derive(Debug)]
struct Steps {
    transport: Transport,
    view: ViewId,
}

static VIEWS: [Steps; 2] =
    [Steps { transport: Transport::SseChunked, view: 46 }, Steps { transport: Transport::Sse, view: 47 }];

/// The encoder of steps for an SSE transport.
pub fn view(transport: Transport) -> &'static dyn Encode {
    &VIEWS[usize::from(transport == Transport::Sse)]
}

impl Encode for Steps {
    fn view(&self) -> ViewId {
        self.view
    }

    fn frame(&self, _topic: &Topic, entry: &Entry) -> Bytes {
        let capacity = entry.body.len() + ENVELOPE_BYTES;
        frame::event(self.transport, capacity, |out| write_fields(entry, out), |out| write_step(entry, out))
    }
}

fn write_fields(entry: &Entry, out: &mut Vec<u8>) {
    out.extend_from_slice(b"id: ");
    write_u64(out, entry.offset);
    let step = Step::of_name(entry.body.event()).unwrap_or(Step::Message);
    out.extend_from_slice(b"\nevent: ");
    out.extend_from_slice(step.name().as_bytes());
    out.push(b'\n');
}

/// Appends a step's data with its position, on one line.
pub fn write_step(entry: &Entry, out: &mut Vec<u8>) {
    let start = out.len();
    write_members(entry.body.data(), &["position"], true, out);
    out.extend_from_slice(b",\"position\":");
    write_u64(out, entry.offset);
    // The first member needs no comma in front of it.
    out[start] = b'{';
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Body, Namespace, Now, Parts, Retention, Slow, SlowPolicy};
    use crate::wire::sse::{Item, Parser};
    use std::sync::Arc;

    fn topic() -> Topic {
        let retention = Retention { events: 8, bytes: 1 << 20, age_ms: 0 };
        let slow = Slow { policy: SlowPolicy::Disconnect, events: 8, bytes: 0, stall_ms: 0 };
        let space = Namespace {
            retention,
            slow,
            presence: false,
            idempotency_ms: 0,
            idle_ms: 0,
            linger_ms: 0,
            rate: None,
        };
        Topic::new("sessions.s".into(), 5, Arc::new(space), Now::default())
    }

    fn framed(transport: Transport, event: &str, data: &str) -> String {
        let body = Body::new(&Parts { event, data: data.as_bytes(), ..Parts::default() });
        let frame = view(transport).frame(&topic(), &Entry::new(7, 0, 0, 0, body));
        String::from_utf8(frame.to_vec()).unwrap()
    }

    #[test]
    fn steps_as_the_document_has_them() {
        let cases = [
            (
                "message",
                r#"{"type": "text", "content": "Once"}"#,
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
            ("done", r#"{"output":"..."}"#, r#"{"output":"...","position":7}"#),
        ];
        for (event, data, wanted) in cases {
            assert_eq!(
                framed(Transport::Sse, event, data),
                format!("id: 7\nevent: {event}\ndata: {wanted}\n\n")
            );
            assert_eq!(Step::of_name(event).map(Step::name), Some(event));
        }
        assert_eq!(
            framed(Transport::Sse, "other", "[]"),
            "id: 7\nevent: message\ndata: {\"position\":7}\n\n"
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
        assert_eq!((view(Transport::SseChunked).view(), view(Transport::Sse).view()), (46, 47));
    }
}
