//! Workers without a connection, and who may work at all.

use serde_json::{Value, json};

use super::support::{self, Client, Got, Running, body};
use super::{Worker, ask, asking, output, start};

/// Polls for a job.
fn take(server: &Running, query: &str) -> Value {
    let response = server.request("POST", &format!("/v1/work/q/jobs?{query}"), "", "");
    serde_json::from_str::<Value>(body(&response)).unwrap()["job"].clone()
}

/// Says something about a job; status and answer.
fn tell(server: &Running, job: &Value, messages: &str) -> (u16, Value) {
    let path = format!("/v1/work/q/jobs/{}/events", job["job_id"].as_str().unwrap());
    let response = server.request("POST", &path, "", messages);
    (response[9..12].parse().unwrap(), serde_json::from_str(body(&response)).unwrap())
}

#[test]
fn a_worker_may_poll() {
    let server = start("");
    assert_eq!(take(&server, "worker=p"), Value::Null);
    let waiting = Running::at(&server.address);
    let polled = std::thread::spawn(move || take(&waiting, "worker=p&wait=20"));
    let reader = ask(&server, "s", "Well?");
    let job = polled.join().unwrap();
    assert_eq!((&job["question"], &job["next"]), (&json!("Well?"), &json!(1)));
    let list = r#"[{"type":"text","n":1,"content":"a "},{"type":"text","n":2,"content":"b "}]"#;
    let taken = json!({"next": 3, "cancelled": false});
    assert_eq!(tell(&server, &job, list), (200, taken.clone()));
    assert_eq!(tell(&server, &job, list), (200, taken), "the same again");
    let (status, told) = tell(&server, &job, r#"{"type":"text","n":9,"content":"z"}"#);
    assert_eq!((status, &told["next"], &told["error"]["code"]), (409, &json!(3), &json!("out_of_order")));
    let (status, told) = tell(&server, &job, r#"{"type":"text","n":3}"#);
    assert_eq!((status, &told["error"]["code"]), (400, &json!("invalid_message")));
    // Who has lost the job, gets it again.
    assert_eq!(take(&server, "worker=p&wait=20")["next"], 3);
    let lines = "{\"type\":\"text\",\"n\":3,\"content\":\"c\"}\n{\"type\":\"done\",\"n\":4}\n";
    assert_eq!(tell(&server, &job, lines), (200, json!({"next": 5, "cancelled": false})));
    assert_eq!(tell(&server, &job, lines), (200, json!({"next": null, "cancelled": true})));
    let events = reader.join().unwrap();
    assert_eq!(output(&events), "a b c");
}

#[test]
fn work_needs_a_credential_that_may() {
    let keys = support::keys(&["all"]);
    let hash = |name: &str| {
        use sha2::{Digest, Sha256};
        Sha256::digest(name.as_bytes()).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
    };
    let some = |name: &str, lists: &str| {
        format!("[[keys]]\nname = \"{name}\"\nhash = \"sha256:{}\"\n{lists}\n", hash(name))
    };
    let reads = some("reads", "subscribe = [\"work.**\"]");
    let bot = some("bot", "subscribe = [\"work.q\"]\npublish = [\"work.q\"]");
    let other = some("other", "subscribe = [\"work.**\"]\npublish = [\"work.**\"]");
    let server = start(&format!("{keys}{reads}{bot}{other}"));
    for (token, reason) in
        [("", "Authentication required"), ("wrong", "Authentication required"), ("reads", "Not allowed")]
    {
        let mut client = Client::connect(&server.address, &format!("/v1/work/q?token={token}"), "");
        assert_eq!(client.next(), Got::Close(1008, reason.into()), "{token}");
    }
    let mut client = Client::connect(&server.address, "/v1/work/p?token=bot", "");
    assert_eq!(client.next(), Got::Close(1008, "Not allowed".into()));
    let poll = |token: &str| server.request("POST", "/v1/work/q/jobs?worker=w", &support::bearer(token), "");
    assert!(poll("wrong").starts_with("HTTP/1.1 401") && poll("reads").starts_with("HTTP/1.1 403"));
    let mut worker = Worker::of(&server, "/v1/work/q?worker=w&token=bot");
    let (at, text) = (Running::at(&server.address), asking("s", "Well?"));
    let reader = std::thread::spawn(move || {
        let headers = format!("content-type: application/json\r\n{}", support::bearer("all"));
        at.request("POST", "/v1/sessions/execute", &headers, &text)
    });
    let (job, _) = worker.job();
    // A job is for whom it was given to.
    let path = format!("/v1/work/q/jobs/{job}/events");
    let done = r#"[{"type":"done","n":1}]"#;
    let stolen = server.request("POST", &path, &support::bearer("other"), done);
    assert_eq!(body(&stolen), r#"{"next":null,"cancelled":true}"#);
    let refused = server.request("POST", &path, &support::bearer("reads"), done);
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    worker.answer(&job, &["Yes"]);
    assert!(reader.join().unwrap().contains(r#""output":"Yes""#));
    // Nobody publishes to a queue.
    let json = format!("content-type: application/json\r\n{}", support::bearer("other"));
    let refused = server.request("POST", "/v1/topics/work.q", &json, r#"{"data":1}"#);
    assert!(refused.starts_with("HTTP/1.1 422"), "{refused}");
}
