//! Tokens never appear in logs, however much is logged and however they come.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use crate::backend::Backend;
use crate::signer::{Signer, set};
use crate::support::{Client, Running, body};
use crate::{Files, KEYS, bearer, claims, token};

/// The binary, whose log is read at the end.
struct Process(Child);

impl Process {
    fn start(config: &str) -> (Self, String) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_millrace"))
            .args(["serve", "--config", config, "--log", "trace", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().rsplit_once("http://").unwrap().1.to_owned();
        (Self(child), address)
    }

    fn log(mut self) -> String {
        self.0.kill().unwrap();
        let mut log = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        self.0.wait().unwrap();
        log
    }
}

#[test]
fn no_credential_is_logged() {
    let (files, key) = (Files::new(), Signer::p256().named("k"));
    let backend = Backend::start(&set(&[&key]));
    let settings =
        files.jwt(&format!("jwks_url = \"{}\"", backend.url)) + "[auth]\ncookie = \"session\"\n" + KEYS;
    let config = files.write("millrace.toml", settings.as_bytes());
    let (process, address) = Process::start(&config);
    let server = Running::at(&address);
    let (good, bad) = (token("ann", 60), token("ann", -60));
    let (fetched, unknown) =
        (key.sign(&claims("ann", 60)), Signer::p256().named("u").sign(&claims("ann", 60)));
    let ticket = server.request("POST", "/v1/tickets", &bearer(&good), "");
    let ticket = body(&ticket).split('"').nth(3).unwrap().to_owned();
    let secrets = [good, bad, fetched, unknown, "abc-not-a-key-but-secret".into(), ticket];
    for secret in &secrets {
        for (target, headers) in [
            ("/v1/topics/a".to_owned(), bearer(secret)),
            (format!("/v1/topics/a?token={secret}"), String::new()),
            (format!("/v1/topics/a?ticket={secret}"), String::new()),
            ("/v1/topics/a".to_owned(), format!("sec-websocket-protocol: bearer.{secret}\r\n")),
            ("/v1/topics/a".to_owned(), format!("cookie: session={secret}\r\n")),
        ] {
            server.request("GET", &target, &headers, "");
            Client::handshake(&address, &target, &headers);
        }
        let mut client = Client::connect(&address, "/v1/topics", &bearer("def"));
        client.send(&format!("{{\"type\":\"auth\",\"token\":\"{secret}\"}}"));
        client.text();
    }
    server.request("POST", "/v1/revocations", &bearer("abc"), "{\"user\":\"ann\"}");
    let log = process.log();
    assert!(log.contains("credentials revoked"), "the log is read: {log}");
    for secret in secrets.iter().flat_map(|secret| secret.split('.')).filter(|part| part.len() > 8) {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
}
