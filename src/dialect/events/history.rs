//! What a topic keeps, by the time at which events say that they happened.
//!
//! An event is published after it has happened: what was published before a time cannot have happened later. So the search begins
//! where that time was, and goes on from there to the first event that happened at or after it.

use super::super::Start;
use super::super::protocol::{Call, Fault, Reply};
use super::encode::write_whole;
use super::model::timestamp_ms;
use super::{No, may, request, topic_of};
use crate::auth::Action;
use crate::engine::filter::Filter;
use crate::engine::{Entry, Read, Topic};
use crate::json::fields::JsonFields;
use crate::json::text::{write_string, write_u64};
use crate::limits::{PAGE_BYTES_MAX, PAGE_EVENTS_MAX};

/// Events of an answer, where nothing else is asked for.
const PAGE_EVENTS: usize = 100;

/// The cursor from which everything since `since_ms` follows, and whether nothing from before that time is kept: what followed it
/// may then be gone as well.
fn cursor_of(topic: &Topic, since_ms: u64) -> (u64, bool) {
    let pin = crossbeam_epoch::pin();
    let begin = topic.before_time(since_ms, &pin);
    let at_the_end = begin + 1 == topic.oldest();
    let mut cursor = begin;
    while let Read::Entry(offset, entry) = topic.read(cursor, &pin) {
        if timestamp_ms(entry.body.data()).is_none_or(|happened| happened >= since_ms) {
            break;
        }
        cursor = offset;
    }
    (cursor, at_the_end && cursor == begin)
}

/// Where a connection begins that wants everything since `since_ms`, and whether some of it may be there no more: it was not kept, or
/// was published to an earlier life of the server.
pub fn start(call: &Call<'_>, topic: &str, since_ms: u64) -> Result<(Start, bool), No> {
    let identity = call.credential.as_ref();
    may(identity.is_ok_and(|identity| identity.may(Action::History, topic)), Action::History)?;
    let is_earlier_life = call.node.now.is_before_life(since_ms);
    let Some(topic) = call.node.registry.find(topic) else { return Ok((Start::Oldest, is_earlier_life)) };
    let (offset, is_first) = cursor_of(&topic, since_ms);
    let forgotten = is_first && (offset > 0 || is_earlier_life);
    Ok((Start::After { epoch: Some(topic.epoch()), offset }, forgotten))
}

/// `GET /api/sessions/{id}/events`: the first ones since a time, or else the newest.
pub fn page(call: &Call<'_>, session: &str) -> Result<Reply, Fault> {
    let topic = topic_of(session).map_err(|error| Fault::bad("session", error))?;
    call.allowed(Action::History, &topic)?;
    let bad = |why: String| Fault::new(400, "invalid_parameter", why);
    let limit = request::number(call.query, "limit", &(1..=PAGE_EVENTS_MAX)).map_err(bad)?;
    let (since, filter) =
        (request::since(call.query).map_err(bad)?, request::filter(call.query).map_err(bad)?);
    let (limit, filter) = (limit.unwrap_or(PAGE_EVENTS), filter.as_deref());
    let topic = call.node.registry.find(&topic);
    let page = topic.map(|topic| match since {
        Some(since) => Page::first(&topic, cursor_of(&topic, since).0, limit, filter),
        None => Page::newest(&topic, limit, filter),
    });
    Ok(Reply::Json(200, page.unwrap_or_default().write(session)))
}

/// Events of an answer, each written.
#[derive(Default)]
struct Page {
    events: Vec<Vec<u8>>,
    bytes: usize,
    /// There are others beyond it.
    more: bool,
}

impl Page {
    /// What follows `cursor`.
    fn first(topic: &Topic, mut cursor: u64, limit: usize, filter: Option<&Filter>) -> Self {
        let pin = crossbeam_epoch::pin();
        let mut page = Self::default();
        loop {
            match topic.read(cursor, &pin) {
                Read::Entry(offset, entry) if page.take(entry, limit, filter) => cursor = offset,
                Read::Lagged { resume_at, .. } => cursor = resume_at - 1,
                Read::Entry(..) | Read::Empty => return page,
            }
        }
    }

    fn newest(topic: &Topic, limit: usize, filter: Option<&Filter>) -> Self {
        let pin = crossbeam_epoch::pin();
        let (mut page, mut offset) = (Self::default(), topic.head());
        while let Some(entry) = topic.find(offset, &pin)
            && page.take(entry, limit, filter)
        {
            offset -= 1;
        }
        page.events.reverse();
        page
    }

    /// Whether there was room.
    fn take(&mut self, entry: &Entry, limit: usize, filter: Option<&Filter>) -> bool {
        if filter.is_some_and(|filter| !filter.evaluate(entry.fields(&JsonFields))) {
            return true;
        }
        self.more = self.events.len() == limit || self.bytes > PAGE_BYTES_MAX;
        if !self.more {
            let mut event = Vec::with_capacity(entry.body.data().len() + 16);
            write_whole(entry, &mut event);
            self.bytes += event.len();
            self.events.push(event);
        }
        !self.more
    }

    fn write(&self, session: &str) -> Vec<u8> {
        let mut out = b"{\"session_id\":".to_vec();
        write_string(&mut out, session);
        out.extend_from_slice(b",\"count\":");
        write_u64(&mut out, self.events.len() as u64);
        out.extend_from_slice(if self.more { b",\"more\":true" } else { b",\"more\":false" });
        out.extend_from_slice(b",\"events\":[");
        out.extend_from_slice(&self.events.join(&b","[..]));
        out.extend_from_slice(b"]}");
        out
    }
}
