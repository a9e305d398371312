//! One client over a WebSocket.

use std::sync::Arc;

use super::super::refuse::disconnect;
use super::super::{Dialect, Gap, Host, Message, Outcome, Refusal, Start, Subscribe, Transport};
use super::channel::Channel;
use super::encode::view;
use super::messages::{self, Code};
use super::request::{self, Request};
use super::select::Select;
use crate::auth::AuthError;
use crate::engine::Topic;
use crate::engine::filter::Filter;
use crate::error::Disconnect;

/// Why a client that does not say who it is, or cannot prove it, is closed.
pub const FAILED: &str = "Authentication failed";

/// Whether a client has said who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has.
    Known,
    /// It has so many milliseconds to do so.
    Unknown(u64),
    /// It has, and is being looked up.
    Asked,
}

/// See the module.
#[derive(Debug)]
pub struct Connection {
    transport: Transport,
    standing: Standing,
}

impl Connection {
    /// A client that is, or is not, known by its request.
    pub fn new(transport: Transport, standing: Standing) -> Self {
        Self { transport, standing }
    }

    fn fail(code: Code, why: &str, host: &mut dyn Host) {
        host.send("error", &messages::error(code, why));
        host.close(Disconnect::policy(FAILED));
    }

    fn serve(&mut self, request: &Request<'_>, host: &mut dyn Host) -> Result<(), String> {
        match &*request.kind {
            "ping" => {
                let text = messages::pong(host.now().unix_ms);
                host.send("pong", &text);
            }
            "auth" => {
                let token = request.token.as_deref().ok_or("an auth message needs a token")?;
                if self.standing != Standing::Known {
                    self.standing = Standing::Asked;
                }
                host.authenticate(token);
            }
            "subscribe" => self.subscribe(request, host)?,
            "unsubscribe" => {
                let mut ended = request.names()?;
                ended.retain(|name| {
                    Channel::of_name(name).is_some_and(|channel| host.unsubscribe(channel.topic()))
                });
                host.send("unsubscribed", &messages::unsubscribed(&ended));
            }
            other => return Err(format!("there is no message of type {other:?}")),
        }
        Ok(())
    }

    fn subscribe(&self, request: &Request<'_>, host: &mut dyn Host) -> Result<(), String> {
        let (names, select, start) = (request.names()?, request.select()?, request.start()?);
        let wanted: Vec<_> = names.iter().map(|name| wanted(name, &select)).collect::<Result<_, _>>()?;
        let (mut granted, mut denied, mut lost, mut full) = (Vec::new(), Vec::new(), Vec::new(), None);
        for (name, wanted) in names.into_iter().zip(wanted) {
            let read = wanted.map(|(channel, filter)| (channel, self.read(channel, filter, &start, host)));
            match read {
                Some((channel, Ok(outcome))) => {
                    granted.push(name);
                    lost.extend(
                        outcome.filter(|outcome| !outcome.recovered).map(|outcome| (channel, outcome)),
                    );
                }
                Some((_, Err(refusal))) => {
                    denied.push(name);
                    full = full
                        .or(refusal.retry_after_ms().map(|millis| (format!("{name}: {refusal}"), millis)));
                }
                None => denied.push(name),
            }
        }
        host.send("subscribed", &messages::subscribed(&granted, &denied));
        if let Some((why, millis)) = full {
            host.send("error", &messages::limited(&why, millis));
        }
        for (channel, outcome) in lost {
            host.send("gap", &messages::not_recovered(channel, &outcome));
        }
        Ok(())
    }

    /// Reads a channel, or goes on reading it with another filter. Who asks for the past of a channel that it reads gets it again.
    fn read(
        &self,
        channel: Channel,
        filter: Option<Arc<Filter>>,
        start: &Start,
        host: &mut dyn Host,
    ) -> Result<Option<Outcome>, Refusal> {
        let topic = channel.topic();
        if *start == Start::Now && host.refine(topic, filter.clone()) {
            return Ok(None);
        }
        let view = view(self.transport, false);
        let request = Subscribe { start: start.clone(), filter, ..Subscribe::new(topic, view) };
        let outcome = match host.subscribe(&request) {
            Err(Refusal::AlreadySubscribed) => {
                host.unsubscribe(topic);
                host.subscribe(&request)?
            }
            outcome => outcome?,
        };
        Ok(Some(outcome))
    }
}

/// A channel, and what is wanted of it.
type Wanted = (Channel, Option<Arc<Filter>>);

/// The channel of a name, and what is wanted of it; `None` when there is no such channel.
fn wanted(name: &str, select: &Select<'_>) -> Result<Option<Wanted>, String> {
    let Some(channel) = Channel::of_name(name) else { return Ok(None) };
    Ok(Some((channel, select.filter(channel)?)))
}

impl Dialect for Connection {
    fn opened(&mut self, host: &mut dyn Host) {
        if let Standing::Unknown(millis) = self.standing {
            host.wake_after(millis);
        }
    }

    fn received(&mut self, message: Message<'_>, host: &mut dyn Host) {
        let Message::Text(text) = message else { return host.close(Disconnect::Binary) };
        let request = request::parse::<Request<'_>>(text.as_bytes());
        let introduces = |request: &Request<'_>| {
            request.kind == "ping" || (request.kind == "auth" && request.token.is_some())
        };
        if self.standing != Standing::Known && !request.as_ref().is_ok_and(introduces) {
            let why = "authenticate first: send {\"type\":\"auth\",\"token\":\"…\"}";
            return Self::fail(Code::AuthFailed, why, host);
        }
        if let Err(why) = request.and_then(|request| self.serve(&request, host)) {
            host.send("error", &messages::error(Code::InvalidMessage, &why));
        }
    }

    fn gap(&mut self, topic: &Topic, gap: Gap, host: &mut dyn Host) {
        if let Some(channel) = Channel::of_topic(topic.name()) {
            host.send("gap", &messages::gap(channel, gap));
        }
    }

    fn due(&mut self, host: &mut dyn Host) {
        if let Standing::Unknown(_) = self.standing {
            Self::fail(Code::AuthFailed, "no authentication came in time", host);
        }
    }

    fn authenticated(&mut self, verdict: Result<(), AuthError>, host: &mut dyn Host) {
        match verdict {
            Ok(()) => {
                self.standing = Standing::Known;
                let text = messages::auth_success(host.identity());
                host.send("auth_success", &text);
            }
            Err(error) => {
                host.send("error", &messages::auth_failed(error));
                if self.standing != Standing::Known {
                    host.close(disconnect(error, FAILED));
                }
            }
        }
    }

    fn asks_for(&self, message: Message<'_>) -> Vec<String> {
        let Message::Text(text) = message else { return Vec::new() };
        let Ok(request) = request::parse::<Request<'_>>(text.as_bytes()) else { return Vec::new() };
        let names =
            if request.kind == "subscribe" { request.names().unwrap_or_default() } else { Vec::new() };
        names.into_iter().filter_map(Channel::of_name).map(|channel| channel.topic().into()).collect()
    }

    fn limited(&mut self, _message: Message<'_>, retry_after_ms: u64, host: &mut dyn Host) {
        let why = "messages come too fast; this one was not looked at";
        host.send("error", &messages::limited(why, retry_after_ms));
    }
}
