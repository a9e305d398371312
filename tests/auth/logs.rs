//! Tokens never appear in logs, however much is logged and however they come.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::backend::Backend;
use crate::readers::{Kind, WAYS, open, publish_everywhere, shown, sockets, until_pong};
use crate::signer::{Signer, set};
use crate::support::{Client, Running, body};
use crate::{Files, KEYS, SECRET, bearer, now_s};

/// The binary, whose log goes to a file.
struct Process {
    child: Child,
    log: String,
}

impl Process {
    fn start(files: &Files, config: &str) -> (Self, String) {
        let (config, log) = (files.write("millrace.toml", config.as_bytes()), files.write("log", b""));
        let mut child = Command::new(env!("CARGO_BIN_EXE_millrace"))
            .args(["serve", "--config", &config, "--log", "trace", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().rsplit_once("http://").unwrap().1.to_owned();
        (Self { child, log }, address)
    }

    fn log(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        fs::read_to_string(&self.log).unwrap()
    }
}

fn claims(seconds: i64) -> serde_json::Value {
    json!({ "sub": "ann", "role": "root", "exp": now_s() as i64 + seconds })
}

fn ticket(server: &Running, token: &str) -> String {
    let answer = server.request("POST", "/v1/tickets", &bearer(token), "");
    body(&answer).split('"').nth(3).unwrap().to_owned()
}

#[test]
fn no_credential_is_logged() {
    let (files, key) = (Files::new(), Signer::p256().named("k"));
    let (keys, hook) = (Backend::start(&set(&[&key])), Backend::start("{\"allow\":true}"));
    let hook_secret = files.write("hook", b"the-secret-of-the-hook");
    let settings = files.jwt(&format!("jwks_url = \"{}\"", keys.url))
        + "[auth]\ncookie = \"session\"\n[stream]\nconnections_per_user = 0\n"
        + &format!("[webhook]\nurl = \"{}\"\nsecret_file = {hook_secret:?}\ncache_seconds = 0\n", hook.url)
        + KEYS;
    let (process, address) = Process::start(&files, &settings);
    let server = Running::at(&address);
    publish_everywhere(&server);
    let sign = |seconds| Signer::secret(SECRET).sign(&claims(seconds));
    let (good, late) = (sign(60), sign(-60));
    let (fetched, unknown) = (key.sign(&claims(60)), Signer::p256().named("u").sign(&claims(60)));
    let mut secrets = vec![good.clone(), late, fetched, unknown, "abc-not-a-key-but-secret".into()];
    for way in &WAYS {
        let is_socket = matches!(way.kind, Kind::Socket | Kind::Asking(_));
        for secret in &secrets {
            let places = ["authorization", "token", "ticket", "cookie", "subprotocol"];
            for place in places.into_iter().take(if is_socket { 5 } else { 4 }) {
                let (way, headers) = way.with(place, secret);
                shown(&server, &way, &headers);
            }
        }
    }
    for way in sockets() {
        let (mut client, _) = open(&server, &way, &bearer(&good)).unwrap();
        for secret in &secrets {
            client.send(&json!({ "type": "auth", "token": secret }).to_string());
            until_pong(&mut client).unwrap();
        }
        hook.answer(500, "nonsense");
        client.send(&json!({ "type": "auth", "token": good }).to_string());
        until_pong(&mut client).unwrap();
        hook.answer(200, "{\"allow\":true}");
        let used = ticket(&server, &good);
        let (way, headers) = way.with("ticket", &used);
        shown(&server, &way, &headers);
        secrets.push(used);
    }
    let mut client = Client::connect(&address, "/v1/ws", "");
    client.send(&json!({ "type": "auth", "token": secrets[4] }).to_string());
    client.next();
    server.request("POST", "/v1/revocations", &bearer("abc"), "{\"user\":\"ann\"}");
    let log = process.log();
    for line in ["credentials revoked", "a stream begins", "gives no answer"] {
        assert!(log.contains(line), "the log is read, and has {line:?}: {log}");
    }
    secrets.extend(["the-secret-of-the-hook".into(), String::from_utf8(SECRET.into()).unwrap()]);
    let parts = secrets.iter().flat_map(|secret| secret.split('.')).filter(|part| part.len() > 8);
    for secret in parts {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}
