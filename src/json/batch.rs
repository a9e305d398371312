//! Lines of publications, gathered by topic, and the report on what became of them.

use std::borrow::Cow;

use super::envelope::{Invalid, Parsed, check_attribute, parse_event, parse_raw, parse_routed};
use super::envelope::{Member, tags_from_list};
use super::text::{write_retry_after, write_string, write_u64};
use crate::engine::{Body, Content, Parts, Placed};
use crate::limits::FAILED_LINES_MAX;

/// The type of an event whose publisher gave none.
pub const DEFAULT_EVENT: &str = "message";

/// What a request says about all its events; an envelope's own member wins.
#[derive(Clone, Debug, Default)]
pub struct Attributes {
    /// Type of event.
    pub event: Option<String>,
    /// The publisher's id; single events only.
    pub id: Option<String>,
    /// Conflation key.
    pub key: Option<String>,
    /// Tags.
    pub tags: Vec<Cow<'static, str>>,
    /// Idempotency key; of many lines, each gets `key:line`.
    pub idempotency_key: Option<String>,
    /// Whether a body is data whatever it looks like.
    pub raw: bool,
}

impl Attributes {
    /// Checks and takes attributes as headers and queries have them.
    ///
    /// # Errors
    /// Names the one that is too long.
    pub fn new(get: impl Fn(Member) -> Option<String>, raw: bool) -> Result<Self, Invalid> {
        let text = |member| {
            let found = get(member);
            found.as_deref().map_or(Ok(()), |text| check_attribute(member, text)).map(|()| found)
        };
        let list = get(Member::Tags).unwrap_or_default();
        let tags = tags_from_list(&list)?.into_iter().map(|tag| Cow::Owned(tag.into_owned())).collect();
        Ok(Self {
            event: text(Member::Type)?,
            id: text(Member::Id)?,
            key: text(Member::Key)?,
            tags,
            idempotency_key: text(Member::IdempotencyKey)?,
            raw,
        })
    }

    /// The one event that `body` is.
    ///
    /// # Errors
    /// Why it is none.
    pub fn json(&self, body: &[u8]) -> Result<Body, Invalid> {
        let parsed = if self.raw { parse_raw(body)? } else { parse_event(body)? };
        Ok(self.body(&parsed, self.idempotency_key.as_deref()))
    }

    /// The one binary event that `body` is.
    pub fn binary(&self, body: &[u8], content_type: &str) -> Body {
        let parts = Parts { content_type, content: Content::Binary, data: body, ..self.parts() };
        Body::new(&parts)
    }

    fn parts(&self) -> Parts<'_> {
        Parts {
            event: self.event.as_deref().unwrap_or(DEFAULT_EVENT),
            id: self.id.as_deref().unwrap_or_default(),
            key: self.key.as_deref().unwrap_or_default(),
            tags: &self.tags,
            idempotency_key: self.idempotency_key.as_deref().unwrap_or_default(),
            ..Parts::default()
        }
    }

    fn body(&self, parsed: &Parsed<'_>, idempotency_key: Option<&str>) -> Body {
        let own = self.parts();
        Body::new(&Parts {
            event: parsed.event.as_deref().unwrap_or(own.event),
            id: parsed.id.as_deref().unwrap_or(own.id),
            key: parsed.key.as_deref().unwrap_or(own.key),
            tags: if parsed.tags.is_empty() { own.tags } else { &parsed.tags },
            idempotency_key: parsed.idempotency_key.as_deref().or(idempotency_key).unwrap_or_default(),
            data: parsed.data.as_bytes(),
            ..Parts::default()
        })
    }

    fn line_key(&self, line: u64) -> Option<String> {
        self.idempotency_key.as_ref().map(|key| format!("{key}:{line}"))
    }
}

/// Why a line is not published.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It is no publication.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The credential does not allow it.
    #[error("the credential has no publish grant for {0}")]
    Forbidden(String),
}

/// Events of one batch for one topic.
#[derive(Debug)]
pub struct Group {
    /// Where they go.
    pub topic: String,
    /// What they are.
    pub bodies: Vec<Body>,
    /// Numbers of their lines.
    pub lines: Vec<u64>,
}

/// Events by topic, in the order of their lines within each.
#[derive(Debug, Default)]
pub struct Batch {
    /// One for each topic.
    pub groups: Vec<Group>,
    last: usize,
}

impl Batch {
    /// Adds line `number` for the topic that it names, or else `default`, if that may be published to.
    ///
    /// # Errors
    /// Why it cannot be published.
    pub fn route(
        &mut self,
        number: u64,
        line: &[u8],
        default: Option<&str>,
        may: impl Fn(&str) -> bool,
    ) -> Result<(), Refused> {
        let routed = parse_routed(line, default)?;
        if !may(&routed.topic) {
            return Err(Refused::Forbidden(routed.topic.into_owned()));
        }
        let body = Attributes::default().body(&routed.publication, None);
        self.push(&routed.topic, number, body);
        Ok(())
    }

    /// Adds line `number` for `topic`.
    ///
    /// # Errors
    /// Why it cannot be published.
    pub fn add(
        &mut self,
        topic: &str,
        number: u64,
        line: &[u8],
        attributes: &Attributes,
    ) -> Result<(), Invalid> {
        let parsed = if attributes.raw { parse_raw(line)? } else { parse_event(line)? };
        let key = attributes.line_key(number);
        self.push(topic, number, attributes.body(&parsed, key.as_deref()));
        Ok(())
    }

    fn push(&mut self, topic: &str, number: u64, body: Body) {
        if self.groups.get(self.last).is_none_or(|group| group.topic != topic) {
            self.last = self.groups.iter().position(|group| group.topic == topic).unwrap_or_else(|| {
                self.groups.push(Group { topic: topic.into(), bodies: Vec::new(), lines: Vec::new() });
                self.groups.len() - 1
            });
        }
        self.groups[self.last].bodies.push(body);
        self.groups[self.last].lines.push(number);
    }
}

/// What became of many lines.
#[derive(Debug, Default)]
pub struct Report {
    /// Events published, those known by their idempotency key included.
    pub published: u64,
    /// Where they went.
    pub topics: Vec<TopicReport>,
    failed: Vec<Failed>,
    unnamed: u64,
    limited: u64,
    retry_after_ms: u64,
}

/// A line that was not published.
#[derive(Debug)]
struct Failed {
    line: u64,
    why: String,
    retry_after_ms: Option<u64>,
}

/// What went to one topic.
#[derive(Debug)]
pub struct TopicReport {
    /// Its name.
    pub topic: String,
    /// Life of its log.
    pub epoch: u64,
    /// Lowest offset.
    pub first: u64,
    /// Highest offset.
    pub last: u64,
}

impl Report {
    /// Notes that a batch was published; `lines` are the numbers of its lines.
    pub fn placed(&mut self, placed: &Placed, lines: &[u64]) {
        for (place, line) in placed.places.iter().zip(lines) {
            match place {
                Ok(place) => self.published(placed, place.offset),
                Err(unplaced) => self.not_placed(*line, &unplaced.to_string(), unplaced.retry_after_ms()),
            }
        }
    }

    /// One that is held back (offset 0) has no place yet.
    fn published(&mut self, placed: &Placed, offset: u64) {
        self.published += 1;
        if offset > 0 {
            self.range(placed, offset);
        }
    }

    fn range(&mut self, placed: &Placed, offset: u64) {
        let (name, epoch) = (placed.topic.name(), placed.topic.epoch());
        let known = self.topics.iter_mut().rev().find(|topic| topic.epoch == epoch && *topic.topic == **name);
        match known {
            Some(topic) => {
                topic.first = topic.first.min(offset);
                topic.last = topic.last.max(offset);
            }
            None => {
                let topic = name.to_string();
                self.topics.push(TopicReport { topic, epoch, first: offset, last: offset });
            }
        }
    }

    /// Notes that a line was not; the first [`FAILED_LINES_MAX`] are named.
    pub fn failed(&mut self, line: u64, why: &str) {
        self.not_placed(line, why, None);
    }

    /// As [`Self::failed`], for a line that may be published later.
    pub fn not_placed(&mut self, line: u64, why: &str, retry_after_ms: Option<u64>) {
        self.limited += u64::from(retry_after_ms.is_some());
        self.retry_after_ms = self.retry_after_ms.max(retry_after_ms.unwrap_or(0));
        if self.failed.len() < FAILED_LINES_MAX {
            self.failed.push(Failed { line, why: why.into(), retry_after_ms });
        } else {
            self.unnamed += 1;
        }
    }

    /// After how long the lines may be published, if none was, and all for the same reason that they came too fast.
    pub fn retry_after_ms(&self) -> Option<u64> {
        let all = self.all_failed() && self.limited == self.failed.len() as u64 + self.unnamed;
        all.then_some(self.retry_after_ms)
    }

    /// Whether nothing was published though something was asked for.
    pub fn all_failed(&self) -> bool {
        self.published == 0 && !self.failed.is_empty()
    }

    /// Appends `,"topics":[…]`.
    pub fn write_topics(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"topics\":[");
        for (i, topic) in self.topics.iter().enumerate() {
            out.extend_from_slice(if i == 0 { b"{\"topic\":" } else { b",{\"topic\":" });
            write_string(out, &topic.topic);
            topic.write_range(out);
            out.push(b'}');
        }
        out.push(b']');
    }

    /// Appends `,"failed":[…]`.
    pub fn write_failed(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"failed\":[");
        for (i, failed) in self.failed.iter().enumerate() {
            out.extend_from_slice(if i == 0 { b"{\"line\":" } else { b",{\"line\":" });
            write_u64(out, failed.line);
            out.extend_from_slice(b",\"error\":");
            write_string(out, &failed.why);
            if let Some(millis) = failed.retry_after_ms {
                write_retry_after(out, millis);
            }
            out.push(b'}');
        }
        out.push(b']');
        if self.unnamed > 0 {
            out.extend_from_slice(b",\"failed_more\":");
            write_u64(out, self.unnamed);
        }
    }

    /// Whether any line failed.
    pub fn has_failed(&self) -> bool {
        !self.failed.is_empty()
    }
}

impl TopicReport {
    /// Appends `,"epoch":…,"first":…,"last":…`.
    pub fn write_range(&self, out: &mut Vec<u8>) {
        let numbers = [(",\"epoch\":", self.epoch), (",\"first\":", self.first), (",\"last\":", self.last)];
        for (name, number) in numbers {
            out.extend_from_slice(name.as_bytes());
            write_u64(out, number);
        }
    }
}
