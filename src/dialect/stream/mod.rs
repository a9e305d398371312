//! The `stream` protocol: what an agent hears, measures, thinks and logs, each on an endpoint of its own, or those that a client
//! subscribes to on one (docs/PROTOCOLS.md).

mod connection;
mod encode;
mod messages;
mod model;
mod request;

use std::sync::Arc;

use super::protocol::{Call, Fault, Method, Protocol, Reply};
use super::refuse::{Refuse, disconnect};
use super::{Start, position};
use crate::auth::{Action, Identity, Role};
use crate::engine::{Body, Misfit, Now};
use crate::error::Disconnect;
use crate::json::time;
use crate::limits::RETRY_AFTER_SECONDS;

pub use connection::Connection;
pub use model::Stream;

/// What the protocol can be told.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// How clients are refused.
    pub refuse: Refuse,
    /// Connections of one user; 0 for any number.
    pub connections_per_user: usize,
    /// Time between heartbeats, milliseconds.
    pub heartbeat_ms: u64,
    /// Time after which a quiet connection is closed, milliseconds; 0 for never.
    pub idle_ms: u64,
    /// Time for the first message of a client that has to subscribe, milliseconds.
    pub subscribe_ms: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Streams(Arc<Settings>);

/// Where a client comes in, and how it wants to be served.
#[derive(Clone, Debug, Default)]
pub struct Entrance {
    /// The stream it reads; `None` where it will subscribe.
    pub stream: Option<Stream>,
    /// Where reading starts, unless it says otherwise later.
    pub start: Start,
    /// Whether its events carry their positions.
    pub with_sequence: bool,
}

/// The name under which the connections of a user are counted.
fn place_of(identity: &Identity) -> String {
    format!("stream:user:{}", messages::user(identity))
}

/// Whether a role may read a stream.
fn role_allows(role: Role, stream: Stream) -> bool {
    stream != Stream::Log || role >= Role::Admin
}

impl Streams {
    /// The protocol, as `settings` say.
    pub fn new(settings: Settings) -> Self {
        Self(Arc::new(settings))
    }

    fn open(&self, call: &Call<'_>, stream: Option<Stream>) -> Result<Reply, Fault> {
        let refuse = |why, fault| self.0.refuse.web_socket(why, None, fault);
        let identity = match call.credential {
            Ok(identity) => identity,
            Err(error) => return refuse(disconnect(*error, "Authentication required"), Fault::from(*error)),
        };
        if let Some((why, fault)) = stream.and_then(|stream| forbidden(identity, stream)) {
            return refuse(why, fault);
        }
        if self.is_full(call, identity) {
            let fault = Fault::limited(connection::FULL, RETRY_AFTER_SECONDS * 1000);
            return refuse(Disconnect::policy(connection::FULL), fault);
        }
        let start = match start(call, stream) {
            Ok(start) => start,
            Err(fault) => return refuse(Disconnect::policy(fault.message.clone()), fault),
        };
        if let Some(stream) = stream.filter(|_| start != Start::Now)
            && let Err(fault) = call.allowed(Action::History, stream.topic())
        {
            return refuse(Disconnect::policy(fault.message.clone()), fault);
        }
        let with_sequence = matches!(call.parameter("sequence"), Some("1" | "true"));
        let (entrance, settings) = (Entrance { stream, start, with_sequence }, Arc::clone(&self.0));
        Ok(Reply::WebSocket(Box::new(move |transport| {
            Box::new(Connection::new(transport, entrance, settings))
        })))
    }

    fn is_full(&self, call: &Call<'_>, identity: &Identity) -> bool {
        let limit = self.0.connections_per_user;
        limit > 0 && call.node.counts.count(&place_of(identity)) >= limit
    }
}

/// Why somebody may not read a stream, if it may not.
fn forbidden(identity: &Identity, stream: Stream) -> Option<(Disconnect, Fault)> {
    if !role_allows(identity.role, stream) {
        let fault = Fault::new(403, "forbidden", "the log stream needs the role ADMIN");
        return Some((Disconnect::policy("Admin role required"), fault));
    }
    let fault = Fault::forbidden(Action::Subscribe);
    let allowed = identity.may(Action::Subscribe, stream.topic());
    (!allowed).then(|| (Disconnect::policy(fault.message.clone()), fault))
}

fn start(call: &Call<'_>, stream: Option<Stream>) -> Result<Start, Fault> {
    match (call.parameter("last_sequence"), call.parameter("since")) {
        (Some(_), _) if stream.is_none() => {
            Err(Fault::bad("last_sequence", "say it in the subscribe message, for each stream"))
        }
        (Some(text), _) => position::parse(text)
            .ok_or_else(|| Fault::bad("last_sequence", "the sequence of the last event, or epoch:sequence")),
        (None, Some(text)) => time::parse(text).map(Start::Since).map_err(|error| Fault::bad("since", error)),
        (None, None) => Ok(Start::Now),
    }
}

fn publish(call: &Call<'_>, stream: Stream) -> Result<Reply, Fault> {
    call.allowed(Action::Publish, stream.topic())?;
    Ok(Reply::Publish(stream.topic().into()))
}

impl Protocol for Streams {
    fn name(&self) -> &'static str {
        "stream"
    }

    fn serve(&self, call: &Call<'_>) -> Option<Result<Reply, Fault>> {
        let segment = call.path.strip_prefix("/v1/stream/")?;
        let stream = Stream::of_segment(segment);
        if stream.is_none() && segment != "all" {
            return None;
        }
        Some(match (call.method, stream) {
            (Method::Get, stream) => self.open(call, stream),
            (Method::Post, Some(stream)) => publish(call, stream),
            (_, Some(_)) => Err(Fault::method("GET, POST")),
            (_, None) => Err(Fault::method("GET")),
        })
    }

    fn owns(&self, topic: &str) -> bool {
        topic.starts_with(model::PREFIX)
    }

    fn admit(&self, topic: &str, body: Body, _now: Now) -> Result<Body, Misfit> {
        model::admit(topic, body)
    }
}
