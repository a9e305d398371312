//! Why something that a client wants is not done.

use crate::dialect::Refusal;
use crate::dialect::protocol::Fault;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// A word for programs, of the protocol.
    pub code: &'static str,
    /// A sentence for people.
    pub message: String,
    /// A word for programs that is the same in all protocols.
    pub reason: Option<&'static str>,
    /// After how long the same may be asked again, milliseconds.
    pub retry_after_ms: Option<u64>,
}

/// Something is not allowed to this credential.
const FORBIDDEN: &str = "FORBIDDEN";
/// What is said is none of the protocol's messages.
const INVALID: &str = "INVALID_MESSAGE";
/// Something comes too fast, or there is too much of it.
const RATE_LIMITED: &str = "RATE_LIMITED";
/// There is no such session, or none any more.
const NOT_FOUND: &str = "SESSION_NOT_FOUND";
/// There is nothing in the session that could be meant.
const NO_MESSAGE: &str = "MESSAGE_NOT_FOUND";
/// A question failed.
pub const PROCESSING: &str = "PROCESSING_ERROR";

fn refused(code: &'static str, message: impl Into<String>) -> Refused {
    Refused { code, message: message.into(), reason: None, retry_after_ms: None }
}

/// The message is none.
pub fn invalid(message: impl Into<String>) -> Refused {
    refused(INVALID, message)
}

/// Nobody in particular may ask.
pub fn unknown() -> Refused {
    refused("AUTH_REQUIRED", "Authentication required")
}

/// There is nothing to answer.
pub fn empty() -> Refused {
    refused("EMPTY_MESSAGE", "Message is required")
}

/// Messages come too fast.
pub fn limited(retry_after_ms: u64) -> Refused {
    let message = "messages come too fast; this one was not looked at";
    let reason = Some("rate_limited");
    Refused { reason, retry_after_ms: Some(retry_after_ms), ..refused(RATE_LIMITED, message) }
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        let code = match fault.status {
            400 | 413 | 422 => INVALID,
            401 | 403 => FORBIDDEN,
            404 => NOT_FOUND,
            429 => RATE_LIMITED,
            _ => PROCESSING,
        };
        let Fault { message, retry_after_ms, .. } = fault;
        Self { code, message, reason: Some(fault.code), retry_after_ms }
    }
}

impl Refused {
    /// The same, about something in a session that was found.
    pub fn within(self) -> Self {
        if self.code == NOT_FOUND { Self { code: NO_MESSAGE, ..self } } else { self }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal {
            Refusal::Forbidden(_) | Refusal::Denied | Refusal::Expired => FORBIDDEN,
            Refusal::TooManySubscriptions | Refusal::TopicFull => RATE_LIMITED,
            _ => PROCESSING,
        };
        let reason = Some(refusal.code());
        Self { reason, retry_after_ms: refusal.retry_after_ms(), ..refused(code, refusal.to_string()) }
    }
}

/// There is nobody to ask.
pub fn nobody() -> Refused {
    processing("this server answers no questions")
}

/// A question failed.
pub fn processing(message: &str) -> Refused {
    refused(PROCESSING, message)
}
