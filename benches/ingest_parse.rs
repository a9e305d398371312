//! Reading one line of a publisher: serde_json and raw values, as we do, against simd-json, which rewrites its input in place and
//! so needs a copy of a text that is to be passed on. Lines of 256, 474 and 2048 bytes.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use millrace::json::envelope;
use simd_json::Buffers;
use std::hint::black_box;

/// An envelope of exactly `bytes` bytes, with data of some nesting and a text of the length that is missing.
fn line(bytes: usize) -> Vec<u8> {
    let head = r#"{"topic":"analysis.job-7","type":"tool.call","id":"run_8f2c41-1842","key":"run_8f2c41","data":{"seq":1842,"user":{"name":"Ann","plan":"pro"},"scores":[0.12,0.5,0.93],"ok":true,"text":""#;
    let tail = r#""}}"#;
    let text: String =
        "the quick brown fox, ".chars().cycle().take(bytes - head.len() - tail.len()).collect();
    format!("{head}{text}{tail}").into_bytes()
}

fn parse(c: &mut Criterion) {
    let mut group = c.benchmark_group("parse");
    for bytes in [256, 474, 2048] {
        let line = line(bytes);
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_with_input(BenchmarkId::new("envelope", bytes), &line, |b, line| {
            b.iter(|| {
                envelope::parse_routed(black_box(line), None).map(|routed| routed.publication.data.len())
            });
        });
        group.bench_with_input(BenchmarkId::new("simd-json copy+tape", bytes), &line, |b, line| {
            let (mut copy, mut buffers) = (Vec::new(), Buffers::new(bytes));
            b.iter(|| {
                copy.clear();
                copy.extend_from_slice(black_box(line));
                simd_json::to_tape_with_buffers(&mut copy, &mut buffers).map(|tape| tape.0.len())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, parse);
criterion_main!(benches);
