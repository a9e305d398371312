//! Envelopes and what is none, byte for byte.

use super::*;
use proptest::prelude::*;

/// A publication in one line: what was not given is left out.
fn shown(parsed: &Parsed<'_>) -> String {
    let mut line = parsed.data.to_owned();
    let attributes = [
        ("type", &parsed.event),
        ("id", &parsed.id),
        ("key", &parsed.key),
        ("idempotency", &parsed.idempotency_key),
    ];
    for (name, text) in attributes {
        line.extend(text.iter().map(|text| format!(" {name}={text}")));
    }
    line.extend(parsed.tags.iter().map(|tag| format!(" tag={tag}")));
    line
}

fn event(body: &str) -> String {
    parse_event(body.as_bytes()).map_or_else(|error| format!("! {error}"), |parsed| shown(&parsed))
}

fn routed(line: &str, default: Option<&str>) -> String {
    match parse_routed(line.as_bytes(), default) {
        Ok(routed) => format!("{}: {}", routed.topic, shown(&routed.publication)),
        Err(error) => format!("! {error}"),
    }
}

#[test]
fn events() {
    let cases = [
        (r#"{"data":1}"#, "1"),
        (r#" { "data" : {"a": [1, 2 ]} , "type":"t" } "#, r#"{"a": [1, 2 ]} type=t"#),
        (
            r#"{"type":"t","id":"i","key":"k","idempotency_key":"d","tags":["x","y"],"data":null}"#,
            "null type=t id=i key=k idempotency=d tag=x tag=y",
        ),
        (r#"{"data":1,"type":"a\u00e4"}"#, "1 type=aä"),
        (r#"{"data":1,"type":null,"id":"","tags":null}"#, "1"),
        (r#"{"d\u0061ta":1}"#, "1"),
        (r#"{"\\u0064ata":1}"#, r#"{"\\u0064ata":1}"#),
        (r#"{"data":1.50,"tags":[ ]}"#, "1.50"),
        // No envelope: no data, an unknown member, or no object.
        (r#"{"type":"t"}"#, r#"{"type":"t"}"#),
        (r#"{"data":1,"more":2}"#, r#"{"data":1,"more":2}"#),
        (r#"{"type":5,"data":1,"x":{}}"#, r#"{"type":5,"data":1,"x":{}}"#),
        (r#"{"data":1,"data":2,"x":3}"#, r#"{"data":1,"data":2,"x":3}"#),
        (r#"{"data":1,"topic":"a"}"#, r#"{"data":1,"topic":"a"}"#),
        (r#"{"\ud800":1,"a":"\ud800"}"#, r#"{"\ud800":1,"a":"\ud800"}"#),
        ("{}", "{}"),
        (" [1, 2]\r\n", "[1, 2]"),
        ("\"text\"", "\"text\""),
        ("1e400", "1e400"),
        ("null", "null"),
    ];
    for (body, expected) in cases {
        assert_eq!(event(body), expected, "{body}");
    }
}

#[test]
fn events_that_are_wrong() {
    let long = "x".repeat(129);
    let cases = [
        ("".to_owned(), "! invalid JSON: EOF while parsing a value at line 1 column 0"),
        ("{".to_owned(), "! invalid JSON: EOF while parsing an object at line 1 column 1"),
        ("{\"data\":1} x".to_owned(), "! invalid JSON: trailing characters at line 1 column 12"),
        ("{\"data\":01}".to_owned(), "! invalid JSON: invalid number at line 1 column 10"),
        ("\u{a0}1".to_owned(), "! invalid JSON: expected value at line 1 column 1"),
        (r#"{"data":1,"type":"a","type":"b"}"#.to_owned(), "! `type` is given twice"),
        (r#"{"data":1,"data":2}"#.to_owned(), "! `data` is given twice"),
        (r#"{"data":1,"type":5}"#.to_owned(), "! `type` must be a string"),
        (r#"{"data":1,"id":"\ud800"}"#.to_owned(), "! `id` must be a string"),
        (r#"{"data":1,"key":["a"]}"#.to_owned(), "! `key` must be a string"),
        (format!(r#"{{"data":1,"key":"{long}"}}"#), "! `key` has at most 128 bytes, this one has 129"),
        (r#"{"data":1,"tags":"a"}"#.to_owned(), "! `tags` must be a list of strings"),
        (r#"{"data":1,"tags":["a",1]}"#.to_owned(), "! `tags` must be a list of strings"),
        (format!(r#"{{"data":1,"tags":["a"{}]}}"#, ",\"b\"".repeat(16)), "! an event has at most 16 tags"),
        (format!(r#"{{"data":1,"tags":["a"{}]}}"#, ",\"\"".repeat(9999)), "! an event has at most 16 tags"),
        (
            format!(r#"{{"data":1,"tags":["{}"]}}"#, &long[..65]),
            "! a tag has at most 64 bytes, this one has 65",
        ),
        (
            format!(r#"{{"data":{}{}}}"#, "[".repeat(129), "]".repeat(129)),
            "! the data is nested deeper than 128",
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(event(&body), expected, "{body:.200}");
    }
    let error = parse_event(b"\"a\xff\"").expect_err("not UTF-8");
    assert_eq!(error.to_string(), "invalid UTF-8 at byte 2");
}

/// serde_json reads names as bytes without a look at control characters; what is data must be JSON for every reader.
#[test]
fn control_characters_in_names_are_refused() {
    for control in ["\n", "\0", "\u{1f}", "\t"] {
        for body in [
            format!("{{\"a{control}\":1}}"),
            format!("{{\"data{control}\":1}}"),
            format!("{{\"data\":1,\"\\u0061{control}\":1}}"),
            format!("{{\"data\":{{\"a{control}\":1}}}}"),
        ] {
            assert!(matches!(parse_event(body.as_bytes()), Err(Invalid::Json(_))), "{body:?}");
            assert!(matches!(parse_routed(body.as_bytes(), Some("t")), Err(Invalid::Json(_))), "{body:?}");
        }
    }
    assert_eq!(event(r#"{"d\u0061ta":1,"type":"t"}"#), "1 type=t");
    assert_eq!(event(r#"{"\n\ud83d":1,"data":2}"#), r#"{"\n\ud83d":1,"data":2}"#);
}

/// A line break in an attribute would end a line of a protocol that has lines, whoever wrote it there.
#[test]
fn control_characters_in_attributes_are_refused() {
    for control in ["\\n", "\\r", "\\u0000", "\\u001b", "\\u007f", "\\u0085", "\u{7f}", "\u{85}"] {
        for (member, name) in [
            ("\"type\":\"aXb\"", "type"),
            ("\"id\":\"Xa\"", "id"),
            ("\"key\":\"aX\"", "key"),
            ("\"tags\":[\"a\",\"X\"]", "tags"),
            ("\"idempotency_key\":\"X\"", "idempotency_key"),
        ] {
            let body = format!("{{\"data\":1,{}}}", member.replace('X', control));
            let wanted = format!("! `{name}` must not contain control characters");
            assert_eq!(event(&body), wanted, "{body:?}");
        }
    }
    for text in ["a\nb", "\r", "a\0"] {
        assert!(matches!(check_attribute(Member::Type, text), Err(Invalid::Control(Member::Type))));
        assert!(matches!(tags_from_list(&format!("x,y{text}y")), Err(Invalid::Control(Member::Tags))));
    }
    assert_eq!(event(r#"{"data":"\n","type":"über \u2028"}"#), "\"\\n\" type=über \u{2028}");
}

#[test]
fn within_the_limits() {
    let (text, tag) = ("ü".repeat(64), "t".repeat(64));
    let body = format!(
        r#"{{"data":{}{},"key":"{text}","tags":["{tag}"{}]}}"#,
        "[".repeat(128),
        "]".repeat(128),
        ",\"\\u0061\"".repeat(15)
    );
    let parsed = parse_event(body.as_bytes()).expect("within the limits");
    assert_eq!((parsed.key.as_deref(), parsed.tags.len()), (Some(&*text), 16));
}

#[test]
fn raw_is_never_an_envelope() {
    let raw = |body: &str| parse_raw(body.as_bytes()).map_or("!".to_owned(), |parsed| shown(&parsed));
    let cases = [(" {\"data\":1}\n", "{\"data\":1}"), ("7", "7"), ("{\"data\":}", "!"), ("1 2", "!")];
    for (body, expected) in cases {
        assert_eq!(raw(body), expected, "{body}");
    }
}

#[test]
fn routes() {
    let cases = [
        (r#"{"topic":"a.b","data":1}"#, None, "a.b: 1"),
        (r#"{"topic":"a","data":1}"#, Some("d"), "a: 1"),
        (r#"{"data":1,"key":"k"}"#, Some("d"), "d: 1 key=k"),
        (r#"{"topic":null,"data":1}"#, Some("d"), "d: 1"),
        (r#"{"topic":"a","data":1,"x":2}"#, Some("d"), r#"d: {"topic":"a","data":1,"x":2}"#),
        ("5", Some("d"), "d: 5"),
        (r#"{"topic":"a..b","data":1}"#, None, "! `topic`: the segment at byte 2 is empty"),
        (
            r#"{"topic":"$presence.a","data":1}"#,
            None,
            "! `topic`: byte '$' at 0 is not one of A-Z a-z 0-9 . _ : @ -",
        ),
        (r#"{"topic":7,"data":1}"#, None, "! `topic` must be a string"),
        (r#"{"topic":"a","topic":"b","data":1}"#, None, "! `topic` is given twice"),
    ];
    for (line, default, expected) in cases {
        assert_eq!(routed(line, default), expected, "{line}");
    }
    for line in [r#"{"data":1}"#, r#"{"topic":"a"}"#, r#"{"topic":"a","data":1,"x":2}"#, "5"] {
        assert!(matches!(parse_routed(line.as_bytes(), None), Err(Invalid::NoTopic)), "{line}");
    }
}

#[test]
fn attributes_of_headers() {
    assert!(check_attribute(Member::Id, &"x".repeat(128)).is_ok());
    let error = check_attribute(Member::Id, &"x".repeat(129)).expect_err("too long");
    assert_eq!(error.to_string(), "`id` has at most 128 bytes, this one has 129");
    assert_eq!(tags_from_list(" a, b ,,c").expect("tags"), ["a", "b", "c"]);
    assert!(tags_from_list("").expect("tags").is_empty());
    assert!(matches!(tags_from_list(&"a,".repeat(17)), Err(Invalid::TooManyTags)));
}

#[test]
fn nothing_is_copied_without_need() {
    let body = br#"{"type":"t","tags":["x"],"data":{"a":1}}"#;
    let parsed = parse_event(body).expect("an envelope");
    let inside = |text: &str| body.as_ptr_range().contains(&text.as_ptr());
    assert!(
        inside(parsed.data) && inside(parsed.event.as_deref().expect("given")) && inside(&parsed.tags[0])
    );
}

proptest! {
    #[test]
    fn accepts_what_serde_json_accepts(body in r#"([\{\}\[\]",:a1\\u \n]|\{"){0,12}"#) {
        let valid = serde_json::from_str::<&RawValue>(&body).is_ok();
        prop_assert_eq!(parse_event(body.as_bytes()).is_ok(), valid, "{}", body);
    }

    #[test]
    fn never_panics(body in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = (parse_event(&body), parse_routed(&body, None), parse_raw(&body));
    }
}
