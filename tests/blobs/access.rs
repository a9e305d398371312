//! Who may upload, read and remove, and what hostile requests get.

use super::http::{Http, ask, get, put};
use super::support::{Running, bearer, keys};
use sha2::{Digest, Sha256};

/// A key with these grants.
pub fn key(name: &str, publish: &str, subscribe: &str) -> String {
    let hash: String = Sha256::digest(name.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "[[keys]]\nname = \"{name}\"\nhash = \"sha256:{hash}\"\npublish = [{publish}]\nsubscribe = [{subscribe}]\n"
    )
}

fn house() -> Running {
    Running::start(
        &[
            key("ann", "\"rooms.r1\"", "\"rooms.r1\""),
            key("bob", "", "\"rooms.r1\""),
            key("cid", "", "\"rooms.r2\""),
            key("dot", "", "\"blobs.p1\""),
            key("eve", "", "\"blobs.*\""),
        ]
        .concat(),
    )
}

/// Which of all may read a blob.
fn readers(server: &Running, id: &str) -> Vec<&'static str> {
    let reads = |name: &&str| {
        let answer = get(server, &format!("/v1/blobs/{id}"), &bearer(name));
        assert!([200, 404].contains(&answer.status()), "{answer:?}");
        answer.status() == 200
    };
    ["ann", "bob", "cid", "dot", "eve"].into_iter().filter(reads).collect()
}

#[test]
fn a_blob_is_for_its_owner_and_for_readers_of_its_topic() {
    let server = house();
    let put = |target: &str| put(&server, target, &bearer("ann"), b"x");
    for target in [
        "/v1/blobs/p1",
        "/v1/blobs/r1?topic=rooms.r1",
        "/v1/blobs/r2?session_id=room:r1",
        "/v1/blobs/s?session_id=s1",
    ] {
        assert_eq!(put(target).status(), 201, "{target}");
    }
    assert_eq!(readers(&server, "p1"), ["ann", "dot", "eve"]);
    assert_eq!(readers(&server, "r1"), ["ann", "bob", "eve"]);
    assert_eq!(readers(&server, "r2"), ["ann", "bob", "eve"]);
    assert_eq!(readers(&server, "s"), ["ann", "eve"], "one's own session is read by oneself");
    for target in ["/v1/blobs/x?topic=rooms.r2", "/v1/blobs/x?session_id=room:r2"] {
        assert_eq!(put(target).status(), 403, "one attaches to what one may publish to: {target}");
    }
    for target in
        ["/v1/blobs/x?topic=a..b", "/v1/blobs/x?session_id=a.b", "/v1/blobs/x?topic=rooms.r1&session_id=s"]
    {
        assert_eq!(put(target).status(), 400, "{target}");
    }
}

#[test]
fn who_may_not_read_is_told_nothing() {
    let server = house();
    put(&server, "/v1/blobs/a", &bearer("ann"), b"x");
    let without_date = |method: &str, id: &str, name: &str| {
        let answer = ask(&server, method, &format!("/v1/blobs/{id}"), &bearer(name));
        (answer.status(), answer.body)
    };
    for method in ["GET", "HEAD", "DELETE"] {
        assert_eq!(without_date(method, "a", "bob"), without_date(method, "absent", "bob"), "{method}");
        assert_eq!(without_date(method, "a", "bob").0, 404);
    }
    assert_eq!(get(&server, "/v1/blobs/a", "").status(), 401);
    assert_eq!(put(&server, "/v1/blobs/b", "", b"x").status(), 401);
}

#[test]
fn an_owner_removes_and_replaces_and_nobody_else() {
    let server = house();
    let tag = put(&server, "/v1/blobs/a", &bearer("ann"), b"one").header("etag").unwrap().to_owned();
    let send = |name: &str, headers: &str, body: &str| {
        put(&server, "/v1/blobs/a", &(bearer(name) + headers), body.as_bytes()).status()
    };
    assert_eq!(send("ann", "", "two"), 409);
    assert_eq!(send("eve", "if-match: *\r\n", "two"), 409);
    assert_eq!(send("ann", "if-match: \"other\"\r\n", "two"), 412);
    assert_eq!(send("ann", &format!("if-match: {tag}\r\n"), "two"), 200);
    assert_eq!(send("ann", "if-match: *\r\n", "three"), 200);
    assert_eq!(get(&server, "/v1/blobs/a", &bearer("eve")).body, b"three");
    assert_eq!(ask(&server, "DELETE", "/v1/blobs/a", &bearer("eve")).status(), 403);
    assert_eq!(ask(&server, "DELETE", "/v1/blobs/a", &(bearer("ann") + "if-match: \"x\"\r\n")).status(), 412);
    assert_eq!(ask(&server, "DELETE", "/v1/blobs/a", &bearer("ann")).status(), 200);
    assert_eq!(readers(&server, "a"), [""; 0]);
    assert_eq!(send("ann", "if-match: *\r\n", "four"), 412, "there is nothing to replace");
    assert_eq!(send("eve", "", "four"), 201, "the id is free");
}

#[test]
fn an_upload_of_nobody_in_particular_is_refused() {
    let secret = std::env::temp_dir().join(format!("millrace-test-secret-{}", std::process::id()));
    std::fs::write(&secret, "0123456789abcdef0123456789abcdef").unwrap();
    let server = Running::start(&format!("[jwt]\nsecret_file = {:?}\ndefault_role = \"root\"\n", secret));
    let claims = serde_json::json!({ "exp": 4_000_000_000u64, "publish": ["**"], "subscribe": ["**"] });
    let key = jsonwebtoken::EncodingKey::from_secret(b"0123456789abcdef0123456789abcdef");
    let token = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap();
    let answer = put(&server, "/v1/blobs/a", &bearer(&token), b"x");
    std::fs::remove_file(secret).unwrap();
    assert!([401, 403].contains(&answer.status()), "{answer:?}");
}

#[test]
fn hostile_ids_lead_nowhere() {
    let server = Running::start(&keys(&["ann"]));
    let long = "a".repeat(129);
    let ids = [
        "..%2f..%2fetc%2fpasswd",
        "..",
        ".",
        "%2e%2e",
        "a/b",
        "a%00b",
        "a.b",
        "",
        "a%0d%0ax:%20y",
        "%c3%a4",
        &long,
        "a*",
    ];
    for id in ids {
        for method in ["PUT", "GET", "HEAD", "DELETE"] {
            let target = format!("/v1/blobs/{id}");
            let answer = ask(&server, method, &target, &(bearer("ann") + "content-length: 0\r\n"));
            assert!([400, 404, 405].contains(&answer.status()), "{method} {id}: {answer:?}");
        }
    }
    assert_eq!(put(&server, &format!("/v1/blobs/{}", "a".repeat(128)), &bearer("ann"), b"x").status(), 201);
    assert_eq!(put(&server, "/v1/blobs/a:b@c_d-E9", &bearer("ann"), b"x").status(), 201);
}

#[test]
fn hostile_headers_lead_nowhere() {
    let server = Running::start("");
    let long = format!("content-type: {}\r\n", "x".repeat(256));
    let refused = [
        ("content-type: text/\u{e4}\r\n", 400),
        (&*long, 400),
        ("content-range: bytes 0-2/3\r\n", 400),
        ("content-encoding: gzip\r\n", 415),
    ];
    for (headers, status) in refused {
        assert_eq!(put(&server, "/v1/blobs/a", headers, b"abc").status(), status, "{headers}");
    }
    assert_eq!(get(&server, "/v1/blobs/a", "").status(), 404);
    let both = "transfer-encoding: chunked\r\ncontent-length: 5\r\n";
    let mut smuggled = Http::begin(&server, "PUT", "/v1/blobs/a", both);
    smuggled.send(b"0\r\n\r\nGET /health HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(smuggled.answer(false).status() >= 200);
    for method in ["POST", "PATCH", "OPTIONS"] {
        let answer = ask(&server, method, "/v1/blobs/b", "content-length: 0\r\n");
        assert_eq!(
            (answer.status(), answer.header("allow")),
            (405, Some("GET, HEAD, PUT, DELETE")),
            "{method}"
        );
    }
    assert_eq!(get(&server, "/v1/blobs", "").status(), 405);
}
