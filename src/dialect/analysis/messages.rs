//! The texts that one client alone gets.

pub(super) use super::super::text::{put, put_number, put_string};
use crate::json::time;

fn timed(kind: &str, now_ms: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    put_string(&mut out, "{\"type\":", kind);
    put(&mut out, ",\"timestamp\":\"");
    time::write(&mut out, now_ms);
    put(&mut out, "\"}");
    out
}

/// The server asks for a sign of life.
pub(super) fn ping(now_ms: u64) -> Vec<u8> {
    timed("ping", now_ms)
}

/// The answer to a client's ping.
pub(super) fn pong(now_ms: u64) -> Vec<u8> {
    timed("pong", now_ms)
}

/// The client's new credential is good.
pub(super) fn auth_success(now_ms: u64) -> Vec<u8> {
    timed("auth_success", now_ms)
}

/// An event without sequence: it is nobody else's, so it takes no number.
pub(super) fn progress_update(id: &str, progress: &[u8], now_ms: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(progress.len() + 192);
    put_number(&mut out, "{\"event_id\":\"progress:", now_ms);
    put_string(&mut out, "\",\"event_type\":\"progress_update\",\"analysis_id\":", id);
    put(&mut out, ",\"data\":");
    out.extend_from_slice(progress);
    put(&mut out, ",\"timestamp\":\"");
    time::write(&mut out, now_ms);
    put(&mut out, "\"}");
    out
}

/// What follows `requested` is not all there: the client goes on at `oldest`.
pub(super) fn gap(requested: u64, oldest: u64, newest: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(96);
    put_number(&mut out, "{\"type\":\"gap\",\"requested\":", requested);
    put_number(&mut out, ",\"oldest\":", oldest);
    put_number(&mut out, ",\"newest\":", newest);
    out.push(b'}');
    out
}

/// Events came too fast and were not published.
pub(super) fn rate_limited(dropped: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(48);
    put_number(&mut out, "{\"type\":\"rate_limited\",\"dropped\":", dropped);
    out.push(b'}');
    out
}

/// Something is wrong: a word for programs, and a sentence.
pub(super) fn error(code: &str, message: &str, retry_after_ms: Option<u64>) -> Vec<u8> {
    let mut out = Vec::with_capacity(96);
    put_string(&mut out, "{\"type\":\"error\",\"code\":", code);
    put_string(&mut out, ",\"message\":", message);
    if let Some(millis) = retry_after_ms {
        put(&mut out, &format!(",\"retry_after\":{:.3}", millis as f64 / 1000.0));
    }
    out.push(b'}');
    out
}
