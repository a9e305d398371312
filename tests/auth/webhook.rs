//! The backend that is asked about connections and topics.

use std::time::Duration;

use aws_lc_rs::hmac;
use serde_json::{Value, json};

use crate::backend::Backend;
use crate::support::{Client, Got, Running};
use crate::{Files, KEYS, bearer, metric, status, token};

/// A server with the keys of [`KEYS`] that asks `backend`.
fn asking(backend: &Backend, more: &str) -> Running {
    Running::start(&format!("[webhook]\nurl = \"{}\"\n{more}\n{KEYS}", backend.url))
}

fn open(server: &Running, target: &str, token: &str) -> u16 {
    status(&Client::handshake(&server.address, target, &bearer(token)).1)
}

/// The questions, without their times.
fn questions(backend: &Backend) -> Vec<Value> {
    let parse = |(_, body): &(String, String)| {
        let mut question: Value = serde_json::from_str(body).unwrap();
        assert!(question["time"].take().as_str().unwrap().ends_with('Z'));
        question
    };
    backend.asked().iter().map(parse).collect()
}

#[test]
fn it_is_asked_before_a_stream_begins() {
    let backend = Backend::start("{\"allow\":true}");
    let server = asking(&backend, "on = [\"connect\"]");
    assert_eq!(open(&server, "/v1/topics/a?from=now", "def"), 101);
    let asked = json!({
        "event": "connect", "user": "bob", "role": "OBSERVER", "address": "127.0.0.1", "path": "/v1/topics/a",
        "topics": [], "time": null,
    });
    assert_eq!(questions(&backend), [asked]);
    assert!(backend.asked()[0].0.starts_with("POST /path?x=1 HTTP/1.1\r\n"));
    // What is no stream is not asked about, nor what is known.
    assert_eq!(crate::read(&server, "def"), 200);
    assert_eq!(open(&server, "/v1/topics/a", "def"), 101);
    assert_eq!(backend.count(), 1);
    assert_eq!(open(&server, "/v1/topics/a", "abc"), 101);
    assert_eq!(open(&server, "/v1/topics", "def"), 101);
    assert_eq!(backend.count(), 3);
}

#[test]
fn whatever_is_no_clear_yes_is_a_no() {
    let backend = Backend::start("{\"allow\":true}");
    let server = asking(&backend, "timeout_ms = 300\ncache_seconds = 0");
    let many = "[".repeat(100_000);
    for (code, body, expected) in [
        (200, "{\"allow\":false}", 403),
        (200, "{\"allow\":[]}", 403),
        (403, "{\"allow\":true}", 403),
        (401, "", 403),
        (500, "{\"allow\":true}", 503),
        (302, "{\"allow\":true}", 503),
        (200, "{}", 503),
        (200, "{\"allow\":\"true\"}", 503),
        (200, "true", 503),
        (200, "", 503),
        (200, &many, 503),
    ] {
        backend.answer(code, body);
        assert_eq!(open(&server, "/v1/topics/a", "def"), expected, "{code} {}", &body[..body.len().min(30)]);
        assert_eq!(
            open(&server, "/v1/stream/message?token=def", "def"),
            404,
            "another path is not asked about"
        );
    }
    backend.answer(200, "{\"allow\":true}");
    assert_eq!(open(&server, "/v1/topics/a", "def"), 101);
    backend.delay(Duration::from_millis(1500));
    assert_eq!(open(&server, "/v1/topics/a", "def"), 503, "no answer in time");
    let gone = Running::start(&format!("[webhook]\nurl = \"http://127.0.0.1:1/\"\n{KEYS}"));
    assert_eq!(open(&gone, "/v1/topics/a", "def"), 503);
    assert!(metric(&server, "millrace_webhook_requests_total{result=\"failed\"} ") >= 7);
    assert_eq!(metric(&server, "millrace_webhook_requests_total{result=\"denied\"} "), 4);
    assert_eq!(metric(&server, "millrace_auth_refused_total{reason=\"denied\"} "), 4);
}

#[test]
fn questions_are_signed() {
    let (backend, files) = (Backend::start("{\"allow\":true}"), Files::new());
    let secret = files.write("hook", b"hook secret\n");
    let server = asking(&backend, &format!("secret_file = {secret:?}"));
    assert_eq!(open(&server, "/v1/topics/a", "def"), 101);
    for (head, body) in backend.asked() {
        let line = head.lines().find_map(|line| line.strip_prefix("millrace-signature: sha256=")).unwrap();
        let tag: Vec<u8> =
            (0..line.len()).step_by(2).map(|at| u8::from_str_radix(&line[at..at + 2], 16).unwrap()).collect();
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"hook secret");
        hmac::verify(&key, body.as_bytes(), &tag).unwrap();
    }
}

#[test]
fn topics_are_asked_about_before_they_are_read() {
    let backend = Backend::start("{\"allow\":[\"a\",\"logs.*\"]}");
    let server = asking(&backend, "on = [\"subscribe\"]");
    backend.delay(Duration::from_millis(100));
    let mut client = Client::connect(&server.address, "/v1/topics", &bearer("abc"));
    // What comes behind a question waits for it, so that answers keep their order.
    for text in [
        json!({ "type": "subscribe", "topic": "a", "ref": 1 }),
        json!({ "type": "ping", "ref": 2 }),
        json!({ "type": "subscribe", "topic": "b", "ref": 3 }),
        json!({ "type": "subscribe", "topic": "logs.*", "ref": 4 }),
        json!({ "type": "subscribe", "topic": "logs.**", "ref": 5 }),
    ] {
        client.send(&text.to_string());
    }
    let answers: Vec<Value> = (0..5).map(|_| serde_json::from_str(&client.text()).unwrap()).collect();
    let said = |answer: &Value| {
        format!("{} {}", answer["ref"], answer["code"].as_str().or(answer["type"].as_str()).unwrap())
    };
    let expected = ["1 subscribed", "2 pong", "3 forbidden", "4 subscribed", "5 forbidden"];
    assert_eq!(answers.iter().map(said).collect::<Vec<_>>(), expected);
    assert_eq!(questions(&backend)[0]["topics"], json!(["a"]));
    // A topic that an allowed pattern matches needs no question of its own.
    let count = backend.count();
    server.request(
        "POST",
        "/v1/topics/logs.api",
        &format!("{}content-type: application/json\r\n", bearer("abc")),
        "1",
    );
    assert!(
        client.text().contains("\"pattern\":\"logs.*\"") && client.text().starts_with("{\"type\":\"event\"")
    );
    // What is known is not asked again, on any connection of the same user and path.
    let mut other = Client::connect(&server.address, "/v1/topics", &bearer("abc"));
    other.send("{\"type\":\"subscribe\",\"topic\":\"b\"}");
    assert!(other.text().contains("forbidden"));
    other.send("{\"type\":\"subscribe\",\"topic\":\"a\"}");
    assert!(other.text().starts_with("{\"type\":\"subscribed\""));
    assert_eq!(backend.count(), count);
}

#[test]
fn a_stream_of_one_topic_is_asked_about_first() {
    let backend = Backend::start("{\"allow\":[\"b\",\"stream.message\",\"events.s1\"]}");
    let server = asking(&backend, "on = [\"subscribe\"]");
    let first = |target: &str, token: &str| {
        let mut client = Client::connect(&server.address, target, &bearer(token));
        let first = client.next();
        (first, client)
    };
    assert!(matches!(first("/v1/topics/b", "abc").0, Got::Text(text) if text.contains("subscribed")));
    let (refused, mut client) = first("/v1/topics/a", "def");
    assert!(matches!(refused, Got::Text(text) if text.contains("\"code\":\"forbidden\"")));
    assert!(matches!(client.next(), Got::Close(1008, _)));
    assert_eq!(crate::read(&server, "def"), 403, "a page is no way around it");
    assert!(
        matches!(first("/v1/stream/messages", "abc").0, Got::Text(text) if text.contains("\"authenticated\":true"))
    );
    assert!(matches!(first("/v1/stream/telemetry", "abc").0, Got::Close(1008, _)));
    let (_, mut all) = first("/v1/stream/all", "abc");
    all.send("{\"type\":\"subscribe\",\"streams\":[\"message\",\"telemetry\"]}");
    let lists = all.text();
    assert!(lists.contains("{\"subscribed\":[\"message\"],\"denied\":[\"telemetry\"]}"), "{lists}");
    assert!(questions(&backend).iter().all(|question| question["event"] == "subscribe"));
}

#[test]
fn a_new_credential_is_asked_about_too() {
    let (backend, files) = (Backend::start("{\"allow\":true}"), Files::new());
    let server = Running::start(&format!(
        "{}[webhook]\nurl = \"{}\"\ncache_seconds = 0\n",
        files.jwt(""),
        backend.url
    ));
    let mut client = Client::connect(&server.address, "/v1/topics", &bearer(&token("ann", 60)));
    let auth = |client: &mut Client, token: String| {
        client.send(&format!("{{\"type\":\"auth\",\"token\":\"{token}\"}}"));
        client.text()
    };
    assert!(auth(&mut client, token("bob", 60)).starts_with("{\"type\":\"authenticated\",\"user\":\"bob\""));
    let last = questions(&backend).pop().unwrap();
    assert_eq!(
        (&last["event"], &last["user"], &last["path"]),
        (&json!("connect"), &json!("bob"), &json!("/v1/topics"))
    );
    backend.answer(403, "");
    assert!(auth(&mut client, token("cid", 60)).contains("\"code\":\"denied\""));
    backend.answer(500, "");
    assert!(auth(&mut client, token("cid", 60)).contains("\"code\":\"unavailable\""));
    let count = backend.count();
    assert!(auth(&mut client, token("cid", -5)).contains("\"code\":\"expired\""));
    assert_eq!(backend.count(), count, "only good tokens are asked about");
}
