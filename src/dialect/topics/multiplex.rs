//! Many topics over one WebSocket: subscribe, unsubscribe, publish, presence, ping.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::{Dialect, Gap, Host, Message, Refusal, Start, Subscribe, Transport};
use super::request::{parse_from, parse_position, parse_since};
use super::{messages, renewal, view};
use crate::auth::AuthError;
use crate::engine::filter::Filter;
use crate::engine::name::presence_topic;
use crate::engine::{Body, Placed, Published, Topic};
use crate::error::Disconnect;
use crate::json::batch::Attributes;
use crate::json::{envelope, filter};

/// See the module.
#[derive(Debug)]
pub struct Multiplex {
    transport: Transport,
    patterns: HashMap<Box<str>, Watching>,
    /// The reference of the `auth` request that waits for its verdict; nothing else is served before that.
    authenticating: Option<Box<str>>,
}

/// What holds for the topics of a pattern, those of the future included.
#[derive(Debug, Default)]
struct Watching {
    read: Reading,
    topics: Vec<Arc<str>>,
}

#[derive(Clone, Debug, Default)]
struct Reading {
    filter: Option<Arc<Filter>>,
    conflate: bool,
    presence: Option<String>,
}

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    topic: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "ref")]
    reference: Option<&'a RawValue>,
    #[serde(borrow, default)]
    after: Option<&'a RawValue>,
    #[serde(borrow, default)]
    since: Option<&'a RawValue>,
    #[serde(borrow, default)]
    from: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    filter: Option<&'a RawValue>,
    #[serde(default)]
    conflate: bool,
    #[serde(borrow, default)]
    presence: Option<&'a RawValue>,
    #[serde(borrow, default)]
    token: Option<Cow<'a, str>>,
    #[serde(default)]
    positions: HashMap<String, String>,
}

/// What is read of a request that is not served.
#[derive(Deserialize)]
struct Referring<'a> {
    #[serde(borrow, default, rename = "ref")]
    reference: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct PresenceInfo<'a> {
    #[serde(borrow)]
    info: &'a RawValue,
}

/// What goes wrong with a request: a code and a sentence.
type Wrong = (&'static str, String);

impl Multiplex {
    /// A connection without subscriptions.
    pub fn new(transport: Transport) -> Self {
        Self { transport, patterns: HashMap::new(), authenticating: None }
    }

    fn request(&mut self, text: &str, host: &mut dyn Host) {
        let request: Request<'_> = match serde_json::from_str(text) {
            Ok(request) => request,
            Err(error) => {
                let why = format!("not a request: {error}");
                return host.send("error", &messages::error("invalid_message", &why, None));
            }
        };
        let reference = request.reference.map(RawValue::get).filter(|text| may_come_back(text));
        if let Err((code, why)) = self.serve(&request, text, host) {
            host.send("error", &messages::error(code, &why, reference));
        }
    }

    fn serve(&mut self, request: &Request<'_>, text: &str, host: &mut dyn Host) -> Result<(), Wrong> {
        check_reference(request)?;
        let reference = request.reference.map(RawValue::get);
        match &*request.kind {
            "ping" => host.send("pong", &messages::pong(host.now().unix_ms, reference)),
            "subscribe" => self.subscribe(request, host)?,
            "unsubscribe" => self.unsubscribe(named(request)?, reference, host)?,
            "publish" => {
                let topic = named(request).inspect_err(|_| host.refused(1))?;
                publish(topic, text, reference, host)?;
            }
            "auth" => {
                let token = request.token.as_deref();
                let token = token.ok_or(("invalid_message", "an auth request needs a token".to_owned()))?;
                self.authenticating = reference.map(Into::into);
                host.authenticate(token);
            }
            "presence" => presence(named(request)?, reference, host)?,
            other => return Err(("unknown_type", format!("there is no request of type {other:?}"))),
        }
        Ok(())
    }

    fn subscribe(&mut self, request: &Request<'_>, host: &mut dyn Host) -> Result<(), Wrong> {
        let (topic, reference) = (named(request)?, request.reference.map(RawValue::get));
        let (read, start) = (reading(request)?, start(request)?);
        if topic.contains('*') {
            return self.watch(topic, request, read, start, host);
        }
        self.read(topic, None, &read, start, reference, host);
        Ok(())
    }

    fn watch(
        &mut self,
        pattern: &str,
        request: &Request<'_>,
        read: Reading,
        start: Start,
        host: &mut dyn Host,
    ) -> Result<(), Wrong> {
        let positions = request.positions.iter();
        let positions: HashMap<_, _> = positions
            .map(|(topic, text)| Ok((topic.as_str(), parse_position(text).map_err(invalid)?)))
            .collect::<Result<_, Wrong>>()?;
        let topics = host.watch(pattern).map_err(|refusal| (refusal.code(), refusal.to_string()))?;
        let reference = request.reference.map(RawValue::get);
        host.send("subscribed", &messages::watching(pattern, topics.len(), reference));
        self.patterns.insert(pattern.into(), Watching { read: read.clone(), topics: Vec::new() });
        // Who has positions has been here: a topic without one came into being meanwhile.
        let start = if positions.is_empty() { start } else { Start::After { epoch: None, offset: 0 } };
        for topic in topics {
            let start = positions.get(&**topic.name()).unwrap_or(&start).clone();
            self.read(topic.name(), Some(pattern), &read, start, None, host);
        }
        Ok(())
    }

    fn read(
        &mut self,
        topic: &str,
        pattern: Option<&str>,
        read: &Reading,
        start: Start,
        reference: Option<&str>,
        host: &mut dyn Host,
    ) {
        let request = Subscribe {
            start,
            filter: read.filter.clone(),
            conflate: read.conflate,
            presence: read.presence.as_deref(),
            ..Subscribe::new(topic, view(self.transport, true))
        };
        match host.subscribe(&request) {
            Ok(outcome) => {
                if let Some(watching) = pattern.and_then(|pattern| self.patterns.get_mut(pattern)) {
                    watching.topics.push(Arc::clone(outcome.topic.name()));
                }
                host.send("subscribed", &messages::subscribed(&outcome, pattern, reference));
            }
            // A topic that another subscription of this connection reads already is read once.
            Err(Refusal::AlreadySubscribed) if pattern.is_some() => {}
            Err(refusal) => host.send("error", &messages::refused(&refusal, reference)),
        }
    }

    fn unsubscribe(
        &mut self,
        topic: &str,
        reference: Option<&str>,
        host: &mut dyn Host,
    ) -> Result<(), Wrong> {
        let known = if topic.contains('*') {
            let watching = self.patterns.remove(topic).unwrap_or_default();
            watching.topics.iter().for_each(|topic| {
                host.unsubscribe(topic);
            });
            host.unwatch(topic)
        } else {
            // If it is read again, then by its own name, and a pattern that ends does not end it.
            self.patterns.values_mut().for_each(|watching| watching.topics.retain(|other| **other != *topic));
            host.unsubscribe(topic)
        };
        if !known {
            return Err(("not_subscribed", format!("this connection does not read {topic:?}")));
        }
        host.send("unsubscribed", &messages::unsubscribed(topic, reference));
        Ok(())
    }
}

fn invalid(error: impl std::fmt::Display) -> Wrong {
    ("invalid_message", error.to_string())
}

/// A reference is sent back as it is, so it must be small and flat.
fn may_come_back(reference: &str) -> bool {
    reference.len() <= 128 && !reference.starts_with(['{', '['])
}

fn reference_of(text: &str) -> Option<String> {
    let request: Referring<'_> = serde_json::from_str(text).ok()?;
    request.reference.map(RawValue::get).filter(|text| may_come_back(text)).map(Into::into)
}

fn check_reference(request: &Request<'_>) -> Result<(), Wrong> {
    match request.reference {
        Some(reference) if !may_come_back(reference.get()) => {
            Err(("invalid_message", "ref must be a string or number of at most 128 bytes".into()))
        }
        _ => Ok(()),
    }
}

fn named<'r>(request: &'r Request<'_>) -> Result<&'r str, Wrong> {
    request.topic.as_deref().ok_or(("invalid_message", format!("a {} request needs a topic", request.kind)))
}

fn reading(request: &Request<'_>) -> Result<Reading, Wrong> {
    let filter = request.filter.map(|text| filter::parse(text.get()).map(Arc::new)).transpose();
    let presence = match request.presence.map(RawValue::get) {
        None | Some("false" | "null") => None,
        Some("true") => Some(String::new()),
        Some(text) => Some(presence_info(text)?),
    };
    let filter = filter.map_err(|error| ("invalid_filter", error.to_string()))?;
    Ok(Reading { filter, conflate: request.conflate, presence })
}

fn presence_info(text: &str) -> Result<String, Wrong> {
    let parsed: PresenceInfo<'_> = serde_json::from_str(text).map_err(invalid)?;
    Ok(parsed.info.get().into())
}

fn start(request: &Request<'_>) -> Result<Start, Wrong> {
    let text = |value: &RawValue| value.get().trim_matches('"').to_owned();
    match (request.after, request.since, &request.from) {
        (Some(after), ..) => parse_position(&text(after)).map_err(invalid),
        (None, Some(since), _) => parse_since(&text(since)).map_err(invalid),
        (None, None, Some(from)) => parse_from(from).map_err(invalid),
        (None, None, None) => Ok(Start::Now),
    }
}

/// The request is itself an envelope, with a `type` and `ref` that are the request's.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    event: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    key: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    tags: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    idempotency_key: Option<Cow<'a, str>>,
}

fn publish(topic: &str, text: &str, reference: Option<&str>, host: &mut dyn Host) -> Result<(), Wrong> {
    let body = body_of(text).inspect_err(|_| host.refused(1))?;
    match host.publish(topic, vec![body]) {
        Ok(placed) => tell_places(placed, reference, host),
        Err(refusal) => host.send("error", &messages::refused(&refusal, reference)),
    }
    Ok(())
}

fn tell_places(placed: Placed, reference: Option<&str>, host: &mut dyn Host) {
    for place in placed.places {
        match place {
            Ok(Published { offset, duplicate }) => {
                host.send("published", &messages::published(&placed.topic, offset, duplicate, reference));
            }
            Err(unplaced) => host.send("error", &messages::refused(&unplaced.into(), reference)),
        }
    }
}

fn body_of(text: &str) -> Result<Body, Wrong> {
    let envelope: Envelope<'_> = serde_json::from_str(text).map_err(invalid)?;
    let data = envelope.data.ok_or(("invalid_message", "a publish request needs data".to_owned()))?;
    let tags = envelope.tags.join(",");
    let member = |member| match member {
        envelope::Member::Type => envelope.event.as_deref(),
        envelope::Member::Id => envelope.id.as_deref(),
        envelope::Member::Key => envelope.key.as_deref(),
        envelope::Member::Tags => Some(tags.as_str()),
        envelope::Member::IdempotencyKey => envelope.idempotency_key.as_deref(),
        _ => None,
    };
    let attributes = Attributes::new(|name| member(name).map(Into::into), true).map_err(invalid)?;
    attributes.json(data.get().as_bytes()).map_err(invalid)
}

fn presence(topic: &str, reference: Option<&str>, host: &mut dyn Host) -> Result<(), Wrong> {
    let members = host.presence(topic).map_err(|refusal| (refusal.code(), refusal.to_string()))?;
    host.send("presence", &messages::presence(topic, &members, reference));
    Ok(())
}

impl Dialect for Multiplex {
    fn opened(&mut self, _host: &mut dyn Host) {}

    fn received(&mut self, message: Message<'_>, host: &mut dyn Host) {
        match message {
            Message::Text(text) => self.request(text, host),
            Message::Binary(_) => host.close(Disconnect::Binary),
        }
    }

    /// The reference is all that is read of the message, so that its sender knows which one it was.
    fn limited(&mut self, message: Message<'_>, retry_after_ms: u64, host: &mut dyn Host) {
        match message {
            Message::Text(text) => {
                let reference = reference_of(text);
                host.send("error", &messages::limited(retry_after_ms, reference.as_deref()));
            }
            Message::Binary(_) => host.close(Disconnect::Binary),
        }
    }

    fn asks_for(&self, message: Message<'_>) -> Vec<String> {
        let Message::Text(text) = message else { return Vec::new() };
        let Ok(request) = serde_json::from_str::<Request<'_>>(text) else { return Vec::new() };
        let Some(topic) = request.topic else { return Vec::new() };
        match &*request.kind {
            "subscribe" => vec![topic.into_owned()],
            "presence" => vec![presence_topic(&topic)],
            _ => Vec::new(),
        }
    }

    fn matched(&mut self, pattern: &str, topic: &Arc<Topic>, host: &mut dyn Host) {
        if let Some(watching) = self.patterns.get(pattern) {
            let read = watching.read.clone();
            self.read(topic.name(), Some(pattern), &read, Start::Created, None, host);
        }
    }

    fn authenticated(&mut self, verdict: Result<(), AuthError>, host: &mut dyn Host) {
        let reference = self.authenticating.take();
        renewal::tell(verdict, reference.as_deref(), host);
    }

    fn gap(&mut self, topic: &Topic, gap: Gap, host: &mut dyn Host) {
        host.send("gap", &messages::gap(topic, gap));
    }
}
