//! The protocols a server speaks: how their events are published, asked for, and recognised.

use crate::envelope::distinct_filter;
use crate::look::{Look, Template};
use crate::wire::http::percent_encode;

/// In what protocol subscribers read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Protocol {
    /// The native one.
    Topics,
    /// `/v1/stream/telemetry`, with sequences.
    Stream,
    /// `/ws/events/{session}`, one message an event.
    Events,
    /// `/ws/events/{session}` as it is by default: in batches.
    #[value(skip)]
    EventBatches,
    /// `/v1/ws`, one channel.
    Channels,
    /// `/api/v1/ws/analysis/{id}`.
    Analysis,
}

/// Digits of the numbers that are part of what is published.
const COUNTER_DIGITS: usize = 12;
/// Digits of the numbers that the server gives, in a run of usual length.
const OFFSET_DIGITS: usize = 5;
/// Digits of an epoch.
const EPOCH_DIGITS: usize = 16;
/// Data of the native protocol with a bucket: `{"bucket":` + 6 digits + `,"pad":""}`.
const BUCKET_OVERHEAD: usize = 26;

impl Protocol {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Topics => "topics",
            Self::Stream => "stream",
            Self::Events | Self::EventBatches => "events",
            Self::Channels => "channels",
            Self::Analysis => "analysis",
        }
    }

    /// The topic number `t` of a run; `label` keeps sides apart where the protocol lets topics have any name.
    pub fn topic(self, run: u32, label: &str, t: usize) -> String {
        match self {
            Self::Topics => format!("load.{run}.{label}.{t}"),
            Self::Stream => "stream.telemetry".into(),
            Self::Events | Self::EventBatches => format!("events.load-{run}-{label}-{t}"),
            Self::Channels => "channels.sessions".into(),
            Self::Analysis => format!("analysis.load-{run}-{label}-{t}"),
        }
    }

    /// How many topics there can be.
    pub fn topics_max(self) -> usize {
        if matches!(self, Self::Stream | Self::Channels) { 1 } else { usize::MAX }
    }

    /// What to ask for: the path and query that open a stream of `topic`.
    pub fn target(self, topic: &str, after: Option<&str>, filter: Option<&str>) -> String {
        let rest = topic.split_once('.').map_or(topic, |(_, rest)| rest);
        match self {
            Self::Topics => {
                let given = [("after", after), ("filter", filter)].into_iter();
                let query: Vec<_> = given
                    .filter_map(|(name, value)| Some(format!("{name}={}", percent_encode(value?))))
                    .collect();
                let mark = if query.is_empty() { "" } else { "?" };
                format!("/v1/topics/{topic}{mark}{}", query.join("&"))
            }
            Self::Stream => format!("/v1/stream/{rest}?sequence=1"),
            Self::Events => format!("/ws/events/{rest}?batch_size=1"),
            Self::EventBatches => format!("/ws/events/{rest}"),
            Self::Channels => "/v1/ws".into(),
            Self::Analysis => format!("/api/v1/ws/analysis/{rest}"),
        }
    }

    /// What a client says first, if it has to say something.
    pub fn greeting(self) -> Option<&'static str> {
        (self == Self::Channels).then_some(r#"{"type":"subscribe","channels":["sessions"]}"#)
    }

    /// Whether the answer to the handshake is all that says that the stream is open.
    pub fn opens_silently(self) -> bool {
        matches!(self, Self::Events | Self::EventBatches | Self::Analysis)
    }
}

/// What every event of a run carries.
#[derive(Debug, Clone)]
pub struct Payload {
    protocol: Protocol,
    filler: String,
    /// With filters, event `offset` carries `offset % buckets`.
    buckets: Option<u32>,
}

impl Payload {
    /// Native `data` of exactly `size` bytes (at least what its JSON needs).
    pub fn new(size: usize, buckets: Option<u32>) -> Self {
        let overhead = if buckets.is_some() { BUCKET_OVERHEAD } else { 2 };
        Self { protocol: Protocol::Topics, filler: "x".repeat(size.saturating_sub(overhead)), buckets }
    }

    /// Such that the messages of `protocol` are as long as native ones whose data has `size` bytes: what is compared is what
    /// a protocol costs, and not its verbosity.
    pub fn of(protocol: Protocol, size: usize, buckets: Option<u32>) -> Self {
        let native = Self::new(size, buckets);
        if protocol == Protocol::Topics {
            return native;
        }
        let empty = Self { protocol, filler: String::new(), buckets: None };
        let missing = native.usual_length().saturating_sub(empty.usual_length());
        Self { filler: "x".repeat(missing), ..empty }
    }

    /// How long a message of one event usually is.
    fn usual_length(&self) -> usize {
        let counted = matches!(self.protocol, Protocol::Events | Protocol::EventBatches | Protocol::Channels);
        let digits = if counted { COUNTER_DIGITS } else { OFFSET_DIGITS };
        self.look(&self.protocol.topic(10_000, "a", 0)).single.usual_length(digits)
    }

    /// The value of `data` of event `offset`.
    pub fn put_data(&self, out: &mut Vec<u8>, offset: u64) {
        let filler = &self.filler;
        let data = match (self.protocol, self.buckets) {
            (Protocol::Topics, Some(buckets)) => {
                let bucket = 100_000 + offset % u64::from(buckets);
                format!("{{\"bucket\":{bucket},\"pad\":\"{filler}\"}}")
            }
            (Protocol::Topics | Protocol::Analysis, _) => format!("\"{filler}\""),
            (Protocol::Stream, _) => {
                format!("{{\"metric_name\":\"{filler}\",\"value\":1,\"unit\":null,\"tags\":{{}}}}")
            }
            (Protocol::Events | Protocol::EventBatches, _) => format!(
                "{{\"event_id\":\"{offset:0COUNTER_DIGITS$}\",\"event_type\":\"load\",\"input_summary\":\"{filler}\"}}"
            ),
            (Protocol::Channels, _) => {
                format!("{{\"n\":\"{offset:0COUNTER_DIGITS$}\",\"pad\":\"{filler}\"}}")
            }
        };
        out.extend_from_slice(data.as_bytes());
    }

    /// The publisher's envelope of event `offset`, with its line break.
    pub fn put_line(&self, out: &mut Vec<u8>, topic: Option<&str>, offset: u64) {
        out.push(b'{');
        if let Some(topic) = topic {
            out.extend_from_slice(format!("\"topic\":\"{topic}\",").as_bytes());
        }
        if matches!(self.protocol, Protocol::Channels | Protocol::Analysis) {
            out.extend_from_slice(b"\"type\":\"load.tick\",");
        }
        out.extend_from_slice(b"\"data\":");
        self.put_data(out, offset);
        out.extend_from_slice(b"}\n");
    }

    /// What events of `topic` look like to subscribers.
    pub fn look(&self, topic: &str) -> Look {
        let rest = topic.split_once('.').map_or(topic, |(_, rest)| rest);
        let (begin, filler) = (Template::default(), &self.filler);
        let single = match self.protocol {
            Protocol::Topics => self.native(topic),
            Protocol::Stream => begin
                .text("{\"type\":\"telemetry\",\"timestamp\":\"")
                .time()
                .text(format!(
                    "\",\"data\":{{\"metric_name\":\"{filler}\",\"value\":1,\"unit\":null,\"tags\":{{}}}}"
                ))
                .text(",\"sequence\":")
                .number()
                .text(",\"epoch\":")
                .until(b'}', EPOCH_DIGITS)
                .text("}"),
            Protocol::Events | Protocol::EventBatches => {
                let head = begin.text("{\"type\":\"event\",\"timestamp\":\"").time();
                head.text("\",\"event_id\":\"").number().text(self.before_time()).text(self.behind_time(rest))
            }
            Protocol::Channels => begin
                .text("{\"type\":\"load.tick\",\"id\":\"evt_")
                .until(b'"', EPOCH_DIGITS + 1 + OFFSET_DIGITS)
                .text(format!("\",\"channel\":\"{rest}\",\"created_at\":\""))
                .time()
                .text("\",\"n\":\"")
                .number()
                .text(format!("\",\"pad\":\"{filler}\"}}")),
            Protocol::Analysis => begin
                .text("{\"event_id\":\"")
                .until(b'"', EPOCH_DIGITS + 1 + OFFSET_DIGITS)
                .text(format!("\",\"event_type\":\"load.tick\",\"analysis_id\":\"{rest}\""))
                .text(format!(",\"data\":\"{filler}\",\"timestamp\":\""))
                .time()
                .text("\",\"sequence\":")
                .number()
                .text("}"),
        };
        Look { single, batch: (self.protocol == Protocol::EventBatches).then(|| self.batch(rest)) }
    }

    fn native(&self, topic: &str) -> Template {
        let head = Template::default()
            .text(format!("{{\"type\":\"event\",\"topic\":\"{topic}\",\"offset\":"))
            .number()
            .text(",\"id\":\"")
            .until(b'"', EPOCH_DIGITS + 1 + OFFSET_DIGITS)
            .text("\",\"time\":\"")
            .time()
            .text("\",\"event\":\"message\",\"data\":");
        match self.buckets {
            None => head.text(format!("\"{}\"}}", self.filler)),
            Some(_) => {
                head.text("{\"bucket\":").until(b',', 6).text(format!(",\"pad\":\"{}\"}}}}", self.filler))
            }
        }
    }

    /// The fields of an event between its id and its timestamp; in a single message the timestamp comes first.
    fn before_time(&self) -> &'static str {
        "\",\"agent_id\":\"unknown\",\"event_type\":\"load\""
    }

    fn behind_time(&self, session: &str) -> String {
        format!(
            ",\"tool_name\":null,\"input_summary\":\"{}\",\"output_summary\":null,\"session_id\":\"{session}\",\
             \"status\":null,\"model\":null,\"parent_event_id\":null,\"execution_duration_seconds\":0.0,\
             \"cost_tokens\":0,\"feature_id\":null}}",
            self.filler
        )
    }

    fn batch(&self, session: &str) -> (Template, Template) {
        let head = Template::default().text("{\"type\":\"batch\",\"count\":").number();
        let item = Template::default().text("{\"event_id\":\"").number().text(self.before_time());
        (
            head.text(",\"timestamp\":\"").time().text("\",\"events\":["),
            item.text(",\"timestamp\":\"").time().text("\"").text(self.behind_time(session)),
        )
    }
}

/// The filter of subscriber `i`, in the native protocol.
pub fn filter_of(i: usize, buckets: u32) -> (String, (u32, u32)) {
    (distinct_filter(i, buckets), (buckets, i as u32 % buckets))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::Found;

    const ALL: [Protocol; 6] = [
        Protocol::Topics,
        Protocol::Stream,
        Protocol::Events,
        Protocol::EventBatches,
        Protocol::Channels,
        Protocol::Analysis,
    ];

    #[test]
    fn data_has_exactly_the_size_asked_for() {
        for (size, buckets) in [(2, None), (128, None), (64, Some(10)), (128, Some(1000))] {
            let mut data = Vec::new();
            Payload::new(size, buckets).put_data(&mut data, 1234);
            assert_eq!(data.len(), size);
            assert!(serde_json::from_slice::<serde_json::Value>(&data).is_ok());
        }
    }

    #[test]
    fn messages_are_as_long_as_native_ones() {
        let native = Payload::new(512, None).usual_length();
        for protocol in ALL {
            assert_eq!(Payload::of(protocol, 512, None).usual_length(), native, "{protocol:?}");
        }
    }

    #[test]
    fn what_is_published_and_expected_is_json() {
        for protocol in ALL {
            let topic = protocol.topic(1, "a", 0);
            let payload = Payload::of(protocol, 128, None);
            let mut line = Vec::new();
            payload.put_line(&mut line, Some(&topic), 7);
            assert!(serde_json::from_slice::<serde_json::Value>(&line).is_ok(), "{protocol:?}");
            let look = payload.look(&topic);
            assert_eq!(
                look.single.read(&look.single.render(7)),
                Found::Event(7, look.single.render(7).len())
            );
            assert!(look.batch.is_some() == (protocol == Protocol::EventBatches));
        }
    }

    #[test]
    fn targets_carry_position_and_filter_encoded() {
        let target = Protocol::Topics.target("a.b", Some("7:12"), Some("{\"eq\":1}"));
        assert_eq!(target, "/v1/topics/a.b?after=7%3A12&filter=%7B%22eq%22%3A1%7D");
        assert_eq!(Protocol::Events.target("events.s-1", None, None), "/ws/events/s-1?batch_size=1");
        assert_eq!(Protocol::Analysis.target("analysis.x", None, None), "/api/v1/ws/analysis/x");
    }
}
