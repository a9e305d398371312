//! One client: of a single stream, or of those that it subscribes to.

use std::sync::Arc;

use super::super::{Dialect, Gap, Host, Message, Outcome, Refusal, Start, Subscribe, Transport};
use super::encode::view;
use super::model::Stream;
use super::request::{self, Request};
use super::{Entrance, Settings, forbidden, messages, place_of, role_allows};
use crate::auth::AuthError;
use crate::engine::Topic;
use crate::error::Disconnect;

/// A user has as many connections as it may.
pub const FULL: &str = "Connection limit reached";

/// See the module.
pub struct Connection {
    transport: Transport,
    entrance: Entrance,
    settings: Arc<Settings>,
    /// Who it was when it came.
    user: Box<str>,
    /// What it reads, in the order of subscription.
    reads: Vec<Stream>,
    /// When the next heartbeat is due, monotonic milliseconds.
    heartbeat_ms: u64,
    /// Until when it must have subscribed, if it must and has not.
    subscribe_by_ms: Option<u64>,
}

impl Connection {
    /// A client that came in by `entrance`.
    pub fn new(transport: Transport, entrance: Entrance, settings: Arc<Settings>) -> Self {
        Self {
            transport,
            entrance,
            settings,
            user: "".into(),
            reads: Vec::new(),
            heartbeat_ms: 0,
            subscribe_by_ms: None,
        }
    }

    /// Reads `stream` from `start` on.
    fn read(&mut self, stream: Stream, start: Start, host: &mut dyn Host) -> Result<Outcome, Refusal> {
        let view = view(self.transport, self.entrance.with_sequence);
        let outcome = host.subscribe(&Subscribe { start, ..Subscribe::new(stream.topic(), view) })?;
        self.reads.push(stream);
        Ok(outcome)
    }

    fn tell_lost(stream: Stream, outcome: &Outcome, host: &mut dyn Host) {
        if !outcome.recovered {
            let text = messages::not_recovered(host.now().unix_ms, stream, outcome);
            host.send("error", &text);
        }
    }

    fn begin_single(&mut self, stream: Stream, host: &mut dyn Host) {
        match self.read(stream, self.entrance.start.clone(), host) {
            Ok(outcome) => {
                let at = self.entrance.with_sequence.then(|| (outcome.topic.epoch(), outcome.offset));
                let text = messages::auth(host.now().unix_ms, host.identity(), at);
                host.send("auth", &text);
                Self::tell_lost(stream, &outcome, host);
            }
            Err(Refusal::Topic(_)) => host.close(Disconnect::Internal),
            Err(refusal) => host.close(Disconnect::policy(refusal.to_string())),
        }
    }

    fn begin_multiplexed(&mut self, host: &mut dyn Host) {
        self.subscribe_by_ms = Some(host.now().millis() + self.settings.subscribe_ms);
        let text = messages::auth(host.now().unix_ms, host.identity(), None);
        host.send("auth", &text);
    }

    fn wrong(why: &str, host: &mut dyn Host) {
        let text = messages::error(host.now().unix_ms, why);
        host.send("error", &text);
    }

    /// The rule of the multiplexed endpoint.
    fn not_subscribed(host: &mut dyn Host) {
        Self::wrong("First message must be subscription request", host);
        host.close(Disconnect::policy("First message must be subscription request"));
    }

    fn serve(&mut self, request: &Request<'_>, host: &mut dyn Host) -> Result<(), String> {
        match &*request.kind {
            "ping" => {
                let text = messages::pong(host.now().unix_ms);
                host.send("pong", &text);
            }
            "auth" => {
                let token = request.token.as_deref().ok_or("An auth message needs a token")?;
                host.authenticate(token);
            }
            "subscribe" if self.entrance.stream.is_none() => self.subscribe(request, host)?,
            "unsubscribe" if self.entrance.stream.is_none() => self.unsubscribe(request, host)?,
            "subscribe" | "unsubscribe" => {
                return Err("This endpoint has one stream; subscribe on /v1/stream/all".into());
            }
            other => return Err(format!("Unknown message type: {other}")),
        }
        Ok(())
    }

    fn subscribe(&mut self, request: &Request<'_>, host: &mut dyn Host) -> Result<(), String> {
        let names = request.names()?;
        let starts: Vec<_> = names.iter().map(|name| self.wanted(name, request)).collect::<Result<_, _>>()?;
        let (mut added, mut denied, mut outcomes, mut full) = (Vec::new(), Vec::new(), Vec::new(), None);
        for (name, wanted) in names.into_iter().zip(starts) {
            let read = wanted.filter(|(stream, _)| role_allows(host.identity().role, *stream));
            match read.map(|(stream, start)| (stream, self.read(stream, start, host))) {
                Some((stream, Ok(outcome))) => {
                    added.push(name);
                    outcomes.push((stream, outcome));
                }
                Some((_, Err(Refusal::AlreadySubscribed))) => {}
                Some((_, Err(refusal))) => {
                    denied.push(name);
                    full = full
                        .or(refusal.retry_after_ms().map(|millis| (format!("{name}: {refusal}"), millis)));
                }
                None => denied.push(name),
            }
        }
        let first = self.subscribe_by_ms.take().is_some();
        let lists = [(if first { "subscribed" } else { "added" }, &added[..]), ("denied", &denied[..])];
        let places: Vec<_> = outcomes.iter().map(|(s, o)| (*s, o.topic.epoch(), o.offset)).collect();
        let places = self.entrance.with_sequence.then_some(&places[..]);
        let text = messages::lists(host.now().unix_ms, "subscribe", &lists, places);
        host.send("subscribe", &text);
        if let Some((why, millis)) = full {
            host.send("error", &messages::limited(host.now().unix_ms, &why, millis));
        }
        outcomes.iter().for_each(|(stream, outcome)| Self::tell_lost(*stream, outcome, host));
        Ok(())
    }

    /// The stream of a name, and where reading it starts; `None` when there is none.
    fn wanted(&self, name: &str, request: &Request<'_>) -> Result<Option<(Stream, Start)>, String> {
        let Some(stream) = Stream::of_name(name) else { return Ok(None) };
        let start = request.start(stream)?.unwrap_or_else(|| self.entrance.start.clone());
        Ok(Some((stream, start)))
    }

    fn unsubscribe(&mut self, request: &Request<'_>, host: &mut dyn Host) -> Result<(), String> {
        let mut removed = request.names()?;
        removed.retain(|name| Stream::of_name(name).is_some_and(|stream| self.end(stream, host)));
        Self::tell_removed(&removed, host);
        Ok(())
    }

    fn end(&mut self, stream: Stream, host: &mut dyn Host) -> bool {
        self.reads.retain(|other| *other != stream);
        host.unsubscribe(stream.topic())
    }

    fn tell_removed(removed: &[&str], host: &mut dyn Host) {
        let text = messages::lists(host.now().unix_ms, "unsubscribe", &[("removed", removed)], None);
        host.send("unsubscribe", &text);
    }

    /// Under a new credential the client may be allowed less.
    fn end_forbidden(&mut self, host: &mut dyn Host) {
        let reads = self.reads.clone();
        let no_more = |stream: &&Stream| forbidden(host.identity(), **stream).is_some();
        let gone: Vec<_> = reads.iter().filter(no_more).copied().collect();
        match (self.entrance.stream, gone.first()) {
            (_, None) => {}
            (Some(_), Some(stream)) => {
                let why = forbidden(host.identity(), *stream).map(|(why, _)| why);
                host.close(why.unwrap_or(Disconnect::Internal));
            }
            (None, Some(_)) => {
                let ended = gone.into_iter().filter(|stream| self.end(*stream, host)).map(Stream::name);
                Self::tell_removed(&ended.collect::<Vec<_>>(), host);
            }
        }
    }

    /// Asks to be woken at whatever comes next.
    fn sleep(&self, host: &mut dyn Host) {
        let now_ms = host.now().millis();
        let idle = self
            .settings
            .idle_ms
            .checked_sub(1)
            .map(|_| now_ms + self.settings.idle_ms.saturating_sub(host.silent_ms()));
        let next = [Some(self.heartbeat_ms), self.subscribe_by_ms, idle].into_iter().flatten().min();
        host.wake_after(next.unwrap_or(self.heartbeat_ms).saturating_sub(now_ms));
    }
}

impl Dialect for Connection {
    fn opened(&mut self, host: &mut dyn Host) {
        if !host.take_place(&place_of(host.identity()), self.settings.connections_per_user) {
            return host.close(Disconnect::policy(FULL));
        }
        self.user = host.identity().name.as_str().into();
        self.heartbeat_ms = host.now().millis() + self.settings.heartbeat_ms;
        match self.entrance.stream {
            Some(stream) => self.begin_single(stream, host),
            None => self.begin_multiplexed(host),
        }
        self.sleep(host);
    }

    fn received(&mut self, message: Message<'_>, host: &mut dyn Host) {
        let Message::Text(text) = message else { return host.close(Disconnect::Binary) };
        let request = request::parse(text);
        if self.subscribe_by_ms.is_some()
            && !request.as_ref().is_ok_and(|request| request.kind == "subscribe")
        {
            return Self::not_subscribed(host);
        }
        if let Err(why) = request.and_then(|request| self.serve(&request, host)) {
            Self::wrong(&why, host);
        }
    }

    fn gap(&mut self, topic: &Topic, gap: Gap, host: &mut dyn Host) {
        if let Some(stream) = Stream::of_topic(topic.name()) {
            let text = messages::gap(host.now().unix_ms, stream, gap);
            host.send("error", &text);
        }
    }

    fn due(&mut self, host: &mut dyn Host) {
        let now_ms = host.now().millis();
        if self.subscribe_by_ms.is_some_and(|by| by <= now_ms) {
            return Self::not_subscribed(host);
        }
        if self.settings.idle_ms > 0 && host.silent_ms() >= self.settings.idle_ms {
            return host.close(Disconnect::Over("Idle timeout"));
        }
        if self.heartbeat_ms <= now_ms {
            self.heartbeat_ms = now_ms + self.settings.heartbeat_ms;
            let text = messages::heartbeat(host.now().unix_ms);
            host.send("heartbeat", &text);
        }
        self.sleep(host);
    }

    fn authenticated(&mut self, verdict: Result<(), AuthError>, host: &mut dyn Host) {
        if let Err(error) = verdict {
            return Self::wrong(&error.to_string(), host);
        }
        // The place among the user's connections stays taken; somebody else would need another.
        if *self.user != *host.identity().name {
            return host.close(Disconnect::policy("Authentication required"));
        }
        let text = messages::auth(host.now().unix_ms, host.identity(), None);
        host.send("auth", &text);
        self.end_forbidden(host);
    }

    fn opens_with(&self) -> Vec<String> {
        self.entrance.stream.iter().map(|stream| stream.topic().into()).collect()
    }

    fn asks_for(&self, message: Message<'_>) -> Vec<String> {
        let Message::Text(text) = message else { return Vec::new() };
        let Ok(request) = request::parse(text) else { return Vec::new() };
        let names =
            if request.kind == "subscribe" { request.names().unwrap_or_default() } else { Vec::new() };
        names.into_iter().filter_map(Stream::of_name).map(|stream| stream.topic().into()).collect()
    }

    fn limited(&mut self, _message: Message<'_>, retry_after_ms: u64, host: &mut dyn Host) {
        let why = "Messages come too fast; this one was not looked at";
        let text = messages::limited(host.now().unix_ms, why, retry_after_ms);
        host.send("error", &text);
    }
}
