//! What a filter costs per event: evaluation with 1, 4 and 16 leaves that all must be looked at, and the extraction of the fields,
//! which happens once per event however many filters there are.

use criterion::{Criterion, criterion_group, criterion_main};
use millrace::engine::filter::{Extract, Fields, FieldsBuilder};
use millrace::json::{fields::JsonFields, filter};
use std::hint::black_box;

/// 16 scalars in 3 objects and a list, 330 bytes.
const DATA: &str = r#"{"id":"run_8f2c41","seq":1842,"user":{"name":"Ann","plan":"pro","region":"eu-west-1","admin":false},"step":{"tool":"search.web","ms":184,"tokens":912,"ok":true,"note":"found \"three\" pages"},"scores":[0.12,0.5,0.93],"text":"the quick brown fox jumps over the lazy dog and on","parent":null}"#;

/// Leaves that all hold for [`DATA`], so that an `and` looks at each.
const LEAVES: [&str; 16] = [
    r#"{"eq":["event","tool.call"]}"#,
    r#"{"gt":["data.seq",1000]}"#,
    r#"{"prefix":["data.step.tool","search."]}"#,
    r#"{"in":["data.user.plan",["free","pro","team"]]}"#,
    r#"{"eq":["data.user.name","Ann"]}"#,
    r#"{"eq":["data.user.admin",false]}"#,
    r#"{"lt":["data.step.ms",500]}"#,
    r#"{"exists":"data.step.note"}"#,
    r#"{"glob":["data.user.region","eu-*-?"]}"#,
    r#"{"glob":["data.text","*fox*dog*"]}"#,
    r#"{"eq":["data.parent",null]}"#,
    r#"{"gt":["data.scores.2",0.9]}"#,
    r#"{"eq":["tags","red"]}"#,
    r#"{"not":{"exists":"data.error"}}"#,
    r#"{"eq":["key","run_8f2c41"]}"#,
    r#"{"eq":["data.step.ok",true]}"#,
];

fn extract() -> Fields {
    let mut builder = FieldsBuilder::new("tool.call", "1:1842", Some("run_8f2c41"), ["blue", "red"]);
    JsonFields.fields(black_box(DATA).as_bytes(), &mut builder);
    builder.finish()
}

fn evaluation(c: &mut Criterion) {
    let fields = extract();
    for leaves in [1, 4, 16] {
        let text = format!(r#"{{"and":[{}]}}"#, LEAVES[..leaves].join(","));
        let filter = filter::parse(&text).expect("a filter");
        assert!(filter.evaluate(&fields));
        c.bench_function(&format!("evaluate/{leaves}"), |b| b.iter(|| filter.evaluate(black_box(&fields))));
    }
}

fn extraction(c: &mut Criterion) {
    c.bench_function("extract/330 B, 21 fields", |b| b.iter(extract));
}

criterion_group!(benches, evaluation, extraction);
criterion_main!(benches);
