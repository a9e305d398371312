//! The texts of the native protocol.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub use super::super::position::write as write_position;
use super::super::text::{put, put_number, put_string};
use super::super::{Gap, Outcome, Refusal};
use crate::auth::{AuthError, Identity};
use crate::engine::presence::Member;
use crate::engine::{Content, Entry, Topic};
use crate::error::Disconnect;
use crate::json::text::{fold_line_breaks, write_retry_after, write_string};
use crate::json::time;

/// Appends an event. The published bytes are copied as they are; on one-line transports line breaks between
/// JSON tokens become spaces.
pub fn write_event(topic: &Topic, entry: &Entry, one_line: bool, out: &mut Vec<u8>) {
    put_string(out, "{\"type\":\"event\",\"topic\":", topic.name());
    put_number(out, ",\"offset\":", entry.offset);
    put(out, ",\"id\":");
    if entry.body.id().is_empty() {
        out.push(b'"');
        write_position(topic.epoch(), entry.offset, out);
        out.push(b'"');
    } else {
        write_string(out, entry.body.id());
    }
    put(out, ",\"time\":\"");
    time::write(out, entry.time_ms);
    put_string(out, "\",\"event\":", entry.body.event());
    write_attributes(entry, out);
    write_data(entry, one_line, out);
    out.push(b'}');
}

fn write_attributes(entry: &Entry, out: &mut Vec<u8>) {
    if !entry.body.key().is_empty() {
        put_string(out, ",\"key\":", entry.body.key());
    }
    let mut separator = ",\"tags\":[";
    for tag in entry.body.tags() {
        put_string(out, separator, tag);
        separator = ",";
    }
    if separator == "," {
        out.push(b']');
    }
}

fn write_data(entry: &Entry, one_line: bool, out: &mut Vec<u8>) {
    let data = entry.body.data();
    match entry.body.content() {
        Content::Json => {
            put(out, ",\"data\":");
            if one_line {
                out.extend_from_slice(&fold_line_breaks(data));
            } else {
                out.extend_from_slice(data);
            }
        }
        Content::Binary => {
            put_string(out, ",\"content_type\":", entry.body.content_type());
            put(out, ",\"data_base64\":\"");
            put(out, &STANDARD.encode(data));
            out.push(b'"');
        }
    }
}

/// The text of an outcome; `reference` is the client's, as JSON.
pub(super) fn subscribed(outcome: &Outcome, pattern: Option<&str>, reference: Option<&str>) -> Vec<u8> {
    let mut out = Vec::with_capacity(160);
    put_string(&mut out, "{\"type\":\"subscribed\",\"topic\":", outcome.topic.name());
    put_number(&mut out, ",\"epoch\":", outcome.topic.epoch());
    put_number(&mut out, ",\"offset\":", outcome.offset);
    put(&mut out, if outcome.recovered { ",\"recovered\":true" } else { ",\"recovered\":false" });
    match outcome.missed {
        Some(missed) => put_number(&mut out, ",\"missed\":", missed),
        None => put(&mut out, ",\"missed\":null"),
    }
    if let Some(pattern) = pattern {
        put_string(&mut out, ",\"pattern\":", pattern);
    }
    finish(out, reference)
}

/// The answer to a subscription to a pattern.
pub(super) fn watching(pattern: &str, topics: usize, reference: Option<&str>) -> Vec<u8> {
    let mut out = Vec::new();
    put_string(&mut out, "{\"type\":\"subscribed\",\"pattern\":", pattern);
    put_number(&mut out, ",\"topics\":", topics as u64);
    finish(out, reference)
}

pub(super) fn unsubscribed(topic: &str, reference: Option<&str>) -> Vec<u8> {
    let mut out = Vec::new();
    put_string(&mut out, "{\"type\":\"unsubscribed\",\"topic\":", topic);
    finish(out, reference)
}

pub(super) fn published(topic: &Topic, offset: u64, duplicate: bool, reference: Option<&str>) -> Vec<u8> {
    let mut out = Vec::new();
    put_string(&mut out, "{\"type\":\"published\",\"topic\":", topic.name());
    put_number(&mut out, ",\"epoch\":", topic.epoch());
    match offset {
        0 => put(&mut out, ",\"offset\":null,\"held\":true"),
        offset => put_number(&mut out, ",\"offset\":", offset),
    }
    if duplicate {
        put(&mut out, ",\"duplicate\":true");
    }
    finish(out, reference)
}

pub(super) fn pong(now_ms: u64, reference: Option<&str>) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, "{\"type\":\"pong\",\"timestamp\":\"");
    time::write(&mut out, now_ms);
    out.push(b'"');
    finish(out, reference)
}

/// Why it is not.
pub(super) fn unauthenticated(error: AuthError, reference: Option<&str>) -> Vec<u8> {
    error_until(error.code(), &error.to_string(), error.retry_after_ms(), reference)
}

/// Who the client is from now on.
pub(super) fn authenticated(identity: &Identity, reference: Option<&str>) -> Vec<u8> {
    let mut out = Vec::new();
    put_string(&mut out, "{\"type\":\"authenticated\",\"user\":", &identity.name);
    put(&mut out, ",\"expires\":");
    match identity.expires_ms {
        Some(end) => {
            out.push(b'"');
            time::write(&mut out, end);
            out.push(b'"');
        }
        None => put(&mut out, "null"),
    }
    finish(out, reference)
}

pub(super) fn presence(topic: &str, members: &[(String, Member)], reference: Option<&str>) -> Vec<u8> {
    let mut out = Vec::new();
    put_string(&mut out, "{\"type\":\"presence\",\"topic\":", topic);
    put_number(&mut out, ",\"count\":", members.len() as u64);
    put(&mut out, ",\"members\":[");
    for (i, (user, member)) in members.iter().enumerate() {
        put(&mut out, if i == 0 { "" } else { "," });
        write_member(user, member, &mut out);
    }
    out.push(b']');
    finish(out, reference)
}

/// Appends who is present.
pub fn write_member(user: &str, member: &Member, out: &mut Vec<u8>) {
    put_string(out, "{\"user\":", user);
    put(out, ",\"info\":");
    out.extend_from_slice(member.info.as_deref().unwrap_or(b"null"));
    put_number(out, ",\"connections\":", u64::from(member.connections));
    out.push(b'}');
}

pub(super) fn gap(topic: &Topic, gap: Gap) -> Vec<u8> {
    let mut out = Vec::new();
    put_string(&mut out, "{\"type\":\"gap\",\"topic\":", topic.name());
    put_number(&mut out, ",\"epoch\":", topic.epoch());
    put_number(&mut out, ",\"from\":", gap.from);
    put_number(&mut out, ",\"to\":", gap.to);
    put_number(&mut out, ",\"missed\":", gap.to + 1 - gap.from);
    finish(out, None)
}

pub(super) fn closed(why: Disconnect) -> Vec<u8> {
    let mut out = Vec::new();
    put_number(&mut out, "{\"type\":\"close\",\"code\":", u64::from(why.code()));
    put_string(&mut out, ",\"reason\":", &why.reason());
    finish(out, None)
}

pub(super) fn refused(refusal: &Refusal, reference: Option<&str>) -> Vec<u8> {
    error_until(refusal.code(), &refusal.to_string(), refusal.retry_after_ms(), reference)
}

/// The answer to a message that came too fast.
pub(super) fn limited(retry_after_ms: u64, reference: Option<&str>) -> Vec<u8> {
    let text = "messages come faster than this connection may send them; this one was not looked at";
    error_until("rate_limited", text, Some(retry_after_ms), reference)
}

pub(super) fn error(code: &str, message: &str, reference: Option<&str>) -> Vec<u8> {
    error_until(code, message, None, reference)
}

fn error_until(code: &str, message: &str, retry_after_ms: Option<u64>, reference: Option<&str>) -> Vec<u8> {
    let mut out = Vec::new();
    put_string(&mut out, "{\"type\":\"error\",\"code\":", code);
    put_string(&mut out, ",\"message\":", message);
    if let Some(millis) = retry_after_ms {
        write_retry_after(&mut out, millis);
    }
    finish(out, reference)
}

fn finish(mut out: Vec<u8>, reference: Option<&str>) -> Vec<u8> {
    if let Some(reference) = reference {
        put(&mut out, ",\"ref\":");
        put(&mut out, reference);
    }
    out.push(b'}');
    out
}
