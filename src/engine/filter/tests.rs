//! Filters against events, and their canonical form.

use super::*;

fn field(path: &str) -> Field {
    Field::parse(path).expect("a field")
}

fn and<const N: usize>(operands: [Filter; N]) -> Filter {
    Filter::and(operands).expect("within limits")
}

fn or<const N: usize>(operands: [Filter; N]) -> Filter {
    Filter::or(operands).expect("within limits")
}

fn not(operand: Filter) -> Filter {
    Filter::not(operand).expect("within limits")
}

fn glob(path: &str, text: &str) -> Filter {
    Filter::glob(field(path), text).expect("a glob")
}

fn one_of(path: &str, values: &[Value]) -> Filter {
    Filter::one_of(field(path), values.to_vec()).expect("within limits")
}

/// A leaf that differs from every other number's.
fn leaf(n: i64) -> Filter {
    Filter::eq(field("data.n"), Number::from(n))
}

fn event() -> Fields {
    let mut builder = FieldsBuilder::new("tool.call", "7", None, ["red", "blue"]);
    builder.add("data", Scalar::Composite);
    builder.add("data.n", Scalar::Number(5i64.into()));
    builder.add("data.big", Scalar::Number(9_007_199_254_740_993i64.into()));
    builder.add("data.t", Scalar::Text("text"));
    builder.add("data.null", Scalar::Null);
    builder.add("data.yes", Scalar::Bool(true));
    builder.finish()
}

/// Whether the key says that the event is not wanted.
fn is_ruled_out(filter: &Filter) -> bool {
    filter.key().is_some_and(|key| key.mask & event().mask(&key.field) == 0)
}

#[test]
fn keys_rule_out() {
    let n = |n: i64| Value::from(Number::from(n));
    let texts = |count: usize| (0..count).map(|i| Value::from(&*format!("t{i}"))).collect::<Vec<_>>();
    let ruled_out = [
        leaf(6),
        Filter::eq(field("data.t"), "other"),
        Filter::eq(field("data.absent"), Value::Null),
        one_of("data.n", &[n(7), n(8)]),
        and([leaf(6), Filter::exists(field("data"))]),
        and([one_of("data.t", &texts(9)), leaf(6)]),
        and([one_of("data.n", &[n(5), n(6)]), Filter::eq(field("event"), "other")]),
    ];
    for filter in ruled_out {
        assert!(is_ruled_out(&filter), "{filter:?}");
    }
    for filter in [Filter::all(), not(leaf(6)), or([leaf(6), leaf(7)]), one_of("data.n", &texts(9))] {
        assert_eq!(filter.key(), None, "{filter:?}");
    }
}

#[test]
fn leaves() {
    let n = |n: i64| Value::from(Number::from(n));
    let cases = [
        (Filter::eq(field("event"), "tool.call"), true),
        (Filter::eq(field("event"), "tool"), false),
        (Filter::eq(field("data.n"), Number::from(5.0)), true),
        (Filter::eq(field("data.n"), "5"), false),
        (Filter::eq(field("data.big"), n(9_007_199_254_740_993)), true),
        (Filter::eq(field("data.big"), n(9_007_199_254_740_992)), false),
        (Filter::eq(field("data.null"), Value::Null), true),
        (Filter::eq(field("data.absent"), Value::Null), false),
        (Filter::eq(field("data.yes"), true), true),
        (Filter::eq(field("data.yes"), false), false),
        (Filter::eq(field("tags"), "red"), true),
        (Filter::eq(field("tags"), "green"), false),
        (Filter::eq(field("key"), "k"), false),
        (one_of("data.n", &[n(4), n(5), "x".into()]), true),
        (one_of("data.t", &[n(4), "text".into(), "a".into()]), true),
        (one_of("data.t", &[n(4), "texts".into()]), false),
        (one_of("tags", &["green".into(), "blue".into()]), true),
        (Filter::gt(field("data.n"), 4.5), true),
        (Filter::gt(field("data.n"), 5i64), false),
        (Filter::lt(field("data.n"), 5.5), true),
        (Filter::lt(field("data.n"), 5i64), false),
        (Filter::gt(field("data.t"), 0i64), false),
        (Filter::lt(field("data.absent"), 0i64), false),
        (Filter::exists(field("data")), true),
        (Filter::exists(field("data.null")), false),
        (Filter::exists(field("key")), false),
        (Filter::prefix(field("data.t"), "te"), true),
        (Filter::prefix(field("data.n"), ""), false),
        (glob("event", "tool.*"), true),
        (glob("event", "*c?ll"), true),
        (glob("data.n", "*"), false),
        (glob("tags", "b*e"), true),
    ];
    for (filter, expected) in cases {
        assert_eq!(filter.evaluate(&event()), expected, "{filter:?}");
        assert!(!(expected && is_ruled_out(&filter)), "{filter:?}");
    }
}

#[test]
fn trees() {
    let (yes, no) = (leaf(5), leaf(6));
    let cases = [
        (and([yes.clone(), no.clone()]), false),
        (and([yes.clone(), not(no.clone())]), true),
        (or([no.clone(), yes.clone()]), true),
        (or([no.clone(), leaf(7)]), false),
        (not(and([yes.clone(), no.clone()])), true),
        (and([or([yes.clone(), no.clone()]), or([yes, leaf(8)])]), true),
        (Filter::all(), true),
        (Filter::none(), false),
    ];
    for (filter, expected) in cases {
        assert_eq!(filter.evaluate(&event()), expected, "{filter:?}");
        assert!(!(expected && is_ruled_out(&filter)), "{filter:?}");
    }
}

#[test]
fn what_means_the_same_is_equal() {
    let (a, b, c) = (leaf(1), leaf(2), leaf(3));
    let cases = [
        (and([a.clone(), b.clone()]), and([b.clone(), a.clone()])),
        (and([a.clone(), and([b.clone(), c.clone()])]), and([c.clone(), a.clone(), b.clone()])),
        (or([a.clone(), or([b.clone(), c.clone()])]), or([c.clone(), b.clone(), a.clone()])),
        (and([a.clone(), a.clone()]), a.clone()),
        (or([a.clone()]), a.clone()),
        (not(not(a.clone())), a.clone()),
        (and([]), Filter::all()),
        (or([]), Filter::none()),
        (not(and([])), Filter::none()),
        (not(or([])), Filter::all()),
        (and([a.clone(), Filter::all()]), a.clone()),
        (and([a.clone(), Filter::none()]), Filter::none()),
        (or([a.clone(), Filter::none()]), a.clone()),
        (or([a.clone(), Filter::all()]), Filter::all()),
        (one_of("data.n", &[]), Filter::none()),
        (one_of("data.n", &[Number::from(1i64).into(), Number::from(1.0).into()]), a.clone()),
        (one_of("id", &["b".into(), "a".into()]), one_of("id", &["a".into(), "b".into()])),
        (glob("id", "abc"), Filter::eq(field("id"), "abc")),
        (glob("id", "abc**"), Filter::prefix(field("id"), "abc")),
    ];
    for (one, other) in cases {
        assert_eq!(one, other);
    }
    assert_ne!(and([a.clone(), b.clone()]), or([a, b]));
}

#[test]
fn limits() {
    let leaves = |n: i64| Filter::and((0..n).map(leaf));
    assert_eq!(leaves(63).map(|f| (f.nodes(), f.depth())), Ok((64, 2)));
    assert_eq!(leaves(64), Err(FilterError::TooManyNodes));
    assert_eq!(leaves(1).map(|f| f.nodes()), Ok(1));

    let mut filter = leaf(0);
    for depth in 2..=16 {
        let join = [filter, leaf(depth)];
        filter = if depth % 2 == 0 { and(join) } else { or(join) };
        assert_eq!(filter.depth(), usize::try_from(depth).expect("small"));
    }
    assert_eq!(Filter::or([filter, leaf(17)]), Err(FilterError::TooDeep));

    let values = |n: usize| (0..n).map(|i| Value::from(Number::from(i as u64))).collect();
    assert!(Filter::one_of(field("id"), values(1024)).is_ok());
    assert_eq!(Filter::one_of(field("id"), values(1025)), Err(FilterError::TooManyValues(1025)));
    assert!(Filter::glob(field("id"), &"?".repeat(65)).is_err());
}
