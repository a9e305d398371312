//! Blobs: uploads that are read while they still come, whole or in ranges, by whom they are for and by nobody else.

#![allow(clippy::disallowed_methods, reason = "tests wait")]
#![allow(clippy::unwrap_used, reason = "a test that meets something impossible may panic")]

#[path = "blobs/access.rs"]
mod access;
#[path = "blobs/bounds.rs"]
mod bounds;
#[path = "blobs/chat.rs"]
mod chat;
#[path = "blobs/endings.rs"]
mod endings;
#[path = "blobs/folders.rs"]
mod folders;
#[path = "blobs/http.rs"]
mod http;
#[path = "blobs/ranges.rs"]
mod ranges;
mod support;

use std::io::Read;
use std::time::Duration;

use http::{Http, ask, get, noise, put};
use sha2::{Digest, Sha256};
use support::{Running, eventually, metric, read_head};

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn what_is_uploaded_can_be_read() {
    let server = Running::start("");
    let bytes = noise(300_000, 1);
    let stored = put(&server, "/v1/blobs/a", "content-type: image/png\r\n", &bytes);
    let digest = sha256(&bytes);
    assert_eq!(stored.status(), 201, "{stored:?}");
    let about =
        format!("{{\"content_type\":\"image/png\",\"id\":\"a\",\"sha256\":\"{digest}\",\"size\":300000}}");
    let about: serde_json::Value = serde_json::from_str(&about).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(stored.text()).unwrap(), about);
    let tag = format!("\"{digest}\"");
    assert_eq!((stored.header("etag"), stored.header("location")), (Some(&*tag), Some("/v1/blobs/a")));
    let read = get(&server, "/v1/blobs/a", "");
    assert!(read.status() == 200 && read.is_whole && read.body == bytes, "{read:?}");
    let wanted = [
        ("content-type", "image/png"),
        ("content-length", "300000"),
        ("etag", &tag),
        ("accept-ranges", "bytes"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; sandbox"),
        ("cache-control", "private, no-cache"),
    ];
    for (name, value) in wanted {
        assert_eq!(read.header(name), Some(value), "{name}");
    }
    assert_eq!(read.header("content-disposition"), None);
    let head = ask(&server, "HEAD", "/v1/blobs/a", "");
    let without_date =
        |head: &str| head.lines().filter(|line| !line.starts_with("date")).collect::<Vec<_>>().join("\n");
    assert_eq!(without_date(&head.head), without_date(&read.head));
}

#[test]
fn an_empty_blob_is_one() {
    let server = Running::start("");
    assert_eq!(put(&server, "/v1/blobs/empty", "", b"").status(), 201);
    let chunked = Http::upload(&server, "/v1/blobs/chunked", "").finish();
    assert_eq!(chunked.status(), 201);
    for id in ["empty", "chunked"] {
        let read = get(&server, &format!("/v1/blobs/{id}"), "");
        assert_eq!(
            (read.status(), read.header("content-length"), read.is_whole),
            (200, Some("0"), true),
            "{id}"
        );
        assert_eq!(read.header("content-type"), Some("application/octet-stream"));
        assert_eq!(get(&server, &format!("/v1/blobs/{id}"), "range: bytes=0-\r\n").status(), 416);
        assert_eq!(get(&server, &format!("/v1/blobs/{id}"), "range: bytes=-5\r\n").status(), 200);
    }
}

#[test]
fn the_server_chooses_an_id() {
    let server = Running::start("");
    let post = || {
        let mut http = Http::begin(&server, "POST", "/v1/blobs", "content-length: 3\r\n");
        http.send(b"abc");
        http.answer(false)
    };
    let (first, second) = (post(), post());
    let place = first.header("location").unwrap();
    assert!(first.status() == 201 && place.len() == "/v1/blobs/".len() + 22, "{first:?}");
    assert_ne!(Some(place), second.header("location"));
    assert_eq!(get(&server, place, "").body, b"abc");
}

#[test]
fn what_a_browser_could_run_is_offered_for_saving() {
    let server = Running::start("");
    for (i, kind) in
        ["text/html", "image/svg+xml", "application/pdf", "text/plain,text/html"].iter().enumerate()
    {
        let target = format!("/v1/blobs/b{i}");
        put(&server, &target, &format!("content-type: {kind}\r\n"), b"<script>");
        let read = get(&server, &target, "");
        assert_eq!(
            (read.header("content-disposition"), read.header("content-type")),
            (Some("attachment"), Some(*kind))
        );
    }
}

#[test]
fn who_comes_in_the_middle_of_an_upload_reads_along() {
    let server = Running::start("");
    let bytes = noise(200_000, 2);
    let mut upload = Http::upload(&server, "/v1/blobs/live", "content-type: audio/ogg\r\n");
    upload.chunk(&bytes[..70_000]);
    eventually("it is there", || ask(&server, "HEAD", "/v1/blobs/live", "").status() == 200);
    let mut reader = Http::begin(&server, "GET", "/v1/blobs/live", "");
    let head = read_head(&mut reader.0);
    assert!(head.contains("transfer-encoding: chunked") && !head.contains("etag"), "{head}");
    assert!(head.contains("cache-control: no-store"), "{head}");
    let mut read = Vec::new();
    while read.len() < 70_000 {
        read.extend(reader.next_chunk().unwrap());
    }
    upload.chunk(&bytes[70_000..70_001]);
    assert_eq!(reader.next_chunk().unwrap(), bytes[70_000..70_001], "a byte is not held back for others");
    read.push(bytes[70_000]);
    let unfinished = ask(&server, "HEAD", "/v1/blobs/live", "");
    assert_eq!((unfinished.status(), unfinished.header("content-length")), (200, None));
    upload.chunk(&bytes[70_001..]);
    assert_eq!(upload.finish().status(), 201);
    while let Some(chunk) = reader.next_chunk().filter(|chunk| !chunk.is_empty()) {
        read.extend(chunk);
    }
    assert!(read == bytes);
    assert_eq!(get(&server, "/v1/blobs/live", "").header("content-length"), Some("200000"));
}

#[test]
fn an_announced_size_is_told_before_the_end() {
    let server = Running::start("");
    let bytes = noise(100_000, 3);
    let mut upload = Http::begin(&server, "PUT", "/v1/blobs/sized", "content-length: 100000\r\n");
    upload.send(&bytes[..10]);
    eventually("it is there", || ask(&server, "HEAD", "/v1/blobs/sized", "").status() == 200);
    let whole = Http::begin(&server, "GET", "/v1/blobs/sized", "");
    let tail = Http::begin(&server, "GET", "/v1/blobs/sized", "range: bytes=-7\r\n");
    upload.send(&bytes[10..]);
    assert_eq!(upload.answer(false).status(), 201);
    let (whole, tail) = (whole.answer(false), tail.answer(false));
    assert!(whole.header("content-length") == Some("100000") && whole.body == bytes, "{whole:?}");
    assert_eq!((tail.status(), tail.header("content-range")), (206, Some("bytes 99993-99999/100000")));
    assert_eq!(tail.body, bytes[99_993..]);
}

fn resident(server: &Running) -> f64 {
    metric(server, "process_resident_memory_bytes")
}

#[test]
fn memory_does_not_grow_with_blobs() {
    const SIZE: usize = 64 << 20;
    let server = Running::start("[blobs]\nmax_bytes = \"64MiB\"");
    put(&server, "/v1/blobs/warm", "", &noise(1 << 20, 4));
    let (block, before) = (noise(64 << 10, 5), resident(&server));
    let mut upload = Http::begin(&server, "PUT", "/v1/blobs/big", &format!("content-length: {SIZE}\r\n"));
    let (mut hash, mut most) = (Sha256::new(), before);
    upload.send(&block);
    hash.update(&block);
    eventually("it is there", || ask(&server, "HEAD", "/v1/blobs/big", "").status() == 200);
    let mut slow = Http::begin(&server, "GET", "/v1/blobs/big", "");
    let mut fast = Http::begin(&server, "GET", "/v1/blobs/big", "");
    let read = std::thread::spawn(move || {
        read_head(&mut fast.0);
        let (mut hash, mut buffer, mut count) = (Sha256::new(), vec![0; 64 << 10], 0);
        while count < SIZE {
            let more = fast.0.read(&mut buffer).unwrap();
            assert!(more > 0, "cut after {count}");
            hash.update(&buffer[..more]);
            count += more;
        }
        hash.finalize()
    });
    for i in 1..SIZE / block.len() {
        upload.send(&block);
        hash.update(&block);
        if i % 100 == 0 {
            most = most.max(resident(&server));
        }
    }
    assert_eq!(upload.answer(false).status(), 201);
    assert_eq!(read.join().unwrap(), hash.finalize());
    most = most.max(resident(&server));
    assert!(most - before < (16 << 20) as f64, "grew by {} bytes", most - before);
    read_head(&mut slow.0);
    assert_eq!(metric(&server, "millrace_blob_bytes"), (SIZE + (1 << 20)) as f64);
}

#[test]
fn a_slow_reader_is_not_cut_while_it_reads() {
    let server = Running::start("[timing]\nwrite_seconds = 1");
    let bytes = noise(8 << 20, 6);
    put(&server, "/v1/blobs/a", "", &bytes);
    let mut reader = Http::begin(&server, "GET", "/v1/blobs/a", "");
    read_head(&mut reader.0);
    let (mut read, mut buffer) = (Vec::new(), vec![0; 1 << 20]);
    for _ in 0..8 {
        reader.0.read_exact(&mut buffer).unwrap();
        read.extend_from_slice(&buffer);
        std::thread::sleep(Duration::from_millis(400));
    }
    assert!(read == bytes);
    assert_eq!(metric(&server, "millrace_blob_downloads_cut_total"), 0.0);
}

#[test]
fn a_reader_that_takes_nothing_is_cut() {
    let server = Running::start("[timing]\nwrite_seconds = 1");
    put(&server, "/v1/blobs/a", "", &noise(32 << 20, 7));
    let _reader = Http::begin(&server, "GET", "/v1/blobs/a", "");
    eventually("it is cut", || metric(&server, "millrace_blob_downloads_cut_total") == 1.0);
}
