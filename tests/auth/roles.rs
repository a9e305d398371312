//! What roles and lists allow, by the entry of a key and by the claims of a token alike.

use std::io::Write;
use std::net::TcpStream;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::signer::Signer;
use crate::support::{Running, read_head};
use crate::{Files, SECRET, bearer, now_s, status};

const ACTIONS: [&str; 4] = ["publish", "subscribe", "history", "presence"];

fn entry(key: &str, lines: &str) -> String {
    let hash: String = Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("[[keys]]\nname = \"{key}\"\nhash = \"sha256:{hash}\"\n{lines}\n")
}

fn signed(more: &Value) -> String {
    let mut claims = json!({ "sub": "ann", "exp": now_s() + 60 });
    more.as_object().unwrap().iter().for_each(|(name, value)| claims[name] = value.clone());
    Signer::secret(SECRET).sign(&claims)
}

/// Statuses of what [`ACTIONS`] name, on one topic.
fn may(server: &Running, topic: &str, token: &str) -> [u16; 4] {
    let json = format!("content-type: application/json\r\n{}", bearer(token));
    let event = r#"{"message_id":"m","channel_id":"c","author_id":"u","content":"x","direction":"incoming"}"#;
    let get = |target: String| status(&server.request("GET", &target, &bearer(token), ""));
    let mut socket = TcpStream::connect(&server.address).unwrap();
    let head = format!("GET /v1/topics/{topic} HTTP/1.1\r\nhost: test\r\naccept: text/event-stream\r\n");
    write!(socket, "{head}{}\r\n", bearer(token)).unwrap();
    [
        status(&server.request("POST", &format!("/v1/topics/{topic}"), &json, event)),
        status(&read_head(&mut socket)),
        get(format!("/v1/topics/{topic}")),
        get(format!("/v1/presence/{topic}")),
    ]
}

#[test]
fn the_four_roles_may_what_they_may() {
    let files = Files::new();
    let words = ["observer", "admin", "authority", "root"];
    let keys: String = words.iter().map(|role| entry(role, &format!("role = \"{role}\""))).collect();
    let server = Running::start(&(files.jwt("") + "[namespaces.\"*\"]\npresence = true\n" + &keys));
    for role in words {
        for token in [role.to_owned(), signed(&json!({ "role": role.to_uppercase() }))] {
            let public = may(&server, "stream.message", &token);
            let (publishes, reads) = if role == "root" { (200, 200) } else { (403, 200) };
            assert_eq!(public, [publishes, reads, reads, reads], "{role}");
            let reads = if role == "observer" { 403 } else { 200 };
            assert_eq!(may(&server, "a", &token), [publishes, reads, reads, reads], "{role}");
            let revokes = server.request("GET", "/v1/revocations", &bearer(&token), "");
            assert_eq!(status(&revokes), publishes, "{role}");
        }
    }
}

/// Each of the four lists allows its own action, on its own topics, and nothing else.
#[test]
fn each_list_is_for_its_action() {
    let files = Files::new();
    let only = |action: &str| {
        ACTIONS.map(|name| format!("{name} = {}", if name == action { "[\"a.*\"]" } else { "[]" })).join("\n")
    };
    let keys: String = ACTIONS.iter().map(|action| entry(action, &only(action))).collect();
    let server = Running::start(&(files.jwt("") + "[namespaces.\"*\"]\npresence = true\n" + &keys));
    for (i, action) in ACTIONS.iter().enumerate() {
        let lists: Value = ACTIONS
            .map(|name| (name, if name == *action { json!(["a.*"]) } else { json!([]) }))
            .into_iter()
            .collect();
        for token in [(*action).to_owned(), signed(&json!({ "grants": lists, "role": "root" }))] {
            let mut expected = [403; 4];
            expected[i] = 200;
            assert_eq!(may(&server, "a.b", &token), expected, "{action}");
            assert_eq!(may(&server, "a.b.c", &token), [403; 4], "{action}");
        }
    }
}
