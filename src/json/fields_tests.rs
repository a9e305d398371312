//! What the walk finds in JSON.

use super::*;
use crate::engine::filter::{Field, Fields};
use proptest::prelude::*;

fn extract(json: &str) -> Fields {
    let mut builder = FieldsBuilder::new("message", "1", None, []);
    JsonFields.fields(json.as_bytes(), &mut builder);
    builder.finish()
}

fn shown(fields: &Fields, path: &str) -> String {
    let field = Field::parse(path).expect("a field");
    let mut values: Vec<String> = fields.values(&field).map(|value| format!("{value:?}")).collect();
    values.sort();
    values.join(" ")
}

fn integer(n: i64) -> String {
    format!("{:?}", Scalar::Number(n.into()))
}

#[test]
fn values() {
    let text = |text: &str| format!("{:?}", Scalar::Text(text));
    let float = |n: f64| format!("{:?}", Scalar::Number(n.into()));
    let cases = [
        ("5", "data", integer(5)),
        (" { \"a\" : { \"b\" : [ true , null ] } } ", "data.a.b.0", "Bool(true)".into()),
        (r#"{"a":{"b":[true,null]}}"#, "data.a.b.1", "Null".into()),
        (r#"{"a":{"b":[true,null]}}"#, "data.a.b", "Composite".into()),
        (r#"{"a":{"b":[true,null]}}"#, "data", "Composite".into()),
        (r#"{"a":{},"b":[],"c":false}"#, "data.c", "Bool(false)".into()),
        (r#"{"a":-1.5e1}"#, "data.a", integer(-15)),
        (r#"{"a":0.5}"#, "data.a", float(0.5)),
        (r#"{"a":9007199254740993}"#, "data.a", integer(9_007_199_254_740_993)),
        (r#"{"a":18446744073709551615}"#, "data.a", format!("{:?}", Scalar::Number(u64::MAX.into()))),
        (r#"{"a":1e400,"b":1}"#, "data.a", float(f64::INFINITY)),
        (r#"{"a":1e400,"b":1}"#, "data.b", integer(1)),
        (r#"{"a":"x\"y\\\/\b\f\n\r\tz"}"#, "data.a", text("x\"y\\/\u{8}\u{c}\n\r\tz")),
        (r#"{"a":"\u00e4\ud83d\ude00"}"#, "data.a", text("ä😀")),
        (r#"{"a":"\ud83d","b":"\ude00x\ud83d\u0041"}"#, "data.a", text("\u{fffd}")),
        (r#"{"a":"\ud83d","b":"\ude00x\ud83d\u0041"}"#, "data.b", text("\u{fffd}x\u{fffd}A")),
        (r#"{"\u0061.b":1,"a":{"b":2}}"#, "data.a.b", format!("{} {}", integer(1), integer(2))),
        (r#"{"a":1,"a":2}"#, "data.a", format!("{} {}", integer(1), integer(2))),
        (r#"{"":1}"#, "data.", integer(1)),
        (r#"{"a":[1,2,3]}"#, "data.a.3", String::new()),
    ];
    for (json, path, expected) in cases {
        assert_eq!(shown(&extract(json), path), expected, "{json} {path}");
    }
}

#[test]
fn what_is_passed_over_hides_nothing() {
    let list = format!(r#"{{"list":[{}"[{{\"]",[{{}}]],"after":1}}"#, "0,".repeat(1000));
    let fields = extract(&list);
    assert_eq!(shown(&fields, "data.list.31"), integer(0));
    assert_eq!(shown(&fields, "data.list.32"), "");
    assert_eq!(shown(&fields, "data.after"), integer(1));

    let deep = format!(r#"{{"deep":{}1{},"after":1}}"#, "[".repeat(100), "]".repeat(100));
    let fields = extract(&deep);
    assert_eq!(shown(&fields, &format!("data.deep{}", ".0".repeat(FIELD_DEPTH_MAX - 1))), "Composite");
    assert_eq!(shown(&fields, &format!("data.deep{}", ".0".repeat(FIELD_DEPTH_MAX))), "");
    assert_eq!(shown(&fields, "data.after"), integer(1));
}

#[test]
fn more_fields_than_fit() {
    let members: Vec<String> = (0..1000).map(|i| format!(r#""m{i}":{i}"#)).collect();
    let fields = extract(&format!("{{{}}}", members.join(",")));
    assert_eq!((shown(&fields, "data.m0"), shown(&fields, "data.m999")), (integer(0), String::new()));
}

#[test]
fn no_json_does_no_harm() {
    for json in [
        "",
        "{",
        "{\"a",
        "{\"a\"",
        "{\"a\":",
        "[1",
        "[1,",
        "\"\\",
        "\"\\u12\"",
        "\"\\u+123\"",
        "}",
        "nul",
        "{1}",
        "-",
    ] {
        extract(json);
    }
}

/// Every scalar of a value, with its path.
fn naive(value: &serde_json::Value, path: &str, out: &mut Vec<(String, serde_json::Value)>) {
    match value {
        serde_json::Value::Object(members) => {
            members.iter().for_each(|(name, value)| naive(value, &format!("{path}.{name}"), out));
        }
        serde_json::Value::Array(elements) => {
            elements.iter().enumerate().for_each(|(i, value)| naive(value, &format!("{path}.{i}"), out));
        }
        scalar => out.push((path.to_owned(), scalar.clone())),
    }
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
            prop::collection::vec(("[a-z\"\\\\ü]{0,4}", inner), 0..5)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

fn scalar(value: &serde_json::Value) -> Scalar<'_> {
    match value {
        serde_json::Value::Bool(b) => Scalar::Bool(*b),
        serde_json::Value::Number(n) => Scalar::Number(number(&n.to_string()).expect("a number")),
        serde_json::Value::String(s) => Scalar::Text(s),
        _ => Scalar::Null,
    }
}

proptest! {
    #[test]
    fn finds_what_serde_json_finds(value in json(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        let fields = extract(&text.expect("JSON"));
        let mut expected = Vec::new();
        naive(&value, "data", &mut expected);
        for (path, value) in expected {
            let field = Field::parse(&path).expect("a field");
            prop_assert!(fields.values(&field).any(|found| found == scalar(&value)), "{} {}", path, value);
        }
    }

    #[test]
    fn never_panics(text in r#"[\{\}\[\]",:a1\\ude8ü ]{0,30}"#) {
        extract(&text);
    }
}
