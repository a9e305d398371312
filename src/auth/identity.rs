//! Who a client is and what it may do, whatever kind of credential said so.

use super::grants::{Action, Grants};
use crate::config::Role;

impl Role {
    /// All, from the least to the most trusted.
    pub const ALL: [Self; 4] = [Self::Observer, Self::Admin, Self::Authority, Self::Root];

    /// The word for it on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Observer => "OBSERVER",
            Self::Admin => "ADMIN",
            Self::Authority => "AUTHORITY",
            Self::Root => "ROOT",
        }
    }

    /// The role of a word, without regard to case.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name().eq_ignore_ascii_case(word))
    }
}

/// What kind of credential says who somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// None.
    None,
    /// An API key of the configuration.
    Key,
    /// A signed token.
    Token,
}

/// Who is there and what it may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Name of the key or subject of the token; stands in logs, counts connections per user, and is the `user` of presence.
    /// Empty for nobody in particular.
    pub name: String,
    /// What says so.
    pub credential: Credential,
    /// How far it is trusted.
    pub role: Role,
    /// What it may do.
    pub grants: Grants,
    /// When its credential ends, Unix milliseconds.
    pub expires_ms: Option<u64>,
    /// The token's own id (`jti`), by which it can be revoked.
    pub token_id: Option<String>,
    /// What the credential says about the person, for protocols that show it.
    pub profile: Profile,
}

/// What a token says about a person; absent claims are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Claim `email`.
    pub email: String,
    /// Claim `name`.
    pub name: String,
}

impl Identity {
    /// Somebody with a name and grants, whose credential does not end.
    pub fn new(name: &str, role: Role, grants: Grants) -> Self {
        Self {
            name: name.into(),
            credential: Credential::None,
            role,
            grants,
            expires_ms: None,
            token_id: None,
            profile: Profile::default(),
        }
    }

    /// Nobody in particular, who may do everything: everybody, where no credentials are configured.
    pub fn anonymous() -> Self {
        Self::new("", Role::Root, Grants::everything())
    }

    /// Nobody, who may do nothing: a client that has yet to say who it is.
    pub fn nobody() -> Self {
        Self::new("", Role::Observer, Grants::default())
    }

    /// Whether it may do `action` on a topic, or on every topic a pattern can select. `$presence.a` counts as the
    /// presence of `a`, and nobody may publish to it.
    pub fn may(&self, action: Action, topic_or_pattern: &str) -> bool {
        self.grants.allow(action, topic_or_pattern)
    }

    /// Whether its credential has ended at `unix_ms`.
    pub fn has_expired(&self, unix_ms: u64) -> bool {
        self.expires_ms.is_some_and(|end| end <= unix_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_ordered_and_read_in_any_case() {
        assert!(Role::Observer < Role::Admin && Role::Authority < Role::Root);
        assert_eq!(Role::parse("admin"), Some(Role::Admin));
        assert_eq!(Role::parse("god"), None);
    }

    #[test]
    fn a_credential_ends_at_its_time() {
        let mut identity = Identity::nobody();
        assert!(!identity.has_expired(u64::MAX) && !identity.may(Action::Subscribe, "a"));
        identity.expires_ms = Some(1000);
        assert!(identity.has_expired(1000) && !identity.has_expired(999));
    }
}
