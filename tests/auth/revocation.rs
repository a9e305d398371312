//! Credentials that are taken back.

use serde_json::{Value, json};

use crate::signer::Signer;
use crate::support::{Client, Got, Running, body};
use crate::{Files, KEYS, SECRET, bearer, claims, status, token};

const PATH: &str = "/v1/revocations";

fn ask(server: &Running, method: &str, target: &str, token: &str, body: &str) -> (u16, Value) {
    let response = server.request(method, target, &bearer(token), body);
    (status(&response), serde_json::from_str(crate::support::body(&response)).unwrap())
}

#[test]
fn what_is_open_is_closed_on_every_shard_and_nothing_new_is_let_in() {
    let files = Files::new();
    let server = Running::start_on(2, &(files.jwt("") + KEYS));
    let mut marked = claims("cid", 60);
    marked["jti"] = json!("t1");
    let marked = Signer::secret(SECRET).sign(&marked);
    for (subject, token) in [
        (json!({ "token_id": "t1" }), marked),
        (json!({ "user": "eve" }), token("eve", 60)),
        (json!({ "key": "bob" }), "def".into()),
    ] {
        let connect = |token: &str| {
            let mut client = Client::connect(&server.address, &format!("/v1/topics/a?token={token}"), "");
            client.text();
            client
        };
        let mut open: Vec<_> = (0..6).map(|_| connect(&token)).collect();
        let mut bystander = connect(&self::token("dan", 60));
        let ticket = ask(&server, "POST", "/v1/tickets", &token, "").1["ticket"].as_str().unwrap().to_owned();
        assert_eq!(ask(&server, "POST", PATH, "abc", &subject.to_string()).0, 200);
        for client in &mut open {
            assert_eq!(client.next(), Got::Close(1008, "Token revoked".into()), "{subject}");
        }
        assert_eq!(crate::read(&server, &token), 401, "{subject}");
        assert_eq!(status(&server.get(&format!("/v1/topics/a?ticket={ticket}"))), 401);
        server.request(
            "POST",
            "/v1/topics/a",
            &format!("{}content-type: application/json\r\n", bearer("abc")),
            "1",
        );
        assert!(bystander.text().starts_with("{\"type\":\"event\""));
    }
}

#[test]
fn revocations_are_roots_and_end() {
    let server = Running::start(KEYS);
    for method in ["POST", "GET", "DELETE"] {
        assert_eq!(ask(&server, method, PATH, "def", "{\"user\":\"ann\"}").0, 403, "{method}");
        assert_eq!(status(&server.request(method, PATH, "", "")), 401);
    }
    let (code, made) =
        ask(&server, "POST", PATH, "abc", "{\"user\":\"bob\",\"until\":\"2999-01-01T00:00:00Z\"}");
    assert_eq!((code, &made["error"]["code"]), (400, &json!("invalid_revocation")));
    let (code, made) = ask(&server, "POST", PATH, "abc", "{\"user\":\"bob\",\"ttl\":1}");
    assert_eq!((code, &made["user"]), (200, &json!("bob")));
    assert_eq!(crate::read(&server, "def"), 401);
    let (_, list) = ask(&server, "GET", PATH, "abc", "");
    assert_eq!(list["revocations"], json!([made]));
    crate::support::eventually("the revocation ends", || crate::read(&server, "def") == 200);
    assert_eq!(ask(&server, "GET", PATH, "abc", "").1["revocations"], json!([]));
    ask(&server, "POST", PATH, "abc", "{\"key\":\"bob\",\"ttl\":60}");
    assert_eq!(crate::read(&server, "def"), 401);
    assert_eq!(
        ask(&server, "DELETE", "/v1/revocations?key=bob", "abc", ""),
        (200, json!({ "removed": true }))
    );
    assert_eq!(ask(&server, "DELETE", "/v1/revocations?key=bob", "abc", "").0, 404);
    assert_eq!(crate::read(&server, "def"), 200);
}

#[test]
fn what_is_no_revocation_is_said_to_be_so() {
    let server = Running::start(KEYS);
    for wrong in [
        "",
        "[]",
        "{}",
        "{\"user\":\"\"}",
        "{\"user\":\"a\",\"key\":\"b\"}",
        "{\"name\":\"a\"}",
        "{\"user\":\"a\",\"ttl\":0}",
        "{\"user\":\"a\",\"ttl\":1,\"until\":5}",
        "{\"user\":\"a\",\"until\":\"soon\"}",
        "{\"user\":\"a\",\"until\":true}",
    ] {
        let response = server.request("POST", PATH, &bearer("abc"), wrong);
        assert_eq!(status(&response), 400, "{wrong}: {response}");
        assert!(body(&response).contains("invalid_revocation"), "{response}");
    }
    let long = format!("{{\"user\":\"{}\"}}", "x".repeat(5000));
    assert_eq!(status(&server.request("POST", PATH, &bearer("abc"), &long)), 400);
}
