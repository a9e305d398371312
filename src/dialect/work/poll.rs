//! Workers that cannot speak WebSocket: one request takes a job, others say what comes of it.

use serde_json::value::RawValue;

use super::connection::wrong;
use super::messages::{self, Wrong};
use super::request::{self, Wish};
use super::workshop::{Named, Refused, Told, Worker, Workshop, check_name};
use super::{capacity, topic};
use crate::auth::Identity;
use crate::dialect::protocol::{Call, Fault, Reply};
use crate::json::lines;
use crate::limits::{EVENT_BYTES_MAX, RETRY_AFTER_SECONDS, WAIT_SECONDS_MAX};

fn wait_seconds(call: &Call<'_>) -> Result<u64, Fault> {
    let Some(text) = call.parameter("wait") else { return Ok(0) };
    let seconds = text.parse().ok().filter(|seconds| *seconds <= WAIT_SECONDS_MAX);
    seconds.ok_or_else(|| Fault::bad("wait", format!("0 to {WAIT_SECONDS_MAX} seconds")))
}

/// Gives a job, waiting for one if that is asked for.
pub fn take(
    workshop: &dyn Workshop,
    queue: &str,
    identity: &Identity,
    call: &Call<'_>,
) -> Result<Reply, Fault> {
    let name = call.parameter("worker").unwrap_or("default");
    check_name(name)?;
    let (seconds, capacity) = (wait_seconds(call)?, capacity(call)?);
    let worker = Worker { queue, who: &identity.name, name: Some(name), capacity };
    // Before the look, so that the topic of which a job gives notice is the one that this waits for.
    let topic = call.node.registry.topic(&topic(queue), call.node.now);
    let busy = |error: crate::engine::TopicError| Fault {
        retry_after_ms: Some(RETRY_AFTER_SECONDS * 1000),
        ..Fault::new(503, "busy", error.to_string())
    };
    let topic = topic.map_err(busy)?;
    // One that was removed this moment is not the one that gets the notice: the worker asks again soon.
    let is_there = topic.touch(call.node.now).is_ok();
    let job = workshop.take(&worker, call.node.now);
    if job.is_none() && seconds > 0 && !call.waited && is_there {
        return Ok(Reply::Wait(vec![topic], seconds));
    }
    Ok(Reply::Json(200, messages::polled(job.as_ref())))
}

/// Takes messages about a job, in their order, up to the first that cannot be taken.
pub fn events(workshop: &dyn Workshop, named: Named<'_>, call: &Call<'_>) -> Result<Reply, Fault> {
    let Some(body) = call.body else { return Ok(Reply::NeedBody) };
    let texts = split(body).map_err(|why| Fault::new(400, "invalid_message", why))?;
    let Some(mut next) = workshop.renew(named, call.node.now) else { return Ok(cancelled()) };
    for text in texts {
        match tell(workshop, named, text, call) {
            Ok(Some(told)) if told.is_end => {
                return Ok(Reply::Json(200, messages::progress(Some(told.next), false)));
            }
            Ok(told) => next = told.map_or(next, |told| told.next),
            Err(Unserved::Refused(Refused::Over)) => return Ok(cancelled()),
            Err(Unserved::Refused(refused)) => return Ok(refuse(wrong(named.job, refused))),
            Err(Unserved::Invalid(why)) => {
                let wrong = Wrong::new("invalid_message", why, Some(named.job));
                return Ok(refuse(Wrong { expected: Some(next), ..wrong }));
            }
        }
    }
    Ok(Reply::Json(200, messages::progress(Some(next), false)))
}

fn cancelled() -> Reply {
    Reply::Json(200, messages::progress(None, true))
}

fn refuse(wrong: Wrong) -> Reply {
    let status = match wrong.code {
        "rate_limited" => 429,
        "out_of_order" => 409,
        "invalid_message" => 400,
        _ => 422,
    };
    Reply::Json(status, wrong.body())
}

/// Why a message was not taken.
enum Unserved {
    Refused(Refused),
    Invalid(String),
}

fn tell(
    workshop: &dyn Workshop,
    named: Named<'_>,
    text: &str,
    call: &Call<'_>,
) -> Result<Option<Told>, Unserved> {
    let invalid = |why: &str| Unserved::Invalid(why.into());
    let request = request::parse(text).map_err(|wrong| Unserved::Invalid(wrong.why))?;
    if request.job.is_some_and(|job| job != named.job) {
        return Err(invalid("job_id: another than that of the path"));
    }
    let now = call.node.now;
    match request.wish {
        Wish::Say(said) => {
            let n = request.n.ok_or_else(|| invalid("the message needs n, its number from 1"))?;
            workshop.tell(named, n, said, now).map_err(Unserved::Refused)
        }
        Wish::Release if workshop.release(named) => Err(Unserved::Refused(Refused::Over)),
        Wish::Renew | Wish::Sync | Wish::Ping | Wish::Release => Ok(None),
        Wish::Auth(_) => Err(invalid("auth: send the credential with the request")),
    }
}

/// The messages of a body: a list, or one on each line.
fn split(body: &[u8]) -> Result<Vec<&str>, String> {
    let text = std::str::from_utf8(body).map_err(|_| "the body is not UTF-8".to_owned())?;
    if text.trim_start().starts_with('[') {
        let list: Vec<&RawValue> =
            serde_json::from_str(text).map_err(|error| format!("not a list of messages: {error}"))?;
        return Ok(list.into_iter().map(RawValue::get).collect());
    }
    let line = |line: lines::Line<'_>| line.content.map(|_| ()).map_err(|long| long.to_string());
    lines::split(body, EVENT_BYTES_MAX).try_for_each(line)?;
    Ok(text.lines().filter(|line| !line.trim().is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_messages() {
        let some = Ok(vec!["{\"a\": 1}", "{\"b\":[2]}"]);
        assert_eq!(split(b" [{\"a\": 1}, {\"b\":[2]}]\n"), some);
        assert_eq!(split(b"{\"a\": 1}\r\n\n{\"b\":[2]}"), some);
        assert_eq!(split(b""), Ok(vec![]));
        assert!(split(b"[{]").unwrap_err().contains("not a list"));
        assert!(split(b"\xff").unwrap_err().contains("UTF-8"));
    }
}
