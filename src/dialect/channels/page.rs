//! Events of the past as one JSON text: those of all channels, merged by the time of their publication.

use std::sync::Arc;

use crossbeam_epoch::{self as epoch, Guard};

use super::super::Outcome;
use super::super::protocol::{Fault, Node, Reply};
use super::encode::positions;
use super::flat::write_event;
use super::query::{Page, Part};
use crate::engine::{Entry, Now, Read, Topic, TopicError};
use crate::json::fields::JsonFields;
use crate::json::text::{write_string, write_u64};
use crate::limits::{PAGE_BYTES_MAX, RETRY_AFTER_SECONDS, WAIT_LOOKS_MAX};

/// The place of a page in one channel.
struct Cursor<'p, 'g> {
    topic: &'g Arc<Topic>,
    part: &'p Part,
    /// What has been looked at.
    offset: u64,
    /// The next event that is wanted.
    next: Option<&'g Entry>,
    /// Events that are no longer there; `None` when nobody can know.
    missed: Option<u64>,
    /// Whether there may be more that was not looked at.
    stopped: bool,
}

impl<'p, 'g> Cursor<'p, 'g> {
    fn new(topic: &'g Arc<Topic>, part: &'p Part, now: Now, pin: &'g Guard) -> Self {
        let find = |topic: &Topic, time| topic.before_time(time, pin);
        let outcome = Outcome::of(Arc::clone(topic), &part.start, now, find);
        let (offset, missed) = (outcome.offset, outcome.missed);
        Self { topic, part, offset, next: None, missed, stopped: false }
    }

    /// Looks for the next event, at as many as `looks` says.
    fn look(&mut self, until_ms: Option<u64>, looks: &mut usize, pin: &'g Guard) {
        self.next = None;
        loop {
            self.stopped = *looks == 0 && self.offset < self.topic.head();
            if self.stopped {
                return;
            }
            *looks = looks.saturating_sub(1);
            match self.topic.read(self.offset, pin) {
                Read::Entry(_, entry) if until_ms.is_some_and(|until| entry.time_ms >= until) => return,
                Read::Entry(_, entry) if self.wants(entry) => {
                    self.next = Some(entry);
                    return;
                }
                Read::Entry(offset, _) => self.offset = offset,
                Read::Lagged { missed, resume_at } => {
                    self.missed = self.missed.map(|before| before + missed);
                    self.offset = resume_at - 1;
                }
                Read::Empty => return,
            }
        }
    }

    fn wants(&self, entry: &Entry) -> bool {
        self.part.filter.as_ref().is_none_or(|filter| filter.evaluate(entry.fields(&JsonFields)))
    }
}

/// What a page found.
struct Found {
    events: Vec<u8>,
    count: usize,
    has_more: bool,
    /// Positions behind the events.
    next: Vec<u8>,
    missed: Option<u64>,
}

/// Answers with what there is; waits for more where nothing is and that was asked for. As a request that waits is put again with
/// every event, it looks at few at a time: where that is not enough, it answers at once, and the client goes on from there.
///
/// # Errors
/// The node has no room for a topic.
pub fn answer(page: &Page, waited: bool, node: &Node<'_>) -> Result<Reply, Fault> {
    let topic = |part: &Part| node.registry.topic(part.channel.topic(), node.now).map_err(no_room);
    let topics: Vec<_> = page.parts.iter().map(topic).collect::<Result<_, _>>()?;
    let found = collect(page, &topics, node.now);
    if found.count == 0 && !found.has_more && page.wait_seconds > 0 && !waited {
        return Ok(Reply::Wait(topics, page.wait_seconds));
    }
    Ok(Reply::Json(200, text(page, &found)))
}

fn no_room(error: TopicError) -> Fault {
    Fault { retry_after_ms: Some(RETRY_AFTER_SECONDS * 1000), ..Fault::new(503, "busy", error.to_string()) }
}

fn collect(page: &Page, topics: &[Arc<Topic>], now: Now) -> Found {
    let pin = epoch::pin();
    let pairs = topics.iter().zip(&page.parts);
    let mut cursors: Vec<_> = pairs.map(|(topic, part)| Cursor::new(topic, part, now, &pin)).collect();
    let mut looks = if page.wait_seconds > 0 { WAIT_LOOKS_MAX } else { usize::MAX };
    cursors.iter_mut().for_each(|cursor| cursor.look(page.until_ms, &mut looks, &pin));
    let (mut events, mut count) = (Vec::new(), 0);
    while count < page.limit && events.len() < PAGE_BYTES_MAX {
        let Some((cursor, entry)) = earliest(&mut cursors) else { break };
        events.extend_from_slice(if count == 0 { b"" } else { b"," });
        write_event(cursor.topic, entry, false, &mut events);
        count += 1;
        cursor.offset = entry.offset;
        cursor.look(page.until_ms, &mut looks, &pin);
    }
    let has_more = cursors.iter().any(|cursor| cursor.next.is_some() || cursor.stopped);
    let next = positions(cursors.iter().map(|cursor| (&**cursor.topic, cursor.offset)));
    let missed = cursors.iter().try_fold(0, |sum, cursor| Some(sum + cursor.missed?));
    Found { events, count, has_more, next, missed }
}

/// The cursor whose next event was published first; `None` when nobody has one, or somebody may have an earlier one.
fn earliest<'c, 'p, 'g>(cursors: &'c mut [Cursor<'p, 'g>]) -> Option<(&'c mut Cursor<'p, 'g>, &'g Entry)> {
    if cursors.iter().any(|cursor| cursor.stopped) {
        return None;
    }
    let ahead = cursors.iter_mut().filter_map(|cursor| cursor.next.map(|entry| (cursor, entry)));
    ahead.min_by_key(|(_, entry)| (entry.time_ms, entry.stamp_micros))
}

fn text(page: &Page, found: &Found) -> Vec<u8> {
    let mut out = Vec::with_capacity(found.events.len() + 256);
    out.extend_from_slice(b"{\"channels\":[");
    for (i, part) in page.parts.iter().enumerate() {
        out.extend_from_slice(if i == 0 { b"" } else { b"," });
        write_string(&mut out, part.channel.name());
    }
    out.extend_from_slice(b"],\"events\":[");
    out.extend_from_slice(&found.events);
    out.extend_from_slice(b"],\"has_more\":");
    out.extend_from_slice(if found.has_more { b"true" } else { b"false" });
    out.extend_from_slice(b",\"missed\":");
    match found.missed {
        Some(missed) => write_u64(&mut out, missed),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"next\":\"");
    out.extend_from_slice(&found.next);
    out.extend_from_slice(b"\"}");
    out
}
