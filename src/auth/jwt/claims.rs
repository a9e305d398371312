//! From the claims of a token to an identity.

use serde_json::{Map, Value};

use super::problem::Problem;
use crate::auth::{Credential, Grants, Identity, Profile, Role};
use crate::config::{Config, Jwt, Pattern, Roles};
use crate::limits::{CLAIM_BYTES_MAX, EXPIRY_MS_MAX, USER_BYTES_MAX};

/// What claims must be and mean.
#[derive(Clone, Debug)]
pub struct Rules {
    settings: Jwt,
    roles: Roles,
}

type Claims = Map<String, Value>;

impl Rules {
    /// Those of a configuration.
    pub fn new(config: &Config) -> Self {
        Self { settings: config.jwt.clone(), roles: config.roles.clone() }
    }

    /// Who a token is for.
    ///
    /// # Errors
    /// A claim that is wrong.
    pub fn identity(&self, claims: &Claims, unix_ms: u64) -> Result<Identity, Problem> {
        let expires_ms = self.check_time(claims, unix_ms)?;
        self.check_issuer(claims)?;
        self.check_audience(claims)?;
        let role = self.named_role(claims).or(self.settings.default_role);
        let grants = self.grants(claims, role)?;
        Ok(Identity {
            credential: Credential::Token,
            expires_ms: Some(expires_ms),
            token_id: token_id(claims)?,
            profile: Profile { email: short(claims, "email"), name: short(claims, "name") },
            ..Identity::new(&self.user(claims)?, role.unwrap_or(Role::Observer), grants)
        })
    }

    /// When the token ends, Unix milliseconds, the leeway included.
    fn check_time(&self, claims: &Claims, unix_ms: u64) -> Result<u64, Problem> {
        let leeway_ms = self.settings.leeway_seconds.as_millis() as u64;
        let end = claims.get("exp").ok_or(Problem::NoExpiry)?;
        let end_ms = millis(end)
            .ok_or(Problem::Claim("exp", "is no time"))?
            .saturating_add(leeway_ms)
            .min(EXPIRY_MS_MAX);
        if let Some(begin) = claims.get("nbf") {
            let begin_ms = millis(begin).ok_or(Problem::Claim("nbf", "is no time"))?;
            if begin_ms > unix_ms.saturating_add(leeway_ms) {
                return Err(Problem::NotYet(begin_ms));
            }
        }
        if end_ms <= unix_ms { Err(Problem::Expired(end_ms)) } else { Ok(end_ms) }
    }

    fn check_issuer(&self, claims: &Claims) -> Result<(), Problem> {
        let accepted = &self.settings.issuer;
        let issuer = claims.get("iss").and_then(Value::as_str);
        let right =
            accepted.is_empty() || issuer.is_some_and(|issuer| accepted.iter().any(|one| one == issuer));
        if right { Ok(()) } else { Err(Problem::Issuer) }
    }

    fn check_audience(&self, claims: &Claims) -> Result<(), Problem> {
        let accepted = &self.settings.audience;
        let is_ours =
            |value: &Value| value.as_str().is_some_and(|text| accepted.iter().any(|one| one == text));
        let right = accepted.is_empty() || claims.get("aud").is_some_and(|named| each(named).any(is_ours));
        if right { Ok(()) } else { Err(Problem::Audience) }
    }

    fn user(&self, claims: &Claims) -> Result<String, Problem> {
        let user = match find(claims, &self.settings.user_claim) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => return Err(Problem::NoUser(self.settings.user_claim.clone())),
        };
        let right = (1..=USER_BYTES_MAX).contains(&user.len()) && !user.chars().any(char::is_control);
        if right {
            Ok(user)
        } else {
            Err(Problem::Claim("user", "is empty, too long or has control characters"))
        }
    }

    /// The highest of the roles that the token names and that are known here.
    pub fn named_role(&self, claims: &Claims) -> Option<Role> {
        let named = find(claims, &self.settings.role_claim).into_iter().flat_map(each);
        named.filter_map(|value| Role::parse(value.as_str()?)).max()
    }

    /// What the token itself lists, else what its role may do.
    fn grants(&self, claims: &Claims, role: Option<Role>) -> Result<Grants, Problem> {
        match (find(claims, &self.settings.grants_claim), role) {
            (Some(Value::Null) | None, Some(role)) => Ok(Grants::of_role(self.roles.of(role))),
            (Some(Value::Null) | None, None) => Ok(Grants::default()),
            (Some(Value::Object(lists)), _) => own_grants(lists),
            (Some(_), _) => Err(Problem::Grants("it is no object".into())),
        }
    }

    /// Whether the token lists its own topics.
    pub fn has_own_grants(&self, claims: &Claims) -> bool {
        find(claims, &self.settings.grants_claim).is_some_and(Value::is_object)
    }
}

/// As keys of the configuration: history and presence are what `subscribe` says when they are left out.
fn own_grants(lists: &Map<String, Value>) -> Result<Grants, Problem> {
    let known = ["publish", "subscribe", "history", "presence"];
    if let Some(other) = lists.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(Problem::Grants(format!("there is no action {other:?}")));
    }
    let list = |name: &str| lists.get(name).map(|value| patterns(name, value)).transpose();
    let subscribe = list("subscribe")?.unwrap_or_default();
    let (history, presence) = (list("history")?, list("presence")?);
    let read = || subscribe.clone();
    let (history, presence) = (history.unwrap_or_else(read), presence.unwrap_or_else(read));
    Ok(Grants::new(list("publish")?.unwrap_or_default(), subscribe, history, presence))
}

fn patterns(name: &str, value: &Value) -> Result<Vec<Pattern>, Problem> {
    let wrong = |why: String| Problem::Grants(format!("{name}: {why}"));
    let texts = value.as_array().ok_or_else(|| wrong("it is no list".into()))?;
    let pattern = |text: &Value| Pattern::new(text.as_str().ok_or("it has something other than texts")?);
    texts.iter().map(|text| pattern(text).map_err(wrong)).collect()
}

/// A claim by its name, or, where there is none, by a path of names with dots between them.
fn find<'c>(claims: &'c Claims, name: &str) -> Option<&'c Value> {
    let by_path = || {
        let (first, rest) = name.split_once('.')?;
        find(claims.get(first)?.as_object()?, rest)
    };
    claims.get(name).or_else(by_path)
}

/// The members of a list, or the value itself.
fn each(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice).iter()
}

/// Seconds since 1970, whole or not, as milliseconds.
fn millis(value: &Value) -> Option<u64> {
    let millis = match value.as_u64() {
        Some(seconds) => Some(seconds.saturating_mul(1000)),
        // A cast of a float stays within the bounds of the integer: what lies before 1970 is 0.
        None => value.as_f64().map(|seconds| (seconds * 1000.0) as u64),
    };
    millis.map(|millis| millis.min(EXPIRY_MS_MAX))
}

fn token_id(claims: &Claims) -> Result<Option<String>, Problem> {
    match claims.get("jti") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(id)) if id.len() <= CLAIM_BYTES_MAX => Ok(Some(id.clone())),
        Some(_) => Err(Problem::Claim("jti", "is no text, or too long")),
    }
}

/// What the token says about the person, if it is a text of reasonable length.
fn short(claims: &Claims, name: &str) -> String {
    let text = claims.get(name).and_then(Value::as_str).filter(|text| text.len() <= CLAIM_BYTES_MAX);
    text.unwrap_or_default().into()
}
