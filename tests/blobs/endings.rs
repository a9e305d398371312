//! Ends before the end: uploads that break off, blobs that are removed, servers that drain, credentials that end.

use std::net::Shutdown;
use std::time::{Duration, Instant};

use super::http::{Http, ask, get, noise, put};
use super::support::{Running, bearer, eventually, keys, metric};

/// A reader that has had everything that is there.
fn reading(server: &Running, id: &str, bytes: f64) -> Http {
    let before = metric(server, "millrace_blob_read_bytes_total");
    let reader = Http::begin(server, "GET", &format!("/v1/blobs/{id}"), "");
    eventually("it reads", || metric(server, "millrace_blob_read_bytes_total") >= before + bytes);
    reader
}

#[test]
fn readers_of_a_broken_upload_are_cut() {
    let server = Running::start("");
    let mut chunked = Http::upload(&server, "/v1/blobs/chunked", "");
    chunked.chunk(b"0123456789");
    let mut sized = Http::begin(&server, "PUT", "/v1/blobs/sized", "content-length: 20\r\n");
    sized.send(b"0123456789");
    eventually("both are there", || metric(&server, "millrace_blobs") == 2.0);
    let readers = [reading(&server, "chunked", 10.0), reading(&server, "sized", 10.0)];
    chunked.0.shutdown(Shutdown::Both).unwrap();
    sized.0.shutdown(Shutdown::Both).unwrap();
    for reader in readers {
        let answer = reader.answer(false);
        assert!(answer.status() == 200 && answer.body == b"0123456789" && !answer.is_whole, "{answer:?}");
    }
    eventually("both are gone", || metric(&server, "millrace_blobs") == 0.0);
    assert_eq!(metric(&server, "millrace_blob_bytes"), 0.0);
    assert_eq!(metric(&server, "millrace_blob_downloads_cut_total"), 2.0);
    assert_eq!(get(&server, "/v1/blobs/chunked", "").status(), 404);
    assert_eq!(put(&server, "/v1/blobs/chunked", "", b"again").status(), 201, "the id is free");
}

#[test]
fn a_malformed_chunk_breaks_an_upload() {
    let server = Running::start("");
    let mut upload = Http::upload(&server, "/v1/blobs/a", "");
    upload.chunk(b"0123456789");
    let reader = reading(&server, "a", 10.0);
    upload.send(b"no size\r\n");
    assert!(!reader.answer(false).is_whole);
    eventually("it is gone", || metric(&server, "millrace_blobs") == 0.0);
}

#[test]
fn what_is_removed_is_read_to_its_end_if_it_has_one() {
    let server = Running::start("");
    let bytes = noise(16 << 20, 1);
    put(&server, "/v1/blobs/a", "", &bytes);
    let reader = reading(&server, "a", 1.0);
    assert_eq!(ask(&server, "DELETE", "/v1/blobs/a", "").status(), 200);
    assert_eq!(get(&server, "/v1/blobs/a", "").status(), 404);
    assert_eq!(metric(&server, "millrace_blobs"), 1.0, "the disk still has it");
    let answer = reader.answer(false);
    assert!(answer.is_whole && answer.body == bytes);
    eventually("it is gone", || metric(&server, "millrace_blob_bytes") == 0.0);
    let mut upload = Http::upload(&server, "/v1/blobs/b", "");
    upload.chunk(b"0123456789");
    let reader = reading(&server, "b", 10.0);
    assert_eq!(ask(&server, "DELETE", "/v1/blobs/b", "").status(), 200);
    assert!(!reader.answer(false).is_whole);
    upload.chunk(b"more");
    assert_eq!(upload.finish().status(), 409);
}

#[test]
fn an_upload_that_is_replaced_is_over() {
    let server = Running::start("");
    let mut first = Http::upload(&server, "/v1/blobs/a", "");
    first.chunk(b"first");
    let reader = reading(&server, "a", 5.0);
    assert_eq!(put(&server, "/v1/blobs/a", "if-match: *\r\n", b"second").status(), 200);
    assert!(!reader.answer(false).is_whole);
    first.chunk(b"more");
    assert_eq!(first.finish().status(), 409);
    assert_eq!(get(&server, "/v1/blobs/a", "").body, b"second", "its end takes nothing of the other");
}

#[test]
fn blobs_are_kept_for_a_while() {
    let server = Running::start("[blobs]\nkeep_seconds = 2\n");
    put(&server, "/v1/blobs/a", "", b"x");
    let mut unfinished = Http::upload(&server, "/v1/blobs/b", "");
    unfinished.chunk(b"x");
    let began = Instant::now();
    eventually("it is gone", || get(&server, "/v1/blobs/a", "").status() == 404);
    assert!(began.elapsed() > Duration::from_millis(1_500));
    eventually("all are", || get(&server, "/v1/blobs/b", "").status() == 404);
    unfinished.chunk(b"x");
    assert_eq!(unfinished.finish().status(), 409, "an upload has no longer than that either");
    eventually("nothing is left", || metric(&server, "millrace_blob_bytes") == 0.0);
    assert_eq!(metric(&server, "millrace_blobs_expired_total"), 2.0);
}

#[test]
fn a_drain_lets_transfers_finish() {
    let mut server = Running::start("[timing]\ndrain_seconds = 20\n");
    let mut upload = Http::upload(&server, "/v1/blobs/a", "");
    upload.chunk(b"01234");
    let reader = reading(&server, "a", 5.0);
    server.drain();
    std::thread::sleep(Duration::from_millis(200));
    upload.chunk(b"56789");
    assert_eq!(upload.finish().status(), 201);
    let answer = reader.answer(false);
    assert!(answer.is_whole && answer.body == b"0123456789", "{answer:?}");
    let began = Instant::now();
    drop(server);
    assert!(began.elapsed() < Duration::from_secs(5), "nothing is waited for");
}

#[test]
fn a_drain_cuts_what_has_not_finished_at_its_deadline() {
    let mut server = Running::start("[timing]\ndrain_seconds = 1\n");
    let mut upload = Http::upload(&server, "/v1/blobs/a", "");
    upload.chunk(b"01234");
    let reader = reading(&server, "a", 5.0);
    let began = Instant::now();
    server.drain();
    let answer = reader.answer(false);
    assert!(!answer.is_whole && answer.body == b"01234", "{answer:?}");
    drop(server);
    assert!(began.elapsed() < Duration::from_secs(8));
}

#[test]
fn a_credential_that_is_taken_back_ends_its_transfers() {
    let server = Running::start(&(keys(&["ann", "bob"]) + "role = \"root\"\n"));
    let mut upload = Http::upload(&server, "/v1/blobs/a", &bearer("bob"));
    upload.chunk(b"01234");
    eventually("it is there", || ask(&server, "HEAD", "/v1/blobs/a", &bearer("ann")).status() == 200);
    let reader = Http::begin(&server, "GET", "/v1/blobs/a", &bearer("ann"));
    eventually("it reads", || metric(&server, "millrace_blob_read_bytes_total") >= 5.0);
    let revoke = "{\"key\":\"ann\"}";
    let answer = server.request("POST", "/v1/revocations", &bearer("bob"), revoke);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    upload.chunk(b"56789");
    let cut = reader.answer(false);
    assert!(!cut.is_whole && cut.body == b"01234", "{cut:?}");
    assert_eq!(upload.finish().status(), 201);
}
