//! What a client asks for when it connects: filter, size of batches, window, place.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::Arc;

use serde_json::Value as Json;

use super::super::Linger;
use crate::engine::filter::{Field, Filter, Number, Value};
use crate::json::moment;
use crate::limits::FILTER_BYTES_MAX;

/// Events that a client may have in a batch.
const BATCH_SIZES: RangeInclusive<u32> = 1..=1000;
/// Milliseconds that a client may let events wait.
const WINDOWS_MS: RangeInclusive<u32> = 1..=10_000;

type Query = [(String, String)];

fn find<'q>(query: &'q Query, name: &str) -> Option<&'q str> {
    query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|text| !text.is_empty())
}

/// A number within `range`.
///
/// # Errors
/// A sentence that names the parameter and the range.
pub fn number<T: FromStr + PartialOrd + Display>(
    query: &Query,
    name: &str,
    range: &RangeInclusive<T>,
) -> Result<Option<T>, String> {
    let parse = |text: &str| text.parse().ok().filter(|number| range.contains(number));
    let wrong = || format!("{name} must be {} to {}", range.start(), range.end());
    find(query, name).map(|text| parse(text).ok_or_else(wrong)).transpose()
}

/// The time in `since`, Unix milliseconds.
///
/// # Errors
/// A sentence that names the parameter.
pub fn since(query: &Query) -> Result<Option<u64>, String> {
    // An unescaped `+` of an offset arrives as a blank.
    let parse = |text: &str| moment::parse(text).or_else(|_| moment::parse(&text.replace(' ', "+")));
    let wrong = |_| "since must be an RFC 3339 time, 2026-11-20T09:30:00Z say".to_owned();
    find(query, "since").map(|text| parse(text).map_err(wrong)).transpose()
}

/// How events may wait for each other; `None` when each is a message of its own.
///
/// # Errors
/// A sentence that names the parameter that is out of range.
pub fn linger(query: &Query, default: Linger) -> Result<Option<Linger>, String> {
    let events = number(query, "batch_size", &BATCH_SIZES)?.unwrap_or(default.events);
    let window_ms = number(query, "poll_interval", &WINDOWS_MS)?.unwrap_or(default.window_ms);
    Ok((events > 1).then_some(Linger { window_ms, events }))
}

/// The filter in `filter`; `None` when it lets everything through.
///
/// # Errors
/// A sentence that names the member that is wrong.
pub fn filter(query: &Query) -> Result<Option<Arc<Filter>>, String> {
    let Some(text) = find(query, "filter") else { return Ok(None) };
    if text.len() > FILTER_BYTES_MAX {
        return Err(format!("filter has at most {FILTER_BYTES_MAX} bytes"));
    }
    let json: Json = serde_json::from_str(text).map_err(|error| format!("filter is not JSON: {error}"))?;
    let Json::Object(members) = json else { return Err("filter must be a JSON object".into()) };
    let conditions =
        members.iter().map(|(name, value)| condition(name, value)).collect::<Result<Vec<_>, _>>()?;
    let filter = Filter::and(conditions.into_iter().flatten()).map_err(|error| format!("filter: {error}"))?;
    Ok((!filter.is_all()).then(|| Arc::new(filter)))
}

/// One member of a filter; empty ones ask for nothing.
fn condition(name: &str, value: &Json) -> Result<Option<Filter>, String> {
    if value.is_null() {
        return Ok(None);
    }
    match name {
        "event_types" => one_of(name, "data.event_type", value),
        "tool_names" => one_of(name, "data.tool_name", value),
        "statuses" => one_of(name, "data.status", value),
        "feature_ids" => one_of(name, "data.feature_id", value),
        "session_id" => {
            let id = value.as_str().ok_or("filter: session_id must be a string")?;
            if id.is_empty() { Ok(None) } else { Ok(Some(Filter::eq(field("data.session_id")?, id))) }
        }
        "cost_threshold_tokens" => at_least(value),
        _ => Err(format!(
            "filter: {name:?} is none of event_types, session_id, tool_names, cost_threshold_tokens, statuses, feature_ids"
        )),
    }
}

fn field(path: &str) -> Result<Field, String> {
    Field::parse(path).map_err(|error| error.to_string())
}

fn one_of(name: &str, path: &str, value: &Json) -> Result<Option<Filter>, String> {
    let wrong = || format!("filter: {name} must be a list of strings");
    let list = value.as_array().ok_or_else(wrong)?;
    let texts = list.iter().map(|text| text.as_str().map(Value::from)).collect::<Option<Vec<_>>>();
    let texts = texts.ok_or_else(wrong)?;
    if texts.is_empty() {
        return Ok(None);
    }
    let filter = Filter::one_of(field(path)?, texts).map_err(|error| format!("filter: {name}: {error}"))?;
    Ok(Some(filter))
}

/// Every event has a cost, so that what is not below the threshold is at least it.
fn at_least(value: &Json) -> Result<Option<Filter>, String> {
    let whole = value.as_i64().map(Number::from);
    let number = whole.or_else(|| value.as_f64().map(Number::from));
    let number = number.ok_or("filter: cost_threshold_tokens must be a number")?;
    let below = Filter::lt(field("data.cost_tokens")?, number);
    Filter::not(below).map(Some).map_err(|error| format!("filter: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::filter::{Extract, FieldsBuilder};
    use crate::json::fields::JsonFields;

    fn query(name: &str, value: &str) -> Vec<(String, String)> {
        vec![(name.into(), value.into())]
    }

    fn lets_through(json: &str) -> bool {
        let mut fields = FieldsBuilder::new("tool_call", "1", None, []);
        let event = br#"{"event_type":"tool_call","tool_name":"Edit","session_id":"s","status":null,"cost_tokens":100,"feature_id":"f"}"#;
        JsonFields.fields(event, &mut fields);
        let filter = filter(&query("filter", json)).unwrap_or_else(|why| panic!("{json}: {why}"));
        filter.is_none_or(|filter| filter.evaluate(&fields.finish()))
    }

    #[test]
    fn conditions_are_joined() {
        let cases = [
            (r#"{}"#, true),
            (r#"{"event_types":["error","tool_call"]}"#, true),
            (r#"{"event_types":["error"]}"#, false),
            (r#"{"event_types":[],"session_id":null,"statuses":null,"tool_names":[],"session_id":""}"#, true),
            (r#"{"session_id":"s"}"#, true),
            (r#"{"session_id":"t"}"#, false),
            (r#"{"tool_names":["Edit"],"statuses":["completed"]}"#, false),
            (r#"{"cost_threshold_tokens":100}"#, true),
            (r#"{"cost_threshold_tokens":100.5}"#, false),
            (r#"{"cost_threshold_tokens":0}"#, true),
            (r#"{"feature_ids":["f","g"],"cost_threshold_tokens":1}"#, true),
        ];
        for (json, expected) in cases {
            assert_eq!(lets_through(json), expected, "{json}");
        }
    }

    #[test]
    fn equal_filters_are_equal() {
        let of = |json| filter(&query("filter", json)).expect("valid");
        let first = of(r#"{"statuses":["a","b"],"tool_names":["x"],"event_types":[]}"#);
        assert_eq!(first, of(r#"{"tool_names":["x","x"],"statuses":["b","a"]}"#));
        assert_ne!(first, of(r#"{"tool_names":["x"]}"#));
        assert_eq!(of(r#"{"statuses":[]}"#), None);
    }

    #[test]
    fn what_is_no_filter_is_said() {
        let cases = [
            ("{", "filter is not JSON: "),
            ("[]", "filter must be a JSON object"),
            (r#"{"event_types":"error"}"#, "filter: event_types must be a list of strings"),
            (r#"{"statuses":[1]}"#, "filter: statuses must be a list of strings"),
            (r#"{"session_id":1}"#, "filter: session_id must be a string"),
            (r#"{"cost_threshold_tokens":"1"}"#, "filter: cost_threshold_tokens must be a number"),
            (r#"{"event_type":["a"]}"#, "filter: \"event_type\" is none of event_types, "),
        ];
        for (json, why) in cases {
            assert!(filter(&query("filter", json)).expect_err(json).starts_with(why), "{json}");
        }
    }

    #[test]
    fn windows_and_sizes() {
        let default = Linger { window_ms: 50, events: 50 };
        let of = |name, value| linger(&query(name, value), default);
        assert_eq!(of("x", "1"), Ok(Some(default)));
        assert_eq!(of("batch_size", "1"), Ok(None));
        assert_eq!(of("poll_interval", "100"), Ok(Some(Linger { window_ms: 100, ..default })));
        for value in ["0", "1001", "-1", "many", "1.5"] {
            assert_eq!(of("batch_size", value), Err("batch_size must be 1 to 1000".into()));
        }
        assert_eq!(of("poll_interval", "10001"), Err("poll_interval must be 1 to 10000".into()));
    }

    #[test]
    fn times() {
        assert_eq!(since(&query("since", "2026-11-20T10:30:00 01:00")), Ok(Some(1_795_167_000_000)));
        assert_eq!(since(&[]), Ok(None));
        assert!(since(&query("since", "yesterday")).is_err());
    }
}
