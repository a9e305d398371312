//! Ranges, against slices.

use proptest::prelude::*;

use super::http::{Answer, Http, get, noise, put};
use super::support::{Running, eventually};

const SIZE: u64 = 150_000;

/// What RFC 9110 makes of a range of `SIZE` bytes: the part, or nothing where it cannot be satisfied.
fn expected(first: Option<u64>, last: Option<u64>) -> Option<std::ops::Range<u64>> {
    let range = match (first, last) {
        (Some(first), last) => first..last.map_or(SIZE, |last| (last + 1).min(SIZE)),
        (None, last) => SIZE.saturating_sub(last.unwrap())..SIZE,
    };
    (!range.is_empty()).then_some(range)
}

fn ask(server: &Running, first: Option<u64>, last: Option<u64>) -> Answer {
    let show = |number: Option<u64>| number.map_or(String::new(), |number| number.to_string());
    get(server, "/v1/blobs/a", &format!("range: bytes={}-{}\r\n", show(first), show(last)))
}

fn check(
    server: &Running,
    bytes: &[u8],
    (first, last): (Option<u64>, Option<u64>),
) -> Result<(), TestCaseError> {
    let answer = ask(server, first, last);
    match expected(first, last) {
        Some(range) => {
            prop_assert_eq!(answer.status(), 206);
            let told = format!("bytes {}-{}/{SIZE}", range.start, range.end - 1);
            prop_assert_eq!(answer.header("content-range"), Some(&*told));
            prop_assert!(answer.is_whole && answer.body == bytes[range.start as usize..range.end as usize]);
        }
        None => {
            prop_assert_eq!(answer.status(), 416);
            prop_assert_eq!(answer.header("content-range"), Some("bytes */150000"));
            prop_assert!(answer.body.is_empty());
        }
    }
    Ok(())
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..SIZE + 10,
        0u64..3,
        SIZE - 3..SIZE + 3,
        Just(65_535u64),
        Just(65_536u64),
        Just(u64::MAX - 1)
    ]
}

fn range() -> impl Strategy<Value = (Option<u64>, Option<u64>)> {
    let between = (number(), number()).prop_map(|(a, b)| (Some(a.min(b)), Some(a.max(b))));
    prop_oneof![between, number().prop_map(|a| (Some(a), None)), number().prop_map(|b| (None, Some(b)))]
}

#[test]
fn ranges_are_slices() {
    let server = Running::start("");
    let bytes = noise(SIZE as usize, 11);
    put(&server, "/v1/blobs/a", "", &bytes);
    let cases = ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(cases, |(range in range())| check(&server, &bytes, range)?);
}

#[test]
fn what_is_no_single_range_gives_the_whole() {
    let server = Running::start("");
    put(&server, "/v1/blobs/a", "", b"0123456789");
    for range in
        ["bytes=0-1,4-5", "bytes=5-4", "bytes=", "lines=0-1", "bytes=a-b", "bytes=-", "x", "bytes=\u{e4}-1"]
    {
        let answer = get(&server, "/v1/blobs/a", &format!("range: {range}\r\n"));
        assert_eq!((answer.status(), &*answer.body), (200, &b"0123456789"[..]), "{range}");
    }
}

#[test]
fn a_range_can_be_made_to_hold_for_one_state_only() {
    let server = Running::start("");
    let tag = put(&server, "/v1/blobs/a", "", b"0123456789").header("etag").unwrap().to_owned();
    let ask = |if_range: &str| {
        get(&server, "/v1/blobs/a", &format!("range: bytes=2-4\r\nif-range: {if_range}\r\n"))
    };
    assert_eq!((ask(&tag).status(), &*ask(&tag).body), (206, &b"234"[..]));
    for other in ["\"other\"", &format!("W/{tag}"), "Sat, 21 Nov 2026 12:00:00 GMT"] {
        assert_eq!((ask(other).status(), ask(other).body.len()), (200, 10), "{other}");
    }
    let known = get(&server, "/v1/blobs/a", &format!("if-none-match: {tag}\r\n"));
    assert_eq!((known.status(), known.header("etag")), (304, Some(&*tag)));
    assert_eq!(get(&server, "/v1/blobs/a", "if-match: \"other\"\r\n").status(), 412);
    assert_eq!(get(&server, "/v1/blobs/a", &format!("if-match: {tag}\r\n")).status(), 200);
}

#[test]
fn a_range_of_an_unfinished_blob_waits_where_its_size_is_known() {
    let server = Running::start("");
    let bytes = noise(1000, 12);
    let mut upload = Http::begin(&server, "PUT", "/v1/blobs/a", "content-length: 1000\r\n");
    upload.send(&bytes[..10]);
    eventually("it is there", || get(&server, "/v1/blobs/a", "range: bytes=0-3\r\n").status() == 206);
    let waits = Http::begin(&server, "GET", "/v1/blobs/a", "range: bytes=5-899\r\n");
    assert_eq!(get(&server, "/v1/blobs/a", "range: bytes=1000-\r\n").status(), 416);
    upload.send(&bytes[10..]);
    let part = waits.answer(false);
    assert_eq!((part.status(), &*part.body), (206, &bytes[5..900]));
}

#[test]
fn without_a_size_only_bytes_that_are_there_are_a_part() {
    let server = Running::start("");
    let mut upload = Http::upload(&server, "/v1/blobs/a", "");
    upload.chunk(b"0123456789");
    eventually("it has begun", || super::ask(&server, "HEAD", "/v1/blobs/a", "").status() == 200);
    let mut reader = Http::begin(&server, "GET", "/v1/blobs/a", "");
    super::read_head(&mut reader.0);
    assert_eq!(reader.next_chunk().unwrap(), b"0123456789");
    let there = || get(&server, "/v1/blobs/a", "range: bytes=2-9\r\n");
    assert_eq!(there().status(), 206);
    assert_eq!((there().header("content-range"), &*there().body), (Some("bytes 2-9/*"), &b"23456789"[..]));
    let beyond = Http::begin(&server, "GET", "/v1/blobs/a", "range: bytes=2-10\r\n");
    let last = Http::begin(&server, "GET", "/v1/blobs/a", "range: bytes=-3\r\n");
    eventually("they wait", || super::metric(&server, "millrace_blob_downloads_total") == 6.0);
    upload.chunk(b"abc");
    assert_eq!(upload.finish().status(), 201);
    for passed_over in [beyond, last] {
        let whole = passed_over.answer(false);
        assert_eq!((whole.status(), &*whole.body), (200, &b"0123456789abc"[..]));
    }
}
