//! Everything that says who somebody is: keys, tokens, tickets, and what was revoked of them.

use std::sync::Arc;

use super::jwt::{Problem, Rules, Tokens, VerifyingKey};
use super::tickets::{Tickets, TooMany};
use super::{AuthError, Authenticate, Caller, Identity, Keys, Later, Revocations, Verdict};
use crate::config::Config;

/// The time, as credentials need it.
#[derive(Clone, Copy, Debug)]
pub struct Time {
    /// Unix milliseconds, for what others have dated.
    pub unix_ms: u64,
    /// Monotonic milliseconds, for our own spans.
    pub millis: u64,
}

/// See the module.
pub struct Credentials {
    keys: Keys,
    tokens: Option<Tokens>,
    tickets: Tickets,
    /// What was taken back.
    pub revocations: Revocations,
    anonymous: Arc<Identity>,
}

impl Credentials {
    /// Those of a configuration, with the keys of tokens that it names.
    pub fn new(config: &Config, fixed: Vec<VerifyingKey>) -> Self {
        let fetches = !config.jwt.jwks_url.is_empty();
        let tokens = || Tokens::new(Rules::new(config), fixed, fetches);
        Self {
            keys: Keys::new(&config.keys, &config.roles),
            tokens: config.jwt.is_configured().then(tokens),
            tickets: Tickets::default(),
            revocations: Revocations::default(),
            anonymous: Arc::new(Identity::anonymous()),
        }
    }

    /// Whether everybody may do everything, since no credentials are configured.
    pub fn is_open(&self) -> bool {
        self.keys.is_empty() && self.tokens.is_none()
    }

    /// The API keys.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// What checks tokens, where tokens are accepted.
    pub fn tokens(&self) -> Option<&Tokens> {
        self.tokens.as_ref()
    }

    /// Who presents `token`, a key or a signed one. `None` when it names a key that is not known yet and may be fetched.
    pub fn check(&self, token: Option<&str>, unix_ms: u64) -> Option<Verdict> {
        let Some(token) = token.filter(|_| !self.is_open()) else {
            return Some(if self.is_open() {
                Ok(Arc::clone(&self.anonymous))
            } else {
                Err(AuthError::Missing)
            });
        };
        if let Some(identity) = self.keys.authenticate(token) {
            return Some(self.unless_revoked(identity, unix_ms));
        }
        let Some(tokens) = &self.tokens else { return Some(Err(AuthError::Invalid)) };
        match tokens.verify(token, unix_ms) {
            Ok(identity) => Some(self.unless_revoked(identity, unix_ms)),
            Err(Problem::UnknownKey(_)) if tokens.fetches() => None,
            Err(problem) => Some(Err(problem.into())),
        }
    }

    /// As [`Self::check`], where nobody can be asked for keys.
    ///
    /// # Errors
    /// Why nobody does.
    pub fn identify(&self, token: Option<&str>, unix_ms: u64) -> Verdict {
        self.check(token, unix_ms).unwrap_or(Err(AuthError::Invalid))
    }

    /// A ticket for `identity`, made of `random` bytes that nobody can guess.
    ///
    /// # Errors
    /// There are too many.
    pub fn issue(&self, identity: &Arc<Identity>, random: [u8; 32], time: Time) -> Result<String, TooMany> {
        self.tickets.issue(identity, random, time.millis)
    }

    /// Whom a ticket stands for; it is used up.
    pub fn redeem(&self, ticket: &str, time: Time) -> Verdict {
        let identity = self.tickets.redeem(ticket, time.millis).ok_or(AuthError::Invalid)?;
        if identity.has_expired(time.unix_ms) {
            return Err(AuthError::Expired);
        }
        self.unless_revoked(identity, time.unix_ms)
    }

    fn unless_revoked(&self, identity: Arc<Identity>, unix_ms: u64) -> Verdict {
        if self.revocations.cover(&identity, unix_ms) { Err(AuthError::Revoked) } else { Ok(identity) }
    }
}

impl Authenticate for Credentials {
    fn authenticate(
        &self,
        token: &str,
        _caller: Option<&Arc<Caller>>,
        unix_ms: u64,
        _later: Later,
    ) -> Option<Verdict> {
        Some(self.identify(Some(token), unix_ms))
    }

    fn is_revoked(&self, identity: &Identity, unix_ms: u64) -> bool {
        self.revocations.cover(identity, unix_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{Action, Subject};

    const NOW: Time = Time { unix_ms: 1_000_000, millis: 5 };

    fn credentials(toml: &str) -> Credentials {
        Credentials::new(&Config::from_toml("t", toml).unwrap(), Vec::new())
    }

    const KEY: &str = "[[keys]]\nname = \"ann\"\nsubscribe = [\"a\"]\n\
                       hash = \"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"\n";

    #[test]
    fn without_credentials_everybody_may_do_everything() {
        let open = credentials("");
        assert!(open.is_open());
        for token in [None, Some("anything")] {
            let somebody = open.identify(token, 0).unwrap();
            assert!(somebody.may(Action::Publish, "a.b") && somebody.may(Action::Subscribe, "**"));
        }
    }

    #[test]
    fn a_key_is_asked_for_and_can_be_taken_back() {
        let credentials = credentials(KEY);
        assert_eq!(credentials.identify(None, 0), Err(AuthError::Missing));
        assert_eq!(credentials.identify(Some("abd"), 0), Err(AuthError::Invalid));
        let ann = credentials.identify(Some("abc"), 0).unwrap();
        let ticket = credentials.issue(&ann, [7; 32], NOW).unwrap();
        credentials.revocations.add(Subject::Key("ann".into()), 10_000_000, 0).unwrap();
        assert_eq!(credentials.identify(Some("abc"), 0), Err(AuthError::Revoked));
        assert_eq!(credentials.redeem(&ticket, NOW), Err(AuthError::Revoked));
        assert!(credentials.is_revoked(&ann, 0));
    }

    #[test]
    fn a_ticket_ends_with_whom_it_stands_for() {
        let credentials = credentials(KEY);
        let ann = Arc::new(Identity { expires_ms: Some(NOW.unix_ms + 10), ..Identity::nobody() });
        let ticket = || credentials.issue(&ann, [8; 32], NOW).unwrap();
        assert_eq!(credentials.redeem(&ticket(), NOW), Ok(Arc::clone(&ann)));
        let later = Time { unix_ms: NOW.unix_ms + 10, ..NOW };
        assert_eq!(credentials.redeem(&ticket(), later), Err(AuthError::Expired));
        assert_eq!(credentials.redeem("unknown", NOW), Err(AuthError::Invalid));
    }
}
