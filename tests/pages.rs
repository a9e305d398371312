//! Pages for people: open to everybody, small in what they may do, and never a mix of two versions.
#![allow(clippy::unwrap_used, reason = "a test that meets something impossible may panic")]

mod support;

use support::{Running, body};

const KEYS: &str = "[[keys]]\nname = \"a\"\nhash = \"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"\npublish = [\"**\"]\n";

/// The value of a header.
fn header<'r>(response: &'r str, name: &str) -> Option<&'r str> {
    let head = response.split("\r\n\r\n").next().unwrap();
    head.lines()
        .find_map(|line| line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name)))
        .map(|h| h.1)
}

/// What the page asks for, as addresses below its own.
fn assets(page: &str) -> Vec<String> {
    let after = |text: &'static str| page.split(text).skip(1).filter_map(|rest| rest.split('"').next());
    let named = after("href=\"").chain(after("src=\"")).filter(|name| !name.starts_with('#'));
    named.map(|name| format!("/ws/{name}")).collect()
}

#[test]
fn everybody_may_see_the_page_and_what_belongs_to_it() {
    let server = Running::start(KEYS);
    let page = server.get("/ws/test");
    assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
    assert!(page.contains("<title>WebSocket Chat Test</title>"));
    assert_eq!(header(&page, "content-type"), Some("text/html; charset=utf-8"));
    let assets = assets(body(&page));
    assert_eq!(assets.len(), 3, "{assets:?}");
    for (path, kind) in
        assets.iter().zip(["image/svg+xml", "text/css; charset=utf-8", "text/javascript; charset=utf-8"])
    {
        let file = server.get(path);
        assert!(file.starts_with("HTTP/1.1 200 "), "{path}: {file}");
        assert_eq!(header(&file, "content-type"), Some(kind), "{path}");
    }
    assert!(server.get("/ws/test/none.js").starts_with("HTTP/1.1 401 "), "nothing else is open");
}

#[test]
fn every_file_is_sent_with_what_protects_its_reader() {
    let server = Running::start("");
    for path in ["/ws/test", "/ws/test/main.js", "/ws/test/chat.css"] {
        let file = server.get(path);
        let policy = header(&file, "content-security-policy").unwrap();
        assert!(
            policy
                .starts_with("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';")
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
            ("cache-control", "no-cache"),
        ] {
            assert_eq!(header(&file, name), Some(value), "{path}");
        }
    }
}

#[test]
fn a_file_that_has_not_changed_is_not_sent_again() {
    let server = Running::start("");
    let first = server.get("/ws/test");
    let tag = header(&first, "etag").unwrap();
    let again = |tags: &str| server.request("GET", "/ws/test", &format!("if-none-match: {tags}\r\n"), "");
    let same = again(&format!("\"other\", {tag}"));
    assert!(same.starts_with("HTTP/1.1 304 ") && body(&same).is_empty(), "{same}");
    assert_eq!(header(&same, "etag"), Some(tag));
    assert!(again("\"other\"").starts_with("HTTP/1.1 200 "));
}

#[test]
fn pages_are_read_and_nothing_else() {
    let server = Running::start("");
    let (whole, head) = (server.get("/ws/test"), server.request("HEAD", "/ws/test", "", ""));
    assert!(head.starts_with("HTTP/1.1 200 ") && body(&head).is_empty(), "{head}");
    assert_eq!(header(&head, "content-length"), header(&whole, "content-length"));
    let refused = server.request("POST", "/ws/test", "", "{}");
    assert!(refused.starts_with("HTTP/1.1 405 "), "{refused}");
    assert_eq!(header(&refused, "allow"), Some("GET, HEAD"));
}

#[test]
fn pages_can_be_turned_off() {
    let server = Running::start("pages = false\n");
    for path in ["/ws/test", "/ws/test/main.js"] {
        assert!(server.get(path).starts_with("HTTP/1.1 404 "), "{path}");
    }
}
