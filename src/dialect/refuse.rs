//! Saying no to a client that may not stay. Browsers show neither status nor body of a failed handshake, so a refusal is a
//! close frame by default: the handshake succeeds, the reason follows.

use super::protocol::{Fault, Reply};
use super::{Dialect, Gap, Host, Message};
use crate::auth::AuthError;
use crate::engine::Topic;
use crate::error::Disconnect;

/// How a client is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Refuse {
    /// Accepted, told why, and closed.
    #[default]
    Close,
    /// By HTTP status.
    Http,
}

/// A connection that ends as soon as it is open.
struct Refused {
    message: Option<Vec<u8>>,
    why: Disconnect,
}

impl Dialect for Refused {
    fn opened(&mut self, host: &mut dyn Host) {
        if let Some(message) = self.message.take() {
            host.send("error", &message);
        }
        host.close(self.why.clone());
    }

    fn received(&mut self, _message: Message<'_>, _host: &mut dyn Host) {}

    fn gap(&mut self, _topic: &Topic, _gap: Gap, _host: &mut dyn Host) {}
}

/// A WebSocket that is closed as soon as it is open.
pub fn closing(why: Disconnect) -> Box<dyn Dialect> {
    Box::new(Refused { message: None, why })
}

impl Refuse {
    /// A WebSocket that is refused: with `message`, if there is one, and `why`; or with `fault`.
    ///
    /// # Errors
    /// `fault`, where refusals are answers.
    pub fn web_socket(self, why: Disconnect, message: Option<Vec<u8>>, fault: Fault) -> Result<Reply, Fault> {
        match self {
            Self::Http => Err(fault),
            Self::Close => Ok(Reply::WebSocket(Box::new(|_| Box::new(Refused { message, why })))),
        }
    }
}

/// How a connection ends whose credential is no good: with `reason`, where the credential has none of its own.
pub fn disconnect(error: AuthError, reason: &'static str) -> Disconnect {
    match error {
        AuthError::Expired => Disconnect::Expired,
        AuthError::Revoked => Disconnect::Revoked,
        AuthError::Unavailable => Disconnect::Internal,
        AuthError::Crowded => Disconnect::policy("Connection limit reached"),
        _ => Disconnect::policy(reason),
    }
}

impl From<AuthError> for Fault {
    fn from(error: AuthError) -> Self {
        let status = match error {
            AuthError::Unavailable => 503,
            AuthError::Crowded => 429,
            AuthError::Denied => 403,
            _ => return Self::new(401, "unauthorized", error.to_string()),
        };
        Self { retry_after_ms: error.retry_after_ms(), ..Self::new(status, error.code(), error.to_string()) }
    }
}
