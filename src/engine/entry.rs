//! One publication as the log keeps it: the published bytes, and the frames made of them.
//!
//! A frame is made once per view, by whoever needs it first, and lives as long as its entry. What a filter
//! needs is extracted once, when the first filter asks.

use std::borrow::Cow;
use std::sync::OnceLock;

use bytes::Bytes;

use super::filter::{Extract, Fields, FieldsBuilder};
use super::now::Now;
use super::ring::Weigh;
use super::topic::Topic;

/// Subscribers with the same view get the same bytes. A dialect numbers its own views.
pub type ViewId = u16;

/// Makes the final bytes of an event for one view; implemented by dialects.
pub trait Encode: Send + Sync {
    /// The number of the view; no two encoders of a process share one.
    fn view(&self) -> ViewId;

    /// The frame: header and payload in one allocation. An empty one is not sent.
    fn frame(&self, topic: &Topic, entry: &Entry) -> Bytes;

    /// One frame for several consecutive events; `None` where each has its own. Made once for all subscribers of a shard
    /// that stand at the same place.
    fn batch(&self, _topic: &Topic, _entries: &[&Entry], _now: Now) -> Option<Bytes> {
        None
    }

    /// Whether this event is never held back to go together with later ones, and nothing before it is.
    fn urgent(&self, _entry: &Entry) -> bool {
        false
    }

    /// Whether nothing follows this event on a connection that reads one topic, through this view and without a prefix: the
    /// connection is closed behind it. Where several topics are read it means nothing. Who begins at or behind such an event,
    /// or has lost it to a gap, reads on to the next.
    fn ends(&self, _entry: &Entry) -> bool {
        false
    }
}

/// How the published bytes are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Content {
    /// One JSON value.
    #[default]
    Json,
    /// Anything else.
    Binary,
}

/// What a publisher says about an event; absent attributes are empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parts<'a> {
    /// Type of the event.
    pub event: &'a str,
    /// The publisher's own id.
    pub id: &'a str,
    /// Conflation key.
    pub key: &'a str,
    /// Tags, each at most 255 bytes.
    pub tags: &'a [Cow<'a, str>],
    /// Media type of binary data.
    pub content_type: &'a str,
    /// Key under which a repetition is recognised.
    pub idempotency_key: &'a str,
    /// How `data` is to be read.
    pub content: Content,
    /// The published bytes.
    pub data: &'a [u8],
}

/// The owned form of [`Parts`]: everything in one allocation.
#[derive(Clone, Debug)]
pub struct Body {
    bytes: Box<[u8]>,
    ends: [u32; 6],
    content: Content,
}

impl Body {
    /// Copies `parts`. Their sum is bounded by the limits of ingest, far below 4 GiB.
    pub fn new(parts: &Parts<'_>) -> Self {
        let texts = [parts.event, parts.id, parts.key, parts.content_type, parts.idempotency_key];
        let tags: usize = parts.tags.iter().map(|tag| 1 + tag.len()).sum();
        let size = texts.iter().map(|text| text.len()).sum::<usize>() + tags + parts.data.len();
        let mut bytes = Vec::with_capacity(size);
        let mut ends = [0; 6];
        for (text, end) in texts.iter().zip(&mut ends) {
            bytes.extend_from_slice(text.as_bytes());
            *end = bytes.len() as u32;
        }
        for tag in parts.tags {
            bytes.push(tag.len() as u8);
            bytes.extend_from_slice(tag.as_bytes());
        }
        ends[5] = bytes.len() as u32;
        bytes.extend_from_slice(parts.data);
        Self { bytes: bytes.into_boxed_slice(), ends, content: parts.content }
    }

    /// The same under another type, with other data.
    pub fn with(&self, event: &str, data: &[u8]) -> Self {
        let tags: Vec<_> = self.tags().map(Cow::Borrowed).collect();
        Self::new(&Parts { event, data, tags: &tags, ..self.parts() })
    }

    /// The same for another topic, whose idempotency keys are others.
    pub fn without_idempotency_key(self) -> Self {
        if self.idempotency_key().is_empty() {
            return self;
        }
        let tags: Vec<_> = self.tags().map(Cow::Borrowed).collect();
        Self::new(&Parts { tags: &tags, idempotency_key: "", ..self.parts() })
    }

    /// All parts but the tags.
    pub fn parts(&self) -> Parts<'_> {
        Parts {
            event: self.event(),
            id: self.id(),
            key: self.key(),
            tags: &[],
            content_type: self.content_type(),
            idempotency_key: self.idempotency_key(),
            content: self.content,
            data: self.data(),
        }
    }

    fn text(&self, index: usize) -> &str {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        let bytes = &self.bytes[start as usize..self.ends[index] as usize];
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    /// Type of the event.
    pub fn event(&self) -> &str {
        self.text(0)
    }

    /// The publisher's id, or empty.
    pub fn id(&self) -> &str {
        self.text(1)
    }

    /// The conflation key, or empty.
    pub fn key(&self) -> &str {
        self.text(2)
    }

    /// Media type of binary data, or empty.
    pub fn content_type(&self) -> &str {
        self.text(3)
    }

    /// The idempotency key, or empty.
    pub fn idempotency_key(&self) -> &str {
        self.text(4)
    }

    /// The tags.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        let mut rest = &self.bytes[self.ends[4] as usize..self.ends[5] as usize];
        std::iter::from_fn(move || {
            let (&len, tail) = rest.split_first()?;
            let (tag, tail) = tail.split_at(len as usize);
            rest = tail;
            std::str::from_utf8(tag).ok()
        })
    }

    /// The published bytes.
    pub fn data(&self) -> &[u8] {
        &self.bytes[self.ends[5] as usize..]
    }

    /// How to read [`Self::data`].
    pub fn content(&self) -> Content {
        self.content
    }

    /// Bytes of all parts together.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// A publication in the log.
#[derive(Debug)]
pub struct Entry {
    /// Its place, from 1.
    pub offset: u64,
    /// When it was published, Unix milliseconds.
    pub time_ms: u64,
    /// The same on the process's monotonic clock, microseconds.
    pub stamp_micros: u64,
    /// Bytes published to the topic up to and with this entry: backlogs are differences of it.
    pub total_bytes: u64,
    /// What was published.
    pub body: Body,
    frames: Link,
    fields: OnceLock<Box<Fields>>,
}

type Link = OnceLock<Box<Framed>>;

#[derive(Debug)]
struct Framed {
    view: ViewId,
    bytes: Bytes,
    next: Link,
}

impl Entry {
    /// An entry without frames.
    pub fn new(offset: u64, time_ms: u64, stamp_micros: u64, total_bytes: u64, body: Body) -> Self {
        let (frames, fields) = (Link::new(), OnceLock::new());
        Self { offset, time_ms, stamp_micros, total_bytes, body, frames, fields }
    }

    /// The frame for `encode`'s view, made now if nobody has needed it yet. Views of an entry are few, so
    /// they are a list; two shards that need the same one at once make it once.
    pub fn frame(&self, encode: &dyn Encode, topic: &Topic) -> &Bytes {
        let view = encode.view();
        let mut link = &self.frames;
        loop {
            let framed = link.get_or_init(|| {
                let (bytes, next) = (encode.frame(topic, self), Link::new());
                Box::new(Framed { view, bytes, next })
            });
            if framed.view == view {
                return &framed.bytes;
            }
            link = &framed.next;
        }
    }

    /// What filters look at, extracted when the first one asks.
    pub fn fields(&self, extract: &dyn Extract) -> &Fields {
        self.fields.get_or_init(|| {
            let body = &self.body;
            let mut fields = FieldsBuilder::new(
                body.event(),
                body.id(),
                (!body.key().is_empty()).then(|| body.key()),
                body.tags(),
            );
            if body.content() == Content::Json {
                extract.fields(body.data(), &mut fields);
            }
            Box::new(fields.finish())
        })
    }
}

impl Weigh for Entry {
    fn weight(&self) -> usize {
        self.body.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_keeps_the_rest_under_another_type() {
        let tags = ["red".into(), "blue".into()];
        let parts =
            Parts { event: "message", id: "7", key: "k", tags: &tags, data: b"{}", ..Parts::default() };
        for event in ["", "log", "something longer"] {
            let body = Body::new(&parts).with(event, b"{\"a\":1}");
            assert_eq!(
                (body.event(), body.id(), body.key(), body.data()),
                (event, "7", "k", &b"{\"a\":1}"[..])
            );
            assert_eq!(body.tags().collect::<Vec<_>>(), ["red", "blue"]);
        }
    }
}
