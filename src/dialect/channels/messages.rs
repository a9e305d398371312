//! The texts of the protocol.

use crate::auth::{AuthError, Identity};
use crate::dialect::{Gap, Outcome};
use crate::error::Disconnect;
use crate::json::text::{write_string, write_u64};
use crate::json::time;

use super::channel::Channel;

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

fn put(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

fn put_number(out: &mut Vec<u8>, name: &str, number: u64) {
    put(out, name);
    write_u64(out, number);
}

fn put_string(out: &mut Vec<u8>, name: &str, text: &str) {
    put(out, name);
    write_string(out, text);
}

/// Something is wrong.
pub fn error(code: Code, message: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    put_string(&mut out, "{\"type\":\"error\",\"code\":", code.name());
    put_string(&mut out, ",\"message\":", message);
    out.push(b'}');
    out
}

/// Something is wrong that time will change.
pub fn limited(message: &str, retry_after_ms: u64) -> Vec<u8> {
    let mut out = error(Code::RateLimited, message);
    out.pop();
    put(&mut out, &format!(",\"retry_after\":{:.3}}}", retry_after_ms as f64 / 1000.0));
    out
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

/// A credential that is no good.
pub fn auth_failed(error_found: AuthError) -> Vec<u8> {
    error(Code::AuthFailed, &error_found.to_string())
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

fn lost(channel: Channel, missed: Option<u64>, range: Option<Gap>) -> Vec<u8> {
    let mut out = Vec::with_capacity(96);
    put_string(&mut out, "{\"type\":\"gap\",\"channel\":", channel.name());
    match missed {
        Some(missed) => put_number(&mut out, ",\"missed\":", missed),
        None => put(&mut out, ",\"missed\":null"),
    }
    if let Some(gap) = range {
        put_number(&mut out, ",\"from\":", gap.from);
        put_number(&mut out, ",\"to\":", gap.to);
    }
    out.push(b'}');
    out
}

/// Events that the client has missed while it read.
pub fn gap(channel: Channel, gap: Gap) -> Vec<u8> {
    lost(channel, Some(gap.to + 1 - gap.from), Some(gap))
}

/// Events that were no longer there when the client came back.
pub fn not_recovered(channel: Channel, outcome: &Outcome) -> Vec<u8> {
    let range = outcome.missed.map(|missed| Gap { from: outcome.offset + 1 - missed, to: outcome.offset });
    lost(channel, outcome.missed, range)
}
