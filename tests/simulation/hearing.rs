//! The protocols as their clients see them: where they come in, and what a message means.

use millrace::dialect::Transport;
use serde_json::Value;

/// A client of one protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// One stream.
    Stream,
    /// Several.
    Streams,
    /// Several channels over a WebSocket.
    Channels,
    /// The same as server-sent events.
    ChannelEvents,
    /// One channel as server-sent events.
    Channel,
    /// A session, in batches.
    Events,
    /// An analysis.
    Analysis,
}

pub const KINDS: [Kind; 7] = [
    Kind::Stream,
    Kind::Streams,
    Kind::Channels,
    Kind::ChannelEvents,
    Kind::Channel,
    Kind::Events,
    Kind::Analysis,
];

/// What a client has of a topic: name, epoch, offset of the last event, and when that was published.
pub type Place<'a> = (&'a str, u64, u64, u64);

/// Events that do not come.
#[derive(Clone, Copy, Debug)]
pub enum Lost {
    /// From the first to the second.
    Range(u64, u64),
    /// All up to this one.
    Until(u64),
    /// So many.
    Count(u64),
    /// Nobody knows how many.
    Unknown,
}

/// What comes next of a topic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next {
    /// This event.
    Exactly(u64),
    /// This one, or one that was there before: the client came back by time.
    AtMost(u64),
    /// Nobody knows.
    Any,
}

impl Next {
    /// The event that is missing next, as far as that is known.
    pub fn known(self) -> u64 {
        match self {
            Self::Exactly(next) | Self::AtMost(next) => next,
            Self::Any => 1,
        }
    }

    /// What comes next behind a gap; `None` when it is none.
    pub fn after(self, lost: Lost, kind: Kind) -> Option<Self> {
        match (self, lost) {
            (Next::Exactly(wanted), Lost::Range(from, to)) => {
                (from == wanted && to >= from).then_some(Next::Exactly(to + 1))
            }
            (Next::Exactly(wanted), Lost::Until(to)) => (to >= wanted).then_some(Next::Exactly(to + 1)),
            (Next::Exactly(wanted), Lost::Count(count)) => {
                (count > 0).then_some(Next::Exactly(wanted + count))
            }
            (Next::Any, Lost::Range(_, to)) => Some(Next::Exactly(to + 1)),
            (Next::AtMost(most), Lost::Range(from, to)) => (from <= most).then_some(Next::Exactly(to + 1)),
            (_, Lost::Unknown) => kind.returns_by_time().then_some(Next::Any),
            _ => None,
        }
    }
}

/// What a message says.
#[derive(Clone, Copy, Debug)]
pub enum Heard {
    /// An event of a topic, by its number.
    Event(&'static str, u64),
    /// Events of a topic are missing.
    Gap(&'static str, Lost),
}

impl Kind {
    /// What it reads.
    pub fn topics(self) -> &'static [&'static str] {
        match self {
            Self::Stream => &["stream.telemetry"],
            Self::Streams => &["stream.telemetry", "stream.log"],
            Self::Channels | Self::ChannelEvents => &["channels.sessions", "channels.agents"],
            Self::Channel => &["channels.sessions"],
            Self::Events => &["events.s"],
            Self::Analysis => &["analysis.a"],
        }
    }

    /// How it may be framed.
    pub fn transports(self) -> &'static [Transport] {
        match self {
            Self::ChannelEvents | Self::Channel => &[Transport::SseChunked, Transport::Sse],
            _ => &[Transport::WebSocket, Transport::Deflate],
        }
    }

    /// Whether it can come back behind what it has.
    pub fn resumes(self) -> bool {
        self != Self::Events
    }

    /// Whether it does so by time, and may get again what it has.
    pub fn returns_by_time(self) -> bool {
        self == Self::Channels
    }

    /// Where it comes in, and what it says; with its places and the last id when it comes back.
    pub fn entrance(self, back: Option<(&[Place<'_>], &str)>) -> (String, String) {
        let target = match self {
            Self::Stream => "/v1/stream/telemetry?sequence=1",
            Self::Streams => "/v1/stream/all?sequence=1",
            Self::Channels => "/v1/ws",
            Self::ChannelEvents => "/v1/events/subscribe?channels=sessions,agents",
            Self::Channel => "/v1/events/subscribe?channels=sessions",
            Self::Events => "/ws/events/s?batch_size=4",
            Self::Analysis => "/api/v1/ws/analysis/a?x=y",
        };
        let (more, say) = back.map(|(places, id)| self.returning(places, id)).unwrap_or_default();
        let say = match self {
            Self::Streams => format!("{{\"type\":\"subscribe\",\"streams\":[\"telemetry\",\"log\"]{say}}}"),
            Self::Channels => {
                format!("{{\"type\":\"subscribe\",\"channels\":[\"sessions\",\"agents\"]{say}}}")
            }
            _ => String::new(),
        };
        (target.to_owned() + &more, say)
    }

    /// What the target, or what is said, has besides.
    fn returning(self, places: &[Place<'_>], last_id: &str) -> (String, String) {
        let (_, epoch, last, _) = places[0];
        let none = String::new;
        match self {
            Self::Stream => (format!("&last_sequence={epoch}:{last}"), none()),
            Self::Analysis => (format!("&last_sequence={last}"), none()),
            Self::Streams => {
                let place = |(topic, epoch, last, _): &Place<'_>| {
                    format!("\"{}\":\"{epoch}:{last}\"", &topic["stream.".len()..])
                };
                let places: Vec<_> = places.iter().map(place).collect();
                (none(), format!(",\"last_sequence\":{{{}}}", places.join(",")))
            }
            Self::Channels => {
                let since = places.iter().map(|(.., time)| *time).min().unwrap_or(0);
                (none(), format!(",\"since\":{since}"))
            }
            Self::ChannelEvents | Self::Channel => (format!("&after={last_id}"), none()),
            Self::Events => (none(), none()),
        }
    }

    /// The event of a topic with this number.
    pub fn event(topic: &str, number: u64, padding: usize) -> String {
        let pad = "x".repeat(padding);
        match topic {
            "stream.telemetry" => {
                format!("{{\"metric_name\":\"{pad}\",\"value\":{number},\"unit\":null,\"tags\":{{}}}}")
            }
            "stream.log" => format!(
                "{{\"level\":\"A\",\"logger_name\":\"l\",\"message\":\"{pad}\",\"context\":{{\"n\":{number}}}}}"
            ),
            "events.s" => format!(
                "{{\"event_id\":\"{number}\",\"event_type\":\"start\",\"timestamp\":\"2024-01-16T12:00:00Z\",\
                 \"input_summary\":\"{pad}\"}}"
            ),
            _ => format!("{{\"type\":\"session.a\",\"data\":{{\"n\":{number},\"pad\":\"{pad}\"}}}}"),
        }
    }
}

/// What a message of the server says.
pub fn heard(kind: Kind, text: &str) -> Vec<Heard> {
    let message: Value = serde_json::from_str(text).unwrap();
    let said = match kind {
        Kind::Stream | Kind::Streams => stream(&message),
        Kind::Channels | Kind::ChannelEvents | Kind::Channel => channel(&message),
        Kind::Events => return session(&message),
        Kind::Analysis => analysis(&message),
    };
    said.into_iter().collect()
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64()
}

fn topic_of(kinds: &[Kind], name: &str) -> &'static str {
    let mut topics = kinds.iter().flat_map(|kind| kind.topics());
    topics.find(|topic| topic.ends_with(&format!(".{name}"))).unwrap_or_else(|| panic!("{name}"))
}

fn range(message: &Value) -> Lost {
    match (number(&message["from"]), number(&message["to"])) {
        (Some(from), Some(to)) => {
            assert_eq!(number(&message["missed"]), Some(to + 1 - from));
            Lost::Range(from, to)
        }
        _ => Lost::Unknown,
    }
}

fn stream(message: &Value) -> Option<Heard> {
    let (kind, data) = (message["type"].as_str()?, &message["data"]);
    let streams = [Kind::Streams];
    match kind {
        "telemetry" | "log" => {
            let sequence = number(&message["sequence"])?;
            let own = if kind == "log" { &data["context"]["n"] } else { &data["value"] };
            assert_eq!(number(own), Some(sequence), "{message}");
            Some(Heard::Event(topic_of(&streams, kind), sequence))
        }
        "error" => {
            assert_eq!(data["message"], "gap", "{message}");
            Some(Heard::Gap(topic_of(&streams, data["stream"].as_str()?), range(data)))
        }
        "auth" | "subscribe" | "heartbeat" => None,
        _ => panic!("{message}"),
    }
}

fn channel(message: &Value) -> Option<Heard> {
    let topic = || topic_of(&[Kind::Channels], message["channel"].as_str().unwrap());
    match message["type"].as_str()? {
        "gap" => Some(Heard::Gap(topic(), range(message))),
        "session.a" => Some(Heard::Event(topic(), number(&message["n"])?)),
        "error" => {
            assert_eq!(message["code"], "CONNECTION_LOST", "{message}");
            None
        }
        "subscribed" => None,
        _ => panic!("{message}"),
    }
}

fn session(message: &Value) -> Vec<Heard> {
    let event =
        |event: &Value| Heard::Event("events.s", event["event_id"].as_str().unwrap().parse().unwrap());
    match message["type"].as_str() {
        Some("batch") => message["events"].as_array().unwrap().iter().map(event).collect(),
        Some("event") => vec![event(message)],
        Some("gap") => {
            vec![Heard::Gap("events.s", number(&message["missed"]).map_or(Lost::Unknown, Lost::Count))]
        }
        _ => panic!("{message}"),
    }
}

fn analysis(message: &Value) -> Option<Heard> {
    match number(&message["sequence"]) {
        Some(sequence) => {
            assert_eq!(number(&message["data"]["n"]), Some(sequence), "{message}");
            Some(Heard::Event("analysis.a", sequence))
        }
        None if message["type"] == "gap" => {
            Some(Heard::Gap("analysis.a", Lost::Until(number(&message["oldest"])? - 1)))
        }
        None => None,
    }
}

/// The place in a topic that an id of server-sent events holds.
pub fn place_in(id: &str, topic: &str) -> Option<(u64, u64)> {
    let name = topic.strip_prefix("channels.")?;
    let place = id.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))?;
    let (epoch, offset) = place.split_once(':')?;
    Some((epoch.parse().ok()?, offset.parse().ok()?))
}
