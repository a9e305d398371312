//! The answer to a question as a whole: it comes when its turn is over.

use std::sync::Arc;

use crossbeam_epoch as epoch;

use super::reader::{Asked, Reading};
use super::texts;
use crate::dialect::protocol::{Call, Fault, Later, Reply};
use crate::dialect::sessions::Status;
use crate::dialect::sessions::step::{ERROR, ends_turn};
use crate::engine::{Now, Read, Topic};
use crate::limits::RETRY_AFTER_SECONDS;

/// Where the end of a turn is looked for.
struct Search {
    reading: Reading,
    topic: Arc<Topic>,
    /// What has been looked at.
    place: u64,
    now: Now,
}

/// The answer that ends the first turn behind `place`, within `seconds`.
///
/// # Errors
/// The node has no room for the topic.
pub fn later(
    call: &Call<'_>,
    reading: Reading,
    asked: Option<Asked>,
    place: u64,
    seconds: u64,
) -> Result<Reply, Fault> {
    let now = call.node.now;
    let topic = call.node.registry.topic(&reading.session.topic, now).map_err(|error| Fault {
        retry_after_ms: Some(RETRY_AFTER_SECONDS * 1000),
        ..Fault::new(503, "busy", error.to_string())
    })?;
    asked.into_iter().for_each(Asked::begun);
    let mut search = Search { reading, topic: Arc::clone(&topic), place, now };
    let answer = Box::new(move |is_over| search.find(is_over));
    Ok(Reply::Later(Later { topics: vec![topic], seconds, answer }))
}

impl Search {
    fn find(&mut self, is_over: bool) -> Option<(u16, Vec<u8>)> {
        let found = self.behind_place().or_else(|| self.when_over());
        found.or_else(|| is_over.then(|| texts::unanswered(&self.reading.session.id, self.place)))
    }

    /// By the event that ended the turn.
    fn behind_place(&mut self) -> Option<(u16, Vec<u8>)> {
        let pin = epoch::pin();
        loop {
            match self.topic.read(self.place, &pin) {
                Read::Entry(offset, entry) => {
                    self.place = offset;
                    if ends_turn(entry.body.event()) {
                        let data = str::from_utf8(entry.body.data()).unwrap_or_default();
                        let is_error = entry.body.event() == ERROR;
                        return Some(texts::answer(&self.reading.session.id, is_error, data, offset));
                    }
                }
                Read::Lagged { resume_at, .. } => self.place = resume_at - 1,
                Read::Empty => return None,
            }
        }
    }

    /// Where nothing is answered any more: it has ended just now, or its end has left the log and the session remembers it.
    fn when_over(&mut self) -> Option<(u16, Vec<u8>)> {
        let Reading { sessions, who, session, .. } = &self.reading;
        let session = sessions.find(who, &session.id, self.now).ok()?;
        let ended = session.ended.as_ref().filter(|_| session.status == Status::Idle)?;
        let remembered = || texts::answer(&session.id, ended.event == ERROR, &ended.data, ended.position);
        Some(self.behind_place().unwrap_or_else(remembered))
    }
}
