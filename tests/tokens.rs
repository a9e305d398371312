//! Tokens of every family, with keys made on the spot, and what must not get in.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

#[path = "support/signer.rs"]
mod signer;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm as Alg;
use millrace::auth::jwt::{Problem, Rules, Tokens, VerifyingKey, allowed, key_set};
use millrace::auth::{Action, AuthError, Credential, Role};
use millrace::config::{Algorithm, Config};
use serde_json::{Value, json};
use signer::{Signer, forged, set};

const NOW_S: u64 = 1_800_000_000;
const NOW: u64 = NOW_S * 1000;

fn rules(toml: &str) -> Rules {
    let text = format!("[jwt]\nsecret_env = \"A\"\n{toml}");
    Rules::new(&Config::from_toml("t", &text).unwrap_or_else(|problems| panic!("{problems}")))
}

fn all() -> Vec<Alg> {
    allowed(&Algorithm::ALL)
}

fn by_pem(signer: &Signer) -> Tokens {
    Tokens::new(rules(""), vec![VerifyingKey::pem(signer.pem.as_bytes(), &all()).unwrap()], false)
}

fn by_set(json: &str) -> Tokens {
    Tokens::new(rules(""), key_set(json.as_bytes(), &all(), false).unwrap(), false)
}

fn by_secret(secret: &[u8], toml: &str) -> Tokens {
    Tokens::new(rules(toml), vec![VerifyingKey::secret(secret, &all()).unwrap()], false)
}

fn ann() -> Value {
    json!({ "sub": "ann", "exp": NOW_S + 60 })
}

/// What is wrong with claims that are signed with the right secret.
fn problem(toml: &str, claims: &Value) -> Problem {
    by_secret(b"secret", toml).verify(&Signer::secret(b"secret").sign(claims), NOW).unwrap_err()
}

#[test]
fn tokens_of_every_family_are_verified_by_their_key_and_no_other() {
    let rsa = Signer::rsa();
    let families = [
        vec![rsa.with(Alg::RS256), rsa.with(Alg::RS384), rsa.with(Alg::RS512)],
        vec![rsa.with(Alg::PS256), rsa.with(Alg::PS384), rsa.with(Alg::PS512)],
        vec![Signer::p256()],
        vec![Signer::p384()],
        vec![Signer::ed25519()],
    ];
    let strangers = by_set(&set(&[&Signer::rsa().named("r"), &Signer::p256(), &Signer::ed25519()]));
    for signer in families.iter().flatten() {
        let token = signer.sign(&ann());
        for tokens in [by_pem(signer), by_set(&set(&[signer]))] {
            let identity =
                tokens.verify(&token, NOW).unwrap_or_else(|why| panic!("{:?}: {why}", signer.algorithm));
            assert_eq!((identity.name.as_str(), identity.credential), ("ann", Credential::Token));
        }
        assert!(strangers.verify(&token, NOW).is_err());
    }
}

#[test]
fn shared_secrets_sign_with_every_length() {
    let signer = Signer::secret(b"secret");
    for algorithm in [Alg::HS256, Alg::HS384, Alg::HS512] {
        let token = signer.with(algorithm).sign(&ann());
        assert!(by_secret(b"secret", "").verify(&token, NOW).is_ok());
        assert_eq!(by_secret(b"other", "").verify(&token, NOW).unwrap_err(), Problem::Signature);
    }
}

#[test]
fn a_public_key_is_never_a_shared_secret() {
    let rsa = Signer::rsa();
    for secret in [rsa.pem.clone().into_bytes(), rsa.pem.trim().as_bytes().to_vec()] {
        let token = Signer::secret(&secret).sign(&ann());
        assert_eq!(by_pem(&rsa).verify(&token, NOW).unwrap_err(), Problem::Algorithm("HS256".into()));
        let token = Signer::secret(&secret).named("rsa").sign(&ann());
        let tokens = by_set(&set(&[&rsa.with(Alg::RS256).named("rsa")]));
        assert_eq!(tokens.verify(&token, NOW).unwrap_err(), Problem::Algorithm("HS256".into()));
    }
}

#[test]
fn tokens_without_a_signature_are_none() {
    let tokens = by_secret(b"secret", "");
    for alg in ["none", "None", "NONE", "", "HS1"] {
        let token = forged(&json!({ "alg": alg, "typ": "JWT" }), &ann(), "");
        assert_eq!(tokens.verify(&token, NOW).unwrap_err(), Problem::Algorithm(alg.into()));
    }
    let token = forged(&json!({ "alg": "HS256" }), &ann(), "");
    assert_eq!(tokens.verify(&token, NOW).unwrap_err(), Problem::Signature);
    for broken in ["", "a", "a.b", "a.b.c.d", "..", "!.!.!", "e30.e30.", &"x".repeat(9000)] {
        assert!(
            matches!(tokens.verify(broken, NOW).unwrap_err(), Problem::Form | Problem::Header),
            "{broken}"
        );
    }
    let crit = forged(&json!({ "alg": "HS256", "crit": ["exp"] }), &ann(), "");
    assert_eq!(tokens.verify(&crit, NOW).unwrap_err(), Problem::Critical);
}

#[test]
fn what_a_token_brings_along_is_never_its_key() {
    let (ours, theirs) = (Signer::p256().named("ours"), Signer::p256().named("ours"));
    let tokens = by_set(&set(&[&ours]));
    assert_eq!(tokens.verify(&theirs.sign(&ann()), NOW).unwrap_err(), Problem::Signature);
    let signature = theirs.sign(&ann()).rsplit_once('.').unwrap().1.to_owned();
    let header = json!({ "alg": "ES256", "kid": "ours", "jwk": theirs.jwk(), "jku": "http://evil/", "x5u": "http://evil/" });
    assert_eq!(tokens.verify(&forged(&header, &ann(), &signature), NOW).unwrap_err(), Problem::Signature);
}

#[test]
fn the_name_of_a_key_chooses_among_those_of_the_set() {
    let (a, b) = (Signer::p256().named("a"), Signer::p256().named("b"));
    let tokens = by_set(&set(&[&a, &b]));
    assert!(tokens.verify(&a.sign(&ann()), NOW).is_ok() && tokens.verify(&b.sign(&ann()), NOW).is_ok());
    let lying = b.with(Alg::ES256).named("a").sign(&ann());
    assert_eq!(tokens.verify(&lying, NOW).unwrap_err(), Problem::Signature);
    let foreign = Signer::p256().named("../../etc/passwd").sign(&ann());
    assert_eq!(tokens.verify(&foreign, NOW).unwrap_err(), Problem::UnknownKey("../../etc/passwd".into()));
    let nameless = a.nameless();
    assert_eq!(tokens.verify(&nameless.sign(&ann()), NOW).unwrap_err(), Problem::WhichKey);
    assert!(by_set(&set(&[&a])).verify(&nameless.sign(&ann()), NOW).is_ok());
}

#[test]
fn a_key_of_a_set_is_for_its_own_algorithm() {
    let rsa = Signer::rsa().named("k");
    let tokens = by_set(&set(&[&rsa.with(Alg::PS256)]));
    assert!(tokens.verify(&rsa.with(Alg::PS256).sign(&ann()), NOW).is_ok());
    let other = tokens.verify(&rsa.with(Alg::RS256).sign(&ann()), NOW);
    assert_eq!(other.unwrap_err(), Problem::Algorithm("RS256".into()));
    let only = allowed(&[Algorithm::Rs512]);
    let tokens = Tokens::new(rules(""), vec![VerifyingKey::pem(rsa.pem.as_bytes(), &only).unwrap()], false);
    assert!(tokens.verify(&rsa.with(Alg::RS512).sign(&ann()), NOW).is_ok());
    assert!(tokens.verify(&rsa.with(Alg::RS256).sign(&ann()), NOW).is_err());
}

#[test]
fn time_is_checked_with_the_leeway() {
    let leeway = "leeway_seconds = 10";
    let at = |exp: Value| json!({ "sub": "ann", "exp": exp });
    assert_eq!(problem(leeway, &json!({ "sub": "ann" })), Problem::NoExpiry);
    assert_eq!(problem(leeway, &at(json!("soon"))), Problem::Claim("exp", "is no time"));
    assert_eq!(problem(leeway, &at(json!(NOW_S - 10))), Problem::Expired(NOW));
    assert_eq!(problem(leeway, &at(json!(-5))), Problem::Expired(10_000));
    assert_eq!(AuthError::from(Problem::Expired(0)), AuthError::Expired);
    let early = json!({ "sub": "ann", "exp": NOW_S + 60, "nbf": NOW_S + 11 });
    assert_eq!(problem(leeway, &early), Problem::NotYet(NOW + 11_000));
    let tokens = by_secret(b"secret", leeway);
    let late = Signer::secret(b"secret").sign(&at(json!(NOW_S as f64 - 9.5)));
    assert_eq!(tokens.verify(&late, NOW).unwrap().expires_ms, Some(NOW + 500));
    assert_eq!(tokens.verify(&late, NOW + 500).unwrap_err(), Problem::Expired(NOW + 500), "from memory");
    let endless = Signer::secret(b"secret").sign(&at(json!(u64::MAX)));
    assert_eq!(tokens.verify(&endless, NOW).unwrap().expires_ms, Some(253_402_300_799_999));
}

#[test]
fn issuer_and_audience_must_be_there_when_they_are_asked_for() {
    let toml = "issuer = [\"https://login\"]\naudience = [\"stream\", \"other\"]";
    let claims = |iss: Value, aud: Value| json!({ "sub": "ann", "exp": NOW_S + 60, "iss": iss, "aud": aud });
    assert_eq!(problem(toml, &ann()), Problem::Issuer);
    assert_eq!(problem(toml, &claims(json!("https://evil"), json!("stream"))), Problem::Issuer);
    assert_eq!(problem(toml, &claims(json!("https://login"), json!("x"))), Problem::Audience);
    assert_eq!(problem(toml, &claims(json!("https://login"), json!([]))), Problem::Audience);
    let right = Signer::secret(b"secret").sign(&claims(json!("https://login"), json!(["x", "stream"])));
    assert!(by_secret(b"secret", toml).verify(&right, NOW).is_ok());
}

#[test]
fn claims_say_who_it_is_and_what_it_may() {
    let toml = "role_claim = \"realm_access.roles\"\nuser_claim = \"email\"";
    let claims = json!({
        "sub": "1", "exp": NOW_S + 60, "jti": "t1", "email": "ann@example.com", "name": "Ann",
        "realm_access": { "roles": ["offline", "Admin", "observer"] },
    });
    let identity = by_secret(b"secret", toml).verify(&Signer::secret(b"secret").sign(&claims), NOW).unwrap();
    assert_eq!((identity.name.as_str(), identity.role), ("ann@example.com", Role::Admin));
    assert_eq!(identity.token_id.as_deref(), Some("t1"));
    assert_eq!(identity.profile.name, "Ann");
    assert!(identity.may(Action::Subscribe, "stream.log") && !identity.may(Action::Publish, "a"));
    assert_eq!(problem(toml, &ann()), Problem::NoUser("email".into()));
    let forged_line = json!({ "sub": "ann\nroot logged in", "exp": NOW_S + 60 });
    assert!(matches!(problem("", &forged_line), Problem::Claim("user", _)));
    let long = json!({ "sub": "x".repeat(200), "exp": NOW_S + 60 });
    assert!(matches!(problem("", &long), Problem::Claim("user", _)));
}

#[test]
fn grants_of_the_token_take_the_place_of_those_of_its_role() {
    let sign = |grants: Value| {
        let claims = json!({ "sub": "ann", "exp": NOW_S + 60, "role": "root", "grants": grants });
        Signer::secret(b"secret").sign(&claims)
    };
    let tokens = by_secret(b"secret", "");
    let own =
        tokens.verify(&sign(json!({ "subscribe": ["a.*"], "presence": [], "publish": ["b"] })), NOW).unwrap();
    assert_eq!(own.role, Role::Root);
    assert!(
        own.may(Action::Subscribe, "a.x") && own.may(Action::History, "a.x") && own.may(Action::Publish, "b")
    );
    assert!(!own.may(Action::Subscribe, "b") && !own.may(Action::Presence, "a.x"));
    for wrong in
        [json!(7), json!({ "subscribe": "a" }), json!({ "subscribe": ["a..b"] }), json!({ "read": [] })]
    {
        assert!(matches!(tokens.verify(&sign(wrong), NOW).unwrap_err(), Problem::Grants(_)));
    }
}

#[test]
fn without_role_and_grants_a_token_may_nothing_unless_there_is_a_default() {
    let token = Signer::secret(b"secret").sign(&ann());
    let none = by_secret(b"secret", "").verify(&token, NOW).unwrap();
    assert!(none.grants.is_empty());
    let default = by_secret(b"secret", "default_role = \"observer\"").verify(&token, NOW).unwrap();
    assert!(default.may(Action::Subscribe, "events.s1") && !default.may(Action::Subscribe, "stream.log"));
}

#[test]
fn equal_tokens_share_an_identity_until_their_keys_go() {
    let (a, b) = (Signer::p256().named("a"), Signer::p256().named("b"));
    let keys = |signer: &Signer| key_set(set(&[signer]).as_bytes(), &all(), false).unwrap();
    let tokens = Tokens::new(rules(""), Vec::new(), true);
    let token = a.sign(&ann());
    assert_eq!(tokens.verify(&token, NOW).unwrap_err(), Problem::UnknownKey("a".into()));
    let nameless = a.nameless().sign(&ann());
    assert_eq!(tokens.verify(&nameless, NOW).unwrap_err(), Problem::UnknownKey(String::new()));
    tokens.replace_fetched(keys(&a));
    let first = tokens.verify(&token, NOW).unwrap();
    assert!(std::sync::Arc::ptr_eq(&first, &tokens.verify(&token, NOW).unwrap()));
    tokens.replace_fetched(keys(&b));
    assert_eq!(tokens.verify(&token, NOW).unwrap_err(), Problem::UnknownKey("a".into()));
}

#[test]
fn a_changed_token_is_refused_at_every_place() {
    let tokens = by_secret(b"secret", "");
    let token = Signer::secret(b"secret").sign(&ann());
    let more = URL_SAFE_NO_PAD.encode(json!({ "sub": "root", "exp": NOW_S + 60 }).to_string());
    let parts: Vec<&str> = token.split('.').collect();
    assert_eq!(tokens.verify(&[parts[0], &more, parts[2]].join("."), NOW).unwrap_err(), Problem::Signature);
    for at in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        assert!(tokens.verify(&String::from_utf8(changed).unwrap(), NOW).is_err(), "byte {at}");
    }
}
