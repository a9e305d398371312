//! What a token bucket costs: one that lets through, one that refuses, and one that is found by its key first. The clock is not
//! read, as in a shard, where all buckets of a turn share one moment.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use millrace::engine::{Bucket, Buckets, Now, Rate};

fn at(micros: u64) -> Now {
    Now { unix_ms: 0, micros }
}

fn single(c: &mut Criterion) {
    let bucket = Bucket::default();
    let wide = Rate::new(1_000_000_000, 1_000_000_000).expect("a rate");
    let mut micros = 1;
    c.bench_function("bucket/lets through", |b| {
        b.iter(|| {
            micros += 1;
            bucket.take(1, wide, at(black_box(micros)))
        });
    });
    let (bucket, narrow) = (Bucket::default(), Rate::new(1, 1).expect("a rate"));
    c.bench_function("bucket/refuses", |b| b.iter(|| bucket.take(1, narrow, at(black_box(1)))));
}

fn keyed(c: &mut Criterion) {
    // Each key comes back before its bucket is full again, so that none is forgotten.
    let (buckets, wide) = (Buckets::<String>::default(), Rate::new(500, 1_000_000).expect("a rate"));
    let names: Vec<_> = (0..1000).map(|number| format!("user-{number}")).collect();
    let mut micros = 1_000;
    c.bench_function("buckets/1000 keys", |b| {
        b.iter(|| {
            micros += 1;
            buckets.take(black_box(names[micros as usize % 1000].as_str()), 1, wide, at(micros))
        });
    });
}

criterion_group!(benches, single, keyed);
criterion_main!(benches);
