//! What a request's query and headers ask for.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::{Start, position};
use super::reader::Wanted;
use crate::json::{filter, time};
use crate::limits::{PAGE_EVENTS_MAX, SSE_TOPICS_MAX, WAIT_SECONDS_MAX};

/// A query's parameter that cannot be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{parameter}: {problem}")]
pub struct RequestError {
    /// Which.
    pub parameter: &'static str,
    /// What is wrong, and what would be right.
    pub problem: String,
}

fn wrong(parameter: &'static str, problem: impl std::fmt::Display) -> RequestError {
    RequestError { parameter, problem: problem.to_string() }
}

/// Reads `epoch:offset`, or an offset in the current epoch.
///
/// # Errors
/// It is neither.
pub fn parse_position(text: &str) -> Result<Start, RequestError> {
    position::parse(text).ok_or_else(|| wrong("after", "a position is epoch:offset or an offset"))
}

pub(super) fn parse_since(text: &str) -> Result<Start, RequestError> {
    let wanted = "an RFC 3339 time or Unix milliseconds";
    time::parse(text).map(Start::Since).map_err(|_| wrong("since", wanted))
}

pub(super) fn parse_from(text: &str) -> Result<Start, RequestError> {
    match text {
        "now" => Ok(Start::Now),
        "oldest" => Ok(Start::Oldest),
        _ => Err(wrong("from", "now or oldest")),
    }
}

/// The parameters of a request; `last_event_id` is its header.
fn parse_start(
    query: &[(String, String)],
    last_event_id: Option<&str>,
    otherwise: Start,
) -> Result<Start, RequestError> {
    let get = |name: &str| find(query, name);
    let after = last_event_id.or(get("after")).or(get("last_event_id")).or(get("Last-Event-ID"));
    match (after, get("since"), get("from")) {
        (Some(after), ..) => parse_position(after),
        (None, Some(since), _) => parse_since(since),
        (None, None, Some(from)) => parse_from(from),
        (None, None, None) => Ok(otherwise),
    }
}

fn find<'q>(query: &'q [(String, String)], name: &str) -> Option<&'q str> {
    query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn is_set(query: &[(String, String)], name: &str) -> bool {
    matches!(find(query, name), Some("1" | "true" | ""))
}

/// A stream over one topic or pattern.
///
/// # Errors
/// Names the parameter.
pub fn parse_reader(
    topic: &str,
    query: &[(String, String)],
    last_event_id: Option<&str>,
) -> Result<Wanted, RequestError> {
    let filter = find(query, "filter").map(|text| filter::parse(text).map(Arc::new)).transpose();
    let info = find(query, "info").unwrap_or_default();
    if !info.is_empty() && serde_json::from_str::<serde_json::Value>(info).is_err() {
        return Err(wrong("info", "must be JSON"));
    }
    Ok(Wanted {
        topic: topic.into(),
        start: parse_start(query, last_event_id, Start::Now)?,
        filter: filter.map_err(|error| wrong("filter", error))?,
        conflate: is_set(query, "conflate"),
        presence: is_set(query, "presence").then(|| info.into()),
    })
}

/// Where a client is, topic by topic.
pub type Positions = HashMap<String, Start>;

/// A multiplexed stream: what to read, and, if it is resumed, where single topics are.
///
/// # Errors
/// Names the parameter.
pub fn parse_sse(
    query: &[(String, String)],
    last_event_id: Option<&str>,
) -> Result<(Vec<Wanted>, Option<Positions>), RequestError> {
    let topics: Vec<_> = query.iter().filter(|(key, _)| key == "topic").map(|(_, value)| value).collect();
    if topics.len() > SSE_TOPICS_MAX {
        return Err(wrong("topic", format!("at most {SSE_TOPICS_MAX}")));
    }
    let positions = last_event_id.or(find(query, "positions"));
    // An id of this stream is a list of positions; none of its parameters is a single one.
    let single: Vec<_> = query.iter().filter(|(key, _)| key != "after").cloned().collect();
    let wanted =
        topics.into_iter().map(|topic| parse_reader(topic, &single, None)).collect::<Result<_, _>>()?;
    Ok((wanted, positions.map(parse_positions).transpose()?))
}

fn parse_positions(text: &str) -> Result<Positions, RequestError> {
    let list = position::parse_list(text, SSE_TOPICS_MAX);
    Ok(list.ok_or_else(|| wrong("positions", "topic=epoch:offset,…"))?.into_iter().collect())
}

/// A page of history.
#[derive(Debug)]
pub struct Page {
    /// From where.
    pub start: Start,
    /// Only these.
    pub filter: Option<Arc<crate::engine::filter::Filter>>,
    /// Most events.
    pub limit: usize,
    /// How long to wait for the first, seconds.
    pub wait_seconds: u64,
}

/// A page of history.
///
/// # Errors
/// Names the parameter.
pub fn parse_page(query: &[(String, String)], last_event_id: Option<&str>) -> Result<Page, RequestError> {
    let number =
        |name: &'static str, otherwise: u64, most: u64| match find(query, name).map(str::parse::<u64>) {
            None => Ok(otherwise),
            Some(Ok(number)) if number <= most => Ok(number),
            Some(_) => Err(wrong(name, format!("a whole number up to {most}"))),
        };
    let reader = parse_reader("", query, last_event_id)?;
    Ok(Page {
        start: parse_start(query, last_event_id, Start::Oldest)?,
        filter: reader.filter,
        limit: (number("limit", 100, PAGE_EVENTS_MAX as u64)? as usize).max(1),
        wait_seconds: number("wait", 0, WAIT_SECONDS_MAX)?,
    })
}
