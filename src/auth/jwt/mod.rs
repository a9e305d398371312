//! JSON Web Tokens (RFC 7519), signed (RFC 7515). Pure: keys are given, the time is an argument.
//!
//! The order of checks: form, header, key, signature, then claims; nothing of a token is believed before its signature is
//! verified, but for the names of key and algorithm, which only choose among what is configured. Verified tokens are
//! remembered by their SHA-256, so that equal tokens are verified once and share one identity.

mod claims;
mod keys;
mod problem;

use std::sync::Arc;

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

pub use claims::Rules;
pub use keys::{Allowed, NoKey, VerifyingKey, allowed, key_set};
pub use problem::Problem;

use super::{Identity, Remembered};
use crate::limits::{TOKEN_BYTES_MAX, TOKENS_REMEMBERED};
use crate::sync::{Mutex, lock};

/// Checks tokens.
pub struct Tokens {
    rules: Rules,
    fixed: Vec<VerifyingKey>,
    fetched: ArcSwap<Vec<VerifyingKey>>,
    fetches: bool,
    remembered: Mutex<Remembered<Arc<Identity>>>,
}

/// What a header says. Anything else in it is of no interest: keys and addresses of keys that a token brings along are
/// never looked at.
#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    crit: Option<IgnoredAny>,
}

/// A token taken apart.
struct Parts<'t> {
    header: Header,
    /// What is signed.
    message: &'t str,
    claims: &'t str,
    signature: &'t str,
}

impl<'t> Parts<'t> {
    fn new(token: &'t str) -> Result<Self, Problem> {
        let (message, signature) = token.rsplit_once('.').ok_or(Problem::Form)?;
        let (head, claims) = message.split_once('.').ok_or(Problem::Form)?;
        if claims.contains('.') || token.len() > TOKEN_BYTES_MAX {
            return Err(Problem::Form);
        }
        let header: Header = decoded(head).ok_or(Problem::Header)?;
        if header.crit.is_some() {
            return Err(Problem::Critical);
        }
        Ok(Self { header, message, claims, signature })
    }

    fn algorithm(&self) -> Result<Algorithm, Problem> {
        self.header.alg.parse().map_err(|_| self.not_allowed())
    }

    fn not_allowed(&self) -> Problem {
        Problem::Algorithm(self.header.alg.clone())
    }
}

fn decoded<T: for<'de> Deserialize<'de>>(part: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

impl Tokens {
    /// Checks by `rules` and the keys `fixed`; where it `fetches`, keys may be added by [`Self::replace_fetched`].
    pub fn new(rules: Rules, fixed: Vec<VerifyingKey>, fetches: bool) -> Self {
        let remembered = Mutex::new(Remembered::new(TOKENS_REMEMBERED));
        Self { rules, fixed, fetched: ArcSwap::default(), fetches, remembered }
    }

    /// These keys take the place of those that were fetched before. Tokens that were verified by them are forgotten.
    pub fn replace_fetched(&self, keys: Vec<VerifyingKey>) {
        self.fetched.store(Arc::new(keys));
        lock(&self.remembered).clear();
    }

    /// Whether keys may be added.
    pub fn fetches(&self) -> bool {
        self.fetches
    }

    /// Who presents `token`: 1 µs when it was verified before, up to 100 µs when not.
    ///
    /// # Errors
    /// What is wrong with it. [`Problem::UnknownKey`] may be right once keys have been fetched.
    pub fn verify(&self, token: &str, unix_ms: u64) -> Result<Arc<Identity>, Problem> {
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        if let Some(known) = lock(&self.remembered).get(&hash) {
            let end = known.expires_ms.filter(|end| *end <= unix_ms);
            return end.map_or(Ok(known), |end| Err(Problem::Expired(end)));
        }
        // Keys that are replaced meanwhile must not leave behind what they have verified.
        let fetched = self.fetched.load_full();
        let claims = self.claims(token)?;
        let identity = Arc::new(self.rules.identity(&claims, unix_ms)?);
        let mut remembered = lock(&self.remembered);
        if Arc::ptr_eq(&fetched, &self.fetched.load_full()) {
            remembered.insert(hash, Arc::clone(&identity));
        }
        Ok(identity)
    }

    /// The claims of a token, once its signature is verified.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn claims(&self, token: &str) -> Result<Map<String, Value>, Problem> {
        let parts = Parts::new(token)?;
        let algorithm = parts.algorithm()?;
        let fetched = self.fetched.load();
        let all = || self.fixed.iter().chain(fetched.iter());
        let key = match &parts.header.kid {
            Some(kid) => named(all, kid, algorithm, &parts)?,
            None => self.only(all, algorithm, &parts)?,
        };
        if !key.verifies(algorithm, parts.message, parts.signature) {
            return Err(Problem::Signature);
        }
        decoded(parts.claims).ok_or(Problem::Claims)
    }

    /// The one key that can be meant by a token that names none.
    fn only<'k, I>(
        &self,
        all: impl Fn() -> I,
        algorithm: Algorithm,
        parts: &Parts<'_>,
    ) -> Result<&'k VerifyingKey, Problem>
    where
        I: Iterator<Item = &'k VerifyingKey>,
    {
        let mut suited = all().filter(|key| key.is_for(algorithm));
        match (suited.next(), suited.next()) {
            (Some(key), None) => Ok(key),
            (Some(_), Some(_)) => Err(Problem::WhichKey),
            (None, _) if self.fetches && self.fetched.load().is_empty() => {
                Err(Problem::UnknownKey(String::new()))
            }
            (None, _) => Err(parts.not_allowed()),
        }
    }

    /// The names of the keys there are, for whoever wonders which one is missing.
    pub fn key_names(&self) -> Vec<String> {
        let fetched = self.fetched.load();
        let all = self.fixed.iter().chain(fetched.iter());
        all.map(|key| key.id().map_or_else(|| "(one without a name)".to_owned(), |id| format!("{id:?}")))
            .collect()
    }

    /// What claims must be and mean.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }
}

/// The key that a token names; one of the configuration that has no name serves tokens of any.
fn named<'k, I>(
    all: impl Fn() -> I,
    kid: &str,
    algorithm: Algorithm,
    parts: &Parts<'_>,
) -> Result<&'k VerifyingKey, Problem>
where
    I: Iterator<Item = &'k VerifyingKey>,
{
    let of_name = || all().filter(|key| key.id() == Some(kid));
    if let Some(key) = of_name().find(|key| key.is_for(algorithm)) {
        return Ok(key);
    }
    if of_name().next().is_some() {
        return Err(parts.not_allowed());
    }
    let nameless = all().find(|key| key.id().is_none() && key.is_for(algorithm));
    nameless.ok_or_else(|| Problem::UnknownKey(kid.into()))
}
