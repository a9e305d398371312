//! What an event must look like, written a second time and without the server's own writers.

use base64::Engine as _;

use super::log::Event;

/// The message of `event`.
pub fn event_text(topic: &str, epoch: u64, offset: u64, event: &Event, one_line: bool) -> String {
    let own = format!("{epoch}:{offset}");
    let id = if event.id.is_empty() { &own } else { &event.id };
    let key = if event.key.is_empty() { String::new() } else { format!(",\"key\":\"{}\"", event.key) };
    let tags: Vec<_> = event.tags.iter().map(|tag| format!("\"{tag}\"")).collect();
    let tags = if tags.is_empty() { String::new() } else { format!(",\"tags\":[{}]", tags.join(",")) };
    let (time, kind, data) = (time(event.time_ms), &event.event, data(event, one_line));
    format!(
        "{{\"type\":\"event\",\"topic\":\"{topic}\",\"offset\":{offset},\"id\":\"{id}\",\"time\":\"{time}\",\
         \"event\":\"{kind}\"{key}{tags},{data}}}"
    )
}

fn data(event: &Event, one_line: bool) -> String {
    if !event.json {
        let text = base64::engine::general_purpose::STANDARD.encode(&event.data);
        return format!("\"content_type\":\"{}\",\"data_base64\":\"{text}\"", event.content_type);
    }
    let text = String::from_utf8_lossy(&event.data);
    format!("\"data\":{}", if one_line { text.replace(['\n', '\r'], " ") } else { text.into() })
}

/// RFC 3339; days are counted year by year and month by month.
fn time(ms: u64) -> String {
    let (mut days, in_day) = (ms / 86_400_000, ms % 86_400_000);
    let (mut year, mut month) = (1970, 0);
    let leap = |year: u64| (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400);
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    let (hour, minute, second) = (in_day / 3_600_000, in_day / 60_000 % 60, in_day / 1000 % 60);
    let date = format!("{year:04}-{:02}-{:02}", month + 1, days + 1);
    format!("{date}T{hour:02}:{minute:02}:{second:02}.{:03}Z", in_day % 1000)
}
