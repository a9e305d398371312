//! Credentials of one user that are renewed with others that allow less, or that end.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::signer::Signer;
use crate::support::{Client, Got, Running, body};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

/// `abc` is the key of ann, who is root.
const ROOT: &str = "
[[keys]]
name = \"ann\"
role = \"root\"
hash = \"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"
publish = [\"**\"]
";

/// A token of eve for so many seconds.
fn token(role: &str, seconds: u64) -> String {
    #[allow(clippy::disallowed_methods, reason = "tests read the clock")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let grants = json!({"subscribe": ["stream.*", "channels.*"], "history": ["stream.*", "channels.*"]});
    Signer::secret(SECRET).sign(&json!({"sub": "eve", "exp": now + seconds, "role": role, "grants": grants}))
}

/// A server that knows these tokens, and the folder with its secret.
fn server() -> (Running, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, SECRET).unwrap();
    let server = Running::start(&format!("[jwt]\nsecret_file = {path:?}\nleeway_seconds = 0\n{ROOT}"));
    (server, folder)
}

fn connect(server: &Running, path: &str, token: &str) -> Client {
    Client::connect(&server.address, &format!("{path}?token={token}"), "")
}

fn auth(client: &mut Client, token: &str) {
    client.send(&format!("{{\"type\":\"auth\",\"token\":\"{token}\"}}"));
}

#[test]
fn a_lower_role_ends_the_stream_of_logs() {
    let (server, _folder) = server();
    let mut client = connect(&server, "/v1/stream/logs", &token("admin", 60));
    assert!(client.text().contains(r#""user_id":"eve","role":"ADMIN""#));
    auth(&mut client, &token("observer", 60));
    assert!(client.text().contains(r#""user_id":"eve","role":"OBSERVER""#));
    assert_eq!(client.next(), Got::Close(1008, "Admin role required".into()));
}

#[test]
fn a_lower_role_ends_the_logs_among_several_streams() {
    let (server, _folder) = server();
    let mut client = connect(&server, "/v1/stream/all", &token("authority", 60));
    assert!(client.text().contains("AUTHORITY"));
    client.send(r#"{"type":"subscribe","streams":["message","log"]}"#);
    assert!(client.text().ends_with(r#""data":{"subscribed":["message","log"],"denied":[]}}"#));
    auth(&mut client, &token("observer", 60));
    assert!(client.text().contains("OBSERVER"));
    assert!(client.text().ends_with(r#""data":{"removed":["log"]}}"#));
    client.send(r#"{"type":"subscribe","streams":["log"]}"#);
    assert!(client.text().ends_with(r#""data":{"added":[],"denied":["log"]}}"#));
}

#[test]
fn connections_end_with_their_tokens() {
    let (server, _folder) = server();
    let short = token("root", 2);
    let mut clients = [
        connect(&server, "/v1/stream/messages", &short),
        connect(&server, "/v1/stream/all", &short),
        connect(&server, "/v1/ws", &short),
        connect(&server, "/ws/chat", &short),
        connect(&server, "/v1/ws", &short),
    ];
    clients[1].send(r#"{"type":"subscribe","streams":["log"]}"#);
    clients[3].send(r#"{"type":"join","session_id":"s"}"#);
    auth(&mut clients[4], &token("root", 60));
    for client in &mut clients[..4] {
        let mut last = client.next();
        while let Got::Text(_) = last {
            last = client.next();
        }
        assert_eq!(last, Got::Close(1008, "Token expired".into()));
    }
    let events = server.request("GET", &format!("/v1/events/subscribe?token={}", token("root", 1)), "", "");
    assert!(
        events.contains(r#"data: {"type":"error","code":"AUTH_FAILED","message":"Token expired"}"#),
        "{events}"
    );
    clients[4].send(r#"{"type":"ping"}"#);
    assert!(clients[4].text().starts_with("{\"type\":\"auth_success\""));
    assert!(clients[4].text().starts_with("{\"type\":\"pong\""));
    let unknown = connect(&server, "/ws/chat", &short).text();
    assert_eq!(unknown, r#"{"type":"auth_error","message":"Invalid token"}"#);
    let gone = connect(&server, "/v1/ws", &short).text();
    assert_eq!(gone, r#"{"type":"error","code":"AUTH_FAILED","message":"the credential has expired"}"#);
}

#[test]
fn what_is_taken_back_closes_connections() {
    let (server, _folder) = server();
    let token = token("root", 60);
    let mut stream = connect(&server, "/v1/stream/messages", &token);
    let mut channels = connect(&server, "/v1/ws", &token);
    let mut chat = connect(&server, "/ws/chat", &token);
    assert!(chat.text().contains("auth_success"));
    assert!(stream.text().contains("\"auth\""));
    channels.send(r#"{"type":"ping"}"#);
    assert!(channels.text().contains("\"pong\""));
    let answer =
        server.request("POST", "/v1/revocations", "authorization: Bearer abc\r\n", r#"{"user":"eve"}"#);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{}", body(&answer));
    assert_eq!(stream.next(), Got::Close(1008, "Token revoked".into()));
    assert_eq!(channels.next(), Got::Close(1008, "Token revoked".into()));
    assert_eq!(chat.next(), Got::Close(1008, "Token revoked".into()));
}
