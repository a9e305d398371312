//! Readers whose events may go together: a dialect and its views, such as no protocol of the server has, so that
//! every transport, size and window is met.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use millrace::dialect::topics::{view, write_position};
use millrace::dialect::{Dialect, Gap, Host, Linger, Message, Outcome, Start, Subscribe, Transport, frame};
use millrace::engine::filter::Filter;
use millrace::engine::{Encode, Entry, Now, Topic, ViewId};
use millrace::error::Disconnect;

/// The type of events that wait for nothing.
pub const URGENT: &str = "bell";

/// Events as the native protocol shows them, on one line; and batches of them, where there are such.
pub struct Batches {
    transport: Transport,
    joins: bool,
    made: AtomicU64,
}

static VIEWS: [Batches; 12] = [
    Batches::new(Transport::WebSocket, false),
    Batches::new(Transport::WebSocket, true),
    Batches::new(Transport::Deflate, false),
    Batches::new(Transport::Deflate, true),
    Batches::new(Transport::SseChunked, false),
    Batches::new(Transport::SseChunked, true),
    Batches::new(Transport::Sse, false),
    Batches::new(Transport::Sse, true),
    Batches::new(Transport::LinesChunked, false),
    Batches::new(Transport::LinesChunked, true),
    Batches::new(Transport::Lines, false),
    Batches::new(Transport::Lines, true),
];

/// The view for `transport`, with frames for batches or without.
pub fn of(transport: Transport, joins: bool) -> &'static Batches {
    &VIEWS[transport as usize * 2 + usize::from(joins)]
}

impl Batches {
    /// A view of its own.
    pub const fn new(transport: Transport, joins: bool) -> Self {
        Self { transport, joins, made: AtomicU64::new(0) }
    }

    /// How many frames of batches were made.
    pub fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    fn wrap(&self, topic: &Topic, last: &Entry, text: &[u8]) -> Bytes {
        let id = |out: &mut Vec<u8>| {
            out.extend_from_slice(b"id: ");
            write_position(topic.epoch(), last.offset, out);
            out.push(b'\n');
        };
        frame::event(self.transport, text.len() + 100, id, |out| out.extend_from_slice(text))
    }
}

fn text(topic: &Topic, entry: &Entry) -> Vec<u8> {
    let line = view(Transport::Lines, true).frame(topic, entry);
    line.strip_suffix(b"\n").expect("a line").to_vec()
}

impl Encode for Batches {
    fn view(&self) -> ViewId {
        800 + self.transport as ViewId * 2 + ViewId::from(self.joins)
    }

    fn frame(&self, topic: &Topic, entry: &Entry) -> Bytes {
        self.wrap(topic, entry, &text(topic, entry))
    }

    fn urgent(&self, entry: &Entry) -> bool {
        entry.body.event() == URGENT
    }

    fn batch(&self, topic: &Topic, entries: &[&Entry], now: Now) -> Option<Bytes> {
        let last = entries.last().filter(|_| self.joins && entries.len() > 1)?;
        self.made.fetch_add(1, Ordering::Relaxed);
        let texts: Vec<_> = entries.iter().map(|entry| text(topic, entry)).collect();
        let head =
            format!("{{\"type\":\"batch\",\"count\":{},\"at\":{},\"events\":[", texts.len(), now.unix_ms);
        let whole = [head.as_bytes(), &texts.join(&b","[..]), b"]}"].concat();
        Some(self.wrap(topic, last, &whole))
    }
}

/// One topic, read in batches.
pub struct Batched {
    /// How bytes are framed.
    pub transport: Transport,
    /// What is read.
    pub topic: String,
    /// From where.
    pub start: Start,
    /// Which events.
    pub filter: Option<Arc<Filter>>,
    /// Only the newest of each key while behind.
    pub conflate: bool,
    /// How long, and how many.
    pub linger: Linger,
    /// As what bytes.
    pub view: &'static Batches,
}

fn subscribed(outcome: &Outcome) -> String {
    let Outcome { topic, offset, recovered, missed } = outcome;
    let missed = missed.map_or("null".to_owned(), |missed| missed.to_string());
    format!(
        "{{\"type\":\"subscribed\",\"topic\":\"{}\",\"epoch\":{},\"offset\":{offset},\"recovered\":{recovered},\
         \"missed\":{missed}}}",
        topic.name(),
        topic.epoch()
    )
}

impl Dialect for Batched {
    fn opened(&mut self, host: &mut dyn Host) {
        let request = Subscribe {
            start: self.start.clone(),
            filter: self.filter.clone(),
            conflate: self.conflate,
            linger: Some(self.linger),
            ..Subscribe::new(&self.topic, self.view)
        };
        let outcome = host.subscribe(&request).expect("a topic that can be read");
        let mut id = Vec::new();
        write_position(outcome.topic.epoch(), outcome.offset, &mut id);
        host.send_at("subscribed", &id, subscribed(&outcome).as_bytes());
    }

    fn received(&mut self, _message: Message<'_>, _host: &mut dyn Host) {}

    fn gap(&mut self, topic: &Topic, gap: Gap, host: &mut dyn Host) {
        let Gap { from, to } = gap;
        let text = format!(
            "{{\"type\":\"gap\",\"topic\":\"{}\",\"epoch\":{},\"from\":{from},\"to\":{to},\"missed\":{}}}",
            topic.name(),
            topic.epoch(),
            to + 1 - from
        );
        host.send("gap", text.as_bytes());
    }

    fn closing(&mut self, why: Disconnect, host: &mut dyn Host) {
        if !self.transport.is_websocket() {
            host.send("close", format!("{{\"type\":\"close\",\"code\":{}}}", why.code()).as_bytes());
        }
    }
}
