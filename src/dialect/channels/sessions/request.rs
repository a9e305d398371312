//! What requests about sessions ask for. Whatever is wrong is named.

use crate::dialect::protocol::{Call, Fault};
use crate::engine::Misfit;
use crate::json::envelope::parse_raw;
use crate::json::members::{Member, members};

/// The body of a request: a question, or a session that is to be opened.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Who is to answer.
    pub agent: Option<String>,
    /// The question.
    pub goal: Option<String>,
    /// Whether the answer is to be a stream.
    pub stream: Option<bool>,
    /// What the answer may take into account, a JSON object.
    pub context: Option<String>,
    /// The session.
    pub session: Option<String>,
    /// The last position that the client has.
    pub resume_from: Option<u64>,
}

/// A member that is wrong.
pub fn wrong(field: &str, problem: &str) -> Fault {
    Misfit { field: field.into(), problem: problem.into() }.into()
}

/// Reads a body. An empty one says nothing.
///
/// # Errors
/// It is no JSON object, or one of its members is wrong.
pub fn parse(body: &[u8]) -> Result<Request, Fault> {
    if body.is_empty() {
        return Ok(Request::default());
    }
    let bad = |problem: String| Fault::new(400, "invalid_body", problem);
    let text = parse_raw(body).map_err(|invalid| bad(invalid.to_string()))?.data;
    let all = members(text).ok_or_else(|| bad("the body must be a JSON object".into()))?;
    let (mut request, mut seen) = (Request::default(), Vec::new());
    for member in all {
        if seen.contains(&member.name) {
            return Err(wrong(&member.name, "is given twice"));
        }
        request.take(&member)?;
        seen.push(member.name);
    }
    Ok(request)
}

impl Request {
    /// What a member says; `null` says nothing, and nor does one that is unknown.
    fn take(&mut self, member: &Member<'_>) -> Result<(), Fault> {
        if member.value == "null" {
            return Ok(());
        }
        match &*member.name {
            "agent_id" => self.agent = Some(string(member)?),
            "goal" => self.goal = Some(string(member)?),
            "session_id" => self.session = Some(string(member)?),
            "stream" => self.stream = Some(value(member, "must be true or false")?),
            "resume_from" => self.resume_from = Some(value(member, "must be a position: a whole number")?),
            "context" if member.value.starts_with('{') => self.context = Some(member.value.into()),
            "context" => return Err(wrong("context", "must be an object")),
            _ => {}
        }
        Ok(())
    }

    /// The question.
    ///
    /// # Errors
    /// There is none.
    pub fn goal(&self) -> Result<&str, Fault> {
        let goal = self.goal.as_deref().ok_or_else(|| wrong("goal", "is missing; say what is to be done"))?;
        if goal.trim().is_empty() { Err(wrong("goal", "must not be empty")) } else { Ok(goal) }
    }

    /// Who is to answer.
    ///
    /// # Errors
    /// That is not said.
    pub fn agent(&self) -> Result<&str, Fault> {
        let agent =
            self.agent.as_deref().ok_or_else(|| wrong("agent_id", "is missing; say who is to answer"))?;
        if agent.is_empty() { Err(wrong("agent_id", "must not be empty")) } else { Ok(agent) }
    }

    /// The position behind which the client goes on; `None` where it asks anew.
    ///
    /// # Errors
    /// What it comes back with is none.
    pub fn place(&self, call: &Call<'_>) -> Result<Option<u64>, Fault> {
        let header = (call.header)("last-event-id").filter(|id| !id.is_empty());
        let last = header.map(|id| position("Last-Event-ID", &id)).transpose()?.or(self.resume_from);
        Ok(last.filter(|place| *place > 0))
    }

    /// Whether the answer is a stream: what the body says counts, and then what the client accepts.
    pub fn wants_stream(&self, call: &Call<'_>) -> bool {
        self.stream != Some(false) && !accepts_json_alone(call)
    }
}

/// Whether the client asks for JSON and nothing else.
fn accepts_json_alone(call: &Call<'_>) -> bool {
    let accept = (call.header)("accept").unwrap_or_default();
    let mut types = accept.split(',').map(|part| part.split(';').next().unwrap_or_default().trim());
    types.clone().any(|one| one.eq_ignore_ascii_case("application/json"))
        && !types.any(|one| one == "*/*" || one.eq_ignore_ascii_case("text/event-stream"))
}

/// A position, as a client comes back with it.
///
/// # Errors
/// It is none.
pub fn position(name: &str, text: &str) -> Result<u64, Fault> {
    text.parse().map_err(|_| Fault::bad(name, "a position is a whole number"))
}

fn string(member: &Member<'_>) -> Result<String, Fault> {
    value(member, "must be a string")
}

fn value<T: serde::de::DeserializeOwned>(member: &Member<'_>, problem: &str) -> Result<T, Fault> {
    serde_json::from_str(member.value).map_err(|_| wrong(&member.name, problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_read() {
        let body = br#" {"agent_id":"a","goal":"g\n","stream":true,"context":{"x":[1]},"session_id":null,"resume_from":7,"more":1}"#;
        let wanted = Request {
            agent: Some("a".into()),
            goal: Some("g\n".into()),
            stream: Some(true),
            context: Some("{\"x\":[1]}".into()),
            session: None,
            resume_from: Some(7),
        };
        assert_eq!(parse(body), Ok(wanted));
        assert_eq!(parse(b""), Ok(Request::default()));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            (r#"{"agent_id":1}"#, "agent_id"),
            (r#"{"goal":["a"]}"#, "goal"),
            (r#"{"stream":"yes"}"#, "stream"),
            (r#"{"context":[]}"#, "context"),
            (r#"{"session_id":{}}"#, "session_id"),
            (r#"{"resume_from":-1}"#, "resume_from"),
            (r#"{"resume_from":1.5}"#, "resume_from"),
            (r#"{"goal":"a","goal":"b"}"#, "goal"),
        ];
        for (body, field) in cases {
            let fault = parse(body.as_bytes()).expect_err(body);
            assert_eq!((fault.status, fault.field.as_deref()), (422, Some(field)), "{body}");
        }
        for body in ["[1]", "{", "\"a\"", "{\"a\":1}x", "\u{ff}{"] {
            assert_eq!(parse(body.as_bytes()).map_err(|fault| fault.status), Err(400), "{body}");
        }
        let missing = |text: &str| parse(text.as_bytes()).unwrap();
        assert_eq!(missing("{}").goal().unwrap_err().field.as_deref(), Some("goal"));
        assert_eq!(missing("{\"goal\":\" \"}").goal().unwrap_err().field.as_deref(), Some("goal"));
        assert_eq!(missing("{\"agent_id\":\"\"}").agent().unwrap_err().field.as_deref(), Some("agent_id"));
    }
}
