//! The `chat` protocol: questions over a WebSocket, answered token by token (docs/PROTOCOLS.md).
//!
//! What a client sees of a session is the session's topic in this protocol's words: whoever asks, joins or resumes reads it like
//! any other topic, and nobody passes tokens on by hand.

mod connection;
mod encode;
mod messages;
mod post;
mod refused;
mod request;
mod session;

use std::sync::Arc;

use super::protocol::{Call, Fault, Method, Protocol, Reply};
use super::sessions::Sessions;
use connection::{Connection, Entrance};

/// What the protocol can be told.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Who answers questions; nobody does without.
    pub sessions: Option<Arc<dyn Sessions>>,
    /// Time that a request waits for its answer, seconds.
    pub answer_seconds: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Chat(Settings);

impl Chat {
    /// The protocol, as `settings` say.
    pub fn new(settings: Settings) -> Self {
        Self(settings)
    }

    /// Who comes without a good credential may stay, and show another.
    fn open(&self, call: &Call<'_>) -> Reply {
        let (sessions, entrance) = (self.0.sessions.clone(), Entrance::of(call));
        Reply::WebSocket(Box::new(move |transport| Box::new(Connection::new(transport, sessions, entrance))))
    }
}

impl Protocol for Chat {
    fn name(&self) -> &'static str {
        "chat"
    }

    fn serve(&self, call: &Call<'_>) -> Option<Result<Reply, Fault>> {
        Some(match (call.path, call.method) {
            ("/ws/chat", Method::Get) => Ok(self.open(call)),
            ("/ws/chat", _) => Err(Fault::method("GET")),
            ("/api/v1/chat", Method::Post) => post::answer(&self.0, call),
            ("/api/v1/chat", _) => Err(Fault::method("POST")),
            _ => return None,
        })
    }

    /// The topics of sessions are nobody's own: every protocol that knows sessions reads them.
    fn owns(&self, _topic: &str) -> bool {
        false
    }
}
