//! Keys from files and from the network.

use std::time::Duration;

use crate::backend::Backend;
use crate::signer::{Signer, set};
use crate::support::{Running, eventually};
use crate::{Files, claims, metric, read, token};

#[test]
fn keys_come_from_files() {
    let (rsa, files) = (Signer::rsa(), Files::new());
    let in_set = [Signer::p256().named("a"), Signer::p384().named("b"), Signer::ed25519().named("c")];
    let pem = files.write("key.pem", rsa.pem.as_bytes());
    let jwks = files.write("keys.json", set(&in_set.each_ref()).as_bytes());
    let server = Running::start(&files.jwt(&format!("public_key_file = {pem:?}\njwks_file = {jwks:?}")));
    for signer in in_set.iter().chain([&rsa, &Signer::secret(crate::SECRET)]) {
        assert_eq!(read(&server, &signer.sign(&claims("ann", 60))), 200, "{:?}", signer.algorithm);
    }
    for stranger in [Signer::rsa(), Signer::p256().named("a"), Signer::p256().named("x"), Signer::ed25519()] {
        assert_eq!(read(&server, &stranger.sign(&claims("ann", 60))), 401, "{:?}", stranger.algorithm);
    }
}

fn fetching(backend: &Backend, more: &str) -> Running {
    Running::start(&format!("[jwt]\njwks_url = \"{}\"\nleeway_seconds = 0\n{more}", backend.url))
}

#[test]
fn keys_are_fetched_once_and_again_for_one_that_is_not_known() {
    let (old, new) = (Signer::p256().named("old"), Signer::p256().named("new"));
    let backend = Backend::start(&set(&[&old]));
    let server = fetching(&backend, "jwks_retry_seconds = 1");
    for _ in 0..3 {
        assert_eq!(read(&server, &old.sign(&claims("ann", 60))), 200);
    }
    assert_eq!(backend.count(), 1);
    let (head, _) = &backend.asked()[0];
    assert!(head.starts_with("GET /path?x=1 HTTP/1.1\r\n") && head.contains("host: 127.0.0.1:"), "{head}");
    // A key is rotated: its first token makes the server look again, once the last look is old enough.
    backend.answer(200, &set(&[&new]));
    eventually("the new key is fetched", || read(&server, &new.sign(&claims("ann", 60))) == 200);
    assert_eq!(backend.count(), 2);
    assert_eq!(read(&server, &new.sign(&claims("bob", 60))), 200);
    // The old one is gone, with what it had verified; asking for it does not make the server look at once again.
    for _ in 0..20 {
        assert_eq!(read(&server, &old.sign(&claims("ann", 60))), 401);
    }
    assert!(backend.count() <= 3, "{}", backend.count());
    assert!(metric(&server, "millrace_jwks_fetches_total{result=\"ok\"} ") >= 2);
}

#[test]
fn many_who_wait_for_keys_cause_one_fetch() {
    let key = Signer::p256().named("k");
    let backend = Backend::start(&set(&[&key]));
    backend.delay(Duration::from_millis(300));
    let server = fetching(&backend, "");
    std::thread::scope(|scope| {
        for i in 0..10 {
            let token = key.sign(&claims(&format!("u{i}"), 60));
            let server = &server;
            scope.spawn(move || assert_eq!(read(server, &token), 200));
        }
    });
    assert_eq!(backend.count(), 1);
}

#[test]
fn an_outage_leaves_the_old_keys() {
    let (key, other) = (Signer::p256().named("k"), Signer::p256().named("other"));
    let backend = Backend::start(&set(&[&key]));
    let server = fetching(&backend, "jwks_refresh_seconds = 1\njwks_retry_seconds = 1");
    assert_eq!(read(&server, &key.sign(&claims("ann", 60))), 200);
    for (status, body) in [(500, ""), (200, "<html>"), (200, "{\"keys\":[]}")] {
        backend.answer(status, body);
        let failed = || metric(&server, "millrace_jwks_fetches_total{result=\"failed\"} ");
        let before = failed();
        eventually("a fetch fails", || failed() > before);
        assert_eq!(read(&server, &key.sign(&claims("bob", 60))), 200, "{body}");
        // Whether another key is good cannot be said now.
        assert_eq!(read(&server, &other.sign(&claims("ann", 60))), 503, "{body}");
    }
    backend.answer(200, &set(&[&other]));
    eventually("the outage ends", || read(&server, &other.sign(&claims("ann", 60))) == 200);
}

#[test]
fn keys_of_the_network_are_no_shared_secrets() {
    let secret = Signer::secret(crate::SECRET).named("s");
    let backend = Backend::start(&set(&[&secret]));
    let server = fetching(&backend, "");
    assert_ne!(read(&server, &secret.sign(&claims("ann", 60))), 200);
    assert_eq!(read(&server, &token("ann", 60)), 503, "there is no key at all");
}
