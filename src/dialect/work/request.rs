//! What workers say.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::workshop::Said;
use crate::dialect::sessions::step::{self, Code, Step};
use crate::json::depth::is_too_deep;
use crate::json::text::fold_line_breaks;
use crate::limits::{ANSWER_SOURCE_BYTES_MAX, ANSWER_SOURCES_MAX, FAILURE_BYTES_MAX, JSON_DEPTH_MAX};

/// A message, as it is written.
#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    job_id: Option<String>,
    n: Option<u64>,
    content: Option<String>,
    event: Option<String>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    confidence: Option<f64>,
    #[serde(default)]
    sources: Vec<String>,
    agent: Option<String>,
    code: Option<String>,
    message: Option<String>,
    retry_after: Option<f64>,
    token: Option<String>,
}

/// A message.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The job that it is about.
    pub job: Option<String>,
    /// Its number.
    pub n: Option<u64>,
    /// What it wants.
    pub wish: Wish,
}

/// What a message wants.
#[derive(Clone, Debug, PartialEq)]
pub enum Wish {
    /// Something about a job; its number counts.
    Say(Said),
    /// To keep a job, or all.
    Renew,
    /// To keep a job, and to know which number is next.
    Sync,
    /// To have a job no more.
    Release,
    /// A sign of life.
    Ping,
    /// To be known by a new credential.
    Auth(String),
}

/// What is wrong with a message, and the job and number that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The job.
    pub job: Option<String>,
    /// A sentence for people.
    pub why: String,
}

/// Reads a message.
///
/// # Errors
/// What is wrong with it.
pub fn parse(text: &str) -> Result<Request, Invalid> {
    let invalid = |why: String| Invalid { job: None, why };
    if is_too_deep(text) {
        return Err(invalid(format!("the message nests deeper than {JSON_DEPTH_MAX}")));
    }
    let mut raw: Raw<'_> =
        serde_json::from_str(text).map_err(|error| invalid(format!("not a message: {error}")))?;
    let (job, n) = (raw.job_id.take(), raw.n);
    match wish(raw) {
        Ok(wish) => Ok(Request { job, n, wish }),
        Err(why) => Err(Invalid { job, why }),
    }
}

fn wish(raw: Raw<'_>) -> Result<Wish, String> {
    Ok(match &*raw.kind {
        "text" => Wish::Say(Said::Step(Step::Text(raw.content.ok_or("a text message needs content")?))),
        "event" => Wish::Say(Said::Step(event(&raw)?)),
        "done" => Wish::Say(done(raw)?),
        "fail" => Wish::Say(fail(raw)?),
        "renew" => Wish::Renew,
        "sync" => Wish::Sync,
        "release" => Wish::Release,
        "ping" => Wish::Ping,
        "auth" => Wish::Auth(raw.token.ok_or("an auth message needs a token")?),
        other => {
            let known = "text, event, done, fail, renew, sync, release, ping, auth";
            return Err(format!("no message is called {other}; there are {known}"));
        }
    })
}

/// The data of an event.
#[derive(Deserialize)]
struct Data<'a> {
    content: Option<String>,
    step: Option<String>,
    message: Option<String>,
    tool: Option<String>,
    #[serde(borrow)]
    args: Option<&'a RawValue>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
}

fn json(value: Option<&RawValue>, absent: &str) -> String {
    let text = value.map_or(absent, RawValue::get);
    String::from_utf8_lossy(&fold_line_breaks(text.as_bytes())).into_owned()
}

fn event(raw: &Raw<'_>) -> Result<Step, String> {
    let name = raw.event.as_deref().unwrap_or_default();
    let data = raw.data.ok_or("an event message needs data, an object")?;
    let data: Data<'_> = serde_json::from_str(data.get()).map_err(|error| format!("data: {error}"))?;
    let needs = |member: &str| format!("the data of {name} needs {member}");
    match name {
        step::MESSAGE => Ok(Step::Text(data.content.ok_or_else(|| needs("content"))?)),
        step::TOOL_CALL => {
            Ok(Step::ToolCall { tool: data.tool.ok_or_else(|| needs("tool"))?, args: json(data.args, "{}") })
        }
        step::TOOL_RESULT => Ok(Step::ToolResult {
            tool: data.tool.ok_or_else(|| needs("tool"))?,
            result: json(data.result, "null"),
        }),
        step::STEP => progress(data.step.ok_or_else(|| needs("step"))?, data.message.unwrap_or_default()),
        _ => Err(
            "event is one of message, tool_call, tool_result, step; an answer ends by a done or fail message"
                .into(),
        ),
    }
}

/// The words by which the server itself says how far a turn is are not for workers.
fn progress(step: String, message: String) -> Result<Step, String> {
    match &*step {
        "starting" | "restarted" => Err(format!("the step {step} is the server's own")),
        _ => Ok(Step::Progress(step, message)),
    }
}

fn done(raw: Raw<'_>) -> Result<Said, String> {
    let fits = |source: &String| source.len() <= ANSWER_SOURCE_BYTES_MAX;
    if raw.sources.len() > ANSWER_SOURCES_MAX || !raw.sources.iter().all(fits) {
        let rule = format!("at most {ANSWER_SOURCES_MAX}, of {ANSWER_SOURCE_BYTES_MAX} bytes each");
        return Err(format!("sources: {rule}"));
    }
    if raw.confidence.is_some_and(|confidence| !(0.0..=1.0).contains(&confidence)) {
        return Err("confidence: 0 to 1, or null".into());
    }
    Ok(Said::Done { confidence: raw.confidence, sources: raw.sources, agent: raw.agent })
}

fn fail(raw: Raw<'_>) -> Result<Said, String> {
    let code = match raw.code.as_deref() {
        None => Code::Failed,
        Some(word) => {
            let codes = [Code::Failed, Code::RateLimited, Code::Timeout, Code::ConnectionLost];
            let known = || codes.map(Code::name).join(", ");
            let found = codes.into_iter().find(|code| code.name() == word);
            found.ok_or_else(|| format!("code is one of {}", known()))?
        }
    };
    let message = raw.message.unwrap_or_else(|| "the question could not be answered".into());
    if message.len() > FAILURE_BYTES_MAX {
        return Err(format!("message: at most {FAILURE_BYTES_MAX} bytes"));
    }
    let seconds = raw.retry_after.filter(|seconds| *seconds >= 0.0);
    let retry_after_ms = seconds.map(|seconds| (seconds * 1000.0) as u64);
    Ok(Said::Fail { code, message, retry_after_ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Said {
        match parse(text).unwrap().wish {
            Wish::Say(said) => said,
            other => panic!("{other:?}"),
        }
    }

    fn problem(text: &str) -> String {
        parse(text).unwrap_err().why
    }

    #[test]
    fn text_has_two_forms() {
        let text = Said::Step(Step::Text("Hel\"lo".into()));
        let short = r#"{"type":"text","job_id":"j.1","n":3,"content":"Hel\"lo"}"#;
        let long = r#"{"type":"event","job_id":"j.1","n":3,"event":"message","data":{"content":"Hel\"lo"}}"#;
        for form in [short, long] {
            let request = parse(form).unwrap();
            assert_eq!((request.job.as_deref(), request.n), (Some("j.1"), Some(3)));
            assert_eq!(said(form), text);
        }
    }

    #[test]
    fn events_have_data() {
        let call = "{\"type\":\"event\",\"event\":\"tool_call\",\"data\":{\"tool\":\"find\",\"args\":{\"a\":\n[1]}}}";
        assert_eq!(
            said(call),
            Said::Step(Step::ToolCall { tool: "find".into(), args: "{\"a\": [1]}".into() })
        );
        let result = r#"{"type":"event","event":"tool_result","data":{"tool":"find"}}"#;
        assert_eq!(said(result), Said::Step(Step::ToolResult { tool: "find".into(), result: "null".into() }));
        let step = r#"{"type":"event","event":"step","data":{"step":"generating","message":"…"}}"#;
        assert_eq!(said(step), Said::Step(Step::Progress("generating".into(), "…".into())));
    }

    #[test]
    fn answers_end() {
        let done = r#"{"type":"done","confidence":0.5,"sources":["a.md"],"agent":null}"#;
        let expected = Said::Done { confidence: Some(0.5), sources: vec!["a.md".into()], agent: None };
        assert_eq!(said(done), expected);
        let fail = r#"{"type":"fail","code":"RATE_LIMITED","message":"later","retry_after":1.5}"#;
        let (code, message) = (Code::RateLimited, "later".to_owned());
        assert_eq!(said(fail), Said::Fail { code, message, retry_after_ms: Some(1500) });
    }

    #[test]
    fn what_is_wrong_is_said() {
        let deep = format!("{{\"type\":\"ping\",\"x\":{}{}}}", "[".repeat(200), "]".repeat(200));
        for (text, why) in [
            ("[]", "not a message"),
            (r#"{"type":"dance"}"#, "no message is called dance"),
            (r#"{"type":"text"}"#, "needs content"),
            (r#"{"type":"event","event":"message"}"#, "needs data"),
            (r#"{"type":"event","event":"message","data":{}}"#, "needs content"),
            (r#"{"type":"event","event":"done","data":{}}"#, "ends by a done"),
            (r#"{"type":"event","event":"step","data":{"step":"starting"}}"#, "the server's own"),
            (r#"{"type":"done","confidence":2}"#, "0 to 1"),
            (r#"{"type":"fail","code":"BAD"}"#, "PROCESSING_ERROR, RATE_LIMITED"),
            (&deep, "nests deeper"),
        ] {
            assert!(problem(text).contains(why), "{text}: {}", problem(text));
        }
        assert_eq!(parse(r#"{"type":"text","job_id":"j"}"#).unwrap_err().job.as_deref(), Some("j"));
    }
}
