//! Publications as JSON: what is published, and what describes it.
//!
//! An object that has `data` and nothing but known members is an envelope; every other JSON value is itself the data. Which of them it
//! is turns out at the last member, so all known members are taken raw in one pass, and read only when they count. The whole
//! text is checked (UTF-8, JSON, depth), but `data` is not looked into: it goes on as the bytes that came in, and nothing is copied
//! except attributes that contain escapes.
//!
//! A member that is `null` or `""` counts as not given. This is the hot path of publishing.

use super::depth::is_too_deep;
use super::scan::{self, Stop};
use crate::engine::name::{self, NameError};
use crate::limits::{ATTRIBUTE_BYTES_MAX, JSON_DEPTH_MAX, TAG_BYTES_MAX, TAGS_MAX};
use serde::de::{Deserialize, Error as _, IgnoredAny};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Longer JSON than this cannot be a list of tags within the limits, even with every character escaped.
const TAGS_JSON_MAX: usize = TAGS_MAX * (6 * TAG_BYTES_MAX + 8);

/// Why a text cannot be published. Names the member that is wrong.
#[derive(Debug, thiserror::Error)]
pub enum Invalid {
    /// The text is not UTF-8.
    #[error("invalid UTF-8 at byte {0}")]
    Utf8(usize),
    /// The text is not JSON.
    #[error("invalid JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The data nests deeper than [`JSON_DEPTH_MAX`].
    #[error("the data is nested deeper than {JSON_DEPTH_MAX}")]
    TooDeep,
    /// A member of an envelope stands there twice.
    #[error("`{0}` is given twice")]
    Twice(Member),
    /// A member that must be a string is something else, or a string that is no Unicode.
    #[error("`{0}` must be a string")]
    NotText(Member),
    /// A member is longer than [`ATTRIBUTE_BYTES_MAX`].
    #[error("`{0}` has at most {ATTRIBUTE_BYTES_MAX} bytes, this one has {1}")]
    TooLong(Member, usize),
    /// A member contains a control character: a line break, say, which would end a line of a protocol that has lines.
    #[error("`{0}` must not contain control characters")]
    Control(Member),
    /// `tags` is not a list of strings.
    #[error("`tags` must be a list of strings")]
    NotTags,
    /// There are more than [`TAGS_MAX`] tags.
    #[error("an event has at most {TAGS_MAX} tags")]
    TooManyTags,
    /// A tag is longer than [`TAG_BYTES_MAX`].
    #[error("a tag has at most {TAG_BYTES_MAX} bytes, this one has {0}")]
    TagTooLong(usize),
    /// Nothing says which topic to publish to.
    #[error("`topic` is missing: an object with `topic` and `data`, and no unknown member, is needed")]
    NoTopic,
    /// The topic's name is wrong.
    #[error("`topic`: {0}")]
    Topic(#[from] NameError),
}

/// A member of an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Member {
    /// The data itself.
    Data,
    /// The event's type.
    Type,
    /// The publisher's own id.
    Id,
    /// The conflation key.
    Key,
    /// The tags.
    Tags,
    /// The idempotency key.
    IdempotencyKey,
    /// The topic, where there are many.
    Topic,
}

const MEMBERS: usize = Member::Topic as usize + 1;

impl Member {
    /// What it is called in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Type => "type",
            Self::Id => "id",
            Self::Key => "key",
            Self::Tags => "tags",
            Self::IdempotencyKey => "idempotency_key",
            Self::Topic => "topic",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "data" => Self::Data,
            "type" => Self::Type,
            "id" => Self::Id,
            "key" => Self::Key,
            "tags" => Self::Tags,
            "idempotency_key" => Self::IdempotencyKey,
            "topic" => Self::Topic,
            _ => return None,
        })
    }

    /// From its name as it stands in JSON: in quotes, and perhaps, though hardly ever, with escapes.
    fn from_json(name: &str) -> Option<Self> {
        Self::from_name(&name[1..name.len() - 1]).or_else(|| match unquote(name)? {
            Cow::Owned(plain) => Self::from_name(&plain),
            Cow::Borrowed(_) => None,
        })
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A publication. Attributes that were not given are `None`, or empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed<'a> {
    /// JSON, byte for byte as it came, without the white space around it.
    pub data: &'a str,
    /// The event's type.
    pub event: Option<Cow<'a, str>>,
    /// The publisher's own id.
    pub id: Option<Cow<'a, str>>,
    /// The conflation key.
    pub key: Option<Cow<'a, str>>,
    /// The tags.
    pub tags: Vec<Cow<'a, str>>,
    /// The idempotency key.
    pub idempotency_key: Option<Cow<'a, str>>,
}

/// A publication with its topic, whose name is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routed<'a> {
    /// Where to publish it.
    pub topic: Cow<'a, str>,
    /// What to publish.
    pub publication: Parsed<'a>,
}

/// Reads one publication to a topic that is known: an envelope, or data.
///
/// # Errors
/// See [`Invalid`].
pub fn parse_event(body: &[u8]) -> Result<Parsed<'_>, Invalid> {
    parse_event_text(utf8(body)?)
}

/// [`parse_event`] for a text that is known to be UTF-8.
///
/// # Errors
/// See [`Invalid`].
pub fn parse_event_text(body: &str) -> Result<Parsed<'_>, Invalid> {
    match read(body, false)? {
        Read::Data(data) => plain(data),
        Read::Envelope(members) => members.publication(),
    }
}

/// Reads a publication whose whole text is the data, whatever it looks like.
///
/// # Errors
/// See [`Invalid`].
pub fn parse_raw(body: &[u8]) -> Result<Parsed<'_>, Invalid> {
    let text = trim(utf8(body)?);
    check_json(text)?;
    plain(text)
}

/// Reads one publication that names its topic; one that does not goes to `default`, whose name the caller has checked.
///
/// # Errors
/// See [`Invalid`].
pub fn parse_routed<'a>(line: &'a [u8], default: Option<&'a str>) -> Result<Routed<'a>, Invalid> {
    parse_routed_text(utf8(line)?, default)
}

/// [`parse_routed`] for a text that is known to be UTF-8.
///
/// # Errors
/// See [`Invalid`].
pub fn parse_routed_text<'a>(line: &'a str, default: Option<&'a str>) -> Result<Routed<'a>, Invalid> {
    let default = default.map(Cow::Borrowed);
    let (topic, publication) = match read(line, true)? {
        Read::Data(data) => (None, plain(data)?),
        Read::Envelope(members) => (members.topic()?, members.publication()?),
    };
    Ok(Routed { topic: topic.or(default).ok_or(Invalid::NoTopic)?, publication })
}

/// Checks an attribute that came another way than in an envelope, in a header say.
///
/// # Errors
/// When it is too long, or contains control characters.
pub fn check_attribute(member: Member, text: &str) -> Result<(), Invalid> {
    if text.len() > ATTRIBUTE_BYTES_MAX {
        return Err(Invalid::TooLong(member, text.len()));
    }
    if text.contains(char::is_control) { Err(Invalid::Control(member)) } else { Ok(()) }
}

/// Reads tags separated by commas, as headers and queries have them. White space around them and empty ones do not count.
///
/// # Errors
/// When they are too many or too long, or contain control characters.
pub fn tags_from_list(list: &str) -> Result<Vec<Cow<'_, str>>, Invalid> {
    let tags = list.split(',').map(str::trim).filter(|tag| !tag.is_empty());
    check_tags(tags.take(TAGS_MAX + 1).map(Cow::Borrowed).collect())
}

/// What a text turned out to be.
enum Read<'a> {
    Data(&'a str),
    Envelope(Members<'a>),
}

/// The members of an object that may be an envelope.
struct Members<'a> {
    raw: [Option<&'a str>; MEMBERS],
    twice: Option<Member>,
    /// There was no member but those of an envelope.
    known: bool,
}

fn read(text: &str, routed: bool) -> Result<Read<'_>, Invalid> {
    let text = trim(text);
    if !text.starts_with('{') {
        check_json(text)?;
        return Ok(Read::Data(text));
    }
    let members = Members::read(text, routed).map_err(|stop| invalid(text, stop))?;
    let envelope = members.known && members.get(Member::Data).is_some();
    Ok(if envelope { Read::Envelope(members) } else { Read::Data(text) })
}

fn check_json(text: &str) -> Result<(), Invalid> {
    match scan::value(text.as_bytes(), 0) {
        Ok(end) if end == text.len() => Ok(()),
        Ok(_) => Err(invalid(text, Stop::Syntax)),
        Err(stop) => Err(invalid(text, stop)),
    }
}

/// The scan says that a text is wrong; serde_json says why.
#[cold]
fn invalid(text: &str, stop: Stop) -> Invalid {
    let mut json = serde_json::Deserializer::from_str(text);
    match IgnoredAny::deserialize(&mut json).and_then(|_| json.end()) {
        _ if stop == Stop::Deep => Invalid::TooDeep,
        Err(error) => Invalid::Json(error),
        Ok(()) => Invalid::Json(serde_json::Error::custom("not accepted")),
    }
}

fn plain(data: &str) -> Result<Parsed<'_>, Invalid> {
    if is_too_deep(data) { Err(Invalid::TooDeep) } else { Ok(Parsed { data, ..Parsed::default() }) }
}

fn utf8(bytes: &[u8]) -> Result<&str, Invalid> {
    simdutf8::basic::from_utf8(bytes).map_err(|_| Invalid::Utf8(invalid_at(bytes)))
}

#[cold]
fn invalid_at(bytes: &[u8]) -> usize {
    simdutf8::compat::from_utf8(bytes).err().map_or(0, |error| error.valid_up_to())
}

/// Without what JSON calls white space, which is less than what Unicode does.
fn trim(text: &str) -> &str {
    let text = &text[scan::white(text.as_bytes(), 0)..];
    text.trim_end_matches([' ', '\t', '\n', '\r'])
}

impl<'a> Members<'a> {
    /// Reads an object, which is the whole of `text`. `topic` is a known member when it is `routed`.
    fn read(text: &'a str, routed: bool) -> Result<Self, Stop> {
        let bytes = text.as_bytes();
        let mut members = Self { raw: [None; MEMBERS], twice: None, known: true };
        let mut at = scan::white(bytes, 1);
        if bytes.get(at) != Some(&b'}') {
            while at < bytes.len() {
                at = members.member(text, at, routed)?;
                match bytes.get(at) {
                    Some(b',') => at = scan::white(bytes, at + 1),
                    Some(b'}') => break,
                    _ => return Err(Stop::Syntax),
                }
            }
        }
        if at + 1 == bytes.len() { Ok(members) } else { Err(Stop::Syntax) }
    }

    /// Reads the member that begins at `at`; returns where the next token is.
    fn member(&mut self, text: &'a str, at: usize, routed: bool) -> Result<usize, Stop> {
        let bytes = text.as_bytes();
        if bytes.get(at) != Some(&b'"') {
            return Err(Stop::Syntax);
        }
        let name_end = scan::string(bytes, at + 1)?;
        let start = scan::colon(bytes, name_end)?;
        let end = scan::value(bytes, start)?;
        let member = if self.known { Member::from_json(&text[at..name_end]) } else { None };
        match member.filter(|&member| routed || member != Member::Topic) {
            Some(member) => self.add(member, &text[start..end]),
            None => self.known = false,
        }
        Ok(scan::white(bytes, end))
    }

    fn add(&mut self, member: Member, value: &'a str) {
        if self.raw[member as usize].replace(value).is_some() {
            self.twice = self.twice.or(Some(member));
        }
    }

    fn publication(&self) -> Result<Parsed<'a>, Invalid> {
        match self.twice {
            Some(member) => Err(Invalid::Twice(member)),
            None => Ok(Parsed {
                event: self.attribute(Member::Type)?,
                id: self.attribute(Member::Id)?,
                key: self.attribute(Member::Key)?,
                tags: self.tags()?,
                idempotency_key: self.attribute(Member::IdempotencyKey)?,
                ..plain(self.get(Member::Data).unwrap_or_default())?
            }),
        }
    }

    fn topic(&self) -> Result<Option<Cow<'a, str>>, Invalid> {
        let topic = self.text(Member::Topic)?;
        topic.as_deref().map_or(Ok(()), name::validate)?;
        Ok(topic)
    }

    fn attribute(&self, member: Member) -> Result<Option<Cow<'a, str>>, Invalid> {
        let text = self.text(member)?;
        check_attribute(member, text.as_deref().unwrap_or_default())?;
        Ok(text)
    }

    fn text(&self, member: Member) -> Result<Option<Cow<'a, str>>, Invalid> {
        let Some(json) = self.get(member).filter(|json| !matches!(*json, "null" | "\"\"")) else {
            return Ok(None);
        };
        unquote(json).map(Some).ok_or(Invalid::NotText(member))
    }

    fn tags(&self) -> Result<Vec<Cow<'a, str>>, Invalid> {
        match self.get(Member::Tags) {
            None | Some("null") => Ok(Vec::new()),
            Some(json) if json.len() > TAGS_JSON_MAX => Err(Invalid::TooManyTags),
            Some(json) => check_tags(read_tags(json)?),
        }
    }

    fn get(&self, member: Member) -> Option<&'a str> {
        self.raw[member as usize]
    }
}

/// The text of a JSON string that is known to be valid, except that escapes may stand for no character.
fn unquote(json: &str) -> Option<Cow<'_, str>> {
    let text = json.strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', text.as_bytes()).is_none() {
        return Some(Cow::Borrowed(text));
    }
    serde_json::from_str(json).ok().map(Cow::Owned)
}

fn read_tags(json: &str) -> Result<Vec<Cow<'_, str>>, Invalid> {
    let tags: Vec<&RawValue> = serde_json::from_str(json).map_err(|_| Invalid::NotTags)?;
    tags.into_iter().map(|tag| unquote(tag.get()).ok_or(Invalid::NotTags)).collect()
}

fn check_tags(tags: Vec<Cow<'_, str>>) -> Result<Vec<Cow<'_, str>>, Invalid> {
    match tags.iter().map(|tag| tag.len()).find(|&bytes| bytes > TAG_BYTES_MAX) {
        _ if tags.len() > TAGS_MAX => Err(Invalid::TooManyTags),
        Some(bytes) => Err(Invalid::TagTooLong(bytes)),
        None if tags.iter().any(|tag| tag.contains(char::is_control)) => Err(Invalid::Control(Member::Tags)),
        None => Ok(tags),
    }
}

#[cfg(test)]
#[path = "envelope_tests.rs"]
mod tests;
