//! Requests that wait for an event that matches look at no event again and again.

use serde_json::Value;

use crate::support::{Running, body};

fn page(server: &Running, target: &str) -> Value {
    serde_json::from_str(body(&server.get(target))).unwrap()
}

#[test]
fn a_long_past_without_a_match_is_passed_over_in_parts() {
    let server = Running::start("");
    let lines: String =
        (0..1500).map(|n| format!("{{\"type\":\"session.a\",\"data\":{{\"n\":{n}}}}}\n")).collect();
    let published = server.request(
        "POST",
        "/v1/topics/channels.sessions",
        "content-type: application/x-ndjson\r\n",
        &lines,
    );
    assert!(published.contains("\"published\":1500"), "{published}");
    let target = "/v1/events?channels=sessions&filter.n=1499";
    // Without a wait all is looked at.
    assert_eq!(page(&server, target)["events"][0]["n"], 1499);
    let first = page(&server, &format!("{target}&wait=20"));
    assert_eq!((&first["events"], &first["has_more"]), (&Value::Array(Vec::new()), &Value::Bool(true)));
    let next = first["next"].as_str().unwrap();
    assert!(next.ends_with(":1024"), "{next}");
    let second = page(&server, &format!("{target}&wait=20&after={next}"));
    assert_eq!((&second["events"][0]["n"], &second["has_more"]), (&1499.into(), &false.into()));
}

/// What is answered to somebody who waits while these events are published.
fn waited(server: &Running, target: &str, topic: &str, events: &[&str]) -> Value {
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| page(server, target));
        events.iter().for_each(|event| drop(server.publish(topic, event)));
        waiting.join().unwrap()
    })
}

#[test]
fn who_waits_gets_the_first_event_that_matches() {
    let server = Running::start("");
    server.publish("a", "{\"n\":1}");
    let target = "/v1/topics/a?wait=20&filter=%7B%22eq%22%3A%5B%22data.n%22%2C3%5D%7D";
    let page = waited(&server, target, "a", &["{\"n\":2}", "{\"n\":3}"]);
    let events = page["events"].as_array().unwrap();
    assert_eq!((events.len(), &events[0]["offset"], &page["missed"]), (1, &3.into(), &0.into()), "{page}");
    let event = |n: u64| format!("{{\"type\":\"session.a\",\"data\":{{\"n\":{n}}}}}");
    let target = "/api/v1/events?wait=20&filter.n=2";
    let page = waited(&server, target, "channels.sessions", &[&event(1), &event(2)]);
    let events = page["events"].as_array().unwrap();
    assert_eq!((events.len(), &events[0]["n"], &page["missed"]), (1, &2.into(), &0.into()), "{page}");
}
