//! Filters as JSON text.
//!
//! The text is bounded before it is read, and so are nodes and depth before anything is built from them. An error says which node is
//! wrong, as a path: `filter.and[1].eq`.

use crate::engine::filter::{Field, FieldError, Filter, FilterError, Number, Value};
use crate::limits::{FILTER_BYTES_MAX, FILTER_DEPTH_MAX, FILTER_NODES_MAX};
use serde_json::Value as Json;

/// Why a text is no filter, and where.
#[derive(Debug, thiserror::Error)]
#[error("filter{at}: {problem}")]
pub struct FilterFault {
    /// The way to the wrong node, as `.and[1].eq`; empty for the filter itself.
    pub at: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What can be wrong with a node of a filter.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// Longer than [`FILTER_BYTES_MAX`].
    #[error("a filter has at most {FILTER_BYTES_MAX} bytes, this one has {0}")]
    TooLong(usize),
    /// The text is not UTF-8 or not JSON.
    #[error("invalid JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// Something else than an object with one member.
    #[error("expected an object with exactly one of and, or, not, eq, in, gt, lt, exists, prefix, glob")]
    Node,
    /// An operand of another shape; the right one is enclosed.
    #[error("expected {0}")]
    Expected(&'static str),
    /// Not the name of a field.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// Beyond a limit.
    #[error(transparent)]
    Filter(#[from] FilterError),
}

impl<P: Into<Problem>> From<P> for FilterFault {
    fn from(problem: P) -> Self {
        Self { at: String::new(), problem: problem.into() }
    }
}

type Result<T> = std::result::Result<T, FilterFault>;

/// Reads a filter.
///
/// # Errors
/// See [`Problem`].
pub fn parse(text: &str) -> Result<Filter> {
    from_slice(text.as_bytes())
}

/// Reads a filter from bytes that need not even be UTF-8.
///
/// # Errors
/// See [`Problem`].
pub fn from_slice(text: &[u8]) -> Result<Filter> {
    if text.len() > FILTER_BYTES_MAX {
        return Err(Problem::TooLong(text.len()).into());
    }
    let json = serde_json::from_slice(text).map_err(Problem::Json)?;
    Reader { nodes: 0 }.node(&json, 1)
}

struct Reader {
    /// Read so far.
    nodes: usize,
}

impl Reader {
    fn node(&mut self, json: &Json, depth: usize) -> Result<Filter> {
        self.nodes += 1;
        if self.nodes > FILTER_NODES_MAX {
            return Err(FilterError::TooManyNodes.into());
        }
        if depth > FILTER_DEPTH_MAX {
            return Err(FilterError::TooDeep.into());
        }
        let (operator, operand) = only_member(json)?;
        self.apply(operator, operand, depth).map_err(|fault| below(&format!(".{operator}"), fault))
    }

    fn apply(&mut self, operator: &str, operand: &Json, depth: usize) -> Result<Filter> {
        match operator {
            "and" => Ok(Filter::and(self.operands(operand, depth)?)?),
            "or" => Ok(Filter::or(self.operands(operand, depth)?)?),
            "not" => Ok(Filter::not(self.node(operand, depth + 1)?)?),
            _ => leaf(operator, operand),
        }
    }

    fn operands(&mut self, json: &Json, depth: usize) -> Result<Vec<Filter>> {
        let Json::Array(operands) = json else { return expected("a list of filters") };
        let read =
            |(i, operand)| self.node(operand, depth + 1).map_err(|fault| below(&format!("[{i}]"), fault));
        operands.iter().enumerate().map(read).collect()
    }
}

const OPERATORS: [&str; 10] = ["and", "or", "not", "eq", "in", "gt", "lt", "exists", "prefix", "glob"];

fn only_member(json: &Json) -> Result<(&str, &Json)> {
    let mut members = json.as_object().into_iter().flatten();
    match (members.next(), members.next()) {
        (Some((name, value)), None) if OPERATORS.contains(&name.as_str()) => Ok((name, value)),
        _ => Err(Problem::Node.into()),
    }
}

fn leaf(operator: &str, operand: &Json) -> Result<Filter> {
    match operator {
        "exists" => Ok(Filter::exists(field(operand)?)),
        "eq" => pair(operand, |field, json| Ok(Filter::eq(field, value(json)?))),
        "in" => pair(operand, |field, json| Ok(Filter::one_of(field, values(json)?)?)),
        "gt" => pair(operand, |field, json| Ok(Filter::gt(field, number(json)?))),
        "lt" => pair(operand, |field, json| Ok(Filter::lt(field, number(json)?))),
        "prefix" => pair(operand, |field, json| Ok(Filter::prefix(field, text(json)?))),
        "glob" => pair(operand, |field, json| Ok(Filter::glob(field, text(json)?)?)),
        _ => Err(Problem::Node.into()),
    }
}

fn pair(json: &Json, build: impl FnOnce(Field, &Json) -> Result<Filter>) -> Result<Filter> {
    let Some([first, second]) = json.as_array().map(Vec::as_slice) else {
        return expected("a list of a field and what it is compared with");
    };
    let field = field(first).map_err(|fault| below("[0]", fault))?;
    build(field, second).map_err(|fault| below("[1]", fault))
}

fn field(json: &Json) -> Result<Field> {
    match json {
        Json::String(path) => Ok(Field::parse(path)?),
        _ => expected("the name of a field"),
    }
}

fn values(json: &Json) -> Result<Vec<Value>> {
    let Json::Array(list) = json else { return expected("a list of values") };
    let read = |(i, json)| value(json).map_err(|fault| below(&format!("[{i}]"), fault));
    list.iter().enumerate().map(read).collect()
}

fn value(json: &Json) -> Result<Value> {
    match json {
        Json::Null => Ok(Value::Null),
        Json::Bool(b) => Ok(Value::Bool(*b)),
        Json::Number(_) => Ok(Value::Number(number(json)?)),
        Json::String(text) => Ok(Value::from(text.as_str())),
        _ => expected("a string, a number, true, false or null"),
    }
}

fn number(json: &Json) -> Result<Number> {
    let whole = json.as_i64().map(Number::from).or_else(|| json.as_u64().map(Number::from));
    match whole.or_else(|| json.as_f64().map(Number::from)) {
        Some(number) => Ok(number),
        None => expected("a number"),
    }
}

fn text(json: &Json) -> Result<&str> {
    json.as_str().map_or_else(|| expected("a string"), Ok)
}

fn expected<T>(what: &'static str) -> Result<T> {
    Err(Problem::Expected(what).into())
}

fn below(step: &str, fault: FilterFault) -> FilterFault {
    FilterFault { at: format!("{step}{}", fault.at), ..fault }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::filter::{Extract, FieldsBuilder};
    use crate::json::fields::JsonFields;
    use proptest::prelude::*;

    #[test]
    fn filters() {
        let mut fields = FieldsBuilder::new("tool.call", "7", Some("k"), ["red"]);
        JsonFields.fields(br#"{"n":5,"user":{"name":"Ann"},"list":["x"],"none":null}"#, &mut fields);
        let fields = fields.finish();
        let cases = [
            (r#"{"eq":["event","tool.call"]}"#, true),
            (r#"{"eq":["data.n",5.0]}"#, true),
            (r#"{"eq":["data.none",null]}"#, true),
            (r#"{"in":["data.n",[4,"x",5]]}"#, true),
            (r#"{"in":["data.n",[]]}"#, false),
            (r#"{"gt":["data.n",4.9]}"#, true),
            (r#"{"lt":["data.n",5]}"#, false),
            (r#"{"exists":"data.user"}"#, true),
            (r#"{"exists":"data.none"}"#, false),
            (r#"{"prefix":["data.user.name","An"]}"#, true),
            (r#"{"glob":["event","tool.*"]}"#, true),
            (r#"{"eq":["tags","red"]}"#, true),
            (r#"{"eq":["data.list.0","x"]}"#, true),
            (r#"{"and":[]}"#, true),
            (r#"{"or":[]}"#, false),
            (r#"{"not":{"or":[{"eq":["key","x"]},{"lt":["data.n",0]}]}}"#, true),
        ];
        for (text, expected) in cases {
            let filter = parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
            assert_eq!(filter.evaluate(&fields), expected, "{text}");
        }
    }

    #[test]
    fn faults() {
        let node =
            "expected an object with exactly one of and, or, not, eq, in, gt, lt, exists, prefix, glob";
        let pair = "expected a list of a field and what it is compared with";
        let unknown = "a field is event, id, key, tags, data or data.path.to.member";
        let cases = [
            ("[]", format!("filter: {node}")),
            ("{}", format!("filter: {node}")),
            (r#"{"xor":[]}"#, format!("filter: {node}")),
            (r#"{"and":[],"or":[]}"#, format!("filter: {node}")),
            (r#"{"and":{}}"#, "filter.and: expected a list of filters".into()),
            (r#"{"and":[{"exists":"id"},{"eq":["a",1]}]}"#, format!("filter.and[1].eq[0]: {unknown}")),
            (r#"{"not":{"or":[7]}}"#, format!("filter.not.or[0]: {node}")),
            (r#"{"eq":["id"]}"#, format!("filter.eq: {pair}")),
            (r#"{"eq":["id",[]]}"#, "filter.eq[1]: expected a string, a number, true, false or null".into()),
            (
                r#"{"in":["id",[1,{}]]}"#,
                "filter.in[1][1]: expected a string, a number, true, false or null".into(),
            ),
            (r#"{"gt":["id","1"]}"#, "filter.gt[1]: expected a number".into()),
            (r#"{"glob":["id",1]}"#, "filter.glob[1]: expected a string".into()),
            (r#"{"exists":1}"#, "filter.exists: expected the name of a field".into()),
            ("{", "filter: invalid JSON: EOF while parsing an object at line 1 column 1".into()),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).expect_err(text).to_string(), expected, "{text}");
        }
    }

    fn nested(depth: usize) -> String {
        format!(r#"{}{{"exists":"id"}}{}"#, r#"{"not":"#.repeat(depth - 1), "}".repeat(depth - 1))
    }

    fn wide(nodes: usize) -> String {
        format!(r#"{{"and":[{}]}}"#, vec![r#"{"exists":"id"}"#; nodes - 1].join(","))
    }

    #[test]
    fn limits() {
        for (text, ok) in [(nested(16), true), (nested(17), false), (wide(64), true), (wide(65), false)] {
            assert_eq!(parse(&text).is_ok(), ok, "{text}");
        }
        for text in ["[".repeat(60_000), " ".repeat(FILTER_BYTES_MAX + 1), nested(1000)] {
            assert!(parse(&text).is_err());
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = from_slice(&text);
        }
    }
}
