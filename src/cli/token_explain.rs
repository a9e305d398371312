//! `millrace token explain`: whose a credential is, whether it is valid and why not, and which pattern of which key, role or claim
//! allows what. Looks at the configuration, and fetches keys as a server would; what a running server has revoked it cannot know.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Map, Value};

use super::token::{given, load, now_ms};
use crate::auth::jwt::{Problem, Rules, Tokens};
use crate::auth::{Action, Grants, Identity};
use crate::config::{Asked, Config, Role};
use crate::json::time;
use crate::server::authority::{self, Looked};

/// Flags of `token explain`.
#[derive(clap::Args)]
pub struct Explain {
    /// Configuration file (TOML).
    #[arg(long, value_name = "FILE", env = "MILLRACE_CONFIG")]
    config: Option<PathBuf>,
    /// The key or token; read from standard input when left out, where no other user can see it.
    #[arg(long, env = "MILLRACE_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// A topic or pattern to be told about; may be given several times.
    #[arg(long)]
    topic: Vec<String>,
}

/// What is found out about a credential.
struct Findings<'a> {
    config: &'a Config,
    out: String,
    /// Where its grants stand.
    source: String,
    now_ms: u64,
}

fn of_role(role: Role) -> String {
    format!("[roles.{}]", role.word())
}

impl Explain {
    /// Runs it; the exit code is 1 for a credential that is not valid.
    ///
    /// # Errors
    /// A configuration that is wrong, or a key of tokens that is missing.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let config = load(self.config.clone())?;
        let token = given(self.token.clone())?;
        let looked = super::block_on(authority::look(&config))?;
        let mut findings = Findings {
            config: &config,
            out: String::new(),
            source: "an open server".into(),
            now_ms: now_ms(),
        };
        let identity = findings.credential(&looked, &token);
        if let Some(identity) = &identity {
            findings.grants(identity);
            findings.webhook();
            self.topic.iter().for_each(|topic| findings.topic(identity, topic));
        }
        io::stdout().write_all(findings.out.as_bytes())?;
        Ok(if identity.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Findings<'_> {
    fn say(&mut self, name: &str, text: impl AsRef<str>) {
        self.out += &format!("{name:<10} {}\n", text.as_ref());
    }

    /// Who presents the token, if it is valid.
    fn credential(&mut self, looked: &Looked, token: &str) -> Option<Identity> {
        let credentials = looked.credentials();
        if credentials.is_open() {
            self.say(
                "kind",
                "no credentials are configured: everybody may do everything, with any token or none",
            );
            return Some(Identity::anonymous());
        }
        if let Some(identity) = credentials.keys().authenticate(token) {
            self.say("kind", format!("API key `{}`", identity.name));
            self.of_key(&identity);
            self.say("valid", "yes, until it is taken out of the configuration");
            return Some((*identity).clone());
        }
        let Some(tokens) = credentials.tokens() else {
            self.say("valid", "no: it is none of [[keys]], and no [jwt] is configured");
            return None;
        };
        if let Some(fault) = looked.fault() {
            self.say("note", format!("keys could not be fetched: {fault}"));
        }
        self.token(tokens, token)
    }

    fn token(&mut self, tokens: &Tokens, token: &str) -> Option<Identity> {
        let claims = match tokens.claims(token) {
            Ok(claims) => claims,
            Err(Problem::Form) => {
                self.say("valid", "no: it is none of [[keys]], and has not the form of a token");
                return None;
            }
            Err(problem) => {
                self.say("kind", "token (JWT), whose claims cannot be believed");
                if let Problem::UnknownKey(_) | Problem::WhichKey = problem {
                    self.say("keys", tokens.key_names().join(" "));
                }
                self.say("valid", format!("no: {problem}"));
                return None;
            }
        };
        self.say("kind", "token (JWT), whose signature is right");
        self.claims(&claims);
        match tokens.rules().identity(&claims, self.now_ms) {
            Ok(identity) => {
                self.of_token(&identity, tokens.rules(), &claims);
                let end = identity.expires_ms.map_or(String::new(), text_of);
                self.say("valid", format!("yes, until {end} (leeway included)"));
                Some(identity)
            }
            Err(problem) => {
                self.say("valid", format!("no: {problem}"));
                None
            }
        }
    }

    fn claims(&mut self, claims: &Map<String, Value>) {
        for name in ["iss", "aud", "jti"] {
            if let Some(value) = claims.get(name) {
                self.say(name, value.to_string());
            }
        }
        for name in ["iat", "nbf", "exp"] {
            if let Some(seconds) = claims.get(name).and_then(Value::as_u64) {
                self.say(name, text_of(seconds.saturating_mul(1000)));
            }
        }
    }

    fn role(&mut self, identity: &Identity, source: &str) {
        self.say("user", &identity.name);
        self.say("role", format!("{}, {source}", identity.role.name()));
    }

    /// Where the grants of a key stand, and where its role comes from.
    fn of_key(&mut self, identity: &Identity) {
        // Names of keys differ.
        let entry = self.config.keys.iter().find(|key| key.name == identity.name);
        let own = entry.is_some_and(|key| !Grants::of(key).is_empty());
        self.source = if own { format!("the key `{}`", identity.name) } else { of_role(identity.role) };
        let named = entry.is_some_and(|key| key.role.is_some());
        self.role(identity, if named { "by its entry" } else { "since its entry names none" });
    }

    /// Where the grants of a token stand, and where its role comes from.
    fn of_token(&mut self, identity: &Identity, rules: &Rules, claims: &Map<String, Value>) {
        let jwt = &self.config.jwt;
        self.source = match rules.has_own_grants(claims) {
            true => format!("its claim `{}`", jwt.grants_claim),
            false => of_role(identity.role),
        };
        let by_claim = format!("by its claim `{}`", jwt.role_claim);
        let source = match (rules.named_role(claims), jwt.default_role) {
            (Some(_), _) => by_claim.as_str(),
            (None, Some(_)) => "by jwt.default_role",
            (None, None) => "since it names none; that gives it no topics",
        };
        self.role(identity, source);
    }

    fn grants(&mut self, identity: &Identity) {
        match identity.grants.is_empty() {
            true => self.say("may", "nothing: neither its own grants nor a role give it topics"),
            false => self.say("may", format!("what {} says:", self.source)),
        }
        for action in Action::ALL {
            let patterns: Vec<String> =
                identity.grants.patterns(action).iter().map(ToString::to_string).collect();
            if !patterns.is_empty() {
                self.out += &format!("  {:<9} {}\n", action.name(), patterns.join(" "));
            }
        }
    }

    fn webhook(&mut self) {
        let webhook = &self.config.webhook;
        let asked: Vec<_> =
            [Asked::Connect, Asked::Subscribe].into_iter().filter(|what| webhook.is_asked(*what)).collect();
        if !asked.is_empty() {
            let words: Vec<_> = asked.iter().map(|what| what.word()).collect();
            self.say("note", format!("webhook.url is asked besides ({}), and may refuse", words.join(", ")));
        }
    }

    fn topic(&mut self, identity: &Identity, topic: &str) {
        self.say("topic", topic);
        for action in Action::ALL {
            let answer = match identity.grants.allowing(action, topic) {
                Some(pattern) => format!("yes, by `{pattern}` of {}", self.source),
                None => "no, nothing covers all of it".into(),
            };
            self.out += &format!("  {:<9} {answer}\n", action.name());
        }
    }
}

fn text_of(unix_ms: u64) -> String {
    let mut out = Vec::new();
    time::write(&mut out, unix_ms.min(crate::limits::EXPIRY_MS_MAX));
    String::from_utf8_lossy(&out).into_owned()
}
