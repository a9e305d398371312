//! The four streams and the data models of their events.
//!
//! An event is checked and completed once, when it is published, so that encoding it is a copy. One that is complete stays as it is,
//! byte for byte.

use crate::engine::{Body, Content, Misfit};
use crate::json::batch::DEFAULT_EVENT;
use crate::json::members::{Member, members};
use crate::json::text::write_string;

/// What the names of the topics of all streams begin with.
pub const PREFIX: &str = "stream.";

/// A stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// What an agent hears and says.
    Message,
    /// Metrics.
    Telemetry,
    /// What an agent thinks.
    Reasoning,
    /// Logs, for administrators.
    Log,
}

impl Stream {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Message, Self::Telemetry, Self::Reasoning, Self::Log];

    /// Its name, which is the type of its messages too.
    pub fn name(self) -> &'static str {
        &self.topic()[PREFIX.len()..]
    }

    /// Its topic.
    pub fn topic(self) -> &'static str {
        match self {
            Self::Message => "stream.message",
            Self::Telemetry => "stream.telemetry",
            Self::Reasoning => "stream.reasoning",
            Self::Log => "stream.log",
        }
    }

    /// The last segment of its path, which is a plural where there is one.
    fn segment(self) -> &'static str {
        match self {
            Self::Message => "messages",
            Self::Log => "logs",
            _ => self.name(),
        }
    }

    /// The stream of a path.
    pub fn of_segment(segment: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stream| stream.segment() == segment)
    }

    /// The stream that clients call `name`.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stream| stream.name() == name)
    }

    /// The stream of a topic.
    pub fn of_topic(topic: &str) -> Option<Self> {
        topic.strip_prefix(PREFIX).and_then(Self::of_name)
    }

    fn rules(self) -> &'static [Rule] {
        match self {
            Self::Message => &MESSAGE,
            Self::Telemetry => &TELEMETRY,
            Self::Reasoning => &REASONING,
            Self::Log => &LOG,
        }
    }
}

/// What a member must be.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Number,
    Whole,
    Object,
    Direction,
}

/// A member of a data model.
struct Rule {
    name: &'static str,
    kind: Kind,
    /// What stands for it when it is absent; `None` when it must be there.
    otherwise: Option<&'static str>,
}

const fn needed(name: &'static str, kind: Kind) -> Rule {
    Rule { name, kind, otherwise: None }
}

const fn optional(name: &'static str, kind: Kind, otherwise: &'static str) -> Rule {
    Rule { name, kind, otherwise: Some(otherwise) }
}

const MESSAGE: [Rule; 5] = [
    needed("message_id", Kind::Text),
    needed("channel_id", Kind::Text),
    needed("author_id", Kind::Text),
    needed("content", Kind::Text),
    needed("direction", Kind::Direction),
];

const TELEMETRY: [Rule; 4] = [
    needed("metric_name", Kind::Text),
    needed("value", Kind::Number),
    optional("unit", Kind::Text, "null"),
    optional("tags", Kind::Object, "{}"),
];

const REASONING: [Rule; 5] = [
    needed("reasoning_id", Kind::Text),
    needed("step", Kind::Text),
    needed("thought", Kind::Text),
    needed("depth", Kind::Whole),
    optional("handler", Kind::Text, "null"),
];

const LOG: [Rule; 4] = [
    needed("level", Kind::Text),
    needed("logger_name", Kind::Text),
    needed("message", Kind::Text),
    optional("context", Kind::Object, "{}"),
];

/// Members of the largest model.
const RULES_MAX: usize = 5;

impl Kind {
    /// Whether a value, as it stands, is of this kind.
    fn fits(self, value: &str) -> bool {
        let is_number = value.starts_with(|first: char| first == '-' || first.is_ascii_digit());
        match self {
            Self::Text => value.starts_with('"'),
            Self::Number => is_number,
            Self::Whole => is_number && !value.contains(['.', 'e', 'E']),
            Self::Object => value.starts_with('{'),
            Self::Direction => matches!(value, "\"incoming\"" | "\"outgoing\""),
        }
    }

    fn wanted(self) -> &'static str {
        match self {
            Self::Text => "must be a string",
            Self::Number => "must be a number",
            Self::Whole => "must be a whole number",
            Self::Object => "must be an object",
            Self::Direction => "must be \"incoming\" or \"outgoing\"",
        }
    }
}

fn misfit(field: &str, problem: impl Into<String>) -> Misfit {
    Misfit { field: field.into(), problem: problem.into() }
}

/// Checks an event for `topic`, and completes it.
///
/// # Errors
/// Names the member that is wrong, or says that there is no such stream.
pub fn admit(topic: &str, body: Body) -> Result<Body, Misfit> {
    let stream = Stream::of_topic(topic).ok_or_else(|| {
        misfit("topic", "there are stream.message, stream.telemetry, stream.reasoning and stream.log")
    })?;
    let completed = Found::read(stream, object(&body)?)?.completed()?;
    // Readers of the topic by the native protocol see the stream's name as the type, unless the publisher has another.
    let event = if body.event() == DEFAULT_EVENT { stream.name() } else { body.event() };
    match completed {
        None if event == body.event() => Ok(body),
        None => Ok(body.with(event, body.data())),
        Some(data) => Ok(body.with(event, &data)),
    }
}

fn object(body: &Body) -> Result<&str, Misfit> {
    if body.content() != Content::Json {
        return Err(misfit("data", "must be JSON; send it with Content-Type: application/json"));
    }
    str::from_utf8(body.data()).map_err(|_| misfit("data", "must be UTF-8"))
}

/// The members of an event, by the rules of its model.
struct Found<'a> {
    rules: &'static [Rule],
    values: [Option<&'a str>; RULES_MAX],
    /// What the model does not know, as it stands. It is passed on.
    others: Vec<&'a str>,
    /// A member is not as it must leave.
    changed: bool,
}

impl<'a> Found<'a> {
    fn read(stream: Stream, data: &'a str) -> Result<Self, Misfit> {
        let all = members(data).ok_or_else(|| misfit("data", "must be an object"))?;
        let (values, others) = ([None; RULES_MAX], Vec::new());
        let mut found = Self { rules: stream.rules(), values, others, changed: false };
        all.into_iter().try_for_each(|member| found.add(&member))?;
        Ok(found)
    }

    fn add(&mut self, member: &Member<'a>) -> Result<(), Misfit> {
        let Some(index) = self.rules.iter().position(|rule| rule.name == member.name) else {
            self.others.push(member.text);
            return Ok(());
        };
        let rule = &self.rules[index];
        let value = match (member.value, rule.otherwise) {
            ("null", Some(otherwise)) => otherwise,
            (value, _) if rule.kind.fits(value) => value,
            _ => return Err(misfit(rule.name, rule.kind.wanted())),
        };
        self.changed |= value != member.value;
        match self.values[index].replace(value) {
            None => Ok(()),
            Some(_) => Err(misfit(rule.name, "is given twice")),
        }
    }

    /// The whole event, if it is not complete as it stands.
    fn completed(&self) -> Result<Option<Vec<u8>>, Misfit> {
        let members = self.rules.iter().zip(self.values);
        let missing = members.clone().filter(|(_, value)| value.is_none());
        if !self.changed && missing.clone().count() == 0 {
            return Ok(None);
        }
        if let Some((rule, _)) = missing.into_iter().find(|(rule, _)| rule.otherwise.is_none()) {
            return Err(misfit(rule.name, format!("is missing; it {}", rule.kind.wanted())));
        }
        let mut out = Vec::with_capacity(256);
        for (rule, value) in members {
            begin_member(&mut out);
            write_string(&mut out, rule.name);
            out.push(b':');
            out.extend_from_slice(value.or(rule.otherwise).unwrap_or("null").as_bytes());
        }
        for text in &self.others {
            begin_member(&mut out);
            out.extend_from_slice(text.as_bytes());
        }
        out.push(b'}');
        Ok(Some(out))
    }
}

fn begin_member(out: &mut Vec<u8>) {
    out.push(if out.is_empty() { b'{' } else { b',' });
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
