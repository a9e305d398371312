//! Credentials against a real server: where tokens come from, keys that are fetched, tickets, pages, expiry, revocation, and
//! what must not get in.

#![allow(clippy::unwrap_used, reason = "a test that meets something impossible may panic")]

#[path = "auth/attacks.rs"]
mod attacks;
#[path = "auth/backend.rs"]
mod backend;
#[path = "auth/cli.rs"]
mod cli;
#[path = "auth/expiry.rs"]
mod expiry;
#[path = "auth/jwks.rs"]
mod jwks;
#[path = "auth/lifetimes.rs"]
mod lifetimes;
#[path = "auth/logs.rs"]
mod logs;
#[path = "auth/places.rs"]
mod places;
#[path = "auth/readers.rs"]
mod readers;
#[path = "auth/revocation.rs"]
mod revocation;
#[path = "auth/roles.rs"]
mod roles;
#[path = "support/signer.rs"]
mod signer;
mod support;
#[path = "auth/webhook.rs"]
mod webhook;
#[path = "auth/webhook_reads.rs"]
mod webhook_reads;

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use signer::Signer;
use support::Running;

/// The shared secret of the servers here.
const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

/// `abc` is the key of ann, who is root; `def` of bob, who reads topic `a`.
const KEYS: &str = "
[[keys]]
name = \"ann\"
role = \"root\"
hash = \"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"
[[keys]]
name = \"bob\"
subscribe = [\"a\"]
hash = \"sha256:cb8379ac2098aa165029e3938a51da0bcecfc008fd6795f401178647f96c5b34\"
";

#[allow(clippy::disallowed_methods, reason = "tests read the clock")]
fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Claims that are good for `seconds` and allow to read topic `a`.
fn claims(user: &str, seconds: i64) -> Value {
    json!({ "sub": user, "exp": now_s() as i64 + seconds, "grants": { "subscribe": ["a"] } })
}

fn token(user: &str, seconds: i64) -> String {
    Signer::secret(SECRET).sign(&claims(user, seconds))
}

/// A folder with the shared secret, which must outlive the start of the server.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files.write("secret", SECRET);
        files
    }

    fn write(&self, name: &str, content: &[u8]) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Settings of a server that accepts tokens signed by [`SECRET`], and `more` of them.
    fn jwt(&self, more: &str) -> String {
        format!("[jwt]\nsecret_file = {:?}\nleeway_seconds = 0\n{more}\n", self.0.path().join("secret"))
    }
}

fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}\r\n")
}

/// The status of a response.
fn status(response: &str) -> u16 {
    response.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0)
}

/// The status of reading topic `a` with a token.
fn read(server: &Running, token: &str) -> u16 {
    status(&server.request("GET", "/v1/topics/a", &bearer(token), ""))
}

fn metric(server: &Running, line: &str) -> u64 {
    let page = server.get("/metrics");
    let found = page.lines().find_map(|text| text.strip_prefix(line)?.trim().parse().ok());
    found.unwrap_or_else(|| panic!("no metric {line}"))
}
