//! An event that says which channel it is for, or whose type does.

use super::super::protocol::{Call, Fault, Reply};
use super::channel::{Channel, NAMES};
use crate::engine::{Body, Misfit};
use crate::json::batch::Attributes;
use crate::json::envelope::{Invalid, Member, parse_raw};
use crate::json::members::members;

fn wrong(field: &str, problem: impl Into<String>) -> Fault {
    Misfit { field: field.into(), problem: problem.into() }.into()
}

/// Members of the envelope besides the channel.
const MEMBERS: [&str; 6] = ["type", "data", "id", "key", "tags", "idempotency_key"];

/// `POST /v1/events`: an envelope with `type` and `data`, and perhaps a `channel`.
///
/// # Errors
/// What is wrong with it, or not allowed.
pub fn event(call: &Call<'_>) -> Result<Reply, Fault> {
    call.identity()?;
    let Some(body) = call.body else { return Ok(Reply::NeedBody) };
    let read = attributes(call).and_then(|attributes| read(&attributes, body));
    let (channel, body) = read.inspect_err(|_| call.node.publisher.refused(1))?;
    Ok(Reply::Event(channel.topic().into(), body))
}

/// What the request says about the event: whoever repeats it gives it a key.
fn attributes(call: &Call<'_>) -> Result<Attributes, Fault> {
    let key = (call.header)("idempotency-key");
    let get = |member| key.clone().filter(|_| member == Member::IdempotencyKey);
    Attributes::new(get, false).map_err(malformed)
}

fn read(attributes: &Attributes, body: &[u8]) -> Result<(Channel, Body), Fault> {
    let text = parse_raw(body).map_err(malformed)?.data;
    let (channel, envelope) = take_channel(text)?;
    let body = attributes.json(envelope.as_bytes()).map_err(malformed)?;
    let channel = channel.or_else(|| Channel::of_type(body.event()));
    let unknown = || wrong("channel", format!("the type does not tell it; say one of {NAMES}"));
    Ok((channel.ok_or_else(unknown)?, body))
}

/// The channel that an event names, and the event without it.
fn take_channel(text: &str) -> Result<(Option<Channel>, String), Fault> {
    let all = members(text).ok_or_else(|| wrong("data", "an object with type and data is needed"))?;
    let (mut channel, mut rest, mut missing) = (None, Vec::new(), vec!["type", "data"]);
    for member in all {
        missing.retain(|name| *name != member.name);
        match &*member.name {
            "channel" if channel.is_some() => return Err(wrong("channel", "is given twice")),
            "channel" => channel = Some(named(member.value)?),
            name if !MEMBERS.contains(&name) => return Err(wrong(name, "is unknown; it belongs into data")),
            _ => rest.push(member.text),
        }
    }
    match missing.first() {
        Some(name) => Err(wrong(name, "is missing; an event has a type and data")),
        None => Ok((channel, format!("{{{}}}", rest.join(",")))),
    }
}

fn malformed(error: Invalid) -> Fault {
    error.misfit().map_or_else(|| Fault::new(400, "invalid_event", error.to_string()), Fault::from)
}

fn named(value: &str) -> Result<Channel, Fault> {
    let name: String = serde_json::from_str(value).map_err(|_| wrong("channel", "must be a string"))?;
    Channel::of_name(&name)
        .ok_or_else(|| wrong("channel", format!("there is no {name:?}; there are {NAMES}")))
}
