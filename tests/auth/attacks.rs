//! What must not get in, one line for each way.

use serde_json::json;

use crate::signer::{Signer, forged, set};
use crate::support::{Client, Got, Running};
use crate::{Files, KEYS, SECRET, bearer, claims, metric, now_s, read, status, token};

#[test]
fn no_forged_token_gets_in() {
    let (rsa, files) = (Signer::rsa(), Files::new());
    let p256 = Signer::p256().named("ec");
    let (pem, jwks) =
        (files.write("key.pem", rsa.pem.as_bytes()), files.write("set.json", set(&[&p256]).as_bytes()));
    let settings = format!(
        "public_key_file = {pem:?}\njwks_file = {jwks:?}\nissuer = [\"us\"]\naudience = [\"stream\"]"
    );
    let server = Running::start(&files.jwt(&settings));
    let mut right = claims("ann", 60);
    (right["iss"], right["aud"]) = (json!("us"), json!("stream"));
    let with = |name: &str, value: serde_json::Value| {
        let mut claims = right.clone();
        claims[name] = value;
        Signer::secret(SECRET).sign(&claims)
    };
    let good = Signer::secret(SECRET).sign(&right);
    assert_eq!(read(&server, &good), 200);
    let payload = good.split('.').nth(1).unwrap();
    let attacks = [
        ("nothing", String::new()),
        ("noise", "x".into()),
        ("too long", format!("{good}{}", "A".repeat(9000))),
        ("unsigned", forged(&json!({ "alg": "none" }), &right, "")),
        ("unsigned, oddly written", forged(&json!({ "alg": "nOnE" }), &right, "")),
        ("signature cut off", good.rsplit_once('.').unwrap().0.to_owned() + "."),
        ("signature of another", good.replace(payload, token("ann", 60).split('.').nth(1).unwrap())),
        ("wrong secret", Signer::secret(b"wrong").sign(&right)),
        ("empty secret", Signer::secret(b"").sign(&right)),
        ("public key as secret", Signer::secret(rsa.pem.as_bytes()).sign(&right)),
        ("public key as secret, named", Signer::secret(rsa.pem.as_bytes()).named("ec").sign(&right)),
        ("other RSA key", Signer::rsa().sign(&right)),
        ("other key of that name", Signer::p256().named("ec").sign(&right)),
        ("foreign name of a key", Signer::p256().named("../key.pem").sign(&right)),
        (
            "key brought along",
            forged(&json!({ "alg": "ES256", "kid": "ec", "jwk": p256.jwk() }), &right, "AA"),
        ),
        ("expired", with("exp", json!(now_s() - 1))),
        ("endless", with("exp", json!(null))),
        ("not yet", with("nbf", json!(now_s() + 60))),
        ("other issuer", with("iss", json!("them"))),
        ("other audience", with("aud", json!(["them"]))),
        ("no user", with("sub", json!(null))),
        ("user with a line break", with("sub", json!("a\nb"))),
        ("grants that are none", with("grants", json!("**"))),
    ];
    for (what, token) in &attacks {
        assert_eq!(read(&server, token), 401, "{what}");
        let query = server.get(&format!("/v1/topics/a?token={token}"));
        assert_eq!(status(&query), 401, "{what}");
        let (_, head) = Client::handshake(&server.address, "/v1/topics", &bearer(token));
        assert_eq!(status(&head), 401, "{what}");
    }
    assert_eq!(read(&server, &good), 200, "the server is well");
    assert!(metric(&server, "millrace_auth_refused_total{reason=\"invalid\"} ") >= 20);
    assert!(metric(&server, "millrace_auth_refused_total{reason=\"expired\"} ") >= 1);
}

#[test]
fn a_grant_is_for_its_topic_alone() {
    let files = Files::new();
    let server = Running::start(&(files.jwt("") + KEYS));
    let bob = token("bob", 60);
    for target in ["/v1/topics/b", "/v1/topics/a.b", "/v1/topics/A", "/v1/topics/%61%2eb", "/v1/presence/b"] {
        assert_eq!(status(&server.request("GET", target, &bearer(&bob), "")), 403, "{target}");
    }
    for target in ["/v1/topics/**", "/v1/topics/*", "/v1/topics/$presence.b", "/v1/topics?topic=a&topic=b"] {
        let stream = format!("accept: text/event-stream\r\n{}", bearer(&bob));
        assert_eq!(status(&server.request("GET", target, &stream, "")), 403, "{target}");
    }
    let json = format!("content-type: application/json\r\n{}", bearer(&bob));
    assert_eq!(status(&server.request("POST", "/v1/topics/a", &json, "1")), 403);
    let mut client = Client::connect(&server.address, "/v1/topics", &bearer(&bob));
    for topic in ["b", "**", "*", "$presence.b"] {
        client.send(&json!({ "type": "subscribe", "topic": topic }).to_string());
        assert!(client.text().starts_with("{\"type\":\"error\",\"code\":\"forbidden\""), "{topic}");
    }
}

#[test]
fn nothing_is_read_with_a_token_that_has_ended() {
    let files = Files::new();
    let server = Running::start(&(files.jwt("") + KEYS));
    let mut client = Client::connect(&server.address, &format!("/v1/topics?token={}", token("bob", 2)), "");
    #[allow(clippy::disallowed_methods, reason = "the token has to end")]
    std::thread::sleep(std::time::Duration::from_millis(2050));
    client.send("{\"type\":\"subscribe\",\"topic\":\"a\"}");
    match client.next() {
        Got::Close(1008, reason) => assert_eq!(reason, "Token expired"),
        Got::Text(text) => assert!(text.contains("\"code\":\"expired\""), "{text}"),
        other => panic!("{other:?}"),
    }
}
