//! `millrace token`: make a key, sign a token for tests, and say what a credential may do and why.

use std::io::{self, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::settings::SettingFlags;
use super::token_explain;
use crate::config::{self, Algorithm, Config, KeyConfig, KeyHash, Pattern, Role};
use crate::limits::{TOKEN_BYTES_MAX, USER_BYTES_MAX};
use crate::server::authority::keys;

const EXAMPLES: &str = "\
Examples:
  millrace token key --name backend --publish '**' >> millrace.toml
  millrace token key --name dashboard --role observer
  millrace token sign --config millrace.toml --user ann --role admin --seconds 600
  millrace token explain --config millrace.toml --topic logs.api < token.txt";

/// Commands of `token`.
#[derive(clap::Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum Token {
    /// Make an API key: its [[keys]] entry goes to standard output, the key itself, this once, to standard error.
    Key(Key),
    /// Sign a token for tests with the shared secret of the configuration (HS256).
    Sign(Sign),
    /// Say whose a key or token is, whether it is valid, what it may do, and why.
    Explain(token_explain::Explain),
}

impl Token {
    /// Runs it.
    ///
    /// # Errors
    /// What was asked for cannot be done.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Key(key) => key.run(),
            Self::Sign(sign) => sign.run(),
            Self::Explain(explain) => explain.run(),
        }
    }
}

/// What a credential may do.
#[derive(clap::Args)]
struct Grants {
    /// observer, admin, authority or root.
    #[arg(long, value_parser = role)]
    role: Option<Role>,
    /// Topics or patterns to publish to.
    #[arg(long, value_name = "PATTERN", value_parser = Pattern::new)]
    publish: Vec<Pattern>,
    /// Topics or patterns to stream.
    #[arg(long, value_name = "PATTERN", value_parser = Pattern::new)]
    subscribe: Vec<Pattern>,
    /// Topics or patterns whose history may be read [default: as --subscribe].
    #[arg(long, value_name = "PATTERN", value_parser = Pattern::new)]
    history: Vec<Pattern>,
    /// Topics or patterns whose presence may be read [default: as --subscribe].
    #[arg(long, value_name = "PATTERN", value_parser = Pattern::new)]
    presence: Vec<Pattern>,
}

fn name(text: &str) -> Result<String, String> {
    let fits = (1..=USER_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
    if fits {
        Ok(text.into())
    } else {
        Err(format!("write 1 to {USER_BYTES_MAX} bytes without control characters"))
    }
}

fn role(word: &str) -> Result<Role, String> {
    Role::parse(word).ok_or_else(|| "write observer, admin, authority or root".into())
}

impl Grants {
    fn lists(&self) -> [(&'static str, &[Pattern]); 4] {
        [
            ("publish", &self.publish),
            ("subscribe", &self.subscribe),
            ("history", &self.history),
            ("presence", &self.presence),
        ]
    }

    fn lists_nothing(&self) -> bool {
        self.lists().iter().all(|(_, list)| list.is_empty())
    }
}

/// Flags of `token key`.
#[derive(clap::Args)]
pub struct Key {
    /// Who it is for; stands in logs.
    #[arg(long, value_parser = name)]
    name: String,
    #[command(flatten)]
    grants: Grants,
}

impl Key {
    fn run(self) -> anyhow::Result<ExitCode> {
        if self.grants.role.is_none() && self.grants.lists_nothing() {
            bail!("say what the key may do: --role, or --publish and --subscribe with patterns such as '**'");
        }
        let mut random = [0; 32];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| anyhow::anyhow!("the system has no randomness"))?;
        let key = format!("mr_{}", URL_SAFE_NO_PAD.encode(random));
        // An entry that nobody got would be of no use.
        io::stdout().write_all(self.entry(&key).as_bytes())?;
        writeln!(io::stderr(), "the key of {:?}, which is shown only now: {key}", self.name)?;
        Ok(ExitCode::SUCCESS)
    }

    /// What goes into the configuration.
    fn entry(&self, key: &str) -> String {
        let hash = KeyHash(Sha256::digest(key).into());
        let subscribe = &self.grants.subscribe;
        let or_subscribe =
            |list: &Vec<Pattern>| if list.is_empty() { subscribe.clone() } else { list.clone() };
        config::key_to_toml(&KeyConfig {
            name: self.name.clone(),
            role: self.grants.role,
            hash,
            publish: self.grants.publish.clone(),
            subscribe: subscribe.clone(),
            history: or_subscribe(&self.grants.history),
            presence: or_subscribe(&self.grants.presence),
        })
    }
}

/// Flags of `token sign`.
#[derive(clap::Args)]
pub struct Sign {
    /// Configuration file (TOML) whose [jwt] says where the secret is.
    #[arg(long, value_name = "FILE", env = "MILLRACE_CONFIG")]
    config: Option<PathBuf>,
    /// Whose it is.
    #[arg(long, value_parser = name)]
    user: String,
    /// How long it is valid.
    #[arg(long, default_value_t = 3600)]
    seconds: u64,
    /// Its name (`jti`), by which it can be revoked.
    #[arg(long)]
    id: Option<String>,
    #[command(flatten)]
    grants: Grants,
}

impl Sign {
    fn run(self) -> anyhow::Result<ExitCode> {
        let config = load(self.config.clone())?;
        let jwt = &config.jwt;
        let secrets = keys::secrets("jwt", &jwt.secret_env, &jwt.secret_file)?;
        let hint = "tokens are signed with the shared secret of [jwt], and there is none: set jwt.secret_env or \
                    jwt.secret_file, in the file of --config or as MILLRACE_JWT_SECRET_ENV or MILLRACE_JWT_SECRET_FILE";
        let secret = secrets.first().context(hint)?;
        if !jwt.algorithms.contains(&Algorithm::Hs256) {
            bail!("jwt.algorithms does not allow HS256, so that a server would refuse the token");
        }
        let claims = self.claims(&config, now_ms() / 1000);
        let token = jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(secret))?;
        writeln!(io::stdout(), "{token}")?;
        Ok(ExitCode::SUCCESS)
    }

    fn claims(&self, config: &Config, now_s: u64) -> Map<String, Value> {
        let jwt = &config.jwt;
        let mut claims = Map::new();
        let mut say = |name: &str, value: Value| drop(claims.insert(name.to_owned(), value));
        say(&jwt.user_claim, json!(self.user));
        say("exp", json!(now_s + self.seconds));
        say("iat", json!(now_s));
        jwt.issuer.first().into_iter().for_each(|issuer| say("iss", json!(issuer)));
        jwt.audience.first().into_iter().for_each(|audience| say("aud", json!(audience)));
        self.id.iter().for_each(|id| say("jti", json!(id)));
        self.grants.role.iter().for_each(|role| say(&jwt.role_claim, json!(role.word())));
        if !self.grants.lists_nothing() {
            let lists = self.grants.lists();
            let lists = lists.iter().filter(|(_, list)| !list.is_empty());
            let texts = |list: &[Pattern]| list.iter().map(Pattern::to_string).collect::<Vec<_>>();
            let grants: Map<String, Value> =
                lists.map(|(name, list)| ((*name).into(), json!(texts(list)))).collect();
            say(&jwt.grants_claim, Value::Object(grants));
        }
        claims
    }
}

/// The configuration as a server with this file and environment would have it.
pub(super) fn load(file: Option<PathBuf>) -> anyhow::Result<Config> {
    SettingFlags::default().load(file).context("the configuration is wrong")
}

/// What was given as a flag, else standard input, of which no more is read than a token may have.
///
/// # Errors
/// There is nothing.
pub(super) fn given(token: Option<String>) -> anyhow::Result<String> {
    let token = match token {
        Some(token) => token,
        None => from_standard_input()?,
    };
    let token = token.trim();
    // It is often copied with the word in front of it.
    let token = token.strip_prefix("Bearer ").unwrap_or(token).trim();
    if token.is_empty() {
        bail!("there is no token: give it on standard input, in MILLRACE_TOKEN, or by --token");
    }
    Ok(token.to_owned())
}

fn from_standard_input() -> anyhow::Result<String> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        writeln!(io::stderr(), "paste the token and end with Ctrl-D:")?;
    }
    let mut text = String::new();
    let most = 2 * TOKEN_BYTES_MAX as u64;
    stdin.take(most).read_to_string(&mut text).context("the token cannot be read from standard input")?;
    Ok(text)
}

/// Unix milliseconds.
#[allow(clippy::disallowed_methods, reason = "the command line is where its clock is read")]
pub(super) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}
