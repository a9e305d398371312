//! The texts of the protocol: each is `{"type":…,"timestamp":…,"data":…}`.

use super::super::text::{put, put_missed, put_number, put_string};
use super::super::{Gap, Outcome, position};
use super::model::Stream;
use crate::auth::Identity;
use crate::json::text::{write_retry_after, write_string};
use crate::json::time;

/// Appends a message; `at` are epoch and offset, where the client wants them.
pub fn write(
    out: &mut Vec<u8>,
    kind: &str,
    time_ms: u64,
    at: Option<(u64, u64)>,
    data: impl FnOnce(&mut Vec<u8>),
) {
    out.extend_from_slice(b"{\"type\":");
    write_string(out, kind);
    out.extend_from_slice(b",\"timestamp\":\"");
    time::write(out, time_ms);
    out.extend_from_slice(b"\",\"data\":");
    data(out);
    if let Some((epoch, offset)) = at {
        put_number(out, ",\"sequence\":", offset);
        put_number(out, ",\"epoch\":", epoch);
    }
    out.push(b'}');
}

fn message(kind: &str, time_ms: u64, data: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::with_capacity(160);
    write(&mut out, kind, time_ms, None, data);
    out
}

/// Who the client is, and, where it wants to know, where its reading begins.
pub fn auth(time_ms: u64, identity: &Identity, at: Option<(u64, u64)>) -> Vec<u8> {
    let mut out = Vec::with_capacity(160);
    write(&mut out, "auth", time_ms, at, |out| {
        put_string(out, "{\"authenticated\":true,\"user_id\":", user(identity));
        put_string(out, ",\"role\":", identity.role.name());
        out.push(b'}');
    });
    out
}

/// What a user is called; where no credentials are configured nobody has a name.
pub fn user(identity: &Identity) -> &str {
    if identity.name.is_empty() { "anonymous" } else { &identity.name }
}

/// A sign of life.
pub fn heartbeat(time_ms: u64) -> Vec<u8> {
    message("heartbeat", time_ms, |out| put(out, "{\"status\":\"alive\"}"))
}

/// The answer to a ping.
pub fn pong(time_ms: u64) -> Vec<u8> {
    message("pong", time_ms, |out| put(out, "{}"))
}

/// Something is wrong.
pub fn error(time_ms: u64, text: &str) -> Vec<u8> {
    message("error", time_ms, |out| {
        put_string(out, "{\"message\":", text);
        out.push(b'}');
    })
}

/// Something that may be asked for again after a while.
pub fn limited(time_ms: u64, text: &str, retry_after_ms: u64) -> Vec<u8> {
    message("error", time_ms, |out| {
        put_string(out, "{\"message\":", text);
        write_retry_after(out, retry_after_ms);
        out.push(b'}');
    })
}

fn lost(time_ms: u64, stream: Stream, gap: Option<Gap>) -> Vec<u8> {
    message("error", time_ms, |out| {
        put_string(out, "{\"message\":\"gap\",\"stream\":", stream.name());
        put_missed(out, gap);
        out.push(b'}');
    })
}

/// Events that the client has missed while it read.
pub fn gap(time_ms: u64, stream: Stream, gap: Gap) -> Vec<u8> {
    lost(time_ms, stream, Some(gap))
}

/// Events that were no longer there when the client came back.
pub fn not_recovered(time_ms: u64, stream: Stream, outcome: &Outcome) -> Vec<u8> {
    lost(time_ms, stream, outcome.gap())
}

/// Lists of names, each under its own, such as `subscribed` and `denied`.
pub fn lists(
    time_ms: u64,
    kind: &str,
    lists: &[(&str, &[&str])],
    places: Option<&[(Stream, u64, u64)]>,
) -> Vec<u8> {
    message(kind, time_ms, |out| {
        for (i, (name, words)) in lists.iter().enumerate() {
            out.push(if i == 0 { b'{' } else { b',' });
            write_string(out, name);
            put(out, ":[");
            for (i, word) in words.iter().enumerate() {
                put(out, if i == 0 { "" } else { "," });
                write_string(out, word);
            }
            out.push(b']');
        }
        if let Some(places) = places {
            write_places(out, places);
        }
        out.push(b'}');
    })
}

fn write_places(out: &mut Vec<u8>, places: &[(Stream, u64, u64)]) {
    put(out, ",\"positions\":{");
    for (i, (stream, epoch, offset)) in places.iter().enumerate() {
        put(out, if i == 0 { "" } else { "," });
        write_string(out, stream.name());
        put(out, ":\"");
        position::write(*epoch, *offset, out);
        out.push(b'"');
    }
    out.push(b'}');
}
