//! What the codecs cost per message, by size of payload: `cargo bench --bench framing`.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use flate2::{Compress, Compression, FlushCompress};
use millrace::wire::deflate::{Deflater, Inflater};
use millrace::wire::websocket::{
    Decoder, Incoming, Input, Intake, Opcode, Role, apply_mask, encode_frame, encode_masked,
};
use std::hint::black_box;

const SIZES: [usize; 6] = [64, 256, 1024, 4096, 16_384, 65_536];
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// What a shard reads at a time.
const READ_BYTES: usize = 64 << 10;

/// Text that looks like events, so that deflate has something to find.
fn events(len: usize) -> Vec<u8> {
    let event = |n: u32| {
        let noise = n.wrapping_mul(2_654_435_761);
        format!(
            r#"{{"type":"event","topic":"logs.api","offset":{n},"data":{{"id":"{noise:08x}","ms":{}}}}}"#,
            n % 977
        )
    };
    let mut text: Vec<u8> = (0..).map(event).flat_map(String::into_bytes).take(len).collect();
    text.truncate(len);
    text
}

fn masked(payload: &[u8], count: usize) -> Vec<u8> {
    let mut out = Vec::new();
    (0..count).for_each(|_| encode_masked(&mut out, Opcode::Text, false, KEY, payload));
    out
}

fn drain(decoder: &mut Decoder, intake: &mut Intake, bytes: &mut [u8]) -> usize {
    let mut input = Input::new(bytes);
    let mut count = 0;
    while let Ok(Some(incoming)) = decoder.next(&mut input, intake) {
        count += usize::from(matches!(black_box(incoming), Incoming::Text(_)));
    }
    count
}

/// Reads full of whole messages; the time is for a read, the throughput for its bytes.
fn decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode_masked_text");
    for size in SIZES {
        let bytes = masked(&events(size), (READ_BYTES / size).max(1));
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        let mut intake = Intake::new(1 << 20);
        let mut decoder = Decoder::new(Role::Server, false);
        group.bench_function(BenchmarkId::from_parameter(size), |b| {
            b.iter_batched_ref(
                || bytes.clone(),
                |bytes| drain(&mut decoder, &mut intake, bytes),
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

/// One message of 64 KiB that arrives in reads of the size given.
fn decode_in_pieces(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode_64k_in_reads_of");
    let bytes = masked(&events(65_536), 1);
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    for step in [64, 1460, 16_384] {
        let mut intake = Intake::new(1 << 20);
        let mut decoder = Decoder::new(Role::Server, false);
        group.bench_function(BenchmarkId::from_parameter(step), |b| {
            b.iter_batched_ref(
                || bytes.clone(),
                |bytes| -> usize {
                    bytes.chunks_mut(step).map(|piece| drain(&mut decoder, &mut intake, piece)).sum()
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

fn unmask(c: &mut Criterion) {
    let mut group = c.benchmark_group("unmask");
    for size in SIZES {
        let mut bytes = events(size);
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |b| {
            b.iter(|| apply_mask(black_box(&mut bytes), KEY));
        });
    }
    group.finish();
}

fn encode(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode_text");
    for size in SIZES {
        let payload = events(size);
        let mut out = Vec::with_capacity(size + 10);
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |b| {
            b.iter(|| {
                out.clear();
                encode_frame(&mut out, Opcode::Text, false, black_box(&payload));
                out.len()
            });
        });
    }
    group.finish();
}

fn deflate(c: &mut Criterion) {
    let mut group = c.benchmark_group("deflate");
    let (mut deflater, mut inflater) = (Deflater::new(), Inflater::new());
    for size in &SIZES[1..] {
        let payload = events(*size);
        let compressed = deflater.deflate(&payload).unwrap_or_default().to_vec();
        println!("deflate: {size} -> {} bytes", compressed.len());
        group.throughput(Throughput::Bytes(*size as u64));
        group.bench_function(BenchmarkId::new("deflate", size), |b| {
            b.iter(|| deflater.deflate(black_box(&payload)).map(<[u8]>::len));
        });
        group.bench_function(BenchmarkId::new("inflate", size), |b| {
            b.iter(|| inflater.inflate(black_box(&compressed), 1 << 20).map(<[u8]>::len));
        });
    }
    group.finish();
}

/// What `DEFLATE_WINDOW_BITS` costs against the largest window, the compressor being reset for each message.
fn window(c: &mut Criterion) {
    let mut group = c.benchmark_group("window_bits");
    for (bits, size) in [12, 15].into_iter().flat_map(|bits| [256, 1024, 65_536].map(|size| (bits, size))) {
        let payload = events(size);
        let mut out = Vec::with_capacity(size + 64);
        let mut stream = Compress::new_with_window_bits(Compression::fast(), false, bits);
        let mut run = || {
            out.clear();
            stream.reset();
            let status = stream.compress_vec(black_box(&payload), &mut out, FlushCompress::Sync);
            (status.is_ok(), out.len())
        };
        println!("window {bits}: {size} -> {:?}", run());
        group.bench_function(BenchmarkId::new(bits.to_string(), size), |b| b.iter(&mut run));
    }
    group.finish();
}

criterion_group!(benches, decode, decode_in_pieces, unmask, encode, deflate, window);
criterion_main!(benches);
