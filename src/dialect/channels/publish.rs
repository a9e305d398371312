//! An event that says which channel it is for, or whose type does.

use super::super::protocol::{Call, Fault, Reply};
use super::channel::{Channel, NAMES};
use crate::engine::Body;
use crate::json::batch::Attributes;
use crate::json::envelope::{Invalid, parse_raw};
use crate::json::members::members;

fn invalid(why: impl Into<String>) -> Fault {
    Fault::new(422, "invalid_event", why)
}

/// `POST /v1/events`: an envelope with `type` and `data`, and perhaps a `channel`.
///
/// # Errors
/// What is wrong with it, or not allowed.
pub fn event(call: &Call<'_>) -> Result<Reply, Fault> {
    call.identity()?;
    let Some(body) = call.body else { return Ok(Reply::NeedBody) };
    let (channel, body) = read(body).inspect_err(|_| call.node.publisher.refused(1))?;
    Ok(Reply::Event(channel.topic().into(), body))
}

fn read(body: &[u8]) -> Result<(Channel, Body), Fault> {
    let text = parse_raw(body).map_err(malformed)?.data;
    let all = members(text).ok_or_else(|| invalid("data: an object with type and data is needed"))?;
    let (mut channel, mut rest, mut has_data) = (None, Vec::new(), false);
    for member in all {
        has_data |= member.name == "data";
        match &*member.name {
            "channel" => channel = Some(named(member.value)?),
            _ => rest.push(member.text),
        }
    }
    if !has_data {
        return Err(invalid("data: is missing; it must be an object"));
    }
    let envelope = format!("{{{}}}", rest.join(","));
    let body = Attributes::default().json(envelope.as_bytes()).map_err(malformed)?;
    let channel = channel.or_else(|| Channel::of_type(body.event()));
    let unknown = || invalid(format!("channel: the type does not tell it; say one of {NAMES}"));
    Ok((channel.ok_or_else(unknown)?, body))
}

fn malformed(error: Invalid) -> Fault {
    Fault::new(400, "invalid_event", error.to_string())
}

fn named(value: &str) -> Result<Channel, Fault> {
    let name: String = serde_json::from_str(value).map_err(|_| invalid("channel: must be a string"))?;
    Channel::of_name(&name)
        .ok_or_else(|| invalid(format!("channel: there is no {name:?}; there are {NAMES}")))
}
