//! Clients: what they read and how, how fast, and what they ask meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use millrace::auth::Identity;
use millrace::delivery::Handoff;
use millrace::dialect::topics::{Multiplex, MultiplexSse, Reader, parse_reader, parse_sse};
use millrace::dialect::{Dialect, Linger, Start, Transport};
use millrace::json::filter;
use millrace::wire::websocket::{Opcode, encode_masked};

use super::batches::{self, Batched};
use super::chaos::TOPICS;
use super::check::{Asked, Check, Only, Spec};
use super::net::SimSocket;
use super::parse::{HEAD, Stream};
use super::rng::Rng;

/// What kind of client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One topic.
    Single,
    /// One pattern.
    Pattern,
    /// Many topics over a WebSocket.
    Multiplex,
    /// Many topics over SSE.
    MultiplexSse,
    /// One topic, in batches.
    Batched,
}

/// How fast a client reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Everything at once.
    Fast,
    /// So many bytes at a step.
    Slow(usize),
    /// Nothing.
    Never,
}

/// A connection of a client.
pub struct Link {
    /// The server's end.
    pub key: i32,
    /// What was received.
    pub stream: Stream,
    /// Whether it was right.
    pub check: Check,
}

/// See the module.
pub struct Client {
    /// What kind.
    pub kind: Kind,
    /// How bytes are framed.
    pub transport: Transport,
    /// What it reads.
    pub specs: Vec<Spec>,
    /// How fast.
    pub pace: Pace,
    /// Its connection.
    pub link: Option<Link>,
    /// Whether it takes part in presence.
    pub present: bool,
    /// How long events may wait, and how many go together.
    linger: Linger,
    last_id: String,
    positions: BTreeMap<String, (u64, u64)>,
    requests: u64,
}

const KINDS: [Kind; 7] = [
    Kind::Single,
    Kind::Single,
    Kind::Pattern,
    Kind::Multiplex,
    Kind::MultiplexSse,
    Kind::Batched,
    Kind::Batched,
];
const STREAMS: [Transport; 6] = [
    Transport::WebSocket,
    Transport::Deflate,
    Transport::SseChunked,
    Transport::Sse,
    Transport::LinesChunked,
    Transport::Lines,
];
const PATTERNS: [&str; 5] = ["small.*", "aged.**", "**", "plain.*", "*.a"];

fn spec(rng: &mut Rng, name: &str, now_ms: u64) -> Spec {
    let filters = [Only::All, Only::All, Only::All, Only::Type("tick"), Only::Key("k1"), Only::Above(6)];
    let start = match rng.below(4) {
        0 => Start::Oldest,
        1 if !name.contains('*') => Start::Since(now_ms.saturating_sub(rng.below(3000) as u64)),
        _ => Start::Now,
    };
    let (only, conflate) = (rng.pick(&filters), rng.chance(150));
    let (positions, heads) = (BTreeMap::new(), BTreeMap::new());
    Spec { name: name.into(), start, only, conflate, positions, heads, answered: None }
}

fn distinct(rng: &mut Rng, most: usize) -> Vec<&'static str> {
    let mut names: Vec<_> = (0..1 + rng.below(most)).map(|_| rng.pick(&TOPICS)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

impl Client {
    /// A client that is not connected yet.
    pub fn new(rng: &mut Rng, now_ms: u64) -> Self {
        let kind = rng.pick(&KINDS);
        let transport = match kind {
            Kind::Single | Kind::Pattern | Kind::Batched => rng.pick(&STREAMS),
            Kind::Multiplex => rng.pick(&STREAMS[..2]),
            Kind::MultiplexSse => rng.pick(&STREAMS[2..4]),
        };
        let names = match kind {
            Kind::Single | Kind::Batched => vec![rng.pick(&TOPICS)],
            Kind::Pattern => vec![rng.pick(&PATTERNS)],
            Kind::Multiplex => Vec::new(),
            Kind::MultiplexSse if rng.chance(300) => vec![rng.pick(&PATTERNS)],
            Kind::MultiplexSse => distinct(rng, 4),
        };
        // All topics of a multiplexed SSE stream share its filter and its start.
        let first = spec(rng, names.first().copied().unwrap_or("-"), now_ms);
        let specs = names.iter().map(|name| Spec { name: (*name).into(), ..first.clone() }).collect();
        let (pace, present) = (pace(rng), rng.chance(500));
        let linger = Linger { window_ms: rng.pick(&[1, 20, 50, 600]), events: rng.pick(&[1, 2, 5, 50]) };
        let (last_id, positions) = (String::new(), BTreeMap::new());
        Self { kind, transport, specs, pace, link: None, present, linger, last_id, positions, requests: 0 }
    }

    /// Connects over `key`: what the server is handed.
    pub fn connect(
        &mut self,
        rng: &mut Rng,
        key: i32,
        heads: &BTreeMap<String, (u64, u64)>,
    ) -> Handoff<SimSocket> {
        let last_id = std::mem::take(&mut self.last_id);
        let specs: Vec<_> = self.specs.iter().map(|spec| self.resumed(spec, heads, &last_id)).collect();
        let dialect = self.dialect(&specs, &last_id);
        let mut check = Check::new(self.transport, self.kind == Kind::MultiplexSse, specs);
        if self.kind == Kind::Batched {
            check.allow_batches(self.linger.events);
        }
        self.link = Some(Link { key, stream: Stream::new(self.transport), check });
        let name = rng.pick(&["ann", "bob", ""]).to_owned();
        Handoff {
            socket: SimSocket(key),
            dialect,
            transport: self.transport,
            head: HEAD.to_vec(),
            read_ahead: if self.kind == Kind::Multiplex { Bytes::from(self.ping()) } else { Bytes::new() },
            identity: Arc::new(Identity { name, ..Identity::anonymous() }),
            leases: Default::default(),
            consulted: Default::default(),
        }
    }

    /// Patterns of a plain stream cannot be resumed; the others go on where they were, SSE by its last id.
    fn resumed(&self, spec: &Spec, heads: &BTreeMap<String, (u64, u64)>, last_id: &str) -> Spec {
        let positions = match self.kind {
            Kind::Pattern => BTreeMap::new(),
            Kind::MultiplexSse if !last_id.is_empty() => positions_in(last_id),
            _ => self.positions.clone(),
        };
        Spec { positions, heads: heads.clone(), ..spec.clone() }
    }

    fn dialect(&self, specs: &[Spec], last_id: &str) -> Box<dyn Dialect> {
        if self.kind == Kind::Multiplex {
            return Box::new(Multiplex::new(self.transport));
        }
        if self.kind == Kind::Batched {
            return Box::new(self.batched(&specs[0]));
        }
        let last_id = Some(last_id).filter(|id| !id.is_empty());
        if self.kind == Kind::MultiplexSse {
            let (mut query, mut resume) = (Vec::new(), self.positions_text());
            for spec in specs {
                query.push(("topic".to_owned(), spec.name.clone()));
            }
            resume.retain(|_| last_id.is_none());
            query.push(("positions".into(), resume));
            query.extend(specs.first().map(|first| start_of(&first.start)));
            query.extend(self.options(&specs[0]));
            let (wanted, positions) = parse_sse(&query, last_id).expect("a right query");
            return Box::new(MultiplexSse::new(self.transport, wanted, positions));
        }
        let spec = &specs[0];
        let mut query = self.options(spec);
        match spec.positions.get(&spec.name) {
            Some((epoch, offset)) => query.push(("after".into(), format!("{epoch}:{offset}"))),
            None => query.push(start_of(&spec.start)),
        }
        let sse = !self.transport.is_websocket() && self.kind == Kind::Single;
        let last_id = last_id.filter(|_| sse && spec.positions.contains_key(&spec.name));
        let wanted = parse_reader(&spec.name, &query, last_id).expect("a right query");
        Box::new(Reader::new(self.transport, wanted))
    }

    fn batched(&self, spec: &Spec) -> Batched {
        let place = spec.positions.get(&spec.name);
        Batched {
            transport: self.transport,
            topic: spec.name.clone(),
            start: place
                .map_or(spec.start.clone(), |&(epoch, offset)| Start::After { epoch: Some(epoch), offset }),
            filter: spec.only.json().map(|text| Arc::new(filter::parse(&text).expect("a filter"))),
            conflate: spec.conflate,
            linger: self.linger,
            view: batches::of(self.transport, self.present),
        }
    }

    fn options(&self, spec: &Spec) -> Vec<(String, String)> {
        let mut query: Vec<_> =
            spec.only.json().map(|filter| ("filter".into(), filter)).into_iter().collect();
        if spec.conflate {
            query.push(("conflate".into(), "1".into()));
        }
        if self.present && spec.name.starts_with("room.") && self.kind == Kind::Single {
            query.push(("presence".into(), "1".into()));
            query.push(("info".into(), "{\"a\":1}".into()));
        }
        query
    }

    fn positions_text(&self) -> String {
        let parts = self.positions.iter().map(|(topic, (epoch, offset))| format!("{topic}={epoch}:{offset}"));
        parts.collect::<Vec<_>>().join(",")
    }

    /// The connection is gone; what was read is kept in mind.
    pub fn forget_link(&mut self) {
        let Some(link) = self.link.take() else { return };
        self.positions.extend(link.check.positions());
        self.last_id = link.check.last_id;
    }

    fn request(&mut self, asked: Asked, text: impl FnOnce(u64) -> String) -> Vec<u8> {
        self.requests += 1;
        let text = text(self.requests);
        if let Some(link) = &mut self.link {
            link.check.ask(self.requests, asked);
        }
        masked(Opcode::Text, text.as_bytes())
    }

    fn ping(&mut self) -> Vec<u8> {
        self.request(Asked::Ping, |reference| format!("{{\"type\":\"ping\",\"ref\":{reference}}}"))
    }

    /// Something to ask of a multiplexed connection.
    pub fn ask(&mut self, rng: &mut Rng, now_ms: u64, heads: &BTreeMap<String, (u64, u64)>) -> Vec<u8> {
        let topic = rng.pick(&TOPICS);
        match rng.below(10) {
            0..=4 => {
                let name = if rng.chance(150) { rng.pick(&PATTERNS) } else { topic };
                let mut spec = spec(rng, name, now_ms);
                spec.heads = heads.clone();
                if rng.chance(800) {
                    spec.positions = self.positions.clone();
                }
                let text = subscribe_text(&spec);
                self.request(Asked::Subscribe(spec), |reference| format!("{text},\"ref\":{reference}}}"))
            }
            5 => self.unsubscribe(rng, topic),
            6 => self.request(Asked::Presence, |reference| {
                format!("{{\"type\":\"presence\",\"topic\":\"room.a\",\"ref\":{reference}}}")
            }),
            7 => self.ping(),
            _ => self.publish(rng, topic),
        }
    }

    fn unsubscribe(&mut self, rng: &mut Rng, otherwise: &str) -> Vec<u8> {
        let read: Vec<_> = self.link.iter().flat_map(|link| link.check.read_by_name()).cloned().collect();
        let pattern = rng.pick(&PATTERNS);
        let name = match rng.below(4) {
            0 => pattern.to_owned(),
            1 => otherwise.to_owned(),
            _ => read.first().cloned().unwrap_or_else(|| otherwise.to_owned()),
        };
        self.request(Asked::Unsubscribe(name.clone()), |reference| {
            format!("{{\"type\":\"unsubscribe\",\"topic\":\"{name}\",\"ref\":{reference}}}")
        })
    }

    fn publish(&mut self, rng: &mut Rng, topic: &str) -> Vec<u8> {
        let data = format!("{{\"m\":{},\"from\":\"socket\"}}", rng.below(10));
        self.request(Asked::Publish(topic.into(), data.clone()), |reference| {
            format!("{{\"type\":\"publish\",\"topic\":\"{topic}\",\"data\":{data},\"ref\":{reference}}}")
        })
    }
}

/// How fast a client reads from now on.
pub fn pace(rng: &mut Rng) -> Pace {
    match rng.below(10) {
        0..=5 => Pace::Fast,
        6..=8 => Pace::Slow(1 + rng.below(400)),
        _ => Pace::Never,
    }
}

/// A client's frame.
pub fn masked(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_masked(&mut out, opcode, false, [1, 2, 3, 4], payload);
    out
}

fn start_of(start: &Start) -> (String, String) {
    match start {
        Start::Oldest => ("from".into(), "oldest".into()),
        Start::Since(time) => ("since".into(), time.to_string()),
        _ => ("from".into(), "now".into()),
    }
}

fn subscribe_text(spec: &Spec) -> String {
    let mut text =
        format!("{{\"type\":\"subscribe\",\"topic\":\"{}\",\"conflate\":{}", spec.name, spec.conflate);
    if let Some(filter) = spec.only.json() {
        text += &format!(",\"filter\":{filter}");
    }
    let (name, value) = start_of(&spec.start);
    match spec.positions.get(&spec.name) {
        Some((epoch, offset)) => text += &format!(",\"after\":\"{epoch}:{offset}\""),
        None => text += &format!(",\"{name}\":\"{value}\""),
    }
    let position =
        |(topic, (epoch, offset)): (&String, &(u64, u64))| format!("\"{topic}\":\"{epoch}:{offset}\"");
    let positions: Vec<_> = spec.positions.iter().map(position).collect();
    text + &format!(",\"positions\":{{{}}}", positions.join(","))
}

/// The positions of a multiplexed SSE id.
fn positions_in(id: &str) -> BTreeMap<String, (u64, u64)> {
    let place = |part: &str| {
        let (name, position) = part.split_once('=')?;
        let (epoch, offset) = position.split_once(':')?;
        Some((name.to_owned(), (epoch.parse().ok()?, offset.parse().ok()?)))
    };
    id.split(',').filter_map(place).collect()
}
