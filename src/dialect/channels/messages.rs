//! The texts of the protocol.

use super::super::text::{put, put_missed, put_string};
use super::super::{Gap, Outcome};
use super::channel::Channel;
use crate::auth::{AuthError, Identity};
use crate::error::Disconnect;
use crate::json::text::write_retry_after;
use crate::json::time;

/// What an error is to programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Messages come too fast.
    RateLimited,
    /// Something took too long.
    Timeout,
    /// The connection ends; another may be made.
    ConnectionLost,
    /// No credential, or none that is good.
    AuthFailed,
    /// The message is none.
    InvalidMessage,
}

impl Code {
    fn name(self) -> &'static str {
        match self {
            Self::RateLimited => "RATE_LIMITED",
            Self::Timeout => "TIMEOUT",
            Self::ConnectionLost => "CONNECTION_LOST",
            Self::AuthFailed => "AUTH_FAILED",
            Self::InvalidMessage => "INVALID_MESSAGE",
        }
    }
}

/// Something is wrong.
pub fn error(code: Code, message: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    put_string(&mut out, "{\"type\":\"error\",\"code\":", code.name());
    put_string(&mut out, ",\"message\":", message);
    out.push(b'}');
    out
}

/// Something is wrong that time may change.
fn error_for_now(code: Code, message: &str, retry_after_ms: u64) -> Vec<u8> {
    let mut out = error(code, message);
    out.pop();
    write_retry_after(&mut out, retry_after_ms);
    out.push(b'}');
    out
}

/// Something that may be asked for again after a while.
pub fn limited(message: &str, retry_after_ms: u64) -> Vec<u8> {
    error_for_now(Code::RateLimited, message, retry_after_ms)
}

/// Why a stream without a close frame ends.
pub fn closing(why: &Disconnect) -> Vec<u8> {
    let code = match why {
        Disconnect::Policy(_) | Disconnect::Expired | Disconnect::Revoked => Code::AuthFailed,
        Disconnect::IdleTimeout => Code::Timeout,
        _ => Code::ConnectionLost,
    };
    error(code, &why.reason())
}

/// A credential that is no good, or not now.
pub fn auth_failed(found: AuthError) -> Vec<u8> {
    let code = if found == AuthError::Crowded { Code::RateLimited } else { Code::AuthFailed };
    match found.retry_after_ms() {
        Some(millis) => error_for_now(code, &found.to_string(), millis),
        None => error(code, &found.to_string()),
    }
}

/// Who the client is.
pub fn auth_success(identity: &Identity) -> Vec<u8> {
    let name = if identity.name.is_empty() { "anonymous" } else { &identity.name };
    let person = &identity.profile;
    let mut out = Vec::with_capacity(160);
    put_string(&mut out, "{\"type\":\"auth_success\",\"user\":{\"id\":", name);
    put_string(&mut out, ",\"email\":", &person.email);
    put_string(&mut out, ",\"name\":", if person.name.is_empty() { name } else { &person.name });
    put_string(&mut out, ",\"role\":", identity.role.name());
    put(&mut out, "}}");
    out
}

/// The answer to a ping.
pub fn pong(time_ms: u64) -> Vec<u8> {
    let mut out = b"{\"type\":\"pong\",\"timestamp\":\"".to_vec();
    time::write(&mut out, time_ms);
    put(&mut out, "\"}");
    out
}

fn list(out: &mut Vec<u8>, name: &str, words: &[&str]) {
    put(out, name);
    for (i, word) in words.iter().enumerate() {
        put_string(out, if i == 0 { "" } else { "," }, word);
    }
    out.push(b']');
}

/// What is read from now on, of what was asked for.
pub fn subscribed(channels: &[&str], denied: &[&str]) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    list(&mut out, "{\"type\":\"subscribed\",\"channels\":[", channels);
    list(&mut out, ",\"denied\":[", denied);
    out.push(b'}');
    out
}

/// What is read no longer.
pub fn unsubscribed(channels: &[&str]) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    list(&mut out, "{\"type\":\"unsubscribed\",\"channels\":[", channels);
    out.push(b'}');
    out
}

fn lost(channel: Channel, gap: Option<Gap>) -> Vec<u8> {
    let mut out = Vec::with_capacity(96);
    put_string(&mut out, "{\"type\":\"gap\",\"channel\":", channel.name());
    put_missed(&mut out, gap);
    out.push(b'}');
    out
}

/// Events that the client has missed while it read.
pub fn gap(channel: Channel, gap: Gap) -> Vec<u8> {
    lost(channel, Some(gap))
}

/// Events that were no longer there when the client came back.
pub fn not_recovered(channel: Channel, outcome: &Outcome) -> Vec<u8> {
    lost(channel, outcome.gap())
}
