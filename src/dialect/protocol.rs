//! What a protocol is to the server: the requests it answers, the streams it opens, and the events it lets into the topics
//! that are its own. The server and ingest know protocols by this trait alone.

use std::sync::Arc;

use super::{Dialect, Transport};
use crate::auth::{Action, Identity, Permits, Verdict};
use crate::engine::{Body, Counts, Gate, Misfit, Now, Publish, Registry, Topic};

/// How a request is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET, and HEAD.
    Get,
    /// POST.
    Post,
    /// DELETE.
    Delete,
    /// Any other.
    Other,
}

/// The node, as far as a protocol may look into it.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    /// All topics.
    pub registry: &'a Registry,
    /// The door for publications.
    pub publisher: &'a dyn Publish,
    /// Connections under limits, by name.
    pub counts: &'a Counts,
    /// The time.
    pub now: Now,
}

/// A request.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// How.
    pub method: Method,
    /// The path as it was sent.
    pub path: &'a str,
    /// Decoded parameters.
    pub query: &'a [(String, String)],
    /// Finds a header by its name in lower case.
    pub header: &'a dyn Fn(&str) -> Option<String>,
    /// Whether the client wants to speak WebSocket.
    pub upgrade: bool,
    /// Who asks. Where no credentials are configured everybody is [`Identity::anonymous`].
    pub credential: &'a Verdict,
    /// The whole body, when [`Reply::NeedBody`] asked for it.
    pub body: Option<&'a [u8]>,
    /// Whether the wait that [`Reply::Wait`] asked for is over.
    pub waited: bool,
    /// What somebody else says about the topics that [`Protocol::reads`] has named; `None` where grants alone decide.
    pub permits: Option<&'a Permits>,
    /// The node.
    pub node: Node<'a>,
}

impl<'a> Call<'a> {
    /// The first value of a parameter.
    pub fn parameter(&self, name: &str) -> Option<&'a str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Who asks.
    ///
    /// # Errors
    /// Nobody that may ask anything.
    pub fn identity(&self) -> Result<&'a Arc<Identity>, Fault> {
        self.credential.as_ref().map_err(|error| Fault::from(*error))
    }

    /// Who asks, if that may do `action` on `topic`.
    ///
    /// # Errors
    /// It may not.
    pub fn allowed(&self, action: Action, topic: &str) -> Result<&'a Arc<Identity>, Fault> {
        let identity = self.identity()?;
        if !identity.may(action, topic) {
            return Err(Fault::forbidden(action));
        }
        if action == Action::Publish || self.is_permitted(topic) {
            Ok(identity)
        } else {
            Err(Fault::denied())
        }
    }

    /// Whether somebody else lets the asker read `topic`. A topic that nobody was asked about may not be read.
    pub fn is_permitted(&self, topic: &str) -> bool {
        self.permits.is_none_or(|permits| permits.iter().any(|(name, allowed)| *allowed && name == topic))
    }
}

/// Makes the state machine of a connection, once its transport is known.
pub type Open = Box<dyn FnOnce(Transport) -> Box<dyn Dialect> + Send>;

/// What a protocol makes of a request.
pub enum Reply {
    /// It becomes a WebSocket. The connection has the identity of the call, or is [`Identity::nobody`].
    WebSocket(Open),
    /// It becomes a WebSocket that ends as soon as it has told the client why it is refused.
    Refused(Open, Fault),
    /// It becomes a stream of server-sent events.
    Sse(Open),
    /// A JSON answer.
    Json(u16, Vec<u8>),
    /// The body is published to this topic, as `POST /v1/topics/{topic}` would; as a single event, if [`Self::NeedBody`] has
    /// asked for it before.
    Publish(String),
    /// This event is published to this topic, and answered as there.
    Event(String, Body),
    /// Ask again with the body; it is not larger than an event may be.
    NeedBody,
    /// Ask again when one of these topics has news, or, with [`Call::waited`], after so many seconds.
    Wait(Vec<Arc<Topic>>, u64),
    /// The answer comes later.
    Later(Later),
}

/// An answer that is not there yet. Who waits for it counts as a reader of the topics.
pub struct Later {
    /// When one of these has news, the answer may be there.
    pub topics: Vec<Arc<Topic>>,
    /// How long to wait for it, seconds.
    pub seconds: u64,
    /// Gives the answer, status and JSON, as soon as it is there. When it is told that the time is over, it must give one.
    pub answer: Answer,
}

/// Gives an answer once it is there, or the time is over.
pub type Answer = Box<dyn FnMut(bool) -> Option<(u16, Vec<u8>)> + Send>;

/// The code of a [`Fault`] that stands for a protocol's own bound on its connections.
pub const TOO_MANY: &str = "too_many";

/// Why a request is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// HTTP status.
    pub status: u16,
    /// A word for programs.
    pub code: &'static str,
    /// A sentence for people: what is wrong, and what would be right.
    pub message: String,
    /// After how long the same request may be served.
    pub retry_after_ms: Option<u64>,
    /// The member of an event that is wrong.
    pub field: Option<String>,
}

impl Fault {
    /// A refusal that time does not change.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after_ms: None, field: None }
    }

    /// Something in the request is wrong.
    pub fn bad(parameter: &str, problem: impl std::fmt::Display) -> Self {
        Self::new(400, "invalid_parameter", format!("{parameter}: {problem}"))
    }

    /// The credential does not allow it.
    pub fn forbidden(action: Action) -> Self {
        let message = format!("the credential has no {} grant for this topic", action.name());
        Self::new(403, "forbidden", message)
    }

    /// Grants allow it, and the backend that is asked besides does not.
    pub fn denied() -> Self {
        Self::new(403, "forbidden", "the server's backend does not allow this topic")
    }

    /// Too many or too fast.
    pub fn limited(message: impl Into<String>, retry_after_ms: u64) -> Self {
        Self { retry_after_ms: Some(retry_after_ms), ..Self::new(429, TOO_MANY, message) }
    }

    /// The path is right, the method is not.
    pub fn method(allowed: &'static str) -> Self {
        Self::new(405, "method_not_allowed", format!("use {allowed} here"))
    }
}

impl From<Misfit> for Fault {
    fn from(misfit: Misfit) -> Self {
        Self { field: Some(misfit.field.clone()), ..Self::new(422, "invalid_event", misfit.to_string()) }
    }
}

/// One protocol. Its paths and topics are its own: no two protocols serve the same.
pub trait Protocol: Send + Sync {
    /// Its name, in documents and metrics.
    fn name(&self) -> &'static str;

    /// Its answer to a request; `None` when the path is not one of its own.
    fn serve(&self, call: &Call<'_>) -> Option<Result<Reply, Fault>>;

    /// The topics whose events or state the answer to a request tells, for whoever must be asked first whether they may be
    /// read. Streams name theirs by [`Dialect::opens_with`], and are not meant.
    fn reads(&self, _call: &Call<'_>) -> Vec<String> {
        Vec::new()
    }

    /// Whether `topic` is its own.
    fn owns(&self, topic: &str) -> bool;

    /// Checks an event for one of its topics against its data model, and completes it.
    ///
    /// # Errors
    /// What is wrong, by name of the member.
    fn admit(&self, _topic: &str, body: Body, _now: Now) -> Result<Body, Misfit> {
        Ok(body)
    }

    /// A topic to which everything that is appended to `topic` is appended as well, for readers of all.
    fn feed(&self, _topic: &str) -> Option<&'static str> {
        None
    }

    /// Made once in the life of `topic`: what must see every event of it before it is appended, from the first on.
    fn gate(&self, _topic: &str) -> Option<Box<dyn Gate>> {
        None
    }

    /// What the readers of a topic are told when `dropped` events have come too fast for it since they were last told.
    fn dropped(&self, _dropped: u64) -> Option<Vec<u8>> {
        None
    }
}

/// All protocols of a node but the native one, which owns no topics and has routes of its own.
#[derive(Default)]
pub struct Protocols(Vec<Box<dyn Protocol>>);

impl Protocols {
    /// These.
    pub fn new(all: Vec<Box<dyn Protocol>>) -> Self {
        Self(all)
    }

    /// One more.
    #[must_use]
    pub fn with(mut self, protocol: impl Protocol + 'static) -> Self {
        self.0.push(Box::new(protocol));
        self
    }

    /// The answer of whichever serves the path.
    pub fn serve(&self, call: &Call<'_>) -> Option<Result<Reply, Fault>> {
        self.0.iter().find_map(|protocol| protocol.serve(call))
    }

    /// The topics that the answer tells of.
    pub fn reads(&self, call: &Call<'_>) -> Vec<String> {
        self.0.iter().flat_map(|protocol| protocol.reads(call)).collect()
    }

    /// Whose topic this is.
    pub fn owner(&self, topic: &str) -> Option<&dyn Protocol> {
        self.0.iter().map(|protocol| &**protocol).find(|protocol| protocol.owns(topic))
    }
}
