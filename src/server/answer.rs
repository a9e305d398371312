//! Responses: mostly JSON, with a length and never cached.

use bytes::Bytes;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};

use super::body::Body;
use super::takeover::Takeover;
use crate::auth::AuthError;
use crate::dialect::refuse::Refuse;
use crate::dialect::topics::RequestError;
use crate::dialect::{Refusal, protocol};
use crate::engine::{TopicError, Unplaced};
use crate::json::envelope::Invalid;
use crate::json::text::{write_retry_after, write_string};
use crate::limits::RETRY_AFTER_SECONDS;
use crate::metrics::Limit;

/// What a request leads to.
pub enum Answer {
    /// A response, and the connection goes on.
    Response(Response<Body>),
    /// The connection becomes a stream.
    Stream(Box<Takeover>),
}

impl Answer {
    /// A stream whose client is told like this, if others refuse it.
    pub fn refused_by(mut self, refuse: Refuse) -> Self {
        if let Self::Stream(takeover) = &mut self {
            takeover.refuse = refuse;
        }
        self
    }
}

/// Why a request is not served.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Something in it is wrong.
    #[error("{1}")]
    Bad(&'static str, String),
    /// No credential, or not a good one.
    #[error(transparent)]
    Unauthorized(AuthError),
    /// A page that is not let in.
    #[error("pages of this origin may not connect; auth.origins lists those that may")]
    Origin,
    /// The credential does not allow it.
    #[error("the credential has no {0} grant for this topic")]
    Forbidden(&'static str),
    /// Nor does its role.
    #[error("this needs the role {0}")]
    Role(&'static str),
    /// Nothing is there.
    #[error("{0}")]
    NotFound(&'static str),
    /// Something is there, but not for this method.
    #[error("use {0} here")]
    Method(&'static str),
    /// Larger than a limit.
    #[error("{what} exceeds {limit} bytes; raise {setting} if that is intended")]
    TooLarge {
        /// What is.
        what: &'static str,
        /// The limit.
        limit: usize,
        /// The setting that holds it.
        setting: &'static str,
    },
    /// The body did not arrive in time or at all.
    #[error("the body did not arrive")]
    Incomplete,
    /// No room now.
    #[error("{0}")]
    Busy(String),
    /// A single event was not published.
    #[error(transparent)]
    Event(#[from] Unplaced),
    /// What a protocol says.
    #[error("{}", .0.message)]
    Protocol(protocol::Fault),
}

impl Fault {
    /// No place to wait for an event.
    pub fn too_many_waiting() -> Self {
        Self::Busy("too many requests wait for events; raise limits.waiting_reads or poll again".into())
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Bad(..) => StatusCode::BAD_REQUEST,
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) | Self::Role(_) | Self::Origin => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Incomplete => StatusCode::REQUEST_TIMEOUT,
            Self::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Event(Unplaced::Misfit(_)) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Event(Unplaced::Limited(_) | Unplaced::TooFast(_)) => StatusCode::TOO_MANY_REQUESTS,
            Self::Protocol(fault) => {
                StatusCode::from_u16(fault.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Bad(code, _) => code,
            Self::Unauthorized(_) => "unauthorized",
            Self::Forbidden(_) | Self::Role(_) => "forbidden",
            Self::Origin => "origin_not_allowed",
            Self::NotFound(_) => "not_found",
            Self::Method(_) => "method_not_allowed",
            Self::TooLarge { .. } => "too_large",
            Self::Incomplete => "incomplete",
            Self::Busy(_) => "busy",
            Self::Event(Unplaced::Misfit(_)) => "invalid_event",
            Self::Event(Unplaced::Limited(_) | Unplaced::TooFast(_)) => "rate_limited",
            Self::Protocol(fault) => fault.code,
        }
    }

    /// After how long the same request may be served.
    fn retry_after_ms(&self) -> Option<u64> {
        match self {
            Self::Busy(_) => Some(RETRY_AFTER_SECONDS * 1000),
            Self::Event(unplaced) => unplaced.retry_after_ms(),
            Self::Protocol(fault) => fault.retry_after_ms,
            _ => None,
        }
    }

    /// The member of an event that is wrong.
    fn field(&self) -> Option<&str> {
        match self {
            Self::Event(Unplaced::Misfit(misfit)) => Some(&misfit.field),
            Self::Protocol(fault) => fault.field.as_deref(),
            _ => None,
        }
    }

    /// The limit that was run into, where it is counted nowhere else.
    pub fn limit(&self) -> Option<Limit> {
        match self {
            Self::Protocol(fault) if fault.code == protocol::TOO_MANY => Some(Limit::ConnectionsOfProtocol),
            Self::TooLarge { setting: "limits.event_bytes", .. } => Some(Limit::EventBytes),
            Self::TooLarge { .. } => Some(Limit::BodyBytes),
            _ => None,
        }
    }

    /// What it says, as JSON.
    pub fn body(&self) -> Vec<u8> {
        let mut out = b"{\"error\":{\"code\":".to_vec();
        write_string(&mut out, self.code());
        out.extend_from_slice(b",\"message\":");
        write_string(&mut out, &self.to_string());
        if let Some(field) = self.field() {
            out.extend_from_slice(b",\"field\":");
            write_string(&mut out, field);
        }
        if let Some(millis) = self.retry_after_ms() {
            write_retry_after(&mut out, millis);
        }
        out.extend_from_slice(b"}}");
        out
    }

    /// The response that says so.
    pub fn response(&self) -> Response<Body> {
        let mut response = json(self.status(), self.body());
        let headers = response.headers_mut();
        match self {
            Self::Unauthorized(_) => {
                drop(headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")))
            }
            Self::Method(allowed) => drop(headers.insert(ALLOW, HeaderValue::from_static(allowed))),
            _ => {}
        }
        if let Some(millis) = self.retry_after_ms() {
            headers.insert(RETRY_AFTER, HeaderValue::from(millis.div_ceil(1000)));
        }
        response
    }
}

impl From<TopicError> for Fault {
    fn from(error: TopicError) -> Self {
        match error {
            TopicError::Name(_) => Self::Bad("invalid_topic", error.to_string()),
            TopicError::ReadOnly => Self::Forbidden("publish"),
            TopicError::TooMany(_) => Self::Busy(error.to_string()),
        }
    }
}

impl From<protocol::Fault> for Fault {
    fn from(fault: protocol::Fault) -> Self {
        Self::Protocol(fault)
    }
}

impl From<AuthError> for Fault {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Unavailable | AuthError::Denied | AuthError::Crowded => Self::Protocol(error.into()),
            error => Self::Unauthorized(error),
        }
    }
}

impl From<Invalid> for Fault {
    fn from(invalid: Invalid) -> Self {
        Self::Bad("invalid_event", invalid.to_string())
    }
}

impl From<RequestError> for Fault {
    fn from(error: RequestError) -> Self {
        Self::Bad("invalid_parameter", error.to_string())
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Bad(refusal.code(), refusal.to_string())
    }
}

/// A JSON response.
pub fn json(status: StatusCode, body: Vec<u8>) -> Response<Body> {
    with_type(status, "application/json", body)
}

/// A response of another type.
pub fn with_type(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
