//! The bytes of an event on each transport, as Millrace sends them.

use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use flate2::{Compress, Compression, FlushCompress};

use crate::wire::{Transport, lines, ws};

/// The epoch of every log here; as many digits as a real one has.
pub const EPOCH: u64 = 4_503_599_627_370_497;

/// `2026-11-20T09:30:00.123Z`
fn put_time(out: &mut Vec<u8>, since_epoch_ms: u128) {
    let (days, ms) = ((since_epoch_ms / 86_400_000) as i64, since_epoch_ms % 86_400_000);
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    let _ = write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1000);
}

/// The envelope of event `offset` of `topic`.
pub fn event_text(topic: &str, offset: u64, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() + topic.len() + 160);
    let _ = write!(
        out,
        "{{\"type\":\"event\",\"topic\":\"{topic}\",\"offset\":{offset},\"id\":\"{EPOCH}:{offset}\","
    );
    out.extend_from_slice(b"\"time\":\"");
    put_time(&mut out, SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis()));
    out.extend_from_slice(b"\",\"event\":\"message\",\"data\":");
    out.extend_from_slice(data);
    out.push(b'}');
    out
}

/// The first message of a stream.
pub fn subscribed_text(topic: &str, offset: u64) -> Vec<u8> {
    format!(
        "{{\"type\":\"subscribed\",\"topic\":\"{topic}\",\"epoch\":{EPOCH},\"offset\":{offset},\
         \"recovered\":true,\"missed\":0}}"
    )
    .into_bytes()
}

/// Appends an event in its frame.
pub fn put_event(out: &mut Vec<u8>, transport: Transport, offset: u64, text: &[u8]) {
    match transport {
        Transport::Sse => lines::put_chunk(
            out,
            &[format!("id: {EPOCH}:{offset}\ndata: ").as_bytes(), text, b"\n\n"].concat(),
        ),
        other => put_text(out, other, text),
    }
}

/// Appends `subscribed` in its frame.
pub fn put_subscribed(out: &mut Vec<u8>, transport: Transport, text: &[u8]) {
    match transport {
        Transport::Sse => lines::put_chunk(out, &[b"event: subscribed\ndata: ", text, b"\n\n"].concat()),
        other => put_text(out, other, text),
    }
}

fn put_text(out: &mut Vec<u8>, transport: Transport, text: &[u8]) {
    match transport {
        Transport::WsDeflate => ws::put_unmasked(out, ws::TEXT, true, &deflate(text)),
        Transport::Ws => ws::put_unmasked(out, ws::TEXT, false, text),
        Transport::Sse | Transport::Ndjson => lines::put_chunk(out, &[text, b"\n"].concat()),
    }
}

/// Compresses one message with a fresh context, as permessage-deflate wants it.
pub fn deflate(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 64);
    let mut stream = Compress::new(Compression::fast(), false);
    let _ = stream.compress_vec(text, &mut out, FlushCompress::Sync);
    out.truncate(out.len().saturating_sub(4));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::Found;
    use crate::protocol::Payload;

    #[test]
    fn times_are_rfc_3339() {
        let time = |ms| {
            let mut out = Vec::new();
            put_time(&mut out, ms);
            String::from_utf8(out).expect("ASCII")
        };
        assert_eq!(time(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(time(1_795_167_000_123), "2026-11-20T09:30:00.123Z");
        assert_eq!(time(951_782_400_000), "2000-02-29T00:00:00.000Z");
    }

    #[test]
    fn events_are_what_subscribers_look_for() {
        let text = event_text("t", 42, b"\"x\"");
        assert_eq!(Payload::new(3, None).look("t").single.read(&text), Found::Event(42, text.len()));
        assert!(serde_json::from_slice::<serde_json::Value>(&text).is_ok());
    }
}
