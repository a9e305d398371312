//! A question by a request of its own: its answer comes in one piece.

use std::sync::Arc;

use crossbeam_epoch as epoch;

use super::encode::Event;
use super::refused::{self, Refused};
use super::{Settings, messages, request};
use crate::auth::Identity;
use crate::dialect::protocol::{Call, Fault, Later, Reply};
use crate::dialect::sessions::step::{self, Code};
use crate::dialect::sessions::{Question, Sessions, Turn};
use crate::engine::{Now, Read, Topic, TopicError};
use crate::limits::RETRY_AFTER_SECONDS;

/// Answers a request that asks something.
///
/// # Errors
/// Nobody may ask like this.
pub fn answer(settings: &Settings, call: &Call<'_>) -> Result<Reply, Fault> {
    let who = call.identity()?;
    let Some(body) = call.body else { return Ok(Reply::NeedBody) };
    let sessions = settings.sessions.as_ref().ok_or_else(nobody)?;
    let (named, question) = question(body).map_err(bad)?;
    let (turn, now) = (Turn::Behind(sessions.line()), call.node.now);
    let asked = sessions.ask(who, named.as_deref(), question, turn, now)?;
    let topic = call.node.registry.topic(&asked.session.topic, now).map_err(no_room)?;
    let mut search = Search {
        sessions: Arc::clone(sessions),
        who: Arc::clone(who),
        id: asked.session.id,
        topic: Arc::clone(&topic),
        turn: asked.turn.to_string(),
        place: asked.before,
        began: false,
        now,
    };
    let answer = Box::new(move |is_over| search.find(is_over));
    Ok(Reply::Later(Later { topics: vec![topic], seconds: settings.answer_seconds, answer }))
}

/// The session that a body names, and what it asks.
fn question(body: &[u8]) -> Result<(Option<String>, Question), Refused> {
    let request = request::parse(body)?;
    let (text, attachments) = (request.text()?.to_owned(), request.attachments()?);
    if text.is_empty() {
        return Err(refused::empty());
    }
    let question = Question { text, customer: request.customer(), attachments, ..Question::default() };
    Ok((request.session().map(str::to_owned), question))
}

fn bad(refused: Refused) -> Fault {
    let code = if refused == refused::empty() { "empty_message" } else { "invalid_body" };
    Fault::new(400, code, refused.message)
}

fn nobody() -> Fault {
    Fault::new(503, "no_sessions", refused::nobody().message)
}

fn no_room(error: TopicError) -> Fault {
    Fault { retry_after_ms: Some(RETRY_AFTER_SECONDS * 1000), ..Fault::new(503, "busy", error.to_string()) }
}

/// Where the end of a turn is looked for.
struct Search {
    sessions: Arc<dyn Sessions>,
    who: Arc<Identity>,
    id: Arc<str>,
    topic: Arc<Topic>,
    /// The turn, as it stands in events.
    turn: String,
    /// What has been looked at.
    place: u64,
    /// Whether the turn has begun there.
    began: bool,
    now: Now,
}

impl Search {
    fn find(&mut self, is_over: bool) -> Option<(u16, Vec<u8>)> {
        let found = self.in_log().or_else(|| self.remembered());
        found.or_else(|| is_over.then(|| self.unanswered()))
    }

    fn in_log(&mut self) -> Option<(u16, Vec<u8>)> {
        let (topic, pin) = (Arc::clone(&self.topic), epoch::pin());
        loop {
            match topic.read(self.place, &pin) {
                Read::Entry(offset, entry) => {
                    self.place = offset;
                    let event = Event::of(entry);
                    if self.is_end(&event) {
                        return Some(shown(&self.id, &event));
                    }
                }
                Read::Lagged { resume_at, .. } => self.place = resume_at - 1,
                Read::Empty => return None,
            }
        }
    }

    /// An error does not say which turn it ends: the one that has begun.
    fn is_end(&mut self, event: &Event<'_>) -> bool {
        let is_ours = event.find("turn").is_some_and(|turn| turn == self.turn);
        self.began |= is_ours;
        step::ends_turn(event.name) && (is_ours || self.began)
    }

    /// What the session remembers: the event may have left the log, or have come before anybody looked.
    fn remembered(&self) -> Option<(u16, Vec<u8>)> {
        let session = self.sessions.find(&self.who, &self.id, self.now).ok()?;
        let ended = session.ended.as_ref().filter(|ended| ended.turn.to_string() == self.turn)?;
        let event = Event { name: ended.event, data: Some(&ended.data), sequence: ended.position };
        Some(shown(&self.id, &event))
    }

    /// The session goes on: who joins it sees what becomes of the question.
    fn unanswered(&self) -> (u16, Vec<u8>) {
        let late = Refused {
            reason: Some(Code::Timeout.name()),
            ..refused::processing("there was no answer in time; the session goes on")
        };
        (504, messages::error(&late, Some(&self.id)))
    }
}

/// The end of a turn as an answer.
fn shown(id: &str, event: &Event<'_>) -> (u16, Vec<u8>) {
    let mut out = Vec::with_capacity(256 + event.data.map_or(0, str::len));
    event.write(id, &mut out);
    (status(event), out)
}

fn status(event: &Event<'_>) -> u16 {
    let has = |name: &str, word: &str| event.find(name).is_some_and(|value| value.trim_matches('"') == word);
    let failed = |code: Code| has("code", code.name());
    match event.name {
        step::DONE if has("status", "success") => 200,
        step::DONE => 409,
        _ if failed(Code::Timeout) => 504,
        _ if failed(Code::RateLimited) || failed(Code::ConnectionLost) => 503,
        _ => 502,
    }
}
