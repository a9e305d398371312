//! The `channels` protocol: events of six channels over a WebSocket, as a stream of server-sent events, and as pages of the past;
//! and sessions, in which agents are asked (docs/PROTOCOLS.md). Every path answers with `/api` in front of it too.

mod channel;
mod connection;
mod encode;
mod flat;
mod messages;
mod page;
mod publish;
mod query;
mod request;
mod select;
mod sessions;
mod sse;

use std::sync::Arc;

use super::protocol::{Call, Fault, Method, Protocol, Reply};
use super::refuse::{Refuse, disconnect};
use super::sessions::Sessions;
use crate::auth::{Action, AuthError};
use crate::engine::{Body, Misfit, Now};

pub use channel::Channel;
pub use connection::{Connection, Standing};

/// What the protocol can be told.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// How clients are refused.
    pub refuse: Refuse,
    /// Time a client has to authenticate by its first message, milliseconds.
    pub auth_ms: u64,
    /// Who answers questions; nobody does without.
    pub sessions: Option<Arc<dyn Sessions>>,
    /// How long an answer that comes as a whole is waited for, seconds.
    pub answer_seconds: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Channels(Settings);

impl Channels {
    /// The protocol, as `settings` say.
    pub fn new(settings: Settings) -> Self {
        Self(settings)
    }

    fn open(&self, call: &Call<'_>) -> Result<Reply, Fault> {
        let standing = match call.credential {
            Ok(_) => Standing::Known,
            Err(AuthError::Missing) => Standing::Unknown(self.0.auth_ms),
            Err(error) => {
                let why = disconnect(*error, connection::FAILED);
                return self.0.refuse.web_socket(why, Some(messages::auth_failed(*error)), (*error).into());
            }
        };
        Ok(Reply::WebSocket(Box::new(move |transport| Box::new(Connection::new(transport, standing)))))
    }
}

fn subscribe(call: &Call<'_>) -> Result<Reply, Fault> {
    let parts = query::stream(call)?;
    Ok(Reply::Sse(Box::new(move |transport| Box::new(sse::Events::new(transport, parts)))))
}

fn read(call: &Call<'_>) -> Result<Reply, Fault> {
    page::answer(&query::page(call)?, call.waited, &call.node)
}

fn replay(call: &Call<'_>) -> Result<Reply, Fault> {
    call.identity()?;
    let Some(body) = call.body else { return Ok(Reply::NeedBody) };
    let body = request::parse(body).map_err(|error| Fault::new(400, "invalid_body", error))?;
    page::answer(&query::replay(call, &body)?, true, &call.node)
}

fn publish_to(call: &Call<'_>, name: &str) -> Result<Reply, Fault> {
    let channel = Channel::of_name(name).ok_or_else(|| {
        Fault::new(404, "not_found", format!("there is no such channel; there are {}", channel::NAMES))
    })?;
    call.allowed(Action::Publish, channel.topic())?;
    Ok(Reply::Publish(channel.topic().into()))
}

/// The path without what stands in front of all of them.
fn below<'a>(call: &Call<'a>) -> Option<&'a str> {
    call.path.strip_prefix("/api").unwrap_or(call.path).strip_prefix("/v1/")
}

impl Protocol for Channels {
    fn name(&self) -> &'static str {
        "channels"
    }

    fn serve(&self, call: &Call<'_>) -> Option<Result<Reply, Fault>> {
        let path = below(call)?;
        if let Some(sessions) = &self.0.sessions {
            let served = sessions::Served { sessions, answer_seconds: self.0.answer_seconds, call };
            if let Some(reply) = sessions::serve(&served, path) {
                return Some(reply);
            }
        }
        let channel = path.strip_prefix("channels/").and_then(|rest| rest.strip_suffix("/events"));
        Some(match (path, call.method, channel) {
            (_, Method::Post, Some(channel)) => publish_to(call, channel),
            (_, _, Some(_)) => Err(Fault::method("POST")),
            ("ws", Method::Get, _) => self.open(call),
            ("events/subscribe", Method::Get, _) => subscribe(call),
            ("events", Method::Get, _) => read(call),
            ("events", Method::Post, _) => publish::event(call),
            ("events/replay", Method::Post, _) => replay(call),
            ("ws" | "events/subscribe", ..) => Err(Fault::method("GET")),
            ("events", ..) => Err(Fault::method("GET, POST")),
            ("events/replay", ..) => Err(Fault::method("POST")),
            _ => return None,
        })
    }

    /// The body of a replay, which may name channels too, has yet to be read then.
    fn reads(&self, call: &Call<'_>) -> Vec<String> {
        match (below(call), call.method) {
            (Some("events"), Method::Get) | (Some("events/replay"), Method::Post) => query::reads(call),
            (Some(path), _) => sessions::reads(call, path),
            _ => Vec::new(),
        }
    }

    fn owns(&self, topic: &str) -> bool {
        topic.starts_with(channel::PREFIX)
    }

    fn admit(&self, topic: &str, body: Body, _now: Now) -> Result<Body, Misfit> {
        channel::admit(topic, body)
    }
}
