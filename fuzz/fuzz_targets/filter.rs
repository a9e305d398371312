//! Filters: whatever text comes, it is refused or it is a filter within its limits; a filter says the same however often
//! it is asked, and `not`, `and` and `or` keep their laws on whatever fields an event has.
#![no_main]

use libfuzzer_sys::fuzz_target;
use millrace::engine::filter::{Extract, FieldsBuilder, Filter};
use millrace::json::fields::JsonFields;
use millrace::json::filter;
use millrace::limits::{FILTER_DEPTH_MAX, FILTER_NODES_MAX};

fuzz_target!(|data: &[u8]| {
    // A filter, and the data it is asked about, on the first line and below it.
    let at = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (text, event) = (&data[..at], data.get(at + 1..).unwrap_or_default());
    let Ok(filter) = filter::from_slice(text) else { return };
    assert!(filter.nodes() <= FILTER_NODES_MAX && filter.depth() <= FILTER_DEPTH_MAX);
    let mut builder = FieldsBuilder::new("tool.call", "7", Some("k"), ["red", "blue"]);
    JsonFields.fields(event, &mut builder);
    let fields = builder.finish();
    let holds = filter.evaluate(&fields);
    assert_eq!(filter.evaluate(&fields), holds);
    let again = filter::from_slice(text).expect("it was one before");
    assert_eq!(again, filter, "the same text, another filter");
    laws(&filter, &|filter| filter.evaluate(&fields), holds);
});

fn laws(filter: &Filter, evaluate: &dyn Fn(&Filter) -> bool, holds: bool) {
    let check = |made: Result<Filter, _>, expected: bool| {
        // A filter at a limit cannot be wrapped.
        if let Ok(made) = made as Result<Filter, millrace::engine::filter::FilterError> {
            assert_eq!(evaluate(&made), expected, "{made:?}");
        }
    };
    check(Filter::not(filter.clone()), !holds);
    check(Filter::and([filter.clone(), Filter::all()]), holds);
    check(Filter::and([filter.clone(), Filter::none()]), false);
    check(Filter::or([filter.clone(), Filter::none()]), holds);
    check(Filter::or([filter.clone(), Filter::all()]), true);
}
