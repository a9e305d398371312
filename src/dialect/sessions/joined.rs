//! Pieces of an answer that go out as one, where their namespace has them wait for each other. The log keeps each.

use super::step::MESSAGE;
use crate::engine::{Entry, Topic};
use crate::json::members::members;

/// The events in runs that are shown as one: pieces of one answer, where the topic's namespace lets them wait; else each alone.
pub fn runs<'e>(topic: &Topic, entries: &'e [&'e Entry]) -> impl Iterator<Item = &'e [&'e Entry]> {
    let joins = topic.namespace().linger_ms > 0;
    entries.chunk_by(move |before, after| joins && is_piece(before) && goes_on(after))
}

/// Whether an event is a piece of an answer.
pub fn is_piece(entry: &Entry) -> bool {
    entry.body.event() == MESSAGE && member(entry, "content").is_some_and(|content| content.starts_with('"'))
}

/// Whether it is one that others of its answer come before.
fn goes_on(entry: &Entry) -> bool {
    is_piece(entry) && member(entry, "at").is_some_and(|at| at != "0")
}

/// What a run of pieces says, as a JSON string.
pub fn content(run: &[&Entry]) -> String {
    let texts = run.iter().filter_map(|entry| member(entry, "content"));
    let inside = texts.filter_map(|text| text.strip_prefix('"')?.strip_suffix('"'));
    format!("\"{}\"", inside.collect::<String>())
}

fn member<'e>(entry: &'e Entry, name: &str) -> Option<&'e str> {
    let data = str::from_utf8(entry.body.data()).ok()?;
    members(data)?.find(|member| member.name == name).map(|member| member.value)
}
