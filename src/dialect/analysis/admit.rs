//! Letting events in: in the native form, or in the document's, where an object with `event_type` and `data` is the event.

use std::borrow::Cow;

use super::model::{self, Members, check, members, misfit, text};
use crate::engine::{Body, Content, Misfit, Parts};
use crate::json::batch::DEFAULT_EVENT;
use crate::limits::ATTRIBUTE_BYTES_MAX;

/// An event of thoughts.
pub(super) const THINKING: &str = "agent_thinking";

/// What an event says, whichever form it came in.
struct Said<'a> {
    event: Cow<'a, str>,
    id: Cow<'a, str>,
    data: Cow<'a, str>,
    /// Whether it is not what was published, byte for byte.
    changed: bool,
}

/// Checks an event of analysis `id`, and brings it into one form.
///
/// # Errors
/// The first field that is wrong.
pub(super) fn admit(id: &str, body: Body) -> Result<Body, Misfit> {
    let rewritten = rewrite(id, &body)?;
    Ok(rewritten.unwrap_or(body))
}

/// The event in its one form, if that is not the one it came in.
fn rewrite(id: &str, body: &Body) -> Result<Option<Body>, Misfit> {
    let published = std::str::from_utf8(body.data()).ok().filter(|_| body.content() == Content::Json);
    let not_json = || misfit("data", "must be JSON; send content-type application/json");
    let mut said = unwrap(id, body, published.ok_or_else(not_json)?)?;
    if let Some(fields) = model::of(&said.event) {
        complete(&mut said);
        let members = members("data", &said.data)?;
        check(fields, "", &members)?;
        check_id(id, members.get("analysis_id"))?;
    }
    Ok(said.changed.then(|| said.with_attributes_of(body)))
}

impl Said<'_> {
    fn with_attributes_of(&self, body: &Body) -> Body {
        let tags: Vec<_> = body.tags().map(Cow::Borrowed).collect();
        Body::new(&Parts {
            event: &self.event,
            id: &self.id,
            key: body.key(),
            tags: &tags,
            idempotency_key: body.idempotency_key(),
            data: self.data.as_bytes(),
            ..Parts::default()
        })
    }
}

/// Takes the event out of the document's form, if it is in it.
fn unwrap<'a>(id: &str, body: &'a Body, published: &'a str) -> Result<Said<'a>, Misfit> {
    let native = |data| Said { event: body.event().into(), id: body.id().into(), data, changed: false };
    if body.event() != DEFAULT_EVENT || !published.starts_with('{') {
        return Ok(native(published.into()));
    }
    let members = members("data", published)?;
    let Some(event) = members.get("event_type") else { return Ok(native(published.into())) };
    let event = attribute("event_type", event)?;
    if event.is_empty() {
        return Err(misfit("event_type", "must not be empty"));
    }
    check_members(&members)?;
    check_id(id, members.get("analysis_id"))?;
    let own = members.get("event_id").filter(|value| **value != "null");
    let own = own.map(|value| attribute("event_id", value)).transpose()?;
    Ok(Said {
        event: event.into(),
        id: own.map_or_else(|| body.id().into(), Cow::Owned),
        data: (*members.get("data").unwrap_or(&"null")).into(),
        changed: true,
    })
}

/// A whole event of the protocol may be sent in, but its time and number are the server's.
fn check_members(members: &Members<'_>) -> Result<(), Misfit> {
    let known = ["event_type", "event_id", "analysis_id", "data", "timestamp", "sequence"];
    match members.keys().find(|name| !known.contains(&&***name)) {
        Some(other) => Err(misfit(&**other, "is no member of an event; what it has to say stands in `data`")),
        None => Ok(()),
    }
}

fn attribute(name: &str, value: &str) -> Result<String, Misfit> {
    let short = text(value).filter(|text| text.len() <= ATTRIBUTE_BYTES_MAX);
    short.ok_or_else(|| misfit(name, format!("must be a string of at most {ATTRIBUTE_BYTES_MAX} bytes")))
}

fn check_id(id: &str, said: Option<&&str>) -> Result<(), Misfit> {
    let Some(said) = said.filter(|said| **said != "null") else { return Ok(()) };
    match text(said) {
        Some(said) if said == id => Ok(()),
        _ => Err(misfit("analysis_id", format!("must be {id:?}, as in the topic"))),
    }
}

/// Data that is not there is an empty object, and a thought alone is a list of one.
fn complete(said: &mut Said<'_>) {
    if said.data == "null" {
        (said.data, said.changed) = ("{}".into(), true);
    }
    let alone = |members: &Members<'_>| !members.contains_key("thoughts") && members.contains_key("content");
    if said.event == THINKING && members("data", &said.data).is_ok_and(|members| alone(&members)) {
        let batch = format!("{{\"thoughts\":[{}],\"batch_size\":1}}", said.data);
        (said.data, said.changed) = (batch.into(), true);
    }
}

#[cfg(test)]
#[path = "admit_tests.rs"]
mod tests;
