//! One reader of a session, over SSE: from a place on, over turns or to the end of one.

use std::sync::Arc;

use crossbeam_epoch as epoch;

use super::steps::view;
use crate::auth::Identity;
use crate::dialect::channels::messages;
use crate::dialect::sessions::step::{MESSAGE, ends_turn};
use crate::dialect::sessions::text::so_far;
use crate::dialect::sessions::{Session, Sessions, Status};
use crate::dialect::text::{put, put_missed, put_number, put_string};
use crate::dialect::{Dialect, Gap, Host, Linger, Message, Refusal, Start, Subscribe, Transport};
use crate::engine::{Now, Topic};
use crate::error::Disconnect;

/// Who reads which session.
#[derive(Clone)]
pub struct Reading {
    /// All sessions.
    pub sessions: Arc<dyn Sessions>,
    /// Who reads.
    pub who: Arc<Identity>,
    /// What.
    pub session: Session,
    /// From where.
    pub start: Start,
    /// Whether the stream ends with a turn.
    pub until_done: bool,
    /// Whether it begins with all that the turn which is answered has said, as one event, and goes on behind that.
    pub snapshot: bool,
}

/// A question that was taken for an answer that has yet to begin. One that never does, because its client may not read it, takes
/// the question back.
pub struct Asked(Option<(Reading, Now)>);

impl Asked {
    /// A question that `reading` is about.
    pub fn new(reading: &Reading, now: Now) -> Self {
        Self(Some((reading.clone(), now)))
    }

    /// The answer begins.
    pub fn begun(mut self) {
        self.0 = None;
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if let Some((Reading { sessions, who, session, .. }, now)) = self.0.take() {
            // One that is gone already needs no cancelling.
            let _cancelled = sessions.cancel(&who, &session.id, now);
        }
    }
}

/// See the module.
pub struct Reader {
    reading: Reading,
    transport: Transport,
    asked: Option<Asked>,
    /// What it says in the end, where that is not why the connection ends.
    parting: Option<Vec<u8>>,
}

impl Reader {
    /// A reader; `asked` is the question that brings it here, if one does.
    pub fn new(transport: Transport, reading: Reading, asked: Option<Asked>) -> Self {
        Self { reading, transport, asked, parting: None }
    }

    fn gap_text(&self, gap: Option<Gap>) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        put_string(&mut out, "{\"type\":\"gap\",\"session_id\":", &self.reading.session.id);
        put_missed(&mut out, gap);
        out.push(b'}');
        out
    }

    /// Tells of events that will not come. Who is cut off then goes on behind them.
    fn tell_gap(&self, gap: Option<Gap>, at: u64, host: &mut dyn Host) {
        host.send_at("gap", at.to_string().as_bytes(), &self.gap_text(gap));
    }

    /// Ends a stream for whose turn nothing more comes: it is over, and what ended it lies at or before `place`.
    fn end_if_over(&self, place: u64, host: &mut dyn Host) {
        let Reading { sessions, who, session, until_done, .. } = &self.reading;
        let found = sessions.find(who, &session.id, host.now());
        let is_over = |session: &Session| {
            session.status == Status::Idle && session.ended.as_ref().is_none_or(|end| end.position <= place)
        };
        if *until_done && found.is_ok_and(|session| is_over(&session)) {
            host.close(Disconnect::Done);
        }
    }

    /// Gives what the turn that is answered has said up to `place`, as one piece. Without such a turn there is nothing to give.
    fn tell_snapshot(&self, topic: &Topic, place: u64, host: &mut dyn Host) {
        let Reading { sessions, who, session, .. } = &self.reading;
        let found = sessions.find(who, &session.id, host.now());
        if !found.is_ok_and(|session| session.status == Status::Running) || has_ended(topic, place) {
            return;
        }
        let Some(content) = so_far(topic, place) else { return self.tell_gap(None, place, host) };
        let mut out = Vec::with_capacity(content.len() + 128);
        put(&mut out, "{\"type\":\"text\",\"content\":\"");
        put(&mut out, &content);
        put_string(&mut out, "\",\"snapshot\":true,\"session_id\":", &session.id);
        put_number(&mut out, ",\"position\":", place);
        out.push(b'}');
        host.send_at(MESSAGE, place.to_string().as_bytes(), &out);
    }

    fn refused(&mut self, refusal: &Refusal, host: &mut dyn Host) {
        let text = refusal.to_string();
        self.parting = refusal.retry_after_ms().map(|millis| messages::limited(&text, millis));
        host.close(Disconnect::policy(text));
    }
}

/// Whether nothing was said since a turn has ended.
fn has_ended(topic: &Topic, place: u64) -> bool {
    let pin = epoch::pin();
    topic.find(place, &pin).is_none_or(|entry| ends_turn(entry.body.event()))
}

impl Dialect for Reader {
    fn opened(&mut self, host: &mut dyn Host) {
        let Reading { session, start, until_done, .. } = &self.reading;
        let view = view(self.transport, *until_done);
        let request = Subscribe {
            start: start.clone(),
            linger: Some(Linger::ONE_BY_ONE),
            ..Subscribe::new(&session.topic, view)
        };
        match host.subscribe(&request) {
            Ok(outcome) => {
                self.asked.take().into_iter().for_each(Asked::begun);
                if self.reading.snapshot {
                    self.tell_snapshot(&outcome.topic, outcome.offset, host);
                } else if !outcome.recovered {
                    self.tell_gap(outcome.gap(), outcome.offset, host);
                }
                self.end_if_over(outcome.offset, host);
            }
            Err(refusal) => self.refused(&refusal, host),
        }
    }

    fn opens_with(&self) -> Vec<String> {
        vec![self.reading.session.topic.to_string()]
    }

    fn received(&mut self, _message: Message<'_>, _host: &mut dyn Host) {}

    fn gap(&mut self, _topic: &Topic, gap: Gap, host: &mut dyn Host) {
        self.tell_gap(Some(gap), gap.to, host);
        self.end_if_over(gap.to, host);
    }

    fn closing(&mut self, why: Disconnect, host: &mut dyn Host) {
        if why != Disconnect::Done {
            host.send_retry();
            let parting = self.parting.take();
            host.send("error", &parting.unwrap_or_else(|| messages::closing(&why)));
        }
    }
}
