//! The messages that are no events.

use crate::json::text::{write_retry_after, write_string, write_u64};
use crate::json::time;

/// `{"type":…,"timestamp":…`, without its end.
fn begin(kind: &str, now_ms: u64) -> Vec<u8> {
    let mut out = b"{\"type\":".to_vec();
    write_string(&mut out, kind);
    out.extend_from_slice(b",\"timestamp\":\"");
    time::write(&mut out, now_ms);
    out.push(b'"');
    out
}

fn member(out: &mut Vec<u8>, name: &str, text: &str) {
    out.extend_from_slice(name.as_bytes());
    write_string(out, text);
}

pub(super) fn pong(now_ms: u64) -> Vec<u8> {
    let mut out = begin("pong", now_ms);
    out.push(b'}');
    out
}

/// The answer to a token that was accepted.
pub(super) fn authenticated(user: &str, now_ms: u64) -> Vec<u8> {
    let mut out = begin("auth_success", now_ms);
    member(&mut out, ",\"user_id\":", user);
    out.push(b'}');
    out
}

pub(super) fn error(code: &str, message: &str, now_ms: u64) -> Vec<u8> {
    let mut out = begin("error", now_ms);
    member(&mut out, ",\"code\":", code);
    member(&mut out, ",\"message\":", message);
    out.push(b'}');
    out
}

pub(super) fn limited(retry_after_ms: u64, now_ms: u64) -> Vec<u8> {
    let mut out = error("rate_limited", "messages come too fast; this one was not looked at", now_ms);
    out.pop();
    write_retry_after(&mut out, retry_after_ms);
    out.push(b'}');
    out
}

/// Events that the client will not get. It has the members of an empty batch too, so that clients which know nothing but
/// batches pass over it.
pub(super) fn gap(session: Option<&str>, missed: Option<u64>, now_ms: u64) -> Vec<u8> {
    let mut out = begin("gap", now_ms);
    out.extend_from_slice(b",\"session_id\":");
    match session {
        Some(session) => write_string(&mut out, session),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"missed\":");
    match missed {
        Some(missed) => write_u64(&mut out, missed),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"count\":0,\"events\":[]}");
    out
}
