//! `millrace token`: what it prints and where, and that a server agrees with it.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::backend::Backend;
use crate::signer::{Signer, forged, set};
use crate::support::Running;
use crate::{Files, KEYS, bearer, now_s, read, status};

fn run(arguments: &[&str], stdin: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_millrace"))
        .arg("token")
        .args(arguments)
        .env_remove("MILLRACE_CONFIG")
        .env_remove("MILLRACE_TOKEN")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Who looks at its flags alone does not read.
    let _unread = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What it says about a credential, and whether that is good.
fn explained(config: &str, token: &str, more: &[&str]) -> (bool, String) {
    let done = run(&[&["explain", "--config", config], more].concat(), token);
    assert_eq!(text(&done.stderr), "", "{token}");
    let said = text(&done.stdout);
    let parts = token.split('.').filter(|part| part.len() > 8);
    parts.for_each(|part| assert!(!said.contains(part), "the token is in: {said}"));
    (done.status.success(), said)
}

#[test]
fn a_key_is_shown_once_and_only_its_hash_is_kept() {
    let done = run(&["key", "--name", "backend", "--publish", "a", "--subscribe", "a"], "");
    let (entry, shown) = (text(&done.stdout), text(&done.stderr));
    let key = shown.trim().rsplit(' ').next().unwrap();
    assert!(done.status.success() && key.starts_with("mr_") && key.len() == 46, "{shown}");
    assert!(shown.matches(key).count() == 1 && !entry.contains(key), "{entry}{shown}");
    let hash: String = Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(entry.contains(&format!("hash = \"sha256:{hash}\"")) && !entry.contains("none"), "{entry}");
    let server = Running::start(&entry);
    assert_eq!((read(&server, key), read(&server, &hash)), (200, 401));
    assert_eq!(status(&server.request("GET", "/v1/topics/b", &bearer(key), "")), 403);
    let again = text(&run(&["key", "--name", "backend", "--role", "root"], "").stderr);
    assert!(!again.contains(key), "another one each time");
}

#[test]
fn a_key_with_a_role_is_what_a_server_takes_for_one() {
    let done = run(&["key", "--name", "dashboard", "--role", "observer"], "");
    let (entry, shown) = (text(&done.stdout), text(&done.stderr));
    let key = shown.trim().rsplit(' ').next().unwrap();
    let server = Running::start(&entry);
    let reads =
        |topic: &str| status(&server.request("GET", &format!("/v1/topics/{topic}"), &bearer(key), ""));
    assert_eq!((reads("stream.message"), reads("stream.log"), reads("a")), (200, 403, 403));
}

#[test]
fn what_is_wrong_says_what_would_be_right() {
    let files = Files::new();
    let (plain, only) = (
        files.write("none.toml", b""),
        files.write("rs.toml", (files.jwt("algorithms = [\"RS256\", \"HS512\"]")).as_bytes()),
    );
    let missing = files.write("gone.toml", b"[jwt]\nsecret_file = \"/nowhere/secret\"\n");
    for (arguments, stdin, hint) in [
        (&["key", "--name", "a"][..], "", "say what the key may do: --role"),
        (&["key", "--name", "", "--role", "root"], "", "write 1 to 128 bytes"),
        (&["key", "--name", "a\nb", "--role", "root"], "", "without control characters"),
        (&["key", "--name", "a", "--role", "god"], "", "write observer, admin, authority or root"),
        (&["key", "--name", "a", "--publish", "a b"], "", "is not a pattern"),
        (&["sign", "--user", "ann"], "", "MILLRACE_JWT_SECRET_FILE"),
        (&["sign", "--user", "ann", "--config", &plain], "", "set jwt.secret_env or jwt.secret_file"),
        (&["sign", "--user", "ann", "--config", &only], "", "jwt.algorithms does not allow HS256"),
        (&["explain", "--config", &missing], "x", "jwt.secret_file: cannot read /nowhere/secret"),
        (&["explain", "--config", &plain], " \n", "there is no token: give it on standard input"),
        (&["explain", "--config", "/nowhere.toml"], "x", "/nowhere.toml"),
    ] {
        let done = run(arguments, stdin);
        let told = text(&done.stderr);
        assert!(!done.status.success() && told.contains(hint), "{arguments:?}: {told}");
        assert_eq!(text(&done.stdout), "", "{arguments:?}");
    }
}

#[test]
fn a_signed_token_is_good_and_says_what_was_asked_for() {
    let files = Files::new();
    let settings = files.jwt("issuer = [\"us\"]\naudience = [\"stream\"]");
    let config = files.write("millrace.toml", settings.as_bytes());
    let sign = |more: &[&str]| {
        let done = run(&[&["sign", "--config", &config, "--user", "ann"], more].concat(), "");
        assert!(done.status.success() && done.stderr.is_empty(), "{}", text(&done.stderr));
        text(&done.stdout).trim().to_owned()
    };
    let server = Running::start(&settings);
    let reading = sign(&["--subscribe", "a", "--seconds", "60", "--id", "t1"]);
    assert_eq!((read(&server, &reading), read(&server, &sign(&[]))), (200, 403));
    assert_eq!(read(&server, &sign(&["--role", "admin"])), 200);
    assert_eq!(read(&server, &sign(&["--role", "admin", "--seconds", "0"])), 401);
    let (good, said) = explained(&config, &reading, &["--topic", "a", "--topic", "b"]);
    for line in [
        "kind       token (JWT), whose signature is right",
        "iss        \"us\"",
        "jti        \"t1\"",
        "user       ann",
        "role       OBSERVER, since it names none; that gives it no topics",
        "valid      yes, until 20",
        "may        what its claim `grants` says:",
        "  subscribe a",
        "topic      a\n  publish   no, nothing covers all of it\n  subscribe yes, by `a` of its claim `grants`",
        "topic      b\n  publish   no",
    ] {
        assert!(good && said.contains(line), "{line}: {said}");
    }
    let (good, said) =
        explained(&config, &format!("Bearer {}\n", sign(&["--role", "admin"])), &["--topic", "logs.*"]);
    assert!(good && said.contains("role       ADMIN, by its claim `role`"), "{said}");
    assert!(
        said.contains("subscribe yes, by `**` of [roles.admin]") && said.contains("publish   no"),
        "{said}"
    );
}

/// Each kind of credential that is no good, and why.
#[test]
fn why_a_credential_is_no_good_is_said() {
    let (files, rsa, p256) = (Files::new(), Signer::rsa(), Signer::p256().named("here"));
    let jwks = files.write("set.json", set(&[&p256]).as_bytes());
    let settings =
        files.jwt(&format!("jwks_file = {jwks:?}\nissuer = [\"us\"]\naudience = [\"stream\"]")) + KEYS;
    let config = files.write("millrace.toml", settings.as_bytes());
    let server = Running::start(&settings);
    let right =
        json!({ "sub": "ann", "exp": now_s() + 60, "iss": "us", "aud": "stream", "role": "observer" });
    let with = |name: &str, value: Value| {
        let mut claims = right.clone();
        claims[name] = value;
        p256.sign(&claims)
    };
    for (token, why) in [
        ("hello".to_owned(), "no: it is none of [[keys]], and has not the form of a token"),
        (with("exp", json!(now_s() - 100)), "no: it has expired"),
        (with("exp", Value::Null), "no: its claim `exp` is no time"),
        (with("nbf", json!(now_s() + 100)), "no: it is not valid yet (`nbf`)"),
        (with("iss", json!("them")), "iss        \"them\"\n"),
        (with("iss", json!("them")), "no: its issuer (`iss`) is not one of jwt.issuer"),
        (with("aud", json!(["other"])), "no: its audience (`aud`) is none of jwt.audience"),
        (with("sub", Value::Null), "no: it names no user: there is no claim \"sub\""),
        (
            with("grants", json!({ "write": ["**"] })),
            "no: its grants are wrong: there is no action \"write\"",
        ),
        (Signer::p256().named("here").sign(&right), "no: its signature is wrong"),
        (Signer::secret(b"another").sign(&right), "no: its signature is wrong"),
        (Signer::p256().named("gone").sign(&right), "no: there is no key \"gone\" here"),
        (Signer::p256().named("gone").sign(&right), "keys       (one without a name) \"here\""),
        (rsa.sign(&right), "no: it is signed by \"RS256\", which is not allowed"),
        (forged(&json!({ "alg": "none" }), &right, ""), "no: it is signed by \"none\""),
        (forged(&json!({ "alg": "ES256", "crit": ["b64"] }), &right, "AA"), "no: its header says `crit`"),
        (forged(&json!("x"), &right, "AA"), "no: its header cannot be read"),
    ] {
        let (good, said) = explained(&config, &token, &["--topic", "a"]);
        assert!(!good && said.contains(why), "{why}: {said}");
        assert!(!said.contains("may  ") && !said.contains("topic"), "what is no good may do nothing: {said}");
        assert_eq!(read(&server, &token), 401, "{why}");
    }
}

#[test]
fn keys_open_servers_and_webhooks_are_explained() {
    let files = Files::new();
    let hook = "[webhook]\nurl = \"http://127.0.0.1:1/\"\non = [\"subscribe\"]\n";
    let config = files.write("millrace.toml", (hook.to_owned() + KEYS).as_bytes());
    let (good, said) = explained(&config, "def", &["--topic", "a"]);
    for line in [
        "kind       API key `bob`",
        "role       OBSERVER, since its entry names none",
        "may        what the key `bob` says:",
        "subscribe yes, by `a` of the key `bob`",
        "note       webhook.url is asked besides (subscribe), and may refuse",
    ] {
        assert!(good && said.contains(line), "{line}: {said}");
    }
    let (good, said) = explained(&config, "abc", &[]);
    assert!(
        good && said.contains("role       ROOT, by its entry") && said.contains("what [roles.root] says"),
        "{said}"
    );
    let (good, said) = explained(&config, "abd", &[]);
    assert!(!good && said.contains("no: it is none of [[keys]], and no [jwt] is configured"), "{said}");
    let open = files.write("open.toml", b"");
    let (good, said) = explained(&open, "anything", &[]);
    assert!(good && said.contains("everybody may do everything"), "{said}");
}

/// Keys are fetched as a server would.
#[test]
fn fetched_keys_are_looked_at() {
    let (files, key) = (Files::new(), Signer::ed25519().named("k"));
    let backend = Backend::start(&set(&[&key]));
    let config =
        |url: &str| files.write("millrace.toml", format!("[jwt]\njwks_url = \"{url}\"\n").as_bytes());
    let token = key.sign(&json!({ "sub": "ann", "exp": now_s() + 60, "role": "admin" }));
    let (good, said) = explained(&config(&backend.url), &token, &[]);
    assert!(good && said.contains("user       ann"), "{said}");
    let done = run(&["explain", "--config", &config("http://127.0.0.1:1/")], &token);
    let said = text(&done.stdout);
    assert!(!done.status.success() && said.contains("note       keys could not be fetched"), "{said}");
    assert!(said.contains("no: there is no key \"k\" here"), "{said}");
}
