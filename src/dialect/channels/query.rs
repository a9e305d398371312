//! What requests over HTTP ask for.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::super::protocol::{Call, Fault};
use super::super::{Start, position};
use super::channel::{Channel, NAMES};
use super::request::Replay;
use super::select::{Select, values_of_text};
use crate::auth::Action;
use crate::engine::filter::Filter;
use crate::json::time;
use crate::limits::{PAGE_EVENTS_MAX, WAIT_SECONDS_MAX};

/// Events of a page, unless the client says otherwise.
const PAGE_EVENTS: u64 = 100;

/// A channel, from where, and what of it.
#[derive(Clone, Debug)]
pub struct Part {
    /// The channel.
    pub channel: Channel,
    /// From where.
    pub start: Start,
    /// Only these.
    pub filter: Option<Arc<Filter>>,
}

/// Events of the past.
#[derive(Clone, Debug)]
pub struct Page {
    /// Of these channels.
    pub parts: Vec<Part>,
    /// Only what was published before this, Unix milliseconds.
    pub until_ms: Option<u64>,
    /// Most events.
    pub limit: usize,
    /// How long to wait for the first, seconds.
    pub wait_seconds: u64,
}

/// Where somebody comes back to, by the names of channels.
type Positions = HashMap<String, Start>;

fn lists<'a>(call: &Call<'a>, name: &str) -> Option<Vec<&'a str>> {
    let values = call.query.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let words: Vec<_> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
    (!words.is_empty()).then(|| words.into_iter().filter(|word| !word.is_empty()).collect())
}

fn select<'a>(call: &Call<'a>) -> Select<'a> {
    let events = lists(call, "events").unwrap_or_default().into_iter().map(Cow::Borrowed).collect();
    let field = |(key, value): &'a (String, String)| {
        Some((Cow::Borrowed(key.strip_prefix("filter.")?), values_of_text(value)))
    };
    Select { events, fields: call.query.iter().filter_map(field).collect() }
}

/// The channels asked for, or without any all that the client may read.
fn channels(call: &Call<'_>, names: Option<Vec<&str>>, actions: &[Action]) -> Result<Vec<Channel>, Fault> {
    let identity = call.identity()?;
    let may = |channel: &Channel| {
        actions.iter().all(|action| identity.may(*action, channel.topic()))
            && call.is_permitted(channel.topic())
    };
    let Some(names) = names else {
        let readable: Vec<_> = Channel::ALL.into_iter().filter(may).collect();
        return if readable.is_empty() { Err(Fault::forbidden(actions[0])) } else { Ok(readable) };
    };
    let mut found: Vec<Channel> = Vec::new();
    for name in names {
        let channel = Channel::of_name(name).ok_or_else(|| {
            Fault::bad("channels", format!("there is no channel {name:?}; there are {NAMES}"))
        })?;
        for action in actions {
            call.allowed(*action, channel.topic())?;
        }
        if !found.contains(&channel) {
            found.push(channel);
        }
    }
    Ok(found)
}

/// The topics of which an answer may tell: those of the channels named in the query, without any of all that grants allow.
pub fn reads(call: &Call<'_>) -> Vec<String> {
    let Ok(identity) = call.identity() else { return Vec::new() };
    let named = lists(call, "channels");
    let wanted = |channel: &Channel| named.as_ref().is_none_or(|names| names.contains(&channel.name()));
    let may = |channel: &Channel| identity.may(Action::History, channel.topic());
    let found = Channel::ALL.into_iter().filter(wanted).filter(may);
    found.map(|channel| channel.topic().to_owned()).collect()
}

fn positions(text: Option<&str>) -> Result<Option<Positions>, Fault> {
    let Some(text) = text else { return Ok(None) };
    let list = position::parse_list(text, Channel::ALL.len());
    let list =
        list.ok_or_else(|| Fault::bad("after", "channel=epoch:offset,… as an earlier answer had it"))?;
    Ok(Some(list.into_iter().collect()))
}

fn moment(call: &Call<'_>, name: &str) -> Result<Option<u64>, Fault> {
    call.parameter(name).map(time::parse).transpose().map_err(|error| Fault::bad(name, error))
}

/// What is read of each channel: from its position, or else from `otherwise`.
fn parts(
    channels: Vec<Channel>,
    select: &Select<'_>,
    mut positions: Positions,
    otherwise: &Start,
) -> Result<Vec<Part>, Fault> {
    let part = |channel: Channel| {
        let filter = select.filter(channel).map_err(|error| Fault::new(400, "invalid_parameter", error))?;
        let start = positions.remove(channel.name()).unwrap_or_else(|| otherwise.clone());
        Ok(Part { channel, start, filter })
    };
    channels.into_iter().map(part).collect()
}

/// A stream of events.
///
/// # Errors
/// What is wrong with the request, or not allowed.
pub fn stream(call: &Call<'_>) -> Result<Vec<Part>, Fault> {
    let last = (call.header)("last-event-id");
    let last = last.as_deref().or(call.parameter("Last-Event-ID")).or(call.parameter("after"));
    let (positions, since) = (positions(last)?, moment(call, "since")?);
    let with_history = positions.is_some() || since.is_some();
    let actions = [Action::Subscribe, Action::History];
    let channels = channels(call, lists(call, "channels"), &actions[..1 + usize::from(with_history)])?;
    // Who comes back has a position in every channel; one without is new to it.
    let otherwise = since.filter(|_| positions.is_none()).map_or(Start::Now, Start::Since);
    parts(channels, &select(call), positions.unwrap_or_default(), &otherwise)
}

fn number(call: &Call<'_>, name: &str, otherwise: u64, most: u64) -> Result<u64, Fault> {
    match call.parameter(name).map(str::parse::<u64>) {
        None => Ok(otherwise),
        Some(Ok(number)) if number <= most => Ok(number),
        Some(_) => Err(Fault::bad(name, format!("a whole number up to {most}"))),
    }
}

/// A page, by the parameters of a request.
///
/// # Errors
/// What is wrong with the request, or not allowed.
pub fn page(call: &Call<'_>) -> Result<Page, Fault> {
    let (positions, since) = (positions(call.parameter("after"))?, moment(call, "since")?);
    let channels = channels(call, lists(call, "channels"), &[Action::History])?;
    let otherwise = since.map_or(Start::Oldest, Start::Since);
    Ok(Page {
        parts: parts(channels, &select(call), positions.unwrap_or_default(), &otherwise)?,
        until_ms: moment(call, "until")?,
        limit: (number(call, "limit", PAGE_EVENTS, PAGE_EVENTS_MAX as u64)? as usize).max(1),
        wait_seconds: number(call, "wait", 0, WAIT_SECONDS_MAX)?,
    })
}

/// A page, by the body of a replay.
///
/// # Errors
/// What is wrong with the request, or not allowed.
pub fn replay(call: &Call<'_>, body: &Replay<'_>) -> Result<Page, Fault> {
    let wrong = |error: String| Fault::new(400, "invalid_parameter", error);
    let (since, until_ms) = body.times().map_err(wrong)?;
    let positions = positions(body.after.as_deref())?;
    if since.is_none() && positions.is_none() {
        return Err(Fault::bad("since", "say from when: an RFC 3339 time or Unix milliseconds"));
    }
    let names = body.channels.as_ref().map(|names| names.iter().map(|name| &**name).collect());
    let channels = channels(call, names, &[Action::History])?;
    let select = body.select().map_err(wrong)?;
    let otherwise = since.map_or(Start::Oldest, Start::Since);
    let limit = body.limit.unwrap_or(PAGE_EVENTS_MAX as u64).clamp(1, PAGE_EVENTS_MAX as u64);
    Ok(Page {
        parts: parts(channels, &select, positions.unwrap_or_default(), &otherwise)?,
        until_ms,
        limit: limit as usize,
        wait_seconds: 0,
    })
}
