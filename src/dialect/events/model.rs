//! What an event is: 14 fields, in one order, whatever the order and the spelling in which they came. Published data is written so
//! once, when it is admitted; whoever sends it joins bytes.
//!
//! The form is `{"event_id":…,…,"feature_id":…[,"updated":true][,"context":…][,others]}`, without blanks up to the context. No value of
//! the 14 is an array or an object, so `,"name":` can stand in front of a member only: within a string the quote would be escaped.

use std::borrow::Cow;
use std::fmt;

use memchr::memmem;
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::engine::{Body, Content, Misfit, Now, Parts};
use crate::json::members::is_number;
use crate::json::moment;
use crate::json::text::write_string;
use crate::json::time;
use crate::limits::ATTRIBUTE_BYTES_MAX;

/// The members that are known, in the order of the document; the last two are ours and optional.
const FIELDS: [&str; 16] = [
    "event_id",
    "agent_id",
    "event_type",
    "timestamp",
    "tool_name",
    "input_summary",
    "output_summary",
    "session_id",
    "status",
    "model",
    "parent_event_id",
    "execution_duration_seconds",
    "cost_tokens",
    "feature_id",
    "updated",
    "context",
];

/// What tells messages apart: an event that is sent as one cannot have another.
const MESSAGE_TYPE: &str = "type";
/// What is in front of the timestamp, whose value is a string of this length.
const TIMESTAMP: &[u8] = b",\"timestamp\":\"";
const TIMESTAMP_BYTES: usize = "2026-11-20T09:30:00.123Z".len();
const LAST_FIELD: &[u8] = b",\"feature_id\":";
const UPDATED: &[u8] = b",\"updated\":true";
const CONTEXT: &[u8] = b",\"context\":";

/// A member's name, copied only where it contains escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// An event as it was published.
struct Members<'a> {
    known: [Option<&'a RawValue>; FIELDS.len()],
    others: Vec<(Cow<'a, str>, &'a RawValue)>,
    twice: Option<&'static str>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an event: an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Members { known: Default::default(), others: Vec::new(), twice: None };
                while let Some(Text(name)) = map.next_key()? {
                    members.add(name, map.next_value()?);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

fn misfit(field: &str, problem: impl Into<String>) -> Misfit {
    Misfit { field: field.into(), problem: problem.into() }
}

impl<'a> Members<'a> {
    fn add(&mut self, name: Cow<'a, str>, value: &'a RawValue) {
        match FIELDS.iter().position(|field| *field == name) {
            Some(field) if self.known[field].replace(value).is_some() => self.twice = Some(FIELDS[field]),
            Some(_) => {}
            None => self.others.push((name, value)),
        }
    }

    /// The value of a known member; `null` is as good as none.
    fn raw(&self, name: &str) -> Option<&'a str> {
        let field = FIELDS.iter().position(|field| *field == name)?;
        self.known[field].map(RawValue::get).filter(|raw| *raw != "null")
    }

    fn text(&self, name: &str) -> Result<Option<Cow<'a, str>>, Misfit> {
        let read = |raw| serde_json::from_str::<Text<'_>>(raw).map(|Text(text)| text);
        self.raw(name).map(read).transpose().map_err(|_| misfit(name, "must be a string"))
    }

    /// A text that becomes an attribute of the event as well.
    fn attribute(&self, name: &str) -> Result<Option<Cow<'a, str>>, Misfit> {
        match self.text(name)? {
            Some(text) if text.len() > ATTRIBUTE_BYTES_MAX => {
                let problem = format!("has at most {ATTRIBUTE_BYTES_MAX} bytes, this one has {}", text.len());
                Err(misfit(name, problem))
            }
            text => Ok(text.filter(|text| !text.is_empty())),
        }
    }

    fn timestamp(&self, now: Now) -> Result<u64, Misfit> {
        let wrong = |_| misfit("timestamp", "must be an RFC 3339 time or Unix seconds");
        match (self.raw("timestamp"), self.text("timestamp")) {
            (None, _) => Ok(now.unix_ms),
            (_, Ok(Some(text))) => moment::parse(&text).map_err(wrong),
            (Some(raw), _) => moment::parse(raw).map_err(wrong),
        }
    }

    /// A number as it was written.
    fn number(&self, name: &str, default: &'static str) -> Result<&'a str, Misfit> {
        match self.raw(name) {
            None => Ok(default),
            Some(raw) if is_number(raw) => Ok(raw),
            Some(_) => Err(misfit(name, "must be a number")),
        }
    }

    fn whole_number(&self, name: &str) -> Result<&'a str, Misfit> {
        let raw = self.number(name, "0")?;
        raw.parse::<i64>().map(|_| raw).map_err(|_| misfit(name, "must be a whole number"))
    }

    fn is_updated(&self) -> Result<bool, Misfit> {
        match self.raw("updated") {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(misfit("updated", "must be true or false")),
        }
    }
}

/// Checks an event of `session`, and writes it in the one form. `fresh_id` makes an id for one that has none.
///
/// # Errors
/// The first member that is wrong.
pub fn admit(session: &str, body: &Body, fresh_id: impl Fn() -> String, now: Now) -> Result<Body, Misfit> {
    if body.content() != Content::Json {
        return Err(misfit("data", "must be a JSON object; send it as application/json"));
    }
    let members: Members<'_> = serde_json::from_slice(body.data())
        .map_err(|error| misfit("data", format!("must be an object with the fields of an event: {error}")))?;
    if let Some(name) = members.twice {
        return Err(misfit(name, "is given twice"));
    }
    if members.others.iter().any(|(name, _)| name == MESSAGE_TYPE) {
        return Err(misfit(MESSAGE_TYPE, "is what messages have; the type of an event is its `event_type`"));
    }
    let named = |text: &'_ str| (!text.is_empty()).then(|| Cow::Owned(text.to_owned()));
    let event_type = members.attribute("event_type")?.or_else(|| named(own_type(body)));
    let event_type =
        event_type.ok_or_else(|| misfit("event_type", "is required: a string that is not empty"))?;
    let event_id = members.attribute("event_id")?.or_else(|| named(body.id()));
    let event_id = event_id.unwrap_or_else(|| Cow::Owned(fresh_id()));
    let mut data = Vec::with_capacity(body.data().len() + 256);
    write(&members, session, [&event_id, &event_type], now, &mut data)?;
    let tags: Vec<_> = body.tags().map(Cow::Borrowed).collect();
    Ok(Body::new(&Parts { event: &event_type, id: &event_id, tags: &tags, data: &data, ..body.parts() }))
}

/// The type that an envelope names; `message` is what an event without one is called.
fn own_type(body: &Body) -> &str {
    if body.event() == crate::json::batch::DEFAULT_EVENT { "" } else { body.event() }
}

fn write(
    members: &Members<'_>,
    session: &str,
    [event_id, event_type]: [&str; 2],
    now: Now,
    out: &mut Vec<u8>,
) -> Result<(), Misfit> {
    match members.text("session_id")? {
        Some(other) if other != session => {
            return Err(misfit("session_id", format!("must be {session:?}, the session it is published to")));
        }
        _ => {}
    }
    member(out, "event_id", event_id);
    member(out, "agent_id", &members.text("agent_id")?.unwrap_or(Cow::Borrowed("unknown")));
    member(out, "event_type", event_type);
    out.extend_from_slice(TIMESTAMP);
    time::write(out, members.timestamp(now)?);
    out.push(b'"');
    optional(out, members, &["tool_name", "input_summary", "output_summary"])?;
    member(out, "session_id", session);
    optional(out, members, &["status", "model", "parent_event_id"])?;
    raw(out, "execution_duration_seconds", members.number("execution_duration_seconds", "0.0")?);
    raw(out, "cost_tokens", members.whole_number("cost_tokens")?);
    optional(out, members, &["feature_id"])?;
    out.extend_from_slice(if members.is_updated()? { UPDATED } else { b"" });
    if let Some(context) = members.raw("context") {
        raw(out, "context", context);
    }
    members.others.iter().for_each(|(name, value)| raw(out, name, value.get()));
    out[0] = b'{';
    out.push(b'}');
    Ok(())
}

/// Every member begins with a comma; that of the first becomes the brace.
fn name(out: &mut Vec<u8>, name: &str) {
    out.push(b',');
    write_string(out, name);
    out.push(b':');
}

fn member(out: &mut Vec<u8>, field: &str, text: &str) {
    name(out, field);
    write_string(out, text);
}

fn raw(out: &mut Vec<u8>, field: &str, json: &str) {
    name(out, field);
    out.extend_from_slice(json.as_bytes());
}

fn optional(out: &mut Vec<u8>, members: &Members<'_>, fields: &[&str]) -> Result<(), Misfit> {
    for field in fields {
        match members.text(field)? {
            Some(text) => member(out, field, &text),
            None => raw(out, field, "null"),
        }
    }
    Ok(())
}

/// An event in the one form, in pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pieces<'a> {
    /// The 14 fields and `updated`, the opening brace included.
    pub fields: &'a [u8],
    /// What follows them, the closing brace included.
    pub rest: &'a [u8],
}

impl<'a> Pieces<'a> {
    /// Takes an event apart.
    pub fn of(data: &'a [u8]) -> Self {
        let end = memmem::find(data, LAST_FIELD).map_or(data.len(), |at| {
            let value = at + LAST_FIELD.len();
            let end = value + string_or_null(&data[value..]);
            end + if data[end..].starts_with(UPDATED) { UPDATED.len() } else { 0 }
        });
        let (fields, rest) = data.split_at(end);
        Self { fields, rest }
    }

    /// Whether a context follows.
    pub fn has_context(&self) -> bool {
        self.rest.starts_with(CONTEXT)
    }

    /// What is in front of the timestamp, the timestamp, and what is behind it; the quotes belong to none.
    pub fn around_timestamp(&self) -> Option<(&'a [u8], &'a [u8], &'a [u8])> {
        let at = memmem::find(self.fields, TIMESTAMP)?;
        let (before, value) = self.fields.split_at(at);
        let (timestamp, behind) = value[TIMESTAMP.len()..].split_at_checked(TIMESTAMP_BYTES)?;
        Some((before, timestamp, behind.get(1..)?))
    }
}

/// When an event says that it happened, Unix milliseconds.
pub fn timestamp_ms(data: &[u8]) -> Option<u64> {
    let (_, timestamp, _) = Pieces { fields: data, rest: b"" }.around_timestamp()?;
    time::parse(std::str::from_utf8(timestamp).ok()?).ok()
}

/// Bytes of the string or the `null` that `json` begins with.
fn string_or_null(json: &[u8]) -> usize {
    let mut at = 1;
    while json.first() == Some(&b'"') {
        match json.get(at) {
            Some(b'\\') => at += 2,
            Some(b'"') | None => return (at + 1).min(json.len()),
            Some(_) => at += 1,
        }
    }
    json.len().min(4)
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
