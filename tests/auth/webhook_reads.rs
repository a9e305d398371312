//! No way to read anything leads around the webhook, however it answers.

use std::time::Duration;

use serde_json::json;

use crate::backend::Backend;
use crate::readers::{Kind, MARK, WAYS, open, publish, publish_everywhere, shown, sockets, until_pong};
use crate::support::{Client, Running};
use crate::{Files, KEYS, bearer, metric};

fn asking(url: &str, more: &str) -> Running {
    let server = Running::start(&format!("[webhook]\nurl = \"{url}\"\n{more}\n{KEYS}"));
    publish_everywhere(&server);
    server
}

fn asked_topics(backend: &Backend) -> Vec<String> {
    let parse = |(_, body): &(String, String)| -> serde_json::Value { serde_json::from_str(body).unwrap() };
    let topics =
        |question: serde_json::Value| serde_json::from_value::<Vec<String>>(question["topics"].clone());
    backend.asked().iter().flat_map(|asked| topics(parse(asked)).unwrap()).collect()
}

#[test]
fn what_it_allows_is_read_in_every_way() {
    let backend = Backend::start("{\"allow\":true}");
    let server = asking(&backend.url, "cache_seconds = 0");
    for way in &WAYS {
        let shown = shown(&server, way, &bearer("abc"));
        assert!(shown.contains(MARK), "{way:?}: {shown}");
        assert!(asked_topics(&backend).contains(&way.topic.to_owned()), "{way:?} was not asked about");
    }
}

/// What is no yes is a no: for every way, and every way of saying it.
#[test]
fn what_it_does_not_allow_is_read_in_no_way() {
    let backend = Backend::start("");
    let server = asking(&backend.url, "on = [\"subscribe\"]\ncache_seconds = 0\ntimeout_ms = 2000");
    let large = format!("{{\"allow\":true,\"more\":\"{}\"}}", "x".repeat(100_000));
    let of_another =
        json!({ "allow": ["b", "stream.log", "events.s2", "*", "channels.agents", "analysis.y"] });
    for (code, body) in [
        (200, "{\"allow\":false}"),
        (200, &of_another.to_string()),
        (403, "{\"allow\":true}"),
        (500, "{\"allow\":true}"),
        (200, "<html>"),
        (200, &large),
    ] {
        backend.answer(code, body);
        for way in &WAYS {
            let shown = shown(&server, way, &bearer("abc"));
            assert!(!shown.contains(MARK), "{code} {way:?}: {shown}");
            let told = [
                "close 1008",
                "HTTP/1.1 403",
                "forbidden",
                "\"denied\":[\"",
                "AUTH_FAILED",
                "\"channels\":[\"agents\"]",
            ];
            assert!(told.iter().any(|text| shown.contains(text)), "{code} {way:?} is not told: {shown}");
        }
    }
    assert!(metric(&server, "millrace_webhook_requests_total{result=\"failed\"} ") >= 3 * WAYS.len() as u64);
}

#[test]
fn nothing_is_read_while_it_is_down_or_slow() {
    let slow = Backend::start("{\"allow\":true}");
    slow.delay(Duration::from_secs(3));
    for url in ["http://127.0.0.1:1/", &slow.url] {
        let server = asking(url, "on = [\"subscribe\"]\ntimeout_ms = 50");
        for way in &WAYS {
            let shown = shown(&server, way, &bearer("abc"));
            assert!(!shown.contains(MARK), "{way:?}: {shown}");
        }
    }
}

/// The way in is refused as the protocol's clients can see it: by a close, or where that is wanted by an answer. The native
/// protocol always answers.
#[test]
fn connections_it_refuses_are_told_so() {
    let backend = Backend::start("{\"allow\":false}");
    for (refuse, expected) in
        [("close", "close 1008 The server's backend refuses this connection"), ("http", "HTTP/1.1 403")]
    {
        let hook = format!("[webhook]\nurl = \"{}\"\non = [\"connect\"]\n", backend.url);
        let server = Running::start(&format!("refuse = \"{refuse}\"\n{hook}{KEYS}"));
        publish_everywhere(&server);
        for way in &WAYS {
            let shown = shown(&server, way, &bearer("abc"));
            let expected = match way.kind {
                // What is no stream is not asked about.
                Kind::Page | Kind::Post(_) => MARK,
                Kind::Stream(_) => "HTTP/1.1 403",
                _ if way.target.starts_with("/v1/topics") => "HTTP/1.1 403",
                _ => expected,
            };
            assert!(shown.contains(expected), "{refuse} {way:?}: {shown}");
        }
    }
    backend.answer(500, "");
    let server = Running::start(&format!("[webhook]\nurl = \"{}\"\n{KEYS}", backend.url));
    for way in sockets().filter(|way| !way.target.starts_with("/v1/topics")) {
        let refused = open(&server, &way, &bearer("abc")).map(|_| ()).unwrap_err();
        assert!(refused.contains("close 1011"), "{way:?}: {refused}");
    }
}

#[test]
fn a_pattern_that_was_refused_shows_nothing_that_comes_later() {
    let backend = Backend::start("{\"allow\":[\"logs.*\"]}");
    let server = asking(&backend.url, "on = [\"subscribe\"]");
    let mut client = Client::connect(&server.address, "/v1/topics", &bearer("abc"));
    let mut say = |text: &str| {
        client.send(text);
        until_pong(&mut client).unwrap()
    };
    assert!(say("{\"type\":\"subscribe\",\"topic\":\"news.*\"}").contains("forbidden"));
    assert!(say("{\"type\":\"subscribe\",\"topic\":\"logs.*\"}").contains("\"type\":\"subscribed\""));
    // By name it is another question, which has its own answer; who is there is one too.
    assert!(say("{\"type\":\"subscribe\",\"topic\":\"$presence.logs.api\"}").contains("forbidden"));
    assert!(say("{\"type\":\"presence\",\"topic\":\"logs.api\"}").contains("forbidden"));
    let presence = server.request("GET", "/v1/presence/logs.api", &bearer("abc"), "");
    assert!(presence.starts_with("HTTP/1.1 403"), "{presence}");
    let json = format!("content-type: application/json\r\n{}", bearer("abc"));
    server.request("POST", "/v1/topics/news.late", &json, "1");
    server.request("POST", "/v1/topics/logs.late", &json, "2");
    loop {
        let text = client.text();
        assert!(!text.contains("news.late"), "{text}");
        if text.contains("logs.late") && text.contains("\"type\":\"event\"") {
            return;
        }
    }
}

/// Who waits for an answer keeps nobody else waiting: not those who ask too, nor those who read.
#[test]
fn a_slow_backend_delays_nobody_but_who_waits() {
    let backend = Backend::start("{\"allow\":true}");
    let server = asking(&backend.url, "on = [\"subscribe\"]\ncache_seconds = 0\ntimeout_ms = 10000");
    let mut reader = Client::connect(&server.address, "/v1/topics/a", &bearer("abc"));
    assert!(reader.text().contains("subscribed"));
    backend.delay(Duration::from_millis(1500));
    #[allow(clippy::disallowed_methods, reason = "tests read the clock")]
    let began = std::time::Instant::now();
    let mut waiting: Vec<Client> = (0..40)
        .map(|_| {
            let mut client = Client::connect(&server.address, "/v1/topics", &bearer("abc"));
            client.send("{\"type\":\"subscribe\",\"topic\":\"a\"}");
            client
        })
        .collect();
    publish(&server, "a");
    assert!(reader.text().contains(MARK));
    assert!(began.elapsed() < Duration::from_millis(1400), "the reader waited: {:?}", began.elapsed());
    for client in &mut waiting {
        assert!(client.text().contains("subscribed"));
    }
    assert!(began.elapsed() < Duration::from_secs(10), "one after another: {:?}", began.elapsed());
}

/// More may wait than are asked about at a time.
#[test]
fn questions_are_bounded() {
    let backend = Backend::start("{\"allow\":true}");
    let server = asking(&backend.url, "on = [\"connect\"]\ncache_seconds = 0\ntimeout_ms = 15000");
    backend.delay(Duration::from_millis(300));
    let ask = |_| {
        let address = server.address.clone();
        let open = move || Client::handshake(&address, "/v1/topics/a", &bearer("abc")).1;
        std::thread::spawn(move || crate::status(&open()))
    };
    let asked: Vec<_> = (0..400).map(ask).collect();
    assert!(asked.into_iter().all(|thread| thread.join().unwrap() == 101));
    let most = backend.most_at_once();
    assert!((2..=256).contains(&most), "{most} at once");
}

#[test]
fn an_answer_holds_for_a_while_and_not_longer() {
    let backend = Backend::start("{\"allow\":true}");
    let server = asking(&backend.url, "on = [\"connect\"]\ncache_seconds = 1");
    let open = || crate::status(&Client::handshake(&server.address, "/v1/topics/a", &bearer("abc")).1);
    assert_eq!(open(), 101);
    backend.answer(403, "");
    assert_eq!((open(), backend.count()), (101, 1));
    crate::support::eventually("the answer is asked for again", || open() == 403);
    // An outage is not remembered, and neither forgives what was refused nor refuses what comes after it.
    backend.answer(500, "");
    crate::support::eventually("the refusal ends", || open() == 503);
    backend.answer(200, "{\"allow\":true}");
    assert_eq!(open(), 101);
}

/// A message that says who somebody is, is asked about in every protocol that takes one.
#[test]
fn renewals_are_asked_about_in_every_protocol() {
    let (backend, files) = (Backend::start("{\"allow\":true}"), Files::new());
    let settings = files.jwt("default_role = \"root\"");
    let server =
        Running::start(&format!("{settings}[webhook]\nurl = \"{}\"\ncache_seconds = 0\n", backend.url));
    let mut claims = crate::claims("ann", 60);
    claims.as_object_mut().unwrap().remove("grants");
    let token = crate::signer::Signer::secret(crate::SECRET).sign(&claims);
    for way in sockets() {
        backend.answer(200, "{\"allow\":true}");
        let (mut client, _) = open(&server, &way, &bearer(&token)).unwrap();
        backend.answer(403, "");
        client.send(&json!({ "type": "auth", "token": token }).to_string());
        let told = until_pong(&mut client).unwrap();
        assert!(told.contains("error") && told.contains("the server's backend refuses"), "{way:?}: {told}");
    }
}

/// Nobody is asked about a client that has yet to say who it is; its first message is asked about.
#[test]
fn first_messages_are_asked_about() {
    let backend = Backend::start("{\"allow\":false}");
    let server = asking(&backend.url, "cache_seconds = 0");
    let mut client = Client::connect(&server.address, "/v1/ws", "");
    assert_eq!(backend.count(), 0);
    client.send("{\"type\":\"auth\",\"token\":\"abc\"}");
    client.send("{\"type\":\"subscribe\",\"channels\":[\"sessions\"]}");
    let refused = client.text();
    assert!(refused.contains("AUTH_FAILED") && refused.contains("the server's backend refuses"), "{refused}");
    assert!(matches!(client.next(), crate::support::Got::Close(1008, _)));
    assert_eq!(backend.count(), 1);
    backend.answer(200, "{\"allow\":true}");
    let mut client = Client::connect(&server.address, "/v1/ws", "");
    client.send("{\"type\":\"auth\",\"token\":\"abc\"}");
    assert!(client.text().contains("auth_success"));
}
