//! Saying no to a client that may not stay. Browsers show neither status nor body of a failed handshake, so a refusal is a
//! close frame by default: the handshake succeeds, the reason follows.

use super::protocol::{Fault, Reply};
use super::{Dialect, Gap, Host, Message};
use crate::auth::AuthError;
use crate::engine::Topic;
use crate::error::Disconnect;
use crate::limits::RETRY_AFTER_SECONDS;

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

impl From<AuthError> for Fault {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Unavailable => {
                Self { retry_after_ms: Some(1000), ..Self::new(503, "unavailable", error.to_string()) }
            }
            AuthError::Crowded => Self {
                retry_after_ms: Some(RETRY_AFTER_SECONDS * 1000),
                ..Self::new(429, "too_many_connections_of_user", error.to_string())
            },
            AuthError::Denied => Self::new(403, "denied", error.to_string()),
            _ => Self::new(401, "unauthorized", error.to_string()),
        }
    }
}
