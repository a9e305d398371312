//! Sessions of the document: somebody asks an agent for something, and reads the answer as a stream, or as a whole. A session is a
//! topic, so that any number of readers follow it, and whoever is cut off goes on behind the last position that it has.

mod answer;
mod reader;
mod request;
mod steps;
mod texts;

use std::sync::Arc;

use self::reader::{Asked, Reader, Reading};
use self::request::{Request, wrong};
use super::super::Start;
use super::super::protocol::{Call, Fault, Method, Reply};
use super::super::sessions::{Question, Session, Sessions, Turn, name};
use crate::auth::{Action, Identity};
use crate::wire::percent::decode;

/// What a path below `sessions` names.
#[derive(Debug, PartialEq, Eq)]
enum Path {
    /// All of them: one is opened.
    All,
    /// A question, in whichever.
    Execute,
    /// One.
    One(String),
    /// A question in one.
    ExecuteIn(String),
    /// Its end.
    Cancel(String),
    /// Its events.
    Stream(String),
}

/// What `path`, below `/v1/`, names.
fn parse(path: &str) -> Option<Path> {
    let rest = path.strip_prefix("sessions")?;
    let Some(rest) = rest.strip_prefix('/') else { return rest.is_empty().then_some(Path::All) };
    let (id, what) = rest.split_once('/').unwrap_or((rest, ""));
    let id = decode(id);
    match what {
        _ if id.is_empty() => None,
        "" if id == "execute" => Some(Path::Execute),
        "" => Some(Path::One(id)),
        "execute" => Some(Path::ExecuteIn(id)),
        "cancel" => Some(Path::Cancel(id)),
        "stream" => Some(Path::Stream(id)),
        _ => None,
    }
}

/// A request about sessions.
pub struct Served<'c> {
    /// All sessions.
    pub sessions: &'c Arc<dyn Sessions>,
    /// How long an answer may be waited for, seconds.
    pub answer_seconds: u64,
    /// The request.
    pub call: &'c Call<'c>,
}

/// The reply to a request for `path`, below `/v1/`; `None` where that is none of a session.
pub fn serve(served: &Served<'_>, path: &str) -> Option<Result<Reply, Fault>> {
    let reply = match (parse(path)?, served.call.method) {
        (Path::All, Method::Post) => served.open(),
        (Path::Execute, Method::Post) => served.execute(None),
        (Path::ExecuteIn(id), Method::Post) => served.execute(Some(&id)),
        (Path::Cancel(id), Method::Post) => served.cancel(&id),
        (Path::One(id), Method::Get) => served.show(&id),
        (Path::Stream(id), Method::Get) => served.stream(&id),
        (Path::One(_) | Path::Stream(_), _) => Err(Fault::method("GET")),
        (Path::All | Path::Execute | Path::ExecuteIn(_) | Path::Cancel(_), _) => Err(Fault::method("POST")),
    };
    Some(reply.map_err(texts::fault))
}

/// The topics, or the pattern of them, of which the answer to a request for `path` tells.
pub fn reads(call: &Call<'_>, path: &str) -> Vec<String> {
    let Ok(who) = call.identity() else { return Vec::new() };
    match parse(path) {
        Some(Path::All | Path::Execute) => vec![own(who)],
        Some(Path::One(id) | Path::ExecuteIn(id) | Path::Cancel(id)) => {
            name::topic(who, &id).into_iter().collect()
        }
        // A stream names its own.
        Some(Path::Stream(_)) | None => Vec::new(),
    }
}

/// The pattern of the topics of one's own sessions.
fn own(who: &Identity) -> String {
    format!("{}*", who.own_sessions())
}

impl Served<'_> {
    /// `POST /v1/sessions`.
    fn open(&self) -> Result<Reply, Fault> {
        let who = self.call.identity()?;
        let Some(body) = self.call.body else { return Ok(Reply::NeedBody) };
        let asked = request::parse(body)?;
        let (id, context) = (asked.session.as_deref(), asked.context.as_deref());
        let known = id.is_some_and(|id| self.sessions.find(who, id, self.call.node.now).is_ok());
        let session = self.sessions.open(who, id, Some(asked.agent()?), context, self.call.node.now)?;
        Ok(Reply::Json(if known { 200 } else { 201 }, texts::session(&session)))
    }

    /// `GET /v1/sessions/{id}`.
    fn show(&self, id: &str) -> Result<Reply, Fault> {
        let session = self.find(id)?;
        self.check_readable(&session.topic)?;
        Ok(Reply::Json(200, texts::session(&session)))
    }

    /// `POST /v1/sessions/{id}/cancel`.
    fn cancel(&self, id: &str) -> Result<Reply, Fault> {
        let who = self.call.identity()?;
        let session = self.sessions.cancel(who, id, self.call.node.now)?;
        Ok(Reply::Json(200, texts::session(&session)))
    }

    /// `GET /v1/sessions/{id}/stream`.
    fn stream(&self, id: &str) -> Result<Reply, Fault> {
        let session = self.find(id)?;
        self.check_grants(&session.topic)?;
        let until_done = match self.call.parameter("until") {
            None => false,
            Some("done") => true,
            Some(_) => return Err(Fault::bad("until", "done is the only end there is")),
        };
        // Who comes back goes on where it was, whatever its address says.
        let returns = (self.call.header)("last-event-id").is_some_and(|id| !id.is_empty());
        let snapshot = !returns && matches!(self.call.parameter("snapshot"), Some("1" | "true" | ""));
        let start = if snapshot { Start::Now } else { self.start(&session, until_done)? };
        Ok(self.sse(Reading { start, until_done, snapshot, ..self.reading(session, 0)? }, None))
    }

    /// Where a reader begins that only reads: at its place, or with everything; where it stays for one turn alone, with that.
    fn start(&self, session: &Session, until_done: bool) -> Result<Start, Fault> {
        let header = (self.call.header)("last-event-id").filter(|id| !id.is_empty());
        if let Some(id) = header {
            return Ok(after(request::position("Last-Event-ID", &id)?));
        }
        let parameter = |name| self.call.parameter(name).map(|text| (name, text));
        match ["resume_from", "from", "Last-Event-ID"].into_iter().find_map(parameter) {
            Some(("from", "now")) => Ok(Start::Now),
            Some(("from", "oldest")) => Ok(Start::Oldest),
            Some((name, text)) => Ok(after(request::position(name, text)?)),
            None if until_done => Ok(after(session.ended.as_ref().map_or(0, |ended| ended.position))),
            None => Ok(Start::Oldest),
        }
    }

    /// `POST /v1/sessions/execute`, and the same in one session.
    fn execute(&self, id: Option<&str>) -> Result<Reply, Fault> {
        self.call.identity()?;
        let Some(body) = self.call.body else { return Ok(Reply::NeedBody) };
        let mut asked = request::parse(body)?;
        if let Some(id) = id {
            if asked.session.as_deref().is_some_and(|other| other != id) {
                return Err(wrong("session_id", "is another than that of the path"));
            }
            self.find(id)?;
            asked.session = Some(id.into());
        }
        match asked.place(self.call)? {
            Some(place) => self.resume(&asked, place),
            None => self.ask(&asked),
        }
    }

    /// Goes on reading an answer.
    fn resume(&self, asked: &Request, place: u64) -> Result<Reply, Fault> {
        let who = self.call.identity()?;
        let session = match &asked.session {
            Some(id) => self.find(id)?,
            None => self.sessions.asked_before(who, asked.agent()?, asked.goal()?).ok_or_else(|| {
                Fault::new(
                    404,
                    "not_found",
                    "this agent was not asked this; say which session, or ask without resume_from",
                )
            })?,
        };
        self.check_grants(&session.topic)?;
        self.answer(asked, self.reading(session, place)?, None, place)
    }

    /// Asks, and reads the answer.
    fn ask(&self, asked: &Request) -> Result<Reply, Fault> {
        let (who, now) = (self.call.identity()?, self.call.node.now);
        let goal = asked.goal()?;
        let known = asked.session.as_deref().map(|id| self.sessions.find(who, id, now));
        let agent = match &known {
            Some(Ok(session)) => asked.agent.as_deref().or(session.agent.as_deref()),
            _ => Some(asked.agent()?),
        };
        let id = asked.session.as_deref();
        let topic = id.map_or_else(|| Ok(own(who)), |id| name::topic(who, id))?;
        if asked.wants_stream(self.call) { self.check_grants(&topic) } else { self.check_readable(&topic) }?;
        let question = Question {
            text: goal.into(),
            agent: agent.filter(|agent| !agent.is_empty()).map(str::to_owned),
            context: asked.context.clone(),
            ..Question::default()
        };
        let taken = self.sessions.ask(who, id, question, Turn::Alone, now)?;
        let reading = self.reading(taken.session, taken.before)?;
        let question = Asked::new(&reading, now);
        self.answer(asked, reading, Some(question), taken.before)
    }

    /// The answer behind `place`, as the client wants it.
    fn answer(
        &self,
        asked: &Request,
        reading: Reading,
        question: Option<Asked>,
        place: u64,
    ) -> Result<Reply, Fault> {
        if asked.wants_stream(self.call) {
            return Ok(self.sse(reading, question));
        }
        self.check_readable(&reading.session.topic)?;
        answer::later(self.call, reading, question, place, self.answer_seconds)
    }

    /// The session `id`.
    fn find(&self, id: &str) -> Result<Session, Fault> {
        self.sessions.find(self.call.identity()?, id, self.call.node.now)
    }

    fn reading(&self, session: Session, place: u64) -> Result<Reading, Fault> {
        let (sessions, who) = (Arc::clone(self.sessions), Arc::clone(self.call.identity()?));
        Ok(Reading { sessions, who, session, start: after(place), until_done: true, snapshot: false })
    }

    fn sse(&self, reading: Reading, question: Option<Asked>) -> Reply {
        Reply::Sse(Box::new(move |transport| Box::new(Reader::new(transport, reading, question))))
    }

    /// Whether grants allow reading `topic`, and its past: a reader begins behind a place.
    fn check_grants(&self, topic: &str) -> Result<(), Fault> {
        let who = self.call.identity()?;
        let denied = [Action::Subscribe, Action::History].into_iter().find(|action| !who.may(*action, topic));
        denied.map_or(Ok(()), |action| Err(Fault::forbidden(action)))
    }

    /// Whether `topic` may be told of in an answer. Whoever else decides was asked about it, or about all of one's own.
    fn check_readable(&self, topic: &str) -> Result<(), Fault> {
        let who = self.call.identity()?;
        self.check_grants(topic)?;
        let is_own = topic.starts_with(&who.own_sessions());
        let permitted = self.call.is_permitted(topic) || (is_own && self.call.is_permitted(&own(who)));
        if permitted { Ok(()) } else { Err(Fault::denied()) }
    }
}

fn after(offset: u64) -> Start {
    Start::After { epoch: None, offset }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_sessions() {
        let cases = [
            ("sessions", Some(Path::All)),
            ("sessions/execute", Some(Path::Execute)),
            ("sessions/s-1", Some(Path::One("s-1".into()))),
            ("sessions/room%3Aa/execute", Some(Path::ExecuteIn("room:a".into()))),
            ("sessions/s/cancel", Some(Path::Cancel("s".into()))),
            ("sessions/s/stream", Some(Path::Stream("s".into()))),
        ];
        for (path, wanted) in cases {
            assert_eq!(parse(path), wanted, "{path}");
        }
        for other in ["session", "sessionsx", "sessions/", "sessions//cancel", "sessions/s/x", "sessions/s/"]
        {
            assert!(!matches!(parse(other), Some(Path::Cancel(_) | Path::Stream(_))), "{other}");
        }
    }
}
