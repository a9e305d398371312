//! The texts of the protocol that are for one client alone. None of them has a `sequence`: that is what events have.

use super::refused::Refused;
use crate::auth::{AuthError, Identity};
use crate::dialect::sessions::Session;
use crate::dialect::text::{put, put_missed, put_number, put_string};
use crate::dialect::{Gap, sessions::name};
use crate::json::text::write_retry_after;
use crate::json::time;

/// The client is known.
pub fn auth_success(identity: &Identity) -> Vec<u8> {
    let id = if identity.name.is_empty() { "anonymous" } else { &identity.name };
    let person = &identity.profile;
    let mut out = Vec::with_capacity(192);
    put(&mut out, "{\"type\":\"auth_success\",\"message\":\"Authentication successful\"");
    put_string(&mut out, ",\"user\":{\"id\":", id);
    put_string(&mut out, ",\"email\":", &person.email);
    put_string(&mut out, ",\"name\":", if person.name.is_empty() { id } else { &person.name });
    put(&mut out, "}}");
    out
}

/// The client is not: its credential is no good, or the server cannot take it now.
pub fn auth_error(found: AuthError) -> Vec<u8> {
    let is_bad =
        matches!(found, AuthError::Missing | AuthError::Invalid | AuthError::Expired | AuthError::Revoked);
    let mut out = Vec::with_capacity(96);
    if is_bad {
        put(&mut out, "{\"type\":\"auth_error\",\"message\":\"Invalid token\"");
    } else {
        put_string(&mut out, "{\"type\":\"auth_error\",\"message\":", &found.to_string());
        put_string(&mut out, ",\"reason\":", found.code());
    }
    if let Some(millis) = found.retry_after_ms() {
        write_retry_after(&mut out, millis);
    }
    out.push(b'}');
    out
}

/// Something was not done; `session` is the one that was named.
pub fn error(refused: &Refused, session: Option<&str>) -> Vec<u8> {
    let mut out = Vec::with_capacity(160);
    put_string(&mut out, "{\"type\":\"error\",\"error\":", &refused.message);
    put_string(&mut out, ",\"code\":", refused.code);
    if let Some(reason) = refused.reason {
        put_string(&mut out, ",\"reason\":", reason);
    }
    if let Some(millis) = refused.retry_after_ms {
        write_retry_after(&mut out, millis);
    }
    // The document's own errors are as they stand there.
    if let Some(session) = session.filter(|_| refused.reason.is_some()) {
        put_string(&mut out, ",\"session_id\":", session);
    }
    out.push(b'}');
    out
}

/// The answer to a ping.
pub fn pong(time_ms: u64) -> Vec<u8> {
    let mut out = b"{\"type\":\"pong\",\"timestamp\":\"".to_vec();
    time::write(&mut out, time_ms);
    put(&mut out, "\"}");
    out
}

/// The client reads a session from now on, behind the event `last_sequence`; `kind` says how that came about.
pub fn reading(kind: &str, id: &str, session: Option<&Session>, last_sequence: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    put_string(&mut out, "{\"type\":", kind);
    put_string(&mut out, ",\"session_id\":", id);
    put_string(&mut out, ",\"status\":", session.map_or("idle", |session| session.status.name()));
    put_number(&mut out, ",\"turns\":", session.map_or(0, |session| session.turns));
    put_number(&mut out, ",\"last_sequence\":", last_sequence);
    out.push(b'}');
    out
}

/// Something about a session that needs no more words than this.
pub fn of_session(kind: &str, id: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    put_string(&mut out, "{\"type\":", kind);
    put_string(&mut out, ",\"session_id\":", id);
    out.push(b'}');
    out
}

/// Events of a session that the client has not got, and will not; without a gap nobody knows which.
pub fn gap(topic: &str, gap: Option<Gap>) -> Vec<u8> {
    let mut out = Vec::with_capacity(96);
    put_string(&mut out, "{\"type\":\"gap\",\"session_id\":", &name::id_of(topic));
    put_missed(&mut out, gap);
    out.push(b'}');
    out
}

/// The newest answer of a session up to the event `last_sequence`; without a text its beginning is no longer kept.
pub fn snapshot(id: &str, text: Option<&str>, last_sequence: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(96 + text.map_or(0, str::len));
    put_string(&mut out, "{\"type\":\"snapshot\",\"session_id\":", id);
    match text {
        Some(text) => {
            put(&mut out, ",\"response\":\"");
            put(&mut out, text);
            out.push(b'"');
        }
        None => put(&mut out, ",\"response\":null"),
    }
    put_number(&mut out, ",\"last_sequence\":", last_sequence);
    out.push(b'}');
    out
}

/// What is told of a session and not kept, with the session's id behind it.
pub fn noticed(topic: &str, text: &[u8]) -> Vec<u8> {
    let mut out = text.strip_suffix(b"}").unwrap_or(text).to_vec();
    put_string(&mut out, ",\"session_id\":", &name::id_of(topic));
    out.push(b'}');
    out
}
