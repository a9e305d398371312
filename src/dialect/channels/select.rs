//! Which events a client wants: globs of types and equalities of fields, as one filter of the engine, so that subscriptions
//! which select the same share their frames.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value as Json;

use super::channel::Channel;
use crate::engine::filter::{Field, Filter, FilterError, Number, Value};

/// What is selected of every channel asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Select<'a> {
    /// Globs of types; none of them means any type.
    pub events: Vec<Cow<'a, str>>,
    /// Fields, and the values of which each must have one.
    pub fields: Vec<(Cow<'a, str>, Vec<Value>)>,
}

/// A value of JSON, as it is.
///
/// # Errors
/// A sentence for the client.
pub fn value_of_json(name: &str, json: &Json) -> Result<Value, String> {
    match json {
        Json::Null => Ok(Value::Null),
        Json::Bool(value) => Ok((*value).into()),
        Json::String(text) => Ok(text.as_str().into()),
        Json::Number(number) => number_of(number).map(Value::Number).ok_or_else(|| wrong(name)),
        Json::Array(_) | Json::Object(_) => Err(wrong(name)),
    }
}

fn wrong(name: &str) -> String {
    format!("filters: {name} must be a string, a number, true, false or null")
}

fn number_of(number: &serde_json::Number) -> Option<Number> {
    let whole = number.as_i64().map(Number::from).or_else(|| number.as_u64().map(Number::from));
    whole.or_else(|| number.as_f64().map(Number::from))
}

/// The values that a text of a query may mean: itself, and the number, boolean or null that it is written like.
pub fn values_of_text(text: &str) -> Vec<Value> {
    let other = serde_json::from_str::<Json>(text).ok().filter(|json| !json.is_string());
    let other = other.and_then(|json| value_of_json("", &json).ok());
    std::iter::once(text.into()).chain(other).collect()
}

impl Select<'_> {
    /// The filter for one channel; `None` where everything is selected.
    ///
    /// # Errors
    /// A sentence for the client.
    pub fn filter(&self, channel: Channel) -> Result<Option<Arc<Filter>>, String> {
        let mut all = Vec::with_capacity(self.fields.len() + 1);
        if !self.events.is_empty() {
            all.push(self.types().map_err(|error| format!("events: {error}"))?);
        }
        for (name, values) in &self.fields {
            all.push(field(channel, name, values)?);
        }
        let filter = Filter::and(all).map_err(|error| format!("events and filters: {error}"))?;
        Ok((!filter.is_all()).then(|| Arc::new(filter)))
    }

    fn types(&self) -> Result<Filter, FilterError> {
        let field = Field::parse("event").map_err(|_| FilterError::TooManyNodes);
        let globs: Result<Vec<_>, _> = self
            .events
            .iter()
            .map(|glob| field.clone().and_then(|field| Filter::glob(field, glob)))
            .collect();
        Filter::or(globs?)
    }
}

/// An equality, by the name that the member has in an event as it is delivered.
fn field(channel: Channel, name: &str, values: &[Value]) -> Result<Filter, String> {
    let path = match name {
        "channel" if values.contains(&channel.name().into()) => return Ok(Filter::all()),
        "channel" => return Ok(Filter::none()),
        "created_at" => return Err("filters: created_at cannot be filtered by; use since".into()),
        "type" => Cow::Borrowed("event"),
        "id" => Cow::Borrowed("id"),
        name => Cow::Owned(format!("data.{name}")),
    };
    let field = Field::parse(&path).map_err(|error| format!("filters: {name}: {error}"))?;
    Filter::one_of(field, values.to_vec()).map_err(|error| format!("filters: {name}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::filter::{Extract, FieldsBuilder};
    use crate::json::fields::JsonFields;
    use serde_json::json;

    fn select<'a>(events: &[&'a str], fields: &[(&'a str, Json)]) -> Select<'a> {
        let value = |(name, json): &(&'a str, Json)| {
            (Cow::Borrowed(*name), vec![value_of_json(name, json).expect("a value")])
        };
        let events = events.iter().map(|glob| Cow::Borrowed(*glob)).collect();
        Select { events, fields: fields.iter().map(value).collect() }
    }

    fn selects(select: &Select<'_>, event: &str, data: &str) -> bool {
        let mut fields = FieldsBuilder::new(event, "7", None, []);
        JsonFields.fields(data.as_bytes(), &mut fields);
        let filter = select.filter(Channel::Sessions).expect("a filter");
        filter.is_none_or(|filter| filter.evaluate(&fields.finish()))
    }

    #[test]
    fn types_and_fields_select() {
        let data = r#"{"agent_id":"agent_123","status":"success","n":5,"ok":true,"user":{"id":"u"}}"#;
        let cases = [
            (select(&[], &[]), true),
            (select(&["*"], &[]), true),
            (select(&["session.*", "agent.error"], &[]), true),
            (select(&["agent.*"], &[]), false),
            (select(&["session.started"], &[]), false),
            (select(&[], &[("agent_id", json!("agent_123"))]), true),
            (select(&[], &[("agent_id", json!("agent_123")), ("status", json!("failed"))]), false),
            (
                select(&["session.*"], &[("n", json!(5.0)), ("ok", json!(true)), ("user.id", json!("u"))]),
                true,
            ),
            (select(&[], &[("n", json!("5"))]), false),
            (select(&[], &[("absent", json!(null))]), false),
            (select(&[], &[("type", json!("session.completed")), ("id", json!("7"))]), true),
            (select(&[], &[("channel", json!("sessions"))]), true),
            (select(&[], &[("channel", json!("agents"))]), false),
        ];
        for (select, expected) in cases {
            assert_eq!(selects(&select, "session.completed", data), expected, "{select:?}");
        }
    }

    #[test]
    fn equal_selections_are_one_class() {
        let first = select(&["b.*", "a.*", "b.*"], &[("x", json!(1)), ("y", json!("z"))]);
        let second = select(&["a.*", "b.*"], &[("y", json!("z")), ("x", json!(1.0))]);
        assert_eq!(first.filter(Channel::Teams), second.filter(Channel::Billing));
        assert_eq!(
            select(&["*"], &[("channel", json!("teams"))]).filter(Channel::Teams),
            select(&["*"], &[]).filter(Channel::Teams)
        );
    }

    #[test]
    fn a_text_means_what_it_may() {
        let texts = |text: &str| values_of_text(text);
        assert_eq!(texts("agent_1"), ["agent_1".into()]);
        assert_eq!(texts("5"), ["5".into(), Value::Number(5_i64.into())]);
        assert_eq!(texts("true"), ["true".into(), true.into()]);
        assert_eq!(texts("null"), ["null".into(), Value::Null]);
        assert_eq!(texts("\"5\""), ["\"5\"".into()]);
        assert_eq!(texts("[1]"), ["[1]".into()]);
    }

    #[test]
    fn what_cannot_be_selected_is_said() {
        let many: Vec<String> = (0..100).map(|i| format!("a{i}.*b")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let (long, wild) = ("x".repeat(300), "?".repeat(100));
        let cases = [
            (select(&many, &[]), "events: "),
            (select(&[&wild], &[]), "events: "),
            (select(&[], &[("created_at", json!(1))]), "filters: created_at"),
            (select(&[], &[(&long, json!(1))]), "filters: xxx"),
        ];
        for (select, beginning) in cases {
            let error = select.filter(Channel::Agents).expect_err("too much");
            assert!(error.starts_with(beginning), "{error}");
        }
        assert!(value_of_json("a", &json!([1])).is_err() && value_of_json("a", &json!({})).is_err());
    }
}
