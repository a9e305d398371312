//! Events of a session in the words of this protocol: the document's members first and in its order, then what else is known,
//! and the session and the number of the event last.

use bytes::Bytes;

use crate::dialect::sessions::{joined, name, step, text};
use crate::dialect::text::{put, put_number, put_string};
use crate::dialect::{Transport, frame};
use crate::engine::{Content, Encode, Entry, Now, Topic, ViewId};
use crate::json::members::{Member, members};

/// Room for what surrounds an event's data.
const ENVELOPE_BYTES: usize = 192;

/// The encoder of one transport.
#[derive(Debug)]
struct Words {
    transport: Transport,
    /// Whether tokens come with all that was said before.
    partial: bool,
    view: ViewId,
}

const fn words(transport: Transport, partial: bool, view: ViewId) -> Words {
    Words { transport, partial, view }
}

static VIEWS: [Words; 4] = [
    words(Transport::WebSocket, true, 60),
    words(Transport::Deflate, true, 61),
    words(Transport::WebSocket, false, 62),
    words(Transport::Deflate, false, 63),
];

/// The encoder for a transport.
pub fn view(transport: Transport, partial: bool) -> &'static dyn Encode {
    let wanted = |words: &&Words| words.transport == transport && words.partial == partial;
    VIEWS.iter().find(wanted).unwrap_or(&VIEWS[0])
}

impl Words {
    /// The frame of an event, or of several pieces of an answer as one.
    fn frame_of(&self, topic: &Topic, run: &[&Entry]) -> Bytes {
        let [.., last] = run else { return Bytes::new() };
        let before = if self.partial { Before::of(topic, last) } else { Before::Unwanted };
        let size: usize = run.iter().map(|entry| entry.body.len()).sum();
        let (id, capacity) = (name::id_of(topic.name()), size + ENVELOPE_BYTES + before.len());
        frame::event(
            self.transport,
            capacity,
            |_| {},
            |out| match run.len() {
                1 => Event::of(last).write_with(&id, &before, out),
                _ => write_joined(&id, run, last.offset, &before, out),
            },
        )
    }
}

impl Encode for Words {
    fn view(&self) -> ViewId {
        self.view
    }

    fn frame(&self, topic: &Topic, entry: &Entry) -> Bytes {
        self.frame_of(topic, &[entry])
    }

    /// Frames that hold all that was said before are made here and not kept, so that an answer of n bytes does not leave n² bytes
    /// in the log.
    fn batch(&self, topic: &Topic, entries: &[&Entry], _now: Now) -> Option<Bytes> {
        let is_special = |run: &&[&Entry]| run.len() > 1 || (self.partial && joined::is_piece(run[0]));
        joined::runs(topic, entries).find(is_special)?;
        if let [entry] = entries {
            return Some(self.frame_of(topic, &[entry]));
        }
        let mut out = Vec::new();
        for run in joined::runs(topic, entries) {
            match is_special(&run) {
                true => out.extend_from_slice(&self.frame_of(topic, run)),
                false => out.extend_from_slice(run[0].frame(self, topic)),
            }
        }
        Some(out.into())
    }

    fn urgent(&self, entry: &Entry) -> bool {
        entry.body.event() != step::MESSAGE
    }
}

/// All that was said up to a piece of an answer.
#[derive(Debug)]
enum Before {
    /// This, as it stands between the quotes of a JSON string.
    Text(String),
    /// The beginning is no longer kept.
    Gone,
    /// Nobody wants to know.
    Unwanted,
}

impl Before {
    fn of(topic: &Topic, entry: &Entry) -> Self {
        if entry.body.event() != step::MESSAGE {
            return Self::Unwanted;
        }
        text::so_far(topic, entry.offset).map_or(Self::Gone, Self::Text)
    }

    fn len(&self) -> usize {
        if let Self::Text(text) = self { text.len() } else { 0 }
    }
}

/// The value of a member, as it stands.
fn find<'a>(all: &[Member<'a>], name: &str) -> Option<&'a str> {
    all.iter().find(|member| member.name == name).map(|member| member.value)
}

/// An event of a session, as this protocol shows it.
#[derive(Clone, Copy, Debug)]
pub struct Event<'e> {
    /// Its type, in the session's own vocabulary.
    pub name: &'e str,
    /// Its data, JSON; `None` where it has other data.
    pub data: Option<&'e str>,
    /// Its position.
    pub sequence: u64,
}

impl<'e> Event<'e> {
    /// What a log holds.
    pub fn of(entry: &'e Entry) -> Self {
        let json = (entry.body.content() == Content::Json).then(|| str::from_utf8(entry.body.data()).ok());
        Self { name: entry.body.event(), data: json.flatten(), sequence: entry.offset }
    }

    fn members(&self) -> Vec<Member<'e>> {
        self.data.and_then(members).into_iter().flatten().collect()
    }

    /// A member of its data, as it stands.
    pub fn find(&self, name: &str) -> Option<&'e str> {
        find(&self.members(), name)
    }

    /// Appends it, as an event of the session `id`.
    pub fn write(&self, id: &str, out: &mut Vec<u8>) {
        self.write_with(id, &Before::Unwanted, out);
    }

    fn write_with(&self, id: &str, before: &Before, out: &mut Vec<u8>) {
        let start = out.len();
        if write_known(id, self.name, &self.members(), before, out).is_none() {
            out.truncate(start);
            self.write_foreign(out);
        }
        // An answer says early whose it is.
        if !out[start..].starts_with(COMPLETE) {
            put_string(out, ",\"session_id\":", id);
        }
        put_number(out, ",\"sequence\":", self.sequence);
        out.push(b'}');
    }

    /// Appends what somebody else has published to the topic.
    fn write_foreign(&self, out: &mut Vec<u8>) {
        put_string(out, "{\"type\":\"event\",\"event\":", self.name);
        put(out, ",\"data\":");
        put(out, self.data.unwrap_or("null"));
    }
}

/// Appends the members of an event of the session's vocabulary; `None` when it is none.
fn write_known(id: &str, event: &str, all: &[Member<'_>], before: &Before, out: &mut Vec<u8>) -> Option<()> {
    match event {
        step::MESSAGE => write_token(all, before, out),
        step::STEP => {
            put_values(
                all,
                "{\"type\":\"progress\"",
                &[("step", ",\"step\":"), ("message", ",\"message\":")],
                out,
            )?;
            put_rest(all, &["type", "step", "message"], out);
            Some(())
        }
        step::ERROR => write_error(all, out),
        step::DONE => write_done(id, all, out),
        step::TOOL_CALL | step::TOOL_RESULT => {
            put_values(all, "{", &[("type", "\"type\":")], out)?;
            put_rest(all, &["type"], out);
            Some(())
        }
        step::POST => write_post(all, out),
        _ => None,
    }
}

/// Appends `head`, and then values behind the names that they have here. All of them must be there.
fn put_values(all: &[Member<'_>], head: &str, wanted: &[(&str, &str)], out: &mut Vec<u8>) -> Option<()> {
    put(out, head);
    for (name, shown) in wanted {
        put(out, shown);
        put(out, find(all, name)?);
    }
    Some(())
}

/// Appends the members that were not shown yet, but for those that every event ends with.
fn put_rest(all: &[Member<'_>], shown: &[&str], out: &mut Vec<u8>) {
    let ours = ["session_id", "sequence"];
    for member in
        all.iter().filter(|member| !shown.contains(&&*member.name) && !ours.contains(&&*member.name))
    {
        out.push(b',');
        put(out, member.text);
    }
}

fn write_token(all: &[Member<'_>], before: &Before, out: &mut Vec<u8>) -> Option<()> {
    put_values(all, "{\"type\":\"token\"", &[("content", ",\"token\":")], out)?;
    put_before(before, out);
    Some(())
}

/// Appends several pieces of an answer as one, with how many they are.
fn write_joined(id: &str, run: &[&Entry], sequence: u64, before: &Before, out: &mut Vec<u8>) {
    put(out, "{\"type\":\"token\",\"token\":");
    put(out, &joined::content(run));
    put_before(before, out);
    put_number(out, ",\"joined\":", run.len() as u64);
    put_string(out, ",\"session_id\":", id);
    put_number(out, ",\"sequence\":", sequence);
    out.push(b'}');
}

fn put_before(before: &Before, out: &mut Vec<u8>) {
    match before {
        Before::Text(text) => {
            put(out, ",\"partial_response\":\"");
            put(out, text);
            out.push(b'"');
        }
        Before::Gone => put(out, ",\"partial_response\":null"),
        Before::Unwanted => {}
    }
}

/// The document has one code for all that can go wrong with a question; which it was is the reason.
fn write_error(all: &[Member<'_>], out: &mut Vec<u8>) -> Option<()> {
    put_values(all, "{\"type\":\"error\"", &[("message", ",\"error\":")], out)?;
    put_string(out, ",\"code\":", super::refused::PROCESSING);
    put_values(all, "", &[("code", ",\"reason\":")], out)?;
    put_rest(all, &["type", "code", "message"], out);
    Some(())
}

/// How a complete answer begins.
const COMPLETE: &[u8] = b"{\"type\":\"complete\"";

fn write_done(id: &str, all: &[Member<'_>], out: &mut Vec<u8>) -> Option<()> {
    let is_answer = find(all, "status")? == "\"success\"";
    put(out, if is_answer { "{\"type\":\"complete\"" } else { "{\"type\":\"cancelled\"" });
    put_values(all, "", &[("output", ",\"response\":")], out)?;
    if is_answer {
        put_string(out, ",\"session_id\":", id);
    }
    put_values(all, "", &[("metadata", ",\"metadata\":")], out)?;
    put_rest(all, &["type", "output", "status", "metadata"], out);
    Some(())
}

fn write_post(all: &[Member<'_>], out: &mut Vec<u8>) -> Option<()> {
    put_values(all, "{", &[("type", "\"type\":")], out)?;
    if let Some(text) = find(all, "text") {
        put(out, ",\"message\":");
        put(out, text);
    }
    put_rest(all, &["type", "text"], out);
    Some(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::dialect::sessions::Step;
    use crate::engine::{Body, Namespace, Parts, Retention, Slow, SlowPolicy};

    fn topic(bodies: &[Body]) -> Topic {
        lingering(0, bodies)
    }

    fn lingering(linger_ms: u32, bodies: &[Body]) -> Topic {
        let retention = Retention { events: 16, bytes: 1 << 20, age_ms: 0 };
        let slow = Slow { policy: SlowPolicy::Disconnect, events: 8, bytes: 0, stall_ms: 0 };
        let space = Namespace {
            retention,
            slow,
            presence: false,
            idempotency_ms: 0,
            idle_ms: 0,
            rate: None,
            linger_ms,
        };
        let topic = Topic::new("sessions.ann.s1".into(), 5, Arc::new(space), Now::default());
        topic.publish_with(|| bodies.to_vec(), Now::default(), |_| {}).unwrap();
        topic
    }

    fn shown(topic: &Topic, offset: u64) -> String {
        let pin = crossbeam_epoch::pin();
        let mut out = Vec::new();
        Event::of(topic.find(offset, &pin).unwrap()).write("s1", &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn only_frames_that_repeat_the_answer_are_not_kept() {
        let topic = topic(&[Step::Text("a".into()).body(0), Step::Progress("x".into(), "y".into()).body(0)]);
        let pin = crossbeam_epoch::pin();
        let batch = |partial, offset| {
            let entry = topic.find(offset, &pin).unwrap();
            view(Transport::WebSocket, partial).batch(&topic, &[entry], Now::default()).is_some()
        };
        assert!(batch(true, 1) && !batch(true, 2) && !batch(false, 1));
    }

    #[test]
    fn pieces_that_waited_go_as_one_and_nothing_else_does() {
        let tool = Step::ToolCall { tool: "t".into(), args: "{}".into() };
        let texts = ["a\n", "b", "c", "d"].map(|text| Step::Text(text.into()));
        let bodies = [texts[0].body(0), texts[1].body(3), tool.body(0), texts[2].body(4), texts[3].body(0)];
        let frames = |linger_ms, partial| {
            let (topic, pin) = (lingering(linger_ms, &bodies), crossbeam_epoch::pin());
            let entries: Vec<_> = (1..=5).map(|offset| topic.find(offset, &pin).unwrap()).collect();
            let view = view(Transport::WebSocket, partial);
            let batch = view.batch(&topic, &entries, Now::default())?;
            let text = String::from_utf8_lossy(&batch).into_owned();
            Some(text.split("\"session_id\"").count() - 1).zip(Some(text))
        };
        let (count, text) = frames(10, true).unwrap();
        let joined = r#"{"type":"token","token":"a\nb","partial_response":"a\nb","joined":2,"session_id":"s1","sequence":2}"#;
        assert!(count == 4 && text.contains(joined), "{text}");
        let (count, text) = frames(10, false).unwrap();
        let joined = r#"{"type":"token","token":"a\nb","joined":2,"session_id":"s1","sequence":2}"#;
        assert!(count == 4 && text.contains(joined), "{text}");
        assert_eq!(frames(0, true).map(|(count, _)| count), Some(5));
        assert_eq!(frames(0, false), None);
        let view = view(Transport::WebSocket, true);
        let urgent = |body: &Body| view.urgent(&Entry::new(1, 0, 0, 0, body.clone()));
        assert!(urgent(&bodies[2]) && !urgent(&bodies[0]));
    }

    #[test]
    fn what_is_no_event_of_a_session_is_shown_as_it_is() {
        let body = |event: &str, data: &str, content| {
            Body::new(&Parts { event, data: data.as_bytes(), content, ..Parts::default() })
        };
        let cases = [
            (body("message", "[1]", Content::Json), r#"{"type":"event","event":"message","data":[1]"#),
            (
                body("done", "{\"status\":\"success\"}", Content::Json),
                r#"{"type":"event","event":"done","data":{"status":"success"}"#,
            ),
            (body("x", "{}", Content::Binary), r#"{"type":"event","event":"x","data":null"#),
        ];
        for (body, wanted) in cases {
            assert_eq!(shown(&topic(&[body]), 1), format!("{wanted},\"session_id\":\"s1\",\"sequence\":1}}"));
        }
    }

    #[test]
    fn every_view_has_a_number_of_its_own() {
        let numbers: Vec<_> = VIEWS.iter().map(Encode::view).collect();
        assert_eq!(numbers, (60..64).collect::<Vec<_>>());
    }
}
