//! What is too large, too much, too slow, or too many at a time.

use std::time::{Duration, Instant};

use super::http::{Http, ask, get, noise, put};
use super::support::{Running, bearer, eventually, keys, metric};

fn code(answer: &super::http::Answer) -> String {
    let said: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    said["error"]["code"].as_str().unwrap().into()
}

#[test]
fn a_blob_is_not_too_large() {
    let server = Running::start("[blobs]\nmax_bytes = 100_000");
    assert_eq!(put(&server, "/v1/blobs/fits", "", &noise(100_000, 1)).status(), 201);
    let begun =
        Http::begin(&server, "PUT", "/v1/blobs/a", "content-length: 100001\r\nexpect: 100-continue\r\n");
    let refused = begun.answer(false);
    assert_eq!((refused.status(), &*code(&refused)), (413, "too_large"), "before a byte of it was sent");
    let mut upload = Http::upload(&server, "/v1/blobs/b", "");
    upload.chunk(&noise(60_000, 2));
    let reader = Http::begin(&server, "GET", "/v1/blobs/b", "");
    eventually("it is read", || metric(&server, "millrace_blob_read_bytes_total") >= 60_000.0);
    upload.chunk(&noise(60_000, 3));
    assert_eq!(upload.finish().status(), 413);
    assert!(!reader.answer(false).is_whole);
    assert_eq!(get(&server, "/v1/blobs/b", "").status(), 404);
    eventually("it is gone", || metric(&server, "millrace_blobs") == 1.0);
    assert_eq!(metric(&server, "millrace_blob_refused_total"), 2.0);
}

#[test]
fn there_is_so_much_room() {
    let bounds = "[blobs]\ntotal_bytes = 40_960\nper_user_bytes = 24_576\nper_user = 3\n";
    let server = Running::start(&format!("{bounds}{}", keys(&["ann", "bob"])));
    let send = |name: &str, id: &str, size| {
        let answer = put(&server, &format!("/v1/blobs/{id}"), &bearer(name), &noise(size, 4));
        if answer.status() == 507 {
            assert_eq!(code(&answer), "no_room")
        }
        (answer.status(), answer)
    };
    let full = |(status, answer): (u16, super::http::Answer), setting: &str| {
        assert!(status == 507 && answer.text().contains(setting), "{answer:?}");
    };
    assert_eq!(send("ann", "a1", 20_000).0, 201);
    full(send("ann", "a2", 5_000), "blobs.per_user_bytes");
    assert_eq!(send("bob", "b1", 16_384).0, 201);
    full(send("bob", "b2", 8_192), "blobs.total_bytes");
    let mut grows = Http::upload(&server, "/v1/blobs/b3", &bearer("bob"));
    grows.chunk(&noise(4_000, 5));
    grows.chunk(&noise(4_000, 6));
    assert_eq!(grows.finish().status(), 507);
    ask(&server, "DELETE", "/v1/blobs/a1", &bearer("ann"));
    eventually("there is room", || metric(&server, "millrace_blob_bytes") == 16_384.0);
    for id in ["a1", "a2", "a3"] {
        assert_eq!(send("ann", id, 0).0, 201);
    }
    full(send("ann", "a4", 0), "blobs.per_user");
}

#[test]
fn an_upload_must_go_on() {
    let server = Running::start("[blobs]\nidle_seconds = 1\nleast_bytes_per_second = 10");
    let silent = Http::begin(&server, "PUT", "/v1/blobs/silent", "content-length: 10\r\n");
    let began = Instant::now();
    assert_eq!(silent.answer(false).status(), 408);
    assert!(began.elapsed() < Duration::from_secs(5));
    let mut slow = Http::upload(&server, "/v1/blobs/slow", "");
    for _ in 0..12 {
        slow.chunk(b"x");
        std::thread::sleep(Duration::from_millis(150));
    }
    assert_eq!(slow.answer(false).status(), 408, "some bytes now and then are not enough");
    let mut steady = Http::upload(&server, "/v1/blobs/steady", "");
    for _ in 0..8 {
        steady.chunk(b"0123456789");
        std::thread::sleep(Duration::from_millis(300));
    }
    assert_eq!(steady.finish().status(), 201);
    assert_eq!(get(&server, "/v1/blobs/steady", "").body.len(), 80);
    assert_eq!(metric(&server, "millrace_blob_uploads_broken_total"), 2.0);
}

#[test]
fn there_are_so_many_transfers() {
    let bounds = "[blobs]\ntransfers = 3\ntransfers_per_user = 2\n";
    let server = Running::start(&format!("{bounds}{}", keys(&["ann", "bob", "cid"])));
    let mut held: Vec<_> =
        (0..2).map(|i| Http::upload(&server, &format!("/v1/blobs/a{i}"), &bearer("ann"))).collect();
    eventually("both have begun", || metric(&server, "millrace_blobs") == 2.0);
    let refused = put(&server, "/v1/blobs/a2", &bearer("ann"), b"x");
    assert_eq!((refused.status(), refused.header("retry-after")), (429, Some("1")), "{refused:?}");
    let _reader = Http::begin(&server, "GET", "/v1/blobs/a0", &bearer("bob"));
    eventually("it reads", || metric(&server, "millrace_blob_downloads_total") == 1.0);
    let refused = put(&server, "/v1/blobs/c", &bearer("cid"), b"x");
    assert_eq!((refused.status(), refused.header("retry-after")), (503, Some("1")), "{refused:?}");
    assert_eq!(ask(&server, "HEAD", "/v1/blobs/a0", &bearer("cid")).status(), 200, "that transfers nothing");
    assert_eq!(held.remove(0).finish().status(), 201);
    eventually("there is a place", || put(&server, "/v1/blobs/c", &bearer("cid"), b"x").status() == 201);
}
