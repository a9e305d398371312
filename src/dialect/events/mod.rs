//! The `events` protocol: the events of agents by session, in batches, filtered; and of all sessions, one by one.
//!
//! Documented in `docs/PROTOCOLS.md`. Events of session `s` are published to the topic `events.s`, from where they are
//! appended to the topic `events` as well.

mod encode;
mod history;
mod messages;
mod model;
mod reader;
mod request;
mod rest;
mod session;

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

pub use session::{FEED, topic_of};

use super::protocol::{Call, Fault, Method, Protocol, Reply};
use super::refuse::Refuse;
use super::{Linger, Start};
use crate::auth::{Action, AuthError};
use crate::engine::{Body, Misfit, Now};
use crate::error::Disconnect;
use crate::limits::RETRY_AFTER_SECONDS;
use crate::wire::percent;
use encode::{Shape, view};
use reader::{FULL, Reader, Wanted, place_of};

/// Settings of the protocol.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How clients are refused.
    pub refuse: Refuse,
    /// Clients of one session; 0 for any number.
    pub clients_per_session: usize,
    /// Batches, where the client does not say otherwise.
    pub linger: Linger,
}

/// See the module.
pub struct Events {
    settings: Settings,
    /// What ids made here begin with, so that those of two processes differ.
    life: u32,
    ids: AtomicU64,
}

/// When a place in a full session may be free again, milliseconds.
const RETRY_MS: u64 = RETRY_AFTER_SECONDS * 1000;

/// Where a path leads.
enum Path {
    All,
    Session(String),
    Metrics,
    Status,
    Sessions,
    SessionEvents(String),
    Publish,
}

impl Path {
    fn parse(path: &str) -> Option<Self> {
        Some(match path {
            "/ws/events" | "/ws/events/" => Self::All,
            "/api/websocket-metrics" => Self::Metrics,
            "/api/status" => Self::Status,
            "/api/sessions" => Self::Sessions,
            "/api/events" => Self::Publish,
            _ => match (path.strip_prefix("/ws/events/"), path.strip_prefix("/api/sessions/")) {
                (Some(session), _) if !session.contains('/') => Self::Session(percent::decode(session)),
                (_, Some(rest)) => {
                    let session = rest.strip_suffix("/events").filter(|session| !session.contains('/'))?;
                    Self::SessionEvents(percent::decode(session))
                }
                _ => return None,
            },
        })
    }
}

/// Why a WebSocket is refused: what it is told, and what an answer would say.
struct No(Disconnect, Fault);

impl Events {
    /// The protocol with these settings.
    pub fn new(settings: Settings) -> Self {
        let life = RandomState::new().hash_one("life") as u32;
        Self { settings, life, ids: AtomicU64::new(0) }
    }

    fn open(&self, call: &Call<'_>, session: Option<&str>) -> Result<Reply, Fault> {
        let wanted = match self.wanted(call, session) {
            Ok(wanted) => wanted,
            Err(No(why, fault)) => return self.settings.refuse.web_socket(why, None, fault),
        };
        let shape = match (session, wanted.linger) {
            (None, _) => Shape::Whole,
            (Some(_), None) => Shape::Single,
            (Some(_), Some(_)) => Shape::Batch,
        };
        Ok(Reply::WebSocket(Box::new(move |transport| {
            Box::new(Reader::new(Wanted { view: view(shape, transport), ..wanted }))
        })))
    }

    fn wanted(&self, call: &Call<'_>, session: Option<&str>) -> Result<Wanted, No> {
        let bad =
            |why: String| No(Disconnect::policy(why.clone()), Fault::new(400, "invalid_parameter", why));
        let topic =
            session.map_or(Ok(FEED.into()), topic_of).map_err(|error| bad(format!("session: {error}")))?;
        may_read(call, &topic)?;
        let filter = request::filter(call.query).map_err(bad)?;
        let linger = match session {
            Some(_) => request::linger(call.query, self.settings.linger).map_err(bad)?,
            None => None,
        };
        let clients_max = self.settings.clients_per_session;
        if let Some(session) = session
            && clients_max > 0
            && call.node.counts.count(&place_of(session)) >= clients_max
        {
            return Err(No(Disconnect::policy(FULL), Fault::limited(FULL, RETRY_MS)));
        }
        let (start, forgotten) = match request::since(call.query).map_err(bad)? {
            Some(since) => history::start(call, &topic, since)?,
            None => (Start::Now, false),
        };
        let (session, view) = (session.map(str::to_owned), view(Shape::Batch, super::Transport::WebSocket));
        Ok(Wanted { topic, session, start, view, filter, linger, clients_max, forgotten })
    }

    fn fresh_id(&self) -> String {
        format!("evt-{:08x}-{:x}", self.life, self.ids.fetch_add(1, Ordering::Relaxed))
    }
}

impl Protocol for Events {
    fn name(&self) -> &'static str {
        "events"
    }

    fn serve(&self, call: &Call<'_>) -> Option<Result<Reply, Fault>> {
        let path = Path::parse(call.path)?;
        Some(match (path, call.method) {
            (Path::All, Method::Get) => self.open(call, None),
            (Path::Session(session), Method::Get) => self.open(call, Some(&session)),
            (Path::Metrics, Method::Get) => rest::metrics(call),
            (Path::Status, Method::Get) => rest::status(call),
            (Path::Sessions, Method::Get) => rest::sessions(call),
            (Path::SessionEvents(session), Method::Get) => history::page(call, &session),
            (Path::SessionEvents(session), Method::Post) => rest::publish(&session),
            (Path::Publish, Method::Post) => rest::publish_named(call),
            (Path::SessionEvents(_), _) => Err(Fault::method("GET, POST")),
            (Path::Publish, _) => Err(Fault::method("POST")),
            _ => Err(Fault::method("GET")),
        })
    }

    fn reads(&self, call: &Call<'_>) -> Vec<String> {
        match (Path::parse(call.path), call.method) {
            (Some(Path::SessionEvents(session)), Method::Get) => topic_of(&session).into_iter().collect(),
            _ => Vec::new(),
        }
    }

    fn owns(&self, topic: &str) -> bool {
        topic == FEED || topic.starts_with(session::PREFIX)
    }

    fn admit(&self, topic: &str, body: Body, now: Now) -> Result<Body, Misfit> {
        let Some(session) = session::session_of(topic) else {
            let problem = format!("{topic:?} is the topic of no session; publish to events.<session>");
            return Err(Misfit { field: "topic".into(), problem });
        };
        model::admit(&session, &body, || self.fresh_id(), now)
    }

    fn feed(&self, _topic: &str) -> Option<&'static str> {
        Some(FEED)
    }
}

/// Whether the asker may read `topic` at all.
fn may_read(call: &Call<'_>, topic: &str) -> Result<(), No> {
    let refused = |error: AuthError| match error {
        AuthError::Expired => Disconnect::Expired,
        AuthError::Revoked => Disconnect::Revoked,
        AuthError::Missing | AuthError::Invalid => Disconnect::policy("Authentication required"),
        AuthError::Insufficient | AuthError::Denied | AuthError::Unavailable | AuthError::Crowded => {
            Disconnect::policy(error.to_string())
        }
    };
    let identity = call.credential.as_ref().map_err(|error| No(refused(*error), Fault::from(*error)))?;
    may(identity.may(Action::Subscribe, topic), Action::Subscribe)
}

fn may(allowed: bool, action: Action) -> Result<(), No> {
    let fault = Fault::forbidden(action);
    if allowed { Ok(()) } else { Err(No(Disconnect::policy(fault.message.clone()), fault)) }
}
